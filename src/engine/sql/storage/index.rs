//! Indexes as callers see them: bytes whose order is the columns' order, to row ids.

use super::btree::{BTree, HeapKeys, IndexCursor, Keys};
use super::ids::{IndexId, RelationId, RowId, Xid};
use super::scan::Chain;
use super::tuple::TupleHeader;
use super::visibility::Remains;
use super::wal::Record;
use super::{Storage, StorageError};

/// Whether a key may be inserted into a unique index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unique {
    Free,
    /// A live row has the key.
    Taken(RowId),
    /// It depends on how this running transaction ends: wait for it and ask again.
    Wait(Xid),
}

impl Storage {
    /// Where an index finds its rows' keys.
    #[inline]
    fn keys_of(&self, index: IndexId, tree: &BTree) -> HeapKeys<'_> {
        HeapKeys {
            heap: self.objects.heap(tree.relation),
            key_of: self.definitions.get(index).map(|key_of| &**key_of),
        }
    }

    /// Writes to an index that may have to look at its rows.
    #[inline]
    pub(crate) fn with_keys<T>(&mut self, index: IndexId, write: impl FnOnce(&mut BTree, &dyn Keys) -> T) -> Option<T> {
        let (tree, heap) = self.objects.index_and_heap(index)?;
        let key_of = self.definitions.get(index).map(|key_of| &**key_of);
        Some(write(tree, &HeapKeys { heap, key_of }))
    }

    /// Adds an entry; nothing happens if it is there already.
    pub fn index_insert(&mut self, index: IndexId, key: &[u8], row: RowId) -> Result<(), StorageError> {
        BTree::check_key(key)?;
        let full = self.with_keys(index, |tree, keys| tree.insert_if_room(key, row, keys));
        if let Some(Err(leaf)) = full {
            // A leaf is split only if it has no entries to lose.
            self.remove_dead_from(index, leaf);
            let split = self.with_keys(index, |tree, keys| tree.insert(key, row, keys));
            if let Some((from, to)) = split.flatten() {
                self.leaf_split(index, from, to);
            }
        }
        self.wal.append(Xid::NONE, &Record::IndexInsert { index, key, row });
        Ok(())
    }

    /// Hands out all row ids with exactly this key, ascending. An entry may lead to a
    /// version with another key (see [`Storage::scan_for_build`]) or to none: use
    /// [`Storage::fetch_indexed`] and check the key again.
    #[inline]
    pub fn index_lookup(&self, index: IndexId, key: &[u8], found: impl FnMut(RowId)) {
        if let Some(tree) = self.objects.index(index) {
            tree.lookup(key, &self.keys_of(index, tree), found);
        }
    }

    /// The next entry of a scan; what is said at [`Storage::index_lookup`] holds here too.
    #[inline]
    pub fn index_next(&self, cursor: &mut IndexCursor) -> Option<RowId> {
        let tree = self.objects.index(cursor.index)?;
        cursor.next(tree, &self.keys_of(cursor.index, tree))
    }

    /// May (sub)transaction `xid` insert this key? Ask after the heap insertion of `row`, before
    /// `index_insert`; `row` is never in its own way.
    pub fn unique_conflict(&self, index: IndexId, relation: RelationId, key: &[u8], row: RowId, xid: Xid) -> Unique {
        let Some(tree) = self.objects.index(index) else {
            return Unique::Free;
        };
        let top = self.transactions.top_of(xid);
        let mut rows = Vec::new();
        tree.lookup(key, &self.keys_of(index, tree), |row| rows.push(row));
        for root in rows.into_iter().filter(|&root| root != row) {
            match self.liveness(relation, root, row, top) {
                Unique::Free => {}
                conflict => return conflict,
            }
        }
        Unique::Free
    }

    /// Is a version of the chain alive, as things are now, with what others have not yet committed?
    fn liveness(&self, relation: RelationId, root: RowId, except: RowId, top: Xid) -> Unique {
        let visibility = self.visibility();
        let chain = self.heap(relation).and_then(|heap| Chain::new(heap, root));
        let Some(mut chain) = chain else { return Unique::Free };
        while let Some((slot, header, _)) = chain.next(|header| visibility.writer(header)) {
            let at = RowId { page: root.page, slot };
            if at == except {
                return Unique::Free;
            }
            match self.judge_dirty(&header, top) {
                Dirty::Dead => {}
                Dirty::Alive => return Unique::Taken(at),
                Dirty::Depends(xid) => return Unique::Wait(xid),
            }
        }
        Unique::Free
    }

    fn judge_dirty(&self, header: &TupleHeader, top: Xid) -> Dirty {
        let visibility = self.visibility();
        let transactions = visibility.transactions;
        if !transactions.is_committed(header.xmin) && !transactions.is_part_of(header.xmin, Some(top)) {
            return if transactions.is_running(header.xmin) {
                Dirty::Depends(header.xmin)
            } else {
                Dirty::Dead
            };
        }
        let Some(writer) = visibility.writer(header) else {
            return Dirty::Alive;
        };
        if transactions.is_part_of(writer, Some(top)) || transactions.is_committed(writer) {
            return Dirty::Dead;
        }
        if transactions.is_running(writer) {
            Dirty::Depends(writer)
        } else {
            Dirty::Alive
        }
    }

    /// Is there no version at this entry's row id that anybody may want, now or later?
    fn leads_nowhere(&self, relation: RelationId, root: RowId, horizon: Xid) -> bool {
        let visibility = self.visibility();
        let Some(mut chain) = self.heap(relation).and_then(|heap| Chain::new(heap, root)) else {
            return true;
        };
        while let Some((_, header, _)) = chain.next(|header| visibility.writer(header)) {
            if visibility.remains(&header, horizon) != Remains::Dead {
                return false;
            }
        }
        true
    }

    /// Removes the entries of all leaves that lead to nothing.
    pub(crate) fn remove_dead_entries(&mut self, index: IndexId) {
        let Some(leaves) = self.objects.index(index).map(BTree::leaves) else {
            return;
        };
        for leaf in leaves {
            self.remove_dead_from(index, leaf);
        }
    }

    fn remove_dead_from(&mut self, index: IndexId, leaf: u32) {
        let Some(tree) = self.objects.index(index) else { return };
        let horizon = self.transactions.horizon();
        let dead: Vec<u16> = (0_u16..)
            .zip(tree.leaf_rows(leaf))
            .filter(|&(_, row)| self.leads_nowhere(tree.relation, row, horizon))
            .map(|(at, _)| at)
            .collect();
        if dead.is_empty() {
            return;
        }
        let merged = self.objects.index_mut(index).and_then(|tree| tree.remove(leaf, &dead));
        if let Some((from, to)) = merged {
            self.leaf_split(index, from, to);
        }
        self.wal.append(
            Xid::NONE,
            &Record::IndexRemove {
                index,
                leaf,
                entries: dead,
            },
        );
    }
}

/// A version's state for one who must know what may yet be committed (PostgreSQL's dirty snapshot).
enum Dirty {
    Dead,
    Alive,
    Depends(Xid),
}
