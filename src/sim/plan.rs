//! What does not change during a run, prepared once: shared by all forks.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use base::{Nanos, Row, Value};
use engine_sql::{Evaluation, SqlError};
use program::profile::Profile;
use program::workload::ClientLoop;
use program::{
    Compilation, ComposeTable, Fault, NodeId, NodeKind, Op, PoolId, Program, ProgramId, ProgramKind, RouteId, StepId,
    Trigger,
};

use crate::activation::Rows;
use crate::simulation::Options;
use crate::workload::{Population, Requests};

/// An SQL text of the compilation; the same text has the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TextId(pub(crate) u32);

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) compilation: Arc<Compilation>,
    pub(crate) profile: Profile,
    pub(crate) options: Options,
    pub(crate) faults: Vec<Fault>,
    pub(crate) population: Population,
    pub(crate) requests: Requests,
    pub(crate) texts: Vec<Arc<str>>,
    /// Those that take no parameters: the driver writes the operand into them.
    written: Vec<bool>,
    /// What gives a connection back in order.
    pub(crate) rollback: TextId,
    /// Program → step → its text.
    statements: Vec<Vec<Option<TextId>>>,
    /// Program → step → its join, planned when it is first made.
    joins: Vec<Vec<OnceLock<Result<Evaluation, SqlError>>>>,
    /// (base, jitter) one way, by `from × nodes + to`.
    latencies: Vec<(Nanos, Nanos)>,
    /// Which faults strike at a step, by program.
    struck: Vec<Vec<(StepId, u16)>>,
    pub(crate) clients: Vec<NodeId>,
    pub(crate) periodic: Vec<Periodic>,
    routes: Vec<Route>,
}

/// What runs for ever beside the requests: a relay, or a consumer's copy for one partition.
#[derive(Clone, Debug)]
pub(crate) struct Periodic {
    pub(crate) program: ProgramId,
    pub(crate) every: Nanos,
    pub(crate) partition: Option<u16>,
}

/// A route, ready to be asked.
#[derive(Clone, Debug)]
struct Route {
    by_key: BTreeMap<Value, PoolId>,
    keys: Rows,
}

impl Plan {
    pub(crate) fn new(compilation: Arc<Compilation>, profile: &Profile, faults: Vec<Fault>, options: Options) -> Plan {
        let mut texts = Texts::default();
        let rollback = texts.number("ROLLBACK");
        let statements = compilation
            .programs
            .iter()
            .map(|program| texts.of_program(program))
            .collect();
        let mut struck = vec![Vec::new(); compilation.programs.len()];
        for (index, fault) in faults.iter().enumerate() {
            if let Trigger::Step(trigger) = &fault.trigger {
                struck[trigger.program.index()].push((trigger.step, index as u16));
            }
        }
        let nodes = &compilation.deployment.nodes;
        let is_client = |(_, node): &(usize, &program::Node)| node.kind == NodeKind::Client;
        let clients = nodes
            .iter()
            .enumerate()
            .filter(is_client)
            .map(|(index, _)| NodeId(index as u16))
            .collect();
        let joins = |program: &Program| program.steps.iter().map(|_| OnceLock::new()).collect();
        Plan {
            joins: compilation.programs.iter().map(joins).collect(),
            population: Population::new(&compilation.workload),
            requests: Requests::new(&compilation.workload),
            written: texts.texts.iter().map(|text| takes_no_parameters(text)).collect(),
            texts: texts.texts,
            rollback,
            statements,
            latencies: latencies(&compilation, profile),
            struck,
            clients,
            periodic: periodic(&compilation),
            routes: compilation.deployment.routes.iter().map(Route::new).collect(),
            profile: profile.clone(),
            options,
            faults,
            compilation,
        }
    }

    /// Whether the text's operand is written into it when it is sent.
    pub(crate) fn is_written(&self, text: TextId) -> bool {
        self.written[text.0 as usize]
    }

    pub(crate) fn program(&self, id: ProgramId) -> &Program {
        &self.compilation.programs[id.index()]
    }

    pub(crate) fn text_of(&self, program: ProgramId, step: StepId) -> TextId {
        self.statements[program.index()][step.index()].unwrap_or(self.rollback)
    }

