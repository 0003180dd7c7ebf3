//! Does an operation with a tenant stay with it? One that names other tenants' rows crosses tenants after all, and a
//! design that puts walls between tenants must not answer as if there were none.

use syntax::{BinaryOperator, Expr, ExprKind, Insert, InsertSource, QueryBody, SelectItem};

use crate::{Action, Generator, Parameter, Schema, Statement};

/// The parameter that is the request's tenant, if no statement names other tenants: by comparing the tenant column with
/// anything but equality, or by giving it a number or another parameter.
pub(super) fn tenant(schema: &Schema, parameters: &[Parameter], statements: &[Statement]) -> Option<u16> {
    let own = parameters
        .iter()
        .position(|parameter| parameter.generator == Generator::Tenant)?;
    let names = Names { schema, parameters };
    let crosses = statements.iter().any(|statement| match &statement.action {
        Action::Sql(sql) => names.others(sql),
        Action::AbortWhen { .. } | Action::Call { .. } => false,
    });
    (!crosses).then_some(own as u16)
}

struct Names<'a> {
    schema: &'a Schema,
    parameters: &'a [Parameter],
}

impl Names<'_> {
    fn others(&self, sql: &syntax::Statement) -> bool {
        let mut found = false;
        syntax::visit::exprs(sql, &mut |expr| found |= self.compares(expr));
        found
            || match sql {
                syntax::Statement::Insert(insert) => self.inserts(insert),
                syntax::Statement::Update(update) => update.assignments.iter().any(|assignment| {
                    let table = self.schema.find(&update.table).map(|id| self.schema.table(id));
                    let column = table.and_then(|table| table.find(assignment.column.as_str()));
                    table.is_some_and(|table| table.tenant.is_some() && table.tenant == column)
                        && self.another(&assignment.value)
                }),
                _ => false,
            }
    }

    fn compares(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Binary { operator, left, right } => {
                let pair = match (self.is_tenant(left), self.is_tenant(right)) {
                    (false, false) => return false,
                    (true, true) => None,
                    (true, false) => Some(right),
                    (false, true) => Some(left),
                };
                match operator {
                    BinaryOperator::Equal => pair.is_some_and(|other| self.another(other)),
                    BinaryOperator::NotEqual
                    | BinaryOperator::Less
                    | BinaryOperator::LessOrEqual
                    | BinaryOperator::Greater
                    | BinaryOperator::GreaterOrEqual => true,
                    _ => false,
                }
            }
            ExprKind::IsDistinct { left, right, .. } => self.is_tenant(left) || self.is_tenant(right),
            ExprKind::Between { operand, .. } | ExprKind::InQuery { operand, .. } => self.is_tenant(operand),
            ExprKind::In { operand, list, negated } => {
                self.is_tenant(operand) && (*negated || list.iter().any(|value| self.another(value)))
            }
            _ => false,
        }
    }

    fn is_tenant(&self, expr: &Expr) -> bool {
        let ExprKind::Column(path) = &expr.kind else {
            return false;
        };
        let of = |table: &crate::Table| table.tenant.map(|tenant| table.column(tenant).name.clone());
        let mut names = self.schema.tables.iter().filter_map(of);
        path.last()
            .is_some_and(|column| names.any(|name| name == column.as_str()))
    }

    /// A number, or a parameter that is not the request's tenant. Of a variable nobody knows whose it is.
    fn another(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Number(_) => true,
            ExprKind::Variable(name) => {
                let parameter = self.parameters.iter().find(|known| known.name == name.as_str());
                parameter.is_some_and(|parameter| !self.is_own(parameter))
            }
            ExprKind::Cast { operand, .. } => self.another(operand),
            _ => false,
        }
    }

    fn is_own(&self, parameter: &Parameter) -> bool {
        match &parameter.generator {
            Generator::Tenant => true,
            Generator::Same(other) => self
                .parameters
                .get(usize::from(*other))
                .is_some_and(|other| other.generator == Generator::Tenant),
            _ => false,
        }
    }

    fn inserts(&self, insert: &Insert) -> bool {
        let Some(table) = self.schema.find(&insert.table).map(|id| self.schema.table(id)) else {
            return false;
        };
        let (Some(tenant), InsertSource::Query(query)) = (table.tenant, &insert.source) else {
            return false;
        };
        let position = if insert.columns.is_empty() {
            Some(tenant.index())
        } else {
            let name = table.column(tenant).name.as_str();
            insert.columns.iter().position(|column| column.as_str() == name)
        };
        let Some(position) = position else { return false };
        match &query.body {
            QueryBody::Values(rows) => rows
                .iter()
                .any(|row| row.get(position).is_some_and(|value| self.another(value))),
            QueryBody::Select(select) => matches!(
                select.items.get(position),
                Some(SelectItem::Expr { expr, .. }) if self.another(expr)
            ),
            _ => false,
        }
    }
}
