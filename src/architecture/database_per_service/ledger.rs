//! What a participant keeps beside its data, in the same transactions: the idempotency key of each action with
//! what it answered, and what its compensation will need.
//!
//! ```text
//! idempotency.create_user_2 (key, state, what the action bound …)     one row an action
//! undo.create_user_2_1 (request_key, primary key …, values before …)  one row for each row struck
//! ```

use base::Type;
use program::{Block, ConnectionId, Into, Op, RegisterId, Role};
use scenario::{Schema, Table, TableId};
use syntax::{Expr, ExprKind, Name, Span, identifier};

use super::keep::{self, Kept};
use super::memory::returning_keys;
use super::participant::{KEY, exports};
use super::plan::{Part, PartKind};
use super::services::{Site, Subject};
use super::undo::Undo;
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark};
use crate::lower::definitions::short_type;
use crate::lower::item::{self, Item, distinct};
use crate::lower::statement;
use crate::sql::text::{identifiers, qualified};
use crate::sql::{Text, facts};

#[derive(Debug)]
pub(crate) struct Ledger<'a> {
    schema: &'a Schema,
    /// The table of keys.
    pub(crate) table: String,
    /// What the action binds: (variable, column).
    results: Vec<(String, String)>,
    entries: Vec<Entry>,
}

/// One statement of the part.
#[derive(Debug)]
struct Entry {
    item: Item,
    undo: Undo,
    kept: Option<(Kept, String)>,
}

