//! Random histories, held against a bus that is a few plain lists.

use std::collections::BTreeMap;

use base::random::Stream;
use engine_event_bus::{Acks, Engine, Reply};

use crate::lab::{bus, commit, fetch, publish};

const PARTITIONS: u32 = 3;
const GROUPS: [&str; 2] = ["g", "h"];

#[derive(Clone, Default)]
struct Model {
    /// By partition, with whether it is flushed.
    messages: BTreeMap<u32, Vec<String>>,
    visible: BTreeMap<u32, usize>,
    next: BTreeMap<(&'static str, u32), u64>,
    /// What happens to be written after what, since the last flush.
    tail: Vec<Written>,
}

#[derive(Clone)]
enum Written {
    Message(u32),
    Commit(&'static str, u32, u64),
}

impl Model {
    fn flush(&mut self, count: usize) {
        for written in self.tail.drain(..count) {
            match written {
                Written::Message(partition) => *self.visible.entry(partition).or_default() += 1,
                Written::Commit(group, partition, next) => {
                    self.next.insert((group, partition), next);
                }
            }
        }
    }

    fn crash(&mut self) {
        self.tail.clear();
        for (partition, messages) in &mut self.messages {
            messages.truncate(self.visible.get(partition).copied().unwrap_or(0));
        }
    }

    fn fetch(&self, group: &'static str, partition: u32, limit: usize) -> Vec<(u64, String)> {
        let from = self.next.get(&(group, partition)).copied().unwrap_or(0);
        let to = self.visible.get(&partition).copied().unwrap_or(0);
        let messages = self.messages.get(&partition).into_iter().flatten();
        let numbered = (0..).zip(messages.take(to).cloned());
        numbered.skip(from as usize).take(limit).collect()
    }
}

fn history(seed: u64) {
    let mut stream = Stream::new(seed, "history", 0);
    let mut engine: Engine = bus(PARTITIONS);
    let mut model = Model::default();
    let mut other: Option<(Engine, Model)> = None;
    for number in 0..400 {
        let partition = stream.below(u64::from(PARTITIONS)) as u32;
        let group = GROUPS[stream.below(2) as usize];
        match stream.below(20) {
            0..8 => {
                let texts: Vec<(String, String)> = (0..1 + stream.below(3))
                    .map(|part| (format!("k{}", stream.below(9)), format!("{number}.{part}")))
                    .collect();
                let messages: Vec<(&str, &str)> = texts.iter().map(|(k, t)| (k.as_str(), t.as_str())).collect();
                let acks = if stream.chance(1, 2) { Acks::All } else { Acks::Leader };
                let outcome = publish(&mut engine, &messages, acks);
                let Ok(Reply::Published(places)) = outcome.result else {
                    panic!("seed {seed}: refused")
                };
                for ((_, text), place) in texts.into_iter().zip(places) {
                    let log = model.messages.entry(place.partition).or_default();
                    assert_eq!(place.offset, log.len() as u64, "seed {seed}, request {number}");
                    log.push(text);
                    model.tail.push(Written::Message(place.partition));
                }
            }
            8..12 => {
                let next = stream.below(1 + model.visible.get(&partition).copied().unwrap_or(0) as u64);
                commit(&mut engine, group, partition, next).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
                model.tail.push(Written::Commit(group, partition, next));
            }
            12..16 => {
                engine.flushed(engine.written_position());
                let all = model.tail.len();
                model.flush(all);
            }
            16 => {
                engine.crash();
                model.crash();
            }
            17 => match other.replace((engine.clone(), model.clone())) {
                Some(earlier) if stream.chance(1, 2) => (engine, model) = earlier,
                _ => {}
            },
            _ => {
                let limit = stream.below(5) as u32;
                let (found, expected) = (
                    fetch(&mut engine, group, partition, limit),
                    model.fetch(group, partition, limit as usize),
                );
                assert_eq!(found, expected, "seed {seed}, request {number}");
                let lag = model.fetch(group, partition, usize::MAX).len() as u64;
                assert_eq!(
                    engine.lag("orders", group, partition),
                    lag,
                    "seed {seed}, request {number}"
                );
            }
        }
    }
}

#[test]
fn random_histories_agree_with_the_model() {
    for seed in 0..200 {
        history(seed);
    }
}
