//! A statement can be stopped after any step, and a copy made there goes on to the same end.

use base::{Fingerprint, Time};
use engine_sql::{Output, Progress, Server, ServerConfig, SessionId, SqlError};
use syntax::{Dialect, Statement};

type Ended = Result<Output, SqlError>;

/// Runs to the end with this much fuel at a time.
fn run(server: &mut Server, session: SessionId, statement: &Statement, fuel: u64) -> Ended {
    server.start_parsed(session, statement, &[], Time::ZERO);
    finish(server, session, fuel)
}

fn finish(server: &mut Server, session: SessionId, fuel: u64) -> Ended {
    loop {
        match server.resume(session, Time::ZERO, &mut fuel.clone()) {
            Progress::Done(result) => return result,
            Progress::Flush(lsn) => server.flushed(lsn),
            Progress::OutOfFuel => {}
            Progress::Blocked(blocker) => panic!("one session alone waits for {}", blocker.what),
        }
    }
}

/// Runs one step at a time; at each stop a copy runs to the end, which must be the same.
fn run_with_copies(
    server: &mut Server,
    session: SessionId,
    statement: &Statement,
    expected: &(Ended, Fingerprint),
) -> u32 {
    server.start_parsed(session, statement, &[], Time::ZERO);
    let mut stops = 0;
    loop {
        match server.resume(session, Time::ZERO, &mut 1) {
            Progress::Done(result) => {
                assert_eq!(&(result, server.fingerprint()), expected);
                return stops;
            }
            Progress::Flush(lsn) => server.flushed(lsn),
            Progress::OutOfFuel => {}
            Progress::Blocked(blocker) => panic!("one session alone waits for {}", blocker.what),
        }
        stops += 1;
        // Every third stop: a copy costs a run.
        if stops % 3 == 1 && stops < 100 {
            let mut copy = server.clone();
            assert_eq!(copy.fingerprint(), server.fingerprint());
            let result = finish(&mut copy, session, u64::MAX);
            assert_eq!(&(result, copy.fingerprint()), expected);
        }
    }
}

#[test]
fn every_statement_of_the_scripts_gives_the_same_with_a_fuel_of_one_and_from_any_copy() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut stops = 0;
    for name in ["aggregates", "basics", "constraints", "joins", "transactions"] {
        let script = std::fs::read_to_string(folder.join(name).with_extension("sql")).expect("a script");
        let mut server = Server::new(ServerConfig::default());
        let session = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
        for text in script.split(";\n").map(str::trim).filter(|text| !text.is_empty()) {
            let Ok(statement) = syntax::parse_statement(text, Dialect::Postgres) else {
                continue;
            };
            let mut whole = server.clone();
            let result = run(&mut whole, session, &statement, u64::MAX);
            let expected = (result, whole.fingerprint());
            stops += run_with_copies(&mut server, session, &statement, &expected);
        }
    }
    assert!(stops > 500, "only {stops} stops: nothing was suspended");
}

#[test]
fn a_copy_of_a_waiting_statement_goes_on_as_the_original_does() {
    let mut server = Server::new(ServerConfig::default());
    server
        .run_script(
            "postgres",
            "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 10), (2, 20);",
        )
        .expect("the set-up");
    let connect = |server: &mut Server| server.connect("postgres", "postgres", Time::ZERO).expect("a session");
    let (a, b) = (connect(&mut server), connect(&mut server));
    let parse = |sql: &str| syntax::parse_statement(sql, Dialect::Postgres).expect("SQL");
    run(&mut server, a, &parse("BEGIN"), 9).expect("begin");
    run(&mut server, a, &parse("UPDATE a SET v = v + 1 WHERE id = 2"), 9).expect("update");
    server.start_parsed(b, &parse("UPDATE a SET v = v * 2 RETURNING id, v"), &[], Time::ZERO);
    assert!(matches!(server.resume(b, Time::ZERO, &mut 1_000), Progress::Blocked(_)));
    let mut copy = server.clone();
    assert_eq!(copy.fingerprint(), server.fingerprint());
    let mut ends = Vec::new();
    for server in [&mut server, &mut copy] {
        run(server, a, &parse("COMMIT"), 9).expect("commit");
        let result = finish(server, b, 1);
        ends.push((result, server.fingerprint()));
    }
    assert_eq!(ends[0], ends[1]);
    let rows: Vec<String> = ends[0]
        .0
        .as_ref()
        .expect("rows")
        .rows
        .iter()
        .map(|row| row[1].to_string())
        .collect();
    assert_eq!(rows, ["20", "42"]);
}
