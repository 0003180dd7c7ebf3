//! What is broken on purpose, when and where.
//!
//! | fault | means | strikes | not modelled |
//! |---|---|---|---|
//! | crash of a client | asks no more and hears no answer; what it started goes on | at a step or an instant | |
//! | crash of a service (application, orchestrator, relay) | its running programs are gone, its connections break (the servers roll back); on restart its recovery programs run | as above | half-written local files |
//! | crash of the event bus | what its replicas do not have is gone, and requests that wait there fail; it comes back with the rest | as above | a replica that fails alone, one that is elected although it is behind |
//! | crash of DynamoDB | is not a thing: a managed service with three replicas in three zones | | a zone or region that fails, throttled accounts |
//! | crash of an object store | is not a thing: a managed service over three zones | | a zone or region that fails |
//! | crash of an SQL server | memory is gone; on restart, what was flushed is replayed, the rest never was | as above | torn pages, lost disks |
//! | lost message | a request or a reply never arrives: a call times out; a connection to a database breaks when both ends notice its silence, and the server rolls back | a step's request or reply between two nodes | |
//! | late message | it arrives so much later | as above | |
//! | doubled message | the request arrives twice, and its program runs twice; on a connection to a database the transport drops the double; DynamoDB does it twice, unless a token or a condition keeps it from that; so does an object store; an event bus has the messages twice | a call, a send or a request to DynamoDB, an object store or a bus | |
//! | refusal | the step fails as if the engine had refused it | a step | |

use base::{Nanos, Time};
use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, ProgramId, RequestId, StepId};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    pub trigger: Trigger,
    pub action: FaultAction,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Trigger {
    At(Time),
    Step(StepTrigger),
}

/// The `occurrence`-th time (from 0) that a step is at this point within the chosen requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepTrigger {
    pub program: ProgramId,
    pub step: StepId,
    pub point: StepPoint,
    /// `None`: whichever request comes first.
    pub request: Option<RequestId>,
    pub occurrence: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StepPoint {
    /// Nothing of the step has happened.
    Before,
    /// Its effect has happened where it happens; the one who asked does not know yet.
    Done,
    /// The one who asked has the answer.
    After,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FaultAction {
    /// `restart_after` `None`: stays down.
    Crash {
        node: NodeId,
        restart_after: Option<Nanos>,
    },
    LoseRequest,
    LoseReply,
    DelayRequest(Nanos),
    DelayReply(Nanos),
    DuplicateRequest,
    Refuse {
        message: String,
    },
}

/// Whom a crash takes: the role in the operation, so that one fault means the same on every design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    Client,
    /// The process that runs the operation's entry program: application or orchestrator.
    Orchestrator,
    /// The service that runs the step.
    Service,
    /// The database server that the step works on.
    Server,
    /// The process that runs the relays.
    Relay,
    /// The event bus.
    Bus,
}
