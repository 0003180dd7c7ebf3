//! CREATE TABLE in its forms: by columns, by a query, as a partition.

use std::sync::Arc;

use super::{Parser, Result};
use crate::token::TokenKind;
use crate::{
    ColumnDef, CreateTable, CreateTableAs, ObjectName, PartitionBound, PartitionBy, PartitionOf, PartitionStrategy,
    Statement, StorageParameter, SyntaxError, TableConstraint,
};

impl Parser<'_> {
    pub(super) fn create_table(&mut self) -> Result<Statement> {
        self.expect_words(&["create", "table"])?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name()?;
        if self.at_words(&["partition", "of"]) {
            return self.create_partition(name, if_not_exists);
        }
        self.refuse("of", "CREATE TABLE OF")?;
        let names_only = self.at_symbol('(') && matches!(self.kind_at(2), TokenKind::Symbol(',' | ')'));
        let bare = self.at("as") || (self.at("with") && *self.kind_at(1) == TokenKind::Symbol('('));
        if names_only || bare {
            return self.create_table_as(name, if_not_exists);
        }
        let (columns, constraints) = self.table_elements()?;
        let inherits = if self.eat("inherits") {
            self.parenthesised(Self::object_name)?
        } else {
            Vec::new()
        };
        let partition_by = self.partition_by()?;
        let parameters = self.table_options()?;
        Ok(Statement::CreateTable(Box::new(CreateTable {
            name,
            if_not_exists,
            columns,
            constraints,
            inherits,
            partition_of: None,
            partition_by,
            parameters,
        })))
    }

    fn table_elements(&mut self) -> Result<(Vec<ColumnDef>, Vec<TableConstraint>)> {
        let mut columns = Vec::new();
        let mut constraints = Vec::new();
        self.expect_symbol('(')?;
        if !self.at_symbol(')') {
            self.list(|parser| {
                parser.refuse("like", "CREATE TABLE … LIKE")?;
                if parser.at_table_constraint() {
                    constraints.push(parser.table_constraint()?);
                } else {
                    columns.push(parser.column_def()?);
                }
                Ok(())
            })?;
        }
        self.expect_symbol(')')?;
        Ok((columns, constraints))
    }

    fn table_options(&mut self) -> Result<Vec<StorageParameter>> {
        self.refuse("using", "table access method")?;
        let parameters = self.storage_parameters()?;
        for (keyword, construct) in [
            ("without", "WITHOUT OIDS"),
            ("on", "ON COMMIT"),
            ("tablespace", "TABLESPACE"),
        ] {
            self.refuse(keyword, construct)?;
        }
        Ok(parameters)
    }

    /// `PARTITION OF parent [(constraints)] FOR VALUES …`
    fn create_partition(&mut self, name: ObjectName, if_not_exists: bool) -> Result<Statement> {
        self.expect_words(&["partition", "of"])?;
        let parent = self.object_name()?;
        let constraints = if self.at_symbol('(') {
            self.parenthesised(|parser| {
                if !parser.at_table_constraint() {
                    return Err(parser.unsupported("column option of a partition"));
                }
                parser.table_constraint()
            })?
        } else {
            Vec::new()
        };
        let bound = self.partition_bound()?;
        let partition_by = self.partition_by()?;
        let parameters = self.table_options()?;
        Ok(Statement::CreateTable(Box::new(CreateTable {
            name,
            if_not_exists,
            columns: Vec::new(),
            constraints,
            inherits: Vec::new(),
            partition_of: Some(PartitionOf { parent, bound }),
            partition_by,
            parameters,
        })))
    }

    /// `PARTITION BY strategy (keys)`
    fn partition_by(&mut self) -> Result<Option<PartitionBy>> {
        if !self.eat_words(&["partition", "by"]) {
            return Ok(None);
        }
        let start = self.span();
        let strategy = match self.name()?.as_str() {
            "list" => PartitionStrategy::List,
            "range" => PartitionStrategy::Range,
            "hash" => PartitionStrategy::Hash,
            other => {
                let words = format!("unrecognized partitioning strategy \"{other}\"");
                return Err(SyntaxError::new("22023", words, start));
            }
        };
        let keys = self.parenthesised(|parser| {
            let key = parser.index_expr()?;
            parser.refuse("collate", "COLLATE")?;
            if parser.at_name() {
                return Err(parser.unsupported("operator class"));
            }
            Ok(key)
        })?;
        Ok(Some(PartitionBy { strategy, keys }))
    }

    /// `DEFAULT`, `FOR VALUES IN (…) | FROM (…) TO (…) | WITH (MODULUS m, REMAINDER r)`
    pub(super) fn partition_bound(&mut self) -> Result<PartitionBound> {
        if self.eat("default") {
            return Ok(PartitionBound::Default);
        }
        self.expect_words(&["for", "values"])?;
        if self.eat("in") {
            return self.parenthesised(Self::expr).map(PartitionBound::In);
        }
        if self.eat("from") {
            let from = self.parenthesised(Self::expr)?;
            self.expect("to")?;
            let to = self.parenthesised(Self::expr)?;
            return Ok(PartitionBound::Range { from, to });
        }
        self.expect("with")?;
        self.expect_symbol('(')?;
        self.expect("modulus")?;
        let modulus = self.small_number()?;
        self.expect_symbol(',')?;
        self.expect("remainder")?;
        let remainder = self.small_number()?;
        self.expect_symbol(')')?;
        Ok(PartitionBound::Hash { modulus, remainder })
    }

    fn small_number(&mut self) -> Result<u32> {
        let number = match self.kind() {
            TokenKind::Number(digits) => digits.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected())?;
        self.advance();
        Ok(number)
    }

    /// `[(names)] [WITH (…)] AS query [WITH [NO] DATA]`
    fn create_table_as(&mut self, name: ObjectName, if_not_exists: bool) -> Result<Statement> {
        let columns = self.optional_names()?;
        let parameters = self.storage_parameters()?;
        self.expect("as")?;
        self.refuse("execute", "CREATE TABLE AS EXECUTE")?;
        let query = self.query()?;
        let mut data = true;
        if self.eat("with") {
            data = !self.eat("no");
            self.expect("data")?;
        }
        Ok(Statement::CreateTableAs(Box::new(CreateTableAs {
            name,
            if_not_exists,
            columns,
            parameters,
            query,
            data,
        })))
    }

    /// `WITH (name = value, …)`
    pub(super) fn storage_parameters(&mut self) -> Result<Vec<StorageParameter>> {
        if !self.at("with") || *self.kind_at(1) != TokenKind::Symbol('(') {
            return Ok(Vec::new());
        }
        self.advance();
        self.parenthesised(|parser| {
            let name = parser.label()?;
            if parser.at_symbol('.') {
                return Err(parser.unsupported("storage parameter of a TOAST table"));
            }
            let value = if parser.eat_operator("=") {
                Some(parser.parameter_value()?)
            } else {
                None
            };
            Ok(StorageParameter { name, value })
        })
    }

    /// A number, a word or a string.
    fn parameter_value(&mut self) -> Result<Arc<str>> {
        let value: Arc<str> = match self.kind() {
            TokenKind::Number(text) | TokenKind::Word(text) | TokenKind::Quoted(text) | TokenKind::String(text) => {
                (&**text).into()
            }
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(value)
    }
}
