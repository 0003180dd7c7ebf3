//! The protected variant: services, an orchestrator, sagas.
//!
//! An operation of one owner is a local transaction at that owner's service, and clients ask it there. Everything
//! that concerns several owners is asked of the orchestrator.

use program::{Block, DatabaseId, Expression, NodeId, OperationId, PoolId, ProgramId, ProgramKind, Role};
use scenario::{Operation, Scenario};

use super::outbox;
use super::participant::{self, Contract};
use super::plan::{Part, PartKind, Plan, STARTED, Shape, plan};
use super::saga;
use super::{Ground, reading, weakening};
use crate::Sabotage;
use crate::composition::lower::Caller;
use crate::composition::{Landscape, Reach};
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark};
use crate::lower::item::Item;
use crate::lower::local::{self, Around};
use crate::lower::statement;

/// What stands where.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) ground: Ground,
    pub(crate) landscape: Landscape,
    /// By owner: where its service runs, and the pool to its database.
    services: Vec<(NodeId, PoolId)>,
    pub(crate) databases: Vec<DatabaseId>,
    pub(crate) orchestrator: Option<Orchestrator>,
    /// Schemas of the compiler's own tables.
    pub(crate) schemas: Schemas,
    pub(crate) sabotage: Vec<Sabotage>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Orchestrator {
    pub(crate) node: NodeId,
    pub(crate) database: DatabaseId,
    pub(crate) pool: PoolId,
}

/// Names that no owner has.
#[derive(Debug)]
pub(crate) struct Schemas {
    pub(crate) saga: String,
    pub(crate) idempotency: String,
    pub(crate) undo: String,
    pub(crate) outbox: String,
    pub(crate) inbox: String,
}

impl Schemas {
    fn new(scenario: &Scenario) -> Schemas {
        let free = |name: &str| {
            let mut name = name.to_owned();
            while scenario.schema.owners.contains(&name) {
                name.push('_');
            }
            name
        };
        Schemas {
            saga: free("saga"),
            idempotency: free("idempotency"),
            undo: free("undo"),
            outbox: free("outbox"),
            inbox: free("inbox"),
        }
    }
}

impl Site {
    pub(crate) fn has(&self, sabotage: Sabotage) -> bool {
        self.sabotage.contains(&sabotage)
    }

    pub(crate) fn service(&self, owner: u16) -> (NodeId, PoolId) {
        self.services[usize::from(owner)]
    }

    pub(crate) fn database(&self, owner: u16) -> DatabaseId {
        self.databases[usize::from(owner)]
    }
}

/// An operation on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) id: OperationId,
    pub(crate) operation: &'a Operation,
    pub(crate) plan: &'a Plan,
}

impl Subject<'_> {
    pub(crate) fn caller(&self, index: u16) -> Caller<'_> {
        Caller {
            id: self.id,
            operation: self.operation,
            index,
        }
    }
}

pub(crate) fn compile(assembly: &mut Assembly<'_>, ground: Ground, sabotage: &[Sabotage]) -> Vec<DatabaseId> {
    let scenario = assembly.scenario;
    let plans: Vec<_> = scenario
        .operations
        .iter()
        .map(|operation| plan(&scenario.schema, operation, true))
        .collect();
    let orchestrated = plans.iter().flatten().any(|plan| plan.shape != Shape::Local);
    let site = site(assembly, ground, orchestrated, sabotage);
    for ((operation, plan), number) in scenario.operations.iter().zip(plans).zip(0..) {
        let id = OperationId(number);
        let plan = match plan {
            Ok(plan) => plan,
            Err(refused) => {
                assembly.refuse(id, refused);
                continue;
            }
        };
        let weakened = weakening::operation(operation, &plan, true);
        assembly.weakened.extend(weakened);
        let subject = Subject {
            id,
            operation,
            plan: &plan,
        };
        match (plan.shape, site.orchestrator) {
            (Shape::Local, _) => compile_local(assembly, &site, subject),
            (Shape::Direct, Some(orchestrator)) => compile_direct(assembly, &site, orchestrator, subject),
            (Shape::Saga { pivot }, Some(orchestrator)) => saga::compile(assembly, &site, orchestrator, subject, pivot),
            (_, None) => {}
        }
    }
    site.databases
}

fn site(assembly: &mut Assembly<'_>, ground: Ground, orchestrated: bool, sabotage: &[Sabotage]) -> Site {
    let scenario = assembly.scenario;
    let schemas = Schemas::new(scenario);
    let orchestrator = orchestrated.then(|| orchestrator(assembly, ground));
    let owners = &scenario.schema.owners;
    let nodes: Vec<NodeId> = owners
        .iter()
        .map(|owner| ground.service(assembly, &format!("{owner}-service")))
        .collect();
    let databases = ground.owner_databases(assembly);
    let services: Vec<(NodeId, PoolId)> = nodes
        .into_iter()
        .zip(&databases)
        .map(|(node, database)| (node, ground.pool(assembly, node, *database)))
        .collect();
    let reach = |(node, pool): &(NodeId, PoolId)| Reach::Service {
        node: *node,
        pool: *pool,
    };
    let landscape = Landscape {
        owners: services.iter().map(reach).collect(),
    };
    Site {
        ground,
        landscape,
        services,
        databases,
        orchestrator,
        schemas,
        sabotage: sabotage.to_vec(),
    }
}

