//! INSERT, UPDATE, DELETE: one row after the other, each to its end before the next is looked for.

use base::Value;

use super::conflict::Free;
use super::frame::{new_row, place, put};
use super::lock_rows::{LockRow, Locked, RecheckRun};
use super::write_row::{WriteRow, Written, decode};
use super::{Context, NO_ROW, Place, State, Step};
use crate::SqlError;
use crate::error::{Fallible, error, state};
use crate::expr::{Flow, Machine, Program};
use crate::plan::{DeletePlan, InsertPlan, Leaf, Node, PolicyCheck, Recheck, Referencing, Returning, Root, UpdatePlan};
use crate::storage::{RowId, RowLock, Xid};

/// A running write.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Modify {
    input: Option<State>,
    pub(super) stage: Stage,
    pub(super) machine: Machine,
    /// How many of the stage's programs are done.
    pub(super) at: usize,
    /// The row as it is (update, delete, ON CONFLICT DO UPDATE).
    pub(super) old: Vec<Value>,
    pub(super) target: Option<(RowId, Option<Xid>)>,
    /// The table that the row is in.
    leaf: Option<Leaf>,
    pub(super) write: Option<WriteRow>,
    /// An update takes the row to another partition: what is inserted there when it is deleted here.
    then: Option<Box<WriteRow>>,
    pub(super) lock: Option<LockRow>,
    recheck: RecheckRun,
    /// The row of an INSERT … DO UPDATE became an update.
    pub(super) on_conflict: bool,
    /// Rows written so far.
    pub(crate) affected: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Next,
    /// Evaluate the new row's programs.
    Evaluate,
    /// ON CONFLICT: is the key free?
    Arbitrate,
    /// Row security's opinion of the new row.
    Check,
    Write,
    /// The row has been replaced by another transaction: lock the newest version.
    Lock,
    Recheck,
    /// DO UPDATE: lock the row that is in the way.
    LockExisting,
    FilterExisting,
    CheckExisting,
    EvaluateExisting,
    Returning,
    Ended,
}

impl Modify {
    pub(crate) fn new(root: &Root) -> Option<Modify> {
        let input = match root {
            Root::Query(_) => return None,
            Root::Insert(plan) => plan.source.as_ref().map(State::new),
            Root::Update(plan) => Some(State::new(&plan.input)),
            Root::Delete(plan) => Some(State::new(&plan.input)),
        };
        Some(Modify {
            input,
            stage: Stage::Next,
            machine: Machine::default(),
            at: 0,
            old: Vec::new(),
            target: None,
            leaf: None,
            write: None,
            then: None,
            lock: None,
            recheck: RecheckRun::default(),
            on_conflict: false,
            affected: 0,
        })
    }

    /// Goes on to the next row of RETURNING, or to the end.
    pub(crate) fn next(&mut self, root: &Root, cx: &mut Context<'_>) -> Fallible<Step> {
        match root {
            Root::Query(_) => Ok(Step::Done),
            Root::Insert(insert) => self.insert(insert, cx),
            Root::Update(update) => self.update(update, cx),
            Root::Delete(delete) => self.delete(delete, cx),
        }
    }

