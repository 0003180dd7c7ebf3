//! Clearing away versions that nobody can see any more.
//!
//! *Pruning* works within a page, when a writer finds it full or many times changed: the dead versions
//! at the beginning of a chain go, its first slot leads on to the first living one (index entries still
//! find it) or is marked dead. *Vacuum* then also removes the index entries of dead slots, and the slots.

use super::Storage;
use super::ids::{RelationId, Xid};
use super::page::{Page, REMEMBERED, Slot};
use super::tuple::Flags;
use super::visibility::{Remains, Visibility};
use super::wal::Record;

/// How much of a page is looked at.
#[derive(Clone, Copy)]
enum Scope {
    /// The versions that it remembers as removed or replaced.
    Replaced,
    Page,
}

impl Storage {
    /// Prunes the page if that may be needed to place `needed` bytes, or if chains may have grown long.
    pub(crate) fn make_room(&mut self, relation: RelationId, number: u32, needed: usize) {
        let Some(page) = self.heap(relation).and_then(|heap| heap.page(number)) else {
            return;
        };
        if page.prunable() == Xid::NONE || (page.room() >= needed && usize::from(page.replaced()) < REMEMBERED) {
            return;
        }
        let horizon = self.transactions.horizon();
        if page.prunable() >= horizon {
            return;
        }
        if page.replaced_slots().is_some() {
            self.prune(relation, number, horizon, Scope::Replaced);
        }
        let full = self
            .heap(relation)
            .and_then(|heap| heap.page(number))
            .is_some_and(|page| page.prunable() != Xid::NONE && page.prunable() < horizon && page.room() < needed);
        if full {
            self.prune(relation, number, horizon, Scope::Page);
        }
    }

    /// How many removed or replaced versions are still needed.
    fn prune(&mut self, relation: RelationId, number: u32, horizon: Xid, scope: Scope) -> u64 {
        let Some(heap) = self.heap(relation) else { return 0 };
        let Some(page) = heap.page(number) else { return 0 };
        let indexed = !heap.indexes.is_empty();
        let mut pruning = Pruning::new(page, number, self.visibility(), horizon, indexed);
        match scope {
            Scope::Replaced => pruning.judge_replaced(),
            Scope::Page => pruning.judge_all(),
        }
        let Pruning { cleared, waiting, .. } = pruning;
        self.heap_mut(relation).clear(number, &cleared, &waiting);
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
        waiting.len() as u64
    }

    /// Clears away all versions that nobody can see any more, with their index entries. Returns how many
    /// slots became free.
    pub fn vacuum(&mut self, relation: RelationId) -> u64 {
        let horizon = self.transactions.horizon();
        let Some(heap) = self.heap(relation) else { return 0 };
        let (pages, indexes) = (heap.page_count(), heap.indexes.clone());
        let kept = (0..pages)
            .map(|page| self.prune(relation, page, horizon, Scope::Page))
            .sum();
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
            self.heap_mut(relation).clear_slots(page, &dead);
            self.wal.append(
                Xid::NONE,
                &Record::Clear {
                    relation,
                    page,
                    slots: dead,
                },
            );
        }
        // What is still needed is looked at again only when as much has come together anew.
        let heap = self.heap_mut(relation);
        (heap.dead, heap.kept) = (0, kept);
        freed
    }

    /// Notes that a heap has so many dead versions that it should be vacuumed: more than 50 and a fifth
    /// of its live rows (PostgreSQL's autovacuum_vacuum_threshold and _scale_factor).
    #[inline]
    pub(crate) fn note_dead(&mut self, relation: RelationId) {
        if self.heap(relation).is_some_and(|heap| heap.dead > 50 + heap.live / 5)
            && !self.vacuum_due.contains(&relation)
        {
            self.vacuum_due.push(relation);
        }
    }

    /// Vacuums what has become due. Nobody's time is charged for it, as PostgreSQL's autovacuum works beside
    /// the sessions.
    #[inline]
    pub(crate) fn vacuum_what_is_due(&mut self) {
        while let Some(relation) = self.vacuum_due.pop() {
            self.vacuum(relation);
        }
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
    /// Versions removed or replaced that somebody may still need, and by whom.
    waiting: Vec<(u16, Xid)>,
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
            waiting: Vec::new(),
        }
    }

    /// Looks only at the versions that the page remembers as removed or replaced: the frequent case of a
    /// full page whose rows are replaced one after another.
    fn judge_replaced(&mut self) {
        for slot in self.page.replaced_slots().into_iter().flatten() {
            self.judge_one(slot);
        }
    }

    fn judge_one(&mut self, slot: u16) {
        let Some(header) = self.page.header(slot) else { return };
        let Some(writer) = self.visibility.writer(&header) else {
            return;
        };
        if self.visibility.remains(&header, self.horizon) != Remains::Dead {
            if !self.visibility.transactions.is_committed(writer) && !self.visibility.transactions.is_running(writer) {
                return;
            }
            self.waiting.push((slot, writer));
            return;
        }
        // The chain's first slot leads here, or is this one. Else versions before this one are still needed.
        let root = if header.flags.has(Flags::HEAP_ONLY) {
            self.root_before(slot)
        } else {
            Some(slot)
        };
        let Some(root) = root else {
            self.waiting.push((slot, writer));
            return;
        };
        let survivor = (header.flags.has(Flags::HOT_UPDATED) && header.next.page == self.number)
            .then_some(header.next.slot)
            .filter(|&next| self.page.header(next).is_some_and(|next| next.xmin == writer));
        if slot != root {
            self.clear(slot, Slot::Unused);
        }
        let meaning = survivor.map_or(self.nothing(), Slot::Redirect);
        self.cleared.retain(|&(known, _)| known != root);
        self.cleared.push((root, meaning));
    }

    /// The redirect that leads to the slot, as things will be.
    fn root_before(&self, slot: u16) -> Option<u16> {
        let now = self
            .cleared
            .iter()
            .find(|&&(_, value)| value == Slot::Redirect(slot))
            .map(|&(root, _)| root);
        now.or_else(|| self.page.redirect_to(slot))
    }

    fn judge_all(&mut self) {
        for slot in 1..=self.page.slots() {
            if self.page.is_untouched(slot) {
                continue;
            }
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
            && writer >= self.horizon
        {
            self.waiting.push((slot, writer));
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
