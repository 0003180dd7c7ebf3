//! The simulator: runs the programs of a compilation on engines in virtual time.
//!
//! ```text
//! Compilation + Profile + faults ─▶ Simulation ─▶ trace fingerprint · measurements · invariants · recorded events
//!                                       │ clone: a fork, in the middle of anything
//!                                       └ run_slice: so many happenings, then the caller's turn
//! ```
//!
//! How time is charged: a request travels a link, waits for a core, the engine works at that instant, what it has
//! counted becomes processor time by the profile, and the answer travels back. Waits for locks, for the WAL's flush
//! and for connections are queues, never constants.
//!
//! **Architecture invariants.** Nothing here reads a clock or draws from anything but seeded streams. Nothing is a
//! closure: a world is data. No architecture, no scenario, no SQL parser is known here.

mod activation;
mod arena;
mod backend;
mod bus;
mod call;
mod client;
mod compare;
mod connection;
mod control;
mod crash;
mod estimate;
mod expression;
mod fault;
mod interpreter;
mod item;
mod measure;
mod network;
mod object;
mod plan;
pub mod queueing;
mod scheduler;
mod setup;
mod simulation;
mod statement;
mod station;
pub mod statistics;
mod trace;
mod watch;
mod work;
mod workload;
mod world;

pub use bus::BusUse;
pub use compare::{Difference, first_difference};
pub use estimate::{Estimate, estimate};
pub use item::{ItemSent, ItemUse, ItemsHeld};
pub use measure::{Measurements, OperationMeasurements};
pub use object::ObjectUse;
pub use scheduler::Scheduler;
pub use setup::SetupError;
pub use simulation::{End, NodeUse, Options, Progress, Simulation};
pub use trace::{Record, Sent};
pub use watch::{BrokenWindow, Checks, InvariantState};
