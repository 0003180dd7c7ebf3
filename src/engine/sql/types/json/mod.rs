//! `jsonb`: a document as a tree, its order, and what is read out of it. A value holds the document's text in
//! normal form: keys by length and then bytes, each once, numbers as `numeric` writes them.

mod edit;
mod of_value;
mod read;
mod write;

use std::cmp::Ordering;
use std::sync::Arc;

use base::{Decimal, Type, Value};

use super::input;
use crate::error::{Fallible, error, state};

pub(crate) use edit::{concat, delete_index, delete_key, set};
pub(crate) use of_value::{key_of, of_value};
pub(crate) use read::read;

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Text(Box<str>),
    Number(Decimal),
    Bool(bool),
    Array(Vec<Json>),
    Object(Members),
}

/// By the keys' length, then bytes; each key once.
pub(crate) type Members = Vec<(Box<str>, Json)>;

/// Members in any order as an object; of those with one key the last stays.
pub(crate) fn object(mut members: Members) -> Json {
    members.sort_by(|(a, _), (b, _)| key_order(a, b));
    // `dedup_by` keeps the first.
    members.reverse();
    members.dedup_by(|(a, _), (b, _)| a == b);
    members.reverse();
    Json::Object(members)
}

fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

/// The text of a value in normal form.
pub(crate) fn normal(text: &str) -> Fallible<Value> {
    Ok(read(text)?.into())
}

impl From<Json> for Value {
    fn from(document: Json) -> Value {
        Value::Jsonb(document.to_string().into())
    }
}

/// PostgreSQL's order. An empty array at the top is less than all else.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    let bytes = |text| {
        let mut bytes = Vec::new();
        encode(text, &mut bytes);
        bytes
    };
    bytes(left).cmp(&bytes(right))
}

/// As bytes whose order is that of documents: kind (null < text < number < boolean < array < object), then a text's
/// bytes, or how many members there are, and each in turn.
pub(crate) fn encode(text: &str, into: &mut Vec<u8>) {
    match read(text) {
        Ok(Json::Array(items)) if items.is_empty() => into.push(0),
        Ok(document) => document.encode(into),
        // What is stored has been read before.
        Err(_) => into.extend_from_slice(text.as_bytes()),
    }
}

fn encode_text(text: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(text.as_bytes());
    into.push(0);
}

impl Json {
    fn encode(&self, into: &mut Vec<u8>) {
        let number_of = |members: usize| (members as u32).to_be_bytes();
        match self {
            Json::Null => into.push(1),
            Json::Text(text) => {
                into.push(2);
                encode_text(text, into);
            }
            Json::Number(number) => {
                into.push(3);
                crate::key::encode_decimal(*number, into);
            }
            Json::Bool(truth) => into.extend_from_slice(&[4, u8::from(*truth)]),
            Json::Array(items) => {
                into.push(5);
                into.extend_from_slice(&number_of(items.len()));
                items.iter().for_each(|item| item.encode(into));
            }
            Json::Object(members) => {
                into.push(6);
                into.extend_from_slice(&number_of(members.len()));
                for (key, value) in members {
                    encode_text(key, into);
                    value.encode(into);
                }
            }
        }
    }

    /// As `jsonb_typeof` names it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Text(_) => "string",
            Json::Number(_) => "number",
            Json::Bool(_) => "boolean",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self, Json::Array(_) | Json::Object(_))
    }

    /// As `->>` gives it: a text without its quotes, JSON's null as SQL's.
    pub(crate) fn into_text(self) -> Value {
        match self {
            Json::Null => Value::Null,
            Json::Text(text) => Value::Text(Arc::from(text)),
            other => Value::text(other.to_string()),
        }
    }

    pub(crate) fn member(self, key: &str) -> Option<Json> {
        match self {
            Json::Object(mut members) => {
                let at = members.binary_search_by(|(known, _)| key_order(known, key)).ok()?;
                Some(members.swap_remove(at).1)
            }
            _ => None,
        }
    }

    /// Counted from the end if negative.
    pub(crate) fn item(self, index: i64) -> Option<Json> {
        match self {
            Json::Array(mut items) => {
                let length = items.len() as i64;
                let at = if index < 0 { index + length } else { index };
                (0..length).contains(&at).then(|| items.swap_remove(at as usize))
            }
            _ => None,
        }
    }

    /// A member after the other, an array's by its number.
    pub(crate) fn at_path(self, path: &[&str]) -> Option<Json> {
        path.iter().try_fold(self, |document, step| match document {
            Json::Array(_) => document.item(i64::from(step.trim_start().parse::<i32>().ok()?)),
            other => other.member(step),
        })
    }

    /// Whether it stands there as a key, an array's text, or itself.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        let is = |item: &Json| matches!(item, Json::Text(text) if **text == *key);
        match self {
            Json::Object(members) => members.iter().any(|(known, _)| **known == *key),
            Json::Array(items) => items.iter().any(is),
            scalar => is(scalar),
        }
    }

    /// `self @> other`.
    pub(crate) fn contains(&self, other: &Json) -> bool {
        match self {
            // The one exception, at the top: an array contains a bare scalar.
            Json::Array(items) if other.is_scalar() => items.iter().any(|item| item.is(other)),
            _ => self.contains_within(other),
        }
    }

    fn contains_within(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Object(members), Json::Object(wanted)) => wanted.iter().all(|(key, value)| {
                let found = members.binary_search_by(|(known, _)| key_order(known, key));
                found.is_ok_and(|at| members[at].1.contains_within(value))
            }),
            (Json::Array(items), Json::Array(wanted)) => wanted
                .iter()
                .all(|wanted| items.iter().any(|item| item.contains_within(wanted))),
            (found, wanted) => found.is(wanted),
        }
    }

    /// Equal scalars; numbers by their value.
    fn is(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Number(a), Json::Number(b)) => a.compare(*b).is_eq(),
            _ => self == other && self.is_scalar(),
        }
    }

    pub(crate) fn length(&self) -> Fallible<usize> {
        match self {
            Json::Array(items) => Ok(items.len()),
            Json::Object(_) => Err(refused("cannot get array length of a non-array")),
            _ => Err(refused("cannot get array length of a scalar")),
        }
    }

    /// `'5'::jsonb::int`, `'true'::jsonb::bool`.
    pub(crate) fn cast(&self, to: Type) -> Fallible<Value> {
        match (self, to) {
            (Json::Bool(truth), Type::Bool) => Ok(Value::Bool(*truth)),
            (Json::Number(number), to) if to != Type::Bool => input::cast(Value::numeric(*number), to, 0),
            (other, to) => {
                let kind = if matches!(other, Json::Number(_)) {
                    "numeric"
                } else {
                    other.kind()
                };
                let message = format!("cannot cast jsonb {kind} to type {}", to.name());
                Err(error(state::INVALID_PARAMETER_VALUE, message))
            }
        }
    }
}

/// What a function does not do with a document of this kind.
fn refused(message: impl Into<String>) -> Box<crate::SqlError> {
    error(state::INVALID_PARAMETER_VALUE, message)
}
