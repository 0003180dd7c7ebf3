//! Values as they cross borders: parameters, registers and result rows.
//!
//! Rows *at rest* are bytes in the engine's pages; this enum exists only where a value travels.
//! `Value` is ordered and hashed structurally (not by SQL's rules): engines compare by type.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Decimal;

/// A result row or a row to load.
pub type Row = Arc<[Value]>;

/// The SQL types of the documented subset, by PostgreSQL's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Type {
    Bool,
    /// `int`, 32 bits.
    Int4,
    /// `bigint`, 64 bits.
    Int8,
    Text,
    /// Microseconds since 2000-01-01 00:00 UTC, as PostgreSQL stores it.
    Timestamptz,
    /// Kept as text; validated, not normalised.
    Jsonb,
    /// Exact, up to 38 digits.
    Numeric,
    Date,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    Null,
    Bool(bool),
    Int4(i32),
    Int8(i64),
    Text(Arc<str>),
    /// Microseconds since 2000-01-01 00:00 UTC.
    Timestamptz(i64),
    Jsonb(Arc<str>),
    Numeric(Arc<Decimal>),
    /// Days since 2000-01-01.
    Date(i32),
    /// A parameter of `= ANY ($n)`; never stored in a column.
    List(Arc<[Value]>),
}

impl Value {
    pub fn text(text: impl Into<Arc<str>>) -> Value {
        Value::Text(text.into())
    }

    pub fn numeric(number: Decimal) -> Value {
        Value::Numeric(Arc::new(number))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The integer in it, whichever width it has.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int4(n) => Some(i64::from(*n)),
            Value::Int8(n) => Some(*n),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Jsonb(text) => Some(text),
            _ => None,
        }
    }

    /// `None` for NULL and for a list.
    pub fn type_of(&self) -> Option<Type> {
        match self {
            Value::Null | Value::List(_) => None,
            Value::Bool(_) => Some(Type::Bool),
            Value::Int4(_) => Some(Type::Int4),
            Value::Int8(_) => Some(Type::Int8),
            Value::Text(_) => Some(Type::Text),
            Value::Timestamptz(_) => Some(Type::Timestamptz),
            Value::Jsonb(_) => Some(Type::Jsonb),
            Value::Numeric(_) => Some(Type::Numeric),
            Value::Date(_) => Some(Type::Date),
        }
    }
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "boolean",
            Type::Int4 => "integer",
            Type::Int8 => "bigint",
            Type::Text => "text",
            Type::Timestamptz => "timestamp with time zone",
            Type::Jsonb => "jsonb",
            Type::Numeric => "numeric",
            Type::Date => "date",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// For sentences and tables: text unquoted, NULL as `NULL`, time in ISO 8601 UTC. The SQL literal
/// form is the syntax room's business.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Bool(true) => f.write_str("t"),
            Value::Bool(false) => f.write_str("f"),
            Value::Int4(n) => write!(f, "{n}"),
            Value::Int8(n) => write!(f, "{n}"),
            Value::Text(text) | Value::Jsonb(text) => f.write_str(text),
            Value::Timestamptz(micros) => write_timestamp(f, *micros),
            Value::Numeric(number) => write!(f, "{number}"),
            Value::Date(days) => {
                let (year, month, day) = civil_from_days(i64::from(*days) + POSTGRES_EPOCH_DAYS);
                write!(f, "{year:04}-{month:02}-{day:02}")
            }
            Value::List(items) => {
                f.write_str("{")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Days since 1970-01-01 to a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level
/// date algorithms", `civil_from_days`).
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let yoe = year.rem_euclid(400);
    let shifted = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let doy = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
pub const POSTGRES_EPOCH_DAYS: i64 = 10_957;

const MICROS_PER_DAY: i64 = 86_400_000_000;

fn write_timestamp(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY) + POSTGRES_EPOCH_DAYS);
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    write!(
        f,
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )?;
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str("+00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_a_round_trip() {
        for days in (-800_000..800_000).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(days_from_civil(2000, 1, 1), POSTGRES_EPOCH_DAYS);
    }

    #[test]
    fn timestamps_print_as_postgresql_does_in_utc() {
        assert_eq!(Value::Timestamptz(0).to_string(), "2000-01-01 00:00:00+00");
        assert_eq!(Value::Timestamptz(-1).to_string(), "1999-12-31 23:59:59.999999+00");
        assert_eq!(Value::Timestamptz(1_500_000).to_string(), "2000-01-01 00:00:01.5+00");
    }
}
