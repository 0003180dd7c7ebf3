//! A statement that writes, as steps in the service's memory: its new rows are computed and checked, and kept until
//! the operation's transaction.

use std::collections::{BTreeMap, BTreeSet};

use program::{Block, ComposeTable, Expression, Into, RegisterId, Role};
use scenario::{ColumnId, Schema, TableId};
use syntax::{ConflictAction, Statement};

use super::bindings::bindings;
use super::fetch::{Items, Known, source_columns};
use super::keys::{those_wanted, wanted_keys};
use super::operation::Writer;
use super::reading;
use super::work::{Change, read_columns, rows_table, written_columns};
use super::{REVISION_TYPE, check};
use crate::composition::lower::{self, rows_of};
use crate::composition::plan::Fetch;
use crate::lower::builder::{Mark, register};
use crate::lower::item::{Item, Refused};
use crate::lower::statement;
use crate::rows::check::assigned;
use crate::rows::returning::returning;
use crate::rows::{conflict, expect};
use crate::sql::Text;

impl Writer<'_, '_> {
    /// An INSERT, UPDATE or DELETE.
    pub(crate) fn write(&mut self, item: &Item, sql: &Statement) -> Result<Block, Refused> {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let index = item.index;
        let Some(id) = reading::target(schema, sql) else {
            return Err(Refused::new(
                index,
                "it writes no table of the scenario",
                "write one of its tables",
            ));
        };
        let table = schema.table(id);
        self.refuse_unsupported(index, id, sql)?;
        let Some(query) = reading::query(schema, sql, self.work.has(id), REVISION_TYPE) else {
            return Ok(Block::new());
        };
        let (mut steps, changes, single) = self.changes(index, id, &query);
        let change = match sql {
            Statement::Insert(insert) => {
                if insert.on_conflict.is_some() {
                    steps.extend(self.on_conflict(index, id, insert, changes)?);
                }
                Change::Insert
            }
            Statement::Update(_) => Change::Update,
            _ => Change::Delete,
        };
        let assigned = assigned(table, sql);
        if change != Change::Delete {
            let known = check::never_null_columns(scenario, self.operation, table, sql);
            let only = (change == Change::Update).then_some(&assigned);
            // With ON CONFLICT, what is there has been looked for.
            let conflicts = matches!(sql, Statement::Insert(insert) if insert.on_conflict.is_some());
            let before = if conflicts { None } else { self.work.rows(id) };
            steps.extend(check::rows(
                table,
                &written_columns(table),
                &mut self.builder,
                index,
                changes,
                only,
                &known,
                before,
            ));
        }
        let first = !self.work.has(id);
        steps.extend(self.work.add(schema, &mut self.builder, index, id, changes, change));
        if let Some(work) = self.work.tables.get_mut(&id) {
            work.single = first && single && change != Change::Insert;
            work.assigned.extend(assigned);
            if let Statement::Insert(insert) = sql
                && let Some(conflict) = &insert.on_conflict
            {
                work.again_if_there = true;
                work.updates |= matches!(conflict.action, ConflictAction::Update { .. });
                if let ConflictAction::Update { assignments, .. } = &conflict.action {
                    work.assigned
                        .extend(assignments.iter().filter_map(|a| table.find(a.column.as_str())));
                }
            }
        }
        if change == Change::Delete {
            steps.extend(self.delete_with(index, id, changes, &mut vec![id])?);
        }
        steps.extend(returning(&mut self.builder, table, item, sql, changes, REVISION_TYPE)?);
        if let Some(expected) = item.statement.expect_rows {
            steps.push(expect(&mut self.builder, index, changes, expected));
        }
        Ok(steps)
    }

