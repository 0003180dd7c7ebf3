//! The parts of definitions: tables, their columns and constraints, partitions, indexes, functions.

use std::sync::Arc;

use base::Type;

use crate::Span;
use crate::access::{RoleRef, RowSecurity};
use crate::expression::Expr;
use crate::tree::{Name, ObjectName, OrderBy, Query};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTable {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub columns: Vec<ColumnDef>,
    pub constraints: Vec<TableConstraint>,
    pub inherits: Vec<ObjectName>,
    pub partition_of: Option<PartitionOf>,
    pub partition_by: Option<PartitionBy>,
    pub parameters: Vec<StorageParameter>,
}

/// `PARTITION OF parent FOR VALUES …`: the columns are the parent's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionOf {
    pub parent: ObjectName,
    pub bound: PartitionBound,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PartitionBound {
    Default,
    In(Vec<Expr>),
    /// MINVALUE and MAXVALUE are columns of these names.
    Range {
        from: Vec<Expr>,
        to: Vec<Expr>,
    },
    Hash {
        modulus: u32,
        remainder: u32,
    },
}

/// `PARTITION BY strategy (columns and expressions)`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionBy {
    pub strategy: PartitionStrategy,
    pub keys: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartitionStrategy {
    List,
    Range,
    Hash,
}

/// `CREATE TABLE name AS query`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTableAs {
    pub name: ObjectName,
    pub if_not_exists: bool,
    /// Names for the query's first columns.
    pub columns: Vec<Name>,
    pub parameters: Vec<StorageParameter>,
    pub query: Query,
    /// False: WITH NO DATA.
    pub data: bool,
}

/// `CREATE [OR REPLACE] FUNCTION name(arguments) RETURNS type LANGUAGE language AS 'body'`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateFunction {
    pub name: ObjectName,
    pub or_replace: bool,
    pub arguments: Vec<FunctionArgument>,
    pub returns: DataType,
    pub language: Name,
    pub body: Arc<str>,
    /// NULL when an argument is NULL.
    pub strict: bool,
    pub volatility: Volatility,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionArgument {
    pub name: Option<Name>,
    pub data_type: DataType,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Volatility {
    Immutable,
    Stable,
    #[default]
    Volatile,
}

/// A function by its name and, if there are several of that name, its arguments' types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionName {
    pub name: ObjectName,
    pub arguments: Option<Vec<DataType>>,
}

/// `fillfactor = 70` in WITH (…).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StorageParameter {
    pub name: Name,
    /// As written; without one it is `true`.
    pub value: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnDef {
    pub name: Name,
    pub data_type: DataType,
    pub not_null: bool,
    pub default: Option<Expr>,
    /// `GENERATED ALWAYS AS (expression) STORED`
    pub generated: Option<Expr>,
    /// Column constraints, normalised to table constraints over this one column.
    pub constraints: Vec<TableConstraint>,
}

/// A type as written. `serial` and `bigserial` are kept apart: they imply a sequence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DataType {
    pub kind: DataTypeKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DataTypeKind {
    Known(Type),
    /// `numeric(10,2)`: how many digits, and how many of them behind the point.
    Digits {
        precision: u16,
        scale: u16,
    },
    /// `varchar(80)`, in characters. Without a length, `varchar` is `text`.
    Length(u32),
    Serial,
    BigSerial,
    /// Parsed, but outside the subset: `real`, `char(2)`, `text[]`.
    Other(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableConstraint {
    pub name: Option<Name>,
    pub kind: ConstraintKind,
    /// Of a foreign key: whether and when its check may wait for the end of the transaction.
    pub deferral: Deferral,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Deferral {
    #[default]
    NotDeferrable,
    /// DEFERRABLE INITIALLY IMMEDIATE
    Deferrable,
    /// DEFERRABLE INITIALLY DEFERRED
    Deferred,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConstraintKind {
    PrimaryKey(Vec<Name>),
    Unique(Vec<Name>),
    Check(Expr),
    ForeignKey {
        columns: Vec<Name>,
        table: ObjectName,
        /// Empty: the referenced table's primary key.
        referenced: Vec<Name>,
        on_delete: ReferentialAction,
        on_update: ReferentialAction,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReferentialAction {
    #[default]
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AlterAction {
    AddColumn { column: ColumnDef, if_not_exists: bool },
    DropColumn { name: Name, if_exists: bool, cascade: bool },
    AddConstraint(TableConstraint),
    DropConstraint { name: Name, if_exists: bool, cascade: bool },
    SetNotNull(Name),
    DropNotNull(Name),
    SetDefault(Name, Expr),
    DropDefault(Name),
    Owner(RoleRef),
    RowSecurity(RowSecurity),
    AttachPartition(ObjectName, PartitionBound),
    DetachPartition(ObjectName),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateIndex {
    pub name: Option<Name>,
    pub table: ObjectName,
    pub unique: bool,
    pub if_not_exists: bool,
    pub columns: Vec<OrderBy>,
    /// `INCLUDE (…)`: columns that come along and are no part of the key.
    pub included: Vec<Name>,
    pub parameters: Vec<StorageParameter>,
    pub filter: Option<Expr>,
}
