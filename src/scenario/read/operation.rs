//! `[[operation]]`: parameters, SQL, marks, and whether they fit together.

use std::collections::BTreeSet;

use base::{Nanos, Type, Value};
use syntax::{Dialect, IsolationLevel, ScriptItem, Span};
use toml_edit::TableLike;

use crate::document::{Entry, Keys, Reading, Text};
use crate::generator::{self, Names};
use crate::phrase::PhraseError;
use crate::{Action, Compensation, External, Generator, Operation, Parameter, Place, Population, Schema, Source};
use crate::{Statement, Variable, names};

use super::resolve::{Origin, Resolver, Variables};
use super::{infer, limits, marks};

/// A parameter as the file has it, before its type is known.
struct Declared<'d> {
    name: &'d str,
    place: Place,
    generator: Generator,
    /// `None`: a plain number or truth value.
    text: Option<Text<'d>>,
}

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

    let declared = declared.map_or(vec![], |entry| parameters(&entry, name.value, schema, reading));
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

    order_of_marks(&statements, reading);
    unknown_variables(&variables, &declared, schema, &source, reading);
    let parameters = typed_parameters(declared, &variables, schema, population, reading);
    let tenant = parameters
        .iter()
        .position(|parameter| parameter.generator == Generator::Tenant);
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
        tenant: tenant.map(|position| position as u16),
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

