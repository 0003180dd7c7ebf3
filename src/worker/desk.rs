//! What lies on the worker's desk: short questions are answered at once, a long one is worked off in
//! slices. No browser in here: time is a function that the caller gives.

use protocol::{Reply, Request, Ticket};

use crate::answer;
use crate::experiments::{self, Step, Work};

/// Between two slices the worker hears Cancel, so this is how long Cancel waits.
const SLICE_MS: f64 = 30.0;
/// Progress more often than this only costs the page.
const PROGRESS_MS: f64 = 80.0;

/// Events that a step is asked for at first; then what fits a slice.
const FIRST_BUDGET: u64 = 2_000;
const LEAST_BUDGET: u64 = 100;
const MOST_BUDGET: u64 = 1_000_000;

#[derive(Default)]
pub(crate) struct Desk {
    current: Option<Current>,
}

struct Current {
    ticket: Ticket,
    work: Box<dyn Work>,
    budget: u64,
    /// When progress was last told.
    told: f64,
}

impl Desk {
    pub(crate) fn is_idle(&self) -> bool {
        self.current.is_none()
    }

    pub(crate) fn take(&mut self, request: Request) -> Vec<Reply> {
        match request {
            Request::Check { ticket, scenario } => vec![answer::check(ticket, &scenario)],
            Request::CheckSchedule { ticket, schedule } => vec![answer::check_schedule(ticket, &schedule)],
            Request::Pack { ticket, text } => vec![answer::pack(ticket, &text)],
            Request::Unpack { ticket, packed } => vec![answer::unpack(ticket, &packed)],
            Request::Ask(question) => self.begin(question.ticket, experiments::begin(question)),
            Request::Cancel { ticket } => self.cancel(|current| current == ticket),
        }
    }

    /// A new experiment takes the place of one that still runs.
    fn begin(&mut self, ticket: Ticket, begun: Result<Box<dyn Work>, Vec<protocol::Diagnostic>>) -> Vec<Reply> {
        let mut replies = self.cancel(|_| true);
        match begun {
            Ok(work) => {
                self.current = Some(Current {
                    ticket,
                    work,
                    budget: FIRST_BUDGET,
                    told: 0.0,
                })
            }
            Err(diagnostics) => replies.push(Reply::Refused { ticket, diagnostics }),
        }
        replies
    }

    /// To cancel is to drop.
    fn cancel(&mut self, concerns: impl Fn(Ticket) -> bool) -> Vec<Reply> {
        let cancelled = self.current.take_if(|current| concerns(current.ticket));
        cancelled
            .map(|current| Reply::Cancelled { ticket: current.ticket })
            .into_iter()
            .collect()
    }

    /// One slice of the long question; `now` in milliseconds.
    pub(crate) fn work(&mut self, now: impl Fn() -> f64) -> Vec<Reply> {
        let Some(current) = &mut self.current else {
            return Vec::new();
        };
        let ticket = current.ticket;
        let start = now();
        loop {
            let before = now();
            match current.work.step(ticket, current.budget) {
                Step::SoFar(reply) => return vec![*reply],
                Step::Over(reply) => {
                    self.current = None;
                    return vec![*reply];
                }
                Step::Running { done, of, what } => {
                    let after = now();
                    current.budget = next_budget(current.budget, after - before);
                    if after - start < SLICE_MS {
                        continue;
                    }
                    if after - current.told < PROGRESS_MS {
                        return Vec::new();
                    }
                    current.told = after;
                    return vec![Reply::Progress { ticket, done, of, what }];
                }
            }
        }
    }
}

