//! Types as the binder sees them, and what SQL does with single values: order, casts, text forms.

pub(crate) mod bytea;
pub(crate) mod compare;
pub(crate) mod input;
pub(crate) mod json;
pub(crate) mod range;
pub(crate) mod timestamp;

use std::fmt;

use base::Type;

/// The type of an expression. PostgreSQL's `unknown` is a literal whose type its context decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SqlType {
    Unknown,
    Is(Type),
    /// A list parameter of `= ANY ($1)`, or `ARRAY[…]`.
    ListOf(Type),
}

impl SqlType {
    pub(crate) const BOOL: SqlType = SqlType::Is(Type::Bool);
    pub(crate) const INT4: SqlType = SqlType::Is(Type::Int4);
    pub(crate) const INT8: SqlType = SqlType::Is(Type::Int8);
    pub(crate) const TEXT: SqlType = SqlType::Is(Type::Text);
    pub(crate) const NUMERIC: SqlType = SqlType::Is(Type::Numeric);
    pub(crate) const JSONB: SqlType = SqlType::Is(Type::Jsonb);
    pub(crate) const DATERANGE: SqlType = SqlType::Is(Type::Daterange);
    pub(crate) const BYTEA: SqlType = SqlType::Is(Type::Bytea);
    pub(crate) const TID: SqlType = SqlType::Is(Type::Tid);
    pub(crate) const OID: SqlType = SqlType::Is(Type::Oid);
    pub(crate) const REGCLASS: SqlType = SqlType::Is(Type::Regclass);
    pub(crate) const RECORD: SqlType = SqlType::Is(Type::Record);

    /// What a column of this type is at the end: an undecided literal is text.
    pub(crate) fn settled(self) -> Type {
        match self {
            SqlType::Unknown | SqlType::ListOf(_) => Type::Text,
            SqlType::Is(data_type) => data_type,
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqlType::Unknown => f.write_str("unknown"),
            SqlType::Is(data_type) => f.write_str(data_type.name()),
            SqlType::ListOf(data_type) => write!(f, "{}[]", data_type.name()),
        }
    }
}

/// How far a cast may go unasked: PostgreSQL's three contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CastContext {
    Implicit,
    Assignment,
    Explicit,
}

/// Whether a value of `from` may become `to` in this context.
pub(crate) fn can_cast(from: SqlType, to: Type, context: CastContext) -> bool {
    use Type::{
        Bool, Date, Float8, Int2, Int4, Int8, Jsonb, Numeric, Oid, Record, Regclass, Text, Timestamp, Timestamptz,
    };
    let from = match from {
        SqlType::Unknown => return true,
        SqlType::ListOf(_) => return false,
        SqlType::Is(from) => from,
    };
    if from == to {
        return true;
    }
    let needed = match (from, to) {
        (Int2, Int4 | Int8) | (Int4, Int8) => CastContext::Implicit,
        (Int2 | Int4 | Int8, Numeric | Float8) | (Numeric, Float8) => CastContext::Implicit,
        (Date, Timestamp | Timestamptz) | (Timestamp, Timestamptz) => CastContext::Implicit,
        (Int8, Int4 | Int2) | (Int4, Int2) | (Numeric, Int2 | Int4 | Int8) => CastContext::Assignment,
        (Float8, Int2 | Int4 | Int8 | Numeric) => CastContext::Assignment,
        (Timestamptz, Date | Timestamp) | (Timestamp, Date) => CastContext::Assignment,
        (Int2 | Int4 | Int8, Oid) | (Regclass, Oid) => CastContext::Implicit,
        (Oid, Int4 | Int8) => CastContext::Assignment,
        // Names are read, and shown, by the session: `Binder::regclass`.
        (_, Regclass) | (Text, Record) => return false,
        // Through the types' text forms: to text by assignment, from text only when asked.
        (_, Text) => CastContext::Assignment,
        (Text, _) | (Int4, Bool) | (Bool, Int4) | (Jsonb, Int2 | Int4 | Int8 | Numeric | Float8 | Bool) => {
            CastContext::Explicit
        }
        _ => return false,
    };
    context >= needed
}
