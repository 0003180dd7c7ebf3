//! A scenario as a whole.

use std::collections::BTreeMap;

use base::Nanos;
use syntax::Query;

use crate::{Fault, Operation, Place, Population, Schema, Source, TableId};

/// Everything that determines a run. Equal scenarios give byte-equal traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub title: String,
    /// A few sentences for people.
    pub summary: String,
    /// The slug of the ADR that it belongs to.
    pub adr: Option<String>,
    pub seed: u64,
    /// Virtual time zero as timestamptz (microseconds since 2000-01-01 UTC).
    pub epoch_micros: i64,
    pub tenant_column: Option<String>,
    pub region_column: Option<String>,
    /// The hardware profile's name; `None`: the default one.
    pub profile: Option<String>,
    pub schema: Schema,
    pub population: Population,
    pub operations: Vec<Operation>,
    pub load: Load,
    pub invariants: Vec<Invariant>,
    /// What is broken in every run of it, unless the settings of a run say otherwise.
    pub faults: Vec<Fault>,
    /// By slug; what a name or a value means is checked by the architecture.
    pub architectures: BTreeMap<String, ArchitectureOptions>,
}

/// `[architecture.<slug>]`
#[derive(Clone, Debug, PartialEq)]
pub struct ArchitectureOptions {
    pub options: BTreeMap<String, (OptionValue, Place)>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    Bool(bool),
    Integer(i64),
    /// Also a duration, `'80 ms'`: see [`crate::parse_duration`].
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub clients: ClientLoop,
    pub requests: u64,
    pub retry: ClientRetry,
}

/// How requests arise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientLoop {
    /// A Poisson process, whatever the answers do.
    Open { requests_per_second: u32 },
    /// So many clients, each asking again `think` after its answer (exponential mean).
    Closed { clients: u32, think: Nanos },
    /// One request after the other, each when everything is quiet.
    Serial,
}

/// What a client does when no answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientRetry {
    pub timeout: Nanos,
    /// 1: never asks twice.
    pub attempts: u32,
}

/// A query over the logical tables whose rows are the violations.
#[derive(Clone, Debug, PartialEq)]
pub struct Invariant {
    pub name: String,
    pub query: Query,
    pub tables: Vec<TableId>,
    pub source: Source,
    pub place: Place,
}

impl Scenario {
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }
}
