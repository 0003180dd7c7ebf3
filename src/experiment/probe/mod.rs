//! Probes of tenant isolation: what happens when the application makes a mistake.
//!
//! In each of them queries of the scenario lose their predicate on the tenant and answer whose each row is. They are
//! compiled by each design as any other operation of a tenant, and run: nothing here knows what would stop them. The
//! rows are counted by tenant.
//!
//! ```text
//! SELECT … WHERE u.tenant_id = :tenant GROUP BY …   ─▶   SELECT u.tenant_id, u.id … (the filter is gone)
//!                                                        ─▶ every design ─▶ requests of one tenant ─▶ rows by tenant
//! ```
//!
//! | probe | besides |
//! |---|---|
//! | forgotten filter | – |
//! | reused connection | a design that names the tenant to the engine names it for the session; the query comes after another tenant's request, on its connection, and names nobody |
//! | runs as owner | the application logs in as the owner of the tables |
//!
//! No design chooses keys or indexes for these queries: nobody has planned for a mistake.
//!
//! Other parameters of a query are drawn among the rows of all tenants: an id of somebody else's is part of the attack.

mod finding;
mod query;

use std::collections::BTreeSet;
use std::sync::Arc;

use architecture::{Design, MadeMistake, Mistake};
use base::{Type, Value};
use program::workload::{ClientLoop, Generator};
use program::{Compilation, EventKind, OperationId, RequestId};
use report::{Cell, Evidence, Probe, ProbeDesign, ProbeQuery, ProbeReport, ScenarioSummary, Verdict};
use scenario::{Diagnostic, Operation, Scenario};
use sim::{Checks, Options, Record, Simulation};

use self::finding::Finding;
use self::query::{Forgotten, forgotten_filters};
use crate::job::{Job, Progress};
use crate::postgres::{self, Asked};
use crate::settings::{Choice, Settings, problem, settings};
use crate::{picture, summary};

/// Queries that lose their filter, at most: those with the fewest other predicates.
const MOST_QUERIES: usize = 6;

/// Requests for each of them, so that their other parameters have several values.
const REQUESTS_EACH: u64 = 8;

const KINDS: [Kind; 3] = [Kind::ForgottenFilter, Kind::ReusedConnection, Kind::RunsAsOwner];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ForgottenFilter,
    ReusedConnection,
    RunsAsOwner,
}

impl Kind {
    fn slug(self) -> &'static str {
        match self {
            Kind::ForgottenFilter => "forgotten-filter",
            Kind::ReusedConnection => "reused-connection",
            Kind::RunsAsOwner => "runs-as-owner",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::ForgottenFilter => "Forgotten filter",
            Kind::ReusedConnection => "Reused connection",
            Kind::RunsAsOwner => "Runs as owner",
        }
    }

    fn note(self) -> &'static str {
        match self {
            Kind::ForgottenFilter => "rows of other tenants",
            Kind::ReusedConnection => "the last tenant’s setting is still there",
            Kind::RunsAsOwner => "the application is the tables’ owner",
        }
    }

    /// The mistake that it is about, if it is one of a design.
    fn mistake(self) -> Option<Mistake> {
        match self {
            Kind::ForgottenFilter => None,
            Kind::ReusedConnection => Some(Mistake::SessionSetting),
            Kind::RunsAsOwner => Some(Mistake::RunsAsOwner),
        }
    }

    /// Why a design cannot make it.
    fn has_no_meaning(self) -> &'static str {
        match self {
            Kind::ForgottenFilter => "",
            Kind::ReusedConnection => "no setting that a connection keeps",
            Kind::RunsAsOwner => "no policy that an owner passes by",
        }
    }
}

/// Slugs and titles of the probes of a design that a real PostgreSQL can be asked about.
pub(crate) fn on_postgres(design: &Design, compilation: &Compilation) -> Vec<(&'static str, &'static str)> {
    if !postgres::is_postgres(compilation) || compilation.workload.tenants.len() < 2 {
        return Vec::new();
    }
    let mistakes = design.architecture.mistakes();
    let has_meaning = |kind: &Kind| kind.mistake().is_none_or(|mistake| mistakes.contains(&mistake));
    let kinds = KINDS.into_iter().filter(has_meaning);
    kinds.map(|kind| (kind.slug(), kind.title())).collect()
}

/// The probes on every design, stepped by their caller.
#[derive(Debug)]
pub struct ProbeJob {
    summary: ScenarioSummary,
    settings: Settings,
    scenario: Scenario,
    queries: Vec<Forgotten>,
    probes: Vec<Probe>,
}

/// One probe of one design, ready to run.
struct Attack {
    compilation: Arc<Compilation>,
    /// The queries' operations.
    first: OperationId,
    /// Who asks.
    own: i32,
    /// A request of this operation has to go before.
    after: Option<OperationId>,
}

/// What an attack brought.
struct Found<'a> {
    /// Of each query, in the queries' order.
    findings: Vec<Finding<'a>>,
    /// The request of the tenant before, if there had to be one.
    before: Option<RequestId>,
}

