//! Expressions of the SQL tree.

use std::sync::Arc;

use crate::Span;
use crate::definition::DataType;
use crate::tree::{Name, ObjectName, Query};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
    /// What a message about it points at: its operator, if it has one.
    pub place: Span,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExprKind {
    Null,
    Bool(bool),
    /// Digits as written; the binder picks int, bigint or numeric.
    Number(Arc<str>),
    String(Arc<str>),
    /// `$1` is 1.
    Parameter(u32),
    /// `:name`, scenario only.
    Variable(Name),
    /// `column`, `table.column`, `schema.table.column`, in that order.
    Column(Vec<Name>),
    Default,
    Unary {
        operator: UnaryOperator,
        operand: Box<Expr>,
    },
    Binary {
        operator: BinaryOperator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    /// `IS [NOT] TRUE | FALSE`; `None` is UNKNOWN.
    IsBool {
        operand: Box<Expr>,
        value: Option<bool>,
        negated: bool,
    },
    IsDistinct {
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
    },
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    In {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    InQuery {
        operand: Box<Expr>,
        query: Box<Query>,
        negated: bool,
    },
    /// `left op ANY (array)`; the array is a list parameter, `ARRAY[…]` or a query.
    Any {
        left: Box<Expr>,
        operator: BinaryOperator,
        right: Box<Expr>,
    },
    Like {
        operand: Box<Expr>,
        pattern: Box<Expr>,
        case_insensitive: bool,
        negated: bool,
    },
    Exists {
        query: Box<Query>,
    },
    Subquery(Box<Query>),
    Array(Vec<Expr>),
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        operand: Box<Expr>,
        data_type: DataType,
    },
    Function(FunctionCall),
    /// `(a, b)`
    Row(Vec<Expr>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionCall {
    pub name: ObjectName,
    pub arguments: Vec<Expr>,
    /// `count(*)`
    pub star: bool,
    pub distinct: bool,
    pub filter: Option<Box<Expr>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOperator {
    Not,
    Minus,
    Plus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOperator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Concat,
    /// `->`
    JsonGet,
    /// `->>`
    JsonGetText,
    /// `#>`
    JsonGetPath,
    /// `#>>`
    JsonGetPathText,
    /// `?`
    HasKey,
    /// `@>`
    Contains,
    /// `<@`
    ContainedBy,
    /// `&&`
    Overlaps,
    /// `<<`
    LeftOf,
    /// `>>`
    RightOf,
    /// `-|-`
    Adjacent,
}

impl BinaryOperator {
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOperator::Or => "OR",
            BinaryOperator::And => "AND",
            BinaryOperator::Equal => "=",
            BinaryOperator::NotEqual => "<>",
            BinaryOperator::Less => "<",
            BinaryOperator::LessOrEqual => "<=",
            BinaryOperator::Greater => ">",
            BinaryOperator::GreaterOrEqual => ">=",
            BinaryOperator::Add => "+",
            BinaryOperator::Subtract => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Modulo => "%",
            BinaryOperator::Power => "^",
            BinaryOperator::Concat => "||",
            BinaryOperator::JsonGet => "->",
            BinaryOperator::JsonGetText => "->>",
            BinaryOperator::JsonGetPath => "#>",
            BinaryOperator::JsonGetPathText => "#>>",
            BinaryOperator::HasKey => "?",
            BinaryOperator::Contains => "@>",
            BinaryOperator::ContainedBy => "<@",
            BinaryOperator::Overlaps => "&&",
            BinaryOperator::LeftOf => "<<",
            BinaryOperator::RightOf => ">>",
            BinaryOperator::Adjacent => "-|-",
        }
    }
}

impl Expr {
    pub fn new(kind: ExprKind, span: Span) -> Expr {
        Expr {
            kind,
            span,
            place: span,
        }
    }

    /// With its operator there.
    pub(crate) fn pointing(self, place: Span) -> Expr {
        Expr { place, ..self }
    }
}
