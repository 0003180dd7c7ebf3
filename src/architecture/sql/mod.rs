//! SQL as the compilers handle it: trees are walked and rewritten, texts with `$n` come out.
//!
//! The scenario's `:name` variables become numbered operands here, so that a statement can be sent to
//! any engine; which register holds a variable is the program's business.

pub(crate) mod facts;
pub(crate) mod text;
pub(crate) mod typed;

pub(crate) use text::Text;
