//! Runs programs: a fiber goes on until it waits for something outside of it, or its program has ended.
//!
//! Control structure and decisions over registers take no time of their own; what leaves the process, or
//! works, does. A fiber that is about to go on after a crash that it has itself brought about (a fault at
//! one of its steps) first lets the crash happen, and goes on only if it still exists.

use std::collections::VecDeque;

use base::{Nanos, Value};
use program::{Error, ErrorClass, EventKind, Op, Outcome, ProgramId, RequestId, StepId, StepPoint, WaitCause};

use crate::activation::{Activation, Answer, Fiber, FiberRef, Frame, FrameKind, Origin, Pending, Register, Scope};
use crate::arena::Key;
use crate::control::enter;
use crate::expression::{self, Present};
use crate::plan::Plan;
use crate::workload::present;
use crate::world::{Happening, Job, World};

/// What a fiber does next.
#[derive(Clone, Debug)]
pub(crate) enum Flow {
    /// The next step.
    Go,
    /// It waits, or has ended.
    Wait,
    /// Another fiber goes on instead.
    Switch(u16),
    /// The program has ended.
    End(Result<Vec<Register>, Error>),
}

impl World {
    pub(crate) fn start_program(
        &mut self,
        plan: &Plan,
        id: ProgramId,
        arguments: Vec<Register>,
        request: Option<RequestId>,
        origin: Origin,
    ) {
        let program = plan.program(id);
        let mut registers = vec![Register::NULL; program.registers.len()];
        for (parameter, argument) in program.parameters.iter().zip(arguments) {
            registers[parameter.index()] = argument;
        }
        let scope = Scope {
            registers,
            connections: vec![None; program.connections.len()],
            live: true,
        };
        if !matches!(origin, Origin::Periodic { .. }) {
            self.quiet.running += 1;
        }
        let activation = Box::new(Activation {
            id: program::Activation {
                program: id,
                number: self.started,
            },
            node: program.home,
            request,
            origin,
            scopes: vec![scope],
            fibers: vec![Fiber::new(0, None, Frame::new(None, 0, FrameKind::Plain))],
            returned: None,
            ready: VecDeque::new(),
        });
        self.started += 1;
        self.emit(
            program.home,
            request,
            EventKind::ProgramStarted {
                activation: activation.id,
            },
        );
        let key = self.activations.insert(activation);
        if let Some(activation) = self.activations.borrow(key) {
            self.drive(plan, key, activation, 0, Flow::Go);
        }
    }

    /// Is the fiber still at the wait that the reference names?
    pub(crate) fn is_waiting(&self, fiber: FiberRef) -> bool {
        let activation = self.activations.get(fiber.activation);
        activation
            .and_then(|activation| activation.fibers.get(usize::from(fiber.fiber)))
            .is_some_and(|state| {
                state.ticket == fiber.ticket && state.pending != Pending::Nothing && !state.frames.is_empty()
            })
    }

    /// What the fiber waited for is there.
    pub(crate) fn wake(&mut self, plan: &Plan, fiber: FiberRef) {
        if self.is_waiting(fiber)
            && let Some(mut activation) = self.activations.borrow(fiber.activation)
        {
            let flow = self.go_on(plan, fiber.activation, &mut activation, fiber.fiber);
            self.drive(plan, fiber.activation, activation, fiber.fiber, flow);
        }
    }

    pub(crate) fn drive(&mut self, plan: &Plan, key: Key, mut activation: Box<Activation>, fiber: u16, flow: Flow) {
        let (mut fiber, mut flow) = (fiber, flow);
        loop {
            flow = match flow {
                Flow::Go => self.next_step(plan, key, &mut activation, fiber),
                Flow::Switch(other) => {
                    fiber = other;
                    Flow::Go
                }
                Flow::Wait if activation.ready.is_empty() => break,
                Flow::Wait => Flow::Switch(activation.ready.pop_front().unwrap_or(fiber)),
                Flow::End(result) => {
                    self.end_program(plan, key, *activation, result);
                    return;
                }
            };
        }
        self.activations.put(key, activation);
        for (node, job) in std::mem::take(&mut self.jobs) {
            self.work(plan, node, job);
        }
    }

