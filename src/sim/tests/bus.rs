//! An event bus in a run: what takes how long, who is given what again, and what a crash of each side leaves.

use base::{Nanos, Type};
use program::workload::{ClientLoop, Generator};
use program::*;
use sim::{Progress, Simulation};

use crate::build::*;

const BUS: NodeId = NodeId(3);
const PUBLISH: ProgramId = ProgramId(0);
const CONSUMER: ProgramId = ProgramId(1);
const TOPIC: TopicId = TopicId(0);

// The steps of the consumer.
const READ: StepId = StepId(0);
const INSERT: StepId = StepId(2);
const COMMIT: StepId = StepId(5);

/// Requests publish a number each; a consumer writes each number that it is given into a table without a key.
fn numbers(requests: u64, acks: Acks, partitions: u16) -> Compilation {
    let mut compilation = compilation(&["CREATE TABLE seen (id int)"], 4);
    let id = || ("id", Type::Int4, Generator::Unique { prefix: String::new() });
    table(&mut compilation, "seen", 0, vec![id()]);
    compilation.deployment.nodes.push(Node {
        name: "bus".to_owned(),
        kind: NodeKind::EventBus,
        cores: 1,
    });
    compilation.deployment.topics.push(Topic {
        name: "numbers".to_owned(),
        node: BUS,
        partitions,
        fields: vec![("id".to_owned(), Type::Int4)],
    });
    let mut entry = Builder::entry("publish");
    let number = entry.parameter("id");
    let request = BusRequest::Publish {
        each: None,
        key: Expression::Register(number),
        fields: vec![Expression::Register(number)],
        acks,
    };
    entry.then("publish", bus(request, Into::Nothing));
    entry.operation(&mut compilation, 1, vec![id()]);
    consumer().add(&mut compilation);
    compilation.workload.requests = requests;
    compilation
}

fn bus(request: BusRequest, into: Into) -> Op {
    Op::Bus {
        topic: TOPIC,
        request,
        into,
    }
}

fn consumer() -> Builder {
    let every = Nanos::from_millis(5);
    let mut consumer = Builder::new("consumer", APP, ProgramKind::Consumer { topic: TOPIC, every });
    let partition = consumer.parameter("partition");
    let [rows, position, id] = ["rows", "position", "id"].map(|name| consumer.register(name));
    let read = BusRequest::Read {
        group: "g".to_owned(),
        partition: Expression::Register(partition),
        limit: 10,
        wait: Nanos::from_millis(500),
    };
    consumer.then("read", bus(read, Into::Rows(rows)));
    consumer.acquire();
    let insert = statement(
        "INSERT INTO seen VALUES ($1)",
        vec![Expression::Register(id)],
        Into::Nothing,
    );
    let insert = consumer.step("insert", insert);
    let each = Op::ForEach {
        rows,
        bind: vec![position, id],
        body: vec![insert],
        parallel: 1,
        gather: Vec::new(),
    };
    consumer.then("for each message", each);
    consumer.release();
    let commit = BusRequest::Commit {
        group: "g".to_owned(),
        partition: Expression::Register(partition),
        position: Expression::Register(position),
    };
    let commit = consumer.step("commit", bus(commit, Into::Nothing));
    let none = Expression::IsNull(Box::new(Expression::Register(position)));
    let any = Op::If {
        condition: Expression::Not(Box::new(none)),
        then: vec![commit],
        otherwise: Vec::new(),
    };
    consumer.then("if there were any", any);
    consumer
}

fn seen(simulation: &Simulation) -> usize {
    simulation.read_table("seen").unwrap().len()
}

fn latency(simulation: &Simulation) -> Nanos {
    let of = |event: &Event| match event.kind {
        EventKind::RequestAnswered { latency, .. } => Some(latency),
        _ => None,
    };
    simulation.recorded().iter().find_map(of).expect("an answer")
}

fn fault(program: ProgramId, step: StepId, point: StepPoint, action: FaultAction) -> Fault {
    let trigger = StepTrigger {
        program,
        step,
        point,
        request: None,
        occurrence: 0,
    };
    Fault {
        trigger: Trigger::Step(trigger),
        action,
    }
}

fn crash(node: NodeId) -> FaultAction {
    FaultAction::Crash {
        node,
        restart_after: Some(Nanos::from_millis(30)),
    }
}

/// One request under a fault: how it was answered, and how many rows there are in the end.
fn after(acks: Acks, fault: Fault) -> (Outcome, usize) {
    let mut simulation = simulation(&numbers(1, acks, 1), vec![fault]);
    let end = simulation.run();
    assert!(end.quiet && simulation.struck() == [true], "{}", story(&simulation));
    (answer(&simulation), seen(&simulation))
}

#[test]
fn a_publisher_waits_for_the_replicas_or_not() {
    // Client, application and bus are 1 ms apart; the application takes 100 µs for a request, as much for an answer and
    // 500 ns for a message, the bus 200 µs for a request and 10 µs for a message, its replicas 4 ms.
    for (acks, micros) in [(Acks::Leader, 4_410), (Acks::All, 8_410)] {
        let mut simulation = simulation(&numbers(1, acks, 1), Vec::new());
        simulation.run();
        assert_eq!(
            latency(&simulation),
            Nanos(micros * 1_000 + 500),
            "{}",
            story(&simulation)
        );
        assert_eq!(seen(&simulation), 1, "the replicas have it, whoever waits for them");
    }
}

