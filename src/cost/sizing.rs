//! The sizing rule: which class a server gets, and how many processors to try next.

use base::Money;
use program::{Deployment, NodeKind};

use crate::number::share;
use crate::{Engine, InstanceClass, NodeUsage, PriceBook, Usage};

/// The rule in one sentence, with the book's figure in it.
pub fn rule(book: &PriceBook) -> String {
    format!(
        "Each SQL server gets the cheapest class on which its processors are busy for at most {} % of the time under \
         the stated load, the data that the run works on and its connections fit its memory, and the 99th percentile of all requests meets \
         the target.",
        book.sizing.busy_percent_at_most.value
    )
}

/// What a server has to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) vcpus: u16,
    /// Share of the time, in thousandths, that each of these processors is busy.
    pub(crate) busy_thousandths: u64,
    pub(crate) data_bytes: u64,
    pub(crate) connections: u64,
}

impl Need {
    pub(crate) fn of(usage: &Usage, node: &NodeUsage, vcpus: u16, data_bytes: u64) -> Need {
        Need {
            vcpus,
            busy_thousandths: usage.busy_thousandths(node, vcpus),
            data_bytes,
            connections: node.connections,
        }
    }

    /// Memory for the data and, by RDS's formula, for the connections; whichever asks for more.
    fn memory_bytes(&self, book: &PriceBook) -> u64 {
        let for_data = share(self.data_bytes, 100, book.sizing.data_percent_of_memory_at_most.value);
        for_data.max(self.connections.saturating_mul(book.sizing.connection_bytes.value))
    }
}

/// Processor time beyond a burstable class's baseline, in thousandths of one processor.
pub(crate) fn burst_thousandths(class: &InstanceClass, need: &Need) -> u64 {
    let baseline = class.baseline_percent.map(|percent| u64::from(percent) * 10);
    baseline.map_or(0, |baseline| need.busy_thousandths.saturating_sub(baseline)) * u64::from(need.vcpus)
}

/// A month of the class, and of its burst.
pub(crate) fn month(class: &InstanceClass, need: &Need, book: &PriceBook) -> (Money, Money) {
    let hours = u64::from(book.hours_per_month);
    let burst = burst_thousandths(class, need);
    (
        class.usd_per_hour.times(hours),
        (book.burst_usd_per_vcpu_hour.usd.times(hours)).times_ratio(u128::from(burst), 1_000),
    )
}

/// The cheapest class that carries the need; `None` if none in the book does.
pub(crate) fn choose<'a>(need: &Need, book: &'a PriceBook) -> Option<&'a InstanceClass> {
    let memory = need.memory_bytes(book);
    let rented = book
        .instances
        .iter()
        .filter(|class| class.engine == Engine::RdsPostgresql);
    let large_enough = rented.filter(|class| class.vcpus >= need.vcpus && class.memory_bytes() >= memory);
    large_enough.min_by_key(|class| {
        let (rent, burst) = month(class, need, book);
        rent + burst
    })
}

/// The numbers of processors that SQL servers come with, rising.
pub fn processor_counts(book: &PriceBook) -> Vec<u16> {
    let mut counts: Vec<u16> = (book.instances.iter())
        .filter(|class| class.engine == Engine::RdsPostgresql)
        .map(|class| class.vcpus)
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// The servers that are busier than the rule allows, as indexes of the deployment's nodes; if there are none
/// and the target is missed, the busiest one. Those are to get more processors.
pub fn too_small(deployment: &Deployment, usage: &Usage, target_met: bool, book: &PriceBook) -> Vec<usize> {
    let servers = deployment.nodes.iter().enumerate();
    let servers = servers.filter(|(_, node)| node.kind == NodeKind::SqlServer);
    let busy: Vec<(usize, u64)> = servers
        .map(|(index, node)| (index, usage.busy_thousandths(&usage.node(index), node.cores)))
        .collect();
    let most = book.sizing.busy_percent_at_most.value.saturating_mul(10);
    let over: Vec<usize> = (busy.iter())
        .filter(|(_, busy)| *busy > most)
        .map(|(index, _)| *index)
        .collect();
    if !over.is_empty() || target_met {
        return over;
    }
    let busiest = busy.iter().max_by_key(|(index, busy)| (*busy, usize::MAX - index));
    busiest.map(|(index, _)| *index).into_iter().collect()
}
