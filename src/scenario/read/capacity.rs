//! How much room the initial rows take, and whether that is too much.

use base::Type;

use crate::document::Reading;
use crate::{Generator, Place, Population, Schema, TablePopulation};

use super::limits;

/// Refuses a population that is too large, with its estimate.
pub(super) fn check(population: &Population, schema: &Schema, place: Place, reading: &mut Reading<'_>) {
    let rows = population.rows();
    let bytes = population.tables.iter().fold(0_u64, |sum, table| {
        sum.saturating_add(table.rows.saturating_mul(row_bytes(table, schema)))
    });
    let tenants = u64::from(population.tenants);
    if tenants <= limits::TENANTS && rows <= limits::ROWS && bytes <= limits::ROW_BYTES {
        return;
    }
    let message = format!(
        "too large: {} tenants with {} initial rows, about {} MiB on each design",
        grouped(tenants),
        grouped(rows),
        grouped(bytes / (1024 * 1024)),
    );
    let hint = format!(
        "at most {} tenants, {} rows and {} MiB; fewer rows show the same effects",
        grouped(limits::TENANTS),
        grouped(limits::ROWS),
        limits::ROW_BYTES / (1024 * 1024)
    );
    reading.error(place, message, hint);
}

/// A row in its page with its header, and an entry in each index.
fn row_bytes(table: &TablePopulation, schema: &Schema) -> u64 {
    let width = |data_type: &Type, generator: &Generator| match (data_type, generator) {
        (_, Generator::Constant(base::Value::Null)) => 0,
        (_, Generator::Text { length }) => u64::from(*length),
        (Type::Bytea, Generator::LdsHash { .. }) => 64,
        (_, Generator::LdsHash { .. }) => 128,
        (Type::Bool, _) => 1,
        (Type::Int2, _) => 2,
        (Type::Int4, _) => 4,
        (Type::Int8 | Type::Timestamptz | Type::Timestamp | Type::Float8, _) => 8,
        (Type::Text, Generator::Email { .. }) => 32,
        (Type::Date | Type::Oid | Type::Regclass, _) => 4,
        (Type::Tid, _) => 6,
        (Type::Daterange, _) => 9,
        (Type::Text | Type::Jsonb | Type::Numeric | Type::Uuid | Type::Interval | Type::Bytea | Type::Record, _) => 16,
    };
    let columns: u64 = table
        .columns
        .iter()
        .map(|(_, data_type, generator)| width(data_type, generator))
        .sum();
    let definition = schema.table(table.table);
    let indexes = 1 + definition.unique.len() + definition.indexes.len();
    24 + columns + 32 * indexes as u64
}

/// `1_000_000` with thin spaces would be pretty; underscores can be copied back into the file.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && position % 3 == first {
            text.push('_');
        }
        text.push(digit);
    }
    text
}
