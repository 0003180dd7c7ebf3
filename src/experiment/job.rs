//! Long work in slices: a job is a state machine that its caller steps, so that a page shows progress and
//! hears Cancel, and a command line just loops. To cancel a job is to drop it.

use scenario::Diagnostic;

pub trait Job {
    type Report;

    /// Goes on for about so many events.
    fn step(&mut self, budget: u64) -> Progress<Self::Report>;
}

#[derive(Debug)]
pub enum Progress<R> {
    /// `what` names what is being done: `Database per service: load`.
    Running {
        done: u64,
        of: u64,
        what: String,
    },
    Finished(Box<R>),
    /// The choice cannot be run on a design: a fault at a step that it does not have.
    Failed(Vec<Diagnostic>),
}
