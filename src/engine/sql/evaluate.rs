//! A query over row sets that are no tables: the join that a service makes in its own memory. The same
//! binder, planner and operators; no server, no versions, no locks.

use std::sync::Arc;

use base::{Row, Time, Type, Value};
use syntax::{Dialect, Statement};

use crate::bind::Names;
use crate::catalog::{Access, Catalog, Table};
use crate::error::{Fallible, error, state, unsupported};
use crate::exec::{Context, Run, State, Step, bind_parameters, next};
use crate::plan::{Plan, QueryPlan, Root};
use crate::server::{Core, Server, ServerConfig};
use crate::session::SessionState;
use crate::storage::{CommandId, DatabaseId, RelationId, Xid};
use crate::{Output, SessionId, SqlError, Tag, Usage};

/// A named row set. The name may have a schema: `auth.users`.
#[derive(Clone, Copy, Debug)]
pub struct EphemeralTable<'a> {
    pub name: &'a str,
    pub columns: &'a [(String, Type)],
    pub rows: &'a [Row],
}

/// Evaluates a query over row sets, once. Counted are the rows read and returned.
pub fn evaluate(tables: &[EphemeralTable<'_>], sql: &str, parameters: &[Value]) -> Result<(Output, Usage), SqlError> {
    let named = tables.iter().map(|table| (table.name, table.columns));
    let evaluation = Evaluation::new(named, sql)?;
    let rows: Vec<&[Row]> = tables.iter().map(|table| table.rows).collect();
    evaluation.run(&rows, parameters.to_vec())
}

/// A query over row sets, planned once for as many evaluations as there may be.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Of a query: anything else is refused.
    plan: Arc<Plan>,
    /// Empty but for what every server has; each evaluation works on a copy.
    core: Core,
    session: SessionState,
}

impl Evaluation {
    /// Over tables with these names and columns.
    pub fn new<'a>(
        tables: impl Iterator<Item = (&'a str, &'a [(String, Type)])>,
        sql: &str,
    ) -> Result<Evaluation, SqlError> {
        let statement =
            syntax::parse_statement(sql, Dialect::Postgres).map_err(|refusal| *Box::<SqlError>::from(refusal))?;
        let not_a_query = || {
            let message = "only a query can be evaluated over row sets";
            *error(state::FEATURE_NOT_SUPPORTED, message)
        };
        if !matches!(statement, Statement::Query(_)) {
            return Err(not_a_query());
        }
        let catalog = ephemeral_catalog(tables);
        let role: Arc<str> = "postgres".into();
        let names = Names {
            catalog: &catalog,
            own: &[],
            database: DATABASE,
            search_path: &["public".into()],
            role: &role,
            row_security: true,
        };
        let plan = crate::planning::plan(&statement, names).map_err(|refusal| *refusal)?;
        if plan
            .iter()
            .flat_map(|plan| &plan.tables)
            .any(|range| !range.system.is_empty())
        {
            return Err(*unsupported("a system column of a set of rows"));
        }
        Ok(Evaluation {
            plan: Arc::new(plan.ok_or_else(not_a_query)?),
            core: Server::new(ServerConfig::default()).core,
            session: SessionState::new(SessionId(0), DATABASE, role),
        })
    }

    /// With these rows of its tables, in their order. Counted are the rows read and returned.
    pub fn run(&self, rows: &[&[Row]], parameters: Vec<Value>) -> Result<(Output, Usage), SqlError> {
        self.rows_of(rows, parameters).map_err(|refusal| *refusal)
    }

    fn rows_of(&self, ephemeral: &[&[Row]], parameters: Vec<Value>) -> Fallible<(Output, Usage)> {
        let plan = &*self.plan;
        let Root::Query(query) = &plan.root else {
            return Ok(Default::default());
        };
        let (mut core, mut session) = (self.core.clone(), self.session.clone());
        let output = answer(plan, query, &mut core, &mut session, parameters, ephemeral)?;
        let usage = Usage {
            rows_returned: output.rows.len() as u64,
            ..session.usage
        };
        Ok((output, usage))
    }
}

/// Runs a query's plan to its end, outside of any transaction: it sees what is committed, waits for nobody, locks nothing.
pub(crate) fn answer(
    plan: &Plan,
    query: &QueryPlan,
    core: &mut Core,
    session: &mut SessionState,
    parameters: Vec<Value>,
    ephemeral: &[&[Row]],
) -> Fallible<Output> {
    let params = bind_parameters(plan, parameters, core.timestamp(Time::ZERO))?;
    let snapshot = core.storage.snapshot(session.id, None, CommandId::FIRST);
    let mut run = Run::new(plan, params, snapshot);
    let mut cx = Context {
        core,
        session,
        plan,
        run: &mut run,
        fuel: &mut u64::MAX.clone(),
        now: Time::ZERO,
        ephemeral,
    };
    let mut state = State::new(&query.node);
    let mut rows: Vec<Row> = Vec::new();
    while next(&query.node, &mut state, &mut cx)? == Step::Row {
        let slots = query.output.iter();
        rows.push(slots.map(|slot| cx.run.frame[*slot as usize].clone()).collect());
    }
    Ok(Output {
        tag: Tag {
            verb: "SELECT",
            rows: Some(rows.len() as u64),
        },
        columns: plan.columns.clone(),
        rows,
        notices: Vec::new(),
    })
}

const DATABASE: DatabaseId = DatabaseId(0);

/// Tables without indexes; the heap's number is the place in the list.
fn ephemeral_catalog<'a>(tables: impl Iterator<Item = (&'a str, &'a [(String, Type)])>) -> Catalog {
    let mut catalog = Catalog::new();
    for (at, (name, columns)) in tables.enumerate() {
        let (schema, name) = name.split_once('.').unwrap_or(("public", name));
        let columns = columns.iter().map(|(name, data_type)| (name.as_str(), *data_type));
        let id = RelationId(at as u32);
        let access = Access::owned_by("postgres".into());
        catalog.create_table(
            Table::without_rules(id, DATABASE, (schema, name), columns, access),
            Xid::FROZEN,
        );
    }
    catalog.commit(&[Xid::FROZEN]);
    catalog
}
