//! Joins: nested loop over an index, hash.

use std::collections::BTreeMap;

use base::Value;

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
    table: BTreeMap<Vec<u8>, Vec<u32>>,
    /// Candidates for the left row that is in the frame.
    candidates: Vec<u32>,
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
            table: BTreeMap::new(),
            candidates: Vec::new(),
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
    let key = join_key(&plan.right_keys, &mut state.machine, cx)?;
    // A NULL in the key has no partner; only a full join keeps such a row at all.
    if key.is_none() && plan.kind != Join::Full {
        return Ok(());
    }
    state.rows.push(KeptRow::take(&plan.right_kept, cx.run));
    state.matched.push(false);
    if let Some(key) = key {
        state.table.entry(key).or_default().push(number);
    }
    Ok(())
}

fn find_candidates(plan: &HashJoin, state: &mut HashJoinState, cx: &mut Context<'_>) -> Fallible<()> {
    let key = join_key(&plan.left_keys, &mut state.machine, cx)?;
    state.candidates.clear();
    if let Some(found) = key.and_then(|key| state.table.get(&key)) {
        state.candidates.extend(found);
    }
    (state.at, state.left_matched, state.phase) = (0, false, Phase::Candidates);
    Ok(())
}

/// The next partner of the left row; `None`: go on with the next left row.
fn next_candidate(plan: &HashJoin, state: &mut HashJoinState, cx: &mut Context<'_>) -> Fallible<Option<Step>> {
    while let Some(number) = state.candidates.get(state.at).copied() {
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
        state.at += 1;
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

/// `None` if a part is NULL. Keys hold no subquery, so they end at once.
fn join_key(programs: &[Program], machine: &mut Machine, cx: &mut Context<'_>) -> Fallible<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    for program in programs {
        match machine.run(program, cx)? {
            Flow::Ready(value) if !value.is_null() => key::encode(&value, key::Order::default(), &mut bytes),
            _ => return Ok(None),
        }
    }
    Ok(Some(bytes))
}
