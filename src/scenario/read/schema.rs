//! `[schema]`: definitions in SQL → the logical schema.

use std::collections::BTreeMap;

use base::Type;
use base::decimal::MOST_DIGITS;
use syntax::{
    AlterAction, BinaryOperator, ColumnDef, ConstraintKind, CreateIndex, CreateTable, DataType, DataTypeKind, Expr,
};
use syntax::{ExprKind, FunctionCall, Name, ObjectName, ReferentialAction, Span, Statement, TableConstraint};

use crate::document::{Keys, Reading};
use crate::names;
use crate::schema::IndexColumn;
use crate::{Check, Class, Column, ColumnId, ForeignKey, Index, Schema, Source, Table, TableId, Unique};

use super::resolve::Resolver;
use super::{limits, present};

/// Columns that mean something to the whole scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct Special<'a> {
    pub(super) tenant: Option<&'a str>,
    pub(super) region: Option<&'a str>,
}

pub(super) fn schema(mut keys: Keys<'_>, special: Special<'_>, reading: &mut Reading<'_>) -> Schema {
    let hint = "CREATE TABLE statements, each table with its owner: CREATE TABLE auth.users (…)";
    let text = keys.required("sql", hint, reading);
    let classes = keys.take("classes");
    let place = keys.place;
    keys.finish(reading);
    let Some(text) = text else {
        return Schema {
            owners: vec![],
            tables: vec![],
            source: Source::empty(),
        };
    };
    let source = reading.source(&text);
    let items = match syntax::parse_script(&source.text, syntax::Dialect::Scenario) {
        Ok(items) => items,
        Err(error) => {
            reading.syntax_error(&source, error);
            vec![]
        }
    };
    let mut builder = Builder {
        schema: Schema {
            owners: vec![],
            tables: vec![],
            source: source.clone(),
        },
        special,
        source,
        reading,
    };
    for item in &items {
        builder.statement(&item.statement, item.span);
    }
    if let Some(entry) = classes {
        builder.classes(&entry);
    }
    if items.is_empty() && builder.reading.diagnostics.is_empty() {
        builder
            .reading
            .error(place, "the schema has no tables", hint.to_owned());
    }
    builder.finish()
}

struct Builder<'r, 'a> {
    schema: Schema,
    special: Special<'r>,
    source: Source,
    reading: &'r mut Reading<'a>,
}

impl Builder<'_, '_> {
    fn error(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.reading.error(self.source.place(span), message, hint);
    }

    fn statement(&mut self, statement: &Statement, span: Span) {
        match statement {
            Statement::CreateSchema { name, .. } => {
                self.owner(name.as_str());
            }
            Statement::CreateTable(table) => self.table(table),
            Statement::CreateIndex(index) => self.index(index, span),
            Statement::AlterTable { table, actions } => {
                let Some(id) = self.find(table) else { return };
                for action in actions {
                    match action {
                        AlterAction::AddConstraint(constraint) => self.constraint(id, constraint),
                        _ => self.error(span, "only ALTER TABLE … ADD CONSTRAINT is read here", None),
                    }
                }
            }
            _ => {
                let hint =
                    "the schema holds CREATE SCHEMA, CREATE TABLE, CREATE INDEX and ALTER TABLE … ADD CONSTRAINT";
                self.error(span, "this statement does not define a logical table", hint.to_owned());
            }
        }
    }

    /// The owner's number, new or not.
    fn owner(&mut self, name: &str) -> u16 {
        let owners = &mut self.schema.owners;
        let position = owners.iter().position(|owner| owner == name).unwrap_or_else(|| {
            owners.push(name.to_owned());
            owners.len() - 1
        });
        position as u16
    }

