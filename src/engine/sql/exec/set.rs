//! UNION, INTERSECT, EXCEPT.

use std::collections::BTreeMap;

use syntax::SetOperator;

use super::{Context, State, Step, key_of};
use crate::error::Fallible;
use crate::plan::SetPlan;

#[derive(Clone, Debug, Hash)]
pub(crate) struct SetState {
    left: State,
    right: State,
    /// UNION: the left side has ended. Others: the right side has been counted.
    first_done: bool,
    /// How often each row came on the right (INTERSECT, EXCEPT), or was given (UNION).
    counts: BTreeMap<Vec<u8>, u64>,
}

impl SetState {
    pub(crate) fn new(left: State, right: State) -> SetState {
        SetState {
            left,
            right,
            first_done: false,
            counts: BTreeMap::new(),
        }
    }
}

pub(crate) fn next(plan: &SetPlan, state: &mut SetState, cx: &mut Context<'_>) -> Fallible<Step> {
    match plan.operator {
        SetOperator::Union => next_union(plan, state, cx),
        SetOperator::Intersect | SetOperator::Except => next_counted(plan, state, cx),
    }
}

fn next_union(plan: &SetPlan, state: &mut SetState, cx: &mut Context<'_>) -> Fallible<Step> {
    loop {
        let (step, slots) = if state.first_done {
            (super::next(&plan.right, &mut state.right, cx)?, &plan.right_slots)
        } else {
            (super::next(&plan.left, &mut state.left, cx)?, &plan.left_slots)
        };
        match step {
            Step::Done if !state.first_done => state.first_done = true,
            Step::Row if plan.all || state.counts.insert(key_of(slots, cx.run), 1).is_none() => {
                copy(slots, &plan.output, cx);
                return Ok(Step::Row);
            }
            Step::Row => {}
            other => return Ok(other),
        }
    }
}

fn next_counted(plan: &SetPlan, state: &mut SetState, cx: &mut Context<'_>) -> Fallible<Step> {
    while !state.first_done {
        match next_right(plan, state, cx)? {
            Step::Row => *state.counts.entry(key_of(&plan.right_slots, cx.run)).or_default() += 1,
            Step::Done => state.first_done = true,
            Step::Suspended => return Ok(Step::Suspended),
        }
    }
    let intersect = plan.operator == SetOperator::Intersect;
    loop {
        match super::next(&plan.left, &mut state.left, cx)? {
            Step::Row => {}
            other => return Ok(other),
        }
        let key = key_of(&plan.left_slots, cx.run);
        let count = state.counts.get(&key).copied();
        let wanted = match (intersect, plan.all) {
            // Each right row pairs with one left row.
            (true, true) => count.is_some_and(|count| count > 0),
            (true, false) => count.is_some_and(|count| count > 0),
            (false, _) => count.unwrap_or(0) == 0,
        };
        match (intersect, plan.all) {
            (_, true) => {
                if let Some(count) = state.counts.get_mut(&key) {
                    *count = count.saturating_sub(1);
                }
            }
            // Given once, then no more.
            (true, false) => drop(state.counts.insert(key, 0)),
            (false, false) => drop(state.counts.insert(key, 1)),
        }
        if wanted {
            copy(&plan.left_slots, &plan.output, cx);
            return Ok(Step::Row);
        }
    }
}

fn next_right(plan: &SetPlan, state: &mut SetState, cx: &mut Context<'_>) -> Fallible<Step> {
    super::next(&plan.right, &mut state.right, cx)
}

fn copy(from: &[u32], to: &[u32], cx: &mut Context<'_>) {
    for (from, to) in from.iter().zip(to) {
        cx.run.frame[*to as usize] = cx.run.frame[*from as usize].clone();
    }
}
