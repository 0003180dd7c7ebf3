//! What goes on beside requests: relays that go round, messages nobody waits for, rows in parallel.

use base::{Nanos, Type};
use program::workload::{ClientLoop, Generator};
use program::*;
use sim::{Options, Record};

use crate::build::*;
use crate::statement::{accounts, total};

fn add_to(register: RegisterId) -> (&'static str, Vec<Expression>) {
    (
        "UPDATE accounts SET balance = balance + 1 WHERE id = $1",
        vec![Expression::Register(register)],
    )
}

/// Requests write to an outbox; a relay empties it every 50 ms, a row at a time, and moves each to an account.
fn outbox(requests: u64, clients: ClientLoop) -> Compilation {
    let mut compilation = accounts(1, 4);
    let definition = "CREATE TABLE outbox (id int PRIMARY KEY)".to_owned();
    compilation.deployment.databases[0].definitions.push(definition);
    table(
        &mut compilation,
        "outbox",
        0,
        vec![("id", Type::Int4, Generator::Unique { prefix: String::new() })],
    );
    let mut program = Builder::entry("order");
    let id = program.parameter("id");
    program.acquire();
    program.sql(
        "INSERT INTO outbox VALUES ($1)",
        vec![Expression::Register(id)],
        Into::Nothing,
    );
    program.release();
    program.operation(
        &mut compilation,
        1,
        vec![("id", Type::Int4, Generator::Unique { prefix: String::new() })],
    );
    let mut relay = Builder::new(
        "relay",
        APP,
        ProgramKind::Periodic {
            every: Nanos::from_millis(50),
        },
    );
    let (rows, id) = (relay.register("rows"), relay.register("id"));
    relay.acquire();
    relay.sql(
        "SELECT id FROM outbox ORDER BY id LIMIT 2",
        Vec::new(),
        Into::Rows(rows),
    );
    let begin = relay.step("begin", statement("BEGIN", Vec::new(), Into::Nothing));
    let one = vec![Expression::Register(id)];
    let remove = relay.step(
        "remove",
        statement("DELETE FROM outbox WHERE id = $1", one, Into::Nothing),
    );
    let add = relay.step(
        "add",
        statement("UPDATE accounts SET balance = balance + 1", Vec::new(), Into::Nothing),
    );
    let commit = relay.step("commit", statement("COMMIT", Vec::new(), Into::Nothing));
    let body = vec![begin, remove, add, commit];
    relay.then(
        "each",
        Op::ForEach {
            rows,
            bind: vec![id],
            body,
            parallel: 1,
            gather: Vec::new(),
        },
    );
    relay.release();
    relay.add(&mut compilation);
    compilation.workload.requests = requests;
    compilation.workload.clients = clients;
    compilation
}

#[test]
fn a_run_ends_when_its_relays_find_nothing_to_do() {
    let compilation = outbox(
        9,
        ClientLoop::Closed {
            clients: 3,
            think: Nanos::from_millis(1),
        },
    );
    let mut simulation = simulation(&compilation, Vec::new());
    let end = simulation.run();
    assert!(end.quiet);
    assert_eq!(
        (simulation.read_table("outbox").unwrap().len(), total(&simulation)),
        (0, 109),
        "{}",
        story(&simulation)
    );
}

#[test]
fn a_serial_client_waits_for_the_relays_too() {
    let compilation = outbox(4, ClientLoop::Serial);
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    let mut commits = 0;
    for event in simulation.recorded() {
        match event.kind {
            EventKind::TransactionCommitted { wrote: true, .. } => commits += 1,
            // Each order is committed once by its request and once by the relay before the next is asked.
            EventKind::RequestIssued { .. } => assert_eq!(commits % 2, 0, "{}", story(&simulation)),
            _ => {}
        }
    }
    assert_eq!((commits, total(&simulation)), (8, 104));
}

#[test]
fn a_crashed_relay_goes_round_again_when_it_is_back() {
    let compilation = outbox(
        6,
        ClientLoop::Closed {
            clients: 3,
            think: Nanos::from_millis(1),
        },
    );
    let action = FaultAction::Crash {
        node: APP,
        restart_after: Some(Nanos::from_millis(30)),
    };
    // In the middle of a transaction of the relay's: after its DELETE.
    let trigger = StepTrigger {
        program: ProgramId(1),
        step: StepId(3),
        point: StepPoint::After,
        request: None,
        occurrence: 1,
    };
    let mut simulation = simulation(
        &compilation,
        vec![Fault {
            trigger: Trigger::Step(trigger),
            action,
        }],
    );
    let end = simulation.run();
    assert!(end.quiet && simulation.struck() == [true], "{}", story(&simulation));
    let committed = answers(&simulation)
        .iter()
        .filter(|outcome| **outcome == Outcome::Done)
        .count() as i64;
    let left = simulation.read_table("outbox").unwrap().len();
    assert_eq!(left, 0, "{}", story(&simulation));
    assert!(
        total(&simulation) >= 100 + committed,
        "nothing that was answered is lost"
    );
}

#[test]
fn a_program_that_keeps_writing_is_given_up_at_the_drain_limit() {
    let mut compilation = accounts(1, 2);
    let mut beat = Builder::new(
        "heartbeat",
        APP,
        ProgramKind::Periodic {
            every: Nanos::from_millis(10),
        },
    );
    beat.acquire();
    beat.sql("UPDATE accounts SET balance = balance + 1", Vec::new(), Into::Nothing);
    beat.release();
    beat.add(&mut compilation);
    let mut program = Builder::entry("nothing");
    program.then(
        "work",
        Op::Work {
            node: APP,
            duration: Duration::Constant(Nanos(1)),
            fails: None,
        },
    );
    program.operation(&mut compilation, 1, Vec::new());
    let limit = Nanos::from_secs(1);
    let options = Options {
        drain_limit: limit,
        ..Options::of(&compilation)
    };
    let mut simulation = simulation_with(&compilation, &profile(), Vec::new(), options);
    let end = simulation.run();
    assert!(!end.quiet && end.at.since(base::Time::ZERO) >= limit);
}

