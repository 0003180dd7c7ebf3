//! All owners' tables in one schema: the same scenario with other names for its tables.
//!
//! A table or an index keeps its name where no other owner has one of that name; else it is called after its owner too.
//! Statements go on calling a table what they did, by an alias.

use scenario::{Action, Compensation, Scenario, Schema, Table};
use syntax::visit::{Rewriter, rewrite};
use syntax::{Expr, ExprKind, Name, ObjectName, Statement, TableAlias, TableRef};

/// The schema that everything lies in.
const SCHEMA: &str = "app";

pub(super) fn of(scenario: &Scenario) -> Scenario {
    let mut physical = scenario.clone();
    let names = Names {
        schema: &scenario.schema,
    };
    for table in &mut physical.schema.tables {
        let owner = std::mem::replace(&mut table.schema, SCHEMA.to_owned());
        table.name = names.physical(&owner, &table.name);
        let indexes = table.indexes.iter_mut().filter_map(|index| index.name.as_mut());
        let keys = table.unique.iter_mut().filter_map(|unique| unique.name.as_mut());
        for name in indexes.chain(keys) {
            *name = names.physical(&owner, name);
        }
    }
    let mut renaming = Renaming { names };
    for statement in physical
        .operations
        .iter_mut()
        .flat_map(|operation| &mut operation.statements)
    {
        if let Action::Sql(sql) = &mut statement.action {
            renaming.statement(sql);
        }
        if let Compensation::Written(sql) = &mut statement.marks.compensation {
            renaming.statement(sql);
        }
    }
    physical
}

struct Names<'a> {
    schema: &'a Schema,
}

impl Names<'_> {
    /// Of a table, an index or a key: they share their names.
    fn physical(&self, owner: &str, name: &str) -> String {
        let taken = |table: &Table| {
            let indexes = table.indexes.iter().filter_map(|index| index.name.as_deref());
            let keys = table.unique.iter().filter_map(|unique| unique.name.as_deref());
            table.name == name || indexes.chain(keys).any(|other| other == name)
        };
        if self
            .schema
            .tables
            .iter()
            .any(|table| table.schema != owner && taken(table))
        {
            format!("{owner}_{name}")
        } else {
            name.to_owned()
        }
    }
}

struct Renaming<'a> {
    names: Names<'a>,
}

impl Renaming<'_> {
    /// The name by which the statement goes on calling it, if that is another one now.
    fn rename(&self, name: &mut ObjectName) -> Option<Name> {
        let table = self.names.schema.table(self.names.schema.find(name)?);
        let physical = self.names.physical(&table.schema, &table.name);
        let called = name.name.clone();
        *name = ObjectName {
            schema: Some(Name::new(SCHEMA)),
            name: Name::new(physical.as_str()),
        };
        (physical != table.name).then_some(called)
    }
}

impl Rewriter for Renaming<'_> {
    fn statement(&mut self, statement: &mut Statement) {
        let (table, alias) = match statement {
            Statement::Insert(insert) => (&mut insert.table, &mut insert.alias),
            Statement::Update(update) => (&mut update.table, &mut update.alias),
            Statement::Delete(delete) => (&mut delete.table, &mut delete.alias),
            _ => return rewrite::walk_statement(self, statement),
        };
        if let Some(called) = self.rename(table) {
            alias.get_or_insert(called);
        }
        rewrite::walk_statement(self, statement);
    }

    fn table_ref(&mut self, table: &mut TableRef) {
        if let TableRef::Table { name, alias, .. } = table
            && let Some(called) = self.rename(name)
        {
            alias.get_or_insert(TableAlias {
                name: called,
                columns: Vec::new(),
            });
        }
        rewrite::walk_table_ref(self, table);
    }

    fn expr(&mut self, expr: &mut Expr) {
        // `auth.users.id`: what the table is called is enough.
        if let ExprKind::Column(parts) = &mut expr.kind
            && parts.len() == 3
        {
            parts.remove(0);
        }
        rewrite::walk_expr(self, expr);
    }
}
