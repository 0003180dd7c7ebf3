//! Text → tokens: sqlparser's tokenizer with our dialect, then PostgreSQL's own rules for what it
//! lexes otherwise.
//!
//! sqlparser gives places as line and column in characters; here they become byte spans. What a
//! token *means* is then read from the source text under its span wherever the two lexers differ:
//!
//! - operators: PostgreSQL takes the longest run of operator characters and gives trailing `+` and
//!   `-` back unless the run holds one of ``~!@#%^&|`?`` (so `a=-1` is `a = -1`, but `a@-1` uses `@-`);
//! - numbers: a letter after a digit is an error (`0xFF`, `12ab`), not a second token;
//! - strings: `'a'` newline `'b'` is one string.
//!
//! A text that cannot be lexed yields an error *token* in its place, so that a syntax error further
//! left is reported first, as PostgreSQL does.

use std::any::TypeId;
use std::sync::Arc;

use sqlparser::dialect::{Dialect, PostgreSqlDialect};
use sqlparser::tokenizer::{self, Location, Tokenizer, Whitespace};

use crate::{Span, SyntaxError};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// An unquoted word, folded: a keyword or an identifier.
    Word(Arc<str>),
    /// A quoted identifier.
    Quoted(Arc<str>),
    String(Arc<str>),
    Number(Arc<str>),
    /// `$1`
    Parameter(u32),
    /// One operator by PostgreSQL's rules; its text is the source's.
    Operator,
    /// `::`
    Cast,
    /// `( ) [ ] , ; . :` and whatever no rule knows.
    Symbol(char),
    /// A literal of a kind outside the subset: `B'101'`.
    Unsupported(&'static str),
    Error(Box<SyntaxError>),
    End,
}

/// PostgreSQL's lexical habits, as far as sqlparser lets a dialect state them.
#[derive(Debug)]
struct Lexical;

impl Dialect for Lexical {
    /// sqlparser asks for concrete dialects in places (bit strings, comments up to `\r`).
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }
    fn is_identifier_start(&self, c: char) -> bool {
        c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
    }
    fn is_identifier_part(&self, c: char) -> bool {
        self.is_identifier_start(c) || c.is_ascii_digit() || c == '$'
    }
    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }
    fn supports_unicode_string_literal(&self) -> bool {
        true
    }
    fn supports_string_escape_constant(&self) -> bool {
        true
    }
    fn supports_nested_comments(&self) -> bool {
        true
    }
}

/// The tokens of `text`, without white space, closed by `End`.
pub(crate) fn tokenize(text: &str) -> Vec<Token> {
    if u32::try_from(text.len()).is_err() {
        let error = SyntaxError::new("54000", "the text is longer than 4 GB", Span::default());
        return vec![
            Token::new(TokenKind::Error(Box::new(error)), 0, 0),
            Token::new(TokenKind::End, 0, 0),
        ];
    }
    let mut raw = Vec::new();
    let outcome = Tokenizer::new(&Lexical, text).tokenize_with_location_into_buf(&mut raw);
    let mut lexer = Lexer {
        text,
        tokens: Vec::with_capacity(raw.len() / 2 + 1),
        newline: false,
        gap: true,
    };
    let mut cursor = Cursor::new(text);
    let mut places = raw
        .into_iter()
        .map(|token| {
            (
                cursor.offset(token.span.start),
                cursor.offset(token.span.end),
                token.token,
            )
        })
        .peekable();
    let mut end = 0;
    while let Some((start, first_end, token)) = places.next() {
        end = first_end;
        if is_operator(&text[start..end]) {
            while let Some((_, next_end, _)) = places.next_if(|&(start, end, _)| is_operator(&text[start..end])) {
                end = next_end;
            }
            lexer.operators(start, end);
        } else if !lexer.push(token, start, end) {
            return lexer.finish(text.len());
        }
    }
    if outcome.is_err() {
        lexer.unterminated(end);
    }
    lexer.finish(text.len())
}

/// Line and column in characters → bytes, walking forward only. Ends of tokens are asked for
/// before starts of the next, which are the same place.
struct Cursor<'a> {
    rest: std::str::Chars<'a>,
    length: usize,
    at: Location,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Cursor<'a> {
        Cursor {
            rest: text.chars(),
            length: text.len(),
            at: Location { line: 1, column: 1 },
        }
    }

    fn offset(&mut self, place: Location) -> usize {
        while self.at < place {
            match self.rest.next() {
                Some('\n') => {
                    self.at.line += 1;
                    self.at.column = 1;
                }
                Some(_) => self.at.column += 1,
                None => break,
            }
        }
        self.length - self.rest.as_str().len()
    }
}

struct Lexer<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// White space with a line end came since the last token.
    newline: bool,
    /// White space came since the last token.
    gap: bool,
}

