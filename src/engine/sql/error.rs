//! Refusals, worded and coded as PostgreSQL 15 words and codes them.

use std::fmt;

use syntax::{Span, SyntaxError};

use crate::{Notice, SqlError};

/// Inside the engine errors travel boxed: the good path returns one pointer.
pub(crate) type Fallible<T> = Result<T, Box<SqlError>>;

/// SQLSTATEs by PostgreSQL's condition names (appendix A of its manual).
pub(crate) mod state {
    pub(crate) const ACTIVE_SQL_TRANSACTION: &str = "25001";
    pub(crate) const AMBIGUOUS_COLUMN: &str = "42702";
    pub(crate) const CANNOT_COERCE: &str = "42846";
    pub(crate) const CANNOT_CONNECT_NOW: &str = "57P03";
    pub(crate) const CARDINALITY_VIOLATION: &str = "21000";
    pub(crate) const CHECK_VIOLATION: &str = "23514";
    pub(crate) const DATATYPE_MISMATCH: &str = "42804";
    pub(crate) const DATETIME_FIELD_OVERFLOW: &str = "22008";
    pub(crate) const DEADLOCK_DETECTED: &str = "40P01";
    pub(crate) const DEPENDENT_OBJECTS: &str = "2BP01";
    pub(crate) const DIVISION_BY_ZERO: &str = "22012";
    pub(crate) const DUPLICATE_ALIAS: &str = "42712";
    pub(crate) const DUPLICATE_COLUMN: &str = "42701";
    pub(crate) const DUPLICATE_DATABASE: &str = "42P04";
    pub(crate) const DUPLICATE_OBJECT: &str = "42710";
    pub(crate) const DUPLICATE_SCHEMA: &str = "42P06";
    pub(crate) const DUPLICATE_TABLE: &str = "42P07";
    pub(crate) const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub(crate) const FOREIGN_KEY_VIOLATION: &str = "23503";
    pub(crate) const GROUPING_ERROR: &str = "42803";
    pub(crate) const IN_FAILED_TRANSACTION: &str = "25P02";
    pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(crate) const INVALID_AUTHORIZATION: &str = "28000";
    pub(crate) const INVALID_CATALOG_NAME: &str = "3D000";
    pub(crate) const INVALID_COLUMN_REFERENCE: &str = "42P10";
    pub(crate) const INVALID_DATETIME: &str = "22007";
    pub(crate) const INVALID_FOREIGN_KEY: &str = "42830";
    pub(crate) const INVALID_GRANT_OPERATION: &str = "0LP01";
    pub(crate) const INVALID_NAME: &str = "42602";
    pub(crate) const INVALID_OBJECT_DEFINITION: &str = "42P17";
    pub(crate) const INVALID_FUNCTION_DEFINITION: &str = "42P13";
    pub(crate) const TRIGGERED_DATA_CHANGE_VIOLATION: &str = "27000";
    pub(crate) const GENERATED_ALWAYS: &str = "428C9";
    pub(crate) const INVALID_PARAMETER_VALUE: &str = "22023";
    pub(crate) const INVALID_ROW_COUNT_LIMIT: &str = "2201W";
    pub(crate) const INVALID_ROW_COUNT_OFFSET: &str = "2201X";
    pub(crate) const INVALID_SAVEPOINT: &str = "3B001";
    pub(crate) const INVALID_SCHEMA_NAME: &str = "3F000";
    pub(crate) const INVALID_SQL_STATEMENT_NAME: &str = "26000";
    pub(crate) const INVALID_TABLE_DEFINITION: &str = "42P16";
    pub(crate) const INVALID_TEXT: &str = "22P02";
    pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(crate) const NO_ACTIVE_TRANSACTION: &str = "25P01";
    pub(crate) const NOT_NULL_VIOLATION: &str = "23502";
    pub(crate) const NULL_VALUE_NOT_ALLOWED: &str = "22004";
    pub(crate) const NUMERIC_OUT_OF_RANGE: &str = "22003";
    pub(crate) const OBJECT_IN_USE: &str = "55006";
    pub(crate) const OBJECT_NOT_IN_PREREQUISITE_STATE: &str = "55000";
    pub(crate) const PROTOCOL_VIOLATION: &str = "08P01";
    pub(crate) const QUERY_CANCELED: &str = "57014";
    pub(crate) const READ_ONLY_TRANSACTION: &str = "25006";
    pub(crate) const SERIALIZATION_FAILURE: &str = "40001";
    pub(crate) const SUBSTRING_ERROR: &str = "22011";
    pub(crate) const SYNTAX_ERROR: &str = "42601";
    pub(crate) const UNDEFINED_COLUMN: &str = "42703";
    pub(crate) const UNDEFINED_FUNCTION: &str = "42883";
    pub(crate) const UNDEFINED_OBJECT: &str = "42704";
    pub(crate) const UNDEFINED_TABLE: &str = "42P01";
    pub(crate) const UNIQUE_VIOLATION: &str = "23505";
    pub(crate) const WRONG_OBJECT_TYPE: &str = "42809";
}

pub(crate) fn error(sqlstate: &'static str, message: impl Into<String>) -> Box<SqlError> {
    Box::new(SqlError {
        sqlstate,
        message: message.into(),
        detail: None,
        hint: None,
        position: None,
        circumstances: None,
    })
}

/// Recognised, but outside the documented subset: refused by name.
pub(crate) fn unsupported(what: impl fmt::Display) -> Box<SqlError> {
    error(state::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
}

impl SqlError {
    pub(crate) fn detail(mut self: Box<Self>, detail: impl Into<String>) -> Box<Self> {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hint = Some(hint.into());
        self
    }

    /// Happened in this.
    pub(crate) fn within(mut self: Box<Self>, line: String) -> Box<Self> {
        self.circumstances.get_or_insert_default().context.push(line);
        self
    }

    /// After this had been said.
    pub(crate) fn after(&mut self, notices: Vec<Notice>) {
        if !notices.is_empty() {
            self.circumstances.get_or_insert_default().notices = notices;
        }
    }

    /// Points at the text, unless a place nearer to the cause is known already.
    pub(crate) fn at(mut self: Box<Self>, span: Span) -> Box<Self> {
        self.position.get_or_insert(span.start);
        self
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}

impl From<SyntaxError> for Box<SqlError> {
    fn from(refusal: SyntaxError) -> Box<SqlError> {
        Box::new(SqlError {
            sqlstate: refusal.sqlstate,
            message: refusal.message,
            detail: None,
            hint: refusal.hint,
            position: Some(refusal.span.start),
            circumstances: None,
        })
    }
}
