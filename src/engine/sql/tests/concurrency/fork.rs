//! A fork is a server of its own; what happens alike in both leaves them alike.

use engine_sql::{Progress, SessionId};

use crate::lab::{At, Lab};

const ACCOUNTS: &str = "
    CREATE TABLE owners (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE accounts (id int PRIMARY KEY, owner int NOT NULL REFERENCES owners, balance int NOT NULL CHECK (balance >= 0));
    INSERT INTO owners VALUES (1, 'ada'), (2, 'bob'), (3, 'cleo');
    INSERT INTO accounts VALUES (1, 1, 100), (2, 1, 50), (3, 2, 70), (4, 3, 10);";

#[test]
fn a_fork_in_the_middle_of_a_blocked_statement_ends_alike() {
    let mut lab = Lab::new(ACCOUNTS);
    let (first, second) = (lab.connect(), lab.connect());
    lab.all(
        first,
        &["BEGIN", "UPDATE accounts SET balance = balance - 30 WHERE id = 1"],
    );
    lab.all(second, &["BEGIN"]);
    let blocked = lab.run(second, "UPDATE accounts SET balance = balance + 5 WHERE owner = 1");
    assert!(blocked.is_blocked(), "{}", blocked.tag());

    let mut fork = lab.clone();
    assert_eq!(lab.server.fingerprint(), fork.server.fingerprint());
    let finish = |lab: &mut Lab| {
        lab.all(first, &["COMMIT"]);
        assert_eq!(lab.woken(), [second]);
        let at = lab.resume(second);
        assert_eq!(at.tag(), "UPDATE 2");
        lab.all(second, &["COMMIT"]);
        assert_eq!(
            lab.read("SELECT id, balance FROM accounts ORDER BY id"),
            "1,75;2,55;3,70;4,10"
        );
        lab.server.fingerprint()
    };
    let one = finish(&mut lab);
    assert_ne!(one, fork.server.fingerprint(), "the fork has not moved");
    assert_eq!(one, finish(&mut fork));
}

#[test]
fn forks_of_a_blocked_statement_may_end_differently() {
    let mut lab = Lab::new(ACCOUNTS);
    let (first, second) = (lab.connect(), lab.connect());
    lab.all(first, &["BEGIN", "DELETE FROM accounts WHERE id = 1"]);
    assert!(
        lab.run(second, "UPDATE accounts SET balance = 0 WHERE id = 1")
            .is_blocked()
    );
    let mut fork = lab.clone();
    lab.all(first, &["COMMIT"]);
    fork.all(first, &["ROLLBACK"]);
    assert_eq!(lab.resume(second).tag(), "UPDATE 0");
    assert_eq!(fork.resume(second).tag(), "UPDATE 1");
    assert_eq!(lab.read("SELECT count(*) FROM accounts"), "3");
    assert_eq!(fork.read("SELECT balance FROM accounts WHERE id = 1"), "0");
}

/// Goes on to the end with as much fuel as it takes.
fn end(lab: &mut Lab, session: SessionId) -> At {
    lab.resume(session)
}

#[test]
fn a_statement_can_be_forked_wherever_the_fuel_runs_out() {
    for sql in [
        "SELECT o.name, sum(a.balance) FROM owners o JOIN accounts a ON a.owner = o.id GROUP BY o.name ORDER BY o.name",
        "SELECT a.id, b.id FROM accounts a, accounts b WHERE a.balance < b.balance ORDER BY a.id, b.id LIMIT 4",
        "INSERT INTO accounts SELECT a.id + 10 * o.id, o.id, a.balance FROM accounts a, owners o",
        "UPDATE accounts SET balance = balance * 2, owner = 3 WHERE balance > 20",
        "DELETE FROM accounts WHERE owner IN (SELECT id FROM owners WHERE name < 'c')",
        "INSERT INTO accounts VALUES (20, 1, 5), (21, 9, 5)",
        "UPDATE accounts SET balance = balance - 60",
    ] {
        let mut whole = Lab::new(ACCOUNTS);
        let session = whole.connect();
        let mut stepwise = whole.clone();
        let expected = whole.run(session, sql);
        stepwise.start(session, sql);
        let mut forks = 0;
        let reached = loop {
            let mut fork = stepwise.clone();
            assert_eq!(end(&mut fork, session), expected, "{sql}: forked after {forks} steps");
            assert_eq!(
                fork.server.fingerprint(),
                whole.server.fingerprint(),
                "{sql}: forked after {forks} steps"
            );
            match stepwise.server.resume(session, stepwise.now, &mut 1) {
                Progress::Done(result) => break At::Done(result),
                Progress::Flush(lsn) => stepwise.server.flushed(lsn),
                Progress::OutOfFuel => forks += 1,
                Progress::Blocked(blocker) => panic!("{sql}: alone, and waits for {}", blocker.what),
            }
        };
        assert_eq!(reached, expected, "{sql}");
        assert_eq!(stepwise.server.fingerprint(), whole.server.fingerprint(), "{sql}");
        assert!(forks >= 1, "{sql}: only {forks} points to stop at");
    }
}
