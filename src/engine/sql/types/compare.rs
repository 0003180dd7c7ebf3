//! Order and equality of two values of one type, neither of them NULL. Text compares byte by byte
//! (collation "C").

use std::cmp::Ordering;

use base::Value;

/// Integers of all widths compare with each other. Values of unrelated types never meet here (the
/// binder sees to it); were they to, the order is that of their variants.
#[inline]
pub(crate) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Int4(a), Value::Int4(b)) => a.cmp(b),
        (Value::Int8(a), Value::Int8(b)) | (Value::Timestamptz(a), Value::Timestamptz(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Numeric(a), Value::Numeric(b)) => a.compare(**b),
        (Value::Daterange(a), Value::Daterange(b)) => a.compare(*b),
        (Value::Jsonb(a), Value::Jsonb(b)) => super::json::compare(a, b),
        (Value::Oid(a) | Value::Regclass(a, _), Value::Oid(b) | Value::Regclass(b, _)) => a.cmp(b),
        (Value::Record(a), Value::Record(b)) => compare_records(a, b),
        _ => match (left.as_i64(), right.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => left.cmp(right),
        },
    }
}

/// Part by part, a NULL equal to another and greater than all else.
fn compare_records(left: &[Value], right: &[Value]) -> Ordering {
    let parts = left.iter().zip(right);
    let different = parts
        .map(|(a, b)| compare_for_sort(a, b, false, false))
        .find(|order| order.is_ne());
    different.unwrap_or_else(|| left.len().cmp(&right.len()))
}

/// With PostgreSQL's place for NULLs, which `nulls_first` decides on its own.
pub(crate) fn compare_for_sort(left: &Value, right: &Value, descending: bool, nulls_first: bool) -> Ordering {
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if nulls_first => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if descending => compare(right, left),
        (false, false) => compare(left, right),
    }
}

/// `IS NOT DISTINCT FROM`.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left.is_null(), right.is_null()) {
        (true, true) => true,
        (false, false) => compare(left, right) == Ordering::Equal,
        _ => false,
    }
}
