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

use std::collections::VecDeque;
use std::sync::Arc;

use super::ids::{IndexId, RelationId, RowId, Xid};
use super::multixact::Member;
use super::page::Slot;
use super::row_lock::RowLock;
use super::tuple::{HEADER, TupleHeader};
use crate::Lsn;

const RECORD_HEADER: usize = 24;
const SEGMENT: usize = 16 * 1024;

/// A thing that a transaction creates or drops as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    Relation(RelationId),
    Index(IndexId),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    CreateRelation(RelationId),
    CreateIndex {
        index: IndexId,
        relation: RelationId,
    },
    Insert {
        relation: RelationId,
        row: RowId,
        header: TupleHeader,
        data: &'a [u8],
    },
    Update {
        relation: RelationId,
        old: RowId,
        old_header: TupleHeader,
        new: RowId,
        header: TupleHeader,
        data: &'a [u8],
    },
    /// A version was removed or locked.
    Mark {
        relation: RelationId,
        row: RowId,
        header: TupleHeader,
    },
    Multixact {
        number: Xid,
        members: Vec<Member>,
    },
    Clear {
        relation: RelationId,
        page: u32,
        slots: Vec<(u16, Slot)>,
    },
    IndexInsert {
        index: IndexId,
        key: &'a [u8],
        row: RowId,
    },
    /// Entries of a leaf that lead to nothing.
    IndexRemove {
        index: IndexId,
        leaf: u32,
        entries: Vec<u16>,
    },
    Commit {
        subtransactions: Vec<Xid>,
        dropped: Vec<Object>,
    },
    Abort {
        subtransactions: Vec<Xid>,
    },
}

#[derive(Clone, Debug)]
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
    segments: VecDeque<Arc<Segment>>,
    position: u64,
    flushed: u64,
    /// Start of the newest record.
    last: u64,
}

