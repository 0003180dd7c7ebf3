//! `adr-lab bench`: how fast the machinery itself is, each figure beside a known program in the same run.
//!
//! Rounds of ours and of the companion's alternate, and the median is printed: the machine's speed drifts, the ratio
//! holds. A companion is a script of `tests/bench/` that prints JSON; without it only our figure is shown.

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use base::{Nanos, Row, Time, Value};
use engine_sql::{Server, ServerConfig, SessionId, StatementId};
use experiment::schedule::{InterleavingsJob, Orders};
use experiment::{Job, Progress, library};
use report::document::{self, Block, Table};
use sim::queueing::Queue;

use crate::hot_rows::contention;

const ROUNDS: usize = 5;

/// Rows of the benchmark's table.
const ROWS: i32 = 10_000;

/// Operations in a round.
const OPERATIONS: u32 = 200_000;

/// Forks in a round.
const FORKS: u32 = 20_000;

/// Requests of the run that the interpreter is timed by.
const REQUESTS: u64 = 10_000;

/// Customers of the M/M/1 queue.
const CUSTOMERS: u64 = 500_000;

type Result<T> = std::result::Result<T, String>;

/// `sqljs`, `simpy`: commands that print `{"name": figure, …}`; empty: no companion.
pub(crate) fn run(sqljs: Option<&str>, simpy: Option<&str>, json: bool) -> Result<ExitCode> {
    let mut figures = Figures::default();
    for _ in 0..ROUNDS {
        let mut engine = Engine::new()?;
        figures.add(
            "point read by key, prepared",
            "ns",
            engine.time("SELECT name FROM t WHERE id = $1", 1)?,
        );
        figures.add(
            "update by key, own transaction",
            "ns",
            engine.time("UPDATE t SET n = n + 1 WHERE id = $1", 1)?,
        );
        figures.companions(sqljs, &[("point_read_ns", 0), ("update_ns", 1)])?;
        let start = Instant::now();
        let queue = Queue {
            servers: 1,
            gap_mean: Nanos::from_micros(1_000),
            service_mean: Nanos::from_micros(700),
        };
        let events = queue.run(7, 0, CUSTOMERS).events;
        let seconds = start.elapsed().as_secs_f64();
        figures.add("M/M/1, events of the scheduler", "events/s", events as f64 / seconds);
        figures.add("M/M/1, customers", "customers/s", CUSTOMERS as f64 / seconds);
        figures.companions(simpy, &[("events_per_second", 2), ("customers_per_second", 3)])?;
        figures.add("interpreter steps", "steps/s", interpreter_steps_per_second()?);
        figures.add("interleavings of 3 × 4 steps", "schedules/s", schedules_per_second()?);
        let engine = Engine::new()?;
        figures.add(
            "forks of a server of 10,000 rows",
            "forks/s",
            engine.forks_per_second(false)?,
        );
        figures.add(
            "the same, each with an update",
            "forks/s",
            engine.forks_per_second(true)?,
        );
        let contention = contention()?;
        let per_second = |number: u64| number as f64 / contention.seconds;
        figures.add(
            "1,000 sessions on 100 rows, statements",
            "statements/s",
            per_second(contention.statements),
        );
        figures.add(
            "1,000 sessions on 100 rows, wake-ups",
            "wake-ups/s",
            per_second(contention.wake_ups),
        );
        figures.add(
            "1,000 sessions on 100 rows, deadlocks",
            "deadlocks/s",
            per_second(contention.deadlocks),
        );
    }
    if json {
        println!("{}", figures.json());
    } else {
        print!("{}", document::terminal(&[Block::Table(figures.table())]));
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Default)]
struct Figures(Vec<Figure>);

struct Figure {
    name: &'static str,
    unit: &'static str,
    ours: Vec<f64>,
    companion: Vec<f64>,
}

