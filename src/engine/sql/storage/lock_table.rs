//! Who holds which lock and who waits in which order.
//!
//! A weak lock on a relation that nobody has locked strongly is only noted with its session (the fast
//! path, as PostgreSQL's); it moves to the table when somebody asks for a strong one. The lock that a
//! running transaction has on itself is likewise made only when somebody waits for it.

use std::collections::BTreeMap;

use super::ids::Xid;
use super::lock::{Acquired, DeadlockLink, LockMode, LockTag, Modes};
use crate::SessionId;

/// One that waits in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Waiter {
    pub(super) session: SessionId,
    pub(super) mode: LockMode,
}

#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Lock {
    pub(super) holders: Vec<(SessionId, Modes)>,
    pub(super) queue: Vec<Waiter>,
}

impl Lock {
    fn held_by(&self, session: SessionId) -> Modes {
        self.holders
            .iter()
            .find(|(holder, _)| *holder == session)
            .map_or(Modes::NONE, |&(_, modes)| modes)
    }

    fn conflicts(&self, session: SessionId, mode: LockMode) -> bool {
        self.holders
            .iter()
            .any(|&(holder, modes)| holder != session && mode.conflicts().meets(modes))
    }

    fn grant(&mut self, session: SessionId, mode: LockMode) {
        match self.holders.iter_mut().find(|(holder, _)| *holder == session) {
            Some((_, modes)) => *modes = modes.with(mode),
            None => self.holders.push((session, Modes::NONE.with(mode))),
        }
    }

    fn revoke(&mut self, session: SessionId, mode: LockMode) {
        if let Some(at) = self.holders.iter().position(|(holder, _)| *holder == session) {
            let modes = self.holders[at].1.without(mode);
            if modes.is_empty() {
                self.holders.remove(at);
            } else {
                self.holders[at].1 = modes;
            }
        }
    }
}

/// A lock that a session holds for its transaction.
#[derive(Clone, Copy, Debug, Hash)]
struct Held {
    tag: LockTag,
    mode: LockMode,
    /// Not in the table.
    fast: bool,
}

#[derive(Clone, Debug, Default, Hash)]
struct Owner {
    /// In the order in which they were taken.
    held: Vec<Held>,
    /// Held until given back, whatever becomes of transactions; once for each time it was asked for.
    kept: Vec<(LockTag, LockMode)>,
    waits_for: Option<LockTag>,
    /// What it waits for is to be kept.
    keeps: bool,
    /// A lock to be kept that has come while it waited, and that it has not asked for again.
    arrived: Option<(LockTag, LockMode)>,
}

impl Owner {
    fn has(&self, tag: LockTag, mode: LockMode) -> bool {
        self.held.iter().any(|held| held.mode == mode && held.tag == tag) || self.kept.contains(&(tag, mode))
    }
}

/// See the module's text.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct LockTable {
    pub(super) locks: BTreeMap<LockTag, Lock>,
    owners: BTreeMap<SessionId, Owner>,
    woken: Vec<SessionId>,
    pub(super) report: Vec<DeadlockLink>,
}

fn is_weak(tag: LockTag, mode: LockMode) -> bool {
    matches!(tag, LockTag::Relation { .. }) && mode <= LockMode::RowExclusive
}

impl LockTable {
    pub(super) fn acquire(&mut self, session: SessionId, tag: LockTag, mode: LockMode, wait: bool) -> Acquired {
        let owner = self.owners.entry(session).or_default();
        if owner.held.iter().any(|held| held.mode == mode && held.tag == tag) {
            return Acquired::Granted;
        }
        if is_weak(tag, mode) && !self.locks.contains_key(&tag) {
            owner.held.push(Held { tag, mode, fast: true });
            return Acquired::Granted;
        }
        self.make_lock(tag);
        let Some(lock) = self.locks.get_mut(&tag) else {
            return Acquired::Granted;
        };
        let queued = lock.queue.iter().any(|waiter| mode.conflicts_with(waiter.mode));
        if !queued && !lock.conflicts(session, mode) {
            self.grant(session, tag, mode);
            return Acquired::Granted;
        }
        if !wait {
            self.drop_if_free(tag);
            return Acquired::Unavailable;
        }
        self.join_queue(session, tag, mode)
    }

    /// Asks for a lock that outlives transactions. Who has waited for it asks again when it has been granted.
    pub(super) fn acquire_kept(&mut self, session: SessionId, tag: LockTag, mode: LockMode, wait: bool) -> Acquired {
        let owner = self.owners.entry(session).or_default();
        if owner.arrived.take().is_some_and(|arrived| arrived == (tag, mode)) {
            return Acquired::Granted;
        }
        if owner.has(tag, mode) {
            owner.kept.push((tag, mode));
            return Acquired::Granted;
        }
        let acquired = self.acquire(session, tag, mode, wait);
        let owner = self.owners.entry(session).or_default();
        match acquired {
            Acquired::Granted => {
                owner.held.pop();
                owner.kept.push((tag, mode));
            }
            Acquired::Waits => owner.keeps = true,
            Acquired::Unavailable | Acquired::Deadlock => {}
        }
        acquired
    }

