//! Small expressions over registers: what an application decides between two requests.
//!
//! Three-valued as SQL is: a comparison with NULL is NULL, and a condition holds only if it is true.
//! Anything larger belongs in SQL, or in [`Op::Compose`](crate::Op::Compose).

use base::Value;
use serde::{Deserialize, Serialize};

use crate::ids::RegisterId;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Expression {
    Constant(Value),
    Register(RegisterId),
    /// Rows in a row-set register, as bigint; NULL if the register holds none.
    RowCount(RegisterId),
    /// A column of the first row of a row-set register; NULL if there is no row.
    Field {
        rows: RegisterId,
        column: u16,
    },
    /// All values of a column of a row-set register, distinct and in order of appearance, as a list:
    /// the parameter of `= ANY ($n)`.
    Column {
        rows: RegisterId,
        column: u16,
    },
    /// The unique text of this request: equal when the client retries it.
    RequestKey,
    /// A key of a table of items, made of these parts: see [`key_text`](crate::key_text). NULL if a part is.
    Key(Vec<Expression>),
    /// A key of a bucket, or its beginning: a text as it is, then these values, see [`path_text`](crate::path_text), then another
    /// text. NULL if a value is.
    Path {
        before: std::sync::Arc<str>,
        parts: Vec<Expression>,
        after: std::sync::Arc<str>,
    },
    /// The present, as timestamptz.
    Now,
    Not(Box<Expression>),
    IsNull(Box<Expression>),
    Binary {
        operator: Operator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operator {
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    /// Text concatenation; integers are written in decimal.
    Concat,
}

impl Expression {
    pub fn text(text: &str) -> Expression {
        Expression::Constant(Value::text(text))
    }

    pub fn int(n: i64) -> Expression {
        Expression::Constant(Value::Int8(n))
    }

    pub fn binary(operator: Operator, left: Expression, right: Expression) -> Expression {
        Expression::Binary {
            operator,
            left: Box::new(left),
            right: Box::new(right),
        }
    }
}
