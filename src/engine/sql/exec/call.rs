//! Calls of functions in SQL: their statements, one after the other, each seeing what those before it did.
//!
//! A call may wait inside (its statements take locks, write rows), and goes on where it stopped: it is part of the
//! running statement that makes it.

use std::sync::Arc;

use base::Value;

use super::{Context, ForeignRun, Run, Step, Work, acquire, finish_commons};
use crate::SqlError;
use crate::bind::Arguments;
use crate::catalog::{FunctionBody, FunctionType, UserFunction};
use crate::error::{Fallible, unsupported};
use crate::expr::Flow;
use crate::plan::Planned;
use crate::server::names;
use crate::types::input;

/// Calls within calls that are gone into.
const DEEPEST: u32 = 100;

/// A call at work.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct CallRun {
    /// Which of the function's statements.
    at: usize,
    body: Option<Box<Body>>,
    result: Option<Value>,
}

/// A statement of a function at work.
#[derive(Clone, Debug, Hash)]
struct Body {
    plan: Planned,
    run: Run,
    work: Work,
    /// How many of the plan's table locks are held.
    locked: usize,
    /// Its rows are all there.
    ended: bool,
    foreign: ForeignRun,
}

/// Runs a call, or goes on with it.
pub(crate) fn call(function: &UserFunction, arguments: &[Value], cx: &mut Context<'_>) -> Fallible<Flow<Value>> {
    let FunctionBody::Statements(statements) = &function.body else {
        let FunctionBody::Unknown { language, .. } = &function.body else {
            return Ok(Flow::Ready(Value::Null));
        };
        return Err(unsupported(format!(
            "calling {}, a function in {language},",
            function.name
        )));
    };
    if cx.run.depth >= DEEPEST {
        return Err(crate::error::error("54001", "stack depth limit exceeded"));
    }
    let mut call = cx.run.call.take().unwrap_or_default();
    while let Some(statement) = statements.get(call.at) {
        let body = match &mut call.body {
            Some(body) => body,
            none => {
                let body = Body::new(function, statement, arguments, cx);
                let body = body.map_err(|refusal| in_function(refusal, function, "during startup"));
                none.insert(Box::new(body?))
            }
        };
        let last = call.at + 1 == statements.len();
        let went = body.go_on(last, cx);
        match went.map_err(|refusal| in_function(refusal, function, &format!("statement {}", call.at + 1)))? {
            Flow::Suspended => {
                cx.run.call = Some(call);
                return Ok(Flow::Suspended);
            }
            Flow::Ready(value) => (call.at, call.body, call.result) = (call.at + 1, None, value),
        }
    }
    let result = call.result.take().unwrap_or(Value::Null);
    Ok(Flow::Ready(match &function.returns {
        FunctionType::Is(data_type) if !result.is_null() => {
            let now = cx.core.timestamp(cx.session.transaction.started);
            input::cast(result, *data_type, now)?
        }
        FunctionType::Is(_) => result,
        FunctionType::Other(_) => Value::text(""),
    }))
}

/// What has gone wrong inside has no place in the text of the statement that calls.
fn in_function(mut refusal: Box<SqlError>, function: &UserFunction, at: &str) -> Box<SqlError> {
    refusal.position = None;
    if function.is_inlined() {
        return refusal;
    }
    refusal.within(format!("SQL function \"{}\" {at}", function.name))
}

impl Body {
    fn new(
        function: &UserFunction,
        statement: &syntax::Statement,
        arguments: &[Value],
        cx: &mut Context<'_>,
    ) -> Fallible<Body> {
        let arguments_of = Arguments::of(function)?;
        let plan = crate::planning::plan_with(statement, names(cx.core, cx.session), arguments_of)?;
        let plan =
            Arc::new(plan.ok_or_else(|| unsupported("a statement other than a query or a write in a function"))?);
        cx.session.usage.prepared += 1;
        if function.volatility == syntax::Volatility::Volatile {
            cx.session.next_command();
        }
        let command = cx.session.transaction.command;
        let mut snapshot = match function.volatility {
            syntax::Volatility::Volatile if !cx.repeatable() => {
                (cx.core.storage).snapshot(cx.session.id, cx.session.transaction.xid, command)
            }
            _ => cx.run.snapshot.clone(),
        };
        if function.volatility == syntax::Volatility::Volatile {
            (snapshot.own, snapshot.command) = (cx.session.transaction.xid, command);
        }
        let mut run = Run::new(&plan, arguments.to_vec(), snapshot);
        run.depth = cx.run.depth + 1;
        Ok(Body {
            work: Work::new(&plan.root),
            plan: Planned(plan),
            run,
            locked: 0,
            ended: false,
            foreign: ForeignRun::default(),
        })
    }

    /// To the statement's end; its first row's first value.
    fn go_on(&mut self, last: bool, cx: &mut Context<'_>) -> Fallible<Flow<Option<Value>>> {
        let plan = self.plan.0.clone();
        while let Some((table, mode)) = plan.locks.get(self.locked) {
            if !acquire(cx.core, cx.session, cx.session.relation_tag(*table), *mode)? {
                return Ok(Flow::Suspended);
            }
            self.locked += 1;
        }
        let mut inner = Context {
            core: &mut *cx.core,
            session: &mut *cx.session,
            plan: &plan,
            run: &mut self.run,
            fuel: &mut *cx.fuel,
            now: cx.now,
            ephemeral: &[],
        };
        while !self.ended {
            match self.work.next(&plan.root, &mut inner)? {
                Step::Suspended => return Ok(Flow::Suspended),
                Step::Done => self.ended = true,
                Step::Row => {
                    let output = self.work.output(&plan.root);
                    let first = output.first().map(|slot| inner.run.frame[*slot as usize].clone());
                    if last && inner.run.result.is_none() {
                        inner.run.result = first;
                    }
                    // A query is run no further than its result.
                    self.ended = last && !plan.writes();
                }
            }
        }
        if !finish_commons(&mut inner)? || !self.foreign.step(&mut inner)? {
            return Ok(Flow::Suspended);
        }
        Ok(Flow::Ready(self.run.result.take()))
    }
}
