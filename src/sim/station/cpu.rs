//! The processors of a node: `c` servers with one waiting line, first come first served.

use std::collections::VecDeque;

use base::Nanos;

/// `J` is what runs. Whoever starts a job decides for how long, see [`Cpu::stretch`].
#[derive(Clone, Debug, Hash)]
pub(crate) struct Cpu<J> {
    cores: u32,
    busy: u32,
    line: VecDeque<J>,
    /// Processor time handed out so far.
    used: Nanos,
}

impl<J> Cpu<J> {
    pub(crate) fn new(cores: u16) -> Cpu<J> {
        Cpu {
            cores: u32::from(cores.max(1)),
            busy: 0,
            line: VecDeque::new(),
            used: Nanos::ZERO,
        }
    }

    /// A job comes: it is given back if a core is free (it starts now), else it stands in line.
    pub(crate) fn arrive(&mut self, job: J) -> Option<J> {
        if self.busy < self.cores {
            self.busy += 1;
            return Some(job);
        }
        self.line.push_back(job);
        None
    }

    /// A running job has ended: the next in line, if any, takes over its core and starts now.
    pub(crate) fn finish(&mut self) -> Option<J> {
        let next = self.line.pop_front();
        if next.is_none() {
            self.busy = self.busy.saturating_sub(1);
        }
        next
    }

    /// Accounts for a job that starts and runs so long.
    pub(crate) fn account(&mut self, duration: Nanos) {
        self.used += duration;
    }

    pub(crate) fn used(&self) -> Nanos {
        self.used
    }

    pub(crate) fn cores(&self) -> u32 {
        self.cores
    }

    /// Jobs that have or want a core.
    pub(crate) fn active(&self) -> u64 {
        u64::from(self.busy) + self.line.len() as u64
    }

    /// How much longer work takes that starts now, because
    /// - `contention`: cores share caches and execution units: `1 + contention × (busy − 1) / (cores − 1)`;
    /// - `oversubscription`, if given: so many active backends per core double it:
    ///   `1 + (active per core / oversubscription)²`. At most one backend per core costs nothing.
    pub(crate) fn stretch(&self, work: Nanos, contention: f64, oversubscription: Option<f64>) -> Nanos {
        let mut factor = 1.0;
        if contention > 0.0 && self.cores > 1 {
            factor += contention * f64::from(self.busy.saturating_sub(1)) / f64::from(self.cores - 1);
        }
        if let Some(limit) = oversubscription.filter(|limit| *limit > 0.0)
            && self.active() > u64::from(self.cores)
        {
            let share = self.active() as f64 / f64::from(self.cores) / limit;
            factor *= 1.0 + share * share;
        }
        if factor == 1.0 {
            work
        } else {
            Nanos((work.0 as f64 * factor + 0.5) as u64)
        }
    }

    /// The node has crashed: nothing runs and nobody waits.
    pub(crate) fn clear(&mut self) {
        self.busy = 0;
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_start_in_order_of_arrival_when_cores_are_free() {
        let mut cpu = Cpu::new(2);
        assert_eq!(cpu.arrive('a'), Some('a'));
        assert_eq!(cpu.arrive('b'), Some('b'));
        assert_eq!(cpu.arrive('c'), None);
        assert_eq!(cpu.arrive('d'), None);
        assert_eq!(cpu.active(), 4);
        assert_eq!(cpu.finish(), Some('c'));
        assert_eq!(cpu.finish(), Some('d'));
        assert_eq!(cpu.finish(), None);
        assert_eq!(cpu.active(), 1);
    }

    #[test]
    fn crowding_stretches_work_by_the_documented_formula() {
        let mut cpu = Cpu::new(2);
        for job in 0..200 {
            cpu.arrive(job);
        }
        // 100 per core, doubled at 100 per core; both cores busy: 1.5 times for contention.
        assert_eq!(cpu.stretch(Nanos(1_000), 0.0, Some(100.0)), Nanos(2_000));
        assert_eq!(cpu.stretch(Nanos(1_000), 0.5, Some(100.0)), Nanos(3_000));
        assert_eq!(cpu.stretch(Nanos(1_000), 0.0, None), Nanos(1_000));
    }
}
