//! Statements on the engine: time adds up, connections queue, locks wait, transactions end.

use base::{Nanos, Time, Type, Value};
use program::workload::{ClientLoop, Draw, Generator};
use program::*;

use crate::build::*;

pub(crate) const ACCOUNTS: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)";

/// Accounts 1 … n with a balance of 100 each.
pub(crate) fn accounts(n: u64, pool_size: u16) -> Compilation {
    let mut compilation = compilation(&[ACCOUNTS], pool_size);
    let columns = vec![
        ("id", Type::Int4, Generator::Unique { prefix: String::new() }),
        ("balance", Type::Int4, Generator::Constant(Value::Int4(100))),
    ];
    table(&mut compilation, "accounts", n, columns);
    compilation
}

pub(crate) fn existing_account() -> (&'static str, Type, Generator) {
    (
        "id",
        Type::Int4,
        Generator::Existing {
            table: 0,
            column: 0,
            draw: Draw::Uniform,
        },
    )
}

/// Adds one to the balance of an account in a transaction of its own.
pub(crate) fn deposit(compilation: &mut Compilation) -> ProgramId {
    let mut program = Builder::entry("deposit");
    let id = program.parameter("id");
    program.acquire();
    program.sql("BEGIN", Vec::new(), Into::Nothing);
    program.sql(
        "UPDATE accounts SET balance = balance + 1 WHERE id = $1",
        vec![Expression::Register(id)],
        Into::Nothing,
    );
    program.sql("COMMIT", Vec::new(), Into::Nothing);
    program.release();
    program.operation(compilation, 1, vec![existing_account()])
}

pub(crate) fn total(simulation: &sim::Simulation) -> i64 {
    let rows = simulation.read_table("accounts").expect("readable");
    rows.iter().filter_map(|row| row[1].as_i64()).sum()
}

#[test]
fn the_latency_of_a_lonely_request_is_the_sum_of_its_parts() {
    let mut compilation = accounts(10, 1);
    deposit(&mut compilation);
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
    let mut parts = 2 * 1_000_000; // the client's own link, both ways
    let mut latency = 0;
    let mut flush_began = Time::ZERO;
    for event in simulation.recorded() {
        match &event.kind {
            EventKind::WorkStarted { duration, .. } => parts += duration.0,
            EventKind::MessageSent { arrives, .. } => parts += arrives.since(event.at).0,
            EventKind::WaitStarted {
                cause: WaitCause::Flush,
                ..
            } => flush_began = event.at,
            EventKind::WaitEnded {
                cause: WaitCause::Flush,
                ..
            } => parts += event.at.since(flush_began).0,
            EventKind::RequestAnswered { latency: total, .. } => latency = total.0,
            _ => {}
        }
    }
    // The answer to the opening of the connection is no step's message.
    assert_eq!(latency, parts + 1_000_000, "{}", story(&simulation));
    assert_eq!(total(&simulation), 1_001);
}

#[test]
fn a_text_is_prepared_once_on_each_connection() {
    let mut compilation = accounts(10, 1);
    deposit(&mut compilation);
    compilation.workload.requests = 2;
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    let updates: Vec<Nanos> = simulation
        .recorded()
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::WorkStarted {
                step: StepId(2),
                duration,
                ..
            } if event.node == SERVER => Some(duration),
            _ => None,
        })
        .collect();
    assert_eq!(updates.len(), 2);
    let saved = updates[0].0 - updates[1].0;
    assert!(
        (90_000..=110_000).contains(&saved),
        "preparing costs 100 µs, once: {updates:?}"
    );
}

#[test]
fn who_finds_no_free_connection_waits_in_line() {
    let mut compilation = accounts(10, 1);
    deposit(&mut compilation);
    compilation.workload.clients = ClientLoop::Closed {
        clients: 4,
        think: Nanos::ZERO,
    };
    compilation.workload.requests = 40;
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    assert!(
        answers(&simulation).iter().all(|outcome| *outcome == Outcome::Done),
        "{}",
        story(&simulation)
    );
    assert_eq!(total(&simulation), 1_040);
    let mut inside = 0_i32;
    for event in simulation.recorded() {
        match event.kind {
            EventKind::TransactionBegun { .. } => inside += 1,
            EventKind::TransactionCommitted { .. } => inside -= 1,
            _ => {}
        }
        assert!(inside <= 1, "one connection, one transaction at a time");
    }
}

