//! What exists: databases, schemas, tables with their indexes and constraints, roles.
//!
//! Definitions are transactional. An entry says which transaction is creating it and which is
//! dropping it; a change of a table is the drop of one entry and the creation of its successor.
//!
//! ```text
//!                      others see   transaction 7 sees
//! users v1 dropped: 7      ✓
//! users v2 created: 7                      ✓          COMMIT keeps v2, ROLLBACK keeps v1
//! ```
//!
//! Table locks keep two transactions from changing one table at a time. This room knows no rows.

mod access;
mod function;
mod partition;
mod partition_hash;
mod policy;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use syntax::Privilege;

use crate::error::{Fallible, error, state};
use crate::storage::{DatabaseId, RelationId, Xid};

pub(crate) use access::{Access, Acl, Authority, Grantee, Membership, Privileges, Role};
pub(crate) use function::{FunctionBody, FunctionType, UserFunction};
pub(crate) use partition::{Edge, Limits, PartitionBound, PartitionKey, PartitionMap, order_of_bounds};
pub(crate) use policy::{Policy, RowSecurity};
pub(crate) use table::{
    Check, Column, Default, ForeignKey, Index, IndexColumn, IndexKey, Modifier, RowExpression, Table,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Schema {
    pub(crate) database: DatabaseId,
    pub(crate) name: Arc<str>,
    pub(crate) access: Access,
}

/// One version of a definition; both fields empty: committed and there to stay.
#[derive(Clone, Debug, Hash)]
struct Entry<T> {
    created: Option<Xid>,
    dropped: Option<Xid>,
    item: Arc<T>,
}

impl<T> Entry<T> {
    fn visible(&self, own: &[Xid]) -> bool {
        self.created.is_none_or(|xid| own.contains(&xid)) && !self.dropped.is_some_and(|xid| own.contains(&xid))
    }

    fn pending(&self) -> bool {
        self.created.is_some() || self.dropped.is_some()
    }
}

/// A foreign key as seen from a table that it refers to.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Reference {
    pub(crate) child: Arc<Table>,
    /// Its place among the child's foreign keys.
    pub(crate) key: usize,
    /// The columns that it refers to, in the table that it is seen from.
    pub(crate) columns: Vec<u16>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Catalog {
    databases: BTreeMap<Arc<str>, DatabaseId>,
    roles: Vec<Entry<Role>>,
    schemas: Vec<Entry<Schema>>,
    functions: Vec<Entry<UserFunction>>,
    tables: BTreeMap<RelationId, Vec<Entry<Table>>>,
    /// May name tables that are gone: look at the entry.
    by_name: BTreeMap<(DatabaseId, Arc<str>, Arc<str>), Vec<RelationId>>,
    next_id: u32,
    /// Grows with every change; a plan made under another version is made again.
    version: u64,
    /// How many entries belong to transactions that have not ended.
    pending: u32,
}

impl Catalog {
    pub(crate) fn new() -> Catalog {
        let superuser = Role {
            name: "postgres".into(),
            login: true,
            superuser: true,
            inherit: true,
            bypass_rls: true,
            create_role: true,
            create_database: true,
            member_of: Vec::new(),
        };
        let mut catalog = Catalog {
            databases: BTreeMap::new(),
            roles: vec![Entry {
                created: None,
                dropped: None,
                item: Arc::new(superuser),
            }],
            schemas: Vec::new(),
            functions: Vec::new(),
            tables: BTreeMap::new(),
            by_name: BTreeMap::new(),
            // Where PostgreSQL's own numbers for users' objects begin.
            next_id: 16_384,
            version: 0,
            pending: 0,
        };
        catalog.add_database("postgres");
        catalog
    }

    fn add_database(&mut self, name: &str) -> DatabaseId {
        let id = DatabaseId(self.new_id());
        self.databases.insert(name.into(), id);
        // Everybody may look into `public`, and since PostgreSQL 15 only its owner may create there.
        let mut access = Access::owned_by("postgres".into());
        access
            .acl_mut(Privileges::of_schemas())
            .grant(&None, Privileges::of(&[Privilege::Usage]), false);
        self.schemas.push(Entry {
            created: None,
            dropped: None,
            item: Arc::new(Schema {
                database: id,
                name: "public".into(),
                access,
            }),
        });
        self.version += 1;
        id
    }

    pub(crate) fn create_database(&mut self, name: &str) -> Fallible<DatabaseId> {
        if self.databases.contains_key(name) {
            return Err(error(
                state::DUPLICATE_DATABASE,
                format!("database \"{name}\" already exists"),
            ));
        }
        Ok(self.add_database(name))
    }

    /// Committed schemas, as those of `source`, and tables for a database that has none yet.
    pub(crate) fn fill_database(&mut self, source: DatabaseId, database: DatabaseId, tables: Vec<Table>) {
        let of_source = |entry: &&Entry<Schema>| entry.visible(&[]) && entry.item.database == source;
        let schemas: Vec<Schema> = self
            .schemas
            .iter()
            .filter(of_source)
            .map(|entry| Schema {
                database,
                ..(*entry.item).clone()
            })
            .collect();
        self.schemas.retain(|entry| entry.item.database != database);
        self.schemas.extend(schemas.into_iter().map(settled));
        let functions = self
            .functions
            .iter()
            .filter(|entry| entry.visible(&[]) && entry.item.database == source);
        let functions: Vec<UserFunction> = functions
            .map(|entry| UserFunction {
                database,
                ..(*entry.item).clone()
            })
            .collect();
        self.functions.extend(functions.into_iter().map(settled));
        for table in tables {
            let key = (database, table.schema.clone(), table.name.clone());
            self.by_name.entry(key).or_default().push(table.id);
            self.tables.insert(table.id, vec![settled(table)]);
        }
        self.changed();
    }

    pub(crate) fn database(&self, name: &str) -> Fallible<DatabaseId> {
        self.databases.get(name).copied().ok_or_else(|| {
            error(
                state::INVALID_CATALOG_NAME,
                format!("database \"{name}\" does not exist"),
            )
        })
    }

    pub(crate) fn database_name(&self, id: DatabaseId) -> Arc<str> {
        let found = self.databases.iter().find(|(_, found)| **found == id);
        found.map_or_else(|| "".into(), |(name, _)| name.clone())
    }

    /// A number for a new table, heap or index; never used twice.
    pub(crate) fn new_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether every entry is committed, so that all sessions see the same.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending == 0
    }

    // ---- look-ups, by what the transactions `own` see

    pub(crate) fn schema(&self, database: DatabaseId, name: &str, own: &[Xid]) -> Option<&Arc<Schema>> {
        self.schemas_of(database, own).find(|schema| *schema.name == *name)
    }

    pub(crate) fn schemas_of(&self, database: DatabaseId, own: &[Xid]) -> impl Iterator<Item = &Arc<Schema>> {
        self.schemas
            .iter()
            .filter(move |entry| entry.item.database == database && entry.visible(own))
            .map(|entry| &entry.item)
    }

    pub(crate) fn has_schema(&self, database: DatabaseId, name: &str, own: &[Xid]) -> bool {
        self.schema(database, name, own).is_some()
    }

    pub(crate) fn roles(&self, own: &[Xid]) -> impl Iterator<Item = &Arc<Role>> {
        self.roles
            .iter()
            .filter(move |entry| entry.visible(own))
            .map(|entry| &entry.item)
    }

    pub(crate) fn role(&self, name: &str, own: &[Xid]) -> Option<&Arc<Role>> {
        self.roles(own).find(|role| *role.name == *name)
    }

    pub(crate) fn table(&self, id: RelationId, own: &[Xid]) -> Option<&Arc<Table>> {
        let versions = self.tables.get(&id)?;
        versions
            .iter()
            .find(|entry| entry.visible(own))
            .map(|entry| &entry.item)
    }

    pub(crate) fn table_named(
        &self,
        database: DatabaseId,
        schema: &str,
        name: &str,
        own: &[Xid],
    ) -> Option<&Arc<Table>> {
        let ids = self.by_name.get(&(database, schema.into(), name.into()))?;
        ids.iter().find_map(|id| {
            self.table(*id, own)
                .filter(|table| *table.name == *name && *table.schema == *schema)
        })
    }

    pub(crate) fn tables_of(&self, database: DatabaseId, own: &[Xid]) -> impl Iterator<Item = &Arc<Table>> {
        self.tables
            .values()
            .flatten()
            .filter(move |entry| entry.item.database == database && entry.visible(own))
            .map(|entry| &entry.item)
    }

    /// The tables that inherit from this one, or are its partitions, in the order in which they are read.
    pub(crate) fn children(&self, parent: &Table, own: &[Xid]) -> Vec<Arc<Table>> {
        if !parent.has_children {
            return Vec::new();
        }
        let tables = self.tables_of(parent.database, own);
        let children: Vec<Arc<Table>> = tables
            .filter(|table| table.parents.contains(&parent.id))
            .cloned()
            .collect();
        match &parent.partition_key {
            Some(key) => PartitionMap::new(key.clone(), children).parts,
            None => children,
        }
    }

    /// This table and all below it, those above first.
    pub(crate) fn descendants(&self, table: &Arc<Table>, own: &[Xid]) -> Vec<Arc<Table>> {
        let mut found = vec![table.clone()];
        let mut at = 0;
        while let Some(parent) = found.get(at).cloned() {
            for child in self.children(&parent, own) {
                if !found.iter().any(|known| known.id == child.id) {
                    found.push(child);
                }
            }
            at += 1;
        }
        found
    }

    /// The partitioned tables that this one is a part of, the nearest first.
    pub(crate) fn partitioned_above(&self, table: &Table, own: &[Xid]) -> Vec<Arc<Table>> {
        let mut found = Vec::new();
        let mut at = table.bound.as_ref().and(table.parents.first().copied());
        while let Some(parent) = at.and_then(|id| self.table(id, own)) {
            at = parent.bound.as_ref().and(parent.parents.first().copied());
            found.push(parent.clone());
        }
        found
    }

    /// How a partitioned table's rows are divided.
    pub(crate) fn partition_map(&self, table: &Table, own: &[Xid]) -> Option<PartitionMap> {
        let key = table.partition_key.clone()?;
        Some(PartitionMap::new(key, self.children(table, own)))
    }

    /// Foreign keys to a table, or to one that it is a part of.
    pub(crate) fn referencing(&self, parent: &Table, own: &[Xid]) -> Vec<Reference> {
        let mut found = Vec::new();
        let above = self.partitioned_above(parent, own);
        let named: Vec<&Table> = std::iter::once(parent)
            .chain(above.iter().map(|table| &**table))
            .collect();
        for table in self.tables_of(parent.database, own) {
            for (at, key) in table.foreign_keys.iter().enumerate() {
                let Some(target) = named.iter().find(|named| named.id == key.parent) else {
                    continue;
                };
                let column = |column: &u16| parent.column(&target.columns[usize::from(*column)].name);
                found.push(Reference {
                    child: table.clone(),
                    key: at,
                    columns: key.parent_columns.iter().filter_map(column).collect(),
                });
            }
        }
        found
    }

    /// Tables with foreign keys to this one itself, each with the key's place in its list.
    pub(crate) fn referencing_itself(&self, parent: &Table, own: &[Xid]) -> Vec<(Arc<Table>, usize)> {
        let mut found = Vec::new();
        for table in self.tables_of(parent.database, own) {
            for (at, key) in table.foreign_keys.iter().enumerate() {
                if key.parent == parent.id {
                    found.push((table.clone(), at));
                }
            }
        }
        found
    }

    /// The table that has an index of this name.
    pub(crate) fn index_named(
        &self,
        database: DatabaseId,
        schema: &str,
        name: &str,
        own: &[Xid],
    ) -> Option<&Arc<Table>> {
        self.tables_of(database, own)
            .find(|table| *table.schema == *schema && table.indexes.iter().any(|index| *index.name == *name))
    }

    /// Whether a table or an index has this name: they share one space of names.
    pub(crate) fn relation_exists(&self, database: DatabaseId, schema: &str, name: &str, own: &[Xid]) -> bool {
        self.table_named(database, schema, name, own).is_some()
            || self.index_named(database, schema, name, own).is_some()
    }

    pub(crate) fn functions_named(
        &self,
        database: DatabaseId,
        schema: &str,
        name: &str,
        own: &[Xid],
    ) -> impl Iterator<Item = &Arc<UserFunction>> {
        let named = move |function: &&Arc<UserFunction>| {
            function.database == database && *function.schema == *schema && *function.name == *name
        };
        let visible = self.functions.iter().filter(|entry| entry.visible(own));
        visible.map(|entry| &entry.item).filter(named)
    }

    // ---- changes by a transaction

    /// Those of a database, by the order in which they were made.
    pub(crate) fn functions_of(&self, database: DatabaseId, own: &[Xid]) -> impl Iterator<Item = &Arc<UserFunction>> {
        let visible = self.functions.iter().filter(|entry| entry.visible(own));
        let items = visible.map(|entry| &entry.item);
        items.filter(move |function| function.database == database)
    }

    pub(crate) fn create_function(&mut self, function: UserFunction, xid: Xid) {
        push(&mut self.functions, function, xid);
        self.pending += 1;
        self.changed();
    }

    pub(crate) fn drop_function(&mut self, function: &UserFunction, own: &[Xid], xid: Xid) {
        let same = |other: &UserFunction| {
            other.database == function.database
                && other.schema == function.schema
                && other.name == function.name
                && other.arguments == function.arguments
        };
        self.pending += mark_dropped(&mut self.functions, own, xid, same);
        self.changed();
    }

    fn changed(&mut self) {
        self.version += 1;
    }

    pub(crate) fn create_role(&mut self, role: Role, xid: Xid) {
        push(&mut self.roles, role, xid);
        self.pending += 1;
        self.changed();
    }

    pub(crate) fn drop_role(&mut self, name: &str, own: &[Xid], xid: Xid) {
        self.pending += mark_dropped(&mut self.roles, own, xid, |role| *role.name == *name);
        self.changed();
    }

    /// Replaces a role's definition.
    pub(crate) fn alter_role(&mut self, role: Role, own: &[Xid], xid: Xid) {
        self.drop_role(&role.name, own, xid);
        self.create_role(role, xid);
    }

    /// Replaces a schema's definition.
    pub(crate) fn alter_schema(&mut self, schema: Schema, own: &[Xid], xid: Xid) {
        self.drop_schema(schema.database, &schema.name, own, xid);
        self.create_schema(schema, xid);
    }

    pub(crate) fn create_schema(&mut self, schema: Schema, xid: Xid) {
        push(&mut self.schemas, schema, xid);
        self.pending += 1;
        self.changed();
    }

    pub(crate) fn drop_schema(&mut self, database: DatabaseId, name: &str, own: &[Xid], xid: Xid) {
        let same = |schema: &Schema| schema.database == database && *schema.name == *name;
        self.pending += mark_dropped(&mut self.schemas, own, xid, same);
        self.changed();
    }

    pub(crate) fn create_table(&mut self, table: Table, xid: Xid) {
        let key = (table.database, table.schema.clone(), table.name.clone());
        let ids = self.by_name.entry(key).or_default();
        if !ids.contains(&table.id) {
            ids.push(table.id);
        }
        push(self.tables.entry(table.id).or_default(), table, xid);
        self.pending += 1;
        self.changed();
    }

    pub(crate) fn drop_table(&mut self, id: RelationId, own: &[Xid], xid: Xid) {
        if let Some(versions) = self.tables.get_mut(&id) {
            self.pending += mark_dropped(versions, own, xid, |_| true);
        }
        self.changed();
    }

    /// Replaces a table's definition.
    pub(crate) fn alter_table(&mut self, table: Table, own: &[Xid], xid: Xid) {
        self.drop_table(table.id, own, xid);
        self.create_table(table, xid);
    }

    // ---- the end of transactions

    /// The transactions have committed: what they created stays, what they dropped goes.
    pub(crate) fn commit(&mut self, xids: &[Xid]) {
        self.end(|xid| xids.contains(&xid), true);
    }

    /// The transactions have been rolled back.
    pub(crate) fn abort(&mut self, xids: &[Xid]) {
        self.end(|xid| xids.contains(&xid), false);
    }

    /// As a crash leaves it: nothing of transactions that have not ended, but for these, which are prepared.
    pub(crate) fn abort_but(&mut self, prepared: &[Xid]) {
        self.end(|xid| !prepared.contains(&xid), false);
    }

    /// Takes the place of a lost catalog: numbers that were given out are not given again, plans made
    /// under the lost one do not fit.
    pub(crate) fn succeed(&mut self, lost: &Catalog) {
        self.version = lost.version + 1;
        self.next_id = self.next_id.max(lost.next_id);
    }

    fn end(&mut self, ended: impl Fn(Xid) -> bool + Copy, committed: bool) {
        if self.pending == 0 {
            return;
        }
        let mut changed = settle(&mut self.roles, ended, committed);
        changed |= settle(&mut self.schemas, ended, committed);
        changed |= settle(&mut self.functions, ended, committed);
        for versions in self.tables.values_mut() {
            changed |= settle(versions, ended, committed);
        }
        if changed {
            self.tables.retain(|_, versions| !versions.is_empty());
            let tables = &self.tables;
            self.by_name.retain(|_, ids| {
                ids.retain(|id| tables.contains_key(id));
                !ids.is_empty()
            });
            self.pending = self.count_pending();
            self.changed();
        }
    }

    fn count_pending(&self) -> u32 {
        let roles = self.roles.iter().filter(|entry| entry.pending()).count();
        let schemas = self.schemas.iter().filter(|entry| entry.pending()).count();
        let functions = self.functions.iter().filter(|entry| entry.pending()).count();
        let tables = self.tables.values().flatten().filter(|entry| entry.pending()).count();
        (roles + schemas + functions + tables) as u32
    }
}

