//! What the hot paths take, printed: `cargo test -p engine-sql --release --test behaviour speed -- --ignored --nocapture`.

use base::{Row, Time, Value};
use engine_sql::{Progress, Server, ServerConfig, SessionId, StatementId};

const ROWS: i32 = 100_000;

fn run(server: &mut Server, session: SessionId, statement: StatementId, parameters: &[Value]) -> u64 {
    server.start(session, statement, parameters, Time::ZERO);
    loop {
        match server.resume(session, Time::ZERO, &mut u64::MAX.clone()) {
            Progress::Done(result) => return result.expect("a result").tag.rows.unwrap_or(0),
            Progress::Flush(lsn) => server.flushed(lsn),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
#[ignore = "prints durations, asserts none"]
fn speed() {
    let mut server = Server::new(ServerConfig::default());
    let table = "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, n bigint NOT NULL)";
    server.run_script("postgres", table).expect("a table");
    let mut rows =
        (0..ROWS).map(|id| -> Row { vec![Value::Int4(id), Value::text(format!("name {id}")), Value::Int8(0)].into() });
    server.load("postgres", "t", &mut rows).expect("rows");
    let session = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
    for (name, sql) in [
        ("point read", "SELECT id, name, n FROM t WHERE id = $1"),
        ("update by key", "UPDATE t SET n = n + 1 WHERE id = $1"),
        ("insert", "INSERT INTO t VALUES ($1 + 1000000, 'new', 0)"),
    ] {
        let statement = server.prepare(session, sql).expect("a statement");
        let started = std::time::Instant::now();
        let mut found = 0;
        for n in 0..200_000_i64 {
            let id = if name == "insert" {
                n
            } else {
                n * 7919 % i64::from(ROWS)
            };
            found += run(&mut server, session, statement, &[Value::Int4(id as i32)]);
        }
        assert_eq!(found, 200_000);
        println!("{name}: {} ns", started.elapsed().as_nanos() / 200_000);
    }
}
