//! Prepared transactions: they outlive their session and a crash, with all that they hold.

use std::collections::BTreeMap;

use base::random::Stream;
use engine_sql::{Lsn, Server, ServerConfig, SessionId};

use crate::lab::{At, Lab};

const ACCOUNTS: &str = "
    CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
    CREATE TABLE entries (id int PRIMARY KEY, account int NOT NULL REFERENCES accounts);
    INSERT INTO accounts VALUES (1, 100), (2, 100), (3, 100);";

fn ids(lab: &Lab) -> String {
    lab.read("SELECT gid FROM pg_prepared_xacts ORDER BY gid")
}

/// A crash at once, or after a checkpoint: recovery begins at the records, or at a picture of them.
fn crash(lab: &mut Lab, checkpoint: bool) {
    if checkpoint {
        lab.server.checkpoint();
    }
    lab.server.crash();
    lab.server.recover();
}

#[test]
fn a_crash_leaves_its_locks_and_its_number() {
    for checkpoint in [false, true] {
        let mut lab = Lab::new(ACCOUNTS);
        let one = lab.connect();
        lab.all(
            one,
            &[
                "BEGIN",
                "UPDATE accounts SET balance = 70 WHERE id = 1",
                "SELECT * FROM accounts WHERE id = 2 FOR KEY SHARE",
                "LOCK TABLE entries IN SHARE MODE",
                "SELECT pg_advisory_xact_lock(7)",
                "SAVEPOINT a",
                "UPDATE accounts SET balance = 71 WHERE id = 3",
                "PREPARE TRANSACTION 'kept'",
            ],
        );
        lab.server.disconnect(one, lab.now);
        crash(&mut lab, checkpoint);
        assert_eq!(ids(&lab), "kept");
        assert_eq!(lab.read("SELECT sum(balance) FROM accounts"), "300");
        let two = lab.connect();
        for (sql, found) in [
            ("SELECT id FROM accounts ORDER BY id FOR UPDATE SKIP LOCKED", "SELECT 0"),
            (
                "SELECT id FROM accounts ORDER BY id FOR KEY SHARE SKIP LOCKED",
                "SELECT 3",
            ),
            (
                "SELECT id FROM accounts WHERE id = 2 FOR NO KEY UPDATE NOWAIT",
                "SELECT 1",
            ),
            (
                "SELECT id FROM accounts WHERE id = 3 FOR SHARE NOWAIT",
                "55P03: could not obtain lock on row in relation \"accounts\"",
            ),
            ("SELECT * FROM entries", "SELECT 0"),
        ] {
            assert_eq!(lab.run(two, sql).tag(), found, "{sql}");
        }
        assert_eq!(
            lab.run(two, "INSERT INTO entries VALUES (1, 2)").tag(),
            "waits for relation public.entries"
        );
        let three = lab.connect();
        assert_eq!(
            lab.run(three, "SELECT pg_advisory_lock(7)").tag(),
            "waits for advisory lock [16385,0,7,1]"
        );
        let four = lab.connect();
        let at = lab.run(four, "UPDATE accounts SET balance = balance + 1 WHERE id = 3");
        assert!(at.is_blocked(), "{}", at.tag());
        let five = lab.connect();
        lab.all(five, &["COMMIT PREPARED 'kept'"]);
        let mut woken = lab.woken();
        woken.sort_unstable();
        assert_eq!(woken, [two, three, four]);
        for session in woken {
            let at = lab.resume(session);
            assert!(matches!(at, At::Done(Ok(_))), "{}", at.tag());
        }
        assert_eq!(lab.read("SELECT balance FROM accounts ORDER BY id"), "70;100;72");
        assert_eq!(ids(&lab), "");
        crash(&mut lab, false);
        assert_eq!(ids(&lab), "");
        assert_eq!(lab.read("SELECT balance FROM accounts ORDER BY id"), "70;100;72");
    }
}

#[test]
fn what_it_has_read_counts_after_a_crash() {
    let mut lab = Lab::new(ACCOUNTS);
    let one = lab.connect();
    lab.all(
        one,
        &[
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "SELECT balance FROM accounts WHERE id = 2",
            "UPDATE accounts SET balance = 0 WHERE id = 1",
            "PREPARE TRANSACTION 'skew'",
        ],
    );
    crash(&mut lab, false);
    let two = lab.connect();
    lab.all(two, &["BEGIN ISOLATION LEVEL SERIALIZABLE"]);
    // As PostgreSQL: what conflicts it had is lost with the crash, so that it counts as a pivot.
    let at = lab.run(two, "SELECT balance FROM accounts WHERE id = 1");
    assert!(at.tag().starts_with("40001"), "{}", at.tag());
    // One that does not touch what it has read, or written, goes on.
    lab.all(two, &["ROLLBACK", "BEGIN ISOLATION LEVEL SERIALIZABLE"]);
    lab.all(two, &["UPDATE accounts SET balance = 5 WHERE id = 3", "COMMIT"]);
    lab.all(two, &["ROLLBACK PREPARED 'skew'"]);
    lab.all(
        two,
        &[
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "SELECT balance FROM accounts WHERE id = 1",
        ],
    );
    lab.all(two, &["UPDATE accounts SET balance = 1 WHERE id = 2", "COMMIT"]);
}

