//! The simulator: runs the programs of a compilation on engines in virtual time.

pub mod queueing;
mod scheduler;
mod station;
pub mod statistics;

pub use scheduler::Scheduler;
