//! Fetches and the join over them, as steps.

use base::Nanos;
use program::{
    Block, ComposeTable, ConnectionId, ErrorClass, Expression, Into, NodeId, Op, OperationId, PoolId, ProgramKind,
    RegisterId, RegisterKind, Role, StepId,
};
use scenario::{Operation, Schema, TableId};
use syntax::Query;

use super::foreign::{Prefetch, Shape};
use super::plan::{Fetch, FetchPlan, Group, keys_name, plan};
use super::reach::{Landscape, Reach};
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, Patience};
use crate::lower::item::distinct;
use crate::lower::statement;
use crate::sql::Text;

/// A read has no effect: it is simply asked again.
pub(crate) const READ_AGAIN: Patience = Patience {
    attempts: 3,
    first: Nanos::from_millis(20),
    limit: Nanos::from_secs(1),
};

pub(crate) const CALL_TIMEOUT: Nanos = Nanos::from_secs(1);

/// Whose program this is, for the names and parameters of the programs that it calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) id: OperationId,
    pub(crate) operation: &'a Operation,
    /// The statement, from 0.
    pub(crate) index: u16,
}

/// Where rows come from.
pub(crate) trait Source {
    /// What lies in one place is asked for together.
    fn place(&self, schema: &Schema, table: TableId) -> u16;

    /// Does a row always come as a whole?
    fn whole_rows(&self) -> bool;

    /// Fetches what the groups of one wave say, into the registers of [`rows_of`].
    fn fetch(
        &self,
        assembly: &mut Assembly<'_>,
        builder: &mut Builder,
        caller: Caller<'_>,
        plan: &FetchPlan,
        wave: &[&Group],
    ) -> Block;
}

/// Fetches what the query needs and evaluates it: the result goes `into`.
pub(crate) fn compose(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    source: &dyn Source,
    caller: Caller<'_>,
    query: &Query,
    into: Into,
) -> Block {
    let (plan, mut steps) = fetch(assembly, builder, source, caller, query);
    steps.push(join(&assembly.scenario.schema, builder, caller, &plan, query, into));
    steps
}

/// Fetches what the query needs, wave by wave.
pub(crate) fn fetch(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    source: &dyn Source,
    caller: Caller<'_>,
    query: &Query,
) -> (FetchPlan, Block) {
    let schema = &assembly.scenario.schema;
    let mut plan = plan(schema, query, |table| source.place(schema, table));
    if source.whole_rows() {
        plan.widen(schema);
    }
    let waves = plan.groups.iter().map(|group| group.wave + 1).max().unwrap_or(0);
    let mut steps = Block::new();
    for wave in 0..waves {
        let together: Vec<&Group> = plan.groups.iter().filter(|group| group.wave == wave).collect();
        steps.extend(source.fetch(assembly, builder, caller, &plan, &together));
    }
    (plan, steps)
}

/// The query over what was fetched.
pub(crate) fn join(
    schema: &Schema,
    builder: &mut Builder,
    caller: Caller<'_>,
    plan: &FetchPlan,
    query: &Query,
    into: Into,
) -> StepId {
    let tables = plan
        .fetches
        .iter()
        .map(|fetch| compose_table(schema, builder, fetch))
        .collect();
    let mut query = query.clone();
    query.locking.clear();
    let text = Text::query(&query);
    let names: Vec<String> = plan
        .fetches
        .iter()
        .map(|fetch| schema.table(fetch.table).full_name())
        .collect();
    let mark = Mark::new(format!("join {}", names.join(", ")), Role::Work).from(caller.index);
    statement::compose(builder, mark, tables, &text, into)
}

impl Source for Landscape {
    fn place(&self, schema: &Schema, table: TableId) -> u16 {
        schema.table(table).owner
    }

    fn whole_rows(&self) -> bool {
        false
    }

    fn fetch(
        &self,
        assembly: &mut Assembly<'_>,
        builder: &mut Builder,
        caller: Caller<'_>,
        plan: &FetchPlan,
        wave: &[&Group],
    ) -> Block {
        let mut branches: Vec<(&Reach, Block)> = Vec::new();
        for group in wave {
            let reach = self.reach(group.place);
            let block = fetch_group(assembly, builder, reach, caller, plan, group);
            // A connection does one thing at a time.
            match branches
                .iter_mut()
                .find(|(known, _)| *known == reach && reach.is_one_connection())
            {
                Some((_, before)) => before.extend(block),
                None => branches.push((reach, block)),
            }
        }
        in_parallel(builder, branches.into_iter().map(|(_, block)| block).collect())
    }
}

