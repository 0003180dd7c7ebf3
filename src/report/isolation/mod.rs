//! Transaction isolation: what interleavings of transactions gave, and which anomalies were seen in them.

mod document;

use serde::{Deserialize, Serialize};

/// The anomalies by Adya's codes, and those that Bailis and Hermitage added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Anomaly {
    G0,
    G1a,
    G1b,
    G1c,
    #[serde(rename = "OTV")]
    Otv,
    #[serde(rename = "PMP")]
    Pmp,
    P4,
    #[serde(rename = "G-single")]
    GSingle,
    #[serde(rename = "G2-item")]
    G2Item,
    G2,
}

impl Anomaly {
    pub const ALL: [Anomaly; 10] = [
        Anomaly::G0,
        Anomaly::G1a,
        Anomaly::G1b,
        Anomaly::G1c,
        Anomaly::Otv,
        Anomaly::Pmp,
        Anomaly::P4,
        Anomaly::GSingle,
        Anomaly::G2Item,
        Anomaly::G2,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Anomaly::G0 => "G0",
            Anomaly::G1a => "G1a",
            Anomaly::G1b => "G1b",
            Anomaly::G1c => "G1c",
            Anomaly::Otv => "OTV",
            Anomaly::Pmp => "PMP",
            Anomaly::P4 => "P4",
            Anomaly::GSingle => "G-single",
            Anomaly::G2Item => "G2-item",
            Anomaly::G2 => "G2",
        }
    }

    pub fn of_code(code: &str) -> Option<Anomaly> {
        Anomaly::ALL.into_iter().find(|anomaly| anomaly.code() == code)
    }

    /// What a history must hold for the anomaly to have occurred: a circle in the graph of the dependencies of what was
    /// committed. ww: overwritten; wr: read; rw: read, then overwritten by another.
    pub fn condition(self) -> &'static str {
        match self {
            Anomaly::G0 => "A circle of ww alone.",
            Anomaly::G1a => "A committed transaction read what one wrote that was rolled back.",
            Anomaly::G1b => "A committed transaction read what another then wrote anew.",
            Anomaly::G1c => "A circle of ww and wr, at least one of them wr.",
            Anomaly::Otv => {
                "A transaction read from another (wr) and in the same or a later step what that one had overwritten (rw)."
            }
            Anomaly::Pmp => {
                "A transaction read from another (wr), and its condition missed a row that this one made match (rw)."
            }
            Anomaly::P4 => "A circle of one rw and one ww over the same row.",
            Anomaly::GSingle => "A circle with exactly one rw.",
            Anomaly::G2Item => "A circle with two or more rw, all over rows that were read.",
            Anomaly::G2 => "A circle with two or more rw, one of them over a row that a condition missed.",
        }
    }
}

/// Anomaly × transaction isolation level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IsolationMatrix {
    /// As PostgreSQL names them, weakest first.
    pub levels: Vec<String>,
    pub rows: Vec<AnomalyRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalyRow {
    /// Of the schedule's file: `tests/anomalies/<slug>.spec`.
    pub slug: String,
    pub anomaly: Anomaly,
    /// `Lost update`
    pub title: String,
    /// What it would be, in a sentence or two.
    pub meaning: String,
    /// The whole file, in isolationtester's format.
    pub spec: String,
    /// Level by level.
    pub cells: Vec<AnomalyCell>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalyCell {
    pub verdict: Verdict,
    /// The schedule as its file has it at this level.
    pub written: Schedule,
    /// All interleavings of its steps.
    pub counts: Counts,
    /// In how many of them the anomaly occurred.
    pub occurred: u64,
    /// One of those, where the schedule as written is none.
    pub other: Option<Schedule>,
}

impl AnomalyCell {
    pub fn new(
        anomaly: Anomaly,
        written: Schedule,
        counts: Counts,
        occurred: u64,
        other: Option<Schedule>,
    ) -> AnomalyCell {
        AnomalyCell {
            verdict: match (occurred, written.has(anomaly)) {
                (_, true) => Verdict::Occurred,
                (0, _) => written.prevention(),
                (_, false) => Verdict::Elsewhere,
            },
            written,
            counts,
            occurred,
            other,
        }
    }
}

/// What a cell of the matrix says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    Occurred,
    /// Not in the schedule as written, but in another order of its steps.
    Elsewhere,
    SerializationFailure,
    Deadlock,
    /// A step waited until the other transaction had ended.
    Waited,
    /// Nobody waited and nothing failed: what was read was a snapshot.
    Snapshot,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Occurred => "occurs",
            Verdict::Elsewhere => "occurs in another order",
            Verdict::SerializationFailure => "prevented: 40001",
            Verdict::Deadlock => "prevented: 40P01",
            Verdict::Waited => "prevented: waits",
            Verdict::Snapshot => "prevented: snapshot",
        }
    }

    pub fn occurred(self) -> bool {
        matches!(self, Verdict::Occurred | Verdict::Elsewhere)
    }
}

