//! What a crash or a promotion loses, by `synchronous_commit`: nothing, what was not flushed, what was not shipped.

use base::random::Stream;
use base::{Nanos, Time};
use engine_sql::{Lsn, Progressed, Server, SessionId, Standby};

use crate::lab::{At, Lab};

const NUMBERS: &str = "CREATE TABLE numbers (n int PRIMARY KEY); CREATE TABLE total (id int, sum int NOT NULL); INSERT INTO total VALUES (1, 0);";

fn ms(time: u64) -> Time {
    Time(time * 1_000_000)
}

fn lab() -> (Lab, SessionId) {
    let mut lab = Lab::new(NUMBERS);
    lab.server.checkpoint();
    let session = lab.connect();
    (lab, session)
}

fn crashed(lab: &Lab) -> Lab {
    let mut lab = lab.clone();
    lab.server.crash();
    lab.server.recover();
    lab
}

fn read(server: &Server, sql: &str) -> String {
    let output = server.read("postgres", sql).expect("a correct query");
    let rows = output.rows.iter().map(|row| row[0].to_string());
    rows.collect::<Vec<_>>().join(";")
}

#[test]
fn a_commit_that_does_not_wait_is_visible_at_once_and_lost_before_the_wal_writers_turn() {
    let (mut lab, session) = lab();
    lab.flushes = false;
    lab.now = ms(250);
    assert_eq!(lab.server.wal_writer_due(lab.now), None);
    lab.all(
        session,
        &["SET synchronous_commit = off", "INSERT INTO numbers VALUES (1)"],
    );
    assert_eq!(lab.read("SELECT n FROM numbers"), "1");
    assert_eq!(lab.server.wal_writer_due(lab.now), Some(ms(400)));
    assert_eq!(crashed(&lab).read("SELECT n FROM numbers"), "");
    // Another session's commit flushes it along.
    let other = lab.connect();
    let At::Flush(lsn) = lab.run(other, "INSERT INTO numbers VALUES (2)") else {
        panic!("it waits for its flush");
    };
    assert_eq!(lab.read("SELECT n FROM numbers"), "1");
    lab.server.flushed(lsn);
    assert_eq!(lab.server.wal_writer_due(lab.now), None);
    assert_eq!(crashed(&lab).read("SELECT n FROM numbers ORDER BY n"), "1;2");
    // What is dropped is flushed first, and so is a transaction that is prepared.
    assert!(matches!(lab.run(session, "DROP TABLE total"), At::Flush(_)));
    assert_eq!(lab.server.wal_writer_due(lab.now), None);
}

#[test]
fn a_prepared_transaction_waits_for_its_flush_whatever_the_setting() {
    let (mut lab, session) = lab();
    lab.flushes = false;
    lab.all(
        session,
        &[
            "SET synchronous_commit = off",
            "BEGIN",
            "INSERT INTO numbers VALUES (1)",
        ],
    );
    let At::Flush(lsn) = lab.run(session, "PREPARE TRANSACTION 'x'") else {
        panic!("it waits for its flush");
    };
    lab.server.flushed(lsn);
    assert_eq!(lab.resume(session).tag(), "PREPARE TRANSACTION");
    assert!(matches!(lab.run(session, "COMMIT PREPARED 'x'"), At::Flush(_)));
}

/// The commits that a crash leaves are a prefix of those that were made, whoever waited for what.
#[test]
fn what_is_lost_is_the_end_of_the_commits() {
    for seed in 0..30 {
        let mut random = Stream::new(seed, "durability", 0);
        let (mut lab, _) = lab();
        let sessions: Vec<SessionId> = (0..3).map(|_| lab.connect()).collect();
        for session in &sessions[..2] {
            lab.all(*session, &["SET synchronous_commit = off"]);
        }
        // In the order of their commits, with the position after each.
        let mut commits: Vec<(Lsn, u64)> = Vec::new();
        let mut answered = Vec::new();
        for n in 1..=random.below(60) {
            let session = sessions[random.below(3) as usize];
            lab.now += Nanos::from_millis(random.below(40));
            lab.all(
                session,
                &[
                    "BEGIN",
                    &format!("INSERT INTO numbers VALUES ({n})"),
                    "UPDATE total SET sum = sum + 1",
                ],
            );
            lab.all(session, &["COMMIT"]);
            let end = lab.server.wal_position();
            commits.push((end, n));
            if session == sessions[2] {
                answered.push(n);
            }
            if let Some(due) = lab.server.wal_writer_due(lab.now)
                && random.chance(1, 4)
            {
                lab.now = due;
                lab.server.flushed(end);
            }
        }
        let flushed = lab.server.flushed_position();
        let kept: Vec<String> = commits
            .iter()
            .take_while(|(lsn, _)| *lsn <= flushed)
            .map(|(_, n)| n.to_string())
            .collect();
        let crashed = crashed(&lab);
        assert_eq!(
            crashed.read("SELECT n FROM numbers ORDER BY n"),
            kept.join(";"),
            "seed {seed}"
        );
        assert_eq!(
            crashed.read("SELECT sum FROM total"),
            kept.len().to_string(),
            "seed {seed}"
        );
        assert!(answered.iter().all(|n| kept.contains(&n.to_string())), "seed {seed}");
    }
}

