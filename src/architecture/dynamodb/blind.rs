//! Updates that need not read first: a row by its primary key, new values that are known or the old number plus or
//! minus something. DynamoDB adds in place (a counter), and its condition says that there is such a row: nobody who
//! counts at the same time has to begin again.

use std::collections::{BTreeMap, BTreeSet};

use base::Type;
use program::{Expression, Phrase};
use scenario::{ColumnId, Table, TableId};
use syntax::{BinaryOperator, Expr, ExprKind, Statement, Update};

use super::bindings::deleted_with;
use super::check::{columns_of, never_null};
use super::operation::Writer;
use super::reading::{self, tracked};
use super::work::BlindUpdate;
use crate::lower::item::Item;
use crate::rows::value::{assigned_value, direct_value};
use crate::sql::facts::conjuncts;

/// The statements, by their number, that can be made so.
pub(crate) fn eligible(writer: &mut Writer<'_, '_>, items: &[Item]) -> BTreeMap<u16, BlindUpdate> {
    let mut found = BTreeMap::new();
    let writes = items.iter().filter(|item| item.writes()).count();
    for item in items {
        let expected = item.statement.expect_rows == Some(1);
        let lenient = item.statement.expect_rows.is_none() && writes == 1;
        if let (Some(Statement::Update(update)), true) = (item.sql(), expected || lenient)
            && let Some(id) = writer.assembly.scenario.schema.find(&update.table)
            && !writer.is_used_elsewhere(items, item, id)
            && !referred(writer, items, id)
            && let Some(update) = blind(writer, id, update, expected)
        {
            found.insert(item.index, update);
        }
    }
    found
}

/// Does the transaction look at the table's rows because others refer to them, or they to others?
fn referred(writer: &Writer<'_, '_>, items: &[Item], id: TableId) -> bool {
    let schema = &writer.assembly.scenario.schema;
    items.iter().any(|item| {
        let refers = item
            .statement
            .writes
            .iter()
            .any(|table| schema.table(*table).foreign_keys.iter().any(|key| key.table == id));
        let cascades = match item.sql() {
            Some(sql @ Statement::Delete(_)) => reading::target(schema, sql)
                .is_some_and(|target| deleted_with(schema, target).iter().any(|(child, _, _)| *child == id)),
            _ => false,
        };
        refers || cascades
    })
}

fn blind(writer: &mut Writer<'_, '_>, id: TableId, update: &Update, expected: bool) -> Option<BlindUpdate> {
    let scenario = writer.assembly.scenario;
    let table = scenario.schema.table(id);
    if !update.from.is_empty() || update.returning.is_some() || table.primary_key.is_empty() {
        return None;
    }
    let mut condition = writer.site.exists();
    let mut maybe_null = Vec::new();
    let mut key = known_key(writer, table, update.filter.as_ref()?, &mut condition, &mut maybe_null)?;
    if !maybe_null.is_empty() && !expected {
        return None;
    }
    let layout = writer.site.layout.table(id);
    if let (Some(tenant), Some(parameter)) = (layout.tenant, writer.operation.tenant)
        && !key.contains_key(&tenant)
    {
        let name = &writer.operation.parameters[usize::from(parameter)].name;
        key.insert(tenant, writer.builder.operand(name));
    }
    let layout = writer.site.layout.table(id);
    if !layout.base.columns().iter().all(|column| key.contains_key(column)) {
        return None;
    }
    let mut fixed: BTreeSet<ColumnId> = layout.base.columns();
    fixed.extend(&table.primary_key);
    fixed.extend(tracked(table));
    fixed.extend(layout.secondary.iter().flat_map(super::layout::KeyPath::columns));
    fixed.extend(
        table
            .checks
            .iter()
            .flat_map(|check| columns_of(table, &check.condition)),
    );
    let referred = scenario
        .schema
        .tables
        .iter()
        .flat_map(|other| &other.foreign_keys)
        .filter(|key| key.table == id);
    fixed.extend(referred.flat_map(|key| &key.referenced));
    let mut phrase = writer.site.touch();
    for (number, assignment) in update.assignments.iter().enumerate() {
        let column = table
            .find(assignment.column.as_str())
            .filter(|column| !fixed.contains(column))?;
        let (sign, operand) = operation_on(table, column, &assignment.value);
        if !never_null(scenario, writer.operation, operand) {
            return None;
        }
        let value = assigned_value(&mut writer.builder, table.column(column), operand)?;
        let (name, placeholder) = (format!("#c{number}"), format!(":v{number}"));
        phrase.text.push_str(&match sign {
            None => format!(", {name} = {placeholder}"),
            Some(sign) => format!(", {name} = {name} {sign} {placeholder}"),
        });
        phrase
            .names
            .push((name.into(), table.column(column).name.as_str().into()));
        phrase.values.push((placeholder.into(), value));
    }
    let value = |column: ColumnId| {
        key.get(&column)
            .cloned()
            .unwrap_or(Expression::Constant(base::Value::Null))
    };
    Some(BlindUpdate {
        table: id,
        key: writer.site.key(id, &value),
        update: phrase,
        condition,
        expected,
        maybe_null,
    })
}

