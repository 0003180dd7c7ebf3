//! Who asks for what, how often and with which values: plain data, equal for every design.
//!
//! Initial rows and parameter values come from the same pure functions of (seed, table, row index),
//! so that a client can name an existing row without asking a database.

use base::{Nanos, Type};
use serde::{Deserialize, Serialize};

use crate::ids::OperationId;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Workload {
    pub seed: u64,
    /// Virtual time zero as timestamptz (microseconds since 2000-01-01 UTC).
    pub epoch_micros: i64,
    /// Tenants by falling size; empty if the scenario has no tenants.
    pub tenants: Vec<Tenant>,
    pub tables: Vec<TablePopulation>,
    pub operations: Vec<OperationLoad>,
    pub clients: ClientLoop,
    /// Requests to issue in a load run; after them the run drains.
    pub requests: u64,
    pub retry: ClientRetry,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tenant {
    pub id: i32,
    /// Share of the population and of the requests, relative to the other tenants' weights.
    pub weight: u64,
}

/// The initial rows of one logical table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TablePopulation {
    pub table: String,
    pub rows: u64,
    /// Rows belong to tenants in proportion to their weights, in tenant order; `None`: shared by all.
    pub by_tenant: bool,
    /// Each tenant has exactly one, whatever its weight.
    pub one_each: bool,
    /// Rows of this table come so many to each row of another one: row `i` belongs to row `i / per`.
    pub parent: Option<Parent>,
    pub columns: Vec<(String, Type, Generator)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parent {
    /// Into `Workload::tables`; always an earlier one.
    pub table: u16,
    pub per: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OperationLoad {
    pub name: String,
    pub weight: u32,
    /// In the order of the entry program's parameters.
    pub parameters: Vec<(String, Type, Generator)>,
    /// Reads only: counted as a reader that may see half of another operation.
    pub read_only: bool,
    /// The logical tables that it reads or writes.
    pub tables: Vec<String>,
}

/// How a column of an initial row, or a parameter of a request, gets its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Generator {
    Constant(base::Value),
    /// Unique within (purpose, table or operation): `prefix` and a number; for integer types the number alone.
    Unique {
        prefix: String,
    },
    /// As `Unique`, made into an address: `u_17@example.org`.
    Email {
        prefix: String,
    },
    /// The value of a column of an initial row of another table, drawn among the rows of the request's
    /// tenant (or among all, if the table is shared).
    Existing {
        table: u16,
        column: u16,
        draw: Draw,
    },
    /// In a population: the column of the parent row.
    FromParent {
        column: u16,
    },
    /// The request's, or the row's, tenant.
    Tenant,
    Choice(Vec<base::Value>),
    /// In a population: row `i` has the `i mod n`-th.
    Each(Vec<base::Value>),
    Between {
        low: i64,
        high: i64,
    },
    /// Readable filler of so many characters.
    Text {
        length: u32,
    },
    /// The hash under which one of so many people is found: 64 bytes, or text of 128 hexadecimal characters.
    LdsHash {
        people: u64,
    },
    /// In a population: the epoch less up to so much. In a request: the present.
    Instant {
        before: Nanos,
        /// In a population: no two rows have the same, and later rows have later ones.
        apart: bool,
    },
    /// The value of an earlier parameter of the same request (index), or column of the same row.
    Same(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Draw {
    Uniform,
    /// Rank 1 most often, with the exponent in thousandths: 1100 is zipf(1.1).
    Zipf {
        exponent_milli: u32,
    },
}

/// How requests arise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClientLoop {
    /// A Poisson process, whatever the answers do: no coordinated omission.
    Open { requests_per_second: u32 },
    /// So many clients, each asking again `think` after its answer (exponential mean; zero: at once).
    Closed { clients: u32, think: Nanos },
    /// One request after the other, each when the one before has ended and everything is quiet.
    Serial,
}

/// What a client does when no answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClientRetry {
    pub timeout: Nanos,
    /// 1: never asks twice.
    pub attempts: u32,
}

impl Workload {
    pub fn operation(&self, id: OperationId) -> &OperationLoad {
        &self.operations[id.index()]
    }
}
