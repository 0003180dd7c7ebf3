//! What designs cost a month, each sized for the same target, with every line's origin.

use base::Nanos;
use serde::{Deserialize, Serialize};

use crate::document::{Block, Table};
use crate::{Cell, Evidence, Figure, FormulaLine, Provenance, ScenarioSummary, Unit, Verdict};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BillReport {
    pub scenario: ScenarioSummary,
    pub prices: PriceSheet,
    /// Of the 99th percentile of all requests.
    pub target_p99: Nanos,
    /// How servers are sized, in one sentence.
    pub rule: String,
    pub designs: Vec<DesignBill>,
}

/// Which price book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceSheet {
    pub title: String,
    pub date: String,
    pub region: String,
    pub prices: Vec<ListedPrice>,
}

/// How people write what keys abbreviate.
const WRITTEN: [(&str, &str); 8] = [
    ("sql", "PostgreSQL"),
    ("items", "DynamoDB"),
    ("objects", "S3"),
    ("aurora", "Aurora"),
    ("io", "I/O"),
    ("gb", "GB"),
    ("gib", "GiB"),
    ("vcpu", "vCPU"),
];

impl ListedPrice {
    /// The key as words: `PostgreSQL storage, per GB month`.
    pub fn words(&self) -> String {
        let (what, unit) = self.key.split_once("_usd_per_").unwrap_or((&self.key, ""));
        let written = |word: &str| {
            let known = WRITTEN.iter().find(|(short, _)| *short == word);
            known.map_or_else(|| word.to_owned(), |(_, long)| (*long).to_owned())
        };
        let words = |text: &str| text.split('_').map(written).collect::<Vec<_>>().join(" ");
        match (self.server(), unit) {
            (Some((engine, class)), _) => format!("{class} ({engine})"),
            (None, "") => words(what),
            (None, unit) => format!("{}, per {}", words(what), words(unit)),
        }
    }

    /// Engine and class of a server by the hour.
    pub fn server(&self) -> Option<(&str, &str)> {
        self.key.split_once('/')
    }
}

/// A price that bills are made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPrice {
    /// `sql_storage_usd_per_gb_month`; of a server by the hour, engine and class: `rds-postgresql/db.t3.small`.
    pub key: String,
    /// All its digits.
    pub usd: String,
    pub source: String,
    /// Is it somebody's own, in place of the book's?
    pub replaced: bool,
}

