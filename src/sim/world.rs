//! The world of a run: nodes, connections, running programs, clients, and what happens next.
//!
//! ```text
//! Scheduler ─▶ Happening ─▶ World::happen ─▶ the file that knows what to do
//!   client.rs       requests arise, answers come, clients ask again
//!   interpreter.rs  programs run until they wait
//!   call.rs         programs call programs
//!   connection.rs   pools, opening, breaking
//!   statement.rs    statements travel, run, wait, flush, answer
//!   item/           requests to tables of items
//!   bus/            requests to event buses
//!   fault.rs        what is broken on purpose; crash.rs: nodes go down and come up
//! ```
//!
//! All of it is `Clone + Hash`. Nothing here reads a clock or keeps a reference into the plan.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use base::random::Stream;
use base::{Nanos, Time};
use engine_dynamo::TransactionId;
use engine_object_store::Flight;
use engine_sql::{Lsn, Server, SessionId};
use program::{Error, ErrorClass, Event, EventKind, NodeId, ProgramId, RequestId, StepId, WaitCause};

use crate::activation::{Activation, Answer, FiberRef, Register};
use crate::arena::{Arena, Key};
use crate::bus::{BusMessage, BusRequest, BusService};
use crate::call::CallMessage;
use crate::client::Clients;
use crate::connection::Connection;
use crate::fault::FaultState;
use crate::item::{ItemAnswer, ItemMessage, ItemService};
use crate::object::{ObjectAnswer, ObjectMessage, ObjectService};
use crate::plan::Plan;
use crate::scheduler::Scheduler;
use crate::setup::Engines;
use crate::station::{Cpu, GroupCommit, PoolLine};
use crate::trace::Trace;
use crate::watch::Watch;

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) scheduler: Scheduler<Happening>,
    pub(crate) trace: Trace,
    pub(crate) watch: Watch,
    pub(crate) nodes: Vec<NodeState>,
    pub(crate) pools: Vec<PoolLine<Key, FiberRef>>,
    pub(crate) connections: Arena<Connection>,
    pub(crate) activations: Arena<Box<Activation>>,
    /// Those that the buses have.
    pub(crate) bus_requests: Arena<BusRequest>,
    pub(crate) started: u64,
    /// Steps begun.
    pub(crate) steps: u64,
    pub(crate) clients: Clients,
    pub(crate) faults: FaultState,
    /// Per link and direction, made when first used.
    pub(crate) links: BTreeMap<(NodeId, NodeId), Stream>,
    /// For the jitter of back-offs.
    pub(crate) jitter: Stream,
    /// How often something was drawn for a request's statement.
    pub(crate) drawn: BTreeMap<(&'static str, Option<RequestId>, Option<u16>), u32>,
    pub(crate) quiet: Quiet,
    /// Given to processors when the program that is being run waits; empty between happenings.
    pub(crate) jobs: Vec<(NodeId, Job)>,
}

/// What tells whether everything that was set in motion has come to rest.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Quiet {
    /// Commits that wrote, and messages sent without waiting.
    pub(crate) changes: u64,
    /// Programs that run, relays' rounds aside.
    pub(crate) running: u64,
    /// Calls on their way to another program; requests that a bus works on.
    pub(crate) travelling: u64,
    /// Nodes that are down and will come up.
    pub(crate) restarting: u64,
    /// What had been changed when each relay last went round without changing anything itself, by the plan's number.
    pub(crate) clean: BTreeMap<u16, u64>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct NodeState {
    pub(crate) life: Life,
    /// Counts its lives: what was planned for an earlier one is void.
    pub(crate) epoch: u32,
    pub(crate) crashes: u32,
    pub(crate) cpu: Cpu<Job>,
    pub(crate) server: Option<ServerState>,
    pub(crate) items: Option<ItemService>,
    pub(crate) objects: Option<Box<ObjectService>>,
    pub(crate) bus: Option<Box<BusService>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    Up,
    /// Its recovery programs run; it takes no requests yet. So many are still running.
    Recovering(u16),
    Down,
}

#[derive(Clone, Debug)]
pub(crate) struct ServerState {
    pub(crate) engine: Server,
    pub(crate) wal: GroupCommit<Key, Lsn>,
    /// The WAL writer's next turn is planned.
    pub(crate) wal_writer: bool,
    pub(crate) sessions: BTreeMap<SessionId, Key>,
    pub(crate) statements: u64,
    pub(crate) flushes: u64,
    pub(crate) commits: u64,
}

impl Hash for ServerState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.engine.fingerprint().hash(state);
        (&self.wal, self.wal_writer, &self.sessions).hash(state);
        (self.statements, self.flushes, self.commits).hash(state);
    }
}

