//! The variant with two-phase commit: one application that is its own transaction manager, a connection to each
//! owner's database, and a log that says what was decided.
//!
//! ```text
//! INSERT decision 'open'                                  │ the log: open ─▶ committed
//! BEGIN at each owner; the statements                     │              └▶ aborted
//! PREPARE TRANSACTION 'key:owner' at each owner that was written to
//! decision := 'committed' ◀── from here on it happens, whoever crashes
//! COMMIT PREPARED 'key:owner' at each of them
//!
//! on restart:        'open' := 'aborted' (who had not decided has not promised anything)
//! now and then:      what is prepared at an owner is ended as the log says
//! ```
//!
//! Why it is right: an owner that has prepared can do either, whatever happens to it; there is one place where the
//! decision is made, and it is made once; what is prepared is ended in the end by whoever finds it. A client's repeated
//! request begins nothing: it waits for the decision.
//!
//! What it costs: from PREPARE to COMMIT PREPARED an owner's locks are held, also while the coordinator is down: the
//! others wait for it. What it does not give: a common snapshot, so that one owner's part may be seen a moment before
//! another's; and nobody finds a deadlock over several databases, hence the lock timeout.

use base::{Nanos, Type};
use program::{
    Block, Catches, ConnectionId, DatabaseId, ErrorClass, Expression, Into, NodeId, Op, OperationId, Operator, PoolId,
    ProgramKind, RegisterId, Role, StepId,
};
use scenario::{Operation, Schema, TableId};

use super::participant::{EVERY_FAILURE, FOR_EVER, KEY, UNKNOWN};
use super::plan::{Part, PartKind, Plan, STARTED, Shape, plan};
use super::undo::{self, Undo};
use super::{Ground, reading, weakening};
use crate::Sabotage;
use crate::composition::lower::{Caller, READ_AGAIN, in_parallel};
use crate::composition::{Landscape, Reach};
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, Patience, compare, is_text, register};
use crate::lower::item::Item;
use crate::lower::local::{self, Around};
use crate::lower::statement;
use crate::lower::transaction::{again_after_conflict, begin};
use crate::sql::Text;

const DECISIONS: &str = "two_phase.decisions";
const OUTCOME: &str = "decided outcome";
const ERROR: &str = "decided error";

/// How often the coordinator looks for what is prepared and nobody ends.
const LOOK_EVERY: Nanos = Nanos::from_millis(500);

/// A wait for a lock that takes longer may be a deadlock that no single database can see.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

/// A commit that an owner has not answered; who looks now and then will end it.
const COMMIT_AGAIN: Patience = Patience {
    attempts: 4,
    first: Nanos::from_millis(50),
    limit: Nanos::from_secs(1),
};

/// Where everything is.
struct Site {
    coordinator: NodeId,
    log: PoolId,
    /// By owner.
    pools: Vec<PoolId>,
    decides_first: bool,
}

pub(crate) fn compile(assembly: &mut Assembly<'_>, ground: Ground, sabotage: &[Sabotage]) -> Vec<DatabaseId> {
    let scenario = assembly.scenario;
    let coordinator = ground.service(assembly, "coordinator");
    let log = log(assembly, ground, coordinator);
    let databases = ground.owner_databases(assembly);
    let pools = databases
        .iter()
        .map(|database| ground.pool(assembly, coordinator, *database))
        .collect();
    let site = Site {
        coordinator,
        log,
        pools,
        decides_first: !sabotage.contains(&Sabotage::WithoutDecisionLog),
    };
    let mut several = false;
    for (operation, number) in scenario.operations.iter().zip(0..) {
        let id = OperationId(number);
        match plan(&scenario.schema, operation, false) {
            Err(refused) => assembly.refuse(id, refused),
            Ok(plan) => {
                let branches = Branches::of(&scenario.schema, operation);
                several |= branches.writers.len() > 1;
                let weakened = weakening::two_phase(operation, branches.touched.len(), branches.writers.len());
                assembly.weakened.extend(weakened);
                compile_operation(assembly, &site, id, operation, &plan, &branches);
            }
        }
    }
    if several {
        give_up_what_is_open(assembly, &site);
        (0..site.pools.len() as u16).for_each(|owner| end_what_is_prepared(assembly, &site, owner));
    }
    databases
}

