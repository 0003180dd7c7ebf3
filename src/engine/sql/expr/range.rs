//! The functions and operators of `daterange`.

use base::Value;
use base::range::DateRange;
use syntax::BinaryOperator;

use super::function::text;
use crate::error::{Fallible, error};
use crate::types::range::from_flags;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RangeFunction {
    /// `daterange(lower, upper [, flags])`: NULL bounds are none.
    Make,
    Lower,
    Upper,
    IsEmpty,
    LowerInclusive,
    UpperInclusive,
    LowerInfinite,
    UpperInfinite,
    ContainsDay,
    Relate(BinaryOperator),
}

impl RangeFunction {
    pub(super) fn call(self, arguments: &[Value]) -> Fallible<Value> {
        Ok(match (self, arguments) {
            (RangeFunction::Make, [_, _, Value::Null]) => {
                return Err(error("22000", "range constructor flags argument must not be null"));
            }
            (RangeFunction::Make, [lower, upper, flags @ ..]) => {
                let flags = flags.first().map_or("[)", text);
                Value::Daterange(from_flags(day(lower), day(upper), flags)?)
            }
            (RangeFunction::ContainsDay, [Value::Daterange(range), Value::Date(day)]) => {
                Value::Bool(range.contains_day(*day))
            }
            (RangeFunction::Relate(operator), [Value::Daterange(left), Value::Daterange(right)]) => {
                Value::Bool(relate(operator, *left, *right))
            }
            (function, [Value::Daterange(range)]) => function.of(*range),
            (function, arguments) => {
                return Err(error("XX000", format!("{function:?} of {} arguments", arguments.len())));
            }
        })
    }

    fn of(self, range: DateRange) -> Value {
        let bound = |day: Option<i32>| day.map_or(Value::Null, Value::Date);
        match self {
            RangeFunction::Lower => bound(range.lower()),
            RangeFunction::Upper => bound(range.upper()),
            RangeFunction::LowerInclusive => Value::Bool(range.lower().is_some()),
            RangeFunction::LowerInfinite => Value::Bool(!range.is_empty() && range.lower().is_none()),
            RangeFunction::UpperInfinite => Value::Bool(!range.is_empty() && range.upper().is_none()),
            // The upper bound never belongs to a range of days.
            RangeFunction::UpperInclusive => Value::Bool(false),
            _ => Value::Bool(range.is_empty()),
        }
    }
}

fn day(value: &Value) -> Option<i32> {
    match value {
        Value::Date(day) => Some(*day),
        _ => None,
    }
}

fn relate(operator: BinaryOperator, left: DateRange, right: DateRange) -> bool {
    match operator {
        BinaryOperator::Contains => left.contains(right),
        BinaryOperator::ContainedBy => right.contains(left),
        BinaryOperator::Overlaps => left.overlaps(right),
        BinaryOperator::LeftOf => left.is_left_of(right),
        BinaryOperator::RightOf => right.is_left_of(left),
        _ => left.is_adjacent_to(right),
    }
}
