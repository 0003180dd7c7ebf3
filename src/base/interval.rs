//! A span as PostgreSQL keeps it: months and days are not a number of seconds.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

const MICROS_PER_DAY: i128 = 86_400_000_000;

impl Interval {
    /// What its order goes by: a month is thirty days, a day 24 hours.
    pub fn span_micros(self) -> i128 {
        i128::from(self.micros) + (i128::from(self.days) + 30 * i128::from(self.months)) * MICROS_PER_DAY
    }

    pub fn checked_neg(self) -> Option<Interval> {
        Some(Interval {
            months: self.months.checked_neg()?,
            days: self.days.checked_neg()?,
            micros: self.micros.checked_neg()?,
        })
    }

    pub fn checked_add(self, other: Interval) -> Option<Interval> {
        Some(Interval {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            micros: self.micros.checked_add(other.micros)?,
        })
    }
}

/// `1 mon` and `30 days` are equal.
impl PartialEq for Interval {
    fn eq(&self, other: &Interval) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Interval {}

impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Interval) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Interval {
    fn cmp(&self, other: &Interval) -> Ordering {
        self.span_micros().cmp(&other.span_micros())
    }
}

impl Hash for Interval {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.span_micros().hash(state);
    }
}

/// The style `postgres`: `1 year 2 mons -3 days +04:05:06.7`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.months / 12, "year"),
            (self.months % 12, "mon"),
            (self.days, "day"),
        ];
        let mut before: Option<bool> = None;
        for (amount, unit) in parts.into_iter().filter(|(amount, _)| *amount != 0) {
            let space = if before.is_some() { " " } else { "" };
            // A number behind a negative one says that it is positive.
            let plus = if before == Some(true) && amount > 0 { "+" } else { "" };
            let plural = if amount == 1 { "" } else { "s" };
            write!(f, "{space}{plus}{amount} {unit}{plural}")?;
            before = Some(amount < 0);
        }
        if self.micros == 0 && before.is_some() {
            return Ok(());
        }
        let space = if before.is_some() { " " } else { "" };
        let sign = match (self.micros < 0, before) {
            (true, _) => "-",
            (false, Some(true)) => "+",
            _ => "",
        };
        let (seconds, fraction) = (
            self.micros.unsigned_abs() / 1_000_000,
            self.micros.unsigned_abs() % 1_000_000,
        );
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(f, "{space}{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60)?;
        if fraction != 0 {
            write!(f, ".{}", format!("{fraction:06}").trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(months: i32, days: i32, micros: i64) -> Interval {
        Interval { months, days, micros }
    }

    #[test]
    fn printed_as_postgresql_does() {
        for (value, text) in [
            (interval(0, 0, 0), "00:00:00"),
            (interval(14, 3, 14_706_700_000), "1 year 2 mons 3 days 04:05:06.7"),
            (interval(1, -1, 3_600_000_000), "1 mon -1 days +01:00:00"),
            (interval(-13, 2, -1), "-1 years -1 mons +2 days -00:00:00.000001"),
            (interval(0, 1, 0), "1 day"),
            (interval(0, 0, 360_000_000_000), "100:00:00"),
        ] {
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn a_month_is_thirty_days_where_they_are_compared() {
        assert_eq!(interval(1, 0, 0), interval(0, 30, 0));
        assert!(interval(0, 31, 0) > interval(1, 0, 0));
        assert_eq!(interval(0, 1, 0), interval(0, 0, 86_400_000_000));
    }
}
