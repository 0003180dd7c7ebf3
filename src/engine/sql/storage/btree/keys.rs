//! Where a tree finds the keys of which it keeps only a part.
//!
//! A leaf keeps of a long key as much as tells it from the keys beside it in the leaf, and no more: the row
//! has the key, and [`Keys`] makes it from the row's bytes. That is needed when a new key, or one that is looked
//! for, begins with all that is known of an entry. There is at most one such entry among those whose rows are
//! there, because the known parts of any two differ (of two equal keys both are whole); so a probe visits the heap
//! at most once, for the very row that it is about to read, or for one that shares more than the known part with it.
//!
//! Why this may be:
//!
//! - *All versions that an entry leads to have its key.* An update of an indexed column makes a new entry, and an
//!   update of others keeps the key. Only an index built over a chain of versions that is older than itself
//!   may have several entries for one row: these are pinned, that is, kept whole.
//! - *A row id is not used anew while an entry has it.* Pruning leaves a dead slot behind, and vacuum removes the
//!   entries before it frees the slot.
//! - *An entry whose row is gone* has no key any more and leads to nothing. It counts as less than all keys that begin
//!   with its known part. Entries inserted next to it are told from that part, so the order of entries stays one
//!   that a binary search can rely on: the entry stands before all keys that could be equal to it.
//! - *Replay.* The log has whole keys. It is replayed in the order in which it was written, heap and indexes together,
//!   so each insertion finds the rows that it found the first time, and cuts as it did.
//! - *Fingerprints* count how long a key is and whose, not how much of it is known, which depends on what
//!   lay beside it once. Whole pinned keys count.

use std::sync::Arc;

use crate::storage::heap::Heap;
use crate::storage::ids::{IndexId, RowId};
use crate::storage::page::Slot;
use crate::storage::tuple::Flags;

/// What an index's keys are made of. Says of a row's bytes what its key is; the same for the same bytes, always.
pub trait KeyOf: std::fmt::Debug + Send + Sync {
    /// Appends the key.
    fn key_of(&self, row: &[u8], into: &mut Vec<u8>);
}

/// By index. Part of what the log's records of new indexes say, though not as bytes: a crash leaves them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions(Arc<Vec<Option<Arc<dyn KeyOf>>>>);

impl Definitions {
    #[inline]
    pub(crate) fn get(&self, index: IndexId) -> Option<&Arc<dyn KeyOf>> {
        self.0.get(index.0 as usize)?.as_ref()
    }

    pub(crate) fn set(&mut self, index: IndexId, key_of: Option<Arc<dyn KeyOf>>) {
        let (all, at) = (Arc::make_mut(&mut self.0), index.0 as usize);
        if all.len() <= at {
            all.resize(at + 1, None);
        }
        all[at] = key_of;
    }
}

/// Keys by row id.
pub(crate) trait Keys {
    /// `None`: the row is gone.
    fn key(&self, row: u32) -> Option<Vec<u8>>;

    /// Can the row be asked for its key from now on? (`long`: it matters, the key is long.)
    fn may_cut(&self, row: u32, long: bool) -> bool;
}

/// The keys of a heap's rows.
pub(crate) struct HeapKeys<'a> {
    pub(crate) heap: Option<&'a Heap>,
    /// Without it nothing is cut.
    pub(crate) key_of: Option<&'a dyn KeyOf>,
}

impl Keys for HeapKeys<'_> {
    fn key(&self, row: u32) -> Option<Vec<u8>> {
        let row = RowId::unpack(row);
        let (heap, key_of) = (self.heap?, self.key_of?);
        let page = heap.page(row.page)?;
        let slot = match page.slot(row.slot) {
            Slot::Redirect(target) => target,
            _ => row.slot,
        };
        let (_, data) = heap.tuple_on(page, slot)?;
        let mut key = Vec::with_capacity(data.len().min(256));
        key_of.key_of(data, &mut key);
        Some(key)
    }

    fn may_cut(&self, row: u32, long: bool) -> bool {
        self.key_of.is_some()
            && (!long || {
                let header = self.heap.and_then(|heap| heap.header(RowId::unpack(row)));
                header.is_some_and(|header| !header.flags.has(Flags::HOT_UPDATED))
            })
    }
}
