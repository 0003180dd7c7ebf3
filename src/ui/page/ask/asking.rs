//! How PostgreSQL is asked: the script comes from a worker of ours, while a PGlite is being loaded; then its databases
//! one after the other, each on an empty server.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;
use pglite::Server;
use program::SqlAnswer;
use protocol::{Experiment, PgliteFiles, Reply, Request, RunOptions};
use report::{PostgresScript, ScriptDatabase, ScriptPart, VersionDifferences};
use wasm_bindgen_futures::JsFuture;

use super::Question;
use crate::browser::{self, Waiting};
use crate::connection::{Connection, Heard};
use crate::format::{count, two_figures};
use crate::lab::{Lab, lab};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    Idle,
    /// `of` is 0 where nobody knows how much there is.
    Working {
        what: String,
        done: u64,
        of: u64,
    },
    Answered(Arc<Answers>),
    Failed(String),
}

/// Both answers to everything that was asked.
#[derive(Debug, PartialEq)]
pub(super) struct Answers {
    /// As PostgreSQL words it.
    pub(super) version: String,
    pub(super) tenant_column: Option<String>,
    pub(super) databases: Vec<AskedDatabase>,
    pub(super) known: VersionDifferences,
}

#[derive(Debug, PartialEq)]
pub(super) struct AskedDatabase {
    pub(super) name: String,
    pub(super) statements: Vec<AskedStatement>,
}

#[derive(Debug, PartialEq)]
pub(super) struct AskedStatement {
    pub(super) sql: String,
    pub(super) ours: SqlAnswer,
    pub(super) theirs: SqlAnswer,
}

/// A component's questions: one at a time.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    lab: Lab,
    pub(super) state: RwSignal<State>,
    /// Counts questions and cancellations: whoever works for an earlier one stops.
    turn: StoredValue<u32>,
    held: StoredValue<Held, LocalStorage>,
}

/// What ends with a question.
#[derive(Default)]
struct Held {
    server: Option<Server>,
    connection: Option<Connection>,
}

impl Held {
    fn end(self) {
        if let Some(server) = &self.server {
            server.close();
        }
        // Dropping a connection within its own callback would free the callback that runs.
        set_timeout(move || drop(self), Duration::ZERO);
    }
}

impl Asking {
    pub(super) fn new() -> Asking {
        Asking {
            lab: lab(),
            state: RwSignal::new(State::Idle),
            turn: StoredValue::new(0),
            held: StoredValue::new_local(Held::default()),
        }
    }

    pub(super) fn is_working(self) -> bool {
        self.state.with(|state| matches!(state, State::Working { .. }))
    }

    pub(super) fn cancel(self) {
        self.turn.update_value(|turn| *turn = turn.wrapping_add(1));
        if let Some(held) = self.held.try_update_value(std::mem::take) {
            held.end();
        }
        let _ = self.state.try_set(State::Idle);
    }

    pub(super) fn begin(self, question: Question) {
        self.cancel();
        let turn = self.turn.get_value();
        let request = request(self.lab, &question);
        leptos::task::spawn_local(async move {
            let answered = match request {
                Ok(request) => self.answers(turn, &question.files, request).await,
                Err(error) => Err(error),
            };
            if self.is_over(turn) {
                return;
            }
            self.cancel();
            self.state.set(match answered {
                Ok(answers) => State::Answered(Arc::new(answers)),
                Err(why) => State::Failed(why),
            });
        });
    }

    /// Has it been cancelled, or is its component gone?
    fn is_over(self, turn: u32) -> bool {
        self.turn.try_get_value() != Some(turn)
    }

    fn tell(self, turn: u32, what: String, done: u64, of: u64) {
        if !self.is_over(turn) {
            self.state.set(State::Working { what, done, of });
        }
    }

