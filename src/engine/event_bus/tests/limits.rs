//! What the bus does not take.

use base::Time;
use engine_event_bus::{Acks, Engine, FailureName, Limits, Request};

use crate::lab::{TOPIC, fetch, flush, message, post};

fn small() -> Engine {
    let limits = Limits {
        message_bytes: 100,
        unflushed_bytes: 300,
        fetch_bytes: 150,
    };
    let mut engine = Engine::new(limits);
    engine.create_topic(TOPIC, 1).unwrap();
    engine
}

fn publish(engine: &mut Engine, bodies: &[usize]) -> Result<(), FailureName> {
    let request = Request::Publish {
        topic: TOPIC.into(),
        messages: bodies.iter().map(|length| message("k", &"x".repeat(*length))).collect(),
        acks: Acks::Leader,
    };
    let result = engine.request(&request, Time::ZERO).result;
    result.map(|_| ()).map_err(|failure| failure.name)
}

#[test]
fn a_message_that_is_too_large_takes_its_whole_request_with_it() {
    let mut bus = small();
    assert_eq!(publish(&mut bus, &[10, 200]), Err(FailureName::MessageTooLarge));
    flush(&mut bus);
    assert_eq!(fetch(&mut bus, "g", 0, 10), [], "nor was the small one written");
}

#[test]
fn publishers_are_held_back_until_the_replicas_have_caught_up() {
    let mut bus = small();
    assert_eq!(publish(&mut bus, &[60, 60]), Ok(()));
    assert_eq!(publish(&mut bus, &[60, 60]), Err(FailureName::ThrottlingQuotaExceeded));
    assert!(FailureName::ThrottlingQuotaExceeded.is_transient());
    flush(&mut bus);
    assert_eq!(publish(&mut bus, &[60, 60]), Ok(()));
}

#[test]
fn a_fetch_ends_before_it_grows_too_large_but_brings_one_message() {
    let mut bus = small();
    let text = "x".repeat(50);
    post(&mut bus, &[("k", &text), ("k", &text)]);
    post(&mut bus, &[("k", &text)]);
    assert_eq!(fetch(&mut bus, "g", 0, 10).len(), 1, "two would have 158 bytes");
    assert_eq!(fetch(&mut bus, "g", 0, 0).len(), 0);
}

#[test]
fn topics_have_partitions_and_names_of_their_own() {
    let mut bus = small();
    let name = |result: Result<(), engine_event_bus::Failure>| result.unwrap_err().name;
    assert_eq!(name(bus.create_topic(TOPIC, 3)), FailureName::TopicAlreadyExists);
    assert_eq!(name(bus.create_topic("none", 0)), FailureName::InvalidPartitions);
}
