//! Requests and replies, as plain data.
//!
//! Expressions travel as texts with placeholders; `wire` reads and writes the JSON that clients speak.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::capacity::Consumption;
use crate::failure::Failure;
use crate::item::Item;
use crate::schema::TableDefinition;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    CreateTable(TableDefinition),
    DescribeTable {
        table: Arc<str>,
    },
    GetItem(Get),
    /// `PutItem`, `UpdateItem` or `DeleteItem`.
    Write(Write),
    Query(Query),
    Scan(Scan),
    BatchGetItem {
        tables: BTreeMap<Arc<str>, BatchGet>,
    },
    BatchWriteItem {
        tables: BTreeMap<Arc<str>, Vec<BatchWrite>>,
    },
    TransactGetItems {
        gets: Vec<Get>,
    },
    TransactWriteItems {
        writes: Vec<Write>,
        token: Option<Arc<str>>,
    },
}

/// What the placeholders of a request's expressions stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Substitutions {
    /// `#name` → attribute.
    pub names: BTreeMap<Arc<str>, Arc<str>>,
    /// `:value` → value.
    pub values: Item,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Get {
    pub table: Arc<str>,
    pub key: Item,
    /// Without meaning in a transaction.
    pub consistent: bool,
    pub projection: Option<Arc<str>>,
    pub substitutions: Substitutions,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    pub table: Arc<str>,
    pub action: Action,
    pub condition: Option<Arc<str>>,
    pub substitutions: Substitutions,
    /// Without meaning in a transaction.
    pub returns: ReturnValues,
    /// `ReturnValuesOnConditionCheckFailure` is `ALL_OLD`.
    pub old_on_failure: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Put {
        item: Item,
    },
    /// Without an expression it makes an item of its key alone.
    Update {
        key: Item,
        update: Option<Arc<str>>,
    },
    Delete {
        key: Item,
    },
    /// Only in a transaction.
    Check {
        key: Item,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReturnValues {
    #[default]
    None,
    AllOld,
    UpdatedOld,
    AllNew,
    UpdatedNew,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    pub key_condition: Arc<str>,
    pub forward: bool,
    pub read: PagedRead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    /// (segment, of so many)
    pub segment: Option<(u32, u32)>,
    pub read: PagedRead,
}

/// What queries and scans have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PagedRead {
    pub table: Arc<str>,
    pub index: Option<Arc<str>>,
    pub filter: Option<Arc<str>>,
    pub projection: Option<Arc<str>>,
    pub substitutions: Substitutions,
    /// Items to evaluate at most, before the filter.
    pub limit: Option<u32>,
    /// `ExclusiveStartKey`: the last page's `LastEvaluatedKey`.
    pub start: Option<Item>,
    pub consistent: bool,
    pub select: Select,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Select {
    /// All attributes, or all that the index has, or those of the projection.
    #[default]
    Default,
    AllAttributes,
    Count,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BatchGet {
    pub keys: Vec<Item>,
    pub consistent: bool,
    pub projection: Option<Arc<str>>,
    pub names: BTreeMap<Arc<str>, Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BatchWrite {
    Put(Item),
    Delete(Item),
}

/// What a request came to, and what it has used up, whether it went well or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    pub result: Result<Reply, Box<Failure>>,
    pub consumed: Vec<Consumption>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    Table(TableDescription),
    Item(Option<Arc<Item>>),
    /// What `ReturnValues` asked for, if there is any.
    Written(Option<Arc<Item>>),
    Page(Page),
    BatchGot {
        responses: BTreeMap<Arc<str>, Vec<Arc<Item>>>,
        unprocessed: BTreeMap<Arc<str>, BatchGet>,
    },
    BatchWritten {
        unprocessed: BTreeMap<Arc<str>, Vec<BatchWrite>>,
    },
    /// One for each key.
    Items(Vec<Option<Arc<Item>>>),
    Transacted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableDescription {
    pub definition: Arc<TableDefinition>,
    pub items: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page {
    pub items: Vec<Arc<Item>>,
    /// Only a count was asked for: there are no items.
    pub count_only: bool,
    /// Items that the filter let through.
    pub count: u64,
    /// Items read.
    pub scanned: u64,
    /// Where the next page starts; `None`: this was the last.
    pub last: Option<Item>,
}
