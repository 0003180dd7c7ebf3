//! Row security of a table.

use std::sync::Arc;

use syntax::{Expr, PolicyCommand};

use super::access::{Authority, Grantee};

/// Switches and policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RowSecurity {
    pub(crate) enabled: bool,
    /// For the owner too.
    pub(crate) forced: bool,
    /// By name, which is the order in which restrictive ones are checked.
    pub(crate) policies: Vec<Policy>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) restrictive: bool,
    pub(crate) command: PolicyCommand,
    /// PUBLIC is `None`.
    pub(crate) roles: Vec<Grantee>,
    /// Tables in them are named with their schemas: what they mean does not depend on who asks.
    pub(crate) using: Option<Expr>,
    pub(crate) check: Option<Expr>,
}

impl Policy {
    fn applies_to(&self, authority: &Authority) -> bool {
        self.roles
            .iter()
            .any(|role| role.as_ref().is_none_or(|role| authority.has(role)))
    }
}

impl RowSecurity {
    /// The policies for a command and a role.
    pub(crate) fn policies_for<'a>(
        &'a self,
        command: PolicyCommand,
        authority: &'a Authority,
    ) -> impl Iterator<Item = &'a Policy> {
        self.policies.iter().filter(move |policy| {
            (policy.command == PolicyCommand::All || policy.command == command) && policy.applies_to(authority)
        })
    }
}
