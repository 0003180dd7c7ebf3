//! A request to a bus travels, has its turn at a core, may wait for the replicas or for messages, and is answered.
//!
//! ```text
//! service ──▶ line for a core ─▶ the engine ─┬─ done ──────────────────────────────┐
//!                  ▲                         ├─ must survive ─▶ the replicas ──────┤
//!                  │                         └─ nothing there ─▶ waits ─▶ too long ┤
//!                  └──────────── messages have come ◀──────────────┘               ▼
//! service ◀────────────────────────────────────────────────────────────────── answer
//! ```

use std::sync::Arc;

use base::Nanos;
use engine_event_bus::{Outcome, Reply, Request, Usage};
use program::{Error, ErrorClass, EventKind, NodeId, Op, RequestId, StepId, StepPoint, TopicId, WaitCause};

use super::{BusRequest, BusService, request};
use crate::activation::{Activation, Answer, Armed, FiberRef, Origin, Pending};
use crate::arena::Key;
use crate::call::down;
use crate::interpreter::Flow;
use crate::network::Message;
use crate::plan::Plan;
use crate::station::Flush;
use crate::world::{Happening, Job, World};

/// A request that a bus has, or is about to get.
#[derive(Clone, Debug, Hash)]
pub(crate) struct BusMessage {
    topic: TopicId,
    request: Arc<Request>,
    wait: Nanos,
    /// Who waits for the answer; `None`: a second copy of a doubled request.
    asker: Option<FiberRef>,
    /// If it is asked by a relay or a consumer: which.
    periodic: Option<u16>,
    from: NodeId,
    activation: program::Activation,
    step: StepId,
    on_behalf: Option<RequestId>,
    armed: Armed,
}

impl World {
    pub(crate) fn start_bus(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let step = activation.fiber(fiber).step;
        let Op::Bus { topic, request, .. } = &plan.program(activation.id.program).step(step).op else {
            return Flow::Wait;
        };
        let present = self.present(plan, activation);
        let topic = &plan.compilation.deployment.topics[topic.index()];
        let costs = &plan.profile.service;
        match request::make(topic, request, activation.scope(fiber), present) {
            Err(error) => self.step_failed(plan, key, activation, fiber, error),
            Ok(None) => {
                let nothing = request::output(Reply::Published(Vec::new()));
                activation.fiber(fiber).answer = Some(Answer::Output(Ok(nothing)));
                self.occupy(plan, key, activation, fiber, Pending::Taking, Nanos::ZERO)
            }
            Ok(Some(request)) => {
                let messages = match &request {
                    Request::Publish { messages, .. } => messages.len() as u64,
                    _ => 0,
                };
                activation.fiber(fiber).bus = Some(Arc::new(request));
                let work = costs.step_ns + Nanos(costs.row_ns.0.saturating_mul(messages));
                self.occupy(plan, key, activation, fiber, Pending::Sending, work)
            }
        }
    }

    /// The request leaves.
    pub(crate) fn send_bus(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let state = activation.fiber(fiber);
        let (step, armed, made) = (state.step, state.armed, state.bus.take());
        let op = &plan.program(activation.id.program).step(step).op;
        let (Some(made), Op::Bus { topic, request, .. }) = (made, op) else {
            return Flow::Wait;
        };
        let waiting = activation.wait(key, fiber, Pending::Answer);
        let to = plan.compilation.deployment.topics[topic.index()].node;
        let message = Message {
            lost: armed.lose_request,
            delay: armed.delay_request,
            ..Message::request(activation.node, to, activation.request, activation.id, step)
        };
        for copy in 0..1 + u8::from(armed.duplicate) {
            if let Some(arrives) = self.transmit(plan, message) {
                let sent = BusMessage {
                    topic: *topic,
                    request: Arc::clone(&made),
                    wait: match request {
                        program::BusRequest::Read { wait, .. } => *wait,
                        _ => Nanos::ZERO,
                    },
                    asker: (copy == 0).then_some(waiting),
                    periodic: match activation.origin {
                        Origin::Periodic { index, .. } => Some(index),
                        _ => None,
                    },
                    from: activation.node,
                    activation: activation.id,
                    step,
                    on_behalf: activation.request,
                    armed,
                };
                self.quiet.travelling += 1;
                self.scheduler.at(arrives, Happening::BusArrives(Box::new(sent)));
            }
        }
        if armed.lose_request || armed.lose_reply {
            let silence = plan.profile.recovery.silence_ns;
            self.scheduler.timer(silence, Happening::CallTimeout(waiting));
        }
        Flow::Wait
    }

    fn bus(&mut self, node: NodeId) -> Option<&mut BusService> {
        self.nodes[node.index()].bus.as_deref_mut()
    }

