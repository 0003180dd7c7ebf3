//! `INSERT … ON CONFLICT`: what is there already is looked for, and leaves the new rows or changes.

use std::collections::BTreeSet;

use program::{Block, ComposeTable, Into, RegisterId, Role};
use scenario::{ColumnId, Table, TableId};
use syntax::{ConflictAction, Expr, Insert, Statement, identifier};

use super::fetch::source_columns;
use super::operation::Writer;
use super::pattern;
use super::reading::{GONE, REVISION, cast_to, stored, tracked, written_columns};
use super::work::rows_table;
use crate::lower::builder::Mark;
use crate::lower::item::Refused;
use crate::lower::statement;
use crate::sql::Text;

impl Writer<'_, '_> {
    /// What is there already leaves the new rows, or changes.
    pub(crate) fn on_conflict(
        &mut self,
        index: u16,
        id: TableId,
        insert: &Insert,
        changes: RegisterId,
    ) -> Result<Block, Refused> {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let table = schema.table(id);
        let Some(conflict) = &insert.on_conflict else {
            return Ok(Block::new());
        };
        let sql = Statement::Insert(Box::new(insert.clone()));
        let mut steps = Block::new();
        for columns in pattern::conflict_keys(schema, &sql) {
            let there = self
                .builder
                .rows(&format!("rows of {} that are there", table.full_name()));
            let source = rows_table("changed.rows", written_columns(table), changes);
            steps.extend(self.rows_like(index, id, &columns, source, there));
            let text = match &conflict.action {
                ConflictAction::Nothing => nothing_to_do(table, &columns),
                ConflictAction::Update { assignments, filter } => {
                    conflict_update(table, &columns, insert, assignments, filter.as_ref(), self.work.has(id))
                }
            };
            let own = table.full_name();
            let seen = source_columns(table, &self.work, id);
            let sources = vec![
                rows_table("changed.rows", written_columns(table), changes),
                rows_table(&own, seen, there),
            ];
            let mark = Mark::new(format!("{own}: what is there already"), Role::Work).from(index);
            steps.push(statement::compose(
                &mut self.builder,
                mark,
                sources,
                &text,
                Into::Rows(changes),
            ));
        }
        Ok(steps)
    }

    /// The rows of a table that have the same values in some columns as those of a row set.
    fn rows_like(
        &mut self,
        index: u16,
        id: TableId,
        columns: &[ColumnId],
        source: ComposeTable,
        into: RegisterId,
    ) -> Block {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let table = schema.table(id);
        let pairs: Vec<(ColumnId, String)> = columns.iter().map(|id| (*id, table.column(*id).name.clone())).collect();
        let tenant = self.site.layout.table(id).tenant;
        let tenant = tenant.map(|tenant| (tenant, table.column(tenant).name.clone()));
        let pairs = pairs
            .into_iter()
            .chain(tenant.filter(|(tenant, _)| !columns.contains(tenant)))
            .collect::<Vec<_>>();
        self.rows_with(index, schema, id, &pairs, source, "true", into)
    }
}

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
fn nothing_to_do(table: &Table, columns: &[ColumnId]) -> Text {
    let list = super::work::qualified_list("c", written_columns(table).iter().map(|(name, _)| name.as_str()));
    let own = crate::sql::text::qualified(&table.schema, &table.name);
    Text::new(format!(
        "SELECT {list} FROM changed.rows AS c WHERE NOT EXISTS (SELECT 1 FROM {own} AS t WHERE {})",
        same(table, columns, "c", "t")
    ))
}

/// The new rows, and instead of those that are there, what becomes of these.
fn conflict_update(
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
    text.list(super::reading::ids(table), ", ", |text, id| {
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
