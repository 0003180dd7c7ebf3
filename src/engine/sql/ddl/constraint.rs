//! Constraints of a table: their names, what they need, what they make.

use std::sync::Arc;

use base::{Type, Value};
use syntax::{ConstraintKind, Expr, ExprKind, Name, ObjectName, Privilege, ReferentialAction, Span, TableConstraint};

use super::{Definer, already_exists};
use crate::bind::{Binder, RowClause, known_column};
use crate::catalog::{Check, ForeignKey, Index, IndexColumn, IndexKey, RowExpression, Table};
use crate::error::{Fallible, error, state, unsupported};
use crate::exec::{decode_row, failing_key, row_condition};
use crate::key::Order;
use crate::storage::CommandId;

impl Definer<'_> {
    /// Adds constraints to a table that this transaction has locked.
    pub(super) fn add_constraints(&mut self, table: Table, constraints: &[TableConstraint]) -> Fallible<Table> {
        let mut table = table;
        let is_key = |constraint: &&TableConstraint| matches!(constraint.kind, ConstraintKind::PrimaryKey(_));
        // The primary key's index comes first, foreign keys come last: they may refer to this very table.
        let is_foreign = |constraint: &&TableConstraint| matches!(constraint.kind, ConstraintKind::ForeignKey { .. });
        let keys = constraints.iter().filter(is_key);
        let others = constraints
            .iter()
            .filter(|constraint| !is_key(constraint) && !is_foreign(constraint));
        let foreign = constraints.iter().filter(is_foreign);
        for constraint in keys.chain(others).chain(foreign) {
            table = self.add_constraint(table, constraint)?;
        }
        Ok(table)
    }

    pub(super) fn add_constraint(&mut self, mut table: Table, constraint: &TableConstraint) -> Fallible<Table> {
        match &constraint.kind {
            ConstraintKind::PrimaryKey(columns) => {
                if table.primary_key().is_some() {
                    let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
                    return Err(error(state::INVALID_TABLE_DEFINITION, message));
                }
                let columns = key_columns(&table, columns, constraint.span)?;
                for column in &columns {
                    self.require_not_null(&table, *column)?;
                    table.columns[usize::from(*column)].not_null = true;
                }
                let name = self.constraint_name(&table, constraint.name.as_ref(), &[], "pkey")?;
                self.add_unique(&mut table, name, columns, true)?;
            }
            ConstraintKind::Unique(columns) => {
                let columns = key_columns(&table, columns, constraint.span)?;
                let name = self.constraint_name(&table, constraint.name.as_ref(), &columns, "key")?;
                self.add_unique(&mut table, name, columns, false)?;
            }
            ConstraintKind::Check(expression) => self.add_check(&mut table, constraint, expression)?,
            ConstraintKind::ForeignKey {
                columns,
                table: parent,
                referenced,
                on_delete,
                on_update,
            } => {
                let actions = (*on_delete, *on_update);
                let key = self.foreign_key(&table, constraint, columns, parent, referenced, actions)?;
                self.check_foreign_rows(&table, &key)?;
                table.foreign_keys.push(key);
            }
        }
        Ok((*self.alter(table)).clone())
    }

    fn add_unique(&mut self, table: &mut Table, name: Arc<str>, columns: Vec<u16>, primary: bool) -> Fallible<()> {
        self.check_partition_key_in(table, &columns, primary)?;
        let order = Order::default();
        let columns: Vec<IndexColumn> = columns
            .into_iter()
            .map(|column| IndexColumn {
                key: IndexKey::Column(column),
                order,
            })
            .collect();
        let key_of = table.key_of(&columns);
        let index = Index {
            id: self.core.storage.create_index(self.xid, table.heap, key_of),
            name,
            columns,
            part_of: None,
            included: Vec::new(),
            unique: true,
            primary,
            constraint: true,
            filter: None,
        };
        self.build_index(table, &index)?;
        table.indexes.push(index);
        Ok(())
    }

    fn add_check(&mut self, table: &mut Table, constraint: &TableConstraint, expression: &Expr) -> Fallible<()> {
        let condition = Binder::row_condition(self.names(), Arc::new(table.clone()), expression, RowClause::Check)?;
        let mut columns = Vec::new();
        columns_of(expression, table, &mut columns);
        // Named after its column if it has just one.
        let named: &[u16] = if columns.len() == 1 { &columns } else { &[] };
        let name = self.constraint_name(table, constraint.name.as_ref(), named, "check")?;
        self.check_rows(table, &name, &condition)?;
        table.checks.push(Check { name, condition });
        table.checks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(())
    }

    /// Every row that is there must meet a new check.
    pub(super) fn check_rows(&mut self, table: &Table, name: &str, condition: &RowExpression) -> Fallible<()> {
        let now = self.core.timestamp(self.session.transaction.started);
        self.each_row(table, &mut |values| {
            if row_condition(condition, values, now)? != Some(false) {
                return Ok(());
            }
            let message = format!(
                "check constraint \"{name}\" of relation \"{}\" is violated by some row",
                table.name
            );
            Err(error(state::CHECK_VIOLATION, message))
        })
    }

    fn foreign_key(
        &mut self,
        table: &Table,
        constraint: &TableConstraint,
        columns: &[Name],
        parent: &ObjectName,
        referenced: &[Name],
        (on_delete, on_update): (ReferentialAction, ReferentialAction),
    ) -> Fallible<ForeignKey> {
        if on_delete == ReferentialAction::SetDefault || on_update == ReferentialAction::SetDefault {
            return Err(unsupported("SET DEFAULT of a foreign key").at(constraint.span));
        }
        let columns = foreign_columns(table, columns, "referenced in foreign key constraint")?;
        let parent = self.table(parent)?;
        self.must_have(&parent, &[Privilege::References])?;
        let parent_columns = if referenced.is_empty() {
            let key = parent.primary_key().ok_or_else(|| {
                let message = format!("there is no primary key for referenced table \"{}\"", parent.name);
                error(state::UNDEFINED_OBJECT, message)
            })?;
            key.key_columns().collect()
        } else {
            foreign_columns(&parent, referenced, "referenced in foreign key constraint")?
        };
        if columns.len() != parent_columns.len() {
            return Err(error(
                state::INVALID_FOREIGN_KEY,
                "number of referencing and referenced columns for foreign key disagree",
            ));
        }
        if parent.unique_index_over(&parent_columns).is_none() {
            let message = format!(
                "there is no unique constraint matching given keys for referenced table \"{}\"",
                parent.name
            );
            return Err(error(state::INVALID_FOREIGN_KEY, message));
        }
        let name = self.constraint_name(table, constraint.name.as_ref(), &columns, "fkey")?;
        for (column, parent_column) in columns.iter().zip(&parent_columns) {
            let (mine, theirs) = (
                &table.columns[usize::from(*column)],
                &parent.columns[usize::from(*parent_column)],
            );
            let integers = Type::is_whole;
            if mine.data_type != theirs.data_type && !(integers(mine.data_type) && integers(theirs.data_type)) {
                let message = format!("foreign key constraint \"{name}\" cannot be implemented");
                return Err(error(state::DATATYPE_MISMATCH, message).detail(format!(
                    "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                    mine.name, theirs.name, mine.data_type, theirs.data_type
                )));
            }
        }
        Ok(ForeignKey {
            name,
            columns,
            parent: parent.id,
            parent_columns,
            on_delete,
            on_update,
            deferral: constraint.deferral,
        })
    }

    /// Every row that is there must have its parent.
    pub(super) fn check_foreign_rows(&mut self, table: &Table, key: &ForeignKey) -> Fallible<()> {
        let parent = match self.core.catalog.table(key.parent, self.own()) {
            Some(parent) if parent.id == table.id => table.clone(),
            Some(parent) => (**parent).clone(),
            None => return Ok(()),
        };
        let pick = |columns: &[u16], values: &[Value]| -> Option<Vec<u8>> {
            let mut bytes = Vec::new();
            for column in columns {
                let value = &values[usize::from(*column)];
                if value.is_null() {
                    return None;
                }
                crate::key::encode(value, Order::default(), &mut bytes);
            }
            Some(bytes)
        };
        let mut present = std::collections::BTreeSet::new();
        for part in self.core.catalog.descendants(&Arc::new(parent.clone()), self.own()) {
            let columns = part.columns_of(&parent);
            let columns = key
                .parent_columns
                .iter()
                .filter_map(|column| columns[usize::from(*column)]);
            let columns: Vec<u16> = columns.collect();
            self.each_row(&part, &mut |values| {
                present.extend(pick(&columns, values));
                Ok(())
            })?;
            if parent.partition_key.is_none() {
                break;
            }
        }
        let mut refusal = Ok(());
        self.each_row(table, &mut |values| {
            if refusal.is_ok() && pick(&key.columns, values).is_some_and(|bytes| !present.contains(&bytes)) {
                let message = format!(
                    "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
                    table.name, key.name
                );
                refusal = Err(error(state::FOREIGN_KEY_VIOLATION, message).detail(format!(
                    "{} is not present in table \"{}\".",
                    failing_key(table, &key.columns, values),
                    parent.name
                )));
            }
            Ok(())
        })?;
        refusal
    }

    pub(super) fn require_not_null(&mut self, table: &Table, column: u16) -> Fallible<()> {
        let definition = &table.columns[usize::from(column)];
        if definition.not_null {
            return Ok(());
        }
        let mut has_null = false;
        self.each_row(table, &mut |values| {
            has_null |= values[usize::from(column)].is_null();
            Ok(())
        })?;
        if has_null {
            let message = format!(
                "column \"{}\" of relation \"{}\" contains null values",
                definition.name, table.name
            );
            return Err(error(state::NOT_NULL_VIOLATION, message));
        }
        Ok(())
    }

    /// Visits the rows that are visible now.
    pub(super) fn each_row(&mut self, table: &Table, visit: &mut dyn FnMut(&[Value]) -> Fallible<()>) -> Fallible<()> {
        let transaction = &self.session.transaction;
        let (xid, command) = (transaction.xid, CommandId(transaction.command.0 + 1));
        let snapshot = self.core.storage.snapshot(self.session.id, xid, command);
        let mut cursor = self.core.storage.scan(table.heap);
        while let Some((_, bytes)) = self.core.storage.next_visible(&mut cursor, &snapshot) {
            visit(&decode_row(table, bytes))?;
        }
        Ok(())
    }

    /// The given name, or the one that PostgreSQL makes: `table_column_suffix`, numbered if taken.
    pub(super) fn constraint_name(
        &self,
        table: &Table,
        given: Option<&Name>,
        columns: &[u16],
        suffix: &str,
    ) -> Fallible<Arc<str>> {
        let is_index = matches!(suffix, "pkey" | "key");
        let taken = |name: &str| {
            let in_table = table
                .indexes
                .iter()
                .any(|index| index.constraint && *index.name == *name)
                || table.checks.iter().any(|check| *check.name == *name)
                || table.foreign_keys.iter().any(|key| *key.name == *name);
            let as_relation = is_index
                && self
                    .core
                    .catalog
                    .relation_exists(table.database, &table.schema, name, self.own());
            (in_table, as_relation)
        };
        if let Some(name) = given {
            return match taken(&name.text) {
                (true, _) => {
                    let message = format!(
                        "constraint \"{}\" for relation \"{}\" already exists",
                        name.text, table.name
                    );
                    Err(error(state::DUPLICATE_OBJECT, message))
                }
                (_, true) => Err(already_exists(&name.text)),
                _ => Ok(name.text.clone()),
            };
        }
        let mut parts = vec![&*table.name];
        parts.extend(columns.iter().map(|column| &*table.columns[usize::from(*column)].name));
        let stem = format!("{}_{suffix}", parts.join("_"));
        let mut name = stem.clone();
        for number in 1.. {
            if taken(&name) == (false, false) {
                break;
            }
            name = format!("{stem}{number}");
        }
        Ok(name.into())
    }
}

