//! PostgreSQL itself in the page: bindings to PGlite, PostgreSQL 18 compiled to WebAssembly.
//!
//! ```text
//! slot() ─▶ Server::new ─▶ load (files: fetched once, then from the cache) ─▶ start (an empty server) ─▶ ask … ─▶ closed
//!   two at most                                                                 └──────── again ◀──────────┘
//! ```
//!
//! Each server lives in a worker of its own (`worker.js`, packed by `xtask/pglite.mjs`): its WebAssembly keeps a thread
//! busy for as long as a statement takes, and memory of about 190 MB is given back only when the worker ends.
//!
//! **Architecture invariants.** Nothing is fetched before somebody asks, and never from another site. One connection
//! to one database: what several sessions would do to each other cannot be asked here.

mod line;
mod slot;

use std::fmt;

use program::SqlAnswer;

use line::{Line, Question, Said};
pub use slot::{AT_ONCE, Slot, slot};

/// Why there is no answer. What PostgreSQL refuses is an answer: [`SqlAnswer::Refused`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Files of the site that cannot be had, a browser that lacks something.
    Unavailable(String),
    /// It was closed while somebody waited.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unavailable(why) => write!(f, "PostgreSQL cannot be had in this browser: {why}"),
            Error::Closed => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {}

/// A server with its worker; the last copy takes both along.
#[derive(Clone, Debug)]
pub struct Server {
    line: Line,
}

impl Server {
    /// `folder`: where the site keeps PGlite, relative to the page, with a slash at its end.
    ///
    /// # Errors
    ///
    /// The browser starts no worker.
    pub fn new(slot: Slot, folder: &str) -> Result<Server, Error> {
        let line = Line::open(slot, &format!("{folder}worker.js"))?;
        Ok(Server { line })
    }

    /// Gets the files and compiles them; `told` hears how many bytes of how many are there.
    ///
    /// # Errors
    ///
    /// A file cannot be had, or the server was closed.
    pub async fn load(&self, told: impl Fn(u64, u64) + 'static) -> Result<(), Error> {
        self.line.ask(Question::Load, Some(Box::new(told))).await.map(drop)
    }

    /// An empty server in the place of the one before; gives its version, as it words it.
    ///
    /// # Errors
    ///
    /// It does not start, or was closed.
    pub async fn start(&self) -> Result<String, Error> {
        match self.line.ask(Question::Start, None).await? {
            Said::Started { version, .. } => Ok(version),
            other => Err(other.unexpected()),
        }
    }

    /// What it answers to the last one of some statements. The first that it refuses ends them.
    ///
    /// # Errors
    ///
    /// The server was closed, or its worker broke.
    pub async fn ask(&self, sql: &str) -> Result<SqlAnswer, Error> {
        match self.line.ask(Question::Sql(sql), None).await? {
            Said::Answered { answer, .. } => Ok(answer),
            other => Err(other.unexpected()),
        }
    }

    /// Ends it at once; whoever waits hears [`Error::Closed`].
    pub fn close(&self) {
        self.line.close();
    }
}
