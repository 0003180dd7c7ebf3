//! Orders of a spec of one's own, as a report: all interleavings, or the permutations that it lists.

use report::isolation::{Counts, Interleavings, OutcomeReport, Schedule, StatementResult};
use scenario::Diagnostic;

use super::check::{failed_setup, unreadable};
use super::enact::{Enactment, play};
use super::enumerate::{Enumeration, EnumerationJob, Outcome};
use super::matrix::{LEVELS, level_name, with};
use super::spec::{Spec, Turn, parse};
use crate::job::{Job, Progress};
use crate::settings::problem;

/// Outcomes that are listed, each with one of its schedules.
const MOST_OUTCOMES: usize = 40;

/// Permutations that are run one by one; each begins with a new server.
const MOST_LISTED: usize = 1_000;

/// Which orders of a spec's steps are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orders {
    /// All interleavings of the steps that the first permutation takes; of all steps, if the spec lists none.
    All,
    /// The permutations that it lists.
    Listed,
}

#[derive(Debug)]
pub struct InterleavingsJob {
    spec: Spec,
    /// The permutation that is run; `None`: all interleavings are.
    listed: Option<usize>,
    job: EnumerationJob,
    found: Interleavings,
}

impl InterleavingsJob {
    /// `level`: of transactions that do not say themselves how isolated they are, as PostgreSQL or a link names it:
    /// `repeatable read`, `repeatable-read`.
    ///
    /// # Errors
    ///
    /// A spec that is none, and a setup that fails, with the place; more orders than are run; an unknown level.
    pub fn new(text: &str, orders: Orders, level: Option<&str>) -> Result<InterleavingsJob, Vec<Diagnostic>> {
        let mut spec = parse(text).map_err(|error| vec![unreadable(error)])?;
        let told = |message: String| vec![problem(message, None)];
        spec.level = level.map(level_of).transpose().map_err(told)?;
        let listed = spec.permutations.len();
        if orders == Orders::Listed && !(1..=MOST_LISTED).contains(&listed) {
            let why = match listed {
                0 => "the schedule lists no permutation".to_owned(),
                _ => format!("the schedule lists {listed} permutations; at most {MOST_LISTED} are run"),
            };
            return Err(told(why));
        }
        let enactment = enactment(&spec);
        let cast = enactment.cast().map_err(|failed| match failed.nth {
            Some(nth) => vec![failed_setup(text, &spec, nth, failed.message)],
            None => told(failed.message),
        })?;
        let job = match (orders, spec.permutations.first()) {
            (Orders::Listed, Some(order)) => EnumerationJob::of_order(cast, enactment.acts_of(order)),
            _ => EnumerationJob::new(cast),
        };
        let found = Interleavings {
            sessions: enactment.session_steps(),
            ..Interleavings::default()
        };
        Ok(InterleavingsJob {
            listed: (orders == Orders::Listed).then_some(0),
            job: job.map_err(told)?,
            found,
            spec,
        })
    }

    /// What one job has found goes to what others have.
    fn take(&mut self, found: &Enumeration) -> Result<(), String> {
        let order = match self.listed {
            Some(nth) => Some(&self.spec.permutations[nth]),
            None => self.spec.permutations.first(),
        };
        let enactment = enactment_of(&self.spec, order);
        let written = order.filter(|_| self.listed.is_some());
        for outcome in &found.outcomes {
            let outcome = outcome_report(&self.spec, &enactment, written, outcome)?;
            let outcomes = &mut self.found.outcomes;
            let alike = |known: &OutcomeReport| written.is_some() && are_alike(&known.example, &outcome.example);
            match outcomes.iter().position(alike) {
                Some(place) => outcomes[place].schedules += outcome.schedules,
                None if outcomes.len() < MOST_OUTCOMES => outcomes.push(outcome),
                None => self.found.more_outcomes += 1,
            }
        }
        if self.found.stuck.is_none() && !found.stuck_example.is_empty() {
            let turns = written.map_or_else(|| enactment.turns(&found.stuck_example), Clone::clone);
            self.found.stuck = Some(play(&self.spec, &turns)?);
        }
        add(&mut self.found.counts, &found.counts);
        if self.found.untold.is_none() {
            self.found.untold.clone_from(&found.untold);
        }
        Ok(())
    }

