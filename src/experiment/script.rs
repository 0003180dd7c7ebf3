//! A design as a script for psql: roles, definitions, initial rows, then requests until each operation has been asked for,
//! as the statements that its programs send, their operands written into them.
//!
//! A real server that runs the script does what the simulated one has done. Behind each statement of an operation the
//! script prints how many rows it was about, so that the two can be compared line by line.

use std::collections::BTreeSet;
use std::sync::Arc;

use program::profile::Profile;
use program::workload::ClientLoop;
use program::{Compilation, Database, Load, Op, OperationId};
use scenario::Diagnostic;
use sim::{Checks, Options, Sent, Simulation};
use syntax::{Dialect, Expr, ExprKind, Span, Statement, identifier, literal, quote_string, visit};

use crate::settings::{problem, settings};
use crate::{Choice, postgres, scale};

/// Initial rows of a table, at most.
const ROWS: u64 = 60;

/// Requests to choose from.
const REQUESTS: u64 = 200;

/// Rows of one INSERT.
const CHUNK: usize = 100;

/// The chosen designs' scripts.
///
/// # Errors
///
/// What is wrong with the scenario or the choice; that a design which is asked for by name has no SQL.
pub fn script(text: &str, choice: &Choice) -> Result<Vec<String>, Vec<Diagnostic>> {
    let parsed = scenario::parse(text);
    let Some(mut scenario) = parsed.scenario else {
        return Err(parsed.diagnostics);
    };
    let settings = settings(&mut scenario, choice)?;
    let (mut scripts, mut without) = (Vec::new(), Vec::new());
    for design in &settings.designs {
        let compilation = design.compile(&scenario, &settings.sabotage);
        match script_of(&compilation, &settings.profile) {
            Ok(script) => scripts.push(script),
            Err(message) => without.push(message),
        }
    }
    // Who asks for all designs wants the scripts that there are.
    if choice.designs.is_empty() && !scripts.is_empty() {
        scripts.extend(without.into_iter().map(|message| format!("-- {message}\n")));
    } else if !without.is_empty() {
        return Err(without.into_iter().map(|message| problem(message, None)).collect());
    }
    Ok(scripts)
}

fn script_of(full: &Compilation, profile: &Profile) -> Result<String, String> {
    if let Some(refusal) = full.refusals.iter().find(|refusal| refusal.operation.is_none()) {
        return Err(format!(
            "{} cannot express the scenario: {}",
            full.title, refusal.reason
        ));
    }
    if !postgres::is_postgres(full) {
        return Err(format!(
            "{} is not made of SQL servers alone: there is no script for psql",
            full.title
        ));
    }
    let mut script = Script {
        compilation: full,
        text: format!(
            "-- {}\n\\set ON_ERROR_STOP on\nSET client_min_messages = warning;\n",
            full.title
        ),
    };
    script.databases(profile)?;
    // An operation may be refused, on the real server as on the simulated one.
    script.put("\\set ON_ERROR_STOP off");
    script.operations(profile)?;
    Ok(script.text)
}

struct Script<'a> {
    compilation: &'a Compilation,
    text: String,
}

