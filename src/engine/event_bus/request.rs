//! What is asked of the bus, and what it answers.

use std::sync::Arc;

use base::{Row, Time, Value};

use crate::failure::Failure;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// All of the messages or, if one of them is refused, none.
    Publish {
        topic: Arc<str>,
        messages: Vec<Message>,
        acks: Acks,
    },
    /// What the group has not committed of a partition, in order, at most so many messages.
    Fetch {
        topic: Arc<str>,
        group: Arc<str>,
        partition: u32,
        limit: u32,
    },
    /// The group has handled the partition up to before this offset, and will be given it next.
    Commit {
        topic: Arc<str>,
        group: Arc<str>,
        partition: u32,
        next: u64,
    },
}

/// The bus does not look into the body; it counts its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Messages of one key go to one partition, and so keep their order.
    pub key: Arc<str>,
    pub body: Row,
}

/// When a publisher has its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acks {
    /// When the partition's leader has the messages: its crash may lose what was acknowledged.
    Leader,
    /// When all replicas in step have them.
    All,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// Where each message lies, in the order of the request.
    Published(Vec<Place>),
    Fetched(Vec<Delivered>),
    Committed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub partition: u32,
    pub offset: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delivered {
    pub offset: u64,
    /// When it was appended.
    pub at: Time,
    pub message: Message,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    pub result: Result<Reply, Failure>,
    pub usage: Usage,
    /// The answer may leave when the log is flushed up to here; `None`: at once.
    pub durable: Option<Position>,
}

/// Counted work: messages appended or delivered, with their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    pub messages: u64,
    pub bytes: u64,
}

/// A place in the order in which the bus has written everything, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Message {
    /// As it is stored: key and body, and what a record has around them (Kafka's record: up to about 20 bytes, with
    /// its share of the batch's header 61).
    pub fn bytes(&self) -> u64 {
        const AROUND: u64 = 24;
        let body: u64 = self.body.iter().map(value_bytes).sum();
        AROUND + self.key.len() as u64 + body
    }
}

fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Int2(_) => 2,
        Value::Int4(_) | Value::Date(_) | Value::Oid(_) => 4,
        Value::Tid(..) => 6,
        Value::Interval(_) | Value::Uuid(_) => 16,
        Value::Numeric(number) => number.to_string().len() as u64,
        Value::Int8(_) | Value::Timestamptz(_) | Value::Timestamp(_) | Value::Float8(_) => 8,
        Value::Text(text) | Value::Jsonb(text) => 4 + text.len() as u64,
        Value::Daterange(_) => 9,
        Value::Bytea(bytes) => 4 + bytes.len() as u64,
        Value::Regclass(_, name) => 4 + name.len() as u64,
        Value::List(values) | Value::Record(values) => 4 + values.iter().map(value_bytes).sum::<u64>(),
    }
}
