//! FROM: tables, joins, subqueries in FROM, common table expressions.

use std::sync::Arc;

use base::Type;
use syntax::{
    Expr, JoinCondition, JoinKind, LockMode, Name, ObjectName, PolicyCommand, Query, Span, TableAlias, TableRef,
};

use super::expression::boolean;
use super::function::missing;
use super::{Binder, From, Join, ScopeColumn, ScopeItem, Series, Source, SystemColumn};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, BoundKind, SetFunction};
use crate::types::{CastContext, SqlType};

impl Binder<'_> {
    /// The whole list, joined by commas, its names put into the current scope.
    pub(crate) fn table_refs(&mut self, list: &[TableRef], mode: LockMode) -> Fallible<From> {
        let mut joined: Option<From> = None;
        for table in list {
            let (from, items) = self.table_ref(table, mode)?;
            self.add_items(items)?;
            joined = Some(match joined {
                None => from,
                Some(left) => From::Join {
                    left: Box::new(left),
                    right: Box::new(from),
                    kind: Join::Inner,
                    condition: Vec::new(),
                    merged: Vec::new(),
                },
            });
        }
        Ok(joined.unwrap_or(From::Nothing))
    }

    pub(crate) fn add_items(&mut self, items: Vec<ScopeItem>) -> Fallible<()> {
        for item in items {
            check_alias(&self.scope().items, &item)?;
            self.scope().items.push(item);
        }
        Ok(())
    }

    fn table_ref(&mut self, table: &TableRef, mode: LockMode) -> Fallible<(From, Vec<ScopeItem>)> {
        match table {
            TableRef::Table { name, only, alias } => self.named(name, *only, alias.as_ref(), mode),
            TableRef::Derived { query, alias } => {
                let alias = alias.as_ref().ok_or_else(|| {
                    error(state::SYNTAX_ERROR, "subquery in FROM must have an alias")
                        .hint("For example, FROM (SELECT ...) [AS] foo.")
                        .at(query.span)
                })?;
                self.derived(query, &alias.name.text, &alias.columns)
            }
            TableRef::Function {
                name,
                arguments,
                alias,
                span,
            } => self.series(name, arguments, alias.as_ref(), *span),
            TableRef::Join {
                left,
                right,
                kind,
                condition,
            } => self.join(left, right, *kind, condition, mode),
        }
    }

    fn named(
        &mut self,
        name: &ObjectName,
        only: bool,
        alias: Option<&TableAlias>,
        mode: LockMode,
    ) -> Fallible<(From, Vec<ScopeItem>)> {
        if name.schema.is_none()
            && let Some(at) = self.common.iter().rposition(|(common, _)| *common == name.name.text)
        {
            return self.common(at, &name.name, alias);
        }
        let table = self.table(name, mode)?;
        let number = self.used_table(table, PolicyCommand::Select);
        self.tables[number].only = only;
        let item = self.table_item(number, alias)?;
        Ok((From::Table(number), vec![item]))
    }

    /// A base table's names, its columns renamed by the alias.
    pub(crate) fn table_item(&self, number: usize, alias: Option<&TableAlias>) -> Fallible<ScopeItem> {
        let table = &self.tables[number].table;
        let renamed = alias.map_or(&[][..], |alias| &alias.columns);
        let live: Vec<_> = table.live_columns().collect();
        if renamed.len() > live.len() {
            return Err(too_many_aliases(&table.name, live.len(), renamed));
        }
        let columns = live.iter().enumerate().map(|(at, (column, definition))| ScopeColumn {
            name: renamed
                .get(at)
                .map_or_else(|| definition.name.clone(), |name| name.text.clone()),
            data_type: SqlType::Is(definition.data_type),
            source: Source::Column(number, *column),
            merged: false,
        });
        let own = SystemColumn::ALL.into_iter().map(|column| ScopeColumn {
            name: column.name().into(),
            data_type: column.data_type(),
            source: Source::System(number, column),
            merged: false,
        });
        // A view has none; a column may have been given the name of one.
        let is_free = |own: &ScopeColumn| renamed.iter().all(|name| name.text != own.name);
        let own = own.filter(|own| crate::system::view(table.id).is_none() && is_free(own));
        Ok(ScopeItem {
            alias: Some(alias.map_or_else(|| table.name.clone(), |alias| alias.name.text.clone())),
            schema: alias.is_none().then(|| table.schema.clone()),
            columns: columns.chain(own).collect(),
        })
    }

    pub(super) fn derived(
        &mut self,
        query: &Query,
        alias: &Arc<str>,
        renamed: &[Name],
    ) -> Fallible<(From, Vec<ScopeItem>)> {
        // It does not see its neighbours in FROM.
        let siblings = std::mem::take(&mut self.scope().items);
        let bound = self.query(query);
        self.scope().items = siblings;
        let bound = bound?;
        if renamed.len() > bound.output.len() {
            return Err(too_many_aliases(alias, bound.output.len(), renamed));
        }
        let columns = bound.output.iter().enumerate().map(|(at, target)| ScopeColumn {
            name: renamed
                .get(at)
                .map_or_else(|| target.name.clone(), |name| name.text.clone()),
            data_type: target.data_type,
            source: Source::Slot(target.slot),
            merged: false,
        });
        let item = ScopeItem {
            alias: Some(alias.clone()),
            schema: None,
            columns: columns.collect(),
        };
        Ok((From::Derived(Box::new(bound)), vec![item]))
    }

    fn series(
        &mut self,
        name: &ObjectName,
        arguments: &[Expr],
        alias: Option<&TableAlias>,
        span: Span,
    ) -> Fallible<(From, Vec<ScopeItem>)> {
        let function = &name.name.text;
        let Some(known) = SetFunction::named(function) else {
            return Err(unsupported(format!("function {function} in FROM")).at(span));
        };
        let arguments = self.expressions(arguments)?;
        let series = self.bound_series(known, function, arguments, span)?;
        let shown = alias.map_or_else(|| function.clone(), |alias| alias.name.text.clone());
        let renamed = alias.map_or(&[][..], |alias| &alias.columns);
        let columns = series.function.columns();
        if renamed.len() > columns.len() {
            return Err(too_many_aliases(&shown, columns.len(), renamed));
        }
        let columns = columns.into_iter().zip(&series.slots).enumerate();
        let columns = columns.map(|(at, ((name, data_type), slot))| ScopeColumn {
            name: match (renamed.get(at), name) {
                (Some(renamed), _) => renamed.text.clone(),
                (None, Some(name)) => name.into(),
                (None, None) => shown.clone(),
            },
            data_type: SqlType::Is(data_type),
            source: Source::Slot(*slot),
            merged: false,
        });
        let item = ScopeItem {
            alias: Some(shown.clone()),
            schema: None,
            columns: columns.collect(),
        };
        Ok((From::Series(series), vec![item]))
    }

    pub(super) fn bound_series(
        &mut self,
        function: SetFunction,
        name: &str,
        arguments: Vec<Bound>,
        span: Span,
    ) -> Fallible<Series> {
        let wide = arguments.iter().any(|argument| argument.data_type == SqlType::INT8);
        let (function, wanted, number) = match function {
            SetFunction::Series { .. } if wide => (SetFunction::Series { wide }, Type::Int8, 2..=3),
            SetFunction::Series { .. } => (function, Type::Int4, 2..=3),
            _ => (function, Type::Jsonb, 1..=1),
        };
        if !number.contains(&arguments.len()) {
            return Err(missing(name, &arguments, span));
        }
        let found = arguments.clone();
        let mut coerced = Vec::new();
        for argument in arguments {
            let argument = self.try_coerce(argument, wanted, CastContext::Implicit)?;
            coerced.push(argument.ok_or_else(|| match function {
                SetFunction::Series { .. } => unsupported("generate_series of other than integers").at(span),
                _ => missing(name, &found, span),
            })?);
        }
        Ok(Series {
            function,
            arguments: coerced,
            slots: function.columns().iter().map(|_| self.new_slot()).collect(),
        })
    }

    fn join(
        &mut self,
        left: &TableRef,
        right: &TableRef,
        kind: JoinKind,
        condition: &JoinCondition,
        mode: LockMode,
    ) -> Fallible<(From, Vec<ScopeItem>)> {
        let (left, mut left_items) = self.table_ref(left, mode)?;
        let (right, mut right_items) = self.table_ref(right, mode)?;
        for item in &right_items {
            check_alias(&left_items, item)?;
        }
        let kind = match kind {
            JoinKind::Inner | JoinKind::Cross => Join::Inner,
            JoinKind::Left => Join::Left,
            JoinKind::Right => Join::Right,
            JoinKind::Full => Join::Full,
        };
        let mut merged = Vec::new();
        let mut conditions = Vec::new();
        let mut items = Vec::new();
        match condition {
            JoinCondition::None => {}
            JoinCondition::On(condition) => {
                conditions = self.on(condition, &left_items, &right_items)?;
            }
            JoinCondition::Using(names) => {
                let both = (&mut left_items[..], &mut right_items[..]);
                items.extend(self.using(names, kind, both, &mut conditions, &mut merged)?);
            }
            JoinCondition::Natural => {
                let names = common_names(&left_items, &right_items);
                let both = (&mut left_items[..], &mut right_items[..]);
                items.extend(self.using(&names, kind, both, &mut conditions, &mut merged)?);
            }
        }
        items.extend(left_items);
        items.extend(right_items);
        let from = From::Join {
            left: Box::new(left),
            right: Box::new(right),
            kind,
            condition: conditions,
            merged,
        };
        Ok((from, items))
    }

    /// ON sees the two sides of its join, and what lies outside of the query.
    fn on(&mut self, condition: &Expr, left: &[ScopeItem], right: &[ScopeItem]) -> Fallible<Vec<Bound>> {
        let visible = left.iter().chain(right).cloned().collect();
        let siblings = std::mem::replace(&mut self.scope().items, visible);
        let refusal = "aggregate functions are not allowed in JOIN conditions";
        let outside = self.scope().no_aggregates.replace(refusal);
        let bound = self.expression(condition);
        self.scope().items = siblings;
        self.scope().no_aggregates = outside;
        let bound = self.condition(bound?, "JOIN/ON")?;
        let mut conditions = Vec::new();
        bound.conjuncts(&mut conditions);
        Ok(conditions)
    }

    /// The merged columns come first in `*` and are what an unqualified name means.
    fn using(
        &mut self,
        names: &[Name],
        kind: Join,
        (left, right): (&mut [ScopeItem], &mut [ScopeItem]),
        conditions: &mut Vec<Bound>,
        merged: &mut Vec<(Bound, u32)>,
    ) -> Fallible<Option<ScopeItem>> {
        let mut columns = Vec::new();
        for name in names {
            let a = take_column(left, name, "left")?;
            let b = take_column(right, name, "right")?;
            let (left_slot, right_slot) = (self.source_slot(a.source), self.source_slot(b.source));
            let (x, y) = (
                Bound::slot(left_slot, a.data_type),
                Bound::slot(right_slot, b.data_type),
            );
            let (x, y) = self.comparable("=", x, y, name.span)?;
            let equal = BoundKind::Compare(crate::expr::Comparison::Equal, Box::new(x.clone()), Box::new(y.clone()));
            conditions.push(boolean(equal, name.span));
            let (source, data_type) = match kind {
                Join::Inner | Join::Left => (Source::Slot(left_slot), a.data_type),
                Join::Right => (Source::Slot(right_slot), b.data_type),
                Join::Full => {
                    let (items, data_type) = self.unify(vec![x, y], "JOIN/USING")?;
                    let slot = self.new_slot();
                    let either = Bound::new(BoundKind::Coalesce(items), SqlType::Is(data_type), name.span);
                    merged.push((either, slot));
                    (Source::Slot(slot), SqlType::Is(data_type))
                }
            };
            columns.push(ScopeColumn {
                name: name.text.clone(),
                data_type,
                source,
                merged: false,
            });
        }
        Ok((!columns.is_empty()).then_some(ScopeItem {
            alias: None,
            schema: None,
            columns,
        }))
    }
}

