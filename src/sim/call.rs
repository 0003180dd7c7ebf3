//! Programs call programs: request and reply travel, and can be lost, late or doubled.

use base::{Nanos, Value};
use program::{Error, ErrorClass, EventKind, Expression, Into, NodeId, Op, Outcome, ProgramId, RequestId, StepPoint};

use crate::activation::{Activation, Answer, Caller, FiberRef, Origin, Pending, Register};
use crate::arena::Key;
use crate::interpreter::Flow;
use crate::network::Message;
use crate::plan::Plan;
use crate::world::{Happening, Life, World, unavailable};

/// A call on its way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct CallMessage {
    pub(crate) program: ProgramId,
    pub(crate) arguments: Vec<Register>,
    pub(crate) request: Option<RequestId>,
    pub(crate) origin: Origin,
    /// Sent by a process to itself.
    pub(crate) within: bool,
}

impl World {
    pub(crate) fn start_call(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        arguments: &[Expression],
    ) -> Flow {
        let mut outgoing = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match self.argument(plan, activation, fiber, argument) {
                Ok(value) => outgoing.push(value),
                Err(error) => return self.step_failed(plan, key, activation, fiber, error),
            }
        }
        activation.fiber(fiber).outgoing = outgoing;
        self.occupy(
            plan,
            key,
            activation,
            fiber,
            Pending::Sending,
            plan.profile.service.step_ns,
        )
    }

    /// The request leaves.
    pub(crate) fn send_call(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let state = activation.fiber(fiber);
        let (step, armed) = (state.step, state.armed);
        let arguments = std::mem::take(&mut state.outgoing);
        let (callee, timeout) = match plan.program(activation.id.program).step(step).op {
            Op::Call { program, timeout, .. } => (program, Some(timeout)),
            Op::Send { program, .. } => (program, None),
            _ => return Flow::Wait,
        };
        let message = Message {
            from: activation.node,
            to: plan.program(callee).home,
            request: activation.request,
            activation: activation.id,
            step,
            reply: false,
            lost: armed.lose_request,
            delay: armed.delay_request,
        };
        let caller = timeout.map(|timeout| {
            let waiting = activation.wait(key, fiber, Pending::Answer);
            // Without a timeout of its own a caller notices a lost answer when its connection is found silent.
            let timeout = if timeout == Nanos::ZERO {
                plan.profile.recovery.silence_ns
            } else {
                timeout
            };
            if timeout < Nanos::MAX {
                self.scheduler.timer(timeout, Happening::CallTimeout(waiting));
            }
            let (node, activation, request) = (activation.node, activation.id, activation.request);
            Caller {
                fiber: waiting,
                node,
                activation,
                step,
                request,
                armed,
            }
        });
        for _ in 0..1 + u8::from(armed.duplicate) {
            if let Some(arrives) = self.transmit(plan, message) {
                let origin = caller.clone().map_or(Origin::Nobody, Origin::Caller);
                let (arguments, request) = (arguments.clone(), activation.request);
                let call = CallMessage {
                    program: callee,
                    arguments,
                    request,
                    origin,
                    within: message.from == message.to,
                };
                self.quiet.travelling += 1;
                self.scheduler.at(arrives, Happening::CallArrives(Box::new(call)));
            }
        }
        if caller.is_some() {
            return Flow::Wait;
        }
        self.quiet.changes += 1;
        self.step_done(plan, key, activation, fiber, 0)
    }

    pub(crate) fn call_arrives(&mut self, plan: &Plan, call: CallMessage) {
        self.quiet.travelling -= 1;
        let home = plan.program(call.program).home;
        // A process that recovers takes no requests, but may call itself.
        let recovering = matches!(self.nodes[home.index()].life, Life::Recovering(_));
        if self.is_up(home) || (recovering && call.within) {
            self.start_program(plan, call.program, call.arguments, call.request, call.origin);
        } else if let Origin::Caller(caller) = call.origin {
            self.reply(plan, home, &caller, Err(down(plan, home)));
        }
    }

    /// A program has ended: what it holds is given back, and whoever waits hears of it.
    pub(crate) fn end_program(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: Activation,
        result: Result<Vec<Register>, Error>,
    ) {
        self.activations.remove(key);
        let outcome = match &result {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Failed(error.clone()),
        };
        let Activation {
            id,
            node,
            request,
            ref scopes,
            ..
        } = activation;
        self.emit(
            node,
            request,
            EventKind::ProgramEnded {
                activation: id,
                outcome,
            },
        );
        let step = activation.fibers[0].step;
        for connection in scopes.iter().flat_map(|scope| &scope.connections).flatten() {
            self.release(plan, *connection, id, step, request);
        }
        if !matches!(activation.origin, Origin::Periodic { .. }) {
            self.quiet.running -= 1;
        }
        match &activation.origin {
            Origin::Client => self.answer_client(plan, node, request, result),
            Origin::Nobody => {}
            Origin::Periodic { index, changes } => self.relay_ended(plan, *index, *changes, result.is_ok()),
            Origin::Recovery => self.recovery_ended(plan, node, id.program, result.is_ok()),
            Origin::Caller(caller) => {
                let epoch = self.nodes[node.index()].epoch;
                let program = caller.activation.program;
                if self.strike(plan, program, caller.step, caller.request, StepPoint::Done) {
                    self.crash_now(plan);
                }
                let result = if self.nodes[node.index()].epoch == epoch {
                    result
                } else {
                    Err(down(plan, node))
                };
                self.reply(plan, node, caller, result);
            }
        }
    }

    /// The reply leaves for the caller.
    pub(crate) fn reply(&mut self, plan: &Plan, from: NodeId, caller: &Caller, result: Result<Vec<Register>, Error>) {
        let message = Message {
            from,
            to: caller.node,
            request: caller.request,
            activation: caller.activation,
            step: caller.step,
            reply: true,
            lost: caller.armed.lose_reply,
            delay: caller.armed.delay_reply,
        };
        if let Some(arrives) = self.transmit(plan, message) {
            let answer = Box::new(Answer::Returned(result));
            self.scheduler.at(
                arrives,
                Happening::AnswerReturns {
                    fiber: caller.fiber,
                    answer,
                },
            );
        }
    }

    /// An answer comes back to a fiber, if it still waits for it.
    pub(crate) fn answer_returns(&mut self, plan: &Plan, fiber: FiberRef, answer: Answer) {
        if !self.is_waiting(fiber) {
            return;
        }
        let Some(mut activation) = self.activations.borrow(fiber.activation) else {
            return;
        };
        let costs = &plan.profile.service;
        let rows = match &answer {
            Answer::Output(Ok(output)) => output.rows.len() as u64,
            _ => 0,
        };
        let work = costs.step_ns + Nanos(costs.row_ns.0.saturating_mul(rows));
        activation.fiber(fiber.fiber).answer = Some(answer);
        let flow = self.occupy(
            plan,
            fiber.activation,
            &mut activation,
            fiber.fiber,
            Pending::Taking,
            work,
        );
        self.drive(plan, fiber.activation, activation, fiber.fiber, flow);
    }

    pub(crate) fn call_timeout(&mut self, plan: &Plan, fiber: FiberRef) {
        let answer = |activation: &Activation| {
            let program = plan.program(activation.id.program);
            let step = activation.fibers[usize::from(fiber.fiber)].step;
            let message = format!("{}: no answer in time", program.step(step).label);
            Answer::Returned(Err(Error {
                class: ErrorClass::Timeout,
                code: None,
                message,
            }))
        };
        if self.is_waiting(fiber)
            && let Some(answer) = self
                .activations
                .get(fiber.activation)
                .map(|activation| answer(activation))
        {
            self.answer_returns(plan, fiber, answer);
        }
    }

    /// The answer's content goes to registers.
    pub(crate) fn take_answer(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let step = activation.fiber(fiber).step;
        let op = &plan.program(activation.id.program).step(step).op;
        let taken = match (activation.fiber(fiber).answer.take(), op) {
            (Some(Answer::Returned(result)), Op::Call { into, .. }) => result.map(|values| {
                let scope = activation.scope(fiber);
                for (register, value) in into.iter().zip(values) {
                    scope.registers[register.index()] = value;
                }
                0
            }),
            (Some(Answer::Returned(result)), _) => result.map(|_| 0),
            (Some(Answer::Output(result)), Op::Item { into, .. } | Op::Object { into, .. } | Op::Bus { into, .. }) => {
                result.and_then(|output| bind_output(activation, fiber, into, None, output))
            }
            (Some(Answer::Output(result)), Op::Statement { into, expect_rows, .. }) => {
                result.and_then(|output| bind_output(activation, fiber, into, *expect_rows, output))
            }
            (Some(Answer::Output(result)), Op::Compose { into, .. }) => {
                result.and_then(|output| bind_output(activation, fiber, into, None, output))
            }
            _ => return Flow::Wait,
        };
        match taken {
            Ok(rows) => self.step_done(plan, key, activation, fiber, rows),
            Err(error) => self.step_failed(plan, key, activation, fiber, error),
        }
    }

    pub(crate) fn relay_turn(&mut self, plan: &Plan, index: u16, epoch: u32) {
        let periodic = &plan.periodic[usize::from(index)];
        let home = &self.nodes[plan.program(periodic.program).home.index()];
        if home.epoch == epoch && home.life == Life::Up {
            let changes = self.quiet.changes;
            let partition = periodic
                .partition
                .map(|number| Register::Value(Value::Int4(i32::from(number))));
            let arguments = partition.into_iter().collect();
            let origin = Origin::Periodic { index, changes };
            self.start_program(plan, periodic.program, arguments, None, origin);
        }
    }

    fn relay_ended(&mut self, plan: &Plan, index: u16, changes: u64, well: bool) {
        // A round that has failed will find more to do, unless what it needs is down for good.
        let hopeless = || self.nodes.iter().any(|node| node.life == Life::Down);
        if self.quiet.changes == changes && (well || hopeless()) {
            self.quiet.clean.insert(index, changes);
        }
        let periodic = &plan.periodic[usize::from(index)];
        let epoch = self.nodes[plan.program(periodic.program).home.index()].epoch;
        self.scheduler
            .after(periodic.every, Happening::PeriodicTurn { index, epoch });
    }

    /// Plans the first round of the relays and consumers of a node, or of all.
    pub(crate) fn plan_relays(&mut self, plan: &Plan, of: Option<NodeId>) {
        for (index, periodic) in (0..).zip(&plan.periodic) {
            let home = plan.program(periodic.program).home;
            if of.is_none_or(|node| node == home) {
                let epoch = self.nodes[home.index()].epoch;
                // A consumer listens as soon as it can.
                let first = periodic.partition.map_or(periodic.every, |_| Nanos::ZERO);
                self.scheduler.after(first, Happening::PeriodicTurn { index, epoch });
            }
        }
    }
}

