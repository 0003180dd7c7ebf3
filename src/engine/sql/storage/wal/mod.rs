//! The write-ahead log: what must be done again after a crash, in order, as bytes.
//!
//! ```text
//! record: │ length:4 │ xid:4 │ previous:8 │ kind:1 │ 0:7 │ payload … │
//! ```
//!
//! The 24 bytes of header are PostgreSQL's `XLogRecord`, so that volumes compare. A position ([`Lsn`])
//! counts bytes since the server was made. Bytes lie in segments that are shared by forks; a flush may
//! end anywhere, even within a record: recovery stops before the first record that is not whole.
//!
//! Not modelled: full-page images (a checkpoint here is an atomic picture, no page can be torn).

mod prepare;
mod record;

use std::collections::VecDeque;
use std::sync::Arc;

use super::ids::Xid;
use crate::Lsn;
use record::Reader;
pub(crate) use record::{Object, Record};

const RECORD_HEADER: usize = 24;
/// Bytes after which a segment is full.
const SEGMENT: usize = 64 * 1024;
/// Full segments are kept in groups, so that a fork shares few things.
const GROUP: usize = 16;

#[derive(Debug)]
struct Segment {
    start: u64,
    bytes: Vec<u8>,
}

impl Segment {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Wal {
    groups: VecDeque<Arc<Vec<Arc<Segment>>>>,
    recent: Vec<Arc<Segment>>,
    position: u64,
    flushed: u64,
    /// Start of the newest record.
    last: u64,
}

impl Wal {
    pub(crate) fn new() -> Wal {
        Wal {
            groups: VecDeque::new(),
            recent: Vec::new(),
            position: 0,
            flushed: 0,
            last: 0,
        }
    }

    pub(crate) fn position(&self) -> Lsn {
        Lsn(self.position)
    }

    pub(crate) fn flushed(&self) -> Lsn {
        Lsn(self.flushed)
    }

    pub(crate) fn set_flushed(&mut self, up_to: Lsn) {
        self.flushed = self.flushed.max(up_to.0.min(self.position));
    }

