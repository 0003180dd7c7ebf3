//! Experiments as the desk sees them: something that is stepped until it has its answer.

use base::Nanos;
use experiment::schedule::{InterleavingsJob, Orders};
use experiment::{AtomicityJob, BoardJob, Choice, DrawJob, Job, PostgresJob, Progress, RunJob};
use protocol::{Diagnostic, Experiment, Question, Reply, Report, RunOptions, Sealed, Ticket};
use report::isolation::Interleavings;
use report::{AtomicityReport, DrawReport, RunReport};

use crate::answer::diagnostics;

pub(crate) trait Work {
    /// Goes on for about so many events.
    fn step(&mut self, ticket: Ticket, budget: u64) -> Step;
}

pub(crate) enum Step {
    Running {
        done: u64,
        of: u64,
        what: String,
    },
    /// There is something to show; it goes on.
    SoFar(Box<Reply>),
    Over(Box<Reply>),
}

/// The work that answers a question.
///
/// # Errors
///
/// What is wrong with the text or the options.
pub(crate) fn begin(question: Question) -> Result<Box<dyn Work>, Vec<Diagnostic>> {
    let Question {
        slug,
        text,
        options,
        experiment,
        ..
    } = question;
    let choice = choice(options);
    let work: Result<Box<dyn Work>, _> = match experiment {
        Experiment::Run => {
            let reply = |ticket, report: Sealed<RunReport>| Reply::Ran { ticket, report };
            RunJob::new(&slug, &text, &choice).map(|job| Box::new(Answered { job, reply }) as _)
        }
        Experiment::Atomicity { operation } => {
            let reply = |ticket, report: Sealed<AtomicityReport>| Reply::Explored { ticket, report };
            let job = AtomicityJob::new(&slug, &text, &choice, &operation);
            job.map(|job| Box::new(Answered { job, reply }) as _)
        }
        Experiment::Compare => BoardJob::new(&slug, &text, &choice).map(|job| Box::new(Growing { job, told: 0 }) as _),
        Experiment::Draw { operation } => {
            let reply = |ticket, report: Sealed<DrawReport>| Reply::Drawn { ticket, report };
            let job = DrawJob::new(&slug, &text, &choice, &operation);
            job.map(|job| Box::new(Answered { job, reply }) as _)
        }
        Experiment::Script { probe } => {
            let job = PostgresJob::of_probe(&slug, &text, &choice, &probe);
            job.map(|job| Box::new(InParts { job }) as _)
        }
        Experiment::Interleave { listed, level } => {
            let orders = if listed { Orders::Listed } else { Orders::All };
            let reply = |ticket, report: Sealed<Interleavings>| Reply::Interleaved { ticket, report };
            let job = InterleavingsJob::new(&text, orders, level.as_deref());
            job.map(|job| Box::new(Answered { job, reply }) as _)
        }
    };
    work.map_err(diagnostics)
}

/// A script for PostgreSQL, told part after part.
struct InParts {
    job: PostgresJob,
}

impl Work for InParts {
    fn step(&mut self, ticket: Ticket, budget: u64) -> Step {
        if let Some(part) = self.job.take_part() {
            return Step::SoFar(Box::new(Reply::ScriptPart { ticket, part }));
        }
        match self.job.step(budget) {
            Progress::Running { done, of, what } => Step::Running { done, of, what },
            Progress::Finished(script) => over(ticket, &*script, |ticket, script| Reply::Scripted { ticket, script }),
            Progress::Failed(found) => Step::Over(Box::new(Reply::Refused {
                ticket,
                diagnostics: diagnostics(found),
            })),
        }
    }
}

/// The board, told again with each row that it gets.
struct Growing {
    job: BoardJob,
    told: usize,
}

impl Work for Growing {
    fn step(&mut self, ticket: Ticket, budget: u64) -> Step {
        match self.job.step(budget) {
            Progress::Running { .. } if self.job.board().rows() > self.told => {
                self.told = self.job.board().rows();
                Step::SoFar(Box::new(Reply::Compared {
                    ticket,
                    board: Box::new(self.job.board().clone()),
                    complete: false,
                }))
            }
            Progress::Running { done, of, what } => Step::Running { done, of, what },
            Progress::Finished(board) => Step::Over(Box::new(Reply::Compared {
                ticket,
                board,
                complete: true,
            })),
            Progress::Failed(found) => Step::Over(Box::new(Reply::Refused {
                ticket,
                diagnostics: diagnostics(found),
            })),
        }
    }
}

/// A job with the message that carries its report.
struct Answered<J: Job> {
    job: J,
    reply: fn(Ticket, Sealed<J::Report>) -> Reply,
}

impl<J: Job<Report: Report>> Work for Answered<J> {
    fn step(&mut self, ticket: Ticket, budget: u64) -> Step {
        match self.job.step(budget) {
            Progress::Running { done, of, what } => Step::Running { done, of, what },
            Progress::Finished(report) => over(ticket, &*report, self.reply),
            Progress::Failed(found) => Step::Over(Box::new(Reply::Refused {
                ticket,
                diagnostics: diagnostics(found),
            })),
        }
    }
}

/// The last word: a report, sealed.
fn over<T: Report>(ticket: Ticket, report: &T, reply: impl FnOnce(Ticket, Sealed<T>) -> Reply) -> Step {
    Step::Over(Box::new(match Sealed::new(report) {
        Ok(sealed) => reply(ticket, sealed),
        Err(message) => Reply::Panicked {
            message: format!("an answer could not be written: {message}"),
        },
    }))
}

fn choice(options: RunOptions) -> Choice {
    let RunOptions {
        architectures,
        seed,
        fault,
        requests,
        sabotage,
        target_p99_ms,
        prices,
    } = options;
    Choice {
        designs: architectures,
        seed,
        fault,
        requests,
        sabotage,
        target_p99: target_p99_ms.map(|target| Nanos::from_millis(u64::from(target))),
        price_book: None,
        prices,
    }
}
