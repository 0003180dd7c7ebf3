//! Reports as documents: what the command line and a Markdown file say of a run.

use base::Nanos;

use crate::document::{Block, Table};
use crate::{AtomicityReport, DesignReport, InvariantReport, RunReport, ScenarioSummary, TableSample};

impl RunReport {
    /// The run as headings, tables and sentences, designs side by side.
    pub fn document(&self) -> Vec<Block> {
        let mut blocks = vec![
            Block::Heading(1, self.scenario.title.clone()),
            Block::List(setting(&self.scenario)),
        ];
        if !self.same_rows.is_empty() {
            blocks.push(Block::Heading(2, "Same workload, same rows".to_owned()));
            blocks.push(Block::Table(self.same_rows_table()));
        }
        blocks.push(Block::Heading(2, "How long".to_owned()));
        blocks.push(Block::Table(self.latency_table()));
        blocks.push(Block::Heading(2, "What was broken".to_owned()));
        blocks.push(Block::Table(self.invariant_table()));
        for design in &self.designs {
            let spared = design
                .spared
                .iter()
                .map(|why| Block::Paragraph(format!("{}: {why}", design.title)));
            blocks.extend(spared);
            blocks.extend(evidence(design));
        }
        blocks.extend(self.errors());
        for design in &self.designs {
            blocks.extend(limits(&design.title, &design.weakened, &design.refusals));
        }
        blocks.push(Block::Heading(2, "Traces".to_owned()));
        blocks.push(Block::Table(self.trace_table()));
        blocks.push(Block::Heading(2, "What the figures rest on".to_owned()));
        let assumptions = self
            .scenario
            .assumptions
            .iter()
            .map(|(what, source)| format!("{what}: {source}"));
        blocks.push(Block::List(assumptions.collect()));
        blocks
    }

    fn latency_table(&self) -> Table {
        let mut table = Table::new(&[
            "operation",
            "design",
            "answered",
            "failed",
            "p50",
            "p90",
            "p99",
            "max",
            "mean (95 %)",
            "round trips",
        ])
        .numbers(2..10);
        let mut names: Vec<&str> = Vec::new();
        for operation in self.designs.iter().flat_map(|design| &design.operations) {
            if !names.contains(&operation.name.as_str()) {
                names.push(&operation.name);
            }
        }
        for name in names {
            for design in &self.designs {
                let Some(operation) = design.operations.iter().find(|operation| operation.name == name) else {
                    continue;
                };
                let mut row = vec![
                    name.to_owned(),
                    design.title.clone(),
                    operation.answered.to_string(),
                    operation.failed.to_string(),
                ];
                match &operation.latency {
                    Some(latency) => {
                        row.extend([latency.p50, latency.p90, latency.p99, latency.max].map(|span| span.to_string()));
                        row.push(mean_with_interval(latency.mean_ns, latency.mean_interval_ns));
                    }
                    None => row.extend(std::iter::repeat_n("–".to_owned(), 5)),
                }
                row.push(format!("{:.2}", operation.round_trips));
                table.row(row);
            }
        }
        table
    }

    fn invariant_table(&self) -> Table {
        let mut table = Table::new(&[
            "invariant",
            "design",
            "broken rows in the end",
            "times broken meanwhile",
            "longest",
            "readers meanwhile",
        ])
        .numbers(2..6);
        for design in &self.designs {
            for invariant in &design.invariants {
                let readers: u64 = invariant.windows.iter().map(|window| window.readers).sum();
                let seen = |text: String| {
                    if invariant.watched {
                        text
                    } else {
                        "not watched".to_owned()
                    }
                };
                table.row([
                    invariant.name.clone(),
                    design.title.clone(),
                    invariant
                        .error
                        .clone()
                        .unwrap_or_else(|| invariant.broken_rows.to_string()),
                    seen(invariant.windows.len().to_string()),
                    seen(longest(invariant, design.duration).map_or("–".to_owned(), |span| span.to_string())),
                    seen(readers.to_string()),
                ]);
            }
        }
        table
    }

    fn same_rows_table(&self) -> Table {
        let mut titles = vec!["table".to_owned()];
        if let Some(first) = self.same_rows.first() {
            titles.extend(first.designs.iter().map(|(name, _, _)| name.clone()));
        }
        titles.push("equal".to_owned());
        let numbers = 1..titles.len() - 1;
        let mut table = Table::new(&titles.iter().map(String::as_str).collect::<Vec<_>>()).numbers(numbers);
        for comparison in &self.same_rows {
            let counts = comparison.designs.iter().map(|(_, rows, _)| rows.to_string());
            let verdict = if comparison.equal { "yes" } else { "NO" };
            table.row(
                [comparison.table.clone()]
                    .into_iter()
                    .chain(counts)
                    .chain([verdict.to_owned()]),
            );
        }
        table
    }

    fn errors(&self) -> Vec<Block> {
        let mut table = Table::new(&["design", "operation", "error", "count"]).numbers(3..4);
        for design in &self.designs {
            for error in &design.errors {
                table.row([
                    design.title.clone(),
                    error.operation.clone(),
                    error.message.clone(),
                    error.count.to_string(),
                ]);
            }
        }
        if table.rows.is_empty() {
            return Vec::new();
        }
        vec![
            Block::Heading(2, "Errors that clients saw".to_owned()),
            Block::Table(table),
        ]
    }

