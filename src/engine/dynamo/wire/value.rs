//! Attribute values as JSON, both ways.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use crate::failure::{Failure, FailureName, Fallible, invalid, invalid_parameter};
use crate::item::Item;
use crate::number::{Number, NumberError};
use crate::value::AttributeValue;

/// `{"S": "text"}`
pub fn value_json(value: &AttributeValue) -> Json {
    match value {
        AttributeValue::S(text) => json!({ "S": &**text }),
        AttributeValue::N(number) => json!({ "N": number.to_string() }),
        AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
        AttributeValue::Bool(truth) => json!({ "BOOL": truth }),
        AttributeValue::Null => json!({ "NULL": true }),
        AttributeValue::L(values) => json!({ "L": values.iter().map(value_json).collect::<Vec<Json>>() }),
        AttributeValue::M(fields) => json!({ "M": item_json(fields) }),
        AttributeValue::Ss(texts) => json!({ "SS": texts.iter().map(|text| &**text).collect::<Vec<&str>>() }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers.iter().map(Number::to_string).collect::<Vec<String>>() }),
        AttributeValue::Bs(binaries) => {
            json!({ "BS": binaries.iter().map(|bytes| STANDARD.encode(bytes)).collect::<Vec<String>>() })
        }
    }
}

pub fn item_json(item: &Item) -> Json {
    Json::Object(
        item.iter()
            .map(|(name, value)| (name.to_string(), value_json(value)))
            .collect(),
    )
}

pub(super) fn serialization(what: &str) -> Box<Failure> {
    Failure::new(FailureName::Serialization, what)
}

pub(super) fn object(json: &Json) -> Fallible<&Map<String, Json>> {
    json.as_object()
        .ok_or_else(|| serialization("Unexpected value type in payload"))
}

pub(super) fn array(json: &Json) -> Fallible<&[Json]> {
    match json.as_array() {
        Some(values) => Ok(values),
        None => Err(serialization("Unexpected value type in payload")),
    }
}

pub(super) fn string(json: &Json) -> Fallible<&str> {
    json.as_str()
        .ok_or_else(|| serialization("Unexpected value type in payload"))
}

pub(super) fn boolean(json: &Json) -> Fallible<bool> {
    json.as_bool()
        .ok_or_else(|| serialization("Unexpected value type in payload"))
}

pub(super) fn item(json: &Json) -> Fallible<Item> {
    object(json)?
        .iter()
        .map(|(name, json)| Ok((Arc::from(name.as_str()), value(json)?)))
        .collect()
}

pub(super) fn value(json: &Json) -> Fallible<AttributeValue> {
    let types = object(json)?;
    let mut pairs = types.iter();
    let Some((kind, content)) = pairs.next() else {
        return Err(invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ));
    };
    if pairs.next().is_some() {
        return Err(invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ));
    }
    Ok(match kind.as_str() {
        "S" => AttributeValue::S(string(content)?.into()),
        "N" => AttributeValue::N(number(content)?),
        "B" => AttributeValue::B(binary(content)?),
        "BOOL" => AttributeValue::Bool(boolean(content)?),
        "NULL" => {
            if !boolean(content)? {
                return Err(invalid_parameter(
                    "Null attribute value types must have the value of true",
                ));
            }
            AttributeValue::Null
        }
        "L" => AttributeValue::L(array(content)?.iter().map(value).collect::<Fallible<_>>()?),
        "M" => AttributeValue::M(item(content)?),
        "SS" => AttributeValue::Ss(set(
            content,
            "An string set  may not be empty",
            |json| Ok(Arc::from(string(json)?)),
            |texts| invalid_parameter(format!("Input collection [{}] contains duplicates.", texts.join(", "))),
        )?),
        "NS" => AttributeValue::Ns(set(content, "An number set  may not be empty", number, |_| {
            invalid("Input collection contains duplicates")
        })?),
        "BS" => AttributeValue::Bs(set(content, "Binary sets should not be empty", binary, |texts| {
            invalid_parameter(format!(
                "Input collection [{}]of type BS contains duplicates.",
                texts.join(", ")
            ))
        })?),
        _ => {
            return Err(invalid(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
            ));
        }
    })
}

fn set<T: Ord>(
    json: &Json,
    empty: &str,
    element: impl Fn(&Json) -> Fallible<T>,
    twice: impl Fn(&[&str]) -> Box<Failure>,
) -> Fallible<BTreeSet<T>> {
    let values = array(json)?;
    if values.is_empty() {
        return Err(invalid_parameter(empty));
    }
    let mut elements = BTreeSet::new();
    for value in values {
        if !elements.insert(element(value)?) {
            let texts: Vec<&str> = values.iter().filter_map(Json::as_str).collect();
            return Err(twice(&texts));
        }
    }
    Ok(elements)
}

fn number(json: &Json) -> Fallible<Number> {
    let text = string(json)?;
    Number::parse(text).map_err(|error| match error {
        NumberError::NotANumber if !text.is_empty() => {
            invalid(format!("The parameter cannot be converted to a numeric value: {text}"))
        }
        error => error.into(),
    })
}

fn binary(json: &Json) -> Fallible<Arc<[u8]>> {
    let text = string(json)?;
    let bytes = STANDARD.decode(text);
    bytes
        .map(Arc::from)
        .map_err(|_| serialization("Base64 encoded length is expected a multiple of 4 bytes"))
}
