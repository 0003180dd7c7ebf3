//! Where marks lie, and that none covers another.

use base::Nanos;
use report::Lane;

use super::*;

/// As wide as is asked for.
fn drawn(sequence: &Sequence, width: f64) -> Drawing {
    let (timeline, width) = axis(std::slice::from_ref(sequence), width, 1);
    draw(sequence, &timeline, width)
}

fn ms(millis: u64) -> Time {
    Time::ZERO + Nanos::from_millis(millis)
}

fn work(lane: u16, from: u64, to: u64, step: u32) -> Mark {
    let (label, sql, role) = ("INSERT auth.users".to_owned(), None, Role::Work);
    Mark::Work {
        lane,
        from: ms(from),
        to: ms(to),
        step,
        label,
        sql,
        role,
    }
}

fn sequence(marks: Vec<Mark>) -> Sequence {
    let lane = |name: &str, kind| Lane {
        name: name.to_owned(),
        kind,
    };
    Sequence {
        operation: "create_user".to_owned(),
        title: "create_user".to_owned(),
        to: ms(10),
        lanes: vec![
            lane("client", NodeKind::Client),
            lane("app", NodeKind::Service),
            lane("db", NodeKind::SqlServer),
        ],
        marks,
        sentences: vec![],
    }
}

#[test]
fn work_lies_on_its_lane_between_its_instants() {
    let drawing = drawn(&sequence(vec![work(1, 0, 4, 1), work(2, 4, 10, 2)]), 550.0);
    let [first, second] = &drawing.works[..] else {
        panic!("{:?}", drawing.works)
    };
    assert_eq!((first.x, first.width, first.y), (16.0, 200.0, drawing.rows[1].y));
    assert_eq!((second.x, second.width, second.y), (216.0, 300.0, drawing.rows[2].y));
}

#[test]
fn a_message_slants_from_lane_to_lane_and_a_lost_one_ends_half_way() {
    let message = |arrives| Mark::Message {
        from_lane: 0,
        to_lane: 1,
        sent: ms(0),
        arrives,
        reply: false,
    };
    let drawing = drawn(
        &sequence(vec![message(Some(ms(5))), message(None), work(2, 5, 10, 1)]),
        680.0,
    );
    let (there, lost) = (&drawing.messages[0], &drawing.messages[1]);
    assert!(there.from.0 < there.to.0 && there.from.1 < there.to.1);
    assert!(lost.lost && lost.to.1 < there.to.1);
}

#[test]
fn labels_never_cover_each_other() {
    let marks = (0..40).map(|step| work(2, step, step + 1, step as u32 + 1)).collect();
    let drawing = drawn(&sequence(marks), 680.0);
    let mut right = 0.0;
    let above = drawing.works.iter().filter_map(|work| work.label.as_ref());
    for label in above.filter(|label| label.y == drawing.rows[2].y + ABOVE) {
        assert!(label.x >= right, "{label:?}");
        right = label.x + label.text.len() as f64 * 6.7;
    }
}

#[test]
fn each_broken_invariant_has_a_band_of_its_own() {
    let broken = |name: &str, from, to, readers| Mark::Broken {
        invariant: name.to_owned(),
        from: ms(from),
        to: ms(to),
        readers,
    };
    let without = drawn(&sequence(vec![work(2, 0, 9, 1)]), 680.0);
    let marks = vec![
        work(2, 0, 9, 1),
        broken("a", 1, 3, 0),
        broken("b", 2, 4, 3),
        broken("a", 5, 6, 1),
    ];
    let drawing = drawn(&sequence(marks), 680.0);
    let rows: Vec<f64> = drawing.bands.iter().map(|band| band.y).collect();
    assert!(rows[0] == rows[2] && rows[1] > rows[0]);
    assert_eq!(
        drawing.height,
        without.height + 2.0 * BAND,
        "two rows for two invariants"
    );
    assert_eq!(drawing.bands[1].title, "b: broken for 2.00 ms, 3 readers saw it");
}

