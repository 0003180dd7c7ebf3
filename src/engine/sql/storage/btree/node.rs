//! One node of a B-tree: entries in order, their common prefix stored once.
//!
//! An entry is a key and a row id, ordered by both, so that equal keys have an order too. In an inner
//! node an entry is the lower bound of a child (that of the first child counts as minus infinity), cut to what tells
//! it from the entry before; and whole. What a leaf knows of its entries' keys is told at [`Keys`].

use std::cmp::Ordering;

use super::entries::{Entries, HEAD, Known, shared};
use super::keys::Keys;

/// Bytes that a node's entries may take before it is split, each counted with its whole key as a page of
/// PostgreSQL's has it: trees are as high and leaves as many as there, however little of the keys is kept in memory.
pub(super) const CAPACITY: usize = 8192 - 64;
/// What an entry takes besides its key's rest.
const ENTRY: usize = 16;
/// The longest key: three fit a node (PostgreSQL's limit for its pages).
pub(super) const MAX_KEY: usize = 2704;
/// Rests up to this length are kept whole: two integers, a timestamp. Probing for them never visits the heap.
const WHOLE: usize = 24;

/// A place in the order of entries. `row` is a packed row id, 0 before and [`AFTER`] after all entries of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) key: &'a [u8],
    pub(super) row: u64,
}

/// Greater than every packed row id.
pub(super) const AFTER: u64 = 1 << 32;

/// A place that owns its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OwnedPlace {
    pub(super) key: Vec<u8>,
    pub(super) row: u64,
}

impl OwnedPlace {
    pub(super) fn borrow(&self) -> Place<'_> {
        Place {
            key: &self.key,
            row: self.row,
        }
    }
}

impl PartialOrd for Place<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(other.key).then(self.row.cmp(&other.row))
    }
}

/// See the module's text. Every entry lies in `lower..upper`; `None` is without bound.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) lower: Option<OwnedPlace>,
    pub(super) upper: Option<OwnedPlace>,
    /// How many bytes of `lower`'s key all entries share.
    prefix: usize,
    entries: Entries,
    /// One per entry in an inner node, none in a leaf.
    children: Vec<u32>,
}

fn common_prefix(lower: &Option<OwnedPlace>, upper: &Option<OwnedPlace>) -> usize {
    match (lower, upper) {
        (Some(lower), Some(upper)) => shared(&lower.key, &upper.key),
        _ => 0,
    }
}

impl Node {
    pub(super) fn new(lower: Option<OwnedPlace>, upper: Option<OwnedPlace>) -> Node {
        let prefix = common_prefix(&lower, &upper);
        Node {
            lower,
            upper,
            prefix,
            entries: Entries::default(),
            children: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn prefix(&self) -> &[u8] {
        self.lower.as_ref().map_or(&[], |lower| &lower.key[..self.prefix])
    }

    #[inline]
    pub(super) fn row(&self, at: usize) -> u32 {
        self.entries.row(at)
    }

    pub(super) fn child(&self, at: usize) -> u32 {
        self.children[at]
    }

    /// What is known of an entry's key.
    fn known(&self, at: usize) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix + self.entries.length(at));
        key.extend_from_slice(self.prefix());
        self.entries.known(at, &mut key);
        key
    }

    /// The place of an entry of an inner node.
    pub(super) fn place(&self, at: usize) -> OwnedPlace {
        OwnedPlace {
            key: self.known(at),
            row: u64::from(self.row(at)),
        }
    }

    /// Is the entry a whole one with this key?
    #[inline]
    pub(super) fn has_key(&self, at: usize, key: &[u8]) -> bool {
        let Some((prefix, rest)) = key.split_at_checked(self.prefix) else {
            return false;
        };
        self.entries.is_whole(at, rest) && prefix == self.prefix()
    }

    /// The first entry that is not before `place`; cut ones that it begins with count as before it.
    #[inline]
    pub(super) fn lower_bound_by_known(&self, place: Place<'_>) -> usize {
        let prefix = self.prefix();
        match place.key.strip_prefix(prefix) {
            Some(rest) => self.entries.lower_bound(rest, place.row, !self.children.is_empty()),
            None if place.key < prefix => 0,
            None => self.len(),
        }
    }

