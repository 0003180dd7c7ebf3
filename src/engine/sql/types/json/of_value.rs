//! SQL's values as documents: numbers and booleans as such, instants in ISO 8601, all else as its text.

use base::{Decimal, Value};

use super::{Json, read, refused};
use crate::error::{Fallible, unsupported};
use crate::types::input;

/// As `to_jsonb` has it. `value` may be NULL.
pub(crate) fn of_value(value: &Value) -> Fallible<Json> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int2(_) | Value::Int4(_) | Value::Int8(_) => {
            Json::Number(Decimal::from(value.as_i64().unwrap_or_default()))
        }
        Value::Numeric(number) => Json::Number(**number),
        Value::Float8(number) if number.0.is_finite() => match Decimal::parse(&number.to_string()) {
            Some(Some(number)) => Json::Number(number),
            _ => return Err(input::too_long()),
        },
        Value::Jsonb(text) => read(text)?,
        Value::Timestamp(_) => Json::Text(value.to_string().replacen(' ', "T", 1).into()),
        Value::Timestamptz(_) => {
            let text = value.to_string().replacen(' ', "T", 1);
            Json::Text(format!("{text}:00").into())
        }
        Value::List(items) => Json::Array(items.iter().map(of_value).collect::<Fallible<_>>()?),
        Value::Record(_) => return Err(unsupported("a record as jsonb")),
        other => Json::Text(other.to_string().into()),
    })
}

/// As a key of `jsonb_build_object`: any scalar's text. `place`: which argument it is, from 1.
pub(crate) fn key_of(value: &Value, place: usize) -> Fallible<Box<str>> {
    match value {
        Value::Null => Err(refused(format!("argument {place}: key must not be null"))),
        Value::Jsonb(_) | Value::List(_) | Value::Record(_) => {
            Err(refused("key value must be scalar, not array, composite, or json"))
        }
        value => Ok(match of_value(value)? {
            Json::Text(text) => text,
            other => other.to_string().into(),
        }),
    }
}
