//! Stable 128-bit hashes: equal on every target, so that a trace or a forked deployment can be
//! compared by one number.
//!
//! Any type with a derived `Hash` can be fingerprinted: widths that differ between targets
//! (`usize`, lengths) are hashed as 64 bits, little-endian.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// 128 bits that stand for a state or a trace; prints as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub u64, pub u64);

impl Fingerprint {
    /// 64 bits of what a hasher says of these bytes, all at once.
    pub fn of_bytes(bytes: &[u8]) -> u64 {
        xxh3_64(bytes)
    }

    pub fn of(value: &impl Hash) -> Fingerprint {
        let mut hasher = Fingerprinter::new();
        value.hash(&mut hasher);
        hasher.fingerprint()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A streaming hasher (XXH3). Feed it with `Hash::hash`.
#[derive(Clone)]
pub struct Fingerprinter(Xxh3);

impl Fingerprinter {
    pub fn new() -> Fingerprinter {
        Fingerprinter(Xxh3::new())
    }

    pub fn fingerprint(&self) -> Fingerprint {
        let digest = self.0.digest128();
        Fingerprint((digest >> 64) as u64, digest as u64)
    }

    pub fn finish64(&self) -> u64 {
        self.0.digest()
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Fingerprinter::new()
    }
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprinter({})", self.fingerprint())
    }
}

impl Hasher for Fingerprinter {
    fn finish(&self) -> u64 {
        self.finish64()
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn write_u8(&mut self, i: u8) {
        self.0.update(&[i]);
    }
    fn write_u16(&mut self, i: u16) {
        self.0.update(&i.to_le_bytes());
    }
    fn write_u32(&mut self, i: u32) {
        self.0.update(&i.to_le_bytes());
    }
    fn write_u64(&mut self, i: u64) {
        self.0.update(&i.to_le_bytes());
    }
    fn write_u128(&mut self, i: u128) {
        self.0.update(&i.to_le_bytes());
    }
    fn write_usize(&mut self, i: usize) {
        self.write_u64(i as u64);
    }
    fn write_i8(&mut self, i: i8) {
        self.write_u8(i as u8);
    }
    fn write_i16(&mut self, i: i16) {
        self.write_u16(i as u16);
    }
    fn write_i32(&mut self, i: i32) {
        self.write_u32(i as u32);
    }
    fn write_i64(&mut self, i: i64) {
        self.write_u64(i as u64);
    }
    fn write_i128(&mut self, i: i128) {
        self.write_u128(i as u128);
    }
    fn write_isize(&mut self, i: isize) {
        self.write_u64(i as i64 as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_nested_value_is_the_recorded_one() {
        let value = (7_u64, "arrivals", vec![Some(1_usize), None], [1_i32, -1]);
        assert_eq!(Fingerprint::of(&value).to_string(), "dc03f521db499e840bf8b0e344fb3624");
    }

    #[test]
    fn bytes_at_once_are_bytes_one_after_the_other() {
        for length in [0, 1, 3, 8, 16, 17, 128, 129, 240, 241, 1_000] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let mut hasher = Fingerprinter::new();
            bytes.iter().for_each(|byte| hasher.write_u8(*byte));
            assert_eq!(hasher.finish(), Fingerprint::of_bytes(&bytes), "{length}");
        }
    }

    #[test]
    fn widths_that_differ_between_targets_are_hashed_as_64_bits() {
        let mut one = Fingerprinter::new();
        one.write_usize(5);
        let mut other = Fingerprinter::new();
        other.write_u64(5);
        assert_eq!(one.fingerprint(), other.fingerprint());
    }
}