    fn table(&mut self, definition: &CreateTable) {
        let name = &definition.name;
        let Some(schema) = &name.schema else {
            let hint = format!(
                "its SQL schema is its owner: CREATE TABLE <owner>.{} (…)",
                name.name.as_str()
            );
            self.error(
                name.span(),
                format!("table \"{}\" has no owner", name.name.as_str()),
                hint,
            );
            return;
        };
        if self.schema.find(name).is_some() {
            let message = format!("table {}.{} is defined twice", schema.as_str(), name.name.as_str());
            return self.error(name.span(), message, None);
        }
        if self.schema.tables.len() >= limits::TABLES || definition.columns.len() > limits::COLUMNS {
            let message = format!(
                "a schema has at most {} tables of {} columns",
                limits::TABLES,
                limits::COLUMNS
            );
            return self.error(name.span(), message, None);
        }
        let parts = definition.partition_of.is_some() || definition.partition_by.is_some();
        if parts || !definition.inherits.is_empty() {
            let hint = "define one table; how it is cut is each design's own affair".to_owned();
            return self.error(name.span(), "partitions and inheritance are not supported here", hint);
        }
        if !definition.parameters.is_empty() {
            let hint = "how rows are stored is each design's own affair".to_owned();
            return self.error(name.span(), "storage parameters are not supported here", hint);
        }
        let owner = self.owner(schema.as_str());
        let mut columns: Vec<Column> = vec![];
        for column in &definition.columns {
            if columns.iter().any(|known| known.name == column.name.as_str()) {
                let message = format!("column \"{}\" is defined twice", column.name.as_str());
                self.error(column.name.span, message, None);
            } else {
                columns.push(self.column(column));
            }
        }
        let special = |wanted: Option<&str>| {
            let position = columns.iter().position(|column| Some(column.name.as_str()) == wanted)?;
            Some(ColumnId(position as u16))
        };
        let table = Table {
            owner,
            schema: schema.as_str().to_owned(),
            name: name.name.as_str().to_owned(),
            tenant: special(self.special.tenant),
            region: special(self.special.region),
            columns,
            primary_key: vec![],
            unique: vec![],
            foreign_keys: vec![],
            checks: vec![],
            indexes: vec![],
            place: self.source.place(name.span()),
        };
        self.tenant_type(&table);
        let id = TableId(self.schema.tables.len() as u16);
        self.schema.tables.push(table);
        let own = definition.columns.iter().flat_map(|column| &column.constraints);
        // Keys first, so that a foreign key of the table to itself finds them.
        let is_foreign = |constraint: &&TableConstraint| matches!(constraint.kind, ConstraintKind::ForeignKey { .. });
        let all: Vec<&TableConstraint> = own.chain(&definition.constraints).collect();
        for constraint in all.iter().filter(|constraint| !is_foreign(constraint)) {
            self.constraint(id, constraint);
        }
        for constraint in all.iter().filter(|constraint| is_foreign(constraint)) {
            self.constraint(id, constraint);
        }
        for column in &definition.columns {
            if let DataTypeKind::Length(length) = column.data_type.kind {
                self.longest(id, column, length);
            }
        }
        self.defaults(id);
    }

    /// A `varchar(n)` is a text with a CHECK, which every design can keep.
    fn longest(&mut self, id: TableId, column: &ColumnDef, length: u32) {
        let span = column.data_type.span;
        let expr = |kind| Box::new(Expr::new(kind, span));
        let call = FunctionCall {
            name: ObjectName {
                schema: None,
                name: Name {
                    text: "char_length".into(),
                    span,
                },
            },
            arguments: vec![Expr::new(ExprKind::Column(vec![column.name.clone()]), span)],
            distinct: false,
            star: false,
            filter: None,
        };
        let condition = ExprKind::Binary {
            operator: BinaryOperator::LessOrEqual,
            left: expr(ExprKind::Function(call)),
            right: expr(ExprKind::Number(length.to_string().into())),
        };
        self.schema.tables[id.index()].checks.push(Check {
            name: None,
            condition: Expr::new(condition, span),
            place: self.source.place(span),
        });
    }

    fn tenant_type(&mut self, table: &Table) {
        let Some(id) = table.tenant else { return };
        let column = table.column(id);
        if column.data_type != Type::Int4 {
            let message = format!("tenants are numbered: \"{}\" must be of type int", column.name);
            self.reading.error(column.place, message, None);
        }
    }

