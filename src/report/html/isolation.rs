//! Transaction isolation: the matrix of anomalies, and a page for each of them with its schedules, step by step.
//!
//! All of it is written when the site is built; below the matrix the app draws its section for a schedule of one's own. A few
//! lines of script move a cursor along a schedule (`schedule-score`); without them the whole schedule stands there.

use std::collections::BTreeSet;

use super::Html;
use crate::isolation::{
    Anomaly, AnomalyCell, AnomalyFound, AnomalyRow, IsolationMatrix, Moment, MomentKind, RowSet, Schedule,
    StatementResult, Verdict,
};
use crate::number::count;

/// Everything between header and footer of the matrix's page.
pub fn isolation_matrix(matrix: &IsolationMatrix) -> String {
    let mut html = Html::default();
    html.element("h1", "", "What overlapping transactions do to each other");
    html.element(
        "p",
        "lead",
        "One schedule for each anomaly, run at PostgreSQL's three levels of transaction isolation: as it is written, and in \
         every other order of its steps.",
    );
    html.within("p", &[("class", "to-own")], |html| {
        html.within("a", &[("href", "#own")], |html| html.text("Run a schedule of your own"));
    });
    let frame = [
        ("class", "scroll"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-label", "Which anomalies occur at which level"),
    ];
    html.within("div", &frame, |html| {
        html.within("table", &[("class", "anomalies")], |html| {
            html.within("thead", &[], |html| levels(html, matrix));
            html.within("tbody", &[], |html| {
                matrix.rows.iter().for_each(|row| matrix_row(html, matrix, row))
            });
        });
    });
    legend(&mut html);
    html.markup("<div class=\"prose\">");
    html.element("h2", "", "How it is decided");
    html.element(
        "p",
        "",
        "Nobody says what to expect. From the rows that each step gave, a checker outside of the engine knows which versions a \
         transaction has read and written, and draws who depends on whom: ww (overwrote), wr (read what the other wrote), rw (read \
         what the other then overwrote). An anomaly is a circle in that graph. Codes are Adya's, OTV and PMP those of Bailis and \
         Hermitage; G-single, G2-item and G2 are counted apart, so G2 needs two rw.",
    );
    html.element(
        "p",
        "",
        "Each order of the steps is run on a fork of the same server, and what it gave is compared with every serial order of what \
         was committed. An order in which a step would come while its session still waits cannot go on; it counts among all, and \
         holds no anomaly. Read uncommitted is not a column: in PostgreSQL it is read committed. The schedules also run on a real \
         PostgreSQL 15, and a test compares what it printed.",
    );
    html.close("div");
    html.finish()
}

fn levels(html: &mut Html, matrix: &IsolationMatrix) {
    html.within("tr", &[], |html| {
        html.within("th", &[("scope", "col")], |html| html.text("Anomaly"));
        for level in &matrix.levels {
            html.within("th", &[("scope", "col")], |html| html.text(level));
        }
    });
}

fn matrix_row(html: &mut Html, matrix: &IsolationMatrix, row: &AnomalyRow) {
    html.within("tr", &[], |html| {
        html.within("th", &[("scope", "row")], |html| {
            html.element("code", "", row.anomaly.code());
            html.within("a", &[("href", &format!("{}/", row.slug))], |html| {
                html.text(&row.title)
            });
        });
        for (cell, level) in row.cells.iter().zip(&matrix.levels) {
            let verdict = cell.verdict;
            html.within("td", &[], |html| {
                html.element("span", "column", level);
                let place = format!("{}/#{}", row.slug, slug(level));
                html.within("a", &[("class", "outcome"), ("href", &place)], |html| {
                    outcome(html, verdict);
                    html.element("small", "", &portion(cell));
                });
            });
        }
    });
}

fn portion(cell: &AnomalyCell) -> String {
    match cell.occurred {
        0 => format!("in none of {} orders", count(cell.counts.schedules)),
        occurred => format!("in {} of {} orders", count(occurred), count(cell.counts.schedules)),
    }
}

/// Shape and word.
fn outcome(html: &mut Html, verdict: Verdict) {
    let class = if verdict.occurred() { "word occurred" } else { "word" };
    html.within("span", &[("class", class)], |html| {
        html.markup(shape(verdict));
        html.text(match verdict {
            Verdict::Occurred => "occurs",
            Verdict::Elsewhere => "occurs, in another order",
            Verdict::SerializationFailure => "refused: 40001",
            Verdict::Deadlock => "refused: 40P01",
            Verdict::Waited => "waits",
            Verdict::Snapshot => "snapshot",
        });
    });
}

pub(super) const CROSS: &str = "<svg class=\"shape\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M3 3l10 10M13 3L3 13\"/></svg>";

/// A cross for what occurred; a bar for a refusal, a hatched block for a wait, two sheets for a snapshot.
fn shape(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Occurred | Verdict::Elsewhere => CROSS,
        Verdict::SerializationFailure | Verdict::Deadlock => {
            "<svg class=\"shape\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\" focusable=\"false\"><circle cx=\"8\" cy=\"8\" r=\"6\"/><path d=\"M4.5 8h7\"/></svg>"
        }
        Verdict::Waited => {
            "<svg class=\"shape\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M2 3h12v10H2zM3 12l9-9M7 13l7-7\"/></svg>"
        }
        Verdict::Snapshot => {
            "<svg class=\"shape\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M5 11H2V2h9v3M5 5h9v9H5z\"/></svg>"
        }
    }
}

