//! Partial unique indexes whose condition a design can work out for itself.

use program::{Expression, Operator};
use scenario::{ColumnId, Table};
use syntax::{BinaryOperator, Expr, ExprKind, UnaryOperator, print_expr};

use super::names;
use super::reading::stored;

/// A unique index over some rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Partial {
    pub(crate) columns: Vec<ColumnId>,
    pub(crate) filter: Expr,
}

/// Those of a table that guards can hold unique.
pub(crate) fn partial(table: &Table) -> Vec<Partial> {
    let indexes = table.indexes.iter().filter(|index| index.unique);
    let of = |index: &scenario::Index| {
        let filter = index.filter.clone()?;
        let nothing = |_: ColumnId| Expression::Constant(base::Value::Null);
        condition(table, &filter, &nothing)?;
        let columns = index.columns.iter().map(|part| part.column).collect();
        Some(Partial { columns, filter })
    };
    indexes.filter_map(of).collect()
}

impl Partial {
    /// The columns that decide whether a row is covered, and those that must be unique.
    pub(crate) fn watched(&self, table: &Table) -> Vec<ColumnId> {
        let mut columns = self.columns.clone();
        syntax::visit::exprs_of(&self.filter, &mut |expr| columns.extend(column(table, expr)));
        columns
    }

    /// `care.stays.bed WHERE left_at IS NULL`
    pub(crate) fn name(&self, table: &Table) -> String {
        let guard = format!("{}.{}", table.full_name(), names(table, &self.columns));
        format!("{guard} WHERE {}", print_expr(&self.filter))
    }

    /// True for a row that is covered, else NULL; never false. `None`: it needs SQL.
    pub(crate) fn covered(&self, table: &Table, value: &dyn Fn(ColumnId) -> Expression) -> Option<Expression> {
        let null = Expression::Constant(base::Value::Null);
        let filter = condition(table, &self.filter, value)?;
        Some(Expression::binary(Operator::Or, filter, null))
    }

    /// The condition over the stored values of a row that is going to be written.
    pub(crate) fn before(&self, table: &Table) -> String {
        let mut filter = self.filter.clone();
        syntax::visit::exprs_of_mut(&mut filter, &mut |expr| {
            if let Some(id) = column(table, expr) {
                let name = stored(&table.column(id).name);
                expr.kind = ExprKind::Column(vec![syntax::Name::new(name.as_str())]);
            }
        });
        print_expr(&filter)
    }
}

fn column(table: &Table, expr: &Expr) -> Option<ColumnId> {
    match &expr.kind {
        ExprKind::Column(path) => path.last().and_then(|name| table.find(name.as_str())),
        _ => None,
    }
}

/// A condition over a row's columns, whatever stands for them; `None`: it needs SQL.
fn condition(table: &Table, expr: &Expr, value: &dyn Fn(ColumnId) -> Expression) -> Option<Expression> {
    let inner = |expr: &Expr| condition(table, expr, value);
    let boxed = |expr: &Expr| inner(expr).map(Box::new);
    Some(match &expr.kind {
        ExprKind::Column(_) => value(column(table, expr)?),
        ExprKind::Null => Expression::Constant(base::Value::Null),
        ExprKind::Bool(truth) => Expression::Constant(base::Value::Bool(*truth)),
        ExprKind::Number(digits) => Expression::int(digits.parse().ok()?),
        ExprKind::String(text) => Expression::text(text),
        ExprKind::Cast { operand, .. } => inner(operand)?,
        ExprKind::Unary {
            operator: UnaryOperator::Not,
            operand,
        } => Expression::Not(boxed(operand)?),
        ExprKind::IsNull { operand, negated } => {
            let is_null = Expression::IsNull(boxed(operand)?);
            if *negated {
                Expression::Not(Box::new(is_null))
            } else {
                is_null
            }
        }
        ExprKind::In { operand, list, negated } => {
            let equal = |item: &Expr| Some(Expression::binary(Operator::Equal, inner(operand)?, inner(item)?));
            let equal: Vec<Expression> = list.iter().map(equal).collect::<Option<_>>()?;
            let any = equal
                .into_iter()
                .reduce(|a, b| Expression::binary(Operator::Or, a, b))?;
            if *negated { Expression::Not(Box::new(any)) } else { any }
        }
        ExprKind::Binary { operator, left, right } => {
            let operator = match operator {
                BinaryOperator::And => Operator::And,
                BinaryOperator::Or => Operator::Or,
                BinaryOperator::Equal => Operator::Equal,
                BinaryOperator::NotEqual => Operator::NotEqual,
                BinaryOperator::Less => Operator::Less,
                BinaryOperator::LessOrEqual => Operator::LessOrEqual,
                BinaryOperator::Greater => Operator::Greater,
                BinaryOperator::GreaterOrEqual => Operator::GreaterOrEqual,
                _ => return None,
            };
            Expression::binary(operator, inner(left)?, inner(right)?)
        }
        _ => return None,
    })
}
