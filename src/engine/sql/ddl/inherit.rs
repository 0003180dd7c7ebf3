//! What a table takes over from those that it inherits from: columns, checks; and how changes go down to it.

use std::sync::Arc;

use syntax::{AlterAction, ColumnDef, ObjectName};

use super::Definer;
use super::table::shown;
use crate::bind::{Binder, RowClause};
use crate::catalog::{Acl, Check, Column, Default, IndexKey, Table};
use crate::error::{Fallible, error, state};
use crate::storage::LockMode;

impl Definer<'_> {
    /// Finds and locks the tables that a new one inherits from. `None`: waits.
    pub(super) fn lock_inherited(&mut self, names: &[ObjectName]) -> Fallible<Option<Vec<Arc<Table>>>> {
        let mut parents: Vec<Arc<Table>> = Vec::new();
        for name in names {
            let parent = self.table(name)?;
            if parents.iter().any(|other| other.id == parent.id) {
                let message = format!("relation \"{}\" would be inherited from more than once", parent.name);
                return Err(error(state::DUPLICATE_TABLE, message));
            }
            self.must_own(&parent)?;
            if !self.lock(parent.id, LockMode::ShareUpdateExclusive)? {
                return Ok(None);
            }
            parents.push(parent);
        }
        Ok(Some(parents))
    }

    /// The columns of the parents, those of the same name merged.
    pub(super) fn inherited_columns(&mut self, parents: &[Arc<Table>]) -> Fallible<Vec<Column>> {
        let mut columns: Vec<Column> = Vec::new();
        for parent in parents {
            for (_, column) in parent.live_columns() {
                let Some(known) = columns.iter_mut().find(|known| known.name == column.name) else {
                    columns.push(Column {
                        acl: Acl::default(),
                        missing: base::Value::Null,
                        ..column.clone()
                    });
                    continue;
                };
                let message = format!("merging multiple inherited definitions of column \"{}\"", column.name);
                self.notice(message);
                same_type(known, column, "inherited column")?;
                known.not_null |= column.not_null;
            }
        }
        Ok(columns)
    }

    /// A column that the table defines itself and inherits too: one column.
    pub(super) fn merge_column(&mut self, columns: &mut [Column], own: &Column) -> Fallible<bool> {
        let Some(known) = columns.iter_mut().find(|known| known.name == own.name) else {
            return Ok(false);
        };
        let message = format!("merging column \"{}\" with inherited definition", own.name);
        self.notice(message);
        same_type(known, own, "column")?;
        known.not_null |= own.not_null;
        if own.default.is_some() {
            known.default = own.default.clone();
        }
        Ok(true)
    }

    /// Binds what came from the parents to this table's own columns: generated columns, checks.
    pub(super) fn adopt_expressions(&mut self, table: &mut Table, parents: &[Arc<Table>]) -> Fallible<()> {
        for at in 0..table.columns.len() {
            let Some(generated) = table.columns[at].generated() else {
                continue;
            };
            let expression = generated.expression.clone();
            let bound = Binder::generated(self.names(), Arc::new(table.clone()), &expression, &table.columns[at])?;
            table.columns[at].default = Some(Default::Generated(Arc::new(bound)));
        }
        for check in parents.iter().flat_map(|parent| &parent.checks) {
            self.adopt_check(table, check)?;
        }
        Ok(())
    }

    pub(super) fn adopt_check(&mut self, table: &mut Table, check: &Check) -> Fallible<()> {
        if table.checks.iter().any(|known| known.name == check.name) {
            return Ok(());
        }
        let whole = Arc::new(table.clone());
        let condition = Binder::row_condition(self.names(), whole, &check.condition.expression, RowClause::Check)?;
        self.check_rows(table, &check.name, &condition)?;
        table.checks.push(Check {
            name: check.name.clone(),
            condition,
        });
        table.checks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(())
    }

    /// Takes the lock of a table and of all below it. False: waits.
    pub(super) fn lock_descendants(&mut self, table: &Arc<Table>, mode: LockMode) -> Fallible<bool> {
        for one in self.core.catalog.descendants(table, self.own()) {
            if !self.lock(one.id, mode)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does to the tables below what has been done to this one.
    pub(super) fn alter_below(&mut self, table: &Table, before: &Table, action: &AlterAction) -> Fallible<()> {
        for child in self.core.catalog.children(table, self.own()) {
            let was = (*child).clone();
            let mut child = (*child).clone();
            match action {
                AlterAction::AddColumn { column, .. } => child = self.add_inherited_column(child, column)?,
                AlterAction::DropColumn { name, cascade, .. } => {
                    child = self.drop_column_below(child, name, *cascade)?;
                }
                AlterAction::SetNotNull(_) | AlterAction::DropNotNull(_) => {
                    child = self.alter_action(child, action)?;
                }
                AlterAction::SetDefault(..) | AlterAction::DropDefault(_) => {
                    child = self.alter_action(child, action)?;
                }
                AlterAction::DropConstraint { name, cascade, .. } => {
                    child = self.drop_constraint(child, name, true, *cascade)?;
                }
                AlterAction::AddConstraint(_) => {}
                _ => continue,
            }
            for check in &table.checks {
                if !before.checks.iter().any(|known| known.name == check.name) {
                    self.adopt_check(&mut child, check)?;
                }
            }
            if table.partition_key.is_some() {
                child = self.adopt_keys(child, table, before)?;
            }
            let child = self.alter(child);
            self.alter_below(&child, &was, action)?;
        }
        Ok(())
    }

    fn add_inherited_column(&mut self, mut child: Table, definition: &ColumnDef) -> Fallible<Table> {
        if let Some(at) = child.column(&definition.name.text) {
            let own = self.column(
                definition,
                &Table {
                    columns: Vec::new(),
                    ..child.clone()
                },
            )?;
            same_type(&child.columns[usize::from(at)], &own, "column")?;
            let message = format!(
                "merging definition of column \"{}\" for child \"{}\"",
                definition.name.text, child.name
            );
            self.notice(message);
            return Ok(child);
        }
        let bare = ColumnDef {
            constraints: Vec::new(),
            ..definition.clone()
        };
        child = self.add_column(child, &bare, false)?;
        Ok(child)
    }

    fn drop_column_below(&mut self, child: Table, name: &syntax::Name, cascade: bool) -> Fallible<Table> {
        // Another parent may still have it.
        let others = child
            .parents
            .iter()
            .filter_map(|id| self.core.catalog.table(*id, self.own()));
        if others.into_iter().any(|parent| parent.column(&name.text).is_some()) {
            return Ok(child);
        }
        self.drop_column(child, name, true, cascade)
    }
}

/// Whether a change of a table concerns those below it, too.
pub(super) fn goes_down(action: &AlterAction) -> bool {
    !matches!(
        action,
        AlterAction::Owner(_)
            | AlterAction::RowSecurity(_)
            | AlterAction::AttachPartition(..)
            | AlterAction::DetachPartition(_)
    )
}

/// What a part of a larger table must not change by itself.
pub(super) fn check_inherited(table: &Table, parents: &[Arc<Table>], action: &AlterAction) -> Fallible<()> {
    if let (AlterAction::AddColumn { .. }, Some(_)) = (action, &table.bound) {
        return Err(error(state::WRONG_OBJECT_TYPE, "cannot add column to a partition"));
    }
    if let (AlterAction::DropNotNull(name), Some(_)) = (action, &table.bound) {
        let above = parents
            .iter()
            .filter_map(|parent| Some(&parent.columns[usize::from(parent.column(&name.text)?)]));
        if above.into_iter().any(|column| column.not_null) {
            let message = format!("column \"{}\" is marked NOT NULL in parent table", name.text);
            return Err(error(state::INVALID_TABLE_DEFINITION, message));
        }
    }
    let AlterAction::DropColumn { name, .. } = action else {
        return Ok(());
    };
    let column = table.column(&name.text);
    if let (Some(key), Some(column)) = (&table.partition_key, column)
        && key.keys.iter().any(|part| match part {
            IndexKey::Column(own) => *own == column,
            IndexKey::Expression(expression) => expression.columns.contains(&column),
        })
    {
        let message = format!(
            "cannot drop column \"{}\" because it is part of the partition key of relation \"{}\"",
            name.text, table.name
        );
        return Err(error(state::INVALID_TABLE_DEFINITION, message));
    }
    if table.column(&name.text).is_some() && parents.iter().any(|parent| parent.column(&name.text).is_some()) {
        let message = format!("cannot drop inherited column \"{}\"", name.text);
        return Err(error(state::INVALID_TABLE_DEFINITION, message));
    }
    Ok(())
}

fn same_type(a: &Column, b: &Column, what: &str) -> Fallible<()> {
    if a.data_type == b.data_type && a.modifier == b.modifier {
        return Ok(());
    }
    let message = format!("{what} \"{}\" has a type conflict", a.name);
    let detail = format!("{} versus {}", a.data_type.name(), b.data_type.name());
    Err(error(state::DATATYPE_MISMATCH, message).detail(detail))
}

/// `table c1 depends on table p`
pub(super) fn depends(child: &Table, parent: &Table) -> String {
    format!("table {} depends on table {}", shown(child), shown(parent))
}

/// Partitions and inheritance do not mix.
pub(super) fn refuse_mixture(parents: &[Arc<Table>]) -> Fallible<()> {
    match parents
        .iter()
        .find(|parent| parent.partition_key.is_some() || parent.bound.is_some())
    {
        Some(parent) if parent.partition_key.is_some() => {
            let message = format!("cannot inherit from partitioned table \"{}\"", parent.name);
            Err(error(state::WRONG_OBJECT_TYPE, message))
        }
        Some(parent) => {
            let message = format!("cannot inherit from partition \"{}\"", parent.name);
            Err(error(state::WRONG_OBJECT_TYPE, message))
        }
        None => Ok(()),
    }
}
