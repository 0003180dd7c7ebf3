//! The stack machine. Its position and stack are data, so that a program that waits inside a
//! subquery goes on where it stopped.

use std::sync::Arc;

use base::Value;

use super::compile::{Answer, Op, Program};
use super::{Advisory, Comparison, Slot, function};
use crate::catalog::UserFunction;
use crate::error::Fallible;
use crate::types::compare::{compare, same};
use crate::types::input;

/// What a program reads and may call.
pub(crate) trait Environment {
    fn slot(&self, slot: Slot) -> &Value;
    fn param(&self, number: u32) -> &Value;
    /// The start of the transaction, as `timestamptz`.
    fn transaction_time(&self) -> i64;
    /// The present, as `timestamptz`.
    fn clock_time(&self) -> i64;
    /// `current_setting`, `set_config`, `nextval`, …: what touches the session.
    fn session_call(&mut self, function: function::Session, arguments: &[Value]) -> Fallible<Value>;
    /// Runs a function that a user has made as far as it goes.
    fn user_call(&mut self, function: &UserFunction, arguments: &[Value]) -> Fallible<Flow<Value>>;
    /// Takes or gives back an advisory lock; suspended while it waits for one.
    fn advisory(&mut self, function: Advisory, arguments: &[Value]) -> Fallible<Flow<Value>>;
    /// Runs a subquery as far as it goes.
    fn subquery(&mut self, id: u32, answer: Answer, operand: Option<&Value>) -> Fallible<Flow<Value>>;
}

/// Done, or to be called again later (the environment knows whether it waits or is out of fuel).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flow<T> {
    Ready(T),
    Suspended,
}

/// Where a program is. Empty between runs; an empty one owns no memory.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub(crate) struct Machine {
    at: u32,
    stack: Vec<Value>,
}

impl Machine {
    /// Runs, or goes on, to the end or to the next suspension.
    pub(crate) fn run(&mut self, program: &Program, environment: &mut impl Environment) -> Fallible<Flow<Value>> {
        // Most programs are one instruction.
        if let [only] = &*program.ops {
            match only {
                Op::Slot(slot) => return Ok(Flow::Ready(environment.slot(*slot).clone())),
                Op::Param(number) => return Ok(Flow::Ready(environment.param(*number).clone())),
                Op::Const(value) => return Ok(Flow::Ready(value.clone())),
                _ => {}
            }
        }
        if let [left, right, operation] = &*program.ops
            && let Some(value) = on_two(left, right, operation, environment)?
        {
            return Ok(Flow::Ready(value));
        }
        if let [operand, Op::Among(number)] = &*program.ops
            && let Some(operand) = at_hand(operand, environment)
        {
            let truth = among(operand, environment.param(*number));
            return Ok(Flow::Ready(truth.map_or(Value::Null, Value::Bool)));
        }
        match self.steps(program, environment) {
            Ok(Flow::Suspended) => Ok(Flow::Suspended),
            Ok(Flow::Ready(())) => {
                let value = self.pop();
                self.reset();
                Ok(Flow::Ready(value))
            }
            Err(refusal) => {
                self.reset();
                Err(refusal)
            }
        }
    }

