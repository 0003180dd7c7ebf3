//! One PostgreSQL server, one database, one schema per owner.
//!
//! ```text
//! client ──▶ application ──pool──▶ postgres: database with schemas auth, email, audit, …
//! ```
//!
//! The application logs in as a role that owns nothing and may read and write all tables; there is a role that may only
//! read, and for each schema one that may read it and nothing else: an auditor is the reader of the audit schema.
//!
//! Each operation is one transaction that one program at the application runs. Foreign keys cross owners;
//! nothing is weakened. `@asynchronous` says that a statement *may* be done later: here it is done in the same
//! transaction, which costs one more statement and needs no outbox. The saga marks (`@pivot`,
//! `@retriable`, `@compensate`) mean nothing here.

use program::{Compilation, NodeId, NodeKind, OperationId, PoolId, ProgramKind};
use scenario::{Operation, Scenario};
use syntax::identifier;

use crate::lower::assembly::Assembly;
use crate::lower::builder::Builder;
use crate::lower::definitions::definitions;
use crate::lower::item::Item;
use crate::lower::local::{self, Around};
use crate::options::setting;
use crate::sql::text::identifiers;
use crate::{Architecture, Options, Sabotage, Setting, Standing, Variant};

#[derive(Debug)]
pub(crate) struct SchemasInOneDatabase;

const SLUG: &str = "schemas-in-one-database";

const APPLICATION: &str = "application";
const READ_ONLY: &str = "read_only";

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
        let mut ddl = definitions(scenario, |_| true);
        ddl.extend(roles(scenario));
        let database = assembly.database("main", server, ddl);
        let size = setting(scenario, SLUG, &POOL);
        let pool = assembly.pool_as(application, database, size, APPLICATION);
        for (operation, id) in scenario.operations.iter().zip(0..) {
            compile_operation(&mut assembly, OperationId(id), operation, application, pool);
        }
        assembly.finish(SLUG.to_owned(), self.title().to_owned(), |_| database)
    }
}

/// Who may what. USAGE of a schema alone lets nobody read its tables; and what is granted on all tables is granted on
/// those that are there by then, so that this comes last.
fn roles(scenario: &Scenario) -> Vec<String> {
    let owners = &scenario.schema.owners;
    let all = identifiers(owners.iter().map(String::as_str));
    if all.is_empty() {
        return Vec::new();
    }
    let mut ddl = vec![
        format!("CREATE ROLE {APPLICATION} LOGIN"),
        format!("CREATE ROLE {READ_ONLY} LOGIN"),
        format!("GRANT USAGE ON SCHEMA {all} TO {APPLICATION}, {READ_ONLY}"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {all} TO {APPLICATION}"),
        format!("GRANT SELECT ON ALL TABLES IN SCHEMA {all} TO {READ_ONLY}"),
    ];
    for owner in owners {
        let (schema, reader) = (identifier(owner), identifier(&format!("{owner}_reader")));
        ddl.push(format!("CREATE ROLE {reader} LOGIN"));
        ddl.push(format!("GRANT USAGE ON SCHEMA {schema} TO {reader}"));
        ddl.push(format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}"));
    }
    ddl
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
