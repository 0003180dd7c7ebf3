//! Which function a call means, by name and argument types.

use std::sync::Arc;

use base::Type;
use syntax::{FunctionCall, ObjectName, Span};

use super::Binder;
use crate::catalog::{FunctionBody, FunctionType, UserFunction};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::function::{Arithmetic, Rounding, Session, TrimSide};
use crate::expr::moment::Moment;
use crate::expr::{Advisory, Bound, BoundKind, Function, JsonFunction, RangeFunction, SetFunction, Sha};
use crate::types::{CastContext, SqlType, can_cast};

/// One overload.
struct Overload {
    name: &'static str,
    arguments: &'static [Type],
    function: fn() -> Function,
    returns: Type,
}

const fn overload(
    name: &'static str,
    arguments: &'static [Type],
    function: fn() -> Function,
    returns: Type,
) -> Overload {
    Overload {
        name,
        arguments,
        function,
        returns,
    }
}

use Type::{
    Bool, Bytea, Date, Daterange, Float8, Int2, Int4, Int8, Interval, Jsonb, Numeric, Text, Timestamp, Timestamptz,
};

/// All of them. Those with special forms (`coalesce`, `greatest`, aggregates, …) are bound apart.
const OVERLOADS: &[Overload] = &[
    overload("abs", &[Int2], || Function::Abs(Int2), Int2),
    overload("abs", &[Float8], || Function::Abs(Float8), Float8),
    overload("abs", &[Int4], || Function::Abs(Int4), Int4),
    overload("abs", &[Int8], || Function::Abs(Int8), Int8),
    overload("abs", &[Numeric], || Function::Abs(Numeric), Numeric),
    overload(
        "mod",
        &[Int4, Int4],
        || Function::Arithmetic(Arithmetic::Modulo, Int4),
        Int4,
    ),
    overload(
        "mod",
        &[Int8, Int8],
        || Function::Arithmetic(Arithmetic::Modulo, Int8),
        Int8,
    ),
    overload("length", &[Text], || Function::Length, Int4),
    overload("char_length", &[Text], || Function::Length, Int4),
    overload("character_length", &[Text], || Function::Length, Int4),
    overload("octet_length", &[Text], || Function::OctetLength, Int4),
    overload("lower", &[Text], || Function::Lower, Text),
    overload("upper", &[Text], || Function::Upper, Text),
    overload("substr", &[Text, Int4], || Function::Substring, Text),
    overload("substr", &[Text, Int4, Int4], || Function::Substring, Text),
    overload("substring", &[Text, Int4], || Function::Substring, Text),
    overload("substring", &[Text, Int4, Int4], || Function::Substring, Text),
    overload("length", &[Bytea], || Function::Length, Int4),
    overload("octet_length", &[Bytea], || Function::OctetLength, Int4),
    overload("substr", &[Bytea, Int4], || Function::Substring, Bytea),
    overload("substr", &[Bytea, Int4, Int4], || Function::Substring, Bytea),
    overload("substring", &[Bytea, Int4], || Function::Substring, Bytea),
    overload("substring", &[Bytea, Int4, Int4], || Function::Substring, Bytea),
    overload("encode", &[Bytea, Text], || Function::Encode, Text),
    overload("decode", &[Text, Text], || Function::Decode, Bytea),
    overload("sha224", &[Bytea], || Function::Sha(Sha::Sha224), Bytea),
    overload("sha256", &[Bytea], || Function::Sha(Sha::Sha256), Bytea),
    overload("sha384", &[Bytea], || Function::Sha(Sha::Sha384), Bytea),
    overload("sha512", &[Bytea], || Function::Sha(Sha::Sha512), Bytea),
    overload("convert_to", &[Text, Text], || Function::ConvertTo, Bytea),
    overload("convert_from", &[Bytea, Text], || Function::ConvertFrom, Text),
    overload("lower", &[Daterange], || Function::Range(RangeFunction::Lower), Date),
    overload("upper", &[Daterange], || Function::Range(RangeFunction::Upper), Date),
    overload(
        "isempty",
        &[Daterange],
        || Function::Range(RangeFunction::IsEmpty),
        Bool,
    ),
    overload(
        "lower_inc",
        &[Daterange],
        || Function::Range(RangeFunction::LowerInclusive),
        Bool,
    ),
    overload(
        "upper_inc",
        &[Daterange],
        || Function::Range(RangeFunction::UpperInclusive),
        Bool,
    ),
    overload(
        "lower_inf",
        &[Daterange],
        || Function::Range(RangeFunction::LowerInfinite),
        Bool,
    ),
    overload(
        "upper_inf",
        &[Daterange],
        || Function::Range(RangeFunction::UpperInfinite),
        Bool,
    ),
    overload(
        "daterange",
        &[Date, Date],
        || Function::Range(RangeFunction::Make),
        Daterange,
    ),
    overload(
        "daterange",
        &[Date, Date, Text],
        || Function::Range(RangeFunction::Make),
        Daterange,
    ),
    overload("replace", &[Text, Text, Text], || Function::Replace, Text),
    overload("btrim", &[Text], || Function::Trim(TrimSide::Both), Text),
    overload("btrim", &[Text, Text], || Function::Trim(TrimSide::Both), Text),
    overload("trim", &[Text], || Function::Trim(TrimSide::Both), Text),
    overload("ltrim", &[Text], || Function::Trim(TrimSide::Start), Text),
    overload("ltrim", &[Text, Text], || Function::Trim(TrimSide::Start), Text),
    overload("rtrim", &[Text], || Function::Trim(TrimSide::End), Text),
    overload("rtrim", &[Text, Text], || Function::Trim(TrimSide::End), Text),
    overload("left", &[Text, Int4], || Function::Left, Text),
    overload("right", &[Text, Int4], || Function::Right, Text),
    overload("strpos", &[Text, Text], || Function::Position, Int4),
    overload("repeat", &[Text, Int4], || Function::Repeat, Text),
    overload("reverse", &[Text], || Function::Reverse, Text),
    overload("starts_with", &[Text, Text], || Function::StartsWith, Bool),
    overload("split_part", &[Text, Text, Int4], || Function::SplitPart, Text),
    overload("round", &[Float8], || Function::Round(Rounding::Nearest), Float8),
    overload("round", &[Numeric], || Function::Round(Rounding::Nearest), Numeric),
    overload(
        "round",
        &[Numeric, Int4],
        || Function::Round(Rounding::Nearest),
        Numeric,
    ),
    overload("trunc", &[Float8], || Function::Round(Rounding::TowardsZero), Float8),
    overload("trunc", &[Numeric], || Function::Round(Rounding::TowardsZero), Numeric),
    overload(
        "trunc",
        &[Numeric, Int4],
        || Function::Round(Rounding::TowardsZero),
        Numeric,
    ),
    overload("floor", &[Float8], || Function::Round(Rounding::Down), Float8),
    overload("floor", &[Numeric], || Function::Round(Rounding::Down), Numeric),
    overload("ceil", &[Float8], || Function::Round(Rounding::Up), Float8),
    overload("ceil", &[Numeric], || Function::Round(Rounding::Up), Numeric),
    overload("ceiling", &[Float8], || Function::Round(Rounding::Up), Float8),
    overload("ceiling", &[Numeric], || Function::Round(Rounding::Up), Numeric),
    overload(
        "date_trunc",
        &[Text, Timestamp],
        || Function::Moment(Moment::Truncate),
        Timestamp,
    ),
    overload(
        "date_trunc",
        &[Text, Timestamptz],
        || Function::Moment(Moment::Truncate),
        Timestamptz,
    ),
    overload("extract", &[Text, Date], || Function::Moment(Moment::Extract), Numeric),
    overload(
        "extract",
        &[Text, Interval],
        || Function::Moment(Moment::Extract),
        Numeric,
    ),
    overload(
        "extract",
        &[Text, Timestamp],
        || Function::Moment(Moment::Extract),
        Numeric,
    ),
    overload(
        "extract",
        &[Text, Timestamptz],
        || Function::Moment(Moment::Extract),
        Numeric,
    ),
    overload("jsonb_typeof", &[Jsonb], || Function::Json(JsonFunction::Kind), Text),
    overload(
        "jsonb_array_length",
        &[Jsonb],
        || Function::Json(JsonFunction::Length),
        Int4,
    ),
    overload("now", &[], || Function::Now, Timestamptz),
    overload("transaction_timestamp", &[], || Function::Now, Timestamptz),
    overload("current_date", &[], || Function::CurrentDate, Date),
    overload("localtimestamp", &[], || Function::LocalTimestamp, Timestamp),
    overload("current_timestamp", &[], || Function::Now, Timestamptz),
    overload("statement_timestamp", &[], || Function::ClockTimestamp, Timestamptz),
    overload("clock_timestamp", &[], || Function::ClockTimestamp, Timestamptz),
    overload(
        "current_setting",
        &[Text],
        || Function::Session(Session::CurrentSetting),
        Text,
    ),
    overload(
        "current_setting",
        &[Text, Bool],
        || Function::Session(Session::CurrentSetting),
        Text,
    ),
    overload(
        "set_config",
        &[Text, Text, Bool],
        || Function::Session(Session::SetConfig),
        Text,
    ),
    overload("current_user", &[], || Function::Session(Session::CurrentUser), Text),
    overload("session_user", &[], || Function::Session(Session::LoginUser), Text),
    overload("user", &[], || Function::Session(Session::CurrentUser), Text),
    overload("current_role", &[], || Function::Session(Session::CurrentUser), Text),
    overload(
        "current_database",
        &[],
        || Function::Session(Session::CurrentDatabase),
        Text,
    ),
    overload(
        "current_schema",
        &[],
        || Function::Session(Session::CurrentSchema),
        Text,
    ),
    overload(
        "pg_relation_size",
        &[Text],
        || Function::Session(Session::RelationSize),
        Int8,
    ),
    overload("pg_backend_pid", &[], || Function::Session(Session::BackendPid), Int4),
    overload("txid_current", &[], || Function::Session(Session::TransactionId), Int8),
    overload("nextval", &[Text], || Function::Session(Session::NextValue), Int8),
    overload("currval", &[Text], || Function::Session(Session::CurrentValue), Int8),
];

