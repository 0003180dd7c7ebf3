//! SELECT, VALUES, set operations; ORDER BY, LIMIT, FOR UPDATE.

use std::sync::Arc;

use base::Type;
use syntax::{
    Distinct, Expr, ExprKind, LockMode, Locking, OrderBy, Privilege, Query, QueryBody, RowLock, Select, SelectItem,
    SetOperator, Span,
};

use super::{
    Binder, Body, BoundDistinct, BoundLock, BoundQuery, BoundSelect, From, Grouping, ScopeItem, SortKey, Target,
    column_name,
};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, BoundKind, Slot};
use crate::types::{CastContext, SqlType};

/// What a table in FROM is locked with: more when its rows will be.
fn table_lock(locking: &[Locking]) -> LockMode {
    if locking.is_empty() {
        LockMode::AccessShare
    } else {
        LockMode::RowShare
    }
}

impl Binder<'_> {
    pub(crate) fn query(&mut self, query: &Query) -> Fallible<BoundQuery> {
        self.with(&query.with, |binder| match &query.body {
            QueryBody::Select(select) => binder.select(select, query),
            QueryBody::Values(rows) => binder.values(rows, query),
            QueryBody::SetOperation {
                operator,
                all,
                left,
                right,
            } => binder.set_operation(*operator, *all, left, right, query),
        })
    }

    fn select(&mut self, select: &Select, query: &Query) -> Fallible<BoundQuery> {
        self.push_scope(Vec::new());
        let bound = self.select_in_scope(select, query);
        self.pop_scope();
        bound
    }

    fn select_in_scope(&mut self, select: &Select, query: &Query) -> Fallible<BoundQuery> {
        if let Some(variable) = select.into.first() {
            return Err(unsupported("INTO outside of a scenario").at(variable.span));
        }
        let outer_series = self.series.take();
        // Whoever typed this query's literals does not type those of the queries inside it.
        let mut outer_keeps = std::mem::take(&mut self.keep_unknown);
        let from = self.table_refs(&select.from, table_lock(&query.locking))?;
        let mut filter = Vec::new();
        if let Some(condition) = &select.filter {
            self.scope().no_aggregates = Some("aggregate functions are not allowed in WHERE");
            let bound = self.expression(condition)?;
            self.condition(bound, "WHERE")?.conjuncts(&mut filter);
        }
        self.scope().no_aggregates = Some("aggregate functions are not allowed in GROUP BY");
        let keys = self.group_keys(select)?;
        self.scope().no_aggregates = None;
        let keep_unknown = std::mem::take(&mut outer_keeps);
        self.keep_unknown = keep_unknown;
        self.series = Some(Vec::new());
        let items = self.select_items(&select.items);
        let series = self.series.take().unwrap_or_default();
        self.keep_unknown = false;
        let mut items = items?;
        let having = match &select.having {
            Some(condition) => {
                let bound = self.expression(condition)?;
                Some(self.condition(bound, "HAVING")?)
            }
            None => None,
        };
        let visible = items.len();
        let order = self.order_items(&query.order_by, &mut items, select)?;
        let on = self.distinct_on(&select.distinct, &mut items)?;
        let mut having_conditions = Vec::new();
        if let (Some(series), true) = (
            series.first(),
            has_groups(select) || !self.scope().aggregates.is_empty(),
        ) {
            let span = series.arguments.first().map_or_else(Span::default, |first| first.span);
            return Err(unsupported("a set-returning function in a grouped query").at(span));
        }
        let grouping = self.grouping(keys, having, &mut items, &mut having_conditions, select)?;
        let mut compute = Vec::new();
        let mut slots: Vec<Slot> = Vec::new();
        let mut output = Vec::new();
        for (at, (name, item)) in items.into_iter().enumerate() {
            let data_type = item.data_type;
            let slot = self.slot_for(item, &mut compute);
            slots.push(slot);
            if at < visible {
                output.push(Target { name, data_type, slot });
            }
        }
        let order_by = order
            .into_iter()
            .map(|(at, order)| sort_key(slots[at], order))
            .collect::<Vec<_>>();
        let distinct = self.distinct(&select.distinct, on, &slots, &output, &order_by)?;
        self.scope().no_aggregates = Some("aggregate functions are not allowed in LIMIT");
        let (limit, offset) = self.limits(query)?;
        let locking = self.locking(&query.locking, &from, select, grouping.is_some())?;
        self.series = outer_series;
        Ok(BoundQuery {
            body: Body::Select(Box::new(BoundSelect {
                from,
                filter,
                grouping,
                having: having_conditions,
                compute,
                series,
                distinct,
            })),
            output,
            order_by,
            limit,
            offset,
            locking,
        })
    }

    pub(crate) fn select_items(&mut self, items: &[SelectItem]) -> Fallible<Vec<(Arc<str>, Bound)>> {
        let mut bound = Vec::new();
        for item in items {
            match item {
                SelectItem::Star { qualifier, span } => bound.extend(self.star(qualifier.as_ref(), *span)?),
                SelectItem::Expr { expr, alias } => {
                    let name = alias
                        .as_ref()
                        .map_or_else(|| column_name(expr), |alias| alias.text.clone());
                    let expression = self.expression(expr)?;
                    let expression = if self.keep_unknown {
                        expression
                    } else {
                        self.settle(expression)?
                    };
                    bound.push((name, expression));
                }
            }
        }
        Ok(bound)
    }

    fn group_keys(&mut self, select: &Select) -> Fallible<Vec<Bound>> {
        let mut keys = Vec::new();
        for key in &select.group_by {
            let bound = match &key.kind {
                ExprKind::Number(digits) => {
                    let item = position(digits, &select.items, "GROUP BY", key.span)?;
                    self.expression(item)?
                }
                // A column of the input comes first, then an output's name.
                ExprKind::Column(names) if names.len() == 1 => match self.column(names, key.span) {
                    Ok(found) => found,
                    Err(refusal) => match alias_of(&select.items, names[0].as_str()) {
                        Some(item) => self.expression(item)?,
                        None => return Err(refusal),
                    },
                },
                _ => self.expression(key)?,
            };
            keys.push(self.settle(bound)?);
        }
        Ok(keys)
    }

    /// The grouping, if there is one; items and HAVING rewritten to stand above it.
    fn grouping(
        &mut self,
        keys: Vec<Bound>,
        having: Option<Bound>,
        items: &mut [(Arc<str>, Bound)],
        having_conditions: &mut Vec<Bound>,
        select: &Select,
    ) -> Fallible<Option<Grouping>> {
        let aggregates = std::mem::take(&mut self.scope().aggregates);
        if keys.is_empty() && aggregates.is_empty() && select.group_by.is_empty() && having.is_none() {
            return Ok(None);
        }
        let mut grouping = Grouping {
            keys: Vec::new(),
            aggregates,
        };
        for key in keys {
            let slot = match key.kind {
                BoundKind::Slot(slot) => slot,
                _ => self.new_slot(),
            };
            grouping.keys.push((key, slot));
        }
        let visible: Vec<ScopeItem> = self.scope().items.clone();
        for (_, item) in items.iter_mut() {
            self.above_grouping(item, &mut grouping, &visible)?;
        }
        if let Some(mut condition) = having {
            self.above_grouping(&mut condition, &mut grouping, &visible)?;
            condition.conjuncts(having_conditions);
        }
        Ok(Some(grouping))
    }

    /// Finds or adds the items that ORDER BY names: an output's name or place first, then any expression.
    fn order_items<'q>(
        &mut self,
        order_by: &'q [OrderBy],
        items: &mut Vec<(Arc<str>, Bound)>,
        select: &Select,
    ) -> Fallible<Vec<(usize, &'q OrderBy)>> {
        let visible = items.len();
        let mut found = Vec::new();
        for order in order_by {
            let at = match &order.expr.kind {
                ExprKind::Number(digits) => {
                    let place = digits
                        .parse::<usize>()
                        .ok()
                        .filter(|place| (1..=visible).contains(place));
                    place
                        .map(|place| place - 1)
                        .ok_or_else(|| not_in_list("ORDER BY", digits, order.expr.span))?
                }
                ExprKind::Column(names) if names.len() == 1 => {
                    match output_named(&items[..visible], names[0].as_str(), "ORDER BY", order.expr.span)? {
                        Some(at) => at,
                        None => self.order_expression(&order.expr, items)?,
                    }
                }
                _ => self.order_expression(&order.expr, items)?,
            };
            if at >= visible && select.distinct == Distinct::Distinct {
                let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                return Err(error(state::INVALID_COLUMN_REFERENCE, message).at(order.expr.span));
            }
            found.push((at, order));
        }
        Ok(found)
    }

    fn order_expression(&mut self, expression: &Expr, items: &mut Vec<(Arc<str>, Bound)>) -> Fallible<usize> {
        let bound = self.expression(expression)?;
        let bound = self.settle(bound)?;
        if let Some(at) = items.iter().position(|(_, item)| *item == bound) {
            return Ok(at);
        }
        items.push(("".into(), bound));
        Ok(items.len() - 1)
    }

    fn distinct_on(&mut self, distinct: &Distinct, items: &mut Vec<(Arc<str>, Bound)>) -> Fallible<Vec<usize>> {
        let Distinct::On(expressions) = distinct else {
            return Ok(Vec::new());
        };
        let mut places = Vec::new();
        for expression in expressions {
            places.push(match &expression.kind {
                ExprKind::Column(names) if names.len() == 1 => {
                    match output_named(items, names[0].as_str(), "DISTINCT ON", expression.span)? {
                        Some(at) => at,
                        None => self.order_expression(expression, items)?,
                    }
                }
                _ => self.order_expression(expression, items)?,
            });
        }
        Ok(places)
    }

    fn distinct(
        &self,
        distinct: &Distinct,
        on: Vec<usize>,
        slots: &[Slot],
        _output: &[Target],
        order_by: &[SortKey],
    ) -> Fallible<BoundDistinct> {
        Ok(match distinct {
            Distinct::All => BoundDistinct::All,
            Distinct::Distinct => BoundDistinct::Distinct,
            Distinct::On(expressions) => {
                let on: Vec<Slot> = on.into_iter().map(|at| slots[at]).collect();
                let leads = order_by.iter().take(on.len()).all(|key| on.contains(&key.slot));
                if !leads {
                    let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
                    let span = expressions.first().map_or_else(Span::default, |first| first.span);
                    return Err(error(state::INVALID_COLUMN_REFERENCE, message).at(span));
                }
                BoundDistinct::On(on)
            }
        })
    }

    fn limits(&mut self, query: &Query) -> Fallible<(Option<Bound>, Option<Bound>)> {
        let mut bind = |expression: &Option<Expr>, clause: &str| -> Fallible<Option<Bound>> {
            let Some(expression) = expression else {
                return Ok(None);
            };
            let bound = self.expression(expression)?;
            let (found, span) = (bound.data_type, bound.span);
            let mut slots = Vec::new();
            bound.slots(&mut slots);
            if !slots.is_empty() && !bound.has_subquery() {
                let message = format!("argument of {clause} must not contain variables");
                return Err(error(state::INVALID_COLUMN_REFERENCE, message).at(span));
            }
            let coerced = self.try_coerce(bound, Type::Int8, CastContext::Implicit)?;
            coerced.map(Some).ok_or_else(|| {
                let message = format!("argument of {clause} must be type bigint, not type {found}");
                error(state::DATATYPE_MISMATCH, message).at(span)
            })
        };
        Ok((bind(&query.limit, "LIMIT")?, bind(&query.offset, "OFFSET")?))
    }

    fn locking(
        &mut self,
        clauses: &[Locking],
        from: &From,
        select: &Select,
        grouped: bool,
    ) -> Fallible<Vec<BoundLock>> {
        let mut locks: Vec<BoundLock> = Vec::new();
        for clause in clauses {
            let name = strength_name(clause.strength);
            let refusal = if grouped && select.group_by.is_empty() {
                Some("aggregate functions")
            } else if grouped {
                Some("GROUP BY clause")
            } else if select.distinct != Distinct::All {
                Some("DISTINCT clause")
            } else {
                None
            };
            if let Some(what) = refusal {
                let message = format!("{name} is not allowed with {what}");
                return Err(error(state::FEATURE_NOT_SUPPORTED, message));
            }
            let mut tables = Vec::new();
            lockable(from, false, &mut tables);
            for wanted in &clause.of {
                let known = self
                    .scope()
                    .items
                    .iter()
                    .any(|item| item.alias.as_ref() == Some(&wanted.text));
                if !known {
                    let message = format!("relation \"{}\" in {name} clause not found in FROM clause", wanted.text);
                    return Err(error(state::UNDEFINED_TABLE, message).at(wanted.span));
                }
            }
            for (table, nullable) in tables {
                if !clause.of.is_empty() && !self.is_named(table, clause) {
                    continue;
                }
                if nullable {
                    let message = format!("{name} cannot be applied to the nullable side of an outer join");
                    return Err(error(state::FEATURE_NOT_SUPPORTED, message));
                }
                self.tables[table].required.add(Privilege::Update);
                match locks.iter_mut().find(|lock| lock.table == table) {
                    Some(lock) => lock.strength = lock.strength.max(clause.strength),
                    None => locks.push(BoundLock {
                        table,
                        strength: clause.strength,
                        wait: clause.wait,
                    }),
                }
            }
        }
        Ok(locks)
    }

    fn is_named(&mut self, table: usize, clause: &Locking) -> bool {
        let alias = self.scope().items.iter().find_map(|item| {
            let of_table = item
                .columns
                .first()
                .is_some_and(|column| matches!(column.source, super::Source::Column(found, _) if found == table));
            if of_table { item.alias.clone() } else { None }
        });
        alias.is_some_and(|alias| clause.of.iter().any(|wanted| wanted.text == alias))
    }

    fn values(&mut self, rows: &[Vec<Expr>], query: &Query) -> Fallible<BoundQuery> {
        let mut bound = Vec::with_capacity(rows.len());
        self.push_scope(Vec::new());
        self.scope().no_aggregates = Some("aggregate functions are not allowed in VALUES");
        let width = rows.first().map_or(0, Vec::len);
        for row in rows {
            check_length(row, width)?;
            bound.push(self.expressions(row)?);
        }
        self.pop_scope();
        let mut columns: Vec<Vec<Bound>> = vec![Vec::new(); width];
        for row in bound {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        let mut output = Vec::new();
        let mut by_row: Vec<Vec<Bound>> = vec![Vec::new(); rows.len()];
        for (at, column) in columns.into_iter().enumerate() {
            let (unified, data_type) = self.unify(column, "VALUES")?;
            for (row, value) in by_row.iter_mut().zip(unified) {
                row.push(value);
            }
            output.push(Target {
                name: format!("column{}", at + 1).into(),
                data_type: SqlType::Is(data_type),
                slot: self.new_slot(),
            });
        }
        self.finish(Body::Values(by_row), output, query, "VALUES")
    }

    fn set_operation(
        &mut self,
        operator: SetOperator,
        all: bool,
        left: &Query,
        right: &Query,
        query: &Query,
    ) -> Fallible<BoundQuery> {
        let name = match operator {
            SetOperator::Union => "UNION",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Except => "EXCEPT",
        };
        let place = first_place(right);
        let mut left = self.untyped_query(left)?;
        let mut right = self.untyped_query(right)?;
        if left.output.len() != right.output.len() {
            let message = format!("each {name} query must have the same number of columns");
            return Err(error(state::SYNTAX_ERROR, message).at(place));
        }
        let mut output = Vec::new();
        for at in 0..left.output.len() {
            let (a, b) = (&left.output[at], &right.output[at]);
            let types = [(a.data_type, query.span), (b.data_type, query.span)];
            // Two undecided literals are text.
            let common = self.common_type(&types, name)?;
            output.push(Target {
                name: a.name.clone(),
                data_type: SqlType::Is(common),
                slot: self.new_slot(),
            });
            self.recast(&mut left, at, common)?;
            self.recast(&mut right, at, common)?;
        }
        let body = Body::Set {
            operator,
            all,
            left: Box::new(left),
            right: Box::new(right),
        };
        self.finish(body, output, query, "UNION/INTERSECT/EXCEPT")
    }

    /// A query whose literals and parameters in the select list keep no type: what is around it gives them one.
    pub(crate) fn untyped_query(&mut self, query: &Query) -> Fallible<BoundQuery> {
        self.keep_unknown = true;
        let bound = self.query(query);
        self.keep_unknown = false;
        bound
    }

    /// Gives an untyped column of a finished query its type.
    pub(crate) fn type_column(&mut self, query: &mut BoundQuery, at: usize, to: Type) -> Fallible<()> {
        if query.output[at].data_type == SqlType::Unknown {
            self.recast(query, at, to)?;
        }
        Ok(())
    }

    /// Makes a finished query's column be of a wider type, or of its first one.
    fn recast(&mut self, query: &mut BoundQuery, at: usize, to: Type) -> Fallible<()> {
        let target = query.output[at].clone();
        if target.data_type == SqlType::Is(to) {
            return Ok(());
        }
        query.output[at].data_type = SqlType::Is(to);
        match &mut query.body {
            Body::Select(select) => {
                let own = select.compute.iter_mut().find(|(_, slot)| *slot == target.slot);
                if let (SqlType::Unknown, Some((expression, _))) = (target.data_type, own) {
                    let literal = expression.clone();
                    if let Some(typed) = self.try_coerce(literal, to, CastContext::Implicit)? {
                        *expression = typed;
                    }
                    return Ok(());
                }
                let operand = Box::new(Bound::slot(target.slot, target.data_type));
                let cast = Bound::new(BoundKind::Cast(operand, to), SqlType::Is(to), Span::default());
                let slot = self.new_slot();
                select.compute.push((cast, slot));
                query.output[at].slot = slot;
            }
            Body::Values(rows) => {
                for row in rows {
                    let inner = std::mem::replace(&mut row[at], super::null_of(to));
                    row[at] = Bound::new(BoundKind::Cast(Box::new(inner), to), SqlType::Is(to), Span::default());
                }
            }
            // Integers of both widths are equal to each other, and print alike.
            Body::Set { .. } => {}
        }
        Ok(())
    }

    /// ORDER BY and LIMIT of a query whose columns are known by name and place only.
    fn finish(&mut self, body: Body, output: Vec<Target>, query: &Query, what: &str) -> Fallible<BoundQuery> {
        let mut order_by = Vec::new();
        for order in &query.order_by {
            let at = match &order.expr.kind {
                ExprKind::Number(digits) => {
                    let place = digits
                        .parse::<usize>()
                        .ok()
                        .filter(|place| (1..=output.len()).contains(place));
                    place
                        .map(|place| place - 1)
                        .ok_or_else(|| not_in_list("ORDER BY", digits, order.expr.span))?
                }
                ExprKind::Column(names) if names.len() == 1 => {
                    let found = output.iter().position(|target| target.name == names[0].text);
                    found.ok_or_else(|| {
                        let message = format!("column \"{}\" does not exist", names[0].text);
                        error(state::UNDEFINED_COLUMN, message).at(order.expr.span)
                    })?
                }
                _ => {
                    let message = format!("invalid {what} ORDER BY clause");
                    return Err(error(state::FEATURE_NOT_SUPPORTED, message)
                        .detail("Only result column names can be used, not expressions or functions.")
                        .hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
                        .at(order.expr.span));
                }
            };
            order_by.push(sort_key(output[at].slot, order));
        }
        if let Some(clause) = query.locking.first() {
            let message = format!("{} is not allowed with {what}", strength_name(clause.strength));
            return Err(error(state::FEATURE_NOT_SUPPORTED, message));
        }
        let (limit, offset) = self.limits(query)?;
        Ok(BoundQuery {
            body,
            output,
            order_by,
            limit,
            offset,
            locking: Vec::new(),
        })
    }
}

