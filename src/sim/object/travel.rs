//! A request to an object store travels, takes its time there, and is answered.
//!
//! ```text
//! service ──▶ taken in, or refused at once ──▶ time by the profile ──▶ carried out ──▶ the content's time ──▶ service
//! ```

use std::sync::Arc;

use base::Nanos;
use engine_object_store::{Failure, Flight, Outcome, Reply, Request};
use engine_sql::{Output, Tag};
use program::profile::ObjectCosts;
use program::{BucketId, Error, ErrorClass, EventKind, NodeId, ObjectVerb, Op, RequestId, StepId, StepPoint};

use super::request::{Maker, meant};
use crate::activation::{Activation, Answer, Armed, FiberRef, Pending};
use crate::arena::Key;
use crate::interpreter::Flow;
use crate::network::Message;
use crate::plan::Plan;
use crate::world::{Happening, World};

/// A request that the store has, or is about to get.
#[derive(Clone, Debug, Hash)]
pub(crate) struct ObjectMessage {
    bucket: BucketId,
    request: Arc<Request>,
    /// Who waits for the answer, and to which part of its request; `None`: a second copy of a doubled request.
    asker: Option<(FiberRef, u16)>,
    from: NodeId,
    activation: program::Activation,
    step: StepId,
    on_behalf: Option<RequestId>,
    armed: Armed,
}

/// What the store has answered; an error is a fault's refusal.
pub(crate) type ObjectAnswer = Result<Result<Reply, Failure>, Error>;

const MEBIBYTE: u64 = 1_048_576;

impl World {
    pub(crate) fn start_object(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let step = activation.fiber(fiber).step;
        let Op::Object { bucket, request, .. } = &plan.program(activation.id.program).step(step).op else {
            return Flow::Wait;
        };
        let present = self.present(plan, activation);
        let bucket = &plan.compilation.deployment.buckets[bucket.index()];
        let maker = Maker {
            scope: activation.scope(fiber),
            present,
        };
        match maker.make(bucket, request) {
            Err(error) => self.step_failed(plan, key, activation, fiber, error),
            Ok(None) => {
                activation.fiber(fiber).answer = Some(Answer::Output(Ok(output(Vec::new(), 0))));
                self.occupy(plan, key, activation, fiber, Pending::Taking, Nanos::ZERO)
            }
            Ok(Some(call)) => {
                activation.fiber(fiber).object = Some(Box::new(call));
                let cost = plan.profile.service.step_ns;
                self.occupy(plan, key, activation, fiber, Pending::Sending, cost)
            }
        }
    }

    /// The request leaves, or as many as may wait at once.
    pub(crate) fn send_object(&mut self, plan: &Plan, key: Key, activation: &mut Activation, fiber: u16) -> Flow {
        let waiting = activation.wait(key, fiber, Pending::Answer);
        // What strikes strikes the first message.
        let mut armed = std::mem::take(&mut activation.fiber(fiber).armed);
        while let Some(part) = activation
            .fiber(fiber)
            .object
            .as_mut()
            .and_then(|call| call.next_part())
        {
            self.send_object_part(plan, activation, waiting, part, std::mem::take(&mut armed));
        }
        Flow::Wait
    }

    fn send_object_part(&mut self, plan: &Plan, activation: &Activation, waiting: FiberRef, part: u16, armed: Armed) {
        let state = &activation.fibers[usize::from(waiting.fiber)];
        let step = state.step;
        let (Some(request), Op::Object { bucket, .. }) = (
            state.object.as_ref().and_then(|call| call.request(part)),
            &plan.program(activation.id.program).step(step).op,
        ) else {
            return;
        };
        let message = Message {
            lost: armed.lose_request,
            delay: armed.delay_request,
            ..Message::request(
                activation.node,
                plan.compilation.deployment.buckets[bucket.index()].node,
                activation.request,
                activation.id,
                step,
            )
        };
        for copy in 0..1 + u8::from(armed.duplicate) {
            if let Some(arrives) = self.transmit(plan, message) {
                let object = ObjectMessage {
                    bucket: *bucket,
                    request: Arc::clone(&request),
                    asker: (copy == 0).then_some((waiting, part)),
                    from: activation.node,
                    activation: activation.id,
                    step,
                    on_behalf: activation.request,
                    armed,
                };
                self.quiet.travelling += 1;
                self.scheduler.at(arrives, Happening::ObjectArrives(Box::new(object)));
            }
        }
        if armed.lose_request || armed.lose_reply {
            self.scheduler
                .timer(plan.profile.recovery.silence_ns, Happening::CallTimeout(waiting));
        }
    }

    /// It is taken in, and takes its time before anything has happened.
    pub(crate) fn object_arrives(&mut self, plan: &Plan, message: Box<ObjectMessage>) {
        let now = self.now();
        let node = plan.compilation.deployment.buckets[message.bucket.index()].node;
        let costs = &plan.profile.objects;
        let Some(service) = &mut self.nodes[node.index()].objects else {
            return;
        };
        let jitter = match costs.jitter_mean_ns {
            Nanos::ZERO => Nanos::ZERO,
            mean => service.jitter.exponential(mean),
        };
        let takes = time_of(costs, &message.request) + jitter;
        if let Some(fault) = message.armed.refuse {
            let error = Error {
                class: ErrorClass::Refused,
                code: None,
                message: World::refusal_message(plan, fault),
            };
            return self.object_answered(plan, node, *message, Err(error), takes);
        }
        match service.engine.begin(&message.request, now) {
            Err(Outcome { result, usage }) => {
                service.used.add(usage);
                self.object_answered(plan, node, *message, Ok(result), Nanos::ZERO);
            }
            Ok(flight) => {
                self.object_works(node, &message, takes);
                self.scheduler.after(takes, Happening::ObjectDue(message, flight));
            }
        }
    }

