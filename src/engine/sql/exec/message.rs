//! Rows and keys as messages show them.

use base::Value;

use super::write_row::{pick, row_value};
use crate::SqlError;
use crate::catalog::{Index, IndexKey, Table};
use crate::error::{error, state};

pub(crate) fn duplicate(table: &Table, index: &Index, values: &[Value], now: i64) -> Box<SqlError> {
    error(
        state::UNIQUE_VIOLATION,
        format!("duplicate key value violates unique constraint \"{}\"", index.name),
    )
    .detail(format!("{} already exists.", entry_text(table, index, values, now)))
}

/// `Key (a, lower(b))=(1, x)`: a row's entry in an index.
pub(crate) fn entry_text(table: &Table, index: &Index, values: &[Value], now: i64) -> String {
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    for part in &index.columns {
        let (name, value) = match &part.key {
            IndexKey::Column(column) => {
                let column = usize::from(*column);
                (table.columns[column].name.to_string(), values[column].clone())
            }
            IndexKey::Expression(expression) => (
                syntax::print_key(&expression.expression),
                row_value(expression, values, now).unwrap_or(Value::Null),
            ),
        };
        names.push(name);
        texts.push(shown(&value, usize::MAX));
    }
    format!("Key ({})=({})", names.join(", "), texts.join(", "))
}

/// [`key_text`] of a whole row.
pub(crate) fn failing_key(table: &Table, columns: &[u16], row: &[Value]) -> String {
    key_text(table, columns, &pick(columns, row))
}

/// `Key (a, b)=(1, x)`.
pub(crate) fn key_text(table: &Table, columns: &[u16], values: &[Value]) -> String {
    let names: Vec<&str> = columns
        .iter()
        .map(|column| &*table.columns[usize::from(*column)].name)
        .collect();
    let shown: Vec<String> = values.iter().map(|value| shown(value, usize::MAX)).collect();
    format!("Key ({})=({})", names.join(", "), shown.join(", "))
}

/// `Failing row contains (1, null, x).`
pub(crate) fn failing_row(table: &Table, values: &[Value]) -> String {
    let live = table.columns.iter().zip(values).filter(|(column, _)| !column.dropped);
    let texts: Vec<String> = live.map(|(_, value)| shown(value, 64)).collect();
    format!("Failing row contains ({}).", texts.join(", "))
}

/// A value in a message; long ones are cut.
fn shown(value: &Value, most: usize) -> String {
    let text = match value {
        Value::Null => return "null".to_owned(),
        value => value.to_string(),
    };
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
}
