//! Expression texts as tokens with their places.

use std::ops::Range;

/// One token; what it is made of is its slice of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword, a function or an attribute.
    Word,
    /// `#name`
    Name,
    /// `:value`
    Value,
    /// Digits: an element of a list.
    Index,
    Symbol(&'static str),
    /// What begins no token.
    Strange,
    End,
}

const SYMBOLS: [&str; 14] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "+", "-"];

/// Never empty: an end comes last.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let word = |from: usize| from + rest[from..].bytes().take_while(|b| is_part(*b)).count();
        let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
        let (kind, length) = match (first, symbol) {
            (_, Some(symbol)) => (TokenKind::Symbol(symbol), symbol.len()),
            ('#' | ':', _) if word(1) > 1 => {
                let kind = if first == '#' {
                    TokenKind::Name
                } else {
                    TokenKind::Value
                };
                (kind, word(1))
            }
            ('0'..='9', _) => (TokenKind::Index, rest.bytes().take_while(u8::is_ascii_digit).count()),
            ('a'..='z' | 'A'..='Z' | '_', _) => (TokenKind::Word, word(0)),
            _ => (TokenKind::Strange, first.len_utf8()),
        };
        tokens.push(Token {
            kind,
            at: start..start + length,
        });
        rest = rest[length..].trim_start();
    }
    tokens.push(Token {
        kind: TokenKind::End,
        at: text.len()..text.len(),
    });
    tokens
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
