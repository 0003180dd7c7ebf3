//! From a serializable transaction's snapshot to the moment when nobody can overlap it any more.

use super::{MOST_KEPT, NEVER, Party, Safety, Sequence, SerialId, State};
use crate::SessionId;
use crate::storage::ids::Xid;
use crate::storage::transaction::Snapshot;

impl State {
    /// A transaction takes its snapshot now. False: it need not be watched.
    pub(super) fn begin(
        &mut self,
        serial: SerialId,
        session: SessionId,
        snapshot: Snapshot,
        xids: &[Xid],
        read_only: bool,
    ) -> bool {
        let writers = |party: &Party| !party.committed && !party.declared_read_only;
        let hazards: Vec<SerialId> = self
            .parties
            .iter()
            .filter(|(_, party)| read_only && writers(party) && !party.doomed)
            .map(|(serial, _)| *serial)
            .collect();
        if read_only && hazards.is_empty() {
            return false;
        }
        if self.finished.len() >= MOST_KEPT {
            self.summarize_oldest();
        }
        for hazard in &hazards {
            if let Some(writer) = self.parties.get_mut(hazard) {
                writer.hazards.push(serial);
            }
        }
        self.add(serial, session, snapshot, xids, read_only, hazards);
        true
    }

    /// A new one of the parties.
    pub(super) fn add(
        &mut self,
        serial: SerialId,
        session: SessionId,
        snapshot: Snapshot,
        xids: &[Xid],
        read_only: bool,
        hazards: Vec<SerialId>,
    ) {
        let last_commit_before_snapshot = self.last_commit;
        self.parties.insert(
            serial,
            Party {
                session,
                snapshot,
                declared_read_only: read_only,
                read_only,
                wrote: false,
                prepared: false,
                committed: false,
                doomed: false,
                conflict_out: false,
                old_conflict_in: false,
                old_conflict_out: false,
                safe: false,
                hazardous: false,
                waiting: false,
                last_commit_before_snapshot,
                prepare: NEVER,
                commit: NEVER,
                earliest_out: NEVER,
                finished_before: Xid::NONE,
                xids: Vec::new(),
                outward: Vec::new(),
                inward: Vec::new(),
                hazards,
                locks: Default::default(),
            },
        );
        for &xid in xids {
            self.note_xid(serial, xid);
        }
    }

    pub(super) fn note_xid(&mut self, serial: SerialId, xid: Xid) {
        if let Some(party) = self.parties.get_mut(&serial) {
            party.xids.push(xid);
            self.by_xid.insert(xid, serial);
        }
    }

    pub(super) fn note_write(&mut self, serial: SerialId) {
        if let Some(party) = self.parties.get_mut(&serial) {
            party.wrote = true;
        }
    }

    pub(super) fn safety(&mut self, serial: SerialId) -> Safety {
        match self.parties.get_mut(&serial) {
            None => Safety::Safe,
            Some(party) if party.safe => Safety::Safe,
            Some(party) if party.hazardous => Safety::Unsafe,
            Some(party) => {
                party.waiting = true;
                Safety::Open
            }
        }
    }

    /// The oldest snapshot of those that run.
    fn oldest_snapshot(&self) -> Option<Xid> {
        let running = self.parties.values().filter(|party| !party.committed);
        running.map(|party| party.snapshot.xmin).min()
    }

    /// The transaction has ended; `next` is the next transaction number.
    pub(super) fn end(&mut self, me: SerialId, committed: bool, next: Xid) {
        let before = self.oldest_snapshot();
        let commit = self.last_commit + 1;
        let Some(own) = self.parties.get_mut(&me).filter(|own| !own.committed) else {
            return;
        };
        own.finished_before = next;
        if committed {
            self.last_commit = commit;
            (own.committed, own.commit) = (true, commit);
            own.read_only |= !own.wrote;
        } else {
            (own.doomed, own.prepared) = (true, false);
        }
        let declared_read_only = own.declared_read_only;
        let writers = |party: &Party| !party.committed && !party.declared_read_only;
        let writer_left = self
            .parties
            .iter()
            .any(|(serial, party)| *serial != me && writers(party));
        if !declared_read_only && !writer_left {
            self.clear_through = self.last_commit;
        }
        self.settle_outward(me, committed);
        self.settle_inward(me, committed);
        self.settle_hazards(me, committed);
        if committed {
            self.finished.push_back(me);
        } else {
            self.forget(me);
        }
        if self.oldest_snapshot() != before {
            self.clear_old();
        }
    }

    /// Conflicts out to those that committed first matter from now on only as the first commit among them.
    fn settle_outward(&mut self, me: SerialId, committed: bool) {
        let Some(own) = self.parties.get(&me) else {
            return;
        };
        let writer = committed && !own.read_only;
        let mut earliest = own.earliest_out;
        if writer && own.old_conflict_out {
            // Nobody knows which one it was: the first that there can have been.
            earliest = 1;
        }
        let mut gone = Vec::new();
        for other in &own.outward {
            let Some(party) = self.parties.get(other) else {
                continue;
            };
            if writer && party.committed {
                earliest = earliest.min(party.prepare);
            }
            if !committed || party.committed || party.last_commit_before_snapshot >= self.last_commit {
                gone.push(*other);
            }
        }
        for other in gone {
            self.unflag(me, other);
        }
        if let Some(own) = self.parties.get_mut(&me) {
            own.conflict_out = earliest != NEVER;
            own.earliest_out = earliest;
        }
    }

