//! Pages, indexes, transactions, locks and the write-ahead log of a whole server.
//!
//! Rows are bytes here; nothing of this room knows a column, a type, a table's name or SQL. All of it
//! is one plain value, [`Storage`]: cloning forks it (pages and index nodes are shared and copied on
//! write), hashing it tells whether two are equal.
//!
//! ## The life of a write
//!
//! 1. [`Storage::begin`] gives the transaction a number, at its first write only.
//! 2. [`Storage::insert`], [`update`](Storage::update), [`delete`](Storage::delete),
//!    [`lock_row`](Storage::lock_row) change a row version at once and write a WAL record, or say why
//!    not ([`RowOutcome`]): the caller then waits, follows the row to its newer version, or fails.
//! 3. A new version that is not [`Updated::hot`] gets index entries: [`Storage::unique_conflict`], then
//!    [`Storage::index_insert`].
//! 4. [`Storage::commit`] writes the commit record and gives its position; nobody sees it yet.
//! 5. The caller flushes the WAL ([`Storage::flushed`]), then [`Storage::finish_commit`] makes it
//!    visible and ends the wait of those who wait for the transaction; [`Storage::release_locks`].
//!
//! ## Waiting for a row
//!
//! Nothing blocks in here. On [`RowOutcome::Busy`] a session acquires `LockTag::Tuple` in
//! [`RowLock::queue_mode`] (so that the queue for the row is fair), then `LockTag::Transaction(x)` in
//! `Share` for each of the named transactions, releases these again as soon as it has them, and calls
//! the same function again; when that no longer says `Busy`, it releases the tuple lock.

mod cow;
mod ids;
mod lock;
mod row_lock;
mod transaction;
mod tuple;

use std::ops::Bound;

pub use ids::{CommandId, DatabaseId, IndexId, RelationId, RowId, Xid};
pub use lock::{Acquired, DeadlockCheck, DeadlockLink, LockMode, LockTag};
pub use row_lock::RowLock;
pub use transaction::{Snapshot, TransactionState};

use crate::{Lsn, SessionId, SqlError};

/// What storage refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageError {
    /// All transaction numbers are used up.
    XidsExhausted,
    /// More commands in one transaction than a tuple header can number.
    TooManyCommands,
    RowTooBig {
        size: usize,
        maximum: usize,
    },
    IndexKeyTooBig {
        size: usize,
        maximum: usize,
    },
    /// A relation has no page number left.
    RelationFull,
}

impl From<StorageError> for SqlError {
    fn from(error: StorageError) -> SqlError {
        let (sqlstate, message) = match error {
            StorageError::XidsExhausted => (
                "54000",
                "database is not accepting commands to avoid wraparound data loss".to_owned(),
            ),
            StorageError::TooManyCommands => (
                "54000",
                format!("cannot have more than {} commands in a transaction", CommandId::MAX.0),
            ),
            StorageError::RowTooBig { size, maximum } => {
                ("54000", format!("row is too big: size {size}, maximum size {maximum}"))
            }
            StorageError::IndexKeyTooBig { size, maximum } => {
                ("54000", format!("index row size {size} exceeds maximum {maximum}"))
            }
            StorageError::RelationFull => ("54000", "cannot extend relation: no page number is left".to_owned()),
        };
        SqlError {
            sqlstate,
            message,
            detail: None,
            hint: None,
            position: None,
        }
    }
}

/// What became of an attempt to change or lock a row version (PostgreSQL's `TM_Result`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowOutcome<T> {
    Done(T),
    /// Not there for this transaction at all: made by one that runs, aborted, or by this very command.
    Invisible,
    /// Changed or removed earlier by this transaction, in this command.
    SelfModified {
        command: CommandId,
    },
    /// A committed transaction replaced it by `next`; look there with [`Storage::fetch_successor`].
    Updated {
        next: RowId,
        by: Xid,
    },
    /// A committed transaction removed it.
    Deleted {
        by: Xid,
    },
    /// These running transactions hold it; see "Waiting for a row" above.
    Busy(Box<[Xid]>),
}

/// What an update changes, as far as storage must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Change {
    /// A column of a unique key that a foreign key could refer to: needs `RowLock::Update`, else
    /// `RowLock::NoKeyUpdate` is enough.
    pub key: bool,
    /// A column of any index: the new version needs index entries.
    pub indexed: bool,
}

