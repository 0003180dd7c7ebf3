//! Random schedules of serializable transactions: whatever commits has a serial order.
//!
//! The checker knows nothing of the engine but what clients see. From the order of commits it knows each key's
//! versions, and which of them each snapshot shows; a history is serializable if the graph of its dependencies
//! (written → read, read → overwritten, written → overwritten) has no circle.

use std::collections::{BTreeMap, BTreeSet};

use base::random::Stream;
use base::{Time, Value};
use engine_sql::SessionId;

use crate::lab::{At, Lab};

const KEYS: i64 = 6;

const TABLE: &str = "
    CREATE TABLE pairs (k int PRIMARY KEY, v int NOT NULL);
    INSERT INTO pairs VALUES (0, 0), (2, 0), (4, 0);";

/// The same, in partitions by what is written, so that rows go from one to another. No key keeps two rows of one `k`
/// apart: who inserts looks before.
const PARTS: &str = "
    CREATE TABLE pairs (k int NOT NULL, v int NOT NULL) PARTITION BY LIST ((v % 3));
    CREATE TABLE pairs_0 PARTITION OF pairs FOR VALUES IN (0);
    CREATE TABLE pairs_1 PARTITION OF pairs FOR VALUES IN (1);
    CREATE TABLE pairs_2 PARTITION OF pairs FOR VALUES IN (2);
    CREATE INDEX ON pairs (k);
    INSERT INTO pairs VALUES (0, 0), (2, 0), (4, 0);";

fn was_there(key: i64) -> bool {
    key < KEYS && key % 2 == 0
}

/// A transaction as its client sees it.
#[derive(Clone, Debug, Default)]
struct Transaction {
    /// Commits before its snapshot; one that waits for a safe snapshot may have taken it at several points.
    snapshots: Vec<usize>,
    /// For each key what the last read gave, unless it had written the key itself; `None`: no row.
    reads: BTreeMap<i64, Option<i64>>,
    /// What it leaves: its own number, or no row.
    writes: BTreeMap<i64, Option<i64>>,
}

impl Transaction {
    fn snapshot(&self) -> usize {
        self.snapshots.last().copied().unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Read { from: i64, to: i64, indexed: bool },
    Write(i64),
    Insert(i64),
    Delete(i64),
}

impl Step {
    fn random(read_only: bool, random: &mut Stream) -> Step {
        let key = random.below(KEYS as u64) as i64;
        let to = (key + random.below(3) as i64).min(KEYS - 1);
        match random.below(if read_only { 4 } else { 9 }) {
            0 => Step::Read {
                from: 0,
                to: KEYS - 1,
                indexed: false,
            },
            1 => Step::Read {
                from: key,
                to,
                indexed: true,
            },
            2 | 3 => Step::Read {
                from: key,
                to: key,
                indexed: true,
            },
            4..=6 => Step::Write(key),
            7 => Step::Insert(key),
            _ => Step::Delete(key),
        }
    }

    fn sql(self, number: i64, table: &str) -> String {
        match self {
            Step::Read { indexed: false, .. } => "SELECT k, v FROM pairs".to_owned(),
            Step::Read { from, to, .. } if from == to => format!("SELECT k, v FROM pairs WHERE k = {from}"),
            Step::Read { from, to, .. } => format!("SELECT k, v FROM pairs WHERE k >= {from} AND k <= {to}"),
            Step::Write(key) => format!("UPDATE pairs SET v = {number} WHERE k = {key}"),
            Step::Insert(key) if table == PARTS => format!(
                "INSERT INTO pairs SELECT {key}, {number} WHERE NOT EXISTS (SELECT 1 FROM pairs WHERE k = {key})"
            ),
            Step::Insert(key) => format!("INSERT INTO pairs VALUES ({key}, {number})"),
            Step::Delete(key) => format!("DELETE FROM pairs WHERE k = {key}"),
        }
    }
}

#[derive(Debug)]
struct Client {
    session: SessionId,
    number: i64,
    transaction: Transaction,
    step: Option<Step>,
    left: u64,
    read_only: bool,
    waits: Option<Option<Time>>,
    waits_for_safety: bool,
}

struct Run {
    lab: Lab,
    table: &'static str,
    /// What is prepared, by its number, and the session that ends it when nobody else can go on.
    prepared: BTreeMap<i64, Transaction>,
    keeper: SessionId,
    level: &'static str,
    commits: Vec<(i64, Transaction)>,
    next: i64,
    log: Vec<String>,
}

impl Run {
    fn advance(&mut self, client: &mut Client, random: &mut Stream) {
        if client.left == 0 && client.number == 0 {
            self.begin(client, random);
            return;
        }
        if client.left == 0 && random.chance(1, 4) {
            self.prepare(client);
            return;
        }
        if client.left == 0 {
            let at = self.lab.run(client.session, "COMMIT");
            self.log.push(format!("{}: COMMIT: {}", client.number, at.tag()));
            if at.tag() == "COMMIT" {
                self.commits
                    .push((client.number, std::mem::take(&mut client.transaction)));
            } else {
                assert!(at.tag().starts_with("40001"), "{}", at.tag());
            }
            client.number = 0;
            return;
        }
        client.left -= 1;
        let step = Step::random(client.read_only, random);
        client.step = Some(step);
        let sql = step.sql(client.number, self.table);
        if client.transaction.snapshots.is_empty() {
            client.transaction.snapshots.push(self.commits.len());
        }
        let at = self.lab.run(client.session, &sql);
        self.log.push(format!("{}: {sql}: {}", client.number, at.tag()));
        self.note(client, at);
    }

