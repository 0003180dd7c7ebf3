//! Tests that span the room.

mod build;
mod control;
mod queueing;
