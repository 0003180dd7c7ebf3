//! Sagas: an operation over several owners as a sequence of local transactions with a durable log.
//!
//! ```text
//! client's request            saga                                    log (orchestrator's database)
//! create_user ──INSERT log──▶ if position < 1: action 1, savepoint 1   position, state, parameters, what was read
//!                             if position < 2: action 2, savepoint 2   state: running → done
//!                             if that fails: undo 1, in reverse order         └▶ compensating → compensated
//! on restart ──for each unfinished row──▶ the same program, with the row's position and values
//! ```
//!
//! Why it is right:
//!
//! - *Every effect happens at most once*: an action's idempotency key is the request's key and its position, so the
//!   orchestrator may ask again, a message may be doubled, and a resumed saga may repeat its last action.
//! - *Unknown is resolved by compensating*: an action that failed, or of which nothing was heard, is compensated
//!   too; its compensation takes its key, so that a late request does nothing.
//! - *The pivot decides*: before anything is undone, the pivot's key is taken. If that comes too late the pivot has
//!   happened, and the saga goes on.
//! - *Several runs of one saga may meet* (a client that asks again, a restart): every savepoint is conditional on the
//!   state that it leaves; whoever finds the log changed goes on from what it says. A client's repeated
//!   request starts no second saga: it helps the first one to its end and hears its outcome.
//!
//! What it does not give: others see its parts meanwhile.

use base::{Nanos, Type};
use program::{
    Block, Catches, ConnectionId, ErrorClass, Expression, Into, Op, Operator, ProgramId, ProgramKind, RegisterId, Role,
    StepId,
};

use super::ledger::Ledger;
use super::log::Log;
use super::participant::{self, Contract, EVERY_FAILURE, FOR_EVER, KEY, UNKNOWN};
use super::plan::{Part, PartKind, STARTED};
use super::services::{Orchestrator, Site, Subject, action_key, mark, part_steps};
use super::undo::Undo;
use crate::Sabotage;
use crate::composition::lower::{CALL_TIMEOUT, READ_AGAIN};
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, Patience, compare, is_text, register};
use crate::lower::statement;
use crate::sql::Text;
use syntax::identifier;

const POSITION: &str = "saga position";
const STATE: &str = "saga state";
const ERROR: &str = "saga error";
/// Sagas resumed at once after a restart.
const RESUMED_AT_ONCE: u16 = 8;

/// Writes the programs of one saga.
struct Writer<'w, 'a> {
    assembly: &'w mut Assembly<'a>,
    site: &'w Site,
    subject: Subject<'w>,
    orchestrator: Orchestrator,
    log: Log,
    pivot: usize,
}

pub(crate) fn compile(
    assembly: &mut Assembly<'_>,
    site: &Site,
    orchestrator: Orchestrator,
    subject: Subject<'_>,
    pivot: usize,
) {
    let log = Log::new(site, subject);
    log.define(assembly, site, orchestrator);
    let entry = assembly.reserve();
    let saga = assembly.reserve();
    let mut writer = Writer {
        assembly,
        site,
        subject,
        orchestrator,
        log,
        pivot,
    };
    writer.entry(entry, saga);
    writer.saga(saga);
    writer.recovery(saga);
    assembly.enter(subject.id, entry);
}

impl Writer<'_, '_> {
    fn builder(&self, name: &str, kind: ProgramKind) -> Builder {
        let builder = Builder::new(name, self.orchestrator.node, kind);
        let mut builder = builder.operation(self.subject.id, self.subject.operation);
        builder.value(KEY, Type::Text);
        builder.value(POSITION, Type::Int4);
        builder.value(STATE, Type::Text);
        builder.value(ERROR, Type::Text);
        for (variable, _, data_type) in self.log.values() {
            builder.value(variable, *data_type);
        }
        builder
    }

    /// Key, position, state, error and all values, in the saga program's order.
    fn own_registers(&self, builder: &mut Builder) -> Vec<RegisterId> {
        let names = [KEY, POSITION, STATE, ERROR].into_iter().chain(self.log.names());
        names.map(|name| builder.variable(name)).collect()
    }

    /// A statement on the log, on a connection taken for it alone.
    fn on_log(&self, builder: &mut Builder, label: &str, text: &Text, into: Into, patience: Patience) -> StepId {
        let connection: ConnectionId = builder.connection(self.orchestrator.pool);
        let acquire = builder.acquire(connection);
        let work = builder.statement(Mark::new(label, Role::SagaLog), connection, text, into);
        let release = builder.release(connection);
        // What must happen in the end is not given up for any reason: nobody else would drive this saga.
        let classes: &[ErrorClass] = if patience.attempts == 0 {
            &EVERY_FAILURE
        } else {
            &UNKNOWN
        };
        builder.retry(vec![acquire, work, release], classes, patience)
    }

