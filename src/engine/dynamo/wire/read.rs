//! Requests from JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::value::{array, boolean, item, object, serialization, string};
use super::{Report, WireRequest};
use crate::failure::{Failure, FailureName, Fallible, invalid, invalid_parameter};
use crate::item::Item;
use crate::request::{
    Action, BatchGet, BatchWrite, Get, PagedRead, Query, Request, ReturnValues, Scan, Select, Substitutions, Write,
};
use crate::schema::{
    IndexDefinition, KeyAttribute, KeySchema, KeyType, NEW_TABLE_PARTITIONS, Projection, TableDefinition, Throughput,
};

pub(super) fn request(operation: &str, body: &Json) -> Fallible<WireRequest> {
    let fields = Fields(object(body)?);
    let request = match operation {
        "CreateTable" => Request::CreateTable(table_definition(fields)?),
        "DescribeTable" => Request::DescribeTable { table: fields.table()? },
        "GetItem" => Request::GetItem(get(fields)?),
        "PutItem" => Request::Write(write(
            fields,
            Action::Put {
                item: fields.item("Item")?,
            },
        )?),
        "UpdateItem" => Request::Write(write(fields, update(fields)?)?),
        "DeleteItem" => Request::Write(write(
            fields,
            Action::Delete {
                key: fields.item("Key")?,
            },
        )?),
        "Query" => Request::Query(query(fields)?),
        "Scan" => Request::Scan(scan(fields)?),
        "BatchGetItem" => Request::BatchGetItem {
            tables: fields.tables(batch_get)?,
        },
        "BatchWriteItem" => Request::BatchWriteItem {
            tables: fields.tables(batch_write)?,
        },
        "TransactGetItems" => Request::TransactGetItems {
            gets: fields.actions(|action| match action.get("Get") {
                Some(json) => get(Fields(object(json)?)),
                None => Err(invalid("TransactItems can only contain one of Get")),
            })?,
        },
        "TransactWriteItems" => Request::TransactWriteItems {
            writes: fields.actions(transacted)?,
            token: fields.text("ClientRequestToken")?,
        },
        _ => return Err(Failure::new(FailureName::UnknownOperation, "")),
    };
    let report = match fields.text("ReturnConsumedCapacity")?.as_deref() {
        None | Some("NONE") => Report::None,
        Some("TOTAL") => Report::Total,
        Some("INDEXES") => Report::Indexes,
        Some(other) => return Err(not_in(other, "returnConsumedCapacity", "INDEXES, TOTAL, NONE")),
    };
    Ok(WireRequest { request, report })
}

fn constraint(value: &str, member: &str, constraint: &str) -> Box<Failure> {
    invalid(format!(
        "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"
    ))
}

fn not_in(value: &str, member: &str, set: &str) -> Box<Failure> {
    constraint(
        &format!("'{value}'"),
        member,
        &format!("Member must satisfy enum value set: [{set}]"),
    )
}

fn missing(member: &str) -> Box<Failure> {
    let mut member = member.to_owned();
    if let Some(first) = member.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    constraint("null", &member, "Member must not be null")
}

/// The members of a JSON object.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a Map<String, Json>);

