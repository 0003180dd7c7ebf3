//! SQL text ⇄ SQL tree. The only room that sees `sqlparser`.
//!
//! ```text
//! text ─tokens (sqlparser's tokenizer, our dialect)→ tokens with spans ─our parser→ tree ─print→ text
//! ```
//!
//! **Architecture invariant:** no type of `sqlparser` leaves this crate. The parser knows grammar
//! only: not whether a table exists, nor which types agree.

mod access;
mod definition;
mod error;
mod expression;
mod keyword;
mod parser;
mod print;
mod script;
mod span;
mod token;
mod tree;
pub mod visit;

pub use access::*;
pub use definition::*;
pub use error::SyntaxError;
pub use expression::*;
pub use print::{identifier, literal, print, print_expr, print_key, print_object, print_query, quote_string};
pub use script::{Lexeme, LexemeKind, Piece, PieceEnd, line_column, next_lexeme, next_piece, split_script};
pub use span::Span;
pub use tree::*;

use parser::Parser;

/// Which grammar: PostgreSQL's, or that of a scenario's operations, which has some more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    #[default]
    Postgres,
    /// Adds `:name` variables, `SELECT … INTO :x`, `RETURNING … INTO :x`, `EXPECT n ROWS`,
    /// `ABORT WHEN …`, `CALL name(…)` and attributes (`@pivot`) in front of a statement.
    Scenario,
}

/// All statements of a text, or the first error. Spans are offsets into the whole text.
pub fn parse_script(text: &str, dialect: Dialect) -> Result<Vec<ScriptItem>, SyntaxError> {
    Parser::new(text, dialect).script()
}

/// Exactly one statement; a semicolon may end it.
pub fn parse_statement(text: &str, dialect: Dialect) -> Result<Statement, SyntaxError> {
    Parser::new(text, dialect).single()
}

/// Exactly one expression.
pub fn parse_expression(text: &str, dialect: Dialect) -> Result<Expr, SyntaxError> {
    Parser::new(text, dialect).single_expr()
}