/// Where an update put the new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Updated {
    pub row: RowId,
    /// Found through the old version's index entries; make no new ones.
    pub hot: bool,
}

/// Whether a key may be inserted into a unique index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unique {
    Free,
    /// A live row has the key.
    Taken(RowId),
    /// It depends on how this running transaction ends: wait for it and ask again.
    Wait(Xid),
}

/// The place of a sequential scan; plain data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeapCursor {
    relation: RelationId,
    page: u32,
    slot: u16,
    /// Pages that the relation had when the scan began; later ones hold nothing that it could see.
    end: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    #[default]
    Forward,
    Backward,
}

/// What recovery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Replayed {
    pub wal_bytes: u64,
    pub records: u64,
}

/// The place of an index scan; plain data. It holds the row ids of one leaf at a time and finds its
/// way back by key, so that it may rest for any time while others change the tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexCursor {
    index: IndexId,
    batch: Vec<RowId>,
    at: usize,
    upper: Bound<Vec<u8>>,
    direction: Direction,
}

impl IndexCursor {
    /// All entries between the bounds, in the direction's order.
    pub fn new(index: IndexId, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> IndexCursor {
        let _ = lower;
        IndexCursor {
            index,
            batch: Vec::new(),
            at: 0,
            upper: upper.map(<[u8]>::to_vec),
            direction,
        }
    }

    /// Index pages visited since the last call.
    pub fn take_pages(&mut self) -> u64 {
        0
    }
}

impl HeapCursor {
    /// Heap pages visited since the last call.
    pub fn take_pages(&mut self) -> u64 {
        0
    }
}

/// Everything that a server stores. See the module's text.
#[derive(Clone, Debug)]
pub struct Storage {
    transactions: transaction::Transactions,
}

/// First interface, simplest bodies.
#[allow(unused_variables, clippy::unused_self)]
impl Storage {
    pub fn new() -> Storage {
        Storage {
            transactions: transaction::Transactions::new(),
        }
    }

    // ---- Relations and indexes: transactional (gone when `xid` aborts; dropped when it commits) ----

    pub fn create_relation(&mut self, xid: Xid) -> RelationId {
        RelationId(1)
    }
    /// An empty index; the caller fills it from a scan (see [`Storage::scan_for_build`]).
    pub fn create_index(&mut self, xid: Xid, relation: RelationId) -> IndexId {
        IndexId(1)
    }
    /// With its indexes, at commit.
    pub fn drop_relation(&mut self, xid: Xid, relation: RelationId) {}
    pub fn drop_index(&mut self, xid: Xid, index: IndexId) {}
    /// Pages of the heap (for cost estimates and `pages_read`).
    pub fn page_count(&self, relation: RelationId) -> u32 {
        0
    }
    /// Live rows, estimated from what was written (planner's `reltuples`).
    pub fn row_estimate(&self, relation: RelationId) -> u64 {
        0
    }
    /// Levels of the tree above its leaves, plus one: pages that a probe reads.
    pub fn index_depth(&self, index: IndexId) -> u32 {
        1
    }

    // ---- Transactions ----

