//! Joins: nested loop over an index, hash.

use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

use base::map::HashMap;
use base::{Fingerprint, Value};

use super::{Context, KeptRow, State, Step, next, restore_null};
use crate::bind::Join;
use crate::error::Fallible;
use crate::expr::{Flow, Machine, Program};
use crate::key;
use crate::plan::{HashJoin, Kept, Node};

#[derive(Clone, Debug, Hash)]
pub(crate) struct NestedLoopState {
    left: State,
    right: State,
    /// A left row is in the frame.
    has_left: bool,
    matched: bool,
    machine: Machine,
    pending: bool,
}

impl NestedLoopState {
    pub(crate) fn new(left: State, right: State) -> NestedLoopState {
        NestedLoopState {
            left,
            right,
            has_left: false,
            matched: false,
            machine: Machine::default(),
            pending: false,
        }
    }
}

pub(crate) fn next_nested(
    left: &Node,
    right: &Node,
    outer: bool,
    condition: Option<&Program>,
    right_kept: &Kept,
    state: &mut NestedLoopState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    loop {
        if !state.has_left {
            match next(left, &mut state.left, cx)? {
                Step::Row => {
                    state.right = State::new(right);
                    (state.has_left, state.matched) = (true, false);
                }
                other => return Ok(other),
            }
        }
        if !state.pending {
            match next(right, &mut state.right, cx)? {
                Step::Row => state.pending = true,
                Step::Suspended => return Ok(Step::Suspended),
                Step::Done => {
                    state.has_left = false;
                    if outer && !state.matched {
                        restore_null(right_kept, cx.run);
                        return Ok(Step::Row);
                    }
                    continue;
                }
            }
        }
        let holds = match condition {
            None => true,
            Some(condition) => match state.machine.run(condition, cx)? {
                Flow::Suspended => return Ok(Step::Suspended),
                Flow::Ready(value) => value == Value::Bool(true),
            },
        };
        state.pending = false;
        if holds {
            state.matched = true;
            return Ok(Step::Row);
        }
    }
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct HashJoinState {
    left: State,
    right: State,
    phase: Phase,
    /// Rows of the right side, in the order in which they came.
    rows: Vec<KeptRow>,
    /// Which of them have had a partner (full join).
    matched: Vec<bool>,
    table: JoinTable,
    /// The candidate for the left row that is in the frame; there are more behind it in the table.
    candidate: Option<u32>,
    /// Full join: the right row that is looked at in the end.
    at: usize,
    left_matched: bool,
    machine: Machine,
    pending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Build,
    NextLeft,
    Candidates,
    /// Full join: right rows that had no partner.
    Unmatched,
}

impl HashJoinState {
    pub(crate) fn new(left: State, right: State) -> HashJoinState {
        HashJoinState {
            left,
            right,
            phase: Phase::Build,
            rows: Vec::new(),
            matched: Vec::new(),
            table: JoinTable::default(),
            candidate: None,
            at: 0,
            left_matched: false,
            machine: Machine::default(),
            pending: false,
        }
    }
}

pub(crate) fn next_hash(plan: &HashJoin, state: &mut HashJoinState, cx: &mut Context<'_>) -> Fallible<Step> {
    loop {
        match state.phase {
            Phase::Build => match next(&plan.right, &mut state.right, cx)? {
                Step::Suspended => return Ok(Step::Suspended),
                Step::Done => state.phase = Phase::NextLeft,
                Step::Row => keep_right(plan, state, cx)?,
            },
            Phase::NextLeft => match next(&plan.left, &mut state.left, cx)? {
                Step::Suspended => return Ok(Step::Suspended),
                Step::Row => find_candidates(plan, state, cx)?,
                Step::Done if plan.kind == Join::Full => {
                    (state.phase, state.at) = (Phase::Unmatched, 0);
                }
                Step::Done => return Ok(Step::Done),
            },
            Phase::Candidates => {
                if let Some(step) = next_candidate(plan, state, cx)? {
                    return Ok(step);
                }
            }
            Phase::Unmatched => {
                while state.matched.get(state.at) == Some(&true) {
                    state.at += 1;
                }
                let Some(row) = state.rows.get(state.at) else {
                    return Ok(Step::Done);
                };
                row.restore(&plan.right_kept, cx.run);
                restore_null(&plan.left_kept, cx.run);
                state.at += 1;
                return merge(plan, state, cx);
            }
        }
    }
}

fn keep_right(plan: &HashJoin, state: &mut HashJoinState, cx: &mut Context<'_>) -> Fallible<()> {
    let number = state.rows.len() as u32;
    let mut key = std::mem::take(&mut cx.core.buffer);
    let found = join_key(&plan.right_keys, &mut state.machine, cx, &mut key);
    // A NULL in the key has no partner; only a full join keeps such a row at all.
    if let Ok(has_key) = found
        && (has_key || plan.kind == Join::Full)
    {
        state.rows.push(KeptRow::take(&plan.right_kept, cx.run));
        state.matched.push(false);
        state.table.push(number, has_key.then_some(&key));
    }
    cx.core.buffer = key;
    found.map(drop)
}

fn find_candidates(plan: &HashJoin, state: &mut HashJoinState, cx: &mut Context<'_>) -> Fallible<()> {
    let mut key = std::mem::take(&mut cx.core.buffer);
    let found = join_key(&plan.left_keys, &mut state.machine, cx, &mut key);
    if let Ok(has_key) = found {
        state.candidate = if has_key { state.table.first(&key) } else { None };
    }
    cx.core.buffer = key;
    (state.left_matched, state.phase) = (false, Phase::Candidates);
    found.map(drop)
}

/// The next partner of the left row; `None`: go on with the next left row.
fn next_candidate(plan: &HashJoin, state: &mut HashJoinState, cx: &mut Context<'_>) -> Fallible<Option<Step>> {
    while let Some(number) = state.candidate {
        if !state.pending {
            if !cx.burn() {
                return Ok(Some(Step::Suspended));
            }
            state.rows[number as usize].restore(&plan.right_kept, cx.run);
            state.pending = true;
        }
        let holds = match &plan.condition {
            None => true,
            Some(condition) => match state.machine.run(condition, cx)? {
                Flow::Suspended => return Ok(Some(Step::Suspended)),
                Flow::Ready(value) => value == Value::Bool(true),
            },
        };
        state.pending = false;
        state.candidate = state.table.next(number);
        if holds {
            state.left_matched = true;
            state.matched[number as usize] = true;
            return merge(plan, state, cx).map(Some);
        }
    }
    state.phase = Phase::NextLeft;
    if !state.left_matched && matches!(plan.kind, Join::Left | Join::Full) {
        restore_null(&plan.right_kept, cx.run);
        return merge(plan, state, cx).map(Some);
    }
    Ok(None)
}

/// What USING merges is computed from the two sides (no subquery can be in it).
fn merge(plan: &HashJoin, state: &mut HashJoinState, cx: &mut Context<'_>) -> Fallible<Step> {
    for (program, slot) in &plan.merged {
        if let Flow::Ready(value) = state.machine.run(program, cx)? {
            cx.run.frame[*slot as usize] = value;
        }
    }
    Ok(Step::Row)
}

/// Writes the key's bytes; false if a part is NULL. Keys hold no subquery, so they end at once.
fn join_key(programs: &[Program], machine: &mut Machine, cx: &mut Context<'_>, key: &mut Vec<u8>) -> Fallible<bool> {
    key.clear();
    for program in programs {
        match machine.run(program, cx)? {
            Flow::Ready(value) if !value.is_null() => key::encode(&value, key::Order::default(), key),
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The right side's rows by their keys: rows with equal keys form a chain, in the order in which they came.
#[derive(Clone, Debug, Default)]
struct JoinTable {
    /// The keys' bytes, one after the other, and where each row's end; a row without a key has none.
    keys: Vec<u8>,
    ends: Vec<u32>,
    /// The next row of the same chain.
    nexts: Vec<Option<u32>>,
    /// By a key's hash: the first and the last row of its chain, in which other keys with that hash may be, too.
    chains: HashMap<u64, (u32, u32)>,
}

impl JoinTable {
    fn push(&mut self, row: u32, key: Option<&Vec<u8>>) {
        self.keys.extend(key.into_iter().flatten());
        self.ends.push(self.keys.len() as u32);
        self.nexts.push(None);
        let Some(key) = key else { return };
        match self.chains.entry(Fingerprint::of_bytes(key)) {
            Entry::Vacant(chain) => {
                chain.insert((row, row));
            }
            Entry::Occupied(mut chain) => {
                let (_, last) = chain.get_mut();
                self.nexts[*last as usize] = Some(row);
                *last = row;
            }
        }
    }

    fn key(&self, row: u32) -> &[u8] {
        let row = row as usize;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start as usize..self.ends[row] as usize]
    }

    fn first(&self, key: &[u8]) -> Option<u32> {
        let (first, _) = *self.chains.get(&Fingerprint::of_bytes(key))?;
        self.with_key(Some(first), key)
    }

    /// The next row with the same key.
    fn next(&self, row: u32) -> Option<u32> {
        self.with_key(self.nexts[row as usize], self.key(row))
    }

    /// From here on in a chain.
    fn with_key(&self, mut row: Option<u32>, key: &[u8]) -> Option<u32> {
        while let Some(at) = row
            && self.key(at) != key
        {
            row = self.nexts[at as usize];
        }
        row
    }
}

/// All follows from the keys and their order.
impl Hash for JoinTable {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.keys, &self.ends).hash(state);
    }
}
