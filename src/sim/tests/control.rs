//! Control structure, without any database: what runs, in which order, and what it returns.

use base::{Nanos, Type, Value};
use program::workload::Generator;
use program::*;

use crate::build::*;

fn work(span: Nanos) -> Op {
    Op::Work {
        node: APP,
        duration: Duration::Constant(span),
        fails: None,
    }
}

fn set(register: RegisterId, value: Expression) -> Op {
    Op::Set { register, value }
}

fn abort(message: Expression) -> Op {
    Op::Abort {
        class: ErrorClass::Aborted,
        message,
    }
}

fn add(register: RegisterId, n: i64) -> Op {
    set(
        register,
        Expression::binary(Operator::Add, Expression::Register(register), Expression::int(n)),
    )
}

/// Runs the program as the only operation, once; the message of the abort that it ends with.
fn run(program: Builder) -> (String, sim::Simulation) {
    let mut compilation = compilation(&[], 1);
    program.operation(&mut compilation, 1, Vec::new());
    run_compilation(&compilation)
}

fn run_compilation(compilation: &Compilation) -> (String, sim::Simulation) {
    let mut simulation = simulation(compilation, Vec::new());
    simulation.run();
    let message = match answer(&simulation) {
        Outcome::Failed(error) => error.message,
        Outcome::Done => "done".to_owned(),
    };
    (message, simulation)
}

fn latency(simulation: &sim::Simulation) -> Nanos {
    let found = simulation.recorded().iter().find_map(|event| match event.kind {
        EventKind::RequestAnswered { latency, .. } => Some(latency),
        _ => None,
    });
    found.expect("an answer")
}

#[test]
fn if_takes_the_branch_that_holds_and_null_does_not_hold() {
    for (condition, expected) in [
        (Expression::Constant(Value::Bool(true)), "then"),
        (Expression::Constant(Value::Bool(false)), "otherwise"),
        (Expression::Constant(Value::Null), "otherwise"),
    ] {
        let mut program = Builder::entry("choose");
        let then = program.step("then", abort(Expression::text("then")));
        let otherwise = program.step("otherwise", abort(Expression::text("otherwise")));
        program.then(
            "if",
            Op::If {
                condition,
                then: vec![then],
                otherwise: vec![otherwise],
            },
        );
        assert_eq!(run(program).0, expected);
    }
}

#[test]
fn branches_run_at_once_and_the_last_one_lets_the_program_go_on() {
    let mut program = Builder::entry("at once");
    let short = program.step("short", work(Nanos::from_millis(10)));
    let long = program.step("long", work(Nanos::from_millis(30)));
    program.then(
        "par",
        Op::Par {
            branches: vec![vec![short], vec![long]],
        },
    );
    let (message, simulation) = run(program);
    assert_eq!(message, "done");
    // Two cores, a link of 1 ms each way.
    assert_eq!(latency(&simulation), Nanos::from_millis(32), "{}", story(&simulation));
}

#[test]
fn a_failed_branch_fails_the_whole_when_all_have_ended_and_the_first_in_order_is_heard() {
    let mut program = Builder::entry("fails");
    let slow = program.step("slow", work(Nanos::from_millis(20)));
    let one = program.step("one", abort(Expression::text("one")));
    let two = program.step("two", abort(Expression::text("two")));
    program.then(
        "par",
        Op::Par {
            branches: vec![vec![slow, one], vec![two]],
        },
    );
    let (message, simulation) = run(program);
    assert_eq!(message, "one");
    assert_eq!(latency(&simulation), Nanos::from_millis(22));
}

#[test]
fn try_catches_its_classes_only_and_rethrow_keeps_the_class() {
    let build = |catches: Catches, rethrow: bool| {
        let mut program = Builder::entry("try");
        let error = program.register("error");
        let fail = program.step("fail", abort(Expression::text("no")));
        let handler = if rethrow {
            program.step("rethrow", Op::Rethrow { error })
        } else {
            let caught = Expression::binary(
                Operator::Concat,
                Expression::text("caught "),
                Expression::Register(error),
            );
            program.step("again", abort(caught))
        };
        let op = Op::Try {
            body: vec![fail],
            catches,
            error: Some(error),
            handler: vec![handler],
        };
        program.then("try", op);
        run(program).0
    };
    assert_eq!(build(Catches::ALL, false), "caught no");
    assert_eq!(build(Catches::ALL, true), "no");
    assert_eq!(build(Catches::of(&[ErrorClass::Refused]), false), "no");
}

#[test]
fn retry_tries_so_often_waits_longer_each_time_and_then_fails() {
    let mut program = Builder::entry("retry");
    let count = program.register("count");
    program.then("zero", set(count, Expression::int(0)));
    let step = program.step("count", add(count, 1));
    let fail = program.step(
        "fail",
        abort(Expression::binary(
            Operator::Concat,
            Expression::text("attempt "),
            Expression::Register(count),
        )),
    );
    let backoff = Backoff {
        first: Nanos::from_millis(10),
        limit: Nanos::from_millis(25),
    };
    let op = Op::Retry {
        body: vec![step, fail],
        catches: Catches::ALL,
        attempts: 4,
        backoff,
    };
    program.then("retry", op);
    let (message, simulation) = run(program);
    assert_eq!(message, "attempt 4");
    // Three waits of at most 10, 20 and 25 ms and at least half of each, and two links.
    let latency = latency(&simulation);
    assert!((Nanos(29_500_000)..=Nanos(57_000_000)).contains(&latency), "{latency}");
}