#[test]
fn a_row_lock_makes_the_second_wait_until_the_first_has_committed() {
    let mut compilation = accounts(1, 4);
    let mut program = Builder::entry("slow deposit");
    program.acquire();
    program.sql("BEGIN", Vec::new(), Into::Nothing);
    program.sql(
        "UPDATE accounts SET balance = balance + 1 WHERE id = 1",
        Vec::new(),
        Into::Nothing,
    );
    let pause = Op::Work {
        node: APP,
        duration: Duration::Constant(Nanos::from_millis(50)),
        fails: None,
    };
    program.then("think", pause);
    program.sql("COMMIT", Vec::new(), Into::Nothing);
    program.release();
    program.operation(&mut compilation, 1, Vec::new());
    compilation.workload.clients = ClientLoop::Closed {
        clients: 2,
        think: Nanos::ZERO,
    };
    compilation.workload.requests = 2;
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    assert_eq!(total(&simulation), 102, "{}", story(&simulation));
    let waited = |cause: &WaitCause| matches!(cause, WaitCause::Lock(_));
    let began = simulation.recorded().iter().find_map(|event| match &event.kind {
        EventKind::WaitStarted { cause, .. } if waited(cause) => Some(event.at),
        _ => None,
    });
    let ended = simulation.recorded().iter().find_map(|event| match &event.kind {
        EventKind::WaitEnded { cause, .. } if waited(cause) => Some(event.at),
        _ => None,
    });
    let committed = simulation.recorded().iter().find_map(|event| match event.kind {
        EventKind::TransactionCommitted { wrote: true, .. } => Some(event.at),
        _ => None,
    });
    assert_eq!(ended, committed, "{}", story(&simulation));
    assert!(ended.unwrap().since(began.unwrap()) > Nanos::from_millis(45));
}

/// The engine decides at the beginning of a slice, and the slice takes its time: who is granted its lock meanwhile
/// must not wait for somebody to wake it again.
#[test]
fn a_lock_that_is_granted_while_its_asker_still_works_is_not_waited_for() {
    let mut compilation = accounts(1, 8);
    compilation.deployment.nodes[SERVER.index()].cores = 8;
    deposit(&mut compilation);
    compilation.workload.clients = ClientLoop::Closed {
        clients: 8,
        think: Nanos::from_millis(3),
    };
    compilation.workload.requests = 400;
    let mut slow = profile();
    slow.sql.statement_ns = Nanos::from_millis(2);
    let options = sim::Options {
        warm_up: 0,
        ..sim::Options::of(&compilation)
    };
    let mut simulation = simulation_with(&compilation, &slow, Vec::new(), options);
    simulation.run();
    assert_eq!(total(&simulation), 500);
    let longest = simulation.measurements().operations()[0].quantile(1.0);
    assert!(
        longest < Nanos::from_millis(900),
        "someone waited until the deadlock check: {longest}"
    );
}

#[test]
fn a_deadlock_has_a_victim_that_may_try_again() {
    let mut compilation = accounts(2, 4);
    let mut program = Builder::entry("transfer");
    let (first, second) = (program.register("first"), program.register("second"));
    // The client's number decides the direction: even requests lock 1 then 2, odd ones 2 then 1.
    let side = program.parameter("side");
    let one = program.step(
        "first = 1",
        Op::Set {
            register: first,
            value: int(1),
        },
    );
    let two = program.step(
        "second = 2",
        Op::Set {
            register: second,
            value: int(2),
        },
    );
    let rev_one = program.step(
        "first = 2",
        Op::Set {
            register: first,
            value: int(2),
        },
    );
    let rev_two = program.step(
        "second = 1",
        Op::Set {
            register: second,
            value: int(1),
        },
    );
    let even = Expression::binary(Operator::Equal, Expression::Register(side), Expression::int(1_000));
    program.then(
        "direction",
        Op::If {
            condition: even,
            then: vec![one, two],
            otherwise: vec![rev_one, rev_two],
        },
    );
    program.acquire();
    let update = "UPDATE accounts SET balance = balance + 1 WHERE id = $1";
    let pause = Op::Work {
        node: APP,
        duration: Duration::Constant(Nanos::from_millis(20)),
        fails: None,
    };
    let begin = program.step("BEGIN", statement("BEGIN", Vec::new(), Into::Nothing));
    let a = program.step(
        "first",
        statement(update, vec![Expression::Register(first)], Into::Nothing),
    );
    let pause = program.step("pause", pause);
    let b = program.step(
        "second",
        statement(update, vec![Expression::Register(second)], Into::Nothing),
    );
    let commit = program.step("COMMIT", statement("COMMIT", Vec::new(), Into::Nothing));
    let error = program.register("error");
    let rollback = program.step("ROLLBACK", statement("ROLLBACK", Vec::new(), Into::Nothing));
    let again = program.step("again", Op::Rethrow { error });
    let body = vec![begin, a, pause, b, commit];
    let attempt = Op::Try {
        body,
        catches: Catches::ALL,
        error: Some(error),
        handler: vec![rollback, again],
    };
    let attempt = program.step("attempt", attempt);
    let backoff = Backoff {
        first: Nanos::from_millis(10),
        limit: Nanos::from_millis(10),
    };
    let catches = Catches::of(&[ErrorClass::Transient]);
    program.then(
        "retry",
        Op::Retry {
            body: vec![attempt],
            catches,
            attempts: 3,
            backoff,
        },
    );
    program.release();
    let number = ("side", Type::Int8, Generator::Unique { prefix: String::new() });
    program.operation(&mut compilation, 1, vec![number]);
    compilation.workload.clients = ClientLoop::Closed {
        clients: 2,
        think: Nanos::ZERO,
    };
    compilation.workload.requests = 2;
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    let deadlocks = simulation.recorded().iter().filter(|event| {
        matches!(&event.kind, EventKind::StepEnded { outcome: Outcome::Failed(error), .. }
            if error.code.as_deref() == Some("40P01") && error.class == ErrorClass::Transient)
    });
    // The statement's own failure, and that of the attempt around it.
    assert!(deadlocks.count() >= 1, "{}", story(&simulation));
    assert_eq!(
        answers(&simulation),
        [Outcome::Done, Outcome::Done],
        "{}",
        story(&simulation)
    );
    assert_eq!(total(&simulation), 204);
}