impl Wal {
    pub(crate) fn new() -> Wal {
        Wal {
            segments: VecDeque::new(),
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
        self.append_with(xid, record.kind(), |bytes| record.encode(bytes))
    }

    fn append_with(&mut self, xid: Xid, kind: u8, payload: impl FnOnce(&mut Vec<u8>)) -> Lsn {
        if self
            .segments
            .back()
            .is_none_or(|segment| segment.bytes.len() >= SEGMENT)
        {
            let bytes = Vec::with_capacity(SEGMENT + 1024);
            self.segments.push_back(Arc::new(Segment {
                start: self.position,
                bytes,
            }));
        }
        let Some(segment) = self.segments.back_mut() else {
            return Lsn(self.position);
        };
        let bytes = &mut Arc::make_mut(segment).bytes;
        let start = bytes.len();
        let mut header = [0; RECORD_HEADER];
        header[4..8].copy_from_slice(&xid.0.to_le_bytes());
        header[8..16].copy_from_slice(&self.last.to_le_bytes());
        header[16] = kind;
        bytes.extend_from_slice(&header);
        payload(bytes);
        let length = bytes.len() - start;
        bytes[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
        self.last = self.position;
        self.position += length as u64;
        Lsn(self.position)
    }

    /// Forgets what lies before a checkpoint.
    pub(crate) fn forget_before(&mut self, lsn: Lsn) {
        while self.segments.front().is_some_and(|segment| segment.end() <= lsn.0) {
            self.segments.pop_front();
        }
    }

    /// A crash: what was not flushed is gone, and so is the record in which the flush ended.
    pub(crate) fn lose_unflushed(&mut self, from: Lsn) {
        let mut end = from.0;
        let mut last = self.last.min(end);
        for (start, record) in self.raw_records(from) {
            if start + record.len() as u64 > self.flushed {
                break;
            }
            last = start;
            end = start + record.len() as u64;
        }
        while self.segments.back().is_some_and(|segment| segment.start >= end) {
            self.segments.pop_back();
        }
        if let Some(segment) = self.segments.back_mut() {
            let keep = (end - segment.start) as usize;
            Arc::make_mut(segment).bytes.truncate(keep);
        }
        self.position = end;
        self.flushed = end;
        self.last = last;
    }

    /// The whole records from a record's start on.
    fn raw_records(&self, from: Lsn) -> impl Iterator<Item = (u64, &[u8])> {
        self.segments
            .iter()
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

    /// The records from a record's start on, with their transactions.
    pub(crate) fn records(&self, from: Lsn) -> impl Iterator<Item = (Xid, Record<'_>)> {
        self.raw_records(from).filter_map(|(_, bytes)| {
            let mut reader = Reader { bytes: bytes.get(4..)? };
            let xid = Xid(reader.word()?);
            let kind = *bytes.get(16)?;
            let mut payload = Reader {
                bytes: bytes.get(RECORD_HEADER..)?,
            };
            Some((xid, Record::decode(kind, &mut payload)?))
        })
    }

    /// The bytes of the records that are not flushed, without what depends on positions.
    pub(crate) fn hash_unflushed<H: std::hash::Hasher>(&self, state: &mut H) {
        let Some(first) = self.segments.iter().find(|segment| segment.end() > self.flushed) else {
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

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn half(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn word(&mut self) -> Option<u32> {
        self.take(4)
            .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn row(&mut self) -> Option<RowId> {
        self.word().map(RowId::unpack)
    }

    fn header(&mut self) -> Option<TupleHeader> {
        self.take(HEADER).map(TupleHeader::read)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// Items until the payload ends.
    fn all<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        while !self.bytes.is_empty() {
            items.push(item(self)?);
        }
        Some(items)
    }
}

fn put_word(bytes: &mut Vec<u8>, word: u32) {
    bytes.extend_from_slice(&word.to_le_bytes());
}

fn put_header(bytes: &mut Vec<u8>, header: &TupleHeader) {
    let mut raw = [0; HEADER];
    header.write(&mut raw);
    bytes.extend_from_slice(&raw);
}

impl Record<'_> {
    fn kind(&self) -> u8 {
        match self {
            Record::CreateRelation(_) => 1,
            Record::CreateIndex { .. } => 2,
            Record::Insert { .. } => 3,
            Record::Update { .. } => 4,
            Record::Mark { .. } => 5,
            Record::Multixact { .. } => 6,
            Record::Clear { .. } => 7,
            Record::IndexInsert { .. } => 8,
            Record::IndexRemove { .. } => 9,
            Record::Commit { .. } => 10,
            Record::Abort { .. } => 11,
        }
    }

    #[inline]
    fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Record::CreateRelation(relation) => put_word(bytes, relation.0),
            Record::CreateIndex { index, relation } => {
                put_word(bytes, index.0);
                put_word(bytes, relation.0);
            }
            Record::Insert {
                relation,
                row,
                header,
                data,
            } => {
                put_word(bytes, relation.0);
                put_word(bytes, row.pack());
                put_header(bytes, header);
                bytes.extend_from_slice(data);
            }
            Record::Update {
                relation,
                old,
                old_header,
                new,
                header,
                data,
            } => {
                put_word(bytes, relation.0);
                put_word(bytes, old.pack());
                put_header(bytes, old_header);
                put_word(bytes, new.pack());
                put_header(bytes, header);
                bytes.extend_from_slice(data);
            }
            Record::Mark { relation, row, header } => {
                put_word(bytes, relation.0);
                put_word(bytes, row.pack());
                put_header(bytes, header);
            }
            Record::Multixact { number, members } => {
                put_word(bytes, number.0);
                for member in members {
                    put_word(bytes, member.xid.0);
                    bytes.push(strength_number(member.strength) << 1 | u8::from(member.writes));
                }
            }
            Record::Clear { relation, page, slots } => {
                put_word(bytes, relation.0);
                put_word(bytes, *page);
                for (slot, value) in slots {
                    bytes.extend_from_slice(&slot.to_le_bytes());
                    let value: u16 = match value {
                        Slot::Redirect(target) => *target,
                        Slot::Dead => 0xffff,
                        Slot::Unused | Slot::Tuple { .. } => 0,
                    };
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
            }
            Record::IndexInsert { index, key, row } => {
                put_word(bytes, index.0);
                put_word(bytes, row.pack());
                bytes.extend_from_slice(key);
            }
            Record::IndexRemove { index, leaf, entries } => {
                put_word(bytes, index.0);
                put_word(bytes, *leaf);
                for entry in entries {
                    bytes.extend_from_slice(&entry.to_le_bytes());
                }
            }
            Record::Commit {
                subtransactions,
                dropped,
            } => {
                put_word(bytes, subtransactions.len() as u32);
                for xid in subtransactions {
                    put_word(bytes, xid.0);
                }
                for object in dropped {
                    let (kind, number) = match object {
                        Object::Relation(relation) => (0, relation.0),
                        Object::Index(index) => (1, index.0),
                    };
                    bytes.push(kind);
                    put_word(bytes, number);
                }
            }
            Record::Abort { subtransactions } => {
                for xid in subtransactions {
                    put_word(bytes, xid.0);
                }
            }
        }
    }

    fn decode<'a>(kind: u8, reader: &mut Reader<'a>) -> Option<Record<'a>> {
        Some(match kind {
            1 => Record::CreateRelation(RelationId(reader.word()?)),
            2 => Record::CreateIndex {
                index: IndexId(reader.word()?),
                relation: RelationId(reader.word()?),
            },
            3 => Record::Insert {
                relation: RelationId(reader.word()?),
                row: reader.row()?,
                header: reader.header()?,
                data: reader.rest(),
            },
            4 => Record::Update {
                relation: RelationId(reader.word()?),
                old: reader.row()?,
                old_header: reader.header()?,
                new: reader.row()?,
                header: reader.header()?,
                data: reader.rest(),
            },
            5 => Record::Mark {
                relation: RelationId(reader.word()?),
                row: reader.row()?,
                header: reader.header()?,
            },
            6 => Record::Multixact {
                number: Xid(reader.word()?),
                members: reader.all(decode_member)?,
            },
            7 => Record::Clear {
                relation: RelationId(reader.word()?),
                page: reader.word()?,
                slots: reader.all(|reader| {
                    let slot = reader.half()?;
                    Some((
                        slot,
                        match reader.half()? {
                            0 => Slot::Unused,
                            0xffff => Slot::Dead,
                            target => Slot::Redirect(target),
                        },
                    ))
                })?,
            },
            8 => Record::IndexInsert {
                index: IndexId(reader.word()?),
                row: reader.row()?,
                key: reader.rest(),
            },
            9 => Record::IndexRemove {
                index: IndexId(reader.word()?),
                leaf: reader.word()?,
                entries: reader.all(Reader::half)?,
            },
            10 => {
                let count = reader.word()? as usize;
                let mut subtransactions = Vec::new();
                for _ in 0..count {
                    subtransactions.push(Xid(reader.word()?));
                }
                let dropped = reader.all(|reader| {
                    let kind = reader.byte()?;
                    let number = reader.word()?;
                    Some(if kind == 0 {
                        Object::Relation(RelationId(number))
                    } else {
                        Object::Index(IndexId(number))
                    })
                })?;
                Record::Commit {
                    subtransactions,
                    dropped,
                }
            }
            11 => Record::Abort {
                subtransactions: reader.all(|reader| reader.word().map(Xid))?,
            },
            _ => return None,
        })
    }
}

fn strength_number(strength: RowLock) -> u8 {
    match strength {
        RowLock::KeyShare => 0,
        RowLock::Share => 1,
        RowLock::NoKeyUpdate => 2,
        RowLock::Update => 3,
    }
}

fn decode_member(reader: &mut Reader<'_>) -> Option<Member> {
    let xid = Xid(reader.word()?);
    let bits = reader.byte()?;
    let strength = match bits >> 1 {
        0 => RowLock::KeyShare,
        1 => RowLock::Share,
        2 => RowLock::NoKeyUpdate,
        _ => RowLock::Update,
    };
    Some(Member {
        xid,
        strength,
        writes: bits & 1 == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::ids::CommandId;
    use crate::storage::tuple::Flags;

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
        ]
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let mut wal = Wal::new();
        for (number, record) in samples().iter().enumerate() {
            wal.append(Xid(number as u32), record);
        }
        let read: Vec<_> = wal.records(Lsn(0)).collect();
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
