//! What another owner must do later: a row of the outbox, its relay, its consumer.
//!
//! ```text
//! owner's transaction: … ; INSERT outbox row; COMMIT          the message exists if and only if the effect does
//! relay, on the owner's service, for ever: SELECT rows not sent, in order; call the consumer; mark each sent
//! consumer: INSERT the key ON CONFLICT DO NOTHING; if it is new, the statements; COMMIT
//! ```
//!
//! Rows are found by a flag and not by "greater than the last one": a transaction that takes long to commit may
//! show an older row after a younger one.

use base::{Nanos, Type};
use program::{Block, Catches, ConnectionId, Expression, Into, Op, Operator, ProgramId, ProgramKind, RegisterId, Role};

use super::ledger::{free_column, variable_type};
use super::participant::KEY;
use super::plan::Message;
use super::services::{Site, Subject};
use crate::Sabotage;
use crate::composition::lower::CALL_TIMEOUT;
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, compare};
use crate::lower::definitions::short_type;
use crate::lower::item::{Item, distinct};
use crate::lower::statement;
use crate::lower::transaction::transaction;
use crate::sql::Text;
use crate::sql::text::qualified;
use syntax::identifier;

/// How long the relay rests when it has sent what there was.
const POLL_EVERY: Nanos = Nanos::from_millis(20);
const BATCH: u32 = 100;

/// The variables that a message carries.
pub(crate) fn carries(message: &Message) -> Vec<String> {
    distinct(message.items.iter().flat_map(Item::uses))
}

/// Steps, inside of a transaction at `owner`, that see to it that the message's statements happen.
pub(crate) fn post(
    assembly: &mut Assembly<'_>,
    site: &Site,
    builder: &mut Builder,
    subject: Subject<'_>,
    message: &Message,
    owner: u16,
    connection: ConnectionId,
) -> Block {
    if message.owner == owner {
        let each = message
            .items
            .iter()
            .map(|item| statement::lower(assembly, builder, item, Some(connection), Role::Work));
        return each.collect::<Vec<_>>().concat();
    }
    let outbox = Outbox::new(site, subject, message);
    outbox.define(assembly, site, owner);
    let consumer = outbox.consumer(assembly, site);
    outbox.relay(assembly, site, owner, consumer);
    let columns: String = outbox
        .columns
        .iter()
        .map(|(_, column, _)| format!(", {}", identifier(column)))
        .collect();
    let mut text = Text::new(format!(
        "INSERT INTO {} (key, at, sent{columns}) VALUES (",
        outbox.table
    ));
    text.variable(KEY).push(", now(), false");
    for (variable, _, _) in &outbox.columns {
        text.push(", ").variable(variable);
    }
    text.push(")");
    let name = &assembly.scenario.schema.owners[usize::from(message.owner)];
    let mark = Mark::new(format!("post to {name}"), Role::Outbox).from(message.items[0].index);
    vec![builder.statement(mark, connection, &text, Into::Nothing)]
}

struct Outbox<'a> {
    subject: Subject<'a>,
    message: &'a Message,
    table: String,
    inbox: String,
    /// (variable, column, type)
    columns: Vec<(String, String, Type)>,
}

