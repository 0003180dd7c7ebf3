//! `[population]`: how many tenants and rows, and what is in them.

use std::collections::BTreeMap;

use base::Type;
use toml_edit::{Item, TableLike};

use crate::document::{Entry, Keys, Reading, Text};
use crate::generator::{self, Names};
use crate::phrase::{Phrase, PhraseError};
use crate::{ColumnId, Count, Draw, Generator, Place, Population, Schema, TableId, TablePopulation};

use super::schema::column_path;
use super::{capacity, infer, keys};

/// A column whose generator the file gives, with its place.
type Explicit<'d> = BTreeMap<(TableId, ColumnId), Text<'d>>;

pub(super) fn population(
    keys: Option<Keys<'_>>,
    schema: &Schema,
    tenants: bool,
    reading: &mut Reading<'_>,
) -> Population {
    let mut population = Population {
        tenants: 0,
        sizes: Draw::Uniform,
        tables: vec![],
    };
    let mut counts: BTreeMap<TableId, (Count, Place)> = BTreeMap::new();
    let mut explicit = Explicit::new();
    let mut place = Place::default();
    if let Some(mut keys) = keys {
        place = keys.place;
        population.tenants = self::tenants(&mut keys, tenants, reading);
        population.sizes = sizes(&mut keys, reading);
        if let Some(entry) = keys.take("columns") {
            explicit = columns(&entry, schema, reading);
        }
        for entry in keys.rest() {
            table_count(&entry, "", schema, &keys, &mut counts, reading);
        }
    }
    let tables = Tables {
        schema,
        tenants: u64::from(population.tenants),
        counts: &counts,
    };
    for id in schema.ids() {
        let (count, at) = counts
            .get(&id)
            .copied()
            .unwrap_or((Count::Total(0), schema.table(id).place));
        let rows = tables.rows(id, at, reading);
        let columns = generators(id, count, rows, &explicit, schema, reading);
        population.tables.push(TablePopulation {
            table: id,
            count,
            rows,
            columns,
        });
    }
    existing_rows(&population, schema, reading);
    order(&mut population, schema, reading);
    capacity::check(&population, schema, place, reading);
    population
}

fn tenants(keys: &mut Keys<'_>, has_column: bool, reading: &mut Reading<'_>) -> u32 {
    let Some(entry) = keys.take("tenants") else {
        if has_column {
            let hint = "for example: tenants = 50".to_owned();
            reading.error(
                keys.place,
                "the scenario has a tenant column, but [population] no \"tenants\"",
                hint,
            );
        }
        return 0;
    };
    if !has_column {
        let hint = "name the column that says whose row it is: tenant_column = \"tenant_id\"".to_owned();
        reading.error(entry.place, "there are tenants, but no tenant_column", hint);
    }
    // A number beyond the limit is kept: the rows that it asks for are part of the message.
    entry.whole(1..u64::from(u32::MAX), reading).unwrap_or(1) as u32
}

fn sizes(keys: &mut Keys<'_>, reading: &mut Reading<'_>) -> Draw {
    let Some(text) = keys.text("sizes", reading) else {
        return Draw::Uniform;
    };
    let read = |text: &str| {
        let mut phrase = Phrase::new(text)?;
        let draw = generator::draw(&mut phrase)?.ok_or_else(|| phrase.unexpected("how sizes fall"))?;
        phrase.end().map(|()| draw)
    };
    read(text.value).unwrap_or_else(|error: PhraseError| {
        reading.phrase_error(&text, error.with_hint("\"uniform\" or \"zipf(1.1)\"".to_owned()));
        Draw::Uniform
    })
}

/// `"auth.users" = "1_000 per tenant"`, or the same as dotted keys.
fn table_count(
    entry: &Entry<'_>,
    prefix: &str,
    schema: &Schema,
    keys: &Keys<'_>,
    counts: &mut BTreeMap<TableId, (Count, Place)>,
    reading: &mut Reading<'_>,
) {
    let name = format!("{prefix}{}", entry.key);
    if let (Some(table), "") = (entry.item.as_table_like(), prefix) {
        for (key, item) in table.iter() {
            let entry = Entry {
                key,
                place: key_place(table, key, item, reading),
                item,
            };
            table_count(&entry, &format!("{name}."), schema, keys, counts, reading);
        }
        return;
    }
    let Some((owner, bare)) = name.split_once('.') else {
        return keys.unknown(entry, reading);
    };
    let id = match generator::find_table(owner, bare, schema) {
        Ok(id) => id,
        Err(error) => return reading.error(entry.place, error.message, error.hint),
    };
    let Some(count) = count(entry, schema, reading) else {
        return;
    };
    if counts.insert(id, (count, entry.place)).is_some() {
        reading.error(entry.place, format!("{name} is counted twice"), None);
    }
}

