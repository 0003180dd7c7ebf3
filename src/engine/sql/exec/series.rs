//! Functions that return sets, in FROM and in the select list.

use base::Value;

use super::scan::evaluate;
use super::{Context, State, Step};
use crate::error::{Fallible, error, state};
use crate::expr::{Machine, SetFunction};
use crate::plan::{Node, SeriesPlan};

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct SeriesState {
    /// Its arguments have been read.
    started: bool,
    /// Of `generate_series`: the next, the last, the step.
    bounds: Option<(i64, i64, i64)>,
    /// Of a document: what is still to come, the next one last.
    rows: Vec<Box<[Value]>>,
    machine: Machine,
}

pub(crate) fn next(plan: &SeriesPlan, series: &mut SeriesState, cx: &mut Context<'_>) -> Fallible<Step> {
    if !series.started {
        start(plan, series, cx)?;
        series.started = true;
    }
    let SetFunction::Series { wide } = plan.function else {
        return next_row(plan, series, cx);
    };
    let Some((at, last, step)) = series.bounds else {
        return Ok(Step::Done);
    };
    if (step > 0 && at > last) || (step < 0 && at < last) {
        return Ok(Step::Done);
    }
    if !cx.burn() {
        return Ok(Step::Suspended);
    }
    cx.run.frame[plan.slots[0] as usize] = if wide { Value::Int8(at) } else { Value::Int4(at as i32) };
    series.bounds = at.checked_add(step).map(|next| (next, last, step));
    Ok(Step::Row)
}

fn start(plan: &SeriesPlan, series: &mut SeriesState, cx: &mut Context<'_>) -> Fallible<()> {
    let mut values = Vec::with_capacity(3);
    for program in &plan.arguments {
        values.push(evaluate(program, &mut series.machine, cx)?);
    }
    if !matches!(plan.function, SetFunction::Series { .. }) {
        series.rows = plan.function.rows_of(&values[0])?;
        series.rows.reverse();
        return Ok(());
    }
    let step = values.get(2).map_or(Some(1), Value::as_i64);
    if step == Some(0) {
        return Err(error(state::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let (first, last) = (values[0].as_i64(), values[1].as_i64());
    series.bounds = first
        .zip(last)
        .zip(step)
        .map(|((first, last), step)| (first, last, step));
    Ok(())
}

fn next_row(plan: &SeriesPlan, series: &mut SeriesState, cx: &mut Context<'_>) -> Fallible<Step> {
    if series.rows.is_empty() {
        return Ok(Step::Done);
    }
    if !cx.burn() {
        return Ok(Step::Suspended);
    }
    let row = series.rows.pop().unwrap_or_default();
    for (slot, value) in plan.slots.iter().zip(row) {
        cx.run.frame[*slot as usize] = value;
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
                Step::Done => plan
                    .slots
                    .iter()
                    .for_each(|slot| cx.run.frame[*slot as usize] = Value::Null),
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
