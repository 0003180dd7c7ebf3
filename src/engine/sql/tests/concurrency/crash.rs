//! Transfers between accounts by several sessions, a flush that ends anywhere, a crash: what is left is
//! what had been committed and flushed, whole transactions of it.

use std::collections::BTreeMap;

use base::random::Stream;
use engine_sql::{Lsn, SessionId};

use crate::lab::{At, Lab};

const BANK: &str = "
    CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
    CREATE TABLE transfers (id int PRIMARY KEY, source int NOT NULL REFERENCES accounts, target int NOT NULL REFERENCES accounts, amount int NOT NULL);
    INSERT INTO accounts VALUES (0, 100), (1, 100), (2, 100), (3, 100), (4, 100);";

/// A session, and what is left of its transfer.
#[derive(Clone, Debug)]
struct Client {
    session: SessionId,
    transfer: u32,
    rest: Vec<String>,
    waits: bool,
}

impl Client {
    fn next_transfer(&mut self, number: &mut u32, random: &mut Stream) {
        let (source, target) = (random.below(5), random.below(5));
        let amount = random.below(20);
        *number += 1;
        self.transfer = *number;
        let id = self.transfer;
        self.rest = [
            "BEGIN".to_owned(),
            format!("UPDATE accounts SET balance = balance - {amount} WHERE id = {source}"),
            format!("INSERT INTO transfers VALUES ({id}, {source}, {target}, {amount})"),
            format!("UPDATE accounts SET balance = balance + {amount} WHERE id = {target}"),
            if random.chance(1, 5) { "ROLLBACK" } else { "COMMIT" }.to_owned(),
        ]
        .into_iter()
        .rev()
        .collect();
    }
}

/// Runs for a while; for each commit record the position after it and the transfer.
fn run(lab: &mut Lab, clients: &mut [Client], number: &mut u32, random: &mut Stream, commits: &mut BTreeMap<Lsn, u32>) {
    for _ in 0..150 {
        let client = &mut clients[random.below(4) as usize];
        let at = if client.waits {
            lab.resume(client.session)
        } else {
            if client.rest.is_empty() {
                client.next_transfer(number, random);
            }
            let sql = client.rest.pop().expect("not empty");
            lab.run(client.session, &sql)
        };
        match at {
            At::Done(Ok(_)) => client.waits = false,
            At::Done(Err(_)) => {
                client.waits = false;
                client.rest = vec!["ROLLBACK".to_owned()];
            }
            At::Blocked(blocker) => {
                client.waits = true;
                // Every third look is late enough for a deadlock check.
                if random.chance(1, 3) {
                    lab.now = lab.now.max(blocker.deadline.unwrap_or(lab.now));
                }
            }
            At::Flush(lsn) => {
                client.waits = true;
                commits.insert(lsn, client.transfer);
                if random.chance(1, 2) {
                    lab.server.flushed(lsn);
                }
            }
        }
    }
}

fn check(lab: &Lab, commits: &BTreeMap<Lsn, u32>, flushed: Lsn, context: &str) {
    let mut expected: Vec<u32> = commits.range(..=flushed).map(|(_, transfer)| *transfer).collect();
    expected.sort_unstable();
    let expected: Vec<String> = expected.iter().map(u32::to_string).collect();
    assert_eq!(
        lab.read("SELECT id FROM transfers ORDER BY id"),
        expected.join(";"),
        "{context}"
    );
    let mut balances = [100_i64; 5];
    for row in lab
        .read("SELECT source, target, amount FROM transfers")
        .split(';')
        .filter(|row| !row.is_empty())
    {
        let numbers: Vec<i64> = row.split(',').map(|number| number.parse().expect("a number")).collect();
        balances[numbers[0] as usize] -= numbers[2];
        balances[numbers[1] as usize] += numbers[2];
    }
    let balances: Vec<String> = balances.iter().map(i64::to_string).collect();
    assert_eq!(
        lab.read("SELECT balance FROM accounts ORDER BY id"),
        balances.join(";"),
        "{context}"
    );
}

#[test]
fn what_was_committed_and_flushed_is_there_after_a_crash_and_nothing_else() {
    for seed in 0..25 {
        let mut random = Stream::new(seed, "crash", 0);
        let mut lab = Lab::new(BANK);
        lab.flushes = false;
        let mut commits = BTreeMap::new();
        let mut number = 0;
        // Crash, recover, go on: three times.
        for round in 0..3 {
            let mut clients: Vec<Client> = (0..4)
                .map(|_| Client {
                    session: lab.connect(),
                    transfer: 0,
                    rest: Vec::new(),
                    waits: false,
                })
                .collect();
            run(&mut lab, &mut clients, &mut number, &mut random, &mut commits);
            let (low, high) = (lab.server.flushed_position().0, lab.server.wal_position().0);
            // Every crash here is of a fork; the last one is gone on with.
            for _ in 0..10 {
                let flushed = Lsn(low + random.below(high - low + 1));
                let mut crashed = lab.clone();
                crashed.server.flushed(flushed);
                crashed.server.crash();
                assert!(crashed.server.connect("postgres", "postgres", crashed.now).is_err());
                crashed.server.recover();
                check(
                    &crashed,
                    &commits,
                    flushed,
                    &format!("seed {seed}, round {round}, flushed {flushed:?}"),
                );
            }
            lab.server.flushed(Lsn(low + (high - low) / 2));
            let flushed = lab.server.flushed_position();
            lab.server.crash();
            lab.server.recover();
            commits.retain(|lsn, _| *lsn <= flushed);
            check(&lab, &commits, flushed, &format!("seed {seed}, round {round}"));
        }
    }
}
