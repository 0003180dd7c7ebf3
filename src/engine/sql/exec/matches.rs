//! Rows of a table that have given values in given columns: by an index if there is one, else by a scan; in those
//! partitions that can have them.

use std::sync::Arc;

use base::Value;

use super::lock_rows::LockRow;
use super::write_row::decode;
use super::{Context, failed};
use crate::catalog::{IndexKey, Table};
use crate::error::Fallible;
use crate::key;
use crate::storage::{HeapCursor, RowId, Snapshot};
use crate::types::compare::same;

/// Rows of a table with given values in given columns: by an index if there is one, else by a scan.
#[derive(Clone, Debug, Hash)]
pub(super) struct Matches {
    pub(super) table: Arc<Table>,
    columns: Vec<u16>,
    values: Vec<Value>,
    rows: Vec<RowId>,
    at: usize,
    scan: Option<HeapCursor>,
    /// Partitions that are still to be looked through, with the columns there; the next one last.
    others: Vec<(Arc<Table>, Vec<u16>)>,
}

pub(super) enum Found {
    Row(RowId, Vec<Value>),
    None,
    OutOfFuel,
}

impl Matches {
    /// In a table, or in those partitions of it that can have such rows.
    pub(super) fn new(table: &Arc<Table>, columns: &[u16], values: &[Value], cx: &mut Context<'_>) -> Matches {
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
    pub(super) fn still(&self, lock: &LockRow, cx: &Context<'_>) -> bool {
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

    pub(super) fn next(&mut self, snapshot: &Snapshot, fuel: &mut u64, cx: &mut Context<'_>) -> Fallible<Found> {
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
