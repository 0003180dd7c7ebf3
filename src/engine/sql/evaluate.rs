//! A query over row sets that are no tables: the join that a service makes in its own memory. The same
//! binder, planner and operators; no server, no versions, no locks.

use std::sync::Arc;

use base::{Row, Time, Type, Value};
use syntax::{Dialect, Statement};

use crate::bind::Names;
use crate::catalog::{Access, Acl, Catalog, Column, RowSecurity, Table};
use crate::error::{error, state};
use crate::exec::{Context, Run, State, Step, bind_parameters, next};
use crate::plan::Root;
use crate::row::Layout;
use crate::server::{Server, ServerConfig};
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

/// Evaluates a query over row sets. Counted are the rows read and returned.
pub fn evaluate(tables: &[EphemeralTable<'_>], sql: &str, parameters: &[Value]) -> Result<(Output, Usage), SqlError> {
    let statement =
        syntax::parse_statement(sql, Dialect::Postgres).map_err(|refusal| *Box::<SqlError>::from(refusal))?;
    evaluate_parsed(tables, &statement, parameters)
}

/// The same for a query that has been parsed.
pub fn evaluate_parsed(
    tables: &[EphemeralTable<'_>],
    statement: &Statement,
    parameters: &[Value],
) -> Result<(Output, Usage), SqlError> {
    if !matches!(statement, Statement::Query(_)) {
        let message = "only a query can be evaluated over row sets";
        return Err(*error(state::FEATURE_NOT_SUPPORTED, message));
    }
    let mut server = Server::new(ServerConfig::default());
    let catalog = ephemeral_catalog(tables);
    let database = DATABASE;
    let mut session = SessionState::new(SessionId(0), database, "postgres".into());
    let role: Arc<str> = "postgres".into();
    let names = Names {
        catalog: &catalog,
        own: &[],
        database,
        search_path: &["public".into()],
        role: &role,
        row_security: true,
    };
    let plan = crate::planning::plan(statement, names).map_err(|refusal| *refusal)?;
    let Some(plan) = plan else {
        return Ok(Default::default());
    };
    let Root::Query(query) = &plan.root else {
        return Ok(Default::default());
    };
    let now = server.core.timestamp(Time::ZERO);
    let params = bind_parameters(&plan, parameters.to_vec(), now).map_err(|refusal| *refusal)?;
    let snapshot = server.core.storage.snapshot(session.id, None, CommandId::FIRST);
    let mut run = Run::new(&plan, params, snapshot);
    let mut cx = Context {
        core: &mut server.core,
        session: &mut session,
        plan: &plan,
        run: &mut run,
        fuel: &mut u64::MAX.clone(),
        now: Time::ZERO,
        ephemeral: tables,
    };
    let mut state = State::new(&query.node);
    let mut rows: Vec<Row> = Vec::new();
    while next(&query.node, &mut state, &mut cx).map_err(|refusal| *refusal)? == Step::Row {
        rows.push(
            query
                .output
                .iter()
                .map(|slot| cx.run.frame[*slot as usize].clone())
                .collect(),
        );
    }
    let usage = Usage {
        rows_returned: rows.len() as u64,
        ..session.usage
    };
    let output = Output {
        tag: Tag {
            verb: "SELECT",
            rows: Some(rows.len() as u64),
        },
        columns: plan.columns.clone(),
        rows,
        notices: Vec::new(),
    };
    Ok((output, usage))
}

const DATABASE: DatabaseId = DatabaseId(0);

/// Tables without indexes; the heap's number is the place in the list.
fn ephemeral_catalog(tables: &[EphemeralTable<'_>]) -> Catalog {
    let mut catalog = Catalog::new();
    for (at, table) in tables.iter().enumerate() {
        let (schema, name) = table.name.split_once('.').unwrap_or(("public", table.name));
        let columns = table.columns.iter().map(|(name, data_type)| Column {
            name: name.as_str().into(),
            data_type: *data_type,
            not_null: false,
            default: None,
            dropped: false,
            missing: Value::Null,
            acl: Acl::default(),
            sequence: None,
        });
        let id = RelationId(at as u32);
        catalog.create_table(
            Table {
                id,
                heap: id,
                database: DATABASE,
                schema: schema.into(),
                name: name.into(),
                columns: columns.collect(),
                indexes: Vec::new(),
                checks: Vec::new(),
                foreign_keys: Vec::new(),
                layout: Arc::new(Layout::default()),
                access: Access::owned_by("postgres".into()),
                row_security: RowSecurity::default(),
            },
            Xid::FROZEN,
        );
    }
    catalog.commit(&[Xid::FROZEN]);
    catalog
}
