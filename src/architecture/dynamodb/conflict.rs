//! `INSERT … ON CONFLICT`: what is there already is looked for, and leaves the new rows or changes.

use program::{Block, ComposeTable, Into, RegisterId, Role};
use scenario::{ColumnId, TableId};
use syntax::{ConflictAction, Insert, Statement};

use super::bindings;
use super::fetch::source_columns;
use super::operation::Writer;
use super::work::{rows_table, written_columns};
use crate::lower::builder::Mark;
use crate::lower::item::Refused;
use crate::lower::statement;
use crate::rows::conflict::{conflict_update, nothing_to_do};

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
        for columns in bindings::conflict_keys(schema, &sql) {
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
