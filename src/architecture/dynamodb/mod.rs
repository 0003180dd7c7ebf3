//! One DynamoDB table for everything: keys chosen for the access patterns, one transaction per operation.
//!
//! ```text
//! client ──▶ application ──▶ dynamodb: one table, pk and sk, overloaded indexes gsi1, gsi2, …
//! ```
//!
//! An operation is optimistic: it reads (strongly, where it is going to write), works out what to write in the
//! application's memory, and writes it by one `TransactWriteItems`, whose conditions say that nothing has changed
//! meanwhile; else all of it is done again.
//!
//! | in SQL | here |
//! |---|---|
//! | PRIMARY KEY | the item's key; a new item must not be there |
//! | UNIQUE, also of some rows (a partial index) | a guard item per value, put and deleted in the same transaction |
//! | FOREIGN KEY | a condition that the row referred to is there; ON DELETE is done by the application |
//! | NOT NULL, CHECK | checked by the application before it writes |
//! | a lock, FOR UPDATE | a condition that the row's revision is what was read |
//! | a join, an aggregate | rows by their keys, then the statement itself over them in memory |
//! | `SET n = n + 1` of a row by its key | an addition in place, nothing is read |
//!
//! How the pieces hang together: [`pattern`] → [`layout`] (keys) → [`row`] (items); [`operation`] reads by
//! [`fetch`], computes rows by [`write`], [`direct`], [`blind`], and ends in [`commit`].

mod blind;
mod cascade;
mod choice;
mod commit;
mod conflict;
mod direct;
mod fetch;
mod key_condition;
mod layout;
mod operation;
mod partial;
mod reason;
mod reference;
mod row;
mod size;
mod weakening;
mod work;
mod write;

use std::sync::Arc;

use base::Type;
use program::{
    Compilation, EachRow, ItemTable, ItemTableId, ItemWrite, KeyAttribute, KeyKind, KeySchema, NodeKind, OperationId,
    Projection, SecondaryIndex, TransactedWrite,
};
use scenario::{OptionValue, Scenario};

use self::layout::{Layout, index_name};
use crate::lower::assembly::Assembly;
use crate::options::setting;
use crate::rows::{bindings, check, keys, pattern, reading};
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};

#[derive(Debug)]
pub(crate) struct DynamoDbSingleTable;

const SLUG: &str = "dynamodb-single-table";

/// A number that each change makes larger.
const REVISION_TYPE: Type = Type::Int8;

const APPLICATION_CORES: Setting = Setting {
    name: "application_cores",
    default: 4,
    summary: "processors of the application",
};

/// What an operation's program is compiled against.
#[derive(Debug)]
pub(crate) struct Site {
    table: ItemTableId,
    layout: Layout,
    sabotage: Vec<Sabotage>,
}

impl Site {
    fn has(&self, sabotage: Sabotage) -> bool {
        self.sabotage.contains(&sabotage)
    }
}

impl Architecture for DynamoDbSingleTable {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn title(&self) -> &'static str {
        "DynamoDB, one table"
    }

    fn summary(&self) -> &'static str {
        "One DynamoDB table with keys and indexes chosen for the access patterns. An operation reads, decides in the application, and writes everything in one conditional transaction."
    }

    fn standing(&self) -> Standing {
        Standing::Chosen
    }

    fn variants(&self) -> &'static [Variant] {
        &[Variant {
            slug: "",
            title: "DynamoDB, one table",
            summary: "Keys and indexes for the access patterns; one TransactWriteItems per operation.",
        }]
    }

    fn settings(&self) -> &'static [Setting] {
        &[APPLICATION_CORES]
    }

    fn check_named(
        &self,
        scenario: &Scenario,
        name: &str,
        value: &OptionValue,
    ) -> Option<Result<(), (String, String)>> {
        choice::check(scenario, name, value)
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        &[Sabotage::WithoutGuards, Sabotage::WithoutConditions]
    }

    fn compile(&self, scenario: &Scenario, options: &Options) -> Compilation {
        let mut assembly = Assembly::new(scenario);
        assembly.node("client", NodeKind::Client, u16::MAX);
        let cores = setting(scenario, SLUG, &APPLICATION_CORES);
        let application = assembly.node("application", NodeKind::Service, cores);
        // It has no processors of ours: its throughput is that of its partitions.
        let node = assembly.node("dynamodb", NodeKind::DynamoDb, u16::MAX);
        let layout = Layout::new(scenario, &options.unplanned);
        let key = |partition: Arc<str>, sort: Arc<str>| KeySchema {
            partition: text_key(&partition),
            sort: Some(text_key(&sort)),
        };
        let indexes = (0..layout.indexes).map(|index| SecondaryIndex {
            name: index_name(index),
            key: key(layout.names.index_partition(index), layout.names.index_sort(index)),
            projection: Projection::All,
        });
        let table = ItemTable {
            name: "main".into(),
            node,
            key: key(layout.names.partition.clone(), layout.names.sort.clone()),
            indexes: indexes.collect(),
            reasons: reason::reasons(scenario, &layout),
        };
        let site = Site {
            table: assembly.item_table(table),
            layout,
            sabotage: options.sabotage.clone(),
        };
        weakening::tables(&mut assembly, &site);
        for id in (0..scenario.operations.len() as u16).map(OperationId) {
            operation::compile(&mut assembly, &site, id, application);
        }
        let schema = &scenario.schema;
        assembly.finish_with(SLUG.to_owned(), self.title().to_owned(), |id| {
            site.logical_table(schema, id)
        })
    }
}

fn text_key(name: &str) -> KeyAttribute {
    KeyAttribute {
        name: name.to_owned(),
        kind: KeyKind::Text,
    }
}

fn write_once(each: Option<EachRow>, write: ItemWrite) -> TransactedWrite {
    TransactedWrite { each, write }
}
