//! Event buses in a run.
//!
//! ```text
//! step ─request.rs→ request ─travel.rs→ a core of the bus, the engine ┬ replicas ─┬─→ rows or a count
//!                                                                     └ messages ─┘
//! ```
//!
//! What must survive is answered when the replicas have it; a read that finds nothing waits for messages, as long as
//! its program allows.

mod request;
mod travel;

use std::hash::{Hash, Hasher};

use engine_event_bus::{Engine, Failure, Limits, Outcome, Position};
use program::Topic;

use crate::arena::Key;
use crate::station::GroupCommit;

pub(crate) use travel::BusMessage;

/// An event bus at its node.
#[derive(Clone, Debug)]
pub(crate) struct BusService {
    pub(crate) engine: Engine,
    /// `None`: a publisher who does not wait.
    log: GroupCommit<Option<Key>, Position>,
    /// Those that wait for messages, in the order of their coming.
    waiting: Vec<Key>,
    pub(crate) used: BusUse,
}

/// A request that a bus has.
#[derive(Clone, Debug, Hash)]
pub(crate) struct BusRequest {
    message: BusMessage,
    /// What has come of it; `None`: its turn has not come.
    outcome: Option<Outcome>,
}

/// What was asked of a bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BusUse {
    pub requests: u64,
    /// Taken from publishers, and given to consumers: a message that is read twice counts twice.
    pub messages_in: u64,
    pub messages_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl BusService {
    pub(crate) fn new() -> BusService {
        BusService {
            engine: Engine::new(Limits::default()),
            log: GroupCommit::new(),
            waiting: Vec::new(),
            used: BusUse::default(),
        }
    }

    pub(crate) fn create_topic(&mut self, topic: &Topic) -> Result<(), Failure> {
        self.engine.create_topic(&topic.name, u32::from(topic.partitions))
    }

    /// Do the replicas have everything?
    pub(crate) fn is_at_rest(&self) -> bool {
        self.engine.flushed_position() == self.engine.written_position()
    }
}

impl Hash for BusService {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.engine.fingerprint().hash(state);
        (&self.log, &self.waiting, self.used).hash(state);
    }
}
