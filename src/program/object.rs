//! Buckets of an object store (Amazon S3) and the requests to them, as plain data.
//!
//! A row is an object: a JSON object with a field for each column. How a value becomes a field, and back:
//!
//! | SQL | JSON |
//! |---|---|
//! | bool | `true`, `false` |
//! | smallint, int, bigint | a number |
//! | NULL | `null`; a field that is missing is NULL, too |
//! | timestamptz, timestamp | `"2026-11-21T09:30:00.000000Z"`, `"2026-11-21T09:30:00.000000"` |
//! | bytea | `"\x00ff"`, as PostgreSQL prints it |
//! | any other | a text, as PostgreSQL prints it: no digit of a numeric is lost |
//!
//! **NULL is no key.** A read whose key is NULL finds nothing, and no request is sent for it; a write whose key is NULL is
//! left out. A read of a key that is not there finds no row, which is no error.

use std::fmt::Write;
use std::sync::Arc;

use base::{Type, Value};
use serde::{Deserialize, Serialize};

use crate::expression::Expression;
use crate::ids::NodeId;
use crate::item::EachRow;
use crate::key::key_text;
use crate::step::ErrorClass;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bucket {
    pub name: Arc<str>,
    pub node: NodeId,
    /// How its keys are made: one line per table, for people.
    pub reasons: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectRequest {
    /// An object, or those of these rows' keys, so many at a time; in the rows' order.
    Get {
        each: Option<(EachRow, u16)>,
        key: Expression,
    },
    /// The keys that begin so, in their order: all pages, one after the other. Once for each row, if it says so.
    List {
        each: Option<(EachRow, u16)>,
        prefix: Expression,
    },
    Put {
        key: Expression,
        fields: Fields,
        condition: Option<ObjectCondition>,
    },
    Delete {
        key: Expression,
        condition: Option<ObjectCondition>,
    },
}

/// Fields of an object with their values.
pub type Fields = Vec<(Arc<str>, Expression)>;

/// What becomes a column of the rows that come back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectColumn {
    Field(Arc<str>, Type),
    /// As text.
    Key,
    /// As text, with its quotes.
    ETag,
}

/// What must hold for the object as it is, and what it means if it does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectCondition {
    pub holds: ObjectState,
    /// `Refused`: a constraint of the scenario. `Transient`: somebody was faster; read and decide again.
    pub class: ErrorClass,
    /// `duplicate key: auth.users (id)`
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectState {
    /// `If-None-Match: *`
    Absent,
    /// `If-Match`
    Tagged(Expression),
}

/// Values as parts of a key, with `/` between them: `7/user-17`; `None` if one is NULL or a list. Two are equal only if all
/// their values are.
///
/// Whole numbers are in decimal, other values as in [`key_text`]; all but letters, digits, `-`, `_`, `.` and `~` is
/// percent-encoded.
pub fn path_text<'a>(parts: impl IntoIterator<Item = &'a Value>) -> Option<String> {
    let mut path = String::new();
    for (number, part) in parts.into_iter().enumerate() {
        if number > 0 {
            path.push('/');
        }
        match part {
            Value::Text(text) | Value::Jsonb(text) => encode(&mut path, text),
            Value::Int2(_) | Value::Int4(_) | Value::Int8(_) => encode(&mut path, &part.to_string()),
            other => encode(&mut path, &key_text([other])?),
        }
    }
    Some(path)
}

/// Percent-encodes what is not unreserved in a URL (RFC 3986, 2.3).
pub fn encode(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Decimal;

    use super::*;

    fn path(parts: &[Value]) -> Option<String> {
        path_text(parts)
    }

    #[test]
    fn paths_are_readable_and_do_not_run_together() {
        let text = |text: &str| Value::text(text);
        assert_eq!(path(&[Value::Int4(7), text("user-17")]).as_deref(), Some("7/user-17"));
        assert_eq!(path(&[text("a/b"), text("ü %")]).as_deref(), Some("a%2Fb/%C3%BC%20%25"));
        assert_ne!(path(&[text("a/b"), text("c")]), path(&[text("a"), text("b/c")]));
        assert_ne!(path(&[text("a%2Fb")]), path(&[text("a/b")]));
        assert_eq!(path(&[text("a"), Value::Null]), None);
    }

    #[test]
    fn equal_values_have_one_path() {
        let decimal = |text: &str| Value::numeric(Decimal::parse(text).flatten().unwrap());
        assert_eq!(path(&[decimal("1.50")]), path(&[decimal("1.5")]));
        assert_eq!(path(&[Value::Int4(-3)]), path(&[Value::Int8(-3)]));
    }
}
