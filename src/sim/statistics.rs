//! Confidence intervals of a mean.

/// The 95 % interval of the mean of independent samples, by Student's t; `None` for fewer than two.
pub fn interval_95(samples: &[f64]) -> Option<(f64, f64)> {
    let n = samples.len();
    if n < 2 {
        return None;
    }
    let mean = samples.iter().sum::<f64>() / n as f64;
    let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1) as f64;
    let half = student_975(n - 1) * (variance / n as f64).sqrt();
    Some((mean - half, mean + half))
}

/// The 0.975 quantile of Student's t, by degrees of freedom (any table of it); between the listed ones the
/// next smaller, which is wider and so on the safe side.
fn student_975(degrees: usize) -> f64 {
    const TABLE: [(usize, f64); 21] = [
        (1, 12.706),
        (2, 4.303),
        (3, 3.182),
        (4, 2.776),
        (5, 2.571),
        (6, 2.447),
        (7, 2.365),
        (8, 2.306),
        (9, 2.262),
        (10, 2.228),
        (12, 2.179),
        (14, 2.145),
        (16, 2.120),
        (19, 2.093),
        (24, 2.064),
        (29, 2.045),
        (39, 2.023),
        (49, 2.010),
        (99, 1.984),
        (199, 1.972),
        (999, 1.962),
    ];
    let after = TABLE.partition_point(|(listed, _)| *listed <= degrees);
    TABLE[after.saturating_sub(1)].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_known_sample_is_the_textbook_one() {
        let (low, high) = interval_95(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        // mean 5, s = 2.138, t(7) = 2.365, half = 1.788
        assert!(
            (low - 3.212).abs() < 0.001 && (high - 6.788).abs() < 0.001,
            "{low} {high}"
        );
        assert_eq!(interval_95(&[1.0]), None);
    }
}
