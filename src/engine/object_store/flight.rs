//! Requests between their two instants: what got in the way of conditional ones.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A request that was taken in; [`Engine::finish`](crate::Engine::finish) carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flight(pub(crate) Option<u64>);

/// The conditional requests under way.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Flights {
    next: u64,
    open: BTreeMap<u64, Conditional>,
}

#[derive(Clone, Debug, Hash)]
struct Conditional {
    bucket: Arc<str>,
    key: Arc<str>,
    /// A PUT, not a DELETE.
    put: bool,
    overtaken: bool,
}

impl Flights {
    pub(crate) fn add(&mut self, bucket: &Arc<str>, key: &Arc<str>, put: bool) -> Flight {
        let number = self.next;
        self.next += 1;
        let conditional = Conditional {
            bucket: Arc::clone(bucket),
            key: Arc::clone(key),
            put,
            overtaken: false,
        };
        self.open.insert(number, conditional);
        Flight(Some(number))
    }

    /// It is under way no longer. Has another request got in between?
    pub(crate) fn end(&mut self, flight: Flight) -> bool {
        let ended = flight.0.and_then(|number| self.open.remove(&number));
        ended.is_some_and(|conditional| conditional.overtaken)
    }

    /// An object was deleted: that overtakes conditional PUTs and DELETEs of its key.
    pub(crate) fn deleted(&mut self, bucket: &str, key: &str) {
        self.overtake(bucket, key, |_| true);
    }

    /// An object was put: that overtakes conditional DELETEs. A conditional PUT sees it, and fails for that.
    pub(crate) fn put(&mut self, bucket: &str, key: &str) {
        self.overtake(bucket, key, |conditional| !conditional.put);
    }

    fn overtake(&mut self, bucket: &str, key: &str, concerns: impl Fn(&Conditional) -> bool) {
        for conditional in self.open.values_mut() {
            let same = *conditional.bucket == *bucket && *conditional.key == *key;
            conditional.overtaken |= same && concerns(conditional);
        }
    }
}
