//! The initial rows: which tenant a row belongs to, and the value of any of its columns.
//!
//! Rows of a tenant table lie together, tenant by tenant, in proportion to the tenants' weights; the
//! children of row `p` are the rows `p × per …` of their table, so that a child's tenant is its parent's.

use std::ops::Range;

use base::random::Stream;
use base::{Row, Value};
use program::Share;
use program::workload::{Draw, Generator, TablePopulation, Workload};

use super::{apart, between, choice, filler, instant, lds_hash, numbered, zipf};

#[derive(Clone, Debug)]
pub(crate) struct Population {
    seed: u64,
    epoch_micros: i64,
    tenants: Vec<i32>,
    /// Running sums of the tenants' weights.
    cumulative: Vec<u64>,
    tables: Vec<Table>,
}

#[derive(Clone, Debug)]
struct Table {
    definition: TablePopulation,
    /// Names the table's random streams.
    purpose: String,
    /// The first row of each tenant, and the end; empty if the rows belong to nobody.
    starts: Vec<u64>,
}

impl Population {
    pub(crate) fn new(workload: &Workload) -> Population {
        let mut sum = 0_u64;
        let cumulative = workload
            .tenants
            .iter()
            .map(|tenant| {
                sum = sum.saturating_add(tenant.weight);
                sum
            })
            .collect();
        let mut population = Population {
            seed: workload.seed,
            epoch_micros: workload.epoch_micros,
            tenants: workload.tenants.iter().map(|tenant| tenant.id).collect(),
            cumulative,
            tables: Vec::new(),
        };
        for definition in &workload.tables {
            let starts = population.starts(definition);
            let purpose = format!("population/{}", definition.table);
            population.tables.push(Table {
                definition: definition.clone(),
                purpose,
                starts,
            });
        }
        population
    }

    fn starts(&self, table: &TablePopulation) -> Vec<u64> {
        if !table.by_tenant || self.tenants.is_empty() {
            return Vec::new();
        }
        let parent = table
            .parent
            .as_ref()
            .and_then(|parent| Some((self.tables.get(usize::from(parent.table))?, parent)));
        if let Some((above, parent)) = parent.filter(|(above, _)| !above.starts.is_empty()) {
            return above
                .starts
                .iter()
                .map(|start| start.saturating_mul(parent.per).min(table.rows))
                .collect();
        }
        if let Some(above) = self.anchor(table) {
            // In proportion to the rows that they refer to: nobody has children without parents.
            let (all, rows) = (u128::from(above.definition.rows.max(1)), u128::from(table.rows));
            return above
                .starts
                .iter()
                .map(|start| (rows * u128::from(*start) / all) as u64)
                .collect();
        }
        if table.one_each {
            return (0..=self.tenants.len() as u64)
                .map(|tenant| tenant.min(table.rows))
                .collect();
        }
        let total = u128::from(self.cumulative.last().copied().unwrap_or(0).max(1));
        let share = |sum: &u64| (u128::from(table.rows) * u128::from(*sum) / total) as u64;
        std::iter::once(0).chain(self.cumulative.iter().map(share)).collect()
    }

    /// Of a table whose rows do not say their tenant: the table of tenants' rows that they refer to; of several, the
    /// one with the fewest rows.
    fn anchor(&self, table: &TablePopulation) -> Option<&Table> {
        if table
            .columns
            .iter()
            .any(|(_, _, generator)| *generator == Generator::Tenant)
        {
            return None;
        }
        let referred = table.columns.iter().filter_map(|(_, _, generator)| match generator {
            Generator::Existing { table, .. } => self.tables.get(usize::from(*table)),
            _ => None,
        });
        referred
            .filter(|above| !above.starts.is_empty())
            .min_by_key(|above| above.definition.rows)
    }

