//! Prepared transactions (two-phase commit): they have no session any more, survive a crash, and keep what they
//! hold until somebody commits them or rolls them back.
//!
//! ```text
//! prepare ─▶ (flush) ─▶ finish_prepare ─▶ end_prepared ─▶ (flush) ─▶ finish_prepared
//!   record written        locks handed on     record written           visible or gone, locks given back
//! ```
//!
//! A prepared transaction holds its locks under a session number of its own ([`Prepared::session`]), its number
//! stays among the running ones, and its record in the WAL says all that recovery needs to bring that back. As
//! PostgreSQL's, it keeps no snapshot.

use std::sync::Arc;

use super::Storage;
use super::ids::{DatabaseId, Xid};
use super::lock::{LockMode, LockTag};
use super::recovery::Committing;
use super::serializable::{Reads, SerialId};
use super::wal::{Object, Record};
use crate::{Lsn, SessionId, SqlError};

/// The longest identifier, in bytes.
const LONGEST_ID: usize = 199;

/// What is known of a prepared transaction, in memory and in its record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prepared {
    pub xid: Xid,
    /// `PREPARE TRANSACTION 'id'`.
    pub id: Arc<str>,
    /// The role that may end it, as superusers may.
    pub owner: Arc<str>,
    pub database: DatabaseId,
    /// When, as `timestamptz`.
    pub at: i64,
    pub(crate) subtransactions: Vec<Xid>,
    pub(crate) dropped: Vec<Object>,
    pub(crate) locks: Vec<(LockTag, LockMode)>,
    /// Of a serializable one: what it has read.
    pub(crate) reads: Option<Reads>,
}

impl Prepared {
    /// The session number under which it holds its locks: they count down from the highest, sessions up from the
    /// lowest.
    pub(crate) fn session(xid: Xid) -> SessionId {
        SessionId(u32::MAX - xid.0)
    }

    /// All numbers that count as its own.
    pub(crate) fn xids(&self) -> impl Iterator<Item = Xid> + '_ {
        [self.xid].into_iter().chain(self.subtransactions.iter().copied())
    }
}

/// How far a prepared transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Its record is written, not yet flushed: nobody else knows it.
    Preparing,
    Prepared,
    /// The record of its end is written.
    Ending {
        commits: bool,
    },
}

/// All of them, in the order in which they were prepared.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct PreparedTransactions {
    all: Vec<Entry>,
}

#[derive(Clone, Debug, Hash)]
struct Entry {
    prepared: Arc<Prepared>,
    serial: Option<SerialId>,
    stage: Stage,
}

impl PreparedTransactions {
    fn find_mut(&mut self, xid: Xid) -> Option<&mut Entry> {
        self.all.iter_mut().find(|entry| entry.prepared.xid == xid)
    }

    fn take(&mut self, xid: Xid) -> Option<Entry> {
        let at = self.all.iter().position(|entry| entry.prepared.xid == xid)?;
        Some(self.all.remove(at))
    }

    /// A record of the WAL, or of a checkpoint.
    pub(crate) fn restore(&mut self, prepared: Arc<Prepared>) {
        self.all.push(Entry {
            prepared,
            serial: None,
            stage: Stage::Prepared,
        });
    }

    /// Its end has been found in the WAL.
    pub(crate) fn forget(&mut self, xid: Xid) {
        self.take(xid);
    }

    /// Those that a crash now, with all of the WAL flushed, would not end.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = &Arc<Prepared>> {
        let lasting = |entry: &&Entry| !matches!(entry.stage, Stage::Ending { .. });
        self.all.iter().filter(lasting).map(|entry| &entry.prepared)
    }

    /// Those of which the record of a rollback is written.
    pub(crate) fn rolling_back(&self) -> impl Iterator<Item = &Arc<Prepared>> {
        let back = |entry: &&Entry| entry.stage == Stage::Ending { commits: false };
        self.all.iter().filter(back).map(|entry| &entry.prepared)
    }
}

/// Why a transaction cannot be prepared, or a prepared one not be found: PostgreSQL's words.
fn refusal(sqlstate: &'static str, message: String, hint: Option<String>) -> SqlError {
    SqlError {
        sqlstate,
        message,
        detail: None,
        hint,
        position: None,
        circumstances: None,
    }
}

