//! The server: all sessions over one core, and what a caller may ask of it.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use base::{Fingerprint, Fingerprinter, Nanos, Row, Time, Value};
use syntax::{Dialect, Statement};

use crate::bind::Names;
use crate::catalog::{Catalog, Table};
use crate::error::{Fallible, error, state};
use crate::exec::{check_values, contains, duplicate, index_key};
use crate::plan::{Placement, Plan};
use crate::replication::{Progressed, Replication};
use crate::running::{Running, Source};
use crate::session::SessionState;
use crate::storage::{DatabaseId, Storage, Unique, Xid};
use crate::{Lsn, Output, Progress, Recovery, SessionId, SqlError, StatementId, TransactionStatus, Usage};

/// What a server is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerConfig {
    /// How long a session waits for a lock before it looks for a deadlock.
    pub deadlock_timeout: Nanos,
    /// The `timestamptz` (microseconds since 2000-01-01 UTC) at `Time::ZERO`.
    pub epoch_micros: i64,
    /// How often the WAL writer flushes what commits have not waited for (`synchronous_commit = off`).
    pub wal_writer_delay: Nanos,
    /// Zero: none may be prepared, as in a PostgreSQL that nobody has told otherwise.
    pub max_prepared_transactions: u32,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            deadlock_timeout: Nanos::from_secs(1),
            // 2024-01-01 00:00 UTC.
            epoch_micros: 757_382_400_000_000,
            wal_writer_delay: Nanos::from_millis(200),
            max_prepared_transactions: 64,
        }
    }
}

/// What all sessions share.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(crate) storage: Storage,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) sequences: BTreeMap<(DatabaseId, Arc<str>), i64>,
    pub(crate) config: ServerConfig,
    /// Scratch for the bytes of a row or a key; empty between uses as far as anyone can tell.
    pub(crate) buffer: Vec<u8>,
    /// The end of the last commit that nobody has waited for.
    pub(crate) unawaited: Lsn,
    pub(crate) replication: Replication,
    /// Committed catalogs with the WAL positions at which they became so: what a crash goes back to.
    pub(crate) history: Vec<(Lsn, Arc<Catalog>)>,
}

impl Core {
    /// The `timestamptz` of an instant.
    pub(crate) fn timestamp(&self, at: Time) -> i64 {
        self.config.epoch_micros.saturating_add((at.0 / 1_000) as i64)
    }

    pub(crate) fn catalog_mut(&mut self) -> &mut Catalog {
        Arc::make_mut(&mut self.catalog)
    }

    pub(crate) fn abort_catalog(&mut self, xids: &[Xid]) {
        if !self.catalog.is_settled() {
            self.catalog_mut().abort(xids);
        }
    }

    /// The record of a transaction's end, or of its being prepared, ends at `lsn`: the definitions that are there
    /// from then on.
    pub(crate) fn note_catalog(&mut self, lsn: Lsn) {
        if !self.catalog.is_settled() {
            self.history.push((lsn, Arc::new(self.durable_catalog())));
        }
    }

    /// The catalog as a crash would leave it, were all of the WAL flushed.
    pub(crate) fn durable_catalog(&self) -> Catalog {
        let mut durable = (*self.catalog).clone();
        durable.commit(&self.storage.committing_xids());
        durable.abort_but(&self.storage.lasting_xids());
        durable
    }

    /// The record of a prepared transaction's end is flushed.
    pub(crate) fn finish_prepared(&mut self, xid: Xid) {
        let (xids, commits) = self.storage.finish_prepared(xid);
        if commits {
            self.commit_catalog(&xids);
        } else {
            self.abort_catalog(&xids);
        }
    }

    pub(crate) fn commit_catalog(&mut self, xids: &[Xid]) {
        if !self.catalog.is_settled() {
            self.catalog_mut().commit(xids);
        }
    }

