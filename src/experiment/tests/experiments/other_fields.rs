//! Scenarios of other fields on every design: whatever a design can express leaves the same rows.

use std::collections::BTreeSet;

use experiment::{Choice, RunJob};

use crate::finish;

fn same_rows(file: &str) {
    let path = format!("{}/../../tests/scenarios/{file}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    check(file, &text, Vec::new(), 100);
}

fn check(file: &str, text: &str, designs: Vec<String>, requests: u64) {
    let report = finish(RunJob::new(
        file,
        text,
        &Choice {
            designs,
            requests: Some(requests),
            ..Choice::default()
        },
    ));
    for design in &report.designs {
        for refusal in &design.refusals {
            assert!(
                refusal.line > 0 && refusal.hint.is_some(),
                "{}: {refusal:?}",
                design.architecture
            );
        }
        let refused: BTreeSet<_> = design.refusals.iter().filter_map(|refusal| refusal.operation).collect();
        let all_of_it = design.refusals.iter().any(|refusal| refusal.operation.is_none());
        let expresses_something = !all_of_it && refused.len() < design.operations.len();
        assert_eq!(
            design.answered > 0,
            expresses_something,
            "{}: {:?}",
            design.architecture,
            design.refusals
        );
    }
    for table in &report.same_rows {
        assert!(table.equal, "{file}: {table:?}");
    }
}

#[test]
fn a_shop_leaves_the_same_rows() {
    same_rows("shop");
}

#[test]
fn a_school_leaves_the_same_rows() {
    same_rows("school");
}

/// Types that people's own schemas have: uuid, varchar, numeric, date, timestamp.
#[test]
fn a_library_leaves_the_same_rows() {
    same_rows("library");
}

#[test]
fn a_bank_leaves_the_same_rows() {
    same_rows("bank");
}

#[test]
fn a_booking_leaves_the_same_rows() {
    same_rows("booking");
}

/// Keys of several columns, the tenant among them; rows of one parent beside those of another.
#[test]
fn a_chat_leaves_the_same_rows() {
    same_rows("chat");
}

/// A unique index over some rows holds on every design.
#[test]
fn a_hospital_leaves_the_same_rows() {
    same_rows("hospital");
}

/// What is deleted with a row is looked for where nothing says whose it is.
#[test]
fn a_ticket_office_leaves_the_same_rows() {
    same_rows("tickets");
}

/// An operation of one tenant that names others' rows finds them behind every wall.
#[test]
fn matching_across_tenants_leaves_the_same_rows() {
    same_rows("matching");
}

/// Every scenario on every design, and the first with every variant. What a design cannot express is a recorded table.
#[test]
fn the_built_in_scenarios_leave_the_same_rows() {
    let nine: Vec<String> = architecture::architectures()
        .iter()
        .map(|architecture| architecture.slug().to_owned())
        .collect();
    for (number, built_in) in experiment::library::SCENARIOS.iter().enumerate() {
        let designs = if number == 0 {
            vec!["all".to_owned()]
        } else {
            nine.clone()
        };
        check(built_in.slug, built_in.text, designs, 60);
    }
}

/// Every operation looks at several tenants, or at what belongs to nobody, and writes down what it saw: equal rows
/// prove equal answers.
#[test]
fn what_crosses_tenants_is_answered_as_one_database_answers_it() {
    let text = include_str!("../../../../tests/scenarios/teams.toml");
    let designs = ["schemas-in-one-database", "database-per-tenant"].map(str::to_owned);
    check("teams", text, designs.to_vec(), 300);
}

/// A file for each row, and no transaction: whatever refuses an operation is asked before its first write.
#[test]
fn files_leave_the_rows_that_a_database_leaves() {
    let folder = format!("{}/../../tests/scenarios", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}"));
    let mut texts: Vec<(String, String)> = files
        .iter()
        .map(|path| (path.display().to_string(), read(path)))
        .collect();
    texts.extend((experiment::library::SCENARIOS.iter()).map(|one| (one.slug.to_owned(), one.text.to_owned())));
    assert!(texts.len() > 10, "{texts:?}");
    let designs = ["schemas-in-one-database", "object-store"].map(str::to_owned);
    for (name, text) in texts {
        check(&name, &text, designs.to_vec(), 100);
    }
}
