//! SQL values as attributes and back, by the table at the head of `program::item`.

use base::value::{POSTGRES_EPOCH_DAYS, days_from_civil};
use base::{Row, Type, Value};
use engine_dynamo::{AttributeValue, Finder, Item};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// `None` for NULL, which is left out, and for a list, which is no attribute.
pub(crate) fn attribute(value: &Value) -> Option<AttributeValue> {
    Some(match value {
        Value::Null | Value::List(_) => return None,
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Int4(n) => AttributeValue::number(i64::from(*n)),
        Value::Int8(n) => AttributeValue::number(*n),
        Value::Text(text) | Value::Jsonb(text) => AttributeValue::S(text.clone()),
        // Scenarios have neither; as text they at least keep their value.
        Value::Numeric(_) | Value::Date(_) => AttributeValue::text(value.to_string()),
        Value::Timestamptz(micros) => AttributeValue::text(program::instant_text(*micros)),
    })
}

/// What cannot be a value of this type is NULL, as if the attribute were missing.
pub(crate) fn value(attribute: Option<&AttributeValue>, data_type: Type) -> Value {
    let found = match (attribute, data_type) {
        (Some(AttributeValue::Bool(truth)), Type::Bool) => Some(Value::Bool(*truth)),
        (Some(AttributeValue::N(number)), Type::Int4) => i64::try_from(*number)
            .ok()
            .and_then(|n| i32::try_from(n).ok())
            .map(Value::Int4),
        (Some(AttributeValue::N(number)), Type::Int8) => i64::try_from(*number).ok().map(Value::Int8),
        (Some(AttributeValue::S(text)), Type::Text) => Some(Value::Text(text.clone())),
        (Some(AttributeValue::S(text)), Type::Jsonb) => Some(Value::Jsonb(text.clone())),
        (Some(AttributeValue::S(text)), Type::Timestamptz) => micros(text).map(Value::Timestamptz),
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

/// Of an instant as `program::instant_text` writes it.
fn micros(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    // A year may be negative.
    let mut parts = date.rsplitn(3, '-');
    let day: u32 = parts.next()?.parse().ok()?;
    let month: u32 = parts.next()?.parse().ok()?;
    let year: i64 = parts.next()?.parse().ok()?;
    let (time, fraction) = time.split_once('.')?;
    let mut parts = time.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || fraction.len() != 6 || year.abs() > 300_000 {
        return None;
    }
    let days = days_from_civil(year, month, day) - POSTGRES_EPOCH_DAYS;
    let seconds = hour
        .checked_mul(3600)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)?;
    let of_day = seconds.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)?;
    days.checked_mul(MICROS_PER_DAY)?.checked_add(of_day)
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
