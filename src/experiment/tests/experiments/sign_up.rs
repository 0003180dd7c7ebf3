//! What the lab promises of sign-up, from runs: the same rows on every design, what a fault leaves, that
//! sabotage is found, that equal runs give equal traces.

use experiment::{AtomicityJob, Choice, Ground, LatencyClaim, RunJob, library};
use report::{AtomicityDesign, AtomicityReport, Check, Expectation, Measure, RunReport};

use crate::finish;

const SCHEMAS: &str = "schemas-in-one-database";
const TENANT: &str = "database-per-tenant";
const SAGA: &str = "database-per-service";
const TWO_PHASE: &str = "database-per-service+two-phase";
const UNPROTECTED: &str = "database-per-service+unprotected";

fn text() -> &'static str {
    library::scenario("sign-up").expect("it is built in").text
}

fn run(choice: &Choice) -> RunReport {
    finish(RunJob::new("sign-up", text(), choice))
}

fn explore(design: &str, sabotage: &[&str]) -> AtomicityDesign {
    let choice = Choice {
        designs: vec![design.to_owned()],
        sabotage: sabotage.iter().map(|slug| (*slug).to_owned()).collect(),
        ..Choice::default()
    };
    let report: AtomicityReport = finish(AtomicityJob::new("sign-up", text(), &choice, "create_user"));
    report.designs.into_iter().next().expect("one design was chosen")
}

fn broken(design: &AtomicityDesign) -> Vec<&str> {
    let points = design.points.iter().filter(|point| !point.broken.is_empty());
    points.map(|point| point.fault.as_str()).collect()
}

#[test]
fn a_serial_run_leaves_the_same_rows_on_every_design() {
    let report = run(&Choice {
        requests: Some(300),
        ..Choice::default()
    });
    assert_eq!(report.same_rows.len(), 12, "every table of the scenario is compared");
    for table in &report.same_rows {
        assert!(table.equal, "{table:?}");
    }
    let users = report
        .same_rows
        .iter()
        .find(|table| table.table == "auth.users")
        .expect("it is a table");
    assert!(
        users.designs.iter().all(|(_, rows, _)| *rows > 500),
        "users were created: {users:?}"
    );
}

#[test]
fn a_latency_is_its_round_trips_and_what_its_events_say() {
    let round_trip = base::Nanos::from_millis(5);
    // Where databases are asked side by side, as of tenants, round trips overlap.
    let designs = ["shared-tables-with-row-level-security", SCHEMAS, SAGA, UNPROTECTED];
    let operations = [
        "get_user",
        "update_user",
        "user_with_roles",
        "create_user",
        "append_audit",
    ];
    let claims = designs.iter().flat_map(|design| {
        operations.map(|operation| LatencyClaim {
            id: String::new(),
            note: None,
            check: Check {
                under: String::new(),
                measure: Measure::Latency,
                design: Some((*design).to_owned()),
                against: None,
                operation: Some(operation.to_owned()),
                round_trip: Some(round_trip),
                fleet: None,
                expect: Expectation::Within { percent: 1.0, of: 5.0 },
            },
        })
    });
    let ground = Ground {
        slug: "sign-up",
        text: text(),
    };
    let table = ground.decision_table("any", &claims.collect::<Vec<_>>()).unwrap();
    assert_eq!(table.rows.len(), designs.len() * operations.len());
    for row in &table.rows {
        let what = (&row.design, &row.operation);
        assert!(row.alone.service > base::Nanos::ZERO, "{what:?} works somewhere");
        assert_eq!(row.alone.predicted(), Some(row.alone.latency), "{what:?}");
    }
}

#[test]
fn equal_choices_give_equal_traces_and_another_seed_another_one() {
    let fingerprints = |seed: u64| -> Vec<String> {
        let report = run(&Choice {
            requests: Some(200),
            seed: Some(seed),
            ..Choice::default()
        });
        report
            .designs
            .iter()
            .map(|design| design.trace.fingerprint.to_string())
            .collect()
    };
    let first = fingerprints(11);
    assert_eq!(first, fingerprints(11));
    for (one, other) in first.iter().zip(fingerprints(12)) {
        assert_ne!(*one, other);
    }
}

#[test]
fn in_one_database_no_fault_breaks_anything_and_nobody_sees_a_half() {
    let design = explore(SCHEMAS, &[]);
    assert!(design.points.len() > 20, "{} points", design.points.len());
    assert_eq!(broken(&design), Vec::<&str>::new());
    assert!(design.points.iter().all(|point| point.longest_window.0 == 0));
}

#[test]
fn in_a_tenants_own_database_no_fault_breaks_anything_and_nobody_sees_a_half() {
    let design = explore(TENANT, &[]);
    assert!(design.points.len() > 20, "{} points", design.points.len());
    assert_eq!(broken(&design), Vec::<&str>::new());
    assert!(design.points.iter().all(|point| point.longest_window.0 == 0));
    let crashes = design
        .points
        .iter()
        .filter(|point| point.fault.starts_with("postgres crashes"));
    assert!(crashes.count() >= 10, "the server of a routed step can be crashed");
}

