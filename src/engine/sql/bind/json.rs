//! The operators and functions of `jsonb` that choose by their arguments' types.

use base::Type;
use syntax::{BinaryOperator, Span};

use super::Binder;
use super::coerce::operator_missing;
use super::function::missing;
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::{Bound, BoundKind, Function, JsonFunction};
use crate::types::{CastContext, SqlType};

/// Whether the operator is one of `jsonb`: by what stands at its left, or at both sides if it relates two documents.
pub(super) fn json_first(operator: BinaryOperator, left: &Bound, right: &Bound) -> bool {
    use BinaryOperator as B;
    let undecided = |side: &Bound| side.data_type == SqlType::Unknown;
    let is_json = |side: &Bound| side.data_type == SqlType::JSONB;
    match operator {
        B::Contains | B::ContainedBy | B::Concat => {
            (is_json(left) && (is_json(right) || undecided(right))) || (undecided(left) && is_json(right))
        }
        B::HasKey => is_json(left) || undecided(left),
        B::JsonGet | B::JsonGetText | B::JsonGetPath | B::JsonGetPathText | B::Subtract => is_json(left),
        _ => false,
    }
}

impl Binder<'_> {
    /// An operator that `json_first` has found.
    pub(super) fn json_operator(
        &mut self,
        operator: BinaryOperator,
        left: Bound,
        right: Bound,
        span: Span,
    ) -> Fallible<Bound> {
        use BinaryOperator as B;
        let found = (left.data_type, right.data_type);
        let missing = || operator_missing(operator.symbol(), found.0, found.1, span);
        let (function, returns) = match operator {
            B::Contains => (JsonFunction::Contains, Type::Bool),
            B::ContainedBy => (JsonFunction::ContainedBy, Type::Bool),
            B::Concat => (JsonFunction::Concat, Type::Jsonb),
            B::JsonGet => (JsonFunction::Get, Type::Jsonb),
            B::JsonGetText => (JsonFunction::GetText, Type::Text),
            B::JsonGetPath => (JsonFunction::GetPath, Type::Jsonb),
            B::JsonGetPathText => (JsonFunction::GetPathText, Type::Text),
            B::HasKey => (JsonFunction::HasKey, Type::Bool),
            _ => (JsonFunction::Delete, Type::Jsonb),
        };
        let (left, right) = match operator {
            B::JsonGetPath | B::JsonGetPathText => (left, self.json_path(right)?.ok_or_else(missing)?),
            B::Subtract if matches!(found.1, SqlType::ListOf(_)) => {
                return Err(unsupported("the operator - of jsonb and a list of keys").at(span));
            }
            B::JsonGet | B::JsonGetText | B::Subtract | B::HasKey => {
                let left = self.try_coerce(left, Type::Jsonb, CastContext::Implicit)?;
                let index = operator != B::HasKey && matches!(found.1, SqlType::Is(Type::Int2 | Type::Int4));
                let wanted = if index { Type::Int4 } else { Type::Text };
                let key = self.try_coerce(right, wanted, CastContext::Implicit)?;
                left.zip(key).ok_or_else(missing)?
            }
            _ => {
                let left = self.try_coerce(left, Type::Jsonb, CastContext::Implicit)?;
                let right = self.try_coerce(right, Type::Jsonb, CastContext::Implicit)?;
                left.zip(right).ok_or_else(missing)?
            }
        };
        Ok(json_call(function, vec![left, right], returns, span))
    }

    /// `'{a,0,b}'` or `ARRAY['a']`; `None`: it is something else.
    fn json_path(&mut self, path: Bound) -> Fallible<Option<Bound>> {
        match (path.data_type, &path.kind) {
            // Lists that are parameters come sorted.
            (_, BoundKind::Param(_)) => Err(unsupported("a parameter as the path into a document").at(path.span)),
            (SqlType::Unknown | SqlType::ListOf(Type::Text), _) => self.coerce_list(path, Type::Text).map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn json_function(&mut self, name: &str, arguments: Vec<Bound>, span: Span) -> Fallible<Bound> {
        let types = arguments.clone();
        let missing = || missing(name, &types, span);
        match (name, arguments.len()) {
            ("jsonb_build_object", _) => self.json_built(JsonFunction::BuildObject, arguments, span),
            ("jsonb_build_array", _) => self.json_built(JsonFunction::BuildArray, arguments, span),
            ("to_jsonb", 1) if types[0].data_type == SqlType::Unknown => {
                let message = "could not determine polymorphic type because input has type unknown";
                Err(error(state::DATATYPE_MISMATCH, message))
            }
            ("to_jsonb", 1) => Ok(json_call(JsonFunction::Of, arguments, Type::Jsonb, span)),
            ("jsonb_set", 3 | 4) => {
                let mut given = arguments.into_iter();
                let (document, path, value) = (given.next(), given.next(), given.next());
                let mut coerced = Vec::with_capacity(4);
                coerced.extend(self.as_type(document, Type::Jsonb)?);
                coerced.extend(path.map(|path| self.json_path(path)).transpose()?.flatten());
                coerced.extend(self.as_type(value, Type::Jsonb)?);
                coerced.extend(self.as_type(given.next(), Type::Bool)?);
                if coerced.len() != types.len() {
                    return Err(missing());
                }
                Ok(json_call(JsonFunction::Set, coerced, Type::Jsonb, span))
            }
            ("jsonb_extract_path" | "jsonb_extract_path_text", 2..) => {
                let mut given = arguments.into_iter();
                let document = self.as_type(given.next(), Type::Jsonb)?.ok_or_else(missing)?;
                let mut steps = Vec::new();
                for step in given {
                    steps.push(self.as_type(Some(step), Type::Text)?.ok_or_else(missing)?);
                }
                let path = Bound::new(BoundKind::Array(steps), SqlType::ListOf(Type::Text), span);
                let (function, returns) = match name {
                    "jsonb_extract_path" => (JsonFunction::GetPath, Type::Jsonb),
                    _ => (JsonFunction::GetPathText, Type::Text),
                };
                Ok(json_call(function, vec![document, path], returns, span))
            }
            _ => Err(missing()),
        }
    }

    fn json_built(&mut self, function: JsonFunction, arguments: Vec<Bound>, span: Span) -> Fallible<Bound> {
        let mut settled = Vec::with_capacity(arguments.len());
        for argument in arguments {
            settled.push(self.settle(argument)?);
        }
        Ok(json_call(function, settled, Type::Jsonb, span))
    }

    fn as_type(&mut self, argument: Option<Bound>, to: Type) -> Fallible<Option<Bound>> {
        match argument {
            Some(argument) => self.try_coerce(argument, to, CastContext::Implicit),
            None => Ok(None),
        }
    }
}

fn json_call(function: JsonFunction, arguments: Vec<Bound>, returns: Type, span: Span) -> Bound {
    let call = BoundKind::Call(Function::Json(function), arguments);
    Bound::new(call, SqlType::Is(returns), span)
}
