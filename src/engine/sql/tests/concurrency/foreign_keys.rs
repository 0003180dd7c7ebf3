//! What a foreign key's check locks, and what it leaves alone (PostgreSQL's isolation/fk-contention).

use crate::lab::{At, Lab};

const TABLES: &str = "
    CREATE TABLE foo (a int PRIMARY KEY, b text);
    CREATE TABLE bar (a int NOT NULL REFERENCES foo);
    INSERT INTO foo VALUES (42, 'old');";

#[test]
fn a_reference_does_not_block_an_update_of_other_columns() {
    let mut lab = Lab::new(TABLES);
    let (refers, updates) = (lab.connect(), lab.connect());
    lab.all(refers, &["BEGIN", "INSERT INTO bar VALUES (42)"]);
    lab.all(updates, &["UPDATE foo SET b = 'Hello World'"]);
    lab.all(refers, &["COMMIT"]);
    assert_eq!(lab.read("SELECT a, b FROM foo"), "42,Hello World");
}

#[test]
fn an_update_of_other_columns_does_not_block_a_reference() {
    let mut lab = Lab::new(TABLES);
    let (refers, updates, deletes) = (lab.connect(), lab.connect(), lab.connect());
    lab.all(updates, &["BEGIN", "UPDATE foo SET b = 'new'"]);
    lab.all(refers, &["BEGIN", "INSERT INTO bar VALUES (42)"]);
    // The reference also holds the version that the update made.
    lab.all(updates, &["COMMIT"]);
    assert!(lab.run(deletes, "DELETE FROM foo").is_blocked());
    lab.all(refers, &["COMMIT"]);
    assert_eq!(lab.woken(), [deletes]);
    let At::Done(Err(refusal)) = lab.resume(deletes) else {
        panic!("it is referred to")
    };
    assert_eq!(refusal.sqlstate, "23503");
}

#[test]
fn a_reference_waits_for_a_delete_and_fails_if_it_commits() {
    for (end, expected) in [("COMMIT", "23503"), ("ROLLBACK", "INSERT 1")] {
        let mut lab = Lab::new(TABLES);
        let (refers, deletes) = (lab.connect(), lab.connect());
        lab.all(deletes, &["BEGIN", "DELETE FROM foo"]);
        assert!(lab.run(refers, "INSERT INTO bar VALUES (42)").is_blocked());
        lab.all(deletes, &[end]);
        assert_eq!(lab.woken(), [refers]);
        let at = lab.resume(refers).tag();
        assert!(at.starts_with(expected), "after {end}: {at}");
    }
}

#[test]
fn an_update_of_the_key_waits_for_the_reference() {
    let mut lab = Lab::new(TABLES);
    let (refers, updates) = (lab.connect(), lab.connect());
    lab.all(refers, &["BEGIN", "INSERT INTO bar VALUES (42)"]);
    assert!(lab.run(updates, "UPDATE foo SET a = 43").is_blocked());
    lab.all(refers, &["ROLLBACK"]);
    assert_eq!(lab.woken(), [updates]);
    assert_eq!(lab.resume(updates).tag(), "UPDATE 1");
}

#[test]
fn many_references_hold_one_row_together() {
    let mut lab = Lab::new(TABLES);
    let sessions: Vec<_> = (0..4).map(|_| lab.connect()).collect();
    for &session in &sessions {
        lab.all(session, &["BEGIN", "INSERT INTO bar VALUES (42)"]);
    }
    let deletes = lab.connect();
    assert!(lab.run(deletes, "DELETE FROM foo").is_blocked());
    for (number, &session) in sessions.iter().enumerate() {
        assert!(lab.resume(deletes).is_blocked(), "{number} of 4 have ended");
        lab.all(session, &["ROLLBACK"]);
        lab.woken();
    }
    assert_eq!(lab.resume(deletes).tag(), "DELETE 1");
}
