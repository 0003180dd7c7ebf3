//! Who must come before whom: rw-conflicts, and the structures of two of them that are dangerous.

use super::target::Target;
use super::{Checked, NEVER, Party, Sequence, SerialId, SerializationFailure, State};
use crate::storage::ids::Xid;

impl State {
    fn flags(&self, serial: SerialId) -> Option<&Party> {
        self.parties.get(&serial)
    }

    /// Whether this transaction's reads still have to be watched. A read-only one that turns out to be safe is let go.
    pub(super) fn watches_reads(&mut self, serial: SerialId) -> bool {
        match self.flags(serial) {
            None => false,
            Some(party) if party.safe => {
                self.end(serial, false, Xid::NONE);
                false
            }
            Some(_) => true,
        }
    }

    pub(super) fn check_doomed(&self, serial: SerialId, during: &str) -> Checked<()> {
        if self.flags(serial).is_some_and(|party| party.doomed) {
            let reason = format!("Canceled on identification as a pivot, during {during}");
            return Err(SerializationFailure::new(reason));
        }
        Ok(())
    }

    /// The transaction does not see what `writer` has written to a row that it reads.
    pub(super) fn conflict_out(&mut self, me: SerialId, writer: Xid) -> Checked<()> {
        let Some(&other) = self.by_xid.get(&writer) else {
            return self.conflict_out_to_old(me, writer);
        };
        let Some(party) = self
            .parties
            .get_mut(&other)
            .filter(|party| other != me && !party.doomed)
        else {
            return Ok(());
        };
        if party.old_conflict_out {
            // What it has a conflict out to committed first, nobody knows when: somebody must go.
            if party.prepared {
                return Err(SerializationFailure::new("Canceled on conflict out to old pivot"));
            }
            party.doomed = true;
            return Ok(());
        }
        let (Some(own), Some(party)) = (self.parties.get(&me), self.parties.get(&other)) else {
            return Ok(());
        };
        let runs_first = own.read_only
            && party.committed
            && (!party.conflict_out || own.last_commit_before_snapshot < party.earliest_out);
        let concurrent = own.snapshot.is_running(writer);
        if runs_first || !concurrent || own.outward.contains(&other) {
            return Ok(());
        }
        self.flag(me, other, me)
    }

    /// The same, where the writer has been summarised (or was not serializable).
    fn conflict_out_to_old(&mut self, me: SerialId, writer: Xid) -> Checked<()> {
        let (Some(&earliest), Some(own)) = (self.old_writers.get(&writer), self.parties.get_mut(&me)) else {
            return Ok(());
        };
        if earliest != NEVER && (!own.read_only || earliest <= own.last_commit_before_snapshot) {
            let reason = format!("Canceled on conflict out to old pivot {writer}");
            return Err(SerializationFailure::new(reason));
        }
        if own.old_conflict_in || !own.inward.is_empty() {
            let reason = "Canceled on identification as a pivot, with conflict out to old committed transaction";
            return Err(SerializationFailure::new(format!("{reason} {writer}")));
        }
        own.old_conflict_out = true;
        Ok(())
    }

    /// The transaction writes to something: those who have locked it have read it as it was. `top_level`: outside of
    /// any savepoint, so that its own lock on a row can go (its write says more, unless that is rolled back).
    pub(super) fn conflict_in(&mut self, me: SerialId, target: Target, top_level: bool) -> Checked<()> {
        if let Some(commit) = self.old_locks.get(&target).copied() {
            self.conflict_in_from_old(me, commit)?;
        }
        for holder in self.holders.get(&target).cloned().unwrap_or_default() {
            let (Some(own), Some(other)) = (self.parties.get(&me), self.parties.get(&holder)) else {
                continue;
            };
            if holder == me {
                continue;
            }
            let overlaps = !other.committed || own.snapshot.xmin < other.finished_before;
            if !other.doomed && overlaps && !other.outward.contains(&me) {
                self.flag(holder, me, me)?;
            }
        }
        if top_level && target.is_row() {
            self.unlock(me, target);
        }
        Ok(())
    }

