//! A participant: the local transaction that a service runs when the orchestrator asks.
//!
//! With [`Contract::Once`] a request has its effect at most once, however often and late it arrives:
//!
//! ```text
//! BEGIN
//! INSERT idempotency key, state 'done', ON CONFLICT DO NOTHING
//! if it is new:  the statements; what they bound is kept beside the key
//! else:          what was bound then, or 'cancelled'
//! COMMIT
//! ```
//!
//! The compensation *takes the same key*: if the action has not come, its key now says 'cancelled', and when it
//! comes late it does nothing. So an orchestrator that does not know whether an action has happened can always
//! compensate it. [`cancel`] takes the key of a pivot likewise, and says if it came too late.

use base::{Nanos, Type};
use program::{
    Block, ConnectionId, ErrorClass, Expression, Into, Operator, ProgramId, ProgramKind, RegisterId, Role, StepId,
};

use super::ledger::Ledger;
use super::outbox;
use super::plan::{Part, PartKind};
use super::services::{Site, Subject, action_key, mark, part_name};
use crate::Sabotage;
use crate::composition::lower::{CALL_TIMEOUT, READ_AGAIN};
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, Patience, compare, is_text};
use crate::lower::item::{Item, distinct};
use crate::lower::local::{self, Around};
use crate::lower::transaction::transaction;
use crate::sql::Text;

/// The variable that holds the idempotency key; at the orchestrator, the request's.
pub(crate) const KEY: &str = "request key";
const STATE: &str = "state of the key";

/// An effect that is not known to have happened: asked again, then given up and compensated.
const ACTION_AGAIN: Patience = Patience {
    attempts: 4,
    first: Nanos::from_millis(50),
    limit: Nanos::from_secs(1),
};

/// What must happen in the end.
pub(crate) const FOR_EVER: Patience = Patience {
    attempts: 0,
    first: Nanos::from_millis(50),
    limit: Nanos::from_secs(1),
};

pub(crate) const EVERY_FAILURE: [ErrorClass; 6] = [
    ErrorClass::Refused,
    ErrorClass::Transient,
    ErrorClass::Unavailable,
    ErrorClass::Timeout,
    ErrorClass::Aborted,
    ErrorClass::Expectation,
];

/// The other side may or may not have done it.
pub(crate) const UNKNOWN: [ErrorClass; 3] = [ErrorClass::Unavailable, ErrorClass::Timeout, ErrorClass::Transient];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contract {
    /// A read, or an operation's only effect: no key, and not asked again if it writes.
    Plain,
    /// An action of a saga.
    Once,
}

/// What the caller must give: variables that the part uses before it binds them.
pub(crate) fn arguments(subject: Subject<'_>, part: &Part) -> Vec<String> {
    let mut bound: Vec<String> = Vec::new();
    let mut needed = Vec::new();
    for item in part.items() {
        needed.extend(item.uses().into_iter().filter(|name| !bound.contains(name)));
        bound.extend(item.binds());
    }
    if carries_messages(subject, part) {
        let posted = subject.plan.messages.iter().flat_map(outbox::carries);
        needed.extend(posted.filter(|name| !bound.contains(name)));
    }
    distinct(needed)
}

/// Writes the program that does the part's work at its service.
pub(crate) fn action(
    assembly: &mut Assembly<'_>,
    site: &Site,
    subject: Subject<'_>,
    part: &Part,
    contract: Contract,
) -> ProgramId {
    let PartKind::Local { owner, items, .. } = &part.kind else {
        return assembly.reserve();
    };
    let (home, pool) = site.service(*owner);
    let name = part_name(assembly, subject, part);
    let mut builder = Builder::new(name, home, ProgramKind::Called).operation(subject.id, subject.operation);
    parameters(&mut builder, subject, part);
    let connection = builder.connection(pool);
    let carries = carries_messages(subject, part);
    let keyed = contract == Contract::Once && part.has_effect() && !site.has(Sabotage::WithoutIdempotencyKey);
    let mut body = if contract == Contract::Once && part.has_effect() {
        let ledger = Ledger::new(assembly, site, subject, part);
        let work = action_work(assembly, &mut builder, part, &ledger, connection);
        let posts = if carries {
            post_all(assembly, site, &mut builder, subject, *owner, connection)
        } else {
            Vec::new()
        };
        once(
            &mut builder,
            subject,
            &ledger,
            connection,
            [work, posts].concat(),
            keyed,
        )
    } else {
        let posts = if carries {
            post_all(assembly, site, &mut builder, subject, *owner, connection)
        } else {
            Vec::new()
        };
        local::operation(
            assembly,
            &mut builder,
            subject.operation,
            items,
            connection,
            Around::last(posts),
        )
    };
    let results = results(&mut builder, subject, part, contract);
    body.push(builder.answer(results));
    assembly.add(builder.finish(body))
}

