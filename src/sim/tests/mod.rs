//! Tests that span the room.

mod queueing;
