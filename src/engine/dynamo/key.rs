//! Keys as bytes that sort as DynamoDB sorts.
//!
//! ```text
//! table:  hash of the partition key (8 bytes) · partition key · sort key
//! index:  hash of the index's partition key   · its partition key · its sort key · table's partition key · its sort key
//! ```
//!
//! A part ends with two zero bytes, and a zero byte within it is written as 0, 255: so a shorter part sorts before a
//! longer one that begins with it, and what begins with a prefix lies together.

use std::sync::Arc;

use base::Fingerprint;

use crate::failure::{Fallible, invalid, invalid_parameter};
use crate::item::Item;
use crate::schema::{KeyAttribute, KeySchema};
use crate::value::AttributeValue;

pub(crate) type Key = Arc<[u8]>;

const MAX_PARTITION_KEY: usize = 2048;
const MAX_SORT_KEY: usize = 1024;

/// Without an end: what begins so begins with the value.
pub(crate) fn push_open(value: &AttributeValue, into: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) => push_escaped(text.as_bytes(), into),
        AttributeValue::B(bytes) => push_escaped(bytes, into),
        AttributeValue::N(number) => {
            let mut bytes = Vec::with_capacity(32);
            number.ordered_bytes(&mut bytes);
            push_escaped(&bytes, into);
        }
        _ => {}
    }
}

fn push_escaped(bytes: &[u8], into: &mut Vec<u8>) {
    let mut pieces = bytes.split(|byte| *byte == 0);
    into.extend_from_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        into.extend([0, 0xff]);
        into.extend_from_slice(piece);
    }
}

pub(crate) fn push_part(value: &AttributeValue, into: &mut Vec<u8>) {
    push_open(value, into);
    into.extend([0, 0]);
}

/// What all keys with this partition key begin with.
pub(crate) fn partition_prefix(value: &AttributeValue) -> Vec<u8> {
    // Hashed is the part behind its length, where the hash then comes to stand.
    const HASH: usize = 8;
    let mut bytes = Vec::with_capacity(96);
    bytes.extend([0; HASH]);
    push_part(value, &mut bytes);
    let length = (bytes.len() - HASH) as u64;
    bytes[..HASH].copy_from_slice(&length.to_le_bytes());
    let hash = Fingerprint::of_bytes(&bytes);
    bytes[..HASH].copy_from_slice(&hash.to_be_bytes());
    bytes
}

/// Which of so many partitions a key lies in: they divide the range of hashes evenly.
pub(crate) fn partition_of(key: &[u8], partitions: u32) -> usize {
    let hash = key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    ((u128::from(hash) * u128::from(partitions)) >> 64) as usize
}

/// `None` if the item lacks an attribute of the key, or has it with another type: it is not in the index.
pub(crate) fn encode(schema: &KeySchema, item: &Item) -> Option<Vec<u8>> {
    let value = |attribute: &KeyAttribute| item.get(&attribute.name).filter(|value| attribute.kind.takes(value));
    let mut bytes = partition_prefix(value(&schema.partition)?);
    if let Some(sort) = &schema.sort {
        push_part(value(sort)?, &mut bytes);
    }
    Some(bytes)
}

/// The key of an index's entry for an item of the table.
pub(crate) fn encode_entry(index: &KeySchema, table: &KeySchema, item: &Item) -> Option<Key> {
    let mut bytes = encode(index, item)?;
    for attribute in table.attributes() {
        push_part(item.get(&attribute.name)?, &mut bytes);
    }
    Some(bytes.into())
}

/// Of a key that a request gives: the attributes of the schema, no more and no less.
pub(crate) fn of_request(schema: &KeySchema, key: &Item) -> Fallible<Key> {
    let mismatch = || invalid("The provided key element does not match the schema");
    if key.len() != schema.attributes().count() {
        return Err(mismatch());
    }
    for attribute in schema.attributes() {
        let value = key.get(&attribute.name).ok_or_else(mismatch)?;
        if !attribute.kind.takes(value) {
            return Err(mismatch());
        }
    }
    check_lengths(schema, key, "")?;
    encode(schema, key).map(Key::from).ok_or_else(mismatch)
}

