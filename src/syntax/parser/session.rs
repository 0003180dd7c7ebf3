//! Transactions, settings and what else concerns a session.

use std::sync::Arc;

use super::{Parser, Result};
use crate::token::TokenKind;
use crate::{Expr, ExprKind, IsolationLevel, LockMode, Name, Statement, SyntaxError, TransactionModes, UnaryOperator};

impl Parser<'_> {
    // ---- transactions

    pub(super) fn begin(&mut self) -> Result<Statement> {
        if self.eat("start") {
            self.expect("transaction")?;
        } else {
            self.expect("begin")?;
            self.work();
        }
        let modes = self.transaction_modes(false)?;
        Ok(Statement::Begin { modes })
    }

    /// The noise words WORK and TRANSACTION.
    fn work(&mut self) {
        if !self.eat("work") {
            self.eat("transaction");
        }
    }

    pub(super) fn commit(&mut self) -> Result<Statement> {
        self.advance();
        if self.eat("prepared") {
            return self.identifier_of_prepared().map(Statement::CommitPrepared);
        }
        self.work();
        Ok(Statement::Commit { chain: self.chain()? })
    }

    pub(super) fn rollback(&mut self) -> Result<Statement> {
        self.advance();
        if self.eat("prepared") {
            return self.identifier_of_prepared().map(Statement::RollbackPrepared);
        }
        self.work();
        if self.eat("to") {
            self.eat("savepoint");
            return self.name().map(Statement::RollbackTo);
        }
        Ok(Statement::Rollback { chain: self.chain()? })
    }

    /// `AND NO CHAIN` is the default.
    fn chain(&mut self) -> Result<bool> {
        if !self.eat("and") {
            return Ok(false);
        }
        let chain = !self.eat("no");
        self.expect("chain")?;
        Ok(chain)
    }

    /// `PREPARE TRANSACTION 'identifier'`; a prepared statement is refused by name.
    pub(super) fn prepare(&mut self) -> Result<Statement> {
        if self.word_at(1) != Some("transaction") {
            return Err(self.unsupported_command());
        }
        self.advance();
        self.advance();
        self.identifier_of_prepared().map(Statement::PrepareTransaction)
    }

    fn identifier_of_prepared(&mut self) -> Result<Arc<str>> {
        let TokenKind::String(id) = self.kind() else {
            return Err(self.unexpected());
        };
        let id = id.clone();
        self.advance();
        Ok(id)
    }

    pub(super) fn savepoint(&mut self) -> Result<Statement> {
        self.expect("savepoint")?;
        self.name().map(Statement::Savepoint)
    }

    pub(super) fn release(&mut self) -> Result<Statement> {
        self.expect("release")?;
        self.eat("savepoint");
        self.name().map(Statement::Release)
    }

    fn transaction_modes(&mut self, required: bool) -> Result<TransactionModes> {
        let mut modes = TransactionModes::default();
        let mut first = true;
        loop {
            let comma = !first && self.eat_symbol(',');
            if self.eat_words(&["isolation", "level"]) {
                modes.isolation = Some(self.isolation_level()?);
            } else if self.eat_words(&["read", "only"]) {
                modes.read_only = Some(true);
            } else if self.eat_words(&["read", "write"]) {
                modes.read_only = Some(false);
            } else if self.eat("deferrable") {
                modes.deferrable = Some(true);
            } else if self.eat_words(&["not", "deferrable"]) {
                modes.deferrable = Some(false);
            } else if comma || (first && required) {
                return Err(self.unexpected());
            } else {
                return Ok(modes);
            }
            first = false;
        }
    }

    fn isolation_level(&mut self) -> Result<IsolationLevel> {
        if self.eat("serializable") {
            return Ok(IsolationLevel::Serializable);
        }
        if self.eat_words(&["repeatable", "read"]) {
            return Ok(IsolationLevel::RepeatableRead);
        }
        self.expect("read")?;
        if !self.eat("committed") {
            self.expect("uncommitted")?;
        }
        Ok(IsolationLevel::ReadCommitted)
    }

    // ---- settings

    pub(super) fn set(&mut self) -> Result<Statement> {
        self.expect("set")?;
        if self.eat("constraints") {
            let names = if self.eat("all") {
                Vec::new()
            } else {
                self.list(Self::object_name)?
            };
            let deferred = self.eat("deferred");
            if !deferred {
                self.expect("immediate")?;
            }
            return Ok(Statement::SetConstraints { names, deferred });
        }
        if self.eat("transaction") {
            self.refuse("snapshot", "SET TRANSACTION SNAPSHOT")?;
            let modes = self.transaction_modes(true)?;
            return Ok(Statement::SetTransaction { modes, session: false });
        }
        if self.eat_words(&["session", "characteristics", "as", "transaction"]) {
            let modes = self.transaction_modes(true)?;
            return Ok(Statement::SetTransaction { modes, session: true });
        }
        let local = self.eat("local");
        let scope = !local && self.at("session") && !matches!(self.word_at(1), None | Some("to" | "authorization"));
        if scope {
            self.advance();
        }
        self.setting(local)
    }

    fn setting(&mut self, local: bool) -> Result<Statement> {
        let start = self.span();
        if self.at("role") && self.word_at(1) != Some("to") && *self.kind_at(1) != TokenKind::Operator {
            self.advance();
            return self.set_role(local, "role", "none", start);
        }
        if self.eat_words(&["session", "authorization"]) {
            return self.set_role(local, "session_authorization", "default", start);
        }
        if self.eat_words(&["time", "zone"]) {
            let name = Name {
                span: start,
                ..Name::new("timezone")
            };
            let value = if self.at_any(&["default", "local"]) {
                self.advance();
                None
            } else {
                Some(vec![self.setting_value()?])
            };
            return Ok(Statement::Set { local, name, value });
        }
        if self.at_any(&["schema", "names", "catalog", "xml"])
            && !matches!(self.word_at(1), Some("to"))
            && *self.kind_at(1) != TokenKind::Operator
        {
            return Err(self.unsupported("SET SCHEMA, NAMES, CATALOG or XML"));
        }
        let name = self.setting_name()?;
        if !self.eat("to") {
            self.expect_operator("=")?;
        }
        let value = if self.eat("default") {
            None
        } else {
            Some(self.list(Self::setting_value)?)
        };
        Ok(Statement::Set { local, name, value })
    }

    /// `SET ROLE r`, `SET SESSION AUTHORIZATION r`: settings by another name.
    fn set_role(&mut self, local: bool, setting: &str, unset: &str, start: crate::Span) -> Result<Statement> {
        let value_span = self.span();
        let role = if let TokenKind::String(text) = self.kind() {
            let text = text.clone();
            self.advance();
            Some(text)
        } else if self.eat(unset) {
            None
        } else {
            Some(self.role()?.text)
        };
        let span = self.since(start);
        let name = Name {
            span,
            ..Name::new(setting)
        };
        let value = role.map(|role| vec![Expr::new(ExprKind::String(role), value_span)]);
        Ok(Statement::Set { local, name, value })
    }

    /// `name` or `custom.name`, as one name.
    fn setting_name(&mut self) -> Result<Name> {
        let mut name = self.name()?;
        while self.eat_symbol('.') {
            let part = self.name()?;
            let span = name.span.to(part.span);
            name = Name {
                span,
                ..Name::new(format!("{}.{}", name.as_str(), part.as_str()))
            };
        }
        Ok(name)
    }

    /// A string, a word (which means the string), or a number with its sign.
    fn setting_value(&mut self) -> Result<Expr> {
        let start = self.span();
        let kind = match self.kind() {
            TokenKind::String(text) => ExprKind::String(text.clone()),
            TokenKind::Number(digits) => ExprKind::Number(digits.clone()),
            TokenKind::Word(word) if matches!(&**word, "true" | "false" | "on") => ExprKind::String(word.clone()),
            TokenKind::Operator if self.at_operator("-") || self.at_operator("+") => {
                let minus = self.at_operator("-");
                self.advance();
                let number = self.setting_value()?;
                if !matches!(number.kind, ExprKind::Number(_)) {
                    return Err(self.syntax_error_at(number.span));
                }
                if !minus {
                    return Ok(number);
                }
                let kind = ExprKind::Unary {
                    operator: UnaryOperator::Minus,
                    operand: Box::new(number),
                };
                return Ok(Expr::new(kind, self.since(start)));
            }
            _ => {
                let name = self.setting_word()?;
                return Ok(Expr::new(ExprKind::String(name.text), start));
            }
        };
        self.advance();
        Ok(Expr::new(kind, start))
    }

    fn setting_word(&mut self) -> Result<Name> {
        use crate::keyword::Class;
        self.name_of(&[Class::Free, Class::ColumnName, Class::FunctionOrType])
    }

    /// `RESET name` is `SET name TO DEFAULT`.
    pub(super) fn reset(&mut self) -> Result<Statement> {
        self.expect("reset")?;
        self.refuse("all", "RESET ALL")?;
        let start = self.span();
        let name = if self.eat_words(&["time", "zone"]) {
            Name {
                span: start,
                ..Name::new("timezone")
            }
        } else if self.eat_words(&["transaction", "isolation", "level"]) {
            Name {
                span: start,
                ..Name::new("transaction_isolation")
            }
        } else if self.eat_words(&["session", "authorization"]) {
            Name {
                span: start,
                ..Name::new("session_authorization")
            }
        } else {
            self.setting_name()?
        };
        Ok(Statement::Set {
            local: false,
            name,
            value: None,
        })
    }

    pub(super) fn show(&mut self) -> Result<Statement> {
        self.expect("show")?;
        let span = self.span();
        let long = [
            (&["time", "zone"][..], "timezone"),
            (&["transaction", "isolation", "level"], "transaction_isolation"),
            (&["session", "authorization"], "session_authorization"),
            (&["all"], "all"),
        ];
        for (words, name) in long {
            if self.eat_words(words) {
                return Ok(Statement::Show(Name {
                    span,
                    ..Name::new(name)
                }));
            }
        }
        self.setting_name().map(Statement::Show)
    }

    // ---- locks, plans, upkeep

    pub(super) fn lock(&mut self) -> Result<Statement> {
        self.expect("lock")?;
        self.eat("table");
        self.refuse("only", "ONLY")?;
        let tables = self.list(|parser| {
            let table = parser.object_name()?;
            parser.eat_operator("*");
            Ok(table)
        })?;
        let mode = if self.eat("in") {
            self.lock_mode()?
        } else {
            LockMode::AccessExclusive
        };
        Ok(Statement::Lock {
            tables,
            mode,
            nowait: self.eat("nowait"),
        })
    }

    fn lock_mode(&mut self) -> Result<LockMode> {
        let modes = [
            (&["access", "share"][..], LockMode::AccessShare),
            (&["row", "share"], LockMode::RowShare),
            (&["row", "exclusive"], LockMode::RowExclusive),
            (&["share", "update", "exclusive"], LockMode::ShareUpdateExclusive),
            (&["share", "row", "exclusive"], LockMode::ShareRowExclusive),
            (&["share"], LockMode::Share),
            (&["exclusive"], LockMode::Exclusive),
            (&["access", "exclusive"], LockMode::AccessExclusive),
        ];
        for (words, mode) in modes {
            if self.eat_words(words) {
                self.expect("mode")?;
                return Ok(mode);
            }
        }
        Err(self.unexpected())
    }

    pub(super) fn explain(&mut self) -> Result<Statement> {
        self.expect("explain")?;
        if self.at_symbol('(') && !self.at_query_parenthesis() {
            return Err(self.unsupported("EXPLAIN with options"));
        }
        let analyze = self.eat("analyze") || self.eat("analyse");
        self.refuse("verbose", "EXPLAIN VERBOSE")?;
        let start = self.span();
        let statement = Box::new(self.nest(Self::statement)?);
        match *statement {
            Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => {
                Ok(Statement::Explain { analyze, statement })
            }
            _ => Err(SyntaxError::new(
                "42601",
                format!("syntax error at or near \"{}\"", self.source(start)),
                start,
            )),
        }
    }

    pub(super) fn analyze(&mut self) -> Result<Statement> {
        self.advance();
        Ok(Statement::Analyze {
            table: self.maintained_table("ANALYZE")?,
        })
    }

    pub(super) fn vacuum(&mut self) -> Result<Statement> {
        self.advance();
        Ok(Statement::Vacuum {
            table: self.maintained_table("VACUUM")?,
        })
    }

    fn maintained_table(&mut self, command: &str) -> Result<Option<crate::ObjectName>> {
        if self.at_symbol('(') || self.at_any(&["full", "freeze", "verbose", "analyze", "analyse"]) {
            return Err(self.unsupported(&format!("{command} with options")));
        }
        if !self.at_name() {
            return Ok(None);
        }
        let table = self.object_name()?;
        if self.at_symbol('(') || self.at_symbol(',') {
            return Err(self.unsupported(&format!("{command} of columns or several tables")));
        }
        Ok(Some(table))
    }
}
