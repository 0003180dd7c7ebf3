//! B-tree indexes: order-preserving key bytes to row ids, equal keys allowed.
//!
//! Nodes have numbers and lie in a table that is copied on write, so a fork shares all of them and a
//! write copies one leaf. There are no links between leaves: a scan that leaves a leaf finds the next
//! one by the leaf's bound, so it can rest while others split and remove nodes.
//!
//! `entries` what a slot holds · `node` entries between bounds · `keys` where the rest of a long key is · `cursor` scans.

mod cursor;
mod entries;
mod keys;
mod node;

use std::sync::Arc;

pub use cursor::{Direction, IndexCursor};
pub use keys::KeyOf;
pub(crate) use keys::{Definitions, HeapKeys, Keys};
use node::{MAX_KEY, Node, OwnedPlace, Place};

use super::StorageError;
use super::cow::{CowVec, SHARED};
use super::hashed::Hashed;
use super::ids::{RelationId, RowId};

/// No tree is higher: each level has at least two entries a node.
const MAX_HEIGHT: usize = 32;

/// See the module's text.
#[derive(Clone, Debug, Hash)]
pub(crate) struct BTree {
    pub(crate) relation: RelationId,
    nodes: CowVec<Arc<Hashed<Node>>>,
    root: u32,
    height: u32,
    free: Vec<u32>,
    entries: u64,
}

/// The nodes from the root to a leaf, with the child taken in each.
type Path = Vec<(u32, usize)>;

impl BTree {
    pub(crate) fn new(relation: RelationId) -> BTree {
        let mut nodes = CowVec::new();
        nodes.push(Arc::new(Hashed::new(Node::new(None, None))));
        BTree {
            relation,
            nodes,
            root: 0,
            height: 1,
            free: Vec::new(),
            entries: 0,
        }
    }

    /// Nodes that a probe visits.
    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    /// Bytes of memory.
    pub(crate) fn allocated(&self) -> usize {
        let nodes = self
            .nodes
            .allocated(|node| SHARED + size_of::<Hashed<Node>>() + node.allocated());
        size_of::<BTree>() + nodes + self.free.capacity() * size_of::<u32>()
    }

