//! What dates, instants and intervals do with each other.

use base::{Interval, Type, Value};

use crate::error::{Fallible, error, state};
use crate::types::timestamp::{self, MICROS_PER_DAY, MICROS_PER_SECOND};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Moment {
    /// `date ± integer`.
    MoveDay(i64),
    /// `integer + date`.
    DayMoved,
    /// `date - date`, in days.
    Days,
    /// `timestamp ± interval`.
    Move(i64),
    /// `interval + timestamp`.
    Moved,
    /// `timestamp - timestamp`.
    Between,
    /// `interval ± interval`.
    Sum(i64),
    /// `interval * number`.
    Times,
    /// `number * interval`.
    TimesFrom,
    /// `interval / number`.
    Over,
    /// `date_trunc(field, timestamp)`.
    Truncate,
    /// `extract(field from …)` as numeric.
    Extract,
}

fn interval_out_of_range() -> Box<crate::SqlError> {
    error(state::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

impl Moment {
    pub(crate) fn call(self, left: &Value, right: &Value) -> Fallible<Value> {
        Ok(match (self, left, right) {
            (Moment::MoveDay(sign), Value::Date(day), by) => moved_day(*day, sign * by.as_i64().unwrap_or(0))?,
            (Moment::DayMoved, by, Value::Date(day)) => moved_day(*day, by.as_i64().unwrap_or(0))?,
            (Moment::Days, Value::Date(a), Value::Date(b)) => Value::Int4(
                a.checked_sub(*b)
                    .ok_or_else(|| error(state::DATETIME_FIELD_OVERFLOW, "date out of range"))?,
            ),
            (Moment::Move(sign), at, Value::Interval(by)) => moved(at, *by, sign)?,
            (Moment::Moved, Value::Interval(by), at) => moved(at, *by, 1)?,
            (Moment::Between, Value::Timestamp(a), Value::Timestamp(b))
            | (Moment::Between, Value::Timestamptz(a), Value::Timestamptz(b)) => between(*a, *b)?,
            (Moment::Sum(sign), Value::Interval(a), Value::Interval(b)) => {
                let b = if sign < 0 { b.checked_neg() } else { Some(*b) };
                let sum = b.and_then(|b| a.checked_add(b));
                Value::Interval(sum.ok_or_else(interval_out_of_range)?)
            }
            (Moment::Times, Value::Interval(by), Value::Float8(factor))
            | (Moment::TimesFrom, Value::Float8(factor), Value::Interval(by)) => scaled(*by, |part| part * factor.0)?,
            (Moment::Over, Value::Interval(_), Value::Float8(by)) if by.0 == 0.0 => {
                return Err(error(state::DIVISION_BY_ZERO, "division by zero"));
            }
            (Moment::Over, Value::Interval(by), Value::Float8(divisor)) => scaled(*by, |part| part / divisor.0)?,
            (Moment::Truncate, Value::Text(field), at) => truncate(&field.to_ascii_lowercase(), at)?,
            (Moment::Extract, Value::Text(field), at) => extract(&field.to_ascii_lowercase(), at)?,
            (moment, _, _) => return Err(error("XX000", format!("{moment:?} of {left} and {right}"))),
        })
    }
}

fn moved_day(day: i32, by: i64) -> Fallible<Value> {
    let day = i64::from(day).checked_add(by).and_then(|day| i32::try_from(day).ok());
    day.map(Value::Date)
        .ok_or_else(|| error(state::DATETIME_FIELD_OVERFLOW, "date out of range"))
}

fn moved(at: &Value, by: Interval, sign: i64) -> Fallible<Value> {
    Ok(match at {
        Value::Timestamp(at) => Value::Timestamp(timestamp::shift(*at, by, sign)?),
        Value::Timestamptz(at) => Value::Timestamptz(timestamp::shift(*at, by, sign)?),
        _ => Value::Null,
    })
}

/// In days and a rest: months are not known of a difference.
fn between(a: i64, b: i64) -> Fallible<Value> {
    let micros = a.checked_sub(b).ok_or_else(interval_out_of_range)?;
    Ok(Value::Interval(Interval {
        months: 0,
        days: (micros / MICROS_PER_DAY) as i32,
        micros: micros % MICROS_PER_DAY,
    }))
}

/// Each part by itself; what is left of months goes to days, of days to the time (PostgreSQL's `interval_mul`).
fn scaled(interval: Interval, by: impl Fn(f64) -> f64) -> Fallible<Value> {
    let round_off = |seconds: f64| (seconds * 1e6).round_ties_even() / 1e6;
    let whole = |number: f64| {
        let fits = number.is_finite() && number.abs() <= f64::from(i32::MAX);
        fits.then_some(number as i32).ok_or_else(interval_out_of_range)
    };
    let (months, days) = (by(f64::from(interval.months)), by(f64::from(interval.days)));
    let (whole_months, mut whole_days) = (whole(months)?, whole(days)?);
    let rest_of_months = round_off((months - f64::from(whole_months)) * 30.0);
    let mut seconds = round_off((days - f64::from(whole_days) + rest_of_months - rest_of_months.trunc()) * 86_400.0);
    if seconds.abs() >= 86_400.0 {
        whole_days = whole_days
            .checked_add((seconds / 86_400.0) as i32)
            .ok_or_else(interval_out_of_range)?;
        seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
    }
    let days = whole_days
        .checked_add(rest_of_months as i32)
        .ok_or_else(interval_out_of_range)?;
    let micros = (by(interval.micros as f64) + seconds * 1e6).round_ties_even();
    if !micros.is_finite() || micros.abs() >= 9.2e18 {
        return Err(interval_out_of_range());
    }
    Ok(Value::Interval(Interval {
        months: whole_months,
        days,
        micros: micros as i64,
    }))
}

fn unknown_unit(field: &str, at: &Value) -> Box<crate::SqlError> {
    let of = at.type_of().map_or("unknown", Type::name);
    error(
        state::INVALID_PARAMETER_VALUE,
        format!("unit \"{field}\" not recognized for type {of}"),
    )
}

fn truncate(field: &str, at: &Value) -> Fallible<Value> {
    let truncated = match at {
        Value::Timestamptz(micros) => timestamp::truncate(field, *micros).map(Value::Timestamptz),
        Value::Timestamp(micros) => timestamp::truncate(field, *micros).map(Value::Timestamp),
        _ => None,
    };
    truncated.ok_or_else(|| unknown_unit(field, at))
}

fn extract(field: &str, at: &Value) -> Fallible<Value> {
    let micros = match at {
        Value::Timestamp(micros) | Value::Timestamptz(micros) => *micros,
        Value::Date(day) => i64::from(*day).saturating_mul(MICROS_PER_DAY),
        Value::Interval(interval) => return extract_of_interval(field, *interval, at),
        _ => 0,
    };
    if let Value::Date(_) = at
        && matches!(field, "hour" | "minute" | "second" | "milliseconds" | "microseconds")
    {
        return Err(error(
            "0A000",
            format!("unit \"{field}\" not supported for type {}", Type::Date.name()),
        ));
    }
    let part = timestamp::part(field, micros).ok_or_else(|| unknown_unit(field, at))?;
    let scale = match (field, at) {
        ("epoch", Value::Date(_)) => 0,
        ("second" | "epoch", _) => 6,
        ("milliseconds", _) => 3,
        _ => 0,
    };
    decimal(
        if scale == 0 && field == "epoch" {
            part / 1_000_000
        } else {
            part
        },
        scale,
    )
}

fn extract_of_interval(field: &str, interval: Interval, at: &Value) -> Fallible<Value> {
    let of_minute = interval.micros % (60 * MICROS_PER_SECOND);
    let (part, scale) = match field {
        "year" => (i64::from(interval.months / 12), 0),
        "month" => (i64::from(interval.months % 12), 0),
        "day" => (i64::from(interval.days), 0),
        "hour" => (interval.micros / (3600 * MICROS_PER_SECOND), 0),
        "minute" => (interval.micros / (60 * MICROS_PER_SECOND) % 60, 0),
        "second" => (of_minute, 6),
        "milliseconds" => (of_minute, 3),
        "microseconds" => (of_minute, 0),
        // A year is 365.25 days here, a month thirty.
        "epoch" => {
            let (years, months) = (i128::from(interval.months / 12), i128::from(interval.months % 12));
            let days = i128::from(interval.days) + 30 * months;
            let micros = years * 31_557_600_000_000 + days * i128::from(MICROS_PER_DAY) + i128::from(interval.micros);
            (i64::try_from(micros).map_err(|_| interval_out_of_range())?, 6)
        }
        _ => return Err(unknown_unit(field, at)),
    };
    decimal(part, scale)
}

fn decimal(coefficient: i64, scale: u16) -> Fallible<Value> {
    let number = base::Decimal::new(i128::from(coefficient), scale);
    number.map(Value::numeric).ok_or_else(interval_out_of_range)
}
