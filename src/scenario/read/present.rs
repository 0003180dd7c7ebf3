//! The present under one name: `CURRENT_DATE` is `now()::date`, `LOCALTIMESTAMP` is `now()::timestamp`, so that whoever
//! carries the beginning of a request from one database to another has one thing to look for.

use base::Type;
use syntax::visit::exprs_mut;
use syntax::{DataType, DataTypeKind, Expr, ExprKind, Statement};

pub(super) fn statement(statement: &Statement) -> Statement {
    let mut statement = statement.clone();
    exprs_mut(&mut statement, &mut rename);
    statement
}

pub(super) fn expression(expression: &Expr) -> Expr {
    let mut expression = expression.clone();
    syntax::visit::exprs_of_mut(&mut expression, &mut rename);
    expression
}

fn rename(expr: &mut Expr) {
    let ExprKind::Function(call) = &mut expr.kind else {
        return;
    };
    let to = match call.name.name.as_str() {
        "current_date" => Type::Date,
        "localtimestamp" => Type::Timestamp,
        _ => return,
    };
    call.name.name.text = "now".into();
    let span = expr.span;
    expr.kind = ExprKind::Cast {
        operand: Box::new(expr.clone()),
        data_type: DataType {
            kind: DataTypeKind::Known(to),
            span,
        },
    };
}
