//! Rows as JSON objects and back, by the table at the head of `program::object`.

use std::sync::Arc;

use base::value::{parse_day, parse_instant};
use base::{Decimal, Float, Row, Type, Uuid, Value, from_hex, hex};
use engine_object_store::Object;
use program::ObjectColumn;
use serde_json::{Map, Value as Json};

pub(crate) fn content<'f>(fields: impl IntoIterator<Item = (&'f str, Value)>) -> Arc<[u8]> {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json(&value)))
        .collect();
    Json::Object(fields).to_string().into_bytes().into()
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null | Value::List(_) => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Int2(n) => (*n).into(),
        Value::Int4(n) => (*n).into(),
        Value::Int8(n) => (*n).into(),
        Value::Text(text) => (&**text).into(),
        Value::Jsonb(text) => engine_sql::jsonb_text(text).as_deref().unwrap_or(text).into(),
        Value::Timestamptz(micros) => program::instant_text(*micros).into(),
        Value::Timestamp(micros) => program::instant_text(*micros).trim_end_matches('Z').into(),
        Value::Bytea(bytes) => format!("\\x{}", hex(bytes)).into(),
        other => other.to_string().into(),
    }
}

/// What cannot be a value of this type is NULL, as if the field were missing.
fn value(json: Option<&Json>, data_type: Type) -> Value {
    let found = match (json, data_type) {
        (Some(Json::Bool(truth)), Type::Bool) => Some(Value::Bool(*truth)),
        (Some(Json::Number(number)), _) => number.as_i64().and_then(|whole| match data_type {
            Type::Int2 => whole.try_into().ok().map(Value::Int2),
            Type::Int4 => whole.try_into().ok().map(Value::Int4),
            Type::Int8 => Some(Value::Int8(whole)),
            _ => None,
        }),
        (Some(Json::String(text)), _) => value_of_text(text, data_type),
        _ => None,
    };
    found.unwrap_or(Value::Null)
}

fn value_of_text(text: &str, data_type: Type) -> Option<Value> {
    match data_type {
        Type::Text => Some(Value::text(text)),
        Type::Jsonb => Some(Value::Jsonb(text.into())),
        Type::Numeric => Decimal::parse(text).flatten().map(Value::numeric),
        Type::Float8 => Float::parse(text).map(Value::Float8),
        Type::Uuid => Uuid::parse(text).map(Value::Uuid),
        Type::Date => parse_day(text).map(Value::Date),
        Type::Timestamp => parse_instant(text).map(Value::Timestamp),
        Type::Timestamptz => text.strip_suffix('Z').and_then(parse_instant).map(Value::Timestamptz),
        Type::Bytea => from_hex(text.strip_prefix("\\x")?).map(Value::bytea),
        _ => None,
    }
}

fn fields(object: &Object) -> Map<String, Json> {
    match serde_json::from_slice(&object.content) {
        Ok(Json::Object(fields)) => fields,
        // Nobody but the programs writes here.
        _ => Map::new(),
    }
}

/// A row of an object; of a listing's only key and tag are known.
pub(crate) fn row(key: &str, object: &Object, columns: &[ObjectColumn]) -> Row {
    let has_fields = columns.iter().any(|column| matches!(column, ObjectColumn::Field(..)));
    let fields = if has_fields { fields(object) } else { Map::new() };
    let cells = columns.iter().map(|column| match column {
        ObjectColumn::Field(name, data_type) => value(fields.get(&**name), *data_type),
        ObjectColumn::Key => Value::text(key),
        ObjectColumn::ETag => Value::text(object.etag.to_string()),
    });
    cells.collect()
}

/// A row of fields alone.
pub(crate) fn typed(object: &Object, columns: &[(String, Type)]) -> Row {
    let fields = fields(object);
    let cells = columns
        .iter()
        .map(|(name, data_type)| value(fields.get(name), *data_type));
    cells.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        for original in [
            Value::Bool(true),
            Value::Int2(-7),
            Value::Int4(-7),
            Value::Int8(i64::MIN),
            Value::Int8(i64::MAX),
            Value::text("é \"quoted\" \\ \n"),
            Value::text(""),
            Value::Jsonb("{\"a\": 1.50}".into()),
            Value::numeric(Decimal::new(-123_400, 4).unwrap()),
            Value::Float8(Float(0.1)),
            Value::Float8(Float(1e300)),
            Value::Float8(Float(f64::NAN)),
            Value::Uuid(Uuid::numbered(1, 2)),
            Value::Date(-1),
            Value::Timestamp(-1),
            Value::Timestamptz(846_000_000_123_456),
            Value::bytea(&b"\0\xff"[..]),
            Value::bytea(&b""[..]),
        ] {
            let data_type = original.type_of().unwrap();
            assert_eq!(value(Some(&json(&original)), data_type), original);
        }
        assert_eq!(json(&Value::Null), Json::Null);
        assert_eq!(value(None, Type::Text), Value::Null);
        assert_eq!(value(Some(&Json::from("x")), Type::Int4), Value::Null);
        assert_eq!(value(Some(&Json::from(70_000)), Type::Int2), Value::Null, "too large");
    }
}
