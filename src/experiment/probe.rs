//! Probes of tenant isolation: what happens when the application makes a mistake.
//!
//! **The forgotten filter.** A query of the scenario loses the predicate on the tenant's column, and asks whose each
//! row is that comes back. It is compiled by each design as any other operation of this tenant, and run: nothing here
//! knows what would stop it. The rows are counted by tenant.
//!
//! ```text
//! SELECT … WHERE u.tenant_id = :tenant GROUP BY …   ─▶   SELECT u.tenant_id, u.id … (the filter is gone)
//!                                                        ─▶ every design ─▶ one request of one tenant ─▶ rows by tenant
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Row, Type, Value};
use program::workload::{ClientLoop, Generator};
use program::{Compilation, ErrorClass, Event, EventKind, Op, OperationId, Outcome, RequestId};
use report::{
    Cell, Evidence, Figure, ProbeDesign, ProbeReport, Provenance, ScenarioSummary, TableSample, Unit, Verdict,
};
use scenario::{Action, Diagnostic, Operation, Scenario, Schema, Table};
use sim::{Checks, Options, Record, Simulation};
use syntax::{BinaryOperator, Distinct, Expr, ExprKind, Name, QueryBody, Select, SelectItem, Span, TableRef};

use crate::job::{Job, Progress};
use crate::settings::{Choice, Settings, problem, settings};
use crate::summary;

/// The request that is looked at; the one before it opens connections.
const REQUEST: RequestId = RequestId(1);

/// Rows of others that a report carries.
const EVIDENCE_ROWS: usize = 12;

/// The forgotten filter on every design, stepped by its caller.
#[derive(Debug)]
pub struct ProbeJob {
    summary: ScenarioSummary,
    settings: Settings,
    /// With the probe as its last operation.
    scenario: Scenario,
    /// Which operation and statement it was made of, and its text.
    source: String,
    statement: String,
    columns: Vec<String>,
    design: usize,
    reports: Vec<ProbeDesign>,
}

impl ProbeJob {
    /// # Errors
    ///
    /// What is wrong with the scenario or the choice; a scenario without tenants, or without a query that filters by
    /// them.
    pub fn new(slug: &str, text: &str, choice: &Choice) -> Result<ProbeJob, Vec<Diagnostic>> {
        let parsed = scenario::parse(text);
        let Some(mut scenario) = parsed.scenario else {
            return Err(parsed.diagnostics);
        };
        let settings = settings(&mut scenario, choice)?;
        let summary = summary::of(slug, &scenario, &settings);
        let Some(forgotten) = forgotten_filter(&scenario) else {
            let message = "no query here filters by tenant: there is no filter to forget".to_owned();
            let hint = "tenant_column = \"…\", and an operation with WHERE <that column> = :tenant".to_owned();
            return Err(vec![problem(message, Some(hint))]);
        };
        scenario.operations.push(forgotten.operation);
        Ok(ProbeJob {
            summary,
            settings,
            scenario,
            source: forgotten.source,
            statement: forgotten.statement,
            columns: forgotten.columns,
            design: 0,
            reports: Vec::new(),
        })
    }

    fn probe(&self, design: &architecture::Design) -> Result<ProbeDesign, String> {
        let full = design.compile(&self.scenario, &self.settings.sabotage);
        let (title, architecture) = (full.title.clone(), full.architecture.clone());
        let operation = OperationId(full.workload.operations.len().saturating_sub(1) as u16);
        let cell = if full.entries.get(operation.index()).copied().flatten().is_none() {
            let refusal = full
                .refusals
                .iter()
                .find(|refusal| refusal.operation.is_none_or(|of| of == operation));
            not_expressible(refusal.map_or("cannot be expressed", |refusal| &refusal.reason))
        } else {
            self.run(full, operation)?
        };
        Ok(ProbeDesign {
            architecture,
            title,
            cell,
        })
    }

