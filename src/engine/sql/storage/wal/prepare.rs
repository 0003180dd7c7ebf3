//! The bytes of the record of a prepared transaction: all that recovery needs to hold its locks again.

use std::sync::Arc;

use super::record::{Reader, decode_object, put_object, put_word};
use crate::storage::ids::{DatabaseId, RelationId, Xid};
use crate::storage::lock::{LockMode, LockTag};
use crate::storage::prepared::Prepared;
use crate::storage::serializable::Reads;

pub(super) fn encode(prepared: &Prepared, bytes: &mut Vec<u8>) {
    put_text(bytes, &prepared.id);
    put_text(bytes, &prepared.owner);
    put_word(bytes, prepared.database.0);
    bytes.extend_from_slice(&prepared.at.to_le_bytes());
    put_list(bytes, &prepared.subtransactions, |bytes, xid| put_word(bytes, xid.0));
    put_list(bytes, &prepared.dropped, |bytes, object| put_object(bytes, *object));
    put_list(bytes, &prepared.locks, |bytes, (tag, mode)| {
        put_lock(bytes, *tag, *mode)
    });
    if let Some(reads) = &prepared.reads {
        bytes.push(u8::from(reads.read_only));
        put_word(bytes, reads.xmin.0);
        put_list(bytes, &reads.targets, |bytes, words| {
            words.iter().for_each(|word| put_word(bytes, *word));
        });
    }
}

pub(super) fn decode(xid: Xid, reader: &mut Reader<'_>) -> Option<Prepared> {
    Some(Prepared {
        xid,
        id: text(reader)?,
        owner: text(reader)?,
        database: DatabaseId(reader.word()?),
        at: i64::from_le_bytes(reader.take(8)?.try_into().ok()?),
        subtransactions: list(reader, |reader| reader.word().map(Xid))?,
        dropped: list(reader, decode_object)?,
        locks: list(reader, lock)?,
        reads: match reader.byte() {
            None => None,
            Some(read_only) => Some(Reads {
                read_only: read_only == 1,
                xmin: Xid(reader.word()?),
                targets: list(reader, |reader| Some([reader.word()?, reader.word()?, reader.word()?]))?,
            }),
        },
    })
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_word(bytes, text.len() as u32);
    bytes.extend_from_slice(text.as_bytes());
}

fn text(reader: &mut Reader<'_>) -> Option<Arc<str>> {
    let length = reader.word()? as usize;
    let text = std::str::from_utf8(reader.take(length)?).ok()?;
    Some(text.into())
}

fn put_list<T>(bytes: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    put_word(bytes, items.len() as u32);
    items.iter().for_each(|item| put(bytes, item));
}

fn list<T>(reader: &mut Reader<'_>, item: impl Fn(&mut Reader<'_>) -> Option<T>) -> Option<Vec<T>> {
    let count = reader.word()?;
    (0..count).map(|_| item(reader)).collect()
}

/// Locks on relations and advisory ones: no other lasts until a transaction's end.
fn put_lock(bytes: &mut Vec<u8>, tag: LockTag, mode: LockMode) {
    let (kind, words) = match tag {
        LockTag::Relation { database, relation } => (0, [database.0, relation.0, 0]),
        LockTag::Advisory {
            database,
            class,
            object,
            kind,
        } => (kind as u8, [database.0, class, object]),
        _ => return,
    };
    bytes.extend_from_slice(&[kind, mode as u8]);
    words.iter().for_each(|word| put_word(bytes, *word));
}

fn lock(reader: &mut Reader<'_>) -> Option<(LockTag, LockMode)> {
    let (kind, mode) = (reader.byte()?, LockMode::numbered(reader.byte()?)?);
    let [database, first, second] = [reader.word()?, reader.word()?, reader.word()?];
    let database = DatabaseId(database);
    let tag = match kind {
        0 => LockTag::Relation {
            database,
            relation: RelationId(first),
        },
        kind => LockTag::Advisory {
            database,
            class: first,
            object: second,
            kind: u16::from(kind),
        },
    };
    Some((tag, mode))
}
