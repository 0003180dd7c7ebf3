//! From a fault by role ("crash the orchestrator after step 3 of create_user") to the node and the
//! physical step of one design.
//!
//! The physical steps of an operation are read off a fault-free execution of it: what it really sends,
//! in order, with the steps of the programs that it calls. A step's number is what the listing beside a
//! drawing shows.

use std::collections::BTreeMap;

use base::Time;
use program::{
    Activation, Compilation, Event, EventKind, Fault, FaultAction, NodeId, Op, OperationId, ProgramId, ProgramKind,
    RequestId, StepId, StepPoint, StepTrigger, Trigger, WaitCause,
};

/// One physical step of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhysicalStep {
    /// From 1.
    pub(crate) number: u32,
    pub(crate) activation: Activation,
    pub(crate) step: StepId,
    /// How often the same step of the same program had begun before, been answered before, and ended before: several
    /// consumers that wait at the same step are not answered in the order in which they began.
    pub(crate) begun_before: u32,
    pub(crate) answered_before: Option<u32>,
    pub(crate) ended_before: Option<u32>,
    /// The steps of relays and recoveries belong to nobody's request.
    pub(crate) request: Option<RequestId>,
    pub(crate) label: String,
    /// Whom its first request went to, if it sent one.
    pub(crate) asked: Option<NodeId>,
    pub(crate) began: Time,
    /// When the first answer to it set out: its effect has happened, the one who asked does not know yet.
    pub(crate) answered: Option<Time>,
    pub(crate) ended: Option<Time>,
}

/// The physical steps of a request among recorded events, in order of start, with those of relays, consumers and
/// recoveries since then. A read that was already waiting for messages counts when they have come.
pub(crate) fn physical_steps(compilation: &Compilation, events: &[Event], request: RequestId) -> Vec<PhysicalStep> {
    let mut steps: Vec<PhysicalStep> = Vec::new();
    let mut counts = Counts::default();
    let mut waiting: Vec<PhysicalStep> = Vec::new();
    let mut asked = false;
    for event in events {
        asked |= event.request == Some(request);
        if asked && let Some(index) = woken(&waiting, event) {
            let number = steps.len() as u32 + 1;
            let step = waiting.remove(index);
            steps.push(PhysicalStep { number, ..step });
        }
        note(&mut steps, &mut counts, event);
        let EventKind::StepStarted { activation, step } = event.kind else {
            continue;
        };
        let definition = compilation.programs[activation.program.index()].step(step);
        if !is_physical(&definition.op) {
            continue;
        }
        let begun_before = counts.count(activation, step, event.request, StepPoint::Before);
        let begun = PhysicalStep {
            number: steps.len() as u32 + 1,
            activation,
            step,
            begun_before,
            answered_before: None,
            ended_before: None,
            request: event.request,
            label: definition.label.clone(),
            asked: None,
            began: event.at,
            answered: None,
            ended: None,
        };
        if asked && event.request.is_none_or(|other| other == request) {
            steps.push(begun);
        } else if event.request.is_none() && matches!(definition.op, Op::Bus { .. }) {
            waiting.push(begun);
        }
    }
    steps
}

/// Which of these steps has waited for messages until now.
fn woken(steps: &[PhysicalStep], event: &Event) -> Option<usize> {
    let EventKind::WaitEnded {
        activation,
        step,
        cause: WaitCause::Messages,
    } = event.kind
    else {
        return None;
    };
    let is_it = |known: &PhysicalStep| known.activation == activation && known.step == step;
    steps.iter().rposition(is_it)
}

/// How often each step has come to each point.
#[derive(Default)]
struct Counts(BTreeMap<(ProgramId, StepId, Option<RequestId>, u8), u32>);

impl Counts {
    /// How often it had before.
    fn count(&mut self, activation: Activation, step: StepId, request: Option<RequestId>, point: StepPoint) -> u32 {
        let count = self
            .0
            .entry((activation.program, step, request, point as u8))
            .or_default();
        *count += 1;
        *count - 1
    }
}