/// Messages leave with the transaction that decides that the operation happens.
fn carries_messages(subject: Subject<'_>, part: &Part) -> bool {
    subject.plan.carrier == Some(part.position)
}

fn post_all(
    assembly: &mut Assembly<'_>,
    site: &Site,
    builder: &mut Builder,
    subject: Subject<'_>,
    owner: u16,
    connection: ConnectionId,
) -> Block {
    let messages = &subject.plan.messages;
    let each = messages
        .iter()
        .map(|message| outbox::post(assembly, site, builder, subject, message, owner, connection));
    each.collect::<Vec<_>>().concat()
}

fn parameters(builder: &mut Builder, subject: Subject<'_>, part: &Part) {
    let key = builder.value(KEY, Type::Text);
    builder.parameter(key);
    let rows: Vec<&String> = part
        .items()
        .iter()
        .filter_map(|item| item.per_row.as_ref())
        .map(|p| &p.rows)
        .collect();
    for name in rows {
        builder.rows(name);
    }
    for name in arguments(subject, part) {
        let register = builder.variable(&name);
        builder.parameter(register);
    }
}

/// The operation's variables that the part binds.
pub(crate) fn exports(subject: Subject<'_>, part: &Part) -> Vec<String> {
    let variables = &subject.operation.variables;
    let of_operation = |name: &String| variables.iter().any(|variable| variable.name == *name);
    distinct(part.binds().into_iter().filter(of_operation))
}

/// What it binds and, outside of sagas, its rows.
fn results(builder: &mut Builder, subject: Subject<'_>, part: &Part, contract: Contract) -> Vec<RegisterId> {
    let mut results: Vec<RegisterId> = exports(subject, part)
        .iter()
        .map(|name| builder.variable(name))
        .collect();
    if contract == Contract::Plain {
        let items: Vec<Item> = part.items().into_iter().cloned().collect();
        results.extend(local::answers(builder, &items));
    }
    results
}

fn action_work(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    part: &Part,
    ledger: &Ledger<'_>,
    connection: ConnectionId,
) -> Block {
    let mut work = Block::new();
    for place in 0..part.items().len() {
        work.extend(ledger.read(builder, place, connection));
        work.extend(ledger.write(assembly, builder, place, connection, part.role));
    }
    work.extend(ledger.keep_results(builder, connection));
    work
}

/// The work in a transaction that also takes the key.
fn once(
    builder: &mut Builder,
    subject: Subject<'_>,
    ledger: &Ledger<'_>,
    connection: ConnectionId,
    work: Block,
    keyed: bool,
) -> Block {
    let isolation = subject.operation.isolation;
    let acquire = builder.acquire(connection);
    let release = builder.release(connection);
    if !keyed {
        return vec![acquire, transaction(builder, connection, isolation, work), release];
    }
    let (take, fresh) = take_key(builder, ledger, connection, "done");
    let state = builder.value(STATE, Type::Text);
    let recall = ledger.recall(builder, connection, state);
    let choose = builder.when_else("if the key is new", compare(Operator::Equal, fresh, 1), work, recall);
    let whole = transaction(builder, connection, isolation, vec![take, choose]);
    let message = builder.abort(Expression::text("cancelled"));
    let cancelled = builder.when("if it was cancelled", is_text(state, "cancelled"), vec![message]);
    vec![acquire, whole, release, cancelled]
}

/// `INSERT … ON CONFLICT DO NOTHING`, and the register that counts the rows.
fn take_key(builder: &mut Builder, ledger: &Ledger<'_>, connection: ConnectionId, state: &str) -> (StepId, RegisterId) {
    let mut text = Text::new(format!("INSERT INTO {} (key, state) VALUES (", ledger.table));
    text.variable(KEY)
        .push(&format!(", '{state}') ON CONFLICT (key) DO NOTHING"));
    let fresh = builder.value("keys taken", Type::Int8);
    let mark = Mark::new("take the idempotency key", Role::Idempotency);
    (builder.statement(mark, connection, &text, Into::Count(fresh)), fresh)
}

