//! What requests of a run sent to PostgreSQL, made into something that a real one can be asked in a page.
//!
//! ```text
//! compilation ─▶ simulation ─┬─ its servers before the first request ─▶ parts: roles, definitions, initial rows
//!                            │                                   └─────▶ a copy, asked the same ─▶ our answers
//!                            └─ what the chosen requests sent ─────────▶ sessions, one for each database
//! ```
//!
//! The answers are our engine's to the same texts, so that both engines are asked the same.

use std::collections::VecDeque;
use std::sync::Arc;

use base::{Row, Time};
use engine_sql::{Output, Progress as Going, Server, SessionId, SqlError};
use program::profile::Profile;
use program::{Compilation, Database, DatabaseId, Load, RequestId, SqlAnswer};
use report::{PostgresScript, ScriptDatabase, ScriptPart, ScriptStatement};
use scenario::Diagnostic;
use sim::{Checks, Options, Sent, Simulation};
use syntax::{Dialect, Statement, literal, quote_string};

use crate::job::{Job, Progress};
use crate::probe::ProbeJob;
use crate::script::with_literals;
use crate::settings::{Choice, problem};

/// Rows of one INSERT.
const CHUNK: usize = 250;

/// A part is finished when it is as long as this, in bytes: a page that passes it on is not held up.
const PART: usize = 128 * 1024;

/// Requests of one compilation, to be asked again.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its workload is what they were asked in: a simulation of it issues them again.
    pub(crate) compilation: Arc<Compilation>,
    /// In the order of their statements.
    pub(crate) requests: Vec<RequestId>,
    pub(crate) tenant_column: Option<String>,
}

/// Can a real PostgreSQL be asked what this design's programs ask?
pub(crate) fn is_postgres(compilation: &Compilation) -> bool {
    let deployment = &compilation.deployment;
    !deployment.databases.is_empty() && deployment.item_tables.is_empty() && deployment.buckets.is_empty()
}

/// Makes the script, stepped by its caller, who takes the parts meanwhile.
#[derive(Debug)]
pub struct PostgresJob {
    profile: Profile,
    asked: Asked,
    stage: Stage,
    parts: VecDeque<ScriptPart>,
}

#[derive(Debug)]
enum Stage {
    Simulate,
    Fill {
        script: PostgresScript,
        rows: VecDeque<(usize, Rows)>,
        all: u64,
        done: u64,
    },
    Over,
}

/// A table with its initial rows.
#[derive(Debug)]
struct Rows {
    table: String,
    rows: Vec<Row>,
}

impl PostgresJob {
    fn new(asked: Asked, profile: &Profile) -> PostgresJob {
        PostgresJob {
            profile: profile.clone(),
            asked,
            stage: Stage::Simulate,
            parts: VecDeque::new(),
        }
    }

    /// What is behind the cell of a probe, on the one design that is chosen.
    ///
    /// # Errors
    ///
    /// What is wrong with the scenario or the choice; a probe without meaning on this design; a design without SQL.
    pub fn of_probe(slug: &str, text: &str, choice: &Choice, probe: &str) -> Result<PostgresJob, Vec<Diagnostic>> {
        let probes = ProbeJob::new(slug, text, choice)?;
        let refused = |message: String| vec![problem(message, None)];
        let [design] = &probes.settings().designs[..] else {
            return Err(refused("a script is made for one design".to_owned()));
        };
        let asked = probes.asked(probe, design).map_err(refused)?;
        if !is_postgres(&asked.compilation) {
            return Err(refused(format!(
                "{} is not made of PostgreSQL alone",
                asked.compilation.title
            )));
        }
        Ok(PostgresJob::new(asked, &probes.settings().profile))
    }

    /// What has to be executed before the sessions, in this order, as far as it has been made.
    pub fn take_part(&mut self) -> Option<ScriptPart> {
        self.parts.pop_front()
    }