#[test]
fn each_of_its_two_requests_counts_from_its_flush_on() {
    let mut lab = Lab::new(ACCOUNTS);
    let (one, two) = (lab.connect(), lab.connect());
    lab.all(one, &["BEGIN", "UPDATE accounts SET balance = 1 WHERE id = 1"]);
    lab.flushes = false;
    let At::Flush(prepared) = lab.run(one, "PREPARE TRANSACTION 'slow'") else {
        panic!("a record is flushed");
    };
    // Not yet flushed: nobody knows it, but its identifier is taken.
    assert_eq!(ids(&lab), "");
    let at = lab.run(two, "COMMIT PREPARED 'slow'");
    assert_eq!(
        at.tag(),
        "42704: prepared transaction with identifier \"slow\" does not exist"
    );
    lab.all(two, &["BEGIN"]);
    let at = lab.run(two, "PREPARE TRANSACTION 'slow'");
    assert_eq!(at.tag(), "42710: transaction identifier \"slow\" is already in use");
    let mut crashed = lab.clone();
    crash(&mut crashed, false);
    assert_eq!(ids(&crashed), "");
    lab.server.flushed(prepared);
    // Flushed, and its session gone before it has heard of it.
    let mut deserted = lab.clone();
    deserted.server.disconnect(one, deserted.now);
    assert_eq!(ids(&deserted), "slow");
    assert_eq!(lab.resume(one).tag(), "PREPARE TRANSACTION");
    assert_eq!(ids(&lab), "slow");
    for (verb, balance) in [("COMMIT", "1"), ("ROLLBACK", "100")] {
        let mut lab = lab.clone();
        let At::Flush(ended) = lab.run(one, &format!("{verb} PREPARED 'slow'")) else {
            panic!("a record is flushed");
        };
        let at = lab.run(two, "COMMIT PREPARED 'slow'");
        assert_eq!(at.tag(), "55000: prepared transaction with identifier \"slow\" is busy");
        assert_eq!(lab.read("SELECT balance FROM accounts WHERE id = 1"), "100");
        let mut crashed = lab.clone();
        crash(&mut crashed, false);
        assert_eq!(ids(&crashed), "slow", "{verb}: its record is lost");
        lab.server.flushed(ended);
        for checkpoint in [false, true] {
            let mut crashed = lab.clone();
            crash(&mut crashed, checkpoint);
            assert_eq!(ids(&crashed), "", "{verb}: its record is there");
            assert_eq!(crashed.read("SELECT balance FROM accounts WHERE id = 1"), balance);
        }
        assert_eq!(lab.resume(one).tag(), format!("{verb} PREPARED"));
        assert_eq!(lab.read("SELECT balance FROM accounts WHERE id = 1"), balance);
    }
}

#[test]
fn definitions_are_prepared_too() {
    for checkpoint in [false, true] {
        let mut lab = Lab::new(ACCOUNTS);
        let (one, two) = (lab.connect(), lab.connect());
        lab.all(
            one,
            &[
                "BEGIN",
                "CREATE TABLE extra (id int PRIMARY KEY)",
                "INSERT INTO extra VALUES (1)",
                "DROP TABLE entries",
                "PREPARE TRANSACTION 'definitions'",
                // Another definition becomes durable meanwhile.
                "CREATE TABLE other (id int)",
            ],
        );
        crash(&mut lab, checkpoint);
        assert!(lab.server.read("postgres", "SELECT * FROM extra").is_err());
        assert_eq!(lab.read("SELECT * FROM entries"), "");
        assert_eq!(lab.read("SELECT * FROM other"), "");
        let session = lab.connect();
        assert!(lab.run(session, "SELECT * FROM entries").is_blocked());
        for verb in ["COMMIT", "ROLLBACK"] {
            let mut lab = lab.clone();
            let session = lab.connect();
            lab.all(session, &[&format!("{verb} PREPARED 'definitions'")]);
            for crashes in [false, true] {
                if crashes {
                    crash(&mut lab, checkpoint);
                }
                assert_eq!(
                    lab.server.read("postgres", "SELECT * FROM extra").is_ok(),
                    verb == "COMMIT"
                );
                assert_eq!(
                    lab.server.read("postgres", "SELECT * FROM entries").is_ok(),
                    verb != "COMMIT"
                );
                assert_eq!(lab.read("SELECT * FROM other"), "");
            }
        }
        lab.server.disconnect(two, lab.now);
    }
}

