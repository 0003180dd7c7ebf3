//! Foreign keys, checked when a statement's rows are all written: the referencing side finds and locks
//! its parent (FOR KEY SHARE); the referenced side refuses, cascades or sets NULL.

use std::sync::Arc;

use base::Value;
use syntax::ReferentialAction;

use super::lock_rows::{LockRow, Locked};
use super::write_row::{WriteRow, Written, decode, generate};
use super::{Context, failed, key_text};
use crate::SqlError;
use crate::catalog::Table;
use crate::error::{Fallible, error, state};
use crate::expr::Environment;
use crate::key;
use crate::storage::{HeapCursor, RowId, RowLock, Snapshot};
use crate::types::compare::same;

/// A check that is due.
#[derive(Clone, Debug, Hash)]
pub(crate) enum ForeignEvent {
    /// A row of `table` refers by its key number `key`, with these values.
    Referencing {
        table: Arc<Table>,
        key: usize,
        values: Vec<Value>,
    },
    /// A row that may be referred to has gone, or has got `new` values.
    Referenced {
        parent: Arc<Table>,
        child: Arc<Table>,
        key: usize,
        old: Vec<Value>,
        new: Option<Vec<Value>>,
    },
}

/// The check that is being made.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct ForeignRun {
    event: Option<ForeignEvent>,
    snapshot: Option<Snapshot>,
    matches: Option<Matches>,
    lock: Option<LockRow>,
    write: Option<WriteRow>,
}

/// Rows of a table with given values in given columns: by an index if there is one, else by a scan.
#[derive(Clone, Debug, Hash)]
struct Matches {
    table: Arc<Table>,
    columns: Vec<u16>,
    values: Vec<Value>,
    rows: Vec<RowId>,
    at: usize,
    scan: Option<HeapCursor>,
}

impl ForeignRun {
    /// Works off the statement's checks, and those that they bring about. True: all done.
    pub(crate) fn step(&mut self, cx: &mut Context<'_>) -> Fallible<bool> {
        loop {
            if self.event.is_none() {
                match cx.run.foreign.pop_front() {
                    None => return Ok(true),
                    Some(event) => self.begin(event, cx),
                }
            }
            let Some(event) = self.event.take() else {
                return Ok(true);
            };
            let done = match &event {
                ForeignEvent::Referencing { table, key, values } => self.referencing(table, *key, values, cx),
                ForeignEvent::Referenced {
                    parent,
                    child,
                    key,
                    old,
                    new,
                } => self.referenced(parent, child, *key, old, new.as_deref(), cx),
            };
            if !done? {
                self.event = Some(event);
                return Ok(false);
            }
            *self = ForeignRun::default();
        }
    }

    /// Each check sees what its statement (and the checks before it) wrote.
    fn begin(&mut self, event: ForeignEvent, cx: &mut Context<'_>) {
        cx.session.transaction.command.0 += 1;
        let command = cx.command();
        let transaction = &cx.session.transaction;
        let referenced = matches!(event, ForeignEvent::Referenced { .. });
        let snapshot = match &transaction.snapshot {
            // A check for a parent sees what its transaction sees; one for children sees them all.
            Some(snapshot) if cx.repeatable() && !referenced => Snapshot {
                own: transaction.xid,
                command,
                ..snapshot.clone()
            },
            _ => cx.core.storage.snapshot(cx.session.id, transaction.xid, command),
        };
        self.snapshot = Some(snapshot);
        self.event = Some(event);
    }

    fn referencing(
        &mut self,
        table: &Arc<Table>,
        key: usize,
        values: &[Value],
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        let foreign = &table.foreign_keys[key];
        let own = &cx.session.transaction.xids;
        let Some(parent) = cx.core.catalog.table(foreign.parent, own).cloned() else {
            return Ok(true);
        };
        if !cx.acquire(
            cx.session.relation_tag(foreign.parent),
            crate::storage::LockMode::RowShare,
        )? {
            return Ok(false);
        }
        loop {
            if let Some(lock) = &mut self.lock {
                match lock.step(true, cx)? {
                    Locked::Suspended => return Ok(false),
                    Locked::Yes
                        if lock.by.is_none() || still_matches(lock, &parent, &foreign.parent_columns, values, cx) =>
                    {
                        return Ok(true);
                    }
                    _ => self.lock = None,
                }
            }
            match self.next_match(&parent, &foreign.parent_columns, values, cx)? {
                Found::OutOfFuel => return Ok(false),
                Found::Row(row, _) => self.lock = Some(LockRow::new(parent.heap, row, None, RowLock::KeyShare)),
                Found::None => {
                    let message = format!(
                        "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
                        table.name, foreign.name
                    );
                    return Err(error(state::FOREIGN_KEY_VIOLATION, message).detail(format!(
                        "{} is not present in table \"{}\".",
                        key_text(table, &foreign.columns, values),
                        parent.name
                    )));
                }
            }
        }
    }

