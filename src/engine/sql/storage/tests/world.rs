//! A storage beside a naive model of it: every version in a list, states of transactions in a map.
//! Both are driven by the same random schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::random::Stream;

use crate::SessionId;
use crate::storage::*;

/// What the model knows about a version.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) row: RowId,
    pub(super) data: Vec<u8>,
    made: (Xid, CommandId),
    removed: Vec<(Xid, CommandId)>,
    next: Option<RowId>,
    locks: Vec<(Xid, RowLock)>,
}

/// One session's open transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    top: Option<Xid>,
    /// Live subtransactions, innermost last.
    subs: Vec<Xid>,
    command: CommandId,
    /// A snapshot kept for repeatable reads, with what had committed when it was taken.
    kept: Option<(Snapshot, BTreeSet<Xid>)>,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) storage: Storage,
    pub(super) relation: RelationId,
    pub(super) index: IndexId,
    pub(super) versions: Vec<Version>,
    pub(super) committed: BTreeSet<Xid>,
    aborted: BTreeSet<Xid>,
    /// Subtransaction to its top-level transaction.
    tops: BTreeMap<Xid, Xid>,
    open: Vec<Open>,
    next_id: u32,
}

/// A row's data: its id, an indexed column, and padding.
pub(super) fn row_data(id: u32, key: u32, padding: usize) -> Vec<u8> {
    let mut data = id.to_be_bytes().to_vec();
    data.extend_from_slice(&key.to_be_bytes());
    data.resize(8 + padding, 0xee);
    data
}

/// Everything of a row's data, in a form that a failure can print: id, key, length and last byte.
pub(super) fn brief(data: &[u8]) -> String {
    let (id, key) = (u32::from_be_bytes([data[0], data[1], data[2], data[3]]), data[7]);
    format!("{id:05}:{key}:{}:{:x}", data.len(), data[data.len() - 1])
}

/// The key of a row, long enough to be cut: it is found in the row again when need be.
pub(super) fn key_of(data: &[u8]) -> Vec<u8> {
    long_key(&data[4..8])
}

fn long_key(key: &[u8]) -> Vec<u8> {
    [&[7; 30], key, &[9; 30]].concat()
}

#[derive(Debug)]
struct LongKey;

impl KeyOf for LongKey {
    fn key_of(&self, row: &[u8], into: &mut Vec<u8>) {
        into.extend_from_slice(&key_of(row));
    }
}

impl World {
    pub(super) fn new(sessions: usize) -> World {
        let mut storage = Storage::new();
        let session = SessionId(1_000);
        let xid = storage.begin(session).expect("a number");
        let relation = storage.create_relation(xid);
        let index = storage.create_index(xid, relation, Some(Arc::new(LongKey)));
        storage.commit(xid);
        storage.finish_commit(xid);
        World {
            storage,
            relation,
            index,
            versions: Vec::new(),
            committed: BTreeSet::from([xid]),
            aborted: BTreeSet::new(),
            tops: BTreeMap::new(),
            open: vec![Open::default(); sessions],
            next_id: 0,
        }
    }

    fn top(&self, xid: Xid) -> Xid {
        self.tops.get(&xid).copied().unwrap_or(xid)
    }

    fn is_running(&self, xid: Xid) -> bool {
        !self.committed.contains(&xid) && !self.aborted.contains(&xid)
    }

    /// The removal that counts: the last by one that has not been rolled back.
    fn removal(&self, version: &Version) -> Option<(Xid, CommandId)> {
        version
            .removed
            .iter()
            .rev()
            .copied()
            .find(|(xid, _)| !self.aborted.contains(xid))
    }

    fn sees(&self, version: &Version, own: Option<Xid>, command: CommandId, committed: &BTreeSet<Xid>) -> bool {
        let happened = |(xid, at): (Xid, CommandId)| {
            if self.aborted.contains(&xid) {
                false
            } else if Some(self.top(xid)) == own {
                at < command
            } else {
                committed.contains(&xid)
            }
        };
        happened(version.made) && !self.removal(version).is_some_and(happened)
    }

    /// The rows that a snapshot must show, by the model.
    pub(super) fn expected(&self, own: Option<Xid>, command: CommandId, committed: &BTreeSet<Xid>) -> Vec<String> {
        let seen = self
            .versions
            .iter()
            .filter(|version| self.sees(version, own, command, committed));
        let mut rows: Vec<String> = seen.map(|version| brief(&version.data)).collect();
        rows.sort();
        rows
    }

