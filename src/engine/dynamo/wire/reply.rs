//! Replies and failures as JSON.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::Report;
use super::request::{batch_get_json, batch_write_json, key_schema_json};
use super::value::item_json;
use crate::capacity::{Consumption, Units};
use crate::failure::{CancellationReason, Failure, FailureName};
use crate::item::Item;
use crate::request::{Outcome, Page, Reply, TableDescription};

/// The body of the answer; whether it is a failure's is told by its `__type`.
pub fn reply_json(outcome: &Outcome, report: Report) -> Json {
    let reply = match &outcome.result {
        Ok(reply) => reply,
        Err(failure) => return failure_json(failure),
    };
    let mut body = Map::new();
    match reply {
        Reply::Table(description) => {
            body.insert("TableDescription".to_owned(), table(description));
            return Json::Object(body);
        }
        Reply::Item(item) => put_item(&mut body, "Item", item.as_ref()),
        Reply::Written(item) => put_item(&mut body, "Attributes", item.as_ref()),
        Reply::Page(found) => page(&mut body, found),
        Reply::BatchGot { responses, unprocessed } => {
            let responses: Map<String, Json> = responses
                .iter()
                .map(|(table, found)| (table.to_string(), items(found)))
                .collect();
            let left: Map<String, Json> = unprocessed
                .iter()
                .map(|(table, batch)| (table.to_string(), batch_get_json(batch)))
                .collect();
            body.insert("Responses".to_owned(), Json::Object(responses));
            body.insert("UnprocessedKeys".to_owned(), Json::Object(left));
        }
        Reply::BatchWritten { unprocessed } => {
            let left: Map<String, Json> = unprocessed
                .iter()
                .map(|(table, batch)| (table.to_string(), batch_write_json(batch)))
                .collect();
            body.insert("UnprocessedItems".to_owned(), Json::Object(left));
        }
        Reply::Items(found) => {
            let one = |item: &Option<Arc<Item>>| {
                let mut response = Map::new();
                put_item(&mut response, "Item", item.as_ref());
                Json::Object(response)
            };
            body.insert("Responses".to_owned(), found.iter().map(one).collect());
        }
        Reply::Transacted => {}
    }
    let many = matches!(
        reply,
        Reply::BatchGot { .. } | Reply::BatchWritten { .. } | Reply::Items(_) | Reply::Transacted
    );
    let consumed: Vec<Json> = outcome.consumed.iter().map(|one| consumption(one, report)).collect();
    if report != Report::None {
        let consumed = if many {
            Json::Array(consumed)
        } else {
            consumed.into_iter().next().unwrap_or(Json::Null)
        };
        body.insert("ConsumedCapacity".to_owned(), consumed);
    }
    Json::Object(body)
}

fn put_item(body: &mut Map<String, Json>, name: &str, item: Option<&Arc<Item>>) {
    if let Some(item) = item {
        body.insert(name.to_owned(), item_json(item));
    }
}

fn items(found: &[Arc<Item>]) -> Json {
    found.iter().map(|item| item_json(item)).collect()
}

fn page(body: &mut Map<String, Json>, page: &Page) {
    if !page.count_only {
        body.insert("Items".to_owned(), items(&page.items));
    }
    body.insert("Count".to_owned(), json!(page.count));
    body.insert("ScannedCount".to_owned(), json!(page.scanned));
    if let Some(last) = &page.last {
        body.insert("LastEvaluatedKey".to_owned(), item_json(last));
    }
}

fn units(halves: u64) -> Json {
    json!(halves as f64 / 2.0)
}

fn consumption(consumed: &Consumption, report: Report) -> Json {
    let mut body = Map::new();
    body.insert("TableName".to_owned(), json!(&*consumed.table));
    let by_kind = |body: &mut Map<String, Json>, of: Units| {
        body.insert("CapacityUnits".to_owned(), units(of.halves()));
        if consumed.transactional {
            for (name, halves) in [
                ("ReadCapacityUnits", of.read_halves),
                ("WriteCapacityUnits", of.write_halves),
            ] {
                if halves > 0 {
                    body.insert(name.to_owned(), units(halves));
                }
            }
        }
    };
    by_kind(&mut body, consumed.total());
    if report == Report::Indexes {
        let mut table = Map::new();
        by_kind(&mut table, consumed.own);
        body.insert("Table".to_owned(), Json::Object(table));
        if !consumed.indexes.is_empty() {
            let index = |of: &Units| {
                let mut body = Map::new();
                by_kind(&mut body, *of);
                Json::Object(body)
            };
            let indexes = consumed.indexes.iter().map(|(name, of)| (name.to_string(), index(of)));
            body.insert("GlobalSecondaryIndexes".to_owned(), Json::Object(indexes.collect()));
        }
    }
    Json::Object(body)
}

fn table(description: &TableDescription) -> Json {
    let definition = &description.definition;
    json!({
        "TableName": &*definition.name,
        "TableStatus": "ACTIVE",
        "KeySchema": key_schema_json(&definition.key),
        "ItemCount": description.items,
        "TableSizeBytes": description.bytes,
    })
}

/// `{"__type": "com.amazonaws.dynamodb.v20120810#…", "message": …}`
pub fn failure_json(failure: &Failure) -> Json {
    let prefix = match failure.name {
        FailureName::Validation => "com.amazon.coral.validate",
        FailureName::Serialization | FailureName::UnknownOperation => "com.amazon.coral.service",
        _ => "com.amazonaws.dynamodb.v20120810",
    };
    let mut body = Map::new();
    body.insert("__type".to_owned(), json!(format!("{prefix}#{}", failure.name.name())));
    // Three of them spell it with a capital letter.
    let message = match failure.name {
        FailureName::TransactionCanceled
        | FailureName::IdempotentParameterMismatch
        | FailureName::TransactionInProgress => "Message",
        _ => "message",
    };
    body.insert(message.to_owned(), json!(failure.message));
    put_item(&mut body, "Item", failure.item.as_ref());
    if !failure.reasons.is_empty() {
        body.insert(
            "CancellationReasons".to_owned(),
            failure.reasons.iter().map(reason).collect(),
        );
    }
    if let Some(throttled) = &failure.throttled {
        let reason = json!({ "reason": throttled.reason(), "resource": &*throttled.table });
        body.insert("ThrottlingReasons".to_owned(), json!([reason]));
    }
    Json::Object(body)
}

fn reason(reason: &CancellationReason) -> Json {
    let mut body = Map::new();
    body.insert("Code".to_owned(), json!(reason.code()));
    if let Some(message) = reason.message() {
        body.insert("Message".to_owned(), json!(message));
    }
    if let CancellationReason::ConditionalCheckFailed(item) = reason {
        put_item(&mut body, "Item", item.as_ref());
    }
    Json::Object(body)
}
