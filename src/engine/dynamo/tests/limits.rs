//! Limits, and input that means harm.

use base::Nanos;
use base::random::Stream;
use engine_dynamo::wire::parse_request;
use serde_json::{Value as Json, json};

use crate::lab::{Lab, item, item_with, key, put};

#[test]
fn a_page_ends_at_one_megabyte() {
    let mut lab = Lab::new(Nanos::ZERO);
    let filler = json!({"S": "x".repeat(100_000)});
    for i in 0..25 {
        lab.now += Nanos::from_secs(1);
        lab.ok("PutItem", put(&item_with("a", &format!("{i:02}"), "x", filler.clone())));
    }
    let (mut start, mut pages, mut items) = (Json::Null, Vec::new(), 0);
    loop {
        let mut body = json!({
            "TableName": "things", "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}},
            "ReturnConsumedCapacity": "TOTAL",
        });
        if !start.is_null() {
            body["ExclusiveStartKey"] = start.clone();
        }
        let page = lab.ok("Query", body);
        items += page["Count"].as_u64().unwrap();
        pages.push(page["Count"].as_u64().unwrap());
        match page.get("LastEvaluatedKey") {
            Some(last) => start = last.clone(),
            None => break,
        }
    }
    assert_eq!((items, pages), (25, vec![11, 11, 3]));
}

#[test]
fn nesting_is_limited_to_32_levels() {
    let mut lab = Lab::new(Nanos::ZERO);
    let deep = |levels: u32| (0..levels).fold(json!({"N": "1"}), |inner, _| json!({"L": [inner]}));
    lab.ok("PutItem", put(&item_with("a", "1", "x", deep(32))));
    assert_eq!(
        lab.fails("PutItem", put(&item_with("a", "1", "x", deep(33)))),
        "ValidationException"
    );
}

#[test]
fn expressions_are_limited() {
    let mut lab = Lab::new(Nanos::ZERO);
    let mut filter = |text: String, values: Json| {
        lab.send(
            "Scan",
            json!({"TableName": "things", "FilterExpression": text, "ExpressionAttributeValues": values}),
        )
    };
    let values = json!({":v": {"N": "1"}});
    let chain = |terms: usize| vec!["n=:v"; terms].join(" OR ");
    assert!(filter(chain(150), values.clone()).get("__type").is_none());
    for text in [
        chain(151),
        format!("{}n=:v{}", "(".repeat(1_000), ")".repeat(1_000)),
        format!("n = :v{}", " ".repeat(4_096)),
        "NOT ".repeat(1_000),
        format!("{}n{}", "size(".repeat(700), ")".repeat(700)),
        "n[99999999999999999999] = :v".to_owned(),
    ] {
        assert!(
            filter(text.clone(), values.clone())["__type"]
                .as_str()
                .unwrap()
                .ends_with("ValidationException"),
            "{text}"
        );
    }
}

/// Requests that are nearly right must be answered, whatever the answer.
#[test]
fn mutated_requests_do_not_break_the_engine() {
    let mut lab = Lab::new(Nanos::ZERO);
    lab.ok("PutItem", put(&item_with("a", "1", "n", json!({"N": "1"}))));
    let texts = [
        (
            "Scan",
            json!({"TableName": "things", "FilterExpression": "#n.a[1] = :v AND NOT (size(b) BETWEEN :v AND :w OR begins_with(c, :w))", "ExpressionAttributeNames": {"#n": "n"}, "ExpressionAttributeValues": {":v": {"N": "-1.5e3"}, ":w": {"S": "é\u{0}"}}, "Limit": 2, "Segment": 0, "TotalSegments": 2}),
        ),
        (
            "UpdateItem",
            json!({"TableName": "things", "Key": item("a", "1"), "UpdateExpression": "SET a.b[2] = if_not_exists(c, :v) + :v, d = list_append(:l, :l) REMOVE e[0] ADD f :v DELETE g :s", "ExpressionAttributeValues": {":v": {"N": "1"}, ":l": {"L": []}, ":s": {"SS": ["x"]}}}),
        ),
        (
            "Query",
            json!({"TableName": "things", "IndexName": "by_g", "KeyConditionExpression": "g = :v", "ExclusiveStartKey": {"g": {"S": "a"}, "pk": {"S": "a"}, "sk": {"S": "1"}}, "ExpressionAttributeValues": {":v": {"S": "a"}}}),
        ),
        (
            "TransactWriteItems",
            json!({"TransactItems": [{"ConditionCheck": {"TableName": "things", "Key": item("a", "1"), "ConditionExpression": "attribute_exists(pk)"}}, {"Delete": key("a", "2")}], "ClientRequestToken": "t"}),
        ),
        ("CreateTable", crate::lab::lab_table(Some((1, 1)))),
    ];
    let mut random = Stream::new(11, "mutations", 0);
    for (operation, body) in &texts {
        let bytes = body.to_string().into_bytes();
        for _ in 0..3_000 {
            let mut mutated = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(mutated.len() as u64) as usize;
                let other = mutated[random.below(mutated.len() as u64) as usize];
                match random.below(3) {
                    0 => mutated[at] = other,
                    1 => mutated.insert(at, other),
                    _ => drop(mutated.remove(at)),
                }
            }
            if let Ok(body) = serde_json::from_slice::<Json>(&mutated)
                && parse_request(operation, &body).is_ok()
            {
                lab.send(operation, body);
            }
        }
    }
}
