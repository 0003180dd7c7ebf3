//! Clients: requests arise, wait for their answers, are asked again, and end.
//!
//! Which request is asked is a pure function of its number, and the number of (client, n-th of that client): every
//! design meets the same requests, whatever its answers do.

use std::collections::BTreeMap;

use base::random::Stream;
use base::{Nanos, Time};
use program::workload::ClientLoop;
use program::{Error, ErrorClass, EventKind, NodeId, Outcome, RequestId};

use crate::activation::{Origin, Register, Rows};
use crate::call::CallMessage;
use crate::measure::NO_ANSWER;
use crate::plan::Plan;
use crate::workload::Request;
use crate::world::{Happening, World};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Clients {
    arrivals: Stream,
    states: Vec<Client>,
    open: BTreeMap<RequestId, Open>,
    /// Of an open loop and of a serial one.
    next: u64,
    pub(crate) issued: u64,
    pub(crate) ended: u64,
    /// Requests whose client still listens.
    pub(crate) waiting: u64,
    /// A serial client has planned when to ask again.
    pub(crate) pausing: bool,
    pub(crate) last_end: Time,
    /// The rows that requests were answered with, a set for each statement that answers; kept on demand.
    pub(crate) answers: BTreeMap<RequestId, Vec<Rows>>,
}

#[derive(Clone, Debug, Hash)]
struct Client {
    node: NodeId,
    alive: bool,
    /// Counts its lives.
    life: u32,
    asked: u64,
    think: Stream,
}

#[derive(Clone, Debug, Hash)]
struct Open {
    request: Request,
    client: u32,
    intended: Time,
    attempt: u32,
    trips: u32,
}

impl Clients {
    pub(crate) fn new(plan: &Plan) -> Clients {
        let seed = plan.compilation.workload.seed;
        let states = (0..plan.client_count()).map(|client| Client {
            node: plan.clients[client as usize % plan.clients.len()],
            alive: true,
            life: 0,
            asked: 0,
            think: Stream::new(seed, "think", u64::from(client)),
        });
        Clients {
            arrivals: Stream::new(seed, "arrivals", 0),
            states: states.collect(),
            open: BTreeMap::new(),
            next: 0,
            issued: 0,
            ended: 0,
            waiting: 0,
            pausing: false,
            last_end: Time::ZERO,
            answers: BTreeMap::new(),
        }
    }

    /// A message was sent on behalf of a request.
    pub(crate) fn travelled(&mut self, request: RequestId) {
        if let Some(open) = self.open.get_mut(&request) {
            open.trips += 1;
        }
    }

    pub(crate) fn operation_of(&self, request: RequestId) -> Option<program::OperationId> {
        self.open.get(&request).map(|open| open.request.operation)
    }

    /// Nobody will ask for anything more, and nobody waits for an answer.
    pub(crate) fn have_ended(&self, plan: &Plan) -> bool {
        let requests = plan.options.requests;
        self.waiting == 0
            && match plan.compilation.workload.clients {
                ClientLoop::Open { .. } => self.next >= requests,
                ClientLoop::Serial => self.next >= requests || self.states.iter().all(|client| !client.alive),
                ClientLoop::Closed { .. } => {
                    let count = self.states.len() as u64;
                    let idle = |(index, client): (usize, &Client)| {
                        !client.alive || client.asked.saturating_mul(count).saturating_add(index as u64) >= requests
                    };
                    self.states.iter().enumerate().all(idle)
                }
            }
    }
}

impl World {
    pub(crate) fn start_clients(&mut self, plan: &Plan) {
        match plan.compilation.workload.clients {
            ClientLoop::Open { requests_per_second } => {
                let gap = self.clients.arrivals.exponential(gap(requests_per_second));
                self.scheduler.after(gap, Happening::ClientTurn { client: 0, life: 0 });
            }
            ClientLoop::Closed { .. } => {
                for client in 0..self.clients.states.len() as u32 {
                    self.think(plan, client);
                }
            }
            ClientLoop::Serial => self
                .scheduler
                .after(Nanos::ZERO, Happening::ClientTurn { client: 0, life: 0 }),
        }
    }

