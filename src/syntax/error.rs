//! What the parser says of text that it does not take.

use std::fmt;

use crate::Span;

/// A refusal with its place. `sqlstate` is 42601 (syntax error), 54001 (too deeply nested) or
/// 0A000 (recognised, not supported).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub sqlstate: &'static str,
    /// As PostgreSQL words it: `syntax error at or near "x"`.
    pub message: String,
    pub hint: Option<String>,
    pub span: Span,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}
