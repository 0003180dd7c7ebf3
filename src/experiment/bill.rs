//! What designs cost a month, each sized for the same target by the rule of [`cost::sizing`].
//!
//! ```text
//! for each design:  fewest processors ─▶ run ─▶ too busy, or too slow? ─▶ more processors ─▶ run ─▶ … ─▶ bill
//! ```
//!
//! A target that more processors do not reach is missed, and said so; then the first size that is not too busy
//! is billed, since paying for more would buy nothing.

use std::sync::Arc;

use base::Nanos;
use cost::{NodeUsage, Usage};
use program::workload::ClientLoop;
use program::{Compilation, NodeKind};
use report::{BillLine, BillReport, DesignBill, ScenarioSummary, SizingRun};
use scenario::{Diagnostic, Scenario};
use sim::{NodeUse, Options, Simulation};

use crate::job::{Job, Progress};
use crate::settings::{Choice, Settings, problem, settings};
use crate::summary;

/// Runs that one design's sizing takes at most.
const MOST_RUNS: usize = 12;

/// What servers are sized for when nobody says.
const TARGET_P99: Nanos = Nanos::from_millis(100);

/// Bills of a scenario's designs, stepped by its caller.
#[derive(Debug)]
pub struct BillJob {
    summary: ScenarioSummary,
    scenario: Scenario,
    settings: Settings,
    target_p99: Nanos,
    design: usize,
    current: Option<Sizing>,
    bills: Vec<DesignBill>,
}

/// One design on its way to its size.
#[derive(Debug)]
struct Sizing {
    compilation: Arc<Compilation>,
    simulation: Box<Simulation>,
    /// Bytes on each node before the first request.
    loaded: Vec<u64>,
    runs: Vec<Tried>,
}

/// A finished run.
#[derive(Debug)]
struct Tried {
    compilation: Arc<Compilation>,
    usage: Usage,
    p99: Nanos,
}

impl BillJob {
    /// # Errors
    ///
    /// What is wrong with the scenario or the choice.
    pub fn new(slug: &str, text: &str, choice: &Choice) -> Result<BillJob, Vec<Diagnostic>> {
        let parsed = scenario::parse(text);
        let Some(mut scenario) = parsed.scenario else {
            return Err(parsed.diagnostics);
        };
        let mut settings = settings(&mut scenario, choice)?;
        // A bill is for a month in which nothing is broken on purpose.
        settings.faults.clear();
        Ok(BillJob {
            summary: summary::of(slug, &scenario, &settings),
            scenario,
            settings,
            target_p99: choice.target_p99.unwrap_or(TARGET_P99),
            design: 0,
            current: None,
            bills: Vec::new(),
        })
    }

    fn advance(&mut self, budget: u64) -> Result<(), String> {
        let Some(current) = &mut self.current else {
            let design = &self.settings.designs[self.design];
            let mut compilation = design.compile(&self.scenario, &self.settings.sabotage);
            let fewest = cost::sizing::processor_counts(&self.settings.prices).first().copied();
            for node in compilation.deployment.nodes.iter_mut() {
                if let (NodeKind::SqlServer, Some(fewest)) = (node.kind, fewest) {
                    node.cores = fewest;
                }
            }
            self.current = Some(self.begin(Arc::new(compilation), Vec::new())?);
            return Ok(());
        };
        if !matches!(current.simulation.run_slice(budget), sim::Progress::Done(_)) {
            return Ok(());
        }
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        let tried = Tried {
            usage: usage(&current.compilation, &current.simulation, &current.loaded),
            p99: p99(&current.simulation),
            compilation: current.compilation,
        };
        let larger = self.larger(&tried).filter(|_| current.runs.len() + 1 < MOST_RUNS);
        current.runs.push(tried);
        match larger {
            Some(larger) => self.current = Some(self.begin(Arc::new(larger), current.runs)?),
            None => {
                self.bills.push(self.bill(&current.runs));
                self.design += 1;
            }
        }
        Ok(())
    }

    fn begin(&self, compilation: Arc<Compilation>, runs: Vec<Tried>) -> Result<Sizing, String> {
        let options = Options::of(&compilation);
        let simulation = Simulation::new(Arc::clone(&compilation), &self.settings.profile, Vec::new(), options);
        let simulation = simulation.map_err(|error| error.to_string())?;
        Ok(Sizing {
            loaded: simulation.nodes().iter().map(|node| node.stored_bytes).collect(),
            simulation: Box::new(simulation),
            compilation,
            runs,
        })
    }

    /// The same with the next larger servers where the rule asks for them; `None` if it does not, or if there
    /// are none.
    fn larger(&self, tried: &Tried) -> Option<Compilation> {
        let met = tried.p99 <= self.target_p99;
        let deployment = &tried.compilation.deployment;
        let too_small = cost::sizing::too_small(deployment, &tried.usage, met, &self.settings.prices);
        let counts = cost::sizing::processor_counts(&self.settings.prices);
        let mut larger = Compilation::clone(&tried.compilation);
        let mut grown = false;
        for index in too_small {
            let node = &mut larger.deployment.nodes[index];
            if let Some(next) = counts.iter().find(|count| **count > node.cores) {
                node.cores = *next;
                grown = true;
            }
        }
        grown.then_some(larger)
    }

