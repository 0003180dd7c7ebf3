//! Measurements from the stream of events: latencies, counts, errors.
//!
//! Latencies run from the intended start of a request to its final answer, so that a slow answer cannot
//! delay, and so hide, the requests behind it. The first requests are cut as warm-up. One run gives a
//! confidence interval by batch means: requests in order of arrival form twenty batches.

use std::collections::BTreeMap;

use base::Nanos;
use hdrhistogram::Histogram;
use program::{ErrorClass, OperationId, Outcome, RequestId};

use crate::statistics::interval_95;

const BATCHES: usize = 20;

/// The 0.975 quantile of the normal distribution.
const NORMAL_975: f64 = 1.96;

#[derive(Clone, Debug, PartialEq)]
pub struct Measurements {
    warm_up: u64,
    requests: u64,
    operations: Vec<OperationMeasurements>,
    /// (operation, message) → how often.
    errors: BTreeMap<(OperationId, String), u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OperationMeasurements {
    /// Of answered requests after the warm-up, in nanoseconds with three significant digits.
    pub latencies: Histogram<u64>,
    pub answered: u64,
    /// Answered with a failure.
    pub failed: u64,
    /// Given up without an answer.
    pub unanswered: u64,
    /// Messages to other nodes on behalf of requests that were still open, their answers not counted.
    pub trips: u64,
    sum_ns: f64,
    batches: Vec<(f64, u64)>,
}

impl Measurements {
    pub(crate) fn new(operations: usize, requests: u64, warm_up: u64) -> Measurements {
        let operation = || OperationMeasurements {
            latencies: Histogram::new(3).expect("three significant digits are within the library's bounds"),
            answered: 0,
            failed: 0,
            unanswered: 0,
            trips: 0,
            sum_ns: 0.0,
            batches: vec![(0.0, 0); BATCHES],
        };
        Measurements {
            warm_up: warm_up.min(requests),
            requests,
            operations: (0..operations).map(|_| operation()).collect(),
            errors: BTreeMap::new(),
        }
    }

    pub(crate) fn answered(&mut self, request: RequestId, operation: OperationId, latency: Nanos, outcome: &Outcome) {
        let Some(counts) = self.operations.get_mut(operation.index()) else {
            return;
        };
        match outcome {
            Outcome::Failed(error) => {
                match error.class {
                    ErrorClass::Timeout if error.message == NO_ANSWER => counts.unanswered += 1,
                    _ => counts.failed += 1,
                }
                *self.errors.entry((operation, error.message.clone())).or_default() += 1;
            }
            Outcome::Done => {
                counts.answered += 1;
                if request.0 >= self.warm_up {
                    // Grows by itself; only a latency beyond all memory would be cut.
                    if counts.latencies.record(latency.0.max(1)).is_err() {
                        counts.latencies.saturating_record(latency.0.max(1));
                    }
                    counts.sum_ns += latency.0 as f64;
                    let span = (self.requests - self.warm_up).max(1);
                    let batch = ((request.0 - self.warm_up) * BATCHES as u64 / span).min(BATCHES as u64 - 1);
                    let batch = &mut counts.batches[batch as usize];
                    batch.0 += latency.0 as f64;
                    batch.1 += 1;
                }
            }
        }
    }

    pub(crate) fn travelled(&mut self, operation: OperationId, trips: u32) {
        if let Some(counts) = self.operations.get_mut(operation.index()) {
            counts.trips += u64::from(trips);
        }
    }

    pub fn operations(&self) -> &[OperationMeasurements] {
        &self.operations
    }

    pub fn errors(&self) -> impl Iterator<Item = (OperationId, &str, u64)> {
        self.errors
            .iter()
            .map(|((operation, message), count)| (*operation, message.as_str(), *count))
    }
}

/// What a client says of a request that it has given up.
pub(crate) const NO_ANSWER: &str = "no answer in time";

impl OperationMeasurements {
    /// Exact, unlike the histogram's.
    pub fn mean_ns(&self) -> Option<f64> {
        let count: u64 = self.batches.iter().map(|batch| batch.1).sum();
        (count > 0).then(|| self.sum_ns / count as f64)
    }

    /// 95 %, by batch means; `None` if a batch is nearly empty.
    pub fn mean_interval_ns(&self) -> Option<(f64, f64)> {
        if self.batches.iter().any(|batch| batch.1 < 5) {
            return None;
        }
        let means: Vec<f64> = self.batches.iter().map(|(sum, count)| sum / *count as f64).collect();
        interval_95(&means)
    }

    pub fn quantile(&self, quantile: f64) -> Nanos {
        Nanos(self.latencies.value_at_quantile(quantile))
    }

    /// 95 %, from order statistics: the latencies at the ranks n·q ± 1.96·√(n·q·(1−q)) (Conover, Practical Nonparametric
    /// Statistics, 1999, 3.2). Requests that follow each other are alike, so n is first divided by how much larger batch
    /// means find the variance of the mean than independent requests would have it. Ends at the slowest request where
    /// there are too few above; `None` where nothing can be said of the dependence.
    pub fn quantile_interval(&self, quantile: f64) -> Option<(Nanos, Nanos)> {
        let (low, high) = self.mean_interval_ns()?;
        let count = self.latencies.len() as f64;
        let independent = self.latencies.stdev() / count.sqrt() * NORMAL_975;
        let wider = (high - low) / 2.0 / independent.max(f64::MIN_POSITIVE);
        let effective = count / (wider * wider).max(1.0);
        let half = NORMAL_975 * (quantile * (1.0 - quantile) / effective).sqrt();
        let at = |share: f64| self.quantile(share.clamp(0.0, 1.0));
        Some((at(quantile - half), at(quantile + half)))
    }

    /// The step CDF at up to `points` places: (latency, share of requests at most that slow), both rising.
    pub fn cdf(&self, points: u32) -> Vec<(Nanos, f64)> {
        if self.latencies.is_empty() {
            return Vec::new();
        }
        let shares = (1..=points).map(|point| f64::from(point) / f64::from(points.max(1)));
        let mut steps: Vec<(Nanos, f64)> = Vec::new();
        for share in shares {
            let latency = self.quantile(share);
            match steps.last_mut() {
                Some(last) if last.0 == latency => last.1 = share,
                _ => steps.push((latency, share)),
            }
        }
        steps
    }

    /// Messages and their answers, per request that has ended.
    pub fn round_trips(&self) -> f64 {
        let ended = self.answered + self.failed + self.unanswered;
        if ended == 0 {
            0.0
        } else {
            self.trips as f64 / ended as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_measured() {
        let mut measurements = Measurements::new(1, 100, 0);
        for millis in 1..=100 {
            measurements.answered(
                RequestId(millis - 1),
                OperationId(0),
                Nanos::from_millis(millis),
                &Outcome::Done,
            );
        }
        let operation = &measurements.operations[0];
        for (quantile, millis) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let found = operation.quantile(quantile).as_millis_f64();
            assert!(
                (found / millis - 1.0).abs() < 0.002,
                "{quantile}: {found} ms, not {millis} ms"
            );
        }
    }
}