fn log(assembly: &mut Assembly<'_>, ground: Ground, coordinator: NodeId) -> PoolId {
    let server = ground.server(assembly, "coordinator");
    let mut name = "coordinator".to_owned();
    while assembly.scenario.schema.owners.contains(&name) {
        name.push('_');
    }
    let ddl = vec![
        "CREATE SCHEMA two_phase".to_owned(),
        format!("CREATE TABLE {DECISIONS} (id text PRIMARY KEY, outcome text NOT NULL, error text)"),
    ];
    let database = assembly.database(&name, server, ddl);
    ground.pool(assembly, coordinator, database)
}

/// The owners that an operation needs, ascending.
struct Branches {
    touched: Vec<u16>,
    writers: Vec<u16>,
}

impl Branches {
    fn of(schema: &Schema, operation: &Operation) -> Branches {
        let owners = |tables: &mut dyn Iterator<Item = TableId>| {
            let mut owners: Vec<u16> = tables.map(|table| schema.table(table).owner).collect();
            owners.sort_unstable();
            owners.dedup();
            owners
        };
        let statements = &operation.statements;
        let reads = statements.iter().flat_map(|statement| statement.reads.iter().copied());
        let writes = || statements.iter().flat_map(|statement| statement.writes.iter().copied());
        Branches {
            touched: owners(&mut reads.chain(writes())),
            writers: owners(&mut writes()),
        }
    }
}

