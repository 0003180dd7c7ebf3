//! `adr-lab sql`: SQL on standard input, executed on a fresh server, printed as `psql -X -q` prints it.
//!
//! ```text
//! script ─pieces (to `;` or a backslash)→ query buffer ─`;`→ statement ─server→ table | error
//!                                    └→ backslash command (`commands`)
//! ```
//!
//! Errors and results go to one output, in order. A statement that fails does not stop the script.

mod commands;
mod report;
mod table;
mod variables;

use std::io::{self, Read, Write};

use base::{Nanos, Time};
use engine_sql::{Output, Progress, Server, ServerConfig, SessionId, SqlError};
use syntax::{Dialect, PieceEnd};

use variables::Variables;

/// Runs the script until its end or `\q`.
pub(crate) fn run(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let Ok(script) = String::from_utf8(bytes) else {
        return writeln!(output, "ERROR:  invalid byte sequence for encoding \"UTF8\"");
    };
    match Client::connect(output) {
        Ok(mut client) => client.script(&script),
        Err(error) => Err(io::Error::other(error.message)),
    }
}

/// Whether to go on with the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

/// The state that psql keeps between statements.
struct Client<'a, W: Write> {
    out: &'a mut W,
    server: Server,
    session: SessionId,
    database: String,
    role: String,
    now: Time,
    variables: Variables,
    null: String,
    tuples_only: bool,
    /// What has been read of the statement so far.
    buffer: String,
}

const DATABASE: &str = "postgres";
const SUPERUSER: &str = "postgres";

/// How far virtual time moves with each statement.
const TICK: Nanos = Nanos::from_millis(1);

impl<'a, W: Write> Client<'a, W> {
    fn connect(out: &'a mut W) -> Result<Client<'a, W>, SqlError> {
        let mut server = Server::new(ServerConfig::default());
        let session = server.connect(DATABASE, SUPERUSER, Time::ZERO)?;
        Ok(Client {
            out,
            server,
            session,
            database: DATABASE.to_owned(),
            role: SUPERUSER.to_owned(),
            now: Time::ZERO,
            variables: Variables::new(),
            null: String::new(),
            tuples_only: false,
            buffer: String::new(),
        })
    }

    fn script(&mut self, script: &str) -> io::Result<()> {
        let mut at = 0;
        let mut parentheses = 0;
        loop {
            let piece = syntax::next_piece(script, at, parentheses);
            parentheses = piece.parentheses;
            match piece.end {
                PieceEnd::Semicolon => {
                    // The semicolon is sent, too: errors point at it.
                    self.buffer.push_str(&script[at..piece.next]);
                    at = piece.next;
                    if self.send()? == Flow::Stop {
                        return Ok(());
                    }
                }
                PieceEnd::Backslash => {
                    self.buffer.push_str(&script[at..piece.next]);
                    let (flow, next) = self.command(script, piece.next)?;
                    if flow == Flow::Stop {
                        return Ok(());
                    }
                    at = next;
                    if self.buffer.is_empty() {
                        parentheses = 0;
                    }
                }
                PieceEnd::Text { .. } => {
                    let rest = &script[at..];
                    self.buffer.push_str(rest.strip_suffix('\n').unwrap_or(rest));
                    self.send()?;
                    return Ok(());
                }
            }
        }
    }

    /// Executes the query buffer and empties it.
    fn send(&mut self) -> io::Result<Flow> {
        let text = std::mem::take(&mut self.buffer);
        let Some(replaced) = self.variables.interpolate(&text) else {
            return self.statement(sent(&text));
        };
        // A variable may hold several statements.
        for (statement, _) in syntax::split_script(&replaced) {
            if self.statement(statement)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::GoOn)
    }

    fn statement(&mut self, text: &str) -> io::Result<Flow> {
        let Some(result) = self.execute(text) else {
            return Ok(Flow::GoOn);
        };
        match result {
            Ok(output) => self.show(&output)?,
            Err(error) => {
                self.failed(text, &error)?;
                if self.variables.is_on("ON_ERROR_STOP") {
                    return Ok(Flow::Stop);
                }
            }
        }
        Ok(Flow::GoOn)
    }

    fn failed(&mut self, text: &str, error: &SqlError) -> io::Result<()> {
        self.variables.set("ERROR", "true");
        self.variables.set("SQLSTATE", error.sqlstate);
        self.variables.set("ROW_COUNT", "0");
        self.variables.set("LAST_ERROR_SQLSTATE", error.sqlstate);
        self.variables.set("LAST_ERROR_MESSAGE", &error.message);
        report::error(self.out, text, error)
    }

    fn show(&mut self, output: &Output) -> io::Result<()> {
        for notice in &output.notices {
            report::notice(self.out, notice)?;
        }
        self.variables.set("ERROR", "false");
        self.variables.set("SQLSTATE", "00000");
        self.variables
            .set("ROW_COUNT", &output.tag.rows.unwrap_or(0).to_string());
        if gives_rows(output) {
            table::print(self.out, output, &self.null, self.tuples_only)?;
        }
        Ok(())
    }

    /// `None` if there is nothing but white space and comments.
    fn execute(&mut self, text: &str) -> Option<Result<Output, SqlError>> {
        if syntax::split_script(text).is_empty() {
            return None;
        }
        self.now += TICK;
        Some(match syntax::parse_statement(text, Dialect::Postgres) {
            Ok(statement) => {
                self.server.start_parsed(self.session, &statement, &[], self.now);
                self.finish()
            }
            Err(error) => Err(self.server.refuse(self.session, error)),
        })
    }

    /// Lets the statement that was started come to its end.
    fn finish(&mut self) -> Result<Output, SqlError> {
        loop {
            let mut fuel = u64::MAX;
            match self.server.resume(self.session, self.now, &mut fuel) {
                Progress::Done(result) => return result,
                Progress::Flush(lsn) => self.server.flushed(lsn),
                Progress::OutOfFuel => {}
                // There is no other session that could end the wait: only time can.
                Progress::Blocked(blocker) => match blocker.deadline {
                    Some(deadline) if deadline > self.now => self.now = deadline,
                    _ => self.server.cancel(self.session),
                },
            }
        }
    }
}

/// What of the buffer psql sends: white space and line comments in front stay behind.
fn sent(text: &str) -> &str {
    let mut text = text.trim_start();
    while text.starts_with("--") {
        text = text.find('\n').map_or("", |end| text[end..].trim_start());
    }
    text
}

/// Also a query without columns is shown.
fn gives_rows(output: &Output) -> bool {
    !output.columns.is_empty() || output.tag.verb == "SELECT"
}