/// Base tables whose rows a query's rows come from, and whether they may be missing (outer joins).
fn lockable(from: &From, nullable: bool, into: &mut Vec<(usize, bool)>) {
    match from {
        From::Table(table) => into.push((*table, nullable)),
        From::Join { left, right, kind, .. } => {
            let (left_nullable, right_nullable) = match kind {
                super::Join::Inner => (false, false),
                super::Join::Left => (false, true),
                super::Join::Right => (true, false),
                super::Join::Full => (true, true),
            };
            lockable(left, nullable || left_nullable, into);
            lockable(right, nullable || right_nullable, into);
        }
        From::Nothing | From::Derived(_) | From::Common { .. } | From::Series(_) => {}
    }
}

/// Where a query's select list begins.
fn first_place(query: &Query) -> Span {
    let first = match &query.body {
        QueryBody::Select(select) => select.items.first().map(|item| match item {
            SelectItem::Star { span, .. } => *span,
            SelectItem::Expr { expr, .. } => expr.span,
        }),
        QueryBody::Values(rows) => rows.first().and_then(|row| row.first()).map(|value| value.span),
        QueryBody::SetOperation { left, .. } => Some(first_place(left)),
    };
    first.unwrap_or(query.span)
}

/// A row of VALUES is as long as the first one.
pub(super) fn check_length(row: &[Expr], width: usize) -> Fallible<()> {
    if row.len() == width {
        return Ok(());
    }
    let refusal = error(state::SYNTAX_ERROR, "VALUES lists must all be the same length");
    Err(match row.first() {
        Some(first) => refusal.at(first.span),
        None => refusal,
    })
}

