//! Where each row lies: `auth.users/7/user-17.json`, the table's folder, the tenant, the primary key.
//!
//! `unique/auth.users.email/a%40example.org.json`: the value is taken.
//!
//! The tenant leads where every row of the table has one. What a read knows of these parts from the left is the prefix that
//! it lists; who knows them all reads one object.

use std::collections::BTreeSet;
use std::sync::Arc;

use program::Expression;
use scenario::{ColumnId, Scenario, Table, TableId};

use crate::rows::names;
use crate::rows::partial::{Partial, partial};
use crate::rows::pattern::{Pattern, patterns};
use crate::rows::reading::uniques;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    tables: Vec<TableLayout>,
    pub(crate) patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TableLayout {
    /// `auth.users/`
    pub(crate) folder: Arc<str>,
    /// The tenant, if it leads; then the rest of the primary key.
    pub(crate) parts: Vec<ColumnId>,
    pub(crate) tenant: Option<ColumnId>,
    /// Without a primary key rows are told apart by a text of their own.
    keyed: bool,
    /// What holds values unique.
    pub(crate) guards: Vec<Guard>,
}

/// An object for each value that only one row may have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Guard {
    /// `unique/auth.users.email/`
    folder: Arc<str>,
    pub(crate) columns: Vec<ColumnId>,
    /// Of some rows only.
    partial: Option<Partial>,
}

/// How rows are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// By the whole key.
    Get,
    /// By so many of its parts, from the left.
    List(usize),
}

impl Layout {
    pub(crate) fn new(scenario: &Scenario) -> Layout {
        Layout {
            tables: scenario.schema.tables.iter().map(TableLayout::new).collect(),
            patterns: patterns(scenario, &[]),
        }
    }

    pub(crate) fn table(&self, id: TableId) -> &TableLayout {
        &self.tables[id.index()]
    }

    /// How a pattern's rows are found; whose they are is known where the operation has a tenant.
    pub(crate) fn serves(&self, pattern: &Pattern) -> Access {
        let table = self.table(pattern.table);
        let tenant = table.tenant.filter(|_| pattern.of_tenant);
        table.access(&pattern.equal.iter().copied().chain(tenant).collect())
    }

    /// For people: a line per table, and one per access pattern.
    pub(crate) fn reasons(&self, scenario: &Scenario) -> Vec<String> {
        let schema = &scenario.schema;
        let mut lines: Vec<String> = schema
            .ids()
            .map(|id| {
                format!(
                    "{}: {}",
                    schema.table(id).full_name(),
                    self.table(id).shown(schema.table(id))
                )
            })
            .collect();
        for id in schema.ids() {
            let guards = self.table(id).guards.iter();
            lines.extend(guards.map(|guard| {
                format!(
                    "{}<{}>.json: an object for each value that only one row may have",
                    guard.folder,
                    names(schema.table(id), &guard.columns)
                )
            }));
        }
        for pattern in &self.patterns {
            let table = schema.table(pattern.table);
            let columns: Vec<ColumnId> = pattern.equal.iter().copied().collect();
            let by = if columns.is_empty() {
                "all".to_owned()
            } else {
                format!("by {}", names(table, &columns))
            };
            let how = match self.serves(pattern) {
                Access::Get => "GET by the whole key".to_owned(),
                Access::List(0) => "LIST of the whole folder, and a GET for each key".to_owned(),
                Access::List(known) => {
                    let known = &self.table(pattern.table).parts[..known];
                    format!(
                        "LIST of the prefix with {}, and a GET for each key",
                        names(table, known)
                    )
                }
            };
            let line = format!("{}: {} {by} → {how}", pattern.operation, table.full_name());
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }
}

impl TableLayout {
    fn new(table: &Table) -> TableLayout {
        let tenant = table.tenant.filter(|tenant| table.column(*tenant).not_null);
        let rest = table.primary_key.iter().copied().filter(|id| Some(*id) != tenant);
        let mut folder = String::new();
        // The dot between them is the only one.
        for (name, end) in [(&table.schema, "."), (&table.name, "/")] {
            let mut encoded = String::new();
            program::encode(&mut encoded, name);
            folder.push_str(&encoded.replace('.', "%2E"));
            folder.push_str(end);
        }
        let whole = uniques(table).into_iter().map(|columns| {
            let name = format!("{}.{}", table.full_name(), names(table, &columns));
            Guard::new(&name, columns, None)
        });
        let some = partial(table).into_iter().map(|partial| {
            let name = partial.name(table);
            Guard::new(&name, partial.columns.clone(), Some(partial))
        });
        TableLayout {
            guards: whole.chain(some).collect(),
            folder: folder.into(),
            parts: tenant.into_iter().chain(rest).collect(),
            tenant,
            keyed: !table.primary_key.is_empty(),
        }
    }

    pub(crate) fn access(&self, known: &BTreeSet<ColumnId>) -> Access {
        let leading = self.parts.iter().take_while(|part| known.contains(part)).count();
        if leading == self.parts.len() && self.keyed {
            Access::Get
        } else {
            Access::List(leading)
        }
    }

    pub(crate) fn key(&self, value: &dyn Fn(ColumnId) -> Expression) -> Expression {
        let unique = (!self.keyed).then_some(Expression::RequestKey);
        Expression::Path {
            before: Arc::clone(&self.folder),
            parts: self.parts.iter().map(|part| value(*part)).chain(unique).collect(),
            after: ".json".into(),
        }
    }

    /// What all keys with these first parts begin with.
    pub(crate) fn prefix(&self, known: usize, value: &dyn Fn(ColumnId) -> Expression) -> Expression {
        Expression::Path {
            before: Arc::clone(&self.folder),
            parts: self.parts[..known].iter().map(|part| value(*part)).collect(),
            after: if known == 0 { "" } else { "/" }.into(),
        }
    }

    fn shown(&self, table: &Table) -> String {
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|part| format!("<{}>", table.column(*part).name))
            .collect();
        format!("{}{}.json", self.folder, parts.join("/"))
    }
}

impl Guard {
    fn new(name: &str, columns: Vec<ColumnId>, partial: Option<Partial>) -> Guard {
        let mut folder = "unique/".to_owned();
        program::encode(&mut folder, name);
        folder.push('/');
        Guard {
            folder: folder.into(),
            columns,
            partial,
        }
    }

    /// NULL, and so no key, if a value is, or if the row is not one of those that it is about.
    pub(crate) fn key(&self, table: &Table, value: &dyn Fn(ColumnId) -> Expression) -> Expression {
        let mut parts: Vec<Expression> = self.columns.iter().map(|column| value(*column)).collect();
        if let Some(partial) = &self.partial {
            let null = Expression::Constant(base::Value::Null);
            parts.push(partial.covered(table, value).unwrap_or(null));
        }
        Expression::Path {
            before: Arc::clone(&self.folder),
            parts,
            after: ".json".into(),
        }
    }

    /// The columns that decide which value is held.
    pub(crate) fn watched(&self, table: &Table) -> Vec<ColumnId> {
        let partial = self.partial.as_ref().map(|partial| partial.watched(table));
        partial.unwrap_or_else(|| self.columns.clone())
    }
}
