//! What PostgreSQL calls a column of a result that has no name.

use std::sync::Arc;

use base::Type;
use syntax::{Expr, ExprKind, QueryBody, SelectItem};

/// The name that PostgreSQL gives to an unnamed column.
pub(crate) fn column_name(expression: &Expr) -> Arc<str> {
    column_name_of(expression).map_or_else(|| "?column?".into(), |(name, _)| name)
}

/// With whether the name is a strong one, which a cast around it keeps.
fn column_name_of(expression: &Expr) -> Option<(Arc<str>, bool)> {
    let weak = |name: &str| Some((name.into(), false));
    let strong = |name: &str| Some((name.into(), true));
    match &expression.kind {
        ExprKind::Column(names) => names.last().map(|name| (name.text.clone(), true)),
        ExprKind::Function(call) => Some((call.name.name.text.clone(), true)),
        ExprKind::Cast { operand, data_type } => match column_name_of(operand) {
            Some((name, true)) => Some((name, true)),
            _ => Some((type_column_name(data_type), false)),
        },
        ExprKind::Case { otherwise, .. } => match otherwise.as_deref().and_then(column_name_of) {
            Some((name, true)) => Some((name, true)),
            _ => weak("case"),
        },
        ExprKind::Bool(_) => weak("bool"),
        ExprKind::Exists { .. } => strong("exists"),
        ExprKind::Array(_) => strong("array"),
        ExprKind::Row(_) => strong("row"),
        ExprKind::Subquery(query) => match &query.body {
            QueryBody::Select(select) => match select.items.first() {
                Some(SelectItem::Expr { alias: Some(alias), .. }) => Some((alias.text.clone(), true)),
                Some(SelectItem::Expr { expr, .. }) => column_name_of(expr),
                _ => None,
            },
            _ => strong("column1"),
        },
        _ => None,
    }
}

fn type_column_name(data_type: &syntax::DataType) -> Arc<str> {
    match &data_type.kind {
        syntax::DataTypeKind::Known(known) => match known {
            Type::Bool => "bool".into(),
            Type::Int2 => "int2".into(),
            Type::Int4 => "int4".into(),
            Type::Int8 => "int8".into(),
            Type::Text => "text".into(),
            Type::Timestamptz => "timestamptz".into(),
            Type::Jsonb => "jsonb".into(),
            Type::Numeric => "numeric".into(),
            Type::Date => "date".into(),
            Type::Timestamp => "timestamp".into(),
            Type::Interval => "interval".into(),
            Type::Float8 => "float8".into(),
            Type::Uuid => "uuid".into(),
            Type::Bytea => "bytea".into(),
            Type::Daterange => "daterange".into(),
            Type::Tid => "tid".into(),
            Type::Oid => "oid".into(),
            Type::Regclass => "regclass".into(),
            Type::Record => "record".into(),
        },
        syntax::DataTypeKind::Digits { .. } => "numeric".into(),
        syntax::DataTypeKind::Length(_) => "varchar".into(),
        _ => "?column?".into(),
    }
}
