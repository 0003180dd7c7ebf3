//! A request to DynamoDB travels, takes its time there, and is answered.
//!
//! ```text
//! service ──▶ first round: time by the profile, the engine ── Done ──────────────┐
//!                    │ Prepared                                                  ▼
//!                    └─▶ second round: time again, the engine ─▶ time for each item read ──▶ service
//! ```

use std::sync::Arc;

use base::Nanos;
use engine_dynamo::{Action, Begun, Failure, FailureName, Outcome, Reply, Request, TransactionId};
use engine_sql::{Output, Tag};
use program::profile::DynamoCosts;
use program::{Error, ErrorClass, EventKind, ItemTableId, NodeId, Op, RequestId, StepId, StepPoint};

use super::request::{Made, Maker};
use crate::activation::{Activation, Answer, Armed, FiberRef, Pending};
use crate::arena::Key;
use crate::interpreter::Flow;
use crate::network::Message;
use crate::plan::Plan;
use crate::world::{Happening, World};

/// A request that DynamoDB has, or is about to get.
#[derive(Clone, Debug, Hash)]
pub(crate) struct ItemMessage {
    pub(crate) table: ItemTableId,
    pub(crate) request: Arc<Request>,
    /// Who waits for the answer, and to which part of its request; `None`: a second copy of a doubled request.
    asker: Option<(FiberRef, u16)>,
    from: NodeId,
    activation: program::Activation,
    step: StepId,
    on_behalf: Option<RequestId>,
    armed: Armed,
}

impl World {
    pub(crate) fn start_item(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let step = activation.fiber(fiber).step;
        let Op::Item {
            table,
            request,
            columns,
            ..
        } = &plan.program(activation.id.program).step(step).op
        else {
            return Flow::Wait;
        };
        let present = self.present(plan, activation);
        let table = &plan.compilation.deployment.item_tables[table.index()];
        let maker = Maker {
            scope: activation.scope(fiber),
            present,
        };
        let cost = plan.profile.service.step_ns;
        match maker.make(table, request, columns) {
            Err(error) => self.step_failed(plan, key, activation, fiber, error),
            Ok(Made::Nothing) => {
                activation.fiber(fiber).answer = Some(Answer::Output(Ok(output(Vec::new(), 0))));
                self.occupy(plan, key, activation, fiber, Pending::Taking, Nanos::ZERO)
            }
            Ok(Made::Call(call)) => {
                activation.fiber(fiber).item = Some(Box::new(call));
                self.occupy(plan, key, activation, fiber, Pending::Sending, cost)
            }
        }
    }

    /// The request leaves, or as many as may wait at once.
    pub(crate) fn send_item(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let waiting = activation.wait(key, fiber, Pending::Answer);
        // What strikes strikes the first message.
        let mut armed = std::mem::take(&mut activation.fiber(fiber).armed);
        while let Some(part) = activation.fiber(fiber).item.as_mut().and_then(|call| call.next_part()) {
            self.send_part(plan, activation, waiting, part, std::mem::take(&mut armed));
        }
        Flow::Wait
    }

    fn send_part(&mut self, plan: &Plan, activation: &Activation, waiting: FiberRef, part: u16, armed: Armed) {
        let state = &activation.fibers[usize::from(waiting.fiber)];
        let step = state.step;
        let (Some(request), Op::Item { table, .. }) = (
            state.item.as_ref().and_then(|call| call.request(part)),
            &plan.program(activation.id.program).step(step).op,
        ) else {
            return;
        };
        let to = plan.compilation.deployment.item_tables[table.index()].node;
        let message = Message {
            lost: armed.lose_request,
            delay: armed.delay_request,
            ..Message::request(activation.node, to, activation.request, activation.id, step)
        };
        for copy in 0..1 + u8::from(armed.duplicate) {
            if let Some(arrives) = self.transmit(plan, message) {
                let item = ItemMessage {
                    table: *table,
                    request: Arc::clone(&request),
                    asker: (copy == 0).then_some((waiting, part)),
                    from: activation.node,
                    activation: activation.id,
                    step,
                    on_behalf: activation.request,
                    armed,
                };
                self.quiet.travelling += 1;
                self.scheduler.at(arrives, Happening::ItemArrives(Box::new(item)));
            }
        }
        if armed.lose_request || armed.lose_reply {
            self.scheduler
                .timer(plan.profile.recovery.silence_ns, Happening::CallTimeout(waiting));
        }
    }

    /// It takes its time before anything has happened.
    pub(crate) fn item_arrives(&mut self, plan: &Plan, message: Box<ItemMessage>) {
        let node = plan.compilation.deployment.item_tables[message.table.index()].node;
        let costs = &plan.profile.dynamo;
        let jitter = match &mut self.nodes[node.index()].items {
            Some(service) if costs.jitter_mean_ns > Nanos::ZERO => service.jitter.exponential(costs.jitter_mean_ns),
            _ => Nanos::ZERO,
        };
        let takes = costs.request_ns + first_round(costs, &message.request) + jitter;
        self.item_works(node, &message, takes);
        self.scheduler.after(takes, Happening::ItemDue(message));
    }

