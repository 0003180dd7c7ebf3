//! Making an expression be of a type: literals are read, parameters get their type, casts are added.

use base::{Type, Value};
use syntax::Span;

use super::Binder;
use crate::catalog::{Column, Modifier};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, BoundKind, Function};
use crate::types::{CastContext, SqlType, can_cast, input, timestamp};

impl Binder<'_> {
    /// The expression as a `to`, or `None` if the context does not allow the cast.
    pub(crate) fn try_coerce(&mut self, expression: Bound, to: Type, context: CastContext) -> Fallible<Option<Bound>> {
        if expression.data_type == SqlType::Is(to) {
            return Ok(Some(expression));
        }
        if !can_cast(expression.data_type, to, context) {
            return Ok(None);
        }
        let span = expression.span;
        if expression.data_type == SqlType::Unknown {
            return self.coerce_unknown(expression, to).map(Some);
        }
        // Integers of both widths compare and store alike once cast; a constant is cast here.
        if let BoundKind::Const(value) = &expression.kind {
            let value = input::cast(value.clone(), to, 0)?;
            return Ok(Some(Bound::new(BoundKind::Const(value), SqlType::Is(to), span)));
        }
        Ok(Some(Bound::new(
            BoundKind::Cast(Box::new(expression), to),
            SqlType::Is(to),
            span,
        )))
    }

    fn coerce_unknown(&mut self, mut expression: Bound, to: Type) -> Fallible<Bound> {
        let span = expression.span;
        if to == Type::Regclass {
            return self.regclass(expression, span);
        }
        match &expression.kind {
            BoundKind::Const(Value::Text(text)) if depends_on_now(text, to) => {
                let literal = Bound::new(expression.kind.clone(), SqlType::TEXT, span);
                return Ok(Bound::new(
                    BoundKind::Cast(Box::new(literal), to),
                    SqlType::Is(to),
                    span,
                ));
            }
            BoundKind::Const(Value::Text(text)) => {
                let value = input::parse(text, to, 0).map_err(|refusal| refusal.at(span))?;
                expression.kind = BoundKind::Const(value);
            }
            BoundKind::Param(number) => self.params[*number as usize] = SqlType::Is(to),
            BoundKind::Const(_) => {}
            // The column of a subquery whose literal nobody has typed is text.
            _ => {
                let inner = Box::new(Bound {
                    data_type: SqlType::TEXT,
                    ..expression
                });
                return Ok(Bound::new(BoundKind::Cast(inner, to), SqlType::Is(to), span));
            }
        }
        expression.data_type = SqlType::Is(to);
        Ok(expression)
    }

    pub(crate) fn coerce_list(&mut self, mut expression: Bound, element: Type) -> Fallible<Bound> {
        let span = expression.span;
        let known = match expression.data_type {
            SqlType::ListOf(known) => known,
            SqlType::Unknown => {
                match &expression.kind {
                    BoundKind::Param(number) => self.params[*number as usize] = SqlType::ListOf(element),
                    BoundKind::Const(Value::Text(text)) => {
                        expression.kind =
                            BoundKind::Const(parse_array(text, element).map_err(|refusal| refusal.at(span))?);
                    }
                    _ => {}
                }
                expression.data_type = SqlType::ListOf(element);
                return Ok(expression);
            }
            SqlType::Is(_) => {
                return Err(error(
                    state::WRONG_OBJECT_TYPE,
                    "op ANY/ALL (array) requires array on right side",
                )
                .at(span));
            }
        };
        let integers = known.is_whole() && element.is_whole();
        if known == element || integers {
            return Ok(expression);
        }
        Err(operator_missing("=", SqlType::Is(element), SqlType::Is(known), span))
    }

    /// An expression that must be a condition.
    pub(crate) fn condition(&mut self, expression: Bound, clause: &str) -> Fallible<Bound> {
        let (found, span) = (expression.data_type, expression.span);
        self.try_coerce(expression, Type::Bool, CastContext::Implicit)?
            .ok_or_else(|| {
                let message = format!("argument of {clause} must be type boolean, not type {found}");
                error(state::DATATYPE_MISMATCH, message).at(span)
            })
    }

    /// A value for a column.
    pub(crate) fn assign(&mut self, expression: Bound, column: &Column) -> Fallible<Bound> {
        let (found, span) = (expression.data_type, expression.span);
        let to = column.data_type;
        let coerced = self
            .try_coerce(expression, to, CastContext::Assignment)?
            .ok_or_else(|| {
                let message = format!(
                    "column \"{}\" is of type {} but expression is of type {found}",
                    column.name,
                    to.name()
                );
                error(state::DATATYPE_MISMATCH, message)
                    .hint("You will need to rewrite or cast the expression.")
                    .at(span)
            })?;
        Ok(fitted(coerced, column.modifier, false))
    }

    /// An undecided literal or parameter becomes text.
    pub(crate) fn settle(&mut self, expression: Bound) -> Fallible<Bound> {
        if expression.data_type != SqlType::Unknown {
            return Ok(expression);
        }
        self.coerce_unknown(expression, Type::Text)
    }

    /// The type that all have in common (CASE, COALESCE, VALUES, UNION, IN, …).
    pub(crate) fn common_type(&self, types: &[(SqlType, Span)], context: &str) -> Fallible<Type> {
        let mut common: Option<Type> = None;
        for (data_type, span) in types {
            let next = match data_type {
                SqlType::Unknown => continue,
                SqlType::Is(next) => *next,
                SqlType::ListOf(_) => return Err(crate::error::unsupported("an array here").at(*span)),
            };
            common = Some(match common {
                None => next,
                Some(known) if can_cast(SqlType::Is(next), known, CastContext::Implicit) => known,
                Some(known) if can_cast(SqlType::Is(known), next, CastContext::Implicit) => next,
                Some(known) => {
                    let message = format!("{context} types {} and {} cannot be matched", known.name(), next.name());
                    return Err(error(state::DATATYPE_MISMATCH, message).at(*span));
                }
            });
        }
        Ok(common.unwrap_or(Type::Text))
    }

    pub(crate) fn unify(&mut self, items: Vec<Bound>, context: &str) -> Fallible<(Vec<Bound>, Type)> {
        let types: Vec<_> = items.iter().map(|item| (item.data_type, item.span)).collect();
        let common = self.common_type(&types, context)?;
        let mut unified = Vec::with_capacity(items.len());
        for item in items {
            let found = item.data_type;
            let item = self.try_coerce(item, common, CastContext::Implicit)?;
            unified.push(item.ok_or_else(|| {
                let message = format!("{context} types {} and {found} cannot be matched", common.name());
                error(state::DATATYPE_MISMATCH, message)
            })?);
        }
        Ok((unified, common))
    }
}