    fn simulate(&mut self) -> Result<Stage, String> {
        let compilation = &self.asked.compilation;
        let options = Options {
            checks: Checks::Never,
            statements: true,
            ..Options::of(compilation)
        };
        let start = Simulation::new(Arc::clone(compilation), &self.profile, Vec::new(), options);
        let start = start.map_err(|error| error.to_string())?;
        let mut run = start.clone();
        run.run();
        let mut used: Vec<(DatabaseId, Vec<&Sent>)> = Vec::new();
        for request in &self.asked.requests {
            for sent in run.sent().iter().filter(|sent| sent.request == Some(*request)) {
                let database = compilation.deployment.pools[sent.pool.index()].database;
                match used.iter_mut().find(|(known, _)| *known == database) {
                    Some((_, session)) => session.push(sent),
                    None => used.push((database, vec![sent])),
                }
            }
        }
        let mut script = PostgresScript {
            tenant_column: self.asked.tenant_column.clone(),
            databases: Vec::new(),
        };
        let mut rows = VecDeque::new();
        for (index, (id, sent)) in used.into_iter().enumerate() {
            let database = &compilation.deployment.databases[id.index()];
            let server = start.server(database.node);
            let server = server.ok_or_else(|| format!("{} has no server", database.name))?;
            self.parts.push_back(ScriptPart {
                database: index,
                sql: definitions(compilation, id),
                rows: 0,
            });
            let tables = tables(compilation, id, server)?;
            let initial_rows = tables.iter().map(|table| table.rows.len() as u64).sum();
            rows.extend(tables.into_iter().map(|table| (index, table)));
            script.databases.push(ScriptDatabase {
                name: database.name.clone(),
                initial_rows,
                session: session(compilation, server, database, &sent)?,
            });
        }
        let all = script.databases.iter().map(|database| database.initial_rows).sum();
        Ok(Stage::Fill {
            script,
            rows,
            all,
            done: 0,
        })
    }
}

impl Job for PostgresJob {
    type Report = PostgresScript;

    fn step(&mut self, _: u64) -> Progress<PostgresScript> {
        const WHAT: &str = "the script for PostgreSQL";
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Simulate => match self.simulate() {
                Ok(stage) => self.stage = stage,
                Err(message) => return Progress::Failed(vec![problem(message, None)]),
            },
            Stage::Fill {
                script,
                mut rows,
                all,
                done,
            } => {
                let Some((database, table)) = rows.front_mut() else {
                    return Progress::Finished(Box::new(script));
                };
                let part = table.part(*database);
                if table.rows.is_empty() {
                    rows.pop_front();
                }
                let done = done + part.rows;
                self.parts.push_back(part);
                self.stage = Stage::Fill {
                    script,
                    rows,
                    all,
                    done,
                };
                return Progress::Running {
                    done,
                    of: all,
                    what: WHAT.to_owned(),
                };
            }
            Stage::Over => {}
        }
        Progress::Running {
            done: 0,
            of: 0,
            what: WHAT.to_owned(),
        }
    }
}

impl Rows {
    /// Some of them as INSERTs; those go.
    fn part(&mut self, database: usize) -> ScriptPart {
        let (mut sql, mut rows) = (String::new(), 0);
        while !self.rows.is_empty() && sql.len() < PART {
            let rest = self.rows.split_off(self.rows.len().min(CHUNK));
            let chunk = std::mem::replace(&mut self.rows, rest);
            sql.push_str(&insert(&self.table, &chunk));
            rows += chunk.len() as u64;
        }
        ScriptPart { database, sql, rows }
    }
}

pub(crate) fn insert(table: &str, rows: &[Row]) -> String {
    let values: Vec<String> = rows
        .iter()
        .map(|row| format!("({})", row.iter().map(literal).collect::<Vec<_>>().join(", ")))
        .collect();
    format!("INSERT INTO {table} VALUES\n  {};\n", values.join(",\n  "))
}

