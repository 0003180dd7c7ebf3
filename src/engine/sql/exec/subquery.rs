//! Subqueries inside expressions. One that reads nothing from outside runs once a statement.

use std::collections::BTreeSet;

use base::Value;

use super::{Context, State, Step, next};
use crate::error::{Fallible, error, state};
use crate::expr::{Answer, Comparison, Flow, compare_values};
use crate::key;

/// Where one subquery of a running statement is.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct SubqueryRun {
    state: Option<Box<State>>,
    /// Scalar: the first row's value.
    value: Option<Value>,
    /// ANY: a comparison has been unknown.
    unknown: bool,
    answer: Option<Value>,
    /// ANY, of a subquery that reads nothing from outside: its values.
    values: Option<Box<Values>>,
}

#[derive(Clone, Debug, Default, Hash)]
struct Values {
    complete: bool,
    list: Vec<Value>,
    keys: BTreeSet<Vec<u8>>,
    has_null: bool,
}

pub(crate) fn run(id: u32, answer: Answer, operand: Option<&Value>, cx: &mut Context<'_>) -> Fallible<Flow<Value>> {
    let plan = cx.plan;
    let query = &plan.subqueries[id as usize];
    // Taken out while it runs: its operators need the whole context.
    let mut run = std::mem::take(&mut cx.run.subqueries[id as usize]);
    if run.state.is_none() && run.answer.is_none() {
        run.state = Some(Box::new(cx.sub_state(id)));
    }
    let result = match (answer, query.correlated) {
        (Answer::Any(comparison), false) => run_hashed(comparison, operand, &mut run, id, cx),
        (_, _) if run.answer.is_some() => Ok(Flow::Ready(run.answer.clone().unwrap_or(Value::Null))),
        _ => run_once(answer, operand, &mut run, id, cx),
    };
    match &result {
        Ok(Flow::Ready(value)) if query.correlated => {
            let _ = value;
            run = SubqueryRun::default();
        }
        Ok(Flow::Ready(value)) if !matches!(answer, Answer::Any(_)) => {
            run.answer = Some(value.clone());
            run.state = None;
        }
        Err(_) => run = SubqueryRun::default(),
        _ => {}
    }
    cx.run.subqueries[id as usize] = run;
    result
}

fn run_once(
    answer: Answer,
    operand: Option<&Value>,
    run: &mut SubqueryRun,
    id: u32,
    cx: &mut Context<'_>,
) -> Fallible<Flow<Value>> {
    let plan = cx.plan;
    let query = &plan.subqueries[id as usize];
    let Some(state) = &mut run.state else {
        return Ok(Flow::Ready(Value::Null));
    };
    loop {
        let step = next(&query.node, state, cx)?;
        if step == Step::Suspended {
            return Ok(Flow::Suspended);
        }
        let row = step == Step::Row;
        match answer {
            Answer::Exists => return Ok(Flow::Ready(Value::Bool(row))),
            Answer::Scalar if !row => return Ok(Flow::Ready(run.value.take().unwrap_or(Value::Null))),
            Answer::Scalar => {
                let value = first_output(&query.output, cx);
                if run.value.replace(value).is_some() {
                    return Err(error(
                        state::CARDINALITY_VIOLATION,
                        "more than one row returned by a subquery used as an expression",
                    ));
                }
            }
            Answer::Any(_) if !row => {
                return Ok(Flow::Ready(if run.unknown { Value::Null } else { Value::Bool(false) }));
            }
            Answer::Any(comparison) => {
                let value = first_output(&query.output, cx);
                match compare_values(comparison, operand.unwrap_or(&Value::Null), &value) {
                    Some(true) => return Ok(Flow::Ready(Value::Bool(true))),
                    Some(false) => {}
                    None => run.unknown = true,
                }
            }
        }
    }
}

fn first_output(output: &[u32], cx: &Context<'_>) -> Value {
    output
        .first()
        .map_or(Value::Null, |slot| cx.run.frame[*slot as usize].clone())
}

/// Gathers all values once, then answers each operand from them.
fn run_hashed(
    comparison: Comparison,
    operand: Option<&Value>,
    run: &mut SubqueryRun,
    id: u32,
    cx: &mut Context<'_>,
) -> Fallible<Flow<Value>> {
    let plan = cx.plan;
    let query = &plan.subqueries[id as usize];
    let values = run.values.get_or_insert_default();
    while !values.complete {
        let Some(state) = &mut run.state else {
            break;
        };
        match next(&query.node, state, cx)? {
            Step::Suspended => return Ok(Flow::Suspended),
            Step::Done => values.complete = true,
            Step::Row => {
                let value = first_output(&query.output, cx);
                values.has_null |= value.is_null();
                if comparison == Comparison::Equal && !value.is_null() {
                    values.keys.insert(value_key(&value));
                } else if !value.is_null() {
                    values.list.push(value);
                }
            }
        }
    }
    let operand = operand.unwrap_or(&Value::Null);
    let empty = values.keys.is_empty() && values.list.is_empty() && !values.has_null;
    let found = if operand.is_null() {
        false
    } else if comparison == Comparison::Equal {
        values.keys.contains(&value_key(operand))
    } else {
        values
            .list
            .iter()
            .any(|value| compare_values(comparison, operand, value) == Some(true))
    };
    Ok(Flow::Ready(if found {
        Value::Bool(true)
    } else if !empty && (operand.is_null() || values.has_null) {
        Value::Null
    } else {
        Value::Bool(false)
    }))
}

fn value_key(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    key::encode(value, key::Order::default(), &mut bytes);
    bytes
}