    pub(crate) fn bus_arrives(&mut self, plan: &Plan, message: BusMessage) {
        let node = plan.compilation.deployment.topics[message.topic.index()].node;
        if !self.is_up(node) {
            return self.bus_leaves(plan, node, &message, Err(down(plan, node)));
        }
        if let Some(fault) = message.armed.refuse {
            let error = Error {
                class: ErrorClass::Refused,
                code: None,
                message: World::refusal_message(plan, fault),
            };
            return self.bus_leaves(plan, node, &message, Err(error));
        }
        if let Some(bus) = self.bus(node) {
            bus.used.requests += 1;
        }
        let key = self.bus_requests.insert(BusRequest { message, outcome: None });
        self.work(plan, node, Job::Bus(key));
    }

    /// A core is free for it: the engine does it now, and the core is busy for as long as that costs.
    pub(crate) fn bus_turn(&mut self, plan: &Plan, node: NodeId, key: Key) -> Nanos {
        let now = self.now();
        let (Some(bus), Some(entry)) = (&mut self.nodes[node.index()].bus, self.bus_requests.get_mut(key)) else {
            return Nanos::ZERO;
        };
        let outcome = bus.engine.request(&entry.message.request, now);
        let Usage { messages, bytes } = outcome.usage;
        match outcome.result {
            Ok(Reply::Published(_)) => {
                bus.used.messages_in += messages;
                bus.used.bytes_in += bytes;
                self.quiet.changes += 1;
            }
            Ok(Reply::Fetched(_)) => {
                bus.used.messages_out += messages;
                bus.used.bytes_out += bytes;
            }
            Ok(Reply::Committed) => self.quiet.changes += 1,
            Err(_) => {}
        }
        entry.outcome = Some(outcome);
        let costs = &plan.profile.bus;
        costs.request_ns + Nanos(costs.message_ns.0.saturating_mul(messages))
    }

    /// Its turn at the core is over.
    pub(crate) fn bus_turned(&mut self, plan: &Plan, node: NodeId, key: Key) {
        let (Some(bus), Some(entry)) = (&mut self.nodes[node.index()].bus, self.bus_requests.get(key)) else {
            return;
        };
        let (written, flushed) = (bus.engine.written_position(), bus.engine.flushed_position());
        let wait = entry.message.wait;
        let Some(Outcome { result, durable, .. }) = &entry.outcome else {
            return;
        };
        let finds_nothing = matches!(result, Ok(Reply::Fetched(found)) if found.is_empty());
        match *durable {
            Some(position) if position > flushed => {
                let flush = bus.log.join(position, Some(key), written);
                self.start_replication(plan, node, flush);
                self.bus_waits(node, key, WaitCause::Replicas);
            }
            None if finds_nothing && wait > Nanos::ZERO => {
                // What has come while the core was at it is given at once.
                if lag(bus, &entry.message.request) > 0 {
                    return self.work(plan, node, Job::Bus(key));
                }
                bus.waiting.push(key);
                self.quiet.travelling -= 1;
                self.scheduler.timer(wait, Happening::BusWaitEnds(key));
                self.bus_waits(node, key, WaitCause::Messages);
            }
            _ => {
                if matches!(result, Ok(Reply::Published(_))) && flushed < written {
                    // The publisher does not wait; the replicas must have it all the same.
                    let flush = bus.log.join(written, None, written);
                    self.start_replication(plan, node, flush);
                }
                self.bus_answers(plan, node, key);
            }
        }
    }

    fn bus_waits(&mut self, node: NodeId, key: Key, cause: WaitCause) {
        if let Some((request, activation, step)) = self.bus_on_behalf(key) {
            let kind = EventKind::WaitStarted {
                activation,
                step,
                cause,
            };
            self.emit(node, request, kind);
        }
    }

    fn bus_waited(&mut self, node: NodeId, key: Key, cause: WaitCause) {
        if let Some((request, activation, step)) = self.bus_on_behalf(key) {
            let kind = EventKind::WaitEnded {
                activation,
                step,
                cause,
            };
            self.emit(node, request, kind);
        }
    }

    /// For whose step a request is.
    pub(crate) fn bus_on_behalf(&self, key: Key) -> Option<(Option<RequestId>, program::Activation, StepId)> {
        let message = &self.bus_requests.get(key)?.message;
        Some((message.on_behalf, message.activation, message.step))
    }

    fn start_replication(&mut self, plan: &Plan, node: NodeId, flush: Flush) {
        if flush == Flush::Starts {
            let epoch = self.nodes[node.index()].epoch;
            let takes = plan.profile.bus.replicate_ns;
            self.scheduler.after(takes, Happening::Replicated { node, epoch });
        }
    }

