//! The life of one statement in its session.
//!
//! ```text
//! start ─▶ plan ─▶ table locks ─▶ snapshot ─▶ rows ─▶ foreign keys ─▶ (own transaction: commit ─▶ flush) ─▶ Done
//! ```
//!
//! Each arrow may be interrupted: by the fuel, by a lock, by the flush. What is interrupted is this
//! value; `resume` goes on from it.

use std::hash::Hash;
use std::sync::Arc;

use base::{Row, Time, Value};
use syntax::Statement;

use crate::control;
use crate::ddl;
use crate::ending::{End, Wrote};
use crate::error::{Fallible, error, state};
use crate::exec::{Context, ForeignRun, Run, Step, Work, acquire, bind_parameters, deadlock, finish_commons};
use crate::plan::{Plan, Planned};
use crate::server::{CachedPlan, Core, Prepared, names};
use crate::session::SessionState;
use crate::storage::{DeadlockCheck, LockMode, LockTag};
use crate::{Blocker, Output, Progress, SqlError, StatementId, Tag, TransactionStatus};

/// Where a running statement came from.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Source {
    Prepared(StatementId),
    Parsed(Arc<Statement>),
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Running {
    source: Source,
    /// The rows go into a table that the statement has made (CREATE TABLE AS).
    makes_table: bool,
    /// As given; they go over to the `Run`.
    params: Vec<Value>,
    phase: Phase,
    started: Time,
    wait: Option<Wait>,
}

/// A wait for a lock, as far as timers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Wait {
    since: Time,
    deadlock_checked: bool,
}

#[derive(Clone, Debug, Hash)]
enum Phase {
    Start,
    /// Takes the plan's table locks, this many are held.
    Lock {
        plan: Planned,
        at: usize,
    },
    Rows(Box<Rows>),
    /// The checks that have waited until now.
    Due(Box<Due>),
    /// A definition or a LOCK TABLE that waits for a table lock: it begins anew when it has it.
    Utility,
    /// The record of a transaction's end is written.
    End(End),
}

/// A plan at work.
#[derive(Clone, Debug, Hash)]
struct Rows {
    plan: Planned,
    run: Run,
    work: Work,
    stage: Stage,
    rows: Vec<Row>,
    foreign: Option<Box<ForeignRun>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Rows,
    /// The statement's own rows are all there; the writes of its WITH run to their ends.
    Commons,
    /// All rows are written; foreign keys are being checked.
    Foreign,
}

/// How far a step of a statement came.
pub(crate) enum Came {
    /// To the end of the statement.
    Done(Output),
    /// It cannot go on now.
    Suspended,
}

impl Running {
    pub(crate) fn new(source: Source, params: Vec<Value>, now: Time) -> Running {
        Running {
            source,
            makes_table: false,
            params,
            phase: Phase::Start,
            started: now,
            wait: None,
        }
    }

    pub(crate) fn resume(
        &mut self,
        session: &mut SessionState,
        core: &mut Core,
        prepared: &mut Arc<Vec<Prepared>>,
        cancelled: bool,
        now: Time,
        fuel: &mut u64,
    ) -> Progress {
        if let Phase::End(_) = self.phase {
            return self.end(session, core, cancelled);
        }
        match self.still_waits(session, core, cancelled, now) {
            Ok(None) => {}
            Ok(Some(blocker)) => return Progress::Blocked(blocker),
            Err(refusal) => return self.failed(*refusal, session, core),
        }
        match self.go_on(session, core, prepared, now, fuel) {
            Ok(Came::Done(output)) => self.ended(output, session, core, now),
            Ok(Came::Suspended) if matches!(self.phase, Phase::End(_)) => self.end(session, core, false),
            Ok(Came::Suspended) => match self.waits_for(session, core, now) {
                Some(blocker) => Progress::Blocked(blocker),
                None => Progress::OutOfFuel,
            },
            Err(refusal) => self.failed(*refusal, session, core),
        }
    }

    fn failed(&mut self, mut refusal: SqlError, session: &mut SessionState, core: &mut Core) -> Progress {
        if session.transaction.ending.is_some() {
            // It has failed to end well: it has ended.
            session.transaction.chain = None;
            session.rollback(core);
        } else {
            session.fail(core);
        }
        let mut said = std::mem::take(&mut session.notices);
        said.retain(|notice| session.hears(notice.severity));
        refusal.after(said);
        Progress::Done(Err(refusal))
    }

