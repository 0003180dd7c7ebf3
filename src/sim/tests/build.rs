//! Small compilations, written by hand.

use std::sync::Arc;

use base::{Nanos, Type, Value};
use program::profile::{
    BusCosts, DynamoCosts, LinkLatency, ObjectCosts, Profile, RecoveryCosts, ServiceCosts, SqlCosts,
};
use program::workload::{ClientLoop, ClientRetry, Generator, OperationLoad, TablePopulation, Tenant, Workload};
use program::*;
use sim::{Options, Simulation};

pub(crate) const CLIENT: NodeId = NodeId(0);
pub(crate) const APP: NodeId = NodeId(1);
pub(crate) const SERVER: NodeId = NodeId(2);

/// A client, an application with two cores, a server with two cores and one database.
pub(crate) fn compilation(definitions: &[&str], pool_size: u16) -> Compilation {
    let node = |name: &str, kind, cores| Node {
        name: name.to_owned(),
        kind,
        cores,
    };
    Compilation {
        architecture: "by-hand".to_owned(),
        title: "By hand".to_owned(),
        deployment: Deployment {
            nodes: vec![
                node("client", NodeKind::Client, 1),
                node("app", NodeKind::Service, 2),
                node("db", NodeKind::SqlServer, 2),
            ],
            databases: vec![Database {
                name: "main".to_owned(),
                node: SERVER,
                template: None,
                definitions: definitions.iter().map(|text| (*text).to_owned()).collect(),
            }],
            pools: vec![Pool {
                name: "app → main".to_owned(),
                service: APP,
                database: DatabaseId(0),
                role: "postgres".to_owned(),
                size: pool_size,
            }],
            routes: Vec::new(),
            item_tables: Vec::new(),
            buckets: Vec::new(),
            topics: Vec::new(),
            links: Vec::new(),
        },
        programs: Vec::new(),
        entries: Vec::new(),
        workload: Workload {
            seed: 7,
            epoch_micros: 0,
            tenants: vec![Tenant { id: 1, weight: 1 }],
            tables: Vec::new(),
            operations: Vec::new(),
            clients: ClientLoop::Serial,
            requests: 1,
            retry: ClientRetry {
                timeout: Nanos::from_secs(30),
                attempts: 1,
            },
        },
        logical_tables: Vec::new(),
        invariants: Vec::new(),
        weakened: Vec::new(),
        refusals: Vec::new(),
    }
}

/// Round figures, so that a reader can add them up: 1 ms a link, 100 µs a request at the service.
pub(crate) fn profile() -> Profile {
    Profile {
        name: "test".to_owned(),
        title: "Test".to_owned(),
        date: "2026-01-01".to_owned(),
        network: vec![LinkLatency {
            class: LinkClass::SameZone,
            base_ns: Nanos::from_millis(1),
            jitter_mean_ns: Nanos::ZERO,
        }],
        sql: SqlCosts {
            statement_ns: Nanos::from_micros(20),
            prepare_ns: Nanos::from_micros(100),
            row_read_ns: Nanos(200),
            row_written_ns: Nanos(2_000),
            index_probe_ns: Nanos(1_000),
            page_read_ns: Nanos(200),
            wal_byte_ns: 1.0,
            flush_ns: Nanos::from_millis(2),
            connect_ns: Nanos::from_millis(5),
            oversubscription_backends_per_core: 100.0,
            core_contention: 0.0,
        },
        dynamo: DynamoCosts {
            request_ns: Nanos::from_micros(500),
            read_ns: Nanos::from_millis(1),
            strong_read_ns: Nanos::from_micros(500),
            page_ns: Nanos::from_millis(2),
            write_ns: Nanos::from_millis(3),
            read_round_ns: Nanos::from_millis(2),
            write_round_ns: Nanos::from_millis(5),
            item_ns: Nanos::from_micros(10),
            jitter_mean_ns: Nanos::ZERO,
            index_delay_ns: Nanos::from_millis(50),
            partitions: 0,
        },
        objects: ObjectCosts {
            get_ns: Nanos::from_millis(20),
            list_ns: Nanos::from_millis(30),
            put_ns: Nanos::from_millis(40),
            delete_ns: Nanos::from_millis(10),
            mebibyte_ns: Nanos::from_millis(10),
            jitter_mean_ns: Nanos::ZERO,
            prefix_depth: None,
        },
        bus: BusCosts {
            request_ns: Nanos::from_micros(200),
            message_ns: Nanos::from_micros(10),
            replicate_ns: Nanos::from_millis(4),
        },
        service: ServiceCosts {
            step_ns: Nanos::from_micros(100),
            row_ns: Nanos(500),
        },
        recovery: RecoveryCosts {
            service_restart_ns: Nanos::from_millis(500),
            server_restart_ns: Nanos::from_millis(1_000),
            wal_byte_ns: 10.0,
            silence_ns: Nanos::from_secs(2),
        },
        sources: Vec::new(),
    }
}

