//! Runs the permutations of a spec one after the other, with the same sessions, on one server.
//!
//! isolationtester watches real sessions run side by side. Here every session that can go on does so
//! until it has ended its step or waits; only then is it told, in the order in which the steps began,
//! which have ended. Time stands still but for the wait that finds out that a step waits, and moves to
//! the next timer when all that is left to do is to wait.

use std::collections::VecDeque;
use std::fmt::Write;

use base::{Nanos, Time};
use engine_sql::{Notice, Output, Progress, Server, ServerConfig, SessionId, SqlError, TransactionStatus};
use syntax::{Dialect, Statement};

use super::print;
use super::spec::{Place, Spec, Turn};

/// What isolationtester prints for this spec, or why it cannot be run: a setup or teardown failed.
pub fn run(spec: &Spec) -> Result<String, String> {
    let mut server = Server::new(ServerConfig::default());
    server.create_database(DATABASE).map_err(|error| error.message)?;
    let mut tester = Tester {
        server,
        now: Time::ZERO,
        out: format!("Parsed test spec with {} sessions\n", spec.sessions.len()),
    };
    let mut control = tester.client(CONTROL)?;
    let names = spec.sessions.iter().map(|session| &session.name);
    let mut clients: Vec<Client> = names.map(|name| tester.client(name)).collect::<Result<_, _>>()?;
    for permutation in &spec.permutations {
        tester.permutation(spec, permutation, &mut control, &mut clients)?;
    }
    Ok(tester.out)
}

const DATABASE: &str = "isolation_regression";
const ROLE: &str = "postgres";

/// The session that runs the spec's own setup and teardown; isolationtester shows no notices of it.
const CONTROL: &str = "control connection";

/// How long isolationtester waits before it asks whether a step is blocked.
const POLL: Nanos = Nanos::from_millis(10);

struct Tester {
    server: Server,
    now: Time,
    out: String,
}

/// One session with what it still has to do of its step.
struct Client {
    name: String,
    session: SessionId,
    queue: VecDeque<Result<Statement, SqlError>>,
    /// A statement is running in the server.
    running: bool,
    /// Several statements sent at once are one transaction.
    implicit: bool,
    /// Notices before the step's first result: isolationtester prints them as they come, the step itself later.
    early: String,
    /// What the step has given so far, as printed.
    printed: String,
    /// A statement of the step has ended.
    answered: bool,
    /// It waits, at most until then.
    blocked: Option<Option<Time>>,
    /// What it does, as long as its end has not been reported.
    step: Option<Place>,
    /// Steps whose ends are to be reported first.
    after: Vec<Place>,
    failed: bool,
}

impl Tester {
    fn permutation(
        &mut self,
        spec: &Spec,
        order: &[Turn],
        control: &mut Client,
        clients: &mut [Client],
    ) -> Result<(), String> {
        let names: Vec<&str> = order.iter().map(|turn| spec.step(turn.place).name.as_str()).collect();
        let _ = writeln!(self.out, "\nstarting permutation: {}", names.join(" "));
        for setup in &spec.setups {
            self.whole(control, setup, "setup failed")?;
        }
        for (session, client) in spec.sessions.iter().zip(&mut *clients) {
            if let Some(setup) = &session.setup {
                let context = format!("setup of session {} failed", session.name);
                self.whole(client, setup, &context)?;
            }
        }
        self.steps(spec, order, clients)?;
        for (session, client) in spec.sessions.iter().zip(&mut *clients) {
            if let Some(teardown) = &session.teardown {
                let context = format!("teardown of session {} failed", session.name);
                self.whole(client, teardown, &context)?;
            }
        }
        if let Some(teardown) = &spec.teardown {
            self.whole(control, teardown, "teardown failed")?;
        }
        Ok(())
    }

    fn client(&mut self, name: &str) -> Result<Client, String> {
        let session = self
            .server
            .connect(DATABASE, ROLE, self.now)
            .map_err(|error| error.message)?;
        Ok(Client {
            name: name.to_owned(),
            session,
            queue: VecDeque::new(),
            running: false,
            implicit: false,
            early: String::new(),
            printed: String::new(),
            answered: false,
            blocked: None,
            step: None,
            after: Vec::new(),
            failed: false,
        })
    }

