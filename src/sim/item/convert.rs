//! SQL values as attributes and back, by the table at the head of `program::item`.

use base::value::{parse_day, parse_instant};
use base::{Decimal, Float, Row, Type, Uuid, Value};
use engine_dynamo::{AttributeValue, Finder, Item, Number};

/// `None` for NULL, which is left out, and for a list, which is no attribute.
pub(crate) fn attribute(value: &Value) -> Option<AttributeValue> {
    Some(match value {
        Value::Null | Value::List(_) | Value::Record(_) => return None,
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Int4(n) => AttributeValue::number(i64::from(*n)),
        Value::Int8(n) => AttributeValue::number(*n),
        Value::Text(text) => AttributeValue::S(text.clone()),
        Value::Jsonb(text) => AttributeValue::S(engine_sql::jsonb_text(text).unwrap_or_else(|| text.clone())),
        Value::Int2(n) => AttributeValue::number(i64::from(*n)),
        Value::Numeric(_) | Value::Float8(_) => {
            let text = value.to_string();
            Number::parse(&text).map_or_else(|_| AttributeValue::text(text), AttributeValue::N)
        }
        Value::Bytea(bytes) => AttributeValue::B(bytes.clone()),
        Value::Oid(number) => AttributeValue::number(i64::from(*number)),
        Value::Date(_)
        | Value::Interval(_)
        | Value::Uuid(_)
        | Value::Daterange(_)
        | Value::Tid(..)
        | Value::Regclass(..) => AttributeValue::text(value.to_string()),
        Value::Timestamp(micros) => AttributeValue::text(program::instant_text(*micros).trim_end_matches('Z')),
        Value::Timestamptz(micros) => AttributeValue::text(program::instant_text(*micros)),
    })
}

/// What cannot be a value of this type is NULL, as if the attribute were missing.
pub(crate) fn value(attribute: Option<&AttributeValue>, data_type: Type) -> Value {
    let found = match (attribute, data_type) {
        (Some(AttributeValue::Bool(truth)), Type::Bool) => Some(Value::Bool(*truth)),
        (Some(AttributeValue::N(number)), Type::Int2) => whole(*number).map(Value::Int2),
        (Some(AttributeValue::N(number)), Type::Int4) => whole(*number).map(Value::Int4),
        (Some(AttributeValue::N(number)), Type::Int8) => whole(*number).map(Value::Int8),
        (Some(AttributeValue::N(number)), Type::Numeric) => {
            Decimal::parse(&number.to_string()).flatten().map(Value::numeric)
        }
        (Some(AttributeValue::N(number)), Type::Float8) => Float::parse(&number.to_string()).map(Value::Float8),
        (Some(AttributeValue::S(text)), Type::Float8) => Float::parse(text).map(Value::Float8),
        (Some(AttributeValue::S(text)), Type::Uuid) => Uuid::parse(text).map(Value::Uuid),
        (Some(AttributeValue::S(text)), Type::Date) => parse_day(text).map(Value::Date),
        (Some(AttributeValue::S(text)), Type::Timestamp) => parse_instant(text).map(Value::Timestamp),
        (Some(AttributeValue::S(text)), Type::Text) => Some(Value::Text(text.clone())),
        (Some(AttributeValue::S(text)), Type::Jsonb) => Some(Value::Jsonb(text.clone())),
        (Some(AttributeValue::B(bytes)), Type::Bytea) => Some(Value::Bytea(bytes.clone())),
        (Some(AttributeValue::S(text)), Type::Timestamptz) => {
            text.strip_suffix('Z').and_then(parse_instant).map(Value::Timestamptz)
        }
        _ => None,
    };
    found.unwrap_or(Value::Null)
}

/// Makes rows of items: of those of one kind, which have their attributes at the same places.
#[derive(Clone, Debug)]
pub(crate) struct Columns<'a> {
    columns: Vec<(Finder<'a>, Type)>,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(columns: impl Iterator<Item = (&'a str, Type)>) -> Columns<'a> {
        let columns = columns.map(|(name, data_type)| (Finder::new(name), data_type));
        Columns {
            columns: columns.collect(),
        }
    }

    pub(crate) fn row(&mut self, item: &Item) -> Row {
        let columns = self.columns.iter_mut();
        columns
            .map(|(finder, data_type)| value(finder.find(item), *data_type))
            .collect()
    }
}

pub(crate) fn row(item: &Item, columns: &[(String, Type)]) -> Row {
    columns
        .iter()
        .map(|(name, data_type)| value(item.get(name), *data_type))
        .collect()
}

fn whole<N: TryFrom<i64>>(number: Number) -> Option<N> {
    N::try_from(i64::try_from(number).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        for original in [
            Value::Bool(true),
            Value::Int4(-7),
            Value::Int8(i64::MIN),
            Value::text("é"),
            Value::text(""),
            Value::Jsonb("{\"a\": 1}".into()),
            Value::Int2(-7),
            Value::numeric(Decimal::new(-1234, 2).unwrap()),
            Value::Float8(Float(0.1)),
            Value::Float8(Float(1e300)),
            Value::Float8(Float(f64::NAN)),
            Value::Uuid(Uuid::numbered(1, 2)),
            Value::Date(-1),
            Value::Timestamp(-1),
            Value::bytea(&b"\0\xff"[..]),
            Value::Timestamptz(0),
            Value::Timestamptz(-1),
            Value::Timestamptz(846_000_000_123_456),
            Value::Timestamptz(-70_000_000_000_000_000),
        ] {
            let data_type = original.type_of().unwrap();
            assert_eq!(value(attribute(&original).as_ref(), data_type), original);
        }
        assert_eq!(attribute(&Value::Null), None);
        assert_eq!(value(None, Type::Text), Value::Null);
        assert_eq!(value(Some(&AttributeValue::text("x")), Type::Int4), Value::Null);
    }

    #[test]
    fn instants_sort_as_their_texts() {
        let text = |micros| match attribute(&Value::Timestamptz(micros)) {
            Some(AttributeValue::S(text)) => text.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(text(846_000_000_000_000), "2026-10-22T16:00:00.000000Z");
        assert!(text(-1) < text(0) && text(0) < text(1) && text(1) < text(1_000_000));
    }
}