    fn run(&self, full: Compilation, operation: OperationId) -> Result<Cell, String> {
        let compilation = Arc::new(alone(full, operation));
        let options = Options {
            record: Record::Everything,
            checks: Checks::Never,
            keep_answers: true,
            ..Options::of(&compilation)
        };
        let simulation = Simulation::new(Arc::clone(&compilation), &self.settings.profile, Vec::new(), options);
        let mut simulation = simulation.map_err(|error| error.to_string())?;
        simulation.run();
        let sent = sent(&compilation, simulation.recorded());
        match simulation.answer(REQUEST) {
            Some(answer) => Ok(self.counted(&compilation, answer, sent)),
            None => Ok(refused(simulation.recorded(), sent)),
        }
    }

    fn counted(&self, compilation: &Compilation, answer: &[Arc<[Row]>], mut evidence: Vec<Evidence>) -> Cell {
        let own = compilation.workload.tenants.first().map_or(0, |tenant| tenant.id);
        let rows: Vec<&Row> = answer.iter().flat_map(|rows| rows.iter()).collect();
        let of = |row: &Row| row.first().and_then(Value::as_i64);
        let is_foreign = |row: &&Row| of(row) != Some(i64::from(own));
        let mut counts: BTreeMap<Option<i64>, u64> = BTreeMap::new();
        for row in &rows {
            *counts.entry(of(row)).or_default() += 1;
        }
        let foreign: Vec<&Row> = rows.iter().copied().filter(|row| is_foreign(row)).collect();
        let others = counts.keys().filter(|tenant| **tenant != Some(i64::from(own))).count();
        let name = |tenant: Option<i64>| tenant.map_or_else(|| "nobody".to_owned(), |tenant| tenant.to_string());
        evidence.push(Evidence::ByTenant {
            own: own.to_string(),
            counts: counts
                .into_iter()
                .map(|(tenant, count)| (name(tenant), count))
                .collect(),
        });
        let shown = rows.iter().copied().filter(|row| !is_foreign(row)).take(2);
        let shown: Vec<&Row> = shown.chain(foreign.iter().copied()).take(EVIDENCE_ROWS).collect();
        evidence.push(Evidence::Rows {
            foreign: shown.iter().map(is_foreign).collect(),
            rows: TableSample {
                columns: self.columns.clone(),
                rows: shown
                    .iter()
                    .map(|row| row.iter().map(ToString::to_string).collect())
                    .collect(),
                total: rows.len() as u64,
            },
        });
        let (verdict, words) = match (foreign.len(), others) {
            (0, _) if rows.is_empty() => (Verdict::NotTested, "no row came back at all".to_owned()),
            (0, _) => (
                Verdict::NoneFound,
                format!("{} rows, all of the one who asked", rows.len()),
            ),
            (_, 1) => (Verdict::Leaked, "of another tenant".to_owned()),
            (_, others) => (Verdict::Leaked, format!("of {others} other tenants")),
        };
        Cell {
            verdict,
            figure: Some(Figure {
                value: foreign.len() as f64,
                band: None,
                of: Some(rows.len() as f64),
                unit: Unit::Rows,
            }),
            words,
            provenance: Some(Provenance::Counted),
            evidence,
        }
    }
}

/// The probe's operation alone, asked for twice by one tenant: the first of the list.
fn alone(full: Compilation, operation: OperationId) -> Compilation {
    let mut compilation = full;
    let own = compilation.workload.tenants.first().map(|tenant| tenant.id);
    for (index, load) in compilation.workload.operations.iter_mut().enumerate() {
        load.weight = u32::from(index == operation.index());
        for (_, data_type, generator) in &mut load.parameters {
            if let (Generator::Tenant, Some(own)) = (&*generator, own) {
                *generator = Generator::Constant(match data_type {
                    Type::Int8 => Value::Int8(i64::from(own)),
                    _ => Value::Int4(own),
                });
            }
        }
    }
    compilation.workload.clients = ClientLoop::Serial;
    compilation.workload.requests = REQUEST.0 + 1;
    compilation
}

/// What the request really sent, and where.
fn sent(compilation: &Compilation, events: &[Event]) -> Vec<Evidence> {
    let mut found: Vec<Evidence> = Vec::new();
    for event in events.iter().filter(|event| event.request == Some(REQUEST)) {
        let EventKind::StepStarted { activation, step } = event.kind else {
            continue;
        };
        let program = &compilation.programs[activation.program.index()];
        if let Op::Statement { sql, .. } = &program.step(step).op {
            let statement = Evidence::Statement {
                at: program.name.clone(),
                text: sql.clone(),
            };
            if !found.contains(&statement) {
                found.push(statement);
            }
        }
    }
    found
}

