//! What a probe brought back: rows by tenant, the worst of several queries, and the cell that says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Row, Value};
use program::{ErrorClass, EventKind, Outcome, RequestId};
use report::{Cell, Evidence, Figure, Provenance, TableSample, Unit, Verdict, Wall, WallKind};
use sim::Simulation;

use super::query::Forgotten;
use crate::listing;

/// Rows of others that a report carries.
const EVIDENCE_ROWS: usize = 12;

/// What one query brought: of its requests the one with most rows of others.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    query: &'a Forgotten,
    worst: Option<Answer>,
    /// Why a request failed: (the engine's refusal?, message).
    failure: Option<(bool, String)>,
}

#[derive(Debug)]
struct Answer {
    request: RequestId,
    rows: Vec<Row>,
    foreign: usize,
    statements: Vec<Evidence>,
}

impl<'a> Finding<'a> {
    pub(super) fn new(query: &'a Forgotten) -> Finding<'a> {
        Finding {
            query,
            worst: None,
            failure: None,
        }
    }

    pub(super) fn take(&mut self, simulation: &Simulation, request: RequestId, own: i32) {
        let Some(sets) = simulation.answer(request) else {
            self.failure = self.failure.take().or_else(|| failure(simulation, request));
            return;
        };
        let foreign = rows_of(sets).filter(|row| is_foreign(row, own)).count();
        let count = rows_of(sets).count();
        let worse = |worst: &Answer| (foreign, count) > (worst.foreign, worst.rows.len());
        if self.worst.as_ref().is_none_or(worse) {
            self.worst = Some(Answer {
                request,
                rows: rows_of(sets).cloned().collect(),
                foreign,
                statements: sent(simulation, request),
            });
        }
    }

    /// Rows of others, and all.
    fn brought(&self) -> Option<(usize, usize)> {
        self.worst.as_ref().map(|answer| (answer.foreign, answer.rows.len()))
    }

    /// `statement 1 of list_users: 4,434 of 4,500 rows are of others`
    fn sentence(&self) -> String {
        use report::number::count;
        let found = match (&self.worst, &self.failure) {
            (Some(answer), _) if answer.rows.is_empty() => "no row came back".to_owned(),
            (Some(answer), _) => format!(
                "{} of {} rows are of others",
                count(answer.foreign as u64),
                count(answer.rows.len() as u64)
            ),
            (None, Some((_, message))) => message.clone(),
            (None, None) => "cannot be expressed".to_owned(),
        };
        format!("{}: {found}", self.query.source)
    }
}

fn rows_of(sets: &[Arc<[Row]>]) -> impl Iterator<Item = &Row> {
    sets.iter().flat_map(|rows| rows.iter())
}

/// A query answers with the tenant first.
fn tenant(row: &Row) -> Option<i64> {
    row.first().and_then(Value::as_i64)
}

fn is_foreign(row: &Row, own: i32) -> bool {
    tenant(row) != Some(i64::from(own))
}

/// An engine's refusal has a code. Any other failure says nothing about whose rows there are.
fn failure(simulation: &Simulation, request: RequestId) -> Option<(bool, String)> {
    simulation.recorded().iter().find_map(|event| match &event.kind {
        EventKind::RequestAnswered {
            outcome: Outcome::Failed(error),
            ..
        } if event.request == Some(request) => {
            let by_engine = error.class == ErrorClass::Refused && error.code.is_some();
            Some((by_engine, error.message.clone()))
        }
        _ => None,
    })
}

/// What the request really sent, and where.
fn sent(simulation: &Simulation, request: RequestId) -> Vec<Evidence> {
    let compilation = simulation.compilation();
    let mut found: Vec<Evidence> = Vec::new();
    let events = simulation.recorded().iter();
    for event in events.filter(|event| event.request == Some(request)) {
        let EventKind::StepStarted { activation, step } = event.kind else {
            continue;
        };
        let program = &compilation.programs[activation.program.index()];
        if let Some(text) = listing::sent(compilation, program, &program.step(step).op) {
            let statement = Evidence::Statement {
                at: program.name.clone(),
                text,
            };
            if !found.contains(&statement) {
                found.push(statement);
            }
        }
    }
    found
}

/// The query that brought most rows of others, or most rows: the first of those that brought as much.
fn worst<'a>(findings: &'a [Finding<'_>]) -> Option<(&'a Finding<'a>, &'a Answer)> {
    let worst = findings.iter().rev().max_by_key(|finding| finding.brought())?;
    Some((worst, worst.worst.as_ref()?))
}

/// The request that a cell shows.
pub(super) fn shown(findings: &[Finding<'_>]) -> Option<RequestId> {
    worst(findings).map(|(_, answer)| answer.request)
}

/// What all queries brought, as one cell: the worst of them, and a sentence of each.
pub(super) fn cell(findings: &[Finding<'_>], own: i32, wall: Option<Wall>) -> Cell {
    let sentences = findings.iter().map(|finding| Evidence::Sentence(finding.sentence()));
    let Some((finding, answer)) = worst(findings) else {
        let failure = findings.iter().find_map(|finding| finding.failure.as_ref());
        let evidence = sentences.collect();
        return match failure {
            Some((true, message)) => Cell {
                figure: Some(rows_figure(0, 0)),
                provenance: Some(Provenance::Counted),
                evidence,
                ..without_figure(Verdict::StoppedByEngine, message)
            },
            failure => Cell {
                evidence,
                ..without_figure(Verdict::NotTested, failure.map_or("no answer", |(_, message)| message))
            },
        };
    };
    let counts = by_tenant(&answer.rows);
    let others = counts.keys().filter(|tenant| **tenant != Some(i64::from(own))).count();
    let (verdict, words) = match (answer.foreign, others, wall) {
        (0, _, Some(wall)) if wall.kind == WallKind::Engine => (Verdict::StoppedByEngine, wall.by),
        (0, ..) if answer.rows.is_empty() => (Verdict::NotTested, "no row came back at all".to_owned()),
        (0, ..) => (Verdict::NoneFound, "all of the one who asked".to_owned()),
        (_, 1, _) => (Verdict::Leaked, "of another tenant".to_owned()),
        (_, others, _) => (Verdict::Leaked, format!("of {others} other tenants")),
    };
    let mut evidence = answer.statements.clone();
    let name = |tenant: Option<i64>| tenant.map_or_else(|| "nobody".to_owned(), |tenant| tenant.to_string());
    evidence.push(Evidence::ByTenant {
        own: own.to_string(),
        counts: counts
            .into_iter()
            .map(|(tenant, count)| (name(tenant), count))
            .collect(),
    });
    evidence.push(sample(answer, &finding.query.columns, own));
    evidence.extend(sentences);
    Cell {
        figure: Some(rows_figure(answer.foreign, answer.rows.len())),
        provenance: Some(Provenance::Counted),
        evidence,
        ..without_figure(verdict, &words)
    }
}

fn by_tenant(rows: &[Row]) -> BTreeMap<Option<i64>, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(tenant(row)).or_default() += 1;
    }
    counts
}

/// Two rows of one's own, then those of others.
fn sample(answer: &Answer, columns: &[String], own: i32) -> Evidence {
    let (foreign, mine): (Vec<&Row>, Vec<&Row>) = answer.rows.iter().partition(|row| is_foreign(row, own));
    let shown = mine.into_iter().take(2).chain(foreign).take(EVIDENCE_ROWS);
    let shown: Vec<&Row> = shown.collect();
    Evidence::Rows {
        foreign: shown.iter().map(|row| is_foreign(row, own)).collect(),
        rows: TableSample {
            columns: columns.to_vec(),
            rows: shown
                .iter()
                .map(|row| row.iter().map(ToString::to_string).collect())
                .collect(),
            total: answer.rows.len() as u64,
        },
    }
}

fn rows_figure(foreign: usize, of: usize) -> Figure {
    Figure {
        value: foreign as f64,
        band: None,
        of: Some(of as f64),
        unit: Unit::Rows,
    }
}

pub(super) fn without_figure(verdict: Verdict, words: &str) -> Cell {
    Cell {
        verdict,
        figure: None,
        words: words.to_owned(),
        provenance: None,
        evidence: Vec::new(),
    }
}
