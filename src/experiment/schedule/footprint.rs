//! What a statement says of itself: which table it reads or writes, and which rows it asks for. With that, the rows that
//! it gave tell which versions it has seen.
//!
//! Only statements about rows of one table have a footprint; of others (joins, aggregates, subqueries, …) what they gave
//! does not tell which rows they saw, and a history with one of them has no dependency graph.

use base::{Row, Type};
use engine_sql::{Evaluation, Output, TableOutline};
use syntax::{
    BinaryOperator, Distinct, Expr, ExprKind, InsertSource, Name, ObjectName, Query, QueryBody, Select, SelectItem,
    Statement, TableRef,
};

#[derive(Clone, Debug)]
pub(super) enum Footprint {
    /// Neither reads nor writes rows.
    Nothing,
    Rows(Box<Rows>),
    /// Why its results do not tell what it has seen.
    Untold(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// The table's place among all.
    pub(super) table: usize,
    pub(super) verb: Verb,
    /// Decides for a row of the table whether it is asked for; `None`: all are.
    condition: Option<Evaluation>,
    /// The condition names one row by its primary key.
    pub(super) by_key: bool,
    /// For each column of the output, the table's column that it is.
    columns: Vec<Option<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Select,
    Insert,
    Update,
    Delete,
}

impl Footprint {
    pub(super) fn of(statement: &Statement, tables: &[TableOutline]) -> Footprint {
        match rows_of(statement, tables) {
            Ok(Some(rows)) => Footprint::Rows(Box::new(rows)),
            Ok(None) => Footprint::Nothing,
            Err(why) => Footprint::Untold(why),
        }
    }
}

impl Rows {
    /// Does the statement ask for this row?
    pub(super) fn asks_for(&self, row: &Row) -> bool {
        let Some(condition) = &self.condition else { return true };
        condition
            .run(&[std::slice::from_ref(row)], Vec::new())
            .is_ok_and(|(output, _)| !output.rows.is_empty())
    }

    /// Could the statement have given this row for that one of the table? It shows the columns that it names.
    pub(super) fn shows(&self, shown: &Row, row: &Row) -> bool {
        let mut columns = self.columns.iter().zip(shown.iter());
        columns.all(|(column, value)| column.is_none_or(|column| row.get(column) == Some(value)))
    }

    /// The primary key of a row that it gave.
    pub(super) fn key_of(&self, shown: &Row, table: &TableOutline) -> Option<Vec<base::Value>> {
        let place = |key: &usize| self.columns.iter().position(|column| *column == Some(*key));
        let key = table.primary_key.iter().map(|key| shown.get(place(key)?).cloned());
        key.collect()
    }

    /// The rows of the table that a write gave; it is asked for all columns.
    pub(super) fn is_whole(&self, table: &TableOutline) -> bool {
        (0..table.columns.len()).all(|column| self.columns.contains(&Some(column)))
    }

    pub(super) fn whole_rows(&self, output: &Output, table: &TableOutline) -> Vec<Row> {
        let place = |wanted: usize| self.columns.iter().position(|column| *column == Some(wanted));
        let places: Vec<usize> = (0..table.columns.len()).filter_map(place).collect();
        let whole = |row: &Row| places.iter().filter_map(|place| row.get(*place).cloned()).collect();
        output.rows.iter().map(whole).collect()
    }
}

fn rows_of(statement: &Statement, tables: &[TableOutline]) -> Result<Option<Rows>, &'static str> {
    let one_table = "it reads more than rows of one table";
    match statement {
        Statement::Query(query) => select(query, tables).map(Some),
        Statement::Insert(insert) => {
            if !insert.with.is_empty() {
                return Err(one_table);
            }
            if insert.on_conflict.is_some() {
                return Err("ON CONFLICT does not tell which row it met");
            }
            let mut asks = false;
            syntax::visit::exprs(statement, &mut |expr| asks |= is_query(expr));
            if let InsertSource::Query(query) = &insert.source {
                asks |= !matches!(query.body, QueryBody::Values(_));
            }
            if asks {
                return Err(one_table);
            }
            let returning = insert.returning.as_ref().map(|returning| &returning.items[..]);
            Target::new(&insert.table, insert.alias.as_ref(), tables)?
                .rows(Verb::Insert, None, returning)
                .map(Some)
        }
        Statement::Update(update) => {
            if !update.with.is_empty()
                || !update.from.is_empty()
                || update.assignments.iter().any(|assignment| has_query(&assignment.value))
            {
                return Err(one_table);
            }
            let target = Target::new(&update.table, update.alias.as_ref(), tables)?;
            let names_key = |key: &usize| {
                let (name, _) = &target.outline.columns[*key];
                update.assignments.iter().any(|one| *one.column.text == **name)
            };
            if target.outline.primary_key.iter().any(names_key) {
                return Err("it changes a primary key");
            }
            let returning = update.returning.as_ref().map(|returning| &returning.items[..]);
            target.rows(Verb::Update, update.filter.as_ref(), returning).map(Some)
        }
        Statement::Delete(delete) => {
            if !delete.with.is_empty() || !delete.using.is_empty() {
                return Err(one_table);
            }
            let returning = delete.returning.as_ref().map(|returning| &returning.items[..]);
            Target::new(&delete.table, delete.alias.as_ref(), tables)?
                .rows(Verb::Delete, delete.filter.as_ref(), returning)
                .map(Some)
        }
        Statement::Begin { .. }
        | Statement::Commit { chain: false }
        | Statement::Rollback { chain: false }
        | Statement::SetTransaction { .. }
        | Statement::Set { .. }
        | Statement::Show(_)
        | Statement::Lock { .. } => Ok(None),
        Statement::Savepoint(_) | Statement::RollbackTo(_) | Statement::Release(_) => {
            Err("a savepoint may undo a part of a transaction")
        }
        Statement::Commit { .. } | Statement::Rollback { .. } => Err("AND CHAIN joins two transactions"),
        Statement::PrepareTransaction(_) | Statement::CommitPrepared(_) | Statement::RollbackPrepared(_) => {
            Err("a prepared transaction ends in another step")
        }
        _ => Err("it is about definitions, not rows"),
    }
}

