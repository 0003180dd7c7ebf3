//! The entries of a node, in order: of each key's rest (what follows the node's common prefix) its first
//! bytes, its length, and the row id.
//!
//! ```text
//! slot: │ head:8 │ row:4 │ flags:4 length:12 │ place:2 │
//! ```
//!
//! The head is the rest's first eight bytes, zeros after its end; most comparisons end there. What more is
//! known of the rest, its tail, lies among all entries' tails at `place`. A whole entry's rest is known to its end.
//! Of a *cut* one only a part is; `place` then counts it (without a tail), or the tail's length stands before the tail.

use std::cmp::Ordering;
use std::ops::Range;

/// Bytes of a key's rest that a slot has.
pub(super) const HEAD: usize = 8;
/// Slots that lie side by side in memory.
const LINE: usize = 4;
/// Bytes of removed tails that are let lie.
const HOLES: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Slot {
    head: u64,
    row: u32,
    length: u16,
    place: u16,
}

const LENGTH: u16 = 0x0fff;
/// More of the rest is known than the head.
const TAIL: u16 = 1 << 12;
/// Less of the rest is known than all.
const CUT: u16 = 1 << 13;
/// Must not be cut.
const PINNED: u16 = 1 << 14;

impl Slot {
    fn is(&self, flag: u16) -> bool {
        self.length & flag != 0
    }

    /// Of the whole rest.
    fn length(&self) -> usize {
        usize::from(self.length & LENGTH)
    }
}

/// What is known of an entry's rest, and about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) bytes: &'a [u8],
    /// Of the whole rest.
    pub(super) length: usize,
    pub(super) pinned: bool,
}

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    slots: Vec<Slot>,
    tails: Vec<u8>,
    /// Bytes of removed tails among `tails`.
    holes: usize,
    /// Bytes of all rests together, known or not.
    rests: usize,
}

#[inline]
fn head(rest: &[u8]) -> u64 {
    if let Some(first) = rest.first_chunk::<HEAD>() {
        return u64::from_be_bytes(*first);
    }
    rest.iter()
        .zip((0..HEAD).rev())
        .fold(0, |head, (&byte, place)| head | u64::from(byte) << (8 * place))
}

fn after_head(rest: &[u8]) -> &[u8] {
    rest.get(HEAD..).unwrap_or_default()
}