/// Roles belong to the server: those that other databases of it define come first.
fn definitions(compilation: &Compilation, id: DatabaseId) -> String {
    let databases = &compilation.deployment.databases;
    let database = &databases[id.index()];
    let mut chain = vec![id];
    while let Some(template) = databases[chain[chain.len() - 1].index()].template {
        chain.push(template);
    }
    let elsewhere = databases
        .iter()
        .enumerate()
        .filter(|(index, other)| other.node == database.node && chain.iter().all(|id| id.index() != *index));
    let roles = elsewhere
        .flat_map(|(_, other)| &other.definitions)
        .filter(|definition| {
            matches!(
                syntax::parse_statement(definition, Dialect::Postgres),
                Ok(Statement::CreateRole { .. })
            )
        });
    let own = chain.iter().rev().flat_map(|id| &databases[id.index()].definitions);
    roles.chain(own).map(|definition| format!("{definition};\n")).collect()
}

/// The tables of a database that have initial rows, those first that others refer to.
fn tables(compilation: &Compilation, id: DatabaseId, server: &Server) -> Result<Vec<Rows>, String> {
    let database = &compilation.deployment.databases[id.index()];
    let mut tables = Vec::new();
    for population in &compilation.workload.tables {
        let logical = compilation
            .logical_tables
            .iter()
            .find(|table| table.name == population.table);
        for load in logical.into_iter().flat_map(|table| &table.loads) {
            match load {
                Load::Rows {
                    database: at, table, ..
                } if *at == id => {
                    let output = server.read(&database.name, &format!("SELECT * FROM {table}"));
                    let output = output.map_err(|error| format!("{table}: {}", error.message))?;
                    tables.push(Rows {
                        table: table.clone(),
                        rows: output.rows,
                    });
                }
                Load::Rows { .. } | Load::Items { .. } | Load::Objects { .. } => {}
            }
        }
    }
    tables.retain(|table| !table.rows.is_empty());
    Ok(tables)
}

/// The statements with what our engine answers to them, on a copy of the server as it was before.
fn session(
    compilation: &Compilation,
    server: &Server,
    database: &Database,
    sent: &[&Sent],
) -> Result<Vec<ScriptStatement>, String> {
    let mut server = server.clone();
    let connected = server.connect(&database.name, "postgres", Time::ZERO);
    let id = connected.map_err(|error| error.message)?;
    let mut statements = Vec::new();
    let mut role = None;
    for sent in sent {
        let pool = &compilation.deployment.pools[sent.pool.index()];
        if role != Some(&pool.role) {
            role = Some(&pool.role);
            let sql = format!("SET SESSION AUTHORIZATION {}", quote_string(&pool.role));
            statements.push(asked(&mut server, id, sql)?);
        }
        statements.push(asked(&mut server, id, with_literals(sent)?)?);
    }
    Ok(statements)
}

fn asked(server: &mut Server, session: SessionId, sql: String) -> Result<ScriptStatement, String> {
    let parsed = syntax::parse_statement(&sql, Dialect::Postgres);
    let parsed = parsed.map_err(|error| format!("{sql}: {}", error.message))?;
    server.start_parsed(session, &parsed, &[], Time::ZERO);
    let result = loop {
        match server.resume(session, Time::ZERO, &mut u64::MAX.clone()) {
            Going::Done(result) => break result,
            Going::Flush(lsn) => server.flushed(lsn),
            Going::OutOfFuel => {}
            Going::Blocked(blocker) => return Err(format!("{sql} would wait for {}", blocker.what)),
        }
    };
    Ok(ScriptStatement {
        sql,
        answer: answer(result),
    })
}