fn legend(html: &mut Html) {
    let entries = [
        (Verdict::Occurred, "the anomaly is in the history of what was committed"),
        (
            Verdict::Snapshot,
            "nobody waits, nothing fails: what is read is a snapshot",
        ),
        (Verdict::Waited, "a step waits until the other transaction has ended"),
        (
            Verdict::SerializationFailure,
            "a transaction is rolled back and has to be run again",
        ),
    ];
    html.within("ul", &[("class", "outcomes-legend")], |html| {
        for (verdict, text) in entries {
            html.within("li", &[], |html| {
                outcome(html, verdict);
                html.element("span", "", text);
            });
        }
    });
}

fn slug(level: &str) -> String {
    level.replace(' ', "-")
}

/// Everything between header and footer of the page of one anomaly.
pub fn isolation_anomaly(matrix: &IsolationMatrix, row: &AnomalyRow) -> String {
    let mut html = Html::default();
    html.within("p", &[("class", "crumb")], |html| {
        html.within("a", &[("href", "../")], |html| html.text("Transaction isolation"));
    });
    html.element("h1", "", &row.title);
    html.element("p", "lead", &row.meaning);
    html.within("dl", &[("class", "facts")], |html| {
        fact(html, "Code", row.anomaly.code());
        fact(html, "Occurred if", row.anomaly.condition());
        fact(html, "Schedule", &format!("tests/anomalies/{}.spec", row.slug));
    });
    html.within(
        "ul",
        &[
            ("class", "level-tabs"),
            ("aria-label", "Levels of transaction isolation"),
        ],
        |html| {
            for (cell, level) in row.cells.iter().zip(&matrix.levels) {
                let place = format!("#{}", slug(level));
                html.within("li", &[], |html| {
                    html.within("a", &[("href", &place), ("data-level", &slug(level))], |html| {
                        html.element("b", "", level);
                        outcome(html, cell.verdict);
                    });
                });
            }
        },
    );
    for (cell, level) in row.cells.iter().zip(&matrix.levels) {
        let id = slug(level);
        html.within("section", &[("class", "level"), ("id", &id)], |html| {
            section(html, row, cell, level)
        });
    }
    html.within("details", &[("class", "listing")], |html| {
        html.element(
            "summary",
            "",
            "The schedule, in the format of PostgreSQL's isolationtester",
        );
        html.within("pre", &[("tabindex", "0")], |html| html.element("code", "", &row.spec));
    });
    neighbours(&mut html, matrix, row);
    html.finish()
}

fn fact(html: &mut Html, name: &str, text: &str) {
    html.within("div", &[], |html| {
        html.element("dt", "", name);
        html.element("dd", "", text);
    });
}

fn neighbours(html: &mut Html, matrix: &IsolationMatrix, row: &AnomalyRow) {
    let at = matrix.rows.iter().position(|other| other.slug == row.slug).unwrap_or(0);
    let before = at.checked_sub(1).and_then(|at| matrix.rows.get(at));
    html.within("p", &[("class", "neighbours")], |html| {
        for (other, before, after) in [(before, "← ", ""), (matrix.rows.get(at + 1), "", " →")] {
            let Some(other) = other else { continue };
            let place = format!("../{}/", other.slug);
            html.within("a", &[("href", &place)], |html| {
                html.text(&format!("{before}{}: {}{after}", other.anomaly.code(), other.title))
            });
        }
    });
}

