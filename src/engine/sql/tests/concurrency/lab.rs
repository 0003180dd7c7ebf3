//! A server with named sessions, driven by hand.

use base::{Time, Value};
use engine_sql::{Blocker, Lsn, Output, Progress, Server, ServerConfig, SessionId, SqlError};
use syntax::Dialect;

/// Clone forks the whole of it.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) now: Time,
    /// Whether a commit's flush is done at once.
    pub(crate) flushes: bool,
}

/// Where a statement has come to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum At {
    Done(Result<Output, SqlError>),
    Blocked(Blocker),
    Flush(Lsn),
}

impl At {
    pub(crate) fn tag(&self) -> String {
        match self {
            At::Done(Ok(output)) => {
                let rows = output.tag.rows.map_or(String::new(), |rows| format!(" {rows}"));
                format!("{}{rows}", output.tag.verb)
            }
            At::Done(Err(refusal)) => format!("{}: {}", refusal.sqlstate, refusal.message),
            At::Blocked(blocker) => format!("waits for {}", blocker.what),
            At::Flush(_) => "flush".to_owned(),
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        matches!(self, At::Blocked(_))
    }
}

impl Lab {
    pub(crate) fn new(script: &str) -> Lab {
        let mut server = Server::new(ServerConfig::default());
        server.run_script("postgres", script).expect("a correct script");
        Lab {
            server,
            now: Time::ZERO,
            flushes: true,
        }
    }

    pub(crate) fn connect(&mut self) -> SessionId {
        self.server
            .connect("postgres", "postgres", self.now)
            .expect("a session")
    }

    pub(crate) fn start(&mut self, session: SessionId, sql: &str) {
        let statement =
            syntax::parse_statement(sql, Dialect::Postgres).unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
        self.server.start_parsed(session, &statement, &[], self.now);
    }

    /// Starts a statement and goes on until it ends or waits.
    pub(crate) fn run(&mut self, session: SessionId, sql: &str) -> At {
        self.start(session, sql);
        self.resume(session)
    }

    pub(crate) fn resume(&mut self, session: SessionId) -> At {
        loop {
            match self.server.resume(session, self.now, &mut 1_000_000) {
                Progress::Done(result) => return At::Done(result),
                Progress::Blocked(blocker) => return At::Blocked(blocker),
                Progress::Flush(lsn) if self.flushes => self.server.flushed(lsn),
                Progress::Flush(lsn) => return At::Flush(lsn),
                Progress::OutOfFuel => {}
            }
        }
    }

    /// Runs statements that must end well.
    pub(crate) fn all(&mut self, session: SessionId, statements: &[&str]) {
        for sql in statements {
            let at = self.run(session, sql);
            assert!(matches!(at, At::Done(Ok(_))), "{sql}: {}", at.tag());
        }
    }

    pub(crate) fn woken(&mut self) -> Vec<SessionId> {
        let mut woken = Vec::new();
        self.server.drain_woken(&mut woken);
        woken
    }

    /// What an observer sees: values of a row with commas, rows with semicolons.
    pub(crate) fn read(&self, sql: &str) -> String {
        let output = self
            .server
            .read("postgres", sql)
            .unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
        let rows = output
            .rows
            .iter()
            .map(|row| row.iter().map(Value::to_string).collect::<Vec<_>>().join(","));
        rows.collect::<Vec<_>>().join(";")
    }
}
