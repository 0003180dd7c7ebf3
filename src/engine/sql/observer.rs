//! An observer outside of time: what has been committed and made visible, without a lock, without any effect on
//! the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Time, Type};
use syntax::{Dialect, Statement};

use crate::catalog::{Column, Table};
use crate::error::{Fallible, error, state};
use crate::evaluate::answer;
use crate::plan::{Plan, Root};
use crate::server::{Server, names};
use crate::session::SessionState;
use crate::{Output, Progress, SessionId, SqlError};

/// A query planned once, for as many looks at forks of one server as there may be.
#[derive(Clone, Debug)]
pub struct Look {
    plan: Arc<Plan>,
    /// Of the catalog that it was planned with.
    version: u64,
    session: SessionState,
}

/// A table as far as its rows can be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOutline {
    /// As a query has to name it: with its schema, unless that is `public`.
    pub name: String,
    pub columns: Vec<(String, Type)>,
    /// Places among the columns; empty: it has no primary key.
    pub primary_key: Vec<usize>,
}

impl Server {
    /// The committed tables of a database, by their names. Partitions and tables that inherit are left out: their rows
    /// are their parents', too.
    ///
    /// Refused: 3D000 for an unknown database.
    pub fn tables(&self, database: &str) -> Result<Vec<TableOutline>, SqlError> {
        let database = self.core.catalog.database(database).map_err(|refusal| *refusal)?;
        let mut tables: Vec<TableOutline> = self
            .core
            .catalog
            .tables_of(database, &[])
            .filter(|table| table.parents.is_empty())
            .map(|table| table_outline(table))
            .collect();
        tables.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(tables)
    }

    /// A query's rows as the observer sees them.
    pub fn read(&self, database: &str, sql: &str) -> Result<Output, SqlError> {
        let mut outputs = self.read_all([(database, sql)])?;
        Ok(outputs.pop().unwrap_or_default())
    }

    /// Several queries, each of a database: one look, which costs little more than the first of them.
    pub fn read_all<'a>(&self, queries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<Output>, SqlError> {
        let mut server = self.settled();
        let mut parsed: BTreeMap<&str, Statement> = BTreeMap::new();
        let mut outputs = Vec::new();
        for (database, sql) in queries {
            if !parsed.contains_key(sql) {
                parsed.insert(sql, query(sql)?);
            }
            outputs.push(server.observe(database, &parsed[sql])?);
        }
        Ok(outputs)
    }

    /// A query of a superuser, to look with again and again.
    ///
    /// Refused: 3D000 for an unknown database, and what the query itself is refused for.
    pub fn look(&self, database: &str, sql: &str) -> Result<Look, SqlError> {
        let statement = query(sql)?;
        let database = self.core.catalog.database(database).map_err(|refusal| *refusal)?;
        // Nobody's: numbers of sessions begin with 1.
        let session = SessionState::new(SessionId(0), database, "postgres".into());
        let plan = crate::planning::plan(&statement, names(&self.core, &session)).map_err(|refusal| *refusal)?;
        Ok(Look {
            plan: Arc::new(plan.unwrap_or_else(Plan::nothing)),
            version: self.core.catalog.version(),
            session,
        })
    }

    /// What these looks show now, all at the same instant; `None` if a definition has changed since they were planned.
    pub fn look_with(&self, looks: &[Look]) -> Option<Result<Vec<Output>, SqlError>> {
        let version = self.core.catalog.version();
        if !self.core.catalog.is_settled() || looks.iter().any(|look| look.version != version) {
            return None;
        }
        let mut core = self.core.clone();
        let mut look = |look: &Look| -> Fallible<Output> {
            let Root::Query(query) = &look.plan.root else {
                return Ok(Output::default());
            };
            answer(&look.plan, query, &mut core, &mut look.session.clone(), Vec::new(), &[])
        };
        let outputs: Fallible<Vec<Output>> = looks.iter().map(&mut look).collect();
        Some(outputs.map_err(|refusal| *refusal))
    }

    fn observe(&mut self, database: &str, query: &Statement) -> Result<Output, SqlError> {
        let session = self.connect(database, "postgres", Time::ZERO)?;
        self.start_parsed(session, query, &[], Time::ZERO);
        let result = loop {
            match self.resume(session, Time::ZERO, &mut u64::MAX.clone()) {
                Progress::Done(result) => break result,
                Progress::Flush(lsn) => self.flushed(lsn),
                Progress::Blocked(blocker) => {
                    let message = format!("an observer would wait for {}", blocker.what);
                    break Err(*error(state::LOCK_NOT_AVAILABLE, message));
                }
                Progress::OutOfFuel => {}
            }
        };
        self.disconnect(session, Time::ZERO);
        result
    }
}

fn table_outline(table: &Table) -> TableOutline {
    let name = syntax::identifier(&table.name);
    let live: Vec<(u16, &Column)> = table.live_columns().collect();
    let place = |column: u16| live.iter().position(|(number, _)| *number == column);
    let key = table.primary_key().map(|index| &index.columns[..]).unwrap_or_default();
    TableOutline {
        name: match &*table.schema {
            "public" => name,
            schema => format!("{}.{name}", syntax::identifier(schema)),
        },
        columns: live
            .iter()
            .map(|(_, column)| (column.name.to_string(), column.data_type))
            .collect(),
        primary_key: key.iter().filter_map(|part| place(part.column()?)).collect(),
    }
}

fn query(sql: &str) -> Result<Statement, SqlError> {
    let statement =
        syntax::parse_statement(sql, Dialect::Postgres).map_err(|refusal| *Box::<SqlError>::from(refusal))?;
    match statement {
        Statement::Query(_) => Ok(statement),
        _ => Err(*error(state::FEATURE_NOT_SUPPORTED, "an observer can only run queries")),
    }
}
