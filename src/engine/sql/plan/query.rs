//! Plans of queries: joins first, then grouping, computing, ordering, cutting.

use super::access::{Size, access_size, plan_access};
use super::{AggregatePlan, AggregateStep, HashJoin, Kept, Node, QueryPlan, Recheck, RecheckStep, SeriesPlan, SetPlan};
use crate::bind::{Body, BoundDistinct, BoundQuery, BoundSelect, From, Grouping, Join, RangeTable, Series};
use crate::expr::{Bound, BoundKind, Comparison, Program, Slot};

pub(crate) fn plan_query(query: &BoundQuery, correlated: bool, tables: &[RangeTable]) -> QueryPlan {
    let planner = Planner { tables };
    QueryPlan {
        node: planner.query(query),
        output: query.output.iter().map(|target| target.slot).collect(),
        correlated,
    }
}

pub(super) struct Planner<'a> {
    pub(super) tables: &'a [RangeTable],
}

impl Planner<'_> {
    pub(super) fn query(&self, query: &BoundQuery) -> Node {
        let (mut node, mut kept) = match &query.body {
            Body::Select(select) => self.select(select, query),
            Body::Values(rows) => {
                let slots: Vec<Slot> = query.output.iter().map(|target| target.slot).collect();
                let node = Node::Values {
                    rows: rows.iter().map(|row| Program::all(row)).collect(),
                    slots: slots.clone(),
                };
                (
                    node,
                    Kept {
                        slots,
                        tables: Vec::new(),
                    },
                )
            }
            Body::Set {
                operator,
                all,
                left,
                right,
            } => {
                let slots = |query: &BoundQuery| query.output.iter().map(|target| target.slot).collect::<Vec<_>>();
                let output = slots(query);
                let node = Node::Set(Box::new(SetPlan {
                    operator: *operator,
                    all: *all,
                    left: self.query(left),
                    right: self.query(right),
                    left_slots: slots(left),
                    right_slots: slots(right),
                    output: output.clone(),
                }));
                (
                    node,
                    Kept {
                        slots: output,
                        tables: Vec::new(),
                    },
                )
            }
        };
        let distinct = match &query.body {
            Body::Select(select) => select.distinct.clone(),
            _ => BoundDistinct::All,
        };
        if distinct == BoundDistinct::Distinct {
            node = Node::Distinct {
                input: Box::new(node),
                slots: query.output.iter().map(|target| target.slot).collect(),
            };
        }
        if !query.order_by.is_empty() {
            kept.slots.extend(query.order_by.iter().map(|key| key.slot));
            kept.slots.sort_unstable();
            kept.slots.dedup();
            node = Node::Sort {
                input: Box::new(node),
                keys: query.order_by.clone(),
                kept,
            };
        }
        if let BoundDistinct::On(slots) = distinct {
            node = Node::DistinctOn {
                input: Box::new(node),
                slots,
            };
        }
        if let (false, Body::Select(select)) = (query.locking.is_empty(), &query.body) {
            let mut recheck = self.recheck(&select.from, &select.filter);
            let computed = select.compute.iter();
            recheck
                .steps
                .extend(computed.map(|(expression, slot)| RecheckStep::Compute(Program::new(expression), *slot)));
            node = Node::LockRows {
                input: Box::new(node),
                locks: query.locking.clone(),
                recheck: Box::new(recheck),
            };
        }
        if query.limit.is_some() || query.offset.is_some() {
            node = Node::Limit {
                input: Box::new(node),
                limit: query.limit.as_ref().map(Program::new),
                offset: query.offset.as_ref().map(Program::new),
            };
        }
        node
    }

    /// The rows before ORDER BY, and what of the frame has to outlive a sort.
    fn select(&self, select: &BoundSelect, query: &BoundQuery) -> (Node, Kept) {
        let mut node = self.from(&select.from, select.filter.clone()).0;
        let mut kept = Kept::default();
        if let Some(grouping) = &select.grouping {
            node = aggregate(node, grouping);
        }
        if !select.having.is_empty() {
            node = filter(node, select.having.clone());
        }
        if !select.series.is_empty() {
            node = Node::ProjectSet {
                input: Box::new(node),
                series: select.series.iter().map(plan_series).collect(),
            };
        }
        if !select.compute.is_empty() {
            node = Node::Compute {
                input: Box::new(node),
                items: compute(&select.compute),
            };
        }
        if query.locking.is_empty() {
            kept.slots = query.output.iter().map(|target| target.slot).collect();
            if let BoundDistinct::On(slots) = &select.distinct {
                kept.slots.extend(slots);
            }
        } else {
            // The row may have to be checked and computed again above the sort.
            kept = self.kept(&select.from);
            kept.slots.extend(select.compute.iter().map(|(_, slot)| *slot));
        }
        (node, kept)
    }

    /// What of the frame is written below this.
    pub(super) fn kept(&self, from: &From) -> Kept {
        let mut kept = Kept::default();
        self.collect_kept(from, &mut kept);
        kept
    }

    fn collect_kept(&self, from: &From, kept: &mut Kept) {
        match from {
            From::Nothing => {}
            From::Table(table) => {
                kept.slots.extend(self.tables[*table].slots());
                kept.tables.push(*table);
            }
            From::Derived(query) => kept.slots.extend(query.output.iter().map(|target| target.slot)),
            From::Common { slots, .. } => kept.slots.extend(slots),
            From::Series(series) => kept.slots.extend(&series.slots),
            From::Join {
                left, right, merged, ..
            } => {
                self.collect_kept(left, kept);
                self.collect_kept(right, kept);
                kept.slots.extend(merged.iter().map(|(_, slot)| *slot));
            }
        }
    }

    fn slots(&self, from: &From) -> Vec<Slot> {
        self.kept(from).slots
    }

    /// Plans FROM with all conditions on it.
    pub(super) fn from(&self, from: &From, conditions: Vec<Bound>) -> (Node, Size) {
        let mut leaves = Vec::new();
        let mut pool = conditions;
        flatten(from, &mut leaves, &mut pool);
        let local = self.slots(from);
        // What waits for nothing of FROM, or must not run more often than it would: checked on top.
        let (late, pool): (Vec<Bound>, Vec<Bound>) = pool.into_iter().partition(|condition| condition.is_volatile());
        let (node, size) = self.inner_joins(&leaves, pool, &local);
        (if late.is_empty() { node } else { filter(node, late) }, size)
    }

    fn inner_joins(&self, leaves: &[&From], mut pool: Vec<Bound>, local: &[Slot]) -> (Node, Size) {
        let mut remaining: Vec<usize> = (0..leaves.len()).collect();
        let mut available: Vec<Slot> = Vec::new();
        let mut joined: Option<(Node, Size)> = None;
        while !remaining.is_empty() {
            let chosen = self.choose(
                leaves,
                &remaining,
                &pool,
                &available,
                local,
                joined.as_ref().map(|(_, size)| *size),
            );
            let leaf = leaves[remaining.remove(chosen)];
            let own = self.slots(leaf);
            let reach: Vec<Slot> = available.iter().chain(&own).copied().collect();
            let ready = take_ready(&mut pool, &reach, local);
            joined = Some(match joined.take() {
                None => self.leaf(leaf, ready),
                Some(left) => self.join_inner(left, leaf, ready, &available),
            });
            available = reach;
        }
        let (node, size) = joined.unwrap_or((Node::Nothing, Size::One));
        (if pool.is_empty() { node } else { filter(node, pool) }, size)
    }

    /// The next leaf: one that waits for no other, and of these the one that is reached best; among equals, one that is connected; else the first.
    fn choose(
        &self,
        leaves: &[&From],
        remaining: &[usize],
        pool: &[Bound],
        available: &[Slot],
        local: &[Slot],
        so_far: Option<Size>,
    ) -> usize {
        let rank = |leaf: &From| {
            let own = self.slots(leaf);
            let reach: Vec<Slot> = available.iter().chain(&own).copied().collect();
            let ready: Vec<Bound> = pool
                .iter()
                .filter(|condition| is_ready(condition, &reach, local))
                .cloned()
                .collect();
            let connected = ready.iter().any(|condition| {
                let mut slots = Vec::new();
                condition.slots(&mut slots);
                slots.iter().any(|slot| available.contains(slot)) && slots.iter().any(|slot| own.contains(slot))
            });
            let waits = match leaf {
                From::Series(series) => !series.arguments.iter().all(|part| is_ready(part, available, local)),
                _ => false,
            };
            let size = match leaf {
                From::Table(table) if so_far.is_none_or(|size| size < Size::All) => {
                    access_size(*table, self.tables, &ready)
                }
                From::Table(table) => {
                    let alone: Vec<Bound> = ready
                        .into_iter()
                        .filter(|condition| is_ready(condition, &own, local))
                        .collect();
                    access_size(*table, self.tables, &alone)
                }
                From::Nothing => Size::One,
                _ => Size::All,
            };
            (waits, so_far.is_some() && !connected, size)
        };
        let ranked = remaining.iter().enumerate().map(|(at, leaf)| (rank(leaves[*leaf]), at));
        ranked.min().map_or(0, |(_, at)| at)
    }

    fn leaf(&self, leaf: &From, conditions: Vec<Bound>) -> (Node, Size) {
        match leaf {
            From::Nothing => {
                let node = if conditions.is_empty() {
                    Node::Nothing
                } else {
                    filter(Node::Nothing, conditions)
                };
                (node, Size::One)
            }
            From::Table(table) => plan_access(*table, self.tables, conditions),
            From::Derived(query) => {
                let node = self.query(query);
                (
                    if conditions.is_empty() {
                        node
                    } else {
                        filter(node, conditions)
                    },
                    Size::All,
                )
            }
            From::Common { number, slots } => {
                let node = Node::Common {
                    number: *number,
                    slots: slots.clone(),
                };
                (
                    if conditions.is_empty() {
                        node
                    } else {
                        filter(node, conditions)
                    },
                    Size::All,
                )
            }
            From::Series(series) => {
                let node = Node::Series(plan_series(series));
                (
                    if conditions.is_empty() {
                        node
                    } else {
                        filter(node, conditions)
                    },
                    Size::All,
                )
            }
            From::Join { .. } => self.outer_join(leaf, conditions),
        }
    }

    fn join_inner(&self, left: (Node, Size), leaf: &From, ready: Vec<Bound>, available: &[Slot]) -> (Node, Size) {
        let (left, left_size) = left;
        let right_kept = self.kept(leaf);
        // A call that reads what stands before it in FROM is made for each row of that.
        if let From::Series(series) = leaf
            && series.arguments.iter().any(|argument| reads(argument, available))
        {
            let (right, size) = self.leaf(leaf, ready);
            let node = Node::NestedLoop {
                left: Box::new(left),
                right: Box::new(right),
                outer: false,
                condition: None,
                right_kept,
            };
            return (node, size);
        }
        if let (From::Table(table), true) = (leaf, left_size < Size::All) {
            let size = access_size(*table, self.tables, &ready);
            if size < Size::All {
                let (right, _) = self.leaf(leaf, ready);
                let node = Node::NestedLoop {
                    left: Box::new(left),
                    right: Box::new(right),
                    outer: false,
                    condition: None,
                    right_kept,
                };
                return (node, left_size.max(size));
            }
        }
        let (alone, both): (Vec<Bound>, Vec<Bound>) =
            ready.into_iter().partition(|condition| !reads(condition, available));
        let (right, right_size) = self.leaf(leaf, alone);
        let size = if right_size == Size::One { left_size } else { Size::All };
        let join = self.hash_join(
            left,
            right,
            Join::Inner,
            both,
            (available, &right_kept.slots),
            right_kept.clone(),
        );
        (join, size)
    }

    /// A join whose condition is not the query's: conditions on the kept side go below it.
    fn outer_join(&self, from: &From, conditions: Vec<Bound>) -> (Node, Size) {
        let From::Join {
            left,
            right,
            kind,
            condition,
            merged,
        } = from
        else {
            return self.leaf(from, conditions);
        };
        let (left, right, kind) = match kind {
            Join::Right => (right, left, Join::Left),
            kind => (left, right, *kind),
        };
        let (left_slots, right_kept) = (self.slots(left), self.kept(right));
        let merged_slots: Vec<Slot> = merged.iter().map(|(_, slot)| *slot).collect();
        let (below, above): (Vec<Bound>, Vec<Bound>) = conditions.into_iter().partition(|condition| {
            kind == Join::Left && !reads(condition, &right_kept.slots) && !reads(condition, &merged_slots)
        });
        let (left_node, left_size) = self.from(left, below);
        let (node, size) = if kind == Join::Left {
            self.left_join(left_node, left_size, &left_slots, right, condition, right_kept)
        } else {
            let (right_node, _) = self.from(right, Vec::new());
            let sides = (&left_slots[..], &right_kept.slots.clone()[..]);
            let mut join = self.hash_join(left_node, right_node, kind, condition.clone(), sides, right_kept);
            if let Node::HashJoin(join) = &mut join {
                join.left_kept = self.kept(left);
                join.merged = compute(merged);
            }
            (join, Size::All)
        };
        (if above.is_empty() { node } else { filter(node, above) }, size)
    }

    fn left_join(
        &self,
        left: Node,
        left_size: Size,
        left_slots: &[Slot],
        right: &From,
        condition: &[Bound],
        right_kept: Kept,
    ) -> (Node, Size) {
        if let (From::Table(table), true) = (right, left_size < Size::All) {
            // Conditions on the left side alone decide whether there is a partner, too.
            let size = access_size(*table, self.tables, condition);
            if size < Size::All {
                let (right, _) = self.leaf(right, condition.to_vec());
                let node = Node::NestedLoop {
                    left: Box::new(left),
                    right: Box::new(right),
                    outer: true,
                    condition: None,
                    right_kept,
                };
                return (node, left_size.max(size));
            }
        }
        let (both, alone): (Vec<Bound>, Vec<Bound>) = condition
            .iter()
            .cloned()
            .partition(|condition| reads(condition, left_slots));
        let (right_node, _) = self.from(right, alone);
        let sides = (left_slots, &right_kept.slots.clone()[..]);
        (
            self.hash_join(left, right_node, Join::Left, both, sides, right_kept),
            Size::All,
        )
    }

    fn hash_join(
        &self,
        left: Node,
        right: Node,
        kind: Join,
        conditions: Vec<Bound>,
        (left_slots, right_slots): (&[Slot], &[Slot]),
        right_kept: Kept,
    ) -> Node {
        let (mut left_keys, mut right_keys, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for condition in conditions {
            match equality(&condition, left_slots, right_slots) {
                Some((left, right)) => {
                    left_keys.push(Program::new(left));
                    right_keys.push(Program::new(right));
                }
                None => rest.push(condition),
            }
        }
        Node::HashJoin(Box::new(HashJoin {
            left,
            right,
            kind,
            left_keys: left_keys.into(),
            right_keys: right_keys.into(),
            condition: (!rest.is_empty()).then(|| Program::new(&Bound::and(rest))),
            left_kept: Kept::default(),
            right_kept,
            merged: Vec::new(),
        }))
    }

    /// The joins and conditions again, over rows that are in the frame already.
    pub(super) fn recheck(&self, from: &From, filter: &[Bound]) -> Recheck {
        let mut recheck = Recheck { steps: Vec::new() };
        self.recheck_security(from, &mut recheck);
        self.recheck_from(from, &mut recheck);
        if !filter.is_empty() {
            let condition = Bound::and(filter.to_vec());
            recheck.steps.push(RecheckStep::Require(Program::new(&condition)));
        }
        recheck
    }

    /// Row security of the tables whose rows can have changed: those that no outer join leaves out.
    fn recheck_security(&self, from: &From, recheck: &mut Recheck) {
        match from {
            From::Table(table) => {
                let security = self.tables[*table].security.iter().cloned().map(Bound::into_true);
                let steps = security.map(|condition| RecheckStep::Require(Program::new(&condition)));
                recheck.steps.extend(steps);
            }
            From::Join { left, right, kind, .. } => {
                if matches!(kind, Join::Inner | Join::Left) {
                    self.recheck_security(left, recheck);
                }
                if matches!(kind, Join::Inner | Join::Right) {
                    self.recheck_security(right, recheck);
                }
            }
            From::Nothing | From::Derived(_) | From::Common { .. } | From::Series(_) => {}
        }
    }

    fn recheck_from(&self, from: &From, recheck: &mut Recheck) {
        let From::Join {
            left,
            right,
            kind,
            condition,
            merged,
        } = from
        else {
            return;
        };
        self.recheck_from(left, recheck);
        self.recheck_from(right, recheck);
        let program = Program::new(&Bound::and(condition.clone()));
        recheck.steps.push(match kind {
            Join::Inner => RecheckStep::Require(program),
            Join::Left => RecheckStep::NullUnless(program, self.slots(right)),
            Join::Right => RecheckStep::NullUnless(program, self.slots(left)),
            // Neither side of it can be locked or changed.
            Join::Full => return,
        });
        let computed = compute(merged).into_iter();
        recheck
            .steps
            .extend(computed.map(|(program, slot)| RecheckStep::Compute(program, slot)));
    }
}

