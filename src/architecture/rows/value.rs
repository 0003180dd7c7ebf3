//! Values of columns that need no SQL to be worked out.

use base::{Type, Value};
use program::{Block, Expression, Into, Role};
use scenario::Column;
use syntax::{Expr, ExprKind, Statement};

use super::reading::cast;
use crate::lower::builder::{Builder, Mark};
use crate::lower::{decision, statement};
use crate::sql::{Text, typed};

/// A constant that is stored in the column as it is.
pub(crate) fn assigned_value(builder: &mut Builder, column: &Column, expr: &Expr) -> Option<Expression> {
    // Rounding is SQL's business.
    if column.digits.is_some() && expr.kind != ExprKind::Null {
        return None;
    }
    direct_value(builder, column.data_type, expr)
}

/// A constant that needs no conversion to be a value of this type.
pub(crate) fn direct_value(builder: &mut Builder, data_type: Type, expr: &Expr) -> Option<Expression> {
    let whole = Type::is_whole;
    let fits = match &expr.kind {
        ExprKind::Null => true,
        ExprKind::Variable(name) => {
            let of = builder.type_of(name.as_str())?;
            of == data_type || (whole(of) && whole(data_type))
        }
        ExprKind::Number(_) => whole(data_type),
        ExprKind::Unary { operand, .. } => matches!(operand.kind, ExprKind::Number(_)) && whole(data_type),
        ExprKind::String(_) => data_type == Type::Text,
        ExprKind::Bool(_) => data_type == Type::Bool,
        _ => false,
    };
    if fits {
        decision::expression(builder, expr)
    } else {
        None
    }
}

/// As a literal of an INSERT: a text is a jsonb as it stands, and bytes if it is `\x` and hexadecimal digits.
pub(crate) fn inserted_value(builder: &mut Builder, column: &Column, expr: &Expr) -> Option<Expression> {
    if let (Type::Jsonb, ExprKind::String(text)) = (column.data_type, &expr.kind) {
        return Some(Expression::Constant(Value::Jsonb(text.clone())));
    }
    if let (Type::Bytea, ExprKind::String(text)) = (column.data_type, &expr.kind) {
        let bytes = base::from_hex(text.strip_prefix("\\x")?)?;
        return Some(Expression::Constant(Value::bytea(bytes)));
    }
    assigned_value(builder, column, expr)
}

/// A constant as a value of its column's type, worked out first if it has to be.
pub(crate) fn constant(
    builder: &mut Builder,
    column: &Column,
    expr: &Expr,
    index: u16,
    steps: &mut Block,
) -> Expression {
    if let Some(value) = direct_value(builder, column.data_type, expr) {
        return value;
    }
    let name = format!("value of {} for statement {}", column.name, index + 1);
    let register = builder.value(&name, column.data_type);
    let mut query = Statement::Query(Box::new(statement::select(cast(expr.clone(), column.data_type))));
    typed::cast_variables(&mut query, &|name| builder.type_of(name));
    let mark = Mark::new(format!("value of {}", column.name), Role::Work).from(index);
    let into = Into::Values(vec![register]);
    let text = Text::statement(&query);
    steps.push(statement::compose(builder, mark, Vec::new(), &text, into));
    Expression::Register(register)
}