    /// The first entry that is not before `place`.
    #[inline]
    pub(super) fn lower_bound(&self, place: Place<'_>, keys: &dyn Keys) -> usize {
        let at = self.lower_bound_by_known(place);
        if at > 0 && self.entries.is_cut(at - 1) {
            return self.lower_bound_among_cut(at, place, keys);
        }
        at
    }

    /// The last entry before `at` may be one that is not before `place`.
    fn lower_bound_among_cut(&self, mut at: usize, place: Place<'_>, keys: &dyn Keys) -> usize {
        while at > 0 && self.may_be(at - 1, place.key) {
            let row = u64::from(self.row(at - 1));
            match self.whole_key(at - 1, keys) {
                Some(key) if (key.as_slice(), row) >= (place.key, place.row) => at -= 1,
                _ => break,
            }
        }
        at
    }

    /// Is the entry cut, and all that is known of it the beginning of this key?
    fn may_be(&self, at: usize, key: &[u8]) -> bool {
        let rest = || key.strip_prefix(self.prefix());
        self.entries.is_cut(at) && rest().is_some_and(|rest| self.entries.shared_with(at, rest).1)
    }

    /// The whole key of a cut entry, from its row. `None`: the row is gone.
    fn whole_key(&self, at: usize, keys: &dyn Keys) -> Option<Vec<u8>> {
        let key = keys.key(self.row(at))?;
        let fits = key.len() == self.prefix + self.entries.length(at) && self.may_be(at, &key);
        debug_assert!(fits, "the row of a cut entry has another key");
        fits.then_some(key)
    }

    /// The row of a cut entry with this key; `at` is the key's lower bound by what is known.
    #[inline]
    pub(super) fn cut_entry(&self, at: usize, key: &[u8], keys: &dyn Keys) -> Option<u32> {
        if at == 0 || !self.entries.is_cut(at - 1) {
            return None;
        }
        let at = at - 1;
        let found = key.len() == self.prefix + self.entries.length(at)
            && self.may_be(at, key)
            && self.whole_key(at, keys).is_some_and(|whole| whole == key);
        found.then(|| self.row(at))
    }

    /// Is this very entry at `at`, its place's lower bound?
    #[inline]
    pub(super) fn is_entry(&self, at: usize, place: Place<'_>) -> bool {
        at < self.len()
            && u64::from(self.row(at)) == place.row
            && (self.has_key(at, place.key)
                || (place.key.len() == self.prefix + self.entries.length(at) && self.may_be(at, place.key)))
    }

    /// The child that holds entries from `place` on.
    #[inline]
    pub(super) fn child_for(&self, place: Place<'_>) -> usize {
        let at = self.lower_bound_by_known(place);
        if at < self.len() && u64::from(self.row(at)) == place.row && self.has_key(at, place.key) {
            return at;
        }
        at.saturating_sub(1)
    }

    /// The child that holds the last entry before `place`.
    pub(super) fn child_before(&self, place: Place<'_>) -> usize {
        self.lower_bound_by_known(place).saturating_sub(1)
    }

    /// Bytes of memory besides the node itself.
    pub(super) fn allocated(&self) -> usize {
        let bounds = [&self.lower, &self.upper].into_iter().flatten();
        bounds.map(|bound| bound.key.capacity()).sum::<usize>()
            + self.entries.allocated()
            + self.children.capacity() * size_of::<u32>()
    }

    pub(super) fn used(&self) -> usize {
        self.entries.rests() + self.len() * ENTRY + self.prefix
    }

    pub(super) fn fits(&self, key: &[u8]) -> bool {
        self.used() + ENTRY + key.len().saturating_sub(self.prefix) <= CAPACITY
    }

    /// Adds an inner node's entry.
    pub(super) fn insert_child(&mut self, at: usize, place: Place<'_>, child: u32) {
        let rest = &place.key[self.prefix.min(place.key.len())..];
        let known = Known {
            bytes: rest,
            length: rest.len(),
            pinned: true,
        };
        self.entries.insert(at, place.row as u32, known);
        self.children.insert(at, child);
    }

