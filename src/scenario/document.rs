//! The TOML side of a scenario file: keys and values with their places, unknown keys noticed.

use std::ops::Range;

use syntax::{Span, SyntaxError};
use toml_edit::{Item, TableLike, Value};

use crate::phrase::PhraseError;
use crate::{Diagnostic, Place, Severity, Source, names};

/// Byte offsets of a file to lines and columns.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Lines<'a> {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Lines { text, starts }
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts[line - 1];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Place {
            line: line as u32,
            column: column as u32 + 1,
        }
    }
}

/// The file being read, and what was noticed so far.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) lines: Lines<'a>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A file with more errors than this is better read from the top.
const MAX_DIAGNOSTICS: usize = 100;

impl<'a> Reading<'a> {
    pub(crate) fn new(text: &'a str) -> Reading<'a> {
        Reading {
            lines: Lines::new(text),
            diagnostics: vec![],
        }
    }

    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Error, place, message.into(), hint.into());
    }

    pub(crate) fn warning(&mut self, place: Place, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Warning, place, message.into(), hint.into());
    }

    fn add(&mut self, severity: Severity, place: Place, message: String, hint: Option<String>) {
        // An error is never crowded out by warnings: it decides whether the file is refused.
        let first = severity == Severity::Error && self.diagnostics.iter().all(|known| known.severity != severity);
        if first || self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(Diagnostic {
                place,
                severity,
                message,
                hint,
            });
        }
    }

    pub(crate) fn place(&self, range: Option<Range<usize>>) -> Place {
        range.map_or(Place::default(), |range| self.lines.place(range.start))
    }

    /// A fault in a phrase, at its place within the string that holds it.
    pub(crate) fn phrase_error(&mut self, text: &Text<'_>, error: PhraseError) {
        let span = Span {
            start: error.offset,
            end: error.offset,
        };
        let place = self.source(text).place(span);
        self.error(place, error.message, error.hint);
    }

    pub(crate) fn syntax_error(&mut self, source: &Source, error: SyntaxError) {
        self.error(source.place(error.span), error.message, error.hint);
    }

    pub(crate) fn source(&self, text: &Text<'_>) -> Source {
        Source::new(&self.lines, text.range.start, text.range.end, text.value)
    }
}

/// A string value and where its literal stands.
#[derive(Clone, Debug)]
pub(crate) struct Text<'d> {
    pub(crate) value: &'d str,
    pub(crate) range: Range<usize>,
}

/// One key of a table with its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'d> {
    pub(crate) key: &'d str,
    pub(crate) place: Place,
    pub(crate) item: &'d Item,
}

/// A table being read: what is asked for is taken, what is left over was not meant.
#[derive(Debug)]
pub(crate) struct Keys<'d> {
    /// How messages call the table: `[load]`.
    what: &'static str,
    pub(crate) place: Place,
    entries: Vec<Entry<'d>>,
    known: Vec<&'static str>,
}

impl<'d> Keys<'d> {
    pub(crate) fn new(what: &'static str, place: Place, table: &'d dyn TableLike, reading: &Reading<'_>) -> Keys<'d> {
        let entries = table
            .iter()
            .map(|(key, item)| {
                let range = table.key(key).and_then(|key| key.span()).or_else(|| item.span());
                Entry {
                    key,
                    place: reading.place(range),
                    item,
                }
            })
            .collect();
        Keys {
            what,
            place,
            entries,
            known: vec![],
        }
    }

    pub(crate) fn take(&mut self, key: &'static str) -> Option<Entry<'d>> {
        self.known.push(key);
        let position = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(position))
    }

    /// Everything that was not asked for by name, in the file's order.
    pub(crate) fn rest(&mut self) -> Vec<Entry<'d>> {
        std::mem::take(&mut self.entries)
    }

    /// Complains of a key that nobody asked for.
    pub(crate) fn unknown(&self, entry: &Entry<'_>, reading: &mut Reading<'_>) {
        let message = format!("{} has no key \"{}\"", self.what, entry.key);
        reading.error(
            entry.place,
            message,
            names::suggestion(entry.key, &self.known, "it has"),
        );
    }

    pub(crate) fn finish(mut self, reading: &mut Reading<'_>) {
        for entry in self.rest() {
            self.unknown(&entry, reading);
        }
    }

