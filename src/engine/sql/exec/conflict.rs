//! ON CONFLICT: what the arbiters say, and DO UPDATE of the row that is in the way.

use super::frame::{frame_row, new_row, put};
use super::lock_rows::Locked;
use super::modify::{Modify, Stage};
use super::write_row::{WriteRow, check_row, contains, decode, index_key};
use super::{Context, NO_ROW, RowWait, Step};
use crate::error::{Fallible, error, state};
use crate::expr::{Environment, Flow};
use crate::plan::{ConflictUpdatePlan, InsertPlan};
use crate::storage::{RowId, Unique};
use base::Value;

/// What the arbiters of ON CONFLICT say.
pub(super) enum Free {
    Yes,
    Skip,
    Taken(RowId),
    Suspended,
}

impl Modify {
    /// Looks at the arbiters: nothing can come between their answer and the insertion, since only a
    /// suspension lets others run.
    pub(super) fn arbitrate(&mut self, plan: &InsertPlan, cx: &mut Context<'_>) -> Fallible<Free> {
        let (Some(conflict), Some(write)) = (&plan.conflict, &self.write) else {
            return Ok(Free::Yes);
        };
        let leaf = self.leaf(plan.table, cx);
        let table = leaf.table.clone();
        let values = &write.values;
        check_row(&table, values, cx)?;
        let xid = cx.xid()?;
        for (at, index) in table.indexes.iter().enumerate() {
            let arbiter = if conflict.arbiters.is_empty() {
                index.unique
            } else {
                leaf.index(at).is_some_and(|index| conflict.arbiters.contains(&index))
            };
            if !arbiter || !contains(index, values, cx.transaction_time())? {
                continue;
            }
            let mut key = Vec::new();
            if index_key(index, values, cx.transaction_time(), &mut key)? {
                continue;
            }
            cx.session.usage.index_probes += 1;
            match cx.core.storage.unique_conflict(index.id, table.heap, &key, NO_ROW, xid) {
                Unique::Free => {}
                Unique::Wait(other) => {
                    let mut wait = RowWait::default();
                    return Ok(if wait.wait_for_transaction(cx, other)? {
                        self.arbitrate(plan, cx)?
                    } else {
                        Free::Suspended
                    });
                }
                Unique::Taken(row) => {
                    let seen = cx
                        .core
                        .storage
                        .fetch_indexed(table.heap, row, &cx.run.snapshot)
                        .is_some();
                    if cx.repeatable() && !seen {
                        return Err(cx.changed_concurrently(false));
                    }
                    return Ok(if conflict.update.is_some() {
                        Free::Taken(row)
                    } else {
                        Free::Skip
                    });
                }
            }
        }
        Ok(Free::Yes)
    }

    pub(super) fn update_existing(
        &mut self,
        plan: &InsertPlan,
        update: &ConflictUpdatePlan,
        cx: &mut Context<'_>,
    ) -> Fallible<Option<Step>> {
        match self.stage {
            Stage::LockExisting => {
                let Some(mut lock) = self.lock.take() else {
                    return Ok(None);
                };
                match lock.step(true, cx)? {
                    Locked::Suspended => {
                        self.lock = Some(lock);
                        return Ok(Some(Step::Suspended));
                    }
                    Locked::Yes
                        if lock.by.is_none() && self.load_existing(plan.table, update.existing, lock.row, cx)? =>
                    {
                        self.go(Stage::FilterExisting);
                    }
                    _ => {
                        // Of this very command: refused. Gone or replaced meanwhile: look again.
                        self.load_existing(plan.table, update.existing, lock.row, cx)?;
                        self.go(Stage::Arbitrate);
                    }
                }
            }
            Stage::FilterExisting => {
                let holds = match &update.filter {
                    None => true,
                    Some(filter) => match self.machine.run(filter, cx)? {
                        Flow::Suspended => return Ok(Some(Step::Suspended)),
                        Flow::Ready(value) => value == Value::Bool(true),
                    },
                };
                if holds {
                    self.go(Stage::CheckExisting);
                } else {
                    self.next_insert(plan);
                }
            }
            Stage::CheckExisting => {
                if !self.check(&update.existing_checks, plan.table, cx)? {
                    return Ok(Some(Step::Suspended));
                }
                self.go(Stage::EvaluateExisting);
            }
            _ => {
                let leaf = self.leaf(plan.table, cx);
                if self.at == 0 {
                    put(&leaf, &update.new_slots, &self.old, cx);
                }
                let programs = update.assignments.iter();
                let programs = programs.map(|(column, program)| (program, update.new_slots[usize::from(*column)]));
                if !self.evaluate(programs, cx)? {
                    return Ok(Some(Step::Suspended));
                }
                let Some((row, _)) = self.target else {
                    return Ok(None);
                };
                let values = new_row(&leaf, Some(&self.old), &update.new_slots, cx)?;
                if let Some(placement) = &plan.placement {
                    let root = frame_row(&update.new_slots, cx);
                    let now = cx.transaction_time();
                    if placement.place(cx.plan.table(plan.table), &root, now)?.table.id != leaf.table.id {
                        return Err(
                            error(state::FEATURE_NOT_SUPPORTED, "invalid ON UPDATE specification").detail(
                                "The result tuple would appear in a different partition than the original tuple.",
                            ),
                        );
                    }
                }
                self.write = Some(WriteRow::update(leaf.table, row, self.old.clone(), values));
                self.on_conflict = true;
                self.go(Stage::Check);
            }
        }
        Ok(None)
    }

    /// Reads the row that is in the way, as it is now. False: it is not there any more.
    pub(super) fn load_existing(
        &mut self,
        table: usize,
        existing: usize,
        row: RowId,
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        let leaf = self.leaf(table, cx);
        let table = &leaf.table;
        let command = cx.command();
        let mut latest = cx
            .core
            .storage
            .snapshot(cx.session.id, cx.session.transaction.xid, command);
        let Some(bytes) = cx.core.storage.fetch(table.heap, row, &latest) else {
            // What this very command has inserted it cannot change.
            latest.command.0 += 1;
            if cx.core.storage.fetch(table.heap, row, &latest).is_some() {
                return Err(error(
                    state::CARDINALITY_VIOLATION,
                    "ON CONFLICT DO UPDATE command cannot affect row a second time",
                )
                .hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values."));
            }
            return Ok(false);
        };
        self.old = decode(table, bytes);
        for (column, slot) in &cx.plan.tables[existing].wanted {
            if let Some(own) = leaf.column(usize::from(*column)) {
                cx.run.frame[*slot as usize] = self.old[own].clone();
            }
        }
        cx.run.put_system(cx.plan, existing, table, row);
        self.target = Some((row, None));
        Ok(true)
    }
}
