//! INSERT, UPDATE, DELETE: one row after the other, each to its end before the next is looked for.

use base::Value;

use super::lock_rows::{LockRow, Locked, RecheckRun};
use super::write_row::{WriteRow, Written, contains, decode, generate, index_key};
use super::{Context, NO_ROW, State, Step};
use crate::SqlError;
use crate::error::{Fallible, error, state};
use crate::expr::{Environment, Flow, Machine, Program};
use crate::plan::{
    ConflictUpdatePlan, DeletePlan, InsertPlan, Node, PolicyCheck, Recheck, Referencing, Returning, Root, UpdatePlan,
};
use crate::storage::{RowId, RowLock, Unique, Xid};

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
    write: Option<WriteRow>,
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
            write: None,
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
                    let values = new_row(plan.table, &plan.row_slots, cx)?;
                    self.write = Some(WriteRow::insert(cx.plan.table(plan.table).clone(), values));
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
                        let heap = cx.plan.table(plan.table).heap;
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
        match &mut self.write {
            Some(write) => write.step(referencing, cx),
            None => Ok(Written::Already),
        }
    }

    /// Looks at the arbiters: nothing can come between their answer and the insertion, since only a
    /// suspension lets others run.
    fn arbitrate(&mut self, plan: &InsertPlan, cx: &mut Context<'_>) -> Fallible<Free> {
        let (Some(conflict), Some(write)) = (&plan.conflict, &self.write) else {
            return Ok(Free::Yes);
        };
        let table = cx.plan.table(plan.table).clone();
        let values = &write.values;
        super::write_row::check_row(&table, values, cx)?;
        let xid = cx.xid()?;
        for (at, index) in table.indexes.iter().enumerate() {
            let arbiter = if conflict.arbiters.is_empty() {
                index.unique
            } else {
                conflict.arbiters.contains(&at)
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
                    Locked::Yes if lock.by.is_none() && self.load_existing(update.existing, lock.row, cx)? => {
                        self.go(Stage::FilterExisting);
                    }
                    _ => {
                        // Of this very command: refused. Gone or replaced meanwhile: look again.
                        self.load_existing(update.existing, lock.row, cx)?;
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
                if self.at == 0 {
                    put(&update.new_slots, &self.old, cx);
                }
                let programs = update.assignments.iter();
                let programs = programs.map(|(column, program)| (program, update.new_slots[usize::from(*column)]));
                if !self.evaluate(programs, cx)? {
                    return Ok(Some(Step::Suspended));
                }
                let Some((row, _)) = self.target else {
                    return Ok(None);
                };
                let table = cx.plan.table(plan.table).clone();
                let values = new_row(plan.table, &update.new_slots, cx)?;
                self.write = Some(WriteRow::update(table, row, self.old.clone(), values));
                self.on_conflict = true;
                self.go(Stage::Check);
            }
        }
        Ok(None)
    }

    /// Reads the row that is in the way, as it is now. False: it is not there any more.
    fn load_existing(&mut self, existing: usize, row: RowId, cx: &mut Context<'_>) -> Fallible<bool> {
        let table = cx.plan.table(existing).clone();
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
        Context::load(cx.plan, existing, bytes, &mut cx.run.frame);
        self.old = decode(&table, bytes);
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
                    if self.at == 0 {
                        put(&plan.new_slots, &self.old, cx);
                    }
                    let programs = plan.assignments.iter();
                    let programs = programs.map(|(column, program)| (program, plan.new_slots[usize::from(*column)]));
                    if !self.evaluate(programs, cx)? {
                        return Ok(Step::Suspended);
                    }
                    let Some((row, _)) = self.target else {
                        return Ok(Step::Done);
                    };
                    let table = cx.plan.table(plan.table).clone();
                    let values = new_row(plan.table, &plan.new_slots, cx)?;
                    let old = std::mem::take(&mut self.old);
                    self.write = Some(WriteRow::update(table, row, old, values));
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
                    self.write = Some(WriteRow::delete(cx.plan.table(plan.table).clone(), row, old));
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
        let row = cx.run.rows[table];
        let definition = cx.plan.table(table);
        // It was visible a moment ago, by the same snapshot.
        if let Some(bytes) = cx.core.storage.fetch(definition.heap, row, &cx.run.snapshot) {
            self.old = decode(definition, bytes);
            self.target = Some((row, None));
            self.go(Stage::Evaluate);
        }
        Ok(None)
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
                Written::Already => self.go(Stage::Next),
                Written::Gone if cx.repeatable() => return Err(cx.changed_concurrently(true)),
                Written::Gone => self.go(Stage::Next),
                Written::Moved { .. } if cx.repeatable() => return Err(cx.changed_concurrently(false)),
                Written::Moved { next, by } => {
                    let heap = cx.plan.table(table).heap;
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
                    _ => self.go(Stage::Next),
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

    fn take_followed(&mut self, table: usize, cx: &mut Context<'_>) {
        let definition = cx.plan.table(table).clone();
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

/// The new row of a table in the frame, its generated columns computed there, too.
fn new_row(table: usize, slots: &[u32], cx: &mut Context<'_>) -> Fallible<Vec<Value>> {
    let mut values: Vec<Value> = slots.iter().map(|slot| cx.run.frame[*slot as usize].clone()).collect();
    let definition = cx.plan.table(table);
    if definition.columns.iter().any(|column| column.generated().is_some()) {
        generate(definition, &mut values, cx.transaction_time())?;
        put(slots, &values, cx);
    }
    Ok(values)
}

fn put(slots: &[u32], values: &[Value], cx: &mut Context<'_>) {
    for (slot, value) in slots.iter().zip(values) {
        cx.run.frame[*slot as usize] = value.clone();
    }
}
