//! One statement of an operation as steps.

use base::Type;
use program::{Block, ConnectionId, Duration, Expression, Failure, Into, Op, Role};
use scenario::{Action, External};
use syntax::{Expr, Query, QueryBody, Select, SelectItem, Span};

use super::assembly::Assembly;
use super::builder::{Builder, Mark};
use super::decision;
use super::item::Item;
use crate::sql::{Text, facts, typed};

/// `connection` is where its SQL goes; only a call or a decision over registers needs none.
pub(crate) fn lower(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    item: &Item,
    connection: Option<ConnectionId>,
    role: Role,
) -> Block {
    match &item.statement.action {
        Action::Sql(sql) => match connection {
            Some(connection) => lower_sql(builder, item, sql, connection, role),
            None => Vec::new(),
        },
        Action::AbortWhen { condition, message } => {
            let words = match message {
                Some(message) => message.to_string(),
                None => format!("aborted: {}", syntax::print_expr(condition)),
            };
            lower_decision(builder, item, condition, &words)
        }
        Action::Call { name, external, .. } => {
            vec![lower_call(assembly, builder, item.index, name, external, role)]
        }
    }
}

fn lower_sql(
    builder: &mut Builder,
    item: &Item,
    sql: &syntax::Statement,
    connection: ConnectionId,
    role: Role,
) -> Block {
    let text = Text::statement(sql);
    let into = target(builder, item.index, sql);
    let mark = Mark::new(label(sql), role).from(item.index);
    let step = builder.statement_expecting(mark, connection, &text, into, item.statement.expect_rows);
    match &item.per_row {
        None => vec![step],
        Some(per_row) => {
            let rows = builder.rows(&per_row.rows);
            let bind = per_row.columns.iter().map(|name| builder.variable(name)).collect();
            let op = Op::ForEach {
                rows,
                bind,
                body: vec![step],
                parallel: 1,
                gather: Vec::new(),
            };
            vec![builder.step(Mark::plumbing("for each row"), op)]
        }
    }
}

/// `SELECT auth.users`, `INSERT audit.audit_logs`.
pub(crate) fn label(sql: &syntax::Statement) -> String {
    let mut names = Vec::new();
    for name in facts::tables_of_statement(sql) {
        names.push(syntax::print_object(&name));
    }
    if !matches!(sql, syntax::Statement::Query(_)) {
        names.truncate(1);
    }
    format!("{} {}", facts::verb(sql), names.join(", "))
        .trim_end()
        .to_owned()
}

/// Where the result goes: the variables of INTO, or a row set for the client.
pub(crate) fn target(builder: &mut Builder, index: u16, sql: &syntax::Statement) -> Into {
    let names = facts::into(sql);
    if !names.is_empty() {
        return Into::Values(names.iter().map(|name| builder.variable(name)).collect());
    }
    if facts::answers_rows(sql) {
        return Into::Rows(builder.rows(&answer_name(index)));
    }
    Into::Nothing
}

/// The register of the rows that a statement answers to the client.
pub(crate) fn answer_name(index: u16) -> String {
    format!("rows of statement {}", index + 1)
}

fn lower_decision(builder: &mut Builder, item: &Item, condition: &Expr, message: &str) -> Block {
    let label = format!("if {}", syntax::print_expr(condition));
    let mut steps = Vec::new();
    let test = match decision::expression(builder, condition) {
        Some(test) => test,
        None => {
            let name = format!("decision {}", item.index + 1);
            let register = builder.value(&name, Type::Bool);
            let query = select(condition.clone());
            let mut query = syntax::Statement::Query(Box::new(query));
            typed::cast_variables(&mut query, &|name| builder.type_of(name));
            let text = Text::statement(&query);
            let mark = Mark::new(format!("decide {}", item.index + 1), Role::Work).from(item.index);
            let into = Into::Values(vec![register]);
            steps.push(compose(builder, mark, Vec::new(), &text, into));
            Expression::Register(register)
        }
    };
    let abort = builder.abort(Expression::text(message));
    let index = item.index;
    let step = builder.when(label, test, vec![abort]);
    builder.set_source(step, index);
    steps.push(step);
    steps
}

pub(crate) fn compose(
    builder: &mut Builder,
    mark: Mark,
    tables: Vec<program::ComposeTable>,
    text: &Text,
    into: Into,
) -> program::StepId {
    let operands = builder.operands(text);
    let op = Op::Compose {
        tables,
        sql: text.sql.clone(),
        operands,
        into,
    };
    builder.step(mark, op)
}

/// A query over nothing stored, evaluated in the service's own memory.
pub(crate) fn evaluate(builder: &mut Builder, index: u16, sql: &syntax::Statement) -> program::StepId {
    let into = target(builder, index, sql);
    let mark = Mark::new(label(sql), Role::Work).from(index);
    compose(builder, mark, Vec::new(), &Text::statement(sql), into)
}

/// `SELECT expr`
pub(crate) fn select(expr: Expr) -> Query {
    let select = Select {
        distinct: syntax::Distinct::All,
        items: vec![SelectItem::Expr { expr, alias: None }],
        into: Vec::new(),
        from: Vec::new(),
        filter: None,
        group_by: Vec::new(),
        having: None,
    };
    Query {
        with: Vec::new(),
        body: QueryBody::Select(Box::new(select)),
        order_by: Vec::new(),
        limit: None,
        offset: None,
        locking: Vec::new(),
        span: Span::default(),
    }
}

/// A call to the outside: time passes there, and it may be refused.
pub(crate) fn lower_call(
    assembly: &mut Assembly<'_>,
    builder: &mut Builder,
    index: u16,
    name: &str,
    external: &External,
    role: Role,
) -> program::StepId {
    let node = assembly.external(name);
    let fails = external.fails.map(|(numerator, denominator)| Failure {
        numerator,
        denominator,
        message: external.message.clone(),
    });
    let op = Op::Work {
        node,
        duration: Duration::Exponential(external.latency),
        fails,
    };
    builder.step(Mark::new(format!("CALL {name}"), role).from(index), op)
}
