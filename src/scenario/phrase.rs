//! The small phrases of a scenario file: `1_000 per tenant`, `one of ['a', 'b']`, `80 ms`,
//! `crash server at 120 ms`. Words, numbers, quoted text and a few signs; no nesting.

use std::fmt;

use base::{Decimal, Nanos, Value};

use crate::names;

/// What is wrong in a phrase, and where: `offset` counts bytes of the phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhraseError {
    pub offset: u32,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for PhraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PhraseError {}

impl PhraseError {
    pub(crate) fn new(offset: usize, message: impl Into<String>) -> PhraseError {
        PhraseError {
            offset: offset as u32,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<Option<String>>) -> PhraseError {
        self.hint = hint.into().or(self.hint);
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// Letters, digits, `_` and inner `.`: `auth.users.id` is one word.
    Word(&'a str),
    /// Digits with `_` and perhaps a fraction, as written.
    Number(&'a str),
    /// Between single quotes, `''` for a quote.
    Text(String),
    Sign(char),
}

/// Phrases are short; what is longer is refused before it is read.
pub(crate) const MAX_PHRASE_BYTES: usize = 4096;

/// A phrase being read, token by token.
#[derive(Debug)]
pub(crate) struct Phrase<'a> {
    text: &'a str,
    tokens: Vec<(usize, Token<'a>)>,
    next: usize,
}

impl<'a> Phrase<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Phrase<'a>, PhraseError> {
        if text.len() > MAX_PHRASE_BYTES {
            let message = format!("a phrase has at most {MAX_PHRASE_BYTES} bytes, this one {}", text.len());
            return Err(PhraseError::new(0, message));
        }
        let mut tokens = vec![];
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            if c.is_whitespace() {
                at += c.len_utf8();
                continue;
            }
            let (token, length) = token(&text[at..]).map_err(|message| PhraseError::new(at, message))?;
            tokens.push((at, token));
            at += length;
        }
        Ok(Phrase { text, tokens, next: 0 })
    }

    /// Where the next token stands; the end of the text if there is none.
    pub(crate) fn offset(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.text.len(), |&(offset, _)| offset)
    }

    /// Where the last such word of the phrase stands.
    pub(crate) fn offset_of(&self, word: &str) -> usize {
        let found = |(_, token): &&(usize, Token<'_>)| matches!(token, Token::Word(found) if *found == word);
        self.tokens.iter().rev().find(found).map_or(0, |&(offset, _)| offset)
    }

    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// Takes the word if it comes next.
    pub(crate) fn accept(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(next)) if *next == word);
        self.next += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, word: &str) -> Result<(), PhraseError> {
        if self.accept(word) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("\"{word}\"")))
        }
    }

    /// The next word, which must be one of these.
    pub(crate) fn one_of(&mut self, words: &[&'static str], what: &str) -> Result<&'static str, PhraseError> {
        if let Some(word) = words.iter().find(|word| self.accept(word)) {
            return Ok(word);
        }
        let hint = match self.peek() {
            Some(Token::Word(word)) => names::suggestion(word, words, what),
            _ => Some(format!("{what}: {}", words.join(", "))),
        };
        Err(self.unexpected(what).with_hint(hint))
    }

    pub(crate) fn word(&mut self, what: &str) -> Result<&'a str, PhraseError> {
        match self.peek() {
            Some(&Token::Word(word)) => {
                self.next += 1;
                Ok(word)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    pub(crate) fn accept_sign(&mut self, sign: char) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.next += usize::from(found);
        found
    }

    pub(crate) fn sign(&mut self, sign: char) -> Result<(), PhraseError> {
        if self.accept_sign(sign) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("\"{sign}\"")))
        }
    }

    pub(crate) fn quoted(&mut self) -> Option<String> {
        let Some(Token::Text(text)) = self.peek() else {
            return None;
        };
        let text = text.clone();
        self.next += 1;
        Some(text)
    }

    /// A whole number, `_` between digits allowed.
    pub(crate) fn whole(&mut self, what: &str) -> Result<u64, PhraseError> {
        let offset = self.offset();
        let Some(&Token::Number(digits)) = self.peek() else {
            return Err(self.unexpected(what));
        };
        self.next += 1;
        if digits.contains('.') {
            return Err(PhraseError::new(
                offset,
                format!("{what} must be a whole number, not {digits}"),
            ));
        }
        let too_large = |_| PhraseError::new(offset, format!("{digits} is too large"));
        digits.replace('_', "").parse().map_err(too_large)
    }

    /// A whole number with an optional minus.
    pub(crate) fn integer(&mut self, what: &str) -> Result<i64, PhraseError> {
        let offset = self.offset();
        let negative = self.accept_sign('-');
        let magnitude = i128::from(self.whole(what)?);
        let value = if negative { -magnitude } else { magnitude };
        i64::try_from(value).map_err(|_| PhraseError::new(offset, format!("{value} is too large")))
    }

    /// A decimal number in thousandths: `1.1` is 1100.
    pub(crate) fn thousandths(&mut self, what: &str) -> Result<u64, PhraseError> {
        self.scaled(1_000, what)
    }

    /// A decimal number times `scale`, rounded down; exact where the scale allows.
    fn scaled(&mut self, scale: u64, what: &str) -> Result<u64, PhraseError> {
        let offset = self.offset();
        let Some(&Token::Number(digits)) = self.peek() else {
            return Err(self.unexpected(what));
        };
        self.next += 1;
        decimal(digits, scale).ok_or_else(|| PhraseError::new(offset, format!("{digits} is too large")))
    }

    /// `80 ms`, `1.5 s`, `90 days`.
    pub(crate) fn duration(&mut self, what: &str) -> Result<Nanos, PhraseError> {
        const HINT: &str = "a number and a unit (ns, us, ms, s, min, h, days), for example 80 ms";
        let start = self.next;
        let unexpected = |error: PhraseError| error.with_hint(HINT.to_owned());
        let Some(Token::Number(_)) = self.peek() else {
            return Err(unexpected(self.unexpected(what)));
        };
        self.next += 1;
        let names: Vec<&'static str> = UNITS.iter().map(|&(name, _)| name).collect();
        let unit = self.one_of(&names, "a unit of time").map_err(unexpected)?;
        let end = self.next;
        self.next = start;
        let scale = UNITS
            .iter()
            .find(|&&(name, _)| name == unit)
            .map_or(1, |&(_, scale)| scale);
        let nanos = self.scaled(scale, what)?;
        self.next = end;
        Ok(Nanos(nanos))
    }

    /// `'text'`, `3`, `-3`, `2.5`, `true`, `false`, `null`.
    pub(crate) fn literal(&mut self) -> Result<Value, PhraseError> {
        if let Some(text) = self.quoted() {
            return Ok(Value::text(text));
        }
        for (word, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ] {
            if self.accept(word) {
                return Ok(value);
            }
        }
        let hint = match self.peek() {
            Some(Token::Word(word)) => format!("text stands in single quotes: '{word}'"),
            _ => "a value is 'text', a number, true, false or null".to_owned(),
        };
        if let Some(number) = self.decimal() {
            return Ok(Value::numeric(number));
        }
        self.integer("a value")
            .map(Value::Int8)
            .map_err(|error| error.with_hint(hint))
    }

    /// A number with a point in it, and an optional minus.
    fn decimal(&mut self) -> Option<Decimal> {
        let negative = matches!(self.peek(), Some(Token::Sign('-')));
        let (_, Token::Number(digits)) = self.tokens.get(self.next + usize::from(negative))? else {
            return None;
        };
        let number = Decimal::parse(&digits.replace('_', "")).flatten();
        let number = number.filter(|_| digits.contains('.'))?;
        self.next += 1 + usize::from(negative);
        Some(if negative { number.negated() } else { number })
    }

    /// `[a, b, c]`, at least one.
    pub(crate) fn literals(&mut self) -> Result<Vec<Value>, PhraseError> {
        self.sign('[')?;
        let mut values = vec![self.literal()?];
        while self.accept_sign(',') {
            values.push(self.literal()?);
        }
        self.sign(']')?;
        Ok(values)
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<(), PhraseError> {
        if self.next == self.tokens.len() {
            Ok(())
        } else {
            Err(self.unexpected("the end of the phrase"))
        }
    }

    pub(crate) fn unexpected(&self, expected: &str) -> PhraseError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Word(word)) => format!("\"{word}\""),
            Some(Token::Number(digits)) => (*digits).to_owned(),
            Some(Token::Text(text)) => format!("'{text}'"),
            Some(Token::Sign(sign)) => format!("\"{sign}\""),
        };
        PhraseError::new(self.offset(), format!("expected {expected}, found {found}"))
    }
}

