//! The bus: topics and groups, requests in and outcomes out.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base::{Fingerprint, Fingerprinter, Time};

use crate::failure::{Failure, FailureName};
use crate::log::Log;
use crate::request::{Acks, Message, Outcome, Place, Position, Reply, Request, Usage};

/// See the crate's text. A clone shares the messages that both have.
#[derive(Clone, Debug, Hash)]
pub struct Engine {
    limits: Limits,
    topics: BTreeMap<Arc<str>, Topic>,
    /// What is written and not flushed, in that order.
    tail: VecDeque<(Position, Change)>,
    written: Position,
    flushed: Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Of one message.
    pub message_bytes: u64,
    /// Written and not flushed; beyond it messages are refused until the replicas have caught up.
    pub unflushed_bytes: u64,
    /// Of one fetch; a single message may be larger.
    pub fetch_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // Kafka's message.max.bytes, max.partition.fetch.bytes; Event Hubs' largest event is 1 MB, too.
            message_bytes: 1_048_576,
            fetch_bytes: 1_048_576,
            // Kafka's buffer.memory of a producer.
            unflushed_bytes: 33_554_432,
        }
    }
}

#[derive(Clone, Debug, Hash)]
struct Topic {
    partitions: Vec<Log>,
    /// By group and partition: the offset that it is given next.
    groups: BTreeMap<Arc<str>, Vec<u64>>,
}

#[derive(Clone, Debug, Hash)]
enum Change {
    Message {
        topic: Arc<str>,
        partition: u32,
    },
    Commit {
        topic: Arc<str>,
        group: Arc<str>,
        partition: u32,
        next: u64,
    },
}

/// What a commit takes in the bus's own log of groups.
const COMMIT_BYTES: u64 = 64;

impl Engine {
    pub fn new(limits: Limits) -> Engine {
        Engine {
            limits,
            topics: BTreeMap::new(),
            tail: VecDeque::new(),
            written: Position::default(),
            flushed: Position::default(),
        }
    }

    pub fn create_topic(&mut self, name: &str, partitions: u32) -> Result<(), Failure> {
        if partitions == 0 {
            let message = "Number of partitions must be larger than 0.".to_owned();
            return Err(Failure::new(FailureName::InvalidPartitions, message));
        }
        if self.topics.contains_key(name) {
            let message = format!("Topic '{name}' already exists.");
            return Err(Failure::new(FailureName::TopicAlreadyExists, message));
        }
        let topic = Topic {
            partitions: vec![Log::default(); partitions as usize],
            groups: BTreeMap::new(),
        };
        self.topics.insert(name.into(), topic);
        Ok(())
    }

    pub fn request(&mut self, request: &Request, now: Time) -> Outcome {
        let done = match request {
            Request::Publish { topic, messages, acks } => self.publish(topic, messages, *acks, now),
            Request::Fetch {
                topic,
                group,
                partition,
                limit,
            } => self.fetch(topic, group, *partition, *limit),
            Request::Commit {
                topic,
                group,
                partition,
                next,
            } => self.commit(topic, group, *partition, *next),
        };
        done.unwrap_or_else(|failure| Outcome {
            result: Err(failure),
            usage: Usage::default(),
            durable: None,
        })
    }

    fn publish(&mut self, name: &Arc<str>, messages: &[Message], acks: Acks, now: Time) -> Result<Outcome, Failure> {
        let limits = self.limits;
        let mut bytes = 0_u64;
        for message in messages {
            let size = message.bytes();
            if size > limits.message_bytes {
                let text = format!("A message of {size} bytes: at most {} are taken.", limits.message_bytes);
                return Err(Failure::new(FailureName::MessageTooLarge, text));
            }
            bytes = bytes.saturating_add(size);
        }
        let behind = self.written.0 - self.flushed.0;
        // Nothing may be too large for an idle bus.
        if behind > 0 && behind.saturating_add(bytes) > limits.unflushed_bytes {
            let text = format!("{behind} bytes are not on the replicas yet.");
            return Err(Failure::new(FailureName::ThrottlingQuotaExceeded, text));
        }
        let topic = self.topics.get_mut(name).ok_or_else(|| unknown(name))?;
        let mut places = Vec::with_capacity(messages.len());
        for message in messages {
            let partition = partition_of(&message.key, topic.partitions.len());
            let offset = topic.partitions[partition as usize].append(now, message.clone());
            places.push(Place { partition, offset });
            self.written.0 += message.bytes();
            let change = Change::Message {
                topic: Arc::clone(name),
                partition,
            };
            self.tail.push_back((self.written, change));
        }
        Ok(Outcome {
            result: Ok(Reply::Published(places)),
            usage: Usage {
                messages: messages.len() as u64,
                bytes,
            },
            durable: (acks == Acks::All && !messages.is_empty()).then_some(self.written),
        })
    }

