//! Do the generators of initial rows keep NOT NULL and the keys? Said before a run, not found in the middle of it.

use std::collections::BTreeSet;

use base::{Type, Value};

use super::infer;
use crate::document::Reading;
use crate::{ColumnId, Count, Generator, Schema, Table, TableId};

/// The initial rows of one table, as they will be made.
pub(super) struct Rows<'a> {
    pub(super) table: &'a Table,
    pub(super) columns: &'a [(ColumnId, Type, Generator)],
    pub(super) count: Count,
    pub(super) rows: u64,
    pub(super) schema: &'a Schema,
}

impl Rows<'_> {
    pub(super) fn check(&self, reading: &mut Reading<'_>) {
        for (id, _, _) in self.columns {
            let column = self.table.column(*id);
            if column.not_null && self.may_be_null(*id) {
                let message = format!("\"{}\" is NOT NULL, but its generator makes NULL", column.name);
                reading.error(column.place, message, None);
            }
        }
        for key in self.keys() {
            let nulls_differ = key.iter().any(|id| self.always_null(*id));
            if self.rows > 1 && !nulls_differ && !self.distinct(&key) {
                let names: Vec<&str> = key.iter().map(|id| self.table.column(*id).name.as_str()).collect();
                let (table, names) = (self.table.full_name(), names.join(", "));
                let message = format!("initial rows of {table} may collide on the key ({names})");
                let hint =
                    "under [population.columns], give one of them \"new id\", or \"each of […]\" with enough values";
                reading.error(self.table.place, message, hint.to_owned());
            }
        }
    }

    /// A column of a key of several that must tell rows apart, since no other does. The last that can.
    pub(super) fn to_tell_apart(&self, given: impl Fn(ColumnId) -> bool) -> Option<(ColumnId, Generator)> {
        let open = |key: &Vec<ColumnId>| {
            key.len() > 1 && self.rows > 1 && !key.iter().any(|id| self.always_null(*id)) && !self.distinct(key)
        };
        self.keys().into_iter().filter(open).find_map(|key| {
            key.iter().rev().find_map(|id| {
                let generator = self.generator(*id)?;
                let is_instant = matches!(generator, Generator::Instant { .. });
                let refers = self.table.foreign_keys.iter().any(|key| key.columns.contains(id));
                if (given(*id) && !is_instant) || refers {
                    return None;
                }
                Some((*id, infer::apart(self.table, *id, generator)?))
            })
        })
    }

    /// The primary key, UNIQUE constraints, unique indexes over all rows.
    fn keys(&self) -> Vec<Vec<ColumnId>> {
        let indexes = self
            .table
            .indexes
            .iter()
            .filter(|index| index.unique && index.filter.is_none());
        let indexes = indexes.map(|index| index.columns.iter().map(|column| column.column).collect());
        let unique = self.table.unique.iter().map(|unique| unique.columns.clone());
        let primary = Some(self.table.primary_key.clone()).filter(|key| !key.is_empty());
        primary.into_iter().chain(unique).chain(indexes).collect()
    }

    /// The generator of a column; `same as` is that of the other column.
    fn generator(&self, id: ColumnId) -> Option<&Generator> {
        let mut id = id.index();
        loop {
            match self.columns.get(id) {
                // Always an earlier column, so this ends.
                Some((_, _, Generator::Same(other))) if usize::from(*other) < id => id = usize::from(*other),
                found => return found.map(|(_, _, generator)| generator),
            }
        }
    }

    fn always_null(&self, id: ColumnId) -> bool {
        self.generator(id) == Some(&Generator::Constant(Value::Null))
    }

    fn may_be_null(&self, id: ColumnId) -> bool {
        match self.generator(id) {
            Some(Generator::Constant(value)) => value.is_null(),
            Some(Generator::Choice(values) | Generator::Each(values)) => values.iter().any(Value::is_null),
            _ => false,
        }
    }

    /// Do the columns of the key tell all rows apart? One may do it alone; or the tenant, or the row's parent, and what
    /// differs among the rows of one.
    fn distinct(&self, key: &[ColumnId]) -> bool {
        let generators = || key.iter().filter_map(|id| self.generator(*id));
        let of_parent = generators().filter_map(|generator| match generator {
            Generator::Parent { table, column } => Some((*table, *column)),
            _ => None,
        });
        let of_parent: Vec<(TableId, ColumnId)> = of_parent.collect();
        let parent = of_parent.first().is_some_and(|(table, _)| {
            let columns: Vec<ColumnId> = of_parent.iter().map(|(_, column)| *column).collect();
            self.schema.table(*table).is_key(&columns)
        });
        let tenant = generators().any(|generator| *generator == Generator::Tenant);
        // Rows of one parent follow each other.
        let neighbours = match self.count {
            Count::PerRow { per, .. } if parent => per,
            Count::PerTenant(1) if tenant => 1,
            _ => self.rows,
        };
        let alone = |generator: &Generator| {
            matches!(
                generator,
                Generator::Unique { .. } | Generator::Email { .. } | Generator::Instant { apart: true, .. }
            )
        };
        neighbours == 1 || generators().any(alone) || different_in_turn(generators(), neighbours)
    }
}

/// Lists of more values together are not looked at.
const MOST_TURNS: usize = 10_000;

/// Do the values that columns take in turn differ, all together, among so many rows that follow each other?
fn different_in_turn<'g>(generators: impl Iterator<Item = &'g Generator>, rows: u64) -> bool {
    let lists = generators.filter_map(|generator| match generator {
        Generator::Each(values) if !values.is_empty() => Some(values),
        _ => None,
    });
    let lists: Vec<&Vec<Value>> = lists.collect();
    let mut seen = BTreeSet::new();
    for row in 0..MOST_TURNS {
        let values: Vec<&Value> = lists.iter().map(|list| &list[row % list.len()]).collect();
        if !seen.insert(values) {
            break;
        }
    }
    // So many rows differ from the first on; all lists begin anew together, else rows from elsewhere on may not.
    let again = lists.iter().all(|list| seen.len() % list.len() == 0);
    !lists.is_empty() && again && seen.len() as u64 >= rows
}