    fn column(&mut self, definition: &ColumnDef) -> Column {
        if let Some(generated) = &definition.generated {
            let hint = "write the value in the operations".to_owned();
            self.error(generated.span, "generated columns are not supported here", hint);
        }
        Column {
            name: definition.name.as_str().to_owned(),
            data_type: self.data_type(&definition.data_type),
            digits: match definition.data_type.kind {
                DataTypeKind::Digits { precision, scale } => Some((precision, scale)),
                _ => None,
            },
            not_null: definition.not_null,
            default: definition.default.as_ref().map(present::expression),
            class: None,
            place: self.source.place(definition.name.span),
        }
    }

    fn data_type(&mut self, data_type: &DataType) -> Type {
        const HINT: &str = "types: bool, smallint, int, bigint, numeric, double precision, text, varchar(n), bytea, uuid, date, \
                            timestamp, timestamptz, jsonb";
        match &data_type.kind {
            DataTypeKind::Known(Type::Interval) => {
                let hint = "store a number of seconds or days; an interval may be added to an instant in a statement";
                self.error(
                    data_type.span,
                    "a column of type interval is not supported",
                    hint.to_owned(),
                );
            }
            DataTypeKind::Known(Type::Daterange) => {
                let hint = "store its first and its last day; a daterange may be made of them in a statement";
                self.error(
                    data_type.span,
                    "a column of type daterange is not supported",
                    hint.to_owned(),
                );
            }
            DataTypeKind::Known(data_type) => return *data_type,
            DataTypeKind::Digits { precision, scale } => {
                if *precision == 0 || *precision > MOST_DIGITS as u16 || scale > precision {
                    let message = format!("numeric({precision},{scale}) is not supported");
                    let hint = format!("a precision from 1 to {MOST_DIGITS}, and a scale from 0 to it");
                    self.error(data_type.span, message, hint);
                }
                return Type::Numeric;
            }
            DataTypeKind::Length(length) => {
                if !(1..=limits::TEXT).contains(length) {
                    let hint = format!("a length from 1 to {}", limits::TEXT);
                    self.error(data_type.span, format!("varchar({length}) is not supported"), hint);
                }
                return Type::Text;
            }
            DataTypeKind::Serial | DataTypeKind::BigSerial => {
                let hint = "write int or bigint, and give the operation a parameter such as id = \"new id\": ids that \
                            come with the request are the same on every design";
                self.error(
                    data_type.span,
                    "ids numbered by the engine are not supported",
                    hint.to_owned(),
                );
            }
            DataTypeKind::Other(name) => {
                self.error(data_type.span, format!("type {name} is not supported"), HINT.to_owned());
            }
        }
        Type::Text
    }

    fn constraint(&mut self, id: TableId, constraint: &TableConstraint) {
        let name = constraint.name.as_ref().map(|name| name.as_str().to_owned());
        let place = self.source.place(constraint.span);
        match &constraint.kind {
            ConstraintKind::PrimaryKey(columns) => {
                let Some(columns) = self.columns(id, columns) else {
                    return;
                };
                let table = &mut self.schema.tables[id.index()];
                if !table.primary_key.is_empty() {
                    let message = format!("table {} has two primary keys", table.full_name());
                    return self.error(constraint.span, message, None);
                }
                for column in &columns {
                    table.columns[column.index()].not_null = true;
                }
                table.primary_key = columns;
            }
            ConstraintKind::Unique(columns) => {
                let Some(columns) = self.columns(id, columns) else {
                    return;
                };
                self.schema.tables[id.index()]
                    .unique
                    .push(Unique { name, columns, place });
            }
            ConstraintKind::Check(condition) => {
                Resolver::new(&self.schema, &self.source, self.reading).row_expression(id, condition);
                self.schema.tables[id.index()].checks.push(Check {
                    name,
                    condition: condition.clone(),
                    place,
                });
            }
            ConstraintKind::ForeignKey {
                columns,
                table,
                referenced,
                on_delete,
                on_update,
            } => {
                let Some(columns) = self.columns(id, columns) else {
                    return;
                };
                let actions = (*on_delete, *on_update);
                let Some((table, referenced)) = self.referenced(id, &columns, table, referenced) else {
                    return;
                };
                self.set_null(id, &columns, actions.0, constraint.span);
                let key = ForeignKey {
                    name,
                    columns,
                    table,
                    referenced,
                    on_delete: actions.0,
                    on_update: actions.1,
                    place,
                };
                self.schema.tables[id.index()].foreign_keys.push(key);
            }
        }
    }

