//! What a part of an operation reads over several owners, and what it decides on that, as steps.

use program::Block;

use crate::composition::Landscape;
use crate::composition::foreign::Prefetch;
use crate::composition::lower::{Caller, compose, prefetch_into, target};
use crate::lower::assembly::Assembly;
use crate::lower::builder::Builder;
use crate::lower::item::Item;
use crate::lower::statement;

/// A query over several owners.
pub(crate) fn composed(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    landscape: &Landscape,
    caller: Caller<'_>,
    item: &Item,
) -> Block {
    let Some(syntax::Statement::Query(query)) = item.sql() else {
        return Block::new();
    };
    let caller = Caller {
        index: item.index,
        ..caller
    };
    let into = target(builder, item.index, query);
    compose(assembly, builder, landscape, caller, query, into)
}

/// What a statement reads of other owners before it can run.
pub(crate) fn prefetches(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    landscape: &Landscape,
    caller: Caller<'_>,
    prefetches: &[(u16, Prefetch)],
) -> Block {
    let each = prefetches.iter().map(|(index, prefetch)| {
        let caller = Caller {
            index: *index,
            ..caller
        };
        prefetch_into(assembly, builder, landscape, caller, prefetch)
    });
    each.collect::<Vec<_>>().concat()
}

/// Decisions over registers, and calls to the outside.
pub(crate) fn checks(assembly: &mut Assembly<'_>, builder: &mut Builder, items: &[Item], role: program::Role) -> Block {
    let each = items
        .iter()
        .map(|item| statement::lower(assembly, builder, item, None, role));
    each.collect::<Vec<_>>().concat()
}
