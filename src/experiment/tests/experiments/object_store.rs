//! Files in an object store, where many want the same and where it is broken in the middle.

use experiment::{AtomicityJob, BillJob, Choice, library};
use report::{AtomicityReport, BillReport};

use crate::dynamodb::{broken, contended};
use crate::finish;

const OBJECTS: &str = "object-store";

fn only() -> Choice {
    Choice {
        designs: vec![OBJECTS.to_owned()],
        ..Choice::default()
    }
}

#[test]
fn without_conditions_updates_are_lost() {
    assert!(broken(&contended(OBJECTS, &["without-conditions"])).contains(&"the till holds what was paid"));
}

#[test]
fn a_name_is_taken_twice_only_without_guards() {
    let twice = "a name has one member";
    assert!(!broken(&contended(OBJECTS, &[])).contains(&twice));
    assert!(broken(&contended(OBJECTS, &["without-guards"])).contains(&twice));
}

/// There is no transaction over files: what a crash leaves between two of them stays.
#[test]
fn a_crash_between_two_files_leaves_the_first() {
    let text = library::scenario("sign-up").expect("it is built in").text;
    let report: AtomicityReport = finish(AtomicityJob::new("sign-up", text, &only(), "create_user"));
    let design = &report.designs[0];
    assert!(design.points.len() >= 5, "{:?}", design.points.len());
    assert!(design.broken() > 0, "nothing rolls back");
}

#[test]
fn it_is_billed_by_requests_and_what_is_stored() {
    let text = library::scenario("sign-up").expect("it is built in").text;
    let report: BillReport = finish(BillJob::new("sign-up", text, &only()));
    let lines: Vec<&str> = report.designs[0].lines.iter().map(|line| line.what.as_str()).collect();
    for what in ["PUT and LIST requests", "GET requests", "objects and their keys"] {
        assert!(lines.contains(&what), "{lines:?}");
    }
    assert!(report.designs[0].unpriced.is_empty());
}
