//! Hash maps for look-ups that are never iterated: a fixed hasher, so that nothing random enters a
//! run. Where order shows, use `BTreeMap`.

#[allow(
    clippy::disallowed_types,
    reason = "with a fixed hasher, and by contract never iterated"
)]
pub type HashMap<K, V> = std::collections::HashMap<K, V, rustc_hash::FxBuildHasher>;

#[allow(
    clippy::disallowed_types,
    reason = "with a fixed hasher, and by contract never iterated"
)]
pub type HashSet<K> = std::collections::HashSet<K, rustc_hash::FxBuildHasher>;