impl<'a> Outbox<'a> {
    fn new(site: &Site, subject: Subject<'a>, message: &'a Message) -> Outbox<'a> {
        let base = format!("{}_{}", subject.operation.name, message.number);
        let column = |name: String| {
            let column = free_column(&name, &["key", "at", "sent"]);
            let data_type = variable_type(subject, &name);
            (name, column, data_type)
        };
        Outbox {
            subject,
            message,
            table: qualified(&site.schemas.outbox, &base),
            inbox: qualified(&site.schemas.inbox, &base),
            columns: carries(message).into_iter().map(column).collect(),
        }
    }

    fn define(&self, assembly: &mut Assembly<'_>, site: &Site, owner: u16) {
        let columns: String = (self.columns.iter())
            .map(|(_, column, t)| format!(", {} {}", identifier(column), short_type(*t)))
            .collect();
        let own = "key text PRIMARY KEY, at timestamptz NOT NULL, sent boolean NOT NULL";
        let outbox = &site.schemas.outbox;
        assembly.define_in(site.database(owner), format!("CREATE SCHEMA {}", identifier(outbox)));
        assembly.define_in(
            site.database(owner),
            format!("CREATE TABLE {} ({own}{columns})", self.table),
        );
        assembly.define_in(
            site.database(owner),
            format!("CREATE INDEX ON {} (sent, at)", self.table),
        );
        let inbox = format!("CREATE SCHEMA {}", identifier(&site.schemas.inbox));
        assembly.define_in(site.database(self.message.owner), inbox);
        let inbox = format!("CREATE TABLE {} (key text PRIMARY KEY)", self.inbox);
        assembly.define_in(site.database(self.message.owner), inbox);
    }

    fn consumer_name(&self, assembly: &Assembly<'_>) -> String {
        assembly.scenario.schema.owners[usize::from(self.message.owner)].clone()
    }

    /// The message's statements at their owner, once per key.
    fn consumer(&self, assembly: &mut Assembly<'_>, site: &Site) -> ProgramId {
        let (home, pool) = site.service(self.message.owner);
        let name = format!(
            "{} · message {} to {}",
            self.subject.operation.name,
            self.message.number,
            self.consumer_name(assembly)
        );
        let mut builder =
            Builder::new(name, home, ProgramKind::Called).operation(self.subject.id, self.subject.operation);
        let key = builder.value(KEY, Type::Text);
        builder.parameter(key);
        for (variable, _, data_type) in &self.columns {
            let register = builder.value(variable, *data_type);
            builder.parameter(register);
        }
        let connection = builder.connection(pool);
        let mut work = Block::new();
        for item in &self.message.items {
            work.extend(statement::lower(
                assembly,
                &mut builder,
                item,
                Some(connection),
                Role::Work,
            ));
        }
        let body = if site.has(Sabotage::WithoutIdempotencyKey) {
            work
        } else {
            let mut text = Text::new(format!("INSERT INTO {} (key) VALUES (", self.inbox));
            text.variable(KEY).push(") ON CONFLICT (key) DO NOTHING");
            let fresh = builder.value("keys taken", Type::Int8);
            let mark = Mark::new("take the message's key", Role::Idempotency);
            let take = builder.statement(mark, connection, &text, Into::Count(fresh));
            vec![
                take,
                builder.when("if the key is new", compare(Operator::Equal, fresh, 1), work),
            ]
        };
        let acquire = builder.acquire(connection);
        let whole = transaction(&mut builder, connection, self.subject.operation.isolation, body);
        let release = builder.release(connection);
        assembly.add(builder.finish(vec![acquire, whole, release]))
    }

    /// Sends what is not sent, for ever. A message that fails does not hold up those behind it.
    fn relay(&self, assembly: &mut Assembly<'_>, site: &Site, owner: u16, consumer: ProgramId) {
        let (home, pool) = site.service(owner);
        let to = self.consumer_name(assembly);
        let name = format!(
            "{} · relay of message {} to {to}",
            self.subject.operation.name, self.message.number
        );
        let mut builder = Builder::new(name, home, ProgramKind::Periodic { every: POLL_EVERY });
        let connection = builder.connection(pool);
        let rows = builder.rows("messages not sent");
        let key = builder.value(KEY, Type::Text);
        let fields: Vec<RegisterId> = self
            .columns
            .iter()
            .map(|(name, _, t)| builder.value(name, *t))
            .collect();
        let columns: String = self
            .columns
            .iter()
            .map(|(_, column, _)| format!(", {}", identifier(column)))
            .collect();
        let poll = format!(
            "SELECT key{columns} FROM {} WHERE sent = false ORDER BY at LIMIT {BATCH}",
            self.table
        );
        let mark = Mark::new("look for messages", Role::Outbox);
        let poll = builder.statement(mark, connection, &Text::new(poll), Into::Rows(rows));
        let bind = std::iter::once(key).chain(fields).collect::<Vec<_>>();
        let arguments = bind.iter().map(|register| Expression::Register(*register)).collect();
        let call_mark = Mark::new(format!("deliver to {to}"), Role::Outbox);
        let call = builder.call(call_mark, consumer, arguments, Vec::new(), CALL_TIMEOUT);
        let mut text = Text::new(format!("UPDATE {} SET sent = true WHERE key = ", self.table));
        text.variable(KEY);
        let sent_mark = Mark::new("mark it sent", Role::Outbox);
        let first = vec![builder.acquire(connection), poll, builder.release(connection)];
        let deliver = vec![
            call,
            builder.acquire(connection),
            builder.statement(sent_mark, connection, &text, Into::Nothing),
            builder.release(connection),
        ];
        let deliver = builder.attempt(deliver, Catches::ALL, None, Vec::new());
        let op = Op::ForEach {
            rows,
            bind,
            body: vec![deliver],
            parallel: 1,
            gather: Vec::new(),
        };
        let each = builder.step(Mark::plumbing("for each message"), op);
        assembly.add(builder.finish([first, vec![each]].concat()));
    }
}
