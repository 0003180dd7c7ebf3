//! Running a plan: pull operators whose whole state is data.
//!
//! `next` gives one of: a row (in the frame), the end, or *suspended*: out of fuel, or waiting for a
//! lock. A suspended operator goes on at the same point when it is called again. Its [`State`] mirrors
//! the plan's [`Node`] and can be cloned and hashed at any time; the plan is shared.

mod aggregate;
mod append;
mod call;
mod common;
mod conflict;
mod context;
mod foreign_key;
mod frame;
mod join;
mod lock_rows;
mod matches;
mod message;
mod modify;
mod scan;
mod series;
mod set;
mod sort;
mod subquery;
mod write_row;

use base::Value;

use crate::error::Fallible;
use crate::expr::{Flow, Machine};
use crate::plan::{Kept, Node};
use crate::storage::RowId;

pub(crate) use call::CallRun;
pub(crate) use common::{CommonRun, Work, finish_commons};
pub(crate) use context::{Context, RowWait, Run, acquire, bind_parameters, deadlock, failed};
pub(crate) use foreign_key::{ForeignEvent, ForeignRun};
pub(crate) use message::{duplicate, entry_text, failing_key, failing_row};
pub(crate) use modify::Modify;
pub(crate) use write_row::{
    check_values, contains, decode as decode_row, generate, index_key, partition_key_of, row_condition,
};

/// What a call of `next` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Row,
    Done,
    /// The context says whether for fuel or for a lock.
    Suspended,
}

/// No row: what `Run::rows` holds where an outer join has no partner.
pub(crate) const NO_ROW: RowId = RowId {
    page: u32::MAX,
    slot: 0,
};

/// Where the current row of a table's appearance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) row: RowId,
    /// The appearance whose table has it: its own, or a member's.
    pub(crate) member: u32,
}

/// A row taken out of the frame.
#[derive(Clone, Debug, Hash)]
pub(crate) struct KeptRow {
    values: Box<[Value]>,
    rows: Box<[Place]>,
}

impl KeptRow {
    pub(crate) fn take(kept: &Kept, run: &Run) -> KeptRow {
        KeptRow {
            values: kept
                .slots
                .iter()
                .map(|slot| run.frame[*slot as usize].clone())
                .collect(),
            rows: kept.tables.iter().map(|table| run.rows[*table]).collect(),
        }
    }

    pub(crate) fn restore(&self, kept: &Kept, run: &mut Run) {
        for (slot, value) in kept.slots.iter().zip(&self.values) {
            run.frame[*slot as usize] = value.clone();
        }
        for (table, row) in kept.tables.iter().zip(&self.rows) {
            run.rows[*table] = *row;
        }
    }
}

/// Writes NULLs where an outer join found nothing.
pub(crate) fn restore_null(kept: &Kept, run: &mut Run) {
    for slot in &kept.slots {
        run.frame[*slot as usize] = Value::Null;
    }
    for table in &kept.tables {
        run.rows[*table].row = NO_ROW;
    }
}

/// Where an operator is.
#[derive(Clone, Debug, Hash)]
pub(crate) enum State {
    Once {
        given: bool,
    },
    SeqScan(scan::SeqScanState),
    TidScan(scan::TidScanState),
    IndexScan(scan::IndexScanState),
    Append(append::AppendState),
    Series(series::SeriesState),
    ProjectSet(Box<series::ProjectSetState>),
    Values(scan::ValuesState),
    /// How many rows of a WITH query have been read.
    Common {
        at: usize,
    },
    NestedLoop(Box<join::NestedLoopState>),
    HashJoin(Box<join::HashJoinState>),
    Filter {
        input: Box<State>,
        machine: Machine,
        pending: bool,
    },
    Compute {
        input: Box<State>,
        machine: Machine,
        at: Option<u32>,
    },
    Aggregate(Box<aggregate::AggregateState>),
    Sort(Box<sort::SortState>),
    Distinct(Box<sort::DistinctState>),
    DistinctOn(Box<sort::DistinctOnState>),
    Limit(Box<sort::LimitState>),
    Set(Box<set::SetState>),
    LockRows(Box<lock_rows::LockRowsState>),
}

