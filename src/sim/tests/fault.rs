//! Each fault does what the table in `program::fault` says.

use base::{Nanos, Time};
use program::*;

use crate::build::*;
use crate::statement::{accounts, deposit, total};

// The steps of `deposit`.
const UPDATE: StepId = StepId(2);
const COMMIT: StepId = StepId(3);

fn at_step(program: ProgramId, step: StepId, point: StepPoint, action: FaultAction) -> Vec<Fault> {
    let trigger = Trigger::Step(StepTrigger {
        program,
        step,
        point,
        request: None,
        occurrence: 0,
    });
    vec![Fault { trigger, action }]
}

fn crash(node: NodeId, restart_after: Option<Nanos>) -> FaultAction {
    FaultAction::Crash { node, restart_after }
}

const SOON: Option<Nanos> = Some(Nanos::from_millis(100));

/// One deposit under a fault; a client that asks up to `attempts` times, every 5 s.
fn run(attempts: u32, faults: impl FnOnce(ProgramId) -> Vec<Fault>) -> sim::Simulation {
    let mut compilation = accounts(10, 2);
    let program = deposit(&mut compilation);
    compilation.workload.retry.timeout = Nanos::from_secs(5);
    compilation.workload.retry.attempts = attempts;
    let mut simulation = simulation(&compilation, faults(program));
    let end = simulation.run();
    assert!(end.quiet, "{}", story(&simulation));
    assert_eq!(simulation.struck(), [true], "{}", story(&simulation));
    simulation
}

fn failure(simulation: &sim::Simulation) -> (ErrorClass, String) {
    match answer(simulation) {
        Outcome::Failed(error) => (error.class, error.message),
        Outcome::Done => panic!("answered well:\n{}", story(simulation)),
    }
}

fn count(simulation: &sim::Simulation, of: impl Fn(&EventKind) -> bool) -> usize {
    simulation.recorded().iter().filter(|event| of(&event.kind)).count()
}

#[test]
fn a_crashed_client_hears_nothing_and_what_it_started_goes_on() {
    let simulation = run(3, |program| {
        at_step(program, UPDATE, StepPoint::Before, crash(CLIENT, None))
    });
    assert_eq!(answers(&simulation), []);
    assert_eq!(total(&simulation), 1_001, "{}", story(&simulation));
}

#[test]
fn a_crashed_service_loses_its_programs_and_the_server_rolls_back() {
    for (step, point) in [
        (UPDATE, StepPoint::After),
        (UPDATE, StepPoint::Done),
        (COMMIT, StepPoint::Before),
    ] {
        let simulation = run(1, |program| at_step(program, step, point, crash(APP, None)));
        assert_eq!(
            failure(&simulation),
            (ErrorClass::Timeout, "no answer in time".to_owned())
        );
        assert_eq!(total(&simulation), 1_000, "{step:?} {point:?}\n{}", story(&simulation));
        let nobodys = |kind: &EventKind| matches!(kind, EventKind::TransactionRolledBack { activation: None });
        assert_eq!(count(&simulation, nobodys), 1, "{}", story(&simulation));
    }
}

#[test]
fn a_commit_that_was_sent_before_its_service_crashed_is_still_done() {
    for point in [StepPoint::Done, StepPoint::After] {
        let simulation = run(1, |program| at_step(program, COMMIT, point, crash(APP, None)));
        assert_eq!(failure(&simulation).0, ErrorClass::Timeout);
        assert_eq!(total(&simulation), 1_001, "{point:?}\n{}", story(&simulation));
    }
}

#[test]
fn a_client_asks_a_restarted_service_again() {
    let simulation = run(3, |program| {
        at_step(program, COMMIT, StepPoint::Before, crash(APP, SOON))
    });
    assert_eq!(answer(&simulation), Outcome::Done, "{}", story(&simulation));
    assert_eq!(total(&simulation), 1_001);
    let again = |kind: &EventKind| matches!(kind, EventKind::RequestIssued { attempt: 2, .. });
    assert_eq!(count(&simulation, again), 1);
}

