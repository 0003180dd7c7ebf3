//! Expressions: the bound tree that the planner reasons about, and the program that runs.
//!
//! ```text
//! syntax tree ─bind→ Bound (typed; columns are slots of the statement's frame) ─compile→ Program ─run→ Value
//! ```
//!
//! A *frame* is one array of values for a whole statement: every column that the statement reads has
//! one slot in it, whichever table and however deep the subquery. A scan writes its columns' slots, a
//! join needs to copy nothing, a correlated subquery reads its outer row where it lies.

mod advisory;
mod bytes;
mod compile;
pub(crate) mod function;
mod implication;
mod json;
mod machine;
pub(crate) mod moment;
mod range;
mod set_function;

use base::{Type, Value};
use syntax::Span;

use crate::types::SqlType;

pub(crate) use advisory::Advisory;
pub(crate) use bytes::Sha;
pub(crate) use compile::{Answer, Program};
pub(crate) use function::Function;
pub(crate) use json::JsonFunction;
pub(crate) use machine::{Environment, Flow, Machine, compare_values};
pub(crate) use range::RangeFunction;
pub(crate) use set_function::SetFunction;

/// A place in the statement's frame.
pub(crate) type Slot = u32;

/// A typed expression over slots and parameters.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Bound {
    pub(crate) kind: BoundKind,
    pub(crate) data_type: SqlType,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum BoundKind {
    Const(Value),
    Slot(Slot),
    /// Counted from zero.
    Param(u32),
    /// NULL when an argument is NULL, unless the function says otherwise.
    Call(Function, Vec<Bound>),
    Compare(Comparison, Box<Bound>, Box<Bound>),
    And(Vec<Bound>),
    Or(Vec<Bound>),
    Not(Box<Bound>),
    IsNull(Box<Bound>),
    /// `IS TRUE`, `IS FALSE`; `None`: `IS UNKNOWN`.
    IsBool(Box<Bound>, Option<bool>),
    IsDistinct(Box<Bound>, Box<Bound>),
    /// `operand IN (a, b, …)`.
    In(Box<Bound>, Vec<Bound>),
    /// `operand op ANY (list)`.
    Any(Comparison, Box<Bound>, Box<Bound>),
    Case(Vec<(Bound, Bound)>, Box<Bound>),
    Coalesce(Vec<Bound>),
    NullIf(Box<Bound>, Box<Bound>),
    /// The greatest or, else, the least of those that are not NULL.
    Extreme {
        greatest: bool,
        items: Vec<Bound>,
    },
    Array(Vec<Bound>),
    Cast(Box<Bound>, Type),
    Subquery(SubqueryUse),
}

/// A subquery inside an expression.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct SubqueryUse {
    /// Its number among the statement's subqueries.
    pub(crate) id: u32,
    pub(crate) kind: SubqueryKind,
    /// The slots of enclosing queries that it reads; none: it runs once a statement.
    pub(crate) outer: Vec<Slot>,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum SubqueryKind {
    Scalar,
    Exists,
    /// `operand op ANY (query)`; IN is `= ANY`.
    Any(Comparison, Box<Bound>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }

    /// `a op b` as `b op' a`.
    pub(crate) fn mirrored(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }
}

impl Bound {
    pub(crate) fn new(kind: BoundKind, data_type: SqlType, span: Span) -> Bound {
        Bound { kind, data_type, span }
    }

    pub(crate) fn constant(value: Value, data_type: SqlType) -> Bound {
        Bound::new(BoundKind::Const(value), data_type, Span::default())
    }

    pub(crate) fn slot(slot: Slot, data_type: SqlType) -> Bound {
        Bound::new(BoundKind::Slot(slot), data_type, Span::default())
    }

    /// All of them, flattened; true when there is none.
    pub(crate) fn and(mut conditions: Vec<Bound>) -> Bound {
        match (conditions.pop(), conditions.is_empty()) {
            (None, _) => Bound::constant(Value::Bool(true), SqlType::BOOL),
            (Some(only), true) => only,
            (Some(last), false) => {
                conditions.push(last);
                Bound::new(BoundKind::And(conditions), SqlType::BOOL, Span::default())
            }
        }
    }

    /// Splits at the top's ANDs.
    pub(crate) fn conjuncts(self, into: &mut Vec<Bound>) {
        match self.kind {
            BoundKind::And(parts) => parts.into_iter().for_each(|part| part.conjuncts(into)),
            BoundKind::Const(Value::Bool(true)) => {}
            _ => into.push(self),
        }
    }