    fn settle_inward(&mut self, me: SerialId, committed: bool) {
        let inward = self.parties.get(&me).map_or_else(Vec::new, |own| own.inward.clone());
        for other in inward {
            let over = |party: &Party| party.committed || party.read_only;
            if !committed || self.parties.get(&other).is_none_or(over) {
                self.unflag(other, me);
            }
        }
    }

    fn unflag(&mut self, reader: SerialId, writer: SerialId) {
        if let Some(party) = self.parties.get_mut(&reader) {
            party.outward.retain(|other| *other != writer);
        }
        if let Some(party) = self.parties.get_mut(&writer) {
            party.inward.retain(|other| *other != reader);
        }
    }

    /// Tells the read-only transactions beside a writer what its end means for them.
    fn settle_hazards(&mut self, me: SerialId, committed: bool) {
        let Some(own) = self.parties.get_mut(&me) else {
            return;
        };
        let hazards = std::mem::take(&mut own.hazards);
        let (reader, wrote) = (own.declared_read_only, own.wrote);
        let earliest = if own.conflict_out { own.earliest_out } else { NEVER };
        for other in hazards {
            let Some(party) = self.parties.get_mut(&other) else {
                continue;
            };
            party.hazards.retain(|hazard| *hazard != me);
            if reader {
                continue;
            }
            if committed && wrote && earliest <= party.last_commit_before_snapshot {
                party.hazardous = true;
                for writer in std::mem::take(&mut party.hazards) {
                    if let Some(writer) = self.parties.get_mut(&writer) {
                        writer.hazards.retain(|hazard| *hazard != other);
                    }
                }
            } else if party.hazards.is_empty() {
                party.safe = true;
            }
            if let Some(party) = self.parties.get(&other)
                && party.waiting
                && (party.safe || party.hazardous)
            {
                self.woken.push(party.session);
            }
        }
    }

    /// Forgets committed transactions that nobody overlaps any more.
    fn clear_old(&mut self) {
        let oldest = self.oldest_snapshot();
        let mut at = 0;
        while let Some(&serial) = self.finished.get(at) {
            let Some(party) = self.parties.get(&serial) else {
                self.finished.remove(at);
                continue;
            };
            let (commit, read_only) = (party.commit, party.read_only);
            if oldest.is_none_or(|oldest| party.finished_before <= oldest) {
                self.finished.remove(at);
                self.forget(serial);
            } else if commit > self.cleared_through && commit <= self.clear_through {
                // Those that run since before it committed only read.
                if read_only {
                    self.finished.remove(at);
                    self.forget(serial);
                } else {
                    self.unlock_all(serial);
                    self.drop_inward(serial, false);
                    at += 1;
                }
                self.cleared_through = commit;
            } else {
                break;
            }
        }
        let clear_through: Sequence = self.clear_through;
        self.old_locks.retain(|_, commit| *commit > clear_through);
        let needed = oldest.unwrap_or(Xid(u32::MAX));
        self.old_writers.retain(|xid, _| *xid >= needed);
    }

    fn drop_inward(&mut self, serial: SerialId, summarize: bool) {
        let Some(party) = self.parties.get_mut(&serial) else {
            return;
        };
        for other in std::mem::take(&mut party.inward) {
            if let Some(reader) = self.parties.get_mut(&other) {
                reader.outward.retain(|writer| *writer != serial);
                reader.old_conflict_out |= summarize;
            }
        }
    }

    fn drop_outward(&mut self, serial: SerialId, summarize: bool) {
        let Some(party) = self.parties.get_mut(&serial) else {
            return;
        };
        for other in std::mem::take(&mut party.outward) {
            if let Some(writer) = self.parties.get_mut(&other) {
                writer.inward.retain(|reader| *reader != serial);
                writer.old_conflict_in |= summarize;
            }
        }
    }

    fn forget(&mut self, serial: SerialId) {
        self.unlock_all(serial);
        self.drop_outward(serial, false);
        self.drop_inward(serial, false);
        self.remove(serial);
    }

    fn remove(&mut self, serial: SerialId) {
        if let Some(party) = self.parties.remove(&serial) {
            for xid in party.xids {
                self.by_xid.remove(&xid);
            }
        }
    }

    /// Of the oldest committed transaction only what it locked and what it had conflicts with is kept, without saying
    /// that it was this one.
    fn summarize_oldest(&mut self) {
        let Some(serial) = self.finished.pop_front() else {
            return;
        };
        let Some(party) = self.parties.get(&serial) else {
            return;
        };
        let (commit, earliest) = (party.commit, party.earliest_out);
        let xids = if party.read_only {
            Vec::new()
        } else {
            party.xids.clone()
        };
        for target in self.unlock_all(serial) {
            self.keep_old_lock(target, commit);
        }
        self.drop_outward(serial, true);
        self.drop_inward(serial, true);
        self.remove(serial);
        self.old_writers.extend(xids.into_iter().map(|xid| (xid, earliest)));
    }
}
