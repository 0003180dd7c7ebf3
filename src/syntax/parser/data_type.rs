//! Types, by the names that `format_type` gives them.

use std::borrow::Cow;
use std::sync::Arc;

use base::Type;

use super::{Parser, Result};
use crate::token::TokenKind;
use crate::{DataType, DataTypeKind, ObjectName, identifier};

impl Parser<'_> {
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        let start = self.span();
        self.refuse("setof", "SETOF")?;
        let mut kind = match self.keyword_type()? {
            Some(kind) => kind,
            None => {
                let name = self.type_name()?;
                self.named_type(&name)
            }
        };
        if self.at("array") || self.at_symbol('[') {
            kind = self.array_of(&kind)?;
        }
        let span = self.since(start);
        Ok(DataType { kind, span })
    }

    fn type_name(&mut self) -> Result<ObjectName> {
        use crate::keyword::Class;
        let mut parts = vec![self.name_of(&[Class::Free, Class::FunctionOrType])?];
        while self.eat_symbol('.') {
            parts.push(self.label()?);
        }
        self.object_of(parts)
    }

    /// A type that is known by name, the cursor behind it: modifiers may follow.
    pub(super) fn named_type(&mut self, name: &ObjectName) -> DataTypeKind {
        let schema = name.schema.as_ref().map(|schema| schema.as_str());
        let kind = match (schema, name.name.as_str()) {
            (None | Some("pg_catalog"), plain) => plain_type(plain),
            (Some(schema), plain) => other(&format!("{}.{}", identifier(schema), identifier(plain))),
        };
        match self.modifier() {
            Some(modifier) => modified(&type_text(&kind), &modifier),
            None => kind,
        }
    }

    /// The types whose names are keywords. `None`: another word is next.
    pub(super) fn keyword_type(&mut self) -> Result<Option<DataTypeKind>> {
        let Some(word) = self.word() else { return Ok(None) };
        let kind = match word {
            "int" | "integer" => DataTypeKind::Known(Type::Int4),
            "bigint" => DataTypeKind::Known(Type::Int8),
            "boolean" => DataTypeKind::Known(Type::Bool),
            "smallint" => DataTypeKind::Known(Type::Int2),
            "real" => other("real"),
            "double" => {
                self.advance();
                self.expect("precision")?;
                return Ok(Some(DataTypeKind::Known(Type::Float8)));
            }
            "float" => return self.float().map(Some),
            "decimal" | "dec" | "numeric" => return Ok(Some(self.advanced("numeric"))),
            "bit" => {
                self.advance();
                let name = if self.eat("varying") { "bit varying" } else { "bit" };
                return Ok(Some(self.with_modifier(name)));
            }
            "character" | "char" | "nchar" | "national" => return self.character().map(Some),
            "varchar" => return Ok(Some(self.advanced("character varying"))),
            "timestamp" | "time" => return self.time().map(Some),
            "interval" => {
                let kind = self.advanced("interval");
                if self.at_any(&["year", "month", "day", "hour", "minute", "second"]) {
                    return Err(self.unsupported("INTERVAL with fields"));
                }
                return Ok(Some(kind));
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(kind))
    }

    /// `float(24)` is real, `float(25)` and `float` are double precision.
    fn float(&mut self) -> Result<DataTypeKind> {
        self.advance();
        let bits = self.modifier();
        let small = bits.is_some_and(|bits| bits[0].parse().is_ok_and(|bits: u32| bits <= 24));
        Ok(if small {
            other("real")
        } else {
            DataTypeKind::Known(Type::Float8)
        })
    }

    fn character(&mut self) -> Result<DataTypeKind> {
        let national = self.eat("national");
        if national && !self.at_any(&["character", "char"]) {
            return Err(self.unexpected());
        }
        self.advance();
        let name = if self.eat("varying") {
            "character varying"
        } else {
            "character"
        };
        Ok(self.with_modifier(name))
    }

    /// `timestamp [(p)] [WITH | WITHOUT TIME ZONE]`
    fn time(&mut self) -> Result<DataTypeKind> {
        let base = if self.at("time") { "time" } else { "timestamp" };
        self.advance();
        let precision = self
            .modifier()
            .map_or_else(String::new, |modifier| in_brackets(&modifier));
        let zone = self.eat_words(&["with", "time", "zone"]);
        if !zone {
            self.eat_words(&["without", "time", "zone"]);
        }
        if base == "timestamp" && precision.is_empty() {
            return Ok(DataTypeKind::Known(if zone {
                Type::Timestamptz
            } else {
                Type::Timestamp
            }));
        }
        let zone = if zone { "with" } else { "without" };
        Ok(other(&format!("{base}{precision} {zone} time zone")))
    }

    fn advanced(&mut self, name: &str) -> DataTypeKind {
        self.advance();
        self.with_modifier(name)
    }

    fn with_modifier(&mut self, name: &str) -> DataTypeKind {
        match self.modifier() {
            Some(modifier) => modified(name, &modifier),
            None => plain_type(name),
        }
    }

    /// `(10,2)`: numbers only, at least one; anything else is left for the caller to refuse.
    fn modifier(&mut self) -> Option<Vec<Arc<str>>> {
        if !self.at_symbol('(') {
            return None;
        }
        let mut length = 1;
        let mut numbers = Vec::new();
        loop {
            let TokenKind::Number(number) = self.kind_at(length) else {
                return None;
            };
            numbers.push(Arc::from(&**number));
            match self.kind_at(length + 1) {
                TokenKind::Symbol(',') => length += 2,
                TokenKind::Symbol(')') => break,
                _ => return None,
            }
        }
        (0..length + 2).for_each(|_| self.advance());
        Some(numbers)
    }

    /// `[]`, `[3][]`, `ARRAY`: PostgreSQL keeps neither bounds nor dimensions.
    fn array_of(&mut self, element: &DataTypeKind) -> Result<DataTypeKind> {
        if self.eat("array") {
            if self.eat_symbol('[') {
                self.array_bound()?;
            }
        } else {
            while self.eat_symbol('[') {
                self.array_bound()?;
            }
        }
        Ok(other(&format!("{}[]", type_text(element))))
    }

    fn array_bound(&mut self) -> Result<()> {
        if matches!(self.kind(), TokenKind::Number(_)) {
            self.advance();
        }
        self.expect_symbol(']')
    }
}

