//! The price book: a dated file of prices, each with its source. Units are in the names.

use std::fmt;

use base::Money;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceBook {
    pub name: String,
    pub title: String,
    /// ISO date of the sheet.
    pub date: String,
    pub region: String,
    pub currency: String,
    pub hours_per_month: u32,
    pub instances: Vec<InstanceClass>,
    /// Of processor time of a burstable class beyond its baseline.
    pub burst_usd_per_vcpu_hour: Price,
    pub sql_storage_usd_per_gb_month: Price,
    /// Beyond the provisioned size.
    pub sql_backup_usd_per_gb_month: Price,
    pub aurora_storage_usd_per_gb_month: Price,
    pub aurora_io_usd_per_million: Price,
    pub items_write_usd_per_million: Price,
    pub items_read_usd_per_million: Price,
    pub items_provisioned_write_usd_per_hour: Price,
    pub items_provisioned_read_usd_per_hour: Price,
    pub items_storage_usd_per_gb_month: Price,
    pub items_recovery_usd_per_gb_month: Price,
    pub items_stream_read_usd_per_million: Price,
    /// PUT, COPY, POST and LIST.
    pub objects_write_usd_per_thousand: Price,
    /// GET and all others but DELETE, which is free.
    pub objects_read_usd_per_thousand: Price,
    pub objects_storage_usd_per_gb_month: Price,
    /// Of each broker of an event bus.
    pub bus_broker_usd_per_hour: Price,
    pub bus_storage_usd_per_gb_month: Price,
    pub application_usd_per_vcpu_hour: Price,
    pub application_usd_per_gib_hour: Price,
    pub transfer_cross_zone_usd_per_gb: Price,
    pub transfer_cross_region_usd_per_gb: Price,
    pub sizing: Sizing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub usd: Money,
    /// Where it was read, and when; what nobody read begins with `assumed`.
    pub source: String,
}

/// A managed SQL server that can be rented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceClass {
    pub engine: Engine,
    /// `db.t3.medium`
    pub class: String,
    pub vcpus: u16,
    pub memory_gib: u32,
    pub usd_per_hour: Money,
    /// What a burstable class may use of each processor for its price; more is billed apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_percent: Option<u32>,
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    RdsPostgresql,
    AuroraPostgresql,
}

/// What the sizing rule and the bill take for granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizing {
    pub busy_percent_at_most: Assumption,
    pub storage_gb_at_least: Assumption,
    pub stored_percent_of_data: Assumption,
    /// The catalogs of a database without a table.
    pub empty_database_bytes: Assumption,
    pub data_percent_of_memory_at_most: Assumption,
    pub connection_bytes: Assumption,
    pub backup_percent_of_data: Assumption,
    pub growth_months: Assumption,
    pub application_gib_per_vcpu: Assumption,
    pub provisioned_percent_used: Assumption,
    /// Each has a copy of every message.
    pub bus_brokers: Assumption,
    pub bus_retention_hours: Assumption,
    pub bus_storage_gb_at_least: Assumption,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumption {
    pub value: u64,
    pub source: String,
}

impl Price {
    pub fn is_assumed(&self) -> bool {
        is_assumed(&self.source)
    }
}

impl InstanceClass {
    pub fn is_assumed(&self) -> bool {
        is_assumed(&self.source)
    }

    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_gib) << 30
    }
}

fn is_assumed(source: &str) -> bool {
    source.starts_with("assumed")
}

impl PriceBook {
    /// A class by its name: `db.t3.medium`.
    pub fn instance(&self, engine: Engine, class: &str) -> Option<&InstanceClass> {
        let mut of_engine = self.instances.iter().filter(|instance| instance.engine == engine);
        of_engine.find(|instance| instance.class == class)
    }

    /// Seconds of a month.
    pub fn month_secs(&self) -> u64 {
        u64::from(self.hours_per_month) * 3_600
    }
}

/// As people call it: `RDS for PostgreSQL`.
impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::RdsPostgresql => "RDS for PostgreSQL",
            Engine::AuroraPostgresql => "Aurora PostgreSQL",
        })
    }
}
