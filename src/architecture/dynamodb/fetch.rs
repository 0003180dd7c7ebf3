//! How rows are fetched: by their key, by a query on the base table or an index, or, where no key is known, by a scan.

use std::collections::{BTreeMap, BTreeSet};

use base::{Nanos, Type};
use program::{
    Block, EachRow, ErrorClass, Expression, Into, ItemRequest, Op, Operator, Phrase, RegisterId, Role, StepId,
};
use scenario::{ColumnId, Operation, Schema, Table, TableId};
use syntax::Expr;

use super::Site;
use super::bindings::{Bindings, Bounds, bindings, key_source};
use super::keys::{distinct_keys, listed, nothing, union};
use super::layout::{Access, index_name};
use super::work::{Work, overlaid_columns, overlay, read_columns};
use crate::composition::lower::{Caller, Source, in_parallel, rows_name, rows_of};
use crate::composition::plan::{Fetch, FetchPlan, Group};
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, Patience};
use crate::rows::value::constant;

/// Look-ups by the keys of many rows that are under way at once.
const AT_ONCE: u16 = 16;

/// A read has no effect: whatever fails, it is asked again.
const ASK_AGAIN: Patience = Patience {
    attempts: 5,
    first: Nanos::from_millis(10),
    limit: Nanos::from_secs(1),
};

const ANYTHING_PASSING: [ErrorClass; 3] = [ErrorClass::Transient, ErrorClass::Unavailable, ErrorClass::Timeout];

/// The table of items, as one statement of an operation reads it.
pub(crate) struct Items<'i> {
    pub(crate) site: &'i Site,
    pub(crate) operation: &'i Operation,
    /// What the operation has written so far, which no read of the table shows.
    pub(crate) work: &'i Work,
    /// The latest writes must be seen, where the table can show them.
    pub(crate) strong: bool,
}

/// What is known of the rows that are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) equal: BTreeMap<ColumnId, Expression>,
    pub(crate) ranges: BTreeMap<ColumnId, (Option<Expression>, Option<Expression>)>,
    /// Once for each of these rows, whose columns are bound to registers that `equal` uses.
    pub(crate) each: Option<EachRow>,
}

impl Source for Items<'_> {
    fn place(&self, _: &Schema, table: TableId) -> u16 {
        table.0
    }

    fn whole_rows(&self) -> bool {
        true
    }

    fn fetch(
        &self,
        assembly: &mut Assembly<'_>,
        builder: &mut Builder,
        caller: Caller<'_>,
        plan: &FetchPlan,
        wave: &[&Group],
    ) -> Block {
        let schema = &assembly.scenario.schema;
        let mut branches = Vec::new();
        for group in wave {
            let fetches = group.fetches.iter().map(|index| &plan.fetches[*index]);
            branches.push(
                fetches
                    .flat_map(|fetch| self.fetch_table(schema, builder, caller.index, plan, fetch))
                    .collect(),
            );
        }
        in_parallel(builder, branches)
    }
}

