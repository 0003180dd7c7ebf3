//! Transactions between their rounds.

use base::{Nanos, Time};
use engine_dynamo::Begun;
use serde_json::json;

use crate::lab::{Lab, item_with, json_of, key, put, request};

fn increment(pk: &str, token: Option<&str>) -> serde_json::Value {
    let mut body = json!({"TransactItems": [{"Update": {
        "TableName": "things", "Key": {"pk": {"S": pk}, "sk": {"S": "1"}},
        "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}},
    }}]});
    if let Some(token) = token {
        body["ClientRequestToken"] = json!(token);
    }
    body
}

fn prepared(begun: Begun) -> engine_dynamo::TransactionId {
    match begun {
        Begun::Prepared(id) => id,
        Begun::Done(outcome) => panic!("{}", json_of(&outcome)),
    }
}

#[test]
fn an_item_in_flight_refuses_others_and_shows_what_was() {
    let mut lab = Lab::new(Nanos::ZERO);
    lab.ok("PutItem", put(&item_with("a", "1", "n", json!({"N": "1"}))));
    let first = prepared(lab.begin("TransactWriteItems", increment("a", None)));
    // Readers see what was.
    let seen = lab.ok("GetItem", key("a", "1"));
    assert_eq!(seen["Item"]["n"]["N"], "1");
    // A single write conflicts; a write beside it does not.
    assert_eq!(
        lab.fails("PutItem", put(&item_with("a", "1", "n", json!({"N": "9"})))),
        "TransactionConflictException"
    );
    lab.ok("PutItem", put(&item_with("a", "2", "n", json!({"N": "9"}))));
    // So do other transactions, writing and reading.
    let other = lab.send("TransactWriteItems", increment("a", None));
    assert_eq!(other["CancellationReasons"][0]["Code"], "TransactionConflict");
    let read = json!({"TransactItems": [{"Get": key("a", "2")}, {"Get": key("a", "1")}]});
    let refused = lab.send("TransactGetItems", read.clone());
    assert_eq!(
        refused["CancellationReasons"],
        json!([
            {"Code": "None"},
            {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"},
        ])
    );
    assert!(lab.engine.finish(first, lab.now).result.is_ok());
    let read = lab.ok("TransactGetItems", read);
    assert_eq!(read["Responses"][1]["Item"]["n"]["N"], "2");
    // The marks are gone.
    lab.ok("TransactWriteItems", increment("a", None));
    assert!(
        lab.engine.finish(first, lab.now).result.is_err(),
        "a transaction ends once"
    );
}

#[test]
fn a_reading_transaction_conflicts_with_what_is_written_between_its_rounds() {
    let mut lab = Lab::new(Nanos::ZERO);
    lab.ok("PutItem", put(&item_with("a", "1", "n", json!({"N": "1"}))));
    let read = || json!({"TransactItems": [{"Get": key("a", "1")}]});
    let undisturbed = prepared(lab.begin("TransactGetItems", read()));
    let disturbed = prepared(lab.begin("TransactGetItems", read()));
    assert!(lab.engine.finish(undisturbed, lab.now).result.is_ok());
    lab.ok("TransactWriteItems", increment("a", None));
    let outcome = lab.engine.finish(disturbed, lab.now);
    assert_eq!(
        json_of(&outcome)["CancellationReasons"][0]["Code"],
        "TransactionConflict"
    );
    assert_eq!(outcome.consumed[0].own.read_halves, 4, "it has read all the same");
}

#[test]
fn a_token_is_remembered_for_ten_minutes() {
    let mut lab = Lab::new(Nanos::ZERO);
    let count = |lab: &mut Lab| lab.ok("GetItem", key("a", "1"))["Item"]["n"]["N"].clone();
    let first = prepared(lab.begin("TransactWriteItems", increment("a", Some("once"))));
    assert_eq!(
        lab.fails("TransactWriteItems", increment("a", Some("once"))),
        "TransactionInProgressException"
    );
    lab.engine.finish(first, lab.now);
    let again = lab
        .engine
        .request(&request("TransactWriteItems", increment("a", Some("once"))), lab.now);
    assert_eq!(
        (again.consumed[0].own.read_halves, again.consumed[0].own.write_halves),
        (4, 0)
    );
    assert_eq!(count(&mut lab), "1");
    assert_eq!(
        lab.fails("TransactWriteItems", increment("b", Some("once"))),
        "IdempotentParameterMismatchException"
    );
    lab.now = Time::ZERO + Nanos::from_secs(600);
    lab.ok("TransactWriteItems", increment("a", Some("once")));
    assert_eq!(count(&mut lab), "1");
    lab.now = Time::ZERO + Nanos::from_secs(601);
    lab.ok("TransactWriteItems", increment("a", Some("once")));
    assert_eq!(count(&mut lab), "2", "forgotten");
}

#[test]
fn a_cancelled_transaction_leaves_nothing_and_costs_all_the_same() {
    let mut lab = Lab::new(Nanos::ZERO);
    let body = json!({"TransactItems": [
        {"Put": put(&item_with("a", "1", "x", json!({"S": "x".repeat(1500)})))},
        {"ConditionCheck": {"TableName": "things", "Key": {"pk": {"S": "b"}, "sk": {"S": "1"}},
            "ConditionExpression": "attribute_exists(pk)"}},
    ], "ClientRequestToken": "token"});
    let before = lab.engine.items("things").count();
    let outcome = lab
        .engine
        .request(&request("TransactWriteItems", body.clone()), lab.now);
    assert_eq!(
        json_of(&outcome)["CancellationReasons"][1]["Code"],
        "ConditionalCheckFailed"
    );
    assert_eq!(
        outcome.consumed[0].own.write_halves, 8,
        "two units for each item that was looked at"
    );
    assert!(outcome.consumed[0].transactional);
    assert_eq!(lab.engine.items("things").count(), before);
    // Its token is free: the transaction may succeed later.
    lab.ok("PutItem", put(&item_with("b", "1", "n", json!({"N": "1"}))));
    lab.ok("TransactWriteItems", body);
}
