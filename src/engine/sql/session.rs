//! A connection: its transaction with savepoints, its settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Nanos, Time};
use syntax::IsolationLevel;

use crate::catalog::Catalog;
use crate::error::{Fallible, error, state};
use crate::server::{Core, ServerConfig};
use crate::storage::{CommandId, DatabaseId, LockTag, RelationId, Safety, SerialId, Snapshot, Xid};
use crate::{Notice, SessionId, SqlError, TransactionStatus, Usage};

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
    pub(crate) isolation: IsolationLevel,
    pub(crate) read_only: bool,
    /// Serializable and read-only: waits for a snapshot that is known to be safe.
    pub(crate) deferrable: bool,
    /// COMMIT has been said; its record is being written and flushed.
    pub(crate) committing: bool,
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
    /// The settings to go back to.
    before: Settings,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Savepoint {
    pub(crate) name: Arc<str>,
    /// Its number, once something was written since.
    pub(crate) xid: Option<Xid>,
    pub(crate) lock_mark: usize,
    settings: Settings,
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
            isolation: IsolationLevel::ReadCommitted,
            read_only: false,
            deferrable: false,
            committing: false,
            queried: false,
            started: Time::ZERO,
            xid: None,
            xids: Vec::new(),
            savepoints: Vec::new(),
            command: CommandId::FIRST,
            snapshot: None,
            serial: None,
            before: Settings::default(),
        }
    }
}