/// An engine's refusal has a code. Any other failure says nothing about whose rows there are.
fn refused(events: &[Event], evidence: Vec<Evidence>) -> Cell {
    let heard = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::RequestAnswered {
            outcome: Outcome::Failed(error),
            ..
        } => Some((
            error.class == ErrorClass::Refused && error.code.is_some(),
            &error.message,
        )),
        _ => None,
    });
    let stopped = heard.is_some_and(|(by_engine, _)| by_engine);
    Cell {
        verdict: if stopped {
            Verdict::StoppedByEngine
        } else {
            Verdict::NotTested
        },
        figure: stopped.then_some(Figure {
            value: 0.0,
            band: None,
            of: None,
            unit: Unit::Rows,
        }),
        words: heard.map_or_else(|| "no answer".to_owned(), |(_, message)| message.clone()),
        provenance: stopped.then_some(Provenance::Counted),
        evidence,
    }
}

fn not_expressible(reason: &str) -> Cell {
    Cell {
        verdict: Verdict::NotExpressible,
        figure: None,
        words: reason.to_owned(),
        provenance: None,
        evidence: Vec::new(),
    }
}

// ---- the query

struct Forgotten {
    operation: Operation,
    source: String,
    statement: String,
    columns: Vec<String>,
}

/// Of all queries that filter by tenant the one that filters by least else.
fn forgotten_filter(scenario: &Scenario) -> Option<Forgotten> {
    let mut best: Option<(usize, Forgotten)> = None;
    for operation in scenario.operations.iter().filter(|operation| operation.read_only) {
        let Some(tenant) = operation.tenant else { continue };
        let tenant = operation.parameters.get(usize::from(tenant))?.name.as_str();
        for (index, statement) in operation.statements.iter().enumerate() {
            let Action::Sql(sql) = &statement.action else { continue };
            let Some((sql, columns, rest)) = without_filter(&scenario.schema, sql, tenant) else {
                continue;
            };
            if best.as_ref().is_some_and(|(least, _)| *least <= rest) {
                continue;
            }
            let mut probe = operation.clone();
            let mut statement = statement.clone();
            let text = syntax::print(&sql);
            statement.action = Action::Sql(Box::new(sql));
            statement.expect_rows = None;
            probe.name = format!("{} without its tenant filter", operation.name);
            probe.title = probe.name.clone();
            probe.statements = vec![statement];
            probe.variables.clear();
            let forgotten = Forgotten {
                operation: probe,
                source: format!("statement {} of {}", index + 1, operation.name),
                statement: text,
                columns,
            };
            best = Some((rest, forgotten));
        }
    }
    best.map(|(_, forgotten)| forgotten)
}

/// The query without its predicate on the tenant, answering whose each row is and its key; how many predicates are
/// left. `None`: it is no plain query, or has no such predicate.
fn without_filter(
    schema: &Schema,
    sql: &syntax::Statement,
    tenant: &str,
) -> Option<(syntax::Statement, Vec<String>, usize)> {
    let syntax::Statement::Query(query) = sql else {
        return None;
    };
    let QueryBody::Select(select) = &query.body else {
        return None;
    };
    if !query.with.is_empty() || !select.into.is_empty() {
        return None;
    }
    let mut conjuncts = Vec::new();
    split(select.filter.as_ref()?, &mut conjuncts);
    let before = conjuncts.len();
    let mut of: Option<(Option<Name>, &Table)> = None;
    conjuncts.retain(|conjunct| match filtered_table(schema, select, conjunct, tenant) {
        Some(found) => {
            of.get_or_insert(found);
            false
        }
        None => true,
    });
    let (qualifier, table) = of.filter(|_| conjuncts.len() < before)?;
    let owner = table.tenant?;
    let mut wanted = vec![owner];
    wanted.extend(table.primary_key.iter().copied().filter(|column| *column != owner));
    let names: Vec<String> = wanted
        .iter()
        .map(|column| table.columns[usize::from(column.0)].name.clone())
        .collect();
    let rest = conjuncts.len();
    let mut changed = query.clone();
    let select = Select {
        distinct: Distinct::All,
        items: names
            .iter()
            .map(|name| SelectItem::Expr {
                expr: column(qualifier.as_ref(), name),
                alias: None,
            })
            .collect(),
        into: Vec::new(),
        from: select.from.clone(),
        filter: conjuncts.into_iter().cloned().reduce(and),
        group_by: Vec::new(),
        having: None,
    };
    changed.body = QueryBody::Select(Box::new(select));
    changed.order_by.clear();
    changed.limit = None;
    changed.offset = None;
    Some((syntax::Statement::Query(changed), names, rest))
}