    /// A sequence's numbers are never given twice, whoever rolls back or crashes.
    pub(crate) fn next_value(&mut self, database: DatabaseId, name: &Arc<str>) -> Fallible<i64> {
        let Some(last) = self.sequences.get_mut(&(database, name.clone())) else {
            let message = format!("relation \"{name}\" does not exist");
            return Err(error(state::UNDEFINED_TABLE, message));
        };
        *last = last.checked_add(1).ok_or_else(|| {
            error(
                "2200H",
                format!("nextval: reached maximum value of sequence \"{name}\""),
            )
        })?;
        Ok(*last)
    }

    pub(crate) fn create_sequence(&mut self, database: DatabaseId, name: Arc<str>) {
        self.sequences.insert((database, name), 0);
    }
}

/// A connection with what it is doing.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Session {
    pub(crate) state: SessionState,
    pub(crate) running: Option<Running>,
    pub(crate) cancelled: bool,
}

/// A statement's text with its tree and, as long as the catalog stays as it is, its plan.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) statement: Arc<Statement>,
    pub(crate) plan: Option<CachedPlan>,
}

#[derive(Clone, Debug)]
pub(crate) struct CachedPlan {
    pub(crate) plan: Arc<Plan>,
    pub(crate) version: u64,
    pub(crate) search_path: Arc<[Arc<str>]>,
    /// Row security and privileges are part of a plan.
    pub(crate) role: Arc<str>,
    pub(crate) row_security: bool,
}

impl CachedPlan {
    pub(crate) fn new(plan: Arc<Plan>, core: &Core, session: &SessionState) -> CachedPlan {
        CachedPlan {
            plan,
            version: core.catalog.version(),
            search_path: session.search_path().clone(),
            role: session.current_user().clone(),
            row_security: session.row_security(),
        }
    }

    /// Names, privileges and policies mean the same to this session as to the one that it was made for.
    pub(crate) fn fits(&self, session: &SessionState) -> bool {
        let (path, role) = (session.search_path(), session.current_user());
        (Arc::ptr_eq(&self.search_path, path) || self.search_path == *path)
            && (Arc::ptr_eq(&self.role, role) || self.role == *role)
            && self.row_security == session.row_security()
    }
}

/// A PostgreSQL server as a state machine. `Clone` forks it.
#[derive(Clone, Debug)]
pub struct Server {
    pub(crate) core: Core,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    next_session: u32,
    /// Shared by forks until one of them plans anew.
    pub(crate) prepared: Arc<Vec<Prepared>>,
    by_text: Arc<BTreeMap<(DatabaseId, Arc<str>), StatementId>>,
    down: bool,
}

impl Server {
    /// An empty server with the database and the role `postgres`.
    pub fn new(config: ServerConfig) -> Server {
        let catalog = Arc::new(Catalog::new());
        Server {
            core: Core {
                storage: Storage::new(),
                catalog: catalog.clone(),
                sequences: BTreeMap::new(),
                config,
                buffer: Vec::new(),
                unawaited: Lsn(0),
                replication: Replication::default(),
                history: vec![(Lsn(0), catalog)],
            },
            sessions: BTreeMap::new(),
            next_session: 1,
            prepared: Arc::default(),
            by_text: Arc::default(),
            down: false,
        }
    }

    /// A new session.
    ///
    /// Refused: 57P03 while the server is down, 3D000 for an unknown database, 28000 for a role that is
    /// unknown or may not log in.
    pub fn connect(&mut self, database: &str, role: &str, _now: Time) -> Result<SessionId, SqlError> {
        if self.down {
            return Err(*error(state::CANNOT_CONNECT_NOW, "the database system is starting up"));
        }
        let known = self.core.catalog.role(role, &[]);
        let known =
            known.ok_or_else(|| *error(state::INVALID_AUTHORIZATION, format!("role \"{role}\" does not exist")))?;
        if !known.login {
            let message = format!("role \"{role}\" is not permitted to log in");
            return Err(*error(state::INVALID_AUTHORIZATION, message));
        }
        let role = known.name.clone();
        let database = self.core.catalog.database(database).map_err(|refusal| *refusal)?;
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(
            id,
            Session {
                state: SessionState::new(id, database, role),
                running: None,
                cancelled: false,
            },
        );
        Ok(id)
    }

