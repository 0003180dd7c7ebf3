//! A database per tenant: each tenant's rows lie in a database of their own, with the whole schema in it.
//!
//! ```text
//!                        ┌▶ tenant_1 ┐
//! client ──▶ application ┼▶ tenant_2 ├ databases on few servers       an operation of a tenant: one local transaction
//!             tenant map └▶ …        ┘                                one that crosses tenants: asked of each of them
//!                  └─────▶ shared     tables of nobody that operations write
//! ```
//!
//! The application knows from memory which tenant's rows lie where. An operation with a tenant runs in that
//! tenant's database, whatever its predicates say: a wall, not a filter. Where that changes what a statement
//! means, it is listed. A query that names no tenant is asked of every database, some at a time, and evaluated
//! over the union of their rows, so that its answer is exact. An UPDATE or DELETE that names no tenant is a
//! transaction in each database, some at a time: what a person who runs it on such a system gets, and all or nothing
//! no more; it is listed too. A transaction over two tenants, or over a tenant and the shared tables, is refused, but for
//! what may happen later: that is sent to the other database in the background, and lost with the application.
//!
//! A tenant that is not in the map is refused ("no database for tenant 77"), where one table for all would just have
//! no row of it.

mod lower;
mod places;
mod plan;
mod tenancy;

use base::Value;
use program::{Compilation, DatabaseId, NodeId, NodeKind, OperationId, PoolId, Refusal, Route, RouteId, Weakening};
use scenario::{Operation, Scenario, TableId};

use crate::lower::assembly::Assembly;
use crate::lower::definitions::definitions;
use crate::options::setting;
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};
use lower::Site;
use places::{Databases, Place};
use plan::{Plan, Shape, plan};

#[derive(Debug)]
pub(crate) struct DatabasePerTenant;

const SLUG: &str = "database-per-tenant";

/// PostgreSQL takes 100 connections to a server if nobody says otherwise: two for each of 50 databases.
const POOL: Setting = Setting {
    name: "pool",
    default: 2,
    summary: "connections that the application keeps to each tenant's database",
};
const SHARED_POOL: Setting = Setting {
    name: "shared_pool",
    default: 20,
    summary: "connections that the application keeps to the shared database, if there is one",
};
/// Piipan, where this design comes from, has a database for each of up to 53 agencies on one server.
const TENANTS_PER_SERVER: Setting = Setting {
    name: "tenants_per_server",
    default: 53,
    summary: "tenants' databases on one server",
};
/// Piipan's server: two processors.
const SERVER_CORES: Setting = Setting {
    name: "server_cores",
    default: 2,
    summary: "processors of each database server",
};
const APPLICATION_CORES: Setting = Setting {
    name: "application_cores",
    default: 4,
    summary: "processors of the application",
};
const FAN_OUT: Setting = Setting {
    name: "fan_out",
    default: 10,
    summary: "databases that are asked at the same time by what crosses tenants",
};

impl Architecture for DatabasePerTenant {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn title(&self) -> &'static str {
        "Database per tenant"
    }

    fn summary(&self) -> &'static str {
        "Each tenant has a database of its own, many of them on one server. What crosses tenants is asked of every database and joined by the application."
    }

    fn standing(&self) -> Standing {
        Standing::Chosen
    }

    fn variants(&self) -> &'static [Variant] {
        &[Variant {
            slug: "",
            title: "Database per tenant",
            summary: "Routed by the tenant; fan-out for what crosses tenants.",
        }]
    }

    fn settings(&self) -> &'static [Setting] {
        &[
            POOL,
            SHARED_POOL,
            TENANTS_PER_SERVER,
            SERVER_CORES,
            APPLICATION_CORES,
            FAN_OUT,
        ]
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        &[]
    }

    fn compile(&self, scenario: &Scenario, _: &Options) -> Compilation {
        let laid_out = places::laid_out(scenario);
        let mut assembly = Assembly::new(&laid_out);
        assembly.node("client", NodeKind::Client, u16::MAX);
        let cores = setting(scenario, SLUG, &APPLICATION_CORES);
        let application = assembly.node("application", NodeKind::Service, cores);
        let has = |place: Place| {
            laid_out
                .schema
                .ids()
                .any(|id| places::of(&laid_out.schema, id) == place)
        };
        if laid_out.population.tenants == 0 || !has(Place::Tenants) {
            assembly.refuse_all(no_tenants(scenario));
            return assembly.finish_with(SLUG.to_owned(), self.title().to_owned(), empty_table(&laid_out));
        }
        let databases = databases(&mut assembly, has(Place::Shared));
        let site = site(&mut assembly, application, &databases);
        places::weaken(
            &mut assembly,
            databases.tenants.len() + usize::from(databases.shared.is_some()),
        );
        for (operation, id) in laid_out.operations.iter().zip(0..) {
            compile_operation(&mut assembly, &site, OperationId(id), operation);
        }
        assembly.finish_with(SLUG.to_owned(), self.title().to_owned(), |id| {
            databases.logical_table(&laid_out.schema, id)
        })
    }
}

fn no_tenants(scenario: &Scenario) -> Refusal {
    let table = scenario.schema.tables.first();
    let place = table.map_or_else(Default::default, |table| table.place);
    Refusal {
        operation: None,
        statement: table.map_or_else(String::new, |table| format!("CREATE TABLE {}", table.full_name())),
        line: place.line.max(1),
        column: place.column.max(1),
        reason: "a database per tenant needs to know whose row it is, and no table has a tenant column".to_owned(),
        hint: Some(
            "name the column at the head of the file, tenant_column = \"tenant_id\", and give [population] its tenants"
                .to_owned(),
        ),
    }
}