impl<'a> Fields<'a> {
    /// What is null is as good as missing.
    fn get(self, name: &str) -> Option<&'a Json> {
        self.0.get(name).filter(|json| !json.is_null())
    }

    fn need(self, name: &str) -> Fallible<&'a Json> {
        self.get(name).ok_or_else(|| missing(name))
    }

    fn text(self, name: &str) -> Fallible<Option<Arc<str>>> {
        self.get(name).map(|json| string(json).map(Arc::from)).transpose()
    }

    fn flag(self, name: &str) -> Fallible<Option<bool>> {
        self.get(name).map(boolean).transpose()
    }

    fn count(self, name: &str) -> Fallible<Option<u32>> {
        let Some(json) = self.get(name) else { return Ok(None) };
        let number = json
            .as_i64()
            .ok_or_else(|| serialization("Unexpected value type in payload"))?;
        u32::try_from(number).map(Some).map_err(|_| {
            let member = name.to_ascii_lowercase();
            constraint(
                &format!("'{number}'"),
                &member,
                "Member must have value greater than or equal to 1",
            )
        })
    }

    fn table(self) -> Fallible<Arc<str>> {
        Ok(string(self.need("TableName")?)?.into())
    }

    fn item(self, name: &str) -> Fallible<Item> {
        item(self.need(name)?)
    }

    fn names(self) -> Fallible<BTreeMap<Arc<str>, Arc<str>>> {
        let Some(json) = self.get("ExpressionAttributeNames") else {
            return Ok(BTreeMap::new());
        };
        let names = object(json)?;
        if names.is_empty() {
            return Err(invalid("ExpressionAttributeNames must not be empty"));
        }
        names
            .iter()
            .map(|(key, name)| Ok((placeholder(key, '#', "Names")?, Arc::from(string(name)?))))
            .collect()
    }

    fn substitutions(self) -> Fallible<Substitutions> {
        let expressions = [
            "ConditionExpression",
            "UpdateExpression",
            "ProjectionExpression",
            "FilterExpression",
            "KeyConditionExpression",
        ];
        let expressed = expressions.iter().any(|name| self.get(name).is_some());
        for what in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
            if !expressed && self.get(what).is_some() {
                return Err(invalid(format!("{what} can only be specified when using expressions")));
            }
        }
        let mut values = Item::new();
        if let Some(json) = self.get("ExpressionAttributeValues") {
            for (key, value) in item(json)? {
                values.insert(placeholder(&key, ':', "Values")?, value);
            }
            if values.is_empty() {
                return Err(invalid("ExpressionAttributeValues must not be empty"));
            }
        }
        Ok(Substitutions {
            names: self.names()?,
            values,
        })
    }

    fn tables<T>(self, read: impl Fn(&'a Json) -> Fallible<T>) -> Fallible<BTreeMap<Arc<str>, T>> {
        let tables = object(self.need("RequestItems")?)?;
        tables
            .iter()
            .map(|(name, json)| Ok((Arc::from(name.as_str()), read(json)?)))
            .collect()
    }

    fn actions<T>(self, read: impl Fn(Fields<'a>) -> Fallible<T>) -> Fallible<Vec<T>> {
        array(self.need("TransactItems")?)?
            .iter()
            .map(|json| read(Fields(object(json)?)))
            .collect()
    }
}

fn placeholder(key: &str, sign: char, what: &str) -> Fallible<Arc<str>> {
    let legal = key
        .strip_prefix(sign)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    if legal {
        return Ok(key.into());
    }
    Err(invalid(format!(
        "ExpressionAttribute{what} contains invalid key: Syntax error; key: \"{key}\""
    )))
}

fn get(fields: Fields<'_>) -> Fallible<Get> {
    Ok(Get {
        table: fields.table()?,
        key: fields.item("Key")?,
        consistent: fields.flag("ConsistentRead")?.unwrap_or(false),
        projection: fields.text("ProjectionExpression")?,
        substitutions: fields.substitutions()?,
    })
}

fn update(fields: Fields<'_>) -> Fallible<Action> {
    Ok(Action::Update {
        key: fields.item("Key")?,
        update: fields.text("UpdateExpression")?,
    })
}

fn write(fields: Fields<'_>, action: Action) -> Fallible<Write> {
    const RETURNS: &str = "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW";
    Ok(Write {
        table: fields.table()?,
        action,
        condition: fields.text("ConditionExpression")?,
        substitutions: fields.substitutions()?,
        returns: match fields.text("ReturnValues")?.as_deref() {
            None | Some("NONE") => ReturnValues::None,
            Some("ALL_OLD") => ReturnValues::AllOld,
            Some("UPDATED_OLD") => ReturnValues::UpdatedOld,
            Some("ALL_NEW") => ReturnValues::AllNew,
            Some("UPDATED_NEW") => ReturnValues::UpdatedNew,
            Some(other) => return Err(not_in(other, "returnValues", RETURNS)),
        },
        old_on_failure: match fields.text("ReturnValuesOnConditionCheckFailure")?.as_deref() {
            None | Some("NONE") => false,
            Some("ALL_OLD") => true,
            Some(other) => return Err(not_in(other, "returnValuesOnConditionCheckFailure", "ALL_OLD, NONE")),
        },
    })
}

fn transacted(action: Fields<'_>) -> Fallible<Write> {
    let mut kinds = action.0.iter();
    let (Some((kind, json)), None) = (kinds.next(), kinds.next()) else {
        return Err(invalid(
            "TransactItems can only contain one of Check, Put, Update or Delete",
        ));
    };
    let fields = Fields(object(json)?);
    let inner = match kind.as_str() {
        "Put" => Action::Put {
            item: fields.item("Item")?,
        },
        "Update" => update(fields)?,
        "Delete" => Action::Delete {
            key: fields.item("Key")?,
        },
        "ConditionCheck" => Action::Check {
            key: fields.item("Key")?,
        },
        _ => {
            return Err(invalid(
                "TransactItems can only contain one of Check, Put, Update or Delete",
            ));
        }
    };
    if kind == "ConditionCheck" {
        fields.need("ConditionExpression")?;
    }
    if kind == "Update" {
        fields.need("UpdateExpression")?;
    }
    write(fields, inner)
}

fn query(fields: Fields<'_>) -> Fallible<Query> {
    let Some(key_condition) = fields.text("KeyConditionExpression")? else {
        return Err(invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ));
    };
    Ok(Query {
        key_condition,
        forward: fields.flag("ScanIndexForward")?.unwrap_or(true),
        read: paged(fields)?,
    })
}

