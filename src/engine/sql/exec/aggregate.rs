//! GROUP BY and aggregates: all input first, then one row a group, by ascending key.

use std::collections::{BTreeMap, BTreeSet};

use base::{Decimal, Float, Type, Value};

use super::{Context, State, Step};
use crate::bind::AggregateFunction;
use crate::error::Fallible;
use crate::expr::function::{Arithmetic, decimal_of, float_arithmetic};
use crate::expr::moment::Moment;
use crate::expr::{Flow, Machine};
use crate::key;
use crate::plan::{AggregatePlan, AggregateStep};
use crate::types::compare::compare;
use crate::types::input::{out_of_range, too_long};

#[derive(Clone, Debug, Hash)]
pub(crate) struct AggregateState {
    input: State,
    phase: Phase,
    /// A row is in the frame; this many of its programs are done, their values below.
    at: Option<usize>,
    values: Vec<Value>,
    machine: Machine,
    groups: BTreeMap<Vec<u8>, Group>,
    /// The last group given.
    given: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Read,
    Give,
}

#[derive(Clone, Debug, Hash)]
struct Group {
    keys: Box<[Value]>,
    accumulators: Box<[Accumulator]>,
}

#[derive(Clone, Debug, Default, Hash)]
struct Accumulator {
    value: Option<Value>,
    count: i64,
    seen: BTreeSet<Vec<u8>>,
}

impl AggregateState {
    pub(crate) fn new(input: State) -> AggregateState {
        AggregateState {
            input,
            phase: Phase::Read,
            at: None,
            values: Vec::new(),
            machine: Machine::default(),
            groups: BTreeMap::new(),
            given: None,
        }
    }
}

pub(crate) fn next(plan: &AggregatePlan, state: &mut AggregateState, cx: &mut Context<'_>) -> Fallible<Step> {
    while state.phase == Phase::Read {
        if state.at.is_none() {
            match super::next(&plan.input, &mut state.input, cx)? {
                Step::Suspended => return Ok(Step::Suspended),
                Step::Row => state.at = Some(0),
                Step::Done => {
                    if plan.keys.is_empty() && state.groups.is_empty() {
                        state.groups.insert(Vec::new(), new_group(plan, Box::default()));
                    }
                    state.phase = Phase::Give;
                    break;
                }
            }
        }
        if !evaluate(plan, state, cx)? {
            return Ok(Step::Suspended);
        }
        accumulate(plan, state)?;
        state.at = None;
        state.values.clear();
    }
    give(plan, state, cx)
}

fn new_group(plan: &AggregatePlan, keys: Box<[Value]>) -> Group {
    Group {
        keys,
        accumulators: vec![Accumulator::default(); plan.aggregates.len()].into(),
    }
}

/// Evaluates the keys, then each aggregate's filter, argument and separator. False: suspended.
fn evaluate(plan: &AggregatePlan, state: &mut AggregateState, cx: &mut Context<'_>) -> Fallible<bool> {
    let keys = plan.keys.iter().map(|(program, _)| Some(program));
    let steps = plan
        .aggregates
        .iter()
        .flat_map(|step| [step.filter.as_ref(), step.argument.as_ref(), step.separator.as_ref()]);
    let done = state.at.unwrap_or(0);
    for program in keys.chain(steps).skip(done) {
        let value = match program {
            None => Value::Null,
            Some(program) => match state.machine.run(program, cx)? {
                Flow::Suspended => return Ok(false),
                Flow::Ready(value) => value,
            },
        };
        state.values.push(value);
        state.at = state.at.map(|at| at + 1);
    }
    Ok(true)
}

fn accumulate(plan: &AggregatePlan, state: &mut AggregateState) -> Fallible<()> {
    let (keys, rest) = state.values.split_at(plan.keys.len());
    let mut bytes = Vec::new();
    for value in keys {
        key::encode(value, key::Order::default(), &mut bytes);
    }
    let group = state
        .groups
        .entry(bytes)
        .or_insert_with(|| new_group(plan, keys.into()));
    let inputs = rest.chunks_exact(3);
    for ((step, accumulator), input) in plan.aggregates.iter().zip(&mut group.accumulators).zip(inputs) {
        let [filter, argument, separator] = input else {
            continue;
        };
        if step.filter.is_some() && *filter != Value::Bool(true) {
            continue;
        }
        add(step, accumulator, argument, separator)?;
    }
    Ok(())
}

