//! Expressions of the catalog over one row: checks, conditions and keys of indexes; which index a conflict is about.

use std::sync::Arc;

use syntax::{Expr, ExprKind, Span};

use super::coerce::fitted;
use super::write::without_places;
use super::{Binder, Names};
use crate::catalog::{Column, Index, IndexKey, RowExpression, Table};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, Program};
use crate::types::CastContext;

/// Where an expression over a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowClause {
    Check,
    IndexCondition,
    IndexExpression,
    Generated,
    PartitionKey,
}

impl RowClause {
    /// `check constraints`
    fn plural(self) -> &'static str {
        match self {
            RowClause::Check => "check constraints",
            RowClause::IndexCondition => "index predicates",
            RowClause::IndexExpression => "index expressions",
            RowClause::Generated => "column generation expressions",
            RowClause::PartitionKey => "partition key expressions",
        }
    }

    fn no_aggregates(self) -> &'static str {
        match self {
            RowClause::Check => "aggregate functions are not allowed in check constraints",
            RowClause::IndexCondition => "aggregate functions are not allowed in index predicates",
            RowClause::IndexExpression => "aggregate functions are not allowed in index expressions",
            RowClause::PartitionKey => "aggregate functions are not allowed in partition key expressions",
            RowClause::Generated => "aggregate functions are not allowed in column generation expressions",
        }
    }

    /// Why it has to give the same at any time, if it has to.
    fn immutable(self) -> Option<&'static str> {
        match self {
            RowClause::Check => None,
            RowClause::IndexCondition => Some("functions in index predicate must be marked IMMUTABLE"),
            RowClause::PartitionKey => Some("functions in partition key expression must be marked IMMUTABLE"),
            RowClause::Generated => Some("generation expression is not immutable"),
            RowClause::IndexExpression => Some("functions in index expression must be marked IMMUTABLE"),
        }
    }
}