/// Two commits of definitions whose flushes overlap: the later one does not forget the earlier one.
#[test]
fn definitions_of_commits_that_overlap_are_all_there() {
    let mut lab = Lab::new("");
    let (one, two) = (lab.connect(), lab.connect());
    lab.flushes = false;
    assert_eq!(lab.run(one, "CREATE TABLE a (id int)").tag(), "flush");
    let At::Flush(end) = lab.run(two, "CREATE TABLE b (id int)") else {
        panic!("a commit is flushed");
    };
    lab.server.flushed(end);
    crash(&mut lab, false);
    assert_eq!(lab.read("SELECT * FROM a"), "");
    assert_eq!(lab.read("SELECT * FROM b"), "");
}

#[test]
fn there_are_as_many_as_the_server_is_told() {
    let refusal = |most: u32| {
        let mut server = Server::new(ServerConfig {
            max_prepared_transactions: most,
            ..ServerConfig::default()
        });
        server.run_script("postgres", ACCOUNTS).expect("a correct script");
        let mut lab = Lab { server, ..Lab::new("") };
        let session = lab.connect();
        for id in 0..most {
            lab.all(session, &["BEGIN", &format!("PREPARE TRANSACTION '{id}'")]);
        }
        lab.all(session, &["BEGIN"]);
        lab.run(session, "PREPARE TRANSACTION 'more'").tag()
    };
    assert_eq!(refusal(0), "55000: prepared transactions are disabled");
    assert_eq!(refusal(2), "53200: maximum number of prepared transactions reached");
}

/// What a session does next, and what it has prepared.
#[derive(Clone, Debug)]
struct Client {
    session: SessionId,
    rest: Vec<String>,
    /// Of its last statement, if that writes a record of an end.
    ends: Option<(u32, End)>,
    waits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Commit,
    Prepare,
    CommitPrepared,
    RollbackPrepared,
}

impl Client {
    /// Adds to one account and writes it down; ends in one of the ways.
    fn next(&mut self, number: &mut u32, random: &mut Stream) {
        *number += 1;
        let (id, account) = (*number, 1 + random.below(3));
        let mut rest = vec![
            "BEGIN".to_owned(),
            format!("UPDATE accounts SET balance = balance + 1 WHERE id = {account}"),
            format!("INSERT INTO entries VALUES ({id}, {account})"),
        ];
        match random.below(6) {
            0 => rest.push("ROLLBACK".to_owned()),
            1 | 2 => rest.push(format!("COMMIT /* {id} */")),
            end => {
                rest.push(format!("PREPARE TRANSACTION '{id}'"));
                // One in three is left to others.
                match end {
                    3 => rest.push(format!("COMMIT PREPARED '{id}'")),
                    4 => rest.push(format!("ROLLBACK PREPARED '{id}'")),
                    _ => {}
                }
            }
        }
        rest.reverse();
        self.rest = rest;
    }
}

fn end_of(sql: &str) -> Option<(u32, End)> {
    let number = || {
        sql.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .ok()
    };
    let end = match sql.split(' ').collect::<Vec<_>>()[..] {
        ["COMMIT", "/*", ..] => End::Commit,
        ["PREPARE", ..] => End::Prepare,
        ["COMMIT", "PREPARED", _] => End::CommitPrepared,
        ["ROLLBACK", "PREPARED", _] => End::RollbackPrepared,
        _ => return None,
    };
    Some((number()?, end))
}

/// For each record of an end the position after it.
type Ends = BTreeMap<Lsn, (u32, End)>;

fn run(lab: &mut Lab, clients: &mut [Client], number: &mut u32, random: &mut Stream, ends: &mut Ends) {
    for _ in 0..200 {
        let at_random = random.below(clients.len() as u64) as usize;
        let client = &mut clients[at_random];
        let at = if client.waits {
            lab.resume(client.session)
        } else {
            if client.rest.is_empty() {
                let left = lab.read("SELECT gid FROM pg_prepared_xacts");
                match left.split(';').next() {
                    Some(id) if !id.is_empty() && random.chance(1, 2) => {
                        let verb = if random.chance(1, 2) { "COMMIT" } else { "ROLLBACK" };
                        client.rest = vec![format!("{verb} PREPARED '{id}'")];
                    }
                    _ => client.next(number, random),
                }
            }
            let sql = client.rest.pop().expect("not empty");
            client.ends = end_of(&sql);
            lab.run(client.session, &sql)
        };
        match at {
            At::Done(Ok(_)) => client.waits = false,
            At::Done(Err(refusal)) => {
                let known = ["40P01", "42704", "55000", "42710"];
                assert!(known.contains(&refusal.sqlstate), "{refusal:?}");
                client.waits = false;
                client.rest = vec!["ROLLBACK".to_owned()];
            }
            At::Blocked(blocker) => {
                client.waits = true;
                if random.chance(1, 3) {
                    lab.now = lab.now.max(blocker.deadline.unwrap_or(lab.now));
                }
            }
            At::Flush(lsn) => {
                client.waits = true;
                ends.insert(lsn, client.ends.expect("a record of an end"));
                if random.chance(1, 2) {
                    lab.server.flushed(lsn);
                }
            }
        }
    }
}

