//! CREATE INDEX, DROP INDEX.

use std::collections::BTreeSet;
use std::sync::Arc;

use syntax::{CreateIndex, Expr, ExprKind, Name, ObjectName, StorageParameter};

use super::{Defined, Definer, already_exists};
use crate::SqlError;
use crate::bind::{Binder, RowClause, column_name, known_column};
use crate::catalog::{Index, IndexColumn, IndexKey, Table};
use crate::error::{Fallible, error, state};
use crate::exec::{contains, decode_row, entry_text, index_key};
use crate::key::Order;
use crate::storage::LockMode;

impl Definer<'_> {
    pub(super) fn create_index(&mut self, create: &CreateIndex) -> Defined {
        let table = self.table(&create.table)?;
        self.must_own(&table)?;
        let whole = table.partition_key.is_some();
        let locked = if whole {
            self.lock_descendants(&table, LockMode::Share)?
        } else {
            self.lock(table.id, LockMode::Share)?
        };
        if !locked {
            return Ok(None);
        }
        let mut columns = Vec::new();
        for part in &create.columns {
            columns.push(IndexColumn {
                key: self.index_part(&table, &part.expr)?,
                order: Order {
                    descending: part.descending,
                    nulls_first: part.nulls_first.unwrap_or(part.descending),
                },
            });
        }
        let mut included = Vec::new();
        for name in &create.included {
            included.push(indexed_column(&table, name)?);
        }
        index_parameters(&create.parameters)?;
        let name = match &create.name {
            Some(name) => name.text.clone(),
            None => self.index_name(&table, create),
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
            Some(condition) => Some(Binder::row_condition(
                self.names(),
                table.clone(),
                condition,
                RowClause::IndexCondition,
            )?),
            None => None,
        };
        let index = Index {
            id: self
                .core
                .storage
                .create_index(self.xid, table.heap, table.key_of(&columns)),
            name,
            columns,
            part_of: None,
            included,
            unique: create.unique,
            primary: false,
            constraint: false,
            filter,
        };
        if index.unique {
            let columns: Vec<u16> = index.key_columns().collect();
            self.check_partition_key_in(&table, &columns, false)?;
        }
        self.build_index(&table, &index)?;
        let before = table;
        let mut table = (*before).clone();
        table.indexes.push(index);
        let table = self.alter(table);
        if whole {
            self.adopt_keys_below(&table, &before)?;
        }
        Ok(Some("CREATE INDEX"))
    }

    /// A part of an index's key: a column, or an expression over a row that is the same at any time.
    fn index_part(&self, table: &Arc<Table>, expr: &Expr) -> Fallible<IndexKey> {
        if let ExprKind::Column(names) = &expr.kind
            && let Some(name) = names.last()
        {
            let column = indexed_column(table, name)?;
            return Ok(IndexKey::Column(column));
        }
        let expression = Binder::row_expression(self.names(), table.clone(), expr, RowClause::IndexExpression)?;
        Ok(IndexKey::Expression(Arc::new(expression)))
    }

    /// `table_column_function_idx`, numbered if taken.
    fn index_name(&self, table: &Table, create: &CreateIndex) -> Arc<str> {
        let mut parts: Vec<String> = Vec::new();
        let keys = create.columns.iter().map(|part| key_name(&part.expr));
        for part in keys.chain(create.included.iter().map(|name| name.text.clone())) {
            let taken = |name: &str| parts.iter().any(|part| part == name);
            let numbered = (1..).map(|number| format!("{part}{number}"));
            let mut candidates = std::iter::once(part.to_string()).chain(numbered);
            parts.extend(candidates.find(|name| !taken(name)));
        }
        self.free_index_name(table, &parts)
    }

    /// The name of an index that came from a partitioned table's.
    pub(super) fn derived_index_name(&self, table: &Table, columns: &[IndexColumn], included: &[u16]) -> Arc<str> {
        let keys = columns.iter().map(|part| match &part.key {
            IndexKey::Column(column) => table.columns[usize::from(*column)].name.to_string(),
            IndexKey::Expression(expression) => key_name(&expression.expression).to_string(),
        });
        let included = included
            .iter()
            .map(|column| table.columns[usize::from(*column)].name.to_string());
        let parts: Vec<String> = keys.chain(included).collect();
        self.free_index_name(table, &parts)
    }

    fn free_index_name(&self, table: &Table, parts: &[String]) -> Arc<str> {
        let stem = format!("{}_{}_idx", table.name, parts.join("_"));
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
        if index.unique {
            let mut seen = BTreeSet::new();
            self.each_row(table, &mut |values| {
                let mut key = Vec::new();
                if !contains(index, values, now)? || index_key(index, values, now, &mut key)? || seen.insert(key) {
                    return Ok(());
                }
                let message = format!("could not create unique index \"{}\"", index.name);
                Err(error(state::UNIQUE_VIOLATION, message)
                    .detail(format!("{} is duplicated.", entry_text(table, index, values, now))))
            })?;
        }
        let mut entries = Vec::new();
        let mut refusal = Ok(());
        let entry = |values: &[base::Value]| -> Fallible<Option<Vec<u8>>> {
            let mut key = Vec::new();
            if !contains(index, values, now)? {
                return Ok(None);
            }
            index_key(index, values, now, &mut key)?;
            Ok(Some(key))
        };
        self.core
            .storage
            .scan_for_build(table.heap, &mut |root, bytes| match entry(&decode_row(table, bytes)) {
                Ok(key) => entries.extend(key.map(|key| (key, root))),
                Err(error) => refusal = Err(error),
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
            if !self.lock_descendants(&table, LockMode::AccessExclusive)? {
                return Ok(None);
            }
            let mut table = (*table).clone();
            if let Some(at) = table.indexes.iter().position(|index| index.name == name.name.text) {
                if let Some(whole) = &table.indexes[at].part_of {
                    let message = format!("cannot drop index {} because index {whole} requires it", name.name.text);
                    return Err(
                        error(state::DEPENDENT_OBJECTS, message).hint(format!("You can drop index {whole} instead."))
                    );
                }
                if table.indexes[at].constraint {
                    let (index, table) = (&name.name.text, &table.name);
                    let message =
                        format!("cannot drop index {index} because constraint {index} on table {table} requires it");
                    return Err(error(state::DEPENDENT_OBJECTS, message)
                        .hint(format!("You can drop constraint {index} on table {table} instead.")));
                }
                let index = table.indexes.remove(at);
                self.core.storage.drop_index(self.xid, index.id);
                let table = self.alter(table);
                self.drop_parts_of(&table, &index.name);
            }
        }
        Ok(Some("DROP INDEX"))
    }

    /// Indexes of partitions that are parts of one that has gone.
    pub(super) fn drop_parts_of(&mut self, table: &Table, index: &str) {
        for child in self.core.catalog.children(table, self.own()) {
            let is_part = |own: &Index| own.part_of.as_deref() == Some(index);
            let Some(at) = child.indexes.iter().position(is_part) else {
                continue;
            };
            let mut child = (*child).clone();
            let part = child.indexes.remove(at);
            self.core.storage.drop_index(self.xid, part.id);
            let child = self.alter(child);
            self.drop_parts_of(&child, &part.name);
        }
    }

    /// Gives all below a partitioned table the keys that it has got since `before`.
    fn adopt_keys_below(&mut self, table: &Table, before: &Table) -> Fallible<()> {
        for child in self.core.catalog.children(table, self.own()) {
            let adopted = self.adopt_keys((*child).clone(), table, before)?;
            let adopted = self.alter(adopted);
            self.adopt_keys_below(&adopted, &child)?;
        }
        Ok(())
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

fn indexed_column(table: &Table, name: &Name) -> Fallible<u16> {
    known_column(table, name).map_err(|_| {
        let message = format!("column \"{}\" does not exist", name.text);
        error(state::UNDEFINED_COLUMN, message)
    })
}

/// What an expression adds to the name of its index.
fn key_name(expr: &Expr) -> Arc<str> {
    let name = column_name(expr);
    if &*name == "?column?" { "expr".into() } else { name }
}

/// B-tree pages here are always full but for the last: a fill factor changes nothing that is counted.
fn index_parameters(parameters: &[StorageParameter]) -> Fallible<()> {
    for parameter in parameters {
        match &*parameter.name.text {
            "fillfactor" => drop(super::parameter::fill_factor(parameter, 10)?),
            "deduplicate_items" => {}
            _ => return Err(super::parameter::unrecognized(parameter)),
        }
    }
    Ok(())
}
