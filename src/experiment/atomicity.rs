//! What a fault leaves of an operation: one run for every physical step, and every actor in turn.
//!
//! Each run has one request on a small population, is struck once, and goes on until all is quiet: crashed
//! nodes are up again, sagas have recovered, relays have nothing left. Then the invariants are read.
//! In between they are watched at every commit: the windows in which others could see half of it.

use std::sync::Arc;

use base::Nanos;
use program::{Compilation, EventKind, Fault, FaultAction, NodeId, OperationId, Outcome, StepPoint};
use report::{AtomicityDesign, AtomicityReport, FaultPoint, ScenarioSummary};
use scenario::{Diagnostic, Scenario};
use sim::Simulation;

use crate::fault::{self, PhysicalStep};
use crate::job::{Job, Progress};
use crate::settings::{Choice, Settings, problem, settings};
use crate::{solo, summary};

/// The actors that a step can take down, in the order of the table.
const ACTORS: [scenario::Actor; 5] = [
    scenario::Actor::Client,
    scenario::Actor::Orchestrator,
    scenario::Actor::Service,
    scenario::Actor::Server,
    scenario::Actor::Relay,
];

/// How long a crashed node stays down.
const DOWN: Nanos = Nanos::from_millis(500);

/// An exploration, stepped by its caller.
#[derive(Debug)]
pub struct AtomicityJob {
    summary: ScenarioSummary,
    scenario: Scenario,
    settings: Settings,
    operation: String,
    design: usize,
    current: Option<Exploration>,
    reports: Vec<AtomicityDesign>,
}

/// One design's points: those left and those done.
#[derive(Debug)]
struct Exploration {
    compilation: Arc<Compilation>,
    points: Vec<Point>,
    done: Vec<FaultPoint>,
}

#[derive(Clone, Debug)]
struct Point {
    step: PhysicalStep,
    actor: Option<program::Actor>,
    fault: Fault,
    title: String,
}

impl AtomicityJob {
    /// # Errors
    ///
    /// What is wrong with the scenario or the choice.
    pub fn new(slug: &str, text: &str, choice: &Choice, operation: &str) -> Result<AtomicityJob, Vec<Diagnostic>> {
        let parsed = scenario::parse(text);
        let Some(mut scenario) = parsed.scenario else {
            return Err(parsed.diagnostics);
        };
        let settings = settings(&mut scenario, choice)?;
        if scenario.operation(operation).is_none() {
            let known: Vec<&str> = scenario
                .operations
                .iter()
                .map(|operation| operation.name.as_str())
                .collect();
            let hint = format!("there are: {}", known.join(", "));
            return Err(vec![problem(
                format!("there is no operation \"{operation}\""),
                Some(hint),
            )]);
        }
        let summary = summary::of(slug, &scenario, &settings);
        let operation = operation.to_owned();
        Ok(AtomicityJob {
            summary,
            scenario,
            settings,
            operation,
            design: 0,
            current: None,
            reports: Vec::new(),
        })
    }

    fn begin(&self) -> Result<Exploration, String> {
        let design = &self.settings.designs[self.design];
        let full = design.compile(&self.scenario, &self.settings.sabotage);
        let Some(operation) = fault::operation_id(&full, &self.operation) else {
            return Ok(Exploration {
                compilation: Arc::new(full),
                points: Vec::new(),
                done: Vec::new(),
            });
        };
        let compilation = solo::compilation(&full, operation);
        let events = solo::events(&compilation, &self.settings.profile)?;
        let steps = fault::physical_steps(&compilation, &events);
        let points = steps
            .iter()
            .flat_map(|step| points(&compilation, operation, step))
            .rev()
            .collect();
        Ok(Exploration {
            compilation,
            points,
            done: Vec::new(),
        })
    }

    fn advance(&mut self, budget: u64) -> Result<(), String> {
        let Some(current) = &mut self.current else {
            self.current = Some(self.begin()?);
            return Ok(());
        };
        let mut spent = 0;
        while spent < budget {
            let Some(point) = current.points.pop() else {
                let Some(finished) = self.current.take() else {
                    return Ok(());
                };
                self.reports.push(AtomicityDesign {
                    architecture: finished.compilation.architecture.clone(),
                    title: finished.compilation.title.clone(),
                    points: finished.done,
                });
                self.design += 1;
                return Ok(());
            };
            let simulation = solo::run(&current.compilation, &self.settings.profile, vec![point.fault.clone()])?;
            spent += simulation.happened().max(1);
            current.done.push(found(point, &simulation));
        }
        Ok(())
    }
}

