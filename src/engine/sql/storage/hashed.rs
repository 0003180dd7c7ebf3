//! A value that remembers its fingerprint until it is written to: hashing a large state again costs
//! only what has changed since.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::OnceLock;

use base::Fingerprint;

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Hashed<T> {
    value: T,
    fingerprint: OnceLock<Fingerprint>,
}

impl<T> Hashed<T> {
    pub(crate) fn new(value: T) -> Hashed<T> {
        Hashed {
            value,
            fingerprint: OnceLock::new(),
        }
    }

    /// To write to; the fingerprint is forgotten.
    #[inline]
    pub(crate) fn write(&mut self) -> &mut T {
        self.fingerprint.take();
        &mut self.value
    }
}

impl<T> Deref for Hashed<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Hash> Hash for Hashed<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint
            .get_or_init(|| Fingerprint::of(&self.value))
            .hash(state);
    }
}
