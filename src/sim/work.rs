//! Steps that work without a database: application work, calls to the outside, client-side joins.

use base::random::Stream;
use base::{Fingerprint, Nanos, Row};
use program::{Duration, Error, ErrorClass, NodeId, Op};

use crate::activation::{Activation, Answer, FiberRef, Pending, Register};
use crate::arena::Key;
use crate::call::down;
use crate::interpreter::Flow;
use crate::network::Message;
use crate::plan::Plan;
use crate::statement::failure;
use crate::world::{Happening, Job, World};

impl World {
    pub(crate) fn start_work(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        node: NodeId,
        duration: Duration,
    ) -> Flow {
        let span = match duration {
            Duration::Constant(span) => span,
            Duration::Exponential(mean) => self.draws(plan, activation, fiber, "duration").exponential(mean),
        };
        if node == activation.node {
            return self.occupy(plan, key, activation, fiber, Pending::Working, span);
        }
        let home = activation.node;
        let waiting = activation.wait(key, fiber, Pending::Answer);
        match self.transmit(plan, self.errand(activation, fiber, node, false)) {
            Some(arrives) => {
                let errand = Happening::ErrandArrives {
                    node,
                    fiber: waiting,
                    home,
                    duration: span,
                };
                self.scheduler.at(arrives, errand);
            }
            None => self
                .scheduler
                .after(plan.profile.recovery.silence_ns, Happening::CallTimeout(waiting)),
        }
        Flow::Wait
    }

    fn errand(&self, activation: &Activation, fiber: u16, node: NodeId, reply: bool) -> Message {
        let state = &activation.fibers[usize::from(fiber)];
        let (from, to) = if reply {
            (node, activation.node)
        } else {
            (activation.node, node)
        };
        Message {
            from,
            to,
            request: activation.request,
            activation: activation.id,
            step: state.step,
            reply,
            lost: if reply {
                state.armed.lose_reply
            } else {
                state.armed.lose_request
            },
            delay: if reply {
                state.armed.delay_reply
            } else {
                state.armed.delay_request
            },
        }
    }

    pub(crate) fn errand_arrives(&mut self, plan: &Plan, node: NodeId, fiber: FiberRef, home: NodeId, duration: Nanos) {
        if self.is_up(node) {
            self.work(plan, node, Job::Errand { fiber, duration });
        } else {
            let answer = Box::new(Answer::Returned(Err(down(plan, node))));
            let latency = self.latency(plan, node, home);
            self.scheduler
                .after(latency, Happening::AnswerReturns { fiber, answer });
        }
    }

    pub(crate) fn errand_done(&mut self, plan: &Plan, node: NodeId, fiber: FiberRef) {
        if !self.is_waiting(fiber) {
            return;
        }
        let Some(mut activation) = self.activations.borrow(fiber.activation) else {
            return;
        };
        let message = self.errand(&activation, fiber.fiber, node, true);
        let result = self
            .refusal(plan, &mut activation, fiber.fiber)
            .map_or(Ok(Vec::new()), Err);
        self.activations.put(fiber.activation, activation);
        match self.transmit(plan, message) {
            Some(arrives) => {
                let answer = Box::new(Answer::Returned(result));
                self.scheduler.at(arrives, Happening::AnswerReturns { fiber, answer });
            }
            None => self
                .scheduler
                .after(plan.profile.recovery.silence_ns, Happening::CallTimeout(fiber)),
        }
    }

    /// Work at the program's own node is done.
    pub(crate) fn work_done(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        match self.refusal(plan, activation, fiber) {
            Some(error) => self.step_failed(plan, key, activation, fiber, error),
            None => self.step_done(plan, key, activation, fiber, 0),
        }
    }

    /// The client-side join: evaluated in the service's memory, paid with its processor's time.
    pub(crate) fn compose(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let (id, step) = (activation.id, activation.fiber(fiber).step);
        let Op::Compose {
            tables, sql, operands, ..
        } = &plan.program(id.program).step(step).op
        else {
            return Flow::Wait;
        };
        let mut parameters = Vec::with_capacity(operands.len());
        for operand in operands {
            match self.operand(plan, activation, fiber, operand) {
                Ok(value) => parameters.push(value),
                Err(error) => return self.step_failed(plan, key, activation, fiber, error),
            }
        }
        let scope = activation.scope(fiber);
        let rows = |table: &program::ComposeTable| match &scope.registers[table.rows.index()] {
            Register::Rows(rows) => &rows[..],
            _ => &[],
        };
        let sets: Vec<&[Row]> = tables.iter().map(rows).collect();
        let costs = &plan.profile.service;
        let evaluated = match plan.join(id.program, step, tables, sql) {
            Ok(join) => join.run(&sets, parameters),
            Err(error) => Err(error.clone()),
        };
        let (result, rows) = match evaluated {
            Ok((output, usage)) => (Ok(output), usage.rows_read.saturating_add(usage.rows_returned)),
            Err(error) => (Err(failure(&error)), 0),
        };
        let work = costs.step_ns + Nanos(costs.row_ns.0.saturating_mul(rows));
        activation.fiber(fiber).answer = Some(Answer::Output(result));
        self.occupy(plan, key, activation, fiber, Pending::Taking, work)
    }

    /// Is the call refused this time?
    fn refusal(&mut self, plan: &Plan, activation: &mut Activation, fiber: u16) -> Option<Error> {
        let step = activation.fiber(fiber).step;
        let Op::Work {
            fails: Some(failure), ..
        } = &plan.program(activation.id.program).step(step).op
        else {
            return None;
        };
        let mut draws = self.draws(plan, activation, fiber, "refusal");
        draws
            .chance(u64::from(failure.numerator), u64::from(failure.denominator))
            .then(|| Error {
                class: ErrorClass::Aborted,
                code: None,
                message: failure.message.clone(),
            })
    }

    /// What is drawn depends on the request, the statement that the step comes from and how often it was drawn for
    /// it, not on the design's steps or on who else runs: every design meets the same refusals.
    fn draws(&mut self, plan: &Plan, activation: &mut Activation, fiber: u16, purpose: &'static str) -> Stream {
        let step = activation.fiber(fiber).step;
        let source = plan.program(activation.id.program).step(step).source;
        let nth = self.drawn.entry((purpose, activation.request, source)).or_default();
        *nth += 1;
        let number = Fingerprint::of(&(activation.request, source, *nth));
        Stream::new(plan.compilation.workload.seed, purpose, number.0)
    }
}
