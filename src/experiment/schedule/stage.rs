//! Sessions side by side on one server, each with at most one step under way. Plain data: a stage can be forked at any
//! point and played on in several ways.
//!
//! Every session that can go on does so until it has ended its step or waits. Time stands still meanwhile; it moves to
//! the next timer when all that is left to do is to wait.

use std::collections::VecDeque;
use std::sync::Arc;

use base::Time;
use engine_sql::{Blocker, Output, Progress, Server, SessionId, SqlError, StatementId, TransactionStatus};
use syntax::{Dialect, Returning, SelectItem, Span, Statement, SyntaxError};

/// All statements of a step, sent at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub statements: Result<Vec<Arc<Statement>>, SyntaxError>,
    /// Several statements, and none of them controls transactions: outside of a transaction they are one.
    together: bool,
    /// For each statement: its rows are asked for by whoever watches, not by the client.
    pub(super) watched: Vec<bool>,
    /// As the stage's server knows them; empty: it plans them each time.
    prepared: Vec<StatementId>,
}

impl Request {
    pub fn new(statements: Vec<Arc<Statement>>) -> Request {
        let controls = statements.iter().any(|statement| is_transaction_control(statement));
        Request {
            together: statements.len() > 1 && !controls,
            watched: vec![false; statements.len()],
            prepared: Vec::new(),
            statements: Ok(statements),
        }
    }

    /// The same, with each write asked what it wrote: `RETURNING *`, which changes nothing of what it does.
    pub(super) fn watched(&self) -> Request {
        let mut request = self.clone();
        let statements = request.statements.iter_mut().flatten();
        for (statement, watched) in statements.zip(&mut request.watched) {
            let returning = match Arc::make_mut(statement) {
                Statement::Insert(insert) => &mut insert.returning,
                Statement::Update(update) => &mut update.returning,
                Statement::Delete(delete) => &mut delete.returning,
                _ => continue,
            };
            if returning.is_none() {
                let star = SelectItem::Star {
                    qualifier: None,
                    span: Span::default(),
                };
                *returning = Some(Returning {
                    items: vec![star],
                    into: Vec::new(),
                });
                *watched = true;
            }
        }
        request
    }

    /// A text that cannot be parsed is a request all the same: the server refuses it.
    pub fn parse(sql: &str) -> Request {
        match syntax::parse_script(sql, Dialect::Postgres) {
            Ok(items) => Request::new(items.into_iter().map(|item| Arc::new(item.statement)).collect()),
            Err(error) => Request {
                statements: Err(error),
                together: false,
                watched: Vec::new(),
                prepared: Vec::new(),
            },
        }
    }
}

fn is_transaction_control(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Begin { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::PrepareTransaction(_)
            | Statement::Savepoint(_)
            | Statement::RollbackTo(_)
            | Statement::Release(_)
            | Statement::SetTransaction { .. }
    )
}

/// What one statement gave.
pub type Reply = Result<Output, SqlError>;

#[derive(Clone, Debug)]
pub struct Stage {
    pub server: Server,
    pub now: Time,
    /// Operator steps that one statement may take. One that would take more is cancelled, and the stage `exhausted`.
    pub fuel: u64,
    pub exhausted: bool,
    actors: Vec<Actor>,
    /// Sessions that have ended a step and not begun another, in the order in which they ended.
    finished: Vec<usize>,
}

/// One session with what it still has to do of its step.
#[derive(Clone, Debug)]
struct Actor {
    session: SessionId,
    queue: VecDeque<Result<Sent, SyntaxError>>,
    /// It has a step that has not ended.
    busy: bool,
    /// A statement is running in the server.
    running: bool,
    /// Several statements sent at once are one transaction; its BEGIN and COMMIT are no client's.
    implicit: Implicit,
    replies: Vec<Reply>,
    blocked: Option<Blocker>,
}

