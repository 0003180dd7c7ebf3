//! The board: what was found about a scenario, a question a row, a design a column.
//!
//! Every figure wears its provenance and carries its evidence. There is no total score: a design is not a number.

use base::Nanos;
use serde::{Deserialize, Serialize};

use crate::document::{Block, Table};
use crate::{DeploymentPicture, Latency, PriceSheet, ScenarioSummary, Sequence, TableSample};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Board {
    pub scenario: ScenarioSummary,
    pub designs: Vec<BoardDesign>,
    /// What bills are made with.
    pub prices: PriceSheet,
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
    /// Of the answered requests of an operation.
    Distribution(Box<Latency>),
    /// A link's part that shows it again: the fault as a sentence, the operation.
    Replay {
        operation: String,
        fault: Option<String>,
    },
    /// A real PostgreSQL can be asked what this probe asked.
    OnPostgres {
        /// Its slug.
        probe: String,
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

/// A cell beside the baseline's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Difference {
    Same,
    /// Both are only known within bands, and the bands overlap: neither goes first.
    TooClose,
    /// This figure less the baseline's, in their unit.
    By {
        value: f64,
        /// What it may be at the ends of the two bands.
        band: Option<(f64, f64)>,
    },
}

impl Cell {
    /// Without figure and words.
    pub fn not_tested() -> Cell {
        Cell {
            verdict: Verdict::NotTested,
            figure: None,
            words: String::new(),
            provenance: None,
            evidence: Vec::new(),
        }
    }

    /// `None`: one of the two has no figure, or they count different things.
    pub fn difference(&self, baseline: &Cell) -> Option<Difference> {
        let (mine, other) = (self.figure?, baseline.figure?);
        if mine.unit != other.unit {
            return None;
        }
        if mine.band.is_none() && other.band.is_none() {
            return Some(if mine.value == other.value {
                Difference::Same
            } else {
                let value = mine.value - other.value;
                Difference::By { value, band: None }
            });
        }
        let (low, high) = mine.band.unwrap_or((mine.value, mine.value));
        let (other_low, other_high) = other.band.unwrap_or((other.value, other.value));
        Some(if low <= other_high && other_low <= high {
            Difference::TooClose
        } else {
            Difference::By {
                value: mine.value - other.value,
                band: Some((low - other_high, high - other_low)),
            }
        })
    }
}

impl Figure {
    /// With its unit: `4,434 of 6,000`, `31 ms`, `$16`.
    pub fn text(&self) -> String {
        use crate::number::{count, modelled, two_figures};
        match self.unit {
            Unit::Milliseconds if self.value == 0.0 => "0 ms".to_owned(),
            Unit::Milliseconds => modelled(base::Nanos((self.value * 1e6) as u64)),
            Unit::Dollars => format!("${}", two_figures(self.value)),
            Unit::RequestsPerSecond => format!("{}/s", two_figures(self.value)),
            Unit::Rows | Unit::Faults | Unit::Count => match self.of {
                Some(of) => format!("{} of {}", count(self.value as u64), count(of as u64)),
                None => count(self.value as u64),
            },
        }
    }
}

impl Cell {
    /// Figure and words on one line.
    pub fn sentence(&self) -> String {
        let figure = self.figure.map_or_else(|| "–".to_owned(), |figure| figure.text());
        if self.words.is_empty() {
            figure
        } else {
            format!("{figure}; {}", self.words)
        }
    }
}

impl Board {
    /// How many rows are there by now: a board grows while its experiments run.
    pub fn rows(&self) -> usize {
        self.sections.iter().map(|section| section.rows.len()).sum()
    }

    pub fn document(&self) -> Vec<Block> {
        let mut blocks = vec![
            Block::Heading(1, format!("{}: designs side by side", self.scenario.title)),
            Block::Paragraph(format!(
                "{} requests; {}; seed {}; profile: {}.",
                crate::number::count(self.scenario.requests),
                self.scenario.clients,
                self.scenario.seed,
                self.scenario.profile
            )),
        ];
        let titles = self.designs.iter().map(|design| design.title.as_str());
        let columns: Vec<&str> = ["question"].into_iter().chain(titles).collect();
        for section in &self.sections {
            let mut table = Table::new(&columns);
            for row in &section.rows {
                let question = format!("{} ({})", row.title, row.note);
                table.row([question].into_iter().chain(row.cells.iter().map(Cell::sentence)));
            }
            blocks.push(Block::Heading(2, section.question.clone()));
            blocks.push(Block::Table(table));
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(value: f64, band: Option<(f64, f64)>) -> Cell {
        Cell {
            verdict: Verdict::Measured,
            figure: Some(Figure {
                value,
                band,
                of: None,
                unit: Unit::Milliseconds,
            }),
            words: String::new(),
            provenance: None,
            evidence: Vec::new(),
        }
    }

    #[test]
    fn a_ranking_needs_bands_that_do_not_overlap() {
        let baseline = cell(10.0, Some((9.0, 11.0)));
        assert_eq!(
            cell(11.5, Some((10.5, 12.5))).difference(&baseline),
            Some(Difference::TooClose)
        );
        assert_eq!(
            cell(20.0, Some((18.0, 22.0))).difference(&baseline),
            Some(Difference::By {
                value: 10.0,
                band: Some((7.0, 13.0))
            })
        );
        let mut rows = cell(3.0, None);
        rows.figure = rows.figure.map(|figure| Figure {
            unit: Unit::Rows,
            ..figure
        });
        assert_eq!(rows.difference(&baseline), None);
        assert_eq!(rows.difference(&rows.clone()), Some(Difference::Same));
    }
}
