//! Servers that somebody names instead of measuring: `4 db.t3.small, 20 GB each`. What decisions on paper
//! are priced by.

use std::fmt;
use std::str::FromStr;

use base::Money;

use crate::{Bill, Engine, Kind, Line, PriceBook};

/// So many instances of one class, each with its volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    pub instances: Instances,
    /// Of each.
    pub storage_gb: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instances {
    pub count: u64,
    pub engine: Engine,
    pub class: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetError {
    /// Not of the form `4 db.t3.small, 20 GB each`.
    Form(String),
    UnknownClass {
        engine: Engine,
        class: String,
        known: Vec<String>,
    },
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FleetError::Form(text) => write!(
                f,
                "“{text}” names no servers: write it like `4 db.t3.small, 20 GB each` or `1 aurora db.t3.medium, 20 GB each`"
            ),
            FleetError::UnknownClass { engine, class, known } => {
                write!(
                    f,
                    "the price book has no {class} of {engine}; it has: {}",
                    known.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for FleetError {}

impl FromStr for Fleet {
    type Err = FleetError;

    fn from_str(text: &str) -> Result<Fleet, FleetError> {
        let refused = || FleetError::Form(text.to_owned());
        let (servers, storage) = text.split_once(',').ok_or_else(refused)?;
        let words: Vec<&str> = servers.split_whitespace().collect();
        let (count, engine, class) = match words.as_slice() {
            [count, "aurora", class] => (count, Engine::AuroraPostgresql, class),
            [count, class] => (count, Engine::RdsPostgresql, class),
            _ => return Err(refused()),
        };
        let words: Vec<&str> = storage.split_whitespace().collect();
        let ([gigabytes, "GB", "each"] | [gigabytes, "GB"]) = words.as_slice() else {
            return Err(refused());
        };
        let count: u64 = count.parse().map_err(|_| refused())?;
        let storage_gb: u64 = gigabytes.parse().map_err(|_| refused())?;
        if count == 0 || count > 100_000 || storage_gb > 65_536 {
            return Err(refused());
        }
        Ok(Fleet {
            instances: Instances {
                count,
                engine,
                class: (*class).to_owned(),
            },
            storage_gb,
        })
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let aurora = if self.instances.engine == Engine::AuroraPostgresql {
            "aurora "
        } else {
            ""
        };
        let Instances { count, class, .. } = &self.instances;
        write!(f, "{count} {aurora}{class}, {} GB each", self.storage_gb)
    }
}

impl Fleet {
    /// Memory of all servers together.
    pub fn memory_gib(&self, book: &PriceBook) -> Option<u64> {
        let class = book.instance(self.instances.engine, &self.instances.class)?;
        Some(u64::from(class.memory_gib).saturating_mul(self.instances.count))
    }

    /// A month of these servers and volumes, nothing else.
    ///
    /// # Errors
    ///
    /// The price book has no such class.
    pub fn bill(&self, book: &PriceBook) -> Result<Bill, FleetError> {
        let Instances { count, engine, class } = &self.instances;
        let Some(found) = book.instance(*engine, class) else {
            let known = book.instances.iter().filter(|known| known.engine == *engine);
            return Err(FleetError::UnknownClass {
                engine: *engine,
                class: class.clone(),
                known: known.map(|known| known.class.clone()).collect(),
            });
        };
        let hours = u64::from(book.hours_per_month);
        let mut bill = Bill::default();
        bill.lines.push(Line {
            kind: Kind::Server,
            of: engine.to_string(),
            what: format!("{count} × {class}, {} vCPU, {} GiB", found.vcpus, found.memory_gib),
            quantity: format!("{count} × {hours} h"),
            unit_price: format!("${} an hour", found.usd_per_hour.exact()),
            result: found.usd_per_hour.times(hours).times(*count),
            source: found.source.clone(),
            assumed: found.is_assumed(),
            formula: format!("{count} × {hours} h × ${}", found.usd_per_hour.exact()),
        });
        if self.storage_gb > 0 {
            bill.lines.push(self.storage(book));
        }
        Ok(bill)
    }

    fn storage(&self, book: &PriceBook) -> Line {
        let Instances { count, engine, .. } = &self.instances;
        let price = match engine {
            Engine::RdsPostgresql => &book.sql_storage_usd_per_gb_month,
            // A volume belongs to a cluster; each of these is a cluster of one instance.
            Engine::AuroraPostgresql => &book.aurora_storage_usd_per_gb_month,
        };
        let gigabytes = count.saturating_mul(self.storage_gb);
        let result: Money = price.usd.times(gigabytes);
        Line {
            kind: Kind::Storage,
            of: engine.to_string(),
            what: "volume".to_owned(),
            quantity: format!("{gigabytes} GB"),
            unit_price: format!("${} a GB-month", price.usd.exact()),
            result,
            source: price.source.clone(),
            assumed: price.is_assumed(),
            formula: format!("{count} × {} GB × ${}", self.storage_gb, price.usd.exact()),
        }
    }
}
