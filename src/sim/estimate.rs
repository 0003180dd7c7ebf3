//! How much memory a run will need, before it is begun: a page refuses what is too large, with the figure.

use base::{Type, Value};
use program::workload::{ClientLoop, Generator};
use program::{Compilation, Load, LogicalTable, Share};

/// In bytes, rounded up generously.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    pub initial_rows: u64,
    pub initial_bytes: u64,
    /// What the requests may add at most: each one as if it wrote a row version to every table that it touches.
    pub written_bytes: u64,
    /// Programs that run at once, connections, pending timers.
    pub running_bytes: u64,
}

impl Estimate {
    pub fn total_bytes(&self) -> u64 {
        self.initial_bytes
            .saturating_add(self.written_bytes)
            .saturating_add(self.running_bytes)
    }
}

/// A tuple's header, its slot, and an index entry for the primary key.
const ROW_OVERHEAD: u64 = 16 + 4 + 40;
/// What a table with its indexes takes before it has a row: its definition, the roots of its indexes.
const EMPTY_TABLE: u64 = 4 * 1024;
/// A running program with its frames, registers and timers.
const PROGRAM: u64 = 4 * 1024;

pub fn estimate(compilation: &Compilation) -> Estimate {
    let workload = &compilation.workload;
    let mut estimate = Estimate {
        initial_rows: 0,
        initial_bytes: 0,
        written_bytes: 0,
        running_bytes: 0,
    };
    for table in &workload.tables {
        let places = compilation
            .logical_tables
            .iter()
            .filter(|logical| logical.name == table.table);
        let places: u64 = places.map(copies).sum();
        let width = ROW_OVERHEAD
            + table
                .columns
                .iter()
                .map(|(_, data_type, by)| width(*data_type, by))
                .sum::<u64>();
        let rows = table.rows.saturating_mul(places.max(1));
        estimate.initial_rows = estimate.initial_rows.saturating_add(rows);
        estimate.initial_bytes = estimate.initial_bytes.saturating_add(rows.saturating_mul(width));
    }
    let touched = workload.operations.iter().filter(|operation| !operation.read_only);
    let touched = touched
        .map(|operation| operation.tables.len() as u64)
        .max()
        .unwrap_or(0);
    let empty_tables = (compilation.deployment.databases.len() as u64)
        .saturating_mul(compilation.logical_tables.len() as u64)
        .saturating_mul(EMPTY_TABLE);
    estimate.initial_bytes = estimate.initial_bytes.saturating_add(empty_tables);
    // A version in a page and its WAL record.
    let version = 2 * (ROW_OVERHEAD + 100);
    estimate.written_bytes = workload.requests.saturating_mul(touched).saturating_mul(version);
    let at_once = match workload.clients {
        ClientLoop::Closed { clients, .. } => u64::from(clients),
        ClientLoop::Serial => 1,
        // What piles up at worst before the clients give up.
        ClientLoop::Open { requests_per_second } => {
            let patience = workload
                .retry
                .timeout
                .0
                .saturating_mul(u64::from(workload.retry.attempts))
                / 1_000_000_000;
            u64::from(requests_per_second)
                .saturating_mul(patience.max(1))
                .min(workload.requests)
        }
    };
    estimate.running_bytes = at_once.saturating_mul(PROGRAM);
    estimate
}

/// How often each row lies somewhere: the tenants' shares are one copy together, unless the rows are all tenants'.
fn copies(table: &LogicalTable) -> u64 {
    let is_share = |load: &&Load| {
        matches!(
            load,
            Load::Rows {
                share: Share::Tenant(_),
                ..
            }
        )
    };
    // An item carries the names of its attributes, and is in its table's indexes too.
    let copies = |load: &Load| match load {
        Load::Rows { .. } => 1,
        Load::Items { items, .. } => 4 * items.len() as u64,
        // So does an object, and its key has values once more.
        Load::Objects { .. } => 3,
    };
    let shares = table.loads.iter().filter(is_share).count();
    let whole = table.loads.iter().filter(|load| !is_share(load));
    whole.map(copies).sum::<u64>() + u64::from(shares > 0)
}

fn width(data_type: Type, generator: &Generator) -> u64 {
    match (data_type, generator) {
        (Type::Bool, _) => 1,
        (Type::Int2, _) => 2,
        (Type::Int4 | Type::Date, _) => 4,
        (Type::Int8 | Type::Timestamptz | Type::Timestamp | Type::Float8, _) => 8,
        (Type::Uuid | Type::Interval, _) => 16,
        (_, Generator::Text { length }) => u64::from(*length) + 4,
        (_, Generator::Unique { prefix } | Generator::Email { prefix }) => prefix.len() as u64 + 24,
        (_, Generator::Constant(Value::Text(text))) => text.len() as u64 + 4,
        (_, Generator::Choice(values) | Generator::Each(values)) => values
            .iter()
            .map(|value| value.as_str().map_or(8, str::len) as u64 + 4)
            .max()
            .unwrap_or(4),
        _ => 32,
    }
}