fn select(query: &Query, tables: &[TableOutline]) -> Result<Rows, &'static str> {
    let QueryBody::Select(select) = &query.body else {
        return Err("it reads more than rows of one table");
    };
    if !query.with.is_empty() || query.limit.is_some() || query.offset.is_some() {
        return Err("what it gives is not all that it asks for");
    }
    let Select {
        distinct,
        items,
        from,
        filter,
        group_by,
        having,
        ..
    } = &**select;
    let [TableRef::Table { name, alias, .. }] = &from[..] else {
        return Err("it reads more than rows of one table");
    };
    if *distinct != Distinct::All || !group_by.is_empty() || having.is_some() {
        return Err("it gives no rows of a table");
    }
    let alias = alias.as_ref().map(|alias| &alias.name);
    Target::new(name, alias, tables)?.rows(Verb::Select, filter.as_ref(), Some(items))
}

struct Target<'a> {
    table: usize,
    outline: &'a TableOutline,
    alias: Option<&'a Name>,
}

impl<'a> Target<'a> {
    fn new(name: &ObjectName, alias: Option<&'a Name>, tables: &'a [TableOutline]) -> Result<Target<'a>, &'static str> {
        let name = syntax::print_object(name);
        let table = tables.iter().position(|table| table.name == name);
        let table = table.ok_or("its table is not among those that the schedule begins with")?;
        let outline = &tables[table];
        if outline.primary_key.is_empty() {
            return Err("its table has no primary key to know rows by");
        }
        Ok(Target { table, outline, alias })
    }

    fn rows(&self, verb: Verb, filter: Option<&Expr>, items: Option<&[SelectItem]>) -> Result<Rows, &'static str> {
        let rows = Rows {
            table: self.table,
            verb,
            condition: filter.map(|filter| self.condition(filter)).transpose()?,
            by_key: filter.is_some_and(|filter| self.names_a_key(filter)),
            columns: self.columns(items.unwrap_or_default())?,
        };
        let key_is_shown = |key: &usize| rows.columns.contains(&Some(*key));
        if !self.outline.primary_key.iter().all(key_is_shown) {
            return Err("its rows do not show their primary key");
        }
        if verb != Verb::Select && !rows.is_whole(self.outline) {
            return Err("its rows do not show all that it writes");
        }
        Ok(rows)
    }

    fn condition(&self, filter: &Expr) -> Result<Evaluation, &'static str> {
        if has_query(filter) {
            return Err("it reads more than rows of one table");
        }
        let name = &self.outline.name;
        let alias = self.alias.map_or(String::new(), |alias| {
            format!(" AS {}", syntax::identifier(&alias.text))
        });
        let sql = format!("SELECT 1 FROM {name}{alias} WHERE {}", syntax::print_expr(filter));
        let columns: &[(String, Type)] = &self.outline.columns;
        let table = std::iter::once((name.as_str(), columns));
        Evaluation::new(table, &sql).map_err(|_| "its condition cannot be evaluated on a row alone")
    }

    /// `key = literal`, of a key of one column.
    fn names_a_key(&self, filter: &Expr) -> bool {
        let [key] = self.outline.primary_key[..] else {
            return false;
        };
        let ExprKind::Binary {
            operator: BinaryOperator::Equal,
            left,
            right,
        } = &filter.kind
        else {
            return false;
        };
        let is_key = |expr: &Expr| self.column(expr) == Some(key);
        let is_literal = |expr: &Expr| matches!(expr.kind, ExprKind::Number(_) | ExprKind::String(_));
        (is_key(left) && is_literal(right)) || (is_key(right) && is_literal(left))
    }

    fn columns(&self, items: &[SelectItem]) -> Result<Vec<Option<usize>>, &'static str> {
        let mut columns = Vec::new();
        for item in items {
            match item {
                SelectItem::Star { .. } => columns.extend((0..self.outline.columns.len()).map(Some)),
                SelectItem::Expr { expr, .. } if has_call(expr) => return Err("it gives no rows of a table"),
                SelectItem::Expr { expr, .. } => columns.push(self.column(expr)),
            }
        }
        Ok(columns)
    }

    fn column(&self, expr: &Expr) -> Option<usize> {
        let ExprKind::Column(names) = &expr.kind else {
            return None;
        };
        let name = &*names.last()?.text;
        self.outline.columns.iter().position(|(column, _)| column == name)
    }
}

fn has_query(expr: &Expr) -> bool {
    let mut found = false;
    syntax::visit::exprs_of(expr, &mut |expr| found |= is_query(expr));
    found
}

fn is_query(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::InQuery { .. } | ExprKind::Exists { .. } | ExprKind::Subquery(_)
    )
}

/// A function may aggregate, and a query reads other rows.
fn has_call(expr: &Expr) -> bool {
    let mut found = false;
    let is_call = |expr: &Expr| is_query(expr) || matches!(expr.kind, ExprKind::Function(_));
    syntax::visit::exprs_of(expr, &mut |expr| found |= is_call(expr));
    found
}
