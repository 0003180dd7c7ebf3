//! How to reach the rows of one table: the best index that its conditions allow, else a scan.

use super::{AppendPart, AppendPlan, Edge, IndexScan, List, Node, Pruning};
use crate::bind::{RangeTable, SystemColumn};
use crate::catalog::{Index, IndexKey};
use crate::expr::{Bound, BoundKind, Comparison, Program, Slot};
use crate::storage::Direction;
use crate::types::SqlType;

/// How many rows a node may give, as far as the schema tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Size {
    One,
    Few,
    /// A range of an index.
    Some,
    All,
}

/// A usable condition `key op expression`: the key over the table's own columns, the expression free of them.
struct Usable<'a> {
    key: &'a Bound,
    kind: Use<'a>,
}

enum Use<'a> {
    Compare(Comparison, &'a Bound),
    In(&'a [Bound]),
    Any(&'a Bound),
}

/// Plans the access to a table with these conditions on its rows. Those of row security come first: a row that they
/// do not let through is not shown to any other, except to one that tells nothing about it (an error's text would).
pub(crate) fn plan_access(table: usize, tables: &[RangeTable], conditions: Vec<Bound>) -> (Node, Size) {
    if tables[table].has_members() {
        return plan_append(table, tables, &conditions);
    }
    plan_one(table, &tables[table], conditions)
}

/// Plans the access to each of a table's members that can have rows.
fn plan_append(table: usize, tables: &[RangeTable], conditions: &[Bound]) -> (Node, Size) {
    let range = &tables[table];
    let own: Vec<Slot> = range.slots().collect();
    let all: Vec<Bound> = range.security.iter().chain(conditions).cloned().collect();
    let mut pruning = Vec::new();
    let mut dead: Vec<(usize, usize)> = Vec::new();
    for (number, level) in range.levels.iter().enumerate() {
        let level = Pruning::of(level, tables, &own, &all);
        let known = level.survivors(&mut |program| Ok(program.constant().cloned()));
        let gone = known
            .unwrap_or_default()
            .into_iter()
            .enumerate()
            .filter(|(_, lives)| !lives);
        dead.extend(gone.map(|(part, _)| (number, part)));
        if !level.is_constant() {
            pruning.push((number, level));
        }
    }
    let mut parts = Vec::new();
    let mut size = Size::One;
    for member in &range.members {
        if member.path.iter().any(|step| dead.contains(step)) {
            continue;
        }
        let (node, found) = plan_one(member.table, &tables[member.table], conditions.to_vec());
        size = size.max(found);
        parts.push(AppendPart {
            table: member.table,
            node,
            path: member.path.clone(),
        });
    }
    if parts.len() > 1 {
        size = size.max(Size::Few);
    }
    let append = AppendPlan { table, parts, pruning };
    (Node::Append(Box::new(append)), size)
}

fn plan_one(table: usize, range: &RangeTable, conditions: Vec<Bound>) -> (Node, Size) {
    let (slow, quick): (Vec<Bound>, Vec<Bound>) = conditions.into_iter().partition(Bound::has_subquery);
    if range.security.is_empty() {
        let (node, size) = plan_scan(table, range, quick, 0);
        return (filtered(node, slow), size);
    }
    let (late, early): (Vec<Bound>, Vec<Bound>) = range.security.iter().cloned().partition(Bound::has_subquery);
    let (leaky, safe): (Vec<Bound>, Vec<Bound>) = quick.into_iter().partition(Bound::is_leaky);
    let secured = early.len();
    let (node, size) = plan_scan(table, range, early.into_iter().chain(safe).collect(), secured);
    let node = filtered(node, late.into_iter().map(Bound::into_true).collect());
    (filtered(filtered(node, leaky), slow), size)
}

fn filtered(node: Node, conditions: Vec<Bound>) -> Node {
    if conditions.is_empty() {
        node
    } else {
        super::query::filter(node, conditions)
    }
}

/// A scan with all these conditions, the first `secured` of which are row security's.
fn plan_scan(table: usize, range: &RangeTable, conditions: Vec<Bound>, secured: usize) -> (Node, Size) {
    let own: Vec<Slot> = range.slots().collect();
    let usable: Vec<Usable<'_>> = conditions
        .iter()
        .filter_map(|condition| usable(condition, &own))
        .collect();
    let mut best: Option<(Size, usize, IndexScan)> = None;
    for index in range
        .table
        .indexes
        .iter()
        .filter(|index| applies(index, &conditions, range))
    {
        let Some((size, matched, scan)) = try_index(table, index, range, &usable) else {
            continue;
        };
        let better = best
            .as_ref()
            .is_none_or(|(known, columns, _)| size < *known || (size == *known && matched > *columns));
        if better {
            best = Some((size, matched, scan));
        }
    }
    let filter = |conditions: Vec<Bound>| {
        // AND goes on after an unknown side; nothing may go on behind security that is not met.
        let guarded = |(at, condition): (usize, Bound)| if at < secured { condition.into_true() } else { condition };
        let conditions: Vec<Bound> = conditions.into_iter().enumerate().map(guarded).collect();
        (!conditions.is_empty()).then(|| Program::new(&Bound::and(conditions)))
    };
    match best {
        Some((size, _, mut scan)) => {
            scan.filter = filter(conditions);
            (Node::IndexScan(Box::new(scan)), size)
        }
        None => match conditions.iter().find_map(|condition| places(condition, range)) {
            Some(places) => (
                Node::TidScan {
                    table,
                    places: places.into_iter().map(Program::new).collect(),
                    filter: filter(conditions),
                },
                Size::Few,
            ),
            None => (
                Node::SeqScan {
                    table,
                    filter: filter(conditions),
                },
                Size::All,
            ),
        },
    }
}

/// The places of rows that a condition allows: `ctid = …`, IN, ANY, or one of those or another.
fn places<'a>(condition: &'a Bound, range: &RangeTable) -> Option<Vec<&'a Bound>> {
    let own: Vec<Slot> = range.slots().collect();
    if let BoundKind::Or(parts) = &condition.kind {
        let parts = parts.iter().map(|part| places(part, range));
        return Some(parts.collect::<Option<Vec<_>>>()?.concat());
    }
    let Usable { key, kind } = usable(condition, &own)?;
    let BoundKind::Slot(slot) = key.kind else { return None };
    range.system.contains(&(SystemColumn::Ctid, slot)).then_some(())?;
    match kind {
        Use::Compare(Comparison::Equal, place) => Some(vec![place]),
        Use::Compare(..) => None,
        Use::In(items) => Some(items.iter().collect()),
        Use::Any(list) => Some(vec![list]),
    }
}