#[test]
fn a_standby_lags_and_a_promotion_loses_what_was_not_shipped() {
    let (mut lab, session) = lab();
    lab.all(session, &["INSERT INTO numbers VALUES (1)"]);
    let mut standby = Standby::of(&lab.server);
    let first = lab.server.flushed_position();
    lab.all(
        session,
        &["CREATE TABLE extra (id int)", "INSERT INTO numbers VALUES (2)"],
    );
    let second = lab.server.flushed_position();
    lab.all(
        session,
        &[
            "INSERT INTO numbers VALUES (3)",
            "BEGIN",
            "INSERT INTO numbers VALUES (4)",
        ],
    );
    assert_eq!(standby.receive(&lab.server, second), Ok(second));
    assert_eq!((standby.received(), standby.applied()), (second, first));
    let shown = |standby: &Standby| {
        let output = standby
            .read("postgres", "SELECT n FROM numbers ORDER BY n")
            .expect("readable");
        let rows = output.rows.iter().map(|row| row[0].to_string());
        rows.collect::<Vec<_>>().join(";")
    };
    assert_eq!(shown(&standby), "1");
    assert!(standby.read("postgres", "SELECT * FROM extra").is_err());
    standby.apply(second);
    assert_eq!(shown(&standby), "1;2");
    assert!(standby.read("postgres", "SELECT * FROM extra").is_ok());
    let mut promoted = standby.clone().promote();
    assert_eq!(read(&promoted, "SELECT n FROM numbers ORDER BY n"), "1;2");
    // It is a server of its own: it writes, crashes and recovers.
    promoted
        .run_script("postgres", "INSERT INTO numbers VALUES (30)")
        .expect("it writes");
    promoted.crash();
    promoted.recover();
    assert_eq!(read(&promoted, "SELECT n FROM numbers ORDER BY n"), "1;2;30");
    // The primary goes on: more arrives, less what is not committed.
    assert_eq!(
        standby.receive(&lab.server, Lsn(u64::MAX)),
        Ok(lab.server.flushed_position())
    );
    assert_eq!(shown(&standby.clone()), "1;2");
    assert_eq!(read(&standby.promote(), "SELECT n FROM numbers ORDER BY n"), "1;2;3");
}

#[test]
fn a_standby_that_falls_behind_a_checkpoint_has_to_be_made_anew() {
    let (mut lab, session) = lab();
    let mut standby = Standby::of(&lab.server);
    lab.all(session, &["INSERT INTO numbers VALUES (1)"]);
    lab.server.checkpoint();
    let refusal = standby
        .receive(&lab.server, Lsn(u64::MAX))
        .expect_err("the WAL is gone");
    assert_eq!(refusal.sqlstate, "58P01");
    let standby = Standby::of(&lab.server);
    assert_eq!(read(&standby.promote(), "SELECT n FROM numbers"), "1");
}

