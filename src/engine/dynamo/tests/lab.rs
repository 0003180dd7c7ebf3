//! What the tests share: an engine that is spoken to in wire form.

use base::{Nanos, Time};
use engine_dynamo::wire::{Report, WireRequest, parse_request, reply_json};
use engine_dynamo::{Begun, Configuration, Engine, Request};
use serde_json::{Value as Json, json};

pub(crate) struct Lab {
    pub(crate) engine: Engine,
    pub(crate) now: Time,
}

impl Lab {
    /// With a table `things` (pk, sk: texts) that has an index `by_g` (g).
    pub(crate) fn new(index_delay: Nanos) -> Lab {
        let mut lab = Lab::empty(index_delay);
        lab.ok("CreateTable", lab_table(None));
        lab
    }

    pub(crate) fn empty(index_delay: Nanos) -> Lab {
        Lab {
            engine: Engine::new(Configuration { index_delay }),
            now: Time::ZERO,
        }
    }

    pub(crate) fn send(&mut self, operation: &str, body: Json) -> Json {
        match parse_request(operation, &body) {
            Ok(WireRequest { request, report }) => reply_json(&self.engine.request(&request, self.now), report),
            Err(failure) => engine_dynamo::wire::failure_json(&failure),
        }
    }

    /// It must go well.
    pub(crate) fn ok(&mut self, operation: &str, body: Json) -> Json {
        let reply = self.send(operation, body);
        assert!(reply.get("__type").is_none(), "{operation}: {reply}");
        reply
    }

    /// It must fail: the failure's name.
    pub(crate) fn fails(&mut self, operation: &str, body: Json) -> String {
        let reply = self.send(operation, body);
        let name = reply
            .get("__type")
            .and_then(Json::as_str)
            .unwrap_or_else(|| panic!("{operation}: {reply}"));
        name.rsplit('#').next().unwrap_or_default().to_owned()
    }

    pub(crate) fn begin(&mut self, operation: &str, body: Json) -> Begun {
        self.engine.begin(&request(operation, body), self.now)
    }
}

pub(crate) fn request(operation: &str, body: Json) -> Request {
    parse_request(operation, &body)
        .unwrap_or_else(|failure| panic!("{failure}"))
        .request
}

/// An outcome in wire form.
pub(crate) fn json_of(outcome: &engine_dynamo::Outcome) -> Json {
    reply_json(outcome, Report::None)
}

pub(crate) fn lab_table(provisioned: Option<(u32, u32)>) -> Json {
    let mut table = json!({
        "TableName": "things",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "g", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by_g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }],
    });
    match provisioned {
        Some((read, write)) => {
            let throughput = json!({"ReadCapacityUnits": read, "WriteCapacityUnits": write});
            table["ProvisionedThroughput"] = throughput.clone();
            table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"] = throughput;
        }
        None => table["BillingMode"] = json!("PAY_PER_REQUEST"),
    }
    table
}

pub(crate) fn item(pk: &str, sk: &str) -> Json {
    json!({"pk": {"S": pk}, "sk": {"S": sk}})
}

/// `item` with one more attribute.
pub(crate) fn item_with(pk: &str, sk: &str, name: &str, value: Json) -> Json {
    let mut item = item(pk, sk);
    item[name] = value;
    item
}

pub(crate) fn put(item: &Json) -> Json {
    json!({"TableName": "things", "Item": item})
}

pub(crate) fn key(pk: &str, sk: &str) -> Json {
    json!({"TableName": "things", "Key": item(pk, sk)})
}
