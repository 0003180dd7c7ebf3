//! Keys of a table of items as text: parts with `#` between them, as people write them.
//!
//! | a part | is written | so that |
//! |---|---|---|
//! | text | as it is; `#` as `"2`, `"` as `"1` | two keys are equal only if all their parts are; order is that of the bytes |
//! | a whole number | with ten digits, `0000000017`; more than ten have a letter in front, below zero `-` | numbers sort as numbers |
//! | an instant | `2026-11-21T09:30:00.000000Z` | instants sort by time |
//! | a date, an instant without a zone | `2026-11-21`, `2026-11-21T09:30:00.000000` | likewise |
//! | numeric | its sign (`0`, `1` or `2`), its power of ten and its digits, of a negative one complemented | numbers sort as numbers |
//! | double precision, interval | hexadecimal and decimal digits that sort as they do | |
//! | uuid | as it is | |
//! | bool | `false`, `true` | |

use std::fmt::Write;

use base::value::{POSTGRES_EPOCH_DAYS, civil_from_days};
use base::{Decimal, Value};

/// Between the parts of a key.
pub const KEY_SEPARATOR: char = '#';

/// What comes after every key that has another as its beginning: `a#b` is less than `a$`.
pub const AFTER_SEPARATOR: char = '$';

/// `users#0000000017`; `None` if a part is NULL or a list.
pub fn key_text<'a>(parts: impl IntoIterator<Item = &'a Value>) -> Option<String> {
    let mut key = KeyText::default();
    parts.into_iter().all(|part| key.push(part)).then_some(key.text)
}

/// A key, part after part.
#[derive(Clone, Debug, Default)]
pub struct KeyText {
    text: String,
    parts: u32,
}

impl KeyText {
    /// False if the part is NULL or a list: there is no such key.
    pub fn push(&mut self, part: &Value) -> bool {
        if self.parts > 0 {
            self.text.push(KEY_SEPARATOR);
        }
        self.parts += 1;
        match part {
            Value::Null | Value::List(_) | Value::Record(_) => return false,
            Value::Bool(b) => self.text.push_str(if *b { "true" } else { "false" }),
            Value::Int2(n) => push_number(&mut self.text, i64::from(*n)),
            Value::Int4(n) => push_number(&mut self.text, i64::from(*n)),
            Value::Int8(n) => push_number(&mut self.text, *n),
            Value::Timestamptz(micros) => self.text.push_str(&instant_text(*micros)),
            Value::Timestamp(micros) => self.text.push_str(instant_text(*micros).trim_end_matches('Z')),
            Value::Numeric(number) => push_decimal(&mut self.text, **number),
            Value::Float8(number) => {
                let _ = write!(self.text, "{:016x}", number.sorted_bits());
            }
            // Above zero, whatever it is.
            Value::Interval(interval) => {
                let _ = write!(self.text, "{:026}", interval.span_micros() + 10_i128.pow(25));
            }
            Value::Date(_) | Value::Uuid(_) | Value::Daterange(_) | Value::Tid(..) | Value::Regclass(..) => {
                push_text(&mut self.text, &part.to_string());
            }
            Value::Oid(number) => push_number(&mut self.text, i64::from(*number)),
            Value::Bytea(bytes) => self.text.push_str(&base::hex(bytes)),
            Value::Text(text) | Value::Jsonb(text) => push_text(&mut self.text, text),
        }
        true
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

/// `2026-11-21T09:30:00.000000Z`: as long for every instant of the years 0 to 9999, so that texts sort by time.
pub fn instant_text(micros: i64) -> String {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY) + POSTGRES_EPOCH_DAYS);
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{fraction:06}Z")
}

fn push_text(key: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['"', KEY_SEPARATOR]) {
        let (plain, special) = rest.split_at(at);
        key.push_str(plain);
        key.push_str(if special.starts_with('"') { "\"1" } else { "\"2" });
        rest = &special[1..];
    }
    key.push_str(rest);
}

fn push_number(key: &mut String, n: i64) {
    // Below zero, what is left to the smallest number: it grows with the number.
    let n = if n < 0 {
        key.push('-');
        n.wrapping_sub(i64::MIN)
    } else {
        n
    };
    match n.checked_ilog10().map_or(1, |log| log + 1) {
        0..=10 => {
            let _ = write!(key, "{n:010}");
        }
        more => {
            key.push(char::from(b'a' + (more - 11) as u8));
            let _ = write!(key, "{n}");
        }
    }
}

/// Equal numbers of any scale alike: sign, the power of ten of `0.digits`, digits.
fn push_decimal(key: &mut String, number: Decimal) {
    let (digits, exponent) = number.significant();
    let _ = match number.coefficient().signum() {
        0 => key.write_char('1'),
        1 => write!(key, "2{:03}{digits}", exponent + 500),
        _ => {
            let complement: String = digits.bytes().map(|digit| char::from(b'9' - (digit - b'0'))).collect();
            // What comes after is less: `-1.5` before `-1`.
            write!(key, "0{:03}{complement}~", 500 - exponent)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[Value]) -> String {
        key_text(parts).unwrap()
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let numbers = [
            i64::MIN,
            i64::MIN + 1,
            -10_000_000_000,
            -11,
            -10,
            -1,
            0,
            9,
            10,
            9_999_999_999,
            10_000_000_000,
            i64::MAX,
        ];
        let keys: Vec<String> = numbers.iter().map(|n| key(&[Value::Int8(*n)])).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(key(&[Value::Int4(17)]), key(&[Value::Int8(17)]));
        assert_eq!(key(&[Value::text("users"), Value::Int4(17)]), "users#0000000017");
    }

    #[test]
    fn decimals_and_floats_sort_as_numbers() {
        let decimals = [
            "-100", "-99.5", "-1.5", "-1", "-0.05", "0", "0.04", "0.05", "1", "1.05", "1.5", "10", "10.5", "200",
        ];
        let decimal = |text: &str| Value::numeric(Decimal::parse(text).flatten().unwrap());
        let keys: Vec<String> = decimals.iter().map(|text| key(&[decimal(text)])).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(key(&[decimal("1.50")]), key(&[decimal("1.5")]));
        let floats =
            [-1e300, -2.0, -0.5, 0.0, 0.5, 2.0, 1e300].map(|number| key(&[Value::Float8(base::Float(number))]));
        assert!(floats.is_sorted(), "{floats:?}");
    }

    #[test]
    fn texts_keep_their_order_and_do_not_run_together() {
        let texts = ["", " ", "!", "\"", "\"z", "#", "#z", "$", "a", "a#", "a$", "b"];
        let keys: Vec<String> = texts.iter().map(|text| key(&[Value::text(*text)])).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        let split = |a: &str, b: &str| key(&[Value::text(a), Value::text(b)]);
        assert_ne!(split("a#b", "c"), split("a", "b#c"));
        assert_eq!(key_text(&[Value::text("a"), Value::Null]), None);
    }

    #[test]
    fn every_key_with_a_beginning_lies_below_what_comes_after_it() {
        for rest in ["", " ", "\u{10FFFF}"] {
            let longer = key(&[Value::text("a"), Value::text(rest)]);
            assert!(*"a#" <= *longer && *longer < *"a$", "{longer}");
        }
    }

    #[test]
    fn instants_have_one_length() {
        assert_eq!(instant_text(0), "2000-01-01T00:00:00.000000Z");
        assert_eq!(instant_text(-1), "1999-12-31T23:59:59.999999Z");
    }
}