/// Names accepted, and nanoseconds; the first name of a unit is the one that is printed.
const UNITS: [(&str, u64); 12] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("second", 1_000_000_000),
    ("seconds", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("day", 86_400_000_000_000),
    ("days", 86_400_000_000_000),
    ("d", 86_400_000_000_000),
];

/// A duration as a phrase of its own: `80 ms`.
pub fn parse_duration(text: &str) -> Result<Nanos, PhraseError> {
    let mut phrase = Phrase::new(text)?;
    let duration = phrase.duration("a duration")?;
    phrase.end()?;
    Ok(duration)
}

/// The shortest exact way to write a span, readable by [`parse_duration`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact(pub(crate) Nanos);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.0;
        let printed = ["days", "h", "min", "s", "ms", "us"];
        let whole = |name: &&&str| {
            UNITS
                .iter()
                .any(|&(unit, scale)| unit == **name && nanos > 0 && nanos.is_multiple_of(scale))
        };
        let name = printed.iter().find(whole).map_or("ns", |name| *name);
        let scale = UNITS
            .iter()
            .find(|&&(unit, _)| unit == name)
            .map_or(1, |&(_, scale)| scale);
        let name = if name == "days" && nanos == scale { "day" } else { name };
        write!(f, "{} {name}", nanos / scale)
    }
}

