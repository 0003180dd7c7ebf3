//! Queries and FROM.

use super::Printer;
use crate::{
    CommonTable, Distinct, JoinCondition, JoinKind, LockWait, Locking, OrderBy, Query, QueryBody, RowLock, Select,
    SelectItem, SetOperator, TableAlias, TableRef,
};

impl Printer {
    pub(super) fn query(&mut self, query: &Query) {
        self.with(&query.with);
        match &query.body {
            QueryBody::Select(select) => self.select(select),
            QueryBody::Values(rows) => {
                self.put("VALUES ");
                self.list(rows, |printer, row| {
                    printer.put("(");
                    printer.list(row, Self::expr);
                    printer.put(")");
                });
            }
            QueryBody::SetOperation {
                operator,
                all,
                left,
                right,
            } => self.set_operation(*operator, *all, left, right),
        }
        if !query.order_by.is_empty() {
            self.put(" ORDER BY ");
            self.list(&query.order_by, Self::order_by);
        }
        if let Some(limit) = &query.limit {
            self.put(" LIMIT ");
            self.expr(limit);
        }
        if let Some(offset) = &query.offset {
            self.put(" OFFSET ");
            self.expr(offset);
        }
        query.locking.iter().for_each(|locking| self.locking(locking));
    }

    pub(super) fn with(&mut self, tables: &[CommonTable]) {
        if !tables.is_empty() {
            self.put("WITH ");
            self.list(tables, Self::common_table);
            self.put(" ");
        }
    }

    fn common_table(&mut self, table: &CommonTable) {
        self.name(&table.name);
        self.optional_names(&table.columns);
        self.put(match table.materialized {
            None => " AS (",
            Some(true) => " AS MATERIALIZED (",
            Some(false) => " AS NOT MATERIALIZED (",
        });
        self.statement(&table.statement);
        self.put(")");
    }

    fn set_operation(&mut self, operator: SetOperator, all: bool, left: &Query, right: &Query) {
        let binds = binds(operator);
        self.set_operand(left, binds);
        self.put(match operator {
            SetOperator::Union => " UNION ",
            SetOperator::Intersect => " INTERSECT ",
            SetOperator::Except => " EXCEPT ",
        });
        self.flag(all, "ALL ");
        self.set_operand(right, binds + 1);
    }

    /// In parentheses if it has clauses of its own, or binds less tightly than `least`.
    fn set_operand(&mut self, query: &Query, least: u8) {
        let looser = match &query.body {
            QueryBody::SetOperation { operator, .. } => binds(*operator) < least,
            _ => false,
        };
        let parenthesised = looser
            || !query.with.is_empty()
            || !query.order_by.is_empty()
            || query.limit.is_some()
            || query.offset.is_some()
            || !query.locking.is_empty();
        self.flag(parenthesised, "(");
        self.query(query);
        self.flag(parenthesised, ")");
    }

    pub(super) fn order_by(&mut self, order: &OrderBy) {
        self.expr(&order.expr);
        self.direction(order);
    }

    pub(super) fn direction(&mut self, order: &OrderBy) {
        self.flag(order.descending, " DESC");
        match order.nulls_first {
            Some(true) => self.put(" NULLS FIRST"),
            Some(false) => self.put(" NULLS LAST"),
            None => {}
        }
    }

    fn locking(&mut self, locking: &Locking) {
        self.put(match locking.strength {
            RowLock::KeyShare => " FOR KEY SHARE",
            RowLock::Share => " FOR SHARE",
            RowLock::NoKeyUpdate => " FOR NO KEY UPDATE",
            RowLock::Update => " FOR UPDATE",
        });
        if !locking.of.is_empty() {
            self.put(" OF ");
            self.names(&locking.of);
        }
        self.put(match locking.wait {
            LockWait::Wait => "",
            LockWait::NoWait => " NOWAIT",
            LockWait::SkipLocked => " SKIP LOCKED",
        });
    }

    fn select(&mut self, select: &Select) {
        self.put("SELECT");
        match &select.distinct {
            Distinct::All => {}
            Distinct::Distinct => self.put(" DISTINCT"),
            Distinct::On(exprs) => {
                self.put(" DISTINCT ON (");
                self.list(exprs, Self::expr);
                self.put(")");
            }
        }
        self.flag(!select.items.is_empty(), " ");
        self.list(&select.items, Self::select_item);
        self.target_variables(&select.into);
        if !select.from.is_empty() {
            self.put(" FROM ");
            self.list(&select.from, Self::table_ref);
        }
        self.filter(select.filter.as_ref());
        if !select.group_by.is_empty() {
            self.put(" GROUP BY ");
            self.list(&select.group_by, Self::expr);
        }
        if let Some(having) = &select.having {
            self.put(" HAVING ");
            self.expr(having);
        }
    }

    pub(super) fn select_item(&mut self, item: &SelectItem) {
        match item {
            SelectItem::Star { qualifier, .. } => {
                if let Some(qualifier) = qualifier {
                    self.object(qualifier);
                    self.put(".");
                }
                self.put("*");
            }
            SelectItem::Expr { expr, alias } => {
                self.expr(expr);
                if let Some(alias) = alias {
                    self.named(" AS ", alias);
                }
            }
        }
    }

    pub(super) fn table_ref(&mut self, table: &TableRef) {
        match table {
            TableRef::Table { name, only, alias } => {
                self.flag(*only, "ONLY ");
                self.object(name);
                self.alias(alias.as_ref());
            }
            TableRef::Derived { query, alias } => {
                self.put("(");
                self.query(query);
                self.put(")");
                self.alias(alias.as_ref());
            }
            TableRef::Function {
                name, arguments, alias, ..
            } => {
                self.object(name);
                self.put("(");
                self.list(arguments, Self::expr);
                self.put(")");
                self.alias(alias.as_ref());
            }
            TableRef::Join {
                left,
                right,
                kind,
                condition,
            } => self.join(left, right, *kind, condition),
        }
    }

    fn alias(&mut self, alias: Option<&TableAlias>) {
        if let Some(alias) = alias {
            self.named(" AS ", &alias.name);
            self.optional_names(&alias.columns);
        }
    }

    fn join(&mut self, left: &TableRef, right: &TableRef, kind: JoinKind, condition: &JoinCondition) {
        self.table_ref(left);
        self.flag(*condition == JoinCondition::Natural, " NATURAL");
        self.put(match kind {
            JoinKind::Inner => " JOIN ",
            JoinKind::Left => " LEFT JOIN ",
            JoinKind::Right => " RIGHT JOIN ",
            JoinKind::Full => " FULL JOIN ",
            JoinKind::Cross => " CROSS JOIN ",
        });
        let nested = matches!(right, TableRef::Join { .. });
        self.flag(nested, "(");
        self.table_ref(right);
        self.flag(nested, ")");
        match condition {
            JoinCondition::None | JoinCondition::Natural => {}
            JoinCondition::On(condition) => {
                self.put(" ON ");
                self.expr(condition);
            }
            JoinCondition::Using(columns) => {
                self.put(" USING");
                self.optional_names(columns);
            }
        }
    }
}

fn binds(operator: SetOperator) -> u8 {
    match operator {
        SetOperator::Union | SetOperator::Except => 0,
        SetOperator::Intersect => 1,
    }
}