    /// The engine does it; a transaction's first round.
    pub(crate) fn item_due(&mut self, plan: &Plan, message: Box<ItemMessage>) {
        let now = self.now();
        let node = plan.compilation.deployment.item_tables[message.table.index()].node;
        if let Some(fault) = message.armed.refuse {
            let error = Error {
                class: ErrorClass::Refused,
                code: None,
                message: World::refusal_message(plan, fault),
            };
            return self.item_answered(plan, node, *message, Err(error), Nanos::ZERO);
        }
        let Some(service) = &mut self.nodes[node.index()].items else {
            return;
        };
        service.used.requests += 1;
        match service.engine.begin(&message.request, now) {
            Begun::Done(outcome) => self.item_done(plan, node, *message, outcome),
            Begun::Prepared(id) => {
                if is_write(&message.request) {
                    let (activation, step) = (message.activation, message.step);
                    self.emit(
                        node,
                        message.on_behalf,
                        EventKind::TransactionBegun { activation, step },
                    );
                }
                let takes = first_round(&plan.profile.dynamo, &message.request);
                self.item_works(node, &message, takes);
                self.scheduler.after(takes, Happening::ItemFinishes(message, id));
            }
        }
    }

    /// A transaction's second round. Nobody needs to wait for it any more: DynamoDB brings it to its end.
    pub(crate) fn item_finishes(&mut self, plan: &Plan, message: ItemMessage, id: TransactionId) {
        let now = self.now();
        let node = plan.compilation.deployment.item_tables[message.table.index()].node;
        if let Some(service) = &mut self.nodes[node.index()].items {
            let outcome = service.engine.finish(id, now);
            self.item_done(plan, node, message, outcome);
        }
    }

    fn item_works(&mut self, node: NodeId, message: &ItemMessage, duration: Nanos) {
        if duration > Nanos::ZERO {
            let (activation, step) = (message.activation, message.step);
            let work = EventKind::WorkStarted {
                activation,
                step,
                duration,
            };
            self.emit(node, message.on_behalf, work);
        }
    }

    /// What it has come to, and what that has used up.
    fn item_done(&mut self, plan: &Plan, node: NodeId, message: ItemMessage, outcome: Outcome) {
        self.trace.item(|| super::KeptItem {
            on_behalf: message.on_behalf,
            request: Arc::clone(&message.request),
            outcome: outcome.clone(),
        });
        let Outcome { result, consumed } = outcome;
        let (activation, step, on_behalf) = (message.activation, message.step, message.on_behalf);
        if let Some(service) = &mut self.nodes[node.index()].items {
            service.used.add(&consumed);
            if let Err(failure) = &result {
                service.used.throttled += u64::from(failure.throttled.is_some());
                service.used.conflicts += u64::from(is_conflict(failure));
            }
        }
        for one in &consumed {
            let total = one.total();
            let kind = EventKind::CapacityConsumed {
                activation,
                step,
                read_halves: total.read_halves,
                write_halves: total.write_halves,
                transactional: one.transactional,
            };
            self.emit(node, on_behalf, kind);
        }
        match &result {
            Ok(Reply::Written(_) | Reply::Transacted) if wrote(&message.request, &consumed) => {
                let kind = EventKind::TransactionCommitted {
                    activation,
                    step,
                    wrote: true,
                };
                self.emit(node, on_behalf, kind);
                self.quiet.changes += 1;
                self.watch_items(plan, node, message.table);
            }
            Ok(_) => self.watch_reader(plan, on_behalf),
            Err(_) => {}
        }
        let read = match &result {
            Ok(Reply::Page(page)) => page.scanned,
            Ok(Reply::BatchGot { responses, .. }) => responses.values().map(|items| items.len() as u64).sum(),
            _ => 0,
        };
        let takes = Nanos(plan.profile.dynamo.item_ns.0.saturating_mul(read.saturating_sub(1)));
        self.item_answered(plan, node, message, Ok(result), takes);
    }

    /// The answer leaves, after so much more work.
    fn item_answered(&mut self, plan: &Plan, node: NodeId, message: ItemMessage, answer: ItemAnswer, takes: Nanos) {
        let (activation, step, on_behalf) = (message.activation, message.step, message.on_behalf);
        if self.strike(plan, activation.program, step, on_behalf, StepPoint::Done) {
            self.crash_now(plan);
        }
        self.item_works(node, &message, takes);
        if takes == Nanos::ZERO {
            return self.item_leaves(plan, (message, answer));
        }
        self.scheduler
            .after(takes, Happening::ItemLeaves(Box::new((message, answer))));
    }

