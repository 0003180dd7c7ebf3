//! Routes: one pool of several, chosen by a key; all of them in turn, their rows gathered.

use base::{Nanos, Row, Type, Value};
use program::workload::{Generator, Tenant};
use program::*;

use crate::build::*;

const TENANTS: [i32; 3] = [7, 8, 9];

/// Three tenants with a database each; `notes` has ten rows of tenant 7, six of 8, four of 9. The database `main`
/// has a table to write down what was found, in order.
fn tenants() -> Compilation {
    let mut compilation = compilation(&["CREATE TABLE found (n int PRIMARY KEY, tenant int, id int)"], 4);
    compilation.workload.tenants = TENANTS
        .iter()
        .zip([5, 3, 2])
        .map(|(id, weight)| Tenant { id: *id, weight })
        .collect();
    let unique = Generator::Unique { prefix: String::new() };
    table(
        &mut compilation,
        "notes",
        20,
        vec![("id", Type::Int4, unique), ("tenant", Type::Int4, Generator::Tenant)],
    );
    compilation.workload.tables[0].by_tenant = true;
    table(&mut compilation, "found", 0, Vec::new());
    compilation.logical_tables[1].reads = vec![Read::Rows {
        database: DatabaseId(0),
        sql: "SELECT n, tenant, id FROM found ORDER BY n".to_owned(),
    }];
    let notes = &mut compilation.logical_tables[0];
    (notes.reads, notes.loads) = (Vec::new(), Vec::new());
    for (index, tenant) in TENANTS.into_iter().enumerate() {
        let database = DatabaseId(index as u16 + 1);
        let ddl = "CREATE TABLE notes (id int PRIMARY KEY, tenant int NOT NULL)".to_owned();
        compilation.deployment.databases.push(Database {
            name: format!("tenant_{tenant}"),
            node: SERVER,
            template: (index > 0).then_some(DatabaseId(1)),
            definitions: if index > 0 { Vec::new() } else { vec![ddl] },
        });
        compilation.deployment.pools.push(Pool {
            name: format!("app → tenant_{tenant}"),
            service: APP,
            database,
            role: "postgres".to_owned(),
            size: 2,
        });
        notes.reads.push(Read::Rows {
            database,
            sql: "SELECT id, tenant FROM notes".to_owned(),
        });
        notes.loads.push(Load::Rows {
            database,
            table: "notes".to_owned(),
            share: Share::Tenant(tenant),
        });
    }
    compilation.deployment.routes.push(Route {
        name: "tenant".to_owned(),
        pools: TENANTS
            .into_iter()
            .zip(1..)
            .map(|(tenant, pool)| (Value::Int4(tenant), PoolId(pool)))
            .collect(),
    });
    compilation
}

/// The program's first connection is to one of the tenants' databases.
fn routed(builder: &mut Builder, key: Expression) {
    builder.0.connections.push(Connect::Route(RouteId(0)));
    let connection = ConnectionId(builder.0.connections.len() as u8 - 1);
    builder.then(
        "acquire",
        Op::Acquire {
            connection,
            key: Some(key),
        },
    );
}

fn run(compilation: &Compilation) -> sim::Simulation {
    let mut simulation = simulation(compilation, Vec::new());
    simulation.run();
    simulation
}

fn rows(simulation: &sim::Simulation, table: &str) -> Vec<Vec<i64>> {
    let row = |row: &Row| row.iter().map(|value| value.as_i64().unwrap_or(-1)).collect();
    simulation
        .read_table(table)
        .expect("it is read")
        .iter()
        .map(row)
        .collect()
}

