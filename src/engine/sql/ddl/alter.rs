//! ALTER TABLE.

use base::Value;
use syntax::{AlterAction, ColumnDef, Name, ObjectName, RowSecurity, TableConstraint};

use super::inherit::{check_inherited, goes_down};
use super::table::shown;
use super::{Defined, Definer};
use crate::bind::{Binder, known_column};
use crate::catalog::{Default, Table};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, Environment, Flow, Machine, Program};
use crate::storage::LockMode;

impl Definer<'_> {
    pub(super) fn alter_table(&mut self, name: &ObjectName, actions: &[AlterAction]) -> Defined {
        let table = self.table(name)?;
        self.must_own(&table)?;
        if !self.lock_descendants(&table, LockMode::AccessExclusive)? {
            return Ok(None);
        }
        if actions.iter().any(goes_down) {
            for one in self.core.catalog.descendants(&table, self.own()) {
                self.must_own(&one)?;
            }
        }
        let parents: Vec<_> = table
            .parents
            .iter()
            .filter_map(|id| self.core.catalog.table(*id, self.own()).cloned())
            .collect();
        let constraints: Vec<TableConstraint> = actions
            .iter()
            .flat_map(|action| match action {
                AlterAction::AddConstraint(constraint) => std::slice::from_ref(constraint),
                AlterAction::AddColumn { column, .. } => &column.constraints,
                _ => &[],
            })
            .cloned()
            .collect();
        if !self.lock_parents(&constraints, None)? {
            return Ok(None);
        }
        let mut table = (*table).clone();
        for action in actions {
            check_inherited(&table, &parents, action)?;
            let before = table.clone();
            table = match action {
                AlterAction::AttachPartition(part, bound) => match self.attach(table, part, bound)? {
                    Some(table) => table,
                    None => return Ok(None),
                },
                AlterAction::DetachPartition(part) => match self.detach(table, part)? {
                    Some(table) => table,
                    None => return Ok(None),
                },
                _ => self.alter_action(table, action)?,
            };
            if goes_down(action) {
                self.alter_below(&table, &before, action)?;
            }
        }
        Ok(Some("ALTER TABLE"))
    }

    pub(super) fn alter_action(&mut self, mut table: Table, action: &AlterAction) -> Fallible<Table> {
        match action {
            AlterAction::AddColumn { column, if_not_exists } => return self.add_column(table, column, *if_not_exists),
            AlterAction::DropColumn {
                name,
                if_exists,
                cascade,
            } => return self.drop_column(table, name, *if_exists, *cascade),
            AlterAction::AddConstraint(constraint) => return self.add_constraint(table, constraint),
            AlterAction::DropConstraint {
                name,
                if_exists,
                cascade,
            } => return self.drop_constraint(table, name, *if_exists, *cascade),
            AlterAction::SetNotNull(name) => {
                let column = column_of(&table, name)?;
                self.require_not_null(&table, column)?;
                table.columns[usize::from(column)].not_null = true;
            }
            AlterAction::DropNotNull(name) => {
                let column = column_of(&table, name)?;
                if table.primary_key().is_some_and(|key| key.covers(column)) {
                    let message = format!("column \"{}\" is in a primary key", name.text);
                    return Err(error(state::INVALID_TABLE_DEFINITION, message));
                }
                table.columns[usize::from(column)].not_null = false;
            }
            AlterAction::SetDefault(name, expression) => {
                let column = usize::from(column_of(&table, name)?);
                not_generated(&table, column)?;
                Binder::default_of(self.names(), expression, &table.columns[column])?;
                table.columns[column].default = Some(Default::Expr(expression.clone()));
            }
            AlterAction::DropDefault(name) => {
                let column = usize::from(column_of(&table, name)?);
                not_generated(&table, column)?;
                table.columns[column].default = None;
            }
            AlterAction::Owner(owner) => self.change_owner(&mut table, owner)?,
            AlterAction::RowSecurity(change) => match change {
                RowSecurity::Enable => table.row_security.enabled = true,
                RowSecurity::Disable => table.row_security.enabled = false,
                RowSecurity::Force => table.row_security.forced = true,
                RowSecurity::NoForce => table.row_security.forced = false,
            },
            AlterAction::AttachPartition(..) | AlterAction::DetachPartition(_) => return Ok(table),
        }
        Ok((*self.alter(table)).clone())
    }

    pub(super) fn add_column(
        &mut self,
        mut table: Table,
        definition: &ColumnDef,
        if_not_exists: bool,
    ) -> Fallible<Table> {
        if table.column(&definition.name.text).is_some() {
            let message = format!(
                "column \"{}\" of relation \"{}\" already exists",
                definition.name.text, table.name
            );
            if !if_not_exists {
                return Err(error(state::DUPLICATE_COLUMN, message));
            }
            self.notice(format!("{message}, skipping"));
            return Ok(table);
        }
        if let Some(generated) = &definition.generated {
            let mut rows = 0_u64;
            self.each_row(&table, &mut |_| {
                rows += 1;
                Ok(())
            })?;
            if rows > 0 {
                return Err(unsupported("adding a generated column to a table with rows").at(generated.span));
            }
        }
        let mut column = self.column(definition, &table)?;
        if let Some(default) = &column.default {
            column.missing = self.missing_value(default, &column)?;
        }
        let must_not_be_null = column.not_null && column.missing.is_null();
        table.columns.push(column);
        table.refresh_layout();
        let last = table.columns.len() - 1;
        self.generate(&mut table, last, definition)?;
        if must_not_be_null {
            let at = (table.columns.len() - 1) as u16;
            table.columns[usize::from(at)].not_null = false;
            self.require_not_null(&table, at)?;
            table.columns[usize::from(at)].not_null = true;
        }
        let table = (*self.alter(table)).clone();
        self.add_constraints(table, &definition.constraints)
    }

    /// A default that is the same for all rows: what the rows have that are there already.
    fn missing_value(&mut self, default: &Default, column: &crate::catalog::Column) -> Fallible<Value> {
        let Default::Expr(expression) = default else {
            return Err(unsupported("adding a serial column to a table"));
        };
        let bound = Binder::default_of(self.names(), expression, column)?;
        if bound.is_volatile() {
            return Err(unsupported("adding a column whose default differs from row to row"));
        }
        self.evaluate_constant(&bound)
    }

    /// The value of an expression of no columns.
    pub(super) fn evaluate_constant(&self, bound: &Bound) -> Fallible<Value> {
        let mut constant = Constant {
            now: self.core.timestamp(self.session.transaction.started),
        };
        match Machine::default().run(&Program::new(bound), &mut constant)? {
            Flow::Ready(value) => Ok(value),
            Flow::Suspended => Err(unsupported("a subquery in a default")),
        }
    }

    pub(super) fn drop_column(
        &mut self,
        mut table: Table,
        name: &Name,
        if_exists: bool,
        cascade: bool,
    ) -> Fallible<Table> {
        let Ok(column) = known_column(&table, name) else {
            let message = format!("column \"{}\" of relation \"{}\" does not exist", name.text, table.name);
            if !if_exists {
                return Err(error(state::UNDEFINED_COLUMN, message));
            }
            self.notice(format!("{message}, skipping"));
            return Ok(table);
        };
        let referencing = self.core.catalog.referencing_itself(&table, self.own());
        for (child, key) in referencing {
            let foreign = &child.foreign_keys[key];
            if !foreign.parent_columns.contains(&column) || child.id == table.id {
                continue;
            }
            if !cascade {
                let message = format!(
                    "cannot drop column {} of table {} because other objects depend on it",
                    name.text,
                    shown(&table)
                );
                return Err(error(state::DEPENDENT_OBJECTS, message)
                    .detail(format!(
                        "constraint {} on table {} depends on column {} of table {}",
                        foreign.name,
                        shown(&child),
                        name.text,
                        shown(&table)
                    ))
                    .hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            return Err(unsupported("DROP COLUMN … CASCADE of a referenced column"));
        }
        let generated = table.live_columns().find(|(_, other)| {
            let expression = other.generated();
            expression.is_some_and(|expression| expression.columns.contains(&column))
        });
        if let Some((other, definition)) = generated {
            if !cascade {
                let table = shown(&table);
                let message = format!(
                    "cannot drop column {} of table {table} because other objects depend on it",
                    name.text
                );
                return Err(error(state::DEPENDENT_OBJECTS, message)
                    .detail(format!(
                        "column {} of table {table} depends on column {} of table {table}",
                        definition.name, name.text
                    ))
                    .hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            let dependent = Name::new(definition.name.clone());
            self.cascades(vec![format!(
                "drop cascades to column {} of table {}",
                table.columns[usize::from(other)].name,
                shown(&table)
            )]);
            let without = self.drop_column(table, &dependent, false, true)?;
            return self.drop_column(without, name, false, true);
        }
        let xid = self.xid;
        let built_on = |index: &crate::catalog::Index| index.reads().any(|read| read == column);
        for index in table.indexes.iter().filter(|index| built_on(index)) {
            self.core.storage.drop_index(xid, index.id);
        }
        table.indexes.retain(|index| !built_on(index));
        let reads = |expression: &syntax::Expr| {
            let mut columns = Vec::new();
            super::constraint::columns_of(expression, &table, &mut columns);
            columns.contains(&column)
        };
        let checks: Vec<_> = table
            .checks
            .iter()
            .filter(|check| !reads(&check.condition.expression))
            .cloned()
            .collect();
        table.checks = checks;
        table.foreign_keys.retain(|key| !key.columns.contains(&column));
        let at = usize::from(column);
        let definition = &mut table.columns[at];
        definition.name = format!("........pg.dropped.{}........", at + 1).into();
        definition.dropped = true;
        definition.not_null = false;
        definition.default = None;
        Ok((*self.alter(table)).clone())
    }

    pub(super) fn drop_constraint(
        &mut self,
        mut table: Table,
        name: &Name,
        if_exists: bool,
        cascade: bool,
    ) -> Fallible<Table> {
        let before = (table.checks.len(), table.foreign_keys.len());
        table.checks.retain(|check| check.name != name.text);
        table.foreign_keys.retain(|key| key.name != name.text);
        let index = table
            .indexes
            .iter()
            .position(|index| index.constraint && index.name == name.text);
        if let Some(at) = index {
            let columns: Vec<u16> = table.indexes[at].key_columns().collect();
            let dependent = self.core.catalog.referencing_itself(&table, self.own());
            let dependent = dependent.into_iter().find(|(child, key)| {
                let needed = &child.foreign_keys[*key].parent_columns;
                needed.len() == columns.len() && needed.iter().all(|column| columns.contains(column))
            });
            if let Some((child, key)) = dependent {
                if cascade {
                    return Err(unsupported("DROP CONSTRAINT … CASCADE of a referenced key"));
                }
                let message = format!(
                    "cannot drop constraint {} on table {} because other objects depend on it",
                    name.text,
                    shown(&table)
                );
                return Err(error(state::DEPENDENT_OBJECTS, message)
                    .detail(format!(
                        "constraint {} on table {} depends on index {}",
                        child.foreign_keys[key].name,
                        shown(&child),
                        name.text
                    ))
                    .hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            let index = table.indexes.remove(at);
            self.core.storage.drop_index(self.xid, index.id);
            self.drop_parts_of(&table, &index.name);
        } else if before == (table.checks.len(), table.foreign_keys.len()) {
            let message = format!(
                "constraint \"{}\" of relation \"{}\" does not exist",
                name.text, table.name
            );
            if !if_exists {
                return Err(error(state::UNDEFINED_OBJECT, message));
            }
            self.notice(format!("{message}, skipping"));
            return Ok(table);
        }
        Ok((*self.alter(table)).clone())
    }
}

/// A column that the statement names, of which PostgreSQL does not say where.
fn column_of(table: &Table, name: &Name) -> Fallible<u16> {
    known_column(table, name).map_err(super::without_place)
}

/// The default of a generated column is its expression.
fn not_generated(table: &Table, column: usize) -> Fallible<()> {
    let column = &table.columns[column];
    if column.generated().is_some() {
        let message = format!(
            "column \"{}\" of relation \"{}\" is a generated column",
            column.name, table.name
        );
        return Err(error(state::SYNTAX_ERROR, message));
    }
    Ok(())
}

/// An environment of nothing but the time.
struct Constant {
    now: i64,
}

impl Environment for Constant {
    fn slot(&self, _: u32) -> &Value {
        &Value::Null
    }
    fn param(&self, _: u32) -> &Value {
        &Value::Null
    }
    fn transaction_time(&self) -> i64 {
        self.now
    }
    fn clock_time(&self) -> i64 {
        self.now
    }
    fn session_call(&mut self, _: crate::expr::function::Session, _: &[Value]) -> Fallible<Value> {
        Err(unsupported("a function of the session in the default of a new column"))
    }
    fn user_call(&mut self, _: &crate::catalog::UserFunction, _: &[Value]) -> Fallible<Flow<Value>> {
        Err(unsupported("a function of users here"))
    }
    fn advisory(&mut self, _: crate::expr::Advisory, _: &[Value]) -> Fallible<Flow<Value>> {
        Err(unsupported("an advisory lock in a default"))
    }
    fn subquery(&mut self, _: u32, _: crate::expr::Answer, _: Option<&Value>) -> Fallible<Flow<Value>> {
        Err(unsupported("a subquery in a default"))
    }
}
