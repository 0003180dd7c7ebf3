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

/// `'{1,"2",NULL}'`: an array of one dimension.
fn parse_array(text: &str, element: Type) -> Fallible<Value> {
    if element == Type::Tid {
        return Err(unsupported("an array of tid"));
    }
    let malformed = || error(state::INVALID_TEXT, format!("malformed array literal: \"{text}\""));
    let Some(rest) = text.trim().strip_prefix('{') else {
        let detail = "Array value must start with \"{\" or dimension information.";
        return Err(malformed().detail(detail));
    };
    let inner = rest.strip_suffix('}').ok_or_else(malformed)?;
    let mut items = Vec::new();
    let mut rest = inner.trim();
    while !rest.is_empty() || !items.is_empty() {
        let (item, quoted, after) = array_item(rest).ok_or_else(malformed)?;
        items.push(match &*item {
            word if !quoted && word.eq_ignore_ascii_case("null") => Value::Null,
            text => input::parse(text, element, 0)?,
        });
        match after.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => break,
            None => return Err(malformed()),
        }
    }
    Ok(Value::List(items.into()))
}

/// The item that `text` begins with, whether it stands in quotes, and what comes after it.
fn array_item(text: &str) -> Option<(String, bool, &str)> {
    let mut item = String::new();
    let quoted = text.starts_with('"');
    let mut characters = text[usize::from(quoted)..].chars();
    loop {
        let before = characters.as_str();
        match characters.next() {
            Some('"') if quoted => return Some((item, true, characters.as_str().trim_start())),
            Some('\\') => item.push(characters.next()?),
            Some(',') | None if !quoted => {
                let plain = item.trim_end();
                return (!plain.is_empty()).then(|| (plain.to_owned(), false, before));
            }
            Some('{' | '}' | '"') if !quoted => return None,
            other => item.push(other?),
        }
    }
}

pub(crate) fn operator_missing(symbol: &str, left: SqlType, right: SqlType, span: Span) -> Box<crate::SqlError> {
    error(
        state::UNDEFINED_FUNCTION,
        format!("operator does not exist: {left} {symbol} {right}"),
    )
    .hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
    .at(span)
}

/// Of two literals that no type has been given.
pub(crate) fn not_unique(symbol: &str, span: Span) -> Box<crate::SqlError> {
    error("42725", format!("operator is not unique: unknown {symbol} unknown"))
        .hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
        .at(span)
}
