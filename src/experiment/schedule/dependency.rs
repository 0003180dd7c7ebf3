//! The graph of dependencies among committed transactions (Adya's direct serialization graph), from what clients saw:
//! the rows that reads and writes gave, the order in which writes ended, and what tables hold before and after.
//!
//! It knows nothing of the engine: a read tells which versions of rows it may have seen, by their values. An edge is
//! drawn only if every version that it may have seen implies it.
//!
//! ```text
//! ww  T1 wrote a version of a row, T2 the next
//! wr  T2 read what T1 wrote, or T2's condition missed a row since T1 had written it
//! rw  T1 read a version of a row, and T2 wrote the next; or T1's condition missed a row that T2 then made match
//! ```

use std::collections::BTreeMap;

use base::{Row, Value};
use engine_sql::{Output, TableOutline};
use report::isolation::{Anomaly, AnomalyFound};

use super::circle::{self, Edge, Kind};
use super::footprint::{Rows, Verb};

/// What was seen, in the order in which statements ended.
pub(super) struct History<'a> {
    pub(super) tables: Vec<&'a TableOutline>,
    /// What each table holds before and after.
    pub(super) before: &'a [Output],
    pub(super) after: &'a [Output],
    /// Has each transaction been committed?
    pub(super) committed: Vec<bool>,
    /// Its session's name, with a number where a session has several.
    pub(super) names: Vec<String>,
    pub(super) operations: Vec<Operation<'a>>,
}

/// A statement that read or wrote rows, and gave these.
pub(super) struct Operation<'a> {
    pub(super) transaction: usize,
    pub(super) step: &'a str,
    pub(super) rows: &'a Rows,
    pub(super) gave: &'a Output,
}

/// A version of a row.
struct Version {
    /// `None`: there is no row.
    row: Option<Row>,
    /// `None`: it was there before all.
    writer: Option<usize>,
    /// The operation that wrote it.
    operation: usize,
}

/// A row by its table and primary key.
type Key = (usize, Vec<Value>);

/// The anomalies that the history shows, each with its evidence.
///
/// # Errors
///
/// What the history does not explain: a row that nobody wrote, or in the end other rows than the last writers'.
pub(super) fn anomalies(history: &History<'_>) -> Result<Vec<AnomalyFound>, String> {
    let versions = versions(history);
    last_writers_win(history, &versions)?;
    let mut graph = Graph {
        history,
        versions: &versions,
        edges: Vec::new(),
        found: Vec::new(),
    };
    graph.overwrites();
    for (number, operation) in history.operations.iter().enumerate() {
        graph.reads(number, operation)?;
    }
    let Graph { edges, mut found, .. } = graph;
    for (anomaly, circle) in circle::anomalies(&edges, history.committed.len()) {
        let evidence = circle.into_iter().map(|edge| sentence(history, edge)).collect();
        found.push(AnomalyFound { anomaly, evidence });
    }
    found.sort_by_key(|found| found.anomaly);
    found.dedup_by_key(|found| found.anomaly);
    Ok(found)
}

/// Each row's versions in the order in which they were written, the first before all.
fn versions(history: &History<'_>) -> BTreeMap<Key, Vec<Version>> {
    let first = |row| Version {
        row,
        writer: None,
        operation: 0,
    };
    let mut versions: BTreeMap<Key, Vec<Version>> = BTreeMap::new();
    for (table, (outline, output)) in history.tables.iter().zip(history.before).enumerate() {
        for row in &output.rows {
            versions.insert((table, key(outline, row)), vec![first(Some(row.clone()))]);
        }
    }
    for (number, operation) in history.operations.iter().enumerate() {
        if operation.rows.verb == Verb::Select {
            continue;
        }
        let table = operation.rows.table;
        for row in operation.rows.whole_rows(operation.gave, history.tables[table]) {
            let key = (table, key(history.tables[table], &row));
            let row = (operation.rows.verb != Verb::Delete).then_some(row);
            versions.entry(key).or_insert_with(|| vec![first(None)]).push(Version {
                row,
                writer: Some(operation.transaction),
                operation: number,
            });
        }
    }
    versions
}

fn key(table: &TableOutline, row: &Row) -> Vec<Value> {
    table
        .primary_key
        .iter()
        .filter_map(|column| row.get(*column).cloned())
        .collect()
}

