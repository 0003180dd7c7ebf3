//! An observer outside of time: what has been committed and made visible, without a lock, without any effect on
//! the server.

use std::collections::BTreeMap;

use base::Time;
use syntax::{Dialect, Statement};

use crate::error::{error, state};
use crate::server::Server;
use crate::{Output, Progress, SqlError};

impl Server {
    /// A query's rows as the observer sees them.
    pub fn read(&self, database: &str, sql: &str) -> Result<Output, SqlError> {
        let mut outputs = self.read_all([(database, sql)])?;
        Ok(outputs.pop().unwrap_or_default())
    }

    /// Several queries, each of a database: one look, which costs little more than the first of them.
    pub fn read_all<'a>(&self, queries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<Output>, SqlError> {
        let mut server = self.settled();
        let mut parsed: BTreeMap<&str, Statement> = BTreeMap::new();
        let mut outputs = Vec::new();
        for (database, sql) in queries {
            if !parsed.contains_key(sql) {
                parsed.insert(sql, query(sql)?);
            }
            outputs.push(server.observe(database, &parsed[sql])?);
        }
        Ok(outputs)
    }

    fn observe(&mut self, database: &str, query: &Statement) -> Result<Output, SqlError> {
        let session = self.connect(database, "postgres", Time::ZERO)?;
        self.start_parsed(session, query, &[], Time::ZERO);
        let result = loop {
            match self.resume(session, Time::ZERO, &mut u64::MAX.clone()) {
                Progress::Done(result) => break result,
                Progress::Flush(lsn) => self.flushed(lsn),
                Progress::Blocked(blocker) => {
                    let message = format!("an observer would wait for {}", blocker.what);
                    break Err(*error(state::LOCK_NOT_AVAILABLE, message));
                }
                Progress::OutOfFuel => {}
            }
        };
        self.disconnect(session, Time::ZERO);
        result
    }
}

fn query(sql: &str) -> Result<Statement, SqlError> {
    let statement =
        syntax::parse_statement(sql, Dialect::Postgres).map_err(|refusal| *Box::<SqlError>::from(refusal))?;
    match statement {
        Statement::Query(_) => Ok(statement),
        _ => Err(*error(state::FEATURE_NOT_SUPPORTED, "an observer can only run queries")),
    }
}
