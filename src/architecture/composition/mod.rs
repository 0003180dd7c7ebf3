//! API composition: a query over several owners' tables.
//!
//! ```text
//! query ─analyse→ per table: needed columns, own predicates, equalities with other tables
//!       ─plan→    fetches in waves: the most selective first, later ones only for keys already known
//!       ─lower→   calls (one wave at a time, all of a wave at once), then the original query over the fetched rows
//! ```
//!
//! The original query is evaluated as it stands, so a fetch may bring too many rows but never too few. A
//! predicate is pushed to a fetch only where leaving a row out cannot change the answer: not below the
//! null-extended side of an outer join.

pub(crate) mod analysis;
pub(crate) mod foreign;
pub(crate) mod lower;
pub(crate) mod plan;
pub(crate) mod reach;

pub(crate) use reach::{Landscape, Reach};