fn plan_series(series: &Series) -> SeriesPlan {
    SeriesPlan {
        function: series.function,
        arguments: Program::all(&series.arguments),
        slots: series.slots.clone().into(),
    }
}

fn flatten<'a>(from: &'a From, leaves: &mut Vec<&'a From>, pool: &mut Vec<Bound>) {
    match from {
        From::Join {
            left,
            right,
            kind: Join::Inner,
            condition,
            ..
        } => {
            flatten(left, leaves, pool);
            flatten(right, leaves, pool);
            pool.extend(condition.iter().cloned());
        }
        other => leaves.push(other),
    }
}

fn reads(condition: &Bound, slots: &[Slot]) -> bool {
    let mut read = Vec::new();
    condition.slots(&mut read);
    read.iter().any(|slot| slots.contains(slot))
}

/// Whether all that it reads of this FROM is there; what lies outside always is.
fn is_ready(condition: &Bound, reach: &[Slot], local: &[Slot]) -> bool {
    let mut read = Vec::new();
    condition.slots(&mut read);
    read.iter().all(|slot| reach.contains(slot) || !local.contains(slot))
}

fn take_ready(pool: &mut Vec<Bound>, reach: &[Slot], local: &[Slot]) -> Vec<Bound> {
    let (ready, waiting) = std::mem::take(pool)
        .into_iter()
        .partition(|condition| is_ready(condition, reach, local));
    *pool = waiting;
    ready
}