    /// Rolls back what has not been committed, and gives back all locks.
    pub fn disconnect(&mut self, session: SessionId, _now: Time) {
        if let Some(mut session) = self.sessions.remove(&session) {
            self.core.storage.cancel_wait(session.state.id);
            self.core.replication.cancel_wait(session.state.id);
            // A commit record that was written stays written, whoever has gone away.
            if let Some(running) = &mut session.running
                && running.finish_end(&mut session.state, &mut self.core).is_some()
            {
            } else {
                session.state.rollback(&mut self.core);
            }
            self.core.storage.forget_session(session.state.id);
        }
    }

    /// Parses and plans a text; the same text in the same database gives the same statement. As any error, one in
    /// here fails the transaction that the session is in.
    pub fn prepare(&mut self, session: SessionId, sql: &str) -> Result<StatementId, SqlError> {
        let prepared = self.prepare_text(session, sql);
        if prepared.is_err()
            && self.transaction_status(session) == TransactionStatus::InTransaction
            && let Some(found) = self.sessions.get_mut(&session)
        {
            found.state.fail(&mut self.core);
        }
        prepared
    }

    fn prepare_text(&mut self, session: SessionId, sql: &str) -> Result<StatementId, SqlError> {
        let Some(found) = self.sessions.get_mut(&session) else {
            return Err(*no_session());
        };
        let key = (found.state.database, Arc::<str>::from(sql));
        if let Some(known) = self.by_text.get(&key) {
            return Ok(*known);
        }
        let statement =
            syntax::parse_statement(sql, Dialect::Postgres).map_err(|refusal| *Box::<SqlError>::from(refusal))?;
        found.state.usage.prepared += 1;
        let plan = first_plan(&statement, &self.core, &found.state).map_err(|refusal| *refusal)?;
        let id = self.keep(Arc::new(statement), plan);
        Arc::make_mut(&mut self.by_text).insert(key, id);
        Ok(id)
    }

    /// Keeps a statement for many executions, in forks too. One that cannot be planned yet is planned, or refused, when it
    /// is run.
    pub fn prepare_parsed(&mut self, session: SessionId, statement: Arc<Statement>) -> StatementId {
        let found = self.sessions.get(&session);
        let plan = found.and_then(|found| first_plan(&statement, &self.core, &found.state).ok());
        self.keep(statement, plan.flatten())
    }

    fn keep(&mut self, statement: Arc<Statement>, plan: Option<CachedPlan>) -> StatementId {
        let id = StatementId(self.prepared.len() as u32);
        Arc::make_mut(&mut self.prepared).push(Prepared { statement, plan });
        id
    }

    /// Starts a prepared statement; nothing happens before `resume`.
    pub fn start(&mut self, session: SessionId, statement: StatementId, parameters: &[Value], now: Time) {
        self.start_source(session, Source::Prepared(statement), parameters, now);
    }

    /// Starts a statement that is run once (scripts).
    pub fn start_parsed(&mut self, session: SessionId, statement: &Statement, parameters: &[Value], now: Time) {
        self.start_source(session, Source::Parsed(Arc::new(statement.clone())), parameters, now);
    }

    /// Starts a text that is run once and takes no parameters: `$1`, if it has one, is written into it as a literal, as
    /// a driver does for PREPARE TRANSACTION. As any error, a refusal fails the transaction that the session is in.
    pub fn start_written(&mut self, session: SessionId, sql: &str, operand: &Value, now: Time) -> Result<(), SqlError> {
        let text = sql.replace("$1", &syntax::literal(operand));
        match syntax::parse_statement(&text, Dialect::Postgres) {
            Ok(statement) => {
                self.start_parsed(session, &statement, &[], now);
                Ok(())
            }
            Err(refusal) => Err(self.refuse(session, refusal)),
        }
    }