impl Figures {
    fn add(&mut self, name: &'static str, unit: &'static str, value: f64) {
        match self.0.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.ours.push(value),
            None => self.0.push(Figure {
                name,
                unit,
                ours: vec![value],
                companion: Vec::new(),
            }),
        }
    }

    /// Runs a companion and takes the named numbers of its JSON as partners of these figures.
    fn companions(&mut self, command: Option<&str>, names: &[(&str, usize)]) -> Result<()> {
        let Some(command) = command else { return Ok(()) };
        let mut words = command.split_whitespace();
        let program = words.next().ok_or("a companion is a command, not an empty text")?;
        let output = Command::new(program)
            .args(words)
            .output()
            .map_err(|error| format!("{command}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let json: serde_json::Value =
            serde_json::from_str(text.trim()).map_err(|error| format!("{command}: prints no JSON: {error}"))?;
        for (name, index) in names {
            let value = json.get(name).and_then(serde_json::Value::as_f64);
            let value = value.ok_or_else(|| format!("{command}: its JSON has no number \"{name}\""))?;
            self.0[*index].companion.push(value);
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            "figure",
            "unit",
            "median",
            "lowest",
            "highest",
            "companion",
            "times faster",
        ])
        .numbers(2..7);
        for figure in &self.0 {
            let (low, middle, high) = spread(&figure.ours);
            let beside = (!figure.companion.is_empty()).then(|| spread(&figure.companion).1);
            // Where less is better (a time per operation) and where more is (a rate).
            let faster = beside.map(|beside| {
                if figure.unit == "ns" {
                    beside / middle
                } else {
                    middle / beside
                }
            });
            let number = |value: Option<f64>, decimals: usize| {
                value.map_or("–".to_owned(), |value| format!("{value:.decimals$}"))
            };
            table.row([
                figure.name.to_owned(),
                figure.unit.to_owned(),
                format!("{middle:.0}"),
                format!("{low:.0}"),
                format!("{high:.0}"),
                number(beside, 0),
                number(faster, 1),
            ]);
        }
        table
    }

    fn json(&self) -> serde_json::Value {
        let figure = |figure: &Figure| {
            serde_json::json!({
                "name": figure.name, "unit": figure.unit, "ours": figure.ours, "companion": figure.companion,
            })
        };
        self.0.iter().map(figure).collect()
    }
}

/// Lowest, median, highest.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}

/// One server with one table and one session.
#[derive(Clone)]
struct Engine {
    server: Server,
    session: SessionId,
}

impl Engine {
    fn new() -> Result<Engine> {
        let mut server = Server::new(ServerConfig::default());
        let said = |error: engine_sql::SqlError| error.message;
        server.create_database("bench").map_err(said)?;
        let session = server.connect("bench", "postgres", Time::ZERO).map_err(said)?;
        let mut engine = Engine { server, session };
        let table = engine.prepare("CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, n int NOT NULL)")?;
        engine.execute(table, &[])?;
        let row = |id: i32| -> Row { [Value::Int4(id), Value::text(format!("name {id}")), Value::Int4(0)].into() };
        engine
            .server
            .load("bench", "t", &mut (0..ROWS).map(row))
            .map_err(said)?;
        engine.server.checkpoint();
        Ok(engine)
    }

    fn prepare(&mut self, sql: &str) -> Result<StatementId> {
        self.server.prepare(self.session, sql).map_err(|error| error.message)
    }

    /// Runs a statement to its end; a commit counts as flushed at once.
    fn execute(&mut self, statement: StatementId, parameters: &[Value]) -> Result<u64> {
        self.server.start(self.session, statement, parameters, Time::ZERO);
        loop {
            let mut fuel = u64::MAX;
            match self.server.resume(self.session, Time::ZERO, &mut fuel) {
                engine_sql::Progress::Done(Ok(output)) => return Ok(output.tag.rows.unwrap_or(0)),
                engine_sql::Progress::Done(Err(error)) => return Err(error.message),
                engine_sql::Progress::Flush(lsn) => self.server.flushed(lsn),
                engine_sql::Progress::Blocked(blocker) => return Err(format!("waits for {}", blocker.what)),
                engine_sql::Progress::OutOfFuel => {}
            }
        }
    }

