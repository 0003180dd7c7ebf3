//! From a compilation to a world at time zero: checked, its databases created and filled.

use std::collections::BTreeSet;
use std::fmt;

use base::{Nanos, Time};
use engine_sql::{Progress, Server, ServerConfig, SessionId, SqlError};
use program::workload::Generator;
use program::{
    BucketId, BusRequest, Compilation, Connect, Database, DatabaseId, Fault, FaultAction, Into, ItemRequest,
    ItemTableId, Load, NodeKind, ObjectRequest, Op, Program, ProgramKind, Read, RegisterId, Share, StepId, Trigger,
};

use crate::bus::BusService;
use crate::item::{self, ItemService};
use crate::object::{self, ObjectService};
use crate::plan::Plan;
use crate::simulation::Options;

/// Why a run cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupError {
    /// An index that leads nowhere, a block that contains itself: a compiler's mistake.
    Malformed(String),
    /// The deployment lacks something.
    Deployment(String),
    /// A unique integer parameter cannot take so many values.
    TooManyNumbers {
        largest: u64,
    },
    Definition {
        database: String,
        statement: String,
        error: Box<SqlError>,
    },
    Load {
        table: String,
        error: Box<SqlError>,
    },
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Malformed(what) => write!(f, "malformed compilation: {what}"),
            SetupError::Deployment(what) => f.write_str(what),
            SetupError::TooManyNumbers { largest } => {
                write!(
                    f,
                    "unique integer parameters would reach {largest}, more than an integer holds: fewer requests"
                )
            }
            SetupError::Definition {
                database,
                statement,
                error,
            } => {
                write!(f, "{database}: {} ({}) in: {statement}", error.message, error.sqlstate)
            }
            SetupError::Load { table, error } => {
                write!(f, "initial rows of {table}: {} ({})", error.message, error.sqlstate)
            }
        }
    }
}

impl std::error::Error for SetupError {}

/// Checks that every index leads somewhere, so that nothing can panic later.
pub(crate) fn check(compilation: &Compilation, faults: &[Fault], options: &Options) -> Result<(), SetupError> {
    let deployment = &compilation.deployment;
    let nodes = deployment.nodes.len();
    let malformed = |what: String| Err(SetupError::Malformed(what));
    for (index, database) in deployment.databases.iter().enumerate() {
        match deployment.nodes.get(database.node.index()) {
            Some(node) if node.kind == NodeKind::SqlServer => {}
            _ => return malformed(format!("database {} is on no SQL server", database.name)),
        }
        if let Some(template) = database.template
            && (template.index() >= index || deployment.databases[template.index()].node != database.node)
        {
            return malformed(format!(
                "the template of database {} is not before it on its server",
                database.name
            ));
        }
    }
    for pool in &deployment.pools {
        if pool.service.index() >= nodes || pool.database.index() >= deployment.databases.len() {
            return malformed(format!("pool {} connects nothing", pool.name));
        }
    }
    for table in &deployment.item_tables {
        match deployment.nodes.get(table.node.index()) {
            Some(node) if node.kind == NodeKind::DynamoDb => {}
            _ => return malformed(format!("table of items {} is on no DynamoDB", table.name)),
        }
    }
    for bucket in &deployment.buckets {
        match deployment.nodes.get(bucket.node.index()) {
            Some(node) if node.kind == NodeKind::ObjectStore => {}
            _ => return malformed(format!("bucket {} is on no object store", bucket.name)),
        }
    }
    for topic in &deployment.topics {
        match deployment.nodes.get(topic.node.index()) {
            Some(node) if node.kind == NodeKind::EventBus => {}
            _ => return malformed(format!("topic {} is on no event bus", topic.name)),
        }
    }
    for table in &compilation.logical_tables {
        let items = |id: &ItemTableId| id.index() < deployment.item_tables.len();
        let buckets = |id: &BucketId| id.index() < deployment.buckets.len();
        let database = |id: &DatabaseId| id.index() < deployment.databases.len();
        let reads = table.reads.iter().all(|read| match read {
            Read::Rows { database: id, .. } => database(id),
            Read::Items { table: id, .. } => items(id),
            Read::Objects { bucket: id, .. } => buckets(id),
        });
        let loads = table.loads.iter().all(|load| match load {
            Load::Rows { database: id, .. } => database(id),
            Load::Items { table: id, .. } => items(id),
            Load::Objects { bucket: id, .. } => buckets(id),
        });
        if !reads || !loads {
            return malformed(format!("table {} lies nowhere", table.name));
        }
    }
    if compilation
        .entries
        .iter()
        .flatten()
        .any(|entry| entry.index() >= compilation.programs.len())
    {
        return malformed("an operation has no entry program".to_owned());
    }
    for program in &compilation.programs {
        check_program(compilation, program)
            .map_err(|what| SetupError::Malformed(format!("{}: {what}", program.name)))?;
    }
    for fault in faults {
        check_fault(compilation, fault)?;
    }
    if compilation
        .workload
        .operations
        .iter()
        .all(|operation| operation.weight == 0)
        && options.requests > 0
    {
        return Err(SetupError::Deployment(
            "no operation has a weight above zero: nothing to ask for".to_owned(),
        ));
    }
    if !deployment.nodes.iter().any(|node| node.kind == NodeKind::Client) {
        return Err(SetupError::Deployment("the deployment has no client".to_owned()));
    }
    let needs_none = |kind: NodeKind| kind == NodeKind::Client || kind.is_managed();
    let mut nodes = deployment.nodes.iter();
    if let Some(node) = nodes.find(|node| node.cores == 0 && !needs_none(node.kind)) {
        return Err(SetupError::Deployment(format!("{} has no processor", node.name)));
    }
    Ok(())
}