/// A value as a type with a modifier has it. A cast shortens a text that is too long, an assignment refuses it.
pub(crate) fn fitted(value: Bound, modifier: Option<Modifier>, by_cast: bool) -> Bound {
    let (function, data_type) = match modifier {
        None => return value,
        Some(Modifier::Digits { precision, scale }) => (Function::Fit { precision, scale }, SqlType::NUMERIC),
        Some(Modifier::Length(length)) => (Function::Shorten { length, by_cast }, SqlType::TEXT),
    };
    let span = value.span;
    Bound::new(BoundKind::Call(function, vec![value]), data_type, span)
}

/// `'now'`, `'today'`, … are read when the statement runs.
fn depends_on_now(text: &str, to: Type) -> bool {
    matches!(to, Type::Timestamptz | Type::Timestamp | Type::Date)
        && timestamp::parse(text, 0).ok() != timestamp::parse(text, timestamp::MICROS_PER_DAY).ok()
}

/// `'{1,2,3}'`: the plain form, elements quoted or not.
fn parse_array(text: &str, element: Type) -> Fallible<Value> {
    if element == Type::Tid {
        return Err(unsupported("an array of tid"));
    }
    let malformed = || error(state::INVALID_TEXT, format!("malformed array literal: \"{text}\""));
    let inner = text
        .trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or_else(malformed)?;
    if inner.trim().is_empty() {
        return Ok(Value::List(Vec::new().into()));
    }
    let items: Fallible<Vec<Value>> = inner
        .split(',')
        .map(|item| match item.trim() {
            "" => Err(malformed()),
            word if word.eq_ignore_ascii_case("null") => Ok(Value::Null),
            word => {
                let bare = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
                input::parse(bare.unwrap_or(word), element, 0)
            }
        })
        .collect();
    Ok(Value::List(items?.into()))
}

pub(crate) fn operator_missing(symbol: &str, left: SqlType, right: SqlType, span: Span) -> Box<crate::SqlError> {
    error(
        state::UNDEFINED_FUNCTION,
        format!("operator does not exist: {left} {symbol} {right}"),
    )
    .hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
    .at(span)
}