    /// A number for a top-level transaction of the session, at its first write.
    pub fn begin(&mut self, session: SessionId) -> Result<Xid, StorageError> {
        self.transactions.begin(session, None)
    }
    /// A number for a subtransaction (savepoint), at its first write. It holds until the top-level
    /// transaction ends, or `abort` takes it back; releasing a savepoint needs no call.
    pub fn begin_sub(&mut self, parent: Xid) -> Result<Xid, StorageError> {
        Err(StorageError::XidsExhausted)
    }
    /// What is committed now. Keeps old row versions alive for the session until
    /// [`Storage::release_snapshots`].
    pub fn snapshot(&mut self, session: SessionId, own: Option<Xid>, command: CommandId) -> Snapshot {
        Snapshot {
            xmin: Xid::FIRST,
            xmax: Xid::FIRST,
            running: std::sync::Arc::from([]),
            own,
            command,
        }
    }
    /// The session uses none of its snapshots any more (read committed: at the end of each statement;
    /// repeatable read: of the transaction). Harmless when it has none.
    pub fn release_snapshots(&mut self, session: SessionId) {}
    /// A snapshot for an observer outside of time: committed rows only; keeps nothing alive.
    pub fn observe(&self) -> Snapshot {
        Snapshot {
            xmin: Xid::FIRST,
            xmax: Xid::FIRST,
            running: std::sync::Arc::from([]),
            own: None,
            command: CommandId::FIRST,
        }
    }
    /// Writes the commit record of a top-level transaction and its live subtransactions. Nothing is
    /// visible yet, and `abort` is no longer possible.
    pub fn commit(&mut self, xid: Xid) -> Lsn {
        Lsn(0)
    }
    /// Makes it visible, ends the waiting of those who wait for `Transaction(xid)`.
    pub fn finish_commit(&mut self, xid: Xid) {}
    /// Rolls back a transaction, or a subtransaction with those inside it; ends the waiting for them.
    pub fn abort(&mut self, xid: Xid) {}
    pub fn transaction_state(&self, xid: Xid) -> TransactionState {
        self.transactions.state(xid)
    }
    /// The top-level transaction that a running (sub)transaction belongs to.
    pub fn top_level(&self, xid: Xid) -> Xid {
        self.transactions.top_of(xid)
    }
    pub fn session_of(&self, xid: Xid) -> Option<SessionId> {
        self.transactions.session_of(xid)
    }

    // ---- Rows ----

    pub fn insert(
        &mut self,
        relation: RelationId,
        data: &[u8],
        xid: Xid,
        command: CommandId,
    ) -> Result<RowId, StorageError> {
        Ok(RowId { page: 0, slot: 1 })
    }
    /// Bulk load outside of time: seen by everyone at once, not logged; call [`Storage::checkpoint_now`] after.
    pub fn insert_frozen(&mut self, relation: RelationId, data: &[u8]) -> Result<RowId, StorageError> {
        Ok(RowId { page: 0, slot: 1 })
    }
    /// The very version at `row`, if the snapshot sees it.
    pub fn fetch(&self, relation: RelationId, row: RowId, snapshot: &Snapshot) -> Option<&[u8]> {
        None
    }
    /// From an index entry's row id to the version of its chain that the snapshot sees.
    pub fn fetch_indexed(&self, relation: RelationId, root: RowId, snapshot: &Snapshot) -> Option<(RowId, &[u8])> {
        None
    }
    /// The version `row` whoever sees it, if it was made by `by` (the successor named by
    /// [`RowOutcome::Updated`]; `None` if it has been cleared away meanwhile: the row is gone).
    pub fn fetch_successor(&self, relation: RelationId, row: RowId, by: Xid) -> Option<&[u8]> {
        None
    }
    pub fn scan(&self, relation: RelationId) -> HeapCursor {
        HeapCursor {
            relation,
            page: 0,
            slot: 0,
            end: 0,
        }
    }
    /// The next version that the snapshot sees, in physical order.
    pub fn next_visible<'a>(&'a self, cursor: &mut HeapCursor, snapshot: &Snapshot) -> Option<(RowId, &'a [u8])> {
        None
    }
    /// For building an index: every version that some snapshot may still see, with the row id that an
    /// index entry must carry (the root of its chain) and the version's bytes.
    pub fn scan_for_build(&self, relation: RelationId, visit: &mut dyn FnMut(RowId, &[u8])) {}
    /// Replaces the version at `row`; `xid` is the (sub)transaction that writes.
    pub fn update(
        &mut self,
        relation: RelationId,
        row: RowId,
        data: &[u8],
        change: Change,
        xid: Xid,
        command: CommandId,
    ) -> Result<RowOutcome<Updated>, StorageError> {
        Ok(RowOutcome::Invisible)
    }
    pub fn delete(&mut self, relation: RelationId, row: RowId, xid: Xid, command: CommandId) -> RowOutcome<()> {
        RowOutcome::Invisible
    }
    /// Locks the version at `row` (and, for key share and share, newer versions that do not conflict).
    pub fn lock_row(
        &mut self,
        relation: RelationId,
        row: RowId,
        strength: RowLock,
        xid: Xid,
        command: CommandId,
    ) -> RowOutcome<()> {
        RowOutcome::Invisible
    }
    /// Clears away versions that nobody can see any more, with their index entries. Returns how many.
    pub fn vacuum(&mut self, relation: RelationId) -> u64 {
        0
    }
    /// Enough dead versions for a vacuum (PostgreSQL's autovacuum rule: 50 + 20 %).
    pub fn needs_vacuum(&self, relation: RelationId) -> bool {
        false
    }