fn check_alias(items: &[ScopeItem], item: &ScopeItem) -> Fallible<()> {
    let clash = items.iter().any(|other| {
        item.alias.is_some()
            && other.alias == item.alias
            && (other.schema == item.schema || item.schema.is_none() || other.schema.is_none())
    });
    if clash {
        let name = item.alias.as_deref().unwrap_or_default();
        let message = format!("table name \"{name}\" specified more than once");
        return Err(error(state::DUPLICATE_ALIAS, message));
    }
    Ok(())
}

pub(super) fn too_many_aliases(table: &str, available: usize, given: &[Name]) -> Box<crate::SqlError> {
    let message = format!(
        "table \"{table}\" has {available} columns available but {} columns specified",
        given.len()
    );
    error(state::INVALID_COLUMN_REFERENCE, message)
}

/// The one column of this name, henceforth reached with a qualifier only.
fn take_column(items: &mut [ScopeItem], name: &Name, side: &str) -> Fallible<ScopeColumn> {
    let mut found: Option<&mut ScopeColumn> = None;
    for column in items.iter_mut().flat_map(|item| &mut item.columns) {
        if column.merged || column.name != name.text || !column.is_listed() {
            continue;
        }
        if found.is_some() {
            let message = format!(
                "common column name \"{}\" appears more than once in {side} table",
                name.text
            );
            return Err(error(state::AMBIGUOUS_COLUMN, message).at(name.span));
        }
        found = Some(column);
    }
    let column = found.ok_or_else(|| {
        let message = format!(
            "column \"{}\" specified in USING clause does not exist in {side} table",
            name.text
        );
        error(state::UNDEFINED_COLUMN, message).at(name.span)
    })?;
    column.merged = true;
    Ok(column.clone())
}

fn common_names(left: &[ScopeItem], right: &[ScopeItem]) -> Vec<Name> {
    let live = |items: &[ScopeItem]| -> Vec<Arc<str>> {
        let columns = items.iter().flat_map(|item| &item.columns);
        columns
            .filter(|column| !column.merged && column.is_listed())
            .map(|column| column.name.clone())
            .collect()
    };
    let right = live(right);
    live(left)
        .into_iter()
        .filter(|name| right.contains(name))
        .map(Name::new)
        .collect()
}
