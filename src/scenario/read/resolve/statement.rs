//! Statements that write, and `INTO`.

use std::sync::Arc;

use syntax::{Assignment, ConflictAction, Delete, Expr, ExprKind, Insert, InsertSource, Name, OnConflict};
use syntax::{QueryBody, Returning, Span, Statement, Update};

use super::{Found, Origin, Output, Relation, Resolver, Scope};
use crate::{ColumnId, TableId, names};

impl Resolver<'_, '_> {
    /// A query, insert, update or delete: the `number`-th statement of its operation.
    pub(in crate::read) fn statement(&mut self, statement: &Statement, number: u16) {
        match statement {
            Statement::Query(query) => {
                let columns = self.query(query);
                if let QueryBody::Select(select) = &query.body {
                    self.bind(&select.into, &columns, number);
                }
            }
            Statement::Insert(insert) => self.insert(insert, number),
            Statement::Update(update) => self.update(update, number),
            Statement::Delete(delete) => self.delete(delete, number),
            _ => {}
        }
    }

    /// `INTO :a, :b`: as many variables as columns; each takes its column's type.
    fn bind(&mut self, into: &[Name], columns: &[Output], number: u16) {
        let Some(last) = into.last() else { return };
        if into.len() != columns.len() {
            let message = format!("INTO names {} variables for {} columns", into.len(), columns.len());
            self.error(last.span, message, None);
        }
        for (name, column) in into.iter().zip(columns) {
            match self.variables.get(name.as_str()).map(|known| known.origin) {
                Some(Origin::Parameter) => {
                    let message = format!("\":{}\" is a parameter: INTO needs a name of its own", name.as_str());
                    self.error(name.span, message, None);
                }
                Some(Origin::Nowhere(span)) => {
                    let message = format!("\":{}\" is used before it is bound", name.as_str());
                    self.error(span, message, "INTO binds it further down".to_owned());
                    self.variables.bind(name.as_str(), number);
                }
                Some(Origin::Bound(_)) => {}
                None => self
                    .variables
                    .declare(name.as_str(), Origin::Bound(number), column.found.data_type),
            }
        }
    }

    /// WITH in front of a write: no design here writes by what a query of another statement found.
    fn no_with(&mut self, with: &[syntax::CommonTable]) {
        if let Some(table) = with.first() {
            let hint = "use a subquery, or read into variables first".to_owned();
            self.error(
                table.name.span,
                "WITH in front of INSERT, UPDATE or DELETE is not supported",
                hint,
            );
        }
    }

    fn insert(&mut self, insert: &Insert, number: u16) {
        self.no_with(&insert.with);
        let rows = self.insert_source(&insert.source);
        let Some(id) = self.table(&insert.table) else { return };
        self.writes.insert(id);
        let given = rows.first().map_or(0, Vec::len);
        if let Some(columns) = self.insert_columns(id, &insert.columns, given, insert.table.span()) {
            for row in rows {
                self.count(
                    row.len(),
                    columns.len(),
                    row.last().map_or(insert.table.span(), |(_, span)| *span),
                );
                for ((found, span), column) in row.into_iter().zip(&columns) {
                    self.assign(found, id, *column, span);
                }
            }
        }
        let relation = self.relation_of(id, insert.alias.as_ref().map(|alias| &alias.text));
        if let Some(conflict) = &insert.on_conflict {
            self.on_conflict(conflict, id, relation.clone());
        }
        let scope = Scope {
            relations: vec![relation],
            ..Scope::default()
        };
        self.returning(insert.returning.as_ref(), &scope, number);
    }

    /// The columns that are written, in order; those left out must have a default or take NULL.
    fn insert_columns(&mut self, id: TableId, names: &[Name], given: usize, span: Span) -> Option<Vec<ColumnId>> {
        let table = self.schema.table(id);
        let mut columns = vec![];
        if names.is_empty() {
            // Without a list, the values go to the first columns.
            columns.extend((0..table.columns.len().min(given) as u16).map(ColumnId));
        }
        for name in names {
            let column = self.target_column(id, name)?;
            if columns.contains(&column) {
                self.error(
                    name.span,
                    format!("column \"{}\" specified more than once", name.as_str()),
                    None,
                );
            }
            columns.push(column);
        }
        let missing = table.columns.iter().enumerate().find(|(position, column)| {
            column.not_null && column.default.is_none() && !columns.contains(&ColumnId(*position as u16))
        });
        if let Some((_, column)) = missing {
            let message = format!("\"{}\" is NOT NULL, has no default and is not given", column.name);
            self.error(span, message, None);
        }
        Some(columns)
    }

    fn target_column(&mut self, id: TableId, name: &Name) -> Option<ColumnId> {
        let table = self.schema.table(id);
        let column = table.find(name.as_str());
        if column.is_none() {
            let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let hint = names::suggestion(name.as_str(), &known, "it has");
            let message = format!(
                "column \"{}\" of relation \"{}\" does not exist",
                name.as_str(),
                table.full_name()
            );
            self.error(name.span, message, hint);
        }
        column
    }

