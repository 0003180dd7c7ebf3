//! A connection: its transaction with savepoints, its settings.

mod settings;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Time;
use syntax::IsolationLevel;

use crate::deferred::{Deferred, DeferredMark};
use crate::error::{Fallible, error, state};
use crate::exec::ForeignEvent;
use crate::server::Core;
use crate::storage::{CommandId, DatabaseId, LockTag, Preparing, RelationId, Safety, SerialId, Snapshot, Xid};
use crate::{Lsn, Notice, SessionId, SqlError, TransactionStatus, Usage};
pub(crate) use settings::unrecognized;

/// What a statement may read and change of its session.
#[derive(Clone, Debug, Hash)]
pub(crate) struct SessionState {
    pub(crate) id: SessionId,
    pub(crate) database: DatabaseId,
    /// Connected as.
    login: Arc<str>,
    pub(crate) transaction: Transaction,
    pub(crate) settings: Settings,
    /// Last value of each sequence that this session has called (`currval`).
    pub(crate) last_values: BTreeMap<Arc<str>, i64>,
    pub(crate) usage: Usage,
    /// What the running statement has to say besides its result.
    pub(crate) notices: Vec<Notice>,
    search_path: Arc<[Arc<str>]>,
    /// Acting as, after SET SESSION AUTHORIZATION and SET ROLE.
    user: Arc<str>,
    row_security: bool,
    /// Custom settings that were ever set in this session: they exist, and are empty when nothing is set.
    custom: Arc<BTreeSet<Arc<str>>>,
}

/// A transaction, or the place where one will be.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Transaction {
    pub(crate) status: TransactionStatus,
    /// Of its own BEGIN; else of one statement.
    pub(crate) explicit: bool,
    pub(crate) modes: Modes,
    /// Its end has been asked for.
    pub(crate) ending: Option<Ending>,
    /// `AND CHAIN`: when it has ended, one with the same modes begins, as of this time.
    pub(crate) chain: Option<Time>,
    /// A statement has taken a snapshot: the isolation level stands.
    pub(crate) queried: bool,
    pub(crate) started: Time,
    /// Its number, once it has written.
    pub(crate) xid: Option<Xid>,
    /// All numbers that count as its own: subtransactions too.
    pub(crate) xids: Vec<Xid>,
    pub(crate) savepoints: Vec<Savepoint>,
    /// The current command's number.
    pub(crate) command: CommandId,
    /// Repeatable read and serializable: the one snapshot.
    pub(crate) snapshot: Option<Snapshot>,
    /// Serializable: as what its reads and writes are watched.
    pub(crate) serial: Option<SerialId>,
    /// Checks that wait for its end.
    pub(crate) deferred: Deferred,
    /// The settings to go back to.
    before: Settings,
}

/// What BEGIN and SET TRANSACTION choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Modes {
    pub(crate) isolation: IsolationLevel,
    pub(crate) read_only: bool,
    /// Serializable and read-only: waits for a snapshot that is known to be safe.
    pub(crate) deferrable: bool,
}

impl Modes {
    const PLAIN: Modes = Modes {
        isolation: IsolationLevel::ReadCommitted,
        read_only: false,
        deferrable: false,
    };
}

/// How a transaction is to end that has not failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    Commit,
    /// PREPARE TRANSACTION with this identifier.
    Prepare(Arc<str>),
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Savepoint {
    pub(crate) name: Arc<str>,
    /// Its number, once something was written since.
    pub(crate) xid: Option<Xid>,
    pub(crate) lock_mark: usize,
    settings: Settings,
    /// READ ONLY that is set inside of it lasts no longer than it does.
    read_only: bool,
    deferred: DeferredMark,
}

/// Settings of the session, and those of SET LOCAL that hide them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    session: Arc<BTreeMap<Arc<str>, Arc<str>>>,
    local: Arc<BTreeMap<Arc<str>, Arc<str>>>,
}

impl Settings {
    /// Shared, not merely equal: told without looking at any of them.
    fn are_the_same(&self, other: &Settings) -> bool {
        Arc::ptr_eq(&self.session, &other.session) && Arc::ptr_eq(&self.local, &other.local)
    }
}

impl Transaction {
    fn idle() -> Transaction {
        Transaction {
            status: TransactionStatus::Idle,
            explicit: false,
            modes: Modes::PLAIN,
            ending: None,
            chain: None,
            queried: false,
            started: Time::ZERO,
            xid: None,
            xids: Vec::new(),
            savepoints: Vec::new(),
            command: CommandId::FIRST,
            snapshot: None,
            serial: None,
            deferred: Deferred::default(),
            before: Settings::default(),
        }
    }
}

