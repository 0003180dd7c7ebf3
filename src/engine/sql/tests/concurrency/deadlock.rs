//! Deadlocks as two psql sessions on PostgreSQL 15 show them.

use base::Nanos;
use engine_sql::SessionId;

use crate::lab::{At, Lab};

const ROWS: &str = "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); INSERT INTO t VALUES (1, 0), (2, 0), (3, 0);";

fn crossed() -> (Lab, SessionId, SessionId) {
    let mut lab = Lab::new(ROWS);
    let (first, second) = (lab.connect(), lab.connect());
    lab.all(first, &["BEGIN", "UPDATE t SET n = 1 WHERE id = 1"]);
    lab.all(second, &["BEGIN", "UPDATE t SET n = 2 WHERE id = 2"]);
    assert!(lab.run(first, "UPDATE t SET n = 1 WHERE id = 2").is_blocked());
    (lab, first, second)
}

/// The numbers of transactions and processes differ from server to server: `transaction 731` becomes `transaction #`.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() < part.len() {
            plain.push('#');
        }
        plain.push_str(rest);
    }
    plain
}

#[test]
fn the_one_who_looks_first_is_the_victim_and_is_told_the_circle() {
    let (mut lab, first, second) = crossed();
    let At::Blocked(blocker) = lab.run(second, "UPDATE t SET n = 2 WHERE id = 1") else {
        panic!("must wait")
    };
    assert_eq!(blocker.holders, [first]);
    lab.now = blocker.deadline.expect("a deadlock check");
    let At::Done(Err(refusal)) = lab.resume(second) else {
        panic!("must be the victim")
    };
    assert_eq!(refusal.sqlstate, "40P01");
    assert_eq!(refusal.message, "deadlock detected");
    let detail = refusal.detail.clone().expect("a detail");
    // Recorded from PostgreSQL 15.
    assert_eq!(
        without_numbers(&detail),
        "Process # waits for ShareLock on transaction #; blocked by process #.\n\
         Process # waits for ShareLock on transaction #; blocked by process #."
    );
    let lines: Vec<&str> = detail.lines().collect();
    assert!(lines[0].starts_with(&format!("Process {} waits", second.0)), "{detail}");
    assert!(
        lines[0].ends_with(&format!("blocked by process {}.", first.0)),
        "{detail}"
    );
    assert!(lines[1].starts_with(&format!("Process {} waits", first.0)), "{detail}");
    assert_eq!(refusal.hint.as_deref(), Some("See server log for query details."));

    assert_eq!(lab.woken(), [first], "the victim's rows are free at once");
    assert_eq!(lab.resume(first).tag(), "UPDATE 1");
    lab.all(first, &["COMMIT"]);
    lab.all(second, &["ROLLBACK"]);
    assert_eq!(lab.read("SELECT id, n FROM t ORDER BY id"), "1,1;2,1;3,0");
}

#[test]
fn before_the_time_is_up_nobody_looks() {
    let (mut lab, first, second) = crossed();
    let At::Blocked(blocker) = lab.run(second, "UPDATE t SET n = 2 WHERE id = 1") else {
        panic!("must wait")
    };
    let deadline = blocker.deadline.expect("a deadlock check");
    lab.now = base::Time(deadline.0 - 1);
    assert!(lab.resume(second).is_blocked());
    assert!(lab.resume(first).is_blocked());
    lab.now = deadline;
    assert!(matches!(lab.resume(second), At::Done(Err(_))));
}

#[test]
fn one_who_only_waits_is_no_victim_however_often_it_looks() {
    let mut lab = Lab::new(ROWS);
    let (first, second) = (lab.connect(), lab.connect());
    lab.all(first, &["BEGIN", "UPDATE t SET n = 1 WHERE id = 1"]);
    assert!(lab.run(second, "UPDATE t SET n = 2 WHERE id = 1").is_blocked());
    for _ in 0..5 {
        lab.now += Nanos::from_secs(2);
        assert!(lab.resume(second).is_blocked());
    }
    lab.all(first, &["COMMIT"]);
    assert_eq!(lab.woken(), [second]);
    assert_eq!(lab.resume(second).tag(), "UPDATE 1");
}

#[test]
fn the_queue_for_a_row_is_served_in_order() {
    let mut lab = Lab::new(ROWS);
    let sessions: Vec<SessionId> = (0..5).map(|_| lab.connect()).collect();
    lab.all(sessions[0], &["BEGIN", "UPDATE t SET n = n * 10 + 1 WHERE id = 1"]);
    for (number, &session) in sessions.iter().enumerate().skip(1) {
        let sql = format!("UPDATE t SET n = n * 10 + {} WHERE id = 1", number + 1);
        assert!(lab.run(session, &sql).is_blocked());
    }
    lab.all(sessions[0], &["COMMIT"]);
    let mut served = Vec::new();
    let mut woken = lab.woken();
    while !woken.is_empty() {
        for session in std::mem::take(&mut woken) {
            if let At::Done(result) = lab.resume(session) {
                result.expect("an update");
                served.push(session);
            }
        }
        woken = lab.woken();
    }
    assert_eq!(served, sessions[1..]);
    assert_eq!(lab.read("SELECT n FROM t WHERE id = 1"), "12345");
}