fn answer(result: Result<Output, SqlError>) -> SqlAnswer {
    let text = |value: &base::Value| (!value.is_null()).then(|| value.to_string());
    match result {
        Ok(output) if output.columns.is_empty() => SqlAnswer::Done {
            rows: output.tag.rows.unwrap_or(0),
        },
        Ok(output) => SqlAnswer::Rows {
            columns: output.columns.iter().map(|column| column.name.to_string()).collect(),
            rows: output.rows.iter().map(|row| row.iter().map(text).collect()).collect(),
        },
        Err(error) => SqlAnswer::Refused {
            sqlstate: error.sqlstate.to_owned(),
            message: error.message,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use report::Evidence;

    use super::*;
    use crate::library;

    /// A probe of the sign-up scenario on a design, as a script with its parts.
    fn scripted(design: &str, probe: &str) -> (PostgresScript, Vec<ScriptPart>) {
        let mut job = PostgresJob::of_probe("sign-up", text(), &choice(design), probe).expect("a probe");
        let mut parts = Vec::new();
        loop {
            let progress = job.step(1);
            parts.extend(std::iter::from_fn(|| job.take_part()));
            match progress {
                Progress::Running { .. } => {}
                Progress::Finished(script) => return (*script, parts),
                Progress::Failed(problems) => panic!("{problems:?}"),
            }
        }
    }

    fn text() -> &'static str {
        library::scenario("sign-up").expect("built in").text
    }

    fn choice(design: &str) -> Choice {
        Choice {
            designs: vec![design.to_owned()],
            ..Choice::default()
        }
    }

    /// Rows by tenant, as the probe's evidence has them.
    fn counted(design: &str, probe: &str) -> BTreeMap<String, u64> {
        let mut job = ProbeJob::new("sign-up", text(), &choice(design)).expect("a probe");
        let report = loop {
            match job.step(1) {
                Progress::Running { .. } => {}
                Progress::Finished(report) => break report,
                Progress::Failed(problems) => panic!("{problems:?}"),
            }
        };
        let probe = report
            .probes
            .iter()
            .find(|found| found.slug == probe)
            .expect("the probe");
        let evidence = &probe.designs[0].cell.evidence;
        assert!(
            evidence
                .iter()
                .any(|evidence| matches!(evidence, Evidence::OnPostgres { .. }))
        );
        let counts = evidence.iter().find_map(|evidence| match evidence {
            Evidence::ByTenant { counts, .. } => Some(counts.iter().cloned().collect()),
            _ => None,
        });
        counts.unwrap_or_default()
    }

    #[test]
    fn what_the_parts_make_gives_the_same_answers_again_and_those_of_the_probe() {
        for (design, probe) in [
            ("schemas-in-one-database", "forgotten-filter"),
            ("shared-tables-with-row-level-security", "reused-connection"),
            ("shared-tables-with-row-level-security", "runs-as-owner"),
            ("database-per-tenant", "forgotten-filter"),
            ("database-per-service", "forgotten-filter"),
        ] {
            let (script, parts) = scripted(design, probe);
            let column = script.tenant_column.as_deref().expect("tenants have a column");
            let mut by_tenant = BTreeMap::new();
            for (index, database) in script.databases.iter().enumerate() {
                let mut server = Server::new(engine_sql::ServerConfig::default());
                let parts = || parts.iter().filter(|part| part.database == index);
                assert_eq!(
                    parts().map(|part| part.rows).sum::<u64>(),
                    database.initial_rows,
                    "{design}"
                );
                for part in parts() {
                    server.run_script("postgres", &part.sql).expect("it loads");
                }
                let session = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
                for statement in &database.session {
                    let again = asked(&mut server, session, statement.sql.clone()).expect("it runs");
                    assert!(
                        again.answer.agrees_with(&statement.answer),
                        "{design}: {again:?} {statement:?}"
                    );
                }
                let last = database
                    .session
                    .iter()
                    .rev()
                    .map(|statement| statement.answer.by(column));
                by_tenant.extend(last.into_iter().find(|counts| !counts.is_empty()).unwrap_or_default());
            }
            // Rows of several databases are joined by the application, which is not asked here.
            if script.databases.len() == 1 {
                assert_eq!(by_tenant, counted(design, probe), "{design}: {probe}");
            }
        }
    }

    #[test]
    fn a_design_without_sql_and_a_probe_without_meaning_are_refused() {
        for (design, probe) in [
            ("dynamodb-single-table", "forgotten-filter"),
            ("schemas-in-one-database", "no-such-probe"),
        ] {
            assert!(
                PostgresJob::of_probe("sign-up", text(), &choice(design), probe).is_err(),
                "{design}"
            );
        }
    }
}
