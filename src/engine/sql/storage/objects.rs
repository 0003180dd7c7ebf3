//! Relations and indexes as wholes: made and dropped by transactions.

use std::hash::Hash;
use std::sync::Arc;

use super::Storage;
use super::btree::{BTree, KeyOf};
use super::heap::Heap;
use super::ids::{IndexId, RelationId, Xid};
use super::wal::{Object, Record};

/// The heaps and B-trees by number. Number 0 is nobody's.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Objects {
    heaps: Vec<Option<Arc<Heap>>>,
    indexes: Vec<Option<Arc<BTree>>>,
    /// Made by transactions that have not ended: gone when these roll back or are lost in a crash.
    created: Vec<(Xid, Object)>,
}

impl Objects {
    pub(crate) fn new() -> Objects {
        Objects {
            heaps: vec![None],
            indexes: vec![None],
            created: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn heap(&self, relation: RelationId) -> Option<&Heap> {
        self.heaps.get(relation.0 as usize)?.as_deref()
    }

    /// To write to. A relation that is written to exists: whoever writes holds its lock.
    #[inline]
    pub(crate) fn heap_mut(&mut self, relation: RelationId) -> &mut Heap {
        match self.heaps.get_mut(relation.0 as usize) {
            Some(Some(heap)) => Arc::make_mut(heap),
            _ => unreachable!("relation {} does not exist", relation.0),
        }
    }

    #[inline]
    pub(crate) fn index(&self, index: IndexId) -> Option<&BTree> {
        self.indexes.get(index.0 as usize)?.as_deref()
    }

    #[inline]
    pub(crate) fn index_mut(&mut self, index: IndexId) -> Option<&mut BTree> {
        self.indexes.get_mut(index.0 as usize)?.as_mut().map(Arc::make_mut)
    }

    /// An index to write to, and the heap of its rows to look at.
    #[inline]
    pub(crate) fn index_and_heap(&mut self, index: IndexId) -> Option<(&mut BTree, Option<&Heap>)> {
        let tree = Arc::make_mut(self.indexes.get_mut(index.0 as usize)?.as_mut()?);
        let heap = self.heaps.get(tree.relation.0 as usize);
        Some((tree, heap.and_then(Option::as_deref)))
    }

    pub(crate) fn create_relation(&mut self, xid: Xid, relation: RelationId) {
        let at = relation.0 as usize;
        if self.heaps.len() <= at {
            self.heaps.resize(at + 1, None);
        }
        self.heaps[at] = Some(Arc::new(Heap::new()));
        self.created.push((xid, Object::Relation(relation)));
    }

    pub(crate) fn create_index(&mut self, xid: Xid, index: IndexId, relation: RelationId) {
        let at = index.0 as usize;
        if self.indexes.len() <= at {
            self.indexes.resize(at + 1, None);
        }
        self.indexes[at] = Some(Arc::new(BTree::new(relation)));
        self.heap_mut(relation).indexes.push(index);
        self.created.push((xid, Object::Index(index)));
    }

    pub(crate) fn drop(&mut self, object: Object) {
        match object {
            Object::Relation(relation) => {
                let heap = self.heaps.get_mut(relation.0 as usize).and_then(Option::take);
                for index in heap.map(|heap| heap.indexes.clone()).unwrap_or_default() {
                    self.drop(Object::Index(index));
                }
            }
            Object::Index(index) => {
                let tree = self.indexes.get_mut(index.0 as usize).and_then(Option::take);
                if let Some(relation) = tree.map(|tree| tree.relation)
                    && self.heap(relation).is_some()
                {
                    self.heap_mut(relation).indexes.retain(|&one| one != index);
                }
            }
        }
    }

    /// What `xid` made stays.
    #[inline]
    pub(crate) fn keep_created(&mut self, xid: Xid) {
        if !self.created.is_empty() {
            self.created.retain(|&(by, _)| by != xid);
        }
    }

    /// What `xid` made goes.
    pub(crate) fn drop_created(&mut self, xid: Xid) {
        while let Some(at) = self.created.iter().rposition(|&(by, _)| by == xid) {
            let (_, object) = self.created.remove(at);
            self.drop(object);
        }
    }

    /// A crash: what unfinished transactions made goes, unless they are prepared.
    pub(crate) fn drop_created_but(&mut self, prepared: &[Xid]) {
        while let Some(at) = self.created.iter().rposition(|(by, _)| !prepared.contains(by)) {
            let (_, object) = self.created.remove(at);
            self.drop(object);
        }
    }
}

impl Storage {
    #[inline]
    pub(crate) fn heap(&self, relation: RelationId) -> Option<&Heap> {
        self.objects.heap(relation)
    }

    #[inline]
    pub(crate) fn heap_mut(&mut self, relation: RelationId) -> &mut Heap {
        self.objects.heap_mut(relation)
    }

    /// An empty heap; gone if `xid` rolls back.
    pub fn create_relation(&mut self, xid: Xid) -> RelationId {
        let relation = RelationId(self.objects.heaps.len() as u32);
        self.objects.create_relation(xid, relation);
        self.wal.append(xid, &Record::CreateRelation(relation));
        relation
    }

    /// How full insertions make the pages of a heap that `xid` has made, in percent.
    pub fn set_fill(&mut self, xid: Xid, relation: RelationId, percent: u8) {
        self.objects.heap_mut(relation).set_fill(percent);
        self.wal.append(xid, &Record::Fill { relation, percent });
    }

    /// An empty index, gone if `xid` rolls back. The caller fills it by [`Storage::scan_for_build`]. `key_of` makes the
    /// keys that it will get; without it the index keeps all of them itself.
    pub fn create_index(&mut self, xid: Xid, relation: RelationId, key_of: Option<Arc<dyn KeyOf>>) -> IndexId {
        let index = IndexId(self.objects.indexes.len() as u32);
        self.definitions.set(index, key_of);
        self.objects.create_index(xid, index, relation);
        self.wal.append(xid, &Record::CreateIndex { index, relation });
        index
    }

    /// A heap with the rows of another one, and its indexes, whose numbers are replaced by those of their copies.
    /// Outside of any transaction.
    pub fn copy_relation<'a>(
        &mut self,
        relation: RelationId,
        indexes: impl Iterator<Item = &'a mut IndexId>,
    ) -> RelationId {
        let copy = RelationId(self.objects.heaps.len() as u32);
        let mut heap = self.objects.heap(relation).cloned().unwrap_or_else(Heap::new);
        heap.indexes.clear();
        for index in indexes {
            let number = IndexId(self.objects.indexes.len() as u32);
            let tree = self.objects.index(*index).cloned().map(|mut tree| {
                tree.relation = copy;
                Arc::new(tree)
            });
            self.objects.indexes.push(tree);
            let key_of = self.definitions.get(*index).cloned();
            self.definitions.set(number, key_of);
            heap.indexes.push(number);
            *index = number;
        }
        self.objects.heaps.push(Some(Arc::new(heap)));
        copy
    }

    /// Drops a heap with its indexes when `xid` commits.
    pub fn drop_relation(&mut self, xid: Xid, relation: RelationId) {
        self.drops.push((xid, Object::Relation(relation)));
    }

    /// Drops an index when `xid` commits.
    pub fn drop_index(&mut self, xid: Xid, index: IndexId) {
        if let Some(relation) = self.objects.index(index).map(|tree| tree.relation) {
            self.index_goes(index, relation);
        }
        self.drops.push((xid, Object::Index(index)));
    }

    /// Bytes at rest: the pages of all heaps, and index entries at what one takes in PostgreSQL's pages, which are
    /// about 90 % full: a line pointer, a header, a key of some 16 bytes.
    pub fn stored_bytes(&self) -> u64 {
        const INDEX_ENTRY: u64 = 32;
        let pages: u64 = (self.objects.heaps.iter().flatten())
            .map(|heap| u64::from(heap.page_count()))
            .sum();
        let entries: u64 = self.objects.indexes.iter().flatten().map(|index| index.entries()).sum();
        pages * super::page::PAGE as u64 + entries * INDEX_ENTRY
    }

    /// Bytes of memory that a heap takes, with its map of free space and its long rows.
    pub fn heap_memory(&self, relation: RelationId) -> u64 {
        self.heap(relation).map_or(0, |heap| heap.allocated() as u64)
    }

    /// Bytes of memory that an index takes.
    pub fn index_memory(&self, index: IndexId) -> u64 {
        self.objects.index(index).map_or(0, |tree| tree.allocated() as u64)
    }

    /// Bytes of a heap's pages.
    pub fn heap_bytes(&self, relation: RelationId) -> u64 {
        u64::from(self.page_count(relation)) * super::page::PAGE as u64
    }

    /// Rows of a heap, and versions of which nobody needs more than those who look at the past: estimates.
    pub fn tuple_counts(&self, relation: RelationId) -> (u64, u64) {
        self.heap(relation)
            .map_or((0, 0), |heap| (heap.live, heap.dead + heap.kept))
    }

    /// Pages of a heap.
    pub fn page_count(&self, relation: RelationId) -> u32 {
        self.heap(relation).map_or(0, Heap::page_count)
    }

    /// Index pages that a probe reads.
    pub fn index_depth(&self, index: IndexId) -> u32 {
        self.objects.index(index).map_or(0, BTree::height)
    }

    /// Entries of an index, dead ones included.
    #[cfg(test)]
    pub fn index_entries(&self, index: IndexId) -> u64 {
        self.objects.index(index).map_or(0, BTree::entries)
    }
}
