//! A standby: another server that is fed with a primary's WAL, can be read, and can take the primary's place.
//!
//! ```text
//! primary's WAL ──receive──▶ │ received, not applied │ ──apply──▶ what a read there sees
//!        flushed ≥ received ≥ applied                            promote: a server of its own
//! ```
//!
//! Who ships, how late and over which link is the caller's affair, as is telling the primary how far the standby has
//! come ([`Server::acknowledge`]). What the primary had committed and not shipped is lost by a promotion.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::error::error;
use crate::server::{Server, ServerConfig};
use crate::storage::{DatabaseId, Storage};
use crate::{Lsn, Output, SqlError};

/// See the module's text. `Clone` forks it.
#[derive(Clone, Debug)]
pub struct Standby {
    /// In recovery, up to `applied`; its WAL is what was received.
    storage: Storage,
    applied: Lsn,
    catalogs: Vec<(Lsn, Arc<Catalog>)>,
    sequences: BTreeMap<(DatabaseId, Arc<str>), i64>,
    config: ServerConfig,
}

impl Standby {
    /// A copy of what is durable on the primary.
    pub fn of(primary: &Server) -> Standby {
        let mut storage = primary.core.storage.clone();
        storage.crash();
        let from = storage.begin_recovery();
        let (applied, _) = storage.replay_until(from, storage.wal_position());
        Standby {
            storage,
            applied,
            catalogs: primary.core.history.clone(),
            sequences: primary.core.sequences.clone(),
            config: primary.core.config,
        }
    }

    /// The WAL up to here is there.
    pub fn received(&self) -> Lsn {
        self.storage.wal_position()
    }

    /// Who reads sees what was committed up to here.
    pub fn applied(&self) -> Lsn {
        self.applied
    }

    /// Takes over what the primary has flushed, at most up to a position. Where it has come to.
    ///
    /// Refused with 58P01 if the primary no longer has the WAL that this standby needs next.
    pub fn receive(&mut self, primary: &Server, up_to: Lsn) -> Result<Lsn, SqlError> {
        let source = &primary.core.storage;
        if source.wal_start() > self.applied {
            let message = format!("requested WAL from {} on has already been removed", self.applied.0);
            return Err(*error("58P01", message));
        }
        if up_to > self.received() {
            self.storage.receive_wal(source, self.applied, up_to);
            let known = self.catalogs.last().map_or(Lsn(0), |(lsn, _)| *lsn);
            let newer = primary.core.history.iter().filter(|(lsn, _)| *lsn > known);
            self.catalogs.extend(newer.cloned());
            self.sequences.clone_from(&primary.core.sequences);
        }
        Ok(self.received())
    }

    /// Applies what was received, at most up to a position. Where it has come to.
    pub fn apply(&mut self, up_to: Lsn) -> Lsn {
        (self.applied, _) = self.storage.replay_until(self.applied, up_to);
        let current = self.catalogs.iter().rposition(|(lsn, _)| *lsn <= self.applied);
        self.catalogs.drain(..current.unwrap_or(0));
        self.applied
    }

    /// A query's rows as of what is applied.
    pub fn read(&self, database: &str, sql: &str) -> Result<Output, SqlError> {
        self.clone().end_recovery().read(database, sql)
    }

    /// Applies what it has received and becomes a server of its own, without sessions. Prepared transactions stay
    /// prepared.
    pub fn promote(mut self) -> Server {
        self.apply(self.received());
        let mut server = self.end_recovery();
        server.checkpoint();
        server
    }

    fn end_recovery(mut self) -> Server {
        self.storage.end_recovery();
        let catalog = self.catalogs.iter().rev().find(|(lsn, _)| *lsn <= self.applied);
        let catalog = catalog.map_or_else(|| Arc::new(Catalog::new()), |(_, catalog)| catalog.clone());
        let mut server = Server::new(self.config);
        server.core.storage = self.storage;
        server.core.catalog = catalog.clone();
        server.core.sequences = self.sequences;
        server.core.history = vec![(Lsn(0), catalog)];
        server
    }
}
