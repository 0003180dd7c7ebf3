//! SQL's `double precision`: ordered and hashed as PostgreSQL does, printed in the fewest digits that give it back.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Float(pub f64);

/// Every NaN equals every other and is greater than all numbers; the zeros are equal.
impl Ord for Float {
    fn cmp(&self, other: &Float) -> Ordering {
        match (self.0.is_nan(), other.0.is_nan()) {
            (false, false) => self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal),
            (left, right) => left.cmp(&right),
        }
    }
}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Float {}

impl Hash for Float {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sorted_bits().hash(state);
    }
}

impl Float {
    /// Bits whose unsigned order is the numbers'; one form for the zeros and for all NaNs.
    pub fn sorted_bits(self) -> u64 {
        let number = if self.0.is_nan() {
            f64::NAN
        } else if self.0 == 0.0 {
            0.0
        } else {
            self.0
        };
        let bits = number.to_bits();
        if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
    }

    /// A number as SQL writes it, `Infinity`, `-Infinity` or `NaN`, in any case.
    pub fn parse(text: &str) -> Option<Float> {
        let lower = text.to_ascii_lowercase();
        let number = match lower.as_str() {
            "nan" => f64::NAN,
            "infinity" | "inf" | "+infinity" | "+inf" => f64::INFINITY,
            "-infinity" | "-inf" => f64::NEG_INFINITY,
            digits => {
                let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e');
                if !digits.chars().all(plain) {
                    return None;
                }
                digits.parse().ok()?
            }
        };
        Some(Float(number))
    }
}

/// As PostgreSQL's `extra_float_digits = 1`: with an exponent below -4 and from 15 on.
impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        if number.is_nan() {
            return f.write_str("NaN");
        }
        if number.is_infinite() {
            return f.write_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
        }
        let scientific = format!("{number:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let power: i32 = exponent.parse().unwrap_or(0);
        if (-4..15).contains(&power) {
            write!(f, "{number}")
        } else {
            let sign = if power < 0 { '-' } else { '+' };
            write!(f, "{digits}e{sign}{:02}", power.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_as_postgresql_does() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(Float(number).to_string(), text);
            assert_eq!(Float::parse(text), Some(Float(number)));
        }
        assert_eq!(Float::parse("0x10"), None);
        assert_eq!(Float::parse("nano"), None);
    }

    #[test]
    fn bits_sort_as_numbers() {
        let numbers = [
            f64::NEG_INFINITY,
            -1e300,
            -1.0,
            -1e-300,
            0.0,
            1e-300,
            1.0,
            1e300,
            f64::INFINITY,
            f64::NAN,
        ];
        let bits: Vec<u64> = numbers.iter().map(|number| Float(*number).sorted_bits()).collect();
        assert!(bits.is_sorted());
        assert_eq!(Float(-0.0).sorted_bits(), Float(0.0).sorted_bits());
        assert!(Float(f64::NAN) > Float(f64::INFINITY) && Float(f64::NAN) == Float(-f64::NAN));
    }
}
