//! Local transactions: on one connection, begun, ended, and run again when the engine asks for it.

use base::Nanos;
use program::{Block, Catches, ConnectionId, ErrorClass, StepId};
use syntax::IsolationLevel;

use super::builder::{Builder, Patience};

/// Serialization failures and deadlocks: the loser of a conflict soon finds the winner gone.
pub(crate) const AFTER_CONFLICT: Patience = Patience {
    attempts: 10,
    first: Nanos::from_millis(1),
    limit: Nanos::from_millis(100),
};

/// Failures after which the connection is still there and its transaction must be ended.
const ROLLED_BACK: [ErrorClass; 4] = [
    ErrorClass::Refused,
    ErrorClass::Transient,
    ErrorClass::Aborted,
    ErrorClass::Expectation,
];

/// `BEGIN; body; COMMIT`, with a ROLLBACK if the body fails, and all of it again after a conflict.
pub(crate) fn transaction(
    builder: &mut Builder,
    connection: ConnectionId,
    isolation: Option<IsolationLevel>,
    body: Block,
) -> StepId {
    let begin = builder.control(connection, begin(isolation));
    let commit = builder.control(connection, "COMMIT");
    let error = builder.error("transaction error");
    let rollback = builder.control(connection, "ROLLBACK");
    let rethrow = builder.rethrow(error);
    let whole = [vec![begin], body, vec![commit]].concat();
    let guarded = builder.attempt(whole, Catches::of(&ROLLED_BACK), Some(error), vec![rollback, rethrow]);
    again_after_conflict(builder, vec![guarded])
}

pub(crate) fn again_after_conflict(builder: &mut Builder, body: Block) -> StepId {
    builder.retry(body, &[ErrorClass::Transient], AFTER_CONFLICT)
}

pub(crate) fn begin(isolation: Option<IsolationLevel>) -> &'static str {
    match isolation {
        None => "BEGIN",
        Some(IsolationLevel::ReadCommitted) => "BEGIN ISOLATION LEVEL READ COMMITTED",
        Some(IsolationLevel::RepeatableRead) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        Some(IsolationLevel::Serializable) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
    }
}