    fn bill(&self, runs: &[Tried]) -> DesignBill {
        let met = |tried: &Tried| tried.p99 <= self.target_p99;
        let not_too_busy = |tried: &Tried| {
            cost::sizing::too_small(&tried.compilation.deployment, &tried.usage, true, &self.settings.prices).is_empty()
        };
        let fits = |tried: &&Tried| met(tried) && not_too_busy(tried);
        let last = runs.len().saturating_sub(1);
        let billed = runs.iter().position(|tried| fits(&tried));
        let billed = billed.or_else(|| runs.iter().position(not_too_busy)).unwrap_or(last);
        let tried = &runs[billed];
        let bill = cost::bill(&tried.compilation.deployment, &tried.usage, &self.settings.prices);
        let mut notes = bill.notes.clone();
        if !met(tried) {
            notes.push(format!(
                "The target of {} is missed; the most processors that were tried give a p99 of {}.",
                self.target_p99, runs[last].p99
            ));
        }
        DesignBill {
            architecture: tried.compilation.architecture.clone(),
            title: tried.compilation.title.clone(),
            p99: tried.p99,
            target_met: met(tried),
            sizing: runs
                .iter()
                .enumerate()
                .map(|(index, tried)| sizing_run(tried, index == billed))
                .collect(),
            lines: bill.lines.iter().map(line).collect(),
            data_dollars: bill.of_the_data().dollars(),
            total_dollars: bill.total().dollars(),
            unpriced: bill.unpriced.clone(),
            notes,
        }
    }
}

/// A line of the bill as reports print it.
pub(crate) fn line(line: &cost::Line) -> BillLine {
    let kind = match line.kind {
        cost::Kind::Server => "server",
        cost::Kind::Storage => "storage",
        cost::Kind::Backup => "backup",
        cost::Kind::Requests => "requests",
        cost::Kind::Application => "application",
    };
    BillLine {
        kind: kind.to_owned(),
        of: line.of.clone(),
        what: line.what.clone(),
        quantity: line.quantity.clone(),
        unit_price: line.unit_price.clone(),
        dollars: line.result.dollars(),
        source: line.source.clone(),
        assumed: line.assumed,
        formula: line.formula.clone(),
    }
}

fn sizing_run(tried: &Tried, billed: bool) -> SizingRun {
    let nodes = tried.compilation.deployment.nodes.iter().zip(&tried.usage.nodes);
    let servers = nodes.filter(|(node, _)| node.kind == NodeKind::SqlServer);
    let busy = |used: &NodeUsage, cores: u16| {
        used.busy.as_secs_f64() / tried.usage.span.as_secs_f64().max(f64::MIN_POSITIVE) / f64::from(cores.max(1))
    };
    SizingRun {
        servers: servers
            .map(|(node, used)| (node.name.clone(), node.cores, busy(used, node.cores)))
            .collect(),
        p99: tried.p99,
        billed,
    }
}

/// What a run used. `loaded`: bytes on each node before the first request.
pub(crate) fn usage(compilation: &Compilation, simulation: &Simulation, loaded: &[u64]) -> Usage {
    let deployment = &compilation.deployment;
    let connections = |node: usize| -> u64 {
        let pools = deployment.pools.iter();
        let to_it = pools.filter(|pool| deployment.databases[pool.database.index()].node.index() == node);
        to_it.map(|pool| u64::from(pool.size)).sum()
    };
    let node = |(index, (used, loaded)): (usize, (NodeUse, &u64))| NodeUsage {
        busy: used.processor_time,
        loaded_bytes: *loaded,
        added_bytes: used.stored_bytes.saturating_sub(*loaded),
        connections: connections(index),
        read_half_units: used.items.read_halves,
        write_half_units: used.items.write_halves,
        object_writes: used.objects.puts + used.objects.lists,
        object_reads: used.objects.gets,
    };
    Usage {
        requests: compilation.workload.requests,
        span: span(compilation, simulation),
        nodes: simulation
            .nodes()
            .into_iter()
            .zip(loaded)
            .enumerate()
            .map(node)
            .collect(),
    }
}

/// How long the requests take to arrive: at the stated rate, or, where clients wait for answers, as it came about.
fn span(compilation: &Compilation, simulation: &Simulation) -> Nanos {
    match compilation.workload.clients {
        ClientLoop::Open { requests_per_second } if requests_per_second > 0 => {
            let nanos = u128::from(compilation.workload.requests) * 1_000_000_000 / u128::from(requests_per_second);
            Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        }
        _ => simulation.now().since(base::Time::ZERO),
    }
}

/// Of all answered requests, whatever their operation.
fn p99(simulation: &Simulation) -> Nanos {
    let mut operations = simulation.measurements().operations().iter();
    let Some(first) = operations.next() else {
        return Nanos::ZERO;
    };
    let mut all = first.latencies.clone();
    for operation in operations {
        // Histograms of the same precision, which grow by themselves: adding cannot fail.
        let _ = all.add(&operation.latencies);
    }
    Nanos(all.value_at_quantile(0.99))
}

impl Job for BillJob {
    type Report = BillReport;

    fn step(&mut self, budget: u64) -> Progress<BillReport> {
        if self.design == self.settings.designs.len() {
            return Progress::Finished(Box::new(BillReport {
                scenario: self.summary.clone(),
                prices: self.settings.price_sheet(),
                target_p99: self.target_p99,
                rule: cost::sizing::rule(&self.settings.prices),
                designs: std::mem::take(&mut self.bills),
            }));
        }
        let design = &self.settings.designs[self.design];
        let title = crate::describe(design).0;
        if let Err(message) = self.advance(budget) {
            return Progress::Failed(vec![problem(format!("{title}: {message}"), None)]);
        }
        Progress::Running {
            done: self.design as u64,
            of: self.settings.designs.len() as u64,
            what: format!("{title}: find its size"),
        }
    }
}
