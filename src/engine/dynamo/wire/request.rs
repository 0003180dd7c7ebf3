//! Requests as JSON: what a client would send, shown to people and sent to real servers.

use serde_json::{Map, Value as Json, json};

use super::value::{item_json, value_json};
use crate::request::{
    Action, BatchGet, BatchWrite, Get, PagedRead, Request, ReturnValues, Select, Substitutions, Write,
};
use crate::schema::{KeySchema, Projection, TableDefinition, Throughput};

/// The operation's name and its body.
pub fn request_json(request: &Request) -> (&'static str, Json) {
    match request {
        Request::CreateTable(definition) => ("CreateTable", create_table(definition)),
        Request::DescribeTable { table } => ("DescribeTable", json!({ "TableName": &**table })),
        Request::GetItem(one) => ("GetItem", get(one, true)),
        Request::Write(one) => (operation(one), write(one)),
        Request::Query(query) => {
            let mut body = paged(&query.read);
            put(&mut body, "KeyConditionExpression", Some(&*query.key_condition));
            put(&mut body, "ScanIndexForward", (!query.forward).then_some(false));
            ("Query", Json::Object(body))
        }
        Request::Scan(scan) => {
            let mut body = paged(&scan.read);
            put(&mut body, "Segment", scan.segment.map(|(segment, _)| segment));
            put(&mut body, "TotalSegments", scan.segment.map(|(_, of)| of));
            ("Scan", Json::Object(body))
        }
        Request::BatchGetItem { tables } => {
            let tables: Map<String, Json> = tables
                .iter()
                .map(|(table, batch)| (table.to_string(), batch_get_json(batch)))
                .collect();
            ("BatchGetItem", json!({ "RequestItems": tables }))
        }
        Request::BatchWriteItem { tables } => {
            let tables: Map<String, Json> = tables
                .iter()
                .map(|(table, batch)| (table.to_string(), batch_write_json(batch)))
                .collect();
            ("BatchWriteItem", json!({ "RequestItems": tables }))
        }
        Request::TransactGetItems { gets } => {
            let gets: Vec<Json> = gets.iter().map(|one| json!({ "Get": get(one, false) })).collect();
            ("TransactGetItems", json!({ "TransactItems": gets }))
        }
        Request::TransactWriteItems { writes, token } => {
            let action = |one: &Write| json!({ operation(one).trim_end_matches("Item"): write(one) });
            let mut body = Map::new();
            put(
                &mut body,
                "TransactItems",
                Some(writes.iter().map(action).collect::<Vec<Json>>()),
            );
            put(&mut body, "ClientRequestToken", token.as_deref());
            ("TransactWriteItems", Json::Object(body))
        }
    }
}

/// A member that is there or not.
fn put(body: &mut Map<String, Json>, name: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value.into());
    }
}

fn operation(write: &Write) -> &'static str {
    match write.action {
        Action::Put { .. } => "PutItem",
        Action::Update { .. } => "UpdateItem",
        Action::Delete { .. } => "DeleteItem",
        Action::Check { .. } => "ConditionCheck",
    }
}

fn substitutions(body: &mut Map<String, Json>, given: &Substitutions) {
    if !given.names.is_empty() {
        let names: Map<String, Json> = given
            .names
            .iter()
            .map(|(key, name)| (key.to_string(), json!(&**name)))
            .collect();
        body.insert("ExpressionAttributeNames".to_owned(), Json::Object(names));
    }
    if !given.values.is_empty() {
        let values = given
            .values
            .iter()
            .map(|(key, value)| (key.to_string(), value_json(value)));
        body.insert("ExpressionAttributeValues".to_owned(), Json::Object(values.collect()));
    }
}

fn get(get: &Get, alone: bool) -> Json {
    let mut body = Map::new();
    put(&mut body, "TableName", Some(&*get.table));
    put(&mut body, "Key", Some(item_json(&get.key)));
    put(&mut body, "ConsistentRead", (alone && get.consistent).then_some(true));
    put(&mut body, "ProjectionExpression", get.projection.as_deref());
    substitutions(&mut body, &get.substitutions);
    Json::Object(body)
}

fn write(write: &Write) -> Json {
    let mut body = Map::new();
    put(&mut body, "TableName", Some(&*write.table));
    match &write.action {
        Action::Put { item } => put(&mut body, "Item", Some(item_json(item))),
        Action::Update { key, update } => {
            put(&mut body, "Key", Some(item_json(key)));
            put(&mut body, "UpdateExpression", update.as_deref());
        }
        Action::Delete { key } | Action::Check { key } => put(&mut body, "Key", Some(item_json(key))),
    }
    put(&mut body, "ConditionExpression", write.condition.as_deref());
    substitutions(&mut body, &write.substitutions);
    let returns = match write.returns {
        ReturnValues::None => None,
        ReturnValues::AllOld => Some("ALL_OLD"),
        ReturnValues::UpdatedOld => Some("UPDATED_OLD"),
        ReturnValues::AllNew => Some("ALL_NEW"),
        ReturnValues::UpdatedNew => Some("UPDATED_NEW"),
    };
    put(&mut body, "ReturnValues", returns);
    put(
        &mut body,
        "ReturnValuesOnConditionCheckFailure",
        write.old_on_failure.then_some("ALL_OLD"),
    );
    Json::Object(body)
}

