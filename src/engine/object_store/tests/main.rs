//! Behaviour of the whole engine: against a recorded server, and what no server shows on demand.

mod conflicts;
mod fork;
mod golden;
mod limits;
