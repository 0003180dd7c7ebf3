//! Files in an object store: a JSON object for each row, its key made of the row's.
//!
//! ```text
//! client ──▶ application ──▶ object store: auth.users/7/user-17.json
//!                                          └ table ┘ tenant └ primary key
//! ```
//!
//! | in SQL | here |
//! |---|---|
//! | INSERT | a PUT with `If-None-Match: *` |
//! | a read by the whole key | a GET |
//! | any other read | a LIST of the longest prefix that its equalities give, a GET for each key, then the statement itself over the rows in memory |
//! | UPDATE, DELETE | such a read, then a PUT or DELETE with `If-Match`; a row that has changed meanwhile is read and decided again |
//! | NOT NULL, CHECK | checked by the application before it writes |
//! | FOREIGN KEY | looked up before a write; ON DELETE is done by the application |
//! | UNIQUE besides the key | an object for each value, put before the row's |
//! | locks, all or nothing | not there, and listed |
//!
//! Several writes are made one after the other. Nothing rolls back.

mod apply;
mod delete;
mod fetch;
mod guard;
mod layout;
mod operation;
mod reference;
mod weakening;
mod write;

use base::Type;
use program::{Bucket, BucketId, Compilation, Expression, Fields, Load, LogicalTable, NodeKind, OperationId, Read};
use scenario::{ColumnId, Scenario, Schema, TableId};

use self::layout::{Guard, Layout};
use crate::lower::assembly::Assembly;
use crate::options::setting;
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};

#[derive(Debug)]
pub(crate) struct ObjectStore;

const SLUG: &str = "object-store";

/// An object's tag.
const REVISION_TYPE: Type = Type::Text;

const APPLICATION_CORES: Setting = Setting {
    name: "application_cores",
    default: 4,
    summary: "processors of the application",
};

/// What an operation's program is compiled against.
#[derive(Debug)]
pub(crate) struct Site {
    bucket: BucketId,
    layout: Layout,
    sabotage: Vec<Sabotage>,
}

impl Architecture for ObjectStore {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn title(&self) -> &'static str {
        "Files in an object store"
    }

    fn summary(&self) -> &'static str {
        "A JSON file for each row in S3. The application lists, reads, sorts and joins them, and writes one file after the other."
    }

    fn standing(&self) -> Standing {
        Standing::Rejected
    }

    fn variants(&self) -> &'static [Variant] {
        &[Variant {
            slug: "",
            title: "Files in an object store",
            summary: "A file for each row; conditional writes, one after the other.",
        }]
    }

    fn settings(&self) -> &'static [Setting] {
        &[APPLICATION_CORES]
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        &[Sabotage::WithoutConditions, Sabotage::WithoutGuards]
    }

    fn compile(&self, scenario: &Scenario, options: &Options) -> Compilation {
        let mut assembly = Assembly::new(scenario);
        assembly.node("client", NodeKind::Client, u16::MAX);
        let cores = setting(scenario, SLUG, &APPLICATION_CORES);
        let application = assembly.node("application", NodeKind::Service, cores);
        // It has no processors of ours: its throughput is that of its prefixes.
        let node = assembly.node("object-store", NodeKind::ObjectStore, u16::MAX);
        let layout = Layout::new(scenario);
        let bucket = Bucket {
            name: "data".into(),
            node,
            reasons: layout.reasons(scenario),
        };
        let site = Site {
            bucket: assembly.bucket(bucket),
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

impl Site {
    /// The fields of a row's object.
    fn fields(&self, schema: &Schema, id: TableId, value: &dyn Fn(ColumnId) -> Expression) -> Fields {
        let columns = schema.table(id).columns.iter().zip(0..);
        columns
            .map(|(column, number)| (column.name.as_str().into(), value(ColumnId(number))))
            .collect()
    }

    fn guards(&self, id: TableId) -> &[Guard] {
        if self.sabotage.contains(&Sabotage::WithoutGuards) {
            &[]
        } else {
            &self.layout.table(id).guards
        }
    }

    /// Where a table's rows are read back and loaded.
    fn logical_table(&self, schema: &Schema, id: TableId) -> LogicalTable {
        let table = schema.table(id);
        let layout = self.layout.table(id);
        let value = |column: ColumnId| Expression::Register(program::RegisterId(column.0));
        let row = Load::Objects {
            bucket: self.bucket,
            key: layout.key(&value),
            fields: self.fields(schema, id, &value),
        };
        let guards = self.guards(id).iter().map(|guard| Load::Objects {
            bucket: self.bucket,
            key: guard.key(table, &value),
            fields: Fields::new(),
        });
        LogicalTable {
            loads: std::iter::once(row).chain(guards).collect(),
            name: table.full_name(),
            columns: table.typed_columns(),
            reads: vec![Read::Objects {
                bucket: self.bucket,
                prefix: layout.folder.to_string(),
            }],
        }
    }
}
