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

struct Client {
    session: SessionId,
    in_transaction: bool,
    /// Increments that its transaction has made.
    pending: i64,
    waits: Option<Option<Time>>,
    increments: i64,
}

fn statement(client: &mut Client, random: &mut Stream) -> String {
    client.increments = 0;
    let row = random.below(4);
    match random.below(12) {
        _ if !client.in_transaction => if random.chance(1, 4) {
            "BEGIN ISOLATION LEVEL REPEATABLE READ"
        } else {
            "BEGIN"
        }
        .to_owned(),
        0..=3 => {
            client.increments = 1;
            format!("UPDATE counters SET n = n + 1 WHERE id = {row}")
        }
        4 => {
            client.increments = 2;
            format!("UPDATE counters SET n = n + 1 WHERE grp = {}", row / 2)
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
fn note(client: &mut Client, at: &At, total: &mut i64) {
    client.waits = None;
    match at {
        At::Blocked(blocker) => {
            assert!(!blocker.holders.is_empty(), "waits for nobody: {}", blocker.what);
            client.waits = Some(blocker.deadline);
        }
        At::Done(Ok(output)) => match output.tag.verb {
            "BEGIN" => client.in_transaction = true,
            "COMMIT" | "ROLLBACK" => {
                client.in_transaction = false;
                *total += if output.tag.verb == "COMMIT" { client.pending } else { 0 };
                client.pending = 0;
            }
            "UPDATE" if client.increments > 0 => {
                assert_eq!(output.tag.rows, Some(client.increments as u64));
                client.pending += client.increments;
            }
            _ => {}
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
        let mut random = Stream::new(seed, "schedules", 0);
        let mut lab = Lab::new(ROWS);
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
                        increments: 0,
                    },
                )
            })
            .collect();
        let ids: Vec<SessionId> = clients.keys().copied().collect();
        let mut total = 0;
        for step in 0..400 {
            let ends = step >= 300;
            // Those who were woken go on; only they may.
            let woken = lab.woken();
            for session in woken {
                let client = clients.get_mut(&session).expect("known");
                if client.waits.is_some() {
                    let at = lab.resume(session);
                    note(client, &at, &mut total);
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
                    "COMMIT".to_owned()
                } else {
                    statement(client, &mut random)
                };
                let at = lab.run(session, &sql);
                note(client, &at, &mut total);
                continue;
            }
            // All wait: time passes until one of them looks for a deadlock.
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
                    note(client, &at, &mut total);
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
        assert_eq!(
            lab.read("SELECT sum(n) FROM counters"),
            total.to_string(),
            "seed {seed}"
        );
    }
}
