//! One cell of a board: shape, number, unit, and where the number comes from.

use super::Html;
use crate::number::{count, two_figures};
use crate::{Cell, Evidence, Figure, Provenance, Unit, Verdict};

pub(crate) fn cell(html: &mut Html, cell: &Cell) {
    html.within("span", &[("class", "value")], |html| {
        shape(html, cell);
        value(html, cell);
    });
    if !cell.words.is_empty() {
        html.element("span", "detail", &cell.words);
    }
    if let Some(provenance) = &cell.provenance {
        tag(html, provenance);
    }
}

/// Red is for these alone.
pub(crate) fn is_bad(cell: &Cell) -> bool {
    matches!(cell.verdict, Verdict::Leaked | Verdict::Broken)
}

fn value(html: &mut Html, cell: &Cell) {
    html.element("span", "visually-hidden", spoken(cell.verdict));
    let Some(figure) = cell.figure else {
        html.text(match cell.verdict {
            Verdict::NotApplicable | Verdict::NotExpressible => "–",
            Verdict::NotTested => "?",
            _ => "",
        });
        return;
    };
    let exact = matches!(
        cell.provenance,
        None | Some(Provenance::Counted | Provenance::Checked { .. })
    );
    let number = |value: f64| if exact { exactly(value) } else { two_figures(value) };
    if figure.unit == Unit::Dollars {
        html.text("$");
    }
    html.text(&number(figure.value));
    let of = figure.of.map_or_else(String::new, |of| format!("of {} ", number(of)));
    let unit = unit(figure);
    if !(of.is_empty() && unit.is_empty()) {
        html.text(" ");
        html.element("small", "", format!("{of}{unit}").trim_end());
    }
}

fn exactly(value: f64) -> String {
    if value.fract() == 0.0 && (0.0..1e15).contains(&value) {
        count(value as u64)
    } else {
        two_figures(value)
    }
}

fn unit(figure: Figure) -> &'static str {
    match figure.unit {
        Unit::Rows if figure.value == 1.0 => "row",
        Unit::Rows => "rows",
        Unit::Milliseconds => "ms",
        Unit::Dollars => "a month",
        Unit::RequestsPerSecond => "/s",
        Unit::Faults | Unit::Count => "",
    }
}

/// The verdict for those who hear the page; what the number itself says is not repeated.
fn spoken(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Measured => "",
        Verdict::StoppedByEngine => "stopped by the engine: ",
        Verdict::StoppedByApplication => "stopped by the application alone: ",
        Verdict::Leaked => "leaked: ",
        Verdict::Broken => "broken: ",
        Verdict::NoneFound => "none found: ",
        Verdict::NotApplicable => "not applicable ",
        Verdict::NotExpressible => "cannot be expressed ",
        Verdict::NotTested => "not tested ",
    }
}

/// A sign for the verdict, so that nothing is told by colour alone.
fn shape(html: &mut Html, cell: &Cell) {
    let visible = cell
        .evidence
        .iter()
        .any(|evidence| matches!(evidence, Evidence::Window { .. }));
    let drawing = match cell.verdict {
        // A solid wall, a dashed one, one with a hole.
        Verdict::StoppedByEngine => "<path class=\"engine\" d=\"M8 1v14\"/>",
        Verdict::StoppedByApplication => "<path class=\"application\" d=\"M8 1v14\"/>",
        Verdict::Leaked => "<path class=\"engine\" d=\"M8 1v3M8 12v3\"/><path d=\"M2 8h11M10 5l3 3-3 3\"/>",
        Verdict::Broken => "<path d=\"M3 3l10 10M13 3L3 13\"/>",
        // A gap through which others could look.
        Verdict::NoneFound if visible => "<circle class=\"gap\" cx=\"8\" cy=\"8\" r=\"5.5\"/>",
        Verdict::NoneFound => "<circle cx=\"8\" cy=\"8\" r=\"5.5\"/>",
        Verdict::NotExpressible => "<circle cx=\"8\" cy=\"8\" r=\"5.5\"/><path d=\"M4.2 11.8l7.6-7.6\"/>",
        Verdict::Measured | Verdict::NotApplicable | Verdict::NotTested => return,
    };
    html.markup("<svg class=\"shape\" width=\"16\" height=\"16\" viewBox=\"0 0 16 16\" aria-hidden=\"true\" focusable=\"false\">");
    html.markup(drawing);
    html.markup("</svg>");
}

pub(super) fn tag(html: &mut Html, provenance: &Provenance) {
    let (class, text) = match provenance {
        Provenance::Counted => ("tag counted", "counted".to_owned()),
        Provenance::Checked { system } => ("tag checked", format!("checked on {system}")),
        Provenance::Modelled { .. } => ("tag modelled", "modelled".to_owned()),
        Provenance::Priced { date, .. } => ("tag priced", format!("priced {date}")),
        Provenance::Assumed => ("tag assumed", "assumed".to_owned()),
        Provenance::Claimed { by } => ("tag claimed", format!("claimed by {by}")),
    };
    html.element("span", class, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(value: f64) -> Cell {
        Cell {
            verdict: Verdict::Measured,
            figure: Some(Figure {
                value,
                band: None,
                of: None,
                unit: Unit::Milliseconds,
            }),
            words: String::new(),
            provenance: Some(Provenance::Modelled {
                profile: "p".to_owned(),
            }),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn a_counted_figure_keeps_its_digits_and_a_modelled_one_two() {
        let text = |cell: &Cell| {
            let mut html = Html::default();
            value(&mut html, cell);
            html.finish()
        };
        let mut counted = measured(4_951.0);
        counted.provenance = Some(Provenance::Counted);
        assert!(text(&counted).contains("4,951"));
        assert!(text(&measured(4_951.0)).contains("5,000"));
    }
}
