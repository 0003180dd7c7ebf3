//! Faults strike: at an instant, or when a step comes to a point.

use base::Nanos;
use program::{FaultAction, NodeId, ProgramId, RequestId, StepId, StepPoint, Trigger};

use crate::activation::Armed;
use crate::plan::Plan;
use crate::world::{Happening, World};

#[derive(Clone, Debug, Hash)]
pub(crate) struct FaultState {
    /// How often each fault's step has come to its point.
    seen: Vec<u32>,
    struck: Vec<bool>,
    /// Crashes that are due as soon as the present happening has been dealt with.
    pub(crate) crashes: Vec<(NodeId, Option<Nanos>)>,
}

impl FaultState {
    pub(crate) fn new(faults: usize) -> FaultState {
        FaultState {
            seen: vec![0; faults],
            struck: vec![false; faults],
            crashes: Vec::new(),
        }
    }

    pub(crate) fn struck(&self) -> &[bool] {
        &self.struck
    }
}

impl World {
    pub(crate) fn plan_faults(&mut self, plan: &Plan) {
        for (index, fault) in plan.faults.iter().enumerate() {
            if let Trigger::At(at) = fault.trigger {
                self.scheduler.at(at, Happening::FaultDue(index as u16));
            }
        }
    }

    pub(crate) fn fault_due(&mut self, plan: &Plan, index: u16) {
        let fault = &plan.faults[usize::from(index)];
        // Messages are lost on behalf of a step: at an instant there is none to strike.
        if let FaultAction::Crash { node, restart_after } = fault.action {
            self.faults.struck[usize::from(index)] = true;
            self.crash(plan, node, restart_after);
        }
    }

    /// A step is about to happen: which of its messages will go wrong. What strikes a message strikes at this
    /// step's next execution, whatever the trigger's point.
    pub(crate) fn arm(&mut self, plan: &Plan, program: ProgramId, step: StepId, request: Option<RequestId>) -> Armed {
        let mut armed = Armed::default();
        if !plan.is_struck(program) {
            return armed;
        }
        for index in plan.faults_at(program, step) {
            let action = &plan.faults[usize::from(index)].action;
            if matches!(action, FaultAction::Crash { .. }) || !self.strikes(plan, index, request, None) {
                continue;
            }
            match action {
                FaultAction::LoseRequest => armed.lose_request = true,
                FaultAction::LoseReply => armed.lose_reply = true,
                FaultAction::DelayRequest(span) => armed.delay_request = *span,
                FaultAction::DelayReply(span) => armed.delay_reply = *span,
                FaultAction::DuplicateRequest => armed.duplicate = true,
                FaultAction::Refuse { .. } => armed.refuse = Some(index),
                FaultAction::Crash { .. } => {}
            }
        }
        armed
    }

    /// A step is at a point: is a crash due there? It then happens once the present happening is dealt with.
    pub(crate) fn strike(
        &mut self,
        plan: &Plan,
        program: ProgramId,
        step: StepId,
        request: Option<RequestId>,
        point: StepPoint,
    ) -> bool {
        if !plan.is_struck(program) {
            return false;
        }
        let mut any = false;
        for index in plan.faults_at(program, step) {
            if let FaultAction::Crash { node, restart_after } = plan.faults[usize::from(index)].action
                && self.strikes(plan, index, request, Some(point))
            {
                self.faults.crashes.push((node, restart_after));
                any = true;
            }
        }
        any
    }

    /// Counts, and strikes once.
    fn strikes(&mut self, plan: &Plan, index: u16, request: Option<RequestId>, point: Option<StepPoint>) -> bool {
        let Trigger::Step(trigger) = &plan.faults[usize::from(index)].trigger else {
            return false;
        };
        let index = usize::from(index);
        let chosen = trigger.request.is_none() || trigger.request == request;
        if !chosen || self.faults.struck[index] || point.is_some_and(|point| point != trigger.point) {
            return false;
        }
        let seen = self.faults.seen[index];
        self.faults.seen[index] += 1;
        self.faults.struck[index] = seen == trigger.occurrence;
        self.faults.struck[index]
    }

    pub(crate) fn refusal_message(plan: &Plan, index: u16) -> String {
        match &plan.faults[usize::from(index)].action {
            FaultAction::Refuse { message } => message.clone(),
            _ => String::new(),
        }
    }

    /// Crashes that a point has brought about happen now, before anything else is done for the step.
    pub(crate) fn crash_now(&mut self, plan: &Plan) {
        while let Some((node, restart_after)) = self.faults.crashes.pop() {
            self.crash(plan, node, restart_after);
        }
    }
}
