//! What files hold less strictly than an SQL database, or not at all.

use scenario::{ColumnId, Operation, Scenario, TableId};
use syntax::{InsertSource, IsolationLevel, QueryBody, ReferentialAction, Statement};

use super::Site;
use super::layout::Access;
use crate::composition::plan::plan;
use crate::lower::assembly::Assembly;
use crate::lower::item::Item;
use crate::rows::bindings::{bindings, deleted_with};
use crate::rows::check::assigned;
use crate::rows::partial::partial;
use crate::rows::reading;
use crate::rows::{names, size};
use crate::sql::facts;

/// Constraints of the schema.
pub(crate) fn tables(assembly: &mut Assembly<'_>, site: &Site) {
    let scenario = assembly.scenario;
    let schema = &scenario.schema;
    assembly.weaken(
        "NOT NULL and types of all columns".to_owned(),
        "kept by the application, the only one that writes",
        "an object store takes any bytes",
    );
    for id in schema.ids() {
        let table = schema.table(id);
        let name = table.full_name();
        for check in &table.checks {
            assembly.weaken(
                format!("{name} CHECK ({})", syntax::print_expr(&check.condition)),
                "checked by the application before it writes",
                "an object store does not look into objects",
            );
        }
        for guard in &site.layout.table(id).guards {
            assembly.weaken(
                format!("{name} UNIQUE ({})", names(table, &guard.columns)),
                "held by an object for each value, put before the row's own",
                "two objects are not written as one: a crash between them leaves a value taken that no row has",
            );
        }
        let held = partial(table);
        let partial = table
            .indexes
            .iter()
            .filter(|index| index.unique && index.filter.is_some());
        for index in partial.filter(|index| held.iter().all(|held| Some(&held.filter) != index.filter.as_ref())) {
            let columns: Vec<ColumnId> = index.columns.iter().map(|part| part.column).collect();
            assembly.weaken(
                format!("{name} UNIQUE ({}) WHERE …", names(table, &columns)),
                "not checked",
                "the condition is more than comparisons of columns, which is all that an object for each value can be named by",
            );
        }
        for key in &table.foreign_keys {
            let parent = schema.table(key.table).full_name();
            assembly.weaken(
                format!("{name} ({}) REFERENCES {parent}", names(table, &key.columns)),
                "looked up before the write",
                "nothing holds an object there until another one is written",
            );
            if matches!(key.on_delete, ReferentialAction::Cascade | ReferentialAction::SetNull) {
                assembly.weaken(
                    format!("{name} ({}): ON DELETE", names(table, &key.columns)),
                    "done by the application, object by object, before the row itself",
                    "an object store knows no references",
                );
            }
        }
    }
    let led = |id: &TableId| site.layout.table(*id).tenant.is_some();
    let inside = |id: &TableId| {
        let tenant = site.layout.table(*id).tenant;
        tenant.is_some_and(|tenant| schema.table(*id).primary_key.contains(&tenant))
    };
    let tables = schema.ids().filter(|id| led(id) && !inside(id));
    let tables: Vec<String> = tables.map(|id| schema.table(id).full_name()).collect();
    if !tables.is_empty() {
        assembly.weaken(
            format!("PRIMARY KEY of {}", tables.join(", ")),
            "unique within a tenant",
            "the tenant leads the key of their objects",
        );
    }
}

/// What becomes of an operation's promises.
pub(crate) fn operation(assembly: &mut Assembly<'_>, site: &Site, operation: &Operation) {
    let items = Item::all(operation);
    all_or_nothing(assembly, site, operation, &items);
    reads(assembly, site, operation);
    if items.iter().any(|item| item.sql().is_some_and(facts::locks)) {
        assembly.weaken(
            format!("operation {}: FOR UPDATE", operation.name),
            "nothing is held; a row that has changed is noticed when it is written itself",
            "an object store has no locks",
        );
    }
    let level = match operation.isolation {
        Some(IsolationLevel::RepeatableRead) => "REPEATABLE READ",
        Some(IsolationLevel::Serializable) => "SERIALIZABLE",
        Some(IsolationLevel::ReadCommitted) | None => return,
    };
    assembly.weaken(
        format!("operation {}: {level}", operation.name),
        "each object is read at its own instant; one that is written is as it was read",
        "an object store has no transaction over objects",
    );
}

