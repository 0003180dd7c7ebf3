//! The matrix, and what interleavings gave, as documents for a terminal or Markdown.

use super::{AnomalyRow, Counts, Interleavings, IsolationMatrix, Moment, MomentKind, OutcomeReport, RowSet, Schedule};
use super::{StatementResult, Verdict};
use crate::document::{Block, Table};

/// Where a row's schedule lies.
fn file(row: &AnomalyRow) -> String {
    format!("tests/anomalies/{}.spec", row.slug)
}

impl IsolationMatrix {
    pub fn document(&self) -> Vec<Block> {
        let mut blocks = vec![
            Block::Heading(1, "Transaction isolation: which anomalies occur".to_owned()),
            Block::Paragraph(
                "Each schedule is run as it is written and in all interleavings of its steps; “2 of 20” counts those in which the \
                 anomaly occurred. That it occurred is read off the dependency graph of what was committed. Read uncommitted is read \
                 committed, as in PostgreSQL."
                    .to_owned(),
            ),
            Block::Table(self.table()),
        ];
        for row in &self.rows {
            blocks.push(Block::Heading(2, format!("{}: {}", row.anomaly.code(), row.title)));
            blocks.push(Block::Paragraph(row.meaning.clone()));
            blocks.push(Block::Paragraph(format!(
                "Occurred if: {} Schedule: {}",
                row.anomaly.condition(),
                file(row)
            )));
            blocks.push(Block::Table(self.row_table(row)));
            let evidence = row.cells.iter().zip(&self.levels).filter_map(|(cell, level)| {
                let schedule = if cell.written.has(row.anomaly) {
                    Some(&cell.written)
                } else {
                    cell.other.as_ref()
                }?;
                let found = schedule.anomalies.iter().find(|found| found.anomaly == row.anomaly)?;
                Some(format!("{level}: {} ({})", found.evidence.join(" "), schedule.steps()))
            });
            blocks.push(Block::List(evidence.collect()));
        }
        blocks
    }

    fn table(&self) -> Table {
        let mut titles = vec!["code", "anomaly"];
        titles.extend(self.levels.iter().map(String::as_str));
        titles.push("schedule");
        let mut table = Table::new(&titles);
        for row in &self.rows {
            let cells = row.cells.iter().map(|cell| {
                let (word, counts) = (cell.verdict.word(), &cell.counts);
                format!("{word} ({} of {})", cell.occurred, counts.schedules)
            });
            let first = [row.anomaly.code().to_owned(), row.title.clone()];
            table.row(first.into_iter().chain(cells).chain([file(row)]));
        }
        table
    }

    fn row_table(&self, row: &AnomalyRow) -> Table {
        let mut table = Table::new(&[
            "level",
            "as written",
            "interleavings",
            "with the anomaly",
            "as a serial order",
            "a step waited",
            "cannot go on",
            "rolled back",
        ])
        .numbers(2..7);
        for (level, cell) in self.levels.iter().zip(&row.cells) {
            let counts = &cell.counts;
            let verdict = match cell.verdict {
                Verdict::Elsewhere => "no",
                verdict => verdict.word(),
            };
            table.row([
                level.clone(),
                verdict.to_owned(),
                counts.schedules.to_string(),
                cell.occurred.to_string(),
                counts.serial.to_string(),
                counts.waited.to_string(),
                counts.stuck.to_string(),
                counts.failures(),
            ]);
        }
        table
    }
}

impl Counts {
    /// `40001: 4, 40P01: 2`
    fn failures(&self) -> String {
        if self.failed.is_empty() {
            return "–".to_owned();
        }
        let one = |(state, schedules): &(String, u64)| format!("{state}: {schedules}");
        self.failed.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn sentences(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} interleavings, {} run{}",
            self.schedules,
            self.schedules - self.saved,
            match self.saved {
                0 => String::new(),
                saved => format!("; {saved} differ from one of these only in which of several equal sessions is which"),
            }
        )];
        let ended = self.schedules - self.stuck;
        lines.push(format!(
            "{} different outcomes; {} of {ended} schedules gave what some serial order gives",
            self.distinct_outcomes, self.serial
        ));
        lines.push(format!(
            "{} had a step that waited; rolled back with an error: {}",
            self.waited,
            self.failures()
        ));
        if self.stuck > 0 {
            lines.push(format!(
                "{} cannot go on: a session's next step would come while it waits for ever",
                self.stuck
            ));
        }
        lines
    }
}