    fn think(&mut self, plan: &Plan, client: u32) {
        let ClientLoop::Closed { think, .. } = plan.compilation.workload.clients else {
            return;
        };
        let state = &mut self.clients.states[client as usize];
        let pause = if think == Nanos::ZERO {
            Nanos::ZERO
        } else {
            state.think.exponential(think)
        };
        let life = state.life;
        self.scheduler.after(pause, Happening::ClientTurn { client, life });
    }

    pub(crate) fn client_turn(&mut self, plan: &Plan, client: u32, life: u32) {
        self.clients.pausing = false;
        let requests = plan.options.requests;
        let count = self.clients.states.len() as u64;
        let state = &mut self.clients.states[client as usize];
        let alive = state.alive && state.life == life;
        let id = match plan.compilation.workload.clients {
            ClientLoop::Open { requests_per_second } => {
                // Who would have asked while the client was down has gone elsewhere; the process goes on.
                let id = self.clients.next;
                self.clients.next += 1;
                if self.clients.next < requests {
                    let gap = self.clients.arrivals.exponential(gap(requests_per_second));
                    self.scheduler.after(gap, Happening::ClientTurn { client, life });
                }
                if !self.clients.states[client as usize].alive {
                    return;
                }
                id
            }
            _ if !alive => return,
            ClientLoop::Closed { .. } => {
                let id = state.asked.saturating_mul(count).saturating_add(u64::from(client));
                state.asked += u64::from(id < requests);
                id
            }
            ClientLoop::Serial => {
                let id = self.clients.next;
                self.clients.next += 1;
                id
            }
        };
        if id < requests {
            self.issue(plan, client, RequestId(id));
        }
    }

    /// A serial client asks again when all is quiet: when indexes show what was written, too.
    pub(crate) fn next_serial(&mut self, plan: &Plan) {
        let life = self.clients.states[0].life;
        let services = self.nodes.iter().filter_map(|node| node.items.as_ref());
        let settled = services.filter_map(|service| service.engine.settled()).max();
        match settled.filter(|settled| *settled > self.now()) {
            Some(settled) => {
                self.clients.pausing = true;
                self.scheduler.at(settled, Happening::ClientTurn { client: 0, life });
            }
            None => self.client_turn(plan, 0, life),
        }
    }

    fn issue(&mut self, plan: &Plan, client: u32, id: RequestId) {
        let now = self.now();
        let request = plan.requests.request(&plan.population, id, now);
        self.clients.issued += 1;
        self.clients.waiting += 1;
        self.clients.open.insert(
            id,
            Open {
                request,
                client,
                intended: now,
                attempt: 1,
                trips: 0,
            },
        );
        self.attempt(plan, id);
    }

    /// The request leaves, for the first time or again.
    fn attempt(&mut self, plan: &Plan, id: RequestId) {
        let Some(open) = self.clients.open.get(&id) else { return };
        let (operation, attempt, node) = (
            open.request.operation,
            open.attempt,
            self.clients.states[open.client as usize].node,
        );
        let arguments = open.request.arguments.iter().cloned().map(Register::Value).collect();
        self.emit(node, Some(id), EventKind::RequestIssued { operation, attempt });
        let Some(program) = plan.compilation.entries.get(operation.index()).copied().flatten() else {
            let message = "this design does not offer the operation".to_owned();
            let error = Error {
                class: ErrorClass::Aborted,
                code: None,
                message,
            };
            return self.end_request(plan, id, Outcome::Failed(error));
        };
        let home = plan.program(program).home;
        let latency = self.latency(plan, node, home);
        if node != home {
            self.clients.travelled(id);
        }
        let call = CallMessage {
            program,
            arguments,
            request: Some(id),
            origin: Origin::Client,
            within: false,
        };
        self.quiet.travelling += 1;
        self.scheduler.after(latency, Happening::CallArrives(Box::new(call)));
        let timeout = plan.compilation.workload.retry.timeout;
        if timeout > Nanos::ZERO {
            self.scheduler
                .timer(timeout, Happening::ClientTimeout { request: id, attempt });
        }
    }

