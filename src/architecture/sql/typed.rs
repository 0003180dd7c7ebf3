//! Types for operands that the engine could not infer: `$1 * $2`, `SELECT $1`, `$1 IS NULL`.
//!
//! Elsewhere, `id = $1` or `VALUES ($1)`, the column says it, and the text stays as people write it.

use base::Type;
use syntax::visit::{self, Rewriter};
use syntax::{DataType, DataTypeKind, Expr, ExprKind, Select, SelectItem, Span, Statement};

/// Casts such variables to their types, as far as these are known.
pub(crate) fn cast_variables(statement: &mut Statement, type_of: &dyn Fn(&str) -> Option<Type>) {
    Caster { type_of }.statement(statement);
}

struct Caster<'a> {
    type_of: &'a dyn Fn(&str) -> Option<Type>,
}

impl Rewriter for Caster<'_> {
    fn select(&mut self, select: &mut Select) {
        for item in &mut select.items {
            if let SelectItem::Expr { expr, .. } = item {
                self.cast(expr);
            }
        }
        visit::rewrite::walk_select(self, select);
    }

    fn expr(&mut self, expr: &mut Expr) {
        match &mut expr.kind {
            ExprKind::Binary { left, right, .. } | ExprKind::IsDistinct { left, right, .. }
                if is_untyped(left) && is_untyped(right) =>
            {
                self.cast(left);
                self.cast(right);
            }
            ExprKind::IsNull { operand, .. } | ExprKind::Between { operand, .. } | ExprKind::Like { operand, .. } => {
                self.cast(operand);
            }
            ExprKind::Function(call) => call.arguments.iter_mut().for_each(|argument| self.cast(argument)),
            ExprKind::Case {
                branches, otherwise, ..
            } => {
                branches.iter_mut().for_each(|(_, value)| self.cast(value));
                otherwise.iter_mut().for_each(|value| self.cast(value));
            }
            // What is under a cast has a type.
            ExprKind::Cast { operand, .. } if is_untyped(operand) => return,
            _ => {}
        }
        visit::rewrite::walk_expr(self, expr);
    }
}

impl Caster<'_> {
    fn cast(&self, expr: &mut Expr) {
        let ExprKind::Variable(name) = &expr.kind else { return };
        let Some(data_type) = (self.type_of)(name.as_str()) else {
            return;
        };
        let operand = Box::new(expr.clone());
        let data_type = DataType {
            kind: DataTypeKind::Known(data_type),
            span: Span::default(),
        };
        expr.kind = ExprKind::Cast { operand, data_type };
    }
}

fn is_untyped(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Variable(_) | ExprKind::String(_) | ExprKind::Null)
}