/// Writes down what becomes of a step that has begun.
fn note(steps: &mut [PhysicalStep], counts: &mut Counts, event: &Event) {
    let (activation, step, point) = match event.kind {
        EventKind::MessageSent {
            activation,
            step,
            reply,
            ..
        } => (activation, step, reply.then_some(StepPoint::Done)),
        EventKind::StepEnded { activation, step, .. } => (activation, step, Some(StepPoint::After)),
        _ => return,
    };
    let before = point.map(|point| counts.count(activation, step, event.request, point));
    // A step in a loop ends before it begins again.
    let begun = |known: &&mut PhysicalStep| known.activation == activation && known.step == step;
    let Some(found) = steps.iter_mut().rev().find(begun) else {
        return;
    };
    match event.kind {
        EventKind::MessageSent { to, reply: false, .. } => found.asked = found.asked.or(Some(to)),
        EventKind::MessageSent { reply: true, .. } => {
            found.answered = found.answered.or(Some(event.at));
            found.answered_before = found.answered_before.or(before);
        }
        _ => {
            found.ended = found.ended.or(Some(event.at));
            found.ended_before = found.ended_before.or(before);
        }
    }
}

/// Does the step leave its process, or take time? Decisions over registers do not.
pub(crate) fn is_physical(op: &Op) -> bool {
    matches!(
        op,
        Op::Acquire { .. }
            | Op::Statement { .. }
            | Op::Item { .. }
            | Op::Object { .. }
            | Op::Bus { .. }
            | Op::Call { .. }
            | Op::Send { .. }
            | Op::Compose { .. }
            | Op::Work { .. }
    )
}

/// The node that plays a role in a step of an operation; `None` if the design has nobody for it.
pub(crate) fn node_of(
    compilation: &Compilation,
    operation: OperationId,
    step: &PhysicalStep,
    actor: scenario::Actor,
) -> Option<NodeId> {
    let deployment = &compilation.deployment;
    let program = &compilation.programs[step.activation.program.index()];
    match actor {
        scenario::Actor::Client => {
            let index = deployment
                .nodes
                .iter()
                .position(|node| node.kind == program::NodeKind::Client)?;
            Some(NodeId(index as u16))
        }
        scenario::Actor::Orchestrator => {
            let entry = compilation.entries.get(operation.index()).copied().flatten()?;
            Some(compilation.programs[entry.index()].home)
        }
        scenario::Actor::Service => Some(program.home),
        scenario::Actor::Server => match &program.step(step.step).op {
            Op::Statement { .. } => step.asked,
            _ => None,
        },
        scenario::Actor::Relay => {
            let relay = |program: &&program::Program| matches!(program.kind, ProgramKind::Periodic { .. });
            compilation.programs.iter().find(relay).map(|program| program.home)
        }
        scenario::Actor::Bus => event_bus(compilation),
    }
}

fn event_bus(compilation: &Compilation) -> Option<NodeId> {
    let mut nodes = compilation.deployment.nodes.iter();
    let index = nodes.position(|node| node.kind == program::NodeKind::EventBus)?;
    Some(NodeId(index as u16))
}

/// Why a fault cannot strike on a design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unplaceable {
    /// The design cannot express the operation, or the scenario has none of that name.
    Operation,
    /// The operation has only so many physical steps on this design.
    Step { steps: u32 },
    /// Nobody plays this role in this step here.
    Actor,
}