    /// The engine does it.
    pub(crate) fn object_due(&mut self, plan: &Plan, message: ObjectMessage, flight: Flight) {
        let now = self.now();
        let node = plan.compilation.deployment.buckets[message.bucket.index()].node;
        let Some(service) = &mut self.nodes[node.index()].objects else {
            return;
        };
        let Outcome { result, usage } = service.engine.finish(&message.request, flight, now);
        service.used.add(usage);
        let (activation, step, on_behalf) = (message.activation, message.step, message.on_behalf);
        if result.is_ok() {
            let (request, bytes) = match &*message.request {
                Request::PutObject { .. } => (ObjectVerb::Put, usage.bytes_in),
                Request::DeleteObject { .. } => (ObjectVerb::Delete, 0),
                Request::ListObjectsV2(_) => (ObjectVerb::List, usage.bytes_out),
                _ => (ObjectVerb::Get, usage.bytes_out),
            };
            let kind = EventKind::ObjectServed {
                activation,
                step,
                request,
                bytes,
            };
            self.emit(node, on_behalf, kind);
        }
        match &result {
            Ok(Reply::Put(_) | Reply::Deleted) => {
                let kind = EventKind::TransactionCommitted {
                    activation,
                    step,
                    wrote: true,
                };
                self.emit(node, on_behalf, kind);
                self.quiet.changes += 1;
                self.watch_bucket(plan, node, message.bucket);
            }
            Ok(_) => self.watch_reader(plan, on_behalf),
            Err(_) => {}
        }
        let takes = transfer(&plan.profile.objects, usage.bytes_out);
        self.object_answered(plan, node, message, Ok(result), takes);
    }

    fn object_works(&mut self, node: NodeId, message: &ObjectMessage, duration: Nanos) {
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

    /// The answer leaves, after so much more work.
    fn object_answered(
        &mut self,
        plan: &Plan,
        node: NodeId,
        message: ObjectMessage,
        answer: ObjectAnswer,
        takes: Nanos,
    ) {
        let (activation, step, on_behalf) = (message.activation, message.step, message.on_behalf);
        if self.strike(plan, activation.program, step, on_behalf, StepPoint::Done) {
            self.crash_now(plan);
        }
        self.object_works(node, &message, takes);
        if takes == Nanos::ZERO {
            return self.object_leaves(plan, (message, answer));
        }
        self.scheduler
            .after(takes, Happening::ObjectLeaves(Box::new((message, answer))));
    }

    pub(crate) fn object_leaves(&mut self, plan: &Plan, (message, answer): (ObjectMessage, ObjectAnswer)) {
        self.quiet.travelling -= 1;
        let node = plan.compilation.deployment.buckets[message.bucket.index()].node;
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
                .at(arrives, Happening::ObjectReturns { fiber, part, answer });
        }
    }

    /// An answer has come: asks for what is next, or ends the step.
    pub(crate) fn object_returns(&mut self, plan: &Plan, waiting: FiberRef, part: u16, answer: ObjectAnswer) {
        if !self.is_waiting(waiting) {
            return;
        }
        let Some(mut activation) = self.activations.borrow(waiting.activation) else {
            return;
        };
        let fiber = waiting.fiber;
        let (program, step) = (activation.id.program, activation.fiber(fiber).step);
        let (Some(mut call), Op::Object { request, columns, .. }) = (
            activation.fiber(fiber).object.take(),
            &plan.program(program).step(step).op,
        ) else {
            return self.activations.put(waiting.activation, activation);
        };
        let costs = &plan.profile.service;
        call.owed += costs.step_ns;
        let reply = match answer {
            Ok(Ok(reply)) => Ok(Some(reply)),
            Ok(Err(failure)) => meant(request, failure),
            Err(error) => Err(error),
        };
        let result = match reply {
            Err(error) => Err(error),
            Ok(reply) => {
                call.owed += Nanos(costs.row_ns.0.saturating_mul(rows_in(reply.as_ref())));
                let next = if call.take(part, columns, reply) {
                    Some(part)
                } else {
                    call.next_part()
                };
                if call.open > 0 {
                    call.owed += Nanos(costs.step_ns.0 * u64::from(next.is_some()));
                    activation.fiber(fiber).object = Some(call);
                    if let Some(part) = next {
                        self.send_object_part(plan, &activation, waiting, part, Armed::default());
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

fn rows_in(reply: Option<&Reply>) -> u64 {
    match reply {
        Some(Reply::Page(page)) => page.objects.len() as u64,
        Some(Reply::Object(_)) => 1,
        _ => 0,
    }
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

/// What comes in has to come in first.
fn time_of(costs: &ObjectCosts, request: &Request) -> Nanos {
    match request {
        Request::GetObject { .. } | Request::HeadObject { .. } => costs.get_ns,
        Request::ListObjectsV2(_) => costs.list_ns,
        Request::PutObject { content, .. } => costs.put_ns + transfer(costs, content.len() as u64),
        Request::DeleteObject { .. } => costs.delete_ns,
        Request::CreateBucket { .. } => Nanos::ZERO,
    }
}

fn transfer(costs: &ObjectCosts, bytes: u64) -> Nanos {
    let nanos = u128::from(costs.mebibyte_ns.0) * u128::from(bytes) / u128::from(MEBIBYTE);
    Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
