//! Roles, GRANT and REVOKE, policies.

use super::Printer;
use crate::{
    AlterPolicy, CreatePolicy, Expr, Grant, GrantRole, GrantTarget, PolicyCommand, RoleOptions, RoleRef, RowSecurity,
    Statement,
};

impl Printer {
    pub(super) fn access(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateRole { name, options } => {
                self.named("CREATE ROLE ", name);
                self.role_options(options);
            }
            Statement::AlterRole { name, options } => {
                self.named("ALTER ROLE ", name);
                self.role_options(options);
            }
            Statement::Grant(grant) => self.grant(grant),
            Statement::GrantRole(grant) => self.grant_role(grant),
            Statement::CreatePolicy(policy) => self.create_policy(policy),
            Statement::AlterPolicy(policy) => self.alter_policy(policy),
            Statement::DropPolicy { name, table, if_exists } => {
                self.drop("POLICY", *if_exists);
                self.name(name);
                self.put(" ON ");
                self.object(table);
            }
            _ => {}
        }
    }

    fn role_options(&mut self, options: &RoleOptions) {
        for (value, word) in [
            (options.login, "LOGIN"),
            (options.superuser, "SUPERUSER"),
            (options.inherit, "INHERIT"),
            (options.bypass_rls, "BYPASSRLS"),
            (options.create_role, "CREATEROLE"),
            (options.create_database, "CREATEDB"),
        ] {
            if let Some(value) = value {
                self.put(if value { " " } else { " NO" });
                self.put(word);
            }
        }
        if !options.in_roles.is_empty() {
            self.put(" IN ROLE ");
            self.names(&options.in_roles);
        }
    }

    pub(super) fn role_ref(&mut self, role: &RoleRef) {
        match role {
            RoleRef::Named(name) => self.name(name),
            RoleRef::Public => self.put("PUBLIC"),
            RoleRef::CurrentUser => self.put("CURRENT_USER"),
            RoleRef::SessionUser => self.put("SESSION_USER"),
        }
    }

    fn grant(&mut self, grant: &Grant) {
        self.put(if grant.revoke { "REVOKE " } else { "GRANT " });
        self.flag(grant.revoke && grant.option, "GRANT OPTION FOR ");
        self.flag(grant.privileges.is_empty(), "ALL");
        self.list(&grant.privileges, |printer, granted| {
            printer.put(granted.privilege.keyword());
            printer.optional_names(&granted.columns);
        });
        self.put(" ON ");
        match &grant.on {
            GrantTarget::Tables(tables) => {
                self.put("TABLE ");
                self.list(tables, Self::object);
            }
            GrantTarget::Sequences(sequences) => {
                self.put("SEQUENCE ");
                self.list(sequences, Self::object);
            }
            GrantTarget::Schemas(schemas) => {
                self.put("SCHEMA ");
                self.names(schemas);
            }
            GrantTarget::AllTables(schemas) => {
                self.put("ALL TABLES IN SCHEMA ");
                self.names(schemas);
            }
            GrantTarget::AllSequences(schemas) => {
                self.put("ALL SEQUENCES IN SCHEMA ");
                self.names(schemas);
            }
            GrantTarget::Functions(functions) => {
                self.put("FUNCTION ");
                self.list(functions, Self::named_function);
            }
            GrantTarget::AllFunctions(schemas) => {
                self.put("ALL FUNCTIONS IN SCHEMA ");
                self.names(schemas);
            }
        }
        self.put(if grant.revoke { " FROM " } else { " TO " });
        self.list(&grant.roles, Self::role_ref);
        self.flag(!grant.revoke && grant.option, " WITH GRANT OPTION");
        self.flag(grant.cascade, " CASCADE");
    }

    fn grant_role(&mut self, grant: &GrantRole) {
        self.put(if grant.revoke { "REVOKE " } else { "GRANT " });
        self.flag(grant.revoke && grant.option, "ADMIN OPTION FOR ");
        self.names(&grant.roles);
        self.put(if grant.revoke { " FROM " } else { " TO " });
        self.list(&grant.members, Self::role_ref);
        self.flag(!grant.revoke && grant.option, " WITH ADMIN OPTION");
    }

    fn create_policy(&mut self, policy: &CreatePolicy) {
        self.named("CREATE POLICY ", &policy.name);
        self.put(" ON ");
        self.object(&policy.table);
        self.flag(policy.restrictive, " AS RESTRICTIVE");
        match policy.command {
            PolicyCommand::All => {}
            PolicyCommand::Select => self.put(" FOR SELECT"),
            PolicyCommand::Insert => self.put(" FOR INSERT"),
            PolicyCommand::Update => self.put(" FOR UPDATE"),
            PolicyCommand::Delete => self.put(" FOR DELETE"),
        }
        if !policy.roles.is_empty() {
            self.put(" TO ");
            self.list(&policy.roles, Self::role_ref);
        }
        self.policy_conditions(policy.using.as_ref(), policy.check.as_ref());
    }

    fn alter_policy(&mut self, policy: &AlterPolicy) {
        self.named("ALTER POLICY ", &policy.name);
        self.put(" ON ");
        self.object(&policy.table);
        if let Some(roles) = &policy.roles {
            self.put(" TO ");
            self.list(roles, Self::role_ref);
        }
        self.policy_conditions(policy.using.as_ref(), policy.check.as_ref());
    }

    fn policy_conditions(&mut self, using: Option<&Expr>, check: Option<&Expr>) {
        for (words, condition) in [(" USING (", using), (" WITH CHECK (", check)] {
            if let Some(condition) = condition {
                self.put(words);
                self.expr(condition);
                self.put(")");
            }
        }
    }
}

pub(super) fn row_security(change: RowSecurity) -> &'static str {
    match change {
        RowSecurity::Enable => "ENABLE ROW LEVEL SECURITY",
        RowSecurity::Disable => "DISABLE ROW LEVEL SECURITY",
        RowSecurity::Force => "FORCE ROW LEVEL SECURITY",
        RowSecurity::NoForce => "NO FORCE ROW LEVEL SECURITY",
    }
}
