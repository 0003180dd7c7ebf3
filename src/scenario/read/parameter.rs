//! Parameters of operations: a name, a type from its use, a generator.

use std::collections::BTreeSet;

use base::{Decimal, Type, Value};

use crate::document::{Entry, Reading, Text};
use crate::generator::{self, Names};
use crate::phrase::PhraseError;
use crate::{Generator, Parameter, Place, Population, Schema, Source, names};

use super::resolve::{Origin, Variables};
use super::{infer, limits};

/// A parameter as the file has it, before its type is known.
pub(super) struct Declared<'d> {
    pub(super) name: &'d str,
    place: Place,
    generator: Generator,
    /// `None`: a plain number or truth value.
    text: Option<Text<'d>>,
}

/// The parameters in the file's order.
pub(super) fn declared<'d>(
    entry: &Entry<'d>,
    operation: &str,
    schema: &Schema,
    reading: &mut Reading<'_>,
) -> Vec<Declared<'d>> {
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
        let decimal = item.as_float().and_then(|number| Decimal::parse(&number.to_string()));
        let (generator, text) = match (item.as_integer(), item.as_bool(), decimal.flatten()) {
            (Some(number), ..) => (Generator::Constant(Value::Int8(number)), None),
            (_, Some(truth), _) => (Generator::Constant(Value::Bool(truth)), None),
            (.., Some(number)) => (Generator::Constant(Value::numeric(number)), None),
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

/// `:x` without a generator and without INTO: most likely a slip, or a parameter that was forgotten.
pub(super) fn unknown(
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
    let names = Names {
        schema,
        siblings,
        of_row: false,
        parent: None,
        prefix: "",
    };
    let inferred = column.and_then(|(table, column)| infer::column(table, column, &names).ok());
    match inferred {
        Some(Generator::Unique { .. }) => "new id".to_owned(),
        Some(Generator::Email { .. }) => "new email".to_owned(),
        Some(Generator::Instant { .. } | Generator::Constant(_)) | None => match data_type {
            Some(Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric | Type::Float8) => "between 1 and 9".to_owned(),
            Some(Type::Timestamptz | Type::Timestamp | Type::Date) => "now".to_owned(),
            Some(Type::Uuid) => "new id".to_owned(),
            Some(Type::Bool) => "one of [true, false]".to_owned(),
            Some(Type::Jsonb) => "value '{}'".to_owned(),
            // Nothing else is a column's, and what is only compared has no generator of its own.
            Some(_) | None => "text of 20".to_owned(),
        },
        Some(generator) => generator.phrase(schema, siblings),
    }
}

/// Gives each parameter the type that its use asks for, and its generator values of that type.
pub(super) fn typed(
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
        // A tenant says whose request it is, whatever the SQL does with it.
        let says_whose = parameter.generator == Generator::Tenant;
        if !says_whose && !known.is_some_and(|known| known.used) && !same.contains(&(position as u16)) {
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
            fails(format!("parameter \"{}\": {message}", parameter.name), reading);
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
        Generator::Unique { .. } | Generator::Email { .. } | Generator::Text { .. } | Generator::LdsHash { .. } => {
            Some(Type::Text)
        }
    }
}
