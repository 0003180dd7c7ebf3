//! System views: what a server tells of itself, in the schema `pg_catalog`. Read only; a view's rows are made when a
//! scan of it begins.

use std::sync::{Arc, LazyLock};

use base::{Row, Type, Value};
use syntax::{ObjectName, Privilege};

use crate::catalog::{Access, Privileges, Table};
use crate::server::Core;
use crate::session::SessionState;
use crate::storage::{DatabaseId, RelationId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    PreparedXacts,
    StatUserTables,
}

/// Below the first number that a user's table gets.
const FIRST: u32 = 12_000;

struct Definition {
    view: View,
    name: &'static str,
    columns: &'static [(&'static str, Type)],
}

/// By their numbers, from [`FIRST`] on.
const VIEWS: &[Definition] = &[
    Definition {
        view: View::PreparedXacts,
        name: "pg_prepared_xacts",
        columns: &[
            ("transaction", Type::Int8),
            ("gid", Type::Text),
            ("prepared", Type::Timestamptz),
            ("owner", Type::Text),
            ("database", Type::Text),
        ],
    },
    // Of its columns those that are counted here.
    Definition {
        view: View::StatUserTables,
        name: "pg_stat_user_tables",
        columns: &[
            ("relid", Type::Oid),
            ("schemaname", Type::Text),
            ("relname", Type::Text),
            ("n_live_tup", Type::Int8),
            ("n_dead_tup", Type::Int8),
        ],
    },
];

static TABLES: LazyLock<Vec<Arc<Table>>> = LazyLock::new(|| {
    let numbered = VIEWS.iter().zip(FIRST..);
    numbered
        .map(|(view, number)| Arc::new(table(view, RelationId(number))))
        .collect()
});

fn table(view: &Definition, id: RelationId) -> Table {
    let mut access = Access::owned_by("postgres".into());
    let everybody = Privileges::of(&[Privilege::Select]);
    access.acl_mut(Privileges::of_tables()).grant(&None, everybody, false);
    let columns = view.columns.iter().copied();
    Table::without_rules(id, DatabaseId(0), ("pg_catalog", view.name), columns, access)
}

/// The view that a name means that no table has.
pub(crate) fn named(name: &ObjectName) -> Option<&'static Arc<Table>> {
    if name.schema.as_ref().is_some_and(|schema| &*schema.text != "pg_catalog") {
        return None;
    }
    TABLES.iter().find(|table| table.name == name.name.text)
}

/// The view that a table's number means.
pub(crate) fn view(id: RelationId) -> Option<View> {
    let at = id.0.checked_sub(FIRST)?;
    VIEWS.get(at as usize).map(|definition| definition.view)
}

/// What a view shows now.
pub(crate) fn rows(view: View, core: &Core, session: &SessionState) -> Vec<Row> {
    match view {
        View::PreparedXacts => prepared_xacts(core),
        View::StatUserTables => stat_user_tables(core, session),
    }
}

fn stat_user_tables(core: &Core, session: &SessionState) -> Vec<Row> {
    let number = |number: u64| Value::Int8(i64::try_from(number).unwrap_or(i64::MAX));
    let row = |table: &Arc<Table>| {
        let (live, dead) = core.storage.tuple_counts(table.heap);
        Arc::from([
            Value::Oid(table.id.0),
            Value::Text(table.schema.clone()),
            Value::Text(table.name.clone()),
            number(live),
            number(dead),
        ])
    };
    let tables = core.catalog.tables_of(session.database, &session.transaction.xids);
    tables.map(row).collect()
}

fn prepared_xacts(core: &Core) -> Vec<Row> {
    let row = |one: &Arc<crate::storage::Prepared>| {
        Arc::from([
            Value::Int8(i64::from(one.xid.0)),
            Value::Text(one.id.clone()),
            Value::Timestamptz(one.at),
            Value::Text(one.owner.clone()),
            Value::Text(core.catalog.database_name(one.database)),
        ])
    };
    core.storage.prepared().map(row).collect()
}
