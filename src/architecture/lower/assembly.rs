//! A compilation under construction: nodes, databases, pools and programs with their ids, refusals with
//! their places.

use std::collections::BTreeMap;

use program::{
    Bucket, BucketId, Compilation, Database, DatabaseId, Deployment, Invariant, ItemTable, ItemTableId, Load,
    LogicalTable, Node, NodeId, NodeKind, OperationId, Pool, PoolId, Program, ProgramId, Read, Refusal, Share, Topic,
    TopicId, Weakening,
};
use scenario::{Scenario, Table, TableId};

use super::item::Refused;
use super::workload::workload;
use crate::sql::text::{identifiers, qualified};

#[derive(Debug)]
pub(crate) struct Assembly<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) deployment: Deployment,
    /// `None`: the id is given out, the program not written yet.
    programs: Vec<Option<Program>>,
    entries: Vec<Option<ProgramId>>,
    pub(crate) weakened: Vec<Weakening>,
    refusals: Vec<Refusal>,
    externals: BTreeMap<String, NodeId>,
}

impl<'a> Assembly<'a> {
    pub(crate) fn new(scenario: &'a Scenario) -> Assembly<'a> {
        Assembly {
            scenario,
            deployment: Deployment::default(),
            programs: Vec::new(),
            entries: vec![None; scenario.operations.len()],
            weakened: Vec::new(),
            refusals: Vec::new(),
            externals: BTreeMap::new(),
        }
    }

    pub(crate) fn node(&mut self, name: &str, kind: NodeKind, cores: u16) -> NodeId {
        self.deployment.nodes.push(Node {
            name: name.to_owned(),
            kind,
            cores,
        });
        NodeId(self.deployment.nodes.len() as u16 - 1)
    }

    pub(crate) fn database(&mut self, name: &str, node: NodeId, definitions: Vec<String>) -> DatabaseId {
        self.deployment.databases.push(Database {
            name: name.to_owned(),
            node,
            template: None,
            definitions,
        });
        DatabaseId(self.deployment.databases.len() as u16 - 1)
    }

    /// A database that begins as a copy of another one of the same server.
    pub(crate) fn copied_database(&mut self, name: &str, node: NodeId, template: DatabaseId) -> DatabaseId {
        let id = self.database(name, node, Vec::new());
        self.deployment.databases[id.index()].template = Some(template);
        id
    }

    /// More tables for a database: logs, outboxes, idempotency keys.
    pub(crate) fn define_in(&mut self, database: DatabaseId, ddl: String) {
        let definitions = &mut self.deployment.databases[database.index()].definitions;
        if !definitions.contains(&ddl) {
            definitions.push(ddl);
        }
    }

    pub(crate) fn item_table(&mut self, table: ItemTable) -> ItemTableId {
        self.deployment.item_tables.push(table);
        ItemTableId(self.deployment.item_tables.len() as u16 - 1)
    }

    pub(crate) fn bucket(&mut self, bucket: Bucket) -> BucketId {
        self.deployment.buckets.push(bucket);
        BucketId(self.deployment.buckets.len() as u16 - 1)
    }

    pub(crate) fn topic(&mut self, topic: Topic) -> TopicId {
        self.deployment.topics.push(topic);
        TopicId(self.deployment.topics.len() as u16 - 1)
    }

    pub(crate) fn pool(&mut self, service: NodeId, database: DatabaseId, size: u16) -> PoolId {
        self.pool_as(service, database, size, "postgres")
    }

    /// A pool whose connections log in as this role.
    pub(crate) fn pool_as(&mut self, service: NodeId, database: DatabaseId, size: u16, role: &str) -> PoolId {
        let mut name = format!(
            "{} → {}",
            self.deployment.nodes[service.index()].name,
            self.deployment.databases[database.index()].name
        );
        if self.deployment.pools.iter().any(|pool| pool.name == name) {
            name = format!("{name} as {role}");
        }
        self.deployment.pools.push(Pool {
            name,
            service,
            database,
            role: role.to_owned(),
            size,
        });
        PoolId(self.deployment.pools.len() as u16 - 1)
    }

    /// The node of somebody outside: `payment.charge` is asked of `payment`.
    pub(crate) fn external(&mut self, call: &str) -> NodeId {
        let name = call.split('.').next().unwrap_or(call).to_owned();
        if let Some(known) = self.externals.get(&name) {
            return *known;
        }
        // As many processors as anybody may need: the outside's own queues are in its latency.
        let id = self.node(&name, NodeKind::Service, u16::MAX);
        self.externals.insert(name, id);
        id
    }

    // ---- programs

    /// An id for a program that is written later.
    pub(crate) fn reserve(&mut self) -> ProgramId {
        self.programs.push(None);
        ProgramId(self.programs.len() as u16 - 1)
    }

    pub(crate) fn write(&mut self, id: ProgramId, program: Program) {
        self.programs[id.index()] = Some(program);
    }

    pub(crate) fn add(&mut self, program: Program) -> ProgramId {
        let id = self.reserve();
        self.write(id, program);
        id
    }

    pub(crate) fn enter(&mut self, operation: OperationId, program: ProgramId) {
        self.entries[operation.index()] = Some(program);
    }

    // ---- what is lost

    pub(crate) fn weaken(&mut self, constraint: String, becomes: &str, reason: &str) {
        self.weakened.push(Weakening {
            constraint,
            becomes: becomes.to_owned(),
            reason: reason.to_owned(),
        });
    }

    pub(crate) fn refuse(&mut self, operation: OperationId, refused: Refused) {
        let definition = &self.scenario.operations[operation.index()];
        let (text, place) = match definition.statements.get(usize::from(refused.index)) {
            Some(statement) => (definition.source.slice(statement.span).to_owned(), statement.place),
            None => (String::new(), definition.place),
        };
        self.refusals.push(Refusal {
            operation: Some(operation),
            statement: text,
            line: place.line,
            column: place.column,
            reason: refused.reason,
            hint: refused.hint,
        });
    }

    /// The design cannot express the scenario at all.
    pub(crate) fn refuse_all(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    // ---- the whole

    /// `holder` says which database holds a table.
    pub(crate) fn finish(
        self,
        architecture: String,
        title: String,
        holder: impl Fn(TableId) -> DatabaseId,
    ) -> Compilation {
        let schema = &self.scenario.schema;
        self.finish_with(architecture, title, |id| logical_table(schema.table(id), holder(id)))
    }

    /// `logical` says how a table's rows are found again.
    pub(crate) fn finish_with(
        self,
        architecture: String,
        title: String,
        logical: impl Fn(TableId) -> LogicalTable,
    ) -> Compilation {
        let logical_tables: Vec<LogicalTable> = self.scenario.schema.ids().map(logical).collect();
        Compilation {
            architecture,
            title,
            deployment: self.deployment,
            programs: self.programs.into_iter().flatten().collect(),
            entries: self.entries,
            workload: workload(self.scenario),
            invariants: invariants(self.scenario, &logical_tables),
            logical_tables,
            weakened: self.weakened,
            refusals: self.refusals,
        }
    }
}

/// A table that lies in one database as it is.
pub(crate) fn logical_table(table: &Table, database: DatabaseId) -> LogicalTable {
    let name = qualified(&table.schema, &table.name);
    let columns = identifiers(table.columns.iter().map(|column| column.name.as_str()));
    LogicalTable {
        name: table.full_name(),
        columns: table.typed_columns(),
        reads: vec![Read::Rows {
            database,
            sql: format!("SELECT {columns} FROM {name}"),
        }],
        loads: vec![Load::Rows {
            database,
            table: name,
            share: Share::All,
        }],
    }
}

/// Those that can be looked at: all of their tables are kept.
fn invariants(scenario: &Scenario, logical: &[LogicalTable]) -> Vec<Invariant> {
    let is_kept = |invariant: &&scenario::Invariant| invariant.tables.iter().all(|id| logical[id.index()].is_stored());
    let each = scenario.invariants.iter().filter(is_kept).map(|invariant| Invariant {
        name: invariant.name.clone(),
        sql: syntax::print_query(&invariant.query),
        tables: invariant
            .tables
            .iter()
            .map(|id| scenario.schema.table(*id).full_name())
            .collect(),
    });
    each.collect()
}
