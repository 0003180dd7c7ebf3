//! What a commit waits for beyond its own server's flush: a synchronous standby, which says how far it has come.

use crate::{Lsn, SessionId};

/// How far a standby has come with the WAL that it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progressed {
    /// Handed to its operating system.
    pub written: Lsn,
    pub flushed: Lsn,
    /// Seen by those who read there.
    pub applied: Lsn,
}

/// What a session's `synchronous_commit` asks of the standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asks {
    Written,
    Flushed,
    Applied,
}

/// As a primary knows its standby.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Replication {
    /// Commits wait for it (`synchronous_standby_names` is set).
    pub(crate) synchronous: bool,
    standby: Progressed,
    /// In the order in which they came.
    waiting: Vec<(SessionId, Lsn, Asks)>,
    woken: Vec<SessionId>,
}

impl Replication {
    /// True: a commit up to here need not wait, or no longer. Else the session is woken when that is so.
    pub(crate) fn reached(&mut self, session: SessionId, lsn: Lsn, asks: Asks) -> bool {
        let reached = !self.synchronous || self.position(asks) >= lsn;
        self.cancel_wait(session);
        if !reached {
            self.waiting.push((session, lsn, asks));
        }
        reached
    }

    fn position(&self, asks: Asks) -> Lsn {
        match asks {
            Asks::Written => self.standby.written,
            Asks::Flushed => self.standby.flushed,
            Asks::Applied => self.standby.applied,
        }
    }

    /// The standby has answered, or nobody waits for it any more.
    pub(crate) fn changed(&mut self, synchronous: bool, standby: Progressed) {
        self.synchronous = synchronous;
        self.standby = standby;
        let waiting = std::mem::take(&mut self.waiting);
        let (served, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(_, lsn, asks)| !synchronous || self.position(*asks) >= *lsn);
        self.waiting = rest;
        self.woken.extend(served.iter().map(|(session, ..)| *session));
    }

    pub(crate) fn cancel_wait(&mut self, session: SessionId) {
        self.waiting.retain(|(waiter, ..)| *waiter != session);
    }

    pub(crate) fn forget_waits(&mut self) {
        self.waiting.clear();
        self.woken.clear();
    }

    pub(crate) fn drain_woken(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.woken);
    }
}
