//! `INSERT … ON CONFLICT` as queries over the new rows and what is there already.

use std::collections::BTreeSet;

use scenario::{ColumnId, Table};
use syntax::{ConflictAction, Expr, Insert, Statement, identifier};

use super::qualified_list;
use super::reading::{GONE, REVISION, cast_to, ids, stored, tracked, written_names};
use crate::sql::Text;

/// The columns that ON CONFLICT DO UPDATE assigns.
pub(crate) fn conflict_assigned(table: &Table, sql: &Statement) -> BTreeSet<ColumnId> {
    match sql {
        Statement::Insert(insert) => match insert.on_conflict.as_ref().map(|conflict| &conflict.action) {
            Some(ConflictAction::Update { assignments, .. }) => assignments
                .iter()
                .filter_map(|assignment| table.find(assignment.column.as_str()))
                .collect(),
            _ => BTreeSet::new(),
        },
        _ => BTreeSet::new(),
    }
}

/// `c.a = t.a AND …`
fn same(table: &Table, columns: &[ColumnId], left: &str, right: &str) -> String {
    let equal = columns.iter().map(|id| {
        let name = identifier(&table.column(*id).name);
        format!("{left}.{name} = {right}.{name}")
    });
    equal.collect::<Vec<_>>().join(" AND ")
}

/// The new rows without those that are there.
pub(crate) fn nothing_to_do(table: &Table, columns: &[ColumnId]) -> Text {
    let list = qualified_list("c", written_names(table).iter().map(String::as_str));
    let own = crate::sql::text::qualified(&table.schema, &table.name);
    Text::new(format!(
        "SELECT {list} FROM changed.rows AS c WHERE NOT EXISTS (SELECT 1 FROM {own} AS t WHERE {})",
        same(table, columns, "c", "t")
    ))
}

/// The new rows, and instead of those that are there, what becomes of these.
pub(crate) fn conflict_update(
    table: &Table,
    columns: &[ColumnId],
    insert: &Insert,
    assignments: &[syntax::Assignment],
    filter: Option<&Expr>,
    overlaid: bool,
) -> Text {
    let own = crate::sql::text::qualified(&table.schema, &table.name);
    let (alias, qualifier) = match &insert.alias {
        Some(alias) => (
            format!(" AS {}", identifier(alias.as_str())),
            identifier(alias.as_str()),
        ),
        None => (String::new(), own.clone()),
    };
    let mut text = nothing_to_do(table, columns);
    text.push(" UNION ALL SELECT ");
    text.list(ids(table), ", ", |text, id| {
        let column = table.column(id);
        match assignments
            .iter()
            .find(|assignment| assignment.column.as_str() == column.name)
        {
            Some(assignment) => text.expr(&cast_to(assignment.value.clone(), column)),
            None => text.push(&format!("{qualifier}.{}", identifier(&column.name))),
        };
    });
    text.push(&format!(", {qualifier}.{}", identifier(REVISION)));
    for id in tracked(table) {
        let name = &table.column(id).name;
        let source = if overlaid { stored(name) } else { name.clone() };
        text.push(&format!(", {qualifier}.{}", identifier(&source)));
    }
    text.push(&format!(
        ", false AS {} FROM {own}{alias} JOIN changed.rows AS excluded ON {}",
        identifier(GONE),
        same(table, columns, "excluded", &qualifier)
    ));
    if let Some(filter) = filter {
        text.push(" WHERE ").expr(filter);
    }
    text
}
