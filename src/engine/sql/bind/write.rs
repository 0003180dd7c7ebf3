//! INSERT, UPDATE, DELETE.

use std::sync::Arc;

use base::Value;
use syntax::{
    Assignment, ConflictAction, Delete, Expr, ExprKind, Insert, InsertSource, LockMode, Name, PolicyCommand, Privilege,
    Query, QueryBody, Returning, TableAlias, Update,
};

use super::{
    Binder, Body, BoundCheck, BoundQuery, From, Names, ScopeItem, Source, SystemColumn, Target, denied, null_of,
};
use crate::catalog::{Access, Column, Default, IndexColumn, Privileges, Table};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::function::Session;
use crate::expr::{Bound, BoundKind, Function, Slot};
use crate::types::{CastContext, SqlType};

/// Columns with their new values.
type Assignments = Vec<(u16, Bound)>;

#[derive(Clone, Debug)]
pub(crate) struct BoundInsert {
    /// Its slots are the new row's, all columns in order.
    pub(crate) table: usize,
    pub(crate) row_slots: Vec<Slot>,
    /// `None`: one row of defaults.
    pub(crate) source: Option<BoundQuery>,
    /// Each column's value, over the source's slots.
    pub(crate) row: Vec<Bound>,
    pub(crate) checks: Vec<BoundCheck>,
    pub(crate) conflict: Option<BoundConflict>,
    pub(crate) returning: Vec<(Target, Bound)>,
}

#[derive(Clone, Debug)]
pub(crate) struct BoundConflict {
    /// Places in the table's list of indexes; empty: any unique index.
    pub(crate) arbiters: Vec<usize>,
    pub(crate) update: Option<ConflictUpdate>,
}

/// `DO UPDATE SET …`.
#[derive(Clone, Debug)]
pub(crate) struct ConflictUpdate {
    /// The row that is there.
    pub(crate) existing: usize,
    /// What it becomes.
    pub(crate) new: usize,
    pub(crate) new_slots: Vec<Slot>,
    pub(crate) assignments: Vec<(u16, Bound)>,
    pub(crate) filter: Option<Bound>,
    /// First those on the row that is there, then those on what it becomes.
    pub(crate) existing_checks: Vec<BoundCheck>,
    pub(crate) checks: Vec<BoundCheck>,
    pub(crate) returning: Vec<(Target, Bound)>,
}

#[derive(Clone, Debug)]
pub(crate) struct BoundUpdate {
    /// The row as it is.
    pub(crate) table: usize,
    /// The row as it will be: all columns in order.
    pub(crate) new: usize,
    pub(crate) new_slots: Vec<Slot>,
    pub(crate) from: From,
    pub(crate) filter: Vec<Bound>,
    pub(crate) assignments: Vec<(u16, Bound)>,
    pub(crate) checks: Vec<BoundCheck>,
    pub(crate) returning: Vec<(Target, Bound)>,
}

#[derive(Clone, Debug)]
pub(crate) struct BoundDelete {
    pub(crate) table: usize,
    pub(crate) from: From,
    pub(crate) filter: Vec<Bound>,
    pub(crate) returning: Vec<(Target, Bound)>,
}

