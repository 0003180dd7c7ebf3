//! Tests that span the room.

mod background;
mod build;
mod bus;
mod control;
mod curves;
mod determinism;
mod fault;
mod invariant;
mod item;
mod object;
mod queueing;
mod route;
mod statement;
mod two_phase;
