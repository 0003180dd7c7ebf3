//! Control structure: blocks, loops, branches; errors that look for a handler.

use base::{Nanos, Row, Value};
use program::{Error, Op, Outcome, RegisterId, StepId, StepPoint, WaitCause};

use crate::activation::{Activation, Answer, Frame, FrameKind, Pending, Register, Rows, Scope};
use crate::arena::Key;
use crate::interpreter::Flow;
use crate::plan::Plan;
use crate::world::{Happening, World};

impl World {
    pub(crate) fn block_ended(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let program = plan.program(activation.id.program);
        let state = activation.fiber(fiber);
        let Some(frame) = state.frames.last_mut() else {
            return Flow::Wait;
        };
        let Some(owner) = frame.owner else {
            return Flow::End(Ok(Vec::new()));
        };
        let mut done = 0;
        match &mut frame.kind {
            FrameKind::Branch { number } => {
                let number = *number;
                return self.branch_ended(plan, key, activation, fiber, number, None);
            }
            FrameKind::Rows { rows, next, .. } => {
                done = rows.len() as u64;
                let row = rows.get(*next as usize).cloned();
                *next += 1;
                if let Op::ForEach { bind, gather, .. } = &program.step(owner).op {
                    let goes_on = next_row(activation, fiber, (bind, gather), row.as_ref());
                    if goes_on {
                        return Flow::Go;
                    }
                }
            }
            _ => {}
        }
        let state = activation.fiber(fiber);
        state.frames.pop();
        state.step = owner;
        self.step_done(plan, key, activation, fiber, done)
    }

    /// The present step has ended well.
    pub(crate) fn step_done(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        rows: u64,
    ) -> Flow {
        let step = activation.fiber(fiber).step;
        self.step_ended(activation, step, Outcome::Done, rows);
        if self.strike(plan, activation.id.program, step, activation.request, StepPoint::After) {
            return self.struck(key, activation, fiber, StepPoint::After);
        }
        Flow::Go
    }

    /// The present step has failed.
    pub(crate) fn step_failed(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        error: Error,
    ) -> Flow {
        let step = activation.fiber(fiber).step;
        self.step_ended(activation, step, Outcome::Failed(error.clone()), 0);
        if self.strike(plan, activation.id.program, step, activation.request, StepPoint::After) {
            activation.fiber(fiber).answer = Some(Answer::Returned(Err(error)));
            return self.struck(key, activation, fiber, StepPoint::After);
        }
        self.unwind(plan, key, activation, fiber, error)
    }

    /// Looks outwards for someone who catches the error.
    pub(crate) fn unwind(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        error: Error,
    ) -> Flow {
        let program = plan.program(activation.id.program);
        loop {
            let Some(frame) = activation.fiber(fiber).frames.last_mut() else {
                return Flow::Wait;
            };
            let Some(owner) = frame.owner else {
                return Flow::End(Err(error));
            };
            match (&mut frame.kind, &program.step(owner).op) {
                (FrameKind::Branch { number }, _) => {
                    let number = *number;
                    return self.branch_ended(plan, key, activation, fiber, number, Some(error));
                }
                (
                    FrameKind::Try,
                    Op::Try {
                        catches, error: into, ..
                    },
                ) if catches.contains(error.class) => {
                    *frame = Frame::new(Some(owner), 1, FrameKind::Plain);
                    if let Some(into) = into {
                        activation.scope(fiber).registers[into.index()] = Register::Error(error.into());
                    }
                    return Flow::Go;
                }
                (
                    FrameKind::Retry { attempt },
                    Op::Retry {
                        catches,
                        attempts,
                        backoff,
                        ..
                    },
                ) if catches.contains(error.class) && (*attempts == 0 || *attempt + 1 < *attempts) => {
                    let nth = *attempt;
                    *attempt += 1;
                    frame.index = 0;
                    activation.fiber(fiber).step = owner;
                    self.back_off(key, activation, fiber, *backoff, nth);
                    return Flow::Wait;
                }
                _ => {
                    activation.fiber(fiber).frames.pop();
                    self.step_ended(activation, owner, Outcome::Failed(error.clone()), 0);
                }
            }
        }
    }

    /// The n-th repetition waits `first × 2^n`, at most `limit`, of which a random half is jitter.
    fn back_off(&mut self, key: Key, activation: &mut Activation, fiber: u16, backoff: program::Backoff, nth: u32) {
        let doubled = 1_u64
            .checked_shl(nth)
            .map_or(u64::MAX, |factor| backoff.first.0.saturating_mul(factor));
        let span = doubled.min(backoff.limit.0);
        let wait = span - span / 2 + self.jitter.below(span / 2 + 1);
        let step = activation.fiber(fiber).step;
        let waiting = activation.wait(key, fiber, Pending::Backoff);
        self.wait_started(activation, step, WaitCause::Backoff);
        // At least a nanosecond: a retry for ever must let time pass.
        self.scheduler.after(Nanos(wait.max(1)), Happening::Wake(waiting));
    }

