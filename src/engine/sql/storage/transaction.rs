//! Which transactions run, and what a snapshot may see of those that have ended.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::StorageError;
use super::commit_log::CommitLog;
use super::ids::{CommandId, Xid};
use crate::SessionId;

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

/// A transaction or subtransaction that has not ended. Released savepoints stay until the top-level
/// transaction ends; rolled back ones leave.
#[derive(Clone, Debug, Hash)]
struct Running {
    xid: Xid,
    /// The top-level transaction; itself for one.
    top: Xid,
    /// The enclosing (sub)transaction; itself for a top-level one.
    parent: Xid,
    session: SessionId,
    /// Of a top-level transaction: pairs of commands that made and removed the same version.
    combos: Vec<(CommandId, CommandId)>,
}

/// The list of those who run, and the commit log for the others.
#[derive(Clone, Debug)]
pub(crate) struct Transactions {
    pub(crate) next: Xid,
    pub(crate) log: CommitLog,
    /// Ascending by number.
    running: Vec<Running>,
    /// The numbers of `running`, shared by snapshots; made anew when somebody began or ended.
    shared: Option<Arc<[Xid]>>,
    nobody: Arc<[Xid]>,
    /// The oldest number that each session's snapshots still need, in no order.
    needed: Vec<(SessionId, Xid)>,
}

impl Transactions {
    pub(crate) fn new() -> Transactions {
        Transactions {
            next: Xid::FIRST,
            log: CommitLog::new(),
            running: Vec::new(),
            shared: None,
            nobody: Arc::from([]),
            needed: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self, session: SessionId, parent: Option<Xid>) -> Result<Xid, StorageError> {
        let xid = self.next;
        self.next = Xid(xid.0.checked_add(1).ok_or(StorageError::XidsExhausted)?);
        let top = parent.map_or(xid, |parent| self.top_of(parent));
        self.running.push(Running {
            xid,
            top,
            parent: parent.unwrap_or(xid),
            session,
            combos: Vec::new(),
        });
        self.shared = None;
        Ok(xid)
    }

    /// A transaction of the log: its number is never given again.
    pub(crate) fn note_number(&mut self, xid: Xid) {
        self.next = self.next.max(Xid(xid.0.saturating_add(1)));
    }

    #[inline]
    fn running(&self, xid: Xid) -> Option<&Running> {
        let at = self.running.binary_search_by_key(&xid, |one| one.xid).ok()?;
        self.running.get(at)
    }

    #[inline]
    pub(crate) fn is_running(&self, xid: Xid) -> bool {
        self.running(xid).is_some()
    }

    pub(crate) fn session_of(&self, xid: Xid) -> Option<SessionId> {
        self.running(xid).map(|one| one.session)
    }

    /// The top-level transaction of a running one; itself otherwise.
    #[inline]
    pub(crate) fn top_of(&self, xid: Xid) -> Xid {
        self.running(xid).map_or(xid, |one| one.top)
    }

    /// Is `xid` the top-level transaction `top`, or a subtransaction of it that was not rolled back?
    #[inline]
    pub(crate) fn is_part_of(&self, xid: Xid, top: Option<Xid>) -> bool {
        top.is_some_and(|top| xid == top || (xid > top && self.running(xid).is_some_and(|one| one.top == top)))
    }

    #[inline]
    pub(crate) fn is_committed(&self, xid: Xid) -> bool {
        self.log.is_committed(xid)
    }

    /// The live subtransactions of a top-level one.
    pub(crate) fn subtransactions(&self, top: Xid) -> impl Iterator<Item = Xid> + '_ {
        self.running
            .iter()
            .filter(move |one| one.top == top && one.xid != top)
            .map(|one| one.xid)
    }

    /// A top-level transaction and what is inside it now belongs to another session.
    pub(crate) fn hand_over(&mut self, top: Xid, session: SessionId) {
        for one in self.running.iter_mut().filter(|one| one.top == top) {
            one.session = session;
        }
    }