    fn trace_table(&self) -> Table {
        let mut table = Table::new(&[
            "design",
            "answered",
            "failed",
            "unanswered",
            "virtual time",
            "events",
            "fingerprint",
        ])
        .numbers(1..6);
        for design in &self.designs {
            table.row([
                design.title.clone(),
                design.answered.to_string(),
                design.failed.to_string(),
                design.unanswered.to_string(),
                design.duration.to_string(),
                design.trace.events.to_string(),
                design.trace.fingerprint.to_string(),
            ]);
        }
        table
    }
}

impl AtomicityReport {
    /// Every fault point with what it left behind.
    pub fn document(&self) -> Vec<Block> {
        let mut blocks = vec![
            Block::Heading(
                1,
                format!("{}: what a fault leaves of {}", self.scenario.title, self.operation),
            ),
            Block::List(setting(&self.scenario)),
        ];
        for design in &self.designs {
            blocks.push(Block::Heading(2, design.title.clone()));
            blocks.push(Block::Paragraph(format!(
                "{} of {} explored faults left an invariant broken once everything had recovered.",
                design.broken(),
                design.points.len()
            )));
            blocks.extend(design.note.clone().map(Block::Paragraph));
            let mut table = Table::new(&[
                "fault",
                "client hears",
                "broken in the end",
                "longest window",
                "readers meanwhile",
            ])
            .numbers(3..5);
            for point in &design.points {
                let broken: Vec<String> = point
                    .broken
                    .iter()
                    .map(|(name, rows)| format!("{name} ({rows})"))
                    .collect();
                table.row([
                    point.fault.clone(),
                    point.answer.clone(),
                    if broken.is_empty() {
                        "–".to_owned()
                    } else {
                        broken.join(", ")
                    },
                    if point.longest_window == Nanos::ZERO {
                        "–".to_owned()
                    } else {
                        point.longest_window.to_string()
                    },
                    point.readers.to_string(),
                ]);
            }
            blocks.push(Block::Table(table));
        }
        blocks
    }
}

fn setting(scenario: &ScenarioSummary) -> Vec<String> {
    vec![
        format!(
            "{} requests, {}, seed {}",
            scenario.requests, scenario.clients, scenario.seed
        ),
        format!("{} tenants, {} initial rows", scenario.tenants, scenario.initial_rows),
        format!("fault: {}", scenario.fault.as_deref().unwrap_or("none")),
        format!("hardware profile: {}", scenario.profile),
    ]
}

/// The longest window of an invariant; one that never closed lasts to the end of the run.
pub fn longest(invariant: &InvariantReport, duration: Nanos) -> Option<Nanos> {
    let span = |window: &crate::Window| window.to.unwrap_or(base::Time(duration.0)).since(window.from);
    invariant.windows.iter().map(span).max()
}

fn mean_with_interval(mean_ns: f64, interval: Option<(f64, f64)>) -> String {
    let mean = Nanos(mean_ns as u64);
    match interval {
        Some((low, high)) => format!("{mean} ± {}", Nanos(((high - low) / 2.0) as u64)),
        None => mean.to_string(),
    }
}

fn evidence(design: &DesignReport) -> Vec<Block> {
    let mut blocks = Vec::new();
    for invariant in &design.invariants {
        if let Some(sample) = &invariant.evidence {
            blocks.push(Block::Heading(
                3,
                format!("{}: rows that break “{}”", design.title, invariant.name),
            ));
            blocks.push(Block::Table(sample_table(sample)));
            if sample.total > sample.rows.len() as u64 {
                blocks.push(Block::Paragraph(format!(
                    "{} of {} rows.",
                    sample.rows.len(),
                    sample.total
                )));
            }
        }
    }
    blocks
}

fn sample_table(sample: &TableSample) -> Table {
    let mut table = Table::new(&sample.columns.iter().map(String::as_str).collect::<Vec<_>>());
    for row in &sample.rows {
        table.row(row.iter().cloned());
    }
    table
}

/// What a design weakens and what it cannot express; nothing if there is neither.
pub fn limits(title: &str, weakened: &[program::Weakening], refusals: &[program::Refusal]) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !weakened.is_empty() {
        blocks.push(Block::Heading(3, format!("{title}: constraints that it weakens")));
        let mut table = Table::new(&["constraint", "becomes", "because"]);
        for weakening in weakened {
            table.row([
                weakening.constraint.clone(),
                weakening.becomes.clone(),
                weakening.reason.clone(),
            ]);
        }
        blocks.push(Block::Table(table));
    }
    if !refusals.is_empty() {
        blocks.push(Block::Heading(3, format!("{title}: what it cannot express")));
        let mut table = Table::new(&["place", "statement", "reason", "instead"]);
        for refusal in refusals {
            table.row([
                format!("{}:{}", refusal.line, refusal.column),
                refusal.statement.clone(),
                refusal.reason.clone(),
                refusal.hint.clone().unwrap_or_default(),
            ]);
        }
        blocks.push(Block::Table(table));
    }
    blocks
}
