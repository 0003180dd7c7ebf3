//! A run: made from a compilation, driven in slices, forked, asked for what it has found.

use std::hash::Hasher;
use std::sync::Arc;

use base::{Fingerprint, Fingerprinter, Nanos, Row, Time};
use program::profile::Profile;
use program::workload::ClientLoop;
use program::{Compilation, Event, Fault, NodeId, RequestId};

use crate::bus::BusUse;
use crate::item::{ItemSent, ItemUse, ItemsHeld};
use crate::measure::Measurements;
use crate::object::ObjectUse;
use crate::plan::Plan;
use crate::setup::{self, SetupError};
use crate::trace::{Record, Sent, Trace};
use crate::watch::{self, Checks, InvariantState};
use crate::world::World;

/// How to run; none of it changes what happens, but the number of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Requests to issue.
    pub requests: u64,
    /// The first so many requests are not measured.
    pub warm_up: u64,
    pub checks: Checks,
    pub record: Record,
    /// Keep every statement and every request to items that programs send: [`Simulation::sent`],
    /// [`Simulation::items_sent`].
    pub statements: bool,
    /// Keeps the rows that each request was answered with.
    pub keep_answers: bool,
    /// How long, in virtual time, to wait for quiet when no request is open any more.
    pub drain_limit: Nanos,
}

impl Options {
    /// As the workload says; a tenth of the requests is warm-up.
    pub fn of(compilation: &Compilation) -> Options {
        let requests = compilation.workload.requests;
        Options {
            requests,
            warm_up: if compilation.workload.clients == ClientLoop::Serial {
                0
            } else {
                requests / 10
            },
            checks: Checks::End,
            record: Record::Nothing,
            statements: false,
            keep_answers: false,
            drain_limit: Nanos::from_secs(60),
        }
    }
}

/// `Clone` forks a run in the middle of whatever happens in it; both copies go on alike.
#[derive(Clone, Debug)]
pub struct Simulation {
    plan: Arc<Plan>,
    world: World,
    end: Option<End>,
    quiet_since: Option<Time>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Running {
        issued: u64,
        ended: u64,
        requests: u64,
        now: Time,
    },
    Done(End),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub at: Time,
    /// False: something was still going on when the drain limit was reached.
    pub quiet: bool,
}

/// What a node has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeUse {
    pub processor_time: Nanos,
    pub cores: u32,
    pub statements: u64,
    pub flushes: u64,
    pub commits: u64,
    pub crashes: u32,
    /// Bytes at rest on its disks at present.
    pub stored_bytes: u64,
    /// If it is DynamoDB: requests and capacity.
    pub items: ItemUse,
    /// If it is an object store: requests by class, and bytes.
    pub objects: ObjectUse,
    /// If it is an event bus: requests and messages.
    pub bus: BusUse,
}

impl Simulation {
    /// Checks the compilation, creates its databases and loads their initial rows.
    pub fn new(
        compilation: Arc<Compilation>,
        profile: &Profile,
        faults: Vec<Fault>,
        options: Options,
    ) -> Result<Simulation, SetupError> {
        setup::check(&compilation, &faults, &options)?;
        let plan = Plan::new(compilation, profile, faults, options);
        setup::check_numbers(&plan)?;
        let operations = plan.compilation.workload.operations.len();
        let measurements = Measurements::new(operations, plan.options.requests, plan.options.warm_up);
        let mut trace = Trace::new(plan.options.record.clone(), measurements);
        if plan.options.statements {
            trace.keep_statements();
        }
        let world = World::new(&plan, trace, setup::engines(&plan)?);
        Ok(Simulation {
            plan: Arc::new(plan),
            world,
            end: None,
            quiet_since: None,
        })
    }

    /// Lets up to `budget` things happen. Between slices a caller may show progress, or stop.
    pub fn run_slice(&mut self, budget: u64) -> Progress {
        let plan = Arc::clone(&self.plan);
        for _ in 0..budget {
            if self.end.is_some() || self.ends(&plan) || !self.world.step(&plan) {
                break;
            }
        }
        if self.end.is_none() && self.world.scheduler.is_empty() {
            self.finish(&plan);
        }
        self.progress()
    }

    pub fn run(&mut self) -> End {
        loop {
            if let Progress::Done(end) = self.run_slice(u64::MAX) {
                return end;
            }
        }
    }

    pub fn progress(&self) -> Progress {
        match self.end {
            Some(end) => Progress::Done(end),
            None => Progress::Running {
                issued: self.world.clients.issued,
                ended: self.world.clients.ended,
                requests: self.plan.options.requests,
                now: self.world.now(),
            },
        }
    }

    /// Looks whether everything has come to rest; lets a serial client ask again if so.
    fn ends(&mut self, plan: &Plan) -> bool {
        if self.world.clients.waiting > 0 || self.world.clients.pausing {
            self.quiet_since = None;
            return false;
        }
        let ended = self.world.clients.have_ended(plan);
        let serial = plan.compilation.workload.clients == ClientLoop::Serial && self.world.clients.issued > 0;
        if !ended && !serial {
            return false;
        }
        let since = *self.quiet_since.get_or_insert(self.world.now());
        let late = self.world.now().since(since) > plan.options.drain_limit;
        if !late && !self.world.is_quiet(plan) {
            return false;
        }
        self.quiet_since = None;
        if ended {
            self.finish(plan);
        } else {
            self.world.next_serial(plan);
        }
        ended
    }

