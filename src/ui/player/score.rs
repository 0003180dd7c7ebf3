//! What happens in the executions that are looked at, in one order: what the time cursor moves along.
//!
//! Several events can lie at one instant; stepping must come to each of them, so that a cursor knows its
//! instant and how many events have happened.

use base::{Nanos, Time};
use report::Sequence;

/// The events of one or two executions, each measured from the instant when its request was asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Score {
    moments: Vec<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    at: Time,
    execution: usize,
    sentence: usize,
}

/// Where in time the page is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: Time,
    /// Of the score's events, so many have happened.
    passed: usize,
}

impl Score {
    pub(crate) fn new(sequences: &[Sequence]) -> Score {
        let mut moments: Vec<Moment> = Vec::new();
        for (execution, sequence) in sequences.iter().enumerate() {
            let moment = |(sentence, said): (usize, &report::Sentence)| Moment {
                at: said.at,
                execution,
                sentence,
            };
            moments.extend(sequence.sentences.iter().enumerate().map(moment));
        }
        // Stable: at one instant in the order of the executions, each in its own.
        moments.sort_by_key(|moment| moment.at);
        Score { moments }
    }

    pub(crate) fn len(&self) -> usize {
        self.moments.len()
    }

    /// All that happens up to an instant has happened; the first event always has.
    pub(crate) fn until(&self, at: Time) -> Cursor {
        let passed = self.moments.partition_point(|moment| moment.at <= at);
        if passed == 0 {
            self.nth(0)
        } else {
            Cursor { at, passed }
        }
    }

    /// At the n-th event, from 0; at the last one if there are fewer.
    pub(crate) fn nth(&self, index: usize) -> Cursor {
        let index = index.min(self.moments.len().saturating_sub(1));
        self.moments.get(index).map_or_else(Cursor::default, |moment| Cursor {
            at: moment.at,
            passed: index + 1,
        })
    }

    /// At a sentence of an execution.
    pub(crate) fn sentence(&self, execution: usize, sentence: usize) -> Cursor {
        let is_it = |moment: &Moment| moment.execution == execution && moment.sentence == sentence;
        self.nth(self.moments.iter().position(is_it).unwrap_or(0))
    }

    pub(crate) fn next(&self, cursor: Cursor) -> Cursor {
        self.nth(cursor.passed)
    }

    /// Between two events: back to the earlier one.
    pub(crate) fn previous(&self, cursor: Cursor) -> Cursor {
        let current = cursor.index();
        if self.moments.get(current).is_some_and(|moment| moment.at < cursor.at) {
            self.nth(current)
        } else {
            self.nth(current.saturating_sub(1))
        }
    }

    pub(crate) fn last(&self) -> Cursor {
        self.nth(usize::MAX)
    }

    /// The sentence that an execution has come to; `None`: nothing of it has happened yet.
    pub(crate) fn current(&self, cursor: Cursor, execution: usize) -> Option<usize> {
        let happened = &self.moments[..cursor.passed.min(self.moments.len())];
        let last = happened.iter().rev().find(|moment| moment.execution == execution);
        last.map(|moment| moment.sentence)
    }

    /// The execution and the sentence of the event that happened last.
    pub(crate) fn latest(&self, cursor: Cursor) -> Option<(usize, usize)> {
        let moment = self.moments.get(cursor.index())?;
        Some((moment.execution, moment.sentence))
    }
}

impl Cursor {
    /// Of the event that happened last, from 0.
    pub(crate) fn index(self) -> usize {
        self.passed.saturating_sub(1)
    }
}

/// The slowdown at which so much takes about a quarter of a minute: among 1, 10, 100 and 1,000.
pub(crate) fn fitting_slowdown(length: Nanos) -> u64 {
    const WATCHED: Nanos = Nanos::from_secs(16);
    let fits = |slowdown: &u64| length.0.saturating_mul(*slowdown) <= WATCHED.0;
    SLOWDOWNS.into_iter().rev().find(fits).unwrap_or(1)
}

pub(crate) const SLOWDOWNS: [u64; 4] = [1, 10, 100, 1_000];

#[cfg(test)]
mod tests {
    use report::{Sentence, Tone};

    use super::*;

    fn sequence(instants: &[u64]) -> Sequence {
        let sentence = |at: &u64| Sentence {
            at: Time(*at),
            text: format!("at {at}"),
            tone: Tone::Plain,
            lane: None,
        };
        Sequence {
            operation: "a".to_owned(),
            title: "a".to_owned(),
            to: Time(100),
            lanes: vec![],
            marks: vec![],
            sentences: instants.iter().map(sentence).collect(),
        }
    }

    #[test]
    fn stepping_comes_to_each_of_several_events_at_one_instant() {
        let score = Score::new(&[sequence(&[0, 5, 5, 5, 9])]);
        let mut cursor = score.nth(0);
        let mut seen = vec![score.current(cursor, 0)];
        for _ in 0..5 {
            cursor = score.next(cursor);
            seen.push(score.current(cursor, 0));
        }
        assert_eq!(seen, [Some(0), Some(1), Some(2), Some(3), Some(4), Some(4)]);
        for expected in [3, 2, 1, 0, 0] {
            cursor = score.previous(cursor);
            assert_eq!(score.current(cursor, 0), Some(expected));
        }
    }

    #[test]
    fn between_two_events_stepping_goes_to_either_neighbour() {
        let score = Score::new(&[sequence(&[0, 5, 9])]);
        let between = score.until(Time(7));
        assert_eq!((between.at, score.current(between, 0)), (Time(7), Some(1)));
        assert_eq!(score.previous(between).at, Time(5));
        assert_eq!(score.next(between).at, Time(9));
    }

    #[test]
    fn two_executions_share_one_cursor() {
        let score = Score::new(&[sequence(&[0, 5, 20]), sequence(&[0, 3, 5])]);
        let at_five = score.until(Time(5));
        assert_eq!(
            (score.current(at_five, 0), score.current(at_five, 1)),
            (Some(1), Some(2))
        );
        assert_eq!(score.latest(at_five), Some((1, 2)));
        let at_start = score.nth(0);
        assert_eq!(
            (score.current(at_start, 0), score.current(at_start, 1)),
            (Some(0), None)
        );
        assert_eq!(score.sentence(1, 1).at, Time(3));
        assert_eq!(score.last().at, Time(20));
    }

    #[test]
    fn without_events_there_is_still_a_cursor() {
        let score = Score::new(&[sequence(&[])]);
        for cursor in [
            score.nth(3),
            score.last(),
            score.until(Time(9)),
            score.next(Cursor::default()),
        ] {
            assert_eq!((cursor.at, score.latest(cursor)), (Time::ZERO, None));
        }
    }

    #[test]
    fn a_longer_execution_is_played_faster() {
        assert_eq!(fitting_slowdown(Nanos::from_millis(14)), 1_000);
        assert_eq!(fitting_slowdown(Nanos::from_millis(140)), 100);
        assert_eq!(fitting_slowdown(Nanos::from_secs(600)), 1);
    }
}
