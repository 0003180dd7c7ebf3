//! Where values come from: parameters of requests, columns of initial rows.

use base::value::{parse_day, parse_instant};
use base::{Decimal, Float, Nanos, Type, Uuid, Value};

use crate::phrase::{Exact, Phrase, PhraseError};
use crate::read::limits::TEXT;
use crate::{ColumnId, Schema, TableId, names};

/// See `reference.md` for the phrases. Values are pure functions of (seed, purpose, index), so a client
/// can name an existing row without asking a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generator {
    /// `value 'x'`, `value 3`, `value null`
    Constant(Value),
    /// `new id`: unique; text gets `prefix` and a number, an integer the number alone.
    Unique { prefix: String },
    /// `new email`: likewise, made into an address.
    Email { prefix: String },
    /// `existing auth.users.id [zipf(1.1)]`: of an initial row of the request's tenant (or of any, if that table
    /// is shared).
    Existing {
        table: TableId,
        column: ColumnId,
        draw: Draw,
    },
    /// Population only, `parent id`: a column of the row that this row comes `per`.
    Parent { table: TableId, column: ColumnId },
    /// `tenant`: the request's, or the row's.
    Tenant,
    /// `one of [1, 2, 3]`: drawn uniformly.
    Choice(Vec<Value>),
    /// Population only, `each of ['admin', 'member']`: row `i` gets the `i mod n`-th.
    Each(Vec<Value>),
    /// `between 1 and 9`: uniform, both included.
    Between { low: i64, high: i64 },
    /// `text of 20`: readable filler of so many characters.
    Text { length: u32 },
    /// `lds hash of 20_000`: the hash under which one of so many people is found, drawn uniformly; as 64 bytes or as
    /// text of 128 characters.
    LdsHash { people: u64 },
    /// `now`; in a population the epoch less up to `before`, `within 90 days`.
    Instant {
        before: Nanos,
        /// Of initial rows no two have the same: the column tells rows of a key apart.
        apart: bool,
    },
    /// `same as x`: an earlier parameter of the request, or an earlier column of the row (its index).
    Same(u16),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draw {
    #[default]
    Uniform,
    /// Rank 1 most often; the exponent in thousandths.
    Zipf { exponent_milli: u32 },
}

impl Draw {
    /// `uniform`, `zipf(1.1)`
    pub(crate) fn phrase(self) -> String {
        match self {
            Draw::Uniform => "uniform".to_owned(),
            Draw::Zipf { exponent_milli } => {
                let fraction = format!("{:03}", exponent_milli % 1_000);
                let fraction = fraction.trim_end_matches('0');
                let point = if fraction.is_empty() { "" } else { "." };
                format!("zipf({}{point}{fraction})", exponent_milli / 1_000)
            }
        }
    }
}

/// A draw, if one comes next in the phrase.
pub(crate) fn draw(phrase: &mut Phrase<'_>) -> Result<Option<Draw>, PhraseError> {
    if phrase.accept("uniform") {
        return Ok(Some(Draw::Uniform));
    }
    if !phrase.accept("zipf") {
        return Ok(None);
    }
    phrase.sign('(')?;
    let offset = phrase.offset();
    let exponent = phrase.thousandths("an exponent")?;
    phrase.sign(')')?;
    let exponent_milli = u32::try_from(exponent)
        .ok()
        .filter(|milli| (1..=10_000).contains(milli));
    let out_of_range = || PhraseError::new(offset, "the exponent of zipf lies above 0 and at most at 10");
    Ok(Some(Draw::Zipf {
        exponent_milli: exponent_milli.ok_or_else(out_of_range)?,
    }))
}

/// What the names in a generator's phrase refer to.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    pub(crate) schema: &'a Schema,
    /// What `same as` may name: earlier parameters, or earlier columns of the row.
    pub(crate) siblings: &'a [&'a str],
    /// A column of an initial row (`each of`, `parent`), not a parameter of a request.
    pub(crate) of_row: bool,
    /// The table that the rows come `per`.
    pub(crate) parent: Option<TableId>,
    /// What `new id` and `new email` put before their number.
    pub(crate) prefix: &'a str,
}

pub(crate) const HINT: &str = "new id, new email, existing auth.users.id, one of ['a', 'b'], between 1 and 9, \
                               text of 20, lds hash of 20_000, now, tenant, same as x, value 'x'";

const FIRST_WORDS: [&str; 14] = [
    "new", "existing", "any", "one", "each", "between", "text", "lds", "now", "tenant", "same", "value", "within",
    "parent",
];

