//! What can be read off a statement without knowing the schema.

use syntax::{Expr, ExprKind, Name, ObjectName, Query, QueryBody, Returning, Statement};

use super::walk::{self, Expressions, Tables, Visitor};

/// The variables that `INTO` binds, in order; empty if none.
pub(crate) fn into(statement: &Statement) -> Vec<String> {
    let names: &[Name] = match statement {
        Statement::Query(query) => match &query.body {
            QueryBody::Select(select) => &select.into,
            _ => &[],
        },
        _ => returning(statement).map_or(&[], |returning| &returning.into),
    };
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

pub(crate) fn returning(statement: &Statement) -> Option<&Returning> {
    match statement {
        Statement::Insert(insert) => insert.returning.as_ref(),
        Statement::Update(update) => update.returning.as_ref(),
        Statement::Delete(delete) => delete.returning.as_ref(),
        _ => None,
    }
}

pub(crate) fn strip_into(statement: &mut Statement) {
    match statement {
        Statement::Query(query) => {
            if let QueryBody::Select(select) = &mut query.body {
                select.into.clear();
            }
        }
        Statement::Insert(insert) => insert.returning.iter_mut().for_each(|r| r.into.clear()),
        Statement::Update(update) => update.returning.iter_mut().for_each(|r| r.into.clear()),
        Statement::Delete(delete) => delete.returning.iter_mut().for_each(|r| r.into.clear()),
        _ => {}
    }
}

/// Does it hand rows to the client (rather than bind or count them)?
pub(crate) fn answers_rows(statement: &Statement) -> bool {
    let has_rows = matches!(statement, Statement::Query(_)) || returning(statement).is_some();
    has_rows && into(statement).is_empty()
}

/// The verb of a label: `SELECT`, `INSERT`.
pub(crate) fn verb(statement: &Statement) -> &'static str {
    match statement {
        Statement::Query(query) if query.locking.is_empty() => "SELECT",
        Statement::Query(_) => "SELECT FOR UPDATE",
        Statement::Insert(_) => "INSERT",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        _ => "",
    }
}

/// The variables that a statement uses, in order of appearance, each once.
pub(crate) fn variables(statement: &Statement) -> Vec<String> {
    let mut found = Vec::new();
    walk::statement(&mut statement.clone(), &mut Expressions(|e: &mut Expr| note_variable(e, &mut found)));
    found
}

pub(crate) fn variables_of(expr: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    walk::expr(&mut expr.clone(), &mut Expressions(|e: &mut Expr| note_variable(e, &mut found)));
    found
}

fn note_variable(expr: &Expr, found: &mut Vec<String>) {
    if let ExprKind::Variable(name) = &expr.kind
        && !found.iter().any(|known| known == name.as_str())
    {
        found.push(name.as_str().to_owned());
    }
}

/// Tables with an owner (others are names of common table expressions), in order of appearance.
pub(crate) fn tables_of(query: &Query) -> Vec<ObjectName> {
    let mut found = Vec::new();
    walk::query(&mut query.clone(), &mut Tables(|name: &mut ObjectName| note_table(name, &mut found)));
    found
}

pub(crate) fn tables_of_expr(expr: &Expr) -> Vec<ObjectName> {
    let mut found = Vec::new();
    walk::expr(&mut expr.clone(), &mut Tables(|name: &mut ObjectName| note_table(name, &mut found)));
    found
}

pub(crate) fn tables_of_statement(statement: &Statement) -> Vec<ObjectName> {
    let mut found = Vec::new();
    walk::statement(&mut statement.clone(), &mut Tables(|name: &mut ObjectName| note_table(name, &mut found)));
    found
}

fn note_table(name: &ObjectName, found: &mut Vec<ObjectName>) {
    if name.schema.is_some() && !found.contains(name) {
        found.push(name.clone());
    }
}

/// `now()` and its synonyms: the time at which the transaction began.
pub(crate) fn is_now(expr: &Expr) -> bool {
    let ExprKind::Function(call) = &expr.kind else { return false };
    let name = call.name.name.as_str();
    call.arguments.is_empty() && matches!(name, "now" | "current_timestamp" | "transaction_timestamp")
}

/// Gives another value each time it is asked, so that it must be evaluated once and in one place.
pub(crate) fn is_volatile(expr: &Expr) -> bool {
    const VOLATILE: [&str; 8] = [
        "clock_timestamp", "currval", "gen_random_uuid", "nextval", "pg_sleep", "random", "setval", "statement_timestamp",
    ];
    struct Search(bool);
    impl Visitor for Search {
        fn expr(&mut self, expr: &mut Expr) {
            if let ExprKind::Function(call) = &expr.kind {
                self.0 |= VOLATILE.contains(&call.name.name.as_str());
            }
        }
    }
    let mut search = Search(false);
    walk::expr(&mut expr.clone(), &mut search);
    search.0
}

/// The operands of a chain of ANDs, left to right.
pub(crate) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Binary { operator: syntax::BinaryOperator::And, left, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        _ => vec![expr],
    }
}