    /// A setup or teardown: nothing else runs, and it must not fail.
    fn whole(&mut self, client: &mut Client, sql: &str, context: &str) -> Result<(), String> {
        self.send(client, sql);
        while !self.advance(client) {
            if !self.wait(std::slice::from_ref(client)) {
                return Err(format!("{context}: it waits for a lock that nobody will release"));
            }
        }
        let printed = std::mem::take(&mut client.early) + &std::mem::take(&mut client.printed);
        if client.failed {
            return Err(format!("{context}: {}", printed.trim_end()));
        }
        self.out += &printed;
        Ok(())
    }

    fn steps(&mut self, spec: &Spec, order: &[Turn], clients: &mut [Client]) -> Result<(), String> {
        let mut waiting: Vec<usize> = Vec::new();
        for turn in order {
            let place = turn.place;
            self.end_earlier_step(spec, place.session, clients, &mut waiting)?;
            let step = spec.step(place);
            clients[place.session].step = Some(place);
            clients[place.session].after.clone_from(&turn.after);
            self.send(&mut clients[place.session], &step.sql);
            self.settle(clients);
            if clients[place.session].is_idle() && !turn.reported_waiting && !is_held(place.session, clients) {
                self.out += &std::mem::take(&mut clients[place.session].early);
                let _ = writeln!(self.out, "step {}: {}", step.name, step.sql);
                self.report(&mut clients[place.session]);
            } else {
                let _ = writeln!(self.out, "step {}: {} <waiting ...>", step.name, step.sql);
            }
            self.report_ended(spec, clients, &mut waiting);
            if clients[place.session].step.is_some() {
                waiting.push(place.session);
                self.now += POLL;
            }
        }
        self.report_ended(spec, clients, &mut waiting);
        while !waiting.is_empty() {
            self.let_time_pass(clients)?;
            self.report_ended(spec, clients, &mut waiting);
        }
        Ok(())
    }

    /// A session does one thing at a time: its earlier step must end before the next begins. It is
    /// reported before others that have ended meanwhile.
    fn end_earlier_step(
        &mut self,
        spec: &Spec,
        session: usize,
        clients: &mut [Client],
        waiting: &mut Vec<usize>,
    ) -> Result<(), String> {
        if clients[session].step.is_none() {
            return Ok(());
        }
        while !clients[session].is_idle() {
            self.let_time_pass(clients)?;
        }
        waiting.retain(|&other| other != session);
        clients[session].after.clear();
        self.report_ended(spec, clients, &mut vec![session]);
        self.report_ended(spec, clients, waiting);
        Ok(())
    }

    fn let_time_pass(&mut self, clients: &mut [Client]) -> Result<(), String> {
        if !self.wait(clients) {
            let waiting = clients.iter().filter(|client| !client.is_idle());
            let names: Vec<&str> = waiting.map(|client| client.name.as_str()).collect();
            return Err(format!("sessions {} wait for ever", names.join(", ")));
        }
        self.settle(clients);
        Ok(())
    }

    /// Moves time to the next timer of a session that waits; false if there is none.
    fn wait(&mut self, clients: &[Client]) -> bool {
        let next = clients.iter().filter_map(|client| client.blocked.flatten()).min();
        match next {
            Some(deadline) => {
                self.now = self.now.max(deadline);
                true
            }
            // Nobody waits any more: something has just ended.
            None => clients.iter().all(|client| client.blocked.is_none()),
        }
    }

    /// Lets every session go on until each has ended its step or waits.
    fn settle(&mut self, clients: &mut [Client]) {
        loop {
            for client in clients.iter_mut().filter(|client| !client.is_idle()) {
                self.advance(client);
            }
            let mut woken = Vec::new();
            self.server.drain_woken(&mut woken);
            if woken.is_empty() {
                return;
            }
        }
    }

    /// Prints what the steps gave that waited and have ended, in the order in which they began.
    /// One that is to be reported after others may let more of them be.
    fn report_ended(&mut self, spec: &Spec, clients: &mut [Client], waiting: &mut Vec<usize>) {
        loop {
            let before = waiting.len();
            self.report_once(spec, clients, waiting);
            if waiting.len() == before {
                return;
            }
        }
    }