impl Binder<'_> {
    pub(crate) fn function_call(&mut self, call: &FunctionCall, span: Span) -> Fallible<Bound> {
        let name = match &call.name.schema {
            Some(schema) if *schema.text != *"pg_catalog" && self.names.has_functions(&call.name) => {
                &*call.name.name.text
            }
            Some(schema) if *schema.text != *"pg_catalog" => {
                return Err(unsupported(format!("a function of schema {}", schema.text)).at(span));
            }
            _ => &*call.name.name.text,
        };
        if let Some(aggregate) = self.aggregate_call(name, call, span)? {
            return Ok(aggregate);
        }
        if call.star || call.distinct || call.filter.is_some() {
            let what = if call.star {
                format!("{name}(*) specified, but {name} is not an aggregate function")
            } else if call.distinct {
                format!("DISTINCT specified, but {name} is not an aggregate function")
            } else {
                format!("FILTER specified, but {name} is not an aggregate function")
            };
            return Err(error(state::WRONG_OBJECT_TYPE, what).at(span));
        }
        let arguments = self.expressions(&call.arguments)?;
        match name {
            "coalesce" if !arguments.is_empty() => {
                let (items, data_type) = self.unify(arguments, "COALESCE")?;
                Ok(Bound::new(BoundKind::Coalesce(items), SqlType::Is(data_type), span))
            }
            "greatest" | "least" if !arguments.is_empty() => {
                let (items, data_type) = self.unify(arguments, &name.to_uppercase())?;
                let greatest = name == "greatest";
                Ok(Bound::new(
                    BoundKind::Extreme { greatest, items },
                    SqlType::Is(data_type),
                    span,
                ))
            }
            "nullif" => self.null_if(arguments, span),
            _ if Advisory::named(name).is_some() => self.advisory(name, arguments, span),
            _ if SetFunction::named(name).is_some() => self.listed_series(name, arguments, span),
            "concat" | "concat_ws" if !arguments.is_empty() => self.concat(name, arguments, span),
            "jsonb_build_object"
            | "jsonb_build_array"
            | "jsonb_extract_path"
            | "jsonb_extract_path_text"
            | "jsonb_set"
            | "to_jsonb" => self.json_function(name, arguments, span),
            _ => match self.user_function(&call.name, &arguments) {
                Some(function) => self.user_call(function, arguments, span),
                None => self.overloaded(name, arguments, span),
            },
        }
    }

    /// The function that users have made which takes these arguments.
    fn user_function(&self, name: &ObjectName, arguments: &[Bound]) -> Option<Arc<UserFunction>> {
        let takes = |function: &&Arc<UserFunction>| {
            let mut pairs = arguments.iter().zip(&function.arguments);
            function.arguments.len() == arguments.len()
                && pairs.all(|(argument, wanted)| match wanted {
                    FunctionType::Is(wanted) => can_cast(argument.data_type, *wanted, CastContext::Implicit),
                    FunctionType::Other(_) => true,
                })
        };
        let found = self.names.functions(name);
        found.iter().find(takes).cloned()
    }

    fn user_call(&mut self, function: Arc<UserFunction>, arguments: Vec<Bound>, span: Span) -> Fallible<Bound> {
        let returns = match (&function.returns, &function.body) {
            (FunctionType::Is(returns), FunctionBody::Statements(_)) => *returns,
            (FunctionType::Other(_), FunctionBody::Statements(_)) => Text,
            (_, FunctionBody::Unknown { language, .. }) => {
                return Err(unsupported(format!("calling {}, a function in {language},", function.name)).at(span));
            }
        };
        let mut coerced = Vec::with_capacity(arguments.len());
        for (argument, wanted) in arguments.into_iter().zip(&function.arguments) {
            let FunctionType::Is(wanted) = wanted else {
                return Err(unsupported(format!("an argument of type {}", wanted.name())).at(span));
            };
            let argument = self.try_coerce(argument, *wanted, CastContext::Implicit)?;
            coerced.push(argument.ok_or_else(|| missing(&function.name, &[], span))?);
        }
        self.called.push(function.clone());
        let call = BoundKind::Call(Function::User(function), coerced);
        Ok(Bound::new(call, SqlType::Is(returns), span))
    }

    /// A set-returning call in a select list: its value is the slot that the rows fill.
    fn listed_series(&mut self, name: &str, arguments: Vec<Bound>, span: Span) -> Fallible<Bound> {
        if self.series.is_none() {
            let place = self.scope().no_aggregates.and_then(|words| words.split_once(" in "));
            let place = place.map_or("this place", |(_, place)| place);
            let message = format!("set-returning functions are not allowed in {place}");
            return Err(error(state::FEATURE_NOT_SUPPORTED, message).at(span));
        }
        let function = SetFunction::named(name).ok_or_else(|| missing(name, &arguments, span))?;
        let series = self.bound_series(function, name, arguments, span)?;
        let ([slot], [(_, data_type)]) = (&series.slots[..], &series.function.columns()[..]) else {
            return Err(unsupported(format!("{name} in a select list")).at(span));
        };
        let value = Bound::slot(*slot, SqlType::Is(*data_type));
        self.series.get_or_insert_default().push(series);
        Ok(Bound { span, ..value })
    }

    fn null_if(&mut self, arguments: Vec<Bound>, span: Span) -> Fallible<Bound> {
        let [left, right]: [Bound; 2] = arguments
            .try_into()
            .map_err(|_| error(state::SYNTAX_ERROR, "syntax error: NULLIF takes two arguments").at(span))?;
        let (left, right) = self.comparable("=", left, right, span)?;
        let data_type = left.data_type;
        Ok(Bound::new(
            BoundKind::NullIf(Box::new(left), Box::new(right)),
            data_type,
            span,
        ))
    }

    fn concat(&mut self, name: &str, arguments: Vec<Bound>, span: Span) -> Fallible<Bound> {
        let mut settled = Vec::with_capacity(arguments.len());
        for argument in arguments {
            settled.push(self.settle(argument)?);
        }
        let function = if name == "concat" {
            Function::Concat
        } else {
            Function::ConcatWith
        };
        Ok(Bound::new(BoundKind::Call(function, settled), SqlType::TEXT, span))
    }

    fn advisory(&mut self, name: &str, arguments: Vec<Bound>, span: Span) -> Fallible<Bound> {
        let found = arguments.clone();
        let refused = || missing(name, &found, span);
        let function = Advisory::named(name).ok_or_else(refused)?;
        let wanted: &[Type] = match (function, arguments.len()) {
            (Advisory::UnlockAll, 0) => &[],
            (Advisory::Lock { .. } | Advisory::Unlock { .. }, 1) => &[Int8],
            (Advisory::Lock { .. } | Advisory::Unlock { .. }, 2) => &[Int4, Int4],
            _ => return Err(refused()),
        };
        let mut coerced = Vec::with_capacity(arguments.len());
        for (argument, wanted) in arguments.into_iter().zip(wanted) {
            let argument = self.try_coerce(argument, *wanted, CastContext::Implicit)?;
            coerced.push(argument.ok_or_else(refused)?);
        }
        let returns = if function.answers() { Bool } else { Text };
        let call = BoundKind::Call(Function::Advisory(function), coerced);
        Ok(Bound::new(call, SqlType::Is(returns), span))
    }

    fn overloaded(&mut self, name: &str, arguments: Vec<Bound>, span: Span) -> Fallible<Bound> {
        let found = choose(name, &arguments).ok_or_else(|| missing(name, &arguments, span))?;
        let mut coerced = Vec::with_capacity(arguments.len());
        for (argument, wanted) in arguments.into_iter().zip(found.arguments) {
            let argument = self.try_coerce(argument, *wanted, CastContext::Implicit)?;
            coerced.push(argument.ok_or_else(|| missing(name, &[], span))?);
        }
        Ok(Bound::new(
            BoundKind::Call((found.function)(), coerced),
            SqlType::Is(found.returns),
            span,
        ))
    }
}

/// Of those that take the arguments, the one with most exact matches; the first of equals.
fn choose(name: &str, arguments: &[Bound]) -> Option<&'static Overload> {
    let takes = |candidate: &&Overload| {
        candidate.name == name
            && candidate.arguments.len() == arguments.len()
            && arguments
                .iter()
                .zip(candidate.arguments)
                .all(|(argument, wanted)| can_cast(argument.data_type, *wanted, CastContext::Implicit))
    };
    let exact = |candidate: &&Overload| {
        let pairs = arguments.iter().zip(candidate.arguments);
        pairs
            .filter(|(argument, wanted)| argument.data_type == SqlType::Is(**wanted))
            .count()
    };
    OVERLOADS.iter().rev().filter(takes).max_by_key(exact)
}

pub(crate) fn missing(name: &str, arguments: &[Bound], span: Span) -> Box<crate::SqlError> {
    let types: Vec<String> = arguments
        .iter()
        .map(|argument| argument.data_type.to_string())
        .collect();
    error(
        state::UNDEFINED_FUNCTION,
        format!("function {name}({}) does not exist", types.join(", ")),
    )
    .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
    .at(span)
}
