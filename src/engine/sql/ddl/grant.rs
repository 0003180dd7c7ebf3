//! GRANT and REVOKE of privileges; owners.

use std::sync::Arc;

use syntax::{Grant, GrantTarget, GrantedPrivilege, Name, ObjectName, Privilege, RoleRef};

use super::{Default, Defined, Definer};
use crate::bind::{denied, known_column};
use crate::catalog::{Access, Authority, Grantee, Privileges, Schema, Table};
use crate::error::{Fallible, error, state};
use crate::storage::LockMode;

/// What is granted on one object.
pub(super) struct Granted {
    pub(super) whole: Privileges,
    /// Of some columns only.
    of_columns: Vec<(Privilege, Vec<Name>)>,
}

impl Definer<'_> {
    pub(crate) fn authority(&self) -> Authority {
        self.names().authority()
    }

    pub(super) fn grant(&mut self, grant: &Grant) -> Defined {
        let grantees: Fallible<Vec<Grantee>> = grant.roles.iter().map(|role| self.grantee(role)).collect();
        let grantees = grantees?;
        if grant.option && !grant.revoke && grantees.contains(&None) {
            let message = "grant options can only be granted to roles";
            return Err(error(state::INVALID_GRANT_OPERATION, message));
        }
        let done = match &grant.on {
            GrantTarget::Tables(names) => self.grant_on_tables(grant, names, &grantees)?,
            GrantTarget::AllTables(schemas) => {
                let tables = self.tables_in(schemas)?;
                self.grant_on_these(grant, tables, &grantees)?
            }
            GrantTarget::Functions(names) => {
                let functions = self.functions(names)?;
                self.grant_on_functions(grant, functions, &grantees)?
            }
            GrantTarget::AllFunctions(schemas) => {
                let functions = self.functions_in(schemas)?;
                self.grant_on_functions(grant, functions, &grantees)?
            }
            GrantTarget::Schemas(names) => self.grant_on_schemas(grant, names, &grantees)?,
            GrantTarget::Sequences(names) => self.grant_on_sequences(grant, names, &grantees)?,
            GrantTarget::AllSequences(schemas) => {
                let tables = self.tables_in(schemas)?;
                self.grant_on_columns_sequences(grant, tables, |_| true, &grantees)?
            }
        };
        Ok(done.then_some(if grant.revoke { "REVOKE" } else { "GRANT" }))
    }

    fn tables_in(&self, schemas: &[Name]) -> Fallible<Vec<Arc<Table>>> {
        let mut tables = Vec::new();
        for schema in schemas {
            self.schema(schema)?;
            let inside = self.core.catalog.tables_of(self.session.database, self.own());
            tables.extend(inside.filter(|table| table.schema == schema.text).cloned());
        }
        Ok(tables)
    }

    pub(super) fn schema(&self, name: &Name) -> Fallible<Arc<Schema>> {
        let found = self.core.catalog.schema(self.session.database, &name.text, self.own());
        found.cloned().ok_or_else(|| {
            let message = format!("schema \"{}\" does not exist", name.text);
            error(state::INVALID_SCHEMA_NAME, message)
        })
    }

    /// Of what was asked, what the role may give; nothing at all is a refusal, a part a warning.
    pub(super) fn allowed(
        &mut self,
        grant: &Grant,
        access: &Access,
        wanted: Privileges,
        (kind, name): (&str, &str),
    ) -> Fallible<Privileges> {
        let authority = self.authority();
        let allowed = access.grantable(&authority, wanted);
        if allowed == wanted {
            return Ok(allowed);
        }
        if allowed.is_empty() && !access.allows_any(&authority) {
            return Err(denied(kind, name));
        }
        let done = if grant.revoke {
            "could be revoked"
        } else {
            "were granted"
        };
        let which = if allowed.is_empty() { "no" } else { "not all" };
        let message = format!("{which} privileges {done} for \"{name}\"");
        if !grant.privileges.is_empty() || allowed.is_empty() {
            self.warning(message);
        }
        Ok(allowed)
    }

    pub(super) fn change(
        grant: &Grant,
        access: &mut Access,
        all: Privileges,
        allowed: Privileges,
        grantees: &[Grantee],
    ) {
        if allowed.is_empty() {
            return;
        }
        let acl = access.acl_mut(all);
        for grantee in grantees {
            if grant.revoke {
                acl.revoke(grantee, allowed, grant.option);
            } else {
                acl.grant(grantee, allowed, grant.option);
            }
        }
    }

    // ---- tables

    /// False: waits for a lock.
    fn grant_on_tables(&mut self, grant: &Grant, names: &[ObjectName], grantees: &[Grantee]) -> Fallible<bool> {
        let mut tables = Vec::new();
        for name in names {
            let sequence = || sequence_name(name);
            match self.table(name) {
                Ok(table) => tables.push(table),
                // PostgreSQL takes sequences for tables here.
                Err(_) if self.has_sequence(&sequence()) => {
                    if !self.grant_on_sequences(grant, std::slice::from_ref(name), grantees)? {
                        return Ok(false);
                    }
                }
                Err(refusal) => return Err(refusal),
            }
        }
        self.grant_on_these(grant, tables, grantees)
    }

    fn grant_on_these(&mut self, grant: &Grant, tables: Vec<Arc<Table>>, grantees: &[Grantee]) -> Fallible<bool> {
        for table in &tables {
            if !self.lock(table.id, LockMode::ShareUpdateExclusive)? {
                return Ok(false);
            }
        }
        for table in tables {
            let granted = granted(&grant.privileges, Privileges::of_tables(), "table")?;
            let name = table.name.clone();
            let mut table = (*table).clone();
            if !granted.whole.is_empty() {
                let allowed = self.allowed(grant, &table.access, granted.whole, ("table", &name))?;
                Self::change(grant, &mut table.access, Privileges::of_tables(), allowed, grantees);
                if grant.revoke {
                    // With the table's privilege goes that on each column.
                    for column in &mut table.columns {
                        for grantee in grantees {
                            column.acl.revoke(grantee, allowed, grant.option);
                        }
                    }
                }
            }
            for (privilege, columns) in granted.of_columns {
                let wanted = Privileges::of(&[privilege]);
                let allowed = self.allowed(grant, &table.access, wanted, ("table", &name))?;
                for column in columns {
                    let at = usize::from(known_column(&table, &column)?);
                    let acl = &mut table.columns[at].acl;
                    for grantee in grantees {
                        if grant.revoke {
                            acl.revoke(grantee, allowed, grant.option);
                        } else {
                            acl.grant(grantee, allowed, grant.option);
                        }
                    }
                }
            }
            self.alter(table);
        }
        Ok(true)
    }

    // ---- schemas

    fn grant_on_schemas(&mut self, grant: &Grant, names: &[Name], grantees: &[Grantee]) -> Fallible<bool> {
        for name in names {
            let mut schema = (*self.schema(name)?).clone();
            let granted = granted(&grant.privileges, Privileges::of_schemas(), "schema")?;
            let allowed = self.allowed(grant, &schema.access, granted.whole, ("schema", &name.text))?;
            Self::change(grant, &mut schema.access, Privileges::of_schemas(), allowed, grantees);
            let (own, xid) = (self.own().to_vec(), self.xid);
            self.core.catalog_mut().alter_schema(schema, &own, xid);
        }
        Ok(true)
    }

    // ---- sequences: each belongs to a column

    fn has_sequence(&self, name: &str) -> bool {
        let mut tables = self.core.catalog.tables_of(self.session.database, self.own());
        tables.any(|table| table.columns.iter().any(|column| is_sequence(column, name)))
    }

    fn grant_on_sequences(&mut self, grant: &Grant, names: &[ObjectName], grantees: &[Grantee]) -> Fallible<bool> {
        for name in names {
            let wanted = sequence_name(name);
            if !self.has_sequence(&wanted) {
                let message = format!("relation \"{}\" does not exist", name.name.text);
                return Err(error(state::UNDEFINED_TABLE, message));
            }
            let own = self.own().to_vec();
            let tables = self.core.catalog.tables_of(self.session.database, &own);
            let tables = tables
                .filter(|table| table.columns.iter().any(|column| is_sequence(column, &wanted)))
                .cloned()
                .collect();
            let matches = |column: &crate::catalog::Column| is_sequence(column, &wanted);
            if !self.grant_on_columns_sequences(grant, tables, matches, grantees)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn grant_on_columns_sequences(
        &mut self,
        grant: &Grant,
        tables: Vec<Arc<Table>>,
        matches: impl Fn(&crate::catalog::Column) -> bool,
        grantees: &[Grantee],
    ) -> Fallible<bool> {
        for table in &tables {
            if !self.lock(table.id, LockMode::ShareUpdateExclusive)? {
                return Ok(false);
            }
        }
        let granted = granted(&grant.privileges, Privileges::of_sequences(), "sequence")?;
        for table in tables {
            let mut table = (*table).clone();
            for column in table.columns.iter_mut().filter(|column| matches(column)) {
                let (Some(access), Some(Default::Sequence(name))) = (&mut column.sequence, &column.default) else {
                    continue;
                };
                let allowed = self.allowed(grant, access, granted.whole, ("sequence", name))?;
                Self::change(grant, access, Privileges::of_sequences(), allowed, grantees);
            }
            self.alter(table);
        }
        Ok(true)
    }

    // ---- owners

    /// Refuses who does not own the table.
    pub(super) fn must_own(&self, table: &Table) -> Fallible<()> {
        self.must_own_as(table, "table", &table.name)
    }

    pub(super) fn must_own_as(&self, table: &Table, kind: &str, name: &str) -> Fallible<()> {
        if self.authority().has(&table.access.owner) {
            return Ok(());
        }
        let message = format!("must be owner of {kind} {name}");
        Err(error(state::INSUFFICIENT_PRIVILEGE, message))
    }

    /// Refuses who lacks a privilege on the whole table.
    pub(super) fn must_have(&self, table: &Table, privileges: &[Privilege]) -> Fallible<()> {
        let authority = self.authority();
        let mut wanted = privileges.iter().map(|privilege| Privileges::of(&[*privilege]));
        if wanted.any(|wanted| table.access.allows(&authority, wanted)) {
            return Ok(());
        }
        Err(denied("table", &table.name))
    }

    pub(super) fn change_owner(&mut self, table: &mut Table, owner: &RoleRef) -> Fallible<()> {
        let owner = self.named(owner)?.text;
        if owner == table.access.owner {
            return Ok(());
        }
        let (catalog, user) = (&self.core.catalog, self.session.current_user());
        if !self.authority().superuser {
            if !catalog.roles_of(user, self.own(), false).contains(&owner) {
                let message = format!("must be member of role \"{owner}\"");
                return Err(error(state::INSUFFICIENT_PRIVILEGE, message));
            }
            let create = Privileges::of(&[Privilege::Create]);
            let new = catalog.authority(&owner, self.own());
            let schema = catalog.schema(table.database, &table.schema, self.own());
            if schema.is_some_and(|schema| !schema.access.allows(&new, create)) {
                return Err(denied("schema", &table.schema));
            }
        }
        table.access.change_owner(owner.clone());
        for access in table.columns.iter_mut().filter_map(|column| column.sequence.as_mut()) {
            access.change_owner(owner.clone());
        }
        Ok(())
    }
}

/// As the catalog names a sequence: without `public`.
fn sequence_name(name: &ObjectName) -> String {
    match &name.schema {
        Some(schema) if *schema.text != *"public" => format!("{}.{}", schema.text, name.name.text),
        _ => name.name.text.to_string(),
    }
}

fn is_sequence(column: &crate::catalog::Column, name: &str) -> bool {
    !column.dropped && matches!(&column.default, Some(Default::Sequence(found)) if **found == *name)
}

/// Sorts a list of privileges; one that objects of this kind do not have is refused.
pub(super) fn granted(list: &[GrantedPrivilege], all: Privileges, kind: &str) -> Fallible<Granted> {
    let mut granted = Granted {
        whole: if list.is_empty() { all } else { Privileges::NONE },
        of_columns: Vec::new(),
    };
    for item in list {
        let of_columns = !item.columns.is_empty();
        let kind = if of_columns { "column" } else { kind };
        let possible = if of_columns { Privileges::of_columns() } else { all };
        if !possible.has(item.privilege) {
            // What not even a sequence has is no privilege of relations.
            let of_relations = kind != "table" || Privileges::of_sequences().has(item.privilege);
            let kind = if of_relations { kind } else { "relation" };
            let message = format!("invalid privilege type {} for {kind}", item.privilege.keyword());
            return Err(error(state::INVALID_GRANT_OPERATION, message));
        }
        if of_columns {
            granted.of_columns.push((item.privilege, item.columns.clone()));
        } else {
            granted.whole.add(item.privilege);
        }
    }
    Ok(granted)
}