#[test]
fn what_is_sent_is_done_after_the_answer_and_before_the_end() {
    let mut compilation = accounts(3, 4);
    let mut mail = Builder::new("mail", APP, ProgramKind::Called);
    let id = mail.parameter("id");
    mail.then(
        "slow",
        Op::Work {
            node: APP,
            duration: Duration::Constant(Nanos::from_millis(80)),
            fails: None,
        },
    );
    mail.acquire();
    let (sql, operands) = add_to(id);
    mail.sql(sql, operands, Into::Nothing);
    let mail = mail.add(&mut compilation);
    let mut program = Builder::entry("order");
    program.then(
        "send",
        Op::Send {
            program: mail,
            arguments: vec![int(2)],
        },
    );
    program.operation(&mut compilation, 1, Vec::new());
    let mut simulation = simulation(&compilation, Vec::new());
    let end = simulation.run();
    let answered = simulation
        .recorded()
        .iter()
        .find(|event| matches!(event.kind, EventKind::RequestAnswered { .. }));
    assert!(answered.unwrap().at < base::Time(80_000_000), "{}", story(&simulation));
    assert!(end.quiet && end.at > base::Time(80_000_000));
    assert_eq!(total(&simulation), 301);
}

#[test]
fn parallel_rows_have_registers_and_connections_of_their_own() {
    let mut compilation = accounts(8, 3);
    let mut program = Builder::entry("all");
    let (rows, id) = (program.register("rows"), program.register("id"));
    program.acquire();
    program.sql("SELECT id FROM accounts ORDER BY id", Vec::new(), Into::Rows(rows));
    program.release();
    let connection = ConnectionId(0);
    let acquire = program.step("acquire one", Op::Acquire { connection, key: None });
    let (sql, operands) = add_to(id);
    let update = program.step("update", statement(sql, operands, Into::Nothing));
    // Not released: what a row has taken for itself is given back at its end.
    program.then(
        "each",
        Op::ForEach {
            rows,
            bind: vec![id],
            body: vec![acquire, update],
            parallel: 4,
            gather: Vec::new(),
        },
    );
    program.operation(&mut compilation, 1, Vec::new());
    let mut simulation = simulation(&compilation, Vec::new());
    let end = simulation.run();
    assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
    assert!(end.quiet);
    let balances: Vec<i64> = simulation
        .read_table("accounts")
        .unwrap()
        .iter()
        .filter_map(|row| row[1].as_i64())
        .collect();
    assert_eq!(balances, [101; 8], "each row once");
    let mut at_once = (0_i32, 0_i32);
    for event in simulation.recorded() {
        match event.kind {
            EventKind::StepStarted { step: StepId(4), .. } => at_once.0 += 1,
            EventKind::StepEnded { step: StepId(4), .. } => at_once.0 -= 1,
            _ => {}
        }
        at_once.1 = at_once.1.max(at_once.0);
    }
    assert_eq!(at_once.1, 3, "four rows at a time, three connections");
}

#[test]
fn every_design_meets_the_same_arrivals() {
    let arrivals = |pool: u16, statements: usize| {
        let mut compilation = accounts(50, pool);
        let mut program = Builder::entry("read");
        let id = program.parameter("id");
        program.acquire();
        for _ in 0..statements {
            program.sql(
                "SELECT balance FROM accounts WHERE id = $1",
                vec![Expression::Register(id)],
                Into::Nothing,
            );
        }
        program.operation(&mut compilation, 1, vec![crate::statement::existing_account()]);
        compilation.workload.clients = ClientLoop::Open {
            requests_per_second: 200,
        };
        compilation.workload.requests = 100;
        let options = Options {
            record: Record::Everything,
            ..Options::of(&compilation)
        };
        let mut simulation = simulation_with(&compilation, &profile(), Vec::new(), options);
        simulation.run();
        let issued =
            |event: &Event| matches!(event.kind, EventKind::RequestIssued { .. }).then_some((event.at, event.request));
        simulation.recorded().iter().filter_map(issued).collect::<Vec<_>>()
    };
    let few = arrivals(1, 1);
    assert_eq!(few.len(), 100);
    assert_eq!(few, arrivals(8, 6));
}

#[test]
fn an_open_loop_measures_from_the_intended_start() {
    // 100 requests a second for one core that needs 20 ms each: the line grows, and so must the latencies.
    let mut compilation = compilation(&[], 1);
    compilation.deployment.nodes[APP.index()].cores = 1;
    let mut program = Builder::entry("slow");
    program.then(
        "work",
        Op::Work {
            node: APP,
            duration: Duration::Constant(Nanos::from_millis(20)),
            fails: None,
        },
    );
    program.operation(&mut compilation, 1, Vec::new());
    compilation.workload.clients = ClientLoop::Open {
        requests_per_second: 100,
    };
    compilation.workload.requests = 200;
    let options = Options {
        warm_up: 0,
        ..Options::of(&compilation)
    };
    let mut simulation = simulation_with(&compilation, &profile(), Vec::new(), options);
    simulation.run();
    let slow = &simulation.measurements().operations()[0];
    assert_eq!(slow.answered, 200);
    assert!(
        slow.quantile(1.0) > Nanos::from_millis(1_500),
        "the last waits for all before it: {}",
        slow.quantile(1.0)
    );
    assert!(slow.quantile(0.5) > Nanos::from_millis(500));
    assert!(
        slow.cdf(20)
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1)
    );
}
