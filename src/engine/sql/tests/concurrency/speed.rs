//! How fast the hot paths are through the public interface. Prints, asserts nothing about time:
//! `cargo test --release -p engine-sql --test concurrency speed -- --ignored --nocapture`

use std::sync::Arc;
use std::time::Instant;

use base::random::Stream;
use base::{Time, Value};
use engine_sql::{Progress, Server, ServerConfig, SessionId, StatementId};

fn run(server: &mut Server, session: SessionId, statement: StatementId, parameters: &[Value]) -> usize {
    server.start(session, statement, parameters, Time::ZERO);
    loop {
        match server.resume(session, Time::ZERO, &mut 1_000) {
            Progress::Done(result) => return result.expect("no error").rows.len(),
            Progress::Flush(lsn) => server.flushed(lsn),
            Progress::OutOfFuel => {}
            Progress::Blocked(blocker) => panic!("{blocker:?}"),
        }
    }
}

fn time(what: &str, count: u64, mut work: impl FnMut(u64)) {
    let start = Instant::now();
    for n in 0..count {
        work(n);
    }
    let nanos = start.elapsed().as_nanos() as f64 / count as f64;
    println!("{what:45} {nanos:10.0} ns  {:12.0} /s", 1e9 / nanos);
}

#[test]
#[ignore = "prints times"]
fn speed() {
    let mut server = Server::new(ServerConfig::default());
    server
        .run_script(
            "postgres",
            "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, n int NOT NULL)",
        )
        .expect("a table");
    let mut rows = (0..10_000).map(|id| {
        Arc::from([
            Value::Int4(id),
            Value::text(format!("user number {id} with a name of some length")),
            Value::Int4(0),
        ])
    });
    server.load("postgres", "users", &mut rows).expect("rows");
    let session = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
    let read = server
        .prepare(session, "SELECT name, n FROM users WHERE id = $1")
        .expect("a statement");
    let update = server
        .prepare(session, "UPDATE users SET n = n + 1 WHERE id = $1")
        .expect("a statement");
    let mut random = Stream::new(1, "speed", 0);
    let mut key = || [Value::Int4(random.below(10_000) as i32)];
    time("point read by key", 500_000, |_| {
        assert_eq!(run(&mut server, session, read, &key()), 1)
    });
    time("update by key, own transaction", 500_000, |_| {
        run(&mut server, session, update, &key());
    });
    time("fork", 200_000, |_| {
        std::hint::black_box(server.clone());
    });
    time("fingerprint", 10_000, |_| {
        std::hint::black_box(server.fingerprint());
    });
}
