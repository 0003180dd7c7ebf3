//! `ABORT WHEN` conditions: as an expression over registers where the program language has the words
//! for it; anything larger is evaluated as SQL.

use base::{Type, Value};
use program::{Expression, Operator};
use syntax::{BinaryOperator, Expr, ExprKind, UnaryOperator};

use super::builder::Builder;
use crate::sql::facts;

/// `None`: SQL must evaluate it.
pub(crate) fn expression(builder: &mut Builder, expr: &Expr) -> Option<Expression> {
    let both = |builder: &mut Builder, operator, left: &Expr, right: &Expr| {
        if !is_plain(builder, left) || !is_plain(builder, right) {
            return None;
        }
        let left = expression(builder, left)?;
        Some(Expression::binary(operator, left, expression(builder, right)?))
    };
    Some(match &expr.kind {
        ExprKind::Null => Expression::Constant(Value::Null),
        ExprKind::Bool(value) => Expression::Constant(Value::Bool(*value)),
        ExprKind::Number(digits) => Expression::int(digits.parse().ok()?),
        ExprKind::String(text) => Expression::text(text),
        ExprKind::Variable(name) => builder.operand(name.as_str()),
        ExprKind::Unary {
            operator: UnaryOperator::Not,
            operand,
        } => Expression::Not(Box::new(expression(builder, operand)?)),
        ExprKind::Unary {
            operator: UnaryOperator::Minus,
            operand,
        } => match &operand.kind {
            ExprKind::Number(digits) => Expression::int(format!("-{digits}").parse().ok()?),
            _ => return None,
        },
        ExprKind::Binary { operator, left, right } => both(builder, operator_of(*operator)?, left, right)?,
        ExprKind::IsNull { operand, negated } => {
            let test = Expression::IsNull(Box::new(expression(builder, operand)?));
            negate(test, *negated)
        }
        ExprKind::Between {
            operand,
            low,
            high,
            negated,
        } => {
            let from = both(builder, Operator::GreaterOrEqual, operand, low)?;
            let to = both(builder, Operator::LessOrEqual, operand, high)?;
            negate(Expression::binary(Operator::And, from, to), *negated)
        }
        ExprKind::In { operand, list, negated } => {
            let mut tests = Vec::new();
            for item in list {
                tests.push(both(builder, Operator::Equal, operand, item)?);
            }
            let any = tests
                .into_iter()
                .reduce(|a, b| Expression::binary(Operator::Or, a, b))?;
            negate(any, *negated)
        }
        ExprKind::Function(_) if facts::is_now(expr) => Expression::Now,
        _ => return None,
    })
}

/// Has the program language operators for its values? Of other types it only moves them.
fn is_plain(builder: &mut Builder, expr: &Expr) -> bool {
    let ExprKind::Variable(name) = &expr.kind else {
        return true;
    };
    let plain = |of: Type| of.is_whole() || matches!(of, Type::Bool | Type::Text | Type::Timestamptz | Type::Jsonb);
    builder.type_of(name.as_str()).is_none_or(plain)
}

fn negate(expression: Expression, negated: bool) -> Expression {
    if negated {
        Expression::Not(Box::new(expression))
    } else {
        expression
    }
}

fn operator_of(operator: BinaryOperator) -> Option<Operator> {
    Some(match operator {
        BinaryOperator::And => Operator::And,
        BinaryOperator::Or => Operator::Or,
        BinaryOperator::Equal => Operator::Equal,
        BinaryOperator::NotEqual => Operator::NotEqual,
        BinaryOperator::Less => Operator::Less,
        BinaryOperator::LessOrEqual => Operator::LessOrEqual,
        BinaryOperator::Greater => Operator::Greater,
        BinaryOperator::GreaterOrEqual => Operator::GreaterOrEqual,
        BinaryOperator::Add => Operator::Add,
        BinaryOperator::Subtract => Operator::Subtract,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Concat => Operator::Concat,
        _ => return None,
    })
}
