//! Ranges of days: PostgreSQL's `daterange`, always in the form that it is kept in, `[from, to)`.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Days count from 2000-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DateRange {
    Empty,
    /// From this day on, up to the day before that one; `None`: without bound.
    Days {
        from: Option<i32>,
        to: Option<i32>,
    },
}

/// Why two bounds make no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRange {
    /// The lower bound is above the upper one.
    Reversed,
    /// A bound's next day is none that can be told.
    TooLate,
}

impl DateRange {
    /// Each bound with whether the day itself belongs to the range.
    pub fn new(lower: Option<(i32, bool)>, upper: Option<(i32, bool)>) -> Result<DateRange, NoRange> {
        if let (Some((lower, _)), Some((upper, _))) = (lower, upper)
            && lower > upper
        {
            return Err(NoRange::Reversed);
        }
        let next = |day: i32, skip: bool| day.checked_add(i32::from(skip)).ok_or(NoRange::TooLate);
        let from = lower.map(|(day, inclusive)| next(day, !inclusive)).transpose()?;
        let to = upper.map(|(day, inclusive)| next(day, inclusive)).transpose()?;
        Ok(DateRange::between(from, to))
    }

    fn between(from: Option<i32>, to: Option<i32>) -> DateRange {
        match (from, to) {
            (Some(from), Some(to)) if from >= to => DateRange::Empty,
            _ => DateRange::Days { from, to },
        }
    }

    pub fn lower(self) -> Option<i32> {
        match self {
            DateRange::Empty => None,
            DateRange::Days { from, .. } => from,
        }
    }

    /// The first day after it.
    pub fn upper(self) -> Option<i32> {
        match self {
            DateRange::Empty => None,
            DateRange::Days { to, .. } => to,
        }
    }

    pub fn is_empty(self) -> bool {
        self == DateRange::Empty
    }

    pub fn contains(self, other: DateRange) -> bool {
        other.is_empty() || self.intersection(other) == other
    }

    pub fn contains_day(self, day: i32) -> bool {
        match self {
            DateRange::Empty => false,
            DateRange::Days { from, to } => from.is_none_or(|from| from <= day) && to.is_none_or(|to| day < to),
        }
    }

    pub fn overlaps(self, other: DateRange) -> bool {
        !self.intersection(other).is_empty()
    }

    fn intersection(self, other: DateRange) -> DateRange {
        if self.is_empty() || other.is_empty() {
            return DateRange::Empty;
        }
        let to = match (self.upper(), other.upper()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        // No bound is less than any.
        DateRange::between(self.lower().max(other.lower()), to)
    }

    /// Does it end before the other one begins?
    pub fn is_left_of(self, other: DateRange) -> bool {
        let apart = self.upper().zip(other.lower()).is_some_and(|(to, from)| to <= from);
        apart && !self.is_empty() && !other.is_empty()
    }

    /// Is there no day between them, and none in both?
    pub fn is_adjacent_to(self, other: DateRange) -> bool {
        let touch = |a: Option<i32>, b: Option<i32>| a.is_some() && a == b;
        touch(self.upper(), other.lower()) || touch(other.upper(), self.lower())
    }

    /// PostgreSQL's order: the empty one, then by lower, then by upper bounds.
    pub fn compare(self, other: DateRange) -> Ordering {
        let key = |range: DateRange| {
            let to = range.upper();
            (!range.is_empty(), range.lower(), to.is_none(), to)
        };
        key(self).cmp(&key(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days in a window that is wider than all bounds.
    fn days(range: DateRange) -> Vec<i32> {
        (-3..9).filter(|day| range.contains_day(*day)).collect()
    }

    #[test]
    fn ranges_relate_as_their_days_do() {
        let bounds = || (0..6).map(Some).chain([None]);
        let all: Vec<DateRange> = bounds()
            .flat_map(|from| bounds().map(move |to| DateRange::between(from, to)))
            .collect();
        for &a in &all {
            for &b in &all {
                let (x, y) = (days(a), days(b));
                assert_eq!(a.contains(b), y.iter().all(|day| x.contains(day)), "{a:?} {b:?}");
                assert_eq!(a.overlaps(b), y.iter().any(|day| x.contains(day)), "{a:?} {b:?}");
                let left = !x.is_empty() && !y.is_empty() && x.last() < y.first();
                assert_eq!(a.is_left_of(b), left, "{a:?} {b:?}");
                let touch = |x: &[i32], y: &[i32]| x.last().map(|day| day + 1) == y.first().copied() && !y.is_empty();
                assert_eq!(a.is_adjacent_to(b), touch(&x, &y) || touch(&y, &x), "{a:?} {b:?}");
                assert_eq!(a.compare(b).is_eq(), a == b);
            }
        }
    }

    #[test]
    fn bounds_become_days() {
        let range = |from, to| Ok(DateRange::Days { from, to });
        assert_eq!(
            DateRange::new(Some((1, false)), Some((4, true))),
            range(Some(2), Some(5))
        );
        assert_eq!(DateRange::new(None, Some((4, false))), range(None, Some(4)));
        assert_eq!(DateRange::new(Some((1, false)), Some((2, false))), Ok(DateRange::Empty));
        assert_eq!(DateRange::new(Some((2, true)), Some((1, true))), Err(NoRange::Reversed));
        assert_eq!(DateRange::new(Some((i32::MAX, false)), None), Err(NoRange::TooLate));
    }
}
