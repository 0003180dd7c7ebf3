//! What is too large or too much.

use base::{Nanos, Time};
use engine_object_store::{Engine, FailureName, Limits, List, Reply, Request};

fn put(key: &str, content: &[u8]) -> Request {
    Request::PutObject {
        bucket: "lab".into(),
        key: key.into(),
        content: content.into(),
        condition: None,
    }
}

fn store(limits: Limits) -> Engine {
    let mut engine = Engine::new(limits);
    engine.create_bucket(&"lab".into()).unwrap();
    engine
}

#[test]
fn an_object_has_a_largest_size() {
    let mut engine = store(Limits {
        object_bytes: 3,
        ..Limits::default()
    });
    assert!(engine.request(&put("a", b"abc"), Time::ZERO).result.is_ok());
    let failure = engine.request(&put("a", b"abcd"), Time::ZERO).result.unwrap_err();
    assert_eq!((failure.name.name(), failure.name.status()), ("EntityTooLarge", 400));
    assert_eq!(Limits::default().object_bytes, 5_368_709_120);
}

#[test]
fn too_many_requests_to_a_prefix_are_slowed_down_and_not_billed() {
    let mut engine = store(Limits::default());
    let ask = |engine: &mut Engine, prefix: &str, now| {
        let (mut puts, mut throttled) = (0, 0);
        for n in 0..4_000 {
            let outcome = engine.request(&put(&format!("{prefix}/{n}"), b""), now);
            let names = outcome.result.map_err(|failure| (failure.name, failure.name.status()));
            assert!(names.is_ok() || names == Err((FailureName::SlowDown, 503)));
            puts += outcome.usage.puts;
            throttled += outcome.usage.throttled;
        }
        (puts, throttled)
    };
    let start = Time::ZERO;
    assert_eq!(ask(&mut engine, "a", start), (3_500, 500));
    assert_eq!(ask(&mut engine, "b", start), (3_500, 500));
    assert_eq!(ask(&mut engine, "a", start + Nanos::from_millis(500)), (1_750, 2_250));
}

#[test]
fn a_listing_gives_a_thousand_keys_at_a_time_and_is_counted() {
    let mut engine = store(Limits {
        prefix_depth: None,
        ..Limits::default()
    });
    for n in 0..2_500 {
        engine
            .load(&"lab".into(), &format!("a/{n:04}").into(), b"x"[..].into())
            .unwrap();
    }
    let mut list = List {
        bucket: "lab".into(),
        prefix: "a/".into(),
        delimiter: None,
        start_after: None,
        continuation: None,
        max_keys: 5_000,
    };
    let mut sizes = Vec::new();
    loop {
        let outcome = engine.request(&Request::ListObjectsV2(list.clone()), Time::ZERO);
        assert_eq!((outcome.usage.lists, outcome.usage.gets), (1, 0));
        let Ok(Reply::Page(page)) = outcome.result else {
            panic!("a page")
        };
        sizes.push(page.objects.len());
        list.continuation = page.next;
        if list.continuation.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!(engine.objects("lab", "a/24").count(), 100);
    assert_eq!(engine.stored_bytes(), 2_500 * 7);
}
