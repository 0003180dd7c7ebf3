//! A relation's pages, and where there is room on them.

use std::sync::Arc;

use super::StorageError;
use super::cow::{CowVec, SHARED};
use super::free_space::FreeSpace;
use super::hashed::Hashed;
use super::ids::{IndexId, RowId, Xid};
use super::long_rows::LongRows;
use super::page::{MAX_TUPLE, PAGE, Page, Slot};
use super::tuple::{HEADER, TupleHeader};

/// The longest row: PostgreSQL's limit for a field, 1 GB.
const MAX_ROW: usize = 0x3fff_ffff;

/// See the module's text.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Heap {
    pages: CowVec<Arc<Hashed<Page>>>,
    space: FreeSpace,
    long: LongRows,
    /// The page that the next insertion tries.
    target: u32,
    /// Bytes of each page that insertions leave to updates of its rows (`fillfactor`).
    reserve: u16,
    pub(crate) indexes: Vec<IndexId>,
    /// Versions inserted less versions removed or replaced, committed or not: an estimate.
    pub(crate) live: u64,
    /// Versions removed or replaced since the last vacuum and not cleared away: an estimate.
    pub(crate) dead: u64,
    /// Those that the last vacuum had to leave, because somebody could still see them.
    pub(crate) kept: u64,
}

/// Bytes that a row takes on its page, header included.
pub(crate) fn size_on_page(data: &[u8]) -> usize {
    if is_long(data) { HEADER + 4 } else { HEADER + data.len() }
}

fn is_long(data: &[u8]) -> bool {
    HEADER + data.len() > MAX_TUPLE
}

impl Heap {
    pub(crate) fn new() -> Heap {
        Heap {
            pages: CowVec::new(),
            space: FreeSpace::new(),
            long: LongRows::new(),
            target: 0,
            reserve: 0,
            indexes: Vec::new(),
            live: 0,
            dead: 0,
            kept: 0,
        }
    }

    /// From now on insertions fill pages up to this percentage.
    pub(crate) fn set_fill(&mut self, percent: u8) {
        self.reserve = (PAGE * usize::from(100 - percent.min(100)) / 100) as u16;
    }

    /// Bytes of memory: pages, the map of free space, long rows.
    pub(crate) fn allocated(&self) -> usize {
        let pages = self.pages.allocated(|_| SHARED + size_of::<Hashed<Page>>());
        size_of::<Heap>() + pages + self.space.allocated() + self.long.allocated()
    }

    pub(crate) fn page_count(&self) -> u32 {
        self.pages.len() as u32
    }

    #[inline]
    pub(crate) fn page(&self, page: u32) -> Option<&Page> {
        self.pages.get(page as usize).map(|page| &***page)
    }

    #[inline]
    fn page_mut(&mut self, page: u32) -> Option<&mut Page> {
        let page = self.pages.get_mut(page as usize)?;
        Some(Arc::make_mut(page).write())
    }

    #[inline]
    pub(crate) fn tuple(&self, row: RowId) -> Option<(TupleHeader, &[u8])> {
        self.tuple_on(self.page(row.page)?, row.slot)
    }

    /// Header and data of the version in a slot of one of this heap's pages.
    #[inline]
    pub(crate) fn tuple_on<'a>(&'a self, page: &'a Page, slot: u16) -> Option<(TupleHeader, &'a [u8])> {
        let (header, data, long) = page.tuple(slot)?;
        Some((header, if long { self.long.get(data)? } else { data }))
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

    /// Refuses a row that cannot be stored at all.
    pub(crate) fn check_size(data: &[u8]) -> Result<(), StorageError> {
        if data.len() > MAX_ROW {
            return Err(StorageError::RowTooBig {
                size: data.len(),
                maximum: MAX_ROW,
            });
        }
        Ok(())
    }

    /// Places a version somewhere. Its `next` is itself.
    pub(crate) fn insert(&mut self, header: TupleHeader, data: &[u8]) -> Result<RowId, StorageError> {
        Self::check_size(data)?;
        let page = self.page_with_room(size_on_page(data))?;
        self.insert_on(page, header, data).ok_or(StorageError::RelationFull)
    }

    /// Places a version on this page, or nowhere.
    pub(crate) fn insert_on(&mut self, page: u32, header: TupleHeader, data: &[u8]) -> Option<RowId> {
        let room = self.page(page)?.room();
        if room < size_on_page(data) {
            return None;
        }
        let number = is_long(data).then(|| self.long.put(data));
        let target = self.page_mut(page)?;
        let slot = target.free_slot();
        let row = RowId { page, slot };
        let header = TupleHeader { next: row, ..header };
        match number {
            Some(number) => target.place(slot, &header, &number, true),
            None => target.place(slot, &header, data, false),
        }
        let room = target.room() as u16;
        self.space.set(page, room);
        Some(row)
    }

    /// Places a version where the log says.
    pub(crate) fn replay_insert(&mut self, row: RowId, header: TupleHeader, data: &[u8]) {
        while self.page_count() <= row.page {
            self.extend();
        }
        self.target = row.page;
        let number = is_long(data).then(|| self.long.put(data));
        if let Some(page) = self.page_mut(row.page) {
            match number {
                Some(number) => page.place(row.slot, &header, &number, true),
                None => page.place(row.slot, &header, data, false),
            }
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
        self.clear_slots(page, slots);
        if let Some(target) = self.page_mut(page) {
            target.note_pruned(waiting);
        }
    }

    /// Frees slots whose index entries are gone.
    pub(crate) fn clear_slots(&mut self, page: u32, slots: &[(u16, Slot)]) {
        for &(slot, value) in slots {
            let Some(target) = self.page(page) else { return };
            let mut cleared = 0;
            if let Some((_, number, long)) = target.tuple(slot) {
                cleared = u64::from(value != Slot::Dead);
                if long {
                    let number = number.to_vec();
                    self.long.remove(&number);
                }
            }
            self.kept = self.kept.saturating_sub(cleared.saturating_sub(self.dead));
            self.dead = self.dead.saturating_sub(cleared);
            if let Some(target) = self.page_mut(page) {
                target.clear(slot, value);
            }
        }
        self.note_room(page);
    }

    fn note_room(&mut self, page: u32) {
        if let Some(room) = self.page(page).map(Page::room) {
            self.space.set(page, room as u16);
        }
    }

    fn page_with_room(&mut self, size: usize) -> Result<u32, StorageError> {
        // A row that would not fit an empty page besides the reserve takes of it.
        let size = (size + usize::from(self.reserve)).min(size.max(MAX_TUPLE));
        if self.space.fits(self.target, size) {
            return Ok(self.target);
        }
        self.target = match self.space.find(self.target, size) {
            Some(page) => page,
            None if self.page_count() > RowId::MAX_PAGE => return Err(StorageError::RelationFull),
            None => self.extend(),
        };
        Ok(self.target)
    }

    /// One more page, empty; its number.
    fn extend(&mut self) -> u32 {
        let page = self.page_count();
        let empty = Page::new();
        self.space.set(page, empty.room() as u16);
        self.pages.push(Arc::new(Hashed::new(empty)));
        page
    }
}