    /// Dead ones included.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    fn node(&self, number: u32) -> &Node {
        // Node numbers come from this very tree.
        match self.nodes.get(number as usize) {
            Some(node) => node,
            None => unreachable!("node {number} of {}", self.nodes.len()),
        }
    }

    fn node_mut(&mut self, number: u32) -> &mut Node {
        match self.nodes.get_mut(number as usize) {
            Some(node) => Arc::make_mut(node).write(),
            None => unreachable!("node {number} is missing"),
        }
    }

    fn add_node(&mut self, node: Node) -> u32 {
        if let Some(number) = self.free.pop() {
            *self.node_mut(number) = node;
            return number;
        }
        self.nodes.push(Arc::new(Hashed::new(node)));
        (self.nodes.len() - 1) as u32
    }

    /// The leaf for entries from `place` on.
    #[inline]
    fn leaf_for(&self, place: Place<'_>) -> u32 {
        let mut number = self.root;
        for _ in 1..self.height {
            let node = self.node(number);
            number = node.child(node.child_for(place));
        }
        number
    }

    fn path_to(&self, place: Place<'_>) -> (Path, u32) {
        let mut path = Path::with_capacity(MAX_HEIGHT.min(self.height as usize));
        let mut number = self.root;
        for _ in 1..self.height {
            let node = self.node(number);
            let at = node.child_for(place);
            path.push((number, at));
            number = node.child(at);
        }
        (path, number)
    }

    pub(crate) fn check_key(key: &[u8]) -> Result<(), StorageError> {
        if key.len() > MAX_KEY {
            return Err(StorageError::IndexKeyTooBig {
                size: key.len(),
                maximum: MAX_KEY,
            });
        }
        Ok(())
    }

    /// Adds an entry, if it is not there already and its leaf has room; else names the full leaf.
    #[inline]
    pub(crate) fn insert_if_room(&mut self, key: &[u8], row: RowId, keys: &dyn Keys) -> Result<(), u32> {
        let place = Place {
            key,
            row: u64::from(row.pack()),
        };
        let leaf = self.leaf_for(place);
        let node = self.node(leaf);
        let at = node.lower_bound(place, keys);
        if node.is_entry(at, place) {
            return Ok(());
        }
        if !node.fits(key) {
            return Err(leaf);
        }
        self.entries += 1;
        self.node_mut(leaf).insert(at, place, keys);
        Ok(())
    }

    /// Adds an entry, and splits nodes as need be. The key is not longer than `check_key` allows. The leaf that was
    /// split, and the one with its upper half.
    pub(crate) fn insert(&mut self, key: &[u8], row: RowId, keys: &dyn Keys) -> Option<(u32, u32)> {
        if self.insert_if_room(key, row, keys).is_ok() {
            return None;
        }
        let place = Place {
            key,
            row: u64::from(row.pack()),
        };
        let (mut path, leaf) = self.path_to(place);
        self.entries += 1;
        let node = self.node(leaf);
        let at = node.lower_bound(place, keys);
        let (left, right, between) = if at == node.len() && node.upper.is_none() && at > 0 {
            // Keys that only grow: leave the left one full.
            let mut whole = node.clone();
            whole.insert(at, place, keys);
            let between = whole.separator(at);
            let (left, right) = whole.split(at, &between);
            (left, right, between)
        } else {
            let middle = node.middle();
            let between = node.separator(middle);
            let (mut left, mut right) = node.split(middle, &between);
            let half = if place < between.borrow() {
                &mut left
            } else {
                &mut right
            };
            half.insert(half.lower_bound(place, keys), place, keys);
            (left, right, between)
        };
        Some((leaf, self.put_halves(&mut path, leaf, left, right, &between)))
    }

    /// Puts the left half in the place of a node (given the path to it), the right one into a new node, and the
    /// bound between them into the parent. The new node's number.
    fn put_halves(&mut self, path: &mut Path, number: u32, left: Node, right: Node, between: &OwnedPlace) -> u32 {
        // A half with longer bounds shares a longer prefix; it never needs more room than the whole.
        *self.node_mut(number) = left;
        let new = self.add_node(right);
        let Some((parent, _)) = path.pop() else {
            self.grow(number, new, between);
            return new;
        };
        let place = between.borrow();
        let node = self.node(parent);
        if node.fits(place.key) {
            let at = node.lower_bound_by_known(place);
            self.node_mut(parent).insert_child(at, place, new);
        } else {
            self.split_parent(path, parent, place, new);
        }
        new
    }

    /// Splits a full inner node (given the path to it) and puts the child into one of the halves. The bound between
    /// them is that of the right one's first child: a shorter one would lead to it keys of the child before.
    fn split_parent(&mut self, path: &mut Path, number: u32, place: Place<'_>, child: u32) {
        let node = self.node(number);
        let at = node.lower_bound_by_known(place);
        let (left, right, between) = if at == node.len() && node.upper.is_none() {
            let mut whole = node.clone();
            whole.insert_child(at, place, child);
            let between = whole.place(at);
            let (left, right) = whole.split(at, &between);
            (left, right, between)
        } else {
            let middle = node.middle();
            let between = node.place(middle);
            let (mut left, mut right) = node.split(middle, &between);
            let half = if place < between.borrow() {
                &mut left
            } else {
                &mut right
            };
            half.insert_child(half.lower_bound_by_known(place), place, child);
            (left, right, between)
        };
        self.put_halves(path, number, left, right, &between);
    }

    fn grow(&mut self, left: u32, right: u32, between: &OwnedPlace) {
        let mut root = Node::new(None, None);
        root.insert_child(0, Place { key: &[], row: 0 }, left);
        root.insert_child(1, between.borrow(), right);
        self.root = self.add_node(root);
        self.height += 1;
    }

    /// Hands out all row ids with exactly this key, ascending.
    #[inline]
    pub(crate) fn lookup(&self, key: &[u8], keys: &dyn Keys, mut found: impl FnMut(RowId)) {
        let start = Place { key, row: 0 };
        let mut node = self.node(self.leaf_for(start));
        loop {
            let mut at = node.lower_bound_by_known(start);
            // The only one in its leaf: of equal keys there all are whole.
            if let Some(row) = node.cut_entry(at, key, keys) {
                found(RowId::unpack(row));
            }
            while at < node.len() && node.has_key(at, key) {
                found(RowId::unpack(node.row(at)));
                at += 1;
            }
            match &node.upper {
                Some(upper) if at == node.len() && upper.key.as_slice() <= key => {
                    node = self.node(self.leaf_for(upper.borrow()));
                }
                _ => return,
            }
        }
    }

    /// The leaf for an entry; without a row, the first one for its key.
    pub(crate) fn leaf_of(&self, key: &[u8], row: Option<RowId>) -> u32 {
        let row = row.map_or(0, |row| u64::from(row.pack()));
        self.leaf_for(Place { key, row })
    }

    /// The leaves that a look-up of this key visits.
    pub(crate) fn leaves_with(&self, key: &[u8]) -> Vec<u32> {
        let mut leaves = vec![self.leaf_of(key, None)];
        while let Some(upper) = leaves.last().and_then(|leaf| self.node(*leaf).upper.as_ref())
            && upper.key.as_slice() <= key
        {
            let next = self.leaf_for(upper.borrow());
            leaves.push(next);
        }
        leaves
    }

    /// The entries of a leaf as row ids, by position.
    pub(crate) fn leaf_rows(&self, leaf: u32) -> impl Iterator<Item = RowId> + '_ {
        let node = self.node(leaf);
        (0..node.len()).map(|at| RowId::unpack(node.row(at)))
    }

    /// The leaves, in order of keys.
    pub(crate) fn leaves(&self) -> Vec<u32> {
        let mut level = vec![self.root];
        for _ in 1..self.height {
            level = level
                .iter()
                .flat_map(|&number| {
                    let node = self.node(number);
                    (0..node.len()).map(|at| node.child(at))
                })
                .collect();
        }
        level
    }

    /// Removes entries of a leaf, given by their positions in ascending order, and the leaf itself if
    /// it becomes empty and its parent has another: then it, and the leaf that has its keys from now on.
    pub(crate) fn remove(&mut self, leaf: u32, positions: &[u16]) -> Option<(u32, u32)> {
        let node = self.node_mut(leaf);
        let before = node.len();
        for &at in positions.iter().rev() {
            if usize::from(at) < node.len() {
                node.remove(usize::from(at));
            }
        }
        let after = node.len();
        self.entries -= (before - after) as u64;
        if after > 0 {
            return None;
        }
        self.unlink(leaf).map(|into| (leaf, into))
    }

    fn unlink(&mut self, leaf: u32) -> Option<u32> {
        let lower = self.node(leaf).lower.clone();
        let place = lower.as_ref().map_or(Place { key: &[], row: 0 }, OwnedPlace::borrow);
        let (mut path, found) = self.path_to(place);
        let (parent, at) = path.pop()?;
        let siblings = self.node(parent).len();
        if found != leaf || siblings < 2 {
            return None;
        }
        let empty = self.node(leaf).clone();
        let into = if at > 0 {
            let left = self.node(parent).child(at - 1);
            let widened = self.node(left).with_bounds(self.node(left).lower.clone(), empty.upper);
            *self.node_mut(left) = widened;
            self.node_mut(parent).remove(at);
            left
        } else {
            let right = self.node(parent).child(1);
            let widened = self
                .node(right)
                .with_bounds(empty.lower, self.node(right).upper.clone());
            *self.node_mut(right) = widened;
            let bound = self.node(parent).place(0);
            self.node_mut(parent).remove(1);
            self.node_mut(parent).remove(0);
            self.node_mut(parent).insert_child(0, bound.borrow(), right);
            right
        };
        *self.node_mut(leaf) = Node::new(None, None);
        self.free.push(leaf);
        Some(into)
    }
}

#[cfg(test)]
mod tests;
