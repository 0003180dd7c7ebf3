//! What a statement reads, as a query: the rows that it answers, or those that it is going to change.
//!
//! A write is compiled as a query whose rows are the new rows. They carry, after the table's columns:
//!
//! | column | |
//! |---|---|
//! | `row revision` | what tells the stored row from what it was before, as it was read; NULL: it is not stored |
//! | `stored x` | what the stored row has in a column that other rows answer for (UNIQUE, FOREIGN KEY) |
//! | `row gone` | the row is to be deleted |

use std::collections::BTreeMap;

use base::Type;
use scenario::{Column, ColumnId, ForeignKey, Schema, Table, TableId};
use syntax::{
    DataType, DataTypeKind, Delete, Distinct, Expr, ExprKind, Insert, InsertSource, Name, ObjectName, Query, QueryBody,
    Select, SelectItem, SetOperator, Span, Statement, TableAlias, TableRef, Update, visit,
};

use super::STARTED;
use super::check::columns_of;
use crate::lower::statement::select;
use crate::sql::facts;

pub(crate) const REVISION: &str = "row revision";
pub(crate) const GONE: &str = "row gone";

/// The columns whose stored values must be known when a row changes, in the table's order.
pub(crate) fn tracked(table: &Table) -> Vec<ColumnId> {
    let mut columns: Vec<ColumnId> = uniques(table).concat();
    for index in table.indexes.iter().filter(|index| index.unique) {
        if let Some(filter) = &index.filter {
            columns.extend(index.columns.iter().map(|part| part.column));
            columns.extend(columns_of(table, filter));
        }
    }
    columns.extend(table.foreign_keys.iter().flat_map(|key: &ForeignKey| &key.columns));
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// Every key besides the primary one that the logical schema holds unique among all rows. Not those that hold
/// for some rows.
pub(crate) fn uniques(table: &Table) -> Vec<Vec<ColumnId>> {
    let mut keys: Vec<Vec<ColumnId>> = Vec::new();
    let declared = table.unique.iter().map(|unique| unique.columns.clone());
    let indexed = table
        .indexes
        .iter()
        .filter(|index| index.unique && index.filter.is_none());
    let indexed = indexed.map(|index| index.columns.iter().map(|part| part.column).collect());
    for mut key in declared.chain(indexed) {
        key.sort_unstable();
        let mut primary = table.primary_key.clone();
        primary.sort_unstable();
        if key != primary && !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

pub(crate) fn stored(column: &str) -> String {
    format!("stored {column}")
}

/// The columns of a row that is going to be written.
pub(crate) fn written_columns(table: &Table, revision: Type) -> Vec<(String, Type)> {
    let mut columns = overlaid_columns(table, revision);
    columns.push((GONE.to_owned(), Type::Bool));
    columns
}

/// The columns of a row read by an operation that has written to the table before.
pub(crate) fn overlaid_columns(table: &Table, revision: Type) -> Vec<(String, Type)> {
    let mut columns = read_columns(table, revision);
    let tracked = tracked(table);
    columns.extend(
        tracked
            .iter()
            .map(|id| (stored(&table.column(*id).name), table.column(*id).data_type)),
    );
    columns
}

/// The columns of a row as it is read.
pub(crate) fn read_columns(table: &Table, revision: Type) -> Vec<(String, Type)> {
    let own = table
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.data_type));
    own.chain([(REVISION.to_owned(), revision)]).collect()
}

pub(crate) fn written_names(table: &Table) -> Vec<String> {
    let columns = written_columns(table, Type::Bool);
    columns.into_iter().map(|(name, _)| name).collect()
}

/// What a statement reads of the tables, as a query. `overlaid`: its target has been written to before in the
/// same operation.
pub(crate) fn query(schema: &Schema, statement: &Statement, overlaid: bool, revision: Type) -> Option<Query> {
    match statement {
        Statement::Query(query) => Some((**query).clone()),
        Statement::Insert(insert) => inserted(schema, insert, revision),
        Statement::Update(update) => updated(schema, update, overlaid),
        Statement::Delete(delete) => deleted(schema, delete, overlaid),
        _ => None,
    }
}

/// The table that a statement writes, and how its columns are qualified in the query above.
pub(crate) fn target(schema: &Schema, statement: &Statement) -> Option<TableId> {
    match statement {
        Statement::Insert(insert) => schema.find(&insert.table),
        Statement::Update(update) => schema.find(&update.table),
        Statement::Delete(delete) => schema.find(&delete.table),
        _ => None,
    }
}

// ---- INSERT

fn inserted(schema: &Schema, insert: &Insert, revision: Type) -> Option<Query> {
    let table = schema.table(schema.find(&insert.table)?);
    let source = match &insert.source {
        InsertSource::DefaultValues => return Some(from_select(row(table, &BTreeMap::new(), revision))),
        InsertSource::Query(source) => source,
    };
    let QueryBody::Values(rows) = &source.body else {
        return Some(inserted_query(table, insert, source, revision));
    };
    let each = rows
        .iter()
        .map(|values| from_select(row(table, &given(table, insert, values), revision)));
    each.reduce(|left, right| {
        let mut both = from_select(Select {
            items: Vec::new(),
            ..empty()
        });
        both.body = QueryBody::SetOperation {
            operator: SetOperator::Union,
            all: true,
            left: Box::new(left),
            right: Box::new(right),
        };
        both
    })
}

/// Which column gets which value; those with DEFAULT are left out.
pub(crate) fn given<'a>(table: &Table, insert: &Insert, values: &'a [Expr]) -> BTreeMap<ColumnId, &'a Expr> {
    let columns = insert_columns(table, insert, values.len());
    let pairs = columns.into_iter().zip(values);
    pairs.filter(|(_, value)| value.kind != ExprKind::Default).collect()
}

