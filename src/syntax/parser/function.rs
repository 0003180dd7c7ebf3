//! CREATE FUNCTION, DROP FUNCTION.

use std::sync::Arc;

use super::{Parser, Result};
use crate::token::TokenKind;
use crate::{CreateFunction, FunctionArgument, FunctionName, Name, Statement, SyntaxError, Volatility};

/// What may follow the result's type, in any order.
#[derive(Default)]
struct Options {
    language: Option<Name>,
    body: Option<Arc<str>>,
    strict: bool,
    volatility: Volatility,
}

impl Parser<'_> {
    pub(super) fn create_function(&mut self) -> Result<Statement> {
        self.expect("create")?;
        let or_replace = self.eat_words(&["or", "replace"]);
        let start = self.span();
        self.expect("function")?;
        let name = self.object_name()?;
        let arguments = self.function_arguments()?;
        if !self.at("returns") {
            return Err(self.unsupported("function without RETURNS"));
        }
        self.advance();
        self.refuse("table", "RETURNS TABLE")?;
        let returns = self.data_type()?;
        let options = self.function_options()?;
        let Some(language) = options.language else {
            return Err(SyntaxError::new("42P13", "no language specified", start));
        };
        let Some(body) = options.body else {
            return Err(SyntaxError::new("42P13", "no function body specified", start));
        };
        Ok(Statement::CreateFunction(Box::new(CreateFunction {
            name,
            or_replace,
            arguments,
            returns,
            language,
            body,
            strict: options.strict,
            volatility: options.volatility,
        })))
    }

    /// `([name] type, …)`
    fn function_arguments(&mut self) -> Result<Vec<FunctionArgument>> {
        self.expect_symbol('(')?;
        let mut arguments = Vec::new();
        if !self.at_symbol(')') {
            arguments = self.list(|parser| {
                parser.refuse("out", "OUT argument")?;
                parser.refuse("inout", "INOUT argument")?;
                parser.refuse("variadic", "VARIADIC argument")?;
                parser.eat("in");
                let named = !matches!(parser.kind_at(1), TokenKind::Symbol(',' | ')' | '(' | '[' | '.'))
                    && !matches!(
                        parser.word_at(1),
                        Some("default" | "precision" | "varying" | "with" | "without")
                    );
                let name = if named { Some(parser.name()?) } else { None };
                let data_type = parser.data_type()?;
                if parser.at("default") || parser.at_operator("=") {
                    return Err(parser.unsupported("default of an argument"));
                }
                Ok(FunctionArgument { name, data_type })
            })?;
        }
        self.expect_symbol(')')?;
        Ok(arguments)
    }

    fn function_options(&mut self) -> Result<Options> {
        let mut options = Options::default();
        loop {
            if self.eat("language") {
                let language = match self.kind() {
                    TokenKind::String(text) => Name::new(text.to_ascii_lowercase()),
                    _ => {
                        options.language = Some(self.name()?);
                        continue;
                    }
                };
                self.advance();
                options.language = Some(language);
            } else if self.eat("as") {
                let TokenKind::String(body) = self.kind() else {
                    return Err(self.unexpected());
                };
                options.body = Some(body.clone());
                self.advance();
            } else if self.eat("immutable") {
                options.volatility = Volatility::Immutable;
            } else if self.eat("stable") {
                options.volatility = Volatility::Stable;
            } else if self.eat("volatile") {
                options.volatility = Volatility::Volatile;
            } else if self.eat("strict") || self.eat_words(&["returns", "null", "on", "null", "input"]) {
                options.strict = true;
            } else if self.eat_words(&["called", "on", "null", "input"]) {
                options.strict = false;
            } else if self.at_any(&[
                "security",
                "external",
                "leakproof",
                "not",
                "parallel",
                "cost",
                "rows",
                "support",
            ]) {
                return Err(self.unsupported("this option of a function"));
            } else if self.at_any(&["set", "window", "transform", "return", "begin"]) {
                return Err(self.unsupported("this form of CREATE FUNCTION"));
            } else {
                return Ok(options);
            }
        }
    }

    pub(super) fn drop_function(&mut self) -> Result<Statement> {
        self.expect_words(&["drop", "function"])?;
        let if_exists = self.if_exists()?;
        let functions = self.list(Self::function_name)?;
        self.cascade();
        Ok(Statement::DropFunction { functions, if_exists })
    }

    /// `name [(type, …)]`
    pub(super) fn function_name(&mut self) -> Result<FunctionName> {
        let name = self.object_name()?;
        let arguments = if self.at_symbol('(') {
            let arguments = self.function_arguments()?;
            Some(arguments.into_iter().map(|argument| argument.data_type).collect())
        } else {
            None
        };
        Ok(FunctionName { name, arguments })
    }
}
