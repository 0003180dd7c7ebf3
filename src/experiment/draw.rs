//! One request of an operation, drawn on some designs under a fault or none, without a load run; and every fault
//! that can be placed in it, as sentences.
//!
//! ```text
//! for each design:  compile ─▶ the request alone, nothing broken ─▶ physical steps ─▶ where faults can strike
//!                                                                  └─▶ faults placed ─▶ alone again ─▶ drawing
//! ```

use std::sync::Arc;

use base::{Nanos, Time};
use program::profile::Profile;
use program::{Compilation, Event, Fault, NodeId, Op, OperationId, Trigger};
use report::{DrawReport, Drawing, Mishap, ScenarioSummary, Sequence, Strike, Target};
use scenario::{Actor, Diagnostic, FaultAction, Message, Moment, Scenario, StepPlace};
use sim::Simulation;

use crate::fault::{self, PhysicalStep, Unplaceable};
use crate::job::{Job, Progress};
use crate::settings::{Choice, Settings, problem, settings};
use crate::{sequence, solo, summary};

/// How long a node that is killed stays down, and how late a late message is.
const DOWN: Nanos = Nanos::from_millis(500);
const LATE: Nanos = Nanos::from_millis(50);

/// Whom a crash can take, in the order in which one name is preferred where a node plays several parts.
const ACTORS: [Actor; 6] = [
    Actor::Client,
    Actor::Orchestrator,
    Actor::Service,
    Actor::Server,
    Actor::Relay,
    Actor::Bus,
];

/// Draws an operation on design after design, stepped by its caller.
#[derive(Debug)]
pub struct DrawJob {
    summary: ScenarioSummary,
    scenario: Scenario,
    settings: Settings,
    operation: String,
    title: String,
    drawings: Vec<Drawing>,
}

impl DrawJob {
    /// # Errors
    ///
    /// What is wrong with the scenario or the choice.
    pub fn new(slug: &str, text: &str, choice: &Choice, operation: &str) -> Result<DrawJob, Vec<Diagnostic>> {
        let parsed = scenario::parse(text);
        let Some(mut scenario) = parsed.scenario else {
            return Err(parsed.diagnostics);
        };
        let settings = settings(&mut scenario, choice)?;
        let Some(found) = scenario.operation(operation) else {
            let known: Vec<&str> = scenario.operations.iter().map(|known| known.name.as_str()).collect();
            let hint = format!("there are: {}", known.join(", "));
            let message = format!("there is no operation \"{operation}\"");
            return Err(vec![problem(message, Some(hint))]);
        };
        Ok(DrawJob {
            title: found.title.clone(),
            operation: operation.to_owned(),
            summary: summary::of(slug, &scenario, &settings),
            scenario,
            settings,
            drawings: Vec::new(),
        })
    }

    fn draw(&self) -> Result<Drawing, String> {
        let design = &self.settings.designs[self.drawings.len()];
        let compilation = design.compile(&self.scenario, &self.settings.sabotage);
        let mut drawing = Drawing {
            architecture: compilation.architecture.clone(),
            title: compilation.title.clone(),
            sequence: None,
            refused: Vec::new(),
            spared: Vec::new(),
            departs: None,
            strikes: Vec::new(),
        };
        let Some(operation) = fault::operation_id(&compilation, &self.operation) else {
            drawing.refused = refusals(&compilation, &self.operation);
            return Ok(drawing);
        };
        let alone = Alone::new(&compilation, &self.settings.profile, operation)?;
        drawing.strikes = alone.strikes();
        let (faults, spared) = alone.faults(&self.settings.faults);
        drawing.spared = spared;
        let (sequence, departs) = alone.sequence(&self.settings.profile, faults)?;
        (drawing.sequence, drawing.departs) = (sequence, departs);
        Ok(drawing)
    }
}

impl Job for DrawJob {
    type Report = DrawReport;

    fn step(&mut self, _: u64) -> Progress<DrawReport> {
        let of = self.settings.designs.len();
        if self.drawings.len() < of {
            match self.draw() {
                Ok(drawing) => self.drawings.push(drawing),
                Err(message) => {
                    let design = self.settings.designs[self.drawings.len()].slug();
                    return Progress::Failed(vec![problem(format!("{design}: {message}"), None)]);
                }
            }
        }
        if self.drawings.len() < of {
            return Progress::Running {
                done: self.drawings.len() as u64,
                of: of as u64,
                what: "draw".to_owned(),
            };
        }
        Progress::Finished(Box::new(DrawReport {
            scenario: self.summary.clone(),
            operation: self.operation.clone(),
            title: self.title.clone(),
            drawings: std::mem::take(&mut self.drawings),
        }))
    }
}

