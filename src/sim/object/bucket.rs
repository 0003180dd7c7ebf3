//! Buckets at the beginning of a run, and read back by an observer.

use std::sync::Arc;

use base::{Row, Type};
use engine_object_store::Engine;
use program::{Bucket, Expression, Fields};

use super::convert;
use crate::activation::{Register, Scope};
use crate::expression::{self, Present};

/// Makes objects of rows: a register stands for the row's column of that number.
pub(crate) fn load(
    engine: &mut Engine,
    bucket: &Bucket,
    key: &Expression,
    fields: &Fields,
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
        let value = |expression| expression::evaluate(expression, &scope, present).map_err(|error| error.message);
        let key = value(key)?;
        // NULL is no key.
        let Some(key) = key.as_str() else { continue };
        let mut values = Vec::with_capacity(fields.len());
        for (name, expression) in fields {
            values.push((&**name, value(expression)?));
        }
        engine
            .load(&bucket.name, &Arc::from(key), convert::content(values))
            .map_err(|failure| failure.to_string())?;
    }
    Ok(())
}

/// Rows of a logical table: the objects whose keys begin so.
pub(crate) fn rows(engine: &Engine, bucket: &str, prefix: &str, columns: &[(String, Type)]) -> Vec<Row> {
    let objects = engine.objects(bucket, prefix);
    objects.map(|(_, object)| convert::typed(object, columns)).collect()
}
