//! What can be read off a statement without knowing the schema.

use syntax::{Expr, ExprKind, Name, ObjectName, Query, QueryBody, Returning, Statement};

use syntax::visit::{self, Visitor};

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

/// Does it take locks on rows that it reads (FOR UPDATE and the like)?
pub(crate) fn locks(statement: &Statement) -> bool {
    struct Locks(bool);
    impl Visitor for Locks {
        fn query(&mut self, query: &Query) {
            self.0 |= !query.locking.is_empty();
            visit::read::walk_query(self, query);
        }
    }
    let mut locks = Locks(false);
    locks.statement(statement);
    locks.0
}

/// The variables that a statement uses, in order of appearance, each once.
pub(crate) fn variables(statement: &Statement) -> Vec<String> {
    let mut found = Vec::new();
    visit::exprs(statement, &mut |e| note_variable(e, &mut found));
    found
}

pub(crate) fn variables_of(expr: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    visit::exprs_of(expr, &mut |e| note_variable(e, &mut found));
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
    let mut tables = TableNames::default();
    tables.query(query);
    tables.0
}

pub(crate) fn tables_of_expr(expr: &Expr) -> Vec<ObjectName> {
    let mut tables = TableNames::default();
    tables.expr(expr);
    tables.0
}

pub(crate) fn tables_of_statement(statement: &Statement) -> Vec<ObjectName> {
    let mut tables = TableNames::default();
    tables.statement(statement);
    tables.0
}

#[derive(Default)]
struct TableNames(Vec<ObjectName>);

impl Visitor for TableNames {
    fn table(&mut self, name: &ObjectName) {
        if name.schema.is_some() && !self.0.contains(name) {
            self.0.push(name.clone());
        }
    }
}

/// `now()` and its synonyms: the time at which the transaction began.
pub(crate) fn is_now(expr: &Expr) -> bool {
    let ExprKind::Function(call) = &expr.kind else {
        return false;
    };
    let name = call.name.name.as_str();
    call.arguments.is_empty() && matches!(name, "now" | "current_timestamp" | "transaction_timestamp")
}

/// The present as it passes, also within a transaction.
pub(crate) fn is_clock(expr: &Expr) -> bool {
    let ExprKind::Function(call) = &expr.kind else {
        return false;
    };
    call.arguments.is_empty() && matches!(call.name.name.as_str(), "clock_timestamp" | "statement_timestamp")
}

/// Gives another value each time it is asked, so that it must be evaluated once and in one place.
pub(crate) fn is_volatile(expr: &Expr) -> bool {
    const VOLATILE: [&str; 8] = [
        "clock_timestamp",
        "currval",
        "gen_random_uuid",
        "nextval",
        "pg_sleep",
        "random",
        "setval",
        "statement_timestamp",
    ];
    let mut volatile = false;
    visit::exprs_of(expr, &mut |e| {
        if let ExprKind::Function(call) = &e.kind {
            volatile |= VOLATILE.contains(&call.name.name.as_str());
        }
    });
    volatile
}

/// The operands of a chain of ANDs, left to right.
pub(crate) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Binary {
            operator: syntax::BinaryOperator::And,
            left,
            right,
        } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        _ => vec![expr],
    }
}