/// Do unique numbers fit the integers that they are made for?
pub(crate) fn check_numbers(plan: &Plan) -> Result<(), SetupError> {
    let workload = &plan.compilation.workload;
    let largest = plan.requests.largest_number(plan.options.requests);
    let small = |(_, data_type, generator): &(String, base::Type, Generator)| {
        *data_type == base::Type::Int4 && matches!(generator, Generator::Unique { .. })
    };
    let asked = workload
        .operations
        .iter()
        .any(|operation| operation.parameters.iter().any(small));
    if asked && largest > i32::MAX as u64 {
        return Err(SetupError::TooManyNumbers { largest });
    }
    Ok(())
}

fn check_fault(compilation: &Compilation, fault: &Fault) -> Result<(), SetupError> {
    if let Trigger::Step(trigger) = &fault.trigger {
        let program = compilation.programs.get(trigger.program.index());
        if program.is_none_or(|program| trigger.step.index() >= program.steps.len()) {
            return Err(SetupError::Malformed(
                "a fault strikes at a step that does not exist".to_owned(),
            ));
        }
    } else if !matches!(fault.action, FaultAction::Crash { .. }) {
        return Err(SetupError::Deployment(
            "at an instant only a crash can strike: messages belong to steps".to_owned(),
        ));
    }
    let FaultAction::Crash { node, .. } = fault.action else {
        return Ok(());
    };
    match compilation.deployment.nodes.get(node.index()) {
        None => Err(SetupError::Malformed(
            "a fault crashes a node that does not exist".to_owned(),
        )),
        Some(node) if node.kind.is_managed() => Err(SetupError::Deployment(format!(
            "{} is a managed service: it has no server of ours that could crash",
            node.name
        ))),
        Some(_) => Ok(()),
    }
}