    fn referenced(
        &mut self,
        parent: &Arc<Table>,
        child: &Arc<Table>,
        key: usize,
        old: &[Value],
        new: Option<&[Value]>,
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        let foreign = &child.foreign_keys[key];
        let action = if new.is_some() {
            foreign.on_update
        } else {
            foreign.on_delete
        };
        let mode = match action {
            ReferentialAction::NoAction | ReferentialAction::Restrict => crate::storage::LockMode::RowShare,
            _ => crate::storage::LockMode::RowExclusive,
        };
        if !cx.acquire(cx.session.relation_tag(child.id), mode)? {
            return Ok(false);
        }
        match action {
            ReferentialAction::NoAction => {
                // Another row may have taken over the key.
                if self.lock.is_none() && self.parent_remains(parent, &foreign.parent_columns, old, cx)? {
                    return Ok(true);
                }
                self.refuse_children(parent, child, key, old, cx)
            }
            ReferentialAction::Restrict => self.refuse_children(parent, child, key, old, cx),
            _ => self.change_children(child, key, old, new, action, cx),
        }
    }

    fn parent_remains(
        &self,
        parent: &Arc<Table>,
        columns: &[u16],
        values: &[Value],
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        let Some(snapshot) = &self.snapshot else {
            return Ok(false);
        };
        let mut matches = Matches::new(parent, columns, values, cx);
        let mut fuel = u64::MAX;
        Ok(matches!(matches.next(snapshot, &mut fuel, cx)?, Found::Row(..)))
    }

    /// NO ACTION, RESTRICT: one child is one too many.
    fn refuse_children(
        &mut self,
        parent: &Table,
        child: &Arc<Table>,
        key: usize,
        old: &[Value],
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        let foreign = &child.foreign_keys[key];
        loop {
            if let Some(lock) = &mut self.lock {
                match lock.step(true, cx)? {
                    Locked::Suspended => return Ok(false),
                    Locked::Yes if lock.by.is_none() || still_matches(lock, child, &foreign.columns, old, cx) => {
                        return Err(still_referenced(parent, child, key, old));
                    }
                    _ => self.lock = None,
                }
            }
            match self.next_match(child, &foreign.columns, old, cx)? {
                Found::OutOfFuel => return Ok(false),
                Found::None => return Ok(true),
                Found::Row(row, _) => self.lock = Some(LockRow::new(child.heap, row, None, RowLock::KeyShare)),
            }
        }
    }

    /// CASCADE, SET NULL, SET DEFAULT: each child is deleted or changed.
    fn change_children(
        &mut self,
        child: &Arc<Table>,
        key: usize,
        old: &[Value],
        new: Option<&[Value]>,
        action: ReferentialAction,
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        let columns = &child.foreign_keys[key].columns;
        let own = &cx.session.transaction.xids;
        let referencing = cx.core.catalog.referencing(child, own);
        loop {
            if let Some(write) = &mut self.write {
                match write.step(&referencing, cx)? {
                    Written::Suspended => return Ok(false),
                    Written::Done(_) | Written::Already => self.write = None,
                    Written::Gone if cx.repeatable() => return Err(cx.changed_concurrently(true)),
                    Written::Gone => self.write = None,
                    Written::Moved { .. } if cx.repeatable() => return Err(cx.changed_concurrently(false)),
                    Written::Moved { .. } => {
                        // Look again for what is there now.
                        let command = cx.command();
                        let own = cx.session.transaction.xid;
                        self.snapshot = Some(cx.core.storage.snapshot(cx.session.id, own, command));
                        (self.write, self.matches) = (None, None);
                    }
                }
            }
            match self.next_match(child, columns, old, cx)? {
                Found::OutOfFuel => return Ok(false),
                Found::None => return Ok(true),
                Found::Row(row, values) => {
                    let now = cx.transaction_time();
                    self.write = Some(match (action, new) {
                        (ReferentialAction::Cascade, None) => WriteRow::delete(child.clone(), row, values),
                        (ReferentialAction::Cascade, Some(new)) => {
                            let mut changed = replaced(&values, columns, |at| new[at].clone());
                            generate(child, &mut changed, now)?;
                            WriteRow::update(child.clone(), row, values, changed)
                        }
                        // SET DEFAULT with other than NULL is refused when the constraint is made.
                        _ => {
                            let mut changed = replaced(&values, columns, |_| Value::Null);
                            generate(child, &mut changed, now)?;
                            WriteRow::update(child.clone(), row, values, changed)
                        }
                    });
                }
            }
        }
    }

    fn next_match(
        &mut self,
        table: &Arc<Table>,
        columns: &[u16],
        values: &[Value],
        cx: &mut Context<'_>,
    ) -> Fallible<Found> {
        let Some(snapshot) = &self.snapshot else {
            return Ok(Found::None);
        };
        if self.matches.is_none() {
            cx.session.usage.index_probes += 1;
            self.matches = Some(Matches::new(table, columns, values, cx));
        }
        let Some(matches) = &mut self.matches else {
            return Ok(Found::None);
        };
        let mut fuel = *cx.fuel;
        let found = matches.next(snapshot, &mut fuel, cx)?;
        *cx.fuel = fuel;
        if let Found::Row(..) = &found {
            cx.session.usage.rows_read += 1;
            cx.session.usage.pages_read += 1;
        }
        Ok(found)
    }
}

