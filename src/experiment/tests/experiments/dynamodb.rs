//! The single table, from runs: no fault breaks its transaction, and what is left out on purpose is found.

use experiment::{AtomicityJob, Choice, RunJob, library};
use report::{AtomicityReport, RunReport};

use crate::finish;

const DYNAMO: &str = "dynamodb-single-table";

/// Names that are taken again and again, a row that everybody counts on, and a row that moves.
const CONTENDED: &str = r#"
title = "Contended"
seed = 4
[schema]
sql = """
CREATE TABLE club.members (id text PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE club.till (id int PRIMARY KEY, cents int NOT NULL CHECK (cents >= 0), payments int NOT NULL DEFAULT 0);
CREATE TABLE club.payments (id text PRIMARY KEY, till_id int NOT NULL REFERENCES club.till, cents int NOT NULL);
"""
[population]
"club.till" = 1
[population.columns]
"club.till.cents" = "value 0"
"club.till.payments" = "value 0"
[[operation]]
name = "join"
parameters = { id = "new id", name = "one of ['Ada', 'Grace', 'Edgar', 'Barbara', 'Jim']" }
sql = "INSERT INTO club.members (id, name) VALUES (:id, :name);"
[[operation]]
name = "rename"
parameters = { old = "one of ['Ada', 'Grace', 'Edgar']", name = "one of ['Ada', 'Grace', 'Edgar', 'Barbara', 'Jim']" }
sql = "UPDATE club.members SET name = :name WHERE name = :old;"
[[operation]]
name = "leave"
parameters = { name = "one of ['Ada', 'Grace', 'Edgar', 'Barbara']" }
sql = "DELETE FROM club.members WHERE name = :name;"
[[operation]]
name = "pay"
weight = 3
parameters = { id = "new id", till = "existing club.till.id", cents = "between 1 and 9" }
sql = """
INSERT INTO club.payments (id, till_id, cents) VALUES (:id, :till, :cents);
UPDATE club.till SET cents = cents + :cents WHERE id = :till;
EXPECT 1 ROW;
"""
[load]
clients = "closed 8 think 1 ms"
requests = 400
[[invariant]]
name = "a name has one member"
sql = "SELECT name, count(*) FROM club.members GROUP BY name HAVING count(*) > 1"
[[invariant]]
name = "the till holds what was paid"
sql = "SELECT t.cents FROM club.till t WHERE t.cents <> (SELECT coalesce(sum(p.cents), 0) FROM club.payments p)"
"#;

pub(crate) fn contended(design: &str, sabotage: &[&str]) -> RunReport {
    let choice = Choice {
        designs: vec![design.to_owned()],
        sabotage: sabotage.iter().map(|slug| (*slug).to_owned()).collect(),
        ..Choice::default()
    };
    finish(RunJob::new("contended", CONTENDED, &choice))
}

pub(crate) fn broken(report: &RunReport) -> Vec<&str> {
    let design = &report.designs[0];
    assert!(
        design.refusals.is_empty() && design.answered > 0,
        "{:?}",
        design.refusals
    );
    let found = design.invariants.iter().filter(|invariant| invariant.broken_rows > 0);
    found.map(|invariant| invariant.name.as_str()).collect()
}

#[test]
fn under_contention_nothing_is_lost() {
    assert_eq!(broken(&contended(DYNAMO, &[])), Vec::<&str>::new());
}

#[test]
fn without_guards_a_name_is_taken_twice() {
    assert_eq!(
        broken(&contended(DYNAMO, &["without-guards"])),
        ["a name has one member"]
    );
}

#[test]
fn without_conditions_updates_are_lost() {
    assert!(broken(&contended(DYNAMO, &["without-conditions"])).contains(&"the till holds what was paid"));
}

#[test]
fn contended_rows_are_the_same_as_in_a_database() {
    let report = finish(RunJob::new("contended", CONTENDED, &Choice::default()));
    for table in &report.same_rows {
        assert!(table.equal, "{table:?}");
    }
}

#[test]
fn no_fault_breaks_the_transaction() {
    let text = library::scenario("sign-up").expect("it is built in").text;
    let choice = Choice {
        designs: vec![DYNAMO.to_owned()],
        ..Choice::default()
    };
    let report: AtomicityReport = finish(AtomicityJob::new("sign-up", text, &choice, "create_user"));
    let design = &report.designs[0];
    assert!(design.points.len() >= 5, "{:?}", design.points.len());
    assert_eq!(design.broken(), 0);
    assert!(
        design
            .points
            .iter()
            .all(|point| point.longest_window == base::Nanos::ZERO),
        "nobody sees a half of it"
    );
}

/// What is sent is written down for other servers: the table, its items, requests with their replies, what is left.
#[test]
fn requests_are_written_down_as_a_client_sends_them() {
    let text = include_str!("../../../../public/scenarios/sign-up.toml");
    let of = |design: &str| Choice {
        designs: vec![design.to_owned()],
        ..Choice::default()
    };
    let scripts = experiment::item_script(text, &of("dynamodb-single-table")).expect("a script");
    let lines: Vec<serde_json::Value> = scripts[0]
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(lines[0]["operation"], "CreateTable");
    assert_eq!(lines[0]["request"]["TableName"], "main");
    let written: Vec<_> = lines
        .iter()
        .filter(|line| line["operation"] == "TransactWriteItems")
        .collect();
    assert!(!written.is_empty());
    for line in written {
        assert!(
            line["request"]["ClientRequestToken"].is_string() && line["reply"].is_object(),
            "{line}"
        );
    }
    let left = lines
        .last()
        .and_then(|line| line["items"].as_array())
        .expect("items in the end");
    assert!(!left.is_empty());
    let refused = experiment::item_script(text, &of("schemas-in-one-database")).expect_err("it speaks SQL");
    assert!(refused[0].message.contains("DynamoDB"), "{refused:?}");
}
