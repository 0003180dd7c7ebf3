//! Attribute values, items, and how large they are.
//!
//! Sizes by DynamoDB's rules: an attribute is its name and its value in bytes; a text its UTF-8 bytes, a number
//! about half a byte a digit and one, a binary its bytes, null and boolean one, a list or map three and one for
//! each element beside the element.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::item::Item;
use crate::number::Number;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeValue {
    S(Arc<str>),
    N(Number),
    B(Arc<[u8]>),
    Bool(bool),
    Null,
    L(Vec<AttributeValue>),
    M(Item),
    Ss(BTreeSet<Arc<str>>),
    Ns(BTreeSet<Number>),
    Bs(BTreeSet<Arc<[u8]>>),
}

/// Levels of lists and maps within an attribute.
pub const MAX_DEPTH: u32 = 32;
/// An item with its names, in bytes.
pub const MAX_ITEM_BYTES: u64 = 400 * 1024;

impl AttributeValue {
    pub fn text(text: impl Into<Arc<str>>) -> AttributeValue {
        AttributeValue::S(text.into())
    }

    pub fn number(n: i64) -> AttributeValue {
        AttributeValue::N(Number::from(n))
    }

    /// As the wire names its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            AttributeValue::S(_) => "S",
            AttributeValue::N(_) => "N",
            AttributeValue::B(_) => "B",
            AttributeValue::Bool(_) => "BOOL",
            AttributeValue::Null => "NULL",
            AttributeValue::L(_) => "L",
            AttributeValue::M(_) => "M",
            AttributeValue::Ss(_) => "SS",
            AttributeValue::Ns(_) => "NS",
            AttributeValue::Bs(_) => "BS",
        }
    }

    /// Bytes that it takes in an item.
    pub fn size(&self) -> u64 {
        match self {
            AttributeValue::S(text) => text.len() as u64,
            AttributeValue::N(number) => number.size(),
            AttributeValue::B(bytes) => bytes.len() as u64,
            AttributeValue::Bool(_) | AttributeValue::Null => 1,
            AttributeValue::L(values) => values.iter().map(|value| value.size() + 1).sum::<u64>() + 3,
            AttributeValue::M(values) => item_size(values) + values.len() as u64 + 3,
            AttributeValue::Ss(texts) => texts.iter().map(|text| text.len() as u64).sum(),
            AttributeValue::Ns(numbers) => numbers.iter().map(|number| number.size()).sum(),
            AttributeValue::Bs(binaries) => binaries.iter().map(|bytes| bytes.len() as u64).sum(),
        }
    }

    /// What `size(path)` gives: the length of a text in characters, of a binary in bytes, the elements of the rest.
    pub fn length(&self) -> Option<usize> {
        match self {
            // As AWS counts: UTF-16 code units would be Java's length; its documentation says length of the string.
            AttributeValue::S(text) => Some(text.chars().count()),
            AttributeValue::B(bytes) => Some(bytes.len()),
            AttributeValue::L(values) => Some(values.len()),
            AttributeValue::M(values) => Some(values.len()),
            AttributeValue::Ss(texts) => Some(texts.len()),
            AttributeValue::Ns(numbers) => Some(numbers.len()),
            AttributeValue::Bs(binaries) => Some(binaries.len()),
            AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => None,
        }
    }

    /// Levels of lists and maps.
    pub fn depth(&self) -> u32 {
        let deepest = |depths: &mut dyn Iterator<Item = u32>| 1 + depths.max().unwrap_or(0);
        match self {
            AttributeValue::L(values) => deepest(&mut values.iter().map(AttributeValue::depth)),
            AttributeValue::M(values) => deepest(&mut values.values().map(AttributeValue::depth)),
            _ => 0,
        }
    }
}

/// Names and values, in bytes.
pub fn item_size(item: &Item) -> u64 {
    item.iter().map(|(name, value)| name.len() as u64 + value.size()).sum()
}
