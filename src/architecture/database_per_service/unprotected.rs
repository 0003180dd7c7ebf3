//! The variant without protection: one application, a connection to each owner's database, each write on its
//! own, and a clean-up written by hand.
//!
//! ```text
//! INSERT auth.users
//! try
//!   INSERT permissions.user_roles
//! if that fails
//!   try DELETE auth.users, once, errors swallowed
//!   fail with it
//! ```
//!
//! Nothing durable says what was begun: a crash of the application, or a failure of the clean-up, leaves what is
//! there. A failing write whose opposite is not obvious is simply not cleaned up. An asynchronous statement is sent
//! in the background and forgotten.

use program::{Block, Catches, DatabaseId, Expression, NodeId, OperationId, PoolId, ProgramKind, Role};
use scenario::Operation;

use super::memory::Memory;
use super::plan::{Message, Part, PartKind, Plan, STARTED, Shape, plan};
use super::undo::{self, Undo};
use super::{Ground, reading, weakening};
use crate::composition::lower::Caller;
use crate::composition::{Landscape, Reach};
use crate::lower::assembly::Assembly;
use crate::lower::builder::Builder;
use crate::lower::item::Item;
use crate::lower::later::{self, Later};
use crate::lower::local::{self, Around};
use crate::lower::statement;

pub(crate) fn compile(assembly: &mut Assembly<'_>, ground: Ground) -> Vec<DatabaseId> {
    let scenario = assembly.scenario;
    let application = ground.service(assembly, "application");
    let databases = ground.owner_databases(assembly);
    let pools: Vec<PoolId> = databases
        .iter()
        .map(|database| ground.pool(assembly, application, *database))
        .collect();
    for (operation, number) in scenario.operations.iter().zip(0..) {
        let id = OperationId(number);
        match plan(&scenario.schema, operation, false) {
            Err(refused) => assembly.refuse(id, refused),
            Ok(plan) => {
                let weakened = weakening::operation(operation, &plan, false);
                assembly.weakened.extend(weakened);
                compile_operation(assembly, (application, &pools), id, operation, &plan);
            }
        }
    }
    databases
}