    /// Gives back a lock that was kept, once. False: it was not.
    pub(super) fn release_kept(&mut self, session: SessionId, tag: LockTag, mode: LockMode) -> bool {
        let Some(owner) = self.owners.get_mut(&session) else {
            return false;
        };
        let Some(at) = owner.kept.iter().rposition(|kept| *kept == (tag, mode)) else {
            return false;
        };
        owner.kept.remove(at);
        if !owner.has(tag, mode) {
            self.revoke(session, tag, mode);
        }
        true
    }

    pub(super) fn release_all_kept(&mut self, session: SessionId) {
        while let Some((tag, mode)) = self.owners.get(&session).and_then(|owner| owner.kept.last().copied()) {
            self.release_kept(session, tag, mode);
        }
    }

    /// Takes a place in the queue: before the first one that waits for what this session holds, else at
    /// the end.
    fn join_queue(&mut self, session: SessionId, tag: LockTag, mode: LockMode) -> Acquired {
        let Some(lock) = self.locks.get_mut(&tag) else {
            return Acquired::Granted;
        };
        let own = lock.held_by(session);
        let mut place = lock.queue.len();
        let mut ahead = Modes::NONE;
        for (at, waiter) in lock.queue.iter().enumerate() {
            if waiter.mode.conflicts().meets(own) {
                if mode.conflicts().meets(lock.held_by(waiter.session)) {
                    self.report = vec![
                        DeadlockLink {
                            waiter: session,
                            mode,
                            tag,
                            blocker: waiter.session,
                        },
                        DeadlockLink {
                            waiter: waiter.session,
                            mode: waiter.mode,
                            tag,
                            blocker: session,
                        },
                    ];
                    return Acquired::Deadlock;
                }
                if !mode.conflicts().meets(ahead) && !lock.conflicts(session, mode) {
                    self.grant(session, tag, mode);
                    return Acquired::Granted;
                }
                place = at;
                break;
            }
            ahead = ahead.with(waiter.mode);
        }
        lock.queue.insert(place, Waiter { session, mode });
        self.owners.entry(session).or_default().waits_for = Some(tag);
        Acquired::Waits
    }

    fn grant(&mut self, session: SessionId, tag: LockTag, mode: LockMode) {
        if let Some(lock) = self.locks.get_mut(&tag) {
            lock.grant(session, mode);
        }
        self.owners
            .entry(session)
            .or_default()
            .held
            .push(Held { tag, mode, fast: false });
    }

    /// The lock's entry in the table, with those who hold it on the fast path.
    fn make_lock(&mut self, tag: LockTag) {
        if self.locks.contains_key(&tag) {
            return;
        }
        let mut lock = Lock::default();
        if matches!(tag, LockTag::Relation { .. }) {
            for (&session, owner) in &mut self.owners {
                for held in owner.held.iter_mut().filter(|held| held.fast && held.tag == tag) {
                    held.fast = false;
                    lock.grant(session, held.mode);
                }
            }
        }
        self.locks.insert(tag, lock);
    }

    fn drop_if_free(&mut self, tag: LockTag) {
        if self
            .locks
            .get(&tag)
            .is_some_and(|lock| lock.holders.is_empty() && lock.queue.is_empty())
        {
            self.locks.remove(&tag);
        }
    }

    /// The lock of a running transaction on itself, which somebody is about to wait for.
    pub(super) fn hold_transaction(&mut self, session: SessionId, xid: Xid) {
        self.make_lock(LockTag::Transaction(xid));
        if let Some(lock) = self.locks.get_mut(&LockTag::Transaction(xid)) {
            lock.grant(session, LockMode::Exclusive);
        }
    }

    /// The transaction has ended.
    #[inline]
    pub(super) fn end_transaction(&mut self, session: SessionId, xid: Xid) {
        if !self.locks.is_empty() {
            self.revoke(session, LockTag::Transaction(xid), LockMode::Exclusive);
        }
    }

    fn revoke(&mut self, session: SessionId, tag: LockTag, mode: LockMode) {
        if let Some(lock) = self.locks.get_mut(&tag) {
            lock.revoke(session, mode);
            self.wake(tag);
        }
    }

    /// Grants what can be granted, in the queue's order, nobody overtaking one whom it conflicts with.
    pub(super) fn wake(&mut self, tag: LockTag) {
        let Some(lock) = self.locks.get_mut(&tag) else { return };
        let mut ahead = Modes::NONE;
        let mut at = 0;
        while let Some(&Waiter { session, mode }) = lock.queue.get(at) {
            if mode.conflicts().meets(ahead) || lock.conflicts(session, mode) {
                ahead = ahead.with(mode);
                at += 1;
                continue;
            }
            lock.queue.remove(at);
            lock.grant(session, mode);
            let owner = self.owners.entry(session).or_default();
            owner.waits_for = None;
            if std::mem::take(&mut owner.keeps) {
                owner.kept.push((tag, mode));
                owner.arrived = Some((tag, mode));
            } else {
                owner.held.push(Held { tag, mode, fast: false });
            }
            self.woken.push(session);
        }
        self.drop_if_free(tag);
    }

