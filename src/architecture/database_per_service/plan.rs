//! How an operation falls apart into the owners' local transactions, and which of them can be undone.
//!
//! ```text
//! statements ─group→ parts: consecutive statements of one owner │ a query over several │ a call │ checks
//! parts ─judge→ compensatable* pivot? retriable*    (Richardson, Microservices Patterns, ch. 4)
//! ```

use program::Role;
use scenario::{Action, Compensation, Operation, Schema};
use syntax::visit;
use syntax::{Expr, ExprKind, Name, Query, Statement};

use super::undo::{self, Undo};
use crate::composition::foreign::{Prefetch, separate};
use crate::lower::item::{Item, Refused};
use crate::sql::facts;

/// The variable that holds when the operation began: what `now()` means in all of its transactions.
pub(crate) const STARTED: &str = "started at";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    pub(crate) messages: Vec<Message>,
    pub(crate) shape: Shape,
    /// The part whose transaction sends the messages on their way.
    pub(crate) carrier: Option<usize>,
    /// Some statement asks for the time.
    pub(crate) timed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One local transaction at one owner.
    Local,
    /// Several requests, at most one of which has an effect, and nothing can fail after it.
    Direct,
    /// Parts before `pivot` can be undone, those after it are retried; 0: all are retried.
    Saga { pivot: usize },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// From 1: what the saga's log counts.
    pub(crate) position: usize,
    pub(crate) kind: PartKind,
    pub(crate) role: Role,
    /// What undoes it, item by item; of compensatable parts only.
    pub(crate) undo: Vec<Undo>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PartKind {
    /// One local transaction of one owner, and what must be known before it can start.
    Local {
        owner: u16,
        prefetches: Vec<(u16, Prefetch)>,
        items: Vec<Item>,
    },
    /// A query over several owners, and decisions on what it says.
    Composed {
        item: Item,
        checks: Vec<Item>,
    },
    External {
        item: Item,
    },
    Checks {
        items: Vec<Item>,
    },
}

/// Statements for another owner that must happen, but later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// From 1, among the operation's.
    pub(crate) number: usize,
    pub(crate) owner: u16,
    pub(crate) items: Vec<Item>,
}

impl Part {
    /// Changes something, here or outside.
    pub(crate) fn has_effect(&self) -> bool {
        match &self.kind {
            PartKind::Local { items, .. } => items.iter().any(Item::writes),
            PartKind::External { .. } => true,
            PartKind::Composed { .. } | PartKind::Checks { .. } => false,
        }
    }

    pub(crate) fn items(&self) -> Vec<&Item> {
        match &self.kind {
            PartKind::Local { items, .. } | PartKind::Checks { items } => items.iter().collect(),
            PartKind::Composed { item, checks } => std::iter::once(item).chain(checks).collect(),
            PartKind::External { item } => vec![item],
        }
    }

    fn decides(&self) -> bool {
        self.items().iter().any(|item| item.decides())
    }

    fn first_index(&self) -> u16 {
        self.items().first().map_or(0, |item| item.index)
    }

    fn is_pivot(&self) -> bool {
        self.items().iter().any(|item| item.statement.marks.pivot)
    }

    /// Every effect of it is marked as one that succeeds in the end.
    fn is_retriable(&self) -> bool {
        let has_effect = |item: &&&Item| item.writes() || item.is_external();
        self.items()
            .iter()
            .filter(has_effect)
            .all(|item| item.statement.marks.retriable)
    }

    /// The variables that it binds.
    pub(crate) fn binds(&self) -> Vec<String> {
        self.items().iter().flat_map(|item| item.binds()).collect()
    }
}

/// A `protected` operation must have a compensation wherever a saga needs one.
pub(crate) fn plan(schema: &Schema, operation: &Operation, protected: bool) -> Result<Plan, Refused> {
    let (later, now): (Vec<Item>, Vec<Item>) = Item::all(operation)
        .into_iter()
        .partition(|item| item.statement.marks.asynchronous);
    let mut messages = messages(schema, later)?;
    let mut parts = group(schema, now)?;
    if !parts.iter().any(Part::has_effect) && !messages.is_empty() {
        // Nothing else writes: what could be done later is done now, and carries the rest.
        let first = messages.remove(0);
        add_part(
            &mut parts,
            PartKind::Local {
                owner: first.owner,
                prefetches: Vec::new(),
                items: first.items,
            },
        );
    }
    let mut shape = judge(schema, &mut parts, protected)?;
    let mut carrier = carrier(&parts, &messages, shape);
    if protected && carrier.is_none() && !messages.is_empty() {
        // No local transaction can carry them: the orchestrator sees to them itself, last.
        for message in std::mem::take(&mut messages) {
            add_part(&mut parts, retriable(message));
        }
        shape = judge(schema, &mut parts, protected)?;
        carrier = None;
    }
    if let (Shape::Local, Some(PartKind::Local { owner, items, .. })) = (shape, parts.first_mut().map(|p| &mut p.kind))
    {
        let (own, others): (Vec<Message>, Vec<Message>) = messages.into_iter().partition(|m| m.owner == *owner);
        items.extend(own.into_iter().flat_map(|message| message.items));
        messages = others;
    }
    // In one local transaction the engine's own clock will do.
    let timed = match shape {
        Shape::Local => fix_time(&mut [], &mut messages),
        Shape::Direct | Shape::Saga { .. } => fix_time(&mut parts, &mut messages),
    };
    Ok(Plan {
        parts,
        messages,
        shape,
        carrier,
        timed,
    })
}

