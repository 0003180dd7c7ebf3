//! What a SQL server answers, whichever one it is: ours or a real one.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// To one statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SqlAnswer {
    Rows {
        columns: Vec<String>,
        /// As text; `None` is NULL.
        rows: Vec<Vec<Option<String>>>,
    },
    /// How many rows it changed.
    Done {
        rows: u64,
    },
    Refused {
        sqlstate: String,
        message: String,
    },
}

impl SqlAnswer {
    /// Are they the same, whatever the order of the rows?
    pub fn agrees_with(&self, other: &SqlAnswer) -> bool {
        match (self, other) {
            (
                SqlAnswer::Rows { columns, rows },
                SqlAnswer::Rows {
                    columns: names,
                    rows: others,
                },
            ) => columns == names && sorted(rows) == sorted(others),
            _ => self == other,
        }
    }

    /// Rows by what stands in a column, in falling number; empty if there is no such column.
    pub fn by(&self, column: &str) -> Vec<(String, u64)> {
        let SqlAnswer::Rows { columns, rows } = self else {
            return Vec::new();
        };
        let Some(at) = columns.iter().position(|name| name == column) else {
            return Vec::new();
        };
        let mut counts = BTreeMap::new();
        for row in rows {
            let value = row.get(at).cloned().flatten();
            *counts.entry(value).or_insert(0) += 1;
        }
        let mut counts: Vec<(String, u64)> = counts
            .into_iter()
            .map(|(value, count)| (value.unwrap_or_else(|| "nobody".to_owned()), count))
            .collect();
        counts.sort_by_key(|(_, count)| Reverse(*count));
        counts
    }
}

fn sorted(rows: &[Vec<Option<String>>]) -> Vec<&Vec<Option<String>>> {
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_unstable();
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> SqlAnswer {
        let row = |row: &&[&str]| row.iter().map(|value| Some((*value).to_owned())).collect();
        SqlAnswer::Rows {
            columns: vec!["tenant_id".to_owned(), "id".to_owned()],
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn the_order_of_rows_is_no_difference_but_their_number_is() {
        let mine = rows(&[&["1", "a"], &["2", "b"]]);
        assert!(mine.agrees_with(&rows(&[&["2", "b"], &["1", "a"]])));
        assert!(!mine.agrees_with(&rows(&[&["2", "b"], &["1", "a"], &["1", "a"]])));
        assert!(!mine.agrees_with(&SqlAnswer::Done { rows: 2 }));
    }

    #[test]
    fn rows_are_counted_by_tenant_the_most_first() {
        let answer = rows(&[&["1", "a"], &["2", "b"], &["2", "c"]]);
        assert_eq!(answer.by("tenant_id"), [("2".to_owned(), 2), ("1".to_owned(), 1)]);
        assert_eq!(answer.by("owner"), []);
    }
}
