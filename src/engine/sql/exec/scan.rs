//! Reading tables: sequential scans, index scans; VALUES.

use std::ops::Bound;

use base::{Row, Value};

use super::{Context, Step, failed};
use crate::bind::RangeTable;
use crate::error::{Fallible, error};
use crate::expr::{Flow, Machine, Program};
use crate::key::{self, Order};
use crate::plan::{Edge, IndexScan, List};
use crate::storage::{HeapCursor, IndexCursor, RowId};
use crate::system::{self, View};

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct SeqScanState {
    cursor: Option<HeapCursor>,
    /// Of an ephemeral table or a system view.
    at: usize,
    /// A system view's rows, made when the scan began.
    view: Option<Box<[Row]>>,
    machine: Machine,
    /// A row is in the frame, its condition not yet decided.
    pending: bool,
}

pub(crate) fn next_seq(
    table: usize,
    filter: Option<&Program>,
    state: &mut SeqScanState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    loop {
        if !state.pending {
            if !cx.burn() {
                return Ok(Step::Suspended);
            }
            let found = if cx.ephemeral.is_empty() {
                match system::view(cx.plan.table(table).id) {
                    None => fetch_next(table, state, cx)?,
                    Some(view) => fetch_from_view(view, table, state, cx),
                }
            } else {
                fetch_ephemeral(table, state, cx)
            };
            if !found {
                return Ok(Step::Done);
            }
            cx.session.usage.rows_read += 1;
            state.pending = true;
        }
        match passes(filter, &mut state.machine, cx)? {
            None => return Ok(Step::Suspended),
            Some(passed) => {
                state.pending = false;
                if passed {
                    return Ok(Step::Row);
                }
            }
        }
    }
}

fn fetch_next(table: usize, state: &mut SeqScanState, cx: &mut Context<'_>) -> Fallible<bool> {
    let heap = cx.plan.table(table).heap;
    let (storage, snapshot) = (&mut cx.core.storage, &cx.run.snapshot);
    let cursor = state.cursor.get_or_insert_with(|| storage.scan(heap));
    let found = match cx.session.transaction.serial {
        None => storage.next_visible(cursor, snapshot),
        Some(serial) => {
            let row = storage.next_visible_watched(serial, cursor, snapshot).map_err(failed)?;
            row.and_then(|row| storage.fetch(heap, row, snapshot).map(|bytes| (row, bytes)))
        }
    };
    cx.session.usage.pages_read += cursor.take_pages();
    let Some((row, bytes)) = found else {
        return Ok(false);
    };
    Context::load(cx.plan, table, row, bytes, cx.run);
    Ok(true)
}

fn fetch_ephemeral(table: usize, state: &mut SeqScanState, cx: &mut Context<'_>) -> bool {
    let range = &cx.plan.tables[table];
    // An evaluation numbers its tables' heaps by their place.
    let Some(row) = cx
        .ephemeral
        .get(range.table.heap.0 as usize)
        .and_then(|rows| rows.get(state.at))
    else {
        return false;
    };
    state.at += 1;
    put_row(row, range, &mut cx.run.frame);
    true
}

fn fetch_from_view(view: View, table: usize, state: &mut SeqScanState, cx: &mut Context<'_>) -> bool {
    let rows = state
        .view
        .get_or_insert_with(|| system::rows(view, cx.core, cx.session).into());
    let Some(row) = rows.get(state.at) else {
        return false;
    };
    state.at += 1;
    put_row(row, &cx.plan.tables[table], &mut cx.run.frame);
    true
}

fn put_row(row: &Row, range: &RangeTable, frame: &mut [Value]) {
    for (column, slot) in &range.wanted {
        frame[*slot as usize] = row.get(usize::from(*column)).cloned().unwrap_or(Value::Null);
    }
}

