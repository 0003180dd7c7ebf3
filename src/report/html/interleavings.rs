//! What the orders of a schedule of one's own gave: how many outcomes, which of them are serial ones, which anomalies; each
//! outcome with one of its schedules, played as the recorded ones are.

use super::Html;
use super::isolation::{CROSS, circle, played};
use crate::isolation::{Counts, Interleavings, OutcomeReport, Schedule};
use crate::number::{count, plural};

/// All of it, below the form.
pub fn interleavings(found: &Interleavings) -> String {
    let mut html = Html::default();
    html.element("h3", "came-of", &headline(found));
    portions(&mut html, &found.counts);
    remarks(&mut html, found);
    for (number, outcome) in found.outcomes.iter().enumerate() {
        details(
            &mut html,
            number == 0,
            |html| summary(html, found, outcome),
            |html| body(html, number + 1, outcome),
        );
    }
    if let Some(stuck) = &found.stuck {
        let open = found.outcomes.is_empty();
        details(
            &mut html,
            open,
            |html| stuck_summary(html, found),
            |html| {
                html.element("p", "", "Here a session's next step would come while its earlier one still waits for another session, which goes on only \
                     afterwards. A real client waits for its answer first, so it never comes to this order; what is shown is \
                     cancelled as PostgreSQL's isolationtester does it.");
                played(html, stuck, "An order that cannot go on");
            },
        );
    }
    if found.more_outcomes > 0 {
        let more = plural(found.more_outcomes, "outcome is", "outcomes are");
        html.element("p", "hint", &format!("{more} not listed."));
    }
    html.finish()
}

/// `20 interleavings, 6 different outcomes`
fn headline(found: &Interleavings) -> String {
    let counts = &found.counts;
    let orders = if found.listed {
        plural(counts.schedules, "permutation", "permutations")
    } else {
        plural(counts.schedules, "interleaving", "interleavings")
    };
    let outcomes = plural(counts.distinct_outcomes, "outcome", "different outcomes");
    format!("{orders}, {outcomes}")
}

/// Serial, not serial, cannot go on: a bar, and the same in words.
fn portions(html: &mut Html, counts: &Counts) {
    let ended = counts.schedules - counts.stuck;
    let parts = [
        ("serial", counts.serial, "give what a serial order gives"),
        ("skewed", ended - counts.serial, "give what no serial order gives"),
        ("stuck", counts.stuck, "cannot go on"),
    ];
    html.within(
        "svg",
        &[("class", "portions"), ("height", "14"), ("aria-hidden", "true")],
        |html| {
            let share = |number: u64| 100.0 * number as f64 / counts.schedules.max(1) as f64;
            let mut x = 0.0;
            for (class, number, _) in parts {
                let (left, width) = (format!("{x:.2}%"), format!("{:.2}%", share(number)));
                html.within(
                    "rect",
                    &[("class", class), ("x", &left), ("width", &width), ("height", "14")],
                    |_| {},
                );
                x += share(number);
            }
        },
    );
    html.within("ul", &[("class", "portions-legend")], |html| {
        for (class, number, text) in parts.into_iter().filter(|(_, number, _)| *number > 0) {
            html.within("li", &[("class", class)], |html| {
                html.element("b", "", &count(number));
                html.text(&format!(" {text}"));
            });
        }
    });
}

fn remarks(html: &mut Html, found: &Interleavings) {
    let counts = &found.counts;
    html.within("ul", &[("class", "plain")], |html| {
        if counts.waited > 0 {
            html.element(
                "li",
                "",
                &format!("{} have a step that waits for another session", count(counts.waited)),
            );
        }
        for (sqlstate, schedules) in &counts.failed {
            let text = format!("{} end with a transaction rolled back: {sqlstate}", count(*schedules));
            html.element("li", "", &text);
        }
        if counts.saved > 0 {
            let text = format!(
                "{} were not run, being equal to another but for the sessions' names",
                count(counts.saved)
            );
            html.element("li", "", &text);
        }
        if let Some(untold) = &found.untold {
            html.element(
                "li",
                "",
                &format!("No anomaly is named, since what was read cannot be told: {untold}"),
            );
        }
    });
}

fn details(html: &mut Html, open: bool, summary: impl FnOnce(&mut Html), body: impl FnOnce(&mut Html)) {
    let attributes = [("class", "came"), ("open", "")];
    html.within("details", &attributes[..if open { 2 } else { 1 }], |html| {
        html.within("summary", &[], summary);
        html.within("div", &[("class", "came-body")], body);
    });
}

