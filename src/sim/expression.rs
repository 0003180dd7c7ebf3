//! Expressions over registers, three-valued as SQL is.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use base::Value;
use program::{Error, ErrorClass, Expression, KeyText, Operator, RegisterId, RequestId};

use crate::activation::{Register, Scope};

/// What an expression can know besides registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    pub(crate) request: Option<RequestId>,
    /// Of an initial row: its number.
    pub(crate) row: Option<u64>,
    pub(crate) now_micros: i64,
}

/// As an argument: row sets and errors travel as they are.
pub(crate) fn argument(expression: &Expression, scope: &Scope, present: Present) -> Result<Register, Error> {
    match expression {
        Expression::Register(id) => Ok(register(scope, *id).clone()),
        other => evaluate(other, scope, present).map(Register::Value),
    }
}

pub(crate) fn evaluate(expression: &Expression, scope: &Scope, present: Present) -> Result<Value, Error> {
    operand(expression, scope, present).map(Cow::into_owned)
}

/// As it stands in the expression or in a register, if it does.
fn operand<'a>(expression: &'a Expression, scope: &'a Scope, present: Present) -> Result<Cow<'a, Value>, Error> {
    match expression {
        Expression::Constant(value) => Ok(Cow::Borrowed(value)),
        Expression::Register(id) => match register(scope, *id) {
            Register::Value(value) => Ok(Cow::Borrowed(value)),
            Register::Error(error) => Ok(Cow::Owned(Value::text(error.message.as_str()))),
            Register::Rows(_) => Err(mistake("42804", format!("register {} holds rows, not a value", id.0))),
        },
        other => work_out(other, scope, present).map(Cow::Owned),
    }
}

fn work_out(expression: &Expression, scope: &Scope, present: Present) -> Result<Value, Error> {
    Ok(match expression {
        Expression::Constant(_) | Expression::Register(_) => operand(expression, scope, present)?.into_owned(),
        Expression::RowCount(id) => match register(scope, *id) {
            Register::Rows(rows) => Value::Int8(rows.len() as i64),
            _ => Value::Null,
        },
        Expression::Field { rows, column } => match register(scope, *rows) {
            Register::Rows(rows) => {
                let cell = rows.first().and_then(|row| row.get(usize::from(*column)));
                cell.cloned().unwrap_or(Value::Null)
            }
            _ => Value::Null,
        },
        Expression::Column { rows, column } => match register(scope, *rows) {
            Register::Rows(rows) => {
                let mut seen = BTreeSet::new();
                let cells = rows.iter().filter_map(|row| row.get(usize::from(*column)));
                Value::List(cells.filter(|value| seen.insert((*value).clone())).cloned().collect())
            }
            _ => Value::List(Vec::new().into()),
        },
        // Equal when the request is asked again.
        Expression::RequestKey => match (present.request, present.row) {
            (Some(request), _) => Value::text(format!("request-{}", request.0)),
            (None, Some(row)) => Value::text(format!("row-{row}")),
            (None, None) => Value::Null,
        },
        Expression::Key(parts) => {
            let mut key = KeyText::default();
            let mut is_null = false;
            for part in parts {
                is_null |= !key.push(&*operand(part, scope, present)?);
            }
            if is_null { Value::Null } else { Value::text(key.text()) }
        }
        Expression::Path { before, parts, after } => {
            let mut values = Vec::with_capacity(parts.len());
            for part in parts {
                values.push(operand(part, scope, present)?);
            }
            match program::path_text(values.iter().map(|value| &**value)) {
                Some(path) => Value::text(format!("{before}{path}{after}")),
                None => Value::Null,
            }
        }
        Expression::Now => Value::Timestamptz(present.now_micros),
        Expression::Not(inner) => match &*operand(inner, scope, present)? {
            Value::Null => Value::Null,
            Value::Bool(b) => Value::Bool(!b),
            other => return Err(not_boolean(other)),
        },
        Expression::IsNull(inner) => Value::Bool(operand(inner, scope, present)?.is_null()),
        Expression::Binary { operator, left, right } => {
            let left = operand(left, scope, present)?;
            match (operator, &*left) {
                (Operator::And, Value::Bool(false)) | (Operator::Or, Value::Bool(true)) => left.into_owned(),
                _ => binary(*operator, &left, &*operand(right, scope, present)?)?,
            }
        }
    })
}

/// A condition holds only if it is true.
pub(crate) fn holds(expression: &Expression, scope: &Scope, present: Present) -> Result<bool, Error> {
    match &*operand(expression, scope, present)? {
        Value::Bool(b) => Ok(*b),
        Value::Null => Ok(false),
        other => Err(not_boolean(other)),
    }
}

