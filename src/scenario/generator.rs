//! Where values come from: parameters of requests, columns of initial rows.

use base::{Nanos, Value};

use crate::{ColumnId, TableId};

/// See `reference.md` for the phrases. Values are pure functions of (seed, purpose, index), so a client
/// can name an existing row without asking a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generator {
    /// `value 'x'`, `value 3`, `value null`
    Constant(Value),
    /// `new id`: unique; text gets `prefix` and a number, an integer the number alone.
    Unique { prefix: String },
    /// `new email`: likewise, made into an address.
    Email { prefix: String },
    /// `existing auth.users.id [zipf(1.1)]`: of an initial row of the request's tenant (or of any, if that table
    /// is shared).
    Existing {
        table: TableId,
        column: ColumnId,
        draw: Draw,
    },
    /// Population only: a column of the row that this row comes `per`.
    Parent { column: ColumnId },
    /// `tenant`: the request's, or the row's.
    Tenant,
    /// `one of [1, 2, 3]`: drawn uniformly.
    Choice(Vec<Value>),
    /// Population only, `each of ['admin', 'member']`: row `i` gets the `i mod n`-th.
    Each(Vec<Value>),
    /// `between 1 and 9`: uniform, both included.
    Between { low: i64, high: i64 },
    /// `text of 20`: readable filler of so many characters.
    Text { length: u32 },
    /// `now`: in a request the present, in a population the epoch less up to `before` (`within 90 days`).
    Instant { before: Nanos },
    /// `same as x`: an earlier parameter of the request (its index), or another column of the row.
    Same(u16),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draw {
    #[default]
    Uniform,
    /// Rank 1 most often; the exponent in thousandths.
    Zipf { exponent_milli: u32 },
}
