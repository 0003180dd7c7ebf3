//! Interleavings against serial orders, and the matrix of anomalies.

use base::random::Stream;
use experiment::library::{self, BuiltIn};
use experiment::schedule::{InterleavingsJob, Orders, matrix, parse, run};
use report::isolation::{Anomaly, Interleavings, StatementResult, Verdict};

use crate::finish;

const TABLE: &str =
    "setup { CREATE TABLE test (id int PRIMARY KEY, value int NOT NULL); INSERT INTO test VALUES (1, 10), (2, 20); }\n";

fn interleavings(text: &str) -> Interleavings {
    finish(InterleavingsJob::new(text, Orders::All, None))
}

/// Two sessions that read a row and write what they read, plus one.
fn counters(level: &str, second_setup: &str) -> String {
    let session = |name: &str, setup: &str| {
        format!(
            "session {name}\n{setup}\nstep {name}r {{ SELECT * FROM test WHERE id = 1; }}\n\
             step {name}w {{ UPDATE test SET value = value + 1 WHERE id = 1; }}\nstep {name}c {{ COMMIT; }}\n"
        )
    };
    let setup = format!("setup {{ BEGIN ISOLATION LEVEL {level}; }}");
    TABLE.to_owned() + &session("a", &setup) + &session("b", second_setup)
}

/// All are accounted for, and each listed schedule gives the same when it is run by itself.
fn check(text: &str) -> Interleavings {
    let found = interleavings(text);
    let ended: u64 = found.outcomes.iter().map(|outcome| outcome.schedules).sum();
    assert_eq!(found.more_outcomes, 0, "{text}");
    assert_eq!(ended + found.counts.stuck, found.counts.schedules, "{text}");
    for outcome in &found.outcomes {
        let steps = outcome.example.steps();
        let alone = interleavings_of_one(text, &steps);
        assert_eq!(alone.rows, outcome.example.rows, "{steps}\n{text}");
    }
    found
}

/// What isolationtester's own order of things gives for one permutation, as far as the report shows it.
fn interleavings_of_one(text: &str, steps: &str) -> report::isolation::Schedule {
    let spec = parse(&format!("{text}\npermutation {steps}")).expect("a spec");
    experiment::schedule::play(&spec, &spec.permutations[spec.permutations.len() - 1]).expect("it runs")
}

#[test]
fn equal_sessions_are_not_told_apart() {
    let setup = "setup { BEGIN ISOLATION LEVEL READ COMMITTED; }";
    let equal = check(&counters("READ COMMITTED", setup));
    // Another text of the same: the sessions are not known to be equal, and all orders are run.
    let all = check(&counters("READ COMMITTED", &setup.replace(';', " ;")));
    assert_eq!((equal.counts.schedules, equal.counts.saved), (20, 10));
    assert_eq!((all.counts.schedules, all.counts.saved), (20, 0));
    assert_eq!(
        (equal.counts.serial, equal.counts.stuck, equal.counts.waited),
        (all.counts.serial, all.counts.stuck, all.counts.waited)
    );
    // a before b, b before a, and both having read the same: the mirror image of itself.
    assert_eq!((equal.counts.distinct_outcomes, all.counts.distinct_outcomes), (2, 3));
}

#[test]
fn a_step_that_would_come_too_early_is_stuck() {
    let found = check(&counters(
        "READ COMMITTED",
        "setup { BEGIN ISOLATION LEVEL READ COMMITTED; }",
    ));
    // aw bw, and then b's commit before a's: of the orders of three and three steps, these.
    assert!(found.counts.stuck > 0, "{found:?}");
    let steps = found.stuck.as_ref().expect("one of them").steps();
    let spec = counters("READ COMMITTED", "setup { BEGIN ISOLATION LEVEL READ COMMITTED; }");
    let spec = parse(&format!("{spec}\npermutation {steps}")).expect("a spec");
    let (printed, ended) = run(&spec);
    assert!(printed.contains("isolationtester: canceling step"), "{printed}");
    assert_eq!(ended, Ok(()));
}

#[test]
fn a_serialization_failure_takes_its_transaction_out_of_the_comparison() {
    let setup = "setup { BEGIN ISOLATION LEVEL REPEATABLE READ; }";
    let found = check(&counters("REPEATABLE READ", setup));
    let failed: Vec<&str> = found.counts.failed.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(failed, ["40001"]);
    assert_eq!(found.counts.serial + found.counts.stuck, found.counts.schedules);
}

#[test]
fn steps_on_their_own_are_transactions() {
    let text = TABLE.to_owned()
        + "session a step ar { SELECT * FROM test WHERE id = 1; } step aw { UPDATE test SET value = 11 WHERE id = 1; }\n\
           session b step bw { UPDATE test SET value = 12 WHERE id = 1; }";
    let found = check(&text);
    assert_eq!((found.counts.schedules, found.counts.serial), (3, 3));
}

