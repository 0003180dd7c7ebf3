//! What may happen later, sent in the background from memory and forgotten: lost if the process dies before it is done.

use program::{Block, ConnectionId, Op, OperationId, ProgramKind, Role, StepId};
use scenario::Operation;

use super::assembly::Assembly;
use super::builder::{Builder, Mark};
use super::item::{Item, distinct};
use super::local::{self, Around};

/// Statements that one database does by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Later<'a> {
    /// For people: `email`.
    pub(crate) place: &'a str,
    pub(crate) items: &'a [Item],
    /// Variables that say where, besides those that the statements use.
    pub(crate) also: &'a [String],
}

/// A program of its own, at the same service, and the step that starts it. `connect` makes its connection.
pub(crate) fn send(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    (id, operation): (OperationId, &Operation),
    later: Later<'_>,
    connect: impl FnOnce(&mut Builder) -> ConnectionId,
) -> StepId {
    let Later { place, items, also } = later;
    let name = format!("{} · {place} later", operation.name);
    let mut callee = Builder::new(name, builder.home(), ProgramKind::Called).operation(id, operation);
    let uses = distinct(items.iter().flat_map(Item::uses).chain(also.iter().cloned()));
    for name in &uses {
        let register = callee.variable(name);
        callee.parameter(register);
    }
    let connection = connect(&mut callee);
    let body: Block = local::operation(assembly, &mut callee, operation, items, connection, Around::default());
    let program = assembly.add(callee.finish(body));
    let arguments = uses.iter().map(|name| builder.operand(name)).collect();
    let mark = Mark::new(format!("send the rest to {place}"), Role::Work);
    let index = items.first().map_or(0, |item| item.index);
    builder.step(mark.from(index), Op::Send { program, arguments })
}