    pub(crate) fn item_leaves(&mut self, plan: &Plan, (message, answer): (ItemMessage, ItemAnswer)) {
        self.quiet.travelling -= 1;
        let node = plan.compilation.deployment.item_tables[message.table.index()].node;
        let (activation, step) = (message.activation, message.step);
        let Some((fiber, part)) = message.asker else { return };
        let reply = Message {
            reply: true,
            lost: message.armed.lose_reply,
            delay: message.armed.delay_reply,
            ..Message::request(node, message.from, message.on_behalf, activation, step)
        };
        if let Some(arrives) = self.transmit(plan, reply) {
            let answer = Box::new(answer);
            self.scheduler
                .at(arrives, Happening::ItemReturns { fiber, part, answer });
        }
    }

    /// An answer has come: asks for what is next, or ends the step.
    pub(crate) fn item_returns(&mut self, plan: &Plan, waiting: FiberRef, part: u16, answer: ItemAnswer) {
        if !self.is_waiting(waiting) {
            return;
        }
        let Some(mut activation) = self.activations.borrow(waiting.activation) else {
            return;
        };
        let fiber = waiting.fiber;
        let (program, step) = (activation.id.program, activation.fiber(fiber).step);
        let (Some(mut call), Op::Item { request, columns, .. }) = (
            activation.fiber(fiber).item.take(),
            &plan.program(program).step(step).op,
        ) else {
            return self.activations.put(waiting.activation, activation);
        };
        let costs = &plan.profile.service;
        call.owed += costs.step_ns;
        let reply = match answer {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(failure)) => Err(call.error(request, &failure)),
            Err(error) => Err(error),
        };
        let result = match reply {
            Err(error) => Err(error),
            Ok(reply) => {
                call.owed += Nanos(costs.row_ns.0.saturating_mul(items_in(&reply)));
                let next = if call.take(part, request, columns, reply) {
                    Some(part)
                } else {
                    call.next_part()
                };
                if call.open > 0 {
                    call.owed += Nanos(costs.step_ns.0 * u64::from(next.is_some()));
                    activation.fiber(fiber).item = Some(call);
                    if let Some(part) = next {
                        self.send_part(plan, &activation, waiting, part, Armed::default());
                    }
                    return self.activations.put(waiting.activation, activation);
                }
                Ok(())
            }
        };
        let owed = call.owed;
        let result = result.map(|()| {
            let (rows, count) = call.gathered();
            output(rows, count)
        });
        activation.fiber(fiber).answer = Some(Answer::Output(result));
        let flow = self.occupy(plan, waiting.activation, &mut activation, fiber, Pending::Taking, owed);
        self.drive(plan, waiting.activation, activation, fiber, flow);
    }
}

/// What DynamoDB has answered; an error is a fault's refusal.
pub(crate) type ItemAnswer = Result<Result<Reply, Box<Failure>>, Error>;

fn items_in(reply: &Reply) -> u64 {
    let count = match reply {
        Reply::Page(page) => page.items.len(),
        Reply::BatchGot { responses, .. } => responses.values().map(Vec::len).sum(),
        Reply::Items(items) => items.iter().flatten().count(),
        Reply::Item(item) | Reply::Written(item) => usize::from(item.is_some()),
        Reply::Table(_) | Reply::BatchWritten { .. } | Reply::Transacted => 0,
    };
    count as u64
}

fn output(rows: Vec<base::Row>, count: u64) -> Output {
    Output {
        tag: Tag {
            verb: "",
            rows: Some(count),
        },
        rows,
        ..Output::default()
    }
}

/// Of a transaction both rounds take as long.
fn first_round(costs: &DynamoCosts, request: &Request) -> Nanos {
    let strong = |consistent: bool| if consistent { costs.strong_read_ns } else { Nanos::ZERO };
    match request {
        Request::GetItem(get) => costs.read_ns + strong(get.consistent),
        Request::BatchGetItem { tables } => costs.read_ns + strong(tables.values().any(|batch| batch.consistent)),
        Request::Query(query) => costs.page_ns + strong(query.read.consistent),
        Request::Scan(scan) => costs.page_ns + strong(scan.read.consistent),
        Request::Write(_) | Request::BatchWriteItem { .. } => costs.write_ns,
        Request::TransactWriteItems { .. } => costs.write_round_ns,
        Request::TransactGetItems { .. } => costs.read_round_ns,
        Request::CreateTable(_) | Request::DescribeTable { .. } => Nanos::ZERO,
    }
}

fn is_write(request: &Request) -> bool {
    matches!(request, Request::Write(_) | Request::TransactWriteItems { .. })
}

/// A repeat of a transaction that is known by its token only reads; so does one of checks alone.
fn wrote(request: &Request, consumed: &[engine_dynamo::Consumption]) -> bool {
    let changes = match request {
        Request::TransactWriteItems { writes, .. } => {
            writes.iter().any(|write| !matches!(write.action, Action::Check { .. }))
        }
        _ => true,
    };
    changes && consumed.iter().any(|one| one.own.write_halves > 0)
}

fn is_conflict(failure: &Failure) -> bool {
    let conflict = engine_dynamo::CancellationReason::TransactionConflict;
    failure.name == FailureName::TransactionConflict || failure.reasons.contains(&conflict)
}