    fn refuse_unsupported(&self, index: u16, id: TableId, sql: &Statement) -> Result<(), Refused> {
        let schema = &self.assembly.scenario.schema;
        let table = schema.table(id);
        let name = table.full_name();
        if table.primary_key.is_empty() {
            return Err(Refused::new(
                index,
                format!("{name} has no primary key: an item could not be told from another"),
                "give the table a PRIMARY KEY",
            ));
        }
        if let Statement::Insert(insert) = sql
            && !self.site.layout.table(id).partial.is_empty()
            && let Some(conflict) = &insert.on_conflict
            && conflict.constraint.is_none()
        {
            let target: Vec<ColumnId> = conflict
                .columns()
                .filter_map(|name| table.find(name.as_str()))
                .collect();
            if !table.is_key(&target) {
                return Err(Refused::new(
                    index,
                    format!("its ON CONFLICT may mean a unique index over some rows of {name}"),
                    "name the columns of a key of all rows: ON CONFLICT (…)",
                ));
            }
        }
        let changed = match sql {
            Statement::Update(_) => assigned(table, sql),
            Statement::Insert(_) => conflict::conflict_assigned(table, sql),
            _ => return Ok(()),
        };
        let layout = self.site.layout.table(id);
        let key: BTreeSet<ColumnId> = layout
            .base
            .columns()
            .into_iter()
            .chain(table.primary_key.iter().copied())
            .collect();
        if let Some(column) = changed.intersection(&key).next() {
            return Err(Refused::new(
                index,
                format!(
                    "it changes {name}.{}, which is in the item's key",
                    table.column(*column).name
                ),
                "delete the row and insert it anew",
            ));
        }
        let referred = schema
            .tables
            .iter()
            .flat_map(|other| &other.foreign_keys)
            .filter(|key| key.table == id);
        let referred: BTreeSet<ColumnId> = referred.flat_map(|key| &key.referenced).copied().collect();
        if let Some(column) = changed.intersection(&referred).next() {
            return Err(Refused::new(
                index,
                format!(
                    "it changes {name}.{}, to which other items refer",
                    table.column(*column).name
                ),
                "let foreign keys refer to a column that never changes",
            ));
        }
        Ok(())
    }

    /// The rows of a write's query, into a register of their own.
    /// The last says whether it is one row at most.
    fn changes(&mut self, index: u16, id: TableId, query: &syntax::Query) -> (Block, RegisterId, bool) {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let items = Items {
            site: self.site,
            operation: self.operation,
            work: &self.work,
            strong: true,
        };
        let caller = self.caller(index);
        let (plan, mut steps) = lower::fetch(self.assembly, &mut self.builder, &items, caller, query);
        let tables: Vec<ComposeTable> = plan
            .fetches
            .iter()
            .map(|fetch| {
                let table = schema.table(fetch.table);
                let columns = if fetch.table == id {
                    source_columns(table, &self.work, id)
                } else {
                    read_columns(table).into_iter().take(table.columns.len()).collect()
                };
                rows_table(&table.full_name(), columns, rows_of(schema, &mut self.builder, fetch))
            })
            .collect();
        let changes = self.builder.rows(&format!("rows written by statement {}", index + 1));
        let mark = Mark::new(format!("new rows of {}", schema.table(id).full_name()), Role::Work).from(index);
        let step = statement::compose(
            &mut self.builder,
            mark,
            tables,
            &Text::query(query),
            Into::Rows(changes),
        );
        steps.push(step);
        let by_key = |fetch: &Fetch| {
            fetch.alternatives.len() == 1
                && fetch.alternatives.iter().all(|predicates| {
                    let known: Vec<ColumnId> = bindings(schema, id, predicates).equal.into_keys().collect();
                    schema.table(id).is_key(&known)
                })
        };
        let single = plan.fetches.iter().any(|fetch| fetch.table == id && by_key(fetch));
        (steps, changes, single)
    }

    /// The rows of a table whose columns have the values of other columns of a row set.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn rows_with(
        &mut self,
        index: u16,
        schema: &Schema,
        id: TableId,
        pairs: &[(ColumnId, String)],
        source: ComposeTable,
        condition: &str,
        into: RegisterId,
    ) -> Block {
        let table = schema.table(id);
        let own: Vec<ColumnId> = pairs.iter().map(|(column, _)| *column).collect();
        let mut steps = Block::new();
        let each = wanted_keys(&mut self.builder, index, table, pairs, source, condition, &mut steps);
        let equal: BTreeMap<ColumnId, Expression> = own
            .iter()
            .zip(&each.bind)
            .map(|(column, bound)| (*column, register(*bound)))
            .collect();
        let keys = each.rows;
        let mut known = Known {
            equal,
            ranges: BTreeMap::new(),
            each: Some(each),
        };
        let items = Items {
            site: self.site,
            operation: self.operation,
            work: &self.work,
            strong: true,
        };
        items.add_tenant(table, id, &mut self.builder, &mut known);
        steps.extend(items.look_up(schema, &mut self.builder, index, id, &known, into));
        let exact = self
            .site
            .layout
            .table(id)
            .tells_apart(&known.equal.into_keys().collect());
        let mut columns = read_columns(table);
        if self.work.has(id) {
            steps.push(super::work::overlay(
                schema,
                &mut self.builder,
                index,
                id,
                &self.work,
                into,
                into,
            ));
            columns = super::work::overlaid_columns(table);
        } else if exact {
            return steps;
        }
        // A scan, a query by fewer columns, rows that the operation itself has written: perhaps too much.
        steps.push(those_wanted(&mut self.builder, index, table, columns, &own, keys, into));
        steps
    }
}
