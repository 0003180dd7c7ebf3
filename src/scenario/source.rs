//! SQL inside a TOML string, and where each byte of it stands in the file.

use std::sync::Arc;

use syntax::Span;

use crate::Place;

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