/// The settings that exist, in lower case, with their values at the start.
const KNOWN_SETTINGS: &[(&str, &str)] = &[
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("intervalstyle", "postgres"),
    ("lock_timeout", "0"),
    ("role", "none"),
    ("row_security", "on"),
    ("search_path", "\"$user\", public"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("synchronous_commit", "on"),
    ("timezone", "UTC"),
];

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

    pub(crate) fn begin(&mut self, explicit: bool, now: Time) {
        if self.transaction.status != TransactionStatus::Idle {
            return;
        }
        let isolation = match self.set_text("default_transaction_isolation").map(|text| &**text) {
            Some("repeatable read") => IsolationLevel::RepeatableRead,
            Some("serializable") => IsolationLevel::Serializable,
            _ => IsolationLevel::ReadCommitted,
        };
        let transaction = &mut self.transaction;
        transaction.status = TransactionStatus::InTransaction;
        transaction.explicit = explicit;
        transaction.isolation = isolation;
        transaction.read_only = false;
        transaction.deferrable = false;
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
        if transaction.isolation == IsolationLevel::ReadCommitted {
            return Some(core.storage.snapshot(self.id, transaction.xid, transaction.command));
        }
        if transaction.isolation == IsolationLevel::Serializable && !self.open_serializable(core) {
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
                let (command, read_only) = (transaction.command, transaction.read_only);
                let (snapshot, serial) =
                    core.storage
                        .begin_serializable(self.id, &transaction.xids, command, read_only);
                (transaction.snapshot, transaction.serial) = (Some(snapshot), serial);
            }
            let Some(serial) = transaction
                .serial
                .filter(|_| transaction.deferrable && transaction.read_only)
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

    pub(crate) fn next_command(&mut self) {
        self.transaction.command.0 += 1;
    }

    pub(crate) fn savepoint(&mut self, name: Arc<str>, core: &Core) {
        self.transaction.savepoints.push(Savepoint {
            name,
            xid: None,
            lock_mark: core.storage.lock_mark(self.id),
            settings: self.settings.clone(),
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
        let lock_mark = savepoint.lock_mark;
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
        core.storage.release_locks(self.id);
        core.storage.release_snapshots(self.id);
        self.settings = self.transaction.before.clone();
        self.refresh();
    }

    pub(crate) fn rollback(&mut self, core: &mut Core) {
        self.undo(core);
        self.end();
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
        transaction.status = TransactionStatus::Idle;
        transaction.explicit = false;
        transaction.committing = false;
        transaction.isolation = IsolationLevel::ReadCommitted;
        transaction.read_only = false;
        transaction.deferrable = false;
        transaction.queried = false;
        transaction.xid = None;
        transaction.xids.clear();
        transaction.savepoints.clear();
        transaction.snapshot = None;
        transaction.command = CommandId::FIRST;
    }

    // ---- settings

    /// A setting that was set.
    fn set_text(&self, name: &str) -> Option<&Arc<str>> {
        let Settings { session, local } = &self.settings;
        local.get(name).or_else(|| session.get(name))
    }

    /// A setting that was set, or a known one's default.
    fn setting_text(&self, name: &str) -> Option<Arc<str>> {
        self.set_text(name).cloned().or_else(|| {
            let known = KNOWN_SETTINGS.iter().find(|(known, _)| *known == name);
            let empty = || self.custom.contains(name).then_some("");
            known.map(|(_, value)| *value).or_else(empty).map(Arc::from)
        })
    }

    pub(crate) fn setting(&self, name: &str, config: &ServerConfig) -> Option<Arc<str>> {
        let name = name.to_ascii_lowercase();
        match &*name {
            "transaction_isolation" => Some(isolation_name(self.transaction.isolation).into()),
            "transaction_read_only" => Some(if self.transaction.read_only { "on" } else { "off" }.into()),
            "session_authorization" => Some(self.session_user().clone()),
            "server_version" => Some("15.0".into()),
            "deadlock_timeout" if self.setting_text(&name).is_none() => {
                Some(format!("{}ms", config.deadlock_timeout.0 / 1_000_000).into())
            }
            _ => self.setting_text(&name),
        }
    }

    /// SET and SET LOCAL; `None`: back to the default.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Fallible<()> {
        let name: Arc<str> = name.to_ascii_lowercase().into();
        let known = KNOWN_SETTINGS.iter().any(|(known, _)| *known == &*name)
            || ["deadlock_timeout", "session_authorization"].contains(&&*name);
        if !known {
            self.know_custom(&name)?;
        }
        let value = match value {
            Some(value) => Some(check_setting(&name, value)?),
            None => None,
        };
        let target = if local {
            &mut self.settings.local
        } else {
            &mut self.settings.session
        };
        match value {
            Some(value) => Arc::make_mut(target).insert(name.clone(), value.into()),
            None => Arc::make_mut(target).remove(&name),
        };
        if !local && self.settings.local.contains_key(&name) {
            Arc::make_mut(&mut self.settings.local).remove(&name);
        }
        if &*name == "session_authorization" {
            self.set("role", None, local)?;
        }
        if ["search_path", "role", "session_authorization", "row_security"].contains(&&*name) {
            self.refresh();
        }
        Ok(())
    }

    /// A custom setting comes into being when it is first set, and outlives a rollback.
    fn know_custom(&mut self, name: &Arc<str>) -> Fallible<()> {
        if !name.contains('.') {
            return Err(unrecognized(name));
        }
        let identifier = |part: &str| {
            let first = |c: char| c.is_alphabetic() || c == '_';
            part.starts_with(first) && part.chars().all(|c| first(c) || c.is_ascii_digit() || c == '$')
        };
        if !name.split('.').all(identifier) {
            let message = format!("invalid configuration parameter name \"{name}\"");
            let detail = "Custom parameter names must be two or more simple identifiers separated by dots.";
            return Err(error(state::INVALID_NAME, message).detail(detail));
        }
        if !self.custom.contains(name) {
            Arc::make_mut(&mut self.custom).insert(name.clone());
        }
        Ok(())
    }

    /// [`Self::set`], if the session's roles allow it: `role` and `session_authorization` name roles.
    pub(crate) fn assign(&mut self, name: &str, value: Option<&str>, local: bool, catalog: &Catalog) -> Fallible<()> {
        let named = name.to_ascii_lowercase();
        if let ("role" | "session_authorization", Some(role)) = (&*named, value)
            && (&*named, role) != ("role", "none")
        {
            self.check_role(&named, role, catalog)?;
        }
        self.set(name, value, local)
    }

    fn check_role(&self, setting: &str, role: &str, catalog: &Catalog) -> Fallible<()> {
        let own = &self.transaction.xids;
        let Some(found) = catalog.role(role, own) else {
            let message = format!("role \"{role}\" does not exist");
            return Err(error(state::INVALID_PARAMETER_VALUE, message));
        };
        let is_superuser = |role: &Arc<str>| catalog.role(role, own).is_some_and(|role| role.superuser);
        if setting == "role" {
            let session = self.session_user();
            if is_superuser(session) || catalog.roles_of(session, own, false).contains(&found.name) {
                return Ok(());
            }
            let message = format!("permission denied to set role \"{role}\"");
            return Err(error(state::INSUFFICIENT_PRIVILEGE, message));
        }
        if is_superuser(&self.login) || *self.login == *role {
            return Ok(());
        }
        let message = "permission denied to set session authorization";
        Err(error(state::INSUFFICIENT_PRIVILEGE, message))
    }

    /// Whether `client_min_messages` lets a message of this severity through.
    pub(crate) fn hears(&self, severity: &str) -> bool {
        let least = self.set_text("client_min_messages").map_or("notice", |text| &**text);
        match severity {
            "NOTICE" => !["warning", "error"].contains(&least),
            _ => least != "error",
        }
    }

    /// A timeout in force; zero means none.
    pub(crate) fn timeout(&self, name: &str) -> Option<Nanos> {
        if self.settings.session.is_empty() && self.settings.local.is_empty() {
            return None;
        }
        let nanos = parse_duration(&self.setting_text(name)?)?;
        (nanos.0 > 0).then_some(nanos)
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

pub(crate) fn unrecognized(name: &str) -> Box<SqlError> {
    let message = format!("unrecognized configuration parameter \"{name}\"");
    error(state::UNDEFINED_OBJECT, message)
}

/// The value as it is kept.
fn check_setting<'v>(name: &str, value: &'v str) -> Fallible<&'v str> {
    let invalid = || {
        let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
        error(state::INVALID_PARAMETER_VALUE, message)
    };
    if name.ends_with("_timeout") && parse_duration(value).is_none() {
        return Err(invalid());
    }
    match (name, value) {
        (
            "default_transaction_isolation",
            "read committed" | "read uncommitted" | "repeatable read" | "serializable",
        ) => Ok(value),
        ("row_security", _) => {
            let truth = match &*value.to_ascii_lowercase() {
                "on" | "true" | "yes" | "1" => Some("on"),
                "off" | "false" | "no" | "0" => Some("off"),
                _ => None,
            };
            truth.ok_or_else(|| {
                let message = format!("parameter \"{name}\" requires a Boolean value");
                error(state::INVALID_PARAMETER_VALUE, message)
            })
        }
        ("default_transaction_isolation", _) => Err(invalid()),
        ("timezone", zone) if !["utc", "gmt", "etc/utc"].contains(&&*zone.to_ascii_lowercase()) => {
            Err(crate::error::unsupported("a time zone other than UTC"))
        }
        _ => Ok(value),
    }
}

/// `500`, `500ms`, `2s`, `1min`: milliseconds where no unit is given.
fn parse_duration(text: &str) -> Option<Nanos> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let amount: u64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim() {
        "us" => 1_000,
        "" | "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    amount.checked_mul(unit).map(Nanos)
}