/// `synchronous_commit` with a synchronous standby: what each value waits for.
#[test]
fn a_commit_waits_for_what_its_setting_asks_of_the_standby() {
    let at = |written: Lsn, flushed: Lsn, applied: Lsn| Progressed {
        written,
        flushed,
        applied,
    };
    let none = Lsn(0);
    for (setting, waits_with) in [
        ("off", [false, false, false]),
        ("local", [false, false, false]),
        ("remote_write", [false, false, false]),
        ("on", [true, false, false]),
        ("remote_apply", [true, true, false]),
    ] {
        let (mut lab, session) = lab();
        lab.server.acknowledge(true, Progressed::default());
        lab.all(session, &[&format!("SET synchronous_commit = {setting}")]);
        let before = lab.run(session, "INSERT INTO numbers VALUES (1)");
        let end = lab.server.wal_position();
        assert_eq!(before.is_blocked(), !["off", "local"].contains(&setting), "{setting}");
        if !before.is_blocked() {
            continue;
        }
        assert_eq!(
            lab.read("SELECT n FROM numbers"),
            "",
            "{setting}: not seen before it is there"
        );
        assert_eq!(
            crashed(&lab).read("SELECT n FROM numbers"),
            "1",
            "{setting}: yet flushed here"
        );
        let steps = [at(end, none, none), at(end, end, none), at(end, end, end)];
        for (step, waits) in steps.into_iter().zip(waits_with) {
            lab.server.acknowledge(true, step);
            let woken = lab.woken();
            assert_eq!(woken.is_empty(), waits, "{setting} {step:?}");
            if woken == [session] {
                assert_eq!(lab.resume(session).tag(), "INSERT 1");
                break;
            }
        }
        assert_eq!(lab.read("SELECT n FROM numbers"), "1", "{setting}");
    }
}

#[test]
fn who_waits_for_a_standby_can_give_up_and_has_committed() {
    let (mut lab, session) = lab();
    lab.server.acknowledge(true, Progressed::default());
    assert!(lab.run(session, "INSERT INTO numbers VALUES (1)").is_blocked());
    lab.server.cancel(session);
    let At::Done(Ok(output)) = lab.resume(session) else {
        panic!("it is committed");
    };
    let warning = "canceling wait for synchronous replication due to user request";
    assert_eq!(output.notices[0].message, warning);
    assert_eq!(lab.read("SELECT n FROM numbers"), "1");
    // Nobody asks for a standby any more: those who wait go on.
    assert!(lab.run(session, "INSERT INTO numbers VALUES (2)").is_blocked());
    lab.server.acknowledge(false, Progressed::default());
    assert_eq!(lab.woken(), [session]);
    assert_eq!(lab.resume(session).tag(), "INSERT 1");
}

/// With `synchronous_commit = on` and a synchronous standby, what was answered is there after a promotion, wherever the
/// primary is struck; with `local` it may be lost. What is there is always a prefix.
#[test]
fn a_promotion_keeps_what_was_answered_if_commits_wait_for_it() {
    let mut lost = 0;
    for seed in 0..30 {
        let mut random = Stream::new(seed, "promotion", 0);
        let synchronous = seed % 2 == 0;
        let (mut lab, session) = lab();
        let mut standby = Standby::of(&lab.server);
        lab.server.acknowledge(synchronous, Progressed::default());
        let mut answered = Vec::new();
        for n in 1..=20 {
            let mut at = lab.run(session, &format!("INSERT INTO numbers VALUES ({n})"));
            let strikes = random.chance(1, 12);
            if !strikes && (at.is_blocked() || random.chance(1, 2)) {
                let received = standby.receive(&lab.server, Lsn(u64::MAX)).expect("it keeps up");
                standby.apply(Lsn(random.below(received.0 + 1)));
                let progressed = Progressed {
                    written: received,
                    flushed: received,
                    applied: standby.applied(),
                };
                lab.server.acknowledge(synchronous, progressed);
                if at.is_blocked() {
                    at = lab.resume(session);
                }
            }
            if matches!(at, At::Done(Ok(_))) {
                answered.push(n);
            }
            if strikes {
                break;
            }
        }
        let there = read(&standby.promote(), "SELECT n FROM numbers ORDER BY n");
        let there: Vec<u32> = there.split(';').filter_map(|n| n.parse().ok()).collect();
        assert!(
            there.iter().copied().eq(1..=there.len() as u32),
            "seed {seed}: {there:?}"
        );
        let missing = answered.iter().filter(|n| !there.contains(n)).count();
        assert!(!synchronous || missing == 0, "seed {seed}: {answered:?} {there:?}");
        lost += missing;
    }
    assert!(lost > 0, "without waiting something is lost");
}
