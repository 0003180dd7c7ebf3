//! What a setting's text means, as PostgreSQL reads it.

/// `on`, `off`, `true`, `no`, `1` and what begins them unmistakably.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || text == "1" {
        return Some(true);
    }
    (begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0").then_some(false)
}

/// Why a text is no time; the hint to give, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoTime(pub(super) Option<&'static str>);

const UNITS: &str = "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";
const RANGE: &str = "Value exceeds integer range.";

/// `500`, `500ms`, `1.5s`, `2min` in milliseconds, rounded; milliseconds where no unit is given.
pub(super) fn milliseconds(text: &str) -> Result<i32, NoTime> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(digits.len());
    let (number, unit) = digits.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(NoTime(None));
    }
    let micros_per_unit: i128 = match unit.trim() {
        "us" => 1,
        "" | "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(NoTime(Some(UNITS))),
    };
    // More digits than these are far beyond any range, or of no weight.
    let whole: i128 = if whole.len() > 15 {
        return Err(NoTime(Some(RANGE)));
    } else {
        whole.parse().unwrap_or(0)
    };
    let fraction = &fraction[..fraction.len().min(9)];
    let parts: i128 = fraction.parse().unwrap_or(0);
    let nanos = whole * micros_per_unit * 1_000 + parts * micros_per_unit * 1_000 / 10_i128.pow(fraction.len() as u32);
    let (floor, rest) = (nanos / 1_000_000, nanos % 1_000_000);
    let up = rest > 500_000 || (rest == 500_000 && floor % 2 == 1);
    let rounded = (floor + i128::from(up)) * if negative { -1 } else { 1 };
    i32::try_from(rounded).map_err(|_| NoTime(Some(RANGE)))
}

/// In the largest unit that gives a whole number: `2min`, `1500ms`, `0`.
pub(super) fn show_milliseconds(milliseconds: i32) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    match units.iter().find(|(size, _)| milliseconds % size == 0) {
        _ if milliseconds == 0 => "0".to_owned(),
        Some((size, unit)) => format!("{}{unit}", milliseconds / size),
        None => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from PostgreSQL 15: SET lock_timeout, SHOW lock_timeout.
    #[test]
    fn times_are_read_and_shown_as_postgresql_does() {
        for (text, shown) in [
            ("1500", "1500ms"),
            ("2min", "2min"),
            ("1500us", "2ms"),
            ("1.5s", "1500ms"),
            ("0.5", "0"),
            ("1d", "1d"),
            ("90s", "90s"),
            ("90min", "90min"),
            ("7ms ", "7ms"),
        ] {
            assert_eq!(
                milliseconds(text).map(show_milliseconds),
                Ok(shown.to_owned()),
                "{text}"
            );
        }
        for (text, hint) in [
            ("3 parsec", Some(UNITS)),
            ("25d", Some(RANGE)),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(milliseconds(text), Err(NoTime(hint)), "{text}");
        }
        assert_eq!(milliseconds("-1"), Ok(-1));
    }
}
