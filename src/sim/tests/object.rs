//! Requests to buckets: what they take, what they meet, what is left.

use std::sync::Arc;

use base::{Nanos, Type, Value};
use program::workload::{ClientLoop, Generator, TablePopulation};
use program::*;
use sim::{Progress, first_difference};

use crate::build::*;

const STORE: NodeId = NodeId(3);
const BUCKET: BucketId = BucketId(0);

/// Beside the usual nodes an object store with one bucket, and a logical table of its counters.
fn objects() -> Compilation {
    let mut compilation = compilation(&[], 1);
    compilation.deployment.nodes.push(Node {
        name: "object-store".to_owned(),
        kind: NodeKind::ObjectStore,
        cores: 0,
    });
    compilation.deployment.buckets.push(Bucket {
        name: "data".into(),
        node: STORE,
        reasons: Vec::new(),
    });
    compilation.logical_tables.push(LogicalTable {
        name: "counters".to_owned(),
        columns: vec![("id".to_owned(), Type::Text), ("n".to_owned(), Type::Int4)],
        reads: vec![Read::Objects {
            bucket: BUCKET,
            prefix: "counters/".to_owned(),
        }],
        loads: vec![Load::Objects {
            bucket: BUCKET,
            key: key(Expression::Register(RegisterId(0))),
            fields: fields(Expression::Register(RegisterId(0)), Expression::Register(RegisterId(1))),
        }],
    });
    compilation
}

fn path(parts: Vec<Expression>, after: &str) -> Expression {
    Expression::Path {
        before: "counters/".into(),
        parts,
        after: after.into(),
    }
}

fn key(id: Expression) -> Expression {
    path(vec![id], ".json")
}

fn fields(id: Expression, n: Expression) -> Fields {
    vec![("id".into(), id), ("n".into(), n)]
}

fn put(id: &str, n: Expression, condition: Option<ObjectCondition>) -> ObjectRequest {
    ObjectRequest::Put {
        key: key(Expression::text(id)),
        fields: fields(Expression::text(id), n),
        condition,
    }
}

fn get(id: &str) -> ObjectRequest {
    ObjectRequest::Get {
        each: None,
        key: key(Expression::text(id)),
    }
}

fn all() -> ObjectRequest {
    ObjectRequest::List {
        each: None,
        prefix: path(Vec::new(), ""),
    }
}

fn condition(holds: ObjectState, class: ErrorClass) -> Option<ObjectCondition> {
    Some(ObjectCondition {
        holds,
        class,
        message: "duplicate key: counters (id)".to_owned(),
    })
}

/// Rows of a counter's number, its tag and its key.
fn object(request: ObjectRequest, into: Into) -> Op {
    Op::Object {
        bucket: BUCKET,
        request,
        columns: vec![
            ObjectColumn::Field("n".into(), Type::Int4),
            ObjectColumn::ETag,
            ObjectColumn::Key,
        ],
        into,
    }
}

/// One program that is asked once.
fn once(build: impl FnOnce(&mut Builder)) -> Compilation {
    let mut compilation = objects();
    let mut program = Builder::entry("once");
    build(&mut program);
    program.operation(&mut compilation, 1, Vec::new());
    compilation
}

/// The program ends by saying what is in a register.
fn say(program: &mut Builder, value: Expression) {
    let message = Expression::binary(Operator::Concat, Expression::text(""), value);
    program.then(
        "say",
        Op::Abort {
            class: ErrorClass::Aborted,
            message,
        },
    );
}

fn failure(simulation: &sim::Simulation) -> Error {
    match answer(simulation) {
        Outcome::Failed(error) => error,
        Outcome::Done => panic!("{}", story(simulation)),
    }
}

fn run(compilation: &Compilation, faults: Vec<Fault>) -> sim::Simulation {
    let mut simulation = simulation(compilation, faults);
    let end = simulation.run();
    assert!(end.quiet, "{}", story(&simulation));
    simulation
}

fn counters(simulation: &sim::Simulation) -> Vec<Vec<Value>> {
    let rows = simulation.read_table("counters").unwrap();
    rows.iter().map(|row| row.to_vec()).collect()
}

#[test]
fn a_request_takes_its_link_and_what_the_profile_says_and_is_counted() {
    let delete = ObjectRequest::Delete {
        key: key(Expression::text("a")),
        condition: None,
    };
    // {"id":"a","n":1} has 16 bytes: 10 ms × 16 / 2²⁰ = 152 ns.
    for (request, nanos, counts) in [
        (put("a", int(1), None), 40_000_000 + 152, [1, 0, 0, 0]),
        (get("a"), 20_000_000, [0, 0, 1, 0]),
        (all(), 30_000_000 + 2_861, [0, 1, 0, 0]),
        (delete, 10_000_000, [0, 0, 0, 1]),
    ] {
        let compilation = once(|program| {
            program.then("ask", object(request.clone(), Into::Nothing));
        });
        let simulation = run(&compilation, Vec::new());
        assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
        // A client's link, one to the store, and the service's processor for request and answer.
        let took = simulation.measurements().operations()[0].mean_ns().unwrap();
        let expected = f64::from(4_000_000 + 200_000 + nanos);
        assert_eq!(took, expected, "{request:?}\n{}", story(&simulation));
        let used = simulation.nodes()[STORE.index()].objects;
        assert_eq!([used.puts, used.lists, used.gets, used.deletes], counts, "{request:?}");
    }
}

