//! All interleavings of a spec of one's own, as a report.

use report::isolation::{Interleavings, OutcomeReport};
use scenario::{Diagnostic, Place, Severity};

use super::enact::{Enactment, play};
use super::enumerate::{Enumeration, EnumerationJob};
use super::matrix::with;
use super::spec::{Spec, parse};
use crate::job::{Job, Progress};
use crate::settings::problem;

/// Outcomes that are listed, each with one of its schedules.
const MOST_OUTCOMES: usize = 40;

/// Of the steps that the spec's first permutation takes; of all, if it names none.
#[derive(Debug)]
pub struct InterleavingsJob {
    spec: Spec,
    job: EnumerationJob,
}

impl InterleavingsJob {
    /// # Errors
    ///
    /// A spec that is none, with the place; a setup that fails; more interleavings than are run.
    pub fn new(text: &str) -> Result<InterleavingsJob, Vec<Diagnostic>> {
        let spec = parse(text).map_err(|error| {
            let place = Place {
                line: error.line,
                column: error.column,
            };
            vec![Diagnostic {
                place,
                severity: Severity::Error,
                message: error.message,
                hint: None,
            }]
        })?;
        let told = |message: String| vec![problem(message, None)];
        let cast = enactment(&spec).cast().map_err(told)?;
        let job = EnumerationJob::new(cast).map_err(told)?;
        Ok(InterleavingsJob { spec, job })
    }

    fn report(&self, found: Enumeration) -> Result<Interleavings, String> {
        let enactment = enactment(&self.spec);
        let more_outcomes = found.outcomes.len().saturating_sub(MOST_OUTCOMES) as u64;
        let names = |sessions: &Vec<usize>| {
            let name = |session: &usize| self.spec.sessions[*session].name.clone();
            sessions.iter().map(name).collect()
        };
        let mut outcomes = Vec::new();
        for outcome in found.outcomes.iter().take(MOST_OUTCOMES) {
            outcomes.push(OutcomeReport {
                schedules: outcome.schedules,
                example: with(play(&self.spec, &enactment.turns(&outcome.example))?, outcome),
                serial: outcome.serial.as_ref().map(names),
                unexplained: outcome.unexplained.clone(),
            });
        }
        Ok(Interleavings {
            sessions: enactment.session_steps(),
            counts: found.counts,
            outcomes,
            more_outcomes,
            stuck_example: enactment.names(&found.stuck_example),
            untold: found.untold,
        })
    }
}

fn enactment(spec: &Spec) -> Enactment<'_> {
    match spec.permutations.first() {
        Some(order) => Enactment::of_order(spec, order),
        None => Enactment::of_all_steps(spec),
    }
}

impl Job for InterleavingsJob {
    type Report = Interleavings;

    fn step(&mut self, budget: u64) -> Progress<Interleavings> {
        match self.job.step(budget) {
            Progress::Finished(found) => match self.report(*found) {
                Ok(report) => Progress::Finished(Box::new(report)),
                Err(message) => Progress::Failed(vec![problem(message, None)]),
            },
            Progress::Running { done, of, what } => Progress::Running { done, of, what },
            Progress::Failed(found) => Progress::Failed(found),
        }
    }
}
