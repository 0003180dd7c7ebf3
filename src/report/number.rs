//! Numbers as people read them. Modelled quantities have two significant figures; counted ones all.

use base::Nanos;

/// A modelled time: `7.8 ms`, `31 ms`, `120 µs`.
pub fn modelled(span: Nanos) -> String {
    let (value, unit) = split(span);
    format!("{value} {unit}")
}

/// Number and unit apart, for large figures with a small unit.
pub fn split(span: Nanos) -> (String, &'static str) {
    let nanos = span.0 as f64;
    let (value, unit) = match nanos {
        n if n < 995.0 => (n, "ns"),
        n if n < 995e3 => (n / 1e3, "µs"),
        n if n < 995e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    (two_figures(value), unit)
}

/// `7.8`, `31`, `120`, `0.42`, `0`
pub fn two_figures(value: f64) -> String {
    if value < 0.0 {
        return format!("−{}", two_figures(-value));
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    if value < 0.095 {
        return format!("{value:.3}");
    }
    if value < 0.995 {
        return format!("{value:.2}");
    }
    if value < 9.95 {
        return format!("{value:.1}");
    }
    if value < 99.5 {
        return format!("{value:.0}");
    }
    let mut unit = 10.0;
    while value / unit >= 99.5 {
        unit *= 10.0;
    }
    count(((value / unit).round() * unit) as u64)
}

/// A counted number with its thousands apart: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2 rows`
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modelled_times_have_two_figures() {
        for (nanos, text) in [
            (0, "0 ns"),
            (412, "410 ns"),
            (7_840_000, "7.8 ms"),
            (31_400_000, "31 ms"),
            (118_000_000, "120 ms"),
            (999_000_000, "1.0 s"),
            (99_600, "100 µs"),
        ] {
            assert_eq!(modelled(Nanos(nanos)), text);
        }
    }

    #[test]
    fn small_and_negative_figures_keep_their_sense() {
        for (value, text) in [(0.42, "0.42"), (0.042, "0.042"), (-24.4, "−24"), (12_340.0, "12,000")] {
            assert_eq!(two_figures(value), text);
        }
    }

    #[test]
    fn counted_numbers_keep_every_digit() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(plural(1, "row", "rows"), "1 row");
    }
}
