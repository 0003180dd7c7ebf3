//! A slotted page of 8 KiB.
//!
//! ```text
//! 0        32       lower          upper            8192
//! │ header │ slot 1 slot 2 … │ free │ … tuple 2 tuple 1 │
//! ```
//!
//! A slot is four bytes: state (2 bits) and offset (14 bits), then the tuple's length. A redirect's
//! offset is the slot that it leads to. Slots count from 1, as in PostgreSQL. Tuples never move but in
//! [`Page::compact`], slots never move at all.

use super::ids::Xid;
use super::tuple::{HEADER, TupleHeader};

/// Bytes of a page.
pub(crate) const PAGE: usize = 8192;
const START: usize = 32;
/// Versions that a page remembers as removed or replaced.
pub(crate) const REMEMBERED: usize = 6;
const SLOT: usize = 4;
/// The bit of a slot's length that marks a long row.
const LONG: u16 = 1 << 15;
/// The longest tuple (with its header) that fits a page.
pub(crate) const MAX_TUPLE: usize = PAGE - START - SLOT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Unused,
    /// `long`: its data is the number of a row that lies beside the pages.
    Tuple {
        offset: u16,
        length: u16,
        long: bool,
    },
    /// The root of a chain whose first versions were cleared away.
    Redirect(u16),
    /// Its tuple is gone, index entries may still lead here.
    Dead,
}

/// One page. Fields at its head: number of slots, `upper`, the oldest transaction whose end may allow
/// to clear something away, the number of unused slots, bytes that compaction would win, how many
/// versions were removed or replaced since the last pruning, and the place of one hole (so that in a full
/// page a row can be replaced again and again without compaction) and the slots of the versions last removed or replaced.
#[derive(Clone)]
pub(crate) struct Page {
    bytes: [u8; PAGE],
}

impl Page {
    pub(crate) fn new() -> Page {
        let mut page = Page { bytes: [0; PAGE] };
        page.set_half(2, PAGE as u16);
        page
    }

    #[inline]
    fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    #[inline]
    fn set_half(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// Slots in use or not, numbered from 1 to this.
    #[inline]
    pub(crate) fn slots(&self) -> u16 {
        self.half(0)
    }

    fn upper(&self) -> usize {
        usize::from(self.half(2))
    }

    /// The oldest transaction that removed or replaced something here; `NONE` if none did.
    pub(crate) fn prunable(&self) -> Xid {
        Xid(u32::from_le_bytes([
            self.bytes[4],
            self.bytes[5],
            self.bytes[6],
            self.bytes[7],
        ]))
    }

    fn set_prunable(&mut self, xid: Xid) {
        self.bytes[4..8].copy_from_slice(&xid.0.to_le_bytes());
    }

    /// Notes that `xid` removes or replaces the version in `slot`.
    pub(crate) fn note_replaced(&mut self, slot: u16, xid: Xid) {
        let old = self.prunable();
        if old == Xid::NONE || xid < old {
            self.set_prunable(xid);
        }
        let count = usize::from(self.replaced());
        if count < REMEMBERED {
            self.set_half(20 + 2 * count, slot);
        }
        self.set_half(12, self.replaced().saturating_add(1));
    }

    /// Versions removed or replaced here that pruning has not yet cleared away.
    pub(crate) fn replaced(&self) -> u16 {
        self.half(12)
    }

    /// Their slots, oldest first, or nothing if there are too many to remember.
    pub(crate) fn replaced_slots(&self) -> Option<impl Iterator<Item = u16> + '_> {
        let count = usize::from(self.replaced());
        (count <= REMEMBERED).then(|| (0..count).map(|at| self.half(20 + 2 * at)))
    }

    /// The page has been pruned; these slots and their transactions must wait.
    pub(crate) fn note_pruned(&mut self, waiting: &[(u16, Xid)]) {
        self.set_prunable(Xid::NONE);
        self.set_half(12, 0);
        self.bytes[20..20 + 2 * REMEMBERED].fill(0);
        for &(slot, xid) in waiting {
            self.note_replaced(slot, xid);
        }
    }

    /// The slot that leads on to this one by a redirect.
    pub(crate) fn redirect_to(&self, slot: u16) -> Option<u16> {
        let wanted = (2 << 14 | slot).to_le_bytes();
        let slots = &self.bytes[START..START + SLOT * usize::from(self.slots())];
        slots
            .chunks_exact(SLOT)
            .position(|raw| raw[..2] == wanted)
            .map(|at| at as u16 + 1)
    }

    fn unused_slots(&self) -> u16 {
        self.half(8)
    }