impl State {
    pub(crate) fn new(node: &Node) -> State {
        let boxed = |node: &Node| Box::new(State::new(node));
        match node {
            Node::Nothing => State::Once { given: false },
            Node::SeqScan { .. } => State::SeqScan(scan::SeqScanState::default()),
            Node::TidScan { .. } => State::TidScan(scan::TidScanState::default()),
            Node::IndexScan(_) => State::IndexScan(scan::IndexScanState::default()),
            Node::Append(_) => State::Append(append::AppendState::default()),
            Node::Series(_) => State::Series(series::SeriesState::default()),
            Node::ProjectSet { input, .. } => {
                State::ProjectSet(Box::new(series::ProjectSetState::new(State::new(input))))
            }
            Node::Values { .. } => State::Values(scan::ValuesState::default()),
            Node::Common { .. } => State::Common { at: 0 },
            Node::NestedLoop { left, right, .. } => State::NestedLoop(Box::new(join::NestedLoopState::new(
                State::new(left),
                State::new(right),
            ))),
            Node::HashJoin(join) => State::HashJoin(Box::new(join::HashJoinState::new(
                State::new(&join.left),
                State::new(&join.right),
            ))),
            Node::Filter { input, .. } => State::Filter {
                input: boxed(input),
                machine: Machine::default(),
                pending: false,
            },
            Node::Compute { input, .. } => State::Compute {
                input: boxed(input),
                machine: Machine::default(),
                at: None,
            },
            Node::Aggregate(plan) => {
                State::Aggregate(Box::new(aggregate::AggregateState::new(State::new(&plan.input))))
            }
            Node::Sort { input, .. } => State::Sort(Box::new(sort::SortState::new(State::new(input)))),
            Node::Distinct { input, .. } => State::Distinct(Box::new(sort::DistinctState::new(State::new(input)))),
            Node::DistinctOn { input, .. } => {
                State::DistinctOn(Box::new(sort::DistinctOnState::new(State::new(input))))
            }
            Node::Limit { input, .. } => State::Limit(Box::new(sort::LimitState::new(State::new(input)))),
            Node::Set(plan) => State::Set(Box::new(set::SetState::new(
                State::new(&plan.left),
                State::new(&plan.right),
            ))),
            Node::LockRows { input, .. } => State::LockRows(Box::new(lock_rows::LockRowsState::new(State::new(input)))),
        }
    }
}

/// The next row of a node.
pub(crate) fn next(node: &Node, state: &mut State, cx: &mut Context<'_>) -> Fallible<Step> {
    match (node, state) {
        (Node::Nothing, State::Once { given }) => Ok(if std::mem::replace(given, true) {
            Step::Done
        } else {
            Step::Row
        }),
        (Node::SeqScan { table, filter }, State::SeqScan(state)) => scan::next_seq(*table, filter.as_ref(), state, cx),
        (Node::TidScan { table, places, filter }, State::TidScan(state)) => {
            scan::next_at_places(*table, places, filter.as_ref(), state, cx)
        }
        (Node::IndexScan(plan), State::IndexScan(state)) => scan::next_index(plan, state, cx),
        (Node::Append(plan), State::Append(state)) => append::next(plan, state, cx),
        (Node::Series(plan), State::Series(state)) => series::next(plan, state, cx),
        (Node::ProjectSet { input, series }, State::ProjectSet(state)) => {
            series::next_projected(input, series, state, cx)
        }
        (Node::Values { rows, slots }, State::Values(state)) => scan::next_values(rows, slots, state, cx),
        (Node::Common { number, slots }, State::Common { at }) => common::next_common(*number, slots, at, cx),
        (
            Node::NestedLoop {
                left,
                right,
                outer,
                condition,
                right_kept,
            },
            State::NestedLoop(state),
        ) => join::next_nested(left, right, *outer, condition.as_ref(), right_kept, state, cx),
        (Node::HashJoin(plan), State::HashJoin(state)) => join::next_hash(plan, state, cx),
        (
            Node::Filter { input, condition },
            State::Filter {
                input: inner,
                machine,
                pending,
            },
        ) => loop {
            if !*pending {
                match next(input, inner, cx)? {
                    Step::Row => *pending = true,
                    other => return Ok(other),
                }
            }
            match machine.run(condition, cx)? {
                Flow::Suspended => return Ok(Step::Suspended),
                Flow::Ready(value) => {
                    *pending = false;
                    if value == Value::Bool(true) {
                        return Ok(Step::Row);
                    }
                }
            }
        },
        (
            Node::Compute { input, items },
            State::Compute {
                input: inner,
                machine,
                at,
            },
        ) => {
            if at.is_none() {
                match next(input, inner, cx)? {
                    Step::Row => *at = Some(0),
                    other => return Ok(other),
                }
            }
            while let Some((program, slot)) = at.and_then(|at| items.get(at as usize)) {
                match machine.run(program, cx)? {
                    Flow::Suspended => return Ok(Step::Suspended),
                    Flow::Ready(value) => cx.run.frame[*slot as usize] = value,
                }
                *at = at.map(|at| at + 1);
            }
            *at = None;
            Ok(Step::Row)
        }
        (Node::Aggregate(plan), State::Aggregate(state)) => aggregate::next(plan, state, cx),
        (Node::Sort { input, keys, kept }, State::Sort(state)) => sort::next_sorted(input, keys, kept, state, cx),
        (Node::Distinct { input, slots }, State::Distinct(state)) => sort::next_distinct(input, slots, state, cx),
        (Node::DistinctOn { input, slots }, State::DistinctOn(state)) => {
            sort::next_distinct_on(input, slots, state, cx)
        }
        (Node::Limit { input, limit, offset }, State::Limit(state)) => {
            sort::next_limited(input, limit.as_ref(), offset.as_ref(), state, cx)
        }
        (Node::Set(plan), State::Set(state)) => set::next(plan, state, cx),
        (Node::LockRows { input, locks, recheck }, State::LockRows(state)) => {
            lock_rows::next(input, locks, recheck, state, cx)
        }
        // A state is always made from its node.
        _ => Err(crate::error::error(
            "XX000",
            "a running statement does not fit its plan",
        )),
    }
}

/// The bytes that stand for some slots' values: equal for equal values, NULLs included.
pub(crate) fn key_of(slots: &[u32], run: &Run) -> Vec<u8> {
    let mut key = Vec::new();
    for slot in slots {
        crate::key::encode(&run.frame[*slot as usize], Default::default(), &mut key);
    }
    key
}