fn orchestrator(assembly: &mut Assembly<'_>, ground: Ground) -> Orchestrator {
    let node = ground.service(assembly, "orchestrator");
    let server = ground.server(assembly, "orchestrator");
    let mut name = "orchestrator".to_owned();
    while assembly.scenario.schema.owners.contains(&name) {
        name.push('_');
    }
    let database = assembly.database(&name, server, Vec::new());
    let pool = ground.pool(assembly, node, database);
    Orchestrator { node, database, pool }
}

/// One local transaction; what other owners must do later goes into the outbox with it.
fn compile_local(assembly: &mut Assembly<'_>, site: &Site, subject: Subject<'_>) {
    let Subject { id, operation, plan } = subject;
    let Some(PartKind::Local { owner, items, .. }) = plan.parts.first().map(|part| &part.kind) else {
        return;
    };
    let (home, pool) = site.service(*owner);
    let mut builder = Builder::new(&operation.name, home, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    builder.bind(participant::KEY, Expression::RequestKey);
    if plan.timed {
        builder.bind(STARTED, Expression::Now);
    }
    let connection = builder.connection(pool);
    let post: Block = plan
        .messages
        .iter()
        .map(|message| outbox::post(assembly, site, &mut builder, subject, message, *owner, connection))
        .collect::<Vec<_>>()
        .concat();
    let mut body = local::operation(assembly, &mut builder, operation, items, connection, Around::last(post));
    let answers = local::answers(&mut builder, items);
    body.push(builder.answer(answers));
    let program = assembly.add(builder.finish(body));
    assembly.enter(id, program);
}

/// Requests one after the other, at most one of which has an effect: nothing to compensate.
fn compile_direct(assembly: &mut Assembly<'_>, site: &Site, orchestrator: Orchestrator, subject: Subject<'_>) {
    let Subject { id, operation, plan } = subject;
    let entry = assembly.reserve();
    let mut builder = Builder::new(&operation.name, orchestrator.node, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    builder.bind(participant::KEY, Expression::RequestKey);
    let mut body = Block::new();
    if plan.timed {
        let started = builder.value(STARTED, base::Type::Timestamptz);
        body.push(builder.set(started, Expression::Now));
    }
    for part in &plan.parts {
        let (steps, _) = part_steps(assembly, site, &mut builder, subject, part, Contract::Plain);
        body.extend(steps);
    }
    let items: Vec<Item> = plan.parts.iter().flat_map(Part::items).cloned().collect();
    let answers = local::answers(&mut builder, &items);
    body.push(builder.answer(answers));
    assembly.write(entry, builder.finish(body));
    assembly.enter(id, entry);
}

/// A part as steps of the orchestrator, and the participant's program if it has one. What a part's decisions look at is known when it has ended.
pub(crate) fn part_steps(
    assembly: &mut Assembly<'_>,
    site: &Site,
    builder: &mut Builder,
    subject: Subject<'_>,
    part: &Part,
    contract: Contract,
) -> (Block, Option<ProgramId>) {
    let mut program = None;
    let steps = match &part.kind {
        PartKind::Local { prefetches, .. } => {
            let caller = subject.caller(0);
            let mut steps = reading::prefetches(assembly, builder, &site.landscape, caller, prefetches);
            let action = participant::action(assembly, site, subject, part, contract);
            steps.push(participant::call(
                assembly, builder, subject, action, part, contract, false,
            ));
            program = Some(action);
            steps
        }
        PartKind::Composed { item, checks } => {
            let caller = subject.caller(item.index);
            let query = reading::composed(assembly, builder, &site.landscape, caller, item);
            [query, reading::checks(assembly, builder, checks, Role::Work)].concat()
        }
        PartKind::External { item } => statement::lower(assembly, builder, item, None, part.role),
        PartKind::Checks { items } => reading::checks(assembly, builder, items, Role::Work),
    };
    (steps, program)
}

/// `key` with the position behind it: one idempotency key per action.
pub(crate) fn action_key(builder: &mut Builder, position: usize) -> Expression {
    let key = builder.operand(participant::KEY);
    Expression::binary(
        program::Operator::Concat,
        key,
        Expression::text(&format!("/{position}")),
    )
}

/// `create_user, step 2: permissions`
pub(crate) fn part_name(assembly: &Assembly<'_>, subject: Subject<'_>, part: &Part) -> String {
    let owner = match &part.kind {
        PartKind::Local { owner, .. } => assembly.scenario.schema.owners[usize::from(*owner)].as_str(),
        _ => "orchestrator",
    };
    format!("{} · step {} at {owner}", subject.operation.name, part.position)
}

pub(crate) fn mark(label: String, part: &Part, role: Role) -> Mark {
    let index = part.items().first().map_or(0, |item| item.index);
    Mark::new(label, role).from(index)
}
