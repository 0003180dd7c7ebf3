//! The four strengths of a row lock and how they get along.

use super::lock::LockMode;

/// PostgreSQL's row-lock strengths, weakest first.
///
/// | | key share | share | no key update | update |
/// |---|---|---|---|---|
/// | **key share** | | | | ✗ |
/// | **share** | | | ✗ | ✗ |
/// | **no key update** | | ✗ | ✗ | ✗ |
/// | **update** | ✗ | ✗ | ✗ | ✗ |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowLock {
    /// `FOR KEY SHARE`: a foreign key's check.
    KeyShare,
    Share,
    /// An update that changes no key column, and `FOR NO KEY UPDATE`.
    NoKeyUpdate,
    /// A delete, an update of a key column, and `FOR UPDATE`.
    Update,
}

impl RowLock {
    /// The mode in which a session queues for a row that others hold (`LockTag::Tuple`), as
    /// PostgreSQL's `tupleLockExtraInfo` has it.
    pub fn queue_mode(self) -> LockMode {
        match self {
            RowLock::KeyShare => LockMode::AccessShare,
            RowLock::Share => LockMode::RowShare,
            RowLock::NoKeyUpdate => LockMode::Exclusive,
            RowLock::Update => LockMode::AccessExclusive,
        }
    }

    pub fn conflicts_with(self, other: RowLock) -> bool {
        use RowLock::*;
        match (self, other) {
            (KeyShare, Update) | (Update, KeyShare) => true,
            (KeyShare, _) | (_, KeyShare) => false,
            (Share, Share) => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RowLock::{self, *};

    /// PostgreSQL 15, table 13.3 "Conflicting Row-Level Locks".
    #[test]
    fn strengths_conflict_as_documented() {
        let table: [(RowLock, [bool; 4]); 4] = [
            (KeyShare, [false, false, false, true]),
            (Share, [false, false, true, true]),
            (NoKeyUpdate, [false, true, true, true]),
            (Update, [true, true, true, true]),
        ];
        for (requested, row) in table {
            for (held, expected) in [KeyShare, Share, NoKeyUpdate, Update].into_iter().zip(row) {
                assert_eq!(
                    requested.conflicts_with(held),
                    expected,
                    "{requested:?} against {held:?}"
                );
            }
        }
    }
}
