//! A sampled execution as a drawing: lanes, what happens on them, and the sentences beside it.
//! The geometry (pixels) is the UI's; here are lanes and instants.

use base::Time;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub operation: String,
    pub title: String,
    pub from: Time,
    pub to: Time,
    pub lanes: Vec<Lane>,
    pub marks: Vec<Mark>,
    pub sentences: Vec<Sentence>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    pub name: String,
    pub kind: program::NodeKind,
}

/// `lane` indexes `Sequence::lanes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Mark {
    /// Solid: work on a step. `step` numbers the steps in order of start, from 1.
    Work {
        lane: u16,
        from: Time,
        to: Time,
        step: u32,
        label: String,
        sql: Option<String>,
        role: program::Role,
    },
    /// Hatched: waiting, with the cause.
    Wait {
        lane: u16,
        from: Time,
        to: Time,
        cause: String,
    },
    Message {
        from_lane: u16,
        to_lane: u16,
        sent: Time,
        arrives: Option<Time>,
        reply: bool,
    },
    /// A bracket from BEGIN to COMMIT or ROLLBACK.
    Transaction {
        lane: u16,
        from: Time,
        to: Time,
        committed: bool,
    },
    Fault {
        lane: u16,
        at: Time,
        label: String,
    },
    Down {
        lane: u16,
        from: Time,
        to: Time,
    },
    /// The band below: an invariant broken from–to.
    Broken {
        invariant: String,
        from: Time,
        to: Time,
        readers: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sentence {
    pub at: Time,
    pub text: String,
    pub tone: Tone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    Plain,
    /// A fault, a failure, an invariant broken.
    Bad,
    /// Mended: recovered, holds again.
    Good,
}
