//! The rows of several tables, one after the other: partitions, tables that inherit.

use super::scan::evaluate;
use super::{Context, Place, State, Step};
use crate::error::Fallible;
use crate::expr::Machine;
use crate::plan::AppendPlan;

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct AppendState {
    /// Whether each part is read; known from the first call on.
    live: Option<Vec<bool>>,
    at: usize,
    part: Option<Box<State>>,
}

pub(crate) fn next(plan: &AppendPlan, state: &mut AppendState, cx: &mut Context<'_>) -> Fallible<Step> {
    if state.live.is_none() {
        state.live = Some(live_parts(plan, cx)?);
    }
    while let Some(part) = plan.parts.get(state.at) {
        let live = state.live.as_ref().is_none_or(|live| live[state.at]);
        let step = if live {
            let input = state.part.get_or_insert_with(|| Box::new(State::new(&part.node)));
            super::next(&part.node, input, cx)?
        } else {
            Step::Done
        };
        match step {
            Step::Row => {
                cx.run.rows[plan.table] = Place {
                    row: cx.run.rows[part.table].row,
                    member: part.table as u32,
                };
                return Ok(Step::Row);
            }
            Step::Suspended => return Ok(Step::Suspended),
            Step::Done => (state.part, state.at) = (None, state.at + 1),
        }
    }
    Ok(Step::Done)
}

/// Decides by what is known now, where the plan could not.
fn live_parts(plan: &AppendPlan, cx: &mut Context<'_>) -> Fallible<Vec<bool>> {
    let mut live = vec![true; plan.parts.len()];
    let mut machine = Machine::default();
    for (level, pruning) in &plan.pruning {
        let survivors = pruning.survivors(&mut |program| evaluate(program, &mut machine, cx).map(Some))?;
        for (live, part) in live.iter_mut().zip(&plan.parts) {
            let dies = |(above, number): &(usize, usize)| above == level && !survivors[*number];
            *live &= !part.path.iter().any(dies);
        }
    }
    Ok(live)
}