#[test]
fn each_database_begins_with_its_tenants_rows() {
    let mut compilation = tenants();
    let mut program = Builder::entry("nothing");
    program.then("return", Op::Return { values: Vec::new() });
    program.operation(&mut compilation, 1, Vec::new());
    let rows = rows(&run(&compilation), "notes");
    let of = |tenant: i64| {
        rows.iter()
            .filter(|row| row[1] == tenant)
            .map(|row| row[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(rows.len(), 20);
    assert_eq!(of(7), (1..=10).collect::<Vec<_>>());
    assert_eq!(of(8), (11..=16).collect::<Vec<_>>());
    assert_eq!(of(9), (17..=20).collect::<Vec<_>>());
}

#[test]
fn a_key_leads_to_its_own_database_whatever_its_width() {
    for key in [int(8), Expression::int(8)] {
        let mut compilation = tenants();
        let mut program = Builder::entry("clear");
        routed(&mut program, key);
        program.sql("DELETE FROM notes", Vec::new(), Into::Nothing);
        program.operation(&mut compilation, 1, Vec::new());
        let simulation = run(&compilation);
        assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
        let left: Vec<i64> = rows(&simulation, "notes").iter().map(|row| row[1]).collect();
        assert_eq!(left.len(), 14);
        assert!(!left.contains(&8));
    }
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    for (key, message) in [
        (int(77), "no database for tenant 77"),
        (Expression::Constant(Value::Null), "no database for tenant NULL"),
    ] {
        let mut compilation = tenants();
        let mut program = Builder::entry("look");
        routed(&mut program, key);
        program.operation(&mut compilation, 1, Vec::new());
        let simulation = run(&compilation);
        let Outcome::Failed(error) = answer(&simulation) else {
            panic!("{}", story(&simulation));
        };
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::Refused, message));
    }
}

#[test]
fn another_key_gives_the_connection_back_and_takes_another_one() {
    let mut compilation = tenants();
    let mut program = Builder::entry("both");
    routed(&mut program, int(7));
    program.sql("DELETE FROM notes WHERE id = 1", Vec::new(), Into::Nothing);
    let connection = ConnectionId(0);
    program.then(
        "acquire",
        Op::Acquire {
            connection,
            key: Some(int(9)),
        },
    );
    program.sql("DELETE FROM notes WHERE id = 20", Vec::new(), Into::Nothing);
    program.operation(&mut compilation, 1, Vec::new());
    compilation.deployment.pools[1].size = 1;
    compilation.workload.requests = 3;
    let simulation = run(&compilation);
    assert_eq!(answers(&simulation), [Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(rows(&simulation, "notes").len(), 18);
}

/// Asks every database for its notes, `parallel` at a time; the later ones answer sooner. Then writes down what was
/// found, in order.
fn everywhere(parallel: u16) -> Compilation {
    let mut compilation = tenants();
    let mut program = Builder::entry("everywhere");
    let registers = ["keys", "key", "notes", "n", "tenant", "id"].map(|name| program.register(name));
    let [keys, key, notes, n, tenant, id] = registers;
    program.0.connections.push(Connect::Route(RouteId(0)));
    program.0.connections.push(Connect::Pool(PoolId(0)));
    program.then(
        "keys",
        Op::RouteKeys {
            route: RouteId(0),
            into: keys,
        },
    );
    let wait = program.step(
        "wait",
        Op::Work {
            node: APP,
            duration: Duration::Constant(Nanos::from_millis(50)),
            fails: None,
        },
    );
    let is_first = Expression::binary(Operator::Equal, Expression::Register(key), int(7));
    let slow = program.step(
        "the first is slow",
        Op::If {
            condition: is_first,
            then: vec![wait],
            otherwise: Vec::new(),
        },
    );
    let acquire = program.step(
        "acquire",
        Op::Acquire {
            connection: ConnectionId(0),
            key: Some(Expression::Register(key)),
        },
    );
    let select = "SELECT tenant, id FROM notes WHERE id IN (1, 2, 11, 17) ORDER BY id DESC";
    let select = program.step("select", statement(select, Vec::new(), Into::Rows(notes)));
    program.then(
        "each",
        Op::ForEach {
            rows: keys,
            bind: vec![key],
            body: vec![slow, acquire, select],
            parallel,
            gather: vec![notes],
        },
    );
    let main = ConnectionId(1);
    program.then(
        "acquire main",
        Op::Acquire {
            connection: main,
            key: None,
        },
    );
    program.then(
        "count",
        Op::Set {
            register: n,
            value: int(0),
        },
    );
    let next = Expression::binary(Operator::Add, Expression::Register(n), int(1));
    let count = program.step(
        "count",
        Op::Set {
            register: n,
            value: next,
        },
    );
    let write = Op::Statement {
        connection: main,
        sql: "INSERT INTO found VALUES ($1, $2, $3)".to_owned(),
        operands: [n, tenant, id].map(Expression::Register).to_vec(),
        into: Into::Nothing,
        expect_rows: None,
    };
    let write = program.step("write down", write);
    program.then(
        "write down",
        Op::ForEach {
            rows: notes,
            bind: vec![tenant, id],
            body: vec![count, write],
            parallel: 1,
            gather: Vec::new(),
        },
    );
    program.operation(&mut compilation, 1, Vec::new());
    compilation
}

#[test]
fn what_iterations_find_is_gathered_in_their_order_not_in_that_of_their_ends() {
    for parallel in [1, 2, 3, 10] {
        let simulation = run(&everywhere(parallel));
        assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
        let found = rows(&simulation, "found");
        assert_eq!(
            found,
            [[1, 7, 2], [2, 7, 1], [3, 8, 11], [4, 9, 17]],
            "{parallel} at a time"
        );
    }
}

#[test]
fn parallel_iterations_ask_their_databases_at_the_same_time() {
    let duration = |parallel| run(&everywhere(parallel)).now();
    assert!(duration(3) < duration(1));
}

#[test]
fn connections_are_opened_when_they_are_needed() {
    let mut compilation = tenants();
    let mut program = Builder::entry("look");
    routed(&mut program, int(9));
    program.sql("SELECT count(*) FROM notes", Vec::new(), Into::Nothing);
    program.operation(&mut compilation, 1, Vec::new());
    let simulation = run(&compilation);
    let messages = |event: &&Event| matches!(event.kind, EventKind::MessageSent { to: SERVER, .. });
    let sent = simulation.recorded().iter().filter(messages).count();
    assert_eq!(
        sent,
        2,
        "one to open the connection, one with the statement: {}",
        story(&simulation)
    );
}

#[test]
fn a_gathering_loop_over_nothing_leaves_an_empty_set() {
    let mut compilation = everywhere(4);
    compilation.deployment.routes[0].pools.clear();
    let simulation = run(&compilation);
    assert_eq!(answer(&simulation), Outcome::Done);
    assert_eq!(rows(&simulation, "found"), Vec::<Vec<i64>>::new());
}

#[test]
fn a_template_must_come_before_its_copy() {
    let mut compilation = tenants();
    compilation.deployment.databases[1].template = Some(DatabaseId(2));
    let refused = sim::Simulation::new(compilation.into(), &profile(), Vec::new(), sim_options());
    assert!(refused.expect_err("it is malformed").to_string().contains("template"));
}

fn sim_options() -> sim::Options {
    sim::Options::of(&tenants())
}
