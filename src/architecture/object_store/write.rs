//! A statement that writes: what it is going to write is read, computed and checked in memory, with those of the other
//! statements; then it is written, one object after the other.

use std::collections::BTreeSet;

use program::{Block, ComposeTable, ErrorClass, Expression, Into, Op, Operator, RegisterId, Role, StepId};
use scenario::{ColumnId, TableId};
use syntax::{ConflictAction, Insert, Query, Statement};

use super::REVISION_TYPE;
use super::apply::{AFTER_CONFLICT, Change, Decision};
use super::guard::Rows;
use super::operation::{Steps, Writer};
use crate::composition::lower::{self, rows_of};
use crate::lower::builder::{Mark, register};
use crate::lower::item::{Item, Refused};
use crate::lower::statement;
use crate::rows::bindings::conflict_keys;
use crate::rows::check::{self, assigned};
use crate::rows::conflict::{conflict_assigned, conflict_update, nothing_to_do};
use crate::rows::reading::{self, read_columns, written_columns};
use crate::rows::returning::returning;
use crate::rows::{bound_row, bound_written, expect, qualified_list, rows_table, same_key};
use crate::sql::Text;

/// What a statement is going to write, and what it was computed from.
struct Candidates {
    rows: RegisterId,
    sources: Vec<ComposeTable>,
    query: Text,
}

impl Writer<'_, '_> {
    /// An INSERT, UPDATE or DELETE.
    pub(crate) fn write(&mut self, item: &Item, sql: &Statement) -> Result<Steps, Refused> {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let index = item.index;
        let (Some(id), Some(query)) = (
            reading::target(schema, sql),
            reading::query(schema, sql, false, REVISION_TYPE),
        ) else {
            return Err(Refused::new(
                index,
                "it writes no table of the scenario",
                "write one of its tables",
            ));
        };
        self.refuse_unsupported(index, id, sql)?;
        let (looks, candidates) = self.candidates(index, id, &query);
        let mut steps = Steps {
            looks,
            writes: Block::new(),
        };
        match sql {
            Statement::Insert(insert) if insert.on_conflict.is_some() => {
                self.insert_or(item, id, insert, &candidates, &mut steps)?;
            }
            Statement::Insert(_) => self.insert(item, id, sql, &candidates, &mut steps)?,
            _ => self.change(item, id, sql, candidates, &mut steps)?,
        }
        Ok(steps)
    }

    /// What a statement has come to: counted, returned, and seen by those after it.
    fn settle(&mut self, item: &Item, id: TableId, sql: &Statement, rows: RegisterId) -> Result<Block, Refused> {
        let table = self.assembly.scenario.schema.table(id);
        let expected = item.statement.expect_rows;
        let count = expected.map(|expected| expect(&mut self.builder, item.index, rows, expected));
        let mut steps: Block = count.into_iter().collect();
        steps.extend(self.keep(item.index, id, rows));
        steps.extend(returning(&mut self.builder, table, item, sql, rows, REVISION_TYPE)?);
        Ok(steps)
    }

    /// Later statements see these rows; they take the place of those of the same keys.
    pub(crate) fn keep(&mut self, index: u16, id: TableId, changes: RegisterId) -> Option<StepId> {
        if !self.several {
            return None;
        }
        let before = self.pending.insert(id, changes)?;
        let table = self.assembly.scenario.schema.table(id);
        let name = self.fresh(&format!("pending rows of {}", table.full_name()));
        let all = self.builder.rows(&name);
        self.pending.insert(id, all);
        let columns = written_columns(table, REVISION_TYPE);
        let list = |of: &str| qualified_list(of, columns.iter().map(|(name, _)| name.as_str()));
        let sql = format!(
            "SELECT {} FROM changed.rows AS c UNION ALL SELECT {} FROM pending.rows AS p \
             WHERE NOT EXISTS (SELECT 1 FROM changed.rows AS c WHERE {})",
            list("c"),
            list("p"),
            same_key(table, "c", "p")
        );
        let sources = vec![
            rows_table("changed.rows", columns.clone(), changes),
            rows_table("pending.rows", columns.clone(), before),
        ];
        let mark = Mark::new(format!("keep {}", table.full_name()), Role::Work).from(index);
        let into = Into::Rows(all);
        Some(statement::compose(
            &mut self.builder,
            mark,
            sources,
            &Text::new(sql),
            into,
        ))
    }

