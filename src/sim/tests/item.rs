//! Requests to tables of items: what they take, what they meet, what is left.

use base::{Nanos, Type, Value};
use program::workload::{ClientLoop, Generator};
use program::*;
use sim::{Checks, Options, Progress, Record, first_difference};

use crate::build::*;

const DYNAMO: NodeId = NodeId(3);
const TABLE: ItemTableId = ItemTableId(0);

/// Beside the usual nodes DynamoDB with one table (pk, sk) and an index by g.
fn items() -> Compilation {
    let mut compilation = compilation(&[], 1);
    compilation.deployment.nodes.push(Node {
        name: "dynamodb".to_owned(),
        kind: NodeKind::DynamoDb,
        cores: 0,
    });
    let key = |partition: &str, sort: Option<&str>| {
        let attribute = |name: &str| KeyAttribute {
            name: name.to_owned(),
            kind: KeyKind::Text,
        };
        KeySchema {
            partition: attribute(partition),
            sort: sort.map(attribute),
        }
    };
    compilation.deployment.item_tables.push(ItemTable {
        name: "single".into(),
        node: DYNAMO,
        key: key("pk", Some("sk")),
        indexes: vec![SecondaryIndex {
            name: "by_g".to_owned(),
            key: key("g", None),
            projection: Projection::All,
        }],
        reasons: Vec::new(),
    });
    compilation
}

fn text(text: &str) -> Expression {
    Expression::text(text)
}

fn attributes(pairs: &[(&str, Expression)]) -> Attributes {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), value.clone()))
        .collect()
}

fn key(pk: &str, sk: &str) -> Attributes {
    attributes(&[("pk", text(pk)), ("sk", text(sk))])
}

fn phrase(text: &str, values: &[(&str, Expression)]) -> Phrase {
    Phrase {
        text: text.to_owned(),
        names: Vec::new(),
        values: attributes(values),
    }
}

fn put(item: Attributes, condition: Option<Condition>) -> ItemWrite {
    ItemWrite {
        action: WriteAction::Put { item },
        condition,
    }
}

fn add_one(pk: &str) -> ItemWrite {
    ItemWrite {
        action: WriteAction::Update {
            key: key(pk, "1"),
            update: phrase("ADD n :one", &[(":one", int(1))]),
        },
        condition: None,
    }
}

fn transact(writes: Vec<ItemWrite>, token: Option<Expression>) -> ItemRequest {
    let writes = writes.into_iter().map(|write| TransactedWrite { each: None, write });
    ItemRequest::TransactWrite {
        writes: writes.collect(),
        token,
    }
}

fn query(key_condition: Phrase) -> ItemRequest {
    ItemRequest::Query {
        each: None,
        index: None,
        key_condition,
        filter: None,
        forward: true,
        limit: None,
        consistent: false,
    }
}

fn of_index(request: ItemRequest) -> ItemRequest {
    match request {
        ItemRequest::Query {
            each,
            key_condition,
            filter,
            forward,
            limit,
            consistent,
            ..
        } => ItemRequest::Query {
            each,
            index: Some("by_g".to_owned()),
            key_condition,
            filter,
            forward,
            limit,
            consistent,
        },
        other => other,
    }
}

fn item(request: ItemRequest, into: Into) -> Op {
    Op::Item {
        table: TABLE,
        request,
        columns: vec![("sk".to_owned(), Type::Text), ("n".to_owned(), Type::Int4)],
        into,
    }
}

/// One program that is asked once.
fn once(build: impl FnOnce(&mut Builder)) -> Compilation {
    let mut compilation = items();
    let mut program = Builder::entry("once");
    build(&mut program);
    program.operation(&mut compilation, 1, Vec::new());
    compilation
}

/// The program ends by saying what is in a register.
fn say(program: &mut Builder, value: Expression) {
    let message = Expression::binary(Operator::Concat, text(""), value);
    program.then(
        "say",
        Op::Abort {
            class: ErrorClass::Aborted,
            message,
        },
    );
}

fn said(simulation: &sim::Simulation) -> String {
    match answer(simulation) {
        Outcome::Failed(error) => error.message,
        Outcome::Done => panic!("{}", story(simulation)),
    }
}

