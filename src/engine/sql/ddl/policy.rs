//! CREATE, ALTER and DROP POLICY.

use std::sync::Arc;

use syntax::visit::{self, Rewriter};
use syntax::{AlterPolicy, CreatePolicy, Expr, Name, ObjectName, PolicyCommand, Query, RoleRef};

use super::{Defined, Definer};
use crate::bind::{Binder, Names};
use crate::catalog::{Grantee, Policy, Table};
use crate::error::{Fallible, error, state};
use crate::storage::LockMode;

impl Definer<'_> {
    pub(super) fn create_policy(&mut self, create: &CreatePolicy) -> Defined {
        let refusal = match create.command {
            PolicyCommand::Select | PolicyCommand::Delete if create.check.is_some() => {
                Some("WITH CHECK cannot be applied to SELECT or DELETE")
            }
            PolicyCommand::Insert if create.using.is_some() => Some("only WITH CHECK expression allowed for INSERT"),
            _ => None,
        };
        if let Some(message) = refusal {
            return Err(error(state::SYNTAX_ERROR, message));
        }
        let Some(mut table) = self.lock_for_policy(&create.table)? else {
            return Ok(None);
        };
        if position(&table, &create.name).is_some() {
            let message = format!(
                "policy \"{}\" for table \"{}\" already exists",
                create.name.text, table.name
            );
            return Err(error(state::DUPLICATE_OBJECT, message));
        }
        let policy = Policy {
            name: create.name.text.clone(),
            restrictive: create.restrictive,
            command: create.command,
            roles: self.policy_roles(&create.roles)?,
            using: self.policy_condition(&table, create.using.as_ref())?,
            check: self.policy_condition(&table, create.check.as_ref())?,
        };
        table.row_security.policies.push(policy);
        table.row_security.policies.sort_by(|a, b| a.name.cmp(&b.name));
        self.alter(table);
        Ok(Some("CREATE POLICY"))
    }

    pub(super) fn alter_policy(&mut self, alter: &AlterPolicy) -> Defined {
        let Some(mut table) = self.lock_for_policy(&alter.table)? else {
            return Ok(None);
        };
        let at = position(&table, &alter.name).ok_or_else(|| no_policy(&alter.name, &table))?;
        let using = self.policy_condition(&table, alter.using.as_ref())?;
        let check = self.policy_condition(&table, alter.check.as_ref())?;
        let roles = alter.roles.as_ref().map(|roles| self.policy_roles(roles)).transpose()?;
        let policy = &mut table.row_security.policies[at];
        let refusal = match policy.command {
            PolicyCommand::Select | PolicyCommand::Delete if check.is_some() => {
                Some("only USING expression allowed for SELECT, DELETE")
            }
            PolicyCommand::Insert if using.is_some() => Some("only WITH CHECK expression allowed for INSERT"),
            _ => None,
        };
        if let Some(message) = refusal {
            return Err(error(state::SYNTAX_ERROR, message));
        }
        policy.using = using.or_else(|| policy.using.take());
        policy.check = check.or_else(|| policy.check.take());
        policy.roles = roles.unwrap_or_else(|| std::mem::take(&mut policy.roles));
        self.alter(table);
        Ok(Some("ALTER POLICY"))
    }

    pub(super) fn drop_policy(&mut self, name: &Name, table: &ObjectName, if_exists: bool) -> Defined {
        if if_exists && self.names().find_table(table).is_none() {
            self.notice(format!("relation \"{}\" does not exist, skipping", table.name.text));
            return Ok(Some("DROP POLICY"));
        }
        let written = match &table.schema {
            Some(schema) => format!("{}.{}", schema.text, table.name.text),
            None => table.name.text.to_string(),
        };
        let Some(mut table) = self.lock_for_policy(table)? else {
            return Ok(None);
        };
        match position(&table, name) {
            Some(at) => {
                table.row_security.policies.remove(at);
                self.alter(table);
            }
            None if if_exists => self.notice(format!(
                "policy \"{}\" for relation \"{written}\" does not exist, skipping",
                name.text
            )),
            None => return Err(no_policy(name, &table)),
        }
        Ok(Some("DROP POLICY"))
    }

    /// `None`: waits.
    fn lock_for_policy(&mut self, name: &ObjectName) -> Fallible<Option<Table>> {
        let table = self.table(name)?;
        self.must_own(&table)?;
        let locked = self.lock(table.id, LockMode::AccessExclusive)?;
        Ok(locked.then(|| (*table).clone()))
    }

    fn policy_roles(&mut self, roles: &[RoleRef]) -> Fallible<Vec<Grantee>> {
        if roles.len() > 1 && roles.contains(&RoleRef::Public) {
            self.session.notices.push(crate::Notice {
                severity: "WARNING",
                message: "ignoring specified roles other than PUBLIC".to_owned(),
                detail: Some("All roles are members of the PUBLIC role.".to_owned()),
            });
            return Ok(vec![None]);
        }
        if roles.is_empty() {
            return Ok(vec![None]);
        }
        roles.iter().map(|role| self.grantee(role)).collect()
    }

    /// The condition with its tables' schemas; it must be one, over this table.
    fn policy_condition(&self, table: &Table, expression: Option<&Expr>) -> Fallible<Option<Expr>> {
        let Some(expression) = expression else {
            return Ok(None);
        };
        let names = self.names();
        Binder::check_policy(names, Arc::new(table.clone()), expression)?;
        let mut qualified = expression.clone();
        let mut rewriter = Qualify {
            names,
            common: Vec::new(),
        };
        rewriter.expr(&mut qualified);
        Ok(Some(qualified))
    }
}

fn position(table: &Table, name: &Name) -> Option<usize> {
    let mut policies = table.row_security.policies.iter();
    policies.position(|policy| policy.name == name.text)
}

fn no_policy(name: &Name, table: &Table) -> Box<crate::SqlError> {
    let message = format!("policy \"{}\" for table \"{}\" does not exist", name.text, table.name);
    error(state::UNDEFINED_OBJECT, message)
}

/// Names tables with their schemas, so that the search path of whoever asks changes nothing.
struct Qualify<'a> {
    names: Names<'a>,
    /// Names of WITH queries in reach: no tables.
    common: Vec<Arc<str>>,
}

impl Rewriter for Qualify<'_> {
    fn query(&mut self, query: &mut Query) {
        let outside = self.common.len();
        self.common
            .extend(query.with.iter().map(|common| common.name.text.clone()));
        visit::rewrite::walk_query(self, query);
        self.common.truncate(outside);
    }

    fn table(&mut self, name: &mut ObjectName) {
        if name.schema.is_none()
            && !self.common.contains(&name.name.text)
            && let Some(table) = self.names.find_table(name)
        {
            name.schema = Some(Name::new(table.schema.clone()));
        }
    }
}