fn check_program(compilation: &Compilation, program: &Program) -> Result<(), String> {
    let registers = program.registers.len();
    let nodes = compilation.deployment.nodes.len();
    if program.home.index() >= nodes {
        return Err("its home does not exist".to_owned());
    }
    for connect in &program.connections {
        if let Connect::Route(route) = connect {
            known(route.index(), compilation.deployment.routes.len(), "route")?;
        }
        for pool in compilation.deployment.pools_of(*connect) {
            let pool = compilation.deployment.pools.get(pool.index());
            let pool = pool.ok_or("a pool does not exist")?;
            if pool.service != program.home {
                return Err(format!("pool {} belongs to another node", pool.name));
            }
        }
    }
    if let ProgramKind::Consumer { topic, .. } = program.kind {
        known(topic.index(), compilation.deployment.topics.len(), "topic")?;
    }
    let mut blocks: Vec<&[StepId]> = vec![&program.body];
    let mut used: Vec<usize> = program.parameters.iter().map(|register| register.index()).collect();
    for step in &program.steps {
        match &step.op {
            Op::Acquire { connection, .. } | Op::Release { connection } => {
                known(usize::from(connection.0), program.connections.len(), "connection")?;
            }
            Op::RouteKeys { route, into } => {
                known(route.index(), compilation.deployment.routes.len(), "route")?;
                used.push(into.index());
            }
            Op::Statement { connection, into, .. } => {
                known(usize::from(connection.0), program.connections.len(), "connection")?;
                used.extend(registers_of(into));
            }
            Op::Item {
                table, request, into, ..
            } => {
                known(
                    table.index(),
                    compilation.deployment.item_tables.len(),
                    "table of items",
                )?;
                used.extend(registers_of(into));
                used.extend(bound_by(request).map(|register| register.index()));
            }
            Op::Object {
                bucket, request, into, ..
            } => {
                known(bucket.index(), compilation.deployment.buckets.len(), "bucket")?;
                used.extend(registers_of(into));
                if let ObjectRequest::Get {
                    each: Some((each, _)), ..
                }
                | ObjectRequest::List {
                    each: Some((each, _)), ..
                } = request
                {
                    used.extend(each.bind.iter().chain([&each.rows]).map(|register| register.index()));
                }
            }
            Op::Bus { topic, request, into } => {
                known(topic.index(), compilation.deployment.topics.len(), "topic")?;
                used.extend(registers_of(into));
                if let BusRequest::Publish { each: Some(each), .. } = request {
                    used.extend(each.bind.iter().chain([&each.rows]).map(|register| register.index()));
                }
            }
            Op::Set { register, .. } | Op::Rethrow { error: register } => used.push(register.index()),
            Op::If { then, otherwise, .. } => blocks.extend([&then[..], otherwise]),
            Op::ForEach {
                rows,
                bind,
                body,
                gather,
                ..
            } => {
                used.push(rows.index());
                used.extend(bind.iter().chain(gather).map(|register| register.index()));
                blocks.push(body);
            }
            Op::Par { branches } => blocks.extend(branches.iter().map(Vec::as_slice)),
            Op::Try {
                body, error, handler, ..
            } => {
                used.extend(error.iter().map(|register| register.index()));
                blocks.extend([&body[..], handler]);
            }
            Op::Retry { body, .. } => blocks.push(body),
            Op::Call {
                program: callee, into, ..
            } => {
                known(callee.index(), compilation.programs.len(), "program")?;
                used.extend(into.iter().map(|register| register.index()));
            }
            Op::Send { program: callee, .. } => known(callee.index(), compilation.programs.len(), "program")?,
            Op::Compose { tables, into, .. } => {
                used.extend(tables.iter().map(|table| table.rows.index()));
                used.extend(registers_of(into));
            }
            Op::Work { node, .. } => known(node.index(), nodes, "node")?,
            Op::Return { values } => used.extend(values.iter().map(|register| register.index())),
            Op::Abort { .. } => {}
        }
    }
    if let Some(register) = used.into_iter().find(|register| *register >= registers) {
        return Err(format!("register {register} does not exist"));
    }
    let mut seen = BTreeSet::new();
    for step in blocks.into_iter().flatten() {
        known(step.index(), program.steps.len(), "step")?;
        if !seen.insert(*step) {
            return Err(format!("step {} is in two places", step.0));
        }
    }
    Ok(())
}

/// Registers that a request binds to the columns of rows.
fn bound_by(request: &ItemRequest) -> impl Iterator<Item = RegisterId> {
    let each: Vec<_> = match request {
        ItemRequest::BatchGet { each, .. }
        | ItemRequest::Query {
            each: Some((each, _)), ..
        } => vec![each],
        ItemRequest::TransactWrite { writes, .. } => writes.iter().filter_map(|write| write.each.as_ref()).collect(),
        _ => Vec::new(),
    };
    each.into_iter()
        .flat_map(|each| each.bind.iter().chain([&each.rows]).copied())
}

fn registers_of(into: &Into) -> Vec<usize> {
    match into {
        Into::Nothing => Vec::new(),
        Into::Values(registers) => registers.iter().map(|register| register.index()).collect(),
        Into::Rows(register) | Into::Count(register) => vec![register.index()],
    }
}

fn known(index: usize, count: usize, what: &str) -> Result<(), String> {
    if index < count {
        Ok(())
    } else {
        Err(format!("{what} {index} does not exist"))
    }
}

/// What runs on a node at time zero.
#[derive(Debug)]
pub(crate) struct Engines {
    pub(crate) sql: Option<Server>,
    pub(crate) items: Option<ItemService>,
    pub(crate) objects: Option<Box<ObjectService>>,
    pub(crate) bus: Option<Box<BusService>>,
}

