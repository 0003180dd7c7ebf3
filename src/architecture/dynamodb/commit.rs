//! The one transaction that writes everything an operation has decided: all or nothing, each write on a condition.
//!
//! In this order, since the first condition that fails is the one that is reported: rows that must be as they were read
//! (else the operation is done again); then rows that must not be there, keys that must be free, and rows that must be
//! there (else it is refused).

use std::collections::BTreeMap;

use program::{
    Block, Condition, EachRow, ErrorClass, Expression, Into, ItemRequest, ItemWrite, Op, Role, StepId, TransactedWrite,
    WriteAction,
};
use scenario::{ColumnId, Table, TableId};
use syntax::identifier;

use super::check::duplicate_message;
use super::operation::Writer;
use super::reading::{GONE, REVISION, stored};
use super::row::next;
use super::work::{TableWork, rows_table, written_columns};
use super::{REVISION_TYPE, write_once};
use crate::Sabotage;
use crate::lower::builder::{Mark, Patience, register};
use crate::lower::statement;
use crate::rows::{bound, bound_row};
use crate::sql::Text;

/// Nothing was heard of the transaction: it is sent again, with its token.
const SEND_AGAIN: Patience = Patience {
    attempts: 5,
    first: base::Nanos::from_millis(20),
    limit: base::Nanos::from_secs(1),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    Take,
    Free,
}

impl Writer<'_, '_> {
    pub(crate) fn commit(&mut self) -> Block {
        let mut steps = Block::new();
        let mut writes = Vec::new();
        let tables: Vec<(TableId, TableWork)> = self.work.tables.iter().map(|(id, work)| (*id, work.clone())).collect();
        for (id, work) in &tables {
            self.changed(*id, work, &mut steps, &mut writes);
        }
        self.held(&mut steps, &mut writes);
        for (id, work) in &tables {
            self.inserted(*id, work, &mut steps, &mut writes);
        }
        self.direct_inserts(&mut writes);
        self.blind_updates(&mut writes);
        for (id, work) in &tables {
            self.guards(*id, work, &mut steps, &mut writes);
            self.partial_guards(*id, work, &mut steps, &mut writes);
        }
        let (more, references) = self.references();
        steps.extend(more);
        writes.extend(references);
        let names = self.written_names();
        // One item by itself costs half of a transaction of one.
        let at_most_one = match tables.as_slice() {
            [] => true,
            [(_, work)] => work.single,
            _ => false,
        };
        let alone = match writes.as_slice() {
            [only] if at_most_one && !matches!(only.write.action, WriteAction::Check { .. }) => Some(only.clone()),
            _ => None,
        };
        match alone {
            Some(alone) => steps.push(self.write_alone(&names, alone)),
            None => {
                let token = Some(self.token());
                let mark = Mark::new(format!("TransactWrite {}", names.join(", ")), Role::Work);
                let step = self.request(mark, ItemRequest::TransactWrite { writes, token });
                let unknown = [ErrorClass::Unavailable, ErrorClass::Timeout];
                steps.push(self.builder.retry(vec![step], &unknown, SEND_AGAIN));
            }
        }
        steps
    }

    fn write_alone(&mut self, names: &[String], alone: TransactedWrite) -> StepId {
        let verb = match alone.write.action {
            WriteAction::Put { .. } => "Put",
            WriteAction::Update { .. } => "Update",
            WriteAction::Delete { .. } | WriteAction::Check { .. } => "Delete",
        };
        let mark = Mark::new(format!("{verb} {}", names.join(", ")), Role::Work);
        let step = self.request(mark, ItemRequest::Write(alone.write));
        if let Some(EachRow { rows, bind }) = alone.each {
            let op = Op::ForEach {
                rows,
                bind,
                body: vec![step],
                parallel: 1,
                gather: Vec::new(),
            };
            return self.builder.step(Mark::plumbing("for the row, if there is one"), op);
        }
        if self.work.blind.iter().any(|update| !update.expected) {
            // No row fulfils the statement's condition: nothing to do, and no error.
            let none = program::Catches::of(&[ErrorClass::Expectation]);
            return self.builder.attempt(vec![step], none, None, Block::new());
        }
        step
    }