    // ---- Indexes: keys are bytes whose order is the columns' order ----

    pub fn index_insert(&mut self, index: IndexId, key: &[u8], row: RowId) -> Result<(), StorageError> {
        Ok(())
    }
    /// All row ids with exactly this key, in row order, into the emptied `rows`. Several entries may
    /// lead to versions of one row; use [`Storage::fetch_indexed`] and re-check the key.
    pub fn index_lookup(&self, index: IndexId, key: &[u8], rows: &mut Vec<RowId>) {}
    pub fn index_next(&self, cursor: &mut IndexCursor) -> Option<RowId> {
        None
    }
    /// May (sub)transaction `xid` insert this key? Ask after the heap insert, before `index_insert`.
    /// `row` is the new row, never in its own way.
    pub fn unique_conflict(&self, index: IndexId, relation: RelationId, key: &[u8], row: RowId, xid: Xid) -> Unique {
        Unique::Free
    }

    // ---- Locks ----

    /// Asks for a lock for the rest of the session's transaction. Asking again for what it holds is granted.
    /// With `wait` false it is never queued but answered [`Acquired::Unavailable`].
    pub fn acquire(&mut self, session: SessionId, tag: LockTag, mode: LockMode, wait: bool) -> Acquired {
        Acquired::Granted
    }
    /// Gives back one lock before the end of the transaction. False if it was not held.
    pub fn release_lock(&mut self, session: SessionId, tag: LockTag, mode: LockMode) -> bool {
        true
    }
    /// Gives back all locks of the session and leaves the queue if it waits: end of transaction.
    pub fn release_locks(&mut self, session: SessionId) {}
    /// How many locks the session has taken so far; for [`Storage::release_locks_since`].
    pub fn lock_mark(&self, session: SessionId) -> usize {
        0
    }
    /// Gives back the locks taken since the mark: rollback to a savepoint.
    pub fn release_locks_since(&mut self, session: SessionId, mark: usize) {}
    /// Leaves the queue: cancelled, timed out, or the victim of a deadlock.
    pub fn cancel_wait(&mut self, session: SessionId) {}
    /// What the session waits for, in which mode, and the sessions that it waits for.
    pub fn waits_for(&self, session: SessionId) -> Option<(LockTag, LockMode, Vec<SessionId>)> {
        None
    }
    /// To be asked when a session has waited for `deadlock_timeout`.
    pub fn check_deadlock(&mut self, session: SessionId) -> DeadlockCheck {
        DeadlockCheck::None
    }
    /// The lines for [`Acquired::Deadlock`], right after it.
    pub fn deadlock_report(&self) -> &[DeadlockLink] {
        &[]
    }
    /// Sessions whose lock was granted since the last call, in order.
    pub fn drain_woken(&mut self, into: &mut Vec<SessionId>) {}

    // ---- Write-ahead log ----

    pub fn wal_position(&self) -> Lsn {
        Lsn(0)
    }
    pub fn flushed_position(&self) -> Lsn {
        Lsn(0)
    }
    pub fn flushed(&mut self, up_to: Lsn) {}
    /// Everything so far becomes durable without a flush by the caller: after a bulk load.
    pub fn checkpoint_now(&mut self) {}
    /// What was not flushed is gone, with all running transactions, snapshots and locks. Before
    /// [`Storage::recover`] nothing else may be called.
    pub fn crash(&mut self) {}
    /// Last checkpoint, then the flushed records after it.
    pub fn recover(&mut self) -> Replayed {
        Replayed::default()
    }
}

impl Default for Storage {
    fn default() -> Self {
        Storage::new()
    }
}

/// Everything that decides how the storage will answer. Left out: LSNs and what is already durable in the
/// WAL (only the records not yet flushed count), the checkpoint, caches.
impl std::hash::Hash for Storage {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.transactions.next().hash(state);
    }
}