/// In the end each row is as its last committed writer left it.
fn last_writers_win(history: &History<'_>, versions: &BTreeMap<Key, Vec<Version>>) -> Result<(), String> {
    let mut left: BTreeMap<&Key, &Row> = BTreeMap::new();
    for (key, versions) in versions {
        let last = versions.iter().rev().find(|version| version.is_committed(history));
        if let Some(row) = last.and_then(|version| version.row.as_ref()) {
            left.insert(key, row);
        }
    }
    for (table, (outline, output)) in history.tables.iter().zip(history.after).enumerate() {
        let found = output
            .rows
            .iter()
            .filter(|row| left.get(&(table, key(outline, row))) == Some(row));
        let expected = left.keys().filter(|(other, _)| *other == table).count();
        if found.count() != expected || output.rows.len() != expected {
            return Err(format!("{} holds other rows than its last writers left", outline.name));
        }
    }
    Ok(())
}

impl Version {
    fn is_committed(&self, history: &History<'_>) -> bool {
        self.writer.is_none_or(|writer| history.committed[writer])
    }
}

struct Graph<'a> {
    history: &'a History<'a>,
    versions: &'a BTreeMap<Key, Vec<Version>>,
    edges: Vec<Edge<'a>>,
    found: Vec<AnomalyFound>,
}

impl<'a> Graph<'a> {
    fn overwrites(&mut self) {
        for (key, versions) in self.versions {
            let mut last = None;
            for version in versions.iter().filter(|version| version.is_committed(self.history)) {
                if let (Some(from), Some(to)) = (last, version.writer)
                    && from != to
                {
                    self.edges.push(Edge {
                        from,
                        to,
                        kind: Kind::Ww,
                        missed: false,
                        key,
                        operation: version.operation,
                    });
                }
                last = version.writer;
            }
        }
    }

    /// What an operation of a committed transaction has seen of each row of its table.
    fn reads(&mut self, number: usize, operation: &Operation<'a>) -> Result<(), String> {
        if operation.rows.verb == Verb::Insert || !self.history.committed[operation.transaction] {
            return Ok(());
        }
        let outline = self.history.tables[operation.rows.table];
        let shown: BTreeMap<Vec<Value>, &Row> = (operation.gave.rows.iter())
            .filter_map(|row| Some((operation.rows.key_of(row, outline)?, row)))
            .collect();
        for (key, versions) in self
            .versions
            .iter()
            .filter(|((table, _), _)| *table == operation.rows.table)
        {
            let shown = shown.get(&key.1).copied();
            if shown.is_some() && operation.rows.verb != Verb::Select {
                // Which version it replaced, its result does not say.
                continue;
            }
            let reading = Reading {
                history: self.history,
                operation,
                number,
                versions,
                shown,
            };
            let may_have_seen = reading.candidates();
            let own = |version: &Version| version.writer == Some(operation.transaction) && version.operation < number;
            if let Some(own) = versions.iter().rposition(own)
                && may_have_seen.contains(&own)
            {
                continue;
            }
            if may_have_seen.is_empty() {
                return Err(format!("step {} gave a row that nobody wrote", operation.step));
            }
            self.draw(&reading, key, &may_have_seen);
        }
        if shown
            .keys()
            .any(|key| !self.versions.contains_key(&(operation.rows.table, key.clone())))
        {
            return Err(format!("step {} gave a row that nobody wrote", operation.step));
        }
        Ok(())
    }

    fn draw(&mut self, reading: &Reading<'a, '_>, key: &'a Key, may_have_seen: &[usize]) {
        let reader = reading.operation.transaction;
        let missed = reading.shown.is_none() && !reading.operation.rows.by_key;
        let edge = |from, to, kind| Edge {
            from,
            to,
            kind,
            missed,
            key,
            operation: reading.number,
        };
        let committed = |writer: &usize| *writer != reader && self.history.committed[*writer];
        if let Some(writer) = agreed(may_have_seen, |seen| reading.written_by(seen)).filter(committed) {
            self.edges.push(edge(writer, reader, Kind::Wr));
        }
        if let Some(writer) = agreed(may_have_seen, |seen| reading.overwritten_by(seen)).filter(committed) {
            self.edges.push(edge(reader, writer, Kind::Rw));
        }
        let versions = reading.versions;
        let aborted = |seen: &usize| !versions[*seen].is_committed(self.history);
        let intermediate = |seen: &usize| {
            let writer = versions[*seen].writer.filter(|writer| *writer != reader);
            writer.is_some() && versions[*seen + 1..].iter().any(|later| later.writer == writer)
        };
        let mut found = |anomaly, what| {
            let names = &self.history.names;
            let writer = versions[may_have_seen[0]].writer.map_or("", |writer| &names[writer]);
            let (reader, step, row) = (&names[reader], reading.operation.step, row_name(self.history, key));
            let evidence = vec![format!("{reader} read in {step} of {row} what {writer} {what}.")];
            self.found.push(AnomalyFound { anomaly, evidence });
        };
        if may_have_seen.iter().all(aborted) {
            found(Anomaly::G1a, "wrote and rolled back");
        }
        if may_have_seen.iter().all(intermediate) {
            found(Anomaly::G1b, "wrote and then wrote anew");
        }
    }
}

