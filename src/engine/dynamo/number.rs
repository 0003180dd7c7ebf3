//! Decimal numbers as DynamoDB keeps them: up to 38 significant digits, 1E-130 to 9.99…E+125, compared by value.
//!
//! A number is `coefficient × 10^exponent` without trailing zeros in the coefficient, so that equal values are
//! equal bits: equality and hashing can be derived.

use std::cmp::Ordering;
use std::fmt;

/// See the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    /// Below 10^38; zero is `0 × 10^0`, not negative.
    coefficient: u128,
    exponent: i16,
}

const DIGITS: u32 = 38;
/// Of the first digit: 9.99…E+125.
const MAX_MAGNITUDE: i32 = 125;
const MIN_MAGNITUDE: i32 = -130;

/// Why a text or a sum is no number that can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberError {
    NotANumber,
    TooManyDigits,
    Overflow,
    Underflow,
}

impl Number {
    pub const ZERO: Number = Number {
        negative: false,
        coefficient: 0,
        exponent: 0,
    };

    pub fn parse(text: &str) -> Result<Number, NumberError> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(NumberError::NotANumber);
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').collect();
        let Some(first) = digits.iter().position(|digit| *digit != 0) else {
            return Ok(Number::ZERO);
        };
        let last = digits.iter().rposition(|digit| *digit != 0).unwrap_or(first);
        if last - first >= DIGITS as usize {
            return Err(NumberError::TooManyDigits);
        }
        let coefficient = digits[first..=last]
            .iter()
            .fold(0, |sum, digit| sum * 10 + u128::from(*digit));
        let dropped = i64::try_from(digits.len() - 1 - last).unwrap_or(i64::MAX);
        let scale = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let exponent = exponent.saturating_add(dropped).saturating_sub(scale);
        Number::new(text.starts_with('-'), coefficient, exponent)
    }

    /// Trailing zeros go to the exponent; the range is checked.
    fn new(negative: bool, mut coefficient: u128, mut exponent: i64) -> Result<Number, NumberError> {
        if coefficient == 0 {
            return Ok(Number::ZERO);
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent = exponent.saturating_add(1);
        }
        let digits = coefficient.ilog10() + 1;
        if digits > DIGITS {
            return Err(NumberError::TooManyDigits);
        }
        let magnitude = exponent.saturating_add(i64::from(digits) - 1);
        if magnitude > i64::from(MAX_MAGNITUDE) {
            return Err(NumberError::Overflow);
        }
        if magnitude < i64::from(MIN_MAGNITUDE) {
            return Err(NumberError::Underflow);
        }
        // Within -130 - 37 and 125.
        let exponent = i16::try_from(exponent).map_err(|_| NumberError::Overflow)?;
        Ok(Number {
            negative,
            coefficient,
            exponent,
        })
    }

    pub fn checked_add(self, other: Number) -> Result<Number, NumberError> {
        if self == Number::ZERO {
            return Ok(other);
        }
        if other == Number::ZERO {
            return Ok(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.aligned(exponent)?, other.aligned(exponent)?);
        let (negative, sum) = match (self.negative == other.negative, a >= b) {
            (true, _) => (self.negative, a + b),
            (false, true) => (self.negative, a - b),
            (false, false) => (other.negative, b - a),
        };
        Number::new(negative, sum, i64::from(exponent))
    }

    pub fn checked_sub(self, other: Number) -> Result<Number, NumberError> {
        self.checked_add(other.negated())
    }

    fn negated(self) -> Number {
        Number {
            negative: !self.negative && self.coefficient != 0,
            ..self
        }
    }

    /// The coefficient at a smaller exponent. What does not fit 38 digits there is refused: its sum with a number
    /// that has a digit at that exponent has more digits than can be stored.
    fn aligned(self, exponent: i16) -> Result<u128, NumberError> {
        let shift = self.exponent.abs_diff(exponent);
        10_u128
            .checked_pow(u32::from(shift))
            .and_then(|factor| self.coefficient.checked_mul(factor))
            .filter(|coefficient| *coefficient <= 10_u128.pow(DIGITS))
            .ok_or(NumberError::TooManyDigits)
    }

    fn digits(self) -> u32 {
        self.coefficient.checked_ilog10().map_or(0, |log| log + 1)
    }

    /// The power of ten of the first digit.
    fn magnitude(self) -> i32 {
        i32::from(self.exponent) + self.digits().cast_signed() - 1
    }

    /// Bytes that it takes in an item: one per two digits (which stand in pairs at even powers of a hundred), one
    /// more, and one for a minus sign.
    pub fn size(self) -> u64 {
        if self.coefficient == 0 {
            return 1;
        }
        let first = self.magnitude().div_euclid(2);
        let last = i32::from(self.exponent).div_euclid(2);
        u64::from(first.abs_diff(last)) + 2 + u64::from(self.negative)
    }

    /// Bytes that sort as the numbers do.
    pub(crate) fn ordered_bytes(self, into: &mut Vec<u8>) {
        if self.coefficient == 0 {
            return into.push(1);
        }
        let magnitude = u16::try_from(self.magnitude() + 1_000).unwrap_or(0).to_be_bytes();
        // As many digits for each: the shorter is padded with zeros.
        let digits = (self.coefficient * 10_u128.pow(DIGITS - self.digits())).to_be_bytes();
        let flip = if self.negative { 0xff } else { 0 };
        into.push(if self.negative { 0 } else { 2 });
        into.extend(magnitude.iter().chain(&digits).map(|byte| byte ^ flip));
    }
}

