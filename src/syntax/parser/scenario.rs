//! What only scenarios have: variables, INTO, EXPECT, ABORT WHEN, CALL and attributes.

use super::{Parser, Result};
use crate::token::TokenKind;
use crate::{Attribute, AttributeArgument, Dialect, Expr, ExprKind, Name, Statement};

impl Parser<'_> {
    /// `:name`, without white space between.
    fn variable(&mut self) -> Result<Name> {
        let start = self.span();
        let adjacent = self
            .tokens
            .get(self.at + 1)
            .is_some_and(|next| next.span.start == start.end);
        if self.dialect != Dialect::Scenario || !self.at_symbol(':') || !adjacent {
            return Err(self.unexpected());
        }
        self.advance();
        let name = self.label()?;
        let span = self.since(start);
        Ok(Name { span, ..name })
    }

    pub(super) fn variable_expr(&mut self) -> Result<Expr> {
        let name = self.variable()?;
        let span = name.span;
        Ok(Expr::new(ExprKind::Variable(name), span))
    }

    /// `INTO :x, :y`
    pub(super) fn target_variables(&mut self) -> Result<Vec<Name>> {
        self.expect("into")?;
        self.list(Self::variable)
    }

    pub(super) fn scenario_statement(&mut self) -> Result<Option<Statement>> {
        if self.at("expect") {
            return self.expect_rows().map(Some);
        }
        if self.at_words(&["abort", "when"]) {
            return self.abort_when().map(Some);
        }
        if self.eat("call") {
            let name = self.object_name()?;
            let call = self.call(name)?;
            if call.star || call.distinct || call.filter.is_some() {
                return Err(self.unexpected());
            }
            let (name, arguments) = (call.name, call.arguments);
            return Ok(Some(Statement::Call { name, arguments }));
        }
        Ok(None)
    }

    /// `EXPECT n ROW[S]`
    fn expect_rows(&mut self) -> Result<Statement> {
        self.expect("expect")?;
        let rows = match self.kind() {
            TokenKind::Number(digits) => digits.parse().map_err(|_| self.unexpected())?,
            _ => return Err(self.unexpected()),
        };
        self.advance();
        if !self.eat("row") {
            self.expect("rows")?;
        }
        Ok(Statement::Expect { rows })
    }

    /// `ABORT WHEN condition [MESSAGE 'text']`
    fn abort_when(&mut self) -> Result<Statement> {
        self.expect_words(&["abort", "when"])?;
        let condition = self.expr()?;
        let mut message = None;
        if self.eat("message") {
            let TokenKind::String(text) = self.kind() else {
                return Err(self.unexpected());
            };
            message = Some(text.clone());
            self.advance();
        }
        Ok(Statement::AbortWhen { condition, message })
    }

    /// `@name`, `@name(argument, …)`, any number of them.
    pub(super) fn attributes(&mut self) -> Result<Vec<Attribute>> {
        let mut attributes = Vec::new();
        while self.at_operator("@") {
            let start = self.span();
            self.advance();
            let name = self.label()?;
            let mut arguments = Vec::new();
            if self.eat_symbol('(') {
                if !self.at_symbol(')') {
                    arguments = self.list(Self::attribute_argument)?;
                }
                self.expect_symbol(')')?;
            }
            let span = self.since(start);
            attributes.push(Attribute { name, arguments, span });
        }
        Ok(attributes)
    }

    fn attribute_argument(&mut self) -> Result<AttributeArgument> {
        let next = self.tokens.get(self.at + 1).map(|token| self.source(token.span));
        if matches!(self.kind(), TokenKind::Word(_) | TokenKind::Quoted(_)) && next == Some("=") {
            let name = self.label()?;
            self.expect_operator("=")?;
            return Ok(AttributeArgument::Named(name, self.expr()?));
        }
        if self.at_any(&["select", "insert", "update", "delete", "with", "call"]) {
            let statement = self.nest(Self::statement)?;
            return Ok(AttributeArgument::Statement(Box::new(statement)));
        }
        self.expr().map(AttributeArgument::Expr)
    }
}
