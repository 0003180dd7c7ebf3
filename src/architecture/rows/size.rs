//! How many rows a look-up finds, by the scenario's population: for choosing what to refuse and for saying what a look-up
//! costs. Estimates, and called so wherever they are shown.

use scenario::{ColumnId, Generator, Scenario, Table, TableId};

use super::bindings::{bindings, key_source};
use crate::composition::plan::{Fetch, FetchPlan};

/// Rows that a table begins with.
pub(crate) fn rows(scenario: &Scenario, table: TableId) -> u64 {
    let at = scenario.population.position(table);
    at.map_or(0, |at| scenario.population.tables[at].rows)
}

/// Rows that a fetch brings, on average.
pub(crate) fn fetched(scenario: &Scenario, plan: &FetchPlan, fetch: &Fetch) -> u64 {
    let schema = &scenario.schema;
    let table = schema.table(fetch.table);
    let each = fetch.alternatives.iter().map(|predicates| {
        let found = bindings(schema, fetch.table, predicates);
        let equal: Vec<ColumnId> = found.equal.keys().copied().collect();
        if table.is_key(&equal) {
            return 1;
        }
        let listed: u64 = found.one_of.values().map(|list| list.len() as u64).product();
        let alone = selected(
            scenario,
            fetch.table,
            &equal,
            &found.one_of.keys().copied().collect::<Vec<_>>(),
            listed.max(1),
        );
        let Some((from, keys)) = key_source(fetch) else {
            return alone;
        };
        let keys: Vec<ColumnId> = equal.iter().copied().chain(keys.keys().copied()).collect();
        let one = if table.is_key(&keys) {
            1
        } else {
            selected(scenario, fetch.table, &keys, &[], 1)
        };
        alone.min(one.saturating_mul(fetched(scenario, plan, &plan.fetches[from])))
    });
    each.fold(0, u64::saturating_add)
}

/// Rows with values for some columns, and with one of several for others.
pub(crate) fn selected(scenario: &Scenario, id: TableId, equal: &[ColumnId], listed: &[ColumnId], times: u64) -> u64 {
    let table = scenario.schema.table(id);
    let columns = equal.iter().chain(listed);
    let distinct = columns
        .map(|column| distinct(scenario, id, table, *column))
        .fold(1, u64::saturating_mul);
    let share = rows(scenario, id).div_ceil(distinct.max(1));
    share.saturating_mul(times).min(rows(scenario, id))
}

/// Different values that a column begins with.
fn distinct(scenario: &Scenario, id: TableId, table: &Table, column: ColumnId) -> u64 {
    if table.tenant == Some(column) {
        return u64::from(scenario.population.tenants.max(1));
    }
    let refers = table.foreign_keys.iter().find(|key| key.columns == [column]);
    if let Some(key) = refers {
        return rows(scenario, key.table).max(1);
    }
    if table.is_key(&[column]) {
        return rows(scenario, id).max(1);
    }
    let at = scenario.population.position(id);
    let columns = at.map(|at| &scenario.population.tables[at].columns);
    let source = columns.and_then(|columns| columns.iter().find(|(known, _, _)| *known == column));
    match source.map(|(_, _, generator)| generator) {
        Some(Generator::Choice(values) | Generator::Each(values)) => values.len() as u64,
        Some(Generator::Between { low, high }) => high.abs_diff(*low).saturating_add(1),
        Some(Generator::LdsHash { people }) => (*people).min(rows(scenario, id)).max(1),
        Some(Generator::Constant(_)) => 1,
        // Of a table that begins empty nothing is known.
        _ => 10,
    }
}