fn register(scope: &Scope, id: RegisterId) -> &Register {
    const NULL: &Register = &Register::NULL;
    scope.registers.get(id.index()).unwrap_or(NULL)
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, Error> {
    if let Operator::And | Operator::Or = operator {
        return logic(operator, left, right);
    }
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    match operator {
        Operator::Add | Operator::Subtract | Operator::Multiply => arithmetic(operator, left, right),
        Operator::Concat => Ok(Value::text(format!("{left}{right}"))),
        _ => {
            let order = compare(left, right)?;
            Ok(Value::Bool(match operator {
                Operator::Equal => order == Ordering::Equal,
                Operator::NotEqual => order != Ordering::Equal,
                Operator::Less => order == Ordering::Less,
                Operator::LessOrEqual => order != Ordering::Greater,
                Operator::Greater => order == Ordering::Greater,
                _ => order != Ordering::Less,
            }))
        }
    }
}

fn logic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Error> {
    let truth = |value: &Value| match value {
        Value::Bool(b) => Ok(Some(*b)),
        Value::Null => Ok(None),
        other => Err(not_boolean(other)),
    };
    let decides = operator == Operator::Or;
    Ok(match (truth(left)?, truth(right)?) {
        (Some(b), _) | (_, Some(b)) if b == decides => Value::Bool(decides),
        (None, _) | (_, None) => Value::Null,
        _ => Value::Bool(!decides),
    })
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Error> {
    let (Some(a), Some(b)) = (left.as_i64(), right.as_i64()) else {
        return Err(no_operator(operator, left, right));
    };
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        _ => a.checked_mul(b),
    };
    let small = matches!((left, right), (Value::Int4(_), Value::Int4(_)));
    let fits = |n: &i64| !small || i32::try_from(*n).is_ok();
    let name = if small { "integer" } else { "bigint" };
    let n = result
        .filter(fits)
        .ok_or_else(|| mistake("22003", format!("{name} out of range")))?;
    Ok(if small { Value::Int4(n as i32) } else { Value::Int8(n) })
}

fn compare(left: &Value, right: &Value) -> Result<Ordering, Error> {
    if let (Some(a), Some(b)) = (left.as_i64(), right.as_i64()) {
        return Ok(a.cmp(&b));
    }
    if let (Value::Numeric(a), Value::Numeric(b)) = (left, right) {
        return Ok(a.compare(**b));
    }
    if left.type_of() != right.type_of() {
        return Err(no_operator(Operator::Equal, left, right));
    }
    Ok(left.cmp(right))
}

fn no_operator(operator: Operator, left: &Value, right: &Value) -> Error {
    let name = |value: &Value| value.type_of().map_or("list", base::Type::name);
    mistake(
        "42883",
        format!("operator does not exist: {} {operator:?} {}", name(left), name(right)),
    )
}

fn not_boolean(value: &Value) -> Error {
    mistake("42804", format!("a condition must be boolean, not {value}"))
}

fn mistake(sqlstate: &str, message: String) -> Error {
    Error {
        class: ErrorClass::Refused,
        code: Some(sqlstate.to_owned()),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(expression: &Expression) -> Result<Value, Error> {
        let rows: crate::activation::Rows = [3, 1, 3].map(|n| base::Row::from([Value::Int4(n)])).into();
        let scope = Scope {
            registers: vec![Register::NULL, Register::Rows(rows)],
            connections: Vec::new(),
            live: true,
        };
        evaluate(
            expression,
            &scope,
            Present {
                request: Some(RequestId(7)),
                row: None,
                now_micros: 5,
            },
        )
    }

    fn of(operator: Operator, left: Value, right: Value) -> Result<Value, Error> {
        value_of(&Expression::binary(
            operator,
            Expression::Constant(left),
            Expression::Constant(right),
        ))
    }

    #[test]
    fn logic_has_three_values() {
        use Operator::{And, Or};
        use Value::{Bool, Null};
        assert_eq!(of(And, Null, Bool(false)), Ok(Bool(false)));
        assert_eq!(of(And, Null, Bool(true)), Ok(Null));
        assert_eq!(of(Or, Null, Bool(true)), Ok(Bool(true)));
        assert_eq!(of(Or, Bool(false), Null), Ok(Null));
        assert_eq!(of(And, Bool(true), Bool(true)), Ok(Bool(true)));
        assert_eq!(of(Or, Bool(false), Bool(false)), Ok(Bool(false)));
        assert_eq!(of(Operator::Equal, Null, Null), Ok(Null));
    }

    #[test]
    fn integers_compare_across_widths_and_do_not_wrap() {
        assert_eq!(
            of(Operator::Equal, Value::Int4(3), Value::Int8(3)),
            Ok(Value::Bool(true))
        );
        assert_eq!(
            of(Operator::Add, Value::Int4(i32::MAX), Value::Int8(1)),
            Ok(Value::Int8(2_147_483_648))
        );
        let overflow = of(Operator::Add, Value::Int4(i32::MAX), Value::Int4(1)).unwrap_err();
        assert_eq!(overflow.code.as_deref(), Some("22003"));
        assert!(of(Operator::Less, Value::Int4(3), Value::text("3")).is_err());
    }

    #[test]
    fn row_sets_give_counts_fields_and_distinct_columns() {
        let rows = RegisterId(1);
        assert_eq!(value_of(&Expression::RowCount(rows)), Ok(Value::Int8(3)));
        assert_eq!(value_of(&Expression::Field { rows, column: 0 }), Ok(Value::Int4(3)));
        let column = value_of(&Expression::Column { rows, column: 0 });
        assert_eq!(column, Ok(Value::List([Value::Int4(3), Value::Int4(1)].into())));
        assert!(value_of(&Expression::Register(rows)).is_err());
        assert_eq!(value_of(&Expression::RequestKey), Ok(Value::text("request-7")));
    }
}