/// Columns named in a key that is being made.
fn key_columns(table: &Table, names: &[Name], place: Span) -> Fallible<Vec<u16>> {
    let mut columns = Vec::new();
    for name in names {
        let column = table.column(&name.text).ok_or_else(|| {
            let message = format!("column \"{}\" named in key does not exist", name.text);
            error(state::UNDEFINED_COLUMN, message).at(place)
        })?;
        if columns.contains(&column) {
            let message = format!("column \"{}\" appears twice in unique constraint", name.text);
            return Err(error(state::DUPLICATE_COLUMN, message).at(name.span));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn foreign_columns(table: &Table, names: &[Name], what: &str) -> Fallible<Vec<u16>> {
    names
        .iter()
        .map(|name| {
            table.column(&name.text).ok_or_else(|| {
                let message = format!("column \"{}\" {what} does not exist", name.text);
                error(state::UNDEFINED_COLUMN, message)
            })
        })
        .collect()
}

/// The distinct columns that an expression of the catalog names.
pub(super) fn columns_of(expression: &Expr, table: &Table, into: &mut Vec<u16>) {
    syntax::visit::exprs_of(expression, &mut |expression: &Expr| {
        if let ExprKind::Column(names) = &expression.kind
            && let Some(name) = names.last()
            && let Ok(column) = known_column(table, name)
            && !into.contains(&column)
        {
            into.push(column);
        }
    });
}
