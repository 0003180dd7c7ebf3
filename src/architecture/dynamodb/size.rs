//! How large items are, by the scenario's population: for saying what a scan costs. Estimates, and called so wherever
//! they are shown.

use base::Type;
use scenario::{Scenario, Table, TableId};

use super::layout::Layout;
use crate::rows::size::rows;

/// Bytes of an item, names included (Amazon DynamoDB Developer Guide, "Item sizes and formats"): text of 20 characters
/// where nothing says otherwise.
pub(crate) fn item_bytes(table: &Table, layout: &Layout, id: TableId) -> u64 {
    let value = |data_type: Type| match data_type {
        Type::Bool => 1,
        Type::Int2 => 3,
        Type::Int4 => 4,
        Type::Int8 => 6,
        Type::Text => 20,
        Type::Uuid => 36,
        Type::Float8 => 10,
        Type::Interval => 16,
        Type::Timestamp => 26,
        Type::Timestamptz => 27,
        Type::Date => 10,
        Type::Numeric => 12,
        Type::Bytea => 20,
        Type::Daterange => 23,
        Type::Jsonb => 40,
        // No column's types.
        Type::Tid | Type::Oid | Type::Regclass | Type::Record => 0,
    };
    let columns: u64 = table
        .columns
        .iter()
        .map(|column| column.name.len() as u64 + value(column.data_type))
        .sum();
    let keys = 60 * (1 + layout.table(id).secondary.len() as u64);
    columns + keys + 40
}

/// Items and bytes of the whole table at the beginning.
pub(crate) fn whole(scenario: &Scenario, layout: &Layout) -> (u64, u64) {
    let schema = &scenario.schema;
    let each = schema.ids().map(|id| {
        let (rows, guards) = (
            rows(scenario, id),
            layout.table(id).guards.len() + layout.table(id).partial.len(),
        );
        let guards = guards as u64;
        let bytes = rows * item_bytes(schema.table(id), layout, id) + rows * guards * 100;
        (rows * (1 + guards), bytes)
    });
    each.fold((0, 0), |(items, bytes), (more, larger)| (items + more, bytes + larger))
}
