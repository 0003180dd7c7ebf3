//! Locks as callers see them.

use super::Storage;
use super::lock::{Acquired, DeadlockCheck, DeadlockLink, LockMode, LockTag};
use crate::SessionId;

impl Storage {
    /// Asks for a lock for the rest of the session's transaction. Asking again for what it holds is
    /// granted. With `wait` false it is never queued but answered [`Acquired::Unavailable`].
    ///
    /// `Share` on a transaction that has ended is granted at once.
    #[inline]
    pub fn acquire(&mut self, session: SessionId, tag: LockTag, mode: LockMode, wait: bool) -> Acquired {
        if let LockTag::Transaction(xid) = tag {
            match self.transactions.session_of(xid) {
                Some(holder) if holder != session => self.locks.hold_transaction(holder, xid),
                _ => return Acquired::Granted,
            }
        }
        self.locks.acquire(session, tag, mode, wait)
    }

    /// [`Storage::acquire`] for longer than a transaction: until it is given back as often as it was asked for, or the
    /// session ends. A session that has waited asks again.
    pub fn acquire_for_session(&mut self, session: SessionId, tag: LockTag, mode: LockMode, wait: bool) -> Acquired {
        self.locks.acquire_kept(session, tag, mode, wait)
    }

    /// Gives back, once, what was asked for so. False if the session does not hold it.
    pub fn release_for_session(&mut self, session: SessionId, tag: LockTag, mode: LockMode) -> bool {
        self.locks.release_kept(session, tag, mode)
    }

    pub fn release_all_for_session(&mut self, session: SessionId) {
        self.locks.release_all_kept(session);
    }

    /// Gives back one lock before the end of the transaction. False if it was not held.
    pub fn release_lock(&mut self, session: SessionId, tag: LockTag, mode: LockMode) -> bool {
        self.locks.release(session, tag, mode)
    }

    /// Gives back all locks of the session and leaves the queue if it waits: end of transaction.
    #[inline]
    pub fn release_locks(&mut self, session: SessionId) {
        self.locks.release_since(session, 0);
    }

    /// How many locks the session holds now; for [`Storage::release_locks_since`].
    pub fn lock_mark(&self, session: SessionId) -> usize {
        self.locks.mark(session)
    }

    /// Gives back the locks taken since the mark: rollback to a savepoint.
    pub fn release_locks_since(&mut self, session: SessionId, mark: usize) {
        self.locks.release_since(session, mark);
    }

    /// Leaves the queue: cancelled, timed out, or the victim of a deadlock.
    pub fn cancel_wait(&mut self, session: SessionId) {
        self.locks.cancel_wait(session);
    }

    /// The session has gone: forget it (its locks must have been released).
    pub fn forget_session(&mut self, session: SessionId) {
        self.release_locks(session);
        self.locks.release_all_kept(session);
        self.release_snapshots(session);
        self.locks.forget(session);
    }

    /// What the session waits for, in which mode, and the sessions that it waits for.
    pub fn waits_for(&self, session: SessionId) -> Option<(LockTag, LockMode, Vec<SessionId>)> {
        self.locks.waits_for(session)
    }

    /// To be asked when a session has waited for `deadlock_timeout`.
    pub fn check_deadlock(&mut self, session: SessionId) -> DeadlockCheck {
        self.locks.check_deadlock(session)
    }

    /// The lines for [`Acquired::Deadlock`], right after it.
    pub fn deadlock_report(&self) -> &[DeadlockLink] {
        &self.locks.report
    }

    /// Sessions whose lock was granted since the last call, in order.
    pub fn drain_woken(&mut self, into: &mut Vec<SessionId>) {
        self.locks.drain_woken(into);
    }
}