impl Items<'_> {
    fn fetch_table(
        &self,
        schema: &Schema,
        builder: &mut Builder,
        index: u16,
        plan: &FetchPlan,
        fetch: &Fetch,
    ) -> Block {
        let (id, table) = (fetch.table, schema.table(fetch.table));
        let name = table.full_name();
        let mut steps = Block::new();
        let mut parts = Vec::new();
        let several = fetch.alternatives.len() > 1;
        for (number, predicates) in fetch.alternatives.iter().enumerate() {
            let found = bindings(schema, id, predicates);
            let known = self.known(schema, builder, index, plan, fetch, &found, &mut steps);
            let part = if several {
                format!(", part {}", number + 1)
            } else {
                String::new()
            };
            let fresh = format!("{name} as read by statement {}{part}", index + 1);
            let (more, rows) = self.ask(schema, builder, index, id, &known, &fresh);
            steps.extend(more);
            parts.push(rows);
        }
        let mut rows = match parts.as_slice() {
            [only] => *only,
            several => {
                let all = builder.rows(&format!("{name} as read by statement {}", index + 1));
                steps.push(union(table, &read_columns(table), builder, index, several, all));
                all
            }
        };
        if self.work.has(id) {
            let left = builder.rows(&format!("{name} as seen by statement {}", index + 1));
            steps.push(overlay(schema, builder, index, id, self.work, rows, left));
            rows = left;
        }
        // Where the query over them looks for them.
        builder.alias(&rows_name(schema, fetch), rows);
        steps
    }

    /// The rows that are as known; what an equal request of this operation has brought before is not asked for again.
    fn ask(
        &self,
        schema: &Schema,
        builder: &mut Builder,
        index: u16,
        id: TableId,
        known: &Known,
        fresh: &str,
    ) -> (Block, RegisterId) {
        // Parameters come first among a program's registers, and nothing binds them anew.
        let fixed = |value: &Expression| match value {
            Expression::Register(register) => register.index() < self.operation.parameters.len(),
            other => matches!(other, Expression::Constant(_)),
        };
        let stable = known.each.is_none() && known.ranges.is_empty() && known.equal.values().all(fixed);
        let asked = (id, known.equal.clone());
        if stable && let Some((_, rows)) = self.work.seen.borrow().iter().find(|(before, _)| *before == asked) {
            return (Block::new(), *rows);
        }
        let rows = builder.rows(fresh);
        let steps = self.look_up(schema, builder, index, id, known, rows);
        if stable {
            self.work.seen.borrow_mut().push((asked, rows));
        }
        (steps, rows)
    }

    /// The values that a fetch's predicates and its keys give.
    #[allow(clippy::too_many_arguments)]
    fn known(
        &self,
        schema: &Schema,
        builder: &mut Builder,
        index: u16,
        plan: &FetchPlan,
        fetch: &Fetch,
        found: &Bindings,
        steps: &mut Block,
    ) -> Known {
        let table = schema.table(fetch.table);
        let mut known = Known::default();
        for (column, expr) in &found.equal {
            let value = constant(builder, table.column(*column), expr, index, steps);
            known.equal.insert(*column, value);
        }
        for (column, Bounds { low, high }) in &found.ranges {
            let mut bound = |expr: &Option<Expr>| {
                expr.as_ref()
                    .map(|expr| constant(builder, table.column(*column), expr, index, steps))
            };
            let bounds = (bound(low), bound(high));
            known.ranges.insert(*column, bounds);
        }
        self.add_tenant(table, fetch.table, builder, &mut known);
        let layout = self.site.layout.table(fetch.table);
        let alone: BTreeSet<ColumnId> = known.equal.keys().copied().collect();
        let ranged: BTreeSet<ColumnId> = known.ranges.keys().copied().collect();
        if layout.access(&alone, &ranged) == Access::Get {
            return known;
        }
        if let Some((from, columns)) = key_source(fetch) {
            let source = &plan.fetches[from];
            let name = rows_of(schema, builder, source);
            let from = schema.table(source.table);
            let pairs: Vec<(ColumnId, ColumnId)> =
                columns.iter().map(|(own, other)| (*own, ColumnId(*other))).collect();
            let keyed: BTreeSet<ColumnId> = alone.iter().copied().chain(columns.keys().copied()).collect();
            if better(layout.access(&keyed, &ranged), layout.access(&alone, &ranged)) {
                let each = distinct_keys(builder, index, table, from, name, &pairs, steps);
                for ((own, _), register) in pairs.iter().zip(&each.bind) {
                    known.equal.insert(*own, Expression::Register(*register));
                }
                known.each = Some(each);
            }
            return known;
        }
        let Some((column, list)) = found.one_of.iter().next() else {
            return known;
        };
        let keyed: BTreeSet<ColumnId> = alone.iter().copied().chain([*column]).collect();
        if better(layout.access(&keyed, &ranged), layout.access(&alone, &ranged)) {
            let each = listed(builder, index, table, *column, list, steps);
            known.equal.insert(*column, Expression::Register(each.bind[0]));
            known.each = Some(each);
        }
        known
    }

    /// The request's tenant, where the table's keys begin with it and nothing says otherwise.
    pub(crate) fn add_tenant(&self, table: &Table, id: TableId, builder: &mut Builder, known: &mut Known) {
        let (Some(tenant), Some(parameter)) = (self.site.layout.table(id).tenant, self.operation.tenant) else {
            return;
        };
        debug_assert_eq!(table.tenant, Some(tenant));
        let name = &self.operation.parameters[usize::from(parameter)].name;
        known.equal.entry(tenant).or_insert_with(|| builder.operand(name));
    }

    /// The rows of a table that are as known, into `rows`.
    pub(crate) fn look_up(
        &self,
        schema: &Schema,
        builder: &mut Builder,
        index: u16,
        id: TableId,
        known: &Known,
        rows: RegisterId,
    ) -> Block {
        let (table, layout) = (schema.table(id), self.site.layout.table(id));
        let columns: BTreeSet<ColumnId> = known.equal.keys().copied().collect();
        let ranges: BTreeSet<ColumnId> = known.ranges.keys().copied().collect();
        let value = |column: ColumnId| {
            known
                .equal
                .get(&column)
                .cloned()
                .unwrap_or(Expression::Constant(base::Value::Null))
        };
        let name = table.full_name();
        let (label, request, order) = match (layout.access(&columns, &ranges), &known.each) {
            (Access::Get, None) => {
                let request = ItemRequest::Get {
                    key: self.site.key(id, &value),
                    consistent: self.strong,
                };
                (format!("Get {name}"), request, None)
            }
            (Access::Get, Some(each)) => {
                let request = ItemRequest::BatchGet {
                    each: each.clone(),
                    key: self.site.key(id, &value),
                    consistent: self.strong,
                };
                (format!("BatchGet {name}"), request, None)
            }
            (Access::Query { index }, each) => {
                let (key_condition, order) = self.key_condition(layout.path(index), index, known, &value);
                let (label, consistent) = match index {
                    None => (format!("Query {name}"), self.strong),
                    Some(index) => (format!("Query {name} by {}", index_name(index)), false),
                };
                let request = ItemRequest::Query {
                    each: each.clone().map(|each| (each, AT_ONCE)),
                    index: index.map(index_name),
                    key_condition,
                    filter: None,
                    forward: true,
                    limit: None,
                    consistent,
                };
                (label, request, order)
            }
            (Access::Scan, _) => {
                let filter = Phrase {
                    text: "#entity = :entity".to_owned(),
                    names: vec![("#entity".into(), self.site.layout.names.entity.clone())],
                    values: vec![(":entity".into(), Expression::text(&name))],
                };
                let request = ItemRequest::Scan {
                    index: None,
                    filter: Some(filter),
                    consistent: self.strong,
                };
                (format!("Scan {name}"), request, None)
            }
        };
        let step = self.request(builder, Mark::new(label, Role::Work).from(index), table, request, rows);
        let Some((low, high)) = order else { return vec![step] };
        // A range that ends before it begins has no rows; asking for it is an error.
        let nothing = nothing(builder, index, rows);
        let sane = Expression::binary(Operator::LessOrEqual, low, high);
        vec![builder.when_else("if the range is not empty", sane, vec![step], vec![nothing])]
    }

    fn request(
        &self,
        builder: &mut Builder,
        mark: Mark,
        table: &Table,
        request: ItemRequest,
        rows: RegisterId,
    ) -> StepId {
        let mut columns: Vec<(String, Type)> = read_columns(table);
        if let Some(revision) = columns.last_mut() {
            revision.0 = self.site.layout.names.revision.to_string();
        }
        let op = Op::Item {
            table: self.site.table,
            request,
            columns,
            into: Into::Rows(rows),
        };
        let step = builder.step(mark, op);
        builder.retry(vec![step], &ANYTHING_PASSING, ASK_AGAIN)
    }
}

/// Is it worth knowing more?
fn better(with: Access, without: Access) -> bool {
    with == Access::Get || (with != Access::Scan && without == Access::Scan)
}

/// What a fetched row of a table has, for the query that a write is compiled to.
pub(crate) fn source_columns(table: &Table, work: &Work, id: TableId) -> Vec<(String, Type)> {
    if work.has(id) {
        overlaid_columns(table)
    } else {
        read_columns(table)
    }
}