    fn start_source(&mut self, session: SessionId, source: Source, parameters: &[Value], now: Time) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.cancelled = false;
            session.running = Some(Running::new(source, parameters.to_vec(), now));
        }
    }

    /// The session was sent a text that is no statement: as any error, that spoils a transaction block.
    pub fn refuse(&mut self, session: SessionId, refusal: syntax::SyntaxError) -> SqlError {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.state.fail(&mut self.core);
        }
        *Box::<SqlError>::from(refusal)
    }

    /// Goes on with the session's statement until it ends, waits, or has used up the fuel (operator
    /// steps, about one a row).
    pub fn resume(&mut self, session: SessionId, now: Time, fuel: &mut u64) -> Progress {
        let Some(session) = self.sessions.get_mut(&session) else {
            return Progress::Done(Err(*no_session()));
        };
        let Some(mut running) = session.running.take() else {
            let message = "no statement is running in this session";
            return Progress::Done(Err(*error(state::PROTOCOL_VIOLATION, message)));
        };
        let cancelled = std::mem::take(&mut session.cancelled);
        let progress = running.resume(
            &mut session.state,
            &mut self.core,
            &mut self.prepared,
            cancelled,
            now,
            fuel,
        );
        if !matches!(progress, Progress::Done(_)) {
            session.running = Some(running);
        }
        progress
    }

    /// The running statement fails with 57014 at the next resume.
    pub fn cancel(&mut self, session: SessionId) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.cancelled = true;
        }
    }

    pub fn wal_position(&self) -> Lsn {
        self.core.storage.wal_position()
    }

    /// Bytes at rest: heaps and indexes of all databases.
    pub fn stored_bytes(&self) -> u64 {
        self.core.storage.stored_bytes()
    }

    pub fn flushed_position(&self) -> Lsn {
        self.core.storage.flushed_position()
    }

    /// When the WAL writer flushes next, if commits have not waited for their flush: the caller does so then, as
    /// for a [`Progress::Flush`], up to [`Server::wal_position`].
    pub fn wal_writer_due(&self, now: Time) -> Option<Time> {
        let delay = self.core.config.wal_writer_delay.0.max(1);
        let next = Time((now.0 / delay).saturating_add(1).saturating_mul(delay));
        (self.core.unawaited > self.flushed_position()).then_some(next)
    }

    /// The WAL up to here is durable.
    pub fn flushed(&mut self, up_to: Lsn) {
        self.core.storage.flushed(up_to);
        // As long as the WAL is kept: a standby that lags reads by older ones.
        let start = self.core.storage.wal_start();
        let history = &mut self.core.history;
        let needed = history.iter().rposition(|(lsn, _)| *lsn <= start).unwrap_or(0);
        history.drain(..needed);
    }

    /// Whether commits wait for a synchronous standby (`synchronous_standby_names`), and how far that has come.
    pub fn acknowledge(&mut self, synchronous: bool, standby: Progressed) {
        self.core.replication.changed(synchronous, standby);
    }

    /// Sessions whose lock was granted since the last call, in order.
    pub fn drain_woken(&mut self, into: &mut Vec<SessionId>) {
        self.core.storage.drain_woken(into);
        self.core.replication.drain_woken(into);
    }

    /// The work that a session has done since the last call.
    pub fn take_usage(&mut self, session: SessionId) -> Usage {
        let session = self.sessions.get_mut(&session);
        session.map_or_else(Usage::default, |session| std::mem::take(&mut session.state.usage))
    }

    pub fn transaction_status(&self, session: SessionId) -> TransactionStatus {
        let session = self.sessions.get(&session);
        session.map_or(TransactionStatus::Idle, |session| session.state.transaction.status)
    }

    /// Bulk load outside of time: committed at once, durable with the next [`Server::checkpoint`]. NOT NULL, CHECK and
    /// unique keys are enforced; foreign keys are trusted.
    pub fn load(&mut self, database: &str, table: &str, rows: &mut dyn Iterator<Item = Row>) -> Result<u64, SqlError> {
        self.load_rows(database, table, rows).map_err(|refusal| *refusal)
    }

    fn load_rows(&mut self, database: &str, table: &str, rows: &mut dyn Iterator<Item = Row>) -> Fallible<u64> {
        let database = self.core.catalog.database(database)?;
        let (schema, name) = table.split_once('.').unwrap_or(("public", table));
        let found = self.core.catalog.table_named(database, schema, name, &[]).cloned();
        let table =
            found.ok_or_else(|| error(state::UNDEFINED_TABLE, format!("relation \"{table}\" does not exist")))?;
        let live: Vec<u16> = table.live_columns().map(|(column, _)| column).collect();
        let names = Names {
            catalog: &self.core.catalog,
            own: &[],
            database,
            search_path: &[],
            role: &table.access.owner,
            row_security: false,
        };
        let placement = Placement::of(&table, names);
        let now = self.core.config.epoch_micros;
        let mut loaded = 0;
        for row in rows {
            if row.len() != live.len() {
                let message = format!("a row to load has {} values for {} columns", row.len(), live.len());
                return Err(error(state::SYNTAX_ERROR, message));
            }
            let mut values = vec![Value::Null; table.columns.len()];
            for (column, value) in live.iter().zip(row.iter()) {
                let column = usize::from(*column);
                let wanted = table.columns[column].data_type;
                values[column] = crate::types::input::cast(value.clone(), wanted, now)?;
            }
            crate::exec::generate(&table, &mut values, now)?;
            match &placement {
                None => self.load_row(&table, &values)?,
                Some(placement) => {
                    let leaf = placement.place(&table, &values, now)?;
                    let mut values = leaf.row(&values);
                    crate::exec::generate(&leaf.table, &mut values, now)?;
                    self.load_row(&leaf.table, &values)?;
                }
            }
            loaded += 1;
        }
        Ok(loaded)
    }

    /// Outside of time: everything so far is durable.
    pub fn checkpoint(&mut self) {
        self.core.storage.checkpoint_now();
        let position = self.core.storage.wal_position();
        self.flushed(position);
    }

    fn load_row(&mut self, table: &Table, values: &[Value]) -> Fallible<()> {
        let now = self.core.config.epoch_micros;
        check_values(table, values, now)?;
        let mut bytes = Vec::new();
        crate::row::encode(values, &mut bytes);
        let mut entries = Vec::with_capacity(table.indexes.len());
        for index in &table.indexes {
            if !contains(index, values, now)? {
                continue;
            }
            let mut key = Vec::new();
            let has_null = index_key(index, values, now, &mut key)?;
            if index.unique && !has_null {
                let storage = &self.core.storage;
                let conflict = storage.unique_conflict(index.id, table.heap, &key, crate::exec::NO_ROW, Xid::NONE);
                if conflict != Unique::Free {
                    return Err(duplicate(table, index, values, now));
                }
            }
            entries.push((index.id, key));
        }
        let row = self
            .core
            .storage
            .insert_frozen(table.heap, &bytes)
            .map_err(SqlError::from)?;
        for (index, key) in entries {
            self.core
                .storage
                .index_insert(index, &key, row)
                .map_err(SqlError::from)?;
        }
        Ok(())
    }

    /// All sessions and all memory are gone; nothing but [`Server::recover`] brings the server back.
    pub fn crash(&mut self) {
        self.sessions.clear();
        self.core.storage.crash();
        self.core.replication.forget_waits();
        self.down = true;
    }

    /// Replays the WAL that was flushed: the committed prefix is back.
    pub fn recover(&mut self) -> Recovery {
        if !self.down {
            return Recovery::default();
        }
        let replayed = self.core.storage.recover();
        let flushed = self.flushed_position();
        let durable = self.core.history.iter().rev().find(|(lsn, _)| *lsn <= flushed);
        if let Some((_, catalog)) = durable {
            let mut catalog = (**catalog).clone();
            catalog.succeed(&self.core.catalog);
            self.core.catalog = Arc::new(catalog);
        }
        self.core.history = vec![(Lsn(0), self.core.catalog.clone())];
        self.core.unawaited = Lsn(0);
        self.down = false;
        Recovery {
            wal_bytes_replayed: replayed.wal_bytes,
            records_replayed: replayed.records,
        }
    }

    /// What an observer looks at: nobody runs or holds a lock in it, and what was not committed is rolled back.
    /// Plans and other caches are not part of it.
    pub(crate) fn settled(&self) -> Server {
        let mut fork = Server {
            core: self.core.clone(),
            sessions: self.sessions.clone(),
            next_session: self.next_session,
            prepared: Arc::default(),
            by_text: Arc::default(),
            down: false,
        };
        fork.core.storage.disarm_prepared();
        // Even one whose commit waits for its flush.
        while let Some((_, mut session)) = fork.sessions.pop_first() {
            session.state.rollback(&mut fork.core);
        }
        fork
    }

    /// Of the whole state: catalog, pages, sessions, locks, running statements. Left out: plans and
    /// other caches, which follow from the rest.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = Fingerprinter::new();
        self.core.storage.hash(&mut hasher);
        self.core.catalog.hash(&mut hasher);
        self.core.sequences.hash(&mut hasher);
        self.core.config.hash(&mut hasher);
        (self.core.unawaited > self.flushed_position()).hash(&mut hasher);
        self.core.replication.hash(&mut hasher);
        self.sessions.hash(&mut hasher);
        (self.next_session, self.down).hash(&mut hasher);
        hasher.fingerprint()
    }

    /// Definitions as one committed transaction of a superuser, outside of time (set-up of a deployment).
    pub fn run_script(&mut self, database: &str, script: &str) -> Result<(), SqlError> {
        let statements =
            syntax::parse_script(script, Dialect::Postgres).map_err(|refusal| *Box::<SqlError>::from(refusal))?;
        let session = self.connect(database, "postgres", Time::ZERO)?;
        let mut result = Ok(());
        for item in statements {
            result = self.run_to_end(session, &item.statement).map(drop);
            if result.is_err() {
                break;
            }
        }
        self.disconnect(session, Time::ZERO);
        result
    }

    fn run_to_end(&mut self, session: SessionId, statement: &Statement) -> Result<Output, SqlError> {
        self.start_parsed(session, statement, &[], Time::ZERO);
        loop {
            match self.resume(session, Time::ZERO, &mut u64::MAX.clone()) {
                Progress::Done(result) => return result,
                Progress::Flush(lsn) => self.flushed(lsn),
                Progress::OutOfFuel => {}
                Progress::Blocked(blocker) => {
                    let message = format!("a script outside of time would wait for {}", blocker.what);
                    return Err(*error(state::LOCK_NOT_AVAILABLE, message));
                }
            }
        }
    }
}

pub(crate) fn names<'a>(core: &'a Core, session: &'a SessionState) -> Names<'a> {
    Names {
        catalog: &core.catalog,
        own: &session.transaction.xids,
        database: session.database,
        search_path: session.search_path(),
        role: session.current_user(),
        row_security: session.row_security(),
    }
}

/// `None` for what has none, and while definitions are uncommitted.
fn first_plan(statement: &Statement, core: &Core, session: &SessionState) -> Fallible<Option<CachedPlan>> {
    let plan = crate::planning::plan(statement, names(core, session))?;
    let settled = plan.filter(|_| core.catalog.is_settled());
    Ok(settled.map(|plan| CachedPlan::new(Arc::new(plan), core, session)))
}

fn no_session() -> Box<SqlError> {
    error("08003", "connection does not exist")
}
