//! Invariants, watched by an observer outside of time: it sees committed rows, takes no lock and no time, and
//! changes nothing of the run.
//!
//! Logical tables are read back from every place that holds rows of them, and the invariant's query is evaluated
//! over them; its rows are the violations. It is evaluated again when a database that holds one of its tables has
//! committed a write.

use std::collections::{BTreeMap, BTreeSet};

use base::{Row, Time};
use engine_sql::{EphemeralTable, Output};
use program::{
    BucketId, Compilation, DatabaseId, Event, EventKind, ItemTableId, LogicalTable, NodeId, Read, RequestId,
};

use crate::item;
use crate::object;
use crate::plan::Plan;
use crate::world::{NodeState, World};

/// When to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Checks {
    Never,
    /// When the run has ended.
    #[default]
    End,
    /// After each commit that wrote, and at the end.
    EveryCommit,
}

/// A time during which an invariant was broken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokenWindow {
    pub from: Time,
    /// `None`: to the end.
    pub to: Option<Time>,
    /// The most violations seen.
    pub rows: u64,
    /// Statements of operations that only read one of its tables meanwhile.
    pub readers: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct InvariantState {
    pub windows: Vec<BrokenWindow>,
    /// The violations when the run had ended; `None` if nobody looked.
    pub at_end: Option<Output>,
    /// Why it could not be evaluated, if so.
    pub error: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// By invariant, the places that hold rows of its tables.
    places: Vec<BTreeSet<Place>>,
    pub(crate) states: Vec<InvariantState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Database(DatabaseId),
    Items(ItemTableId),
    Bucket(BucketId),
}

impl Watch {
    pub(crate) fn new(plan: &Plan) -> Watch {
        let compilation = &plan.compilation;
        let places = |invariant: &program::Invariant| {
            let tables = compilation
                .logical_tables
                .iter()
                .filter(|table| invariant.tables.contains(&table.name));
            tables
                .flat_map(|table| &table.reads)
                .map(|read| match read {
                    Read::Rows { database, .. } => Place::Database(*database),
                    Read::Items { table, .. } => Place::Items(*table),
                    Read::Objects { bucket, .. } => Place::Bucket(*bucket),
                })
                .collect()
        };
        Watch {
            places: compilation.invariants.iter().map(places).collect(),
            states: vec![InvariantState::default(); compilation.invariants.len()],
        }
    }

    fn is_broken(&self, invariant: usize) -> bool {
        self.states[invariant]
            .windows
            .last()
            .is_some_and(|window| window.to.is_none())
    }
}

impl World {
    pub(crate) fn watch_commit(&mut self, plan: &Plan, node: NodeId, database: DatabaseId) {
        self.watch_place(plan, node, Place::Database(database));
    }

    /// Items of a table were written.
    pub(crate) fn watch_items(&mut self, plan: &Plan, node: NodeId, table: ItemTableId) {
        self.watch_place(plan, node, Place::Items(table));
    }

    /// An object of a bucket was written.
    pub(crate) fn watch_bucket(&mut self, plan: &Plan, node: NodeId, bucket: BucketId) {
        self.watch_place(plan, node, Place::Bucket(bucket));
    }

    fn watch_place(&mut self, plan: &Plan, node: NodeId, place: Place) {
        if plan.options.checks == Checks::EveryCommit {
            for invariant in 0..self.watch.states.len() {
                if self.watch.places[invariant].contains(&place) {
                    self.look(plan, node, invariant);
                }
            }
        }
    }

    /// A server is up again: what was not flushed never was.
    pub(crate) fn watch_server(&mut self, plan: &Plan, node: NodeId) {
        for (index, database) in plan.compilation.deployment.databases.iter().enumerate() {
            if database.node == node {
                self.watch_commit(plan, node, DatabaseId(index as u16));
            }
        }
    }

    /// A statement of a read-only operation has read: did it read something broken?
    pub(crate) fn watch_reader(&mut self, plan: &Plan, request: Option<RequestId>) {
        if (0..self.watch.states.len()).all(|invariant| !self.watch.is_broken(invariant)) {
            return;
        }
        let Some(operation) = request.and_then(|request| self.clients.operation_of(request)) else {
            return;
        };
        let load = plan.compilation.workload.operation(operation);
        if !load.read_only {
            return;
        }
        for (invariant, definition) in plan.compilation.invariants.iter().enumerate() {
            if self.watch.is_broken(invariant)
                && definition.tables.iter().any(|table| load.tables.contains(table))
                && let Some(window) = self.watch.states[invariant].windows.last_mut()
            {
                window.readers += 1;
            }
        }
    }

