//! One table: items in order of their keys, and its global secondary indexes, which follow after a delay.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base::{Fingerprint, Nanos, SortedMap, Time};

use crate::capacity::{Consumption, Units};
use crate::failure::{Failure, Fallible, Throttled};
use crate::item::Item;
use crate::key::{Key, encode_entry};
use crate::schema::{IndexDefinition, TableDefinition};
use crate::throughput::{Limit, Meter};
use crate::value::item_size;

const ITEM_OVERHEAD: u64 = 100;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) definition: Arc<TableDefinition>,
    items: SortedMap<Held>,
    bytes: u64,
    content: Content,
    pub(crate) indexes: Vec<Index>,
    pub(crate) meter: Meter,
}

/// An item at rest, with its size: who reads pages of them need not look into each.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) item: Arc<Item>,
    pub(crate) bytes: u64,
}

impl Held {
    fn new(item: Arc<Item>) -> Held {
        Held {
            bytes: item_size(&item),
            item,
        }
    }
}

/// Entries are items as the index projects them.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) entries: SortedMap<Held>,
    content: Content,
    /// By the instant at which they arrive, which never falls.
    pending: VecDeque<Change>,
    pub(crate) meter: Meter,
}

/// What an index's entry becomes.
#[derive(Clone, Debug, Hash)]
struct Change {
    arrives: Time,
    key: Key,
    entry: Option<Arc<Item>>,
}

/// A sum over entries, whatever the order they came in: a fingerprint that a write changes by what it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Content(u64, u64);

impl Content {
    pub(crate) fn replace<T: Hash>(&mut self, key: &[u8], old: Option<&T>, new: Option<&T>) {
        if let Some(old) = old {
            let Fingerprint(a, b) = Fingerprint::of(&(key, old));
            *self = Content(self.0.wrapping_sub(a), self.1.wrapping_sub(b));
        }
        if let Some(new) = new {
            let Fingerprint(a, b) = Fingerprint::of(&(key, new));
            *self = Content(self.0.wrapping_add(a), self.1.wrapping_add(b));
        }
    }
}

/// What an item's change does to one index.
struct Effect {
    delete: Option<Key>,
    put: Option<(Key, Arc<Item>)>,
    units: Units,
}

impl Effect {
    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.delete.iter().chain(self.put.iter().map(|(key, _)| key))
    }
}