impl Lexer<'_> {
    fn finish(mut self, end: usize) -> Vec<Token> {
        self.tokens.push(Token::new(TokenKind::End, end, end));
        self.tokens
    }

    fn add(&mut self, kind: TokenKind, start: usize, end: usize) {
        self.tokens.push(Token::new(kind, start, end));
        self.newline = false;
        self.gap = false;
    }

    fn fail(&mut self, message: String, start: usize, end: usize) -> bool {
        let span = Span::new(start, end);
        self.add(
            TokenKind::Error(Box::new(SyntaxError::new("42601", message, span))),
            start,
            end,
        );
        false
    }

    /// False if nothing can follow.
    fn push(&mut self, token: tokenizer::Token, start: usize, end: usize) -> bool {
        use tokenizer::Token as T;
        let source = &self.text[start..end];
        if self.is_junk_after_number(source) {
            return self.junk(start);
        }
        let kind = match token {
            T::Whitespace(space) => {
                self.gap = true;
                self.newline |= match space {
                    Whitespace::Newline | Whitespace::SingleLineComment { .. } => true,
                    Whitespace::MultiLineComment(_) => return true,
                    _ => false,
                };
                return true;
            }
            T::Word(word) if word.quote_style.is_some() => {
                if word.value.is_empty() {
                    return self.fail(
                        format!("zero-length delimited identifier at or near \"{source}\""),
                        start,
                        end,
                    );
                }
                TokenKind::Quoted(truncate(&word.value).into())
            }
            T::Word(word) => TokenKind::Word(truncate(&word.value.to_ascii_lowercase()).into()),
            T::Number(_, long) => {
                if long {
                    return self.junk_from(start, end - 1, "numeric literal");
                }
                TokenKind::Number(source.into())
            }
            T::HexStringLiteral(_) if source.starts_with('0') => {
                return self.junk_from(start, start + 1, "numeric literal");
            }
            T::SingleQuotedString(value) | T::EscapedStringLiteral(value) => {
                return self.string(value, start, end);
            }
            T::DollarQuotedString(_) => match dollar_quoted(source) {
                Some(value) => return self.string(value.to_owned(), start, end),
                None => {
                    return self.fail(format!("syntax error at or near \"{source}\""), start, end);
                }
            },
            T::Placeholder(_) if source.starts_with('$') => return self.parameter(start, end),
            T::HexStringLiteral(_) => TokenKind::Unsupported("bit-string literal"),
            T::SingleQuotedByteStringLiteral(_) => TokenKind::Unsupported("bit-string literal"),
            T::NationalStringLiteral(_) => TokenKind::Unsupported("national character literal"),
            T::UnicodeStringLiteral(_) => TokenKind::Unsupported("Unicode-escaped literal"),
            T::DoubleColon => TokenKind::Cast,
            T::Period
                if !self.gap
                    && self
                        .tokens
                        .last()
                        .is_some_and(|last| last.kind == TokenKind::Symbol('.')) =>
            {
                // PostgreSQL takes two dots as one token, for a loop of its own language.
                let first = self.tokens.pop().map_or(start, |dot| dot.span.start as usize);
                self.add(TokenKind::Symbol('\0'), first, end);
                return true;
            }
            _ => {
                // A single character; longer ones (`:=`) are not part of the grammar.
                let symbol = source.chars().next().unwrap_or('\0');
                TokenKind::Symbol(if source.len() == symbol.len_utf8() {
                    symbol
                } else {
                    '\0'
                })
            }
        };
        self.add(kind, start, end);
        true
    }

    /// `1a`, `1.5.2`, `$1a`: PostgreSQL 15 refuses what touches a number.
    fn is_junk_after_number(&self, source: &str) -> bool {
        let after_number = matches!(
            self.tokens.last().map(|token| &token.kind),
            Some(TokenKind::Number(_) | TokenKind::Parameter(_))
        );
        let first = source.chars().next().unwrap_or(' ');
        after_number && !self.gap && (Lexical.is_identifier_part(first) || is_number_start(source))
    }

    /// The error quotes the number with all that touches it.
    fn junk(&mut self, from: usize) -> bool {
        let (start, what) = match self.tokens.last() {
            Some(Token {
                kind: TokenKind::Parameter(_),
                span,
            }) => (span.start as usize, "parameter"),
            Some(Token {
                kind: TokenKind::Number(_),
                span,
            }) => (span.start as usize, "numeric literal"),
            _ => (from, "numeric literal"),
        };
        self.tokens.pop();
        self.junk_from(start, from, what)
    }

    fn junk_from(&mut self, start: usize, from: usize, what: &str) -> bool {
        let junk = self.text[from..].find(|c| !Lexical.is_identifier_part(c));
        let end = junk.map_or(self.text.len(), |length| from + length.max(1));
        self.fail(
            format!("trailing junk after {what} at or near \"{}\"", &self.text[start..end]),
            start,
            end,
        )
    }

    /// Strings that only white space with a line end separates are one.
    fn string(&mut self, value: String, start: usize, end: usize) -> bool {
        if self.newline
            && self.text[start..].starts_with('\'')
            && let Some(Token {
                kind: TokenKind::String(first),
                span,
            }) = self.tokens.last_mut()
        {
            *first = format!("{first}{value}").into();
            span.end = end as u32;
            self.newline = false;
            return true;
        }
        self.add(TokenKind::String(value.into()), start, end);
        true
    }

    fn parameter(&mut self, start: usize, end: usize) -> bool {
        let source = &self.text[start..end];
        let digits = source[1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return self.fail("syntax error at or near \"$\"".to_owned(), start, start + 1);
        }
        let Ok(number) = source[1..=digits].parse() else {
            return self.fail(format!("there is no parameter {source}"), start, end);
        };
        self.add(TokenKind::Parameter(number), start, start + 1 + digits);
        start + 1 + digits == end || self.junk(start + 1 + digits)
    }

    /// Cuts a run of operator characters as PostgreSQL does.
    fn operators(&mut self, start: usize, end: usize) {
        let mut from = start;
        while from < end {
            let run = &self.text[from..end];
            if run.contains("/*") || run.contains("--") {
                // sqlparser joins `||` and a comment that touches it to `||/`.
                let error = SyntaxError::unsupported("comment directly after an operator", Span::new(from, end));
                self.add(TokenKind::Error(Box::new(error)), from, end);
                return;
            }
            let mut length = run.len();
            if !run.contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?']) {
                while length > 1 && run[..length].ends_with(['+', '-']) {
                    length -= 1;
                }
            }
            self.add(TokenKind::Operator, from, from + length);
            from += length;
        }
    }

    /// An `E'…'` string with an escape that means nothing.
    fn bad_escape(&mut self, start: usize) {
        let (at, error) = match incomplete_escape(&self.text[start..]) {
            Some(at) => {
                let span = Span::new(start + at, self.text.len());
                let error = SyntaxError::new("22025", "invalid Unicode escape", span);
                (
                    start + at,
                    error.hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX."),
                )
            }
            None => {
                let span = Span::new(start, self.text.len());
                (start, SyntaxError::new("42601", "invalid Unicode escape value", span))
            }
        };
        self.add(TokenKind::Error(Box::new(error)), at, self.text.len());
    }

    /// What sqlparser could not read starts at `start`: everything that is left.
    fn unterminated(&mut self, start: usize) {
        let source = &self.text[start..];
        let mut chars = source.chars();
        let what = match (chars.next(), chars.next()) {
            (Some('\''), _) => "unterminated quoted string",
            (Some('e' | 'E'), Some('\'')) if is_closed_escape_string(source) => return self.bad_escape(start),
            (Some('e' | 'E' | 'b' | 'B' | 'x' | 'X' | 'n' | 'N'), Some('\'')) => "unterminated quoted string",
            (Some('"'), _) => "unterminated quoted identifier",
            (Some('/'), Some('*')) => "unterminated /* comment",
            (Some('$'), _) => "unterminated dollar-quoted string",
            (Some('.'), _) => {
                self.fail("syntax error at or near \".\"".to_owned(), start, start + 1);
                return;
            }
            _ => "syntax error",
        };
        self.fail(format!("{what} at or near \"{source}\""), start, self.text.len());
    }
}

