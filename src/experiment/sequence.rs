//! Recorded events → a drawing: lanes, work, waits, messages, transactions, faults, broken invariants.

use std::collections::BTreeMap;

use base::Time;
use program::{Activation, Compilation, Event, EventKind, NodeId, Outcome, RequestId, StepId, WaitCause};
use report::{Lane, Mark, Sentence, Sequence, Tone};

use crate::{fault, listing};

/// Draws one request from the events of a run that ends with it. What belongs to nobody's request (crashes,
/// recoveries, relays, invariants) is drawn from the moment when it was asked, to the end: what is mended after
/// the answer belongs to the story.
pub(crate) fn draw(compilation: &Compilation, events: &[Event], request: RequestId) -> Option<Sequence> {
    let from = events.iter().find(|event| event.request == Some(request))?.at;
    let mut drawing = Drawing::new(compilation, from);
    for event in events {
        if event.request == Some(request) || (event.request.is_none() && event.at >= from) {
            drawing.add(event);
        }
    }
    Some(drawing.finish(from))
}

struct Drawing<'a> {
    compilation: &'a Compilation,
    operation: String,
    lanes: Vec<NodeId>,
    marks: Vec<Mark>,
    sentences: Vec<Sentence>,
    /// Physical steps begun so far, and the number of each.
    begun: u32,
    numbers: BTreeMap<(Activation, StepId), u32>,
    waits: Vec<(Activation, StepId, WaitCause, Time, NodeId)>,
    transactions: Vec<(Activation, NodeId, Time)>,
    down: Vec<(NodeId, Time)>,
    broken: Vec<(u16, Time)>,
    last: Time,
}

