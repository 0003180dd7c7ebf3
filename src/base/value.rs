//! Values as they cross borders: parameters, registers and result rows.
//!
//! Rows *at rest* are bytes in the engine's pages; this enum exists only where a value travels.
//! `Value` is ordered and hashed structurally (not by SQL's rules): engines compare by type.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::range::DateRange;
use crate::{Decimal, Float, Interval, Uuid};

/// A result row or a row to load.
pub type Row = Arc<[Value]>;

/// The SQL types of the documented subset, by PostgreSQL's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Type {
    Bool,
    /// `smallint`, 16 bits.
    Int2,
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
    /// Without a zone: microseconds since 2000-01-01 00:00, wherever that is.
    Timestamp,
    Interval,
    /// `double precision`.
    Float8,
    Uuid,
    Bytea,
    Daterange,
    /// The place of a row's version; no column's type.
    Tid,
    /// The number of an object of the catalog; no column's type.
    Oid,
    /// Such a number of a table, printed as its name; no column's type.
    Regclass,
    /// `ROW(…)`; no column's type.
    Record,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Text(Arc<str>),
    /// Microseconds since 2000-01-01 00:00 UTC.
    Timestamptz(i64),
    Jsonb(Arc<str>),
    Numeric(Arc<Decimal>),
    /// Days since 2000-01-01.
    Date(i32),
    /// Microseconds since 2000-01-01 00:00.
    Timestamp(i64),
    Interval(Interval),
    Float8(Float),
    Uuid(Uuid),
    Bytea(Arc<[u8]>),
    Daterange(DateRange),
    /// Page and place on it.
    Tid(u32, u16),
    Oid(u32),
    /// With its name as the session that asked would write it.
    Regclass(u32, Arc<str>),
    Record(Arc<[Value]>),
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

    pub fn bytea(bytes: impl Into<Arc<[u8]>>) -> Value {
        Value::Bytea(bytes.into())
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The integer in it, whichever width it has.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int2(n) => Some(i64::from(*n)),
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
            Value::Int2(_) => Some(Type::Int2),
            Value::Int4(_) => Some(Type::Int4),
            Value::Int8(_) => Some(Type::Int8),
            Value::Text(_) => Some(Type::Text),
            Value::Timestamptz(_) => Some(Type::Timestamptz),
            Value::Jsonb(_) => Some(Type::Jsonb),
            Value::Numeric(_) => Some(Type::Numeric),
            Value::Date(_) => Some(Type::Date),
            Value::Timestamp(_) => Some(Type::Timestamp),
            Value::Interval(_) => Some(Type::Interval),
            Value::Float8(_) => Some(Type::Float8),
            Value::Uuid(_) => Some(Type::Uuid),
            Value::Bytea(_) => Some(Type::Bytea),
            Value::Daterange(_) => Some(Type::Daterange),
            Value::Tid(..) => Some(Type::Tid),
            Value::Oid(_) => Some(Type::Oid),
            Value::Regclass(..) => Some(Type::Regclass),
            Value::Record(_) => Some(Type::Record),
        }
    }
}

impl Type {
    /// A whole number, of any width.
    pub fn is_whole(self) -> bool {
        matches!(self, Type::Int2 | Type::Int4 | Type::Int8)
    }

    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "boolean",
            Type::Int2 => "smallint",
            Type::Int4 => "integer",
            Type::Int8 => "bigint",
            Type::Text => "text",
            Type::Timestamptz => "timestamp with time zone",
            Type::Jsonb => "jsonb",
            Type::Numeric => "numeric",
            Type::Date => "date",
            Type::Timestamp => "timestamp without time zone",
            Type::Interval => "interval",
            Type::Float8 => "double precision",
            Type::Uuid => "uuid",
            Type::Bytea => "bytea",
            Type::Daterange => "daterange",
            Type::Tid => "tid",
            Type::Oid => "oid",
            Type::Regclass => "regclass",
            Type::Record => "record",
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
            Value::Int2(n) => write!(f, "{n}"),
            Value::Int4(n) => write!(f, "{n}"),
            Value::Int8(n) => write!(f, "{n}"),
            Value::Text(text) | Value::Jsonb(text) => f.write_str(text),
            Value::Timestamptz(micros) => {
                write_timestamp(f, *micros)?;
                f.write_str("+00")
            }
            Value::Timestamp(micros) => write_timestamp(f, *micros),
            Value::Interval(interval) => interval.fmt(f),
            Value::Float8(number) => number.fmt(f),
            Value::Uuid(uuid) => uuid.fmt(f),
            Value::Numeric(number) => write!(f, "{number}"),
            Value::Date(days) => write_day(f, *days),
            Value::Daterange(range) => write_range(f, *range, write_day),
            Value::Bytea(bytes) => write!(f, "\\x{}", hex(bytes)),
            Value::Tid(page, slot) => write!(f, "({page},{slot})"),
            Value::Oid(number) => write!(f, "{number}"),
            Value::Regclass(_, name) => f.write_str(name),
            Value::Record(items) => write_record(f, items),
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

/// `(1,"a b",)`: NULL is nothing; what could be misread stands in quotes.
fn write_record(f: &mut fmt::Formatter<'_>, items: &[Value]) -> fmt::Result {
    f.write_str("(")?;
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(",")?;
        }
        if item.is_null() {
            continue;
        }
        let text = item.to_string();
        let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',' | ' ' | '\t'..='\r');
        if text.is_empty() || text.contains(special) {
            let doubled = text.replace('\\', "\\\\").replace('"', "\"\"");
            write!(f, "\"{doubled}\"")?;
        } else {
            f.write_str(&text)?;
        }
    }
    f.write_str(")")
}

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The inverse of [`hex`], digits of either case; `None` for anything else.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
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

