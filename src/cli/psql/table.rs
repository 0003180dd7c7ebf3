//! Rows as psql's aligned format shows them (border 1).

use std::io::{self, Write};

use base::{Type, Value};
use engine_sql::Output;
use unicode_width::UnicodeWidthStr;

/// A table, its number of rows and an empty line.
pub(super) fn print(out: &mut impl Write, output: &Output, null: &str, tuples_only: bool) -> io::Result<()> {
    let columns: Vec<Column> = output
        .columns
        .iter()
        .map(|column| Column {
            header: lines(&column.name),
            right: column.data_type.is_whole() || matches!(column.data_type, Type::Numeric | Type::Float8 | Type::Oid),
            width: 0,
        })
        .collect();
    let cells: Vec<Vec<Vec<String>>> = output
        .rows
        .iter()
        .map(|row| row.iter().map(|value| lines(&text(value, null))).collect())
        .collect();
    let columns = measured(columns, &cells);
    if !tuples_only {
        header(out, &columns)?;
    }
    for row in &cells {
        body(out, &columns, row)?;
    }
    if !tuples_only {
        let rows = cells.len();
        writeln!(out, "({rows} row{})", if rows == 1 { "" } else { "s" })?;
    }
    writeln!(out)
}

struct Column {
    header: Vec<String>,
    /// Numbers stand at the right.
    right: bool,
    width: usize,
}

fn text(value: &Value, null: &str) -> String {
    match value {
        Value::Null => null.to_owned(),
        value => value.to_string(),
    }
}

/// A cell's lines; a carriage return and a tab are shown as psql shows them.
fn lines(text: &str) -> Vec<String> {
    text.split('\n')
        .map(|line| expand_tabs(&line.replace('\r', "\\r")))
        .collect()
}

fn expand_tabs(line: &str) -> String {
    let mut expanded = String::new();
    for c in line.chars() {
        if c == '\t' {
            let at = expanded.width();
            expanded.push_str(&" ".repeat(8 - at % 8));
        } else {
            expanded.push(c);
        }
    }
    expanded
}

fn measured(mut columns: Vec<Column>, cells: &[Vec<Vec<String>>]) -> Vec<Column> {
    for (n, column) in columns.iter_mut().enumerate() {
        let own = cells.iter().filter_map(|row| row.get(n)).flatten();
        column.width = column
            .header
            .iter()
            .chain(own)
            .map(|line| line.width())
            .max()
            .unwrap_or(0);
    }
    columns
}

fn header(out: &mut impl Write, columns: &[Column]) -> io::Result<()> {
    let height = columns.iter().map(|column| column.header.len()).max().unwrap_or(0);
    for n in 0..height {
        for (i, column) in columns.iter().enumerate() {
            let line = column.header.get(n).map_or("", String::as_str);
            let free = column.width - line.width();
            let more = if n + 1 < column.header.len() { "+" } else { " " };
            let (left, right) = (" ".repeat(free / 2), " ".repeat(free - free / 2));
            write!(out, "{} {left}{line}{right}{more}", if i > 0 { "|" } else { "" })?;
        }
        writeln!(out)?;
    }
    let dashes: Vec<String> = columns.iter().map(|column| "-".repeat(column.width + 2)).collect();
    let rule = if columns.is_empty() {
        "--".to_owned()
    } else {
        dashes.join("+")
    };
    writeln!(out, "{rule}")
}

fn body(out: &mut impl Write, columns: &[Column], row: &[Vec<String>]) -> io::Result<()> {
    let height = row.iter().map(Vec::len).max().unwrap_or(0);
    for n in 0..height {
        for (i, (column, cell)) in columns.iter().zip(row).enumerate() {
            let line = cell.get(n).map_or("", String::as_str);
            let free = " ".repeat(column.width - line.width());
            let more = n + 1 < cell.len();
            let last = i + 1 == columns.len();
            write!(out, "{} ", if i > 0 { "|" } else { "" })?;
            if column.right {
                write!(out, "{free}{line}")?;
            } else if last && !more {
                write!(out, "{line}")?;
            } else {
                write!(out, "{line}{free}")?;
            }
            if more {
                write!(out, "+")?;
            } else if !last {
                write!(out, " ")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine_sql::OutputColumn;

    use super::*;

    fn check(columns: &[(&str, Type)], rows: &[&[Value]], expected: &str) {
        let output = Output {
            columns: columns
                .iter()
                .map(|&(name, data_type)| OutputColumn {
                    name: name.into(),
                    data_type,
                })
                .collect(),
            rows: rows.iter().map(|row| Arc::from(*row)).collect(),
            ..Output::default()
        };
        let mut out = Vec::new();
        print(&mut out, &output, "(null)", false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    /// Recorded from psql 15.
    #[test]
    fn tables_look_as_psql_prints_them() {
        check(
            &[("long_name", Type::Text), ("n", Type::Int4)],
            &[
                &[Value::text("a"), Value::Int4(1)],
                &[Value::text("abc"), Value::Int4(-5)],
            ],
            " long_name | n  \n-----------+----\n a         |  1\n abc       | -5\n(2 rows)\n\n",
        );
        check(
            &[("n", Type::Text), ("i", Type::Int4), ("t", Type::Bool)],
            &[&[Value::Null, Value::Null, Value::Bool(true)]],
            "   n    |   i    | t \n--------+--------+---\n (null) | (null) | t\n(1 row)\n\n",
        );
        check(
            &[
                ("a", Type::Int4),
                ("b", Type::Text),
                ("c\nd", Type::Text),
                ("e", Type::Int4),
                ("z", Type::Text),
            ],
            &[&[
                Value::Int4(1),
                Value::text("two\nlines"),
                Value::text("three\nmore\nlines"),
                Value::Int4(2),
                Value::text("x\ny"),
            ]],
            concat!(
                " a |   b   |   c  +| e | z \n",
                "   |       |   d   |   |   \n",
                "---+-------+-------+---+---\n",
                " 1 | two  +| three+| 2 | x+\n",
                "   | lines | more +|   | y\n",
                "   |       | lines |   | \n",
                "(1 row)\n\n"
            ),
        );
        check(
            &[("u", Type::Text), ("w", Type::Text)],
            &[&[Value::text("ä"), Value::text("日本")]],
            " u |  w   \n---+------\n ä | 日本\n(1 row)\n\n",
        );
        check(&[], &[&[]], "--\n(1 row)\n\n");
    }
}
