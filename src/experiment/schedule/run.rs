//! Runs the permutations of a spec one after the other, with the same sessions, on one server, and prints what
//! isolationtester prints.

use std::fmt::Write;

use engine_sql::{Notice, Server, ServerConfig};

use super::conduct::{Event, MOST_WAIT_SECONDS, Stuck, conduct, requests};
use super::matrix::level_name;
use super::print;
use super::spec::{Place, Spec, Turn};
use super::stage::{Reply, Request, Stage};

/// What isolationtester prints for this spec, and why it ends early: a setup or teardown failed, or steps are
/// each to be reported after the other.
pub fn run(spec: &Spec) -> (String, Result<(), String>) {
    let mut tester = Tester {
        spec,
        requests: requests(spec),
        stage: Stage::new(Server::new(ServerConfig::default())),
        out: format!("Parsed test spec with {} sessions\n", spec.sessions.len()),
    };
    let ended = tester.permutations();
    (tester.out, ended)
}

pub(super) const DATABASE: &str = "isolation_regression";
const ROLE: &str = "postgres";

/// The session that runs the spec's own setup and teardown; isolationtester shows no notices of it.
const CONTROL: &str = "control connection";

struct Tester<'a> {
    spec: &'a Spec,
    requests: Vec<Vec<Request>>,
    stage: Stage,
    out: String,
}

impl Tester<'_> {
    fn permutations(&mut self) -> Result<(), String> {
        let orders = self.spec.orders().map_err(|error| error.to_string())?;
        connect(&mut self.stage, self.spec)?;
        orders.iter().try_for_each(|order| self.permutation(order))
    }

    fn permutation(&mut self, order: &[Turn]) -> Result<(), String> {
        let names: Vec<&str> = order.iter().map(|turn| self.name(turn.place)).collect();
        let _ = writeln!(self.out, "\nstarting permutation: {}", names.join(" "));
        self.out += &set_up(&mut self.stage, self.spec).map_err(|failed| failed.message)?;
        let (moments, ended) = conduct(&mut self.stage, &self.requests, order);
        for moment in moments {
            self.print(&moment.event);
        }
        ended.map_err(|stuck| self.timed_out(&stuck))?;
        for (place, session) in self.spec.sessions.iter().enumerate() {
            if let Some(teardown) = &session.teardown {
                let context = format!("teardown of session {} failed", session.name);
                self.out += &whole(&mut self.stage, place, &session.name, teardown, &context)?;
            }
        }
        if let Some(teardown) = &self.spec.teardown {
            let control = self.spec.sessions.len();
            self.out += &whole(&mut self.stage, control, CONTROL, teardown, "teardown failed")?;
        }
        Ok(())
    }

    fn name(&self, place: Place) -> &str {
        &self.spec.step(place).name
    }

    fn print(&mut self, event: &Event) {
        let (Event::Began { place, .. } | Event::Ended { place, .. } | Event::Cancelled { place }) = event;
        let (step, session) = (self.spec.step(*place), &self.spec.sessions[place.session].name);
        match event {
            Event::Began { gave: None, .. } => {
                let _ = writeln!(self.out, "step {}: {} <waiting ...>", step.name, step.sql);
            }
            Event::Began { gave: Some(gave), .. } => {
                self.out += &early(session, gave);
                let _ = writeln!(self.out, "step {}: {}", step.name, step.sql);
                self.out += &printed(session, gave);
            }
            Event::Ended { gave, .. } => {
                self.out += &early(session, gave);
                let _ = writeln!(self.out, "step {}: <... completed>", step.name);
                self.out += &printed(session, gave);
            }
            Event::Cancelled { .. } => {
                let name = &step.name;
                let _ = writeln!(
                    self.out,
                    "isolationtester: canceling step {name} after {MOST_WAIT_SECONDS} seconds"
                );
            }
        }
    }

    fn timed_out(&self, stuck: &Stuck) -> String {
        let names: Vec<&str> = stuck.steps.iter().map(|place| self.name(*place)).collect();
        let first = names.first().copied().unwrap_or_default();
        let seconds = 2 * MOST_WAIT_SECONDS;
        let active = names.join(" ");
        format!("step {first} timed out after {seconds} seconds\nactive steps are: {active}")
    }
}

