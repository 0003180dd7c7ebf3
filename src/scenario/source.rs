//! SQL inside a TOML string, and where each byte of it stands in the file.

use std::sync::Arc;

use syntax::Span;

use crate::Place;
use crate::document::Lines;

/// A piece of SQL of the file: the spans of its tree are offsets into `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub text: Arc<str>,
    /// Runs of characters that follow each other in the file on one line: (offset into `text`, place of
    /// its first character), rising.
    runs: Arc<[(u32, Place)]>,
}

impl Source {
    /// The place in the file of the start of a span of this text.
    pub fn place(&self, span: Span) -> Place {
        let offset = span.start.min(self.text.len() as u32);
        let run = self
            .runs
            .partition_point(|&(start, _)| start <= offset)
            .saturating_sub(1);
        let Some(&(start, place)) = self.runs.get(run) else {
            return Place::default();
        };
        let before = self.text.get(start as usize..offset as usize).unwrap_or("");
        Place {
            line: place.line,
            column: place.column + before.chars().count() as u32,
        }
    }

    /// The text of a span; empty if the span is not of this text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

impl Source {
    /// Of a text that is not there.
    pub(crate) fn empty() -> Source {
        Source {
            text: "".into(),
            runs: Arc::new([]),
        }
    }

    /// `decoded` is what TOML makes of the string literal `file[start..end]`, quotes included.
    pub(crate) fn new(lines: &Lines<'_>, start: usize, end: usize, decoded: &str) -> Source {
        let raw = lines.text().get(start..end).unwrap_or("");
        let mut runs: Vec<(u32, Place)> = vec![];
        let mut literal = Literal::new(raw);
        let mut offset = 0;
        let mut adjacent = false;
        for c in decoded.chars() {
            let (at, length) = literal.next(c);
            if !adjacent {
                runs.push((offset, lines.place(start + at)));
            }
            adjacent = c != '\n' && length == c.len_utf8() && literal.follows();
            offset += c.len_utf8() as u32;
        }
        if !adjacent {
            runs.push((offset, lines.place(start + literal.skipped())));
        }
        Source {
            text: decoded.into(),
            runs: runs.into(),
        }
    }
}

/// Walks a TOML string literal beside its decoded characters.
struct Literal<'a> {
    raw: &'a str,
    at: usize,
    escapes: bool,
}

impl<'a> Literal<'a> {
    fn new(raw: &'a str) -> Literal<'a> {
        let long = raw.starts_with("\"\"\"") || raw.starts_with("'''");
        let mut at = if long { 3 } else { 1 };
        if long {
            let rest = raw.get(at..).unwrap_or("");
            at += ["\r\n", "\n"]
                .iter()
                .find(|newline| rest.starts_with(**newline))
                .map_or(0, |newline| newline.len());
        }
        Literal {
            raw,
            at,
            escapes: raw.starts_with('"'),
        }
    }

    fn rest(&self) -> &'a str {
        self.raw.get(self.at..).unwrap_or("")
    }

    /// Past what leaves no character behind: a backslash at the end of a line, with the white space after it.
    fn skipped(&self) -> usize {
        let mut at = self.at;
        loop {
            let rest = self.raw.get(at..).unwrap_or("");
            let after = rest
                .strip_prefix('\\')
                .filter(|after| after.starts_with([' ', '\t', '\r', '\n']));
            let Some(after) = after.filter(|_| self.escapes) else {
                return at;
            };
            at += 1 + (after.len() - after.trim_start().len());
        }
    }

    /// Does the next character of the text stand where the literal goes on?
    fn follows(&self) -> bool {
        self.skipped() == self.at
    }

    /// Where the decoded character stands in the literal, and how many bytes it takes there.
    fn next(&mut self, decoded: char) -> (usize, usize) {
        self.at = self.skipped();
        if decoded != '\r' && self.rest().starts_with("\r\n") {
            self.at += 1;
        }
        let start = self.at;
        let length = match self.rest().strip_prefix('\\').filter(|_| self.escapes) {
            Some(escape) => match escape.chars().next() {
                Some('x') => 4,
                Some('u') => 6,
                Some('U') => 10,
                _ => 2,
            },
            None => self.rest().chars().next().map_or(0, char::len_utf8),
        };
        self.at += length;
        (start, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of the `#` in the first string value of a file.
    fn place_of_mark(file: &str) -> (u32, u32) {
        let document = toml_edit::Document::parse(file).unwrap();
        let value = document.as_table().iter().next().unwrap().1.as_value().unwrap();
        let span = value.span().unwrap();
        let decoded = value.as_str().unwrap();
        let source = Source::new(&Lines::new(file), span.start, span.end, decoded);
        let mark = decoded.find('#').unwrap() as u32;
        let place = source.place(Span {
            start: mark,
            end: mark + 1,
        });
        (place.line, place.column)
    }

    #[test]
    fn every_kind_of_string_keeps_its_places() {
        for file in [
            "a = '''\nSELECT\n  1 #'''",
            "a = \"\"\"\nSELECT\n  1 #\"\"\"",
            "a = '  1 #'",
            "a = \"\\t\\u0041é#\"",
            "a = \"\"\"SELECT \\\n     1, #\"\"\"",
            "a = \"\"\"\r\nSELECT\r\n  1 #\"\"\"",
            "a = \"\"\"\n#\"\"\"",
            "\n\na = \"\"\"one \\\n\n   \\\n  two\n\\tthree #\"\"\"",
        ] {
            let offset = file.find('#').unwrap();
            let place = Lines::new(file).place(offset);
            assert_eq!(place_of_mark(file), (place.line, place.column), "{file:?}");
        }
    }
}