/// What runs on a node's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Job {
    /// A program's own work.
    Fiber { fiber: FiberRef, duration: Nanos },
    /// Work for a program of another node.
    Errand { fiber: FiberRef, duration: Nanos },
    /// A server process works on its connection's statement.
    Backend(Key),
    /// A server process is started for a new connection.
    Connect(Key),
    /// A bus works on a request.
    Bus(Key),
}

#[derive(Clone, Debug, Hash)]
pub(crate) enum Happening {
    ClientTurn {
        client: u32,
        life: u32,
    },
    AnswerArrives {
        request: RequestId,
        answer: Box<Result<Vec<Register>, Error>>,
    },
    ClientTimeout {
        request: RequestId,
        attempt: u32,
    },
    CoreFreed {
        node: NodeId,
        epoch: u32,
        job: Job,
    },
    CallArrives(Box<CallMessage>),
    ErrandArrives {
        node: NodeId,
        fiber: FiberRef,
        home: NodeId,
        duration: Nanos,
    },
    AnswerReturns {
        fiber: FiberRef,
        answer: Box<Answer>,
    },
    CallTimeout(FiberRef),
    Wake(FiberRef),
    ConnectArrives(Key),
    ConnectAnswered(Key),
    ConnectionGranted {
        fiber: FiberRef,
        connection: Key,
    },
    StatementArrives(Key),
    StatementAnswered(Key),
    ConnectionBreaks(Key),
    ItemArrives(Box<ItemMessage>),
    /// The time for the first round is over.
    ItemDue(Box<ItemMessage>),
    ItemFinishes(Box<ItemMessage>, TransactionId),
    ItemLeaves(Box<(ItemMessage, ItemAnswer)>),
    ItemReturns {
        fiber: FiberRef,
        part: u16,
        answer: Box<ItemAnswer>,
    },
    ObjectArrives(Box<ObjectMessage>),
    /// The time until it is carried out is over.
    ObjectDue(Box<ObjectMessage>, Flight),
    ObjectLeaves(Box<(ObjectMessage, ObjectAnswer)>),
    ObjectReturns {
        fiber: FiberRef,
        part: u16,
        answer: Box<ObjectAnswer>,
    },
    BusArrives(Box<BusMessage>),
    /// A read has waited for messages as long as it wants to.
    BusWaitEnds(Key),
    /// A bus's replicas have what was written when this round began.
    Replicated {
        node: NodeId,
        epoch: u32,
    },
    FlushEnds {
        node: NodeId,
        epoch: u32,
    },
    /// The WAL writer's turn: it flushes what commits have not waited for.
    WalWriterTurn {
        node: NodeId,
        epoch: u32,
    },
    LockDeadline {
        connection: Key,
        serial: u32,
    },
    PeriodicTurn {
        index: u16,
        epoch: u32,
    },
    FaultDue(u16),
    NodeRestarts {
        node: NodeId,
        epoch: u32,
    },
    /// A server has replayed its WAL, a service's process has begun.
    NodeReady {
        node: NodeId,
        epoch: u32,
    },
    RecoverAgain {
        node: NodeId,
        epoch: u32,
        program: ProgramId,
    },
}

impl World {
    pub(crate) fn new(plan: &Plan, trace: Trace, engines: Vec<Engines>) -> World {
        let seed = plan.compilation.workload.seed;
        let deployment = &plan.compilation.deployment;
        let nodes = deployment.nodes.iter().zip(engines).map(|(node, engines)| NodeState {
            life: Life::Up,
            epoch: 0,
            crashes: 0,
            cpu: Cpu::new(node.cores),
            server: engines.sql.map(ServerState::new),
            items: engines.items,
            objects: engines.objects,
            bus: engines.bus,
        });
        let mut world = World {
            scheduler: Scheduler::new(),
            trace,
            watch: Watch::new(plan),
            nodes: nodes.collect(),
            pools: deployment.pools.iter().map(|pool| PoolLine::new(pool.size)).collect(),
            connections: Arena::new(),
            activations: Arena::new(),
            bus_requests: Arena::new(),
            started: 0,
            steps: 0,
            clients: Clients::new(plan),
            faults: FaultState::new(plan.faults.len()),
            links: BTreeMap::new(),
            jitter: Stream::new(seed, "backoff", 0),
            drawn: BTreeMap::new(),
            quiet: Quiet::default(),
            jobs: Vec::new(),
        };
        world.plan_faults(plan);
        world.plan_relays(plan, None);
        world.start_clients(plan);
        world
    }

    /// Lets the next thing happen; false if nothing is planned.
    pub(crate) fn step(&mut self, plan: &Plan) -> bool {
        let Some(happening) = self.scheduler.take() else {
            return false;
        };
        self.happen(plan, happening);
        self.crash_now(plan);
        true
    }

