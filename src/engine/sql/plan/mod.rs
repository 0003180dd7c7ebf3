//! From bound trees to plans: which index, which join, in which order.
//!
//! The rules look at the catalog only, never at how many rows there are: equal schemas give equal
//! plans, whatever a table happens to hold. An index is used wherever a condition allows it; a join
//! goes through the inner table's index when the outer side is known to be small (its own condition is
//! on an index), else it hashes.

mod access;
mod placement;
mod prune;
mod query;
mod write;

use std::sync::Arc;

use base::Value;
use syntax::SetOperator;

use crate::OutputColumn;
use crate::bind::{AggregateFunction, BoundLock, Join, RangeTable, SortKey};
use crate::catalog::Table;
use crate::expr::{Program, SetFunction, Slot};
use crate::key::Order;
use crate::storage::{Direction, IndexId, LockMode, RelationId, RowLock};
use crate::types::SqlType;

pub(crate) use placement::{Leaf, Placement, Referencing};
pub(crate) use prune::Pruning;
pub(crate) use query::plan_query;
pub(crate) use write::{Written, plan_delete, plan_insert, plan_update};

/// A statement ready to run. Shared by all who run it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) root: Root,
    /// The queries and writes of WITH that run once, in their order.
    pub(crate) commons: Vec<Root>,
    /// Expression subqueries, by number.
    pub(crate) subqueries: Vec<QueryPlan>,
    pub(crate) tables: Vec<RangeTable>,
    pub(crate) params: Vec<SqlType>,
    pub(crate) locks: Vec<(RelationId, LockMode)>,
    pub(crate) slots: u32,
    pub(crate) columns: Arc<[OutputColumn]>,
    pub(crate) verb: &'static str,
}

/// A shared plan; hashed by nothing, since it follows from the statement and the catalog.
#[derive(Clone, Debug)]
pub(crate) struct Planned(pub(crate) Arc<Plan>);

impl std::hash::Hash for Planned {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

#[derive(Debug)]
pub(crate) enum Root {
    Query(QueryPlan),
    Insert(Box<InsertPlan>),
    Update(Box<UpdatePlan>),
    Delete(Box<DeletePlan>),
}

#[derive(Debug)]
pub(crate) struct QueryPlan {
    pub(crate) node: Node,
    pub(crate) output: Vec<Slot>,
    /// Reads slots of an enclosing query: runs anew for each of its rows.
    pub(crate) correlated: bool,
}

/// What of the frame a node that keeps rows must keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kept {
    pub(crate) slots: Vec<Slot>,
    /// Base tables whose current row's id is kept too.
    pub(crate) tables: Vec<usize>,
}

#[derive(Debug)]
pub(crate) enum Node {
    /// One row of nothing.
    Nothing,
    SeqScan {
        table: usize,
        filter: Option<Program>,
    },
    /// The versions at these places (a list stands for its items).
    TidScan {
        table: usize,
        places: Box<[Program]>,
        filter: Option<Program>,
    },
    IndexScan(Box<IndexScan>),
    Append(Box<AppendPlan>),
    Series(SeriesPlan),
    /// Each row of the input as many times as the longest of these gives a value.
    ProjectSet {
        input: Box<Node>,
        series: Vec<SeriesPlan>,
    },
    /// What a WITH query gives, by its number.
    Common {
        number: usize,
        slots: Vec<Slot>,
    },
    Values {
        rows: Vec<Box<[Program]>>,
        slots: Vec<Slot>,
    },
    /// For each row of `left`, `right` from its start (it reads `left`'s slots).
    NestedLoop {
        left: Box<Node>,
        right: Box<Node>,
        /// Keep left rows without a partner.
        outer: bool,
        condition: Option<Program>,
        right_kept: Kept,
    },
    /// Reads all of `right` into a table by key, then looks up each row of `left`.
    HashJoin(Box<HashJoin>),
    Filter {
        input: Box<Node>,
        condition: Program,
    },
    Compute {
        input: Box<Node>,
        items: Vec<(Program, Slot)>,
    },
    Aggregate(Box<AggregatePlan>),
    Sort {
        input: Box<Node>,
        keys: Vec<SortKey>,
        kept: Kept,
    },
    Distinct {
        input: Box<Node>,
        slots: Vec<Slot>,
    },
    /// The first of each run of equal values; the input is sorted by them.
    DistinctOn {
        input: Box<Node>,
        slots: Vec<Slot>,
    },
    Limit {
        input: Box<Node>,
        limit: Option<Program>,
        offset: Option<Program>,
    },
    Set(Box<SetPlan>),
    LockRows {
        input: Box<Node>,
        locks: Vec<BoundLock>,
        recheck: Box<Recheck>,
    },
}

