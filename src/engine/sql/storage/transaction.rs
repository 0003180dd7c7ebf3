//! Which transactions run, which have committed, and what a snapshot may see of them.

use std::sync::Arc;

use super::StorageError;
use super::ids::{CommandId, Xid};
use crate::SessionId;

/// What has become of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionState {
    Running,
    Committed,
    /// Rolled back, or lost in a crash.
    Aborted,
}

/// Which transactions' effects are seen: those that had ended before `xmax` and are not in
/// `running`, and the earlier commands of the transaction `own` with its subtransactions.
///
/// A session updates `own` when its transaction gets a number after the snapshot was taken, and
/// `command` from statement to statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// All transactions before this one had ended.
    pub xmin: Xid,
    /// This one and all later ones had not.
    pub xmax: Xid,
    /// Those between that had not ended, ascending.
    pub running: Arc<[Xid]>,
    /// The top-level transaction that looks, if it has a number.
    pub own: Option<Xid>,
    /// Sees its own commands before this one.
    pub command: CommandId,
}

impl Snapshot {
    /// Had `xid` not ended when the snapshot was taken?
    #[inline]
    pub fn is_running(&self, xid: Xid) -> bool {
        xid >= self.xmin && (xid >= self.xmax || self.running.binary_search(&xid).is_ok())
    }
}

/// A transaction or subtransaction that has not ended.
#[derive(Clone, Debug, Hash)]
struct Running {
    xid: Xid,
    /// The top-level transaction; itself for one.
    top: Xid,
    /// The enclosing (sub)transaction; itself for a top-level one.
    parent: Xid,
    session: SessionId,
    /// Aborted subtransactions leave; committed ones stay until the top ends.
    combos: Vec<(CommandId, CommandId)>,
}

/// The commit log and the list of those who run.
#[derive(Clone, Debug)]
pub(crate) struct Transactions {
    next: Xid,
    /// One bit per transaction: committed.
    log: super::cow::CowVec<u64>,
    /// Ascending by number.
    running: Vec<Running>,
    /// `running`'s numbers, for snapshots; rebuilt when somebody began or ended.
    running_shared: Option<Arc<[Xid]>>,
    nobody: Arc<[Xid]>,
    /// The oldest number that each session's snapshots still need.
    needed: Vec<(SessionId, Xid)>,
}

impl Transactions {
    pub(crate) fn new() -> Transactions {
        Transactions {
            next: Xid::FIRST,
            log: super::cow::CowVec::new(),
            running: Vec::new(),
            running_shared: None,
            nobody: Arc::from([]),
            needed: Vec::new(),
        }
    }

    pub(crate) fn next(&self) -> Xid {
        self.next
    }

    pub(crate) fn begin(&mut self, session: SessionId, parent: Option<Xid>) -> Result<Xid, StorageError> {
        let xid = self.next;
        self.next = Xid(xid.0.checked_add(1).ok_or(StorageError::XidsExhausted)?);
        while self.log.len() * 64 <= xid.0 as usize {
            self.log.push(0);
        }
        let top = parent.map_or(xid, |parent| self.top_of(parent));
        self.running.push(Running {
            xid,
            top,
            parent: parent.unwrap_or(xid),
            session,
            combos: Vec::new(),
        });
        self.running_shared = None;
        Ok(xid)
    }

    fn running(&self, xid: Xid) -> Option<&Running> {
        let at = self.running.binary_search_by_key(&xid, |one| one.xid).ok()?;
        self.running.get(at)
    }

    pub(crate) fn is_running(&self, xid: Xid) -> bool {
        self.running(xid).is_some()
    }

    pub(crate) fn session_of(&self, xid: Xid) -> Option<SessionId> {
        self.running(xid).map(|one| one.session)
    }

    /// The top-level transaction of a running one; itself otherwise.
    pub(crate) fn top_of(&self, xid: Xid) -> Xid {
        self.running(xid).map_or(xid, |one| one.top)
    }

    /// Is `xid` the transaction `top` or a subtransaction of it that has not been rolled back?
    #[inline]
    pub(crate) fn is_part_of(&self, xid: Xid, top: Option<Xid>) -> bool {
        top.is_some_and(|top| xid == top || (xid > top && self.running(xid).is_some_and(|one| one.top == top)))
    }

    #[inline]
    pub(crate) fn is_committed(&self, xid: Xid) -> bool {
        xid == Xid::FROZEN
            || self
                .log
                .get(xid.0 as usize / 64)
                .is_some_and(|bits| bits >> (xid.0 % 64) & 1 == 1)
    }

    pub(crate) fn state(&self, xid: Xid) -> TransactionState {
        if self.is_committed(xid) {
            TransactionState::Committed
        } else if self.is_running(xid) {
            TransactionState::Running
        } else {
            TransactionState::Aborted
        }
    }
}