enum Found {
    Row(RowId, Vec<Value>),
    None,
    OutOfFuel,
}

impl Matches {
    fn new(table: &Arc<Table>, columns: &[u16], values: &[Value], cx: &mut Context<'_>) -> Matches {
        let mut matches = Matches {
            table: table.clone(),
            columns: columns.to_vec(),
            values: values.to_vec(),
            rows: Vec::new(),
            at: 0,
            scan: None,
        };
        let index = table.indexes.iter().find(|index| {
            index.filter.is_none()
                && index.columns.len() >= columns.len()
                && index.columns[..columns.len()]
                    .iter()
                    .all(|part| part.column().is_some_and(|column| columns.contains(&column)))
        });
        let Some(index) = index else {
            matches.scan = Some(cx.core.storage.scan(table.heap));
            return matches;
        };
        let mut prefix = Vec::new();
        for part in &index.columns[..columns.len()] {
            if let Some(at) = columns.iter().position(|column| part.column() == Some(*column)) {
                key::encode(&values[at], part.order, &mut prefix);
            }
        }
        if index.columns.len() == columns.len() {
            if let Some(serial) = cx.serial() {
                cx.core.storage.watch_lookup(serial, index.id, &prefix);
            }
            cx.core
                .storage
                .index_lookup(index.id, &prefix, |row| matches.rows.push(row));
        } else {
            let end = key::successor(&prefix);
            let upper = end
                .as_deref()
                .map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let lower = std::ops::Bound::Included(&prefix[..]);
            let mut cursor =
                crate::storage::IndexCursor::new(index.id, lower, upper, crate::storage::Direction::Forward);
            while let Some(row) = match cx.serial() {
                None => cx.core.storage.index_next(&mut cursor),
                Some(serial) => cx.core.storage.index_next_watched(serial, &mut cursor),
            } {
                matches.rows.push(row);
            }
        }
        matches
    }

    fn next(&mut self, snapshot: &Snapshot, fuel: &mut u64, cx: &mut Context<'_>) -> Fallible<Found> {
        let (heap, serial, storage) = (self.table.heap, cx.serial(), &mut cx.core.storage);
        loop {
            if *fuel == 0 {
                return Ok(Found::OutOfFuel);
            }
            *fuel -= 1;
            let row = match (&mut self.scan, serial) {
                (Some(cursor), None) => storage.next_visible(cursor, snapshot).map(|(row, _)| row),
                (Some(cursor), Some(serial)) => {
                    storage.next_visible_watched(serial, cursor, snapshot).map_err(failed)?
                }
                (None, _) => {
                    let Some(&root) = self.rows.get(self.at) else {
                        return Ok(Found::None);
                    };
                    self.at += 1;
                    let found = match serial {
                        None => storage.fetch_indexed(heap, root, snapshot).map(|(row, _)| row),
                        Some(serial) => {
                            (storage.fetch_indexed_watched(serial, heap, root, snapshot)).map_err(failed)?
                        }
                    };
                    if found.is_none() {
                        continue;
                    }
                    found
                }
            };
            let Some((row, bytes)) = row.and_then(|row| storage.fetch(heap, row, snapshot).map(|bytes| (row, bytes)))
            else {
                return Ok(Found::None);
            };
            let values = decode(&self.table, bytes);
            if matches_key(&values, &self.columns, &self.values) {
                return Ok(Found::Row(row, values));
            }
        }
    }
}

fn matches_key(row: &[Value], columns: &[u16], values: &[Value]) -> bool {
    columns
        .iter()
        .zip(values)
        .all(|(column, value)| same(&row[usize::from(*column)], value) && !value.is_null())
}

/// Whether the newer version that was locked still has the key.
fn still_matches(lock: &LockRow, table: &Table, columns: &[u16], values: &[Value], cx: &Context<'_>) -> bool {
    let bytes = lock
        .by
        .and_then(|by| cx.core.storage.fetch_successor(table.heap, lock.row, by));
    bytes.is_some_and(|bytes| matches_key(&decode(table, bytes), columns, values))
}

fn replaced(row: &[Value], columns: &[u16], value: impl Fn(usize) -> Value) -> Vec<Value> {
    let mut changed = row.to_vec();
    for (at, column) in columns.iter().enumerate() {
        changed[usize::from(*column)] = value(at);
    }
    changed
}

fn still_referenced(parent: &Table, child: &Table, key: usize, old: &[Value]) -> Box<SqlError> {
    let foreign = &child.foreign_keys[key];
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
        parent.name, foreign.name, child.name
    );
    error(state::FOREIGN_KEY_VIOLATION, message).detail(format!(
        "{} is still referenced from table \"{}\".",
        key_text(parent, &foreign.parent_columns, old),
        child.name
    ))
}
