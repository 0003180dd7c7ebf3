//! `[[operation]]`: parameters, SQL, marks, and whether they fit together.

use base::{Nanos, Type};
use syntax::{Dialect, IsolationLevel, ScriptItem, Span};
use toml_edit::TableLike;

use crate::document::{Keys, Reading, Text};
use crate::phrase::PhraseError;
use crate::{Action, Compensation, External, Operation, Place, Population, Schema, Source};
use crate::{Statement, Variable, names};

use super::resolve::{Origin, Resolver, Variables};
use super::{limits, marks, parameter, present, tenancy};

pub(super) fn operation(
    place: Place,
    table: &dyn TableLike,
    schema: &Schema,
    population: &Population,
    reading: &mut Reading<'_>,
) -> Option<Operation> {
    let mut keys = Keys::new("[[operation]]", place, table, reading);
    let name = keys.required("name", "name = \"create_user\"", reading);
    let title = keys.text("title", reading);
    let weight = keys.whole("weight", 0..1_000_001, reading).unwrap_or(1) as u32;
    let isolation = keys
        .text("isolation", reading)
        .and_then(|text| isolation(&text, reading));
    let declared = keys.take("parameters");
    let sql = keys.required("sql", "what the operation does, in SQL", reading);
    keys.finish(reading);
    let (name, sql) = (name?, sql?);
    check_name(&name, reading);

    let declared = declared.map_or(vec![], |entry| parameter::declared(&entry, name.value, schema, reading));
    let source = reading.source(&sql);
    let items = match syntax::parse_script(&source.text, Dialect::Scenario) {
        Ok(items) => items,
        Err(error) => {
            reading.syntax_error(&source, error);
            return None;
        }
    };
    if items.is_empty() {
        reading.error(source.place(Span::default()), "the operation does nothing", None);
    }
    if items.len() > limits::PARAMETERS {
        let message = format!("an operation has at most {} statements", limits::PARAMETERS);
        reading.error(source.place(Span::default()), message, None);
        return None;
    }

    let mut resolver = Resolver::new(schema, &source, reading);
    resolver.variables.allowed = true;
    for parameter in &declared {
        resolver.variables.declare(parameter.name, Origin::Parameter, None);
    }
    let statements = statements(&items, &source, &mut resolver);
    let variables = std::mem::take(&mut resolver.variables);

    marks::order(&statements, reading);
    parameter::unknown(&variables, &declared, schema, &source, reading);
    let parameters = parameter::typed(declared, &variables, schema, population, reading);
    let tenant = tenancy::tenant(schema, &parameters, &statements);
    Some(Operation {
        title: title.map_or(name.value, |title| title.value).to_owned(),
        name: name.value.to_owned(),
        weight,
        isolation,
        variables: bound(&variables),
        read_only: statements
            .iter()
            .all(|statement| statement.writes.is_empty() && !matches!(statement.action, Action::Call { .. })),
        parameters,
        statements,
        tenant,
        source,
        place,
    })
}

fn check_name(name: &Text<'_>, reading: &mut Reading<'_>) {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if !is_name(name.value) || name.value.len() > 63 {
        let message = format!("\"{}\" is no name: lower-case letters, digits and _", name.value);
        let hint = "\"title\" may be any text".to_owned();
        reading.phrase_error(name, PhraseError::new(0, message).with_hint(hint));
    }
}

fn isolation(text: &Text<'_>, reading: &mut Reading<'_>) -> Option<IsolationLevel> {
    const LEVELS: [(&str, IsolationLevel); 3] = [
        ("read committed", IsolationLevel::ReadCommitted),
        ("repeatable read", IsolationLevel::RepeatableRead),
        ("serializable", IsolationLevel::Serializable),
    ];
    let found = LEVELS
        .iter()
        .find(|(name, _)| *name == text.value)
        .map(|(_, level)| *level);
    if found.is_none() {
        let message = format!("\"{}\" is no level of transaction isolation", text.value);
        let hint = names::suggestion(text.value, &LEVELS.map(|(name, _)| name), "levels");
        reading.phrase_error(text, PhraseError::new(0, message).with_hint(hint));
    }
    found
}