/// A logical table of which nothing lies anywhere.
fn empty_table(scenario: &Scenario) -> impl Fn(TableId) -> program::LogicalTable {
    let databases = Databases {
        tenants: Vec::new(),
        shared: None,
    };
    move |id| databases.logical_table(&scenario.schema, id)
}

/// The servers with their databases. On each server the first tenant's is defined, and the others begin as copies
/// of it.
fn databases(assembly: &mut Assembly<'_>, with_shared: bool) -> Databases {
    let scenario = assembly.scenario;
    let schema = &scenario.schema;
    let tenants = scenario.population.tenants;
    let per_server = u32::from(setting(scenario, SLUG, &TENANTS_PER_SERVER));
    let cores = setting(scenario, SLUG, &SERVER_CORES);
    let of_tenant = definitions(scenario, |id| places::of(schema, id) != Place::Shared);
    let mut databases = Databases {
        tenants: Vec::new(),
        shared: None,
    };
    let mut server = NodeId(0);
    let mut template = None;
    for number in 0..tenants {
        if number % per_server == 0 {
            let name = match tenants <= per_server {
                true => "postgres".to_owned(),
                false => format!("postgres-{}", number / per_server + 1),
            };
            server = assembly.node(&name, NodeKind::SqlServer, cores);
            template = None;
            if number == 0 && with_shared {
                let ddl = definitions(scenario, |id| places::of(schema, id) != Place::Tenants);
                databases.shared = Some(assembly.database("shared", server, ddl));
            }
        }
        let name = format!("tenant_{}", number + 1);
        let database = match template {
            Some(template) => assembly.copied_database(&name, server, template),
            None => assembly.database(&name, server, of_tenant.clone()),
        };
        template.get_or_insert(database);
        databases.tenants.push((number as i32 + 1, database));
    }
    databases
}

fn site(assembly: &mut Assembly<'_>, application: NodeId, databases: &Databases) -> Site {
    let scenario = assembly.scenario;
    let (size, shared_size) = (setting(scenario, SLUG, &POOL), setting(scenario, SLUG, &SHARED_POOL));
    let of_tenant = |(tenant, database): &(i32, DatabaseId)| {
        let pool = assembly.pool(application, *database, size);
        (Value::Int4(*tenant), pool)
    };
    let pools: Vec<(Value, PoolId)> = databases.tenants.iter().map(of_tenant).collect();
    let shared = databases
        .shared
        .map(|database| assembly.pool(application, database, shared_size));
    assembly.deployment.routes.push(Route {
        name: "tenant".to_owned(),
        pools,
    });
    Site {
        application,
        route: RouteId(assembly.deployment.routes.len() as u16 - 1),
        first: databases.tenants.first().map_or(1, |(tenant, _)| *tenant),
        shared,
        fan_out: setting(scenario, SLUG, &FAN_OUT),
    }
}

fn compile_operation(assembly: &mut Assembly<'_>, site: &Site, id: OperationId, operation: &Operation) {
    let planned = plan(&assembly.scenario.schema, operation);
    let done = planned.and_then(|plan| lower::compile(assembly, site, id, operation, &plan).map(|()| plan));
    match done {
        Ok(plan) => {
            let weakened = weakened(assembly.scenario, operation, &plan);
            assembly.weakened.extend(weakened);
        }
        Err(refused) => assembly.refuse(id, refused),
    }
}

/// What the operation no longer is, and which of its statements mean something else here.
fn weakened(scenario: &Scenario, operation: &Operation, plan: &Plan) -> Vec<Weakening> {
    let snapshot = "no snapshot spans several databases";
    let whole = match &plan.shape {
        Shape::Broadcast { .. } => Some((
            "one transaction in each tenant's database; a crash or a failure in between leaves some undone",
            "no transaction spans several databases",
        )),
        _ if plan.fans_out() => Some(("each tenant's database is read at its own time", snapshot)),
        Shape::Reads => Some(("each database is read at its own time", snapshot)),
        Shape::Transaction { .. } => Some(("what it reads elsewhere is read at its own time", snapshot)),
        Shape::Local(_) => None,
    };
    let whole = whole.map(|(becomes, reason)| Weakening {
        constraint: format!("operation {}: one transaction", operation.name),
        becomes: becomes.to_owned(),
        reason: reason.to_owned(),
    });
    let later = plan.later.iter().map(|late| Weakening {
        constraint: format!("operation {}: one transaction", operation.name),
        becomes: "the asynchronous part is lost if the application crashes before it is done".to_owned(),
        reason: format!("it is sent to {} in the background, from memory", late.at.name()),
    });
    let confined = plan.confined.iter().map(|(index, tables)| {
        let tables: Vec<String> = tables.iter().map(|id| scenario.schema.table(*id).full_name()).collect();
        Weakening {
            constraint: format!(
                "operation {}, statement {}: all rows of {}",
                operation.name,
                index + 1,
                tables.join(", ")
            ),
            becomes: "the tenant's own rows only".to_owned(),
            reason: "the operation runs in its tenant's database, and the statement names no tenant".to_owned(),
        }
    });
    whole.into_iter().chain(later).chain(confined).collect()
}