fn run(compilation: &Compilation, faults: Vec<Fault>) -> sim::Simulation {
    let mut simulation = simulation(compilation, faults);
    let end = simulation.run();
    assert!(end.quiet, "{}", story(&simulation));
    simulation
}

/// `n` of the items of a partition, read by a logical table.
fn logical(compilation: &mut Compilation) {
    compilation.logical_tables.push(LogicalTable {
        name: "counters".to_owned(),
        columns: vec![("sk".to_owned(), Type::Text), ("n".to_owned(), Type::Int4)],
        reads: vec![Read::Items {
            table: TABLE,
            with: ("pk".to_owned(), "a".to_owned()),
            attributes: vec!["sk".to_owned(), "n".to_owned()],
        }],
        loads: Vec::new(),
    });
}

fn counters(simulation: &sim::Simulation) -> Vec<Vec<Value>> {
    let mut rows: Vec<Vec<Value>> = simulation
        .read_table("counters")
        .unwrap()
        .iter()
        .map(|row| row.to_vec())
        .collect();
    rows.sort();
    rows
}

#[test]
fn a_request_takes_its_link_and_what_the_profile_says() {
    let predicted = [
        (ItemRequest::Write(put(key("a", "1"), None)), 3_500, (0, 2)),
        (
            ItemRequest::Get {
                key: key("a", "1"),
                consistent: false,
            },
            1_500,
            (1, 0),
        ),
        (
            ItemRequest::Get {
                key: key("a", "1"),
                consistent: true,
            },
            2_000,
            (2, 0),
        ),
        (query(phrase("pk = :p", &[(":p", text("a"))])), 2_500, (1, 0)),
        (transact(vec![add_one("a"), add_one("b")], None), 10_500, (0, 8)),
        (
            ItemRequest::TransactGet {
                keys: vec![key("a", "1")],
            },
            4_500,
            (4, 0),
        ),
    ];
    for (request, micros, (read, write)) in predicted {
        let compilation = once(|program| {
            program.then("ask", item(request.clone(), Into::Nothing));
        });
        let simulation = run(&compilation, Vec::new());
        assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
        // A client's link, one to DynamoDB, and the service's processor for request and answer.
        let took = simulation.measurements().operations()[0].mean_ns().unwrap();
        assert_eq!(
            took,
            f64::from(4_000 + 200 + micros) * 1e3,
            "{request:?}\n{}",
            story(&simulation)
        );
        let used = simulation.nodes()[DYNAMO.index()].items;
        assert_eq!(
            (used.read_halves, used.write_halves, used.requests),
            (read, write, 1),
            "{request:?}"
        );
        let transactional = matches!(
            request,
            ItemRequest::TransactWrite { .. } | ItemRequest::TransactGet { .. }
        );
        let in_transactions = (used.transactional_read_halves, used.transactional_write_halves);
        assert_eq!(in_transactions, if transactional { (read, write) } else { (0, 0) });
    }
}

#[test]
fn what_was_put_is_found_by_key_by_query_and_by_a_list() {
    let compilation = once(|program| {
        let [found, rows] = ["found", "rows"].map(|name| program.register(name));
        for (sk, n) in [("1", 10), ("2", 20), ("3", 30)] {
            let item_of = attributes(&[("pk", text("a")), ("sk", text(sk)), ("n", int(n))]);
            program.then("put", item(ItemRequest::Write(put(item_of, None)), Into::Nothing));
        }
        program.then(
            "query",
            item(
                query(phrase("pk = :p AND sk > :s", &[(":p", text("a")), (":s", text("1"))])),
                Into::Rows(rows),
            ),
        );
        let mut listed = query(phrase("pk = :p", &[(":p", text("a"))]));
        if let ItemRequest::Query { filter, .. } = &mut listed {
            let list = Expression::Column { rows, column: 1 };
            *filter = Some(phrase("n IN (:ns)", &[(":ns", list)]));
        }
        program.then("by a list", item(listed, Into::Count(found)));
        let sum = Expression::binary(
            Operator::Add,
            Expression::Register(found),
            Expression::Field { rows, column: 1 },
        );
        say(program, sum);
    });
    // Two rows from the list, and 20 in the first of the query's.
    assert_eq!(said(&run(&compilation, Vec::new())), "22");
}

