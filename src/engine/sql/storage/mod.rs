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

//! ## Files
//!
//! `page` `tuple` `heap` rows in pages · `visibility` `transaction` `commit_log` `multixact` `holders`
//! who sees and who holds a version · `prepared` two-phase commit · `dml` `scan` `prune` writing, reading, clearing away · `btree`
//! `index` indexes · `lock` `lock_table` `deadlock` `locking` locks · `serializable` who read what, who must
//! come first · `wal` `recovery` durability · `objects` relations and indexes as wholes.

mod btree;
mod commit_log;
mod cow;
mod deadlock;
mod dml;
mod free_space;
mod hashed;
mod heap;
mod holders;
mod ids;
mod index;
mod lock;
mod lock_table;
mod locking;
mod long_rows;
mod multixact;
mod objects;
mod page;
mod prepared;
mod prune;
mod recovery;
mod row_lock;
mod scan;
mod serializable;
mod transaction;
mod transactions;
mod tuple;
mod visibility;
mod wal;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use btree::{Direction, IndexCursor, KeyOf};
pub use ids::{CommandId, DatabaseId, IndexId, RelationId, RowId, Xid};
pub use index::Unique;
pub use lock::{Acquired, DeadlockCheck, DeadlockLink, LockMode, LockTag};
pub use prepared::{Prepared, Preparing};
pub use row_lock::RowLock;
pub use scan::HeapCursor;
pub use serializable::{Safety, SerialId, SerializationFailure};
pub use transaction::Snapshot;

use crate::SqlError;

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
            circumstances: None,
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

/// Everything that a server stores. See the module's text.
#[derive(Clone, Debug)]
pub struct Storage {
    objects: objects::Objects,
    definitions: btree::Definitions,
    transactions: transaction::Transactions,
    multixacts: multixact::Multixacts,
    locks: lock_table::LockTable,
    serial: serializable::Serializables,
    /// Commit records written whose transactions are not yet visible.
    committing: Vec<recovery::Committing>,
    prepared: prepared::PreparedTransactions,
    /// What running transactions will drop when they commit.
    drops: Vec<(Xid, wal::Object)>,
    /// Heaps with so many dead versions that the next commit vacuums them.
    vacuum_due: Vec<RelationId>,
    wal: wal::Wal,
    checkpoint: Arc<recovery::Checkpoint>,
    /// Taken, but not valid before the WAL is flushed up to it.
    next_checkpoint: Option<Arc<recovery::Checkpoint>>,
}

impl Storage {
    pub fn new() -> Storage {
        Storage {
            objects: objects::Objects::new(),
            definitions: Default::default(),
            transactions: transaction::Transactions::new(),
            multixacts: multixact::Multixacts::new(),
            locks: lock_table::LockTable::default(),
            serial: Default::default(),
            committing: Vec::new(),
            prepared: Default::default(),
            drops: Vec::new(),
            vacuum_due: Vec::new(),
            wal: wal::Wal::new(),
            checkpoint: Arc::new(recovery::Checkpoint::empty()),
            next_checkpoint: None,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Storage::new()
    }
}

/// Everything that decides how the storage will answer: pages, index entries, transactions and their
/// snapshots, multixacts, locks and queues, and the WAL records that a crash would lose. Left out: LSNs, WAL
/// that is durable already, the checkpoint (they decide only how long a recovery takes), definitions of indexes (an index
/// never has another one), caches.
impl Hash for Storage {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.objects.hash(state);
        self.transactions.hash(state);
        self.multixacts.hash(state);
        self.locks.hash(state);
        self.serial.hash(state);
        self.committing.hash(state);
        self.prepared.hash(state);
        self.drops.hash(state);
        self.vacuum_due.hash(state);
        self.wal.hash_unflushed(state);
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod lock_tests;