impl Table {
    pub(crate) fn new(definition: TableDefinition) -> Table {
        Table {
            items: SortedMap::new(),
            bytes: 0,
            content: Content::default(),
            indexes: definition.indexes.iter().map(Index::new).collect(),
            meter: Meter::new(definition.throughput),
            definition: Arc::new(definition),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Arc<Item>> {
        self.items.get(key).map(|held| &held.item)
    }

    pub(crate) fn items(&self) -> &SortedMap<Held> {
        &self.items
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When all indexes show what was written.
    pub(crate) fn settled(&self) -> Option<Time> {
        self.indexes.iter().filter_map(Index::settled).max()
    }

    /// With its indexes; AWS adds 100 bytes to each item and each entry.
    pub(crate) fn stored_bytes(&self) -> u64 {
        let entries = self.indexes.iter().flat_map(|index| index.entries.iter());
        let indexed: u64 = entries.map(|(_, entry)| entry.bytes + ITEM_OVERHEAD).sum();
        self.bytes + self.items.len() as u64 * ITEM_OVERHEAD + indexed
    }

    fn effect(&self, index: &IndexDefinition, old: Option<&Arc<Item>>, new: Option<&Arc<Item>>) -> Option<Effect> {
        let entry = |item: Option<&Arc<Item>>| {
            let item = item?;
            let key = encode_entry(&index.key, &self.definition.key, item)?;
            Some((key, index.project(&self.definition.key, item)))
        };
        let write = |item: &Item| Units::write(item_size(item), false);
        match (entry(old), entry(new)) {
            (None, None) => None,
            (Some((key, old)), None) => Some(Effect {
                units: write(&old),
                delete: Some(key),
                put: None,
            }),
            (None, Some((key, new))) => Some(Effect {
                units: write(&new),
                delete: None,
                put: Some((key, new)),
            }),
            (Some((old_key, old)), Some((key, new))) if old_key == key => (old != new).then(|| Effect {
                units: Units::write(item_size(&old).max(item_size(&new)), false),
                delete: None,
                put: Some((key, new)),
            }),
            (Some((old_key, old)), Some((key, new))) => {
                let mut units = write(&old);
                units.add(write(&new));
                Some(Effect {
                    units,
                    delete: Some(old_key),
                    put: Some((key, new)),
                })
            }
        }
    }

    /// May this item be written now, by its partition's and its indexes' throughput? An index that is too slow holds
    /// up the table.
    pub(crate) fn admit_write(&mut self, key: &Key, new: Option<&Arc<Item>>, now: Time) -> Fallible<()> {
        let definition = self.definition.clone();
        self.meter
            .check(key, true, now)
            .map_err(|limit| throttled(&definition.name, None, true, limit))?;
        for (number, index) in definition.indexes.iter().enumerate() {
            let Some(effect) = self.effect(index, self.get(key), new) else {
                continue;
            };
            for key in effect.keys() {
                let check = self.indexes[number].meter.check(key, true, now);
                check.map_err(|limit| throttled(&definition.name, Some(&index.name), true, limit))?;
            }
        }
        Ok(())
    }

    /// Writes or, with `None`, deletes; what arrives at the indexes arrives `index_delay` later.
    pub(crate) fn write(
        &mut self,
        key: &Key,
        new: Option<Arc<Item>>,
        transactional: bool,
        (now, index_delay): (Time, Nanos),
    ) -> Consumption {
        let old_bytes = self.items.get(key).map_or(0, |held| held.bytes);
        let new_bytes = new.as_deref().map_or(0, item_size);
        let own = Units::write(old_bytes.max(new_bytes), transactional);
        let mut consumption = Consumption::of(&self.definition.name, own);
        consumption.transactional = transactional;
        self.meter.take(key, true, own.halves());
        // So that what is on its way does not pile up in an index that nobody reads.
        for index in &mut self.indexes {
            index.catch_up(now);
        }
        for (number, effect) in self.replace(key, new, now + index_delay) {
            let index = &mut self.indexes[number];
            let writes = effect.keys().count().max(1) as u64;
            for key in effect.keys() {
                index.meter.take(key, true, effect.units.write_halves / writes);
            }
            consumption
                .indexes
                .insert(self.definition.indexes[number].name.clone(), effect.units);
        }
        consumption
    }

    /// Puts an item there as if it had always been: nothing is used up, and the indexes have it at once.
    pub(crate) fn load(&mut self, key: &Key, item: Arc<Item>) {
        self.replace(key, Some(item), Time::ZERO);
        for index in &mut self.indexes {
            index.catch_up(Time::ZERO);
        }
    }

    /// The item becomes another; by index, what that does to it.
    fn replace(&mut self, key: &Key, new: Option<Arc<Item>>, arrives: Time) -> Vec<(usize, Effect)> {
        let old = self.get(key).cloned();
        let definition = self.definition.clone();
        let mut effects = Vec::new();
        for (number, index) in definition.indexes.iter().enumerate() {
            let Some(effect) = self.effect(index, old.as_ref(), new.as_ref()) else {
                continue;
            };
            let deletion = effect.delete.clone().map(|key| (key, None));
            let put = effect.put.clone().map(|(key, entry)| (key, Some(entry)));
            for (key, entry) in deletion.into_iter().chain(put) {
                self.indexes[number].pending.push_back(Change { arrives, key, entry });
            }
            effects.push((number, effect));
        }
        self.content.replace(key, old.as_deref(), new.as_deref());
        let new = new.map(Held::new);
        let new_bytes = new.as_ref().map_or(0, |held| held.bytes);
        let replaced = match new {
            Some(held) => self.items.insert(key.clone(), held),
            None => self.items.remove(key),
        };
        let old_bytes = replaced.map_or(0, |held| held.bytes);
        self.bytes = self.bytes.saturating_sub(old_bytes).saturating_add(new_bytes);
        effects
    }
}

impl Index {
    fn new(definition: &IndexDefinition) -> Index {
        Index {
            entries: SortedMap::new(),
            content: Content::default(),
            pending: VecDeque::new(),
            meter: Meter::new(definition.throughput),
        }
    }

    /// When the last of its changes that are on their way arrives.
    fn settled(&self) -> Option<Time> {
        self.pending.back().map(|change| change.arrives)
    }

    /// Takes in what has arrived by now.
    pub(crate) fn catch_up(&mut self, now: Time) {
        while let Some(change) = self.pending.pop_front_if(|change| change.arrives <= now) {
            let Change { key, entry, .. } = change;
            let old = match &entry {
                Some(item) => self.entries.insert(key.clone(), Held::new(item.clone())),
                None => self.entries.remove(&key),
            };
            let old = old.as_ref().map(|held| &*held.item);
            self.content.replace(&key, old, entry.as_deref());
        }
    }
}

pub(crate) fn throttled(table: &Arc<str>, index: Option<&Arc<str>>, write: bool, limit: Limit) -> Box<Failure> {
    Failure::throttled(Throttled {
        table: table.clone(),
        index: index.cloned(),
        write,
        partition: limit == Limit::Partition,
    })
}

impl Hash for Table {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (
            &self.definition,
            self.items.len(),
            self.content,
            &self.meter,
            &self.indexes,
        )
            .hash(state);
    }
}

impl Hash for Index {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.entries.len(), self.content, &self.pending, &self.meter).hash(state);
    }
}
