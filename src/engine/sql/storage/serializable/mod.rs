//! Serializable transactions, as PostgreSQL makes them (serializable snapshot isolation: its README-SSI, after
//! M. Cahill, U. Röhm and A. Fekete, "Serializable isolation for snapshot databases", 2008).
//!
//! ```text
//!   reads ──▶ SIREAD locks (`target`)     writes ──▶ look for others' SIREAD locks
//!                     └──────▶ rw-conflict: reader ──rw─▶ writer (`conflict`) ◀──────┘
//!
//!   T1 ──rw─▶ T2 ──rw─▶ T3, T3 the first to commit: dangerous; T2 (the pivot) or T1 must go
//! ```
//!
//! Nobody ever waits for an SIREAD lock. Locks and conflicts outlive a commit for as long as a transaction runs
//! that overlapped it (`life`). All of it is one value that is there only while a serializable transaction is of
//! interest: other transactions, and forks of a server without any, pay nothing. A crash forgets it.

mod conflict;
mod handover;
mod life;
mod target;
mod tracking;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Storage;
use super::ids::{CommandId, IndexId, RelationId, Xid};
use super::transaction::Snapshot;
use crate::{SessionId, SqlError};
pub(crate) use handover::Reads;
use target::{Lock, Space, Target};

/// A serializable transaction; no number is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialId(u32);

/// The transaction must be rolled back: SQLSTATE 40001.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerializationFailure {
    reason: String,
}

impl SerializationFailure {
    fn new(reason: impl Into<String>) -> SerializationFailure {
        SerializationFailure { reason: reason.into() }
    }
}

impl From<SerializationFailure> for SqlError {
    fn from(failure: SerializationFailure) -> SqlError {
        let message = "could not serialize access due to read/write dependencies among transactions";
        SqlError {
            sqlstate: "40001",
            message: message.to_owned(),
            detail: Some(format!("Reason code: {}.", failure.reason)),
            hint: Some("The transaction might succeed if retried.".to_owned()),
            position: None,
            circumstances: None,
        }
    }
}

type Checked<T> = Result<T, SerializationFailure>;

/// A place in the order in which serializable transactions prepare and commit.
type Sequence = u64;

/// It has not happened.
const NEVER: Sequence = Sequence::MAX;

/// Committed transactions kept whole before the oldest are summarised: PostgreSQL's `max_connections` and its other
/// processes, times ten.
const MOST_KEPT: usize = 1220;

/// The container: empty while nothing is serializable.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Serializables {
    state: Option<Arc<State>>,
    next: u32,
}

impl Serializables {
    fn get(&self) -> Option<&State> {
        self.state.as_deref()
    }

    fn get_mut(&mut self) -> Option<&mut State> {
        self.state.as_mut().map(Arc::make_mut)
    }

    /// Nothing is of interest any more.
    fn settle(&mut self) {
        if self.state.as_ref().is_some_and(|state| state.parties.is_empty()) {
            self.state = None;
        }
    }
}

/// Everything about the serializable transactions that are of interest.
#[derive(Clone, Debug, Default, Hash)]
struct State {
    parties: BTreeMap<SerialId, Party>,
    /// By the numbers under which they write, subtransactions' too.
    by_xid: BTreeMap<Xid, SerialId>,
    /// Who holds an SIREAD lock, in the order of asking.
    holders: BTreeMap<Target, Vec<SerialId>>,
    /// Committed, in order.
    finished: VecDeque<SerialId>,
    /// SIREAD locks of summarised transactions, with the last of their commits.
    old_locks: BTreeMap<Target, Sequence>,
    /// Summarised writers, with the first commit among those that they have a conflict out to ([`NEVER`]: none).
    old_writers: BTreeMap<Xid, Sequence>,
    last_commit: Sequence,
    /// What committed up to here meets no writer any more.
    clear_through: Sequence,
    cleared_through: Sequence,
    /// Deferrable transactions that know now whether their snapshot is safe.
    woken: Vec<SessionId>,
}