    // ---- waiting

    /// Timers and cancellation. `Some`: the lock that it waits for has not been granted yet.
    fn still_waits(
        &mut self,
        session: &mut SessionState,
        core: &mut Core,
        cancelled: bool,
        now: Time,
    ) -> Fallible<Option<Blocker>> {
        if cancelled {
            return Err(error(state::QUERY_CANCELED, "canceling statement due to user request"));
        }
        let statement_ends = session.timeout("statement_timeout").map(|most| self.started + most);
        // What happens at the same time counts as the lock's.
        let lock_timed_out = self.wait.is_some_and(|wait| {
            let waits = core.storage.waits_for(session.id).is_some();
            let ends = session.timeout("lock_timeout").map(|most| wait.since + most);
            waits && ends.is_some_and(|ends| now >= ends && statement_ends.is_none_or(|statement| ends <= statement))
        });
        if !lock_timed_out && statement_ends.is_some_and(|ends| now >= ends) {
            return Err(error(
                state::QUERY_CANCELED,
                "canceling statement due to statement timeout",
            ));
        }
        let Some(mut wait) = self.wait else {
            return Ok(None);
        };
        if core.storage.waits_for(session.id).is_none() {
            self.wait = None;
            return Ok(self.waits_for_safety(session, core, now));
        }
        if !wait.deadlock_checked && now >= wait.since + deadlock_timeout(session, core) {
            wait.deadlock_checked = true;
            self.wait = Some(wait);
            if let DeadlockCheck::Deadlock(links) = core.storage.check_deadlock(session.id) {
                return Err(deadlock(&links));
            }
            if core.storage.waits_for(session.id).is_none() {
                self.wait = None;
                return Ok(None);
            }
        }
        if lock_timed_out {
            return Err(error(
                state::LOCK_NOT_AVAILABLE,
                "canceling statement due to lock timeout",
            ));
        }
        Ok(self.waits_for(session, core, now))
    }

    /// A deferrable transaction waits for others' ends, but for no lock: there is no deadlock, and no lock_timeout.
    fn waits_for_safety(&mut self, session: &SessionState, core: &Core, now: Time) -> Option<Blocker> {
        session.transaction.serial?;
        let holders = core.storage.waits_for_safety(session.id)?;
        self.wait.get_or_insert(Wait {
            since: now,
            deadlock_checked: true,
        });
        Some(Blocker {
            what: "a safe snapshot".to_owned(),
            holders,
            deadline: session.timeout("statement_timeout").map(|most| self.started + most),
        })
    }

    fn waits_for(&mut self, session: &SessionState, core: &Core, now: Time) -> Option<Blocker> {
        let Some((tag, _, holders)) = core.storage.waits_for(session.id) else {
            return self.waits_for_safety(session, core, now);
        };
        let wait = *self.wait.get_or_insert(Wait {
            since: now,
            deadlock_checked: false,
        });
        let check = (!wait.deadlock_checked).then(|| wait.since + deadlock_timeout(session, core));
        let lock = session.timeout("lock_timeout").map(|most| wait.since + most);
        let statement = session.timeout("statement_timeout").map(|most| self.started + most);
        Some(Blocker {
            what: describe(tag, session, core),
            holders,
            deadline: [check, lock, statement].into_iter().flatten().min(),
        })
    }

    // ---- going on

