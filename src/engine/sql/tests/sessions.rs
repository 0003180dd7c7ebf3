//! Several sessions: who sees what, who waits for whom, who has to give up. What is expected here is
//! what PostgreSQL 15 does in the same schedules.

use base::{Nanos, Time, Value};
use engine_sql::{Output, Progress, Server, ServerConfig, SessionId, SqlError, TransactionStatus};
use syntax::Dialect;

struct World {
    server: Server,
    now: Time,
}

impl World {
    fn new(setup: &str) -> World {
        let mut server = Server::new(ServerConfig::default());
        server.run_script("postgres", setup).expect("the set-up");
        World {
            server,
            now: Time::ZERO,
        }
    }

    fn connect(&mut self) -> SessionId {
        self.server
            .connect("postgres", "postgres", self.now)
            .expect("a session")
    }

    fn start(&mut self, session: SessionId, sql: &str) -> Progress {
        let statement = syntax::parse_statement(sql, Dialect::Postgres).expect("SQL");
        self.server.start_parsed(session, &statement, &[], self.now);
        self.go_on(session)
    }

    fn go_on(&mut self, session: SessionId) -> Progress {
        loop {
            match self.server.resume(session, self.now, &mut 1_000_000) {
                Progress::Flush(lsn) => self.server.flushed(lsn),
                Progress::OutOfFuel => {}
                other => return other,
            }
        }
    }