fn insert_columns(table: &Table, insert: &Insert, count: usize) -> Vec<ColumnId> {
    if insert.columns.is_empty() {
        return (0..table.columns.len().min(count) as u16).map(ColumnId).collect();
    }
    insert
        .columns
        .iter()
        .filter_map(|name| table.find(name.as_str()))
        .collect()
}

/// What a column gets if a statement gives it nothing.
pub(crate) fn default(table: &Table, column: ColumnId) -> Expr {
    let default = table.column(column).default.clone();
    let mut default = default.unwrap_or_else(|| plain(ExprKind::Null));
    visit::exprs_of_mut(&mut default, &mut |expr| {
        if facts::is_now(expr) {
            expr.kind = ExprKind::Variable(Name::new(STARTED));
        }
    });
    default
}

/// Does a statement take the present from a default?
pub(crate) fn is_timed(schema: &Schema, statement: &Statement) -> bool {
    let Some(target) = target(schema, statement) else {
        return false;
    };
    let defaults = schema
        .table(target)
        .columns
        .iter()
        .filter_map(|column| column.default.as_ref());
    let mut timed = false;
    for default in defaults {
        visit::exprs_of(default, &mut |expr| timed |= facts::is_now(expr));
    }
    timed && !matches!(statement, Statement::Delete(_))
}

fn row(table: &Table, given: &BTreeMap<ColumnId, &Expr>, revision: Type) -> Select {
    let value = |id: ColumnId| match given.get(&id) {
        Some(expr) => (*expr).clone(),
        None => default(table, id),
    };
    Select {
        items: new_row(table, value, revision),
        ..empty()
    }
}

fn inserted_query(table: &Table, insert: &Insert, source: &Query, revision: Type) -> Query {
    let count = if insert.columns.is_empty() {
        table.columns.len()
    } else {
        insert.columns.len()
    };
    let columns = insert_columns(table, insert, count);
    let name = |position: usize| Name::new(format!("given {}", position + 1));
    let value = |id: ColumnId| match columns.iter().position(|column| *column == id) {
        Some(position) => column(&[Name::new("source"), name(position)]),
        None => default(table, id),
    };
    let alias = TableAlias {
        name: Name::new("source"),
        columns: (0..columns.len()).map(name).collect(),
    };
    from_select(Select {
        items: new_row(table, value, revision),
        from: vec![TableRef::Derived {
            query: Box::new(source.clone()),
            alias: Some(alias),
        }],
        ..empty()
    })
}

fn new_row(table: &Table, value: impl Fn(ColumnId) -> Expr, revision: Type) -> Vec<SelectItem> {
    let own = ids(table).map(|id| named(cast_to(value(id), table.column(id)), &table.column(id).name));
    let none = named(cast(plain(ExprKind::Null), revision), REVISION);
    let stored = tracked(table).into_iter().map(|id| {
        let column = table.column(id);
        named(cast(plain(ExprKind::Null), column.data_type), &stored(&column.name))
    });
    let gone = named(plain(ExprKind::Bool(false)), GONE);
    own.chain([none]).chain(stored).chain([gone]).collect()
}

// ---- UPDATE, DELETE

