//! Clones and fingerprints.

use base::Time;
use engine_object_store::{Engine, Limits, Request};

fn put(key: &str, content: &str) -> Request {
    Request::PutObject {
        bucket: "lab".into(),
        key: key.into(),
        content: content.as_bytes().into(),
        condition: None,
    }
}

fn delete(key: &str) -> Request {
    Request::DeleteObject {
        bucket: "lab".into(),
        key: key.into(),
        condition: None,
    }
}

fn store() -> Engine {
    let mut engine = Engine::new(Limits {
        prefix_depth: None,
        ..Limits::default()
    });
    engine.create_bucket(&"lab".into()).unwrap();
    engine
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut engine = store();
    for n in 0..500 {
        engine.request(&put(&format!("k{n}"), "x"), Time::ZERO);
    }
    let mut fork = engine.clone();
    assert_eq!(fork.fingerprint(), engine.fingerprint());
    fork.request(&delete("k7"), Time::ZERO);
    assert_ne!(fork.fingerprint(), engine.fingerprint());
    assert_eq!(
        (fork.objects("lab", "").count(), engine.objects("lab", "").count()),
        (499, 500)
    );
    engine.request(&delete("k7"), Time::ZERO);
    assert_eq!(fork.fingerprint(), engine.fingerprint(), "the same happened to both");
}

#[test]
fn a_fingerprint_is_of_what_is_there_not_of_how_it_came() {
    let [mut one, mut other] = [store(), store()];
    for n in 0..300 {
        one.request(&put(&n.to_string(), "x"), Time::ZERO);
    }
    for n in (0..300).rev() {
        other.request(&put(&n.to_string(), "y"), Time::ZERO);
        other.request(&put(&n.to_string(), "x"), Time::ZERO);
    }
    assert_eq!(one.fingerprint(), other.fingerprint());
    assert_eq!(one.stored_bytes(), other.stored_bytes());
    other.request(&put("5", "y"), Time::ZERO);
    assert_ne!(one.fingerprint(), other.fingerprint());
}