/// The first local transaction whose commit means that the operation happens, and which knows what the
/// messages say.
fn carrier(parts: &[Part], messages: &[Message], shape: Shape) -> Option<usize> {
    let decided = match shape {
        Shape::Saga { pivot } => pivot,
        Shape::Local | Shape::Direct => 0,
    };
    let uses: Vec<String> = messages
        .iter()
        .flat_map(|message| message.items.iter().flat_map(Item::uses))
        .collect();
    let known = |position: usize| {
        let later = parts
            .iter()
            .filter(|part| part.position > position)
            .flat_map(Part::binds);
        later.into_iter().all(|name| !uses.contains(&name))
    };
    let local = parts
        .iter()
        .filter(|part| matches!(part.kind, PartKind::Local { .. }) && part.has_effect());
    local
        .map(|part| part.position)
        .find(|position| *position >= decided && known(*position))
}

fn retriable(message: Message) -> PartKind {
    let mut items = message.items;
    for item in &mut items {
        item.statement.marks.retriable = true;
    }
    PartKind::Local {
        owner: message.owner,
        prefetches: Vec::new(),
        items,
    }
}

/// Consecutive statements of one owner travel together.
fn messages(schema: &Schema, items: Vec<Item>) -> Result<Vec<Message>, Refused> {
    let mut messages: Vec<Message> = Vec::new();
    for item in items {
        let Some(owner) = write_owner(schema, &item) else {
            return Err(Refused::new(
                item.index,
                "only a write can be asynchronous",
                "remove @asynchronous, or mark the write that needs it",
            ));
        };
        let (prefetches, item) = separate(schema, &item, owner)?;
        if !prefetches.is_empty() {
            return Err(Refused::new(
                item.index,
                "an asynchronous write cannot read another service",
                "read what it needs with SELECT … INTO :variable before",
            ));
        }
        match messages.last_mut() {
            Some(last) if last.owner == owner => last.items.push(item),
            _ => messages.push(Message {
                number: messages.len() + 1,
                owner,
                items: vec![item],
            }),
        }
    }
    Ok(messages)
}

fn write_owner(schema: &Schema, item: &Item) -> Option<u16> {
    item.statement.writes.first().map(|id| schema.table(*id).owner)
}

fn read_owners(schema: &Schema, item: &Item) -> Vec<u16> {
    let mut owners: Vec<u16> = item.statement.reads.iter().map(|id| schema.table(*id).owner).collect();
    owners.sort_unstable();
    owners.dedup();
    owners
}

fn group(schema: &Schema, items: Vec<Item>) -> Result<Vec<Part>, Refused> {
    let mut parts: Vec<Part> = Vec::new();
    for item in items {
        match &item.statement.action {
            Action::Call { .. } => add_part(&mut parts, PartKind::External { item }),
            Action::AbortWhen { .. } => add_check(&mut parts, item),
            Action::Sql(_) => {
                let reads = read_owners(schema, &item);
                match (write_owner(schema, &item), reads.as_slice()) {
                    (Some(owner), _) => {
                        let (prefetches, item) = separate(schema, &item, owner)?;
                        let prefetches = prefetches.into_iter().map(|prefetch| (item.index, prefetch)).collect();
                        add_local(&mut parts, owner, prefetches, item);
                    }
                    (None, [owner]) => add_local(&mut parts, *owner, Vec::new(), item),
                    (None, _) if item.statement.expect_rows.is_some() => {
                        return Err(Refused::new(
                            item.index,
                            "EXPECT cannot count the rows of a query over several services",
                            "SELECT … INTO :variable, then ABORT WHEN",
                        ));
                    }
                    (None, _) => add_part(
                        &mut parts,
                        PartKind::Composed {
                            item,
                            checks: Vec::new(),
                        },
                    ),
                }
            }
        }
    }
    Ok(parts)
}

fn add_part(parts: &mut Vec<Part>, kind: PartKind) {
    parts.push(Part {
        position: parts.len() + 1,
        kind,
        role: Role::Work,
        undo: Vec::new(),
    });
}

/// Decisions are made where what they look at has just been learnt.
fn add_check(parts: &mut Vec<Part>, item: Item) {
    match parts.last_mut().map(|part| &mut part.kind) {
        Some(PartKind::Local { items, .. } | PartKind::Checks { items }) => items.push(item),
        Some(PartKind::Composed { checks, .. }) => checks.push(item),
        Some(PartKind::External { .. }) | None => add_part(parts, PartKind::Checks { items: vec![item] }),
    }
}

