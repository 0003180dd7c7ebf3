//! Which tenant's rows a statement concerns, read off its predicates.
//!
//! ```text
//! WHERE u.tenant_id = :t AND s.user_id = u.id      u: tenant :t, by its tenant column
//!                                                  s: tenant :t, since a foreign key leads to u
//! ```

use std::collections::{BTreeMap, BTreeSet};

use program::Expression;
use scenario::{ColumnId, Schema, Table, TableId};
use syntax::{
    Assignment, BinaryOperator, Expr, ExprKind, Insert, InsertSource, Name, ObjectName, Query, QueryBody, SelectItem,
    Statement, TableAlias, TableRef,
};

use super::places::{self, Place};
use crate::composition::analysis::{Occurrence, analyse};
use crate::lower::builder::Builder;
use crate::lower::statement::select;

/// How a statement names a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pin {
    Variable(String),
    Constant(i64),
}

impl Pin {
    pub(crate) fn of(expr: &Expr) -> Option<Pin> {
        match &expr.kind {
            ExprKind::Variable(name) => Some(Pin::Variable(name.as_str().to_owned())),
            ExprKind::Number(digits) => digits.parse().ok().map(Pin::Constant),
            ExprKind::Cast { operand, .. } => Pin::of(operand),
            _ => None,
        }
    }

    pub(crate) fn variable(&self) -> Option<String> {
        match self {
            Pin::Variable(name) => Some(name.clone()),
            Pin::Constant(_) => None,
        }
    }

    pub(crate) fn expression(&self, builder: &mut Builder) -> Expression {
        match self {
            Pin::Variable(name) => builder.operand(name),
            Pin::Constant(n) => Expression::int(*n),
        }
    }
}

/// What a statement says of the tenants' rows that it reads or changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tenancy {
    /// The tenants that it names.
    pub(crate) pins: BTreeSet<Pin>,
    /// Tables of tenants of which it does not say whose rows it means.
    pub(crate) open: Vec<TableId>,
    /// Of these, those whose rows it does not name by a key either.
    pub(crate) loose: Vec<TableId>,
    /// Rows of these tables meet rows of the same tenant only: every database can do its part alone.
    pub(crate) together: bool,
}

impl Tenancy {
    pub(crate) fn of(schema: &Schema, statement: &Statement) -> Tenancy {
        let occurrences = occurrences(schema, statement);
        let of_tenants = |occurrence: &&Occurrence| places::of(schema, occurrence.table) == Place::Tenants;
        let pins = pins(schema, &occurrences);
        let named = named(schema, &occurrences, &pins);
        let mut tenancy = Tenancy::default();
        for (index, occurrence) in occurrences
            .iter()
            .enumerate()
            .filter(|(_, occurrence)| of_tenants(occurrence))
        {
            match pins.get(&index) {
                Some(pin) => drop(tenancy.pins.insert(pin.clone())),
                None => tenancy.open.push(occurrence.table),
            }
            if !named.contains(&index) {
                tenancy.loose.push(occurrence.table);
            }
        }
        let all = (0..occurrences.len())
            .filter(|index| of_tenants(&&occurrences[*index]))
            .collect();
        tenancy.together = are_together(schema, &occurrences, all);
        tenancy
    }

    /// The only tenant that it concerns, if it says so.
    pub(crate) fn only(&self) -> Option<&Pin> {
        let mut pins = self.pins.iter();
        pins.next().filter(|_| pins.next().is_none() && self.open.is_empty())
    }
}