/// Places a fault on a design, given the physical steps of a fault-free execution of its operation.
pub(crate) fn place(
    compilation: &Compilation,
    fault: &scenario::Fault,
    steps: &[PhysicalStep],
) -> Result<Fault, Unplaceable> {
    let (place, number, name, request) = match &fault.moment {
        scenario::Moment::At(at) => {
            let action = crash_at_instant(compilation, fault)?;
            return Ok(Fault {
                trigger: Trigger::At(*at),
                action,
            });
        }
        scenario::Moment::Step {
            place,
            step,
            operation,
            request,
        } => (*place, *step, operation, *request),
    };
    let operation = operation_id(compilation, name).ok_or(Unplaceable::Operation)?;
    let step = (number.checked_sub(1).and_then(|index| steps.get(index as usize))).ok_or(Unplaceable::Step {
        steps: steps.len() as u32,
    })?;
    let action = match fault.action {
        scenario::FaultAction::Crash { actor, restart_after } => {
            let node = node_of(compilation, operation, step, actor).ok_or(Unplaceable::Actor)?;
            FaultAction::Crash { node, restart_after }
        }
        scenario::FaultAction::Lose(scenario::Message::Request) => FaultAction::LoseRequest,
        scenario::FaultAction::Lose(scenario::Message::Reply) => FaultAction::LoseReply,
        scenario::FaultAction::Delay(scenario::Message::Request, span) => FaultAction::DelayRequest(span),
        scenario::FaultAction::Delay(scenario::Message::Reply, span) => FaultAction::DelayReply(span),
        scenario::FaultAction::Duplicate => FaultAction::DuplicateRequest,
        scenario::FaultAction::Refuse => FaultAction::Refuse {
            message: format!("refused: {}", step.label),
        },
    };
    let point = match place {
        // What strikes a message, or refuses a step, strikes when the step begins.
        _ if !matches!(action, FaultAction::Crash { .. }) => StepPoint::Before,
        scenario::StepPlace::Before => StepPoint::Before,
        scenario::StepPlace::During => StepPoint::Done,
        scenario::StepPlace::After => StepPoint::After,
    };
    Ok(Fault {
        trigger: trigger(step, point, request.map(RequestId)),
        action,
    })
}

/// Strikes when this step of this execution, or of a given request's, comes to the point.
pub(crate) fn trigger(step: &PhysicalStep, point: StepPoint, request: Option<RequestId>) -> Trigger {
    Trigger::Step(StepTrigger {
        program: step.activation.program,
        step: step.step,
        point,
        request,
        occurrence: match point {
            StepPoint::Before => step.begun_before,
            StepPoint::Done => step.answered_before.unwrap_or(step.begun_before),
            StepPoint::After => step.ended_before.unwrap_or(step.begun_before),
        },
    })
}

pub(crate) fn operation_id(compilation: &Compilation, name: &str) -> Option<OperationId> {
    let index = compilation
        .workload
        .operations
        .iter()
        .position(|operation| operation.name == name)?;
    compilation.entries.get(index).copied().flatten()?;
    Some(OperationId(index as u16))
}

/// At an instant no step tells which service or server is meant: the first of its kind that runs or
/// serves any operation.
fn crash_at_instant(compilation: &Compilation, fault: &scenario::Fault) -> Result<FaultAction, Unplaceable> {
    let scenario::FaultAction::Crash { actor, restart_after } = fault.action else {
        return Err(Unplaceable::Actor);
    };
    let entry = compilation
        .entries
        .iter()
        .flatten()
        .next()
        .ok_or(Unplaceable::Operation)?;
    let home = compilation.programs[entry.index()].home;
    let first = |kind: program::NodeKind| {
        let index = compilation.deployment.nodes.iter().position(|node| node.kind == kind);
        index.map(|index| NodeId(index as u16))
    };
    let node = match actor {
        scenario::Actor::Client => first(program::NodeKind::Client),
        scenario::Actor::Orchestrator | scenario::Actor::Service => Some(home),
        scenario::Actor::Server => first(program::NodeKind::SqlServer),
        scenario::Actor::Relay => {
            let relay = |program: &&program::Program| matches!(program.kind, ProgramKind::Periodic { .. });
            compilation.programs.iter().find(relay).map(|program| program.home)
        }
        scenario::Actor::Bus => event_bus(compilation),
    };
    Ok(FaultAction::Crash {
        node: node.ok_or(Unplaceable::Actor)?,
        restart_after,
    })
}
