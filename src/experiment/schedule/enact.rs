//! A spec's sessions on a stage: as a cast whose interleavings are enumerated, and one order of them as a report shows it.

use std::sync::Arc;

use engine_sql::{Output, Server, ServerConfig};
use report::isolation::{Moment, MomentKind, RowSet, Schedule, StatementResult};
use syntax::Statement;

use super::conduct::{self, Event, conduct};
use super::run::SetupFailed;
use super::run::{DATABASE, connect, set_up};
use super::search::{Act, Cast, Part};
use super::spec::{Place, Spec, Turn, count};
use super::stage::{Reply, Request, Stage};

/// Some steps of a spec's sessions, each session's in their order.
#[derive(Clone, Debug)]
pub(super) struct Enactment<'a> {
    spec: &'a Spec,
    /// Session by session the steps that are done in one go, a BEGIN with what comes after it: alone it does nothing
    /// that another session could see.
    acts: Vec<Vec<Vec<usize>>>,
}

impl<'a> Enactment<'a> {
    /// The steps that this order takes.
    pub(super) fn of_order(spec: &'a Spec, order: &[Turn]) -> Enactment<'a> {
        let taken = |session: usize| {
            let turns = order.iter().filter(move |turn| turn.place.session == session);
            turns.map(|turn| turn.place.step).collect()
        };
        Enactment::new(spec, (0..spec.sessions.len()).map(taken).collect())
    }

    pub(super) fn of_all_steps(spec: &'a Spec) -> Enactment<'a> {
        let steps = spec.sessions.iter().map(|session| (0..session.steps.len()).collect());
        Enactment::new(spec, steps.collect())
    }

    fn new(spec: &'a Spec, steps: Vec<Vec<usize>>) -> Enactment<'a> {
        let acts = steps.iter().enumerate().map(|(session, steps)| {
            let sql = |step: usize| &spec.sessions[session].steps[step].sql;
            // What is no SQL has to fail by itself.
            let sound = steps.iter().all(|step| Request::parse(sql(*step)).statements.is_ok());
            let mut acts: Vec<Vec<usize>> = Vec::new();
            let mut begins = Vec::new();
            for (place, step) in steps.iter().enumerate() {
                begins.push(*step);
                if !(sound && only_begins(sql(*step))) || place + 1 == steps.len() {
                    acts.push(std::mem::take(&mut begins));
                }
            }
            acts
        });
        Enactment {
            spec,
            acts: acts.collect(),
        }
    }

    /// The sessions after their setups, with what they will do.
    ///
    /// # Errors
    ///
    /// A setup that fails, as isolationtester says it.
    pub(super) fn cast(&self) -> Result<Cast, SetupFailed> {
        let mut stage = Stage::new(Server::new(ServerConfig::default()));
        connect(&mut stage, self.spec).map_err(SetupFailed::before_all)?;
        set_up(&mut stage, self.spec)?;
        let mut parts: Vec<Part> = Vec::new();
        for (session, (acts, found)) in self.acts.iter().zip(&self.spec.sessions).enumerate() {
            let steps: Vec<Act> = acts.iter().map(|steps| self.act(session, steps)).collect();
            let requests = |steps: &[Act]| steps.iter().map(|act| act.request.clone()).collect::<Vec<_>>();
            let equal = |(other, part): (usize, &Part)| {
                let same_setup = self.spec.sessions[other].setup == found.setup;
                (same_setup && requests(&part.steps) == requests(&steps)).then_some(part.kind)
            };
            parts.push(Part {
                kind: parts.iter().enumerate().find_map(equal).unwrap_or(session),
                name: found.name.clone(),
                steps,
            });
        }
        Ok(Cast {
            stage,
            database: DATABASE.to_owned(),
            parts,
        })
    }

    fn act(&self, session: usize, steps: &[usize]) -> Act {
        let found = &self.spec.sessions[session].steps;
        let name = steps.last().map_or(String::new(), |step| found[*step].name.clone());
        let mut requests = steps.iter().map(|step| Request::parse(&found[*step].sql));
        let request = match (steps.len(), requests.next()) {
            (1, Some(request)) => request,
            (_, first) => {
                let statements = first.into_iter().chain(requests).flat_map(|request| request.statements);
                Request::new(statements.flatten().collect())
            }
        };
        Act { name, request }
    }

    /// How many orders of its acts there are; `None`: more than can be counted.
    pub(super) fn orders(&self) -> Option<u64> {
        let lengths: Vec<usize> = self.acts.iter().map(Vec::len).collect();
        count(&lengths)
    }

    /// The steps of an order of acts, given by its sessions.
    pub(super) fn turns(&self, order: &[usize]) -> Vec<Turn> {
        let mut next = vec![0; self.acts.len()];
        let mut turns = Vec::new();
        for &session in order {
            if let Some(steps) = self.acts[session].get(next[session]) {
                turns.extend(steps.iter().map(|&step| Turn::from(Place { session, step })));
                next[session] += 1;
            }
        }
        turns
    }

    /// The sessions of an order of steps, act by act.
    pub(super) fn acts_of(&self, order: &[Turn]) -> Vec<u8> {
        let mut begun = vec![0; self.acts.len()];
        let mut acts = Vec::new();
        for turn in order {
            let session = turn.place.session;
            begun[session] += 1;
            let ends = |steps: usize| {
                let mut lengths = self.acts[session].iter().scan(0, |sum, act| {
                    *sum += act.len();
                    Some(*sum)
                });
                lengths.any(|length| length == steps)
            };
            if ends(begun[session]) {
                acts.push(session as u8);
            }
        }
        acts
    }

    pub(super) fn session_steps(&self) -> Vec<report::isolation::SessionSteps> {
        let session = |(session, acts): (usize, &Vec<Vec<usize>>)| {
            let name = |step: &usize| self.spec.sessions[session].steps[*step].name.clone();
            report::isolation::SessionSteps {
                name: self.spec.sessions[session].name.clone(),
                steps: acts.iter().flatten().map(name).collect(),
            }
        };
        self.acts.iter().enumerate().map(session).collect()
    }
}

fn only_begins(sql: &str) -> bool {
    let request = Request::parse(sql);
    let begins = |statement: &Arc<Statement>| matches!(**statement, Statement::Begin { .. });
    request.statements.is_ok_and(|statements| statements.iter().all(begins))
}

/// Runs one order on a new server; anomalies are for the caller to fill in.
///
/// # Errors
///
/// A setup that fails.
pub fn play(spec: &Spec, order: &[Turn]) -> Result<Schedule, String> {
    let mut stage = Stage::new(Server::new(ServerConfig::default()));
    connect(&mut stage, spec)?;
    set_up(&mut stage, spec).map_err(|failed| failed.message)?;
    let (moments, _) = conduct(&mut stage, &conduct::requests(spec), order);
    let tables = stage.server.tables(DATABASE).map_err(|error| error.message)?;
    let rows = tables.iter().map(|table| {
        let output = stage.server.read(DATABASE, &format!("SELECT * FROM {}", table.name));
        row_set(&table.name, &sorted(output.unwrap_or_default()))
    });
    Ok(Schedule {
        rows: rows.collect(),
        sessions: spec.sessions.iter().map(|session| session.name.clone()).collect(),
        moments: moments.into_iter().map(|moment| shown(spec, moment)).collect(),
        rolled_back: Vec::new(),
        anomalies: Vec::new(),
    })
}

fn shown(spec: &Spec, moment: conduct::Moment) -> Moment {
    let (place, kind, gave) = match moment.event {
        Event::Began {
            place,
            gave: Some(gave),
        } => (place, MomentKind::Step, gave),
        Event::Began { place, gave: None } => (place, MomentKind::Waits, Vec::new()),
        Event::Ended { place, gave } => (place, MomentKind::Ended, gave),
        Event::Cancelled { place } => (place, MomentKind::Cancelled, Vec::new()),
    };
    let step = spec.step(place);
    let waiting = |waiting: conduct::Waiting| report::isolation::Waiting {
        session: waiting.session as u32,
        holders: waiting.holders.into_iter().map(|holder| holder as u32).collect(),
        what: waiting.what,
    };
    Moment {
        session: place.session as u32,
        step: step.name.clone(),
        sql: step.sql.clone(),
        kind,
        gave: gave.iter().map(statement_result).collect(),
        waiting: moment.waiting.into_iter().map(waiting).collect(),
    }
}

/// In which order rows lie in a table is no outcome.
pub(super) fn sorted(mut output: Output) -> Output {
    output.rows.sort();
    output
}

fn statement_result(reply: &Reply) -> StatementResult {
    match reply {
        Ok(output) if output.columns.is_empty() => StatementResult::Tag(tag(output)),
        Ok(output) => StatementResult::Rows(row_set("", output)),
        Err(error) => StatementResult::Error {
            sqlstate: error.sqlstate.to_owned(),
            message: error.message.clone(),
        },
    }
}

fn tag(output: &Output) -> String {
    let verb = output.tag.verb;
    match output.tag.rows {
        Some(rows) if verb == "INSERT" => format!("INSERT 0 {rows}"),
        Some(rows) => format!("{verb} {rows}"),
        None => verb.to_owned(),
    }
}

pub(super) fn row_set(table: &str, output: &Output) -> RowSet {
    RowSet {
        table: table.to_owned(),
        columns: output.columns.iter().map(|column| column.name.to_string()).collect(),
        rows: (output.rows.iter())
            .map(|row| row.iter().map(ToString::to_string).collect())
            .collect(),
    }
}