    pub(crate) fn text(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<Text<'d>> {
        self.take(key)?.text(reading)
    }

    /// A string that must be there.
    pub(crate) fn required(&mut self, key: &'static str, hint: &str, reading: &mut Reading<'_>) -> Option<Text<'d>> {
        let Some(entry) = self.take(key) else {
            reading.error(
                self.place,
                format!("{} needs \"{key}\"", self.what),
                Some(hint.to_owned()),
            );
            return None;
        };
        entry.text(reading)
    }

    pub(crate) fn whole(&mut self, key: &'static str, range: Range<u64>, reading: &mut Reading<'_>) -> Option<u64> {
        self.take(key)?.whole(range, reading)
    }
}

impl<'d> Entry<'d> {
    pub(crate) fn text(&self, reading: &mut Reading<'_>) -> Option<Text<'d>> {
        match self.item.as_value() {
            Some(Value::String(text)) => Some(Text {
                value: text.value(),
                range: text.span().unwrap_or_default(),
            }),
            _ => self.wrong("a string", reading),
        }
    }

    /// A whole number of a half-open range.
    pub(crate) fn whole(&self, range: Range<u64>, reading: &mut Reading<'_>) -> Option<u64> {
        let Some(value) = self.item.as_integer() else {
            return self.wrong("a whole number", reading);
        };
        let whole = u64::try_from(value).ok().filter(|value| range.contains(value));
        if whole.is_none() {
            let last = range.end - 1;
            reading.error(
                self.value_place(reading),
                format!(
                    "\"{}\" must lie between {} and {last}, not {value}",
                    self.key, range.start
                ),
                None,
            );
        }
        whole
    }

    pub(crate) fn table(&self, reading: &mut Reading<'_>) -> Option<&'d dyn TableLike> {
        let table = self.item.as_table_like();
        if table.is_none() {
            return self.wrong("a table", reading);
        }
        table
    }

    /// The tables of `[[name]]`, or of an array of inline tables.
    pub(crate) fn tables(&self, reading: &mut Reading<'_>) -> Vec<(Place, &'d dyn TableLike)> {
        if let Some(tables) = self.item.as_array_of_tables() {
            let place = |table: &toml_edit::Table| reading.place(table.span());
            return tables
                .iter()
                .map(|table| (place(table), table as &dyn TableLike))
                .collect();
        }
        let Some(array) = self.item.as_array() else {
            let hint = format!("write [[{}]] above each of them", self.key);
            reading.error(self.place, format!("\"{}\" must be a list of tables", self.key), hint);
            return vec![];
        };
        let mut tables = vec![];
        for value in array {
            match value.as_inline_table() {
                Some(table) => tables.push((reading.place(value.span()), table as &dyn TableLike)),
                None => reading.error(reading.place(value.span()), "a table was expected", None),
            }
        }
        tables
    }

    pub(crate) fn texts(&self, reading: &mut Reading<'_>) -> Vec<Text<'d>> {
        let Some(array) = self.item.as_array() else {
            return self.wrong("a list of strings", reading).unwrap_or_default();
        };
        let mut texts = vec![];
        for value in array {
            match value {
                Value::String(text) => {
                    texts.push(Text {
                        value: text.value(),
                        range: text.span().unwrap_or_default(),
                    });
                }
                other => reading.error(reading.place(other.span()), "a string was expected", None),
            }
        }
        texts
    }

    pub(crate) fn value_place(&self, reading: &Reading<'_>) -> Place {
        self.item
            .span()
            .map_or(self.place, |range| reading.lines.place(range.start))
    }

    pub(crate) fn wrong<T>(&self, expected: &str, reading: &mut Reading<'_>) -> Option<T> {
        let message = format!("\"{}\" must be {expected}, not {}", self.key, kind(self.item));
        reading.error(self.value_place(reading), message, None);
        None
    }
}

fn kind(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Table(_) | Item::Value(Value::InlineTable(_)) => "a table",
        Item::ArrayOfTables(_) => "a list of tables",
        Item::Value(Value::String(_)) => "a string",
        Item::Value(Value::Integer(_)) => "a whole number",
        Item::Value(Value::Float(_)) => "a decimal number",
        Item::Value(Value::Boolean(_)) => "true or false",
        Item::Value(Value::Datetime(_)) => "a date",
        Item::Value(Value::Array(_)) => "a list",
    }
}
