//! SQL texts with numbered operands, written piece by piece.

use syntax::visit;
use syntax::{Expr, ExprKind, Query, Statement, identifier};

/// A text and the names of the variables that its `$1…` stand for, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) sql: String,
    pub(crate) operands: Vec<String>,
}

impl Text {
    pub(crate) fn new(sql: impl Into<String>) -> Text {
        Text {
            sql: sql.into(),
            operands: Vec::new(),
        }
    }

    /// A statement of the scenario, without what only scenarios have (`INTO`).
    pub(crate) fn statement(statement: &Statement) -> Text {
        let mut statement = statement.clone();
        super::facts::strip_into(&mut statement);
        let mut text = Text::default();
        visit::exprs_mut(&mut statement, &mut |e| text.number(e));
        text.sql = syntax::print(&statement);
        text
    }

    pub(crate) fn query(query: &Query) -> Text {
        Text::statement(&Statement::Query(Box::new(query.clone())))
    }

    pub(crate) fn push(&mut self, sql: &str) -> &mut Text {
        self.sql.push_str(sql);
        self
    }

    pub(crate) fn expr(&mut self, expr: &Expr) -> &mut Text {
        let mut expr = expr.clone();
        visit::exprs_of_mut(&mut expr, &mut |e| self.number(e));
        self.sql.push_str(&syntax::print_expr(&expr));
        self
    }

    pub(crate) fn variable(&mut self, name: &str) -> &mut Text {
        let n = self.position(name);
        self.sql.push_str(&format!("${n}"));
        self
    }

    /// `items` written by `write`, with `separator` between.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        separator: &str,
        mut write: impl FnMut(&mut Text, T),
    ) -> &mut Text {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.sql.push_str(separator);
            }
            write(self, item);
        }
        self
    }

    fn number(&mut self, expr: &mut Expr) {
        if let ExprKind::Variable(name) = &expr.kind {
            expr.kind = ExprKind::Parameter(self.position(name.as_str()));
        }
    }

    /// From 1; the same variable keeps its number.
    fn position(&mut self, name: &str) -> u32 {
        let known = self.operands.iter().position(|operand| operand == name);
        let index = known.unwrap_or_else(|| {
            self.operands.push(name.to_owned());
            self.operands.len() - 1
        });
        index as u32 + 1
    }
}

/// `owner.table`
pub(crate) fn qualified(owner: &str, name: &str) -> String {
    format!("{}.{}", identifier(owner), identifier(name))
}

/// A comma-separated list of identifiers.
pub(crate) fn identifiers<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(identifier).collect::<Vec<_>>().join(", ")
}
