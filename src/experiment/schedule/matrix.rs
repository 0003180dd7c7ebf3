//! The matrix anomaly × transaction isolation level, from one schedule for each anomaly: run as written, and in all
//! interleavings of its steps.
//!
//! A schedule is a spec in isolationtester's format with one permutation for each level. Its first lines say which anomaly
//! it would show:
//!
//! ```text
//! # code: G-single
//! # title: Read skew
//! # meaning: A transaction sees …
//! #   … and what it means goes on.
//! # condition: A circle with exactly one rw.
//! ```

use report::isolation::{Anomaly, AnomalyCell, AnomalyRow, IsolationMatrix, Schedule};
use syntax::{IsolationLevel, Statement};

use super::enact::{Enactment, play, row_set, sorted};
use super::enumerate::{Enumeration, EnumerationJob, Outcome};
use super::spec::{Spec, Turn, parse};
use super::stage::Request;
use crate::job::{Job, Progress};
use crate::library::BuiltIn;

/// # Errors
///
/// A schedule that is none, or that does not say which anomaly it is about.
pub fn matrix(schedules: &[BuiltIn]) -> Result<IsolationMatrix, String> {
    let row = |schedule: &BuiltIn| row(schedule).map_err(|why| format!("{}.spec: {why}", schedule.slug));
    Ok(IsolationMatrix {
        levels: LEVELS.iter().map(|level| level_name(*level).to_owned()).collect(),
        rows: schedules.iter().map(row).collect::<Result<_, String>>()?,
    })
}

pub(super) const LEVELS: [IsolationLevel; 3] = [
    IsolationLevel::ReadCommitted,
    IsolationLevel::RepeatableRead,
    IsolationLevel::Serializable,
];

pub(super) fn level_name(level: IsolationLevel) -> &'static str {
    match level {
        IsolationLevel::ReadCommitted => "read committed",
        IsolationLevel::RepeatableRead => "repeatable read",
        IsolationLevel::Serializable => "serializable",
    }
}

fn row(schedule: &BuiltIn) -> Result<AnomalyRow, String> {
    let spec = parse(schedule.text).map_err(|error| error.to_string())?;
    let field = |name: &str| field(schedule.text, name).ok_or_else(|| format!("its header has no `{name}:`"));
    let code = field("code")?;
    let anomaly = Anomaly::of_code(&code).ok_or_else(|| format!("there is no anomaly `{code}`"))?;
    if field("condition")? != anomaly.condition() {
        return Err(format!("the condition of {code} is: {}", anomaly.condition()));
    }
    let cells = LEVELS.iter().map(|level| {
        let order = spec
            .permutations
            .iter()
            .find(|order| level_of(&spec, order) == Some(*level));
        let order = order.ok_or_else(|| format!("it has no permutation at {}", level_name(*level)))?;
        cell(&spec, order, anomaly)
    });
    Ok(AnomalyRow {
        slug: schedule.slug.to_owned(),
        anomaly,
        title: field("title")?,
        meaning: field("meaning")?,
        spec: schedule.text.to_owned(),
        cells: cells.collect::<Result<_, String>>()?,
    })
}

/// What stands behind `# name:` and in the lines that go on.
fn field(text: &str, name: &str) -> Option<String> {
    let header = text.lines().map_while(|line| line.strip_prefix('#'));
    let mut lines = header.skip_while(|line| !line.trim_start().starts_with(&format!("{name}:")));
    let (_, first) = lines.next()?.split_once(':')?;
    let more = lines.take_while(|line| line.starts_with("   "));
    let words = std::iter::once(first).chain(more).map(str::trim).collect::<Vec<_>>();
    Some(words.join(" "))
}

/// The level of the transactions of an order: that of its first BEGIN.
fn level_of(spec: &Spec, order: &[Turn]) -> Option<IsolationLevel> {
    let statements = |turn: &Turn| {
        Request::parse(&spec.step(turn.place).sql)
            .statements
            .unwrap_or_default()
    };
    let level = |statement: &Statement| match statement {
        Statement::Begin { modes } => Some(modes.isolation.unwrap_or_default()),
        _ => None,
    };
    order
        .iter()
        .flat_map(statements)
        .find_map(|statement| level(&statement))
}

fn cell(spec: &Spec, order: &[Turn], anomaly: Anomaly) -> Result<AnomalyCell, String> {
    let enactment = Enactment::of_order(spec, order);
    let cast = enactment.cast().map_err(|failed| failed.message)?;
    let as_written = EnumerationJob::of_order(cast.clone(), enactment.acts_of(order))?;
    let written = ended(as_written)?;
    let written = written.outcomes.first().ok_or("the schedule as written cannot go on")?;
    let all = ended(EnumerationJob::new(cast)?)?;
    let unexplained = all
        .untold
        .as_ref()
        .or_else(|| all.outcomes.iter().find_map(|one| one.unexplained.as_ref()));
    if let Some(why) = unexplained {
        return Err(why.clone());
    }
    let of_anomaly = |outcome: &Outcome| {
        outcome
            .anomalies
            .iter()
            .filter(move |(found, ..)| found.anomaly == anomaly)
            .cloned()
            .collect::<Vec<_>>()
    };
    let found: Vec<_> = all
        .outcomes
        .iter()
        .flat_map(|outcome| of_anomaly(outcome).into_iter().map(move |found| (outcome, found)))
        .collect();
    let written = with(play(spec, order)?, written);
    let other = found.first().filter(|_| !written.has(anomaly));
    let other =
        other.map(|(outcome, (_, order, _))| Ok::<_, String>(with(play(spec, &enactment.turns(order))?, outcome)));
    let occurred = found.iter().map(|(_, (_, _, schedules))| schedules).sum();
    Ok(AnomalyCell::new(
        anomaly,
        written,
        all.counts,
        occurred,
        other.transpose()?,
    ))
}

/// The schedule with what was found of its outcome.
pub(super) fn with(schedule: Schedule, outcome: &Outcome) -> Schedule {
    let rows = outcome.rows.iter().zip(&schedule.rows);
    Schedule {
        rows: rows
            .map(|(output, set)| row_set(&set.table, &sorted(output.clone())))
            .collect(),
        anomalies: outcome.anomalies.iter().map(|(found, ..)| found.clone()).collect(),
        rolled_back: outcome.rolled_back.clone(),
        ..schedule
    }
}

fn ended(mut job: EnumerationJob) -> Result<Enumeration, String> {
    loop {
        match job.step(u64::MAX) {
            Progress::Running { .. } => {}
            Progress::Finished(enumeration) => return Ok(*enumeration),
            Progress::Failed(found) => {
                let messages: Vec<String> = found.into_iter().map(|one| one.message).collect();
                return Err(messages.join("; "));
            }
        }
    }
}