/// What an access with these conditions would come to.
pub(crate) fn access_size(table: usize, tables: &[RangeTable], conditions: &[Bound]) -> Size {
    plan_access(table, tables, conditions.to_vec()).1
}

fn usable<'a>(condition: &'a Bound, own: &[Slot]) -> Option<Usable<'a>> {
    let reads_own = |expression: &Bound| {
        let mut slots = Vec::new();
        expression.slots(&mut slots);
        slots.iter().any(|slot| own.contains(slot))
    };
    let free = |expression: &Bound| !reads_own(expression) && !expression.is_volatile() && !expression.has_subquery();
    match &condition.kind {
        BoundKind::Compare(comparison, left, right) if *comparison != Comparison::NotEqual => {
            if reads_own(left) && free(right) {
                Some(Usable {
                    key: left,
                    kind: Use::Compare(*comparison, right),
                })
            } else if reads_own(right) && free(left) {
                Some(Usable {
                    key: right,
                    kind: Use::Compare(comparison.mirrored(), left),
                })
            } else {
                None
            }
        }
        BoundKind::In(operand, list) if list.iter().all(free) => Some(Usable {
            key: operand,
            kind: Use::In(list),
        }),
        BoundKind::Any(Comparison::Equal, operand, list) if free(list) => Some(Usable {
            key: operand,
            kind: Use::Any(list),
        }),
        _ => None,
    }
}