    fn go_on(
        &mut self,
        session: &mut SessionState,
        core: &mut Core,
        prepared: &mut Arc<Vec<Prepared>>,
        now: Time,
        fuel: &mut u64,
    ) -> Fallible<Came> {
        loop {
            match &mut self.phase {
                Phase::Start => {
                    let statement = self.statement(prepared)?;
                    if let Some(output) = control::run(&statement, session, core, now)? {
                        // COMMIT itself has to wait for its flush.
                        match self.check_due(output, session, core) {
                            Some(output) => return Ok(Came::Done(output)),
                            None => continue,
                        }
                    }
                    if session.transaction.status == TransactionStatus::Failed {
                        return Err(error(
                            state::IN_FAILED_TRANSACTION,
                            "current transaction is aborted, commands ignored until end of transaction block",
                        ));
                    }
                    if let Some(end) = End::of_prepared(&statement, session, core)? {
                        self.phase = Phase::End(end);
                        continue;
                    }
                    session.begin(false, now);
                    if let Statement::CreateTableAs(create) = &*statement {
                        match ddl::create_table_as(create, session, core)? {
                            None => return Ok(Came::Done(control::tagged("CREATE TABLE AS"))),
                            Some(filling) => {
                                (self.source, self.makes_table) = (Source::Parsed(Arc::new(filling)), true);
                            }
                        }
                        continue;
                    }
                    self.phase = match self.plan(&statement, session, core, prepared)? {
                        Some(plan) => Phase::Lock { plan, at: 0 },
                        None => Phase::Utility,
                    };
                }
                Phase::Lock { plan, at } => {
                    while let Some((table, mode)) = plan.0.locks.get(*at) {
                        if !acquire(core, session, session.relation_tag(*table), *mode)? {
                            return Ok(Came::Suspended);
                        }
                        *at += 1;
                    }
                    let plan = plan.clone();
                    if !self.begin_rows(plan, session, core, prepared)? {
                        return Ok(Came::Suspended);
                    }
                }
                Phase::Utility => {
                    let statement = self.statement(prepared)?;
                    return ddl::run(&statement, session, core);
                }
                Phase::Rows(rows) => {
                    let mut came = rows.go_on(session, core, now, fuel)?;
                    if let (Came::Done(output), true) = (&mut came, self.makes_table) {
                        // PostgreSQL's tag is that of a SELECT, which gives rows; this gives none.
                        output.tag.verb = "CREATE TABLE AS";
                    }
                    match came {
                        Came::Done(output) if !session.transaction.explicit => {
                            match self.check_due(output, session, core) {
                                Some(output) => return Ok(Came::Done(output)),
                                None => continue,
                            }
                        }
                        came => return Ok(came),
                    }
                }
                Phase::End(_) => return Ok(Came::Suspended),
                Phase::Due(due) => return due.go_on(session, core, now, fuel),
            }
        }
    }

    /// `None`: checks that have waited are due first.
    fn check_due(&mut self, output: Output, session: &mut SessionState, core: &mut Core) -> Option<Output> {
        let due = session.due_checks();
        if due.is_empty() {
            return Some(output);
        }
        let plan = Arc::new(Plan::nothing());
        let transaction = &session.transaction;
        let snapshot = core.storage.snapshot(session.id, transaction.xid, transaction.command);
        let mut run = Run::new(&plan, Vec::new(), snapshot);
        run.foreign.extend(due);
        run.ends = session.transaction.ending.is_some() || !session.transaction.explicit;
        self.phase = Phase::Due(Box::new(Due {
            plan: Planned(plan),
            run,
            foreign: ForeignRun::default(),
            output,
        }));
        None
    }

    fn statement(&self, prepared: &[Prepared]) -> Fallible<Arc<Statement>> {
        match &self.source {
            Source::Parsed(statement) => Ok(statement.clone()),
            Source::Prepared(id) => match prepared.get(id.0 as usize) {
                Some(prepared) => Ok(prepared.statement.clone()),
                None => Err(error(
                    state::INVALID_SQL_STATEMENT_NAME,
                    format!("prepared statement \"{}\" does not exist", id.0),
                )),
            },
        }
    }

    /// The cached plan if it still holds, else a new one. A plan that was made while definitions are
    /// uncommitted is for this session alone and is not kept.
    fn plan(
        &self,
        statement: &Statement,
        session: &mut SessionState,
        core: &Core,
        prepared: &mut Arc<Vec<Prepared>>,
    ) -> Fallible<Option<Planned>> {
        let place = match &self.source {
            Source::Prepared(id) => Some(id.0 as usize),
            Source::Parsed(_) => None,
        };
        let settled = core.catalog.is_settled();
        if let Some(Prepared { plan: Some(known), .. }) = place.and_then(|place| prepared.get(place))
            && known.version == core.catalog.version()
            && settled
            && known.fits(session)
        {
            return Ok(Some(Planned(known.plan.clone())));
        }
        let Some(plan) = crate::planning::plan(statement, names(core, session))? else {
            return Ok(None);
        };
        session.usage.prepared += 1;
        let plan = Arc::new(plan);
        if settled && let Some(cached) = place.and_then(|place| Arc::make_mut(prepared).get_mut(place)) {
            cached.plan = Some(CachedPlan::new(plan.clone(), core, session));
        }
        Ok(Some(Planned(plan)))
    }

