//! UNIQUE besides the key: an object for each value, named after it. It is put before the row's own object, where none may
//! be yet, and deleted after it.
//!
//! Two objects are not written as one: a crash between them leaves a value taken that no row has.

use std::collections::BTreeSet;

use program::{
    Block, ErrorClass, Expression, Fields, Into, ObjectColumn, ObjectCondition, ObjectRequest, ObjectState, Op,
    Operator, RegisterId, Role,
};
use scenario::{ColumnId, TableId};

use super::REVISION_TYPE;
use super::apply::AFTER_CONFLICT;
use super::layout::Guard;
use super::operation::Writer;
use crate::lower::builder::Mark;
use crate::rows::{bound, bound_stored, bound_written, check};

/// Which rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    New,
    Changed,
    Gone,
}

impl Writer<'_, '_> {
    /// Those of the table that a change of these columns concerns; of a new or deleted row all.
    fn concerned(&self, id: TableId, assigned: Option<&BTreeSet<ColumnId>>) -> Vec<Guard> {
        let table = self.assembly.scenario.schema.table(id);
        let guards = self.site.guards(id).iter();
        let moves = |guard: &&Guard| assigned.is_none_or(|set| guard.watched(table).iter().any(|id| set.contains(id)));
        guards.filter(moves).cloned().collect()
    }

    /// Before anything is written: is a value that new or changed rows are going to take free?
    pub(crate) fn look_at_guards(
        &mut self,
        index: u16,
        id: TableId,
        rows: RegisterId,
        assigned: Option<&BTreeSet<ColumnId>>,
    ) -> Block {
        let table = self.assembly.scenario.schema.table(id);
        let guards = self.concerned(id, assigned);
        // What the operation itself frees is still taken: then writing it must show.
        if guards.is_empty() || self.pending.contains_key(&id) {
            return Block::new();
        }
        let word = self.fresh("row looked at");
        let bind = bound_written(&mut self.builder, &word, table, REVISION_TYPE);
        let mut body = Block::new();
        for guard in &guards {
            let (new, old) = self.keys(id, guard, &bind);
            let name = self.fresh("objects of the value");
            let found = self.builder.rows(&name);
            let request = ObjectRequest::Get {
                each: None,
                key: new.clone(),
            };
            let look = self.request(index, "GET", id, request, vec![ObjectColumn::Key], Into::Rows(found));
            let message = Expression::text(&check::duplicate_message(table, &guard.columns));
            let taken = Expression::binary(Operator::Greater, Expression::RowCount(found), Expression::int(0));
            let fail = self.builder.fail(ErrorClass::Refused, message);
            let refuse = self.builder.when("if the value is taken", taken, vec![fail]);
            body.push(
                self.builder
                    .when("if it takes another value", differs(old, new), vec![look, refuse]),
            );
        }
        vec![self.for_each(rows, bind, body, Vec::new())]
    }

    /// Before the row's own object. `first`: the same row as it was bound for an earlier attempt, whose values are taken.
    pub(crate) fn take_guards(
        &mut self,
        index: u16,
        id: TableId,
        bind: &[RegisterId],
        assigned: Option<&BTreeSet<ColumnId>>,
        first: Option<&[RegisterId]>,
    ) -> Block {
        let table = self.assembly.scenario.schema.table(id);
        let mut steps = Block::new();
        for guard in self.concerned(id, assigned) {
            let (new, old) = self.keys(id, &guard, bind);
            let condition = ObjectCondition {
                holds: ObjectState::Absent,
                class: ErrorClass::Refused,
                message: check::duplicate_message(table, &guard.columns),
            };
            let request = ObjectRequest::Put {
                key: new.clone(),
                fields: Fields::new(),
                condition: Some(condition),
            };
            let put = self.request(index, "take a value of", id, request, Vec::new(), Into::Nothing);
            let put = self.builder.retry(vec![put], &[ErrorClass::Transient], AFTER_CONFLICT);
            let mut test = differs(old, new.clone());
            if let Some(first) = first {
                let (taken, _) = self.keys(id, &guard, first);
                test = Expression::binary(Operator::And, test, differs(taken, new));
            }
            steps.push(self.builder.when("if it takes another value", test, vec![put]));
        }
        steps
    }

    /// After the row's own object.
    pub(crate) fn free_guards(
        &mut self,
        index: u16,
        id: TableId,
        bind: &[RegisterId],
        rows: Rows,
        assigned: Option<&BTreeSet<ColumnId>>,
    ) -> Block {
        let mut steps = Block::new();
        if rows == Rows::New {
            return steps;
        }
        for guard in self.concerned(id, assigned) {
            let (new, old) = self.keys(id, &guard, bind);
            let request = ObjectRequest::Delete {
                key: old.clone(),
                condition: None,
            };
            let delete = self.request(index, "free a value of", id, request, Vec::new(), Into::Nothing);
            let delete = self
                .builder
                .retry(vec![delete], &[ErrorClass::Transient], AFTER_CONFLICT);
            if rows == Rows::Gone {
                steps.push(delete);
            } else {
                steps.push(
                    self.builder
                        .when("if it had another value", differs(new, old), vec![delete]),
                );
            }
        }
        steps
    }

    /// Of the value that the row is going to have, and of the stored one.
    fn keys(&self, id: TableId, guard: &Guard, bind: &[RegisterId]) -> (Expression, Expression) {
        let table = self.assembly.scenario.schema.table(id);
        let new = guard.key(table, &bound(bind));
        (new, guard.key(table, &bound_stored(table, bind)))
    }

    pub(crate) fn request(
        &mut self,
        index: u16,
        verb: &str,
        id: TableId,
        request: ObjectRequest,
        columns: Vec<ObjectColumn>,
        into: Into,
    ) -> program::StepId {
        let table = self.assembly.scenario.schema.table(id);
        let op = Op::Object {
            bucket: self.site.bucket,
            request,
            columns,
            into,
        };
        let mark = Mark::new(format!("{verb} {}", table.full_name()), Role::Work).from(index);
        self.builder.step(mark, op)
    }
}

/// Is there a `to`, and is it another than `from`?
fn differs(from: Expression, to: Expression) -> Expression {
    let none = Expression::IsNull(Box::new(from.clone()));
    let other = Expression::binary(Operator::NotEqual, from, to.clone());
    let there = Expression::Not(Box::new(Expression::IsNull(Box::new(to))));
    Expression::binary(Operator::And, there, Expression::binary(Operator::Or, none, other))
}