/// A single write is atomic; several are not.
fn all_or_nothing(assembly: &mut Assembly<'_>, site: &Site, operation: &Operation, items: &[Item]) {
    if !writes_one_object(assembly.scenario, site, operation) {
        assembly.weaken(
            format!("operation {}: all or nothing", operation.name),
            "everything is decided before the first write, and then written object by object; what a failure or a crash in between leaves stays",
            "an object store has no transaction over objects: nothing rolls back",
        );
    }
    if items.iter().any(Item::is_external) && items.iter().any(Item::writes) {
        assembly.weaken(
            format!("operation {}: the call to the outside", operation.name),
            "made before the first write, and not taken back if one fails",
            "nothing says what was begun: no log, no transaction",
        );
    }
}

/// Does the operation write one object at most?
pub(crate) fn writes_one_object(scenario: &Scenario, site: &Site, operation: &Operation) -> bool {
    let items = Item::all(operation);
    let mut writes = items.iter().filter(|item| item.writes()).filter_map(Item::sql);
    let first = writes.next();
    writes.next().is_none() && first.is_none_or(|sql| is_one_object(scenario, site, sql))
}

fn is_one_object(scenario: &Scenario, site: &Site, sql: &Statement) -> bool {
    let schema = &scenario.schema;
    let Some(target) = reading::target(schema, sql) else {
        return true;
    };
    let moved = assigned(schema.table(target), sql);
    let updates = matches!(sql, Statement::Update(_));
    let concerns = |column: &ColumnId| !updates || moved.contains(column);
    let mut guards = site.guards(target).iter();
    if guards.any(|guard| guard.watched(schema.table(target)).iter().any(concerns)) {
        return false;
    }
    if let Statement::Insert(insert) = sql {
        return match &insert.source {
            InsertSource::DefaultValues => true,
            InsertSource::Query(query) => matches!(&query.body, QueryBody::Values(rows) if rows.len() == 1),
        };
    }
    let spreads = matches!(sql, Statement::Delete(_)) && !deleted_with(schema, target).is_empty();
    let Some(query) = reading::query(schema, sql, false, super::REVISION_TYPE) else {
        return true;
    };
    let plan = plan(schema, &query, |table| table.0);
    let mut own = plan.fetches.iter().filter(|fetch| fetch.table == target);
    let by_key = own.all(|fetch| {
        fetch.alternatives.iter().all(|predicates| {
            let equal: Vec<_> = bindings(schema, target, predicates).equal.into_keys().collect();
            schema.table(target).is_key(&equal)
        })
    });
    by_key && !spreads
}

/// Where the operation reads more than it needs, and more than one instant.
fn reads(assembly: &mut Assembly<'_>, site: &Site, operation: &Operation) {
    let scenario = assembly.scenario;
    let layout = &site.layout;
    let patterns = layout
        .patterns
        .iter()
        .filter(|pattern| pattern.operation == operation.name);
    let mut noted: Vec<(TableId, Access)> = Vec::new();
    let (mut count, mut lists) = (0, false);
    for pattern in patterns {
        count += 1;
        let access = layout.serves(pattern);
        lists |= access != Access::Get;
        let (Access::List(leading), false) = (access, noted.contains(&(pattern.table, access))) else {
            continue;
        };
        noted.push((pattern.table, access));
        let table = scenario.schema.table(pattern.table);
        let known = &layout.table(pattern.table).parts[..leading];
        let rows = size::selected(scenario, pattern.table, known, &[], 1);
        let what = if known.is_empty() {
            "the whole folder".to_owned()
        } else {
            format!("the prefix with {}", names(table, known))
        };
        assembly.weaken(
            format!("operation {}: some rows of {}", operation.name, table.full_name()),
            &format!(
                "{what} is listed and each object fetched, at first about {}",
                rows.max(1)
            ),
            "an object is found by its key, and keys by how they begin",
        );
    }
    if count > 1 || lists {
        assembly.weaken(
            format!("operation {}: what it reads is of one instant", operation.name),
            "each object is read at its own instant",
            "no snapshot spans several objects",
        );
    }
}