fn settled<T>(item: T) -> Entry<T> {
    Entry {
        created: None,
        dropped: None,
        item: Arc::new(item),
    }
}

fn push<T>(entries: &mut Vec<Entry<T>>, item: T, xid: Xid) {
    entries.push(Entry {
        created: Some(xid),
        dropped: None,
        item: Arc::new(item),
    });
}

/// Marks the visible entries that match; says how many became pending by it.
fn mark_dropped<T>(entries: &mut [Entry<T>], own: &[Xid], xid: Xid, matches: impl Fn(&T) -> bool) -> u32 {
    let mut marked = 0;
    for entry in entries {
        if entry.visible(own) && matches(&entry.item) {
            marked += u32::from(!entry.pending());
            entry.dropped = Some(xid);
        }
    }
    marked
}

/// Ends transactions for a list of entries; says whether any entry was concerned.
fn settle<T>(entries: &mut Vec<Entry<T>>, ended: impl Fn(Xid) -> bool, committed: bool) -> bool {
    let mut changed = false;
    entries.retain_mut(|entry| {
        let created = entry.created.is_some_and(&ended);
        let dropped = entry.dropped.is_some_and(&ended);
        changed |= created || dropped;
        if (committed && dropped) || (!committed && created) {
            return false;
        }
        if created {
            entry.created = None;
        }
        if dropped {
            entry.dropped = None;
        }
        true
    });
    changed
}
