//! A row's bytes in a heap page, without the tuple header.
//!
//! ```text
//! [columns: u16, top bit = has NULLs] [NULL bitmap: one bit a column] [values of the others in order]
//! ```
//!
//! bool: 1 byte · smallint: 2 · int, date: 4 · bigint, timestamps, double precision: 8 · interval, uuid: 16, little-endian ·
//! text, jsonb, bytea: LEB128 length, bytes · numeric: length, scale, the coefficient's bytes ·
//! daterange: which parts there are (a day at all, a lower, an upper bound), 4 bytes a bound.
//! A row may have fewer columns than its table (`ADD COLUMN` rewrites nothing): the rest take the
//! column's *missing value*.

use base::range::DateRange;
use base::{Decimal, Float, Interval, Type, Uuid, Value};

const HAS_NULLS: u16 = 0x8000;

/// Appends the bytes of a row.
pub(crate) fn encode(values: &[Value], into: &mut Vec<u8>) {
    let has_nulls = values.iter().any(Value::is_null);
    let count = values.len() as u16 | if has_nulls { HAS_NULLS } else { 0 };
    into.extend_from_slice(&count.to_le_bytes());
    if has_nulls {
        for eight in values.chunks(8) {
            let bits = eight
                .iter()
                .enumerate()
                .fold(0_u8, |bits, (bit, value)| bits | (u8::from(value.is_null()) << bit));
            into.push(bits);
        }
    }
    for value in values {
        encode_value(value, into);
    }
}

fn encode_value(value: &Value, into: &mut Vec<u8>) {
    match value {
        // No column has such a type.
        Value::Null | Value::List(_) | Value::Tid(..) | Value::Oid(_) | Value::Regclass(..) | Value::Record(_) => {}
        Value::Bool(b) => into.push(u8::from(*b)),
        Value::Int4(n) | Value::Date(n) => into.extend_from_slice(&n.to_le_bytes()),
        Value::Numeric(number) => {
            let bytes = number.coefficient().to_le_bytes();
            // What follows the last byte that says something is its sign.
            let sign = if number.coefficient() < 0 { 0xff } else { 0 };
            let mut length = bytes.iter().rposition(|byte| *byte != sign).map_or(1, |last| last + 1);
            if length < bytes.len() && (bytes[length - 1] ^ sign) & 0x80 != 0 {
                length += 1;
            }
            into.extend_from_slice(&[length as u8, number.scale() as u8]);
            into.extend_from_slice(&bytes[..length]);
        }
        Value::Int2(n) => into.extend_from_slice(&n.to_le_bytes()),
        Value::Int8(n) | Value::Timestamptz(n) | Value::Timestamp(n) => into.extend_from_slice(&n.to_le_bytes()),
        Value::Float8(number) => into.extend_from_slice(&number.0.to_le_bytes()),
        Value::Uuid(uuid) => into.extend_from_slice(&uuid.0),
        Value::Interval(interval) => {
            into.extend_from_slice(&interval.micros.to_le_bytes());
            into.extend_from_slice(&interval.days.to_le_bytes());
            into.extend_from_slice(&interval.months.to_le_bytes());
        }
        Value::Text(text) | Value::Jsonb(text) => encode_bytes(text.as_bytes(), into),
        Value::Bytea(bytes) => encode_bytes(bytes, into),
        Value::Daterange(range) => {
            let (from, to) = (range.lower(), range.upper());
            let bits = [!range.is_empty(), from.is_some(), to.is_some()];
            into.push(bits.iter().rev().fold(0, |bits, bit| bits << 1 | u8::from(*bit)));
            for day in [from, to].into_iter().flatten() {
                into.extend_from_slice(&day.to_le_bytes());
            }
        }
    }
}

fn encode_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    let mut length = bytes.len();
    while length >= 0x80 {
        into.push(length as u8 | 0x80);
        length >>= 7;
    }
    into.push(length as u8);
    into.extend_from_slice(bytes);
}

