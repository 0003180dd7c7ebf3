//! A probe's request as something to ask a real PostgreSQL: what it sent, and what our engine answered.

use program::SqlAnswer;
use serde::{Deserialize, Serialize};

/// What one or several requests sent to databases of PostgreSQL. Definitions and initial rows are not in here: they are
/// long, and come in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresScript {
    /// A row's tenant is in the answers' column of this name.
    pub tenant_column: Option<String>,
    /// Asked one after the other: a session sees one database.
    pub databases: Vec<ScriptDatabase>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptDatabase {
    pub name: String,
    pub initial_rows: u64,
    /// In the order in which they were sent, operands written into them.
    pub session: Vec<ScriptStatement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptStatement {
    pub sql: String,
    pub answer: SqlAnswer,
}

/// A part of what has to be there before a session begins: SQL of whole statements, to be executed by a superuser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptPart {
    /// Into [`PostgresScript::databases`].
    pub database: usize,
    pub sql: String,
    /// Initial rows that it inserts.
    pub rows: u64,
}