impl Script<'_> {
    fn put(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// With one database it is the one that psql is connected to.
    fn has_several(&self) -> bool {
        self.compilation.deployment.databases.len() > 1
    }

    fn connect(&mut self, database: &Database) {
        if self.has_several() {
            self.put(&format!("\\connect {}", identifier(&database.name)));
        }
    }

    fn databases(&mut self, profile: &Profile) -> Result<(), String> {
        let compilation = self.compilation;
        let filled = simulation(compilation, 0, profile)?;
        if self.has_several() {
            for database in &compilation.deployment.databases {
                self.put(&format!("CREATE DATABASE {};", identifier(&database.name)));
            }
        }
        for (index, database) in compilation.deployment.databases.iter().enumerate() {
            self.connect(database);
            for definition in &database.definitions {
                self.put(&format!("{definition};"));
            }
            for population in &compilation.workload.tables {
                let logical = compilation
                    .logical_tables
                    .iter()
                    .find(|table| table.name == population.table);
                let loads = logical.into_iter().flat_map(|table| &table.loads);
                for load in loads {
                    match load {
                        Load::Rows {
                            database,
                            table,
                            share: program::Share::All,
                        } if database.index() == index => {
                            let rows = filled.read_table(&population.table)?;
                            self.rows(table, &rows);
                        }
                        Load::Rows { database, .. } if database.index() == index => {
                            return Err(format!(
                                "{}: there is no script for psql of a table whose rows lie in several databases",
                                compilation.title
                            ));
                        }
                        Load::Rows { .. } | Load::Items { .. } | Load::Objects { .. } => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn rows(&mut self, table: &str, rows: &[base::Row]) {
        for chunk in rows.chunks(CHUNK) {
            self.text.push_str(&postgres::insert(table, chunk));
        }
    }

    /// Requests one after the other, in the roles of their connections, until every operation had its turn.
    fn operations(&mut self, profile: &Profile) -> Result<(), String> {
        let compilation = self.compilation;
        let mut simulation = simulation(compilation, REQUESTS, profile)?;
        simulation.run();
        let mut missing: BTreeSet<OperationId> = (0..compilation.entries.len() as u16)
            .map(OperationId)
            .filter(|id| compilation.entries[id.index()].is_some())
            .collect();
        let mut at = None;
        for sent in simulation.sent() {
            if at != Some((sent.request, sent.pool)) {
                let new = at.is_none_or(|(request, _)| request != sent.request);
                if new && missing.is_empty() {
                    break;
                }
                let pool = &compilation.deployment.pools[sent.pool.index()];
                self.connect(&compilation.deployment.databases[pool.database.index()]);
                let role = quote_string(&pool.role);
                self.put(&format!("SET SESSION AUTHORIZATION {role};"));
                at = Some((sent.request, sent.pool));
            }
            let operation = compilation.programs[sent.program.index()].operation;
            if let Some(id) = operation {
                missing.remove(&id);
            }
            self.statement(sent)?;
        }
        self.put("RESET SESSION AUTHORIZATION;");
        Ok(())
    }

    fn statement(&mut self, sent: &Sent) -> Result<(), String> {
        let program = &self.compilation.programs[sent.program.index()];
        let step = program.step(sent.step);
        let sql = with_literals(sent)?;
        self.put(&format!("{sql};"));
        if matches!(step.op, Op::Statement { .. }) && !is_control(&sql) {
            let label = quote_string(&format!("{} | {}", program.name, step.label));
            self.put(&format!("\\echo {label} :ROW_COUNT"));
        }
        Ok(())
    }
}

fn is_control(sql: &str) -> bool {
    matches!(
        syntax::parse_statement(sql, Dialect::Postgres),
        Ok(Statement::Begin { .. } | Statement::Commit { .. } | Statement::Rollback { .. })
    )
}

/// The statement with its operands in the place of `$n`.
pub(crate) fn with_literals(sent: &Sent) -> Result<String, String> {
    let refused = |error: syntax::SyntaxError| format!("{}: {}", sent.sql, error.message);
    let mut statement = syntax::parse_statement(&sent.sql, Dialect::Postgres).map_err(refused)?;
    let mut wrong = None;
    visit::exprs_mut(&mut statement, &mut |expr| {
        if let ExprKind::Parameter(number) = expr.kind {
            match operand(sent, number) {
                Ok(value) => *expr = value,
                Err(message) => wrong = Some(message),
            }
        }
    });
    match wrong {
        Some(message) => Err(message),
        None => Ok(syntax::print(&statement)),
    }
}

fn operand(sent: &Sent, number: u32) -> Result<Expr, String> {
    let value = number.checked_sub(1).and_then(|at| sent.operands.get(at as usize));
    let value = value.ok_or_else(|| format!("{}: nothing for ${number}", sent.sql))?;
    let parsed = syntax::parse_expression(&literal(value), Dialect::Postgres);
    let parsed = parsed.map_err(|error| error.message)?;
    Ok(Expr::new(parsed.kind, Span::default()))
}

/// A small population and so many requests, every operation as likely as any other.
fn simulation(full: &Compilation, requests: u64, profile: &Profile) -> Result<Simulation, String> {
    let mut workload = scale::scaled(&full.workload, ROWS);
    for (load, entry) in workload.operations.iter_mut().zip(&full.entries) {
        load.weight = u32::from(entry.is_some());
    }
    workload.clients = ClientLoop::Serial;
    workload.requests = requests;
    let compilation = Arc::new(Compilation {
        workload,
        ..full.clone()
    });
    let options = Options {
        checks: Checks::Never,
        statements: true,
        ..Options::of(&compilation)
    };
    Simulation::new(compilation, profile, Vec::new(), options).map_err(|error| error.to_string())
}
