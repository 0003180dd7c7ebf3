//! What predicates, keys of earlier fetches and foreign keys say about the rows that a statement looks for.

use std::collections::BTreeMap;

use scenario::{ColumnId, Schema, TableId};
use syntax::{BinaryOperator, Expr, ExprKind, OnConflict, ReferentialAction, Statement};

use super::reading::uniques;
use crate::composition::analysis::is_constant;
use crate::composition::plan::Fetch;

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
