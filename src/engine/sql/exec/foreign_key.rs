//! Foreign keys, checked when a statement's rows are all written: the referencing side finds and locks
//! its parent (FOR KEY SHARE); the referenced side refuses, cascades or sets NULL.

use std::sync::Arc;

use base::Value;
use syntax::{Deferral, ReferentialAction};

use super::Context;
use super::lock_rows::{LockRow, Locked};
use super::matches::{Found, Matches};
use super::message::key_text;
use super::write_row::{WriteRow, Written, generate};
use crate::SqlError;
use crate::catalog::{Reference, Table};
use crate::deferred::Deferred;
use crate::error::{Fallible, error, state};
use crate::expr::Environment;
use crate::plan::Referencing;
use crate::storage::{CommandId, RowId, RowLock, Snapshot};

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
