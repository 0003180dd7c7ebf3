//! ORDER BY, DISTINCT, LIMIT.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use base::Value;

use super::{Context, KeptRow, State, Step, key_of, next};
use crate::bind::SortKey;
use crate::error::{Fallible, error, state as sqlstate};
use crate::expr::{Flow, Machine, Program};
use crate::plan::{Kept, Node};
use crate::types::compare::compare_for_sort;

#[derive(Clone, Debug, Hash)]
pub(crate) struct SortState {
    input: State,
    rows: Vec<(Box<[Value]>, KeptRow)>,
    sorted: bool,
    at: usize,
}

impl SortState {
    pub(crate) fn new(input: State) -> SortState {
        SortState {
            input,
            rows: Vec::new(),
            sorted: false,
            at: 0,
        }
    }
}

pub(crate) fn next_sorted(
    input: &Node,
    keys: &[SortKey],
    kept: &Kept,
    state: &mut SortState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    while !state.sorted {
        match next(input, &mut state.input, cx)? {
            Step::Suspended => return Ok(Step::Suspended),
            Step::Row => {
                let values = keys.iter().map(|key| cx.run.frame[key.slot as usize].clone()).collect();
                state.rows.push((values, KeptRow::take(kept, cx.run)));
            }
            Step::Done => {
                // Stable: rows with equal keys stay in the order in which they came.
                state.rows.sort_by(|(a, _), (b, _)| compare_keys(keys, a, b));
                state.sorted = true;
            }
        }
    }
    let Some((_, row)) = state.rows.get(state.at) else {
        return Ok(Step::Done);
    };
    if !cx.burn() {
        return Ok(Step::Suspended);
    }
    row.restore(kept, cx.run);
    state.at += 1;
    Ok(Step::Row)
}

fn compare_keys(keys: &[SortKey], left: &[Value], right: &[Value]) -> Ordering {
    let mut pairs = keys.iter().zip(left.iter().zip(right));
    let unequal = pairs.find_map(|(key, (a, b))| {
        let order = compare_for_sort(a, b, key.descending, key.nulls_first);
        order.is_ne().then_some(order)
    });
    unequal.unwrap_or(Ordering::Equal)
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct DistinctState {
    input: State,
    seen: BTreeSet<Vec<u8>>,
}

impl DistinctState {
    pub(crate) fn new(input: State) -> DistinctState {
        DistinctState {
            input,
            seen: BTreeSet::new(),
        }
    }
}

pub(crate) fn next_distinct(
    input: &Node,
    slots: &[u32],
    state: &mut DistinctState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    loop {
        match next(input, &mut state.input, cx)? {
            Step::Row if state.seen.insert(key_of(slots, cx.run)) => return Ok(Step::Row),
            Step::Row => {}
            other => return Ok(other),
        }
    }
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct DistinctOnState {
    input: State,
    last: Option<Vec<u8>>,
}

impl DistinctOnState {
    pub(crate) fn new(input: State) -> DistinctOnState {
        DistinctOnState { input, last: None }
    }
}

pub(crate) fn next_distinct_on(
    input: &Node,
    slots: &[u32],
    state: &mut DistinctOnState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    loop {
        match next(input, &mut state.input, cx)? {
            Step::Row => {
                let key = key_of(slots, cx.run);
                if state.last.as_ref() != Some(&key) {
                    state.last = Some(key);
                    return Ok(Step::Row);
                }
            }
            other => return Ok(other),
        }
    }
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct LimitState {
    input: State,
    machine: Machine,
    offset: Option<u64>,
    limit: Option<Option<u64>>,
    skipped: u64,
    given: u64,
}

impl LimitState {
    pub(crate) fn new(input: State) -> LimitState {
        LimitState {
            input,
            machine: Machine::default(),
            offset: None,
            limit: None,
            skipped: 0,
            given: 0,
        }
    }
}

pub(crate) fn next_limited(
    input: &Node,
    limit: Option<&Program>,
    offset: Option<&Program>,
    state: &mut LimitState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    if state.offset.is_none() {
        match count(offset, &mut state.machine, cx)? {
            None => return Ok(Step::Suspended),
            Some(Some(n)) if n < 0 => {
                return Err(error(sqlstate::INVALID_ROW_COUNT_OFFSET, "OFFSET must not be negative"));
            }
            Some(n) => state.offset = Some(n.unwrap_or(0) as u64),
        }
    }
    if state.limit.is_none() {
        match count(limit, &mut state.machine, cx)? {
            None => return Ok(Step::Suspended),
            Some(Some(n)) if n < 0 => {
                return Err(error(sqlstate::INVALID_ROW_COUNT_LIMIT, "LIMIT must not be negative"));
            }
            Some(n) => state.limit = Some(n.map(|n| n as u64)),
        }
    }
    let most = state.limit.flatten();
    loop {
        if most.is_some_and(|most| state.given >= most) {
            return Ok(Step::Done);
        }
        match next(input, &mut state.input, cx)? {
            Step::Row if state.skipped < state.offset.unwrap_or(0) => state.skipped += 1,
            Step::Row => {
                state.given += 1;
                return Ok(Step::Row);
            }
            other => return Ok(other),
        }
    }
}

/// `None`: suspended. `Some(None)`: no such clause, or NULL, which means the same.
fn count(program: Option<&Program>, machine: &mut Machine, cx: &mut Context<'_>) -> Fallible<Option<Option<i64>>> {
    let Some(program) = program else {
        return Ok(Some(None));
    };
    Ok(match machine.run(program, cx)? {
        Flow::Suspended => None,
        Flow::Ready(value) => Some(value.as_i64()),
    })
}
