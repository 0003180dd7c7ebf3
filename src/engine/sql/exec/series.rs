//! `generate_series`, in FROM and in the select list.

use base::Value;

use super::scan::evaluate;
use super::{Context, State, Step};
use crate::error::{Fallible, error, state};
use crate::expr::Machine;
use crate::plan::{Node, SeriesPlan};

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct SeriesState {
    bounds: Option<(i64, i64, i64)>,
    ended: bool,
    machine: Machine,
}

pub(crate) fn next(plan: &SeriesPlan, series: &mut SeriesState, cx: &mut Context<'_>) -> Fallible<Step> {
    if series.bounds.is_none() && !series.ended {
        let mut values = Vec::with_capacity(3);
        for program in &plan.arguments {
            values.push(evaluate(program, &mut series.machine, cx)?.as_i64());
        }
        let step = values.get(2).copied().unwrap_or(Some(1));
        if step == Some(0) {
            return Err(error(state::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
        }
        match (values[0], values[1], step) {
            (Some(first), Some(last), Some(step)) => series.bounds = Some((first, last, step)),
            _ => series.ended = true,
        }
    }
    let Some((at, last, step)) = series.bounds else {
        return Ok(Step::Done);
    };
    if (step > 0 && at > last) || (step < 0 && at < last) {
        return Ok(Step::Done);
    }
    if !cx.burn() {
        return Ok(Step::Suspended);
    }
    cx.run.frame[plan.slot as usize] = if plan.wide {
        Value::Int8(at)
    } else {
        Value::Int4(at as i32)
    };
    match at.checked_add(step) {
        Some(next) => series.bounds = Some((next, last, step)),
        None => (series.bounds, series.ended) = (None, true),
    }
    Ok(Step::Row)
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct ProjectSetState {
    input: State,
    /// Those of the current row of the input.
    series: Vec<SeriesState>,
    at: usize,
    /// One has given a value in this round.
    given: bool,
}

impl ProjectSetState {
    pub(crate) fn new(input: State) -> ProjectSetState {
        ProjectSetState {
            input,
            series: Vec::new(),
            at: 0,
            given: false,
        }
    }
}

/// In lockstep, NULL from those that have ended, until all have.
pub(crate) fn next_projected(
    input: &Node,
    plans: &[SeriesPlan],
    state: &mut ProjectSetState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    loop {
        if state.series.is_empty() {
            match super::next(input, &mut state.input, cx)? {
                Step::Row => state.series = vec![SeriesState::default(); plans.len()],
                other => return Ok(other),
            }
        }
        while let (Some(plan), Some(series)) = (plans.get(state.at), state.series.get_mut(state.at)) {
            match next(plan, series, cx)? {
                Step::Suspended => return Ok(Step::Suspended),
                Step::Row => state.given = true,
                Step::Done => cx.run.frame[plan.slot as usize] = Value::Null,
            }
            state.at += 1;
        }
        state.at = 0;
        if std::mem::take(&mut state.given) {
            return Ok(Step::Row);
        }
        state.series.clear();
    }
}
