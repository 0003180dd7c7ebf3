//! A growing table that is shared when cloned and copied on write, chunk by chunk: a fork costs one
//! reference count per chunk, a write to a shared table copies one chunk.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

const CHUNK: usize = 64;
/// The two counts before a shared value.
pub(crate) const SHARED: usize = 2 * size_of::<usize>();

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct CowVec<T> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T: Clone> CowVec<T> {
    pub(crate) fn new() -> CowVec<T> {
        CowVec {
            chunks: Vec::new(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        Arc::make_mut(self.chunks.get_mut(index / CHUNK)?).get_mut(index % CHUNK)
    }

    /// Bytes of memory, with what `beyond` says that an item has elsewhere.
    pub(crate) fn allocated(&self, beyond: impl Fn(&T) -> usize) -> usize {
        let chunks = self.chunks.iter().map(|chunk| {
            SHARED + size_of::<Vec<T>>() + chunk.capacity() * size_of::<T>() + chunk.iter().map(&beyond).sum::<usize>()
        });
        self.chunks.capacity() * size_of::<usize>() + chunks.sum::<usize>()
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Arc::new(Vec::with_capacity(CHUNK)));
        }
        if let Some(last) = self.chunks.last_mut() {
            Arc::make_mut(last).push(item);
            self.len += 1;
        }
    }
}

impl<T: Hash> Hash for CowVec<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        for chunk in &self.chunks {
            for item in chunk.iter() {
                item.hash(state);
            }
        }
    }
}