/// The columns that the condition makes equal to something; what else it says goes to the item's condition.
fn known_key(
    writer: &mut Writer<'_, '_>,
    table: &Table,
    filter: &Expr,
    condition: &mut Phrase,
    maybe_null: &mut Vec<Expression>,
) -> Option<BTreeMap<ColumnId, Expression>> {
    let mut known = BTreeMap::new();
    for (number, predicate) in conjuncts(filter).into_iter().enumerate() {
        let name = format!("#w{number}");
        let (column, test) = match &predicate.kind {
            ExprKind::Binary { operator, left, right } => {
                let column = column(table, left)?;
                let data_type = table.column(column).data_type;
                let value = direct_value(&mut writer.builder, data_type, right)?;
                let sure = never_null(writer.assembly.scenario, writer.operation, right);
                if *operator == BinaryOperator::Equal && in_key(writer, table, column) {
                    if !sure {
                        maybe_null.push(value.clone());
                    }
                    known.insert(column, value);
                    continue;
                }
                if !sure || data_type == Type::Jsonb {
                    return None;
                }
                let placeholder = format!(":w{number}");
                // A missing attribute differs from everything; NULL does not.
                let test = match operator {
                    BinaryOperator::NotEqual => format!("attribute_exists({name}) AND {name} <> {placeholder}"),
                    BinaryOperator::Equal
                    | BinaryOperator::Less
                    | BinaryOperator::LessOrEqual
                    | BinaryOperator::Greater
                    | BinaryOperator::GreaterOrEqual => format!("{name} {} {placeholder}", operator.symbol()),
                    _ => return None,
                };
                condition.values.push((placeholder.into(), value));
                (column, test)
            }
            ExprKind::IsNull { operand, negated } => {
                let function = if *negated {
                    "attribute_exists"
                } else {
                    "attribute_not_exists"
                };
                (column(table, operand)?, format!("{function}({name})"))
            }
            _ => return None,
        };
        condition.text.push_str(&format!(" AND {test}"));
        condition
            .names
            .push((name.into(), table.column(column).name.as_str().into()));
    }
    Some(known)
}

fn in_key(writer: &Writer<'_, '_>, table: &Table, column: ColumnId) -> bool {
    let schema = &writer.assembly.scenario.schema;
    let id = schema.find_named(&table.schema, &table.name);
    id.is_some_and(|id| writer.site.layout.table(id).base.columns().contains(&column))
}

fn column(table: &Table, expr: &Expr) -> Option<ColumnId> {
    match &expr.kind {
        ExprKind::Column(path) => path.last().and_then(|name| table.find(name.as_str())),
        _ => None,
    }
}

/// `n + 1` on a column `n` that is a number and never NULL, else a value of its own.
fn operation_on<'e>(table: &Table, own: ColumnId, expr: &'e Expr) -> (Option<char>, &'e Expr) {
    let definition = table.column(own);
    let counts = definition.data_type.is_whole() && definition.not_null;
    match &expr.kind {
        ExprKind::Binary { operator, left, right } if counts => match operator {
            BinaryOperator::Add if column(table, left) == Some(own) => (Some('+'), right),
            BinaryOperator::Add if column(table, right) == Some(own) => (Some('+'), left),
            BinaryOperator::Subtract if column(table, left) == Some(own) => (Some('-'), right),
            _ => (None, expr),
        },
        _ => (None, expr),
    }
}
