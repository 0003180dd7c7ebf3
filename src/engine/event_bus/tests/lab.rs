//! What the tests share: a bus with one topic, spoken to in few words.

use base::{Time, Value};
use engine_event_bus::{Acks, Engine, Failure, Limits, Message, Outcome, Place, Reply, Request};

pub(crate) const TOPIC: &str = "orders";

pub(crate) fn bus(partitions: u32) -> Engine {
    let mut engine = Engine::new(Limits::default());
    engine.create_topic(TOPIC, partitions).unwrap();
    engine
}

pub(crate) fn message(key: &str, body: &str) -> Message {
    Message {
        key: key.into(),
        body: [Value::text(body)].into(),
    }
}

pub(crate) fn publish(engine: &mut Engine, messages: &[(&str, &str)], acks: Acks) -> Outcome {
    let request = Request::Publish {
        topic: TOPIC.into(),
        messages: messages.iter().map(|(key, body)| message(key, body)).collect(),
        acks,
    };
    engine.request(&request, Time::ZERO)
}

/// Publishes and flushes.
pub(crate) fn post(engine: &mut Engine, messages: &[(&str, &str)]) -> Vec<Place> {
    let outcome = publish(engine, messages, Acks::All);
    flush(engine);
    match outcome.result {
        Ok(Reply::Published(places)) => places,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn flush(engine: &mut Engine) {
    engine.flushed(engine.written_position());
}

/// Offsets and bodies.
pub(crate) fn fetch(engine: &mut Engine, group: &str, partition: u32, limit: u32) -> Vec<(u64, String)> {
    let request = Request::Fetch {
        topic: TOPIC.into(),
        group: group.into(),
        partition,
        limit,
    };
    match engine.request(&request, Time::ZERO).result {
        Ok(Reply::Fetched(messages)) => messages
            .iter()
            .map(|found| (found.offset, found.message.body[0].to_string()))
            .collect(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn commit(engine: &mut Engine, group: &str, partition: u32, next: u64) -> Result<Reply, Failure> {
    let request = Request::Commit {
        topic: TOPIC.into(),
        group: group.into(),
        partition,
        next,
    };
    engine.request(&request, Time::ZERO).result
}

pub(crate) fn bodies(found: &[(u64, String)]) -> Vec<&str> {
    found.iter().map(|(_, body)| body.as_str()).collect()
}
