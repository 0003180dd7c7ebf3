//! A decision's table of latencies beside what runs give: each figure with the round trips that make it up.

use base::Nanos;
use serde::{Deserialize, Serialize};

use crate::ScenarioSummary;
use crate::document::{Block, Table};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionTable {
    pub scenario: ScenarioSummary,
    /// The decision's title.
    pub decision: String,
    pub rows: Vec<DecisionRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// The claim's id.
    pub claim: String,
    pub says: Nanos,
    /// What a reader should know of it.
    pub note: Option<String>,
    /// How far the run may be from it and still agree.
    pub percent: f64,
    pub under: String,
    pub design: String,
    pub operation: String,
    pub alone: Alone,
}

/// One request alone, in a system that is up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alone {
    /// What each round trip between two machines was made to take; `None`: the profile's own figure.
    pub round_trip: Option<Nanos>,
    pub latency: Nanos,
    /// What waited for an answer from another machine, in order: `postgres: BEGIN`. The person's own request to the
    /// application is not among them.
    pub trips: Vec<String>,
    /// What the run's events say that the rest went into: processors at work, waits for flushes, locks and connections.
    pub service: Nanos,
}

impl Alone {
    /// Σ round trips + service time: what the latency has to be if nothing overlaps.
    pub fn predicted(&self) -> Option<Nanos> {
        let network = self.round_trip?.0.saturating_mul(self.trips.len() as u64);
        Some(Nanos(network) + self.service)
    }
}

impl DecisionRow {
    /// Is the run's latency the decision's, but for the tolerance?
    pub fn agrees(&self) -> bool {
        let (says, found) = (self.says.0 as f64, self.alone.latency.0 as f64);
        (found - says).abs() <= says * self.percent / 100.0
    }

    /// What a round trip would have to take for the decision's figure to come out.
    pub fn implied_round_trip(&self) -> Option<Nanos> {
        let trips = self.alone.trips.len() as u64;
        let network = self.says.saturating_sub(self.alone.service).0;
        network.checked_div(trips).map(Nanos)
    }

    /// Does the figure follow from round trips of one length, or not, and why.
    fn conclusion(&self) -> String {
        let Some(round_trip) = self.alone.round_trip.filter(|trip| trip.0 > 0) else {
            return String::new();
        };
        let (asked, found) = (self.says.0 as f64 / round_trip.0 as f64, self.alone.trips.len());
        let trips = if found == 1 { "round trip" } else { "round trips" };
        if self.agrees() {
            format!("{} follows from {found} {trips} of {round_trip}", self.says)
        } else {
            format!(
                "{} does not follow: it would be {asked:.1} round trips of {round_trip}, not {found}",
                self.says
            )
        }
    }

    fn subject(&self) -> String {
        let under = if self.under.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.under)
        };
        format!("{} on {}{under}", self.operation, self.design)
    }
}

impl DecisionTable {
    pub fn document(&self) -> Vec<Block> {
        let mut table = Table::new(&[
            "operation and design",
            "it says",
            "run gives",
            "round trips",
            "service",
            "predicted",
            "run − predicted",
            "a round trip would have to take",
        ])
        .numbers(1..8);
        for row in &self.rows {
            let alone = &row.alone;
            table.row([
                row.subject(),
                row.says.to_string(),
                alone.latency.to_string(),
                alone.trips.len().to_string(),
                alone.service.to_string(),
                alone
                    .predicted()
                    .map_or_else(String::new, |predicted| predicted.to_string()),
                alone
                    .predicted()
                    .map_or_else(String::new, |predicted| difference(alone.latency, predicted)),
                row.implied_round_trip()
                    .map_or_else(String::new, |trip| trip.to_string()),
            ]);
        }
        let network = self.rows.iter().find_map(|row| row.alone.round_trip).map_or_else(String::new, |trip| {
            format!(
                "Every round trip between two machines takes {trip}, whoever they are; the profile's jitter is left out, and the \
                 person's own request to the application takes no time. Everything else is the profile “{}”. ",
                self.scenario.profile
            )
        });
        let follows: Vec<String> = self.rows.iter().map(sentence).collect();
        let mut notes: Vec<String> = self.rows.iter().filter_map(|row| row.note.clone()).collect();
        notes.dedup();
        vec![
            Block::Heading(1, format!("The table of “{}”, from runs", self.decision)),
            Block::Paragraph(format!(
                "{network}One request of each operation, alone, after one that warms connections and statements. Predicted: round trips × \
                 their length + the service time, which is what processors worked and flushes took on the request's behalf, event by event. \
                 Where both agree nothing else was waited for. Nothing is tuned to meet a figure."
            )),
            Block::Table(table),
            Block::Heading(2, "Which figures follow from one protocol".to_owned()),
            Block::Paragraph(self.protocol()),
            Block::List(follows),
            Block::List(notes),
        ]
    }

    /// One protocol has round trips of one length.
    fn protocol(&self) -> String {
        let agreeing = self.rows.iter().filter(|row| row.agrees()).count();
        let implied = || self.rows.iter().filter_map(DecisionRow::implied_round_trip);
        let range = implied().min().zip(implied().max()).map_or_else(String::new, |(least, most)| {
            format!(
                " For each figure to come out, a round trip would have to take from {least} to {most}, depending on the row: no single \
                 length gives them all."
            )
        });
        format!("{agreeing} of {} rows agree with the run.{range}", self.rows.len())
    }
}

fn difference(found: Nanos, predicted: Nanos) -> String {
    let sign = if found < predicted { "−" } else { "" };
    let apart = found.saturating_sub(predicted).0.max(predicted.saturating_sub(found).0);
    format!("{sign}{}", Nanos(apart))
}

fn sentence(row: &DecisionRow) -> String {
    format!(
        "{}: {}. Round trips: {}.",
        row.subject(),
        row.conclusion(),
        if row.alone.trips.is_empty() {
            "none".to_owned()
        } else {
            row.alone.trips.join("; ")
        }
    )
}
