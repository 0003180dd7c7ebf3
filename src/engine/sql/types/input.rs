//! Values from and to their text forms, and casts between types.

use std::sync::Arc;

use base::{Decimal, Float, Type, Uuid, Value};

use super::{bytea, json, range, timestamp};
use crate::error::{Fallible, error, state, unsupported};

/// PostgreSQL's input function of a type. `now` serves `'now'`.
pub(crate) fn parse(text: &str, to: Type, now: i64) -> Fallible<Value> {
    match to {
        Type::Text => Ok(Value::Text(text.into())),
        Type::Bool => parse_bool(text).map(Value::Bool),
        Type::Int2 => {
            let wide = parse_integer(text, to)?;
            i16::try_from(wide)
                .map(Value::Int2)
                .map_err(|_| out_of_range_text(text, to))
        }
        Type::Int4 => {
            let wide = parse_integer(text, to)?;
            i32::try_from(wide)
                .map(Value::Int4)
                .map_err(|_| out_of_range_text(text, to))
        }
        Type::Int8 => {
            let wide = parse_integer(text, to)?;
            i64::try_from(wide)
                .map(Value::Int8)
                .map_err(|_| out_of_range_text(text, to))
        }
        Type::Timestamptz => timestamp::parse(text, now).map(Value::Timestamptz),
        Type::Timestamp => timestamp::parse_local(text, now).map(Value::Timestamp),
        Type::Interval => timestamp::parse_interval(text)
            .map(Value::Interval)
            .ok_or_else(|| bad_interval(text)),
        Type::Float8 => parse_float(text),
        Type::Uuid => Uuid::parse(text).map(Value::Uuid).ok_or_else(|| invalid(text, to)),
        Type::Date => timestamp::parse_day(text, now).map(Value::Date),
        Type::Numeric => parse_numeric(text),
        Type::Daterange => range::parse(text, now).map(Value::Daterange),
        Type::Bytea => bytea::parse(text).map(Value::bytea),
        Type::Jsonb => json::normal(text),
        Type::Tid => parse_tid(text).ok_or_else(|| invalid(text, to)),
        Type::Oid => {
            let wide = parse_integer(text, to)?;
            // As the numbers of C: what is negative counts from the end.
            let number = u32::try_from(wide)
                .ok()
                .or_else(|| Some(i32::try_from(wide).ok()? as u32));
            number.map(Value::Oid).ok_or_else(|| out_of_range_text(text, to))
        }
        Type::Regclass => Err(unsupported("a name as regclass here")),
        Type::Record => Err(error(
            state::FEATURE_NOT_SUPPORTED,
            "input of anonymous composite types is not implemented",
        )),
    }
}

/// `(page,place)`, both numbers in full.
fn parse_tid(text: &str) -> Option<Value> {
    let (page, slot) = text
        .trim_matches(is_space)
        .strip_prefix('(')?
        .strip_suffix(')')?
        .split_once(',')?;
    Some(Value::Tid(page.trim().parse().ok()?, slot.trim().parse().ok()?))
}

fn invalid(text: &str, to: Type) -> Box<crate::SqlError> {
    error(
        state::INVALID_TEXT,
        format!("invalid input syntax for type {}: \"{text}\"", to.name()),
    )
}

fn out_of_range_text(text: &str, to: Type) -> Box<crate::SqlError> {
    error(
        state::NUMERIC_OUT_OF_RANGE,
        format!("value \"{text}\" is out of range for type {}", to.name()),
    )
}

pub(crate) fn out_of_range(to: Type) -> Box<crate::SqlError> {
    error(state::NUMERIC_OUT_OF_RANGE, format!("{} out of range", to.name()))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn parse_integer(text: &str, to: Type) -> Fallible<i128> {
    let trimmed = text.trim_matches(is_space);
    let (negative, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(text, to));
    }
    let significant = digits.trim_start_matches('0');
    if significant.len() > 30 {
        return Err(out_of_range_text(text, to));
    }
    let magnitude = significant
        .bytes()
        .fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    Ok(if negative { -magnitude } else { magnitude })
}

fn bad_interval(text: &str) -> Box<crate::SqlError> {
    error(
        state::INVALID_DATETIME,
        format!("invalid input syntax for type interval: \"{text}\""),
    )
}

