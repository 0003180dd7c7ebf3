//! Reading rows: by place, by index entry, one after another.

use super::Storage;
use super::heap::Heap;
use super::ids::{RelationId, RowId, Xid};
use super::page::{Page, Slot};
use super::transaction::Snapshot;
use super::tuple::{Flags, TupleHeader};
use super::visibility::Remains;

/// The place of a sequential scan; plain data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeapCursor {
    pub(super) relation: RelationId,
    pub(super) page: u32,
    pub(super) slot: u16,
    /// Pages that the relation had when the scan began; later ones hold nothing that it could see.
    pub(super) end: u32,
    pages: u64,
}

impl HeapCursor {
    /// Heap pages visited since the last call.
    pub fn take_pages(&mut self) -> u64 {
        std::mem::take(&mut self.pages)
    }
}

impl Storage {
    /// The very version at `row`, if the snapshot sees it.
    #[inline]
    pub fn fetch(&self, relation: RelationId, row: RowId, snapshot: &Snapshot) -> Option<&[u8]> {
        let (header, data) = self.heap(relation)?.tuple(row)?;
        self.visibility().sees(snapshot, &header).then_some(data)
    }

    /// From an index entry's row id to the version of its chain that the snapshot sees.
    #[inline]
    pub fn fetch_indexed(&self, relation: RelationId, root: RowId, snapshot: &Snapshot) -> Option<(RowId, &[u8])> {
        let visibility = self.visibility();
        let mut chain = Chain::new(self.heap(relation)?, root)?;
        loop {
            let (slot, header, data) = chain.next(|header| visibility.writer(header))?;
            if visibility.sees(snapshot, &header) {
                return Some((RowId { page: root.page, slot }, data));
            }
        }
    }

    /// The version `row` whoever sees it, if it was made by `by` (the successor named by
    /// [`super::RowOutcome::Updated`]; `None` if it has been cleared away meanwhile: the row is gone).
    pub fn fetch_successor(&self, relation: RelationId, row: RowId, by: Xid) -> Option<&[u8]> {
        let (header, data) = self.heap(relation)?.tuple(row)?;
        (header.xmin == by).then_some(data)
    }

    pub fn scan(&self, relation: RelationId) -> HeapCursor {
        HeapCursor {
            relation,
            page: 0,
            slot: 0,
            end: self.page_count(relation),
            pages: 0,
        }
    }

    /// The next version that the snapshot sees, in physical order.
    #[inline]
    pub fn next_visible<'a>(&'a self, cursor: &mut HeapCursor, snapshot: &Snapshot) -> Option<(RowId, &'a [u8])> {
        let heap = self.heap(cursor.relation)?;
        let visibility = self.visibility();
        while cursor.page < cursor.end {
            let page = heap.page(cursor.page)?;
            if cursor.slot == 0 {
                cursor.pages += 1;
            }
            while cursor.slot < page.slots() {
                cursor.slot += 1;
                if let Some((header, data)) = heap.tuple_on(page, cursor.slot)
                    && visibility.sees(snapshot, &header)
                {
                    return Some((
                        RowId {
                            page: cursor.page,
                            slot: cursor.slot,
                        },
                        data,
                    ));
                }
            }
            cursor.page += 1;
            cursor.slot = 0;
        }
        None
    }

    /// For building an index: every version that somebody may still see, with the row id that its index
    /// entry must carry (the first of its chain) and its bytes. A chain whose versions differ in the new
    /// index's columns gets several entries with the same row id: readers check the key again.
    pub fn scan_for_build(&self, relation: RelationId, visit: &mut dyn FnMut(RowId, &[u8])) {
        let Some(heap) = self.heap(relation) else { return };
        let visibility = self.visibility();
        let horizon = self.transactions.horizon();
        for number in 0..heap.page_count() {
            let Some(page) = heap.page(number) else { continue };
            for slot in 1..=page.slots() {
                let root = RowId { page: number, slot };
                let begins_chain = match page.slot(slot) {
                    Slot::Redirect(_) => true,
                    Slot::Tuple { .. } => page
                        .header(slot)
                        .is_some_and(|header| !header.flags.has(Flags::HEAP_ONLY)),
                    Slot::Unused | Slot::Dead => false,
                };
                if !begins_chain {
                    continue;
                }
                let Some(mut chain) = Chain::new(heap, root) else {
                    continue;
                };
                while let Some((_, header, data)) = chain.next(|header| visibility.writer(header)) {
                    if visibility.remains(&header, horizon) != Remains::Dead {
                        visit(root, data);
                    }
                }
            }
        }
    }
}

/// The versions of a row on one page, from the slot that index entries lead to.
pub(crate) struct Chain<'a> {
    heap: &'a Heap,
    page: &'a Page,
    number: u32,
    slot: u16,
    /// Who replaced the version before; the next one must be theirs, else the slot has been used anew.
    maker: Option<Xid>,
}

impl<'a> Chain<'a> {
    #[inline]
    pub(crate) fn new(heap: &'a Heap, root: RowId) -> Option<Chain<'a>> {
        let page = heap.page(root.page)?;
        let slot = match page.slot(root.slot) {
            Slot::Redirect(target) => target,
            _ => root.slot,
        };
        Some(Chain {
            heap,
            page,
            number: root.page,
            slot,
            maker: None,
        })
    }

    #[inline]
    pub(crate) fn next(
        &mut self,
        writer: impl Fn(&TupleHeader) -> Option<Xid>,
    ) -> Option<(u16, TupleHeader, &'a [u8])> {
        let slot = self.slot;
        let (header, data) = self.heap.tuple_on(self.page, slot)?;
        if self.maker.is_some_and(|maker| maker != header.xmin) {
            return None;
        }
        // Slot 0 holds nothing: the chain ends.
        self.slot = 0;
        if header.flags.has(Flags::HOT_UPDATED) && header.next.page == self.number {
            self.maker = writer(&header);
            if self.maker.is_some() {
                self.slot = header.next.slot;
            }
        }
        Some((slot, header, data))
    }
}