fn parse_exponent(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }
    // Too long for a number of ours is far out of range, whichever way.
    let magnitude: i64 = digits.parse().unwrap_or(i64::MAX / 4);
    Ok(if text.starts_with('-') { -magnitude } else { magnitude }.clamp(-1_000_000, 1_000_000))
}

impl From<i64> for Number {
    fn from(n: i64) -> Number {
        Number::new(n < 0, u128::from(n.unsigned_abs()), 0).unwrap_or(Number::ZERO)
    }
}

impl TryFrom<Number> for i64 {
    type Error = NumberError;

    /// Fails for what is no whole number, or too large.
    fn try_from(number: Number) -> Result<i64, NumberError> {
        let exponent = u32::try_from(number.exponent).map_err(|_| NumberError::Underflow)?;
        let magnitude = 10_u128
            .checked_pow(exponent)
            .and_then(|factor| number.coefficient.checked_mul(factor))
            .and_then(|n| i128::try_from(n).ok())
            .ok_or(NumberError::Overflow)?;
        i64::try_from(if number.negative { -magnitude } else { magnitude }).map_err(|_| NumberError::Overflow)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        let (mut a, mut b) = (Vec::with_capacity(19), Vec::with_capacity(19));
        self.ordered_bytes(&mut a);
        other.ordered_bytes(&mut b);
        a.cmp(&b)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Plain decimal notation, as DynamoDB gives numbers back.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let digits = self.coefficient.to_string();
        match usize::try_from(self.exponent) {
            Ok(zeros) => write!(f, "{digits}{}", "0".repeat(zeros)),
            Err(_) => {
                let places = usize::from(self.exponent.unsigned_abs());
                match digits.len().checked_sub(places) {
                    Some(whole) if whole > 0 => write!(f, "{}.{}", &digits[..whole], &digits[whole..]),
                    _ => write!(f, "0.{digits:0>places$}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn texts_of_one_value_are_one_number() {
        for text in ["100", "+100", "1e2", "1E+2", "100.000", "0100", "0.1e3", "1000e-1"] {
            assert_eq!(number(text), number("100"), "{text}");
        }
        assert_eq!(number("-0.0"), Number::ZERO);
        for (text, printed) in [
            ("-00.0120", "-0.012"),
            ("1.5", "1.5"),
            ("1e-3", "0.001"),
            ("12.50e1", "125"),
            (".5", "0.5"),
        ] {
            assert_eq!(number(text).to_string(), printed);
        }
    }

    #[test]
    fn the_range_and_the_digits_are_dynamodbs() {
        assert!(Number::parse(&"9".repeat(38)).is_ok());
        assert_eq!(Number::parse(&"9".repeat(39)), Err(NumberError::TooManyDigits));
        assert!(Number::parse(&format!("1{}", "0".repeat(60))).is_ok());
        assert!(Number::parse("9.9e125").is_ok());
        assert_eq!(Number::parse("1e126"), Err(NumberError::Overflow));
        assert!(Number::parse("1e-130").is_ok());
        assert_eq!(Number::parse("9e-131"), Err(NumberError::Underflow));
        for text in [
            "",
            "-",
            "1e",
            "1.2.3",
            "0x1",
            "NaN",
            " 1",
            "1e9999999999999999999999x",
            "+-1",
        ] {
            assert_eq!(Number::parse(text), Err(NumberError::NotANumber), "{text:?}");
        }
        assert_eq!(Number::parse("1e99999999999999999999"), Err(NumberError::Overflow));
    }

    #[test]
    fn order_is_by_value() {
        let rising = [
            "-1e125", "-20", "-10.5", "-10", "-9", "-1", "-0.5", "-1e-130", "0", "1e-130", "0.5", "0.51", "1", "2",
            "9", "10", "10.5", "11", "100", "1e125",
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(number(a).cmp(&number(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn sums_are_exact_or_refused() {
        for (a, b, sum) in [
            ("0.1", "0.2", "0.3"),
            ("1", "-1", "0"),
            ("1e20", "1", "100000000000000000001"),
            ("5", "-7", "-2"),
            (
                "99999999999999999999999999999999999999",
                "1",
                "100000000000000000000000000000000000000",
            ),
        ] {
            assert_eq!(number(a).checked_add(number(b)).unwrap(), number(sum), "{a} + {b}");
        }
        assert_eq!(number("1e40").checked_add(number("1")), Err(NumberError::TooManyDigits));
        assert_eq!(number("9e125").checked_add(number("9e125")), Err(NumberError::Overflow));
    }

    #[test]
    fn whole_numbers_come_back() {
        for n in [0, 1, -1, 1_000, i64::MAX, i64::MIN] {
            assert_eq!(i64::try_from(Number::from(n)), Ok(n));
        }
        assert!(i64::try_from(number("1.5")).is_err());
        assert!(i64::try_from(number("1e19")).is_err());
    }
}
