//! The board: what was found about a scenario, a question a row, a design a column.
//!
//! Every figure wears its provenance and carries its evidence. There is no total score: a design is not a number.

use base::Nanos;
use serde::{Deserialize, Serialize};

use crate::{DeploymentPicture, ScenarioSummary, Sequence, TableSample};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Board {
    pub scenario: ScenarioSummary,
    pub designs: Vec<BoardDesign>,
    pub sections: Vec<BoardSection>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoardDesign {
    /// Slug, with the variant.
    pub architecture: String,
    pub title: String,
    pub summary: String,
    pub picture: DeploymentPicture,
    /// After a fault-free serial run: are its logical rows those of the others? `None`: not compared.
    pub same_rows: Option<bool>,
    pub weakened: Vec<program::Weakening>,
    pub refusals: Vec<program::Refusal>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoardSection {
    /// `Whose data?`
    pub question: String,
    pub rows: Vec<BoardRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoardRow {
    /// `forgotten-filter`: part of links.
    pub slug: String,
    pub title: String,
    /// What exactly was done or measured, in a few words.
    pub note: String,
    /// In the order of `Board::designs`.
    pub cells: Vec<Cell>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    pub verdict: Verdict,
    pub figure: Option<Figure>,
    /// `49 other tenants`, `another database`, `no setting to leak`.
    pub words: String,
    /// `None` where there is no figure.
    pub provenance: Option<Provenance>,
    /// Shown in this order when the cell is opened.
    pub evidence: Vec<Evidence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// A quantity, neither good nor bad.
    Measured,
    StoppedByEngine,
    StoppedByApplication,
    /// Rows of others came back.
    Leaked,
    /// An invariant stayed broken.
    Broken,
    /// Nothing was found within the bounds that were explored.
    NoneFound,
    /// The question has no meaning here: there is nothing of the kind.
    NotApplicable,
    /// The design cannot express the operation.
    NotExpressible,
    NotTested,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub value: f64,
    /// The band, if the figure has one: (low, high).
    pub band: Option<(f64, f64)>,
    /// `3 of 26`
    pub of: Option<f64>,
    pub unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    Rows,
    /// Faults of an exploration.
    Faults,
    Milliseconds,
    /// Of a month.
    Dollars,
    RequestsPerSecond,
    Count,
}

/// What a figure rests on, the strongest first. What is derived wears the weakest of its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Provenance {
    /// Exact: rows, round trips, schedules.
    Counted,
    /// The same on a real system: `PostgreSQL 15.10`.
    Checked {
        system: String,
    },
    /// By a hardware profile; two significant figures.
    Modelled {
        profile: String,
    },
    Priced {
        date: String,
        region: String,
    },
    Assumed,
    /// Somebody says so: `the decision`.
    Claimed {
        by: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Evidence {
    Sentence(String),
    /// A statement or request as it was sent, and to whom.
    Statement {
        at: String,
        text: String,
    },
    /// Rows that came back; those that nobody should have seen are marked.
    Rows {
        rows: TableSample,
        foreign: Vec<bool>,
    },
    /// Rows by tenant: (tenant, rows).
    ByTenant {
        own: String,
        counts: Vec<(String, u64)>,
    },
    /// `price × hours + …`, with the figures put in.
    Formula {
        formula: String,
        lines: Vec<FormulaLine>,
    },
    Schedule(Box<Sequence>),
    /// A link's part that shows it again: the fault as a sentence, the operation.
    Replay {
        operation: String,
        fault: Option<String>,
    },
    /// The longest time that something was visible half done, and who saw it.
    Window {
        longest: Nanos,
        readers: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormulaLine {
    pub what: String,
    pub quantity: String,
    pub result: String,
    pub provenance: Provenance,
}
