//! Functions that users have made.

use std::sync::Arc;

use base::Type;
use syntax::{Distinct, QueryBody, Statement, Volatility};

use super::{Access, Authority, Privileges};
use crate::storage::DatabaseId;

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct UserFunction {
    pub(crate) database: DatabaseId,
    pub(crate) schema: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) access: Access,
    pub(crate) arguments: Vec<FunctionType>,
    /// The arguments' names, as far as they have some.
    pub(crate) names: Vec<Option<Arc<str>>>,
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
    pub(crate) fn may_be_called(&self, authority: &Authority) -> bool {
        self.access.allows(authority, Privileges::of_functions())
    }

    /// PostgreSQL puts the one expression that it is in the place of a call, so that nothing tells of the function.
    pub(crate) fn is_inlined(&self) -> bool {
        let FunctionBody::Statements(statements) = &self.body else {
            return false;
        };
        let [only] = &statements[..] else { return false };
        let Statement::Query(query) = &**only else { return false };
        let QueryBody::Select(select) = &query.body else {
            return false;
        };
        let plain = query.with.is_empty()
            && query.order_by.is_empty()
            && query.limit.is_none()
            && query.offset.is_none()
            && query.locking.is_empty();
        plain
            && select.from.is_empty()
            && select.filter.is_none()
            && select.group_by.is_empty()
            && select.having.is_none()
            && select.distinct == Distinct::All
            && select.items.len() == 1
    }

    /// `schema.name(integer,text)`, without `public`.
    pub(crate) fn shown(&self) -> String {
        let signature = self.signature().replace(", ", ",");
        match &*self.schema {
            "public" => signature,
            schema => format!("{schema}.{signature}"),
        }
    }

    /// `name(integer, text)`
    pub(crate) fn signature(&self) -> String {
        let arguments: Vec<&str> = self.arguments.iter().map(FunctionType::name).collect();
        format!("{}({})", self.name, arguments.join(", "))
    }
}
