//! A statement at its server: it works in slices on a processor, may wait for a lock or for the WAL's flush, and ends.
//!
//! ```text
//! service ──▶ line for a core ─▶ slice: engine resumes, its usage becomes time
//!                  ▲                 ├ Blocked ──▶ core given back, waits for the lock ─┐
//!                  ├─────────────────│──────────────────────────────────────────────────┤
//!                  │                 ├ Flush ────▶ joins the group commit ──────────────┘
//!                  └─ OutOfFuel ─────┤
//! service ◀──────────────────────────┘ Done
//! ```

use base::{Nanos, Time, Value};
use engine_sql::{Progress, SessionId, SqlError, StatementId, TransactionStatus, Usage};
use program::profile::SqlCosts;
use program::{EventKind, NodeId, RequestId, StepId, WaitCause};

use crate::arena::Key;
use crate::plan::{Plan, TextId};
use crate::statement::{Phase, Running};
use crate::station::Flush;
use crate::world::{Happening, Job, ServerState, World};

/// So much an engine may do before others have their turn at the core.
const FUEL_OF_A_SLICE: u64 = 10_000;

impl World {
    /// The statement wants a core.
    pub(crate) fn backend_ready(&mut self, plan: &Plan, key: Key) {
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
            let (started, prepared) = start(server, plan, session, running, &mut connection.prepared, now);
            if prepared {
                work += costs.prepare_ns;
            }
            if let Err(error) = started {
                running.phase = Phase::Slice(Progress::Done(Err(error)));
                connection.status = server.engine.transaction_status(session);
                return work;
            }
            if running.armed.refuse.is_some() {
                server.engine.cancel(session);
            }
        }
        let mut fuel = FUEL_OF_A_SLICE;
        let written = server.engine.wal_position();
        let progress = server.engine.resume(session, now, &mut fuel);
        let usage = server.engine.take_usage(session);
        work += cost(costs, &usage);
        let before = std::mem::replace(&mut connection.status, server.engine.transaction_status(session));
        let after = connection.status;
        running.wrote |= match &progress {
            Progress::Flush(_) => true,
            // A commit that does not wait for its flush.
            Progress::Done(Ok(output)) => {
                let moved = server.engine.wal_position() > written;
                moved && after == TransactionStatus::Idle && output.tag.verb != "ROLLBACK"
            }
            _ => false,
        };
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
        self.plan_wal_writer(node);
        work
    }

    /// Commits that have not waited for their flush: the WAL writer has something to do at its next turn.
    fn plan_wal_writer(&mut self, node: NodeId) {
        let now = self.now();
        let state = &mut self.nodes[node.index()];
        let Some(server) = state.server.as_mut().filter(|server| !server.wal_writer) else {
            return;
        };
        if let Some(due) = server.engine.wal_writer_due(now) {
            server.wal_writer = true;
            let epoch = state.epoch;
            self.scheduler.at(due, Happening::WalWriterTurn { node, epoch });
        }
    }

    pub(crate) fn wal_writer_turn(&mut self, plan: &Plan, node: NodeId, epoch: u32) {
        let state = &mut self.nodes[node.index()];
        let Some(server) = state.server.as_mut().filter(|_| state.epoch == epoch) else {
            return;
        };
        server.wal_writer = false;
        let flush = server.wal.flush(server.engine.wal_position());
        self.start_flush(plan, node, flush);
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
        } else if committed && verb == "PREPARE TRANSACTION" {
            self.emit(node, request, EventKind::TransactionPrepared { activation, step });
            self.quiet.changes += 1;
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
        self.plan_wal_writer(node);
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
}

/// Starts a connection's statement; whether its text had to be prepared for that.
fn start(
    server: &mut ServerState,
    plan: &Plan,
    session: SessionId,
    running: &Running,
    known: &mut Vec<(TextId, StatementId)>,
    now: Time,
) -> (Result<(), SqlError>, bool) {
    let (text, operands) = (running.text, &running.operands);
    let sql = &plan.texts[text.0 as usize];
    if plan.is_written(text) {
        let operand = operands.first().unwrap_or(&Value::Null);
        return (server.engine.start_written(session, sql, operand, now), true);
    }
    let place = known.binary_search_by_key(&text, |(text, _)| *text);
    let statement = match place {
        Ok(index) => known[index].1,
        Err(index) => match server.engine.prepare(session, sql) {
            Ok(statement) => {
                known.insert(index, (text, statement));
                statement
            }
            Err(error) => return (Err(error), true),
        },
    };
    server.engine.start(session, statement, operands, now);
    (Ok(()), place.is_err())
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
