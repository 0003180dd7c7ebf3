//! Partial unique indexes: a guard item for the values of each row that fulfils the condition, of no other.
//!
//! ```text
//! UNIQUE (bed) WHERE left_at IS NULL      unique#care.stays.bed WHERE left_at IS NULL#bed-7#true
//! ```
//!
//! A change takes the values of rows that come to fulfil it, and frees those of rows that no longer do.

use program::{Attributes, Block, EachRow, Expression, ItemWrite, Operator, TransactedWrite, WriteAction};
use scenario::{ColumnId, Table, TableId};
use syntax::{BinaryOperator, Expr, ExprKind, UnaryOperator, identifier, print_expr};

use super::Site;
use super::commit::Guard;
use super::operation::Writer;
use super::reading::{GONE, REVISION, stored};
use super::row::Value;
use super::work::TableWork;
use super::write_once;
use crate::Sabotage;
use crate::lower::builder::register;

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
    fn name(&self, table: &Table) -> String {
        let guard = super::row::guard_name(table, &self.columns);
        format!("{guard} WHERE {}", print_expr(&self.filter))
    }

    /// The condition over the stored values of a row that is going to be written.
    fn before(&self, table: &Table) -> String {
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
fn condition(table: &Table, expr: &Expr, value: Value<'_>) -> Option<Expression> {
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

impl Site {
    pub(crate) fn partially_guarded(&self, table: TableId) -> &[Partial] {
        if self.has(Sabotage::WithoutGuards) {
            &[]
        } else {
            &self.layout.table(table).partial
        }
    }

    fn partial_key(&self, table: &Table, partial: &Partial, value: Value<'_>, covered: Expression) -> Attributes {
        let name = partial.name(table);
        let columns = partial.columns.iter().map(|id| value(*id));
        self.named_guard_key(&name, columns.chain([covered]))
    }

    /// For the first rows: an item without a key where the row is not covered.
    pub(crate) fn partial_guard_of_row(&self, table: &Table, partial: &Partial, value: Value<'_>) -> Attributes {
        let null = Expression::Constant(base::Value::Null);
        let filter = condition(table, &partial.filter, value).unwrap_or(null.clone());
        // True or NULL, never false.
        let covered = Expression::binary(Operator::Or, filter, null);
        let key = self.partial_key(table, partial, value, covered);
        self.named_guard(&partial.name(table), key)
    }
}

impl Writer<'_, '_> {
    pub(crate) fn partial_guards(
        &mut self,
        id: TableId,
        work: &TableWork,
        steps: &mut Block,
        writes: &mut Vec<TransactedWrite>,
    ) {
        let scenario = self.assembly.scenario;
        let table = scenario.schema.table(id);
        for partial in self.site.partially_guarded(id) {
            let moves = partial.watched(table).iter().any(|id| work.assigned.contains(id));
            if !moves && !work.inserts && !work.deletes {
                continue;
            }
            for guard in [Guard::Take, Guard::Free] {
                let Some(each) = self.partial_keys(id, partial, guard, steps) else {
                    continue;
                };
                let value = |column: ColumnId| {
                    let place = partial.columns.iter().position(|known| *known == column).unwrap_or(0);
                    register(each.bind[place])
                };
                let covered = Expression::Constant(base::Value::Bool(true));
                let key = self.site.partial_key(table, partial, &value, covered);
                let (action, condition) = match guard {
                    Guard::Take => {
                        let item = self.site.named_guard(&partial.name(table), key);
                        let condition = self.must_be_new(table, &partial.columns, false);
                        (WriteAction::Put { item }, Some(condition))
                    }
                    Guard::Free => (WriteAction::Delete { key }, None),
                };
                writes.push(write_once(Some(each), ItemWrite { action, condition }));
            }
        }
    }

    fn partial_keys(&mut self, id: TableId, partial: &Partial, guard: Guard, steps: &mut Block) -> Option<EachRow> {
        let table = self.assembly.scenario.schema.table(id);
        let names = |name: &dyn Fn(&str) -> String| -> String {
            let names = partial
                .columns
                .iter()
                .map(|id| identifier(&name(&table.column(*id).name)));
            names.collect::<Vec<_>>().join(", ")
        };
        let (revision, gone) = (identifier(REVISION), identifier(GONE));
        let taken = format!(
            "SELECT {} FROM written.rows WHERE NOT {gone} AND ({})",
            names(&str::to_owned),
            print_expr(&partial.filter)
        );
        let freed = format!(
            "SELECT {} FROM written.rows WHERE {revision} IS NOT NULL AND ({})",
            names(&stored),
            partial.before(table)
        );
        let sql = match guard {
            Guard::Take => format!("{taken} EXCEPT ALL {freed}"),
            Guard::Free => format!("{freed} EXCEPT ALL {taken}"),
        };
        self.guard_values(id, &partial.columns, guard, &partial.name(table), &sql, steps)
    }
}