    fn finish(&mut self, plan: &Plan) {
        self.end = Some(End {
            at: self.world.now(),
            quiet: self.world.is_quiet(plan),
        });
        self.world.look_at_end(plan);
    }

    pub fn compilation(&self) -> &Compilation {
        &self.plan.compilation
    }

    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// Requests asked, and those that have ended: answered or given up.
    pub fn requests(&self) -> (u64, u64) {
        (self.world.clients.issued, self.world.clients.ended)
    }

    pub fn measurements(&self) -> &Measurements {
        &self.world.trace.measurements
    }

    /// What [`Options::record`] asked for.
    pub fn recorded(&self) -> &[Event] {
        self.world.trace.recorded()
    }

    /// Hands over what was recorded so far: a sink that is emptied between slices needs no memory.
    pub fn take_recorded(&mut self) -> Vec<Event> {
        self.world.trace.take_recorded()
    }

    /// The statements that were answered, in that order, if [`Options::statements`] asked for them.
    pub fn sent(&self) -> &[Sent] {
        self.world.trace.sent()
    }

    /// The requests to tables of items that were carried out, in that order, if [`Options::statements`] asked for them.
    pub fn items_sent(&self) -> Vec<ItemSent> {
        self.world.trace.items().iter().map(ItemSent::of).collect()
    }

    /// Every table of items as it is at present.
    pub fn items_held(&self) -> Vec<ItemsHeld> {
        let tables = self.plan.compilation.deployment.item_tables.iter();
        let held = tables.filter_map(|table| {
            let service = self.world.nodes[table.node.index()].items.as_ref()?;
            ItemsHeld::of(&service.engine, &table.name)
        });
        held.collect()
    }

    /// By the compilation's order.
    pub fn invariants(&self) -> &[InvariantState] {
        &self.world.watch.states
    }

    /// The rows that a request was answered with, one set for each statement that answers; `None` if it had no
    /// answer, or if answers are not kept ([`Options::keep_answers`]).
    pub fn answer(&self, request: RequestId) -> Option<&[Arc<[Row]>]> {
        self.world.clients.answers.get(&request).map(Vec::as_slice)
    }

    /// By the deployment's order.
    pub fn nodes(&self) -> Vec<NodeUse> {
        let node_use = |node: &crate::world::NodeState| NodeUse {
            processor_time: node.cpu.used(),
            cores: node.cpu.cores(),
            statements: node.server.as_ref().map_or(0, |server| server.statements),
            flushes: node.server.as_ref().map_or(0, |server| server.flushes),
            commits: node.server.as_ref().map_or(0, |server| server.commits),
            crashes: node.crashes,
            stored_bytes: stored_bytes(node),
            objects: node
                .objects
                .as_ref()
                .map_or(ObjectUse::default(), |service| service.used),
            bus: node.bus.as_ref().map_or(BusUse::default(), |bus| bus.used),
            items: node.items.as_ref().map_or(ItemUse::default(), |service| service.used),
        };
        self.world.nodes.iter().map(node_use).collect()
    }

    /// Which of the faults have struck.
    pub fn struck(&self) -> &[bool] {
        self.world.faults.struck()
    }

    /// The committed rows of a logical table, wherever they lie, in no particular order.
    pub fn read_table(&self, name: &str) -> Result<Vec<Row>, String> {
        let compilation = &self.plan.compilation;
        let table = compilation.logical_tables.iter().find(|table| table.name == name);
        let table = table.ok_or_else(|| format!("there is no logical table {name}"))?;
        watch::rows_of(compilation, &self.world.nodes, table)
    }

    /// A node's SQL server as it is at this instant, to be looked at or copied.
    pub fn server(&self, node: NodeId) -> Option<&engine_sql::Server> {
        let state = self.world.nodes.get(node.index())?;
        state.server.as_ref().map(|server| &server.engine)
    }

    /// How many events there were, and the fingerprint of their whole ordered stream.
    pub fn trace(&self) -> (u64, Fingerprint) {
        (self.world.trace.events(), self.world.trace.fingerprint())
    }

    /// How many steps of programs have been begun.
    pub fn steps(&self) -> u64 {
        self.world.steps
    }

    /// How much the scheduler has handled.
    pub fn happened(&self) -> u64 {
        self.world.scheduler.happened()
    }

    /// Of the whole world: what is planned, what runs, what is stored.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = Fingerprinter::new();
        self.world.hash_state(&mut hasher);
        hasher.write_u8(u8::from(self.end.is_some()));
        hasher.fingerprint()
    }
}

fn stored_bytes(node: &crate::world::NodeState) -> u64 {
    let server = node.server.as_ref().map(|server| server.engine.stored_bytes());
    let items = || node.items.as_ref().map(|service| service.engine.stored_bytes());
    let objects = || node.objects.as_ref().map(|service| service.engine.stored_bytes());
    let bus = || node.bus.as_ref().map(|bus| bus.engine.stored_bytes());
    server.or_else(items).or_else(objects).or_else(bus).unwrap_or(0)
}
