//! What a cell rests on, piece by piece, in the order in which it was found.

use super::Html;
use super::cell::tag;
use crate::number::{count, modelled, plural};
use crate::{Cell, Evidence, FormulaLine, TableSample};

/// More tenants are counted, not listed.
const MOST_TENANTS: usize = 6;

/// All of it but schedules and distributions (which are drawn) and the way to see it again (which is a link).
pub fn evidence(cell: &Cell) -> String {
    let mut html = Html::default();
    for piece in &cell.evidence {
        match piece {
            Evidence::Sentence(text) => html.element("p", "", text),
            Evidence::Statement { at, text } => {
                html.within("div", &[("class", "sent")], |html| {
                    html.element("small", "", at);
                    html.within("pre", &[("tabindex", "0")], |html| html.text(text));
                });
            }
            Evidence::Rows { rows, foreign } => sample(&mut html, rows, foreign),
            Evidence::ByTenant { own, counts } => by_tenant(&mut html, own, counts),
            Evidence::Formula { formula, lines } => sum(&mut html, formula, lines),
            Evidence::Window { longest, readers } => html.element(
                "p",
                "",
                &format!(
                    "Half of it was visible for up to {}; {} meanwhile.",
                    modelled(*longest),
                    plural(*readers, "statement read it", "statements read it")
                ),
            ),
            Evidence::Schedule(_)
            | Evidence::Distribution(_)
            | Evidence::Replay { .. }
            | Evidence::OnPostgres { .. } => {}
        }
    }
    html.finish()
}

fn sample(html: &mut Html, rows: &TableSample, foreign: &[bool]) {
    let frame = [
        ("class", "scroll"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-label", "Rows that came back"),
    ];
    html.within("div", &frame, |html| {
        html.within("table", &[("class", "data rows")], |html| {
            html.within("tr", &[], |html| {
                for column in &rows.columns {
                    html.within("th", &[("scope", "col")], |html| html.text(column));
                }
                html.markup("<td></td>");
            });
            for (index, row) in rows.rows.iter().enumerate() {
                let theirs = foreign.get(index).copied().unwrap_or(false);
                html.within("tr", &[("class", if theirs { "foreign" } else { "" })], |html| {
                    for value in row {
                        html.element("td", "", value);
                    }
                    html.element("td", "whose", if theirs { "another’s" } else { "" });
                });
            }
        });
    });
    let shown = rows.rows.len() as u64;
    if shown < rows.total {
        html.element(
            "p",
            "hint",
            &format!("the first {} of {} rows", count(shown), count(rows.total)),
        );
    }
}

fn by_tenant(html: &mut Html, own: &str, counts: &[(String, u64)]) {
    let most = counts.iter().map(|(_, rows)| *rows).max().unwrap_or(0).max(1);
    html.within("table", &[("class", "data tenants")], |html| {
        html.markup("<tr><th scope=\"col\">rows of tenant</th><th scope=\"col\">how many</th><td></td></tr>");
        for (tenant, rows) in counts.iter().take(MOST_TENANTS) {
            let class = if tenant == own { "" } else { "foreign" };
            html.within("tr", &[("class", class)], |html| {
                let name = if tenant == own {
                    format!("{tenant}, who asked")
                } else {
                    tenant.clone()
                };
                html.within("th", &[("scope", "row")], |html| html.text(&name));
                html.element("td", "", &count(*rows));
                let (rows, most) = (rows.to_string(), most.to_string());
                html.within("td", &[], |html| {
                    let bar = [
                        ("max", most.as_str()),
                        ("value", rows.as_str()),
                        ("aria-hidden", "true"),
                    ];
                    html.within("progress", &bar, |_| {});
                });
            });
        }
    });
    let rest = &counts[counts.len().min(MOST_TENANTS)..];
    if !rest.is_empty() {
        let rows: u64 = rest.iter().map(|(_, rows)| rows).sum();
        let others = plural(rest.len() as u64, "tenant more", "tenants more");
        html.element(
            "p",
            "hint",
            &format!("{others}, with {} together", plural(rows, "row", "rows")),
        );
    }
}

fn sum(html: &mut Html, formula: &str, lines: &[FormulaLine]) {
    html.within("p", &[("class", "formula")], |html| html.element("code", "", formula));
    let frame = [
        ("class", "scroll"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-label", "Formula, line by line"),
    ];
    html.within("div", &frame, |html| {
        html.within("table", &[("class", "data sum")], |html| {
            for line in lines {
                html.within("tr", &[], |html| {
                    html.within("th", &[("scope", "row")], |html| {
                        html.text(&line.what);
                        html.element("small", "", &line.quantity);
                    });
                    html.element("td", "number", &line.result);
                    html.within("td", &[], |html| tag(html, &line.provenance));
                });
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Figure, Unit, Verdict};

    #[test]
    fn rows_of_others_are_marked_in_words_and_values_stay_text() {
        let cell = Cell {
            verdict: Verdict::Leaked,
            figure: Some(Figure {
                value: 1.0,
                band: None,
                of: Some(2.0),
                unit: Unit::Rows,
            }),
            words: String::new(),
            provenance: None,
            evidence: vec![Evidence::Rows {
                rows: TableSample {
                    columns: vec!["id".to_owned()],
                    rows: vec![vec!["mine".to_owned()], vec!["<b>theirs</b>".to_owned()]],
                    total: 9,
                },
                foreign: vec![false, true],
            }],
        };
        let text = evidence(&cell);
        assert_eq!(text.matches("another’s").count(), 1);
        assert!(
            text.contains("&lt;b&gt;theirs") && text.contains("the first 2 of 9 rows"),
            "{text}"
        );
    }
}