    /// Of the whole server; `writes`: and then a row of the fork is updated, so that what it shares is copied.
    fn forks_per_second(&self, writes: bool) -> Result<f64> {
        let mut prepared = self.clone();
        let statement = prepared.prepare("UPDATE t SET n = n + 1 WHERE id = $1")?;
        let mut keys = base::random::Stream::new(7, "bench", 0);
        let start = Instant::now();
        for _ in 0..FORKS {
            let mut fork = prepared.clone();
            if writes {
                fork.execute(statement, &[Value::Int4(keys.below(ROWS as u64) as i32)])?;
            }
            std::hint::black_box(&fork);
        }
        Ok(f64::from(FORKS) / start.elapsed().as_secs_f64())
    }

    /// Nanoseconds per execution with a random key each; every one must touch `rows` rows.
    fn time(&mut self, sql: &str, rows: u64) -> Result<f64> {
        let statement = self.prepare(sql)?;
        let mut keys = base::random::Stream::new(7, "bench", 0);
        let start = Instant::now();
        for _ in 0..OPERATIONS {
            let key = Value::Int4(keys.below(ROWS as u64) as i32);
            let touched = self.execute(statement, &[key])?;
            if touched != rows {
                return Err(format!("{sql}: touched {touched} rows, not {rows}"));
            }
        }
        Ok(start.elapsed().as_nanos() as f64 / f64::from(OPERATIONS))
    }
}

/// Three transactions of four steps: 34,650 interleavings, each run and compared with the serial orders.
const TRANSACTIONS: &str = "
setup { CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); INSERT INTO t VALUES (1, 0), (2, 0), (3, 0); }
session s1
setup { BEGIN; }
step r1 { SELECT * FROM t WHERE id = 1; }
step w1 { UPDATE t SET n = n + 1 WHERE id = 1; }
step x1 { SELECT * FROM t WHERE id = 2; }
step c1 { COMMIT; }
session s2
setup { BEGIN; }
step r2 { SELECT * FROM t WHERE id = 2; }
step w2 { UPDATE t SET n = n + 10 WHERE id = 2; }
step x2 { SELECT * FROM t WHERE id = 3; }
step c2 { COMMIT; }
session s3
setup { BEGIN; }
step r3 { SELECT * FROM t WHERE id = 3; }
step w3 { UPDATE t SET n = n + 100 WHERE id = 3; }
step x3 { SELECT * FROM t WHERE id = 1; }
step c3 { COMMIT; }
";

fn schedules_per_second() -> Result<f64> {
    let complaints = |found: Vec<_>| format!("the interleavings: {found:?}");
    let start = Instant::now();
    let mut job = InterleavingsJob::new(TRANSACTIONS, Orders::All, None).map_err(complaints)?;
    loop {
        match job.step(u64::MAX) {
            Progress::Running { .. } => {}
            Progress::Finished(found) => return Ok(found.counts.schedules as f64 / start.elapsed().as_secs_f64()),
            Progress::Failed(found) => return Err(complaints(found)),
        }
    }
}

/// Steps of programs that the simulator interprets a second: the first built-in scenario on the first design. One
/// run counts them, another one is timed.
fn interpreter_steps_per_second() -> Result<f64> {
    let scenario = library::SCENARIOS.first().ok_or("no scenario is built in")?;
    let compiled = experiment::compile(scenario.text, &experiment::Choice::default());
    let compiled = compiled.map_err(|found| format!("{}: {} diagnostics", scenario.slug, found.len()))?;
    let compilation = Arc::new(compiled.into_iter().next().ok_or("there is no design")?);
    let profile = library::profile(library::DEFAULT_PROFILE).ok_or("there is no default profile")?;
    let simulation = |record: sim::Record| {
        let options = sim::Options {
            requests: REQUESTS,
            record,
            checks: sim::Checks::Never,
            ..sim::Options::of(&compilation)
        };
        let simulation = sim::Simulation::new(Arc::clone(&compilation), &profile, Vec::new(), options);
        simulation.map_err(|error| error.to_string())
    };
    let mut counted = simulation(sim::Record::Everything)?;
    counted.run();
    let is_step = |event: &&program::Event| matches!(event.kind, program::EventKind::StepStarted { .. });
    let steps = counted.recorded().iter().filter(is_step).count();
    let mut timed = simulation(sim::Record::Nothing)?;
    let start = Instant::now();
    timed.run();
    Ok(steps as f64 / start.elapsed().as_secs_f64())
}