fn parameters<'d>(entry: &Entry<'d>, operation: &str, schema: &Schema, reading: &mut Reading<'_>) -> Vec<Declared<'d>> {
    let Some(table) = entry.table(reading) else {
        return vec![];
    };
    let mut declared: Vec<Declared<'d>> = vec![];
    if table.len() > limits::PARAMETERS {
        let message = format!("{operation} has more than {} parameters", limits::PARAMETERS);
        reading.error(entry.place, message, None);
        return declared;
    }
    for (name, item) in table.iter() {
        let range = table.key(name).and_then(|key| key.span()).or_else(|| item.span());
        let entry = Entry {
            key: name,
            place: reading.place(range),
            item,
        };
        let siblings: Vec<&str> = declared.iter().map(|parameter| parameter.name).collect();
        let prefix = format!("new-{}-", name.replace('_', "-"));
        let names = Names {
            schema,
            siblings: &siblings,
            of_row: false,
            parent: None,
            prefix: &prefix,
        };
        let (generator, text) = match (item.as_integer(), item.as_bool()) {
            (Some(number), _) => (Generator::Constant(Value::Int8(number)), None),
            (_, Some(truth)) => (Generator::Constant(Value::Bool(truth)), None),
            _ => {
                let Some(text) = entry.text(reading) else { continue };
                let generator = Generator::parse(text.value, &names).unwrap_or_else(|error| {
                    reading.phrase_error(&text, error);
                    Generator::Constant(Value::Null)
                });
                (generator, Some(text))
            }
        };
        declared.push(Declared {
            name,
            place: entry.place,
            generator,
            text,
        });
    }
    declared
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
            Some(Action::Sql(Box::new(item.statement.clone())))
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
                condition: condition.clone(),
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
        Sql::Begin { .. } | Sql::Commit | Sql::Rollback | Sql::SetTransaction { .. } => {
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

/// Compensatable statements, then at most one pivot, then retriable ones.
fn order_of_marks(statements: &[Statement], reading: &mut Reading<'_>) {
    let mut pivot = false;
    let mut retriable = false;
    for statement in statements {
        let place = statement.place;
        let marks = &statement.marks;
        let must_succeed = pivot || marks.retriable || marks.asynchronous;
        if marks.pivot && pivot {
            reading.error(place, "an operation has one @pivot", None);
        }
        if marks.pivot && retriable {
            reading.error(
                place,
                "@pivot stands after a @retriable statement",
                "what may fail comes first".to_owned(),
            );
        }
        let effect = !statement.writes.is_empty() || matches!(statement.action, Action::Call { .. });
        if retriable && !pivot && effect && !must_succeed && !marks.pivot {
            let hint = "mark it @retriable too, or move it up".to_owned();
            reading.error(place, "a statement that may fail stands after a @retriable one", hint);
        }
        if must_succeed && matches!(statement.action, Action::AbortWhen { .. }) {
            let hint = "decide before the pivot".to_owned();
            reading.error(place, "ABORT WHEN after the @pivot could not undo what is done", hint);
        }
        if must_succeed && statement.expect_rows.is_some() {
            let hint = "check before the pivot".to_owned();
            reading.error(
                place,
                "EXPECT after the @pivot: what must succeed cannot be refused",
                hint,
            );
        }
        if must_succeed && marks.compensation != Compensation::Derived {
            reading.warning(place, "this compensation never runs: nothing after it can fail", None);
        }
        pivot |= marks.pivot;
        retriable |= marks.retriable;
    }
    asynchronous_last(statements, reading);
}

fn asynchronous_last(statements: &[Statement], reading: &mut Reading<'_>) {
    let Some(first) = statements.iter().position(|statement| statement.marks.asynchronous) else {
        return;
    };
    for statement in &statements[first..] {
        if !statement.marks.asynchronous {
            let hint = "what may wait comes last".to_owned();
            reading.error(
                statement.place,
                "this statement comes after an @asynchronous one but is not one",
                hint,
            );
        }
        if let Action::Sql(sql) = &statement.action
            && statement.marks.asynchronous
            && matches!(**sql, syntax::Statement::Query(_))
        {
            reading.error(
                statement.place,
                "nobody waits for the rows of an @asynchronous query",
                None,
            );
        }
    }
}

/// `:x` without a generator and without INTO: most likely a slip, or a parameter that was forgotten.
fn unknown_variables(
    variables: &Variables,
    declared: &[Declared<'_>],
    schema: &Schema,
    source: &Source,
    reading: &mut Reading<'_>,
) {
    let known = variables.names();
    for (name, variable) in variables.iter() {
        let Origin::Nowhere(span) = variable.origin else {
            continue;
        };
        let place = source.place(span);
        if let Some(candidate) = names::nearest(name, known.iter().copied()) {
            let hint = format!("did you mean \":{candidate}\"?");
            reading.error(
                place,
                format!("\":{name}\" is neither a parameter nor bound by INTO"),
                hint,
            );
            continue;
        }
        let siblings: Vec<&str> = declared.iter().map(|parameter| parameter.name).collect();
        let proposal = propose(variable.column, variable.data_type, schema, &siblings);
        let hint = format!("add to its parameters: {name} = \"{proposal}\"");
        reading.error(place, format!("parameter \"{name}\" has no generator"), hint);
    }
}

/// What would make values for this column, as the file would say it.
fn propose(
    column: Option<(crate::TableId, crate::ColumnId)>,
    data_type: Option<Type>,
    schema: &Schema,
    siblings: &[&str],
) -> String {
    let Some((id, column)) = column else {
        return match data_type {
            Some(Type::Int4 | Type::Int8) => "between 1 and 9".to_owned(),
            Some(Type::Timestamptz) => "now".to_owned(),
            Some(Type::Bool) => "one of [true, false]".to_owned(),
            _ => "text of 20".to_owned(),
        };
    };
    let names = Names {
        schema,
        siblings,
        of_row: false,
        parent: None,
        prefix: "",
    };
    match infer::column(id, column, &names) {
        Ok(Generator::Unique { .. }) => "new id".to_owned(),
        Ok(Generator::Email { .. }) => "new email".to_owned(),
        Ok(Generator::Instant { .. }) => "now".to_owned(),
        Ok(generator) => generator.phrase(schema, siblings),
        Err(_) => "text of 20".to_owned(),
    }
}

fn typed_parameters(
    declared: Vec<Declared<'_>>,
    variables: &Variables,
    schema: &Schema,
    population: &Population,
    reading: &mut Reading<'_>,
) -> Vec<Parameter> {
    let same: BTreeSet<u16> = declared
        .iter()
        .filter_map(|parameter| match parameter.generator {
            Generator::Same(index) => Some(index),
            _ => None,
        })
        .collect();
    let mut parameters: Vec<Parameter> = vec![];
    for (position, parameter) in declared.into_iter().enumerate() {
        let known = variables.get(parameter.name);
        if !known.is_some_and(|known| known.used) && !same.contains(&(position as u16)) {
            let message = format!("parameter \"{}\" is not used", parameter.name);
            reading.warning(
                parameter.place,
                message,
                format!("its SQL has no \":{}\"", parameter.name),
            );
        }
        let by_use = known.and_then(|known| known.data_type);
        let data_type = by_use
            .or_else(|| own_type(&parameter.generator, schema, &parameters))
            .unwrap_or(Type::Text);
        let fails = |message: String, reading: &mut Reading<'_>| match &parameter.text {
            Some(text) => reading.phrase_error(text, PhraseError::new(0, message)),
            None => reading.error(parameter.place, message, None),
        };
        if let Generator::Same(index) = parameter.generator
            && parameters
                .get(usize::from(index))
                .is_some_and(|other| other.data_type != data_type)
        {
            fails(
                format!("\"{}\" is of type {data_type}, the other is not", parameter.name),
                reading,
            );
        }
        if let Generator::Existing { table, .. } = &parameter.generator
            && population
                .tables
                .iter()
                .any(|rows| rows.table == *table && rows.rows == 0)
        {
            let table = schema.table(*table).full_name();
            fails(
                format!("{table} has no initial rows: give it a count under [population]"),
                reading,
            );
        }
        if parameter.generator == Generator::Tenant && population.tenants == 0 {
            fails("the scenario has no tenants".to_owned(), reading);
        }
        let generator = generator::typed(parameter.generator.clone(), data_type, schema).unwrap_or_else(|message| {
            fails(
                format!("parameter \"{}\" is of type {data_type}: {message}", parameter.name),
                reading,
            );
            Generator::Constant(Value::Null)
        });
        parameters.push(Parameter {
            name: parameter.name.to_owned(),
            data_type,
            generator,
            place: parameter.place,
        });
    }
    parameters
}

/// The type of a generator's values where the SQL does not say.
fn own_type(generator: &Generator, schema: &Schema, before: &[Parameter]) -> Option<Type> {
    match generator {
        Generator::Existing { table, column, .. } | Generator::Parent { table, column } => {
            Some(schema.column(*table, *column).data_type)
        }
        Generator::Tenant => Some(Type::Int4),
        Generator::Between { .. } => Some(Type::Int8),
        Generator::Instant { .. } => Some(Type::Timestamptz),
        Generator::Constant(value) => value.type_of(),
        Generator::Choice(values) | Generator::Each(values) => values.iter().find_map(Value::type_of),
        Generator::Same(index) => before.get(usize::from(*index)).map(|parameter| parameter.data_type),
        Generator::Unique { .. } | Generator::Email { .. } | Generator::Text { .. } => Some(Type::Text),
    }
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