    /// `Return`: out of all blocks, in a branch out of the branch.
    pub(crate) fn return_from(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        values: Vec<Register>,
    ) -> Flow {
        let step = activation.fiber(fiber).step;
        self.step_ended(activation, step, Outcome::Done, 0);
        // A crash after it comes once the values are on their way.
        self.strike(plan, activation.id.program, step, activation.request, StepPoint::After);
        self.leave_blocks(plan, key, activation, fiber, values)
    }

    fn leave_blocks(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        values: Vec<Register>,
    ) -> Flow {
        while let Some(frame) = activation.fiber(fiber).frames.last() {
            match (frame.owner, &frame.kind) {
                (None, _) => return Flow::End(Ok(values)),
                (_, FrameKind::Branch { number }) => {
                    let number = *number;
                    activation.returned.get_or_insert(values);
                    return self.branch_ended(plan, key, activation, fiber, number, None);
                }
                (Some(owner), _) => {
                    activation.fiber(fiber).frames.pop();
                    self.step_ended(activation, owner, Outcome::Done, 0);
                }
            }
        }
        Flow::Wait
    }

    pub(crate) fn for_each(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        (register, bind, parallel, gather): (RegisterId, &[RegisterId], u16, &[RegisterId]),
    ) -> Flow {
        let step = activation.fiber(fiber).step;
        let register = activation.scope(fiber).registers[register.index()].clone();
        empty(activation.scope(fiber), gather);
        let Register::Rows(rows) = register else {
            return self.step_done(plan, key, activation, fiber, 0);
        };
        let Some(first) = rows.first().cloned() else {
            return self.step_done(plan, key, activation, fiber, 0);
        };
        if parallel <= 1 {
            bind_row(activation.scope(fiber), bind, &first);
            let kind = FrameKind::Rows {
                rows,
                next: 1,
                gathered: Vec::new(),
            };
            return enter(activation, fiber, step, 0, kind);
        }
        let open = parallel.min(u16::try_from(rows.len()).unwrap_or(u16::MAX));
        for number in 0..open {
            self.spawn_row(activation, fiber, step, bind, &rows[usize::from(number)], number);
        }
        let kind = FrameKind::Fork {
            open,
            rows: Some(rows),
            next: u32::from(open),
            failed: None,
            gathered: Vec::new(),
        };
        enter(activation, fiber, step, 0, kind);
        activation.wait(key, fiber, Pending::Branches);
        Flow::Wait
    }

    /// Each row that runs beside others has registers of its own, dropped at its end.
    fn spawn_row(
        &mut self,
        activation: &mut Activation,
        parent: u16,
        step: StepId,
        bind: &[RegisterId],
        row: &Row,
        number: u16,
    ) {
        let mut scope = activation.scope(parent).clone();
        bind_row(&mut scope, bind, row);
        let free = activation.scopes.iter().position(|scope| !scope.live);
        let index = free.unwrap_or_else(|| {
            activation.scopes.push(scope.clone());
            activation.scopes.len() - 1
        });
        activation.scopes[index] = scope;
        activation.spawn(
            index as u16,
            parent,
            Frame::new(Some(step), 0, FrameKind::Branch { number }),
        );
    }

    pub(crate) fn fork(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        branches: u16,
    ) -> Flow {
        let step = activation.fiber(fiber).step;
        if branches == 0 {
            return self.step_done(plan, key, activation, fiber, 0);
        }
        let scope = activation.fiber(fiber).scope;
        for number in 0..branches {
            activation.spawn(
                scope,
                fiber,
                Frame::new(Some(step), number, FrameKind::Branch { number }),
            );
        }
        enter(
            activation,
            fiber,
            step,
            0,
            FrameKind::Fork {
                open: branches,
                rows: None,
                next: 0,
                failed: None,
                gathered: Vec::new(),
            },
        );
        activation.wait(key, fiber, Pending::Branches);
        Flow::Wait
    }