fn statements(items: &[ScriptItem], source: &Source, resolver: &mut Resolver<'_, '_>) -> Vec<Statement> {
    let mut statements: Vec<Statement> = vec![];
    let mut expectable = false;
    for item in items {
        let place = source.place(item.span);
        let (marks, external) = marks::marks(&item.attributes, &item.statement, source, resolver.reading());
        let number = statements.len() as u16;
        if let syntax::Statement::Expect { rows } = item.statement {
            match statements.last_mut().filter(|_| expectable) {
                Some(last) => last.expect_rows = Some(rows),
                None => {
                    let hint = "it follows the query, insert, update or delete that it is about".to_owned();
                    resolver
                        .reading()
                        .error(place, "EXPECT has no statement before it", hint);
                }
            }
            if !item.attributes.is_empty() {
                resolver
                    .reading()
                    .error(place, "marks stand before the statement, not before its EXPECT", None);
            }
            expectable = false;
            continue;
        }
        let Some(action) = action(item, number, external, resolver) else {
            continue;
        };
        if let Compensation::Written(written) = &marks.compensation {
            compensation(written, number, resolver);
        }
        expectable = matches!(action, Action::Sql(_));
        statements.push(Statement {
            action,
            marks,
            expect_rows: None,
            reads: std::mem::take(&mut resolver.reads).into_iter().collect(),
            writes: std::mem::take(&mut resolver.writes).into_iter().collect(),
            span: item.span,
            place,
        });
    }
    statements
}

fn action(
    item: &ScriptItem,
    number: u16,
    external: Option<External>,
    resolver: &mut Resolver<'_, '_>,
) -> Option<Action> {
    use syntax::Statement as Sql;
    match &item.statement {
        Sql::Query(_) | Sql::Insert(_) | Sql::Update(_) | Sql::Delete(_) => {
            resolver.statement(&item.statement, number);
            Some(Action::Sql(Box::new(present::statement(&item.statement))))
        }
        Sql::AbortWhen { condition, message } => {
            let found = resolver.constant_expression(condition);
            resolver.boolean(&found, condition.span);
            if !resolver.reads.is_empty() {
                let hint = "SELECT … INTO :x first, then ABORT WHEN over :x".to_owned();
                resolver.error(
                    condition.span,
                    "ABORT WHEN decides over variables, not over tables",
                    hint,
                );
            }
            Some(Action::AbortWhen {
                condition: present::expression(condition),
                message: message.clone(),
            })
        }
        Sql::Call { name, arguments } => {
            call_arguments(arguments, resolver);
            let name = name
                .schema
                .iter()
                .chain([&name.name])
                .map(syntax::Name::as_str)
                .collect::<Vec<_>>()
                .join(".");
            let external = external.unwrap_or_else(|| {
                let hint = "write @external(latency = '80 ms') before it".to_owned();
                resolver.error(item.span, format!("how long does {name} take?"), hint);
                External {
                    latency: Nanos::ZERO,
                    fails: None,
                    message: String::new(),
                }
            });
            Some(Action::Call {
                name,
                arguments: arguments.clone(),
                external,
            })
        }
        Sql::Begin { .. }
        | Sql::Commit { .. }
        | Sql::Rollback { .. }
        | Sql::PrepareTransaction(_)
        | Sql::CommitPrepared(_)
        | Sql::RollbackPrepared(_)
        | Sql::SetTransaction { .. } => {
            let hint = "an operation is one transaction as it is; \"isolation\" sets its level".to_owned();
            resolver.error(item.span, "an operation does not begin or end transactions", hint);
            None
        }
        _ => {
            let hint = "an operation queries, inserts, updates, deletes, calls, expects and aborts".to_owned();
            resolver.error(item.span, "this statement does not belong to an operation", hint);
            None
        }
    }
}

fn call_arguments(arguments: &[syntax::Expr], resolver: &mut Resolver<'_, '_>) {
    for argument in arguments {
        resolver.constant_expression(argument);
    }
}

/// A written compensation is resolved like any statement, but its tables are not the operation's.
fn compensation(written: &syntax::Statement, number: u16, resolver: &mut Resolver<'_, '_>) {
    let kept = (resolver.reads.clone(), resolver.writes.clone());
    match written {
        syntax::Statement::Call { arguments, .. } => call_arguments(arguments, resolver),
        written => resolver.statement(written, number),
    }
    (resolver.reads, resolver.writes) = kept;
}

fn bound(variables: &Variables) -> Vec<Variable> {
    let mut bound: Vec<Variable> = variables
        .iter()
        .filter_map(|(name, known)| match known.origin {
            Origin::Bound(statement) => Some(Variable {
                name: name.to_string(),
                data_type: known.data_type.unwrap_or(Type::Text),
                statement,
            }),
            _ => None,
        })
        .collect();
    bound.sort_by(|a, b| (a.statement, &a.name).cmp(&(b.statement, &b.name)));
    bound
}
