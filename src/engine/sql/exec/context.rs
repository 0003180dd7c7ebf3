//! What a running statement works with: its frame and snapshot, its transaction, the server's core.

use std::collections::VecDeque;
use std::sync::Arc;

use base::{Row, Time, Value};
use syntax::Span;

use super::subquery::SubqueryRun;
use super::{CallRun, CommonRun, ForeignEvent, NO_ROW, Place, State};
use crate::SqlError;
use crate::bind::{SystemColumn, object_name};
use crate::catalog::{Authority, Table, UserFunction};
use crate::error::{Fallible, error, state};
use crate::expr::function::Session as SessionFunction;
use crate::expr::{Advisory, Environment, Flow, Slot};
use crate::plan::Plan;
use crate::server::Core;
use crate::session::{SessionState, unrecognized};
use crate::storage::{
    Acquired, CommandId, IndexId, LockMode, LockTag, RelationId, RowId, RowLock, SerialId, SerializationFailure,
    Snapshot, Xid,
};
use crate::types::SqlType;
use crate::types::compare::compare_for_sort;

/// A statement's own data while it runs.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Run {
    pub(crate) frame: Vec<Value>,
    /// The current row of each base table's appearance.
    pub(crate) rows: Vec<Place>,
    pub(crate) params: Vec<Value>,
    pub(crate) subqueries: Vec<SubqueryRun>,
    pub(crate) commons: Vec<CommonRun>,
    pub(crate) snapshot: Snapshot,
    /// Foreign keys to check when the statement's rows are all written.
    pub(crate) foreign: VecDeque<ForeignEvent>,
    /// The call of a function that it is in.
    pub(crate) call: Option<CallRun>,
    /// Of a statement of a function: how deep in calls, and what it gives.
    pub(crate) depth: u32,
    pub(crate) result: Option<Value>,
    /// As what its rows are written: calls and checks count on.
    pub(crate) command: CommandId,
    /// No check waits any more.
    pub(crate) ends: bool,
}

impl Run {
    pub(crate) fn new(plan: &Plan, params: Vec<Value>, snapshot: Snapshot) -> Run {
        let command = snapshot.command;
        Run {
            frame: plan.empty_frame(),
            rows: (0..plan.tables.len() as u32)
                .map(|member| Place { row: NO_ROW, member })
                .collect(),
            params,
            subqueries: vec![SubqueryRun::default(); plan.subqueries.len()],
            commons: plan.commons.iter().map(CommonRun::new).collect(),
            snapshot,
            foreign: VecDeque::new(),
            call: None,
            depth: 0,
            result: None,
            command,
            ends: false,
        }
    }

    /// What an appearance of a table reads of a row besides its columns; the row is in `table`.
    pub(super) fn put_system(&mut self, plan: &Plan, appearance: usize, table: &Table, row: RowId) {
        for (column, slot) in &plan.tables[appearance].system {
            self.frame[*slot as usize] = match column {
                SystemColumn::Ctid => Value::Tid(row.page, row.slot),
                SystemColumn::TableOid => Value::Oid(table.id.0),
            };
        }
    }
}

/// Everything that an operator may touch.
pub(crate) struct Context<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) session: &'a mut SessionState,
    pub(crate) plan: &'a Plan,
    pub(crate) run: &'a mut Run,
    pub(crate) fuel: &'a mut u64,
    pub(crate) now: Time,
    /// Rows of the tables of an evaluation, by heap.
    pub(crate) ephemeral: &'a [&'a [Row]],
}

