//! The sixteen bytes before a row version's data.
//!
//! ```text
//! 0      4      8          12                    16
//! │ xmin │ xmax │ next rid │ flags:12 command:20 │ data …
//! ```
//!
//! `xmin` made the version, `xmax` deleted, replaced or locked it (a transaction, or a multixact of
//! several). `next` is the version that replaced it, or itself. `command` is the command of `xmin`
//! that made it, or of `xmax` that removed it, or (`COMBO`) both, by an entry in the transaction's
//! list of pairs. The flags are PostgreSQL's infomask bits.

use super::ids::{CommandId, RowId, Xid};

/// Size of the header in bytes.
pub(crate) const HEADER: usize = 16;

/// Flag bits of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Flags(pub(crate) u16);

impl Flags {
    pub(crate) const XMIN_COMMITTED: u16 = 1 << 0;
    pub(crate) const XMIN_ABORTED: u16 = 1 << 1;
    pub(crate) const XMAX_COMMITTED: u16 = 1 << 2;
    /// `xmax` is not set, or its transaction aborted.
    pub(crate) const XMAX_INVALID: u16 = 1 << 3;
    /// `xmax` is a multixact.
    pub(crate) const XMAX_MULTI: u16 = 1 << 4;
    /// `xmax` only locks.
    pub(crate) const XMAX_LOCK_ONLY: u16 = 1 << 5;
    /// Locked for key share; together with `XMAX_EXCLUSIVE`: for share.
    pub(crate) const XMAX_KEY_SHARE: u16 = 1 << 6;
    pub(crate) const XMAX_EXCLUSIVE: u16 = 1 << 7;
    /// `xmax` deleted the row or changed a key column, or locks for update.
    pub(crate) const KEYS_UPDATED: u16 = 1 << 8;
    /// Replaced by a version on the same page that has no index entry of its own.
    pub(crate) const HOT_UPDATED: u16 = 1 << 9;
    /// Has no index entry: reached from its chain's root only.
    pub(crate) const HEAP_ONLY: u16 = 1 << 10;
    /// `command` numbers a pair of commands.
    pub(crate) const COMBO: u16 = 1 << 11;

    pub(crate) const LOCK_BITS: u16 = Self::XMAX_KEY_SHARE | Self::XMAX_EXCLUSIVE;
    /// Everything that describes `xmax`.
    pub(crate) const XMAX_BITS: u16 = Self::XMAX_COMMITTED
        | Self::XMAX_INVALID
        | Self::XMAX_MULTI
        | Self::XMAX_LOCK_ONLY
        | Self::LOCK_BITS
        | Self::KEYS_UPDATED;

    pub(crate) fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    pub(crate) fn set(&mut self, bits: u16) {
        self.0 |= bits;
    }

    pub(crate) fn clear(&mut self, bits: u16) {
        self.0 &= !bits;
    }
}

/// A decoded tuple header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TupleHeader {
    pub(crate) xmin: Xid,
    /// A transaction or, with `XMAX_MULTI`, a multixact.
    pub(crate) xmax: Xid,
    pub(crate) next: RowId,
    pub(crate) command: CommandId,
    pub(crate) flags: Flags,
}

impl TupleHeader {
    pub(crate) fn read(bytes: &[u8]) -> TupleHeader {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let last = word(12);
        TupleHeader {
            xmin: Xid(word(0)),
            xmax: Xid(word(4)),
            next: RowId::unpack(word(8)),
            command: CommandId(last & 0xf_ffff),
            flags: Flags((last >> 20) as u16),
        }
    }

    /// Is `xmax` not set, and the version at the beginning of its chain?
    #[inline]
    pub(crate) fn is_untouched(bytes: &[u8]) -> bool {
        let flags = Flags(u16::from_le_bytes([bytes[14], bytes[15]]) >> 4);
        flags.0 & (Flags::XMAX_INVALID | Flags::HEAP_ONLY | Flags::XMIN_COMMITTED)
            == Flags::XMAX_INVALID | Flags::XMIN_COMMITTED
    }

    pub(crate) fn write(&self, bytes: &mut [u8]) {
        bytes[0..4].copy_from_slice(&self.xmin.0.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.xmax.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.next.pack().to_le_bytes());
        let last = u32::from(self.flags.0) << 20 | self.command.0;
        bytes[12..16].copy_from_slice(&last.to_le_bytes());
    }
}
