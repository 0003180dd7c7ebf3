//! Row security and privileges of a statement.
//!
//! Policies become conditions of the tables that they are on: on rows that are read, updated or deleted
//! ([`RangeTable::security`], looked at before any condition of the statement that could tell something about the
//! row), and on rows that are written ([`BoundCheck`]). A policy's own subqueries read tables under *their* policies.

use std::sync::Arc;

use base::Value;
use syntax::{Expr, PolicyCommand, Privilege};

use super::expression::boolean;
use super::write::without_places;
use super::{Binder, Names};
use crate::SqlError;
use crate::catalog::{Policy, Privileges, Table};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, BoundKind};
use crate::types::SqlType;

/// What a written row must satisfy.
#[derive(Clone, Debug)]
pub(crate) struct BoundCheck {
    /// The restrictive policy; `None` for the permissive ones together.
    pub(crate) policy: Option<Arc<str>>,
    /// About the row that is there (ON CONFLICT DO UPDATE), not the new one.
    pub(crate) existing: bool,
    pub(crate) condition: Bound,
}

/// Which clause of a policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clause {
    Using,
    /// WITH CHECK; USING where there is none.
    Check,
}

impl Clause {
    fn of(self, policy: &Policy) -> Option<&Expr> {
        match self {
            Clause::Using => policy.using.as_ref(),
            Clause::Check => policy.check.as_ref().or(policy.using.as_ref()),
        }
    }
}

/// The policies of one command: permissive ones let a row through, each restrictive one may stop it.
struct Applied {
    permissive: Vec<Expr>,
    restrictive: Vec<(Arc<str>, Expr)>,
}

