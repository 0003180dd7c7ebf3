//! From the bound tree to a flat program for the stack machine.

use base::{Type, Value};

use super::{Bound, BoundKind, Comparison, Function, Slot, SubqueryKind};

/// One instruction. Jumps are absolute.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Op {
    Const(Value),
    Slot(Slot),
    Param(u32),
    Call(Function, u32),
    Compare(Comparison),
    /// Leaves FALSE and jumps when the top is FALSE; else goes on with it on the stack.
    AndThen(u32),
    OrElse(u32),
    And,
    Or,
    Not,
    IsNull,
    IsBool(Option<bool>),
    IsDistinct,
    /// Of this many items, on the stack above the operand.
    In(u32),
    Any(Comparison),
    /// `= ANY` of a list parameter, whose elements lie in order.
    Among(u32),
    /// Takes the top; jumps unless it is TRUE.
    UnlessTrue(u32),
    Jump(u32),
    /// Jumps, keeping the top, when it is not NULL; else takes it.
    IfNotNull(u32),
    NullIf,
    Extreme(bool, u32),
    Array(u32),
    Cast(Type),
    /// Runs subquery `id` (with the top as operand, for ANY) and pushes its answer.
    Subquery(u32, Answer),
}

/// What a subquery's rows come down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Scalar,
    Exists,
    Any(Comparison),
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Program {
    pub(crate) ops: Box<[Op]>,
    /// Has a subquery, so that it may be suspended.
    pub(crate) suspends: bool,
}

impl Program {
    pub(crate) fn new(expression: &Bound) -> Program {
        let mut ops = Vec::new();
        emit(expression, &mut ops);
        let suspends = ops.iter().any(|op| matches!(op, Op::Subquery(..)));
        Program {
            ops: ops.into(),
            suspends,
        }
    }

    /// Its value, if it is one.
    pub(crate) fn constant(&self) -> Option<&Value> {
        match &*self.ops {
            [Op::Const(value)] => Some(value),
            _ => None,
        }
    }

    pub(crate) fn all(expressions: &[Bound]) -> Box<[Program]> {
        expressions.iter().map(Program::new).collect()
    }
}

fn emit(expression: &Bound, ops: &mut Vec<Op>) {
    match &expression.kind {
        BoundKind::Const(value) => ops.push(Op::Const(value.clone())),
        BoundKind::Slot(slot) => ops.push(Op::Slot(*slot)),
        BoundKind::Param(number) => ops.push(Op::Param(*number)),
        BoundKind::Call(function, arguments) => {
            emit_all(arguments, ops);
            ops.push(Op::Call(function.clone(), arguments.len() as u32));
        }
        BoundKind::Compare(comparison, left, right) => binary(left, right, Op::Compare(*comparison), ops),
        BoundKind::IsDistinct(left, right) => binary(left, right, Op::IsDistinct, ops),
        BoundKind::NullIf(left, right) => binary(left, right, Op::NullIf, ops),
        BoundKind::Any(Comparison::Equal, operand, list) if let BoundKind::Param(number) = list.kind => {
            unary(operand, Op::Among(number), ops);
        }
        BoundKind::Any(comparison, left, right) => binary(left, right, Op::Any(*comparison), ops),
        BoundKind::And(parts) => chain(parts, Op::AndThen, &Op::And, ops),
        BoundKind::Or(parts) => chain(parts, Op::OrElse, &Op::Or, ops),
        BoundKind::Not(operand) => unary(operand, Op::Not, ops),
        BoundKind::IsNull(operand) => unary(operand, Op::IsNull, ops),
        BoundKind::IsBool(operand, value) => unary(operand, Op::IsBool(*value), ops),
        BoundKind::Cast(operand, to) => unary(operand, Op::Cast(*to), ops),
        BoundKind::In(operand, list) => {
            emit(operand, ops);
            emit_all(list, ops);
            ops.push(Op::In(list.len() as u32));
        }
        BoundKind::Case(branches, otherwise) => emit_case(branches, otherwise, ops),
        BoundKind::Coalesce(items) => emit_coalesce(items, ops),
        BoundKind::Extreme { greatest, items } => {
            emit_all(items, ops);
            ops.push(Op::Extreme(*greatest, items.len() as u32));
        }
        BoundKind::Array(items) => {
            emit_all(items, ops);
            ops.push(Op::Array(items.len() as u32));
        }
        BoundKind::Subquery(subquery) => {
            let answer = match &subquery.kind {
                SubqueryKind::Scalar => Answer::Scalar,
                SubqueryKind::Exists => Answer::Exists,
                SubqueryKind::Any(comparison, operand) => {
                    emit(operand, ops);
                    Answer::Any(*comparison)
                }
            };
            ops.push(Op::Subquery(subquery.id, answer));
        }
    }
}

fn emit_all(items: &[Bound], ops: &mut Vec<Op>) {
    items.iter().for_each(|item| emit(item, ops));
}

fn unary(operand: &Bound, op: Op, ops: &mut Vec<Op>) {
    emit(operand, ops);
    ops.push(op);
}

fn binary(left: &Bound, right: &Bound, op: Op, ops: &mut Vec<Op>) {
    emit(left, ops);
    emit(right, ops);
    ops.push(op);
}

/// `a AND b AND c`: the rest is left out as soon as one decides.
fn chain(parts: &[Bound], short: fn(u32) -> Op, join: &Op, ops: &mut Vec<Op>) {
    let mut jumps = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        emit(part, ops);
        if at > 0 {
            ops.push(join.clone());
        }
        if at + 1 < parts.len() {
            jumps.push(ops.len());
            ops.push(short(0));
        }
    }
    let end = ops.len() as u32;
    for jump in jumps {
        ops[jump] = short(end);
    }
}

fn emit_case(branches: &[(Bound, Bound)], otherwise: &Bound, ops: &mut Vec<Op>) {
    let mut exits = Vec::new();
    for (condition, value) in branches {
        emit(condition, ops);
        let skip = ops.len();
        ops.push(Op::UnlessTrue(0));
        emit(value, ops);
        exits.push(ops.len());
        ops.push(Op::Jump(0));
        ops[skip] = Op::UnlessTrue(ops.len() as u32);
    }
    emit(otherwise, ops);
    let end = ops.len() as u32;
    for exit in exits {
        ops[exit] = Op::Jump(end);
    }
}

fn emit_coalesce(items: &[Bound], ops: &mut Vec<Op>) {
    let mut exits = Vec::new();
    for (at, item) in items.iter().enumerate() {
        emit(item, ops);
        if at + 1 < items.len() {
            exits.push(ops.len());
            ops.push(Op::IfNotNull(0));
        }
    }
    let end = ops.len() as u32;
    for exit in exits {
        ops[exit] = Op::IfNotNull(end);
    }
}
