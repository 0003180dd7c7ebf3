//! The service: tables and transactions, requests in and outcomes out.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use base::{Fingerprint, Nanos, Time};

use crate::failure::{Failure, FailureName, Fallible};
use crate::item::Item;
use crate::key::{self, Key};
use crate::request::{Outcome, Reply, Request, TableDescription};
use crate::schema::TableDefinition;
use crate::storage::Table;
use crate::transaction::{TransactionId, Transactions};

/// See the crate's text. A clone shares what neither copy has changed since.
#[derive(Clone, Debug, Hash)]
pub struct Engine {
    pub(crate) configuration: Configuration,
    pub(crate) tables: BTreeMap<Arc<str>, Table>,
    pub(crate) transactions: Transactions,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Configuration {
    /// How long after a write its global secondary indexes show it.
    pub index_delay: Nanos,
}

/// What the first round of a request came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Begun {
    Done(Outcome),
    /// A transaction that has passed its first round; the second, at whatever later instant, is [`Engine::finish`].
    Prepared(TransactionId),
}

impl Engine {
    pub fn new(configuration: Configuration) -> Engine {
        Engine {
            configuration,
            tables: BTreeMap::new(),
            transactions: Transactions::default(),
        }
    }

    /// A whole request; a transaction's rounds one right after the other.
    pub fn request(&mut self, request: &Request, now: Time) -> Outcome {
        match self.begin(request, now) {
            Begun::Done(outcome) => outcome,
            Begun::Prepared(id) => self.finish(id, now),
        }
    }

    /// The first round of a transaction; the whole of any other request.
    pub fn begin(&mut self, request: &Request, now: Time) -> Begun {
        let done = match request {
            Request::TransactWriteItems { writes, token } => {
                return refused(self.begin_write(writes, token.as_ref(), now));
            }
            Request::TransactGetItems { gets } => return refused(self.begin_read(gets, now)),
            Request::CreateTable(definition) => self.create_table(definition.clone()).map(described),
            Request::DescribeTable { table } => self.table(table).map(|table| described(description(table))),
            Request::GetItem(get) => self.get(get, now),
            Request::Write(write) => self.write(write, now),
            Request::Query(query) => self.query(query, now),
            Request::Scan(scan) => self.scan(scan, now),
            Request::BatchGetItem { tables } => self.batch_get(tables, now),
            Request::BatchWriteItem { tables } => self.batch_write(tables, now),
        };
        refused(done.map(Begun::Done))
    }

    /// The second round of a transaction.
    pub fn finish(&mut self, id: TransactionId, now: Time) -> Outcome {
        self.finish_transaction(id, now).unwrap_or_else(failed)
    }

    pub fn create_table(&mut self, definition: TableDefinition) -> Fallible<TableDescription> {
        definition.check()?;
        if self.tables.contains_key(&definition.name) {
            let message = format!("Table already exists: {}", definition.name);
            return Err(Failure::new(FailureName::ResourceInUse, message));
        }
        let table = Table::new(definition);
        let description = description(&table);
        self.tables.insert(description.definition.name.clone(), table);
        Ok(description)
    }

    /// Puts an item there before a run begins: no capacity is used, and its indexes have it at once.
    pub fn load(&mut self, table: &str, item: Item) -> Fallible<()> {
        let table = self.table_mut(table)?;
        let definition = table.definition.clone();
        let key = key::of_item(&definition.key, &item)?;
        for index in &definition.indexes {
            key::check_index_key(&index.name, &index.key, &item)?;
        }
        table.load(&key, Arc::new(item));
        Ok(())
    }

    /// All items of a table as they are, for whoever stands outside of the run.
    pub fn items(&self, table: &str) -> impl Iterator<Item = &Arc<Item>> {
        let items = self.tables.get(table).map(|table| table.items().iter());
        items.into_iter().flatten().map(|(_, held)| &held.item)
    }

    /// When all indexes show what has been written so far; `None` if nothing is on its way any more, as far as
    /// anybody has looked.
    pub fn settled(&self) -> Option<Time> {
        self.tables.values().filter_map(Table::settled).max()
    }

    /// Of all tables and their indexes, as it is billed: 100 bytes more for each item and each index entry.
    pub fn stored_bytes(&self) -> u64 {
        self.tables.values().map(Table::stored_bytes).sum()
    }

    pub fn definition(&self, table: &str) -> Option<&Arc<TableDefinition>> {
        self.tables.get(table).map(|table| &table.definition)
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self)
    }

    pub(crate) fn table(&self, name: &str) -> Fallible<&Table> {
        self.tables.get(name).ok_or_else(not_found)
    }

    pub(crate) fn table_mut(&mut self, name: &str) -> Fallible<&mut Table> {
        self.tables.get_mut(name).ok_or_else(not_found)
    }

    pub(crate) fn is_in_transaction(&self, table: &Arc<str>, key: &Key) -> bool {
        self.transactions.marks(table, key)
    }
}

fn not_found() -> Box<Failure> {
    Failure::new(FailureName::ResourceNotFound, "Requested resource not found")
}

fn description(table: &Table) -> TableDescription {
    TableDescription {
        definition: table.definition.clone(),
        items: table.items().len() as u64,
        bytes: table.bytes(),
    }
}

fn described(description: TableDescription) -> Outcome {
    Outcome {
        result: Ok(Reply::Table(description)),
        consumed: Vec::new(),
    }
}

fn failed(failure: Box<Failure>) -> Outcome {
    Outcome {
        result: Err(failure),
        consumed: Vec::new(),
    }
}

fn refused(begun: Fallible<Begun>) -> Begun {
    begun.unwrap_or_else(|failure| Begun::Done(failed(failure)))
}