fn key_place(table: &dyn TableLike, key: &str, item: &Item, reading: &Reading<'_>) -> Place {
    reading.place(table.key(key).and_then(|key| key.span()).or_else(|| item.span()))
}

fn count(entry: &Entry<'_>, schema: &Schema, reading: &mut Reading<'_>) -> Option<Count> {
    if entry.item.is_integer() {
        return entry.whole(0..u64::from(u32::MAX), reading).map(Count::Total);
    }
    let text = entry.text(reading)?;
    match read_count(text.value, schema) {
        Ok(count) => Some(count),
        Err(error) => {
            let hint = "a count is 40, \"1_000 per tenant\" or \"2 per auth.users\"".to_owned();
            reading.phrase_error(
                &text,
                if error.hint.is_none() {
                    error.with_hint(hint)
                } else {
                    error
                },
            );
            None
        }
    }
}

fn read_count(text: &str, schema: &Schema) -> Result<Count, PhraseError> {
    let mut phrase = Phrase::new(text)?;
    let number = phrase.whole("a number of rows")?;
    if number > u64::from(u32::MAX) {
        return Err(PhraseError::new(0, format!("{number} is too large")));
    }
    if !phrase.accept("per") {
        phrase.end()?;
        return Ok(Count::Total(number));
    }
    if phrase.accept("tenant") {
        phrase.end()?;
        return Ok(Count::PerTenant(number));
    }
    let offset = phrase.offset();
    let name = phrase.word("tenant, or a table")?;
    let Some((owner, table)) = name.split_once('.') else {
        return Err(PhraseError::new(
            offset,
            format!("\"{name}\" is neither tenant nor a table"),
        ));
    };
    let found = generator::find_table(owner, table, schema);
    let parent = found.map_err(|error| PhraseError {
        offset: offset as u32,
        ..error
    })?;
    phrase.end()?;
    if number == 0 {
        return Err(PhraseError::new(0, "none per row is none at all: write 0"));
    }
    Ok(Count::PerRow { per: number, parent })
}

struct Tables<'a> {
    schema: &'a Schema,
    tenants: u64,
    counts: &'a BTreeMap<TableId, (Count, Place)>,
}

impl Tables<'_> {
    /// What a count comes to; follows parents, and notices when they go round in a circle.
    fn rows(&self, id: TableId, place: Place, reading: &mut Reading<'_>) -> u64 {
        let mut factor = 1_u64;
        let mut at = id;
        for _ in 0..=self.schema.tables.len() {
            match self.counts.get(&at).map_or(Count::Total(0), |(count, _)| *count) {
                Count::Total(rows) => return factor.saturating_mul(rows),
                Count::PerTenant(rows) => {
                    if at == id && self.schema.table(id).tenant.is_none() {
                        let message = format!("{} has no tenant column", self.schema.table(id).full_name());
                        reading.error(place, message, "write the number of rows alone".to_owned());
                    }
                    return factor.saturating_mul(rows).saturating_mul(self.tenants);
                }
                Count::PerRow { per, parent } => {
                    factor = factor.saturating_mul(per);
                    at = parent;
                }
            }
        }
        let message = format!(
            "the rows of {} are counted by each other",
            self.schema.table(id).full_name()
        );
        reading.error(place, message, None);
        0
    }
}

/// `[population.columns]`: `"auth.users.status" = "one of ['active', 'locked']"`.
fn columns<'d>(entry: &Entry<'d>, schema: &Schema, reading: &mut Reading<'_>) -> Explicit<'d> {
    let mut explicit = Explicit::new();
    let Some(table) = entry.table(reading) else {
        return explicit;
    };
    for (key, item) in table.iter() {
        let entry = Entry {
            key,
            place: key_place(table, key, item, reading),
            item,
        };
        if item.is_table_like() {
            let hint = format!("put the whole name in quotes: \"{key}.<table>.<column>\"");
            reading.error(entry.place, "a column is named by one key", hint);
            continue;
        }
        match column_path(key, schema) {
            Ok(path) => {
                if let Some(text) = entry.text(reading) {
                    explicit.insert(path, text);
                }
            }
            Err((message, hint)) => reading.error(entry.place, message, hint),
        }
    }
    explicit
}