    fn request(&mut self, mark: Mark, request: ItemRequest) -> StepId {
        let op = Op::Item {
            table: self.site.table,
            request,
            columns: Vec::new(),
            into: Into::Nothing,
        };
        let step = self.builder.step(mark, op);
        if let Some(source) = self.last_write {
            self.builder.set_source(step, source);
        }
        step
    }

    fn written_names(&self) -> Vec<String> {
        let schema = &self.assembly.scenario.schema;
        let mut ids: Vec<TableId> = self.work.direct.iter().map(|insert| insert.table).collect();
        ids.extend(self.work.blind.iter().map(|update| update.table));
        ids.extend(self.work.tables.keys());
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(|id| schema.table(id).full_name()).collect()
    }

    /// `#revision = :revision`, or nothing if that is left out on purpose.
    fn as_it_was(&self, id: TableId, revision: Expression) -> Option<Condition> {
        let table = self.assembly.scenario.schema.table(id);
        (!self.site.has(Sabotage::WithoutConditions)).then(|| Condition {
            phrase: self.site.unchanged(revision),
            class: ErrorClass::Transient,
            message: format!("a row of {} has changed since it was read", table.full_name()),
        })
    }

    /// Rows that were read: put anew, or deleted.
    fn changed(&mut self, id: TableId, work: &TableWork, steps: &mut Block, writes: &mut Vec<TransactedWrite>) {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let (revision, gone) = (identifier(REVISION), identifier(GONE));
        let last = schema.table(id).columns.len();
        // A row that was deleted and has come back is put over the stored one.
        if work.updates || (work.inserts && work.deletes) {
            let all = !work.inserts && !work.deletes;
            let condition = format!("{revision} IS NOT NULL AND NOT {gone}");
            let each = self.chosen(id, "changed", (!all).then_some(condition.as_str()), steps);
            if let Some(each) = each {
                let stored = register(each.bind[last]);
                let item = self.site.item(schema, id, &bound(&each.bind), next(stored.clone()));
                let condition = self.as_it_was(id, stored);
                let action = WriteAction::Put { item };
                writes.push(write_once(Some(each), ItemWrite { action, condition }));
            }
        }
        if work.deletes {
            let all = !work.inserts && !work.updates;
            let condition = format!("{revision} IS NOT NULL AND {gone}");
            let each = self.chosen(id, "deleted", (!all).then_some(condition.as_str()), steps);
            if let Some(each) = each {
                let key = self.site.key(id, &bound(&each.bind));
                let condition = self.as_it_was(id, register(each.bind[last]));
                let action = WriteAction::Delete { key };
                writes.push(write_once(Some(each), ItemWrite { action, condition }));
            }
        }
    }

    /// Rows that were read and must be as they were, though they are not written.
    fn held(&mut self, steps: &mut Block, writes: &mut Vec<TransactedWrite>) {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        for (id, rows) in self.work.held.clone() {
            let table = schema.table(id);
            let columns = super::work::read_columns(table);
            let rows = match self.work.rows(id) {
                None => rows,
                Some(written) => {
                    let list = super::work::qualified_list("h", columns.iter().map(|(name, _)| name.as_str()));
                    let same = super::work::same_key(table, "h", "w");
                    let sql = format!(
                        "SELECT {list} FROM held.rows AS h WHERE NOT EXISTS (SELECT 1 FROM written.rows AS w WHERE {same})"
                    );
                    let left = self
                        .builder
                        .rows(&format!("rows of {} that are only held", table.full_name()));
                    let sources = vec![
                        rows_table("held.rows", columns, rows),
                        rows_table("written.rows", written_columns(table), written),
                    ];
                    let mark = Mark::new(format!("{} that is only held", table.full_name()), Role::Work);
                    steps.push(statement::compose(
                        &mut self.builder,
                        mark,
                        sources,
                        &Text::new(sql),
                        Into::Rows(left),
                    ));
                    left
                }
            };
            let bind = bound_row(&mut self.builder, "row", table, REVISION_TYPE);
            let Some(condition) = self.as_it_was(id, register(bind[table.columns.len()])) else {
                continue;
            };
            let key = self.site.key(id, &bound(&bind));
            let write = ItemWrite {
                action: WriteAction::Check { key },
                condition: Some(condition),
            };
            writes.push(write_once(Some(EachRow { rows, bind }), write));
        }
    }

