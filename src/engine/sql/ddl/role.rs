//! CREATE, ALTER and DROP ROLE; membership.

use std::sync::Arc;

use syntax::{GrantRole, Name, RoleOptions, RoleRef};

use super::{Defined, Definer};
use crate::SqlError;
use crate::catalog::{Grantee, Membership, Role};
use crate::error::{Fallible, error, state};

impl Definer<'_> {
    pub(super) fn create_role(&mut self, name: &Name, options: &RoleOptions) -> Defined {
        self.may_change_roles("permission denied to create role")?;
        self.check_attributes(options, "create")?;
        if self.core.catalog.role(&name.text, self.own()).is_some() {
            let message = format!("role \"{}\" already exists", name.text);
            return Err(error(state::DUPLICATE_OBJECT, message));
        }
        let mut role = Role {
            name: name.text.clone(),
            login: false,
            superuser: false,
            inherit: true,
            bypass_rls: false,
            create_role: false,
            create_database: false,
            member_of: Vec::new(),
        };
        apply(options, &mut role);
        for parent in &options.in_roles {
            self.role(parent)?;
            role.member_of.push(Membership {
                role: parent.text.clone(),
                admin: false,
            });
        }
        let xid = self.xid;
        self.core.catalog_mut().create_role(role, xid);
        Ok(Some("CREATE ROLE"))
    }

    pub(super) fn alter_role(&mut self, name: &Name, options: &RoleOptions) -> Defined {
        let role = self.role(name)?;
        if role.superuser && !self.authority().superuser {
            let message = "must be superuser to alter superuser roles or change superuser attribute";
            return Err(error(state::INSUFFICIENT_PRIVILEGE, message));
        }
        self.check_attributes(options, "alter")?;
        self.may_change_roles("permission denied")?;
        let mut role = (*role).clone();
        apply(options, &mut role);
        self.replace_role(role);
        Ok(Some("ALTER ROLE"))
    }

    fn replace_role(&mut self, role: Role) {
        let (own, xid) = (self.own().to_vec(), self.xid);
        self.core.catalog_mut().alter_role(role, &own, xid);
    }

    fn may_change_roles(&self, refusal: &str) -> Fallible<()> {
        let role = self.core.catalog.role(self.session.current_user(), self.own());
        if role.is_some_and(|role| role.superuser || role.create_role) {
            Ok(())
        } else {
            Err(error(state::INSUFFICIENT_PRIVILEGE, refusal))
        }
    }

    /// Only a superuser makes superusers and those who bypass row security.
    fn check_attributes(&self, options: &RoleOptions, verb: &str) -> Fallible<()> {
        let message = match (options.superuser, options.bypass_rls, verb) {
            _ if self.authority().superuser => return Ok(()),
            (Some(true), _, "create") => "must be superuser to create superusers",
            (_, Some(true), "create") => "must be superuser to create bypassrls users",
            (Some(_), _, "alter") => "must be superuser to alter superuser roles or change superuser attribute",
            (_, Some(_), "alter") => "must be superuser to change bypassrls attribute",
            _ => return Ok(()),
        };
        Err(error(state::INSUFFICIENT_PRIVILEGE, message))
    }

    pub(super) fn drop_roles(&mut self, names: &[Name], if_exists: bool) -> Defined {
        self.may_change_roles("permission denied to drop role")?;
        for name in names {
            let Some(role) = self.core.catalog.role(&name.text, self.own()).cloned() else {
                let message = format!("role \"{}\" does not exist", name.text);
                if !if_exists {
                    return Err(error(state::UNDEFINED_OBJECT, message));
                }
                self.notice(format!("{message}, skipping"));
                continue;
            };
            for (user, what) in [
                (self.session.current_user(), "current"),
                (self.session.session_user(), "session"),
            ] {
                if *user == role.name {
                    return Err(error(state::OBJECT_IN_USE, format!("{what} user cannot be dropped")));
                }
            }
            if role.superuser && !self.authority().superuser {
                return Err(error(
                    state::INSUFFICIENT_PRIVILEGE,
                    "must be superuser to drop superusers",
                ));
            }
            self.refuse_if_needed(&role.name)?;
            self.drop_memberships(&role.name);
            let (own, xid) = (self.own().to_vec(), self.xid);
            self.core.catalog_mut().drop_role(&name.text, &own, xid);
        }
        Ok(Some("DROP ROLE"))
    }

    /// A role that owns something, or that an access list or a policy names, stays.
    fn refuse_if_needed(&self, role: &Arc<str>) -> Fallible<()> {
        let own = self.own();
        let mut lines = Vec::new();
        let database = self.session.database;
        for table in self.core.catalog.tables_of(database, own) {
            let shown = super::table::shown(table);
            for column in &table.columns {
                let listed = column.sequence.as_ref().and_then(|access| access.acl.as_ref());
                if let (Some(acl), Some(super::Default::Sequence(name))) = (listed, &column.default)
                    && acl.mentions(role)
                {
                    lines.push(format!("privileges for sequence {name}"));
                }
            }
            if table.access.owner == *role {
                lines.push(format!("owner of table {shown}"));
            } else if table.access.acl.as_ref().is_some_and(|acl| acl.mentions(role)) {
                lines.push(format!("privileges for table {shown}"));
            }
            let columns = table.columns.iter().filter(|column| column.acl.mentions(role));
            lines.extend(columns.map(|column| format!("privileges for column {} of table {shown}", column.name)));
        }
        for schema in self.core.catalog.schemas_of(database, own) {
            if schema.access.owner == *role {
                lines.push(format!("owner of schema {}", schema.name));
            } else if schema.access.acl.as_ref().is_some_and(|acl| acl.mentions(role)) {
                lines.push(format!("privileges for schema {}", schema.name));
            }
        }
        for function in self.core.catalog.functions_of(database, own) {
            if function.access.owner == *role {
                lines.push(format!("owner of function {}", function.shown()));
            } else if function.access.acl.as_ref().is_some_and(|acl| acl.mentions(role)) {
                lines.push(format!("privileges for function {}", function.shown()));
            }
        }
        for table in self.core.catalog.tables_of(database, own) {
            let named = |policy: &&crate::catalog::Policy| policy.roles.contains(&Some(role.clone()));
            for policy in table.row_security.policies.iter().filter(named) {
                let shown = super::table::shown(table);
                lines.push(format!("target of policy {} on table {shown}", policy.name));
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let message = format!("role \"{role}\" cannot be dropped because some objects depend on it");
        Err(error(state::DEPENDENT_OBJECTS, message).detail(lines.join("\n")))
    }

    fn drop_memberships(&mut self, role: &Arc<str>) {
        let members: Vec<Role> = self
            .core
            .catalog
            .roles(self.own())
            .filter(|member| member.member_of.iter().any(|membership| membership.role == *role))
            .map(|member| (**member).clone())
            .collect();
        for mut member in members {
            member.member_of.retain(|membership| membership.role != *role);
            self.replace_role(member);
        }
    }

    // ---- membership

    pub(super) fn grant_roles(&mut self, grant: &GrantRole) -> Defined {
        for role in &grant.roles {
            let role = self.role(role)?;
            self.may_grant(&role)?;
            for member in &grant.members {
                let member = self.role(&self.named(member)?)?;
                if grant.revoke {
                    self.revoke_membership(&role, &member, grant.option);
                } else {
                    self.grant_membership(&role, &member, grant.option)?;
                }
            }
        }
        Ok(Some(if grant.revoke { "REVOKE ROLE" } else { "GRANT ROLE" }))
    }

    fn may_grant(&self, role: &Role) -> Fallible<()> {
        if role.superuser {
            if self.authority().superuser {
                return Ok(());
            }
            return Err(error(
                state::INSUFFICIENT_PRIVILEGE,
                "must be superuser to alter superusers",
            ));
        }
        let catalog = &self.core.catalog;
        let user = self.session.current_user();
        let is_admin = |member: &Arc<str>| {
            catalog.role(member, self.own()).is_some_and(|member| {
                let mut memberships = member.member_of.iter();
                memberships.any(|membership| membership.admin && membership.role == role.name)
            })
        };
        let creates = catalog.role(user, self.own()).is_some_and(|user| user.create_role);
        if self.authority().superuser || creates || catalog.roles_of(user, self.own(), false).iter().any(is_admin) {
            return Ok(());
        }
        let message = format!("must have admin option on role \"{}\"", role.name);
        Err(error(state::INSUFFICIENT_PRIVILEGE, message))
    }

    fn grant_membership(&mut self, role: &Role, member: &Role, admin: bool) -> Fallible<()> {
        let catalog = &self.core.catalog;
        if catalog.roles_of(&role.name, self.own(), false).contains(&member.name) {
            let message = format!("role \"{}\" is a member of role \"{}\"", role.name, member.name);
            return Err(error(state::INVALID_GRANT_OPERATION, message));
        }
        let mut member = member.clone();
        match member.member_of.iter_mut().find(|known| known.role == role.name) {
            Some(known) if admin && !known.admin => known.admin = true,
            Some(_) => {
                self.notice(format!(
                    "role \"{}\" is already a member of role \"{}\"",
                    member.name, role.name
                ));
                return Ok(());
            }
            None => member.member_of.push(Membership {
                role: role.name.clone(),
                admin,
            }),
        }
        self.replace_role(member);
        Ok(())
    }

    fn revoke_membership(&mut self, role: &Role, member: &Role, admin_only: bool) {
        let mut member = member.clone();
        let Some(at) = member.member_of.iter().position(|known| known.role == role.name) else {
            self.warning(format!(
                "role \"{}\" is not a member of role \"{}\"",
                member.name, role.name
            ));
            return;
        };
        if admin_only {
            member.member_of[at].admin = false;
        } else {
            member.member_of.remove(at);
        }
        self.replace_role(member);
    }

    // ---- names of roles

    pub(super) fn role(&self, name: &Name) -> Fallible<Arc<Role>> {
        let found = self.core.catalog.role(&name.text, self.own());
        found.cloned().ok_or_else(|| no_role(&name.text))
    }

    /// A role that is not PUBLIC.
    pub(super) fn named(&self, role: &RoleRef) -> Fallible<Name> {
        match self.grantee(role)? {
            Some(name) => Ok(Name::new(name)),
            None => Err(no_role("public")),
        }
    }

    /// `None` for PUBLIC; any other role must exist.
    pub(super) fn grantee(&self, role: &RoleRef) -> Fallible<Grantee> {
        Ok(match role {
            RoleRef::Public => None,
            RoleRef::CurrentUser => Some(self.session.current_user().clone()),
            RoleRef::SessionUser => Some(self.session.session_user().clone()),
            RoleRef::Named(name) => Some(self.role(name)?.name.clone()),
        })
    }
}

fn no_role(name: &str) -> Box<SqlError> {
    error(state::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

fn apply(options: &RoleOptions, role: &mut Role) {
    let set = |option: Option<bool>, attribute: &mut bool| *attribute = option.unwrap_or(*attribute);
    set(options.login, &mut role.login);
    set(options.superuser, &mut role.superuser);
    set(options.inherit, &mut role.inherit);
    set(options.bypass_rls, &mut role.bypass_rls);
    set(options.create_role, &mut role.create_role);
    set(options.create_database, &mut role.create_database);
}
