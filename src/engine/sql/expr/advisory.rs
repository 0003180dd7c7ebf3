//! `pg_advisory_lock` and its kin: locks whose meaning is the application's, by a 64-bit key or two 32-bit ones.

use base::Value;

/// One of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Advisory {
    Lock {
        shared: bool,
        /// Does not wait: says whether it has the lock.
        tries: bool,
        /// For the rest of the transaction, not until it is given back.
        transaction: bool,
    },
    Unlock {
        shared: bool,
    },
    UnlockAll,
}

impl Advisory {
    pub(crate) fn named(name: &str) -> Option<Advisory> {
        let rest = name.strip_prefix("pg_")?;
        if rest == "advisory_unlock_all" {
            return Some(Advisory::UnlockAll);
        }
        let (rest, tries) = match rest.strip_prefix("try_") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let rest = rest.strip_prefix("advisory_")?;
        let (rest, shared) = match rest.strip_suffix("_shared") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        match rest {
            "lock" | "xact_lock" => Some(Advisory::Lock {
                shared,
                tries,
                transaction: rest == "xact_lock",
            }),
            "unlock" if !tries => Some(Advisory::Unlock { shared }),
            _ => None,
        }
    }

    /// Whether it returns a boolean; else nothing (`void`, which prints as an empty text).
    pub(crate) fn answers(self) -> bool {
        matches!(self, Advisory::Lock { tries: true, .. } | Advisory::Unlock { .. })
    }

    /// The parts of the lock's tag that the arguments give: class, object, kind.
    pub(crate) fn key(arguments: &[Value]) -> (u32, u32, u16) {
        let number = |at: usize| arguments.get(at).and_then(Value::as_i64).unwrap_or_default();
        match arguments {
            [_, _] => (number(0) as u32, number(1) as u32, 2),
            _ => ((number(0) as u64 >> 32) as u32, number(0) as u32, 1),
        }
    }
}