    /// The first half of a commit; the checks for a serial order are all made here.
    fn prepare(&mut self, client: &mut Client) {
        let sql = format!("PREPARE TRANSACTION '{}'", client.number);
        let at = self.lab.run(client.session, &sql);
        self.log.push(format!("{}: {sql}: {}", client.number, at.tag()));
        if at.tag() == "PREPARE TRANSACTION" {
            let transaction = std::mem::take(&mut client.transaction);
            self.prepared.insert(client.number, transaction);
        } else {
            assert!(at.tag().starts_with("40001"), "{}", at.tag());
        }
        client.number = 0;
    }

    /// Ends one of the prepared transactions, if there is one: whatever has happened meanwhile, it can commit.
    fn end_prepared(&mut self, random: &mut Stream) -> bool {
        let at = random.below(self.prepared.len().max(1) as u64) as usize;
        let Some(number) = self.prepared.keys().nth(at).copied() else {
            return false;
        };
        let commits = random.chance(3, 4);
        let sql = format!("{} PREPARED '{number}'", if commits { "COMMIT" } else { "ROLLBACK" });
        self.log.push(format!("{number}: {sql}"));
        self.lab.all(self.keeper, &[&sql]);
        let transaction = self.prepared.remove(&number).filter(|_| commits);
        self.commits
            .extend(transaction.map(|transaction| (number, transaction)));
        true
    }

    fn begin(&mut self, client: &mut Client, random: &mut Stream) {
        self.next += 1;
        client.number = self.next;
        client.left = 1 + random.below(3);
        client.read_only = random.chance(1, 5);
        client.transaction = Transaction::default();
        let access = match client.read_only {
            true if random.chance(1, 2) => " READ ONLY, DEFERRABLE",
            true => " READ ONLY",
            false => "",
        };
        let sql = format!("BEGIN ISOLATION LEVEL {}{access}", self.level);
        self.log.push(format!("{}: {sql}", client.number));
        self.lab.all(client.session, &[&sql]);
    }

    fn resume(&mut self, client: &mut Client) {
        if client.waits_for_safety {
            client.transaction.snapshots.push(self.commits.len());
        }
        let at = self.lab.resume(client.session);
        self.log.push(format!("{}: … {}", client.number, at.tag()));
        self.note(client, at);
    }

    fn note(&mut self, client: &mut Client, at: At) {
        (client.waits, client.waits_for_safety) = (None, false);
        match at {
            At::Blocked(blocker) => {
                client.waits_for_safety = blocker.what == "a safe snapshot";
                client.waits = Some(blocker.deadline);
            }
            At::Done(Ok(output)) => {
                let rows: BTreeMap<i64, i64> = output
                    .rows
                    .iter()
                    .map(|row| (integer(&row[0]), integer(&row[1])))
                    .collect();
                self.book(client, &rows, output.tag.rows == Some(0));
            }
            At::Done(Err(refusal)) => {
                assert!(["40001", "40P01", "23505"].contains(&refusal.sqlstate), "{refusal:?}");
                self.log.push(format!("{}: {}", client.number, refusal.message));
                self.lab.all(client.session, &["ROLLBACK"]);
                (client.number, client.left) = (0, 0);
            }
            At::Flush(_) => unreachable!("flushed at once"),
        }
    }