/// Whether the frame's row passes; `None`: suspended.
fn passes(filter: Option<&Program>, machine: &mut Machine, cx: &mut Context<'_>) -> Fallible<Option<bool>> {
    match filter {
        None => Ok(Some(true)),
        Some(filter) => Ok(match machine.run(filter, cx)? {
            Flow::Suspended => None,
            Flow::Ready(value) => Some(value == Value::Bool(true)),
        }),
    }
}

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct TidScanState {
    /// In physical order, each once; the next one last. Found at the first call.
    places: Option<Vec<RowId>>,
    machine: Machine,
    pending: bool,
}

/// The versions at some places that the snapshot sees.
pub(crate) fn next_at_places(
    table: usize,
    places: &[Program],
    filter: Option<&Program>,
    state: &mut TidScanState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    if state.places.is_none() {
        state.places = Some(row_ids(places, &mut state.machine, cx)?);
    }
    loop {
        if !state.pending {
            if !cx.burn() {
                return Ok(Step::Suspended);
            }
            let Some(row) = state.places.as_mut().and_then(Vec::pop) else {
                return Ok(Step::Done);
            };
            let heap = cx.plan.table(table).heap;
            cx.session.usage.pages_read += 1;
            if let Some(serial) = cx.session.transaction.serial {
                let watched = cx.core.storage.watch_fetch(serial, heap, row, &cx.run.snapshot);
                watched.map_err(failed)?;
            }
            let Some(bytes) = cx.core.storage.fetch(heap, row, &cx.run.snapshot) else {
                continue;
            };
            Context::load(cx.plan, table, row, bytes, cx.run);
            cx.session.usage.rows_read += 1;
            state.pending = true;
        }
        match passes(filter, &mut state.machine, cx)? {
            None => return Ok(Step::Suspended),
            Some(passed) => {
                state.pending = false;
                if passed {
                    return Ok(Step::Row);
                }
            }
        }
    }
}

fn row_ids(places: &[Program], machine: &mut Machine, cx: &mut Context<'_>) -> Fallible<Vec<RowId>> {
    let mut rows = Vec::new();
    let mut add = |value: &Value| {
        if let Value::Tid(page, slot) = value {
            rows.push(RowId {
                page: *page,
                slot: *slot,
            });
        }
    };
    for place in places {
        match evaluate(place, machine, cx)? {
            Value::List(items) => items.iter().for_each(&mut add),
            value => add(&value),
        }
    }
    rows.sort_unstable();
    rows.dedup();
    rows.reverse();
    Ok(rows)
}

/// The row ids of a whole key that are still to be visited. Most keys have one, which takes no memory of its own.
#[derive(Clone, Debug, Default, Hash)]
struct Found {
    first: Option<RowId>,
    others: Vec<RowId>,
    at: usize,
}

impl Found {
    fn push(&mut self, row: RowId) {
        if self.first.is_none() && self.others.is_empty() {
            self.first = Some(row);
        } else {
            self.others.push(row);
        }
    }

    fn next(&mut self) -> Option<RowId> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let row = *self.others.get(self.at)?;
        self.at += 1;
        Some(row)
    }
}

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct IndexScanState {
    /// Made at the first call.
    ready: bool,
    machine: Machine,
    /// The values of a list, ascending by key; the current one first.
    probes: Vec<Vec<u8>>,
    probe: usize,
    found: Found,
    cursor: Option<IndexCursor>,
    pending: bool,
}

