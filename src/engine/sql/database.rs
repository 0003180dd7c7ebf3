//! Databases are made outside of any transaction, and are durable at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::SqlError;
use crate::catalog::Table;
use crate::error::{Fallible, error};
use crate::server::{Core, Server};
use crate::storage::{DatabaseId, RelationId};

impl Server {
    /// `CREATE DATABASE name`
    pub fn create_database(&mut self, name: &str) -> Result<(), SqlError> {
        self.core.add_database(name).map(drop).map_err(|refusal| *refusal)
    }

    /// `CREATE DATABASE name TEMPLATE template`: with the template's tables and rows. Pages are shared until one of
    /// the two is written to.
    ///
    /// Refused: 3D000 for an unknown template, 55006 while a session is connected to it.
    pub fn create_database_from(&mut self, name: &str, template: &str) -> Result<(), SqlError> {
        self.copy_database(name, template).map_err(|refusal| *refusal)
    }

    fn copy_database(&mut self, name: &str, template: &str) -> Fallible<()> {
        let source = self.core.catalog.database(template)?;
        if self.sessions.values().any(|session| session.state.database == source) {
            let message = format!("source database \"{template}\" is being accessed by other users");
            return Err(error("55006", message));
        }
        let copy = self.core.add_database(name)?;
        self.core.copy_tables(source, copy);
        Ok(())
    }
}

impl Core {
    fn add_database(&mut self, name: &str) -> Fallible<DatabaseId> {
        let id = self.catalog_mut().create_database(name)?;
        self.keep_catalog();
        Ok(id)
    }

    /// The catalog as it is, without what belongs to open transactions, is what a crash goes back to.
    fn keep_catalog(&mut self) {
        let kept = Arc::new(self.durable_catalog());
        for (_, committed) in &mut self.history {
            *committed = kept.clone();
        }
    }

    fn copy_tables(&mut self, source: DatabaseId, copy: DatabaseId) {
        let originals: Vec<Arc<Table>> = self.catalog.tables_of(source, &[]).cloned().collect();
        let numbers: BTreeMap<RelationId, RelationId> = originals
            .iter()
            .map(|table| (table.id, RelationId(self.catalog_mut().new_id())))
            .collect();
        let mut tables = Vec::with_capacity(originals.len());
        for original in originals {
            let mut table = (*original).clone();
            table.database = copy;
            table.id = numbers[&original.id];
            let indexes = table.indexes.iter_mut().map(|index| &mut index.id);
            table.heap = self.storage.copy_relation(original.heap, indexes);
            for parent in &mut table.parents {
                *parent = numbers.get(parent).copied().unwrap_or(*parent);
            }
            for key in &mut table.foreign_keys {
                key.parent = numbers.get(&key.parent).copied().unwrap_or(key.parent);
            }
            tables.push(table);
        }
        self.catalog_mut().fill_database(source, copy, tables);
        let of_source = self.sequences.iter().filter(|((database, _), _)| *database == source);
        let sequences: Vec<_> = of_source
            .map(|((_, name), last)| ((copy, name.clone()), *last))
            .collect();
        self.sequences.extend(sequences);
        self.storage.checkpoint_now();
        self.keep_catalog();
    }
}
