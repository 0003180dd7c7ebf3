//! Rows that were read and are written back, or deleted: each if its object is as it was. One that somebody else has
//! written meanwhile is read again, and what becomes of it is decided again.

use std::collections::BTreeSet;

use base::Nanos;
use program::{
    Block, Catches, ComposeTable, ErrorClass, Expression, Into, ObjectCondition, ObjectRequest, ObjectState, Operator,
    RegisterId, Role, StepId,
};
use scenario::{ColumnId, Table, TableId};
use syntax::identifier;

use super::REVISION_TYPE;
use super::guard::Rows;
use super::operation::Writer;
use crate::Sabotage;
use crate::lower::builder::{Mark, Patience, register};
use crate::lower::statement;
use crate::rows::reading::{read_columns, written_columns};
use crate::rows::{bound, bound_written, check, qualified_list, rows_table};
use crate::sql::Text;

/// Somebody was faster, or the prefix has too many requests.
pub(crate) const AFTER_CONFLICT: Patience = Patience {
    attempts: 12,
    first: Nanos::from_millis(20),
    limit: Nanos::from_secs(1),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Put,
    Delete,
}

/// How it is decided what becomes of a row.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) table: TableId,
    /// What the query reads; `stored` is the table's own rows among them.
    pub(crate) sources: Vec<ComposeTable>,
    pub(crate) stored: RegisterId,
    pub(crate) query: Text,
    /// Columns that must be checked, and those that cannot be NULL.
    pub(crate) assigned: BTreeSet<ColumnId>,
    pub(crate) never_null: BTreeSet<ColumnId>,
    /// So many rows must be changed.
    pub(crate) expected: Option<u64>,
}

impl Writer<'_, '_> {
    /// `rows` are what the decision came to at first.
    pub(crate) fn apply(&mut self, index: u16, decision: &Decision, change: Change, rows: RegisterId) -> Block {
        let table = self.assembly.scenario.schema.table(decision.table);
        let word = self.fresh("row");
        let bind = bound_written(&mut self.builder, &word, table, REVISION_TYPE);
        let first = self.write_with_guards(index, decision, change, &bind, None);
        let again = self.decide_again(index, decision, change, &bind);
        let again = self.builder.retry(again, &[ErrorClass::Transient], AFTER_CONFLICT);
        let conflict = Catches::of(&[ErrorClass::Transient]);
        let guarded = self.builder.attempt(first, conflict, None, vec![again]);
        vec![self.for_each(rows, bind, vec![guarded], Vec::new())]
    }

    /// The row as it is now, in the place of the one that was read; then the query again, of which only this row counts.
    fn decide_again(&mut self, index: u16, decision: &Decision, change: Change, bind: &[RegisterId]) -> Block {
        let table = self.assembly.scenario.schema.table(decision.table);
        let name = self.fresh(&format!("{} decided again", table.full_name()));
        let decided = self.builder.rows(&name);
        let name = self.fresh(&format!("{} as it is now", table.full_name()));
        let now = self.builder.rows(&name);
        let key = self.site.layout.table(decision.table).key(&bound(bind));
        let objects = self.objects();
        let get = objects.get(&mut self.builder, index, table, None, key, now);
        let name = self.fresh(&format!("{} with it", table.full_name()));
        let all = self.builder.rows(&name);
        let columns = read_columns(table, REVISION_TYPE);
        let list = |of: &str| qualified_list(of, columns.iter().map(|(name, _)| name.as_str()));
        let mut merge = Text::new(format!(
            "SELECT {} FROM now.rows AS n UNION ALL SELECT {} FROM stored.rows AS s WHERE NOT (",
            list("n"),
            list("s")
        ));
        self.same_as(table, "s", bind, &mut merge);
        merge.push(")");
        let sources = vec![
            rows_table("now.rows", columns.clone(), now),
            rows_table("stored.rows", columns.clone(), decision.stored),
        ];
        let mark = Mark::new(format!("{} with the row as it is now", table.full_name()), Role::Work).from(index);
        let merged = statement::compose(&mut self.builder, mark, sources, &merge, Into::Rows(all));
        let mut sources = decision.sources.clone();
        for source in sources.iter_mut().filter(|source| source.rows == decision.stored) {
            source.rows = all;
        }
        let mark = Mark::new(format!("decide {} again", table.full_name()), Role::Work).from(index);
        let again = statement::compose(&mut self.builder, mark, sources, &decision.query, Into::Rows(decided));
        let only = self.only_this(index, table, decided, bind, decided);
        let mut steps = vec![get, merged, again, only];
        if let Some(expected) = decision.expected {
            let none = Expression::binary(Operator::Equal, Expression::RowCount(decided), Expression::int(0));
            let message = format!("expected {expected} rows, got less");
            let fail = self.builder.fail(ErrorClass::Expectation, Expression::text(&message));
            steps.push(self.builder.when("if it is not meant any more", none, vec![fail]));
        }
        if change == Change::Put {
            steps.extend(check::rows(
                table,
                &written_columns(table, REVISION_TYPE),
                &mut self.builder,
                index,
                decided,
                Some(&decision.assigned),
                &decision.never_null,
                None,
            ));
        }
        let word = self.fresh("row again");
        let again = bound_written(&mut self.builder, &word, table, REVISION_TYPE);
        let body = self.write_with_guards(index, decision, change, &again, Some(bind));
        steps.push(self.for_each(decided, again, body, Vec::new()));
        steps
    }

