//! M/M/c on the very scheduler and processors that deployments run on: checked in tests against theory,
//! timed by the benchmark.

use base::random::Stream;
use base::{Nanos, Time};

use crate::scheduler::Scheduler;
use crate::station::Cpu;

/// Poisson arrivals, exponential service, `servers` servers, one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    pub servers: u16,
    pub gap_mean: Nanos,
    pub service_mean: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueRun {
    /// Of the customers after the warm-up.
    pub mean_response_ns: f64,
    /// What the scheduler has handled.
    pub events: u64,
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Arrival,
    Departure { arrived: Time },
}

impl Queue {
    /// Serves `customers`, of which the first `warm_up` are not counted.
    pub fn run(&self, seed: u64, warm_up: u64, customers: u64) -> QueueRun {
        let mut gaps = Stream::new(seed, "arrivals", 0);
        let mut services = Stream::new(seed, "service", 0);
        let mut scheduler = Scheduler::new();
        let mut cpu = Cpu::new(self.servers);
        let (mut arrived, mut left, mut sum) = (0, 0, 0.0);
        scheduler.after(gaps.exponential(self.gap_mean), Happening::Arrival);
        while left < customers
            && let Some(happening) = scheduler.take()
        {
            let now = scheduler.now();
            let starts = match happening {
                Happening::Arrival => {
                    arrived += 1;
                    if arrived < customers {
                        scheduler.after(gaps.exponential(self.gap_mean), Happening::Arrival);
                    }
                    cpu.arrive(now)
                }
                Happening::Departure { arrived } => {
                    left += 1;
                    if left > warm_up {
                        sum += now.since(arrived).0 as f64;
                    }
                    cpu.finish()
                }
            };
            if let Some(arrived) = starts {
                scheduler.after(
                    services.exponential(self.service_mean),
                    Happening::Departure { arrived },
                );
            }
        }
        QueueRun {
            mean_response_ns: sum / customers.saturating_sub(warm_up).max(1) as f64,
            events: scheduler.happened(),
        }
    }

    /// Offered load per server, ρ = λ / (c μ).
    pub fn load(&self) -> f64 {
        self.service_mean.0 as f64 / self.gap_mean.0 as f64 / f64::from(self.servers)
    }

    /// The mean response time by theory: `1/μ + C(c, λ/μ) / (cμ − λ)`, where Erlang's C, the chance to wait, comes
    /// from Erlang's B by its recursion `B(0) = 1, B(k) = a B(k−1) / (k + a B(k−1))` as `C = B / (1 − ρ (1 − B))`
    /// (L. Kleinrock, Queueing Systems I, 1975, sections 3.5 and 3.7).
    pub fn mean_response_ns_by_theory(&self) -> f64 {
        let offered = self.service_mean.0 as f64 / self.gap_mean.0 as f64;
        let blocked = (1..=self.servers).fold(1.0, |b, k| offered * b / (f64::from(k) + offered * b));
        let waits = blocked / (1.0 - self.load() * (1.0 - blocked));
        let service = self.service_mean.0 as f64;
        service + waits * service / (f64::from(self.servers) * (1.0 - self.load()))
    }
}