fn scan(fields: Fields<'_>) -> Fallible<Scan> {
    let segment = match (fields.count("Segment")?, fields.count("TotalSegments")?) {
        (Some(segment), Some(of)) => Some((segment, of)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(invalid(
                "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
            ));
        }
        (None, Some(_)) => {
            return Err(invalid(
                "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
            ));
        }
    };
    Ok(Scan {
        segment,
        read: paged(fields)?,
    })
}

fn paged(fields: Fields<'_>) -> Fallible<PagedRead> {
    const SELECTS: &str = "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES";
    Ok(PagedRead {
        table: fields.table()?,
        index: fields.text("IndexName")?,
        filter: fields.text("FilterExpression")?,
        projection: fields.text("ProjectionExpression")?,
        substitutions: fields.substitutions()?,
        limit: fields.count("Limit")?,
        start: fields.get("ExclusiveStartKey").map(item).transpose()?,
        consistent: fields.flag("ConsistentRead")?.unwrap_or(false),
        select: match fields.text("Select")?.as_deref() {
            None | Some("SPECIFIC_ATTRIBUTES" | "ALL_PROJECTED_ATTRIBUTES") => Select::Default,
            Some("ALL_ATTRIBUTES") => Select::AllAttributes,
            Some("COUNT") => Select::Count,
            Some(other) => return Err(not_in(other, "select", SELECTS)),
        },
    })
}

fn batch_get(json: &Json) -> Fallible<BatchGet> {
    let fields = Fields(object(json)?);
    Ok(BatchGet {
        keys: array(fields.need("Keys")?)?.iter().map(item).collect::<Fallible<_>>()?,
        consistent: fields.flag("ConsistentRead")?.unwrap_or(false),
        projection: fields.text("ProjectionExpression")?,
        names: fields.names()?,
    })
}