/// Of an item to be stored.
pub(crate) fn of_item(schema: &KeySchema, item: &Item) -> Fallible<Key> {
    for attribute in schema.attributes() {
        let Some(value) = item.get(&attribute.name) else {
            return Err(invalid_parameter(format!(
                "Missing the key {} in the item",
                attribute.name
            )));
        };
        if !attribute.kind.takes(value) {
            return Err(invalid_parameter(format!(
                "Type mismatch for key {} expected: {} actual: {}",
                attribute.name,
                attribute.kind.name(),
                value.type_name()
            )));
        }
    }
    check_lengths(schema, item, "")?;
    let missing = || invalid("The provided key element does not match the schema");
    encode(schema, item).map(Key::from).ok_or_else(missing)
}

/// An attribute that is an index's key has the index's type, if it is there at all.
pub(crate) fn check_index_key(index: &str, schema: &KeySchema, item: &Item) -> Fallible<()> {
    for attribute in schema.attributes() {
        if let Some(value) = item.get(&attribute.name)
            && !attribute.kind.takes(value)
        {
            return Err(invalid_parameter(format!(
                "Type mismatch for Index Key {} Expected: {} Actual: {} IndexName: {index}",
                attribute.name,
                attribute.kind.name(),
                value.type_name()
            )));
        }
    }
    check_lengths(schema, item, &format!(", IndexName: {index}"))
}

fn check_lengths(schema: &KeySchema, item: &Item, place: &str) -> Fallible<()> {
    for attribute in schema.attributes() {
        let is_partition = attribute.name == schema.partition.name;
        let length = match item.get(&attribute.name) {
            Some(AttributeValue::S(text)) => text.len(),
            Some(AttributeValue::B(bytes)) => bytes.len(),
            _ => continue,
        };
        if length == 0 {
            let what = if attribute.kind == crate::schema::KeyType::B {
                "binary"
            } else {
                "string"
            };
            return Err(if place.is_empty() {
                invalid(format!(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain \
                     an empty {what} value. Key: {}",
                    attribute.name
                ))
            } else {
                invalid(format!(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not \
                     supported. The AttributeValue for a key attribute cannot contain an empty {what} value. \
                     IndexName: {}, IndexKey: {}",
                    place.trim_start_matches(", IndexName: "),
                    attribute.name
                ))
            });
        }
        if is_partition && length > MAX_PARTITION_KEY {
            return Err(invalid_parameter(format!(
                "Size of hashkey has exceeded the maximum size limit of{MAX_PARTITION_KEY} bytes"
            )));
        }
        if !is_partition && length > MAX_SORT_KEY {
            return Err(invalid_parameter(format!(
                "Aggregated size of all range keys has exceeded the size limit of {MAX_SORT_KEY} bytes"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::hash::{Hash, Hasher};

    use base::Fingerprinter;

    use super::*;

    fn part(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_part(&AttributeValue::text(text), &mut bytes);
        bytes
    }

    #[test]
    fn bytes_sort_as_texts_do_and_a_part_ends_where_it_ends() {
        let rising = ["", "\0", "\0\0", "\0a", "a", "a\0", "a\0b", "aa", "b"];
        for pair in rising.windows(2) {
            assert!(part(pair[0]) < part(pair[1]), "{pair:?}");
        }
        let mut joined = part("a");
        joined.extend(part("b"));
        assert!(joined < part("aa"), "what follows does not change the order");
    }

    #[test]
    fn a_partition_is_hashed_with_its_length() {
        for text in ["", "a", "t#7#users#new-user-7", "a\0b"] {
            let (mut hasher, part) = (Fingerprinter::new(), part(text));
            part.hash(&mut hasher);
            let prefix = partition_prefix(&AttributeValue::text(text));
            assert_eq!(prefix, [&hasher.finish().to_be_bytes()[..], &part].concat());
        }
    }

    #[test]
    fn partitions_divide_the_hashes() {
        assert_eq!(partition_of(&[0; 8], 4), 0);
        assert_eq!(partition_of(&[0xff; 8], 4), 3);
        assert_eq!(partition_of(&[0x40, 0, 0, 0, 0, 0, 0, 0], 4), 1);
        assert_eq!(partition_of(&[], 1), 0);
    }
}
