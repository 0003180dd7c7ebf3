//! Home: a finished run, and a crash that can be moved along the steps of one operation.
//!
//! All of it is written when the site is built, with a row for each place of the crash; a few lines of script show one of
//! them. So Home can be read and used before any WebAssembly has arrived, and without.

use super::Html;
use super::board::head;
use super::cell::{cell, is_bad};
use super::picture::hatchings;
use crate::number::{count, plural};
use crate::{BoardDesign, Cell, Evidence, Recorded};

/// Everything between header and footer; `root` leads from the page to the site's root. At first the crash strikes where most is left broken.
pub fn home(recorded: &Recorded, root: &str) -> String {
    let designs = number_word(recorded.board.designs.len());
    let first = first_stop(recorded);
    let mut html = Html::default();
    html.markup(hatchings());
    html.within("h1", &[("class", "home")], |html| {
        // Two lines where there is room for them.
        html.element("span", "", &format!("Same workload. {} designs.", capital(&designs)));
        html.text(" ");
        html.element("span", "", "Kill one server.");
    });
    html.within("p", &[("class", "lead")], |html| {
        html.text(&format!(
            "“{}”, written once in SQL, compiled to {designs} database designs and run on engines that can be crashed. \
             Drag the crash along its steps and see what each design leaves behind.",
            recorded.title
        ));
    });
    track(&mut html, recorded, first);
    let frame = [
        ("class", "scroll"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-label", "What each design leaves behind"),
    ];
    html.within("div", &frame, |html| table(html, recorded, first, root));
    html.within("p", &[("class", "links")], |html| {
        let (why, own) = (format!("{root}compare/"), format!("{root}lab/"));
        html.within("a", &[("class", "button primary"), ("href", &why)], |html| {
            html.text("See why")
        });
        html.within("a", &[("class", "button"), ("href", &own)], |html| {
            html.text("Use my numbers")
        });
    });
    html.element(
        "p",
        "hint",
        &format!(
            "Recorded: {}, {}, {}; a test compares these numbers with what runs give.",
            recorded.board.scenario.title, recorded.board.scenario.clients, recorded.board.scenario.profile
        ),
    );
    html.finish()
}

fn first_stop(recorded: &Recorded) -> usize {
    let broken = |stop: usize| {
        let cells = recorded
            .stops
            .get(stop)
            .map(|stop| stop.cells.as_slice())
            .unwrap_or_default();
        let window = |cell: &Cell| {
            cell.evidence
                .iter()
                .any(|evidence| matches!(evidence, Evidence::Window { .. }))
        };
        (
            cells.iter().filter(|cell| is_bad(cell)).count(),
            cells.iter().filter(|cell| window(cell)).count(),
        )
    };
    // The first of equals: what comes later says no more.
    (0..recorded.stops.len())
        .rev()
        .max_by_key(|stop| broken(*stop))
        .unwrap_or(0)
}

/// The operation's statements on a line, and the crash on it as a slider: by pointer, arrow keys or touch.
fn track(html: &mut Html, recorded: &Recorded, first: usize) {
    let scenario = &recorded.board.scenario;
    html.within(
        "section",
        &[("class", "track card"), ("aria-label", "Where the crash strikes")],
        |html| {
            html.within("p", &[("class", "track-head")], |html| {
                html.element("code", "", &recorded.operation);
                let tenants = plural(scenario.tenants.into(), "tenant", "tenants");
                html.element(
                    "span",
                    "",
                    &format!("{}, {tenants}, seed {}", scenario.title, scenario.seed),
                );
            });
            let stops = recorded.stops.len();
            let class = format!("line stops-{stops}");
            html.within("div", &[("class", &class)], |html| {
                let (most, value) = (stops.saturating_sub(1).to_string(), first.to_string());
                let place = recorded.stops.get(first).map_or("", |stop| stop.place.as_str());
                let slider = [
                    ("type", "range"),
                    ("id", "crash"),
                    ("min", "0"),
                    ("max", most.as_str()),
                    ("step", "1"),
                    ("value", value.as_str()),
                    ("autocomplete", "off"),
                    ("aria-label", "The crash strikes"),
                    ("aria-valuetext", place),
                ];
                html.open("input", &slider);
                html.within("ol", &[("class", "line-steps")], |html| {
                    for (index, statement) in recorded.statements.iter().enumerate() {
                        let (verb, table) = statement.split_once(' ').unwrap_or(("", statement));
                        line_step(html, table, &verb.to_lowercase(), index < first);
                    }
                    line_step(html, "answer", "to the client", false);
                });
            });
        },
    );
}

fn line_step(html: &mut Html, what: &str, note: &str, done: bool) {
    html.within("li", &[("class", if done { "done" } else { "" })], |html| {
        html.element("b", "", what);
        html.element("span", "", note);
    });
}

fn table(html: &mut Html, recorded: &Recorded, first: usize, root: &str) {
    let board = &recorded.board;
    html.within("table", &[("class", "board home")], |html| {
        html.markup("<thead><tr><td></td>");
        for design in &board.designs {
            html.within("th", &[("scope", "col")], |html| head(html, design));
        }
        html.markup("</tr></thead>");
        for (index, stop) in recorded.stops.iter().enumerate() {
            let index_text = index.to_string();
            html.open(
                "tbody",
                &[
                    ("data-stop", &index_text),
                    ("data-place", &stop.place),
                    ("class", if index == first { "" } else { "away" }),
                ],
            );
            row(
                html,
                recorded,
                ("What did the crash leave?", &stop.place),
                &stop.cells,
                root,
            );
            html.close("tbody");
        }
        html.open("tbody", &[]);
        for section in &board.sections {
            for of in &section.rows {
                let note = format!("{}: {}", of.title, of.note);
                row(html, recorded, (&section.question, &note), &of.cells, root);
            }
        }
        html.close("tbody");
    });
}

fn row(html: &mut Html, recorded: &Recorded, (title, note): (&str, &str), cells: &[Cell], root: &str) {
    html.within("tr", &[], |html| {
        html.within("th", &[("scope", "row")], |html| {
            html.text(title);
            html.element("small", "", note);
        });
        for (design, shown) in recorded.board.designs.iter().zip(cells) {
            html.within(
                "td",
                &[("class", if is_bad(shown) { "bad-cell" } else { "" })],
                |html| {
                    html.element("span", "column", &design.title);
                    match replay(recorded, design, shown, root) {
                        Some(link) => html.within("a", &[("class", "cell"), ("href", &link)], |html| {
                            cell(html, shown);
                            html.element("span", "replay", "watch it");
                        }),
                        None => cell(html, shown),
                    }
                },
            );
        }
    });
}

/// The link that shows the worst of a cell again.
fn replay(recorded: &Recorded, design: &BoardDesign, cell: &Cell, root: &str) -> Option<String> {
    let (operation, fault) = cell.evidence.iter().find_map(|evidence| match evidence {
        Evidence::Replay { operation, fault } => Some((operation, fault.as_deref()?)),
        _ => None,
    })?;
    let words = |text: &str| text.replace('+', "%2B").replace(' ', "+");
    Some(format!(
        "{root}run/?v=1&scenario={}&on={}&operation={}&fault={}",
        recorded.board.scenario.slug,
        words(&design.architecture),
        words(operation),
        words(fault)
    ))
}

fn number_word(number: usize) -> String {
    const WORDS: [&str; 10] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    WORDS
        .get(number)
        .map_or_else(|| count(number as u64), |word| (*word).to_owned())
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