    /// The replicas have what was written when the round began: who waited for it is answered, and readers are shown it.
    pub(crate) fn replicated(&mut self, plan: &Plan, node: NodeId, epoch: u32) {
        if self.nodes[node.index()].epoch != epoch {
            return;
        }
        let (Some(bus), requests) = (&mut self.nodes[node.index()].bus, &self.bus_requests) else {
            return;
        };
        let (position, served) = bus.log.finish();
        bus.engine.flushed(position);
        let flush = bus.log.next(bus.engine.written_position());
        let waiting = std::mem::take(&mut bus.waiting);
        let is_shown = |key: &Key| {
            requests
                .get(*key)
                .is_none_or(|entry| lag(bus, &entry.message.request) > 0)
        };
        let (shown, waiting): (Vec<Key>, Vec<Key>) = waiting.into_iter().partition(is_shown);
        bus.waiting = waiting;
        self.quiet.travelling += shown.len() as u64;
        self.start_replication(plan, node, flush);
        let requests = u32::try_from(served.len()).unwrap_or(u32::MAX);
        self.emit(node, None, EventKind::Replicated { requests });
        for key in served.into_iter().flatten() {
            self.bus_waited(node, key, WaitCause::Replicas);
            self.bus_answers(plan, node, key);
        }
        for key in shown {
            // An answer may have brought about a crash: then they have been answered, too.
            if self.bus_requests.get(key).is_some() {
                self.bus_waited(node, key, WaitCause::Messages);
                self.work(plan, node, Job::Bus(key));
            }
        }
    }

    /// It has waited for messages long enough.
    pub(crate) fn bus_wait_ends(&mut self, plan: &Plan, key: Key) {
        let Some(topic) = self.bus_requests.get(key).map(|entry| entry.message.topic) else {
            return;
        };
        let node = plan.compilation.deployment.topics[topic.index()].node;
        let Some(bus) = self.bus(node) else { return };
        let Some(place) = bus.waiting.iter().position(|waiting| *waiting == key) else {
            return;
        };
        bus.waiting.remove(place);
        self.quiet.travelling += 1;
        self.bus_waited(node, key, WaitCause::Messages);
        self.bus_answers(plan, node, key);
    }

    fn bus_answers(&mut self, plan: &Plan, node: NodeId, key: Key) {
        let Some(BusRequest { message, outcome }) = self.bus_requests.remove(key) else {
            return;
        };
        let epoch = self.nodes[node.index()].epoch;
        let (program, step) = (message.activation.program, message.step);
        if self.strike(plan, program, step, message.on_behalf, StepPoint::Done) {
            self.crash_now(plan);
        }
        let answer = match outcome {
            Some(outcome) if self.nodes[node.index()].epoch == epoch => {
                let result = outcome.result;
                result.map(request::output).map_err(|failure| request::error(&failure))
            }
            _ => Err(down(plan, node)),
        };
        self.bus_leaves(plan, node, &message, answer);
    }

    fn bus_leaves(
        &mut self,
        plan: &Plan,
        node: NodeId,
        message: &BusMessage,
        answer: Result<engine_sql::Output, Error>,
    ) {
        self.quiet.travelling -= 1;
        let Some(fiber) = message.asker else { return };
        let reply = Message {
            reply: true,
            lost: message.armed.lose_reply,
            delay: message.armed.delay_reply,
            ..Message::request(node, message.from, message.on_behalf, message.activation, message.step)
        };
        if let Some(arrives) = self.transmit(plan, reply) {
            let answer = Box::new(Answer::Output(answer));
            self.scheduler.at(arrives, Happening::AnswerReturns { fiber, answer });
        }
    }

    /// The bus is gone with what its replicas do not have; whoever waits there sees its connection reset.
    pub(crate) fn kill_bus(&mut self, plan: &Plan, node: NodeId) {
        let Some(bus) = self.bus(node) else { return };
        bus.engine.crash();
        bus.log.clear();
        // Those that waited for messages are counted as travelling again, like all that are answered.
        let waiting = std::mem::take(&mut bus.waiting);
        self.quiet.travelling += waiting.len() as u64;
        let topics = &plan.compilation.deployment.topics;
        let here = |entry: &BusRequest| topics[entry.message.topic.index()].node == node;
        for key in self.bus_requests.keys(here) {
            if let Some(entry) = self.bus_requests.remove(key) {
                self.bus_leaves(plan, node, &entry.message, Err(down(plan, node)));
            }
        }
    }

    /// Relays and consumers that wait for messages, and for nothing else.
    pub(crate) fn waits_for_messages(&self, index: u16) -> bool {
        let buses = self.nodes.iter().filter_map(|node| node.bus.as_ref());
        buses.into_iter().any(|bus| {
            let mut waiting = bus.waiting.iter().filter_map(|key| self.bus_requests.get(*key));
            waiting.any(|entry| {
                let message = &entry.message;
                message.periodic == Some(index) && message.asker.is_some_and(|fiber| self.is_waiting(fiber))
            })
        })
    }
}

/// How many messages are there for a read.
fn lag(bus: &BusService, request: &Request) -> u64 {
    match request {
        Request::Fetch {
            topic,
            group,
            partition,
            ..
        } => bus.engine.lag(topic, group, *partition),
        _ => 0,
    }
}
