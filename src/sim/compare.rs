//! Two runs that should be one: names the first event in which they differ.

use program::Event;

use crate::simulation::{Progress, Simulation};

/// The first place at which two traces part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Counted from 0.
    pub index: u64,
    /// `None`: this run has ended before.
    pub left: Option<Event>,
    pub right: Option<Event>,
}

/// Runs both side by side to their ends, or to the first event in which they differ. Both must record everything.
pub fn first_difference(left: &mut Simulation, right: &mut Simulation) -> Option<Difference> {
    let (mut compared, mut lefts, mut rights) = (0, Vec::new(), Vec::new());
    loop {
        let ended = [&mut *left, &mut *right].map(|run| matches!(run.run_slice(1_000), Progress::Done(_)));
        lefts.append(&mut left.take_recorded());
        rights.append(&mut right.take_recorded());
        let common = lefts.len().min(rights.len());
        if let Some(at) = (0..common).find(|at| lefts[*at] != rights[*at]) {
            let (left, right) = (lefts.get(at).cloned(), rights.get(at).cloned());
            return Some(Difference {
                index: compared + at as u64,
                left,
                right,
            });
        }
        compared += common as u64;
        lefts.drain(..common);
        rights.drain(..common);
        if ended == [true, true] {
            let (left, right) = (lefts.into_iter().next(), rights.into_iter().next());
            return (left.is_some() || right.is_some()).then_some(Difference {
                index: compared,
                left,
                right,
            });
        }
    }
}
