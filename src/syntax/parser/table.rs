//! FROM: tables, subqueries, functions and joins.

use super::{Parser, Result};
use crate::token::TokenKind;
use crate::{JoinCondition, JoinKind, Query, QueryBody, Span, SyntaxError, TableAlias, TableRef};

impl Parser<'_> {
    pub(super) fn table_ref(&mut self) -> Result<TableRef> {
        self.nest(|parser| {
            let first = parser.table_primary()?;
            parser.joins(first)
        })
    }

    /// `left JOIN right …`
    fn joins(&mut self, mut left: TableRef) -> Result<TableRef> {
        while let Some((kind, natural)) = self.join_kind()? {
            left = self.join(left, kind, natural)?;
        }
        Ok(left)
    }

    /// The cursor behind JOIN.
    fn join(&mut self, left: TableRef, kind: JoinKind, natural: bool) -> Result<TableRef> {
        let mut right = self.table_primary()?;
        let condition = if kind == JoinKind::Cross {
            JoinCondition::None
        } else if natural {
            JoinCondition::Natural
        } else {
            if !self.at_any(&["on", "using"]) {
                right = self.nest(|parser| parser.inner_joins(right))?;
            }
            self.join_condition()?
        };
        self.grow(1)?;
        Ok(TableRef::Join {
            left: Box::new(left),
            right: Box::new(right),
            kind,
            condition,
        })
    }

    /// `a JOIN b JOIN c ON … ON …`: what comes before the condition belongs to the right side.
    fn inner_joins(&mut self, mut left: TableRef) -> Result<TableRef> {
        while !self.at_any(&["on", "using"]) {
            let Some((kind, natural)) = self.join_kind()? else {
                return Err(self.unexpected());
            };
            left = self.join(left, kind, natural)?;
        }
        Ok(left)
    }

    fn join_kind(&mut self) -> Result<Option<(JoinKind, bool)>> {
        let natural = self.at("natural");
        let first = self.word_at(usize::from(natural));
        let (kind, outer) = match first {
            Some("join" | "inner") => (JoinKind::Inner, false),
            Some("left") => (JoinKind::Left, true),
            Some("right") => (JoinKind::Right, true),
            Some("full") => (JoinKind::Full, true),
            Some("cross") if !natural => (JoinKind::Cross, false),
            _ if natural => {
                self.advance();
                return Err(self.unexpected());
            }
            _ => return Ok(None),
        };
        if natural {
            self.advance();
        }
        if !self.at("join") {
            self.advance();
            if outer {
                self.eat("outer");
            }
        }
        self.expect("join")?;
        Ok(Some((kind, natural)))
    }

    fn join_condition(&mut self) -> Result<JoinCondition> {
        if self.eat("on") {
            return self.expr().map(JoinCondition::On);
        }
        self.expect("using")?;
        let columns = self.names()?;
        self.refuse("as", "JOIN USING … AS")?;
        Ok(JoinCondition::Using(columns))
    }

    fn table_primary(&mut self) -> Result<TableRef> {
        if self.at_symbol('(') {
            return self.nest(Self::parenthesised_table);
        }
        self.refuse("lateral", "LATERAL")?;
        if self.eat("only") {
            let open = self.eat_symbol('(');
            let name = self.object_name()?;
            if open {
                self.expect_symbol(')')?;
            }
            let alias = self.alias()?;
            return Ok(TableRef::Table {
                name,
                only: true,
                alias,
            });
        }
        if self.at_words(&["rows", "from"]) && *self.kind_at(2) == TokenKind::Symbol('(') {
            return Err(self.unsupported("ROWS FROM"));
        }
        self.refuse("xmltable", "XMLTABLE")?;
        let start = self.span();
        let name = self.object_name()?;
        if self.at_symbol('(') {
            let call = self.call(name)?;
            if call.star || call.distinct || call.filter.is_some() {
                return Err(self.syntax_error_at(start));
            }
            let span = self.since(start);
            if self.at_words(&["with", "ordinality"]) {
                return Err(self.unsupported("WITH ORDINALITY"));
            }
            return Ok(TableRef::Function {
                name: call.name,
                arguments: call.arguments,
                alias: self.alias()?,
                span,
            });
        }
        self.eat_operator("*");
        let alias = self.alias()?;
        self.refuse("tablesample", "TABLESAMPLE")?;
        Ok(TableRef::Table {
            name,
            only: false,
            alias,
        })
    }

    /// `(query) alias`, or `(a JOIN b …)`.
    fn parenthesised_table(&mut self) -> Result<TableRef> {
        let open = self.span();
        self.expect_symbol('(')?;
        if self.at_query() {
            let query = self.query()?;
            self.expect_symbol(')')?;
            return self.derived(query, open);
        }
        if !self.at_query_parenthesis() {
            let inner = self.table_ref()?;
            return self.close_join(inner);
        }
        match self.query_or_table()? {
            QueryOrTable::Query(query) => {
                self.expect_symbol(')')?;
                self.derived(query, open)
            }
            QueryOrTable::Table(first) => {
                let inner = self.joins(first)?;
                self.close_join(inner)
            }
        }
    }

    /// Two opening parentheses and a query: `((SELECT …) UNION …) a` or `((SELECT …) a JOIN …)`.
    fn query_or_table(&mut self) -> Result<QueryOrTable> {
        self.nest(|parser| {
            let open = parser.span();
            parser.expect_symbol('(')?;
            let query = if parser.at_query() {
                parser.query()?
            } else {
                match parser.query_or_table()? {
                    QueryOrTable::Query(query) => query,
                    QueryOrTable::Table(first) => {
                        let inner = parser.joins(first)?;
                        return parser.close_join(inner).map(QueryOrTable::Table);
                    }
                }
            };
            parser.expect_symbol(')')?;
            if parser.at_query_rest() {
                parser.query_after(query).map(QueryOrTable::Query)
            } else {
                parser.derived(query, open).map(QueryOrTable::Table)
            }
        })
    }

    /// The end of `(a JOIN b)`; PostgreSQL wants a join there, not a table.
    fn close_join(&mut self, inner: TableRef) -> Result<TableRef> {
        if !matches!(inner, TableRef::Join { .. }) {
            return Err(self.unexpected());
        }
        self.expect_symbol(')')?;
        if self.at("as") || self.at_name() {
            return Err(self.unsupported("alias of a parenthesised join"));
        }
        Ok(inner)
    }

    fn derived(&mut self, query: Query, open: Span) -> Result<TableRef> {
        let Some(alias) = self.alias()? else {
            let (what, example) = match query.body {
                QueryBody::Values(_) => ("VALUES", "(VALUES ...)"),
                _ => ("subquery", "(SELECT ...)"),
            };
            let error = SyntaxError::new("42601", format!("{what} in FROM must have an alias"), open);
            return Err(error.hint(&format!("For example, FROM {example} [AS] foo.")));
        };
        Ok(TableRef::Derived {
            query: Box::new(query),
            alias: Some(alias),
        })
    }

    /// `[AS] name [(columns)]`
    fn alias(&mut self) -> Result<Option<TableAlias>> {
        if !self.eat("as") && !self.at_name() {
            return Ok(None);
        }
        if self.at_symbol('(') {
            return Err(self.unsupported("column definition list"));
        }
        let name = self.name()?;
        if self.at_symbol('(') && self.is_definition_list() {
            return Err(self.unsupported("column definition list"));
        }
        let columns = self.optional_names()?;
        Ok(Some(TableAlias { name, columns }))
    }

    /// `(name type, …)`
    fn is_definition_list(&self) -> bool {
        matches!(self.kind_at(1), TokenKind::Word(_) | TokenKind::Quoted(_))
            && matches!(self.kind_at(2), TokenKind::Word(_) | TokenKind::Quoted(_))
    }
}

enum QueryOrTable {
    Query(Query),
    Table(TableRef),
}