/// A partial index holds only some rows: it serves when its own condition follows from the query's.
fn applies(index: &Index, conditions: &[Bound], range: &RangeTable) -> bool {
    let Some(filter) = &index.filter else {
        return true;
    };
    range
        .of_row(&filter.bound)
        .is_some_and(|filter| filter.follows_from(conditions))
}

/// A part of a key as the statement would write it; `None`: the statement does not read its columns.
pub(super) fn key_of(key: &IndexKey, range: &RangeTable) -> Option<Bound> {
    match key {
        IndexKey::Column(column) => {
            let data_type = SqlType::Is(range.table.columns[usize::from(*column)].data_type);
            let wanted = range.wanted.iter().find(|(found, _)| found == column);
            wanted.map(|(_, slot)| Bound::slot(*slot, data_type))
        }
        IndexKey::Expression(expression) => range.of_row(&expression.bound),
    }
}

/// Matches conditions to the index's columns from the first on: equalities, then one list or range.
fn try_index(
    table: usize,
    index: &Index,
    range: &RangeTable,
    usable: &[Usable<'_>],
) -> Option<(Size, usize, IndexScan)> {
    let mut scan = IndexScan {
        table,
        index: index.id,
        equal: Vec::new(),
        list: None,
        lower: None,
        upper: None,
        order: Default::default(),
        direction: Direction::Forward,
        whole_key: false,
        filter: None,
    };
    for part in &index.columns {
        let Some(key) = key_of(&part.key, range) else {
            break;
        };
        let on_column = || usable.iter().filter(|usable| *usable.key == key);
        let equal = on_column().find_map(|usable| match usable.kind {
            Use::Compare(Comparison::Equal, value) => Some(value),
            _ => None,
        });
        if let Some(value) = equal {
            scan.equal.push((key_program(value), part.order));
            continue;
        }
        let list = on_column().find_map(|usable| match usable.kind {
            Use::In(items) => Some(List::Items(items.iter().map(key_program).collect())),
            Use::Any(list) => Some(List::Array(Program::new(list))),
            Use::Compare(..) => None,
        });
        if let Some(list) = list {
            scan.list = Some((list, part.order));
            break;
        }
        scan.order = part.order;
        for usable in on_column() {
            if let Use::Compare(comparison, value) = usable.kind {
                add_edge(&mut scan, comparison, value);
            }
        }
        break;
    }
    let listed = usize::from(scan.list.is_some());
    let ranged = usize::from(scan.lower.is_some() || scan.upper.is_some());
    let matched = scan.equal.len() + listed + ranged;
    if matched == 0 {
        return None;
    }
    scan.whole_key = scan.equal.len() + listed == index.columns.len();
    let size = match (scan.whole_key && index.unique, listed + ranged) {
        (true, 0) => Size::One,
        (_, 0) => Size::Few,
        (_, _) if scan.list.is_some() => Size::Few,
        _ => Size::Some,
    };
    Some((size, matched, scan))
}

fn add_edge(scan: &mut IndexScan, comparison: Comparison, value: &Bound) {
    let edge = |inclusive| {
        Some(Edge {
            value: key_program(value),
            inclusive,
        })
    };
    match comparison {
        Comparison::Greater if scan.lower.is_none() => scan.lower = edge(false),
        Comparison::GreaterOrEqual if scan.lower.is_none() => scan.lower = edge(true),
        Comparison::Less if scan.upper.is_none() => scan.upper = edge(false),
        Comparison::LessOrEqual if scan.upper.is_none() => scan.upper = edge(true),
        _ => {}
    }
}

fn key_program(value: &Bound) -> Program {
    debug_assert!(!matches!(value.data_type, SqlType::ListOf(_)));
    Program::new(value)
}
