//! `bytea` from and to text: PostgreSQL's hex and escape forms, and what `encode` and `decode` know besides.

use std::fmt::Write;

use crate::error::{Fallible, error, state};

/// The input function: `\x0aff`, or text in which `\\` is a backslash and `\ooo` a byte.
pub(crate) fn parse(text: &str) -> Fallible<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => from_hex(digits),
        None => from_escape(text),
    }
}

/// How `encode` and `decode` write bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
    Escape,
}

impl Encoding {
    pub(crate) fn named(name: &str) -> Fallible<Encoding> {
        match &*name.to_ascii_lowercase() {
            "hex" => Ok(Encoding::Hex),
            "base64" => Ok(Encoding::Base64),
            "escape" => Ok(Encoding::Escape),
            _ => Err(invalid(format!("unrecognized encoding: \"{name}\""))),
        }
    }

    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => base::hex(bytes),
            Encoding::Base64 => to_base64(bytes),
            Encoding::Escape => to_escape(bytes),
        }
    }

    pub(crate) fn decode(self, text: &str) -> Fallible<Vec<u8>> {
        match self {
            Encoding::Hex => from_hex(text),
            Encoding::Base64 => from_base64(text),
            Encoding::Escape => from_escape(text),
        }
    }
}

fn invalid(message: impl Into<String>) -> Box<crate::SqlError> {
    error(state::INVALID_PARAMETER_VALUE, message.into())
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\n' | '\t' | '\r')
}

/// Pairs of digits, white space between them.
fn from_hex(text: &str) -> Fallible<Vec<u8>> {
    let digit = |c: char| {
        c.to_digit(16)
            .map(|digit| digit as u8)
            .ok_or_else(|| invalid(format!("invalid hexadecimal digit: \"{c}\"")))
    };
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut rest = text.chars();
    while let Some(first) = rest.next() {
        if is_space(first) {
            continue;
        }
        let high = digit(first)?;
        let Some(second) = rest.next() else {
            return Err(invalid("invalid hexadecimal data: odd number of digits"));
        };
        bytes.push(high << 4 | digit(second)?);
    }
    Ok(bytes)
}

fn from_escape(text: &str) -> Fallible<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match others {
            [b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => return Err(error(state::INVALID_TEXT, "invalid input syntax for type bytea")),
        }
    }
    Ok(bytes)
}

fn to_escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0 | 0x80.. => {
                let _ = write!(text, "\\{byte:03o}");
            }
            _ => text.push(char::from(*byte)),
        }
    }
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Bytes of a line of base64.
const LINE: usize = 57;

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for line in bytes.chunks(LINE) {
        for three in line.chunks(3) {
            let word = three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            for place in 0..4 {
                text.push(if place <= three.len() {
                    char::from(BASE64[(word >> (18 - 6 * place)) as usize & 63])
                } else {
                    '='
                });
            }
        }
        // Even after the last line, if it is full.
        if line.len() == LINE {
            text.push('\n');
        }
    }
    text
}

fn from_base64(text: &str) -> Fallible<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut count, mut padding) = (0_u32, 0, 0);
    for c in text.chars().filter(|c| !is_space(*c)) {
        let digit = if c == '=' {
            if padding == 0 {
                padding = match count {
                    2 => 2,
                    3 => 1,
                    _ => return Err(invalid("unexpected \"=\" while decoding base64 sequence")),
                };
            }
            0
        } else {
            let found = BASE64.iter().position(|digit| char::from(*digit) == c);
            found.ok_or_else(|| invalid(format!("invalid symbol \"{c}\" found while decoding base64 sequence")))? as u32
        };
        word = word << 6 | digit;
        count += 1;
        if count == 4 {
            bytes.extend_from_slice(&word.to_be_bytes()[1..4 - padding]);
            (word, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(invalid("invalid base64 end sequence")
            .hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use base::random::Stream;

    use super::*;

    #[test]
    fn bytes_survive_every_form() {
        let mut random = Stream::new(1, "bytea", 0);
        for length in (0..200).chain([57, 114]) {
            let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
            for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Escape] {
                assert_eq!(encoding.decode(&encoding.encode(&bytes)), Ok(bytes.clone()));
            }
            assert_eq!(parse(&format!("\\x{}", base::hex(&bytes))), Ok(bytes.clone()));
        }
    }
}
