//! The definition of a table: columns, indexes, constraints.

use std::sync::Arc;

use base::{Type, Value};
use syntax::{Expr, ReferentialAction};

use super::{Access, Acl, RowSecurity};
use crate::expr::Program;
use crate::key::Order;
use crate::row::Layout;
use crate::storage::{DatabaseId, IndexId, RelationId};

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Table {
    /// Identity, for locks and references; stays when the heap is replaced (TRUNCATE).
    pub(crate) id: RelationId,
    pub(crate) heap: RelationId,
    pub(crate) database: DatabaseId,
    pub(crate) schema: Arc<str>,
    pub(crate) name: Arc<str>,
    /// With those that were dropped: a column's place in a row never changes.
    pub(crate) columns: Vec<Column>,
    /// In the order of their creation, which is the order of their checks.
    pub(crate) indexes: Vec<Index>,
    /// By name, which is the order of their checks.
    pub(crate) checks: Vec<Check>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) access: Access,
    pub(crate) row_security: RowSecurity,
}

/// How many digits a number may have, and how many of them behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Digits {
    pub(crate) precision: u16,
    pub(crate) scale: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Column {
    pub(crate) name: Arc<str>,
    pub(crate) data_type: Type,
    /// Of a `numeric(precision, scale)`.
    pub(crate) digits: Option<Digits>,
    pub(crate) not_null: bool,
    pub(crate) default: Option<Default>,
    pub(crate) dropped: bool,
    /// What rows have that are older than the column.
    pub(crate) missing: Value,
    /// Privileges on the column alone.
    pub(crate) acl: Acl,
    /// Who may draw numbers from a serial column's sequence.
    pub(crate) sequence: Option<Access>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Default {
    Expr(Expr),
    /// `serial`: the next number of the table's column's own sequence.
    Sequence(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Index {
    pub(crate) id: IndexId,
    pub(crate) name: Arc<str>,
    pub(crate) columns: Vec<IndexColumn>,
    pub(crate) unique: bool,
    pub(crate) primary: bool,
    /// Made by a constraint, which has the index's name.
    pub(crate) constraint: bool,
    /// Only rows for which this is true are in it.
    pub(crate) filter: Option<RowCondition>,
}

/// A condition of the catalog over one row: as written, and compiled with slot *n* for column *n*.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct RowCondition {
    pub(crate) expression: Expr,
    pub(crate) program: Program,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct IndexColumn {
    pub(crate) column: u16,
    pub(crate) order: Order,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Check {
    pub(crate) name: Arc<str>,
    pub(crate) condition: RowCondition,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ForeignKey {
    pub(crate) name: Arc<str>,
    pub(crate) columns: Vec<u16>,
    pub(crate) parent: RelationId,
    pub(crate) parent_columns: Vec<u16>,
    pub(crate) on_delete: ReferentialAction,
    pub(crate) on_update: ReferentialAction,
}

impl Table {
    /// The live column of this name.
    pub(crate) fn column(&self, name: &str) -> Option<u16> {
        let found = self
            .columns
            .iter()
            .position(|column| !column.dropped && *column.name == *name);
        found.map(|at| at as u16)
    }

    pub(crate) fn live_columns(&self) -> impl Iterator<Item = (u16, &Column)> {
        let numbered = self.columns.iter().enumerate().map(|(at, column)| (at as u16, column));
        numbered.filter(|(_, column)| !column.dropped)
    }

    pub(crate) fn primary_key(&self) -> Option<&Index> {
        self.indexes.iter().find(|index| index.primary)
    }

    /// Brings the layout up to date with the columns.
    pub(crate) fn refresh_layout(&mut self) {
        self.layout = Arc::new(Layout {
            types: self.columns.iter().map(|column| column.data_type).collect(),
            missing: self.columns.iter().map(|column| column.missing.clone()).collect(),
        });
    }

    /// The unique index over exactly these columns in any order, as a foreign key needs it.
    pub(crate) fn unique_index_over(&self, columns: &[u16]) -> Option<&Index> {
        self.indexes.iter().find(|index| {
            index.unique
                && index.filter.is_none()
                && index.columns.len() == columns.len()
                && index.columns.iter().all(|part| columns.contains(&part.column))
        })
    }

    /// `auth.users` as messages name a lock's object.
    pub(crate) fn qualified_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl Index {
    /// One that a foreign key could refer to.
    pub(crate) fn is_key(&self) -> bool {
        self.unique && self.filter.is_none()
    }

    pub(crate) fn covers(&self, column: u16) -> bool {
        self.columns.iter().any(|part| part.column == column)
    }
}
