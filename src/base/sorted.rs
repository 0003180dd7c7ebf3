//! A sorted map that is shared when cloned and copied on write, chunk by chunk: a clone costs one reference count,
//! the first write after it one per chunk and a copy of the chunk written to.
//!
//! Keys lie elsewhere in memory; their first bytes lie in the map, where a search goes by. Where those tell keys apart
//! (a key of a DynamoDB table begins with a hash), few have to be looked at whole.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

pub type Key = Arc<[u8]>;

/// A chunk is split when it has grown to this.
const CHUNK: usize = 128;

/// The first bytes of a key as a number: sorts as the key does, as far as it goes.
type Head = u64;

#[derive(Clone, Debug)]
struct Entry<V> {
    head: Head,
    key: Key,
    value: V,
}

/// Never empty.
#[derive(Clone, Debug)]
struct Chunk<V> {
    /// Of its first entry.
    head: Head,
    entries: Arc<Vec<Entry<V>>>,
}

/// See the module's text.
#[derive(Clone, Debug)]
pub struct SortedMap<V> {
    chunks: Arc<Vec<Chunk<V>>>,
    len: usize,
}

/// Before the entry with this place; the end is (number of chunks, 0).
type Place = (usize, usize);

fn head_of(key: &[u8]) -> Head {
    match key.first_chunk() {
        Some(bytes) => Head::from_be_bytes(*bytes),
        // What is missing sorts before everything.
        None => {
            let mut bytes = [0; size_of::<Head>()];
            bytes[..key.len()].copy_from_slice(key);
            Head::from_be_bytes(bytes)
        }
    }
}

impl<V> Entry<V> {
    fn compare(&self, head: Head, key: &[u8]) -> Ordering {
        self.head.cmp(&head).then_with(|| (*self.key).cmp(key))
    }
}

impl<V: Clone> Default for SortedMap<V> {
    fn default() -> SortedMap<V> {
        SortedMap::new()
    }
}

impl<V: Clone> SortedMap<V> {
    pub fn new() -> SortedMap<V> {
        SortedMap {
            chunks: Arc::new(Vec::new()),
            len: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunk that holds the key, or would.
    fn chunk_of(&self, head: Head, key: &[u8]) -> usize {
        let begins_before = |chunk: &Chunk<V>| match chunk.head.cmp(&head) {
            Ordering::Equal => *chunk.entries[0].key <= *key,
            order => order == Ordering::Less,
        };
        self.chunks.partition_point(begins_before).saturating_sub(1)
    }

    pub fn get(&self, key: &[u8]) -> Option<&V> {
        let head = head_of(key);
        let entries = &self.chunks.get(self.chunk_of(head, key))?.entries;
        let index = entries.binary_search_by(|entry| entry.compare(head, key)).ok()?;
        Some(&entries[index].value)
    }

    /// Gives back what was there.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        let head = head_of(&key);
        let at = self.chunk_of(head, &key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(at) else {
            chunks.push(Chunk::of(vec![Entry { head, key, value }]));
            self.len += 1;
            return None;
        };
        let entries = Arc::make_mut(&mut chunk.entries);
        match entries.binary_search_by(|entry| entry.compare(head, &key)) {
            Ok(index) => Some(std::mem::replace(&mut entries[index].value, value)),
            Err(index) => {
                entries.insert(index, Entry { head, key, value });
                self.len += 1;
                chunk.head = entries[0].head;
                if entries.len() >= CHUNK {
                    let upper = entries.split_off(CHUNK / 2);
                    chunks.insert(at + 1, Chunk::of(upper));
                }
                None
            }
        }
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<V> {
        self.get(key)?;
        let head = head_of(key);
        let at = self.chunk_of(head, key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = chunks.get_mut(at)?;
        let entries = Arc::make_mut(&mut chunk.entries);
        let index = entries.binary_search_by(|entry| entry.compare(head, key)).ok()?;
        let Entry { value, .. } = entries.remove(index);
        match entries.first() {
            Some(first) => chunk.head = first.head,
            None => drop(chunks.remove(at)),
        }
        self.len -= 1;
        Some(value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        let entries = self.chunks.iter().flat_map(|chunk| chunk.entries.iter());
        entries.map(|entry| (&entry.key, &entry.value))
    }

    /// From both ends, what lies within the bounds.
    pub fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Range<'_, V> {
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
        let head = head_of(key);
        let at = self.chunk_of(head, key);
        let Some(Chunk { entries, .. }) = self.chunks.get(at) else {
            return (0, 0);
        };
        let index = entries.partition_point(|entry| match entry.compare(head, key) {
            Ordering::Less => true,
            Ordering::Equal => behind,
            Ordering::Greater => false,
        });
        if index == entries.len() {
            (at + 1, 0)
        } else {
            (at, index)
        }
    }
}

impl<V> Chunk<V> {
    fn of(entries: Vec<Entry<V>>) -> Chunk<V> {
        Chunk {
            head: entries[0].head,
            entries: Arc::new(entries),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Range<'a, V> {
    chunks: &'a [Chunk<V>],
    low: Place,
    high: Place,
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        if self.low >= self.high {
            return None;
        }
        let entries = &self.chunks.get(self.low.0)?.entries;
        let entry = entries.get(self.low.1)?;
        self.low.1 += 1;
        if self.low.1 == entries.len() {
            self.low = (self.low.0 + 1, 0);
        }
        Some((&entry.key, &entry.value))
    }
}

impl<V> DoubleEndedIterator for Range<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.low >= self.high {
            return None;
        }
        if self.high.1 == 0 {
            let below = self.high.0.checked_sub(1)?;
            self.high = (below, self.chunks.get(below)?.entries.len());
        }
        self.high.1 -= 1;
        let entry = self.chunks.get(self.high.0)?.entries.get(self.high.1)?;
        Some((&entry.key, &entry.value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::random::Stream;

    use super::*;

    /// Of any length, and many with one head.
    fn key(n: u64) -> Key {
        let n = n as u16;
        let text = [(n >> 8).to_be_bytes(), n.to_be_bytes()].concat();
        let mut key = vec![7; usize::from(n / 300) * 2];
        key.extend(text);
        key.into()
    }

    #[test]
    fn heads_sort_as_keys_do() {
        let keys: Vec<&[u8]> = vec![
            b"",
            b"\0",
            b"a",
            b"a\0",
            b"a\0b",
            b"ab",
            b"abcdefgh",
            b"abcdefgh\0",
            b"b",
        ];
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1] && head_of(pair[0]) <= head_of(pair[1]), "{pair:?}");
        }
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