    fn refuse_unsupported(&self, index: u16, id: TableId, sql: &Statement) -> Result<(), Refused> {
        let schema = &self.assembly.scenario.schema;
        let table = schema.table(id);
        let name = table.full_name();
        if table.primary_key.is_empty() {
            return Err(Refused::new(
                index,
                format!("{name} has no primary key: an object could not be told from another"),
                "give the table a PRIMARY KEY",
            ));
        }
        let changed = match sql {
            Statement::Update(_) => assigned(table, sql),
            Statement::Insert(_) => conflict_assigned(table, sql),
            _ => return Ok(()),
        };
        let parts = &self.site.layout.table(id).parts;
        if let Some(column) = changed.iter().find(|column| parts.contains(column)) {
            return Err(Refused::new(
                index,
                format!(
                    "it changes {name}.{}, which is in the object's key",
                    table.column(*column).name
                ),
                "delete the row and insert it anew",
            ));
        }
        let mut referring = schema.tables.iter().flat_map(|other| &other.foreign_keys);
        let referred = |column: &&ColumnId| referring.any(|key| key.table == id && key.referenced.contains(column));
        if let Some(column) = changed.iter().find(referred) {
            return Err(Refused::new(
                index,
                format!(
                    "it changes {name}.{}, to which other objects refer",
                    table.column(*column).name
                ),
                "let foreign keys refer to a column that never changes",
            ));
        }
        Ok(())
    }

    /// The rows of a write's query, into a register of their own.
    fn candidates(&mut self, index: u16, id: TableId, query: &Query) -> (Block, Candidates) {
        let schema = &self.assembly.scenario.schema;
        let (objects, caller) = (self.objects(), self.caller(index));
        let (plan, mut steps) = lower::fetch(self.assembly, &mut self.builder, &objects, caller, query);
        let sources: Vec<ComposeTable> = plan
            .fetches
            .iter()
            .map(|fetch| {
                let table = schema.table(fetch.table);
                let columns = read_columns(table, REVISION_TYPE);
                rows_table(&table.full_name(), columns, rows_of(schema, &mut self.builder, fetch))
            })
            .collect();
        let rows = self.builder.rows(&format!("rows written by statement {}", index + 1));
        let text = Text::query(query);
        let mark = Mark::new(format!("new rows of {}", schema.table(id).full_name()), Role::Work).from(index);
        let into = Into::Rows(rows);
        steps.push(statement::compose(
            &mut self.builder,
            mark,
            sources.clone(),
            &text,
            into,
        ));
        let candidates = Candidates {
            rows,
            sources,
            query: text,
        };
        (steps, candidates)
    }

    fn insert(
        &mut self,
        item: &Item,
        id: TableId,
        sql: &Statement,
        candidates: &Candidates,
        steps: &mut Steps,
    ) -> Result<(), Refused> {
        let scenario = self.assembly.scenario;
        let (index, rows, table) = (item.index, candidates.rows, scenario.schema.table(id));
        let known = check::never_null_columns(scenario, self.operation, table, sql);
        steps.looks.extend(self.checked(index, id, rows, None, &known));
        if self.several {
            steps.looks.extend(self.must_be_new(index, id, rows));
            steps.looks.extend(self.look_at_guards(index, id, rows, None));
        }
        steps.looks.extend(self.references(index, id, rows, None));
        steps.looks.extend(self.settle(item, id, sql, rows)?);
        let bind = bound_written(&mut self.builder, "new row", table, REVISION_TYPE);
        let put = self.create(index, id, &bind, ErrorClass::Refused);
        let put = self.builder.retry(vec![put], &[ErrorClass::Transient], AFTER_CONFLICT);
        let mut body = self.take_guards(index, id, &bind, None, None);
        body.push(put);
        steps.writes.push(self.for_each(rows, bind, body, Vec::new()));
        Ok(())
    }