fn refusals(compilation: &Compilation, operation: &str) -> Vec<String> {
    let concerns = |refusal: &&program::Refusal| {
        let of = refusal.operation.map(|id| &compilation.workload.operation(id).name);
        of.is_some_and(|name| name == operation)
    };
    let sentence = |refusal: &program::Refusal| {
        let hint = refusal.hint.as_ref().map(|hint| format!(" ({hint})"));
        format!("{}: {}{}", refusal.statement, refusal.reason, hint.unwrap_or_default())
    };
    compilation.refusals.iter().filter(concerns).map(sentence).collect()
}

/// A fault by role, on this design; the physical steps are those of its operation alone. The inner error says why it
/// cannot strike here.
pub(crate) fn place(
    compilation: &Compilation,
    profile: &Profile,
    fault: &scenario::Fault,
) -> Result<Result<Fault, Unplaceable>, String> {
    let operation = match &fault.moment {
        Moment::At(_) => None,
        Moment::Step { operation, .. } => fault::operation_id(compilation, operation),
    };
    Ok(match operation {
        Some(operation) => fault::place(compilation, fault, &Alone::new(compilation, profile, operation)?.steps),
        None => fault::place(compilation, fault, &[]),
    })
}

/// Why a fault does not strike on a design.
pub(crate) fn sentence(fault: &scenario::Fault, why: &Unplaceable) -> String {
    match why {
        Unplaceable::Operation => format!("“{fault}” does not strike: the operation cannot be expressed here"),
        Unplaceable::Step { steps } => {
            format!("“{fault}” does not strike: the operation has {steps} physical steps here")
        }
        Unplaceable::Actor => format!("“{fault}” does not strike: nobody plays this part in this step here"),
    }
}

/// The drawing of an operation under those faults that strike in it; `None`: the design cannot express it.
pub(crate) fn drawn(
    compilation: &Compilation,
    profile: &Profile,
    faults: &[scenario::Fault],
    operation: OperationId,
) -> Result<Option<Sequence>, String> {
    if compilation.entries.get(operation.index()).copied().flatten().is_none() {
        return Ok(None);
    }
    let alone = Alone::new(compilation, profile, operation)?;
    let (faults, _) = alone.faults(faults);
    Ok(alone.sequence(profile, faults)?.0)
}

/// One request alone with nothing broken: what faults are placed in, and what a broken run is compared with.
struct Alone {
    compilation: Arc<Compilation>,
    operation: OperationId,
    sound: Simulation,
    steps: Vec<PhysicalStep>,
    /// When the client asks; what is drawn is measured from here.
    asked: Time,
}

impl Alone {
    fn new(full: &Compilation, profile: &Profile, operation: OperationId) -> Result<Alone, String> {
        let compilation = solo::compilation(full, operation);
        let sound = solo::run(&compilation, profile, Vec::new())?;
        let events = sound.recorded();
        let asked = events.iter().find(|event| event.request == Some(solo::REQUEST));
        Ok(Alone {
            asked: asked.map_or(Time::ZERO, |event| event.at),
            steps: fault::physical_steps(&compilation, events, solo::REQUEST),
            compilation,
            operation,
            sound,
        })
    }

    fn since_asked(&self, at: Time) -> Time {
        Time::ZERO + at.since(self.asked)
    }

    fn name(&self) -> &str {
        &self.compilation.workload.operation(self.operation).name
    }

    /// Those that strike in this request, and why the others do not.
    fn faults(&self, faults: &[scenario::Fault]) -> (Vec<Fault>, Vec<String>) {
        let (mut placed, mut spared) = (Vec::new(), Vec::new());
        for fault in faults {
            match &fault.moment {
                Moment::At(_) => spared.push(format!(
                    "“{fault}” strikes at an instant of a whole run, not in this drawing"
                )),
                Moment::Step { operation, .. } if *operation != self.name() => {
                    spared.push(format!("“{fault}” strikes in another operation"));
                }
                Moment::Step { .. } => match fault::place(&self.compilation, fault, &self.steps) {
                    Ok(fault) => placed.push(in_this_request(fault)),
                    Err(why) => spared.push(sentence(fault, &why)),
                },
            }
        }
        (placed, spared)
    }

    fn sequence(&self, profile: &Profile, faults: Vec<Fault>) -> Result<(Option<Sequence>, Option<Time>), String> {
        let sound = self.sound.recorded();
        let whole = sequence::parts(&self.compilation, sound, solo::REQUEST);
        let draw = |simulation| sequence::draw(&self.compilation, simulation, solo::REQUEST, whole);
        if faults.is_empty() {
            return Ok((draw(&self.sound), None));
        }
        let broken = solo::run(&self.compilation, profile, faults)?;
        let departs = departure(sound, broken.recorded()).map(|at| self.since_asked(at));
        Ok((draw(&broken), departs))
    }