#[test]
fn a_program_that_ends_in_the_middle_of_a_transaction_leaves_nothing_behind() {
    let mut compilation = accounts(1, 1);
    let mut program = Builder::entry("gives up");
    program.acquire();
    program.sql("BEGIN", Vec::new(), Into::Nothing);
    program.sql(
        "UPDATE accounts SET balance = 0 WHERE id = 1",
        Vec::new(),
        Into::Nothing,
    );
    program.then(
        "abort",
        Op::Abort {
            class: ErrorClass::Aborted,
            message: Expression::text("changed my mind"),
        },
    );
    program.operation(&mut compilation, 1, Vec::new());
    compilation.workload.requests = 2;
    let mut simulation = simulation(&compilation, Vec::new());
    let end = simulation.run();
    assert!(end.quiet);
    assert_eq!(total(&simulation), 100, "{}", story(&simulation));
    let rolled_back = |event: &&Event| matches!(event.kind, EventKind::TransactionRolledBack { .. });
    assert_eq!(simulation.recorded().iter().filter(rolled_back).count(), 2);
    assert_eq!(simulation.nodes()[SERVER.index()].commits, 0);
}

#[test]
fn a_text_that_cannot_be_planned_fails_its_transaction() {
    let mut compilation = accounts(1, 1);
    let mut program = Builder::entry("mistaken");
    program.acquire();
    program.sql("BEGIN", Vec::new(), Into::Nothing);
    program.sql("UPDATE accounts SET balance = 0", Vec::new(), Into::Nothing);
    let wrong = program.step(
        "wrong",
        statement("SELECT nothing FROM nowhere", Vec::new(), Into::Nothing),
    );
    program.then(
        "try",
        Op::Try {
            body: vec![wrong],
            catches: Catches::ALL,
            error: None,
            handler: Vec::new(),
        },
    );
    program.sql("COMMIT", Vec::new(), Into::Nothing);
    program.release();
    program.operation(&mut compilation, 1, Vec::new());
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    assert_eq!(
        answer(&simulation),
        Outcome::Done,
        "COMMIT of a failed transaction is a ROLLBACK, not an error"
    );
    assert_eq!(total(&simulation), 100, "{}", story(&simulation));
}

#[test]
fn expectations_and_single_rows_are_checked_by_the_program() {
    let run = |sql: &str, into: fn(RegisterId) -> Into, expect_rows| {
        let mut compilation = accounts(3, 1);
        let mut program = Builder::entry("read");
        let register = program.register("value");
        program.acquire();
        let connection = ConnectionId(0);
        let op = Op::Statement {
            connection,
            sql: sql.to_owned(),
            operands: Vec::new(),
            into: into(register),
            expect_rows,
        };
        program.then("read", op);
        let message = Expression::binary(
            Operator::Concat,
            Expression::text("got "),
            Expression::Register(register),
        );
        program.then(
            "say",
            Op::Abort {
                class: ErrorClass::Aborted,
                message,
            },
        );
        program.operation(&mut compilation, 1, Vec::new());
        let mut simulation = simulation(&compilation, Vec::new());
        simulation.run();
        match answer(&simulation) {
            Outcome::Failed(error) => error,
            Outcome::Done => panic!("the program always fails"),
        }
    };
    let one = |register| Into::Values(vec![register]);
    assert_eq!(
        run("SELECT balance FROM accounts WHERE id = 2", one, Some(1)).message,
        "got 100"
    );
    let none = run("SELECT balance FROM accounts WHERE id = 9", one, Some(1));
    assert_eq!(
        (none.class, none.message.as_str()),
        (ErrorClass::Expectation, "expected 1 rows, got 0")
    );
    let many = run("SELECT balance FROM accounts", one, None);
    assert_eq!(many.code.as_deref(), Some("21000"));
    assert_eq!(
        run("UPDATE accounts SET balance = 1", Into::Count, Some(3)).message,
        "got 3"
    );
}