    fn report_once(&mut self, spec: &Spec, clients: &mut [Client], waiting: &mut Vec<usize>) {
        waiting.retain(|&n| {
            let ended = clients[n].is_idle() && !is_held(n, clients);
            let client = &mut clients[n];
            if ended && let Some(place) = client.step {
                self.out += &std::mem::take(&mut client.early);
                let _ = writeln!(self.out, "step {}: <... completed>", spec.step(place).name);
                self.report(client);
            }
            !ended
        });
    }

    fn report(&mut self, client: &mut Client) {
        self.out += &std::mem::take(&mut client.printed);
        client.step = None;
    }

    // ---- one session

    /// All statements of a text, as one request.
    fn send(&mut self, client: &mut Client, sql: &str) {
        (client.failed, client.answered) = (false, false);
        client.queue = match syntax::parse_script(sql, Dialect::Postgres) {
            Ok(items) => items.into_iter().map(|item| Ok(item.statement)).collect(),
            Err(error) => VecDeque::from([Err(self.server.refuse(client.session, error))]),
        };
        let several = client.queue.len() > 1;
        let controls = client.queue.iter().flatten().any(is_transaction_control);
        let idle = self.server.transaction_status(client.session) == TransactionStatus::Idle;
        client.implicit = several && !controls && idle;
        if client.implicit {
            let modes = syntax::TransactionModes::default();
            client.queue.push_front(Ok(Statement::Begin { modes }));
            client.queue.push_back(Ok(Statement::Commit { chain: false }));
        }
    }

    /// Goes on with the session's request; true if it has ended.
    fn advance(&mut self, client: &mut Client) -> bool {
        loop {
            if !client.running {
                match client.queue.pop_front() {
                    None => return true,
                    Some(Ok(statement)) => {
                        self.server.start_parsed(client.session, &statement, &[], self.now);
                        client.running = true;
                    }
                    Some(Err(error)) => client.fail(&error),
                }
                continue;
            }
            let mut fuel = u64::MAX;
            match self.server.resume(client.session, self.now, &mut fuel) {
                Progress::Done(result) => {
                    client.running = false;
                    client.blocked = None;
                    match result {
                        Ok(output) => client.show(&output),
                        Err(error) => client.fail(&error),
                    }
                    client.answered = true;
                }
                Progress::Blocked(blocker) => {
                    client.blocked = Some(blocker.deadline);
                    return false;
                }
                Progress::Flush(lsn) => self.server.flushed(lsn),
                Progress::OutOfFuel => {}
            }
        }
    }
}

impl Client {
    fn is_idle(&self) -> bool {
        !self.running && self.queue.is_empty()
    }

    fn show(&mut self, output: &Output) {
        if self.name != CONTROL {
            output.notices.iter().for_each(|notice| self.notice(notice));
        }
        self.printed += &print::rows(output);
    }

    fn notice(&mut self, notice: &Notice) {
        let printed = if self.answered {
            &mut self.printed
        } else {
            &mut self.early
        };
        let _ = writeln!(printed, "{}: {}:  {}", self.name, notice.severity, notice.message);
        if let Some(detail) = &notice.detail {
            let _ = writeln!(printed, "DETAIL:  {detail}");
        }
    }

    /// The rest of the request is not run; what it did as a transaction of its own is undone.
    fn fail(&mut self, error: &SqlError) {
        self.failed = true;
        let _ = writeln!(self.printed, "ERROR:  {}", error.message);
        self.queue.clear();
        if std::mem::take(&mut self.implicit) {
            self.queue.push_back(Ok(Statement::Rollback { chain: false }));
        }
    }
}

/// Is there a step under way whose end is to be reported before this session's?
fn is_held(session: usize, clients: &[Client]) -> bool {
    let after = &clients[session].after;
    clients
        .iter()
        .any(|client| client.step.is_some_and(|step| after.contains(&step)))
}

fn is_transaction_control(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Begin { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::PrepareTransaction(_)
            | Statement::Savepoint(_)
            | Statement::RollbackTo(_)
            | Statement::Release(_)
            | Statement::SetTransaction { .. }
    )
}