/// One transaction (PostgreSQL's `SERIALIZABLEXACT`).
#[derive(Clone, Debug, Hash)]
struct Party {
    session: SessionId,
    snapshot: Snapshot,
    /// READ ONLY from its start.
    declared_read_only: bool,
    /// Declared, or committed without having written.
    read_only: bool,
    wrote: bool,
    prepared: bool,
    committed: bool,
    /// It will roll back: it has been told to, or is about to hear it.
    doomed: bool,
    /// A conflict out to one that committed before it did.
    conflict_out: bool,
    /// Conflicts with summarised transactions.
    old_conflict_in: bool,
    old_conflict_out: bool,
    /// Read-only: no concurrent writer can make its snapshot an anomaly; or one already has.
    safe: bool,
    hazardous: bool,
    /// DEFERRABLE: it waits to know which.
    waiting: bool,
    last_commit_before_snapshot: Sequence,
    prepare: Sequence,
    commit: Sequence,
    earliest_out: Sequence,
    /// The next transaction number when it ended.
    finished_before: Xid,
    xids: Vec<Xid>,
    /// Those that wrote what it read (as it was before), and those that read what it wrote.
    outward: Vec<SerialId>,
    inward: Vec<SerialId>,
    /// Of a read-only one: writers that run beside it; of a writer: those read-only ones.
    hazards: Vec<SerialId>,
    locks: BTreeMap<Target, Lock>,
}

impl Party {
    /// The SIREAD locks that it holds.
    fn held(&self) -> impl Iterator<Item = Target> {
        let held = self.locks.iter().filter(|(_, lock)| lock.is_held());
        held.map(|(target, _)| *target)
    }
}

/// Whether a read-only transaction's snapshot shows a state that some serial order gives, whatever others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    Safe,
    Unsafe,
    /// It depends on writers that still run.
    Open,
}

impl Storage {
    /// The one snapshot of a serializable transaction, and the transaction's number unless it needs no watching
    /// (read-only, with no writer beside it). `xids`: its own numbers so far.
    pub fn begin_serializable(
        &mut self,
        session: SessionId,
        xids: &[Xid],
        command: CommandId,
        read_only: bool,
    ) -> (Snapshot, Option<SerialId>) {
        let snapshot = self.transactions.snapshot(session, xids.first().copied(), command);
        let state = Arc::make_mut(self.serial.state.get_or_insert_default());
        let serial = SerialId(self.serial.next);
        let watched = state.begin(serial, session, snapshot.clone(), xids, read_only);
        self.serial.next += u32::from(watched);
        self.serial.settle();
        (snapshot, watched.then_some(serial))
    }

    /// The transaction writes under this number too.
    pub fn note_serializable_xid(&mut self, serial: SerialId, xid: Xid) {
        if let Some(state) = self.serial.get_mut() {
            state.note_xid(serial, xid);
        }
    }

    /// Before the commit record is written: may it commit? Dooms others that may not any more.
    pub fn check_serializable_commit(&mut self, serial: SerialId) -> Checked<()> {
        self.serial.get_mut().map_or(Ok(()), |state| state.prepare(serial))
    }

    /// The transaction has ended.
    pub fn end_serializable(&mut self, serial: SerialId, committed: bool) {
        let next = self.transactions.next;
        if let Some(state) = self.serial.get_mut() {
            state.end(serial, committed, next);
            for session in state.woken.drain(..) {
                self.locks.wake_session(session);
            }
        }
        self.serial.settle();
    }

    /// Of a read-only deferrable transaction. While it is open the session counts as waiting.
    pub fn safety(&mut self, serial: SerialId) -> Safety {
        self.serial.get_mut().map_or(Safety::Safe, |state| state.safety(serial))
    }

    /// The sessions whose transactions decide whether this one's snapshot is safe, if it waits for that.
    pub fn waits_for_safety(&self, session: SessionId) -> Option<Vec<SessionId>> {
        let state = self.serial.get()?;
        let party = state
            .parties
            .values()
            .find(|party| party.session == session && party.waiting && !party.committed)?;
        if party.safe || party.hazardous {
            return None;
        }
        let of = |other: &SerialId| state.parties.get(other).map(|other| other.session);
        Some(party.hazards.iter().filter_map(of).collect())
    }

    /// A leaf was split: who locked it has locked both halves.
    pub(crate) fn leaf_split(&mut self, index: IndexId, from: u32, to: u32) {
        if let Some(state) = self.serial.get_mut() {
            let page = |page| Target::page(Space::Index(index), page);
            state.copy_locks(page(from), page(to));
        }
    }

    /// Another heap takes the place of a table's: who has read any of it has read all of the new one.
    pub fn heap_replaced(&mut self, old: RelationId, new: RelationId) {
        if let Some(state) = self.serial.get_mut() {
            for target in state.targets_of(old) {
                state.copy_locks(target, Target::whole(Space::Heap(new)));
            }
        }
    }

    /// An index goes: its locks become locks of its whole table.
    pub(crate) fn index_goes(&mut self, index: IndexId, relation: RelationId) {
        if let Some(state) = self.serial.get_mut() {
            state.lift_locks(Space::Index(index), Target::whole(Space::Heap(relation)));
        }
    }
}
