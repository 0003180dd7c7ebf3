//! Queries: WITH, SELECT, VALUES, set operations, ORDER BY, LIMIT and row locks.

use super::{MAX_DEPTH, Parser, Result};
use crate::token::TokenKind;
use crate::{
    CommonTable, Delete, Dialect, Distinct, Expr, ExprKind, Insert, LockWait, Locking, OrderBy, Query, QueryBody,
    RowLock, Select, SelectItem, SetOperator, Span, Statement, SyntaxError, TableRef, Update, keyword,
};

/// What stands between parentheses where both are allowed.
pub(super) enum QueryOrExpr {
    Query(Box<Query>),
    Expr(Expr),
}

impl Parser<'_> {
    // ---- where a query starts

    pub(super) fn at_query(&self) -> bool {
        self.at_query_at(0)
    }

    fn at_query_at(&self, n: usize) -> bool {
        match self.word_at(n) {
            Some("select" | "with" | "table") => true,
            // VALUES may also be a column's name.
            Some("values") => *self.kind_at(n + 1) == TokenKind::Symbol('('),
            _ => false,
        }
    }

    /// A query follows, with at least one parenthesis around its beginning.
    pub(super) fn at_query_parenthesis(&self) -> bool {
        let opening = (0..=MAX_DEPTH as usize)
            .take_while(|&n| *self.kind_at(n) == TokenKind::Symbol('('))
            .count();
        opening > 0 && self.at_query_at(opening)
    }

    /// After a parenthesised query: it is a part of a larger one, and no operand.
    pub(super) fn at_query_rest(&self) -> bool {
        self.at_symbol(')')
            || self.at_any(&[
                "union",
                "intersect",
                "except",
                "order",
                "limit",
                "offset",
                "fetch",
                "for",
            ])
    }

    /// Behind an opening parenthesis: `((SELECT 1) UNION SELECT 2)` and `((SELECT 1) + 2)` differ
    /// only in what comes after the inner query.
    pub(super) fn query_or_expr(&mut self) -> Result<QueryOrExpr> {
        if self.at_query() {
            return self.query().map(|query| QueryOrExpr::Query(Box::new(query)));
        }
        if !self.at_query_parenthesis() {
            return self.expr().map(QueryOrExpr::Expr);
        }
        self.nest(|parser| {
            let open = parser.span();
            let mut inner = parser.parenthesised_expr()?;
            inner.span = parser.since(open);
            match inner.kind {
                ExprKind::Subquery(query) if parser.at_query_rest() => parser
                    .query_after(*query)
                    .map(|query| QueryOrExpr::Query(Box::new(query))),
                kind => {
                    let left = Expr::new(kind, inner.span);
                    parser.expr_after(left).map(QueryOrExpr::Expr)
                }
            }
        })
    }

    /// `(query)`
    pub(super) fn parenthesised_query(&mut self) -> Result<Query> {
        self.expect_symbol('(')?;
        let query = self.query()?;
        self.expect_symbol(')')?;
        Ok(query)
    }

    /// Goes on behind a parenthesised query that may be a part of a larger one.
    pub(super) fn query_after(&mut self, left: Query) -> Result<Query> {
        let left = self.set_operations(left, 0)?;
        self.query_tail(left)
    }

    // ---- the query

    pub(super) fn query(&mut self) -> Result<Query> {
        self.nest(|parser| {
            let start = parser.span();
            let with = if parser.at("with") { parser.with()? } else { Vec::new() };
            parser.query_with(with, start)
        })
    }

    /// The query behind its WITH, which began at `start`.
    fn query_with(&mut self, with: Vec<CommonTable>, start: Span) -> Result<Query> {
        let parser = self;
        let operand = parser.query_operand()?;
        let mut query = parser.set_operations(operand, 0)?;
        if !with.is_empty() {
            if !query.with.is_empty() {
                return Err(SyntaxError::new("42601", "multiple WITH clauses not allowed", start));
            }
            query.with = with;
        }
        let mut query = parser.query_tail(query)?;
        query.span = parser.since(start);
        Ok(query)
    }

    /// WITH in front of a query or a write.
    pub(super) fn with_statement(&mut self) -> Result<Statement> {
        let start = self.span();
        let with = self.with()?;
        Ok(match self.word() {
            Some("insert") => Statement::Insert(Box::new(Insert { with, ..self.insert()? })),
            Some("update") => Statement::Update(Box::new(Update { with, ..self.update()? })),
            Some("delete") => Statement::Delete(Box::new(Delete { with, ..self.delete()? })),
            Some("merge") => return Err(self.unsupported_command()),
            _ => Statement::Query(Box::new(self.query_with(with, start)?)),
        })
    }

    fn with(&mut self) -> Result<Vec<CommonTable>> {
        self.expect("with")?;
        self.refuse("recursive", "WITH RECURSIVE")?;
        self.list(Self::common_table)
    }

    fn common_table(&mut self) -> Result<CommonTable> {
        let name = self.name()?;
        let columns = self.optional_names()?;
        self.expect("as")?;
        let not = self.eat_words(&["not", "materialized"]);
        let materialized = (not || self.eat("materialized")).then_some(!not);
        self.expect_symbol('(')?;
        let statement = match self.word() {
            Some("with") => self.nest(Self::with_statement)?,
            Some("insert") => Statement::Insert(Box::new(self.insert()?)),
            Some("update") => Statement::Update(Box::new(self.update()?)),
            Some("delete") => Statement::Delete(Box::new(self.delete()?)),
            Some("merge") => return Err(self.unsupported_command()),
            _ => Statement::Query(Box::new(self.query()?)),
        };
        self.expect_symbol(')')?;
        if self.at_any(&["search", "cycle"]) {
            return Err(self.unsupported("SEARCH or CYCLE"));
        }
        Ok(CommonTable {
            name,
            columns,
            materialized,
            statement: Box::new(statement),
        })
    }

    /// An operand of UNION and so on: a SELECT, VALUES, TABLE or `(query)`.
    fn query_operand(&mut self) -> Result<Query> {
        let start = self.span();
        if self.at_symbol('(') {
            return self.nest(Self::parenthesised_query);
        }
        let body = match self.word() {
            Some("select") => QueryBody::Select(Box::new(self.select()?)),
            Some("values") => {
                self.advance();
                QueryBody::Values(self.list(|parser| parser.parenthesised(Self::expr))?)
            }
            Some("table") => QueryBody::Select(Box::new(self.whole_table()?)),
            _ => return Err(self.unexpected()),
        };
        Ok(plain(body, self.since(start)))
    }

    /// `left UNION right …`; INTERSECT (level 1) binds tighter than UNION and EXCEPT (level 0).
    fn set_operations(&mut self, mut left: Query, level: u8) -> Result<Query> {
        loop {
            let (operator, binds) = match self.word() {
                Some("union") => (SetOperator::Union, 0),
                Some("except") => (SetOperator::Except, 0),
                Some("intersect") => (SetOperator::Intersect, 1),
                _ => return Ok(left),
            };
            if binds < level {
                return Ok(left);
            }
            self.advance();
            let all = self.eat("all");
            if !all {
                self.eat("distinct");
            }
            let mut right = self.query_operand()?;
            if binds == 0 {
                right = self.set_operations(right, 1)?;
            }
            self.grow(1)?;
            let span = left.span.to(right.span);
            let body = QueryBody::SetOperation {
                operator,
                all,
                left: Box::new(left),
                right: Box::new(right),
            };
            left = plain(body, span);
        }
    }

    /// ORDER BY, LIMIT, OFFSET, FETCH and row locks, each once; a parenthesised query may already
    /// have some.
    fn query_tail(&mut self, mut query: Query) -> Result<Query> {
        let again = |span: Span, clause: &str| {
            Err(SyntaxError::new(
                "42601",
                format!("multiple {clause} clauses not allowed"),
                span,
            ))
        };
        if self.eat("order") {
            self.expect("by")?;
            if !query.order_by.is_empty() {
                return again(self.span(), "ORDER BY");
            }
            query.order_by = self.list(Self::order_by)?;
        }
        let (mut limited, mut skipped) = (false, false);
        loop {
            let word = self.word().unwrap_or_default();
            match word {
                "limit" | "fetch" if !limited => {
                    limited = true;
                    let had_one = query.limit.is_some();
                    query.limit = self.limit()?;
                    if let (true, Some(limit)) = (had_one, &query.limit) {
                        return again(limit.span, "LIMIT");
                    }
                }
                "offset" if !skipped => {
                    skipped = true;
                    self.advance();
                    if query.offset.is_some() {
                        return again(self.span(), "OFFSET");
                    }
                    query.offset = Some(self.expr()?);
                    if self.at_any(&["row", "rows"]) {
                        self.advance();
                    }
                }
                "for" => query.locking.extend(self.locking()?),
                _ => return Ok(query),
            }
        }
    }

    /// `LIMIT n | ALL`, or FETCH.
    fn limit(&mut self) -> Result<Option<Expr>> {
        if self.at("fetch") {
            return self.fetch().map(Some);
        }
        let start = self.span();
        self.expect("limit")?;
        if self.eat("all") {
            return Ok(None);
        }
        let limit = self.expr()?;
        if self.at_symbol(',') {
            let error = SyntaxError::new("42601", "LIMIT #,# syntax is not supported", start);
            return Err(error.hint("Use separate LIMIT and OFFSET clauses."));
        }
        Ok(Some(limit))
    }

    /// `FETCH FIRST [n] ROWS ONLY` is `LIMIT n`.
    fn fetch(&mut self) -> Result<Expr> {
        self.expect("fetch")?;
        let start = self.span();
        if !self.eat("first") {
            self.expect("next")?;
        }
        let count = if self.at_any(&["row", "rows"]) {
            Expr::new(ExprKind::Number("1".into()), start)
        } else {
            self.expr()?
        };
        if !self.eat("row") {
            self.expect("rows")?;
        }
        if self.at_words(&["with", "ties"]) {
            return Err(self.unsupported("FETCH … WITH TIES"));
        }
        self.expect("only")?;
        Ok(count)
    }

    /// `FOR UPDATE [OF …] [NOWAIT | SKIP LOCKED]`; nothing for `FOR READ ONLY`.
    fn locking(&mut self) -> Result<Option<Locking>> {
        self.expect("for")?;
        if self.eat_words(&["read", "only"]) {
            return Ok(None);
        }
        let strength = if self.eat("update") {
            RowLock::Update
        } else if self.eat_words(&["no", "key", "update"]) {
            RowLock::NoKeyUpdate
        } else if self.eat("share") {
            RowLock::Share
        } else if self.eat_words(&["key", "share"]) {
            RowLock::KeyShare
        } else {
            return Err(self.unexpected());
        };
        let of = if self.eat("of") {
            self.list(Self::name)?
        } else {
            Vec::new()
        };
        let wait = if self.eat("nowait") {
            LockWait::NoWait
        } else if self.eat_words(&["skip", "locked"]) {
            LockWait::SkipLocked
        } else {
            LockWait::Wait
        };
        Ok(Some(Locking { strength, of, wait }))
    }

    pub(super) fn order_by(&mut self) -> Result<OrderBy> {
        let expr = self.expr()?;
        self.refuse("using", "ORDER BY … USING")?;
        self.direction(expr)
    }

    /// `[ASC | DESC] [NULLS FIRST | LAST]`
    pub(super) fn direction(&mut self, expr: Expr) -> Result<OrderBy> {
        let descending = self.eat("desc");
        if !descending {
            self.eat("asc");
        }
        let nulls_first = if self.eat_words(&["nulls", "first"]) {
            Some(true)
        } else if self.eat_words(&["nulls", "last"]) {
            Some(false)
        } else {
            None
        };
        Ok(OrderBy {
            expr,
            descending,
            nulls_first,
        })
    }

    // ---- SELECT

    fn select(&mut self) -> Result<Select> {
        self.expect("select")?;
        let distinct = self.distinct()?;
        let items = if distinct == Distinct::All && self.at_select_rest() {
            Vec::new()
        } else {
            self.list(Self::select_item)?
        };
        let into = match self.dialect {
            Dialect::Scenario if self.at("into") => self.target_variables()?,
            _ => Vec::new(),
        };
        self.refuse("into", "SELECT INTO")?;
        let from = if self.eat("from") {
            self.list(Self::table_ref)?
        } else {
            Vec::new()
        };
        let filter = self.filter()?;
        let group_by = if self.eat("group") {
            self.expect("by")?;
            self.group_by()?
        } else {
            Vec::new()
        };
        let having = if self.eat("having") { Some(self.expr()?) } else { None };
        self.refuse("window", "WINDOW")?;
        Ok(Select {
            distinct,
            items,
            into,
            from,
            filter,
            group_by,
            having,
        })
    }

    fn distinct(&mut self) -> Result<Distinct> {
        if !self.eat("distinct") {
            self.eat("all");
            return Ok(Distinct::All);
        }
        if self.eat("on") {
            return self.parenthesised(Self::expr).map(Distinct::On);
        }
        Ok(Distinct::Distinct)
    }

    /// A SELECT without columns goes on here.
    fn at_select_rest(&self) -> bool {
        matches!(self.kind(), TokenKind::End | TokenKind::Symbol(')' | ';'))
            || self.at_any(&[
                "from",
                "into",
                "where",
                "group",
                "having",
                "window",
                "union",
                "intersect",
                "except",
                "order",
                "limit",
                "offset",
                "fetch",
                "for",
            ])
    }

    pub(super) fn filter(&mut self) -> Result<Option<Expr>> {
        if self.eat("where") {
            self.expr().map(Some)
        } else {
            Ok(None)
        }
    }

    fn group_by(&mut self) -> Result<Vec<Expr>> {
        if self.at_any(&["all", "distinct"]) {
            return Err(self.unsupported("GROUP BY ALL or DISTINCT"));
        }
        self.list(|parser| {
            let opens = *parser.kind_at(1) == TokenKind::Symbol('(');
            if (opens && parser.at_any(&["cube", "rollup"])) || parser.at_words(&["grouping", "sets"]) {
                return Err(parser.unsupported("grouping sets"));
            }
            if parser.at_symbol('(') && *parser.kind_at(1) == TokenKind::Symbol(')') {
                return Err(parser.unsupported("empty grouping set"));
            }
            parser.expr()
        })
    }

    pub(super) fn select_item(&mut self) -> Result<SelectItem> {
        if let Some(star) = self.star()? {
            return Ok(star);
        }
        let expr = self.expr()?;
        let bare = match self.kind() {
            TokenKind::Quoted(_) => true,
            TokenKind::Word(word) => !keyword::needs_as(word),
            _ => false,
        };
        let alias = if self.eat("as") || bare {
            Some(self.label()?)
        } else {
            None
        };
        Ok(SelectItem::Expr { expr, alias })
    }

    /// `*`, `t.*`, `s.t.*`
    fn star(&mut self) -> Result<Option<SelectItem>> {
        let start = self.span();
        let mut length = 0;
        while matches!(self.kind_at(length), TokenKind::Word(_) | TokenKind::Quoted(_))
            && *self.kind_at(length + 1) == TokenKind::Symbol('.')
        {
            length += 2;
        }
        let star = self
            .tokens
            .get(self.at + length)
            .map(|token| (&token.kind, self.source(token.span)));
        if star != Some((&TokenKind::Operator, "*")) || (length > 0 && !self.at_name()) {
            return Ok(None);
        }
        let mut parts = Vec::new();
        for _ in 0..length / 2 {
            parts.push(self.label()?);
            self.expect_symbol('.')?;
        }
        self.advance();
        let qualifier = if parts.is_empty() {
            None
        } else {
            Some(self.object_of(parts)?)
        };
        Ok(Some(SelectItem::Star {
            qualifier,
            span: self.since(start),
        }))
    }

    /// `TABLE name` is `SELECT * FROM name`.
    fn whole_table(&mut self) -> Result<Select> {
        let span = self.span();
        self.expect("table")?;
        self.refuse("only", "ONLY")?;
        let name = self.object_name()?;
        Ok(Select {
            distinct: Distinct::All,
            items: vec![SelectItem::Star { qualifier: None, span }],
            into: Vec::new(),
            from: vec![TableRef::Table {
                name,
                only: false,
                alias: None,
            }],
            filter: None,
            group_by: Vec::new(),
            having: None,
        })
    }
}

fn plain(body: QueryBody, span: Span) -> Query {
    Query {
        with: Vec::new(),
        body,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        locking: Vec::new(),
        span,
    }
}
