//! The same workload, proven: after a fault-free serial run, every design holds the same logical rows.
//!
//! Instants that an engine or a client takes during the run differ between designs, since answers take
//! different times: they compare as "during the run". Everything else compares as it is.

use std::sync::Arc;

use base::{Fingerprint, Value};
use program::profile::Profile;
use program::workload::ClientLoop;
use program::{Compilation, LogicalTable};
use report::TableComparison;
use sim::{Checks, Options, Simulation};

use crate::scale;

/// Initial rows of a table, at most.
const ROWS: u64 = 500;

/// Requests, at most.
const REQUESTS: u64 = 300;

/// What one design holds in the end: per logical table the number of rows and their fingerprint.
#[derive(Clone, Debug)]
pub(crate) struct Holdings {
    design: String,
    tables: Vec<(String, u64, Fingerprint)>,
}

/// The serial run of a compilation, ready to go. Only operations that every compared design can express are
/// asked for.
pub(crate) fn simulation(full: &Compilation, expressed: &[bool], profile: &Profile) -> Result<Simulation, String> {
    let mut workload = scale::scaled(&full.workload, ROWS);
    for (load, expressed) in workload.operations.iter_mut().zip(expressed) {
        load.weight *= u32::from(*expressed);
    }
    workload.clients = ClientLoop::Serial;
    let asked = workload.operations.iter().any(|load| load.weight > 0);
    workload.requests = if asked { workload.requests.min(REQUESTS) } else { 0 };
    let compilation = Arc::new(Compilation {
        workload,
        ..full.clone()
    });
    let options = Options {
        checks: Checks::Never,
        ..Options::of(&compilation)
    };
    Simulation::new(compilation, profile, Vec::new(), options).map_err(|error| error.to_string())
}

/// Reads back what a finished simulation holds.
pub(crate) fn holdings(simulation: &Simulation) -> Result<Holdings, String> {
    let compilation = simulation.compilation();
    let epoch = compilation.workload.epoch_micros;
    let read = |table: &LogicalTable| -> Result<_, String> {
        let rows = simulation.read_table(&table.name)?;
        let mut rows: Vec<Vec<Value>> = rows
            .iter()
            .map(|row| row.iter().map(|value| without_instant(value, epoch)).collect())
            .collect();
        rows.sort_unstable();
        Ok((table.name.clone(), rows.len() as u64, Fingerprint::of(&rows)))
    };
    let tables = compilation.logical_tables.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Holdings {
        design: compilation.title.clone(),
        tables,
    })
}

/// Is it an instant of the run? All of those are one.
fn without_instant(value: &Value, epoch: i64) -> Value {
    match value {
        Value::Timestamptz(micros) => Value::Timestamptz((*micros).min(epoch)),
        Value::Timestamp(micros) => Value::Timestamp((*micros).min(epoch)),
        // `1.50` and `1.5` are one number.
        Value::Numeric(number) => Value::text(program::key_text([&Value::Numeric(number.clone())]).unwrap_or_default()),
        other => other.clone(),
    }
}

/// Table by table, the designs side by side.
pub(crate) fn compare(all: &[Holdings]) -> Vec<TableComparison> {
    let Some(first) = all.first() else { return Vec::new() };
    let comparison = |(index, (table, _, fingerprint)): (usize, &(String, u64, Fingerprint))| {
        let of = |holdings: &Holdings| {
            let (_, rows, fingerprint) = &holdings.tables[index];
            (holdings.design.clone(), *rows, *fingerprint)
        };
        let designs: Vec<_> = all.iter().map(of).collect();
        let equal = designs.iter().all(|(_, _, other)| other == fingerprint);
        TableComparison {
            table: table.clone(),
            designs,
            equal,
        }
    };
    first.tables.iter().enumerate().map(comparison).collect()
}
