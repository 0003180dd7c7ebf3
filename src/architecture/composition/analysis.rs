//! What a query needs of each table: columns, predicates of its own, equalities with others.

use std::collections::BTreeSet;

use scenario::{ColumnId, Schema, TableId};
use syntax::visit::{self, Visitor};
use syntax::{BinaryOperator, Expr, ExprKind, JoinCondition, JoinKind, Name, ObjectName, Query, QueryBody, Select};
use syntax::{SelectItem, TableRef};

use crate::sql::facts;

/// One appearance of a table in a query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Occurrence {
    pub(crate) table: TableId,
    pub(crate) needed: BTreeSet<ColumnId>,
    /// Predicates over this table alone, columns unqualified. A row that fails one cannot matter.
    pub(crate) predicates: Vec<Expr>,
    /// Columns that a predicate makes equal to a value known beforehand.
    pub(crate) bound: BTreeSet<ColumnId>,
    /// A row whose `column` equals no `other_column` of `other` cannot matter.
    pub(crate) edges: Vec<Edge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) column: ColumnId,
    pub(crate) other: usize,
    pub(crate) other_column: ColumnId,
}

#[derive(Debug)]
pub(crate) struct Analysis {
    pub(crate) occurrences: Vec<Occurrence>,
    /// Uses a column that none of its own tables has: it depends on a row of an outer query.
    pub(crate) correlated: bool,
}

pub(crate) fn analyse(schema: &Schema, query: &Query) -> Analysis {
    let mut reader = Reader {
        schema,
        occurrences: Vec::new(),
        scopes: Vec::new(),
        free: false,
    };
    reader.query(query);
    Analysis {
        occurrences: reader.occurrences,
        correlated: reader.free,
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    occurrences: Vec<Occurrence>,
    /// Innermost last.
    scopes: Vec<Scope>,
    free: bool,
}

/// The names of one query.
#[derive(Default)]
struct Scope {
    sources: Vec<Source>,
    /// What its columns are called: ORDER BY and GROUP BY may use these names too.
    outputs: Vec<Name>,
}

/// Something in FROM.
struct Source {
    /// The name by which columns are qualified.
    name: String,
    /// `auth.users`, if it may be qualified by its full name too.
    full_name: Option<ObjectName>,
    /// `None`: a derived table, a common table, a function.
    occurrence: Option<usize>,
}

/// The shape of a FROM clause, for deciding where predicates may go.
enum Shape {
    Leaf(Option<usize>),
    Join(JoinKind, Box<Shape>, Box<Shape>),
}

/// A column of a base table; `depth` 0 is the innermost scope.
#[derive(Clone, Copy, PartialEq)]
struct Resolved {
    occurrence: usize,
    column: ColumnId,
    depth: usize,
}

/// A predicate and the shapes on top of which it stands.
struct Clause<'a> {
    predicate: &'a Expr,
    tops: Vec<&'a Shape>,
}

impl Shape {
    /// May a predicate on top of this be applied to the table before the joins?
    fn passes(&self, occurrence: usize) -> bool {
        match self {
            Shape::Leaf(leaf) => *leaf == Some(occurrence),
            Shape::Join(kind, left, right) => match kind {
                JoinKind::Inner | JoinKind::Cross => left.passes(occurrence) || right.passes(occurrence),
                JoinKind::Left => left.passes(occurrence),
                JoinKind::Right => right.passes(occurrence),
                JoinKind::Full => false,
            },
        }
    }
}

impl Visitor for Reader<'_> {
    fn expr(&mut self, expr: &Expr) {
        if let ExprKind::Column(path) = &expr.kind {
            self.need(path);
        }
        visit::read::walk_expr(self, expr);
    }

    fn query(&mut self, query: &Query) {
        self.scopes.push(Scope::default());
        if let QueryBody::Select(select) = &query.body {
            self.scope().outputs = outputs(select);
            let shapes: Vec<Shape> = select.from.iter().map(|from| self.source(from)).collect();
            self.need_stars(select);
            let mut clauses = Vec::new();
            if let Some(filter) = &select.filter {
                let tops: Vec<&Shape> = shapes.iter().collect();
                clauses.push(Clause {
                    predicate: filter,
                    tops,
                });
            }
            for (from, shape) in select.from.iter().zip(&shapes) {
                self.join_clauses(from, shape, &mut clauses);
            }
            for clause in clauses {
                for predicate in facts::conjuncts(clause.predicate) {
                    self.note(predicate, &clause.tops);
                }
            }
        }
        visit::read::walk_query(self, query);
        self.scopes.pop();
    }
}

