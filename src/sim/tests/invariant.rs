//! Invariants, watched from outside: when they break, when they hold again, who read meanwhile.

use base::{Nanos, Type, Value};
use program::workload::Generator;
use program::*;
use sim::{Checks, Options, Record};

use crate::build::*;

/// Two writes in two transactions: in between, half of it is to be seen.
fn halves(second: bool) -> Compilation {
    let definitions = [
        "CREATE TABLE debit (id int PRIMARY KEY)",
        "CREATE TABLE credit (id int PRIMARY KEY)",
    ];
    let mut compilation = compilation(&definitions, 4);
    for name in ["debit", "credit"] {
        table(
            &mut compilation,
            name,
            5,
            vec![("id", Type::Int4, Generator::Unique { prefix: String::new() })],
        );
    }
    compilation.invariants.push(Invariant {
        name: "every debit has its credit".to_owned(),
        sql: "SELECT d.id FROM debit d LEFT JOIN credit c ON c.id = d.id WHERE c.id IS NULL".to_owned(),
        tables: vec!["debit".to_owned(), "credit".to_owned()],
    });
    let mut program = Builder::entry("book");
    let id = program.parameter("id");
    program.acquire();
    program.sql(
        "INSERT INTO debit VALUES ($1)",
        vec![Expression::Register(id)],
        Into::Nothing,
    );
    program.then(
        "pause",
        Op::Work {
            node: APP,
            duration: Duration::Constant(Nanos::from_millis(50)),
            fails: None,
        },
    );
    if second {
        program.sql(
            "INSERT INTO credit VALUES ($1)",
            vec![Expression::Register(id)],
            Into::Nothing,
        );
    }
    program.release();
    program.operation(
        &mut compilation,
        1,
        vec![("id", Type::Int4, Generator::Unique { prefix: String::new() })],
    );
    let mut reader = Builder::entry("look");
    reader.acquire();
    reader.sql("SELECT count(*) FROM debit", Vec::new(), Into::Nothing);
    reader.release();
    reader.operation(&mut compilation, 1, Vec::new());
    compilation.workload.operations[1].read_only = true;
    compilation.workload.operations[1].tables = vec!["debit".to_owned()];
    compilation.workload.clients = program::workload::ClientLoop::Closed {
        clients: 4,
        think: Nanos::from_millis(5),
    };
    compilation.workload.requests = 40;
    compilation
}

fn watched(compilation: &Compilation) -> sim::Simulation {
    let options = Options {
        checks: Checks::EveryCommit,
        record: Record::Everything,
        ..Options::of(compilation)
    };
    let mut simulation = simulation_with(compilation, &profile(), Vec::new(), options);
    simulation.run();
    simulation
}

#[test]
fn a_window_opens_between_two_commits_and_counts_its_readers() {
    let simulation = watched(&halves(true));
    let state = &simulation.invariants()[0];
    assert_eq!(state.error, None);
    assert_eq!(
        state.at_end.as_ref().map(|output| output.rows.len()),
        Some(0),
        "whole at the end"
    );
    assert!(!state.windows.is_empty());
    for window in &state.windows {
        let to = window.to.expect("it closes");
        assert!(to.since(window.from) >= Nanos::from_millis(50), "{window:?}");
    }
    assert!(
        state.windows.iter().map(|window| window.readers).sum::<u64>() > 0,
        "{:?}",
        state.windows
    );
    let broken = |event: &&Event| matches!(event.kind, EventKind::InvariantBroken { invariant: 0, .. });
    assert_eq!(simulation.recorded().iter().filter(broken).count(), state.windows.len());
}

#[test]
fn what_stays_broken_is_found_with_its_rows() {
    let simulation = watched(&halves(false));
    let state = &simulation.invariants()[0];
    let violations = state.at_end.as_ref().expect("looked at");
    let debits = simulation.read_table("debit").unwrap().len() as u64;
    assert_eq!(violations.rows.len() as u64, debits - 5);
    assert!(debits > 5);
    assert_eq!(state.windows.len(), 1);
    assert_eq!(state.windows[0].to, None);
    assert_eq!(state.windows[0].rows, debits - 5);
    assert!(
        violations
            .rows
            .iter()
            .all(|row| matches!(row[0], Value::Int4(n) if n >= 1_000))
    );
}

#[test]
fn an_invariant_that_cannot_be_evaluated_says_so() {
    let mut compilation = halves(true);
    compilation.invariants[0].sql = "SELECT nothing FROM debit".to_owned();
    let simulation = watched(&compilation);
    assert!(simulation.invariants()[0].error.is_some());
}