    fn inserted(&mut self, id: TableId, work: &TableWork, steps: &mut Block, writes: &mut Vec<TransactedWrite>) {
        if !work.inserts {
            return;
        }
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let table = schema.table(id);
        let all = !work.updates && !work.deletes;
        let condition = format!("{} IS NULL AND NOT {}", identifier(REVISION), identifier(GONE));
        if let Some(each) = self.chosen(id, "new", (!all).then_some(condition.as_str()), steps) {
            let item = self.site.item(schema, id, &bound(&each.bind), Expression::int(0));
            let condition = self.must_be_new(table, &table.primary_key, work.again_if_there);
            let action = WriteAction::Put { item };
            writes.push(write_once(
                Some(each),
                ItemWrite {
                    action,
                    condition: Some(condition),
                },
            ));
        }
    }

    pub(crate) fn must_be_new(&self, table: &Table, columns: &[ColumnId], again: bool) -> Condition {
        Condition {
            phrase: self.site.exists_not(),
            class: if again {
                ErrorClass::Transient
            } else {
                ErrorClass::Refused
            },
            message: duplicate_message(table, columns),
        }
    }

    fn direct_inserts(&mut self, writes: &mut Vec<TransactedWrite>) {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        for insert in &self.work.direct {
            let table = schema.table(insert.table);
            let value = |id: ColumnId| known_value(&insert.values, id);
            let item = self.site.item(schema, insert.table, &value, Expression::int(0));
            let condition = self.must_be_new(table, &table.primary_key, false);
            writes.push(write_once(
                None,
                ItemWrite {
                    action: WriteAction::Put { item },
                    condition: Some(condition),
                },
            ));
        }
        for insert in &self.work.direct {
            let table = schema.table(insert.table);
            let value = |id: ColumnId| known_value(&insert.values, id);
            for columns in self.site.guarded(insert.table) {
                if columns
                    .iter()
                    .any(|id| value(*id) == Expression::Constant(base::Value::Null))
                {
                    continue;
                }
                let condition = self.must_be_new(table, columns, false);
                writes.push(write_once(
                    None,
                    ItemWrite {
                        action: WriteAction::Put {
                            item: self.site.guard(table, columns, &value),
                        },
                        condition: Some(condition),
                    },
                ));
            }
        }
    }

    fn blind_updates(&mut self, writes: &mut Vec<TransactedWrite>) {
        for update in &self.work.blind {
            let condition = Condition {
                phrase: update.condition.clone(),
                class: ErrorClass::Expectation,
                message: "expected 1 rows, got 0".to_owned(),
            };
            let action = WriteAction::Update {
                key: update.key.clone(),
                update: update.update.clone(),
            };
            writes.push(write_once(
                None,
                ItemWrite {
                    action,
                    condition: Some(condition),
                },
            ));
        }
    }

    // ---- UNIQUE