    async fn answers(self, turn: u32, files: &PgliteFiles, request: Request) -> Result<Answers, String> {
        self.tell(turn, "waiting for its turn".to_owned(), 0, 0);
        let slot = pglite::slot().await;
        if self.is_over(turn) {
            return Err(String::new());
        }
        let server = Server::new(slot, &browser::address_of(&files.folder)).map_err(|error| error.to_string())?;
        self.held.update_value(|held| held.server = Some(server.clone()));
        let script = Script::ask(self, request)?;
        let told = move |done: u64, of: u64| {
            let megabytes = |bytes: u64| two_figures(bytes as f64 / 1e6);
            let what = format!("PostgreSQL: {} of {} MB", megabytes(done), megabytes(of));
            self.tell(turn, what, done, of);
        };
        server.load(told).await.map_err(|error| error.to_string())?;
        self.tell(turn, "the statements are being made".to_owned(), 0, 0);
        let (script, parts) = script.arrived().await?;
        let mut answers = Answers {
            version: String::new(),
            tenant_column: script.tenant_column,
            databases: Vec::new(),
            known: VersionDifferences::default(),
        };
        for (index, database) in script.databases.into_iter().enumerate() {
            self.tell(turn, format!("{} starts", database.name), 0, 0);
            answers.version = server.start().await.map_err(|error| error.to_string())?;
            let mut done = 0;
            for part in parts.iter().filter(|part| part.database == index) {
                let what = format!(
                    "{}: {} of {} rows",
                    database.name,
                    count(done),
                    count(database.initial_rows)
                );
                self.tell(turn, what, done, database.initial_rows);
                fill(&server, part).await?;
                done += part.rows;
            }
            answers.databases.push(self.database(turn, &server, database).await?);
        }
        let known = browser::fetch_text("postgres-15-18.json").await;
        answers.known = known.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))?;
        Ok(answers)
    }

    async fn database(self, turn: u32, server: &Server, database: ScriptDatabase) -> Result<AskedDatabase, String> {
        let mut asked = AskedDatabase {
            name: database.name,
            statements: Vec::new(),
        };
        let of = database.session.len() as u64;
        for (done, statement) in database.session.into_iter().enumerate() {
            self.tell(turn, format!("{}: asked", asked.name), done as u64, of);
            let theirs = server.ask(&statement.sql).await.map_err(|error| error.to_string())?;
            asked.statements.push(AskedStatement {
                sql: statement.sql,
                ours: statement.answer,
                theirs,
            });
        }
        Ok(asked)
    }
}

/// What our engine has taken, PostgreSQL has to take, too.
async fn fill(server: &Server, part: &ScriptPart) -> Result<(), String> {
    match server.ask(&part.sql).await {
        Ok(SqlAnswer::Refused { sqlstate, message }) => Err(format!(
            "PostgreSQL refuses what our engine has taken: {message} ({sqlstate})"
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The lab's scenario and choices, with one design.
fn request(lab: Lab, question: &Question) -> Result<Request, String> {
    let text = untrack(move || lab.texts.text()).ok_or("the scenario is still being loaded")?;
    let options = untrack(move || lab.choices.options())?;
    Ok(Request::Ask(protocol::Question {
        ticket: 0,
        slug: untrack(move || lab.texts.slug()),
        text,
        options: RunOptions {
            architectures: vec![question.architecture.clone()],
            ..options
        },
        experiment: Experiment::Script {
            probe: question.probe.clone(),
        },
    }))
}

/// A script on its way from a worker of its own: what others have asked of the lab's goes on.
struct Script {
    heard: Rc<RefCell<Arriving>>,
    arrived: Waiting,
}

#[derive(Default)]
struct Arriving {
    parts: Vec<ScriptPart>,
    end: Option<Result<PostgresScript, String>>,
}

impl Script {
    fn ask(asking: Asking, question: Request) -> Result<Script, String> {
        let heard = Rc::<RefCell<Arriving>>::default();
        let arrived = Waiting::new();
        let (listener, waiting) = (Rc::clone(&heard), arrived.clone());
        let question = Rc::new(question);
        let connection = Connection::open(move |reply| {
            let end = match reply {
                Heard::Reply(Reply::Ready { .. }) => {
                    let sent = asking
                        .held
                        .try_with_value(|held| held.connection.as_ref().map(|connection| connection.send(&question)));
                    match sent.flatten() {
                        Some(Err(error)) => Err(error),
                        _ => return,
                    }
                }
                Heard::Reply(Reply::ScriptPart { part, .. }) => return listener.borrow_mut().parts.push(part),
                Heard::Reply(Reply::Scripted { script, .. }) => script.open(),
                Heard::Reply(Reply::Refused { diagnostics, .. }) => {
                    let messages = diagnostics.into_iter().map(|diagnostic| diagnostic.message);
                    Err(messages.collect::<Vec<_>>().join("; "))
                }
                Heard::Reply(Reply::Panicked { message }) | Heard::Broken(message) => Err(message),
                Heard::Reply(_) => return,
            };
            listener.borrow_mut().end = Some(end);
            waiting.end();
        })?;
        asking.held.update_value(|held| held.connection = Some(connection));
        Ok(Script { heard, arrived })
    }

    async fn arrived(self) -> Result<(PostgresScript, Vec<ScriptPart>), String> {
        // It is never rejected.
        let _ = JsFuture::from(self.arrived.promise()).await;
        let Arriving { parts, end } = self.heard.take();
        let script = end.unwrap_or_else(|| Err("no script came".to_owned()))?;
        Ok((script, parts))
    }
}