fn summary(html: &mut Html, found: &Interleavings, outcome: &OutcomeReport) {
    let class = if outcome.serial.is_some() {
        "word"
    } else {
        "word occurred"
    };
    html.within("span", &[("class", class)], |html| match &outcome.serial {
        Some(order) => {
            html.markup(CHECK);
            html.text(&as_serial(order));
        }
        None => {
            html.markup(CROSS);
            html.text("as no serial order");
        }
    });
    for anomaly in &outcome.example.anomalies {
        html.element("code", "", anomaly.anomaly.code());
    }
    for (session, sqlstate) in &outcome.example.rolled_back {
        let name = outcome
            .example
            .sessions
            .get(*session as usize)
            .map_or("", String::as_str);
        let why = sqlstate
            .as_ref()
            .map_or(String::new(), |sqlstate| format!(": {sqlstate}"));
        html.element("span", "tag", &format!("{name} rolled back{why}"));
    }
    html.element("small", "", &portion(found, outcome.schedules));
}

const CHECK: &str = "<svg class=\"shape\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M3 8.5l3.5 3.5L13 4.5\"/></svg>";
const BAR: &str = "<svg class=\"shape\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\" focusable=\"false\"><circle cx=\"8\" cy=\"8\" r=\"6\"/><path d=\"M4.5 8h7\"/></svg>";

fn as_serial(order: &[String]) -> String {
    match order {
        [] => "as if nothing had been done".to_owned(),
        [alone] => format!("as {alone} alone"),
        order => format!("as {}", order.join(", then ")),
    }
}

fn portion(found: &Interleavings, schedules: u64) -> String {
    let all = found.counts.schedules;
    let orders = if found.listed { "permutations" } else { "orders" };
    format!("{} of {} {orders}", count(schedules), count(all))
}

fn body(html: &mut Html, number: usize, outcome: &OutcomeReport) {
    for found in &outcome.example.anomalies {
        html.within("p", &[("class", "named")], |html| {
            html.element("code", "", found.anomaly.code());
            html.text(&format!(" {}", found.anomaly.condition()));
        });
        circle(html, found);
    }
    if let Some(why) = &outcome.unexplained {
        html.element("p", "", &format!("No anomaly is named: {why}."));
    }
    played(html, &outcome.example, &name(number, &outcome.example));
}

fn name(number: usize, example: &Schedule) -> String {
    format!("Outcome {number}: {}", example.steps())
}

fn stuck_summary(html: &mut Html, found: &Interleavings) {
    html.within("span", &[("class", "word")], |html| {
        html.markup(BAR);
        html.text("cannot go on");
    });
    html.element("small", "", &portion(found, found.counts.stuck));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolation::{Moment, MomentKind};

    fn outcome(serial: Option<Vec<String>>) -> OutcomeReport {
        let moment = Moment {
            session: 0,
            step: "<r1>".to_owned(),
            sql: "SELECT '<b>'".to_owned(),
            kind: MomentKind::Step,
            gave: Vec::new(),
            waiting: Vec::new(),
        };
        OutcomeReport {
            schedules: 3,
            example: Schedule {
                sessions: vec!["s1".to_owned()],
                moments: vec![moment],
                rows: Vec::new(),
                rolled_back: vec![(0, Some("40001".to_owned()))],
                anomalies: Vec::new(),
            },
            serial,
            unexplained: None,
        }
    }

    #[test]
    fn outcomes_say_what_they_are_and_names_stay_text() {
        let found = Interleavings {
            counts: Counts {
                schedules: 6,
                serial: 3,
                distinct_outcomes: 2,
                ..Counts::default()
            },
            outcomes: vec![outcome(None), outcome(Some(vec!["s2".to_owned(), "s1".to_owned()]))],
            ..Interleavings::default()
        };
        let html = interleavings(&found);
        for part in [
            "6 interleavings, 2 different outcomes",
            "as no serial order",
            "as s2, then s1",
            "3 of 6 orders",
            "s1 rolled back: 40001",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<b>'") && html.contains("&lt;r1&gt;"), "{html}");
        assert_eq!(
            html.matches("<details class=\"came\" open=\"\">").count(),
            1,
            "the first is open"
        );
    }
}
