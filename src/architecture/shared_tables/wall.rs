//! Roles, grants and policies: who gets through to which rows.
//!
//! A table with the tenant column is guarded by it. One without it that refers to a guarded table is guarded through
//! that reference: its rows belong to whoever may see what they refer to. All other tables are shared, and need a GRANT
//! only.

use base::Type;
use scenario::{ForeignKey, Scenario, Table, TableId};
use syntax::identifier;

use super::TENANT_SETTING;
use super::access::Access;
use crate::lower::assembly::Assembly;
use crate::lower::definitions::{definitions, short_type};
use crate::sql::text::{identifiers, qualified};
use crate::{Mistake, Options};

/// Owns the tables, and is nobody's login.
pub(super) const OWNER: &str = "table_owner";

/// By table: what guards it.
#[derive(Debug)]
pub(super) struct Wall {
    guards: Vec<Option<Guard>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    TenantColumn,
    /// The foreign key of this place.
    Reference(usize),
}

impl Wall {
    pub(super) fn new(scenario: &Scenario) -> Wall {
        let schema = &scenario.schema;
        let by_column = |table: &Table| table.tenant.map(|_| Guard::TenantColumn);
        let mut wall = Wall {
            guards: schema.tables.iter().map(by_column).collect(),
        };
        // A guard leads to a table that was guarded before it, so that no chain of references is a circle.
        while let Some((id, guard)) = schema
            .ids()
            .find_map(|id| Some((id, wall.reference(schema.table(id), id)?)))
        {
            wall.guards[id.index()] = Some(guard);
        }
        wall
    }

    pub(super) fn guards(&self, table: TableId) -> bool {
        self.guards[table.index()].is_some()
    }

    /// The reference that would guard a table that nothing guards yet; one that is never NULL comes first.
    fn reference(&self, table: &Table, id: TableId) -> Option<Guard> {
        if self.guards(id) {
            return None;
        }
        let guarded = || {
            table
                .foreign_keys
                .iter()
                .enumerate()
                .filter(|(_, key)| self.guards(key.table))
        };
        let certain = guarded().find(|(_, key)| !may_be_null(table, key));
        certain.or_else(|| guarded().next()).map(|(at, _)| Guard::Reference(at))
    }

    // ---- definitions

    pub(super) fn definitions(&self, scenario: &Scenario, access: &[Access], options: &Options) -> Vec<String> {
        let schema = &scenario.schema;
        let as_owner = options.has(Mistake::RunsAsOwner);
        let mut ddl = vec![format!("CREATE ROLE {OWNER}{}", if as_owner { " LOGIN" } else { "" })];
        let mut roles = vec!["application"];
        roles.extend(crossing(access).into_iter().map(|crossing| crossing.role(options)));
        ddl.extend(roles.iter().map(|role| format!("CREATE ROLE {role} LOGIN")));
        ddl.extend(definitions(scenario, |_| true));
        let schemas = identifiers(schema.owners.iter().map(String::as_str));
        if !schemas.is_empty() {
            // The owner too: foreign keys are checked in its name.
            ddl.push(format!(
                "GRANT USAGE ON SCHEMA {schemas} TO {OWNER}, {}",
                roles.join(", ")
            ));
            ddl.push(format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schemas} TO application"
            ));
        }
        for id in schema.ids() {
            let table = schema.table(id);
            let name = qualified(&table.schema, &table.name);
            ddl.push(format!("ALTER TABLE {name} OWNER TO {OWNER}"));
            if let Some(guard) = self.guards[id.index()] {
                ddl.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
                if !as_owner {
                    ddl.push(format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY"));
                }
                let condition = condition(scenario, table, guard);
                ddl.push(format!(
                    "CREATE POLICY tenant_isolation ON {name} TO application USING ({condition}) WITH CHECK ({condition})"
                ));
            }
        }
        for crossing in crossing(access) {
            for id in tables_of(scenario, access, crossing) {
                ddl.extend(self.passage(scenario, id, crossing, options));
            }
        }
        ddl
    }

    /// What lets a role that crosses tenants through to a table.
    fn passage(&self, scenario: &Scenario, id: TableId, crossing: Access, options: &Options) -> Vec<String> {
        let table = scenario.schema.table(id);
        let (name, role) = (qualified(&table.schema, &table.name), crossing.role(options));
        let (privileges, command) = match crossing {
            Access::Tenant | Access::Reporting => ("SELECT", " FOR SELECT"),
            Access::BackOffice => ("SELECT, INSERT, UPDATE, DELETE", ""),
        };
        let mut ddl = vec![format!("GRANT {privileges} ON {name} TO {role}")];
        if self.guards(id) {
            ddl.push(format!(
                "CREATE POLICY {role}_crosses_tenants ON {name}{command} TO {role} USING (true)"
            ));
        }
        ddl
    }

    // ---- what is lost

    pub(super) fn weaken(&self, assembly: &mut Assembly<'_>, access: &[Access]) {
        let scenario = assembly.scenario;
        for crossing in crossing(access) {
            let by: Vec<&str> = scenario
                .operations
                .iter()
                .zip(access)
                .filter(|(_, access)| **access == crossing)
                .map(|(operation, _)| operation.name.as_str())
                .collect();
            let becomes = match crossing {
                Access::Tenant | Access::Reporting => "open to the role reporting, which reads all tenants' rows",
                Access::BackOffice => "open to the role back_office, which reads and changes all tenants' rows",
            };
            let reason = format!("no parameter of {} is its tenant", by.join(", "));
            for id in tables_of(scenario, access, crossing) {
                if self.guards(id) {
                    let constraint = format!("tenant isolation of {}", scenario.schema.table(id).full_name());
                    assembly.weaken(constraint, becomes, &reason);
                }
            }
        }
    }
}

