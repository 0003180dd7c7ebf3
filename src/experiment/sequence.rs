//! Recorded events → a drawing: lanes, work, waits, messages, transactions, faults, broken invariants.

use std::collections::BTreeMap;

use base::Time;
use program::{Activation, Compilation, Event, EventKind, NodeId, Outcome, RequestId, Role, StepId, WaitCause};
use report::{Lane, Mark, Sentence, Sequence, Tone};
use sim::{InvariantState, Simulation};

use crate::{fault, listing};

/// Draws one request from the events of a run that ends with it; undisturbed it has `whole` parts. What belongs to nobody's request (crashes,
/// recoveries, relays, invariants) is drawn from the moment when it was asked, to the end: what is mended after
/// the answer belongs to the story.
pub(crate) fn draw(
    compilation: &Compilation,
    simulation: &Simulation,
    request: RequestId,
    whole: u32,
) -> Option<Sequence> {
    let events = simulation.recorded();
    let from = events.iter().find(|event| event.request == Some(request))?.at;
    let mut drawing = Drawing::new(compilation, simulation.invariants(), from);
    for event in of_interest(events, request, from) {
        drawing.add(event);
    }
    Some(drawing.finish(from, whole))
}

/// How many transactions an operation consists of that others can see one without the other. With nothing broken.
pub(crate) fn parts(compilation: &Compilation, events: &[Event], request: RequestId) -> u32 {
    let Some(from) = events.iter().find(|event| event.request == Some(request)) else {
        return 0;
    };
    let mut parts = Parts::default();
    for event in of_interest(events, request, from.at) {
        parts.add(compilation, event);
    }
    parts.committed.iter().map(|(_, done)| *done).max().unwrap_or(0)
}

fn of_interest(events: &[Event], request: RequestId, from: Time) -> impl Iterator<Item = &Event> {
    let concerns =
        move |event: &&Event| event.request == Some(request) || (event.request.is_none() && event.at >= from);
    events.iter().filter(concerns)
}

/// The transactions that carry the operation's own statements, as they commit one after the other. What only keeps
/// books (a saga's log, idempotency keys, the outbox) shows nobody half of anything.
#[derive(Default)]
struct Parts {
    /// What an open transaction has done: a part, or the undoing of one.
    open: BTreeMap<(Activation, NodeId), Change>,
    /// After each commit: how many parts are done.
    committed: Vec<(Time, u32)>,
}

#[derive(Clone, Copy)]
enum Change {
    Done,
    Undone,
}

impl Parts {
    fn add(&mut self, compilation: &Compilation, event: &Event) {
        let change = |activation: &Activation, step: &StepId| {
            let definition = compilation.programs[activation.program.index()].step(*step);
            match definition.role {
                Role::Compensation if listing::sends(&definition.op) => Some(Change::Undone),
                Role::Work | Role::Compensatable | Role::Pivot | Role::Retriable if listing::sends(&definition.op) => {
                    Some(Change::Done)
                }
                _ => None,
            }
        };
        match &event.kind {
            EventKind::WorkStarted { activation, step, .. } => {
                if let Some(change) = change(activation, step) {
                    self.open.insert((*activation, event.node), change);
                }
            }
            EventKind::TransactionRolledBack {
                activation: Some(activation),
            } => {
                self.open.remove(&(*activation, event.node));
            }
            EventKind::TransactionCommitted {
                activation,
                step,
                wrote,
            } => {
                let touched = self.open.remove(&(*activation, event.node));
                if let Some(change) = touched.or_else(|| change(activation, step)).filter(|_| *wrote) {
                    let done = self.committed.last().map_or(0, |(_, done)| *done);
                    let done = match change {
                        Change::Done => done + 1,
                        Change::Undone => done.saturating_sub(1),
                    };
                    self.committed.push((event.at, done));
                }
            }
            _ => {}
        }
    }

    /// The times in which some are done and others are not.
    fn marks(&self, whole: u32, end: Time) -> Vec<Mark> {
        let until = self.committed.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let partly = |((from, done), to): (&(Time, u32), Time)| {
            (*done > 0 && *done < whole).then_some(Mark::Partly {
                from: *from,
                to,
                done: *done,
                of: whole,
            })
        };
        self.committed.iter().zip(until).filter_map(partly).collect()
    }
}