    /// Appends a record; the position after it.
    pub(crate) fn append(&mut self, xid: Xid, record: &Record<'_>) -> Lsn {
        let mut header = [0; RECORD_HEADER];
        header[4..8].copy_from_slice(&xid.0.to_le_bytes());
        header[8..16].copy_from_slice(&self.last.to_le_bytes());
        header[16] = record.kind();
        let bytes = self.open_segment();
        let start = bytes.len();
        bytes.extend_from_slice(&header);
        record.encode(bytes);
        let length = bytes.len() - start;
        bytes[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
        self.last = self.position;
        self.position += length as u64;
        Lsn(self.position)
    }

    /// The segment to write to: the newest one, or a new one if that is full or shared with a fork (whose bytes need
    /// not be copied then).
    #[inline]
    fn open_segment(&mut self) -> &mut Vec<u8> {
        let newest = self.recent.last_mut().and_then(Arc::get_mut);
        let filled = newest.map(|newest| newest.bytes.len());
        if filled.is_none_or(|filled| filled >= SEGMENT) {
            // One who has filled a segment will fill the next; a fork may end after a few records.
            let capacity = if filled.is_some() { SEGMENT + SEGMENT / 16 } else { 0 };
            if self.recent.len() == GROUP {
                self.groups.push_back(Arc::new(std::mem::take(&mut self.recent)));
            }
            self.recent.push(Arc::new(Segment {
                start: self.position,
                bytes: Vec::with_capacity(capacity),
            }));
        }
        match self.recent.last_mut().and_then(Arc::get_mut) {
            Some(newest) => &mut newest.bytes,
            None => unreachable!("a new segment is shared with nobody"),
        }
    }

    /// Forgets what lies before a checkpoint.
    pub(crate) fn forget_before(&mut self, lsn: Lsn) {
        let past = |segment: &Arc<Segment>| segment.end() <= lsn.0;
        while self.groups.front().is_some_and(|group| group.last().is_none_or(past)) {
            self.groups.pop_front();
        }
        if self.groups.is_empty() {
            self.recent.retain(|segment| !past(segment));
        }
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.groups
            .iter()
            .flat_map(|group| group.iter())
            .chain(&self.recent)
            .map(|segment| &**segment)
    }

    /// A crash: what was not flushed is gone, and so is the record in which the flush ended.
    pub(crate) fn lose_unflushed(&mut self, from: Lsn) {
        self.cut(from, self.flushed());
    }

    /// Ends with the last whole record before a position. `from`: where a record begins that is kept.
    pub(crate) fn cut(&mut self, from: Lsn, at: Lsn) {
        let mut end = from.0;
        let mut last = self.last.min(end);
        for (start, record) in self.raw_records(from) {
            if start + record.len() as u64 > at.0 {
                break;
            }
            last = start;
            end = start + record.len() as u64;
        }
        let mut kept: Vec<Arc<Segment>> = Vec::new();
        for segment in self.segments().filter(|segment| segment.start < end) {
            let length = segment.bytes.len().min((end - segment.start) as usize);
            kept.push(Arc::new(Segment {
                start: segment.start,
                bytes: segment.bytes[..length].to_vec(),
            }));
        }
        let whole = kept.len() - kept.len() % GROUP;
        self.recent = kept.split_off(whole);
        self.groups = kept.chunks(GROUP).map(|group| Arc::new(group.to_vec())).collect();
        self.position = end;
        self.flushed = end;
        self.last = last;
    }

    /// The whole records from a record's start on.
    fn raw_records(&self, from: Lsn) -> impl Iterator<Item = (u64, &[u8])> {
        self.segments()
            .filter(move |segment| segment.end() > from.0)
            .flat_map(move |segment| {
                let mut at = from.0.saturating_sub(segment.start) as usize;
                std::iter::from_fn(move || {
                    let length = segment.bytes.get(at..at + 4)?;
                    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
                    let record = segment.bytes.get(at..at + length)?;
                    let start = segment.start + at as u64;
                    at += length;
                    Some((start, record))
                })
            })
    }

    /// The records from a record's start on, each with the position after it and its transaction.
    pub(crate) fn records(&self, from: Lsn) -> impl Iterator<Item = (Lsn, Xid, Record<'_>)> {
        self.raw_records(from).filter_map(|(start, bytes)| {
            let after = Lsn(start + bytes.len() as u64);
            let mut reader = Reader { bytes: bytes.get(4..)? };
            let xid = Xid(reader.word()?);
            let kind = *bytes.get(16)?;
            let mut payload = Reader {
                bytes: bytes.get(RECORD_HEADER..)?,
            };
            Some((after, xid, Record::decode(xid, kind, &mut payload)?))
        })
    }

    /// The bytes of the records that are not flushed, without what depends on positions.
    pub(crate) fn hash_unflushed<H: std::hash::Hasher>(&self, state: &mut H) {
        if self.flushed == self.position {
            return;
        }
        let Some(first) = self.segments().find(|segment| segment.end() > self.flushed) else {
            return;
        };
        for (start, record) in self.raw_records(Lsn(first.start)) {
            if start + record.len() as u64 > self.flushed {
                state.write(&record[..8]);
                state.write(&record[16..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ids::{CommandId, DatabaseId, IndexId, RelationId, RowId};
    use crate::storage::lock::{LockMode, LockTag};
    use crate::storage::multixact::Member;
    use crate::storage::page::Slot;
    use crate::storage::prepared::Prepared;
    use crate::storage::row_lock::RowLock;
    use crate::storage::serializable::Reads;
    use crate::storage::tuple::{Flags, TupleHeader};

    fn header() -> TupleHeader {
        TupleHeader {
            xmin: Xid(5),
            xmax: Xid(9),
            next: RowId {
                page: 70_000,
                slot: 400,
            },
            command: CommandId(77),
            flags: Flags(Flags::XMAX_LOCK_ONLY | Flags::COMBO),
        }
    }

    fn samples() -> Vec<Record<'static>> {
        let (relation, index) = (RelationId(70_000), IndexId(3));
        let (row, other) = (RowId { page: 1, slot: 2 }, RowId { page: 3, slot: 4 });
        let member = |strength, writes| Member {
            xid: Xid(8),
            strength,
            writes,
        };
        vec![
            Record::CreateRelation(relation),
            Record::CreateIndex { index, relation },
            Record::Insert {
                relation,
                row,
                header: header(),
                data: b"row",
            },
            Record::Update {
                relation,
                old: row,
                old_header: header(),
                new: other,
                header: header(),
                data: b"",
            },
            Record::Mark {
                relation,
                row,
                header: header(),
            },
            Record::Multixact {
                number: Xid(1),
                members: vec![member(RowLock::KeyShare, false), member(RowLock::NoKeyUpdate, true)],
            },
            Record::Clear {
                relation,
                page: 9,
                slots: vec![(1, Slot::Redirect(5)), (2, Slot::Dead), (3, Slot::Unused)],
            },
            Record::IndexInsert {
                index,
                key: b"key",
                row,
            },
            Record::IndexRemove {
                index,
                leaf: 4,
                entries: vec![0, 7],
            },
            Record::Commit {
                subtransactions: vec![Xid(6), Xid(7)],
                dropped: vec![Object::Relation(relation), Object::Index(index)],
            },
            Record::Abort {
                subtransactions: vec![Xid(6)],
            },
            Record::Prepare(Prepared {
                xid: Xid(11),
                id: "é".into(),
                owner: "postgres".into(),
                database: DatabaseId(5),
                at: -3,
                subtransactions: vec![Xid(12)],
                dropped: vec![Object::Index(index)],
                locks: vec![(
                    LockTag::Advisory {
                        database: DatabaseId(5),
                        class: 1,
                        object: 2,
                        kind: 2,
                    },
                    LockMode::Exclusive,
                )],
                reads: Some(Reads {
                    read_only: false,
                    xmin: Xid(9),
                    targets: vec![[1, u32::MAX, 0], [2, 3, 8]],
                }),
            }),
        ]
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let mut wal = Wal::new();
        for (number, record) in samples().iter().enumerate() {
            wal.append(Xid(number as u32), record);
        }
        let read: Vec<_> = wal.records(Lsn(0)).map(|(_, xid, record)| (xid, record)).collect();
        let written: Vec<_> = samples()
            .into_iter()
            .enumerate()
            .map(|(n, record)| (Xid(n as u32), record))
            .collect();
        assert_eq!(read, written);
    }

    #[test]
    fn a_flush_that_ends_anywhere_keeps_the_whole_records_before_it() {
        let mut wal = Wal::new();
        let big = vec![7; 5_000];
        let row = RowId { page: 1, slot: 2 };
        let ends: Vec<u64> = (0..12)
            .map(|_| {
                wal.append(
                    Xid(3),
                    &Record::Insert {
                        relation: RelationId(1),
                        row,
                        header: header(),
                        data: &big,
                    },
                )
                .0
            })
            .collect();
        for flushed in (0..=wal.position().0).step_by(97) {
            let mut crashed = wal.clone();
            crashed.set_flushed(Lsn(flushed));
            crashed.lose_unflushed(Lsn(0));
            let whole = ends.iter().filter(|&&end| end <= flushed).count();
            assert_eq!(crashed.records(Lsn(0)).count(), whole);
            assert_eq!(crashed.position().0, ends[..whole].last().copied().unwrap_or(0));
            crashed.append(
                Xid(4),
                &Record::Abort {
                    subtransactions: Vec::new(),
                },
            );
            assert_eq!(crashed.records(Lsn(0)).count(), whole + 1);
        }
    }
}
