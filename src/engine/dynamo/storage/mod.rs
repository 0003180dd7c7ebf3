//! Tables at rest: items by key, the entries of global secondary indexes and what is on its way to them.

mod table;

pub(crate) use table::{Content, Held, Table, throttled};