    pub(crate) fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.definition.table == name)
    }

    /// A tenant (index) by weight; `None` if there are none.
    pub(crate) fn draw_tenant(&self, stream: &mut Stream) -> Option<usize> {
        (!self.tenants.is_empty()).then(|| stream.weighted(&self.cumulative))
    }

    pub(crate) fn tenant_id(&self, tenant: Option<usize>) -> Value {
        tenant
            .and_then(|tenant| self.tenants.get(tenant))
            .map_or(Value::Null, |id| Value::Int4(*id))
    }

    fn tenant_of(&self, table: &Table, row: u64) -> Option<usize> {
        let after = table.starts.partition_point(|start| *start <= row);
        (after > 0 && after < table.starts.len()).then(|| after - 1)
    }

    /// The rows that a request of this tenant may name.
    fn rows_of(&self, table: &Table, tenant: Option<usize>) -> Range<u64> {
        match tenant {
            Some(tenant) if tenant + 1 < table.starts.len() => table.starts[tenant]..table.starts[tenant + 1],
            _ => 0..table.definition.rows,
        }
    }

    /// The rows that a place holds.
    fn rows_in(&self, table: usize, share: Share) -> Range<u64> {
        let data = &self.tables[table];
        match share {
            Share::Tenant(id) if !data.starts.is_empty() => match self.tenants.iter().position(|known| *known == id) {
                Some(tenant) => self.rows_of(data, Some(tenant)),
                None => 0..0,
            },
            Share::Tenant(_) | Share::All => 0..data.definition.rows,
        }
    }

    /// A column of a row drawn among the tenant's; NULL if there is no such row.
    pub(crate) fn existing(
        &self,
        table: u16,
        column: u16,
        draw: Draw,
        tenant: Option<usize>,
        stream: &mut Stream,
    ) -> Value {
        let Some(data) = self.tables.get(usize::from(table)) else {
            return Value::Null;
        };
        let rows = self.rows_of(data, tenant);
        let count = rows.end - rows.start;
        if count == 0 {
            return Value::Null;
        }
        let nth = match draw {
            Draw::Uniform => stream.below(count),
            Draw::Zipf { exponent_milli } => zipf::rank(stream, count, f64::from(exponent_milli) / 1_000.0) - 1,
        };
        self.value(usize::from(table), rows.start + nth, usize::from(column))
    }

    /// The value of one column of one row.
    pub(crate) fn value(&self, table: usize, row: u64, column: usize) -> Value {
        let Some(data) = self.tables.get(table) else {
            return Value::Null;
        };
        let Some((_, data_type, generator)) = data.definition.columns.get(column) else {
            return Value::Null;
        };
        let stream = || Stream::new(self.seed, &data.purpose, ((column as u64) << 48) | row);
        match generator {
            Generator::Constant(value) => value.clone(),
            Generator::Unique { prefix } => numbered(prefix, row + 1, *data_type),
            Generator::Email { prefix } => Value::text(format!("{prefix}{}@example.org", row + 1)),
            Generator::Existing {
                table: other,
                column,
                draw,
            } => self.existing(*other, *column, *draw, self.tenant_of(data, row), &mut stream()),
            Generator::FromParent { column } => match &data.definition.parent {
                Some(parent) => self.value(usize::from(parent.table), row / parent.per.max(1), usize::from(*column)),
                None => Value::Null,
            },
            Generator::Tenant => self.tenant_id(self.tenant_of(data, row)),
            Generator::Choice(values) => choice(values, &mut stream()),
            Generator::Each(values) if values.is_empty() => Value::Null,
            Generator::Each(values) => values[(row % values.len() as u64) as usize].clone(),
            Generator::Between { low, high } => between(*low, *high, *data_type, &mut stream()),
            Generator::Text { length } => filler(*length, *data_type, &mut stream()),
            Generator::LdsHash { people } => lds_hash(*people, *data_type, &mut stream()),
            Generator::Instant { before, apart: true } => apart(
                self.epoch_micros,
                *before,
                (row, data.definition.rows),
                *data_type,
                &mut stream(),
            ),
            Generator::Instant { before, .. } => instant(self.epoch_micros, *before, *data_type, &mut stream()),
            // Only an earlier column, so that no definition can ask in a circle.
            Generator::Same(other) if usize::from(*other) < column => self.value(table, row, usize::from(*other)),
            Generator::Same(_) => Value::Null,
        }
    }

    /// A table's rows in the order of `columns` (by name); a column without generator is NULL.
    pub(crate) fn rows<'a>(
        &'a self,
        table: usize,
        columns: &[(String, base::Type)],
        share: Share,
    ) -> impl Iterator<Item = Row> + use<'a> {
        let definition = &self.tables[table].definition;
        let order: Vec<Option<usize>> = columns
            .iter()
            .map(|(name, _)| definition.columns.iter().position(|(known, _, _)| known == name))
            .collect();
        self.rows_in(table, share).map(move |row| {
            order
                .iter()
                .map(|column| column.map_or(Value::Null, |column| self.value(table, row, column)))
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use base::{Nanos, Type};
    use program::workload::{ClientLoop, ClientRetry, Parent, Tenant};

    use super::*;

    /// Tenants 1, 2, 3 with weights 6, 3, 1; ten users; two orders to each user.
    fn population() -> Population {
        let tenant = |id, weight| Tenant { id, weight };
        let unique = |prefix: &str| Generator::Unique {
            prefix: prefix.to_owned(),
        };
        let column = |name: &str, data_type, generator| (name.to_owned(), data_type, generator);
        let users = TablePopulation {
            table: "users".to_owned(),
            rows: 10,
            by_tenant: true,
            one_each: false,
            parent: None,
            columns: vec![
                column("id", Type::Text, unique("u_")),
                column("tenant", Type::Int4, Generator::Tenant),
            ],
        };
        let orders = TablePopulation {
            table: "orders".to_owned(),
            rows: 20,
            by_tenant: true,
            one_each: false,
            parent: Some(Parent { table: 0, per: 2 }),
            columns: vec![
                column("user", Type::Text, Generator::FromParent { column: 0 }),
                column("tenant", Type::Int4, Generator::Tenant),
                column("amount", Type::Int4, Generator::Between { low: 5, high: 7 }),
            ],
        };
        Population::new(&Workload {
            seed: 7,
            epoch_micros: 0,
            tenants: vec![tenant(1, 6), tenant(2, 3), tenant(3, 1)],
            tables: vec![users, orders],
            operations: Vec::new(),
            clients: ClientLoop::Serial,
            requests: 0,
            retry: ClientRetry {
                timeout: Nanos::ZERO,
                attempts: 1,
            },
        })
    }

    #[test]
    fn rows_belong_to_tenants_by_weight_and_children_to_their_parents_tenant() {
        let population = population();
        let tenants: Vec<Value> = (0..10).map(|row| population.value(0, row, 1)).collect();
        assert_eq!(tenants, [1, 1, 1, 1, 1, 1, 2, 2, 2, 3].map(Value::Int4));
        for order in 0..20 {
            assert_eq!(
                population.value(1, order, 0),
                Value::text(format!("u_{}", order / 2 + 1))
            );
            assert_eq!(
                population.value(1, order, 1),
                tenants[order as usize / 2],
                "order {order}"
            );
            assert!(matches!(population.value(1, order, 2), Value::Int4(5..=7)));
        }
    }

    #[test]
    fn an_existing_value_is_one_of_the_tenants_own_rows() {
        let population = population();
        let mut stream = Stream::new(1, "test", 0);
        for _ in 0..50 {
            let user = population.existing(0, 0, Draw::Uniform, Some(1), &mut stream);
            assert!(["u_7", "u_8", "u_9"].map(Value::text).contains(&user), "{user}");
        }
        let all: std::collections::BTreeSet<Value> = (0..200)
            .map(|_| population.existing(0, 0, Draw::Uniform, None, &mut stream))
            .collect();
        assert_eq!(all.len(), 10);
    }
}
