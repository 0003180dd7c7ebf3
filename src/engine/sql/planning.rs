//! From a statement's tree to its plan.

use std::sync::Arc;

use syntax::Statement;

use crate::OutputColumn;
use crate::bind::{Binder, BoundDelete, BoundInsert, BoundQuery, BoundUpdate, Names, RangeTable, Target};
use crate::error::Fallible;
use crate::plan::{Plan, QueryPlan, Root, plan_delete, plan_insert, plan_query, plan_update};
use crate::storage::LockMode;

/// A statement whose names are known; policies may still add to its tables.
enum BoundStatement {
    Query(BoundQuery),
    Insert(Box<BoundInsert>),
    Update(BoundUpdate),
    Delete(BoundDelete),
}

/// The plan of a query or a write; `None` for statements that have none.
pub(crate) fn plan(statement: &Statement, names: Names<'_>) -> Fallible<Option<Plan>> {
    let mut binder = Binder::new(names);
    let bound = match statement {
        Statement::Query(query) => BoundStatement::Query(binder.query(query)?),
        Statement::Insert(insert) => BoundStatement::Insert(Box::new(binder.insert(insert)?)),
        Statement::Update(update) => BoundStatement::Update(binder.update(update)?),
        Statement::Delete(delete) => BoundStatement::Delete(binder.delete(delete)?),
        _ => return Ok(None),
    };
    binder.apply_row_security()?;
    binder.check_privileges()?;
    let tables = &binder.tables;
    let (root, targets, verb): (Root, Vec<Target>, &'static str) = match bound {
        BoundStatement::Query(query) => (Root::Query(plan_query(&query, false, tables)), query.output, "SELECT"),
        BoundStatement::Insert(insert) => {
            let root = Root::Insert(Box::new(plan_insert(&insert, tables)));
            (root, targets_of(insert.returning), "INSERT")
        }
        BoundStatement::Update(update) => {
            let root = Root::Update(Box::new(plan_update(&update, tables)));
            (root, targets_of(update.returning), "UPDATE")
        }
        BoundStatement::Delete(delete) => {
            let root = Root::Delete(Box::new(plan_delete(&delete, tables)));
            (root, targets_of(delete.returning), "DELETE")
        }
    };
    let subqueries = plan_subqueries(&binder.subqueries, &binder.tables);
    let referencing = match &root {
        Root::Query(_) => Vec::new(),
        Root::Insert(plan) => names.catalog.referencing(&binder.tables[plan.table].table, names.own),
        Root::Update(plan) => names.catalog.referencing(&binder.tables[plan.table].table, names.own),
        Root::Delete(plan) => names.catalog.referencing(&binder.tables[plan.table].table, names.own),
    };
    let columns = targets.iter().map(|target| OutputColumn {
        name: target.name.clone(),
        data_type: target.data_type.settled(),
    });
    Ok(Some(Plan {
        root,
        subqueries,
        referencing,
        params: binder.param_types(),
        locks: binder
            .locks
            .iter()
            .map(|(table, mode)| (*table, lock_mode(*mode)))
            .collect(),
        slots: binder.slot_count(),
        columns: columns.collect::<Arc<[_]>>(),
        verb,
        tables: binder.tables,
    }))
}

fn targets_of(returning: Vec<(Target, crate::expr::Bound)>) -> Vec<Target> {
    returning.into_iter().map(|(target, _)| target).collect()
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