impl SessionState {
    pub(crate) fn new(id: SessionId, database: DatabaseId, login: Arc<str>) -> SessionState {
        let mut session = SessionState {
            id,
            database,
            user: login.clone(),
            login,
            row_security: true,
            custom: Arc::default(),
            transaction: Transaction::idle(),
            settings: Settings::default(),
            last_values: BTreeMap::new(),
            usage: Usage::default(),
            notices: Vec::new(),
            search_path: Arc::from([]),
        };
        session.refresh();
        session
    }

    pub(crate) fn relation_tag(&self, relation: RelationId) -> LockTag {
        LockTag::Relation {
            database: self.database,
            relation,
        }
    }

    /// The schemas to look in, in order.
    pub(crate) fn search_path(&self) -> &Arc<[Arc<str>]> {
        &self.search_path
    }

    /// As whom statements run.
    pub(crate) fn current_user(&self) -> &Arc<str> {
        &self.user
    }

    pub(crate) fn session_user(&self) -> &Arc<str> {
        self.set_text("session_authorization").unwrap_or(&self.login)
    }

    pub(crate) fn row_security(&self) -> bool {
        self.row_security
    }

    /// Brings what is derived from settings up to date.
    fn refresh(&mut self) {
        self.user = match self.set_text("role") {
            Some(role) if **role != *"none" => role.clone(),
            _ => self.session_user().clone(),
        };
        self.row_security = self.set_text("row_security").is_none_or(|text| **text == *"on");
        let text = self
            .setting_text("search_path")
            .unwrap_or_else(|| "\"$user\", public".into());
        let names = text.split(',').map(|name| match name.trim() {
            "\"$user\"" => self.user.clone(),
            name => name.trim_matches('"').into(),
        });
        let names: Vec<Arc<str>> = names.filter(|name: &Arc<str>| !name.is_empty()).collect();
        self.search_path = names.into();
    }

    pub(crate) fn warn(&mut self, message: String) {
        self.notices.push(Notice {
            severity: "WARNING",
            message,
            detail: None,
        });
    }

    // ---- transactions

    /// Those of the transaction, or of the one that would begin now.
    pub(crate) fn modes(&self) -> Modes {
        match self.transaction.status {
            TransactionStatus::Idle => self.default_modes(),
            _ => self.transaction.modes,
        }
    }

    pub(crate) fn begin(&mut self, explicit: bool, now: Time) {
        if self.transaction.status != TransactionStatus::Idle {
            return;
        }
        let modes = self.default_modes();
        let transaction = &mut self.transaction;
        transaction.status = TransactionStatus::InTransaction;
        transaction.explicit = explicit;
        transaction.modes = modes;
        transaction.started = now;
        transaction.command = CommandId::FIRST;
        if !transaction.before.are_the_same(&self.settings) {
            transaction.before = self.settings.clone();
        }
    }

    /// The number of the innermost subtransaction, given now if there is none yet.
    pub(crate) fn write_xid(&mut self, core: &mut Core) -> Fallible<Xid> {
        let innermost = match self.transaction.savepoints.last() {
            None => self.transaction.xid,
            Some(savepoint) => savepoint.xid,
        };
        match innermost {
            Some(xid) => Ok(xid),
            None => self.assign_xids(core),
        }
    }

    #[cold]
    fn assign_xids(&mut self, core: &mut Core) -> Fallible<Xid> {
        let transaction = &mut self.transaction;
        let mut xid = match transaction.xid {
            Some(xid) => xid,
            None => {
                let xid = core.storage.begin(self.id).map_err(SqlError::from)?;
                transaction.xid = Some(xid);
                note_serializable(transaction.serial, xid, core);
                transaction.xids.push(xid);
                xid
            }
        };
        for savepoint in &mut transaction.savepoints {
            xid = match savepoint.xid {
                Some(xid) => xid,
                None => {
                    let sub = core.storage.begin_sub(xid).map_err(SqlError::from)?;
                    savepoint.xid = Some(sub);
                    note_serializable(transaction.serial, sub, core);
                    transaction.xids.push(sub);
                    sub
                }
            };
        }
        Ok(xid)
    }

