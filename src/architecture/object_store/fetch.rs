//! How rows are fetched: by their key, or by listing a prefix and fetching what was listed.

use std::collections::{BTreeMap, BTreeSet};

use base::{Nanos, Type};
use program::{
    Block, EachRow, ErrorClass, Expression, Into, ObjectColumn, ObjectRequest, Op, RegisterId, Role, StepId,
};
use scenario::{ColumnId, Operation, Schema, Table, TableId};
use syntax::identifier;

use super::layout::Access;
use super::{REVISION_TYPE, Site};
use crate::composition::lower::{Caller, Source, in_parallel, rows_name, rows_of};
use crate::composition::plan::{Fetch, FetchPlan, Group};
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, Patience, register};
use crate::lower::statement;
use crate::rows::bindings::{Bindings, bindings, key_source};
use crate::rows::keys::{distinct_keys, listed, union};
use crate::rows::reading::{GONE, REVISION, read_columns, written_columns};
use crate::rows::value::constant;
use crate::rows::{qualified_list, rows_table, same_key};
use crate::sql::Text;

/// Requests for the keys of many rows that are under way at once.
const AT_ONCE: u16 = 16;

/// A read has no effect: whatever fails, it is asked again.
const ASK_AGAIN: Patience = Patience {
    attempts: 5,
    first: Nanos::from_millis(20),
    limit: Nanos::from_secs(1),
};

const ANYTHING_PASSING: [ErrorClass; 3] = [ErrorClass::Transient, ErrorClass::Unavailable, ErrorClass::Timeout];

/// The bucket, as an operation reads it.
pub(crate) struct Objects<'i> {
    pub(crate) site: &'i Site,
    pub(crate) operation: &'i Operation,
    /// By table: rows that the operation is going to write, which no object shows yet.
    pub(crate) pending: BTreeMap<TableId, RegisterId>,
}

/// What is known of the rows that are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) equal: BTreeMap<ColumnId, Expression>,
    /// Once for each of these rows, whose columns are bound to registers that `equal` uses.
    pub(crate) each: Option<EachRow>,
}

impl Source for Objects<'_> {
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