#[test]
fn a_condition_that_fails_is_the_error_that_its_program_means() {
    let taken = |class| Condition {
        phrase: phrase("attribute_not_exists(pk)", &[]),
        class,
        message: "duplicate key: users (email)".to_owned(),
    };
    for class in [ErrorClass::Refused, ErrorClass::Transient] {
        for transaction in [false, true] {
            let compilation = once(|program| {
                program.then("put", item(ItemRequest::Write(put(key("a", "1"), None)), Into::Nothing));
                let again = put(key("a", "1"), Some(taken(class)));
                let request = if transaction {
                    transact(vec![add_one("b"), again], None)
                } else {
                    ItemRequest::Write(again)
                };
                program.then("again", item(request, Into::Nothing));
            });
            let simulation = run(&compilation, Vec::new());
            let Outcome::Failed(error) = answer(&simulation) else {
                panic!("{}", story(&simulation))
            };
            assert_eq!(
                (error.class, error.message.as_str()),
                (class, "duplicate key: users (email)")
            );
            let code = if transaction {
                "TransactionCanceledException"
            } else {
                "ConditionalCheckFailedException"
            };
            assert_eq!(error.code.as_deref(), Some(code));
        }
    }
}

/// Clients that add one to the same item in transactions, and try again when they meet.
fn contended() -> Compilation {
    let mut compilation = items();
    logical(&mut compilation);
    let mut program = Builder::entry("add");
    let ask = program.step(
        "add",
        item(
            transact(vec![add_one("a")], Some(Expression::RequestKey)),
            Into::Nothing,
        ),
    );
    program.then(
        "retry",
        Op::Retry {
            body: vec![ask],
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
fn transactions_that_meet_are_refused_and_none_is_lost() {
    let compilation = contended();
    let simulation = run(&compilation, Vec::new());
    let used = simulation.nodes()[DYNAMO.index()].items;
    assert!(used.conflicts > 10, "{used:?}");
    assert_eq!(counters(&simulation), [vec![Value::text("1"), Value::Int4(60)]]);
    let conflict = |event: &Event| {
        matches!(&event.kind, EventKind::StepEnded { outcome: Outcome::Failed(error), .. }
        if error.class == ErrorClass::Transient && error.message.contains("Transaction is ongoing"))
    };
    assert!(simulation.recorded().iter().any(conflict));
}

#[test]
fn the_same_run_twice_is_the_same_run_and_a_fork_in_a_transaction_ends_as_the_original() {
    let compilation = contended();
    let (mut left, mut right) = (
        simulation(&compilation, Vec::new()),
        simulation(&compilation, Vec::new()),
    );
    assert_eq!(first_difference(&mut left, &mut right), None);
    assert_eq!(left.fingerprint(), right.fingerprint());

    let mut original = simulation(&compilation, Vec::new());
    let begun = |event: &Event| matches!(event.kind, EventKind::TransactionBegun { .. });
    while !original.take_recorded().iter().any(begun) {
        assert!(matches!(original.run_slice(1), Progress::Running { .. }));
    }
    let mut fork = original.clone();
    assert_eq!(original.fingerprint(), fork.fingerprint());
    original.run();
    fork.run();
    assert_eq!(original.fingerprint(), fork.fingerprint());
    assert_eq!(original.fingerprint(), left.fingerprint());
}

fn struck(step: u32, action: FaultAction, point: StepPoint) -> Vec<Fault> {
    let trigger = Trigger::Step(StepTrigger {
        program: ProgramId(0),
        step: StepId(step),
        point,
        request: None,
        occurrence: 0,
    });
    vec![Fault { trigger, action }]
}

#[test]
fn a_doubled_request_is_done_twice_unless_a_token_tells_it_apart() {
    for (token, n) in [(None, 2), (Some(Expression::RequestKey), 1)] {
        let mut compilation = once(|program| {
            let request = match &token {
                None => ItemRequest::Write(add_one("a")),
                some => transact(vec![add_one("a")], some.clone()),
            };
            program.then("add", item(request, Into::Nothing));
        });
        logical(&mut compilation);
        let simulation = run(
            &compilation,
            struck(0, FaultAction::DuplicateRequest, StepPoint::Before),
        );
        assert_eq!(simulation.struck(), [true]);
        assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
        assert_eq!(simulation.nodes()[DYNAMO.index()].items.requests, 2);
        assert_eq!(counters(&simulation), [vec![Value::text("1"), Value::Int4(n)]]);
    }
}

#[test]
fn messages_are_lost_and_late_and_requests_refused() {
    let compilation = || {
        let mut compilation = once(|program| {
            program.then("add", item(ItemRequest::Write(add_one("a")), Into::Nothing));
        });
        logical(&mut compilation);
        compilation
    };
    let one = [vec![Value::text("1"), Value::Int4(1)]];
    for (action, class, left) in [
        (FaultAction::LoseRequest, ErrorClass::Timeout, &[][..]),
        (FaultAction::LoseReply, ErrorClass::Timeout, &one[..]),
        (
            FaultAction::Refuse {
                message: "no".to_owned(),
            },
            ErrorClass::Refused,
            &[][..],
        ),
    ] {
        let simulation = run(&compilation(), struck(0, action.clone(), StepPoint::Before));
        let Outcome::Failed(error) = answer(&simulation) else {
            panic!("{action:?}\n{}", story(&simulation))
        };
        assert_eq!(error.class, class, "{action:?}");
        assert_eq!(counters(&simulation), left, "{action:?}");
    }
    let late = FaultAction::DelayRequest(Nanos::from_millis(100));
    let simulation = run(&compilation(), struck(0, late, StepPoint::Before));
    // Half a microsecond for the row that comes back.
    assert_eq!(
        simulation.measurements().operations()[0].mean_ns().unwrap(),
        107_700_500.0
    );
}

#[test]
fn a_transaction_ends_though_its_service_is_gone_and_dynamodb_does_not_crash() {
    let mut compilation = once(|program| {
        program.then("add", item(transact(vec![add_one("a")], None), Into::Nothing));
    });
    logical(&mut compilation);
    let crash = |node| FaultAction::Crash {
        node,
        restart_after: None,
    };
    // Between the rounds: the first is over 7.6 ms after the client has asked.
    let fault = Fault {
        trigger: Trigger::At(base::Time::ZERO + Nanos::from_millis(10)),
        action: crash(APP),
    };
    let mut simulation = simulation(&compilation, vec![fault]);
    simulation.run();
    assert_eq!(
        counters(&simulation),
        [vec![Value::text("1"), Value::Int4(1)]],
        "{}",
        story(&simulation)
    );

    let refused = sim::Simulation::new(
        std::sync::Arc::new(compilation.clone()),
        &profile(),
        struck(0, crash(DYNAMO), StepPoint::Before),
        Options::of(&compilation),
    );
    assert!(refused.is_err_and(|error| error.to_string().contains("managed service")));
}

#[test]
fn an_index_lags_behind_its_table() {
    let compilation = once(|program| {
        let [early, late] = ["early", "late"].map(|name| program.register(name));
        let grouped = attributes(&[("pk", text("a")), ("sk", text("1")), ("g", text("x"))]);
        program.then("put", item(ItemRequest::Write(put(grouped, None)), Into::Nothing));
        let by_group = || of_index(query(phrase("g = :g", &[(":g", text("x"))])));
        program.then("at once", item(by_group(), Into::Count(early)));
        let duration = Duration::Constant(Nanos::from_millis(60));
        program.then(
            "wait",
            Op::Work {
                node: APP,
                duration,
                fails: None,
            },
        );
        program.then("later", item(by_group(), Into::Count(late)));
        let of = |register| Expression::Register(register);
        say(program, Expression::binary(Operator::Concat, of(early), of(late)));
    });
    assert_eq!(said(&run(&compilation, Vec::new())), "01");
}

#[test]
fn all_pages_are_read_with_a_round_trip_each() {
    let mut compilation = once(|program| {
        let found = program.register("found");
        program.then(
            "query",
            item(query(phrase("pk = :p", &[(":p", text("a"))])), Into::Count(found)),
        );
        say(program, Expression::Register(found));
    });
    logical(&mut compilation);
    load(&mut compilation, 30, 100_000);
    let simulation = run(&compilation, Vec::new());
    assert_eq!(said(&simulation), "30");
    assert_eq!(
        simulation.nodes()[DYNAMO.index()].items.requests,
        3,
        "11 items of 100 KB are a page"
    );
    assert_eq!(counters(&simulation).len(), 30);
    let sent = |event: &&Event| matches!(event.kind, EventKind::MessageSent { to: DYNAMO, .. });
    assert_eq!(simulation.recorded().iter().filter(sent).count(), 3);
}

/// So many initial items of partition `a`.
fn load(compilation: &mut Compilation, rows: u64, filler: u32) {
    let columns = vec![
        (
            "id".to_owned(),
            Type::Text,
            Generator::Unique { prefix: "i".to_owned() },
        ),
        ("filler".to_owned(), Type::Text, Generator::Text { length: filler }),
    ];
    compilation.logical_tables.push(LogicalTable {
        name: "loaded".to_owned(),
        columns: columns
            .iter()
            .map(|(name, data_type, _)| (name.clone(), *data_type))
            .collect(),
        reads: Vec::new(),
        loads: vec![Load::Items {
            table: TABLE,
            items: vec![attributes(&[
                ("pk", text("a")),
                ("sk", Expression::Register(RegisterId(0))),
                ("filler", Expression::Register(RegisterId(1))),
            ])],
        }],
    });
    compilation.workload.tables.push(program::workload::TablePopulation {
        table: "loaded".to_owned(),
        rows,
        by_tenant: false,
        one_each: false,
        parent: None,
        columns,
    });
}

#[test]
fn a_query_for_each_row_comes_in_the_rows_order_several_at_a_time() {
    let mut compilation = once(|program| {
        let [rows, sk, found, none] = ["rows", "sk", "found", "none"].map(|name| program.register(name));
        program.then(
            "all",
            item(query(phrase("pk = :p", &[(":p", text("a"))])), Into::Rows(rows)),
        );
        let values = [(":p", text("a")), (":s", Expression::Register(sk))];
        let mut each = query(phrase("pk = :p AND sk = :s", &values));
        if let ItemRequest::Query { each, .. } = &mut each {
            *each = Some((EachRow { rows, bind: vec![sk] }, 4));
        }
        program.then("each", item(each, Into::Rows(found)));
        let nothing = query(phrase("pk = :p", &[(":p", Expression::Constant(Value::Null))]));
        program.then("nothing", item(nothing, Into::Count(none)));
        let first = |rows| Expression::Field { rows, column: 0 };
        let joined = Expression::binary(Operator::Concat, first(rows), first(found));
        let counts = Expression::binary(
            Operator::Concat,
            Expression::RowCount(found),
            Expression::Register(none),
        );
        say(program, Expression::binary(Operator::Concat, joined, counts));
    });
    load(&mut compilation, 10, 5);
    let simulation = run(&compilation, Vec::new());
    let said = said(&simulation);
    assert!(said.ends_with("100"), "{said}");
    let key = said.strip_suffix("100").unwrap();
    let (one, other) = key.split_at(key.len() / 2);
    assert_eq!(one, other);
    // One for all, ten for each, none for NULL; in three rounds of at most four.
    assert_eq!(simulation.nodes()[DYNAMO.index()].items.requests, 11);
    let latencies: Vec<Nanos> = simulation
        .recorded()
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::RequestAnswered { latency, .. } => Some(latency),
            _ => None,
        })
        .collect();
    assert!(
        latencies[0] < Nanos::from_millis(30),
        "eleven one after the other would take 50 ms: {}",
        latencies[0]
    );
}

#[test]
fn an_invariant_is_watched_after_each_write() {
    let mut compilation = once(|program| {
        program.then("one", item(ItemRequest::Write(add_one("a")), Into::Nothing));
        program.then("two", item(ItemRequest::Write(add_one("a")), Into::Nothing));
        program.then("three", item(ItemRequest::Write(add_one("a")), Into::Nothing));
    });
    logical(&mut compilation);
    compilation.invariants.push(Invariant {
        name: "n is not two".to_owned(),
        sql: "SELECT sk FROM counters WHERE n = 2".to_owned(),
        tables: vec!["counters".to_owned()],
    });
    let options = Options {
        checks: Checks::EveryCommit,
        record: Record::Everything,
        ..Options::of(&compilation)
    };
    let mut simulation = simulation_with(&compilation, &profile(), Vec::new(), options);
    simulation.run();
    let state = &simulation.invariants()[0];
    assert_eq!((state.windows.len(), state.error.as_deref()), (1, None));
    assert!(state.windows[0].to.is_some(), "the third write has mended it");
    assert!(state.at_end.as_ref().is_some_and(|output| output.rows.is_empty()));
}
