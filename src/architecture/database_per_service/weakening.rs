//! What the owners' databases no longer enforce together.

use program::Weakening;
use scenario::{ForeignKey, Operation, Table};
use syntax::ReferentialAction;

use super::plan::{Plan, Shape};
use crate::lower::assembly::Assembly;
use crate::lower::definitions::{action_words, names};

/// Foreign keys from one owner's table to another's.
pub(crate) fn foreign_keys(assembly: &mut Assembly<'_>) {
    let schema = &assembly.scenario.schema;
    let all = schema
        .tables
        .iter()
        .flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
    for (table, key) in all {
        let target = schema.table(key.table);
        if target.owner == table.owner {
            continue;
        }
        let becomes = match action_words(key.on_delete) {
            Some(words) if !matches!(key.on_delete, ReferentialAction::Restrict) => {
                format!("a soft reference that nobody checks; ON DELETE {words} does not happen")
            }
            _ => "a soft reference that nobody checks".to_owned(),
        };
        assembly.weaken(
            constraint(table, key, target),
            &becomes,
            "the two tables lie in different databases",
        );
    }
}

fn constraint(table: &Table, key: &ForeignKey, target: &Table) -> String {
    format!(
        "{} ({}) REFERENCES {} ({})",
        table.full_name(),
        names(table, &key.columns),
        target.full_name(),
        names(target, &key.referenced)
    )
}

/// What an operation over several owners no longer is.
pub(crate) fn operation(operation: &Operation, plan: &Plan, protected: bool) -> Option<Weakening> {
    let (becomes, reason) = match (plan.shape, protected) {
        (Shape::Local, _) if plan.messages.is_empty() => return None,
        (Shape::Local | Shape::Direct, true) if !plan.messages.is_empty() => (
            "done at once in one service, a little later in the others",
            "the rest is delivered through an outbox and an event bus",
        ),
        (Shape::Local | Shape::Direct, false) if !plan.messages.is_empty() => (
            "the asynchronous part is lost if the application crashes before it is done",
            "it is sent in the background, from memory",
        ),
        (Shape::Local | Shape::Direct, _) => (
            "each service is read at its own time",
            "no snapshot spans several databases",
        ),
        (Shape::Saga { .. }, true) => (
            "all or nothing in the end; meanwhile others see a part of it",
            "a saga is a sequence of local transactions, each visible when it commits",
        ),
        (Shape::Saga { .. }, false) => (
            "a sequence of separate writes; a crash in between leaves a part of it for ever",
            "no transaction spans several databases, and nothing durable says what was begun",
        ),
    };
    Some(Weakening {
        constraint: format!("operation {}: one transaction", operation.name),
        becomes: becomes.to_owned(),
        reason: reason.to_owned(),
    })
}

/// What an operation over several owners is with two-phase commit: all or nothing, and yet not quite one transaction.
pub(crate) fn two_phase(operation: &Operation, touched: usize, writers: usize) -> Option<Weakening> {
    let (becomes, reason) = match (touched, writers) {
        (0 | 1, _) => return None,
        (_, 0 | 1) => (
            "each service is read at its own time",
            "no snapshot spans several databases",
        ),
        _ => (
            "all or nothing; one service's part may be seen a moment before another's, and locks are held while the coordinator is down",
            "two-phase commit makes the outcome one, not the moment at which it is seen",
        ),
    };
    Some(Weakening {
        constraint: format!("operation {}: one transaction", operation.name),
        becomes: becomes.to_owned(),
        reason: reason.to_owned(),
    })
}
