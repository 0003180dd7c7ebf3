//! Things that come and go, named by a key that never means another thing later: an event that arrives
//! late finds nothing instead of a stranger.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Arena<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(crate) fn new() -> Arena<T> {
        Arena {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.1 = Some(value);
            return Key {
                index,
                generation: slot.0,
            };
        }
        self.slots.push((0, Some(value)));
        Key {
            index: self.slots.len() as u32 - 1,
            generation: 0,
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.slots
            .get(key.index as usize)
            .filter(|slot| slot.0 == key.generation)
            .and_then(|slot| slot.1.as_ref())
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self
            .slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.0 == key.generation)?;
        slot.1.as_mut()
    }

    /// Takes the value out for a while; the key stays reserved for [`Arena::put`] or [`Arena::remove`].
    pub(crate) fn borrow(&mut self, key: Key) -> Option<T> {
        let slot = self
            .slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.0 == key.generation)?;
        slot.1.take()
    }

    pub(crate) fn put(&mut self, key: Key, value: T) {
        self.slots[key.index as usize].1 = Some(value);
    }

    pub(crate) fn is_borrowed(&self, key: Key) -> bool {
        let slot = self
            .slots
            .get(key.index as usize)
            .filter(|slot| slot.0 == key.generation);
        slot.is_some_and(|slot| slot.1.is_none())
    }

    /// Ends the key's life; its value, if it is not borrowed.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self
            .slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.0 == key.generation)?;
        slot.0 = slot.0.wrapping_add(1);
        self.free.push(key.index);
        slot.1.take()
    }

    /// By index: a fixed order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(index, (generation, value))| {
                value.as_ref().map(|value| {
                    (
                        Key {
                            index: index as u32,
                            generation: *generation,
                        },
                        value,
                    )
                })
            })
    }

    pub(crate) fn keys(&self, mut of: impl FnMut(&T) -> bool) -> Vec<Key> {
        self.iter().filter(|(_, value)| of(value)).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_means_another_thing() {
        let mut arena = Arena::new();
        let a = arena.insert("a");
        assert_eq!(arena.remove(a), Some("a"));
        let b = arena.insert("b");
        assert_eq!((arena.get(a), arena.get(b)), (None, Some(&"b")));
        assert_eq!(arena.borrow(b), Some("b"));
        assert_eq!(arena.get(b), None);
        arena.put(b, "c");
        assert_eq!(arena.get(b), Some(&"c"));
    }
}
