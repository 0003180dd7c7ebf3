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
    loop {
        let piece = next_piece(text, from, 0);
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
    let bytes = text.as_bytes();
    let mut open_parentheses = parentheses;
    let mut at = from;
    let mut first = None;
    let mut last = from;
    let piece = |first: Option<usize>, last: usize, next: usize, end: PieceEnd| Piece {
        span: Span::new(first.unwrap_or(last), last),
        next,
        end,
    };
    while at < bytes.len() {
        let rest = &text[at..];
        let length = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if rest.starts_with("--") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            b'/' if rest.starts_with("/*") => match comment(rest) {
                Some(length) => {
                    at += length;
                    continue;
                }
                None => None,
            },
            b';' if open_parentheses == 0 => return piece(first, last, at + 1, PieceEnd::Semicolon),
            b'\\' => return piece(first, last, at, PieceEnd::Backslash),
            b'\'' => quoted(rest, b'\'', is_escape_string(&bytes[from..at])),
            b'"' => quoted(rest, b'"', false),
            b'$' if !continues_word(&bytes[from..at]) => dollar_quoted(rest),
            b'(' => {
                open_parentheses += 1;
                Some(1)
            }
            b')' => {
                open_parentheses = open_parentheses.saturating_sub(1);
                Some(1)
            }
            _ => Some(rest.chars().next().map_or(1, char::len_utf8)),
        };
        first.get_or_insert(at);
        match length {
            Some(length) => {
                at += length;
                last = at;
            }
            None => return piece(first, text.len(), text.len(), PieceEnd::Text { open: true }),
        }
    }
    piece(
        first,
        last,
        at,
        PieceEnd::Text {
            open: open_parentheses > 0,
        },
    )
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

/// The length of a quoted text, if it is closed. A doubled quote is two quoted texts that touch.
fn quoted(text: &str, quote: u8, backslashes: bool) -> Option<usize> {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && backslashes {
            bytes.next();
        } else if byte == quote {
            return Some(at + 1);
        }
    }
    None
}

/// The quote that follows opens an `E'…'` string.
fn is_escape_string(before: &[u8]) -> bool {
    matches!(before.last(), Some(b'e' | b'E')) && !continues_word(&before[..before.len() - 1])
}

/// What follows is a part of a word or number.
fn continues_word(before: &[u8]) -> bool {
    before
        .last()
        .is_some_and(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii())
}

/// The length of `$tag$ … $tag$`, if it is closed; of the `$` alone, if it opens nothing.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag = text[1..]
        .bytes()
        .take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii())
        .count();
    let opens = text.as_bytes().get(tag + 1) == Some(&b'$') && !text[1..].starts_with(|c: char| c.is_ascii_digit());
    if !opens {
        return Some(1);
    }
    let delimiter = &text[..tag + 2];
    text[tag + 2..].find(delimiter).map(|at| at + 2 * delimiter.len())
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
