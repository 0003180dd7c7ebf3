//! The end of a transaction: its record is written, flushed, perhaps sent to a standby, and then takes effect.
//!
//! ```text
//! write ─▶ (flush) ─▶ (synchronous standby) ─▶ take_effect: visible, locks given back or handed on
//!    └── synchronous_commit = off: at once ────────▲
//! ```

use base::Time;
use syntax::Statement;

use crate::control::tagged;
use crate::error::{Fallible, error, state};
use crate::replication::Asks;
use crate::server::Core;
use crate::session::{Ending, SessionState};
use crate::storage::Xid;
use crate::{Blocker, Lsn, Notice, Output, Progress};

/// An end whose record is written.
#[derive(Clone, Debug, Hash)]
pub(crate) struct End {
    of: Of,
    lsn: Lsn,
    output: Output,
    awaits: Awaits,
}

/// Whose end.
#[derive(Clone, Copy, Debug, Hash)]
enum Of {
    /// The session's own transaction commits, or is prepared.
    Commit(Xid),
    Prepare(Xid),
    /// A prepared transaction ends: whether it is committed or rolled back stands in the record.
    Prepared(Xid),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Awaits {
    Flush,
    Standby(Asks),
    Nothing,
}

/// What writing the record came to.
pub(crate) enum Wrote {
    End(End),
    /// There is nothing to be written: it is over.
    Nothing(Output),
}

impl End {
    /// The end of the session's own transaction, as COMMIT or PREPARE TRANSACTION has asked for it.
    pub(crate) fn write(output: Output, session: &mut SessionState, core: &mut Core, now: Time) -> Fallible<Wrote> {
        session.check_commit(core)?;
        let before = core.storage.wal_position();
        let (of, lsn, awaits) = match (session.transaction.ending.take(), session.transaction.xid) {
            (Some(Ending::Prepare(id)), _) => {
                let (xid, lsn) = session.prepare(id, core, now)?;
                (Of::Prepare(xid), lsn, Awaits::Flush)
            }
            (_, Some(xid)) => {
                let waits = session.waits_for_flush() || core.storage.drops(xid);
                let awaits = if waits { Awaits::Flush } else { Awaits::Nothing };
                (Of::Commit(xid), core.storage.commit(xid), awaits)
            }
            (_, None) => return Ok(Wrote::Nothing(output)),
        };
        session.usage.wal_bytes += lsn.0.saturating_sub(before.0);
        core.note_catalog(lsn);
        if awaits == Awaits::Nothing {
            core.unawaited = lsn;
        }
        Ok(Wrote::End(End {
            of,
            lsn,
            output,
            awaits,
        }))
    }

    /// The end of a prepared transaction: COMMIT PREPARED or ROLLBACK PREPARED. `None`: the statement is neither.
    pub(crate) fn of_prepared(
        statement: &Statement,
        session: &mut SessionState,
        core: &mut Core,
    ) -> Fallible<Option<End>> {
        let (id, commits, verb) = match statement {
            Statement::CommitPrepared(id) => (id, true, "COMMIT PREPARED"),
            Statement::RollbackPrepared(id) => (id, false, "ROLLBACK PREPARED"),
            _ => return Ok(None),
        };
        if session.transaction.explicit {
            let message = format!("{verb} cannot run inside a transaction block");
            return Err(error(state::ACTIVE_SQL_TRANSACTION, message));
        }
        let role = session.current_user();
        let superuser = core.catalog.authority(role, &[]).superuser;
        let xid = core.storage.find_prepared(id, role, superuser, session.database)?;
        let before = core.storage.wal_position();
        let lsn = core.storage.end_prepared(xid, commits);
        session.usage.wal_bytes += lsn.0.saturating_sub(before.0);
        core.note_catalog(lsn);
        Ok(Some(End {
            of: Of::Prepared(xid),
            lsn,
            output: tagged(verb),
            awaits: Awaits::Flush,
        }))
    }

    /// Goes on as far as it can. `gives_up`: the session is told to wait no longer; what is flushed is committed all
    /// the same.
    pub(crate) fn go_on(&mut self, session: &mut SessionState, core: &mut Core, gives_up: bool) -> Option<Progress> {
        if self.awaits == Awaits::Flush {
            if core.storage.flushed_position() < self.lsn {
                return Some(Progress::Flush(self.lsn));
            }
            self.awaits = session.asks_of_standby().map_or(Awaits::Nothing, Awaits::Standby);
        }
        if let Awaits::Standby(asks) = self.awaits
            && !core.replication.reached(session.id, self.lsn, asks)
        {
            if !gives_up {
                return Some(Progress::Blocked(Blocker {
                    what: format!("the standby at {}", self.lsn.0),
                    holders: Vec::new(),
                    deadline: None,
                }));
            }
            core.replication.cancel_wait(session.id);
            self.output.notices.push(alone());
        }
        None
    }

    /// Makes a commit visible; gives locks back, or hands them on. What the statement has given.
    pub(crate) fn take_effect(self, session: &mut SessionState, core: &mut Core) -> Output {
        match self.of {
            Of::Commit(xid) => {
                core.storage.finish_commit(xid);
                core.commit_catalog(&session.transaction.xids);
                session.finish(core);
            }
            Of::Prepare(xid) => {
                core.storage.finish_prepare(session.id, xid);
                session.hand_over(core);
            }
            Of::Prepared(xid) => core.finish_prepared(xid),
        }
        self.output
    }
}

fn alone() -> Notice {
    let message = "canceling wait for synchronous replication due to user request";
    let detail = "The transaction has already committed locally, but might not have been replicated to the standby.";
    Notice {
        severity: "WARNING",
        message: message.to_owned(),
        detail: Some(detail.to_owned()),
    }
}
