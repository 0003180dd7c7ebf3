//! What Home shows before anything runs: a recorded board, and what a crash leaves at each place along one operation.

use serde::{Deserialize, Serialize};

use crate::{Board, Cell};

/// Written by `adr-lab record-decisions`; a test compares it with what runs give today.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The rows that do not depend on the place of the crash.
    pub board: Board,
    pub operation: String,
    /// `A user signs up`
    pub title: String,
    /// The operation's statements, as the scenario writes them: `INSERT auth.users`.
    pub statements: Vec<String>,
    /// One more than statements: before the first, after each.
    pub stops: Vec<Stop>,
}

/// A place along the operation where actors crash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// `after INSERT auth.users`
    pub place: String,
    /// In the order of the board's designs.
    pub cells: Vec<Cell>,
}