    /// A write that turns out to be impossible would come too late: the key is looked for before any.
    fn must_be_new(&mut self, index: u16, id: TableId, rows: RegisterId) -> Block {
        let table = self.assembly.scenario.schema.table(id);
        let name = self.fresh(&format!("rows of {} that are there", table.full_name()));
        let there = self.builder.rows(&name);
        let mut steps = self.rows_like(index, id, &table.primary_key, rows, there);
        let message = Expression::text(&check::duplicate_message(table, &table.primary_key));
        let some = Expression::binary(Operator::Greater, Expression::RowCount(there), Expression::int(0));
        let fail = self.builder.fail(ErrorClass::Refused, message);
        steps.push(self.builder.when("if the key is taken", some, vec![fail]));
        steps
    }

    /// `ON CONFLICT`: row by row, what is there already is looked for; who is faster than the look is met again.
    fn insert_or(
        &mut self,
        item: &Item,
        id: TableId,
        insert: &Insert,
        candidates: &Candidates,
        steps: &mut Steps,
    ) -> Result<(), Refused> {
        let scenario = self.assembly.scenario;
        let (index, table) = (item.index, scenario.schema.table(id));
        let sql = Statement::Insert(Box::new(insert.clone()));
        let known = check::never_null_columns(scenario, self.operation, table, &sql);
        steps
            .looks
            .extend(self.checked(index, id, candidates.rows, None, &known));
        if self.several {
            let name = self.fresh("rows that are going to be put");
            let foreseen = self.builder.rows(&name);
            steps
                .looks
                .extend(self.resolve(index, id, insert, candidates.rows, foreseen));
            steps.looks.extend(self.settle(item, id, &sql, foreseen)?);
        }
        // When it is written, so is what the statements before have decided.
        let pending = std::mem::take(&mut self.pending);
        let given = bound_row(&mut self.builder, "given row", table, REVISION_TYPE);
        let decided = self.builder.rows(&format!("rows put by statement {}", index + 1));
        let mut body = vec![self.only_this(index, table, candidates.rows, &given, decided)];
        body.extend(self.resolve(index, id, insert, decided, decided));
        let bind = bound_written(&mut self.builder, "put row", table, REVISION_TYPE);
        let create = self.create(index, id, &bind, ErrorClass::Transient);
        let replace = self.replace(index, id, &bind);
        let new = Expression::IsNull(Box::new(register(bind[table.columns.len()])));
        let mut put = self.take_guards(index, id, &bind, None, None);
        put.push(
            self.builder
                .when_else("if it is not there", new, vec![create], vec![replace]),
        );
        put.extend(self.free_guards(index, id, &bind, Rows::Changed, None));
        body.push(self.for_each(decided, bind, put, Vec::new()));
        let again = self.builder.retry(body, &[ErrorClass::Transient], AFTER_CONFLICT);
        steps
            .writes
            .push(self.for_each(candidates.rows, given, vec![again], vec![decided]));
        self.pending = pending;
        if !self.several {
            steps.writes.extend(self.settle(item, id, &sql, decided)?);
        }
        Ok(())
    }

    /// What becomes of new rows where some are there already, checked.
    fn resolve(&mut self, index: u16, id: TableId, insert: &Insert, rows: RegisterId, into: RegisterId) -> Block {
        let schema = &self.assembly.scenario.schema;
        let sql = Statement::Insert(Box::new(insert.clone()));
        let mut steps = Block::new();
        let mut from = rows;
        for columns in conflict_keys(schema, &sql) {
            steps.extend(self.look_for_conflict(index, id, insert, &columns, from, into));
            from = into;
        }
        let changed = conflict_assigned(schema.table(id), &sql);
        if !changed.is_empty() {
            steps.extend(self.checked(index, id, into, Some(&changed), &BTreeSet::new()));
        }
        steps.extend(self.references(index, id, into, None));
        steps
    }

    pub(crate) fn for_each(
        &mut self,
        rows: RegisterId,
        bind: Vec<RegisterId>,
        body: Block,
        gather: Vec<RegisterId>,
    ) -> StepId {
        let op = Op::ForEach {
            rows,
            bind,
            body,
            parallel: 1,
            gather,
        };
        self.builder.step(Mark::plumbing("for each row"), op)
    }