    fn look(&mut self, plan: &Plan, node: NodeId, invariant: usize) {
        let at = self.now();
        let Some(output) = self.evaluate(plan, invariant, &mut BTreeMap::new()) else {
            return;
        };
        let rows = output.rows.len() as u64;
        let was_broken = self.watch.is_broken(invariant);
        let windows = &mut self.watch.states[invariant].windows;
        let index = invariant as u16;
        let kind = match (was_broken, rows) {
            (false, 0) => return,
            (true, 0) => {
                if let Some(window) = windows.last_mut() {
                    window.to = Some(at);
                }
                EventKind::InvariantHolds { invariant: index }
            }
            (true, rows) => {
                if let Some(window) = windows.last_mut() {
                    window.rows = window.rows.max(rows);
                }
                return;
            }
            (false, rows) => {
                windows.push(BrokenWindow {
                    from: at,
                    to: None,
                    rows,
                    readers: 0,
                });
                EventKind::InvariantBroken { invariant: index, rows }
            }
        };
        self.trace.remark(Event {
            at,
            node,
            request: None,
            kind,
        });
    }

    fn evaluate<'p>(&mut self, plan: &'p Plan, invariant: usize, read: &mut ReadTables<'p>) -> Option<Output> {
        match violations(&plan.compilation, &self.nodes, invariant, read) {
            Ok(output) => Some(output),
            Err(error) => {
                self.watch.states[invariant].error.get_or_insert(error);
                None
            }
        }
    }

    /// The run has ended.
    pub(crate) fn look_at_end(&mut self, plan: &Plan) {
        if plan.options.checks == Checks::Never {
            return;
        }
        let mut read = BTreeMap::new();
        for invariant in 0..self.watch.states.len() {
            self.watch.states[invariant].at_end = self.evaluate(plan, invariant, &mut read);
        }
    }
}

/// Logical tables that were read at one instant, by name.
type ReadTables<'a> = BTreeMap<&'a str, Vec<Row>>;

fn violations<'a>(
    compilation: &'a Compilation,
    nodes: &[NodeState],
    invariant: usize,
    read: &mut ReadTables<'a>,
) -> Result<Output, String> {
    let definition = &compilation.invariants[invariant];
    let mut tables = Vec::new();
    for name in &definition.tables {
        let table = compilation.logical_tables.iter().find(|table| table.name == *name);
        let table = table.ok_or_else(|| format!("there is no logical table {name}"))?;
        if !read.contains_key(name.as_str()) {
            read.insert(name, rows_of(compilation, nodes, table)?);
        }
        tables.push(table);
    }
    let sets: Vec<EphemeralTable<'_>> = tables
        .into_iter()
        .map(|table| EphemeralTable {
            name: &table.name,
            columns: &table.columns,
            rows: read.get(table.name.as_str()).map_or(&[], Vec::as_slice),
        })
        .collect();
    let evaluated = engine_sql::evaluate(&sets, &definition.sql, &[]);
    evaluated.map(|(output, _)| output).map_err(|error| error.message)
}

/// A logical table's rows, wherever they lie.
pub(crate) fn rows_of(
    compilation: &Compilation,
    nodes: &[NodeState],
    table: &LogicalTable,
) -> Result<Vec<Row>, String> {
    let mut queries: BTreeMap<NodeId, Vec<(&str, &str)>> = BTreeMap::new();
    let mut rows = Vec::new();
    for read in &table.reads {
        match read {
            Read::Rows { database, sql } => {
                let database = &compilation.deployment.databases[database.index()];
                queries.entry(database.node).or_default().push((&database.name, sql));
            }
            Read::Items {
                table: id,
                with,
                attributes,
            } => {
                let items = &compilation.deployment.item_tables[id.index()];
                if let Some(service) = &nodes[items.node.index()].items {
                    let found = item::table::rows(&service.engine, &items.name, with, attributes, &table.columns);
                    rows.extend(found);
                }
            }
            Read::Objects { bucket, prefix } => {
                let bucket = &compilation.deployment.buckets[bucket.index()];
                if let Some(service) = &nodes[bucket.node.index()].objects {
                    rows.extend(object::bucket::rows(
                        &service.engine,
                        &bucket.name,
                        prefix,
                        &table.columns,
                    ));
                }
            }
        }
    }
    for (node, queries) in queries {
        let Some(server) = &nodes[node.index()].server else {
            continue;
        };
        let outputs = server.engine.read_all(queries);
        let outputs = outputs.map_err(|error| format!("{}: {}", table.name, error.message))?;
        rows.extend(outputs.into_iter().flat_map(|output| output.rows));
    }
    Ok(rows)
}
