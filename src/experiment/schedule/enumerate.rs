//! Every interleaving of some short transactions, run, and what it gave compared with the serial orders.
//!
//! ```text
//! Cast ─Search: all orders─▶ histories, each with how many orders gave it
//!      ─Search: serial orders of what was committed─▶ which outcomes are serial ones
//!      ─dependency graph─▶ which anomalies a history shows
//! ```
//!
//! An *outcome* is what every step gave and what the tables hold in the end. It is serial if some order in which the
//! committed transactions follow each other gives them the same results, and the tables the same rows; what was rolled
//! back has no effect, and what it had read was promised to nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine_sql::{Output, TableOutline};
use report::isolation::{AnomalyFound, Counts};

use super::dependency::{self, History, Operation};
use super::footprint::{Footprint, Verb};
use super::result::Results;
use super::search::{Cast, Ended, Found, NONE, Scope, Search};
use super::transaction::{Transaction, transactions};
use crate::job::{Job, Progress};
use crate::settings::problem;

/// Beyond it nobody waits for the end.
pub const MOST_INTERLEAVINGS: u64 = 5_000_000;

/// Histories that are kept, one for all orders that gave it: in a browser memory is short.
const MOST_HISTORIES: usize = 300_000;

/// What one statement of an enumerated step may take, in operator steps.
const MOST_FUEL: u64 = 1_000_000;

/// Steps of all sessions, and sessions: their numbers are kept in a byte.
const MOST_STEPS: usize = 200;

/// All interleavings of a cast, run in slices; a budget is so many turns.
#[derive(Debug)]
pub struct EnumerationJob {
    cast: Arc<Cast>,
    /// Statement by statement of each step of all.
    footprints: Vec<Vec<Footprint>>,
    before: u32,
    results: Results,
    /// Orders that stand for others: each for so many, itself included.
    weight: u64,
    total: u64,
    done: u64,
    phase: Phase,
    histories: BTreeMap<Told, Tally>,
    stuck: u64,
    stuck_example: Vec<usize>,
    references: BTreeMap<Vec<bool>, BTreeMap<Seen, Vec<u8>>>,
}

#[derive(Debug)]
enum Phase {
    All(Box<Search>),
    /// Serial orders without the steps that were rolled back, set after set.
    Serial {
        wanted: Vec<Vec<bool>>,
        search: Option<Box<Search>>,
    },
    Over,
}

/// What distinguishes histories: all results, and the order of writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    results: Vec<u32>,
    rows: u32,
    writes: Vec<u8>,
}

/// What an outcome is compared by: what clients see of each step, and the rows in the end.
type Seen = (Vec<u32>, u32);

#[derive(Clone, Debug)]
struct Tally {
    schedules: u64,
    waited: u64,
    order: Vec<u8>,
    ends: Vec<u8>,
}

/// What all interleavings came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Enumeration {
    pub counts: Counts,
    /// Those that no serial order gives first, then by how many schedules gave them.
    pub outcomes: Vec<Outcome>,
    /// The sessions, turn by turn, of one that cannot go on; empty if all can.
    pub stuck_example: Vec<usize>,
    /// Why there is no dependency graph: which step does not tell what it saw.
    pub untold: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub schedules: u64,
    /// The sessions, turn by turn, of one schedule that gave it.
    pub example: Vec<usize>,
    /// The sessions, transaction by transaction, of a serial order that gives the same.
    pub serial: Option<Vec<usize>>,
    /// Sessions whose transactions were rolled back, with the SQLSTATE if it was not asked for.
    pub rolled_back: Vec<(u32, Option<String>)>,
    /// Anomalies with one schedule that shows it and in how many schedules.
    pub anomalies: Vec<(AnomalyFound, Vec<usize>, u64)>,
    /// What the tables hold in the end, in the order of their names.
    pub rows: Vec<Output>,
    /// What the rows that statements gave do not explain: a cascade, or a defect of the engine.
    pub unexplained: Option<String>,
}

impl EnumerationJob {
    /// # Errors
    ///
    /// Too many interleavings, as a sentence.
    pub fn new(cast: Cast) -> Result<EnumerationJob, String> {
        let scope = Scope::all(&cast);
        EnumerationJob::of_scope(cast, scope)
    }