    /// The rows that the storage shows, by a scan and by the index (which must agree).
    pub(super) fn shown(&self, snapshot: &Snapshot) -> Vec<String> {
        let mut rows = Vec::new();
        let mut cursor = self.storage.scan(self.relation);
        while let Some((row, data)) = self.storage.next_visible(&mut cursor, snapshot) {
            assert_eq!(self.storage.fetch(self.relation, row, snapshot), Some(data));
            rows.push(brief(data));
        }
        rows.sort();
        let mut by_index = Vec::new();
        let mut found = Vec::new();
        for key in 0..12_u32 {
            found.clear();
            self.storage
                .index_lookup(self.index, &long_key(&key.to_be_bytes()), |row| found.push(row));
            for &root in &found {
                if let Some((_, data)) = self.storage.fetch_indexed(self.relation, root, snapshot)
                    && data[4..8] == key.to_be_bytes()
                {
                    by_index.push(brief(data));
                }
            }
        }
        by_index.sort();
        assert_eq!(rows, by_index, "the index shows what the scan shows");
        rows
    }

    /// One random step of a random session; what it did, for the failure's story.
    pub(super) fn step(&mut self, random: &mut Stream) -> String {
        let who = random.below(self.open.len() as u64) as usize;
        let session = SessionId(who as u32);
        match random.below(20) {
            0..=4 => self.insert(who, random),
            5..=10 => self.write(who, random),
            11..=12 => self.lock(who, random),
            13 => {
                let Some(top) = self.open[who].top else {
                    return "nothing".to_owned();
                };
                let parent = self.open[who].subs.last().copied().unwrap_or(top);
                let sub = self.storage.begin_sub(parent).expect("a number");
                self.tops.insert(sub, top);
                self.open[who].subs.push(sub);
                format!("{who}: savepoint {sub}")
            }
            14 => {
                let subs = &mut self.open[who].subs;
                if subs.is_empty() {
                    return "nothing".to_owned();
                }
                let inner = subs.split_off(random.below(subs.len() as u64) as usize);
                self.storage.abort(inner[0]);
                self.aborted.extend(&inner);
                // Subtransactions that were released into it go with it.
                format!("{who}: rollback to before {}", inner[0])
            }
            15 => self.read(who, random),
            16 if random.chance(1, 2) => format!("vacuum: {}", self.storage.vacuum(self.relation)),
            16 | 17 => {
                let open = std::mem::take(&mut self.open[who]);
                self.storage.release_snapshots(session);
                if let Some(top) = open.top {
                    self.storage.abort(top);
                    self.aborted.extend(open.subs.iter().chain([&top]));
                }
                format!("{who}: rollback")
            }
            _ => {
                let open = std::mem::take(&mut self.open[who]);
                self.storage.release_snapshots(session);
                if let Some(top) = open.top {
                    self.storage.commit(top);
                    self.storage.finish_commit(top);
                    self.committed.extend(open.subs.iter().chain([&top]));
                }
                format!("{who}: commit {:?}", open.top)
            }
        }
    }

    /// The number under which the session writes now, and its command.
    fn writer(&mut self, who: usize) -> (Xid, Xid, CommandId) {
        let open = &mut self.open[who];
        let top = *open
            .top
            .get_or_insert_with(|| self.storage.begin(SessionId(who as u32)).expect("a number"));
        let xid = open.subs.last().copied().unwrap_or(top);
        let command = open.command;
        open.command = CommandId(command.0 + 1);
        (top, xid, command)
    }

    fn insert(&mut self, who: usize, random: &mut Stream) -> String {
        let (_, xid, command) = self.writer(who);
        // Now and then one that no page can hold.
        let padding = if random.chance(1, 30) {
            8_000 + random.below(2_000)
        } else {
            random.below(200)
        };
        let data = row_data(self.next_id, random.below(10) as u32, padding as usize);
        self.next_id += 1;
        let row = self.storage.insert(self.relation, &data, xid, command).expect("fits");
        self.storage
            .index_insert(self.index, &key_of(&data), row)
            .expect("fits");
        self.remember(row, data, (xid, command), Vec::new());
        format!("{who}: insert {row} by {xid}")
    }

