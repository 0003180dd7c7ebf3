//! Values: initial rows and the parameters of requests, as pure functions of (seed, table, row) and (seed, request).
//!
//! Nothing is stored: a request names an existing row by computing that row's column again, so that
//! every design meets the same rows and the same requests.

mod lds;
mod population;
mod request;
mod zipf;

pub(crate) use population::Population;
pub(crate) use request::{Request, Requests, present};

use base::random::Stream;
use base::{Decimal, Float, Nanos, Type, Uuid, Value};

/// A number in a column's type: `u_17` for text, 17 for integers, an id for uuid.
fn numbered(prefix: &str, number: u64, data_type: Type) -> Value {
    match data_type {
        Type::Int2 => Value::Int2(i16::try_from(number).unwrap_or(i16::MAX)),
        // The prefix tells the ids of one table from those of another.
        Type::Uuid => Value::Uuid(Uuid::numbered(kind(prefix), number)),
        Type::Int4 => Value::Int4(i32::try_from(number).unwrap_or(i32::MAX)),
        Type::Int8 => Value::Int8(i64::try_from(number).unwrap_or(i64::MAX)),
        _ => Value::text(format!("{prefix}{number}")),
    }
}

fn kind(prefix: &str) -> u64 {
    base::Fingerprint::of_bytes(prefix.as_bytes())
}

fn integer(number: i64, data_type: Type) -> Value {
    match data_type {
        Type::Int2 => Value::Int2(i16::try_from(number).unwrap_or(if number < 0 { i16::MIN } else { i16::MAX })),
        Type::Numeric => Value::numeric(Decimal::from(number)),
        Type::Float8 => Value::Float8(Float(number as f64)),
        Type::Int4 => Value::Int4(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })),
        Type::Text => Value::text(number.to_string()),
        Type::Bool => Value::Bool(number != 0),
        Type::Timestamptz => Value::Timestamptz(number),
        _ => Value::Int8(number),
    }
}

fn choice(values: &[Value], stream: &mut Stream) -> Value {
    values
        .get(stream.below(values.len() as u64) as usize)
        .cloned()
        .unwrap_or(Value::Null)
}

fn between(low: i64, high: i64, data_type: Type, stream: &mut Stream) -> Value {
    // The span of two i64 fits u64; all of them would be 2^64 values, one more than `below` can take.
    let span = high.max(low).abs_diff(low).saturating_add(1);
    integer(low.wrapping_add(stream.below(span) as i64), data_type)
}

fn instant(present_micros: i64, before: Nanos, data_type: Type, stream: &mut Stream) -> Value {
    let back = stream.below((before.0 / 1_000).saturating_add(1));
    at(present_micros, back, data_type)
}

/// So many microseconds before the present.
fn at(present_micros: i64, back: u64, data_type: Type) -> Value {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    let micros = present_micros.saturating_sub(i64::try_from(back).unwrap_or(i64::MAX));
    match data_type {
        Type::Timestamp => Value::Timestamp(micros),
        Type::Date => Value::Date(micros.div_euclid(MICROS_PER_DAY) as i32),
        _ => Value::Timestamptz(micros),
    }
}

/// An instant before the present for each of so many rows, each in a part of the time of its own.
fn apart(present_micros: i64, before: Nanos, (row, rows): (u64, u64), data_type: Type, stream: &mut Stream) -> Value {
    // Where there are more rows than microseconds, they reach further back.
    let part = (before.0 / 1_000 / rows.max(1)).max(1);
    let back = part
        .saturating_mul(rows.saturating_sub(row))
        .saturating_sub(stream.below(part));
    at(present_micros, back, data_type)
}

/// One of so many people, as the hash that stands for them.
fn lds_hash(people: u64, data_type: Type, stream: &mut Stream) -> Value {
    let hash = lds::of_person(stream.below(people));
    match data_type {
        Type::Bytea => Value::bytea(&hash[..]),
        _ => Value::text(lds::hexadecimal(&hash)),
    }
}

const WORDS: [&str; 16] = [
    "river", "stone", "amber", "north", "quiet", "maple", "orbit", "linen", "harbor", "cedar", "ember", "field",
    "glass", "meadow", "paper", "winter",
];

/// Words up to the length.
fn filler(length: u32, data_type: Type, stream: &mut Stream) -> Value {
    let length = length as usize;
    let mut text = String::with_capacity(length + 8);
    while text.len() < length {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(WORDS[stream.below(WORDS.len() as u64) as usize]);
    }
    text.truncate(length);
    match data_type {
        Type::Jsonb => Value::Jsonb(format!("\"{text}\"").into()),
        Type::Bytea => Value::bytea(text.as_bytes()),
        _ => Value::text(text),
    }
}
