//! Checkpoints, crashes and recovery.
//!
//! A checkpoint is a picture of all that is durable: a clone, cheap because pages are shared, and valid
//! once the WAL is flushed up to where it was taken. Recovery takes the last valid one and does again
//! what the flushed records after it say. Transactions without a flushed commit record are then neither
//! committed nor running, which means rolled back.

use std::sync::Arc;

use super::Storage;
use super::commit_log::CommitLog;
use super::ids::Xid;
use super::lock_table::LockTable;
use super::multixact::Multixacts;
use super::objects::Objects;
use super::prepared::{Prepared, PreparedTransactions};
use super::transaction::Transactions;
use super::wal::{Object, Record};
use crate::Lsn;

/// WAL bytes after which the next commit takes a checkpoint: 16 MiB, a segment of PostgreSQL.
const CHECKPOINT_EVERY: u64 = 16 * 1024 * 1024;

/// What recovery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Replayed {
    pub wal_bytes: u64,
    pub records: u64,
}

/// A transaction whose commit record is written.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Committing {
    pub(crate) xid: Xid,
    pub(crate) subtransactions: Vec<Xid>,
    pub(crate) dropped: Vec<Object>,
}

impl Committing {
    pub(crate) fn apply(&self, log: &mut CommitLog, objects: &mut Objects) {
        for &xid in self.subtransactions.iter().chain([&self.xid]) {
            log.set_committed(xid);
            objects.keep_created(xid);
        }
        for &object in &self.dropped {
            objects.drop(object);
        }
    }
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    lsn: Lsn,
    objects: Objects,
    multixacts: Multixacts,
    next_xid: Xid,
    log: CommitLog,
    prepared: Vec<Arc<Prepared>>,
}

impl Checkpoint {
    pub(crate) fn empty() -> Checkpoint {
        Checkpoint {
            lsn: Lsn(0),
            objects: Objects::new(),
            multixacts: Multixacts::new(),
            next_xid: Xid::FIRST,
            log: CommitLog::new(),
            prepared: Vec::new(),
        }
    }
}

impl Storage {
    pub fn wal_position(&self) -> Lsn {
        self.wal.position()
    }

    pub fn flushed_position(&self) -> Lsn {
        self.wal.flushed()
    }

    /// The WAL up to here is durable.
    pub fn flushed(&mut self, up_to: Lsn) {
        self.wal.set_flushed(up_to);
        if let Some(next) = self.next_checkpoint.take_if(|next| next.lsn <= self.wal.flushed()) {
            self.wal.forget_before(next.lsn);
            self.checkpoint = next;
        }
        if self.next_checkpoint.is_none() && self.wal.position().0 - self.checkpoint.lsn.0 >= CHECKPOINT_EVERY {
            self.next_checkpoint = Some(self.picture());
        }
    }

    /// Everything so far becomes durable without a flush by the caller: after a bulk load.
    pub fn checkpoint_now(&mut self) {
        self.wal.set_flushed(self.wal.position());
        self.next_checkpoint = Some(self.picture());
        self.flushed(self.wal.position());
    }

    fn picture(&self) -> Arc<Checkpoint> {
        let mut picture = Checkpoint {
            lsn: self.wal.position(),
            objects: self.objects.clone(),
            multixacts: self.multixacts.clone(),
            next_xid: self.transactions.next,
            log: self.transactions.log.clone(),
            prepared: self.prepared.lasting().cloned().collect(),
        };
        // Their records lie before the picture and will not be read again.
        for committing in &self.committing {
            committing.apply(&mut picture.log, &mut picture.objects);
        }
        for ending in self.prepared.rolling_back() {
            ending.xids().for_each(|xid| picture.objects.drop_created(xid));
        }
        Arc::new(picture)
    }

    /// What was not flushed is gone, with all running transactions, snapshots and locks. Before
    /// [`Storage::recover`] nothing else may be called.
    pub fn crash(&mut self) {
        self.next_checkpoint = None;
        self.wal.lose_unflushed(self.checkpoint.lsn);
        self.transactions = Transactions::new();
        self.locks = LockTable::default();
        self.serial = Default::default();
        self.committing.clear();
        self.prepared = PreparedTransactions::default();
        self.drops.clear();
        self.vacuum_due.clear();
        self.objects = Objects::new();
        self.multixacts = Multixacts::new();
    }

