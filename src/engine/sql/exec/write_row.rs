//! Writing one row: its constraints, its heap version, its index entries. Resumable wherever it has to
//! wait: for the row itself, or for another transaction that has the same unique key.

use std::sync::Arc;

use base::Value;
use syntax::Deferral;

use super::message::{duplicate, failing_row};
use super::{Context, ForeignEvent, NO_ROW, RowWait};
use crate::SqlError;
use crate::catalog::{Index, IndexKey, PartitionKey, Reference, RowExpression, Table};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Answer, Environment, Flow, Machine};
use crate::key;
use crate::plan::{Leaf, Referencing};
use crate::row;
use crate::storage::{Change, CommandId, RowId, RowLock, RowOutcome, Unique, Xid};

/// A row being written.
#[derive(Clone, Debug, Hash)]
pub(crate) struct WriteRow {
    table: Arc<Table>,
    kind: Kind,
    /// The new row; empty for a delete.
    pub(crate) values: Vec<Value>,
    stage: Stage,
    wait: RowWait,
    /// Where the new version is.
    new: RowId,
    /// The statement's table, where messages show the row as one of that, and where its columns are in this one.
    shown_as: Option<(Arc<Table>, Columns)>,
}

/// Where the columns of one table are in another.
type Columns = Arc<[Option<u16>]>;

#[derive(Clone, Debug, Hash)]
enum Kind {
    Insert,
    Update {
        row: RowId,
        old: Vec<Value>,
    },
    Delete {
        row: RowId,
        old: Vec<Value>,
    },
    /// Deleted here to be inserted, as `values`, in another partition.
    Moved {
        row: RowId,
        old: Vec<Value>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Check,
    Heap,
    /// Enter the row in the index of this place.
    Index {
        row: RowId,
        at: usize,
    },
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done(RowId),
    /// This statement has changed the row already, in this command or in one that it has made.
    Already(CommandId),
    /// Another transaction has replaced it.
    Moved {
        next: RowId,
        by: Xid,
    },
    /// Another transaction has removed it.
    Gone,
    Suspended,
}

impl WriteRow {
    pub(crate) fn insert(table: Arc<Table>, values: Vec<Value>) -> WriteRow {
        WriteRow::new(table, Kind::Insert, values)
    }

    pub(crate) fn update(table: Arc<Table>, row: RowId, old: Vec<Value>, values: Vec<Value>) -> WriteRow {
        WriteRow::new(table, Kind::Update { row, old }, values)
    }

    pub(crate) fn delete(table: Arc<Table>, row: RowId, old: Vec<Value>) -> WriteRow {
        WriteRow::new(table, Kind::Delete { row, old }, Vec::new())
    }

    pub(crate) fn moved(table: Arc<Table>, row: RowId, old: Vec<Value>, values: Vec<Value>) -> WriteRow {
        WriteRow::new(table, Kind::Moved { row, old }, values)
    }

    /// Messages show the row as one of the statement's table.
    pub(crate) fn shown_as(mut self, root: &Arc<Table>, leaf: &Leaf) -> WriteRow {
        self.shown_as = leaf.columns.as_ref().map(|columns| (root.clone(), columns.clone()));
        self
    }

    fn as_shown(&self, mut refusal: Box<SqlError>) -> Box<SqlError> {
        if let (Some((root, columns)), Some(_)) = (&self.shown_as, &refusal.detail) {
            let value =
                |column: &Option<u16>| column.map_or(Value::Null, |column| self.values[usize::from(column)].clone());
            let row: Vec<Value> = columns.iter().map(value).collect();
            refusal.detail = Some(failing_row(root, &row));
        }
        refusal
    }

    /// The table that it is written to, and where its new version is.
    pub(super) fn placed(&self) -> (&Table, RowId) {
        (&self.table, self.new)
    }

    pub(crate) fn deletes(&self) -> bool {
        matches!(self.kind, Kind::Delete { .. } | Kind::Moved { .. })
    }

    fn new(table: Arc<Table>, kind: Kind, values: Vec<Value>) -> WriteRow {
        WriteRow {
            table,
            kind,
            values,
            stage: Stage::Check,
            wait: RowWait::default(),
            new: NO_ROW,
            shown_as: None,
        }
    }

