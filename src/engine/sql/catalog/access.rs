//! Who may do what: roles and their memberships, access lists of objects.
//!
//! A role acts with the privileges of itself, of PUBLIC, and of the roles that it is a member of, as far as
//! the members in between inherit. An access list has one item a grantee; that of an object on which nothing was
//! granted or revoked yet is absent, and means that its owner may do everything.
//!
//! PostgreSQL also remembers who granted what. This list does not: a REVOKE takes from the grantee whatever he has.

use std::sync::Arc;

use syntax::Privilege;

use super::{Catalog, Table};
use crate::storage::Xid;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Role {
    pub(crate) name: Arc<str>,
    pub(crate) login: bool,
    pub(crate) superuser: bool,
    pub(crate) inherit: bool,
    pub(crate) bypass_rls: bool,
    pub(crate) create_role: bool,
    pub(crate) create_database: bool,
    pub(crate) member_of: Vec<Membership>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Membership {
    pub(crate) role: Arc<str>,
    /// May grant the role to others.
    pub(crate) admin: bool,
}

/// A set of privileges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Privileges(u16);

impl Privileges {
    pub(crate) const NONE: Privileges = Privileges(0);

    pub(crate) fn of(privileges: &[Privilege]) -> Privileges {
        Privileges(
            privileges
                .iter()
                .fold(0, |bits, privilege| bits | 1 << *privilege as u16),
        )
    }

    pub(crate) fn of_tables() -> Privileges {
        use Privilege::{Delete, Insert, References, Select, Trigger, Truncate, Update};
        Privileges::of(&[Select, Insert, Update, Delete, Truncate, References, Trigger])
    }

    pub(crate) fn of_columns() -> Privileges {
        Privileges::of(&[
            Privilege::Select,
            Privilege::Insert,
            Privilege::Update,
            Privilege::References,
        ])
    }

    pub(crate) fn of_schemas() -> Privileges {
        Privileges::of(&[Privilege::Usage, Privilege::Create])
    }

    pub(crate) fn of_sequences() -> Privileges {
        Privileges::of(&[Privilege::Usage, Privilege::Select, Privilege::Update])
    }

    pub(crate) fn of_functions() -> Privileges {
        Privileges::of(&[Privilege::Execute])
    }

    pub(crate) fn contains(self, other: Privileges) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn has(self, privilege: Privilege) -> bool {
        self.contains(Privileges::of(&[privilege]))
    }

    pub(crate) fn add(&mut self, privilege: Privilege) {
        self.0 |= 1 << privilege as u16;
    }

    pub(crate) fn and(self, other: Privileges) -> Privileges {
        Privileges(self.0 & other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Privileges on one object; `None` for PUBLIC.
pub(crate) type Grantee = Option<Arc<str>>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AclItem {
    grantee: Grantee,
    privileges: Privileges,
    grantable: Privileges,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Acl {
    items: Vec<AclItem>,
}

impl Acl {
    fn held(&self, authority: &Authority, set: fn(&AclItem) -> Privileges) -> Privileges {
        let mine = |item: &&AclItem| {
            item.grantee
                .as_ref()
                .is_none_or(|grantee| authority.roles.contains(grantee))
        };
        Privileges(self.items.iter().filter(mine).fold(0, |bits, item| bits | set(item).0))
    }

    pub(crate) fn privileges(&self, authority: &Authority) -> Privileges {
        self.held(authority, |item| item.privileges)
    }

    pub(crate) fn grant(&mut self, grantee: &Grantee, privileges: Privileges, option: bool) {
        let at = self.items.iter().position(|item| item.grantee == *grantee);
        let at = at.unwrap_or_else(|| {
            self.items.push(AclItem {
                grantee: grantee.clone(),
                privileges: Privileges::NONE,
                grantable: Privileges::NONE,
            });
            self.items.len() - 1
        });
        let item = &mut self.items[at];
        item.privileges.0 |= privileges.0;
        if option {
            item.grantable.0 |= privileges.0;
        }
    }

    pub(crate) fn revoke(&mut self, grantee: &Grantee, privileges: Privileges, option_only: bool) {
        for item in &mut self.items {
            if item.grantee == *grantee {
                item.grantable.0 &= !privileges.0;
                if !option_only {
                    item.privileges.0 &= !privileges.0;
                }
            }
        }
        self.items.retain(|item| !item.privileges.is_empty());
    }

    pub(crate) fn mentions(&self, role: &str) -> bool {
        self.items
            .iter()
            .any(|item| item.grantee.as_deref().is_some_and(|grantee| grantee == role))
    }
}

/// An object's owner and access list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Access {
    pub(crate) owner: Arc<str>,
    pub(crate) acl: Option<Acl>,
}

impl Access {
    pub(crate) fn owned_by(owner: Arc<str>) -> Access {
        Access { owner, acl: None }
    }

    pub(crate) fn allows(&self, authority: &Authority, wanted: Privileges) -> bool {
        authority.superuser
            || match &self.acl {
                None => authority.has(&self.owner),
                Some(acl) => acl.privileges(authority).contains(wanted),
            }
    }

    /// Whether the role has anything to do with the object.
    pub(crate) fn allows_any(&self, authority: &Authority) -> bool {
        authority.has(&self.owner)
            || self
                .acl
                .as_ref()
                .is_some_and(|acl| !acl.privileges(authority).is_empty())
    }

    /// Of these privileges, those that a role may give to others: an owner all, whatever he may do himself.
    pub(crate) fn grantable(&self, authority: &Authority, privileges: Privileges) -> Privileges {
        if authority.has(&self.owner) {
            return privileges;
        }
        match &self.acl {
            None => Privileges::NONE,
            Some(acl) => acl.held(authority, |item| item.grantable).and(privileges),
        }
    }

    /// The list, to change it: made of what its absence means.
    pub(crate) fn acl_mut(&mut self, all: Privileges) -> &mut Acl {
        let owner = Some(self.owner.clone());
        self.acl.get_or_insert_with(|| {
            let mut acl = Acl::default();
            acl.grant(&owner, all, false);
            acl
        })
    }

    /// What the old owner had goes over to the new one.
    pub(crate) fn change_owner(&mut self, owner: Arc<str>) {
        if let Some(acl) = &mut self.acl {
            let (old, new) = (Some(self.owner.clone()), Some(owner.clone()));
            for item in &mut acl.items {
                if item.grantee == old {
                    item.grantee = new.clone();
                }
            }
        }
        self.owner = owner;
    }
}

/// What a role may act as.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) superuser: bool,
    pub(crate) bypass_rls: bool,
    /// Itself and those whose privileges it has.
    roles: Vec<Arc<str>>,
}

impl Authority {
    /// Whether what a table holds may stand in a message: without SELECT, or through policies, it may not.
    pub(crate) fn may_show(&self, table: &Table, columns: &[u16]) -> bool {
        let select = Privileges::of(&[Privilege::Select]);
        let on_column = |column: &u16| {
            table.columns[usize::from(*column)]
                .acl
                .privileges(self)
                .contains(select)
        };
        let reads = table.access.allows(self, select) || (!columns.is_empty() && columns.iter().all(on_column));
        reads && !self.is_filtered(table)
    }

    /// Whether policies stand between the role and the table's rows.
    pub(crate) fn is_filtered(&self, table: &Table) -> bool {
        let security = &table.row_security;
        security.enabled && !self.bypass_rls && (security.forced || !self.has(&table.access.owner))
    }

    /// Whether it has the privileges of a role.
    pub(crate) fn has(&self, role: &Arc<str>) -> bool {
        self.superuser || self.roles.contains(role)
    }
}

impl Catalog {
    /// A role that has gone can do nothing any more.
    pub(crate) fn authority(&self, role: &Arc<str>, own: &[Xid]) -> Authority {
        let found = self.role(role, own);
        Authority {
            superuser: found.is_some_and(|role| role.superuser),
            bypass_rls: found.is_some_and(|role| role.superuser || role.bypass_rls),
            roles: self.roles_of(role, own, true),
        }
    }

    /// The role and those that it is a member of, directly or not; `inherited`: as far as members inherit.
    pub(crate) fn roles_of(&self, role: &Arc<str>, own: &[Xid], inherited: bool) -> Vec<Arc<str>> {
        let mut found = vec![role.clone()];
        let mut at = 0;
        while let Some(member) = found.get(at).cloned() {
            at += 1;
            let Some(member) = self.role(&member, own) else {
                continue;
            };
            if inherited && !member.inherit {
                continue;
            }
            for membership in &member.member_of {
                if !found.contains(&membership.role) {
                    found.push(membership.role.clone());
                }
            }
        }
        found
    }
}