fn split<'a>(expr: &'a Expr, into: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Binary {
            operator: BinaryOperator::And,
            left,
            right,
        } => {
            split(left, into);
            split(right, into);
        }
        _ => into.push(expr),
    }
}

fn and(left: Expr, right: Expr) -> Expr {
    let kind = ExprKind::Binary {
        operator: BinaryOperator::And,
        left: Box::new(left),
        right: Box::new(right),
    };
    Expr::new(kind, Span::default())
}

fn column(qualifier: Option<&Name>, name: &str) -> Expr {
    let path = qualifier.cloned().into_iter().chain([Name::new(name)]).collect();
    Expr::new(ExprKind::Column(path), Span::default())
}

/// `u.tenant_id = :tenant`, either way round: the table that `u` is.
fn filtered_table<'a>(
    schema: &'a Schema,
    select: &Select,
    conjunct: &Expr,
    tenant: &str,
) -> Option<(Option<Name>, &'a Table)> {
    let ExprKind::Binary {
        operator: BinaryOperator::Equal,
        left,
        right,
    } = &conjunct.kind
    else {
        return None;
    };
    let path = match (&left.kind, &right.kind) {
        (ExprKind::Column(path), ExprKind::Variable(name)) | (ExprKind::Variable(name), ExprKind::Column(path))
            if *name.text == *tenant =>
        {
            path
        }
        _ => return None,
    };
    let (last, qualifiers) = path.split_last()?;
    let qualifier = qualifiers.last().cloned();
    let mut tables = Vec::new();
    for from in &select.from {
        named_tables(schema, from, &mut tables);
    }
    let has_column = |table: &Table| {
        table
            .tenant
            .is_some_and(|id| *table.columns[usize::from(id.0)].name == *last.text)
    };
    let (_, table) = tables.into_iter().find(|(name, table)| {
        has_column(table) && qualifier.as_ref().is_none_or(|qualifier| *qualifier.text == **name)
    })?;
    Some((qualifier, table))
}

/// The tables in FROM with the names that they go by.
fn named_tables<'a>(schema: &'a Schema, from: &TableRef, into: &mut Vec<(String, &'a Table)>) {
    match from {
        TableRef::Table { name, alias } => {
            let found = schema.tables.iter().find(|table| {
                *table.name == *name.name.text
                    && name.schema.as_ref().is_none_or(|schema| *table.schema == *schema.text)
            });
            if let Some(table) = found {
                let known_as = alias.as_ref().map_or(&name.name, |alias| &alias.name);
                into.push((known_as.text.to_string(), table));
            }
        }
        TableRef::Join { left, right, .. } => {
            named_tables(schema, left, into);
            named_tables(schema, right, into);
        }
        _ => {}
    }
}

impl Job for ProbeJob {
    type Report = ProbeReport;

    fn step(&mut self, _: u64) -> Progress<ProbeReport> {
        let Some(design) = self.settings.designs.get(self.design) else {
            return Progress::Finished(Box::new(ProbeReport {
                scenario: self.summary.clone(),
                source: self.source.clone(),
                statement: self.statement.clone(),
                designs: std::mem::take(&mut self.reports),
            }));
        };
        match self.probe(design) {
            Ok(report) => self.reports.push(report),
            Err(message) => return Progress::Failed(vec![problem(format!("{}: {message}", design.slug()), None)]),
        }
        self.design += 1;
        Progress::Running {
            done: self.design as u64,
            of: self.settings.designs.len() as u64,
            what: "the forgotten filter".to_owned(),
        }
    }
}