    /// A transaction that a crash has not ended.
    pub(crate) fn revive(&mut self, top: Xid, subtransactions: &[Xid], session: SessionId) {
        for &xid in subtransactions.iter().chain([&top]) {
            self.note_number(xid);
            self.running.push(Running {
                xid,
                top,
                parent: top,
                session,
                combos: Vec::new(),
            });
        }
        self.running.sort_unstable_by_key(|one| one.xid);
        self.shared = None;
    }

    /// Ends `xid` and what is inside it; the ended ones, ascending.
    pub(crate) fn remove(&mut self, xid: Xid) -> Vec<Xid> {
        let mut ended = Vec::new();
        self.shared = None;
        // A subtransaction's number is greater than its parent's: one pass sees parents first.
        self.running.retain(|one| {
            let ends = one.xid == xid || ended.contains(&one.parent);
            if ends {
                ended.push(one.xid);
            }
            !ends
        });
        ended
    }

    pub(crate) fn snapshot(&mut self, session: SessionId, own: Option<Xid>, command: CommandId) -> Snapshot {
        let running = match &self.shared {
            Some(running) => running.clone(),
            None if self.running.is_empty() => self.nobody.clone(),
            None => {
                let running: Arc<[Xid]> = self.running.iter().map(|one| one.xid).collect();
                self.shared = Some(running.clone());
                running
            }
        };
        let xmin = running.first().copied().unwrap_or(self.next);
        if !self.needed.iter().any(|&(of, _)| of == session) {
            self.needed.push((session, xmin));
        }
        Snapshot {
            xmin,
            xmax: self.next,
            running,
            own,
            command,
        }
    }

    pub(crate) fn release_snapshots(&mut self, session: SessionId) {
        if let Some(at) = self.needed.iter().position(|&(of, _)| of == session) {
            self.needed.swap_remove(at);
        }
    }

    #[cfg(test)]
    pub(crate) fn observe(&self) -> Snapshot {
        let running: Arc<[Xid]> = self.running.iter().map(|one| one.xid).collect();
        let xmin = running.first().copied().unwrap_or(self.next);
        Snapshot {
            xmin,
            xmax: self.next,
            running,
            own: None,
            command: CommandId::FIRST,
        }
    }

    /// What was removed by a transaction before this one is seen by nobody, now or later.
    pub(crate) fn horizon(&self) -> Xid {
        let oldest = self.running.first().map_or(self.next, |one| one.xid);
        self.needed.iter().fold(oldest, |oldest, &(_, xid)| oldest.min(xid))
    }

    /// The command that made a version and the one that removed it, from a pair's number.
    pub(crate) fn combo(&self, top: Xid, number: CommandId) -> Option<(CommandId, CommandId)> {
        self.running(top)?.combos.get(number.0 as usize).copied()
    }

    /// A number for the pair, the same for an equal pair.
    pub(crate) fn make_combo(&mut self, top: Xid, pair: (CommandId, CommandId)) -> Result<CommandId, StorageError> {
        let at = self.running.binary_search_by_key(&top, |one| one.xid).ok();
        let Some(one) = at.and_then(|at| self.running.get_mut(at)) else {
            return Ok(pair.1);
        };
        let number = match one.combos.iter().rposition(|&known| known == pair) {
            Some(number) => number,
            None => {
                one.combos.push(pair);
                one.combos.len() - 1
            }
        };
        let number = u32::try_from(number).map_err(|_| StorageError::TooManyCommands)?;
        if number > CommandId::MAX.0 {
            return Err(StorageError::TooManyCommands);
        }
        Ok(CommandId(number))
    }
}

/// Without the caches; `needed` in the order of sessions.
impl Hash for Transactions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.next.hash(state);
        self.log.hash(state);
        self.running.hash(state);
        let mut needed = self.needed.clone();
        needed.sort_unstable();
        needed.hash(state);
    }
}
