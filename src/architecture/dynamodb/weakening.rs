//! What a table of items holds less strictly than an SQL database, or not at all.

use scenario::{Operation, TableId};
use syntax::{InsertSource, IsolationLevel, QueryBody, Statement};

use super::bindings::{bindings, deleted_with};
use super::layout::{Access, names};
use super::reason::scan_cost;
use super::{REVISION_TYPE, Site, reading};
use crate::composition::plan::plan;
use crate::lower::assembly::Assembly;
use crate::lower::item::{Item, Refused};
use crate::rows::size;

/// Writes that one transaction takes, at most.
const TRANSACTION: u64 = 100;

/// Constraints of the schema.
pub(crate) fn tables(assembly: &mut Assembly<'_>, site: &Site) {
    let scenario = assembly.scenario;
    let schema = &scenario.schema;
    assembly.weaken(
        "NOT NULL and types of all columns".to_owned(),
        "kept by the application, the only one that writes",
        "a table of items takes any attribute of any type",
    );
    for id in schema.ids() {
        let table = schema.table(id);
        let name = table.full_name();
        for check in &table.checks {
            assembly.weaken(
                format!("{name} CHECK ({})", syntax::print_expr(&check.condition)),
                "checked by the application before it writes",
                "a condition of DynamoDB sees the item as it was",
            );
        }
        for index in table
            .indexes
            .iter()
            .filter(|index| index.unique && index.filter.is_some())
        {
            let columns: Vec<_> = index.columns.iter().map(|part| part.column).collect();
            let held = |partial: &crate::rows::partial::Partial| {
                partial.columns == columns && Some(&partial.filter) == index.filter.as_ref()
            };
            if site.layout.table(id).partial.iter().any(held) {
                continue;
            }
            assembly.weaken(
                format!("{name} UNIQUE ({}) WHERE …", names(table, &columns)),
                "not checked",
                "the condition is more than comparisons of columns, which is all that a guard item can be loaded by",
            );
        }
    }
    tenants(assembly, site);
}

/// Keys that begin with the tenant.
fn tenants(assembly: &mut Assembly<'_>, site: &Site) {
    let schema = &assembly.scenario.schema;
    let led = |id: &TableId| site.layout.table(*id).tenant.is_some();
    let tables: Vec<String> = schema
        .ids()
        .filter(led)
        .map(|id| schema.table(id).full_name())
        .collect();
    let mut references = Vec::new();
    for table in &schema.tables {
        for key in table.foreign_keys.iter().filter(|key| led(&key.table)) {
            references.push(format!("{} ({})", table.full_name(), names(table, &key.columns)));
        }
    }
    if !tables.is_empty() {
        assembly.weaken(
            format!("PRIMARY KEY of {}", tables.join(", ")),
            "unique within a tenant",
            "the tenant leads the key of their items",
        );
    }
    if !references.is_empty() {
        assembly.weaken(
            format!("REFERENCES of {}", references.join(", ")),
            "to a row of the same tenant; joins do not see other tenants' rows",
            "the tenant leads the key of the items that they refer to",
        );
    }
}

/// What becomes of an operation's promises; refuses what no transaction can take.
pub(crate) fn writes(
    assembly: &mut Assembly<'_>,
    site: &Site,
    operation: &Operation,
    items: &[Item],
) -> Result<(), Refused> {
    for item in items {
        if let Some(sql) = item.sql() {
            limit(assembly, site, operation, item.index, sql)?;
        }
    }
    reads(assembly, site, operation);
    isolation(assembly, operation, items);
    let calls = items.iter().any(Item::is_external);
    if calls && !operation.read_only && items.iter().any(Item::writes) {
        assembly.weaken(
            format!("operation {}: the call to the outside", operation.name),
            "made before the transaction, which may still fail; then it is taken back if @compensate says how",
            "a transaction of DynamoDB is one request: nothing can happen inside of it",
        );
    }
    Ok(())
}

