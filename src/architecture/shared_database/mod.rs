//! One PostgreSQL database that all services share.
//!
//! ```text
//! client ──▶ auth-service ──pool──▶ ┌ postgres ─────────────────────────┐
//!   └──────▶ email-service ─pool──▶ │ app: users, user_roles, audit_logs │  everybody's tables,
//!                                   └────────────────────────────────────┘  within everybody's reach
//! ```
//!
//! An operation is asked of one service, which does all of it in one transaction: also what is another service's. The
//! services are apart, their data is not: each table that a service touches and does not own is listed as weakened,
//! since whoever owns it cannot change it alone any more.
//!
//! Plain, all tables lie in one schema and all services log in as the role that owns them. With `schema-per-service`
//! each service has a schema and a role of its own, and a grant for each table of others that it uses: the coupling is
//! the same, but it is written down, and ends there.

mod coupling;
mod one_schema;

use program::{Compilation, NodeId, NodeKind, OperationId, PoolId, ProgramKind};
use scenario::{Action, Operation, Scenario};

use self::coupling::Coupling;
use crate::lower::assembly::{Assembly, logical_table};
use crate::lower::builder::Builder;
use crate::lower::definitions::definitions;
use crate::lower::item::Item;
use crate::lower::local::{self, Around};
use crate::options::{setting, with_variant};
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};

#[derive(Debug)]
pub(crate) struct SharedDatabase;

const SLUG: &str = "shared-database";
const SCHEMA_PER_SERVICE: &str = "schema-per-service";

/// The role that owns the database, and as which everybody logs in where there are no walls.
const SUPERUSER: &str = "postgres";

const POOL: Setting = Setting {
    name: "pool",
    default: 5,
    summary: "connections that each service keeps",
};
const SERVER_CORES: Setting = Setting {
    name: "server_cores",
    default: 2,
    summary: "processors of the database server",
};
const SERVICE_CORES: Setting = Setting {
    name: "service_cores",
    default: 2,
    summary: "processors of each service",
};

impl Architecture for SharedDatabase {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn title(&self) -> &'static str {
        "One shared database without walls"
    }

    fn summary(&self) -> &'static str {
        "Services with one PostgreSQL database between them. Each reads and writes whatever it needs, whoever owns it."
    }

    fn standing(&self) -> Standing {
        Standing::Rejected
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant {
                slug: "",
                title: "One shared database without walls",
                summary: "All tables in one schema, one role for all services.",
            },
            Variant {
                slug: SCHEMA_PER_SERVICE,
                title: "One shared database, a schema and a role per service",
                summary: "A service has its own schema, and a grant for each table of others that it uses.",
            },
        ]
    }

    fn settings(&self) -> &'static [Setting] {
        &[POOL, SERVER_CORES, SERVICE_CORES]
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        &[]
    }

    fn compile(&self, scenario: &Scenario, options: &Options) -> Compilation {
        let variant = self.variant(options);
        let walls = variant.slug == SCHEMA_PER_SERVICE;
        let physical = if walls {
            scenario.clone()
        } else {
            one_schema::of(scenario)
        };
        let homes: Vec<u16> = scenario.operations.iter().map(|o| home(scenario, o)).collect();
        let coupling = Coupling::of(scenario, &homes);

        let mut assembly = Assembly::new(scenario);
        assembly.node("client", NodeKind::Client, u16::MAX);
        let services = services(&mut assembly);
        let cores = setting(scenario, SLUG, &SERVER_CORES);
        let server = assembly.node("postgres", NodeKind::SqlServer, cores);
        let mut ddl = definitions(&physical, |_| true);
        if walls {
            ddl.extend(coupling.grants(scenario));
        }
        let database = assembly.database("main", server, ddl);
        let size = setting(scenario, SLUG, &POOL);
        let pools: Vec<PoolId> = services
            .iter()
            .zip(&scenario.schema.owners)
            .map(|(service, owner)| {
                let role = if walls {
                    coupling::role(owner)
                } else {
                    SUPERUSER.to_owned()
                };
                assembly.pool_as(*service, database, size, &role)
            })
            .collect();
        for ((operation, home), id) in physical.operations.iter().zip(&homes).zip(0..) {
            let home = usize::from(*home);
            compile_operation(&mut assembly, OperationId(id), operation, services[home], pools[home]);
        }
        coupling.weaken(&mut assembly, walls);
        let slug = with_variant(SLUG, variant.slug);
        assembly.finish_with(slug, variant.title.to_owned(), |id| program::LogicalTable {
            name: scenario.schema.table(id).full_name(),
            ..logical_table(physical.schema.table(id), database)
        })
    }
}

fn services(assembly: &mut Assembly<'_>) -> Vec<NodeId> {
    let cores = setting(assembly.scenario, SLUG, &SERVICE_CORES);
    let owners = assembly.scenario.schema.owners.iter();
    owners
        .map(|owner| assembly.node(&format!("{owner}-service"), NodeKind::Service, cores))
        .collect()
}

/// The service that an operation is asked of: the owner of the first table that it writes, or else reads.
fn home(scenario: &Scenario, operation: &Operation) -> u16 {
    let sql = || {
        operation
            .statements
            .iter()
            .filter(|s| matches!(s.action, Action::Sql(_)))
    };
    let written = sql().find_map(|statement| statement.writes.first());
    let touched = || sql().find_map(|statement| statement.reads.first());
    let table = written.or_else(touched);
    table.map_or(0, |id| scenario.schema.table(*id).owner)
}

fn compile_operation(
    assembly: &mut Assembly<'_>,
    id: OperationId,
    operation: &Operation,
    service: NodeId,
    pool: PoolId,
) {
    let mut builder = Builder::new(&operation.name, service, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    let connection = builder.connection(pool);
    let items = Item::all(operation);
    let mut body = local::operation(assembly, &mut builder, operation, &items, connection, Around::default());
    let answers = local::answers(&mut builder, &items);
    body.push(builder.answer(answers));
    let program = assembly.add(builder.finish(body));
    assembly.enter(id, program);
}
