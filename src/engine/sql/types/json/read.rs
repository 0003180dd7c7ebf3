//! Text → document. What is wrong is said as PostgreSQL's parser says it: the token, and the line up to it.

use base::Decimal;

use super::{Json, object};
use crate::error::{Fallible, error, state, unsupported};
use crate::types::input;

/// Documents within documents that are gone into.
const DEEPEST: usize = 500;

pub(crate) fn read(text: &str) -> Fallible<Json> {
    let mut reader = Reader {
        text,
        line: (1, 0),
        token: (0, 0),
        kind: Kind::End,
    };
    reader.advance()?;
    let document = reader.value(0, "JSON value")?;
    match reader.kind {
        Kind::End => Ok(document),
        _ => Err(reader.expected("end of input")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Punctuation(u8),
    Scalar(Json),
    End,
}

struct Reader<'a> {
    text: &'a str,
    /// Its number, and where it starts.
    line: (usize, usize),
    /// Where the last token starts and ends; in the middle of one, how much of it has been read.
    token: (usize, usize),
    kind: Kind,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Reader<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// Where what `is` true of ends.
    fn skip(&self, from: usize, is: impl Fn(u8) -> bool) -> usize {
        let rest = &self.text.as_bytes()[from..];
        from + rest.iter().position(|byte| !is(*byte)).unwrap_or(rest.len())
    }

    fn advance(&mut self) -> Fallible<()> {
        let mut at = self.token.1;
        while let Some(space @ (b' ' | b'\t' | b'\n' | b'\r')) = self.byte(at) {
            at += 1;
            if space == b'\n' {
                self.line = (self.line.0 + 1, at);
            }
        }
        self.token.0 = at;
        self.kind = match self.byte(at) {
            None => {
                self.token.1 = at;
                Kind::End
            }
            Some(mark @ (b'{' | b'}' | b'[' | b']' | b',' | b':')) => {
                self.token.1 = at + 1;
                Kind::Punctuation(mark)
            }
            Some(b'"') => Kind::Scalar(Json::Text(self.string(at + 1)?.into())),
            Some(b'-' | b'0'..=b'9') => Kind::Scalar(Json::Number(self.number(at)?)),
            Some(_) => Kind::Scalar(self.word(at)?),
        };
        Ok(())
    }

    fn word(&mut self, at: usize) -> Fallible<Json> {
        self.token.1 = self.skip(at, is_word).max(at + 1);
        Ok(match &self.text.as_bytes()[at..self.token.1] {
            b"true" => Json::Bool(true),
            b"false" => Json::Bool(false),
            b"null" => Json::Null,
            _ => return Err(self.invalid_token()),
        })
    }

    fn number(&mut self, from: usize) -> Fallible<Decimal> {
        let digits = |from| self.skip(from, |byte| byte.is_ascii_digit());
        let start = from + usize::from(self.byte(from) == Some(b'-'));
        let mut at = match self.byte(start) {
            Some(b'0') => start + 1,
            _ => digits(start),
        };
        let mut good = at > start;
        if self.byte(at) == Some(b'.') {
            let start = at + 1;
            at = digits(start);
            good &= at > start;
        }
        if let Some(b'e' | b'E') = self.byte(at) {
            let start = at + 1 + usize::from(matches!(self.byte(at + 1), Some(b'+' | b'-')));
            at = digits(start);
            good &= at > start;
        }
        let end = self.skip(at, is_word);
        self.token.1 = end;
        if !good || end > at {
            return Err(self.invalid_token());
        }
        let number = Decimal::parse(&self.text[from..end]).flatten();
        number.ok_or_else(input::too_long)
    }

    /// `at`: behind the quote.
    fn string(&mut self, mut at: usize) -> Fallible<String> {
        let mut read = String::new();
        // The first half of a character beyond the first 65,536.
        let mut high: Option<u32> = None;
        loop {
            let plain = self.skip(at, |byte| byte != b'"' && byte != b'\\' && byte >= b' ');
            let escaped_low = self.text.as_bytes()[plain..].starts_with(b"\\u");
            if high.is_some() && (plain > at || !escaped_low) {
                return Err(self.low_surrogate());
            }
            read.push_str(&self.text[at..plain]);
            at = plain;
            match self.byte(at) {
                Some(b'"') => {
                    self.token.1 = at + 1;
                    return Ok(read);
                }
                Some(b'\\') if escaped_low => {
                    let code = self.hexadecimal(at + 2)?;
                    at += 6;
                    match (high.take(), code) {
                        (None, 0xd800..=0xdbff) => high = Some(code),
                        (Some(_), 0xd800..=0xdbff) => {
                            return Err(self.syntax("Unicode high surrogate must not follow a high surrogate."));
                        }
                        (Some(high), 0xdc00..=0xdfff) => {
                            let whole = 0x10000 + ((high & 0x3ff) << 10) + (code & 0x3ff);
                            read.extend(char::from_u32(whole));
                        }
                        (None, 0xdc00..=0xdfff) | (Some(_), _) => return Err(self.low_surrogate()),
                        (None, 0) => return Err(self.no_zero()),
                        (None, code) => read.extend(char::from_u32(code)),
                    }
                }
                Some(b'\\') => {
                    read.push(self.escape(at + 1)?);
                    at += 2;
                }
                Some(control) => {
                    self.token.1 = at;
                    return Err(self.syntax(&format!("Character with value 0x{control:02x} must be escaped.")));
                }
                None => {
                    self.token.1 = at;
                    return Err(self.invalid_token());
                }
            }
        }
    }

    fn escape(&mut self, at: usize) -> Fallible<char> {
        Ok(match self.byte(at) {
            Some(same @ (b'"' | b'\\' | b'/')) => char::from(same),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(_) => {
                let end = self.character_end(at);
                self.token = (at, end);
                return Err(self.syntax(&format!("Escape sequence \"\\{}\" is invalid.", &self.text[at..end])));
            }
            None => {
                self.token.1 = at;
                return Err(self.invalid_token());
            }
        })
    }

    fn character_end(&self, at: usize) -> usize {
        at + self.text[at..].chars().next().map_or(0, char::len_utf8)
    }

    fn hexadecimal(&mut self, from: usize) -> Fallible<u32> {
        let mut code = 0;
        for at in from..from + 4 {
            let digit = self.byte(at).map(|byte| char::from(byte).to_digit(16));
            match digit {
                Some(Some(digit)) => code = code * 16 + digit,
                Some(None) => {
                    self.token.1 = self.character_end(at);
                    return Err(self.syntax("\"\\u\" must be followed by four hexadecimal digits."));
                }
                None => {
                    self.token.1 = at;
                    return Err(self.invalid_token());
                }
            }
        }
        Ok(code)
    }

    fn eat(&mut self, mark: u8) -> Fallible<bool> {
        let found = self.kind == Kind::Punctuation(mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn value(&mut self, depth: usize, expected: &str) -> Fallible<Json> {
        if depth > DEEPEST {
            return Err(unsupported(format!("jsonb nested more than {DEEPEST} deep")));
        }
        if self.eat(b'{')? {
            return self.members(depth);
        }
        if self.eat(b'[')? {
            return self.items(depth);
        }
        match std::mem::replace(&mut self.kind, Kind::End) {
            Kind::Scalar(scalar) => {
                self.advance()?;
                Ok(scalar)
            }
            other => {
                self.kind = other;
                Err(self.expected(expected))
            }
        }
    }

    fn items(&mut self, depth: usize) -> Fallible<Json> {
        let mut items = Vec::new();
        if self.eat(b']')? {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1, "JSON value")?);
            if self.eat(b']')? {
                return Ok(Json::Array(items));
            }
            if !self.eat(b',')? {
                return Err(self.expected("\",\" or \"]\""));
            }
        }
    }

    fn members(&mut self, depth: usize) -> Fallible<Json> {
        let mut members = Vec::new();
        if self.eat(b'}')? {
            return Ok(Json::Object(members));
        }
        loop {
            let key = match &mut self.kind {
                Kind::Scalar(Json::Text(key)) => std::mem::take(key),
                _ if members.is_empty() => return Err(self.expected("string or \"}\"")),
                _ => return Err(self.expected("string")),
            };
            self.advance()?;
            if !self.eat(b':')? {
                return Err(self.expected("\":\""));
            }
            members.push((key, self.value(depth + 1, "JSON value")?));
            if self.eat(b'}')? {
                return Ok(object(members));
            }
            if !self.eat(b',')? {
                return Err(self.expected("\",\" or \"}\""));
            }
        }
    }

    fn expected(&self, what: &str) -> Box<crate::SqlError> {
        if self.kind == Kind::End {
            return self.syntax("The input string ended unexpectedly.");
        }
        let found = &self.text[self.token.0..self.token.1];
        self.syntax(&format!("Expected {what}, but found \"{found}\"."))
    }

    fn invalid_token(&self) -> Box<crate::SqlError> {
        let found = &self.text[self.token.0..self.token.1];
        self.syntax(&format!("Token \"{found}\" is invalid."))
    }

    fn low_surrogate(&self) -> Box<crate::SqlError> {
        self.syntax("Unicode low surrogate must follow a high surrogate.")
    }

    fn syntax(&self, detail: &str) -> Box<crate::SqlError> {
        let refusal = error(state::INVALID_TEXT, "invalid input syntax for type json");
        refusal.detail(detail).within(self.context())
    }

    fn no_zero(&self) -> Box<crate::SqlError> {
        let refusal = error("22P05", "unsupported Unicode escape sequence");
        refusal
            .detail("\\u0000 cannot be converted to text.")
            .within(self.context())
    }

    /// The line up to the token's end: its last 50 bytes.
    fn context(&self) -> String {
        let (number, start) = self.line;
        let end = self.token.1.max(start);
        let mut from = start;
        while end - from >= 50 {
            from = self.character_end(from);
        }
        if from - start <= 3 {
            from = start;
        }
        let before = if from > start { "..." } else { "" };
        let more = !matches!(self.byte(end), None | Some(b'\n' | b'\r'));
        let after = if more { "..." } else { "" };
        format!("JSON data, line {number}: {before}{}{after}", &self.text[from..end])
    }
}
