//! Tables of items: DynamoDB in a run.
//!
//! ```text
//! step ─request.rs→ requests ─travel.rs→ DynamoDB's node: time by the profile, the engine ─→ pages, rows
//!                       convert.rs: values ⇄ attributes      table.rs: definitions, initial items, read-back
//! ```
//!
//! DynamoDB is a managed service: a node without processors of ours, which takes its time and has no line to wait in.
//! What it cannot take it refuses.

mod convert;
mod request;
pub(crate) mod table;
mod travel;
mod wire;

use base::random::Stream;
use base::{Fingerprint, Nanos};
use engine_dynamo::{Configuration, Consumption, Engine};
use std::hash::{Hash, Hasher};

pub(crate) use request::ItemCall;
pub(crate) use travel::{ItemAnswer, ItemMessage};
pub(crate) use wire::KeptItem;
pub use wire::{ItemSent, ItemsHeld};

/// DynamoDB at its node.
#[derive(Clone, Debug)]
pub(crate) struct ItemService {
    pub(crate) engine: Engine,
    /// For the jitter of its answers.
    pub(crate) jitter: Stream,
    pub(crate) used: ItemUse,
}

/// What was asked of tables of items, and the capacity it has used, in half units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ItemUse {
    pub requests: u64,
    pub throttled: u64,
    pub conflicts: u64,
    pub read_halves: u64,
    pub write_halves: u64,
    /// Of these, those of transactions.
    pub transactional_read_halves: u64,
    pub transactional_write_halves: u64,
}

impl ItemUse {
    fn add(&mut self, consumed: &[Consumption]) {
        for one in consumed {
            let total = one.total();
            self.read_halves += total.read_halves;
            self.write_halves += total.write_halves;
            if one.transactional {
                // Entries of indexes are written outside of the transaction.
                self.transactional_read_halves += one.own.read_halves;
                self.transactional_write_halves += one.own.write_halves;
            }
        }
    }
}

impl ItemService {
    pub(crate) fn new(index_delay: Nanos, seed: u64, node: u64) -> ItemService {
        ItemService {
            engine: Engine::new(Configuration { index_delay }),
            jitter: Stream::new(seed, "dynamodb", node),
            used: ItemUse::default(),
        }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&(self.engine.fingerprint(), &self.jitter, self.used))
    }
}

impl Hash for ItemService {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint().hash(state);
    }
}