impl Reader<'_> {
    fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    fn source(&mut self, from: &TableRef) -> Shape {
        match from {
            TableRef::Join { left, right, kind, .. } => {
                let left = self.source(left);
                let right = self.source(right);
                Shape::Join(*kind, Box::new(left), Box::new(right))
            }
            TableRef::Table { name, alias, .. } => {
                let occurrence = self.schema.find(name).map(|table| {
                    self.occurrences.push(Occurrence {
                        table,
                        needed: BTreeSet::new(),
                        predicates: Vec::new(),
                        bound: BTreeSet::new(),
                        edges: Vec::new(),
                    });
                    self.occurrences.len() - 1
                });
                let visible = alias.as_ref().map_or(&name.name, |alias| &alias.name);
                let full_name = if alias.is_none() { Some(name.clone()) } else { None };
                self.add_source(visible, full_name, occurrence)
            }
            TableRef::Derived { alias, .. } | TableRef::Function { alias, .. } => match alias {
                Some(alias) => self.add_source(&alias.name, None, None),
                None => self.add_source(&Name::new(""), None, None),
            },
        }
    }

    fn add_source(&mut self, name: &Name, full_name: Option<ObjectName>, occurrence: Option<usize>) -> Shape {
        let name = name.as_str().to_owned();
        self.scope().sources.push(Source {
            name,
            full_name,
            occurrence,
        });
        Shape::Leaf(occurrence)
    }

    /// The ON conditions inside of a FROM item, each with the sides into which it may be pushed.
    fn join_clauses<'s>(&mut self, from: &'s TableRef, shape: &'s Shape, clauses: &mut Vec<Clause<'s>>) {
        let (
            TableRef::Join {
                left, right, condition, ..
            },
            Shape::Join(kind, left_shape, right_shape),
        ) = (from, shape)
        else {
            return;
        };
        self.join_clauses(left, left_shape, clauses);
        self.join_clauses(right, right_shape, clauses);
        let tops: Vec<&Shape> = match kind {
            JoinKind::Inner | JoinKind::Cross => vec![left_shape, right_shape],
            JoinKind::Left => vec![right_shape],
            JoinKind::Right => vec![left_shape],
            JoinKind::Full => Vec::new(),
        };
        match condition {
            JoinCondition::On(predicate) => clauses.push(Clause { predicate, tops }),
            JoinCondition::Using(columns) => columns
                .iter()
                .for_each(|column| self.join_using(column, left_shape, right_shape, &tops)),
            JoinCondition::Natural => self.need_everything(),
            JoinCondition::None => {}
        }
    }

    fn join_using(&mut self, column: &Name, left: &Shape, right: &Shape, tops: &[&Shape]) {
        let mut find = |shape: &Shape| {
            let resolved = self.leaves_with(shape, column);
            for found in &resolved {
                self.occurrences[found.occurrence].needed.insert(found.column);
            }
            resolved
        };
        if let ([left], [right]) = (find(left).as_slice(), find(right).as_slice()) {
            self.connect(*left, *right, tops);
        }
    }

    fn leaves_with(&self, shape: &Shape, column: &Name) -> Vec<Resolved> {
        match shape {
            Shape::Leaf(None) => Vec::new(),
            Shape::Leaf(Some(occurrence)) => {
                let table = self.schema.table(self.occurrences[*occurrence].table);
                let found = table.find(column.as_str());
                let resolved = found.map(|column| Resolved {
                    occurrence: *occurrence,
                    column,
                    depth: 0,
                });
                resolved.into_iter().collect()
            }
            Shape::Join(_, left, right) => [self.leaves_with(left, column), self.leaves_with(right, column)].concat(),
        }
    }

    // ---- needed columns

    fn need(&mut self, path: &[Name]) {
        if let Some(resolved) = self.resolve(path) {
            self.occurrences[resolved.occurrence].needed.insert(resolved.column);
            return;
        }
        // A whole row, `count(u)`; a column of a derived table; an output column in ORDER BY.
        let whole = path.len() == 1;
        let row = self.sources().find(|source| whole && source.name == path[0].as_str());
        if let Some(occurrence) = row.and_then(|source| source.occurrence) {
            self.need_all(occurrence);
        }
    }

    fn need_stars(&mut self, select: &Select) {
        for item in &select.items {
            let SelectItem::Star { qualifier, .. } = item else {
                continue;
            };
            let chosen: Vec<usize> = (self.scope().sources.iter())
                .filter(|source| qualifier.as_ref().is_none_or(|name| source.is_named(name)))
                .filter_map(|source| source.occurrence)
                .collect();
            chosen.into_iter().for_each(|occurrence| self.need_all(occurrence));
        }
    }

    fn need_everything(&mut self) {
        let all: Vec<usize> = self
            .scope()
            .sources
            .iter()
            .filter_map(|source| source.occurrence)
            .collect();
        all.into_iter().for_each(|occurrence| self.need_all(occurrence));
    }

    fn need_all(&mut self, occurrence: usize) {
        let columns = self.schema.table(self.occurrences[occurrence].table).columns.len() as u16;
        self.occurrences[occurrence].needed.extend((0..columns).map(ColumnId));
    }

    /// The base table's column that a name means. Notes if it can be none of this query's.
    fn resolve(&mut self, path: &[Name]) -> Option<Resolved> {
        let (column, qualifier) = path.split_last()?;
        let mut hidden = false;
        for (depth, scope) in self.scopes.iter().rev().enumerate() {
            for source in &scope.sources {
                if !source.qualifies(qualifier) {
                    continue;
                }
                let Some(occurrence) = source.occurrence else {
                    hidden = true;
                    continue;
                };
                let table = self.schema.table(self.occurrences[occurrence].table);
                if let Some(column) = table.find(column.as_str()) {
                    return Some(Resolved {
                        occurrence,
                        column,
                        depth,
                    });
                }
            }
            if hidden {
                return None;
            }
        }
        let is_row = self.sources().any(|source| source.name == column.as_str());
        let is_output = self.scopes.iter().any(|scope| scope.outputs.contains(column));
        self.free |= !qualifier.is_empty() || !(is_row || is_output);
        None
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        self.scopes.iter().flat_map(|scope| &scope.sources)
    }

    // ---- predicates

    fn note(&mut self, predicate: &Expr, tops: &[&Shape]) {
        if has_subquery(predicate) || facts::is_volatile(predicate) {
            return;
        }
        let mut paths: Vec<Vec<Name>> = Vec::new();
        visit::exprs_of(predicate, &mut |e| {
            if let ExprKind::Column(path) = &e.kind {
                paths.push(path.clone());
            }
        });
        let resolved: Option<Vec<Resolved>> = paths.iter().map(|path| self.resolve(path)).collect();
        let Some(resolved) = resolved else { return };
        if is_column_equality(predicate)
            && let [left, right] = resolved.as_slice()
        {
            if left.occurrence != right.occurrence {
                self.connect(*left, *right, tops);
            }
            return;
        }
        let Some(first) = resolved.first() else { return };
        let alone = resolved
            .iter()
            .all(|r| r.occurrence == first.occurrence && r.depth == 0);
        if alone && tops.iter().any(|top| top.passes(first.occurrence)) {
            let occurrence = &mut self.occurrences[first.occurrence];
            if is_bound(predicate) {
                occurrence.bound.insert(first.column);
            }
            occurrence.predicates.push(unqualified(predicate));
        }
    }

    fn connect(&mut self, left: Resolved, right: Resolved, tops: &[&Shape]) {
        for (from, to) in [(left, right), (right, left)] {
            if from.depth == 0 && tops.iter().any(|top| top.passes(from.occurrence)) {
                self.occurrences[from.occurrence].edges.push(Edge {
                    column: from.column,
                    other: to.occurrence,
                    other_column: to.column,
                });
            }
        }
    }
}

