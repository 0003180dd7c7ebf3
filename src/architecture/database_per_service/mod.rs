//! A database per service: each owner (SQL schema) has a service, a server and a database of its own.
//!
//! ```text
//! client ──▶ auth-service ──▶ auth-db              an operation of one owner: one local transaction
//!   └──────▶ orchestrator ──▶ its own log
//!                 ├──▶ auth-service ──▶ auth-db    several owners: a saga of local transactions,
//!                 └──▶ audit-service ─▶ audit-db   or an API composition of reads
//! auth-service ──▶ event bus ──▶ audit-service     what may happen later: outbox, bus, inbox
//! ```
//!
//! The variant `two-phase` has no services either: one application prepares a transaction at each owner, decides, and
//! commits them all.
//!
//! The variant `unprotected` has no services and no saga: one application writes to each database in turn and
//! tries to clean up when a later write fails.

mod inbox;
mod keep;
mod ledger;
mod log;
mod memory;
mod outbox;
mod participant;
mod plan;
mod reading;
mod saga;
mod services;
mod two_phase;
mod undo;
mod unprotected;
mod weakening;

use program::{Compilation, DatabaseId, NodeId, NodeKind, PoolId};
use scenario::{Scenario, TableId};

use crate::lower::assembly::Assembly;
use crate::lower::definitions::definitions;
use crate::options::{setting, with_variant};
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};

/// What a design with a database per owner stands on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground {
    /// Whose settings count.
    pub(crate) slug: &'static str,
    pub(crate) servers: Servers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Servers {
    /// Each database has a server to itself.
    OnePerDatabase,
    /// All databases share one server: its processors, its log, and its failures.
    One,
}

/// How an operation over several owners is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Saga,
    TwoPhase,
    Unprotected,
}

pub(crate) const SABOTAGES: &[Sabotage] = &[
    Sabotage::WithoutCompensation,
    Sabotage::WithoutIdempotencyKey,
    Sabotage::WithoutInbox,
    Sabotage::WithoutReplicas,
    Sabotage::WithoutDecisionLog,
];

#[derive(Debug)]
pub(crate) struct DatabasePerService;

const SLUG: &str = "database-per-service";
const TWO_PHASE: &str = "two-phase";
const UNPROTECTED: &str = "unprotected";

const GROUND: Ground = Ground {
    slug: SLUG,
    servers: Servers::OnePerDatabase,
};

pub(crate) const POOL: Setting = Setting {
    name: "pool",
    default: 5,
    summary: "connections that each service keeps to its database",
};
pub(crate) const SERVER_CORES: Setting = Setting {
    name: "server_cores",
    default: 2,
    summary: "processors of each database server",
};
pub(crate) const SERVICE_CORES: Setting = Setting {
    name: "service_cores",
    default: 2,
    summary: "processors of each service, of the orchestrator, or of the application",
};

pub(crate) const PARTITIONS: Setting = Setting {
    name: "partitions",
    default: 4,
    summary: "partitions of each topic of the event bus",
};
pub(crate) const BUS_CORES: Setting = Setting {
    name: "bus_cores",
    default: 2,
    summary: "processors of the event bus",
};

impl Architecture for DatabasePerService {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn title(&self) -> &'static str {
        "Database per service"
    }

    fn summary(&self) -> &'static str {
        "Each domain has its own service, server and database. What concerns several is a saga, and a report is composed from what each service answers."
    }

    fn standing(&self) -> Standing {
        Standing::Chosen
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant {
                slug: "",
                title: "Database per service, with sagas",
                summary: "An orchestrator with a durable log; idempotency keys, compensations; outbox, event bus and inbox.",
            },
            Variant {
                slug: TWO_PHASE,
                title: "Database per service, with two-phase commit",
                summary: "One application prepares a transaction at each database, writes its decision down, and commits them all; locks are held until it has.",
            },
            Variant {
                slug: UNPROTECTED,
                title: "Database per service, unprotected writes",
                summary: "One application writes to each database in turn and tries once to clean up after a failure.",
            },
        ]
    }

    fn settings(&self) -> &'static [Setting] {
        &[POOL, SERVER_CORES, SERVICE_CORES, PARTITIONS, BUS_CORES]
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        SABOTAGES
    }

    fn compile(&self, scenario: &Scenario, options: &Options) -> Compilation {
        let way = match options.variant {
            TWO_PHASE => Way::TwoPhase,
            UNPROTECTED => Way::Unprotected,
            _ => Way::Saga,
        };
        compile(scenario, GROUND, self.variant(options), way, &options.sabotage)
    }
}

pub(crate) fn compile(
    scenario: &Scenario,
    ground: Ground,
    variant: &Variant,
    way: Way,
    sabotage: &[Sabotage],
) -> Compilation {
    let mut assembly = Assembly::new(scenario);
    assembly.node("client", NodeKind::Client, u16::MAX);
    weakening::foreign_keys(&mut assembly);
    let databases = match way {
        Way::Saga => services::compile(&mut assembly, ground, sabotage),
        Way::TwoPhase => two_phase::compile(&mut assembly, ground, sabotage),
        Way::Unprotected => unprotected::compile(&mut assembly, ground),
    };
    let holder = |id: TableId| databases[usize::from(scenario.schema.table(id).owner)];
    let slug = with_variant(ground.slug, variant.slug);
    assembly.finish(slug, variant.title.to_owned(), holder)
}

impl Ground {
    /// The owners' databases, in the order of the scenario's owners.
    fn owner_databases(self, assembly: &mut Assembly<'_>) -> Vec<DatabaseId> {
        let scenario = assembly.scenario;
        let each = scenario.schema.owners.iter().zip(0..);
        each.map(|(owner, number)| {
            let server = self.server(assembly, owner);
            let ddl = definitions(scenario, |id| scenario.schema.table(id).owner == number);
            assembly.database(owner, server, ddl)
        })
        .collect()
    }

    /// The server of the database of this name.
    fn server(self, assembly: &mut Assembly<'_>, database: &str) -> NodeId {
        let name = match self.servers {
            Servers::OnePerDatabase => format!("{database}-db"),
            Servers::One => "postgres".to_owned(),
        };
        let known = (0..)
            .zip(&assembly.deployment.nodes)
            .find(|(_, node)| node.name == name);
        if let (Servers::One, Some((id, _))) = (self.servers, known) {
            return NodeId(id);
        }
        let cores = setting(assembly.scenario, self.slug, &SERVER_CORES);
        assembly.node(&name, NodeKind::SqlServer, cores)
    }

    fn service(self, assembly: &mut Assembly<'_>, name: &str) -> NodeId {
        let cores = setting(assembly.scenario, self.slug, &SERVICE_CORES);
        assembly.node(name, NodeKind::Service, cores)
    }

    /// Connections that one service keeps to one database.
    fn pool(self, assembly: &mut Assembly<'_>, service: NodeId, database: DatabaseId) -> PoolId {
        let size = setting(assembly.scenario, self.slug, &POOL);
        assembly.pool(service, database, size)
    }
}
