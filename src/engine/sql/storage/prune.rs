//! Clearing away versions that nobody can see any more.
//!
//! *Pruning* works within a page, when a writer finds it full or many times changed: the dead versions
//! at the beginning of a chain go, its first slot leads on to the first living one (index entries still
//! find it) or is marked dead. *Vacuum* then also removes the index entries of dead slots, and the slots.

use super::Storage;
use super::ids::{RelationId, RowId, Xid};
use super::page::{Page, Slot};
use super::tuple::Flags;
use super::visibility::{Remains, Visibility};
use super::wal::Record;

/// Replaced versions on a page that make pruning worth while though there is room: chains stay short.
const MANY: u16 = 16;

impl Storage {
    /// Prunes the page if that may be needed to place `needed` bytes, or if chains may have grown long.
    pub(crate) fn make_room(&mut self, relation: RelationId, page: u32, needed: usize) {
        let Some(target) = self.heap(relation).and_then(|heap| heap.page(page)) else {
            return;
        };
        if target.prunable() == Xid::NONE || (target.room() >= needed && target.replaced() < MANY) {
            return;
        }
        let horizon = self.transactions.horizon();
        if target.prunable() < horizon {
            self.prune(relation, page, horizon);
        }
    }

    fn prune(&mut self, relation: RelationId, number: u32, horizon: Xid) {
        let Some(heap) = self.heap(relation) else { return };
        let Some(page) = heap.page(number) else { return };
        let indexed = !heap.indexes.is_empty();
        let mut pruning = Pruning::new(page, number, self.visibility(), horizon, indexed);
        pruning.judge();
        let Pruning { cleared, prunable, .. } = pruning;
        let heap = self.heap_mut(relation);
        heap.clear(number, &cleared, prunable);
        if !cleared.is_empty() {
            self.wal.append(
                Xid::NONE,
                &Record::Clear {
                    relation,
                    page: number,
                    slots: cleared,
                },
            );
        }
    }

    /// Clears away all versions that nobody can see any more, with their index entries. Returns how many
    /// slots became free.
    pub fn vacuum(&mut self, relation: RelationId) -> u64 {
        let horizon = self.transactions.horizon();
        let Some(heap) = self.heap(relation) else { return 0 };
        let (pages, indexes) = (heap.page_count(), heap.indexes.clone());
        for page in 0..pages {
            self.prune(relation, page, horizon);
        }
        for index in indexes {
            self.remove_dead_entries(index);
        }
        let mut freed = 0;
        for page in 0..pages {
            let Some(target) = self.heap(relation).and_then(|heap| heap.page(page)) else {
                continue;
            };
            let dead: Vec<(u16, Slot)> = (1..=target.slots())
                .filter(|&slot| target.slot(slot) == Slot::Dead)
                .map(|slot| (slot, Slot::Unused))
                .collect();
            if dead.is_empty() {
                continue;
            }
            freed += dead.len() as u64;
            let prunable = target.prunable();
            self.heap_mut(relation).clear(page, &dead, prunable);
            self.wal.append(
                Xid::NONE,
                &Record::Clear {
                    relation,
                    page,
                    slots: dead,
                },
            );
        }
        self.heap_mut(relation).dead = 0;
        freed
    }

    /// Whether enough versions were removed or replaced for a vacuum: more than 50 and a fifth of the
    /// live rows (PostgreSQL's autovacuum_vacuum_threshold and _scale_factor).
    pub fn needs_vacuum(&self, relation: RelationId) -> bool {
        self.heap(relation).is_some_and(|heap| heap.dead > 50 + heap.live / 5)
    }

    /// Does this slot lead to nothing that an index scan could want?
    pub(crate) fn leads_nowhere(&self, relation: RelationId, row: RowId) -> bool {
        self.heap(relation)
            .and_then(|heap| heap.page(row.page))
            .is_none_or(|page| match page.slot(row.slot) {
                Slot::Dead | Slot::Unused => true,
                Slot::Redirect(_) => false,
                Slot::Tuple { .. } => page
                    .header(row.slot)
                    .is_some_and(|header| header.flags.has(Flags::HEAP_ONLY)),
            })
    }
}

