//! The definition of a table: columns, indexes, constraints.

use std::sync::Arc;

use base::{Type, Value};
use syntax::{Deferral, Expr, ReferentialAction};

use super::{Access, Acl, PartitionBound, PartitionKey, RowSecurity};
use crate::expr::{Bound, Program};
use crate::key::{ColumnKey, Order};
use crate::row::Layout;
use crate::storage::{DatabaseId, IndexId, KeyOf, RelationId};

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
    /// The tables that it inherits from, or the one that it is a partition of.
    pub(crate) parents: Vec<RelationId>,
    /// Others may inherit from it, or be its partitions.
    pub(crate) has_children: bool,
    /// A partitioned table has no rows of its own.
    pub(crate) partition_key: Option<Arc<PartitionKey>>,
    /// Of a partition: which rows it takes.
    pub(crate) bound: Option<PartitionBound>,
    /// How full new rows make its pages, in percent.
    pub(crate) fill: u8,
    pub(crate) layout: Arc<Layout>,
    pub(crate) access: Access,
    pub(crate) row_security: RowSecurity,
}

/// What a column takes less of than its type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Modifier {
    /// `numeric(precision, scale)`: how many digits, and how many of them behind the point.
    Digits { precision: u16, scale: u16 },
    /// `varchar(length)`, in characters.
    Length(u32),
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Column {
    pub(crate) name: Arc<str>,
    pub(crate) data_type: Type,
    pub(crate) modifier: Option<Modifier>,
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

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Default {
    Expr(Expr),
    /// `GENERATED ALWAYS AS (…) STORED`: what the row's other columns give.
    Generated(Arc<RowExpression>),
    /// `serial`: the next number of the table's column's own sequence.
    Sequence(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Index {
    pub(crate) id: IndexId,
    pub(crate) name: Arc<str>,
    /// Its key.
    pub(crate) columns: Vec<IndexColumn>,
    /// The name of the partitioned table's index that it is a part of.
    pub(crate) part_of: Option<Arc<str>>,
    /// What comes along with the key (INCLUDE). There is no scan of an index alone, so entries need not hold it.
    pub(crate) included: Vec<u16>,
    pub(crate) unique: bool,
    pub(crate) primary: bool,
    /// Made by a constraint, which has the index's name.
    pub(crate) constraint: bool,
    /// Only rows for which this is true are in it.
    pub(crate) filter: Option<RowExpression>,
}

/// An expression of the catalog over one row: as written, and with slot *n* for column *n*.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct RowExpression {
    pub(crate) expression: Expr,
    pub(crate) bound: Bound,
    pub(crate) program: Program,
    /// The columns that it reads.
    pub(crate) columns: Vec<u16>,
}

impl RowExpression {
    /// One that stands for an expression which is still to be bound.
    pub(crate) fn unbound(expression: &Expr) -> RowExpression {
        let bound = Bound::constant(Value::Null, crate::types::SqlType::Unknown);
        RowExpression {
            expression: expression.clone(),
            program: Program::new(&bound),
            bound,
            columns: Vec::new(),
        }
    }
}

/// A part of an index's key.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct IndexColumn {
    pub(crate) key: IndexKey,
    pub(crate) order: Order,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum IndexKey {
    Column(u16),
    Expression(Arc<RowExpression>),
}

impl Column {
    /// The expression of a generated column.
    pub(crate) fn generated(&self) -> Option<&Arc<RowExpression>> {
        match &self.default {
            Some(Default::Generated(expression)) => Some(expression),
            _ => None,
        }
    }
}

impl IndexColumn {
    /// The column, if it is no expression.
    pub(crate) fn column(&self) -> Option<u16> {
        match &self.key {
            IndexKey::Column(column) => Some(*column),
            IndexKey::Expression(_) => None,
        }
    }

    /// The columns that it is made of.
    pub(crate) fn reads(&self) -> &[u16] {
        match &self.key {
            IndexKey::Column(column) => std::slice::from_ref(column),
            IndexKey::Expression(expression) => &expression.columns,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Check {
    pub(crate) name: Arc<str>,
    pub(crate) condition: RowExpression,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ForeignKey {
    pub(crate) name: Arc<str>,
    pub(crate) columns: Vec<u16>,
    pub(crate) parent: RelationId,
    pub(crate) parent_columns: Vec<u16>,
    pub(crate) on_delete: ReferentialAction,
    pub(crate) on_update: ReferentialAction,
    pub(crate) deferral: Deferral,
}

impl Table {
    /// A table of which no more is known than what columns it has; it is its own heap.
    pub(crate) fn without_rules<'a>(
        id: RelationId,
        database: DatabaseId,
        (schema, name): (&str, &str),
        columns: impl Iterator<Item = (&'a str, Type)>,
        access: Access,
    ) -> Table {
        let columns = columns.map(|(name, data_type)| Column {
            name: name.into(),
            data_type,
            not_null: false,
            default: None,
            dropped: false,
            missing: Value::Null,
            acl: Acl::default(),
            modifier: None,
            sequence: None,
        });
        Table {
            id,
            heap: id,
            database,
            schema: schema.into(),
            name: name.into(),
            columns: columns.collect(),
            indexes: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            parents: Vec::new(),
            has_children: false,
            partition_key: None,
            bound: None,
            layout: Arc::new(Layout::default()),
            fill: 100,
            access,
            row_security: RowSecurity::default(),
        }
    }

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

    /// What the keys of an index of these columns are made of, from a row's bytes; `None` if it takes more than
    /// columns. The layout is up to date.
    pub(crate) fn key_of(&self, columns: &[IndexColumn]) -> Option<Arc<dyn KeyOf>> {
        let parts: Option<Vec<_>> = columns.iter().map(|part| Some((part.column()?, part.order))).collect();
        Some(Arc::new(ColumnKey::new(self.layout.clone(), parts?)))
    }

    /// The unique index over exactly these columns in any order, as a foreign key needs it.
    pub(crate) fn unique_index_over(&self, columns: &[u16]) -> Option<&Index> {
        self.indexes.iter().find(|index| {
            index.is_key()
                && index.columns.len() == columns.len()
                && index.key_columns().all(|column| columns.contains(&column))
        })
    }

    /// Where the columns of another table, of the same names, are in this one.
    pub(crate) fn columns_of(&self, other: &Table) -> Vec<Option<u16>> {
        let live = |column: &Column| {
            if column.dropped {
                None
            } else {
                self.column(&column.name)
            }
        };
        other.columns.iter().map(live).collect()
    }

    /// `auth.users` as messages name a lock's object.
    pub(crate) fn qualified_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl Index {
    /// One that a foreign key could refer to.
    pub(crate) fn is_key(&self) -> bool {
        self.unique && self.filter.is_none() && self.columns.iter().all(|part| part.column().is_some())
    }

    /// The parts of its key that are columns.
    pub(crate) fn key_columns(&self) -> impl Iterator<Item = u16> {
        self.columns.iter().filter_map(IndexColumn::column)
    }

    /// Whether a column is part of the key.
    pub(crate) fn covers(&self, column: u16) -> bool {
        self.key_columns().any(|key| key == column)
    }

    /// Every column that it is made of: of its key, of expressions in it, of its condition, included ones.
    pub(crate) fn reads(&self) -> impl Iterator<Item = u16> {
        let key = self.columns.iter().flat_map(IndexColumn::reads);
        let filter = self.filter.iter().flat_map(|filter| &filter.columns);
        key.chain(filter).chain(&self.included).copied()
    }
}
