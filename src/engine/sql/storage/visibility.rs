//! Who sees which row version.

use super::ids::{CommandId, RowId, Xid};
use super::multixact::Multixacts;
use super::transaction::{Snapshot, Transactions};
use super::tuple::{Flags, TupleHeader};

/// What has to be known to judge a version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visibility<'a> {
    pub(crate) transactions: &'a Transactions,
    pub(crate) multixacts: &'a Multixacts,
}

/// Whether a version may be cleared away (PostgreSQL's `HTSV_Result`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    /// Nobody sees it, now or later.
    Dead,
    /// Removed, but a snapshot may still need it.
    RecentlyDead,
    /// Seen, or may come to be seen.
    Live,
}

/// What a writer meets (PostgreSQL's `HeapTupleSatisfiesUpdate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writable {
    Free,
    Invisible,
    SelfModified(CommandId),
    Updated(Xid),
    Deleted(Xid),
    /// Somebody that runs (perhaps the writer itself) holds it by `xmax`.
    Held,
}

impl Visibility<'_> {
    /// The transaction that replaced or removed the version, if `xmax` says so.
    #[inline]
    pub(crate) fn writer(&self, header: &TupleHeader) -> Option<Xid> {
        if header.flags.has(Flags::XMAX_INVALID | Flags::XMAX_LOCK_ONLY) {
            None
        } else if header.flags.has(Flags::XMAX_MULTI) {
            self.multixacts.writer(header.xmax)
        } else {
            Some(header.xmax)
        }
    }

    pub(crate) fn made_by_command(&self, header: &TupleHeader, top: Xid) -> CommandId {
        if header.flags.has(Flags::COMBO) {
            return self
                .transactions
                .combo(top, header.command)
                .map_or(CommandId::FIRST, |pair| pair.0);
        }
        header.command
    }

    fn removed_by_command(&self, header: &TupleHeader, top: Xid) -> CommandId {
        if header.flags.has(Flags::COMBO) {
            return self
                .transactions
                .combo(top, header.command)
                .map_or(CommandId::FIRST, |pair| pair.1);
        }
        header.command
    }

    /// Does the snapshot see this version?
    #[inline]
    pub(crate) fn sees(&self, snapshot: &Snapshot, header: &TupleHeader) -> bool {
        self.sees_insertion(snapshot, header) && !self.sees_removal(snapshot, header)
    }

    #[inline]
    fn sees_insertion(&self, snapshot: &Snapshot, header: &TupleHeader) -> bool {
        let xmin = header.xmin;
        if header.flags.has(Flags::XMIN_COMMITTED) {
            return !snapshot.is_running(xmin);
        }
        if header.flags.has(Flags::XMIN_ABORTED) {
            return false;
        }
        if let Some(own) = snapshot.own
            && self.transactions.is_part_of(xmin, Some(own))
        {
            return self.made_by_command(header, own) < snapshot.command;
        }
        !snapshot.is_running(xmin) && self.transactions.is_committed(xmin)
    }

    #[inline]
    fn sees_removal(&self, snapshot: &Snapshot, header: &TupleHeader) -> bool {
        let Some(xmax) = self.writer(header) else { return false };
        if let Some(own) = snapshot.own
            && self.transactions.is_part_of(xmax, Some(own))
        {
            return self.removed_by_command(header, own) < snapshot.command;
        }
        !snapshot.is_running(xmax) && self.transactions.is_committed(xmax)
    }

    /// Who wrote what the snapshot does not see of this version: its making, or its end. Of those only that may
    /// run beside the snapshot's transaction.
    pub(crate) fn unseen_writer(&self, header: &TupleHeader, seen: bool, snapshot: &Snapshot) -> Option<Xid> {
        let transactions = self.transactions;
        let maker = header.xmin;
        let made = header.flags.has(Flags::XMIN_COMMITTED) || maker == Xid::FROZEN || transactions.is_committed(maker);
        if !made && !transactions.is_running(maker) {
            return None;
        }
        let ender = self
            .writer(header)
            .filter(|&writer| transactions.is_running(writer) || transactions.is_committed(writer));
        let writer = match ender {
            Some(ender) if made && ender < snapshot.xmin && transactions.is_committed(ender) => return None,
            Some(ender) if seen && made => ender,
            None if seen => return None,
            _ => maker,
        };
        (writer >= snapshot.xmin && !transactions.is_part_of(writer, snapshot.own)).then_some(writer)
    }

    /// May transaction `top`, in `command`, change or lock the version at `row`?
    pub(crate) fn writable(&self, header: &TupleHeader, row: RowId, top: Xid, command: CommandId) -> Writable {
        let transactions = self.transactions;
        let flags = header.flags;
        if !flags.has(Flags::XMIN_COMMITTED) && header.xmin != Xid::FROZEN {
            if transactions.is_part_of(header.xmin, Some(top)) {
                if self.made_by_command(header, top) >= command {
                    return Writable::Invisible;
                }
            } else if !transactions.is_committed(header.xmin) {
                return Writable::Invisible;
            }
        }
        if flags.has(Flags::XMAX_INVALID) {
            return Writable::Free;
        }
        let writer = self.writer(header);
        if let Some(writer) = writer
            && transactions.is_part_of(writer, Some(top))
        {
            let removed = self.removed_by_command(header, top);
            return if removed >= command {
                Writable::SelfModified(removed)
            } else {
                Writable::Invisible
            };
        }
        let held = if flags.has(Flags::XMAX_MULTI) {
            self.multixacts.is_running(header.xmax, transactions)
        } else {
            transactions.is_running(header.xmax)
        };
        if held {
            return Writable::Held;
        }
        self.overwritten(header, row).unwrap_or(Writable::Free)
    }

    /// Whether a committed transaction replaced or removed it.
    pub(crate) fn overwritten(&self, header: &TupleHeader, row: RowId) -> Option<Writable> {
        let by = self
            .writer(header)
            .filter(|&writer| self.transactions.is_committed(writer))?;
        Some(if header.next != row && header.next != RowId::ELSEWHERE {
            Writable::Updated(by)
        } else {
            Writable::Deleted(by)
        })
    }

    /// May the version be cleared away, when nobody needs what ended before `horizon`?
    pub(crate) fn remains(&self, header: &TupleHeader, horizon: Xid) -> Remains {
        let transactions = self.transactions;
        if !header.flags.has(Flags::XMIN_COMMITTED) && !transactions.is_committed(header.xmin) {
            return if transactions.is_running(header.xmin) {
                Remains::Live
            } else {
                Remains::Dead
            };
        }
        let Some(writer) = self.writer(header) else {
            return Remains::Live;
        };
        if !transactions.is_committed(writer) {
            return Remains::Live;
        }
        if writer < horizon {
            Remains::Dead
        } else {
            Remains::RecentlyDead
        }
    }
}