    /// Writes, or goes on. `referencing`: the foreign keys that point at the table.
    pub(crate) fn step(&mut self, referencing: &Referencing, cx: &mut Context<'_>) -> Fallible<Written> {
        let referencing = referencing.to(&self.table);
        if self.stage == Stage::Check {
            if !self.deletes() {
                check_row(&self.table, &self.values, cx).map_err(|refusal| self.as_shown(refusal))?;
            }
            self.stage = Stage::Heap;
        }
        if self.stage == Stage::Heap {
            match self.write_heap(cx)? {
                Written::Done(row) => {
                    cx.session.usage.rows_written += 1;
                    self.wait.finish(cx);
                    if row == NO_ROW {
                        self.queue_foreign(referencing, cx);
                        return Ok(Written::Done(row));
                    }
                    self.stage = Stage::Index { row, at: 0 };
                }
                Written::Suspended => return Ok(Written::Suspended),
                other => {
                    self.wait.finish(cx);
                    return Ok(other);
                }
            }
        }
        let Stage::Index { row, .. } = self.stage else {
            return Ok(Written::Suspended);
        };
        if !self.enter_indexes(row, cx)? {
            return Ok(Written::Suspended);
        }
        self.queue_foreign(referencing, cx);
        Ok(Written::Done(row))
    }

    /// `Done(NO_ROW)`: nothing is left to enter into indexes.
    fn write_heap(&mut self, cx: &mut Context<'_>) -> Fallible<Written> {
        let xid = cx.xid()?;
        let command = cx.command();
        let heap = self.table.heap;
        let (row, strength, holders) = match &self.kind {
            Kind::Insert => {
                cx.check_insert(heap)?;
                let bytes = encode(&self.values, cx);
                let row = cx.core.storage.insert(heap, &bytes, xid, command);
                cx.core.buffer = bytes;
                self.new = row.map_err(SqlError::from)?;
                return Ok(Written::Done(self.new));
            }
            Kind::Update { row, old } => {
                let change = change(&self.table, old, &self.values);
                let bytes = encode(&self.values, cx);
                let outcome = cx.core.storage.update(heap, *row, &bytes, change, xid, command);
                cx.core.buffer = bytes;
                let outcome = outcome.map_err(SqlError::from)?;
                if let RowOutcome::Done(updated) = outcome {
                    cx.check_change(heap, *row)?;
                    self.new = updated.row;
                }
                match outcome {
                    // Found through the old version's index entries.
                    RowOutcome::Done(updated) if updated.hot => return Ok(Written::Done(NO_ROW)),
                    RowOutcome::Done(updated) => return Ok(Written::Done(updated.row)),
                    RowOutcome::Busy(holders) => {
                        let strength = if change.key {
                            RowLock::Update
                        } else {
                            RowLock::NoKeyUpdate
                        };
                        (*row, strength, holders)
                    }
                    other => return not_done(other),
                }
            }
            Kind::Delete { row, .. } | Kind::Moved { row, .. } => {
                let outcome = match self.kind {
                    Kind::Moved { .. } => cx.core.storage.move_away(heap, *row, xid, command),
                    _ => cx.core.storage.delete(heap, *row, xid, command),
                };
                match outcome.map_err(SqlError::from)? {
                    RowOutcome::Done(()) => {
                        cx.check_change(heap, *row)?;
                        return Ok(Written::Done(NO_ROW));
                    }
                    RowOutcome::Busy(holders) => (*row, RowLock::Update, holders),
                    other => return not_done(other),
                }
            }
        };
        if self.wait.wait(cx, heap, row, strength, &holders)? {
            self.write_heap(cx)
        } else {
            Ok(Written::Suspended)
        }
    }

    fn enter_indexes(&mut self, row: RowId, cx: &mut Context<'_>) -> Fallible<bool> {
        let xid = cx.xid()?;
        let table = self.table.clone();
        while let Stage::Index { at, .. } = self.stage {
            let Some(index) = table.indexes.get(at) else {
                break;
            };
            if contains(index, &self.values, cx.transaction_time())? {
                let mut bytes = std::mem::take(&mut cx.core.buffer);
                let has_null = index_key(index, &self.values, cx.transaction_time(), &mut bytes)?;
                if index.unique && !has_null {
                    cx.session.usage.index_probes += 1;
                    match cx.core.storage.unique_conflict(index.id, table.heap, &bytes, row, xid) {
                        Unique::Free => {}
                        Unique::Taken(_) => {
                            // A conflict says more than a duplicate that it brought about.
                            cx.check_entry(index.id, &bytes, None)?;
                            let columns: Vec<u16> = index.key_columns().collect();
                            let refusal = duplicate(&table, index, &self.values, cx.transaction_time());
                            return Err(without_secrets(refusal, &table, &columns, cx));
                        }
                        Unique::Wait(other) => {
                            cx.core.buffer = bytes;
                            if self.wait.wait_for_transaction(cx, other)? {
                                continue;
                            }
                            return Ok(false);
                        }
                    }
                }
                let place = (!index.unique || has_null).then_some(row);
                cx.check_entry(index.id, &bytes, place)?;
                let entered = cx.core.storage.index_insert(index.id, &bytes, row);
                cx.core.buffer = bytes;
                entered.map_err(SqlError::from)?;
            }
            self.wait.finish(cx);
            self.stage = Stage::Index { row, at: at + 1 };
        }
        Ok(true)
    }

