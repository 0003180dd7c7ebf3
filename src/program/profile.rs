//! The hardware profile: what counted work costs in time. A dated data file under
//! `public/profiles/`; figures without a source are marked assumed there.
//!
//! Latency is never a constant per operation: it is Σ counted work × these costs, plus queueing at
//! CPUs, the WAL's flush, pools and links.

use base::Nanos;
use serde::{Deserialize, Serialize};

use crate::deployment::LinkClass;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub name: String,
    pub title: String,
    /// ISO date of the figures.
    pub date: String,
    pub network: Vec<LinkLatency>,
    pub sql: SqlCosts,
    pub dynamo: DynamoCosts,
    pub objects: ObjectCosts,
    pub bus: BusCosts,
    pub service: ServiceCosts,
    pub recovery: RecoveryCosts,
    /// Where each figure comes from: (figure as a path in this file, source or "assumed").
    pub sources: Vec<(String, String)>,
}

/// One way. Drawn as `base + exponential(jitter_mean)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkLatency {
    pub class: LinkClass,
    pub base_ns: Nanos,
    pub jitter_mean_ns: Nanos,
}

/// CPU time of a PostgreSQL server per unit of counted work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SqlCosts {
    /// Receive, bind, execute, answer: what an empty prepared statement costs.
    pub statement_ns: Nanos,
    /// Parse and plan, the first time a text is seen on a connection.
    pub prepare_ns: Nanos,
    pub row_read_ns: Nanos,
    pub row_written_ns: Nanos,
    pub index_probe_ns: Nanos,
    pub page_read_ns: Nanos,
    pub wal_byte_ns: f64,
    /// One WAL flush; commits that wait meanwhile share the next one.
    pub flush_ns: Nanos,
    /// A new connection: fork, authentication, first catalog look-ups.
    pub connect_ns: Nanos,
    /// Work costs `1 + (active backends per core / this)²` times as much when there are more of them than cores.
    pub oversubscription_backends_per_core: f64,
    /// Work that starts while `busy` of a server's cores are at work (its own included) costs
    /// `1 + this × (busy − 1) / (cores − 1)` times as much: shared caches, memory, execution units.
    pub core_contention: f64,
}

/// What DynamoDB takes for a request, and how much it lets in. It is a managed service: there is no processor of ours
/// to wait for, but each partition has its throughput.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DynamoCosts {
    /// Routing, authentication, answering: part of every request.
    pub request_ns: Nanos,
    /// A read of keys, eventually consistent: any replica answers.
    pub read_ns: Nanos,
    /// What a strongly consistent read takes longer: the leader answers.
    pub strong_read_ns: Nanos,
    /// A page of a query or a scan, its items aside.
    pub page_ns: Nanos,
    /// A write that two of three replicas have.
    pub write_ns: Nanos,
    /// One of the two rounds of a transaction that reads, that writes.
    pub read_round_ns: Nanos,
    pub write_round_ns: Nanos,
    /// Each item read after the first.
    pub item_ns: Nanos,
    /// Added to each request, exponentially distributed.
    pub jitter_mean_ns: Nanos,
    /// How long after a write its global secondary indexes show it.
    pub index_delay_ns: Nanos,
    /// Of each table and index, with 3,000 read and 1,000 write units a second each; 0: unlimited.
    pub partitions: u32,
}

/// What an object store takes for a request. It is a managed service: there is no processor of ours to wait for, but each
/// prefix takes so many requests a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectCosts {
    /// A GET or HEAD until the first byte.
    pub get_ns: Nanos,
    /// A page of a listing.
    pub list_ns: Nanos,
    /// A PUT after its last byte, in three zones.
    pub put_ns: Nanos,
    pub delete_ns: Nanos,
    /// Content and pages on their way, for each 1,048,576 bytes.
    pub mebibyte_ns: Nanos,
    /// Added to each request, exponentially distributed.
    pub jitter_mean_ns: Nanos,
    /// So many parts of a key, up to `/`, make the prefix that takes 3,500 writes and 5,500 reads a second; `null`:
    /// unlimited.
    pub prefix_depth: Option<u8>,
}

/// What an event bus takes for a request: its processors' time, then its replicas'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusCosts {
    /// Of a processor, for each request.
    pub request_ns: Nanos,
    /// Of a processor, for each message taken or given.
    pub message_ns: Nanos,
    /// Until the replicas have what was written; what comes meanwhile shares the next round.
    pub replicate_ns: Nanos,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceCosts {
    /// CPU time of a service per request that it sends and per answer that it takes: statements, calls,
    /// compositions. What it decides over registers in between is counted in it.
    pub step_ns: Nanos,
    /// Per row taken, joined or given by a composition.
    pub row_ns: Nanos,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryCosts {
    pub service_restart_ns: Nanos,
    pub server_restart_ns: Nanos,
    /// Replay of WAL after a crash.
    pub wal_byte_ns: f64,
    /// Until both ends of a connection notice that it has gone silent.
    pub silence_ns: Nanos,
}