    /// Goes to the next permutation; false if there is none.
    fn next(&mut self) -> Result<bool, String> {
        let next = self.listed.map(|nth| nth + 1);
        let Some(order) = next.and_then(|next| self.spec.permutations.get(next)) else {
            return Ok(false);
        };
        let enactment = Enactment::of_order(&self.spec, order);
        let cast = enactment.cast().map_err(|failed| failed.message)?;
        self.job = EnumerationJob::of_order(cast, enactment.acts_of(order))?;
        self.listed = next;
        Ok(true)
    }

    fn report(&mut self) -> Interleavings {
        let mut found = std::mem::take(&mut self.found);
        if self.listed.is_some() {
            found.listed = true;
            found.counts.distinct_outcomes = found.outcomes.len() as u64 + found.more_outcomes;
            found.outcomes.sort_by_key(|outcome| outcome.serial.is_some());
        }
        found
    }

    fn ended(&mut self, found: &Enumeration) -> Result<Progress<Interleavings>, String> {
        self.take(found)?;
        Ok(match (self.next()?, self.listed) {
            (true, Some(nth)) => Progress::Running {
                done: nth as u64,
                of: self.spec.permutations.len() as u64,
                what: "Permutations".to_owned(),
            },
            _ => Progress::Finished(Box::new(self.report())),
        })
    }
}

/// Of the steps that its first permutation takes; of all, if it lists none.
pub(super) fn enactment(spec: &Spec) -> Enactment<'_> {
    enactment_of(spec, spec.permutations.first())
}

fn enactment_of<'s>(spec: &'s Spec, order: Option<&Vec<Turn>>) -> Enactment<'s> {
    match order {
        Some(order) => Enactment::of_order(spec, order),
        None => Enactment::of_all_steps(spec),
    }
}

fn level_of(name: &str) -> Result<syntax::IsolationLevel, String> {
    let wanted = name.replace('-', " ");
    let level = LEVELS.into_iter().find(|level| level_name(*level) == wanted);
    level.ok_or_else(|| format!("there is no level of transaction isolation “{name}”"))
}

/// `written`: the order as the spec has it.
fn outcome_report(
    spec: &Spec,
    enactment: &Enactment<'_>,
    written: Option<&Vec<Turn>>,
    outcome: &Outcome,
) -> Result<OutcomeReport, String> {
    let turns = written.map_or_else(|| enactment.turns(&outcome.example), Clone::clone);
    let name = |session: &usize| spec.sessions[*session].name.clone();
    Ok(OutcomeReport {
        schedules: outcome.schedules,
        example: with(play(spec, &turns)?, outcome),
        serial: outcome
            .serial
            .as_ref()
            .map(|sessions| sessions.iter().map(name).collect()),
        unexplained: outcome.unexplained.clone(),
    })
}

/// Every step gave the same in both, and the tables hold the same in the end.
fn are_alike(one: &Schedule, other: &Schedule) -> bool {
    let gave = |schedule: &Schedule| {
        let mut gave: Vec<(String, Vec<StatementResult>)> = (schedule.moments.iter())
            .filter(|moment| !moment.gave.is_empty())
            .map(|moment| (moment.step.clone(), moment.gave.clone()))
            .collect();
        gave.sort_by(|left, right| left.0.cmp(&right.0));
        gave
    };
    one.rows == other.rows && one.rolled_back == other.rolled_back && gave(one) == gave(other)
}

fn add(counts: &mut Counts, more: &Counts) {
    counts.schedules += more.schedules;
    counts.saved += more.saved;
    counts.stuck += more.stuck;
    counts.serial += more.serial;
    counts.waited += more.waited;
    counts.distinct_outcomes += more.distinct_outcomes;
    for (sqlstate, schedules) in &more.failed {
        match counts.failed.iter_mut().find(|(known, _)| known == sqlstate) {
            Some((_, known)) => *known += schedules,
            None => counts.failed.push((sqlstate.clone(), *schedules)),
        }
    }
}

impl Job for InterleavingsJob {
    type Report = Interleavings;

    fn step(&mut self, budget: u64) -> Progress<Interleavings> {
        match self.job.step(budget) {
            Progress::Finished(found) => match self.ended(&found) {
                Ok(progress) => progress,
                Err(message) => Progress::Failed(vec![problem(message, None)]),
            },
            Progress::Running { .. } if self.listed.is_some() => Progress::Running {
                done: self.listed.unwrap_or(0) as u64,
                of: self.spec.permutations.len() as u64,
                what: "Permutations".to_owned(),
            },
            Progress::Running { done, of, what } => Progress::Running { done, of, what },
            Progress::Failed(found) => Progress::Failed(found),
        }
    }
}
