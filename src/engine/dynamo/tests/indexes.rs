//! Global secondary indexes follow their table after a delay.

use base::{Nanos, Time};
use serde_json::{Value as Json, json};

use crate::lab::{Lab, item_with, key, put};

fn in_group(lab: &mut Lab, group: &str) -> u64 {
    let body = json!({
        "TableName": "things", "IndexName": "by_g", "KeyConditionExpression": "g = :g",
        "ExpressionAttributeValues": {":g": {"S": group}},
    });
    lab.ok("Query", body)["Count"].as_u64().unwrap()
}

fn group(name: &str) -> Json {
    json!({ "S": name })
}

#[test]
fn a_write_is_seen_by_an_index_when_its_delay_has_passed() {
    let mut lab = Lab::new(Nanos::from_millis(10));
    lab.ok("PutItem", put(&item_with("a", "1", "g", group("one"))));
    lab.now = Time::ZERO + Nanos::from_millis(5);
    lab.ok("PutItem", put(&item_with("a", "1", "g", group("two"))));
    assert_eq!(
        (in_group(&mut lab, "one"), in_group(&mut lab, "two")),
        (0, 0),
        "nothing has arrived"
    );
    lab.now = Time::ZERO + Nanos::from_millis(10);
    assert_eq!(
        (in_group(&mut lab, "one"), in_group(&mut lab, "two")),
        (1, 0),
        "the first write has"
    );
    lab.now = Time::ZERO + Nanos::from_millis(15);
    assert_eq!(
        (in_group(&mut lab, "one"), in_group(&mut lab, "two")),
        (0, 1),
        "and now the second"
    );
    // The table itself is ahead of its index.
    lab.ok("DeleteItem", key("a", "1"));
    assert!(lab.ok("GetItem", key("a", "1")).get("Item").is_none());
    assert_eq!(in_group(&mut lab, "two"), 1);
    lab.now = Time::ZERO + Nanos::from_millis(25);
    assert_eq!(in_group(&mut lab, "two"), 0);
}

#[test]
fn an_item_without_the_indexs_key_is_not_in_it() {
    let mut lab = Lab::new(Nanos::ZERO);
    lab.ok("PutItem", put(&item_with("a", "1", "g", group("one"))));
    lab.ok("PutItem", put(&item_with("a", "2", "other", group("one"))));
    let scan = lab.ok("Scan", json!({"TableName": "things", "IndexName": "by_g"}));
    assert_eq!(scan["Count"], 1);
    assert_eq!(
        lab.fails(
            "Query",
            json!({
                "TableName": "things", "IndexName": "by_g", "KeyConditionExpression": "g = :g", "ConsistentRead": true,
                "ExpressionAttributeValues": {":g": {"S": "one"}},
            })
        ),
        "ValidationException"
    );
}

#[test]
fn what_was_loaded_is_in_the_index_at_once_and_cost_nothing() {
    let mut lab = Lab::new(Nanos::from_millis(10));
    let request = crate::lab::request("PutItem", put(&item_with("a", "1", "g", group("one"))));
    let engine_dynamo::Request::Write(engine_dynamo::Write {
        action: engine_dynamo::Action::Put { item },
        ..
    }) = request
    else {
        panic!("a put")
    };
    lab.engine.load("things", item).unwrap();
    assert_eq!(in_group(&mut lab, "one"), 1);
}