/// The faults to try at a step: a refusal, and a crash of each actor both when the effect has happened
/// and when the one who asked knows of it.
fn points(compilation: &Compilation, operation: OperationId, step: &PhysicalStep) -> Vec<Point> {
    let refusal = Point {
        step: step.clone(),
        actor: None,
        fault: Fault {
            trigger: fault::trigger(step, StepPoint::Before, step.request),
            action: FaultAction::Refuse {
                message: "refused".to_owned(),
            },
        },
        title: format!("step {} ({}) is refused", step.number, step.label),
    };
    let mut points = vec![refusal];
    let mut struck: Vec<NodeId> = Vec::new();
    for actor in ACTORS {
        let Some(node) = fault::node_of(compilation, operation, step, actor) else {
            continue;
        };
        if struck.contains(&node) {
            continue;
        }
        struck.push(node);
        let name = &compilation.deployment.node(node).name;
        for (point, when) in [(StepPoint::Done, "in"), (StepPoint::After, "after")] {
            points.push(Point {
                step: step.clone(),
                actor: Some(role(actor)),
                fault: Fault {
                    trigger: fault::trigger(step, point, step.request),
                    action: FaultAction::Crash {
                        node,
                        restart_after: Some(DOWN),
                    },
                },
                title: format!("{name} crashes {when} step {} ({})", step.number, step.label),
            });
        }
    }
    points
}

fn role(actor: scenario::Actor) -> program::Actor {
    match actor {
        scenario::Actor::Client => program::Actor::Client,
        scenario::Actor::Orchestrator => program::Actor::Orchestrator,
        scenario::Actor::Service => program::Actor::Service,
        scenario::Actor::Server => program::Actor::Server,
        scenario::Actor::Relay => program::Actor::Relay,
    }
}

fn found(point: Point, simulation: &Simulation) -> FaultPoint {
    let names = simulation
        .compilation()
        .invariants
        .iter()
        .map(|invariant| invariant.name.clone());
    let end = simulation.now();
    let mut found = FaultPoint {
        fault: point.title,
        step: format!("{} {}", point.step.number, point.step.label),
        actor: point.actor,
        answer: answer(simulation),
        broken: Vec::new(),
        longest_window: Nanos::ZERO,
        readers: 0,
    };
    for (name, state) in names.zip(simulation.invariants()) {
        let rows = state.at_end.as_ref().map_or(0, |output| output.rows.len() as u64);
        if rows > 0 {
            found.broken.push((name, rows));
        }
        for window in &state.windows {
            let span = window.to.unwrap_or(end).since(window.from);
            found.longest_window = found.longest_window.max(span);
            found.readers += window.readers;
        }
    }
    found
}

/// What the client heard in the end.
fn answer(simulation: &Simulation) -> String {
    let heard = simulation.recorded().iter().rev().find_map(|event| match &event.kind {
        EventKind::RequestAnswered {
            outcome: Outcome::Done, ..
        } => Some("done".to_owned()),
        EventKind::RequestAnswered { outcome, .. } => Some(outcome.to_string()),
        _ => None,
    });
    heard.unwrap_or_else(|| "nothing".to_owned())
}

impl Job for AtomicityJob {
    type Report = AtomicityReport;

    fn step(&mut self, budget: u64) -> Progress<AtomicityReport> {
        if self.design == self.settings.designs.len() {
            return Progress::Finished(Box::new(AtomicityReport {
                scenario: self.summary.clone(),
                operation: self.operation.clone(),
                designs: std::mem::take(&mut self.reports),
            }));
        }
        if let Err(message) = self.advance(budget) {
            let design = self
                .settings
                .designs
                .get(self.design)
                .map_or_else(String::new, architecture::Design::slug);
            return Progress::Failed(vec![problem(format!("{design}: {message}"), None)]);
        }
        const WHOLE: u64 = 1_000;
        let part = self.current.as_ref().map_or(0, |current| {
            let (done, left) = (current.done.len() as u64, current.points.len() as u64);
            done * WHOLE / (done + left).max(1)
        });
        let title = self
            .settings
            .designs
            .get(self.design)
            .map_or_else(String::new, |design| crate::describe(design).0);
        Progress::Running {
            done: self.design as u64 * WHOLE + part,
            of: self.settings.designs.len() as u64 * WHOLE,
            what: format!("{title}: a fault at every step of {}", self.operation),
        }
    }
}
