//! Rows that refer to a deleted one: deleted too, made NULL, or in the way.

use std::collections::BTreeSet;

use program::{Block, ErrorClass, Expression, Into, Operator, RegisterId, Role};
use scenario::{ColumnId, ForeignKey, TableId};
use syntax::{ReferentialAction, identifier};

use super::operation::Writer;
use super::reading::GONE;
use super::work::{Change, rows_table, written_columns};
use crate::lower::builder::Mark;
use crate::lower::item::Refused;
use crate::lower::statement;
use crate::rows::cascade::changed_with;
use crate::rows::check::still_referred_message;

impl Writer<'_, '_> {
    /// What refers to the rows that a statement has deleted: deleted too, made NULL, or in the way.
    pub(crate) fn delete_with(
        &mut self,
        index: u16,
        parent: TableId,
        deleted: RegisterId,
        path: &mut Vec<TableId>,
    ) -> Result<Block, Refused> {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let mut steps = Block::new();
        for child in schema.ids() {
            for key in schema
                .table(child)
                .foreign_keys
                .iter()
                .filter(|key| key.table == parent)
            {
                steps.extend(self.delete_referring(index, parent, deleted, child, key, path)?);
            }
        }
        Ok(steps)
    }

    fn delete_referring(
        &mut self,
        index: u16,
        parent: TableId,
        deleted: RegisterId,
        child: TableId,
        key: &ForeignKey,
        path: &mut Vec<TableId>,
    ) -> Result<Block, Refused> {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let (table, above) = (schema.table(child), schema.table(parent));
        let mut pairs: Vec<(ColumnId, String)> = key
            .columns
            .iter()
            .zip(&key.referenced)
            .map(|(own, other)| (*own, above.column(*other).name.clone()))
            .collect();
        if let (Some(tenant), Some(theirs)) = (self.site.layout.table(child).tenant, above.tenant)
            && !key.columns.contains(&tenant)
        {
            pairs.push((tenant, above.column(theirs).name.clone()));
        }
        let number = path.len();
        let there = self.builder.rows(&format!(
            "rows of {} that refer to {} ({number})",
            table.full_name(),
            above.full_name()
        ));
        let source = rows_table("changed.rows", written_columns(above), deleted);
        let mut steps = self.rows_with(index, schema, child, &pairs, source, &identifier(GONE), there);
        let seen = super::fetch::source_columns(table, &self.work, child);
        let overlaid = self.work.has(child);
        match key.on_delete {
            ReferentialAction::NoAction | ReferentialAction::Restrict => {
                let message = still_referred_message(above, table);
                let some = Expression::binary(Operator::Greater, Expression::RowCount(there), Expression::int(0));
                let fail = self.builder.fail(ErrorClass::Refused, Expression::text(&message));
                steps.push(
                    self.builder
                        .when(format!("if {} refers to it", table.full_name()), some, vec![fail]),
                );
            }
            ReferentialAction::Cascade | ReferentialAction::SetNull => {
                let cascade = key.on_delete == ReferentialAction::Cascade;
                if cascade && path.contains(&child) {
                    return Err(Refused::new(
                        index,
                        format!(
                            "ON DELETE CASCADE leads from {} to itself, any number of times",
                            table.full_name()
                        ),
                        "delete the rows that refer to others first, in statements of their own",
                    ));
                }
                let changes = self.builder.rows(&format!(
                    "changed {} with {} ({number})",
                    table.full_name(),
                    above.full_name()
                ));
                let text = changed_with(table, key, cascade, overlaid);
                let source = rows_table(&table.full_name(), seen, there);
                let words = if cascade { "deleted" } else { "loosened" };
                let mark = Mark::new(format!("{} {words}", table.full_name()), Role::Work).from(index);
                steps.push(statement::compose(
                    &mut self.builder,
                    mark,
                    vec![source],
                    &text,
                    Into::Rows(changes),
                ));
                if cascade {
                    steps.extend(
                        self.work
                            .add(schema, &mut self.builder, index, child, changes, Change::Delete),
                    );
                    path.push(child);
                    steps.extend(self.delete_with(index, child, changes, path)?);
                    path.pop();
                } else {
                    let set: BTreeSet<ColumnId> = key.columns.iter().copied().collect();
                    let none = BTreeSet::new();
                    steps.extend(super::check::rows(
                        table,
                        &written_columns(table),
                        &mut self.builder,
                        index,
                        changes,
                        Some(&set),
                        &none,
                        None,
                    ));
                    steps.extend(
                        self.work
                            .add(schema, &mut self.builder, index, child, changes, Change::Update),
                    );
                    if let Some(work) = self.work.tables.get_mut(&child) {
                        work.assigned.extend(set);
                    }
                }
            }
            ReferentialAction::SetDefault => {
                return Err(Refused::new(
                    index,
                    format!("ON DELETE SET DEFAULT of {} is not supported", table.full_name()),
                    "use SET NULL or CASCADE",
                ));
            }
        }
        Ok(steps)
    }
}