    fn set_null(&mut self, id: TableId, columns: &[ColumnId], on_delete: ReferentialAction, span: Span) {
        let table = self.schema.table(id);
        let fixed = columns
            .iter()
            .map(|column| table.column(*column))
            .find(|column| column.not_null);
        if let (ReferentialAction::SetNull, Some(column)) = (on_delete, fixed) {
            let message = format!("ON DELETE SET NULL can never work: \"{}\" is NOT NULL", column.name);
            self.error(span, message, None);
        }
    }

    /// The table and columns that a foreign key points at, as PostgreSQL checks them.
    fn referenced(
        &mut self,
        id: TableId,
        columns: &[ColumnId],
        table: &ObjectName,
        referenced: &[Name],
    ) -> Option<(TableId, Vec<ColumnId>)> {
        let target = self.find(table)?;
        let referenced = if referenced.is_empty() {
            self.schema.table(target).primary_key.clone()
        } else {
            self.columns(target, referenced)?
        };
        let (from, to) = (self.schema.table(id), self.schema.table(target));
        if referenced.len() != columns.len() {
            let message = format!(
                "the foreign key has {} columns, its target {}",
                columns.len(),
                referenced.len()
            );
            self.error(table.span(), message, None);
            return None;
        }
        if !to.is_key(&referenced) {
            let message = format!(
                "no primary key or UNIQUE of {} covers the referenced columns",
                to.full_name()
            );
            self.error(table.span(), message, None);
            return None;
        }
        let differing = columns.iter().zip(&referenced).find_map(|(a, b)| {
            let (a, b) = (from.column(*a), to.column(*b));
            (a.data_type != b.data_type).then(|| {
                format!(
                    "\"{}\" is of type {}, but \"{}\" of type {}",
                    a.name, a.data_type, b.name, b.data_type
                )
            })
        });
        if let Some(message) = differing {
            self.error(table.span(), message, None);
            return None;
        }
        Some((target, referenced))
    }

    /// A table defined above.
    fn find(&mut self, name: &ObjectName) -> Option<TableId> {
        let found = Resolver::new(&self.schema, &self.source, self.reading).table(name);
        if found.is_none()
            && let Some(last) = self.reading.diagnostics.last_mut()
        {
            last.hint
                .get_or_insert_with(|| "a table must be defined above the place that names it".to_owned());
        }
        found
    }

    fn columns(&mut self, id: TableId, names: &[Name]) -> Option<Vec<ColumnId>> {
        let mut found: Vec<ColumnId> = vec![];
        for name in names {
            let table = self.schema.table(id);
            let Some(column) = table.find(name.as_str()) else {
                let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
                let message = format!("table {} has no column \"{}\"", table.full_name(), name.as_str());
                let hint = names::suggestion(name.as_str(), &known, "it has");
                self.error(name.span, message, hint);
                return None;
            };
            if found.contains(&column) {
                self.error(name.span, format!("column \"{}\" appears twice", name.as_str()), None);
                return None;
            }
            found.push(column);
        }
        Some(found)
    }

    fn defaults(&mut self, id: TableId) {
        for index in 0..self.schema.table(id).columns.len() {
            let column = self.schema.tables[id.index()].columns[index].clone();
            let Some(default) = &column.default else { continue };
            let mut resolver = Resolver::new(&self.schema, &self.source, self.reading);
            let found = resolver.constant_expression(default);
            resolver.assignable(found, column.data_type, &column.name, default.span);
        }
    }