    /// `first`: the row as it was bound for an earlier attempt.
    fn write_with_guards(
        &mut self,
        index: u16,
        decision: &Decision,
        change: Change,
        bind: &[RegisterId],
        first: Option<&[RegisterId]>,
    ) -> Block {
        let id = decision.table;
        let write = self.write_back(index, id, change, bind);
        let assigned = Some(&decision.assigned);
        match change {
            Change::Put => {
                let mut steps = self.take_guards(index, id, bind, assigned, first);
                steps.push(write);
                steps.extend(self.free_guards(index, id, bind, Rows::Changed, assigned));
                steps
            }
            Change::Delete => {
                let mut steps = vec![write];
                steps.extend(self.free_guards(index, id, bind, Rows::Gone, None));
                steps
            }
        }
    }

    /// Of written rows those with the primary key that is bound.
    pub(crate) fn only_this(
        &mut self,
        index: u16,
        table: &Table,
        rows: RegisterId,
        bind: &[RegisterId],
        into: RegisterId,
    ) -> StepId {
        let columns = written_columns(table, REVISION_TYPE);
        let list = qualified_list("x", columns.iter().map(|(name, _)| name.as_str()));
        let mut text = Text::new(format!("SELECT {list} FROM all_of.rows AS x WHERE "));
        self.same_as(table, "x", bind, &mut text);
        let sources = vec![rows_table("all_of.rows", columns, rows)];
        let mark = Mark::new(format!("one row of {}", table.full_name()), Role::Work).from(index);
        statement::compose(&mut self.builder, mark, sources, &text, Into::Rows(into))
    }

    /// `x.id = $1 AND …`
    fn same_as(&mut self, table: &Table, alias: &str, bind: &[RegisterId], text: &mut Text) {
        for (number, column) in table.primary_key.iter().enumerate() {
            let name = self.fresh("key of the row");
            self.builder.bind(&name, register(bind[usize::from(column.0)]));
            let own = identifier(&table.column(*column).name);
            text.push(if number > 0 { " AND " } else { "" })
                .push(&format!("{alias}.{own} = "))
                .variable(&name);
        }
    }

    fn write_back(&mut self, index: u16, id: TableId, change: Change, bind: &[RegisterId]) -> StepId {
        let table = self.assembly.scenario.schema.table(id);
        let message = format!("a row of {} has changed since it was read", table.full_name());
        let tag = register(bind[table.columns.len()]);
        let condition = (!self.site.sabotage.contains(&Sabotage::WithoutConditions)).then_some(ObjectCondition {
            holds: ObjectState::Tagged(tag),
            class: ErrorClass::Transient,
            message,
        });
        match change {
            Change::Put => self.put(index, id, bind, condition),
            Change::Delete => {
                let key = self.site.layout.table(id).key(&bound(bind));
                let request = ObjectRequest::Delete { key, condition };
                self.request(index, "DELETE", id, request, Vec::new(), Into::Nothing)
            }
        }
    }

    /// A row whose key must be free.
    pub(crate) fn create(&mut self, index: u16, id: TableId, bind: &[RegisterId], taken: ErrorClass) -> StepId {
        let table = self.assembly.scenario.schema.table(id);
        let condition = ObjectCondition {
            holds: ObjectState::Absent,
            class: taken,
            message: check::duplicate_message(table, &table.primary_key),
        };
        self.put(index, id, bind, Some(condition))
    }

    /// A row that was there when it was read, and must be as it was.
    pub(crate) fn replace(&mut self, index: u16, id: TableId, bind: &[RegisterId]) -> StepId {
        self.write_back(index, id, Change::Put, bind)
    }

    fn put(&mut self, index: u16, id: TableId, bind: &[RegisterId], condition: Option<ObjectCondition>) -> StepId {
        let schema = &self.assembly.scenario.schema;
        let request = ObjectRequest::Put {
            key: self.site.layout.table(id).key(&bound(bind)),
            fields: self.site.fields(schema, id, &bound(bind)),
            condition,
        };
        self.request(index, "PUT", id, request, Vec::new(), Into::Nothing)
    }
}

/// `d.id = t.user_id AND …`
pub(crate) fn equal(pairs: &[(String, String)], left: &str, right: &str) -> String {
    let each = pairs
        .iter()
        .map(|(a, b)| format!("{left}.{} = {right}.{}", identifier(a), identifier(b)));
    each.collect::<Vec<_>>().join(" AND ")
}
