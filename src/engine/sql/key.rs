//! Index keys as bytes whose order is the index's order.
//!
//! ```text
//! a column = [class] [value];  class: 1 = a value, 2 = NULL last, 0 = NULL first
//! integers and date (as bigint), timestamps: big-endian, sign flipped · bool: one byte · text: bytes, then 0
//! numeric: sign, power of ten, digits · double precision: bits in the numbers' order · interval: its span · uuid: bytes ·
//! bytea: bytes, after a zero byte a 1, at the end 0 0 · daterange: whether it is empty, its bounds · jsonb: `types::json`
//! ```
//!
//! A descending column's value bytes are complemented. Text holds no zero byte (PostgreSQL refuses
//! it), so the terminator keeps `a` before `ab` and columns apart.

use std::sync::Arc;

use base::range::DateRange;
use base::{Decimal, Value};

use crate::row::{self, Layout};
use crate::storage::KeyOf;
use crate::types::json;

/// How one column of an index is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// Appends one column of a key.
#[inline]
pub(crate) fn encode(value: &Value, order: Order, into: &mut Vec<u8>) {
    if value.is_null() {
        into.push(if order.nulls_first { 0 } else { 2 });
        return;
    }
    into.push(1);
    let start = into.len();
    match value {
        Value::Bool(b) => into.push(u8::from(*b)),
        // One form for all widths, so that an int column can be probed with a bigint.
        Value::Int2(n) => into.extend_from_slice(&(i64::from(*n) as u64 ^ 1 << 63).to_be_bytes()),
        Value::Int4(n) => into.extend_from_slice(&(i64::from(*n) as u64 ^ 1 << 63).to_be_bytes()),
        Value::Date(n) => into.extend_from_slice(&(i64::from(*n) as u64 ^ 1 << 63).to_be_bytes()),
        Value::Numeric(number) => encode_decimal(**number, into),
        Value::Interval(interval) => {
            into.extend_from_slice(&(interval.span_micros() as u128 ^ 1 << 127).to_be_bytes());
        }
        Value::Float8(number) => into.extend_from_slice(&number.sorted_bits().to_be_bytes()),
        Value::Uuid(uuid) => into.extend_from_slice(&uuid.0),
        Value::Int8(n) | Value::Timestamptz(n) | Value::Timestamp(n) => {
            into.extend_from_slice(&(*n as u64 ^ 1 << 63).to_be_bytes())
        }
        Value::Jsonb(text) => json::encode(text, into),
        Value::Text(text) => {
            into.extend_from_slice(text.as_bytes());
            into.push(0);
        }
        Value::Daterange(range) => encode_range(*range, into),
        // A zero byte is followed by a one, so that the end is less than any byte.
        Value::Bytea(bytes) => {
            for byte in bytes.iter() {
                into.push(*byte);
                if *byte == 0 {
                    into.push(1);
                }
            }
            into.extend_from_slice(&[0, 0]);
        }
        Value::Tid(page, slot) => {
            into.extend_from_slice(&page.to_be_bytes());
            into.extend_from_slice(&slot.to_be_bytes());
        }
        Value::Oid(number) | Value::Regclass(number, _) => into.extend_from_slice(&number.to_be_bytes()),
        // Those that meet have as many parts.
        Value::Record(items) => items.iter().for_each(|item| encode(item, Order::default(), into)),
        Value::Null | Value::List(_) => {}
    }
    if order.descending {
        for byte in &mut into[start..] {
            *byte = !*byte;
        }
    }
}

/// Whether it is empty, then a byte and the day for each bound; none is less as a lower one, and more as an upper one.
fn encode_range(range: DateRange, into: &mut Vec<u8>) {
    into.push(u8::from(!range.is_empty()));
    if range.is_empty() {
        return;
    }
    for (bound, none) in [(range.lower(), 0), (range.upper(), 2)] {
        match bound {
            None => into.push(none),
            Some(day) => {
                into.push(1);
                into.extend_from_slice(&(day as u32 ^ 1 << 31).to_be_bytes());
            }
        }
    }
}

/// Equal values of any scale have equal bytes: sign, power of ten, digits, end. A negative one's are complemented.
pub(crate) fn encode_decimal(number: Decimal, into: &mut Vec<u8>) {
    let (digits, exponent) = number.significant();
    if digits.is_empty() || digits == "0" {
        into.push(1);
        return;
    }
    let negative = number.coefficient() < 0;
    into.push(if negative { 0 } else { 2 });
    let start = into.len();
    into.extend_from_slice(&((exponent + 0x4000) as u16).to_be_bytes());
    into.extend_from_slice(digits.as_bytes());
    into.push(0);
    if negative {
        for byte in &mut into[start..] {
            *byte = !*byte;
        }
    }
}

