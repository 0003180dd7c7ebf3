#![allow(unreachable_pub, dead_code)]
//! TEMPORARY stand-in until the engine's server is merged.
use base::{Fingerprint, Nanos, Row, Time, Type, Value};
use engine_sql::*;
use std::collections::BTreeMap;
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    Idle,
    InTransaction,
    Failed,
}
#[derive(Clone, Debug, Default)]
pub struct ServerConfig {
    pub deadlock_timeout: Nanos,
    pub epoch_micros: i64,
}
#[derive(Clone, Copy, Debug, Default)]
pub struct Recovery {
    pub wal_bytes_replayed: u64,
}
#[derive(Clone, Debug, Default)]
pub struct Server {
    next: u32,
    texts: Vec<String>,
    sessions: BTreeMap<SessionId, S>,
    wal: u64,
    flushed: u64,
    down: bool,
}
#[derive(Clone, Debug, Default)]
struct S {
    tx: bool,
    wrote: bool,
    sql: String,
    flushing: bool,
    usage: Usage,
    cancelled: bool,
}
impl Server {
    pub fn new(_: ServerConfig) -> Server {
        Server::default()
    }
    pub fn create_database(&mut self, _: &str) -> Result<(), SqlError> {
        Ok(())
    }
    pub fn connect(&mut self, _: &str, _: &str, _: Time) -> Result<SessionId, SqlError> {
        self.next += 1;
        self.sessions.insert(SessionId(self.next), S::default());
        Ok(SessionId(self.next))
    }
    pub fn disconnect(&mut self, s: SessionId, _: Time) {
        self.sessions.remove(&s);
    }
    pub fn prepare(&mut self, _: SessionId, sql: &str) -> Result<StatementId, SqlError> {
        if let Some(i) = self.texts.iter().position(|t| t == sql) {
            return Ok(StatementId(i as u32));
        }
        self.texts.push(sql.to_owned());
        Ok(StatementId(self.texts.len() as u32 - 1))
    }
    pub fn start(&mut self, s: SessionId, id: StatementId, _: &[Value], _: Time) {
        let t = self.texts[id.0 as usize].clone();
        if let Some(x) = self.sessions.get_mut(&s) {
            x.sql = t;
            x.flushing = false;
        }
    }
    pub fn resume(&mut self, s: SessionId, _: Time, _: &mut u64) -> Progress {
        let Some(x) = self.sessions.get_mut(&s) else {
            unreachable!()
        };
        let verb = match x.sql.split(' ').next() {
            Some("BEGIN") => "BEGIN",
            Some("COMMIT") => "COMMIT",
            Some("ROLLBACK") => "ROLLBACK",
            Some("SELECT") => "SELECT",
            _ => "UPDATE",
        };
        if x.cancelled {
            x.cancelled = false;
            return Progress::Done(Err(SqlError {
                sqlstate: "57014",
                message: "canceling".into(),
                detail: None,
                hint: None,
                position: None,
            }));
        }
        x.usage.index_probes += 1;
        if verb == "UPDATE" && !x.flushing {
            x.wrote = true;
            self.wal += 100;
            x.usage.wal_bytes += 100;
        }
        if x.wrote && !x.flushing && (verb == "COMMIT" || (verb == "UPDATE" && !x.tx)) {
            x.flushing = true;
            return Progress::Flush(Lsn(self.wal));
        }
        match verb {
            "BEGIN" => x.tx = true,
            "COMMIT" | "ROLLBACK" => {
                x.tx = false;
                x.wrote = false
            }
            _ => {}
        }
        if !x.tx {
            x.wrote = false;
        }
        Progress::Done(Ok(Output {
            tag: Tag { verb, rows: Some(1) },
            ..Output::default()
        }))
    }
    pub fn cancel(&mut self, s: SessionId) {
        if let Some(x) = self.sessions.get_mut(&s) {
            x.cancelled = true;
        }
    }
    pub fn wal_position(&self) -> Lsn {
        Lsn(self.wal)
    }
    pub fn flushed_position(&self) -> Lsn {
        Lsn(self.flushed)
    }
    pub fn flushed(&mut self, up_to: Lsn) {
        self.flushed = up_to.0;
    }
    pub fn drain_woken(&mut self, _: &mut Vec<SessionId>) {}
    pub fn take_usage(&mut self, s: SessionId) -> Usage {
        self.sessions
            .get_mut(&s)
            .map(|x| std::mem::take(&mut x.usage))
            .unwrap_or_default()
    }
    pub fn transaction_status(&self, s: SessionId) -> TransactionStatus {
        if self.sessions.get(&s).is_some_and(|x| x.tx) {
            TransactionStatus::InTransaction
        } else {
            TransactionStatus::Idle
        }
    }
    pub fn start_parsed(&mut self) {}
    pub fn load(&mut self, _: &str, _: &str, rows: &mut dyn Iterator<Item = Row>) -> Result<u64, SqlError> {
        Ok(rows.count() as u64)
    }
    pub fn crash(&mut self) {
        self.sessions.clear();
        self.down = true;
    }
    pub fn recover(&mut self) -> Recovery {
        self.down = false;
        Recovery::default()
    }
    pub fn read(&self, _: &str, _: &str) -> Result<Output, SqlError> {
        Ok(Output::default())
    }
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&(self.wal, self.flushed))
    }
}
#[derive(Clone, Copy, Debug)]
pub struct EphemeralTable<'a> {
    pub name: &'a str,
    pub columns: &'a [(String, Type)],
    pub rows: &'a [Row],
}
pub fn evaluate(_: &[EphemeralTable<'_>], _: &str, _: &[Value]) -> Result<(Output, Usage), SqlError> {
    Ok(Default::default())
}
