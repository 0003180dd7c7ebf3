//! Access patterns: by which columns the operations look rows up. Keys and indexes are chosen for these.

use std::collections::{BTreeMap, BTreeSet};

use scenario::{Action, ColumnId, Operation, Scenario, Schema, TableId};
use syntax::{BinaryOperator, Expr, ExprKind, OnConflict, ReferentialAction, Statement};

use super::reading::{self, uniques};
use crate::composition::analysis::is_constant;
use crate::composition::plan::{Fetch, plan};
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

/// A predicate of its own kind on one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: Option<Expr>,
    pub(crate) high: Option<Expr>,
}

/// What the predicates of one appearance of a table say about its columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bindings {
    pub(crate) equal: BTreeMap<ColumnId, Expr>,
    /// One of several values.
    pub(crate) one_of: BTreeMap<ColumnId, Vec<Expr>>,
    pub(crate) ranges: BTreeMap<ColumnId, Bounds>,
}

pub(crate) fn bindings(schema: &Schema, table: TableId, predicates: &[Expr]) -> Bindings {
    let table = schema.table(table);
    let column = |expr: &Expr| match &expr.kind {
        ExprKind::Column(path) => path.last().and_then(|name| table.find(name.as_str())),
        _ => None,
    };
    let mut bindings = Bindings::default();
    for predicate in predicates {
        match &predicate.kind {
            ExprKind::Binary { operator, left, right } => {
                let (found, operator, value) = match (column(left), column(right)) {
                    (Some(id), None) if is_constant(right) => (id, *operator, right),
                    (None, Some(id)) if is_constant(left) => (id, mirrored(*operator), left),
                    _ => continue,
                };
                bindings.note(found, operator, value);
            }
            ExprKind::Between {
                operand,
                low,
                high,
                negated: false,
            } => {
                if let (Some(id), true) = (column(operand), is_constant(low) && is_constant(high)) {
                    bindings.note(id, BinaryOperator::GreaterOrEqual, low);
                    bindings.note(id, BinaryOperator::LessOrEqual, high);
                }
            }
            ExprKind::In {
                operand,
                list,
                negated: false,
            } => {
                if let (Some(id), true) = (column(operand), list.iter().all(is_constant)) {
                    bindings.one_of.entry(id).or_insert_with(|| list.clone());
                }
            }
            _ => {}
        }
    }
    bindings
}

impl Bindings {
    fn note(&mut self, column: ColumnId, operator: BinaryOperator, value: &Expr) {
        let value = value.clone();
        match operator {
            BinaryOperator::Equal => {
                self.equal.entry(column).or_insert(value);
            }
            BinaryOperator::Greater | BinaryOperator::GreaterOrEqual => {
                self.ranges.entry(column).or_default().low.get_or_insert(value);
            }
            BinaryOperator::Less | BinaryOperator::LessOrEqual => {
                self.ranges.entry(column).or_default().high.get_or_insert(value);
            }
            _ => {}
        }
    }
}

/// `5 < x` is `x > 5`.
fn mirrored(operator: BinaryOperator) -> BinaryOperator {
    match operator {
        BinaryOperator::Less => BinaryOperator::Greater,
        BinaryOperator::LessOrEqual => BinaryOperator::GreaterOrEqual,
        BinaryOperator::Greater => BinaryOperator::Less,
        BinaryOperator::GreaterOrEqual => BinaryOperator::LessOrEqual,
        other => other,
    }
}

/// The earlier fetch whose rows give keys, and the columns that they give.
pub(crate) fn key_source(fetch: &Fetch) -> Option<(usize, BTreeMap<ColumnId, u16>)> {
    let mut sources: BTreeMap<usize, BTreeMap<ColumnId, u16>> = BTreeMap::new();
    for keys in &fetch.keys {
        sources
            .entry(keys.from)
            .or_default()
            .insert(keys.column, keys.from_column);
    }
    // The first of those that give most.
    sources.into_iter().rev().max_by_key(|(_, columns)| columns.len())
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
    if let Some(query) = reading::query(schema, sql, false) {
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

/// The keys by which an INSERT … ON CONFLICT looks for rows that are there.
pub(crate) fn conflict_keys(schema: &Schema, sql: &Statement) -> Vec<Vec<ColumnId>> {
    let Statement::Insert(insert) = sql else {
        return Vec::new();
    };
    let (Some(conflict), Some(id)) = (&insert.on_conflict, schema.find(&insert.table)) else {
        return Vec::new();
    };
    let table = schema.table(id);
    match conflict {
        conflict if !conflict.target.is_empty() => {
            vec![
                conflict
                    .columns()
                    .filter_map(|name| table.find(name.as_str()))
                    .collect(),
            ]
        }
        OnConflict {
            constraint: Some(name), ..
        } => {
            let named = table
                .unique
                .iter()
                .find(|unique| unique.name.as_deref() == Some(name.as_str()));
            vec![named.map_or_else(|| table.primary_key.clone(), |unique| unique.columns.clone())]
        }
        _ => [vec![table.primary_key.clone()], uniques(table)].concat(),
    }
}

/// Every table and foreign key (its place in that table) that is concerned when rows of `target` are
/// deleted, those first that refer to it directly; each with the table that it refers to.
pub(crate) fn deleted_with(schema: &Schema, target: TableId) -> Vec<(TableId, usize, TableId)> {
    let mut found: Vec<(TableId, usize, TableId)> = Vec::new();
    let mut gone = vec![target];
    let mut next = 0;
    while let Some(parent) = gone.get(next).copied() {
        next += 1;
        for child in schema.ids() {
            for (index, key) in schema.table(child).foreign_keys.iter().enumerate() {
                if key.table != parent {
                    continue;
                }
                found.push((child, index, parent));
                if key.on_delete == ReferentialAction::Cascade && !gone.contains(&child) {
                    gone.push(child);
                }
            }
        }
    }
    found
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