struct Drawing<'a> {
    compilation: &'a Compilation,
    /// By invariant: who read it while it was broken.
    watched: &'a [InvariantState],
    parts: Parts,
    /// Requests and answers of the client on their way: from whom, since when.
    asked: Option<(NodeId, Time)>,
    answer: Option<(NodeId, Time)>,
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
    fn new(compilation: &'a Compilation, watched: &'a [InvariantState], from: Time) -> Drawing<'a> {
        Drawing {
            compilation,
            watched,
            parts: Parts::default(),
            asked: None,
            answer: None,
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
        self.parts.add(self.compilation, event);
        self.say(event);
        let at = event.at;
        match &event.kind {
            EventKind::RequestIssued { operation, .. } => {
                self.lane(event.node);
                self.operation = self.compilation.workload.operation(*operation).name.clone();
                self.asked = Some((event.node, at));
            }
            EventKind::ProgramStarted { .. } => {
                if let Some((client, sent)) = self.asked.take() {
                    self.between(client, event.node, sent, at, false);
                }
            }
            EventKind::ProgramEnded { activation, .. } if self.is_entry(*activation) => {
                self.answer = Some((event.node, at));
            }
            EventKind::RequestAnswered { .. } => {
                if let Some((from, sent)) = self.answer.take() {
                    self.between(from, event.node, sent, at, true);
                }
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
            } => {
                if *cause == WaitCause::Messages && !self.numbers.contains_key(&(*activation, *step)) {
                    // It waited already when the request came.
                    self.begun += 1;
                    self.numbers.insert((*activation, *step), self.begun);
                }
                self.end_wait(*activation, *step, cause, at);
            }
            EventKind::MessageSent { to, reply, arrives, .. } => self.message(event, *to, Some(*arrives), *reply),
            EventKind::MessageLost { to, reply, .. } => self.message(event, *to, None, *reply),
            EventKind::TransactionBegun { activation, .. } => self.transactions.push((*activation, event.node, at)),
            EventKind::TransactionCommitted { activation, .. } | EventKind::TransactionPrepared { activation, .. } => {
                self.end_transaction(Some(*activation), event, true);
            }
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

    /// What the client asked, and what it was answered: the machinery has no event for these messages.
    fn between(&mut self, from: NodeId, to: NodeId, sent: Time, arrives: Time, reply: bool) {
        let (from_lane, to_lane) = (self.lane(from), self.lane(to));
        self.marks.push(Mark::Message {
            from_lane,
            to_lane,
            sent,
            arrives: Some(arrives),
            reply,
        });
    }

    fn is_entry(&self, activation: Activation) -> bool {
        self.compilation.entries.contains(&Some(activation.program))
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
            let windows = self.watched.get(usize::from(invariant)).map(|state| &state.windows);
            let window = windows.and_then(|windows| windows.iter().find(|window| window.from == from));
            self.marks.push(Mark::Broken {
                invariant: name,
                from,
                to,
                readers: window.map_or(0, |window| window.readers),
            });
        }
    }

    fn say(&mut self, event: &Event) {
        let tone = match &event.kind {
            EventKind::RequestIssued { .. }
            | EventKind::TransactionCommitted { .. }
            | EventKind::TransactionPrepared { .. }
            | EventKind::CapacityConsumed { .. }
            | EventKind::ObjectServed { .. }
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
        let nowhere = matches!(
            event.kind,
            EventKind::InvariantBroken { .. } | EventKind::InvariantHolds { .. }
        );
        let lane = (!nowhere).then(|| self.lane(event.node));
        self.sentences.push(Sentence {
            at: event.at,
            text: event.sentence(self.compilation),
            tone,
            lane,
        });
    }

    /// What is still open lasts to the end of the drawing.
    fn finish(mut self, from: Time, whole: u32) -> Sequence {
        let to = self.last;
        self.marks.extend(self.parts.marks(whole, to));
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
        let sequence = Sequence {
            title: format!("{} on {}", self.operation, self.compilation.title),
            operation: self.operation,
            to,
            lanes: self.lanes.iter().map(lane).collect(),
            marks: self.marks,
            sentences: self.sentences,
        };
        sequence.since(from)
    }
}