/// The first `\u` or `\U` with too few digits behind it.
fn incomplete_escape(source: &str) -> Option<usize> {
    let mut bytes = source.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        let digits = match (byte, bytes.clone().next()) {
            (b'\\', Some((_, b'u'))) => 4,
            (b'\\', Some((_, b'U'))) => 8,
            _ => continue,
        };
        bytes.next();
        let found = source.as_bytes()[at + 2..]
            .iter()
            .take(digits)
            .take_while(|byte| byte.is_ascii_hexdigit());
        if found.count() < digits {
            return Some(at);
        }
    }
    None
}

impl Token {
    fn new(kind: TokenKind, start: usize, end: usize) -> Token {
        Token {
            kind,
            span: Span::new(start, end),
        }
    }
}

fn is_operator(source: &str) -> bool {
    !source.is_empty() && source.bytes().all(|b| b"~!@#^&|`?+-*/%<>=".contains(&b)) && !source.starts_with("--")
}

fn is_number_start(source: &str) -> bool {
    source.starts_with(|c: char| c == '.' || c.is_ascii_digit()) && source.len() > 1
}

/// An `E'…'` string that has its closing quote failed for another reason: a bad escape.
fn is_closed_escape_string(source: &str) -> bool {
    let mut bytes = source.bytes().skip(2);
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'\'' => return true,
            _ => {}
        }
    }
    false
}

/// The text between `$tag$` and `$tag$`. A tag is an identifier: `$1$` is not one.
fn dollar_quoted(source: &str) -> Option<&str> {
    let tag = source[1..].find('$')? + 2;
    if source[1..].starts_with(|c: char| c.is_ascii_digit()) || source.len() < 2 * tag {
        return None;
    }
    Some(&source[tag..source.len() - tag])
}

/// PostgreSQL's names have at most 63 bytes; it cuts longer ones.
fn truncate(name: &str) -> &str {
    &name[..name.floor_char_boundary(63)]
}