    /// Last checkpoint, then the flushed records after it.
    pub fn recover(&mut self) -> Replayed {
        let from = self.begin_recovery();
        let (end, records) = self.replay_until(from, self.wal.position());
        self.end_recovery();
        Replayed {
            wal_bytes: end.0 - from.0,
            records,
        }
    }

    /// As the last checkpoint has it; the position from which the WAL says more. No transaction can begin before
    /// [`Storage::end_recovery`].
    pub fn begin_recovery(&mut self) -> Lsn {
        let checkpoint = self.checkpoint.clone();
        self.objects = checkpoint.objects.clone();
        self.multixacts = checkpoint.multixacts.clone();
        self.transactions.next = checkpoint.next_xid;
        self.transactions.log = checkpoint.log.clone();
        for prepared in &checkpoint.prepared {
            self.prepared.restore(prepared.clone());
        }
        checkpoint.lsn
    }

    /// Does again what the whole records between two positions say; where the last of them ends, and how many.
    pub fn replay_until(&mut self, from: Lsn, until: Lsn) -> (Lsn, u64) {
        let wal = self.wal.clone();
        let (mut end, mut records) = (from, 0);
        for (after, xid, record) in wal.records(from) {
            if after > until {
                break;
            }
            self.replay(xid, record);
            end = after;
            records += 1;
        }
        (end, records)
    }

    /// Transactions without an end are rolled back, prepared ones hold again what they held.
    pub fn end_recovery(&mut self) {
        self.objects.drop_created_but(&self.lasting_xids());
        self.revive_prepared();
    }

    /// The first position that the WAL still has.
    pub fn wal_start(&self) -> Lsn {
        self.checkpoint.lsn
    }

    /// Takes over the WAL of another server, as far as that has been flushed and not beyond a position. `from`: where a
    /// record begins that both have.
    pub fn receive_wal(&mut self, source: &Storage, from: Lsn, up_to: Lsn) {
        self.wal = source.wal.clone();
        self.wal.cut(from, up_to.min(source.wal.flushed()));
    }

    fn replay(&mut self, xid: Xid, record: Record<'_>) {
        if xid != Xid::NONE {
            self.transactions.note_number(xid);
        }
        match record {
            Record::CreateRelation(relation) => self.objects.create_relation(xid, relation),
            Record::Fill { relation, percent } => self.objects.heap_mut(relation).set_fill(percent),
            Record::CreateIndex { index, relation } => self.objects.create_index(xid, index, relation),
            Record::Insert {
                relation,
                row,
                header,
                data,
            } => {
                let heap = self.objects.heap_mut(relation);
                heap.replay_insert(row, header, data);
                heap.live = heap.live.saturating_add(1);
            }
            Record::Update {
                relation,
                old,
                old_header,
                new,
                header,
                data,
            } => {
                let heap = self.objects.heap_mut(relation);
                heap.replay_insert(new, header, data);
                heap.replace_header(old, &old_header, xid);
                heap.dead = heap.dead.saturating_add(1);
            }
            Record::Mark { relation, row, header } => {
                let removes = self.visibility().writer(&header).is_some();
                let heap = self.objects.heap_mut(relation);
                heap.replace_header(row, &header, xid);
                if removes {
                    heap.live = heap.live.saturating_sub(1);
                    heap.dead = heap.dead.saturating_add(1);
                }
            }
            Record::Multixact { number, members } => self.multixacts.restore(number, members),
            Record::Clear { relation, page, slots } => self.objects.heap_mut(relation).clear(page, &slots, &[]),
            Record::IndexInsert { index, key, row } => {
                self.with_keys(index, |tree, keys| tree.insert(key, row, keys));
            }
            Record::IndexRemove { index, leaf, entries } => {
                if let Some(tree) = self.objects.index_mut(index) {
                    tree.remove(leaf, &entries);
                }
            }
            Record::Commit {
                subtransactions,
                dropped,
            } => {
                for &one in &subtransactions {
                    self.transactions.note_number(one);
                }
                self.prepared.forget(xid);
                Committing {
                    xid,
                    subtransactions,
                    dropped,
                }
                .apply(&mut self.transactions.log, &mut self.objects);
            }
            Record::Prepare(prepared) => self.prepared.restore(Arc::new(prepared)),
            Record::Abort { subtransactions } => {
                self.prepared.forget(xid);
                for &one in subtransactions.iter().chain([&xid]) {
                    self.transactions.note_number(one);
                    self.objects.drop_created(one);
                }
            }
        }
    }
}