/// Calls the participant from the orchestrator, as patiently as its role allows, or for ever.
pub(crate) fn call(
    assembly: &Assembly<'_>,
    builder: &mut Builder,
    subject: Subject<'_>,
    program: ProgramId,
    part: &Part,
    contract: Contract,
    for_ever: bool,
) -> StepId {
    let owner = match &part.kind {
        PartKind::Local { owner, .. } => assembly.scenario.schema.owners[usize::from(*owner)].as_str(),
        _ => "",
    };
    let key = match contract {
        Contract::Plain => builder.operand(KEY),
        Contract::Once => action_key(builder, part.position),
    };
    let mut values = vec![key];
    values.extend(arguments(subject, part).iter().map(|name| builder.operand(name)));
    let into = results(builder, subject, part, contract);
    let call = builder.call(
        mark(format!("ask {owner}"), part, part.role),
        program,
        values,
        into,
        CALL_TIMEOUT,
    );
    match (contract, part.role, part.has_effect()) {
        _ if for_ever => builder.retry(vec![call], &EVERY_FAILURE, FOR_EVER),
        (_, Role::Retriable, _) => builder.retry(vec![call], &EVERY_FAILURE, FOR_EVER),
        (Contract::Once, _, true) => builder.retry(vec![call], &UNKNOWN, ACTION_AGAIN),
        (_, _, false) => builder.retry(vec![call], &UNKNOWN, READ_AGAIN),
        (Contract::Plain, _, true) => call,
    }
}

/// Writes the program that undoes a compensatable part; it succeeds whether the action has happened, happens
/// later or never.
pub(crate) fn compensation(assembly: &mut Assembly<'_>, site: &Site, subject: Subject<'_>, part: &Part) -> ProgramId {
    let PartKind::Local { owner, .. } = &part.kind else {
        return assembly.reserve();
    };
    let (home, pool) = site.service(*owner);
    let name = format!("{} · undo", part_name(assembly, subject, part));
    let mut builder = Builder::new(name, home, ProgramKind::Called).operation(subject.id, subject.operation);
    let ledger = Ledger::new(assembly, site, subject, part);
    let key = builder.value(KEY, Type::Text);
    builder.parameter(key);
    for name in ledger.undo_arguments() {
        let register = builder.variable(&name);
        builder.parameter(register);
    }
    let connection = builder.connection(pool);
    let undo = ledger.undo(&mut builder, connection);
    let body = if site.has(Sabotage::WithoutIdempotencyKey) {
        undo
    } else {
        let (take, fresh) = take_key(&mut builder, &ledger, connection, "cancelled");
        let changed = builder.value("keys cancelled", Type::Int8);
        let mut text = Text::new(format!("UPDATE {} SET state = 'cancelled' WHERE key = ", ledger.table));
        text.variable(KEY).push(" AND state = 'done'");
        let cancel_mark = Mark::new("cancel the action's key", Role::Idempotency);
        let cancel = builder.statement(cancel_mark, connection, &text, Into::Count(changed));
        let recall = ledger.recall_for_undo(&mut builder, connection);
        let undo = [recall, undo].concat();
        let happened = builder.when("if the action had happened", compare(Operator::Equal, changed, 1), undo);
        let known = compare(Operator::Equal, fresh, 0);
        vec![
            take,
            builder.when("if the key was taken", known, vec![cancel, happened]),
        ]
    };
    let acquire = builder.acquire(connection);
    let whole = transaction(&mut builder, connection, None, body);
    let release = builder.release(connection);
    assembly.add(builder.finish(vec![acquire, whole, release]))
}

/// Writes the program that keeps a pivot from happening, and answers `done` if it has, else `cancelled`.
pub(crate) fn cancel(assembly: &mut Assembly<'_>, site: &Site, subject: Subject<'_>, part: &Part) -> ProgramId {
    let PartKind::Local { owner, .. } = &part.kind else {
        return assembly.reserve();
    };
    let (home, pool) = site.service(*owner);
    let name = format!("{} · cancel", part_name(assembly, subject, part));
    let mut builder = Builder::new(name, home, ProgramKind::Called).operation(subject.id, subject.operation);
    let ledger = Ledger::new(assembly, site, subject, part);
    let key = builder.value(KEY, Type::Text);
    builder.parameter(key);
    let connection = builder.connection(pool);
    let state = builder.value(STATE, Type::Text);
    let (take, _) = take_key(&mut builder, &ledger, connection, "cancelled");
    let mut text = Text::new(format!("SELECT state FROM {} WHERE key = ", ledger.table));
    text.variable(KEY);
    let look = Mark::new("look what the key says", Role::Idempotency);
    let look = builder.statement(look, connection, &text, Into::Values(vec![state]));
    let acquire = builder.acquire(connection);
    let whole = transaction(&mut builder, connection, None, vec![take, look]);
    let release = builder.release(connection);
    let answer = builder.answer(vec![state]);
    assembly.add(builder.finish(vec![acquire, whole, release, answer]))
}
