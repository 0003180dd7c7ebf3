//! The board as HTML: heads with the pictures of the deployments, sections of rows, cells beside their baseline.
//!
//! Cells are buttons that carry `row.design` in `data-cell`; who shows the board listens to them.

use super::Html;
use super::cell::{cell, is_bad};
use super::picture::picture;
use crate::number::{modelled, plural, two_figures};
use crate::{Board, BoardDesign, BoardRow, BoardSection, Cell, Difference, Unit};

/// The header's row. `columns` are places in [`Board::designs`], the baseline first.
pub fn board_head(board: &Board, columns: &[usize]) -> String {
    let mut html = Html::default();
    html.markup("<tr><td></td>");
    for (place, design) in shown(board, columns).enumerate() {
        let class = if place == 0 { "baseline" } else { "" };
        // The focus goes here when a design becomes the baseline.
        html.within(
            "th",
            &[("scope", "col"), ("class", class), ("tabindex", "-1")],
            |html| {
                head(html, design);
                if place == 0 {
                    html.element("small", "is-baseline", "baseline");
                } else {
                    let button = [
                        ("type", "button"),
                        ("class", "make-baseline"),
                        ("data-baseline", design.architecture.as_str()),
                    ];
                    html.within("button", &button, |html| {
                        html.text("make baseline");
                        html.element("span", "visually-hidden", &format!(" ({})", design.title));
                    });
                }
            },
        );
    }
    html.markup("</tr>");
    html.finish()
}

/// The rows of a section, with its question above them.
pub fn board_section(board: &Board, section: &BoardSection, columns: &[usize]) -> String {
    let mut html = Html::default();
    let axis = axis(section);
    html.within("tr", &[("class", "group")], |html| {
        let span = (columns.len() + 1).to_string();
        html.within("th", &[("scope", "colgroup"), ("colspan", &span)], |html| {
            html.element("span", "", &section.question);
            if axis > 0.0 {
                html.element("small", "", &format!("axes locked, 0 to {}", milliseconds(axis)));
            }
        });
    });
    for row in &section.rows {
        html.within("tr", &[], |html| {
            html.within("th", &[("scope", "row")], |html| {
                html.text(&row.title);
                html.element("small", "", &row.note);
            });
            for (place, column) in columns.iter().enumerate() {
                if let (Some(design), Some(of)) = (board.designs.get(*column), row.cells.get(*column)) {
                    let class = match (place, is_bad(of)) {
                        (0, true) => "baseline bad-cell",
                        (0, false) => "baseline",
                        (_, true) => "bad-cell",
                        (_, false) => "",
                    };
                    let baseline = (place > 0).then(|| columns.first().and_then(|first| row.cells.get(*first)));
                    html.within("td", &[("class", class)], |html| {
                        button(html, row, design, of, baseline.flatten(), axis);
                    });
                }
            }
        });
    }
    html.finish()
}

/// One row on a screen of its own, the designs below each other.
pub fn board_question(board: &Board, section: &BoardSection, row: &BoardRow, columns: &[usize]) -> String {
    let mut html = Html::default();
    let axis = axis(section);
    html.element("p", "hint", &section.question);
    html.element("h3", "", &row.title);
    html.element("p", "note", &row.note);
    html.within("ul", &[], |html| {
        for (place, column) in columns.iter().enumerate() {
            if let (Some(design), Some(of)) = (board.designs.get(*column), row.cells.get(*column)) {
                let baseline = (place > 0).then(|| columns.first().and_then(|first| row.cells.get(*first)));
                html.within("li", &[("class", if is_bad(of) { "bad-cell" } else { "" })], |html| {
                    html.element("b", "", &design.title);
                    button(html, row, design, of, baseline.flatten(), axis);
                });
            }
        }
    });
    html.finish()
}

/// The name of a cell in links: `forgotten-filter.database-per-service`.
pub fn cell_name(row: &BoardRow, design: &BoardDesign) -> String {
    format!("{}.{}", row.slug, design.architecture)
}

fn shown<'a>(board: &'a Board, columns: &'a [usize]) -> impl Iterator<Item = &'a BoardDesign> {
    columns.iter().filter_map(|column| board.designs.get(*column))
}

/// Picture, name, and whether the design did the same work.
pub(super) fn head(html: &mut Html, design: &BoardDesign) {
    picture(html, &design.picture);
    html.element("b", "", &design.title);
    match design.same_rows {
        Some(true) => html.element("small", "", "same rows ✓"),
        Some(false) => html.element("small", "bad", "its rows differ"),
        None => {}
    }
    if !design.refusals.is_empty() {
        let refused = design.refusals.len() as u64;
        html.element(
            "small",
            "warn",
            &plural(
                refused,
                "statement cannot be expressed",
                "statements cannot be expressed",
            ),
        );
    }
}