fn section(html: &mut Html, row: &AnomalyRow, cell: &AnomalyCell, level: &str) {
    html.element("h2", "", &format!("At {level}"));
    played(html, &cell.written, &format!("{}: {level}", row.title));
    html.within("div", &[("class", "found")], |html| {
        html.within("div", &[], |html| {
            html.within("h3", &[], |html| outcome(html, cell.verdict));
            html.element("p", "", verdict_sentence(cell.verdict));
            evidence(html, &cell.written, row.anomaly);
        });
        html.within("div", &[], |html| {
            html.element("h3", "", "In every order of its steps");
            orders(html, cell);
        });
    });
    if let Some(other) = &cell.other {
        html.element("h3", "", "An order in which it occurs");
        played(html, other, &format!("{}: {level}, another order", row.title));
        evidence(html, other, row.anomaly);
    }
}

fn verdict_sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Occurred => "All that is asked for is done, and the history of what was committed holds the circle:",
        Verdict::Elsewhere => "Not in this order, but in another one.",
        Verdict::SerializationFailure => {
            "A transaction is rolled back with SQLSTATE 40001, serialization_failure. What is committed has a serial order; the application runs the other one again."
        }
        Verdict::Deadlock => {
            "Two sessions wait for each other, and one is rolled back with SQLSTATE 40P01, deadlock_detected."
        }
        Verdict::Waited => {
            "A row lock is held until its transaction ends. Whoever wants to write the row waits, and then goes on from what was committed."
        }
        Verdict::Snapshot => {
            "Nobody waits and nothing fails. What is read was committed before the snapshot that it is read from."
        }
    }
}

fn evidence(html: &mut Html, schedule: &Schedule, anomaly: Anomaly) {
    let Some(found) = schedule.anomalies.iter().find(|found| found.anomaly == anomaly) else {
        return;
    };
    circle(html, found);
}

/// The circle's edges, sentence by sentence.
pub(super) fn circle(html: &mut Html, found: &AnomalyFound) {
    html.within("ol", &[("class", "circle")], |html| {
        found
            .evidence
            .iter()
            .for_each(|sentence| html.element("li", "", sentence));
    });
}

fn orders(html: &mut Html, cell: &AnomalyCell) {
    let counts = &cell.counts;
    html.within("p", &[("class", "portion")], |html| {
        // The words beside it say the same.
        let width = format!("{:.1}%", 100.0 * cell.occurred as f64 / counts.schedules.max(1) as f64);
        html.within(
            "svg",
            &[("width", "180"), ("height", "12"), ("aria-hidden", "true")],
            |html| {
                html.within("rect", &[("width", "100%"), ("height", "12"), ("class", "all")], |_| {});
                html.within(
                    "rect",
                    &[("width", &width), ("height", "12"), ("class", "share")],
                    |_| {},
                );
            },
        );
        html.element("b", "", &portion(cell));
    });
    html.within("ul", &[("class", "plain")], |html| {
        let item = |html: &mut Html, number: u64, text: &str| {
            if number > 0 {
                html.element("li", "", &format!("{} {text}", count(number)));
            }
        };
        let ended = counts.schedules - counts.stuck;
        item(
            html,
            ended - counts.serial,
            "give what no serial order of the committed transactions gives",
        );
        item(html, counts.serial, "give what a serial order gives");
        item(html, counts.waited, "have a step that waits for another session");
        for (sqlstate, schedules) in &counts.failed {
            item(
                html,
                *schedules,
                &format!("end with a transaction rolled back: {sqlstate}"),
            );
        }
        item(
            html,
            counts.stuck,
            "cannot go on: a step would come while its session waits",
        );
        item(
            html,
            counts.saved,
            "were not run, being equal to another but for the sessions' names",
        );
    });
}

/// A schedule with its controls: sessions side by side, steps below each other.
pub(super) fn played(html: &mut Html, schedule: &Schedule, name: &str) {
    let lanes = format!("score lanes-{}", schedule.sessions.len().min(MOST_LANES));
    let frame = [
        ("class", lanes.as_str()),
        ("tabindex", "0"),
        ("role", "group"),
        ("aria-label", name),
    ];
    html.within("schedule-score", &frame, |html| {
        html.markup(CONTROLS);
        html.within("div", &[("class", "scroll")], |html| {
            html.within("div", &[("class", "names"), ("aria-hidden", "true")], |html| {
                schedule
                    .sessions
                    .iter()
                    .for_each(|session| html.element("b", "", session));
            });
            html.within("ol", &[("class", "beats")], |html| {
                let mut waiting: BTreeSet<u32> = BTreeSet::new();
                for moment in &schedule.moments {
                    waiting.remove(&moment.session);
                    beat(html, schedule, moment, &waiting);
                    if moment.kind == MomentKind::Waits {
                        waiting.insert(moment.session);
                    }
                }
            });
        });
        for set in &schedule.rows {
            html.within("div", &[("class", "left")], |html| {
                html.element("span", "", &format!("{} in the end", set.table));
                rows(html, set);
            });
        }
    });
}