#[test]
fn unprotected_writes_leave_something_broken() {
    let design = explore(UNPROTECTED, &[]);
    let broken = broken(&design);
    assert!(
        broken.iter().any(|fault| fault.contains("application crashes")),
        "{broken:?}"
    );
}

#[test]
fn a_saga_mends_everything_but_others_see_half_of_it_meanwhile() {
    let design = explore(SAGA, &[]);
    assert!(design.points.len() > 100, "{} points", design.points.len());
    assert_eq!(broken(&design), Vec::<&str>::new());
    let windows = design.points.iter().filter(|point| point.longest_window.0 > 0).count();
    assert!(
        windows > design.points.len() / 2,
        "{windows} of {} had a window",
        design.points.len()
    );
}

#[test]
fn with_two_phase_commit_no_fault_breaks_anything() {
    let design = explore(TWO_PHASE, &[]);
    assert!(design.points.len() > 80, "{} points", design.points.len());
    assert_eq!(broken(&design), Vec::<&str>::new());
    let crashes = design
        .points
        .iter()
        .filter(|point| point.fault.starts_with("coordinator crashes"));
    assert!(crashes.count() >= 10, "the coordinator can be crashed at every step");
}

#[test]
fn a_decision_that_is_written_down_too_late_is_found() {
    let design = explore(TWO_PHASE, &["without-decision-log"]);
    assert!(
        broken(&design)
            .iter()
            .any(|fault| fault.contains("coordinator crashes")),
        "{:?}",
        broken(&design)
    );
}

#[test]
fn a_missing_compensation_is_found() {
    let design = explore(SAGA, &["without-compensation"]);
    assert!(
        broken(&design).iter().any(|fault| fault.ends_with("is refused")),
        "{:?}",
        broken(&design)
    );
}

#[test]
fn a_missing_idempotency_key_is_found() {
    let design = explore(SAGA, &["without-idempotency-key"]);
    assert!(
        broken(&design).iter().any(|fault| fault.contains("comes late")),
        "{:?}",
        broken(&design)
    );
}

#[test]
fn a_fault_is_struck_and_its_drawing_shows_it() {
    let choice = Choice {
        designs: vec![SAGA.to_owned()],
        requests: Some(50),
        fault: Some("crash orchestrator after step 6 of create_user restart after 500 ms".to_owned()),
        ..Choice::default()
    };
    let report = run(&choice);
    let design = &report.designs[0];
    assert_eq!(design.nodes.iter().map(|node| node.crashes).sum::<u32>(), 1);
    let drawing = design
        .sequences
        .iter()
        .find(|drawing| drawing.operation == "create_user")
        .expect("it is drawn");
    assert!(
        drawing
            .marks
            .iter()
            .any(|mark| matches!(mark, report::Mark::Fault { .. }))
    );
    assert!(
        drawing
            .marks
            .iter()
            .any(|mark| matches!(mark, report::Mark::Broken { .. }))
    );
}

#[test]
fn wrong_choices_are_refused_with_a_sentence() {
    let refused = |choice: &Choice| -> String {
        let found = RunJob::new("sign-up", text(), choice).expect_err("the choice is wrong");
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let unknown = Choice {
        designs: vec!["one-big-file".to_owned()],
        ..Choice::default()
    };
    assert!(refused(&unknown).contains("unknown design \"one-big-file\""));
    let fault = Choice {
        fault: Some("crash everybody".to_owned()),
        ..Choice::default()
    };
    assert!(refused(&fault).contains("crash everybody"));
    let requests = Choice {
        requests: Some(0),
        ..Choice::default()
    };
    assert!(refused(&requests).contains("from 1 to"));
}

#[test]
fn a_fault_that_only_one_design_has_a_step_for_spares_the_others() {
    let with = |step: u32| {
        let fault = format!("refuse step {step} of create_user");
        Choice {
            requests: Some(20),
            fault: Some(fault),
            ..Choice::default()
        }
    };
    let report = run(&with(12));
    let spared = |design: &str| {
        let of = |report: &&report::DesignReport| report.architecture == design;
        report.designs.iter().find(of).map(|report| report.spared.len())
    };
    assert_eq!(spared(UNPROTECTED), Some(1));
    assert_eq!(spared(SAGA), Some(0));
    let mut job = RunJob::new("sign-up", text(), &with(4_000)).expect("the fault is well-formed");
    let found = loop {
        match experiment::Job::step(&mut job, 100_000) {
            experiment::Progress::Running { .. } => {}
            experiment::Progress::Finished(_) => panic!("no design has 4,000 steps"),
            experiment::Progress::Failed(found) => break found,
        }
    };
    assert!(found[0].message.contains("physical steps here"), "{found:?}");
}
