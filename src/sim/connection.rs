//! Connections of a service's pool to a database: taken, opened, given back, broken.
//!
//! A connection is given back clean: if a transaction is open on it, a ROLLBACK goes first. It breaks when
//! either end crashes or a message on it is lost; the server then rolls back what was open, and whoever uses
//! it at the service sees [`ErrorClass::Unavailable`](program::ErrorClass::Unavailable).

use engine_sql::{SessionId, StatementId, TransactionStatus};
use program::{Connect, ConnectionId, EventKind, Expression, NodeId, PoolId, RequestId, StepId, WaitCause};

use crate::activation::{Activation, Answer, Armed, FiberRef, Pending};
use crate::arena::Key;
use crate::call::down;
use crate::interpreter::Flow;
use crate::network::Message;
use crate::plan::{Plan, TextId};
use crate::statement::{Phase, Running, failure};
use crate::station::Granted;
use crate::world::{Happening, Job, World, unavailable};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Connection {
    pub(crate) pool: PoolId,
    pub(crate) service: NodeId,
    pub(crate) server: NodeId,
    /// `None` while it is being opened, or when the server has forgotten it.
    pub(crate) session: Option<SessionId>,
    /// By text: what has been prepared on it.
    pub(crate) prepared: Vec<(TextId, StatementId)>,
    pub(crate) status: TransactionStatus,
    /// Who waits for it to be opened.
    pub(crate) opener: Option<FiberRef>,
    pub(crate) running: Option<Running>,
    /// The service's process is gone: the server ends what runs and then hangs up.
    pub(crate) abandoned: bool,
    /// Why the server has refused it.
    pub(crate) refused: Option<program::Error>,
}

impl World {
    pub(crate) fn acquire(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: &mut Activation,
        fiber: u16,
        connection: ConnectionId,
        route_key: Option<&Expression>,
    ) -> Flow {
        let slot = usize::from(connection.0);
        let pool = match self.pool_of(plan, activation, fiber, slot, route_key) {
            Ok(pool) => pool,
            Err(error) => return self.step_failed(plan, key, activation, fiber, error),
        };
        let step = activation.fiber(fiber).step;
        if let Some(held) = activation.scope(fiber).connections[slot] {
            match self.connections.get(held).map(|connection| connection.pool) {
                Some(from) if from == pool => return self.step_done(plan, key, activation, fiber, 0),
                Some(_) if activation.is_inherited(fiber, slot) => {}
                Some(_) => self.release(plan, held, activation.id, step, activation.request),
                None => {}
            }
            activation.scope(fiber).connections[slot] = None;
        }
        match self.pools[pool.index()].ask() {
            Granted::Idle(free) => {
                activation.scope(fiber).connections[slot] = Some(free);
                self.step_done(plan, key, activation, fiber, 0)
            }
            Granted::Open => {
                let waiting = activation.wait(key, fiber, Pending::Connection);
                self.wait_started(activation, step, WaitCause::Connection);
                self.open_connection(plan, pool, waiting, (activation.id, step, activation.request));
                Flow::Wait
            }
            Granted::Full => {
                let waiting = activation.wait(key, fiber, Pending::Connection);
                self.wait_started(activation, step, WaitCause::Connection);
                self.pools[pool.index()].stand_in_line(waiting);
                Flow::Wait
            }
        }
    }

    fn pool_of(
        &mut self,
        plan: &Plan,
        activation: &mut Activation,
        fiber: u16,
        slot: usize,
        key: Option<&Expression>,
    ) -> Result<PoolId, program::Error> {
        match plan.program(activation.id.program).connections[slot] {
            Connect::Pool(pool) => Ok(pool),
            Connect::Route(route) => {
                let key = match key {
                    Some(key) => self.operand(plan, activation, fiber, key)?,
                    None => base::Value::Null,
                };
                plan.routed(route, &key).ok_or_else(|| {
                    let name = &plan.compilation.deployment.routes[route.index()].name;
                    program::Error {
                        class: program::ErrorClass::Refused,
                        code: None,
                        message: format!("no database for {name} {key}"),
                    }
                })
            }
        }
    }