/// Types whose names are no keywords of the grammar, and those that `format_type` gives.
fn plain_type(name: &str) -> DataTypeKind {
    match name {
        "bool" => DataTypeKind::Known(Type::Bool),
        "int2" => DataTypeKind::Known(Type::Int2),
        "int4" => DataTypeKind::Known(Type::Int4),
        "int8" => DataTypeKind::Known(Type::Int8),
        "float8" => DataTypeKind::Known(Type::Float8),
        "numeric" => DataTypeKind::Known(Type::Numeric),
        "text" | "character varying" => DataTypeKind::Known(Type::Text),
        "date" => DataTypeKind::Known(Type::Date),
        "timestamptz" => DataTypeKind::Known(Type::Timestamptz),
        "interval" => DataTypeKind::Known(Type::Interval),
        "jsonb" => DataTypeKind::Known(Type::Jsonb),
        "uuid" => DataTypeKind::Known(Type::Uuid),
        "bytea" => DataTypeKind::Known(Type::Bytea),
        "daterange" => DataTypeKind::Known(Type::Daterange),
        "tid" => DataTypeKind::Known(Type::Tid),
        "oid" => DataTypeKind::Known(Type::Oid),
        "regclass" => DataTypeKind::Known(Type::Regclass),
        "serial" | "serial4" => DataTypeKind::Serial,
        "bigserial" | "serial8" => DataTypeKind::BigSerial,
        "float4" => other("real"),
        "bpchar" => other("character"),
        "varbit" => other("bit varying"),
        "timetz" => other("time with time zone"),
        "bit" | "bit varying" | "character" => other(name),
        // In quotes where `format_type` puts them: `"char"` is a type of its own.
        name => other(&identifier(name)),
    }
}

/// A type with numbers behind its name.
fn modified(name: &str, modifier: &[Arc<str>]) -> DataTypeKind {
    let digits = |place: usize| modifier.get(place).map_or(Ok(0), |number| number.parse());
    match (name, modifier.len()) {
        ("numeric", 1 | 2) => {
            if let (Ok(precision), Ok(scale)) = (digits(0), digits(1)) {
                return DataTypeKind::Digits { precision, scale };
            }
        }
        ("character varying", 1) => {
            if let Ok(length) = modifier[0].parse() {
                return DataTypeKind::Length(length);
            }
        }
        _ => {}
    }
    other(&format!("{name}{}", in_brackets(modifier)))
}

fn in_brackets(modifier: &[Arc<str>]) -> String {
    format!("({})", modifier.join(","))
}

/// Its name in SQL.
pub(crate) fn type_text(kind: &DataTypeKind) -> Cow<'_, str> {
    Cow::Borrowed(match kind {
        DataTypeKind::Known(known) => known.name(),
        DataTypeKind::Digits { precision, scale } => return format!("numeric({precision},{scale})").into(),
        DataTypeKind::Length(length) => return format!("character varying({length})").into(),
        DataTypeKind::Serial => "serial",
        DataTypeKind::BigSerial => "bigserial",
        DataTypeKind::Other(name) => name,
    })
}

fn other(name: &str) -> DataTypeKind {
    DataTypeKind::Other(Arc::from(name))
}
