//! What probes of tenant isolation found.

use serde::{Deserialize, Serialize};

use crate::document::{Block, Table};
use crate::{Cell, Evidence, ScenarioSummary, Verdict};

/// The forgotten filter on some designs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    pub scenario: ScenarioSummary,
    /// `statement 1 of activity_report`
    pub source: String,
    /// What it became without its filter, over the logical tables.
    pub statement: String,
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
            Block::Heading(1, format!("The forgotten filter: {}", self.scenario.title)),
            Block::Paragraph(format!(
                "{} lost its predicate on the tenant: {}",
                self.source, self.statement
            )),
            Block::Table(table),
        ];
        for design in &self.designs {
            if design.cell.verdict == Verdict::NotExpressible {
                continue;
            }
            blocks.push(Block::Heading(2, design.title.clone()));
            for evidence in &design.cell.evidence {
                match evidence {
                    Evidence::Statement { at, text } => blocks.push(Block::Paragraph(format!("{at}: {text}"))),
                    Evidence::ByTenant { own, counts } => {
                        blocks.push(Block::Paragraph(by_tenant(own, counts)));
                    }
                    _ => {}
                }
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
