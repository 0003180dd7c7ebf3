//! What a table's name stands for besides its own rows: partitions, tables that inherit from it.
//!
//! Each is an appearance of its own whose columns are written to the *same slots* as those of the table that was
//! named, so that every expression of the statement is about all of them.

use std::sync::Arc;

use super::{Binder, RangeTable};
use crate::catalog::{PartitionMap, Privileges, Table};

/// One that has rows.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) table: usize,
    /// Which part it is of each of the levels above it.
    pub(crate) path: Vec<(usize, usize)>,
}

/// A partitioned table among those above the members.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// Its appearance.
    pub(crate) table: usize,
    pub(crate) map: Arc<PartitionMap>,
}

impl Binder<'_> {
    /// Finds the members of every table whose rows are read, updated or deleted.
    pub(crate) fn expand_members(&mut self) {
        for at in 0..self.tables.len() {
            let range = &self.tables[at];
            let alone = !range.table.has_children && range.table.partition_key.is_none();
            if range.command.is_none() || range.only || alone {
                continue;
            }
            if range.table.partition_key.is_some() {
                self.expand_parts(at, at, &[]);
            } else {
                let root = range.table.clone();
                for table in self.names.catalog.descendants(&root, self.names.own) {
                    let table = self.member_range(at, table);
                    let path = Vec::new();
                    self.tables[at].members.push(Member { table, path });
                }
            }
        }
    }

    fn expand_parts(&mut self, root: usize, at: usize, path: &[(usize, usize)]) {
        let table = self.tables[at].table.clone();
        let Some(map) = self.names.catalog.partition_map(&table, self.names.own) else {
            return;
        };
        let map = Arc::new(map);
        let level = self.tables[root].levels.len();
        self.tables[root].levels.push(Level {
            table: at,
            map: map.clone(),
        });
        for (number, part) in map.parts.iter().enumerate() {
            let table = self.member_range(root, part.clone());
            let mut path = path.to_vec();
            path.push((level, number));
            if part.partition_key.is_some() {
                self.expand_parts(root, table, &path);
            } else {
                self.tables[root].members.push(Member { table, path });
            }
        }
    }

    fn member_range(&mut self, root: usize, table: Arc<Table>) -> usize {
        let of = &self.tables[root];
        let columns = table.columns_of(&of.table);
        let found = |(column, slot): &(u16, u32)| columns[usize::from(*column)].map(|own| (own, *slot));
        let mut wanted: Vec<(u16, u32)> = of.wanted.iter().filter_map(found).collect();
        wanted.sort_unstable();
        let member = RangeTable {
            table,
            wanted,
            system: of.system.clone(),
            command: None,
            required: Privileges::NONE,
            read: Default::default(),
            written: Default::default(),
            within: Vec::new(),
            security: of.security.clone(),
            only: true,
            members: Vec::new(),
            levels: Vec::new(),
            root_columns: Some(columns.into()),
        };
        self.tables.push(member);
        self.tables.len() - 1
    }
}