    fn holes(&self) -> usize {
        usize::from(self.half(10))
    }

    fn add_holes(&mut self, bytes: usize) {
        self.set_half(10, (self.holes() + bytes) as u16);
    }

    /// Where one of the holes lies: offset and length.
    fn hole(&self) -> (usize, usize) {
        (usize::from(self.half(16)), usize::from(self.half(18)))
    }

    fn set_hole(&mut self, offset: usize, length: usize) {
        self.set_half(16, offset as u16);
        self.set_half(18, length as u16);
    }

    #[inline]
    fn slot_at(slot: u16) -> usize {
        START + SLOT * (usize::from(slot) - 1)
    }

    #[inline]
    pub(crate) fn slot(&self, slot: u16) -> Slot {
        if slot == 0 || slot > self.slots() {
            return Slot::Unused;
        }
        let at = Self::slot_at(slot);
        let word = self.half(at);
        let offset = word & 0x3fff;
        match word >> 14 {
            1 => {
                let length = self.half(at + 2);
                Slot::Tuple {
                    offset,
                    length: length & !LONG,
                    long: length & LONG != 0,
                }
            }
            2 => Slot::Redirect(offset),
            3 => Slot::Dead,
            _ => Slot::Unused,
        }
    }

    fn set_slot(&mut self, slot: u16, value: Slot) {
        let at = Self::slot_at(slot);
        let (word, length) = match value {
            Slot::Unused => (0, 0),
            Slot::Tuple { offset, length, long } => (1 << 14 | offset, length | if long { LONG } else { 0 }),
            Slot::Redirect(target) => (2 << 14 | target, 0),
            Slot::Dead => (3 << 14, 0),
        };
        self.set_half(at, word);
        self.set_half(at + 2, length);
    }

