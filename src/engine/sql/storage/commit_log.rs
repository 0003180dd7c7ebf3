//! One bit per transaction: committed. What is neither committed nor running has been rolled back, or
//! was lost in a crash.

use std::sync::Arc;

use super::cow::CowVec;
use super::hashed::Hashed;
use super::ids::Xid;

/// Words of a block: 32,768 transactions.
const WORDS: usize = 512;
const BITS: usize = WORDS * 64;

#[derive(Clone, Debug, Hash)]
struct Block([u64; WORDS]);

/// See the module's text.
#[derive(Clone, Debug, Hash)]
pub(crate) struct CommitLog {
    blocks: CowVec<Arc<Hashed<Block>>>,
}

impl CommitLog {
    pub(crate) fn new() -> CommitLog {
        CommitLog { blocks: CowVec::new() }
    }

    #[inline]
    pub(crate) fn is_committed(&self, xid: Xid) -> bool {
        let number = xid.0 as usize;
        let block = self.blocks.get(number / BITS);
        xid == Xid::FROZEN || block.is_some_and(|block| block.0[number % BITS / 64] >> (number % 64) & 1 == 1)
    }

    pub(crate) fn set_committed(&mut self, xid: Xid) {
        let number = xid.0 as usize;
        while self.blocks.len() <= number / BITS {
            self.blocks.push(Arc::new(Hashed::new(Block([0; WORDS]))));
        }
        if let Some(block) = self.blocks.get_mut(number / BITS) {
            Arc::make_mut(block).write().0[number % BITS / 64] |= 1 << (number % 64);
        }
    }
}
