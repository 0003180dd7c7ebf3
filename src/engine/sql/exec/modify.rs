//! INSERT, UPDATE, DELETE: one row after the other, each to its end before the next is looked for.

use base::Value;

use super::lock_rows::{LockRow, Locked, RecheckRun};
use super::write_row::{WriteRow, Written, contains, decode, generate, index_key};
use super::{Context, NO_ROW, Place, State, Step};
use crate::SqlError;
use crate::error::{Fallible, error, state};
use crate::expr::{Environment, Flow, Machine, Program};
use crate::plan::{
    ConflictUpdatePlan, DeletePlan, InsertPlan, Leaf, Node, Placement, PolicyCheck, Recheck, Referencing, Returning,
    Root, UpdatePlan,
};
use crate::storage::{LockMode, RowId, RowLock, Unique, Xid};

/// A running write.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Modify {
    input: Option<State>,
    stage: Stage,
    machine: Machine,
    /// How many of the stage's programs are done.
    at: usize,
    /// The row as it is (update, delete, ON CONFLICT DO UPDATE).
    old: Vec<Value>,
    target: Option<(RowId, Option<Xid>)>,
    /// The table that the row is in.
    leaf: Option<Leaf>,
    write: Option<WriteRow>,
    /// An update takes the row to another partition: what is inserted there when it is deleted here.
    then: Option<WriteRow>,
    lock: Option<LockRow>,
    recheck: RecheckRun,
    /// The row of an INSERT … DO UPDATE became an update.
    on_conflict: bool,
    /// Rows written so far.
    pub(crate) affected: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
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

    fn go(&mut self, stage: Stage) {
        (self.stage, self.at) = (stage, 0);
    }

    /// Runs programs into slots. False: suspended.
    fn evaluate<'p>(
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
    fn check(&mut self, checks: &[PolicyCheck], table: usize, cx: &mut Context<'_>) -> Fallible<bool> {
        for check in checks.iter().skip(self.at) {
            match self.machine.run(&check.condition, cx)? {
                Flow::Suspended => return Ok(false),
                Flow::Ready(Value::Bool(true)) => self.at += 1,
                Flow::Ready(_) => return Err(violation(check, &cx.plan.table(table).name)),
            }
        }
        Ok(true)
    }

    /// After a row has been written: to RETURNING, or on.
    fn written(&mut self, returning: &Returning) {
        self.affected += 1;
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
                        self.written(returning);
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

    fn next_insert(&mut self, plan: &InsertPlan) {
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
                (Written::Done(_), Some(then)) => self.write = Some(then),
                (Written::Suspended, then) => {
                    self.then = then;
                    return Ok(Written::Suspended);
                }
                (written, _) => return Ok(written),
            }
        }
    }

    /// The table that the row at hand is in.
    fn leaf(&self, table: usize, cx: &Context<'_>) -> Leaf {
        let itself = || Leaf::itself(cx.plan.table(table).clone());
        self.leaf.clone().unwrap_or_else(itself)
    }

    /// Looks at the arbiters: nothing can come between their answer and the insertion, since only a
    /// suspension lets others run.
    fn arbitrate(&mut self, plan: &InsertPlan, cx: &mut Context<'_>) -> Fallible<Free> {
        let (Some(conflict), Some(write)) = (&plan.conflict, &self.write) else {
            return Ok(Free::Yes);
        };
        let leaf = self.leaf(plan.table, cx);
        let table = leaf.table.clone();
        let values = &write.values;
        super::write_row::check_row(&table, values, cx)?;
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
                    let mut wait = super::RowWait::default();
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

    fn update_existing(
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
    fn load_existing(&mut self, table: usize, existing: usize, row: RowId, cx: &mut Context<'_>) -> Fallible<bool> {
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
        self.target = Some((row, None));
        Ok(true)
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
                self.then = Some(write.shown_as(cx.plan.table(plan.table), &goes_to));
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
        } = followed;
        match self.stage {
            Stage::Write => match self.write_step(referencing, cx)? {
                Written::Suspended => return Ok(Some(Step::Suspended)),
                Written::Done(_) => self.written(returning),
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

/// What the arbiters of ON CONFLICT say.
enum Free {
    Yes,
    Skip,
    Taken(RowId),
    Suspended,
}

fn frame_row(slots: &[u32], cx: &Context<'_>) -> Vec<Value> {
    slots.iter().map(|slot| cx.run.frame[*slot as usize].clone()).collect()
}

/// The new row of the statement's table in the frame, as a row of the table that it goes to, whose generated columns
/// are computed in the frame, too. `old`: what it has besides.
fn new_row(leaf: &Leaf, old: Option<&[Value]>, slots: &[u32], cx: &mut Context<'_>) -> Fallible<Vec<Value>> {
    let mut values = match (&leaf.columns, old) {
        (None, _) => frame_row(slots, cx),
        (Some(_), None) => leaf.row(&frame_row(slots, cx)),
        (Some(_), Some(old)) => {
            let mut values = old.to_vec();
            for (at, value) in frame_row(slots, cx).into_iter().enumerate() {
                if let Some(own) = leaf.column(at) {
                    values[own] = value;
                }
            }
            values
        }
    };
    if leaf.table.columns.iter().any(|column| column.generated().is_some()) {
        generate(&leaf.table, &mut values, cx.transaction_time())?;
        put(leaf, slots, &values, cx);
    }
    Ok(values)
}

/// The table that the row in the frame goes to, locked. `None`: suspended.
fn place(table: usize, placement: Option<&Placement>, slots: &[u32], cx: &mut Context<'_>) -> Fallible<Option<Leaf>> {
    let root = cx.plan.table(table);
    let Some(placement) = placement else {
        return Ok(Some(Leaf::itself(root.clone())));
    };
    let now = cx.transaction_time();
    let mut row = frame_row(slots, cx);
    if root.partition_key.is_none() {
        generate(root, &mut row, now)?;
    }
    let leaf = placement.place(root, &row, now)?;
    let locked = cx.acquire(cx.session.relation_tag(leaf.table.id), LockMode::RowExclusive)?;
    Ok(locked.then_some(leaf))
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

/// A row of the table that it is in, as one of the statement's table into the frame.
fn put(leaf: &Leaf, slots: &[u32], values: &[Value], cx: &mut Context<'_>) {
    for (at, slot) in slots.iter().enumerate() {
        if let Some(own) = leaf.column(at) {
            cx.run.frame[*slot as usize] = values[own].clone();
        }
    }
}