#[test]
fn an_empty_sequence_is_an_empty_drawing() {
    let drawing = drawn(&sequence(vec![]), 680.0);
    assert_eq!((drawing.rows.len(), drawing.works.len(), drawing.width), (3, 0, 680.0));
}

#[test]
fn nothing_of_a_lane_reaches_into_the_next_one() {
    let transaction = |lane, from, to| Mark::Transaction {
        lane,
        from: ms(from),
        to: ms(to),
        committed: true,
    };
    let wait = Mark::Wait {
        lane: 1,
        from: ms(1),
        to: ms(9),
        cause: "a lock on transaction 17".to_owned(),
    };
    let drawing = drawn(
        &sequence(vec![work(1, 0, 1, 1), wait, transaction(1, 0, 9), transaction(2, 2, 9)]),
        680.0,
    );
    for bracket in &drawing.brackets {
        let below = drawing.rows.iter().find(|row| row.y > bracket.lane).map(|row| row.y);
        assert!(bracket.y >= bracket.lane + HALF, "it hangs below the boxes");
        let end = bracket.y + BRACKET.1;
        assert!(
            end < below.unwrap_or(drawing.height) - HALF,
            "{bracket:?} stands on a lane"
        );
    }
    let label = drawing.waits[0].label.as_ref().expect("there is room for it");
    assert!(label.y > drawing.brackets[0].y + BRACKET.1 && label.y < drawing.rows[2].y + ABOVE);
    assert!(drawing.lanes_end >= drawing.rows[2].y + BRACKET.0 + BRACKET.1);
}

#[test]
fn a_step_is_named_once_where_it_is_done() {
    let drawing = drawn(
        &sequence(vec![
            work(1, 0, 1, 1),
            work(2, 2, 4, 1),
            work(1, 5, 6, 1),
            work(1, 7, 9, 2),
        ]),
        2_000.0,
    );
    let named: Vec<(u32, f64)> = drawing
        .works
        .iter()
        .filter(|work| work.label.is_some())
        .map(|work| (work.step, work.y))
        .collect();
    assert_eq!(
        named,
        [(1, drawing.rows[2].y), (2, drawing.rows[1].y)],
        "at the server, else where it works"
    );
}

#[test]
fn what_is_half_done_has_a_row_of_its_own() {
    let partly = |from, to, done| Mark::Partly {
        from: ms(from),
        to: ms(to),
        done,
        of: 3,
    };
    let drawing = drawn(
        &sequence(vec![work(2, 0, 9, 1), partly(2, 4, 1), partly(4, 8, 2)]),
        680.0,
    );
    let row = drawing.rows.last().expect("there are rows");
    assert_eq!((row.kind, drawing.parts.len()), (RowKind::Parts, 2));
    let (first, second) = (&drawing.parts[0], &drawing.parts[1]);
    assert!(
        (first.x + first.width - second.x).abs() < 1e-6,
        "one begins where the other ends"
    );
    assert!(row.y > drawing.lanes_end && row.y < drawing.height);
}

#[test]
fn designs_that_are_compared_share_one_axis() {
    let (short, long) = (sequence(vec![work(1, 0, 4, 1)]), sequence(vec![work(2, 0, 8, 1)]));
    let (timeline, width) = axis(&[short.clone(), long.clone()], 680.0, 1);
    let widths = [draw(&short, &timeline, width), draw(&long, &timeline, width)].map(|drawing| drawing.works[0].width);
    assert!(
        (widths[1] - 2.0 * widths[0]).abs() < 1e-6,
        "twice as long is twice as wide: {widths:?}"
    );
}

#[test]
fn zoom_fits_or_widens() {
    let many = sequence((0..200).map(|step| work(2, step, step + 1, step as u32 + 1)).collect());
    let widths = [0, 1, 2].map(|zoom| axis(std::slice::from_ref(&many), 300.0, zoom).1);
    assert_eq!(widths[0], 300.0);
    assert!(widths[1] > 2_000.0 && widths[2] == 2.0 * widths[1], "{widths:?}");
}
