//! Random schedules of many sessions on few rows: nobody waits for nobody, nobody is forgotten, nothing is lost.

use std::collections::BTreeMap;

use base::Time;
use base::random::Stream;
use engine_sql::SessionId;

use crate::lab::{At, Lab};

const ROWS: &str = "
    CREATE TABLE groups (id int PRIMARY KEY, label text);
    CREATE TABLE counters (id int PRIMARY KEY, grp int REFERENCES groups, n int NOT NULL);
    INSERT INTO groups VALUES (0, 'a'), (1, 'b');
    INSERT INTO counters VALUES (0, 0, 0), (1, 0, 0), (2, 1, 0), (3, 1, 0);";

/// The same, in partitions between which rows go.
const PARTS: &str = "
    CREATE TABLE groups (id int PRIMARY KEY, label text);
    CREATE TABLE counters (id int, grp int REFERENCES groups, n int NOT NULL, PRIMARY KEY (id, grp)) PARTITION BY LIST (grp);
    CREATE TABLE counters_0 PARTITION OF counters FOR VALUES IN (0);
    CREATE TABLE counters_1 PARTITION OF counters FOR VALUES IN (1);
    INSERT INTO groups VALUES (0, 'a'), (1, 'b');
    INSERT INTO counters VALUES (0, 0, 0), (1, 0, 0), (2, 1, 0), (3, 1, 0);";

struct Client {
    session: SessionId,
    in_transaction: bool,
    /// Increments that its transaction has made.
    pending: i64,
    waits: Option<Option<Time>>,
    /// What its statement does.
    does: Does,
}

#[derive(Clone, Debug, PartialEq)]
enum Does {
    /// Raises so many rows, if that is known.
    Raise(Option<u64>),
    Prepare(String),
    /// Ends a prepared transaction, which commits so many increments.
    EndPrepared(i64),
    Other,
}

/// Increments committed, and those of prepared transactions.
#[derive(Default)]
struct Books {
    total: i64,
    prepared: BTreeMap<String, i64>,
    numbered: u32,
}

impl Books {
    /// The end of one of the prepared transactions, and how many increments it commits; it is nobody else's henceforth.
    fn end_prepared(&mut self, random: &mut Stream) -> Option<(String, i64)> {
        let at = random.below(self.prepared.len().max(1) as u64) as usize;
        let id = self.prepared.keys().nth(at)?.clone();
        let increments = self.prepared.remove(&id)?;
        Some(match random.chance(2, 3) {
            true => (format!("COMMIT PREPARED '{id}'"), increments),
            false => (format!("ROLLBACK PREPARED '{id}'"), 0),
        })
    }
}

fn statement(client: &mut Client, parts: bool, books: &mut Books, random: &mut Stream) -> String {
    client.does = Does::Other;
    let row = random.below(4);
    if !client.in_transaction
        && random.chance(1, 3)
        && let Some((sql, commits)) = books.end_prepared(random)
    {
        client.does = Does::EndPrepared(commits);
        return sql;
    }
    match random.below(14) {
        _ if !client.in_transaction => if random.chance(1, 4) {
            "BEGIN ISOLATION LEVEL REPEATABLE READ"
        } else {
            "BEGIN"
        }
        .to_owned(),
        0..=3 => {
            client.does = Does::Raise(Some(1));
            format!("UPDATE counters SET n = n + 1 WHERE id = {row}")
        }
        4 => {
            client.does = Does::Raise((!parts).then_some(2));
            format!("UPDATE counters SET n = n + 1 WHERE grp = {}", row / 2)
        }
        11 if parts => {
            client.does = Does::Raise(Some(1));
            format!("UPDATE counters SET n = n + 1, grp = 1 - grp WHERE id = {row}")
        }
        12 => {
            books.numbered += 1;
            let id = format!("p{}", books.numbered);
            client.does = Does::Prepare(id.clone());
            format!("PREPARE TRANSACTION '{id}'")
        }
        5 => format!("SELECT n FROM counters WHERE id = {row} FOR UPDATE"),
        6 => format!("SELECT n FROM counters WHERE id = {row} FOR SHARE"),
        7 => format!("SELECT label FROM groups WHERE id = {} FOR KEY SHARE", row / 2),
        8 => format!("UPDATE groups SET label = 'x{row}' WHERE id = {}", row / 2),
        9 => "SELECT sum(n) FROM counters".to_owned(),
        10 => "ROLLBACK".to_owned(),
        _ => "COMMIT".to_owned(),
    }
}

