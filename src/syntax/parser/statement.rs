//! Scripts, and which statement it is.

use super::{Parser, Result};
use crate::{Dialect, ScriptItem, Statement, SyntaxError};

impl Parser<'_> {
    /// `statement; statement; …`
    pub(crate) fn script(&mut self) -> Result<Vec<ScriptItem>> {
        let mut items = Vec::new();
        loop {
            while self.eat_symbol(';') {}
            if self.at_end() {
                return Ok(items);
            }
            items.push(self.item()?);
            if !self.at_end() && !self.at_symbol(';') {
                return Err(self.unexpected());
            }
        }
    }

    /// One statement with its attributes, and nothing after it.
    pub(crate) fn single(&mut self) -> Result<Statement> {
        while self.eat_symbol(';') {}
        let item = self.item()?;
        let end = self.span();
        let ended = self.eat_symbol(';');
        while self.eat_symbol(';') {}
        if self.at_end() {
            return Ok(item.statement);
        }
        if ended {
            let words = "cannot insert multiple commands into a prepared statement";
            return Err(SyntaxError::new("42601", words, end));
        }
        Err(self.unexpected())
    }

    /// One expression, and nothing after it.
    pub(crate) fn single_expr(&mut self) -> Result<crate::Expr> {
        let expr = self.expr()?;
        if self.at_end() {
            Ok(expr)
        } else {
            Err(self.unexpected())
        }
    }

    fn item(&mut self) -> Result<ScriptItem> {
        self.height = 0;
        let attributes = match self.dialect {
            Dialect::Scenario => self.attributes()?,
            Dialect::Postgres => Vec::new(),
        };
        let start = self.span();
        let statement = self.nest(Self::statement)?;
        Ok(ScriptItem {
            attributes,
            statement,
            span: self.since(start),
        })
    }

    pub(super) fn statement(&mut self) -> Result<Statement> {
        if self.at_symbol('(') {
            return self.query().map(|query| Statement::Query(Box::new(query)));
        }
        if self.dialect == Dialect::Scenario
            && let Some(statement) = self.scenario_statement()?
        {
            return Ok(statement);
        }
        match self.word() {
            Some("with") => self.with_statement(),
            Some("select" | "values" | "table") => self.query().map(|query| Statement::Query(Box::new(query))),
            Some("insert") => self.insert().map(|insert| Statement::Insert(Box::new(insert))),
            Some("update") => self.update().map(|update| Statement::Update(Box::new(update))),
            Some("delete") => self.delete().map(|delete| Statement::Delete(Box::new(delete))),
            Some("create") => self.create(),
            Some("drop") => self.drop_statement(),
            Some("alter") => self.alter(),
            Some("truncate") => self.truncate(),
            Some("grant" | "revoke") => self.grant(),
            Some("begin" | "start") => self.begin(),
            Some("commit" | "end") => self.commit(),
            Some("rollback" | "abort") => self.rollback(),
            Some("prepare") => self.prepare(),
            Some("savepoint") => self.savepoint(),
            Some("release") => self.release(),
            Some("set") => self.set(),
            Some("reset") => self.reset(),
            Some("show") => self.show(),
            Some("lock") => self.lock(),
            Some("explain") => self.explain(),
            Some("analyze" | "analyse") => self.analyze(),
            Some("vacuum") => self.vacuum(),
            Some(
                "call" | "checkpoint" | "close" | "cluster" | "comment" | "copy" | "deallocate" | "declare" | "discard"
                | "do" | "execute" | "fetch" | "import" | "listen" | "load" | "merge" | "move" | "notify" | "reassign"
                | "refresh" | "reindex" | "security" | "unlisten",
            ) => Err(self.unsupported_command()),
            _ => Err(self.unexpected()),
        }
    }

    /// A command that PostgreSQL has and we have not, by its first words: `CREATE VIEW`.
    pub(super) fn unsupported_command(&self) -> SyntaxError {
        let verb = self.word().unwrap_or_default().to_ascii_uppercase();
        if !matches!(verb.as_str(), "CREATE" | "ALTER" | "DROP") {
            return self.unsupported(&verb);
        }
        match self.object_words() {
            Some(object) => self.unsupported(&format!("{verb} {object}")),
            None => {
                // Not a kind of object at all.
                let at = (self.at + 1).min(self.tokens.len() - 1);
                let next = &self.tokens[at];
                match next.kind {
                    crate::token::TokenKind::End => {
                        SyntaxError::new("42601", "syntax error at end of input", next.span)
                    }
                    _ => self.syntax_error_at(next.span),
                }
            }
        }
    }

    /// The kind of object behind CREATE, ALTER or DROP.
    fn object_words(&self) -> Option<String> {
        const KINDS: [&str; 47] = [
            "access",
            "aggregate",
            "cast",
            "collation",
            "conversion",
            "database",
            "default",
            "domain",
            "event",
            "extension",
            "foreign",
            "function",
            "global",
            "group",
            "index",
            "language",
            "large",
            "local",
            "materialized",
            "operator",
            "or",
            "owned",
            "policy",
            "procedure",
            "publication",
            "recursive",
            "role",
            "routine",
            "rule",
            "schema",
            "sequence",
            "server",
            "statistics",
            "subscription",
            "system",
            "table",
            "tablespace",
            "temp",
            "temporary",
            "text",
            "transform",
            "trigger",
            "type",
            "unlogged",
            "user",
            "view",
            "constraint",
        ];
        let first = self.word_at(1).filter(|word| KINDS.contains(word))?;
        let two = matches!(
            first,
            "access"
                | "event"
                | "foreign"
                | "global"
                | "local"
                | "materialized"
                | "or"
                | "owned"
                | "recursive"
                | "temp"
                | "temporary"
                | "text"
                | "unlogged"
                | "user"
                | "default"
                | "large"
                | "constraint"
        );
        let second = self.word_at(2).filter(|_| two).unwrap_or_default();
        Some(format!("{first} {second}").trim_end().to_ascii_uppercase())
    }
}