/// The key of an index of columns, from a row's bytes.
#[derive(Debug)]
pub(crate) struct ColumnKey {
    layout: Arc<Layout>,
    /// The columns in rising order, each with its place in the key.
    wanted: Vec<(u16, u32)>,
    orders: Vec<Order>,
}

impl ColumnKey {
    /// `layout`: the table's when the index is made. Columns that come later stand behind those of the index.
    pub(crate) fn new(layout: Arc<Layout>, columns: Vec<(u16, Order)>) -> ColumnKey {
        let mut wanted: Vec<(u16, u32)> = (0..).zip(&columns).map(|(at, (column, _))| (*column, at)).collect();
        wanted.sort_unstable();
        ColumnKey {
            layout,
            wanted,
            orders: columns.into_iter().map(|(_, order)| order).collect(),
        }
    }
}

impl KeyOf for ColumnKey {
    fn key_of(&self, row: &[u8], into: &mut Vec<u8>) {
        let mut values = vec![Value::Null; self.orders.len()];
        row::decode(row, &self.layout, &self.wanted, &mut values);
        for (value, order) in values.iter().zip(&self.orders) {
            encode(value, *order, into);
        }
    }
}

/// The smallest bytes that are larger than every key beginning with `prefix`; `None` if there are none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::compare::compare_for_sort;

    /// Of days by number.
    fn range(text: &str) -> DateRange {
        let Some((from, to)) = text.trim_matches(['[', '(', ')']).split_once(',') else {
            return DateRange::Empty;
        };
        let bound = |day: &str, inclusive| day.parse().ok().map(|day| (day, inclusive));
        DateRange::new(bound(from, true), bound(to, false)).unwrap()
    }

    fn samples() -> Vec<Vec<Value>> {
        let ints = [i32::MIN, -1, 0, 1, 255, 256, i32::MAX].map(Value::Int4).to_vec();
        let bigs = [i64::MIN, -256, -1, 0, 1, i64::MAX].map(Value::Int8).to_vec();
        let texts = ["", "a", "a\u{1}", "ab", "b", "é", "zz"].map(Value::text).to_vec();
        let bytes = [&[][..], &[0], &[0, 0], &[0, 1], &[0, 2], &[1], &[1, 0], &[1, 1], &[255]].map(Value::bytea);
        let ranges = ["empty", "(,-3)", "(,)", "[-4,-3)", "[0,5)", "[0,)", "[1,2)"];
        let ranges = ranges.map(|text| Value::Daterange(range(text)));
        let bools = [false, true].map(Value::Bool).to_vec();
        let decimals = [
            "-100", "-2.5", "-2.45", "-0.01", "0.00", "0.010", "0.9", "1", "1.5", "10", "99.99",
        ];
        let decimals = decimals.map(|text| Value::numeric(Decimal::parse(text).flatten().unwrap()));
        let documents = [
            "[]",
            "null",
            "\"a\"",
            "\"b\"",
            "-1",
            "1.50",
            "10",
            "false",
            "true",
            "[9]",
            "[1, 2]",
            "[1, \"a\"]",
            "[[], 1]",
            "{}",
            "{\"a\": 1}",
            "{\"a\": 2}",
            "{\"b\": 0}",
        ];
        [
            ints,
            documents.map(|text| Value::Jsonb(text.into())).to_vec(),
            bigs,
            texts,
            bytes.to_vec(),
            ranges.to_vec(),
            bools,
            decimals.to_vec(),
        ]
        .map(|mut column| {
            column.push(Value::Null);
            column
        })
        .to_vec()
    }

    #[test]
    fn bytes_order_as_values_do() {
        for column in samples() {
            for (descending, nulls_first) in [(false, false), (false, true), (true, true), (true, false)] {
                let order = Order {
                    descending,
                    nulls_first,
                };
                for a in &column {
                    for b in &column {
                        let (mut x, mut y) = (Vec::new(), Vec::new());
                        encode(a, order, &mut x);
                        encode(b, order, &mut y);
                        // A second column must not disturb the order of the first.
                        encode(&Value::Int4(1), Order::default(), &mut x);
                        encode(&Value::Int4(1), Order::default(), &mut y);
                        assert_eq!(
                            x.cmp(&y),
                            compare_for_sort(a, b, descending, nulls_first),
                            "{a:?} {b:?} {order:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_successor_is_past_the_prefix() {
        assert_eq!(successor(&[1, 0xff]), Some(vec![2]));
        assert_eq!(successor(&[0xff, 0xff]), None);
    }
}
