//! What an experiment found, as plain data: the only thing a page, the command line and a file see of
//! a run.
//!
//! **Architecture invariant:** this room builds nothing and runs nothing; `experiment` fills what is
//! declared here. Floats appear here first.

mod bill;
mod board;
mod claim;
mod decision_table;
mod design_sheet;
pub mod document;
mod drawing;
pub mod html;
pub mod isolation;
pub mod number;
mod picture;
mod postgres_script;
mod probe;
mod recorded;
mod sequence;
mod text;
mod version_difference;

use base::{Fingerprint, Nanos, Time};
use serde::{Deserialize, Serialize};

pub use bill::*;
pub use board::*;
pub use claim::*;
pub use decision_table::*;
pub use design_sheet::*;
pub use drawing::*;
pub use picture::*;
pub use postgres_script::*;
pub use probe::*;
pub use recorded::*;
pub use sequence::*;
pub use text::{limits, longest};
pub use version_difference::*;

/// One run of a scenario on some designs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub scenario: ScenarioSummary,
    pub designs: Vec<DesignReport>,
    /// After a fault-free serial run: are the logical rows equal in every design? Empty if not asked.
    pub same_rows: Vec<TableComparison>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioSummary {
    pub slug: String,
    pub title: String,
    pub seed: u64,
    pub tenants: u32,
    pub initial_rows: u64,
    pub requests: u64,
    /// `open, 120 requests/s`
    pub clients: String,
    /// The fault as a sentence; `None`: nothing was broken.
    pub fault: Option<String>,
    pub profile: String,
    /// What the figures rest on, for the page's small print: (statement, source or "assumed").
    pub assumptions: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignReport {
    /// Slug, with the variant: `database-per-service+unprotected`.
    pub architecture: String,
    pub title: String,
    pub operations: Vec<OperationReport>,
    pub invariants: Vec<InvariantReport>,
    pub errors: Vec<ErrorCount>,
    pub duration: Nanos,
    pub answered: u64,
    pub failed: u64,
    pub unanswered: u64,
    /// Node by node: how busy its processors were, and its connections.
    pub nodes: Vec<NodeReport>,
    /// One sampled execution of each operation, replayed with everything recorded.
    pub sequences: Vec<Sequence>,
    pub programs: Vec<ProgramListing>,
    pub weakened: Vec<program::Weakening>,
    pub refusals: Vec<program::Refusal>,
    /// Faults that were asked for and cannot strike here: why, a sentence each.
    pub spared: Vec<String>,
    pub trace: TraceSummary,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationReport {
    pub name: String,
    pub answered: u64,
    pub failed: u64,
    /// Of answered requests, warm-up cut; `None` if there were none.
    pub latency: Option<Latency>,
    /// Messages between nodes per request on the path of the answer, both directions counted as one.
    pub round_trips: f64,
}

/// Open-loop latencies are measured from the intended start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub mean_ns: f64,
    pub p50: Nanos,
    pub p90: Nanos,
    pub p99: Nanos,
    pub max: Nanos,
    /// The 95 % confidence interval of the mean over replications (batch means in one run).
    pub mean_interval_ns: Option<(f64, f64)>,
    /// That of the 99th percentile.
    pub p99_interval: Option<(Nanos, Nanos)>,
    /// Step CDF: (latency, share of requests at most that slow), both rising.
    pub cdf: Vec<(Nanos, f64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvariantReport {
    pub name: String,
    /// Violations when all was quiet again.
    pub broken_rows: u64,
    /// Those rows, a sample.
    pub evidence: Option<TableSample>,
    /// Was it looked at after every commit? A load run only looks when all is quiet.
    pub watched: bool,
    /// When it was broken in between, as an observer outside of time sees committed rows.
    pub windows: Vec<Window>,
    /// Why it could not be evaluated, if so: then the figures above say nothing.
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub from: Time,
    /// `None`: to the end.
    pub to: Option<Time>,
    pub rows: u64,
    /// Statements that read the tables concerned meanwhile.
    pub readers: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableSample {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub total: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorCount {
    pub operation: String,
    pub message: String,
    pub count: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    pub name: String,
    /// Share of processor time used, 0 to 1.
    pub utilisation: f64,
    pub statements: u64,
    pub flushes: u64,
    pub commits: u64,
    pub crashes: u32,
}

/// A program as text: one line a step, indented by block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramListing {
    pub name: String,
    pub operation: Option<String>,
    pub home: String,
    pub lines: Vec<ProgramLine>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramLine {
    pub indent: u8,
    pub label: String,
    pub role: program::Role,
    /// The SQL that it sends, with the node that receives it.
    pub sql: Option<String>,
    pub at: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceSummary {
    pub events: u64,
    /// Of the whole ordered stream of events.
    pub fingerprint: Fingerprint,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableComparison {
    pub table: String,
    /// (design, rows, fingerprint of the sorted logical rows)
    pub designs: Vec<(String, u64, Fingerprint)>,
    pub equal: bool,
}

/// A crash, or a refusal, tried at every physical step of one operation, of each actor in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtomicityReport {
    pub scenario: ScenarioSummary,
    pub operation: String,
    pub designs: Vec<AtomicityDesign>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtomicityDesign {
    pub architecture: String,
    pub title: String,
    pub points: Vec<FaultPoint>,
    /// What the reader must know of how little was explored.
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultPoint {
    /// `after step 4 (INSERT permissions.user_roles), crash of the orchestrator`
    pub fault: String,
    /// The fault as a sentence that can be run again; `None`: no single sentence says it.
    pub replay: Option<String>,
    pub step: String,
    /// The operation's statement that the step carries out (from 0), if it carries one out.
    pub statement: Option<u16>,
    pub actor: Option<program::Actor>,
    /// What the client heard.
    pub answer: String,
    /// Invariants still broken when all was quiet: (name, rows).
    pub broken: Vec<(String, u64)>,
    /// The longest time that one was broken in between.
    pub longest_window: Nanos,
    pub readers: u64,
}

impl AtomicityDesign {
    /// How many of the explored points left something broken.
    pub fn broken(&self) -> usize {
        self.points.iter().filter(|point| !point.broken.is_empty()).count()
    }
}
