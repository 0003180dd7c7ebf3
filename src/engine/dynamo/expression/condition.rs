//! Whether a condition holds for an item.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::tree::{Comparison, Condition, Operand};
use crate::item::Item;
use crate::number::Number;
use crate::value::AttributeValue;

impl Condition {
    pub(crate) fn holds(&self, item: &Item) -> bool {
        match self {
            Condition::Compare(comparison, a, b) => {
                let (a, b) = (a.value(item), b.value(item));
                comparison.holds(a.as_deref(), b.as_deref())
            }
            Condition::Between(a, low, high) => {
                let a = a.value(item);
                Comparison::GreaterOrEqual.holds(a.as_deref(), low.value(item).as_deref())
                    && Comparison::LessOrEqual.holds(a.as_deref(), high.value(item).as_deref())
            }
            Condition::In(a, list) => {
                let a = a.value(item);
                list.iter()
                    .any(|b| Comparison::Equal.holds(a.as_deref(), b.value(item).as_deref()))
            }
            Condition::And(parts) => parts.iter().all(|part| part.holds(item)),
            Condition::Or(parts) => parts.iter().any(|part| part.holds(item)),
            Condition::Not(part) => !part.holds(item),
            Condition::Exists(path) => path.get(item).is_some(),
            Condition::NotExists(path) => path.get(item).is_none(),
            Condition::HasType(path, kind) => match (path.get(item), kind.value(item).as_deref()) {
                (Some(value), Some(AttributeValue::S(kind))) => value.type_name() == &**kind,
                _ => false,
            },
            Condition::BeginsWith(a, prefix) => match (a.value(item).as_deref(), prefix.value(item).as_deref()) {
                (Some(AttributeValue::S(text)), Some(AttributeValue::S(prefix))) => text.starts_with(&**prefix),
                (Some(AttributeValue::B(bytes)), Some(AttributeValue::B(prefix))) => bytes.starts_with(prefix),
                _ => false,
            },
            Condition::Contains(a, element) => match (a.value(item), element.value(item)) {
                (Some(a), Some(element)) => contains(&a, &element),
                _ => false,
            },
        }
    }
}

impl Operand {
    /// `None` if the item has nothing there.
    fn value<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, AttributeValue>> {
        match self {
            Operand::Value(value) => Some(Cow::Borrowed(value)),
            Operand::Path(path) => path.get(item).map(Cow::Borrowed),
            Operand::Size(path) => {
                let length = path.get(item)?.length()?;
                let length = Number::from(i64::try_from(length).unwrap_or(i64::MAX));
                Some(Cow::Owned(AttributeValue::N(length)))
            }
        }
    }
}

impl Comparison {
    /// Values of different types are different and have no order. What is missing is unlike everything.
    pub(crate) fn holds(self, a: Option<&AttributeValue>, b: Option<&AttributeValue>) -> bool {
        let (Some(a), Some(b)) = (a, b) else {
            return self == Comparison::NotEqual;
        };
        match self {
            Comparison::Equal => a == b,
            Comparison::NotEqual => a != b,
            _ => order(a, b).is_some_and(|order| match self {
                Comparison::Less => order == Ordering::Less,
                Comparison::LessOrEqual => order != Ordering::Greater,
                Comparison::Greater => order == Ordering::Greater,
                _ => order != Ordering::Less,
            }),
        }
    }
}

/// Texts by their UTF-8 bytes, binaries by their bytes, numbers by value.
pub(super) fn order(a: &AttributeValue, b: &AttributeValue) -> Option<Ordering> {
    match (a, b) {
        (AttributeValue::S(a), AttributeValue::S(b)) => Some(a.cmp(b)),
        (AttributeValue::N(a), AttributeValue::N(b)) => Some(a.cmp(b)),
        (AttributeValue::B(a), AttributeValue::B(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// A part of a text or binary, an element of a set or list.
fn contains(value: &AttributeValue, element: &AttributeValue) -> bool {
    match (value, element) {
        (AttributeValue::S(text), AttributeValue::S(part)) => text.contains(&**part),
        (AttributeValue::B(bytes), AttributeValue::B(part)) => {
            part.is_empty() || bytes.windows(part.len()).any(|window| window == &**part)
        }
        (AttributeValue::Ss(texts), AttributeValue::S(text)) => texts.contains(text),
        (AttributeValue::Ns(numbers), AttributeValue::N(number)) => numbers.contains(number),
        (AttributeValue::Bs(binaries), AttributeValue::B(bytes)) => binaries.contains(bytes),
        (AttributeValue::L(values), element) => values.contains(element),
        _ => false,
    }
}
