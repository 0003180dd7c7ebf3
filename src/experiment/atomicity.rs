//! What a fault leaves of an operation: one run for every physical step, and every actor in turn.
//!
//! | at each physical step | |
//! |---|---|
//! | a refusal | the step fails as if the engine had refused it |
//! | a crash of each actor | once when the effect has happened, once when the one who asked knows of it |
//! | if it calls another node | the request lost, the reply lost, the request doubled |
//! | if it calls another node, with each later statement | the request comes late, when the caller has long asked again and the statement has been refused |
//!
//! Each run looks at one request on a small population and goes on until all is quiet: crashed nodes are up
//! again, sagas have recovered, late messages have arrived, relays have nothing left. Then the invariants are
//! read. In between they are watched at every commit: the windows in which others could see half of it.

use std::sync::Arc;

use base::Nanos;
use program::{
    Compilation, Event, EventKind, Fault, FaultAction, NodeId, Op, OperationId, Outcome, RequestId, StepPoint,
};
use report::{AtomicityDesign, AtomicityReport, FaultPoint, ScenarioSummary};
use scenario::{Diagnostic, Scenario};
use sim::Simulation;

use crate::fault::{self, PhysicalStep};
use crate::job::{Job, Progress};
use crate::settings::{Choice, Settings, problem, settings};
use crate::{solo, summary};

/// The actors that a step can take down, in the order of the table.
const ACTORS: [scenario::Actor; 6] = [
    scenario::Actor::Client,
    scenario::Actor::Orchestrator,
    scenario::Actor::Service,
    scenario::Actor::Server,
    scenario::Actor::Relay,
    scenario::Actor::Bus,
];

/// How long a crashed node stays down.
const DOWN: Nanos = Nanos::from_millis(500);

/// A late request arrives when all that its caller did about it is over.
const LATE: Nanos = Nanos::from_secs(30);

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
    note: Option<String>,
}

#[derive(Clone, Debug)]
struct Point {
    step: PhysicalStep,
    actor: Option<program::Actor>,
    faults: Vec<Fault>,
    title: String,
    /// As the command line and a link say it, if one sentence does.
    replay: Option<String>,
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
                note: None,
            });
        };
        let mut compilation = solo::compilation(&full, operation);
        let mut request = solo::REQUEST;
        let mut events = solo::events(&compilation, &self.settings.profile)?;
        let mut note = None;
        if let Some(refused) = refusal_of(&events, request) {
            // What is refused has little to break: a request that is answered has more.
            match solo::answered(&compilation, &self.settings.profile)? {
                Some((longer, answered)) => {
                    (compilation, request) = (longer, answered);
                    events = solo::events(&compilation, &self.settings.profile)?;
                }
                None => {
                    note = Some(format!(
                        "Without any fault the request is refused (“{refused}”), since nothing has prepared the rows that it needs: \
                         only the way there was explored."
                    ));
                }
            }
        }
        let steps = fault::physical_steps(&compilation, &events, request);
        let points = (0..steps.len()).flat_map(|index| points(&compilation, operation, &steps[index..]));
        let points = points.collect::<Vec<_>>().into_iter().rev().collect();
        Ok(Exploration {
            compilation,
            points,
            done: Vec::new(),
            note,
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
                    note: finished.note,
                });
                self.design += 1;
                return Ok(());
            };
            let simulation = solo::run(&current.compilation, &self.settings.profile, point.faults.clone())?;
            spent += simulation.happened().max(1);
            // A second fault can come too late to strike: then nothing was explored.
            if simulation.struck().iter().all(|struck| *struck) {
                current.done.push(found(point, &simulation)?);
            }
        }
        Ok(())
    }
}

/// The faults to try at the first of these steps; the others come after it.
fn points(compilation: &Compilation, operation: OperationId, steps: &[PhysicalStep]) -> Vec<Point> {
    let Some((step, later)) = steps.split_first() else {
        return Vec::new();
    };
    let mut points = vec![Point {
        step: step.clone(),
        actor: None,
        faults: vec![refusal(step)],
        title: format!("step {} ({}) is refused", step.number, step.label),
        replay: Some(format!("refuse {}", place(compilation, operation, step))),
    }];
    points.extend(crashes(compilation, operation, step));
    if calls_another_node(compilation, step) {
        points.extend(message_faults(step, &place(compilation, operation, step)));
        points.extend(late_requests(compilation, step, later));
    }
    points
}

/// `step 3 of create_user`
fn place(compilation: &Compilation, operation: OperationId, step: &PhysicalStep) -> String {
    format!(
        "step {} of {}",
        step.number,
        compilation.workload.operation(operation).name
    )
}

fn refusal(step: &PhysicalStep) -> Fault {
    Fault {
        trigger: fault::trigger(step, StepPoint::Before, step.request),
        action: FaultAction::Refuse {
            message: "refused".to_owned(),
        },
    }
}

