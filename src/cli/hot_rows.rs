//! A benchmark: many sessions that all want the same few rows, and so stand in queues for their locks.
//!
//! Each transaction updates two rows, in whatever order; popular ones are wanted most (Zipf). Some of them deadlock, and the
//! check that finds it is part of the work. Virtual time goes on with each statement.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use base::random::Stream;
use base::{Nanos, Row, Time, Value};
use engine_sql::{Progress, Server, ServerConfig, SessionId, SqlError, StatementId};

const SESSIONS: usize = 1_000;
const ROWS: i32 = 100;
/// Transactions that end in a round, one way or the other.
const TRANSACTIONS: u64 = 20_000;
/// Of virtual time, for each statement.
const STATEMENT: Nanos = Nanos::from_micros(100);

/// What a round came to.
pub(crate) struct Contention {
    pub(crate) statements: u64,
    /// A session that waited was told to go on.
    pub(crate) wake_ups: u64,
    pub(crate) deadlocks: u64,
    pub(crate) seconds: f64,
}

pub(crate) fn contention() -> Result<Contention, String> {
    let mut rows = HotRows::new().map_err(|error| error.message)?;
    let start = Instant::now();
    while rows.ended < TRANSACTIONS {
        let Some(place) = rows.next() else {
            return Err("all sessions wait, and none for a time".to_owned());
        };
        rows.go_on(place).map_err(|error| error.message)?;
    }
    Ok(Contention {
        statements: rows.statements,
        wake_ups: rows.wake_ups,
        deadlocks: rows.deadlocks,
        seconds: start.elapsed().as_secs_f64(),
    })
}

struct HotRows {
    server: Server,
    now: Time,
    clients: Vec<Client>,
    by_session: BTreeMap<SessionId, usize>,
    /// Those that can go on.
    ready: VecDeque<usize>,
    /// When those that wait want to look for a deadlock.
    timers: BTreeSet<(Time, usize)>,
    begin: StatementId,
    update: StatementId,
    commit: StatementId,
    rollback: StatementId,
    random: Stream,
    /// Running sums of the rows' popularity.
    popularity: Vec<u64>,
    statements: u64,
    wake_ups: u64,
    deadlocks: u64,
    ended: u64,
}

struct Client {
    session: SessionId,
    /// The statement of its transaction that comes next, or runs.
    step: Step,
    running: bool,
    timer: Option<Time>,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Begin,
    First,
    Second,
    Commit,
    Rollback,
}

impl HotRows {
    fn new() -> Result<HotRows, SqlError> {
        let mut server = Server::new(ServerConfig::default());
        server.create_database("bench")?;
        server.run_script("bench", "CREATE TABLE hot (id int PRIMARY KEY, n int NOT NULL)")?;
        let row = |id: i32| -> Row { [Value::Int4(id), Value::Int4(0)].into() };
        server.load("bench", "hot", &mut (0..ROWS).map(row))?;
        let mut clients = Vec::new();
        for _ in 0..SESSIONS {
            clients.push(Client {
                session: server.connect("bench", "postgres", Time::ZERO)?,
                step: Step::Begin,
                running: false,
                timer: None,
            });
        }
        let mut prepare = |sql| server.prepare(clients[0].session, sql);
        Ok(HotRows {
            begin: prepare("BEGIN")?,
            update: prepare("UPDATE hot SET n = n + 1 WHERE id = $1")?,
            commit: prepare("COMMIT")?,
            rollback: prepare("ROLLBACK")?,
            server,
            now: Time::ZERO,
            by_session: clients
                .iter()
                .enumerate()
                .map(|(place, client)| (client.session, place))
                .collect(),
            clients,
            ready: (0..SESSIONS).collect(),
            timers: BTreeSet::new(),
            random: Stream::new(7, "hot rows", 0),
            popularity: base::math::zipf_cumulative(ROWS as usize, 1.0),
            statements: 0,
            wake_ups: 0,
            deadlocks: 0,
            ended: 0,
        })
    }

    /// Who goes on: a timer that is due, else the first that can, else whoever waits for the earliest timer.
    fn next(&mut self) -> Option<usize> {
        let due = self.timers.first().copied();
        match due {
            Some((at, place)) if at <= self.now || self.ready.is_empty() => {
                self.timers.pop_first();
                self.clients[place].timer = None;
                self.now = self.now.max(at);
                Some(place)
            }
            _ => self.ready.pop_front(),
        }
    }

    fn go_on(&mut self, place: usize) -> Result<(), SqlError> {
        let client = &mut self.clients[place];
        if let Some(timer) = client.timer.take() {
            self.timers.remove(&(timer, place));
        }
        if !client.running {
            let popular = |random: &mut Stream, sums: &[u64]| {
                let ticket = random.below(sums.last().copied().unwrap_or(1));
                sums.partition_point(|sum| *sum <= ticket) as i32
            };
            let (statement, parameters) = match client.step {
                Step::Begin => (self.begin, vec![]),
                Step::First | Step::Second => {
                    let row = popular(&mut self.random, &self.popularity);
                    (self.update, vec![Value::Int4(row)])
                }
                Step::Commit => (self.commit, vec![]),
                Step::Rollback => (self.rollback, vec![]),
            };
            self.server.start(client.session, statement, &parameters, self.now);
            client.running = true;
        }
        self.resume(place)?;
        let mut woken = Vec::new();
        self.server.drain_woken(&mut woken);
        self.wake_ups += woken.len() as u64;
        self.ready
            .extend(woken.iter().filter_map(|session| self.by_session.get(session)));
        Ok(())
    }

    fn resume(&mut self, place: usize) -> Result<(), SqlError> {
        let client = &mut self.clients[place];
        loop {
            let mut fuel = u64::MAX;
            match self.server.resume(client.session, self.now, &mut fuel) {
                Progress::Done(result) => {
                    client.running = false;
                    self.statements += 1;
                    self.now += STATEMENT;
                    let ends = matches!(client.step, Step::Commit | Step::Rollback);
                    self.ended += u64::from(ends);
                    client.step = match (result, client.step) {
                        (Ok(_), Step::Begin) => Step::First,
                        (Ok(_), Step::First) => Step::Second,
                        (Ok(_), Step::Second) => Step::Commit,
                        (Ok(_), Step::Commit | Step::Rollback) => Step::Begin,
                        (Err(error), _) if error.sqlstate == "40P01" => {
                            self.deadlocks += 1;
                            Step::Rollback
                        }
                        (Err(error), _) => return Err(error),
                    };
                    self.ready.push_back(place);
                    return Ok(());
                }
                Progress::Flush(lsn) => self.server.flushed(lsn),
                Progress::Blocked(blocker) => {
                    client.timer = blocker.deadline;
                    self.timers.extend(blocker.deadline.map(|deadline| (deadline, place)));
                    return Ok(());
                }
                Progress::OutOfFuel => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    /// Work is counted; time is not looked at.
    #[test]
    fn sessions_wait_in_queues_and_deadlocks_are_found() {
        let found = super::contention().expect("every transaction ends");
        assert!(found.statements > super::TRANSACTIONS, "{}", found.statements);
        assert!(
            found.wake_ups > 0 && found.deadlocks > 0,
            "{} {}",
            found.wake_ups,
            found.deadlocks
        );
    }
}
