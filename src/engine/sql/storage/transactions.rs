//! The life of a transaction, as callers see it.

use super::ids::{CommandId, Xid};
use super::recovery::Committing;
use super::transaction::Snapshot;
use super::wal::Record;
use super::{Storage, StorageError};
use crate::{Lsn, SessionId};

impl Storage {
    /// A number for a top-level transaction of the session, at its first write.
    pub fn begin(&mut self, session: SessionId) -> Result<Xid, StorageError> {
        self.transactions.begin(session, None)
    }

    /// A number for a subtransaction (savepoint), at its first write. It holds until the top-level
    /// transaction ends, or `abort` takes it back; releasing a savepoint needs no call.
    pub fn begin_sub(&mut self, parent: Xid) -> Result<Xid, StorageError> {
        let session = self.transactions.session_of(parent).unwrap_or(SessionId(0));
        self.transactions.begin(session, Some(parent))
    }

    /// What is committed now. Keeps old row versions alive for the session until
    /// [`Storage::release_snapshots`].
    #[inline]
    pub fn snapshot(&mut self, session: SessionId, own: Option<Xid>, command: CommandId) -> Snapshot {
        self.transactions.snapshot(session, own, command)
    }

    /// The session uses none of its snapshots any more (read committed: at the end of each statement;
    /// repeatable read: of the transaction). Harmless when it has none.
    #[inline]
    pub fn release_snapshots(&mut self, session: SessionId) {
        self.transactions.release_snapshots(session);
    }

    /// A snapshot for an observer outside of time: committed rows only; keeps nothing alive.
    #[cfg(test)]
    pub fn observe(&self) -> Snapshot {
        self.transactions.observe()
    }

    /// Writes the commit record of a top-level transaction and its live subtransactions; the position up
    /// to which the WAL must be flushed. Nothing is visible yet; `abort` is no longer possible.
    pub fn commit(&mut self, xid: Xid) -> Lsn {
        let subtransactions: Vec<Xid> = self.transactions.subtransactions(xid).collect();
        let mut dropped = Vec::new();
        self.drops.retain(|&(by, object)| {
            let mine = by == xid || subtransactions.contains(&by);
            if mine {
                dropped.push(object);
            }
            !mine
        });
        let lsn = self.wal.append(
            xid,
            &Record::Commit {
                subtransactions: subtransactions.clone(),
                dropped: dropped.clone(),
            },
        );
        self.committing.push(Committing {
            xid,
            subtransactions,
            dropped,
        });
        lsn
    }

    /// Whether its commit will drop something: that is flushed before anything is gone.
    pub fn drops(&self, xid: Xid) -> bool {
        let own = |by: Xid| by == xid || self.transactions.top_of(by) == xid;
        self.drops.iter().any(|(by, _)| own(*by))
    }

    /// Makes it visible and ends the waiting of those who wait for `Transaction(xid)`.
    pub fn finish_commit(&mut self, xid: Xid) {
        let Some(at) = self.committing.iter().position(|one| one.xid == xid) else {
            return;
        };
        let committing = self.committing.remove(at);
        committing.apply(&mut self.transactions.log, &mut self.objects);
        self.end(xid);
        self.vacuum_what_is_due();
    }

    /// Rolls back a transaction, or a subtransaction with those inside it; ends the waiting for them.
    pub fn abort(&mut self, xid: Xid) {
        if self.committing.iter().any(|one| one.xid == xid) {
            return;
        }
        self.forget_preparing(xid);
        let ended = self.roll_back(xid);
        if let Some((_, subtransactions)) = ended.split_first() {
            self.wal.append(
                xid,
                &Record::Abort {
                    subtransactions: subtransactions.to_vec(),
                },
            );
        }
    }

    /// A rollback without its record. The ended ones.
    pub(crate) fn roll_back(&mut self, xid: Xid) -> Vec<Xid> {
        let ended = self.end(xid);
        for &one in &ended {
            self.objects.drop_created(one);
        }
        self.drops.retain(|(by, _)| !ended.contains(by));
        ended
    }

    /// No longer among the running ones.
    fn end(&mut self, xid: Xid) -> Vec<Xid> {
        let Some(session) = self.transactions.session_of(xid) else {
            return Vec::new();
        };
        let ended = self.transactions.remove(xid);
        for &one in &ended {
            self.locks.end_transaction(session, one);
        }
        ended
    }
}
