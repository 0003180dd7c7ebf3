//! What an architecture makes of a scenario.

use serde::{Deserialize, Serialize};

use crate::deployment::Deployment;
use crate::expression::Expression;
use crate::ids::{BucketId, DatabaseId, ItemTableId, OperationId, ProgramId};
use crate::invariant::Invariant;
use crate::item::Attributes;
use crate::object::Fields;
use crate::step::Program;
use crate::workload::Workload;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Compilation {
    /// The design's slug with its variant: `schemas-in-one-database`, `database-per-service+unprotected`.
    pub architecture: String,
    pub title: String,
    pub deployment: Deployment,
    pub programs: Vec<Program>,
    /// The entry program of each operation of the workload; `None` if the design cannot express it.
    pub entries: Vec<Option<ProgramId>>,
    pub workload: Workload,
    pub logical_tables: Vec<LogicalTable>,
    pub invariants: Vec<Invariant>,
    /// Constraints of the logical schema that this design enforces less strictly, or not at all.
    pub weakened: Vec<Weakening>,
    /// What this design cannot express.
    pub refusals: Vec<Refusal>,
}

/// How a table of the scenario is found again in the deployment: the same rows, wherever they lie.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogicalTable {
    /// `auth.users`
    pub name: String,
    pub columns: Vec<(String, base::Type)>,
    /// One per place that holds rows of it; the logical rows are their union. Empty: they are not kept.
    pub reads: Vec<Read>,
    /// Where its initial rows are loaded; those of a copied table are loaded in several places and read in one.
    pub loads: Vec<Load>,
}

impl Compilation {
    /// Is there a table whose rows lie anywhere?
    pub fn stores(&self) -> bool {
        self.logical_tables.iter().any(LogicalTable::is_stored)
    }
}

impl LogicalTable {
    /// A table whose rows are not kept.
    pub fn nowhere(name: String, columns: Vec<(String, base::Type)>) -> LogicalTable {
        LogicalTable {
            name,
            columns,
            reads: Vec::new(),
            loads: Vec::new(),
        }
    }

    pub fn is_stored(&self) -> bool {
        !self.reads.is_empty()
    }
}

/// How rows are read back. The columns come in the order of the logical table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Read {
    Rows {
        database: DatabaseId,
        sql: String,
    },
    /// The items that have this attribute with this text, one row each; an attribute that is missing is NULL.
    Items {
        table: ItemTableId,
        with: (String, String),
        attributes: Vec<String>,
    },
    /// The objects whose keys begin so, one row each; the fields bear the names of the columns.
    Objects {
        bucket: BucketId,
        prefix: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Load {
    Rows {
        database: DatabaseId,
        /// The physical table.
        table: String,
        share: Share,
    },
    /// Each row becomes these items; `Expression::Register` is the row's column of that number, and
    /// `Expression::RequestKey` a text of its own. An item without a key (it is NULL) is left out.
    Items { table: ItemTableId, items: Vec<Attributes> },
    /// Each row becomes an object; registers and keys as above.
    Objects {
        bucket: BucketId,
        key: Expression,
        fields: Fields,
    },
}

/// Which of a table's initial rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Share {
    All,
    /// Those of the tenant with this id; rows of a table that all share belong to every tenant.
    Tenant(i32),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Weakening {
    /// As in the scenario: `auth.users.email UNIQUE`.
    pub constraint: String,
    /// What is left of it: `checked by the saga, not by an engine`.
    pub becomes: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refusal {
    pub operation: Option<OperationId>,
    /// The statement as written, its place in the scenario file, and why.
    pub statement: String,
    pub line: u32,
    pub column: u32,
    pub reason: String,
    pub hint: Option<String>,
}
