//! A statement as the service sees it: it is sent on a connection and answered. What happens to it at the server
//! is in `backend.rs`.

use base::Value;
use engine_sql::{Output, Progress, SqlError};
use program::{ConnectionId, Error, ErrorClass, Expression, RequestId, StepId, StepPoint};

use crate::activation::{Activation, Answer, Armed, FiberRef, Pending};
use crate::arena::Key;
use crate::interpreter::Flow;
use crate::network::Message;
use crate::plan::{Plan, TextId};
use crate::trace::Sent;
use crate::world::{Happening, World, unavailable};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Running {
    /// Who waits for the answer; `None`: a ROLLBACK before the connection is given back.
    pub(crate) asker: Option<FiberRef>,
    pub(crate) activation: program::Activation,
    pub(crate) step: StepId,
    pub(crate) request: Option<RequestId>,
    pub(crate) text: TextId,
    pub(crate) operands: Vec<Value>,
    pub(crate) phase: Phase,
    pub(crate) armed: Armed,
    pub(crate) begun: bool,
    /// It has written a commit.
    pub(crate) wrote: bool,
    /// Its lock was granted while its slice was still being worked on.
    pub(crate) woken: bool,
    /// Counts its lock waits.
    pub(crate) waits: u32,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Phase {
    /// Still in the service.
    Preparing,
    Travelling,
    /// In the line for a core.
    Ready,
    /// On a core; this is what the slice has come to.
    Slice(Progress),
    Blocked(String),
    Flushing,
    /// The answer is under way.
    Answered(Result<Output, Error>),
}

impl Running {
    pub(crate) fn new(
        activation: program::Activation,
        step: StepId,
        request: Option<RequestId>,
        text: TextId,
        operands: Vec<Value>,
        armed: Armed,
    ) -> Running {
        Running {
            asker: None,
            activation,
            step,
            request,
            text,
            operands,
            phase: Phase::Preparing,
            armed,
            begun: false,
            wrote: false,
            woken: false,
            waits: 0,
        }
    }
}

impl World {
    pub(crate) fn start_statement(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        slot: ConnectionId,
        operands: &[Expression],
    ) -> Flow {
        let mut values = Vec::with_capacity(operands.len());
        for operand in operands {
            match self.operand(plan, activation, fiber, operand) {
                Ok(value) => values.push(value),
                Err(error) => return self.step_failed(plan, key, activation, fiber, error),
            }
        }
        let held = activation.scope(fiber).connections[usize::from(slot.0)];
        let connection = held.and_then(|held| self.connections.get_mut(held));
        let Some(connection) = connection else {
            let error = unavailable(if held.is_some() {
                "the connection is broken"
            } else {
                "no connection is held"
            });
            return self.step_failed(plan, key, activation, fiber, error);
        };
        if connection.running.is_some() {
            // What libpq says to two commands at once on one connection.
            let error = Error {
                class: ErrorClass::Refused,
                code: None,
                message: "another command is already in progress".to_owned(),
            };
            return self.step_failed(plan, key, activation, fiber, error);
        }
        let state = activation.fiber(fiber);
        let (step, armed) = (state.step, state.armed);
        let text = plan.text_of(activation.id.program, step);
        connection.running = Some(Running::new(
            activation.id,
            step,
            activation.request,
            text,
            values,
            armed,
        ));
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
    pub(crate) fn send_statement(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        slot: ConnectionId,
    ) -> Flow {
        let held = activation.scope(fiber).connections[usize::from(slot.0)];
        let found = held.and_then(|held| Some((held, self.connections.get_mut(held)?)));
        let Some((held, connection)) = found else {
            return self.step_failed(plan, key, activation, fiber, unavailable("the connection broke"));
        };
        let Some(running) = connection.running.as_mut() else {
            return Flow::Wait;
        };
        running.phase = Phase::Travelling;
        running.asker = Some(activation.wait(key, fiber, Pending::Answer));
        let message = Message {
            lost: running.armed.lose_request,
            delay: running.armed.delay_request,
            ..Message::request(
                connection.service,
                connection.server,
                running.request,
                running.activation,
                running.step,
            )
        };
        match self.transmit(plan, message) {
            Some(arrives) => self.scheduler.at(arrives, Happening::StatementArrives(held)),
            None => self
                .scheduler
                .after(plan.profile.recovery.silence_ns, Happening::ConnectionBreaks(held)),
        }
        Flow::Wait
    }

    pub(crate) fn statement_arrives(&mut self, plan: &Plan, key: Key) {
        let Some(connection) = self
            .connections
            .get(key)
            .filter(|connection| connection.session.is_some())
        else {
            return;
        };
        let node = connection.server;
        if let Some(server) = &mut self.nodes[node.index()].server {
            server.statements += 1;
        }
        self.backend_ready(plan, key);
    }

    /// The effect has happened; the answer leaves for the service.
    pub(crate) fn statement_done(&mut self, plan: &Plan, key: Key, result: Result<Output, SqlError>) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let (service, server) = (connection.service, connection.server);
        let Some(running) = &mut connection.running else { return };
        let mut result = result.map_err(|error| failure(&error));
        if let (Err(error), Some(fault)) = (&mut result, running.armed.refuse) {
            *error = Error {
                class: ErrorClass::Refused,
                code: None,
                message: World::refusal_message(plan, fault),
            };
        }
        self.trace.statement(|| Sent {
            request: running.request,
            program: running.activation.program,
            step: running.step,
            pool: connection.pool,
            sql: plan.texts[running.text.0 as usize].clone(),
            operands: running.operands.clone(),
            rows: result
                .as_ref()
                .map(|output| output.tag.rows.unwrap_or_default())
                .map_err(Error::clone),
        });
        running.phase = Phase::Answered(result);
        let (activation, step, request, armed) = (running.activation, running.step, running.request, running.armed);
        if self.strike(plan, activation.program, step, request, StepPoint::Done) {
            self.crash_now(plan);
        }
        match self.connections.get(key) {
            Some(connection) if connection.abandoned => return self.break_connection(plan, key),
            // The server is gone, and the answer with it.
            Some(connection) if connection.session.is_none() => return,
            None => return,
            Some(_) => {}
        }
        let message = Message {
            reply: true,
            lost: armed.lose_reply,
            delay: armed.delay_reply,
            ..Message::request(server, service, request, activation, step)
        };
        match self.transmit(plan, message) {
            Some(arrives) => self.scheduler.at(arrives, Happening::StatementAnswered(key)),
            None => self
                .scheduler
                .after(plan.profile.recovery.silence_ns, Happening::ConnectionBreaks(key)),
        }
    }

    pub(crate) fn statement_answered(&mut self, plan: &Plan, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.abandoned {
            return self.break_connection(plan, key);
        }
        let Some(Running {
            asker,
            phase: Phase::Answered(result),
            ..
        }) = connection.running.take()
        else {
            return;
        };
        match asker {
            Some(asker) => self.answer_returns(plan, asker, Answer::Output(result)),
            None => self.give_back(plan, key),
        }
    }
}

/// An engine's refusal as a program sees it.
pub(crate) fn failure(error: &SqlError) -> Error {
    let class = match error.sqlstate {
        "40001" | "40P01" => ErrorClass::Transient,
        // Connection exceptions; shutting down or starting up; too many connections.
        "57P01" | "57P02" | "57P03" | "53300" => ErrorClass::Unavailable,
        state if state.starts_with("08") => ErrorClass::Unavailable,
        _ => ErrorClass::Refused,
    };
    Error {
        class,
        code: Some(error.sqlstate.to_owned()),
        message: error.message.clone(),
    }
}