pub(crate) fn in_parallel(builder: &mut Builder, mut branches: Vec<Block>) -> Block {
    if branches.len() < 2 {
        return branches.pop().unwrap_or_default();
    }
    vec![builder.step(Mark::plumbing("at the same time"), Op::Par { branches })]
}

fn fetch_group(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    reach: &Reach,
    caller: Caller<'_>,
    plan: &FetchPlan,
    group: &Group,
) -> Block {
    let schema = &assembly.scenario.schema;
    let fetches: Vec<&Fetch> = group.fetches.iter().map(|index| &plan.fetches[*index]).collect();
    if let Reach::Service { node, pool } = reach {
        return call_group(assembly, builder, (*node, *pool), caller, plan, group);
    }
    for fetch in &fetches {
        bind_keys(schema, builder, plan, fetch, None);
    }
    match reach {
        Reach::Service { .. } => Block::new(),
        Reach::Taken(connection) => fetch_taken(schema, builder, caller, &fetches, *connection),
        Reach::Held(connection) => fetch_held(schema, builder, caller, &fetches, *connection),
        Reach::Everywhere(everywhere) => {
            let mut steps = Block::new();
            for together in independent(plan, group) {
                let gather = together.iter().map(|fetch| rows_of(schema, builder, fetch)).collect();
                let body = fetch_taken(schema, builder, caller, &together, everywhere.connection);
                steps.extend(everywhere.each(builder, body, gather));
            }
            steps
        }
    }
}

/// The fetches of a group in runs of which none needs keys of its own run: those are known when all databases have
/// answered.
fn independent<'p>(plan: &'p FetchPlan, group: &Group) -> Vec<Vec<&'p Fetch>> {
    let mut runs: Vec<Vec<usize>> = vec![Vec::new()];
    for index in &group.fetches {
        let last = runs.len() - 1;
        if plan.fetches[*index]
            .keys
            .iter()
            .any(|keys| runs[last].contains(&keys.from))
        {
            runs.push(vec![*index]);
        } else {
            runs[last].push(*index);
        }
    }
    let run = |indexes: Vec<usize>| indexes.into_iter().map(|index| &plan.fetches[index]).collect();
    runs.into_iter().map(run).collect()
}

/// Keys that an earlier fetch of the same program gives are read off its rows; with a `group`, only those of
/// its own fetches are, and others are parameters.
fn bind_keys(schema: &Schema, builder: &mut Builder, plan: &FetchPlan, fetch: &Fetch, group: Option<&Group>) {
    for keys in &fetch.keys {
        if group.is_none_or(|group| group.fetches.contains(&keys.from)) {
            let rows = rows_of(schema, builder, &plan.fetches[keys.from]);
            let column = keys.from_column;
            builder.bind(&keys_name(schema, fetch, keys), Expression::Column { rows, column });
        }
    }
}

