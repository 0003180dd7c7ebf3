//! The forgotten filter as a change of a query's tree: its predicate on the tenant goes, and it answers whose each row is.

use scenario::{Action, Operation, Scenario, Schema, Table};
use syntax::{BinaryOperator, Distinct, Expr, ExprKind, Name, QueryBody, Select, SelectItem, Span, TableRef, visit};

/// A query of the scenario that has lost its filter.
#[derive(Clone, Debug)]
pub(super) struct Forgotten {
    /// That query alone.
    pub(super) operation: Operation,
    /// `statement 1 of activity_report`
    pub(super) source: String,
    pub(super) statement: String,
    /// Of its answer: the tenant's column, then the rest of the primary key.
    pub(super) columns: Vec<String>,
    /// Predicates that are left.
    rest: usize,
}

/// All queries that filter by tenant, each text once; those that filter by least else go first.
pub(super) fn forgotten_filters(scenario: &Scenario) -> Vec<Forgotten> {
    let mut found: Vec<Forgotten> = Vec::new();
    for operation in &scenario.operations {
        let tenant = operation
            .tenant
            .and_then(|tenant| operation.parameters.get(usize::from(tenant)));
        let Some(tenant) = tenant else { continue };
        for (index, statement) in operation.statements.iter().enumerate() {
            let Action::Sql(sql) = &statement.action else { continue };
            let Some((mut sql, columns, rest)) = without_filter(&scenario.schema, sql, &tenant.name) else {
                continue;
            };
            let text = syntax::print(&sql);
            if needs_earlier_statements(operation, &mut sql) || found.iter().any(|known| known.statement == text) {
                continue;
            }
            let mut alone = operation.clone();
            let mut statement = statement.clone();
            statement.action = Action::Sql(Box::new(sql));
            statement.expect_rows = None;
            statement.marks = scenario::Marks::default();
            alone.name = format!("{} without its tenant filter, statement {}", operation.name, index + 1);
            alone.title = alone.name.clone();
            alone.read_only = true;
            alone.statements = vec![statement];
            alone.variables.clear();
            found.push(Forgotten {
                operation: alone,
                source: format!("statement {} of {}", index + 1, operation.name),
                statement: text,
                columns,
                rest,
            });
        }
    }
    found.sort_by_key(|forgotten| forgotten.rest);
    found
}

/// Does it name what `INTO` has bound before?
fn needs_earlier_statements(operation: &Operation, sql: &mut syntax::Statement) -> bool {
    let mut needs = false;
    visit::exprs_mut(sql, &mut |expr| {
        if let ExprKind::Variable(name) = &expr.kind {
            needs |= operation.variables.iter().any(|variable| *variable.name == *name.text);
        }
    });
    needs
}

/// The query without its predicate on the tenant, answering whose each row is and its key; how many predicates are
/// left. `None`: it is no plain query, or has no such predicate.
fn without_filter(
    schema: &Schema,
    sql: &syntax::Statement,
    tenant: &str,
) -> Option<(syntax::Statement, Vec<String>, usize)> {
    let syntax::Statement::Query(query) = sql else {
        return None;
    };
    let QueryBody::Select(select) = &query.body else {
        return None;
    };
    if !query.with.is_empty() || !select.into.is_empty() {
        return None;
    }
    let mut conjuncts = Vec::new();
    split(select.filter.as_ref()?, &mut conjuncts);
    let before = conjuncts.len();
    let mut of: Option<(Option<Name>, &Table)> = None;
    conjuncts.retain(|conjunct| match filtered_table(schema, select, conjunct, tenant) {
        Some(found) => {
            of.get_or_insert(found);
            false
        }
        None => true,
    });
    let (qualifier, table) = of.filter(|_| conjuncts.len() < before)?;
    let owner = table.tenant?;
    let mut wanted = vec![owner];
    wanted.extend(table.primary_key.iter().copied().filter(|column| *column != owner));
    let names: Vec<String> = wanted
        .iter()
        .map(|column| table.columns[usize::from(column.0)].name.clone())
        .collect();
    let rest = conjuncts.len();
    let mut changed = query.clone();
    let select = Select {
        distinct: Distinct::All,
        items: names
            .iter()
            .map(|name| SelectItem::Expr {
                expr: column(qualifier.as_ref(), name),
                alias: None,
            })
            .collect(),
        into: Vec::new(),
        from: select.from.clone(),
        filter: conjuncts.into_iter().cloned().reduce(and),
        group_by: Vec::new(),
        having: None,
    };
    changed.body = QueryBody::Select(Box::new(select));
    changed.order_by.clear();
    changed.limit = None;
    changed.offset = None;
    Some((syntax::Statement::Query(changed), names, rest))
}

fn split<'a>(expr: &'a Expr, into: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Binary {
            operator: BinaryOperator::And,
            left,
            right,
        } => {
            split(left, into);
            split(right, into);
        }
        _ => into.push(expr),
    }
}

fn and(left: Expr, right: Expr) -> Expr {
    let kind = ExprKind::Binary {
        operator: BinaryOperator::And,
        left: Box::new(left),
        right: Box::new(right),
    };
    Expr::new(kind, Span::default())
}

fn column(qualifier: Option<&Name>, name: &str) -> Expr {
    let path = qualifier.cloned().into_iter().chain([Name::new(name)]).collect();
    Expr::new(ExprKind::Column(path), Span::default())
}

/// `u.tenant_id = :tenant`, either way round: the table that `u` is.
fn filtered_table<'a>(
    schema: &'a Schema,
    select: &Select,
    conjunct: &Expr,
    tenant: &str,
) -> Option<(Option<Name>, &'a Table)> {
    let ExprKind::Binary {
        operator: BinaryOperator::Equal,
        left,
        right,
    } = &conjunct.kind
    else {
        return None;
    };
    let path = match (&left.kind, &right.kind) {
        (ExprKind::Column(path), ExprKind::Variable(name)) | (ExprKind::Variable(name), ExprKind::Column(path))
            if *name.text == *tenant =>
        {
            path
        }
        _ => return None,
    };
    let (last, qualifiers) = path.split_last()?;
    let qualifier = qualifiers.last().cloned();
    let mut tables = Vec::new();
    for from in &select.from {
        named_tables(schema, from, &mut tables);
    }
    let has_column = |table: &Table| {
        table
            .tenant
            .is_some_and(|id| *table.columns[usize::from(id.0)].name == *last.text)
    };
    let (_, table) = tables.into_iter().find(|(name, table)| {
        has_column(table) && qualifier.as_ref().is_none_or(|qualifier| *qualifier.text == **name)
    })?;
    Some((qualifier, table))
}

/// The tables in FROM with the names that they go by.
fn named_tables<'a>(schema: &'a Schema, from: &TableRef, into: &mut Vec<(String, &'a Table)>) {
    match from {
        TableRef::Table { name, alias, .. } => {
            let found = schema.tables.iter().find(|table| {
                *table.name == *name.name.text
                    && name.schema.as_ref().is_none_or(|schema| *table.schema == *schema.text)
            });
            if let Some(table) = found {
                let known_as = alias.as_ref().map_or(&name.name, |alias| &alias.name);
                into.push((known_as.text.to_string(), table));
            }
        }
        TableRef::Join { left, right, .. } => {
            named_tables(schema, left, into);
            named_tables(schema, right, into);
        }
        _ => {}
    }
}
