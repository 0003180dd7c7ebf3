//! One PostgreSQL server, one database, one set of tables for all tenants: row-level security keeps them apart.
//!
//! ```text
//! client ──▶ application ──pool, as `application`──▶ BEGIN; set_config('app.tenant_id', …, true); …; COMMIT
//!                       └──pool, as `reporting`────▶ what asks for no tenant
//! ```
//!
//! The application's role owns nothing and bypasses nothing: a statement that forgets its tenant sees that tenant's rows
//! all the same. What this costs: every request of a tenant is a transaction, which begins with a statement that says
//! for whom. What asks for no tenant goes through a role that the policies let pass, table by table: a hole in
//! the wall by decision, listed as weakened.

mod access;
mod wall;

use program::{Block, Compilation, ConnectionId, Into, NodeKind, OperationId, ProgramKind, Role, StepId};
use scenario::{Action, Operation, Scenario};

use self::access::Access;
use self::wall::Wall;
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark};
use crate::lower::item::Item;
use crate::lower::local::{self, Around};
use crate::options::setting;
use crate::sql::Text;
use crate::{Architecture, Mistake, Options, Sabotage, Setting, Standing, Variant};

#[derive(Debug)]
pub(crate) struct SharedTables;

const SLUG: &str = "shared-tables-with-row-level-security";

/// The setting that says for which tenant a transaction works.
const TENANT_SETTING: &str = "app.tenant_id";

const POOL: Setting = Setting {
    name: "pool",
    default: 20,
    summary: "connections that the application keeps",
};
const CROSSING_POOL: Setting = Setting {
    name: "crossing_pool",
    default: 4,
    summary: "connections of each role that crosses tenants, if there is one",
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

impl Architecture for SharedTables {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn title(&self) -> &'static str {
        "Shared tables with row-level security"
    }

    fn summary(&self) -> &'static str {
        "One PostgreSQL database whose tables hold all tenants' rows. Policies let a transaction see those of the tenant that it has named."
    }

    fn standing(&self) -> Standing {
        Standing::Chosen
    }

    fn variants(&self) -> &'static [Variant] {
        &[Variant {
            slug: "",
            title: "Shared tables with row-level security",
            summary: "One transaction per operation, which names its tenant first.",
        }]
    }

    fn settings(&self) -> &'static [Setting] {
        &[POOL, CROSSING_POOL, SERVER_CORES, APPLICATION_CORES]
    }

    fn sabotages(&self) -> &'static [Sabotage] {
        &[]
    }

    fn mistakes(&self) -> &'static [Mistake] {
        &Mistake::ALL
    }

    fn compile(&self, scenario: &Scenario, options: &Options) -> Compilation {
        let mut assembly = Assembly::new(scenario);
        assembly.node("client", NodeKind::Client, u16::MAX);
        let cores = setting(scenario, SLUG, &APPLICATION_CORES);
        let application = assembly.node("application", NodeKind::Service, cores);
        let cores = setting(scenario, SLUG, &SERVER_CORES);
        let server = assembly.node("postgres", NodeKind::SqlServer, cores);
        let wall = Wall::new(scenario);
        let access: Vec<Access> = scenario
            .operations
            .iter()
            .map(|operation| Access::of(operation, &wall))
            .collect();
        let definitions = wall.definitions(scenario, &access, options);
        let database = assembly.database("main", server, definitions);
        let mut pools = [None; 3];
        for (operation, id) in scenario.operations.iter().zip(0..) {
            let access = access[usize::from(id)];
            let pool = *pools[access as usize].get_or_insert_with(|| {
                let size = match access {
                    Access::Tenant => setting(scenario, SLUG, &POOL),
                    Access::Reporting | Access::BackOffice => setting(scenario, SLUG, &CROSSING_POOL),
                };
                assembly.pool_as(application, database, size, access.role(options))
            });
            let program = Builder::new(&operation.name, application, ProgramKind::Entry);
            let mut builder = program.operation(OperationId(id), operation);
            builder.entry_parameters(operation);
            let connection = builder.connection(pool);
            let around = name_tenant(&mut builder, operation, connection, options);
            let items = Item::all(operation);
            let mut body = local::operation(&mut assembly, &mut builder, operation, &items, connection, around);
            let answers = local::answers(&mut builder, &items);
            body.push(builder.answer(answers));
            let program = assembly.add(builder.finish(body));
            assembly.enter(OperationId(id), program);
        }
        wall.weaken(&mut assembly, &access);
        assembly.finish(SLUG.to_owned(), self.title().to_owned(), |_| database)
    }
}

/// The statement that says for which tenant: the first of the transaction, and gone with it.
fn name_tenant(builder: &mut Builder, operation: &Operation, connection: ConnectionId, options: &Options) -> Around {
    let parameter = operation
        .tenant
        .and_then(|at| operation.parameters.get(usize::from(at)));
    let sends_sql = |statement: &scenario::Statement| matches!(statement.action, Action::Sql(_));
    let says =
        operation.statements.iter().any(sends_sql) && !options.has_in(Mistake::WithoutTenantSetting, &operation.name);
    let (Some(parameter), true) = (parameter, says) else {
        return Around::default();
    };
    let for_session = options.has_in(Mistake::SessionSetting, &operation.name);
    let step = set_tenant(builder, connection, &parameter.name, !for_session);
    let block: Block = vec![step];
    if for_session {
        Around {
            before: block,
            ..Around::default()
        }
    } else {
        Around {
            first: block,
            ..Around::default()
        }
    }
}

/// `SET LOCAL` takes no operand; `set_config` is its form that does.
fn set_tenant(builder: &mut Builder, connection: ConnectionId, parameter: &str, local: bool) -> StepId {
    let mut text = Text::new(format!("SELECT set_config('{TENANT_SETTING}', "));
    text.variable(parameter).push(&format!("::text, {local})"));
    let mark = Mark::new("name the tenant", Role::Plumbing);
    builder.statement(mark, connection, &text, Into::Nothing)
}
