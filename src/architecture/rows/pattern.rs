//! Access patterns: by which columns the operations look rows up. Keys are chosen, or judged, for these.

use std::collections::BTreeSet;

use base::Type;
use scenario::{Action, ColumnId, Operation, Scenario, TableId};
use syntax::Statement;

use super::bindings::{bindings, conflict_keys, deleted_with, key_source};
use super::reading;
use crate::composition::plan::plan;
use crate::lower::item::Item;

/// One way in which an operation looks for rows of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    pub(crate) table: TableId,
    /// Columns whose values are known.
    pub(crate) equal: BTreeSet<ColumnId>,
    /// Columns with a lower or an upper bound.
    pub(crate) ranges: BTreeSet<ColumnId>,
    pub(crate) weight: u32,
    /// `user_with_roles`
    pub(crate) operation: String,
    /// It is known whose rows these are.
    pub(crate) of_tenant: bool,
    /// The operation writes: what it reads should be the latest.
    pub(crate) decides: bool,
}

/// All patterns of all operations but those that nobody has planned for.
pub(crate) fn patterns(scenario: &Scenario, unplanned: &[String]) -> Vec<Pattern> {
    let mut found = Vec::new();
    let planned = |operation: &&Operation| !unplanned.contains(&operation.name);
    for operation in scenario.operations.iter().filter(planned) {
        for item in Item::all(operation) {
            if let Action::Sql(sql) = &item.statement.action {
                of_statement(scenario, operation, sql, &mut found);
            }
        }
    }
    found
}

fn of_statement(scenario: &Scenario, operation: &Operation, sql: &Statement, found: &mut Vec<Pattern>) {
    let schema = &scenario.schema;
    let mut note = |table: TableId, equal: BTreeSet<ColumnId>, ranges: BTreeSet<ColumnId>| {
        let tenant = schema.table(table).tenant;
        found.push(Pattern {
            table,
            of_tenant: operation.tenant.is_some() || tenant.is_some_and(|tenant| equal.contains(&tenant)),
            equal,
            ranges,
            weight: operation.weight,
            operation: operation.name.clone(),
            decides: !operation.read_only,
        });
    };
    if let Some(query) = reading::query(schema, sql, false, Type::Bool) {
        for fetch in &plan(schema, &query, |table| table.0).fetches {
            let keys = key_source(fetch).map(|(_, columns)| columns).unwrap_or_default();
            for predicates in &fetch.alternatives {
                let bindings = bindings(schema, fetch.table, predicates);
                let mut equal: BTreeSet<ColumnId> = bindings.equal.keys().copied().collect();
                if keys.is_empty() {
                    equal.extend(bindings.one_of.keys().take(1));
                }
                equal.extend(keys.keys());
                note(fetch.table, equal, bindings.ranges.keys().copied().collect());
            }
        }
    }
    let Some(target) = reading::target(schema, sql) else {
        return;
    };
    for columns in conflict_keys(schema, sql) {
        note(target, columns.into_iter().collect(), BTreeSet::new());
    }
    if let Statement::Delete(_) = sql {
        for (child, key, _) in deleted_with(schema, target) {
            let columns = &schema.table(child).foreign_keys[key].columns;
            note(child, columns.iter().copied().collect(), BTreeSet::new());
        }
    }
}

/// The tables of which some operation deletes rows, cascades included.
pub(crate) fn deleted_from(scenario: &Scenario) -> BTreeSet<TableId> {
    let schema = &scenario.schema;
    let mut found = BTreeSet::new();
    for statement in scenario.operations.iter().flat_map(|operation| &operation.statements) {
        if let Action::Sql(sql) = &statement.action
            && let (Statement::Delete(_), Some(target)) = (&**sql, reading::target(schema, sql))
        {
            found.insert(target);
            found.extend(deleted_with(schema, target).iter().map(|(_, _, parent)| *parent));
        }
    }
    found
}