/// The rows of a table's members.
#[derive(Debug)]
pub(crate) struct AppendPlan {
    /// The table that was named.
    pub(crate) table: usize,
    pub(crate) parts: Vec<AppendPart>,
    /// By level, where it depends on what is known only when it runs.
    pub(crate) pruning: Vec<(usize, Pruning)>,
}

#[derive(Debug)]
pub(crate) struct AppendPart {
    /// The member.
    pub(crate) table: usize,
    pub(crate) node: Node,
    pub(crate) path: Vec<(usize, usize)>,
}

#[derive(Debug)]
pub(crate) struct SeriesPlan {
    pub(crate) function: SetFunction,
    pub(crate) arguments: Box<[Program]>,
    /// One for each of its columns.
    pub(crate) slots: Box<[Slot]>,
}

#[derive(Debug)]
pub(crate) struct IndexScan {
    pub(crate) table: usize,
    pub(crate) index: IndexId,
    /// The first columns' values.
    pub(crate) equal: Vec<(Program, Order)>,
    /// The next column's values, one after the other.
    pub(crate) list: Option<(List, Order)>,
    pub(crate) lower: Option<Edge>,
    pub(crate) upper: Option<Edge>,
    /// Of the column that the bounds are on.
    pub(crate) order: Order,
    pub(crate) direction: Direction,
    /// All columns are given: each probe is a look-up of one key.
    pub(crate) whole_key: bool,
    pub(crate) filter: Option<Program>,
}

#[derive(Debug)]
pub(crate) enum List {
    Items(Box<[Program]>),
    /// A list parameter.
    Array(Program),
}

#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) value: Program,
    pub(crate) inclusive: bool,
}

#[derive(Debug)]
pub(crate) struct HashJoin {
    pub(crate) left: Node,
    pub(crate) right: Node,
    pub(crate) kind: Join,
    pub(crate) left_keys: Box<[Program]>,
    pub(crate) right_keys: Box<[Program]>,
    /// What must hold besides the keys.
    pub(crate) condition: Option<Program>,
    pub(crate) left_kept: Kept,
    pub(crate) right_kept: Kept,
    pub(crate) merged: Vec<(Program, Slot)>,
}

#[derive(Debug)]
pub(crate) struct AggregatePlan {
    pub(crate) input: Node,
    pub(crate) keys: Vec<(Program, Slot)>,
    pub(crate) aggregates: Vec<AggregateStep>,
}

#[derive(Debug)]
pub(crate) struct AggregateStep {
    pub(crate) function: AggregateFunction,
    pub(crate) argument: Option<Program>,
    pub(crate) separator: Option<Program>,
    pub(crate) distinct: bool,
    pub(crate) filter: Option<Program>,
    pub(crate) slot: Slot,
}

#[derive(Debug)]
pub(crate) struct SetPlan {
    pub(crate) operator: SetOperator,
    pub(crate) all: bool,
    pub(crate) left: Node,
    pub(crate) right: Node,
    pub(crate) left_slots: Vec<Slot>,
    pub(crate) right_slots: Vec<Slot>,
    pub(crate) output: Vec<Slot>,
}

/// The statement again for one combination of rows, one of which has changed meanwhile (PostgreSQL's
/// EvalPlanQual): the joins and conditions over the frame as it is, then what is computed from it.
#[derive(Debug)]
pub(crate) struct Recheck {
    pub(crate) steps: Vec<RecheckStep>,
}

#[derive(Debug)]
pub(crate) enum RecheckStep {
    /// The row is out unless this holds.
    Require(Program),
    /// Without this, the outer join's other side is NULL.
    NullUnless(Program, Vec<Slot>),
    Compute(Program, Slot),
}

#[derive(Debug)]
pub(crate) struct InsertPlan {
    pub(crate) table: usize,
    pub(crate) referencing: Referencing,
    pub(crate) placement: Option<Placement>,
    pub(crate) row_slots: Vec<Slot>,
    pub(crate) source: Option<Node>,
    pub(crate) row: Vec<Program>,
    pub(crate) checks: Vec<PolicyCheck>,
    pub(crate) conflict: Option<ConflictPlan>,
    pub(crate) returning: Returning,
}

#[derive(Debug)]
pub(crate) struct ConflictPlan {
    pub(crate) arbiters: Vec<usize>,
    pub(crate) update: Option<ConflictUpdatePlan>,
}

