//! The one scheduler: what happens next, ordered by (instant, sequence number).
//!
//! Things planned for the same instant happen in the order in which they were planned, so that a run is
//! a function of its inputs. It knows nothing of what it schedules.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::{Hash, Hasher};

use base::{Nanos, Time};

#[derive(Clone, Debug)]
pub struct Scheduler<T> {
    now: Time,
    sequence: u64,
    happened: u64,
    heap: BinaryHeap<Entry<T>>,
    /// Timers by their span: those of one span end in the order in which they were set.
    lines: Vec<(Nanos, VecDeque<Entry<T>>)>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    at: Time,
    sequence: u64,
    what: T,
}

/// More different spans than this go to the heap.
const LINES: usize = 4;

impl<T> Scheduler<T> {
    pub fn new() -> Scheduler<T> {
        Scheduler {
            now: Time::ZERO,
            sequence: 0,
            happened: 0,
            heap: BinaryHeap::new(),
            lines: Vec::new(),
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

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty() && self.lines.iter().all(|(_, line)| line.is_empty())
    }

    /// Plans `what`; an instant in the past means now.
    pub fn at(&mut self, at: Time, what: T) {
        let entry = self.entry(at, what);
        self.heap.push(entry);
    }

    pub fn after(&mut self, span: Nanos, what: T) {
        self.at(self.now + span, what);
    }

    /// As [`Scheduler::after`], for time-outs: one of few spans, and mostly void when it ends. They wait beside the heap,
    /// whose depth they would otherwise determine.
    pub fn timer(&mut self, span: Nanos, what: T) {
        let entry = self.entry(self.now + span, what);
        match self.lines.iter().position(|(known, _)| *known == span) {
            Some(line) => self.lines[line].1.push_back(entry),
            None if self.lines.len() < LINES => self.lines.push((span, VecDeque::from([entry]))),
            None => self.heap.push(entry),
        }
    }

    fn entry(&mut self, at: Time, what: T) -> Entry<T> {
        let sequence = self.sequence;
        self.sequence += 1;
        Entry {
            at: at.max(self.now),
            sequence,
            what,
        }
    }

    /// Takes what comes next, and makes its instant the present.
    pub fn take(&mut self) -> Option<T> {
        let mut first: Option<(Time, u64, Option<usize>)> =
            self.heap.peek().map(|entry| (entry.at, entry.sequence, None));
        for (index, (_, line)) in self.lines.iter().enumerate() {
            if let Some(entry) = line.front()
                && first.is_none_or(|(at, sequence, _)| (entry.at, entry.sequence) < (at, sequence))
            {
                first = Some((entry.at, entry.sequence, Some(index)));
            }
        }
        let entry = match first? {
            (_, _, None) => self.heap.pop()?,
            (_, _, Some(line)) => self.lines[line].1.pop_front()?,
        };
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
        let timers = self.lines.iter().flat_map(|(_, line)| line);
        let mut entries: Vec<&Entry<T>> = self.heap.iter().chain(timers).collect();
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

    #[test]
    fn timers_happen_in_the_same_order_as_anything_else() {
        let (mut with, mut without) = (Scheduler::new(), Scheduler::new());
        let mut stream = base::random::Stream::new(1, "timers", 0);
        for n in 0..2_000 {
            let span = Nanos(10 * stream.below(6));
            with.timer(span, n);
            without.after(span, n);
            if n % 3 == 0 {
                assert_eq!(with.take(), without.take());
            }
        }
        while !without.is_empty() {
            assert_eq!(with.take(), without.take());
        }
        assert!(with.is_empty());
    }
}