/// A profile in which nothing costs anything.
pub(crate) fn free_profile() -> Profile {
    let mut profile = profile();
    let zero = Nanos::ZERO;
    profile.network.clear();
    profile.service = ServiceCosts {
        step_ns: zero,
        row_ns: zero,
    };
    profile.bus = BusCosts {
        request_ns: zero,
        message_ns: zero,
        replicate_ns: zero,
    };
    profile.dynamo = DynamoCosts {
        request_ns: zero,
        read_ns: zero,
        strong_read_ns: zero,
        page_ns: zero,
        write_ns: zero,
        read_round_ns: zero,
        write_round_ns: zero,
        item_ns: zero,
        jitter_mean_ns: zero,
        index_delay_ns: zero,
        partitions: 0,
    };
    profile.sql = SqlCosts {
        statement_ns: zero,
        prepare_ns: zero,
        row_read_ns: zero,
        row_written_ns: zero,
        index_probe_ns: zero,
        page_read_ns: zero,
        wal_byte_ns: 0.0,
        flush_ns: zero,
        connect_ns: zero,
        oversubscription_backends_per_core: 0.0,
        core_contention: 0.0,
    };
    profile
}

/// Builds a program: steps are numbered in order of being added, blocks are lists of those numbers.
pub(crate) struct Builder(pub(crate) Program);

impl Builder {
    pub(crate) fn new(name: &str, home: NodeId, kind: ProgramKind) -> Builder {
        Builder(Program {
            name: name.to_owned(),
            home,
            operation: None,
            kind,
            parameters: Vec::new(),
            registers: Vec::new(),
            connections: Vec::new(),
            steps: Vec::new(),
            body: Vec::new(),
        })
    }

    pub(crate) fn entry(name: &str) -> Builder {
        Builder::new(name, APP, ProgramKind::Entry)
    }

    pub(crate) fn register(&mut self, name: &str) -> RegisterId {
        self.0.registers.push(Register {
            name: name.to_owned(),
            kind: RegisterKind::Value(None),
        });
        RegisterId(self.0.registers.len() as u16 - 1)
    }

    pub(crate) fn rows(&mut self, name: &str) -> RegisterId {
        self.0.registers.push(Register {
            name: name.to_owned(),
            kind: RegisterKind::Rows,
        });
        RegisterId(self.0.registers.len() as u16 - 1)
    }

    pub(crate) fn parameter(&mut self, name: &str) -> RegisterId {
        let register = self.register(name);
        self.0.parameters.push(register);
        register
    }

    /// A step that stands in no block yet.
    pub(crate) fn step(&mut self, label: &str, op: Op) -> StepId {
        self.0.steps.push(Step {
            label: label.to_owned(),
            role: Role::Work,
            op,
            source: None,
        });
        StepId(self.0.steps.len() as u32 - 1)
    }

    /// A step at the end of the body.
    pub(crate) fn then(&mut self, label: &str, op: Op) -> StepId {
        let step = self.step(label, op);
        self.0.body.push(step);
        step
    }

    pub(crate) fn acquire(&mut self) -> StepId {
        self.0.connections.push(Connect::Pool(PoolId(0)));
        let connection = ConnectionId(self.0.connections.len() as u8 - 1);
        self.then("acquire", Op::Acquire { connection, key: None })
    }