impl<'a> Ledger<'a> {
    /// Also defines its tables, if they are not there yet.
    pub(crate) fn new(assembly: &mut Assembly<'a>, site: &Site, subject: Subject<'_>, part: &Part) -> Ledger<'a> {
        let schema = &assembly.scenario.schema;
        let base = format!("{}_{}", subject.operation.name, part.position);
        let table = qualified(&site.schemas.idempotency, &base);
        let mut results = Vec::new();
        let mut columns = String::new();
        for name in exports(subject, part) {
            let column = free_column(&name, &["key", "state"]);
            let data_type = variable_type(subject, &name);
            columns.push_str(&format!(", {} {}", identifier(&column), short_type(data_type)));
            results.push((name, column));
        }
        let mut ddl = vec![
            format!("CREATE SCHEMA {}", identifier(&site.schemas.idempotency)),
            format!("CREATE TABLE {table} (key text PRIMARY KEY, state text NOT NULL{columns})"),
        ];
        let mut entries = Vec::new();
        for (place, item) in part.items().into_iter().enumerate() {
            let undo = part.undo.get(place).cloned().unwrap_or(Undo::Nothing);
            let kept = Kept::of(schema, &undo).map(|kept| {
                let name = qualified(&site.schemas.undo, &format!("{base}_{}", place + 1));
                (kept, name)
            });
            if let (Some((kept, name)), Some(id)) = (&kept, undo_table(&undo)) {
                ddl.push(format!("CREATE SCHEMA {}", identifier(&site.schemas.undo)));
                ddl.push(create_undo_table(schema.table(id), kept, name));
            }
            entries.push(Entry {
                item: item.clone(),
                undo,
                kept,
            });
        }
        if let PartKind::Local { owner, .. } = &part.kind {
            ddl.into_iter()
                .for_each(|ddl| assembly.define_in(site.database(*owner), ddl));
        }
        Ledger {
            schema,
            table,
            results,
            entries,
        }
    }

    // ---- for the action

    /// Before the write: keeps what it will change, under row locks.
    pub(crate) fn read(&self, builder: &mut Builder, place: usize, connection: ConnectionId) -> Block {
        let entry = &self.entries[place];
        let (Undo::RestoreUpdated { table, target, .. } | Undo::RestoreDeleted { table, target }, Some((kept, name))) =
            (&entry.undo, &entry.kept)
        else {
            return Block::new();
        };
        let table = self.schema.table(*table);
        let key = Expr::new(ExprKind::Variable(Name::new(KEY)), Span::default());
        let rows = Text::query(&keep::rows_struck(table, target, kept, Some(key)));
        let columns = kept_columns(table, kept);
        let text = Text {
            sql: format!("INSERT INTO {name} (request_key, {columns}) {}", rows.sql),
            operands: rows.operands,
        };
        let mark = Mark::new(format!("keep {} as it is", table.full_name()), Role::SagaLog).from(entry.item.index);
        vec![builder.statement(mark, connection, &text, Into::Nothing)]
    }

    /// The write itself; keys that only the engine knows are kept when it has told them.
    pub(crate) fn write(
        &self,
        assembly: &mut Assembly<'_>,
        builder: &mut Builder,
        place: usize,
        connection: ConnectionId,
        role: Role,
    ) -> Block {
        let Entry { item, undo, kept } = &self.entries[place];
        let (Undo::DeleteReturned { table }, Some((kept, name)), Some(sql)) = (undo, kept, item.sql()) else {
            return statement::lower(assembly, builder, item, Some(connection), role);
        };
        let table = self.schema.table(*table);
        let rows = builder.rows(&format!("keys of statement {}", item.index + 1));
        let text = Text::statement(&returning_keys(table, sql));
        let mark = Mark::new(statement::label(sql), role).from(item.index);
        let expect = item.statement.expect_rows;
        let insert = builder.statement_expecting(mark, connection, &text, Into::Rows(rows), expect);
        let column =
            |id: &scenario::ColumnId| format!("new {} of statement {}", table.column(*id).name, item.index + 1);
        let mut text = Text::new(format!(
            "INSERT INTO {name} (request_key, {}) VALUES (",
            kept_columns(table, kept)
        ));
        text.variable(KEY).push(", ").list(&kept.keys, ", ", |text, key| {
            text.variable(&column(key));
        });
        text.push(")");
        let bind = kept.keys.iter().map(|key| builder.variable(&column(key))).collect();
        let mark = Mark::new(format!("keep the keys of {}", table.full_name()), Role::SagaLog).from(item.index);
        let keep = builder.statement(mark, connection, &text, Into::Nothing);
        let op = Op::ForEach {
            rows,
            bind,
            body: vec![keep],
            parallel: 1,
            gather: Vec::new(),
        };
        vec![insert, builder.step(Mark::plumbing("for each row inserted"), op)]
    }

    /// Last in the transaction: what the action bound, for those who ask again.
    pub(crate) fn keep_results(&self, builder: &mut Builder, connection: ConnectionId) -> Block {
        if self.results.is_empty() {
            return Block::new();
        }
        let mut text = Text::new(format!("UPDATE {} SET ", self.table));
        text.list(&self.results, ", ", |text, (variable, column)| {
            text.push(&identifier(column)).push(" = ").variable(variable);
        });
        text.push(" WHERE key = ").variable(KEY);
        let mark = Mark::new("keep what was bound", Role::Idempotency);
        vec![builder.statement(mark, connection, &text, Into::Nothing)]
    }

    /// What an action that has happened already had bound.
    pub(crate) fn recall(&self, builder: &mut Builder, connection: ConnectionId, state: RegisterId) -> Block {
        let columns = self.results.iter().map(|(_, column)| column.as_str());
        let columns = identifiers(std::iter::once("state").chain(columns));
        let mut text = Text::new(format!("SELECT {columns} FROM {} WHERE key = ", self.table));
        text.variable(KEY);
        let variables = self.results.iter().map(|(name, _)| builder.variable(name));
        let into = std::iter::once(state).chain(variables).collect();
        let mark = Mark::new("look what the key says", Role::Idempotency);
        vec![builder.statement(mark, connection, &text, Into::Values(into))]
    }

    // ---- for the compensation

    /// Variables that the caller must give.
    pub(crate) fn undo_arguments(&self) -> Vec<String> {
        let uses = distinct(self.entries.iter().flat_map(|entry| undo_uses(&entry.undo)));
        uses.into_iter().filter(|name| !self.binds(name)).collect()
    }

    fn binds(&self, name: &str) -> bool {
        self.results.iter().any(|(variable, _)| variable == name)
    }

    /// The caller may never have heard what the action bound: it is read where the action kept it.
    pub(crate) fn recall_for_undo(&self, builder: &mut Builder, connection: ConnectionId) -> Block {
        let needed = self
            .entries
            .iter()
            .flat_map(|entry| undo_uses(&entry.undo))
            .any(|name| self.binds(&name));
        if !needed {
            return Block::new();
        }
        let state = builder.value("state of the key", Type::Text);
        self.recall(builder, connection, state)
    }

    /// Undoes the statements, the last one first.
    pub(crate) fn undo(&self, builder: &mut Builder, connection: ConnectionId) -> Block {
        let mut steps = Block::new();
        for entry in self.entries.iter().rev() {
            for (label, text) in self.undo_texts(entry) {
                let mark = Mark::new(label, Role::Compensation).from(entry.item.index);
                steps.push(builder.statement(mark, connection, &text, Into::Nothing));
            }
        }
        steps
    }

    fn undo_texts(&self, entry: &Entry) -> Vec<(String, Text)> {
        let name_of = |id: TableId| self.schema.table(id).full_name();
        match (&entry.undo, &entry.kept) {
            (Undo::Written(sql), _) => vec![(statement::label(sql), Text::statement(sql))],
            (Undo::DeleteInserted { table, rows }, _) => {
                let definition = self.schema.table(*table);
                let label = format!("DELETE {}", name_of(*table));
                rows.iter()
                    .map(|row| (label.clone(), keep::delete_inserted(definition, row)))
                    .collect()
            }
            (Undo::DeleteReturned { table }, Some((kept, name))) => {
                let definition = self.schema.table(*table);
                let target = qualified(&definition.schema, &definition.name);
                let mut text = Text::new(format!("DELETE FROM {target} AS t USING {name} AS kept"));
                same_row(&mut text, definition, kept);
                vec![(format!("DELETE {}", name_of(*table)), text)]
            }
            (Undo::RestoreUpdated { table, columns, .. }, Some((kept, name))) => {
                let definition = self.schema.table(*table);
                let target = qualified(&definition.schema, &definition.name);
                let mut text = Text::new(format!("UPDATE {target} AS t SET "));
                keep::write_assignments(&mut text, definition, "t.", columns, |text, column| {
                    text.push("kept.").push(&identifier(&definition.column(column).name));
                });
                text.push(&format!(" FROM {name} AS kept"));
                same_row(&mut text, definition, kept);
                vec![(format!("UPDATE {}", name_of(*table)), text)]
            }
            (Undo::RestoreDeleted { table, .. }, Some((kept, name))) => {
                let definition = self.schema.table(*table);
                let target = qualified(&definition.schema, &definition.name);
                let columns = kept_columns(definition, kept);
                let mut text = Text::new(format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM {name}"));
                text.push(" WHERE request_key = ").variable(KEY);
                vec![(format!("INSERT {}", name_of(*table)), text)]
            }
            _ => Vec::new(),
        }
    }
}