/// Makes the database, and connects the sessions, at the level that the spec has for them, and one more.
pub(super) fn connect(stage: &mut Stage, spec: &Spec) -> Result<(), String> {
    stage.server.create_database(DATABASE).map_err(|error| error.message)?;
    for _ in 0..=spec.sessions.len() {
        stage.connect(DATABASE, ROLE).map_err(|error| error.message)?;
    }
    if let Some(level) = spec.level {
        let sql = format!("SET default_transaction_isolation = '{}'", level_name(level));
        for (place, session) in spec.sessions.iter().enumerate() {
            whole(stage, place, &session.name, &sql, "the level was refused")?;
        }
    }
    Ok(())
}

/// Which of the spec's setups failed, in the order in which they are run, and how isolationtester says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SetupFailed {
    pub(super) nth: Option<usize>,
    pub(super) message: String,
}

impl SetupFailed {
    pub(super) fn before_all(message: String) -> SetupFailed {
        SetupFailed { nth: None, message }
    }
}

/// Runs the spec's setups. Gives what they print.
pub(super) fn set_up(stage: &mut Stage, spec: &Spec) -> Result<String, SetupFailed> {
    let own = spec.setups.iter().map(|setup| {
        let context = "setup failed".to_owned();
        (spec.sessions.len(), CONTROL, setup, context)
    });
    let of_sessions = spec.sessions.iter().enumerate().filter_map(|(place, session)| {
        let context = format!("setup of session {} failed", session.name);
        Some((place, session.name.as_str(), session.setup.as_ref()?, context))
    });
    let mut out = String::new();
    for (nth, (actor, name, setup, context)) in own.chain(of_sessions).enumerate() {
        let failed = |message| SetupFailed {
            nth: Some(nth),
            message,
        };
        out += &whole(stage, actor, name, setup, &context).map_err(failed)?;
    }
    Ok(out)
}

/// A setup or teardown: nothing else runs, and it must not fail.
fn whole(stage: &mut Stage, actor: usize, name: &str, sql: &str, context: &str) -> Result<String, String> {
    stage.send(actor, &Request::parse(sql));
    stage.settle();
    while !stage.is_idle(actor) {
        if !stage.let_time_pass() {
            return Err(format!("{context}: it waits for a lock that nobody will release"));
        }
    }
    let gave = stage.take_replies(actor);
    let text = early(name, &gave) + &printed(name, &gave);
    if gave.iter().any(Result::is_err) {
        return Err(format!("{context}: {}", text.trim_end()));
    }
    Ok(text)
}

/// Notices that come before a step's first result: isolationtester prints them as they come, the step itself later.
fn early(session: &str, gave: &[Reply]) -> String {
    notices(session, gave.first().into_iter())
}

fn printed(session: &str, gave: &[Reply]) -> String {
    let mut text = String::new();
    for (number, reply) in gave.iter().enumerate() {
        if number > 0 {
            text += &notices(session, std::iter::once(reply));
        }
        match reply {
            Ok(output) => text += &print::rows(output),
            Err(error) => {
                let _ = writeln!(text, "ERROR:  {}", error.message);
            }
        }
    }
    text
}

fn notices<'a>(session: &str, gave: impl Iterator<Item = &'a Reply>) -> String {
    let mut text = String::new();
    if session == CONTROL {
        return text;
    }
    let said = gave.flat_map(|reply| match reply {
        Ok(output) => &output.notices[..],
        Err(refusal) => refusal
            .circumstances
            .as_deref()
            .map_or(&[][..], |circumstances| &circumstances.notices),
    });
    for Notice {
        severity,
        message,
        detail,
    } in said
    {
        let _ = writeln!(text, "{session}: {severity}:  {message}");
        if let Some(detail) = detail {
            let _ = writeln!(text, "DETAIL:  {detail}");
        }
    }
    text
}