    pub(crate) fn sql(&mut self, sql: &str, operands: Vec<Expression>, into: Into) -> StepId {
        let op = statement(sql, operands, into);
        self.then(sql, op)
    }

    pub(crate) fn release(&mut self) -> StepId {
        self.then(
            "release",
            Op::Release {
                connection: ConnectionId(0),
            },
        )
    }
}

pub(crate) fn statement(sql: &str, operands: Vec<Expression>, into: Into) -> Op {
    Op::Statement {
        connection: ConnectionId(0),
        sql: sql.to_owned(),
        operands,
        into,
        expect_rows: None,
    }
}

impl Builder {
    /// Adds the program as it is.
    pub(crate) fn add(self, compilation: &mut Compilation) -> ProgramId {
        compilation.programs.push(self.0);
        ProgramId(compilation.programs.len() as u16 - 1)
    }

    /// Adds it as the entry of an operation of the same name.
    pub(crate) fn operation(
        mut self,
        compilation: &mut Compilation,
        weight: u32,
        parameters: Vec<(&str, Type, Generator)>,
    ) -> ProgramId {
        let operation = OperationId(compilation.entries.len() as u16);
        self.0.operation = Some(operation);
        let parameters = parameters
            .into_iter()
            .map(|(name, data_type, by)| (name.to_owned(), data_type, by));
        compilation.workload.operations.push(OperationLoad {
            name: self.0.name.clone(),
            weight,
            parameters: parameters.collect(),
            read_only: false,
            tables: Vec::new(),
        });
        let program = self.add(compilation);
        compilation.entries.push(Some(program));
        program
    }
}

/// A logical table with so many initial rows, stored in the one database under its own name.
pub(crate) fn table(compilation: &mut Compilation, name: &str, rows: u64, columns: Vec<(&str, Type, Generator)>) {
    let names: Vec<&str> = columns.iter().map(|(name, _, _)| *name).collect();
    compilation.logical_tables.push(LogicalTable {
        name: name.to_owned(),
        columns: columns
            .iter()
            .map(|(name, data_type, _)| ((*name).to_owned(), *data_type))
            .collect(),
        reads: vec![Read::Rows {
            database: DatabaseId(0),
            sql: format!("SELECT {} FROM {name}", names.join(", ")),
        }],
        loads: vec![Load::Rows {
            database: DatabaseId(0),
            table: name.to_owned(),
            share: Share::All,
        }],
    });
    compilation.workload.tables.push(TablePopulation {
        table: name.to_owned(),
        rows,
        by_tenant: false,
        one_each: false,
        parent: None,
        columns: columns
            .into_iter()
            .map(|(name, data_type, by)| (name.to_owned(), data_type, by))
            .collect(),
    });
}

pub(crate) fn simulation(compilation: &Compilation, faults: Vec<Fault>) -> Simulation {
    let options = Options {
        record: sim::Record::Everything,
        warm_up: 0,
        ..Options::of(compilation)
    };
    simulation_with(compilation, &profile(), faults, options)
}

pub(crate) fn simulation_with(
    compilation: &Compilation,
    profile: &Profile,
    faults: Vec<Fault>,
    options: Options,
) -> Simulation {
    Simulation::new(Arc::new(compilation.clone()), profile, faults, options).expect("a sound compilation")
}

pub(crate) fn int(n: i32) -> Expression {
    Expression::Constant(Value::Int4(n))
}

/// How the only request of a run ended.
pub(crate) fn answer(simulation: &Simulation) -> Outcome {
    answers(simulation).into_iter().next().expect("an answer")
}

pub(crate) fn answers(simulation: &Simulation) -> Vec<Outcome> {
    let outcome = |event: &Event| match &event.kind {
        EventKind::RequestAnswered { outcome, .. } => Some(outcome.clone()),
        _ => None,
    };
    simulation.recorded().iter().filter_map(outcome).collect()
}

/// The run's story, for a failing test's message.
pub(crate) fn story(simulation: &Simulation) -> String {
    let line = |event: &Event| format!("{:>12}  {}\n", event.at.0, event.sentence(simulation.compilation()));
    simulation.recorded().iter().map(line).collect()
}
