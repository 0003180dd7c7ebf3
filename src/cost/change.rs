//! Somebody's own price in place of one of the book.

use std::fmt;
use std::str::FromStr;

use base::Money;

use crate::price_book::{Engine, Price, PriceBook};

/// One price: `sql_storage_usd_per_gb_month=0.2`, `rds-postgresql/db.t3.small=0.03`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// As the book's file calls it; of a server that is rented by the hour, engine and class.
    pub key: String,
    pub usd: Money,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceChangeError {
    /// It is not `key=amount`.
    Form(String),
    Amount(base::NotMoney),
    /// With the keys that the book has.
    Unknown {
        key: String,
        known: Vec<String>,
    },
}

impl FromStr for PriceChange {
    type Err = PriceChangeError;

    fn from_str(text: &str) -> Result<PriceChange, PriceChangeError> {
        let parts = text.split_once('=');
        let (key, usd) = parts.ok_or_else(|| PriceChangeError::Form(text.to_owned()))?;
        Ok(PriceChange {
            key: key.trim().to_owned(),
            usd: usd.trim().parse().map_err(PriceChangeError::Amount)?,
        })
    }
}

impl fmt::Display for PriceChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PriceChangeError::Form(text) => {
                write!(
                    f,
                    "“{text}” is no price: write it like sql_storage_usd_per_gb_month=0.2"
                )
            }
            PriceChangeError::Amount(error) => error.fmt(f),
            PriceChangeError::Unknown { key, known } => {
                write!(
                    f,
                    "the price book has no price “{key}”; there are: {}",
                    known.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for PriceChangeError {}

impl PriceBook {
    /// The book with these prices in place of its own. They count as assumed: nobody has shown where they come from.
    ///
    /// # Errors
    ///
    /// The book has no such price.
    pub fn changed(mut self, changes: &[PriceChange]) -> Result<PriceBook, PriceChangeError> {
        for PriceChange { key, usd } in changes {
            let mut prices = self.prices_mut();
            let Some((_, old, source)) = prices.iter_mut().find(|(known, ..)| known == key) else {
                return Err(PriceChangeError::Unknown {
                    key: key.clone(),
                    known: prices.into_iter().map(|(key, ..)| key).collect(),
                });
            };
            **source = format!("assumed: yours, in place of {}", old.exact());
            **old = *usd;
        }
        Ok(self)
    }

    /// Every price: its key, the amount, the source.
    pub fn prices(&self) -> Vec<(String, Money, String)> {
        let mut book = self.clone();
        let prices = book.prices_mut().into_iter();
        prices.map(|(key, usd, source)| (key, *usd, source.clone())).collect()
    }

    fn prices_mut(&mut self) -> Vec<(String, &mut Money, &mut String)> {
        let rates: [(&str, &mut Price); 21] = [
            ("burst_usd_per_vcpu_hour", &mut self.burst_usd_per_vcpu_hour),
            ("sql_storage_usd_per_gb_month", &mut self.sql_storage_usd_per_gb_month),
            ("sql_backup_usd_per_gb_month", &mut self.sql_backup_usd_per_gb_month),
            (
                "aurora_storage_usd_per_gb_month",
                &mut self.aurora_storage_usd_per_gb_month,
            ),
            ("aurora_io_usd_per_million", &mut self.aurora_io_usd_per_million),
            ("items_write_usd_per_million", &mut self.items_write_usd_per_million),
            ("items_read_usd_per_million", &mut self.items_read_usd_per_million),
            (
                "items_provisioned_write_usd_per_hour",
                &mut self.items_provisioned_write_usd_per_hour,
            ),
            (
                "items_provisioned_read_usd_per_hour",
                &mut self.items_provisioned_read_usd_per_hour,
            ),
            (
                "items_storage_usd_per_gb_month",
                &mut self.items_storage_usd_per_gb_month,
            ),
            (
                "items_recovery_usd_per_gb_month",
                &mut self.items_recovery_usd_per_gb_month,
            ),
            (
                "items_stream_read_usd_per_million",
                &mut self.items_stream_read_usd_per_million,
            ),
            (
                "objects_write_usd_per_thousand",
                &mut self.objects_write_usd_per_thousand,
            ),
            ("objects_read_usd_per_thousand", &mut self.objects_read_usd_per_thousand),
            (
                "objects_storage_usd_per_gb_month",
                &mut self.objects_storage_usd_per_gb_month,
            ),
            ("bus_broker_usd_per_hour", &mut self.bus_broker_usd_per_hour),
            ("bus_storage_usd_per_gb_month", &mut self.bus_storage_usd_per_gb_month),
            ("application_usd_per_vcpu_hour", &mut self.application_usd_per_vcpu_hour),
            ("application_usd_per_gib_hour", &mut self.application_usd_per_gib_hour),
            (
                "transfer_cross_zone_usd_per_gb",
                &mut self.transfer_cross_zone_usd_per_gb,
            ),
            (
                "transfer_cross_region_usd_per_gb",
                &mut self.transfer_cross_region_usd_per_gb,
            ),
        ];
        let rates = rates
            .into_iter()
            .map(|(key, price)| (key.to_owned(), &mut price.usd, &mut price.source));
        let servers = self.instances.iter_mut().map(|instance| {
            let key = format!("{}/{}", instance.engine.slug(), instance.class);
            (key, &mut instance.usd_per_hour, &mut instance.source)
        });
        rates.chain(servers).collect()
    }
}

impl Engine {
    /// As files call it.
    fn slug(self) -> &'static str {
        match self {
            Engine::RdsPostgresql => "rds-postgresql",
            Engine::AuroraPostgresql => "aurora-postgresql",
        }
    }
}
