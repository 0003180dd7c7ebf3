//! Links: how long a message is under way, and whether it arrives.
//!
//! One random stream for each link and direction, so that traffic on one does not change the other's delays.

use base::random::Stream;
use base::{Nanos, Time};
use program::{EventKind, NodeId, RequestId, StepId};

use crate::plan::Plan;
use crate::world::World;

/// What travels on behalf of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) request: Option<RequestId>,
    pub(crate) activation: program::Activation,
    pub(crate) step: StepId,
    pub(crate) reply: bool,
    pub(crate) lost: bool,
    pub(crate) delay: Nanos,
}

impl Message {
    /// A request that nothing is wrong with.
    pub(crate) fn request(
        from: NodeId,
        to: NodeId,
        request: Option<RequestId>,
        activation: program::Activation,
        step: StepId,
    ) -> Message {
        Message {
            from,
            to,
            request,
            activation,
            step,
            reply: false,
            lost: false,
            delay: Nanos::ZERO,
        }
    }
}

impl World {
    /// How long a message is under way, one way, this time.
    pub(crate) fn latency(&mut self, plan: &Plan, from: NodeId, to: NodeId) -> Nanos {
        let (base, jitter) = plan.latency(from, to);
        if jitter == Nanos::ZERO {
            return base;
        }
        let seed = plan.compilation.workload.seed;
        let number = (u64::from(from.0) << 16) | u64::from(to.0);
        let stream = self
            .links
            .entry((from, to))
            .or_insert_with(|| Stream::new(seed, "link", number));
        base + stream.exponential(jitter)
    }

    /// Sends a step's request or reply; `None` if it is lost, else when it arrives. If both ends are the same node
    /// nothing leaves it, and nothing can be lost.
    pub(crate) fn transmit(&mut self, plan: &Plan, message: Message) -> Option<Time> {
        let Message {
            from,
            to,
            request,
            activation,
            step,
            reply,
            lost,
            delay,
        } = message;
        if from != to && lost {
            self.emit(
                from,
                request,
                EventKind::MessageLost {
                    activation,
                    step,
                    to,
                    reply,
                },
            );
            return None;
        }
        let arrives = self.now() + self.latency(plan, from, to) + delay;
        if from != to {
            if !reply && let Some(request) = request {
                self.clients.travelled(request);
            }
            self.emit(
                from,
                request,
                EventKind::MessageSent {
                    activation,
                    step,
                    to,
                    reply,
                    arrives,
                },
            );
        }
        Some(arrives)
    }
}
