//! The trace of a run: every event goes into the fingerprint, into the measurements, and, if asked for, is kept.
//!
//! What is kept changes nothing of what is hashed: a run that records is the same run.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base::{Fingerprint, Fingerprinter, Time, Value};
use program::{Error, Event, EventKind, PoolId, ProgramId, RequestId, StepId};

use crate::item::KeptItem;
use crate::measure::Measurements;

/// Which events to keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Record {
    #[default]
    Nothing,
    Everything,
    /// What happens on behalf of these requests, and what belongs to nobody: crashes, relays, invariants.
    Requests(BTreeSet<RequestId>),
    /// From, and up to before, these instants.
    Window(Time, Time),
}

impl Record {
    fn wants(&self, event: &Event) -> bool {
        match self {
            Record::Nothing => false,
            Record::Everything => true,
            Record::Requests(chosen) => event.request.is_none_or(|request| chosen.contains(&request)),
            Record::Window(from, to) => (*from..*to).contains(&event.at),
        }
    }
}

/// A statement that a program sent, with what its `$n` stood for and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// `None` for relays and recovery.
    pub request: Option<RequestId>,
    pub program: ProgramId,
    pub step: StepId,
    pub pool: PoolId,
    pub sql: Arc<str>,
    pub operands: Vec<Value>,
    /// How many rows were returned or changed.
    pub rows: Result<u64, Error>,
}

#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hasher: Fingerprinter,
    /// Bytes for the hasher, which likes long ones.
    bytes: Bytes,
    events: u64,
    record: Record,
    recorded: Vec<Event>,
    /// `None`: nobody asked for them.
    sent: Option<Vec<Sent>>,
    items: Vec<KeptItem>,
    pub(crate) measurements: Measurements,
}

const CHUNK: usize = 4096;

impl Trace {
    pub(crate) fn new(record: Record, measurements: Measurements) -> Trace {
        Trace {
            hasher: Fingerprinter::new(),
            bytes: Bytes(Vec::with_capacity(2 * CHUNK)),
            events: 0,
            record,
            recorded: Vec::new(),
            sent: None,
            items: Vec::new(),
            measurements,
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.events += 1;
        event.hash(&mut self.bytes);
        if self.bytes.0.len() >= CHUNK {
            self.hasher.write(&self.bytes.0);
            self.bytes.0.clear();
        }
        if let EventKind::RequestAnswered {
            operation,
            latency,
            outcome,
        } = &event.kind
            && let Some(request) = event.request
        {
            self.measurements.answered(request, *operation, *latency, outcome);
        }
        self.keep(event);
    }

    /// An observer's remark: kept, but no part of the run.
    pub(crate) fn remark(&mut self, event: Event) {
        self.keep(event);
    }

    fn keep(&mut self, event: Event) {
        if self.record.wants(&event) {
            self.recorded.push(event);
        }
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut hasher = self.hasher.clone();
        hasher.write(&self.bytes.0);
        hasher.fingerprint()
    }

    pub(crate) fn recorded(&self) -> &[Event] {
        &self.recorded
    }

    pub(crate) fn keep_statements(&mut self) {
        self.sent = Some(Vec::new());
    }

    /// Called with what makes the record, since most runs keep none.
    pub(crate) fn statement(&mut self, sent: impl FnOnce() -> Sent) {
        if let Some(all) = &mut self.sent {
            all.push(sent());
        }
    }

    /// As [`Trace::statement`].
    pub(crate) fn item(&mut self, sent: impl FnOnce() -> KeptItem) {
        if self.sent.is_some() {
            self.items.push(sent());
        }
    }

    pub(crate) fn sent(&self) -> &[Sent] {
        self.sent.as_deref().unwrap_or_default()
    }

    pub(crate) fn items(&self) -> &[KeptItem] {
        &self.items
    }

    pub(crate) fn take_recorded(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.recorded)
    }
}

/// Collects what is hashed, in the widths of [`Fingerprinter`].
#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn finish(&self) -> u64 {
        let mut hasher = Fingerprinter::new();
        hasher.write(&self.0);
        hasher.finish()
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
    fn write_u8(&mut self, i: u8) {
        self.0.push(i);
    }
    fn write_u16(&mut self, i: u16) {
        self.write(&i.to_le_bytes());
    }
    fn write_u32(&mut self, i: u32) {
        self.write(&i.to_le_bytes());
    }
    fn write_u64(&mut self, i: u64) {
        self.write(&i.to_le_bytes());
    }
    fn write_u128(&mut self, i: u128) {
        self.write(&i.to_le_bytes());
    }
    fn write_usize(&mut self, i: usize) {
        self.write_u64(i as u64);
    }
    fn write_i8(&mut self, i: i8) {
        self.write_u8(i as u8);
    }
    fn write_i16(&mut self, i: i16) {
        self.write_u16(i as u16);
    }
    fn write_i32(&mut self, i: i32) {
        self.write_u32(i as u32);
    }
    fn write_i64(&mut self, i: i64) {
        self.write_u64(i as u64);
    }
    fn write_i128(&mut self, i: i128) {
        self.write_u128(i as u128);
    }
    fn write_isize(&mut self, i: isize) {
        self.write_i64(i as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_do_not_change_the_fingerprint() {
        let event = |at| Event {
            at: Time(at),
            node: program::NodeId(1),
            request: None,
            kind: EventKind::NodeCrashed,
        };
        let mut trace = Trace::new(Record::Window(Time(3), Time(5)), Measurements::new(0, 0, 0));
        let mut hasher = Fingerprinter::new();
        for at in 0..1_000 {
            trace.emit(event(at));
            event(at).hash(&mut hasher);
        }
        trace.remark(event(4));
        assert_eq!(trace.fingerprint(), hasher.fingerprint());
        assert_eq!((trace.events(), trace.recorded().len()), (1_000, 3));
    }
}
