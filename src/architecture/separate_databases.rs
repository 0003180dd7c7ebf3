//! A database per owner, all of them on one PostgreSQL server.
//!
//! ```text
//! client ──▶ application ──pool──▶ ┌ postgres ────┐
//!                 ├────────pool──▶ │ auth         │   one log, one set of processors,
//!                 ├────────pool──▶ │ permissions  │   one failure; and yet no transaction,
//!                 └────────pool──▶ │ audit        │   no join and no foreign key over databases
//!                                  └──────────────┘
//! ```
//!
//! It is [`database_per_service`] but for where the databases are. The plain variant is what people build first: one
//! application, a pool for each database, one write after the other.

use program::Compilation;
use scenario::Scenario;

use crate::database_per_service::{
    self as per_service, BUS_CORES, Ground, PARTITIONS, POOL, SERVER_CORES, SERVICE_CORES, Servers, Way,
};
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};

#[derive(Debug)]
pub(crate) struct SeparateDatabases;

const GROUND: Ground = Ground {
    slug: "separate-databases-on-one-server",
    servers: Servers::One,
};

const SAGA: &str = "saga";
const TWO_PHASE: &str = "two-phase";

impl Architecture for SeparateDatabases {
    fn slug(&self) -> &'static str {
        GROUND.slug
    }

    fn title(&self) -> &'static str {
        "Separate databases on one server"
    }

    fn summary(&self) -> &'static str {
        "A database and a pool for each domain, all on one PostgreSQL server. They share its load and its failures, but no transaction."
    }

    fn standing(&self) -> Standing {
        Standing::Rejected
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant {
                slug: "",
                title: "Separate databases on one server",
                summary: "One application writes to each database in turn and tries once to clean up after a failure.",
            },
            Variant {
                slug: SAGA,
                title: "Separate databases on one server, with sagas",
                summary: "A service for each database, an orchestrator with a durable log; outbox, event bus and inbox.",
            },
            Variant {
                slug: TWO_PHASE,
                title: "Separate databases on one server, with two-phase commit",
                summary: "One application prepares a transaction in each database, writes its decision down, and commits them all.",
            },
        ]
    }

    fn settings(&self) -> &'static [Setting] {
        &[POOL, SERVER_CORES, SERVICE_CORES, PARTITIONS, BUS_CORES]
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        per_service::SABOTAGES
    }

    fn compile(&self, scenario: &Scenario, options: &Options) -> Compilation {
        let way = match options.variant {
            SAGA => Way::Saga,
            TWO_PHASE => Way::TwoPhase,
            _ => Way::Unprotected,
        };
        per_service::compile(scenario, GROUND, self.variant(options), way, &options.sabotage)
    }
}
