//! The list of what PostgreSQL takes and this parser does not: `not_parsed.txt`.

use syntax::{Dialect, parse_statement};

/// Each line is `statement ⇒ error`. A line that starts to parse, or whose error changes, must be
/// changed there.
#[test]
fn the_list_of_what_is_not_parsed_is_true() {
    let mut differences = Vec::new();
    for line in include_str!("not_parsed.txt").lines() {
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        let (sql, listed) = line.split_once(" ⇒ ").unwrap_or_else(|| panic!("no ⇒ in: {line}"));
        match parse_statement(sql, Dialect::Postgres) {
            Ok(_) => differences.push(format!("{sql} ⇒ is parsed now")),
            Err(error) if error.message == listed => {}
            Err(error) => differences.push(format!("{sql} ⇒ {}", error.message)),
        }
    }
    assert!(differences.is_empty(), "not as listed:\n{}", differences.join("\n"));
}