    fn remember(&mut self, row: RowId, data: Vec<u8>, made: (Xid, CommandId), locks: Vec<(Xid, RowLock)>) {
        // A slot may be used anew once its version is gone for everyone.
        let old = self.versions.iter().position(|version| version.row == row);
        if let Some(at) = old {
            self.versions.remove(at);
        }
        self.versions.push(Version {
            row,
            data,
            made,
            removed: Vec::new(),
            next: None,
            locks,
        });
    }

    /// A row that the session sees: by its kept snapshot if it has one (repeatable read).
    fn some_visible(&self, who: usize, top: Xid, command: CommandId, random: &mut Stream) -> Option<usize> {
        let committed = self.open[who]
            .kept
            .as_ref()
            .map_or(&self.committed, |(_, committed)| committed);
        let seen: Vec<usize> = (0..self.versions.len())
            .filter(|&at| self.sees(&self.versions[at], Some(top), command, committed))
            .collect();
        seen.get(random.below(seen.len() as u64) as usize).copied()
    }

    /// What a committed transaction did to the version.
    fn overwritten(&self, version: &Version) -> Option<RowOutcome<()>> {
        let (by, _) = self.removal(version).filter(|(by, _)| self.committed.contains(by))?;
        Some(match version.next {
            Some(next) => RowOutcome::Updated { next, by },
            None => RowOutcome::Deleted { by },
        })
    }

    /// Running holders besides `top` that conflict with `strength`, by the model.
    fn in_the_way(&self, version: &Version, top: Xid, strength: RowLock) -> BTreeSet<Xid> {
        let locks = version
            .locks
            .iter()
            .copied()
            .filter(|(_, lock)| lock.conflicts_with(strength))
            .map(|(xid, _)| xid);
        locks
            .filter(|&xid| self.is_running(xid) && self.top(xid) != top)
            .collect()
    }

    fn write(&mut self, who: usize, random: &mut Stream) -> String {
        let (top, xid, command) = self.writer(who);
        let Some(at) = self.some_visible(who, top, command, random) else {
            return "nothing".to_owned();
        };
        let version = self.versions[at].clone();
        let deletes = random.chance(1, 4);
        let change = Change {
            key: random.chance(1, 3),
            indexed: random.chance(1, 3),
        };
        let strength = if deletes || change.key {
            RowLock::Update
        } else {
            RowLock::NoKeyUpdate
        };
        let mut data = version.data.clone();
        if change.indexed {
            data[7] = random.below(10) as u8;
        }
        data.resize(8 + random.below(200) as usize, 0xdd);
        let holders = self.in_the_way(&version, top, strength);
        let mut new = None;
        let outcome = if deletes {
            self.storage
                .delete(self.relation, version.row, xid, command)
                .expect("few commands")
        } else {
            let outcome = self
                .storage
                .update(self.relation, version.row, &data, change, xid, command)
                .expect("fits");
            if let RowOutcome::Done(updated) = outcome {
                new = Some(updated);
            }
            without_value(outcome)
        };
        if holders.is_empty()
            && let Some(expected) = self.overwritten(&version)
        {
            assert_eq!(outcome, expected, "{xid} writes {}", version.row);
            return format!("{who}: {expected:?}");
        }
        match outcome {
            RowOutcome::Done(()) => {
                assert!(
                    holders.is_empty(),
                    "{xid} wrote {} though {holders:?} hold it",
                    version.row
                );
                let mut locks = version.locks.clone();
                locks.retain(|(holder, _)| self.is_running(*holder) && self.top(*holder) != top);
                let old = &mut self.versions[at];
                old.removed.push((xid, command));
                old.locks.push((xid, strength));
                old.next = None;
                if let Some(new) = new {
                    old.next = Some(new.row);
                    assert!(!(new.hot && change.indexed), "a new key needs an entry");
                    if !new.hot {
                        self.storage
                            .index_insert(self.index, &key_of(&data), new.row)
                            .expect("fits");
                    }
                    self.remember(new.row, data, (xid, command), locks);
                }
                format!(
                    "{who}: {} {} by {xid}",
                    if deletes { "delete" } else { "update" },
                    version.row
                )
            }
            RowOutcome::Busy(xids) => {
                assert_eq!(
                    BTreeSet::from_iter(xids),
                    holders,
                    "who is in the way of {xid} at {}",
                    version.row
                );
                format!("{who}: busy {}", version.row)
            }
            other => panic!("{other:?} for a visible row {}", version.row),
        }
    }