impl Binder<'_> {
    pub(crate) fn insert(&mut self, insert: &Insert) -> Fallible<BoundInsert> {
        self.with(&insert.with, |binder| binder.insert_behind_with(insert))
    }

    fn insert_behind_with(&mut self, insert: &Insert) -> Fallible<BoundInsert> {
        let definition = self.table(&insert.table, LockMode::RowExclusive)?;
        let columns = insert_columns(&definition, &insert.columns)?;
        let (source, values) = match &insert.source {
            InsertSource::DefaultValues => (None, Vec::new()),
            InsertSource::Query(query) => {
                let (query, values) = self.insert_source(query, &definition, &columns, &insert.columns)?;
                (Some(query), values)
            }
        };
        let table = self.range_table(definition.clone());
        self.tables[table].required = Privileges::of(&[Privilege::Insert]);
        self.tables[table].written = columns.iter().copied().collect();
        let row_slots = self.all_slots(table);
        let mut row = Vec::with_capacity(definition.columns.len());
        for (number, column) in definition.columns.iter().enumerate() {
            let given = columns.iter().position(|column| usize::from(*column) == number);
            row.push(match given.and_then(|at| values.get(at)) {
                Some(value) => value.clone(),
                None => self.default_value(column)?,
            });
        }
        let item = self.target_item(table, insert.alias.as_ref())?;
        let conflict = match &insert.on_conflict {
            Some(clause) => Some(self.conflict(
                clause,
                &definition,
                &item,
                insert.returning.as_ref(),
                insert.alias.as_ref(),
            )?),
            None => None,
        };
        let returning = self.returning(insert.returning.as_ref(), vec![item])?;
        let mut bound = BoundInsert {
            table,
            row_slots,
            source,
            row,
            checks: Vec::new(),
            conflict,
            returning,
        };
        self.insert_checks(&mut bound)?;
        Ok(bound)
    }

    fn insert_checks(&mut self, insert: &mut BoundInsert) -> Fallible<()> {
        let reads = !self.tables[insert.table].read.is_empty();
        self.new_row_checks(insert.table, PolicyCommand::Insert, reads, &mut insert.checks)?;
        if let Some(update) = insert.conflict.as_mut().and_then(|conflict| conflict.update.as_mut()) {
            update.existing_checks = self.existing_row_checks(update.existing, reads)?;
            self.new_row_checks(update.new, PolicyCommand::Update, reads, &mut update.checks)?;
        }
        Ok(())
    }

    /// The source, and what it gives to each named column.
    fn insert_source(
        &mut self,
        query: &Query,
        table: &Table,
        columns: &[u16],
        named: &[Name],
    ) -> Fallible<(BoundQuery, Vec<Bound>)> {
        let plain =
            query.with.is_empty() && query.order_by.is_empty() && query.limit.is_none() && query.offset.is_none();
        if let (QueryBody::Values(rows), true) = (&query.body, plain) {
            let source = self.insert_values(rows, table, columns, named)?;
            let values = source
                .output
                .iter()
                .map(|target| Bound::slot(target.slot, target.data_type))
                .collect();
            return Ok((source, values));
        }
        let mut source = self.untyped_query(query)?;
        self.check_width(source.output.len(), columns.len(), named, query.span)?;
        for (at, column) in columns.iter().enumerate().take(source.output.len()) {
            self.type_column(&mut source, at, table.columns[usize::from(*column)].data_type)?;
        }
        let mut values = Vec::new();
        for (target, column) in source.output.clone().into_iter().zip(columns) {
            let column = &table.columns[usize::from(*column)];
            if column.generated().is_some() {
                return Err(no_value_for(column));
            }
            let value = Bound::slot(target.slot, target.data_type);
            values.push(self.assign(value, column)?);
        }
        Ok((source, values))
    }

    /// VALUES take the columns' types one by one, and may say DEFAULT.
    fn insert_values(
        &mut self,
        rows: &[Vec<Expr>],
        table: &Table,
        columns: &[u16],
        named: &[Name],
    ) -> Fallible<BoundQuery> {
        self.push_scope(Vec::new());
        self.scope().no_aggregates = Some("aggregate functions are not allowed in VALUES");
        let width = rows.first().map_or(0, Vec::len);
        let mut bound = Vec::with_capacity(rows.len());
        for row in rows {
            super::query::check_length(row, width)?;
            let span = row.last().map_or_else(syntax::Span::default, |last| last.span);
            self.check_width(width, columns.len(), named, span)?;
            let mut values = Vec::with_capacity(row.len());
            for (value, column) in row.iter().zip(columns) {
                let column = &table.columns[usize::from(*column)];
                values.push(self.value_or_default(value, column)?);
            }
            bound.push(values);
        }
        self.pop_scope();
        let mut output = Vec::new();
        for column in &columns[..width] {
            let column = &table.columns[usize::from(*column)];
            output.push(Target {
                name: column.name.clone(),
                data_type: SqlType::Is(column.data_type),
                slot: self.new_slot(),
            });
        }
        Ok(BoundQuery {
            body: Body::Values(bound),
            output,
            order_by: Vec::new(),
            limit: None,
            offset: None,
            locking: Vec::new(),
        })
    }

    /// `named`: the columns as the statement names them, if it does.
    fn check_width(&self, given: usize, columns: usize, named: &[Name], span: syntax::Span) -> Fallible<()> {
        let (message, place) = match named.get(given) {
            _ if given > columns => ("INSERT has more expressions than target columns", span),
            Some(name) => ("INSERT has more target columns than expressions", name.span),
            None => return Ok(()),
        };
        Err(error(state::SYNTAX_ERROR, message).at(place))
    }

    fn value_or_default(&mut self, value: &Expr, column: &Column) -> Fallible<Bound> {
        if value.kind == ExprKind::Default {
            return self.default_value(column);
        }
        if column.generated().is_some() {
            return Err(no_value_for(column));
        }
        let bound = self.expression(value)?;
        self.assign(bound, column)
    }

    /// What a column gets when nothing is given.
    fn default_value(&mut self, column: &Column) -> Fallible<Bound> {
        match &column.default {
            _ if column.dropped => Ok(null_of(column.data_type)),
            None | Some(Default::Generated(_)) => Ok(null_of(column.data_type)),
            Some(Default::Expr(expression)) => {
                let bound = self.isolated(Vec::new(), |binder| binder.expression(expression))?;
                let bound = self.assign(bound, column)?;
                Ok(without_places(bound))
            }
            Some(Default::Sequence(name)) => {
                self.check_sequence(name, column)?;
                let name = Bound::constant(Value::Text(name.clone()), SqlType::TEXT);
                let next = Function::Session(Session::NextValue);
                let call = Bound::new(
                    BoundKind::Call(next, vec![name]),
                    SqlType::INT8,
                    syntax::Span::default(),
                );
                self.assign(call, column)
            }
        }
    }

    /// Drawing a number needs USAGE or UPDATE on the sequence.
    fn check_sequence(&self, name: &str, column: &Column) -> Fallible<()> {
        let usable = [Privilege::Usage, Privilege::Update];
        let may = |access: &Access| {
            usable
                .iter()
                .any(|privilege| access.allows(&self.authority, Privileges::of(&[*privilege])))
        };
        match &column.sequence {
            Some(access) if !may(access) => {
                let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
                Err(denied("sequence", name))
            }
            _ => Ok(()),
        }
    }

    /// Binds an expression of the catalog: it sees these items and nothing of the statement.
    pub(super) fn isolated<T>(
        &mut self,
        items: Vec<ScopeItem>,
        bind: impl FnOnce(&mut Self) -> Fallible<T>,
    ) -> Fallible<T> {
        let scopes = std::mem::take(&mut self.scopes);
        self.push_scope(items);
        let bound = bind(self);
        self.scopes = scopes;
        bound
    }

    /// The appearance of a table whose columns these are.
    fn proposed(&self, item: &ScopeItem) -> usize {
        let found = item.columns.iter().find_map(|column| match column.source {
            Source::Column(table, _) => Some(table),
            Source::System(..) | Source::Slot(_) => None,
        });
        found.unwrap_or_default()
    }

    fn target_item(&mut self, table: usize, alias: Option<&Name>) -> Fallible<ScopeItem> {
        let alias = alias.map(|name| TableAlias {
            name: name.clone(),
            columns: Vec::new(),
        });
        self.table_item(table, alias.as_ref())
    }

    fn returning(&mut self, returning: Option<&Returning>, items: Vec<ScopeItem>) -> Fallible<Vec<(Target, Bound)>> {
        let Some(returning) = returning else {
            return Ok(Vec::new());
        };
        if let Some(variable) = returning.into.first() {
            return Err(unsupported("INTO outside of a scenario").at(variable.span));
        }
        self.push_scope(items);
        self.scope().no_aggregates = Some("aggregate functions are not allowed in RETURNING");
        let bound = self.select_items(&returning.items);
        self.pop_scope();
        let mut targets = Vec::new();
        for (name, expression) in bound? {
            let slot = match expression.kind {
                BoundKind::Slot(slot) => slot,
                _ => self.new_slot(),
            };
            let data_type = expression.data_type;
            targets.push((Target { name, data_type, slot }, expression));
        }
        Ok(targets)
    }

    fn conflict(
        &mut self,
        clause: &syntax::OnConflict,
        table: &Arc<Table>,
        excluded: &ScopeItem,
        returning: Option<&Returning>,
        alias: Option<&Name>,
    ) -> Fallible<BoundConflict> {
        let arbiters = self.arbiters(clause, table)?;
        // The proposed row comes first of this table's appearances; which columns decide is read, too.
        let proposed = self.proposed(excluded);
        for index in arbiters.iter().filter_map(|at| table.indexes.get(*at)) {
            let columns = index.columns.iter().flat_map(IndexColumn::reads);
            self.tables[proposed].read.extend(columns);
        }
        let ConflictAction::Update { assignments, filter } = &clause.action else {
            return Ok(BoundConflict { arbiters, update: None });
        };
        if arbiters.is_empty() {
            return Err(error(
                state::SYNTAX_ERROR,
                "ON CONFLICT DO UPDATE requires inference specification or constraint name",
            )
            .hint("For example, ON CONFLICT (column_name)."));
        }
        let existing = self.range_table(table.clone());
        let existing_item = self.target_item(existing, alias)?;
        let excluded = ScopeItem {
            alias: Some("excluded".into()),
            schema: None,
            // It is nowhere yet.
            columns: excluded
                .columns
                .iter()
                .filter(|column| column.is_listed())
                .cloned()
                .collect(),
        };
        // What is proposed may be read by anybody.
        let read = self.tables[proposed].read.clone();
        self.push_scope(vec![existing_item, excluded]);
        let assignments = self.assignments(assignments, table);
        let filter = filter.as_ref().map(|filter| {
            let bound = self.expression(filter)?;
            self.condition(bound, "WHERE")
        });
        self.pop_scope();
        let (assignments, filter) = (assignments?, filter.transpose()?);
        self.tables[proposed].read = read;
        let (new, new_slots) = self.new_version(table);
        let item = self.target_item(new, alias)?;
        let returning = self.returning(returning, vec![item])?;
        // For privileges and policies they are all one table.
        self.tables[existing].required = Privileges::of(&[Privilege::Update]);
        self.tables[existing].written = assignments.iter().map(|(column, _)| *column).collect();
        for other in [existing, new] {
            let read = std::mem::take(&mut self.tables[other].read);
            self.tables[proposed].read.extend(read);
        }
        Ok(BoundConflict {
            arbiters,
            update: Some(ConflictUpdate {
                existing,
                new,
                new_slots,
                assignments,
                filter,
                existing_checks: Vec::new(),
                checks: Vec::new(),
                returning,
            }),
        })
    }

    /// A second appearance of a table for the row that an update makes.
    fn new_version(&mut self, table: &Arc<Table>) -> (usize, Vec<Slot>) {
        let new = self.range_table(table.clone());
        (new, self.all_slots(new))
    }

    fn assignments(&mut self, assignments: &[Assignment], table: &Table) -> Fallible<Vec<(u16, Bound)>> {
        self.scope().no_aggregates = Some("aggregate functions are not allowed in UPDATE");
        let mut bound: Vec<(u16, Bound)> = Vec::new();
        for assignment in assignments {
            let name = &assignment.column;
            if SystemColumn::ALL.iter().any(|own| own.name() == name.as_str()) {
                let message = format!("cannot assign to system column \"{}\"", name.text);
                return Err(error(state::FEATURE_NOT_SUPPORTED, message).at(name.span));
            }
            let number = known_column(table, name)?;
            if bound.iter().any(|(other, _)| *other == number) {
                let message = format!("multiple assignments to same column \"{}\"", assignment.column.text);
                return Err(error(state::SYNTAX_ERROR, message));
            }
            let column = &table.columns[usize::from(number)];
            if column.generated().is_some() {
                if assignment.value.kind != ExprKind::Default {
                    let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                    return Err(error(state::GENERATED_ALWAYS, message).detail(is_generated(column)));
                }
                continue;
            }
            bound.push((number, self.value_or_default(&assignment.value, column)?));
        }
        Ok(bound)
    }

    pub(crate) fn update(&mut self, update: &Update) -> Fallible<BoundUpdate> {
        self.with(&update.with, |binder| binder.update_behind_with(update))
    }

    fn update_behind_with(&mut self, update: &Update) -> Fallible<BoundUpdate> {
        let definition = self.table(&update.table, LockMode::RowExclusive)?;
        let table = self.used_table(definition.clone(), PolicyCommand::Update);
        self.tables[table].only = update.only;
        let old_item = self.target_item(table, update.alias.as_ref())?;
        self.push_scope(vec![old_item]);
        let bound = self.update_in_scope(update, table, &definition);
        let scope = self.pop_scope();
        let (from, filter, assignments) = bound?;
        let (new, new_slots) = self.new_version(&definition);
        let mut items = scope.items;
        items[0] = self.target_item(new, update.alias.as_ref())?;
        let returning = self.returning(update.returning.as_ref(), items)?;
        self.tables[table].written = assignments.iter().map(|(column, _)| *column).collect();
        let returned = std::mem::take(&mut self.tables[new].read);
        self.tables[table].read.extend(returned);
        let reads = !self.tables[table].read.is_empty();
        let mut checks = Vec::new();
        self.new_row_checks(new, PolicyCommand::Update, reads, &mut checks)?;
        Ok(BoundUpdate {
            table,
            new,
            new_slots,
            from,
            filter,
            assignments,
            checks,
            returning,
        })
    }

    fn update_in_scope(
        &mut self,
        update: &Update,
        table: usize,
        definition: &Table,
    ) -> Fallible<(From, Vec<Bound>, Assignments)> {
        let from = self.target_and(table, &update.from)?;
        self.scope().no_aggregates = Some("aggregate functions are not allowed in WHERE");
        let filter = self.filter(update.filter.as_ref())?;
        let assignments = self.assignments(&update.assignments, definition)?;
        Ok((from, filter, assignments))
    }

    pub(crate) fn delete(&mut self, delete: &Delete) -> Fallible<BoundDelete> {
        self.with(&delete.with, |binder| binder.delete_behind_with(delete))
    }

    fn delete_behind_with(&mut self, delete: &Delete) -> Fallible<BoundDelete> {
        let definition = self.table(&delete.table, LockMode::RowExclusive)?;
        let table = self.used_table(definition, PolicyCommand::Delete);
        self.tables[table].only = delete.only;
        let item = self.target_item(table, delete.alias.as_ref())?;
        self.push_scope(vec![item]);
        let from = self.target_and(table, &delete.using);
        self.scope().no_aggregates = Some("aggregate functions are not allowed in WHERE");
        let filter = self.filter(delete.filter.as_ref());
        let scope = self.pop_scope();
        let (from, filter) = (from?, filter?);
        let returning = self.returning(delete.returning.as_ref(), scope.items)?;
        Ok(BoundDelete {
            table,
            from,
            filter,
            returning,
        })
    }

    fn target_and(&mut self, table: usize, others: &[syntax::TableRef]) -> Fallible<From> {
        let target = From::Table(table);
        if others.is_empty() {
            return Ok(target);
        }
        let others = self.table_refs(others, LockMode::AccessShare)?;
        Ok(From::Join {
            left: Box::new(target),
            right: Box::new(others),
            kind: super::Join::Inner,
            condition: Vec::new(),
            merged: Vec::new(),
        })
    }

    fn filter(&mut self, condition: Option<&Expr>) -> Fallible<Vec<Bound>> {
        let mut conditions = Vec::new();
        if let Some(condition) = condition {
            let bound = self.expression(condition)?;
            self.condition(bound, "WHERE")?.conjuncts(&mut conditions);
        }
        Ok(conditions)
    }

    /// A default's expression, for a column.
    pub(crate) fn default_of(names: Names<'_>, expression: &Expr, column: &Column) -> Fallible<Bound> {
        let mut binder = Binder::new(names);
        binder.push_scope(Vec::new());
        let bound = binder.expression(expression).map_err(|refusal| {
            if refusal.sqlstate == state::UNDEFINED_COLUMN {
                error(
                    state::FEATURE_NOT_SUPPORTED,
                    "cannot use column reference in DEFAULT expression",
                )
                .at(expression.span)
            } else {
                refusal
            }
        })?;
        let found = bound.data_type;
        binder
            .try_coerce(bound, column.data_type, CastContext::Assignment)?
            .ok_or_else(|| {
                error(
                    state::DATATYPE_MISMATCH,
                    format!(
                        "column \"{}\" is of type {} but default expression is of type {found}",
                        column.name,
                        column.data_type.name()
                    ),
                )
                .hint("You will need to rewrite or cast the expression.")
            })
    }
}

