//! The functions and operators that compute: what each does with arguments that are not NULL.

use std::sync::Arc;

use base::{Decimal, Float, Type, Value};
use syntax::Volatility;

use super::advisory::Advisory;
use super::bytes::{self, Sha};
use super::json::JsonFunction;
use super::machine::Environment;
use super::moment::Moment;
use super::range::RangeFunction;
use crate::catalog::UserFunction;
use crate::error::{Fallible, error, state};
use crate::types::bytea::Encoding;
use crate::types::input;

/// A resolved function or operator. The binder has given it arguments of its types.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Function {
    /// One that a user has made.
    User(Arc<UserFunction>),
    Arithmetic(Arithmetic, Type),
    /// Rounds to the digits of a `numeric(precision, scale)`.
    Fit {
        precision: u16,
        scale: u16,
    },
    /// To the characters of a `varchar(length)`.
    Shorten {
        length: u32,
        by_cast: bool,
    },
    Negate(Type),
    Abs(Type),
    /// To so many digits behind the point, if a second argument says it.
    Round(Rounding),
    /// `||` of two texts; NULL if one is.
    Append,
    /// `concat(…)`: NULLs are left out.
    Concat,
    /// `concat_ws(separator, …)`.
    ConcatWith,
    Length,
    OctetLength,
    Lower,
    Upper,
    Substring,
    Replace,
    Trim(TrimSide),
    Left,
    Right,
    Position,
    Repeat,
    Reverse,
    StartsWith,
    SplitPart,
    Like {
        case_insensitive: bool,
    },
    Json(JsonFunction),
    /// Start of the transaction.
    Now,
    ClockTimestamp,
    /// The transaction's start, without a zone.
    LocalTimestamp,
    /// Its day.
    CurrentDate,
    Moment(Moment),
    /// Of bytes; see [`crate::types::bytea::Encoding`].
    Encode,
    Decode,
    Sha(Sha),
    ConvertTo,
    ConvertFrom,
    Range(RangeFunction),
    Record,
    /// Whether all its parts are NULL, or none is.
    RecordIsNull {
        negated: bool,
    },
    Session(Session),
    Advisory(Advisory),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Arithmetic {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Modulo => "%",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rounding {
    /// A numeric half away from zero, a float half to even.
    Nearest,
    TowardsZero,
    Down,
    Up,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TrimSide {
    Both,
    Start,
    End,
}

/// Functions of the session's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Session {
    /// `current_setting(name [, missing_ok])`.
    CurrentSetting,
    /// `set_config(name, value, is_local)`.
    SetConfig,
    CurrentUser,
    LoginUser,
    CurrentDatabase,
    CurrentSchema,
    BackendPid,
    /// `pg_relation_size('table')`, in bytes.
    RelationSize,
    /// A table's name, or its number, with the name that it has for the session.
    Regclass,
    TransactionId,
    /// `nextval('sequence')`.
    NextValue,
    CurrentValue,
}

impl Function {
    pub(crate) fn is_strict(&self) -> bool {
        !matches!(
            self,
            Function::Concat
                | Function::ConcatWith
                | Function::Record
                | Function::RecordIsNull { .. }
                | Function::Json(JsonFunction::BuildArray | JsonFunction::BuildObject)
                | Function::Range(RangeFunction::Make)
                | Function::Session(Session::SetConfig)
        )
    }

    /// Depends on its arguments alone.
    pub(crate) fn is_immutable(&self) -> bool {
        let stable = matches!(
            self,
            Function::Now
                | Function::LocalTimestamp
                | Function::CurrentDate
                | Function::Session(_)
                | Function::Concat
                | Function::ConcatWith
                | Function::Json(JsonFunction::Of | JsonFunction::BuildArray | JsonFunction::BuildObject)
        );
        let user = matches!(self, Function::User(function) if function.volatility != Volatility::Immutable);
        !stable && !user && !self.is_volatile()
    }

    pub(crate) fn is_volatile(&self) -> bool {
        match self {
            Function::ClockTimestamp | Function::Advisory(_) => true,
            Function::User(function) => function.volatility == Volatility::Volatile,
            Function::Session(session) => matches!(
                session,
                Session::SetConfig | Session::NextValue | Session::CurrentValue | Session::TransactionId
            ),
            _ => false,
        }
    }

    pub(crate) fn call(&self, arguments: &[Value], environment: &mut impl Environment) -> Fallible<Value> {
        Ok(match (self, arguments) {
            (Function::Arithmetic(operation, data_type), [a, b]) => arithmetic(*operation, *data_type, a, b)?,
            (Function::Fit { precision, scale }, [a]) => Value::numeric(input::fit(decimal_of(a), *precision, *scale)?),
            (Function::Shorten { length, by_cast }, [a]) => {
                input::shortened(text(a), *length, *by_cast)?.map_or_else(|| a.clone(), Value::text)
            }
            (Function::Negate(Type::Float8), [Value::Float8(a)]) => Value::Float8(Float(-a.0)),
            (Function::Abs(Type::Float8), [Value::Float8(a)]) => Value::Float8(Float(a.0.abs())),
            (Function::Negate(Type::Interval), [Value::Interval(a)]) => {
                let negated = a.checked_neg();
                Value::Interval(negated.ok_or_else(|| error(state::DATETIME_FIELD_OVERFLOW, "interval out of range"))?)
            }
            (Function::Round(rounding), [a]) => round(*rounding, a, 0)?,
            (Function::Round(rounding), [a, digits]) => round(*rounding, a, integer_of(digits))?,
            (Function::Moment(moment), [left, right]) => moment.call(left, right)?,
            (Function::Negate(Type::Numeric), [a]) => Value::numeric(decimal_of(a).negated()),
            (Function::Abs(Type::Numeric), [a]) => {
                let number = decimal_of(a);
                Value::numeric(if number.coefficient() < 0 {
                    number.negated()
                } else {
                    number
                })
            }
            (Function::Negate(data_type), [a]) => input::whole(
                integer_of(a)
                    .checked_neg()
                    .ok_or_else(|| input::out_of_range(*data_type))?,
                *data_type,
            )?,
            (Function::Abs(data_type), [a]) => input::whole(
                integer_of(a)
                    .checked_abs()
                    .ok_or_else(|| input::out_of_range(*data_type))?,
                *data_type,
            )?,
            (Function::Now, _) => Value::Timestamptz(environment.transaction_time()),
            (Function::LocalTimestamp, _) => Value::Timestamp(environment.transaction_time()),
            (Function::CurrentDate, _) => input::cast(
                Value::Timestamp(environment.transaction_time()),
                Type::Date,
                environment.transaction_time(),
            )?,
            (Function::ClockTimestamp, _) => Value::Timestamptz(environment.clock_time()),
            (Function::Json(function), arguments) => function.call(arguments)?,
            (Function::Session(function), arguments) => environment.session_call(function.clone(), arguments)?,
            (Function::Record, arguments) => Value::Record(arguments.into()),
            (Function::RecordIsNull { negated }, [Value::Record(parts)]) => {
                Value::Bool(parts.iter().all(|part| part.is_null() != *negated))
            }
            (Function::RecordIsNull { negated }, _) => Value::Bool(!negated),
            (Function::Range(function), arguments) => function.call(arguments)?,
            (Function::Concat | Function::ConcatWith, arguments) => self.call_text(arguments)?,
            (function, [Value::Bytea(first), others @ ..]) => bytes::call(function, first, others)?,
            (Function::Decode, [a, encoding]) => Value::bytea(Encoding::named(text(encoding))?.decode(text(a))?),
            (Function::ConvertTo, [a, encoding]) => bytes::convert_to(text(a), text(encoding))?,
            (function, arguments) => function.call_text(arguments)?,
        })
    }

    /// The functions of text.
    fn call_text(&self, arguments: &[Value]) -> Fallible<Value> {
        Ok(match (self, arguments) {
            (Function::Append, [a, b]) => Value::text([text(a), text(b)].concat()),
            (Function::Concat, items) => Value::text(join("", items)),
            (Function::ConcatWith, [separator, items @ ..]) => match separator {
                Value::Null => Value::Null,
                separator => Value::text(join(text(separator), items)),
            },
            (Function::Length, [a]) => count(text(a).chars().count())?,
            (Function::OctetLength, [a]) => count(text(a).len())?,
            (Function::Lower, [a]) => Value::text(text(a).to_lowercase()),
            (Function::Upper, [a]) => Value::text(text(a).to_uppercase()),
            (Function::Reverse, [a]) => Value::text(text(a).chars().rev().collect::<String>()),
            (Function::Substring, [a, from]) => substring(text(a), integer_of(from), None)?,
            (Function::Substring, [a, from, length]) => substring(text(a), integer_of(from), Some(integer_of(length)))?,
            (Function::Replace, [a, from, to]) => match text(from) {
                "" => a.clone(),
                from => Value::text(text(a).replace(from, text(to))),
            },
            (Function::Trim(side), [a]) => trim(*side, text(a), " "),
            (Function::Trim(side), [a, characters]) => trim(*side, text(a), text(characters)),
            (Function::Left, [a, n]) => {
                let length = text(a).chars().count() as i64;
                let keep = if integer_of(n) < 0 {
                    length + integer_of(n)
                } else {
                    integer_of(n)
                };
                Value::text(text(a).chars().take(keep.max(0) as usize).collect::<String>())
            }
            (Function::Right, [a, n]) => {
                let length = text(a).chars().count() as i64;
                let skip = if integer_of(n) < 0 {
                    -integer_of(n)
                } else {
                    length - integer_of(n)
                };
                Value::text(text(a).chars().skip(skip.max(0) as usize).collect::<String>())
            }
            (Function::Position, [a, part]) => {
                let at = text(a).find(text(part));
                count(at.map_or(0, |at| text(a)[..at].chars().count() + 1))?
            }
            (Function::Repeat, [a, n]) => repeat(text(a), integer_of(n))?,
            (Function::StartsWith, [a, prefix]) => Value::Bool(text(a).starts_with(text(prefix))),
            (Function::SplitPart, [a, separator, n]) => split_part(text(a), text(separator), integer_of(n))?,
            (Function::Like { case_insensitive }, [a, pattern]) => {
                if *case_insensitive {
                    Value::Bool(like(&text(a).to_lowercase(), &text(pattern).to_lowercase())?)
                } else {
                    Value::Bool(like(text(a), text(pattern))?)
                }
            }
            (function, arguments) => {
                return Err(error("XX000", format!("{function:?} of {} arguments", arguments.len())));
            }
        })
    }
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(super) fn integer_of(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

pub(super) fn count(n: usize) -> Fallible<Value> {
    input::whole(n as i64, Type::Int4)
}

/// A number of any type.
pub(crate) fn decimal_of(value: &Value) -> Decimal {
    match value {
        Value::Numeric(number) => **number,
        other => Decimal::from(integer_of(other)),
    }
}

fn decimal_arithmetic(operation: Arithmetic, a: Decimal, b: Decimal) -> Fallible<Value> {
    let result = match operation {
        Arithmetic::Add => a.plus(b),
        Arithmetic::Subtract => a.plus(b.negated()),
        Arithmetic::Multiply => a.multiply(b),
        Arithmetic::Divide | Arithmetic::Modulo if b.coefficient() == 0 => {
            return Err(error(state::DIVISION_BY_ZERO, "division by zero"));
        }
        Arithmetic::Divide => a.divide(b),
        Arithmetic::Modulo => a.remainder(b),
    };
    result.map(Value::numeric).ok_or_else(input::too_long)
}

pub(crate) fn float_arithmetic(operation: Arithmetic, a: f64, b: f64) -> Fallible<Value> {
    let result = match operation {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide if b == 0.0 && !a.is_nan() => {
            return Err(error(state::DIVISION_BY_ZERO, "division by zero"));
        }
        Arithmetic::Divide => a / b,
        Arithmetic::Modulo => a % b,
    };
    let limit = |message: &str| {
        Err(error(
            state::NUMERIC_OUT_OF_RANGE,
            format!("value out of range: {message}"),
        ))
    };
    if result.is_infinite() && a.is_finite() && b.is_finite() {
        return limit("overflow");
    }
    let vanishes = match operation {
        Arithmetic::Multiply => a != 0.0 && b != 0.0,
        Arithmetic::Divide => a != 0.0 && b.is_finite(),
        _ => false,
    };
    if result == 0.0 && vanishes {
        return limit("underflow");
    }
    Ok(Value::Float8(Float(result)))
}

/// Of a number: to so many digits behind the point, before it if there are less than none.
fn round(rounding: Rounding, number: &Value, digits: i64) -> Fallible<Value> {
    if let Value::Float8(number) = number {
        return Ok(Value::Float8(Float(match rounding {
            Rounding::Nearest => number.0.round_ties_even(),
            Rounding::TowardsZero => number.0.trunc(),
            Rounding::Down => number.0.floor(),
            Rounding::Up => number.0.ceil(),
        })));
    }
    let number = decimal_of(number);
    let digits = digits.clamp(-40, 1000);
    let Ok(scale) = u16::try_from(digits) else {
        let by = Decimal::new(10_i128.checked_pow((-digits) as u32).unwrap_or(i128::MAX / 2), 0);
        let by = by.ok_or_else(input::too_long)?;
        let part = exact_quotient(rounding, number, by).ok_or_else(input::too_long)?;
        return Ok(Value::numeric(part.multiply(by).ok_or_else(input::too_long)?));
    };
    let rounded = match rounding {
        Rounding::Nearest => number.rounded(scale),
        _ if scale >= number.scale() => number.rounded(scale),
        _ => {
            let by = 10_i128.pow(u32::from(number.scale() - scale));
            Decimal::new(quotient(rounding, number.coefficient(), by), scale)
        }
    };
    rounded.map(Value::numeric).ok_or_else(input::too_long)
}

fn quotient(rounding: Rounding, number: i128, by: i128) -> i128 {
    match rounding {
        Rounding::Down => number.div_euclid(by),
        Rounding::Up => -(-number).div_euclid(by),
        Rounding::TowardsZero => number / by,
        Rounding::Nearest => {
            let rest = (number % by).abs();
            number / by + i128::from(rest >= by - rest) * number.signum()
        }
    }
}

/// A whole number of times `by`, which is a power of ten.
fn exact_quotient(rounding: Rounding, number: Decimal, by: Decimal) -> Option<Decimal> {
    let unit = by
        .coefficient()
        .checked_mul(10_i128.checked_pow(u32::from(number.scale()))?);
    let Some(unit) = unit else {
        // Less than a half of it.
        return Decimal::new(0, 0);
    };
    Decimal::new(quotient(rounding, number.coefficient(), unit), 0)
}

fn arithmetic(operation: Arithmetic, data_type: Type, left: &Value, right: &Value) -> Fallible<Value> {
    match (data_type, left, right) {
        (Type::Numeric, ..) => return decimal_arithmetic(operation, decimal_of(left), decimal_of(right)),
        (Type::Float8, Value::Float8(a), Value::Float8(b)) => return float_arithmetic(operation, a.0, b.0),
        _ => {}
    }
    let (a, b) = (integer_of(left), integer_of(right));
    let result = match operation {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Modulo if b == 0 => {
            return Err(error(state::DIVISION_BY_ZERO, "division by zero"));
        }
        Arithmetic::Divide => a.checked_div(b),
        // The one case that overflows in hardware is zero in SQL.
        Arithmetic::Modulo => Some(a.checked_rem(b).unwrap_or(0)),
    };
    input::whole(result.ok_or_else(|| input::out_of_range(data_type))?, data_type)
}

fn join(separator: &str, items: &[Value]) -> String {
    let mut joined = String::new();
    for (at, item) in items.iter().filter(|item| !item.is_null()).enumerate() {
        if at > 0 {
            joined.push_str(separator);
        }
        // The types' output form, unlike a cast: a boolean is t or f.
        match item.as_str() {
            Some(text) => joined.push_str(text),
            None => joined.push_str(&item.to_string()),
        }
    }
    joined
}

fn substring(source: &str, from: i64, length: Option<i64>) -> Fallible<Value> {
    if length.is_some_and(|length| length < 0) {
        return Err(error(state::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let end = length.map_or(i64::MAX, |length| from.saturating_add(length));
    let start = from.max(1);
    let taken = (end.saturating_sub(start)).max(0);
    let chars = source.chars().skip((start - 1) as usize);
    Ok(Value::text(
        chars
            .take(usize::try_from(taken).unwrap_or(usize::MAX))
            .collect::<String>(),
    ))
}

fn trim(side: TrimSide, source: &str, characters: &str) -> Value {
    let strips = |c: char| characters.contains(c);
    Value::text(match side {
        TrimSide::Both => source.trim_matches(strips),
        TrimSide::Start => source.trim_start_matches(strips),
        TrimSide::End => source.trim_end_matches(strips),
    })
}

/// A value larger than a gigabyte cannot be.
const LARGEST_TEXT: usize = 1 << 30;

fn repeat(source: &str, times: i64) -> Fallible<Value> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    match source.len().checked_mul(times) {
        Some(length) if length < LARGEST_TEXT => Ok(Value::text(source.repeat(times))),
        _ => Err(error("54000", "requested length too large")),
    }
}

fn split_part(source: &str, separator: &str, field: i64) -> Fallible<Value> {
    if field == 0 {
        return Err(error(state::INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let parts: Vec<&str> = if separator.is_empty() {
        vec![source]
    } else {
        source.split(separator).collect()
    };
    let at = if field > 0 {
        field - 1
    } else {
        parts.len() as i64 + field
    };
    Ok(Value::text(
        usize::try_from(at)
            .ok()
            .and_then(|at| parts.get(at))
            .copied()
            .unwrap_or_default(),
    ))
}

/// `LIKE`: `%` any run, `_` any one character, backslash escapes. Linear in text × number of `%`.
fn like(text: &str, pattern: &str) -> Fallible<bool> {
    let text: Vec<char> = text.chars().collect();
    let pattern = like_pattern(pattern)?;
    let (mut t, mut p) = (0, 0);
    // Where to go back to: the last `%` and how much it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(LikeItem::Run) => {
                star = Some((p, t));
                p += 1;
            }
            Some(LikeItem::One) => (t, p) = (t + 1, p + 1),
            Some(LikeItem::Char(c)) if *c == text[t] => (t, p) = (t + 1, p + 1),
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (t, p) = (*taken, *at + 1);
                }
                None => return Ok(false),
            },
        }
    }
    Ok(pattern[p..].iter().all(|item| *item == LikeItem::Run))
}

#[derive(PartialEq)]
enum LikeItem {
    Run,
    One,
    Char(char),
}

fn like_pattern(pattern: &str) -> Fallible<Vec<LikeItem>> {
    let mut items = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        items.push(match c {
            '%' => LikeItem::Run,
            '_' => LikeItem::One,
            '\\' => LikeItem::Char(
                chars
                    .next()
                    .ok_or_else(|| error("22025", "LIKE pattern must not end with escape character"))?,
            ),
            c => LikeItem::Char(c),
        });
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    #[test]
    fn like_matches_as_the_manual_says() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "_b_", true),
            ("abc", "c", false),
            ("abc", "%b%c", true),
            ("aXbXc", "a%b%d", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("", "%", true),
        ] {
            assert_eq!(super::like(text, pattern), Ok(expected), "{text} LIKE {pattern}");
        }
    }
}