fn add_local(parts: &mut Vec<Part>, owner: u16, mut before: Vec<(u16, Prefetch)>, item: Item) {
    if let Some(PartKind::Local {
        owner: open,
        prefetches,
        items,
    }) = parts.last_mut().map(|part| &mut part.kind)
    {
        let bound: Vec<String> = items.iter().flat_map(Item::binds).collect();
        let waits = before.iter().any(|(_, prefetch)| uses_any(&prefetch.query, &bound));
        if *open == owner && !waits {
            prefetches.append(&mut before);
            items.push(item);
            return;
        }
    }
    let items = vec![item];
    add_part(
        parts,
        PartKind::Local {
            owner,
            prefetches: before,
            items,
        },
    );
}

fn uses_any(query: &Query, names: &[String]) -> bool {
    let used = facts::variables(&Statement::Query(Box::new(query.clone())));
    used.iter().any(|name| names.contains(name))
}

/// Gives each part its role, or says why the operation cannot be a saga.
fn judge(schema: &Schema, parts: &mut [Part], protected: bool) -> Result<Shape, Refused> {
    if let [
        Part {
            kind: PartKind::Local { prefetches, .. },
            ..
        },
    ] = parts
        && prefetches.is_empty()
    {
        return Ok(Shape::Local);
    }
    let effects: Vec<usize> = parts
        .iter()
        .filter(|part| part.has_effect())
        .map(|part| part.position)
        .collect();
    let fails_after = |position: usize| parts.iter().any(|part| part.position > position && part.decides());
    match effects.as_slice() {
        [] => return Ok(Shape::Direct),
        [only] if !fails_after(*only) => return Ok(Shape::Direct),
        _ => {}
    }
    let pivot = match parts.iter().find(|part| part.is_pivot()) {
        Some(part) => part.position,
        None => implied_pivot(parts),
    };
    if protected {
        parts.iter_mut().try_for_each(|part| judge_part(schema, part, pivot))?;
    }
    Ok(Shape::Saga { pivot })
}

/// The last part that may still fail for good.
fn implied_pivot(parts: &[Part]) -> usize {
    let may_fail = |part: &&Part| (part.has_effect() && !part.is_retriable()) || part.decides();
    parts.iter().rev().find(may_fail).map_or(0, |part| part.position)
}

fn judge_part(schema: &Schema, part: &mut Part, pivot: usize) -> Result<(), Refused> {
    part.role = match part.position.cmp(&pivot) {
        std::cmp::Ordering::Less if part.has_effect() => Role::Compensatable,
        std::cmp::Ordering::Less => Role::Work,
        std::cmp::Ordering::Equal => Role::Pivot,
        std::cmp::Ordering::Greater => Role::Retriable,
    };
    if part.position > pivot && part.decides() {
        return Err(Refused::new(
            part.first_index(),
            "it decides after the pivot, when the saga can no longer be undone",
            "decide before the statement marked @pivot",
        ));
    }
    if part.position > pivot && part.has_effect() && !part.is_retriable() {
        return Err(Refused::new(
            part.first_index(),
            "it comes after the pivot, where only retriable steps may stand",
            "mark it @retriable if it always succeeds in the end, or move @pivot to it",
        ));
    }
    if part.role == Role::Compensatable {
        part.undo = part
            .items()
            .iter()
            .map(|item| undo::derive(schema, item))
            .collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// One instant for all transactions of the operation, and for every repetition of them.
fn fix_time(parts: &mut [Part], messages: &mut [Message]) -> bool {
    let mut found = false;
    let mut fix = |e: &mut Expr| {
        if facts::is_now(e) {
            e.kind = ExprKind::Variable(Name::new(STARTED));
            found = true;
        }
    };
    let in_parts = parts.iter_mut().flat_map(Part::items_mut);
    let in_messages = messages.iter_mut().flat_map(|message| &mut message.items);
    for item in in_parts.chain(in_messages) {
        match &mut item.statement.action {
            Action::Sql(sql) => visit::exprs_mut(sql, &mut fix),
            Action::AbortWhen { condition, .. } => visit::exprs_of_mut(condition, &mut fix),
            Action::Call { .. } => {}
        }
        if let Compensation::Written(sql) = &mut item.statement.marks.compensation {
            visit::exprs_mut(sql, &mut fix);
        }
    }
    for undo in parts.iter_mut().flat_map(|part| &mut part.undo) {
        undo.exprs_mut(&mut fix);
    }
    found
}

impl Part {
    fn items_mut(&mut self) -> Vec<&mut Item> {
        match &mut self.kind {
            PartKind::Local { items, .. } | PartKind::Checks { items } => items.iter_mut().collect(),
            PartKind::Composed { item, checks } => std::iter::once(item).chain(checks).collect(),
            PartKind::External { item } => vec![item],
        }
    }
}