fn batch_write(json: &Json) -> Fallible<Vec<BatchWrite>> {
    let one = |json: &Json| {
        let fields = Fields(object(json)?);
        match (fields.get("PutRequest"), fields.get("DeleteRequest")) {
            (Some(put), None) => Ok(BatchWrite::Put(Fields(object(put)?).item("Item")?)),
            (None, Some(delete)) => Ok(BatchWrite::Delete(Fields(object(delete)?).item("Key")?)),
            _ => Err(invalid(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
            )),
        }
    };
    array(json)?.iter().map(one).collect()
}

fn table_definition(fields: Fields<'_>) -> Fallible<TableDefinition> {
    let mut kinds = BTreeMap::new();
    for json in array(fields.need("AttributeDefinitions")?)? {
        let attribute = Fields(object(json)?);
        let kind = match string(attribute.need("AttributeType")?)? {
            "S" => KeyType::S,
            "N" => KeyType::N,
            "B" => KeyType::B,
            other => return Err(not_in(other, "attributeDefinitions.1.member.attributeType", "B, N, S")),
        };
        kinds.insert(string(attribute.need("AttributeName")?)?, kind);
    }
    let throughput = |fields: Fields<'_>| -> Fallible<Throughput> {
        match fields.get("ProvisionedThroughput") {
            None => Ok(Throughput::OnDemand {
                partitions: NEW_TABLE_PARTITIONS,
            }),
            Some(json) => {
                let given = Fields(object(json)?);
                Ok(Throughput::Provisioned {
                    read_units: given.count("ReadCapacityUnits")?.unwrap_or(1),
                    write_units: given.count("WriteCapacityUnits")?.unwrap_or(1),
                })
            }
        }
    };
    let table_throughput = throughput(fields)?;
    if fields.get("LocalSecondaryIndexes").is_some() {
        return Err(invalid_parameter("Local secondary indexes are not supported here"));
    }
    let indexes = match fields.get("GlobalSecondaryIndexes") {
        None => Vec::new(),
        Some(json) => array(json)?
            .iter()
            .map(|json| {
                let fields = Fields(object(json)?);
                Ok(IndexDefinition {
                    name: string(fields.need("IndexName")?)?.into(),
                    key: key_schema(fields, &kinds)?,
                    projection: projection(Fields(object(fields.need("Projection")?)?))?,
                    throughput: throughput(fields)?,
                })
            })
            .collect::<Fallible<_>>()?,
    };
    Ok(TableDefinition {
        name: fields.table()?,
        key: key_schema(fields, &kinds)?,
        indexes,
        throughput: table_throughput,
    })
}

fn key_schema(fields: Fields<'_>, kinds: &BTreeMap<&str, KeyType>) -> Fallible<KeySchema> {
    let (mut partition, mut sort) = (None, None);
    for json in array(fields.need("KeySchema")?)? {
        let element = Fields(object(json)?);
        let name = string(element.need("AttributeName")?)?;
        let Some(kind) = kinds.get(name) else {
            return Err(invalid_parameter(format!(
                "Some index key attributes are not defined in AttributeDefinitions. Keys: [{name}]"
            )));
        };
        let attribute = KeyAttribute {
            name: name.into(),
            kind: *kind,
        };
        match string(element.need("KeyType")?)? {
            "HASH" => partition = Some(attribute),
            _ => sort = Some(attribute),
        }
    }
    let partition =
        partition.ok_or_else(|| invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"))?;
    Ok(KeySchema { partition, sort })
}

fn projection(fields: Fields<'_>) -> Fallible<Projection> {
    match string(fields.need("ProjectionType")?)? {
        "ALL" => Ok(Projection::All),
        "KEYS_ONLY" => Ok(Projection::KeysOnly),
        "INCLUDE" => {
            let names = fields.get("NonKeyAttributes").map_or(Ok(&[][..]), array)?;
            Ok(Projection::Include(
                names
                    .iter()
                    .map(|name| Ok(string(name)?.into()))
                    .collect::<Fallible<_>>()?,
            ))
        }
        other => Err(not_in(other, "projection.projectionType", "ALL, INCLUDE, KEYS_ONLY")),
    }
}
