//! The scenario's population, operations and load in the words of the program side. The same for
//! every design.

use base::math;
use program::workload::{
    ClientLoop, ClientRetry, Draw, Generator, OperationLoad, Parent, TablePopulation, Tenant, Workload,
};
use scenario::{Count, Operation, Population, Scenario, TableId};

pub(crate) fn workload(scenario: &Scenario) -> Workload {
    let load = &scenario.load;
    Workload {
        seed: scenario.seed,
        epoch_micros: scenario.epoch_micros,
        tenants: tenants(&scenario.population),
        tables: scenario
            .population
            .tables
            .iter()
            .map(|table| population(scenario, table))
            .collect(),
        operations: scenario
            .operations
            .iter()
            .map(|operation| operation_load(scenario, operation))
            .collect(),
        clients: match load.clients {
            scenario::ClientLoop::Open { requests_per_second } => ClientLoop::Open { requests_per_second },
            scenario::ClientLoop::Closed { clients, think } => ClientLoop::Closed { clients, think },
            scenario::ClientLoop::Serial => ClientLoop::Serial,
        },
        requests: load.requests,
        retry: ClientRetry {
            timeout: load.retry.timeout,
            attempts: load.retry.attempts,
        },
    }
}

fn tenants(population: &Population) -> Vec<Tenant> {
    let weights: Vec<u64> = match population.sizes {
        scenario::Draw::Uniform => vec![1; population.tenants as usize],
        scenario::Draw::Zipf { exponent_milli } => {
            let sums = math::zipf_cumulative(population.tenants as usize, f64::from(exponent_milli) / 1000.0);
            let before = std::iter::once(0).chain(sums.iter().copied());
            sums.iter().zip(before).map(|(sum, before)| sum - before).collect()
        }
    };
    let numbered = weights.into_iter().zip(1..);
    numbered.map(|(weight, id)| Tenant { id, weight }).collect()
}

fn population(scenario: &Scenario, population: &scenario::TablePopulation) -> TablePopulation {
    let table = scenario.schema.table(population.table);
    let parent = match population.count {
        Count::PerRow { per, parent } => Some(Parent {
            table: position(scenario, parent),
            per,
        }),
        Count::Total(_) | Count::PerTenant(_) => None,
    };
    let columns = population.columns.iter().map(|(column, data_type, source)| {
        (
            table.column(*column).name.clone(),
            *data_type,
            generator(scenario, source),
        )
    });
    TablePopulation {
        table: table.full_name(),
        rows: population.rows,
        by_tenant: scenario.schema.is_of_tenants(population.table),
        one_each: population.count == Count::PerTenant(1),
        parent,
        columns: columns.collect(),
    }
}

fn operation_load(scenario: &Scenario, operation: &Operation) -> OperationLoad {
    let parameters = operation
        .parameters
        .iter()
        .map(|p| (p.name.clone(), p.data_type, generator(scenario, &p.generator)));
    OperationLoad {
        name: operation.name.clone(),
        weight: operation.weight,
        parameters: parameters.collect(),
        read_only: operation.read_only,
        tables: operation
            .tables()
            .iter()
            .map(|id| scenario.schema.table(*id).full_name())
            .collect(),
    }
}

fn generator(scenario: &Scenario, source: &scenario::Generator) -> Generator {
    match source {
        scenario::Generator::Constant(value) => Generator::Constant(value.clone()),
        scenario::Generator::Unique { prefix } => Generator::Unique { prefix: prefix.clone() },
        scenario::Generator::Email { prefix } => Generator::Email { prefix: prefix.clone() },
        scenario::Generator::Existing { table, column, draw } => Generator::Existing {
            table: position(scenario, *table),
            column: column.0,
            draw: match draw {
                scenario::Draw::Uniform => Draw::Uniform,
                scenario::Draw::Zipf { exponent_milli } => Draw::Zipf {
                    exponent_milli: *exponent_milli,
                },
            },
        },
        scenario::Generator::Parent { column, .. } => Generator::FromParent { column: column.0 },
        scenario::Generator::Tenant => Generator::Tenant,
        scenario::Generator::Choice(values) => Generator::Choice(values.clone()),
        scenario::Generator::Each(values) => Generator::Each(values.clone()),
        scenario::Generator::Between { low, high } => Generator::Between { low: *low, high: *high },
        scenario::Generator::Text { length } => Generator::Text { length: *length },
        scenario::Generator::LdsHash { people } => Generator::LdsHash { people: *people },
        scenario::Generator::Instant { before, apart } => Generator::Instant {
            before: *before,
            apart: *apart,
        },
        scenario::Generator::Same(index) => Generator::Same(*index),
    }
}

/// The table's place among the populations; the parser has checked that it has one.
fn position(scenario: &Scenario, table: TableId) -> u16 {
    scenario.population.position(table).unwrap_or(0) as u16
}
