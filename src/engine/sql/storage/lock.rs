//! What can be locked, in which modes, and which modes exclude each other.

use std::fmt;

use super::ids::{DatabaseId, RelationId, RowId, Xid};
use crate::SessionId;

/// What a lock is on.
#[allow(
    dead_code,
    reason = "PostgreSQL's tags in full; speculative locks have no statement yet"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockTag {
    Relation {
        database: DatabaseId,
        relation: RelationId,
    },
    /// Taken by the one that waits for a row next, so that the queue for a row is fair.
    Tuple {
        database: DatabaseId,
        relation: RelationId,
        row: RowId,
    },
    /// Held exclusively by a running transaction; to wait for its end, ask for `Share`.
    Transaction(Xid),
    /// `pg_advisory_lock`: one 64-bit key (`class` high, `object` low, `kind` 1), or two 32-bit keys (`kind` 2).
    Advisory {
        database: DatabaseId,
        class: u32,
        object: u32,
        kind: u16,
    },
    /// An insertion by `ON CONFLICT` that may yet be taken back.
    SpeculativeToken {
        xid: Xid,
        token: u32,
    },
}

/// As PostgreSQL's deadlock report words it: `transaction 731`, `tuple (0,3) of relation 5 of database 1`.
impl fmt::Display for LockTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockTag::Relation { database, relation } => write!(f, "relation {} of database {}", relation.0, database.0),
            LockTag::Tuple {
                database,
                relation,
                row,
            } => {
                write!(f, "tuple {row} of relation {} of database {}", relation.0, database.0)
            }
            LockTag::Transaction(xid) => write!(f, "transaction {xid}"),
            LockTag::Advisory {
                database,
                class,
                object,
                kind,
            } => {
                write!(f, "advisory lock [{},{class},{object},{kind}]", database.0)
            }
            LockTag::SpeculativeToken { xid, token } => write!(f, "speculative token {token} of transaction {xid}"),
        }
    }
}

/// The eight modes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LockMode {
    AccessShare = 1,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl LockMode {
    pub(crate) fn numbered(number: u8) -> Option<LockMode> {
        LockMode::ALL.into_iter().find(|mode| *mode as u8 == number)
    }

    pub const ALL: [LockMode; 8] = [
        LockMode::AccessShare,
        LockMode::RowShare,
        LockMode::RowExclusive,
        LockMode::ShareUpdateExclusive,
        LockMode::Share,
        LockMode::ShareRowExclusive,
        LockMode::Exclusive,
        LockMode::AccessExclusive,
    ];

    /// The modes that exclude this one, one bit each.
    #[inline]
    pub(crate) fn conflicts(self) -> Modes {
        // Bit n is the mode numbered n.
        Modes(match self {
            LockMode::AccessShare => 0b1_0000_0000,
            LockMode::RowShare => 0b1_1000_0000,
            LockMode::RowExclusive => 0b1_1110_0000,
            LockMode::ShareUpdateExclusive => 0b1_1111_0000,
            LockMode::Share => 0b1_1101_1000,
            LockMode::ShareRowExclusive => 0b1_1111_1000,
            LockMode::Exclusive => 0b1_1111_1100,
            LockMode::AccessExclusive => 0b1_1111_1110,
        })
    }

    pub fn conflicts_with(self, other: LockMode) -> bool {
        self.conflicts().has(other)
    }

    /// `ShareLock`, as `pg_locks` and deadlock reports name it.
    pub fn name(self) -> &'static str {
        match self {
            LockMode::AccessShare => "AccessShareLock",
            LockMode::RowShare => "RowShareLock",
            LockMode::RowExclusive => "RowExclusiveLock",
            LockMode::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            LockMode::Share => "ShareLock",
            LockMode::ShareRowExclusive => "ShareRowExclusiveLock",
            LockMode::Exclusive => "ExclusiveLock",
            LockMode::AccessExclusive => "AccessExclusiveLock",
        }
    }
}

/// A set of modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Modes(pub(crate) u16);

impl Modes {
    pub(crate) const NONE: Modes = Modes(0);

    pub(crate) fn has(self, mode: LockMode) -> bool {
        self.0 >> (mode as u8) & 1 == 1
    }

    pub(crate) fn with(self, mode: LockMode) -> Modes {
        Modes(self.0 | 1 << (mode as u8))
    }

    pub(crate) fn without(self, mode: LockMode) -> Modes {
        Modes(self.0 & !(1 << (mode as u8)))
    }

    pub(crate) fn meets(self, other: Modes) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What asking for a lock came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acquired {
    Granted,
    /// Queued. The session is pushed to the woken ones when it holds the lock.
    Waits,
    /// It would have to wait, and was told not to.
    Unavailable,
    /// Not queued: to wait would be a deadlock that can be seen at once (both hold what the other
    /// wants on the same object). Report it with the lines of [`super::Storage::deadlock_report`].
    Deadlock,
}

/// A link of a circle of waiting sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeadlockLink {
    pub waiter: SessionId,
    pub mode: LockMode,
    pub tag: LockTag,
    pub blocker: SessionId,
}

/// `Process 7 waits for ShareLock on transaction 731; blocked by process 8.`
impl fmt::Display for DeadlockLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Process {} waits for {} on {}; blocked by process {}.",
            self.waiter.0,
            self.mode.name(),
            self.tag,
            self.blocker.0
        )
    }
}

/// What the deadlock check of a waiting session found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DeadlockCheck {
    /// It simply waits.
    None,
    /// It would have been one, but a queue could be reordered (the woken ones tell).
    Reordered,
    /// The session must give up: error 40P01 with these lines as its detail.
    Deadlock(Vec<DeadlockLink>),
}
