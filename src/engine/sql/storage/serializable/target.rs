//! What an SIREAD lock is on, and how many fine ones become one coarse one.
//!
//! A lock is on a row version, a page or a whole relation. A scan of a table locks the table, a scan of an index
//! the leaves that it visits (so that nothing can be inserted into the gaps unseen) and the row versions that it
//! finds. Many locks of a transaction on one page become a lock on the page, many on a relation one on the relation.

use std::ops::Bound;

use super::{Sequence, SerialId, State};
use crate::storage::ids::{IndexId, RelationId, RowId};

/// A heap or an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Space {
    Heap(RelationId),
    Index(IndexId),
}

/// Finer targets of a coarser one follow it in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Target {
    space: Space,
    page: Option<u32>,
    slot: Option<u16>,
}

impl Target {
    pub(super) fn whole(space: Space) -> Target {
        Target {
            space,
            page: None,
            slot: None,
        }
    }

    pub(super) fn page(space: Space, page: u32) -> Target {
        Target {
            page: Some(page),
            ..Target::whole(space)
        }
    }

    pub(super) fn row(relation: RelationId, row: RowId) -> Target {
        Target {
            slot: Some(row.slot),
            ..Target::page(Space::Heap(relation), row.page)
        }
    }

    /// Three words: the space's number, the page (all bits set: none), the slot (0: none) above the kind of space.
    pub(super) fn pack(self) -> [u32; 3] {
        let (number, kind) = match self.space {
            Space::Heap(relation) => (relation.0, 0),
            Space::Index(index) => (index.0, 1),
        };
        let slot = self.slot.map_or(0, u32::from);
        [number, self.page.unwrap_or(u32::MAX), slot << 1 | kind]
    }

    pub(super) fn unpack([number, page, slot]: [u32; 3]) -> Target {
        let space = match slot & 1 {
            0 => Space::Heap(RelationId(number)),
            _ => Space::Index(IndexId(number)),
        };
        Target {
            space,
            page: (page != u32::MAX).then_some(page),
            slot: (slot >> 1 != 0).then_some((slot >> 1) as u16),
        }
    }

    pub(super) fn is_row(self) -> bool {
        self.slot.is_some()
    }

    pub(super) fn parent(self) -> Option<Target> {
        match (self.page, self.slot) {
            (Some(_), Some(_)) => Some(Target { slot: None, ..self }),
            (Some(_), None) => Some(Target::whole(self.space)),
            (None, _) => None,
        }
    }

    /// Strictly finer than `self`, and inside it.
    fn covers(self, finer: Target) -> bool {
        self != finer
            && self.space == finer.space
            && self.page.is_none_or(|page| finer.page == Some(page))
            && self.slot.is_none()
    }

    /// PostgreSQL's `max_pred_locks_per_page` and `max_pred_locks_per_relation` at their defaults (2; half of
    /// `max_pred_locks_per_transaction` = 64, less one).
    fn most_children(self) -> u32 {
        if self.page.is_some() { 2 } else { 31 }
    }
}

/// A transaction's own view of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Lock {
    held: bool,
    /// Finer locks taken inside it.
    children: u32,
}

impl Lock {
    pub(super) fn is_held(self) -> bool {
        self.held
    }
}

impl State {
    /// Takes an SIREAD lock, unless a coarser one covers it already.
    pub(super) fn lock(&mut self, serial: SerialId, target: Target) {
        let Some(party) = self.parties.get_mut(&serial) else {
            return;
        };
        let held = |target: &Target| party.locks.get(target).is_some_and(|lock| lock.held);
        if std::iter::successors(Some(target), |target| target.parent()).any(|target| held(&target)) {
            return;
        }
        party.locks.entry(target).or_default().held = true;
        self.holders.entry(target).or_default().push(serial);
        match self.promotion(serial, target) {
            Some(coarser) => self.lock(serial, coarser),
            None if target.is_row() => {}
            None => self.drop_finer(serial, target),
        }
    }

    /// Counts a new lock in its parents; the coarsest that has too many.
    fn promotion(&mut self, serial: SerialId, target: Target) -> Option<Target> {
        let party = self.parties.get_mut(&serial)?;
        let mut coarser = None;
        for parent in std::iter::successors(target.parent(), |target| target.parent()) {
            let lock = party.locks.entry(parent).or_default();
            lock.children = lock.children.saturating_add(1);
            if lock.children > parent.most_children() {
                coarser = Some(parent);
            }
        }
        coarser
    }

