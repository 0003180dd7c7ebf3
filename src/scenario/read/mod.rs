//! From text to [`Scenario`]: reads as far as it can, and notices as much as it can on the way.
//!
//! One file a section of the format; [`resolve`] for the SQL inside.

mod capacity;
mod infer;
mod keys;
pub(crate) mod limits;
mod load;
mod marks;
mod operation;
mod parameter;
mod population;
mod present;
mod resolve;
mod schema;
mod tenancy;

use std::collections::BTreeMap;

use base::value::{POSTGRES_EPOCH_DAYS, days_from_civil};
use syntax::{Dialect, ScriptItem, Statement};
use toml_edit::{Datetime, Document, Offset, TableLike, Value};

use crate::document::{Entry, Keys, Reading, Text};
use crate::{ArchitectureOptions, Diagnostic, Fault, Invariant, Operation, OptionValue, Parsed, Place, Scenario};
use crate::{Schema, Severity};

use resolve::Resolver;

/// Reads a scenario file. Never panics, whatever the text.
pub fn parse(text: &str) -> Parsed {
    let mut reading = Reading::new(text);
    let scenario = scenario(text, &mut reading);
    let mut diagnostics = reading.diagnostics;
    diagnostics.sort();
    diagnostics.dedup();
    let failed = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    Parsed {
        scenario: scenario.filter(|_| !failed),
        diagnostics,
    }
}

fn scenario(text: &str, reading: &mut Reading<'_>) -> Option<Scenario> {
    if text.len() > limits::FILE_BYTES {
        let message = format!("the file has {} bytes, the limit is {}", text.len(), limits::FILE_BYTES);
        reading.error(Place::default(), message, None);
        return None;
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let place = error
                .span()
                .map_or(Place { line: 1, column: 1 }, |span| reading.lines.place(span.start));
            let message = error.message().trim().replace('\n', " ");
            reading.error(place, message, "the file is TOML: https://toml.io".to_owned());
            return None;
        }
    };
    let start = Place { line: 1, column: 1 };
    let mut keys = Keys::new("a scenario", start, document.as_table(), reading);
    let text =
        |key, keys: &mut Keys<'_>, reading: &mut Reading<'_>| keys.text(key, reading).map(|text| text.value.to_owned());

    let title = keys
        .required("title", "title = \"Sign-up\"", reading)
        .map(|text| text.value.to_owned());
    let summary = text("summary", &mut keys, reading);
    let adr = text("adr", &mut keys, reading);
    let seed = keys.whole("seed", 0..i64::MAX as u64, reading).unwrap_or(1);
    let epoch_micros = keys
        .take("start")
        .and_then(|entry| epoch(&entry, reading))
        .unwrap_or(DEFAULT_EPOCH);
    let tenant_column = text("tenant_column", &mut keys, reading);
    let region_column = text("region_column", &mut keys, reading);
    let profile = text("profile", &mut keys, reading);
    let faults = keys.take("faults");
    let schema_keys = section(&mut keys, "schema", "[schema]", reading);
    let population_keys = section(&mut keys, "population", "[population]", reading);
    let operation_tables = keys.take("operation");
    let load_keys = section(&mut keys, "load", "[load]", reading);
    let invariant_tables = keys.take("invariant");
    let architecture_tables = keys.take("architecture");
    keys.finish(reading);

    let special = schema::Special {
        tenant: tenant_column.as_deref(),
        region: region_column.as_deref(),
    };
    let Some(schema_keys) = schema_keys else {
        reading.error(
            start,
            "the scenario has no [schema]",
            "[schema] holds the tables, in SQL".to_owned(),
        );
        return None;
    };
    let schema = schema::schema(schema_keys, special, reading);
    let population = population::population(population_keys, &schema, tenant_column.is_some(), reading);
    let operations = operations(operation_tables, &schema, &population, start, reading);
    Some(Scenario {
        title: title.unwrap_or_default(),
        summary: summary.unwrap_or_default().trim().to_owned(),
        adr,
        seed,
        epoch_micros,
        tenant_column,
        region_column,
        profile,
        load: load_keys.map_or(load::DEFAULT, |keys| load::load(keys, reading)),
        invariants: invariants(invariant_tables, &schema, reading),
        faults: self::faults(faults, &operations, reading),
        architectures: architectures(architecture_tables, reading),
        schema,
        population,
        operations,
    })
}

fn section<'d>(
    keys: &mut Keys<'d>,
    key: &'static str,
    what: &'static str,
    reading: &mut Reading<'_>,
) -> Option<Keys<'d>> {
    let entry = keys.take(key)?;
    let table = entry.table(reading)?;
    Some(Keys::new(what, entry.place, table, reading))
}

/// 2026-01-01 00:00 UTC.
const DEFAULT_EPOCH: i64 = 9_497 * MICROS_PER_DAY;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// `start = 2026-01-01T00:00:00Z`; without an offset, UTC.
fn epoch(entry: &Entry<'_>, reading: &mut Reading<'_>) -> Option<i64> {
    let Some(Value::Datetime(value)) = entry.item.as_value() else {
        return entry.wrong("a date, such as 2026-01-01T00:00:00Z", reading);
    };
    let micros = micros(value.value());
    if micros.is_none() {
        let hint = "for example: start = 2026-01-01T00:00:00Z".to_owned();
        reading.error(
            entry.value_place(reading),
            "the start of a run is a day between 1970 and 2200",
            hint,
        );
    }
    micros
}

