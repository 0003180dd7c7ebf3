//! A sorted map that is shared when cloned and copied on write, chunk by chunk: a clone costs one reference count,
//! the first write after it one per chunk and a copy of the chunk written to.

use std::ops::Bound;
use std::sync::Arc;

use crate::key::Key;

/// A chunk is split when it has grown to this.
const CHUNK: usize = 128;

type Chunk<V> = Vec<(Key, V)>;

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct SortedMap<V> {
    /// None is empty.
    chunks: Arc<Vec<Arc<Chunk<V>>>>,
    len: usize,
}

/// Before the entry with this place; the end is (number of chunks, 0).
type Place = (usize, usize);

impl<V: Clone> SortedMap<V> {
    pub(crate) fn new() -> SortedMap<V> {
        SortedMap {
            chunks: Arc::new(Vec::new()),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The chunk that holds the key, or would.
    fn chunk_of(&self, key: &[u8]) -> usize {
        self.chunks
            .partition_point(|chunk| &*chunk[0].0 <= key)
            .saturating_sub(1)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        let index = chunk.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        Some(&chunk[index].1)
    }

    /// Gives back what was there.
    pub(crate) fn insert(&mut self, key: Key, value: V) -> Option<V> {
        let at = self.chunk_of(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(at) else {
            chunks.push(Arc::new(vec![(key, value)]));
            self.len += 1;
            return None;
        };
        let chunk = Arc::make_mut(chunk);
        match chunk.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(index) => Some(std::mem::replace(&mut chunk[index].1, value)),
            Err(index) => {
                chunk.insert(index, (key, value));
                self.len += 1;
                if chunk.len() >= CHUNK {
                    let upper = chunk.split_off(CHUNK / 2);
                    chunks.insert(at + 1, Arc::new(upper));
                }
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<V> {
        self.get(key)?;
        let at = self.chunk_of(key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(chunks.get_mut(at)?);
        let index = chunk.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        let (_, value) = chunk.remove(index);
        if chunk.is_empty() {
            chunks.remove(at);
        }
        self.len -= 1;
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.iter().map(|(key, value)| (key, value)))
    }

    /// From both ends, what lies within the bounds.
    pub(crate) fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Range<'_, V> {
        let low = match from {
            Bound::Unbounded => (0, 0),
            Bound::Included(key) => self.place(key, false),
            Bound::Excluded(key) => self.place(key, true),
        };
        let high = match to {
            Bound::Unbounded => (self.chunks.len(), 0),
            Bound::Included(key) => self.place(key, true),
            Bound::Excluded(key) => self.place(key, false),
        };
        Range {
            chunks: &self.chunks,
            low,
            high,
        }
    }

    /// Before or behind the key's entry.
    fn place(&self, key: &[u8], behind: bool) -> Place {
        let at = self.chunk_of(key);
        let Some(chunk) = self.chunks.get(at) else {
            return (0, 0);
        };
        let index = chunk.partition_point(|(other, _)| if behind { &**other <= key } else { &**other < key });
        if index == chunk.len() { (at + 1, 0) } else { (at, index) }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Range<'a, V> {
    chunks: &'a [Arc<Chunk<V>>],
    low: Place,
    high: Place,
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        if self.low >= self.high {
            return None;
        }
        let chunk = self.chunks.get(self.low.0)?;
        let (key, value) = chunk.get(self.low.1)?;
        self.low.1 += 1;
        if self.low.1 == chunk.len() {
            self.low = (self.low.0 + 1, 0);
        }
        Some((key, value))
    }
}

impl<V> DoubleEndedIterator for Range<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.low >= self.high {
            return None;
        }
        if self.high.1 == 0 {
            let below = self.high.0.checked_sub(1)?;
            self.high = (below, self.chunks.get(below)?.len());
        }
        self.high.1 -= 1;
        let (key, value) = self.chunks.get(self.high.0)?.get(self.high.1)?;
        Some((key, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base::random::Stream;

    use super::*;

    fn key(n: u64) -> Key {
        Key::from(n.to_be_bytes())
    }

    #[test]
    fn it_behaves_as_the_standard_map_and_a_clone_keeps_what_it_had() {
        let mut random = Stream::new(3, "sorted map", 0);
        let (mut ours, mut theirs) = (SortedMap::new(), BTreeMap::new());
        let mut kept = Vec::new();
        for turn in 0..6_000_u64 {
            let n = random.below(900);
            if random.chance(2, 3) {
                assert_eq!(ours.insert(key(n), turn), theirs.insert(key(n), turn));
            } else {
                assert_eq!(ours.remove(&key(n)), theirs.remove(&key(n)));
            }
            assert_eq!(ours.len(), theirs.len());
            assert_eq!(ours.get(&key(n)), theirs.get(&key(n)));
            if turn % 500 == 0 {
                kept.push((ours.clone(), theirs.clone()));
            }
        }
        kept.push((ours, theirs));
        for (ours, theirs) in kept {
            assert!(ours.iter().eq(theirs.iter()));
            for (low, high) in [(0, 900), (100, 400), (399, 401), (400, 100), (950, 990)] {
                let (low, high) = (key(low), key(high));
                for (from, to) in [
                    (Bound::Included(&low), Bound::Excluded(&high)),
                    (Bound::Excluded(&low), Bound::Included(&high)),
                ] {
                    let found: Vec<_> = ours.range(from.map(|k| &**k), to.map(|k| &**k)).collect();
                    let expected: Vec<_> = if low < high {
                        theirs.range::<Key, _>((from, to)).collect()
                    } else {
                        vec![]
                    };
                    assert_eq!(found, expected);
                    let back: Vec<_> = ours.range(from.map(|k| &**k), to.map(|k| &**k)).rev().collect();
                    assert!(back.iter().eq(expected.iter().rev()));
                }
            }
        }
    }
}
