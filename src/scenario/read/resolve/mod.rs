//! Names and types of SQL over the logical schema: which table, which column, which variable, and whether
//! types agree where that is cheap to see. Messages follow PostgreSQL's.
//!
//! Not checked here, but by the engine that runs it: functions, grouping, casts, JSON.

mod expression;
mod query;
mod statement;
mod variables;

use std::collections::BTreeSet;
use std::sync::Arc;

use base::Type;
use syntax::{Expr, ObjectName, Span};

use crate::document::Reading;
use crate::{ColumnId, Schema, Source, TableId, names};

pub(super) use variables::{Origin, Variables};

/// What is known of an expression's value.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// `None`: not known, or a literal that takes the type it meets.
    pub(super) data_type: Option<Type>,
    /// It is this column, or a variable compared with or written to it.
    pub(super) column: Option<(TableId, ColumnId)>,
    /// It is this variable.
    pub(super) variable: Option<Arc<str>>,
}

impl Found {
    fn of(data_type: Type) -> Found {
        Found::maybe(Some(data_type))
    }

    fn maybe(data_type: Option<Type>) -> Found {
        Found {
            data_type,
            ..Found::default()
        }
    }
}

/// A column of a query's result, or of a relation in FROM.
#[derive(Clone, Debug)]
pub(super) struct Output {
    name: Arc<str>,
    pub(super) found: Found,
}

/// One item of FROM.
#[derive(Clone, Debug)]
struct Relation {
    /// Its alias, or the table's name.
    name: Arc<str>,
    /// Only without an alias: `auth.users.id` names a column too.
    schema: Option<Arc<str>>,
    columns: Vec<Output>,
    /// Its columns are not known (the table does not exist): any name is taken.
    open: bool,
}

/// What a column's name may refer to, innermost first.
#[derive(Debug, Default)]
struct Scope<'s> {
    relations: Vec<Relation>,
    /// Columns merged by USING or NATURAL: not ambiguous.
    merged: Vec<Arc<str>>,
    outer: Option<&'s Scope<'s>>,
}

/// Resolves the pieces of SQL of one source text.
#[derive(Debug)]
pub(super) struct Resolver<'r, 'a> {
    schema: &'r Schema,
    source: &'r Source,
    reading: &'r mut Reading<'a>,
    /// Common table expressions in sight.
    common: Vec<(Arc<str>, Vec<Output>)>,
    pub(super) variables: Variables,
    pub(super) reads: BTreeSet<TableId>,
    pub(super) writes: BTreeSet<TableId>,
}

impl<'r, 'a> Resolver<'r, 'a> {
    pub(super) fn new(schema: &'r Schema, source: &'r Source, reading: &'r mut Reading<'a>) -> Resolver<'r, 'a> {
        Resolver {
            schema,
            source,
            reading,
            common: vec![],
            variables: Variables::default(),
            reads: BTreeSet::new(),
            writes: BTreeSet::new(),
        }
    }

    pub(super) fn error(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.reading.error(self.source.place(span), message, hint);
    }

    pub(super) fn reading(&mut self) -> &mut Reading<'a> {
        self.reading
    }

    /// The table of this name, or a message.
    pub(super) fn table(&mut self, name: &ObjectName) -> Option<TableId> {
        let found = self.schema.find(name);
        if found.is_none() {
            let (message, hint) = self.unknown_table(name);
            self.error(name.span(), message, hint);
        }
        found
    }

    fn unknown_table(&self, name: &ObjectName) -> (String, Option<String>) {
        let bare = name.name.as_str();
        let known: Vec<String> = self.schema.tables.iter().map(|table| table.full_name()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        if let Some(schema) = &name.schema {
            let full = format!("{}.{bare}", schema.as_str());
            return (
                format!("relation \"{full}\" does not exist"),
                names::suggestion(&full, &known, "tables"),
            );
        }
        let owned = self
            .schema
            .tables
            .iter()
            .filter(|table| table.name == bare)
            .map(|table| table.full_name());
        let owned: Vec<String> = owned.collect();
        if owned.is_empty() {
            (
                format!("relation \"{bare}\" does not exist"),
                names::suggestion(bare, &known, "tables"),
            )
        } else {
            let message = format!("table \"{bare}\" is named without its owner");
            (message, Some(format!("write {}", owned.join(" or "))))
        }
    }

    /// A condition over one row of a table: CHECK, the filter of a partial index.
    pub(super) fn row_expression(&mut self, table: TableId, condition: &Expr) {
        let scope = Scope {
            relations: vec![self.relation_of(table, None)],
            ..Scope::default()
        };
        let found = self.expression(condition, &scope);
        self.boolean(&found, condition.span);
    }

    /// An expression that may name no column: DEFAULT, ABORT WHEN.
    pub(super) fn constant_expression(&mut self, expression: &Expr) -> Found {
        self.expression(expression, &Scope::default())
    }

    fn relation_of(&self, id: TableId, alias: Option<&Arc<str>>) -> Relation {
        let table = self.schema.table(id);
        let columns = table.columns.iter().enumerate().map(|(position, column)| Output {
            name: column.name.as_str().into(),
            found: Found {
                data_type: Some(column.data_type),
                column: Some((id, ColumnId(position as u16))),
                variable: None,
            },
        });
        Relation {
            name: alias.cloned().unwrap_or_else(|| table.name.as_str().into()),
            schema: alias.is_none().then(|| table.schema.as_str().into()),
            columns: columns.collect(),
            open: false,
        }
    }

    /// A value stored in a column.
    pub(super) fn assignable(&mut self, found: Found, data_type: Type, column: &str, span: Span) {
        if let Some(variable) = &found.variable {
            self.variables.used_as(variable, data_type, found.column, true);
        }
        let fits = |from: Type| data_type == Type::Text || alike(from, data_type);
        if let Some(from) = found.data_type.filter(|from| !fits(*from)) {
            let message = format!("column \"{column}\" is of type {data_type} but expression is of type {from}");
            self.error(span, message, None);
        }
    }

    pub(super) fn boolean(&mut self, found: &Found, span: Span) {
        if let Some(variable) = &found.variable {
            self.variables.used_as(variable, Type::Bool, None, false);
        } else if let Some(from) = found.data_type.filter(|from| *from != Type::Bool) {
            self.error(
                span,
                format!("a condition must be of type boolean, not type {from}"),
                None,
            );
        }
    }
}

fn is_number(data_type: Type) -> bool {
    data_type.is_whole() || matches!(data_type, Type::Numeric | Type::Float8)
}

/// Can they be compared with each other, and stored as each other?
fn alike(a: Type, b: Type) -> bool {
    let instant = |of: Type| matches!(of, Type::Date | Type::Timestamp | Type::Timestamptz);
    a == b || (is_number(a) && is_number(b)) || (instant(a) && instant(b))
}