    /// Makes position, state, error and what was bound what the log says.
    fn read_log(&self, builder: &mut Builder, patience: Patience) -> StepId {
        let columns: String = self
            .log
            .values()
            .map(|(_, column, _)| format!(", {}", identifier(column)))
            .collect();
        let mut text = Text::new(format!(
            "SELECT position, state, error{columns} FROM {}",
            self.log.table
        ));
        text.push(" WHERE saga_id = ").variable(KEY);
        let names = [POSITION, STATE, ERROR].into_iter().chain(self.log.names());
        let into = Into::Values(names.map(|name| builder.variable(name)).collect());
        self.on_log(builder, "read the log", &text, into, patience)
    }

    // ---- the client's request

    fn entry(&mut self, id: ProgramId, saga: ProgramId) {
        let mut builder = self.builder(&self.subject.operation.name, ProgramKind::Entry);
        builder.entry_parameters(self.subject.operation);
        let key = builder.variable(KEY);
        let mut body = vec![builder.set(key, Expression::RequestKey)];
        if self.subject.plan.timed {
            let started = builder.variable(STARTED);
            body.push(builder.set(started, Expression::Now));
        }
        let (position, state) = (builder.variable(POSITION), builder.variable(STATE));
        body.push(builder.set(position, Expression::int(0)));
        body.push(builder.set(state, Expression::text("running")));
        let begun = builder.value("sagas begun", Type::Int8);
        let insert = self.insert_text();
        body.push(self.on_log(&mut builder, "begin the saga", &insert, Into::Count(begun), READ_AGAIN));
        let known = self.answer_again(&mut builder);
        body.push(builder.when("if it was begun before", compare(Operator::Equal, begun, 0), known));
        let arguments = self.own_registers(&mut builder).into_iter().map(register).collect();
        body.push(builder.call(Mark::plumbing("run the saga"), saga, arguments, Vec::new(), Nanos::MAX));
        body.push(builder.answer(Vec::new()));
        self.assembly.write(id, builder.finish(body));
    }

    fn insert_text(&self) -> Text {
        let columns: String = self
            .log
            .given
            .iter()
            .map(|(_, column, _)| format!(", {}", identifier(column)))
            .collect();
        let mut text = Text::new(format!(
            "INSERT INTO {} (saga_id, position, state{columns})",
            self.log.table
        ));
        text.push(" VALUES (").variable(KEY).push(", 0, 'running'");
        for (variable, _, _) in &self.log.given {
            text.push(", ").variable(variable);
        }
        text.push(") ON CONFLICT (saga_id) DO NOTHING");
        text
    }

    /// The outcome, if there is one already; otherwise this run helps the saga to its end.
    fn answer_again(&self, builder: &mut Builder) -> Block {
        let read = self.read_log(builder, READ_AGAIN);
        let (state, error) = (builder.variable(STATE), builder.variable(ERROR));
        let abort = builder.abort(register(error));
        let undone = builder.when("if it was undone", is_text(state, "compensated"), vec![abort]);
        let answer = builder.answer(Vec::new());
        let done = builder.when("if it is done", is_text(state, "done"), vec![answer]);
        vec![read, undone, done]
    }

    // ---- the saga