impl Generator {
    pub(crate) fn parse(text: &str, names: &Names<'_>) -> Result<Generator, PhraseError> {
        let mut phrase = Phrase::new(text)?;
        let generator = generator(&mut phrase, names)?;
        phrase
            .end()
            .map_err(|error| error.with_hint(format!("generators: {HINT}")))?;
        Ok(generator)
    }

    /// The phrase that it is read from.
    pub fn phrase(&self, schema: &Schema, siblings: &[&str]) -> String {
        let column = |table: &TableId, column: &ColumnId| {
            format!(
                "{}.{}",
                schema.table(*table).full_name(),
                schema.column(*table, *column).name
            )
        };
        match self {
            Generator::Constant(value) => format!("value {}", literal(value)),
            Generator::Unique { prefix } => format!("new id {}", quote(prefix)),
            Generator::Email { prefix } => format!("new email {}", quote(prefix)),
            Generator::Existing {
                table,
                column: id,
                draw: Draw::Uniform,
            } => format!("existing {}", column(table, id)),
            Generator::Existing {
                table,
                column: id,
                draw,
            } => {
                format!("existing {} {}", column(table, id), draw.phrase())
            }
            Generator::Parent { table, column: id } => format!("parent {}", schema.column(*table, *id).name),
            Generator::Tenant => "tenant".to_owned(),
            Generator::Choice(values) => format!("one of {}", list(values)),
            Generator::Each(values) => format!("each of {}", list(values)),
            Generator::Between { low, high } => format!("between {low} and {high}"),
            Generator::Text { length } => format!("text of {length}"),
            Generator::LdsHash { people } => format!("lds hash of {people}"),
            Generator::Instant {
                before: Nanos::ZERO, ..
            } => "now".to_owned(),
            Generator::Instant { before, .. } => format!("within {}", Exact(*before)),
            Generator::Same(index) => format!("same as {}", siblings.get(usize::from(*index)).unwrap_or(&"?")),
        }
    }
}

fn generator(phrase: &mut Phrase<'_>, names: &Names<'_>) -> Result<Generator, PhraseError> {
    let start = phrase.offset();
    let row_only = |generator| {
        let message = "this generator is for initial rows, not for a parameter of a request";
        if names.of_row {
            Ok(generator)
        } else {
            Err(PhraseError::new(start, message).with_hint(HINT.to_owned()))
        }
    };
    match phrase.one_of(&FIRST_WORDS, "a generator")? {
        "new" => new(phrase, names),
        "existing" | "any" => existing(phrase, names),
        "one" => {
            phrase.expect("of")?;
            Ok(Generator::Choice(phrase.literals()?))
        }
        "each" => {
            phrase.expect("of")?;
            row_only(Generator::Each(phrase.literals()?))
        }
        "between" => between(phrase),
        "text" => {
            phrase.expect("of")?;
            let offset = phrase.offset();
            let length = phrase.whole("a number of characters")?;
            let length = u32::try_from(length).ok().filter(|length| (1..=TEXT).contains(length));
            let message = format!("a text has 1 to {TEXT} characters");
            Ok(Generator::Text {
                length: length.ok_or_else(|| PhraseError::new(offset, message))?,
            })
        }
        "lds" => {
            phrase.expect("hash")?;
            phrase.expect("of")?;
            let offset = phrase.offset();
            let people = phrase.whole("a number of people")?;
            if people == 0 {
                return Err(PhraseError::new(offset, "there must be somebody: at least 1"));
            }
            Ok(Generator::LdsHash { people })
        }
        "now" => Ok(Generator::Instant {
            before: Nanos::ZERO,
            apart: false,
        }),
        "within" => row_only(Generator::Instant {
            before: phrase.duration("a duration")?,
            apart: false,
        }),
        "tenant" => Ok(Generator::Tenant),
        "same" => {
            phrase.expect("as")?;
            let offset = phrase.offset();
            let name = phrase.word("a name")?;
            let index = names
                .siblings
                .iter()
                .position(|sibling| *sibling == name)
                .ok_or_else(|| {
                    let what = if names.of_row {
                        "column before this one"
                    } else {
                        "parameter before this one"
                    };
                    PhraseError::new(offset, format!("\"{name}\" is no {what}")).with_hint(names::suggestion(
                        name,
                        names.siblings,
                        "there are",
                    ))
                })?;
            Ok(Generator::Same(index as u16))
        }
        "parent" => {
            let generator = parent(phrase, names)?;
            row_only(generator)
        }
        _ => Ok(Generator::Constant(phrase.literal()?)),
    }
}