/// The appearances of tables in a statement; what an INSERT inserts into is not read.
fn occurrences(schema: &Schema, statement: &Statement) -> Vec<Occurrence> {
    let strikes = |table: &ObjectName, alias: &Option<Name>, joined: &[TableRef], filter: &Option<Expr>| {
        let mut query = select(Expr::new(ExprKind::Null, Default::default()));
        if let QueryBody::Select(select) = &mut query.body {
            let alias = alias.clone().map(|name| TableAlias {
                name,
                columns: Vec::new(),
            });
            let own = TableRef::Table {
                name: table.clone(),
                only: false,
                alias,
            };
            select.from = std::iter::once(own).chain(joined.iter().cloned()).collect();
            select.filter = filter.clone();
        }
        query
    };
    let query = match statement {
        Statement::Query(query) => (**query).clone(),
        Statement::Insert(insert) => match &insert.source {
            InsertSource::Query(query) => (**query).clone(),
            InsertSource::DefaultValues => return Vec::new(),
        },
        Statement::Update(update) => {
            let mut query = strikes(&update.table, &update.alias, &update.from, &update.filter);
            also_select(&mut query, &update.assignments);
            query
        }
        Statement::Delete(delete) => strikes(&delete.table, &delete.alias, &delete.using, &delete.filter),
        _ => return Vec::new(),
    };
    analyse(schema, &query).occurrences
}

/// What is assigned may read tables too.
fn also_select(query: &mut Query, assignments: &[Assignment]) {
    if let QueryBody::Select(select) = &mut query.body {
        let item = |assignment: &Assignment| SelectItem::Expr {
            expr: assignment.value.clone(),
            alias: None,
        };
        select.items.extend(assignments.iter().map(item));
    }
}

/// By occurrence. A row that a foreign key leads to lies in the same database, and so does one of the same tenant.
fn pins(schema: &Schema, occurrences: &[Occurrence]) -> BTreeMap<usize, Pin> {
    let mut pins: BTreeMap<usize, Pin> = BTreeMap::new();
    for (index, occurrence) in occurrences.iter().enumerate() {
        if let Some(pin) = own_pin(schema.table(occurrence.table), &occurrence.predicates) {
            pins.insert(index, pin);
        }
    }
    loop {
        let next = (0..occurrences.len())
            .filter(|index| !pins.contains_key(index))
            .find_map(|index| {
                let known = occurrences[index].edges.iter().map(|edge| edge.other);
                let related = known.filter(|other| are_related(schema, occurrences, index, *other));
                let pin = related.filter_map(|other| pins.get(&other)).next()?;
                Some((index, pin.clone()))
            });
        match next {
            Some((index, pin)) => drop(pins.insert(index, pin)),
            None => return pins,
        }
    }
}

fn own_pin(table: &Table, predicates: &[Expr]) -> Option<Pin> {
    let tenant = table.column(table.tenant?).name.as_str();
    predicates.iter().find_map(|predicate| {
        let ExprKind::Binary {
            operator: BinaryOperator::Equal,
            left,
            right,
        } = &predicate.kind
        else {
            return None;
        };
        let is_tenant = |e: &Expr| matches!(&e.kind, ExprKind::Column(path) if path.last().is_some_and(|name| name.as_str() == tenant));
        match (is_tenant(left), is_tenant(right)) {
            (true, false) => Pin::of(right),
            (false, true) => Pin::of(left),
            _ => None,
        }
    })
}

/// Do equalities join two appearances by their tenants, or along a foreign key of one of them?
fn are_related(schema: &Schema, occurrences: &[Occurrence], index: usize, other: usize) -> bool {
    let (own, its) = (&occurrences[index], &occurrences[other]);
    let (table, target) = (schema.table(own.table), schema.table(its.table));
    let equal = |column: ColumnId, other_column: ColumnId| {
        let same = |edge: &crate::composition::analysis::Edge| {
            edge.other == other && edge.column == column && edge.other_column == other_column
        };
        own.edges.iter().any(same)
    };
    let by_tenant = matches!((table.tenant, target.tenant), (Some(a), Some(b)) if equal(a, b));
    let leads = table.foreign_keys.iter().any(|key| {
        key.table == its.table
            && key
                .columns
                .iter()
                .zip(&key.referenced)
                .all(|(from, to)| equal(*from, *to))
    });
    let is_led_to = target.foreign_keys.iter().any(|key| {
        key.table == own.table
            && key
                .columns
                .iter()
                .zip(&key.referenced)
                .all(|(from, to)| equal(*to, *from))
    });
    by_tenant || leads || is_led_to
}