fn compile_operation(
    assembly: &mut Assembly<'_>,
    (application, pools): (NodeId, &[PoolId]),
    id: OperationId,
    operation: &Operation,
    plan: &Plan,
) {
    let entry = assembly.reserve();
    let mut builder = Builder::new(&operation.name, application, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    let mut body = Block::new();
    if plan.timed {
        let started = builder.value(STARTED, base::Type::Timestamptz);
        body.push(builder.set(started, Expression::Now));
    }
    let mut writer = Writer {
        assembly,
        pools,
        caller: Caller {
            id,
            operation,
            index: 0,
        },
    };
    let last: Block = plan
        .messages
        .iter()
        .map(|message| writer.send(&mut builder, message))
        .collect();
    body.extend(writer.parts(&mut builder, plan, &plan.parts, last));
    let items: Vec<Item> = plan.parts.iter().flat_map(Part::items).cloned().collect();
    let answers = local::answers(&mut builder, &items);
    body.push(builder.answer(answers));
    assembly.write(entry, builder.finish(body));
    assembly.enter(id, entry);
}

/// Writes the steps of one operation.
struct Writer<'w, 'a> {
    assembly: &'w mut Assembly<'a>,
    /// By owner.
    pools: &'w [PoolId],
    caller: Caller<'w>,
}

impl Writer<'_, '_> {
    fn pool(&self, owner: u16) -> PoolId {
        self.pools[usize::from(owner)]
    }

    fn landscape(&self, builder: &mut Builder) -> Landscape {
        let taken = |pool: &PoolId| Reach::Taken(builder.connection(*pool));
        Landscape {
            owners: self.pools.iter().map(taken).collect(),
        }
    }

    /// The parts one after the other; what follows a write stands inside of the `try` that cleans it up.
    fn parts(&mut self, builder: &mut Builder, plan: &Plan, parts: &[Part], last: Block) -> Block {
        let Some((part, rest)) = parts.split_first() else {
            return last;
        };
        match &part.kind {
            PartKind::Local { owner, items, .. } if plan.shape == Shape::Local || !part.has_effect() => {
                let connection = builder.connection(self.pool(*owner));
                let work = local::operation(
                    self.assembly,
                    builder,
                    self.caller.operation,
                    items,
                    connection,
                    Around::default(),
                );
                [work, self.parts(builder, plan, rest, last)].concat()
            }
            PartKind::Local {
                owner,
                prefetches,
                items,
            } => {
                let landscape = self.landscape(builder);
                let mut steps = reading::prefetches(self.assembly, builder, &landscape, self.caller, prefetches);
                let follow = |writer: &mut Self, builder: &mut Builder| writer.parts(builder, plan, rest, last);
                steps.extend(self.writes(builder, *owner, items, !rest.is_empty(), follow));
                steps
            }
            PartKind::Composed { item, checks } => {
                let landscape = self.landscape(builder);
                let mut steps = reading::composed(self.assembly, builder, &landscape, self.caller, item);
                steps.extend(reading::checks(self.assembly, builder, checks, Role::Work));
                [steps, self.parts(builder, plan, rest, last)].concat()
            }
            PartKind::External { item } => {
                let call = statement::lower(self.assembly, builder, item, None, Role::Work);
                let follow = self.parts(builder, plan, rest, last);
                let clean_up = match undo::derive(&self.assembly.scenario.schema, item) {
                    Ok(Undo::WrittenCall { name, external }) if !rest.is_empty() => {
                        let role = Role::Compensation;
                        vec![statement::lower_call(
                            self.assembly,
                            builder,
                            item.index,
                            &name,
                            &external,
                            role,
                        )]
                    }
                    _ => Vec::new(),
                };
                [call, guard(builder, follow, clean_up)].concat()
            }
            PartKind::Checks { items } => {
                let steps = reading::checks(self.assembly, builder, items, Role::Work);
                [steps, self.parts(builder, plan, rest, last)].concat()
            }
        }
    }

    /// Each statement commits by itself.
    fn writes(
        &mut self,
        builder: &mut Builder,
        owner: u16,
        items: &[Item],
        more: bool,
        follow: impl FnOnce(&mut Self, &mut Builder) -> Block,
    ) -> Block {
        let Some((item, rest)) = items.split_first() else {
            return follow(self, builder);
        };
        let connection = builder.connection(self.pool(owner));
        let needs_undo = item.writes() && (more || !rest.is_empty());
        let undo = if needs_undo {
            undo::derive(&self.assembly.scenario.schema, item).unwrap_or(Undo::Nothing)
        } else {
            Undo::Nothing
        };
        let memory = Memory::new(builder, &self.assembly.scenario.schema, item, undo);
        let mut steps = Block::new();
        if item.sql().is_some() {
            steps.push(builder.acquire(connection));
            steps.extend(memory.read(builder, connection));
            steps.extend(memory.write(self.assembly, builder, connection));
            steps.push(builder.release(connection));
        } else {
            steps.extend(statement::lower(self.assembly, builder, item, None, Role::Work));
        }
        let then = self.writes(builder, owner, rest, more, follow);
        let work = memory.clean_up(builder, connection);
        let clean_up = if work.is_empty() {
            Vec::new()
        } else {
            let acquire = builder.acquire(connection);
            let release = builder.release(connection);
            [vec![acquire], work, vec![release]].concat()
        };
        steps.extend(guard(builder, then, clean_up));
        steps
    }

    fn send(&mut self, builder: &mut Builder, message: &Message) -> program::StepId {
        let Caller { id, operation, .. } = self.caller;
        let pool = self.pool(message.owner);
        let later = Later {
            place: &self.assembly.scenario.schema.owners[usize::from(message.owner)],
            items: &message.items,
            also: &[],
        };
        later::send(self.assembly, builder, (id, operation), later, |callee| {
            callee.connection(pool)
        })
    }
}

/// `try follow, if that fails: try clean_up, whatever comes of it; fail`.
fn guard(builder: &mut Builder, follow: Block, clean_up: Block) -> Block {
    if clean_up.is_empty() || follow.is_empty() {
        return follow;
    }
    let error = builder.error("first error");
    let swallowed = builder.attempt(clean_up, Catches::ALL, None, Vec::new());
    let rethrow = builder.rethrow(error);
    vec![builder.attempt(follow, Catches::ALL, Some(error), vec![swallowed, rethrow])]
}
