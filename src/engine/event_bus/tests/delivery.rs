//! Who is given which messages, in which order.

use engine_event_bus::FailureName;

use crate::lab::{bodies, bus, commit, fetch, flush, post};

#[test]
fn messages_of_one_key_lie_in_one_partition_in_their_order() {
    let mut bus = bus(4);
    let names: Vec<String> = (0..40).map(|n| format!("tenant {}", n % 8)).collect();
    let texts: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let messages: Vec<(&str, &str)> = names
        .iter()
        .zip(&texts)
        .map(|(k, t)| (k.as_str(), t.as_str()))
        .collect();
    let places = post(&mut bus, &messages);
    for key in 0..8 {
        let of_key: Vec<_> = places.iter().skip(key).step_by(8).collect();
        assert!(
            of_key
                .windows(2)
                .all(|two| two[0].partition == two[1].partition && two[0].offset < two[1].offset)
        );
    }
    let used = (0..4).filter(|partition| !fetch(&mut bus, "g", *partition, 100).is_empty());
    assert!(
        used.count() > 1,
        "eight keys do not all fall into one of four partitions"
    );
}

#[test]
fn the_partition_of_a_key_is_the_recorded_one() {
    let mut bus = bus(4);
    let keys = ["1", "2", "3", "5", "7", "11", "order-17", "order-18"];
    let places = post(&mut bus, &keys.map(|key| (key, "")));
    let partitions: Vec<u32> = places.iter().map(|place| place.partition).collect();
    assert_eq!(
        partitions,
        [0, 0, 0, 2, 2, 2, 2, 2],
        "a log that is there keeps its keys where they are"
    );
}

#[test]
fn what_is_not_committed_is_given_again_and_what_is_committed_is_not() {
    let mut bus = bus(1);
    post(&mut bus, &[("a", "one"), ("a", "two"), ("b", "three")]);
    assert_eq!(bodies(&fetch(&mut bus, "g", 0, 2)), ["one", "two"]);
    // The consumer has died: nothing was committed.
    assert_eq!(bodies(&fetch(&mut bus, "g", 0, 10)), ["one", "two", "three"]);
    commit(&mut bus, "g", 0, 2).unwrap();
    assert_eq!(
        bodies(&fetch(&mut bus, "g", 0, 10)),
        ["one", "two", "three"],
        "the commit is not flushed"
    );
    flush(&mut bus);
    assert_eq!(fetch(&mut bus, "g", 0, 10), [(2, "three".to_owned())]);
    assert_eq!((bus.lag("orders", "g", 0), bus.lag("orders", "h", 0)), (1, 3));
}

#[test]
fn groups_do_not_see_each_others_commits_and_may_go_back() {
    let mut bus = bus(1);
    post(&mut bus, &[("a", "one"), ("a", "two")]);
    commit(&mut bus, "billing", 0, 2).unwrap();
    flush(&mut bus);
    assert_eq!(fetch(&mut bus, "billing", 0, 10), []);
    assert_eq!(bodies(&fetch(&mut bus, "audit", 0, 10)), ["one", "two"]);
    commit(&mut bus, "billing", 0, 1).unwrap();
    flush(&mut bus);
    assert_eq!(bodies(&fetch(&mut bus, "billing", 0, 10)), ["two"]);
}

#[test]
fn nobody_commits_what_is_not_there() {
    let mut bus = bus(2);
    let names = |result: Result<_, engine_event_bus::Failure>| result.map_err(|failure| failure.name);
    assert_eq!(names(commit(&mut bus, "g", 0, 1)), Err(FailureName::OffsetOutOfRange));
    assert_eq!(
        names(commit(&mut bus, "g", 2, 0)),
        Err(FailureName::UnknownTopicOrPartition)
    );
}
