//! Conditional requests that meet: whoever is first to finish wins, and the others hear of it.

use base::Time;
use engine_object_store::{Condition, ETag, Engine, FailureName, Limits, Reply, Request};

const BUCKET: &str = "lab";

fn store() -> Engine {
    let mut engine = Engine::new(Limits::default());
    engine.create_bucket(&BUCKET.into()).unwrap();
    engine
}

fn put(content: &str, condition: Option<Condition>) -> Request {
    Request::PutObject {
        bucket: BUCKET.into(),
        key: "k".into(),
        content: content.as_bytes().into(),
        condition,
    }
}

fn delete(condition: Option<Condition>) -> Request {
    Request::DeleteObject {
        bucket: BUCKET.into(),
        key: "k".into(),
        condition,
    }
}

fn tagged(content: &str) -> Option<Condition> {
    Some(Condition::Match(ETag::of(content.as_bytes()).to_string().into()))
}

/// Takes `slow` in, then does `fast` as a whole, then finishes the first: what each came to.
fn meet(engine: &mut Engine, slow: &Request, fast: &Request) -> [Result<(), FailureName>; 2] {
    let now = Time::ZERO;
    let flight = engine.begin(slow, now).unwrap();
    let fast = engine.request(fast, now).result;
    let slow = engine.finish(slow, flight, now).result;
    [slow, fast].map(|result| result.map(|_| ()).map_err(|failure| failure.name))
}

fn content(engine: &mut Engine) -> Option<String> {
    let request = Request::GetObject {
        bucket: BUCKET.into(),
        key: "k".into(),
    };
    match engine.request(&request, Time::ZERO).result {
        Ok(Reply::Object(object)) => Some(String::from_utf8(object.content.to_vec()).unwrap()),
        _ => None,
    }
}

#[test]
fn of_two_that_create_an_object_one_succeeds() {
    let mut engine = store();
    let absent = Some(Condition::Absent);
    let both = meet(&mut engine, &put("slow", absent.clone()), &put("fast", absent));
    assert_eq!(both, [Err(FailureName::PreconditionFailed), Ok(())]);
    assert_eq!(content(&mut engine).as_deref(), Some("fast"));
}

#[test]
fn of_two_that_change_what_they_read_one_succeeds() {
    let mut engine = store();
    engine.request(&put("first", None), Time::ZERO);
    let both = meet(
        &mut engine,
        &put("slow", tagged("first")),
        &put("fast", tagged("first")),
    );
    assert_eq!(both, [Err(FailureName::PreconditionFailed), Ok(())]);
    assert_eq!(content(&mut engine).as_deref(), Some("fast"));
}

#[test]
fn a_deletion_in_between_is_a_conflict_or_leaves_nothing_to_match() {
    let mut engine = store();
    engine.request(&put("first", None), Time::ZERO);
    let both = meet(&mut engine, &put("new", Some(Condition::Absent)), &delete(None));
    assert_eq!(both, [Err(FailureName::ConditionalRequestConflict), Ok(())]);
    assert_eq!(content(&mut engine), None);

    engine.request(&put("first", None), Time::ZERO);
    let both = meet(&mut engine, &put("new", tagged("first")), &delete(None));
    assert_eq!(both, [Err(FailureName::NoSuchKey), Ok(())]);

    let both = meet(&mut engine, &put("new", Some(Condition::Absent)), &delete(None));
    assert_eq!(both, [Ok(()), Ok(())], "nothing was there to be deleted");
}

#[test]
fn a_conditional_deletion_conflicts_with_whatever_was_in_between() {
    for fast in [put("other", None), delete(None)] {
        let mut engine = store();
        engine.request(&put("first", None), Time::ZERO);
        let both = meet(&mut engine, &delete(tagged("first")), &fast);
        assert_eq!(both, [Err(FailureName::ConditionalRequestConflict), Ok(())]);
    }
}

#[test]
fn without_conditions_the_last_to_finish_stays() {
    let mut engine = store();
    let both = meet(&mut engine, &put("slow", None), &put("fast", None));
    assert_eq!(both, [Ok(()), Ok(())]);
    assert_eq!(content(&mut engine).as_deref(), Some("slow"));
}
