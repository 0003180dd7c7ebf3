//! The place of an index scan, as plain data.

use std::ops::Bound;

use super::BTree;
use super::keys::Keys;
use super::node::{AFTER, Node, OwnedPlace, Place};
use crate::storage::ids::{IndexId, RowId};

/// Which end a scan begins at.
#[allow(dead_code, reason = "the planner does not yet read an index backwards")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    #[default]
    Forward,
    Backward,
}

/// Row ids that the first step reads; later steps read more.
const FIRST_BATCH: usize = 32;

/// The place of an index scan; plain data. It holds some row ids at a time and finds its way back by
/// key, so that it may rest for any time while others change the tree. An entry is seen at most once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexCursor {
    pub(crate) index: IndexId,
    direction: Direction,
    /// Forward: the first entry not yet read. Backward: the one after the last not yet read. `None`: no bound.
    from: Option<OwnedPlace>,
    /// Where the scan ends: forward before this place, backward at it.
    to: Option<OwnedPlace>,
    batch: Vec<RowId>,
    at: usize,
    limit: usize,
    exhausted: bool,
    pages: u64,
    /// Whether leaves are noted, and those that were read since they were last taken.
    notes_leaves: bool,
    leaves: Vec<u32>,
}

fn before(bound: Bound<&[u8]>) -> Option<OwnedPlace> {
    match bound {
        Bound::Included(key) => Some(OwnedPlace {
            key: key.to_vec(),
            row: 0,
        }),
        Bound::Excluded(key) => Some(OwnedPlace {
            key: key.to_vec(),
            row: AFTER,
        }),
        Bound::Unbounded => None,
    }
}

fn after(bound: Bound<&[u8]>) -> Option<OwnedPlace> {
    match bound {
        Bound::Included(key) => Some(OwnedPlace {
            key: key.to_vec(),
            row: AFTER,
        }),
        Bound::Excluded(key) => Some(OwnedPlace {
            key: key.to_vec(),
            row: 0,
        }),
        Bound::Unbounded => None,
    }
}

impl IndexCursor {
    /// All entries between the bounds, in the direction's order.
    pub fn new(index: IndexId, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> IndexCursor {
        let (lower, upper) = (before(lower), after(upper));
        let (from, to) = match direction {
            Direction::Forward => (lower, upper),
            Direction::Backward => (upper, lower),
        };
        IndexCursor {
            index,
            direction,
            from,
            to,
            batch: Vec::new(),
            at: 0,
            limit: FIRST_BATCH,
            exhausted: false,
            pages: 0,
            notes_leaves: false,
            leaves: Vec::new(),
        }
    }

    /// Index pages visited since the last call.
    pub fn take_pages(&mut self) -> u64 {
        std::mem::take(&mut self.pages)
    }

    /// From now on notes which leaves it reads.
    pub(crate) fn note_leaves(&mut self) {
        self.notes_leaves = true;
    }

    /// The leaves read since the last call.
    pub(crate) fn take_leaves(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.leaves)
    }

    #[inline]
    pub(crate) fn next(&mut self, tree: &BTree, keys: &dyn Keys) -> Option<RowId> {
        loop {
            if let Some(&row) = self.batch.get(self.at) {
                self.at += 1;
                return Some(row);
            }
            if self.exhausted {
                return None;
            }
            self.batch.clear();
            self.at = 0;
            match self.direction {
                Direction::Forward => self.read_forward(tree, keys),
                Direction::Backward => self.read_backward(tree, keys),
            }
            self.limit = self.limit.saturating_mul(4);
        }
    }

    fn read_forward(&mut self, tree: &BTree, keys: &dyn Keys) {
        let start = self
            .from
            .as_ref()
            .map_or(Place { key: &[], row: 0 }, OwnedPlace::borrow);
        let leaf = tree.leaf_for(start);
        let node = tree.node(leaf);
        if self.notes_leaves {
            self.leaves.push(leaf);
        }
        self.pages += u64::from(tree.height());
        let first = node.lower_bound(start, keys);
        let end = self
            .to
            .as_ref()
            .map_or(node.len(), |to| node.lower_bound(to.borrow(), keys));
        let stop = end.min(first.saturating_add(self.limit));
        self.batch.extend((first..stop).map(|at| RowId::unpack(node.row(at))));
        if stop < end {
            self.from = Some(node.separator(stop));
        } else {
            self.go_on_at(if end < node.len() { None } else { node.upper.clone() });
        }
    }

    fn read_backward(&mut self, tree: &BTree, keys: &dyn Keys) {
        let leaf = match &self.from {
            Some(from) => tree.leaf_before(from.borrow()),
            None => tree.last_leaf(),
        };
        let node = tree.node(leaf);
        if self.notes_leaves {
            self.leaves.push(leaf);
        }
        self.pages += u64::from(tree.height());
        let end = self
            .from
            .as_ref()
            .map_or(node.len(), |from| node.lower_bound(from.borrow(), keys));
        let first = self
            .to
            .as_ref()
            .map_or(0, |to| node.lower_bound(to.borrow(), keys))
            .min(end);
        let stop = first.max(end.saturating_sub(self.limit));
        self.batch
            .extend((stop..end).rev().map(|at| RowId::unpack(node.row(at))));
        if stop > first {
            self.from = Some(node.separator(stop));
        } else {
            self.go_on_at(if first > 0 { None } else { node.lower.clone() });
        }
    }

    /// The next leaf begins (backward: ends) here; without one, or when it lies beyond the end, that was all.
    fn go_on_at(&mut self, bound: Option<OwnedPlace>) {
        let beyond = match (&bound, &self.to) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(bound), Some(to)) => match self.direction {
                Direction::Forward => bound.borrow() >= to.borrow(),
                Direction::Backward => bound.borrow() <= to.borrow(),
            },
        };
        self.exhausted = beyond;
        self.from = bound;
    }
}

impl BTree {
    /// The leaf with the last entry before `place`.
    fn leaf_before(&self, place: Place<'_>) -> u32 {
        self.leaf_by(|node| node.child_before(place))
    }

    fn last_leaf(&self) -> u32 {
        self.leaf_by(|node| node.len() - 1)
    }

    fn leaf_by(&self, child: impl Fn(&Node) -> usize) -> u32 {
        let mut number = self.root;
        for _ in 1..self.height {
            let node = self.node(number);
            number = node.child(child(node));
        }
        number
    }
}