#[test]
fn return_leaves_from_inside_and_the_caller_binds_what_it_gives() {
    let mut compilation = compilation(&[], 1);
    let mut callee = Builder::new("callee", APP, ProgramKind::Called);
    let n = callee.parameter("n");
    let plus = callee.step("plus", add(n, 1));
    let give = callee.step("return", Op::Return { values: vec![n] });
    let never = callee.step("never", abort(Expression::text("went on")));
    callee.then(
        "branches",
        Op::Par {
            branches: vec![vec![plus, give, never]],
        },
    );
    let callee = callee.add(&mut compilation);
    let mut program = Builder::entry("caller");
    let got = program.register("got");
    let call = Op::Call {
        program: callee,
        arguments: vec![Expression::int(41)],
        into: vec![got],
        timeout: Nanos::from_secs(1),
    };
    program.then("call", call);
    program.then(
        "say",
        abort(Expression::binary(
            Operator::Concat,
            Expression::text(""),
            Expression::Register(got),
        )),
    );
    program.operation(&mut compilation, 1, Vec::new());
    assert_eq!(run_compilation(&compilation).0, "42");
}

#[test]
fn a_callees_failure_reaches_its_caller_as_it_is() {
    let mut compilation = compilation(&[], 1);
    let mut callee = Builder::new("callee", APP, ProgramKind::Called);
    callee.then("abort", abort(Expression::text("declined")));
    let callee = callee.add(&mut compilation);
    let mut program = Builder::entry("caller");
    let call = Op::Call {
        program: callee,
        arguments: Vec::new(),
        into: Vec::new(),
        timeout: Nanos::from_secs(1),
    };
    program.then("call", call);
    program.operation(&mut compilation, 1, Vec::new());
    let mut simulation = simulation(&compilation, Vec::new());
    simulation.run();
    let Outcome::Failed(error) = answer(&simulation) else {
        panic!("{}", story(&simulation))
    };
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Aborted, "declined"));
}

#[test]
fn a_call_that_takes_too_long_times_out_and_its_callee_goes_on() {
    let mut compilation = compilation(&[], 1);
    let mut callee = Builder::new("slow", APP, ProgramKind::Called);
    callee.then("work", work(Nanos::from_millis(100)));
    let callee = callee.add(&mut compilation);
    let mut program = Builder::entry("caller");
    let call = Op::Call {
        program: callee,
        arguments: Vec::new(),
        into: Vec::new(),
        timeout: Nanos::from_millis(20),
    };
    program.then("call", call);
    program.operation(&mut compilation, 1, Vec::new());
    let mut simulation = simulation(&compilation, Vec::new());
    let end = simulation.run();
    let Outcome::Failed(error) = answer(&simulation) else {
        panic!("{}", story(&simulation))
    };
    assert_eq!(error.class, ErrorClass::Timeout);
    assert!(
        end.quiet && end.at >= base::Time(100_000_000),
        "the run ends when the callee has: {end:?}"
    );
}

#[test]
fn refusals_are_drawn_by_request_and_do_not_depend_on_the_clients() {
    let refused = |clients| {
        let mut compilation = compilation(&[], 1);
        let mut program = Builder::entry("pay");
        let fails = Some(Failure {
            numerator: 1,
            denominator: 4,
            message: "card declined".to_owned(),
        });
        program.then(
            "pay",
            Op::Work {
                node: APP,
                duration: Duration::Constant(Nanos(1_000)),
                fails,
            },
        );
        program.operation(
            &mut compilation,
            1,
            vec![("n", Type::Int8, Generator::Unique { prefix: String::new() })],
        );
        compilation.workload.requests = 200;
        compilation.workload.clients = clients;
        let mut simulation = simulation(&compilation, Vec::new());
        simulation.run();
        let failed = |event: &Event| match event.kind {
            EventKind::RequestAnswered {
                outcome: Outcome::Failed(_),
                ..
            } => event.request,
            _ => None,
        };
        let mut failed: Vec<RequestId> = simulation.recorded().iter().filter_map(failed).collect();
        failed.sort();
        failed
    };
    use program::workload::ClientLoop;
    let serial = refused(ClientLoop::Serial);
    assert_eq!(
        serial,
        refused(ClientLoop::Closed {
            clients: 5,
            think: Nanos::from_millis(3)
        })
    );
    assert_eq!(
        serial,
        refused(ClientLoop::Open {
            requests_per_second: 1_000
        })
    );
    assert!(
        (30..=70).contains(&serial.len()),
        "{} of 200 refused, a quarter expected",
        serial.len()
    );
}