pub(crate) fn next_index(plan: &IndexScan, state: &mut IndexScanState, cx: &mut Context<'_>) -> Fallible<Step> {
    if !state.ready {
        start_index(plan, state, cx)?;
        state.ready = true;
    }
    loop {
        if !state.pending {
            if !cx.burn() {
                return Ok(Step::Suspended);
            }
            let Some(root) = next_entry(plan, state, cx) else {
                return Ok(Step::Done);
            };
            let heap = cx.plan.table(plan.table).heap;
            cx.session.usage.pages_read += 1;
            let (storage, snapshot) = (&mut cx.core.storage, &cx.run.snapshot);
            let found = match cx.session.transaction.serial {
                None => storage.fetch_indexed(heap, root, snapshot),
                Some(serial) => {
                    let row = storage
                        .fetch_indexed_watched(serial, heap, root, snapshot)
                        .map_err(failed)?;
                    row.and_then(|row| storage.fetch(heap, row, snapshot).map(|bytes| (row, bytes)))
                }
            };
            let Some((row, bytes)) = found else {
                continue;
            };
            Context::load(cx.plan, plan.table, row, bytes, cx.run);
            cx.session.usage.rows_read += 1;
            state.pending = true;
        }
        // The condition is part of the filter: an entry may be older than its row.
        match passes(plan.filter.as_ref(), &mut state.machine, cx)? {
            None => return Ok(Step::Suspended),
            Some(passed) => {
                state.pending = false;
                if passed {
                    return Ok(Step::Row);
                }
            }
        }
    }
}

/// Evaluates the keys and opens the first probe.
fn start_index(plan: &IndexScan, state: &mut IndexScanState, cx: &mut Context<'_>) -> Fallible<()> {
    let mut prefix = std::mem::take(&mut cx.core.buffer);
    prefix.clear();
    let started = start_below(plan, &mut prefix, state, cx);
    cx.core.buffer = prefix;
    started
}

fn start_below(
    plan: &IndexScan,
    prefix: &mut Vec<u8>,
    state: &mut IndexScanState,
    cx: &mut Context<'_>,
) -> Fallible<()> {
    for (program, order) in &plan.equal {
        let value = evaluate(program, &mut state.machine, cx)?;
        if value.is_null() {
            return Ok(());
        }
        key::encode(&value, *order, prefix);
    }
    match &plan.list {
        Some((list, order)) => {
            state.probes = list_probes(list, *order, prefix, &mut state.machine, cx)?;
            if !state.probes.is_empty() {
                open_probe(plan, state, cx);
            }
        }
        None if plan.whole_key => look_up(plan, prefix, &mut state.found, cx),
        None => state.cursor = open_range(plan, prefix, &mut state.machine, cx)?,
    }
    Ok(())
}

/// Finds the row ids of a whole key.
fn look_up(plan: &IndexScan, key: &[u8], found: &mut Found, cx: &mut Context<'_>) {
    cx.session.usage.index_probes += 1;
    cx.session.usage.pages_read += u64::from(cx.core.storage.index_depth(plan.index));
    *found = Found::default();
    if let Some(serial) = cx.serial() {
        cx.core.storage.watch_lookup(serial, plan.index, key);
    }
    cx.core.storage.index_lookup(plan.index, key, |row| found.push(row));
}

/// Programs over outer slots and parameters: they have no subquery, so they end at once.
pub(super) fn evaluate(program: &Program, machine: &mut Machine, cx: &mut Context<'_>) -> Fallible<Value> {
    match machine.run(program, cx)? {
        Flow::Ready(value) => Ok(value),
        Flow::Suspended => Err(error("XX000", "an index key was suspended")),
    }
}

fn list_probes(
    list: &List,
    order: Order,
    prefix: &[u8],
    machine: &mut Machine,
    cx: &mut Context<'_>,
) -> Fallible<Vec<Vec<u8>>> {
    let values: Vec<Value> = match list {
        List::Items(programs) => {
            let mut values = Vec::with_capacity(programs.len());
            for program in programs {
                values.push(evaluate(program, machine, cx)?);
            }
            values
        }
        List::Array(program) => match evaluate(program, machine, cx)? {
            Value::List(items) => items.to_vec(),
            _ => Vec::new(),
        },
    };
    let mut probes: Vec<Vec<u8>> = values
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| {
            let mut probe = prefix.to_vec();
            key::encode(value, order, &mut probe);
            probe
        })
        .collect();
    probes.sort_unstable();
    probes.dedup();
    Ok(probes)
}