    fn happen(&mut self, plan: &Plan, happening: Happening) {
        match happening {
            Happening::ClientTurn { client, life } => self.client_turn(plan, client, life),
            Happening::AnswerArrives { request, answer } => self.answer_arrives(plan, request, *answer),
            Happening::ClientTimeout { request, attempt } => self.client_timeout(plan, request, attempt),
            Happening::CoreFreed { node, epoch, job } => self.core_freed(plan, node, epoch, job),
            Happening::CallArrives(message) => self.call_arrives(plan, *message),
            Happening::ErrandArrives {
                node,
                fiber,
                home,
                duration,
            } => {
                self.errand_arrives(plan, node, fiber, home, duration);
            }
            Happening::AnswerReturns { fiber, answer } => self.answer_returns(plan, fiber, *answer),
            Happening::CallTimeout(fiber) => self.call_timeout(plan, fiber),
            Happening::Wake(fiber) => self.wake(plan, fiber),
            Happening::ConnectArrives(connection) => self.connect_arrives(plan, connection),
            Happening::ConnectAnswered(connection) => self.connect_answered(plan, connection),
            Happening::ConnectionGranted { fiber, connection } => self.granted(plan, fiber, connection),
            Happening::StatementArrives(connection) => self.statement_arrives(plan, connection),
            Happening::StatementAnswered(connection) => self.statement_answered(plan, connection),
            Happening::ConnectionBreaks(connection) => self.break_connection(plan, connection),
            Happening::ItemArrives(message) => self.item_arrives(plan, message),
            Happening::ItemDue(message) => self.item_due(plan, message),
            Happening::ItemFinishes(message, id) => self.item_finishes(plan, *message, id),
            Happening::ItemReturns { fiber, part, answer } => self.item_returns(plan, fiber, part, *answer),
            Happening::ItemLeaves(answered) => self.item_leaves(plan, *answered),
            Happening::ObjectArrives(message) => self.object_arrives(plan, message),
            Happening::ObjectDue(message, flight) => self.object_due(plan, *message, flight),
            Happening::ObjectLeaves(answered) => self.object_leaves(plan, *answered),
            Happening::ObjectReturns { fiber, part, answer } => self.object_returns(plan, fiber, part, *answer),
            Happening::BusArrives(message) => self.bus_arrives(plan, *message),
            Happening::BusWaitEnds(request) => self.bus_wait_ends(plan, request),
            Happening::Replicated { node, epoch } => self.replicated(plan, node, epoch),
            Happening::FlushEnds { node, epoch } => self.flush_ends(plan, node, epoch),
            Happening::WalWriterTurn { node, epoch } => self.wal_writer_turn(plan, node, epoch),
            Happening::LockDeadline { connection, serial } => self.lock_deadline(plan, connection, serial),
            Happening::PeriodicTurn { index, epoch } => self.relay_turn(plan, index, epoch),
            Happening::FaultDue(index) => self.fault_due(plan, index),
            Happening::NodeRestarts { node, epoch } => self.node_restarts(plan, node, epoch),
            Happening::NodeReady { node, epoch } => self.node_ready(plan, node, epoch),
            Happening::RecoverAgain { node, epoch, program } => self.recover_again(plan, node, epoch, program),
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.scheduler.now()
    }

    pub(crate) fn emit(&mut self, node: NodeId, request: Option<RequestId>, kind: EventKind) {
        let at = self.now();
        self.trace.emit(Event {
            at,
            node,
            request,
            kind,
        });
    }

    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.index()].life == Life::Up
    }

    /// Gives a job to a node's processors: it starts now or waits.
    pub(crate) fn work(&mut self, plan: &Plan, node: NodeId, job: Job) {
        match self.nodes[node.index()].cpu.arrive(job) {
            Some(job) => self.start_job(plan, node, job),
            None => {
                if let Some((request, activation, step)) = self.on_behalf(job) {
                    self.emit(
                        node,
                        request,
                        EventKind::WaitStarted {
                            activation,
                            step,
                            cause: WaitCause::Cpu,
                        },
                    );
                }
            }
        }
    }

    fn start_job(&mut self, plan: &Plan, node: NodeId, job: Job) {
        let work = match job {
            Job::Fiber { fiber, duration } if self.is_waiting(fiber) => duration,
            Job::Errand { duration, .. } => duration,
            Job::Connect(connection) if self.connections.get(connection).is_some() => plan.profile.sql.connect_ns,
            Job::Backend(connection) => self.slice(plan, node, connection),
            Job::Bus(request) => self.bus_turn(plan, node, request),
            _ => Nanos::ZERO,
        };
        let costs = &plan.profile.sql;
        let state = &mut self.nodes[node.index()];
        let duration = if state.server.is_some() {
            state.cpu.stretch(
                work,
                costs.core_contention,
                Some(costs.oversubscription_backends_per_core),
            )
        } else {
            work
        };
        state.cpu.account(duration);
        let epoch = state.epoch;
        if duration > Nanos::ZERO
            && let Some((request, activation, step)) = self.on_behalf(job)
        {
            self.emit(
                node,
                request,
                EventKind::WorkStarted {
                    activation,
                    step,
                    duration,
                },
            );
        }
        self.scheduler
            .after(duration, Happening::CoreFreed { node, epoch, job });
    }

    fn core_freed(&mut self, plan: &Plan, node: NodeId, epoch: u32, job: Job) {
        if self.nodes[node.index()].epoch != epoch {
            return;
        }
        if let Some(next) = self.nodes[node.index()].cpu.finish() {
            if let Some((request, activation, step)) = self.on_behalf(next) {
                self.emit(
                    node,
                    request,
                    EventKind::WaitEnded {
                        activation,
                        step,
                        cause: WaitCause::Cpu,
                    },
                );
            }
            self.start_job(plan, node, next);
        }
        match job {
            Job::Fiber { fiber, .. } => self.wake(plan, fiber),
            Job::Errand { fiber, .. } => self.errand_done(plan, node, fiber),
            Job::Backend(connection) => self.slice_ended(plan, node, connection),
            Job::Connect(connection) => self.connection_accepted(plan, node, connection),
            Job::Bus(request) => self.bus_turned(plan, node, request),
        }
    }

    /// For whose step a job is done.
    fn on_behalf(&self, job: Job) -> Option<(Option<RequestId>, program::Activation, StepId)> {
        match job {
            Job::Fiber { fiber, .. } | Job::Errand { fiber, .. } => {
                let activation = self.activations.get(fiber.activation)?;
                let step = activation.fibers.get(usize::from(fiber.fiber))?.step;
                Some((activation.request, activation.id, step))
            }
            Job::Backend(connection) => {
                let running = self.connections.get(connection)?.running.as_ref()?;
                Some((running.request, running.activation, running.step))
            }
            Job::Bus(request) => self.bus_on_behalf(request),
            Job::Connect(connection) => {
                let asker = self.connections.get(connection)?.opener?;
                self.on_behalf(Job::Fiber {
                    fiber: asker,
                    duration: Nanos::ZERO,
                })
            }
        }
    }

    /// Commits there have not been flushed, and nobody waits for that.
    fn will_flush(&self, node: &NodeState) -> bool {
        let server = node.server.as_ref();
        server.is_some_and(|server| server.engine.wal_writer_due(self.now()).is_some())
    }

    /// Has everything come to rest? Relays may go round, but find nothing to do.
    pub(crate) fn is_quiet(&self, plan: &Plan) -> bool {
        let quiet = &self.quiet;
        quiet.running == 0
            && quiet.travelling == 0
            && quiet.restarting == 0
            && !self.nodes.iter().any(|node| self.will_flush(node))
            && (0..).zip(&plan.periodic).all(|(index, periodic)| {
                let home = plan.program(periodic.program).home;
                self.nodes[home.index()].life == Life::Down
                    || quiet.clean.get(&index) == Some(&quiet.changes)
                    || (periodic.partition.is_some() && self.waits_for_messages(index))
            })
            && self
                .nodes
                .iter()
                .all(|node| node.bus.as_ref().is_none_or(|bus| bus.is_at_rest()))
            && self
                .connections
                .iter()
                .all(|(_, connection)| connection.running.is_none())
    }

    pub(crate) fn hash_state(&self, state: &mut impl Hasher) {
        self.scheduler.hash(state);
        (self.trace.fingerprint(), self.trace.events()).hash(state);
        (
            &self.nodes,
            &self.pools,
            &self.connections,
            &self.activations,
            &self.bus_requests,
            self.started,
        )
            .hash(state);
        (
            &self.clients,
            &self.faults,
            &self.links,
            &self.jitter,
            &self.drawn,
            &self.quiet,
        )
            .hash(state);
    }
}

impl ServerState {
    pub(crate) fn new(engine: Server) -> ServerState {
        ServerState {
            engine,
            wal: GroupCommit::new(),
            wal_writer: false,
            sessions: BTreeMap::new(),
            statements: 0,
            flushes: 0,
            commits: 0,
        }
    }
}

pub(crate) fn unavailable(message: impl Into<String>) -> Error {
    Error {
        class: ErrorClass::Unavailable,
        code: None,
        message: message.into(),
    }
}
