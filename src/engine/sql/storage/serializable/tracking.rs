//! Reading and writing in a serializable transaction: which rows, pages and relations are looked at.
//!
//! Each function here is a second form of one that other transactions use; it does the same and watches.

use super::target::{Space, Target};
use super::{Checked, SerialId};
use crate::storage::Storage;
use crate::storage::btree::IndexCursor;
use crate::storage::ids::{IndexId, RelationId, RowId, Xid};
use crate::storage::scan::{Chain, HeapCursor};
use crate::storage::transaction::Snapshot;

impl Storage {
    /// [`Storage::next_visible`]: the whole table is locked.
    pub fn next_visible_watched(
        &mut self,
        serial: SerialId,
        cursor: &mut HeapCursor,
        snapshot: &Snapshot,
    ) -> Checked<Option<RowId>> {
        if !self.watches(serial) {
            return Ok(self.next_visible(cursor, snapshot).map(|(row, _)| row));
        }
        if (cursor.page, cursor.slot) == (0, 0) {
            self.lock_for_reading(serial, Target::whole(Space::Heap(cursor.relation)));
        }
        let end = cursor.end;
        while cursor.page < end {
            if cursor.slot == 0 {
                self.look_at_page(serial, cursor.relation, cursor.page, snapshot)?;
            }
            cursor.end = cursor.page + 1;
            let found = self.next_visible(cursor, snapshot).map(|(row, _)| row);
            cursor.end = end;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// [`Storage::fetch_indexed`]: the version that is seen is locked.
    pub fn fetch_indexed_watched(
        &mut self,
        serial: SerialId,
        relation: RelationId,
        root: RowId,
        snapshot: &Snapshot,
    ) -> Checked<Option<RowId>> {
        if !self.watches(serial) {
            return Ok(self.fetch_indexed(relation, root, snapshot).map(|(row, _)| row));
        }
        let visibility = self.visibility();
        let mut unseen = Vec::new();
        let (mut found, mut any) = (None, false);
        if let Some(mut chain) = self.heap(relation).and_then(|heap| Chain::new(heap, root)) {
            while let Some((slot, header, _)) = chain.next(|header| visibility.writer(header)) {
                any = true;
                let seen = visibility.sees(snapshot, &header);
                unseen.extend(visibility.unseen_writer(&header, seen, snapshot));
                if seen {
                    found = Some((RowId { page: root.page, slot }, header.xmin));
                    break;
                }
            }
        }
        if any {
            self.flag_unseen(serial, &unseen)?;
        }
        let Some((row, maker)) = found else {
            return Ok(None);
        };
        if !self.transactions.is_part_of(maker, snapshot.own) {
            self.lock_for_reading(serial, Target::row(relation, row));
        }
        Ok(Some(row))
    }

    /// Before [`Storage::fetch`]: the version, if it is seen, is locked.
    pub fn watch_fetch(
        &mut self,
        serial: SerialId,
        relation: RelationId,
        row: RowId,
        snapshot: &Snapshot,
    ) -> Checked<()> {
        if !self.watches(serial) {
            return Ok(());
        }
        let header = self.heap(relation).and_then(|heap| heap.header(row));
        let Some(header) = header else { return Ok(()) };
        let visibility = self.visibility();
        let seen = visibility.sees(snapshot, &header);
        let unseen: Vec<Xid> = visibility.unseen_writer(&header, seen, snapshot).into_iter().collect();
        self.flag_unseen(serial, &unseen)?;
        if seen && !self.transactions.is_part_of(header.xmin, snapshot.own) {
            self.lock_for_reading(serial, Target::row(relation, row));
        }
        Ok(())
    }

    /// Before [`Storage::index_lookup`]: the leaves with the key are locked.
    pub fn watch_lookup(&mut self, serial: SerialId, index: IndexId, key: &[u8]) {
        let leaves = self.objects.index(index).map(|tree| tree.leaves_with(key));
        self.watch_leaves(serial, index, leaves.unwrap_or_default());
    }

    /// [`Storage::index_next`]: the leaves that are visited are locked.
    pub fn index_next_watched(&mut self, serial: SerialId, cursor: &mut IndexCursor) -> Option<RowId> {
        cursor.note_leaves();
        let entry = self.index_next(cursor);
        let leaves = cursor.take_leaves();
        self.watch_leaves(serial, cursor.index, leaves);
        entry
    }

    fn watch_leaves(&mut self, serial: SerialId, index: IndexId, leaves: Vec<u32>) {
        if !leaves.is_empty() && self.watches(serial) {
            for leaf in leaves {
                self.lock_for_reading(serial, Target::page(Space::Index(index), leaf));
            }
        }
    }

    /// Before a row is inserted: who has read the whole table?
    pub fn check_insert(&mut self, serial: SerialId, relation: RelationId) -> Checked<()> {
        self.check_write(serial, &[Target::whole(Space::Heap(relation))], true)
    }

    /// A row version is replaced or removed: who has read it? `top_level`: outside of any savepoint.
    pub fn check_change(&mut self, serial: SerialId, relation: RelationId, row: RowId, top_level: bool) -> Checked<()> {
        let space = Space::Heap(relation);
        let targets = [
            Target::row(relation, row),
            Target::page(space, row.page),
            Target::whole(space),
        ];
        self.check_write(serial, &targets, top_level)
    }

    /// Before an index entry is inserted: who has read that part of the index? In a unique index (`row` is none) any
    /// place among equal keys counts as the first.
    pub fn check_entry(&mut self, serial: SerialId, index: IndexId, key: &[u8], row: Option<RowId>) -> Checked<()> {
        let leaf = self.objects.index(index).map_or(0, |tree| tree.leaf_of(key, row));
        let space = Space::Index(index);
        self.check_write(serial, &[Target::page(space, leaf), Target::whole(space)], true)
    }

    /// A whole table goes, or is emptied: who has read any of it?
    pub fn check_table(&mut self, serial: SerialId, relation: RelationId) -> Checked<()> {
        let targets = self.serial.get().map(|state| state.targets_of(relation));
        self.check_write(serial, &targets.unwrap_or_default(), false)
    }

    /// From the finest grain to the coarsest.
    fn check_write(&mut self, serial: SerialId, targets: &[Target], top_level: bool) -> Checked<()> {
        let Some(state) = self.serial.get_mut() else {
            return Ok(());
        };
        state.check_doomed(serial, "conflict in checking")?;
        state.note_write(serial);
        for target in targets {
            state.conflict_in(serial, *target, top_level)?;
        }
        Ok(())
    }

    fn watches(&mut self, serial: SerialId) -> bool {
        let watches = self.serial.get_mut().is_some_and(|state| state.watches_reads(serial));
        self.serial.settle();
        watches
    }

    fn lock_for_reading(&mut self, serial: SerialId, target: Target) {
        if let Some(state) = self.serial.get_mut() {
            state.lock(serial, target);
        }
    }

    /// A scan reads a page at a time, whatever becomes of its rows.
    fn look_at_page(&mut self, serial: SerialId, relation: RelationId, page: u32, snapshot: &Snapshot) -> Checked<()> {
        let visibility = self.visibility();
        let Some((heap, page)) = self
            .heap(relation)
            .and_then(|heap| heap.page(page).map(|page| (heap, page)))
        else {
            return Ok(());
        };
        let (mut unseen, mut any) = (Vec::new(), false);
        for slot in 1..=page.slots() {
            if let Some((header, _)) = heap.tuple_on(page, slot) {
                any = true;
                let seen = visibility.sees(snapshot, &header);
                unseen.extend(visibility.unseen_writer(&header, seen, snapshot));
            }
        }
        if any { self.flag_unseen(serial, &unseen) } else { Ok(()) }
    }

    fn flag_unseen(&mut self, serial: SerialId, writers: &[Xid]) -> Checked<()> {
        let Some(state) = self.serial.get_mut() else {
            return Ok(());
        };
        state.check_doomed(serial, "conflict out checking")?;
        for writer in writers {
            state.conflict_out(serial, *writer)?;
        }
        Ok(())
    }
}