/// A step should take about a third of a slice. The budget decides only how often the worker listens,
/// never what it finds.
fn next_budget(budget: u64, took_ms: f64) -> u64 {
    let next = if took_ms > SLICE_MS {
        budget / 2
    } else if took_ms < SLICE_MS / 3.0 {
        budget * 2
    } else {
        budget
    };
    next.clamp(LEAST_BUDGET, MOST_BUDGET)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use protocol::{Experiment, Question, RunOptions};

    use super::*;

    /// Counts to `left`, then is over.
    struct Counter {
        left: u64,
    }

    impl Work for Counter {
        fn step(&mut self, ticket: Ticket, _: u64) -> Step {
            if self.left == 0 {
                return Step::Over(Box::new(Reply::Refused {
                    ticket,
                    diagnostics: vec![],
                }));
            }
            self.left -= 1;
            Step::Running {
                done: 1,
                of: 2,
                what: "count".to_owned(),
            }
        }
    }

    fn desk(ticket: Ticket, left: u64) -> Desk {
        let mut desk = Desk::default();
        assert!(desk.begin(ticket, Ok(Box::new(Counter { left }))).is_empty());
        desk
    }

    /// A clock that goes on by so much with every look.
    fn clock(step: f64) -> impl Fn() -> f64 {
        let time = Cell::new(1_000.0);
        move || time.replace(time.get() + step)
    }

    #[test]
    fn a_slice_ends_in_time_and_tells_how_far_it_is() {
        let mut desk = desk(7, 1_000);
        let replies = desk.work(clock(1.0));
        assert!(
            matches!(
                &replies[..],
                [Reply::Progress {
                    ticket: 7,
                    done: 1,
                    of: 2,
                    ..
                }]
            ),
            "{replies:?}"
        );
        assert!(!desk.is_idle());
    }

    #[test]
    fn an_experiment_ends_with_its_answer() {
        let mut desk = desk(7, 3);
        assert_eq!(
            desk.work(clock(1.0)),
            [Reply::Refused {
                ticket: 7,
                diagnostics: vec![]
            }]
        );
        assert!(desk.is_idle() && desk.work(clock(1.0)).is_empty());
    }

    #[test]
    fn cancel_takes_the_experiment_away_and_no_other() {
        let mut desk = desk(7, 1_000);
        assert!(desk.take(Request::Cancel { ticket: 6 }).is_empty());
        assert_eq!(
            desk.take(Request::Cancel { ticket: 7 }),
            [Reply::Cancelled { ticket: 7 }]
        );
        assert!(desk.is_idle());
        assert!(desk.take(Request::Cancel { ticket: 7 }).is_empty());
    }

    #[test]
    fn a_scenario_that_cannot_be_read_is_refused_with_its_place() {
        let replies = Desk::default().take(Request::Ask(Question {
            ticket: 1,
            slug: String::new(),
            text: "title = ".to_owned(),
            options: RunOptions::default(),
            experiment: Experiment::Run,
        }));
        let [Reply::Refused { diagnostics, .. }] = &replies[..] else {
            panic!("{replies:?}")
        };
        assert!(
            diagnostics.iter().any(|diagnostic| diagnostic.line == 1),
            "{diagnostics:?}"
        );
    }

    #[test]
    fn a_schedule_that_cannot_be_read_is_refused_with_its_place() {
        let replies = Desk::default().take(Request::Ask(Question {
            ticket: 1,
            slug: String::new(),
            text: "session s1\nstep a { SELECT 1; }\nstep a { SELECT 2; }".to_owned(),
            options: RunOptions::default(),
            experiment: Experiment::Interleave {
                listed: false,
                level: None,
            },
        }));
        let [Reply::Refused { diagnostics, .. }] = &replies[..] else {
            panic!("{replies:?}")
        };
        assert_eq!((diagnostics[0].line, diagnostics[0].column), (3, 6));
    }

    #[test]
    fn budgets_follow_the_time_that_they_took() {
        assert_eq!(next_budget(2_000, 100.0), 1_000);
        assert_eq!(next_budget(2_000, 15.0), 2_000);
        assert_eq!(next_budget(2_000, 1.0), 4_000);
        assert_eq!(next_budget(MOST_BUDGET, 0.0), MOST_BUDGET);
    }
}