    pub(super) fn release(&mut self, session: SessionId, tag: LockTag, mode: LockMode) -> bool {
        let Some(owner) = self.owners.get_mut(&session) else {
            return false;
        };
        let Some(at) = owner.held.iter().rposition(|held| held.mode == mode && held.tag == tag) else {
            return false;
        };
        let held = owner.held.remove(at);
        if !held.fast {
            self.revoke(session, tag, mode);
        }
        true
    }

    pub(super) fn release_since(&mut self, session: SessionId, mark: usize) {
        self.cancel_wait(session);
        while let Some(held) = self.owners.get_mut(&session).and_then(|owner| {
            if owner.held.len() > mark {
                owner.held.pop()
            } else {
                None
            }
        }) {
            let keeps = |owner: &Owner| !owner.kept.is_empty() && owner.has(held.tag, held.mode);
            if !held.fast && !self.owners.get(&session).is_some_and(keeps) {
                self.revoke(session, held.tag, held.mode);
            }
        }
    }

    /// The locks that the session holds for its transaction and that a crash must not free: those that a
    /// transaction keeps to its end.
    pub(super) fn lasting(&self, session: SessionId) -> Vec<(LockTag, LockMode)> {
        let held = self.owners.get(&session).map_or(&[][..], |owner| &owner.held);
        let lasts = |tag: &LockTag| matches!(tag, LockTag::Relation { .. } | LockTag::Advisory { .. });
        held.iter()
            .filter(|held| lasts(&held.tag))
            .map(|held| (held.tag, held.mode))
            .collect()
    }

    /// Whether the session holds something both for its transaction and for longer.
    pub(super) fn holds_for_both(&self, session: SessionId) -> bool {
        self.owners.get(&session).is_some_and(|owner| {
            let kept = |held: &Held| owner.kept.iter().any(|(tag, _)| *tag == held.tag);
            owner.held.iter().any(kept)
        })
    }

    /// What the session holds for its transaction, whose numbers are `xids`, is another's now.
    pub(super) fn hand_over(&mut self, session: SessionId, heir: SessionId, xids: &[Xid]) {
        let held = self
            .owners
            .get_mut(&session)
            .map_or_else(Vec::new, |owner| std::mem::take(&mut owner.held));
        let own = xids.iter().map(|xid| LockTag::Transaction(*xid));
        for tag in held.iter().filter(|held| !held.fast).map(|held| held.tag).chain(own) {
            if let Some(lock) = self.locks.get_mut(&tag) {
                for (holder, _) in lock.holders.iter_mut().filter(|(holder, _)| *holder == session) {
                    *holder = heir;
                }
            }
        }
        self.owners.entry(heir).or_default().held = held;
    }

    pub(super) fn forget(&mut self, session: SessionId) {
        self.owners.remove(&session);
    }

    pub(super) fn mark(&self, session: SessionId) -> usize {
        self.owners.get(&session).map_or(0, |owner| owner.held.len())
    }

    pub(super) fn cancel_wait(&mut self, session: SessionId) {
        if let Some(owner) = self.owners.get_mut(&session) {
            owner.keeps = false;
            if let Some((tag, mode)) = owner.arrived.take() {
                self.release_kept(session, tag, mode);
            }
        }
        let Some(tag) = self.owners.get_mut(&session).and_then(|owner| owner.waits_for.take()) else {
            return;
        };
        if let Some(lock) = self.locks.get_mut(&tag) {
            lock.queue.retain(|waiter| waiter.session != session);
            self.wake(tag);
        }
    }

    /// Where the session waits, and its place in that queue.
    pub(super) fn waiting(&self, session: SessionId) -> Option<(LockTag, &Lock, Waiter)> {
        let tag = self.owners.get(&session)?.waits_for?;
        let lock = self.locks.get(&tag)?;
        let waiter = *lock.queue.iter().find(|waiter| waiter.session == session)?;
        Some((tag, lock, waiter))
    }

    /// Those who must let go, or be served, before the session.
    pub(super) fn waits_for(&self, session: SessionId) -> Option<(LockTag, LockMode, Vec<SessionId>)> {
        let (tag, lock, own) = self.waiting(session)?;
        let holders = lock
            .holders
            .iter()
            .filter(|(_, modes)| own.mode.conflicts().meets(*modes))
            .map(|&(holder, _)| holder);
        let ahead = lock.queue.iter().take_while(|waiter| waiter.session != session);
        let ahead = ahead
            .filter(|waiter| own.mode.conflicts_with(waiter.mode))
            .map(|waiter| waiter.session);
        let mut blockers: Vec<SessionId> = holders.chain(ahead).filter(|&blocker| blocker != session).collect();
        blockers.sort_unstable();
        blockers.dedup();
        Some((tag, own.mode, blockers))
    }

    /// Something else than a lock that the session waits for has come.
    pub(super) fn wake_session(&mut self, session: SessionId) {
        self.woken.push(session);
    }

    pub(super) fn drain_woken(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.woken);
    }
}
