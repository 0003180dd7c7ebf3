//! One decision: its front matter, its claims, its text.

use std::fmt;

use report::Check;

use crate::front_matter;

/// Longer files are refused unread.
const MOST_BYTES: usize = 256 * 1024;

#[derive(Clone, Debug, PartialEq)]
pub struct Article {
    /// Its identity: part of its address, never changed.
    pub slug: String,
    pub title: String,
    /// One sentence for lists.
    pub summary: String,
    pub status: Status,
    /// ISO: `2021-12-15`, or `2025-12` or `2025` if no more is known.
    pub date: String,
    /// Whose decision it is; empty: this project's own.
    pub system: String,
    pub sources: Vec<Source>,
    /// Slugs.
    pub supersedes: Vec<String>,
    pub superseded_by: Option<String>,
    /// The scenario that its claims are checked on.
    pub scenario: Option<String>,
    /// Slugs of the designs that it argues about, the chosen one first.
    pub designs: Vec<String>,
    pub claims: Vec<Claim>,
    /// Markdown, from its first heading on.
    pub body: String,
}

/// Where it, or what is said about it, can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub title: String,
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Part of its address: `#claim-<id>`.
    pub id: String,
    /// What the decision says, in the project's words.
    pub text: String,
    /// The figure as the decision gives it: `~15 ms`.
    pub says: Option<String>,
    /// What a reader should know about the verdict.
    pub note: Option<String>,
    pub checks: Vec<Check>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Proposed,
    Accepted,
    Superseded,
    Deprecated,
    Rejected,
}

/// What is wrong in a file, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// 1-based.
    pub line: usize,
    pub column: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl Status {
    pub const ALL: [Status; 5] = [
        Status::Proposed,
        Status::Accepted,
        Status::Superseded,
        Status::Deprecated,
        Status::Rejected,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Status::Proposed => "proposed",
            Status::Accepted => "accepted",
            Status::Superseded => "superseded",
            Status::Deprecated => "deprecated",
            Status::Rejected => "rejected",
        }
    }
}

impl Article {
    /// Is it one of the decisions of others that the lab studies?
    pub fn is_studied(&self) -> bool {
        !self.system.is_empty()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Reads a decision's file.
///
/// # Errors
///
/// Everything that is wrong with it, by place.
pub fn parse(text: &str) -> Result<Article, Vec<Fault>> {
    let fault = |line, message: &str, hint: &str| {
        vec![Fault {
            line,
            column: 1,
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        }]
    };
    if text.len() > MOST_BYTES {
        return Err(fault(
            1,
            "the file is too long",
            &format!("at most {MOST_BYTES} bytes are read"),
        ));
    }
    let Some(rest) = text.strip_prefix("+++\n") else {
        return Err(fault(
            1,
            "there is no front matter",
            "the file begins with a line `+++`, then TOML, then `+++` again",
        ));
    };
    let Some((matter, body)) = rest.split_once("\n+++\n") else {
        return Err(fault(1, "the front matter does not end", "end it with a line `+++`"));
    };
    front_matter::read(matter, body.trim_start_matches('\n'))
}