/// Of columns that the style sheet knows.
const MOST_LANES: usize = 4;

const CONTROLS: &str = "<div class=\"steps-controls\" hidden>\
    <button type=\"button\" class=\"button small\" data-go=\"first\">First</button>\
    <button type=\"button\" class=\"button small\" data-go=\"back\">Back</button>\
    <button type=\"button\" class=\"button small primary\" data-go=\"play\">Play</button>\
    <button type=\"button\" class=\"button small\" data-go=\"next\">Next</button>\
    <button type=\"button\" class=\"button small\" data-go=\"last\">Last</button>\
    <span class=\"hint\" aria-live=\"polite\"></span></div>";

fn lane(session: u32) -> String {
    format!("lane-{}", (session as usize).min(MOST_LANES - 1) + 1)
}

fn name(schedule: &Schedule, session: u32) -> &str {
    schedule.sessions.get(session as usize).map_or("", String::as_str)
}

/// `waiting`: other sessions that have waited when it happens.
fn beat(html: &mut Html, schedule: &Schedule, moment: &Moment, waiting: &BTreeSet<u32>) {
    html.within("li", &[("class", "beat")], |html| {
        for session in waiting {
            let class = format!("idle-wait {}", lane(*session));
            html.within("span", &[("class", &class), ("aria-hidden", "true")], |_| {});
        }
        let kind = match moment.kind {
            MomentKind::Waits => "act waits",
            MomentKind::Ended => "act ended",
            MomentKind::Cancelled => "act failed",
            MomentKind::Step if failed(moment) => "act failed",
            MomentKind::Step => "act",
        };
        let kind = if moment.kind == MomentKind::Ended && failed(moment) {
            "act ended failed"
        } else {
            kind
        };
        html.within(
            "div",
            &[("class", &format!("{kind} {}", lane(moment.session)))],
            |html| act(html, schedule, moment),
        );
        if moment.kind == MomentKind::Waits {
            wire(html, schedule, moment);
        }
    });
}

fn failed(moment: &Moment) -> bool {
    moment
        .gave
        .iter()
        .any(|gave| matches!(gave, StatementResult::Error { .. }))
}

fn act(html: &mut Html, schedule: &Schedule, moment: &Moment) {
    html.within("p", &[("class", "who")], |html| {
        html.element("b", "session", name(schedule, moment.session));
        html.text(" ");
        html.element("span", "step", &moment.step);
        match moment.kind {
            MomentKind::Waits => html.element("em", "", " waits …"),
            MomentKind::Ended => html.element("em", "", " goes on"),
            MomentKind::Cancelled => html.element("em", "", " would wait for ever"),
            MomentKind::Step => {}
        }
    });
    if moment.kind != MomentKind::Ended {
        html.element("code", "sql", &moment.sql);
    }
    for gave in &moment.gave {
        match gave {
            // BEGIN gives BEGIN; a COMMIT that gives ROLLBACK is news.
            StatementResult::Tag(tag) if moment.sql.starts_with(tag.as_str()) => {}
            StatementResult::Tag(tag) => html.element("p", "gave", tag),
            StatementResult::Rows(set) => rows(html, set),
            StatementResult::Error { sqlstate, message } => {
                html.element("p", "gave error", &format!("ERROR {sqlstate}: {message}"))
            }
        }
    }
}

/// From who waits to whom it waits for.
fn wire(html: &mut Html, schedule: &Schedule, moment: &Moment) {
    let own = moment.waiting.iter().find(|waiting| waiting.session == moment.session);
    for holder in own.into_iter().flat_map(|waiting| &waiting.holders) {
        let text = format!(
            "{} waits for {}",
            name(schedule, moment.session),
            name(schedule, *holder)
        );
        let (from, to) = (moment.session.min(*holder) + 1, moment.session.max(*holder) + 1);
        let direction = if holder < &moment.session {
            "to-left"
        } else {
            "to-right"
        };
        html.element("p", &format!("wire {direction} between-{from}-{to}"), &text);
    }
}

fn rows(html: &mut Html, set: &RowSet) {
    if set.rows.is_empty() {
        return html.element("p", "gave", "no rows");
    }
    html.within("table", &[("class", "rows")], |html| {
        html.within("thead", &[], |html| {
            html.within("tr", &[], |html| {
                for column in &set.columns {
                    html.within("th", &[("scope", "col")], |html| html.text(column));
                }
            });
        });
        html.within("tbody", &[], |html| {
            for row in &set.rows {
                html.within("tr", &[], |html| {
                    row.iter().for_each(|cell| html.element("td", "", cell))
                });
            }
        });
    });
}
