//! Schedules: what several sessions do, step by step, in the format of PostgreSQL's isolationtester.
//!
//! ```text
//! spec text ─parse→ Spec ─each permutation→ fresh run on one server ─→ what isolationtester prints
//! ```
//!
//! A step that waits for a lock is printed as waiting, and again when it has ended.

mod print;
mod run;
mod spec;

pub use run::run;
pub use spec::{Place, Session, Spec, SpecError, Step, Turn, parse};
