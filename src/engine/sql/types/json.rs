//! `jsonb`, kept as the text that came in: validated when stored, parsed when an operator looks in.

use std::cmp::Ordering;
use std::sync::Arc;

use base::{Type, Value};
use serde_json::Value as Json;

use super::input;
use crate::error::{Fallible, error, state};

fn parse(text: &str) -> Fallible<Json> {
    serde_json::from_str(text).map_err(|_| error(state::INVALID_TEXT, "invalid input syntax for type json"))
}

pub(crate) fn validate(text: &str) -> Fallible<()> {
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map(|_| ())
        .map_err(|_| error(state::INVALID_TEXT, "invalid input syntax for type json"))
}

/// Equal documents compare equal however they are laid out. The order between unequal ones is
/// PostgreSQL's between kinds (object > array > boolean > number > string > null); within a kind,
/// by size, then by content.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    match (parse(left), parse(right)) {
        (Ok(left), Ok(right)) => compare_documents(&left, &right),
        _ => left.cmp(right),
    }
}

fn rank(document: &Json) -> u8 {
    match document {
        Json::Null => 0,
        Json::String(_) => 1,
        Json::Number(_) => 2,
        Json::Bool(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    }
}

fn compare_documents(left: &Json, right: &Json) -> Ordering {
    match (left, right) {
        (Json::Number(a), Json::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        },
        (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::Array(a), Json::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
            let unequal = a.iter().zip(b).map(|(a, b)| compare_documents(a, b));
            unequal
                .into_iter()
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
            let unequal = a
                .iter()
                .zip(b)
                .map(|((ka, va), (kb, vb))| ka.cmp(kb).then_with(|| compare_documents(va, vb)));
            unequal
                .into_iter()
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        _ => rank(left).cmp(&rank(right)),
    }
}

/// `document -> key`, `document -> index` (`None`: no such member, hence NULL).
pub(crate) fn get(document: &str, key: &Value) -> Fallible<Option<Json>> {
    let mut document = parse(document)?;
    Ok(match (key, &mut document) {
        (Value::Text(key), Json::Object(members)) => members.remove(&**key),
        (key, Json::Array(items)) => key.as_i64().and_then(|index| {
            let length = items.len() as i64;
            let at = if index < 0 { index + length } else { index };
            (0..length).contains(&at).then(|| items.swap_remove(at as usize))
        }),
        _ => None,
    })
}

/// As `->>` gives it: a string without its quotes, JSON's null as SQL's.
pub(crate) fn as_text(document: &Json) -> Option<Arc<str>> {
    match document {
        Json::Null => None,
        Json::String(text) => Some(text.as_str().into()),
        other => Some(spaced(other).into()),
    }
}

/// With the spaces that jsonb's output has: `{"a": 1, "b": [1, 2]}`.
pub(crate) fn spaced(document: &Json) -> String {
    match document {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(spaced).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(members) => {
            // jsonb orders keys by length, then bytes.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}: {}", Json::from(key.as_str()), spaced(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// `left @> right`.
pub(crate) fn contains(left: &str, right: &str) -> Fallible<bool> {
    let (left, right) = (parse(left)?, parse(right)?);
    // The one exception at the top: an array contains a bare scalar.
    if let (Json::Array(items), false) = (&left, matches!(right, Json::Array(_) | Json::Object(_))) {
        return Ok(items.iter().any(|item| equal(item, &right)));
    }
    Ok(contains_document(&left, &right))
}

fn equal(left: &Json, right: &Json) -> bool {
    compare_documents(left, right) == Ordering::Equal
}

fn contains_document(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Object(left), Json::Object(right)) => right
            .iter()
            .all(|(key, value)| left.get(key).is_some_and(|found| contains_document(found, value))),
        (Json::Array(left), Json::Array(right)) => right
            .iter()
            .all(|wanted| left.iter().any(|found| contains_document(found, wanted))),
        (left, right) => equal(left, right),
    }
}

/// `'5'::jsonb::int`, `'true'::jsonb::bool`.
pub(crate) fn cast_scalar(text: &str, to: Type) -> Fallible<Value> {
    let document = parse(text)?;
    match (&document, to) {
        (Json::Bool(b), Type::Bool) => Ok(Value::Bool(*b)),
        (Json::Number(n), Type::Numeric) => input::parse(&n.to_string(), to, 0),
        (Json::Number(n), to) if to.is_whole() => {
            let exact = input::parse(&n.to_string(), Type::Numeric, 0)?;
            input::cast(exact, to, 0)
        }
        (other, to) => {
            let kind = match other {
                Json::Null => "null",
                Json::Bool(_) => "boolean",
                Json::Number(_) => "numeric",
                Json::String(_) => "string",
                Json::Array(_) => "array",
                Json::Object(_) => "object",
            };
            Err(error(
                state::INVALID_PARAMETER_VALUE,
                format!("cannot cast jsonb {kind} to type {}", to.name()),
            ))
        }
    }
}
