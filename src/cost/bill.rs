//! The bill: deployment and usage in, lines out. Each line says how it came about.

use base::Money;
use program::{Deployment, NodeKind};

use crate::number::{GB, gigabytes, grouped, percent, share};
use crate::price_book::{Price, PriceBook};
use crate::sizing::{self, Need};
use crate::usage::{NodeUsage, Usage};

/// A month's bill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    pub lines: Vec<Line>,
    /// What no price in the book covers, as sentences: the total is then a lower bound.
    pub unpriced: Vec<String>,
    /// What else a reader should know, as sentences.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub kind: Kind,
    /// The node that causes it.
    pub of: String,
    /// `db.t3.medium, 2 vCPU, 4 GiB`
    pub what: String,
    /// With its unit: `730 h`.
    pub quantity: String,
    /// With its unit: `$0.072 an hour`.
    pub unit_price: String,
    pub result: Money,
    /// Where the price was read.
    pub source: String,
    pub assumed: bool,
    /// How the quantity came about, with the figures put in.
    pub formula: String,
}

/// What a line is for. Application compute is apart from what the data costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Server,
    Storage,
    Backup,
    Requests,
    Application,
}

impl Bill {
    pub fn total(&self) -> Money {
        self.lines.iter().map(|line| line.result).sum()
    }

    /// Everything but the application's own compute: what the choice of a design is about.
    pub fn of_the_data(&self) -> Money {
        let data = self.lines.iter().filter(|line| line.kind != Kind::Application);
        data.map(|line| line.result).sum()
    }
}

/// What a month of this deployment costs at the load that was run.
pub fn bill(deployment: &Deployment, usage: &Usage, book: &PriceBook) -> Bill {
    let mut writer = Writer {
        usage,
        book,
        bill: Bill::default(),
    };
    for (index, node) in deployment.nodes.iter().enumerate() {
        match node.kind {
            NodeKind::SqlServer => {
                let on_it = deployment
                    .databases
                    .iter()
                    .filter(|database| database.node.index() == index);
                writer.server(&node.name, node.cores, &usage.node(index), on_it.count() as u64);
            }
            NodeKind::Service => writer.application(&node.name, node.cores),
            NodeKind::DynamoDb => writer.items(&node.name, &usage.node(index)),
            NodeKind::ObjectStore => writer.objects(&node.name, &usage.node(index)),
            NodeKind::EventBus => writer.bus(&node.name, node.cores, &usage.node(index)),
            // Nobody rents the client.
            NodeKind::Client => {}
        }
    }
    writer.bill
}

struct Writer<'a> {
    usage: &'a Usage,
    book: &'a PriceBook,
    bill: Bill,
}