    fn open_connection(
        &mut self,
        plan: &Plan,
        pool: PoolId,
        opener: FiberRef,
        (activation, step, request): (program::Activation, StepId, Option<RequestId>),
    ) {
        let definition = &plan.compilation.deployment.pools[pool.index()];
        let server = plan.compilation.deployment.databases[definition.database.index()].node;
        let connection = self.connections.insert(Connection {
            pool,
            service: definition.service,
            server,
            session: None,
            prepared: Vec::new(),
            status: TransactionStatus::Idle,
            opener: Some(opener),
            running: None,
            abandoned: false,
            refused: None,
        });
        let (from, to) = (definition.service, server);
        let message = Message::request(from, to, request, activation, step);
        if let Some(arrives) = self.transmit(plan, message) {
            self.scheduler.at(arrives, Happening::ConnectArrives(connection));
        }
    }

    pub(crate) fn connect_arrives(&mut self, plan: &Plan, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let server = connection.server;
        if self.is_up(server) {
            self.work(plan, server, Job::Connect(key));
        } else {
            self.refuse_connection(plan, key, down(plan, server));
        }
    }

    /// The server process has started.
    pub(crate) fn connection_accepted(&mut self, plan: &Plan, node: NodeId, key: Key) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let pool = &plan.compilation.deployment.pools[connection.pool.index()];
        let database = &plan.compilation.deployment.databases[pool.database.index()].name;
        let Some(server) = &mut self.nodes[node.index()].server else {
            return;
        };
        match server.engine.connect(database, &pool.role, now) {
            Ok(session) => {
                connection.session = Some(session);
                server.sessions.insert(session, key);
                self.answer_connect(plan, key);
            }
            Err(error) => self.refuse_connection(plan, key, failure(&error)),
        }
    }

    fn refuse_connection(&mut self, plan: &Plan, key: Key, error: program::Error) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.refused = Some(error);
        }
        self.answer_connect(plan, key);
    }

    fn answer_connect(&mut self, plan: &Plan, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let (server, service) = (connection.server, connection.service);
        let latency = self.latency(plan, server, service);
        self.scheduler.after(latency, Happening::ConnectAnswered(key));
    }

    pub(crate) fn connect_answered(&mut self, plan: &Plan, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let opener = connection.opener.take();
        if connection.abandoned {
            self.break_connection(plan, key);
        } else if let Some(error) = connection.refused.take() {
            connection.opener = opener;
            self.end_connection(plan, key, error);
        } else if let Some(opener) = opener.filter(|opener| self.is_waiting(*opener)) {
            self.granted(plan, opener, key);
        } else {
            self.give_back(plan, key);
        }
    }

    /// The connection is the fiber's, if it still waits for one.
    pub(crate) fn granted(&mut self, plan: &Plan, fiber: FiberRef, connection: Key) {
        if self.connections.get(connection).is_none() {
            self.fail_acquire(plan, fiber, unavailable("the connection broke"));
            return;
        }
        if !self.is_waiting(fiber) {
            self.give_back(plan, connection);
            return;
        }
        let Some(mut activation) = self.activations.borrow(fiber.activation) else {
            return;
        };
        let (program, step) = (activation.id.program, activation.fiber(fiber.fiber).step);
        self.wait_ended(&activation, step, WaitCause::Connection);
        activation.fiber(fiber.fiber).pending = Pending::Nothing;
        if let program::Op::Acquire { connection: slot, .. } = plan.program(program).step(step).op {
            activation.scope(fiber.fiber).connections[usize::from(slot.0)] = Some(connection);
        }
        let flow = self.step_done(plan, fiber.activation, &mut activation, fiber.fiber, 0);
        self.drive(plan, fiber.activation, activation, fiber.fiber, flow);
    }

    fn fail_acquire(&mut self, plan: &Plan, fiber: FiberRef, error: program::Error) {
        if !self.is_waiting(fiber) {
            return;
        }
        let Some(mut activation) = self.activations.borrow(fiber.activation) else {
            return;
        };
        let step = activation.fiber(fiber.fiber).step;
        self.wait_ended(&activation, step, WaitCause::Connection);
        activation.fiber(fiber.fiber).pending = Pending::Nothing;
        let flow = self.step_failed(plan, fiber.activation, &mut activation, fiber.fiber, error);
        self.drive(plan, fiber.activation, activation, fiber.fiber, flow);
    }

    /// A program gives a connection back; an open transaction on it is rolled back first.
    pub(crate) fn release(
        &mut self,
        plan: &Plan,
        key: Key,
        activation: program::Activation,
        step: StepId,
        request: Option<RequestId>,
    ) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.status == TransactionStatus::Idle {
            self.give_back(plan, key);
            return;
        }
        connection.running = Some(Running::new(
            activation,
            step,
            request,
            plan.rollback,
            Vec::new(),
            Armed::default(),
        ));
        let message = Message::request(connection.service, connection.server, request, activation, step);
        if let Some(arrives) = self.transmit(plan, message) {
            self.scheduler.at(arrives, Happening::StatementArrives(key));
        }
    }

    /// A clean connection goes to whoever has waited longest, else it rests.
    pub(crate) fn give_back(&mut self, _plan: &Plan, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let pool = connection.pool.index();
        while let Some(next) = self.pools[pool].next_in_line() {
            if self.is_waiting_soon(next) {
                let grant = Happening::ConnectionGranted {
                    fiber: next,
                    connection: key,
                };
                self.scheduler.after(base::Nanos::ZERO, grant);
                return;
            }
        }
        self.pools[pool].give_back(key);
    }

    /// As [`World::is_waiting`], but true also for the program that is being run: the grant looks again.
    fn is_waiting_soon(&self, fiber: FiberRef) -> bool {
        self.is_waiting(fiber) || self.activations.is_borrowed(fiber.activation)
    }

    /// Both ends learn that the connection is gone; the server rolls back what was open on it.
    pub(crate) fn break_connection(&mut self, plan: &Plan, key: Key) {
        self.end_connection(plan, key, unavailable("the connection broke"));
    }

    fn end_connection(&mut self, plan: &Plan, key: Key, error: program::Error) {
        let now = self.now();
        let Some(connection) = self.connections.remove(key) else {
            return;
        };
        if let Some(session) = connection.session
            && let Some(server) = &mut self.nodes[connection.server.index()].server
            && server.sessions.remove(&session).is_some()
        {
            let open = server.engine.transaction_status(session) != TransactionStatus::Idle;
            server.engine.disconnect(session, now);
            if open {
                self.emit(
                    connection.server,
                    None,
                    EventKind::TransactionRolledBack { activation: None },
                );
            }
            self.woken(plan, connection.server);
        }
        if connection.abandoned {
            return;
        }
        self.pools[connection.pool.index()].forget(key);
        if let Some(asker) = connection.running.as_ref().and_then(|running| running.asker) {
            self.answer_returns(plan, asker, Answer::Output(Err(error.clone())));
        }
        if let Some(opener) = connection.opener {
            self.fail_acquire(plan, opener, error);
        }
        self.open_for_next(plan, connection.pool);
    }

    /// There is room in the pool again: for whoever has waited longest.
    fn open_for_next(&mut self, plan: &Plan, pool: PoolId) {
        while let Some(next) = self.pools[pool.index()].next_in_line() {
            if !self.is_waiting(next) {
                continue;
            }
            let Some(activation) = self.activations.get(next.activation) else {
                continue;
            };
            let (id, request) = (activation.id, activation.request);
            let step = activation.fibers[usize::from(next.fiber)].step;
            match self.pools[pool.index()].ask() {
                Granted::Idle(free) => self.granted(plan, next, free),
                Granted::Open => self.open_connection(plan, pool, next, (id, step, request)),
                Granted::Full => self.pools[pool.index()].stand_in_line(next),
            }
            return;
        }
    }

    /// The service's process is gone. What has been sent to a server is still done there, and the server hangs up
    /// when it reads that nobody is left.
    pub(crate) fn abandon_connections(&mut self, plan: &Plan, service: NodeId) {
        for key in self
            .connections
            .keys(|connection| connection.service == service && !connection.abandoned)
        {
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            connection.abandoned = true;
            connection.opener = None;
            let server = connection.server;
            let idle = connection
                .running
                .as_ref()
                .is_none_or(|running| running.phase == Phase::Preparing);
            if idle && connection.session.is_some() {
                let latency = self.latency(plan, service, server);
                self.scheduler.after(latency, Happening::ConnectionBreaks(key));
            }
        }
    }
}
