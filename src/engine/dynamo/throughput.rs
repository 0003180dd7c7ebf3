//! What a table, an index and their partitions can be asked for: token buckets. Reads and writes are throttled
//! independently; a request is let in while there are tokens, and what it turns out to cost may leave a debt.

use base::Time;

use crate::key::partition_of;
use crate::schema::Throughput;

/// Of one partition, a second: 3,000 read units and 1,000 write units.
const PARTITION_READ_UNITS: u64 = 3_000;
const PARTITION_WRITE_UNITS: u64 = 1_000;
/// What was not used of provisioned capacity is kept for so long.
const BURST_SECONDS: u64 = 300;
const MAX_PARTITIONS: u32 = 10_000;

const NANOS: i128 = 1_000_000_000;

/// Half units times nanoseconds: refilled by its rate for each nanosecond.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bucket {
    rate: u64,
    capacity: i128,
    level: i128,
    at: Time,
}

impl Bucket {
    fn new(units_per_second: u64, seconds: u64) -> Bucket {
        let rate = units_per_second * 2;
        Bucket {
            rate,
            capacity: i128::from(rate) * i128::from(seconds) * NANOS,
            // One second's worth: nothing was saved yet.
            level: i128::from(rate) * NANOS,
            at: Time::ZERO,
        }
    }

    fn is_open(&mut self, now: Time) -> bool {
        let gained = i128::from(now.since(self.at).0) * i128::from(self.rate);
        self.level = (self.level + gained).min(self.capacity);
        self.at = self.at.max(now);
        self.level > 0
    }

    fn take(&mut self, halves: u64) {
        self.level -= i128::from(halves) * NANOS;
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Gauge {
    read: Bucket,
    write: Bucket,
}

impl Gauge {
    fn bucket(&mut self, write: bool) -> &mut Bucket {
        if write { &mut self.write } else { &mut self.read }
    }
}

/// Of one table or index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Meter {
    whole: Option<Gauge>,
    /// None: unlimited.
    partitions: Vec<Gauge>,
}

/// Which limit a request has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Whole,
    Partition,
}

impl Meter {
    pub(crate) fn new(throughput: Throughput) -> Meter {
        let partition = || Gauge {
            read: Bucket::new(PARTITION_READ_UNITS, 1),
            write: Bucket::new(PARTITION_WRITE_UNITS, 1),
        };
        let (whole, partitions) = match throughput {
            Throughput::Unlimited => (None, 0),
            Throughput::OnDemand { partitions } => (None, partitions.min(MAX_PARTITIONS)),
            Throughput::Provisioned {
                read_units,
                write_units,
            } => {
                let (read, write) = (u64::from(read_units), u64::from(write_units));
                let whole = Gauge {
                    read: Bucket::new(read, BURST_SECONDS),
                    write: Bucket::new(write, BURST_SECONDS),
                };
                let needed = read
                    .div_ceil(PARTITION_READ_UNITS)
                    .max(write.div_ceil(PARTITION_WRITE_UNITS))
                    .max(1);
                (
                    Some(whole),
                    u32::try_from(needed).unwrap_or(u32::MAX).min(MAX_PARTITIONS),
                )
            }
        };
        Meter {
            whole,
            partitions: (0..partitions).map(|_| partition()).collect(),
        }
    }

    fn partition(&mut self, key: &[u8]) -> Option<&mut Gauge> {
        let index = partition_of(key, u32::try_from(self.partitions.len()).unwrap_or(u32::MAX));
        self.partitions.get_mut(index)
    }

    /// May this key be read or written now?
    pub(crate) fn check(&mut self, key: &[u8], write: bool, now: Time) -> Result<(), Limit> {
        if let Some(whole) = &mut self.whole
            && !whole.bucket(write).is_open(now)
        {
            return Err(Limit::Whole);
        }
        if let Some(partition) = self.partition(key)
            && !partition.bucket(write).is_open(now)
        {
            return Err(Limit::Partition);
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, key: &[u8], write: bool, halves: u64) {
        if let Some(whole) = &mut self.whole {
            whole.bucket(write).take(halves);
        }
        if let Some(partition) = self.partition(key) {
            partition.bucket(write).take(halves);
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Nanos;

    use super::*;

    fn second(n: u64) -> Time {
        Time::ZERO + Nanos::from_secs(n)
    }

    /// How many single units are let in at an instant.
    fn admitted(meter: &mut Meter, key: &[u8], write: bool, now: Time) -> u64 {
        let mut count = 0;
        while meter.check(key, write, now).is_ok() && count < 100_000 {
            meter.take(key, write, 2);
            count += 1;
        }
        count
    }

    #[test]
    fn a_partition_takes_a_thousand_writes_and_three_thousand_reads_a_second() {
        let mut meter = Meter::new(Throughput::OnDemand { partitions: 4 });
        let (one, other) = ([0; 8], [0xff; 8]);
        assert_eq!(admitted(&mut meter, &one, true, second(1)), 1_000);
        assert_eq!(admitted(&mut meter, &one, false, second(1)), 3_000);
        assert_eq!(meter.check(&one, true, second(1)), Err(Limit::Partition));
        assert_eq!(
            admitted(&mut meter, &other, true, second(1)),
            1_000,
            "another partition has its own"
        );
        assert_eq!(
            admitted(&mut meter, &one, true, second(9)),
            1_000,
            "a partition keeps one second's units"
        );
    }

    #[test]
    fn provisioned_capacity_that_was_not_used_is_kept_for_five_minutes() {
        let mut meter = Meter::new(Throughput::Provisioned {
            read_units: 5,
            write_units: 2,
        });
        let key = [7; 8];
        assert_eq!(admitted(&mut meter, &key, false, second(0)), 5);
        assert_eq!(meter.check(&key, false, second(0)), Err(Limit::Whole));
        assert_eq!(admitted(&mut meter, &key, false, second(10)), 50);
        assert_eq!(admitted(&mut meter, &key, false, second(10_000)), 1_500);
        assert_eq!(admitted(&mut meter, &key, true, second(10_000)), 600);
    }

    #[test]
    fn a_debt_is_paid_before_the_next_is_let_in() {
        let mut meter = Meter::new(Throughput::Provisioned {
            read_units: 1,
            write_units: 1,
        });
        assert!(meter.check(&[], true, second(0)).is_ok());
        meter.take(&[], true, 20);
        assert!(meter.check(&[], true, second(9)).is_err());
        assert!(meter.check(&[], true, second(10)).is_ok());
    }
}
