//! Which operation `+ - * / %` mean: numbers meet as the wider of both, dates and instants move by intervals.

use base::Type;
use syntax::Span;

use super::Binder;
use super::coerce::{not_unique, operator_missing};
use crate::error::Fallible;
use crate::expr::function::Arithmetic;
use crate::expr::moment::Moment;
use crate::expr::{Bound, BoundKind, Function};
use crate::types::{CastContext, SqlType, can_cast};

impl Binder<'_> {
    pub(super) fn arithmetic(
        &mut self,
        operation: Arithmetic,
        left: Bound,
        right: Bound,
        span: Span,
    ) -> Fallible<Bound> {
        let (found_left, found_right) = (left.data_type, right.data_type);
        let symbol = operation.symbol();
        if (found_left, found_right) == (SqlType::Unknown, SqlType::Unknown) {
            return Err(not_unique(symbol, span));
        }
        let meant = operator(operation, found_left, found_right);
        let (function, to_left, to_right, returns) =
            meant.ok_or_else(|| operator_missing(symbol, found_left, found_right, span))?;
        let left = self.try_coerce(left, to_left, CastContext::Implicit)?;
        let right = self.try_coerce(right, to_right, CastContext::Implicit)?;
        match (left, right) {
            (Some(left), Some(right)) => Ok(Bound::new(
                BoundKind::Call(function, vec![left, right]),
                SqlType::Is(returns),
                span,
            )),
            _ => Err(operator_missing(symbol, found_left, found_right, span)),
        }
    }
}

fn is_number(data_type: Type) -> bool {
    data_type.is_whole() || matches!(data_type, Type::Numeric | Type::Float8)
}

/// What is done, with arguments of which types, and what comes out.
type Meant = (Function, Type, Type, Type);

fn operator(operation: Arithmetic, left: SqlType, right: SqlType) -> Option<Meant> {
    use Type::{Date, Float8, Int4, Interval, Timestamp, Timestamptz};
    // An undecided side is as the other: PostgreSQL prefers the operator with two sides alike.
    let (a, b) = match (left, right) {
        (SqlType::Is(a), SqlType::Is(b)) => (a, b),
        (SqlType::Is(a), SqlType::Unknown) => (a, undecided(operation, a)),
        (SqlType::Unknown, SqlType::Is(b)) => (undecided(operation, b), b),
        _ => return None,
    };
    if is_number(a) && is_number(b) {
        let to = if can_cast(SqlType::Is(a), b, CastContext::Implicit) {
            b
        } else {
            a
        };
        let known = to != Float8 || operation != Arithmetic::Modulo;
        return known.then_some((Function::Arithmetic(operation, to), to, to, to));
    }
    let moment = |moment, to_left, to_right, returns| Some((Function::Moment(moment), to_left, to_right, returns));
    match (operation, a, b) {
        (Arithmetic::Add, Date, _) if b.is_whole() => moment(Moment::MoveDay(1), Date, Int4, Date),
        (Arithmetic::Add, _, Date) if a.is_whole() => moment(Moment::DayMoved, Int4, Date, Date),
        (Arithmetic::Subtract, Date, _) if b.is_whole() => moment(Moment::MoveDay(-1), Date, Int4, Date),
        (Arithmetic::Subtract, Date, Date) => moment(Moment::Days, Date, Date, Int4),
        (Arithmetic::Add, Date, Interval) => moment(Moment::Move(1), Timestamp, Interval, Timestamp),
        (Arithmetic::Subtract, Date, Interval) => moment(Moment::Move(-1), Timestamp, Interval, Timestamp),
        (Arithmetic::Add, Timestamp | Timestamptz, Interval) => moment(Moment::Move(1), a, Interval, a),
        (Arithmetic::Subtract, Timestamp | Timestamptz, Interval) => moment(Moment::Move(-1), a, Interval, a),
        (Arithmetic::Add, Interval, Date) => moment(Moment::Moved, Interval, Timestamp, Timestamp),
        (Arithmetic::Add, Interval, Timestamp | Timestamptz) => moment(Moment::Moved, Interval, b, b),
        (Arithmetic::Subtract, Timestamp | Timestamptz | Date, Timestamp | Timestamptz | Date) => {
            let to = if [a, b].contains(&Timestamptz) {
                Timestamptz
            } else {
                Timestamp
            };
            moment(Moment::Between, to, to, Interval)
        }
        (Arithmetic::Add, Interval, Interval) => moment(Moment::Sum(1), Interval, Interval, Interval),
        (Arithmetic::Subtract, Interval, Interval) => moment(Moment::Sum(-1), Interval, Interval, Interval),
        (Arithmetic::Multiply, Interval, _) if is_number(b) => moment(Moment::Times, Interval, Float8, Interval),
        (Arithmetic::Multiply, _, Interval) if is_number(a) => moment(Moment::TimesFrom, Float8, Interval, Interval),
        (Arithmetic::Divide, Interval, _) if is_number(b) => moment(Moment::Over, Interval, Float8, Interval),
        _ => None,
    }
}

/// What an undecided side is taken for beside this type.
fn undecided(operation: Arithmetic, beside: Type) -> Type {
    match (operation, beside) {
        (Arithmetic::Add, Type::Timestamp | Type::Timestamptz) => Type::Interval,
        (Arithmetic::Multiply | Arithmetic::Divide, Type::Interval) => Type::Float8,
        _ => beside,
    }
}