    /// The expressions directly below.
    pub(crate) fn children(&self) -> Vec<&Bound> {
        match &self.kind {
            BoundKind::Const(_) | BoundKind::Slot(_) | BoundKind::Param(_) => Vec::new(),
            BoundKind::Call(_, items)
            | BoundKind::And(items)
            | BoundKind::Or(items)
            | BoundKind::Coalesce(items)
            | BoundKind::Array(items)
            | BoundKind::Extreme { items, .. } => items.iter().collect(),
            BoundKind::Compare(_, a, b)
            | BoundKind::IsDistinct(a, b)
            | BoundKind::NullIf(a, b)
            | BoundKind::Any(_, a, b) => vec![a, b],
            BoundKind::Not(a) | BoundKind::IsNull(a) | BoundKind::IsBool(a, _) | BoundKind::Cast(a, _) => vec![a],
            BoundKind::In(operand, list) => std::iter::once(&**operand).chain(list).collect(),
            BoundKind::Case(branches, otherwise) => branches
                .iter()
                .flat_map(|(condition, value)| [condition, value])
                .chain([&**otherwise])
                .collect(),
            BoundKind::Subquery(subquery) => match &subquery.kind {
                SubqueryKind::Any(_, operand) => vec![operand],
                SubqueryKind::Scalar | SubqueryKind::Exists => Vec::new(),
            },
        }
    }

    pub(crate) fn children_mut(&mut self) -> Vec<&mut Bound> {
        match &mut self.kind {
            BoundKind::Const(_) | BoundKind::Slot(_) | BoundKind::Param(_) => Vec::new(),
            BoundKind::Call(_, items)
            | BoundKind::And(items)
            | BoundKind::Or(items)
            | BoundKind::Coalesce(items)
            | BoundKind::Array(items)
            | BoundKind::Extreme { items, .. } => items.iter_mut().collect(),
            BoundKind::Compare(_, a, b)
            | BoundKind::IsDistinct(a, b)
            | BoundKind::NullIf(a, b)
            | BoundKind::Any(_, a, b) => vec![a, b],
            BoundKind::Not(a) | BoundKind::IsNull(a) | BoundKind::IsBool(a, _) | BoundKind::Cast(a, _) => vec![a],
            BoundKind::In(operand, list) => std::iter::once(&mut **operand).chain(list).collect(),
            BoundKind::Case(branches, otherwise) => branches
                .iter_mut()
                .flat_map(|(condition, value)| [condition, value])
                .chain([&mut **otherwise])
                .collect(),
            BoundKind::Subquery(subquery) => match &mut subquery.kind {
                SubqueryKind::Any(_, operand) => vec![operand],
                SubqueryKind::Scalar | SubqueryKind::Exists => Vec::new(),
            },
        }
    }

    /// Every slot that it reads, those of its subqueries' outer references included.
    pub(crate) fn slots(&self, into: &mut Vec<Slot>) {
        match &self.kind {
            BoundKind::Slot(slot) => into.push(*slot),
            BoundKind::Subquery(subquery) => into.extend(&subquery.outer),
            _ => {}
        }
        self.children().into_iter().for_each(|child| child.slots(into));
    }

    /// Whether two evaluations may differ or have effects, so that it must not be moved or merged.
    pub(crate) fn is_volatile(&self) -> bool {
        let own = matches!(&self.kind, BoundKind::Call(function, _) if function.is_volatile());
        own || self.children().into_iter().any(Bound::is_volatile)
    }

    /// Whether it gives the same for the same values at any time, in any session.
    pub(crate) fn is_immutable(&self) -> bool {
        let own = match &self.kind {
            // With a zone, days and months depend on the session's.
            BoundKind::Call(Function::Moment(_), arguments) => {
                let zoned = |argument: &Bound| argument.data_type == SqlType::Is(Type::Timestamptz);
                !arguments.iter().any(zoned)
            }
            BoundKind::Call(function, _) => function.is_immutable(),
            // Between text and times stands the session's time zone, and `now`.
            BoundKind::Cast(operand, to) => {
                let (from, to) = (operand.data_type.settled(), *to);
                let timed = |of| matches!(of, Type::Timestamptz | Type::Timestamp | Type::Date);
                let zoned = from == Type::Timestamptz || to == Type::Timestamptz;
                let read = (from == Type::Text && timed(to)) || (to == Type::Text && timed(from));
                from == to || !(zoned || read)
            }
            _ => true,
        };
        own && self.children().into_iter().all(Bound::is_immutable)
    }

    /// `self IS TRUE`: never unknown.
    pub(crate) fn into_true(self) -> Bound {
        let kind = BoundKind::IsBool(Box::new(self), Some(true));
        Bound::new(kind, SqlType::BOOL, Span::default())
    }

    /// Whether evaluating it could tell something about a row: a function of its columns that may fail, or that
    /// is not known to be harmless. Comparisons are (PostgreSQL marks them LEAKPROOF).
    pub(crate) fn is_leaky(&self) -> bool {
        let reads = || {
            let mut slots = Vec::new();
            self.slots(&mut slots);
            !slots.is_empty()
        };
        let own = match &self.kind {
            BoundKind::Call(..) | BoundKind::Subquery(_) => reads(),
            BoundKind::Cast(operand, to) => !(operand.data_type == SqlType::INT4 && *to == Type::Int8) && reads(),
            _ => false,
        };
        own || self.children().into_iter().any(Bound::is_leaky)
    }

    pub(crate) fn has_subquery(&self) -> bool {
        matches!(self.kind, BoundKind::Subquery(_)) || self.children().into_iter().any(Bound::has_subquery)
    }
}
