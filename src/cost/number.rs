//! Quantities as people read them.

/// Bytes of a GB, as AWS bills it.
pub(crate) const GB: u64 = 1 << 30;

/// `1,234,567`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `3.42 GB`, to the hundredth, half up.
pub(crate) fn gigabytes(bytes: u64) -> String {
    let hundredths = (u128::from(bytes) * 100 + u128::from(GB) / 2) / u128::from(GB);
    format!("{}.{:02} GB", grouped((hundredths / 100) as u64), hundredths % 100)
}

/// `12.3 %` of a share in thousandths.
pub(crate) fn percent(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// `whole × numerator / denominator`, rounded up, saturating; a zero denominator gives zero.
pub(crate) fn share(whole: u64, numerator: u64, denominator: u64) -> u64 {
    if denominator == 0 {
        return 0;
    }
    let product = u128::from(whole) * u128::from(numerator);
    u64::try_from(product.div_ceil(u128::from(denominator))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_rounded_to_be_read() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(gigabytes(GB + GB / 4), "1.25 GB");
        assert_eq!(percent(123), "12.3 %");
        assert_eq!(share(10, 1, 3), 4);
        assert_eq!(share(u64::MAX, u64::MAX, 1), u64::MAX);
        assert_eq!(share(1, 1, 0), 0);
    }
}
