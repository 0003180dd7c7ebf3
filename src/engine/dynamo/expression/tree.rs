//! Expressions as trees: names and values have taken the place of their placeholders.

use super::path::{Path, PathTree};
use crate::value::AttributeValue;

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Compare(Comparison, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Exists(Path),
    NotExists(Path),
    /// The type by its wire name.
    HasType(Path, Operand),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Path(Path),
    Value(AttributeValue),
    /// `size(path)`, a number.
    Size(Path),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Update {
    pub(super) set: Vec<(Path, SetValue)>,
    pub(super) remove: Vec<Path>,
    /// A number or a set.
    pub(super) add: Vec<(Path, AttributeValue)>,
    /// A set.
    pub(super) delete: Vec<(Path, AttributeValue)>,
    /// All paths that it changes.
    pub(crate) paths: PathTree,
}

#[derive(Clone, Debug)]
pub(super) enum SetValue {
    Operand(SetOperand),
    Sum(SetOperand, SetOperand),
    Difference(SetOperand, SetOperand),
}

#[derive(Clone, Debug)]
pub(super) enum SetOperand {
    Path(Path),
    Value(AttributeValue),
    IfNotExists(Path, Box<SetOperand>),
    ListAppend(Box<SetOperand>, Box<SetOperand>),
}

impl Comparison {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }

    pub(super) fn of(symbol: &str) -> Option<Comparison> {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let all = [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual];
        all.into_iter().find(|comparison| comparison.symbol() == symbol)
    }
}

impl Condition {
    /// As AWS names it in messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Condition::Compare(comparison, ..) => comparison.symbol(),
            Condition::Between(..) => "BETWEEN",
            Condition::In(..) => "IN",
            Condition::And(_) => "AND",
            Condition::Or(_) => "OR",
            Condition::Not(_) => "NOT",
            Condition::Exists(_) => "attribute_exists",
            Condition::NotExists(_) => "attribute_not_exists",
            Condition::HasType(..) => "attribute_type",
            Condition::BeginsWith(..) => "begins_with",
            Condition::Contains(..) => "contains",
        }
    }

    /// Calls back with each path in it.
    pub(crate) fn paths(&self, found: &mut dyn FnMut(&Path)) {
        let mut operand = |operand: &Operand| match operand {
            Operand::Path(path) | Operand::Size(path) => found(path),
            Operand::Value(_) => {}
        };
        match self {
            Condition::Compare(_, a, b) | Condition::BeginsWith(a, b) | Condition::Contains(a, b) => {
                operand(a);
                operand(b);
            }
            Condition::Between(a, low, high) => [a, low, high].into_iter().for_each(operand),
            Condition::In(a, list) => std::iter::once(a).chain(list).for_each(operand),
            Condition::And(parts) | Condition::Or(parts) => parts.iter().for_each(|part| part.paths(found)),
            Condition::Not(part) => part.paths(found),
            Condition::Exists(path) | Condition::NotExists(path) => found(path),
            Condition::HasType(path, kind) => {
                operand(kind);
                found(path);
            }
        }
    }
}
