//! Deadlock detection: circles in the graph of who waits for whom.
//!
//! The algorithm is PostgreSQL's (`src/backend/storage/lmgr/README`, "The Deadlock Detection
//! Algorithm"). An edge is *hard* from a waiter to one who holds what conflicts, *soft* to one who
//! waits before it in the same queue with a conflicting mode. A circle of hard edges only is a deadlock;
//! one with a soft edge can be broken by letting that waiter go first, if the queues can be reordered
//! so that all such wishes hold and no new circle appears.

use super::lock::{DeadlockCheck, DeadlockLink, LockTag};
use super::lock_table::{LockTable, Waiter};
use crate::SessionId;

/// A wish: `waiter` goes before `blocker` in the queue of `tag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SoftEdge {
    waiter: SessionId,
    blocker: SessionId,
    tag: LockTag,
}

struct Search<'a> {
    table: &'a LockTable,
    /// Queues as the current wishes would have them.
    orders: Vec<(LockTag, Vec<Waiter>)>,
    wishes: Vec<SoftEdge>,
    visited: Vec<SessionId>,
    /// The circle last found.
    links: Vec<DeadlockLink>,
    soft: Vec<SoftEdge>,
}

/// What trying a set of wishes showed.
enum Trial {
    Free,
    /// A circle of hard edges, or the wishes contradict each other.
    Hopeless,
    /// A circle that one of these might break.
    Soft(Vec<SoftEdge>),
}

impl LockTable {
    pub(super) fn check_deadlock(&mut self, session: SessionId) -> DeadlockCheck {
        let mut search = Search {
            table: self,
            orders: Vec::new(),
            wishes: Vec::new(),
            visited: Vec::new(),
            links: Vec::new(),
            soft: Vec::new(),
        };
        if !search.resolve(session) {
            search.orders.clear();
            search.find_circle(session);
            return DeadlockCheck::Deadlock(search.links);
        }
        let orders = search.orders;
        if orders.is_empty() {
            return DeadlockCheck::None;
        }
        for (tag, queue) in orders {
            if let Some(lock) = self.locks.get_mut(&tag) {
                lock.queue = queue;
            }
            self.wake(tag);
        }
        DeadlockCheck::Reordered
    }
}

impl Search<'_> {
    /// Tries the wishes so far and, where that leaves a soft circle, one more for each of its soft
    /// edges. True when a set of wishes leaves no circle.
    fn resolve(&mut self, start: SessionId) -> bool {
        let edges = match self.try_wishes(start) {
            Trial::Free => return true,
            Trial::Hopeless => return false,
            Trial::Soft(edges) => edges,
        };
        // PostgreSQL allows as many wishes as there are backends; each edge can be wished once here.
        for edge in edges {
            if self.wishes.contains(&edge) {
                continue;
            }
            self.wishes.push(edge);
            if self.resolve(start) {
                return true;
            }
            self.wishes.pop();
        }
        false
    }

    fn try_wishes(&mut self, start: SessionId) -> Trial {
        if !self.reorder() {
            return Trial::Hopeless;
        }
        let mut found = None;
        let ends: Vec<SessionId> = self
            .wishes
            .iter()
            .flat_map(|edge| [edge.waiter, edge.blocker])
            .collect();
        for session in ends.into_iter().chain([start]) {
            if self.find_circle(session) {
                if self.soft.is_empty() {
                    return Trial::Hopeless;
                }
                found = Some(self.soft.clone());
            }
        }
        found.map_or(Trial::Free, Trial::Soft)
    }

    /// Reorders the queues by the wishes. False if they contradict each other.
    fn reorder(&mut self) -> bool {
        self.orders.clear();
        for at in (0..self.wishes.len()).rev() {
            let tag = self.wishes[at].tag;
            if self.orders.iter().any(|(known, _)| *known == tag) {
                continue;
            }
            let Some(lock) = self.table.locks.get(&tag) else {
                continue;
            };
            let wishes: Vec<SoftEdge> = self.wishes[..=at]
                .iter()
                .copied()
                .filter(|wish| wish.tag == tag)
                .collect();
            match sorted(&lock.queue, &wishes) {
                Some(order) => self.orders.push((tag, order)),
                None => return false,
            }
        }
        true
    }

    fn find_circle(&mut self, start: SessionId) -> bool {
        self.visited.clear();
        self.links.clear();
        self.soft.clear();
        let found = self.follow(start);
        self.links.reverse();
        found
    }

    /// Depth first; on the way back from a circle its links and soft edges are noted.
    fn follow(&mut self, session: SessionId) -> bool {
        if let Some(at) = self.visited.iter().position(|&known| known == session) {
            // A circle that the start is not part of is found from elsewhere.
            return at == 0;
        }
        self.visited.push(session);
        let Some((tag, lock, own)) = self.table.waiting(session) else {
            return false;
        };
        let mode = own.mode;
        for &(holder, modes) in &lock.holders {
            if holder != session && mode.conflicts().meets(modes) && self.follow(holder) {
                self.links.push(DeadlockLink {
                    waiter: session,
                    mode,
                    tag,
                    blocker: holder,
                });
                return true;
            }
        }
        let order = self
            .orders
            .iter()
            .find(|(known, _)| *known == tag)
            .map_or(&lock.queue, |(_, order)| order)
            .clone();
        for waiter in order.iter().take_while(|waiter| waiter.session != session) {
            if mode.conflicts_with(waiter.mode) && self.follow(waiter.session) {
                self.links.push(DeadlockLink {
                    waiter: session,
                    mode,
                    tag,
                    blocker: waiter.session,
                });
                self.soft.push(SoftEdge {
                    waiter: session,
                    blocker: waiter.session,
                    tag,
                });
                return true;
            }
        }
        false
    }
}

/// The queue in an order as near to its own as the wishes allow: filled from its end with the last one
/// that need not stand before another.
fn sorted(queue: &[Waiter], wishes: &[SoftEdge]) -> Option<Vec<Waiter>> {
    let mut rest: Vec<Waiter> = queue.to_vec();
    let mut order = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let last = rest.iter().rposition(|candidate| {
            !wishes
                .iter()
                .any(|wish| wish.waiter == candidate.session && rest.iter().any(|other| other.session == wish.blocker))
        })?;
        order.push(rest.remove(last));
    }
    order.reverse();
    Some(order)
}