fn new(phrase: &mut Phrase<'_>, names: &Names<'_>) -> Result<Generator, PhraseError> {
    let kind = phrase.one_of(&["id", "email"], "what is new")?;
    let offset = phrase.offset();
    let prefix = phrase.quoted().unwrap_or_else(|| names.prefix.to_owned());
    if prefix.len() > 64 {
        return Err(PhraseError::new(offset, "a prefix has at most 64 bytes"));
    }
    Ok(if kind == "id" {
        Generator::Unique { prefix }
    } else {
        Generator::Email { prefix }
    })
}

fn between(phrase: &mut Phrase<'_>) -> Result<Generator, PhraseError> {
    let low = phrase.integer("a whole number")?;
    phrase.expect("and")?;
    let offset = phrase.offset();
    let high = phrase.integer("a whole number")?;
    if high < low {
        return Err(PhraseError::new(offset, format!("{high} is less than {low}")));
    }
    Ok(Generator::Between { low, high })
}

/// `schema.table.column`, or `schema.table` for its one-column primary key.
fn existing(phrase: &mut Phrase<'_>, names: &Names<'_>) -> Result<Generator, PhraseError> {
    let offset = phrase.offset();
    let word = phrase.word("schema.table.column")?;
    let parts: Vec<&str> = word.split('.').collect();
    let (owner, name, column) = match parts[..] {
        [owner, table, column] => (owner, table, Some(column)),
        [owner, table] => (owner, table, None),
        _ => {
            let error = PhraseError::new(offset, format!("\"{word}\" is not of the form schema.table.column"));
            return Err(error.with_hint("for example: existing auth.users.id".to_owned()));
        }
    };
    let table = find_table(owner, name, names.schema).map_err(|error| PhraseError {
        offset: offset as u32,
        ..error
    })?;
    let found = names.schema.table(table);
    let column = match column {
        Some(column) => found.find(column).ok_or_else(|| {
            let columns: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
            PhraseError::new(offset, format!("table {owner}.{name} has no column \"{column}\""))
                .with_hint(names::suggestion(column, &columns, "it has"))
        })?,
        None => match found.primary_key[..] {
            [column] => column,
            _ => {
                let error = PhraseError::new(offset, format!("which column of {owner}.{name}?"));
                return Err(error.with_hint(format!("write existing {owner}.{name}.<column>")));
            }
        },
    };
    let draw = draw(phrase)?.unwrap_or_default();
    Ok(Generator::Existing { table, column, draw })
}

