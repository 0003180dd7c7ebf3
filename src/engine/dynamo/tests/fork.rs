//! Clones and fingerprints.

use base::Nanos;
use engine_dynamo::Throughput;
use serde_json::json;

use crate::lab::{Lab, item_with, json_of, key, lab_table, put, request};

#[test]
fn a_clone_goes_its_own_way_from_the_middle_of_a_transaction() {
    let mut lab = Lab::new(Nanos::from_millis(1));
    for i in 0..500 {
        lab.ok("PutItem", put(&item_with("a", &i.to_string(), "g", json!({"S": "g"}))));
    }
    let body = json!({"TransactItems": [{"Delete": key("a", "7")}]});
    let engine_dynamo::Begun::Prepared(id) = lab.begin("TransactWriteItems", body) else {
        panic!("it has nothing to fail for")
    };
    let mut fork = Lab {
        engine: lab.engine.clone(),
        now: lab.now,
    };
    assert_eq!(fork.engine.fingerprint(), lab.engine.fingerprint());
    fork.engine.finish(id, fork.now);
    assert_ne!(fork.engine.fingerprint(), lab.engine.fingerprint());
    assert_eq!(
        (fork.engine.items("things").count(), lab.engine.items("things").count()),
        (499, 500)
    );
    let outcome = lab.engine.finish(id, lab.now);
    assert_eq!(json_of(&outcome), json!({}));
    assert_eq!(
        fork.engine.fingerprint(),
        lab.engine.fingerprint(),
        "the same happened to both"
    );
}

#[test]
fn a_fingerprint_is_of_what_is_there_not_of_how_it_came() {
    let unlimited = || {
        let mut lab = Lab::empty(Nanos::ZERO);
        let engine_dynamo::Request::CreateTable(mut definition) = request("CreateTable", lab_table(None)) else {
            panic!("a table")
        };
        definition.throughput = Throughput::Unlimited;
        lab.engine.create_table(definition).unwrap();
        lab
    };
    let [mut one, mut other] = [unlimited(), unlimited()];
    for i in 0..300 {
        one.ok("PutItem", put(&item_with("a", &i.to_string(), "n", json!({"N": "1"}))));
    }
    for i in (0..300).rev() {
        other.ok(
            "PutItem",
            put(&item_with("a", &i.to_string(), "n", json!({"N": "1.0"}))),
        );
    }
    assert_eq!(one.engine.fingerprint(), other.engine.fingerprint());
    other.ok("DeleteItem", key("a", "5"));
    assert_ne!(one.engine.fingerprint(), other.engine.fingerprint());
    other.ok("PutItem", put(&item_with("a", "5", "n", json!({"N": "1"}))));
    assert_eq!(one.engine.fingerprint(), other.engine.fingerprint());
}