    /// Adds a leaf's entry at its lower bound, cut to what tells it from its neighbours. Of these as much is kept from
    /// now on as tells them from it.
    pub(super) fn insert(&mut self, at: usize, place: Place<'_>, keys: &dyn Keys) {
        let mut needed = HEAD;
        let rest = &place.key[self.prefix.min(place.key.len())..];
        for neighbour in [at.checked_sub(1), (at < self.len()).then_some(at)]
            .into_iter()
            .flatten()
        {
            if rest.len() > WHOLE || self.entries.is_cut(neighbour) {
                needed = needed.max(1 + self.tell_apart(neighbour, rest, keys));
            }
        }
        let pinned = !keys.may_cut(place.row as u32, place.key.len() > WHOLE);
        let cut = !pinned && rest.len() > WHOLE && needed < rest.len();
        let known = Known {
            bytes: if cut { &rest[..needed] } else { rest },
            length: rest.len(),
            pinned,
        };
        self.entries.insert(at, place.row as u32, known);
    }

    /// Bytes that an entry shares with a new one beside it, as far as can be known; if it is cut before
    /// they differ, more of it is kept from now on.
    fn tell_apart(&mut self, at: usize, rest: &[u8], keys: &dyn Keys) -> usize {
        let (known, all) = self.entries.shared_with(at, rest);
        if !all || !self.entries.is_cut(at) {
            return known;
        }
        let Some(key) = self.whole_key(at, keys) else {
            return known;
        };
        let whole = &key[self.prefix..];
        let common = shared(whole, rest);
        self.entries.learn(at, &whole[..whole.len().min(common + 1)]);
        common
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.entries.remove(at);
        if !self.children.is_empty() {
            self.children.remove(at);
        }
    }

    /// The same entries between other bounds. Bounds only ever widen here or hold all entries.
    pub(super) fn with_bounds(&self, lower: Option<OwnedPlace>, upper: Option<OwnedPlace>) -> Node {
        let mut node = Node::new(lower, upper);
        node.copy_entries(self, 0, self.len());
        node
    }

    /// Takes entries of another node, cut to what tells them from each other.
    fn copy_entries(&mut self, from: &Node, start: usize, end: usize) {
        self.entries.reserve(end - start);
        self.children.extend(from.children.get(start..end).unwrap_or_default());
        let mut before = 0;
        let mut key = if start < end { from.known(start) } else { Vec::new() };
        for at in start..end {
            let next = if at + 1 < end { from.known(at + 1) } else { Vec::new() };
            let after = if at + 1 < end { 1 + shared(&key, &next) } else { 0 };
            let length = (from.prefix + from.entries.length(at)).saturating_sub(self.prefix);
            let pinned = from.entries.is_pinned(at);
            let mut rest = &key[self.prefix.min(key.len())..];
            if !pinned && length > WHOLE {
                let needed = before.max(after).saturating_sub(self.prefix).max(HEAD);
                rest = &rest[..needed.min(rest.len())];
            }
            let known = Known {
                bytes: rest,
                length,
                pinned,
            };
            self.entries.insert(self.len(), from.row(at), known);
            (before, key) = (after, next);
        }
    }

    /// Splits before entry `at` into two nodes; the place between them is the right one's lower bound.
    pub(super) fn split(&self, at: usize, between: &OwnedPlace) -> (Node, Node) {
        let mut left = Node::new(self.lower.clone(), Some(between.clone()));
        left.copy_entries(self, 0, at);
        let mut right = Node::new(Some(between.clone()), self.upper.clone());
        right.copy_entries(self, at, self.len());
        (left, right)
    }

    /// Where to split so that both halves have about as many bytes.
    pub(super) fn middle(&self) -> usize {
        let half = self.used() / 2;
        let mut sum = 0;
        for at in 0..self.len() {
            sum += ENTRY + self.entries.length(at);
            if sum > half {
                return at.clamp(1, (self.len() - 1).max(1));
            }
        }
        self.len() / 2
    }

    /// The shortest place after entry `at - 1` and not after entry `at`.
    pub(super) fn separator(&self, at: usize) -> OwnedPlace {
        let (left, mut right) = (self.known(at - 1), self.known(at));
        let common = shared(&left, &right);
        let mut row = 0;
        if common < right.len() {
            right.truncate(common + 1);
        } else if !self.entries.is_cut(at) {
            row = u64::from(self.row(at));
        }
        OwnedPlace { key: right, row }
    }
}

/// By contents, however they came to lie, and however much is known of a key whose row has it.
impl std::hash::Hash for Node {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.lower.hash(state);
        self.upper.hash(state);
        self.children.hash(state);
        self.len().hash(state);
        for at in 0..self.len() {
            state.write_u32(self.row(at));
            if self.entries.is_pinned(at) {
                self.known(at).hash(state);
            } else {
                self.entries.length(at).hash(state);
            }
        }
    }
}
