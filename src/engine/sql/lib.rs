//! The SQL engine: PostgreSQL's behaviour as a passive state machine.
//!
//! ```text
//!            ┌── session: transaction, portal (a running statement as data) ──┐
//! request ─▶ │  syntax tree ─bind→ plan ─▶ operators: Row|Done|Blocked|Fuel    │ ─▶ Progress
//!            └──────────┬──────────────────────────┬─────────────────────────┘
//!                 catalog (copied on write)   locks · heap pages · B-trees · commit log · WAL
//! ```
//!
//! **Architecture invariants.** No clock: `now` is an argument. No price and no latency: usage is
//! counted. No async, no callback, no restart: a running statement is plain data that is resumed at
//! the point where it stopped; a whole [`Server`] can be cloned, hashed, crashed and recovered.

mod bind;
mod catalog;
mod control;
mod database;
mod ddl;
mod deferred;
mod ending;
mod error;
mod evaluate;
mod exec;
mod expr;
mod key;
mod memory;
mod observer;
mod plan;
mod planning;
mod replication;
mod row;
mod running;
mod server;
mod session;
mod standby;
#[allow(unreachable_pub)]
mod storage;
mod system;
mod types;

use std::sync::Arc;

use base::{Row, Time, Type};

pub use evaluate::{EphemeralTable, Evaluation, evaluate};
pub use memory::TableMemory;
pub use observer::{Look, TableOutline};
pub use replication::Progressed;
pub use server::{Server, ServerConfig};
pub use standby::Standby;

/// A JSON document's text as `jsonb` keeps it; `None` if it is no document.
pub fn jsonb_text(text: &str) -> Option<Arc<str>> {
    let document = types::json::read(text).ok()?;
    Some(document.to_string().into())
}

/// A connection's number, never used twice in one server's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// A prepared statement's number in its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub u32);

/// Where a session is between statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    #[default]
    Idle,
    InTransaction,
    /// A statement has failed: only ROLLBACK (to a savepoint) is taken.
    Failed,
}

/// What bringing a crashed server back took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Recovery {
    pub wal_bytes_replayed: u64,
    pub records_replayed: u64,
}

/// A position in the WAL, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// What a step of a session came to.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Progress {
    /// The statement has ended, well or not.
    Done(Result<Output, SqlError>),
    /// It waits for a lock. The session is named among `Woken` when it may be resumed.
    Blocked(Blocker),
    /// A commit has been written to the WAL and waits to be flushed up to here. Locks and visibility
    /// change when the caller has called `Server::flushed` and resumes the session.
    Flush(Lsn),
    /// The fuel is used up; resume to go on.
    OutOfFuel,
}

/// What a session waits for, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Blocker {
    /// As a sentence names it: `transaction 731`, `tuple (0,3) of relation auth.users`.
    pub what: String,
    pub holders: Vec<SessionId>,
    /// Resume the session at this time even if nobody wakes it (deadlock check, lock_timeout).
    pub deadline: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Output {
    /// `SELECT 3`, `INSERT 0 1`, `BEGIN`.
    pub tag: Tag,
    pub columns: Arc<[OutputColumn]>,
    pub rows: Vec<Row>,
    pub notices: Vec<Notice>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutputColumn {
    pub name: Arc<str>,
    pub data_type: Type,
}

/// The command tag: the verb and, where PostgreSQL gives one, the number of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tag {
    pub verb: &'static str,
    pub rows: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// `NOTICE`, `WARNING`.
    pub severity: &'static str,
    pub message: String,
    pub detail: Option<String>,
}

/// A refusal as PostgreSQL words it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SqlError {
    pub sqlstate: &'static str,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Byte offset into the statement's text.
    pub position: Option<u32>,
    /// `None`: there is nothing to tell.
    pub circumstances: Option<Box<Circumstances>>,
}

/// What else there is to say of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Circumstances {
    /// What had been said before it came to that.
    pub notices: Vec<Notice>,
    /// In which functions it happened, the innermost first.
    pub context: Vec<String>,
}

/// Work counted since it was last taken. Times come from it, by a hardware profile, elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Statement texts parsed and planned.
    pub prepared: u64,
    pub rows_read: u64,
    pub rows_written: u64,
    pub index_probes: u64,
    pub pages_read: u64,
    pub wal_bytes: u64,
    /// Rows handed to the client.
    pub rows_returned: u64,
}
