//! The records of the log and their bytes.

use super::prepare;
use crate::storage::ids::{IndexId, RelationId, RowId, Xid};
use crate::storage::multixact::Member;
use crate::storage::page::Slot;
use crate::storage::prepared::Prepared;
use crate::storage::row_lock::RowLock;
use crate::storage::tuple::{HEADER, TupleHeader};

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
    /// How full insertions make its pages.
    Fill {
        relation: RelationId,
        percent: u8,
    },
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
    Prepare(Prepared),
}

/// Takes numbers from the front of some bytes.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(head)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn half(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn word(&mut self) -> Option<u32> {
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

pub(super) fn put_word(bytes: &mut Vec<u8>, word: u32) {
    bytes.extend_from_slice(&word.to_le_bytes());
}

fn put_header(bytes: &mut Vec<u8>, header: &TupleHeader) {
    let mut raw = [0; HEADER];
    header.write(&mut raw);
    bytes.extend_from_slice(&raw);
}

impl Record<'_> {
    pub(super) fn kind(&self) -> u8 {
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
            Record::Fill { .. } => 12,
            Record::Prepare(_) => 13,
        }
    }

    #[inline]
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Record::CreateRelation(relation) => put_word(bytes, relation.0),
            Record::Fill { relation, percent } => {
                put_word(bytes, relation.0);
                bytes.push(*percent);
            }
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
                dropped.iter().for_each(|object| put_object(bytes, *object));
            }
            Record::Prepare(prepared) => prepare::encode(prepared, bytes),
            Record::Abort { subtransactions } => {
                for xid in subtransactions {
                    put_word(bytes, xid.0);
                }
            }
        }
    }

    pub(super) fn decode<'a>(xid: Xid, kind: u8, reader: &mut Reader<'a>) -> Option<Record<'a>> {
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
                let dropped = reader.all(decode_object)?;
                Record::Commit {
                    subtransactions,
                    dropped,
                }
            }
            11 => Record::Abort {
                subtransactions: reader.all(|reader| reader.word().map(Xid))?,
            },
            12 => Record::Fill {
                relation: RelationId(reader.word()?),
                percent: reader.byte()?,
            },
            13 => Record::Prepare(prepare::decode(xid, reader)?),
            _ => return None,
        })
    }
}

pub(super) fn put_object(bytes: &mut Vec<u8>, object: Object) {
    let (kind, number) = match object {
        Object::Relation(relation) => (0, relation.0),
        Object::Index(index) => (1, index.0),
    };
    bytes.push(kind);
    put_word(bytes, number);
}

pub(super) fn decode_object(reader: &mut Reader<'_>) -> Option<Object> {
    let kind = reader.byte()?;
    let number = reader.word()?;
    Some(if kind == 0 {
        Object::Relation(RelationId(number))
    } else {
        Object::Index(IndexId(number))
    })
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