    fn next_step(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let program = plan.program(activation.id.program);
        let state = activation.fiber(fiber);
        let Some(frame) = state.frames.last_mut() else {
            return Flow::Wait;
        };
        let Some(step) = frame.block(program).get(frame.index as usize).copied() else {
            return self.block_ended(plan, key, activation, fiber);
        };
        frame.index += 1;
        state.step = step;
        self.steps += 1;
        let (id, node, request) = (activation.id, activation.node, activation.request);
        self.emit(node, request, EventKind::StepStarted { activation: id, step });
        activation.fiber(fiber).armed = self.arm(plan, id.program, step, request);
        if self.strike(plan, id.program, step, request, StepPoint::Before) {
            return self.struck(key, activation, fiber, StepPoint::Before);
        }
        self.execute(plan, key, activation, fiber)
    }

    /// Lets the crash happen first.
    pub(crate) fn struck(&mut self, key: Key, activation: &mut Activation, fiber: u16, point: StepPoint) -> Flow {
        let waiting = activation.wait(key, fiber, Pending::Struck(point));
        self.scheduler.after(Nanos::ZERO, Happening::Wake(waiting));
        Flow::Wait
    }

    fn execute(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let program = plan.program(activation.id.program);
        let step = activation.fiber(fiber).step;
        let op = &program.step(step).op;
        if let Some(fault) = activation.fiber(fiber).armed.refuse
            && !matches!(
                op,
                Op::Statement { .. } | Op::Item { .. } | Op::Object { .. } | Op::Bus { .. }
            )
        {
            let class = if matches!(op, Op::Work { .. }) {
                ErrorClass::Aborted
            } else {
                ErrorClass::Refused
            };
            let error = Error {
                class,
                code: None,
                message: World::refusal_message(plan, fault),
            };
            return self.step_failed(plan, key, activation, fiber, error);
        }
        match op {
            Op::Acquire {
                connection,
                key: route_key,
            } => self.acquire(plan, key, activation, fiber, *connection, route_key.as_ref()),
            Op::RouteKeys { route, into } => {
                let keys = plan.route_keys(*route);
                let count = keys.len() as u64;
                activation.scope(fiber).registers[into.index()] = Register::Rows(keys);
                self.step_done(plan, key, activation, fiber, count)
            }
            Op::Release { connection } => {
                let held = activation.scope(fiber).connections[usize::from(connection.0)].take();
                if let Some(held) = held {
                    self.release(plan, held, activation.id, step, activation.request);
                }
                self.step_done(plan, key, activation, fiber, 0)
            }
            Op::Statement {
                connection, operands, ..
            } => self.start_statement(plan, key, activation, fiber, *connection, operands),
            Op::Set { register, value } => match self.argument(plan, activation, fiber, value) {
                Ok(value) => {
                    activation.scope(fiber).registers[register.index()] = value;
                    self.step_done(plan, key, activation, fiber, 0)
                }
                Err(error) => self.step_failed(plan, key, activation, fiber, error),
            },
            Op::If { condition, .. } => {
                let present = self.present(plan, activation);
                match expression::holds(condition, activation.scope(fiber), present) {
                    Ok(holds) => enter(activation, fiber, step, u16::from(!holds), FrameKind::Plain),
                    Err(error) => self.step_failed(plan, key, activation, fiber, error),
                }
            }
            Op::ForEach {
                rows,
                bind,
                parallel,
                gather,
                ..
            } => self.for_each(plan, key, activation, fiber, (*rows, bind, *parallel, gather)),
            Op::Par { branches } => self.fork(plan, key, activation, fiber, branches.len() as u16),
            Op::Try { .. } => enter(activation, fiber, step, 0, FrameKind::Try),
            Op::Retry { .. } => enter(activation, fiber, step, 0, FrameKind::Retry { attempt: 0 }),
            Op::Call { arguments, .. } | Op::Send { arguments, .. } => {
                self.start_call(plan, key, activation, fiber, arguments)
            }
            Op::Compose { .. } => self.compose(plan, key, activation, fiber),
            Op::Item { .. } => self.start_item(plan, key, activation, fiber),
            Op::Object { .. } => self.start_object(plan, key, activation, fiber),
            Op::Bus { .. } => self.start_bus(plan, key, activation, fiber),
            Op::Work { node, duration, .. } => self.start_work(plan, key, activation, fiber, *node, *duration),
            Op::Abort { class, message } => {
                let error = self.argument(plan, activation, fiber, message).map_or_else(
                    |error| error,
                    |message| Error {
                        class: *class,
                        code: None,
                        ..caught(&message)
                    },
                );
                self.step_failed(plan, key, activation, fiber, error)
            }
            Op::Rethrow { error } => {
                let error = caught(&activation.scope(fiber).registers[error.index()]);
                self.step_failed(plan, key, activation, fiber, error)
            }
            Op::Return { values } => {
                let scope = activation.scope(fiber);
                let values = values
                    .iter()
                    .map(|value| scope.registers[value.index()].clone())
                    .collect();
                self.return_from(plan, key, activation, fiber, values)
            }
        }
    }

