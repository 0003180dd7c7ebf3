//! A walk over SQL trees that may change what it visits: every expression and every table name,
//! subqueries included, children before parents.

use syntax::{
    ConflictAction, Delete, Expr, ExprKind, Insert, InsertSource, JoinCondition, ObjectName, Query,
    QueryBody, Returning, Select, SelectItem, Statement, TableRef, Update,
};

/// What is done at each node. Both do nothing unless said otherwise.
pub(crate) trait Visitor {
    fn expr(&mut self, _: &mut Expr) {}
    /// A name in FROM, or the target of a write.
    fn table(&mut self, _: &mut ObjectName) {}
    /// Before anything of a query is visited, and after all of it has been.
    fn enter(&mut self, _: &Query) {}
    fn leave(&mut self) {}
}

/// Calls a function at each expression.
pub(crate) struct Expressions<F>(pub(crate) F);

impl<F: FnMut(&mut Expr)> Visitor for Expressions<F> {
    fn expr(&mut self, expr: &mut Expr) {
        (self.0)(expr);
    }
}

/// Calls a function at each table name.
pub(crate) struct Tables<F>(pub(crate) F);

impl<F: FnMut(&mut ObjectName)> Visitor for Tables<F> {
    fn table(&mut self, name: &mut ObjectName) {
        (self.0)(name);
    }
}

/// Definitions and transaction control are left alone: operations hold none.
pub(crate) fn statement(statement: &mut Statement, visitor: &mut dyn Visitor) {
    match statement {
        Statement::Query(inner) => query(inner, visitor),
        Statement::Insert(inner) => insert(inner, visitor),
        Statement::Update(inner) => update(inner, visitor),
        Statement::Delete(inner) => delete(inner, visitor),
        Statement::AbortWhen { condition, .. } => expr(condition, visitor),
        Statement::Call { arguments, .. } => arguments.iter_mut().for_each(|argument| expr(argument, visitor)),
        Statement::Explain { statement: inner, .. } => self::statement(inner, visitor),
        _ => {}
    }
}

pub(crate) fn query(query: &mut Query, visitor: &mut dyn Visitor) {
    visitor.enter(query);
    for common in &mut query.with {
        self::query(&mut common.query, visitor);
    }
    match &mut query.body {
        QueryBody::Select(inner) => select(inner, visitor),
        QueryBody::Values(rows) => rows.iter_mut().flatten().for_each(|e| expr(e, visitor)),
        QueryBody::SetOperation { left, right, .. } => {
            self::query(left, visitor);
            self::query(right, visitor);
        }
    }
    query.order_by.iter_mut().for_each(|order| expr(&mut order.expr, visitor));
    query.limit.iter_mut().for_each(|e| expr(e, visitor));
    query.offset.iter_mut().for_each(|e| expr(e, visitor));
    visitor.leave();
}

fn select(select: &mut Select, visitor: &mut dyn Visitor) {
    if let syntax::Distinct::On(list) = &mut select.distinct {
        list.iter_mut().for_each(|e| expr(e, visitor));
    }
    items(&mut select.items, visitor);
    select.from.iter_mut().for_each(|from| table_ref(from, visitor));
    select.filter.iter_mut().for_each(|e| expr(e, visitor));
    select.group_by.iter_mut().for_each(|e| expr(e, visitor));
    select.having.iter_mut().for_each(|e| expr(e, visitor));
}

fn items(items: &mut [SelectItem], visitor: &mut dyn Visitor) {
    for item in items {
        if let SelectItem::Expr { expr: inner, .. } = item {
            expr(inner, visitor);
        }
    }
}

pub(crate) fn table_ref(from: &mut TableRef, visitor: &mut dyn Visitor) {
    match from {
        TableRef::Table { name, .. } => visitor.table(name),
        TableRef::Derived { query: inner, .. } => query(inner, visitor),
        TableRef::Join { left, right, condition, .. } => {
            table_ref(left, visitor);
            table_ref(right, visitor);
            if let JoinCondition::On(on) = condition {
                expr(on, visitor);
            }
        }
        TableRef::Function { arguments, .. } => arguments.iter_mut().for_each(|e| expr(e, visitor)),
    }
}

