//! The functions and operators of `jsonb`.

use base::Value;

use super::function::{count, integer_of, text};
use crate::error::{Fallible, error, state};
use crate::types::json::{self, Json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum JsonFunction {
    /// `->` of a key or a number.
    Get,
    /// `->>`
    GetText,
    /// `#>` of a list of keys and numbers.
    GetPath,
    /// `#>>`
    GetPathText,
    /// `@>`
    Contains,
    /// `<@`
    ContainedBy,
    /// `?`
    HasKey,
    /// `||`
    Concat,
    /// `-` of a key or a number.
    Delete,
    /// `jsonb_set(document, path, value [, whether to create])`.
    Set,
    Length,
    Kind,
    /// `to_jsonb`
    Of,
    BuildArray,
    BuildObject,
}

impl JsonFunction {
    pub(super) fn call(self, arguments: &[Value]) -> Fallible<Value> {
        use JsonFunction as F;
        Ok(match (self, arguments) {
            (F::Of, [value]) => json::of_value(value)?.into(),
            (F::BuildArray, items) => Json::Array(items.iter().map(json::of_value).collect::<Fallible<_>>()?).into(),
            (F::BuildObject, items) => build_object(items)?.into(),
            (F::Contains, [left, right]) => Value::Bool(read(left)?.contains(&read(right)?)),
            (F::ContainedBy, [left, right]) => Value::Bool(read(right)?.contains(&read(left)?)),
            (F::Concat, [left, right]) => json::concat(read(left)?, read(right)?).into(),
            (function, [document, others @ ..]) => function.of(read(document)?, others)?,
            (function, []) => return Err(error("XX000", format!("{function:?} of nothing"))),
        })
    }

    fn of(self, document: Json, others: &[Value]) -> Fallible<Value> {
        use JsonFunction as F;
        Ok(match (self, others) {
            (F::Get, [key]) => get(document, key).map_or(Value::Null, Value::from),
            (F::GetText, [key]) => get(document, key).map_or(Value::Null, Json::into_text),
            (F::GetPath, [Value::List(path)]) => at_path(document, path).map_or(Value::Null, Value::from),
            // The whole is shown as it is.
            (F::GetPathText, [Value::List(path)]) if path.is_empty() && !document.is_scalar() => {
                Value::text(document.to_string())
            }
            (F::GetPathText, [Value::List(path)]) => at_path(document, path).map_or(Value::Null, Json::into_text),
            (F::HasKey, [key]) => Value::Bool(document.has_key(text(key))),
            (F::Delete, [key @ Value::Text(_)]) => json::delete_key(document, text(key))?.into(),
            (F::Delete, [index]) => json::delete_index(document, integer_of(index))?.into(),
            (F::Set, [Value::List(path), value, create @ ..]) => {
                let create = !matches!(create, [Value::Bool(false)]);
                json::set(document, path, read(value)?, create)?.into()
            }
            (F::Length, []) => count(document.length()?)?,
            (F::Kind, []) => Value::text(document.kind()),
            (function, others) => {
                return Err(error(
                    "XX000",
                    format!("{function:?} of {} arguments", others.len() + 1),
                ));
            }
        })
    }
}

fn read(document: &Value) -> Fallible<Json> {
    json::read(text(document))
}

fn get(document: Json, key: &Value) -> Option<Json> {
    match key {
        Value::Text(key) => document.member(key),
        // A scalar counts as an array of itself.
        index if document.is_scalar() => matches!(integer_of(index), 0 | -1).then_some(document),
        index => document.item(integer_of(index)),
    }
}

/// `None` also where a step is NULL.
fn at_path(document: Json, path: &[Value]) -> Option<Json> {
    let steps: Option<Vec<&str>> = path.iter().map(Value::as_str).collect();
    document.at_path(&steps?)
}

/// Keys and values in turn.
fn build_object(items: &[Value]) -> Fallible<Json> {
    if !items.len().is_multiple_of(2) {
        let message = "argument list must have even number of elements";
        let hint = "The arguments of jsonb_build_object() must consist of alternating keys and values.";
        return Err(error(state::INVALID_PARAMETER_VALUE, message).hint(hint));
    }
    let mut members = Vec::with_capacity(items.len() / 2);
    for (at, pair) in items.chunks_exact(2).enumerate() {
        members.push((json::key_of(&pair[0], 2 * at + 1)?, json::of_value(&pair[1])?));
    }
    Ok(json::object(members))
}