    /// One order alone, given by its sessions turn by turn.
    ///
    /// # Errors
    ///
    /// As [`EnumerationJob::new`].
    pub fn of_order(cast: Cast, order: Vec<u8>) -> Result<EnumerationJob, String> {
        let scope = Scope {
            symmetric: false,
            order: Some(order),
            ..Scope::all(&cast)
        };
        EnumerationJob::of_scope(cast, scope)
    }

    fn of_scope(mut cast: Cast, scope: Scope) -> Result<EnumerationJob, String> {
        cast.stage.fuel = MOST_FUEL;
        for (session, part) in cast.parts.iter_mut().enumerate() {
            for act in &mut part.steps {
                act.request = act.request.watched();
                cast.stage.prepare(session, &mut act.request);
            }
        }
        let total = scope.orders(&vec![0; cast.parts.len()]);
        let total =
            total.filter(|total| *total <= MOST_INTERLEAVINGS && cast.steps().max(cast.parts.len()) <= MOST_STEPS);
        let total = total.ok_or_else(|| format!("there are more than {MOST_INTERLEAVINGS} interleavings"))?;
        let mut results = Results::new(&cast.stage.server, &cast.database).map_err(|error| error.message)?;
        let tables: Vec<TableOutline> = results.tables().cloned().collect();
        let before = results.rows(&cast.stage.server, &cast.database);
        let statements = |act: &super::Act| {
            let statements = act.request.statements.iter().flatten();
            statements.map(|statement| Footprint::of(statement, &tables)).collect()
        };
        let footprints = cast.parts.iter().flat_map(|part| &part.steps).map(statements).collect();
        let cast = Arc::new(cast);
        Ok(EnumerationJob {
            weight: if scope.symmetric { weight(&cast) } else { 1 },
            phase: Phase::All(Box::new(Search::new(&cast, scope))),
            footprints,
            before,
            results,
            total,
            done: 0,
            histories: BTreeMap::new(),
            stuck: 0,
            stuck_example: Vec::new(),
            references: BTreeMap::new(),
            cast,
        })
    }

    fn take(&mut self, found: Found) -> Result<(), String> {
        match found {
            Found::Turn => {}
            Found::Ended(ended) => {
                self.done += self.weight;
                self.tally(ended);
                if self.histories.len() > MOST_HISTORIES {
                    return Err(format!(
                        "there are more than {MOST_HISTORIES} different histories: take fewer sessions or steps"
                    ));
                }
            }
            Found::Stuck { order, schedules } => {
                // Sessions that have not begun may still be exchanged.
                let schedules = schedules.saturating_mul(self.weight) / self.exchangeable(&order);
                self.done += schedules;
                self.stuck += schedules;
                if self.stuck_example.is_empty() {
                    self.stuck_example = places(&order);
                }
            }
            Found::Exhausted { session } => {
                let name = &self.cast.parts[session].name;
                return Err(format!(
                    "a step of session {name} takes more than {MOST_FUEL} row steps"
                ));
            }
        }
        Ok(())
    }

    /// In how many ways equal sessions that are not in the order yet can be told apart.
    fn exchangeable(&self, order: &[u8]) -> u64 {
        let begun = |session: &usize| order.iter().any(|other| usize::from(*other) == *session);
        let idle: Vec<usize> = (0..self.cast.parts.len()).filter(|session| !begun(session)).collect();
        ways(
            idle.iter()
                .map(|session| &self.cast.parts[*session])
                .filter(|part| !part.steps.is_empty()),
        )
    }

    fn tally(&mut self, ended: Ended) {
        let writes = |flat: &u8| {
            let writes = |one: &Footprint| matches!(one, Footprint::Rows(rows) if rows.verb != Verb::Select);
            self.footprints[usize::from(*flat)].iter().any(writes)
        };
        let told = Told {
            writes: ended.ends.iter().copied().filter(writes).collect(),
            results: ended.results,
            rows: ended.rows,
        };
        let tally = self.histories.entry(told).or_insert_with(|| Tally {
            schedules: 0,
            waited: 0,
            order: ended.order,
            ends: ended.ends,
        });
        tally.schedules += self.weight;
        tally.waited += if ended.waited { self.weight } else { 0 };
    }

    /// The steps that are no part of a committed transaction, for each history.
    fn rolled_back(&self) -> BTreeSet<Vec<bool>> {
        let skip = |told: &Told| skipped(&self.cast, &transactions(&self.cast, &told.results, &self.results));
        self.histories.keys().map(skip).collect()
    }