    /// The rows to insert, as far as they are known: one for a query, one for each of VALUES.
    fn insert_source(&mut self, source: &InsertSource) -> Vec<Vec<(Found, Span)>> {
        let InsertSource::Query(query) = source else {
            return vec![];
        };
        let QueryBody::Values(rows) = &query.body else {
            let columns = self.query(query).into_iter();
            return vec![columns.map(|column| (column.found, query.span)).collect()];
        };
        let scope = Scope::default();
        let mut found = vec![];
        for row in rows {
            found.push(
                row.iter()
                    .map(|value| (self.expression(value, &scope), value.span))
                    .collect(),
            );
        }
        found
    }

    fn count(&mut self, values: usize, columns: usize, span: Span) {
        let message = match values.cmp(&columns) {
            std::cmp::Ordering::Equal => return,
            std::cmp::Ordering::Greater => "INSERT has more expressions than target columns",
            std::cmp::Ordering::Less => "INSERT has more target columns than expressions",
        };
        self.error(span, message, format!("{values} expressions for {columns} columns"));
    }

    fn assign(&mut self, mut found: Found, id: TableId, column: ColumnId, span: Span) {
        let target = self.schema.column(id, column);
        found.column = Some((id, column));
        self.assignable(found, target.data_type, &target.name, span);
    }

    fn on_conflict(&mut self, conflict: &OnConflict, id: TableId, relation: Relation) {
        if let Some(expression) = conflict.expression().or(conflict.target_filter.as_ref()) {
            let hint = "name the columns of a key: ON CONFLICT (a, b)".to_owned();
            return self.error(
                expression.span,
                "ON CONFLICT by an expression or a condition is not supported",
                hint,
            );
        }
        let mut target = vec![];
        for name in conflict.columns() {
            target.extend(self.target_column(id, name));
        }
        let is_exact_key = |columns: &[ColumnId]| {
            let table = self.schema.table(id);
            table.is_key(columns)
        };
        if let Some(name) = conflict.columns().next().filter(|_| !is_exact_key(&target)) {
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            self.error(name.span, message, None);
        }
        if let ConflictAction::Update { assignments, filter } = &conflict.action {
            let excluded = Relation {
                name: "excluded".into(),
                schema: None,
                ..relation.clone()
            };
            let scope = Scope {
                relations: vec![relation, excluded],
                ..Scope::default()
            };
            self.reads.insert(id);
            self.assignments(assignments, id, &scope);
            self.filter(filter.as_ref(), &scope);
        }
    }

    fn update(&mut self, update: &Update, number: u16) {
        self.no_with(&update.with);
        let mut scope = Scope::default();
        let target = self.target(
            &update.table,
            update.alias.as_ref().map(|alias| &alias.text),
            &mut scope,
        );
        for item in &update.from {
            self.from(item, &mut scope);
        }
        match target {
            Some(id) => self.assignments(&update.assignments, id, &scope),
            None => {
                for assignment in &update.assignments {
                    self.expression(&assignment.value, &scope);
                }
            }
        }
        self.filter(update.filter.as_ref(), &scope);
        self.returning(update.returning.as_ref(), &scope, number);
    }

    fn delete(&mut self, delete: &Delete, number: u16) {
        self.no_with(&delete.with);
        let mut scope = Scope::default();
        self.target(
            &delete.table,
            delete.alias.as_ref().map(|alias| &alias.text),
            &mut scope,
        );
        for item in &delete.using {
            self.from(item, &mut scope);
        }
        self.filter(delete.filter.as_ref(), &scope);
        self.returning(delete.returning.as_ref(), &scope, number);
    }

    fn target(
        &mut self,
        name: &syntax::ObjectName,
        alias: Option<&Arc<str>>,
        scope: &mut Scope<'_>,
    ) -> Option<TableId> {
        let target = self.table(name);
        scope.relations.push(match target {
            Some(id) => {
                self.reads.insert(id);
                self.writes.insert(id);
                self.relation_of(id, alias)
            }
            None => {
                let name = alias.unwrap_or(&name.name.text).clone();
                Relation {
                    name,
                    schema: None,
                    columns: vec![],
                    open: true,
                }
            }
        });
        target
    }

    fn assignments(&mut self, assignments: &[Assignment], id: TableId, scope: &Scope<'_>) {
        for assignment in assignments {
            let column = self.target_column(id, &assignment.column);
            let found = self.expression(&assignment.value, scope);
            let is_default = matches!(assignment.value.kind, ExprKind::Default);
            if let Some(column) = column.filter(|_| !is_default) {
                self.assign(found, id, column, assignment.value.span);
            }
        }
    }

    fn filter(&mut self, filter: Option<&Expr>, scope: &Scope<'_>) {
        if let Some(filter) = filter {
            let found = self.expression(filter, scope);
            self.boolean(&found, filter.span);
        }
    }

    fn returning(&mut self, returning: Option<&Returning>, scope: &Scope<'_>, number: u16) {
        if let Some(returning) = returning {
            let columns = self.items(&returning.items, scope);
            self.bind(&returning.into, &columns, number);
        }
    }
}
