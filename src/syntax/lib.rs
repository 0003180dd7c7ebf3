//! SQL text ⇄ SQL tree. The only room that sees `sqlparser`.
//!
//! ```text
//! text ─tokens (sqlparser, our dialect)→ tokens with places ─our statement parsers→ tree ─print→ text
//! ```
//!
//! **Architecture invariant:** no type of `sqlparser` leaves this crate. The parser knows grammar
//! only: not whether a table exists, nor which types agree.

mod error;
mod tree;

pub use error::SyntaxError;
pub use tree::*;
