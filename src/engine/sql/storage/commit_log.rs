//! One bit per transaction: committed. What is neither committed nor running has been rolled back, or
//! was lost in a crash.

use super::cow::CowVec;
use super::ids::Xid;

/// See the module's text.
#[derive(Clone, Debug, Hash)]
pub(crate) struct CommitLog {
    bits: CowVec<u64>,
}

impl CommitLog {
    pub(crate) fn new() -> CommitLog {
        CommitLog { bits: CowVec::new() }
    }

    #[inline]
    pub(crate) fn is_committed(&self, xid: Xid) -> bool {
        xid == Xid::FROZEN
            || self
                .bits
                .get(xid.0 as usize / 64)
                .is_some_and(|bits| bits >> (xid.0 % 64) & 1 == 1)
    }

    pub(crate) fn set_committed(&mut self, xid: Xid) {
        while self.bits.len() <= xid.0 as usize / 64 {
            self.bits.push(0);
        }
        if let Some(bits) = self.bits.get_mut(xid.0 as usize / 64) {
            *bits |= 1 << (xid.0 % 64);
        }
    }
}
