//! An event bus's behaviour as a passive state machine: topics of partitions, each an ordered log.
//!
//! ```text
//! publish ─ key ─▶ partition:  0 1 2 3 4 │ 5 6      offsets, in the order of arrival
//!                                ▲       └ not flushed: nobody is shown them, a crash loses them
//! fetch ◀── from what the group has committed, up to what is flushed
//! commit ─▶ how far the group is in a partition: flushed as a message is
//! ```
//!
//! What is flushed is on the bus's replicas and survives a crash. A request that must survive says with its outcome
//! up to which [`Position`] the log has to be flushed before its answer may leave; [`Engine::flushed`] says that it is.
//!
//! **Order** is kept within a partition, not between partitions. **Delivery** is at least once: a consumer that ends
//! before it has committed gets the same messages again.
//!
//! **Architecture invariants.** No clock: `now` is an argument. No price and no latency: messages and bytes are
//! counted. Nothing waits: whoever finds no message asks again. An [`Engine`] can be cloned at any instant, and a clone
//! costs next to nothing; its fingerprint tells two of them apart.
//!
//! Not here: retention (a log is kept from its first message), members of a group that share its partitions among
//! themselves, transactions over partitions, compaction.

mod engine;
mod failure;
mod log;
mod request;

pub use engine::{Engine, Limits};
pub use failure::{Failure, FailureName};
pub use request::{Acks, Delivered, Message, Outcome, Place, Position, Reply, Request, Usage};