#[test]
fn each_message_is_handled_once_when_nothing_breaks() {
    let mut compilation = numbers(200, Acks::All, 4);
    compilation.workload.clients = ClientLoop::Open {
        requests_per_second: 500,
    };
    let mut simulation = simulation(&compilation, Vec::new());
    assert!(simulation.run().quiet);
    let mut rows: Vec<String> = (simulation.read_table("seen").unwrap().iter())
        .map(|row| row[0].to_string())
        .collect();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!((rows.len(), seen(&simulation)), (200, 200));
    let used = simulation.nodes()[BUS.index()].bus;
    assert_eq!((used.messages_in, used.messages_out), (200, 200));
    assert!(used.requests < 1_000, "who finds nothing waits at the bus: {used:?}");
}

#[test]
fn a_reader_that_waits_is_answered_when_a_message_comes() {
    let mut simulation = simulation(&numbers(1, Acks::All, 1), Vec::new());
    simulation.run();
    let at = |wanted: &dyn Fn(&EventKind) -> bool| {
        let mut events = simulation.recorded().iter();
        events.find(|event| wanted(&event.kind)).expect("it happens").at
    };
    let waited = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::WaitEnded {
                cause: WaitCause::Messages,
                ..
            }
        )
    };
    let replicated = |kind: &EventKind| matches!(kind, EventKind::Replicated { .. });
    assert_eq!(at(&waited), at(&replicated), "{}", story(&simulation));
}

#[test]
fn a_consumer_that_dies_before_it_commits_is_given_the_message_again() {
    let died = fault(CONSUMER, INSERT, StepPoint::After, crash(APP));
    assert_eq!(after(Acks::All, died).1, 2);
    let committed = fault(CONSUMER, COMMIT, StepPoint::After, crash(APP));
    assert_eq!(after(Acks::All, committed).1, 1);
    let never_had_it = fault(CONSUMER, READ, StepPoint::Done, crash(APP));
    assert_eq!(after(Acks::All, never_had_it).1, 1);
}

#[test]
fn a_commit_that_the_replicas_do_not_have_is_lost_with_the_bus() {
    let lost = fault(CONSUMER, COMMIT, StepPoint::Before, crash(BUS));
    assert_eq!(after(Acks::All, lost).1, 2);
}

#[test]
fn what_the_replicas_have_survives_the_bus_and_what_they_do_not_have_is_lost() {
    let crashed = || fault(PUBLISH, StepId(0), StepPoint::After, crash(BUS));
    // It is handled while the bus is down, and so its commit is not heard.
    assert_eq!(after(Acks::All, crashed()), (Outcome::Done, 2));
    assert_eq!(after(Acks::Leader, crashed()), (Outcome::Done, 0));
    let (heard, rows) = after(Acks::All, fault(PUBLISH, StepId(0), StepPoint::Before, crash(BUS)));
    assert_eq!((heard.to_string().as_str(), rows), ("bus is down", 0));
}

#[test]
fn a_doubled_request_is_there_twice_and_a_lost_one_not_at_all() {
    let strike = |action| after(Acks::All, fault(PUBLISH, StepId(0), StepPoint::Before, action));
    assert_eq!(strike(FaultAction::DuplicateRequest), (Outcome::Done, 2));
    let (heard, rows) = strike(FaultAction::LoseRequest);
    assert_eq!((heard.to_string().as_str(), rows), ("publish: no answer in time", 0));
    assert_eq!(strike(FaultAction::LoseReply).1, 1);
    let refused = FaultAction::Refuse {
        message: "no".to_owned(),
    };
    assert_eq!(strike(refused).0.to_string(), "no");
}

#[test]
fn a_fork_in_the_middle_of_it_goes_on_alike() {
    let mut compilation = numbers(60, Acks::All, 3);
    compilation.workload.clients = ClientLoop::Closed {
        clients: 7,
        think: Nanos::from_millis(1),
    };
    let fault = fault(PUBLISH, StepId(0), StepPoint::After, crash(BUS));
    let mut one = simulation(&compilation, vec![fault]);
    while let Progress::Running { .. } = one.run_slice(37) {
        let mut fork = one.clone();
        fork.run_slice(50);
        assert_ne!(fork.fingerprint(), one.fingerprint());
        if one.requests().1 > 30 {
            break;
        }
    }
    let mut fork = one.clone();
    assert_eq!(fork.fingerprint(), one.fingerprint());
    one.run();
    fork.run();
    assert_eq!(fork.trace(), one.trace());
    assert_eq!(fork.fingerprint(), one.fingerprint());
    let done = answers(&one)
        .into_iter()
        .filter(|outcome| *outcome == Outcome::Done)
        .count();
    assert!(
        (1..=seen(&one)).contains(&done),
        "nothing that was acknowledged is lost"
    );
}