fn has_groups(select: &Select) -> bool {
    !select.group_by.is_empty() || select.having.is_some()
}

fn strength_name(strength: RowLock) -> &'static str {
    match strength {
        RowLock::KeyShare => "FOR KEY SHARE",
        RowLock::Share => "FOR SHARE",
        RowLock::NoKeyUpdate => "FOR NO KEY UPDATE",
        RowLock::Update => "FOR UPDATE",
    }
}

fn sort_key(slot: Slot, order: &OrderBy) -> SortKey {
    SortKey {
        slot,
        descending: order.descending,
        nulls_first: order.nulls_first.unwrap_or(order.descending),
    }
}

fn not_in_list(clause: &str, place: &str, span: Span) -> Box<crate::SqlError> {
    let message = format!("{clause} position {place} is not in select list");
    error(state::INVALID_COLUMN_REFERENCE, message).at(span)
}

fn position<'q>(digits: &str, items: &'q [SelectItem], clause: &str, span: Span) -> Fallible<&'q Expr> {
    let place = digits
        .parse::<usize>()
        .ok()
        .and_then(|place| items.get(place.checked_sub(1)?));
    match place {
        Some(SelectItem::Expr { expr, .. }) => Ok(expr),
        Some(SelectItem::Star { .. }) => Err(unsupported(format!("{clause} of a position with * before it")).at(span)),
        None => Err(not_in_list(clause, digits, span)),
    }
}

fn alias_of<'q>(items: &'q [SelectItem], name: &str) -> Option<&'q Expr> {
    items.iter().find_map(|item| match item {
        SelectItem::Expr {
            expr,
            alias: Some(alias),
        } if alias.as_str() == name => Some(expr),
        _ => None,
    })
}

fn output_named(items: &[(Arc<str>, Bound)], name: &str, clause: &str, span: Span) -> Fallible<Option<usize>> {
    let mut matching = items.iter().enumerate().filter(|(_, (found, _))| **found == *name);
    let first = matching.next();
    if let Some((_, (_, expression))) = first
        && matching.any(|(_, (_, other))| other != expression)
    {
        let message = format!("{clause} \"{name}\" is ambiguous");
        return Err(error(state::AMBIGUOUS_COLUMN, message).at(span));
    }
    Ok(first.map(|(at, _)| at))
}
