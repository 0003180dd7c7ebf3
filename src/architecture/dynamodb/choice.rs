//! What a scenario may say about a table's keys: `"auth.users" = "partition id"`.
//!
//! | text | |
//! |---|---|
//! | `index` | as the access patterns ask for it; the default |
//! | `partition a, b` | these columns of the primary key make the partition key, the rest of it the sort key |
//! | `scan` | no secondary index: what the base key does not serve is a scan |

use scenario::{ColumnId, OptionValue, Scenario, Table};

use super::SLUG;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Index,
    Partition(Vec<ColumnId>),
    Scan,
}

pub(crate) fn choice(scenario: &Scenario, table: &Table) -> Choice {
    let options = scenario.architectures.get(SLUG).map(|table| &table.options);
    match options.and_then(|options| options.get(&table.full_name())) {
        Some((OptionValue::Text(text), _)) => parse(text, table).unwrap_or(Choice::Index),
        _ => Choice::Index,
    }
}

/// What is wrong with a setting that is named after a table, and what would be right; `None`: it is not.
pub(crate) fn check(scenario: &Scenario, name: &str, value: &OptionValue) -> Option<Result<(), (String, String)>> {
    let table = scenario.schema.tables.iter().find(|table| table.full_name() == name)?;
    let key = table
        .primary_key
        .first()
        .map_or("id", |id| table.column(*id).name.as_str());
    let hint = format!("write \"index\", \"scan\" or, for example, \"partition {key}\"");
    Some(match value {
        OptionValue::Text(text) => parse(text, table).map(|_| ()).map_err(|why| (why, hint)),
        _ => Err((
            format!("\"{name}\" takes a text that says how its rows are found"),
            hint,
        )),
    })
}

fn parse(text: &str, table: &Table) -> Result<Choice, String> {
    match text.trim() {
        "index" => return Ok(Choice::Index),
        "scan" => return Ok(Choice::Scan),
        _ => {}
    }
    let Some(list) = text.trim().strip_prefix("partition ") else {
        return Err(format!(
            "\"{text}\" is no way to find the rows of {}",
            table.full_name()
        ));
    };
    let mut columns = Vec::new();
    for name in list.split(',').map(str::trim) {
        let column = table
            .find(name)
            .filter(|id| table.primary_key.contains(id))
            .ok_or_else(|| {
                let key = super::layout::names(table, &table.primary_key);
                format!(
                    "\"{name}\" is not in the primary key of {}, which is ({key})",
                    table.full_name()
                )
            })?;
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    // In the order of the primary key.
    Ok(Choice::Partition(
        table
            .primary_key
            .iter()
            .copied()
            .filter(|id| columns.contains(id))
            .collect(),
    ))
}