fn insert(insert: &mut Insert, visitor: &mut dyn Visitor) {
    visitor.table(&mut insert.table);
    if let InsertSource::Query(source) = &mut insert.source {
        query(source, visitor);
    }
    if let Some(conflict) = &mut insert.on_conflict
        && let ConflictAction::Update { assignments, filter } = &mut conflict.action
    {
        assignments.iter_mut().for_each(|a| expr(&mut a.value, visitor));
        filter.iter_mut().for_each(|e| expr(e, visitor));
    }
    returning(&mut insert.returning, visitor);
}

fn update(update: &mut Update, visitor: &mut dyn Visitor) {
    visitor.table(&mut update.table);
    update.assignments.iter_mut().for_each(|a| expr(&mut a.value, visitor));
    update.from.iter_mut().for_each(|from| table_ref(from, visitor));
    update.filter.iter_mut().for_each(|e| expr(e, visitor));
    returning(&mut update.returning, visitor);
}

fn delete(delete: &mut Delete, visitor: &mut dyn Visitor) {
    visitor.table(&mut delete.table);
    delete.using.iter_mut().for_each(|from| table_ref(from, visitor));
    delete.filter.iter_mut().for_each(|e| expr(e, visitor));
    returning(&mut delete.returning, visitor);
}

fn returning(returning: &mut Option<Returning>, visitor: &mut dyn Visitor) {
    if let Some(returning) = returning {
        items(&mut returning.items, visitor);
    }
}

/// Children first, then the expression itself: a visitor may replace it without being led into what
/// it has put there.
pub(crate) fn expr(expr: &mut Expr, visitor: &mut dyn Visitor) {
    for_each_child(&mut expr.kind, visitor);
    visitor.expr(expr);
}

fn for_each_child(kind: &mut ExprKind, visitor: &mut dyn Visitor) {
    match kind {
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::Parameter(_)
        | ExprKind::Variable(_)
        | ExprKind::Column(_)
        | ExprKind::Default => {}
        ExprKind::Unary { operand, .. }
        | ExprKind::IsNull { operand, .. }
        | ExprKind::IsBool { operand, .. }
        | ExprKind::Cast { operand, .. } => expr(operand, visitor),
        ExprKind::Binary { left, right, .. }
        | ExprKind::IsDistinct { left, right, .. }
        | ExprKind::Any { left, right, .. } => {
            expr(left, visitor);
            expr(right, visitor);
        }
        ExprKind::Like { operand, pattern, .. } => {
            expr(operand, visitor);
            expr(pattern, visitor);
        }
        ExprKind::Between { operand, low, high, .. } => {
            expr(operand, visitor);
            expr(low, visitor);
            expr(high, visitor);
        }
        ExprKind::In { operand, list, .. } => {
            expr(operand, visitor);
            list.iter_mut().for_each(|e| expr(e, visitor));
        }
        ExprKind::InQuery { operand, query: inner, .. } => {
            expr(operand, visitor);
            query(inner, visitor);
        }
        ExprKind::Exists { query: inner } => query(inner, visitor),
        ExprKind::Subquery(inner) => query(inner, visitor),
        ExprKind::Array(list) | ExprKind::Row(list) => list.iter_mut().for_each(|e| expr(e, visitor)),
        ExprKind::Case { operand, branches, otherwise } => {
            operand.iter_mut().for_each(|e| expr(e, visitor));
            for (condition, value) in branches {
                expr(condition, visitor);
                expr(value, visitor);
            }
            otherwise.iter_mut().for_each(|e| expr(e, visitor));
        }
        ExprKind::Function(call) => {
            call.arguments.iter_mut().for_each(|e| expr(e, visitor));
            call.filter.iter_mut().for_each(|e| expr(e, visitor));
        }
    }
}