#[test]
fn three_transactions_of_four_steps_are_all_run() {
    let session = |n: u32| {
        let next = n % 3 + 1;
        format!(
            "session s{n} setup {{ BEGIN; }}\nstep r{n} {{ SELECT * FROM test WHERE id = {n}; }}\n\
             step w{n} {{ UPDATE test SET value = value + {n} WHERE id = {n}; }}\n\
             step x{n} {{ SELECT * FROM test WHERE id = {next}; }}\nstep c{n} {{ COMMIT; }}\n"
        )
    };
    let found = interleavings(&(TABLE.to_owned() + &session(1) + &session(2) + &session(3)));
    assert_eq!(found.counts.schedules, 34_650);
    assert_eq!((found.counts.saved, found.counts.stuck), (0, 0));
    let listed: u64 = found.outcomes.iter().map(|outcome| outcome.schedules).sum();
    assert!(found.more_outcomes > 0 || listed == 34_650);
}

/// Random transactions over few rows, each value written once, so that it tells who wrote it.
fn random_spec(seed: u64, level: &str) -> String {
    let mut random = Stream::new(seed, "interleavings", 0);
    let mut text = TABLE.to_owned();
    for session in ["a", "b"] {
        text += &format!("session {session} setup {{ BEGIN ISOLATION LEVEL {level}; }}\n");
        for step in 0..3 {
            let number = 100 + random.below(50) * 10 + u64::from(session == "b") * 5 + step;
            let id = 1 + random.below(3);
            let sql = match random.below(6) {
                0 => "SELECT * FROM test".to_owned(),
                1 => format!("SELECT * FROM test WHERE value % {} = 0", 2 + random.below(3)),
                2 => format!("SELECT id, value FROM test WHERE id = {id}"),
                3 => format!("DELETE FROM test WHERE value < {}", 15 + random.below(3) * 100),
                4 => format!("INSERT INTO test VALUES ({}, {number})", 3 + random.below(2)),
                _ => format!("UPDATE test SET value = {number} WHERE id = {id}"),
            };
            text += &format!("step {session}{step} {{ {sql}; }}\n");
        }
        text += &format!("step {session}c {{ COMMIT; }}\n");
    }
    text
}

/// The graph and the comparison of outcomes know nothing of each other. An outcome without an anomaly is a serial one,
/// and serializable transactions give no other.
#[test]
fn the_graph_and_the_serial_orders_agree() {
    let mut skewed = 0;
    for seed in 0..60 {
        for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
            let text = random_spec(seed, level);
            let found = check(&text);
            assert_eq!(found.untold, None, "seed {seed}: {text}");
            for outcome in &found.outcomes {
                let steps = outcome.example.steps();
                let anomalies = &outcome.example.anomalies;
                assert!(
                    outcome.serial.is_some() || !anomalies.is_empty(),
                    "seed {seed}, {level}: {steps} gives what no serial order gives, without an anomaly\n{text}"
                );
                assert_eq!(outcome.unexplained, None, "seed {seed}, {level}: {steps}\n{text}");
                if level == "SERIALIZABLE" {
                    assert!(anomalies.is_empty(), "seed {seed}: {steps}: {anomalies:?}\n{text}");
                }
                skewed += usize::from(outcome.serial.is_none());
            }
        }
    }
    assert!(skewed > 20, "hardly anything to find: {skewed}");
}

#[test]
fn postgresql_prevents_what_it_prevents() {
    let matrix = matrix(library::ANOMALIES).expect("the schedules are sound");
    let occurred = |level: usize| -> Vec<&str> {
        let rows = matrix.rows.iter();
        let occurring = rows.filter(|row| row.cells[level].verdict.occurred());
        occurring.map(|row| row.slug.as_str()).collect()
    };
    assert_eq!(
        occurred(0),
        [
            "predicate-many-preceders",
            "predicate-many-preceders-write",
            "lost-update",
            "read-skew",
            "read-skew-predicate",
            "read-skew-write",
            "write-skew",
            "write-skew-read-only",
            "phantom-write-skew",
            "phantom-write-skew-read-only",
        ]
    );
    assert_eq!(
        occurred(1),
        [
            "write-skew",
            "write-skew-read-only",
            "phantom-write-skew",
            "phantom-write-skew-read-only",
        ]
    );
    assert_eq!(occurred(2), [""; 0]);
    for row in &matrix.rows {
        for (cell, level) in row.cells.iter().zip(&matrix.levels) {
            let verdict = cell.verdict;
            assert_ne!(
                verdict,
                Verdict::Elsewhere,
                "{} at {level}: the schedule does not show it",
                row.slug
            );
        }
        let serializable = &row.cells[2].counts;
        assert_eq!(
            serializable.serial + serializable.stuck,
            serializable.schedules,
            "{}",
            row.slug
        );
    }
    let lost = matrix
        .rows
        .iter()
        .find(|row| row.anomaly == Anomaly::P4)
        .expect("it is there");
    assert_eq!(lost.cells[1].verdict, Verdict::SerializationFailure);
}

