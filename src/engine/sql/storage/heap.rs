//! A relation's pages, and where there is room on them.

use std::sync::Arc;

use super::StorageError;
use super::cow::CowVec;
use super::hashed::Hashed;
use super::ids::{IndexId, RowId, Xid};
use super::page::{MAX_TUPLE, Page, Slot};
use super::tuple::{HEADER, TupleHeader};

/// See the module's text.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Heap {
    pages: CowVec<Arc<Hashed<Page>>>,
    /// Room on each page when it was last written.
    room: CowVec<u16>,
    /// The page that the next insertion tries.
    target: u32,
    pub(crate) indexes: Vec<IndexId>,
    /// Versions inserted less versions removed or replaced, committed or not: an estimate.
    pub(crate) live: u64,
    /// Versions removed or replaced since the last vacuum: an estimate.
    pub(crate) dead: u64,
}

impl Heap {
    pub(crate) fn new() -> Heap {
        Heap {
            pages: CowVec::new(),
            room: CowVec::new(),
            target: 0,
            indexes: Vec::new(),
            live: 0,
            dead: 0,
        }
    }

    pub(crate) fn page_count(&self) -> u32 {
        self.pages.len() as u32
    }

    #[inline]
    pub(crate) fn page(&self, page: u32) -> Option<&Page> {
        self.pages.get(page as usize).map(|page| &***page)
    }

    #[inline]
    pub(crate) fn page_mut(&mut self, page: u32) -> Option<&mut Page> {
        self.pages
            .get_mut(page as usize)
            .map(|page| Arc::make_mut(page).write())
    }

    #[inline]
    pub(crate) fn tuple(&self, row: RowId) -> Option<(TupleHeader, &[u8])> {
        self.page(row.page)?.tuple(row.slot)
    }

    #[inline]
    pub(crate) fn header(&self, row: RowId) -> Option<TupleHeader> {
        self.page(row.page)?.header(row.slot)
    }

    pub(crate) fn set_header(&mut self, row: RowId, header: &TupleHeader) {
        if let Some(page) = self.page_mut(row.page) {
            page.set_header(row.slot, header);
        }
    }

    /// Notes a page's room after it was written.
    pub(crate) fn note_room(&mut self, page: u32) {
        let Some(room) = self.page(page).map(|page| page.room() as u16) else {
            return;
        };
        if self.room.get(page as usize) != Some(&room)
            && let Some(noted) = self.room.get_mut(page as usize)
        {
            *noted = room;
        }
    }

    /// Refuses a row that no page can hold.
    pub(crate) fn check_size(data: &[u8]) -> Result<(), StorageError> {
        let size = HEADER + data.len();
        if size > MAX_TUPLE {
            return Err(StorageError::RowTooBig {
                size,
                maximum: MAX_TUPLE,
            });
        }
        Ok(())
    }

    /// Places a version somewhere. Its `next` is itself.
    pub(crate) fn insert(&mut self, header: TupleHeader, data: &[u8]) -> Result<RowId, StorageError> {
        Self::check_size(data)?;
        let page = self.page_with_room(HEADER + data.len())?;
        self.insert_on(page, header, data).ok_or(StorageError::RelationFull)
    }

    /// Places a version on this page, or nowhere.
    pub(crate) fn insert_on(&mut self, page: u32, header: TupleHeader, data: &[u8]) -> Option<RowId> {
        let target = self.page_mut(page)?;
        let slot = target.add(&header, data)?;
        let row = RowId { page, slot };
        target.set_header(slot, &TupleHeader { next: row, ..header });
        let room = target.room() as u16;
        if let Some(noted) = self.room.get_mut(page as usize) {
            *noted = room;
        }
        Some(row)
    }

    /// Places a version where the log says.
    pub(crate) fn replay_insert(&mut self, row: RowId, header: TupleHeader, data: &[u8]) {
        while self.page_count() <= row.page {
            self.extend();
        }
        self.target = row.page;
        if let Some(page) = self.page_mut(row.page) {
            page.place(row.slot, &header, data);
        }
        self.note_room(row.page);
    }

    /// The header of a version that `by` replaces or removes.
    pub(crate) fn replace_header(&mut self, row: RowId, header: &TupleHeader, by: Xid) {
        if let Some(page) = self.page_mut(row.page) {
            page.set_header(row.slot, header);
            page.note_replaced(row.slot, by);
        }
    }

    pub(crate) fn has_room(&self, page: u32, size: usize) -> bool {
        self.page(page).is_some_and(|page| page.room() >= size)
    }

    /// Changes the meaning of slots of a page as pruning decided; `waiting` versions are to be pruned later.
    pub(crate) fn clear(&mut self, page: u32, slots: &[(u16, Slot)], waiting: &[(u16, Xid)]) {
        if let Some(target) = self.page_mut(page) {
            for &(slot, value) in slots {
                target.clear(slot, value);
            }
            target.note_pruned(waiting);
        }
        self.note_room(page);
    }

    /// Frees slots whose index entries are gone.
    pub(crate) fn clear_dead(&mut self, page: u32, slots: &[(u16, Slot)]) {
        if let Some(target) = self.page_mut(page) {
            for &(slot, value) in slots {
                target.clear(slot, value);
            }
        }
        self.note_room(page);
    }

    fn page_with_room(&mut self, size: usize) -> Result<u32, StorageError> {
        let fits = |heap: &Heap, page: usize| heap.room.get(page).is_some_and(|&room| usize::from(room) >= size);
        if fits(self, self.target as usize) {
            return Ok(self.target);
        }
        let count = self.pages.len();
        let found = (self.target as usize + 1..count)
            .chain(0..count)
            .find(|&page| fits(self, page));
        self.target = match found {
            Some(page) => page as u32,
            None if self.page_count() > RowId::MAX_PAGE => return Err(StorageError::RelationFull),
            None => self.extend(),
        };
        Ok(self.target)
    }

    /// One more page, empty; its number.
    fn extend(&mut self) -> u32 {
        let page = self.page_count();
        let empty = Page::new();
        self.room.push(empty.room() as u16);
        self.pages.push(Arc::new(Hashed::new(empty)));
        page
    }
}