/// One generator for each column: given, or inferred.
fn generators(
    id: TableId,
    count: Count,
    rows: u64,
    explicit: &Explicit<'_>,
    schema: &Schema,
    reading: &mut Reading<'_>,
) -> Vec<(ColumnId, Type, Generator)> {
    let table = schema.table(id);
    let siblings: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let parent = match count {
        Count::PerRow { parent, .. } => Some(parent),
        _ => None,
    };
    let prefix = infer::prefix(table);
    let mut columns = vec![];
    let mut complete = true;
    for (position, column) in table.columns.iter().enumerate() {
        let column_id = ColumnId(position as u16);
        let siblings = &siblings[..position];
        let names = Names {
            schema,
            siblings,
            of_row: true,
            parent,
            prefix: &prefix,
        };
        let generator = match explicit.get(&(id, column_id)) {
            Some(text) => given(text, column.data_type, &names, reading),
            None => infer::column(id, column_id, &names).map_err(|hint| {
                if rows > 0 {
                    let message = format!("no generator is known for {}.{}", table.full_name(), column.name);
                    reading.error(column.place, message, hint);
                }
            }),
        };
        complete &= generator.is_ok();
        let generator = generator.unwrap_or(Generator::Constant(base::Value::Null));
        columns.push((column_id, column.data_type, generator));
    }
    if rows > 0 && complete {
        same_types(&columns, explicit, id, schema, reading);
        let is_given = |column| explicit.contains_key(&(id, column));
        loop {
            let rows = keys::Rows {
                table,
                columns: &columns,
                count,
                rows,
                schema,
            };
            let Some((column, generator)) = rows.to_tell_apart(is_given) else {
                rows.check(reading);
                break;
            };
            columns[column.index()].2 = generator;
        }
        infer::unread_checks(id, schema, |column| explicit.contains_key(&(id, column)), reading);
    }
    columns
}

fn given(text: &Text<'_>, data_type: Type, names: &Names<'_>, reading: &mut Reading<'_>) -> Result<Generator, ()> {
    let generator = Generator::parse(text.value, names).map_err(|error| reading.phrase_error(text, error))?;
    generator::typed(generator, data_type, names.schema)
        .map_err(|message| reading.phrase_error(text, PhraseError::new(0, message)))
}

/// `same as` must name a column of the same type.
fn same_types(
    columns: &[(ColumnId, Type, Generator)],
    explicit: &Explicit<'_>,
    id: TableId,
    schema: &Schema,
    reading: &mut Reading<'_>,
) {
    for (column, data_type, generator) in columns {
        let Generator::Same(other) = generator else { continue };
        let Some((other, other_type, _)) = columns.get(usize::from(*other)) else {
            continue;
        };
        if let (true, Some(text)) = (other_type != data_type, explicit.get(&(id, *column))) {
            let table = schema.table(id);
            let (name, other) = (&table.column(*column).name, &table.column(*other).name);
            let message = format!("\"{name}\" is of type {data_type}, \"{other}\" of type {other_type}");
            reading.phrase_error(text, PhraseError::new(0, message));
        }
    }
}

/// A generator may only draw from rows that are there.
fn existing_rows(population: &Population, schema: &Schema, reading: &mut Reading<'_>) {
    for table in population.tables.iter().filter(|table| table.rows > 0) {
        for (column, _, generator) in &table.columns {
            let Generator::Existing { table: other, .. } = generator else {
                continue;
            };
            if population
                .tables
                .iter()
                .any(|population| population.table == *other && population.rows == 0)
            {
                let column = schema.column(table.table, *column);
                let message = format!(
                    "\"{}\" draws from rows of {}, which has none",
                    column.name,
                    schema.table(*other).full_name()
                );
                reading.error(
                    column.place,
                    message,
                    "give that table a count under [population]".to_owned(),
                );
            }
        }
    }
}

/// Tables after those that their rows refer to.
fn order(population: &mut Population, schema: &Schema, reading: &mut Reading<'_>) {
    let mut left: Vec<TablePopulation> = std::mem::take(&mut population.tables);
    while !left.is_empty() {
        let waits = |table: &TablePopulation| {
            needs(table, schema)
                .iter()
                .any(|need| *need != table.table && left.iter().any(|other| other.table == *need))
        };
        let next = left.iter().position(|table| !waits(table)).unwrap_or_else(|| {
            let table = schema.table(left[0].table);
            let message = format!(
                "the initial rows of {} refer to each other in a circle",
                table.full_name()
            );
            reading.error(table.place, message, None);
            0
        });
        population.tables.push(left.remove(next));
    }
}

fn needs(table: &TablePopulation, schema: &Schema) -> Vec<TableId> {
    let mut needs: Vec<TableId> = schema
        .table(table.table)
        .foreign_keys
        .iter()
        .map(|key| key.table)
        .collect();
    if let Count::PerRow { parent, .. } = table.count {
        needs.push(parent);
    }
    needs.extend(table.columns.iter().filter_map(|(_, _, generator)| match generator {
        Generator::Existing { table, .. } => Some(*table),
        _ => None,
    }));
    needs
}