/// Does a chain of relations lead from each of these appearances to each other one?
fn are_together(schema: &Schema, occurrences: &[Occurrence], mut left: Vec<usize>) -> bool {
    let mut reached: Vec<usize> = left.pop().into_iter().collect();
    let mut next = 0;
    while let Some(index) = reached.get(next).copied() {
        let (near, far) = left.into_iter().partition(|other| {
            are_related(schema, occurrences, index, *other) || are_related(schema, occurrences, *other, index)
        });
        reached.extend::<Vec<usize>>(near);
        left = far;
        next += 1;
    }
    left.is_empty()
}

/// The appearances whose rows are named: by a tenant, by a key, by a reference to a row of a tenant's, or by way of
/// another one that is.
fn named(schema: &Schema, occurrences: &[Occurrence], pins: &BTreeMap<usize, Pin>) -> BTreeSet<usize> {
    let by_itself = |index: usize| {
        let occurrence = &occurrences[index];
        let table = schema.table(occurrence.table);
        let bound: Vec<ColumnId> = occurrence.bound.iter().copied().collect();
        let refers = table.foreign_keys.iter().any(|key| {
            places::of(schema, key.table) == Place::Tenants && key.columns.iter().all(|column| bound.contains(column))
        });
        pins.contains_key(&index) || table.is_key(&bound) || refers
    };
    let mut named: BTreeSet<usize> = (0..occurrences.len()).filter(|index| by_itself(*index)).collect();
    loop {
        let next = (0..occurrences.len())
            .filter(|index| !named.contains(index))
            .find(|index| {
                let mut others = occurrences[*index].edges.iter().map(|edge| edge.other);
                others.any(|other| named.contains(&other) && are_related(schema, occurrences, *index, other))
            });
        match next {
            Some(index) => drop(named.insert(index)),
            None => return named,
        }
    }
}

/// Whose row an INSERT writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// A value that says so.
    Pinned(Pin),
    /// Each row is for the tenant of the row that it is made from.
    AsRead,
    /// It does not say, or by a value that is computed.
    Open,
}

pub(crate) fn inserted(schema: &Schema, insert: &Insert) -> Inserted {
    let Some(table) = schema.find(&insert.table).map(|id| schema.table(id)) else {
        return Inserted::Open;
    };
    let (Some(tenant), InsertSource::Query(query)) = (table.tenant, &insert.source) else {
        return Inserted::Open;
    };
    let position = if insert.columns.is_empty() {
        Some(tenant.index())
    } else {
        let name = table.column(tenant).name.as_str();
        insert.columns.iter().position(|column| column.as_str() == name)
    };
    let Some(position) = position else {
        return Inserted::Open;
    };
    match &query.body {
        QueryBody::Values(rows) => {
            let pins: Option<BTreeSet<Pin>> = rows.iter().map(|row| row.get(position).and_then(Pin::of)).collect();
            match pins.map(|pins| pins.into_iter().collect::<Vec<_>>()).as_deref() {
                Some([only]) => Inserted::Pinned(only.clone()),
                _ => Inserted::Open,
            }
        }
        QueryBody::Select(select) => match select.items.get(position) {
            Some(SelectItem::Expr { expr, .. }) => match (Pin::of(expr), is_tenant_column(schema, query, expr)) {
                (Some(pin), _) => Inserted::Pinned(pin),
                (None, true) => Inserted::AsRead,
                (None, false) => Inserted::Open,
            },
            _ => Inserted::Open,
        },
        _ => Inserted::Open,
    }
}

/// The tenant column of the only table of tenants that the query reads.
fn is_tenant_column(schema: &Schema, query: &Query, expr: &Expr) -> bool {
    let occurrences = analyse(schema, query).occurrences;
    let of_tenants = occurrences.iter().map(|occurrence| occurrence.table);
    let of_tenants: Vec<TableId> = of_tenants
        .filter(|id| places::of(schema, *id) == Place::Tenants)
        .collect();
    let [only] = of_tenants.as_slice() else { return false };
    let table = schema.table(*only);
    let name = table.tenant.map(|tenant| table.column(tenant).name.as_str());
    matches!(&expr.kind, ExprKind::Column(path) if path.last().map(Name::as_str) == name && name.is_some())
}
