//! A statement's way: it travels to the server, works in slices on a processor there, may wait for a lock or for
//! the WAL's flush, and its answer travels back.
//!
//! ```text
//! service ──▶ line for a core ─▶ slice: engine resumes, its usage becomes time
//!                  ▲                 ├ Blocked ──▶ core given back, waits for the lock ─┐
//!                  ├─────────────────│──────────────────────────────────────────────────┤
//!                  │                 ├ Flush ────▶ joins the group commit ──────────────┘
//!                  └─ OutOfFuel ─────┤
//! service ◀──────────────────────────┘ Done
//! ```

use base::{Nanos, Value};
use engine_sql::{Output, Progress, SessionId, SqlError, TransactionStatus, Usage};
use program::profile::SqlCosts;
use program::{
    ConnectionId, Error, ErrorClass, EventKind, Expression, NodeId, RequestId, StepId, StepPoint, WaitCause,
};

use crate::activation::{Activation, Answer, Armed, FiberRef, Pending};
use crate::arena::Key;
use crate::interpreter::Flow;
use crate::plan::{Plan, TextId};
use crate::station::Flush;
use crate::world::{Happening, Job, Message, World, unavailable};

/// So much an engine may do before others have their turn at the core.
const FUEL_OF_A_SLICE: u64 = 10_000;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Running {
    /// Who waits for the answer; `None`: a ROLLBACK before the connection is given back.
    pub(crate) asker: Option<FiberRef>,
    pub(crate) activation: program::Activation,
    pub(crate) step: StepId,
    pub(crate) request: Option<RequestId>,
    text: TextId,
    operands: Vec<Value>,
    pub(crate) phase: Phase,
    armed: Armed,
    begun: bool,
    /// It has written a commit.
    wrote: bool,
    /// Its lock was granted while its slice was still being worked on.
    woken: bool,
    /// Counts its lock waits.
    waits: u32,
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
                class: ErrorClass::Sql,
                sqlstate: None,
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

    /// The statement wants a core.
    fn backend_ready(&mut self, plan: &Plan, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let node = connection.server;
        if let Some(running) = &mut connection.running {
            running.phase = Phase::Ready;
        }
        self.work(plan, node, Job::Backend(key));
    }

    /// A core is free for it: the engine works now, and the core is busy for as long as that costs.
    pub(crate) fn slice(&mut self, plan: &Plan, node: NodeId, key: Key) -> Nanos {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(key) else {
            return Nanos::ZERO;
        };
        let (Some(session), Some(running)) = (connection.session, connection.running.as_mut()) else {
            return Nanos::ZERO;
        };
        let Some(server) = &mut self.nodes[node.index()].server else {
            return Nanos::ZERO;
        };
        let costs = &plan.profile.sql;
        let mut work = Nanos::ZERO;
        if !running.begun {
            running.begun = true;
            work += costs.statement_ns;
            let prepared = connection
                .prepared
                .binary_search_by_key(&running.text, |(text, _)| *text);
            let statement = match prepared {
                Ok(index) => connection.prepared[index].1,
                Err(index) => {
                    work += costs.prepare_ns;
                    match server.engine.prepare(session, &plan.texts[running.text.0 as usize]) {
                        Ok(statement) => {
                            connection.prepared.insert(index, (running.text, statement));
                            statement
                        }
                        Err(error) => {
                            running.phase = Phase::Slice(Progress::Done(Err(error)));
                            connection.status = server.engine.transaction_status(session);
                            return work;
                        }
                    }
                }
            };
            server.engine.start(session, statement, &running.operands, now);
            if running.armed.refuse.is_some() {
                server.engine.cancel(session);
            }
        }
        let mut fuel = FUEL_OF_A_SLICE;
        let progress = server.engine.resume(session, now, &mut fuel);
        let usage = server.engine.take_usage(session);
        work += cost(costs, &usage);
        let before = std::mem::replace(&mut connection.status, server.engine.transaction_status(session));
        running.wrote |= matches!(progress, Progress::Flush(_));
        let after = connection.status;
        let ended = match &progress {
            Progress::Done(Ok(output)) => Some(output.tag.verb),
            Progress::Done(Err(_)) => Some(""),
            _ => None,
        };
        let (activation, step, request, wrote) = (running.activation, running.step, running.request, running.wrote);
        running.phase = Phase::Slice(progress);
        if let Some(verb) = ended {
            if verb == "SELECT" {
                self.watch_reader(plan, request);
            }
            self.tell_transaction(plan, key, (before, after), verb, (activation, step, request), wrote);
        }
        self.woken(plan, node);
        work
    }

    /// Says what has become of the session's transaction.
    fn tell_transaction(
        &mut self,
        plan: &Plan,
        key: Key,
        (before, after): (TransactionStatus, TransactionStatus),
        verb: &str,
        (activation, step, request): (program::Activation, StepId, Option<RequestId>),
        wrote: bool,
    ) {
        use TransactionStatus::Idle;
        let Some((node, pool)) = self
            .connections
            .get(key)
            .map(|connection| (connection.server, connection.pool))
        else {
            return;
        };
        let committed = if before == Idle {
            wrote
        } else {
            after == Idle && (verb == "COMMIT" || wrote)
        };
        if before == Idle && after != Idle {
            self.emit(node, request, EventKind::TransactionBegun { activation, step });
        } else if committed {
            if let Some(server) = &mut self.nodes[node.index()].server {
                server.commits += 1;
            }
            self.emit(
                node,
                request,
                EventKind::TransactionCommitted {
                    activation,
                    step,
                    wrote,
                },
            );
            if wrote {
                self.quiet.changes += 1;
                let database = plan.compilation.deployment.pools[pool.index()].database;
                self.watch_commit(plan, node, database);
            }
        } else if before != Idle && after == Idle {
            let rolled_back = EventKind::TransactionRolledBack {
                activation: Some(activation),
            };
            self.emit(node, request, rolled_back);
        }
    }

    /// The slice has been worked off.
    pub(crate) fn slice_ended(&mut self, plan: &Plan, node: NodeId, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let Some(running) = &mut connection.running else { return };
        let Phase::Slice(progress) = std::mem::replace(&mut running.phase, Phase::Ready) else {
            return;
        };
        let (activation, step, request) = (running.activation, running.step, running.request);
        match progress {
            Progress::Done(result) => self.statement_done(plan, key, result),
            Progress::OutOfFuel => self.backend_ready(plan, key),
            Progress::Blocked(_) if std::mem::take(&mut running.woken) => self.backend_ready(plan, key),
            Progress::Blocked(blocker) => {
                running.waits += 1;
                let serial = running.waits;
                running.phase = Phase::Blocked(blocker.what.clone());
                if let Some(deadline) = blocker.deadline {
                    let at = deadline.max(self.now() + Nanos(1));
                    self.scheduler.at(
                        at,
                        Happening::LockDeadline {
                            connection: key,
                            serial,
                        },
                    );
                }
                let cause = WaitCause::Lock(blocker.what);
                self.emit(
                    node,
                    request,
                    EventKind::WaitStarted {
                        activation,
                        step,
                        cause,
                    },
                );
            }
            Progress::Flush(lsn) => {
                let Some(server) = &mut self.nodes[node.index()].server else {
                    return;
                };
                if server.engine.flushed_position() >= lsn {
                    self.backend_ready(plan, key);
                    return;
                }
                running.phase = Phase::Flushing;
                let flush = server.wal.join(lsn, key, server.engine.wal_position());
                self.start_flush(plan, node, flush);
                self.emit(
                    node,
                    request,
                    EventKind::WaitStarted {
                        activation,
                        step,
                        cause: WaitCause::Flush,
                    },
                );
            }
        }
    }

    fn start_flush(&mut self, plan: &Plan, node: NodeId, flush: Flush) {
        if flush == Flush::Starts {
            let epoch = self.nodes[node.index()].epoch;
            self.scheduler
                .after(plan.profile.sql.flush_ns, Happening::FlushEnds { node, epoch });
        }
    }

    pub(crate) fn flush_ends(&mut self, plan: &Plan, node: NodeId, epoch: u32) {
        let state = &mut self.nodes[node.index()];
        let Some(server) = state.server.as_mut().filter(|_| state.epoch == epoch) else {
            return;
        };
        let (lsn, served) = server.wal.finish();
        server.engine.flushed(lsn);
        server.flushes += 1;
        let flush = server.wal.next(server.engine.wal_position());
        let commits = u32::try_from(served.len()).unwrap_or(u32::MAX);
        self.start_flush(plan, node, flush);
        self.emit(node, None, EventKind::WalFlushed { commits });
        for key in served {
            self.end_wait(plan, key, WaitCause::Flush);
        }
        self.woken(plan, node);
    }

    /// A wait at the server is over: the statement wants a core again.
    fn end_wait(&mut self, plan: &Plan, key: Key, cause: WaitCause) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let Some(running) = &connection.running else { return };
        let (activation, step) = (running.activation, running.step);
        self.emit(
            connection.server,
            running.request,
            EventKind::WaitEnded {
                activation,
                step,
                cause,
            },
        );
        self.backend_ready(plan, key);
    }

    /// Sessions whose lock was granted want a core.
    pub(crate) fn woken(&mut self, plan: &Plan, node: NodeId) {
        let mut sessions: Vec<SessionId> = Vec::new();
        if let Some(server) = &mut self.nodes[node.index()].server {
            server.engine.drain_woken(&mut sessions);
        }
        for session in sessions {
            let server = self.nodes[node.index()].server.as_ref();
            let Some(key) = server.and_then(|server| server.sessions.get(&session)).copied() else {
                continue;
            };
            let Some(running) = self
                .connections
                .get_mut(key)
                .and_then(|connection| connection.running.as_mut())
            else {
                continue;
            };
            match &mut running.phase {
                Phase::Blocked(what) => {
                    let cause = WaitCause::Lock(std::mem::take(what));
                    self.end_wait(plan, key, cause);
                }
                Phase::Slice(Progress::Blocked(_)) => running.woken = true,
                _ => {}
            }
        }
    }

    /// Nobody has woken it in time: it looks for a deadlock, or gives up.
    pub(crate) fn lock_deadline(&mut self, plan: &Plan, key: Key, serial: u32) {
        let running = self
            .connections
            .get_mut(key)
            .and_then(|connection| connection.running.as_mut());
        if let Some(running) = running.filter(|running| running.waits == serial)
            && let Phase::Blocked(what) = &mut running.phase
        {
            let cause = WaitCause::Lock(std::mem::take(what));
            self.end_wait(plan, key, cause);
        }
    }

    /// The effect has happened; the answer leaves for the service.
    fn statement_done(&mut self, plan: &Plan, key: Key, result: Result<Output, SqlError>) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let (service, server) = (connection.service, connection.server);
        let Some(running) = &mut connection.running else { return };
        let mut result = result.map_err(|error| failure(&error));
        if let (Err(error), Some(fault)) = (&mut result, running.armed.refuse) {
            *error = Error {
                class: ErrorClass::Sql,
                sqlstate: None,
                message: World::refusal_message(plan, fault),
            };
        }
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

/// Counted work as processor time.
fn cost(costs: &SqlCosts, usage: &Usage) -> Nanos {
    let counted = [
        (costs.row_read_ns, usage.rows_read),
        (costs.row_written_ns, usage.rows_written),
        (costs.index_probe_ns, usage.index_probes),
        (costs.page_read_ns, usage.pages_read),
    ];
    let whole = counted.iter().fold(0_u64, |sum, (each, count)| {
        sum.saturating_add(each.0.saturating_mul(*count))
    });
    Nanos(whole.saturating_add((costs.wal_byte_ns * usage.wal_bytes as f64) as u64))
}

/// An engine's refusal as a program sees it.
pub(crate) fn failure(error: &SqlError) -> Error {
    let class = match error.sqlstate {
        "40001" | "40P01" => ErrorClass::Transient,
        // Connection exceptions; shutting down or starting up; too many connections.
        "57P01" | "57P02" | "57P03" | "53300" => ErrorClass::Unavailable,
        state if state.starts_with("08") => ErrorClass::Unavailable,
        _ => ErrorClass::Sql,
    };
    Error {
        class,
        sqlstate: Some(error.sqlstate.to_owned()),
        message: error.message.clone(),
    }
}