    fn lock(&mut self, who: usize, random: &mut Stream) -> String {
        let (top, xid, command) = self.writer(who);
        let Some(at) = self.some_visible(who, top, command, random) else {
            return "nothing".to_owned();
        };
        let strength =
            [RowLock::KeyShare, RowLock::Share, RowLock::NoKeyUpdate, RowLock::Update][random.below(4) as usize];
        // A lock also goes to the versions that a running no-key update has made.
        let mut chain = vec![at];
        while let Some(next) = self.versions[chain[chain.len() - 1]].next
            && self.removal(&self.versions[chain[chain.len() - 1]]).is_some()
            && let Some(newer) = self.versions.iter().position(|version| version.row == next)
        {
            chain.push(newer);
        }
        let holds = |version: &Version| {
            let own = version
                .locks
                .iter()
                .filter(|(holder, _)| self.is_running(*holder) && self.top(*holder) == top);
            own.map(|(_, held)| *held).any(|held| held >= strength)
        };
        let row = self.versions[at].row;
        let already = holds(&self.versions[at]);
        let mut holders = BTreeSet::new();
        for &at in &chain {
            if already {
                break;
            }
            holders = self.in_the_way(&self.versions[at], top, strength);
            if !holders.is_empty() {
                break;
            }
        }
        let outcome = self.storage.lock_row(self.relation, row, strength, xid, command);
        let gone = |at: usize| self.overwritten(&self.versions[at]);
        // For key share an update that changed no key is no hindrance.
        if strength != RowLock::KeyShare
            && holders.is_empty()
            && !already
            && let Some(expected) = gone(at)
        {
            assert_eq!(outcome, expected, "{xid} locks {row} {strength:?}");
            return format!("{who}: {expected:?}");
        }
        match outcome {
            RowOutcome::Updated { .. } | RowOutcome::Deleted { .. } if chain.iter().any(|&at| gone(at).is_some()) => {
                format!("{who}: {row} is gone")
            }
            RowOutcome::Done(()) => {
                assert!(
                    holders.is_empty(),
                    "{xid} locked {row} {strength:?} though {holders:?} hold it"
                );
                if !already {
                    for at in chain {
                        self.versions[at].locks.push((xid, strength));
                    }
                }
                format!("{who}: lock {row} {strength:?} by {xid}")
            }
            RowOutcome::Busy(xids) => {
                assert_eq!(
                    BTreeSet::from_iter(xids),
                    holders,
                    "who is in the way of {xid} at {row}"
                );
                format!("{who}: busy {row}")
            }
            other => panic!("{other:?} for a visible row {row}"),
        }
    }

    /// Reads with a fresh snapshot, and again with the one kept since the transaction's first read.
    fn read(&mut self, who: usize, random: &mut Stream) -> String {
        let session = SessionId(who as u32);
        let own = self.open[who].top;
        let command = self.open[who].command;
        let fresh = self.storage.snapshot(session, own, command);
        assert_eq!(
            self.shown(&fresh),
            self.expected(own, command, &self.committed),
            "a fresh snapshot of {own:?}"
        );
        match self.open[who].kept.clone() {
            Some((mut kept, committed)) => {
                kept.own = own;
                kept.command = command;
                assert_eq!(
                    self.shown(&kept),
                    self.expected(own, command, &committed),
                    "a kept snapshot of {own:?}"
                );
            }
            None if random.chance(1, 2) => self.open[who].kept = Some((fresh, self.committed.clone())),
            None => self.storage.release_snapshots(session),
        }
        format!("{who}: read")
    }

    /// What an observer must see: committed rows.
    pub(super) fn check_committed(&self) {
        let shown = self.shown(&self.storage.observe());
        assert_eq!(
            shown,
            self.expected(None, CommandId::FIRST, &self.committed),
            "committed rows"
        );
    }
}

fn without_value<T>(outcome: RowOutcome<T>) -> RowOutcome<()> {
    match outcome {
        RowOutcome::Done(_) => RowOutcome::Done(()),
        RowOutcome::Invisible => RowOutcome::Invisible,
        RowOutcome::SelfModified { command } => RowOutcome::SelfModified { command },
        RowOutcome::Updated { next, by } => RowOutcome::Updated { next, by },
        RowOutcome::Deleted { by } => RowOutcome::Deleted { by },
        RowOutcome::Busy(holders) => RowOutcome::Busy(holders),
    }
}
