//! The other end of an outbox: a consumer at the service that a message is for.
//!
//! ```text
//! consumer, a copy for each partition, for ever: read what is not committed
//!   for each message, in order: INSERT its key into the inbox ON CONFLICT DO NOTHING; if it is new, the statements; COMMIT
//!   commit the position of the last one
//! ```
//!
//! The bus delivers at least once: a consumer that ends before it has committed its position gets the messages again. The
//! key in the inbox, in the transaction of the effect, makes that *one effect*.
//!
//! A message that is refused again and again is put aside, into a topic of dead letters, so that those behind it go on. A
//! database that cannot be reached is no reason for that: the round ends, and the next one begins with the same message.

use base::{Nanos, Type};
use program::{
    Block, BusRequest, Catches, ErrorClass, Expression, Into, Op, Operator, ProgramKind, RegisterId, Role, StepId,
    TopicId,
};

use super::outbox::{Outbox, acks};
use super::participant::KEY;
use super::services::Site;
use crate::Sabotage;
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, Patience, compare, register};
use crate::lower::statement;
use crate::lower::transaction::transaction;
use crate::sql::Text;

/// How long a consumer rests between what it reads.
const REST: Nanos = Nanos::from_millis(20);
/// How long the bus holds a read back that finds nothing: Kafka's fetch.max.wait.ms.
const WAIT: Nanos = Nanos::from_millis(500);
const BATCH: u32 = 100;

/// Before a message is put aside.
const TRIED: Patience = Patience {
    attempts: 5,
    first: Nanos::from_millis(50),
    limit: Nanos::from_secs(1),
};
/// What another attempt, sooner or later, does not mend by itself.
const REFUSED: [ErrorClass; 3] = [ErrorClass::Refused, ErrorClass::Aborted, ErrorClass::Expectation];

const POSITION: &str = "position in the topic";
const WHY: &str = "why it was refused";

/// Defines the inbox and writes the consumer.
pub(crate) fn consumer(assembly: &mut Assembly<'_>, site: &Site, outbox: &Outbox<'_>, topic: TopicId) {
    let dead = outbox.dead_letters(assembly, site.ground);
    outbox.define_inbox(assembly, site);
    let (home, _) = site.service(outbox.message.owner);
    let owner = outbox.consumer_name(assembly);
    let name = format!(
        "{} · consumer of message {} at {owner}",
        outbox.subject.operation.name, outbox.message.number
    );
    let kind = ProgramKind::Consumer { topic, every: REST };
    let mut builder = Builder::new(name, home, kind).operation(outbox.subject.id, outbox.subject.operation);
    let partition = builder.value("partition of the topic", Type::Int4);
    builder.parameter(partition);
    let messages = builder.rows("messages");
    let position = builder.value(POSITION, Type::Int8);
    let fields = outbox.registers(&mut builder);
    let read = BusRequest::Read {
        group: owner.clone(),
        partition: register(partition),
        limit: BATCH,
        wait: WAIT,
    };
    let read = bus(&mut builder, "read from the bus", topic, read, Into::Rows(messages));
    let handled = handle(assembly, site, &mut builder, outbox);
    let handled = builder.retry(handled, &REFUSED, TRIED);
    let why = builder.error(WHY);
    let aside = BusRequest::Publish {
        each: None,
        key: outbox.partition_key(&mut builder),
        fields: fields.iter().chain([&why]).map(|id| register(*id)).collect(),
        acks: acks(site),
    };
    let aside = bus(&mut builder, "put it aside", dead, aside, Into::Nothing);
    let handled = builder.attempt(vec![handled], Catches::of(&REFUSED), Some(why), vec![aside]);
    let op = Op::ForEach {
        rows: messages,
        bind: std::iter::once(position).chain(fields).collect(),
        body: vec![handled],
        parallel: 1,
        gather: Vec::new(),
    };
    let each = builder.step(Mark::plumbing("for each message"), op);
    let commit = BusRequest::Commit {
        group: owner,
        partition: register(partition),
        position: register(position),
    };
    let commit = bus(&mut builder, "commit the position", topic, commit, Into::Nothing);
    let any = Expression::Not(Box::new(Expression::IsNull(Box::new(register(position)))));
    let commit = builder.when("if there were any", any, vec![commit]);
    assembly.add(builder.finish(vec![read, each, commit]));
}

/// The message's statements in a transaction that also takes its key.
fn handle(assembly: &mut Assembly<'_>, site: &Site, builder: &mut Builder, outbox: &Outbox<'_>) -> Block {
    let (_, pool) = site.service(outbox.message.owner);
    let connection = builder.connection(pool);
    let mut work = Block::new();
    for item in &outbox.message.items {
        work.extend(statement::lower(assembly, builder, item, Some(connection), Role::Work));
    }
    let body = if site.has(Sabotage::WithoutInbox) {
        work
    } else {
        let mut text = Text::new(format!("INSERT INTO {} (key) VALUES (", outbox.inbox));
        text.variable(KEY).push(") ON CONFLICT (key) DO NOTHING");
        let fresh = builder.value("keys taken", Type::Int8);
        let mark = Mark::new("take the message's key", Role::Idempotency);
        let take = builder.statement(mark, connection, &text, Into::Count(fresh));
        let new = builder.when("if the key is new", compare(Operator::Equal, fresh, 1), work);
        vec![take, new]
    };
    let acquire = builder.acquire(connection);
    let whole = transaction(builder, connection, outbox.subject.operation.isolation, body);
    vec![acquire, whole, builder.release(connection)]
}

/// A request to the bus.
pub(crate) fn bus(builder: &mut Builder, label: &str, topic: TopicId, request: BusRequest, into: Into) -> StepId {
    let mark = Mark::new(label, Role::Outbox);
    builder.step(mark, Op::Bus { topic, request, into })
}

impl Outbox<'_> {
    /// A register for the key and each field of the message, in the order of the topic's fields.
    pub(crate) fn registers(&self, builder: &mut Builder) -> Vec<RegisterId> {
        let key = builder.value(KEY, Type::Text);
        let fields = self.columns.iter().map(|(name, _, t)| builder.value(name, *t));
        std::iter::once(key).chain(fields).collect()
    }
}
