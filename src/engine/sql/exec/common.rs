//! Statements at work, and those of WITH that run once beside them.
//!
//! A WITH query runs as far as somebody reads it; a write that nobody reads to its end runs on when the statement's
//! own rows are all there. All see the statement's snapshot: none sees what another writes.

use base::Row;

use super::{Context, Modify, State, Step, next};
use crate::error::{Fallible, error};
use crate::plan::Root;

/// A query or a write at work.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Work {
    Query(Box<State>),
    Write(Box<Modify>),
}

impl Work {
    pub(crate) fn new(root: &Root) -> Work {
        match (root, Modify::new(root)) {
            (_, Some(modify)) => Work::Write(Box::new(modify)),
            (Root::Query(query), None) => Work::Query(Box::new(State::new(&query.node))),
            (_, None) => Work::Query(Box::new(State::Once { given: true })),
        }
    }

    /// Goes on to the next row that it gives, or to the end.
    pub(crate) fn next(&mut self, root: &Root, cx: &mut Context<'_>) -> Fallible<Step> {
        match (self, root) {
            (Work::Query(state), Root::Query(query)) => next(&query.node, state, cx),
            (Work::Write(modify), root) => modify.next(root, cx),
            (Work::Query(_), _) => Ok(Step::Done),
        }
    }

    /// The slots of the row that `next` has given.
    pub(crate) fn output<'p>(&self, root: &'p Root) -> &'p [u32] {
        match (self, root) {
            (Work::Write(modify), root) => modify.output(root),
            (_, Root::Query(query)) => &query.output,
            _ => &[],
        }
    }

    /// Rows written so far.
    pub(crate) fn affected(&self) -> Option<u64> {
        match self {
            Work::Query(_) => None,
            Work::Write(modify) => Some(modify.affected),
        }
    }
}

/// A WITH query at work.
#[derive(Clone, Debug, Hash)]
pub(crate) struct CommonRun {
    /// Taken out while it works: it needs the whole context.
    work: Option<Work>,
    rows: Vec<Row>,
    done: bool,
}

impl CommonRun {
    pub(crate) fn new(root: &Root) -> CommonRun {
        CommonRun {
            work: Some(Work::new(root)),
            rows: Vec::new(),
            done: false,
        }
    }
}

/// Reads the next row of a WITH query into slots.
pub(crate) fn next_common(number: usize, slots: &[u32], at: &mut usize, cx: &mut Context<'_>) -> Fallible<Step> {
    loop {
        let run = &cx.run.commons[number];
        if let Some(row) = run.rows.get(*at) {
            for (slot, value) in slots.iter().zip(row.iter()) {
                cx.run.frame[*slot as usize] = value.clone();
            }
            if !cx.burn() {
                return Ok(Step::Suspended);
            }
            *at += 1;
            return Ok(Step::Row);
        }
        if run.done {
            return Ok(Step::Done);
        }
        if advance(number, cx)? == Step::Suspended {
            return Ok(Step::Suspended);
        }
    }
}

/// Runs the writes of WITH to their ends, the last one first. False: suspended.
pub(crate) fn finish_commons(cx: &mut Context<'_>) -> Fallible<bool> {
    let plan = cx.plan;
    for (number, root) in plan.commons.iter().enumerate().rev() {
        while !matches!(root, Root::Query(_)) && !cx.run.commons[number].done {
            if advance(number, cx)? == Step::Suspended {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn advance(number: usize, cx: &mut Context<'_>) -> Fallible<Step> {
    let root = &cx.plan.commons[number];
    let Some(mut work) = cx.run.commons[number].work.take() else {
        return Err(error("XX000", "a WITH query reads itself"));
    };
    let step = work.next(root, cx)?;
    if step == Step::Row {
        let output = work.output(root);
        let row: Row = output.iter().map(|slot| cx.run.frame[*slot as usize].clone()).collect();
        cx.run.commons[number].rows.push(row);
    }
    let run = &mut cx.run.commons[number];
    run.done |= step == Step::Done;
    run.work = Some(work);
    Ok(step)
}
