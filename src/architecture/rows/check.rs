//! Constraints that an SQL engine would check and a store of items or objects cannot: NOT NULL, CHECK, a key that is there
//! already among the rows of the operation itself. The application checks them before it writes.

use std::collections::BTreeSet;

use base::{Type, Value};
use program::{Block, ErrorClass, Expression, Into, Operator, RegisterId, Role};
use scenario::{ColumnId, ForeignKey, Generator, Operation, Scenario, Table};
use syntax::visit;
use syntax::{Expr, ExprKind, InsertSource, QueryBody, Statement, identifier};

use super::reading::{self, GONE};
use super::{names, rows_table, same_key};
use crate::lower::builder::{Builder, Mark, register};
use crate::lower::decision;
use crate::lower::statement;
use crate::sql::{Text, facts};

/// `columns`: of written rows. `assigned`: the columns that an update changes; `None`: the rows are new, and must not be among those `before`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn rows(
    table: &Table,
    columns: &[(String, Type)],
    builder: &mut Builder,
    index: u16,
    changes: RegisterId,
    assigned: Option<&BTreeSet<ColumnId>>,
    never_null: &BTreeSet<ColumnId>,
    before: Option<RegisterId>,
) -> Block {
    let concerns = |column: &ColumnId| assigned.is_none_or(|assigned| assigned.contains(column));
    let mut tests: Vec<(String, String)> = Vec::new();
    for column in super::reading::ids(table).filter(concerns) {
        if table.column(column).not_null && !never_null.contains(&column) {
            let name = &table.column(column).name;
            tests.push((format!("{} IS NULL", identifier(name)), null_message(table, name)));
        }
    }
    for check in &table.checks {
        if columns_of(table, &check.condition).iter().any(concerns) {
            let condition = format!("NOT ({})", syntax::print_expr(&check.condition));
            tests.push((condition, check_message(table, &check.condition)));
        }
    }
    let mut sources = vec![rows_table(&table.full_name(), columns.to_vec(), changes)];
    if let (None, Some(written)) = (assigned, before) {
        let own = crate::sql::text::qualified(&table.schema, &table.name);
        let condition = format!(
            "EXISTS (SELECT 1 FROM written.rows AS w WHERE NOT w.{} AND {})",
            identifier(GONE),
            same_key(table, "w", &own)
        );
        tests.push((condition, duplicate_message(table, &table.primary_key)));
        sources.push(rows_table("written.rows", columns.to_vec(), written));
    }
    if tests.is_empty() {
        return Block::new();
    }
    let mut sql = "SELECT CASE".to_owned();
    for (condition, message) in &tests {
        sql.push_str(&format!(" WHEN {condition} THEN {}", literal(message)));
    }
    let any: Vec<&str> = tests.iter().map(|(condition, _)| condition.as_str()).collect();
    let from = crate::sql::text::qualified(&table.schema, &table.name);
    sql.push_str(&format!(" END FROM {from} WHERE {} LIMIT 1", any.join(" OR ")));
    let violation = builder.value(&format!("violation of statement {}", index + 1), Type::Text);
    let mark = Mark::new(format!("check {}", table.full_name()), Role::Work).from(index);
    let into = Into::Values(vec![violation]);
    let step = statement::compose(builder, mark, sources, &Text::new(sql), into);
    let found = Expression::Not(Box::new(Expression::IsNull(Box::new(register(violation)))));
    let fail = builder.fail(ErrorClass::Refused, register(violation));
    vec![step, builder.when("if a constraint is violated", found, vec![fail])]
}

/// The same for one row whose values are expressions over registers. `None`: not every condition can be said so.
pub(crate) fn direct(
    builder: &mut Builder,
    table: &Table,
    values: &dyn Fn(ColumnId) -> (Expr, Expression),
    nullable: &BTreeSet<ColumnId>,
) -> Option<Vec<(Expression, String)>> {
    let mut tests = Vec::new();
    for column in nullable.iter().filter(|column| table.column(**column).not_null) {
        let test = Expression::IsNull(Box::new(values(*column).1));
        tests.push((test, null_message(table, &table.column(*column).name)));
    }
    for check in &table.checks {
        let mut condition = check.condition.clone();
        visit::exprs_of_mut(&mut condition, &mut |expr| {
            if let ExprKind::Column(path) = &expr.kind
                && let Some(id) = path.last().and_then(|name| table.find(name.as_str()))
            {
                *expr = values(id).0;
            }
        });
        let test = Expression::Not(Box::new(decision::expression(builder, &condition)?));
        tests.push((test, check_message(table, &check.condition)));
    }
    // What is known to hold needs no test.
    tests.retain(|(test, _)| constant(test) != Some(Value::Bool(false)));
    Some(tests)
}

/// The value of an expression that depends on nothing; `None`: it does, or it is not worth knowing.
pub(crate) fn constant(expression: &Expression) -> Option<Value> {
    let truth = |value: Value| match value {
        Value::Bool(b) => Some(b),
        _ => None,
    };
    Some(match expression {
        Expression::Constant(value) => value.clone(),
        Expression::Not(inner) => Value::Bool(!truth(constant(inner)?)?),
        Expression::IsNull(inner) => Value::Bool(constant(inner)?.is_null()),
        Expression::Binary { operator, left, right } => {
            let (left, right) = (constant(left), constant(right));
            match operator {
                Operator::Or if [&left, &right].contains(&&Some(Value::Bool(true))) => Value::Bool(true),
                Operator::And if [&left, &right].contains(&&Some(Value::Bool(false))) => Value::Bool(false),
                Operator::Or => Value::Bool(truth(left?)? || truth(right?)?),
                Operator::And => Value::Bool(truth(left?)? && truth(right?)?),
                _ => compare(*operator, &left?, &right?)?,
            }
        }
        _ => return None,
    })
}