/// What a session says of the transaction that it prepares.
#[derive(Clone, Debug)]
pub struct Preparing {
    pub session: SessionId,
    pub xid: Xid,
    pub serial: Option<SerialId>,
    pub id: Arc<str>,
    pub owner: Arc<str>,
    pub database: DatabaseId,
    pub at: i64,
}

impl Storage {
    /// The prepared transactions that anybody may know of.
    pub fn prepared(&self) -> impl Iterator<Item = &Arc<Prepared>> {
        let known = |entry: &&Entry| entry.stage != Stage::Preparing;
        self.prepared.all.iter().filter(known).map(|entry| &entry.prepared)
    }

    /// The numbers of transactions that a crash now, with all of the WAL flushed, would leave prepared.
    pub fn lasting_xids(&self) -> Vec<Xid> {
        self.prepared.lasting().flat_map(|prepared| prepared.xids()).collect()
    }

    /// Writes the record of a transaction that has a number, at most `most` of them at a time; the position up to
    /// which the WAL must be flushed before [`Storage::finish_prepare`].
    pub fn prepare(&mut self, of: Preparing, most: u32) -> Result<Lsn, SqlError> {
        self.check_preparing(&of, most)?;
        let subtransactions: Vec<Xid> = self.transactions.subtransactions(of.xid).collect();
        let own = |by: Xid| by == of.xid || subtransactions.contains(&by);
        let dropped = self.drops.iter().filter(|(by, _)| own(*by));
        let prepared = Prepared {
            xid: of.xid,
            id: of.id,
            owner: of.owner,
            database: of.database,
            at: of.at,
            dropped: dropped.map(|(_, object)| *object).collect(),
            locks: self.locks.lasting(of.session),
            reads: of.serial.and_then(|serial| self.serial.reads(serial)),
            subtransactions,
        };
        let lsn = self.wal.append(of.xid, &Record::Prepare(prepared.clone()));
        self.prepared.all.push(Entry {
            prepared: Arc::new(prepared),
            serial: of.serial,
            stage: Stage::Preparing,
        });
        Ok(lsn)
    }

    fn check_preparing(&self, of: &Preparing, most: u32) -> Result<(), SqlError> {
        let id = &of.id;
        if id.len() > LONGEST_ID {
            let message = format!("transaction identifier \"{id}\" is too long");
            return Err(refusal("22023", message, None));
        }
        if most == 0 {
            let hint = "Set max_prepared_transactions to a nonzero value.".to_owned();
            return Err(refusal(
                "55000",
                "prepared transactions are disabled".to_owned(),
                Some(hint),
            ));
        }
        if self.prepared.all.iter().any(|entry| entry.prepared.id == *id) {
            let message = format!("transaction identifier \"{id}\" is already in use");
            return Err(refusal("42710", message, None));
        }
        if self.prepared.all.len() >= most as usize {
            let hint = format!("Increase max_prepared_transactions (currently {most}).");
            let message = "maximum number of prepared transactions reached".to_owned();
            return Err(refusal("53200", message, Some(hint)));
        }
        if self.locks.holds_for_both(of.session) {
            let message =
                "cannot PREPARE while holding both session-level and transaction-level locks on the same object";
            return Err(refusal("0A000", message.to_owned(), None));
        }
        Ok(())
    }

    /// The record is flushed: the transaction is no longer the session's.
    pub fn finish_prepare(&mut self, session: SessionId, xid: Xid) {
        let Some(entry) = self.prepared.find_mut(xid) else {
            return;
        };
        entry.stage = Stage::Prepared;
        let heir = Prepared::session(xid);
        if let Some(serial) = entry.serial {
            self.serial.hand_over(serial, heir);
        }
        let xids: Vec<Xid> = entry.prepared.xids().collect();
        self.transactions.hand_over(xid, heir);
        self.locks.hand_over(session, heir, &xids);
    }

