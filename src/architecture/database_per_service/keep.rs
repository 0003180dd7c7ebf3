//! Reading what a compensation will need, and the texts of compensations.
//!
//! A saga keeps it in a table beside the participant's data; an application without one, in its memory.
//! Both use the same columns: the primary key, then what must come back.

use scenario::{ColumnId, Schema, Table};
use syntax::BinaryOperator;

use super::undo::{Restore, Target, Undo};
use crate::sql::Text;
use crate::sql::text::{identifier, qualified};

/// What must be kept of each row struck, for one undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) keys: Vec<ColumnId>,
    /// Beside the keys.
    pub(crate) values: Vec<ColumnId>,
}

impl Kept {
    /// `None`: nothing.
    pub(crate) fn of(schema: &Schema, undo: &Undo) -> Option<Kept> {
        let (table, values): (_, Vec<ColumnId>) = match undo {
            Undo::DeleteReturned { table } => (*table, Vec::new()),
            Undo::RestoreUpdated { table, columns, .. } => {
                let before = columns.iter().filter(|(_, restore)| *restore == Restore::Before);
                (*table, before.map(|(column, _)| *column).collect())
            }
            Undo::RestoreDeleted { table, .. } => {
                let definition = schema.table(*table);
                let all = (0..definition.columns.len() as u16).map(ColumnId);
                (*table, all.filter(|column| !definition.primary_key.contains(column)).collect())
            }
            _ => return None,
        };
        Some(Kept {
            keys: schema.table(table).primary_key.clone(),
            values,
        })
    }

    pub(crate) fn columns(&self) -> impl Iterator<Item = ColumnId> {
        self.keys.iter().chain(&self.values).copied()
    }
}

/// `auth.users` under the statement's own alias, or under the table's name.
fn target_name(table: &Table, target: &Target) -> (String, String) {
    let name = qualified(&table.schema, &table.name);
    match &target.alias {
        Some(alias) => (format!("{name} AS {alias}"), alias.to_string()),
        None => (name, identifier(&table.name)),
    }
}

/// Writes `FROM table, joined WHERE filter`, and after a first selected column list.
pub(crate) fn write_rows_struck(text: &mut Text, table: &Table, target: &Target, kept: &Kept) {
    let (from, alias) = target_name(table, target);
    let column = |id: ColumnId| format!("{alias}.{}", identifier(&table.column(id).name));
    let columns: Vec<String> = kept.columns().map(column).collect();
    text.push(&columns.join(", ")).push(" FROM ").push(&from);
    for joined in &target.joined {
        text.push(", ").from(joined);
    }
    if let Some(filter) = &target.filter {
        text.push(" WHERE ").expr(filter);
    }
    text.push(" FOR UPDATE OF ").push(&alias);
}

/// `DELETE FROM auth.users WHERE id = $1`
pub(crate) fn delete_inserted(table: &Table, row: &[(ColumnId, syntax::Expr)]) -> Text {
    let mut text = Text::new(format!("DELETE FROM {} WHERE ", qualified(&table.schema, &table.name)));
    text.list(row, " AND ", |text, (column, value)| {
        text.push(&identifier(&table.column(*column).name)).push(" = ").expr(value);
    });
    text
}

/// The assignments that put a row back; `before` writes the value kept of a column.
pub(crate) fn write_assignments(
    text: &mut Text,
    table: &Table,
    qualifier: &str,
    columns: &[(ColumnId, Restore)],
    mut before: impl FnMut(&mut Text, ColumnId),
) {
    text.list(columns, ", ", |text, (column, restore)| {
        let name = identifier(&table.column(*column).name);
        text.push(&name).push(" = ");
        match restore {
            Restore::Before => before(text, *column),
            Restore::Opposite { operator, value } => {
                let symbol = if *operator == BinaryOperator::Add { " + " } else { " - " };
                text.push(qualifier).push(&name).push(symbol).push("(").expr(value).push(")");
            }
        }
    });
}