fn limit(
    assembly: &mut Assembly<'_>,
    site: &Site,
    operation: &Operation,
    index: u16,
    sql: &Statement,
) -> Result<(), Refused> {
    let scenario = assembly.scenario;
    let schema = &scenario.schema;
    let Some(target) = reading::target(schema, sql) else {
        return Ok(());
    };
    let Some(query) = reading::query(schema, sql, false, REVISION_TYPE) else {
        return Ok(());
    };
    let plan = plan(schema, &query, |table| table.0);
    let relevant = plan
        .fetches
        .iter()
        .filter(|fetch| matches!(sql, Statement::Insert(_)) || fetch.table == target);
    let rows = relevant
        .map(|fetch| size::fetched(scenario, &plan, fetch))
        .max()
        .unwrap_or(1);
    let layout = site.layout.table(target);
    let guards = layout.guards.len() + layout.partial.len();
    let items = rows.saturating_mul(1 + guards as u64);
    let name = schema.table(target).full_name();
    if items > TRANSACTION {
        return Err(Refused::new(
            index,
            format!("it would write about {items} items of {name}; a transaction takes at most {TRANSACTION}"),
            "bound the statement by a key, or do it in portions",
        ));
    }
    let known = plan
        .fetches
        .iter()
        .find(|fetch| fetch.table == target)
        .is_none_or(|fetch| {
            fetch.alternatives.iter().all(|predicates| {
                let equal: Vec<_> = bindings(schema, target, predicates).equal.into_keys().collect();
                schema.table(target).is_key(&equal)
            })
        });
    let from_query = match sql {
        Statement::Insert(insert) => match &insert.source {
            InsertSource::Query(query) => !matches!(query.body, QueryBody::Values(_)),
            InsertSource::DefaultValues => false,
        },
        _ => false,
    };
    let spreads = matches!(sql, Statement::Delete(_)) && !deleted_with(schema, target).is_empty();
    if !known || from_query || spreads {
        assembly.weaken(
            format!("operation {}: any number of rows of {name}", operation.name),
            "fails if it would write more than 100 items",
            "a transaction of DynamoDB takes at most 100 writes",
        );
    }
    Ok(())
}

/// Where the operation reads less than the latest, or more than it needs.
fn reads(assembly: &mut Assembly<'_>, site: &Site, operation: &Operation) {
    let scenario = assembly.scenario;
    let patterns: Vec<_> = site
        .layout
        .patterns
        .iter()
        .filter(|pattern| pattern.operation == operation.name)
        .collect();
    let mut noted: Vec<(TableId, Access)> = Vec::new();
    for pattern in &patterns {
        let access = site.layout.serves(pattern);
        if noted.contains(&(pattern.table, access)) {
            continue;
        }
        noted.push((pattern.table, access));
        let name = scenario.schema.table(pattern.table).full_name();
        match access {
            Access::Query { index: Some(_) } => assembly.weaken(
                format!("operation {}: the latest rows of {name}", operation.name),
                "may miss the latest writes",
                "it is read through a global secondary index, which follows the table",
            ),
            Access::Scan => {
                let cost = scan_cost(scenario, &site.layout);
                assembly.weaken(
                    format!("operation {}: some rows of {name}", operation.name),
                    &format!("a scan of the whole table: {cost}"),
                    "no column that it gives by equality is a key",
                );
            }
            Access::Get | Access::Query { index: None } => {}
        }
    }
    if patterns.len() > 1 {
        assembly.weaken(
            format!("operation {}: what it reads is of one instant", operation.name),
            "each request reads at its own instant",
            "no snapshot spans several requests",
        );
    }
}

fn isolation(assembly: &mut Assembly<'_>, operation: &Operation, items: &[Item]) {
    let (level, becomes) = match operation.isolation {
        Some(IsolationLevel::RepeatableRead) => (
            "REPEATABLE READ",
            "rows that it writes are unchanged since they were read; other rows are not looked at again",
        ),
        Some(IsolationLevel::Serializable) => (
            "SERIALIZABLE",
            "all rows that it read are unchanged when it writes; rows that came to be meanwhile are not noticed",
        ),
        Some(IsolationLevel::ReadCommitted) | None => return,
    };
    if items.iter().any(Item::writes) {
        assembly.weaken(
            format!("operation {}: {level}", operation.name),
            becomes,
            "a transaction of DynamoDB checks items by their keys",
        );
    }
}
