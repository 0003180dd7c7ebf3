//! Functions that users have made.

use std::sync::Arc;

use base::Type;
use syntax::{Statement, Volatility};

use crate::storage::DatabaseId;

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct UserFunction {
    pub(crate) database: DatabaseId,
    pub(crate) schema: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) owner: Arc<str>,
    pub(crate) arguments: Vec<FunctionType>,
    pub(crate) returns: FunctionType,
    pub(crate) strict: bool,
    pub(crate) volatility: Volatility,
    pub(crate) body: FunctionBody,
}

/// A type as functions name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FunctionType {
    Is(Type),
    /// Known by name only: `void`, `anynonarray`.
    Other(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum FunctionBody {
    /// LANGUAGE sql: what it runs, one after the other.
    Statements(Vec<Arc<Statement>>),
    /// A language that is not run here: such a function is there, and a call is refused.
    Unknown { language: Arc<str>, text: Arc<str> },
}

impl FunctionType {
    pub(crate) fn name(&self) -> &str {
        match self {
            FunctionType::Is(data_type) => data_type.name(),
            FunctionType::Other(name) => name,
        }
    }
}

impl UserFunction {
    /// `name(integer, text)`
    pub(crate) fn signature(&self) -> String {
        let arguments: Vec<&str> = self.arguments.iter().map(FunctionType::name).collect();
        format!("{}({})", self.name, arguments.join(", "))
    }
}
