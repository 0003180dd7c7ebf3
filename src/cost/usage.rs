//! What a run used, as plain data: whoever ran it fills this in.

use base::Nanos;

/// In the order of the deployment that was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests that the figures below come from.
    pub requests: u64,
    /// How long these requests took to arrive: their number over the stated rate.
    pub span: Nanos,
    pub nodes: Vec<NodeUsage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeUsage {
    /// Processor time used, over all cores.
    pub busy: Nanos,
    /// Data of the initial rows on this node, indexes included.
    pub loaded_bytes: u64,
    /// Data that the requests added.
    pub added_bytes: u64,
    /// Connections that all pools to it may open.
    pub connections: u64,
    /// Of DynamoDB, in half units: an eventually consistent read of 4 KB is one.
    pub read_half_units: u64,
    /// Of DynamoDB, in half units, those of indexes included: a write of 1 KB is two.
    pub write_half_units: u64,
    /// Of an object store: PUT and LIST.
    pub object_writes: u64,
    /// Of an object store: GET and HEAD. DELETE is free.
    pub object_reads: u64,
}

impl Usage {
    /// What `amount` of the run comes to in a month at the stated load.
    pub(crate) fn in_a_month(&self, amount: u64, month_secs: u64) -> u64 {
        let month_ns = u128::from(month_secs) * 1_000_000_000;
        let span = u128::from(self.span.0.max(1));
        let amount = u128::from(amount).saturating_mul(month_ns);
        u64::try_from((amount + span / 2) / span).unwrap_or(u64::MAX)
    }

    /// Share of the time, in thousandths, that each of `cores` was busy.
    pub(crate) fn busy_thousandths(&self, node: &NodeUsage, cores: u16) -> u64 {
        let available = u128::from(self.span.0.max(1)) * u128::from(cores.max(1));
        u64::try_from(u128::from(node.busy.0) * 1_000 / available).unwrap_or(u64::MAX)
    }

    pub(crate) fn node(&self, index: usize) -> NodeUsage {
        self.nodes.get(index).copied().unwrap_or_default()
    }
}
