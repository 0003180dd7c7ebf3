//! Schedules: what several sessions do, step by step, in the format of PostgreSQL's isolationtester.
//!
//! ```text
//! spec text ─parse→ Spec ─each permutation─conduct on a Stage─▶ moments ─▶ what isolationtester prints
//!                   Spec ─Cast─enumerate: all interleavings─▶ outcomes against the serial ones, anomalies
//! ```
//!
//! A step that waits for a lock is printed as waiting, and again when it has ended.

mod check;
mod circle;
mod conduct;
mod dependency;
mod enact;
mod enumerate;
mod footprint;
mod interleavings;
mod matrix;
mod print;
mod result;
mod run;
mod search;
mod spec;
mod stage;
mod transaction;

pub use check::{Checked, SpecOutline, check};
pub use enact::play;
pub use enumerate::{Enumeration, EnumerationJob, MOST_INTERLEAVINGS, Outcome};
pub use interleavings::{InterleavingsJob, Orders};
pub use matrix::matrix;
pub use run::run;
pub use search::{Act, Cast, Part};
pub use spec::{Place, Session, Spec, SpecError, Step, Turn, parse};
pub use stage::{Reply, Request, Stage};