#[test]
fn rows_are_joined_in_the_services_memory() {
    let mut compilation = accounts(3, 1);
    let mut program = Builder::entry("compose");
    let (rows, sum) = (program.register("rows"), program.register("sum"));
    program.acquire();
    program.sql(
        "SELECT id, balance FROM accounts WHERE id <= 2",
        Vec::new(),
        Into::Rows(rows),
    );
    program.release();
    let table = ComposeTable {
        name: "accounts".to_owned(),
        columns: vec![("id".to_owned(), Type::Int4), ("balance".to_owned(), Type::Int4)],
        rows,
    };
    let compose = Op::Compose {
        tables: vec![table],
        sql: "SELECT count(*) FROM accounts a JOIN accounts b ON a.id <= b.id WHERE a.balance = $1".to_owned(),
        operands: vec![int(100)],
        into: Into::Values(vec![sum]),
    };
    program.then("compose", compose);
    let message = Expression::binary(Operator::Concat, Expression::text("pairs "), Expression::Register(sum));
    program.then(
        "say",
        Op::Abort {
            class: ErrorClass::Aborted,
            message,
        },
    );
    program.operation(&mut compilation, 1, Vec::new());
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    let Outcome::Failed(error) = answer(&simulation) else {
        panic!("{}", story(&simulation))
    };
    assert_eq!(error.message, "pairs 3", "{}", story(&simulation));
}

#[test]
fn requests_name_rows_that_exist() {
    let mut compilation = accounts(1_000, 4);
    let mut program = Builder::entry("read");
    let (id, got) = (program.parameter("id"), program.register("got"));
    program.acquire();
    let op = Op::Statement {
        connection: ConnectionId(0),
        sql: "SELECT id FROM accounts WHERE id = $1".to_owned(),
        operands: vec![Expression::Register(id)],
        into: Into::Values(vec![got]),
        expect_rows: Some(1),
    };
    program.then("read", op);
    program.release();
    let zipf = Generator::Existing {
        table: 0,
        column: 0,
        draw: Draw::Zipf { exponent_milli: 1_100 },
    };
    program.operation(&mut compilation, 1, vec![("id", Type::Int4, zipf)]);
    compilation.workload.requests = 300;
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    assert!(
        answers(&simulation).iter().all(|outcome| *outcome == Outcome::Done),
        "{}",
        story(&simulation)
    );
}

/// A deposit that does not wait for its flush, and one that does not wait long enough.
fn hasty_deposit(compilation: &mut Compilation) -> ProgramId {
    let mut program = Builder::entry("deposit");
    let id = program.parameter("id");
    program.acquire();
    program.sql("SET synchronous_commit = off", Vec::new(), Into::Nothing);
    program.sql(
        "UPDATE accounts SET balance = balance + 1 WHERE id = $1",
        vec![Expression::Register(id)],
        Into::Nothing,
    );
    program.release();
    program.operation(compilation, 1, vec![existing_account()])
}

/// `synchronous_commit = off`: the client is answered at once, the WAL writer flushes at its next turn, and a crash
/// before that loses what was answered.
#[test]
fn a_commit_that_does_not_wait_is_lost_in_a_crash_before_the_wal_writers_turn() {
    let run = |crash: Option<Nanos>| {
        let mut compilation = accounts(10, 1);
        hasty_deposit(&mut compilation);
        let crash = crash.map(|at| Fault {
            trigger: Trigger::At(Time(at.0)),
            action: FaultAction::Crash {
                node: SERVER,
                restart_after: Some(Nanos::from_millis(1)),
            },
        });
        let mut simulation = simulation(&compilation, crash.into_iter().collect());
        simulation.run();
        assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
        let waits = |event: &&Event| {
            matches!(
                &event.kind,
                EventKind::WaitStarted {
                    cause: WaitCause::Flush,
                    ..
                }
            )
        };
        assert_eq!(simulation.recorded().iter().filter(waits).count(), 0);
        let flushed = |event: &Event| matches!(event.kind, EventKind::WalFlushed { .. }).then_some(event.at);
        let flush = simulation.recorded().iter().find_map(flushed);
        (total(&simulation), flush)
    };
    let (balance, flush) = run(None);
    assert_eq!(balance, 1_001);
    let flush = flush.expect("the WAL writer flushes");
    assert!(flush >= Time(200_000_000) && flush < Time(210_000_000), "{flush:?}");
    assert_eq!(
        run(Some(Nanos::from_millis(150))).0,
        1_000,
        "lost, though it was answered"
    );
    assert_eq!(run(Some(Nanos::from_millis(300))).0, 1_001);
}
