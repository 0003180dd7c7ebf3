//! Reading what a compensation will need, and the texts of compensations.
//!
//! A saga keeps it in a table beside the participant's data; an application without one, in its memory.
//! Both use the same columns: the primary key, then what must come back.

use scenario::{ColumnId, Schema, Table};
use syntax::{
    BinaryOperator, Distinct, Expr, ExprKind, LockWait, Locking, Name, ObjectName, Query, QueryBody, RowLock, Select,
    SelectItem, Span, TableAlias, TableRef, identifier,
};

use super::undo::{Restore, Target, Undo};
use crate::sql::Text;
use crate::sql::text::qualified;

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
                (
                    *table,
                    all.filter(|column| !definition.primary_key.contains(column)).collect(),
                )
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

/// `SELECT first, keys and values kept FROM … WHERE … FOR UPDATE OF …`: the rows that a write will strike.
pub(crate) fn rows_struck(table: &Table, target: &Target, kept: &Kept, first: Option<Expr>) -> Query {
    let name = target.alias.clone().unwrap_or_else(|| Name::new(table.name.as_str()));
    let column = |id: ColumnId| {
        let path = vec![name.clone(), Name::new(table.column(id).name.as_str())];
        Expr::new(ExprKind::Column(path), Span::default())
    };
    let items = first.into_iter().chain(kept.columns().map(column));
    let alias = target.alias.clone().map(|name| TableAlias {
        name,
        columns: Vec::new(),
    });
    let own = TableRef::Table {
        name: ObjectName {
            schema: Some(Name::new(table.schema.as_str())),
            name: Name::new(table.name.as_str()),
        },
        only: false,
        alias,
    };
    let select = Select {
        distinct: Distinct::All,
        items: items.map(|expr| SelectItem::Expr { expr, alias: None }).collect(),
        into: Vec::new(),
        from: std::iter::once(own).chain(target.joined.iter().cloned()).collect(),
        filter: target.filter.clone(),
        group_by: Vec::new(),
        having: None,
    };
    let locking = Locking {
        strength: RowLock::Update,
        of: vec![name],
        wait: LockWait::Wait,
    };
    Query {
        with: Vec::new(),
        body: QueryBody::Select(Box::new(select)),
        order_by: Vec::new(),
        limit: None,
        offset: None,
        locking: vec![locking],
        span: Span::default(),
    }
}

/// `DELETE FROM auth.users WHERE id = $1`
pub(crate) fn delete_inserted(table: &Table, row: &[(ColumnId, syntax::Expr)]) -> Text {
    let mut text = Text::new(format!("DELETE FROM {} WHERE ", qualified(&table.schema, &table.name)));
    text.list(row, " AND ", |text, (column, value)| {
        text.push(&identifier(&table.column(*column).name))
            .push(" = ")
            .expr(value);
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
                text.push(qualifier)
                    .push(&name)
                    .push(symbol)
                    .push("(")
                    .expr(value)
                    .push(")");
            }
        }
    });
}