    fn run(&mut self, session: SessionId, sql: &str) -> Result<Output, SqlError> {
        match self.start(session, sql) {
            Progress::Done(result) => result,
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn ok(&mut self, session: SessionId, sql: &str) -> String {
        rows(
            &self
                .run(session, sql)
                .unwrap_or_else(|refusal| panic!("{sql}: {refusal}")),
        )
    }

    fn blocks(&mut self, session: SessionId, sql: &str) -> Vec<SessionId> {
        match self.start(session, sql) {
            Progress::Blocked(blocker) => blocker.holders,
            other => panic!("{sql} did not wait: {other:?}"),
        }
    }

    /// The session has been woken and ends.
    fn woken(&mut self, session: SessionId) -> Result<Output, SqlError> {
        let mut woken = Vec::new();
        self.server.drain_woken(&mut woken);
        assert!(woken.contains(&session), "{session:?} is not among {woken:?}");
        match self.go_on(session) {
            Progress::Done(result) => result,
            other => panic!("{other:?}"),
        }
    }
}

fn rows(output: &Output) -> String {
    let row = |row: &base::Row| row.iter().map(Value::to_string).collect::<Vec<_>>().join("|");
    output.rows.iter().map(row).collect::<Vec<_>>().join(" ")
}

const ACCOUNTS: &str = "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 10), (2, 20), (3, 30);";

#[test]
fn read_committed_sees_commits_between_its_statements_and_repeatable_read_does_not() {
    let mut w = World::new(ACCOUNTS);
    let (a, b, c) = (w.connect(), w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(b, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(w.ok(a, "SELECT v FROM a WHERE id = 1"), "10");
    assert_eq!(w.ok(b, "SELECT v FROM a WHERE id = 1"), "10");
    w.ok(c, "UPDATE a SET v = 11 WHERE id = 1");
    assert_eq!(w.ok(a, "SELECT v FROM a WHERE id = 1"), "11");
    assert_eq!(w.ok(b, "SELECT v FROM a WHERE id = 1"), "10");
    let refusal = w.run(b, "UPDATE a SET v = 0 WHERE id = 1").expect_err("a changed row");
    assert_eq!(
        (refusal.sqlstate, refusal.message.as_str()),
        ("40001", "could not serialize access due to concurrent update")
    );
    assert_eq!(w.server.transaction_status(b), TransactionStatus::Failed);
}

#[test]
fn an_update_waits_follows_the_row_and_checks_it_again() {
    let mut w = World::new(ACCOUNTS);
    let (a, b) = (w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(a, "UPDATE a SET v = v + 1 WHERE id = 1");
    assert_eq!(
        w.blocks(b, "UPDATE a SET v = v + 100 WHERE v = 10 OR id = 2 RETURNING id, v"),
        vec![a]
    );
    w.ok(a, "COMMIT");
    // Row 1 has 11 now, so that it is out; row 2 is in.
    assert_eq!(rows(&w.woken(b).expect("an update")), "2|120");
    assert_eq!(w.ok(b, "SELECT v FROM a ORDER BY id"), "11 120 30");
}

#[test]
fn a_lost_update_is_none_when_the_new_value_is_computed_from_the_newest_row() {
    let mut w = World::new(ACCOUNTS);
    let (a, b) = (w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(a, "UPDATE a SET v = v + 1 WHERE id = 1");
    w.blocks(b, "UPDATE a SET v = v + 1 WHERE id = 1");
    w.ok(a, "COMMIT");
    w.woken(b).expect("an update");
    assert_eq!(w.ok(a, "SELECT v FROM a WHERE id = 1"), "12");
}

#[test]
fn a_rolled_back_holder_leaves_the_row_as_it_was() {
    let mut w = World::new(ACCOUNTS);
    let (a, b) = (w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(a, "DELETE FROM a WHERE id = 1");
    w.blocks(b, "UPDATE a SET v = v + 1 WHERE id = 1 RETURNING v");
    w.ok(a, "ROLLBACK");
    assert_eq!(rows(&w.woken(b).expect("an update")), "11");
}

#[test]
fn an_insert_waits_for_the_other_inserter_of_its_key() {
    let mut w = World::new(ACCOUNTS);
    let (a, b) = (w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(a, "INSERT INTO a VALUES (9, 1)");
    w.blocks(b, "INSERT INTO a VALUES (9, 2)");
    w.ok(a, "COMMIT");
    assert_eq!(w.woken(b).expect_err("a duplicate").sqlstate, "23505");
    w.ok(a, "BEGIN");
    w.ok(a, "INSERT INTO a VALUES (8, 1)");
    w.blocks(b, "INSERT INTO a VALUES (8, 2) ON CONFLICT DO NOTHING");
    w.ok(a, "ROLLBACK");
    assert_eq!(w.woken(b).expect("an insert").tag.rows, Some(1));
}

#[test]
fn deadlock_is_found_after_its_timeout_and_the_finder_gives_up() {
    let mut w = World::new(ACCOUNTS);
    let (a, b) = (w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(b, "BEGIN");
    w.ok(a, "UPDATE a SET v = 0 WHERE id = 1");
    w.ok(b, "UPDATE a SET v = 0 WHERE id = 2");
    w.blocks(a, "UPDATE a SET v = 0 WHERE id = 2");
    let Progress::Blocked(blocker) = w.start(b, "UPDATE a SET v = 0 WHERE id = 1") else {
        panic!("no wait");
    };
    w.now = blocker.deadline.expect("a deadlock check");
    let Progress::Done(Err(refusal)) = w.go_on(b) else {
        panic!("no deadlock");
    };
    assert_eq!(
        (refusal.sqlstate, refusal.message.as_str()),
        ("40P01", "deadlock detected")
    );
    let detail = refusal.detail.expect("a detail");
    assert_eq!(detail.lines().count(), 2, "{detail}");
    assert!(detail.contains("waits for ShareLock on transaction"), "{detail}");
    // The failed block has given back its locks before its ROLLBACK.
    w.woken(a).expect("an update");
}

#[test]
fn nowait_skip_locked_and_lock_timeout() {
    let mut w = World::new(ACCOUNTS);
    let (a, b) = (w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(a, "SELECT * FROM a WHERE id = 1 FOR UPDATE");
    let refusal = w
        .run(b, "SELECT * FROM a WHERE id = 1 FOR UPDATE NOWAIT")
        .expect_err("a locked row");
    assert_eq!(
        (refusal.sqlstate, refusal.message.as_str()),
        ("55P03", "could not obtain lock on row in relation \"a\"")
    );
    assert_eq!(
        w.ok(b, "SELECT id FROM a ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"),
        "2"
    );
    w.ok(b, "SET lock_timeout = '50ms'");
    let Progress::Blocked(blocker) = w.start(b, "SELECT * FROM a WHERE id = 1 FOR SHARE") else {
        panic!("no wait");
    };
    assert_eq!(blocker.deadline, Some(w.now + Nanos::from_millis(50)));
    w.now += Nanos::from_millis(50);
    let Progress::Done(Err(refusal)) = w.go_on(b) else {
        panic!("no timeout");
    };
    assert_eq!(
        (refusal.sqlstate, refusal.message.as_str()),
        ("55P03", "canceling statement due to lock timeout")
    );
}

#[test]
fn a_foreign_key_check_lets_non_key_updates_of_the_parent_pass_and_waits_for_its_deletion() {
    let mut w = World::new(
        "CREATE TABLE p (id int PRIMARY KEY, n int); CREATE TABLE c (p int REFERENCES p); INSERT INTO p VALUES (1, 0);",
    );
    let (a, b) = (w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(a, "INSERT INTO c VALUES (1)");
    w.ok(b, "UPDATE p SET n = 1 WHERE id = 1");
    assert_eq!(w.blocks(b, "DELETE FROM p WHERE id = 1"), vec![a]);
    w.ok(a, "COMMIT");
    assert_eq!(w.woken(b).expect_err("a child").sqlstate, "23503");
    w.ok(b, "DELETE FROM c");
    w.ok(b, "BEGIN");
    w.ok(b, "DELETE FROM p WHERE id = 1");
    w.blocks(a, "INSERT INTO c VALUES (1)");
    w.ok(b, "COMMIT");
    assert_eq!(w.woken(a).expect_err("no parent").sqlstate, "23503");
}

#[test]
fn a_commit_is_seen_when_it_is_flushed_and_lost_when_the_server_crashes_before() {
    let mut w = World::new(ACCOUNTS);
    let (a, b) = (w.connect(), w.connect());
    let statement = syntax::parse_statement("UPDATE a SET v = 77 WHERE id = 1", Dialect::Postgres).expect("SQL");
    w.server.start_parsed(a, &statement, &[], w.now);
    let Progress::Flush(lsn) = w.server.resume(a, w.now, &mut 1_000) else {
        panic!("no flush");
    };
    assert_eq!(w.ok(b, "SELECT v FROM a WHERE id = 1"), "10");
    let mut crashed = w.server.clone();
    crashed.crash();
    assert_eq!(
        crashed
            .connect("postgres", "postgres", w.now)
            .expect_err("down")
            .sqlstate,
        "57P03"
    );
    crashed.recover();
    assert_eq!(
        rows(&crashed.read("postgres", "SELECT v FROM a WHERE id = 1").expect("a row")),
        "10"
    );
    w.server.flushed(lsn);
    let mut crashed = w.server.clone();
    crashed.crash();
    crashed.recover();
    assert_eq!(
        rows(&crashed.read("postgres", "SELECT v FROM a WHERE id = 1").expect("a row")),
        "77"
    );
    assert!(matches!(w.server.resume(a, w.now, &mut 1_000), Progress::Done(Ok(_))));
    assert_eq!(w.ok(b, "SELECT v FROM a WHERE id = 1"), "77");
}

#[test]
fn definitions_are_durable_with_their_commit_and_gone_without() {
    let mut w = World::new(ACCOUNTS);
    let a = w.connect();
    w.ok(a, "CREATE TABLE kept (x int PRIMARY KEY)");
    w.ok(a, "INSERT INTO kept VALUES (1)");
    w.ok(a, "BEGIN");
    w.ok(a, "CREATE TABLE lost (x int)");
    w.ok(a, "DROP TABLE a");
    w.server.crash();
    w.server.recover();
    assert_eq!(
        rows(&w.server.read("postgres", "SELECT x FROM kept").expect("kept")),
        "1"
    );
    assert_eq!(
        rows(&w.server.read("postgres", "SELECT count(*) FROM a").expect("a")),
        "3"
    );
    assert_eq!(
        w.server
            .read("postgres", "SELECT * FROM lost")
            .expect_err("lost")
            .sqlstate,
        "42P01"
    );
}

#[test]
fn an_observer_sees_what_is_committed_and_leaves_no_trace() {
    let mut w = World::new(ACCOUNTS);
    let a = w.connect();
    w.ok(a, "BEGIN");
    w.ok(a, "UPDATE a SET v = 0");
    w.ok(a, "LOCK TABLE a IN ACCESS EXCLUSIVE MODE");
    let before = w.server.fingerprint();
    assert_eq!(
        rows(&w.server.read("postgres", "SELECT v FROM a ORDER BY id").expect("rows")),
        "10 20 30"
    );
    assert_eq!(w.server.fingerprint(), before);
    assert_eq!(
        w.server
            .read("postgres", "DELETE FROM a")
            .expect_err("a write")
            .sqlstate,
        "0A000"
    );
}

#[test]
fn a_definition_waits_for_readers_and_the_waiting_are_planned_anew() {
    let mut w = World::new(ACCOUNTS);
    let (a, b, c) = (w.connect(), w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(a, "SELECT * FROM a");
    assert_eq!(w.blocks(b, "ALTER TABLE a ADD COLUMN w text DEFAULT 'new'"), vec![a]);
    // Behind the definition in the queue.
    assert_eq!(w.blocks(c, "SELECT * FROM a WHERE id = 1"), vec![b]);
    w.ok(a, "COMMIT");
    w.woken(b).expect("a definition");
    assert_eq!(rows(&w.woken(c).expect("a query")), "1|10|new");
}

#[test]
fn cancel_ends_a_wait_and_disconnect_rolls_back() {
    let mut w = World::new(ACCOUNTS);
    let (a, b, c) = (w.connect(), w.connect(), w.connect());
    w.ok(a, "BEGIN");
    w.ok(a, "UPDATE a SET v = 0 WHERE id = 1");
    w.blocks(b, "UPDATE a SET v = 1 WHERE id = 1");
    w.blocks(c, "UPDATE a SET v = v + 2 WHERE id = 1 RETURNING v");
    w.server.cancel(b);
    let Progress::Done(Err(refusal)) = w.go_on(b) else {
        panic!("no cancel");
    };
    assert_eq!(refusal.sqlstate, "57014");
    w.server.disconnect(a, w.now);
    // C had queued behind B for the row; it has it now.
    let Progress::Done(Ok(output)) = w.go_on(c) else {
        panic!("no row");
    };
    assert_eq!(rows(&output), "12");
}

#[test]
fn a_planned_look_sees_what_is_committed_and_no_other_definition() {
    let mut w = World::new(ACCOUNTS);
    let (a, b) = (w.connect(), w.connect());
    let sql = "SELECT v FROM a ORDER BY id";
    let look = w.server.look("postgres", sql).expect("a query");
    let looks = |server: &Server| {
        let outputs = server.look_with(std::slice::from_ref(&look))?.expect("no refusal");
        Some(rows(&outputs[0]))
    };
    w.ok(a, "BEGIN");
    w.ok(a, "UPDATE a SET v = 77 WHERE id = 1");
    w.blocks(b, "UPDATE a SET v = 78 WHERE id = 1");
    let before = looks(&w.server).expect("the same definitions");
    assert!(!before.contains("77"), "{before}");
    assert_eq!(before, rows(&w.server.read("postgres", sql).expect("rows")));
    let fork = w.server.clone();
    w.ok(a, "COMMIT");
    assert!(w.woken(b).is_ok());
    assert!(looks(&w.server).expect("the same definitions").contains("78"));
    assert_eq!(looks(&fork), Some(before), "a fork stays as it was");
    w.ok(a, "ALTER TABLE a ADD COLUMN more int");
    assert_eq!(looks(&w.server), None);
}

#[test]
fn a_prepared_statement_follows_definitions_in_each_fork() {
    let mut w = World::new(ACCOUNTS);
    let a = w.connect();
    let parse = |sql: &str| std::sync::Arc::new(syntax::parse_statement(sql, Dialect::Postgres).expect("SQL"));
    let all = w.server.prepare_parsed(a, parse("SELECT * FROM a WHERE id = 1"));
    let early = w.server.prepare_parsed(a, parse("SELECT id FROM later"));
    let run = |w: &mut World, statement| {
        w.server.start(a, statement, &[], w.now);
        match w.go_on(a) {
            Progress::Done(result) => result
                .map(|output| output.columns.len())
                .map_err(|error| error.sqlstate),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(run(&mut w, early), Err("42P01"));
    let before = run(&mut w, all).expect("a row");
    let mut fork = World {
        server: w.server.clone(),
        now: w.now,
    };
    fork.ok(a, "ALTER TABLE a ADD COLUMN more int");
    fork.ok(a, "CREATE TABLE later (id int)");
    assert_eq!((run(&mut fork, all), run(&mut fork, early)), (Ok(before + 1), Ok(1)));
    assert_eq!((run(&mut w, all), run(&mut w, early)), (Ok(before), Err("42P01")));
}
