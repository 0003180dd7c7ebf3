//! From a statement's tree to its plan.

use std::sync::Arc;

use syntax::Statement;

use crate::OutputColumn;
use crate::bind::{Binder, BoundQuery, BoundStatement, Names, RangeTable};
use crate::error::Fallible;
use crate::plan::{Plan, QueryPlan, Root, plan_delete, plan_insert, plan_query, plan_update};
use crate::storage::LockMode;

/// The plan of a query or a write; `None` for statements that have none.
pub(crate) fn plan(statement: &Statement, names: Names<'_>) -> Fallible<Option<Plan>> {
    let mut binder = Binder::new(names);
    let Some(bound) = binder.statement(statement)? else {
        return Ok(None);
    };
    binder.apply_row_security()?;
    binder.check_privileges()?;
    let root = |statement: &BoundStatement| plan_root(statement, &binder.tables, names);
    let commons = binder.commons.iter().map(|common| root(&common.statement));
    let columns = bound.output().into_iter().map(|target| OutputColumn {
        name: target.name,
        data_type: target.data_type.settled(),
    });
    Ok(Some(Plan {
        root: root(&bound),
        commons: commons.collect(),
        subqueries: plan_subqueries(&binder.subqueries, &binder.tables),
        params: binder.param_types(),
        locks: binder
            .locks
            .iter()
            .map(|(table, mode)| (*table, lock_mode(*mode)))
            .collect(),
        slots: binder.slot_count(),
        columns: columns.collect::<Arc<[_]>>(),
        verb: match bound {
            BoundStatement::Query(_) => "SELECT",
            BoundStatement::Insert(_) => "INSERT",
            BoundStatement::Update(_) => "UPDATE",
            BoundStatement::Delete(_) => "DELETE",
        },
        tables: binder.tables,
    }))
}

fn plan_root(statement: &BoundStatement, tables: &[RangeTable], names: Names<'_>) -> Root {
    let referencing = |table: usize| names.catalog.referencing(&tables[table].table, names.own);
    match statement {
        BoundStatement::Query(query) => Root::Query(plan_query(query, false, tables)),
        BoundStatement::Insert(insert) => {
            Root::Insert(Box::new(plan_insert(insert, tables, referencing(insert.table))))
        }
        BoundStatement::Update(update) => {
            Root::Update(Box::new(plan_update(update, tables, referencing(update.table))))
        }
        BoundStatement::Delete(delete) => {
            Root::Delete(Box::new(plan_delete(delete, tables, referencing(delete.table))))
        }
    }
}

fn plan_subqueries(subqueries: &[(BoundQuery, bool)], tables: &[RangeTable]) -> Vec<QueryPlan> {
    subqueries
        .iter()
        .map(|(query, correlated)| plan_query(query, *correlated, tables))
        .collect()
}

pub(crate) fn lock_mode(mode: syntax::LockMode) -> LockMode {
    match mode {
        syntax::LockMode::AccessShare => LockMode::AccessShare,
        syntax::LockMode::RowShare => LockMode::RowShare,
        syntax::LockMode::RowExclusive => LockMode::RowExclusive,
        syntax::LockMode::ShareUpdateExclusive => LockMode::ShareUpdateExclusive,
        syntax::LockMode::Share => LockMode::Share,
        syntax::LockMode::ShareRowExclusive => LockMode::ShareRowExclusive,
        syntax::LockMode::Exclusive => LockMode::Exclusive,
        syntax::LockMode::AccessExclusive => LockMode::AccessExclusive,
    }
}
