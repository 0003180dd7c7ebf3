//! No text overflows a stack of one megabyte: not the parser, nor whoever walks, prints, compares,
//! clones, hashes or drops what it returns.

use base::Fingerprint;
use syntax::{Dialect, parse_statement, print};

/// The smallest stack that a browser gives.
const STACK: usize = 1 << 20;

fn on_a_small_stack(sql: String) -> Result<(), (&'static str, String)> {
    let run = move || {
        let tree = parse_statement(&sql, Dialect::Postgres).map_err(|error| (error.sqlstate, error.message))?;
        let copy = tree.clone();
        assert_eq!(Fingerprint::of(&tree), Fingerprint::of(&copy));
        assert!(tree == copy);
        let again =
            parse_statement(&print(&tree), Dialect::Postgres).map_err(|error| (error.sqlstate, error.message))?;
        assert!(again == tree, "printing {} … gives another tree", &sql[..40]);
        Ok(())
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap();
    thread.join().expect("no overflow and no panic")
}

fn repeated(first: &str, each: &str, times: usize, last: &str) -> String {
    format!("{first}{}{last}", each.repeat(times))
}

#[test]
fn what_is_below_the_limit_is_parsed() {
    for sql in [
        repeated("SELECT 1", " + 1", 300, ""),
        repeated("SELECT ", "(", 140, "1") + &")".repeat(140),
        repeated("SELECT ", "- ", 140, "1"),
        repeated("SELECT 1 WHERE a", " OR b = 2", 20_000, ""),
        repeated("SELECT 1 WHERE a", " AND b OR c", 5_000, ""),
        repeated("SELECT 1 WHERE a IN (1", ", 1", 50_000, ")"),
        repeated("SELECT 1", " UNION SELECT 1", 300, ""),
        repeated("SELECT * FROM t", " CROSS JOIN t", 300, ""),
        repeated("SELECT ", "(SELECT ", 45, "1") + &")".repeat(45),
        repeated("INSERT INTO t VALUES (1)", ", (1)", 50_000, ""),
    ] {
        assert_eq!(on_a_small_stack(sql.clone()), Ok(()), "{} …", &sql[..40]);
    }
}

#[test]
fn what_is_above_the_limit_is_refused() {
    let deep = 200_000;
    for sql in [
        repeated("SELECT 1", " + 1", deep, ""),
        repeated("SELECT ", "(", deep, ""),
        repeated("SELECT ", "((", 5_000, "SELECT 1"),
        repeated("SELECT ", "- ", deep, "1"),
        repeated("SELECT 1 WHERE ", "NOT ", deep, "a"),
        repeated("SELECT ", "f(", deep, ""),
        repeated("SELECT ", "CASE WHEN ", deep, ""),
        repeated("SELECT a", "::text", deep, ""),
        repeated("SELECT a", " IS NULL", deep, ""),
        repeated("SELECT 1", " UNION SELECT 1", deep, ""),
        repeated("", "(", deep, "SELECT 1"),
        repeated("SELECT * FROM t", " CROSS JOIN t", deep, ""),
        repeated("SELECT * FROM ", "(", deep, "t"),
        repeated("SELECT * FROM t", " JOIN t", deep, ""),
        repeated("SELECT ", "(SELECT ", deep, "1"),
        repeated("SELECT * FROM ", "(SELECT * FROM ", deep, "t"),
        repeated("", "WITH a AS (", deep, ""),
        repeated("", "EXPLAIN ", deep, "SELECT 1"),
        // Both ways at once: each is allowed, the sum is not.
        repeated("SELECT ", "(", 140, "1") + &" + 1)".repeat(140) + &" + 1".repeat(300),
    ] {
        let refused = Err(("54001", "stack depth limit exceeded".to_owned()));
        assert_eq!(on_a_small_stack(sql.clone()), refused, "{} …", &sql[..40]);
    }
}