/// Walks a row's columns from the first on, without decoding those that nobody asks for.
struct Walk<'a> {
    bytes: &'a [u8],
    nulls: Option<&'a [u8]>,
    columns: usize,
    at: usize,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Walk<'a> {
        let head = match bytes {
            [low, high, ..] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        };
        let columns = usize::from(head & !HAS_NULLS);
        let (nulls, at) = if head & HAS_NULLS != 0 {
            let end = 2 + columns.div_ceil(8);
            (bytes.get(2..end), end)
        } else {
            (None, 2)
        };
        Walk {
            bytes,
            nulls,
            columns,
            at,
        }
    }

    #[inline]
    fn is_null(&self, column: usize) -> bool {
        self.nulls
            .and_then(|bits| bits.get(column / 8))
            .is_some_and(|bits| bits >> (column % 8) & 1 == 1)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> [u8; N] {
        let found = self.bytes.get(self.at..self.at + N);
        self.at += N;
        found.and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
    }

    #[inline]
    fn bytes(&mut self) -> &'a [u8] {
        let (mut length, mut shift) = (0_usize, 0);
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let bytes = self.bytes.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        bytes
    }

    #[inline]
    fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    fn range(&mut self) -> DateRange {
        let [bits] = self.fixed();
        let mut bound = |bit: u8| (bits & bit != 0).then(|| i32::from_le_bytes(self.fixed()));
        match (bits & 1, bound(2), bound(4)) {
            (0, ..) => DateRange::Empty,
            (_, from, to) => DateRange::Days { from, to },
        }
    }

    fn numeric(&mut self) -> Value {
        let [length, scale] = self.fixed();
        let length = usize::from(length).min(16);
        let found = self.bytes.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        let sign = if found.last().is_some_and(|last| last & 0x80 != 0) {
            0xff
        } else {
            0
        };
        let mut bytes = [sign; 16];
        bytes[..found.len()].copy_from_slice(found);
        let number = Decimal::new(i128::from_le_bytes(bytes), u16::from(scale));
        Value::numeric(number.unwrap_or_else(|| Decimal::from(0)))
    }

    #[inline]
    fn skip(&mut self, data_type: Type) {
        match data_type {
            Type::Bool => self.at += 1,
            Type::Int4 | Type::Date => self.at += 4,
            Type::Numeric => {
                self.numeric();
            }
            Type::Int2 => self.at += 2,
            Type::Int8 | Type::Timestamptz | Type::Timestamp | Type::Float8 => self.at += 8,
            Type::Interval | Type::Uuid => self.at += 16,
            Type::Daterange => {
                self.range();
            }
            Type::Text | Type::Jsonb | Type::Bytea => {
                self.bytes();
            }
            Type::Tid | Type::Oid | Type::Regclass | Type::Record => {}
        }
    }

    #[inline]
    fn value(&mut self, data_type: Type) -> Value {
        match data_type {
            Type::Bool => Value::Bool(self.fixed::<1>()[0] != 0),
            Type::Int4 => Value::Int4(i32::from_le_bytes(self.fixed())),
            Type::Int8 => Value::Int8(i64::from_le_bytes(self.fixed())),
            Type::Timestamptz => Value::Timestamptz(i64::from_le_bytes(self.fixed())),
            Type::Text => Value::Text(self.text().into()),
            Type::Jsonb => Value::Jsonb(self.text().into()),
            Type::Bytea => Value::bytea(self.bytes()),
            Type::Daterange => Value::Daterange(self.range()),
            Type::Date => Value::Date(i32::from_le_bytes(self.fixed())),
            Type::Int2 => Value::Int2(i16::from_le_bytes(self.fixed())),
            Type::Timestamp => Value::Timestamp(i64::from_le_bytes(self.fixed())),
            Type::Float8 => Value::Float8(Float(f64::from_le_bytes(self.fixed()))),
            Type::Uuid => Value::Uuid(Uuid(self.fixed())),
            Type::Interval => Value::Interval(Interval {
                micros: i64::from_le_bytes(self.fixed()),
                days: i32::from_le_bytes(self.fixed()),
                months: i32::from_le_bytes(self.fixed()),
            }),
            Type::Numeric => self.numeric(),
            Type::Tid | Type::Oid | Type::Regclass | Type::Record => Value::Null,
        }
    }
}