fn paged(read: &PagedRead) -> Map<String, Json> {
    let mut body = Map::new();
    put(&mut body, "TableName", Some(&*read.table));
    put(&mut body, "IndexName", read.index.as_deref());
    put(&mut body, "FilterExpression", read.filter.as_deref());
    put(&mut body, "ProjectionExpression", read.projection.as_deref());
    substitutions(&mut body, &read.substitutions);
    put(&mut body, "Limit", read.limit);
    put(&mut body, "ExclusiveStartKey", read.start.as_ref().map(item_json));
    put(&mut body, "ConsistentRead", read.consistent.then_some(true));
    let select = match read.select {
        Select::Default => None,
        Select::AllAttributes => Some("ALL_ATTRIBUTES"),
        Select::Count => Some("COUNT"),
    };
    put(&mut body, "Select", select);
    body
}

pub(super) fn batch_get_json(batch: &BatchGet) -> Json {
    let mut body = Map::new();
    put(
        &mut body,
        "Keys",
        Some(batch.keys.iter().map(item_json).collect::<Vec<Json>>()),
    );
    put(&mut body, "ConsistentRead", batch.consistent.then_some(true));
    put(&mut body, "ProjectionExpression", batch.projection.as_deref());
    if !batch.names.is_empty() {
        let names: Map<String, Json> = batch
            .names
            .iter()
            .map(|(key, name)| (key.to_string(), json!(&**name)))
            .collect();
        body.insert("ExpressionAttributeNames".to_owned(), Json::Object(names));
    }
    Json::Object(body)
}

pub(super) fn batch_write_json(batch: &[BatchWrite]) -> Json {
    let one = |write: &BatchWrite| match write {
        BatchWrite::Put(item) => json!({ "PutRequest": { "Item": item_json(item) } }),
        BatchWrite::Delete(key) => json!({ "DeleteRequest": { "Key": item_json(key) } }),
    };
    Json::Array(batch.iter().map(one).collect())
}

fn create_table(definition: &TableDefinition) -> Json {
    let keys = definition
        .indexes
        .iter()
        .map(|index| &index.key)
        .chain([&definition.key]);
    let mut attributes: Vec<(&str, &str)> = keys
        .flat_map(KeySchema::attributes)
        .map(|attribute| (&*attribute.name, attribute.kind.name()))
        .collect();
    attributes.sort_unstable();
    attributes.dedup();
    let attributes: Vec<Json> = attributes
        .into_iter()
        .map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind }))
        .collect();
    let mut body = Map::new();
    put(&mut body, "TableName", Some(&*definition.name));
    put(&mut body, "AttributeDefinitions", Some(attributes));
    put(&mut body, "KeySchema", Some(key_schema_json(&definition.key)));
    match provisioned(definition.throughput) {
        None => put(&mut body, "BillingMode", Some("PAY_PER_REQUEST")),
        throughput => put(&mut body, "ProvisionedThroughput", throughput),
    }
    let index = |index: &crate::schema::IndexDefinition| {
        let mut body = Map::new();
        put(&mut body, "IndexName", Some(&*index.name));
        put(&mut body, "KeySchema", Some(key_schema_json(&index.key)));
        put(&mut body, "Projection", Some(projection_json(&index.projection)));
        put(&mut body, "ProvisionedThroughput", provisioned(index.throughput));
        Json::Object(body)
    };
    if !definition.indexes.is_empty() {
        put(
            &mut body,
            "GlobalSecondaryIndexes",
            Some(definition.indexes.iter().map(index).collect::<Vec<Json>>()),
        );
    }
    Json::Object(body)
}

pub(super) fn key_schema_json(key: &KeySchema) -> Json {
    let kinds = key.attributes().zip(["HASH", "RANGE"]);
    kinds
        .map(|(attribute, kind)| json!({ "AttributeName": &*attribute.name, "KeyType": kind }))
        .collect()
}

fn projection_json(projection: &Projection) -> Json {
    match projection {
        Projection::All => json!({ "ProjectionType": "ALL" }),
        Projection::KeysOnly => json!({ "ProjectionType": "KEYS_ONLY" }),
        Projection::Include(names) => {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names })
        }
    }
}

fn provisioned(throughput: Throughput) -> Option<Json> {
    match throughput {
        Throughput::Unlimited | Throughput::OnDemand { .. } => None,
        Throughput::Provisioned {
            read_units,
            write_units,
        } => Some(json!({ "ReadCapacityUnits": read_units, "WriteCapacityUnits": write_units })),
    }
}