    /// Notes the foreign keys that the statement has to check at its end.
    fn queue_foreign(&self, referencing: &[Reference], cx: &mut Context<'_>) {
        let (old, new) = match &self.kind {
            Kind::Insert => (None, Some(&self.values)),
            Kind::Update { old, .. } => (Some(old), Some(&self.values)),
            Kind::Delete { old, .. } => (Some(old), None),
            Kind::Moved { old, .. } => (Some(old), Some(&self.values)),
        };
        // What it refers to is looked at where it goes.
        if let (Some(new), false) = (new, matches!(self.kind, Kind::Moved { .. })) {
            for (at, key) in self.table.foreign_keys.iter().enumerate() {
                // A check that waits is for one version of the row: the next one needs its own.
                let waits = key.deferral != Deferral::NotDeferrable;
                let unchanged = !waits && old.is_some_and(|old| same_columns(&key.columns, old, new));
                let has_null = key.columns.iter().any(|column| new[usize::from(*column)].is_null());
                if !unchanged && !has_null {
                    cx.run.foreign.push_back(ForeignEvent::Referencing {
                        table: self.table.clone(),
                        key: at,
                        values: pick(&key.columns, new),
                        row: self.new,
                    });
                }
            }
        }
        let Some(old) = old else {
            return;
        };
        for reference in referencing {
            // A partitioned table's rows are its partitions', which have the key, too.
            if reference.child.partition_key.is_some() {
                continue;
            }
            let columns = &reference.columns;
            let unchanged = new.is_some_and(|new| same_columns(columns, old, new));
            let has_null = columns.iter().any(|column| old[usize::from(*column)].is_null());
            if !unchanged && !has_null {
                cx.run.foreign.push_back(ForeignEvent::Referenced {
                    parent: self.table.clone(),
                    reference: reference.clone(),
                    old: pick(columns, old),
                    new: new.map(|new| pick(columns, new)),
                });
            }
        }
    }
}

/// What a row's partition key is.
pub(crate) fn partition_key_of(key: &PartitionKey, values: &[Value], now: i64) -> Fallible<Vec<Value>> {
    let part = |part: &IndexKey| match part {
        IndexKey::Column(column) => Ok(values[usize::from(*column)].clone()),
        IndexKey::Expression(expression) => row_value(expression, values, now),
    };
    key.keys.iter().map(part).collect()
}

/// Computes a row's generated columns from its others.
pub(crate) fn generate(table: &Table, values: &mut [Value], now: i64) -> Fallible<()> {
    for (at, column) in table.columns.iter().enumerate() {
        if let Some(expression) = column.generated() {
            values[at] = row_value(expression, values, now)?;
        }
    }
    Ok(())
}

fn not_done<T>(outcome: RowOutcome<T>) -> Fallible<Written> {
    match outcome {
        RowOutcome::SelfModified { command } => Ok(Written::Already(command)),
        RowOutcome::Updated { next, by } => Ok(Written::Moved { next, by }),
        RowOutcome::Deleted { .. } => Ok(Written::Gone),
        _ => Err(error("XX000", "attempted to change an invisible row")),
    }
}

fn encode(values: &[Value], cx: &mut Context<'_>) -> Vec<u8> {
    let mut bytes = std::mem::take(&mut cx.core.buffer);
    bytes.clear();
    row::encode(values, &mut bytes);
    bytes
}

pub(super) fn pick(columns: &[u16], row: &[Value]) -> Vec<Value> {
    columns.iter().map(|column| row[usize::from(*column)].clone()).collect()
}

fn same_columns(columns: &[u16], old: &[Value], new: &[Value]) -> bool {
    columns
        .iter()
        .all(|column| old[usize::from(*column)] == new[usize::from(*column)])
}

/// Which kinds of columns an update changes.
fn change(table: &Table, old: &[Value], new: &[Value]) -> Change {
    let mut change = Change::default();
    for index in &table.indexes {
        let differs = |column: u16| old[usize::from(column)] != new[usize::from(column)];
        let indexed = index.reads().any(differs);
        change.key |= indexed && index.is_key() && index.key_columns().any(differs);
        change.indexed |= indexed;
    }
    change
}

/// Appends the key of a row; says whether a part of it is NULL.
pub(crate) fn index_key(index: &Index, values: &[Value], now: i64, into: &mut Vec<u8>) -> Fallible<bool> {
    into.clear();
    let mut has_null = false;
    for part in &index.columns {
        match &part.key {
            IndexKey::Column(column) => {
                let value = &values[usize::from(*column)];
                has_null |= value.is_null();
                key::encode(value, part.order, into);
            }
            IndexKey::Expression(expression) => {
                let value = row_value(expression, values, now)?;
                has_null |= value.is_null();
                key::encode(&value, part.order, into);
            }
        }
    }
    Ok(has_null)
}

/// Whether a row belongs in an index.
pub(crate) fn contains(index: &Index, values: &[Value], now: i64) -> Fallible<bool> {
    match &index.filter {
        None => Ok(true),
        Some(condition) => Ok(row_condition(condition, values, now)? == Some(true)),
    }
}

/// NOT NULL, then CHECK in the order of names.
pub(crate) fn check_row(table: &Table, values: &[Value], cx: &Context<'_>) -> Fallible<()> {
    check_values(table, values, cx.transaction_time()).map_err(|refusal| without_secrets(refusal, table, &[], cx))
}

/// Takes the detail away from who may not see the row.
fn without_secrets(mut refusal: Box<SqlError>, table: &Table, columns: &[u16], cx: &Context<'_>) -> Box<SqlError> {
    if !cx.authority().may_show(table, columns) {
        refusal.detail = None;
    }
    refusal
}

pub(crate) fn check_values(table: &Table, values: &[Value], now: i64) -> Fallible<()> {
    for (column, value) in table.columns.iter().zip(values) {
        if column.not_null && !column.dropped && value.is_null() {
            return Err(error(
                state::NOT_NULL_VIOLATION,
                format!(
                    "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                    column.name, table.name
                ),
            )
            .detail(failing_row(table, values)));
        }
    }
    for check in &table.checks {
        if row_condition(&check.condition, values, now)? == Some(false) {
            return Err(error(
                state::CHECK_VIOLATION,
                format!(
                    "new row for relation \"{}\" violates check constraint \"{}\"",
                    table.name, check.name
                ),
            )
            .detail(failing_row(table, values)));
        }
    }
    Ok(())
}

pub(crate) fn row_condition(condition: &RowExpression, values: &[Value], now: i64) -> Fallible<Option<bool>> {
    match row_value(condition, values, now)? {
        Value::Bool(truth) => Ok(Some(truth)),
        _ => Ok(None),
    }
}

pub(crate) fn row_value(expression: &RowExpression, values: &[Value], now: i64) -> Fallible<Value> {
    let mut row = RowOnly { values, now };
    match Machine::default().run(&expression.program, &mut row)? {
        Flow::Ready(value) => Ok(value),
        Flow::Suspended => Err(unsupported("an expression of the catalog that waits")),
    }
}

/// An environment of one row: slot *n* is column *n*.
struct RowOnly<'a> {
    values: &'a [Value],
    now: i64,
}