/// Bytes that two have in common at their beginnings.
pub(super) fn shared(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Entries {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(super) fn row(&self, at: usize) -> u32 {
        self.slots[at].row
    }

    /// Bytes of an entry's whole rest.
    pub(super) fn length(&self, at: usize) -> usize {
        self.slots[at].length()
    }

    /// Bytes of all rests together.
    pub(super) fn rests(&self) -> usize {
        self.rests
    }

    #[inline]
    pub(super) fn is_cut(&self, at: usize) -> bool {
        self.slots[at].is(CUT)
    }

    pub(super) fn is_pinned(&self, at: usize) -> bool {
        self.slots[at].is(PINNED)
    }

    /// Bytes of memory.
    pub(super) fn allocated(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.tails.capacity()
    }

    #[inline(always)]
    fn tail(&self, slot: &Slot) -> &[u8] {
        if !slot.is(TAIL) {
            return &[];
        }
        let place = usize::from(slot.place);
        if slot.is(CUT) {
            let start = place + 2;
            let length = u16::from_le_bytes([self.tails[place], self.tails[place + 1]]);
            return &self.tails[start..start + usize::from(length)];
        }
        &self.tails[place..place + slot.length() - HEAD]
    }

    /// Bytes that are known of an entry's rest.
    fn known_length(&self, slot: &Slot) -> usize {
        if slot.is(TAIL) {
            HEAD + self.tail(slot).len()
        } else if slot.is(CUT) {
            usize::from(slot.place)
        } else {
            slot.length()
        }
    }

    /// Appends what is known of an entry's rest.
    pub(super) fn known(&self, at: usize, into: &mut Vec<u8>) {
        let slot = &self.slots[at];
        into.extend_from_slice(&slot.head.to_be_bytes()[..self.known_length(slot).min(HEAD)]);
        into.extend_from_slice(self.tail(slot));
    }

    /// How many of an entry's known bytes are also the first ones of `rest`, and whether they are all that is known.
    pub(super) fn shared_with(&self, at: usize, rest: &[u8]) -> (usize, bool) {
        let slot = &self.slots[at];
        let known = self.known_length(slot);
        let differing = slot.head ^ head(rest);
        let mut common = (differing.leading_zeros() as usize / 8).min(known).min(rest.len());
        if common == HEAD {
            common += shared(self.tail(slot), after_head(rest));
        }
        (common, common == known)
    }

    /// Is this the rest of a whole entry?
    #[inline]
    pub(super) fn is_whole(&self, at: usize, rest: &[u8]) -> bool {
        let slot = &self.slots[at];
        slot.length & (LENGTH | CUT) == rest.len() as u16
            && slot.head == head(rest)
            && (rest.len() <= HEAD || self.tail(slot) == &rest[HEAD..])
    }

    /// The first entry that is not before this rest and row. A cut one that the rest begins with counts as before it.
    /// In an inner node the first entry stands for minus infinity.
    #[inline]
    pub(super) fn lower_bound(&self, rest: &[u8], row: u64, inner: bool) -> usize {
        let wanted = head(rest);
        let before = |slot: &Slot| slot.head < wanted || (slot.head == wanted && self.is_before(slot, rest, row));
        let around = self.around(wanted, usize::from(inner), before);
        around.start + self.slots[around].partition_point(before)
    }

    /// With equal heads. Most comparisons do not come here; kept out of line, the others are a few instructions.
    #[inline(never)]
    fn is_before(&self, slot: &Slot, rest: &[u8], row: u64) -> bool {
        if !slot.is(TAIL | CUT) && rest.len() <= HEAD {
            let length = slot.length();
            return length < rest.len() || (length == rest.len() && u64::from(slot.row) < row);
        }
        // Integers differ here: the last of their nine bytes.
        if let ([first], [other]) = (self.tail(slot), after_head(rest))
            && first != other
        {
            return first < other;
        }
        let order = self.tail(slot).cmp(after_head(rest));
        if slot.is(CUT) {
            return rest.len() >= self.known_length(slot).min(HEAD) && order != Ordering::Greater;
        }
        match order.then(slot.length().cmp(&rest.len())) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => u64::from(slot.row) < row,
        }
    }

    /// A few slots among which the first one that is not `before` lies, or just after them: first where it were if
    /// keys were evenly spread (numbers given one after another, random ones), then in growing steps from there.
    /// A binary search of all slots would wait for memory at each of its first steps.
    #[inline]
    fn around(&self, wanted: u64, from: usize, before: impl Fn(&Slot) -> bool) -> Range<usize> {
        let count = self.slots.len();
        let (Some(first), Some(last)) = (self.slots.get(from), self.slots.last()) else {
            return 0..count;
        };
        // Keys that only grow.
        if before(last) {
            return count..count;
        }
        let spread = last.head.saturating_sub(first.head);
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

    /// Makes room for exactly so many entries.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.slots.reserve_exact(entries);
    }

    pub(super) fn insert(&mut self, at: usize, row: u32, known: Known<'_>) {
        if self.slots.len() == self.slots.capacity() {
            // Nodes are many and stay: an eighth to spare, not as much again.
            self.slots.reserve_exact((self.slots.len() / 8).max(4));
        }
        let slot = self.slot(row, known);
        self.slots.insert(at, slot);
        self.rests += known.length;
    }

    /// More is known now of an entry.
    pub(super) fn learn(&mut self, at: usize, bytes: &[u8]) {
        let old = self.slots[at];
        self.forget(&old);
        self.slots[at].length &= !TAIL;
        let known = Known {
            bytes,
            length: old.length(),
            pinned: old.is(PINNED),
        };
        self.slots[at] = self.slot(old.row, known);
    }

    fn slot(&mut self, row: u32, known: Known<'_>) -> Slot {
        let mut slot = Slot {
            head: head(known.bytes),
            row,
            length: known.length as u16 | if known.pinned { PINNED } else { 0 },
            place: 0,
        };
        let tail = after_head(known.bytes);
        let cut = known.bytes.len() < known.length;
        if cut {
            slot.length |= CUT;
            slot.place = known.bytes.len() as u16;
        }
        if !tail.is_empty() {
            if self.tails.len() + tail.len() + 2 > usize::from(u16::MAX) || self.holes > HOLES {
                self.compact();
            }
            if self.tails.len() + tail.len() + 2 > self.tails.capacity() {
                self.tails
                    .reserve_exact((tail.len() + 2).max(32).max(self.tails.len() / 8));
            }
            slot.length |= TAIL;
            slot.place = self.tails.len() as u16;
            if cut {
                self.tails.extend_from_slice(&(tail.len() as u16).to_le_bytes());
            }
            self.tails.extend_from_slice(tail);
        }
        slot
    }

    pub(super) fn remove(&mut self, at: usize) {
        let slot = self.slots.remove(at);
        self.rests -= slot.length();
        self.forget(&slot);
    }

    fn forget(&mut self, slot: &Slot) {
        self.holes += self.tail_bytes(slot);
    }

    /// Bytes among `tails` that are a slot's.
    fn tail_bytes(&self, slot: &Slot) -> usize {
        match self.tail(slot).len() {
            0 => 0,
            length => length + if slot.is(CUT) { 2 } else { 0 },
        }
    }

    fn compact(&mut self) {
        let mut tails = Vec::with_capacity(self.tails.len() - self.holes);
        for at in 0..self.slots.len() {
            let slot = self.slots[at];
            let length = self.tail_bytes(&slot);
            if length > 0 {
                let from = usize::from(slot.place);
                self.slots[at].place = tails.len() as u16;
                tails.extend_from_slice(&self.tails[from..from + length]);
            }
        }
        self.tails = tails;
        self.holes = 0;
    }
}
