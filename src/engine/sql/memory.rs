//! What a table takes in the memory of whoever runs the server: heap, maps and indexes, slack included. (What it
//! would take on PostgreSQL's disk is another question: [`Server::stored_bytes`].)

use std::sync::Arc;

use crate::SqlError;
use crate::error::{error, state};
use crate::server::Server;

/// Bytes of memory of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableMemory {
    /// Pages, the map of free space, rows that are too long for a page.
    pub heap: u64,
    /// By name, in the order of their creation.
    pub indexes: Vec<(Arc<str>, u64)>,
}

impl TableMemory {
    pub fn total(&self) -> u64 {
        self.heap + self.indexes.iter().map(|(_, bytes)| bytes).sum::<u64>()
    }
}

impl Server {
    /// Of a table as committed, named `schema.table` or, in `public`, `table`.
    pub fn table_memory(&self, database: &str, table: &str) -> Result<TableMemory, SqlError> {
        let database = self.core.catalog.database(database).map_err(|refusal| *refusal)?;
        let (schema, name) = table.split_once('.').unwrap_or(("public", table));
        let Some(found) = self.core.catalog.table_named(database, schema, name, &[]) else {
            let message = format!("relation \"{table}\" does not exist");
            return Err(*error(state::UNDEFINED_TABLE, message));
        };
        let storage = &self.core.storage;
        Ok(TableMemory {
            heap: storage.heap_memory(found.heap),
            indexes: (found.indexes.iter())
                .map(|index| (index.name.clone(), storage.index_memory(index.id)))
                .collect(),
        })
    }
}