pub(crate) fn down(plan: &Plan, node: NodeId) -> Error {
    unavailable(format!("{} is down", plan.compilation.deployment.node(node).name))
}

/// Rows of a result into registers; how many there were.
fn bind_output(
    activation: &mut Activation,
    fiber: u16,
    into: &Into,
    expect_rows: Option<u64>,
    output: engine_sql::Output,
) -> Result<u64, Error> {
    let count = output.tag.rows.unwrap_or(output.rows.len() as u64);
    if let Some(expected) = expect_rows.filter(|expected| *expected != count) {
        let message = format!("expected {expected} rows, got {count}");
        return Err(Error {
            class: ErrorClass::Expectation,
            code: None,
            message,
        });
    }
    let scope = activation.scope(fiber);
    match into {
        Into::Nothing => {}
        Into::Count(register) => {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            scope.registers[register.index()] = Register::Value(base::Value::Int8(count));
        }
        Into::Rows(register) => scope.registers[register.index()] = Register::Rows(output.rows.into()),
        Into::Values(_) if output.rows.len() > 1 => {
            let message = "query returned more than one row".to_owned();
            return Err(Error {
                class: ErrorClass::Refused,
                code: Some("21000".to_owned()),
                message,
            });
        }
        Into::Values(registers) => {
            let row = output.rows.first();
            for (column, register) in registers.iter().enumerate() {
                let value = row
                    .and_then(|row| row.get(column))
                    .cloned()
                    .unwrap_or(base::Value::Null);
                scope.registers[register.index()] = Register::Value(value);
            }
        }
    }
    Ok(count)
}
