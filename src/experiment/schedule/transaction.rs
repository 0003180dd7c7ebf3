//! A history's transactions, from what its steps gave.

use std::ops::Range;

use engine_sql::TransactionStatus;

use super::result::Results;
use super::search::Cast;
use super::stage::Reply;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Transaction {
    pub(super) session: usize,
    /// The session's name, with a number where it has several.
    pub(super) name: String,
    /// By their numbers among all steps.
    pub(super) steps: Range<usize>,
    pub(super) committed: bool,
    /// The SQLSTATE of its first error, if it was rolled back with one.
    pub(super) failed: Option<String>,
}

/// Session by session. A session's last transaction may be open: it is rolled back when the session goes away.
pub(super) fn transactions(cast: &Cast, results: &[u32], known: &Results) -> Vec<Transaction> {
    let mut found: Vec<Transaction> = Vec::new();
    for (session, part) in cast.parts.iter().enumerate() {
        let first = found.len();
        let from = cast.flat(session, 0);
        let mut start = from;
        for flat in from..from + part.steps.len() {
            let status = known.step_result(results[flat]).map(|result| result.status);
            if status != Some(TransactionStatus::Idle) && flat + 1 < from + part.steps.len() {
                continue;
            }
            let steps = start..flat + 1;
            let replies = |flat: usize| known.step_result(results[flat]).map_or(&[][..], |result| &result.gave);
            let failed = steps.clone().flat_map(replies).find_map(|reply| reply.as_ref().err());
            let committed = status == Some(TransactionStatus::Idle) && replies(flat).last().is_none_or(has_committed);
            found.push(Transaction {
                session,
                name: part.name.clone(),
                steps,
                committed,
                failed: failed.filter(|_| !committed).map(|error| error.sqlstate.to_owned()),
            });
            start = flat + 1;
        }
        if found.len() > first + 1 {
            for (number, transaction) in found[first..].iter_mut().enumerate() {
                transaction.name = format!("{}.{}", part.name, number + 1);
            }
        }
    }
    found
}

/// Of a step after which the session is in no transaction.
fn has_committed(last: &Reply) -> bool {
    last.as_ref().is_ok_and(|output| output.tag.verb != "ROLLBACK")
}
