//! `SELECT … FOR UPDATE` and its kin; following a row to its newest version.

use base::Value;

use super::{Context, NO_ROW, Place, RowWait, State, Step};
use crate::bind::BoundLock;
use crate::error::{Fallible, error, state};
use crate::expr::{Flow, Machine};
use crate::plan::{Node, Recheck, RecheckStep};
use crate::storage::{CommandId, RelationId, RowId, RowLock, RowOutcome, Xid};

/// A row being locked, at its newest version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LockRow {
    relation: RelationId,
    pub(crate) row: RowId,
    /// Who made that version, if it is newer than the one that was found.
    pub(crate) by: Option<Xid>,
    strength: RowLock,
    wait: RowWait,
    /// The command of this transaction that has changed it already.
    pub(crate) modified_by: Option<CommandId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locked {
    /// At the version in `LockRow::row`.
    Yes,
    /// Removed, or changed by this very command.
    Gone,
    /// It would have to wait.
    Busy,
    Suspended,
}

impl LockRow {
    pub(crate) fn new(relation: RelationId, row: RowId, by: Option<Xid>, strength: RowLock) -> LockRow {
        LockRow {
            relation,
            row,
            by,
            strength,
            wait: RowWait::default(),
            modified_by: None,
        }
    }

    /// Locks, or goes on. `may_wait` false: says `Busy` instead of waiting.
    pub(crate) fn step(&mut self, may_wait: bool, cx: &mut Context<'_>) -> Fallible<Locked> {
        let xid = cx.xid()?;
        loop {
            let command = cx.command();
            match cx
                .core
                .storage
                .lock_row(self.relation, self.row, self.strength, xid, command)
            {
                RowOutcome::Done(()) => {
                    self.wait.finish(cx);
                    return Ok(Locked::Yes);
                }
                RowOutcome::Busy(_) if !may_wait => return Ok(Locked::Busy),
                RowOutcome::Busy(holders) => {
                    if !self.wait.wait(cx, self.relation, self.row, self.strength, &holders)? {
                        return Ok(Locked::Suspended);
                    }
                }
                RowOutcome::Updated { next, by } => {
                    if cx.repeatable() {
                        return Err(cx.changed_concurrently(false));
                    }
                    self.wait.finish(cx);
                    (self.row, self.by) = (next, Some(by));
                }
                RowOutcome::Deleted { .. } => {
                    // PostgreSQL speaks of an update here, even though it was a delete.
                    if cx.repeatable() {
                        return Err(cx.changed_concurrently(false));
                    }
                    self.wait.finish(cx);
                    return Ok(Locked::Gone);
                }
                RowOutcome::SelfModified { command } => {
                    self.wait.finish(cx);
                    // The last command that has changed it says whether it was this one alone.
                    let last = cx.core.storage.last_command(self.relation, self.row, xid);
                    self.modified_by = last.max(Some(command));
                    return Ok(Locked::Gone);
                }
                RowOutcome::Invisible => {
                    self.wait.finish(cx);
                    return Ok(Locked::Gone);
                }
            }
        }
    }

    /// Puts the newest version into the frame, the row being in a member. False: it has been cleared away, it is gone.
    pub(crate) fn reload(&self, table: usize, cx: &mut Context<'_>) -> bool {
        let Some(by) = self.by else {
            return true;
        };
        let Some(bytes) = cx.core.storage.fetch_successor(self.relation, self.row, by) else {
            return false;
        };
        let member = cx.run.rows[table].member as usize;
        Context::load(cx.plan, member, self.row, bytes, cx.run);
        cx.run.rows[table].row = self.row;
        true
    }
}

/// Where a re-check is.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct RecheckRun {
    at: usize,
    machine: Machine,
}

