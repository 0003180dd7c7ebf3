//! One request of an operation, drawn on some designs, under a fault or none; and what can be broken in it.

use base::Time;
use serde::{Deserialize, Serialize};

use crate::document::{Block, Table};
use crate::{Mark, ScenarioSummary, Sequence};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawReport {
    pub scenario: ScenarioSummary,
    pub operation: String,
    /// What the operation is called for people.
    pub title: String,
    pub drawings: Vec<Drawing>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// Slug, with the variant.
    pub architecture: String,
    pub title: String,
    /// `None`: the design cannot express the operation, and `refused` says why.
    pub sequence: Option<Sequence>,
    pub refused: Vec<String>,
    /// Faults that were asked for and are not in this drawing: why, a sentence each.
    pub spared: Vec<String>,
    /// With a fault: the first instant (measured as those of the sequence) that is not as it would have been without. Until then `strikes` holds for
    /// this execution, too.
    pub departs: Option<Time>,
    /// In order of instant.
    pub strikes: Vec<Strike>,
}

/// A fault that can be placed in the execution, and when it strikes there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strike {
    pub at: Time,
    pub target: Target,
    /// Of the physical step, from 1.
    pub step: u32,
    /// The step in words: `INSERT auth.users`.
    pub label: String,
    /// A sentence of the fault grammar: `crash orchestrator after step 3 of create_user restart after 500 ms`.
    pub fault: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A node crashes, and restarts.
    Node { name: String },
    /// A message between two nodes: `what` happens to it.
    Message {
        from: String,
        to: String,
        reply: bool,
        what: Mishap,
    },
    /// The step is refused.
    Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mishap {
    Lost,
    Late,
    Doubled,
}

impl DrawReport {
    pub fn document(&self) -> Vec<Block> {
        let mut blocks = vec![Block::Heading(1, format!("{}: {}", self.scenario.title, self.title))];
        if let Some(fault) = &self.scenario.fault {
            blocks.push(Block::Paragraph(format!("Fault: {fault}")));
        }
        for drawing in &self.drawings {
            blocks.push(Block::Heading(2, drawing.title.clone()));
            blocks.extend(drawing.spared.iter().cloned().map(Block::Paragraph));
            match &drawing.sequence {
                Some(sequence) => blocks.extend(sequence.document()),
                None if drawing.refused.is_empty() => {
                    blocks.push(Block::Paragraph("The design cannot express it.".to_owned()));
                }
                None => blocks.push(Block::List(drawing.refused.clone())),
            }
        }
        blocks
    }
}

impl Sequence {
    /// What happened, an event a line; then how long what was broken.
    pub fn document(&self) -> Vec<Block> {
        let mut table = Table::new(&["time", "where", "what happens"]).numbers(0..1);
        for sentence in &self.sentences {
            table.row([
                sentence.at.to_string(),
                self.lane_name(sentence.lane).to_owned(),
                sentence.text.clone(),
            ]);
        }
        let broken: Vec<String> = self.marks.iter().filter_map(broken).collect();
        let mut blocks = vec![Block::Table(table)];
        if !broken.is_empty() {
            blocks.push(Block::List(broken));
        }
        blocks
    }

    /// Empty for what happens nowhere in particular.
    pub fn lane_name(&self, lane: Option<u16>) -> &str {
        lane.and_then(|lane| self.lanes.get(usize::from(lane)))
            .map_or("", |lane| lane.name.as_str())
    }
}

fn broken(mark: &Mark) -> Option<String> {
    let Mark::Broken {
        invariant,
        from,
        to,
        readers,
    } = mark
    else {
        return None;
    };
    Some(format!("“{invariant}” {}", broken_for(*from, *to, *readers)))
}

/// `broken for 4.18 ms, 3 readers saw it`
pub fn broken_for(from: Time, to: Time, readers: u64) -> String {
    let seen = match readers {
        0 => String::new(),
        1 => ", 1 reader saw it".to_owned(),
        _ => format!(", {readers} readers saw it"),
    };
    format!("broken for {}{seen}", to.since(from))
}

#[cfg(test)]
mod tests {
    use base::Nanos;

    use super::*;

    #[test]
    fn a_broken_time_says_how_long_and_who_saw_it() {
        let from = Time::ZERO + Nanos::from_millis(1);
        let to = Time::ZERO + Nanos::from_millis(3);
        assert_eq!(broken_for(from, to, 0), "broken for 2.00 ms");
        assert_eq!(broken_for(from, to, 1), "broken for 2.00 ms, 1 reader saw it");
        assert_eq!(broken_for(from, to, 4), "broken for 2.00 ms, 4 readers saw it");
    }
}