/// A program at the owner's service, and the call to it.
fn call_group(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    (home, pool): (NodeId, PoolId),
    caller: Caller<'_>,
    plan: &FetchPlan,
    group: &Group,
) -> Block {
    let scenario = assembly.scenario;
    let schema = &scenario.schema;
    let owner = &schema.owners[usize::from(group.place)];
    let name = format!(
        "{} · read {owner} for statement {}",
        caller.operation.name,
        caller.index + 1
    );
    let mut callee = Builder::new(name, home, ProgramKind::Called).operation(caller.id, caller.operation);
    let fetches: Vec<&Fetch> = group.fetches.iter().map(|index| &plan.fetches[*index]).collect();
    let inner = |from: usize| group.fetches.contains(&from);
    let own_keys = |fetch: &&Fetch| {
        let of = fetch
            .keys
            .iter()
            .filter(|keys| inner(keys.from))
            .map(|keys| keys_name(schema, fetch, keys));
        of.collect::<Vec<_>>()
    };
    let hidden: Vec<String> = fetches.iter().flat_map(own_keys).collect();
    let uses = fetches.iter().flat_map(|fetch| fetch.text(schema).operands);
    let parameters: Vec<String> = distinct(uses)
        .into_iter()
        .filter(|name| !hidden.contains(name))
        .collect();
    for name in &parameters {
        let register = callee.variable(name);
        callee.parameter(register);
    }
    for fetch in &fetches {
        bind_keys(schema, &mut callee, plan, fetch, Some(group));
        bind_keys(schema, builder, plan, fetch, None);
    }
    let arguments = parameters.iter().map(|name| builder.operand(name)).collect();
    let results: Vec<RegisterId> = fetches
        .iter()
        .map(|fetch| rows_of(schema, &mut callee, fetch))
        .collect();
    let connection = callee.connection(pool);
    let mut body = fetch_taken(schema, &mut callee, caller, &fetches, connection);
    body.push(callee.answer(results));
    let program = assembly.add(callee.finish(body));
    let into: Vec<RegisterId> = fetches.iter().map(|fetch| rows_of(schema, builder, fetch)).collect();
    let names: Vec<String> = fetches
        .iter()
        .map(|fetch| schema.table(fetch.table).full_name())
        .collect();
    let mark = Mark::new(format!("ask {owner} for {}", names.join(", ")), Role::Work).from(caller.index);
    let call = builder.call(mark, program, arguments, into, CALL_TIMEOUT);
    vec![builder.retry(vec![call], &[ErrorClass::Unavailable, ErrorClass::Timeout], READ_AGAIN)]
}

/// The fetches on a connection taken for them, the keys being bound already.
fn fetch_taken(
    schema: &Schema,
    builder: &mut Builder,
    caller: Caller<'_>,
    fetches: &[&Fetch],
    connection: ConnectionId,
) -> Block {
    let acquire = builder.acquire(connection);
    let statements = fetch_held(schema, builder, caller, fetches, connection);
    let release = builder.release(connection);
    [vec![acquire], statements, vec![release]].concat()
}

fn fetch_held(
    schema: &Schema,
    builder: &mut Builder,
    caller: Caller<'_>,
    fetches: &[&Fetch],
    connection: ConnectionId,
) -> Block {
    let mut steps = Block::new();
    for fetch in fetches {
        let rows = rows_of(schema, builder, fetch);
        let mark = Mark::new(format!("SELECT {}", schema.table(fetch.table).full_name()), Role::Work);
        let text = fetch.text(schema);
        steps.push(builder.statement(mark.from(caller.index), connection, &text, Into::Rows(rows)));
    }
    steps
}

pub(crate) fn rows_of(schema: &Schema, builder: &mut Builder, fetch: &Fetch) -> RegisterId {
    builder.register(&rows_name(schema, fetch), RegisterKind::Rows)
}

pub(crate) fn rows_name(schema: &Schema, fetch: &Fetch) -> String {
    format!("rows of {}", schema.table(fetch.table).full_name())
}

fn compose_table(schema: &Schema, builder: &mut Builder, fetch: &Fetch) -> ComposeTable {
    let table = schema.table(fetch.table);
    let columns = fetch.columns.iter().map(|id| {
        let column = table.column(*id);
        (column.name.clone(), column.data_type)
    });
    ComposeTable {
        name: table.full_name(),
        columns: columns.collect(),
        rows: rows_of(schema, builder, fetch),
    }
}

/// Answers a query before a statement; its result is bound to the name that the statement uses.
pub(crate) fn prefetch_into(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    source: &dyn Source,
    caller: Caller<'_>,
    prefetch: &Prefetch,
) -> Block {
    let into = match prefetch.shape {
        Shape::Value => Into::Values(vec![builder.variable(&prefetch.name)]),
        Shape::Rows => Into::Rows(builder.rows(&prefetch.name)),
        Shape::List => {
            let rows = builder.rows(&format!("{} as rows", prefetch.name));
            builder.bind(&prefetch.name, Expression::Column { rows, column: 0 });
            Into::Rows(rows)
        }
    };
    compose(assembly, builder, source, caller, &prefetch.query, into)
}

/// Where a composed query's result goes: as a statement's would.
pub(crate) fn target(builder: &mut Builder, index: u16, query: &Query) -> Into {
    statement::target(builder, index, &syntax::Statement::Query(Box::new(query.clone())))
}
