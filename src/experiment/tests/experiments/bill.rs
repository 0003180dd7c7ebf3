//! Bills from runs: sized by the rule, every line with its origin.

use base::Nanos;
use experiment::{BillJob, Choice, library};
use report::{BillReport, Evidence, Provenance};

use crate::finish;

const SCHEMAS: &str = "schemas-in-one-database";
const SAGA: &str = "database-per-service";

fn bills(target: Nanos, text: &str) -> BillReport {
    let choice = Choice {
        designs: vec![SCHEMAS.to_owned(), SAGA.to_owned()],
        requests: Some(500),
        target_p99: Some(target),
        ..Choice::default()
    };
    finish(BillJob::new("sign-up", text, &choice))
}

fn sign_up() -> &'static str {
    library::scenario("sign-up").expect("it is built in").text
}

#[test]
fn every_server_is_billed_and_the_lines_add_up() {
    let report = bills(Nanos::from_millis(100), sign_up());
    for (design, servers) in report.designs.iter().zip([1, 5]) {
        assert!(design.target_met, "{design:?}");
        let of_kind = |kind: &str| design.lines.iter().filter(|line| line.kind == kind).count();
        assert_eq!(
            of_kind("storage"),
            servers,
            "{}: a volume for each server",
            design.title
        );
        assert!(of_kind("server") >= servers, "{}", design.title);
        let sum: f64 = design.lines.iter().map(|line| line.dollars).sum();
        assert!(
            (sum - design.total_dollars).abs() < 1e-6,
            "{sum} and {}",
            design.total_dollars
        );
        assert!(
            design.data_dollars < design.total_dollars,
            "the application costs something"
        );
    }
    let cell = report.cell(SCHEMAS).expect("it was billed");
    assert_eq!(
        cell.provenance,
        Some(Provenance::Assumed),
        "some prices are assumed, and so is the sum"
    );
    assert!(
        cell.evidence
            .iter()
            .any(|evidence| matches!(evidence, Evidence::Formula { .. }))
    );
    assert!(report.cell("nothing").is_none());
}

#[test]
fn a_target_that_no_size_reaches_is_missed_and_not_paid_for() {
    let report = bills(Nanos::from_micros(1), sign_up());
    for design in &report.designs {
        assert!(!design.target_met);
        assert!(design.sizing.len() > 1, "larger servers were tried");
        assert!(
            design.sizing[0].billed,
            "the smallest that is not too busy: {:?}",
            design.sizing
        );
        assert!(
            design.notes.iter().any(|note| note.contains("missed")),
            "{:?}",
            design.notes
        );
    }
}

#[test]
fn a_busy_server_gets_more_processors() {
    let busier = sign_up().replace(
        "clients = \"open 120 per second\"",
        "clients = \"open 6000 per second\"",
    );
    assert_ne!(busier, sign_up(), "the load was found");
    let report = bills(Nanos::from_secs(5), &busier);
    let design = &report.designs[0];
    assert!(design.sizing.len() > 1, "{:?}", design.sizing);
    let billed = design
        .sizing
        .iter()
        .find(|run| run.billed)
        .expect("one of them is billed");
    for (server, cores, busy) in &billed.servers {
        assert!(*busy <= 0.6, "{server}: busy {busy} on {cores}");
    }
}

#[test]
fn equal_choices_give_equal_bills() {
    let target = Nanos::from_millis(100);
    assert_eq!(bills(target, sign_up()), bills(target, sign_up()));
}

/// Every tenant's database has to be migrated, and has a login.
#[test]
fn what_there_is_to_look_after_grows_with_the_tenants() {
    let choice = Choice {
        designs: vec![SCHEMAS.to_owned(), "database-per-tenant".to_owned()],
        requests: Some(50),
        ..Choice::default()
    };
    let job = experiment::BoardJob::new("sign-up", sign_up(), &choice);
    let board = finish(job);
    let counts = |slug: &str| -> Vec<f64> {
        let rows = board.sections.iter().flat_map(|section| &section.rows);
        let row = rows
            .into_iter()
            .find(|row| row.slug == slug)
            .expect("a row of the board");
        row.cells
            .iter()
            .map(|cell| cell.figure.expect("counted").value)
            .collect()
    };
    assert_eq!(counts("migrate-everyone"), [1.0, 50.0]);
    assert_eq!(counts("credentials"), [1.0, 50.0]);
}
