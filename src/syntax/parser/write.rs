//! INSERT, UPDATE, DELETE.

use super::{Parser, Result};
use crate::{
    Assignment, ConflictAction, Delete, Dialect, Expr, ExprKind, Insert, InsertSource, Name, OnConflict, Returning,
    SyntaxError, Update,
};

impl Parser<'_> {
    pub(super) fn insert(&mut self) -> Result<Insert> {
        self.expect_words(&["insert", "into"])?;
        let table = self.object_name()?;
        let alias = if self.eat("as") { Some(self.name()?) } else { None };
        let columns = if self.at_symbol('(') && !self.at_query_parenthesis() {
            self.parenthesised(Self::target)?
        } else {
            Vec::new()
        };
        self.refuse("overriding", "OVERRIDING")?;
        let source = if self.eat_words(&["default", "values"]) {
            InsertSource::DefaultValues
        } else if self.at_query() || self.at("values") || self.at_query_parenthesis() {
            InsertSource::Query(Box::new(self.query()?))
        } else {
            return Err(self.unexpected());
        };
        Ok(Insert {
            with: Vec::new(),
            table,
            alias,
            columns,
            source,
            on_conflict: self.on_conflict()?,
            returning: self.returning()?,
        })
    }

    /// A column that is written to.
    fn target(&mut self) -> Result<Name> {
        let name = self.name()?;
        if self.at_symbol('.') || self.at_symbol('[') {
            return Err(self.unsupported("assignment to a part of a column"));
        }
        Ok(name)
    }

    fn on_conflict(&mut self) -> Result<Option<OnConflict>> {
        if !self.eat_words(&["on", "conflict"]) {
            return Ok(None);
        }
        let mut target = Vec::new();
        let mut target_filter = None;
        let mut constraint = None;
        if self.eat_words(&["on", "constraint"]) {
            constraint = Some(self.name()?);
        } else if self.at_symbol('(') {
            target = self.parenthesised(Self::conflict_column)?;
            target_filter = self.filter()?;
        }
        self.expect("do")?;
        let action = if self.eat("nothing") {
            ConflictAction::Nothing
        } else {
            self.expect("update")?;
            ConflictAction::Update {
                assignments: self.assignments()?,
                filter: self.filter()?,
            }
        };
        Ok(Some(OnConflict {
            target,
            target_filter,
            constraint,
            action,
        }))
    }

    /// A column, a function call or an expression in parentheses.
    fn conflict_column(&mut self) -> Result<Expr> {
        let column = self.index_expr()?;
        if !self.at_symbol(',') && !self.at_symbol(')') {
            return Err(self.unsupported("ON CONFLICT with COLLATE or an operator class"));
        }
        Ok(column)
    }

    /// `SET a = 1, (b, c) = (2, 3)`; the second form becomes single assignments.
    fn assignments(&mut self) -> Result<Vec<Assignment>> {
        self.expect("set")?;
        let groups = self.list(|parser| {
            if parser.at_symbol('(') {
                return parser.multiple_assignment();
            }
            let column = parser.target()?;
            parser.expect_operator("=")?;
            let value = parser.expr()?;
            Ok(vec![Assignment { column, value }])
        })?;
        Ok(groups.into_iter().flatten().collect())
    }

    fn multiple_assignment(&mut self) -> Result<Vec<Assignment>> {
        let columns = self.parenthesised(Self::target)?;
        self.expect_operator("=")?;
        let start = self.span();
        let source = self.expr()?;
        let values = match source.kind {
            ExprKind::Row(values) => values,
            ExprKind::Subquery(_) => {
                return Err(SyntaxError::unsupported(
                    "assignment of a query to several columns",
                    start,
                ));
            }
            _ => {
                let words = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                return Err(SyntaxError::new("0A000", words, start));
            }
        };
        if values.len() != columns.len() {
            let words = "number of columns does not match number of values";
            return Err(SyntaxError::new("42601", words, start));
        }
        let pairs = columns.into_iter().zip(values);
        Ok(pairs.map(|(column, value)| Assignment { column, value }).collect())
    }

    fn returning(&mut self) -> Result<Option<Returning>> {
        if !self.eat("returning") {
            return Ok(None);
        }
        let items = self.list(Self::select_item)?;
        let into = match self.dialect {
            Dialect::Scenario if self.at("into") => self.target_variables()?,
            _ => Vec::new(),
        };
        Ok(Some(Returning { items, into }))
    }

    pub(super) fn update(&mut self) -> Result<Update> {
        self.expect("update")?;
        let only = self.eat("only");
        let table = self.object_name()?;
        self.eat_operator("*");
        let alias = if self.eat("as") || (self.at_name() && !self.at("set")) {
            Some(self.name()?)
        } else {
            None
        };
        Ok(Update {
            with: Vec::new(),
            table,
            only,
            alias,
            assignments: self.assignments()?,
            from: if self.eat("from") {
                self.list(Self::table_ref)?
            } else {
                Vec::new()
            },
            filter: self.filter_or_cursor()?,
            returning: self.returning()?,
        })
    }

    pub(super) fn delete(&mut self) -> Result<Delete> {
        self.expect_words(&["delete", "from"])?;
        let only = self.eat("only");
        let table = self.object_name()?;
        self.eat_operator("*");
        let alias = if self.eat("as") || self.at_name() {
            Some(self.name()?)
        } else {
            None
        };
        Ok(Delete {
            with: Vec::new(),
            table,
            only,
            alias,
            using: if self.eat("using") {
                self.list(Self::table_ref)?
            } else {
                Vec::new()
            },
            filter: self.filter_or_cursor()?,
            returning: self.returning()?,
        })
    }

    fn filter_or_cursor(&mut self) -> Result<Option<Expr>> {
        if self.at_words(&["where", "current", "of"]) {
            return Err(self.unsupported("WHERE CURRENT OF"));
        }
        self.filter()
    }
}
