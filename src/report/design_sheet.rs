//! A design on one workload, for its page: what stands where, one program, what is weakened and refused.

use serde::{Deserialize, Serialize};

use crate::ProgramListing;

/// Written by `adr-lab record-decisions`; a test compares it with what compilers give today.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignSheets {
    pub scenario: String,
    pub scenario_title: String,
    /// The operation whose programs are listed: the one that touches the most owners.
    pub operation: String,
    pub operation_title: String,
    pub designs: Vec<DesignSheet>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignSheet {
    /// With its variant.
    pub slug: String,
    pub title: String,
    pub summary: String,
    /// (node, kind, what lies on it)
    pub nodes: Vec<SheetNode>,
    pub programs: Vec<ProgramListing>,
    pub weakened: Vec<program::Weakening>,
    pub refusals: Vec<program::Refusal>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SheetNode {
    pub name: String,
    /// `PostgreSQL server`, `DynamoDB`, `service`
    pub kind: String,
    /// Databases or tables.
    pub holds: Vec<String>,
}
