//! From a statement's tree to its plan.

use std::sync::Arc;

use syntax::Statement;

use crate::OutputColumn;
use crate::bind::{Arguments, Binder, BoundQuery, BoundStatement, Names, RangeTable};
use crate::error::Fallible;
use crate::plan::{
    Node, Placement, Plan, QueryPlan, Referencing, Root, Written, plan_delete, plan_insert, plan_query, plan_update,
};
use crate::storage::{LockMode, RelationId};

/// The plan of a query or a write; `None` for statements that have none.
pub(crate) fn plan(statement: &Statement, names: Names<'_>) -> Fallible<Option<Plan>> {
    plan_with(statement, names, Arguments::default())
}

/// As a statement of a function with these arguments.
pub(crate) fn plan_with(statement: &Statement, names: Names<'_>, arguments: Arguments) -> Fallible<Option<Plan>> {
    let mut binder = Binder::new(names).within_function(arguments);
    let Some(bound) = binder.statement(statement)? else {
        return Ok(None);
    };
    binder.apply_row_security()?;
    binder.check_privileges()?;
    binder.expand_members();
    let root = |statement: &BoundStatement| plan_root(statement, &binder.tables, names);
    let commons: Vec<Root> = binder.commons.iter().map(|common| root(&common.statement)).collect();
    let subqueries = plan_subqueries(&binder.subqueries, &binder.tables);
    let own = root(&bound);
    let nodes = commons.iter().chain([&own]).filter_map(Root::node);
    let nodes = nodes.chain(subqueries.iter().map(|query| &query.node));
    let locks = locks(&binder, nodes);
    let columns = bound.output().into_iter().map(|target| OutputColumn {
        name: target.name,
        data_type: target.data_type.settled(),
    });
    Ok(Some(Plan {
        root: own,
        commons,
        subqueries,
        params: binder.param_types(),
        locks,
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

/// The tables that are named, in that order, then the members that are read, locked alike.
fn locks<'n>(binder: &Binder<'_>, nodes: impl Iterator<Item = &'n Node>) -> Vec<(RelationId, LockMode)> {
    let mut members = Vec::new();
    nodes.for_each(|node| node.members(&mut members));
    let mut locks = binder.locks.clone();
    for (member, root) in members {
        let (member, root) = (binder.tables[member].table.id, binder.tables[root].table.id);
        let mode = binder
            .locks
            .iter()
            .find(|(table, _)| *table == root)
            .map(|(_, mode)| *mode);
        let mode = mode.unwrap_or(syntax::LockMode::AccessShare);
        match locks.iter_mut().find(|(table, _)| *table == member) {
            Some((_, held)) => *held = (*held).max(mode),
            None => locks.push((member, mode)),
        }
    }
    locks.iter().map(|(table, mode)| (*table, lock_mode(*mode))).collect()
}

fn plan_root(statement: &BoundStatement, tables: &[RangeTable], names: Names<'_>) -> Root {
    let written = |table: usize, places: bool| {
        let target = &tables[table];
        let placement = if places {
            Placement::of(&target.table, names)
        } else {
            None
        };
        let mut reached = vec![&target.table];
        reached.extend(target.members.iter().map(|member| &tables[member.table].table));
        if let Some(placement) = &placement {
            placement.leaves(&mut reached);
        }
        reached.sort_by_key(|table| table.id);
        reached.dedup_by_key(|table| table.id);
        Written {
            referencing: Referencing::new(reached.into_iter(), names),
            placement,
        }
    };
    match statement {
        BoundStatement::Query(query) => Root::Query(plan_query(query, false, tables)),
        BoundStatement::Insert(insert) => {
            Root::Insert(Box::new(plan_insert(insert, tables, written(insert.table, true))))
        }
        BoundStatement::Update(update) => {
            Root::Update(Box::new(plan_update(update, tables, written(update.table, true))))
        }
        BoundStatement::Delete(delete) => {
            Root::Delete(Box::new(plan_delete(delete, tables, written(delete.table, false))))
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
