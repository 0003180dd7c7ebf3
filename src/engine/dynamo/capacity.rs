//! Capacity units by DynamoDB's arithmetic, in halves as integers.
//!
//! | | units |
//! |---|---|
//! | read | 4 KB begun, at least one: half a unit if eventually consistent, one if strongly, two in a transaction |
//! | page of a query or scan | the items read, added up, then rounded up once |
//! | write | 1 KB begun of the larger of the old and the new item, at least one; two in a transaction |
//! | write of an index's entry | as a write, only if the entry changes; a changed key is a deletion and a put |
//!
//! Assumed, since no source says it: a condition check in a transaction costs as a write of the item that it looks
//! at; an index's entries are written outside of the transaction that changed them and cost single.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What a request has used up of one table and its indexes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumption {
    pub table: Arc<str>,
    pub own: Units,
    pub indexes: BTreeMap<Arc<str>, Units>,
    pub transactional: bool,
}

/// In half units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Units {
    pub read_halves: u64,
    pub write_halves: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consistency {
    Eventual,
    Strong,
    Transactional,
}

const READ_BYTES: u64 = 4096;
const WRITE_BYTES: u64 = 1024;

impl Consistency {
    pub(crate) fn of(consistent: bool) -> Consistency {
        if consistent {
            Consistency::Strong
        } else {
            Consistency::Eventual
        }
    }
}

impl Units {
    pub(crate) fn read(bytes: u64, consistency: Consistency) -> Units {
        let halves = match consistency {
            Consistency::Eventual => 1,
            Consistency::Strong => 2,
            Consistency::Transactional => 4,
        };
        Units {
            read_halves: bytes.div_ceil(READ_BYTES).max(1) * halves,
            write_halves: 0,
        }
    }

    pub(crate) fn write(bytes: u64, transactional: bool) -> Units {
        Units {
            read_halves: 0,
            write_halves: bytes.div_ceil(WRITE_BYTES).max(1) * if transactional { 4 } else { 2 },
        }
    }

    pub(crate) fn add(&mut self, more: Units) {
        self.read_halves += more.read_halves;
        self.write_halves += more.write_halves;
    }

    pub fn halves(self) -> u64 {
        self.read_halves + self.write_halves
    }
}

impl Consumption {
    pub(crate) fn of(table: &Arc<str>, own: Units) -> Consumption {
        Consumption {
            table: table.clone(),
            own,
            indexes: BTreeMap::new(),
            transactional: false,
        }
    }

    pub(crate) fn of_index(table: &Arc<str>, index: &Arc<str>, units: Units) -> Consumption {
        Consumption {
            indexes: [(index.clone(), units)].into(),
            ..Consumption::of(table, Units::default())
        }
    }

    /// Of the table and all its indexes.
    pub fn total(&self) -> Units {
        let mut total = self.own;
        for units in self.indexes.values() {
            total.add(*units);
        }
        total
    }
}

/// Adds to what was used up of the same table, so that each is named once.
pub(crate) fn merge(all: &mut Vec<Consumption>, more: Consumption) {
    match all.iter_mut().find(|other| other.table == more.table) {
        None => all.push(more),
        Some(sum) => {
            sum.own.add(more.own);
            for (index, units) in more.indexes {
                sum.indexes.entry(index).or_default().add(units);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_rounded_to_4_kb_and_weighed_by_their_consistency() {
        for (bytes, eventual) in [(0, 1), (1, 1), (4096, 1), (4097, 2), (409_600, 100)] {
            assert_eq!(Units::read(bytes, Consistency::Eventual).read_halves, eventual);
            assert_eq!(Units::read(bytes, Consistency::Strong).read_halves, eventual * 2);
            assert_eq!(Units::read(bytes, Consistency::Transactional).read_halves, eventual * 4);
        }
    }

    #[test]
    fn writes_are_rounded_to_1_kb() {
        for (bytes, units) in [(0, 1), (1024, 1), (1025, 2), (409_600, 400)] {
            assert_eq!(Units::write(bytes, false).write_halves, units * 2);
            assert_eq!(Units::write(bytes, true).write_halves, units * 4);
        }
    }
}