fn micros(datetime: &Datetime) -> Option<i64> {
    let date = datetime.date.filter(|date| (1970..=2200).contains(&date.year))?;
    let days = days_from_civil(i64::from(date.year), u32::from(date.month), u32::from(date.day)) - POSTGRES_EPOCH_DAYS;
    let of_day = datetime.time.map_or(0, |time| {
        let seconds = i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0));
        seconds * 1_000_000 + i64::from(time.nanosecond.unwrap_or(0) / 1_000)
    });
    let offset = match datetime.offset {
        Some(Offset::Custom { minutes }) => i64::from(minutes) * 60_000_000,
        Some(Offset::Z) | None => 0,
    };
    Some(days * MICROS_PER_DAY + of_day - offset)
}

fn operations(
    entry: Option<Entry<'_>>,
    schema: &Schema,
    population: &crate::Population,
    start: Place,
    reading: &mut Reading<'_>,
) -> Vec<Operation> {
    let Some(entry) = entry else {
        reading.error(
            start,
            "the scenario has no operation",
            "write [[operation]] with name and sql".to_owned(),
        );
        return vec![];
    };
    let tables = entry.tables(reading);
    if tables.len() > limits::OPERATIONS {
        let message = format!("a scenario has at most {} operations", limits::OPERATIONS);
        reading.error(entry.place, message, None);
        return vec![];
    }
    let complete = tables.len();
    let mut operations: Vec<Operation> = vec![];
    for (place, table) in tables {
        let Some(operation) = operation::operation(place, table, schema, population, reading) else {
            continue;
        };
        if operations.iter().any(|other| other.name == operation.name) {
            reading.error(place, format!("there are two operations \"{}\"", operation.name), None);
        }
        operations.push(operation);
    }
    if operations.len() == complete && operations.iter().all(|operation| operation.weight == 0) {
        let hint = "give at least one operation a weight above 0".to_owned();
        reading.error(
            entry.place,
            "every operation has weight 0: nothing would be asked",
            hint,
        );
    }
    operations
}

fn invariants(entry: Option<Entry<'_>>, schema: &Schema, reading: &mut Reading<'_>) -> Vec<Invariant> {
    let Some(entry) = entry else { return vec![] };
    let tables = entry.tables(reading);
    if tables.len() > limits::INVARIANTS {
        let message = format!("a scenario has at most {} invariants", limits::INVARIANTS);
        reading.error(entry.place, message, None);
        return vec![];
    }
    let invariants = tables
        .into_iter()
        .filter_map(|(place, table)| invariant(place, table, schema, reading));
    invariants.collect()
}

fn invariant(place: Place, table: &dyn TableLike, schema: &Schema, reading: &mut Reading<'_>) -> Option<Invariant> {
    let mut keys = Keys::new("[[invariant]]", place, table, reading);
    let name = keys.required("name", "name = \"every user has a role\"", reading);
    let sql = keys.required("sql", "a query whose rows are the violations", reading);
    keys.finish(reading);
    let (name, sql) = (name?, sql?);
    let source = reading.source(&sql);
    let items = match syntax::parse_script(&source.text, Dialect::Scenario) {
        Ok(items) => items,
        Err(error) => {
            reading.syntax_error(&source, error);
            return None;
        }
    };
    let [
        ScriptItem {
            statement: Statement::Query(query),
            attributes,
            ..
        },
    ] = &items[..]
    else {
        let place = source.place(syntax::Span::default());
        reading.error(
            place,
            "an invariant is one query",
            "its rows are the violations".to_owned(),
        );
        return None;
    };
    if let Some(attribute) = attributes.first() {
        reading.error(source.place(attribute.span), "marks belong to operations", None);
    }
    let mut resolver = Resolver::new(schema, &source, reading);
    resolver.query(query);
    let tables = std::mem::take(&mut resolver.reads).into_iter().collect();
    Some(Invariant {
        name: name.value.to_owned(),
        query: (**query).clone(),
        tables,
        source,
        place,
    })
}

fn faults(entry: Option<Entry<'_>>, operations: &[Operation], reading: &mut Reading<'_>) -> Vec<Fault> {
    let Some(entry) = entry else { return vec![] };
    let texts = entry.texts(reading);
    if texts.len() > limits::FAULTS {
        reading.error(
            entry.place,
            format!("a scenario has at most {} faults", limits::FAULTS),
            None,
        );
        return vec![];
    }
    let fault = |text: &Text<'_>| Fault::parse(text.value, operations);
    texts
        .iter()
        .filter_map(|text| fault(text).map_err(|error| reading.phrase_error(text, error)).ok())
        .collect()
}

/// `[architecture.<slug>]`: kept as written; each architecture checks its own.
fn architectures(entry: Option<Entry<'_>>, reading: &mut Reading<'_>) -> BTreeMap<String, ArchitectureOptions> {
    let mut architectures = BTreeMap::new();
    let Some(tables) = entry.and_then(|entry| entry.table(reading)) else {
        return architectures;
    };
    for (slug, item) in tables.iter() {
        let place = reading.place(tables.key(slug).and_then(|key| key.span()).or_else(|| item.span()));
        let Some(table) = (Entry { key: slug, place, item }).table(reading) else {
            continue;
        };
        let mut options = BTreeMap::new();
        for (key, item) in table.iter() {
            let place = reading.place(table.key(key).and_then(|key| key.span()).or_else(|| item.span()));
            let value = match item.as_value() {
                Some(Value::Boolean(value)) => OptionValue::Bool(*value.value()),
                Some(Value::Integer(value)) => OptionValue::Integer(*value.value()),
                Some(Value::String(value)) => OptionValue::Text(value.value().clone()),
                _ => {
                    let message = format!("option \"{key}\" must be a string, a whole number, true or false");
                    reading.error(place, message, None);
                    continue;
                }
            };
            options.insert(key.to_owned(), (value, place));
        }
        architectures.insert(slug.to_owned(), ArchitectureOptions { options, place });
    }
    architectures
}

impl Parsed {
    /// Are there errors? Warnings do not count.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}
