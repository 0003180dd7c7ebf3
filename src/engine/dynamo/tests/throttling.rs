//! Throughput: what is let in, what is refused.

use base::{Nanos, Time};
use serde_json::json;

use crate::lab::{Lab, item, item_with, key, lab_table, put};

fn second(n: u64) -> Time {
    Time::ZERO + Nanos::from_secs(n)
}

#[test]
fn provisioned_capacity_throttles_and_recovers() {
    let mut lab = Lab::empty(Nanos::ZERO);
    lab.ok("CreateTable", lab_table(Some((1, 2))));
    lab.ok("PutItem", put(&item("a", "1")));
    lab.ok("PutItem", put(&item("a", "2")));
    let refused = lab.send("PutItem", put(&item("a", "3")));
    assert!(
        refused["__type"]
            .as_str()
            .unwrap()
            .ends_with("#ProvisionedThroughputExceededException")
    );
    assert_eq!(
        refused["ThrottlingReasons"][0]["reason"],
        "TableWriteProvisionedThroughputExceeded"
    );
    // Reads have their own.
    lab.ok("GetItem", key("a", "1"));
    lab.now = second(1);
    lab.ok("PutItem", put(&item("a", "3")));
}

#[test]
fn an_index_that_is_too_slow_holds_up_its_table() {
    let mut lab = Lab::empty(Nanos::ZERO);
    let mut table = lab_table(Some((100, 100)));
    table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["WriteCapacityUnits"] = json!(1);
    lab.ok("CreateTable", table);
    let grouped = |sk: &str| put(&item_with("a", sk, "g", json!({"S": "one"})));
    lab.ok("PutItem", grouped("1"));
    let refused = lab.send("PutItem", grouped("2"));
    assert_eq!(
        refused["ThrottlingReasons"][0]["reason"],
        "IndexWriteProvisionedThroughputExceeded"
    );
    lab.ok("PutItem", put(&item("a", "3")));
}

#[test]
fn what_a_batch_cannot_do_now_comes_back() {
    let mut lab = Lab::empty(Nanos::ZERO);
    lab.ok("CreateTable", lab_table(Some((1, 1))));
    let requests = ["1", "2", "3"].map(|sk| json!({"PutRequest": {"Item": item("a", sk)}}));
    let body = json!({"RequestItems": {"things": requests}});
    let reply = lab.ok("BatchWriteItem", body.clone());
    assert_eq!(reply["UnprocessedItems"]["things"].as_array().unwrap().len(), 2);
    assert_eq!(
        lab.fails("BatchWriteItem", body),
        "ProvisionedThroughputExceededException"
    );
    let keys = json!({"RequestItems": {"things": {"Keys": [item("a", "1"), item("a", "2"), item("a", "3")]}}});
    let reply = lab.ok("BatchGetItem", keys);
    assert_eq!(reply["UnprocessedKeys"]["things"]["Keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_throttled_transaction_is_cancelled() {
    let mut lab = Lab::empty(Nanos::ZERO);
    lab.ok("CreateTable", lab_table(Some((1, 1))));
    lab.ok("PutItem", put(&item("a", "1")));
    let reply = lab.send(
        "TransactWriteItems",
        json!({"TransactItems": [{"Put": put(&item("a", "2"))}]}),
    );
    assert_eq!(reply["CancellationReasons"][0]["Code"], "ProvisionedThroughputExceeded");
}