    /// A summarised reader, the last of whose kind committed at `commit`.
    fn conflict_in_from_old(&mut self, me: SerialId, commit: Sequence) -> Checked<()> {
        let Some(own) = self.parties.get(&me) else {
            return Ok(());
        };
        if commit <= own.last_commit_before_snapshot {
            return Ok(());
        }
        let first_out = |other: &SerialId| self.flags(*other).is_some_and(|t3| t3.prepared && t3.prepare <= commit);
        if own.old_conflict_out || own.outward.iter().any(first_out) {
            return Err(pivot("write"));
        }
        if let Some(own) = self.parties.get_mut(&me) {
            own.old_conflict_in = true;
        }
        Ok(())
    }

    /// Notes that `reader` must come before `writer`, unless somebody must go for it.
    fn flag(&mut self, reader: SerialId, writer: SerialId, me: SerialId) -> Checked<()> {
        if self.is_dangerous(reader, writer) {
            if me == writer {
                return Err(pivot("write"));
            }
            let Some(pivot) = self.parties.get_mut(&writer) else {
                return Ok(());
            };
            if pivot.prepared {
                let top = pivot.xids.first().map_or(0, |xid| xid.0);
                let reason = format!("Canceled on conflict out to pivot {top}, during read");
                return Err(SerializationFailure::new(reason));
            }
            pivot.doomed = true;
        }
        if let Some(party) = self.parties.get_mut(&reader) {
            party.outward.push(writer);
        }
        if let Some(party) = self.parties.get_mut(&writer) {
            party.inward.push(reader);
        }
        Ok(())
    }

    /// Would `reader ──rw─▶ writer` be part of two conflicts in a row whose last one commits first?
    fn is_dangerous(&self, reader: SerialId, writer: SerialId) -> bool {
        let (Some(first), Some(second)) = (self.flags(reader), self.flags(writer)) else {
            return false;
        };
        // reader ─▶ writer ─▶ t3, the writer committed after a t3 that is no longer known.
        if (second.committed && second.conflict_out) || second.old_conflict_out {
            return true;
        }
        let writer_is_pivot = second.outward.iter().filter_map(|t3| self.flags(*t3)).any(|t3| {
            t3.prepared
                && (!first.committed || t3.prepare <= first.commit)
                && (!second.committed || t3.prepare <= second.commit)
                && (!first.read_only || t3.prepare <= first.last_commit_before_snapshot)
        });
        if writer_is_pivot {
            return true;
        }
        // t1 ─▶ reader ─▶ writer, the writer first.
        if !second.prepared || first.read_only {
            return false;
        }
        first.old_conflict_in
            || first.inward.iter().filter_map(|t1| self.flags(*t1)).any(|t1| {
                !t1.doomed
                    && (!t1.committed || t1.commit >= second.prepare)
                    && (!t1.read_only || t1.last_commit_before_snapshot >= second.prepare)
            })
    }

    /// Before the commit: it is the first of the three to commit, so that pivots before it must go.
    pub(super) fn prepare(&mut self, me: SerialId) -> Checked<()> {
        self.check_doomed(me, "commit attempt")?;
        let Some(own) = self.parties.get(&me) else {
            return Ok(());
        };
        for pivot in own.inward.clone() {
            let Some(near) = self.flags(pivot).filter(|near| !near.committed && !near.doomed) else {
                continue;
            };
            let completes = |far: &SerialId| {
                *far == me
                    || self
                        .flags(*far)
                        .is_some_and(|far| !far.committed && !far.read_only && !far.doomed)
            };
            if !near.inward.iter().any(completes) {
                continue;
            }
            if near.prepared {
                let reason = "Canceled on commit attempt with conflict in from prepared pivot";
                return Err(SerializationFailure::new(reason));
            }
            if let Some(near) = self.parties.get_mut(&pivot) {
                near.doomed = true;
            }
        }
        self.last_commit += 1;
        let now = self.last_commit;
        if let Some(own) = self.parties.get_mut(&me) {
            (own.prepared, own.prepare) = (true, now);
        }
        Ok(())
    }
}

fn pivot(during: &str) -> SerializationFailure {
    SerializationFailure::new(format!("Canceled on identification as a pivot, during {during}"))
}
