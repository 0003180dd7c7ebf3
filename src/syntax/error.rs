//! What the parser says of text that it does not take.

use std::fmt;

use crate::Span;

/// A refusal with its place. `sqlstate` is 42601 (syntax error), 54001 (too deeply nested) or
/// 0A000 (recognised, not supported); a few others as PostgreSQL's parser gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub sqlstate: &'static str,
    /// As PostgreSQL words it: `syntax error at or near "x"`.
    pub message: String,
    pub hint: Option<String>,
    pub span: Span,
}

impl SyntaxError {
    pub(crate) fn new(sqlstate: &'static str, message: impl Into<String>, span: Span) -> SyntaxError {
        SyntaxError {
            sqlstate,
            message: message.into(),
            hint: None,
            span,
        }
    }

    /// PostgreSQL takes it, we do not.
    pub(crate) fn unsupported(construct: &str, span: Span) -> SyntaxError {
        SyntaxError::new("0A000", format!("{construct} is not supported"), span)
    }

    pub(crate) fn hint(self, hint: &str) -> SyntaxError {
        SyntaxError {
            hint: Some(hint.to_owned()),
            ..self
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}
