//! Which tables lie where, and what the databases no longer enforce together.
//!
//! | a table | lies |
//! |---|---|
//! | of tenants: with the tenant column, or with a foreign key to such a table | in each tenant's database, that tenant's rows |
//! | of nobody, and never written | in each database, all rows |
//! | of nobody, and written | in one shared database |
//!
//! To the rest of the compiler the places are the owners of the tables: see [`laid_out`].

use program::{DatabaseId, Load, LogicalTable, Share};
use scenario::{ForeignKey, Scenario, Schema, Table, TableId};
use syntax::ReferentialAction;

use crate::lower::assembly::{Assembly, logical_table};
use crate::lower::definitions::{action_words, names};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Tenants,
    Shared,
    Copied,
}

impl Place {
    /// The owners of a scenario that is [`laid_out`].
    pub(crate) const ALL: [Place; 3] = [Place::Tenants, Place::Shared, Place::Copied];

    pub(crate) fn owner(self) -> u16 {
        self as u16
    }
}

pub(crate) fn of(schema: &Schema, table: TableId) -> Place {
    Place::ALL[usize::from(schema.table(table).owner)]
}

/// The scenario with places as owners. The names of its tables stay as they are.
pub(crate) fn laid_out(scenario: &Scenario) -> Scenario {
    let written = written(scenario);
    let mut laid_out = scenario.clone();
    laid_out.schema.owners = ["the tenants' databases", "the shared database", "the copied tables"]
        .map(str::to_owned)
        .to_vec();
    for id in scenario.schema.ids() {
        let place = match (scenario.schema.is_of_tenants(id), written.contains(&id)) {
            (true, _) => Place::Tenants,
            (false, true) => Place::Shared,
            (false, false) => Place::Copied,
        };
        laid_out.schema.tables[id.index()].owner = place.owner();
    }
    laid_out
}

/// The tables that operations write, or may change by what foreign keys do.
fn written(scenario: &Scenario) -> Vec<TableId> {
    let statements = scenario.operations.iter().flat_map(|operation| &operation.statements);
    let mut written: Vec<TableId> = statements.flat_map(|statement| &statement.writes).copied().collect();
    let acts = |action| !matches!(action, ReferentialAction::NoAction | ReferentialAction::Restrict);
    let mut next = 0;
    while let Some(parent) = written.get(next).copied() {
        for id in scenario
            .schema
            .ids()
            .filter(|id| !written.contains(id))
            .collect::<Vec<_>>()
        {
            let mut keys = scenario.schema.table(id).foreign_keys.iter();
            if keys.any(|key| key.table == parent && (acts(key.on_delete) || acts(key.on_update))) {
                written.push(id);
            }
        }
        next += 1;
    }
    written
}

/// Where the rows lie.
#[derive(Debug)]
pub(crate) struct Databases {
    /// By tenant, with the tenant's number.
    pub(crate) tenants: Vec<(i32, DatabaseId)>,
    pub(crate) shared: Option<DatabaseId>,
}

impl Databases {
    pub(crate) fn logical_table(&self, schema: &Schema, id: TableId) -> LogicalTable {
        let pattern = |database| logical_table(schema.table(id), database);
        let first = self.tenants.first().map(|(_, database)| *database);
        let mut logical = pattern(first.unwrap_or(DatabaseId(0)));
        logical.reads.clear();
        logical.loads.clear();
        let of_tenants = self
            .tenants
            .iter()
            .map(|(tenant, database)| (*database, Share::Tenant(*tenant)));
        let everywhere = of_tenants.clone().map(|(database, _)| database).chain(self.shared);
        let (read, loaded): (Vec<DatabaseId>, Vec<(DatabaseId, Share)>) = match of(schema, id) {
            Place::Tenants => (
                of_tenants.clone().map(|(database, _)| database).collect(),
                of_tenants.collect(),
            ),
            Place::Shared => {
                let shared: Vec<DatabaseId> = self.shared.into_iter().collect();
                (
                    shared.clone(),
                    shared.into_iter().map(|database| (database, Share::All)).collect(),
                )
            }
            Place::Copied => (
                first.into_iter().collect(),
                everywhere.map(|database| (database, Share::All)).collect(),
            ),
        };
        logical.reads = read.into_iter().flat_map(|database| pattern(database).reads).collect();
        for (database, share) in loaded {
            logical
                .loads
                .extend(pattern(database).loads.into_iter().map(|load| with_share(load, share)));
        }
        logical
    }
}

fn with_share(load: Load, share: Share) -> Load {
    match load {
        Load::Rows { database, table, .. } => Load::Rows { database, table, share },
        elsewhere @ (Load::Items { .. } | Load::Objects { .. }) => elsewhere,
    }
}

// ---- what is weakened

/// What each table's constraints have become.
pub(crate) fn weaken(assembly: &mut Assembly<'_>, databases: usize) {
    let schema = &assembly.scenario.schema;
    for id in schema.ids() {
        let table = schema.table(id);
        match of(schema, id) {
            Place::Tenants => keys(assembly, table),
            Place::Copied => assembly.weaken(
                format!("{}: one table", table.full_name()),
                &format!("copied {databases} times"),
                "each database has a copy, and no operation writes it; whoever changes it must change every copy",
            ),
            Place::Shared => {}
        }
        for key in &table.foreign_keys {
            foreign_key(assembly, id, key);
        }
    }
}

/// Keys that do not contain the tenant: nobody looks into all databases.
fn keys(assembly: &mut Assembly<'_>, table: &Table) {
    let primary = (!table.primary_key.is_empty()).then(|| ("PRIMARY KEY", table.primary_key.clone()));
    let unique = table.unique.iter().map(|unique| ("UNIQUE", unique.columns.clone()));
    let indexes = table.indexes.iter().filter(|index| index.unique);
    let indexes = indexes.map(|index| ("UNIQUE INDEX", index.columns.iter().map(|part| part.column).collect()));
    let mut seen = Vec::new();
    for (kind, columns) in primary.into_iter().chain(unique).chain(indexes) {
        let within_tenant = table.tenant.is_some_and(|tenant| columns.contains(&tenant));
        if within_tenant || seen.contains(&columns) {
            continue;
        }
        assembly.weaken(
            format!("{} {kind} ({})", table.full_name(), names(table, &columns)),
            "unique within each tenant's database",
            "no engine sees the rows of several tenants",
        );
        seen.push(columns);
    }
}

fn foreign_key(assembly: &mut Assembly<'_>, id: TableId, key: &ForeignKey) {
    let schema = &assembly.scenario.schema;
    let (table, target) = (schema.table(id), schema.table(key.table));
    if of(schema, key.table) != Place::Shared || of(schema, id) == Place::Shared {
        return;
    }
    let becomes = match action_words(key.on_delete) {
        Some(words) if !matches!(key.on_delete, ReferentialAction::Restrict) => {
            format!("a soft reference that nobody checks; ON DELETE {words} does not happen")
        }
        _ => "a soft reference that nobody checks".to_owned(),
    };
    assembly.weaken(
        format!(
            "{} ({}) REFERENCES {} ({})",
            table.full_name(),
            names(table, &key.columns),
            target.full_name(),
            names(target, &key.referenced)
        ),
        &becomes,
        "the two tables lie in different databases",
    );
}