/// The engines of each node, with their databases, tables and initial rows.
pub(crate) fn engines(plan: &Plan) -> Result<Vec<Engines>, SetupError> {
    let compilation = &plan.compilation;
    let workload = &compilation.workload;
    let config = ServerConfig {
        epoch_micros: workload.epoch_micros,
        ..ServerConfig::default()
    };
    let of_node = |(number, node): (usize, &program::Node)| Engines {
        sql: (node.kind == NodeKind::SqlServer).then(|| Server::new(config)),
        items: (node.kind == NodeKind::DynamoDb)
            .then(|| ItemService::new(plan.profile.dynamo.index_delay_ns, workload.seed, number as u64)),
        objects: (node.kind == NodeKind::ObjectStore).then(|| {
            let depth = plan.profile.objects.prefix_depth;
            Box::new(ObjectService::new(depth, workload.seed, number as u64))
        }),
        bus: (node.kind == NodeKind::EventBus).then(|| Box::new(BusService::new())),
    };
    let mut engines: Vec<Engines> = compilation.deployment.nodes.iter().enumerate().map(of_node).collect();
    for table in &compilation.deployment.item_tables {
        let definition = item::table::definition(table, plan.profile.dynamo.partitions);
        if let Some(service) = &mut engines[table.node.index()].items {
            let created = service.engine.create_table(definition);
            created.map_err(|failure| SetupError::Deployment(format!("table of items {}: {failure}", table.name)))?;
        }
    }
    for bucket in &compilation.deployment.buckets {
        if let Some(service) = &mut engines[bucket.node.index()].objects {
            let created = service.engine.create_bucket(&bucket.name);
            created.map_err(|failure| SetupError::Deployment(format!("bucket {}: {failure}", bucket.name)))?;
        }
    }
    for topic in &compilation.deployment.topics {
        if let Some(bus) = &mut engines[topic.node.index()].bus {
            let created = bus.create_topic(topic);
            created.map_err(|failure| SetupError::Deployment(format!("topic {}: {failure}", topic.name)))?;
        }
    }
    for database in &compilation.deployment.databases {
        if let Some(engine) = &mut engines[database.node.index()].sql {
            let template = database
                .template
                .map(|id| &compilation.deployment.databases[id.index()]);
            define(engine, database, template)?;
        }
    }
    for table in &compilation.logical_tables {
        let Some(population) = plan.population.table(&table.name) else {
            continue;
        };
        for load in &table.loads {
            let (database, physical, share) = match load {
                Load::Rows { database, table, share } => (database, table, *share),
                Load::Items { table: id, items } => {
                    let place = &compilation.deployment.item_tables[id.index()];
                    if let Some(service) = &mut engines[place.node.index()].items {
                        let rows = plan.population.rows(population, &table.columns, Share::All);
                        item::table::load(&mut service.engine, place, items, rows, workload.epoch_micros)
                            .map_err(|why| SetupError::Deployment(format!("initial rows of {}: {why}", table.name)))?;
                    }
                    continue;
                }
                Load::Objects {
                    bucket: id,
                    key,
                    fields,
                } => {
                    let place = &compilation.deployment.buckets[id.index()];
                    if let Some(service) = &mut engines[place.node.index()].objects {
                        let rows = plan.population.rows(population, &table.columns, Share::All);
                        object::bucket::load(&mut service.engine, place, key, fields, rows, workload.epoch_micros)
                            .map_err(|why| SetupError::Deployment(format!("initial rows of {}: {why}", table.name)))?;
                    }
                    continue;
                }
            };
            let database = &compilation.deployment.databases[database.index()];
            if let Some(engine) = &mut engines[database.node.index()].sql {
                let mut rows = plan.population.rows(population, &table.columns, share);
                engine
                    .load(&database.name, physical, &mut rows)
                    .map_err(|error| SetupError::Load {
                        table: table.name.clone(),
                        error: Box::new(error),
                    })?;
            }
        }
        // Not for each place that holds some of the rows: a checkpoint looks at every object of its server.
        for server in engines.iter_mut().filter_map(|engines| engines.sql.as_mut()) {
            server.checkpoint();
        }
    }
    Ok(engines)
}

fn define(engine: &mut Server, database: &Database, template: Option<&Database>) -> Result<(), SetupError> {
    let failed = |statement: &str, error: SqlError| SetupError::Definition {
        database: database.name.clone(),
        statement: statement.to_owned(),
        error: Box::new(error),
    };
    let created = match template {
        Some(template) => engine.create_database_from(&database.name, &template.name),
        None => engine.create_database(&database.name),
    };
    created.map_err(|error| failed("CREATE DATABASE", error))?;
    if database.definitions.is_empty() {
        return Ok(());
    }
    let session = engine
        .connect(&database.name, "postgres", Time::ZERO)
        .map_err(|error| failed("connect", error))?;
    for statement in &database.definitions {
        execute(engine, session, statement).map_err(|error| failed(statement, error))?;
    }
    engine.disconnect(session, Time::ZERO);
    Ok(())
}

/// Outside of time: nobody else is there to wait for.
fn execute(engine: &mut Server, session: SessionId, sql: &str) -> Result<(), SqlError> {
    let statement = engine.prepare(session, sql)?;
    engine.start(session, statement, &[], Time::ZERO);
    let mut now = Time::ZERO;
    loop {
        let mut fuel = u64::MAX;
        match engine.resume(session, now, &mut fuel) {
            Progress::Done(result) => return result.map(|_| ()),
            Progress::Flush(lsn) => engine.flushed(lsn),
            Progress::OutOfFuel => {}
            Progress::Blocked(blocker) => now = blocker.deadline.unwrap_or(now + Nanos::from_secs(1)),
        }
    }
}