    /// All locks are held. If a definition has changed while we waited, plans anew. False: there is no snapshot yet.
    fn begin_rows(
        &mut self,
        plan: Planned,
        session: &mut SessionState,
        core: &mut Core,
        prepared: &mut Arc<Vec<Prepared>>,
    ) -> Fallible<bool> {
        if !still_good(&plan.0, session, core) {
            let statement = self.statement(prepared)?;
            if let Source::Prepared(id) = &self.source
                && let Some(prepared) = Arc::make_mut(prepared).get_mut(id.0 as usize)
            {
                prepared.plan = None;
            }
            if let Some(plan) = self.plan(&statement, session, core, prepared)? {
                self.phase = Phase::Lock { plan, at: 0 };
            }
            return Ok(true);
        }
        if session.transaction.modes.read_only
            && let Some(what) = writes(&plan.0, &*self.statement(prepared)?)
        {
            return Err(ddl::in_read_only(what));
        }
        let Some(snapshot) = session.snapshot(core) else {
            return Ok(false);
        };
        let now = core.timestamp(session.transaction.started);
        let params = bind_parameters(&plan.0, std::mem::take(&mut self.params), now)?;
        let run = Run::new(&plan.0, params, snapshot);
        let work = Work::new(&plan.0.root);
        self.phase = Phase::Rows(Box::new(Rows {
            plan,
            run,
            work,
            stage: Stage::Rows,
            rows: Vec::new(),
            foreign: None,
        }));
        Ok(true)
    }

    // ---- the end

    fn ended(&mut self, mut output: Output, session: &mut SessionState, core: &mut Core, now: Time) -> Progress {
        if !session.notices.is_empty() || !output.notices.is_empty() {
            output.notices.append(&mut session.notices);
            output.notices.retain(|notice| session.hears(notice.severity));
        }
        session.usage.rows_returned += output.rows.len() as u64;
        if session.transaction.status == TransactionStatus::Idle {
            return Progress::Done(Ok(output));
        }
        if session.transaction.explicit && session.transaction.ending.is_none() {
            session.next_command();
            if session.transaction.snapshot.is_none() {
                core.storage.release_snapshots(session.id);
            }
            return Progress::Done(Ok(output));
        }
        let said = output.notices.clone();
        match End::write(output, session, core, now) {
            Err(mut refusal) => {
                refusal.after(said);
                session.transaction.chain = None;
                session.rollback(core);
                Progress::Done(Err(*refusal))
            }
            Ok(Wrote::Nothing(output)) => {
                session.finish(core);
                Progress::Done(Ok(output))
            }
            Ok(Wrote::End(end)) => {
                self.phase = Phase::End(end);
                self.end(session, core, false)
            }
        }
    }

    /// Goes on with the end of a transaction, as far as its flush and a standby let it.
    fn end(&mut self, session: &mut SessionState, core: &mut Core, gives_up: bool) -> Progress {
        if let Phase::End(end) = &mut self.phase
            && let Some(progress) = end.go_on(session, core, gives_up)
        {
            return progress;
        }
        self.finish_end(session, core)
            .map_or(Progress::OutOfFuel, |output| Progress::Done(Ok(output)))
    }

    /// What a written record says takes effect. `None`: there is none.
    pub(crate) fn finish_end(&mut self, session: &mut SessionState, core: &mut Core) -> Option<Output> {
        match std::mem::replace(&mut self.phase, Phase::Start) {
            Phase::End(end) => Some(end.take_effect(session, core)),
            other => {
                self.phase = other;
                None
            }
        }
    }
}

/// What it does that a read-only transaction must not: write, or lock rows.
fn writes(plan: &Plan, statement: &Statement) -> Option<&'static str> {
    let locks_rows = plan.locks.iter().any(|(_, mode)| *mode == LockMode::RowShare);
    match statement {
        _ if plan.writes() => Some(plan.verb),
        Statement::Query(query) if locks_rows => Some(match query.locking.first().map(|locking| locking.strength) {
            Some(syntax::RowLock::Update) => "SELECT FOR UPDATE",
            Some(syntax::RowLock::NoKeyUpdate) => "SELECT FOR NO KEY UPDATE",
            Some(syntax::RowLock::Share) => "SELECT FOR SHARE",
            Some(syntax::RowLock::KeyShare) => "SELECT FOR KEY SHARE",
            None => "SELECT",
        }),
        _ => None,
    }
}