#[derive(Debug)]
pub(crate) struct ConflictUpdatePlan {
    pub(crate) existing: usize,
    /// What it becomes.
    pub(crate) new: usize,
    pub(crate) new_slots: Vec<Slot>,
    pub(crate) assignments: Vec<(u16, Program)>,
    pub(crate) filter: Option<Program>,
    pub(crate) existing_checks: Vec<PolicyCheck>,
    pub(crate) checks: Vec<PolicyCheck>,
    pub(crate) returning: Returning,
}

/// What row security asks of a row that is written: anything but TRUE refuses the statement.
#[derive(Debug)]
pub(crate) struct PolicyCheck {
    /// The restrictive policy; `None` for the permissive ones together.
    pub(crate) policy: Option<Arc<str>>,
    pub(crate) existing: bool,
    pub(crate) condition: Program,
}

#[derive(Debug, Default)]
pub(crate) struct Returning {
    pub(crate) compute: Vec<(Program, Slot)>,
    pub(crate) output: Vec<Slot>,
}

#[derive(Debug)]
pub(crate) struct UpdatePlan {
    pub(crate) table: usize,
    /// The row as it will be.
    pub(crate) new: usize,
    pub(crate) referencing: Referencing,
    pub(crate) placement: Option<Placement>,
    pub(crate) new_slots: Vec<Slot>,
    pub(crate) input: Node,
    pub(crate) recheck: Recheck,
    pub(crate) assignments: Vec<(u16, Program)>,
    /// What a row is locked with when it has to be followed to a newer version.
    pub(crate) strength: RowLock,
    pub(crate) checks: Vec<PolicyCheck>,
    pub(crate) returning: Returning,
}

#[derive(Debug)]
pub(crate) struct DeletePlan {
    pub(crate) table: usize,
    pub(crate) referencing: Referencing,
    pub(crate) input: Node,
    pub(crate) recheck: Recheck,
    pub(crate) returning: Returning,
}

impl Node {
    /// The nodes right below.
    fn children(&self) -> Vec<&Node> {
        match self {
            Node::Nothing
            | Node::SeqScan { .. }
            | Node::TidScan { .. }
            | Node::IndexScan(_)
            | Node::Series(_)
            | Node::Common { .. }
            | Node::Values { .. } => Vec::new(),
            Node::Append(append) => append.parts.iter().map(|part| &part.node).collect(),
            Node::NestedLoop { left, right, .. } => vec![left, right],
            Node::HashJoin(join) => vec![&join.left, &join.right],
            Node::Aggregate(aggregate) => vec![&aggregate.input],
            Node::Set(set) => vec![&set.left, &set.right],
            Node::ProjectSet { input, .. }
            | Node::Filter { input, .. }
            | Node::Compute { input, .. }
            | Node::Sort { input, .. }
            | Node::Distinct { input, .. }
            | Node::DistinctOn { input, .. }
            | Node::Limit { input, .. }
            | Node::LockRows { input, .. } => vec![input],
        }
    }

    /// The members that are read below it, each with the table that it is a member of.
    pub(crate) fn members(&self, into: &mut Vec<(usize, usize)>) {
        if let Node::Append(append) = self {
            into.extend(append.parts.iter().map(|part| (part.table, append.table)));
        }
        self.children().into_iter().for_each(|child| child.members(into));
    }
}

impl Root {
    pub(crate) fn node(&self) -> Option<&Node> {
        match self {
            Root::Query(query) => Some(&query.node),
            Root::Insert(insert) => insert.source.as_ref(),
            Root::Update(update) => Some(&update.input),
            Root::Delete(delete) => Some(&delete.input),
        }
    }
}

impl Plan {
    pub(crate) fn table(&self, number: usize) -> &Arc<Table> {
        &self.tables[number].table
    }

    /// Of no tables, no rows: for what is done outside of any statement.
    pub(crate) fn nothing() -> Plan {
        Plan {
            root: Root::Query(QueryPlan {
                node: Node::Nothing,
                output: Vec::new(),
                correlated: false,
            }),
            commons: Vec::new(),
            subqueries: Vec::new(),
            tables: Vec::new(),
            params: Vec::new(),
            locks: Vec::new(),
            slots: 0,
            columns: Arc::from([]),
            verb: "SELECT",
        }
    }

    /// Changes rows, so that it cannot run in a read-only transaction.
    pub(crate) fn writes(&self) -> bool {
        let mut roots = self.commons.iter().chain([&self.root]);
        roots.any(|root| !matches!(root, Root::Query(_)))
    }

    pub(crate) fn empty_frame(&self) -> Vec<Value> {
        vec![Value::Null; self.slots as usize]
    }
}