fn decimal(digits: &str, scale: u64) -> Option<u64> {
    let digits = digits.replace('_', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut value = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut worth = scale;
    for digit in fraction.bytes() {
        worth /= 10;
        value = value.checked_add(worth.checked_mul(u64::from(digit - b'0'))?)?;
    }
    Some(value)
}

/// The token that the text starts with, and its length in bytes.
fn token(text: &str) -> Result<(Token<'_>, usize), String> {
    let Some(first) = text.chars().next() else {
        return Err("a token was expected".to_owned());
    };
    if first == '\'' {
        return quoted(text);
    }
    if first.is_ascii_digit() {
        let mut length = span(text, |c| c.is_ascii_digit() || c == '_');
        let fraction = text[length..]
            .strip_prefix('.')
            .map_or(0, |rest| span(rest, |c| c.is_ascii_digit()));
        if fraction > 0 {
            length += 1 + fraction;
        }
        return Ok((Token::Number(&text[..length]), length));
    }
    if first.is_alphabetic() || first == '_' {
        let length = span(text, |c| c.is_alphanumeric() || c == '_' || c == '.');
        let word = text[..length].trim_end_matches('.');
        return Ok((Token::Word(word), word.len()));
    }
    match first {
        '[' | ']' | '(' | ')' | ',' | '-' => Ok((Token::Sign(first), 1)),
        '"' => Err("text stands in single quotes here: 'text'".to_owned()),
        _ => Err(format!("unexpected \"{first}\"")),
    }
}

fn quoted(text: &str) -> Result<(Token<'_>, usize), String> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((offset, c)) = characters.next() {
        if c != '\'' {
            value.push(c);
        } else if characters.next_if(|&(_, next)| next == '\'').is_some() {
            value.push('\'');
        } else {
            return Ok((Token::Text(value), offset + 1));
        }
    }
    Err("the quote is not closed".to_owned())
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_and_print_as_they_can_be_read() {
        for (text, nanos, printed) in [
            ("80 ms", 80_000_000, "80 ms"),
            ("1.5 s", 1_500_000_000, "1500 ms"),
            ("0.25us", 250, "250 ns"),
            ("7 µs", 7_000, "7 us"),
            ("90 days", 7_776_000_000_000_000, "90 days"),
            ("1 day", 86_400_000_000_000, "1 day"),
            ("0 s", 0, "0 ns"),
        ] {
            let parsed = parse_duration(text).unwrap();
            assert_eq!(parsed, Nanos(nanos), "{text}");
            assert_eq!(Exact(parsed).to_string(), printed);
            assert_eq!(parse_duration(printed), Ok(parsed));
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_its_place() {
        for (text, offset) in [
            ("", 0),
            ("ms", 0),
            ("80", 2),
            ("80 mss", 3),
            ("80 ms later", 6),
            ("99999999999999 days", 0),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.offset, offset, "{text}: {error}");
        }
    }

    #[test]
    fn literals_are_read_with_doubled_quotes_and_signs() {
        let mut phrase = Phrase::new("['it''s', -3, true, null]").unwrap();
        let values = phrase.literals().unwrap();
        assert_eq!(
            values,
            [Value::text("it's"), Value::Int8(-3), Value::Bool(true), Value::Null]
        );
        assert!(phrase.end().is_ok());
    }
}
