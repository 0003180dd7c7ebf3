//! Inserts whose values are known before anything is read: the transaction takes them as they are, without a detour
//! through rows in memory.

use std::collections::{BTreeMap, BTreeSet};

use program::{Block, ErrorClass, Expression};
use scenario::{ColumnId, TableId};
use syntax::{Expr, InsertSource, QueryBody, Statement};

use super::bindings::deleted_with;
use super::check;
use super::operation::Writer;
use super::reading;
use super::work::DirectInsert;
use crate::lower::item::Item;
use crate::rows::value::inserted_value;

/// The checks that must be made; `None`: it must be computed as a query.
pub(crate) fn insert(writer: &mut Writer<'_, '_>, items: &[Item], item: &Item) -> Option<Block> {
    let scenario = writer.assembly.scenario;
    let schema = &scenario.schema;
    let Some(Statement::Insert(insert)) = item.sql() else {
        return None;
    };
    let id = schema.find(&insert.table)?;
    let table = schema.table(id);
    let InsertSource::Query(source) = &insert.source else {
        return None;
    };
    let QueryBody::Values(rows) = &source.body else {
        return None;
    };
    let counted = item
        .statement
        .expect_rows
        .is_none_or(|expected| expected == rows.len() as u64);
    let plain = insert.on_conflict.is_none() && insert.returning.is_none() && counted;
    // Which rows a partial index covers is looked up among the rows that are written.
    let covered = !writer.site.partially_guarded(id).is_empty();
    if !plain || covered || table.primary_key.is_empty() || !only_inserted(writer, items, id) {
        return None;
    }
    let mut inserts = Vec::new();
    let mut tests: Vec<(Expression, String)> = Vec::new();
    for row in rows {
        let given = reading::given(table, insert, row);
        let mut exprs: BTreeMap<ColumnId, Expr> = BTreeMap::new();
        let mut values: BTreeMap<ColumnId, Expression> = BTreeMap::new();
        for column in reading::ids(table) {
            let expr = given
                .get(&column)
                .map_or_else(|| reading::default(table, column), |expr| (*expr).clone());
            values.insert(
                column,
                inserted_value(&mut writer.builder, table.column(column), &expr)?,
            );
            exprs.insert(column, expr);
        }
        let nullable: BTreeSet<ColumnId> = exprs
            .iter()
            .filter(|(_, expr)| !check::never_null(scenario, writer.operation, expr))
            .map(|(column, _)| *column)
            .collect();
        let of = |column: ColumnId| (exprs[&column].clone(), values[&column].clone());
        tests.extend(check::direct(&mut writer.builder, table, &of, &nullable)?);
        inserts.push(DirectInsert { table: id, values });
    }
    writer.work.direct.extend(inserts);
    let mut steps = Block::new();
    for (test, message) in tests {
        let fail = writer.builder.fail(ErrorClass::Refused, Expression::text(&message));
        let step = writer
            .builder
            .when(format!("check {}", table.full_name()), test, vec![fail]);
        writer.builder.set_source(step, item.index);
        steps.push(step);
    }
    Some(steps)
}

/// Does nothing in the operation but such inserts concern the table?
fn only_inserted(writer: &Writer<'_, '_>, items: &[Item], id: TableId) -> bool {
    let schema = &writer.assembly.scenario.schema;
    items.iter().all(|item| {
        let cascades = match item.sql() {
            Some(sql @ Statement::Delete(_)) => reading::target(schema, sql).is_some_and(|target| {
                target == id || deleted_with(schema, target).iter().any(|(child, _, _)| *child == id)
            }),
            _ => false,
        };
        let simple = match item.sql() {
            Some(Statement::Insert(insert)) if item.statement.writes.contains(&id) => {
                let InsertSource::Query(source) = &insert.source else {
                    return false;
                };
                matches!(source.body, QueryBody::Values(_)) && insert.on_conflict.is_none()
            }
            _ => !item.statement.writes.contains(&id),
        };
        simple && !cascades && !item.statement.reads.contains(&id)
    })
}