    /// Header and data of the version in a slot, and whether the data is a long row's number.
    #[inline]
    pub(crate) fn tuple(&self, slot: u16) -> Option<(TupleHeader, &[u8], bool)> {
        match self.slot(slot) {
            Slot::Tuple { offset, length, long } => {
                let tuple = self
                    .bytes
                    .get(usize::from(offset)..usize::from(offset) + usize::from(length))?;
                Some((TupleHeader::read(tuple), tuple.get(HEADER..)?, long))
            }
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn header(&self, slot: u16) -> Option<TupleHeader> {
        self.tuple(slot).map(|(header, ..)| header)
    }

    /// Nothing has removed, replaced or locked the version in this slot: the most frequent case, told from one
    /// word of its header.
    #[inline]
    pub(crate) fn is_untouched(&self, slot: u16) -> bool {
        let word = self.half(Self::slot_at(slot));
        word >> 14 == 1 && TupleHeader::is_untouched(&self.bytes[usize::from(word & 0x3fff)..])
    }

    pub(crate) fn set_header(&mut self, slot: u16, header: &TupleHeader) {
        if let Slot::Tuple { offset, .. } = self.slot(slot) {
            header.write(&mut self.bytes[usize::from(offset)..]);
        }
    }

    /// Bytes for a tuple that [`Page::place`] can place, compacting if need be.
    pub(crate) fn room(&self) -> usize {
        let slot = if self.unused_slots() > 0 { 0 } else { SLOT };
        (self.upper() + self.holes()).saturating_sub(START + SLOT * usize::from(self.slots()) + slot)
    }

    /// The slot that a new tuple takes.
    pub(crate) fn free_slot(&self) -> u16 {
        if self.unused_slots() > 0
            && let Some(slot) = (1..=self.slots()).find(|&slot| self.slot(slot) == Slot::Unused)
        {
            return slot;
        }
        self.slots() + 1
    }

    /// Places a tuple into a free or new slot. There must be room ([`Page::room`]).
    pub(crate) fn place(&mut self, slot: u16, header: &TupleHeader, data: &[u8], long: bool) {
        let length = HEADER + data.len();
        while self.slots() < slot {
            if START + SLOT * (usize::from(self.slots()) + 1) > self.upper() {
                self.compact();
            }
            let fresh = self.slots() + 1;
            self.set_half(0, fresh);
            self.set_slot(fresh, Slot::Unused);
            self.set_half(8, self.unused_slots() + 1);
        }
        let offset = self.space_for(length);
        header.write(&mut self.bytes[offset..offset + HEADER]);
        self.bytes[offset + HEADER..offset + length].copy_from_slice(data);
        self.set_slot(
            slot,
            Slot::Tuple {
                offset: offset as u16,
                length: length as u16,
                long,
            },
        );
        self.set_half(8, self.unused_slots().saturating_sub(1));
    }

    /// Takes the known hole, or free space at `upper`, after compaction if need be.
    fn space_for(&mut self, length: usize) -> usize {
        let (hole, size) = self.hole();
        if size >= length {
            self.set_hole(hole + length, size - length);
            self.set_half(10, (self.holes() - length) as u16);
            return hole;
        }
        if self.upper() - (START + SLOT * usize::from(self.slots())) < length {
            self.compact();
        }
        let offset = self.upper() - length;
        self.set_half(2, offset as u16);
        offset
    }

    /// Ends a slot's tuple (if it has one) and gives the slot another meaning.
    pub(crate) fn clear(&mut self, slot: u16, value: Slot) {
        match self.slot(slot) {
            Slot::Tuple { offset, length, .. } => {
                self.add_holes(usize::from(length));
                if usize::from(length) > self.hole().1 {
                    self.set_hole(usize::from(offset), usize::from(length));
                }
                self.bytes[usize::from(offset)..usize::from(offset) + usize::from(length)].fill(0);
            }
            Slot::Unused => self.set_half(8, self.unused_slots().saturating_sub(1)),
            Slot::Redirect(_) | Slot::Dead => {}
        }
        if value == Slot::Unused {
            self.set_half(8, self.unused_slots() + 1);
        }
        self.set_slot(slot, value);
    }

    /// Moves all tuples to the end, so that the free space is one piece.
    fn compact(&mut self) {
        let old = self.bytes;
        let mut upper = PAGE;
        for slot in 1..=self.slots() {
            if let Slot::Tuple { offset, length, long } = self.slot(slot) {
                let (from, size) = (usize::from(offset), usize::from(length));
                upper -= size;
                self.bytes[upper..upper + size].copy_from_slice(&old[from..from + size]);
                self.set_slot(
                    slot,
                    Slot::Tuple {
                        offset: upper as u16,
                        length,
                        long,
                    },
                );
            }
        }
        // What is free is zero: equal contents have equal bytes.
        let lower = START + SLOT * usize::from(self.slots());
        self.bytes[lower..upper].fill(0);
        self.set_half(2, upper as u16);
        self.set_half(10, 0);
        self.set_hole(0, 0);
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut list = f.debug_map();
        for slot in 1..=self.slots() {
            list.entry(&slot, &self.slot(slot));
        }
        list.finish()
    }
}

impl std::hash::Hash for Page {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use base::random::Stream;

    use super::*;
    use crate::storage::ids::{CommandId, RowId};
    use crate::storage::tuple::Flags;

    fn header(xmin: u32) -> TupleHeader {
        TupleHeader {
            xmin: Xid(xmin),
            xmax: Xid::NONE,
            next: RowId { page: 7, slot: 3 },
            command: CommandId(9),
            flags: Flags(Flags::XMAX_INVALID | Flags::COMBO),
        }
    }

    fn add(page: &mut Page, header: &TupleHeader, data: &[u8]) -> Option<u16> {
        let slot = (page.room() >= HEADER + data.len()).then(|| page.free_slot())?;
        page.place(slot, header, data, false);
        Some(slot)
    }

    #[test]
    fn a_page_behaves_as_a_map_from_slots_to_tuples() {
        for seed in 0..50 {
            let mut random = Stream::new(seed, "page", 0);
            let mut page = Page::new();
            let mut model: std::collections::BTreeMap<u16, (u32, Vec<u8>)> = Default::default();
            for step in 0..400_u32 {
                if random.chance(2, 3) {
                    let data = vec![step as u8; random.below(300) as usize];
                    let room = page.room();
                    match add(&mut page, &header(step), &data) {
                        Some(slot) => assert_eq!(model.insert(slot, (step, data)), None, "seed {seed}"),
                        None => assert!(room < HEADER + data.len(), "seed {seed}: refused though there is room"),
                    }
                } else if let Some(&slot) = model.keys().nth(random.below(model.len() as u64) as usize) {
                    model.remove(&slot);
                    page.clear(slot, Slot::Unused);
                }
                for (&slot, (xmin, data)) in &model {
                    assert_eq!(
                        page.tuple(slot),
                        Some((header(*xmin), data.as_slice(), false)),
                        "seed {seed} step {step}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_largest_tuple_fits_an_empty_page_exactly() {
        let mut page = Page::new();
        assert_eq!(page.room(), MAX_TUPLE);
        assert_eq!(add(&mut page, &header(3), &vec![1; MAX_TUPLE - HEADER]), Some(1));
        assert_eq!(page.room(), 0);
    }
}