impl Context<'_> {
    /// Takes one unit of fuel; false when there is none.
    #[inline]
    pub(crate) fn burn(&mut self) -> bool {
        if *self.fuel == 0 {
            return false;
        }
        *self.fuel -= 1;
        true
    }

    /// What the role may do that the statement runs as.
    pub(crate) fn authority(&self) -> Authority {
        let own = &self.session.transaction.xids;
        self.core.catalog.authority(self.session.current_user(), own)
    }

    /// Asks for a lock; false: queued, the statement is suspended.
    pub(crate) fn acquire(&mut self, tag: LockTag, mode: LockMode) -> Fallible<bool> {
        acquire(self.core, self.session, tag, mode)
    }

    /// The number under which this statement writes.
    pub(crate) fn xid(&mut self) -> Fallible<Xid> {
        let xid = self.session.write_xid(self.core)?;
        self.run.snapshot.own = self.session.transaction.xid;
        Ok(xid)
    }

    /// As what a serializable transaction's reads and writes are watched.
    pub(crate) fn serial(&self) -> Option<SerialId> {
        self.session.transaction.serial
    }

    /// A row goes into a table whose rows a serializable transaction may have read.
    pub(crate) fn check_insert(&mut self, heap: RelationId) -> Fallible<()> {
        match self.serial() {
            Some(serial) => self.core.storage.check_insert(serial, heap).map_err(failed),
            None => Ok(()),
        }
    }

    /// A row version has been replaced or removed that one may have read.
    pub(crate) fn check_change(&mut self, heap: RelationId, row: RowId) -> Fallible<()> {
        let top_level = self.session.transaction.savepoints.is_empty();
        match self.serial() {
            Some(serial) => (self.core.storage.check_change(serial, heap, row, top_level)).map_err(failed),
            None => Ok(()),
        }
    }

    /// A key goes into an index in which one may have looked for it. `row`: the entry's, where equal keys have many.
    pub(crate) fn check_entry(&mut self, index: IndexId, key: &[u8], row: Option<RowId>) -> Fallible<()> {
        match self.serial() {
            Some(serial) => (self.core.storage.check_entry(serial, index, key, row)).map_err(failed),
            None => Ok(()),
        }
    }

    pub(crate) fn command(&self) -> CommandId {
        self.run.command
    }

    pub(crate) fn repeatable(&self) -> bool {
        self.session.transaction.modes.isolation != syntax::IsolationLevel::ReadCommitted
    }

    /// A row changed under a transaction that must not see changes.
    pub(crate) fn changed_concurrently(&self, deleted: bool) -> Box<SqlError> {
        let what = if deleted { "delete" } else { "update" };
        error(
            state::SERIALIZATION_FAILURE,
            format!("could not serialize access due to concurrent {what}"),
        )
    }

    /// Makes a row the current one of one appearance of its table: its bytes are decoded into that one's slots.
    #[inline]
    pub(crate) fn load(plan: &Plan, table: usize, row: RowId, bytes: &[u8], run: &mut Run) {
        let range = &plan.tables[table];
        crate::row::decode(bytes, &range.table.layout, &range.wanted, &mut run.frame);
        run.rows[table].row = row;
        if !range.system.is_empty() {
            run.put_system(plan, table, &range.table, row);
        }
    }

    pub(crate) fn sub_state(&self, id: u32) -> State {
        State::new(&self.plan.subqueries[id as usize].node)
    }
}

pub(crate) fn failed(failure: SerializationFailure) -> Box<SqlError> {
    Box::new(failure.into())
}

/// Asks for a lock on behalf of a session; false: queued.
pub(crate) fn acquire(core: &mut Core, session: &SessionState, tag: LockTag, mode: LockMode) -> Fallible<bool> {
    match core.storage.acquire(session.id, tag, mode, true) {
        Acquired::Granted => Ok(true),
        Acquired::Waits => Ok(false),
        Acquired::Deadlock => Err(deadlock(core.storage.deadlock_report())),
        Acquired::Unavailable => Err(error(state::LOCK_NOT_AVAILABLE, "could not obtain lock")),
    }
}

pub(crate) fn deadlock(links: &[crate::storage::DeadlockLink]) -> Box<SqlError> {
    let lines: Vec<String> = links.iter().map(ToString::to_string).collect();
    error(state::DEADLOCK_DETECTED, "deadlock detected")
        .detail(lines.join("\n"))
        .hint("See server log for query details.")
}

/// A wait for a row: its place in the queue, and the transaction waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RowWait {
    tuple: Option<(LockTag, LockMode)>,
    transaction: Option<Xid>,
}

