//! A whole operation as one local transaction on one connection.

use program::{Block, ConnectionId, RegisterId, Role};
use scenario::Operation;

use super::assembly::Assembly;
use super::builder::Builder;
use super::item::Item;
use super::statement;
use super::transaction;
use crate::sql::facts;

/// What a design does on the same connection around an operation's own statements.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// Before the transaction begins.
    pub(crate) before: Block,
    /// First in the transaction.
    pub(crate) first: Block,
    /// Last in the transaction.
    pub(crate) last: Block,
}

impl Around {
    pub(crate) fn last(last: Block) -> Around {
        Around {
            last,
            ..Around::default()
        }
    }
}

/// Takes a connection, does it, gives the connection back. A single statement that decides nothing, and that nothing
/// joins in its transaction, runs without BEGIN and COMMIT: one round trip.
pub(crate) fn operation(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    operation: &Operation,
    items: &[Item],
    connection: ConnectionId,
    around: Around,
) -> Block {
    let Around { before, first, last } = around;
    let alone = first.is_empty() && last.is_empty() && operation.isolation.is_none() && is_one_statement(items);
    let mut body = Block::new();
    for item in items {
        body.extend(statement::lower(assembly, builder, item, Some(connection), Role::Work));
    }
    body.extend(last);
    let sends_sql = items.iter().any(|item| item.sql().is_some()) || !builder.is_silent(&body);
    if !sends_sql {
        return body;
    }
    let body = [first, body].concat();
    let writes = items.iter().any(Item::writes);
    let work = match (alone, writes) {
        (true, false) => body,
        (true, true) => vec![transaction::again_after_conflict(builder, body)],
        (false, _) => vec![transaction::transaction(builder, connection, operation.isolation, body)],
    };
    let acquire = builder.acquire(connection);
    let release = builder.release(connection);
    [vec![acquire], before, work, vec![release]].concat()
}

/// One statement, and nothing whose failure would have to undo it.
fn is_one_statement(items: &[Item]) -> bool {
    let mut sql = items.iter().filter(|item| item.sql().is_some());
    let (Some(only), None) = (sql.next(), sql.next()) else {
        return false;
    };
    let undoes = only.writes() && items.iter().any(|item| item.decides() || item.is_external());
    only.per_row.is_none() && !undoes && !items.iter().any(Item::is_external)
}

/// The row sets that the client gets.
pub(crate) fn answers(builder: &mut Builder, items: &[Item]) -> Vec<RegisterId> {
    let answering = items.iter().filter(|item| item.sql().is_some_and(facts::answers_rows));
    let names: Vec<String> = answering.map(|item| statement::answer_name(item.index)).collect();
    names.iter().map(|name| builder.rows(name)).collect()
}
