//! Operands: constants, columns, calls, CASE, casts, rows and what stands in parentheses.

use std::sync::Arc;

use super::query::QueryOrExpr;
use super::{Parser, Result};
use crate::keyword::{self, Class};
use crate::print::is_function_keyword;
use crate::token::TokenKind;
use crate::{DataType, Expr, ExprKind, FunctionCall, Name, ObjectName, Span, SyntaxError};

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<Expr> {
        let start = self.span();
        let kind = match self.kind() {
            TokenKind::String(text) => ExprKind::String(text.clone()),
            TokenKind::Number(digits) => ExprKind::Number(digits.clone()),
            TokenKind::Parameter(number) => ExprKind::Parameter(*number),
            TokenKind::Symbol('(') => return self.parenthesised_expr(),
            TokenKind::Symbol(':') => return self.variable_expr(),
            TokenKind::Word(word) => {
                if let Some(kind) = constant(word) {
                    kind
                } else {
                    let kind = self.word_primary()?;
                    return Ok(Expr::new(kind, self.since(start)));
                }
            }
            TokenKind::Quoted(_) => {
                let kind = self.named()?;
                return Ok(Expr::new(kind, self.since(start)));
            }
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(Expr::new(kind, start))
    }

    /// An expression that begins with an unquoted word.
    fn word_primary(&mut self) -> Result<ExprKind> {
        let Some(word) = self.word() else {
            return Err(self.unexpected());
        };
        let call = *self.kind_at(1) == TokenKind::Symbol('(');
        match word {
            "case" => self.case(),
            "cast" => self.cast(),
            "array" => self.array(),
            "default" => {
                self.advance();
                Ok(ExprKind::Default)
            }
            "exists" if call => {
                self.advance();
                let query = Box::new(self.parenthesised_query()?);
                Ok(ExprKind::Exists { query })
            }
            "row" if call => {
                self.advance();
                self.expect_symbol('(')?;
                let items = if self.at_symbol(')') {
                    Vec::new()
                } else {
                    self.list(Self::expr)?
                };
                self.expect_symbol(')')?;
                Ok(ExprKind::Row(items))
            }
            "current_date" | "current_time" | "current_timestamp" | "localtime" | "localtimestamp" | "current_user"
            | "session_user" | "user" | "current_role" | "current_catalog" => self.bare_function(),
            "current_schema" if !call => self.bare_function(),
            "trim" if call => self.trim(),
            "substring" if call => self.substring(),
            "extract" if call => self.extract(),
            "position" | "overlay" | "treat" | "normalize" | "grouping" | "xmlconcat" | "xmlelement" | "xmlexists"
            | "xmlforest" | "xmlparse" | "xmlpi" | "xmlroot" | "xmlserialize"
                if call =>
            {
                Err(self.unsupported(&format!("{}()", word.to_ascii_uppercase())))
            }
            "unique" => Err(self.unsupported("UNIQUE predicate")),
            word if keyword::class(word) == Class::Reserved => Err(self.unexpected()),
            word => {
                let function = keyword::class(word) != Class::ColumnName || is_function_keyword(word);
                if let Some(literal) = self.typed_literal()? {
                    return Ok(literal);
                }
                if call && !function {
                    self.advance();
                    return Err(self.unexpected());
                }
                self.named()
            }
        }
    }

    /// `int '5'`, `timestamp with time zone '…'`: a type's keyword form and a string.
    fn typed_literal(&mut self) -> Result<Option<ExprKind>> {
        let before = self.at;
        let start = self.span();
        let Ok(data_type) = self.keyword_type() else {
            self.at = before;
            return Ok(None);
        };
        let Some(kind) = data_type else { return Ok(None) };
        let span = self.since(start);
        if !matches!(self.kind(), TokenKind::String(_)) {
            self.at = before;
            return Ok(None);
        }
        self.cast_literal(DataType { kind, span }).map(Some)
    }

    /// The string behind a type's name.
    fn cast_literal(&mut self, data_type: DataType) -> Result<ExprKind> {
        let operand = Box::new(self.primary()?);
        if self.at_any(&["year", "month", "day", "hour", "minute", "second"]) {
            return Err(self.unsupported("INTERVAL with fields"));
        }
        Ok(ExprKind::Cast { operand, data_type })
    }

    /// What an index may hold: a column, a call or `(expression)`.
    pub(super) fn index_expr(&mut self) -> Result<Expr> {
        if self.at_symbol('(') {
            return self.parenthesised_expr();
        }
        let start = self.span();
        let kind = self.named()?;
        match &kind {
            ExprKind::Column(parts) if parts.len() == 1 => {}
            ExprKind::Function(_) => {}
            _ => return Err(self.syntax_error_at(start)),
        }
        Ok(Expr::new(kind, self.since(start)))
    }

    /// A column, a function call or `type 'literal'`.
    fn named(&mut self) -> Result<ExprKind> {
        let start = self.span();
        let function_only = self
            .word()
            .is_some_and(|word| keyword::class(word) == Class::FunctionOrType);
        let mut parts = vec![self.label()?];
        while self.eat_symbol('.') {
            if self.at_operator("*") {
                return Err(self.unsupported("whole-row reference"));
            }
            parts.push(self.label()?);
        }
        match self.kind() {
            TokenKind::Symbol('(') => {
                let name = self.object_of(parts)?;
                Ok(ExprKind::Function(self.call(name)?))
            }
            TokenKind::String(_) => {
                let name = self.object_of(parts)?;
                let span = self.since(start);
                let kind = self.named_type(&name);
                self.cast_literal(DataType { kind, span })
            }
            _ if function_only => Err(self.syntax_error_at(start)),
            _ if parts.len() > 3 => {
                let dotted = parts.iter().map(Name::as_str).collect::<Vec<_>>().join(".");
                let words = "cross-database references are not implemented";
                Err(SyntaxError::new(
                    "0A000",
                    format!("{words}: {dotted}"),
                    self.since(start),
                ))
            }
            _ => Ok(ExprKind::Column(parts)),
        }
    }

    /// A function's arguments and what may follow them, the cursor at `(`.
    pub(super) fn call(&mut self, name: ObjectName) -> Result<FunctionCall> {
        let mut call = FunctionCall {
            name,
            arguments: Vec::new(),
            star: false,
            distinct: false,
            filter: None,
        };
        self.expect_symbol('(')?;
        if self.eat_operator("*") {
            call.star = true;
        } else if !self.at_symbol(')') {
            call.distinct = self.eat("distinct");
            if !call.distinct {
                self.eat("all");
            }
            call.arguments = self.list(Self::argument)?;
            self.refuse("order", "ORDER BY in an aggregate")?;
        }
        self.expect_symbol(')')?;
        if self.at_words(&["within", "group"]) {
            return Err(self.unsupported("WITHIN GROUP"));
        }
        if self.at("filter") && *self.kind_at(1) == TokenKind::Symbol('(') {
            self.advance();
            self.expect_symbol('(')?;
            self.expect("where")?;
            call.filter = Some(Box::new(self.expr()?));
            self.expect_symbol(')')?;
        }
        self.refuse("over", "window function (OVER)")?;
        if self.at_symbol('.') {
            return Err(self.unsupported("field selection"));
        }
        Ok(call)
    }

    fn argument(&mut self) -> Result<Expr> {
        self.refuse("variadic", "VARIADIC")?;
        let argument = self.expr()?;
        if self.at_operator("=>") || self.at_symbol(':') {
            return Err(self.unsupported("named argument"));
        }
        Ok(argument)
    }

    /// A function that is written without parentheses.
    fn bare_function(&mut self) -> Result<ExprKind> {
        let name = self.label()?;
        let timed = matches!(
            name.as_str(),
            "current_time" | "current_timestamp" | "localtime" | "localtimestamp"
        );
        if timed && self.at_symbol('(') {
            return Err(self.unsupported(&format!("{} with a precision", name.as_str().to_ascii_uppercase())));
        }
        Ok(ExprKind::Function(plain_call(name, Vec::new())))
    }

    /// `TRIM([LEADING | TRAILING | BOTH] [characters] [FROM] text)`, as PostgreSQL's grammar rewrites it.
    fn trim(&mut self) -> Result<ExprKind> {
        let span = self.span();
        self.advance();
        self.expect_symbol('(')?;
        let function = match self.word() {
            Some("leading") => "ltrim",
            Some("trailing") => "rtrim",
            _ => "btrim",
        };
        if self.at_any(&["leading", "trailing", "both"]) {
            self.advance();
        }
        let mut arguments = if self.at("from") {
            Vec::new()
        } else {
            self.list(Self::expr)?
        };
        if self.eat("from") {
            let mut of = self.list(Self::expr)?;
            of.append(&mut arguments);
            arguments = of;
        }
        self.expect_symbol(')')?;
        let name = Name {
            span,
            ..Name::new(function)
        };
        Ok(ExprKind::Function(plain_call(name, arguments)))
    }

    /// `EXTRACT(year FROM at)` is `pg_catalog.extract('year', at)`: by its bare name it cannot be called otherwise.
    fn extract(&mut self) -> Result<ExprKind> {
        let start = self.span();
        let name = self.label()?;
        self.expect_symbol('(')?;
        let field = match self.kind() {
            TokenKind::String(_) => self.primary()?,
            _ => {
                let field = self.label()?;
                Expr::new(ExprKind::String(field.text), field.span)
            }
        };
        self.expect("from")?;
        let arguments = vec![field, self.expr()?];
        self.expect_symbol(')')?;
        let mut call = plain_call(name, arguments);
        let schema = Arc::from("pg_catalog");
        call.name.schema = Some(Name {
            text: schema,
            span: start,
        });
        Ok(ExprKind::Function(call))
    }

    /// `SUBSTRING(text FROM start FOR count)` is `substring(text, start, count)`.
    fn substring(&mut self) -> Result<ExprKind> {
        let name = self.label()?;
        self.expect_symbol('(')?;
        let mut arguments = self.list(Self::expr)?;
        self.refuse("similar", "SUBSTRING … SIMILAR")?;
        if self.eat("from") {
            arguments.push(self.expr()?);
            if self.eat("for") {
                arguments.push(self.expr()?);
            }
        } else if self.at("for") {
            return Err(self.unsupported("SUBSTRING … FOR without FROM"));
        }
        self.expect_symbol(')')?;
        Ok(ExprKind::Function(plain_call(name, arguments)))
    }

    fn case(&mut self) -> Result<ExprKind> {
        self.expect("case")?;
        let operand = if self.at("when") {
            None
        } else {
            Some(Box::new(self.expr()?))
        };
        let mut branches = Vec::new();
        while self.eat("when") {
            let condition = self.expr()?;
            self.expect("then")?;
            branches.push((condition, self.expr()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.eat("else") {
            Some(Box::new(self.expr()?))
        } else {
            None
        };
        self.expect("end")?;
        Ok(ExprKind::Case {
            operand,
            branches,
            otherwise,
        })
    }

    fn cast(&mut self) -> Result<ExprKind> {
        self.expect("cast")?;
        self.expect_symbol('(')?;
        let operand = Box::new(self.expr()?);
        self.expect("as")?;
        let data_type = self.data_type()?;
        self.expect_symbol(')')?;
        Ok(ExprKind::Cast { operand, data_type })
    }

    fn array(&mut self) -> Result<ExprKind> {
        self.expect("array")?;
        if self.at_symbol('(') {
            return Err(self.unsupported("ARRAY(query)"));
        }
        self.expect_symbol('[')?;
        if self.at_symbol('[') {
            return Err(self.unsupported("array of arrays"));
        }
        let items = if self.at_symbol(']') {
            Vec::new()
        } else {
            self.list(Self::expr)?
        };
        self.expect_symbol(']')?;
        Ok(ExprKind::Array(items))
    }

    /// `(expr)`, `(a, b)` or `(query)`.
    pub(super) fn parenthesised_expr(&mut self) -> Result<Expr> {
        let open = self.span();
        self.expect_symbol('(')?;
        let mut expr = self.inside_parentheses(open)?;
        if self.at_symbol('.') {
            return Err(self.unsupported("field selection"));
        }
        expr.span = self.since(open);
        Ok(expr)
    }

    /// What stands between parentheses, and the closing one.
    fn inside_parentheses(&mut self, open: Span) -> Result<Expr> {
        let first = match self.query_or_expr()? {
            QueryOrExpr::Query(query) => {
                self.expect_symbol(')')?;
                return Ok(Expr::new(ExprKind::Subquery(query), self.since(open)));
            }
            QueryOrExpr::Expr(expr) => expr,
        };
        if !self.at_symbol(',') {
            self.expect_symbol(')')?;
            return Ok(first);
        }
        let mut items = vec![first];
        while self.eat_symbol(',') {
            items.push(self.expr()?);
        }
        self.expect_symbol(')')?;
        Ok(Expr::new(ExprKind::Row(items), self.since(open)))
    }
}

fn constant(word: &str) -> Option<ExprKind> {
    match word {
        "null" => Some(ExprKind::Null),
        "true" => Some(ExprKind::Bool(true)),
        "false" => Some(ExprKind::Bool(false)),
        _ => None,
    }
}

fn plain_call(name: Name, arguments: Vec<Expr>) -> FunctionCall {
    FunctionCall {
        name: ObjectName { schema: None, name },
        arguments,
        star: false,
        distinct: false,
        filter: None,
    }
}
