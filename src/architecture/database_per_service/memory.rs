//! What an application remembers of one write, in order to undo it: rows in registers.

use program::{Block, ConnectionId, Into, Op, RegisterId, Role};
use scenario::{ColumnId, Schema, Table, TableId};
use syntax::{Expr, ExprKind, Name, Returning, SelectItem, Span, Statement, identifier};

use super::keep::{self, Kept};
use super::undo::Undo;
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark};
use crate::lower::item::Item;
use crate::lower::statement;
use crate::sql::Text;
use crate::sql::text::{identifiers, qualified};

#[derive(Debug)]
pub(crate) struct Memory<'a> {
    schema: &'a Schema,
    item: &'a Item,
    undo: Undo,
    /// What is kept of each row, and the row set that holds it.
    kept: Option<(Kept, RegisterId)>,
}

impl<'a> Memory<'a> {
    pub(crate) fn new(builder: &mut Builder, schema: &'a Schema, item: &'a Item, undo: Undo) -> Memory<'a> {
        let name = format!("rows struck by statement {}", item.index + 1);
        let kept = Kept::of(schema, &undo).map(|kept| (kept, builder.rows(&name)));
        Memory {
            schema,
            item,
            undo,
            kept,
        }
    }

    /// Before the write: the rows that it will change.
    pub(crate) fn read(&self, builder: &mut Builder, connection: ConnectionId) -> Block {
        let (Undo::RestoreUpdated { table, target, .. } | Undo::RestoreDeleted { table, target }, Some((kept, rows))) =
            (&self.undo, &self.kept)
        else {
            return Block::new();
        };
        let table = self.schema.table(*table);
        let mut query = keep::rows_struck(table, target, kept, None);
        query.locking.clear();
        let mark = Mark::new(format!("remember {}", table.full_name()), Role::Plumbing).from(self.item.index);
        vec![builder.statement(mark, connection, &Text::query(&query), Into::Rows(*rows))]
    }

    /// The write itself, which may have to say the keys of what it inserted.
    pub(crate) fn write(&self, assembly: &mut Assembly<'_>, builder: &mut Builder, connection: ConnectionId) -> Block {
        let (Undo::DeleteReturned { table }, Some((_, rows))) = (&self.undo, &self.kept) else {
            return statement::lower(assembly, builder, self.item, Some(connection), Role::Work);
        };
        let Some(sql) = self.item.sql() else {
            return Block::new();
        };
        let text = Text::statement(&returning_keys(self.schema.table(*table), sql));
        let mark = Mark::new(statement::label(sql), Role::Work).from(self.item.index);
        let expect = self.item.statement.expect_rows;
        vec![builder.statement_expecting(mark, connection, &text, Into::Rows(*rows), expect)]
    }

    /// Undoes it on this connection; empty if there is nothing to do.
    pub(crate) fn clean_up(&self, builder: &mut Builder, connection: ConnectionId) -> Block {
        match &self.undo {
            Undo::Nothing | Undo::WrittenCall { .. } => Block::new(),
            Undo::Written(sql) => {
                let mark = self.mark(&statement::label(sql));
                vec![builder.statement(mark, connection, &Text::statement(sql), Into::Nothing)]
            }
            Undo::DeleteInserted { table, rows } => {
                let table = self.schema.table(*table);
                let mark = self.mark(&format!("DELETE {}", table.full_name()));
                let each = rows.iter().map(|row| {
                    let text = keep::delete_inserted(table, row);
                    builder.statement(mark.clone(), connection, &text, Into::Nothing)
                });
                each.collect()
            }
            Undo::DeleteReturned { table }
            | Undo::RestoreUpdated { table, .. }
            | Undo::RestoreDeleted { table, .. } => self.for_each_row(builder, connection, *table),
        }
    }

    fn for_each_row(&self, builder: &mut Builder, connection: ConnectionId, table: TableId) -> Block {
        let Some((kept, rows)) = &self.kept else {
            return Block::new();
        };
        let table = self.schema.table(table);
        let (verb, text) = self.text_for_row(table, kept);
        let bind = kept
            .columns()
            .map(|column| builder.variable(&self.old(table, column)))
            .collect();
        let mark = self.mark(&format!("{verb} {}", table.full_name()));
        let step = builder.statement(mark, connection, &text, Into::Nothing);
        let op = Op::ForEach {
            rows: *rows,
            bind,
            body: vec![step],
            parallel: 1,
            gather: Vec::new(),
        };
        vec![builder.step(Mark::plumbing("for each row remembered"), op)]
    }

    fn text_for_row(&self, table: &Table, kept: &Kept) -> (&'static str, Text) {
        let name = qualified(&table.schema, &table.name);
        let mut text = Text::default();
        let verb = match &self.undo {
            Undo::RestoreDeleted { .. } => {
                let columns = identifiers(kept.columns().map(|column| table.column(column).name.as_str()));
                text.push(&format!("INSERT INTO {name} ({columns}) VALUES ("));
                text.list(kept.columns(), ", ", |text, column| {
                    text.variable(&self.old(table, column));
                });
                text.push(")");
                return ("INSERT", text);
            }
            Undo::RestoreUpdated { columns, .. } => {
                text.push(&format!("UPDATE {name} SET "));
                keep::write_assignments(&mut text, table, "", columns, |text, column| {
                    text.variable(&self.old(table, column));
                });
                "UPDATE"
            }
            _ => {
                text.push(&format!("DELETE FROM {name}"));
                "DELETE"
            }
        };
        text.push(" WHERE ").list(&kept.keys, " AND ", |text, column| {
            text.push(&identifier(&table.column(*column).name)).push(" = ");
            text.variable(&self.old(table, *column));
        });
        (verb, text)
    }

    fn old(&self, table: &Table, column: ColumnId) -> String {
        format!("old {} of statement {}", table.column(column).name, self.item.index + 1)
    }

    fn mark(&self, label: &str) -> Mark {
        Mark::new(label, Role::Compensation).from(self.item.index)
    }
}

/// The INSERT with the primary key as its RETURNING list.
pub(crate) fn returning_keys(table: &Table, sql: &Statement) -> Statement {
    let mut sql = sql.clone();
    if let Statement::Insert(insert) = &mut sql {
        let column = |key: &ColumnId| SelectItem::Expr {
            expr: Expr::new(
                ExprKind::Column(vec![Name::new(table.column(*key).name.as_str())]),
                Span::default(),
            ),
            alias: None,
        };
        insert.returning = Some(Returning {
            items: table.primary_key.iter().map(column).collect(),
            into: Vec::new(),
        });
    }
    sql
}
