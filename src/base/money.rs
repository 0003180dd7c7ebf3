//! Money in whole picodollars: a single DynamoDB read costs less than a microdollar, a month of servers
//! thousands of dollars, and both are exact.
//!
//! In files an amount is a decimal text (`"0.000000125"`), which loses nothing on its way.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in picodollars (10⁻¹² USD); negative amounts are differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i128);

const PER_DOLLAR: i128 = 1_000_000_000_000;

impl Money {
    pub const ZERO: Money = Money(0);

    pub const fn from_dollars(dollars: i64) -> Money {
        Money(dollars as i128 * PER_DOLLAR)
    }

    /// This price for `quantity` of what costs it, saturating.
    pub fn times(self, quantity: u64) -> Money {
        Money(self.0.saturating_mul(i128::from(quantity)))
    }

    /// This price for `numerator / denominator` of what costs it, to the nearest picodollar, saturating.
    /// A zero denominator gives zero.
    pub fn times_ratio(self, numerator: u128, denominator: u128) -> Money {
        let (Ok(numerator), Ok(denominator)) = (i128::try_from(numerator), i128::try_from(denominator)) else {
            return Money(i128::MAX);
        };
        if denominator == 0 {
            return Money::ZERO;
        }
        let product = self.0.saturating_mul(numerator);
        Money(product.saturating_add(denominator / 2).div_euclid(denominator))
    }

    /// For reports.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / PER_DOLLAR as f64
    }

    /// All digits, without a sign of currency: `0.072`.
    pub fn exact(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        let (whole, rest) = (amount / PER_DOLLAR as u128, amount % PER_DOLLAR as u128);
        let decimals = format!("{rest:012}");
        let decimals = decimals.trim_end_matches('0');
        if decimals.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{decimals}")
        }
    }
}

/// To the cent, half up, with a sign of currency: `$54.86`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PER_CENT: u128 = PER_DOLLAR as u128 / 100;
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs().saturating_add(PER_CENT / 2) / PER_CENT;
        let whole = (cents / 100).to_string();
        let mut grouped = String::new();
        for (position, digit) in whole.chars().enumerate() {
            if position > 0 && (whole.len() - position).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        write!(f, "{sign}${grouped}.{:02}", cents % 100)
    }
}

/// What is not an amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotMoney(pub String);

impl fmt::Display for NotMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "“{}” is no amount of dollars: write it like 0.072, with at most twelve decimals",
            self.0
        )
    }
}

impl std::error::Error for NotMoney {}

impl FromStr for Money {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Money, NotMoney> {
        let refused = || NotMoney(text.to_owned());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let sound = !whole.is_empty() && whole.len() <= 15 && decimals.len() <= 12 && digits(whole) && digits(decimals);
        if !sound || (decimals.is_empty() && text.contains('.')) {
            return Err(refused());
        }
        let whole: i128 = whole.parse().map_err(|_| refused())?;
        let fraction: i128 = format!("{decimals:0<12}").parse().map_err(|_| refused())?;
        Ok(Money(whole * PER_DOLLAR + fraction))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn amounts_are_exact_decimals() {
        assert_eq!(money("0.072"), Money(72_000_000_000));
        assert_eq!(money("0.000000000001"), Money(1));
        for text in ["0", "62", "0.072", "105.85", "0.000000125"] {
            assert_eq!(money(text).exact(), text);
        }
        for text in [
            "",
            ".5",
            "5.",
            "-1",
            "1e3",
            "0.0000000000001",
            "1,000",
            "9999999999999999",
        ] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn shares_round_half_up_and_sums_do_not_overflow() {
        assert_eq!(Money(10).times_ratio(1, 4), Money(3));
        assert_eq!(Money(10).times_ratio(1, 5), Money(2));
        assert_eq!(Money(10).times_ratio(1, 0), Money::ZERO);
        assert_eq!(Money(i128::MAX) + Money(1), Money(i128::MAX));
        assert_eq!(
            money("1000000").times(u64::MAX).times_ratio(u128::MAX, 1),
            Money(i128::MAX)
        );
    }

    #[test]
    fn people_read_cents() {
        assert_eq!(money("52.56").to_string(), "$52.56");
        assert_eq!(money("0.005").to_string(), "$0.01");
        assert_eq!(money("1234567.8").to_string(), "$1,234,567.80");
        assert_eq!((money("1") - money("2.5")).to_string(), "-$1.50");
    }
}