/// `left expression = right expression`, if the condition is one.
fn equality<'a>(condition: &'a Bound, left: &[Slot], right: &[Slot]) -> Option<(&'a Bound, &'a Bound)> {
    let BoundKind::Compare(Comparison::Equal, a, b) = &condition.kind else {
        return None;
    };
    if condition.has_subquery() {
        return None;
    }
    let only = |expression: &Bound, mine: &[Slot], other: &[Slot]| reads(expression, mine) && !reads(expression, other);
    if only(a, left, right) && only(b, right, left) {
        Some((a, b))
    } else if only(b, left, right) && only(a, right, left) {
        Some((b, a))
    } else {
        None
    }
}

pub(super) fn filter(input: Node, conditions: Vec<Bound>) -> Node {
    Node::Filter {
        input: Box::new(input),
        condition: Program::new(&Bound::and(conditions)),
    }
}

pub(super) fn compute(items: &[(Bound, Slot)]) -> Vec<(Program, Slot)> {
    items
        .iter()
        .map(|(expression, slot)| (Program::new(expression), *slot))
        .collect()
}

fn aggregate(input: Node, grouping: &Grouping) -> Node {
    let steps = grouping.aggregates.iter().map(|aggregate| AggregateStep {
        function: aggregate.function,
        argument: aggregate.argument.as_ref().map(Program::new),
        separator: aggregate.separator.as_ref().map(Program::new),
        distinct: aggregate.distinct,
        filter: aggregate.filter.as_ref().map(Program::new),
        slot: aggregate.slot,
    });
    Node::Aggregate(Box::new(AggregatePlan {
        input,
        keys: compute(&grouping.keys),
        aggregates: steps.collect(),
    }))
}
