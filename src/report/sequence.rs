//! A sampled execution as a drawing: lanes, what happens on them, and the sentences beside it.
//! The geometry (pixels) is the UI's; here are lanes and instants, measured from when the request was asked.

use base::Time;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub operation: String,
    pub title: String,
    /// When nothing happens any more.
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
    /// Between the commits of one operation: `done` of its `of` parts are committed and can be seen by others.
    Partly {
        from: Time,
        to: Time,
        done: u32,
        of: u32,
    },
    /// The band below: an invariant broken from–to.
    Broken {
        invariant: String,
        from: Time,
        to: Time,
        /// Statements of other operations that read its tables meanwhile.
        readers: u64,
    },
}

impl Mark {
    /// From when it lasts, and to when.
    pub fn span(&self) -> (Time, Time) {
        match self {
            Mark::Work { from, to, .. }
            | Mark::Wait { from, to, .. }
            | Mark::Transaction { from, to, .. }
            | Mark::Down { from, to, .. }
            | Mark::Partly { from, to, .. }
            | Mark::Broken { from, to, .. } => (*from, *to),
            Mark::Message { sent, arrives, .. } => (*sent, arrives.unwrap_or(*sent)),
            Mark::Fault { at, .. } => (*at, *at),
        }
    }

    fn instants(&mut self) -> [Option<&mut Time>; 2] {
        match self {
            Mark::Work { from, to, .. }
            | Mark::Wait { from, to, .. }
            | Mark::Transaction { from, to, .. }
            | Mark::Down { from, to, .. }
            | Mark::Partly { from, to, .. }
            | Mark::Broken { from, to, .. } => [Some(from), Some(to)],
            Mark::Message { sent, arrives, .. } => [Some(sent), arrives.as_mut()],
            Mark::Fault { at, .. } => [Some(at), None],
        }
    }
}

impl Sequence {
    /// Measures its instants from this one on.
    pub fn since(mut self, asked: Time) -> Sequence {
        let instants = self.marks.iter_mut().flat_map(Mark::instants).flatten();
        let sentences = self.sentences.iter_mut().map(|sentence| &mut sentence.at);
        for instant in instants.chain(sentences).chain([&mut self.to]) {
            *instant = Time::ZERO + instant.since(asked);
        }
        self
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sentence {
    pub at: Time,
    pub text: String,
    pub tone: Tone,
    /// Where it happens, in `Sequence::lanes`; `None`: nowhere in particular (an invariant).
    pub lane: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    Plain,
    /// A fault, a failure, an invariant broken.
    Bad,
    /// Mended: recovered, holds again.
    Good,
}