fn add(step: &AggregateStep, accumulator: &mut Accumulator, argument: &Value, separator: &Value) -> Fallible<()> {
    if step.function == AggregateFunction::CountRows {
        accumulator.count += 1;
        return Ok(());
    }
    if argument.is_null() {
        return Ok(());
    }
    if step.distinct {
        let mut bytes = Vec::new();
        key::encode(argument, key::Order::default(), &mut bytes);
        if !accumulator.seen.insert(bytes) {
            return Ok(());
        }
    }
    accumulator.count += 1;
    let next = match (step.function, accumulator.value.take()) {
        (AggregateFunction::CountRows | AggregateFunction::Count, _) => None,
        (AggregateFunction::Sum, known) => {
            let sum = known.and_then(|known| known.as_i64()).unwrap_or(0);
            let sum = sum.checked_add(argument.as_i64().unwrap_or(0));
            Some(Value::Int8(sum.ok_or_else(|| out_of_range(Type::Int8))?))
        }
        (AggregateFunction::Total | AggregateFunction::Average, Some(Value::Float8(known))) => {
            let Value::Float8(argument) = argument else {
                return Ok(());
            };
            Some(float_arithmetic(Arithmetic::Add, known.0, argument.0)?)
        }
        (AggregateFunction::Total, Some(known @ Value::Interval(_))) => Some(Moment::Sum(1).call(&known, argument)?),
        (AggregateFunction::Total | AggregateFunction::Average, None)
            if matches!(argument, Value::Float8(_) | Value::Interval(_)) =>
        {
            Some(argument.clone())
        }
        (AggregateFunction::Total | AggregateFunction::Average, known) => {
            let sum = known.as_ref().map_or_else(|| Decimal::from(0), decimal_of);
            Some(Value::numeric(sum.plus(decimal_of(argument)).ok_or_else(too_long)?))
        }
        (_, None) => Some(argument.clone()),
        (AggregateFunction::Min, Some(known)) => Some(if compare(argument, &known).is_lt() {
            argument.clone()
        } else {
            known
        }),
        (AggregateFunction::Max, Some(known)) => Some(if compare(argument, &known).is_gt() {
            argument.clone()
        } else {
            known
        }),
        (AggregateFunction::BoolAnd, Some(known)) => Some(Value::Bool(
            known == Value::Bool(true) && *argument == Value::Bool(true),
        )),
        (AggregateFunction::BoolOr, Some(known)) => Some(Value::Bool(
            known == Value::Bool(true) || *argument == Value::Bool(true),
        )),
        (AggregateFunction::StringAgg, Some(known)) => {
            let parts = [&known, separator, argument].map(|part| part.as_str().unwrap_or_default());
            Some(Value::text(parts.concat()))
        }
    };
    accumulator.value = next;
    Ok(())
}

fn give(plan: &AggregatePlan, state: &mut AggregateState, cx: &mut Context<'_>) -> Fallible<Step> {
    use std::ops::Bound::{Excluded, Unbounded};
    let from = state.given.as_ref().map_or(Unbounded, Excluded);
    let Some((key, group)) = state.groups.range::<Vec<u8>, _>((from, Unbounded)).next() else {
        return Ok(Step::Done);
    };
    if !cx.burn() {
        return Ok(Step::Suspended);
    }
    for ((_, slot), value) in plan.keys.iter().zip(&group.keys) {
        cx.run.frame[*slot as usize] = value.clone();
    }
    for (step, accumulator) in plan.aggregates.iter().zip(&group.accumulators) {
        cx.run.frame[step.slot as usize] = match step.function {
            AggregateFunction::CountRows | AggregateFunction::Count => Value::Int8(accumulator.count),
            AggregateFunction::Average => match &accumulator.value {
                None => Value::Null,
                Some(Value::Float8(sum)) => Value::Float8(Float(sum.0 / accumulator.count as f64)),
                Some(sum) => {
                    let mean = decimal_of(sum).divide(Decimal::from(accumulator.count));
                    Value::numeric(mean.ok_or_else(too_long)?)
                }
            },
            _ => accumulator.value.clone().unwrap_or(Value::Null),
        };
    }
    let key = key.clone();
    state.given = Some(key);
    Ok(Step::Row)
}
