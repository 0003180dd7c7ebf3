//! Exact decimal numbers: SQL's `numeric`, up to 38 digits.
//!
//! A number keeps how many digits stand behind its point (`1.00` is not written `1`), and compares without them.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// All digits together; also the most that stand behind the point.
pub const MOST_DIGITS: u32 = 38;

/// `coefficient / 10^scale`. Ordered and hashed structurally; by value with [`Decimal::compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decimal {
    coefficient: i128,
    scale: u16,
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

impl Decimal {
    /// `None`: more than 38 digits.
    pub fn new(coefficient: i128, scale: u16) -> Option<Decimal> {
        let most = power(MOST_DIGITS)?.unsigned_abs();
        (coefficient.unsigned_abs() < most && u32::from(scale) <= MOST_DIGITS).then_some(Decimal { coefficient, scale })
    }

    pub fn coefficient(self) -> i128 {
        self.coefficient
    }

    /// Digits behind the point.
    pub fn scale(self) -> u16 {
        self.scale
    }

    /// `-12.50`, `.5`, `3.`, `1e-3`. The inner `None`: more than 38 digits; the outer: no number.
    pub fn parse(text: &str) -> Option<Option<Decimal>> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if digits().count() == 0 || !digits().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut coefficient = Some(0_i128);
        for byte in digits() {
            let digit = i128::from(byte - b'0');
            coefficient = coefficient.and_then(|sum| sum.checked_mul(10)?.checked_add(digit));
        }
        let scale = fraction.len() as i64 - i64::from(exponent);
        Some(coefficient.and_then(|magnitude| {
            let up = u32::try_from((-scale).max(0)).ok()?;
            let magnitude = magnitude.checked_mul(power(up)?)?;
            Decimal::new(
                if negative { -magnitude } else { magnitude },
                u16::try_from(scale.max(0)).ok()?,
            )
        }))
    }

    /// The same value with at least so many digits behind the point.
    fn widened(self, scale: u16) -> Option<i128> {
        self.coefficient
            .checked_mul(power(u32::from(scale.saturating_sub(self.scale)))?)
    }

    pub fn plus(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        Decimal::new(self.widened(scale)?.checked_add(other.widened(scale)?)?, scale)
    }

    pub fn negated(self) -> Decimal {
        Decimal {
            coefficient: -self.coefficient,
            ..self
        }
    }

    pub fn multiply(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.checked_add(other.scale)?;
        Decimal::new(self.coefficient.checked_mul(other.coefficient)?, scale)
    }

    /// As many digits as PostgreSQL gives a quotient (`select_div_scale`): at least 16 significant ones. The divisor
    /// is not zero.
    pub fn divide(self, other: Decimal) -> Option<Decimal> {
        let ((weight, first), (below, divisor)) = (self.leading(), other.leading());
        let weight = weight - below - i64::from(first <= divisor);
        let scale = (16 - 4 * weight).max(i64::from(self.scale.max(other.scale)));
        let scale = u16::try_from(scale).ok()?;
        let shift = i64::from(scale) + i64::from(other.scale) - i64::from(self.scale);
        let negative = (self.coefficient < 0) != (other.coefficient < 0);
        let (mut rest, mut by) = (self.coefficient.unsigned_abs(), other.coefficient.unsigned_abs());
        if shift < 0 {
            by = by.checked_mul(10_u128.checked_pow(u32::try_from(-shift).ok()?)?)?;
        }
        let mut quotient = rest.checked_div(by)?;
        rest %= by;
        for _ in 0..shift {
            rest = rest.checked_mul(10)?;
            quotient = quotient.checked_mul(10)?.checked_add(rest / by)?;
            rest %= by;
        }
        if rest >= by - rest {
            quotient = quotient.checked_add(1)?;
        }
        let quotient = i128::try_from(quotient).ok()?;
        Decimal::new(if negative { -quotient } else { quotient }, scale)
    }

    /// In groups of four digits from the point: the place of the first that is not zero, and that group.
    fn leading(self) -> (i64, u128) {
        let pad = (4 - self.scale % 4) % 4;
        let mut groups = i64::from((self.scale + pad) / 4);
        let magnitude = self.coefficient.unsigned_abs();
        // The last group has its zeros at the right.
        let (head, tail) = (
            magnitude / 10_u128.pow(u32::from(4 - pad)),
            magnitude % 10_u128.pow(u32::from(4 - pad)),
        );
        let mut first = (tail * 10_u128.pow(u32::from(pad)), -groups);
        let mut rest = head;
        if magnitude == 0 {
            return (0, 0);
        }
        while rest > 0 {
            groups -= 1;
            first = (rest % 10_000, -groups);
            rest /= 10_000;
        }
        (first.1, first.0)
    }

    /// The remainder of a division towards zero. The divisor is not zero.
    pub fn remainder(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        Decimal::new(self.widened(scale)?.checked_rem(other.widened(scale)?)?, scale)
    }

    /// With exactly so many digits behind the point, half away from zero.
    pub fn rounded(self, scale: u16) -> Option<Decimal> {
        if scale >= self.scale {
            return Decimal::new(self.widened(scale)?, scale);
        }
        let by = power(u32::from(self.scale - scale))?;
        let (quotient, rest) = (self.coefficient / by, (self.coefficient % by).abs());
        let up = i128::from(rest >= by - rest) * self.coefficient.signum();
        Decimal::new(quotient + up, scale)
    }

    /// The nearest integer.
    pub fn to_integer(self) -> Option<i128> {
        self.rounded(0).map(|rounded| rounded.coefficient)
    }

    /// By value: `1.0` and `1.00` are equal.
    pub fn compare(self, other: Decimal) -> Ordering {
        let parts = |number: Decimal| {
            let by = power(u32::from(number.scale)).unwrap_or(i128::MAX);
            let rest = number.coefficient % by;
            let scale = u32::from(MOST_DIGITS as u16 - number.scale);
            (number.coefficient / by, rest.saturating_mul(power(scale).unwrap_or(1)))
        };
        parts(self).cmp(&parts(other))
    }

    /// The significant digits without zeros at either end, and the power of ten of `0.digits`.
    pub fn significant(self) -> (String, i32) {
        let digits = self.coefficient.unsigned_abs().to_string();
        let exponent = digits.len() as i32 - i32::from(self.scale);
        (digits.trim_end_matches('0').to_owned(), exponent)
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Decimal {
        Decimal {
            coefficient: i128::from(number),
            scale: 0,
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let sign = if self.coefficient < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.coefficient.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let point = if scale > 0 { "." } else { "" };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).flatten().unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn texts_survive_a_round_trip() {
        for text in ["0", "1.00", "-0.05", "12345678901234567890.123", "-7"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("1e-3").to_string(), "0.001");
        assert_eq!(decimal("2.5e2").to_string(), "250");
        assert_eq!(Decimal::parse("1e99"), Some(None));
        assert_eq!(Decimal::parse("1x"), None);
    }

    /// As PostgreSQL 15 answers `SELECT a / b`.
    #[test]
    fn quotients_have_postgresql_s_digits() {
        for (a, b, quotient) in [
            ("1", "3", "0.33333333333333333333"),
            ("2", "3", "0.66666666666666666667"),
            ("1200", "2", "600.0000000000000000"),
            ("10", "4", "2.5000000000000000"),
            ("-1.00", "8", "-0.12500000000000000000"),
            ("123456", "7", "17636.571428571429"),
            ("0.001", "3", "0.00033333333333333333"),
            ("0", "5", "0.00000000000000000000"),
        ] {
            let found = decimal(a).divide(decimal(b)).map(|found| found.to_string());
            assert_eq!(found.as_deref(), Some(quotient), "{a} / {b}");
        }
    }

    #[test]
    fn values_compare_without_their_zeros() {
        assert_eq!(decimal("1.0").compare(decimal("1.00")), Ordering::Equal);
        assert_eq!(decimal("-1.5").compare(decimal("-1.49")), Ordering::Less);
        assert_eq!(
            decimal("99999999999999999999999999999999999999").compare(decimal("0.5")),
            Ordering::Greater
        );
        assert_eq!(decimal("2.5").rounded(0), Some(decimal("3")));
        assert_eq!(decimal("-2.45").rounded(1), Some(decimal("-2.5")));
    }
}