/// ` WHERE kept.request_key = $1 AND t.id = kept.id`
fn same_row(text: &mut Text, table: &Table, kept: &Kept) {
    text.push(" WHERE kept.request_key = ").variable(KEY);
    for key in &kept.keys {
        let name = identifier(&table.column(*key).name);
        text.push(&format!(" AND t.{name} = kept.{name}"));
    }
}

fn kept_columns(table: &Table, kept: &Kept) -> String {
    identifiers(kept.columns().map(|column| table.column(column).name.as_str()))
}

fn create_undo_table(table: &Table, kept: &Kept, name: &str) -> String {
    let column = |id| {
        let column = table.column(id);
        format!("{} {}", identifier(&column.name), short_type(column.data_type))
    };
    let columns: Vec<String> = kept.columns().map(column).collect();
    let keys = identifiers(kept.keys.iter().map(|key| table.column(*key).name.as_str()));
    format!(
        "CREATE TABLE {name} (request_key text, {}, PRIMARY KEY (request_key, {keys}))",
        columns.join(", ")
    )
}

fn undo_table(undo: &Undo) -> Option<TableId> {
    match undo {
        Undo::DeleteReturned { table } | Undo::RestoreUpdated { table, .. } | Undo::RestoreDeleted { table, .. } => {
            Some(*table)
        }
        _ => None,
    }
}

/// The variables that a compensation uses; not those of the filters, which have done their work.
fn undo_uses(undo: &Undo) -> Vec<String> {
    match undo {
        Undo::Written(sql) => facts::variables(sql),
        Undo::DeleteInserted { rows, .. } => rows
            .iter()
            .flatten()
            .flat_map(|(_, value)| facts::variables_of(value))
            .collect(),
        Undo::RestoreUpdated { columns, .. } => {
            let values = columns.iter().filter_map(|(_, restore)| match restore {
                super::undo::Restore::Opposite { value, .. } => Some(value),
                super::undo::Restore::Before => None,
            });
            values.flat_map(facts::variables_of).collect()
        }
        _ => Vec::new(),
    }
}

/// A column name that is none of `taken`.
pub(crate) fn free_column(name: &str, taken: &[&str]) -> String {
    let mut name = name.replace(' ', "_");
    while taken.contains(&name.as_str()) {
        name.push('_');
    }
    name
}

/// The type of a parameter, of a variable, or of the time at which the operation began.
pub(crate) fn variable_type(subject: Subject<'_>, name: &str) -> Type {
    match item::variable_type(subject.operation, name) {
        Some(data_type) => data_type,
        None if name == super::plan::STARTED => Type::Timestamptz,
        None => Type::Text,
    }
}
