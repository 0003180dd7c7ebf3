//! Text → statements' texts, without parsing them: a bad statement does not lose the rest.

use crate::Span;

/// A stretch of a script up to what ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// From the first word to the last, comments in front left out; empty if there is only white
    /// space and comments.
    pub span: Span,
    /// Where the next piece starts: behind the semicolon, or at the backslash.
    pub next: usize,
    /// How many parentheses are open at its end.
    pub parentheses: usize,
    pub end: PieceEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceEnd {
    Semicolon,
    /// A backslash outside of quotes: psql's commands begin with one.
    Backslash,
    /// The text is over; in the middle of a quote or comment if `open`.
    Text {
        open: bool,
    },
}

/// The texts of a script's statements with their places, split at semicolons outside of quotes,
/// dollar quotes, comments and parentheses (as psql splits). Backslashes have no meaning here.
pub fn split_script(text: &str) -> Vec<(&str, Span)> {
    let mut statements = Vec::new();
    let mut from = 0;
    let mut start: Option<Span> = None;
    let mut parentheses = 0;
    loop {
        let piece = next_piece(text, from, parentheses);
        parentheses = piece.parentheses;
        let is_empty = piece.span.start == piece.span.end;
        let span = match start.take() {
            Some(first) if is_empty => first,
            Some(first) => first.to(piece.span),
            None => piece.span,
        };
        from = piece.next;
        match piece.end {
            PieceEnd::Backslash => {
                // No command here: the statement goes on.
                start = Some(span.to(Span::new(from, from + 1)));
                from += 1;
            }
            end => {
                if span.start < span.end {
                    statements.push((&text[span.start as usize..span.end as usize], span));
                }
                if end != PieceEnd::Semicolon {
                    return statements;
                }
            }
        }
    }
}

/// Reads on from `from` to the next semicolon, backslash or the end of the text. `parentheses` is
/// how many are open already: inside of them a semicolon does not end a statement.
pub fn next_piece(text: &str, from: usize, parentheses: usize) -> Piece {
    let mut parentheses = parentheses;
    let mut at = from;
    let mut first = None;
    let mut last = from;
    let mut open = false;
    let (next, end) = loop {
        let Some(lexeme) = next_lexeme(text, at) else {
            break (at, PieceEnd::Text { open });
        };
        if lexeme.kind == LexemeKind::Blank {
            at += lexeme.length;
            continue;
        }
        match text.as_bytes()[at] {
            b';' if parentheses == 0 => break (at + 1, PieceEnd::Semicolon),
            b'\\' => break (at, PieceEnd::Backslash),
            b'(' => parentheses += 1,
            b')' => parentheses = parentheses.saturating_sub(1),
            _ => {}
        }
        first.get_or_insert(at);
        open = lexeme.kind == LexemeKind::Open;
        at += lexeme.length;
        last = at;
    };
    Piece {
        span: Span::new(first.unwrap_or(last), last),
        next,
        parentheses,
        end,
    }
}

/// A part of a script that nothing inside of it can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lexeme {
    pub kind: LexemeKind,
    /// In bytes.
    pub length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexemeKind {
    /// White space or a comment.
    Blank,
    /// A quoted string or name, closed.
    Quoted,
    /// A word or number.
    Word,
    /// One other character.
    Symbol,
    /// A quote or comment that is never closed: the rest of the text.
    Open,
}

/// What starts at `at`; `None` at the end of the text.
pub fn next_lexeme(text: &str, at: usize) -> Option<Lexeme> {
    let rest = &text[at..];
    let first = rest.chars().next()?;
    let (kind, length) = match first {
        c if c.is_ascii_whitespace() => (LexemeKind::Blank, Some(1)),
        '-' if rest.starts_with("--") => (LexemeKind::Blank, Some(rest.find('\n').unwrap_or(rest.len()))),
        '/' if rest.starts_with("/*") => (LexemeKind::Blank, comment(rest)),
        '\'' | '"' => (LexemeKind::Quoted, quoted(rest, false)),
        'e' | 'E' if rest[1..].starts_with('\'') => {
            (LexemeKind::Quoted, quoted(&rest[1..], true).map(|length| length + 1))
        }
        '$' => match dollar_tag(rest) {
            Some(tag) => (
                LexemeKind::Quoted,
                rest[tag..].find(&rest[..tag]).map(|at| at + 2 * tag),
            ),
            None => (LexemeKind::Symbol, Some(1)),
        },
        c if is_word(c) => (LexemeKind::Word, Some(rest.find(|c| !is_word(c)).unwrap_or(rest.len()))),
        c => (LexemeKind::Symbol, Some(c.len_utf8())),
    };
    Some(match length {
        Some(length) => Lexeme { kind, length },
        None => Lexeme {
            kind: LexemeKind::Open,
            length: rest.len(),
        },
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii()
}

/// The length of a nested comment, if it is closed.
fn comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// The length of a quoted text, if it is closed. A doubled quote is a part of it.
fn quoted(text: &str, backslashes: bool) -> Option<usize> {
    let quote = text.as_bytes()[0];
    let mut bytes = text.bytes().enumerate().skip(1).peekable();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && backslashes {
            bytes.next();
        } else if byte == quote && bytes.next_if(|&(_, next)| next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// The length of `$tag$`, if the text starts with one.
fn dollar_tag(text: &str) -> Option<usize> {
    let tag = &text[1..text[1..].find('$')? + 1];
    let identifier = tag.chars().all(is_word) && !tag.starts_with(|c: char| c.is_ascii_digit());
    identifier.then_some(tag.len() + 2)
}

/// Line and column, from 1, of a byte offset; columns count characters.
pub fn line_column(text: &str, offset: u32) -> (u32, u32) {
    let before = &text[..text.floor_char_boundary(offset as usize)];
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line as u32, column as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        split_script(script).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn semicolons_inside_quotes_comments_and_parentheses_do_not_split() {
        assert_eq!(
            texts("SELECT ';'; SELECT \"a;b\" ;; -- c;\n/* ; /* ; */ ; */ SELECT $x$ ; $$ ; $x$; f(;); E'\\';' ; e"),
            [
                "SELECT ';'",
                "SELECT \"a;b\"",
                "SELECT $x$ ; $$ ; $x$",
                "f(;)",
                "E'\\';'",
                "e"
            ]
        );
    }

    #[test]
    fn a_bad_statement_does_not_lose_the_next() {
        assert_eq!(
            texts("SELEC 1 \\ 2 $1$; SELECT 0xF;"),
            ["SELEC 1 \\ 2 $1$", "SELECT 0xF"]
        );
        assert_eq!(texts("SELECT 'open; SELECT 1"), ["SELECT 'open; SELECT 1"]);
    }

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "ä b\nc";
        assert_eq!(line_column(text, 0), (1, 1));
        assert_eq!(line_column(text, 3), (1, 3));
        assert_eq!(line_column(text, 5), (2, 1));
        assert_eq!(line_column(text, 99), (2, 2));
    }
}
