//! The logical schema as DDL: for all owners in one database, or for one of them.

use scenario::{Column, ColumnId, ForeignKey, Index, Scenario, Table, TableId};
use syntax::{ReferentialAction, identifier, print_expr};

use crate::sql::text::{identifiers, qualified};

/// Schemas, tables and indexes of the chosen tables, in order. Foreign keys to tables that are not among
/// them are left out: see [`foreign_keys_out`].
pub(crate) fn definitions(scenario: &Scenario, chosen: impl Fn(TableId) -> bool) -> Vec<String> {
    let schema = &scenario.schema;
    let tables: Vec<TableId> = schema.ids().filter(|id| chosen(*id)).collect();
    let mut owners: Vec<&str> = Vec::new();
    for id in &tables {
        let owner = schema.table(*id).schema.as_str();
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    let mut ddl: Vec<String> = owners
        .iter()
        .map(|owner| format!("CREATE SCHEMA {}", identifier(owner)))
        .collect();
    let mut later = Vec::new();
    for id in &tables {
        let table = schema.table(*id);
        let known = |key: &&ForeignKey| chosen(key.table);
        let (inline, postponed): (Vec<&ForeignKey>, Vec<&ForeignKey>) = table
            .foreign_keys
            .iter()
            .filter(known)
            .partition(|key| key.table <= *id);
        ddl.push(create_table(scenario, table, &inline));
        later.extend(postponed.iter().map(|key| {
            let clause = foreign_key(scenario, table, key);
            format!("ALTER TABLE {} ADD {clause}", qualified(&table.schema, &table.name))
        }));
        ddl.extend(table.indexes.iter().map(|index| create_index(table, index)));
    }
    ddl.extend(later);
    ddl
}

fn create_table(scenario: &Scenario, table: &Table, foreign_keys: &[&ForeignKey]) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(|column| column_line(table, column)).collect();
    if !table.primary_key.is_empty() {
        lines.push(format!("PRIMARY KEY ({})", names(table, &table.primary_key)));
    }
    for unique in &table.unique {
        let name = constraint_name(unique.name.as_deref());
        lines.push(format!("{name}UNIQUE ({})", names(table, &unique.columns)));
    }
    for check in &table.checks {
        let name = constraint_name(check.name.as_deref());
        lines.push(format!("{name}CHECK ({})", print_expr(&check.condition)));
    }
    lines.extend(foreign_keys.iter().map(|key| foreign_key(scenario, table, key)));
    format!(
        "CREATE TABLE {} (\n  {}\n)",
        qualified(&table.schema, &table.name),
        lines.join(",\n  ")
    )
}

fn column_line(table: &Table, column: &Column) -> String {
    let in_key = table
        .primary_key
        .iter()
        .any(|key| table.column(*key).name == column.name);
    let mut line = format!("{} {}", identifier(&column.name), declared_type(column));
    if column.not_null && !in_key {
        line.push_str(" NOT NULL");
    }
    if let Some(default) = &column.default {
        line.push_str(&format!(" DEFAULT {}", print_expr(default)));
    }
    line
}

/// With the digits of a `numeric(precision, scale)`.
pub(crate) fn declared_type(column: &Column) -> String {
    match column.digits {
        Some((precision, scale)) => format!("numeric({precision},{scale})"),
        None => short_type(column.data_type).to_owned(),
    }
}

/// The usual spelling in DDL: `timestamptz` rather than `timestamp with time zone`.
pub(crate) fn short_type(data_type: base::Type) -> &'static str {
    match data_type {
        base::Type::Timestamptz => "timestamptz",
        base::Type::Timestamp => "timestamp",
        other => other.name(),
    }
}

fn foreign_key(scenario: &Scenario, table: &Table, key: &ForeignKey) -> String {
    let target = scenario.schema.table(key.table);
    let mut clause = format!(
        "{}FOREIGN KEY ({}) REFERENCES {} ({})",
        constraint_name(key.name.as_deref()),
        names(table, &key.columns),
        qualified(&target.schema, &target.name),
        names(target, &key.referenced)
    );
    for (event, action) in [("DELETE", key.on_delete), ("UPDATE", key.on_update)] {
        if let Some(words) = action_words(action) {
            clause.push_str(&format!(" ON {event} {words}"));
        }
    }
    clause
}

pub(crate) fn action_words(action: ReferentialAction) -> Option<&'static str> {
    match action {
        ReferentialAction::NoAction => None,
        ReferentialAction::Restrict => Some("RESTRICT"),
        ReferentialAction::Cascade => Some("CASCADE"),
        ReferentialAction::SetNull => Some("SET NULL"),
        ReferentialAction::SetDefault => Some("SET DEFAULT"),
    }
}

fn create_index(table: &Table, index: &Index) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let name = index
        .name
        .as_deref()
        .map(|name| format!("{} ", identifier(name)))
        .unwrap_or_default();
    let columns: Vec<String> = (index.columns.iter())
        .map(|c| identifier(&table.column(c.column).name) + if c.descending { " DESC" } else { "" })
        .collect();
    let filter = index
        .filter
        .as_ref()
        .map(|filter| format!(" WHERE {}", print_expr(filter)))
        .unwrap_or_default();
    let table = qualified(&table.schema, &table.name);
    format!("CREATE {unique}INDEX {name}ON {table} ({}){filter}", columns.join(", "))
}

fn constraint_name(name: Option<&str>) -> String {
    name.map(|name| format!("CONSTRAINT {} ", identifier(name)))
        .unwrap_or_default()
}

pub(crate) fn names(table: &Table, columns: &[ColumnId]) -> String {
    identifiers(columns.iter().map(|column| table.column(*column).name.as_str()))
}