impl Binder<'_> {
    /// Gives every table of the statement, and of the policies on the way, its policies' conditions.
    pub(crate) fn apply_row_security(&mut self) -> Fallible<()> {
        let mut at = 0;
        while at < self.tables.len() {
            let range = &self.tables[at];
            if let Some(command) = range.command {
                let mut commands = Vec::new();
                if range.required.has(Privilege::Update) && command == PolicyCommand::Select {
                    // FOR UPDATE: what may be locked is what may be updated.
                    commands.push(PolicyCommand::Update);
                }
                commands.push(command);
                if command != PolicyCommand::Select && !range.read.is_empty() {
                    commands.push(PolicyCommand::Select);
                }
                self.tables[at].security = self.row_conditions(at, &commands)?;
            }
            at += 1;
        }
        Ok(())
    }

    fn row_conditions(&mut self, at: usize, commands: &[PolicyCommand]) -> Fallible<Vec<Bound>> {
        let mut conditions = Vec::new();
        if !self.is_secured(at)? {
            return Ok(conditions);
        }
        for command in commands {
            let applied = self.applied(at, *command, Clause::Using);
            if applied.permissive.is_empty() {
                return Ok(vec![Bound::constant(Value::Bool(false), SqlType::BOOL)]);
            }
            for (_, expression) in &applied.restrictive {
                self.policy_condition(at, expression)?.conjuncts(&mut conditions);
            }
            self.any_of(at, &applied.permissive)?.conjuncts(&mut conditions);
        }
        Ok(conditions)
    }

    /// Checks on a new row whose columns are the slots of range table `at`. `reads`: the statement needs SELECT, so
    /// that the row must be one that it may see.
    pub(super) fn new_row_checks(
        &mut self,
        at: usize,
        command: PolicyCommand,
        reads: bool,
        checks: &mut Vec<BoundCheck>,
    ) -> Fallible<()> {
        self.row_checks(at, command, Clause::Check, false, checks)?;
        if reads {
            self.row_checks(at, PolicyCommand::Select, Clause::Using, false, checks)?;
        }
        Ok(())
    }

    /// Checks on the row that ON CONFLICT DO UPDATE has found.
    pub(super) fn existing_row_checks(&mut self, at: usize, reads: bool) -> Fallible<Vec<BoundCheck>> {
        let mut checks = Vec::new();
        self.row_checks(at, PolicyCommand::Update, Clause::Using, true, &mut checks)?;
        if reads {
            self.row_checks(at, PolicyCommand::Select, Clause::Using, true, &mut checks)?;
        }
        Ok(checks)
    }

    fn row_checks(
        &mut self,
        at: usize,
        command: PolicyCommand,
        clause: Clause,
        existing: bool,
        checks: &mut Vec<BoundCheck>,
    ) -> Fallible<()> {
        if !self.is_secured(at)? {
            return Ok(());
        }
        let applied = self.applied(at, command, clause);
        let mut check = |policy, condition| {
            checks.push(BoundCheck {
                policy,
                existing,
                condition,
            });
        };
        if applied.permissive.is_empty() {
            check(None, Bound::constant(Value::Bool(false), SqlType::BOOL));
            return Ok(());
        }
        check(None, self.any_of(at, &applied.permissive)?);
        for (name, expression) in applied.restrictive {
            check(Some(name), self.policy_condition(at, &expression)?);
        }
        Ok(())
    }

    /// Whether this role's statements see the table through its policies.
    fn is_secured(&self, at: usize) -> Fallible<bool> {
        let range = &self.tables[at];
        let table = &range.table;
        if !self.authority.is_filtered(table) {
            return Ok(false);
        }
        if !self.names.row_security {
            let message = format!(
                "query would be affected by row-level security policy for table \"{}\"",
                table.name
            );
            let refusal = error(state::INSUFFICIENT_PRIVILEGE, message);
            return Err(if self.authority.has(&table.access.owner) {
                refusal
                    .hint("To disable the policy for the table's owner, use ALTER TABLE NO FORCE ROW LEVEL SECURITY.")
            } else {
                refusal
            });
        }
        if range.within.contains(&table.id) {
            let message = format!("infinite recursion detected in policy for relation \"{}\"", table.name);
            return Err(error(state::INVALID_OBJECT_DEFINITION, message));
        }
        Ok(true)
    }

    fn applied(&self, at: usize, command: PolicyCommand, clause: Clause) -> Applied {
        let mut applied = Applied {
            permissive: Vec::new(),
            restrictive: Vec::new(),
        };
        let security = &self.tables[at].table.row_security;
        for policy in security.policies_for(command, &self.authority) {
            match clause.of(policy) {
                Some(expression) if policy.restrictive => {
                    applied.restrictive.push((policy.name.clone(), expression.clone()));
                }
                Some(expression) => applied.permissive.push(expression.clone()),
                None => {}
            }
        }
        applied
    }

    fn any_of(&mut self, at: usize, expressions: &[Expr]) -> Fallible<Bound> {
        let mut alternatives = Vec::new();
        for expression in expressions {
            alternatives.push(self.policy_condition(at, expression)?);
        }
        Ok(if alternatives.len() == 1 {
            alternatives.remove(0)
        } else {
            boolean(BoundKind::Or(alternatives), syntax::Span::default())
        })
    }

    /// Binds a policy's condition over a table's row. That it reads columns asks for no privilege on them.
    pub(super) fn policy_condition(&mut self, at: usize, expression: &Expr) -> Fallible<Bound> {
        let item = self.table_item(at, None)?;
        let read = self.tables[at].read.clone();
        let system = std::mem::take(&mut self.tables[at].system);
        let mut within = self.tables[at].within.clone();
        within.push(self.tables[at].table.id);
        let outside = std::mem::replace(&mut self.within, within);
        let bound = self.isolated(vec![item], |binder| {
            binder.scope().no_aggregates = Some("aggregate functions are not allowed in policy expressions");
            let bound = binder.expression(expression)?;
            binder.condition(bound, "POLICY")
        });
        self.within = outside;
        self.tables[at].read = read;
        if !std::mem::replace(&mut self.tables[at].system, system).is_empty() {
            return Err(unsupported("a system column in a policy").at(expression.span));
        }
        Ok(without_places(bound?))
    }

    /// Whether an expression can be a policy's condition over a table's rows.
    pub(crate) fn check_policy(names: Names<'_>, table: Arc<Table>, expression: &Expr) -> Fallible<()> {
        let mut binder = Binder::new(names);
        let at = binder.range_table(table);
        binder.policy_condition(at, expression).map(drop)
    }

    // ---- privileges

    /// Refuses the statement if its role lacks a privilege on one of its tables, or on a function.
    pub(crate) fn check_privileges(&self) -> Fallible<()> {
        if self.authority.superuser {
            return Ok(());
        }
        for range in &self.tables {
            let mut required = range.required;
            if !range.read.is_empty() {
                required.add(Privilege::Select);
            }
            for privilege in Privilege::ALL {
                let columns = match privilege {
                    Privilege::Select => &range.read,
                    _ => &range.written,
                };
                if required.has(privilege) && !self.may(&range.table, privilege, columns) {
                    return Err(denied("table", &range.table.name));
                }
            }
        }
        let mut called = self.called.iter();
        match called.find(|function| !function.may_be_called(&self.authority)) {
            Some(function) => Err(denied("function", &function.name)),
            None => Ok(()),
        }
    }

    /// On the whole table, or on each of the columns; where none is named, any will do.
    fn may(&self, table: &Table, privilege: Privilege, columns: &std::collections::BTreeSet<u16>) -> bool {
        let wanted = Privileges::of(&[privilege]);
        if table.access.allows(&self.authority, wanted) {
            return true;
        }
        if !Privileges::of_columns().has(privilege) {
            return false;
        }
        let on = |column: u16| {
            let acl = &table.columns[usize::from(column)].acl;
            acl.privileges(&self.authority).contains(wanted)
        };
        if columns.is_empty() {
            table.live_columns().any(|(column, _)| on(column))
        } else {
            columns.iter().all(|column| on(*column))
        }
    }
}

/// `permission denied for table users`
pub(crate) fn denied(kind: &str, name: &str) -> Box<SqlError> {
    error(
        state::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for {kind} {name}"),
    )
}