    /// The slots of the row of RETURNING that `next` has given.
    pub(crate) fn output<'p>(&self, root: &'p Root) -> &'p [u32] {
        match root {
            Root::Query(query) => &query.output,
            Root::Insert(plan) => &self.insert_returning(plan).output,
            Root::Update(plan) => &plan.returning.output,
            Root::Delete(plan) => &plan.returning.output,
        }
    }

    pub(super) fn go(&mut self, stage: Stage) {
        (self.stage, self.at) = (stage, 0);
    }

    /// Runs programs into slots. False: suspended.
    pub(super) fn evaluate<'p>(
        &mut self,
        programs: impl Iterator<Item = (&'p Program, u32)>,
        cx: &mut Context<'_>,
    ) -> Fallible<bool> {
        for (program, slot) in programs.skip(self.at) {
            match self.machine.run(program, cx)? {
                Flow::Suspended => return Ok(false),
                Flow::Ready(value) => cx.run.frame[slot as usize] = value,
            }
            self.at += 1;
        }
        Ok(true)
    }

    /// Asks row security about the row in the frame. False: suspended.
    pub(super) fn check(&mut self, checks: &[PolicyCheck], table: usize, cx: &mut Context<'_>) -> Fallible<bool> {
        for check in checks.iter().skip(self.at) {
            match self.machine.run(&check.condition, cx)? {
                Flow::Suspended => return Ok(false),
                Flow::Ready(Value::Bool(true)) => self.at += 1,
                Flow::Ready(_) => return Err(violation(check, &cx.plan.table(table).name)),
            }
        }
        Ok(true)
    }

    /// After a row has been written: to RETURNING, or on. `new`: the appearance that the new version is of.
    fn written(&mut self, returning: &Returning, new: Option<usize>, cx: &mut Context<'_>) {
        self.affected += 1;
        if let (Some(new), Some(write)) = (new, &self.write) {
            let (table, row) = write.placed();
            cx.run.put_system(cx.plan, new, table, row);
        }
        self.go(if returning.output.is_empty() {
            Stage::Next
        } else {
            Stage::Returning
        });
    }

    fn returning(&mut self, returning: &Returning, cx: &mut Context<'_>) -> Fallible<Step> {
        let programs = returning.compute.iter().map(|(program, slot)| (program, *slot));
        if !self.evaluate(programs, cx)? {
            return Ok(Step::Suspended);
        }
        self.go(Stage::Next);
        Ok(Step::Row)
    }

    fn pull(&mut self, node: &Node, cx: &mut Context<'_>) -> Fallible<Step> {
        match &mut self.input {
            Some(input) => super::next(node, input, cx),
            None => Ok(Step::Done),
        }
    }

    // ---- INSERT

    fn insert(&mut self, plan: &InsertPlan, cx: &mut Context<'_>) -> Fallible<Step> {
        loop {
            match self.stage {
                Stage::Next => {
                    let step = match &plan.source {
                        Some(source) => self.pull(source, cx)?,
                        // DEFAULT VALUES: one row.
                        None => Step::Row,
                    };
                    match step {
                        Step::Row => self.go(Stage::Evaluate),
                        other => return Ok(other),
                    }
                }
                Stage::Evaluate => {
                    let programs = plan.row.iter().zip(plan.row_slots.iter().copied());
                    if !self.evaluate(programs, cx)? {
                        return Ok(Step::Suspended);
                    }
                    self.on_conflict = false;
                    let Some(leaf) = place(plan.table, plan.placement.as_ref(), &plan.row_slots, cx)? else {
                        return Ok(Step::Suspended);
                    };
                    let values = new_row(&leaf, None, &plan.row_slots, cx)?;
                    let write = WriteRow::insert(leaf.table.clone(), values);
                    self.write = Some(write.shown_as(cx.plan.table(plan.table), &leaf));
                    self.leaf = Some(leaf);
                    self.go(Stage::Check);
                }
                Stage::Check => {
                    let update = plan.conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
                    let (checks, next) = match update {
                        Some(update) if self.on_conflict => (&update.checks, Stage::Write),
                        _ if plan.conflict.is_some() => (&plan.checks, Stage::Arbitrate),
                        _ => (&plan.checks, Stage::Write),
                    };
                    if !self.check(checks, plan.table, cx)? {
                        return Ok(Step::Suspended);
                    }
                    self.go(next);
                }
                Stage::Arbitrate => match self.arbitrate(plan, cx)? {
                    Free::Yes => self.go(Stage::Write),
                    Free::Skip => self.next_insert(plan),
                    Free::Suspended => return Ok(Step::Suspended),
                    Free::Taken(row) => {
                        let heap = self.leaf(plan.table, cx).table.heap;
                        self.lock = Some(LockRow::new(heap, row, None, RowLock::Update));
                        self.go(Stage::LockExisting);
                    }
                },
                Stage::Write => match self.write_step(&plan.referencing, cx)? {
                    Written::Suspended => return Ok(Step::Suspended),
                    Written::Done(_) => {
                        let returning = self.insert_returning(plan);
                        let update = plan.conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
                        let new = match update {
                            Some(update) if self.on_conflict => update.new,
                            _ => plan.table,
                        };
                        self.written(returning, Some(new), cx);
                        if self.stage == Stage::Next {
                            self.next_insert(plan);
                        }
                    }
                    // The row in the way has changed since it was locked, which cannot be.
                    _ => self.go(Stage::Arbitrate),
                },
                Stage::LockExisting | Stage::FilterExisting | Stage::CheckExisting | Stage::EvaluateExisting => {
                    let update = plan.conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
                    match update {
                        Some(update) => {
                            if let Some(step) = self.update_existing(plan, update, cx)? {
                                return Ok(step);
                            }
                        }
                        None => self.next_insert(plan),
                    }
                }
                Stage::Returning => {
                    let returning = self.insert_returning(plan);
                    let step = self.returning(returning, cx)?;
                    if step == Step::Row {
                        self.next_insert(plan);
                    }
                    return Ok(step);
                }
                Stage::Lock | Stage::Recheck | Stage::Ended => return Ok(Step::Done),
            }
        }
    }

    pub(super) fn next_insert(&mut self, plan: &InsertPlan) {
        self.go(if plan.source.is_some() {
            Stage::Next
        } else {
            Stage::Ended
        });
    }

    fn insert_returning<'p>(&self, plan: &'p InsertPlan) -> &'p Returning {
        let update = plan.conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
        match update {
            Some(update) if self.on_conflict => &update.returning,
            _ => &plan.returning,
        }
    }

    fn write_step(&mut self, referencing: &Referencing, cx: &mut Context<'_>) -> Fallible<Written> {
        loop {
            let Some(write) = &mut self.write else {
                return Ok(Written::Already(cx.command()));
            };
            match (write.step(referencing, cx)?, self.then.take()) {
                (Written::Done(_), Some(then)) => self.write = Some(*then),
                (Written::Suspended, then) => {
                    self.then = then;
                    return Ok(Written::Suspended);
                }
                (written, _) => return Ok(written),
            }
        }
    }

    /// The table that the row at hand is in.
    pub(super) fn leaf(&self, table: usize, cx: &Context<'_>) -> Leaf {
        let itself = || Leaf::itself(cx.plan.table(table).clone());
        self.leaf.clone().unwrap_or_else(itself)
    }

    // ---- UPDATE, DELETE

    fn update(&mut self, plan: &UpdatePlan, cx: &mut Context<'_>) -> Fallible<Step> {
        loop {
            match self.stage {
                Stage::Next => {
                    if let Some(step) = self.next_target(&plan.input, plan.table, cx)? {
                        return Ok(step);
                    }
                }
                Stage::Evaluate => {
                    let leaf = self.leaf(plan.table, cx);
                    if self.at == 0 {
                        put(&leaf, &plan.new_slots, &self.old, cx);
                    }
                    let programs = plan.assignments.iter();
                    let programs = programs.map(|(column, program)| (program, plan.new_slots[usize::from(*column)]));
                    if !self.evaluate(programs, cx)? {
                        return Ok(Step::Suspended);
                    }
                    let Some((row, _)) = self.target else {
                        return Ok(Step::Done);
                    };
                    if !self.updated_row(plan, leaf, row, cx)? {
                        return Ok(Step::Suspended);
                    }
                    self.go(Stage::Check);
                }
                Stage::Check => {
                    if !self.check(&plan.checks, plan.table, cx)? {
                        return Ok(Step::Suspended);
                    }
                    self.go(Stage::Write);
                }
                Stage::Returning => return self.returning(&plan.returning, cx),
                _ => {
                    let followed = Followed {
                        table: plan.table,
                        referencing: &plan.referencing,
                        strength: plan.strength,
                        recheck: &plan.recheck,
                        returning: &plan.returning,
                        new: Some(plan.new),
                    };
                    if let Some(step) = self.write_or_follow(followed, cx)? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    fn delete(&mut self, plan: &DeletePlan, cx: &mut Context<'_>) -> Fallible<Step> {
        loop {
            match self.stage {
                Stage::Next => {
                    if let Some(step) = self.next_target(&plan.input, plan.table, cx)? {
                        return Ok(step);
                    }
                }
                Stage::Evaluate => {
                    let Some((row, _)) = self.target else {
                        return Ok(Step::Done);
                    };
                    let old = std::mem::take(&mut self.old);
                    let table = self.leaf(plan.table, cx).table;
                    self.write = Some(WriteRow::delete(table, row, old));
                    self.go(Stage::Write);
                }
                Stage::Returning => return self.returning(&plan.returning, cx),
                _ => {
                    let followed = Followed {
                        table: plan.table,
                        referencing: &plan.referencing,
                        strength: RowLock::Update,
                        recheck: &plan.recheck,
                        returning: &plan.returning,
                        new: None,
                    };
                    if let Some(step) = self.write_or_follow(followed, cx)? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    /// Pulls the next row to change and reads it whole.
    fn next_target(&mut self, input: &Node, table: usize, cx: &mut Context<'_>) -> Fallible<Option<Step>> {
        match self.pull(input, cx)? {
            Step::Row => {}
            other => return Ok(Some(other)),
        }
        let Place { row, member } = cx.run.rows[table];
        let range = &cx.plan.tables[member as usize];
        let definition = &range.table;
        // It was visible a moment ago, by the same snapshot.
        if let Some(bytes) = cx.core.storage.fetch(definition.heap, row, &cx.run.snapshot) {
            self.old = decode(definition, bytes);
            self.target = Some((row, None));
            self.leaf = Some(Leaf {
                table: definition.clone(),
                columns: range.root_columns.clone(),
                indexes: None,
            });
            self.go(Stage::Evaluate);
        }
        Ok(None)
    }

    /// Prepares the write of an updated row that is in the frame. False: suspended.
    fn updated_row(&mut self, plan: &UpdatePlan, leaf: Leaf, row: RowId, cx: &mut Context<'_>) -> Fallible<bool> {
        if let Some(placement) = &plan.placement {
            let Some(goes_to) = place(plan.table, Some(placement), &plan.new_slots, cx)? else {
                return Ok(false);
            };
            if goes_to.table.id != leaf.table.id {
                let values = new_row(&goes_to, None, &plan.new_slots, cx)?;
                let old = std::mem::take(&mut self.old);
                let as_here = new_row(&leaf, Some(&old), &plan.new_slots, cx)?;
                self.write = Some(WriteRow::moved(leaf.table, row, old, as_here));
                let write = WriteRow::insert(goes_to.table.clone(), values);
                self.then = Some(Box::new(write.shown_as(cx.plan.table(plan.table), &goes_to)));
                return Ok(true);
            }
        }
        let values = new_row(&leaf, Some(&self.old), &plan.new_slots, cx)?;
        let old = std::mem::take(&mut self.old);
        let write = WriteRow::update(leaf.table.clone(), row, old, values);
        self.write = Some(write.shown_as(cx.plan.table(plan.table), &leaf));
        Ok(true)
    }

    /// Writes; where another transaction was first, follows the row, locks it and checks again.
    fn write_or_follow(&mut self, followed: Followed<'_>, cx: &mut Context<'_>) -> Fallible<Option<Step>> {
        let Followed {
            table,
            referencing,
            strength,
            recheck,
            returning,
            new,
        } = followed;
        match self.stage {
            Stage::Write => match self.write_step(referencing, cx)? {
                Written::Suspended => return Ok(Some(Step::Suspended)),
                Written::Done(_) => self.written(returning, new, cx),
                Written::Already(by) if by != cx.command() => {
                    return Err(modified_by_call(self.write.as_ref().is_some_and(WriteRow::deletes)));
                }
                Written::Already(_) => self.go(Stage::Next),
                Written::Gone if cx.repeatable() => {
                    // A row that has gone elsewhere has been updated.
                    let row = self.target.map_or(NO_ROW, |(row, _)| row);
                    let moved = cx.core.storage.moved_away(self.leaf(table, cx).table.heap, row);
                    return Err(cx.changed_concurrently(!moved));
                }
                Written::Gone => {
                    let row = self.target.map(|(row, _)| row);
                    self.refuse_moved(row, table, cx)?;
                    self.go(Stage::Next);
                }
                Written::Moved { .. } if cx.repeatable() => return Err(cx.changed_concurrently(false)),
                Written::Moved { next, by } => {
                    self.then = None;
                    let heap = self.leaf(table, cx).table.heap;
                    self.lock = Some(LockRow::new(heap, next, Some(by), strength));
                    self.go(Stage::Lock);
                }
            },
            Stage::Lock => {
                let Some(mut lock) = self.lock.take() else {
                    return Ok(Some(Step::Done));
                };
                match lock.step(true, cx)? {
                    Locked::Suspended => {
                        self.lock = Some(lock);
                        return Ok(Some(Step::Suspended));
                    }
                    Locked::Yes if lock.reload(table, cx) => {
                        self.target = Some((lock.row, lock.by));
                        self.recheck = RecheckRun::default();
                        self.go(Stage::Recheck);
                    }
                    Locked::Gone if lock.modified_by.is_some_and(|by| by != cx.command()) => {
                        return Err(modified_by_call(self.write.as_ref().is_some_and(WriteRow::deletes)));
                    }
                    _ => {
                        self.refuse_moved(Some(lock.row), table, cx)?;
                        self.go(Stage::Next);
                    }
                }
            }
            Stage::Recheck => match self.recheck.step(recheck, cx)? {
                Flow::Suspended => return Ok(Some(Step::Suspended)),
                Flow::Ready(true) => self.take_followed(table, cx),
                Flow::Ready(false) => self.go(Stage::Next),
            },
            _ => return Ok(Some(Step::Done)),
        }
        Ok(None)
    }

    /// A row that has gone to another partition cannot be followed.
    fn refuse_moved(&self, row: Option<RowId>, table: usize, cx: &Context<'_>) -> Fallible<()> {
        let heap = self.leaf(table, cx).table.heap;
        match row {
            Some(row) if cx.core.storage.moved_away(heap, row) => Err(moved_away()),
            _ => Ok(()),
        }
    }

    fn take_followed(&mut self, table: usize, cx: &mut Context<'_>) {
        let definition = self.leaf(table, cx).table;
        let bytes = match self.target {
            Some((row, Some(by))) => cx.core.storage.fetch_successor(definition.heap, row, by),
            _ => None,
        };
        match bytes {
            Some(bytes) => {
                self.old = decode(&definition, bytes);
                self.go(Stage::Evaluate);
            }
            None => self.go(Stage::Next),
        }
    }
}

/// What an update or a delete needs to follow a row to its newest version.
#[derive(Clone, Copy)]
struct Followed<'p> {
    table: usize,
    referencing: &'p Referencing,
    strength: RowLock,
    recheck: &'p Recheck,
    returning: &'p Returning,
    /// The appearance of the new version, if there is one.
    new: Option<usize>,
}

fn violation(check: &PolicyCheck, table: &str) -> Box<SqlError> {
    let policy = check
        .policy
        .as_ref()
        .map(|name| format!(" \"{name}\""))
        .unwrap_or_default();
    let clause = if check.existing { " (USING expression)" } else { "" };
    let message = format!("new row violates row-level security policy{policy}{clause} for table \"{table}\"");
    error(state::INSUFFICIENT_PRIVILEGE, message)
}

/// A function that the statement has called was first: what it did would be lost.
fn modified_by_call(deletes: bool) -> Box<SqlError> {
    let what = if deletes { "deleted" } else { "updated" };
    let message = format!("tuple to be {what} was already modified by an operation triggered by the current command");
    error(state::TRIGGERED_DATA_CHANGE_VIOLATION, message)
        .hint("Consider using an AFTER trigger instead of a BEFORE trigger to propagate changes to other rows.")
}

pub(super) fn moved_away() -> Box<SqlError> {
    let message = "tuple to be locked was already moved to another partition due to concurrent update";
    error(state::SERIALIZATION_FAILURE, message)
}
