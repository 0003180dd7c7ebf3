//! What must hold: a query over the logical tables whose rows are the violations.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Invariant {
    pub name: String,
    /// Over logical table names; evaluated over the rows read back from every place.
    pub sql: String,
    /// The logical tables that it reads.
    pub tables: Vec<String>,
}
