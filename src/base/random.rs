//! Seeded random streams: one per (seed, purpose, client), so that every design meets the same
//! arrivals and the same choices, and an added purpose does not disturb the others.

use std::hash::{Hash, Hasher};

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::fingerprint::Fingerprinter;
use crate::math;
use crate::time::Nanos;

/// A stream of random numbers, equal on every target. `Clone` forks it: both copies go on alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream(Xoshiro256PlusPlus);

/// Of the numbers to come: 256 bits of them stand for the generator's 256 bits of state.
impl Hash for Stream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut ahead = self.clone();
        for _ in 0..4 {
            ahead.next_u64().hash(state);
        }
    }
}

impl Stream {
    /// The stream for one purpose (`"arrivals"`, `"link"`) of one client or node.
    pub fn new(seed: u64, purpose: &str, client: u64) -> Stream {
        let mut hasher = Fingerprinter::new();
        (seed, purpose, client).hash(&mut hasher);
        Stream(Xoshiro256PlusPlus::seed_from_u64(hasher.finish64()))
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..bound`, without modulo bias (Lemire 2019, "Fast Random Integer Generation in
    /// an Interval"). A bound of zero gives zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// Uniform in `[0, 1)` with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// True in `numerator` of `denominator` cases.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// An exponentially distributed span with the given mean: gaps of a Poisson process.
    pub fn exponential(&mut self, mean: Nanos) -> Nanos {
        Nanos((-math::ln(1.0 - self.unit()) * mean.0 as f64 + 0.5) as u64)
    }

    /// An index drawn with the weights whose running sums are `cumulative` (the last is the total).
    /// An empty slice gives zero.
    pub fn weighted(&mut self, cumulative: &[u64]) -> usize {
        let total = cumulative.last().copied().unwrap_or(0);
        let drawn = self.below(total);
        cumulative
            .partition_point(|&sum| sum <= drawn)
            .min(cumulative.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_different_purposes_differ_and_equal_ones_agree() {
        let mut a = Stream::new(7, "arrivals", 0);
        let mut b = Stream::new(7, "arrivals", 0);
        let mut c = Stream::new(7, "links", 0);
        let mut d = Stream::new(7, "arrivals", 1);
        let first = a.next_u64();
        assert_eq!(first, b.next_u64());
        assert_ne!(first, c.next_u64());
        assert_ne!(first, d.next_u64());
    }

    #[test]
    fn exponential_gaps_have_their_mean() {
        let mut stream = Stream::new(1, "gaps", 0);
        let n = 200_000;
        let sum: u64 = (0..n).map(|_| stream.exponential(Nanos(10_000)).0).sum();
        let mean = sum as f64 / n as f64;
        assert!((mean - 10_000.0).abs() < 100.0, "mean {mean}");
    }

    #[test]
    fn weighted_draws_follow_their_weights() {
        let mut stream = Stream::new(1, "mix", 0);
        let mut counts = [0_u32; 3];
        for _ in 0..60_000 {
            counts[stream.weighted(&[1, 1, 6])] += 1;
        }
        assert_eq!(counts[1], 0, "a weight of zero is never drawn");
        assert!((9_400..10_600).contains(&counts[0]), "{counts:?}");
    }
}