    fn saga(&mut self, id: ProgramId) {
        let name = format!("{} · saga", self.subject.operation.name);
        let mut builder = self.builder(&name, ProgramKind::Called);
        for register in self.own_registers(&mut builder) {
            builder.parameter(register);
        }
        let parts = &self.subject.plan.parts;
        let (until_pivot, rest): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|part| part.position <= self.pivot);
        let mut body = Block::new();
        let (state, error) = (builder.variable(STATE), builder.variable(ERROR));
        if !until_pivot.is_empty() {
            let abort = builder.abort(register(error));
            let mut forward = vec![builder.when("if it is being undone", is_text(state, "compensating"), vec![abort])];
            let actions: Vec<Option<ProgramId>> = until_pivot
                .iter()
                .map(|part| self.forward(&mut builder, part, &mut forward))
                .collect();
            let failure = builder.error("saga failure");
            let handler = self.handler(&mut builder, &until_pivot, actions.last().copied().flatten(), failure);
            body.push(builder.attempt(forward, Catches::ALL, Some(failure), handler));
        }
        for part in rest {
            self.forward(&mut builder, part, &mut body);
        }
        body.push(builder.answer(Vec::new()));
        self.assembly.write(id, builder.finish(body));
    }

    /// `if position < k: the part, a savepoint`. Gives the participant's program, if it has one.
    fn forward(&mut self, builder: &mut Builder, part: &Part, block: &mut Block) -> Option<ProgramId> {
        let (mut steps, program) = part_steps(self.assembly, self.site, builder, self.subject, part, Contract::Once);
        let asks_for_ever = matches!(&part.kind, PartKind::Local { prefetches, .. } if prefetches.is_empty());
        if part.position > self.pivot && !asks_for_ever {
            steps = vec![builder.retry(steps, &EVERY_FAILURE, FOR_EVER)];
        }
        let last = part.position == self.subject.plan.parts.len();
        if last || part.has_effect() || !participant::exports(self.subject, part).is_empty() {
            steps.extend(self.savepoint(builder, part));
        }
        let position = builder.variable(POSITION);
        let guard = compare(Operator::Less, position, part.position as i64);
        block.push(builder.when(format!("if position < {}", part.position), guard, steps));
        program
    }

    /// Saves the position and what the part has bound; if another run has been here, goes by what it left.
    fn savepoint(&mut self, builder: &mut Builder, part: &Part) -> Block {
        let mut text = Text::new(format!("UPDATE {} SET position = {}", self.log.table, part.position));
        let last = part.position == self.subject.plan.parts.len();
        if last {
            text.push(", state = 'done'");
        }
        let exports = participant::exports(self.subject, part);
        for (variable, column, _) in self
            .log
            .bound
            .iter()
            .filter(|(variable, _, _)| exports.contains(variable))
        {
            text.push(&format!(", {} = ", identifier(column))).variable(variable);
        }
        text.push(" WHERE saga_id = ").variable(KEY);
        text.push(&format!(" AND state = 'running' AND position < {}", part.position));
        let saved = builder.value("savepoints", Type::Int8);
        let label = if last {
            "save: done".to_owned()
        } else {
            format!("save position {}", part.position)
        };
        let save = self.on_log(builder, &label, &text, Into::Count(saved), FOR_EVER);
        let read = self.read_log(builder, FOR_EVER);
        let (state, error) = (builder.variable(STATE), builder.variable(ERROR));
        let goes_on = Expression::binary(Operator::Or, is_text(state, "running"), is_text(state, "done"));
        let abort = builder.abort(register(error));
        let stop = builder.when(
            "if another run undoes it",
            Expression::Not(Box::new(goes_on)),
            vec![abort],
        );
        let met = builder.when(
            "if another run has been here",
            compare(Operator::Equal, saved, 0),
            vec![read, stop],
        );
        vec![save, met]
    }

    /// After a failure before or at the pivot: finds out whether the pivot has happened, and undoes what was done
    /// if not.
    fn handler(
        &mut self,
        builder: &mut Builder,
        parts: &[&Part],
        pivot_program: Option<ProgramId>,
        failure: RegisterId,
    ) -> Block {
        let Some((pivot, before)) = parts.split_last() else {
            return Block::new();
        };
        let mut steps = Block::new();
        if pivot.position > 1 {
            let condition = format!(" AND position < {}", pivot.position - 1);
            steps.push(self.turn_back(builder, failure, &condition));
        }
        steps.push(self.read_log(builder, FOR_EVER));
        let (state, position, error) = (
            builder.variable(STATE),
            builder.variable(POSITION),
            builder.variable(ERROR),
        );
        let settle = self.settle_pivot(builder, pivot, pivot_program, failure);
        let undecided = Expression::binary(
            Operator::And,
            is_text(state, "running"),
            compare(Operator::Less, position, pivot.position as i64),
        );
        steps.push(builder.when("if the pivot may have happened", undecided, settle));
        let mut undo = self.undo_all(builder, before);
        undo.push(self.turn(builder, "compensated", "", None));
        undo.push(builder.rethrow(failure));
        steps.push(builder.when("if it is being undone", is_text(state, "compensating"), undo));
        let abort = builder.abort(register(error));
        steps.push(builder.when("if it was undone", is_text(state, "compensated"), vec![abort]));
        steps
    }

    /// From running to compensating, with the reason.
    fn turn_back(&self, builder: &mut Builder, failure: RegisterId, condition: &str) -> StepId {
        let condition = format!(" AND state = 'running'{condition}");
        self.turn(builder, "compensating", &condition, Some(failure))
    }

    fn turn(&self, builder: &mut Builder, state: &str, condition: &str, failure: Option<RegisterId>) -> StepId {
        let mut text = Text::new(format!("UPDATE {} SET state = '{state}'", self.log.table));
        if let Some(failure) = failure {
            builder.bind("caught", register(failure));
            text.push(", error = ").variable("caught");
        }
        text.push(" WHERE saga_id = ").variable(KEY).push(condition);
        self.on_log(builder, &format!("save: {state}"), &text, Into::Nothing, FOR_EVER)
    }

    /// Takes the pivot's key. If that comes too late, the pivot has happened, and its answer is fetched.
    fn settle_pivot(
        &mut self,
        builder: &mut Builder,
        pivot: &Part,
        program: Option<ProgramId>,
        failure: RegisterId,
    ) -> Block {
        let (Some(program), true) = (program, pivot.has_effect()) else {
            // Its failure is certain; only another run may have got past it.
            let back = self.turn_back(builder, failure, &format!(" AND position < {}", pivot.position));
            return vec![back, self.read_log(builder, FOR_EVER)];
        };
        let back = self.turn_back(builder, failure, "");
        let read = self.read_log(builder, FOR_EVER);
        let cancel = participant::cancel(self.assembly, self.site, self.subject, pivot);
        let pivot_state = builder.value("pivot state", Type::Text);
        let key = action_key(builder, pivot.position);
        let ask = mark("cancel the pivot".to_owned(), pivot, Role::Compensation);
        let call = builder.call(ask, cancel, vec![key], vec![pivot_state], CALL_TIMEOUT);
        let call = builder.retry(vec![call], &EVERY_FAILURE, FOR_EVER);
        let again = participant::call(
            self.assembly,
            builder,
            self.subject,
            program,
            pivot,
            Contract::Once,
            true,
        );
        let mut forward = vec![again];
        forward.extend(self.savepoint(builder, pivot));
        let too_late = is_text(pivot_state, "done");
        vec![
            call,
            builder.when_else("if it has happened", too_late, forward, vec![back, read]),
        ]
    }

    /// The compensations, the last one first; also of the part that was under way.
    fn undo_all(&mut self, builder: &mut Builder, parts: &[&Part]) -> Block {
        let mut steps = Block::new();
        if self.site.has(Sabotage::WithoutCompensation) {
            return steps;
        }
        for part in parts
            .iter()
            .rev()
            .filter(|part| part.undo.iter().any(|undo| *undo != Undo::Nothing))
        {
            let position = builder.variable(POSITION);
            let (at_least, work) = match &part.kind {
                PartKind::External { item } => (part.position, self.undo_external(builder, part, item.index)),
                _ => (part.position - 1, vec![self.undo_local(builder, part)]),
            };
            let guard = compare(Operator::GreaterOrEqual, position, at_least as i64);
            steps.push(builder.when(format!("if position ≥ {at_least}"), guard, work));
        }
        steps
    }

    fn undo_local(&mut self, builder: &mut Builder, part: &Part) -> StepId {
        let program = participant::compensation(self.assembly, self.site, self.subject, part);
        let arguments = Ledger::new(self.assembly, self.site, self.subject, part).undo_arguments();
        let mut values = vec![action_key(builder, part.position)];
        values.extend(arguments.iter().map(|name| builder.operand(name)));
        let label = format!("undo step {}", part.position);
        let call = builder.call(
            mark(label, part, Role::Compensation),
            program,
            values,
            Vec::new(),
            CALL_TIMEOUT,
        );
        builder.retry(vec![call], &EVERY_FAILURE, FOR_EVER)
    }

    fn undo_external(&mut self, builder: &mut Builder, part: &Part, index: u16) -> Block {
        let mut steps = Block::new();
        for undo in &part.undo {
            if let Undo::WrittenCall { name, external } = undo {
                steps.push(statement::lower_call(
                    self.assembly,
                    builder,
                    index,
                    name,
                    external,
                    Role::Compensation,
                ));
            }
        }
        steps
    }

    // ---- after a restart

    /// Reads the unfinished sagas and sets each going again. It does not wait for them: a participant that is down
    /// must not keep the orchestrator from new requests.
    fn recovery(&mut self, saga: ProgramId) {
        let name = format!("{} · recovery", self.subject.operation.name);
        let mut builder = self.builder(&name, ProgramKind::Recovery);
        let columns: String = self
            .log
            .values()
            .map(|(_, column, _)| format!(", {}", identifier(column)))
            .collect();
        let table = &self.log.table;
        let text = Text::new(format!(
            "SELECT saga_id, position, state, error{columns} FROM {table} WHERE state IN ('running', 'compensating') ORDER BY saga_id"
        ));
        let rows = builder.rows("unfinished sagas");
        let read = self.on_log(&mut builder, "read unfinished sagas", &text, Into::Rows(rows), FOR_EVER);
        let bind = self.own_registers(&mut builder);
        let arguments = bind.iter().map(|id| register(*id)).collect();
        let op = Op::Send {
            program: saga,
            arguments,
        };
        let send = builder.step(Mark::new("resume the saga", Role::SagaLog), op);
        let op = Op::ForEach {
            rows,
            bind,
            body: vec![send],
            parallel: RESUMED_AT_ONCE,
            gather: Vec::new(),
        };
        let each = builder.step(Mark::plumbing("for each unfinished saga"), op);
        self.assembly.add(builder.finish(vec![read, each]));
    }
}
