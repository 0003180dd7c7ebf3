//! Functions that return sets: `generate_series`, and a document's members as rows.

use base::{Type, Value};

use super::function::text;
use crate::error::{Fallible, error, state};
use crate::types::json::{self, Json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SetFunction {
    /// `generate_series(start, stop [, step])`, of bigint if wide.
    Series { wide: bool },
    /// `jsonb_array_elements[_text](array)`
    Elements { as_text: bool },
    /// `jsonb_each[_text](object)`
    Members { as_text: bool },
    /// `jsonb_object_keys(object)`
    Keys,
}

impl SetFunction {
    pub(crate) fn named(name: &str) -> Option<SetFunction> {
        Some(match name {
            "generate_series" => SetFunction::Series { wide: false },
            "jsonb_array_elements" => SetFunction::Elements { as_text: false },
            "jsonb_array_elements_text" => SetFunction::Elements { as_text: true },
            "jsonb_each" => SetFunction::Members { as_text: false },
            "jsonb_each_text" => SetFunction::Members { as_text: true },
            "jsonb_object_keys" => SetFunction::Keys,
            _ => return None,
        })
    }

    /// Its columns; one without a name is called as the function or its alias.
    pub(crate) fn columns(self) -> Vec<(Option<&'static str>, Type)> {
        let value = |as_text| if as_text { Type::Text } else { Type::Jsonb };
        match self {
            SetFunction::Series { wide: true } => vec![(None, Type::Int8)],
            SetFunction::Series { wide: false } => vec![(None, Type::Int4)],
            SetFunction::Elements { as_text } => vec![(Some("value"), value(as_text))],
            SetFunction::Members { as_text } => vec![(Some("key"), Type::Text), (Some("value"), value(as_text))],
            SetFunction::Keys => vec![(None, Type::Text)],
        }
    }

    /// What a document, which may be NULL, has as rows.
    pub(crate) fn rows_of(self, document: &Value) -> Fallible<Vec<Box<[Value]>>> {
        if document.is_null() {
            return Ok(Vec::new());
        }
        let show = |as_text: bool, value: Json| if as_text { value.into_text() } else { value.into() };
        let refused = |message: String| Err(error(state::INVALID_PARAMETER_VALUE, message));
        match (self, json::read(text(document))?) {
            (SetFunction::Elements { as_text }, Json::Array(items)) => {
                Ok(items.into_iter().map(|item| [show(as_text, item)].into()).collect())
            }
            (SetFunction::Members { as_text }, Json::Object(members)) => {
                let row = |(key, value): (Box<str>, Json)| [Value::text(&*key), show(as_text, value)].into();
                Ok(members.into_iter().map(row).collect())
            }
            (SetFunction::Keys, Json::Object(members)) => Ok(members
                .into_iter()
                .map(|(key, _)| [Value::text(&*key)].into())
                .collect()),
            (SetFunction::Elements { .. }, Json::Object(_)) => refused("cannot extract elements from an object".into()),
            (SetFunction::Elements { .. }, _) => refused("cannot extract elements from a scalar".into()),
            (SetFunction::Keys, Json::Array(_)) => refused("cannot call jsonb_object_keys on an array".into()),
            (SetFunction::Keys, _) => refused("cannot call jsonb_object_keys on a scalar".into()),
            (SetFunction::Members { as_text }, _) => {
                let suffix = if as_text { "_text" } else { "" };
                refused(format!("cannot call jsonb_each{suffix} on a non-object"))
            }
            (SetFunction::Series { .. }, _) => Ok(Vec::new()),
        }
    }
}
