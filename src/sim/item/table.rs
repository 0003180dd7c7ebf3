//! Tables of items at the beginning of a run, and read back by an observer.

use std::sync::Arc;

use base::{Row, Type, Value};
use engine_dynamo::{
    AttributeValue, Engine, Finder, IndexDefinition, Item, KeyAttribute, KeySchema, KeyType, Throughput,
};
use program::{Attributes, ItemTable, KeyKind, Projection};

use super::convert::{self, Columns};
use crate::activation::{Register, Scope};
use crate::expression::{self, Present};

/// The definition of a table that divides its load among so many partitions; 0: unlimited.
pub(crate) fn definition(table: &ItemTable, partitions: u32) -> engine_dynamo::TableDefinition {
    let throughput = match partitions {
        0 => Throughput::Unlimited,
        partitions => Throughput::OnDemand { partitions },
    };
    let index = |index: &program::SecondaryIndex| IndexDefinition {
        name: index.name.as_str().into(),
        key: key_schema(&index.key),
        projection: match &index.projection {
            Projection::All => engine_dynamo::Projection::All,
            Projection::KeysOnly => engine_dynamo::Projection::KeysOnly,
            Projection::Include(names) => {
                engine_dynamo::Projection::Include(names.iter().map(|name| name.as_str().into()).collect())
            }
        },
        throughput,
    };
    engine_dynamo::TableDefinition {
        name: Arc::clone(&table.name),
        key: key_schema(&table.key),
        indexes: table.indexes.iter().map(index).collect(),
        throughput,
    }
}

fn key_schema(key: &program::KeySchema) -> KeySchema {
    let attribute = |attribute: &program::KeyAttribute| KeyAttribute {
        name: attribute.name.as_str().into(),
        kind: match attribute.kind {
            KeyKind::Text => KeyType::S,
            KeyKind::Number => KeyType::N,
        },
    };
    KeySchema {
        partition: attribute(&key.partition),
        sort: key.sort.as_ref().map(attribute),
    }
}

/// Makes items of rows: in each template a register stands for the row's column of that number.
pub(crate) fn load(
    engine: &mut Engine,
    table: &ItemTable,
    templates: &[Attributes],
    rows: impl Iterator<Item = Row>,
    epoch_micros: i64,
) -> Result<(), String> {
    for (number, row) in (0..).zip(rows) {
        let present = Present {
            request: None,
            row: Some(number),
            now_micros: epoch_micros,
        };
        let scope = Scope {
            registers: row.iter().cloned().map(Register::Value).collect(),
            connections: Vec::new(),
            live: true,
        };
        for template in templates {
            let mut item = Item::with_capacity(template.len());
            for (name, expression) in template {
                let value = expression::evaluate(expression, &scope, present).map_err(|error| error.message)?;
                if let Some(attribute) = convert::attribute(&value) {
                    item.insert(Arc::clone(name), attribute);
                }
            }
            // NULL is no key.
            let has = |attribute: &program::KeyAttribute| item.contains_key(attribute.name.as_str());
            if !has(&table.key.partition) || !table.key.sort.as_ref().is_none_or(has) {
                continue;
            }
            engine.load(&table.name, item).map_err(|failure| failure.to_string())?;
        }
    }
    Ok(())
}

/// Rows of a logical table: the items that have this attribute with this text.
pub(crate) fn rows(
    engine: &Engine,
    table: &str,
    with: &(String, String),
    attributes: &[String],
    columns: &[(String, Type)],
) -> Vec<Row> {
    let wanted = AttributeValue::text(with.1.as_str());
    let (mut entity, names) = (Finder::new(&with.0), attributes.iter().map(String::as_str));
    let mut typed = Columns::new(names.zip(columns.iter().map(|(_, data_type)| *data_type)));
    let items = engine.items(table).filter(|item| entity.find(item) == Some(&wanted));
    items.map(|item| typed.row(item)).collect()
}

/// Nothing of a list is left: `x IN ()` holds for nothing.
pub(crate) fn elements(value: &Value) -> Option<Vec<AttributeValue>> {
    match value {
        Value::List(values) => Some(values.iter().filter_map(convert::attribute).collect()),
        _ => None,
    }
}