/// Whether the tables of a plan are still the same definitions.
fn still_good(plan: &Plan, session: &SessionState, core: &Core) -> bool {
    let own = &session.transaction.xids;
    plan.tables.iter().all(|range| {
        if crate::system::view(range.table.id).is_some() {
            return true;
        }
        let now = core.catalog.table(range.table.id, own);
        now.is_some_and(|now| Arc::ptr_eq(now, &range.table))
    })
}

fn deadlock_timeout(session: &SessionState, core: &Core) -> base::Nanos {
    session
        .timeout("deadlock_timeout")
        .unwrap_or(core.config.deadlock_timeout)
}

/// A lock's object as a sentence names it.
fn describe(tag: LockTag, session: &SessionState, core: &Core) -> String {
    let table = |relation| {
        let own = &session.transaction.xids;
        let by_heap = core
            .catalog
            .tables_of(session.database, own)
            .find(|table| table.heap == relation || table.id == relation);
        by_heap.map_or_else(|| format!("relation {}", relation.0), |table| table.qualified_name())
    };
    match tag {
        LockTag::Relation { relation, .. } => format!("relation {}", table(relation)),
        LockTag::Tuple { relation, row, .. } => format!("tuple {row} of relation {}", table(relation)),
        other => other.to_string(),
    }
}

/// Checks at work that have waited, and what the statement gives when they have passed.
#[derive(Clone, Debug, Hash)]
struct Due {
    plan: Planned,
    run: Run,
    foreign: ForeignRun,
    output: Output,
}

impl Due {
    fn go_on(&mut self, session: &mut SessionState, core: &mut Core, now: Time, fuel: &mut u64) -> Fallible<Came> {
        let mut cx = Context {
            core,
            session,
            plan: &self.plan.0,
            run: &mut self.run,
            fuel,
            now,
            ephemeral: &[],
        };
        if !self.foreign.step(&mut cx)? {
            return Ok(Came::Suspended);
        }
        Ok(Came::Done(std::mem::take(&mut self.output)))
    }
}

impl Rows {
    fn go_on(&mut self, session: &mut SessionState, core: &mut Core, now: Time, fuel: &mut u64) -> Fallible<Came> {
        let before = core.storage.wal_position();
        let mut cx = Context {
            core,
            session,
            plan: &self.plan.0,
            run: &mut self.run,
            fuel,
            now,
            ephemeral: &[],
        };
        let came = advance(
            &mut self.work,
            &mut self.stage,
            &mut self.rows,
            &mut self.foreign,
            &mut cx,
        );
        let written = core.storage.wal_position().0.saturating_sub(before.0);
        session.usage.wal_bytes += written;
        came
    }
}

fn advance(
    work: &mut Work,
    stage: &mut Stage,
    rows: &mut Vec<Row>,
    foreign: &mut Option<Box<ForeignRun>>,
    cx: &mut Context<'_>,
) -> Fallible<Came> {
    let plan = cx.plan;
    loop {
        match stage {
            Stage::Rows => match work.next(&plan.root, cx)? {
                Step::Suspended => return Ok(Came::Suspended),
                Step::Row => {
                    let output = work.output(&plan.root);
                    rows.push(output.iter().map(|slot| cx.run.frame[*slot as usize].clone()).collect());
                }
                Step::Done => *stage = Stage::Commons,
            },
            Stage::Commons => {
                if !finish_commons(cx)? {
                    return Ok(Came::Suspended);
                }
                *stage = Stage::Foreign;
            }
            Stage::Foreign => {
                let due = !cx.run.foreign.is_empty() || foreign.is_some();
                if due && !foreign.get_or_insert_default().step(cx)? {
                    return Ok(Came::Suspended);
                }
                let count = work.affected().unwrap_or(rows.len() as u64);
                return Ok(Came::Done(finished(plan, count, std::mem::take(rows))));
            }
        }
    }
}

fn finished(plan: &Plan, count: u64, rows: Vec<Row>) -> Output {
    Output {
        tag: Tag {
            verb: plan.verb,
            rows: Some(count),
        },
        columns: plan.columns.clone(),
        rows,
        notices: Vec::new(),
    }
}
