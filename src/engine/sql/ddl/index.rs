//! CREATE INDEX, DROP INDEX.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::Type;
use syntax::{CreateIndex, ExprKind, ObjectName};

use super::{Defined, Definer, already_exists};
use crate::SqlError;
use crate::bind::{Binder, known_column};
use crate::catalog::{Index, IndexColumn, Table};
use crate::error::{Fallible, error, state, unsupported};
use crate::exec::{decode_row, failing_key, index_key, row_condition};
use crate::key::Order;
use crate::storage::LockMode;

impl Definer<'_> {
    pub(super) fn create_index(&mut self, create: &CreateIndex) -> Defined {
        let table = self.names().table(&create.table)?.clone();
        self.must_own(&table)?;
        if !self.lock(table.id, LockMode::Share)? {
            return Ok(None);
        }
        let mut columns = Vec::new();
        for part in &create.columns {
            let ExprKind::Column(names) = &part.expr.kind else {
                return Err(unsupported("an index on an expression").at(part.expr.span));
            };
            let Some(name) = names.last() else {
                continue;
            };
            let column = known_column(&table, name).map_err(|_| {
                let message = format!("column \"{}\" does not exist", name.text);
                error(state::UNDEFINED_COLUMN, message)
            })?;
            if table.columns[usize::from(column)].data_type == Type::Jsonb {
                return Err(unsupported("an index on jsonb").at(part.expr.span));
            }
            columns.push(IndexColumn {
                column,
                order: Order {
                    descending: part.descending,
                    nulls_first: part.nulls_first.unwrap_or(part.descending),
                },
            });
        }
        let name = match &create.name {
            Some(name) => name.text.clone(),
            None => self.index_name(&table, &columns),
        };
        if self
            .core
            .catalog
            .relation_exists(table.database, &table.schema, &name, self.own())
        {
            if !create.if_not_exists {
                return Err(already_exists(&name));
            }
            self.notice(format!("relation \"{name}\" already exists, skipping"));
            return Ok(Some("CREATE INDEX"));
        }
        let filter = match &create.filter {
            Some(condition) => Some(Binder::row_condition(self.names(), table.clone(), condition, "WHERE")?),
            None => None,
        };
        let index = Index {
            id: self.core.storage.create_index(self.xid, table.heap),
            name,
            columns,
            unique: create.unique,
            primary: false,
            constraint: false,
            filter,
        };
        self.build_index(&table, &index)?;
        let mut table = (*table).clone();
        table.indexes.push(index);
        self.alter(table);
        Ok(Some("CREATE INDEX"))
    }

    /// `table_column_column_idx`, numbered if taken.
    fn index_name(&self, table: &Table, columns: &[IndexColumn]) -> Arc<str> {
        let mut stem = table.name.to_string();
        for part in columns {
            stem.push('_');
            stem.push_str(&table.columns[usize::from(part.column)].name);
        }
        stem.push_str("_idx");
        let mut name = stem.clone();
        for number in 1.. {
            let catalog = &self.core.catalog;
            if !catalog.relation_exists(table.database, &table.schema, &name, self.own()) {
                break;
            }
            name = format!("{stem}{number}");
        }
        name.into()
    }

    /// Enters the rows that are there. A unique index refuses live rows with equal keys.
    pub(super) fn build_index(&mut self, table: &Table, index: &Index) -> Fallible<()> {
        let now = self.core.timestamp(self.session.transaction.started);
        let belongs = |values: &[base::Value]| -> Fallible<bool> {
            match &index.filter {
                None => Ok(true),
                Some(condition) => Ok(row_condition(condition, values, now)? == Some(true)),
            }
        };
        if index.unique {
            let mut seen = BTreeSet::new();
            let columns: Vec<u16> = index.columns.iter().map(|part| part.column).collect();
            self.each_row(table, &mut |values| {
                let mut key = Vec::new();
                if !belongs(values)? || index_key(index, values, &mut key) || seen.insert(key) {
                    return Ok(());
                }
                let message = format!("could not create unique index \"{}\"", index.name);
                Err(error(state::UNIQUE_VIOLATION, message)
                    .detail(format!("{} is duplicated.", failing_key(table, &columns, values))))
            })?;
        }
        let mut entries = Vec::new();
        let mut refusal = Ok(());
        self.core.storage.scan_for_build(table.heap, &mut |root, bytes| {
            let values = decode_row(table, bytes);
            match belongs(&values) {
                Ok(true) => {
                    let mut key = Vec::new();
                    index_key(index, &values, &mut key);
                    entries.push((key, root));
                }
                Ok(false) => {}
                Err(error) => refusal = Err(error),
            }
        });
        refusal?;
        for (key, root) in entries {
            self.core
                .storage
                .index_insert(index.id, &key, root)
                .map_err(SqlError::from)?;
        }
        Ok(())
    }

    pub(super) fn drop_indexes(&mut self, names: &[ObjectName], if_exists: bool) -> Defined {
        for name in names {
            let Some(table) = self.table_of_index(name) else {
                let message = format!("index \"{}\" does not exist", name.name.text);
                if !if_exists {
                    return Err(error(state::UNDEFINED_OBJECT, message));
                }
                self.notice(format!("{message}, skipping"));
                continue;
            };
            self.must_own_as(&table, "index", &name.name.text)?;
            if !self.lock(table.id, LockMode::AccessExclusive)? {
                return Ok(None);
            }
            let mut table = (*table).clone();
            if let Some(at) = table.indexes.iter().position(|index| index.name == name.name.text) {
                if table.indexes[at].constraint {
                    let (index, table) = (&name.name.text, &table.name);
                    let message =
                        format!("cannot drop index {index} because constraint {index} on table {table} requires it");
                    return Err(error(state::DEPENDENT_OBJECTS, message)
                        .hint(format!("You can drop constraint {index} on table {table} instead.")));
                }
                let index = table.indexes.remove(at);
                self.core.storage.drop_index(self.xid, index.id);
                self.alter(table);
            }
        }
        Ok(Some("DROP INDEX"))
    }

    fn table_of_index(&self, name: &ObjectName) -> Option<Arc<Table>> {
        let database = self.session.database;
        let in_schema = |schema: &str| {
            let catalog = &self.core.catalog;
            catalog
                .index_named(database, schema, &name.name.text, self.own())
                .cloned()
        };
        match &name.schema {
            Some(schema) => in_schema(&schema.text),
            None => self.session.search_path().iter().find_map(|schema| in_schema(schema)),
        }
    }
}
