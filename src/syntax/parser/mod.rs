//! Tokens → tree: recursive descent, with precedence climbing for expressions.
//!
//! One file per part of the grammar: `statement` (which one), `query`, `write`, `definition`, `access` (roles,
//! privileges, policies), `session` (transactions, settings), `scenario` (what only scenarios have), `expression`
//! (operators), `operand`, `data_type`. This file holds the cursor they share.
//!
//! **Depth.** Both the parser's own recursion and the height of the tree that it returns are
//! limited, so that neither parsing nor walking, cloning or dropping a tree can overflow a small
//! stack: see [`Parser::nest`].

mod access;
mod create_table;
mod data_type;
mod definition;
mod expression;
mod function;
mod name;
mod operand;
mod query;
mod scenario;
mod session;
mod statement;
mod table;
mod write;

pub(crate) use data_type::type_text;
pub(crate) use expression::Precedence;

use crate::token::{Token, TokenKind, tokenize};
use crate::{Dialect, Span, SyntaxError};

pub(crate) type Result<T> = std::result::Result<T, SyntaxError>;

/// How deep the parser may recurse: a call of `nest` takes up to 3.6 KB of stack.
const MAX_DEPTH: u32 = 150;

/// How high a tree may be: walkers take far less stack per level.
const MAX_HEIGHT: u32 = 400;

pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    dialect: Dialect,
    /// Enclosing calls of `nest`.
    depth: u32,
    /// The height of the tallest tree that the innermost `nest` has finished so far.
    height: u32,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, dialect: Dialect) -> Parser<'a> {
        Parser {
            text,
            tokens: tokenize(text),
            at: 0,
            dialect,
            depth: 0,
            height: 0,
        }
    }

    // ---- depth

    /// Every recursion goes through here. Depth counts what encloses; height, what is enclosed: a
    /// long chain `a + b + c …` is parsed by a loop, yet makes a tall tree (see `grow`).
    fn nest<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        let enclosing = std::mem::replace(&mut self.height, 0);
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        self.height += 1;
        if self.height > MAX_HEIGHT && result.is_ok() {
            return Err(self.too_deep());
        }
        self.height = self.height.max(enclosing);
        result
    }

    /// A node was put on top of what the innermost `nest` has parsed so far.
    fn grow(&mut self, levels: u32) -> Result<()> {
        self.height += levels;
        if self.height > MAX_HEIGHT {
            return Err(self.too_deep());
        }
        Ok(())
    }

    fn too_deep(&self) -> SyntaxError {
        SyntaxError::new("54001", "stack depth limit exceeded", self.span())
    }

    // ---- the cursor

    fn kind(&self) -> &TokenKind {
        &self.tokens[self.at].kind
    }

    /// The kind of the `n`-th token after the next one.
    fn kind_at(&self, n: usize) -> &TokenKind {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + n).min(last)].kind
    }

    fn span(&self) -> Span {
        self.tokens[self.at].span
    }

    fn source(&self, span: Span) -> &'a str {
        &self.text[span.start as usize..span.end as usize]
    }

    fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    /// From a start to the end of the token before the cursor.
    fn since(&self, start: Span) -> Span {
        let end = self.tokens[self.at.saturating_sub(1)].span.end;
        Span {
            start: start.start,
            end: end.max(start.start),
        }
    }

    fn word(&self) -> Option<&str> {
        self.word_at(0)
    }

    fn word_at(&self, n: usize) -> Option<&str> {
        match self.kind_at(n) {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn at(&self, keyword: &str) -> bool {
        self.word() == Some(keyword)
    }

    fn at_any(&self, keywords: &[&str]) -> bool {
        self.word().is_some_and(|word| keywords.contains(&word))
    }

    /// The next words are these.
    fn at_words(&self, keywords: &[&str]) -> bool {
        keywords
            .iter()
            .enumerate()
            .all(|(n, keyword)| self.word_at(n) == Some(keyword))
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let found = self.at(keyword);
        if found {
            self.advance();
        }
        found
    }

    fn eat_words(&mut self, keywords: &[&str]) -> bool {
        let found = self.at_words(keywords);
        if found {
            keywords.iter().for_each(|_| self.advance());
        }
        found
    }

    fn expect(&mut self, keyword: &str) -> Result<()> {
        if self.eat(keyword) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn expect_words(&mut self, keywords: &[&str]) -> Result<()> {
        keywords.iter().try_for_each(|keyword| self.expect(keyword))
    }

    fn at_symbol(&self, symbol: char) -> bool {
        *self.kind() == TokenKind::Symbol(symbol)
    }

    fn eat_symbol(&mut self, symbol: char) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: char) -> Result<()> {
        if self.eat_symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// The next token is an operator: its text.
    fn operator(&self) -> Option<&'a str> {
        (*self.kind() == TokenKind::Operator).then(|| self.source(self.span()))
    }

    fn at_operator(&self, operator: &str) -> bool {
        self.operator() == Some(operator)
    }

    fn eat_operator(&mut self, operator: &str) -> bool {
        let found = self.at_operator(operator);
        if found {
            self.advance();
        }
        found
    }

    fn expect_operator(&mut self, operator: &str) -> Result<()> {
        if self.eat_operator(operator) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn at_end(&self) -> bool {
        matches!(self.kind(), TokenKind::End)
    }

    // ---- lists

    /// `item, item, …`
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_symbol(',') {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `(item, item, …)`
    fn parenthesised<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_symbol('(')?;
        let items = self.list(item)?;
        self.expect_symbol(')')?;
        Ok(items)
    }

    // ---- refusals

    /// PostgreSQL's words for a token that fits no rule.
    fn unexpected(&self) -> SyntaxError {
        let span = self.span();
        match self.kind() {
            TokenKind::Error(error) => (**error).clone(),
            TokenKind::Unsupported(what) => SyntaxError::unsupported(what, span),
            TokenKind::End => SyntaxError::new("42601", "syntax error at end of input", span),
            _ => self.syntax_error_at(span),
        }
    }

    fn syntax_error_at(&self, span: Span) -> SyntaxError {
        let message = format!("syntax error at or near \"{}\"", self.source(span));
        SyntaxError::new("42601", message, span)
    }

    /// The construct that starts at the cursor is not supported.
    fn unsupported(&self, construct: &str) -> SyntaxError {
        SyntaxError::unsupported(construct, self.span())
    }

    /// Refuses the construct if one of its first words is next.
    fn refuse(&self, keyword: &str, construct: &str) -> Result<()> {
        if self.at(keyword) {
            Err(self.unsupported(construct))
        } else {
            Ok(())
        }
    }
}