    fn serial_search(&self, skip: &[bool]) -> Search {
        let steps = |(session, part): (usize, &super::Part)| {
            let taken = |step: &usize| !skip[self.cast.flat(session, *step)];
            (0..part.steps.len()).filter(taken).collect()
        };
        let scope = Scope {
            steps: self.cast.parts.iter().enumerate().map(steps).collect(),
            serial: true,
            symmetric: false,
            order: None,
        };
        Search::new(&self.cast, scope)
    }

    fn seen(&self, results: &[u32], skip: &[bool], rows: u32) -> Seen {
        let visible = |(number, skip): (&u32, &bool)| match (skip, self.results.step_result(*number)) {
            (false, Some(result)) => result.visible,
            _ => NONE,
        };
        (results.iter().zip(skip).map(visible).collect(), rows)
    }

    /// One turn; true when all is done.
    fn turn(&mut self) -> Result<bool, String> {
        match &mut self.phase {
            Phase::All(search) => match search.step(&mut self.results) {
                Some(found) => self.take(found)?,
                None => {
                    self.phase = Phase::Serial {
                        wanted: self.rolled_back().into_iter().collect(),
                        search: None,
                    }
                }
            },
            Phase::Serial {
                wanted,
                search: Some(search),
            } => match (search.step(&mut self.results), wanted.last().cloned()) {
                (Some(Found::Ended(ended)), Some(skip)) => {
                    let seen = self.seen(&ended.results, &skip, ended.rows);
                    let orders = self.references.entry(skip).or_default();
                    orders.entry(seen).or_insert(ended.order);
                }
                (Some(_), _) => {}
                (None, _) => {
                    wanted.pop();
                    if let Phase::Serial { search, .. } = &mut self.phase {
                        *search = None;
                    }
                }
            },
            Phase::Serial { wanted, search: None } => match wanted.last().cloned() {
                Some(skip) => {
                    let begun = Box::new(self.serial_search(&skip));
                    if let Phase::Serial { search, .. } = &mut self.phase {
                        *search = Some(begun);
                    }
                }
                None => self.phase = Phase::Over,
            },
            Phase::Over => return Ok(true),
        }
        Ok(false)
    }

    fn finished(&self) -> Enumeration {
        let mut outcomes: BTreeMap<(Vec<u32>, u32), Outcome> = BTreeMap::new();
        let mut counts = Counts {
            schedules: self.total,
            saved: self.total - self.total / self.weight,
            stuck: self.stuck,
            ..Counts::default()
        };
        let mut failed: BTreeMap<String, u64> = BTreeMap::new();
        let untold = self.untold();
        for (told, tally) in &self.histories {
            let transactions = transactions(&self.cast, &told.results, &self.results);
            let skip = skipped(&self.cast, &transactions);
            counts.waited += tally.waited;
            let states: BTreeSet<&String> = transactions.iter().filter_map(|one| one.failed.as_ref()).collect();
            for sqlstate in states {
                *failed.entry(sqlstate.clone()).or_default() += tally.schedules;
            }
            let nothing_skipped = vec![false; skip.len()];
            let outcome = outcomes
                .entry(self.seen(&told.results, &nothing_skipped, told.rows))
                .or_insert_with(|| Outcome {
                    schedules: 0,
                    example: places(&tally.order),
                    serial: self.serial_order(&told.results, &skip, told.rows),
                    rolled_back: (transactions.iter().filter(|one| !one.committed))
                        .map(|one| (one.session as u32, one.failed.clone()))
                        .collect(),
                    anomalies: Vec::new(),
                    rows: self.results.row_sets(told.rows).to_vec(),
                    unexplained: None,
                });
            outcome.schedules += tally.schedules;
            if untold.is_none() {
                match self.anomalies(told, tally, &transactions) {
                    Ok(found) => outcome.add(found, tally),
                    Err(why) => outcome.unexplained = Some(why),
                }
            }
        }
        let mut outcomes: Vec<Outcome> = outcomes.into_values().collect();
        outcomes.sort_by_key(|outcome| (outcome.serial.is_some(), std::cmp::Reverse(outcome.schedules)));
        let serial = outcomes.iter().filter(|outcome| outcome.serial.is_some());
        counts.serial = serial.map(|outcome| outcome.schedules).sum();
        counts.distinct_outcomes = outcomes.len() as u64;
        counts.failed = failed.into_iter().collect();
        Enumeration {
            counts,
            outcomes,
            stuck_example: self.stuck_example.clone(),
            untold,
        }
    }