/// PostgreSQL has no level of its own for it.
#[test]
fn read_uncommitted_is_read_committed() {
    for schedule in library::ANOMALIES {
        let text = schedule.text.replace("READ COMMITTED", "READ UNCOMMITTED").leak();
        let [as_committed, as_uncommitted] = [schedule.text, text].map(|text| {
            let slug = schedule.slug;
            matrix(&[BuiltIn { slug, text }]).expect("it is sound")
        });
        let cell = |matrix: &report::isolation::IsolationMatrix| {
            let cell = &matrix.rows[0].cells[0];
            let results = cell.written.moments.iter().flat_map(|moment| &moment.gave);
            let lines: Vec<String> = results.map(StatementResult::line).collect();
            (cell.occurred, cell.counts.clone(), lines)
        };
        assert_eq!(cell(&as_committed), cell(&as_uncommitted), "{}", schedule.slug);
    }
}

#[test]
fn what_cannot_be_enumerated_is_refused() {
    let place = |text: &str| {
        let found = InterleavingsJob::new(text, Orders::All, None)
            .map(drop)
            .expect_err("refused");
        (found[0].place.line, found[0].place.column)
    };
    assert_eq!(place("session s\nstep a { SELECT 1 }\nstep a { }"), (3, 6));
    assert_eq!(
        place("setup { SELECT 1; SELEC; }\nsession s step a { SELECT 1 }"),
        (1, 9)
    );
    let of_session =
        "setup { SELECT 1; }\nsession s step a { SELECT 1 }\nsession t\n  setup { SELECT 1 / 0; } step b { SELECT 1 }";
    assert_eq!(place(of_session), (4, 11), "the second setup, where it stands");
    let refused = |orders, level| {
        let found = InterleavingsJob::new("session s step a { SELECT 1 }", orders, level);
        found.map(drop).expect_err("refused")[0].message.clone()
    };
    assert!(refused(Orders::Listed, None).contains("lists no permutation"));
    assert!(refused(Orders::All, Some("snapshot")).contains("“snapshot”"));
}

/// Two doctors on call, each of whom may go if the other stays.
fn on_call(begin: &str) -> String {
    let session = |name: &str, id: u32| {
        format!(
            "session {name} setup {{ {begin}; }}\nstep {name}r {{ SELECT * FROM test; }}\n\
             step {name}w {{ UPDATE test SET value = 0 WHERE id = {id}; }}\nstep {name}c {{ COMMIT; }}\n"
        )
    };
    TABLE.to_owned() + &session("a", 1) + &session("b", 2)
}

#[test]
fn a_level_is_for_transactions_that_name_none() {
    let skewed = |begin: &str, level: Option<&str>| {
        let found = finish(InterleavingsJob::new(&on_call(begin), Orders::All, level));
        assert_eq!(found.counts.schedules, 20);
        found.counts.schedules - found.counts.serial
    };
    let committed = skewed("BEGIN", None);
    assert!(committed > 0);
    assert_eq!(skewed("BEGIN", Some("read committed")), committed);
    assert!(skewed("BEGIN", Some("repeatable-read")) > 0);
    assert_eq!(skewed("BEGIN", Some("serializable")), 0);
    let written = "BEGIN ISOLATION LEVEL READ COMMITTED";
    assert_eq!(skewed(written, Some("serializable")), committed, "the text goes before");
}

#[test]
fn permutations_that_are_listed_are_run_and_no_others() {
    let orders = "permutation ar aw ac br bw bc\npermutation br bw bc ar aw ac\npermutation ar br aw bw ac bc\n\
                  permutation ar br bw aw bc ac\npermutation ar aw ac\n";
    let text = on_call("BEGIN") + orders;
    let found = finish(InterleavingsJob::new(&text, Orders::Listed, None));
    assert!(found.listed);
    assert_eq!((found.counts.schedules, found.counts.serial), (5, 3));
    let outcomes: Vec<(u64, bool)> = (found.outcomes.iter())
        .map(|outcome| (outcome.schedules, outcome.serial.is_some()))
        .collect();
    assert_eq!(
        outcomes,
        [(2, false), (1, true), (1, true), (1, true)],
        "skewed ones are alike"
    );
    assert_eq!(found.outcomes[0].example.steps(), "ar br aw bw ac bc");
    assert!(found.outcomes[0].example.has(Anomaly::G2Item));
}

/// A join does not tell which versions it has seen.
#[test]
fn without_a_graph_no_anomaly_is_named() {
    let text =
        TABLE.to_owned() + "session a step x { SELECT count(*) FROM test; }\nsession b step y { DELETE FROM test; }";
    let found = check(&text);
    assert!(found.untold.is_some_and(|why| why.starts_with("step x: ")));
    assert_eq!(found.counts.serial, 2);
}
