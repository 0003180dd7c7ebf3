//! One operation drawn: half-done windows, faults that can be placed, and that they strike where the drawing says.

use base::{Nanos, Time};
use experiment::{Choice, DrawJob, Job, Progress, library};
use report::{DrawReport, Drawing, Mark, Mishap, Target};

use crate::finish;

const SCHEMAS: &str = "schemas-in-one-database";
const SAGA: &str = "database-per-service";

fn drawn(designs: &[&str], fault: Option<&str>) -> DrawReport {
    let text = library::scenario("sign-up").expect("it is built in").text;
    let choice = Choice {
        designs: designs.iter().map(|slug| (*slug).to_owned()).collect(),
        fault: Some(fault.unwrap_or("none").to_owned()),
        ..Choice::default()
    };
    finish(DrawJob::new("sign-up", text, &choice, "create_user"))
}

fn partly(drawing: &Drawing) -> Vec<(u32, u32, Time, Time)> {
    let marks = &drawing.sequence.as_ref().expect("it is expressed").marks;
    let half = |mark: &Mark| match mark {
        Mark::Partly { from, to, done, of } => Some((*done, *of, *from, *to)),
        _ => None,
    };
    marks.iter().filter_map(half).collect()
}

#[test]
fn a_saga_shows_others_one_part_after_the_other_and_one_transaction_shows_all_at_once() {
    let report = drawn(&[SCHEMAS, SAGA], None);
    let [schemas, saga] = &report.drawings[..] else {
        panic!("{:?}", report.drawings.len())
    };
    assert_eq!(partly(schemas), []);
    let parts = partly(saga);
    let done: Vec<(u32, u32)> = parts.iter().map(|(done, of, ..)| (*done, *of)).collect();
    assert_eq!(done, [(1, 3), (2, 3)], "until the third commit");
    assert_eq!(parts[0].3, parts[1].2, "without a pause between them");
}

#[test]
fn who_asks_is_drawn_with_the_question_and_the_answer() {
    let report = drawn(&[SCHEMAS], None);
    let sequence = report.drawings[0].sequence.as_ref().expect("it is expressed");
    let of_the_client = |reply: bool| {
        let concerns = move |mark: &&Mark| match mark {
            Mark::Message {
                from_lane,
                to_lane,
                reply: this,
                ..
            } => *this == reply && *if reply { to_lane } else { from_lane } == 0,
            _ => false,
        };
        sequence.marks.iter().filter(concerns).count()
    };
    assert_eq!(sequence.lanes[0].kind, program::NodeKind::Client);
    assert_eq!((of_the_client(false), of_the_client(true)), (1, 1));
}

/// What the page offers at an instant is what happens at that instant.
#[test]
fn every_fault_that_is_offered_strikes_when_the_drawing_says() {
    let offered = &drawn(&[SAGA], None).drawings[0].strikes;
    assert!(offered.windows(2).all(|pair| pair[0].at <= pair[1].at));
    let has = |test: fn(&Target) -> bool| offered.iter().any(|strike| test(&strike.target));
    assert!(has(|target| matches!(target, Target::Node { .. })));
    assert!(has(|target| matches!(target, Target::Step)));
    for mishap in [Mishap::Lost, Mishap::Late, Mishap::Doubled] {
        let of_this_kind =
            |strike: &&report::Strike| matches!(&strike.target, Target::Message { what, .. } if *what == mishap);
        assert!(offered.iter().any(|strike| of_this_kind(&strike)), "{mishap:?}");
    }
    for strike in offered.iter().step_by(5) {
        let report = drawn(&[SAGA], Some(&strike.fault));
        let drawing = &report.drawings[0];
        assert_eq!(drawing.spared, [] as [String; 0], "{strike:?}");
        let departs = drawing
            .departs
            .unwrap_or_else(|| panic!("nothing happened: {strike:?}"));
        let early = strike.at.since(departs);
        assert_eq!(early, Nanos::ZERO, "{strike:?} was felt before it struck");
        if let Target::Node { name } = &strike.target {
            assert_eq!(departs, strike.at, "{strike:?}");
            let sequence = drawing.sequence.as_ref().expect("it is expressed");
            let crashed = sequence
                .sentences
                .iter()
                .find(|sentence| sentence.text.ends_with(" crashes"));
            let crashed = crashed.map(|sentence| sequence.lane_name(sentence.lane));
            assert_eq!(crashed, Some(name.as_str()), "{strike:?}");
        }
    }
}

#[test]
fn a_crash_between_two_parts_leaves_the_window_open_until_recovery() {
    let sound = drawn(&[SAGA], None);
    let between = partly(&sound.drawings[0])[0];
    let kills = |strike: &&report::Strike| {
        matches!(&strike.target, Target::Node { name } if name == "orchestrator") && strike.at > between.2
    };
    let strike = sound.drawings[0].strikes.iter().find(kills).expect("it can be killed");
    let broken = drawn(&[SAGA], Some(&strike.fault));
    let open = partly(&broken.drawings[0])[0];
    let length = |window: (u32, u32, Time, Time)| window.3.since(window.2);
    assert!(
        length(open) > length(between) + Nanos::from_millis(400),
        "{open:?} {between:?}"
    );
}

#[test]
fn a_fault_elsewhere_is_named_and_left_out() {
    let report = drawn(&[SCHEMAS], Some("crash server at 1 s"));
    let drawing = &report.drawings[0];
    assert_eq!((drawing.spared.len(), drawing.departs), (1, None));
}

#[test]
fn an_unknown_operation_is_refused() {
    let text = library::scenario("sign-up").expect("it is built in").text;
    let found = DrawJob::new("sign-up", text, &Choice::default(), "create_usr").err();
    assert!(found.is_some_and(|found| found[0].message.contains("create_usr")));
}

#[test]
fn a_drawing_is_told_as_text() {
    let mut job = DrawJob::new(
        "sign-up",
        library::scenario("sign-up").expect("it is built in").text,
        &Choice {
            designs: vec![SAGA.to_owned()],
            ..Choice::default()
        },
        "create_user",
    )
    .unwrap_or_else(|found| panic!("{found:?}"));
    let Progress::Finished(report) = job.step(1) else {
        panic!("one design is one step")
    };
    let text = report::document::markdown(&report.document());
    assert!(text.contains("client asks for"), "{text}");
    assert!(text.contains("broken for"), "{text}");
}
