//! Prepared transactions: who needs their rows waits, also while the one who prepared them is down.

use base::Nanos;
use program::workload::ClientLoop;
use program::*;

use crate::build::*;
use crate::statement::{accounts, deposit, existing_account, total};

const OTHER: NodeId = NodeId(3);

/// Adds one to an account, prepares that and commits it; on restart, what is prepared is committed.
fn prepared_deposits(compilation: &mut Compilation) -> ProgramId {
    let mut program = Builder::entry("prepared deposit");
    let id = program.parameter("id");
    program.acquire();
    program.sql("BEGIN", Vec::new(), Into::Nothing);
    let update = "UPDATE accounts SET balance = balance + 1 WHERE id = $1";
    program.sql(update, vec![Expression::Register(id)], Into::Nothing);
    program.sql("PREPARE TRANSACTION $1", vec![Expression::RequestKey], Into::Nothing);
    program.sql("COMMIT PREPARED $1", vec![Expression::RequestKey], Into::Nothing);
    program.release();
    let program = program.operation(compilation, 1, vec![existing_account()]);

    let mut recovery = Builder::new("end what is prepared", APP, ProgramKind::Recovery);
    let (rows, gid) = (recovery.rows("prepared"), recovery.register("gid"));
    recovery.acquire();
    recovery.sql("SELECT gid FROM pg_prepared_xacts", Vec::new(), Into::Rows(rows));
    let commit = recovery.step(
        "commit it",
        statement("COMMIT PREPARED $1", vec![Expression::Register(gid)], Into::Nothing),
    );
    recovery.then(
        "for each",
        Op::ForEach {
            rows,
            bind: vec![gid],
            body: vec![commit],
            parallel: 1,
            gather: Vec::new(),
        },
    );
    recovery.release();
    recovery.add(compilation);
    program
}

/// The step after which the transaction is prepared.
const PREPARE: StepId = StepId(3);

#[test]
fn others_wait_for_a_prepared_transaction_until_its_coordinator_is_back() {
    let mut compilation = accounts(1, 4);
    let program = prepared_deposits(&mut compilation);
    let deployment = &mut compilation.deployment;
    deployment.nodes.push(Node {
        name: "other".to_owned(),
        kind: NodeKind::Service,
        cores: 2,
    });
    deployment.pools.push(Pool {
        name: "other → main".to_owned(),
        service: OTHER,
        ..deployment.pools[0].clone()
    });
    let other = deposit(&mut compilation);
    let moved = &mut compilation.programs[other.0 as usize];
    moved.home = OTHER;
    moved.connections = vec![Connect::Pool(PoolId(1))];
    compilation.workload.requests = 12;
    compilation.workload.clients = ClientLoop::Closed {
        clients: 4,
        think: Nanos::from_millis(1),
    };
    let fault = Fault {
        trigger: Trigger::Step(StepTrigger {
            program,
            step: PREPARE,
            point: StepPoint::After,
            request: None,
            occurrence: 0,
        }),
        action: FaultAction::Crash {
            node: APP,
            restart_after: Some(Nanos::from_millis(500)),
        },
    };
    let mut simulation = simulation(&compilation, vec![fault]);
    let end = simulation.run();
    assert!(end.quiet && simulation.struck() == [true], "{}", story(&simulation));
    let at = |wanted: &dyn Fn(&EventKind) -> bool| {
        let found = simulation.recorded().iter().find(|event| wanted(&event.kind));
        found.unwrap_or_else(|| panic!("{}", story(&simulation))).at
    };
    let prepared = at(&|kind| matches!(kind, EventKind::TransactionPrepared { .. }));
    let crashed = at(&|kind| matches!(kind, EventKind::NodeCrashed));
    let back = at(&|kind| matches!(kind, EventKind::NodeRestarted));
    assert!(prepared < crashed && crashed < back);
    // Nothing is committed meanwhile, and somebody waits for a lock all the time.
    let meanwhile = |event: &&Event| event.at > crashed && event.at < back;
    let commits = |event: &&Event| matches!(event.kind, EventKind::TransactionCommitted { wrote: true, .. });
    assert_eq!(
        simulation.recorded().iter().filter(meanwhile).filter(commits).count(),
        0
    );
    let lock = |cause: &WaitCause| matches!(cause, WaitCause::Lock(_));
    let began = |event: &&Event| matches!(&event.kind, EventKind::WaitStarted { cause, .. } if lock(cause));
    assert!(
        simulation.recorded().iter().filter(began).any(|event| event.at < back),
        "{}",
        story(&simulation)
    );
    let ended = simulation
        .recorded()
        .iter()
        .find(|event| event.at > back && matches!(&event.kind, EventKind::WaitEnded { cause, .. } if lock(cause)));
    assert!(ended.is_some(), "{}", story(&simulation));
    // All that was answered is there, and what was prepared.
    let answered = answers(&simulation)
        .iter()
        .filter(|outcome| **outcome == Outcome::Done)
        .count() as i64;
    assert!(
        total(&simulation) > 100 + answered,
        "{} of {answered}",
        total(&simulation)
    );
}
