//! DynamoDB's behaviour as a passive state machine.
//!
//! ```text
//!           ┌ expressions: text → tree → truth, new item ┐
//! Request ─▶│ single writes · reads · batches            │─▶ Outcome { reply or failure, capacity consumed }
//!           │ transactions: begin … finish               │
//!           └────────────┬───────────────────────────────┘
//!       tables: items by key · global secondary indexes (behind) · partitions' token buckets
//! ```
//!
//! A transaction takes two rounds ([`Engine::begin`], [`Engine::finish`]) so that another request can meet it in
//! flight; everything else is done in one.
//!
//! **Architecture invariants.** No clock: `now` is an argument. No price and no latency: capacity units are counted.
//! Nothing waits: a conflict is refused. An [`Engine`] can be cloned at any instant, and a clone costs next to
//! nothing; its fingerprint tells two of them apart.
//!
//! Not here: local secondary indexes, PartiQL, streams, time to live, the legacy parameters before expressions.

mod batch;
mod capacity;
mod expression;
mod failure;
mod item;
mod key;
mod key_condition;
mod number;
mod read;
mod request;
mod schema;
mod service;
mod storage;
mod throughput;
mod transaction;
mod value;
pub mod wire;
mod write;

pub use capacity::{Consumption, Units};
pub use failure::{CancellationReason, Failure, FailureName, Throttled};
pub use item::{Finder, Item};
pub use number::{Number, NumberError};
pub use request::*;
pub use schema::{
    IndexDefinition, KeyAttribute, KeySchema, KeyType, NEW_TABLE_PARTITIONS, Projection, TableDefinition, Throughput,
};
pub use service::{Begun, Configuration, Engine};
pub use transaction::TransactionId;
pub use value::{AttributeValue, MAX_DEPTH, MAX_ITEM_BYTES, item_size};
