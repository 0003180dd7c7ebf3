//! Rows as libpq's `PQprint` shows them, which isolationtester uses.

use base::Value;
use base::value::{POSTGRES_EPOCH_DAYS, civil_from_days};
use engine_sql::Output;

/// Columns are as wide as their longest cell; one whose cells all look like numbers stands at the
/// right, its name too.
pub(super) fn rows(output: &Output) -> String {
    if output.columns.is_empty() {
        return String::new();
    }
    let cells: Vec<Vec<String>> = output.rows.iter().map(|row| row.iter().map(text).collect()).collect();
    let columns: Vec<Column> = output
        .columns
        .iter()
        .enumerate()
        .map(|(n, column)| {
            let own = || cells.iter().filter_map(move |row| row.get(n));
            Column {
                width: own()
                    .map(|cell| cell.len())
                    .chain([column.name.len()])
                    .max()
                    .unwrap_or(0),
                right: own().all(|cell| cell.is_empty() || looks_like_a_number(cell)),
            }
        })
        .collect();
    let names: Vec<&str> = output.columns.iter().map(|column| &*column.name).collect();
    let rule: Vec<String> = columns.iter().map(|column| "-".repeat(column.width)).collect();
    let mut printed = line(&columns, names.iter().copied());
    printed += &format!("{}\n", rule.join("+"));
    for row in &cells {
        printed += &line(&columns, row.iter().map(String::as_str));
    }
    printed + &format!("({} row{})\n\n", cells.len(), if cells.len() == 1 { "" } else { "s" })
}

struct Column {
    /// In bytes, as `PQprint` counts.
    width: usize,
    right: bool,
}

fn line<'a>(columns: &[Column], cells: impl Iterator<Item = &'a str>) -> String {
    let padded: Vec<String> = columns
        .iter()
        .zip(cells)
        .map(|(column, cell)| {
            let free = " ".repeat(column.width.saturating_sub(cell.len()));
            if column.right {
                free + cell
            } else {
                cell.to_owned() + &free
            }
        })
        .collect();
    padded.join("|") + "\n"
}

/// Dates as `DateStyle` "Postgres, MDY" has them, in which PostgreSQL runs its own schedules; the zone is UTC.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Date(days) => {
            let (year, month, day) = civil_from_days(i64::from(*days) + POSTGRES_EPOCH_DAYS);
            format!("{month:02}-{day:02}-{year:04}")
        }
        Value::Timestamptz(micros) => instant(*micros) + " UTC",
        Value::Timestamp(micros) => instant(*micros),
        value => value.to_string(),
    }
}

/// `Thu Apr 01 10:00:00.5 2010`.
fn instant(micros: i64) -> String {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    let days = micros.div_euclid(MICROS_PER_DAY);
    let (year, month, day) = civil_from_days(days + POSTGRES_EPOCH_DAYS);
    let month = MONTHS[month as usize - 1];
    // The first day of 2000 was a Saturday.
    let weekday = WEEKDAYS[(days + 6).rem_euclid(7) as usize];
    let iso = Value::Timestamp(micros).to_string();
    let clock = iso.split(' ').nth(1).unwrap_or_default();
    format!("{weekday} {month} {day:02} {clock} {year:04}")
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `PQprint`'s test: only characters of numbers, no exponent in front, a digit at the end.
fn looks_like_a_number(cell: &str) -> bool {
    cell.chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'E' | 'e' | ' ' | '-'))
        && !cell.starts_with(['E', 'e'])
        && cell.ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::Type;
    use engine_sql::OutputColumn;

    use super::*;

    /// Recorded from isolationtester 15.
    #[test]
    fn rows_look_as_isolationtester_prints_them() {
        let output = Output {
            columns: [("id", Type::Int4), ("data", Type::Text)]
                .map(|(name, data_type)| OutputColumn {
                    name: name.into(),
                    data_type,
                })
                .into(),
            rows: vec![Arc::from([Value::Int4(1), Value::text("x")])],
            ..Output::default()
        };
        assert_eq!(rows(&output), "id|data\n--+----\n 1|x   \n(1 row)\n\n");
    }
}