impl Interleavings {
    pub fn document(&self) -> Vec<Block> {
        let title = if self.listed {
            "Permutations"
        } else {
            "All interleavings"
        };
        let mut blocks = vec![Block::Heading(1, title.to_owned())];
        let session = |session: &super::SessionSteps| format!("{}: {}", session.name, session.steps.join(" "));
        blocks.push(Block::List(self.sessions.iter().map(session).collect()));
        blocks.push(Block::List(self.counts.sentences()));
        if let Some(stuck) = &self.stuck {
            blocks.push(Block::Paragraph(format!("Cannot go on: {}", stuck.steps())));
        }
        if let Some(untold) = &self.untold {
            blocks.push(Block::Paragraph(format!(
                "No dependency graph, so no anomaly is named: {untold}."
            )));
        }
        for (number, outcome) in self.outcomes.iter().enumerate() {
            blocks.extend(outcome.document(number + 1));
        }
        if self.more_outcomes > 0 {
            blocks.push(Block::Paragraph(format!("And {} more outcomes.", self.more_outcomes)));
        }
        blocks
    }
}

impl OutcomeReport {
    fn document(&self, number: usize) -> Vec<Block> {
        let like = match &self.serial {
            Some(order) => format!("as the serial order {}", order.join(" ")),
            None => "as no serial order".to_owned(),
        };
        let mut blocks = vec![
            Block::Heading(2, format!("Outcome {number}: {} schedules, {like}", self.schedules)),
            Block::Paragraph(self.example.steps()),
        ];
        let found = self.example.anomalies.iter();
        let found = found.map(|found| format!("{}: {}", found.anomaly.code(), found.evidence.join(" ")));
        let rolled_back = self.example.rolled_back.iter().map(|(session, state)| {
            let session = &self.example.sessions[*session as usize];
            match state {
                Some(state) => format!("{session} was rolled back: {state}"),
                None => format!("{session} rolled back"),
            }
        });
        let unexplained = self.unexplained.iter().map(|why| format!("no dependency graph: {why}"));
        blocks.push(Block::List(found.chain(rolled_back).chain(unexplained).collect()));
        blocks.push(Block::Code(self.example.lines()));
        blocks
    }
}

impl Schedule {
    /// The names of its steps, in their order.
    pub fn steps(&self) -> String {
        let begins = |moment: &&Moment| matches!(moment.kind, MomentKind::Step | MomentKind::Waits);
        let names = self.moments.iter().filter(begins).map(|moment| moment.step.as_str());
        names.collect::<Vec<_>>().join(" ")
    }

    /// What happened, line by line, and what the tables hold in the end.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.moments.iter().map(Moment::line).collect();
        lines.extend(self.rows.iter().map(|set| format!("{}: {}", set.table, set.line())));
        lines
    }
}

impl Moment {
    fn line(&self) -> String {
        let gave: Vec<String> = self.gave.iter().map(StatementResult::line).collect();
        let gave = gave.join("; ");
        match self.kind {
            MomentKind::Step => format!("{}: {} → {gave}", self.step, self.sql),
            MomentKind::Waits => format!("{}: {} <waiting ...>", self.step, self.sql),
            MomentKind::Ended => format!("{}: <... completed> → {gave}", self.step),
            MomentKind::Cancelled => format!("{}: cancelled, it would wait for ever", self.step),
        }
    }
}

impl StatementResult {
    /// `UPDATE 1`, `(1, 10) (2, 20)`, `ERROR 40001: …`
    pub fn line(&self) -> String {
        match self {
            StatementResult::Tag(tag) => tag.clone(),
            StatementResult::Rows(rows) => rows.line(),
            StatementResult::Error { sqlstate, message } => format!("ERROR {sqlstate}: {message}"),
        }
    }
}

impl RowSet {
    /// `(1, 10) (2, 20)`
    pub fn line(&self) -> String {
        if self.rows.is_empty() {
            return "no rows".to_owned();
        }
        let row = |row: &Vec<String>| format!("({})", row.join(", "));
        self.rows.iter().map(row).collect::<Vec<_>>().join(" ")
    }
}