    /// The entry program has ended: its answer travels to the client.
    pub(crate) fn answer_client(
        &mut self,
        plan: &Plan,
        from: NodeId,
        request: Option<RequestId>,
        result: Result<Vec<Register>, Error>,
    ) {
        let Some(request) = request else { return };
        let Some(open) = self.clients.open.get(&request) else {
            return;
        };
        let node = self.clients.states[open.client as usize].node;
        let latency = self.latency(plan, from, node);
        self.scheduler.after(
            latency,
            Happening::AnswerArrives {
                request,
                answer: Box::new(result),
            },
        );
    }

    /// The first answer to any of its attempts is the answer.
    pub(crate) fn answer_arrives(&mut self, plan: &Plan, request: RequestId, answer: Result<Vec<Register>, Error>) {
        let outcome = match answer {
            Ok(values) => {
                if plan.options.keep_answers && self.clients.open.contains_key(&request) {
                    self.clients.answers.insert(request, row_sets(values));
                }
                Outcome::Done
            }
            Err(error) => Outcome::Failed(error),
        };
        self.end_request(plan, request, outcome);
    }

    pub(crate) fn client_timeout(&mut self, plan: &Plan, request: RequestId, attempt: u32) {
        let Some(open) = self
            .clients
            .open
            .get_mut(&request)
            .filter(|open| open.attempt == attempt)
        else {
            return;
        };
        if open.attempt < plan.compilation.workload.retry.attempts {
            open.attempt += 1;
            self.attempt(plan, request);
        } else {
            let error = Error {
                class: ErrorClass::Timeout,
                code: None,
                message: NO_ANSWER.to_owned(),
            };
            self.end_request(plan, request, Outcome::Failed(error));
        }
    }

    fn end_request(&mut self, plan: &Plan, id: RequestId, outcome: Outcome) {
        let Some(open) = self.clients.open.remove(&id) else {
            return;
        };
        let operation = open.request.operation;
        let latency = self.now().since(open.intended);
        self.clients.ended += 1;
        self.clients.waiting -= 1;
        self.clients.last_end = self.now();
        self.trace.measurements.travelled(operation, open.trips);
        let node = self.clients.states[open.client as usize].node;
        self.emit(
            node,
            Some(id),
            EventKind::RequestAnswered {
                operation,
                latency,
                outcome,
            },
        );
        self.think(plan, open.client);
    }

    /// The client's node is down: it asks no more and hears no answer.
    pub(crate) fn silence_clients(&mut self, node: NodeId) {
        for client in self.clients.states.iter_mut().filter(|client| client.node == node) {
            client.alive = false;
            client.life += 1;
        }
        let states = &self.clients.states;
        let deaf = |open: &Open| states[open.client as usize].node == node;
        let before = self.clients.open.len();
        self.clients.open.retain(|_, open| !deaf(open));
        self.clients.waiting -= (before - self.clients.open.len()) as u64;
    }

    /// It is up again: its clients ask their next requests.
    pub(crate) fn wake_clients(&mut self, plan: &Plan, node: NodeId) {
        for client in 0..self.clients.states.len() as u32 {
            let state = &mut self.clients.states[client as usize];
            if state.node == node {
                state.alive = true;
                self.think(plan, client);
            }
        }
    }
}

/// Of what a program returns, the row sets.
fn row_sets(values: Vec<Register>) -> Vec<Rows> {
    let rows = values.into_iter().filter_map(|value| match value {
        Register::Rows(rows) => Some(rows),
        Register::Value(_) | Register::Error(_) => None,
    });
    rows.collect()
}

/// The mean gap of so many arrivals a second.
fn gap(requests_per_second: u32) -> Nanos {
    Nanos(1_000_000_000 / u64::from(requests_per_second.max(1)))
}
