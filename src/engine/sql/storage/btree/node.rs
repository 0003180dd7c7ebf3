//! One node of a B-tree: entries in order, their common prefix stored once.
//!
//! An entry is a key and a row id, ordered by both, so that equal keys have an order too. In an inner
//! node an entry is the lower bound of a child (that of the first child counts as minus infinity).
//! Keys lie one after another in one piece of bytes; each slot has the first eight bytes of its key's
//! rest, by which most comparisons end.

use std::cmp::Ordering;
use std::ops::Range;

/// Bytes that a node's entries may take before it is split.
pub(super) const CAPACITY: usize = 8192 - 64;
/// What an entry takes besides its key's rest.
const ENTRY: usize = 16;
/// The longest key: three fit a node (PostgreSQL's limit for its pages).
pub(super) const MAX_KEY: usize = 2704;

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

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The first bytes of the key's rest, zeros after its end.
    head: u64,
    offset: u16,
    length: u16,
    row: u32,
}

/// See the module's text. Every entry lies in `lower..upper`; `None` is without bound.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) lower: Option<OwnedPlace>,
    pub(super) upper: Option<OwnedPlace>,
    /// How many bytes of `lower`'s key all entries share.
    prefix: usize,
    slots: Vec<Slot>,
    /// One per slot in an inner node, none in a leaf.
    children: Vec<u32>,
    bytes: Vec<u8>,
    /// Bytes of removed keys among `bytes`.
    holes: usize,
}

/// Slots that lie side by side in memory.
const LINE: usize = 4;

/// Bytes of a key's rest that a slot has.
const HEAD: usize = 8;

#[inline]
fn head(rest: &[u8]) -> u64 {
    if let Some(first) = rest.first_chunk::<HEAD>() {
        return u64::from_be_bytes(*first);
    }
    rest.iter()
        .zip((0..HEAD).rev())
        .fold(0, |head, (&byte, place)| head | u64::from(byte) << (8 * place))
}