/// The ways across tenants that are needed.
fn crossing(access: &[Access]) -> Vec<Access> {
    let mut needed = vec![Access::Reporting, Access::BackOffice];
    needed.retain(|crossing| access.contains(crossing));
    needed
}

/// What the operations that come this way touch, each table once.
fn tables_of(scenario: &Scenario, access: &[Access], crossing: Access) -> Vec<TableId> {
    let operations = scenario.operations.iter().zip(access);
    let these = operations.filter(|(_, access)| **access == crossing);
    let mut tables: Vec<TableId> = these.flat_map(|(operation, _)| operation.tables()).collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

fn may_be_null(table: &Table, key: &ForeignKey) -> bool {
    key.columns.iter().any(|column| !table.column(*column).not_null)
}

/// Which rows of a table a tenant's transaction may see and write.
fn condition(scenario: &Scenario, table: &Table, guard: Guard) -> String {
    match guard {
        Guard::TenantColumn => {
            let column = table.tenant.map(|id| table.column(id));
            column.map_or_else(String::new, |column| {
                format!("{} = {}", identifier(&column.name), present_tenant(column.data_type))
            })
        }
        Guard::Reference(at) => {
            let key = &table.foreign_keys[at];
            let reference = seen(scenario, table, key);
            if may_be_null(table, key) {
                // A row that refers to nothing belongs to nobody, and so to all.
                let nothing = key.columns.iter().map(|column| {
                    let column = identifier(&table.column(*column).name);
                    format!("{column} IS NULL")
                });
                format!("{} OR {reference}", nothing.collect::<Vec<_>>().join(" OR "))
            } else {
                reference
            }
        }
    }
}

/// The tenant that the transaction has named. After a transaction the setting is not missing but empty, and either
/// means nobody.
fn present_tenant(data_type: Type) -> String {
    let setting = format!("NULLIF(current_setting('{TENANT_SETTING}', true), '')");
    match data_type {
        Type::Text => setting,
        other => format!("{setting}::{}", short_type(other)),
    }
}

/// The row referred to is one that the policies of its own table let through.
fn seen(scenario: &Scenario, table: &Table, key: &ForeignKey) -> String {
    let target = scenario.schema.table(key.table);
    let alias = if table.name == "referred" {
        "referred_row"
    } else {
        "referred"
    };
    let equal = key.columns.iter().zip(&key.referenced).map(|(own, other)| {
        format!(
            "{alias}.{} = {}.{}",
            identifier(&target.column(*other).name),
            identifier(&table.name),
            identifier(&table.column(*own).name)
        )
    });
    format!(
        "EXISTS (SELECT 1 FROM {} AS {alias} WHERE {})",
        qualified(&target.schema, &target.name),
        equal.collect::<Vec<_>>().join(" AND ")
    )
}
