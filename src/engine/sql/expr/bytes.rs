//! The functions of `bytea`.

use base::Value;
use sha2::Digest;

use super::function::{Function, count, integer_of, text};
use crate::error::{Fallible, error, state, unsupported};
use crate::types::bytea::Encoding;

/// The members of SHA-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sha {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

fn hash(algorithm: Sha, bytes: &[u8]) -> Value {
    match algorithm {
        Sha::Sha224 => Value::bytea(&sha2::Sha224::digest(bytes)[..]),
        Sha::Sha256 => Value::bytea(&sha2::Sha256::digest(bytes)[..]),
        Sha::Sha384 => Value::bytea(&sha2::Sha384::digest(bytes)[..]),
        Sha::Sha512 => Value::bytea(&sha2::Sha512::digest(bytes)[..]),
    }
}

/// A function whose first argument is bytes.
pub(super) fn call(function: &Function, bytes: &[u8], others: &[Value]) -> Fallible<Value> {
    Ok(match (function, others) {
        (Function::Length | Function::OctetLength, []) => count(bytes.len())?,
        (Function::Append, [Value::Bytea(other)]) => Value::bytea([bytes, other].concat()),
        (Function::Substring, [from]) => substring(bytes, integer_of(from), None)?,
        (Function::Substring, [from, length]) => substring(bytes, integer_of(from), Some(integer_of(length)))?,
        (Function::Encode, [encoding]) => Value::text(Encoding::named(text(encoding))?.encode(bytes)),
        (Function::Sha(algorithm), []) => hash(*algorithm, bytes),
        (Function::ConvertFrom, [encoding]) => {
            must_be_utf8(text(encoding))?;
            Value::text(utf8(bytes)?)
        }
        (function, others) => {
            return Err(error(
                "XX000",
                format!("{function:?} of bytea and {} arguments", others.len()),
            ));
        }
    })
}

/// The text's bytes in an encoding.
pub(super) fn convert_to(text: &str, encoding: &str) -> Fallible<Value> {
    must_be_utf8(encoding)?;
    Ok(Value::bytea(text.as_bytes()))
}

fn must_be_utf8(encoding: &str) -> Fallible<()> {
    let plain: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect();
    match &*plain.to_ascii_lowercase() {
        "utf8" | "unicode" => Ok(()),
        _ => Err(unsupported(format!("the encoding {encoding}"))),
    }
}

fn utf8(bytes: &[u8]) -> Fallible<&str> {
    let refused = |wrong: &[u8]| {
        let shown: Vec<String> = wrong.iter().map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
        error("22021", message)
    };
    if bytes.contains(&0) {
        return Err(refused(&[0]));
    }
    std::str::from_utf8(bytes).map_err(|wrong| {
        let rest = &bytes[wrong.valid_up_to()..];
        // As many bytes as the first one announces, as far as they are there.
        let announced = match rest[0] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        };
        refused(&rest[..announced.min(rest.len())])
    })
}

fn substring(bytes: &[u8], from: i64, length: Option<i64>) -> Fallible<Value> {
    if length.is_some_and(|length| length < 0) {
        return Err(error(state::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let place = |at: i64| usize::try_from(at - 1).unwrap_or(0).min(bytes.len());
    let end = length.map_or(i64::MAX, |length| from.saturating_add(length));
    let (start, end) = (place(from.max(1)), place(end.max(1)));
    Ok(Value::bytea(&bytes[start..end.max(start)]))
}
