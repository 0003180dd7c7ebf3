//! As whom an operation comes to the database.

use scenario::{Action, Operation};

use super::wall::Wall;
use crate::sql::facts;
use crate::{Mistake, Options};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// For one tenant, or on tables that all share.
    Tenant,
    /// Reads rows of all tenants.
    Reporting,
    /// Changes rows of all tenants.
    BackOffice,
}

impl Access {
    pub(super) fn of(operation: &Operation, wall: &Wall) -> Access {
        let behind_wall = operation.tables().iter().any(|table| wall.guards(*table));
        if operation.tenant.is_some() || !behind_wall {
            return Access::Tenant;
        }
        let locks = operation.statements.iter().any(|statement| match &statement.action {
            Action::Sql(sql) => facts::locks(sql),
            Action::AbortWhen { .. } | Action::Call { .. } => false,
        });
        let writes = operation
            .statements
            .iter()
            .any(|statement| !statement.writes.is_empty());
        if writes || locks {
            Access::BackOffice
        } else {
            Access::Reporting
        }
    }

    /// The role that its connections log in as.
    pub(super) fn role(self, options: &Options) -> &'static str {
        match self {
            Access::Tenant if options.has(Mistake::RunsAsOwner) => super::wall::OWNER,
            Access::Tenant => "application",
            Access::Reporting => "reporting",
            Access::BackOffice => "back_office",
        }
    }
}
