//! Definitions: what changes the catalog. Each takes its table locks first; where one has to wait, the
//! statement begins anew when it has got it, so nothing is changed before all are held.

mod alter;
mod constraint;
mod create_as;
mod function;
mod grant;
mod index;
mod inherit;
mod parameter;
mod partition;
mod policy;
mod role;
mod table;

use std::sync::Arc;

use syntax::{Name, ObjectName, Statement};

use crate::bind::{Names, denied};
use crate::catalog::{Access, Authority, Default, Privileges, Schema, Table};
use crate::control::tagged;
use crate::error::{Fallible, error, state, unsupported};
use crate::exec::acquire;
use crate::planning::lock_mode;
use crate::running::Came;
use crate::server::{Core, names};
use crate::session::SessionState;
use crate::storage::{LockMode, RelationId, Xid};
use crate::{Notice, SqlError};

pub(crate) use create_as::create_table_as;

/// A definition at work.
pub(crate) struct Definer<'a> {
    pub(crate) session: &'a mut SessionState,
    pub(crate) core: &'a mut Core,
    pub(crate) xid: Xid,
}

/// `Ok(None)`: waits for a lock.
pub(crate) type Defined = Fallible<Option<&'static str>>;

/// Runs a statement that has no plan.
pub(crate) fn run(statement: &Statement, session: &mut SessionState, core: &mut Core) -> Fallible<Came> {
    if session.transaction.modes.read_only && !works_read_only(statement) {
        return Err(in_read_only(verb(statement)));
    }
    match statement {
        Statement::Lock { tables, mode, nowait } => {
            return lock_tables(tables, lock_mode(*mode), *nowait, session, core);
        }
        Statement::Analyze { .. } => return Ok(Came::Done(tagged("ANALYZE"))),
        Statement::Vacuum { table } => return vacuum(table.as_ref(), session, core),
        Statement::Explain { .. } => return Err(unsupported("EXPLAIN")),
        Statement::Expect { .. } | Statement::AbortWhen { .. } | Statement::Call { .. } => {
            return Err(unsupported("a statement of a scenario outside of one"));
        }
        _ => {}
    }
    let xid = session.write_xid(core)?;
    let said = session.notices.len();
    let verb = Definer { session, core, xid }.run(statement)?;
    Ok(match verb {
        None => {
            // It begins anew when it has the lock.
            session.notices.truncate(said);
            Came::Suspended
        }
        Some(verb) => Came::Done(tagged(verb)),
    })
}

fn works_read_only(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Lock { .. } | Statement::Analyze { .. } | Statement::Vacuum { .. }
    )
}

pub(crate) fn in_read_only(what: &str) -> Box<SqlError> {
    let message = format!("cannot execute {what} in a read-only transaction");
    error(state::READ_ONLY_TRANSACTION, message)
}

/// As an error names the statement.
fn verb(statement: &Statement) -> &'static str {
    match statement {
        Statement::CreateSchema { .. } => "CREATE SCHEMA",
        Statement::DropSchema { .. } => "DROP SCHEMA",
        Statement::CreateRole { .. } => "CREATE ROLE",
        Statement::AlterRole { .. } => "ALTER ROLE",
        Statement::DropRole { .. } => "DROP ROLE",
        Statement::Grant(grant) if grant.revoke => "REVOKE",
        Statement::Grant(_) => "GRANT",
        Statement::GrantRole(grant) if grant.revoke => "REVOKE ROLE",
        Statement::GrantRole(_) => "GRANT ROLE",
        Statement::CreatePolicy(_) => "CREATE POLICY",
        Statement::AlterPolicy(_) => "ALTER POLICY",
        Statement::DropPolicy { .. } => "DROP POLICY",
        Statement::CreateTable(_) => "CREATE TABLE",
        Statement::DropTable { .. } => "DROP TABLE",
        Statement::AlterTable { .. } => "ALTER TABLE",
        Statement::CreateIndex(_) => "CREATE INDEX",
        Statement::DropIndex { .. } => "DROP INDEX",
        Statement::Truncate { .. } => "TRUNCATE TABLE",
        _ => "a definition",
    }
}