impl Objects<'_> {
    fn fetch_table(
        &self,
        schema: &Schema,
        builder: &mut Builder,
        index: u16,
        plan: &FetchPlan,
        fetch: &Fetch,
    ) -> Block {
        let (id, table) = (fetch.table, schema.table(fetch.table));
        let name = format!("{} as read by statement {}", table.full_name(), index + 1);
        let mut steps = Block::new();
        let mut parts = Vec::new();
        for (number, predicates) in fetch.alternatives.iter().enumerate() {
            let found = bindings(schema, id, predicates);
            let known = self.known(schema, builder, index, plan, fetch, &found, &mut steps);
            let part = match fetch.alternatives.len() {
                1 => String::new(),
                _ => format!(", part {}", number + 1),
            };
            let rows = builder.rows(&format!("{name}{part}"));
            steps.extend(self.look_up(schema, builder, index, id, &known, rows));
            parts.push(rows);
        }
        let mut rows = match parts.as_slice() {
            [only] => *only,
            several => {
                let all = builder.rows(&name);
                let columns = read_columns(table, REVISION_TYPE);
                steps.push(union(table, &columns, builder, index, several, all));
                all
            }
        };
        if let Some(pending) = self.pending.get(&id) {
            let seen = builder.rows(&format!("{} as seen by statement {}", table.full_name(), index + 1));
            steps.push(overlay(builder, index, table, *pending, rows, seen));
            rows = seen;
        }
        // Where the query over them looks for them.
        builder.alias(&rows_name(schema, fetch), rows);
        steps
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
        self.add_tenant(fetch.table, builder, &mut known);
        let layout = self.site.layout.table(fetch.table);
        let alone: BTreeSet<ColumnId> = known.equal.keys().copied().collect();
        let with =
            |more: &mut dyn Iterator<Item = ColumnId>| layout.access(&alone.iter().copied().chain(more).collect());
        let better = |access: Access| access == Access::Get || access > layout.access(&alone);
        if layout.access(&alone) == Access::Get {
            return known;
        }
        if let Some((from, columns)) = key_source(fetch) {
            if better(with(&mut columns.keys().copied())) {
                let source = &plan.fetches[from];
                let rows = rows_of(schema, builder, source);
                let pairs: Vec<(ColumnId, ColumnId)> =
                    columns.iter().map(|(own, other)| (*own, ColumnId(*other))).collect();
                let each = distinct_keys(builder, index, table, schema.table(source.table), rows, &pairs, steps);
                for ((own, _), bound) in pairs.iter().zip(&each.bind) {
                    known.equal.insert(*own, register(*bound));
                }
                known.each = Some(each);
            }
        } else if let Some((column, list)) = found.one_of.iter().next()
            && better(with(&mut std::iter::once(*column)))
        {
            let each = listed(builder, index, table, *column, list, steps);
            known.equal.insert(*column, register(each.bind[0]));
            known.each = Some(each);
        }
        known
    }

    /// The request's tenant, where the table's keys begin with it and nothing says otherwise.
    pub(crate) fn add_tenant(&self, id: TableId, builder: &mut Builder, known: &mut Known) {
        let (Some(tenant), Some(parameter)) = (self.site.layout.table(id).tenant, self.operation.tenant) else {
            return;
        };
        let name = &self.operation.parameters[usize::from(parameter)].name;
        known.equal.entry(tenant).or_insert_with(|| builder.operand(name));
    }

    /// The rows of a table that are as known, and perhaps more of its prefix, into `rows`.
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
        let value = |column: ColumnId| {
            let null = Expression::Constant(base::Value::Null);
            known.equal.get(&column).cloned().unwrap_or(null)
        };
        let each = known.each.clone().map(|each| (each, AT_ONCE));
        match layout.access(&known.equal.keys().copied().collect()) {
            Access::Get => {
                let key = layout.key(&value);
                vec![self.get(builder, index, table, each, key, rows)]
            }
            Access::List(leading) => {
                let keys = builder.rows(&format!(
                    "keys of objects for statement {}, {}",
                    index + 1,
                    table.full_name()
                ));
                let key = builder.value(&format!("key of an object of {}", table.full_name()), Type::Text);
                let prefix = layout.prefix(leading, &value);
                let mark = Mark::new(format!("LIST {}", table.full_name()), Role::Work).from(index);
                let request = ObjectRequest::List { each, prefix };
                let list = self.request(builder, mark, request, vec![ObjectColumn::Key], keys);
                let each = EachRow {
                    rows: keys,
                    bind: vec![key],
                };
                let get = self.get(builder, index, table, Some((each, AT_ONCE)), register(key), rows);
                vec![list, get]
            }
        }
    }

    pub(crate) fn get(
        &self,
        builder: &mut Builder,
        index: u16,
        table: &Table,
        each: Option<(EachRow, u16)>,
        key: Expression,
        rows: RegisterId,
    ) -> StepId {
        let columns = read_columns(table, REVISION_TYPE).into_iter().map(|(name, data_type)| {
            if name == REVISION {
                ObjectColumn::ETag
            } else {
                ObjectColumn::Field(name.into(), data_type)
            }
        });
        let mark = Mark::new(format!("GET {}", table.full_name()), Role::Work).from(index);
        self.request(builder, mark, ObjectRequest::Get { each, key }, columns.collect(), rows)
    }

    fn request(
        &self,
        builder: &mut Builder,
        mark: Mark,
        request: ObjectRequest,
        columns: Vec<ObjectColumn>,
        rows: RegisterId,
    ) -> StepId {
        let op = Op::Object {
            bucket: self.site.bucket,
            request,
            columns,
            into: Into::Rows(rows),
        };
        let step = builder.step(mark, op);
        builder.retry(vec![step], &ANYTHING_PASSING, ASK_AGAIN)
    }
}

/// Stored rows as the operation is going to leave them.
pub(crate) fn overlay(
    builder: &mut Builder,
    index: u16,
    table: &Table,
    pending: RegisterId,
    rows: RegisterId,
    into: RegisterId,
) -> StepId {
    let columns = read_columns(table, REVISION_TYPE);
    let list = |of: &str| qualified_list(of, columns.iter().map(|(name, _)| name.as_str()));
    let sql = format!(
        "SELECT {} FROM stored.rows AS s WHERE NOT EXISTS (SELECT 1 FROM pending.rows AS p WHERE {}) \
         UNION ALL SELECT {} FROM pending.rows AS p WHERE NOT p.{}",
        list("s"),
        same_key(table, "p", "s"),
        list("p"),
        identifier(GONE)
    );
    let sources = vec![
        rows_table("stored.rows", columns.clone(), rows),
        rows_table("pending.rows", written_columns(table, REVISION_TYPE), pending),
    ];
    let mark = Mark::new(format!("{} as left so far", table.full_name()), Role::Work).from(index);
    statement::compose(builder, mark, sources, &Text::new(sql), Into::Rows(into))
}
