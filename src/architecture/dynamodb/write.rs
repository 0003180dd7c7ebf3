//! A statement that writes, as steps in the service's memory: its new rows are computed and checked, and kept until
//! the operation's transaction.

use std::collections::{BTreeMap, BTreeSet};

use program::{Block, ComposeTable, EachRow, Expression, Into, RegisterId, Role};
use scenario::{ColumnId, Schema, Table, TableId};
use syntax::{ConflictAction, Expr, ExprKind, InsertSource, QueryBody, Statement, identifier};

use super::bindings::bindings;
use super::fetch::{Items, Known, source_columns};
use super::keys::keys_from;
use super::operation::Writer;
use super::reading;
use super::work::{Change, read_columns, rows_table, written_columns};
use super::{REVISION_TYPE, check};
use crate::composition::lower::{self, rows_of};
use crate::composition::plan::Fetch;
use crate::lower::builder::{Mark, register};
use crate::lower::item::{Item, Refused};
use crate::lower::statement;
use crate::rows::{conflict, expect};
use crate::sql::{Text, facts};

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
            let known = self.never_null(table, sql);
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
        steps.extend(self.returning(item, sql, id, changes)?);
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

    /// Columns of an INSERT's rows, or assigned by an UPDATE, that cannot become NULL.
    fn never_null(&self, table: &Table, sql: &Statement) -> BTreeSet<ColumnId> {
        let scenario = self.assembly.scenario;
        let known = |expr: &Expr| check::never_null(scenario, self.operation, expr);
        let default = |id: ColumnId| reading::default(table, id);
        match sql {
            Statement::Insert(insert) => {
                let InsertSource::Query(source) = &insert.source else {
                    return reading::ids(table).filter(|id| known(&default(*id))).collect();
                };
                let QueryBody::Values(rows) = &source.body else {
                    return BTreeSet::new();
                };
                let in_row = |id: &ColumnId, row: &[Expr]| match reading::given(table, insert, row).get(id) {
                    Some(expr) => known(expr),
                    None => known(&default(*id)),
                };
                reading::ids(table)
                    .filter(|id| rows.iter().all(|row| in_row(id, row)))
                    .collect()
            }
            Statement::Update(update) => {
                let never = update.assignments.iter().filter(|assignment| known(&assignment.value));
                never
                    .filter_map(|assignment| table.find(assignment.column.as_str()))
                    .collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// `RETURNING`, over the new rows; of a DELETE, over those that were.
    fn returning(&mut self, item: &Item, sql: &Statement, id: TableId, changes: RegisterId) -> Result<Block, Refused> {
        let Some(returning) = facts::returning(sql) else {
            return Ok(Block::new());
        };
        let table = self.assembly.scenario.schema.table(id);
        let alias = match sql {
            Statement::Insert(insert) => &insert.alias,
            Statement::Update(update) => &update.alias,
            Statement::Delete(delete) => &delete.alias,
            _ => &None,
        };
        let foreign = returning.items.iter().any(|item| match item {
            syntax::SelectItem::Star { .. } => others(sql),
            syntax::SelectItem::Expr { expr, .. } => uses_others(table, alias.as_ref(), expr),
        });
        if foreign {
            return Err(Refused::new(
                item.index,
                "it returns columns of a table that it only reads",
                "read them with SELECT … INTO before",
            ));
        }
        let mut query = statement::select(Expr::new(ExprKind::Null, syntax::Span::default()));
        if let QueryBody::Select(select) = &mut query.body {
            select.items = returning.items.clone();
            select.from = vec![syntax::TableRef::Table {
                name: target_name(sql),
                only: false,
                alias: alias.as_ref().map(|name| syntax::TableAlias {
                    name: name.clone(),
                    columns: Vec::new(),
                }),
            }];
        }
        let columns = read_columns(table).into_iter().take(table.columns.len()).collect();
        let into = statement::target(&mut self.builder, item.index, sql);
        let mark = Mark::new(format!("returned of {}", table.full_name()), Role::Work).from(item.index);
        let source = rows_table(&table.full_name(), columns, changes);
        Ok(vec![statement::compose(
            &mut self.builder,
            mark,
            vec![source],
            &Text::query(&query),
            into,
        )])
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
        let names: Vec<String> = pairs.iter().map(|(_, name)| identifier(name)).collect();
        let known: String = names.iter().map(|name| format!(" AND {name} IS NOT NULL")).collect();
        let (owner, name) = source.name.split_once('.').unwrap_or(("public", &source.name));
        let from = crate::sql::text::qualified(owner, name);
        let text = Text::new(format!(
            "SELECT DISTINCT {} FROM {from} WHERE {condition}{known}",
            names.join(", ")
        ));
        let own: Vec<ColumnId> = pairs.iter().map(|(column, _)| *column).collect();
        let mut steps = Block::new();
        let each: EachRow = keys_from(&mut self.builder, index, table, &own, vec![source], &text, &mut steps);
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
        let list = super::work::qualified_list("x", columns.iter().map(|(name, _)| name.as_str()));
        let wanted = (1..=own.len()).map(|n| format!("k{n}"));
        let same = own.iter().zip(wanted.clone()).map(|(column, wanted)| {
            let name = identifier(&table.column(*column).name);
            format!("x.{name} = k.{wanted}")
        });
        let sql = format!(
            "SELECT {list} FROM found.rows AS x WHERE EXISTS (SELECT 1 FROM wanted.keys AS k WHERE {})",
            same.collect::<Vec<_>>().join(" AND ")
        );
        let types = own.iter().map(|column| table.column(*column).data_type);
        let sources = vec![
            rows_table("found.rows", columns, into),
            rows_table("wanted.keys", wanted.zip(types).collect(), keys),
        ];
        let mark = Mark::new(format!("those of {} that are meant", table.full_name()), Role::Work).from(index);
        steps.push(statement::compose(
            &mut self.builder,
            mark,
            sources,
            &Text::new(sql),
            Into::Rows(into),
        ));
        steps
    }
}

/// The columns that an UPDATE assigns.
fn assigned(table: &Table, sql: &Statement) -> BTreeSet<ColumnId> {
    match sql {
        Statement::Update(update) => update
            .assignments
            .iter()
            .filter_map(|assignment| table.find(assignment.column.as_str()))
            .collect(),
        _ => BTreeSet::new(),
    }
}

fn target_name(sql: &Statement) -> syntax::ObjectName {
    match sql {
        Statement::Update(update) => update.table.clone(),
        Statement::Delete(delete) => delete.table.clone(),
        Statement::Insert(insert) => insert.table.clone(),
        _ => syntax::ObjectName {
            schema: None,
            name: syntax::Name::new(""),
        },
    }
}

fn others(sql: &Statement) -> bool {
    match sql {
        Statement::Update(update) => !update.from.is_empty(),
        Statement::Delete(delete) => !delete.using.is_empty(),
        _ => false,
    }
}

fn uses_others(table: &Table, alias: Option<&syntax::Name>, expr: &Expr) -> bool {
    let own = alias.map_or(table.name.as_str(), |alias| alias.as_str());
    let mut found = false;
    syntax::visit::exprs_of(expr, &mut |e| {
        if let ExprKind::Column(path) = &e.kind
            && let Some((column, qualifier)) = path.split_last()
        {
            let named = qualifier.last().is_none_or(|name| name.as_str() == own);
            found |= !named || table.find(column.as_str()).is_none();
        }
    });
    found
}
