//! Reads: one item, a page of a query or of a scan.

use std::ops::Bound;

use base::{SortedMap, Time};

use crate::capacity::{Consistency, Consumption, Units};
use crate::expression::{Condition, PathTree, Placeholders, Purpose};
use crate::failure::{Fallible, invalid, invalid_parameter};
use crate::key::{self, Key};
use crate::key_condition::{KeyRange, key_range};
use crate::request::{Get, Outcome, Page, PagedRead, Query, Reply, Scan, Select};
use crate::schema::{KeySchema, Projection, TableDefinition};
use crate::service::Engine;
use crate::storage::{Held, Table, throttled};
use crate::throughput::Meter;
use crate::transaction::projected;
use crate::value::item_size;

/// A page ends with the item that makes it as large as this.
const PAGE_BYTES: u64 = 1024 * 1024;

/// A read's expressions, read.
struct Parsed {
    filter: Option<Condition>,
    projection: Option<PathTree>,
}

impl Engine {
    pub(crate) fn get(&mut self, get: &Get, now: Time) -> Fallible<Outcome> {
        let mut placeholders = Placeholders::new(&get.substitutions.names, &get.substitutions.values);
        let projection = match &get.projection {
            Some(text) => Some(placeholders.projection(text)?),
            None => None,
        };
        placeholders.check_unused()?;
        let table = self.table_mut(&get.table)?;
        let key = key::of_request(&table.definition.key, &get.key)?;
        let check = table.meter.check(&key, false, now);
        check.map_err(|limit| throttled(&get.table, None, false, limit))?;
        let item = table.get(&key).cloned();
        let size = item.as_deref().map_or(0, item_size);
        let units = Units::read(size, Consistency::of(get.consistent));
        table.meter.take(&key, false, units.halves());
        Ok(Outcome {
            result: Ok(Reply::Item(item.map(|item| projected(projection.as_ref(), item)))),
            consumed: vec![Consumption::of(&get.table, units)],
        })
    }

    pub(crate) fn query(&mut self, query: &Query, now: Time) -> Fallible<Outcome> {
        let read = &query.read;
        let mut placeholders = Placeholders::new(&read.substitutions.names, &read.substitutions.values);
        let parsed = parse(read, &mut placeholders)?;
        let condition = placeholders.condition(Purpose::KeyCondition, &query.key_condition)?;
        placeholders.check_unused()?;
        let table = self.table_mut(&read.table)?;
        let definition = table.definition.clone();
        let schema = schema_of(&definition, read)?;
        let range = key_range(&condition, schema)?;
        check_filter(&parsed, schema)?;
        let start = start_key(&definition, schema, read)?;
        if let Some(start) = &start
            && !start.starts_with(&range.prefix)
        {
            return Err(invalid(
                "The provided starting key is outside query boundaries based on provided conditions",
            ));
        }
        page(table, read, &parsed, (range, query.forward), start, now)
    }

    pub(crate) fn scan(&mut self, scan: &Scan, now: Time) -> Fallible<Outcome> {
        let read = &scan.read;
        let mut placeholders = Placeholders::new(&read.substitutions.names, &read.substitutions.values);
        let parsed = parse(read, &mut placeholders)?;
        placeholders.check_unused()?;
        let table = self.table_mut(&read.table)?;
        let definition = table.definition.clone();
        let schema = schema_of(&definition, read)?;
        let start = start_key(&definition, schema, read)?;
        page(table, read, &parsed, (segment(scan.segment)?, true), start, now)
    }
}

fn parse(read: &PagedRead, placeholders: &mut Placeholders<'_>) -> Fallible<Parsed> {
    if read.limit == Some(0) {
        return Err(invalid(
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: \
             Member must have value greater than or equal to 1",
        ));
    }
    Ok(Parsed {
        projection: match &read.projection {
            Some(text) => Some(placeholders.projection(text)?),
            None => None,
        },
        filter: match &read.filter {
            Some(text) => Some(placeholders.condition(Purpose::Filter, text)?),
            None => None,
        },
    })
}

fn schema_of<'a>(definition: &'a TableDefinition, read: &PagedRead) -> Fallible<&'a KeySchema> {
    let Some(name) = &read.index else {
        return Ok(&definition.key);
    };
    let Some(number) = definition.index(name) else {
        return Err(invalid(format!("The table does not have the specified index: {name}")));
    };
    if read.consistent {
        return Err(invalid(
            "Consistent reads are not supported on global secondary indexes",
        ));
    }
    let index = &definition.indexes[number];
    if read.select == Select::AllAttributes && index.projection != Projection::All {
        return Err(invalid_parameter(format!(
            "Select type ALL_ATTRIBUTES is not supported for global secondary index {name} \
             because its projection type is not ALL"
        )));
    }
    Ok(&index.key)
}