    fn guards(&mut self, id: TableId, work: &TableWork, steps: &mut Block, writes: &mut Vec<TransactedWrite>) {
        let scenario = self.assembly.scenario;
        let table = scenario.schema.table(id);
        for columns in self.site.guarded(id) {
            let moves = columns.iter().any(|column| work.assigned.contains(column));
            for guard in [Guard::Take, Guard::Free] {
                let needed = match guard {
                    Guard::Take => work.inserts || moves,
                    Guard::Free => work.deletes || moves,
                };
                if !needed {
                    continue;
                }
                let each = self.guard_keys(id, work, columns, guard, moves, steps);
                let Some(each) = each else { continue };
                let value = |column: ColumnId| {
                    let place = columns.iter().position(|known| *known == column).unwrap_or(0);
                    register(each.bind[place])
                };
                let (action, condition) = match guard {
                    Guard::Take => {
                        let condition = self.must_be_new(table, columns, work.again_if_there);
                        let item = self.site.guard(table, columns, &value);
                        (WriteAction::Put { item }, Some(condition))
                    }
                    Guard::Free => {
                        let key = self.site.guard_key(table, columns, &value);
                        (WriteAction::Delete { key }, None)
                    }
                };
                writes.push(write_once(Some(each), ItemWrite { action, condition }));
            }
        }
    }

    /// The values that become taken, or free; what is given from one row to another stays as it is.
    fn guard_keys(
        &mut self,
        id: TableId,
        work: &TableWork,
        columns: &[ColumnId],
        guard: Guard,
        moves: bool,
        steps: &mut Block,
    ) -> Option<EachRow> {
        let scenario = self.assembly.scenario;
        let table = scenario.schema.table(id);
        let names: Vec<String> = columns.iter().map(|id| table.column(*id).name.clone()).collect();
        let own: Vec<String> = names.iter().map(|name| identifier(name)).collect();
        let before: Vec<String> = names.iter().map(|name| identifier(&stored(name))).collect();
        let (revision, gone) = (identifier(REVISION), identifier(GONE));
        let different: Vec<String> = own
            .iter()
            .zip(&before)
            .map(|(now, then)| format!("{now} IS DISTINCT FROM {then}"))
            .collect();
        let different = format!("({})", different.join(" OR "));
        let taken = format!(
            "SELECT {} FROM written.rows WHERE NOT {gone} AND ({revision} IS NULL OR {different})",
            own.join(", ")
        );
        let freed = format!(
            "SELECT {} FROM written.rows WHERE {revision} IS NOT NULL AND ({gone} OR {different})",
            before.join(", ")
        );
        let both = moves || (work.inserts && work.deletes);
        let sql = match guard {
            // Two new rows with the same value must meet: they are not made one.
            Guard::Take if both => format!("{taken} EXCEPT ALL {freed}"),
            Guard::Free if both => format!("{freed} EXCEPT ALL {taken}"),
            Guard::Take => taken,
            Guard::Free => freed,
        };
        self.guard_values(id, columns, guard, &super::row::guard_name(table, columns), &sql, steps)
    }

    /// What a query over the written rows gives, each bound to registers.
    pub(crate) fn guard_values(
        &mut self,
        id: TableId,
        columns: &[ColumnId],
        guard: Guard,
        of: &str,
        sql: &str,
        steps: &mut Block,
    ) -> Option<EachRow> {
        let table = self.assembly.scenario.schema.table(id);
        let rows = self.work.rows(id)?;
        let what = match guard {
            Guard::Take => "taken",
            Guard::Free => "freed",
        };
        let name = format!("{what} {of}");
        let keys = self.builder.rows(&name);
        let mark = Mark::new(name, Role::Work);
        let source = rows_table("written.rows", written_columns(table), rows);
        steps.push(statement::compose(
            &mut self.builder,
            mark,
            vec![source],
            &Text::new(sql),
            Into::Rows(keys),
        ));
        let bind = columns.iter().map(|id| {
            let column = table.column(*id);
            self.builder.value(
                &format!("{what} {}.{}", table.full_name(), column.name),
                column.data_type,
            )
        });
        Some(EachRow {
            rows: keys,
            bind: bind.collect(),
        })
    }
}

/// What an insert says of a column; NULL if it does not name it.
fn known_value(values: &BTreeMap<ColumnId, Expression>, id: ColumnId) -> Expression {
    values
        .get(&id)
        .cloned()
        .unwrap_or(Expression::Constant(base::Value::Null))
}
