//! Keys that indexes keep only in part: found again after updates, a roll back, a vacuum and a crash.

use base::Value;
use engine_sql::{Server, ServerConfig};

const KEYS: u64 = 700;

/// Long, alike at the beginning, in no order.
fn key(n: u64) -> String {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
    format!(
        "{}{mixed:016x}{}",
        "tenant-0001/".repeat(2),
        "x".repeat((n % 40) as usize)
    )
}

fn run(server: &mut Server, script: &str) {
    server.run_script("postgres", script).expect("a script that runs");
}

fn insert(server: &mut Server, range: std::ops::Range<u64>) {
    let rows: Vec<String> = range.map(|n| format!("('{}', {n})", key(n))).collect();
    run(server, &format!("INSERT INTO t VALUES {}", rows.join(", ")));
}

/// Each key leads to its row by either index, and the order of keys is that of their bytes.
fn check(server: &Server, expected: impl Fn(u64) -> Option<i32>) {
    for n in 0..KEYS {
        let by_key = format!("SELECT n FROM t WHERE k = '{}'", key(n));
        let by_both = format!(
            "SELECT n FROM t WHERE n = ANY ('{{{n}, {}}}') AND k >= '{}'",
            n + 10_000,
            key(n)
        );
        for query in [by_key, by_both] {
            let found = server.read("postgres", &query).expect("rows");
            let found: Vec<Value> = found.rows.iter().map(|row| row[0].clone()).collect();
            let expected: Vec<Value> = expected(n).map(Value::Int4).into_iter().collect();
            assert_eq!(found, expected, "{query}");
        }
    }
    let ordered = server
        .read("postgres", "SELECT k FROM t WHERE k > 'tenant' ORDER BY k")
        .expect("rows");
    assert!(ordered.rows.is_sorted());
}

#[test]
fn long_keys_are_found_again() {
    let mut server = Server::new(ServerConfig::default());
    run(&mut server, "CREATE TABLE t (k text PRIMARY KEY, n int)");
    insert(&mut server, 0..KEYS / 2);
    server.checkpoint();
    // From here on the log is all that a recovery has: an index over rows of several versions, too.
    run(
        &mut server,
        "UPDATE t SET n = n + 10000 WHERE n % 3 = 0; CREATE INDEX ON t (n, k)",
    );
    insert(&mut server, KEYS / 2..KEYS);
    run(&mut server, "DELETE FROM t WHERE n % 5 = 1");
    let expected = |n: u64| {
        let updated = n < KEYS / 2 && n.is_multiple_of(3);
        let value = if updated { n + 10_000 } else { n };
        (value % 5 != 1).then_some(value as i32)
    };
    check(&server, expected);
    let mut twin = server.clone();
    server.crash();
    server.recover();
    check(&server, expected);
    // Deleted keys come back, in the place of entries whose rows are gone.
    for server in [&mut server, &mut twin] {
        run(
            server,
            "UPDATE t SET k = k || 'y' WHERE n % 5 = 2; UPDATE t SET k = left(k, -1) WHERE n % 5 = 2",
        );
        let back: Vec<u64> = (0..KEYS).filter(|n| expected(*n).is_none()).collect();
        let rows: Vec<String> = back.iter().map(|n| format!("('{}', {n})", key(*n))).collect();
        run(server, &format!("INSERT INTO t VALUES {}", rows.join(", ")));
        check(server, |n| expected(n).or(Some(n as i32)));
    }
}