impl Source {
    fn qualifies(&self, qualifier: &[Name]) -> bool {
        match qualifier {
            [] => true,
            [name] => self.name == name.as_str(),
            [schema, name] => self
                .full_name
                .as_ref()
                .is_some_and(|full| full.name == *name && full.schema.as_ref().is_some_and(|known| known == schema)),
            _ => false,
        }
    }

    fn is_named(&self, name: &ObjectName) -> bool {
        match &name.schema {
            None => self.name == name.name.as_str(),
            Some(_) => self.full_name.as_ref() == Some(name),
        }
    }
}

fn outputs(select: &Select) -> Vec<Name> {
    let named = select.items.iter().filter_map(|item| match item {
        SelectItem::Expr { alias, .. } => alias.clone(),
        SelectItem::Star { .. } => None,
    });
    named.collect()
}

fn has_subquery(expr: &Expr) -> bool {
    struct Search(bool);
    impl Visitor for Search {
        fn query(&mut self, _: &Query) {
            self.0 = true;
        }
    }
    let mut search = Search(false);
    search.expr(expr);
    search.0
}

fn equality(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match &expr.kind {
        ExprKind::Binary {
            operator: BinaryOperator::Equal,
            left,
            right,
        } => Some((left, right)),
        _ => None,
    }
}

fn is_column_equality(expr: &Expr) -> bool {
    let is_column = |e: &Expr| matches!(e.kind, ExprKind::Column(_));
    equality(expr).is_some_and(|(left, right)| is_column(left) && is_column(right))
}

/// `column = value`, `column IN (values)`, `column = ANY (list)`
fn is_bound(expr: &Expr) -> bool {
    let is_column = |e: &Expr| matches!(e.kind, ExprKind::Column(_));
    match &expr.kind {
        ExprKind::Binary {
            operator: BinaryOperator::Equal,
            left,
            right,
        } => (is_column(left) && is_constant(right)) || (is_column(right) && is_constant(left)),
        ExprKind::In {
            operand,
            list,
            negated: false,
        } => is_column(operand) && list.iter().all(is_constant),
        ExprKind::Any {
            left,
            operator: BinaryOperator::Equal,
            right,
        } => is_column(left) && is_constant(right),
        _ => false,
    }
}

/// Depends on no row.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    let mut constant = true;
    visit::exprs_of(expr, &mut |e| constant &= !matches!(e.kind, ExprKind::Column(_)));
    constant
}

fn unqualified(expr: &Expr) -> Expr {
    let mut expr = expr.clone();
    visit::exprs_of_mut(&mut expr, &mut |e| {
        if let ExprKind::Column(path) = &mut e.kind
            && path.len() > 1
        {
            path.drain(..path.len() - 1);
        }
    });
    expr
}