    fn fetch(&self, name: &Arc<str>, group: &Arc<str>, partition: u32, limit: u32) -> Result<Outcome, Failure> {
        let topic = self.topics.get(name).ok_or_else(|| unknown(name))?;
        let log = topic.partition(name, partition)?;
        let mut usage = Usage::default();
        let mut found = Vec::new();
        for message in log.read(topic.next_of(group, partition)).take(limit as usize) {
            let bytes = message.message.bytes();
            if usage.messages > 0 && usage.bytes.saturating_add(bytes) > self.limits.fetch_bytes {
                break;
            }
            usage.messages += 1;
            usage.bytes += bytes;
            found.push(message);
        }
        Ok(Outcome {
            result: Ok(Reply::Fetched(found)),
            usage,
            durable: None,
        })
    }

    /// A group may go back: it is then given the same messages again.
    fn commit(&mut self, name: &Arc<str>, group: &Arc<str>, partition: u32, next: u64) -> Result<Outcome, Failure> {
        let topic = self.topics.get(name).ok_or_else(|| unknown(name))?;
        let end = topic.partition(name, partition)?.visible();
        if next > end {
            let text = format!("Offset {next} of {name}-{partition}, which ends at {end}.");
            return Err(Failure::new(FailureName::OffsetOutOfRange, text));
        }
        self.written.0 += COMMIT_BYTES;
        let change = Change::Commit {
            topic: Arc::clone(name),
            group: Arc::clone(group),
            partition,
            next,
        };
        self.tail.push_back((self.written, change));
        Ok(Outcome {
            result: Ok(Reply::Committed),
            usage: Usage::default(),
            durable: Some(self.written),
        })
    }

    /// Where the log ends.
    pub fn written_position(&self) -> Position {
        self.written
    }

    pub fn flushed_position(&self) -> Position {
        self.flushed
    }

    /// The replicas have everything up to here: it is shown, and survives.
    pub fn flushed(&mut self, position: Position) {
        let position = position.min(self.written);
        while let Some((end, _)) = self.tail.front()
            && *end <= position
        {
            let Some((_, change)) = self.tail.pop_front() else {
                break;
            };
            self.apply(change);
        }
        self.flushed = self.flushed.max(position);
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Message { topic, partition } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    topic.partitions[partition as usize].show_next();
                }
            }
            Change::Commit {
                topic,
                group,
                partition,
                next,
            } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    let partitions = topic.partitions.len();
                    let group = topic.groups.entry(group).or_insert_with(|| vec![0; partitions]);
                    group[partition as usize] = next;
                }
            }
        }
    }

    /// What is not flushed is gone: how many messages that were.
    pub fn crash(&mut self) -> u64 {
        self.tail.clear();
        self.written = self.flushed;
        let partitions = self.topics.values_mut().flat_map(|topic| &mut topic.partitions);
        partitions.map(Log::crash).sum()
    }

    /// Messages of a partition that the group would be given.
    pub fn lag(&self, topic: &str, group: &str, partition: u32) -> u64 {
        let Some(topic) = self.topics.get(topic) else { return 0 };
        let visible = topic.partitions.get(partition as usize).map_or(0, Log::visible);
        visible.saturating_sub(topic.next_of(group, partition))
    }

    /// All messages, flushed or not.
    pub fn stored_bytes(&self) -> u64 {
        let partitions = self.topics.values().flat_map(|topic| &topic.partitions);
        partitions.map(Log::bytes).sum()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self)
    }
}

impl Topic {
    fn partition(&self, name: &str, partition: u32) -> Result<&Log, Failure> {
        let found = self.partitions.get(partition as usize);
        found.ok_or_else(|| {
            let text = format!("{name} has no partition {partition}.");
            Failure::new(FailureName::UnknownTopicOrPartition, text)
        })
    }

    fn next_of(&self, group: &str, partition: u32) -> u64 {
        let group = self.groups.get(group);
        group
            .and_then(|group| group.get(partition as usize))
            .copied()
            .unwrap_or(0)
    }
}

fn unknown(name: &str) -> Failure {
    let text = format!("There is no topic '{name}'.");
    Failure::new(FailureName::UnknownTopicOrPartition, text)
}

/// The same on every machine and in every run; not the hash that Kafka's clients use (murmur2).
fn partition_of(key: &str, partitions: usize) -> u32 {
    let mut hasher = Fingerprinter::new();
    hasher.write(key.as_bytes());
    (hasher.finish64() % partitions as u64) as u32
}