    fn drop_finer(&mut self, serial: SerialId, target: Target) {
        let Some(party) = self.parties.get(&serial) else {
            return;
        };
        let after = (Bound::Excluded(target), Bound::Unbounded);
        let finer: Vec<Target> = party
            .locks
            .range(after)
            .take_while(|(finer, _)| finer.space == target.space)
            .filter(|(finer, lock)| lock.held && target.covers(**finer))
            .map(|(finer, _)| *finer)
            .collect();
        for one in finer {
            self.unlock(serial, one);
        }
    }

    /// Gives one lock back.
    pub(super) fn unlock(&mut self, serial: SerialId, target: Target) {
        let Some(party) = self.parties.get_mut(&serial) else {
            return;
        };
        if !party.locks.get(&target).is_some_and(|lock| lock.held) {
            return;
        }
        party.locks.remove(&target);
        for parent in std::iter::successors(target.parent(), |target| target.parent()) {
            if let Some(lock) = party.locks.get_mut(&parent) {
                lock.children = lock.children.saturating_sub(1);
                if lock.children == 0 && !lock.held {
                    party.locks.remove(&parent);
                }
            }
        }
        self.forget_holder(serial, target);
    }

    fn forget_holder(&mut self, serial: SerialId, target: Target) {
        if let Some(holders) = self.holders.get_mut(&target) {
            holders.retain(|holder| *holder != serial);
            if holders.is_empty() {
                self.holders.remove(&target);
            }
        }
    }

    /// Gives all locks back; the held ones.
    pub(super) fn unlock_all(&mut self, serial: SerialId) -> Vec<Target> {
        let Some(party) = self.parties.get_mut(&serial) else {
            return Vec::new();
        };
        let locks = std::mem::take(&mut party.locks);
        let held: Vec<Target> = locks
            .into_iter()
            .filter(|(_, lock)| lock.held)
            .map(|(target, _)| target)
            .collect();
        for target in &held {
            self.forget_holder(serial, *target);
        }
        held
    }

    /// Who has locked `from` has locked `to` as well.
    pub(super) fn copy_locks(&mut self, from: Target, to: Target) {
        for holder in self.holders.get(&from).cloned().unwrap_or_default() {
            self.give(holder, to);
        }
        if let Some(commit) = self.old_locks.get(&from).copied() {
            self.keep_old_lock(to, commit);
        }
    }

    /// All locks inside a space become locks of `to`.
    pub(super) fn lift_locks(&mut self, space: Space, to: Target) {
        let inside = |target: &Target| target.space == space;
        let targets: Vec<Target> = self.holders.keys().filter(|target| inside(target)).copied().collect();
        for target in targets {
            for holder in self.holders.remove(&target).unwrap_or_default() {
                if let Some(party) = self.parties.get_mut(&holder) {
                    party.locks.retain(|target, _| !inside(target));
                }
                self.give(holder, to);
            }
        }
        let old: Vec<Target> = self.old_locks.keys().filter(|target| inside(target)).copied().collect();
        for target in old {
            if let Some(commit) = self.old_locks.remove(&target) {
                self.keep_old_lock(to, commit);
            }
        }
    }

    /// A lock that was not asked for: nothing is counted.
    fn give(&mut self, holder: SerialId, target: Target) {
        let Some(party) = self.parties.get_mut(&holder) else {
            return;
        };
        let lock = party.locks.entry(target).or_default();
        if !std::mem::replace(&mut lock.held, true) {
            self.holders.entry(target).or_default().push(holder);
        }
    }

    pub(super) fn keep_old_lock(&mut self, target: Target, commit: Sequence) {
        let last = self.old_locks.entry(target).or_insert(commit);
        *last = (*last).max(commit);
    }

    /// The targets of a table that anybody has locked.
    pub(super) fn targets_of(&self, relation: RelationId) -> Vec<Target> {
        let space = Space::Heap(relation);
        let locked = self.holders.keys().chain(self.old_locks.keys());
        let mut targets: Vec<Target> = locked.filter(|target| target.space == space).copied().collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}