impl Binder<'_> {
    /// A condition over one table's row, for a constraint or a partial index.
    pub(crate) fn row_condition(
        names: Names<'_>,
        table: Arc<Table>,
        expression: &Expr,
        clause: RowClause,
    ) -> Fallible<RowExpression> {
        let words = match clause {
            RowClause::Check => "CHECK",
            _ => "WHERE",
        };
        Binder::over_row(names, table, expression, clause, |binder, bound| {
            binder.condition(bound, words)
        })
    }

    /// An expression over one table's row, its literals settled.
    pub(crate) fn row_expression(
        names: Names<'_>,
        table: Arc<Table>,
        expression: &Expr,
        clause: RowClause,
    ) -> Fallible<RowExpression> {
        Binder::over_row(names, table, expression, clause, |binder, bound| binder.settle(bound))
    }

    /// What a generated column is computed by.
    pub(crate) fn generated(
        names: Names<'_>,
        table: Arc<Table>,
        expression: &Expr,
        column: &Column,
    ) -> Fallible<RowExpression> {
        let generated = Binder::over_row(
            names,
            table.clone(),
            expression,
            RowClause::Generated,
            |binder, bound| {
                let (found, span) = (bound.data_type, bound.span);
                let cast = binder.try_coerce(bound, column.data_type, CastContext::Assignment)?;
                cast.map(|cast| fitted(cast, column.modifier, false)).ok_or_else(|| {
                    let message = format!(
                        "column \"{}\" is of type {} but default expression is of type {found}",
                        column.name,
                        column.data_type.name()
                    );
                    error(state::DATATYPE_MISMATCH, message)
                        .hint("You will need to rewrite or cast the expression.")
                        .at(span)
                })
            },
        )?;
        for read in &generated.columns {
            let other = &table.columns[usize::from(*read)];
            if other.generated().is_some() || other.name == column.name {
                let message = format!(
                    "cannot use generated column \"{}\" in column generation expression",
                    other.name
                );
                let refusal = error(state::INVALID_OBJECT_DEFINITION, message).at(place_of(&other.name, expression));
                return Err(if other.name == column.name {
                    refusal.detail("This would cause the generated column to depend on its own value.".to_owned())
                } else {
                    refusal.detail("A generated column cannot reference another generated column.".to_owned())
                });
            }
        }
        Ok(generated)
    }

    /// An expression of no columns, as a value of a type.
    pub(crate) fn constant_of(names: Names<'_>, expression: &Expr, data_type: base::Type) -> Fallible<Bound> {
        let mut binder = Binder::new(names);
        binder.push_scope(Vec::new());
        binder.scope().no_aggregates = Some("aggregate functions are not allowed in partition bound");
        let bound = binder.expression(expression)?;
        let found = bound.data_type;
        let cast = binder.try_coerce(bound, data_type, CastContext::Assignment)?;
        cast.filter(|cast| !cast.has_subquery()).ok_or_else(|| {
            let message = format!(
                "specified value cannot be cast from {found} to type {}",
                data_type.name()
            );
            error(state::DATATYPE_MISMATCH, message).at(expression.span)
        })
    }

    fn over_row(
        names: Names<'_>,
        table: Arc<Table>,
        expression: &Expr,
        clause: RowClause,
        finish: impl FnOnce(&mut Binder<'_>, Bound) -> Fallible<Bound>,
    ) -> Fallible<RowExpression> {
        let mut binder = Binder::new(names);
        let number = binder.range_table(table);
        // Slot n is column n.
        binder.all_slots(number);
        let item = binder.table_item(number, None)?;
        binder.push_scope(vec![item]);
        binder.scope().no_aggregates = Some(clause.no_aggregates());
        let bound = binder.expression(expression)?;
        if bound.has_subquery() {
            let words = clause.plural().trim_end_matches('s');
            let message = format!("cannot use subquery in {words}");
            return Err(error(state::FEATURE_NOT_SUPPORTED, message).at(expression.span));
        }
        if let (Some(message), false) = (clause.immutable(), bound.is_immutable()) {
            return Err(error(state::INVALID_OBJECT_DEFINITION, message));
        }
        if !binder.tables[number].system.is_empty() {
            let message = format!("a system column in {}", clause.plural());
            return Err(unsupported(message).at(expression.span));
        }
        let bound = without_places(finish(&mut binder, bound)?);
        let mut slots = Vec::new();
        bound.slots(&mut slots);
        slots.sort_unstable();
        slots.dedup();
        Ok(RowExpression {
            expression: expression.clone(),
            program: Program::new(&bound),
            bound,
            columns: slots.into_iter().map(|slot| slot as u16).collect(),
        })
    }

    /// The unique indexes whose conflict the clause is about.
    pub(super) fn arbiters(&self, clause: &syntax::OnConflict, table: &Arc<Table>) -> Fallible<Vec<usize>> {
        if let Some(constraint) = &clause.constraint {
            let found = table
                .indexes
                .iter()
                .position(|index| index.constraint && index.name == constraint.text);
            return found.map(|at| vec![at]).ok_or_else(|| {
                let message = format!(
                    "constraint \"{}\" for table \"{}\" does not exist",
                    constraint.text, table.name
                );
                error(state::UNDEFINED_OBJECT, message).at(constraint.span)
            });
        }
        if clause.target.is_empty() {
            return Ok(Vec::new());
        }
        let (mut columns, mut expressions) = (Vec::new(), Vec::new());
        for target in &clause.target {
            match &target.kind {
                ExprKind::Column(names) => {
                    let name = names.last().map_or("", |name| &*name.text);
                    columns.push(table.column(name).ok_or_else(|| {
                        let message = format!("column \"{name}\" does not exist");
                        error(state::UNDEFINED_COLUMN, message).at(target.span)
                    })?);
                }
                _ => {
                    let clause = RowClause::IndexExpression;
                    expressions.push(Binder::row_expression(self.names, table.clone(), target, clause)?.bound);
                }
            }
        }
        let mut given = Vec::new();
        if let Some(filter) = &clause.target_filter {
            let clause = RowClause::IndexCondition;
            let filter = Binder::row_condition(self.names, table.clone(), filter, clause)?;
            filter.bound.conjuncts(&mut given);
        }
        let found: Vec<usize> = (0..table.indexes.len())
            .filter(|at| is_arbiter(&table.indexes[*at], &columns, &expressions, &given))
            .collect();
        if found.is_empty() {
            return Err(error(
                state::INVALID_COLUMN_REFERENCE,
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            ));
        }
        Ok(found)
    }
}

/// Where an expression names a column.
fn place_of(column: &str, expression: &Expr) -> Span {
    let mut place = None;
    syntax::visit::exprs_of(expression, &mut |part: &Expr| {
        if let ExprKind::Column(names) = &part.kind
            && names.last().is_some_and(|name| &*name.text == column)
        {
            place.get_or_insert(part.span);
        }
    });
    place.unwrap_or(expression.span)
}

/// Whether a unique index has exactly these keys, and holds all rows for which the conditions hold.
fn is_arbiter(index: &Index, columns: &[u16], expressions: &[Bound], given: &[Bound]) -> bool {
    let has_part = |part: &IndexKey| match part {
        IndexKey::Column(column) => columns.contains(column),
        IndexKey::Expression(expression) => expressions.contains(&expression.bound),
    };
    let has_expression = |wanted: &Bound| {
        index
            .columns
            .iter()
            .any(|part| matches!(&part.key, IndexKey::Expression(found) if found.bound == *wanted))
    };
    index.unique
        && index.columns.iter().all(|part| has_part(&part.key))
        && columns.iter().all(|column| index.covers(*column))
        && expressions.iter().all(has_expression)
        && index
            .filter
            .as_ref()
            .is_none_or(|filter| filter.bound.follows_from(given))
}