/// What the ends up to a position leave: the entries that are there, and the identifiers that are prepared.
fn left(ends: &Ends, flushed: Lsn) -> (String, String) {
    let (mut there, mut prepared) = (Vec::new(), Vec::new());
    for (id, end) in ends.range(..=flushed).map(|(_, end)| *end) {
        prepared.retain(|one| *one != id);
        match end {
            End::Commit | End::CommitPrepared => there.push(id),
            End::Prepare => prepared.push(id),
            End::RollbackPrepared => {}
        }
    }
    let shown = |mut ids: Vec<u32>| {
        ids.sort_unstable();
        ids.iter().map(u32::to_string).collect::<Vec<_>>().join(";")
    };
    (shown(there), shown(prepared))
}

fn check(lab: &Lab, ends: &Ends, flushed: Lsn, context: &str) {
    let (there, prepared) = left(ends, flushed);
    assert_eq!(lab.read("SELECT id FROM entries ORDER BY id"), there, "{context}");
    let mut ids: Vec<u32> = ids(lab).split(';').filter_map(|id| id.parse().ok()).collect();
    ids.sort_unstable();
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    assert_eq!(ids.join(";"), prepared, "{context}");
    let sum = 300 + there.split(';').filter(|id| !id.is_empty()).count();
    assert_eq!(
        lab.read("SELECT sum(balance) FROM accounts"),
        sum.to_string(),
        "{context}"
    );
}

/// All that is prepared can be ended, and nothing waits any more.
fn finish(lab: &mut Lab, ends: &Ends, flushed: Lsn, random: &mut Stream, context: &str) {
    let (there, prepared) = left(ends, flushed);
    lab.flushes = true;
    let session = lab.connect();
    let mut committed = there.split(';').filter(|id| !id.is_empty()).count();
    for id in prepared.split(';').filter(|id| !id.is_empty()) {
        let commits = random.chance(1, 2);
        committed += usize::from(commits);
        let verb = if commits { "COMMIT" } else { "ROLLBACK" };
        lab.all(session, &[&format!("{verb} PREPARED '{id}'")]);
    }
    lab.all(
        session,
        &["UPDATE accounts SET balance = balance", "DROP TABLE entries"],
    );
    let sum = (300 + committed).to_string();
    assert_eq!(lab.read("SELECT sum(balance) FROM accounts"), sum, "{context}");
}

#[test]
fn recovery_gives_the_committed_and_the_prepared_at_any_flush() {
    for seed in 0..20 {
        let mut random = Stream::new(seed, "prepared", 0);
        let mut lab = Lab::new(ACCOUNTS);
        lab.flushes = false;
        let (mut ends, mut number) = (Ends::new(), 0);
        for round in 0..3 {
            let mut clients: Vec<Client> = (0..4)
                .map(|_| Client {
                    session: lab.connect(),
                    rest: Vec::new(),
                    ends: None,
                    waits: false,
                })
                .collect();
            run(&mut lab, &mut clients, &mut number, &mut random, &mut ends);
            let (low, high) = (lab.server.flushed_position().0, lab.server.wal_position().0);
            for _ in 0..10 {
                let flushed = Lsn(low + random.below(high - low + 1));
                let context = format!("seed {seed}, round {round}, flushed {flushed:?}");
                let mut crashed = lab.clone();
                crashed.server.flushed(flushed);
                crashed.server.crash();
                crashed.server.recover();
                check(&crashed, &ends, flushed, &context);
                finish(&mut crashed, &ends, flushed, &mut random, &context);
            }
            if round == 1 {
                lab.server.checkpoint();
            }
            let flushed = lab.server.flushed_position();
            lab.server.crash();
            lab.server.recover();
            ends.retain(|lsn, _| *lsn <= flushed);
            check(&lab, &ends, flushed, &format!("seed {seed}, round {round}"));
        }
    }
}
