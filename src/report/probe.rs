//! What probes of tenant isolation found.

use serde::{Deserialize, Serialize};

use crate::document::{Block, Table};
use crate::{BoardRow, Cell, Evidence, ScenarioSummary};

/// Every probe on some designs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    pub scenario: ScenarioSummary,
    /// What was asked in each of them.
    pub queries: Vec<ProbeQuery>,
    pub probes: Vec<Probe>,
}

/// A query that has lost its filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeQuery {
    /// `statement 1 of activity_report`
    pub source: String,
    /// What it became without its filter, over the logical tables.
    pub statement: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// `forgotten-filter`: part of links.
    pub slug: String,
    pub title: String,
    pub note: String,
    /// On the designs as they are meant to be built; else with a mistake in the design.
    pub as_built: bool,
    pub designs: Vec<ProbeDesign>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeDesign {
    pub architecture: String,
    pub title: String,
    pub cell: Cell,
}

impl ProbeReport {
    pub fn document(&self) -> Vec<Block> {
        let mut queries = Table::new(&["query", "without its filter"]);
        for query in &self.queries {
            queries.row([query.source.clone(), query.statement.clone()]);
        }
        let mut blocks = vec![
            Block::Heading(1, format!("Whose rows come back: {}", self.scenario.title)),
            Block::Paragraph("These queries lost their predicate on the tenant:".to_owned()),
            Block::Table(queries),
        ];
        blocks.extend(self.probes.iter().flat_map(Probe::document));
        blocks
    }
}

impl Probe {
    /// Of the board.
    pub fn row(&self) -> BoardRow {
        BoardRow {
            slug: self.slug.clone(),
            title: self.title.clone(),
            note: self.note.clone(),
            cells: self.designs.iter().map(|design| design.cell.clone()).collect(),
        }
    }

    fn document(&self) -> Vec<Block> {
        let mut table = Table::new(&["design", "rows of others", "of", "what came back"]).numbers(1..3);
        for design in &self.designs {
            let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0}"));
            let figure = design.cell.figure;
            table.row([
                design.title.clone(),
                number(figure.map(|figure| figure.value)),
                number(figure.and_then(|figure| figure.of)),
                design.cell.words.clone(),
            ]);
        }
        let mut blocks = vec![
            Block::Heading(2, format!("{}: {}", self.title, self.note)),
            Block::Table(table),
        ];
        for design in self.designs.iter().filter(|design| design.cell.figure.is_some()) {
            blocks.push(Block::Heading(3, design.title.clone()));
            for evidence in &design.cell.evidence {
                blocks.extend(match evidence {
                    Evidence::Statement { at, text } => Some(Block::Paragraph(format!("{at}: {text}"))),
                    Evidence::ByTenant { own, counts } => Some(Block::Paragraph(by_tenant(own, counts))),
                    Evidence::Sentence(sentence) => Some(Block::Paragraph(sentence.clone())),
                    _ => None,
                });
            }
        }
        blocks
    }
}

/// `tenant 1 asked; rows by tenant: 1: 320, 2: 148, … and 40 more`
fn by_tenant(own: &str, counts: &[(String, u64)]) -> String {
    const SHOWN: usize = 8;
    let listed: Vec<String> = counts
        .iter()
        .take(SHOWN)
        .map(|(tenant, rows)| format!("{tenant}: {rows}"))
        .collect();
    let more = match counts.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", … and {more} more"),
    };
    format!("Tenant {own} asked. Rows by tenant: {}{more}", listed.join(", "))
}