fn parse_float(text: &str) -> Fallible<Value> {
    let trimmed = text.trim_matches(is_space);
    let number = Float::parse(trimmed).ok_or_else(|| invalid(text, Type::Float8))?;
    let named = trimmed.contains(['i', 'I']);
    let vanished = number.0 == 0.0 && trimmed.contains(|c: char| matches!(c, '1'..='9'));
    if vanished || (number.0.is_infinite() && !named) {
        return Err(error(
            state::NUMERIC_OUT_OF_RANGE,
            format!("\"{trimmed}\" is out of range for type double precision"),
        ));
    }
    Ok(Value::Float8(number))
}

fn parse_numeric(text: &str) -> Fallible<Value> {
    let trimmed = text.trim_matches(is_space);
    match Decimal::parse(trimmed) {
        Some(Some(number)) => Ok(Value::numeric(number)),
        Some(None) => Err(too_long()),
        None => {
            let words = ["nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"];
            if words.contains(&&*trimmed.to_ascii_lowercase()) {
                return Err(unsupported(format!("the numeric {trimmed}")));
            }
            Err(invalid(text, Type::Numeric))
        }
    }
}

/// PostgreSQL's numbers may be longer.
pub(crate) fn too_long() -> Box<crate::SqlError> {
    unsupported("a numeric of more than 38 digits")
}

/// A number as a column of `numeric(precision, scale)` keeps it.
pub(crate) fn fit(number: Decimal, precision: u16, scale: u16) -> Fallible<Decimal> {
    let rounded = number.rounded(scale).ok_or_else(too_long)?;
    if rounded.coefficient().unsigned_abs() < 10_u128.pow(u32::from(precision.min(38))) {
        return Ok(rounded);
    }
    let below = match precision - scale.min(precision) {
        0 => "1".to_owned(),
        digits => format!("10^{digits}"),
    };
    Err(
        error(state::NUMERIC_OUT_OF_RANGE, "numeric field overflow").detail(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than {below}."
        )),
    )
}

/// A text as a column of `varchar(length)` keeps it: spaces too many are cut off, other characters only by a cast.
pub(crate) fn shortened(text: &str, length: u32, by_cast: bool) -> Fallible<Option<&str>> {
    let Some((at, _)) = text.char_indices().nth(length as usize) else {
        return Ok(None);
    };
    if !by_cast && text[at..].contains(|c| c != ' ') {
        return Err(error(
            "22001",
            format!("value too long for type character varying({length})"),
        ));
    }
    Ok(Some(&text[..at]))
}

/// A whole number as a value of one of their types.
pub(crate) fn whole(number: i64, to: Type) -> Fallible<Value> {
    let fitting = match to {
        Type::Int2 => i16::try_from(number).ok().map(Value::Int2),
        Type::Int4 => i32::try_from(number).ok().map(Value::Int4),
        _ => Some(Value::Int8(number)),
    };
    fitting.ok_or_else(|| out_of_range(to))
}

fn to_integer(number: Decimal, to: Type) -> Fallible<i64> {
    let whole = number.to_integer().and_then(|whole| i64::try_from(whole).ok());
    whole.ok_or_else(|| out_of_range(to))
}

/// The nearest, of two equally near ones the even one.
fn float_to_integer(number: f64, to: Type) -> Fallible<i64> {
    let rounded = number.round_ties_even();
    // 2^63 is the first that is too large; both bounds are exact.
    let fits = rounded >= -(2_f64.powi(63)) && rounded < 2_f64.powi(63);
    fits.then_some(rounded as i64).ok_or_else(|| out_of_range(to))
}

