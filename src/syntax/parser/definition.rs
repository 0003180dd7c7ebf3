//! CREATE, ALTER, DROP, TRUNCATE.

use base::Type;

use super::{Parser, Result};
use crate::token::TokenKind;
use crate::{
    AlterAction, ColumnDef, ConstraintKind, CreateIndex, DataTypeKind, Deferral, Expr, ExprKind, Name, OrderBy,
    ReferentialAction, Span, Statement, SyntaxError, TableConstraint,
};

impl Parser<'_> {
    // ---- CREATE

    pub(super) fn create(&mut self) -> Result<Statement> {
        match self.word_at(1) {
            Some("schema") => self.create_schema(),
            Some("table") => self.create_table(),
            Some("index" | "unique") => Ok(Statement::CreateIndex(Box::new(self.create_index()?))),
            Some("role" | "user" | "group") if self.word_at(2) != Some("mapping") => self.create_role(),
            Some("policy") => self.create_policy(),
            Some("function") => self.create_function(),
            Some("or") if self.word_at(2) == Some("replace") && self.word_at(3) == Some("function") => {
                self.create_function()
            }
            _ => Err(self.unsupported_command()),
        }
    }

    pub(super) fn if_not_exists(&mut self) -> Result<bool> {
        if !self.eat("if") {
            return Ok(false);
        }
        self.expect_words(&["not", "exists"])?;
        Ok(true)
    }

    pub(super) fn if_exists(&mut self) -> Result<bool> {
        if !self.eat("if") {
            return Ok(false);
        }
        self.expect("exists")?;
        Ok(true)
    }

    fn create_schema(&mut self) -> Result<Statement> {
        self.expect_words(&["create", "schema"])?;
        let if_not_exists = self.if_not_exists()?;
        self.refuse("authorization", "CREATE SCHEMA AUTHORIZATION")?;
        let name = self.name()?;
        self.refuse("authorization", "CREATE SCHEMA AUTHORIZATION")?;
        if self.at_any(&["create", "grant"]) {
            return Err(self.unsupported("CREATE SCHEMA with elements"));
        }
        Ok(Statement::CreateSchema { name, if_not_exists })
    }

    pub(super) fn column_def(&mut self) -> Result<ColumnDef> {
        let name = self.name()?;
        let start = self.span();
        let data_type = self.data_type()?;
        if let DataTypeKind::Known(internal @ (Type::Tid | Type::Oid | Type::Regclass)) = data_type.kind {
            return Err(SyntaxError::unsupported(
                &format!("a column of type {internal}"),
                self.since(start),
            ));
        }
        let mut column = ColumnDef {
            name,
            data_type,
            not_null: false,
            default: None,
            generated: None,
            constraints: Vec::new(),
        };
        let mut null = false;
        while !(self.at_symbol(',') || self.at_symbol(')') || self.at_end() || self.at_symbol(';')) {
            null |= self.column_constraint(&mut column)?;
            if null && column.not_null {
                let name = column.name.as_str();
                let words = format!("conflicting NULL/NOT NULL declarations for column \"{name}\"");
                return Err(SyntaxError::new("42601", words, self.span()));
            }
        }
        Ok(column)
    }

    /// One constraint of a column. True for NULL.
    pub(super) fn column_constraint(&mut self, column: &mut ColumnDef) -> Result<bool> {
        let start = self.span();
        let name = self.constraint_name()?;
        if self.eat("null") {
            return Ok(true);
        }
        if self.eat_words(&["not", "null"]) {
            column.not_null = true;
            return Ok(false);
        }
        if self.eat("default") {
            let value = self.restricted_expr()?;
            if column.default.replace(value).is_some() {
                let words = format!(
                    "multiple default values specified for column \"{}\"",
                    column.name.as_str()
                );
                return Err(SyntaxError::new("42601", words, start));
            }
            return Ok(false);
        }
        if self.eat("generated") {
            self.generated(column, start)?;
            return Ok(false);
        }
        let this = || vec![column.name.clone()];
        let kind = match self.word() {
            Some("primary") => {
                self.expect_words(&["primary", "key"])?;
                ConstraintKind::PrimaryKey(this())
            }
            Some("unique") => {
                self.advance();
                self.refuse_nulls_distinct()?;
                ConstraintKind::Unique(this())
            }
            Some("check") => self.check()?,
            Some("references") => self.references(this())?,
            Some("collate") => return Err(self.unsupported("COLLATE")),
            Some("deferrable" | "initially" | "not") if name.is_none() => {
                self.constraint_attributes(None, true)?;
                return Err(self.unexpected());
            }
            Some("storage" | "compression" | "options") => return Err(self.unsupported("column storage option")),
            _ => return Err(self.unexpected()),
        };
        let deferral = self.constraint_attributes(Some(&kind), true)?;
        let span = self.since(start);
        column.constraints.push(TableConstraint {
            name,
            kind,
            deferral,
            span,
        });
        Ok(false)
    }

    /// `ALWAYS AS (expression) STORED`
    fn generated(&mut self, column: &mut ColumnDef, start: Span) -> Result<()> {
        let always = self.eat("always");
        if !always {
            self.expect_words(&["by", "default"])?;
        }
        self.expect("as")?;
        self.refuse("identity", "identity column")?;
        if !always {
            let words = "for a generated column, GENERATED ALWAYS must be specified";
            return Err(SyntaxError::new("42601", words, start));
        }
        self.expect_symbol('(')?;
        let value = self.expr()?;
        self.expect_symbol(')')?;
        self.expect("stored")?;
        if column.generated.replace(value).is_some() {
            let words = format!(
                "multiple generation clauses specified for column \"{}\"",
                column.name.as_str()
            );
            return Err(SyntaxError::new("42601", words, start));
        }
        Ok(())
    }

    fn constraint_name(&mut self) -> Result<Option<Name>> {
        if self.eat("constraint") {
            self.name().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn at_table_constraint(&self) -> bool {
        self.at_any(&["constraint", "primary", "unique", "check", "foreign"])
            || (self.at("exclude") && (self.word_at(1) == Some("using") || *self.kind_at(1) == TokenKind::Symbol('(')))
    }

    pub(super) fn table_constraint(&mut self) -> Result<TableConstraint> {
        let start = self.span();
        let name = self.constraint_name()?;
        let kind = match self.word() {
            Some("primary") => {
                self.expect_words(&["primary", "key"])?;
                ConstraintKind::PrimaryKey(self.key_columns()?)
            }
            Some("unique") => {
                self.advance();
                self.refuse_nulls_distinct()?;
                ConstraintKind::Unique(self.key_columns()?)
            }
            Some("check") => self.check()?,
            Some("foreign") => {
                self.expect_words(&["foreign", "key"])?;
                let columns = self.names()?;
                self.references(columns)?
            }
            Some("exclude") => return Err(self.unsupported("EXCLUDE")),
            _ => return Err(self.unexpected()),
        };
        let deferral = self.constraint_attributes(Some(&kind), false)?;
        let span = self.since(start);
        Ok(TableConstraint {
            name,
            kind,
            deferral,
            span,
        })
    }

    fn key_columns(&mut self) -> Result<Vec<Name>> {
        if self.at_words(&["using", "index"]) {
            return Err(self.unsupported("constraint USING INDEX"));
        }
        let columns = self.names()?;
        self.refuse("include", "INCLUDE")?;
        self.refuse("with", "storage parameter")?;
        self.refuse("using", "USING INDEX TABLESPACE")?;
        Ok(columns)
    }

    fn refuse_nulls_distinct(&mut self) -> Result<()> {
        if self.eat_words(&["nulls", "distinct"]) {
            return Ok(());
        }
        self.refuse("nulls", "NULLS NOT DISTINCT")
    }

    fn check(&mut self) -> Result<ConstraintKind> {
        self.expect("check")?;
        self.expect_symbol('(')?;
        let condition = self.expr()?;
        self.expect_symbol(')')?;
        if self.at_words(&["no", "inherit"]) {
            return Err(self.unsupported("NO INHERIT"));
        }
        Ok(ConstraintKind::Check(condition))
    }

    fn references(&mut self, columns: Vec<Name>) -> Result<ConstraintKind> {
        self.expect("references")?;
        let table = self.object_name()?;
        let referenced = self.optional_names()?;
        if self.at_words(&["match", "full"]) || self.at_words(&["match", "partial"]) {
            return Err(self.unsupported("MATCH FULL or PARTIAL"));
        }
        self.eat_words(&["match", "simple"]);
        let mut on_delete = ReferentialAction::NoAction;
        let mut on_update = ReferentialAction::NoAction;
        while self.eat("on") {
            if self.eat("delete") {
                on_delete = self.referential_action()?;
            } else {
                self.expect("update")?;
                on_update = self.referential_action()?;
            }
        }
        Ok(ConstraintKind::ForeignKey {
            columns,
            table,
            referenced,
            on_delete,
            on_update,
        })
    }

    fn referential_action(&mut self) -> Result<ReferentialAction> {
        let action = if self.eat_words(&["no", "action"]) {
            ReferentialAction::NoAction
        } else if self.eat("restrict") {
            ReferentialAction::Restrict
        } else if self.eat("cascade") {
            ReferentialAction::Cascade
        } else if self.eat_words(&["set", "null"]) {
            ReferentialAction::SetNull
        } else if self.eat_words(&["set", "default"]) {
            ReferentialAction::SetDefault
        } else {
            return Err(self.unexpected());
        };
        if self.at_symbol('(') {
            return Err(self.unsupported("SET NULL or SET DEFAULT of some columns"));
        }
        Ok(action)
    }

    /// `[NOT] DEFERRABLE`, `INITIALLY DEFERRED | IMMEDIATE`
    /// `kind`: what they stand behind, if it is a constraint.
    fn constraint_attributes(&mut self, kind: Option<&ConstraintKind>, in_column: bool) -> Result<Deferral> {
        let start = self.span();
        let (mut deferrable, mut deferred) = (None, None);
        let takes_attributes = kind.is_some_and(|kind| !matches!(kind, ConstraintKind::Check(_)));
        loop {
            let place = self.span();
            let (clause, which, value) = if self.eat_words(&["not", "deferrable"]) {
                ("NOT DEFERRABLE", &mut deferrable, false)
            } else if self.eat("deferrable") {
                ("DEFERRABLE", &mut deferrable, true)
            } else if self.eat_words(&["initially", "immediate"]) {
                ("INITIALLY IMMEDIATE", &mut deferred, false)
            } else if self.eat_words(&["initially", "deferred"]) {
                ("INITIALLY DEFERRED", &mut deferred, true)
            } else if self.at_words(&["not", "valid"]) {
                return Err(self.unsupported("NOT VALID"));
            } else {
                break;
            };
            let refuse = |words: String| Err(SyntaxError::new("42601", words, place));
            if in_column && !takes_attributes {
                return refuse(format!("misplaced {clause} clause"));
            }
            if which.replace(value).is_some() {
                return refuse(match clause {
                    "NOT DEFERRABLE" | "DEFERRABLE" => {
                        "multiple DEFERRABLE/NOT DEFERRABLE clauses not allowed".to_owned()
                    }
                    _ => "multiple INITIALLY IMMEDIATE/DEFERRED clauses not allowed".to_owned(),
                });
            }
            if (deferrable, deferred) == (Some(false), Some(true)) {
                return refuse("constraint declared INITIALLY DEFERRED must be DEFERRABLE".to_owned());
            }
        }
        let deferral = match (deferrable, deferred) {
            (_, Some(true)) => Deferral::Deferred,
            (Some(true), _) => Deferral::Deferrable,
            _ => return Ok(Deferral::NotDeferrable),
        };
        match kind {
            Some(ConstraintKind::ForeignKey { .. }) => Ok(deferral),
            Some(ConstraintKind::Check(_)) => {
                let words = "CHECK constraints cannot be marked DEFERRABLE";
                Err(SyntaxError::new("0A000", words, start))
            }
            _ => Err(SyntaxError::unsupported("DEFERRABLE unique constraint", start)),
        }
    }

    fn create_index(&mut self) -> Result<CreateIndex> {
        self.expect("create")?;
        let unique = self.eat("unique");
        self.expect("index")?;
        self.refuse("concurrently", "CREATE INDEX CONCURRENTLY")?;
        let if_not_exists = self.if_not_exists()?;
        let name = if self.at("on") { None } else { Some(self.name()?) };
        if if_not_exists && name.is_none() {
            return Err(self.unexpected());
        }
        self.expect("on")?;
        self.refuse("only", "ONLY")?;
        let table = self.object_name()?;
        if self.eat("using") {
            let method = self.name()?;
            if method.as_str() != "btree" {
                let what = format!("access method \"{}\"", method.as_str());
                return Err(SyntaxError::unsupported(&what, method.span));
            }
        }
        let columns = self.parenthesised(Self::index_column)?;
        let included = if self.eat("include") {
            self.parenthesised(Self::included_column)?
        } else {
            Vec::new()
        };
        self.refuse("nulls", "NULLS NOT DISTINCT")?;
        let parameters = self.storage_parameters()?;
        self.refuse("tablespace", "TABLESPACE")?;
        Ok(CreateIndex {
            name,
            table,
            unique,
            if_not_exists,
            columns,
            included,
            parameters,
            filter: self.filter()?,
        })
    }

    fn included_column(&mut self) -> Result<Name> {
        let start = self.span();
        let column = self.index_column()?;
        match column.expr.kind {
            ExprKind::Column(mut parts) if parts.len() == 1 && !column.descending => Ok(parts.remove(0)),
            _ => Err(SyntaxError::unsupported("expression in INCLUDE", start)),
        }
    }

    /// A column, a function call or an expression in parentheses.
    fn index_column(&mut self) -> Result<OrderBy> {
        let expr: Expr = self.index_expr()?;
        self.refuse("collate", "COLLATE")?;
        let direction = self.at_any(&["asc", "desc", "nulls"]) || self.at_symbol(',') || self.at_symbol(')');
        if !direction && (self.at_name() || self.at_symbol('(')) {
            return Err(self.unsupported("operator class"));
        }
        self.direction(expr)
    }

    // ---- DROP and TRUNCATE

    pub(super) fn drop_statement(&mut self) -> Result<Statement> {
        let object = match self.word_at(1) {
            Some(object @ ("schema" | "table" | "index" | "role" | "user" | "group")) => object.to_owned(),
            Some("policy") => return self.drop_policy(),
            Some("function") => return self.drop_function(),
            _ => return Err(self.unsupported_command()),
        };
        if self.at_words(&["drop", "user", "mapping"]) {
            return Err(self.unsupported_command());
        }
        self.advance();
        self.advance();
        self.refuse("concurrently", "DROP INDEX CONCURRENTLY")?;
        let if_exists = self.if_exists()?;
        match object.as_str() {
            "schema" => Ok(Statement::DropSchema {
                names: self.list(Self::name)?,
                if_exists,
                cascade: self.cascade(),
            }),
            "table" => Ok(Statement::DropTable {
                names: self.list(Self::object_name)?,
                if_exists,
                cascade: self.cascade(),
            }),
            "index" => {
                let names = self.list(Self::object_name)?;
                self.refuse("cascade", "DROP INDEX CASCADE")?;
                self.eat("restrict");
                Ok(Statement::DropIndex { names, if_exists })
            }
            _ => Ok(Statement::DropRole {
                names: self.list(Self::role)?,
                if_exists,
            }),
        }
    }

    pub(super) fn cascade(&mut self) -> bool {
        let cascade = self.eat("cascade");
        if !cascade {
            self.eat("restrict");
        }
        cascade
    }

    pub(super) fn truncate(&mut self) -> Result<Statement> {
        self.expect("truncate")?;
        self.eat("table");
        self.refuse("only", "ONLY")?;
        let tables = self.list(|parser| {
            let table = parser.object_name()?;
            parser.eat_operator("*");
            Ok(table)
        })?;
        self.refuse("restart", "RESTART IDENTITY")?;
        self.eat_words(&["continue", "identity"]);
        self.refuse("cascade", "TRUNCATE CASCADE")?;
        self.eat("restrict");
        Ok(Statement::Truncate { tables })
    }

    // ---- ALTER

    pub(super) fn alter(&mut self) -> Result<Statement> {
        match self.word_at(1) {
            Some("table") => {}
            Some("policy") => return self.alter_policy(),
            Some("role" | "user") if self.word_at(2) != Some("mapping") => return self.alter_role(),
            _ => return Err(self.unsupported_command()),
        }
        self.expect_words(&["alter", "table"])?;
        self.refuse("if", "ALTER TABLE IF EXISTS")?;
        self.refuse("only", "ONLY")?;
        self.refuse("all", "ALTER TABLE ALL IN TABLESPACE")?;
        let table = self.object_name()?;
        self.eat_operator("*");
        let actions = self.list(Self::alter_action)?;
        Ok(Statement::AlterTable { table, actions })
    }

    fn alter_action(&mut self) -> Result<AlterAction> {
        if let Some(change) = self.row_security() {
            return Ok(AlterAction::RowSecurity(change));
        }
        if self.eat_words(&["owner", "to"]) {
            return self.role_ref().map(AlterAction::Owner);
        }
        if self.eat_words(&["attach", "partition"]) {
            let partition = self.object_name()?;
            return Ok(AlterAction::AttachPartition(partition, self.partition_bound()?));
        }
        if self.eat_words(&["detach", "partition"]) {
            let partition = self.object_name()?;
            self.refuse("concurrently", "DETACH PARTITION CONCURRENTLY")?;
            self.refuse("finalize", "DETACH PARTITION FINALIZE")?;
            return Ok(AlterAction::DetachPartition(partition));
        }
        match self.word() {
            Some("add") => self.alter_add(),
            Some("drop") => self.alter_drop(),
            Some("alter") => self.alter_column(),
            Some(
                word @ ("rename" | "enable" | "disable" | "force" | "no" | "set" | "reset" | "validate" | "inherit"
                | "cluster" | "replica" | "of" | "not"),
            ) => Err(self.unsupported(&format!("ALTER TABLE … {}", word.to_ascii_uppercase()))),
            _ => Err(self.unexpected()),
        }
    }

    fn alter_add(&mut self) -> Result<AlterAction> {
        self.expect("add")?;
        if self.at_table_constraint() {
            return self.table_constraint().map(AlterAction::AddConstraint);
        }
        self.eat("column");
        let if_not_exists = self.if_not_exists()?;
        let column = self.column_def()?;
        Ok(AlterAction::AddColumn { column, if_not_exists })
    }

    fn alter_drop(&mut self) -> Result<AlterAction> {
        self.expect("drop")?;
        let constraint = self.eat("constraint");
        if !constraint {
            self.eat("column");
        }
        let if_exists = self.if_exists()?;
        let name = self.name()?;
        let cascade = self.cascade();
        Ok(if constraint {
            AlterAction::DropConstraint {
                name,
                if_exists,
                cascade,
            }
        } else {
            AlterAction::DropColumn {
                name,
                if_exists,
                cascade,
            }
        })
    }

    fn alter_column(&mut self) -> Result<AlterAction> {
        self.expect("alter")?;
        self.refuse("constraint", "ALTER CONSTRAINT")?;
        self.eat("column");
        let name = self.name()?;
        if self.eat_words(&["set", "default"]) {
            return Ok(AlterAction::SetDefault(name, self.expr()?));
        }
        if self.eat_words(&["drop", "default"]) {
            return Ok(AlterAction::DropDefault(name));
        }
        if self.eat_words(&["set", "not", "null"]) {
            return Ok(AlterAction::SetNotNull(name));
        }
        if self.eat_words(&["drop", "not", "null"]) {
            return Ok(AlterAction::DropNotNull(name));
        }
        if self.at("type") || self.at_words(&["set", "data", "type"]) {
            return Err(self.unsupported("ALTER COLUMN … TYPE"));
        }
        if self.at_any(&["set", "drop", "add", "reset", "restart"]) {
            return Err(self.unsupported("this form of ALTER COLUMN"));
        }
        Err(self.unexpected())
    }
}
