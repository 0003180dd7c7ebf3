//! What is done later happens once, whatever breaks between outbox, bus and inbox; and what guards it is needed.

use experiment::{AtomicityJob, Choice, RunJob};
use report::{AtomicityDesign, RunReport};

use crate::finish;

/// A message with an effect that neither a second time nor none at all goes unnoticed.
const TALLY: &str = r#"
title = "Orders and their number"
seed = 3

[schema]
sql = """
CREATE TABLE sales.orders (id text PRIMARY KEY, cents int NOT NULL);
CREATE TABLE report.totals (id int PRIMARY KEY, orders bigint NOT NULL);
"""

[population]
"report.totals" = 1

[population.columns]
"report.totals.id" = "value 1"
"report.totals.orders" = "value 0"

[[operation]]
name = "order"
parameters = { id = "new id" }
sql = """
INSERT INTO sales.orders (id, cents) VALUES (:id, 100);
@asynchronous
UPDATE report.totals SET orders = orders + 1 WHERE id = 1;
"""

[load]
clients = "open 50 per second"
requests = 100

[[invariant]]
name = "every order is counted once"
sql = "SELECT t.id FROM report.totals t WHERE t.orders <> (SELECT count(*) FROM sales.orders o)"
"#;

fn explore(sabotage: &[&str]) -> AtomicityDesign {
    let choice = Choice {
        designs: vec!["database-per-service".to_owned()],
        sabotage: sabotage.iter().map(|slug| (*slug).to_owned()).collect(),
        ..Choice::default()
    };
    let report = finish(AtomicityJob::new("tally", TALLY, &choice, "order"));
    report.designs.into_iter().next().expect("one design was chosen")
}

fn broken(design: &AtomicityDesign) -> Vec<&str> {
    let points = design.points.iter().filter(|point| !point.broken.is_empty());
    points.map(|point| point.fault.as_str()).collect()
}

#[test]
fn a_message_has_its_effect_once_whatever_breaks() {
    let design = explore(&[]);
    assert_eq!(broken(&design), Vec::<&str>::new());
    let tried = |words: &[&str]| {
        let mut points = design.points.iter();
        assert!(
            points.any(|point| words.iter().all(|word| point.fault.contains(word))),
            "{words:?} was not tried"
        );
    };
    for (step, service) in [
        ("(publish to the bus)", "sales-service"),
        ("(read from the bus)", "report-service"),
        ("(commit the position)", "report-service"),
    ] {
        tried(&["event-bus crashes in", step]);
        tried(&["event-bus crashes after", step]);
        tried(&[service, "crashes after", step]);
        tried(&["the reply of", step, "is lost"]);
        tried(&["the request of", step, "arrives twice"]);
    }
}

/// Every other message is refused for ever.
const POISON: &str = r#"
title = "Orders that a report does not take"
seed = 5

[schema]
sql = """
CREATE TABLE sales.orders (id text PRIMARY KEY, kind int NOT NULL);
CREATE TABLE report.seen (id text PRIMARY KEY, kind int NOT NULL CHECK (kind = 1));
"""

[[operation]]
name = "order"
parameters = { id = "new id", kind = "one of [1, 2]" }
sql = """
INSERT INTO sales.orders (id, kind) VALUES (:id, :kind);
@asynchronous
INSERT INTO report.seen (id, kind) VALUES (:id, :kind);
"""

[load]
clients = "open 50 per second"
requests = 60

[[invariant]]
name = "what can be reported is reported"
sql = "SELECT o.id FROM sales.orders o LEFT JOIN report.seen s ON s.id = o.id WHERE o.kind = 1 AND s.id IS NULL"

[[invariant]]
name = "the rest is not"
sql = "SELECT o.id FROM sales.orders o WHERE o.kind = 2"
"#;

#[test]
fn a_message_that_nobody_can_handle_does_not_hold_up_those_behind_it() {
    let choice = Choice {
        designs: vec!["database-per-service".to_owned()],
        ..Choice::default()
    };
    let report: RunReport = finish(RunJob::new("poison", POISON, &choice));
    let invariants = &report.designs[0].invariants;
    assert!(invariants[1].broken_rows > 10, "many were refused: {invariants:?}");
    assert_eq!(invariants[0].broken_rows, 0, "{invariants:?}");
}

#[test]
fn a_missing_inbox_is_found() {
    let design = explore(&["without-inbox"]);
    let broken = broken(&design);
    assert!(
        broken
            .iter()
            .any(|fault| fault.starts_with("report-service crashes after") && fault.ends_with("(COMMIT)")),
        "it dies with the effect done and the position not committed: {broken:?}"
    );
    assert!(
        broken
            .iter()
            .any(|fault| fault.contains("(publish to the bus) arrives twice")),
        "{broken:?}"
    );
}

#[test]
fn a_publisher_that_does_not_wait_for_the_replicas_is_found() {
    let design = explore(&["without-replicas"]);
    let broken = broken(&design);
    assert!(!broken.is_empty());
    assert!(
        broken.iter().all(|fault| fault.starts_with("event-bus crashes")),
        "{broken:?}"
    );
}
