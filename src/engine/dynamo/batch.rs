//! Batches: many single reads or writes in one round trip, each by itself. What a partition cannot take now comes
//! back unprocessed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Time;

use crate::capacity::{Consistency, Consumption, Units, merge};
use crate::expression::Placeholders;
use crate::failure::{Failure, FailureName, Fallible, invalid};
use crate::item::Item;
use crate::key;
use crate::request::{Action, BatchGet, BatchWrite, Outcome, Reply, ReturnValues, Substitutions, Write};
use crate::service::Engine;
use crate::storage::throttled;
use crate::transaction::projected;
use crate::value::item_size;

const MAX_GETS: usize = 100;
const MAX_WRITES: usize = 25;
const MAX_BYTES: u64 = 16 * 1024 * 1024;

impl Engine {
    pub(crate) fn batch_get(&mut self, tables: &BTreeMap<Arc<str>, BatchGet>, now: Time) -> Fallible<Outcome> {
        if tables.values().map(|batch| batch.keys.len()).sum::<usize>() > MAX_GETS {
            return Err(invalid("Too many items requested for the BatchGetItem call"));
        }
        if tables.is_empty() {
            return Err(too_short("requestItems", "{}"));
        }
        let (mut responses, mut unprocessed) = (BTreeMap::new(), BTreeMap::new());
        let (mut consumed, mut bytes, mut refusal) = (Vec::new(), 0_u64, None);
        for (name, batch) in tables {
            let values = Item::new();
            let mut placeholders = Placeholders::new(&batch.names, &values);
            let projection = match &batch.projection {
                Some(text) => Some(placeholders.projection(text)?),
                None => None,
            };
            placeholders.check_unused()?;
            let table = self.table_mut(name)?;
            let mut keys = BTreeSet::new();
            let (mut items, mut left) = (Vec::new(), Vec::new());
            for given in &batch.keys {
                let key = key::of_request(&table.definition.key, given)?;
                if !keys.insert(key.clone()) {
                    return Err(invalid("Provided list of item keys contains duplicates"));
                }
                if let Err(limit) = table.meter.check(&key, false, now) {
                    refusal = Some(throttled(name, None, false, limit));
                    left.push(given.clone());
                    continue;
                }
                let item = table.get(&key).cloned();
                let size = item.as_deref().map_or(0, item_size);
                if bytes.saturating_add(size) > MAX_BYTES {
                    left.push(given.clone());
                    continue;
                }
                bytes += size;
                let units = Units::read(size, Consistency::of(batch.consistent));
                table.meter.take(&key, false, units.halves());
                merge(&mut consumed, Consumption::of(name, units));
                items.extend(item.map(|item| projected(projection.as_ref(), item)));
            }
            responses.insert(name.clone(), items);
            if !left.is_empty() {
                let rest = BatchGet {
                    keys: left,
                    ..batch.clone()
                };
                unprocessed.insert(name.clone(), rest);
            }
        }
        // Only if nothing at all could be read is it an error.
        match refusal {
            Some(refusal) if consumed.is_empty() => Err(refusal),
            _ => Ok(Outcome {
                result: Ok(Reply::BatchGot { responses, unprocessed }),
                consumed,
            }),
        }
    }

    pub(crate) fn batch_write(&mut self, tables: &BTreeMap<Arc<str>, Vec<BatchWrite>>, now: Time) -> Fallible<Outcome> {
        let count: usize = tables.values().map(Vec::len).sum();
        if count > MAX_WRITES {
            return Err(invalid("Too many items requested for the BatchWriteItem call"));
        }
        if tables.is_empty() {
            return Err(too_short("requestItems", "{}"));
        }
        let mut writes = Vec::with_capacity(count);
        for (name, batch) in tables {
            let definition = self.table(name)?.definition.clone();
            let mut keys = BTreeSet::new();
            for write in batch {
                let single = single_write(name, write);
                if !keys.insert(single.key(&definition)?) {
                    return Err(invalid("Provided list of item keys contains duplicates"));
                }
                writes.push((write, single));
            }
        }
        let (mut unprocessed, mut refusal) = (BTreeMap::<Arc<str>, Vec<BatchWrite>>::new(), None);
        let mut consumed = Vec::new();
        for (write, single) in writes {
            match self.write(&single, now) {
                Ok(outcome) => outcome.consumed.into_iter().for_each(|more| merge(&mut consumed, more)),
                Err(failure)
                    if matches!(
                        failure.name,
                        FailureName::ProvisionedThroughputExceeded | FailureName::TransactionConflict
                    ) =>
                {
                    unprocessed.entry(single.table).or_default().push(write.clone());
                    refusal = Some(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
        match refusal {
            Some(refusal) if consumed.is_empty() => Err(refusal),
            _ => Ok(Outcome {
                result: Ok(Reply::BatchWritten { unprocessed }),
                consumed,
            }),
        }
    }
}

fn single_write(table: &Arc<str>, write: &BatchWrite) -> Write {
    Write {
        table: table.clone(),
        action: match write {
            BatchWrite::Put(item) => Action::Put { item: item.clone() },
            BatchWrite::Delete(key) => Action::Delete { key: key.clone() },
        },
        condition: None,
        substitutions: Substitutions::default(),
        returns: ReturnValues::None,
        old_on_failure: false,
    }
}

fn too_short(member: &str, value: &str) -> Box<Failure> {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
         Member must have length greater than or equal to 1"
    ))
}