/// What became of a statement: the client's books.
fn note(client: &mut Client, at: &At, books: &mut Books) {
    client.waits = None;
    match at {
        At::Blocked(blocker) => {
            // Who has prepared is no session any more.
            let somebody = !blocker.holders.is_empty() || !books.prepared.is_empty();
            assert!(somebody, "waits for nobody: {}", blocker.what);
            client.waits = Some(blocker.deadline);
        }
        At::Done(Ok(output)) => match output.tag.verb {
            "BEGIN" => client.in_transaction = true,
            "COMMIT" | "ROLLBACK" => {
                client.in_transaction = false;
                books.total += if output.tag.verb == "COMMIT" { client.pending } else { 0 };
                client.pending = 0;
            }
            verb => match client.does.clone() {
                Does::Raise(expected) => {
                    let raised = output.tag.rows.unwrap_or_default();
                    assert_eq!(raised, expected.unwrap_or(raised));
                    client.pending += raised as i64;
                }
                Does::Prepare(id) => {
                    assert_eq!(verb, "PREPARE TRANSACTION");
                    client.in_transaction = false;
                    books.prepared.insert(id, std::mem::take(&mut client.pending));
                }
                Does::EndPrepared(commits) => books.total += commits,
                Does::Other => {}
            },
        },
        At::Done(Err(refusal)) => {
            assert!(["40P01", "40001", "25P02"].contains(&refusal.sqlstate), "{refusal:?}");
            // The transaction has failed; its COMMIT will be a ROLLBACK.
        }
        At::Flush(_) => unreachable!("flushed at once"),
    }
}

#[test]
fn nobody_is_forgotten_and_no_increment_is_lost() {
    for seed in 0..60 {
        play(seed, ROWS, false);
        play(seed, PARTS, true);
    }
}

fn play(seed: u64, script: &str, parts: bool) {
    let mut random = Stream::new(seed, "schedules", 0);
    let mut lab = Lab::new(script);
    let mut clients: BTreeMap<SessionId, Client> = (0..5)
        .map(|_| {
            let session = lab.connect();
            (
                session,
                Client {
                    session,
                    in_transaction: false,
                    pending: 0,
                    waits: None,
                    does: Does::Other,
                },
            )
        })
        .collect();
    let ids: Vec<SessionId> = clients.keys().copied().collect();
    let mut books = Books::default();
    let keeper = lab.connect();
    for step in 0..400 {
        let ends = step >= 300;
        // Those who were woken go on; only they may.
        let woken = lab.woken();
        for session in woken {
            let client = clients.get_mut(&session).expect("known");
            if client.waits.is_some() {
                let at = lab.resume(session);
                note(client, &at, &mut books);
            }
        }
        let free: Vec<SessionId> = ids
            .iter()
            .copied()
            .filter(|id| clients[id].waits.is_none() && (!ends || clients[id].in_transaction))
            .collect();
        if let Some(&session) = free.get(random.below(free.len() as u64) as usize) {
            let client = clients.get_mut(&session).expect("known");
            let sql = if ends {
                client.does = Does::Other;
                "COMMIT".to_owned()
            } else {
                statement(client, parts, &mut books, &mut random)
            };
            let at = lab.run(session, &sql);
            note(client, &at, &mut books);
            continue;
        }
        // All wait, perhaps for those who have prepared and gone.
        if let Some((sql, commits)) = books.end_prepared(&mut random) {
            lab.all(keeper, &[&sql]);
            books.total += commits;
            continue;
        }
        // Time passes until one of them looks for a deadlock.
        let Some(deadline) = clients.values().filter_map(|client| client.waits?).min() else {
            continue;
        };
        lab.now = lab.now.max(deadline);
        for (&session, client) in &mut clients {
            if client
                .waits
                .is_some_and(|until| until.is_some_and(|until| until <= lab.now))
            {
                let at = lab.resume(session);
                note(client, &at, &mut books);
            }
        }
    }
    for client in clients.values() {
        assert!(
            client.waits.is_none(),
            "seed {seed}: session {:?} has been forgotten",
            client.session
        );
        assert!(!client.in_transaction, "seed {seed}: session {:?}", client.session);
    }
    assert_eq!(lab.read("SELECT count(*) FROM counters"), "4", "seed {seed}");
    assert_eq!(
        lab.read("SELECT sum(n) FROM counters"),
        books.total.to_string(),
        "seed {seed}"
    );
}
