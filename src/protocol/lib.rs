//! What page and worker say to each other: bytes in both directions; a version that does not fit is refused, so that a
//! cached page never misreads a new worker.
//!
//! The bytes are postcard's: without names in them they are short, read fast, and reading them takes less code than a format
//! that describes itself, which counts in a page. A report is [`Sealed`]: only the part of the page that shows it can read it.
//!
//! ```text
//! page ── Check, CheckSchedule, Run, Atomicity, Compare, Draw, Script, Interleave, Pack, Unpack, Cancel ──▶ worker
//! page ◀── Ready, Checked, ScheduleChecked, Progress, Ran, Explored, Compared, Drawn, ScriptPart, Scripted, Interleaved, Packed, Unpacked, Refused, Cancelled, Panicked ── worker
//! ```
//!
//! **Architecture invariant:** a scenario or a schedule crosses as its text; the page parses neither TOML nor SQL.

mod link;
mod sealed;
mod site;

pub use link::{Link, LinkError};
pub use sealed::{Report, Sealed};
pub use site::{BuiltIn, PgliteFiles};

use report::isolation::Interleavings;
use report::{AtomicityReport, Board, DrawReport, PostgresScript, RunReport, ScriptPart};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Raised with every incompatible change.
pub const VERSION: u32 = 4;

/// A message, or a report, as it travels.
///
/// # Errors
///
/// What cannot travel: a map or a sequence of unknown length, which no message has.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, String> {
    postcard::to_allocvec(value).map_err(|error| error.to_string())
}

/// # Errors
///
/// Bytes that are no such message: of another build, or damaged.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    postcard::from_bytes(bytes).map_err(|error| error.to_string())
}

/// A question's number, chosen by the page; every answer carries it.
pub type Ticket = u32;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Are there errors in this scenario, and what can be chosen in it?
    Check {
        ticket: Ticket,
        scenario: String,
    },
    /// Is this a schedule in isolationtester's format, and what can be run of it?
    CheckSchedule {
        ticket: Ticket,
        schedule: String,
    },
    /// A long question; a new one takes the place of one that is still worked on.
    Ask(Question),
    /// A text (a scenario's or a schedule's) in the form that a link carries.
    Pack {
        ticket: Ticket,
        text: String,
    },
    /// What such a form holds.
    Unpack {
        ticket: Ticket,
        packed: String,
    },
    Cancel {
        ticket: Ticket,
    },
}

/// A scenario or a schedule, what is chosen for it, and what is to be found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub ticket: Ticket,
    /// Of a built-in text; empty for one's own.
    pub slug: String,
    pub text: String,
    pub options: RunOptions,
    pub experiment: Experiment,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Experiment {
    /// Load run on some designs.
    Run,
    /// Every fault point of one operation on some designs.
    Atomicity { operation: String },
    /// The board: probes, faults, load and bill of some designs.
    Compare,
    /// One request of one operation on some designs, drawn, and where it can be broken.
    Draw { operation: String },
    /// What a probe (its slug) asks of one design, to ask a real PostgreSQL; the design is the only one of the options.
    Script { probe: String },
    /// Orders of a schedule's steps: all interleavings, or each permutation that it lists. `level`: of the transactions that
    /// do not say themselves how isolated they are; `None`: read committed, as ever.
    Interleave { listed: bool, level: Option<String> },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Slugs with variants; empty: all that the scenario can be laid out on.
    pub architectures: Vec<String>,
    pub seed: Option<u64>,
    /// As on the command line: `crash orchestrator after step 3 of create_user`.
    pub fault: Option<String>,
    pub requests: Option<u64>,
    pub sabotage: Vec<String>,
    /// Of all requests: what servers are sized for, where they are sized.
    pub target_p99_ms: Option<u32>,
    /// In place of the price book's: `sql_storage_usd_per_gb_month=0.2`.
    pub prices: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The worker has loaded. The first of them for ever, so that a page of any build can read it.
    Ready {
        version: u32,
    },
    Checked {
        ticket: Ticket,
        outline: Option<ScenarioOutline>,
        diagnostics: Vec<Diagnostic>,
    },
    ScheduleChecked {
        ticket: Ticket,
        outline: Option<ScheduleOutline>,
        diagnostics: Vec<Diagnostic>,
    },
    Progress {
        ticket: Ticket,
        done: u64,
        of: u64,
        what: String,
    },
    Ran {
        ticket: Ticket,
        report: Sealed<RunReport>,
    },
    Explored {
        ticket: Ticket,
        report: Sealed<AtomicityReport>,
    },
    /// The board so far: it comes again with each row, and a last time when it is `complete`.
    Compared {
        ticket: Ticket,
        board: Box<Board>,
        complete: bool,
    },
    Drawn {
        ticket: Ticket,
        report: Sealed<DrawReport>,
    },
    /// What has to be executed before the script, part after part.
    ScriptPart {
        ticket: Ticket,
        part: ScriptPart,
    },
    Scripted {
        ticket: Ticket,
        script: Sealed<PostgresScript>,
    },
    Interleaved {
        ticket: Ticket,
        report: Sealed<Interleavings>,
    },
    Refused {
        ticket: Ticket,
        diagnostics: Vec<Diagnostic>,
    },
    Packed {
        ticket: Ticket,
        packed: String,
    },
    Unpacked {
        ticket: Ticket,
        text: String,
    },
    Cancelled {
        ticket: Ticket,
    },
    /// A defect: the worker will not answer again and has to be replaced.
    Panicked {
        message: String,
    },
}

/// What a page needs to offer choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioOutline {
    pub title: String,
    pub seed: u64,
    pub requests: u64,
    pub operations: Vec<OperationOutline>,
    pub architectures: Vec<ArchitectureOutline>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationOutline {
    pub name: String,
    pub title: String,
    pub writes: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchitectureOutline {
    /// Taken where no designs are chosen.
    pub by_default: bool,
    /// With its variant.
    pub slug: String,
    pub title: String,
    pub summary: String,
    pub refusals: u32,
    /// Probes of it that a real PostgreSQL can be asked about.
    pub asks: Vec<ProbeOutline>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeOutline {
    pub slug: String,
    pub title: String,
}

/// What a page needs to say what would be run of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleOutline {
    /// Permutations that it lists.
    pub listed: u64,
    /// Interleavings of its steps; `None`: more than are run.
    pub interleavings: Option<u64>,
}

/// Something wrong in a scenario, a schedule, a link or an option, with its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// From 1; 0: no place (an option, a link).
    pub line: u32,
    pub column: u32,
    pub severity: Severity,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    Error,
    Warning,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_arrives_and_what_was_cut_short_does_not() {
        let request = Request::Ask(Question {
            ticket: 7,
            slug: "sign-up".to_owned(),
            text: "title = \"Sign-up\"".to_owned(),
            options: RunOptions {
                seed: Some(u64::MAX),
                ..RunOptions::default()
            },
            experiment: Experiment::Atomicity {
                operation: "create_user".to_owned(),
            },
        });
        let bytes = encode(&request).expect("a request can travel");
        assert_eq!(decode(&bytes), Ok(request));
        assert!(decode::<Request>(&bytes[..bytes.len() - 1]).is_err());
    }

    /// A page of another build has to read at least this, so its bytes never change.
    #[test]
    fn the_first_word_of_a_worker_stays_as_it_is() {
        assert_eq!(encode(&Reply::Ready { version: 5 }), Ok(vec![0, 5]));
    }
}
