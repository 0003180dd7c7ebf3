//! What is broken on purpose, as a sentence: shared by the file, the command line and the page.

use base::{Nanos, Time};

/// One fault. Which node and which physical step it strikes is the design's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub action: FaultAction,
    pub moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// `crash orchestrator … [restart after 500 ms]`; without: stays down.
    Crash { actor: Actor, restart_after: Option<Nanos> },
    /// `lose reply of step …`
    Lose(Message),
    /// `delay request of step … by 50 ms`
    Delay(Message, Nanos),
    /// `duplicate request of step …`
    Duplicate,
    /// `refuse step …`: it fails as if the engine had refused it.
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    Request,
    Reply,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `at 120 ms`: crashes only.
    At(Time),
    Step {
        place: StepPlace,
        /// The n-th physical step of the operation, from 1.
        step: u32,
        operation: String,
        /// `in request 12`, from 0; `None`: whichever request comes first.
        request: Option<u64>,
    },
}

/// Where within the step. Message faults and refusals strike `During` it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepPlace {
    /// Nothing of it has happened.
    Before,
    /// Its effect has happened; the one who asked does not know yet.
    During,
    /// The one who asked has the answer.
    After,
}

/// Whom a crash takes, by role in the operation, so that one fault means the same on every design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    Client,
    /// The process that runs the operation's entry program.
    Orchestrator,
    /// The service that runs the step.
    Service,
    /// The database server that the step works on.
    Server,
    /// The process that runs the relays.
    Relay,
}