    /// The sessions of a serial order with the same results, transaction by transaction.
    fn serial_order(&self, results: &[u32], skip: &[bool], rows: u32) -> Option<Vec<usize>> {
        let order = self.references.get(skip)?.get(&self.seen(results, skip, rows))?;
        let mut sessions = places(order);
        sessions.dedup();
        Some(sessions)
    }

    fn untold(&self) -> Option<String> {
        let acts = self.cast.parts.iter().flat_map(|part| &part.steps);
        let mut steps = acts.zip(&self.footprints);
        steps.find_map(|(act, footprints)| {
            let why = footprints.iter().find_map(|one| match one {
                Footprint::Untold(why) => Some(why),
                _ => None,
            });
            Some(format!("step {}: {}", act.name, why?))
        })
    }

    fn anomalies(&self, told: &Told, tally: &Tally, transactions: &[Transaction]) -> Result<Vec<AnomalyFound>, String> {
        let mut operations = Vec::new();
        for flat in &tally.ends {
            let flat = usize::from(*flat);
            let transaction = transactions.iter().position(|one| one.steps.contains(&flat));
            let (Some(transaction), Some(result)) = (transaction, self.results.step_result(told.results[flat])) else {
                continue;
            };
            for (footprint, reply) in self.footprints[flat].iter().zip(&result.gave) {
                if let (Footprint::Rows(rows), Ok(gave)) = (footprint, reply) {
                    let step = self.step_name(flat);
                    operations.push(Operation {
                        transaction,
                        step,
                        rows,
                        gave,
                    });
                }
            }
        }
        let sets = |number| -> &[Output] { self.results.row_sets(number) };
        dependency::anomalies(&History {
            tables: self.results.tables().collect(),
            before: sets(self.before),
            after: sets(told.rows),
            committed: transactions.iter().map(|one| one.committed).collect(),
            names: transactions.iter().map(|one| one.name.clone()).collect(),
            operations,
        })
    }

    fn step_name(&self, flat: usize) -> &str {
        let mut acts = self.cast.parts.iter().flat_map(|part| &part.steps);
        acts.nth(flat).map_or("", |act| &act.name)
    }
}

impl Outcome {
    fn add(&mut self, found: Vec<AnomalyFound>, tally: &Tally) {
        for one in found {
            match self
                .anomalies
                .iter_mut()
                .find(|(known, ..)| known.anomaly == one.anomaly)
            {
                Some((.., schedules)) => *schedules += tally.schedules,
                None => self.anomalies.push((one, places(&tally.order), tally.schedules)),
            }
        }
    }
}

impl Job for EnumerationJob {
    type Report = Enumeration;

    fn step(&mut self, budget: u64) -> Progress<Enumeration> {
        for _ in 0..budget {
            match self.turn() {
                Ok(false) => {}
                Ok(true) => return Progress::Finished(Box::new(self.finished())),
                Err(message) => return Progress::Failed(vec![problem(message, None)]),
            }
        }
        let what = match self.phase {
            Phase::All(_) => "Interleavings",
            _ => "Serial orders",
        };
        Progress::Running {
            done: self.done,
            of: self.total,
            what: what.to_owned(),
        }
    }
}

fn skipped(cast: &Cast, transactions: &[Transaction]) -> Vec<bool> {
    let mut skip = vec![false; cast.steps()];
    for transaction in transactions.iter().filter(|one| !one.committed) {
        skip[transaction.steps.clone()].fill(true);
    }
    skip
}

fn places(order: &[u8]) -> Vec<usize> {
    order.iter().copied().map(usize::from).collect()
}

fn weight(cast: &Cast) -> u64 {
    ways(cast.parts.iter().filter(|part| !part.steps.is_empty()))
}

/// In how many ways equal sessions can be told apart.
fn ways<'a>(parts: impl Iterator<Item = &'a super::Part>) -> u64 {
    let mut known: BTreeMap<usize, u64> = BTreeMap::new();
    parts.fold(1, |ways, part| {
        let equal = known.entry(part.kind).or_default();
        *equal += 1;
        ways * *equal
    })
}