/// A statement as the server is given it.
#[derive(Clone, Debug)]
enum Sent {
    Parsed(Arc<Statement>),
    Prepared(StatementId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Implicit {
    No,
    /// Its BEGIN is running, or is the next to run.
    Begins,
    Open,
}

impl Stage {
    pub fn new(server: Server) -> Stage {
        Stage {
            server,
            now: Time::ZERO,
            fuel: u64::MAX,
            exhausted: false,
            actors: Vec::new(),
            finished: Vec::new(),
        }
    }

    /// A new session; gives its place among the actors.
    pub fn connect(&mut self, database: &str, role: &str) -> Result<usize, SqlError> {
        let session = self.server.connect(database, role, self.now)?;
        self.actors.push(Actor {
            session,
            queue: VecDeque::new(),
            busy: false,
            running: false,
            implicit: Implicit::No,
            replies: Vec::new(),
            blocked: None,
        });
        Ok(self.actors.len() - 1)
    }

    /// Has a step planned once, for this stage and all its forks.
    pub(super) fn prepare(&mut self, actor: usize, request: &mut Request) {
        let (server, session) = (&mut self.server, self.actors[actor].session);
        let statements = request.statements.iter().flatten();
        request.prepared = statements
            .map(|statement| server.prepare_parsed(session, Arc::clone(statement)))
            .collect();
    }

    pub fn is_idle(&self, actor: usize) -> bool {
        !self.actors[actor].busy
    }

    /// Sessions that have ended a step and not begun another, in the order in which they ended.
    pub fn finished(&self) -> &[usize] {
        &self.finished
    }

    pub fn status(&self, actor: usize) -> TransactionStatus {
        self.server.transaction_status(self.actors[actor].session)
    }

    /// What a session waits for, and for which others.
    pub fn waits_for(&self, actor: usize) -> Option<(&str, Vec<usize>)> {
        let blocker = self.actors[actor].blocked.as_ref()?;
        let place = |session: &SessionId| self.actors.iter().position(|actor| actor.session == *session);
        Some((&blocker.what, blocker.holders.iter().filter_map(place).collect()))
    }

    /// What the step has given so far, statement by statement.
    pub fn take_replies(&mut self, actor: usize) -> Vec<Reply> {
        std::mem::take(&mut self.actors[actor].replies)
    }

    /// Sends a step; nothing happens before [`Stage::settle`].
    pub fn send(&mut self, actor: usize, request: &Request) {
        self.finished.retain(|other| *other != actor);
        let actor = &mut self.actors[actor];
        actor.busy = true;
        let idle = self.server.transaction_status(actor.session) == TransactionStatus::Idle;
        actor.replies.clear();
        match &request.statements {
            Err(error) => actor.queue.push_back(Err(error.clone())),
            Ok(statements) => {
                let implicit = request.together && idle;
                if implicit {
                    let modes = syntax::TransactionModes::default();
                    let begin = Arc::new(Statement::Begin { modes });
                    actor.queue.push_back(Ok(Sent::Parsed(begin)));
                    actor.implicit = Implicit::Begins;
                }
                if request.prepared.is_empty() {
                    let statements = statements.iter().cloned();
                    actor
                        .queue
                        .extend(statements.map(|statement| Ok(Sent::Parsed(statement))));
                } else {
                    let prepared = request.prepared.iter();
                    actor
                        .queue
                        .extend(prepared.map(|prepared| Ok(Sent::Prepared(*prepared))));
                }
                if implicit {
                    let commit = Arc::new(Statement::Commit { chain: false });
                    actor.queue.push_back(Ok(Sent::Parsed(commit)));
                }
            }
        }
    }

    /// Lets every session go on until each has ended its step or waits.
    pub fn settle(&mut self) {
        loop {
            for actor in 0..self.actors.len() {
                self.advance(actor);
            }
            let mut woken = Vec::new();
            self.server.drain_woken(&mut woken);
            if woken.is_empty() {
                return;
            }
        }
    }

    /// Moves time to the next timer of a session that waits; false if there is none.
    pub fn let_time_pass(&mut self) -> bool {
        let next = self.actors.iter().filter_map(|actor| actor.blocked.as_ref()?.deadline);
        let Some(deadline) = next.min() else { return false };
        self.now = self.now.max(deadline);
        self.settle();
        true
    }

    /// The step's running statement fails with 57014, and with it the rest of the step.
    pub fn cancel(&mut self, actor: usize) {
        self.server.cancel(self.actors[actor].session);
        self.settle();
    }

    fn advance(&mut self, place: usize) {
        let actor = &mut self.actors[place];
        while actor.busy {
            if !actor.running {
                match actor.queue.pop_front() {
                    None => {
                        actor.busy = false;
                        self.finished.push(place);
                    }
                    Some(Ok(sent)) => {
                        match sent {
                            Sent::Parsed(statement) => {
                                self.server.start_parsed(actor.session, &statement, &[], self.now)
                            }
                            Sent::Prepared(statement) => self.server.start(actor.session, statement, &[], self.now),
                        }
                        actor.running = true;
                    }
                    Some(Err(error)) => actor.fail(self.server.refuse(actor.session, error)),
                }
                continue;
            }
            let mut fuel = self.fuel;
            match self.server.resume(actor.session, self.now, &mut fuel) {
                Progress::Done(result) => {
                    actor.running = false;
                    actor.blocked = None;
                    match result {
                        Ok(output) => actor.take(output),
                        Err(error) => actor.fail(error),
                    }
                }
                Progress::Blocked(blocker) => {
                    actor.blocked = Some(blocker);
                    return;
                }
                Progress::Flush(lsn) => self.server.flushed(lsn),
                Progress::OutOfFuel => {
                    self.exhausted = true;
                    self.server.cancel(actor.session);
                }
            }
        }
    }
}

impl Actor {
    fn take(&mut self, output: Output) {
        match self.implicit {
            Implicit::Begins => self.implicit = Implicit::Open,
            Implicit::Open if self.queue.is_empty() => self.implicit = Implicit::No,
            _ => self.replies.push(Ok(output)),
        }
    }

    /// The rest of the request is not run; what it did as a transaction of its own is undone.
    fn fail(&mut self, error: SqlError) {
        self.replies.push(Err(error));
        self.queue.clear();
        if std::mem::replace(&mut self.implicit, Implicit::No) != Implicit::No {
            self.implicit = Implicit::Open;
            let rollback = Arc::new(Statement::Rollback { chain: false });
            self.queue.push_back(Ok(Sent::Parsed(rollback)));
        }
    }
}
