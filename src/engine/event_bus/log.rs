//! A partition: messages in the order of their arrival, of which the last ones may not be flushed yet.

use std::sync::Arc;

use base::Time;

use crate::request::{Delivered, Message};

/// Clones share full segments.
const SEGMENT: usize = 256;

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Log {
    /// All but the last are full.
    segments: Vec<Arc<Vec<(Time, Message)>>>,
    end: u64,
    /// Messages from here on are not flushed.
    visible: u64,
    bytes: u64,
}

impl Log {
    /// Gives its offset.
    pub(crate) fn append(&mut self, at: Time, message: Message) -> u64 {
        self.bytes += message.bytes();
        match self.segments.last_mut().filter(|last| last.len() < SEGMENT) {
            Some(last) => Arc::make_mut(last).push((at, message)),
            None => self.segments.push(Arc::new(vec![(at, message)])),
        }
        self.end += 1;
        self.end - 1
    }

    /// One more message is flushed.
    pub(crate) fn show_next(&mut self) {
        self.visible = self.end.min(self.visible + 1);
    }

    pub(crate) fn visible(&self) -> u64 {
        self.visible
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Flushed messages from an offset on.
    pub(crate) fn read(&self, from: u64) -> impl Iterator<Item = Delivered> + '_ {
        (from..self.visible).filter_map(|offset| {
            let (segment, place) = (offset as usize / SEGMENT, offset as usize % SEGMENT);
            let (at, message) = self.segments.get(segment)?.get(place)?;
            Some(Delivered {
                offset,
                at: *at,
                message: message.clone(),
            })
        })
    }

    /// Loses what is not flushed: how many messages that is.
    pub(crate) fn crash(&mut self) -> u64 {
        let lost = self.end - self.visible;
        for _ in 0..lost {
            let Some(last) = self.segments.last_mut() else { break };
            if let Some((_, message)) = Arc::make_mut(last).pop() {
                self.bytes -= message.bytes();
            }
            if last.is_empty() {
                self.segments.pop();
            }
        }
        self.end = self.visible;
        lost
    }
}
