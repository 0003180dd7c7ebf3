//! The evidence behind the board: rows that broke an invariant, the windows in which it was broken,
//! and errors.

use std::sync::Arc;

use base::Time;
use leptos::prelude::*;
use report::{DesignReport, InvariantReport, RunReport, TableSample, Window};

use crate::chart::figure::{DataTable, table};
use crate::format::{count, modelled, plural};

const MOST_WINDOWS: usize = 10;

#[component]
pub(crate) fn Evidence(report: Arc<RunReport>) -> impl IntoView {
    let broken: Vec<AnyView> = report.designs.iter().flat_map(broken_invariants).collect();
    let errors = error_table(&report);
    let errors = (!errors.rows.is_empty()).then(|| {
        view! {
            <div class="card"><h3>"Errors that programs or clients saw"</h3>
                <div class="scroll" tabindex="0" role="region" aria-label="Errors">{table(&errors)}</div>
            </div>
        }
    });
    view! { <div class="evidence">{broken} {errors}</div> }
}

fn broken_invariants(design: &DesignReport) -> Vec<AnyView> {
    let broken = design
        .invariants
        .iter()
        .filter(|invariant| invariant.broken_rows > 0 || !invariant.windows.is_empty());
    broken.map(|invariant| evidence(&design.title, invariant)).collect()
}

fn evidence(design: &str, invariant: &InvariantReport) -> AnyView {
    let title = format!("“{}” on {design}", invariant.name);
    let left = match invariant.broken_rows {
        0 => "Nothing is broken at the end; others could see it broken meanwhile.".to_owned(),
        rows => format!(
            "{} when all was quiet again.",
            plural(rows, "row breaks it", "rows break it")
        ),
    };
    let rows = invariant
        .evidence
        .as_ref()
        .filter(|sample| !sample.rows.is_empty())
        .map(sample_rows);
    let windows = &invariant.windows;
    let more = windows.len().saturating_sub(MOST_WINDOWS) as u64;
    let list = windows
        .iter()
        .take(MOST_WINDOWS)
        .map(|window| view! { <li>{window_sentence(window)}</li> })
        .collect_view();
    let windows = (!windows.is_empty()).then(|| {
        view! {
            <details open=invariant.broken_rows == 0><summary>"When it was broken: " {plural(windows.len() as u64, "window", "windows")}</summary>
                <ul>{list} {(more > 0).then(|| view! { <li>"and " {count(more)} " more"</li> })}</ul>
            </details>
        }
    });
    view! { <div class="card" class:bad-card=invariant.broken_rows != 0><h3>{title}</h3><p>{left}</p>{rows} {windows}</div> }.into_any()
}

fn sample_rows(sample: &TableSample) -> impl IntoView + use<> {
    let data = DataTable {
        header: sample.columns.clone(),
        rows: sample.rows.clone(),
    };
    let shown = sample.rows.len() as u64;
    let note = (shown < sample.total).then(|| format!("{} of {} rows.", count(shown), count(sample.total)));
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Rows that break it">{table(&data)}</div>
        {note.map(|note| view! { <p class="hint">{note}</p> })}
    }
}

fn window_sentence(window: &Window) -> String {
    let began = modelled(window.from.since(Time::ZERO));
    let rows = plural(window.rows, "row", "rows");
    let readers = plural(window.readers, "statement read it", "statements read it");
    match window.to {
        Some(to) => format!("at {began}, for {}: {rows}; {readers}", modelled(to.since(window.from))),
        None => format!("from {began} to the end: {rows}; {readers}"),
    }
}

fn error_table(report: &RunReport) -> DataTable {
    let mut table = DataTable::new(&["Design", "operation", "message", "count"]);
    for design in &report.designs {
        let row = |error: &report::ErrorCount| {
            vec![
                design.title.clone(),
                error.operation.clone(),
                error.message.clone(),
                count(error.count),
            ]
        };
        table.rows.extend(design.errors.iter().map(row));
    }
    table
}