#[test]
fn what_was_put_is_listed_and_fetched_so_many_at_a_time() {
    let compilation = once(|program| {
        let [listed, found] = ["listed", "found"].map(|name| program.rows(name));
        let of = program.register("key");
        for (id, n) in [("b", 20), ("a", 10), ("c", 30)] {
            program.then("put", object(put(id, int(n), None), Into::Nothing));
        }
        program.then("list", object(all(), Into::Rows(listed)));
        let mut fetch = object(
            ObjectRequest::Get {
                each: Some((
                    EachRow {
                        rows: listed,
                        bind: vec![of],
                    },
                    2,
                )),
                key: Expression::Register(of),
            },
            Into::Rows(found),
        );
        if let Some(Op::Object { columns, .. }) = program.0.steps.last_mut().map(|step| &mut step.op) {
            *columns = vec![ObjectColumn::Key];
        }
        if let Op::Object { columns, .. } = &mut fetch {
            columns.push(ObjectColumn::Field("missing".into(), Type::Text));
        }
        program.then("get", fetch);
        let first = Expression::Field { rows: found, column: 0 };
        let sum = Expression::binary(Operator::Add, first, Expression::RowCount(found));
        say(program, sum);
    });
    let simulation = run(&compilation, Vec::new());
    assert_eq!(failure(&simulation).message, "13", "10 of the first, and three of them");
    let gets: Vec<_> = (simulation.recorded().iter())
        .filter(|event| {
            matches!(
                event.kind,
                EventKind::ObjectServed {
                    request: ObjectVerb::Get,
                    ..
                }
            )
        })
        .map(|event| event.at)
        .collect();
    assert_eq!(gets.len(), 3);
    assert!(gets[0] == gets[1] && gets[1] < gets[2], "{gets:?}");
}

#[test]
fn a_read_of_what_is_not_there_finds_nothing_and_null_asks_for_nothing() {
    let compilation = once(|program| {
        let [found, none] = ["found", "none"].map(|name| program.register(name));
        program.then("get", object(get("a"), Into::Count(found)));
        let null = Expression::Constant(Value::Null);
        let request = ObjectRequest::Get {
            each: None,
            key: key(null),
        };
        program.then("get null", object(request, Into::Count(none)));
        let sum = Expression::binary(Operator::Add, Expression::Register(found), Expression::Register(none));
        say(program, sum);
    });
    let simulation = run(&compilation, Vec::new());
    assert_eq!(failure(&simulation).message, "0");
    assert_eq!(simulation.nodes()[STORE.index()].objects.gets, 1);
}

#[test]
fn a_condition_that_fails_is_the_error_that_its_program_means() {
    for class in [ErrorClass::Refused, ErrorClass::Transient] {
        for holds in [
            ObjectState::Absent,
            ObjectState::Tagged(Expression::text("\"0\"")),
            ObjectState::Tagged(Expression::Constant(Value::Null)),
        ] {
            let compilation = once(|program| {
                program.then("put", object(put("a", int(1), None), Into::Nothing));
                let again = put("a", int(2), condition(holds.clone(), class));
                program.then("again", object(again, Into::Nothing));
            });
            let error = failure(&run(&compilation, Vec::new()));
            let found = (error.class, error.message.as_str(), error.code.as_deref());
            assert_eq!(
                found,
                (class, "duplicate key: counters (id)", Some("PreconditionFailed"))
            );
        }
    }
}

/// Clients that add one to the same object: read, put if it is as it was, else again.
fn contended() -> Compilation {
    let mut compilation = objects();
    compilation.workload.tables.push(TablePopulation {
        table: "counters".to_owned(),
        rows: 1,
        by_tenant: false,
        one_each: false,
        parent: None,
        columns: vec![
            ("id".to_owned(), Type::Text, Generator::Constant(Value::text("a"))),
            ("n".to_owned(), Type::Int4, Generator::Constant(Value::Int4(0))),
        ],
    });
    let mut program = Builder::entry("add");
    let read = program.rows("read");
    let get = program.step("get", object(get("a"), Into::Rows(read)));
    let field = |column| Expression::Field { rows: read, column };
    let more = Expression::binary(Operator::Add, field(0), int(1));
    let as_it_was = condition(ObjectState::Tagged(field(1)), ErrorClass::Transient);
    let put = program.step("put", object(put("a", more, as_it_was), Into::Nothing));
    program.then(
        "retry",
        Op::Retry {
            body: vec![get, put],
            catches: Catches::of(&[ErrorClass::Transient]),
            attempts: 0,
            backoff: Backoff {
                first: Nanos::from_millis(5),
                limit: Nanos::from_millis(200),
            },
        },
    );
    program.operation(&mut compilation, 1, Vec::new());
    compilation.workload.clients = ClientLoop::Closed {
        clients: 4,
        think: Nanos::from_millis(3),
    };
    compilation.workload.requests = 60;
    compilation
}