impl<'a> Drawing<'a> {
    fn new(compilation: &'a Compilation, from: Time) -> Drawing<'a> {
        Drawing {
            compilation,
            operation: String::new(),
            lanes: Vec::new(),
            marks: Vec::new(),
            sentences: Vec::new(),
            begun: 0,
            numbers: BTreeMap::new(),
            waits: Vec::new(),
            transactions: Vec::new(),
            down: Vec::new(),
            broken: Vec::new(),
            last: from,
        }
    }

    fn lane(&mut self, node: NodeId) -> u16 {
        let index = self.lanes.iter().position(|lane| *lane == node).unwrap_or_else(|| {
            self.lanes.push(node);
            self.lanes.len() - 1
        });
        index as u16
    }

    /// The number of a step that has begun: the same that a fault names it by.
    fn number(&self, activation: Activation, step: StepId) -> u32 {
        self.numbers.get(&(activation, step)).copied().unwrap_or(self.begun)
    }

    fn add(&mut self, event: &Event) {
        self.last = self.last.max(event.at);
        self.say(event);
        let at = event.at;
        match &event.kind {
            EventKind::RequestIssued { operation, .. } => {
                self.lane(event.node);
                self.operation = self.compilation.workload.operation(*operation).name.clone();
            }
            EventKind::StepStarted { activation, step } => {
                let definition = self.compilation.programs[activation.program.index()].step(*step);
                if fault::is_physical(&definition.op) {
                    self.begun += 1;
                    self.numbers.insert((*activation, *step), self.begun);
                }
            }
            EventKind::WorkStarted {
                activation,
                step,
                duration,
            } => {
                let program = &self.compilation.programs[activation.program.index()];
                let definition = program.step(*step);
                let (lane, number) = (self.lane(event.node), self.number(*activation, *step));
                let (label, sql) = (
                    definition.label.clone(),
                    listing::sent(self.compilation, program, &definition.op),
                );
                let (to, role) = (at + *duration, definition.role);
                self.last = self.last.max(to);
                self.marks.push(Mark::Work {
                    lane,
                    from: at,
                    to,
                    step: number,
                    label,
                    sql,
                    role,
                });
            }
            EventKind::WaitStarted {
                activation,
                step,
                cause,
            } => {
                self.waits.push((*activation, *step, cause.clone(), at, event.node));
            }
            EventKind::WaitEnded {
                activation,
                step,
                cause,
            } => self.end_wait(*activation, *step, cause, at),
            EventKind::MessageSent { to, reply, arrives, .. } => self.message(event, *to, Some(*arrives), *reply),
            EventKind::MessageLost { to, reply, .. } => self.message(event, *to, None, *reply),
            EventKind::TransactionBegun { activation, .. } => self.transactions.push((*activation, event.node, at)),
            EventKind::TransactionCommitted { activation, .. } => self.end_transaction(Some(*activation), event, true),
            EventKind::TransactionRolledBack { activation } => self.end_transaction(*activation, event, false),
            EventKind::NodeCrashed => {
                let lane = self.lane(event.node);
                self.marks.push(Mark::Fault {
                    lane,
                    at,
                    label: "crash".to_owned(),
                });
                self.down.push((event.node, at));
            }
            EventKind::NodeRestarted => self.up(event.node, at),
            EventKind::InvariantBroken { invariant, .. } => self.broken.push((*invariant, at)),
            EventKind::InvariantHolds { invariant } => self.mend(*invariant, at),
            _ => {}
        }
    }

    fn message(&mut self, event: &Event, to: NodeId, arrives: Option<Time>, reply: bool) {
        let (from_lane, to_lane) = (self.lane(event.node), self.lane(to));
        self.last = self.last.max(arrives.unwrap_or(event.at));
        self.marks.push(Mark::Message {
            from_lane,
            to_lane,
            sent: event.at,
            arrives,
            reply,
        });
        if arrives.is_none() {
            self.marks.push(Mark::Fault {
                lane: from_lane,
                at: event.at,
                label: "message lost".to_owned(),
            });
        }
    }

    fn end_wait(&mut self, activation: Activation, step: StepId, cause: &WaitCause, to: Time) {
        let found = self
            .waits
            .iter()
            .position(|wait| wait.0 == activation && wait.1 == step && wait.2 == *cause);
        if let Some(index) = found {
            let (_, _, cause, from, node) = self.waits.remove(index);
            if from < to {
                let lane = self.lane(node);
                self.marks.push(Mark::Wait {
                    lane,
                    from,
                    to,
                    cause: cause.to_string(),
                });
            }
        }
    }

    fn end_transaction(&mut self, activation: Option<Activation>, event: &Event, committed: bool) {
        let matches = |open: &(Activation, NodeId, Time)| {
            open.1 == event.node && activation.is_none_or(|activation| open.0 == activation)
        };
        if let Some(index) = self.transactions.iter().position(matches) {
            let (_, node, from) = self.transactions.remove(index);
            let lane = self.lane(node);
            self.marks.push(Mark::Transaction {
                lane,
                from,
                to: event.at,
                committed,
            });
        }
    }

    fn up(&mut self, node: NodeId, to: Time) {
        if let Some(index) = self.down.iter().position(|down| down.0 == node) {
            let (_, from) = self.down.remove(index);
            let lane = self.lane(node);
            self.marks.push(Mark::Down { lane, from, to });
        }
    }

    fn mend(&mut self, invariant: u16, to: Time) {
        if let Some(index) = self.broken.iter().position(|broken| broken.0 == invariant) {
            let (_, from) = self.broken.remove(index);
            let name = self.compilation.invariants[usize::from(invariant)].name.clone();
            self.marks.push(Mark::Broken {
                invariant: name,
                from,
                to,
                readers: 0,
            });
        }
    }

    fn say(&mut self, event: &Event) {
        let tone = match &event.kind {
            EventKind::RequestIssued { .. }
            | EventKind::TransactionCommitted { .. }
            | EventKind::CapacityConsumed { .. }
            | EventKind::RequestAnswered {
                outcome: Outcome::Done, ..
            } => Tone::Plain,
            EventKind::StepEnded {
                activation,
                step,
                outcome,
                ..
            } => {
                let op = &self.compilation.programs[activation.program.index()].step(*step).op;
                match outcome {
                    Outcome::Failed(_) => Tone::Bad,
                    Outcome::Done if listing::sends(op) => Tone::Plain,
                    Outcome::Done => return,
                }
            }
            EventKind::WaitStarted {
                cause: WaitCause::Lock(_) | WaitCause::NodeDown | WaitCause::Backoff,
                ..
            } => Tone::Plain,
            EventKind::RequestAnswered { .. }
            | EventKind::MessageLost { .. }
            | EventKind::TransactionRolledBack { .. }
            | EventKind::NodeCrashed
            | EventKind::InvariantBroken { .. } => Tone::Bad,
            EventKind::NodeRestarted | EventKind::InvariantHolds { .. } => Tone::Good,
            _ => return,
        };
        self.sentences.push(Sentence {
            at: event.at,
            text: event.sentence(self.compilation),
            tone,
        });
    }

    /// What is still open lasts to the end of the drawing.
    fn finish(mut self, from: Time) -> Sequence {
        let to = self.last;
        for (activation, step, cause, _, _) in self.waits.clone() {
            self.end_wait(activation, step, &cause, to);
        }
        for (_, node, from) in std::mem::take(&mut self.transactions) {
            let lane = self.lane(node);
            self.marks.push(Mark::Transaction {
                lane,
                from,
                to,
                committed: false,
            });
        }
        for (node, _) in self.down.clone() {
            self.up(node, to);
        }
        for (invariant, _) in self.broken.clone() {
            self.mend(invariant, to);
        }
        let nodes = &self.compilation.deployment;
        let lane = |id: &NodeId| Lane {
            name: nodes.node(*id).name.clone(),
            kind: nodes.node(*id).kind,
        };
        Sequence {
            title: format!("{} on {}", self.operation, self.compilation.title),
            operation: self.operation,
            from,
            to,
            lanes: self.lanes.iter().map(lane).collect(),
            marks: self.marks,
            sentences: self.sentences,
        }
    }
}
