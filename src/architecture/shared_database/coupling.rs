//! Which services use tables that are another's, for what, and in which operations.

use std::collections::BTreeMap;

use scenario::{Action, Scenario, TableId};
use syntax::{Statement, identifier};

use crate::lower::assembly::Assembly;
use crate::sql::text::{identifiers, qualified};

/// What a service does to a table. In the order in which grants are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
}

impl Privilege {
    fn words(self) -> &'static str {
        match self {
            Privilege::Select => "SELECT",
            Privilege::Insert => "INSERT",
            Privilege::Update => "UPDATE",
            Privilege::Delete => "DELETE",
        }
    }
}

/// By service (its owner's number) and table of another owner.
#[derive(Debug)]
pub(super) struct Coupling {
    uses: BTreeMap<(u16, TableId), Use>,
}

#[derive(Debug, Default)]
struct Use {
    privileges: Vec<Privilege>,
    operations: Vec<String>,
}

impl Coupling {
    /// `homes`: by operation, the service that it is asked of.
    pub(super) fn of(scenario: &Scenario, homes: &[u16]) -> Coupling {
        let mut uses: BTreeMap<(u16, TableId), Use> = BTreeMap::new();
        for (operation, home) in scenario.operations.iter().zip(homes) {
            for statement in &operation.statements {
                let Action::Sql(sql) = &statement.action else { continue };
                let read = statement.reads.iter().map(|id| (*id, Privilege::Select));
                let written = statement.writes.iter().flat_map(|id| {
                    let each = privileges(sql).iter();
                    each.map(move |privilege| (*id, *privilege))
                });
                for (table, privilege) in read.chain(written) {
                    if scenario.schema.table(table).owner == *home {
                        continue;
                    }
                    let found = uses.entry((*home, table)).or_default();
                    if !found.privileges.contains(&privilege) {
                        found.privileges.push(privilege);
                    }
                    if !found.operations.contains(&operation.name) {
                        found.operations.push(operation.name.clone());
                    }
                }
            }
        }
        uses.values_mut().for_each(|found| found.privileges.sort_unstable());
        Coupling { uses }
    }

    /// A role for each service: its own schema, and of the others what it uses.
    pub(super) fn grants(&self, scenario: &Scenario) -> Vec<String> {
        let owners = &scenario.schema.owners;
        let mut ddl = Vec::new();
        for owner in owners {
            let role = identifier(&role(owner));
            let schema = identifier(owner);
            ddl.push(format!("CREATE ROLE {role} LOGIN"));
            ddl.push(format!("GRANT USAGE ON SCHEMA {schema} TO {role}"));
            ddl.push(format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
            ));
        }
        for (home, owner) in (0..).zip(owners) {
            let role = identifier(&role(owner));
            let theirs = self.uses.iter().filter(|((user, _), _)| *user == home);
            let mut schemas: Vec<&str> = Vec::new();
            for ((_, id), found) in theirs {
                let table = scenario.schema.table(*id);
                if !schemas.contains(&table.schema.as_str()) {
                    schemas.push(&table.schema);
                    ddl.push(format!(
                        "GRANT USAGE ON SCHEMA {} TO {role}",
                        identifiers([table.schema.as_str()])
                    ));
                }
                let privileges: Vec<&str> = found.privileges.iter().map(|p| p.words()).collect();
                let table = qualified(&table.schema, &table.name);
                ddl.push(format!("GRANT {} ON {table} TO {role}", privileges.join(", ")));
            }
        }
        ddl
    }

    pub(super) fn weaken(&self, assembly: &mut Assembly<'_>, walls: bool) {
        let scenario = assembly.scenario;
        for ((home, id), found) in &self.uses {
            let table = scenario.schema.table(*id);
            let user = &scenario.schema.owners[usize::from(*home)];
            let verb = if found.privileges == [Privilege::Select] {
                "reads"
            } else {
                "writes"
            };
            let becomes = format!("{user} {verb} it too, in {}", found.operations.join(", "));
            let reason = if walls {
                "a grant lets it through: the owner can no longer change the table alone"
            } else {
                "nothing in a shared database keeps a service from another's tables"
            };
            let constraint = format!("{}: only {} touches it", table.full_name(), table.schema);
            assembly.weaken(constraint, &becomes, reason);
        }
    }
}

/// What a statement needs on the table that it writes, besides reading it.
fn privileges(sql: &Statement) -> &'static [Privilege] {
    match sql {
        Statement::Insert(insert) if insert.on_conflict.is_some() => {
            &[Privilege::Select, Privilege::Insert, Privilege::Update]
        }
        Statement::Insert(insert) if insert.returning.is_some() => &[Privilege::Select, Privilege::Insert],
        Statement::Insert(_) => &[Privilege::Insert],
        // Their conditions read.
        Statement::Update(_) => &[Privilege::Select, Privilege::Update],
        Statement::Delete(_) => &[Privilege::Select, Privilege::Delete],
        // A write within WITH.
        _ => &[
            Privilege::Select,
            Privilege::Insert,
            Privilege::Update,
            Privilege::Delete,
        ],
    }
}

/// `auth_service`
pub(super) fn role(owner: &str) -> String {
    format!("{owner}_service")
}