    /// Compares what a read gave with what its snapshot must show, and notes it.
    fn book(&self, client: &mut Client, rows: &BTreeMap<i64, i64>, nothing: bool) {
        let number = client.number;
        let transaction = &mut client.transaction;
        let mut read = |key: i64, found: Option<i64>| {
            if let Some(own) = transaction.writes.get(&key) {
                assert_eq!(found, *own, "its own key {key}\n{}", self.log.join("\n"));
                return;
            }
            let shows = |snapshot: &usize| self.version(key, *snapshot).1 == found;
            transaction.snapshots.retain(shows);
            assert!(
                !transaction.snapshots.is_empty(),
                "key {key}: {found:?}\n{}",
                self.log.join("\n")
            );
            transaction.reads.insert(key, found);
        };
        match client.step {
            Some(Step::Read { from, to, .. }) => (from..=to).for_each(|key| read(key, rows.get(&key).copied())),
            Some(Step::Write(key) | Step::Delete(key)) if nothing => read(key, None),
            // It has seen that there is a row.
            Some(Step::Insert(key)) if nothing => {
                let shows = |snapshot: &usize| self.version(key, *snapshot).1.is_some();
                match transaction.writes.get(&key) {
                    Some(own) => assert!(own.is_some(), "its own key {key}\n{}", self.log.join("\n")),
                    None => {
                        transaction.snapshots.retain(shows);
                        let snapshot = transaction.snapshots.last();
                        let snapshot = snapshot.unwrap_or_else(|| panic!("no key {key}\n{}", self.log.join("\n")));
                        let found = self.version(key, *snapshot).1;
                        transaction.reads.insert(key, found);
                    }
                }
            }
            Some(Step::Write(key)) => drop(transaction.writes.insert(key, Some(number))),
            Some(Step::Insert(key)) => drop(transaction.writes.insert(key, Some(number))),
            Some(Step::Delete(key)) => drop(transaction.writes.insert(key, None)),
            None => {}
        }
    }

    /// The version of a key after so many commits: who wrote it (0: it was there before all), and its value.
    fn version(&self, key: i64, commits: usize) -> (i64, Option<i64>) {
        let writers = self.commits[..commits].iter().rev();
        writers
            .filter_map(|(number, transaction)| transaction.writes.get(&key).map(|value| (*number, *value)))
            .next()
            .unwrap_or((0, was_there(key).then_some(0)))
    }