    /// The join of a step, over the row sets that the step names.
    pub(crate) fn join(
        &self,
        program: ProgramId,
        step: StepId,
        tables: &[ComposeTable],
        sql: &str,
    ) -> &Result<Evaluation, SqlError> {
        let named = tables
            .iter()
            .map(|table| (table.name.as_str(), table.columns.as_slice()));
        self.joins[program.index()][step.index()].get_or_init(|| Evaluation::new(named, sql))
    }

    /// `None`: the route has no such key.
    pub(crate) fn routed(&self, route: RouteId, key: &Value) -> Option<PoolId> {
        self.routes[route.index()].by_key.get(&route_key(key)).copied()
    }

    pub(crate) fn route_keys(&self, route: RouteId) -> Rows {
        self.routes[route.index()].keys.clone()
    }

    pub(crate) fn latency(&self, from: NodeId, to: NodeId) -> (Nanos, Nanos) {
        self.latencies[from.index() * self.compilation.deployment.nodes.len() + to.index()]
    }

    pub(crate) fn faults_at(&self, program: ProgramId, step: StepId) -> impl Iterator<Item = u16> + '_ {
        self.struck[program.index()]
            .iter()
            .filter(move |(at, _)| *at == step)
            .map(|(_, fault)| *fault)
    }

    pub(crate) fn is_struck(&self, program: ProgramId) -> bool {
        !self.struck[program.index()].is_empty()
    }

    pub(crate) fn client_count(&self) -> u32 {
        match self.compilation.workload.clients {
            ClientLoop::Closed { clients, .. } => clients.max(1),
            ClientLoop::Open { .. } | ClientLoop::Serial => 1,
        }
    }
}

impl Route {
    fn new(route: &program::Route) -> Route {
        let pools = route.pools.iter();
        Route {
            by_key: pools.clone().map(|(key, pool)| (route_key(key), *pool)).collect(),
            keys: pools.map(|(key, _)| Row::from([key.clone()])).collect(),
        }
    }
}

/// Integers of any width are one key.
pub(crate) fn route_key(key: &Value) -> Value {
    key.as_i64().map_or_else(|| key.clone(), Value::Int8)
}

/// The commands of two-phase commit name a transaction by a literal.
fn takes_no_parameters(sql: &str) -> bool {
    let verbs = ["PREPARE TRANSACTION ", "COMMIT PREPARED ", "ROLLBACK PREPARED "];
    verbs.iter().any(|verb| sql.starts_with(verb))
}

#[derive(Default)]
struct Texts {
    numbers: BTreeMap<Arc<str>, TextId>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    fn number(&mut self, text: &str) -> TextId {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = TextId(self.texts.len() as u32);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    fn of_program(&mut self, program: &Program) -> Vec<Option<TextId>> {
        let text = |step: &program::Step| match &step.op {
            Op::Statement { sql, .. } => Some(self.number(sql)),
            _ => None,
        };
        program.steps.iter().map(text).collect()
    }
}

fn periodic(compilation: &Compilation) -> Vec<Periodic> {
    let mut all = Vec::new();
    for (id, program) in (0..).map(ProgramId).zip(&compilation.programs) {
        let (every, partitions) = match program.kind {
            ProgramKind::Periodic { every } => (every, None),
            ProgramKind::Consumer { topic, every } => {
                (every, Some(compilation.deployment.topics[topic.index()].partitions))
            }
            _ => continue,
        };
        let copies = match partitions {
            None => vec![None],
            Some(count) => (0..count).map(Some).collect(),
        };
        all.extend(copies.into_iter().map(|partition| Periodic {
            program: id,
            // A round that begins at once when it has ended would stop time.
            every: every.max(Nanos(1)),
            partition,
        }));
    }
    all
}

fn latencies(compilation: &Compilation, profile: &Profile) -> Vec<(Nanos, Nanos)> {
    let nodes = compilation.deployment.nodes.len() as u16;
    let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (NodeId(from), NodeId(to))));
    let latency = |(from, to)| {
        let class = compilation.deployment.link_class(from, to);
        let link = profile.network.iter().find(|link| link.class == class);
        link.map_or((Nanos::ZERO, Nanos::ZERO), |link| (link.base_ns, link.jitter_mean_ns))
    };
    pairs.map(latency).collect()
}
