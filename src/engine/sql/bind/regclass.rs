//! Tables by name or number: `'orders'::regclass`, `tableoid::regclass`.

use std::sync::Arc;

use base::{Type, Value};
use syntax::{Name, ObjectName, Span, identifier};

use super::{Binder, Names};
use crate::error::{Fallible, error, state, unsupported};
use crate::expr::function::Session;
use crate::expr::{Bound, BoundKind, Function};
use crate::storage::RelationId;
use crate::types::{CastContext, SqlType};

impl Binder<'_> {
    /// An expression as the table that it names or numbers.
    pub(super) fn regclass(&mut self, operand: Bound, span: Span) -> Fallible<Bound> {
        let found = operand.data_type;
        let operand = match (found, &operand.kind) {
            (SqlType::REGCLASS, _) => return Ok(operand),
            (SqlType::Unknown, BoundKind::Const(Value::Text(text))) => {
                let value = self.names.regclass(text, operand.span)?;
                return Ok(Bound::new(BoundKind::Const(value), SqlType::REGCLASS, span));
            }
            (SqlType::Unknown, BoundKind::Const(_)) => return Ok(super::null_of(Type::Regclass)),
            (SqlType::TEXT, _) => Some(operand),
            (SqlType::Unknown, _) => return Err(unsupported("a parameter of type regclass").at(span)),
            _ => self.try_coerce(operand, Type::Oid, CastContext::Implicit)?,
        };
        let operand = operand.ok_or_else(|| {
            let message = format!("cannot cast type {found} to regclass");
            error(state::CANNOT_COERCE, message).at(span)
        })?;
        let call = BoundKind::Call(Function::Session(Session::Regclass), vec![operand]);
        Ok(Bound::new(call, SqlType::REGCLASS, span))
    }
}

impl Names<'_> {
    /// What a text names: a table, or its number.
    pub(crate) fn regclass(&self, text: &str, span: Span) -> Fallible<Value> {
        if let Ok(number) = text.parse() {
            return Ok(self.shown(number));
        }
        let table = self.table(&object_name(text, span)?)?;
        Ok(self.shown(table.id.0))
    }

    /// With the name by which the session would find it; a number that is no table's is its own name.
    pub(crate) fn shown(&self, number: u32) -> Value {
        let Some(table) = self.catalog.table(RelationId(number), self.own) else {
            return Value::Regclass(number, number.to_string().into());
        };
        let plain = ObjectName {
            schema: None,
            name: Name::new(table.name.clone()),
        };
        let name = identifier(&table.name);
        let visible = self.find_table(&plain).is_some_and(|found| found.id == table.id);
        let name = match visible {
            true => name,
            false => format!("{}.{name}", identifier(&table.schema)),
        };
        Value::Regclass(number, name.into())
    }
}

/// A name in a text, as SQL would read it.
pub(crate) fn object_name(text: &str, span: Span) -> Fallible<ObjectName> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => part.extend(characters.next()),
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(std::mem::take(&mut part)),
            other if quoted => part.push(other),
            other => part.extend(other.to_lowercase()),
        }
    }
    parts.push(part);
    let name = |text: &String| Name {
        text: Arc::from(text.as_str()),
        span,
    };
    match &parts[..] {
        _ if quoted || parts.iter().any(String::is_empty) => {
            Err(error(state::INVALID_NAME, "invalid name syntax").at(span))
        }
        [plain] => Ok(ObjectName {
            schema: None,
            name: name(plain),
        }),
        [schema, plain] => Ok(ObjectName {
            schema: Some(name(schema)),
            name: name(plain),
        }),
        _ => {
            let message = format!("improper relation name (too many dotted names): {text}");
            Err(error(state::SYNTAX_ERROR, message).at(span))
        }
    }
}
