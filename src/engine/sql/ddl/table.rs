//! CREATE TABLE, DROP TABLE, TRUNCATE.

use std::sync::Arc;

use base::Value;
use syntax::{ColumnDef, ConstraintKind, CreateTable, DataTypeKind, ObjectName, Privilege, TableConstraint};

use super::inherit::{depends, refuse_mixture};
use super::{Defined, Definer, already_exists};
use crate::bind::{Binder, SystemColumn, column_modifier, column_type};
use crate::catalog::{Access, Acl, Column, Default, RowExpression, RowSecurity, Table};
use crate::error::{Fallible, error, state};
use crate::row::Layout;
use crate::storage::{LockMode, RelationId};

impl Definer<'_> {
    pub(super) fn create_table(&mut self, create: &CreateTable) -> Defined {
        let schema = self.names().creation_schema(&create.name)?;
        let name = create.name.name.text.clone();
        let database = self.session.database;
        if self.core.catalog.relation_exists(database, &schema, &name, self.own()) {
            if !create.if_not_exists {
                return Err(already_exists(&name));
            }
            self.notice(format!("relation \"{name}\" already exists, skipping"));
            return Ok(Some("CREATE TABLE"));
        }
        let constraints: Vec<TableConstraint> = create
            .columns
            .iter()
            .flat_map(|column| &column.constraints)
            .chain(&create.constraints)
            .cloned()
            .collect();
        let mut keys = constraints
            .iter()
            .filter(|constraint| matches!(constraint.kind, ConstraintKind::PrimaryKey(_)));
        if let Some(second) = keys.nth(1) {
            let message = format!("multiple primary keys for table \"{name}\" are not allowed");
            return Err(error(state::INVALID_TABLE_DEFINITION, message).at(second.span));
        }
        // The tables that it refers to are locked before anything is made.
        if !self.lock_parents(&constraints, Some(&create.name))? {
            return Ok(None);
        }
        let above = create.partition_of.as_ref().map(|partition| &partition.parent);
        let above: Vec<ObjectName> = create.inherits.iter().chain(above).cloned().collect();
        let Some(parents) = self.lock_inherited(&above)? else {
            return Ok(None);
        };
        let bound = match &create.partition_of {
            Some(partition) => Some(self.partition_bound(&parents[0], &name, &partition.bound)?),
            None => {
                refuse_mixture(&parents)?;
                None
            }
        };
        let fill = super::parameter::table_fill(&create.parameters)?;
        let id = RelationId(self.core.catalog_mut().new_id());
        let heap = self.create_heap(fill);
        let mut table = Table {
            id,
            heap,
            database,
            schema,
            name,
            columns: Vec::new(),
            indexes: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            parents: parents.iter().map(|parent| parent.id).collect(),
            has_children: false,
            partition_key: None,
            bound,
            fill,
            layout: Arc::new(Layout::default()),
            access: Access::owned_by(self.session.current_user().clone()),
            row_security: RowSecurity::default(),
        };
        let mut inherited = self.inherited_columns(&parents)?;
        for definition in &create.columns {
            let column = self.column(definition, &table)?;
            if !self.merge_column(&mut inherited, &column)? {
                table.columns.push(column);
            }
        }
        inherited.append(&mut table.columns);
        table.columns = inherited;
        table.refresh_layout();
        self.generate_all(&mut table, &create.columns)?;
        self.adopt_expressions(&mut table, &parents)?;
        if let Some(by) = &create.partition_by {
            table.partition_key = Some(Arc::new(self.partition_key(&table, by)?));
        }
        let xid = self.xid;
        self.core.catalog_mut().create_table(table.clone(), xid);
        if !self.lock(id, LockMode::AccessExclusive)? {
            return Ok(None);
        }
        let table = self.add_constraints(table, &constraints)?;
        for parent in parents {
            self.note_child(&parent, &table)?;
        }
        Ok(Some("CREATE TABLE"))
    }

    /// A new table stands below another: a partition takes over its keys.
    fn note_child(&mut self, parent: &Arc<Table>, child: &Table) -> Fallible<()> {
        if let Some(bound) = &child.bound {
            self.check_default_partition(parent, bound)?;
            let nothing = Table {
                indexes: Vec::new(),
                foreign_keys: Vec::new(),
                ..(**parent).clone()
            };
            let child = self.adopt_keys(child.clone(), parent, &nothing)?;
            self.alter(child);
        }
        if !parent.has_children {
            let mut parent = (**parent).clone();
            parent.has_children = true;
            self.alter(parent);
        }
        Ok(())
    }

    /// Binds the generated columns among those defined. Which they are has to be known before any is bound.
    fn generate_all(&mut self, table: &mut Table, definitions: &[ColumnDef]) -> Fallible<()> {
        let place = |table: &Table, definition: &ColumnDef| table.column(&definition.name.text).map(usize::from);
        for definition in definitions {
            if let (Some(expression), Some(at)) = (&definition.generated, place(table, definition))
                && table.columns[at].default.is_none()
            {
                let unbound = RowExpression::unbound(expression);
                table.columns[at].default = Some(Default::Generated(Arc::new(unbound)));
            }
        }
        for definition in definitions {
            if let Some(at) = place(table, definition) {
                self.generate(table, at, definition)?;
            }
        }
        Ok(())
    }

    /// Makes a column a generated one, when all that its expression may read is there.
    pub(super) fn generate(&mut self, table: &mut Table, at: usize, definition: &ColumnDef) -> Fallible<()> {
        let Some(expression) = &definition.generated else {
            return Ok(());
        };
        if table.columns[at].default.is_some() && table.columns[at].generated().is_none() {
            let message = format!(
                "both default and generation expression specified for column \"{}\" of table \"{}\"",
                table.columns[at].name, table.name
            );
            return Err(error(state::SYNTAX_ERROR, message).at(expression.span));
        }
        let whole = Arc::new(table.clone());
        let generated = Binder::generated(self.names(), whole, expression, &table.columns[at])?;
        table.columns[at].default = Some(Default::Generated(Arc::new(generated)));
        Ok(())
    }

    fn create_heap(&mut self, fill: u8) -> RelationId {
        let heap = self.core.storage.create_relation(self.xid);
        if fill < 100 {
            self.core.storage.set_fill(self.xid, heap, fill);
        }
        heap
    }

    /// A column as defined, without its table constraints.
    pub(super) fn column(&mut self, definition: &ColumnDef, table: &Table) -> Fallible<Column> {
        if table.column(&definition.name.text).is_some() {
            let message = format!("column \"{}\" specified more than once", definition.name.text);
            return Err(error(state::DUPLICATE_COLUMN, message));
        }
        if SystemColumn::ALL.iter().any(|own| own.name() == &*definition.name.text) {
            let message = format!(
                "column name \"{}\" conflicts with a system column name",
                definition.name.text
            );
            return Err(error(state::DUPLICATE_COLUMN, message));
        }
        let serial = matches!(
            definition.data_type.kind,
            DataTypeKind::Serial | DataTypeKind::BigSerial
        );
        let mut column = Column {
            name: definition.name.text.clone(),
            data_type: column_type(&definition.data_type)?,
            modifier: column_modifier(&definition.data_type)?,
            not_null: definition.not_null || serial,
            default: None,
            dropped: false,
            missing: Value::Null,
            acl: Acl::default(),
            sequence: None,
        };
        if let Some(expression) = &definition.default {
            Binder::default_of(self.names(), expression, &column)?;
            column.default = Some(Default::Expr(expression.clone()));
        } else if serial {
            let own = format!("{}_{}_seq", table.name, column.name);
            let name: Arc<str> = match &*table.schema {
                "public" => own.into(),
                schema => format!("{schema}.{own}").into(),
            };
            self.core.create_sequence(table.database, name.clone());
            column.sequence = Some(Access::owned_by(table.access.owner.clone()));
            column.default = Some(Default::Sequence(name));
        }
        Ok(column)
    }

    /// Locks the tables that foreign keys refer to. `new`: the table that is being made.
    pub(super) fn lock_parents(&mut self, constraints: &[TableConstraint], new: Option<&ObjectName>) -> Fallible<bool> {
        for constraint in constraints {
            if let ConstraintKind::ForeignKey { table, .. } = &constraint.kind {
                if new.is_some_and(|new| new == table) {
                    continue;
                }
                let parent = self.table(table)?.id;
                if !self.lock(parent, LockMode::ShareRowExclusive)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    pub(super) fn drop_tables(&mut self, names: &[ObjectName], if_exists: bool, cascade: bool) -> Defined {
        let mut tables = Vec::new();
        for name in names {
            self.names().check_schema(name)?;
            match self.names().find_table(name).cloned() {
                Some(table) => {
                    self.must_own(&table)?;
                    tables.push(table);
                }
                None if if_exists => self.notice(format!("table \"{}\" does not exist, skipping", name.name.text)),
                None => {
                    let message = format!("table \"{}\" does not exist", name.name.text);
                    return Err(error(state::UNDEFINED_TABLE, message));
                }
            }
        }
        Ok(self.drop_these(&tables, cascade)?.then_some("DROP TABLE"))
    }

    /// Drops tables, with the foreign keys of others to them if that is asked. False: waits for a lock.
    pub(super) fn drop_these(&mut self, tables: &[Arc<Table>], cascade: bool) -> Fallible<bool> {
        let mut cascaded = Vec::new();
        let tables = &self.with_children(tables, cascade, &mut cascaded)?;
        for table in tables {
            if !self.lock(table.id, LockMode::AccessExclusive)? {
                return Ok(false);
            }
        }
        for table in tables {
            let referencing = self.core.catalog.referencing_itself(table, self.own());
            let outside = referencing
                .into_iter()
                .filter(|(child, _)| !tables.iter().any(|dropped| dropped.id == child.id));
            let outside: Vec<_> = outside.collect();
            if !cascade && !outside.is_empty() {
                let line = |(child, key): &(Arc<Table>, usize)| {
                    let name = &child.foreign_keys[*key].name;
                    format!(
                        "constraint {name} on table {} depends on table {}",
                        shown(child),
                        shown(table)
                    )
                };
                let message = format!("cannot drop table {} because other objects depend on it", shown(table));
                return Err(error(state::DEPENDENT_OBJECTS, message)
                    .detail(outside.iter().map(line).collect::<Vec<_>>().join("\n"))
                    .hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            for (child, key) in outside {
                if !self.lock(child.id, LockMode::AccessExclusive)? {
                    return Ok(false);
                }
                let name = &child.foreign_keys[key].name;
                cascaded.push(format!("drop cascades to constraint {name} on table {}", shown(&child)));
            }
        }
        self.cascades(cascaded);
        let (own, xid) = (self.own().to_vec(), self.xid);
        for table in tables {
            for (child, _) in self.core.catalog.referencing_itself(table, &own) {
                if tables.iter().any(|dropped| dropped.id == child.id) {
                    continue;
                }
                let mut child = (*child).clone();
                child.foreign_keys.retain(|key| key.parent != table.id);
                self.alter(child);
            }
            self.check_readers(table)?;
            self.core.catalog_mut().drop_table(table.id, &own, xid);
            self.core.storage.drop_relation(xid, table.heap);
        }
        Ok(true)
    }

    /// Tables to drop with those below them: partitions go with their table, others only if that is asked.
    fn with_children(
        &self,
        tables: &[Arc<Table>],
        cascade: bool,
        cascaded: &mut Vec<String>,
    ) -> Fallible<Vec<Arc<Table>>> {
        let mut all = tables.to_vec();
        let mut at = 0;
        while let Some(parent) = all.get(at).cloned() {
            let below = self.core.catalog.descendants(&parent, self.own());
            let others: Vec<_> = below[1..]
                .iter()
                .filter(|child| !all.iter().any(|known| known.id == child.id))
                .collect();
            if parent.partition_key.is_none() && !others.is_empty() {
                if !cascade {
                    let message = format!(
                        "cannot drop table {} because other objects depend on it",
                        shown(&parent)
                    );
                    let line = |child: &&Arc<Table>| {
                        let direct = below.iter().find(|table| child.parents.contains(&table.id));
                        depends(child, direct.unwrap_or(&parent))
                    };
                    return Err(error(state::DEPENDENT_OBJECTS, message)
                        .detail(others.iter().map(line).collect::<Vec<_>>().join("\n"))
                        .hint("Use DROP ... CASCADE to drop the dependent objects too."));
                }
                cascaded.extend(
                    others
                        .iter()
                        .map(|child| format!("drop cascades to table {}", shown(child))),
                );
            }
            for child in below {
                if !all.iter().any(|known| known.id == child.id) {
                    all.push(child);
                }
            }
            at += 1;
        }
        Ok(all)
    }

    /// A new heap and new indexes take the place of the old ones, until a rollback.
    pub(super) fn truncate(&mut self, names: &[ObjectName]) -> Defined {
        let mut tables = Vec::new();
        for name in names {
            let table = self.table(name)?;
            self.must_have(&table, &[Privilege::Truncate])?;
            for table in self.core.catalog.descendants(&table, self.own()) {
                if !self.lock(table.id, LockMode::AccessExclusive)? {
                    return Ok(None);
                }
                if !tables.iter().any(|known: &Arc<Table>| known.id == table.id) {
                    tables.push(table);
                }
            }
        }
        for table in &tables {
            for (child, _) in self.core.catalog.referencing_itself(table, self.own()) {
                if !tables.iter().any(|other| other.id == child.id) {
                    return Err(error(
                        state::FEATURE_NOT_SUPPORTED,
                        "cannot truncate a table referenced in a foreign key constraint",
                    )
                    .detail(format!("Table \"{}\" references \"{}\".", child.name, table.name))
                    .hint(format!(
                        "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                        child.name
                    )));
                }
            }
        }
        for table in tables {
            self.check_readers(&table)?;
            let mut table = (*table).clone();
            self.core.storage.drop_relation(self.xid, table.heap);
            let heap = self.create_heap(table.fill);
            self.core.storage.heap_replaced(table.heap, heap);
            table.heap = heap;
            for at in 0..table.indexes.len() {
                let key_of = table.key_of(&table.indexes[at].columns);
                table.indexes[at].id = self.core.storage.create_index(self.xid, heap, key_of);
            }
            self.alter(table);
        }
        Ok(Some("TRUNCATE TABLE"))
    }

    /// All rows go at once: serializable transactions that have read any come first.
    fn check_readers(&mut self, table: &Table) -> Fallible<()> {
        match self.session.transaction.serial {
            Some(serial) => (self.core.storage.check_table(serial, table.heap)).map_err(crate::exec::failed),
            None => Ok(()),
        }
    }
}

/// A table in a message about dependencies: with its schema unless that is in the usual path.
pub(super) fn shown(table: &Table) -> String {
    if &*table.schema == "public" {
        table.name.to_string()
    } else {
        table.qualified_name()
    }
}