impl RecheckRun {
    /// Runs the conditions and computations again over the frame: whether the row still belongs.
    pub(crate) fn step(&mut self, recheck: &Recheck, cx: &mut Context<'_>) -> Fallible<Flow<bool>> {
        while let Some(step) = recheck.steps.get(self.at) {
            let (RecheckStep::Require(program)
            | RecheckStep::NullUnless(program, _)
            | RecheckStep::Compute(program, _)) = step;
            let Flow::Ready(value) = self.machine.run(program, cx)? else {
                return Ok(Flow::Suspended);
            };
            let holds = value == Value::Bool(true);
            match step {
                RecheckStep::Require(_) if !holds => return Ok(Flow::Ready(false)),
                RecheckStep::NullUnless(_, slots) if !holds => {
                    for slot in slots {
                        cx.run.frame[*slot as usize] = Value::Null;
                    }
                }
                RecheckStep::Compute(_, slot) => cx.run.frame[*slot as usize] = value,
                RecheckStep::Require(_) | RecheckStep::NullUnless(..) => {}
            }
            self.at += 1;
        }
        Ok(Flow::Ready(true))
    }
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct LockRowsState {
    input: State,
    stage: Stage,
    /// Which of the tables is being locked.
    at: usize,
    current: Option<LockRow>,
    /// A row has been followed to a newer version.
    moved: bool,
    recheck: RecheckRun,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Next,
    Lock,
    Recheck,
}

impl LockRowsState {
    pub(crate) fn new(input: State) -> LockRowsState {
        LockRowsState {
            input,
            stage: Stage::Next,
            at: 0,
            current: None,
            moved: false,
            recheck: RecheckRun::default(),
        }
    }
}

pub(crate) fn next(
    input: &Node,
    locks: &[BoundLock],
    recheck: &Recheck,
    state: &mut LockRowsState,
    cx: &mut Context<'_>,
) -> Fallible<Step> {
    loop {
        match state.stage {
            Stage::Next => match super::next(input, &mut state.input, cx)? {
                Step::Row => (state.stage, state.at, state.moved) = (Stage::Lock, 0, false),
                other => return Ok(other),
            },
            Stage::Lock => match lock_next(locks, state, cx)? {
                Locked::Suspended => return Ok(Step::Suspended),
                // Skipped, or gone: the row is not part of the result.
                Locked::Gone | Locked::Busy => (state.stage, state.current) = (Stage::Next, None),
                Locked::Yes if state.at < locks.len() => {}
                Locked::Yes if state.moved => {
                    state.recheck = RecheckRun::default();
                    state.stage = Stage::Recheck;
                }
                Locked::Yes => {
                    state.stage = Stage::Next;
                    return Ok(Step::Row);
                }
            },
            Stage::Recheck => match state.recheck.step(recheck, cx)? {
                Flow::Suspended => return Ok(Step::Suspended),
                Flow::Ready(belongs) => {
                    state.stage = Stage::Next;
                    if belongs {
                        return Ok(Step::Row);
                    }
                }
            },
        }
    }
}

fn lock_next(locks: &[BoundLock], state: &mut LockRowsState, cx: &mut Context<'_>) -> Fallible<Locked> {
    let Some(lock) = locks.get(state.at) else {
        return Ok(Locked::Yes);
    };
    let Place { row, member } = cx.run.rows[lock.table];
    if row == NO_ROW {
        state.at += 1;
        return Ok(Locked::Yes);
    }
    let table = cx.plan.table(member as usize).clone();
    let strength = strength(lock.strength);
    let mut current = state
        .current
        .take()
        .unwrap_or_else(|| LockRow::new(table.heap, row, None, strength));
    let locked = current.step(lock.wait == syntax::LockWait::Wait, cx)?;
    match locked {
        Locked::Busy if lock.wait == syntax::LockWait::NoWait => {
            let message = format!("could not obtain lock on row in relation \"{}\"", table.name);
            return Err(error(state::LOCK_NOT_AVAILABLE, message));
        }
        Locked::Suspended => state.current = Some(current),
        Locked::Yes => {
            state.at += 1;
            if current.by.is_some() {
                state.moved = true;
                if !current.reload(lock.table, cx) {
                    return Ok(Locked::Gone);
                }
            }
        }
        Locked::Gone if cx.core.storage.moved_away(table.heap, current.row) => {
            return Err(super::modify::moved_away());
        }
        Locked::Gone | Locked::Busy => {}
    }
    Ok(locked)
}

pub(crate) fn strength(strength: syntax::RowLock) -> RowLock {
    match strength {
        syntax::RowLock::KeyShare => RowLock::KeyShare,
        syntax::RowLock::Share => RowLock::Share,
        syntax::RowLock::NoKeyUpdate => RowLock::NoKeyUpdate,
        syntax::RowLock::Update => RowLock::Update,
    }
}