#[test]
fn recovery_programs_run_before_a_restarted_service_takes_requests() {
    let mut compilation = accounts(10, 2);
    let program = deposit(&mut compilation);
    let mut recovery = Builder::new("recovery", APP, ProgramKind::Recovery);
    recovery.acquire();
    recovery.sql(
        "UPDATE accounts SET balance = balance + 1000 WHERE id = 1",
        Vec::new(),
        Into::Nothing,
    );
    recovery.release();
    let recovery = recovery.add(&mut compilation);
    compilation.workload.retry.attempts = 3;
    compilation.workload.retry.timeout = Nanos::from_millis(605);
    let faults = at_step(program, UPDATE, StepPoint::After, crash(APP, SOON));
    let mut simulation = simulation(&compilation, faults);
    simulation.run();
    assert_eq!(total(&simulation), 2_001, "{}", story(&simulation));
    let position = |of: &dyn Fn(&EventKind) -> bool| simulation.recorded().iter().rposition(|event| of(&event.kind));
    let recovered =
        position(&|kind| matches!(kind, EventKind::ProgramEnded { activation, .. } if activation.program == recovery));
    let started =
        position(&|kind| matches!(kind, EventKind::ProgramStarted { activation } if activation.program == program));
    assert!(recovered < started, "{}", story(&simulation));
}

#[test]
fn a_crashed_server_forgets_what_was_not_committed_and_keeps_what_was() {
    for (step, point, expected) in [
        (UPDATE, StepPoint::Done, 1_000),
        (COMMIT, StepPoint::Before, 1_000),
        (COMMIT, StepPoint::Done, 1_001),
    ] {
        let simulation = run(1, |program| at_step(program, step, point, crash(SERVER, SOON)));
        assert_eq!(
            failure(&simulation).0,
            ErrorClass::Unavailable,
            "{}",
            story(&simulation)
        );
        assert_eq!(
            total(&simulation),
            expected,
            "{step:?} {point:?}\n{}",
            story(&simulation)
        );
    }
}

#[test]
fn a_restarted_server_has_forgotten_sessions_and_locks() {
    let simulation = run(2, |program| {
        at_step(program, UPDATE, StepPoint::Done, crash(SERVER, SOON))
    });
    // The program's own failure was the answer; the row is free for whoever comes next.
    assert_eq!(failure(&simulation).0, ErrorClass::Unavailable);
    let mut compilation = accounts(1, 2);
    let program = deposit(&mut compilation);
    compilation.workload.requests = 2;
    let faults = at_step(program, UPDATE, StepPoint::Done, crash(SERVER, SOON));
    let mut simulation = crate::build::simulation(&compilation, faults);
    simulation.run();
    assert_eq!(
        answers(&simulation).last(),
        Some(&Outcome::Done),
        "{}",
        story(&simulation)
    );
    assert_eq!(total(&simulation), 101);
    let waited = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::WaitStarted {
                cause: WaitCause::Lock(_),
                ..
            }
        )
    };
    assert_eq!(count(&simulation, waited), 0, "{}", story(&simulation));
}

#[test]
fn a_commit_that_was_being_flushed_when_its_server_crashed_never_was() {
    // Learn when the flush runs, then crash in its middle.
    let mut compilation = accounts(10, 2);
    deposit(&mut compilation);
    let mut calm = simulation(&compilation, Vec::new());
    calm.run();
    let flushed = calm
        .recorded()
        .iter()
        .find(|event| matches!(event.kind, EventKind::WalFlushed { .. }))
        .unwrap()
        .at;
    for (at, expected) in [(Time(flushed.0 - 1_000_000), 1_000), (Time(flushed.0 + 100_000), 1_001)] {
        let faults = vec![Fault {
            trigger: Trigger::At(at),
            action: crash(SERVER, SOON),
        }];
        let mut simulation = simulation(&compilation, faults);
        simulation.run();
        assert_eq!(total(&simulation), expected, "crash at {at}\n{}", story(&simulation));
    }
}

#[test]
fn a_lost_answer_to_a_commit_breaks_the_connection_and_leaves_the_effect() {
    let simulation = run(1, |program| {
        at_step(program, COMMIT, StepPoint::Done, FaultAction::LoseReply)
    });
    assert_eq!(failure(&simulation).0, ErrorClass::Unavailable);
    assert_eq!(total(&simulation), 1_001, "{}", story(&simulation));
    let lost = run(1, |program| {
        at_step(program, COMMIT, StepPoint::Before, FaultAction::LoseRequest)
    });
    assert_eq!(failure(&lost).0, ErrorClass::Unavailable);
    assert_eq!(total(&lost), 1_000, "{}", story(&lost));
}

