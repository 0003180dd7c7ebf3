//! Serializable transactions that are prepared: what they have read outlives their session, and a crash.

use std::sync::Arc;

use super::target::Target;
use super::{Sequence, SerialId, Serializables};
use crate::SessionId;
use crate::storage::ids::{CommandId, Xid};
use crate::storage::transaction::Snapshot;

/// What the record of a prepared transaction says of its reading.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reads {
    pub(crate) read_only: bool,
    /// All transactions before this one had ended when it took its snapshot.
    pub(crate) xmin: Xid,
    /// Its SIREAD locks.
    pub(crate) targets: Vec<[u32; 3]>,
}

/// Where the order of commits begins anew: all that were prepared before a crash come first.
const BEFORE_THE_CRASH: Sequence = 1;

impl Serializables {
    /// `None`: it need not be watched any more.
    pub(crate) fn reads(&self, serial: SerialId) -> Option<Reads> {
        let party = self.get()?.parties.get(&serial)?;
        Some(Reads {
            read_only: party.declared_read_only,
            xmin: party.snapshot.xmin,
            targets: party.held().map(Target::pack).collect(),
        })
    }

    /// The transaction is prepared, and its session's no longer. As PostgreSQL does, it counts as one that has
    /// written.
    pub(crate) fn hand_over(&mut self, serial: SerialId, heir: SessionId) {
        if let Some(party) = self.get_mut().and_then(|state| state.parties.get_mut(&serial)) {
            party.session = heir;
            party.wrote = true;
        }
    }

    /// A prepared transaction is back after a crash. What conflicts it had is lost: it is taken to have one in
    /// either direction.
    pub(crate) fn revive(&mut self, session: SessionId, xids: Vec<Xid>, next: Xid, reads: &Reads) -> SerialId {
        let serial = SerialId(self.next);
        self.next += 1;
        let state = Arc::make_mut(self.state.get_or_insert_default());
        let snapshot = Snapshot {
            xmin: reads.xmin,
            xmax: next,
            running: Arc::from([]),
            own: xids.first().copied(),
            command: CommandId::FIRST,
        };
        state.add(serial, session, snapshot, &xids, reads.read_only, Vec::new());
        state.last_commit = state.last_commit.max(BEFORE_THE_CRASH);
        if let Some(party) = state.parties.get_mut(&serial) {
            (party.prepared, party.wrote) = (true, true);
            party.prepare = BEFORE_THE_CRASH;
            party.last_commit_before_snapshot = BEFORE_THE_CRASH;
            (party.old_conflict_in, party.old_conflict_out) = (true, true);
        }
        for target in &reads.targets {
            state.lock(serial, Target::unpack(*target));
        }
        serial
    }
}
