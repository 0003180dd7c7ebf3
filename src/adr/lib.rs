//! Decisions as files: Markdown with front matter, and claims that can be checked by runs.
//!
//! ```text
//! +++                                  TOML: slug, title, status, date, sources, …
//! slug = "one-database-many-schemas"
//! [[claims]]                           what the decision says, in the project's words
//! [[claims.checks]]                    one number that is measured, and what it should be (report::Check)
//! +++
//!
//! # Title …                            Markdown; HTML in it is shown as text
//! ```
//!
//! **Architecture invariant:** nothing here runs a check: `experiment` does, and what it found is recorded.

mod article;
mod front_matter;
pub mod library;
mod markdown;

pub use article::{Article, Claim, Fault, Source, Status, parse};
pub use markdown::{Section, escape, html, sections};