fn compile_operation(
    assembly: &mut Assembly<'_>,
    site: &Site,
    id: OperationId,
    operation: &Operation,
    plan: &Plan,
    branches: &Branches,
) {
    let entry = assembly.reserve();
    let mut builder = Builder::new(&operation.name, site.coordinator, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    let mut writer = Writer {
        assembly,
        site,
        branches,
        caller: Caller {
            id,
            operation,
            index: 0,
        },
        undone: Block::new(),
    };
    let mut body = Block::new();
    if plan.timed {
        let started = builder.value(STARTED, Type::Timestamptz);
        body.push(builder.set(started, Expression::Now));
    }
    body.extend(match branches.writers.len() {
        0 => writer.parts(&mut builder, plan),
        1 => writer.one_writer(&mut builder, plan),
        _ => writer.two_phases(&mut builder, plan),
    });
    let items: Vec<Item> = plan.parts.iter().flat_map(Part::items).cloned().collect();
    let answers = local::answers(&mut builder, &items);
    body.push(builder.answer(answers));
    assembly.write(entry, builder.finish(body));
    assembly.enter(id, entry);
}

/// Writes the steps of one operation.
struct Writer<'w, 'a> {
    assembly: &'w mut Assembly<'a>,
    site: &'w Site,
    branches: &'w Branches,
    caller: Caller<'w>,
    /// What takes back calls to the outside, the last one first.
    undone: Block,
}

impl Writer<'_, '_> {
    fn connection(&self, builder: &mut Builder, owner: u16) -> ConnectionId {
        builder.connection(self.site.pools[usize::from(owner)])
    }

    fn owner(&self, owner: u16) -> &str {
        &self.assembly.scenario.schema.owners[usize::from(owner)]
    }

    fn connections(&self, builder: &mut Builder, owners: &[u16]) -> Vec<ConnectionId> {
        owners.iter().map(|owner| self.connection(builder, *owner)).collect()
    }

    /// Everything of an owner is read and written in its one transaction, if there is any.
    fn landscape(&self, builder: &mut Builder) -> Landscape {
        let held = !self.branches.writers.is_empty();
        let owners = 0..self.site.pools.len() as u16;
        let reach = |owner: u16| {
            let connection = self.connection(builder, owner);
            if held {
                Reach::Held(connection)
            } else {
                Reach::Taken(connection)
            }
        };
        Landscape {
            owners: owners.map(reach).collect(),
        }
    }

    fn parts(&mut self, builder: &mut Builder, plan: &Plan) -> Block {
        let mut steps = Block::new();
        for part in &plan.parts {
            steps.extend(self.part(builder, part));
        }
        // What may happen later happens with the rest: it is one transaction.
        for message in &plan.messages {
            steps.extend(self.statements(builder, message.owner, &message.items));
        }
        steps
    }

    fn part(&mut self, builder: &mut Builder, part: &Part) -> Block {
        let landscape = self.landscape(builder);
        let caller = self.caller;
        match &part.kind {
            PartKind::Local {
                owner,
                prefetches,
                items,
            } => {
                let before = reading::prefetches(self.assembly, builder, &landscape, caller, prefetches);
                [before, self.statements(builder, *owner, items)].concat()
            }
            PartKind::Composed { item, checks } => {
                let query = reading::composed(self.assembly, builder, &landscape, caller, item);
                [query, reading::checks(self.assembly, builder, checks, Role::Work)].concat()
            }
            PartKind::External { item } => self.call(builder, item),
            PartKind::Checks { items } => reading::checks(self.assembly, builder, items, Role::Work),
        }
    }

    fn statements(&mut self, builder: &mut Builder, owner: u16, items: &[Item]) -> Block {
        let connection = self.connection(builder, owner);
        if self.branches.writers.is_empty() {
            let operation = self.caller.operation;
            return local::operation(self.assembly, builder, operation, items, connection, Around::default());
        }
        let each = items
            .iter()
            .map(|item| statement::lower(self.assembly, builder, item, Some(connection), Role::Work));
        each.collect::<Vec<_>>().concat()
    }

    /// A call to the outside cannot be prepared: if the rest is aborted it is taken back, where the scenario says how.
    fn call(&mut self, builder: &mut Builder, item: &Item) -> Block {
        let mut steps = statement::lower(self.assembly, builder, item, None, Role::Work);
        if let Ok(Undo::WrittenCall { name, external }) = undo::derive(&self.assembly.scenario.schema, item) {
            let done = builder.value(&format!("call {} was made", item.index + 1), Type::Int8);
            steps.push(builder.set(done, Expression::int(1)));
            let (index, role) = (item.index, Role::Compensation);
            let undo = statement::lower_call(self.assembly, builder, index, &name, &external, role);
            let made = compare(Operator::Equal, done, 1);
            self.undone
                .insert(0, builder.when("if the call was made", made, vec![undo]));
        }
        steps
    }

    /// BEGIN at all owners at the same time, then the statements; all is rolled back if one fails.
    fn work(
        &mut self,
        builder: &mut Builder,
        plan: &Plan,
        last: impl FnOnce(&mut Self, &mut Builder) -> Block,
    ) -> StepId {
        let connections = self.connections(builder, &self.branches.touched);
        let mut work: Block = connections.iter().map(|c| builder.acquire(*c)).collect();
        let isolation = self.caller.operation.isolation;
        let several = connections.len() > 1;
        let begins = connections.iter().map(|connection| {
            let mut begun = vec![builder.control(*connection, begin(isolation))];
            begun.extend(several.then(|| builder.control(*connection, LOCK_TIMEOUT)));
            begun
        });
        let begins = begins.collect();
        work.extend(in_parallel(builder, begins));
        work.extend(self.parts(builder, plan));
        work.extend(last(self, builder));
        let error = builder.error("work error");
        let mut back: Block = connections.iter().map(|c| builder.release(*c)).collect();
        back.push(builder.rethrow(error));
        let guarded = builder.attempt(work, Catches::ALL, Some(error), back);
        again_after_conflict(builder, vec![guarded])
    }

    /// One owner is written to: its COMMIT decides.
    fn one_writer(&mut self, builder: &mut Builder, plan: &Plan) -> Block {
        if plan.shape == Shape::Local && plan.messages.is_empty() {
            let [owner] = self.branches.writers[..] else {
                return Block::new();
            };
            let connection = self.connection(builder, owner);
            let items: Vec<Item> = plan.parts.iter().flat_map(Part::items).cloned().collect();
            let operation = self.caller.operation;
            return local::operation(self.assembly, builder, operation, &items, connection, Around::default());
        }
        let work = self.work(builder, plan, |writer, builder| {
            let writers = writer.connections(builder, &writer.branches.writers);
            let mut commits: Block = writers.iter().map(|c| builder.control(*c, "COMMIT")).collect();
            commits.extend(writer.end_readers(builder));
            commits
        });
        let touched = self.connections(builder, &self.branches.touched);
        let release = touched.iter().map(|c| builder.release(*c));
        let done = [vec![work], release.collect()].concat();
        if self.undone.is_empty() {
            return done;
        }
        let failure = builder.error("failure");
        let undo = self.take_back(builder, failure);
        vec![builder.attempt(done, Catches::ALL, Some(failure), undo)]
    }

    /// Those that were only read from hold their locks until here.
    fn end_readers(&self, builder: &mut Builder) -> Block {
        let only_read = |owner: &&u16| !self.branches.writers.contains(owner);
        let readers: Vec<u16> = self.branches.touched.iter().filter(only_read).copied().collect();
        let connections = self.connections(builder, &readers);
        let commits = connections
            .iter()
            .map(|c| vec![builder.control(*c, "COMMIT")])
            .collect();
        in_parallel(builder, commits)
    }

    fn take_back(&mut self, builder: &mut Builder, failure: RegisterId) -> Block {
        let undo = std::mem::take(&mut self.undone);
        let mut steps = Block::new();
        if !undo.is_empty() {
            steps.push(builder.attempt(undo, Catches::ALL, None, Block::new()));
        }
        steps.push(builder.rethrow(failure));
        steps
    }

    // ---- several writers

    fn two_phases(&mut self, builder: &mut Builder, plan: &Plan) -> Block {
        let key = builder.value(KEY, Type::Text);
        let mut body = vec![builder.set(key, Expression::RequestKey)];
        body.extend(self.open(builder));
        let work = self.work(builder, plan, |_, _| Block::new());
        let mut first = vec![work];
        first.extend(self.at_each_writer(builder, |builder, connection, owner| {
            vec![end(builder, connection, "PREPARE TRANSACTION", KEY, owner)]
        }));
        first.extend(self.end_readers(builder));
        if self.site.decides_first {
            first.extend(decide(builder, self.site.log));
        }
        let failure = builder.error(ERROR);
        let abort = self.abort(builder, failure);
        body.push(builder.attempt(first, Catches::ALL, Some(failure), abort));
        // One after the other, as transaction managers do: the outcome is decided, only the moment differs.
        for owner in self.branches.writers.clone() {
            let connection = self.connection(builder, owner);
            let name = self.owner(owner).to_owned();
            let acquire = builder.acquire(connection);
            let commit = end(builder, connection, "COMMIT PREPARED", KEY, &name);
            let release = builder.release(connection);
            let patient = builder.retry(vec![acquire, commit, release], &UNKNOWN, COMMIT_AGAIN);
            // What fails here is seen to by who looks now and then.
            body.push(builder.attempt(vec![patient], Catches::ALL, None, Block::new()));
        }
        if !self.site.decides_first {
            body.extend(decide(builder, self.site.log));
        }
        body
    }

    /// The request is written down; one that was before waits for what becomes of it.
    fn open(&self, builder: &mut Builder) -> Block {
        let begun = builder.value("transactions begun", Type::Int8);
        let mut insert = Text::new(format!("INSERT INTO {DECISIONS} (id, outcome) VALUES ("));
        insert.variable(KEY).push(", 'open') ON CONFLICT (id) DO NOTHING");
        let log = self.site.log;
        let write = on_log(
            builder,
            log,
            "open the transaction",
            &insert,
            Into::Count(begun),
            &UNKNOWN,
            READ_AGAIN,
        );
        let (outcome, error) = (builder.value(OUTCOME, Type::Text), builder.error(ERROR));
        let mut select = Text::new(format!("SELECT outcome, error FROM {DECISIONS} WHERE id = "));
        select.variable(KEY);
        let into = Into::Values(vec![outcome, error]);
        let look = on_log(
            builder,
            log,
            "look what was decided",
            &select,
            into,
            &UNKNOWN,
            READ_AGAIN,
        );
        let not_yet = builder.fail(ErrorClass::Transient, Expression::text("not yet decided"));
        let open = builder.when("if it is open", is_text(outcome, "open"), vec![not_yet]);
        let wait = builder.retry(vec![look, open], &[ErrorClass::Transient], FOR_EVER);
        let abort = builder.abort(register(error));
        let aborted = builder.when("if it was aborted", is_text(outcome, "aborted"), vec![abort]);
        let answer = builder.answer(Vec::new());
        let known = compare(Operator::Equal, begun, 0);
        vec![
            write,
            builder.when("if it was begun before", known, vec![wait, aborted, answer]),
        ]
    }

    /// Nothing has been promised yet, unless the log says so: an answer of the log may have been lost.
    fn abort(&mut self, builder: &mut Builder, failure: RegisterId) -> Block {
        let outcome = builder.value(OUTCOME, Type::Text);
        let mut text = conclude("aborted");
        text.push(", error = ").variable(ERROR);
        text.push(" WHERE id = ").variable(KEY).push(" RETURNING outcome");
        let into = Into::Values(vec![outcome]);
        let log = self.site.log;
        let record = on_log(builder, log, "decide to abort", &text, into, &EVERY_FAILURE, FOR_EVER);
        let touched = self.connections(builder, &self.branches.touched);
        let mut undo: Block = touched.iter().map(|c| builder.release(*c)).collect();
        undo.extend(self.at_each_writer(builder, |builder, connection, owner| {
            let acquire = builder.acquire(connection);
            let back = end(builder, connection, "ROLLBACK PREPARED", KEY, owner);
            let release = builder.release(connection);
            let body = vec![acquire, back, release];
            let let_go = builder.release(connection);
            vec![builder.attempt(body, Catches::ALL, None, vec![let_go])]
        }));
        undo.extend(self.take_back(builder, failure));
        let committed = is_text(outcome, "committed");
        vec![
            record,
            builder.when("unless it is committed", Expression::Not(Box::new(committed)), undo),
        ]
    }

    /// The same at each owner that was written to, at the same time.
    fn at_each_writer(
        &self,
        builder: &mut Builder,
        steps: impl Fn(&mut Builder, ConnectionId, &str) -> Block,
    ) -> Block {
        let each = self.branches.writers.iter().map(|owner| {
            let connection = self.connection(builder, *owner);
            steps(builder, connection, self.owner(*owner))
        });
        let branches = each.collect();
        in_parallel(builder, branches)
    }
}

/// PREPARE TRANSACTION, COMMIT PREPARED or ROLLBACK PREPARED of an owner's part: `key:owner`.
fn end(builder: &mut Builder, connection: ConnectionId, verb: &str, key: &str, owner: &str) -> StepId {
    let id = Expression::binary(
        Operator::Concat,
        builder.operand(key),
        Expression::text(&format!(":{owner}")),
    );
    let op = Op::Statement {
        connection,
        sql: format!("{verb} $1"),
        operands: vec![id],
        into: Into::Nothing,
        expect_rows: None,
    };
    builder.step(Mark::plumbing(verb), op)
}

/// `UPDATE … SET outcome = …`: what was decided stays decided.
fn conclude(outcome: &str) -> Text {
    Text::new(format!(
        "UPDATE {DECISIONS} SET outcome = CASE outcome WHEN 'open' THEN '{outcome}' ELSE outcome END"
    ))
}

/// The one statement after which the operation happens.
fn decide(builder: &mut Builder, log: PoolId) -> Block {
    let outcome = builder.value(OUTCOME, Type::Text);
    let mut text = conclude("committed");
    text.push(" WHERE id = ").variable(KEY).push(" RETURNING outcome");
    let into = Into::Values(vec![outcome]);
    let write = on_log(builder, log, "decide to commit", &text, into, &EVERY_FAILURE, FOR_EVER);
    let words = Expression::text("the transaction was given up when the coordinator was restarted");
    let abort = builder.abort(words);
    let aborted = is_text(outcome, "aborted");
    vec![write, builder.when("if it was given up", aborted, vec![abort])]
}

/// A statement on the log, on a connection taken for it alone.
fn on_log(
    builder: &mut Builder,
    log: PoolId,
    label: &str,
    text: &Text,
    into: Into,
    again_if: &[ErrorClass],
    patience: Patience,
) -> StepId {
    let connection = builder.connection(log);
    let acquire = builder.acquire(connection);
    let work = builder.statement(Mark::new(label, Role::SagaLog), connection, text, into);
    let release = builder.release(connection);
    builder.retry(vec![acquire, work, release], again_if, patience)
}

// ---- after a crash

/// On restart, before it takes requests: what had not been decided is aborted.
fn give_up_what_is_open(assembly: &mut Assembly<'_>, site: &Site) {
    let mut builder = Builder::new("give up what was not decided", site.coordinator, ProgramKind::Recovery);
    let words = "the coordinator was restarted";
    let text = Text::new(format!(
        "UPDATE {DECISIONS} SET outcome = 'aborted', error = '{words}' WHERE outcome = 'open'"
    ));
    let log = site.log;
    let step = on_log(
        &mut builder,
        log,
        "abort what is open",
        &text,
        Into::Nothing,
        &EVERY_FAILURE,
        FOR_EVER,
    );
    assembly.add(builder.finish(vec![step]));
}

/// Now and then: what is prepared at an owner is ended as the log says; what the log does not know has been promised to
/// nobody.
fn end_what_is_prepared(assembly: &mut Assembly<'_>, site: &Site, owner: u16) {
    let name = assembly.scenario.schema.owners[usize::from(owner)].clone();
    let kind = ProgramKind::Periodic { every: LOOK_EVERY };
    let mut builder = Builder::new(format!("end what is prepared at {name}"), site.coordinator, kind);
    let connection = builder.connection(site.pools[usize::from(owner)]);
    let rows = builder.rows("prepared transactions");
    let key = builder.value(KEY, Type::Text);
    let suffix = name.chars().count() + 1;
    let mut text = Text::new(format!(
        "SELECT left(gid, length(gid) - {suffix}) AS id FROM pg_prepared_xacts WHERE right(gid, {suffix}) = "
    ));
    text.push(&syntax::literal(&base::Value::text(format!(":{name}"))));
    text.push(" ORDER BY gid");
    let look = Mark::new("look what is prepared", Role::SagaLog);
    let mut body = vec![builder.acquire(connection)];
    body.push(builder.statement(look, connection, &text, Into::Rows(rows)));
    body.push(builder.release(connection));

    let outcome = builder.value(OUTCOME, Type::Text);
    let mut text = Text::new(format!("SELECT outcome FROM {DECISIONS} WHERE id = "));
    text.variable(KEY);
    let into = Into::Values(vec![outcome]);
    let log = site.log;
    let mut each = vec![on_log(
        &mut builder,
        log,
        "look what was decided",
        &text,
        into,
        &UNKNOWN,
        READ_AGAIN,
    )];
    let unknown = Expression::IsNull(Box::new(register(outcome)));
    let aborted = Expression::binary(Operator::Or, unknown, is_text(outcome, "aborted"));
    for (label, condition, verb) in [
        ("if it is committed", is_text(outcome, "committed"), "COMMIT PREPARED"),
        ("if it is not", aborted, "ROLLBACK PREPARED"),
    ] {
        let acquire = builder.acquire(connection);
        let end = end(&mut builder, connection, verb, KEY, &name);
        // Somebody else may have ended it, or be about to.
        let refused = Catches::of(&[ErrorClass::Refused]);
        let end = builder.attempt(vec![end], refused, None, Block::new());
        let release = builder.release(connection);
        each.push(builder.when(label, condition, vec![acquire, end, release]));
    }
    let op = Op::ForEach {
        rows,
        bind: vec![key],
        body: each,
        parallel: 1,
        gather: Vec::new(),
    };
    body.push(builder.step(Mark::plumbing("for each of them"), op));
    assembly.add(builder.finish(body));
}
