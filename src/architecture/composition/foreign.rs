//! Writes that read other owners' tables: what they read is fetched first, and the write gets it as
//! operands.

use scenario::{Action, Schema};
use syntax::visit::{self, Rewriter};
use syntax::{BinaryOperator, Expr, ExprKind, Insert, InsertSource, Name, Query, QueryBody, Statement};

use super::analysis::analyse;
use crate::lower::item::{Item, PerRow, Refused};
use crate::lower::statement::select;
use crate::sql::facts;

/// A query that must be answered before the statement can be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prefetch {
    pub(crate) query: Query,
    /// The variable or row set that holds the answer.
    pub(crate) name: String,
    pub(crate) shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The only value.
    Value,
    /// All values of its column, as a list.
    List,
    Rows,
}

/// The statement without its reads of owners other than `owner`, and those reads.
pub(crate) fn separate(schema: &Schema, item: &Item, owner: u16) -> Result<(Vec<Prefetch>, Item), Refused> {
    let foreign_table = |id: &scenario::TableId| schema.table(*id).owner != owner;
    let Some(sql) = item.sql() else {
        return Ok((Vec::new(), item.clone()));
    };
    if !item.statement.reads.iter().any(foreign_table) {
        return Ok((Vec::new(), item.clone()));
    }
    let mut sql = sql.clone();
    let mut item = item.clone();
    let mut prefetches = Vec::new();
    if let Statement::Insert(insert) = &mut sql
        && let InsertSource::Query(source) = &insert.source
        && !matches!(source.body, QueryBody::Values(_))
        && is_foreign(schema, owner, &facts::tables_of(source))
    {
        item.per_row = Some(per_row(schema, item.index, insert, &mut prefetches));
    }
    // The rows of an INSERT are a query of their own: its subqueries are one level down.
    let level = if matches!(sql, Statement::Insert(_)) { 1 } else { 0 };
    let mut replacer = Replacer {
        schema,
        owner,
        index: item.index,
        depth: 0,
        level,
        prefetches,
        correlated: false,
    };
    replacer.statement(&mut sql);
    let (prefetches, correlated) = (replacer.prefetches, replacer.correlated);
    let left = facts::tables_of_statement(&sql);
    if correlated || is_foreign(schema, owner, &left) {
        return Err(refusal(schema, owner, &item, &left));
    }
    item.statement.reads.retain(|id| !foreign_table(id));
    item.statement.action = Action::Sql(Box::new(sql));
    Ok((prefetches, item))
}

fn is_foreign(schema: &Schema, owner: u16, tables: &[syntax::ObjectName]) -> bool {
    let of = |name| schema.find(name).map(|id| schema.table(id).owner);
    tables.iter().any(|name| of(name).is_some_and(|other| other != owner))
}

fn refusal(schema: &Schema, owner: u16, item: &Item, tables: &[syntax::ObjectName]) -> Refused {
    let mine = &schema.owners[usize::from(owner)];
    let others: Vec<String> = tables
        .iter()
        .filter(|name| is_foreign(schema, owner, std::slice::from_ref(name)))
        .map(syntax::print_object)
        .collect();
    Refused::new(
        item.index,
        format!(
            "the write at {mine} is joined, row by row, to {} of another service",
            others.join(", ")
        ),
        "read what is needed with SELECT … INTO :variable first, then write with :variable",
    )
}

/// INSERT … SELECT from elsewhere: the rows are fetched, then inserted one by one.
fn per_row(schema: &Schema, index: u16, insert: &mut Insert, prefetches: &mut Vec<Prefetch>) -> PerRow {
    let all = schema
        .find(&insert.table)
        .map_or(0, |id| schema.table(id).columns.len());
    let count = if insert.columns.is_empty() {
        all
    } else {
        insert.columns.len()
    };
    let columns: Vec<String> = (1..=count)
        .map(|n| format!("column {n} of statement {}", index + 1))
        .collect();
    let rows = format!("source rows of statement {}", index + 1);
    let values = columns.iter().map(|name| variable(name)).collect();
    let mut values_query = select(Expr::new(ExprKind::Null, Default::default()));
    values_query.body = QueryBody::Values(vec![values]);
    let source = std::mem::replace(&mut insert.source, InsertSource::Query(Box::new(values_query)));
    if let InsertSource::Query(query) = source {
        prefetches.push(Prefetch {
            query: *query,
            name: rows.clone(),
            shape: Shape::Rows,
        });
    }
    PerRow { rows, columns }
}

fn variable(name: &str) -> Expr {
    Expr::new(ExprKind::Variable(Name::new(name)), Default::default())
}

/// Replaces the outermost foreign subqueries that stand for themselves.
struct Replacer<'a> {
    schema: &'a Schema,
    owner: u16,
    index: u16,
    depth: usize,
    level: usize,
    prefetches: Vec<Prefetch>,
    correlated: bool,
}

impl Rewriter for Replacer<'_> {
    fn query(&mut self, query: &mut Query) {
        self.depth += 1;
        visit::rewrite::walk_query(self, query);
        self.depth -= 1;
    }

    fn expr(&mut self, expr: &mut Expr) {
        if self.depth == self.level {
            self.replace(expr);
        }
        visit::rewrite::walk_expr(self, expr);
    }
}

impl Replacer<'_> {
    fn replace(&mut self, expr: &mut Expr) {
        let (query, shape) = match &expr.kind {
            ExprKind::InQuery { query, .. } => (query, Shape::List),
            ExprKind::Subquery(query) | ExprKind::Exists { query } => (query, Shape::Value),
            _ => return,
        };
        if !is_foreign(self.schema, self.owner, &facts::tables_of(query)) {
            return;
        }
        if analyse(self.schema, query).correlated {
            self.correlated = true;
            return;
        }
        let name = format!("fetched {} for statement {}", self.prefetches.len() + 1, self.index + 1);
        let query = (**query).clone();
        let (query, kind) = replaced(&expr.kind, query, &name);
        self.prefetches.push(Prefetch { query, name, shape });
        expr.kind = kind;
    }
}

/// The query to ask beforehand, and what takes its place.
fn replaced(kind: &ExprKind, query: Query, name: &str) -> (Query, ExprKind) {
    let value = variable(name);
    match kind {
        ExprKind::InQuery { operand, negated, .. } => {
            let any = ExprKind::Any {
                left: operand.clone(),
                operator: BinaryOperator::Equal,
                right: Box::new(value),
            };
            let kind = if *negated {
                ExprKind::Unary {
                    operator: syntax::UnaryOperator::Not,
                    operand: Box::new(Expr::new(any, Default::default())),
                }
            } else {
                any
            };
            (query, kind)
        }
        ExprKind::Exists { .. } => (select(Expr::new(kind.clone(), Default::default())), value.kind),
        _ => (query, value.kind),
    }
}