impl Definer<'_> {
    fn run(&mut self, statement: &Statement) -> Defined {
        match statement {
            Statement::CreateSchema { name, if_not_exists } => self.create_schema(name, *if_not_exists),
            Statement::DropSchema {
                names,
                if_exists,
                cascade,
            } => self.drop_schemas(names, *if_exists, *cascade),
            Statement::CreateRole { name, options } => self.create_role(name, options),
            Statement::AlterRole { name, options } => self.alter_role(name, options),
            Statement::DropRole { names, if_exists } => self.drop_roles(names, *if_exists),
            Statement::Grant(grant) => self.grant(grant).map_err(without_place),
            Statement::GrantRole(grant) => self.grant_roles(grant),
            Statement::CreatePolicy(create) => self.create_policy(create).map_err(without_place),
            Statement::AlterPolicy(alter) => self.alter_policy(alter).map_err(without_place),
            Statement::DropPolicy { name, table, if_exists } => self.drop_policy(name, table, *if_exists),
            Statement::CreateFunction(create) => self.create_function(create),
            Statement::DropFunction { functions, if_exists } => self.drop_functions(functions, *if_exists),
            Statement::CreateTable(create) => self.create_table(create),
            Statement::DropTable {
                names,
                if_exists,
                cascade,
            } => self.drop_tables(names, *if_exists, *cascade),
            Statement::AlterTable { table, actions } => self.alter_table(table, actions),
            Statement::CreateIndex(create) => self.create_index(create),
            Statement::DropIndex { names, if_exists } => self.drop_indexes(names, *if_exists),
            Statement::Truncate { tables } => self.truncate(tables),
            _ => Err(unsupported("this statement")),
        }
    }

    pub(crate) fn own(&self) -> &[Xid] {
        &self.session.transaction.xids
    }

    pub(crate) fn names(&self) -> Names<'_> {
        names(self.core, self.session)
    }

    /// Takes a table's lock. False: waits.
    pub(crate) fn lock(&mut self, table: RelationId, mode: LockMode) -> Fallible<bool> {
        acquire(self.core, self.session, self.session.relation_tag(table), mode)
    }

    pub(crate) fn alter(&mut self, table: Table) -> Arc<Table> {
        let own = self.session.transaction.xids.clone();
        let id = table.id;
        self.core.catalog_mut().alter_table(table.clone(), &own, self.xid);
        self.core
            .catalog
            .table(id, &own)
            .cloned()
            .unwrap_or_else(|| Arc::new(table))
    }

    /// A table that the statement names; where it names none, PostgreSQL does not say.
    pub(super) fn table(&self, name: &ObjectName) -> Fallible<Arc<Table>> {
        self.names().table(name).cloned().map_err(without_place)
    }

    pub(crate) fn notice(&mut self, message: String) {
        self.session.notices.push(Notice {
            severity: "NOTICE",
            message,
            detail: None,
        });
    }

    pub(crate) fn warning(&mut self, message: String) {
        self.session.notices.push(Notice {
            severity: "WARNING",
            message,
            detail: None,
        });
    }

    /// What went along with what was dropped.
    pub(super) fn cascades(&mut self, lines: Vec<String>) {
        match &lines[..] {
            [] => {}
            [only] => self.notice(only.clone()),
            several => self.session.notices.push(Notice {
                severity: "NOTICE",
                message: format!("drop cascades to {} other objects", several.len()),
                detail: Some(several.join("\n")),
            }),
        }
    }

    fn create_schema(&mut self, name: &Name, if_not_exists: bool) -> Defined {
        let database = self.session.database;
        // A database has no access list: only superusers create in it.
        if !self.authority().superuser {
            return Err(denied("database", &self.core.catalog.database_name(database)));
        }
        if self.core.catalog.has_schema(database, &name.text, self.own()) {
            let message = format!("schema \"{}\" already exists", name.text);
            if !if_not_exists {
                return Err(error(state::DUPLICATE_SCHEMA, message));
            }
            self.notice(format!("{message}, skipping"));
            return Ok(Some("CREATE SCHEMA"));
        }
        let schema = Schema {
            database,
            name: name.text.clone(),
            access: Access::owned_by(self.session.current_user().clone()),
        };
        let xid = self.xid;
        self.core.catalog_mut().create_schema(schema, xid);
        Ok(Some("CREATE SCHEMA"))
    }

    fn drop_schemas(&mut self, names: &[Name], if_exists: bool, cascade: bool) -> Defined {
        let database = self.session.database;
        let mut tables = Vec::new();
        let mut schemas = Vec::new();
        for name in names {
            if !self.core.catalog.has_schema(database, &name.text, self.own()) {
                let message = format!("schema \"{}\" does not exist", name.text);
                if !if_exists {
                    return Err(error(state::INVALID_SCHEMA_NAME, message));
                }
                self.notice(format!("{message}, skipping"));
                continue;
            }
            if !self.authority().has(&self.schema(name)?.access.owner) {
                let message = format!("must be owner of schema {}", name.text);
                return Err(error(state::INSUFFICIENT_PRIVILEGE, message));
            }
            schemas.push(name.text.clone());
            let own = self.own().to_vec();
            let inside = self.core.catalog.tables_of(database, &own);
            tables.extend(inside.filter(|table| table.schema == name.text).cloned());
        }
        if let (false, Some(first), Some(schema)) = (cascade, tables.first(), schemas.first()) {
            let message = format!("cannot drop schema {schema} because other objects depend on it");
            return Err(error(state::DEPENDENT_OBJECTS, message)
                .detail(format!(
                    "table {} depends on schema {}",
                    first.qualified_name(),
                    first.schema
                ))
                .hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        if !self.drop_these(&tables, cascade)? {
            return Ok(None);
        }
        let inside = tables
            .iter()
            .map(|table| format!("drop cascades to table {}", table::shown(table)));
        self.cascades(inside.collect());
        let (own, xid) = (self.own().to_vec(), self.xid);
        for schema in schemas {
            self.core.catalog_mut().drop_schema(database, &schema, &own, xid);
        }
        Ok(Some("DROP SCHEMA"))
    }
}

/// PostgreSQL says of these commands' errors what, not where.
fn without_place(mut refusal: Box<SqlError>) -> Box<SqlError> {
    refusal.position = None;
    refusal
}

fn lock_tables(
    tables: &[ObjectName],
    mode: LockMode,
    nowait: bool,
    session: &mut SessionState,
    core: &mut Core,
) -> Fallible<Came> {
    if !session.transaction.explicit {
        return Err(error(
            state::NO_ACTIVE_TRANSACTION,
            "LOCK TABLE can only be used in transaction blocks",
        ));
    }
    for name in tables {
        let table = names(core, session).table(name).cloned().map_err(without_place)?;
        let tag = session.relation_tag(table.id);
        if !may_lock(&table, mode, &names(core, session).authority()) {
            return Err(denied("table", &table.name));
        }
        if nowait {
            if core.storage.acquire(session.id, tag, mode, false) != crate::storage::Acquired::Granted {
                let message = format!("could not obtain lock on relation \"{}\"", table.name);
                return Err(error(state::LOCK_NOT_AVAILABLE, message));
            }
        } else if !acquire(core, session, tag, mode)? {
            return Ok(Came::Suspended);
        }
    }
    Ok(Came::Done(tagged("LOCK TABLE")))
}

/// ACCESS SHARE may take who reads, up to ROW EXCLUSIVE who inserts, any who changes rows.
fn may_lock(table: &Table, mode: LockMode, authority: &Authority) -> bool {
    use syntax::Privilege::{Delete, Insert, Select, Truncate, Update};
    let mut enough = vec![Update, Delete, Truncate];
    match mode {
        LockMode::AccessShare => enough = vec![Select],
        LockMode::RowExclusive => enough.push(Insert),
        _ => {}
    }
    let mut enough = enough.iter().map(|privilege| Privileges::of(&[*privilege]));
    enough.any(|privilege| table.access.allows(authority, privilege))
}

fn vacuum(table: Option<&ObjectName>, session: &mut SessionState, core: &mut Core) -> Fallible<Came> {
    if session.transaction.explicit {
        let message = "VACUUM cannot run inside a transaction block";
        return Err(error(state::ACTIVE_SQL_TRANSACTION, message));
    }
    let own = session.transaction.xids.clone();
    let tables: Vec<Arc<Table>> = match table {
        Some(name) => vec![names(core, session).table(name).cloned().map_err(without_place)?],
        None => core.catalog.tables_of(session.database, &own).cloned().collect(),
    };
    for table in &tables {
        if !acquire(
            core,
            session,
            session.relation_tag(table.id),
            LockMode::ShareUpdateExclusive,
        )? {
            return Ok(Came::Suspended);
        }
    }
    for table in tables {
        core.storage.vacuum(table.heap);
    }
    Ok(Came::Done(tagged("VACUUM")))
}

pub(crate) fn already_exists(name: &str) -> Box<SqlError> {
    error(state::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"))
}