fn button(html: &mut Html, row: &BoardRow, design: &BoardDesign, of: &Cell, baseline: Option<&Cell>, axis: f64) {
    let name = cell_name(row, design);
    let attributes = [
        ("type", "button"),
        ("class", "cell"),
        ("data-cell", name.as_str()),
        ("aria-expanded", "false"),
    ];
    html.within("button", &attributes, |html| {
        html.element("span", "visually-hidden", &format!("{}: ", design.title));
        cell(html, of);
        if let Some((text, class)) = baseline.and_then(|baseline| beside(of, baseline)) {
            html.element("span", class, &text);
        }
        bar(html, of, axis);
    });
}

/// A figure beside the baseline's: the difference with its band, or that neither goes first.
fn beside(of: &Cell, baseline: &Cell) -> Option<(String, &'static str)> {
    let unit = of.figure?.unit;
    match of.difference(baseline)? {
        Difference::Same => Some(("as the baseline".to_owned(), "difference close")),
        Difference::TooClose => Some(("too close to the baseline".to_owned(), "difference close")),
        Difference::By { value, band } => {
            let mut text = signed(value, unit);
            if let Some((low, high)) = band {
                text.push_str(&format!(" ({} to {})", signed(low, unit), signed(high, unit)));
            }
            Some((text, "difference"))
        }
    }
}

fn signed(value: f64, unit: Unit) -> String {
    let sign = if value < 0.0 { "−" } else { "+" };
    let size = value.abs();
    match unit {
        Unit::Dollars => format!("{sign}${}", two_figures(size)),
        Unit::Milliseconds => format!("{sign}{}", milliseconds(size)),
        Unit::RequestsPerSecond => format!("{sign}{}/s", two_figures(size)),
        Unit::Rows | Unit::Faults | Unit::Count => format!("{sign}{}", crate::number::count(size as u64)),
    }
}

fn milliseconds(value: f64) -> String {
    modelled(base::Nanos((value * 1e6) as u64))
}

/// Where the section's bars end: at the longest time in it, its band included. 0: nothing is a time.
fn axis(section: &BoardSection) -> f64 {
    let cells = section.rows.iter().flat_map(|row| &row.cells);
    let times = cells.filter_map(|cell| cell.figure).filter(is_time);
    times
        .map(|figure| figure.band.map_or(figure.value, |(_, high)| high.max(figure.value)))
        .fold(0.0, f64::max)
}

fn is_time(figure: &crate::Figure) -> bool {
    figure.unit == Unit::Milliseconds
}

/// The time on the section's axis; what its band spans between two strokes.
fn bar(html: &mut Html, of: &Cell, axis: f64) {
    let Some(figure) = of.figure.filter(is_time).filter(|_| axis > 0.0) else {
        return;
    };
    let share = |value: f64| (value / axis * 200.0).clamp(0.0, 200.0);
    let text = |value: f64| format!("{value:.1}");
    let frame = [
        ("class", "meter"),
        ("viewBox", "0 0 200 12"),
        ("preserveAspectRatio", "none"),
        ("aria-hidden", "true"),
        ("focusable", "false"),
    ];
    html.within("svg", &frame, |html| {
        html.markup("<rect class=\"track\" y=\"2\" width=\"200\" height=\"8\"/>");
        let width = text(share(figure.value).max(1.0));
        let value = [
            ("class", "length"),
            ("y", "2"),
            ("height", "8"),
            ("width", width.as_str()),
        ];
        html.within("rect", &value, |_| {});
        if let Some((low, high)) = figure.band {
            let (from, to) = (share(low), share(high));
            let (x, width) = (text(from), text((to - from).max(1.5)));
            let band = [
                ("class", "band"),
                ("x", x.as_str()),
                ("width", width.as_str()),
                ("height", "12"),
            ];
            html.within("rect", &band, |_| {});
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Figure, Provenance, Verdict};

    fn time(value: f64, band: (f64, f64)) -> Cell {
        Cell {
            verdict: Verdict::Measured,
            figure: Some(Figure {
                value,
                band: Some(band),
                of: None,
                unit: Unit::Milliseconds,
            }),
            words: String::new(),
            provenance: Some(Provenance::Counted),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn a_difference_has_its_band_or_is_too_close() {
        let text = |cell: &Cell, baseline: &Cell| beside(cell, baseline).map(|(text, _)| text);
        let baseline = time(10.0, (9.0, 11.0));
        assert_eq!(
            text(&time(31.0, (28.0, 34.0)), &baseline).as_deref(),
            Some("+21 ms (+17 ms to +25 ms)")
        );
        assert_eq!(
            text(&time(11.0, (10.0, 12.0)), &baseline).as_deref(),
            Some("too close to the baseline")
        );
        let mut rows = baseline.clone();
        rows.figure = rows.figure.map(|figure| Figure {
            unit: Unit::Rows,
            ..figure
        });
        assert_eq!(text(&rows, &baseline), None, "what is not comparable is not compared");
    }

    #[test]
    fn a_section_has_one_axis_for_all_its_bars() {
        let section = BoardSection {
            question: "How long?".to_owned(),
            rows: vec![BoardRow {
                slug: "a".to_owned(),
                title: "a".to_owned(),
                note: String::new(),
                cells: vec![time(10.0, (9.0, 11.0)), time(40.0, (30.0, 50.0))],
            }],
        };
        assert_eq!(axis(&section), 50.0);
    }
}