    fn reset(&mut self) {
        self.at = 0;
        self.stack.clear();
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::Null)
    }

    fn push_bool(&mut self, truth: Option<bool>) {
        self.stack.push(truth.map_or(Value::Null, Value::Bool));
    }

    fn pop_many(&mut self, count: u32) -> Vec<Value> {
        let from = self.stack.len().saturating_sub(count as usize);
        self.stack.split_off(from)
    }

    fn steps(&mut self, program: &Program, environment: &mut impl Environment) -> Fallible<Flow<()>> {
        while let Some(op) = program.ops.get(self.at as usize) {
            let mut next = self.at + 1;
            match op {
                Op::Const(value) => self.stack.push(value.clone()),
                Op::Slot(slot) => self.stack.push(environment.slot(*slot).clone()),
                Op::Param(number) => self.stack.push(environment.param(*number).clone()),
                Op::Call(function, count) => {
                    if !self.call(function, *count, environment)? {
                        return Ok(Flow::Suspended);
                    }
                }
                Op::Compare(comparison) => {
                    let (right, left) = (self.pop(), self.pop());
                    self.push_bool(compare_values(*comparison, &left, &right));
                }
                Op::AndThen(end) => {
                    if self.stack.last() == Some(&Value::Bool(false)) {
                        next = *end;
                    }
                }
                Op::OrElse(end) => {
                    if self.stack.last() == Some(&Value::Bool(true)) {
                        next = *end;
                    }
                }
                Op::And => {
                    let (right, left) = (truth(&self.pop()), truth(&self.pop()));
                    self.push_bool(and(left, right));
                }
                Op::Or => {
                    let (right, left) = (truth(&self.pop()), truth(&self.pop()));
                    self.push_bool(or(left, right));
                }
                Op::Not => {
                    let operand = truth(&self.pop());
                    self.push_bool(operand.map(|truth| !truth));
                }
                Op::IsNull => {
                    let operand = self.pop();
                    self.push_bool(Some(operand.is_null()));
                }
                Op::IsBool(wanted) => {
                    let operand = truth(&self.pop());
                    self.push_bool(Some(operand == *wanted));
                }
                Op::IsDistinct => {
                    let (right, left) = (self.pop(), self.pop());
                    self.push_bool(Some(!same(&left, &right)));
                }
                Op::In(count) => {
                    let list = self.pop_many(*count);
                    let operand = self.pop();
                    self.push_bool(any(Comparison::Equal, &operand, &list));
                }
                Op::Any(comparison) => {
                    let (list, operand) = (self.pop(), self.pop());
                    let truth = match &list {
                        Value::List(items) => any(*comparison, &operand, items),
                        _ => None,
                    };
                    self.push_bool(truth);
                }
                Op::Among(number) => {
                    let operand = self.pop();
                    self.push_bool(among(&operand, environment.param(*number)));
                }
                Op::UnlessTrue(target) => {
                    if truth(&self.pop()) != Some(true) {
                        next = *target;
                    }
                }
                Op::Jump(target) => next = *target,
                Op::IfNotNull(target) => {
                    if self.stack.last().is_some_and(|top| !top.is_null()) {
                        next = *target;
                    } else {
                        self.pop();
                    }
                }
                Op::NullIf => {
                    let (right, left) = (self.pop(), self.pop());
                    let equal = compare_values(Comparison::Equal, &left, &right) == Some(true);
                    self.stack.push(if equal { Value::Null } else { left });
                }
                Op::Extreme(greatest, count) => {
                    let items = self.pop_many(*count);
                    self.stack.push(extreme(*greatest, items));
                }
                Op::Array(count) => {
                    let items: Arc<[Value]> = self.pop_many(*count).into();
                    self.stack.push(Value::List(items));
                }
                Op::Cast(to) => {
                    let operand = self.pop();
                    let value = input::cast(operand, *to, environment.transaction_time())?;
                    self.stack.push(value);
                }
                Op::Subquery(id, answer) => {
                    let takes_operand = matches!(answer, Answer::Any(_));
                    let operand = if takes_operand { self.stack.last() } else { None };
                    match environment.subquery(*id, *answer, operand)? {
                        Flow::Suspended => return Ok(Flow::Suspended),
                        Flow::Ready(value) => {
                            if takes_operand {
                                self.pop();
                            }
                            self.stack.push(value);
                        }
                    }
                }
            }
            self.at = next;
        }
        Ok(Flow::Ready(()))
    }

    /// False: suspended, the arguments stay on the stack.
    fn call(
        &mut self,
        function: &function::Function,
        count: u32,
        environment: &mut impl Environment,
    ) -> Fallible<bool> {
        let from = self.stack.len().saturating_sub(count as usize);
        let arguments = &self.stack[from..];
        let value = match function {
            function::Function::Advisory(advisory) if !arguments.iter().any(Value::is_null) => {
                match environment.advisory(*advisory, arguments)? {
                    Flow::Suspended => return Ok(false),
                    Flow::Ready(value) => value,
                }
            }
            function::Function::User(user) if !(user.strict && arguments.iter().any(Value::is_null)) => {
                match environment.user_call(user, arguments)? {
                    Flow::Suspended => return Ok(false),
                    Flow::Ready(value) => value,
                }
            }
            function => call(function, arguments, environment)?,
        };
        self.stack.truncate(from);
        self.stack.push(value);
        Ok(true)
    }
}

fn call(function: &function::Function, arguments: &[Value], environment: &mut impl Environment) -> Fallible<Value> {
    if function.is_strict() && arguments.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    function.call(arguments, environment)
}

/// `column = $1`, `n + 1`: an operation on two values that are at hand needs no stack. `None`: it is something else.
#[inline]
fn on_two(left: &Op, right: &Op, operation: &Op, environment: &mut impl Environment) -> Fallible<Option<Value>> {
    let (Some(a), Some(b)) = (at_hand(left, environment), at_hand(right, environment)) else {
        return Ok(None);
    };
    match operation {
        Op::Compare(comparison) => Ok(Some(compare_values(*comparison, a, b).map_or(Value::Null, Value::Bool))),
        Op::Call(function, 2) if !matches!(function, function::Function::Advisory(_) | function::Function::User(_)) => {
            let arguments = [a.clone(), b.clone()];
            call(function, &arguments, environment).map(Some)
        }
        _ => Ok(None),
    }
}

#[inline]
fn at_hand<'a>(op: &'a Op, environment: &'a impl Environment) -> Option<&'a Value> {
    match op {
        Op::Const(value) => Some(value),
        Op::Slot(slot) => Some(environment.slot(*slot)),
        Op::Param(number) => Some(environment.param(*number)),
        _ => None,
    }
}

/// NULL (or anything but a boolean) is unknown.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        _ => None,
    }
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// `None` when either is NULL.
pub(crate) fn compare_values(comparison: Comparison, left: &Value, right: &Value) -> Option<bool> {
    if left.is_null() || right.is_null() {
        return None;
    }
    Some(comparison.holds(compare(left, right)))
}

/// TRUE if one item compares so; unknown if none does but one is NULL.
fn any(comparison: Comparison, operand: &Value, items: &[Value]) -> Option<bool> {
    let mut unknown = false;
    for item in items {
        match compare_values(comparison, operand, item) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(false) }
}

/// `any` of equality, for a list as `bind_parameters` leaves it: in order, NULLs last.
fn among(operand: &Value, list: &Value) -> Option<bool> {
    let Value::List(items) = list else { return None };
    if operand.is_null() && !items.is_empty() {
        return None;
    }
    let known = items.partition_point(|item| !item.is_null());
    match items[..known].binary_search_by(|item| compare(item, operand)) {
        Ok(_) => Some(true),
        Err(_) if known < items.len() => None,
        Err(_) => Some(false),
    }
}

fn extreme(greatest: bool, items: Vec<Value>) -> Value {
    let present = items.into_iter().filter(|item| !item.is_null());
    let chosen = present.reduce(|best, item| {
        let order = compare(&item, &best);
        if (greatest && order.is_gt()) || (!greatest && order.is_lt()) {
            item
        } else {
            best
        }
    });
    chosen.unwrap_or(Value::Null)
}