fn common_prefix(lower: &Option<OwnedPlace>, upper: &Option<OwnedPlace>) -> usize {
    match (lower, upper) {
        (Some(lower), Some(upper)) => lower.key.iter().zip(&upper.key).take_while(|(a, b)| a == b).count(),
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
            slots: Vec::new(),
            children: Vec::new(),
            bytes: Vec::new(),
            holes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn prefix(&self) -> &[u8] {
        self.lower.as_ref().map_or(&[], |lower| &lower.key[..self.prefix])
    }

    fn rest(&self, slot: &Slot) -> &[u8] {
        &self.bytes[usize::from(slot.offset)..usize::from(slot.offset) + usize::from(slot.length)]
    }

    pub(super) fn row(&self, at: usize) -> u32 {
        self.slots[at].row
    }

    pub(super) fn child(&self, at: usize) -> u32 {
        self.children[at]
    }

    pub(super) fn place(&self, at: usize) -> OwnedPlace {
        let slot = &self.slots[at];
        let mut key = Vec::with_capacity(self.prefix + usize::from(slot.length));
        key.extend_from_slice(self.prefix());
        key.extend_from_slice(self.rest(slot));
        OwnedPlace {
            key,
            row: u64::from(slot.row),
        }
    }

    /// Is the entry's key this one?
    pub(super) fn has_key(&self, at: usize, key: &[u8]) -> bool {
        let slot = &self.slots[at];
        let Some((prefix, rest)) = key.split_at_checked(self.prefix) else {
            return false;
        };
        rest.len() == usize::from(slot.length)
            && head(rest) == slot.head
            && (rest.len() <= HEAD || *rest == *self.rest(slot))
            && prefix == self.prefix()
    }

    /// The first entry that is not before `place`.
    #[inline]
    pub(super) fn lower_bound(&self, place: Place<'_>) -> usize {
        let prefix = self.prefix();
        let Some(rest) = place.key.strip_prefix(prefix) else {
            return if place.key < prefix { 0 } else { self.len() };
        };
        let wanted = head(rest);
        let before = |slot: &Slot| {
            match slot.head.cmp(&wanted) {
                Ordering::Less => return true,
                Ordering::Greater => return false,
                Ordering::Equal => {}
            }
            let order = if usize::from(slot.length) <= HEAD && rest.len() <= HEAD {
                usize::from(slot.length).cmp(&rest.len())
            } else {
                self.rest(slot).cmp(rest)
            };
            match order {
                Ordering::Less => true,
                Ordering::Greater => false,
                Ordering::Equal => u64::from(slot.row) < place.row,
            }
        };
        let around = self.around(wanted, before);
        around.start + self.slots[around].partition_point(before)
    }

    /// A few slots among which the first one that is not `before` lies, or just after them: first where it were if
    /// keys were evenly spread (numbers given one after another, random ones), then in growing steps from there.
    /// A binary search of all slots would wait for memory at each of its first steps.
    #[inline]
    fn around(&self, wanted: u64, before: impl Fn(&Slot) -> bool) -> Range<usize> {
        let count = self.slots.len();
        // The first key of an inner node stands for minus infinity.
        let from = usize::from(!self.children.is_empty());
        let (Some(first), Some(last)) = (self.slots.get(from), self.slots.last()) else {
            return 0..count;
        };
        let spread = last.head - first.head;
        let offset = wanted.saturating_sub(first.head).min(spread);
        // Of both only the leading 32 bits count: their product with a slot's number does not overflow.
        let shift = 32_u32.saturating_sub(spread.leading_zeros());
        let guess = ((offset >> shift) * (count - from - 1) as u64).checked_div(spread >> shift);
        let guess = guess.map_or(count / 2, |guess| from + guess as usize);
        let mut step = LINE;
        if before(&self.slots[guess]) {
            let mut start = guess + 1;
            while start + step < count && before(&self.slots[start + step]) {
                start += step + 1;
                step *= 2;
            }
            start..count.min(start + step)
        } else {
            let mut end = guess;
            while end > step && !before(&self.slots[end - step - 1]) {
                end -= step + 1;
                step *= 2;
            }
            end.saturating_sub(step)..end
        }
    }

    /// The child that holds entries from `place` on.
    #[inline]
    pub(super) fn child_for(&self, place: Place<'_>) -> usize {
        let at = self.lower_bound(place);
        if at < self.len() && u64::from(self.slots[at].row) == place.row && self.has_key(at, place.key) {
            return at;
        }
        at.saturating_sub(1)
    }

    /// The child that holds the last entry before `place`.
    pub(super) fn child_before(&self, place: Place<'_>) -> usize {
        self.lower_bound(place).saturating_sub(1)
    }

    pub(super) fn used(&self) -> usize {
        self.bytes.len() - self.holes + self.len() * ENTRY + self.prefix
    }

    pub(super) fn fits(&self, key: &[u8]) -> bool {
        self.used() + ENTRY + key.len().saturating_sub(self.prefix) <= CAPACITY
    }

    pub(super) fn insert(&mut self, at: usize, place: Place<'_>, child: Option<u32>) {
        let rest = &place.key[self.prefix.min(place.key.len())..];
        if self.bytes.len() + rest.len() > usize::from(u16::MAX) {
            self.compact();
        }
        let slot = Slot {
            head: head(rest),
            offset: self.bytes.len() as u16,
            length: rest.len() as u16,
            row: place.row as u32,
        };
        self.bytes.extend_from_slice(rest);
        self.slots.insert(at, slot);
        if let Some(child) = child {
            self.children.insert(at, child);
        }
    }

    pub(super) fn remove(&mut self, at: usize) {
        let slot = self.slots.remove(at);
        self.holes += usize::from(slot.length);
        if !self.children.is_empty() {
            self.children.remove(at);
        }
        if self.holes > CAPACITY / 4 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.holes);
        for slot in &mut self.slots {
            let from = usize::from(slot.offset);
            slot.offset = bytes.len() as u16;
            bytes.extend_from_slice(&self.bytes[from..from + usize::from(slot.length)]);
        }
        self.bytes = bytes;
        self.holes = 0;
    }

    /// The same entries between other bounds. Bounds only ever widen here or hold all entries.
    pub(super) fn with_bounds(&self, lower: Option<OwnedPlace>, upper: Option<OwnedPlace>) -> Node {
        let mut node = Node::new(lower, upper);
        node.copy_entries(self, 0, self.len());
        node
    }

    fn copy_entries(&mut self, from: &Node, start: usize, end: usize) {
        self.slots.reserve(from.len());
        for at in start..end {
            let place = from.place(at);
            self.insert(self.len(), place.borrow(), from.children.get(at).copied());
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
        for (at, slot) in self.slots.iter().enumerate() {
            sum += ENTRY + usize::from(slot.length);
            if sum > half {
                return at.clamp(1, (self.len() - 1).max(1));
            }
        }
        self.len() / 2
    }

    /// The shortest place after entry `at - 1` and not after entry `at`.
    pub(super) fn separator(&self, at: usize) -> OwnedPlace {
        let (left, right) = (self.place(at - 1), self.place(at));
        let common = left.key.iter().zip(&right.key).take_while(|(a, b)| a == b).count();
        if common == right.key.len() {
            return right;
        }
        OwnedPlace {
            key: right.key[..=common].to_vec(),
            row: 0,
        }
    }
}

/// By contents, however they came to lie in `bytes`.
impl std::hash::Hash for Node {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.lower.hash(state);
        self.upper.hash(state);
        self.children.hash(state);
        self.slots.len().hash(state);
        for slot in &self.slots {
            state.write_u32(slot.row);
            self.rest(slot).hash(state);
        }
    }
}
