//! The rows that are there before the first request.

use base::Type;

use crate::{ColumnId, Draw, Generator, TableId};

#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    /// 0: the scenario has no tenants. Tenants are numbered from 1, the largest first.
    pub tenants: u32,
    pub sizes: TenantSizes,
    /// One for every table of the schema, ordered so that a table comes after those that its rows refer to.
    pub tables: Vec<TablePopulation>,
}

/// How the tenants' shares of rows and of requests fall.
pub type TenantSizes = Draw;

#[derive(Clone, Debug, PartialEq)]
pub struct TablePopulation {
    pub table: TableId,
    pub count: Count,
    /// All in all: what `count` comes to.
    pub rows: u64,
    /// One for each column of the table, in its order.
    pub columns: Vec<(ColumnId, Type, Generator)>,
}

/// How many rows, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// `40`
    Total(u64),
    /// `1_000 per tenant`: on average; tenants get shares by their sizes. `1 per tenant`: exactly one each.
    PerTenant(u64),
    /// `2 per auth.users`: row `i` belongs to row `i / per` of the other table.
    PerRow { per: u64, parent: TableId },
}

impl Population {
    pub fn rows(&self) -> u64 {
        self.tables.iter().fold(0, |sum, table| sum.saturating_add(table.rows))
    }

    /// Where a table stands in `tables`.
    pub fn position(&self, table: TableId) -> Option<usize> {
        self.tables.iter().position(|population| population.table == table)
    }
}
