//! Foreign keys, checked when a statement's rows are all written: the referencing side finds and locks
//! its parent (FOR KEY SHARE); the referenced side refuses, cascades or sets NULL.

use std::sync::Arc;

use base::Value;
use syntax::{Deferral, ReferentialAction};

use super::lock_rows::{LockRow, Locked};
use super::write_row::{WriteRow, Written, decode, generate};
use super::{Context, failed, key_text};
use crate::SqlError;
use crate::catalog::{IndexKey, Reference, Table};
use crate::deferred::Deferred;
use crate::error::{Fallible, error, state};
use crate::expr::Environment;
use crate::key;
use crate::plan::Referencing;
use crate::storage::{CommandId, HeapCursor, RowId, RowLock, Snapshot};
use crate::types::compare::same;

/// A check that is due.
#[derive(Clone, Debug, Hash)]
pub(crate) enum ForeignEvent {
    /// A row of `table` refers by its key number `key`, with these values.
    Referencing {
        table: Arc<Table>,
        key: usize,
        values: Vec<Value>,
        row: RowId,
    },
    /// A row that may be referred to has gone, or has got `new` values.
    Referenced {
        parent: Arc<Table>,
        reference: Reference,
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
    /// Partitions that are still to be looked through, with the columns there; the next one last.
    others: Vec<(Arc<Table>, Vec<u16>)>,
}

impl ForeignEvent {
    /// Whether it may wait for the end of the transaction, and does. What changes the referencing rows never waits.
    pub(crate) fn waits(&self, deferred: &Deferred) -> bool {
        match self {
            ForeignEvent::Referencing { table, key, .. } => deferred.waits(table, &table.foreign_keys[*key]),
            ForeignEvent::Referenced { reference, new, .. } => {
                let key = &reference.child.foreign_keys[reference.key];
                let action = if new.is_some() { key.on_update } else { key.on_delete };
                action == ReferentialAction::NoAction && deferred.waits(&reference.child, key)
            }
        }
    }
}

impl ForeignRun {
    /// Works off the statement's checks, and those that they bring about. True: all done.
    pub(crate) fn step(&mut self, cx: &mut Context<'_>) -> Fallible<bool> {
        loop {
            if self.event.is_none() {
                match cx.run.foreign.pop_front() {
                    None => return Ok(true),
                    Some(event) if !cx.run.ends && event.waits(&cx.session.transaction.deferred) => {
                        cx.session.transaction.deferred.events.push(event);
                        continue;
                    }
                    Some(event) => self.begin(event, cx),
                }
            }
            let Some(event) = self.event.take() else {
                return Ok(true);
            };
            let done = match &event {
                // What has been removed or replaced meanwhile is no longer asked for.
                ForeignEvent::Referencing { table, key, row, .. } if !is_there(table, *key, *row, cx) => Ok(true),
                ForeignEvent::Referencing { table, key, values, .. } => self.referencing(table, *key, values, cx),
                ForeignEvent::Referenced {
                    parent,
                    reference,
                    old,
                    new,
                } => self.referenced(parent, reference, old, new.as_deref(), cx),
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
        let command = cx.session.transaction.command;
        cx.run.command = command;
        let transaction = &cx.session.transaction;
        let referenced = matches!(event, ForeignEvent::Referenced { .. });
        let divided = match &event {
            ForeignEvent::Referencing { table, key, .. } => {
                let parent = cx
                    .core
                    .catalog
                    .table(table.foreign_keys[*key].parent, &transaction.xids);
                parent.is_some_and(|parent| parent.partition_key.is_some())
            }
            ForeignEvent::Referenced { .. } => false,
        };
        let snapshot = match &transaction.snapshot {
            // A check for a parent sees what its transaction sees; one for children sees them all, and so does one for
            // a parent in a partitioned table (which PostgreSQL's own tests call a bug).
            Some(snapshot) if cx.repeatable() && !referenced && !divided => Snapshot {
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
                    Locked::Yes if lock.by.is_none() || self.matches.as_ref().is_some_and(|m| m.still(lock, cx)) => {
                        return Ok(true);
                    }
                    _ => self.lock = None,
                }
            }
            match self.next_match(&parent, &foreign.parent_columns, values, cx)? {
                Found::OutOfFuel => return Ok(false),
                Found::Row(row, _) => {
                    let heap = self.matches.as_ref().map_or(parent.heap, |matches| matches.table.heap);
                    self.lock = Some(LockRow::new(heap, row, None, RowLock::KeyShare));
                }
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
        reference: &Reference,
        old: &[Value],
        new: Option<&[Value]>,
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        let (child, key) = (&reference.child, reference.key);
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
                let own = &cx.session.transaction.xids;
                let named = cx.core.catalog.table(foreign.parent, own).cloned();
                let named = named.unwrap_or_else(|| parent.clone());
                if self.lock.is_none() && self.parent_remains(&named, &foreign.parent_columns, old, cx)? {
                    return Ok(true);
                }
                self.refuse_children(parent, reference, old, cx)
            }
            ReferentialAction::Restrict => self.refuse_children(parent, reference, old, cx),
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
        parent: &Arc<Table>,
        reference: &Reference,
        old: &[Value],
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        let child = &reference.child;
        let foreign = &child.foreign_keys[reference.key];
        loop {
            if let Some(lock) = &mut self.lock {
                match lock.step(true, cx)? {
                    Locked::Suspended => return Ok(false),
                    Locked::Yes if lock.by.is_none() || self.matches.as_ref().is_some_and(|m| m.still(lock, cx)) => {
                        return Err(still_referenced(parent, reference, old, cx));
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
        let names = crate::server::names(cx.core, cx.session);
        let referencing = Referencing::new(std::iter::once(child), names);
        loop {
            if let Some(write) = &mut self.write {
                match write.step(&referencing, cx)? {
                    Written::Suspended => return Ok(false),
                    Written::Done(_) | Written::Already(_) => self.write = None,
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
                    if hidden_from_transaction(child, row, cx) {
                        return Err(cx.changed_concurrently(false));
                    }
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
    /// In a table, or in those partitions of it that can have such rows.
    fn new(table: &Arc<Table>, columns: &[u16], values: &[Value], cx: &mut Context<'_>) -> Matches {
        let mut parts = Vec::new();
        parts_with(table, columns, values, cx, &mut parts);
        parts.reverse();
        let mut matches = Matches {
            table: table.clone(),
            columns: columns.to_vec(),
            values: values.to_vec(),
            rows: Vec::new(),
            at: 0,
            scan: None,
            others: parts,
        };
        matches.open_next(cx);
        matches
    }

    /// Goes on to the next partition. False: there is none.
    fn open_next(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((table, columns)) = self.others.pop() else {
            return false;
        };
        (self.rows, self.at, self.scan) = (Vec::new(), 0, None);
        (self.table, self.columns) = (table, columns);
        self.open(cx);
        true
    }

    /// Whether the newer version that was locked still has the key.
    fn still(&self, lock: &LockRow, cx: &Context<'_>) -> bool {
        still_matches(lock, &self.table, &self.columns, &self.values, cx)
    }

    fn open(&mut self, cx: &mut Context<'_>) {
        let matches = self;
        let (table, columns, values) = (matches.table.clone(), matches.columns.clone(), matches.values.clone());
        let index = table.indexes.iter().find(|index| {
            index.filter.is_none()
                && index.columns.len() >= columns.len()
                && index.columns[..columns.len()]
                    .iter()
                    .all(|part| part.column().is_some_and(|column| columns.contains(&column)))
        });
        let Some(index) = index else {
            matches.scan = Some(cx.core.storage.scan(table.heap));
            return;
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
    }

    fn next(&mut self, snapshot: &Snapshot, fuel: &mut u64, cx: &mut Context<'_>) -> Fallible<Found> {
        loop {
            let found = self.next_here(snapshot, fuel, cx)?;
            if !matches!(found, Found::None) || !self.open_next(cx) {
                return Ok(found);
            }
        }
    }

    fn next_here(&mut self, snapshot: &Snapshot, fuel: &mut u64, cx: &mut Context<'_>) -> Fallible<Found> {
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

/// Whether a transaction with one snapshot does not see a row that it is about to change.
fn hidden_from_transaction(table: &Table, row: RowId, cx: &Context<'_>) -> bool {
    let transaction = &cx.session.transaction;
    let Some(snapshot) = transaction.snapshot.as_ref().filter(|_| cx.repeatable()) else {
        return false;
    };
    let snapshot = Snapshot {
        own: transaction.xid,
        command: cx.command(),
        ..snapshot.clone()
    };
    cx.core.storage.fetch(table.heap, row, &snapshot).is_none()
}

/// Whether a row whose check could have waited is still one that this transaction sees.
fn is_there(table: &Table, key: usize, row: RowId, cx: &mut Context<'_>) -> bool {
    if table.foreign_keys[key].deferral == Deferral::NotDeferrable {
        return true;
    }
    let command = CommandId(cx.command().0 + 1);
    let own = cx.session.transaction.xid;
    let snapshot = cx.core.storage.snapshot(cx.session.id, own, command);
    cx.core.storage.fetch(table.heap, row, &snapshot).is_some()
}

/// The tables with rows of a table that may have these values, with the columns there.
fn parts_with(
    table: &Arc<Table>,
    columns: &[u16],
    values: &[Value],
    cx: &Context<'_>,
    into: &mut Vec<(Arc<Table>, Vec<u16>)>,
) {
    let own = &cx.session.transaction.xids;
    let Some(map) = cx.core.catalog.partition_map(table, own) else {
        into.push((table.clone(), columns.to_vec()));
        return;
    };
    let value_of = |part: &IndexKey| match part {
        IndexKey::Column(column) => {
            let at = columns.iter().position(|known| known == column)?;
            values.get(at).cloned()
        }
        IndexKey::Expression(_) => None,
    };
    let key: Option<Vec<Value>> = map.key.keys.iter().map(value_of).collect();
    let only = key.map(|key| map.route(&key));
    for (at, part) in map.parts.iter().enumerate() {
        if only.is_some_and(|only| only != Some(at)) {
            continue;
        }
        let there = part.columns_of(table);
        let columns: Vec<u16> = columns
            .iter()
            .filter_map(|column| there[usize::from(*column)])
            .collect();
        parts_with(part, &columns, values, cx, into);
    }
}

fn still_referenced(parent: &Table, reference: &Reference, old: &[Value], cx: &Context<'_>) -> Box<SqlError> {
    let own = &cx.session.transaction.xids;
    let foreign = &reference.child.foreign_keys[reference.key];
    // A partition's key is its table's.
    let above = cx.core.catalog.partitioned_above(&reference.child, own);
    let has_key = |table: &&Arc<Table>| table.foreign_keys.iter().any(|key| key.name == foreign.name);
    let child = above.iter().rev().find(has_key).unwrap_or(&reference.child);
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
        parent.name,
        part_of_key(parent, reference, child, cx),
        child.name
    );
    error(state::FOREIGN_KEY_VIOLATION, message).detail(format!(
        "{} is still referenced from table \"{}\".",
        key_text(parent, &reference.columns, old),
        child.name
    ))
}

/// The key's name; where it refers to a partitioned table, each partition's share of it has one of its own.
fn part_of_key(parent: &Table, reference: &Reference, child: &Table, cx: &Context<'_>) -> String {
    let foreign = &reference.child.foreign_keys[reference.key];
    let own = &cx.session.transaction.xids;
    let named = cx.core.catalog.table(foreign.parent, own);
    let Some(named) = named.filter(|named| named.id != parent.id) else {
        return foreign.name.to_string();
    };
    let parts = cx.core.catalog.descendants(named, own);
    let number = parts.iter().position(|part| part.id == parent.id).unwrap_or_default();
    let columns: Vec<&str> = foreign
        .columns
        .iter()
        .map(|column| &*reference.child.columns[usize::from(*column)].name)
        .collect();
    format!("{}_{}_fkey{number}", child.name, columns.join("_"))
}