impl ProbeJob {
    /// # Errors
    ///
    /// What is wrong with the scenario or the choice; a scenario without two tenants, or without a query that filters
    /// by them.
    pub fn new(slug: &str, text: &str, choice: &Choice) -> Result<ProbeJob, Vec<Diagnostic>> {
        let parsed = scenario::parse(text);
        let Some(mut scenario) = parsed.scenario else {
            return Err(parsed.diagnostics);
        };
        let settings = settings(&mut scenario, choice)?;
        let mut queries = forgotten_filters(&scenario);
        queries.truncate(MOST_QUERIES);
        if queries.is_empty() {
            let message = "no query here filters by tenant: there is no filter to forget".to_owned();
            let hint = "tenant_column = \"…\", and an operation with WHERE <that column> = :tenant".to_owned();
            return Err(vec![problem(message, Some(hint))]);
        }
        if scenario.population.tenants < 2 {
            let message = "there is nobody else whose rows could come back: one tenant".to_owned();
            return Err(vec![problem(
                message,
                Some("tenants = 2 under [population]".to_owned()),
            )]);
        }
        Ok(ProbeJob {
            summary: summary::of(slug, &scenario, &settings),
            settings,
            scenario,
            queries,
            probes: Vec::new(),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Those that have been run on all designs.
    pub(crate) fn finished(&self) -> &[Probe] {
        let whole = |probe: &&Probe| probe.designs.len() == self.settings.designs.len();
        &self.probes[..self.probes.iter().take_while(whole).count()]
    }

    /// The requests behind a cell, for another engine to be asked the same: of the query that brought most, and of the
    /// tenant before if there has to be one.
    ///
    /// # Errors
    ///
    /// A probe that there is not, or that has no meaning on this design or cannot be expressed there.
    pub(crate) fn asked(&self, probe: &str, design: &Design) -> Result<Asked, String> {
        let kind = KINDS.into_iter().find(|kind| kind.slug() == probe);
        let kind = kind.ok_or_else(|| format!("there is no probe “{probe}”"))?;
        let mistakes = self
            .mistakes(kind, design)
            .ok_or_else(|| kind.has_no_meaning().to_owned())?;
        let attack = self.attack(kind, design, mistakes);
        let found = self.run(&attack)?;
        let shown = finding::shown(&found.findings).ok_or_else(|| "no query was answered".to_owned())?;
        Ok(Asked {
            requests: found.before.into_iter().chain([shown]).collect(),
            compilation: attack.compilation,
            tenant_column: self.scenario.tenant_column.clone(),
        })
    }

    fn probe(&self, kind: Kind, design: &Design) -> Result<Cell, String> {
        let Some(mistakes) = self.mistakes(kind, design) else {
            return Ok(finding::without_figure(Verdict::NotApplicable, kind.has_no_meaning()));
        };
        let attack = self.attack(kind, design, mistakes);
        let expressed = |index: usize| attack.compilation.entries.get(index).copied().flatten().is_some();
        let queries = attack.first.index()..attack.first.index() + self.queries.len();
        if !queries.clone().any(expressed) {
            let refusals = &attack.compilation.refusals;
            let refusal = refusals
                .iter()
                .find(|refusal| refusal.operation.is_none_or(|of| queries.contains(&of.index())));
            let reason = refusal.map_or("cannot be expressed", |refusal| &refusal.reason);
            return Ok(finding::without_figure(Verdict::NotExpressible, reason));
        }
        let wall = picture::of(&attack.compilation, self.scenario.tenant_column.as_deref()).tenant_wall;
        let findings = self.run(&attack)?.findings;
        let mut cell = finding::cell(&findings, attack.own, wall);
        if postgres::is_postgres(&attack.compilation) && finding::shown(&findings).is_some() {
            let probe = kind.slug().to_owned();
            cell.evidence.push(Evidence::OnPostgres { probe });
        }
        Ok(cell)
    }

    /// `None`: the design has nothing that this mistake could be made with.
    fn mistakes(&self, kind: Kind, design: &Design) -> Option<Vec<MadeMistake>> {
        let mistake = kind.mistake();
        if mistake.is_some_and(|mistake| !design.architecture.mistakes().contains(&mistake)) {
            return None;
        }
        let mut mistakes: Vec<MadeMistake> = mistake.into_iter().map(Mistake::everywhere).collect();
        if kind == Kind::ReusedConnection {
            let queries = self.queries.iter().map(|forgotten| &forgotten.operation);
            mistakes.extend(queries.map(|query| Mistake::WithoutTenantSetting.in_operation(&query.name)));
        }
        Some(mistakes)
    }

    /// The scenario with the queries as its last operations, compiled and asked for by one tenant, one after the other.
    fn attack(&self, kind: Kind, design: &Design, mistakes: Vec<MadeMistake>) -> Attack {
        let mut scenario = self.scenario.clone();
        let mut after = None;
        if kind == Kind::ReusedConnection {
            after = Some(OperationId(scenario.operations.len() as u16));
            let query = &self.queries[0].operation;
            scenario.operations.push(Operation {
                name: format!("{}, asked by the tenant before", query.name),
                ..query.clone()
            });
        }
        let first = OperationId(scenario.operations.len() as u16);
        let queries = self.queries.iter().map(|forgotten| forgotten.operation.clone());
        scenario.operations.extend(queries);
        let mut unplanned: Vec<String> = self.queries.iter().map(|query| query.operation.name.clone()).collect();
        unplanned.extend(after.map(|before| scenario.operations[before.index()].name.clone()));
        let options = architecture::Options {
            sabotage: self.settings.sabotage.clone(),
            mistakes,
            unplanned,
            ..design.options()
        };
        let mut compilation = design.compile_with(&scenario, &options);
        let workload = &mut compilation.workload;
        let tenant = |at: usize| workload.tenants.get(at).map_or(0, |tenant| tenant.id);
        let (earlier, own) = match after {
            Some(_) => (tenant(0), tenant(1)),
            None => (tenant(0), tenant(0)),
        };
        for (index, load) in workload.operations.iter_mut().enumerate() {
            let is_before = after.is_some_and(|before| before.index() == index);
            let asked = is_before || index >= first.index();
            let expressed = compilation.entries.get(index).copied().flatten().is_some();
            load.weight = u32::from(asked && expressed);
            let tenant = if is_before { earlier } else { own };
            for (_, data_type, generator) in &mut load.parameters {
                if *generator == Generator::Tenant {
                    *generator = Generator::Constant(match data_type {
                        Type::Int8 => Value::Int8(i64::from(tenant)),
                        _ => Value::Int4(tenant),
                    });
                }
            }
        }
        workload.clients = ClientLoop::Serial;
        workload.requests = REQUESTS_EACH * (self.queries.len() as u64 + u64::from(after.is_some()));
        Attack {
            compilation: Arc::new(compilation),
            first,
            own,
            after,
        }
    }

    fn run<'a>(&'a self, attack: &'a Attack) -> Result<Found<'a>, String> {
        let compilation = &attack.compilation;
        let options = Options {
            record: Record::Everything,
            checks: Checks::Never,
            keep_answers: true,
            ..Options::of(compilation)
        };
        let simulation = Simulation::new(Arc::clone(compilation), &self.settings.profile, Vec::new(), options);
        let mut simulation = simulation.map_err(|error| error.to_string())?;
        simulation.run();
        let mut findings: Vec<Finding> = self.queries.iter().map(Finding::new).collect();
        let mut before = None;
        let mut seen: BTreeSet<RequestId> = BTreeSet::new();
        for event in simulation.recorded() {
            let (Some(request), EventKind::RequestIssued { operation, .. }) = (event.request, &event.kind) else {
                continue;
            };
            if !seen.insert(request) {
                continue;
            }
            if before.is_none() && attack.after == Some(*operation) {
                before = Some(request);
            }
            let may_count = attack.after.is_none() || before.is_some();
            let query = operation.index().checked_sub(attack.first.index());
            if let (true, Some(finding)) = (may_count, query.and_then(|query| findings.get_mut(query))) {
                finding.take(&simulation, request, attack.own);
            }
        }
        Ok(Found { findings, before })
    }
}

impl Job for ProbeJob {
    type Report = ProbeReport;

    fn step(&mut self, _: u64) -> Progress<ProbeReport> {
        let designs = self.settings.designs.len();
        let done: usize = self.probes.iter().map(|probe| probe.designs.len()).sum();
        let (kind, design) = (done / designs.max(1), done % designs.max(1));
        let (Some(kind), Some(design)) = (KINDS.get(kind).copied(), self.settings.designs.get(design)) else {
            return Progress::Finished(Box::new(ProbeReport {
                scenario: self.summary.clone(),
                queries: self.queries.iter().map(Forgotten::described).collect(),
                probes: std::mem::take(&mut self.probes),
            }));
        };
        let cell = match self.probe(kind, design) {
            Ok(cell) => cell,
            Err(message) => return Progress::Failed(vec![problem(format!("{}: {message}", design.slug()), None)]),
        };
        let found = ProbeDesign {
            architecture: design.slug(),
            title: crate::describe(design).0,
            cell,
        };
        if done.is_multiple_of(designs) {
            self.probes.push(Probe {
                slug: kind.slug().to_owned(),
                title: kind.title().to_owned(),
                note: kind.note().to_owned(),
                as_built: kind.mistake().is_none(),
                designs: Vec::new(),
            });
        }
        if let Some(probe) = self.probes.last_mut() {
            probe.designs.push(found);
        }
        Progress::Running {
            done: done as u64 + 1,
            of: (designs * KINDS.len()) as u64,
            what: kind.title().to_lowercase(),
        }
    }
}

impl Forgotten {
    fn described(&self) -> ProbeQuery {
        ProbeQuery {
            source: self.source.clone(),
            statement: self.statement.clone(),
        }
    }
}
