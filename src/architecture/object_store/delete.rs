//! Rows that refer to a deleted one: deleted before it, made NULL, or in the way.

use std::collections::BTreeSet;

use program::{Block, ErrorClass, Expression, Into, Operator, RegisterId, Role};
use scenario::{ColumnId, ForeignKey, TableId};
use syntax::{ReferentialAction, identifier};

use super::REVISION_TYPE;
use super::apply::{Change, Decision, equal};
use super::operation::{Steps, Writer};
use crate::lower::builder::Mark;
use crate::lower::item::Refused;
use crate::lower::statement;
use crate::rows::cascade::changed_with;
use crate::rows::check::still_referred_message;
use crate::rows::reading::{GONE, read_columns, written_columns};
use crate::rows::rows_table;
use crate::sql::text::qualified;

impl Writer<'_, '_> {
    /// What deleting rows takes besides; rows that refer to others come before those. `path`: the tables whose rows are
    /// being deleted, from the statement's own on.
    pub(crate) fn delete_with(
        &mut self,
        index: u16,
        parent: TableId,
        deleted: RegisterId,
        path: &mut Vec<TableId>,
    ) -> Result<Steps, Refused> {
        let scenario = self.assembly.scenario;
        let mut all = Steps::default();
        for child in scenario.schema.ids() {
            let keys = &scenario.schema.table(child).foreign_keys;
            for key in keys.iter().filter(|key| key.table == parent) {
                let with = self.delete_referring(index, (parent, deleted), (child, key), path)?;
                all.looks.extend(with.looks);
                all.writes.extend(with.writes);
            }
        }
        Ok(all)
    }

    fn delete_referring(
        &mut self,
        index: u16,
        (parent, deleted): (TableId, RegisterId),
        (child, key): (TableId, &ForeignKey),
        path: &mut Vec<TableId>,
    ) -> Result<Steps, Refused> {
        let scenario = self.assembly.scenario;
        let (table, above) = (scenario.schema.table(child), scenario.schema.table(parent));
        let own = key.columns.iter().copied().zip(&key.referenced);
        let mut pairs: Vec<(ColumnId, String)> = own
            .map(|(own, theirs)| (own, above.column(*theirs).name.clone()))
            .collect();
        if let (Some(tenant), Some(theirs)) = (self.site.layout.table(child).tenant, above.tenant)
            && !key.columns.contains(&tenant)
        {
            pairs.push((tenant, above.column(theirs).name.clone()));
        }
        let name = self.fresh(&format!(
            "rows of {} that refer to {}",
            table.full_name(),
            above.full_name()
        ));
        let there = self.builder.rows(&name);
        let gone = rows_table("changed.rows", written_columns(above, REVISION_TYPE), deleted);
        let mut with = Steps {
            looks: self.rows_with(index, child, &pairs, gone, &identifier(GONE), there),
            writes: Block::new(),
        };
        let cascade = match key.on_delete {
            ReferentialAction::NoAction | ReferentialAction::Restrict => {
                let message = Expression::text(&still_referred_message(above, table));
                let some = Expression::binary(Operator::Greater, Expression::RowCount(there), Expression::int(0));
                let fail = self.builder.fail(ErrorClass::Refused, message);
                let label = format!("if {} refers to it", table.full_name());
                with.looks.push(self.builder.when(label, some, vec![fail]));
                return Ok(with);
            }
            ReferentialAction::Cascade => true,
            ReferentialAction::SetNull => false,
            ReferentialAction::SetDefault => {
                return Err(Refused::new(
                    index,
                    format!("ON DELETE SET DEFAULT of {} is not supported", table.full_name()),
                    "use SET NULL or CASCADE",
                ));
            }
        };
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
        let decision = self.referring(parent, deleted, child, key, there, cascade);
        let name = self.fresh(&format!("changed {} with {}", table.full_name(), above.full_name()));
        let changes = self.builder.rows(&name);
        let words = if cascade { "deleted" } else { "loosened" };
        let mark = Mark::new(format!("{} {words}", table.full_name()), Role::Work).from(index);
        let (sources, into) = (decision.sources.clone(), Into::Rows(changes));
        with.looks.push(statement::compose(
            &mut self.builder,
            mark,
            sources,
            &decision.query,
            into,
        ));
        let change = if cascade {
            path.push(child);
            let below = self.delete_with(index, child, changes, path)?;
            path.pop();
            with.looks.extend(below.looks);
            with.writes.extend(below.writes);
            Change::Delete
        } else {
            with.looks
                .extend(self.checked(index, child, changes, Some(&decision.assigned), &BTreeSet::new()));
            Change::Put
        };
        with.looks.extend(self.keep(index, child, changes));
        with.writes.extend(self.apply(index, &decision, change, changes));
        Ok(with)
    }

    /// What becomes of rows that refer to deleted ones, as long as they do.
    fn referring(
        &mut self,
        parent: TableId,
        deleted: RegisterId,
        child: TableId,
        key: &ForeignKey,
        there: RegisterId,
        cascade: bool,
    ) -> Decision {
        let schema = &self.assembly.scenario.schema;
        let (table, above) = (schema.table(child), schema.table(parent));
        let names: Vec<(String, String)> = key
            .referenced
            .iter()
            .zip(&key.columns)
            .map(|(theirs, own)| (above.column(*theirs).name.clone(), table.column(*own).name.clone()))
            .collect();
        let mut query = changed_with(table, key, cascade, false);
        query.push(&format!(
            " WHERE EXISTS (SELECT 1 FROM deleted.rows AS d WHERE {})",
            equal(&names, "d", &qualified(&table.schema, &table.name))
        ));
        Decision {
            table: child,
            sources: vec![
                rows_table(&table.full_name(), read_columns(table, REVISION_TYPE), there),
                rows_table("deleted.rows", written_columns(above, REVISION_TYPE), deleted),
            ],
            stored: there,
            query,
            assigned: key.columns.iter().copied().collect(),
            never_null: BTreeSet::new(),
            expected: None,
        }
    }
}