impl RowWait {
    /// Queues for a busy row and waits for its holders. True: try the row again; false: suspended.
    pub(crate) fn wait(
        &mut self,
        cx: &mut Context<'_>,
        relation: RelationId,
        row: RowId,
        strength: RowLock,
        holders: &[Xid],
    ) -> Fallible<bool> {
        self.release_transaction(cx);
        let database = cx.session.database;
        if self.tuple.is_none() {
            let tag = LockTag::Tuple {
                database,
                relation,
                row,
            };
            let mode = strength.queue_mode();
            if !cx.acquire(tag, mode)? {
                return Ok(false);
            }
            self.tuple = Some((tag, mode));
        }
        for holder in holders {
            if !self.wait_for_transaction(cx, *holder)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for a transaction's end. True: it has ended.
    pub(crate) fn wait_for_transaction(&mut self, cx: &mut Context<'_>, xid: Xid) -> Fallible<bool> {
        self.release_transaction(cx);
        let granted = cx.acquire(LockTag::Transaction(xid), LockMode::Share)?;
        self.transaction = Some(xid);
        if granted {
            self.release_transaction(cx);
        }
        Ok(granted)
    }

    fn release_transaction(&mut self, cx: &mut Context<'_>) {
        if let Some(xid) = self.transaction.take() {
            cx.core
                .storage
                .release_lock(cx.session.id, LockTag::Transaction(xid), LockMode::Share);
        }
    }

    /// The row is no longer busy: the next in the queue may come.
    pub(crate) fn finish(&mut self, cx: &mut Context<'_>) {
        if self.transaction.is_none() && self.tuple.is_none() {
            return;
        }
        self.release_transaction(cx);
        if let Some((tag, mode)) = self.tuple.take() {
            cx.core.storage.release_lock(cx.session.id, tag, mode);
        }
    }
}

impl Environment for Context<'_> {
    #[inline]
    fn slot(&self, slot: Slot) -> &Value {
        &self.run.frame[slot as usize]
    }

    #[inline]
    fn param(&self, number: u32) -> &Value {
        self.run.params.get(number as usize).unwrap_or(&Value::Null)
    }

    fn transaction_time(&self) -> i64 {
        self.core.timestamp(self.session.transaction.started)
    }

    fn clock_time(&self) -> i64 {
        self.core.timestamp(self.now)
    }

    fn session_call(&mut self, function: SessionFunction, arguments: &[Value]) -> Fallible<Value> {
        let text = |at: usize| arguments.get(at).and_then(Value::as_str).unwrap_or_default();
        Ok(match function {
            SessionFunction::CurrentSetting => {
                let missing_ok = arguments.get(1) == Some(&Value::Bool(true));
                match self.session.setting(text(0), &self.core.config) {
                    Some(value) => Value::Text(value),
                    None if missing_ok => Value::Null,
                    None => return Err(unrecognized(text(0))),
                }
            }
            SessionFunction::SetConfig => {
                let local = arguments.get(2) == Some(&Value::Bool(true));
                if arguments.first().is_none_or(Value::is_null) {
                    let message = "SET requires parameter name";
                    return Err(error(state::NULL_VALUE_NOT_ALLOWED, message));
                }
                let value = arguments.get(1).and_then(Value::as_str);
                self.session.assign(text(0), value, local, &self.core.catalog)?;
                let now = self.session.setting(text(0), &self.core.config);
                now.map_or(Value::Null, Value::Text)
            }
            SessionFunction::CurrentUser => Value::Text(self.session.current_user().clone()),
            SessionFunction::LoginUser => Value::Text(self.session.session_user().clone()),
            SessionFunction::CurrentDatabase => Value::Text(self.core.catalog.database_name(self.session.database)),
            SessionFunction::CurrentSchema => {
                let found = self.session.search_path().iter().find(|schema| {
                    let own = &self.session.transaction.xids;
                    self.core.catalog.has_schema(self.session.database, schema, own)
                });
                found.cloned().map_or(Value::Null, Value::Text)
            }
            SessionFunction::BackendPid => Value::Int4(i32::try_from(self.session.id.0).unwrap_or(i32::MAX)),
            SessionFunction::RelationSize => {
                let names = crate::server::names(self.core, self.session);
                let heap = names.table(&object_name(text(0), Span::default())?)?.heap;
                let bytes = self.core.storage.heap_bytes(heap);
                Value::Int8(i64::try_from(bytes).unwrap_or(i64::MAX))
            }
            SessionFunction::Regclass => {
                let names = crate::server::names(self.core, self.session);
                match arguments.first() {
                    Some(Value::Oid(number)) => names.shown(*number),
                    _ => names.regclass(text(0), Span::default())?,
                }
            }
            SessionFunction::TransactionId => {
                self.xid()?;
                let top = self.session.transaction.xid.map_or(0, |xid| xid.0);
                Value::Int8(i64::from(top))
            }
            SessionFunction::NextValue => {
                if self.session.transaction.modes.read_only {
                    return Err(crate::ddl::in_read_only("nextval()"));
                }
                let name: Arc<str> = text(0).into();
                let value = self.core.next_value(self.session.database, &name)?;
                self.session.last_values.insert(name, value);
                Value::Int8(value)
            }
            SessionFunction::CurrentValue => match self.session.last_values.get(text(0)) {
                Some(value) => Value::Int8(*value),
                None => {
                    let message = format!("currval of sequence \"{}\" is not yet defined in this session", text(0));
                    return Err(error(state::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
                }
            },
        })
    }

    fn user_call(&mut self, function: &UserFunction, arguments: &[Value]) -> Fallible<Flow<Value>> {
        super::call::call(function, arguments, self)
    }

    fn advisory(&mut self, function: Advisory, arguments: &[Value]) -> Fallible<Flow<Value>> {
        let (class, object, kind) = Advisory::key(arguments);
        let tag = LockTag::Advisory {
            database: self.session.database,
            class,
            object,
            kind,
        };
        let mode = |shared: bool| if shared { LockMode::Share } else { LockMode::Exclusive };
        let (session, storage) = (self.session.id, &mut self.core.storage);
        let acquired = match function {
            Advisory::UnlockAll => {
                storage.release_all_for_session(session);
                return Ok(Flow::Ready(Value::text("")));
            }
            Advisory::Unlock { shared } => {
                let held = storage.release_for_session(session, tag, mode(shared));
                if !held {
                    let message = format!("you don't own a lock of type {}", mode(shared).name());
                    self.session.warn(message);
                }
                return Ok(Flow::Ready(Value::Bool(held)));
            }
            Advisory::Lock {
                shared,
                tries,
                transaction: true,
            } => storage.acquire(session, tag, mode(shared), !tries),
            Advisory::Lock { shared, tries, .. } => storage.acquire_for_session(session, tag, mode(shared), !tries),
        };
        Ok(match (acquired, function.answers()) {
            (Acquired::Waits, _) => Flow::Suspended,
            (Acquired::Deadlock, _) => return Err(deadlock(self.core.storage.deadlock_report())),
            (acquired, true) => Flow::Ready(Value::Bool(acquired == Acquired::Granted)),
            (_, false) => Flow::Ready(Value::text("")),
        })
    }

    fn subquery(&mut self, id: u32, answer: crate::expr::Answer, operand: Option<&Value>) -> Fallible<Flow<Value>> {
        super::subquery::run(id, answer, operand, self)
    }
}

/// A parameter as the plan's type, through the type's input function where it comes as text.
pub(crate) fn bind_parameters(plan: &Plan, given: Vec<Value>, now: i64) -> Fallible<Vec<Value>> {
    let fits =
        |(value, wanted): (&Value, &SqlType)| matches!(wanted, SqlType::Is(wanted) if value.type_of() == Some(*wanted));
    if given.len() == plan.params.len() && given.iter().zip(&plan.params).all(fits) {
        if !given.iter().any(|value| matches!(value, Value::Jsonb(_))) {
            return Ok(given);
        }
        return given.into_iter().map(as_stored).collect();
    }
    if given.len() < plan.params.len() {
        let message = format!(
            "bind message supplies {} parameters, but prepared statement \"\" requires {}",
            given.len(),
            plan.params.len()
        );
        return Err(error(state::PROTOCOL_VIOLATION, message));
    }
    let mut bound = Vec::with_capacity(plan.params.len());
    for (value, wanted) in given.iter().zip(&plan.params) {
        bound.push(match (wanted, value) {
            (SqlType::Is(wanted), value) if value.type_of() == Some(*wanted) => as_stored(value.clone())?,
            (_, Value::Null) => Value::Null,
            (SqlType::Is(wanted), Value::List(_)) => {
                let message = format!("a list was given for a parameter of type {}", wanted.name());
                return Err(error(state::DATATYPE_MISMATCH, message));
            }
            (SqlType::Is(wanted), value) => crate::types::input::cast(value.clone(), *wanted, now)?,
            (SqlType::ListOf(element), Value::List(items)) => {
                let cast = |item: &Value| crate::types::input::cast(item.clone(), *element, now);
                let mut items = items.iter().map(cast).collect::<Fallible<Vec<Value>>>()?;
                // Nothing depends on their order, and what is in order is searched by halves: `Op::Among`.
                items.sort_by(|a, b| compare_for_sort(a, b, false, false));
                Value::List(items.into())
            }
            (SqlType::ListOf(element), _) => {
                let message = format!("a list of {} was expected for a parameter", element.name());
                return Err(error(state::DATATYPE_MISMATCH, message));
            }
            (SqlType::Unknown, value) => value.clone(),
        });
    }
    Ok(bound)
}

/// A document comes in any form, and is kept in one.
fn as_stored(value: Value) -> Fallible<Value> {
    match value {
        Value::Jsonb(text) => crate::types::json::normal(&text),
        value => Ok(value),
    }
}