fn open_probe(plan: &IndexScan, state: &mut IndexScanState, cx: &mut Context<'_>) {
    let probe = &state.probes[state.probe];
    if plan.whole_key {
        look_up(plan, probe, &mut state.found, cx);
    } else {
        cx.session.usage.index_probes += 1;
        let end = key::successor(probe);
        let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        state.cursor = Some(IndexCursor::new(
            plan.index,
            Bound::Included(probe),
            upper,
            plan.direction,
        ));
    }
}

/// A bound's bytes and whether it is inclusive; `None`: no such bound.
type EdgeKey = Option<(Vec<u8>, bool)>;

/// The bounds of a range below a prefix of equal columns. In a descending column the edges change places.
fn open_range(
    plan: &IndexScan,
    prefix: &[u8],
    machine: &mut Machine,
    cx: &mut Context<'_>,
) -> Fallible<Option<IndexCursor>> {
    let (first, last) = if plan.order.descending {
        (&plan.upper, &plan.lower)
    } else {
        (&plan.lower, &plan.upper)
    };
    let mut edge_key = |edge: &Option<Edge>| -> Fallible<Option<EdgeKey>> {
        let Some(edge) = edge else {
            return Ok(Some(None));
        };
        let value = evaluate(&edge.value, machine, cx)?;
        if value.is_null() {
            return Ok(None);
        }
        let mut bytes = prefix.to_vec();
        key::encode(&value, plan.order, &mut bytes);
        Ok(Some(Some((bytes, edge.inclusive))))
    };
    let (Some(first), Some(last)) = (edge_key(first)?, edge_key(last)?) else {
        return Ok(None);
    };
    cx.session.usage.index_probes += 1;
    // Without an edge: all values but NULLs, where the column has a condition; else all of the prefix.
    let values_only = plan.lower.is_some() || plan.upper.is_some();
    let class = |byte: u8| [prefix, &[byte]].concat();
    let lower = match first {
        Some((key, true)) => Some(key),
        Some((key, false)) => key::successor(&key),
        None if values_only => Some(class(1)),
        None => Some(prefix.to_vec()),
    };
    let upper = match last {
        Some((key, true)) => key::successor(&key),
        Some((key, false)) => Some(key),
        None if values_only => Some(class(2)),
        None => key::successor(prefix),
    };
    let lower = lower.as_deref().map_or(Bound::Unbounded, Bound::Included);
    let upper = upper.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    Ok(Some(IndexCursor::new(plan.index, lower, upper, plan.direction)))
}

fn next_entry(plan: &IndexScan, state: &mut IndexScanState, cx: &mut Context<'_>) -> Option<RowId> {
    loop {
        if let Some(row) = state.found.next() {
            return Some(row);
        }
        if let Some(cursor) = &mut state.cursor {
            let entry = match cx.session.transaction.serial {
                None => cx.core.storage.index_next(cursor),
                Some(serial) => cx.core.storage.index_next_watched(serial, cursor),
            };
            cx.session.usage.pages_read += cursor.take_pages();
            if entry.is_some() {
                return entry;
            }
            state.cursor = None;
        }
        if state.probe + 1 >= state.probes.len() {
            return None;
        }
        state.probe += 1;
        open_probe(plan, state, cx);
    }
}

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct ValuesState {
    row: usize,
    column: usize,
    burnt: bool,
    machine: Machine,
}

pub(crate) fn next_values(
    rows: &[Box<[Program]>],
    slots: &[u32],
    state: &mut ValuesState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    let Some(row) = rows.get(state.row) else {
        return Ok(Step::Done);
    };
    if !state.burnt {
        if !cx.burn() {
            return Ok(Step::Suspended);
        }
        state.burnt = true;
    }
    while let Some(program) = row.get(state.column) {
        match state.machine.run(program, cx)? {
            Flow::Suspended => return Ok(Step::Suspended),
            Flow::Ready(value) => cx.run.frame[slots[state.column] as usize] = value,
        }
        state.column += 1;
    }
    (state.row, state.column, state.burnt) = (state.row + 1, 0, false);
    Ok(Step::Row)
}
