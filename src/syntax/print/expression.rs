//! Expressions with the parentheses that they need.

use super::{Printer, identifier, quote_string};
use crate::keyword::{Class, class};
pub(super) use crate::parser::Precedence as Level;
use crate::parser::type_text;
use crate::{BinaryOperator, DataType, Expr, ExprKind, FunctionCall, Name, UnaryOperator};

impl Printer {
    /// In parentheses if it binds less tightly than `least`.
    pub(super) fn expr_at(&mut self, expr: &Expr, least: Level) {
        let parenthesised = level(&expr.kind) < least;
        self.flag(parenthesised, "(");
        self.kind(&expr.kind);
        self.flag(parenthesised, ")");
    }

    /// Where the grammar allows no keyword operators (gram.y's `b_expr`).
    pub(super) fn restricted_expr(&mut self, expr: &Expr) {
        self.expr_at(expr, Level::Other);
    }

    fn kind(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Null => self.put("NULL"),
            ExprKind::Bool(value) => self.put(if *value { "true" } else { "false" }),
            ExprKind::Number(digits) => self.put(digits),
            ExprKind::String(text) => self.put(&quote_string(text)),
            ExprKind::Parameter(number) => self.put(&format!("${number}")),
            ExprKind::Variable(name) => self.variable(name),
            ExprKind::Column(parts) => self.dotted(parts),
            ExprKind::Default => self.put("DEFAULT"),
            ExprKind::Unary { operator, operand } => self.unary(*operator, operand),
            ExprKind::Binary { operator, left, right } => self.binary(*operator, left, right),
            ExprKind::IsNull { operand, negated } => {
                self.test(operand, if *negated { "IS NOT NULL" } else { "IS NULL" });
            }
            ExprKind::IsBool {
                operand,
                value,
                negated,
            } => {
                let value = match value {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                self.test(operand, &format!("IS {}{value}", not(*negated)));
            }
            ExprKind::IsDistinct { left, right, negated } => {
                self.test(left, &format!("IS {}DISTINCT FROM ", not(*negated)));
                self.expr_at(right, Level::Is.next());
            }
            ExprKind::Between {
                operand,
                low,
                high,
                negated,
            } => {
                self.predicate(operand, *negated, "BETWEEN ");
                self.expr_at(low, Level::Like.next());
                self.put(" AND ");
                self.expr_at(high, Level::Like.next());
            }
            ExprKind::In { operand, list, negated } => {
                self.predicate(operand, *negated, "IN (");
                self.list(list, Self::expr);
                self.put(")");
            }
            ExprKind::InQuery {
                operand,
                query,
                negated,
            } => {
                self.predicate(operand, *negated, "IN (");
                self.query(query);
                self.put(")");
            }
            ExprKind::Any { left, operator, right } => self.any(left, *operator, right),
            ExprKind::Like {
                operand,
                pattern,
                case_insensitive,
                negated,
            } => {
                self.predicate(operand, *negated, if *case_insensitive { "ILIKE " } else { "LIKE " });
                self.expr_at(pattern, Level::Like.next());
            }
            ExprKind::Exists { query } => {
                self.put("EXISTS (");
                self.query(query);
                self.put(")");
            }
            ExprKind::Subquery(query) => {
                self.put("(");
                self.query(query);
                self.put(")");
            }
            ExprKind::Array(items) => {
                self.put("ARRAY[");
                self.list(items, Self::expr);
                self.put("]");
            }
            ExprKind::Case {
                operand,
                branches,
                otherwise,
            } => self.case(operand.as_deref(), branches, otherwise.as_deref()),
            ExprKind::Cast { operand, data_type } => {
                self.expr_at(operand, Level::Cast);
                self.put("::");
                self.data_type(data_type);
            }
            ExprKind::Function(call) => self.call(call),
            ExprKind::Row(items) => {
                self.put(if items.len() < 2 { "ROW(" } else { "(" });
                self.list(items, Self::expr);
                self.put(")");
            }
        }
    }

    fn dotted(&mut self, parts: &[Name]) {
        for (n, part) in parts.iter().enumerate() {
            self.flag(n > 0, ".");
            self.name(part);
        }
    }

