//! DynamoDB's expressions: conditions, key conditions, filters, updates and projections.
//!
//! ```text
//! text ─token.rs→ tokens ─parse/→ tree.rs (placeholders put in) ─condition.rs, update.rs→ truth, new item
//!                                        path.rs: where in an item
//! ```
//!
//! The grammar, by falling precedence: comparison, `IN`, `BETWEEN`, functions; parentheses; `NOT`; `AND`; `OR`.
//! Words are known in any case, functions in lower case only.

mod condition;
mod parse;
mod path;
mod reserved;
mod token;
mod tree;
mod update;

pub(crate) use parse::{Placeholders, Purpose};
pub(crate) use path::{Path, PathTree};
pub(crate) use tree::{Comparison, Condition, Operand, Update};