impl PriceSheet {
    /// `, 2 of its prices replaced by yours`; empty when all are the book's.
    pub fn whose(&self) -> String {
        match self.prices.iter().filter(|price| price.replaced).count() {
            0 => String::new(),
            changed => format!(", {changed} of its prices replaced by yours"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignBill {
    pub architecture: String,
    pub title: String,
    /// Of all requests, on the servers that are billed.
    pub p99: Nanos,
    pub target_met: bool,
    /// The runs that led there, in order; the last one is billed unless it says otherwise.
    pub sizing: Vec<SizingRun>,
    pub lines: Vec<BillLine>,
    /// Dollars a month without the application's own compute.
    pub data_dollars: f64,
    pub total_dollars: f64,
    pub unpriced: Vec<String>,
    pub notes: Vec<String>,
}

/// One run with so many processors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizingRun {
    /// (server, processors, share of the time that they were busy)
    pub servers: Vec<(String, u16, f64)>,
    pub p99: Nanos,
    pub billed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BillLine {
    /// `server`, `storage`, `backup`, `requests`, `application`
    pub kind: String,
    pub of: String,
    pub what: String,
    pub quantity: String,
    pub unit_price: String,
    pub dollars: f64,
    pub source: String,
    pub assumed: bool,
    pub formula: String,
}

impl BillReport {
    pub fn document(&self) -> Vec<Block> {
        let mut blocks = vec![
            Block::Heading(1, format!("{}: what it costs a month", self.scenario.title)),
            Block::Paragraph(format!(
                "{} of {}{}; load: {}, all month; target: p99 of all requests at most {}.",
                self.prices.title,
                self.prices.date,
                self.prices.whose(),
                self.scenario.clients,
                self.target_p99
            )),
            Block::Paragraph(self.rule.clone()),
            Block::Table(self.overview()),
        ];
        blocks.extend(self.designs.iter().flat_map(DesignBill::document));
        blocks
    }

    fn overview(&self) -> Table {
        let mut table = Table::new(&["design", "p99", "target", "data, $", "with application, $"]).numbers(3..5);
        for design in &self.designs {
            table.row([
                design.title.clone(),
                design.p99.to_string(),
                if design.target_met { "met" } else { "missed" }.to_owned(),
                dollars(design.data_dollars),
                dollars(design.total_dollars),
            ]);
        }
        table
    }

    /// A design's cell on the board: the month's bill of its data, with the lines as evidence.
    pub fn cell(&self, architecture: &str) -> Option<Cell> {
        let design = self.designs.iter().find(|design| design.architecture == architecture)?;
        let priced = Provenance::Priced {
            date: self.prices.date.clone(),
            region: self.prices.region.clone(),
        };
        let provenance = |assumed: bool| if assumed { Provenance::Assumed } else { priced.clone() };
        let line = |line: &BillLine| FormulaLine {
            what: format!("{}: {}", line.of, line.what),
            quantity: format!("{} × {} ({})", line.quantity, line.unit_price, line.formula),
            result: format!("${}", dollars(line.dollars)),
            provenance: provenance(line.assumed),
        };
        let mut evidence = vec![Evidence::Sentence(self.rule.clone())];
        let of_the_data = |line: &&BillLine| line.kind != "application";
        evidence.push(Evidence::Formula {
            formula: "Σ quantity × price".to_owned(),
            lines: design.lines.iter().filter(of_the_data).map(line).collect(),
        });
        evidence.push(Evidence::Sentence(format!(
            "The application’s own processors are not in it: ${} more a month, assumed.",
            dollars(design.total_dollars - design.data_dollars)
        )));
        evidence.extend(
            design
                .notes
                .iter()
                .chain(&design.unpriced)
                .cloned()
                .map(Evidence::Sentence),
        );
        let counts = design
            .lines
            .iter()
            .filter(of_the_data)
            .filter(|line| line.dollars > 0.0);
        let assumed = counts.clone().any(|line| line.assumed);
        Some(Cell {
            verdict: Verdict::Measured,
            figure: Some(Figure {
                value: design.data_dollars,
                band: None,
                of: None,
                unit: Unit::Dollars,
            }),
            words: design.in_words(),
            provenance: Some(provenance(assumed)),
            evidence,
        })
    }
}

impl DesignBill {
    /// `3 servers`, `by request`; and what is missing.
    fn in_words(&self) -> String {
        let servers = self
            .lines
            .iter()
            .filter(|line| line.kind == "storage" && line.what == "volume");
        let mut words = match servers.count() {
            0 => "by request".to_owned(),
            1 => "1 server".to_owned(),
            servers => format!("{servers} servers"),
        };
        if !self.target_met {
            words.push_str(", target missed");
        }
        if !self.unpriced.is_empty() {
            words.push_str(", not all priced");
        }
        words
    }

    fn document(&self) -> Vec<Block> {
        let mut lines = Table::new(&["of", "what", "quantity", "price", "$ a month", "rests on"]).numbers(4..5);
        for line in &self.lines {
            lines.row([
                line.of.clone(),
                line.what.clone(),
                line.quantity.clone(),
                line.unit_price.clone(),
                dollars(line.dollars),
                if line.assumed { "assumed" } else { "priced" }.to_owned(),
            ]);
        }
        let how = |line: &BillLine| format!("{}, {}: {}; price: {}", line.of, line.what, line.formula, line.source);
        let mut blocks = vec![Block::Heading(2, self.title.clone()), Block::Table(lines)];
        if self.sizing.len() > 1 {
            blocks.push(Block::List(self.sizing.iter().map(SizingRun::sentence).collect()));
        }
        blocks.push(Block::List(self.lines.iter().map(how).collect()));
        let more: Vec<String> = self.unpriced.iter().chain(&self.notes).cloned().collect();
        if !more.is_empty() {
            blocks.push(Block::List(more));
        }
        blocks
    }
}

impl SizingRun {
    fn sentence(&self) -> String {
        let server = |(name, cores, busy): &(String, u16, f64)| {
            format!("{name} with {cores} processors busy {:.0} % of the time", busy * 100.0)
        };
        let servers: Vec<String> = self.servers.iter().map(server).collect();
        let billed = if self.billed { " (billed)" } else { "" };
        format!("{}: p99 {}{billed}", servers.join(", "), self.p99)
    }
}

fn dollars(amount: f64) -> String {
    format!("{amount:.2}")
}