    fn unary(&mut self, operator: UnaryOperator, operand: &Expr) {
        match operator {
            UnaryOperator::Not => {
                self.put("NOT ");
                self.expr_at(operand, Level::Not);
            }
            UnaryOperator::Minus | UnaryOperator::Plus => {
                self.put(if operator == UnaryOperator::Minus { "-" } else { "+" });
                // Two that touch are a comment or another operator.
                self.flag(matches!(operand.kind, ExprKind::Unary { .. }), " ");
                self.expr_at(operand, Level::Sign);
            }
        }
    }

    fn binary(&mut self, operator: BinaryOperator, left: &Expr, right: &Expr) {
        let level = Level::of(operator);
        self.expr_at(left, if level.is_nonassociative() { level.next() } else { level });
        self.put(" ");
        self.put(operator.symbol());
        self.put(" ");
        self.expr_at(right, level.next());
    }

    /// `operand IS …`
    fn test(&mut self, operand: &Expr, words: &str) {
        self.expr_at(operand, Level::Is.next());
        self.put(" ");
        self.put(words);
    }

    /// `operand [NOT] word …`
    fn predicate(&mut self, operand: &Expr, negated: bool, word: &str) {
        self.expr_at(operand, Level::Like.next());
        self.put(" ");
        self.put(not(negated));
        self.put(word);
    }

    fn any(&mut self, left: &Expr, operator: BinaryOperator, right: &Expr) {
        let level = Level::of(operator);
        self.expr_at(left, if level.is_nonassociative() { level.next() } else { level });
        self.put(" ");
        self.put(operator.symbol());
        self.put(" ANY (");
        match &right.kind {
            ExprKind::Subquery(query) => self.query(query),
            _ => self.expr(right),
        }
        self.put(")");
    }

    fn case(&mut self, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) {
        self.put("CASE");
        if let Some(operand) = operand {
            self.put(" ");
            self.expr(operand);
        }
        for (condition, value) in branches {
            self.put(" WHEN ");
            self.expr(condition);
            self.put(" THEN ");
            self.expr(value);
        }
        if let Some(otherwise) = otherwise {
            self.put(" ELSE ");
            self.expr(otherwise);
        }
        self.put(" END");
    }

    pub(super) fn call(&mut self, call: &FunctionCall) {
        let name = call.name.name.as_str();
        if call.name.schema.is_none() && is_bare_function(name) && call.arguments.is_empty() {
            self.put(name);
            return;
        }
        self.function_name(call);
        self.put("(");
        self.flag(call.star, "*");
        self.flag(call.distinct, "DISTINCT ");
        self.list(&call.arguments, Self::expr);
        self.put(")");
        if let Some(filter) = &call.filter {
            self.put(" FILTER (WHERE ");
            self.expr(filter);
            self.put(")");
        }
    }

    fn function_name(&mut self, call: &FunctionCall) {
        let name = call.name.name.as_str();
        match &call.name.schema {
            None if class(name) == Class::FunctionOrType || is_function_keyword(name) => self.put(name),
            None => self.put(&identifier(name)),
            Some(_) => self.object(&call.name),
        }
    }

    pub(super) fn data_type(&mut self, data_type: &DataType) {
        self.put(&type_text(&data_type.kind));
    }
}

/// How tightly what is printed binds.
fn level(kind: &ExprKind) -> Level {
    match kind {
        ExprKind::Unary { operator, .. } => match operator {
            UnaryOperator::Not => Level::Not,
            UnaryOperator::Minus | UnaryOperator::Plus => Level::Sign,
        },
        ExprKind::Binary { operator, .. } => Level::of(*operator),
        ExprKind::IsNull { .. } | ExprKind::IsBool { .. } | ExprKind::IsDistinct { .. } => Level::Is,
        ExprKind::Between { .. } | ExprKind::In { .. } | ExprKind::InQuery { .. } | ExprKind::Like { .. } => {
            Level::Like
        }
        ExprKind::Any { operator, .. } => Level::of(*operator).min(Level::Like),
        _ => Level::Cast,
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

/// Functions that PostgreSQL writes without parentheses.
fn is_bare_function(name: &str) -> bool {
    matches!(
        name,
        "current_date"
            | "current_time"
            | "current_timestamp"
            | "localtime"
            | "localtimestamp"
            | "current_user"
            | "session_user"
            | "user"
            | "current_role"
            | "current_catalog"
    )
}

/// Keywords that the grammar takes as functions, unquoted only.
pub(crate) fn is_function_keyword(name: &str) -> bool {
    matches!(name, "coalesce" | "greatest" | "least" | "nullif" | "substring")
}
