//! Buckets of an object store in a run.
//!
//! ```text
//! step ─request.rs→ requests ─travel.rs→ the store's node: taken in, its time by the profile, carried out ─→ objects, rows
//!                       convert.rs: values ⇄ JSON          bucket.rs: initial objects, read-back
//! ```
//!
//! An object store is a managed service: a node without processors of ours, which takes its time and has no line to wait
//! in. What a prefix cannot take it refuses.

pub(crate) mod bucket;
mod convert;
mod request;
mod travel;

use std::hash::{Hash, Hasher};

use base::Fingerprint;
use base::random::Stream;
use engine_object_store::{Engine, Limits, Usage};

pub(crate) use request::ObjectCall;
pub(crate) use travel::{ObjectAnswer, ObjectMessage};

/// What was asked of an object store.
pub type ObjectUse = Usage;

/// An object store at its node.
#[derive(Clone, Debug)]
pub(crate) struct ObjectService {
    pub(crate) engine: Engine,
    /// For the jitter of its answers.
    jitter: Stream,
    pub(crate) used: ObjectUse,
}

impl ObjectService {
    pub(crate) fn new(prefix_depth: Option<u8>, seed: u64, node: u64) -> ObjectService {
        let limits = Limits {
            prefix_depth,
            ..Limits::default()
        };
        ObjectService {
            engine: Engine::new(limits),
            jitter: Stream::new(seed, "object store", node),
            used: ObjectUse::default(),
        }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&(self.engine.fingerprint(), &self.jitter, self.used))
    }
}

impl Hash for ObjectService {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint().hash(state);
    }
}
