//! Names of things inside the storage: all plain numbers, so that a state can be copied and hashed.

use std::fmt;

/// A transaction's number, shared by all databases of a server. Grows by one per transaction that
/// writes; never wraps (see [`super::StorageError::XidsExhausted`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid(pub u32);

impl Xid {
    /// No transaction: an `xmax` that is not set.
    pub const NONE: Xid = Xid(0);
    /// Older than everything: rows that every snapshot sees (bulk load).
    pub const FROZEN: Xid = Xid(2);
    /// The first number that a transaction gets.
    pub const FIRST: Xid = Xid(3);
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a command in its transaction: a command sees what earlier commands of its own
/// transaction wrote, not what it writes itself. Fits 20 bits ([`CommandId::MAX`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u32);

impl CommandId {
    pub const FIRST: CommandId = CommandId(0);
    /// 20 bits of the tuple header are a command's; a transaction with more commands is refused.
    pub const MAX: CommandId = CommandId((1 << 20) - 1);
}

/// A database of the server; only lock tags need to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseId(pub u32);

/// A heap, unique in the whole server; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationId(pub u32);

/// A B-tree, unique in the whole server; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexId(pub u32);

/// Where a row version lies: PostgreSQL's `ctid`. Slots count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    pub page: u32,
    pub slot: u16,
}

impl RowId {
    /// Pages are numbered with 22 bits (32 GiB a heap), slots with 10.
    pub const MAX_PAGE: u32 = (1 << 22) - 1;
    /// As a version's successor: the row went to another relation. No page has so many slots.
    pub(crate) const ELSEWHERE: RowId = RowId {
        page: RowId::MAX_PAGE,
        slot: 0x3ff,
    };

    /// Four bytes in tuple headers and index leaves.
    pub(crate) fn pack(self) -> u32 {
        self.page << 10 | u32::from(self.slot)
    }

    pub(crate) fn unpack(packed: u32) -> RowId {
        RowId {
            page: packed >> 10,
            slot: (packed & 0x3ff) as u16,
        }
    }
}

/// `(0,3)`, as PostgreSQL prints a tid.
impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.page, self.slot)
    }
}