    /// What is there already with these columns leaves the new rows, or changes.
    fn look_for_conflict(
        &mut self,
        index: u16,
        id: TableId,
        insert: &Insert,
        columns: &[ColumnId],
        rows: RegisterId,
        into: RegisterId,
    ) -> Block {
        let table = self.assembly.scenario.schema.table(id);
        let name = self.fresh(&format!("rows of {} that are there", table.full_name()));
        let there = self.builder.rows(&name);
        let mut steps = self.rows_like(index, id, columns, rows, there);
        let text = match insert.on_conflict.as_ref().map(|conflict| &conflict.action) {
            Some(ConflictAction::Update { assignments, filter }) => {
                conflict_update(table, columns, insert, assignments, filter.as_ref(), false)
            }
            _ => nothing_to_do(table, columns),
        };
        let own = table.full_name();
        let sources = vec![
            rows_table("changed.rows", written_columns(table, REVISION_TYPE), rows),
            rows_table(&own, read_columns(table, REVISION_TYPE), there),
        ];
        let mark = Mark::new(format!("{own}: what is there already"), Role::Work).from(index);
        let into = Into::Rows(into);
        steps.push(statement::compose(&mut self.builder, mark, sources, &text, into));
        steps
    }

    /// The rows of a table that have the same values in some columns as those of a row set.
    fn rows_like(
        &mut self,
        index: u16,
        id: TableId,
        columns: &[ColumnId],
        rows: RegisterId,
        into: RegisterId,
    ) -> Block {
        let table = self.assembly.scenario.schema.table(id);
        let tenant = self.site.layout.table(id).tenant;
        let tenant = tenant.filter(|tenant| !columns.contains(tenant));
        let pairs: Vec<(ColumnId, String)> = columns
            .iter()
            .copied()
            .chain(tenant)
            .map(|column| (column, table.column(column).name.clone()))
            .collect();
        let source = rows_table("changed.rows", written_columns(table, REVISION_TYPE), rows);
        self.rows_with(index, id, &pairs, source, "true", into)
    }

    /// An UPDATE or a DELETE.
    fn change(
        &mut self,
        item: &Item,
        id: TableId,
        sql: &Statement,
        candidates: Candidates,
        steps: &mut Steps,
    ) -> Result<(), Refused> {
        let scenario = self.assembly.scenario;
        let (index, rows, table) = (item.index, candidates.rows, scenario.schema.table(id));
        let expected = item.statement.expect_rows;
        let own = table.full_name();
        let stored = candidates.sources.iter().find(|source| source.name == own);
        let decision = Decision {
            table: id,
            stored: stored.map_or(rows, |source| source.rows),
            sources: candidates.sources,
            query: candidates.query,
            assigned: assigned(table, sql),
            never_null: check::never_null_columns(scenario, self.operation, table, sql),
            expected,
        };
        let change = match sql {
            Statement::Delete(_) => Change::Delete,
            _ => Change::Put,
        };
        if change == Change::Put {
            let assigned = Some(&decision.assigned);
            steps
                .looks
                .extend(self.checked(index, id, rows, assigned, &decision.never_null));
            steps.looks.extend(self.references(index, id, rows, assigned));
            if self.several {
                steps.looks.extend(self.look_at_guards(index, id, rows, assigned));
            }
        }
        steps.looks.extend(self.settle(item, id, sql, rows)?);
        if change == Change::Delete {
            let with = self.delete_with(index, id, rows, &mut vec![id])?;
            steps.looks.extend(with.looks);
            steps.writes.extend(with.writes);
        }
        steps.writes.extend(self.apply(index, &decision, change, rows));
        Ok(())
    }

    /// NOT NULL and CHECK of rows that are going to be written; of changed ones as far as the columns concern them.
    pub(crate) fn checked(
        &mut self,
        index: u16,
        id: TableId,
        rows: RegisterId,
        assigned: Option<&BTreeSet<ColumnId>>,
        never_null: &BTreeSet<ColumnId>,
    ) -> Block {
        let table = self.assembly.scenario.schema.table(id);
        check::rows(
            table,
            &written_columns(table, REVISION_TYPE),
            &mut self.builder,
            index,
            rows,
            assigned,
            never_null,
            None,
        )
    }
}
