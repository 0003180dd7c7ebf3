//! Experiments from a scenario's text to a report.

use experiment::{Job, Progress};

mod bill;
mod bus;
mod draw;
mod dynamodb;
mod object_store;
mod other_fields;
mod probe;
mod schedule;
mod sign_up;

/// Steps a job to its end, in small slices.
fn finish<J: Job>(job: Result<J, Vec<scenario::Diagnostic>>) -> J::Report {
    let mut job = job.unwrap_or_else(|found| panic!("{found:?}"));
    loop {
        match job.step(10_000) {
            Progress::Running { .. } => {}
            Progress::Finished(report) => return *report,
            Progress::Failed(found) => panic!("{found:?}"),
        }
    }
}
