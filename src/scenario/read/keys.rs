//! Do the generators of initial rows keep NOT NULL and the keys? Said before a run, not found in the middle of it.

use std::collections::BTreeSet;

use base::{Type, Value};

use crate::document::Reading;
use crate::{ColumnId, Count, Generator, Schema, Table};

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

    /// Does one column of the key, or the row's parent with another column, tell all rows apart?
    fn distinct(&self, key: &[ColumnId]) -> bool {
        let generators = || key.iter().filter_map(|id| self.generator(*id));
        let parent = generators().any(|generator| match generator {
            Generator::Parent { table, column } => self.schema.table(*table).is_key(&[*column]),
            _ => false,
        });
        // Rows of one parent follow each other.
        let neighbours = match self.count {
            Count::PerRow { per, .. } if parent => per,
            _ => self.rows,
        };
        neighbours == 1
            || generators().any(|generator| match generator {
                Generator::Unique { .. } | Generator::Email { .. } => true,
                Generator::Each(values) => {
                    let different: BTreeSet<&Value> = values.iter().collect();
                    different.len() == values.len() && values.len() as u64 >= neighbours
                }
                _ => false,
            })
    }
}