pub(crate) fn find_table(owner: &str, name: &str, schema: &Schema) -> Result<TableId, PhraseError> {
    schema.find_named(owner, name).ok_or_else(|| {
        let known: Vec<String> = schema.tables.iter().map(|table| table.full_name()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        PhraseError::new(0, format!("there is no table {owner}.{name}")).with_hint(names::suggestion(
            &format!("{owner}.{name}"),
            &known,
            "tables",
        ))
    })
}

fn parent(phrase: &mut Phrase<'_>, names: &Names<'_>) -> Result<Generator, PhraseError> {
    let offset = phrase.offset();
    let name = phrase.word("a column")?;
    let Some(table) = names.parent else {
        let error = PhraseError::new(offset, "these rows do not come per row of another table");
        return Err(error.with_hint("a count such as \"2 per auth.users\" makes a parent".to_owned()));
    };
    let found = names.schema.table(table);
    let column = found.find(name).ok_or_else(|| {
        let columns: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
        PhraseError::new(offset, format!("table {} has no column \"{name}\"", found.full_name()))
            .with_hint(names::suggestion(name, &columns, "it has"))
    })?;
    Ok(Generator::Parent { table, column })
}

/// Makes the constants of a generator values of this type; says what does not fit.
pub(crate) fn typed(generator: Generator, data_type: Type, schema: &Schema) -> Result<Generator, String> {
    let whole = data_type.is_whole();
    let fits = match &generator {
        Generator::Constant(value) => return Ok(Generator::Constant(convert(value, data_type)?)),
        Generator::Choice(values) => return Ok(Generator::Choice(convert_all(values, data_type)?)),
        Generator::Each(values) => return Ok(Generator::Each(convert_all(values, data_type)?)),
        Generator::Unique { .. } => whole || matches!(data_type, Type::Text | Type::Uuid),
        Generator::Text { .. } | Generator::LdsHash { .. } => matches!(data_type, Type::Text | Type::Bytea),
        Generator::Email { .. } => data_type == Type::Text,
        Generator::Tenant => data_type == Type::Int4,
        Generator::Between { low, high } => {
            let number = whole || matches!(data_type, Type::Numeric | Type::Float8);
            let fits = |bound: i64| convert(&Value::Int8(bound), data_type).is_ok();
            if number && !(fits(*low) && fits(*high)) {
                return Err(format!("{low} to {high} is out of range for type {data_type}"));
            }
            number
        }
        Generator::Instant { .. } => matches!(data_type, Type::Timestamptz | Type::Timestamp | Type::Date),
        Generator::Existing { table, column, .. } | Generator::Parent { table, column } => {
            schema.column(*table, *column).data_type == data_type
        }
        Generator::Same(_) => true,
    };
    if fits {
        Ok(generator)
    } else {
        Err(format!("this generator makes no value of type {data_type}"))
    }
}

fn convert_all(values: &[Value], data_type: Type) -> Result<Vec<Value>, String> {
    values.iter().map(|value| convert(value, data_type)).collect()
}

fn convert(value: &Value, data_type: Type) -> Result<Value, String> {
    let wrong = || format!("{} is no value of type {data_type}", literal(value));
    Ok(match (value, data_type) {
        (Value::Null, _) => Value::Null,
        (Value::Bool(b), Type::Bool) => Value::Bool(*b),
        (Value::Int8(n), Type::Int8) => Value::Int8(*n),
        (Value::Int8(n), Type::Int4) => {
            Value::Int4(i32::try_from(*n).map_err(|_| format!("{n} is out of range for type integer"))?)
        }
        (Value::Int8(n), Type::Int2) => {
            Value::Int2(i16::try_from(*n).map_err(|_| format!("{n} is out of range for type smallint"))?)
        }
        (Value::Int8(n), Type::Numeric) => Value::numeric(Decimal::from(*n)),
        (Value::Numeric(number), Type::Numeric) => Value::Numeric(number.clone()),
        (Value::Int8(_) | Value::Numeric(_), Type::Float8) => {
            Value::Float8(Float::parse(&value.to_string()).ok_or_else(wrong)?)
        }
        (Value::Text(text), Type::Uuid) => Value::Uuid(Uuid::parse(text).ok_or_else(wrong)?),
        (Value::Text(text), Type::Date) => Value::Date(parse_day(text).ok_or_else(wrong)?),
        (Value::Text(text), Type::Timestamp) => Value::Timestamp(parse_instant(text).ok_or_else(wrong)?),
        (Value::Text(text), Type::Timestamptz) => {
            let utc = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00"));
            Value::Timestamptz(parse_instant(utc.unwrap_or(text)).ok_or_else(wrong)?)
        }
        (Value::Text(text), Type::Text) => Value::Text(text.clone()),
        (Value::Text(text), Type::Jsonb) => Value::Jsonb(text.clone()),
        (Value::Text(text), Type::Bytea) => {
            let bytes = text.strip_prefix("\\x").and_then(base::from_hex);
            Value::bytea(bytes.ok_or_else(wrong)?)
        }
        _ => return Err(wrong()),
    })
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Text(text) | Value::Jsonb(text) => quote(text),
        other => other.to_string(),
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn list(values: &[Value]) -> String {
    let items: Vec<String> = values.iter().map(literal).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGN_UP: &str = include_str!("../../public/scenarios/sign-up.toml");

    /// The reference promises these phrases; its first column is read here.
    #[test]
    fn every_phrase_of_the_reference_is_read_and_printed_alike() {
        let scenario = crate::parse(SIGN_UP).scenario.unwrap();
        let parent = scenario.schema.find_named("auth", "users");
        let names = Names {
            schema: &scenario.schema,
            siblings: &["id"],
            of_row: true,
            parent,
            prefix: "user-",
        };
        let reference = include_str!("reference.md");
        let (_, section) = reference.split_once("## Generators").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let phrases = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(phrase, _)| phrase);
        let mut count = 0;
        for phrase in phrases {
            let generator = Generator::parse(phrase, &names).unwrap_or_else(|error| panic!("{phrase}: {error}"));
            let printed = generator.phrase(&scenario.schema, &["id"]);
            assert_eq!(
                Generator::parse(&printed, &names),
                Ok(generator),
                "{phrase} → {printed}"
            );
            count += 1;
        }
        assert_eq!(count, 16);
    }
}