    /// The snapshot for the next statement; `None`: it is not yet known to be safe.
    pub(crate) fn snapshot(&mut self, core: &mut Core) -> Option<Snapshot> {
        let transaction = &mut self.transaction;
        transaction.queried = true;
        if transaction.modes.isolation == IsolationLevel::ReadCommitted {
            return Some(core.storage.snapshot(self.id, transaction.xid, transaction.command));
        }
        if transaction.modes.isolation == IsolationLevel::Serializable && !self.open_serializable(core) {
            return None;
        }
        let transaction = &mut self.transaction;
        let first = transaction
            .snapshot
            .get_or_insert_with(|| core.storage.snapshot(self.id, transaction.xid, transaction.command));
        Some(Snapshot {
            own: transaction.xid,
            command: transaction.command,
            ..first.clone()
        })
    }

    /// Takes the one snapshot of a serializable transaction. False: a deferrable one has to wait for writers that
    /// may make it show a state that never was.
    fn open_serializable(&mut self, core: &mut Core) -> bool {
        loop {
            let transaction = &mut self.transaction;
            if transaction.snapshot.is_none() {
                let (command, read_only) = (transaction.command, transaction.modes.read_only);
                let (snapshot, serial) =
                    core.storage
                        .begin_serializable(self.id, &transaction.xids, command, read_only);
                (transaction.snapshot, transaction.serial) = (Some(snapshot), serial);
            }
            let Some(serial) = transaction
                .serial
                .filter(|_| transaction.modes.deferrable && transaction.modes.read_only)
            else {
                return true;
            };
            let safety = core.storage.safety(serial);
            if safety == Safety::Open {
                return false;
            }
            self.end_serializable(false, core);
            if safety == Safety::Safe {
                return true;
            }
            self.transaction.snapshot = None;
            core.storage.release_snapshots(self.id);
        }
    }

    fn end_serializable(&mut self, committed: bool, core: &mut Core) {
        if let Some(serial) = self.transaction.serial.take() {
            core.storage.end_serializable(serial, committed);
        }
    }

    /// The commit may still be refused: a serializable transaction that has no place in any order.
    pub(crate) fn check_commit(&self, core: &mut Core) -> Fallible<()> {
        match self.transaction.serial {
            Some(serial) => Ok(core.storage.check_serializable_commit(serial).map_err(SqlError::from)?),
            None => Ok(()),
        }
    }

    /// The checks that have waited and wait no longer: all of them, when the transaction ends.
    pub(crate) fn due_checks(&mut self) -> Vec<ForeignEvent> {
        let ends = self.transaction.ending.is_some() || !self.transaction.explicit;
        let deferred = &mut self.transaction.deferred;
        if deferred.events.is_empty() {
            Vec::new()
        } else if ends {
            std::mem::take(&mut deferred.events)
        } else {
            deferred.take_due()
        }
    }

    pub(crate) fn next_command(&mut self) {
        self.transaction.command.0 += 1;
    }

    pub(crate) fn savepoint(&mut self, name: Arc<str>, core: &Core) {
        self.transaction.savepoints.push(Savepoint {
            name,
            xid: None,
            lock_mark: core.storage.lock_mark(self.id),
            settings: self.settings.clone(),
            read_only: self.transaction.modes.read_only,
            deferred: self.transaction.deferred.mark(),
        });
    }

    fn find_savepoint(&self, name: &str) -> Fallible<usize> {
        let found = self
            .transaction
            .savepoints
            .iter()
            .rposition(|savepoint| *savepoint.name == *name);
        found.ok_or_else(|| error(state::INVALID_SAVEPOINT, format!("savepoint \"{name}\" does not exist")))
    }

    /// RELEASE: what was written since belongs to the level around it.
    pub(crate) fn release_savepoint(&mut self, name: &str) -> Fallible<()> {
        let at = self.find_savepoint(name)?;
        self.transaction.modes.read_only = self.transaction.savepoints[at].read_only;
        self.transaction.savepoints.truncate(at);
        Ok(())
    }

    pub(crate) fn rollback_to(&mut self, name: &str, core: &mut Core) -> Fallible<()> {
        let at = self.find_savepoint(name)?;
        self.abort_savepoints(at, core);
        self.transaction.savepoints.truncate(at + 1);
        self.transaction.status = TransactionStatus::InTransaction;
        Ok(())
    }