    /// Every fault that can be placed, once per node and instant.
    fn strikes(&self) -> Vec<Strike> {
        let mut strikes: Vec<Strike> = Vec::new();
        for step in &self.steps {
            strikes.extend(self.crashes(step));
            strikes.extend(self.mishaps(step));
            strikes.extend(self.strike(step, step.began, FaultAction::Refuse, StepPlace::During, Target::Step));
        }
        // Stable: at one instant in the order of the steps.
        strikes.sort_by_key(|strike| strike.at);
        strikes
    }

    fn crashes(&self, step: &PhysicalStep) -> Vec<Strike> {
        let mut taken: Vec<NodeId> = Vec::new();
        let mut strikes = Vec::new();
        for actor in ACTORS {
            let Some(node) = fault::node_of(&self.compilation, self.operation, step, actor) else {
                continue;
            };
            if taken.contains(&node) {
                continue;
            }
            taken.push(node);
            let action = FaultAction::Crash {
                actor,
                restart_after: Some(DOWN),
            };
            let name = self.compilation.deployment.node(node).name.clone();
            // After a step is before the next one.
            let before = (step.number == 1).then_some((StepPlace::Before, step.began));
            let during = step.answered.map(|at| (StepPlace::During, at));
            let after = step.ended.map(|at| (StepPlace::After, at));
            for (place, at) in [before, during, after].into_iter().flatten() {
                let target = Target::Node { name: name.clone() };
                strikes.extend(self.strike(step, at, action, place, target));
            }
        }
        strikes
    }

    /// What can happen to a step's request and to its answer on their way to another node.
    fn mishaps(&self, step: &PhysicalStep) -> Vec<Strike> {
        let program = &self.compilation.programs[step.activation.program.index()];
        let Some(to) = step.asked.filter(|to| *to != program.home) else {
            return Vec::new();
        };
        let name = |node: NodeId| self.compilation.deployment.node(node).name.clone();
        let (here, there) = (name(program.home), name(to));
        let mut actions = vec![
            (FaultAction::Lose(Message::Request), false, Mishap::Lost),
            (FaultAction::Delay(Message::Request, LATE), false, Mishap::Late),
        ];
        // Between a service and a database server the transport drops the double.
        if !matches!(program.step(step.step).op, Op::Statement { .. }) {
            actions.push((FaultAction::Duplicate, false, Mishap::Doubled));
        }
        if step.answered.is_some() {
            actions.push((FaultAction::Lose(Message::Reply), true, Mishap::Lost));
            actions.push((FaultAction::Delay(Message::Reply, LATE), true, Mishap::Late));
        }
        let strike = |(action, reply, what): (FaultAction, bool, Mishap)| {
            let (at, from, to) = if reply {
                (step.answered.unwrap_or(step.began), &there, &here)
            } else {
                (step.began, &here, &there)
            };
            let target = Target::Message {
                from: from.clone(),
                to: to.clone(),
                reply,
                what,
            };
            self.strike(step, at, action, StepPlace::During, target)
        };
        actions.into_iter().filter_map(strike).collect()
    }

    /// `None` if the fault cannot be placed after all.
    fn strike(
        &self,
        step: &PhysicalStep,
        at: Time,
        action: FaultAction,
        place: StepPlace,
        target: Target,
    ) -> Option<Strike> {
        let moment = Moment::Step {
            place,
            step: step.number,
            operation: self.name().to_owned(),
            request: None,
        };
        let fault = scenario::Fault { action, moment };
        fault::place(&self.compilation, &fault, &self.steps).ok()?;
        Some(Strike {
            at: self.since_asked(at),
            target,
            step: step.number,
            label: step.label.clone(),
            fault: fault.to_string(),
        })
    }
}

/// Another request goes before the one that is drawn, and must not be struck in its place.
fn in_this_request(mut fault: Fault) -> Fault {
    if let Trigger::Step(trigger) = &mut fault.trigger {
        trigger.request = Some(solo::REQUEST);
    }
    fault
}

/// The first instant that is not as it would have been.
fn departure(sound: &[Event], other: &[Event]) -> Option<Time> {
    let differs = sound.iter().zip(other).position(|(a, b)| a != b);
    let index = differs.unwrap_or(sound.len().min(other.len()));
    let instants = [sound.get(index), other.get(index)];
    instants.into_iter().flatten().map(|event| event.at).min()
}
