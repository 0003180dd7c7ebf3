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

use program::{Compilation, DatabaseId, NodeId, NodeKind};
use scenario::{Scenario, TableId};

use crate::lower::assembly::Assembly;
use crate::lower::definitions::definitions;
use crate::options::{setting, with_variant};
use crate::{Architecture, Options, Sabotage, Setting, Variant};

#[derive(Debug)]
pub(crate) struct DatabasePerService;

const SLUG: &str = "database-per-service";
const TWO_PHASE: &str = "two-phase";
const UNPROTECTED: &str = "unprotected";

const POOL: Setting = Setting {
    name: "pool",
    default: 5,
    summary: "connections that each service keeps to its database",
};
const SERVER_CORES: Setting = Setting {
    name: "server_cores",
    default: 2,
    summary: "processors of each database server",
};
const SERVICE_CORES: Setting = Setting {
    name: "service_cores",
    default: 2,
    summary: "processors of each service, of the orchestrator, or of the application",
};

const PARTITIONS: Setting = Setting {
    name: "partitions",
    default: 4,
    summary: "partitions of each topic of the event bus",
};
const BUS_CORES: Setting = Setting {
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
        &[
            Sabotage::WithoutCompensation,
            Sabotage::WithoutIdempotencyKey,
            Sabotage::WithoutInbox,
            Sabotage::WithoutReplicas,
            Sabotage::WithoutDecisionLog,
        ]
    }

    fn compile(&self, scenario: &Scenario, options: &Options) -> Compilation {
        let mut assembly = Assembly::new(scenario);
        assembly.node("client", NodeKind::Client, u16::MAX);
        weakening::foreign_keys(&mut assembly);
        let variant = self
            .variants()
            .iter()
            .find(|v| v.slug == options.variant)
            .unwrap_or(&self.variants()[0]);
        let databases = match variant.slug {
            TWO_PHASE => two_phase::compile(&mut assembly, &options.sabotage),
            UNPROTECTED => unprotected::compile(&mut assembly),
            _ => services::compile(&mut assembly, &options.sabotage),
        };
        let holder = |id: TableId| databases[usize::from(scenario.schema.table(id).owner)];
        assembly.finish(with_variant(SLUG, variant.slug), variant.title.to_owned(), holder)
    }
}

/// The owners' servers and databases, in the order of the scenario's owners.
fn owner_databases(assembly: &mut Assembly<'_>) -> Vec<DatabaseId> {
    let scenario = assembly.scenario;
    let cores = setting(scenario, SLUG, &SERVER_CORES);
    let each = scenario.schema.owners.iter().zip(0..);
    each.map(|(owner, number)| {
        let server = assembly.node(&format!("{owner}-db"), NodeKind::SqlServer, cores);
        let ddl = definitions(scenario, |id| scenario.schema.table(id).owner == number);
        assembly.database(owner, server, ddl)
    })
    .collect()
}

fn service_node(assembly: &mut Assembly<'_>, name: &str) -> NodeId {
    let cores = setting(assembly.scenario, SLUG, &SERVICE_CORES);
    assembly.node(name, NodeKind::Service, cores)
}