/// What one operation may have seen of one row.
struct Reading<'a, 'b> {
    history: &'a History<'a>,
    operation: &'b Operation<'a>,
    number: usize,
    versions: &'a [Version],
    /// The row as the operation gave it; `None`: its condition missed it.
    shown: Option<&'a Row>,
}

impl Reading<'_, '_> {
    /// Versions that were there and agree with what it gave.
    fn candidates(&self) -> Vec<usize> {
        let agrees = |version: &Version| match (self.shown, &version.row) {
            (Some(shown), Some(row)) => self.operation.rows.shows(shown, row) && self.operation.rows.asks_for(row),
            (Some(_), None) => false,
            (None, _) => !self.matches(version),
        };
        let there = |(place, version): &(usize, &Version)| *place == 0 || version.operation < self.number;
        let versions = self.versions.iter().enumerate().filter(there);
        versions
            .filter(|(_, version)| agrees(version))
            .map(|(place, _)| place)
            .collect()
    }

    fn matches(&self, version: &Version) -> bool {
        version
            .row
            .as_ref()
            .is_some_and(|row| self.operation.rows.asks_for(row))
    }

    /// Who wrote the version; of a row that was missed: who last made it not match.
    fn written_by(&self, seen: usize) -> Option<usize> {
        if self.shown.is_some() {
            return self.versions[seen].writer;
        }
        let mut matched = false;
        let mut by = None;
        for (place, version) in self.versions[..=seen].iter().enumerate() {
            if place != seen && !version.is_committed(self.history) {
                continue;
            }
            let matches = self.matches(version);
            if matched && !matches {
                by = version.writer;
            }
            matched = matches;
        }
        by
    }

    /// Who wrote the next version; of a row that was missed: who first made it match.
    fn overwritten_by(&self, seen: usize) -> Option<usize> {
        let committed = |version: &&Version| version.is_committed(self.history);
        let mut later = self.versions[seen + 1..].iter().filter(committed);
        match self.shown {
            Some(_) => later.next()?.writer,
            None => later.find(|version| self.matches(version))?.writer,
        }
    }
}

/// What all of them say, if they say the same.
fn agreed(may_have_seen: &[usize], says: impl Fn(usize) -> Option<usize>) -> Option<usize> {
    let mut all = may_have_seen.iter().map(|seen| says(*seen));
    let first = all.next()??;
    all.all(|other| other == Some(first)).then_some(first)
}

/// `row 1 of test`
fn row_name(history: &History<'_>, (table, key): &Key) -> String {
    let key: Vec<String> = key.iter().map(Value::to_string).collect();
    format!("row {} of {}", key.join(", "), history.tables[*table].name)
}

fn sentence(history: &History<'_>, edge: &Edge<'_>) -> String {
    let (from, to) = (&history.names[edge.from], &history.names[edge.to]);
    let (row, step) = (row_name(history, edge.key), history.operations[edge.operation].step);
    match (edge.kind, edge.missed) {
        (Kind::Ww, _) => format!("{from} wrote {row}, then {to} in {step} (ww)."),
        (Kind::Wr, false) => format!("{to} read in {step} of {row} what {from} wrote (wr)."),
        (Kind::Wr, true) => format!("{to} missed in {step} {row}, which matched until {from} wrote it (wr)."),
        (Kind::Rw, false) => format!("{from} read in {step} of {row} a version that {to} overwrote (rw)."),
        (Kind::Rw, true) => format!("{from} missed in {step} {row}, which {to} made match (rw)."),
    }
}
