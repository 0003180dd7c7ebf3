//! What another owner must do later: a row of the outbox, and its relay to the event bus.
//!
//! ```text
//! owner's transaction: … ; INSERT outbox row; COMMIT            the message exists if and only if the effect does
//! relay, on the owner's service, for ever: SELECT rows not sent, in order; publish them; mark them sent
//! bus: a topic for each kind of message  ──▶  the consumer and its inbox (inbox.rs)
//! ```
//!
//! Rows are found by a flag and not by "greater than the last one": a transaction that takes long to commit may
//! show an older row after a younger one. A relay that ends between publishing and marking publishes again.
//!
//! Messages of one tenant keep their order: the tenant is the key that chooses the partition, if the message says whose
//! it is; else its own key does. Messages of different kinds are not ordered among themselves.

use base::{Nanos, Type};
use program::{
    Acks, Block, BusRequest, ConnectionId, EachRow, Expression, Into, NodeId, NodeKind, Operator, ProgramKind, Role,
    Topic, TopicId,
};
use scenario::Generator;

use super::inbox;
use super::ledger::{free_column, variable_type};
use super::participant::KEY;
use super::plan::Message;
use super::services::{Site, Subject};
use super::{BUS_CORES, Ground, PARTITIONS};
use crate::Sabotage;
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark};
use crate::lower::definitions::short_type;
use crate::lower::item::{Item, distinct};
use crate::lower::statement;
use crate::options::setting;
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
    let topic = outbox.topic(assembly, site.ground);
    outbox.relay(assembly, site, owner, topic);
    inbox::consumer(assembly, site, &outbox, topic);
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

/// A kind of message, from the row that posts it to the key that its consumer takes.
pub(crate) struct Outbox<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) message: &'a Message,
    /// `create_user_1`
    base: String,
    table: String,
    pub(crate) inbox: String,
    /// (variable, column, type)
    pub(crate) columns: Vec<(String, String, Type)>,
}

/// Sabotage: who does not wait for the replicas takes for sent what a crash of the bus may lose.
pub(crate) fn acks(site: &Site) -> Acks {
    if site.has(Sabotage::WithoutReplicas) {
        Acks::Leader
    } else {
        Acks::All
    }
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
            base,
            columns: carries(message).into_iter().map(column).collect(),
        }
    }

    fn define(&self, assembly: &mut Assembly<'_>, site: &Site, owner: u16) {
        let columns: String = (self.columns.iter())
            .map(|(_, column, t)| format!(", {} {}", identifier(column), short_type(*t)))
            .collect();
        let own = "key text PRIMARY KEY, at timestamptz NOT NULL, sent boolean NOT NULL";
        let database = site.database(owner);
        let outbox = &site.schemas.outbox;
        assembly.define_in(database, format!("CREATE SCHEMA {}", identifier(outbox)));
        assembly.define_in(database, format!("CREATE TABLE {} ({own}{columns})", self.table));
        assembly.define_in(database, format!("CREATE INDEX ON {} (sent, at)", self.table));
    }

    pub(crate) fn define_inbox(&self, assembly: &mut Assembly<'_>, site: &Site) {
        let database = site.database(self.message.owner);
        let inbox = format!("CREATE SCHEMA {}", identifier(&site.schemas.inbox));
        assembly.define_in(database, inbox);
        let inbox = format!("CREATE TABLE {} (key text PRIMARY KEY)", self.inbox);
        assembly.define_in(database, inbox);
    }

    pub(crate) fn consumer_name(&self, assembly: &Assembly<'_>) -> String {
        assembly.scenario.schema.owners[usize::from(self.message.owner)].clone()
    }

    // ---- the bus

    fn topic(&self, assembly: &mut Assembly<'_>, ground: Ground) -> TopicId {
        let partitions = setting(assembly.scenario, ground.slug, &PARTITIONS);
        let node = event_bus(assembly, ground);
        assembly.topic(Topic {
            name: self.base.clone(),
            node,
            partitions,
            fields: self.fields(),
        })
    }

    /// Where messages go that nobody could handle. Nobody reads them but people.
    pub(crate) fn dead_letters(&self, assembly: &mut Assembly<'_>, ground: Ground) -> TopicId {
        let mut fields = self.fields();
        fields.push(("error".to_owned(), Type::Text));
        let node = event_bus(assembly, ground);
        assembly.topic(Topic {
            name: format!("{}_dead", self.base),
            node,
            partitions: 1,
            fields,
        })
    }

    fn fields(&self) -> Vec<(String, Type)> {
        let key = ("key".to_owned(), Type::Text);
        let columns = self.columns.iter().map(|(_, column, t)| (column.clone(), *t));
        std::iter::once(key).chain(columns).collect()
    }

    /// The tenant, if the message says whose it is, else its own key.
    pub(crate) fn partition_key(&self, builder: &mut Builder) -> Expression {
        let mut parameters = self.subject.operation.parameters.iter();
        let tenant = parameters.find(|parameter| parameter.generator == Generator::Tenant);
        let carried = tenant.filter(|tenant| self.columns.iter().any(|(variable, _, _)| *variable == tenant.name));
        builder.operand(carried.map_or(KEY, |tenant| tenant.name.as_str()))
    }

    /// Publishes what is not sent, for ever.
    fn relay(&self, assembly: &mut Assembly<'_>, site: &Site, owner: u16, topic: TopicId) {
        let (home, pool) = site.service(owner);
        let to = self.consumer_name(assembly);
        let name = format!(
            "{} · relay of message {} to {to}",
            self.subject.operation.name, self.message.number
        );
        let mut builder = Builder::new(name, home, ProgramKind::Periodic { every: POLL_EVERY });
        let connection = builder.connection(pool);
        let rows = builder.rows("messages not sent");
        let bind = self.registers(&mut builder);
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
        let look = vec![builder.acquire(connection), poll, builder.release(connection)];
        let publish = BusRequest::Publish {
            key: self.partition_key(&mut builder),
            fields: bind.iter().map(|register| Expression::Register(*register)).collect(),
            each: Some(EachRow { rows, bind }),
            acks: acks(site),
        };
        let publish = inbox::bus(&mut builder, "publish to the bus", topic, publish, Into::Nothing);
        builder.bind("keys published", Expression::Column { rows, column: 0 });
        let mut text = Text::new(format!("UPDATE {} SET sent = true WHERE key = ANY (", self.table));
        text.variable("keys published").push(")");
        let mark = Mark::new("mark them sent", Role::Outbox);
        let send = vec![
            publish,
            builder.acquire(connection),
            builder.statement(mark, connection, &text, Into::Nothing),
            builder.release(connection),
        ];
        let any = Expression::binary(Operator::Greater, Expression::RowCount(rows), Expression::int(0));
        let send = builder.when("if there are any", any, send);
        assembly.add(builder.finish([look, vec![send]].concat()));
    }
}

/// The deployment's bus, made when the first message needs it.
fn event_bus(assembly: &mut Assembly<'_>, ground: Ground) -> NodeId {
    let nodes = &assembly.deployment.nodes;
    match nodes.iter().position(|node| node.kind == NodeKind::EventBus) {
        Some(index) => NodeId(index as u16),
        None => {
            let cores = setting(assembly.scenario, ground.slug, &BUS_CORES);
            assembly.node("event-bus", NodeKind::EventBus, cores)
        }
    }
}