#[test]
fn compare_and_swap_loses_none_of_those_who_meet() {
    let simulation = run(&contended(), Vec::new());
    assert_eq!(counters(&simulation), [vec![Value::text("a"), Value::Int4(60)]]);
    let used = simulation.nodes()[STORE.index()].objects;
    assert!(used.puts > 70, "some had to do it again: {used:?}");
}

#[test]
fn the_same_run_twice_is_the_same_run_and_a_fork_in_a_write_ends_as_the_original() {
    let compilation = contended();
    let (mut left, mut right) = (
        simulation(&compilation, Vec::new()),
        simulation(&compilation, Vec::new()),
    );
    assert_eq!(first_difference(&mut left, &mut right), None);
    assert_eq!(left.fingerprint(), right.fingerprint());

    let mut original = simulation(&compilation, Vec::new());
    let working = |event: &Event| event.node == STORE && matches!(event.kind, EventKind::WorkStarted { .. });
    for _ in 0..3 {
        while !original.take_recorded().iter().any(working) {
            assert!(matches!(original.run_slice(1), Progress::Running { .. }));
        }
    }
    let mut fork = original.clone();
    assert_eq!(original.fingerprint(), fork.fingerprint());
    original.run();
    fork.run();
    assert_eq!(original.fingerprint(), fork.fingerprint());
    assert_eq!(original.fingerprint(), left.fingerprint());
}

fn struck(step: u32, action: FaultAction) -> Vec<Fault> {
    let trigger = Trigger::Step(StepTrigger {
        program: ProgramId(0),
        step: StepId(step),
        point: StepPoint::Before,
        request: None,
        occurrence: 0,
    });
    vec![Fault { trigger, action }]
}

#[test]
fn what_was_put_is_there_though_its_answer_is_lost() {
    let compilation = once(|program| {
        program.then("put", object(put("a", int(1), None), Into::Nothing));
    });
    let simulation = run(&compilation, struck(0, FaultAction::LoseReply));
    assert_eq!(failure(&simulation).class, ErrorClass::Timeout);
    assert_eq!(counters(&simulation), [vec![Value::text("a"), Value::Int4(1)]]);
    let simulation = run(&compilation, struck(0, FaultAction::LoseRequest));
    assert_eq!(failure(&simulation).class, ErrorClass::Timeout);
    assert_eq!(counters(&simulation), Vec::<Vec<Value>>::new());
}

#[test]
fn a_crash_between_two_puts_leaves_the_first() {
    let compilation = once(|program| {
        program.then("first", object(put("a", int(1), None), Into::Nothing));
        program.then("second", object(put("b", int(2), None), Into::Nothing));
    });
    let crash = FaultAction::Crash {
        node: APP,
        restart_after: None,
    };
    let simulation = run(&compilation, struck(1, crash));
    assert_eq!(counters(&simulation), [vec![Value::text("a"), Value::Int4(1)]]);
}

#[test]
fn a_doubled_creation_meets_its_own_object() {
    let mut compilation = once(|program| {
        let new = put("a", int(1), condition(ObjectState::Absent, ErrorClass::Refused));
        program.then("put", object(new, Into::Nothing));
    });
    compilation.programs[0].name = "create".to_owned();
    let simulation = run(&compilation, struck(0, FaultAction::DuplicateRequest));
    assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
    let used = simulation.nodes()[STORE.index()].objects;
    assert_eq!((used.puts, counters(&simulation).len()), (2, 1));
    let said: Vec<String> = (simulation.recorded().iter())
        .map(|event| event.sentence(&compilation))
        .filter(|sentence| sentence.starts_with("object-store"))
        .collect();
    assert_eq!(
        said.iter()
            .filter(|sentence| sentence.contains("takes 16 bytes for put"))
            .count(),
        1,
        "{said:?}"
    );
}

#[test]
fn a_bucket_on_another_node_is_no_deployment() {
    let mut compilation = objects();
    compilation.deployment.buckets[0].node = APP;
    let options = sim::Options::of(&compilation);
    let made = sim::Simulation::new(Arc::new(compilation), &profile(), Vec::new(), options);
    assert!(made.unwrap_err().to_string().contains("on no object store"));
}