    /// A circle among the dependencies of what was committed.
    fn circle(&self) -> Option<Vec<i64>> {
        let mut edges: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for (number, transaction) in &self.commits {
            for key in transaction.reads.keys() {
                let snapshot = transaction.snapshot();
                edges.entry(self.version(*key, snapshot).0).or_default().insert(*number);
                let later = self.commits[snapshot..].iter();
                let next = later
                    .into_iter()
                    .find(|(other, later)| other != number && later.writes.contains_key(key));
                if let Some((writer, _)) = next {
                    edges.entry(*number).or_default().insert(*writer);
                }
            }
        }
        for key in 0..KEYS {
            let writers = self.commits.iter().filter(|(_, one)| one.writes.contains_key(&key));
            let writers: Vec<i64> = writers.map(|(number, _)| *number).collect();
            for pair in writers.windows(2) {
                edges.entry(pair[0]).or_default().insert(pair[1]);
            }
        }
        // What nothing leads to is in no circle.
        loop {
            let targets: BTreeSet<i64> = edges.values().flatten().copied().collect();
            let before = edges.len();
            edges.retain(|from, _| targets.contains(from));
            if edges.is_empty() {
                return None;
            }
            if edges.len() == before {
                return Some(edges.keys().copied().collect());
            }
        }
    }
}

fn integer(value: &Value) -> i64 {
    value.as_i64().expect("an integer")
}

fn run(seed: u64, level: &'static str, table: &'static str) -> Run {
    let mut random = Stream::new(seed, "serializable", 0);
    let mut lab = Lab::new(table);
    let keeper = lab.connect();
    let mut run = Run {
        lab,
        table,
        prepared: BTreeMap::new(),
        keeper,
        level,
        commits: Vec::new(),
        next: 0,
        log: Vec::new(),
    };
    let mut clients: Vec<Client> = (0..4)
        .map(|_| Client {
            session: run.lab.connect(),
            number: 0,
            transaction: Transaction::default(),
            step: None,
            left: 0,
            read_only: false,
            waits: None,
            waits_for_safety: false,
        })
        .collect();
    for _ in 0..120 {
        for session in run.lab.woken() {
            let waiting = clients
                .iter_mut()
                .find(|client| client.session == session && client.waits.is_some());
            if let Some(client) = waiting {
                run.resume(client);
            }
        }
        if random.chance(1, 8) && run.end_prepared(&mut random) {
            continue;
        }
        let mut free: Vec<&mut Client> = clients.iter_mut().filter(|client| client.waits.is_none()).collect();
        if !free.is_empty() {
            let chosen = random.below(free.len() as u64) as usize;
            run.advance(free[chosen], &mut random);
            continue;
        }
        if run.end_prepared(&mut random) {
            continue;
        }
        let deadline = clients.iter().filter_map(|client| client.waits?).min();
        run.lab.now = deadline.expect("somebody looks for a deadlock");
        for client in &mut clients {
            run.resume(client);
        }
    }
    run
}

#[test]
fn what_commits_has_a_serial_order() {
    for (table, seeds) in [(TABLE, 0..400), (PARTS, 0..200)] {
        let mut prepared = 0;
        for seed in seeds {
            let run = run(seed, "SERIALIZABLE", table);
            let circle = run.circle();
            assert_eq!(circle, None, "seed {seed}:\n{}", run.log.join("\n"));
            assert!(run.commits.len() > 6, "seed {seed}: hardly anything commits");
            let ends = run.log.iter().filter(|line| line.contains("COMMIT PREPARED"));
            prepared += ends.count();
        }
        assert!(prepared > 200, "hardly anything is prepared");
    }
}

/// The checker is worth something: with snapshots alone it finds circles.
#[test]
fn snapshots_alone_do_not_give_one() {
    let circles = (0..100).filter(|seed| run(*seed, "REPEATABLE READ", TABLE).circle().is_some());
    assert!(circles.count() > 5);
}

#[test]
fn an_equal_schedule_gives_an_equal_state_and_a_fork_goes_its_own_way() {
    let state = |seed| run(seed, "SERIALIZABLE", TABLE).lab.server.fingerprint();
    assert_eq!(state(7), state(7));
    let mut lab = Lab::new(TABLE);
    let (first, second) = (lab.connect(), lab.connect());
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    lab.all(
        first,
        &[
            begin,
            "SELECT v FROM pairs WHERE k = 0",
            "UPDATE pairs SET v = 1 WHERE k = 2",
        ],
    );
    lab.all(second, &[begin, "SELECT v FROM pairs WHERE k = 2"]);
    let mut fork = lab.clone();
    lab.all(second, &["UPDATE pairs SET v = 2 WHERE k = 0", "COMMIT"]);
    assert!(lab.run(first, "COMMIT").tag().starts_with("40001"));
    fork.all(second, &["COMMIT"]);
    fork.all(first, &["COMMIT"]);
}

#[test]
fn a_crash_forgets_who_read_what() {
    let mut lab = Lab::new(TABLE);
    let reader = lab.connect();
    lab.all(reader, &["BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT * FROM pairs"]);
    lab.server.crash();
    lab.server.recover();
    let empty = lab.server.fingerprint();
    let writer = lab.connect();
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    lab.all(writer, &[begin, "INSERT INTO pairs VALUES (9, 9)", "COMMIT"]);
    assert_ne!(lab.server.fingerprint(), empty);
    assert_eq!(lab.read("SELECT count(*) FROM pairs"), "4");
}

/// More committed transactions than are kept whole while an old one runs: what they read and wrote still counts.
#[test]
fn summarised_transactions_still_conflict() {
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    for others in [0, 1_500] {
        let mut lab = Lab::new(TABLE);
        let (old, early, later) = (lab.connect(), lab.connect(), lab.connect());
        lab.all(old, &[begin, "SELECT v FROM pairs WHERE k = 4"]);
        let write = "UPDATE pairs SET v = 1 WHERE k = 0";
        lab.all(early, &[begin, "SELECT v FROM pairs WHERE k = 2", write, "COMMIT"]);
        for n in 0..others {
            let insert = format!("INSERT INTO pairs VALUES ({}, 0)", 100 + n);
            lab.all(later, &[begin, &insert, "COMMIT"]);
        }
        lab.all(old, &["SELECT v FROM pairs WHERE k = 0"]);
        let at = lab.run(old, "UPDATE pairs SET v = 2 WHERE k = 2");
        assert!(at.tag().starts_with("40001"), "after {others} others: {}", at.tag());
        lab.all(old, &["ROLLBACK", begin, write, "COMMIT"]);
    }
}