    /// Undoes what was done since a savepoint.
    fn abort_savepoints(&mut self, from: usize, core: &mut Core) {
        let savepoint = &self.transaction.savepoints[from];
        let first = self.transaction.savepoints[from..]
            .iter()
            .find_map(|savepoint| savepoint.xid);
        self.settings = savepoint.settings.clone();
        self.transaction.modes.read_only = savepoint.read_only;
        let lock_mark = savepoint.lock_mark;
        let deferred = savepoint.deferred.clone();
        self.transaction.deferred.back_to(&deferred);
        if let Some(first) = first {
            core.storage.abort(first);
            let gone: Vec<Xid> = self
                .transaction
                .xids
                .iter()
                .copied()
                .filter(|xid| *xid >= first)
                .collect();
            self.transaction.xids.retain(|xid| *xid < first);
            core.abort_catalog(&gone);
        }
        core.storage.release_locks_since(self.id, lock_mark);
        for savepoint in &mut self.transaction.savepoints[from..] {
            savepoint.xid = None;
        }
        self.refresh();
    }

    /// A statement has failed: undoes the innermost level. A transaction block then waits for its ROLLBACK.
    pub(crate) fn fail(&mut self, core: &mut Core) {
        core.storage.cancel_wait(self.id);
        if self.transaction.status == TransactionStatus::Idle {
            // It failed before it began one (SET, BEGIN): what was set before stays.
            return;
        }
        if !self.transaction.explicit {
            self.rollback(core);
            return;
        }
        match self.transaction.savepoints.len().checked_sub(1) {
            Some(innermost) => self.abort_savepoints(innermost, core),
            None => self.undo(core),
        }
        self.transaction.status = TransactionStatus::Failed;
    }

    /// Undoes everything and gives back all locks.
    fn undo(&mut self, core: &mut Core) {
        let serial = self.transaction.serial.take();
        if let Some(xid) = self.transaction.xid.take() {
            core.storage.abort(xid);
            let gone = std::mem::take(&mut self.transaction.xids);
            core.abort_catalog(&gone);
        }
        if let Some(serial) = serial {
            core.storage.end_serializable(serial, false);
        }
        self.transaction.savepoints.clear();
        self.transaction.deferred.clear();
        core.storage.release_locks(self.id);
        core.storage.release_snapshots(self.id);
        self.settings = self.transaction.before.clone();
        self.refresh();
    }

    pub(crate) fn rollback(&mut self, core: &mut Core) {
        self.undo(core);
        self.end();
    }

    /// Writes the record of a transaction that is to be prepared; it gets a number even if it has written nothing.
    pub(crate) fn prepare(&mut self, id: Arc<str>, core: &mut Core, now: Time) -> Fallible<(Xid, Lsn)> {
        self.transaction.savepoints.clear();
        let xid = self.write_xid(core)?;
        let preparing = Preparing {
            session: self.id,
            xid,
            serial: self.transaction.serial,
            id,
            owner: self.user.clone(),
            database: self.database,
            at: core.timestamp(now),
        };
        let lsn = core.storage.prepare(preparing, core.config.max_prepared_transactions)?;
        Ok((xid, lsn))
    }

    /// After a transaction has been prepared: nothing of it is left in the session.
    pub(crate) fn hand_over(&mut self, core: &mut Core) {
        self.transaction.serial = None;
        self.finish(core);
    }

    /// After a commit has become visible, or when there was nothing to commit.
    pub(crate) fn finish(&mut self, core: &mut Core) {
        self.end_serializable(true, core);
        core.storage.release_locks(self.id);
        core.storage.release_snapshots(self.id);
        if !self.settings.local.is_empty() {
            self.settings.local = Arc::default();
            self.refresh();
        }
        self.end();
    }

    fn end(&mut self) {
        let transaction = &mut self.transaction;
        let (modes, chain) = (transaction.modes, transaction.chain.take());
        transaction.status = TransactionStatus::Idle;
        transaction.explicit = false;
        transaction.ending = None;
        transaction.modes = Modes::PLAIN;
        transaction.queried = false;
        transaction.xid = None;
        transaction.xids.clear();
        transaction.savepoints.clear();
        transaction.deferred.clear();
        transaction.snapshot = None;
        transaction.command = CommandId::FIRST;
        if let Some(now) = chain {
            self.begin(true, now);
            self.transaction.modes = modes;
        }
    }
}

fn note_serializable(serial: Option<SerialId>, xid: Xid, core: &mut Core) {
    if let Some(serial) = serial {
        core.storage.note_serializable_xid(serial, xid);
    }
}

pub(crate) fn isolation_name(isolation: IsolationLevel) -> &'static str {
    match isolation {
        IsolationLevel::ReadCommitted => "read committed",
        IsolationLevel::RepeatableRead => "repeatable read",
        IsolationLevel::Serializable => "serializable",
    }
}