    /// What was waited for is there: goes on from the point where the fiber stood.
    pub(crate) fn go_on(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let pending = std::mem::replace(&mut activation.fiber(fiber).pending, Pending::Nothing);
        let step = activation.fiber(fiber).step;
        match pending {
            Pending::Sending => match plan.program(activation.id.program).step(step).op {
                Op::Statement { connection, .. } => self.send_statement(plan, key, activation, fiber, connection),
                Op::Item { .. } => self.send_item(plan, key, activation, fiber),
                Op::Object { .. } => self.send_object(plan, key, activation, fiber),
                Op::Bus { .. } => self.send_bus(plan, key, activation, fiber),
                _ => self.send_call(plan, key, activation, fiber),
            },
            Pending::Taking => self.take_answer(plan, key, activation, fiber),
            Pending::Working => self.work_done(plan, key, activation, fiber),
            Pending::Backoff => {
                self.wait_ended(activation, step, WaitCause::Backoff);
                Flow::Go
            }
            Pending::Struck(StepPoint::Before) => self.execute(plan, key, activation, fiber),
            Pending::Struck(_) => match activation.fiber(fiber).answer.take() {
                Some(Answer::Returned(Err(error))) => self.unwind(plan, key, activation, fiber, error),
                _ => Flow::Go,
            },
            Pending::Nothing | Pending::Answer | Pending::Connection | Pending::Branches => Flow::Wait,
        }
    }

    /// Occupies a processor of the program's node, then goes on.
    pub(crate) fn occupy(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        pending: Pending,
        duration: Nanos,
    ) -> Flow {
        if duration == Nanos::ZERO {
            activation.fiber(fiber).pending = pending;
            return self.go_on(plan, key, activation, fiber);
        }
        let waiting = activation.wait(key, fiber, pending);
        // The activation is being run: whoever looks at the job must find it in its place.
        self.jobs.push((
            activation.node,
            Job::Fiber {
                fiber: waiting,
                duration,
            },
        ));
        Flow::Wait
    }

    pub(crate) fn argument(
        &mut self,
        plan: &Plan,
        activation: &mut Activation,
        fiber: u16,
        value: &program::Expression,
    ) -> Result<Register, Error> {
        let present = self.present(plan, activation);
        expression::argument(value, activation.scope(fiber), present)
    }

    /// An operand of a statement: a value.
    pub(crate) fn operand(
        &mut self,
        plan: &Plan,
        activation: &mut Activation,
        fiber: u16,
        operand: &program::Expression,
    ) -> Result<Value, Error> {
        let present = self.present(plan, activation);
        expression::evaluate(operand, activation.scope(fiber), present)
    }

    pub(crate) fn present(&self, plan: &Plan, activation: &Activation) -> Present {
        let now_micros = present(plan.compilation.workload.epoch_micros, self.now());
        Present {
            request: activation.request,
            row: None,
            now_micros,
        }
    }

    pub(crate) fn step_ended(&mut self, activation: &Activation, step: StepId, outcome: Outcome, rows: u64) {
        let kind = EventKind::StepEnded {
            activation: activation.id,
            step,
            outcome,
            rows,
        };
        self.emit(activation.node, activation.request, kind);
    }

    pub(crate) fn wait_started(&mut self, activation: &Activation, step: StepId, cause: WaitCause) {
        self.emit(
            activation.node,
            activation.request,
            EventKind::WaitStarted {
                activation: activation.id,
                step,
                cause,
            },
        );
    }

    pub(crate) fn wait_ended(&mut self, activation: &Activation, step: StepId, cause: WaitCause) {
        self.emit(
            activation.node,
            activation.request,
            EventKind::WaitEnded {
                activation: activation.id,
                step,
                cause,
            },
        );
    }
}

/// What a `Try` has caught; if it was saved and read back meanwhile, only its text is left of it.
fn caught(register: &Register) -> Error {
    match register {
        Register::Error(error) => (**error).clone(),
        Register::Value(text) => Error {
            class: ErrorClass::Aborted,
            code: None,
            message: text.to_string(),
        },
        Register::Rows(_) => Error {
            class: ErrorClass::Aborted,
            code: None,
            message: "aborted".to_owned(),
        },
    }
}
