//! The arrows between rooms: what each manifest may name, compared with `borders.toml`.
//!
//! Cargo refuses a `use` of what a manifest does not name; this refuses a manifest that names too much.

use std::collections::BTreeSet;

use serde_json::Value;
use toml_edit::DocumentMut;

use crate::shell::{Failure, Result, capture, cargo, read, root};

/// Every arrow that is not in the table, as sentences; empty when all is well.
pub(crate) fn trespasses() -> Result<Vec<String>> {
    let metadata = capture(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--quiet"]));
    let metadata: Value = serde_json::from_str(metadata.text.trim())
        .map_err(|_| Failure(format!("`cargo metadata` failed:\n{}", metadata.text)))?;
    compare(&read(&root().join("xtask/borders.toml"))?, &metadata)
}

fn compare(table: &str, metadata: &Value) -> Result<Vec<String>> {
    let table: DocumentMut = table
        .parse()
        .map_err(|error| Failure(format!("xtask/borders.toml cannot be read: {error}")))?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(room) = table.get(name) else {
            found.push(format!("the room `{name}` is not in xtask/borders.toml"));
            continue;
        };
        let names = |key: &str| -> BTreeSet<&str> {
            let list = room.get(key).and_then(|list| list.as_array());
            list.into_iter().flatten().filter_map(|name| name.as_str()).collect()
        };
        let (rooms, crates, tests) = (names("rooms"), names("crates"), names("tests"));
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            // A dependency by path is a room of ours and has to be named as one.
            let ours = dependency["path"].is_string();
            let for_tests = dependency["kind"] == "dev";
            let allowed = if ours { rooms.contains(on) } else { crates.contains(on) };
            if !(allowed || for_tests && tests.contains(on)) {
                found.push(format!(
                    "`{name}` must not depend on `{on}`{}",
                    if for_tests { " in tests" } else { "" }
                ));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &str, dependencies: &str) -> Vec<String> {
        let metadata = format!(r#"{{"packages":[{{"name":"ui","dependencies":[{dependencies}]}}]}}"#);
        compare(table, &serde_json::from_str(&metadata).unwrap()).unwrap()
    }

    const TABLE: &str = "[ui]\nrooms = ['report']\ncrates = ['leptos']\ntests = ['sim']";

    #[test]
    fn an_arrow_in_the_table_is_allowed() {
        assert_eq!(
            check(
                TABLE,
                r#"{"name":"report","path":"/src/report","kind":null},{"name":"leptos","kind":null}"#
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_found() {
        assert_eq!(
            check(TABLE, r#"{"name":"sqlparser","kind":null}"#),
            ["`ui` must not depend on `sqlparser`"]
        );
        assert_eq!(
            check(TABLE, r#"{"name":"sim","path":"/src/sim","kind":null}"#),
            ["`ui` must not depend on `sim`"]
        );
        assert_eq!(
            check(TABLE, r#"{"name":"sim","path":"/src/sim","kind":"dev"}"#),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_room_under_the_name_of_a_permitted_crate_is_found() {
        assert_eq!(
            check(TABLE, r#"{"name":"leptos","path":"/x","kind":null}"#),
            ["`ui` must not depend on `leptos`"]
        );
    }

    #[test]
    fn a_room_that_nobody_listed_is_found() {
        assert_eq!(check("", ""), ["the room `ui` is not in xtask/borders.toml"]);
    }

    #[test]
    fn the_two_sides_meet_only_in_program() {
        let table: DocumentMut = read(&root().join("xtask/borders.toml")).unwrap().parse().unwrap();
        let reached = |from: &str| {
            let mut reached = BTreeSet::new();
            let mut open = vec![from.to_owned()];
            while let Some(room) = open.pop() {
                for next in table[room.as_str()]["rooms"].as_array().unwrap() {
                    let next = next.as_str().unwrap().to_owned();
                    if reached.insert(next.clone()) {
                        open.push(next);
                    }
                }
            }
            reached
        };
        assert!(!reached("architecture").contains("sim") && !reached("architecture").contains("engine-sql"));
        assert!(!reached("sim").contains("architecture") && !reached("sim").contains("scenario"));
        for forbidden in ["engine-sql", "syntax", "scenario", "architecture", "sim", "experiment"] {
            assert!(
                !reached("app").contains(forbidden),
                "the page would contain {forbidden}"
            );
        }
    }
}
