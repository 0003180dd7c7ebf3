//! The floating-point functions whose last bit differs between platforms, from one pure-Rust
//! library on every target. `clippy.toml` forbids std's.

pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

pub fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

pub fn log10(x: f64) -> f64 {
    libm::log10(x)
}

/// Running sums of integer weights of a Zipf distribution over `n` ranks with exponent
/// `exponent`: rank `k` (from 1) weighs `k^-exponent`, scaled so that rank 1 weighs 2^32.
/// Draw with [`crate::random::Stream::weighted`].
pub fn zipf_cumulative(n: usize, exponent: f64) -> Vec<u64> {
    let mut sum = 0_u64;
    (1..=n)
        .map(|rank| {
            sum += (pow(rank as f64, -exponent) * 4_294_967_296.0) as u64 + 1;
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn zipf_weights_fall_with_rank() {
        let sums = super::zipf_cumulative(4, 1.0);
        let weights: Vec<u64> = std::iter::once(sums[0])
            .chain(sums.windows(2).map(|w| w[1] - w[0]))
            .collect();
        assert!((weights[0] as f64 / weights[1] as f64 - 2.0).abs() < 1e-6);
        assert!((weights[0] as f64 / weights[3] as f64 - 4.0).abs() < 1e-6);
    }
}
