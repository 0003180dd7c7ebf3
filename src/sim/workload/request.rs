//! What the n-th request asks for: its operation, its tenant and its arguments.

use std::hash::{Hash, Hasher};

use base::random::Stream;
use base::{Nanos, Time, Type, Value};
use program::workload::{Generator, Workload};
use program::{OperationId, RequestId};

use super::{Population, between, choice, filler, instant, lds_hash, numbered};

#[derive(Clone, Debug)]
pub(crate) struct Requests {
    seed: u64,
    epoch_micros: i64,
    /// Running sums of the operations' weights.
    weights: Vec<u64>,
    operations: Vec<Vec<(Type, Generator)>>,
    /// Numbers from here on belong to no initial row.
    first_number: u64,
    /// So many numbers belong to each request.
    stride: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    pub(crate) operation: OperationId,
    pub(crate) arguments: Vec<Value>,
}

impl Requests {
    pub(crate) fn new(workload: &Workload) -> Requests {
        let mut sum = 0_u64;
        let weights = workload
            .operations
            .iter()
            .map(|operation| {
                sum += u64::from(operation.weight);
                sum
            })
            .collect();
        let operations: Vec<Vec<(Type, Generator)>> = workload
            .operations
            .iter()
            .map(|operation| {
                operation
                    .parameters
                    .iter()
                    .map(|(_, data_type, generator)| (*data_type, generator.clone()))
                    .collect()
            })
            .collect();
        let largest = workload.tables.iter().map(|table| table.rows).max().unwrap_or(0);
        let stride = operations
            .iter()
            .map(|parameters| parameters.iter().filter(|p| is_numbered(&p.1)).count())
            .max();
        Requests {
            seed: workload.seed,
            epoch_micros: workload.epoch_micros,
            weights,
            operations,
            first_number: power_of_ten_above(largest),
            stride: stride.unwrap_or(0).max(1) as u64,
        }
    }

    /// The largest integer that a request of a run of so many may use as a unique number.
    pub(crate) fn largest_number(&self, requests: u64) -> u64 {
        self.first_number.saturating_add(requests.saturating_mul(self.stride))
    }

    /// The request, asked at `now`: asked again it is the same one.
    pub(crate) fn request(&self, population: &Population, id: RequestId, now: Time) -> Request {
        let mut stream = Stream::new(self.seed, "request", id.0);
        let operation = stream.weighted(&self.weights);
        let tenant = population.draw_tenant(&mut stream);
        let mut arguments: Vec<Value> = Vec::with_capacity(self.operations[operation].len());
        let mut numbers = 0;
        for (index, (data_type, generator)) in self.operations[operation].iter().enumerate() {
            // One stream a parameter: adding one does not change the others.
            let mut stream = Stream::new(self.seed, "parameter", mix(id.0, index as u64));
            let number = self.first_number + id.0 * self.stride + numbers;
            numbers += u64::from(is_numbered(generator));
            let value = match generator {
                Generator::Constant(value) => value.clone(),
                Generator::Unique { prefix } => numbered(prefix, number, *data_type),
                Generator::Email { prefix } => Value::text(format!("{prefix}{number}@example.org")),
                Generator::Existing { table, column, draw } => {
                    population.existing(*table, *column, *draw, tenant, &mut stream)
                }
                Generator::Tenant => population.tenant_id(tenant),
                Generator::Choice(values) | Generator::Each(values) => choice(values, &mut stream),
                Generator::Between { low, high } => between(*low, *high, *data_type, &mut stream),
                Generator::Text { length } => filler(*length, *data_type, &mut stream),
                Generator::LdsHash { people } => lds_hash(*people, *data_type, &mut stream),
                Generator::Instant { .. } => {
                    instant(present(self.epoch_micros, now), Nanos::ZERO, *data_type, &mut stream)
                }
                Generator::Same(other) => arguments.get(usize::from(*other)).cloned().unwrap_or(Value::Null),
                Generator::FromParent { .. } => Value::Null,
            };
            arguments.push(value);
        }
        Request {
            operation: OperationId(operation as u16),
            arguments,
        }
    }
}

/// Virtual time as timestamptz.
pub(crate) fn present(epoch_micros: i64, now: Time) -> i64 {
    epoch_micros.saturating_add(i64::try_from(now.0 / 1_000).unwrap_or(i64::MAX))
}

fn is_numbered(generator: &Generator) -> bool {
    matches!(generator, Generator::Unique { .. } | Generator::Email { .. })
}

fn mix(request: u64, index: u64) -> u64 {
    let mut hasher = base::Fingerprinter::new();
    (request, index).hash(&mut hasher);
    hasher.finish()
}

/// A round number, so that a reader tells new rows from initial ones at a glance.
fn power_of_ten_above(n: u64) -> u64 {
    let mut power = 1_000_u64;
    while power <= n {
        power = power.saturating_mul(10);
    }
    power
}