/// With 15 significant digits, as PostgreSQL.
fn float_to_numeric(number: f64) -> Fallible<Value> {
    if !number.is_finite() {
        return Err(unsupported(format!("the numeric {}", Float(number))));
    }
    let scientific = format!("{number:.14e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    parse_numeric(&format!("{digits}e{exponent}"))
}

pub(crate) fn numeric_to_float(number: Decimal) -> f64 {
    number.to_string().parse().unwrap_or(f64::NAN)
}

fn midnight(day: i32) -> i64 {
    i64::from(day).saturating_mul(timestamp::MICROS_PER_DAY)
}

/// Any unambiguous prefix of true, false, yes, no; on, off; 1, 0.
fn parse_bool(text: &str) -> Fallible<bool> {
    let word = text.trim_matches(is_space).to_ascii_lowercase();
    let prefix_of = |whole: &str| !word.is_empty() && whole.starts_with(word.as_str());
    if prefix_of("true") || prefix_of("yes") || word == "on" || word == "1" {
        Ok(true)
    } else if prefix_of("false") || prefix_of("no") || (word.len() >= 2 && prefix_of("off")) || word == "0" {
        Ok(false)
    } else {
        Err(invalid(text, Type::Bool))
    }
}

/// A value's text as a cast to text gives it (booleans in full, unlike their output form).
pub(crate) fn cast_to_text(value: &Value) -> Arc<str> {
    match value {
        Value::Text(text) | Value::Jsonb(text) => text.clone(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        other => other.to_string().into(),
    }
}

/// Casts a value that is not NULL. The binder has checked that the cast exists.
pub(crate) fn cast(value: Value, to: Type, now: i64) -> Fallible<Value> {
    Ok(match (value, to) {
        (Value::Null, _) => Value::Null,
        (Value::Int4(n), Type::Int8) => Value::Int8(i64::from(n)),
        (Value::Int4(n), Type::Bool) => Value::Bool(n != 0),
        (Value::Bool(b), Type::Int4) => Value::Int4(i32::from(b)),
        (value, to) if value.type_of() == Some(to) => value,
        (Value::Regclass(number, _), Type::Oid) => Value::Oid(number),
        (Value::Oid(number), Type::Int8) => Value::Int8(i64::from(number)),
        (Value::Oid(number), Type::Int4) => Value::Int4(number as i32),
        (Value::Int8(number), Type::Oid) => {
            Value::Oid(u32::try_from(number).map_err(|_| error(state::NUMERIC_OUT_OF_RANGE, "OID out of range"))?)
        }
        (Value::Int4(number), Type::Oid) => Value::Oid(number as u32),
        (Value::Int2(number), Type::Oid) => Value::Oid(i32::from(number) as u32),
        (value @ (Value::Int2(_) | Value::Int4(_) | Value::Int8(_)), _) if to.is_whole() => {
            whole(value.as_i64().unwrap_or_default(), to)?
        }
        (value @ (Value::Int2(_) | Value::Int4(_) | Value::Int8(_)), Type::Numeric) => {
            Value::numeric(Decimal::from(value.as_i64().unwrap_or_default()))
        }
        (value @ (Value::Int2(_) | Value::Int4(_) | Value::Int8(_)), Type::Float8) => {
            Value::Float8(Float(value.as_i64().unwrap_or_default() as f64))
        }
        (Value::Numeric(number), _) if to.is_whole() => whole(to_integer(*number, to)?, to)?,
        (Value::Numeric(number), Type::Float8) => Value::Float8(Float(numeric_to_float(*number))),
        (Value::Float8(number), _) if to.is_whole() => whole(float_to_integer(number.0, to)?, to)?,
        (Value::Float8(number), Type::Numeric) => float_to_numeric(number.0)?,
        (Value::Date(day), Type::Timestamptz) => Value::Timestamptz(midnight(day)),
        (Value::Date(day), Type::Timestamp) => Value::Timestamp(midnight(day)),
        // The session's zone is UTC.
        (Value::Timestamp(at), Type::Timestamptz) => Value::Timestamptz(at),
        (Value::Timestamptz(at), Type::Timestamp) => Value::Timestamp(at),
        (Value::Timestamptz(at) | Value::Timestamp(at), Type::Date) => {
            Value::Date(at.div_euclid(timestamp::MICROS_PER_DAY) as i32)
        }
        (Value::Jsonb(text), Type::Bool | Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric | Type::Float8) => {
            json::read(&text)?.cast(to)?
        }
        (Value::Text(text), to) => parse(&text, to, now)?,
        (value, Type::Text) => Value::Text(cast_to_text(&value)),
        (value, to) => {
            let from = value.type_of().map_or("array", Type::name);
            return Err(error(
                state::CANNOT_COERCE,
                format!("cannot cast type {from} to {}", to.name()),
            ));
        }
    })
}