    /// The prepared transaction of this identifier, to be ended now by a session of the database.
    ///
    /// Refused: 42704 if there is none, 55000 while another session ends it, 42501 to others than its owner and
    /// superusers, 0A000 in another database.
    pub fn find_prepared(&self, id: &str, role: &str, superuser: bool, database: DatabaseId) -> Result<Xid, SqlError> {
        let known = |entry: &&Entry| entry.stage != Stage::Preparing && *entry.prepared.id == *id;
        let Some(entry) = self.prepared.all.iter().find(known) else {
            let message = format!("prepared transaction with identifier \"{id}\" does not exist");
            return Err(refusal("42704", message, None));
        };
        if entry.stage != Stage::Prepared {
            let message = format!("prepared transaction with identifier \"{id}\" is busy");
            return Err(refusal("55000", message, None));
        }
        if !superuser && *entry.prepared.owner != *role {
            let hint = "Must be superuser or the user that prepared the transaction.".to_owned();
            let message = "permission denied to finish prepared transaction".to_owned();
            return Err(refusal("42501", message, Some(hint)));
        }
        if entry.prepared.database != database {
            let hint = "Connect to the database where the transaction was prepared to finish it.".to_owned();
            let message = "prepared transaction belongs to another database".to_owned();
            return Err(refusal("0A000", message, Some(hint)));
        }
        Ok(entry.prepared.xid)
    }

    /// Writes the record of its end; the position up to which the WAL must be flushed before
    /// [`Storage::finish_prepared`].
    pub fn end_prepared(&mut self, xid: Xid, commits: bool) -> Lsn {
        if let Some(entry) = self.prepared.find_mut(xid) {
            entry.stage = Stage::Ending { commits };
        }
        if commits {
            return self.commit(xid);
        }
        let subtransactions = self.transactions.subtransactions(xid).collect();
        self.wal.append(xid, &Record::Abort { subtransactions })
    }

    /// The record of its end is flushed: what it wrote is visible, or gone; its locks are free. Its own numbers, and
    /// whether they have committed.
    pub fn finish_prepared(&mut self, xid: Xid) -> (Vec<Xid>, bool) {
        let Some(entry) = self.prepared.take(xid) else {
            return (Vec::new(), false);
        };
        let commits = entry.stage == Stage::Ending { commits: true };
        if commits {
            self.finish_commit(xid);
        } else {
            self.roll_back(xid);
        }
        if let Some(serial) = entry.serial {
            self.end_serializable(serial, commits);
        }
        self.forget_session(Prepared::session(xid));
        (entry.prepared.xids().collect(), commits)
    }

    /// What a session was about to prepare is not to be: it has been rolled back before anybody knew of it.
    pub(crate) fn forget_preparing(&mut self, xid: Xid) {
        if self
            .prepared
            .find_mut(xid)
            .is_some_and(|entry| entry.stage == Stage::Preparing)
        {
            self.prepared.take(xid);
        }
    }

    /// Prepared transactions hold no lock any more: for one who looks from outside of time.
    pub fn disarm_prepared(&mut self) {
        let sessions: Vec<SessionId> = self.prepared().map(|one| Prepared::session(one.xid)).collect();
        for session in sessions {
            self.release_locks(session);
        }
    }

    /// After the WAL has been replayed: they run again, and hold what they held.
    pub(crate) fn revive_prepared(&mut self) {
        for entry in &mut self.prepared.all {
            let prepared = entry.prepared.clone();
            let session = Prepared::session(prepared.xid);
            self.transactions
                .revive(prepared.xid, &prepared.subtransactions, session);
            for &(tag, mode) in &prepared.locks {
                self.locks.acquire(session, tag, mode, false);
            }
            let drops = prepared.dropped.iter().map(|object| (prepared.xid, *object));
            self.drops.extend(drops);
            let xids: Vec<Xid> = prepared.xids().collect();
            let reads = prepared.reads.as_ref();
            entry.serial = reads.map(|reads| self.serial.revive(session, xids, self.transactions.next, reads));
        }
    }

    /// The numbers of those whose commit records are written, and who are not visible yet.
    pub(crate) fn committing_xids(&self) -> Vec<Xid> {
        let own = |one: &Committing| [vec![one.xid], one.subtransactions.clone()].concat();
        self.committing.iter().flat_map(own).collect()
    }
}