fn crashes(compilation: &Compilation, operation: OperationId, step: &PhysicalStep) -> Vec<Point> {
    let mut points = Vec::new();
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
        for (point, when, word) in [(StepPoint::Done, "in", "during"), (StepPoint::After, "after", "after")] {
            points.push(Point {
                step: step.clone(),
                actor: Some(role(actor)),
                faults: vec![Fault {
                    trigger: fault::trigger(step, point, step.request),
                    action: FaultAction::Crash {
                        node,
                        restart_after: Some(DOWN),
                    },
                }],
                title: format!("{name} crashes {when} step {} ({})", step.number, step.label),
                replay: Some(format!(
                    "crash {actor} {word} {} restart after {} ms",
                    place(compilation, operation, step),
                    DOWN.0 / 1_000_000
                )),
            });
        }
    }
    points
}

fn calls_another_node(compilation: &Compilation, step: &PhysicalStep) -> bool {
    let program = &compilation.programs[step.activation.program.index()];
    match &program.step(step.step).op {
        Op::Call { program: callee, .. } | Op::Send { program: callee, .. } => {
            compilation.programs[callee.index()].home != program.home
        }
        Op::Bus { .. } => true,
        _ => false,
    }
}

fn message_faults(step: &PhysicalStep, place: &str) -> Vec<Point> {
    let faults = [
        (
            FaultAction::LoseRequest,
            "the request of step",
            "is lost",
            "lose request",
        ),
        (FaultAction::LoseReply, "the reply of step", "is lost", "lose reply"),
        (
            FaultAction::DuplicateRequest,
            "the request of step",
            "arrives twice",
            "duplicate request",
        ),
    ];
    let point = |(action, what, happens, words): (FaultAction, &str, &str, &str)| Point {
        step: step.clone(),
        actor: None,
        faults: vec![Fault {
            trigger: fault::trigger(step, StepPoint::Before, step.request),
            action,
        }],
        title: format!("{what} {} ({}) {happens}", step.number, step.label),
        replay: Some(format!("{words} of {place}")),
    };
    faults.into_iter().map(point).collect()
}

/// A request that comes late: its caller has asked again meanwhile, and a later statement of the operation was
/// refused. What had been done was undone; what arrives now must not do it again.
fn late_requests(compilation: &Compilation, call: &PhysicalStep, later: &[PhysicalStep]) -> Vec<Point> {
    let of_the_operation = |step: &&PhysicalStep| {
        let definition = compilation.programs[step.activation.program.index()].step(step.step);
        definition.source.is_some() && matches!(definition.op, Op::Statement { .. })
    };
    let late = Fault {
        trigger: fault::trigger(call, StepPoint::Before, call.request),
        action: FaultAction::DelayRequest(LATE),
    };
    let point = |step: &PhysicalStep| Point {
        step: call.clone(),
        actor: None,
        faults: vec![late.clone(), refusal(step)],
        title: format!(
            "the request of step {} ({}) comes late, step {} ({}) was refused meanwhile",
            call.number, call.label, step.number, step.label
        ),
        replay: None,
    };
    later.iter().filter(of_the_operation).map(point).collect()
}

fn role(actor: scenario::Actor) -> program::Actor {
    match actor {
        scenario::Actor::Client => program::Actor::Client,
        scenario::Actor::Orchestrator => program::Actor::Orchestrator,
        scenario::Actor::Service => program::Actor::Service,
        scenario::Actor::Server => program::Actor::Server,
        scenario::Actor::Relay => program::Actor::Relay,
        scenario::Actor::Bus => program::Actor::Bus,
    }
}

/// # Errors
///
/// An invariant that cannot be evaluated on this design: then nobody knows what is broken.
fn found(point: Point, simulation: &Simulation) -> Result<FaultPoint, String> {
    let end = simulation.now();
    let program = &simulation.compilation().programs[point.step.activation.program.index()];
    let mut found = FaultPoint {
        statement: program.step(point.step.step).source,
        fault: point.title,
        replay: point.replay,
        step: format!("{} {}", point.step.number, point.step.label),
        actor: point.actor,
        answer: answer(simulation),
        broken: Vec::new(),
        longest_window: Nanos::ZERO,
        readers: 0,
    };
    for (invariant, state) in simulation.compilation().invariants.iter().zip(simulation.invariants()) {
        let name = &invariant.name;
        if let Some(error) = &state.error {
            return Err(format!("the invariant “{name}” cannot be evaluated: {error}"));
        }
        let rows = state.at_end.as_ref().map_or(0, |output| output.rows.len() as u64);
        if rows > 0 {
            found.broken.push((name.clone(), rows));
        }
        for window in &state.windows {
            let span = window.to.unwrap_or(end).since(window.from);
            found.longest_window = found.longest_window.max(span);
            found.readers += window.readers;
        }
    }
    Ok(found)
}

/// Why a request was refused, if it was.
fn refusal_of(events: &[Event], request: RequestId) -> Option<String> {
    events.iter().find_map(|event| match &event.kind {
        EventKind::RequestAnswered { outcome, .. } if event.request == Some(request) && *outcome != Outcome::Done => {
            Some(outcome.to_string())
        }
        _ => None,
    })
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