/// A `date` as ISO 8601 writes it, perhaps with a minus in front of its year: days since 2000-01-01.
pub fn parse_day(text: &str) -> Option<i32> {
    let mut parts = text.rsplitn(3, '-');
    let day: u32 = parts.next()?.parse().ok()?;
    let month: u32 = parts.next()?.parse().ok()?;
    let year: i64 = parts.next()?.parse().ok()?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year.abs() > 300_000 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    // Not the 30th of February.
    let real = civil_from_days(days) == (year, month, day);
    i32::try_from(days - POSTGRES_EPOCH_DAYS).ok().filter(|_| real)
}

/// An instant as ISO 8601 writes it, without a zone: `2026-11-21T09:30:00.5`, a space for the `T`, a day alone.
/// Microseconds since 2000-01-01 00:00.
pub fn parse_instant(text: &str) -> Option<i64> {
    let Some((date, time)) = text.split_once(['T', ' ']) else {
        return i64::from(parse_day(text)?).checked_mul(MICROS_PER_DAY);
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.split(':').map(|part| part.parse::<u8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let digits = fraction.len() <= 6 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if hour > 23 || minute > 59 || second > 59 || parts.next().is_some() || !digits {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    i64::from(parse_day(date)?)
        .checked_mul(MICROS_PER_DAY)?
        .checked_add(seconds * 1_000_000 + micros)
}

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
pub const POSTGRES_EPOCH_DAYS: i64 = 10_957;

fn write_day(f: &mut fmt::Formatter<'_>, days: i32) -> fmt::Result {
    let (year, month, day) = civil_from_days(i64::from(days) + POSTGRES_EPOCH_DAYS);
    write!(f, "{year:04}-{month:02}-{day:02}")
}

/// `[2020-01-01,2020-02-01)`, with days as `day` writes them.
fn write_range(
    f: &mut fmt::Formatter<'_>,
    range: DateRange,
    day: impl Fn(&mut fmt::Formatter<'_>, i32) -> fmt::Result,
) -> fmt::Result {
    if range.is_empty() {
        return f.write_str("empty");
    }
    f.write_str(if range.lower().is_some() { "[" } else { "(" })?;
    range.lower().map_or(Ok(()), |from| day(f, from))?;
    f.write_str(",")?;
    range.upper().map_or(Ok(()), |to| day(f, to))?;
    f.write_str(")")
}

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
    Ok(())
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
    fn instants_are_read_as_they_are_printed() {
        for micros in [0, -1, 1_500_000, 846_000_000_123_456, -70_000_000_000_000_000] {
            assert_eq!(parse_instant(&Value::Timestamp(micros).to_string()), Some(micros));
        }
        assert_eq!(parse_day("2024-02-29"), Some(8825));
        for text in [
            "2023-02-29",
            "2024-13-01",
            "2024-01",
            "yesterday",
            "2024-01-01 25:00",
            "2024-01-01 10",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_record_is_quoted_where_it_could_be_misread() {
        let items = [Value::Int4(1), Value::Null, Value::text(""), Value::text("a \"b\\")];
        assert_eq!(Value::Record(items.into()).to_string(), r#"(1,,"","a ""b\\")"#);
        assert_eq!(size_of::<Value>(), 24);
    }

    #[test]
    fn timestamps_print_as_postgresql_does_in_utc() {
        assert_eq!(Value::Timestamptz(0).to_string(), "2000-01-01 00:00:00+00");
        assert_eq!(Value::Timestamptz(-1).to_string(), "1999-12-31 23:59:59.999999+00");
        assert_eq!(Value::Timestamptz(1_500_000).to_string(), "2000-01-01 00:00:01.5+00");
        assert_eq!(Value::Timestamp(1_500_000).to_string(), "2000-01-01 00:00:01.5");
    }
}