impl Environment for RowOnly<'_> {
    fn slot(&self, slot: u32) -> &Value {
        &self.values[slot as usize]
    }
    fn param(&self, _: u32) -> &Value {
        &Value::Null
    }
    fn transaction_time(&self) -> i64 {
        self.now
    }
    fn clock_time(&self) -> i64 {
        self.now
    }
    fn session_call(&mut self, _: crate::expr::function::Session, _: &[Value]) -> Fallible<Value> {
        Err(unsupported("a function of the session in a constraint"))
    }
    fn user_call(&mut self, _: &crate::catalog::UserFunction, _: &[Value]) -> Fallible<Flow<Value>> {
        Err(unsupported("a function of users here"))
    }
    fn advisory(&mut self, _: crate::expr::Advisory, _: &[Value]) -> Fallible<Flow<Value>> {
        Err(unsupported("an advisory lock in a constraint"))
    }
    fn subquery(&mut self, _: u32, _: Answer, _: Option<&Value>) -> Fallible<Flow<Value>> {
        Err(unsupported("a subquery in a constraint"))
    }
}

/// A table's whole row from its bytes.
pub(crate) fn decode(table: &Table, bytes: &[u8]) -> Vec<Value> {
    let mut values = Vec::with_capacity(table.columns.len());
    row::decode_all(bytes, &table.layout, &mut values);
    // What a dropped column held is of no interest.
    for (column, value) in table.columns.iter().zip(&mut values) {
        if column.dropped {
            *value = Value::Null;
        }
    }
    values
}