/// What the interleavings of some sessions' steps came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// All orders of the steps that keep each session's own.
    pub schedules: u64,
    /// Of these, not run, since they differ from one that was only in which of several equal sessions is which.
    pub saved: u64,
    /// A session's next step would have come while its earlier one waited for ever.
    pub stuck: u64,
    /// Gave what some serial order gives.
    pub serial: u64,
    /// A step waited for another session.
    pub waited: u64,
    /// By SQLSTATE: a transaction was rolled back with it.
    pub failed: Vec<(String, u64)>,
    pub distinct_outcomes: u64,
}

/// What all interleavings of a schedule of one's own gave, or the orders that it lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interleavings {
    /// Only the permutations that the schedule lists were run.
    pub listed: bool,
    pub sessions: Vec<SessionSteps>,
    pub counts: Counts,
    /// Those that no serial order gives first, then by how many schedules gave them.
    pub outcomes: Vec<OutcomeReport>,
    /// Beyond the most that are listed.
    pub more_outcomes: u64,
    /// One that cannot go on, up to there.
    pub stuck: Option<Schedule>,
    /// Why there is no dependency graph: which step does not tell what it saw.
    pub untold: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSteps {
    pub name: String,
    pub steps: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeReport {
    pub schedules: u64,
    pub example: Schedule,
    /// The transactions of a serial order that gives the same, by session; `None`: none does.
    pub serial: Option<Vec<String>>,
    /// What the rows that statements gave do not explain: a cascade, or a defect of the engine.
    pub unexplained: Option<String>,
}

/// One order of steps, and what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    pub sessions: Vec<String>,
    pub moments: Vec<Moment>,
    /// What the tables hold in the end.
    pub rows: Vec<RowSet>,
    /// Sessions whose transactions were rolled back, with the SQLSTATE if it was not asked for.
    pub rolled_back: Vec<(u32, Option<String>)>,
    pub anomalies: Vec<AnomalyFound>,
}

impl Schedule {
    pub fn has(&self, anomaly: Anomaly) -> bool {
        self.anomalies.iter().any(|found| found.anomaly == anomaly)
    }

    fn prevention(&self) -> Verdict {
        let failed = |sqlstate: &str| {
            let with = |(_, found): &(u32, Option<String>)| found.as_deref() == Some(sqlstate);
            self.rolled_back.iter().any(with)
        };
        if failed("40001") {
            Verdict::SerializationFailure
        } else if failed("40P01") {
            Verdict::Deadlock
        } else if self.moments.iter().any(|moment| !moment.waiting.is_empty()) {
            Verdict::Waited
        } else {
            Verdict::Snapshot
        }
    }
}

/// An anomaly with its evidence as sentences, one for each edge of the circle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalyFound {
    pub anomaly: Anomaly,
    pub evidence: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    pub session: u32,
    pub step: String,
    pub sql: String,
    pub kind: MomentKind,
    /// Statement by statement; empty while it waits.
    pub gave: Vec<StatementResult>,
    /// Who waits after it.
    pub waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MomentKind {
    /// A step, with what it gave.
    Step,
    /// A step that waits.
    Waits,
    /// A step that waited has ended.
    Ended,
    /// It would have waited for ever.
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub session: u32,
    /// For which others.
    pub holders: Vec<u32>,
    /// `transaction 731`
    pub what: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StatementResult {
    /// `UPDATE 1`
    Tag(String),
    Rows(RowSet),
    Error {
        sqlstate: String,
        message: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowSet {
    /// A table's name; empty for what a statement gave.
    pub table: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}