/// What a reader needs to know of a table's columns: their types and missing values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    pub(crate) types: Vec<Type>,
    pub(crate) missing: Vec<Value>,
}

/// Which columns go to which slots of the frame, by rising column number.
pub(crate) type Wanted = [(u16, u32)];

/// Decodes the wanted columns into their slots.
#[inline]
pub(crate) fn decode(bytes: &[u8], layout: &Layout, wanted: &Wanted, frame: &mut [Value]) {
    let mut walk = Walk::new(bytes);
    let mut column = 0_usize;
    for (want, slot) in wanted {
        let want = usize::from(*want);
        frame[*slot as usize] = if want >= walk.columns {
            layout.missing[want].clone()
        } else {
            while column < want {
                if !walk.is_null(column) {
                    walk.skip(layout.types[column]);
                }
                column += 1;
            }
            column = want + 1;
            if walk.is_null(want) {
                Value::Null
            } else {
                walk.value(layout.types[want])
            }
        };
    }
}

/// Decodes the whole row.
pub(crate) fn decode_all(bytes: &[u8], layout: &Layout, into: &mut Vec<Value>) {
    into.clear();
    let mut walk = Walk::new(bytes);
    for (column, data_type) in layout.types.iter().enumerate() {
        into.push(if column >= walk.columns {
            layout.missing[column].clone()
        } else if walk.is_null(column) {
            Value::Null
        } else {
            walk.value(*data_type)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout {
            types: vec![
                Type::Int4,
                Type::Text,
                Type::Bool,
                Type::Int8,
                Type::Jsonb,
                Type::Timestamptz,
                Type::Int4,
            ],
            missing: vec![Value::Null; 6].into_iter().chain([Value::Int4(9)]).collect(),
        }
    }

    fn rows() -> Vec<Vec<Value>> {
        let long = "x".repeat(20_000);
        vec![
            vec![
                Value::Int4(-1),
                Value::text("é"),
                Value::Bool(true),
                Value::Int8(i64::MIN),
                Value::Jsonb("{}".into()),
                Value::Timestamptz(5),
            ],
            vec![
                Value::Null,
                Value::text(long.as_str()),
                Value::Null,
                Value::Int8(0),
                Value::Null,
                Value::Null,
            ],
            vec![Value::Null; 6],
        ]
    }

    #[test]
    fn rows_survive_and_a_column_added_later_has_its_missing_value() {
        for row in rows() {
            let mut bytes = Vec::new();
            encode(&row, &mut bytes);
            let mut back = Vec::new();
            decode_all(&bytes, &layout(), &mut back);
            assert_eq!(&back[..6], &row[..]);
            assert_eq!(back[6], Value::Int4(9));
        }
    }

    #[test]
    fn any_choice_of_columns_decodes_as_the_whole_row_does() {
        for row in rows() {
            let mut bytes = Vec::new();
            encode(&row, &mut bytes);
            for mask in 0_u32..128 {
                let wanted: Vec<(u16, u32)> = (0..7)
                    .filter(|column| mask >> column & 1 == 1)
                    .map(|column| (column as u16, column))
                    .collect();
                let mut frame = vec![Value::Bool(false); 7];
                decode(&bytes, &layout(), &wanted, &mut frame);
                for (column, _) in wanted {
                    let expected = row.get(usize::from(column)).cloned().unwrap_or(Value::Int4(9));
                    assert_eq!(frame[usize::from(column)], expected);
                }
            }
        }
    }
}
