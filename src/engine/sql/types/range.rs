//! `daterange` from text and from its parts.

use base::range::{DateRange, NoRange};

use super::timestamp;
use crate::error::{Fallible, error, state};

/// `[2020-01-01,2020-02-01)`, `(,2020-01-01]`, `empty`; bounds may be quoted.
pub(crate) fn parse(text: &str, now: i64) -> Fallible<DateRange> {
    let malformed = |detail: &str| {
        error(state::INVALID_TEXT, format!("malformed range literal: \"{text}\"")).detail(detail.to_owned())
    };
    let trimmed = text.trim_start_matches(is_space);
    if trimmed.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("empty")) {
        return if trimmed[5..].trim_matches(is_space).is_empty() {
            Ok(DateRange::Empty)
        } else {
            Err(malformed("Junk after \"empty\" key word."))
        };
    }
    let mut rest = trimmed.chars();
    let lower_inclusive = match rest.next() {
        Some('[') => true,
        Some('(') => false,
        _ => return Err(malformed("Missing left parenthesis or bracket.")),
    };
    let unfinished = || malformed("Unexpected end of input.");
    let (lower, end) = bound(&mut rest).ok_or_else(unfinished)?;
    if end != ',' {
        return Err(malformed("Missing comma after lower bound."));
    }
    let (upper, end) = bound(&mut rest).ok_or_else(unfinished)?;
    if end == ',' {
        return Err(malformed("Too many commas."));
    }
    if !rest.as_str().trim_matches(is_space).is_empty() {
        return Err(malformed("Junk after right parenthesis or bracket."));
    }
    let day = |bound: Option<String>| bound.map(|text| timestamp::parse_day(&text, now)).transpose();
    let (lower, upper) = (day(lower)?, day(upper)?);
    make(lower, lower_inclusive, upper, end == ']')
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// A bound's text (none: no bound), and what ends it; `None`: nothing does.
fn bound(rest: &mut std::str::Chars<'_>) -> Option<(Option<String>, char)> {
    let (mut text, mut given, mut quoted) = (String::new(), false, false);
    loop {
        let c = rest.next()?;
        match c {
            ',' | ')' | ']' if !quoted => return Some((given.then_some(text), c)),
            '\\' => text.push(rest.next()?),
            // Doubled within quotes, it is one.
            '"' if quoted && rest.as_str().starts_with('"') => {
                rest.next();
                text.push('"');
            }
            '"' => quoted = !quoted,
            c => text.push(c),
        }
        given = true;
    }
}

/// `daterange(lower, upper, flags)`.
pub(crate) fn from_flags(lower: Option<i32>, upper: Option<i32>, flags: &str) -> Fallible<DateRange> {
    let (lower_inclusive, upper_inclusive) = match flags {
        "[]" => (true, true),
        "[)" => (true, false),
        "(]" => (false, true),
        "()" => (false, false),
        _ => {
            return Err(error(state::SYNTAX_ERROR, "invalid range bound flags")
                .hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\"."));
        }
    };
    make(lower, lower_inclusive, upper, upper_inclusive)
}

fn make(lower: Option<i32>, lower_inclusive: bool, upper: Option<i32>, upper_inclusive: bool) -> Fallible<DateRange> {
    let bounds = (
        lower.map(|day| (day, lower_inclusive)),
        upper.map(|day| (day, upper_inclusive)),
    );
    DateRange::new(bounds.0, bounds.1).map_err(|refusal| match refusal {
        NoRange::Reversed => error(
            "22000",
            "range lower bound must be less than or equal to range upper bound",
        ),
        NoRange::TooLate => error(state::DATETIME_FIELD_OVERFLOW, "date out of range"),
    })
}
