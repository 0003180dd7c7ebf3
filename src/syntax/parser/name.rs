//! Names: which words may stand for one without quotes depends on what they name.

use std::sync::Arc;

use super::{Parser, Result};
use crate::keyword::{self, Class};
use crate::token::TokenKind;
use crate::{Name, ObjectName, SyntaxError};

impl Parser<'_> {
    /// A word of one of these classes, or a quoted name.
    pub(super) fn name_of(&mut self, allowed: &[Class]) -> Result<Name> {
        let text: Arc<str> = match self.kind() {
            TokenKind::Quoted(text) => text.clone(),
            TokenKind::Word(text) if allowed.contains(&keyword::class(text)) => text.clone(),
            _ => return Err(self.unexpected()),
        };
        let span = self.span();
        self.advance();
        Ok(Name { text, span })
    }

    /// A column, table, schema, alias, …
    pub(super) fn name(&mut self) -> Result<Name> {
        self.name_of(&[Class::Free, Class::ColumnName])
    }

    pub(super) fn at_name(&self) -> bool {
        match self.kind() {
            TokenKind::Quoted(_) => true,
            TokenKind::Word(word) => matches!(keyword::class(word), Class::Free | Class::ColumnName),
            _ => false,
        }
    }

    /// What may follow a dot or AS: any word.
    pub(super) fn label(&mut self) -> Result<Name> {
        self.name_of(&[Class::Free, Class::ColumnName, Class::FunctionOrType, Class::Reserved])
    }

    /// A role: PUBLIC and NONE are no roles.
    pub(super) fn role(&mut self) -> Result<Name> {
        let role = self.name_of(&[Class::Free])?;
        match role.as_str() {
            "public" | "none" => Err(SyntaxError::new(
                "42939",
                format!("role name \"{}\" is reserved", role.as_str()),
                role.span,
            )),
            _ => Ok(role),
        }
    }

    /// `name`, `schema.name`.
    pub(super) fn object_name(&mut self) -> Result<ObjectName> {
        let mut parts = vec![self.name()?];
        while self.eat_symbol('.') {
            parts.push(self.label()?);
        }
        self.object_of(parts)
    }

    pub(super) fn object_of(&self, parts: Vec<Name>) -> Result<ObjectName> {
        let joined = |parts: &[Name]| parts.iter().map(Name::as_str).collect::<Vec<_>>().join(".");
        match <[Name; 1]>::try_from(parts) {
            Ok([name]) => Ok(ObjectName { schema: None, name }),
            Err(parts) => match <[Name; 2]>::try_from(parts) {
                Ok([schema, name]) => Ok(ObjectName {
                    schema: Some(schema),
                    name,
                }),
                Err(parts) => {
                    let (first, last) = (parts[0].span, parts[parts.len() - 1].span);
                    let (sqlstate, words) = match parts.len() {
                        3 => ("0A000", "cross-database references are not implemented: "),
                        _ => ("42601", "improper qualified name (too many dotted names): "),
                    };
                    Err(SyntaxError::new(
                        sqlstate,
                        match parts.len() {
                            3 => format!("{words}\"{}\"", joined(&parts)),
                            _ => format!("{words}{}", joined(&parts)),
                        },
                        first.to(last),
                    ))
                }
            },
        }
    }

    /// `(a, b, c)`
    pub(super) fn names(&mut self) -> Result<Vec<Name>> {
        self.parenthesised(Self::name)
    }

    /// `(a, b, c)`, or nothing.
    pub(super) fn optional_names(&mut self) -> Result<Vec<Name>> {
        if self.at_symbol('(') {
            self.names()
        } else {
            Ok(Vec::new())
        }
    }
}