impl Writer<'_> {
    fn server(&mut self, name: &str, vcpus: u16, used: &NodeUsage, databases: u64) {
        let book = self.book;
        let catalogs = databases.saturating_mul(book.sizing.empty_database_bytes.value);
        let worked_on = used.loaded_bytes.saturating_add(catalogs);
        let (data, growth) = self.data(worked_on, used.added_bytes);
        // What the requests of a month add is stored; what the run worked on has to be in memory.
        let need = Need::of(self.usage, used, vcpus, worked_on);
        match sizing::choose(&need, book) {
            Some(class) => {
                let (rent, burst) = sizing::month(class, &need, book);
                self.bill.lines.push(Line {
                    kind: Kind::Server,
                    of: name.to_owned(),
                    what: format!("{}, {} vCPU, {} GiB", class.class, class.vcpus, class.memory_gib),
                    quantity: format!("{} h", book.hours_per_month),
                    unit_price: format!("${} an hour", class.usd_per_hour.exact()),
                    result: rent,
                    source: class.source.clone(),
                    assumed: class.is_assumed(),
                    formula: format!(
                        "busy {} of the time on {vcpus} vCPU (at most {} %), {} worked on, {} connections",
                        percent(need.busy_thousandths),
                        book.sizing.busy_percent_at_most.value,
                        gigabytes(worked_on),
                        need.connections,
                    ),
                });
                if let Some(baseline) = class.baseline_percent.filter(|_| burst > Money::ZERO) {
                    let over = need.busy_thousandths.saturating_sub(u64::from(baseline) * 10);
                    self.push(
                        Kind::Server,
                        name,
                        "processor time beyond the class's baseline",
                        format!("{} of {vcpus} vCPU × {} h", percent(over), book.hours_per_month),
                        (&book.burst_usd_per_vcpu_hour, "a vCPU-hour"),
                        burst,
                        format!("busy {}, baseline {baseline} %", percent(need.busy_thousandths)),
                    );
                }
            }
            None => self.bill.unpriced.push(format!(
                "{name}: no class in the price book has {vcpus} processors and memory for {} of data",
                gigabytes(worked_on)
            )),
        }
        let provisioned = self.volume(name, data, &growth);
        self.backup(name, data, provisioned);
    }

    /// Gives the gigabytes that are provisioned.
    fn volume(&mut self, name: &str, data: u64, growth: &str) -> u64 {
        let sizing = &self.book.sizing;
        let stored = share(data, sizing.stored_percent_of_data.value, 100);
        let least = sizing.storage_gb_at_least.value;
        let provisioned = stored.div_ceil(GB).max(least);
        let price = &self.book.sql_storage_usd_per_gb_month;
        self.push(
            Kind::Storage,
            name,
            "volume",
            format!("{} GB", grouped(provisioned)),
            (price, "a GB-month"),
            price.usd.times(provisioned),
            format!(
                "{growth} × {} % = {}, at least {least} GB",
                sizing.stored_percent_of_data.value,
                gigabytes(stored)
            ),
        );
        provisioned
    }

    fn backup(&mut self, name: &str, data: u64, provisioned: u64) {
        let kept = share(data, self.book.sizing.backup_percent_of_data.value, 100);
        let free = provisioned.saturating_mul(GB);
        let billed = kept.saturating_sub(free);
        let price = &self.book.sql_backup_usd_per_gb_month;
        self.push(
            Kind::Backup,
            name,
            "backups beyond the volume's size",
            gigabytes(billed),
            (price, "a GB-month"),
            price.usd.times_ratio(u128::from(billed), u128::from(GB)),
            format!(
                "{} × {} % = {}, of which {provisioned} GB are free",
                gigabytes(data),
                self.book.sizing.backup_percent_of_data.value,
                gigabytes(kept)
            ),
        );
    }

    fn application(&mut self, name: &str, vcpus: u16) {
        let book = self.book;
        let memory = u64::from(vcpus).saturating_mul(book.sizing.application_gib_per_vcpu.value);
        let hours = u64::from(book.hours_per_month);
        let (processor, gib) = (&book.application_usd_per_vcpu_hour, &book.application_usd_per_gib_hour);
        self.bill.lines.push(Line {
            kind: Kind::Application,
            of: name.to_owned(),
            what: format!("application compute, {vcpus} vCPU, {memory} GiB"),
            quantity: format!("{hours} h"),
            unit_price: format!(
                "${} a vCPU-hour + ${} a GiB-hour",
                processor.usd.exact(),
                gib.usd.exact()
            ),
            result: processor.usd.times(u64::from(vcpus)).times(hours) + gib.usd.times(memory).times(hours),
            source: processor.source.clone(),
            assumed: true,
            formula: format!(
                "as many processors as the run had, {} GiB each",
                book.sizing.application_gib_per_vcpu.value
            ),
        });
    }

    fn items(&mut self, name: &str, used: &NodeUsage) {
        let book = self.book;
        let half_reads = self.usage.in_a_month(used.read_half_units, book.month_secs());
        let half_writes = self.usage.in_a_month(used.write_half_units, book.month_secs());
        let requests = grouped(self.usage.requests);
        let million = 1_000_000;
        self.push(
            Kind::Requests,
            name,
            "write units, on demand",
            halves(half_writes),
            (&book.items_write_usd_per_million, "a million"),
            (book.items_write_usd_per_million.usd).times_ratio(u128::from(half_writes), 2 * million),
            format!(
                "{} write units in {requests} requests that took {} to arrive, for a month",
                halves(used.write_half_units),
                self.usage.span
            ),
        );
        self.push(
            Kind::Requests,
            name,
            "read units, on demand",
            halves(half_reads),
            (&book.items_read_usd_per_million, "a million"),
            (book.items_read_usd_per_million.usd).times_ratio(u128::from(half_reads), 2 * million),
            format!(
                "{} read units in {requests} requests that took {} to arrive, for a month",
                halves(used.read_half_units),
                self.usage.span
            ),
        );
        let (data, growth) = self.data(used.loaded_bytes, used.added_bytes);
        for (kind, what, price) in [
            (
                Kind::Storage,
                "items and their copies in indexes",
                &book.items_storage_usd_per_gb_month,
            ),
            (
                Kind::Backup,
                "point-in-time recovery",
                &book.items_recovery_usd_per_gb_month,
            ),
        ] {
            let result = price.usd.times_ratio(u128::from(data), u128::from(GB));
            self.push(
                kind,
                name,
                what,
                gigabytes(data),
                (price, "a GB-month"),
                result,
                growth.clone(),
            );
        }
        self.provisioned_instead(name, half_reads, half_writes);
    }

    /// Copies in three zones are part of the price; there is no backup apart.
    fn objects(&mut self, name: &str, used: &NodeUsage) {
        let book = self.book;
        let requests = grouped(self.usage.requests);
        for (what, count, price) in [
            (
                "PUT and LIST requests",
                used.object_writes,
                &book.objects_write_usd_per_thousand,
            ),
            ("GET requests", used.object_reads, &book.objects_read_usd_per_thousand),
        ] {
            let month = self.usage.in_a_month(count, book.month_secs());
            let formula = format!(
                "{} in {requests} requests that took {} to arrive, for a month",
                grouped(count),
                self.usage.span
            );
            let result = price.usd.times_ratio(u128::from(month), 1_000);
            let price = (price, "a thousand");
            self.push(Kind::Requests, name, what, grouped(month), price, result, formula);
        }
        let (data, growth) = self.data(used.loaded_bytes, used.added_bytes);
        let price = &book.objects_storage_usd_per_gb_month;
        let result = price.usd.times_ratio(u128::from(data), u128::from(GB));
        let price = (price, "a GB-month");
        self.push(
            Kind::Storage,
            name,
            "objects and their keys",
            gigabytes(data),
            price,
            result,
            growth,
        );
    }

    /// Brokers of one class, each with a copy of what is not too old.
    fn bus(&mut self, name: &str, vcpus: u16, used: &NodeUsage) {
        let book = self.book;
        let sizing = &book.sizing;
        let (brokers, hours) = (sizing.bus_brokers.value, u64::from(book.hours_per_month));
        let busy = self.usage.busy_thousandths(used, vcpus);
        self.push(
            Kind::Server,
            name,
            "brokers, kafka.t3.small, 2 vCPU, 2 GiB",
            format!("{brokers} × {hours} h"),
            (&book.bus_broker_usd_per_hour, "an hour"),
            book.bus_broker_usd_per_hour.usd.times(brokers).times(hours),
            format!(
                "one in each of {brokers} zones; busy {} of the time on {vcpus} vCPU",
                percent(busy)
            ),
        );
        if busy > sizing.busy_percent_at_most.value.saturating_mul(10) {
            self.bill.unpriced.push(format!(
                "{name}: busy {} of the time, more than {} %; larger brokers are not in the price book",
                percent(busy),
                sizing.busy_percent_at_most.value
            ));
        }
        let month = self.usage.in_a_month(used.added_bytes, book.month_secs());
        let kept = share(month, sizing.bus_retention_hours.value, hours);
        let each = kept.div_ceil(GB).max(sizing.bus_storage_gb_at_least.value);
        self.push(
            Kind::Storage,
            name,
            "messages, a copy on each broker",
            format!("{brokers} × {} GB", grouped(each)),
            (&book.bus_storage_usd_per_gb_month, "a GB-month"),
            book.bus_storage_usd_per_gb_month.usd.times(each).times(brokers),
            format!(
                "{} a month, kept for {} h = {}, at least {} GB",
                gigabytes(month),
                sizing.bus_retention_hours.value,
                gigabytes(kept),
                sizing.bus_storage_gb_at_least.value
            ),
        );
    }

    /// What the same units cost when they are provisioned for the stated load.
    fn provisioned_instead(&mut self, name: &str, half_reads: u64, half_writes: u64) {
        let book = self.book;
        let used = book.sizing.provisioned_percent_used.value;
        let seconds = book.month_secs();
        let read_units = share(half_reads, 100, seconds.saturating_mul(2).saturating_mul(used));
        let write_units = share(half_writes, 100, seconds.saturating_mul(2).saturating_mul(used));
        let hours = u64::from(book.hours_per_month);
        let price = book
            .items_provisioned_read_usd_per_hour
            .usd
            .times(read_units)
            .times(hours)
            + book
                .items_provisioned_write_usd_per_hour
                .usd
                .times(write_units)
                .times(hours);
        self.bill.notes.push(format!(
            "{name}: provisioned for the stated load at {used} % use ({} write and {} read units a second) the same \
             requests cost {price} a month.",
            grouped(write_units),
            grouped(read_units)
        ));
    }

    /// Data after the growth that is kept, and how it came about.
    fn data(&self, loaded: u64, added: u64) -> (u64, String) {
        let months = self.book.sizing.growth_months.value;
        let month = self.usage.in_a_month(added, self.book.month_secs());
        let data = loaded.saturating_add(month.saturating_mul(months));
        let text = format!(
            "{} of data ({} loaded + {months} × {} a month)",
            gigabytes(data),
            gigabytes(loaded),
            gigabytes(month)
        );
        (data, text)
    }

    #[allow(clippy::too_many_arguments, reason = "the columns of a bill")]
    fn push(
        &mut self,
        kind: Kind,
        of: &str,
        what: &str,
        quantity: String,
        (price, unit): (&Price, &str),
        result: Money,
        formula: String,
    ) {
        self.bill.lines.push(Line {
            kind,
            of: of.to_owned(),
            what: what.to_owned(),
            quantity,
            unit_price: format!("${} {unit}", price.usd.exact()),
            result,
            source: price.source.clone(),
            assumed: price.is_assumed(),
            formula,
        });
    }
}

fn halves(number: u64) -> String {
    let half = if number % 2 == 1 { ".5" } else { "" };
    format!("{}{half}", grouped(number / 2))
}