fn compare(operator: Operator, left: &Value, right: &Value) -> Option<Value> {
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (a, b) => a.as_i64()?.cmp(&b.as_i64()?),
    };
    Some(Value::Bool(match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        _ => return None,
    }))
}

/// Can this expression, over parameters and variables, never be NULL?
pub(crate) fn never_null(scenario: &Scenario, operation: &Operation, expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Cast { operand, .. } | ExprKind::Unary { operand, .. } => never_null(scenario, operation, operand),
        ExprKind::Binary { left, right, .. } => {
            never_null(scenario, operation, left) && never_null(scenario, operation, right)
        }
        ExprKind::Variable(name) => {
            let found = operation
                .parameters
                .iter()
                .find(|parameter| parameter.name == name.as_str());
            name.as_str() == super::STARTED
                || found.is_some_and(|parameter| gives_values(scenario, operation, &parameter.generator))
        }
        ExprKind::Function(_) => facts::is_now(expr),
        _ => false,
    }
}

/// Columns of an INSERT's rows, or assigned by an UPDATE, that cannot become NULL.
pub(crate) fn never_null_columns(
    scenario: &Scenario,
    operation: &Operation,
    table: &Table,
    sql: &Statement,
) -> BTreeSet<ColumnId> {
    let known = |expr: &Expr| never_null(scenario, operation, expr);
    let default = |id: ColumnId| reading::default(table, id);
    match sql {
        Statement::Insert(insert) => {
            let InsertSource::Query(source) = &insert.source else {
                return reading::ids(table).filter(|id| known(&default(*id))).collect();
            };
            let QueryBody::Values(rows) = &source.body else {
                return BTreeSet::new();
            };
            let in_row = |id: &ColumnId, row: &[Expr]| match reading::given(table, insert, row).get(id) {
                Some(expr) => known(expr),
                None => known(&default(*id)),
            };
            reading::ids(table)
                .filter(|id| rows.iter().all(|row| in_row(id, row)))
                .collect()
        }
        Statement::Update(update) => {
            let never = update.assignments.iter().filter(|assignment| known(&assignment.value));
            never
                .filter_map(|assignment| table.find(assignment.column.as_str()))
                .collect()
        }
        _ => BTreeSet::new(),
    }
}

fn gives_values(scenario: &Scenario, operation: &Operation, generator: &Generator) -> bool {
    match generator {
        Generator::Constant(value) => !value.is_null(),
        Generator::Choice(values) | Generator::Each(values) => values.iter().all(|value| !value.is_null()),
        // A tenant may have no row to draw from.
        Generator::Existing {
            table: table_id,
            column,
            ..
        } => {
            let table = scenario.schema.table(*table_id);
            let rows = scenario
                .population
                .position(*table_id)
                .map_or(0, |at| scenario.population.tables[at].rows);
            table.column(*column).not_null && table.tenant.is_none() && rows > 0
        }
        Generator::Parent { .. } => false,
        Generator::Same(index) => (operation.parameters.get(usize::from(*index))).is_some_and(|parameter| {
            !matches!(parameter.generator, Generator::Same(_))
                && gives_values(scenario, operation, &parameter.generator)
        }),
        Generator::Unique { .. }
        | Generator::Email { .. }
        | Generator::Tenant
        | Generator::Between { .. }
        | Generator::Text { .. }
        | Generator::LdsHash { .. }
        | Generator::Instant { .. } => true,
    }
}

pub(crate) fn columns_of(table: &Table, expr: &Expr) -> BTreeSet<ColumnId> {
    let mut columns = BTreeSet::new();
    visit::exprs_of(expr, &mut |e| {
        if let ExprKind::Column(path) = &e.kind {
            columns.extend(path.last().and_then(|name| table.find(name.as_str())));
        }
    });
    columns
}

/// The columns that an UPDATE assigns.
pub(crate) fn assigned(table: &Table, sql: &Statement) -> BTreeSet<ColumnId> {
    match sql {
        Statement::Update(update) => update
            .assignments
            .iter()
            .filter_map(|assignment| table.find(assignment.column.as_str()))
            .collect(),
        _ => BTreeSet::new(),
    }
}

fn null_message(table: &Table, column: &str) -> String {
    format!(
        "null value in column \"{column}\" of relation \"{}\" violates not-null constraint",
        table.name
    )
}

fn check_message(table: &Table, condition: &Expr) -> String {
    let condition = syntax::print_expr(condition);
    format!("new row for relation \"{}\" violates CHECK ({condition})", table.name)
}

pub(crate) fn duplicate_message(table: &Table, columns: &[ColumnId]) -> String {
    format!("duplicate key: {} ({})", table.full_name(), names(table, columns))
}

pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(crate) fn reference_message(table: &Table, key: &ForeignKey, parent: &Table) -> String {
    format!(
        "insert or update on table \"{}\" violates foreign key constraint: no such row in {} ({})",
        table.name,
        parent.full_name(),
        names(table, &key.columns)
    )
}

pub(crate) fn still_referred_message(table: &Table, child: &Table) -> String {
    format!(
        "update or delete on table \"{}\" violates foreign key constraint on table \"{}\"",
        table.name, child.name
    )
}
