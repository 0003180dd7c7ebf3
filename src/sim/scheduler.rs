//! The one scheduler: what happens next, ordered by (instant, sequence number).
//!
//! Things planned for the same instant happen in the order in which they were planned, so that a run is
//! a function of its inputs. It knows nothing of what it schedules.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hash::{Hash, Hasher};

use base::{Nanos, Time};

#[derive(Clone, Debug)]
pub struct Scheduler<T> {
    now: Time,
    sequence: u64,
    happened: u64,
    heap: BinaryHeap<Entry<T>>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    at: Time,
    sequence: u64,
    what: T,
}

impl<T> Scheduler<T> {
    pub fn new() -> Scheduler<T> {
        Scheduler {
            now: Time::ZERO,
            sequence: 0,
            happened: 0,
            heap: BinaryHeap::new(),
        }
    }

    /// The present: the instant of what was last taken.
    pub fn now(&self) -> Time {
        self.now
    }

    /// How much has happened so far.
    pub fn happened(&self) -> u64 {
        self.happened
    }

    pub fn len(&self) -> usize {
        self.heap.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Plans `what`; an instant in the past means now.
    pub fn at(&mut self, at: Time, what: T) {
        let sequence = self.sequence;
        self.sequence += 1;
        self.heap.push(Entry {
            at: at.max(self.now),
            sequence,
            what,
        });
    }

    pub fn after(&mut self, span: Nanos, what: T) {
        self.at(self.now + span, what);
    }

    /// Takes what comes next, and makes its instant the present.
    pub fn take(&mut self) -> Option<T> {
        let entry = self.heap.pop()?;
        self.now = entry.at;
        self.happened += 1;
        Some(entry.what)
    }
}

impl<T> Default for Scheduler<T> {
    fn default() -> Self {
        Scheduler::new()
    }
}

/// What is planned, in the order in which it will happen: independent of the heap's shape.
impl<T: Hash> Hash for Scheduler<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, self.sequence, self.happened).hash(state);
        let mut entries: Vec<&Entry<T>> = self.heap.iter().collect();
        entries.sort_unstable_by_key(|entry| (entry.at, entry.sequence));
        for entry in entries {
            (entry.at, entry.sequence).hash(state);
            entry.what.hash(state);
        }
    }
}

impl<T> Ord for Entry<T> {
    /// Reversed: the heap's greatest is what happens first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_keeps_the_order_of_planning_and_the_past_is_now() {
        let mut scheduler = Scheduler::new();
        scheduler.at(Time(20), "c");
        scheduler.at(Time(10), "a");
        scheduler.at(Time(10), "b");
        assert_eq!(scheduler.take(), Some("a"));
        scheduler.at(Time(3), "now");
        assert_eq!(scheduler.take(), Some("b"), "planned earlier for the same instant");
        assert_eq!(scheduler.take(), Some("now"));
        assert_eq!(scheduler.now(), Time(10));
        assert_eq!(scheduler.take(), Some("c"));
        assert_eq!(scheduler.take(), None);
    }
}