fn no_value_for(column: &Column) -> Box<crate::SqlError> {
    let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
    error(state::GENERATED_ALWAYS, message).detail(is_generated(column))
}

fn is_generated(column: &Column) -> String {
    format!("Column \"{}\" is a generated column.", column.name)
}

/// Expressions of the catalog have no place in the statement's text.
pub(super) fn without_places(mut expression: Bound) -> Bound {
    expression.span = syntax::Span::default();
    for child in expression.children_mut() {
        let taken = std::mem::replace(child, null_of(base::Type::Text));
        *child = without_places(taken);
    }
    expression
}

pub(crate) fn known_column(table: &Table, name: &Name) -> Fallible<u16> {
    table.column(&name.text).ok_or_else(|| {
        let message = format!("column \"{}\" of relation \"{}\" does not exist", name.text, table.name);
        error(state::UNDEFINED_COLUMN, message).at(name.span)
    })
}

fn insert_columns(table: &Table, names: &[Name]) -> Fallible<Vec<u16>> {
    if names.is_empty() {
        return Ok(table.live_columns().map(|(number, _)| number).collect());
    }
    let mut columns = Vec::new();
    for name in names {
        let number = known_column(table, name)?;
        if columns.contains(&number) {
            let message = format!("column \"{}\" specified more than once", name.text);
            return Err(error(state::DUPLICATE_COLUMN, message).at(name.span));
        }
        columns.push(number);
    }
    Ok(columns)
}