fn check_filter(parsed: &Parsed, schema: &KeySchema) -> Fallible<()> {
    let mut key = None;
    if let Some(filter) = &parsed.filter {
        filter.paths(&mut |path| {
            if schema.has(&path.attribute) {
                key.get_or_insert_with(|| path.attribute.clone());
            }
        });
    }
    match key {
        None => Ok(()),
        Some(name) => Err(invalid(format!(
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
        ))),
    }
}

/// Behind which key to go on.
fn start_key(definition: &TableDefinition, schema: &KeySchema, read: &PagedRead) -> Fallible<Option<Key>> {
    let Some(start) = &read.start else {
        return Ok(None);
    };
    let wrong = || invalid("The provided starting key is invalid");
    let named = |name: &str| definition.key.has(name) || schema.has(name);
    if !start.keys().all(|name| named(name)) {
        return Err(wrong());
    }
    let key = if read.index.is_some() {
        key::encode_entry(schema, &definition.key, start)
    } else {
        key::encode(schema, start).map(Key::from)
    };
    key.map(Some).ok_or_else(wrong)
}

/// The hashes of one of so many equal segments.
fn segment(segment: Option<(u32, u32)>) -> Fallible<KeyRange> {
    let (number, of) = segment.unwrap_or((0, 1));
    if of == 0 || number >= of {
        return Err(invalid(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: \
             Segment: {number} is not less than TotalSegments: {of}"
        )));
    }
    // The first hash of a segment, as `partition_of` divides them.
    let first = |number: u32| {
        let hash = (u128::from(number) << 64).div_ceil(u128::from(of));
        u64::try_from(hash).map_or(Bound::Unbounded, |hash| Bound::Included(hash.to_be_bytes().to_vec()))
    };
    let to = match first(number + 1) {
        Bound::Included(bytes) => Bound::Excluded(bytes),
        other => other,
    };
    Ok(KeyRange {
        prefix: Vec::new(),
        from: first(number),
        to,
    })
}

fn page(
    table: &mut Table,
    read: &PagedRead,
    parsed: &Parsed,
    (range, forward): (KeyRange, bool),
    start: Option<Key>,
    now: Time,
) -> Fallible<Outcome> {
    let definition = table.definition.clone();
    let number = read.index.as_ref().and_then(|name| definition.index(name));
    let (entries, meter): (SortedMap<Held>, &mut Meter) = match number {
        None => (table.items().clone(), &mut table.meter),
        Some(number) => {
            let index = &mut table.indexes[number];
            index.catch_up(now);
            (index.entries.clone(), &mut index.meter)
        }
    };
    let schema = number.map_or(&definition.key, |number| &definition.indexes[number].key);
    let index_name = read.index.as_ref();
    meter
        .check(&range.prefix, false, now)
        .map_err(|limit| throttled(&read.table, index_name, false, limit))?;

    let (mut from, mut to) = (as_slice(&range.from), as_slice(&range.to));
    if let Some(start) = &start {
        if forward {
            from = Bound::Excluded(start);
        } else {
            to = Bound::Excluded(start);
        }
    }
    let mut entries_in_order = entries.range(from, to);
    let mut found = Page {
        count_only: read.select == Select::Count,
        ..Page::default()
    };
    let mut bytes = 0_u64;
    loop {
        let next = if forward {
            entries_in_order.next()
        } else {
            entries_in_order.next_back()
        };
        let Some((_, Held { item, bytes: size })) = next else {
            break;
        };
        found.scanned += 1;
        bytes += size;
        if parsed.filter.as_ref().is_none_or(|filter| filter.holds(item)) {
            found.count += 1;
            if !found.count_only {
                found.items.push(projected(parsed.projection.as_ref(), item.clone()));
            }
        }
        let full = bytes >= PAGE_BYTES || read.limit.is_some_and(|limit| found.scanned >= u64::from(limit));
        if full {
            let mut last = schema.key_of(item);
            last.extend(definition.key.key_of(item));
            found.last = Some(last);
            break;
        }
    }
    let units = Units::read(bytes, Consistency::of(read.consistent));
    meter.take(&range.prefix, false, units.halves());
    let consumed = match index_name {
        None => Consumption::of(&read.table, units),
        Some(index) => Consumption::of_index(&read.table, index, units),
    };
    Ok(Outcome {
        result: Ok(Reply::Page(found)),
        consumed: vec![consumed],
    })
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(bytes) => Bound::Included(bytes),
        Bound::Excluded(bytes) => Bound::Excluded(bytes),
        Bound::Unbounded => Bound::Unbounded,
    }
}