fn updated(schema: &Schema, update: &Update, overlaid: bool) -> Option<Query> {
    let table = schema.table(schema.find(&update.table)?);
    let qualifier = qualifier(&update.table, update.alias.as_ref());
    let assigned: BTreeMap<ColumnId, &Expr> = update
        .assignments
        .iter()
        .filter_map(|assignment| Some((table.find(assignment.column.as_str())?, &assignment.value)))
        .collect();
    let value = |id: ColumnId| match assigned.get(&id) {
        Some(expr) if expr.kind == ExprKind::Default => cast_to(default(table, id), table.column(id)),
        Some(expr) => cast_to((*expr).clone(), table.column(id)),
        None => qualified(&qualifier, &table.column(id).name),
    };
    let items = changed_row(table, &qualifier, overlaid, false, value);
    Some(over_target(
        table,
        &update.table,
        update.alias.as_ref(),
        &update.from,
        update.filter.as_ref(),
        items,
    ))
}

fn deleted(schema: &Schema, delete: &Delete, overlaid: bool) -> Option<Query> {
    let table = schema.table(schema.find(&delete.table)?);
    let qualifier = qualifier(&delete.table, delete.alias.as_ref());
    let value = |id: ColumnId| qualified(&qualifier, &table.column(id).name);
    let items = changed_row(table, &qualifier, overlaid, true, value);
    Some(over_target(
        table,
        &delete.table,
        delete.alias.as_ref(),
        &delete.using,
        delete.filter.as_ref(),
        items,
    ))
}

fn changed_row(
    table: &Table,
    qualifier: &[Name],
    overlaid: bool,
    gone: bool,
    value: impl Fn(ColumnId) -> Expr,
) -> Vec<SelectItem> {
    let own = ids(table).map(|id| named(value(id), &table.column(id).name));
    let revision = named(qualified(qualifier, REVISION), REVISION);
    let stored = tracked(table).into_iter().map(|id| {
        let column = &table.column(id).name;
        let source = if overlaid { stored(column) } else { column.clone() };
        named(qualified(qualifier, &source), &stored(column))
    });
    let gone = named(plain(ExprKind::Bool(gone)), GONE);
    own.chain([revision]).chain(stored).chain([gone]).collect()
}

fn over_target(
    table: &Table,
    name: &ObjectName,
    alias: Option<&Name>,
    others: &[TableRef],
    filter: Option<&Expr>,
    items: Vec<SelectItem>,
) -> Query {
    let target = TableRef::Table {
        name: name.clone(),
        only: false,
        alias: alias.map(|name| TableAlias {
            name: name.clone(),
            columns: Vec::new(),
        }),
    };
    let qualifier = qualifier(name, alias);
    // A row that is joined to several others is changed once.
    let distinct = if others.is_empty() {
        Distinct::All
    } else {
        let key = table
            .primary_key
            .iter()
            .map(|id| qualified(&qualifier, &table.column(*id).name));
        Distinct::On(key.collect())
    };
    from_select(Select {
        distinct,
        items,
        from: [vec![target], others.to_vec()].concat(),
        filter: filter.cloned(),
        ..empty()
    })
}

// ---- pieces of trees

fn qualifier(name: &ObjectName, alias: Option<&Name>) -> Vec<Name> {
    match (alias, &name.schema) {
        (Some(alias), _) => vec![alias.clone()],
        (None, Some(schema)) => vec![schema.clone(), name.name.clone()],
        (None, None) => vec![name.name.clone()],
    }
}

fn qualified(qualifier: &[Name], name: &str) -> Expr {
    column(&[qualifier, &[Name::new(name)]].concat())
}

fn column(path: &[Name]) -> Expr {
    plain(ExprKind::Column(path.to_vec()))
}

pub(crate) fn cast(expr: Expr, data_type: Type) -> Expr {
    cast_as(expr, DataTypeKind::Known(data_type))
}

/// As a column keeps it.
pub(crate) fn cast_to(expr: Expr, column: &Column) -> Expr {
    cast_as(expr, column.declared())
}

fn cast_as(expr: Expr, kind: DataTypeKind) -> Expr {
    plain(ExprKind::Cast {
        operand: Box::new(expr),
        data_type: DataType {
            kind,
            span: Span::default(),
        },
    })
}

fn named(expr: Expr, alias: &str) -> SelectItem {
    SelectItem::Expr {
        expr,
        alias: Some(Name::new(alias)),
    }
}

fn plain(kind: ExprKind) -> Expr {
    Expr::new(kind, Span::default())
}

fn from_select(select_: Select) -> Query {
    let mut query = select(plain(ExprKind::Null));
    query.body = QueryBody::Select(Box::new(select_));
    query
}

fn empty() -> Select {
    Select {
        distinct: Distinct::All,
        items: Vec::new(),
        into: Vec::new(),
        from: Vec::new(),
        filter: None,
        group_by: Vec::new(),
        having: None,
    }
}

pub(crate) fn ids(table: &Table) -> impl Iterator<Item = ColumnId> + use<> {
    (0..table.columns.len() as u16).map(ColumnId)
}