    fn index(&mut self, definition: &CreateIndex, span: Span) {
        let Some(id) = self.find(&definition.table) else { return };
        if !definition.included.is_empty() || !definition.parameters.is_empty() {
            let hint = "what an index holds besides its key is each design's own affair".to_owned();
            return self.error(span, "INCLUDE and storage parameters are not supported here", hint);
        }
        let mut columns = vec![];
        for item in &definition.columns {
            let ExprKind::Column(path) = &item.expr.kind else {
                let hint = "an index here is over plain columns".to_owned();
                return self.error(item.expr.span, "indexes over expressions are not supported", hint);
            };
            let Some(found) = self.columns(id, path) else { return };
            columns.extend(found.first().map(|&column| IndexColumn {
                column,
                descending: item.descending,
            }));
        }
        if let Some(filter) = &definition.filter {
            Resolver::new(&self.schema, &self.source, self.reading).row_expression(id, filter);
        }
        let index = Index {
            name: definition.name.as_ref().map(|name| name.as_str().to_owned()),
            columns,
            unique: definition.unique,
            filter: definition.filter.clone(),
            place: self.source.place(span),
        };
        self.schema.tables[id.index()].indexes.push(index);
    }

    /// `[schema.classes]`: `pii = ["auth.users.email"]`.
    fn classes(&mut self, entry: &crate::document::Entry<'_>) {
        let Some(table) = entry.table(self.reading) else { return };
        let mut keys = Keys::new("[schema.classes]", entry.place, table, self.reading);
        for (key, class) in [("phi", Class::Phi), ("pii", Class::Pii), ("metadata", Class::Metadata)] {
            let Some(list) = keys.take(key) else { continue };
            for text in list.texts(self.reading) {
                match column_path(text.value, &self.schema) {
                    Ok((table, column)) => {
                        self.schema.tables[table.index()].columns[column.index()].class = Some(class);
                    }
                    Err((message, hint)) => {
                        let place = self.reading.source(&text).place(Span::default());
                        self.reading.error(place, message, hint);
                    }
                }
            }
        }
        keys.finish(self.reading);
    }

    fn finish(self) -> Schema {
        for (what, wanted) in [
            ("tenant_column", self.special.tenant),
            ("region_column", self.special.region),
        ] {
            let Some(wanted) = wanted else { continue };
            if self.schema.tables.iter().all(|table| table.find(wanted).is_none()) && !self.schema.tables.is_empty() {
                let names = self.schema.tables.iter().flat_map(|table| &table.columns);
                let names: Vec<&str> = names.map(|column| column.name.as_str()).collect();
                let hint = names::nearest(wanted, names).map(|name| format!("did you mean \"{name}\"?"));
                let place = self.schema.tables[0].place;
                self.reading.error(
                    place,
                    format!("{what} is \"{wanted}\", but no table has such a column"),
                    hint,
                );
            }
        }
        duplicate_names(&self.schema, self.reading);
        self.schema
    }
}

/// Index names live beside each other in their schema.
fn duplicate_names(schema: &Schema, reading: &mut Reading<'_>) {
    let mut seen: BTreeMap<(u16, &str), ()> = BTreeMap::new();
    for table in &schema.tables {
        for index in &table.indexes {
            let Some(name) = &index.name else { continue };
            if seen.insert((table.owner, name), ()).is_some() {
                reading.error(
                    index.place,
                    format!("index \"{name}\" is defined twice in {}", table.schema),
                    None,
                );
            }
        }
    }
}

/// `auth.users.email`
pub(super) fn column_path(path: &str, schema: &Schema) -> Result<(TableId, ColumnId), (String, Option<String>)> {
    let parts: Vec<&str> = path.split('.').collect();
    let [owner, name, column] = parts[..] else {
        return Err((format!("\"{path}\" is not of the form schema.table.column"), None));
    };
    let id = crate::generator::find_table(owner, name, schema).map_err(|error| (error.message, error.hint))?;
    let table = schema.table(id);
    let found = table.find(column).ok_or_else(|| {
        let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let hint = names::suggestion(column, &known, "it has");
        (format!("table {owner}.{name} has no column \"{column}\""), hint)
    })?;
    Ok((id, found))
}
