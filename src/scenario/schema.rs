//! The logical schema: what the scenario's tables are, whoever stores them.

use base::Type;
use syntax::{DataTypeKind, Expr, ObjectName, ReferentialAction};

use crate::{Place, Source};

/// Into [`Schema::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u16);

/// Into [`Table::columns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u16);

#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// The SQL schemas in order of appearance: each is a domain, a service.
    pub owners: Vec<String>,
    /// In order of definition.
    pub tables: Vec<Table>,
    /// Of all expressions below.
    pub source: Source,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Into [`Schema::owners`].
    pub owner: u16,
    /// Its owner's name, kept here for messages: `auth`.
    pub schema: String,
    /// Without the owner: `users`.
    pub name: String,
    pub columns: Vec<Column>,
    /// Empty: none.
    pub primary_key: Vec<ColumnId>,
    pub unique: Vec<Unique>,
    pub foreign_keys: Vec<ForeignKey>,
    pub checks: Vec<Check>,
    pub indexes: Vec<Index>,
    /// The scenario's tenant column, if this table has it. See also [`Schema::is_of_tenants`].
    pub tenant: Option<ColumnId>,
    /// Likewise, the column that says where the row must stay.
    pub region: Option<ColumnId>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub data_type: Type,
    /// Of a `numeric(precision, scale)`.
    pub digits: Option<(u16, u16)>,
    /// As declared, or implied by the primary key.
    pub not_null: bool,
    pub default: Option<Expr>,
    pub class: Option<Class>,
    pub place: Place,
}

impl Column {
    /// The type as declared.
    pub fn declared(&self) -> DataTypeKind {
        match self.digits {
            Some((precision, scale)) => DataTypeKind::Digits { precision, scale },
            None => DataTypeKind::Known(self.data_type),
        }
    }
}

/// Whose business a column's contents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Protected health information.
    Phi,
    /// Personally identifiable information.
    Pii,
    /// About the data, not about a person.
    Metadata,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Unique {
    pub name: Option<String>,
    pub columns: Vec<ColumnId>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ForeignKey {
    pub name: Option<String>,
    pub columns: Vec<ColumnId>,
    pub table: TableId,
    /// As many as `columns`; resolved to the primary key if the file names none.
    pub referenced: Vec<ColumnId>,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: Option<String>,
    pub condition: Expr,
    pub place: Place,
}

/// A secondary index over plain columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    pub name: Option<String>,
    pub columns: Vec<IndexColumn>,
    pub unique: bool,
    /// A partial index: the rows that it covers.
    pub filter: Option<Expr>,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexColumn {
    pub column: ColumnId,
    pub descending: bool,
}

impl TableId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ColumnId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Schema {
    pub fn table(&self, id: TableId) -> &Table {
        &self.tables[id.index()]
    }

    pub fn column(&self, table: TableId, column: ColumnId) -> &Column {
        &self.tables[table.index()].columns[column.index()]
    }

    /// The table that a statement names, always with its owner: `auth.users`.
    pub fn find(&self, name: &ObjectName) -> Option<TableId> {
        let owner = name.schema.as_ref()?.as_str();
        self.find_named(owner, name.name.as_str())
    }

    pub fn find_named(&self, owner: &str, name: &str) -> Option<TableId> {
        let position = self
            .tables
            .iter()
            .position(|table| table.schema == owner && table.name == name)?;
        Some(TableId(position as u16))
    }

    /// Do the table's rows belong to tenants: by a tenant column, or by a foreign key to a table whose rows do?
    pub fn is_of_tenants(&self, id: TableId) -> bool {
        let mut seen = vec![id];
        let mut next = 0;
        while let Some(table) = seen.get(next).map(|id| self.table(*id)) {
            if table.tenant.is_some() {
                return true;
            }
            let parents = table.foreign_keys.iter().map(|key| key.table);
            for parent in parents {
                if !seen.contains(&parent) {
                    seen.push(parent);
                }
            }
            next += 1;
        }
        false
    }

    pub fn ids(&self) -> impl Iterator<Item = TableId> + use<> {
        (0..self.tables.len() as u16).map(TableId)
    }
}

impl Table {
    /// `auth.users`
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    pub fn find(&self, column: &str) -> Option<ColumnId> {
        let position = self.columns.iter().position(|c| c.name == column)?;
        Some(ColumnId(position as u16))
    }

    pub fn column(&self, id: ColumnId) -> &Column {
        &self.columns[id.index()]
    }

    /// Name and type of each column.
    pub fn typed_columns(&self) -> Vec<(String, Type)> {
        let columns = self.columns.iter();
        columns.map(|column| (column.name.clone(), column.data_type)).collect()
    }

    /// Do these columns, in any order, hold a primary key, UNIQUE constraint or full unique index?
    pub fn is_key(&self, columns: &[ColumnId]) -> bool {
        let covers = |key: &[ColumnId]| !key.is_empty() && key.iter().all(|column| columns.contains(column));
        covers(&self.primary_key)
            || self.unique.iter().any(|unique| covers(&unique.columns))
            || self.indexes.iter().any(|index| {
                let key: Vec<ColumnId> = index.columns.iter().map(|c| c.column).collect();
                index.unique && index.filter.is_none() && covers(&key)
            })
    }
}