#[test]
fn a_refused_statement_fails_its_transaction_as_an_engines_refusal_does() {
    let message = "refused on purpose".to_owned();
    let simulation = run(1, |program| {
        at_step(
            program,
            UPDATE,
            StepPoint::Before,
            FaultAction::Refuse {
                message: message.clone(),
            },
        )
    });
    assert_eq!(failure(&simulation), (ErrorClass::Refused, message));
    assert_eq!(total(&simulation), 1_000);
    let rolled_back = |kind: &EventKind| matches!(kind, EventKind::TransactionRolledBack { .. });
    assert_eq!(count(&simulation, rolled_back), 1, "{}", story(&simulation));
}

#[test]
fn a_late_message_is_late_by_so_much() {
    let latency = |faults: fn(ProgramId) -> Vec<Fault>| {
        let mut compilation = accounts(10, 2);
        let program = deposit(&mut compilation);
        let mut simulation = simulation(&compilation, faults(program));
        simulation.run();
        simulation.measurements().operations()[0].mean_ns().unwrap()
    };
    let calm = latency(|_| Vec::new());
    let by = Nanos::from_millis(70);
    let request = latency(|program| {
        at_step(
            program,
            UPDATE,
            StepPoint::Before,
            FaultAction::DelayRequest(Nanos::from_millis(70)),
        )
    });
    let reply = latency(|program| {
        at_step(
            program,
            UPDATE,
            StepPoint::Before,
            FaultAction::DelayReply(Nanos::from_millis(70)),
        )
    });
    assert_eq!((request - calm, reply - calm), (by.0 as f64, by.0 as f64));
}

/// A caller on one node, the deposit on another.
fn call(action: Option<FaultAction>) -> sim::Simulation {
    let mut compilation = accounts(10, 2);
    let gateway = NodeId(3);
    compilation.deployment.nodes.push(Node {
        name: "gateway".to_owned(),
        kind: NodeKind::Service,
        cores: 1,
    });
    let mut callee = Builder::new("callee", APP, ProgramKind::Called);
    callee.acquire();
    callee.sql(
        "UPDATE accounts SET balance = balance + 1 WHERE id = 1",
        Vec::new(),
        Into::Nothing,
    );
    callee.release();
    let callee = callee.add(&mut compilation);
    let mut program = Builder::new("caller", gateway, ProgramKind::Entry);
    let timeout = Nanos::from_millis(200);
    let step = program.then(
        "call",
        Op::Call {
            program: callee,
            arguments: Vec::new(),
            into: Vec::new(),
            timeout,
        },
    );
    let program = program.operation(&mut compilation, 1, Vec::new());
    let faults = action.map_or(Vec::new(), |action| at_step(program, step, StepPoint::Before, action));
    let mut simulation = simulation(&compilation, faults);
    simulation.run();
    simulation
}

#[test]
fn calls_are_lost_doubled_or_done_unheard() {
    let calm = call(None);
    assert_eq!((answer(&calm), total(&calm)), (Outcome::Done, 1_001));
    let lost = call(Some(FaultAction::LoseRequest));
    assert_eq!(
        (failure(&lost).0, total(&lost)),
        (ErrorClass::Timeout, 1_000),
        "{}",
        story(&lost)
    );
    let unheard = call(Some(FaultAction::LoseReply));
    assert_eq!(
        (failure(&unheard).0, total(&unheard)),
        (ErrorClass::Timeout, 1_001),
        "{}",
        story(&unheard)
    );
    let doubled = call(Some(FaultAction::DuplicateRequest));
    assert_eq!(
        (answer(&doubled), total(&doubled)),
        (Outcome::Done, 1_002),
        "{}",
        story(&doubled)
    );
}

#[test]
fn a_callee_that_crashes_resets_its_callers_connection() {
    let crashed = call(Some(crash(APP, None)));
    assert_eq!(
        failure(&crashed),
        (ErrorClass::Unavailable, "app is down".to_owned()),
        "{}",
        story(&crashed)
    );
}

#[test]
fn only_a_crash_can_strike_at_an_instant() {
    let mut compilation = accounts(1, 1);
    deposit(&mut compilation);
    let faults = vec![Fault {
        trigger: Trigger::At(Time(1)),
        action: FaultAction::LoseReply,
    }];
    let options = sim::Options::of(&compilation);
    let refused = sim::Simulation::new(compilation.into(), &profile(), faults, options);
    assert!(refused.is_err_and(|error| error.to_string().contains("only a crash")));
}
