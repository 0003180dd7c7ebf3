//! One PostgreSQL server, one database, one schema per owner.
//!
//! ```text
//! client ──▶ application ──pool──▶ postgres: database with schemas auth, email, audit, …
//! ```
//!
//! Each operation is one transaction that one program at the application runs. Foreign keys cross owners;
//! nothing is weakened. `@asynchronous` says that a statement *may* be done later: here it is done in the same
//! transaction, which costs one more statement and needs no outbox. The saga marks (`@pivot`,
//! `@retriable`, `@compensate`) mean nothing here.

use program::{Compilation, NodeId, NodeKind, OperationId, PoolId, ProgramKind};
use scenario::{Operation, Scenario};

use crate::lower::assembly::Assembly;
use crate::lower::builder::Builder;
use crate::lower::definitions::definitions;
use crate::lower::item::Item;
use crate::lower::local::{self, Around};
use crate::options::setting;
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};

#[derive(Debug)]
pub(crate) struct SchemasInOneDatabase;

const SLUG: &str = "schemas-in-one-database";

const POOL: Setting = Setting {
    name: "pool",
    default: 20,
    summary: "connections that the application keeps",
};
const SERVER_CORES: Setting = Setting {
    name: "server_cores",
    default: 2,
    summary: "processors of the database server",
};
const APPLICATION_CORES: Setting = Setting {
    name: "application_cores",
    default: 4,
    summary: "processors of the application",
};

impl Architecture for SchemasInOneDatabase {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn title(&self) -> &'static str {
        "Schemas in one database"
    }

    fn summary(&self) -> &'static str {
        "One PostgreSQL server with one database and a schema per domain. An operation is one transaction, a report one query."
    }

    fn standing(&self) -> Standing {
        Standing::Chosen
    }

    fn variants(&self) -> &'static [Variant] {
        &[Variant {
            slug: "",
            title: "Schemas in one database",
            summary: "One transaction per operation.",
        }]
    }

    fn settings(&self) -> &'static [Setting] {
        &[POOL, SERVER_CORES, APPLICATION_CORES]
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        &[]
    }

    fn compile(&self, scenario: &Scenario, _: &Options) -> Compilation {
        let mut assembly = Assembly::new(scenario);
        assembly.node("client", NodeKind::Client, u16::MAX);
        let cores = setting(scenario, SLUG, &APPLICATION_CORES);
        let application = assembly.node("application", NodeKind::Service, cores);
        let cores = setting(scenario, SLUG, &SERVER_CORES);
        let server = assembly.node("postgres", NodeKind::SqlServer, cores);
        let database = assembly.database("main", server, definitions(scenario, |_| true));
        let pool = assembly.pool(application, database, setting(scenario, SLUG, &POOL));
        for (operation, id) in scenario.operations.iter().zip(0..) {
            compile_operation(&mut assembly, OperationId(id), operation, application, pool);
        }
        assembly.finish(SLUG.to_owned(), self.title().to_owned(), |_| database)
    }
}

fn compile_operation(
    assembly: &mut Assembly<'_>,
    id: OperationId,
    operation: &Operation,
    application: NodeId,
    pool: PoolId,
) {
    let mut builder = Builder::new(&operation.name, application, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    let connection = builder.connection(pool);
    let items = Item::all(operation);
    let mut body = local::operation(assembly, &mut builder, operation, &items, connection, Around::default());
    let answers = local::answers(&mut builder, &items);
    body.push(builder.answer(answers));
    let program = assembly.add(builder.finish(body));
    assembly.enter(id, program);
}
