//! How many requests a prefix takes: token buckets, one for reads and one for writes.
//!
//! At least 3,500 PUT, COPY, POST and DELETE or 5,500 GET and HEAD requests a second for each *partitioned prefix* (Amazon
//! S3 User Guide, "Best practices design patterns: optimizing Amazon S3 performance"; a LIST is a GET on the bucket).
//! S3 divides a bucket as its load grows, within 30 to 60 minutes, and refuses what is too much meanwhile (AWS re:Post,
//! "How many requests per second does a prefix support?"). A run is shorter: the parts are as they were at its beginning.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Time;

const WRITES_A_SECOND: u64 = 3_500;
const READS_A_SECOND: u64 = 5_500;

const NANOS: u128 = 1_000_000_000;

/// Requests times nanoseconds: refilled by its rate for each nanosecond, up to a second's worth.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tokens {
    rate: u64,
    level: u128,
    at: Time,
}

impl Tokens {
    fn new(rate: u64) -> Tokens {
        Tokens {
            rate,
            level: u128::from(rate) * NANOS,
            at: Time::ZERO,
        }
    }

    fn take(&mut self, now: Time) -> bool {
        let gained = u128::from(now.since(self.at).0) * u128::from(self.rate);
        self.level = (self.level + gained).min(u128::from(self.rate) * NANOS);
        self.at = self.at.max(now);
        let left = self.level.checked_sub(NANOS);
        self.level = left.unwrap_or(self.level);
        left.is_some()
    }
}

/// The prefixes of one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prefixes {
    /// So many parts of a key, up to `/`, make its prefix; `None`: unlimited.
    depth: Option<u8>,
    each: BTreeMap<Arc<str>, (Tokens, Tokens)>,
}

impl Prefixes {
    pub(crate) fn new(depth: Option<u8>) -> Prefixes {
        Prefixes {
            depth,
            each: BTreeMap::new(),
        }
    }

    /// May one more request to this key, or to keys that begin so, come in now?
    pub(crate) fn admit(&mut self, key: &str, write: bool, now: Time) -> bool {
        let Some(depth) = self.depth else { return true };
        let prefix = beginning(key, depth);
        if !self.each.contains_key(prefix) {
            let tokens = (Tokens::new(READS_A_SECOND), Tokens::new(WRITES_A_SECOND));
            self.each.insert(prefix.into(), tokens);
        }
        let Some((reads, writes)) = self.each.get_mut(prefix) else {
            return true;
        };
        if write { writes.take(now) } else { reads.take(now) }
    }
}

/// `a/b/` of `a/b/c/d` at a depth of two.
fn beginning(key: &str, depth: u8) -> &str {
    let mut ends = key.match_indices('/').map(|(at, _)| at + 1);
    let Some(last) = usize::from(depth).checked_sub(1) else {
        return "";
    };
    let end = ends.clone().nth(last).or_else(|| ends.next_back());
    &key[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use base::Nanos;

    use super::*;

    #[test]
    fn a_prefix_is_so_many_parts_of_a_key() {
        assert_eq!(beginning("a/b/c/d", 0), "");
        assert_eq!(beginning("a/b/c/d", 1), "a/");
        assert_eq!(beginning("a/b/c/d", 2), "a/b/");
        assert_eq!(beginning("a/b", 5), "a/", "as many as there are");
        assert_eq!(beginning("a", 1), "");
    }

    #[test]
    fn each_prefix_takes_so_many_reads_and_writes_a_second() {
        let mut prefixes = Prefixes::new(Some(1));
        let mut admitted = |key: &str, write: bool, now: u64| {
            let now = Time::ZERO + Nanos::from_millis(now);
            (0..20_000).filter(|_| prefixes.admit(key, write, now)).count()
        };
        assert_eq!(admitted("a/1", true, 0), 3_500);
        assert_eq!(admitted("a/2", false, 0), 5_500, "reads have their own");
        assert_eq!(admitted("b/1", true, 0), 3_500, "so has another prefix");
        assert_eq!(admitted("a/3", true, 100), 350);
        assert_eq!(admitted("a/3", true, 60_000), 3_500, "what is not used is not saved");
        let mut unlimited = Prefixes::new(None);
        assert!((0..20_000).all(|_| unlimited.admit("a/1", true, Time::ZERO)));
    }
}
