//! What an operation is going to write: rows in the service's memory until one transaction writes them all.
//!
//! A statement that changes rows is a query whose rows are the new ones (see [`reading`]). They are
//! kept per table, so that a later statement of the operation sees them: its fetched rows are overlaid with these.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use base::Type;
use program::{Attributes, Expression, Into, Phrase, RegisterId, Role, StepId};
use scenario::{ColumnId, Schema, Table, TableId};
use syntax::identifier;

use super::REVISION_TYPE;
use super::reading::{self, GONE, REVISION, stored, tracked};
use crate::lower::builder::{Builder, Mark};
use crate::lower::statement;
pub(crate) use crate::rows::{qualified_list, rows_table, same_key};
use crate::sql::Text;
use crate::sql::text::identifiers;

pub(crate) fn read_columns(table: &Table) -> Vec<(String, Type)> {
    reading::read_columns(table, REVISION_TYPE)
}

pub(crate) fn overlaid_columns(table: &Table) -> Vec<(String, Type)> {
    reading::overlaid_columns(table, REVISION_TYPE)
}

pub(crate) fn written_columns(table: &Table) -> Vec<(String, Type)> {
    reading::written_columns(table, REVISION_TYPE)
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    pub(crate) tables: BTreeMap<TableId, TableWork>,
    /// Rows whose values are known before anything is read: written as they are.
    pub(crate) direct: Vec<DirectInsert>,
    /// Updates that need not read first.
    pub(crate) blind: Vec<BlindUpdate>,
    /// What was asked before.
    pub(crate) seen: RefCell<Vec<Seen>>,
    /// Rows that were read and must be unchanged when the transaction is made.
    pub(crate) held: BTreeMap<TableId, RegisterId>,
}

/// A table and what was known of its rows, and the rows that came.
pub(crate) type Seen = ((TableId, BTreeMap<ColumnId, Expression>), RegisterId);

/// The rows of one table.
#[derive(Clone, Debug)]
pub(crate) struct TableWork {
    pub(crate) rows: RegisterId,
    pub(crate) inserts: bool,
    pub(crate) updates: bool,
    pub(crate) deletes: bool,
    /// Columns that updates assign.
    pub(crate) assigned: BTreeSet<ColumnId>,
    /// At most one row, as far as the statements say.
    pub(crate) single: bool,
    /// A row that turns out to be there already is no error: the operation is done again and finds it.
    pub(crate) again_if_there: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct DirectInsert {
    pub(crate) table: TableId,
    pub(crate) values: BTreeMap<ColumnId, Expression>,
}

#[derive(Clone, Debug)]
pub(crate) struct BlindUpdate {
    pub(crate) table: TableId,
    pub(crate) key: Attributes,
    pub(crate) update: Phrase,
    pub(crate) condition: Phrase,
    /// That there is no such row fails the operation.
    pub(crate) expected: bool,
    /// Values of the key; if one is NULL, there is no such row.
    pub(crate) maybe_null: Vec<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Insert,
    Update,
    Delete,
}

impl Work {
    pub(crate) fn has(&self, table: TableId) -> bool {
        self.tables.contains_key(&table)
    }

    pub(crate) fn rows(&self, table: TableId) -> Option<RegisterId> {
        self.tables.get(&table).map(|work| work.rows)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.direct.is_empty() && self.blind.is_empty()
    }

    /// The changes of a statement join those before.
    pub(crate) fn add(
        &mut self,
        schema: &Schema,
        builder: &mut Builder,
        index: u16,
        id: TableId,
        changes: RegisterId,
        change: Change,
    ) -> Vec<StepId> {
        let known = self.tables.get(&id).cloned();
        let mut work = known.clone().unwrap_or_else(|| TableWork {
            rows: changes,
            inserts: false,
            updates: false,
            deletes: false,
            assigned: BTreeSet::new(),
            single: false,
            again_if_there: false,
        });
        match change {
            Change::Insert => work.inserts = true,
            Change::Update => work.updates = true,
            Change::Delete => work.deletes = true,
        }
        let steps = match known {
            None => Vec::new(),
            Some(before) => {
                let table = schema.table(id);
                work.rows = builder.rows(&format!("written {} after statement {}", table.full_name(), index + 1));
                vec![merge(builder, index, table, before.rows, changes, work.rows)]
            }
        };
        self.tables.insert(id, work);
        steps
    }
}

/// Rows read from the table, as the operation has left them.
pub(crate) fn overlay(
    schema: &Schema,
    builder: &mut Builder,
    index: u16,
    id: TableId,
    work: &Work,
    rows: RegisterId,
    into: RegisterId,
) -> StepId {
    let table = schema.table(id);
    let written = work.rows(id).unwrap_or(rows);
    let read = read_columns(table);
    let own = qualified_list("x", read.iter().map(|(name, _)| name.as_str()));
    let shown = tracked(table)
        .into_iter()
        .map(|id| format!(", x.{}", identifier(&table.column(id).name)));
    let kept = overlaid_columns(table);
    let list = qualified_list("y", kept.iter().map(|(name, _)| name.as_str()));
    let sql = format!(
        "SELECT {own}{} FROM stored.rows AS x WHERE NOT EXISTS (SELECT 1 FROM written.rows AS y WHERE {}) \
         UNION ALL SELECT {list} FROM written.rows AS y WHERE NOT y.{}",
        shown.collect::<String>(),
        same_key(table, "y", "x"),
        identifier(GONE)
    );
    let sources = vec![
        rows_table("stored.rows", read, rows),
        rows_table("written.rows", written_columns(table), written),
    ];
    let mark = Mark::new(format!("{} as left so far", table.full_name()), Role::Work).from(index);
    statement::compose(builder, mark, sources, &Text::new(sql), Into::Rows(into))
}

/// Later changes replace earlier ones of the same row. A row that was deleted and comes back takes the place of the
/// stored one.
fn merge(
    builder: &mut Builder,
    index: u16,
    table: &Table,
    before: RegisterId,
    changes: RegisterId,
    into: RegisterId,
) -> StepId {
    let own = qualified_list("c", table.columns.iter().map(|column| column.name.as_str()));
    let either = |name: &str| {
        let name = identifier(name);
        format!("coalesce(c.{name}, w.{name})")
    };
    let stored: String = tracked(table)
        .into_iter()
        .map(|id| format!(", {}", either(&stored(&table.column(id).name))))
        .collect();
    let columns = written_columns(table);
    let list = qualified_list("w", columns.iter().map(|(name, _)| name.as_str()));
    let sql = format!(
        "SELECT {own}, {}{stored}, c.{} FROM changed.rows AS c LEFT JOIN written.rows AS w ON {} \
         UNION ALL SELECT {list} FROM written.rows AS w WHERE NOT EXISTS (SELECT 1 FROM changed.rows AS c WHERE {})",
        either(REVISION),
        identifier(GONE),
        same_key(table, "c", "w"),
        same_key(table, "c", "w"),
    );
    let sources = vec![
        rows_table("changed.rows", columns.clone(), changes),
        rows_table("written.rows", columns, before),
    ];
    let mark = Mark::new(format!("keep {}", table.full_name()), Role::Work).from(index);
    statement::compose(builder, mark, sources, &Text::new(sql), Into::Rows(into))
}

/// The rows that are to be put, or deleted: a list of columns, and which rows.
pub(crate) fn select_written(table: &Table, condition: &str) -> Text {
    let columns = written_columns(table);
    let list = identifiers(columns.iter().map(|(name, _)| name.as_str()));
    Text::new(format!("SELECT {list} FROM written.rows WHERE {condition}"))
}