/// What is found out about one page.
struct Pruning<'a> {
    page: &'a Page,
    number: u32,
    visibility: Visibility<'a>,
    horizon: Xid,
    /// Index entries may lead to a chain's first slot.
    indexed: bool,
    cleared: Vec<(u16, Slot)>,
    /// The oldest transaction whose end may allow more.
    prunable: Xid,
}

impl<'a> Pruning<'a> {
    fn new(page: &'a Page, number: u32, visibility: Visibility<'a>, horizon: Xid, indexed: bool) -> Pruning<'a> {
        Pruning {
            page,
            number,
            visibility,
            horizon,
            indexed,
            cleared: Vec::new(),
            prunable: Xid::NONE,
        }
    }

    fn judge(&mut self) {
        for slot in 1..=self.page.slots() {
            match self.page.slot(slot) {
                Slot::Unused | Slot::Dead => {}
                Slot::Redirect(target) => self.judge_chain(slot, Some(target)),
                Slot::Tuple { .. } => self.judge_tuple(slot),
            }
        }
    }

    fn judge_tuple(&mut self, slot: u16) {
        let Some(header) = self.page.header(slot) else { return };
        if let Some(writer) = self.visibility.writer(&header)
            && (self.prunable == Xid::NONE || writer < self.prunable)
            && writer >= self.horizon
        {
            self.prunable = writer;
        }
        if !header.flags.has(Flags::HEAP_ONLY) {
            self.judge_chain(slot, None);
        } else if !header.flags.has(Flags::HOT_UPDATED)
            && self.visibility.remains(&header, self.horizon) == Remains::Dead
            && !self.visibility.transactions.is_committed(header.xmin)
        {
            // Made by a transaction that was rolled back: no chain leads here, or one that ends here.
            self.clear(slot, Slot::Unused);
        }
    }

    fn clear(&mut self, slot: u16, value: Slot) {
        if !self.cleared.iter().any(|&(known, _)| known == slot) {
            self.cleared.push((slot, value));
        }
    }

    /// Follows a chain from its first slot and clears its dead beginning.
    fn judge_chain(&mut self, root: u16, redirect: Option<u16>) {
        let mut dead: Vec<u16> = Vec::new();
        let mut seen: Vec<u16> = Vec::new();
        let mut slot = redirect.unwrap_or(root);
        let mut maker = None;
        let mut ended = false;
        while let Some(header) = self.page.header(slot) {
            if maker.is_some_and(|maker| maker != header.xmin) {
                break;
            }
            let remains = self.visibility.remains(&header, self.horizon);
            if remains == Remains::Live && seen.is_empty() {
                return;
            }
            seen.push(slot);
            match remains {
                Remains::Dead => dead.clone_from(&seen),
                Remains::RecentlyDead => {}
                Remains::Live => break,
            }
            if !header.flags.has(Flags::HOT_UPDATED) || header.next.page != self.number {
                ended = true;
                break;
            }
            maker = self.visibility.writer(&header);
            slot = header.next.slot;
        }
        let Some(&last_dead) = dead.last() else {
            if redirect.is_some() && seen.is_empty() {
                self.clear(root, self.nothing());
            }
            return;
        };
        let next = self
            .page
            .header(last_dead)
            .filter(|header| header.flags.has(Flags::HOT_UPDATED))
            .map(|h| h.next.slot);
        for &slot in dead.iter().filter(|&&slot| slot != root) {
            self.clear(slot, Slot::Unused);
        }
        let survivor = next.filter(|next| !(ended && seen.last() == Some(&last_dead)) && seen.contains(next));
        self.clear(root, survivor.map_or(self.nothing(), Slot::Redirect));
    }

    fn nothing(&self) -> Slot {
        if self.indexed { Slot::Dead } else { Slot::Unused }
    }
}