    /// A branch has ended; the last one lets its parent go on.
    fn branch_ended(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        number: u16,
        error: Option<Error>,
    ) -> Flow {
        let program = plan.program(activation.id.program);
        let (Some(parent), Some(owner)) = (
            activation.fiber(fiber).parent,
            activation.fiber(fiber).frames.first().and_then(|frame| frame.owner),
        ) else {
            return Flow::Wait;
        };
        let gather: &[RegisterId] = match &program.step(owner).op {
            Op::ForEach { gather, .. } => gather,
            _ => &[],
        };
        let found = take_gathered(activation.scope(fiber), gather);
        self.close_scope(plan, activation, fiber, parent);
        activation.fiber(fiber).frames.clear();
        let returned = activation.returned.is_some();
        let state = activation.fiber(parent);
        let Some(Frame {
            kind:
                FrameKind::Fork {
                    open,
                    rows,
                    next,
                    failed,
                    gathered,
                },
            ..
        }) = state.frames.last_mut()
        else {
            return Flow::Wait;
        };
        gathered.push((number, found));
        if let Some(error) = error
            && failed.as_ref().is_none_or(|(first, _)| number < *first)
        {
            *failed = Some((number, error));
        }
        if !returned
            && failed.is_none()
            && let Some(row) = rows.as_ref().and_then(|rows| rows.get(*next as usize)).cloned()
            && let Op::ForEach { bind, .. } = &program.step(owner).op
        {
            let index = u16::try_from(*next).unwrap_or(u16::MAX);
            *next += 1;
            self.spawn_row(activation, parent, owner, bind, &row, index);
            return Flow::Wait;
        }
        *open -= 1;
        if *open > 0 {
            return Flow::Wait;
        }
        let failed = failed.take();
        let mut gathered = std::mem::take(gathered);
        gathered.sort_by_key(|(number, _)| *number);
        let done = rows.as_ref().map_or(0, |rows| rows.len() as u64);
        state.frames.pop();
        state.step = owner;
        state.pending = Pending::Nothing;
        put_together(
            activation.scope(parent),
            gather,
            gathered.into_iter().map(|(_, found)| found),
        );
        let flow = match (activation.returned.take(), failed) {
            (Some(values), _) => self.leave_blocks(plan, key, activation, parent, values),
            (None, Some((_, error))) => self.step_failed(plan, key, activation, parent, error),
            (None, None) => self.step_done(plan, key, activation, parent, done),
        };
        if let Flow::Go = flow {
            Flow::Switch(parent)
        } else {
            flow
        }
    }

    /// Gives back the connections that a parallel row has taken for itself.
    fn close_scope(&mut self, plan: &Plan, activation: &mut Activation, fiber: u16, parent: u16) {
        let step = activation.fiber(fiber).step;
        let (own, outer) = (activation.fiber(fiber).scope, activation.fiber(parent).scope);
        if own == outer {
            return;
        }
        let outer = activation.scopes[usize::from(outer)].connections.clone();
        let scope = &mut activation.scopes[usize::from(own)];
        scope.live = false;
        let taken: Vec<Key> = scope
            .connections
            .drain(..)
            .zip(outer)
            .filter(|(a, b)| a != b)
            .filter_map(|(a, _)| a)
            .collect();
        scope.registers.clear();
        for connection in taken {
            self.release(plan, connection, activation.id, step, activation.request);
        }
    }
}

pub(crate) fn enter(activation: &mut Activation, fiber: u16, step: StepId, part: u16, kind: FrameKind) -> Flow {
    activation.fiber(fiber).frames.push(Frame::new(Some(step), part, kind));
    Flow::Go
}

/// An iteration of a loop has ended: binds the next row, if there is one, else puts together what was gathered.
fn next_row(
    activation: &mut Activation,
    fiber: u16,
    (bind, gather): (&[RegisterId], &[RegisterId]),
    row: Option<&Row>,
) -> bool {
    let found = take_gathered(activation.scope(fiber), gather);
    let Some(Frame {
        index,
        kind: FrameKind::Rows { gathered, .. },
        ..
    }) = activation.fiber(fiber).frames.last_mut()
    else {
        return false;
    };
    gathered.push(found);
    match row {
        Some(row) => {
            *index = 0;
            bind_row(activation.scope(fiber), bind, row);
            true
        }
        None => {
            let gathered = std::mem::take(gathered);
            put_together(activation.scope(fiber), gather, gathered);
            false
        }
    }
}

/// What an iteration has put into these row sets; the next one finds them empty.
fn take_gathered(scope: &mut Scope, gather: &[RegisterId]) -> Vec<Rows> {
    let rows = |register: &RegisterId| match &scope.registers[register.index()] {
        Register::Rows(rows) => rows.clone(),
        _ => Rows::default(),
    };
    let found = gather.iter().map(rows).collect();
    empty(scope, gather);
    found
}

fn empty(scope: &mut Scope, gather: &[RegisterId]) {
    for register in gather {
        scope.registers[register.index()] = Register::Rows(Rows::default());
    }
}

fn put_together(scope: &mut Scope, gather: &[RegisterId], gathered: impl IntoIterator<Item = Vec<Rows>>) {
    let mut all: Vec<Vec<Row>> = vec![Vec::new(); gather.len()];
    for iteration in gathered {
        for (all, rows) in all.iter_mut().zip(iteration) {
            all.extend_from_slice(&rows);
        }
    }
    for (register, rows) in gather.iter().zip(all) {
        scope.registers[register.index()] = Register::Rows(rows.into());
    }
}

pub(crate) fn bind_row(scope: &mut Scope, bind: &[RegisterId], row: &Row) {
    for (column, register) in bind.iter().enumerate() {
        let value = row.get(column).cloned().unwrap_or(Value::Null);
        scope.registers[register.index()] = Register::Value(value);
    }
}
