//! What survives a crash, and what a clone shares.

use engine_event_bus::Acks;

use crate::lab::{bodies, bus, commit, fetch, flush, post, publish};

#[test]
fn what_is_acknowledged_by_all_replicas_survives_and_the_rest_is_lost() {
    let mut bus = bus(1);
    post(&mut bus, &[("a", "kept")]);
    let all = publish(&mut bus, &[("a", "waits")], Acks::All);
    assert_eq!(all.durable, Some(bus.written_position()), "its answer has to wait");
    let leader = publish(&mut bus, &[("a", "said to be there")], Acks::Leader);
    assert_eq!(leader.durable, None, "its answer leaves at once");
    assert_eq!(
        bodies(&fetch(&mut bus, "g", 0, 10)),
        ["kept"],
        "nobody is shown what a crash may lose"
    );
    assert_eq!(bus.crash(), 2);
    flush(&mut bus);
    assert_eq!(bodies(&fetch(&mut bus, "g", 0, 10)), ["kept"]);
    assert_eq!(post(&mut bus, &[("a", "next")])[0].offset, 1, "offsets have no gap");
}

#[test]
fn a_flush_covers_what_was_written_when_it_began() {
    let mut bus = bus(1);
    let first = publish(&mut bus, &[("a", "first")], Acks::All).durable.unwrap();
    publish(&mut bus, &[("a", "second")], Acks::All);
    bus.flushed(first);
    assert_eq!(bodies(&fetch(&mut bus, "g", 0, 10)), ["first"]);
    assert_eq!(bus.crash(), 1);
}

#[test]
fn a_commit_that_was_not_flushed_is_forgotten() {
    let mut bus = bus(1);
    post(&mut bus, &[("a", "one"), ("a", "two")]);
    commit(&mut bus, "g", 0, 1).unwrap();
    flush(&mut bus);
    commit(&mut bus, "g", 0, 2).unwrap();
    bus.crash();
    assert_eq!(bodies(&fetch(&mut bus, "g", 0, 10)), ["two"]);
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut bus = bus(1);
    let texts: Vec<String> = (0..600).map(|n| n.to_string()).collect();
    for text in &texts {
        post(&mut bus, &[("a", text)]);
    }
    let mut fork = bus.clone();
    assert_eq!(fork.fingerprint(), bus.fingerprint());
    publish(&mut fork, &[("a", "only here")], Acks::All);
    assert_ne!(fork.fingerprint(), bus.fingerprint());
    fork.crash();
    post(&mut bus, &[("a", "there")]);
    post(&mut fork, &[("a", "there")]);
    assert_eq!(fork.fingerprint(), bus.fingerprint(), "the same is in both");
    assert_eq!(fetch(&mut fork, "g", 0, 1000).len(), 601);
    assert_eq!(fork.stored_bytes(), bus.stored_bytes());
}
