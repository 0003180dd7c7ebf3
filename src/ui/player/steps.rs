//! What the drawing shows, in lists: the steps with their SQL, and everything as a table.

use leptos::prelude::*;
use report::{Mark, Sequence};

use crate::browser;
use crate::chart::figure::{DataTable, table};
use crate::format::csv;

/// One row per step, with its SQL when selected: what the drawing shows, for the keyboard.
#[component]
pub(crate) fn Steps(sequence: Sequence, selected: RwSignal<Option<u32>>) -> impl IntoView {
    let steps = steps_of(&sequence);
    let row = move |step: StepRow| {
        let number = step.number;
        let open = move || selected.get() == Some(number);
        let toggle = move |_| selected.update(|now| *now = (*now != Some(number)).then_some(number));
        let sql = step.sql.clone();
        view! {
            <li>
                <button type="button" class="step" class:selected=open aria-expanded=move || if open() { "true" } else { "false" } on:click=toggle>
                    <b>{number}</b> <span>{step.label}</span> <small>{step.lane}</small>
                </button>
                {move || open().then(|| match sql.clone() {
                    Some(sql) => view! { <pre tabindex="0">{sql}</pre> }.into_any(),
                    None => view! { <p class="hint">"This step sends no SQL."</p> }.into_any(),
                })}
            </li>
        }
    };
    let data = table_of(&sequence);
    let (file, for_file) = (format!("{}.csv", sequence.operation), data.clone());
    let save = move |_| {
        browser::download(&file, &csv(&for_file.header, &for_file.rows));
    };
    view! {
        <div class="steps">
            <details><summary>"Steps, with their SQL"</summary><ol>{steps.into_iter().map(row).collect_view()}</ol></details>
            <div class="chart-tools">
                <details><summary>"Show as table"</summary><div class="scroll" tabindex="0" role="region" aria-label="Table">{table(&data)}</div></details>
                <button type="button" class="button small" on:click=save>"CSV"</button>
            </div>
        </div>
    }
}

/// All that is drawn, in order of time, with its length.
fn table_of(sequence: &Sequence) -> DataTable {
    let mut data = DataTable::new(&["from, ms", "to, ms", "where", "what", "detail"]);
    let mut marks: Vec<&Mark> = sequence.marks.iter().collect();
    marks.sort_by_key(|mark| mark.span());
    let millis = |time: base::Time| format!("{:.3}", time.0 as f64 / 1e6);
    for mark in marks {
        let (from, to) = mark.span();
        let (place, what, detail) = words(sequence, mark);
        data.rows
            .push(vec![millis(from), millis(to), place, what.to_owned(), detail]);
    }
    data
}

fn words(sequence: &Sequence, mark: &Mark) -> (String, &'static str, String) {
    let lane = |lane: &u16| sequence.lane_name(Some(*lane)).to_owned();
    match mark {
        Mark::Work {
            lane: at, step, label, ..
        } => (lane(at), "work", format!("{step} {label}")),
        Mark::Wait { lane: at, cause, .. } => (lane(at), "wait", cause.clone()),
        Mark::Message {
            from_lane,
            to_lane,
            arrives,
            reply,
            ..
        } => {
            let what = match (arrives, reply) {
                (None, _) => "lost message",
                (Some(_), true) => "answer",
                (Some(_), false) => "request",
            };
            (format!("{} → {}", lane(from_lane), lane(to_lane)), what, String::new())
        }
        Mark::Transaction {
            lane: at, committed, ..
        } => {
            let end = if *committed { "committed" } else { "rolled back" };
            (lane(at), "transaction", end.to_owned())
        }
        Mark::Fault { lane: at, label, .. } => (lane(at), "fault", label.clone()),
        Mark::Down { lane: at, .. } => (lane(at), "down", String::new()),
        Mark::Partly { done, of, .. } => (String::new(), "half in sight", format!("{done} of {of} committed")),
        Mark::Broken {
            invariant,
            from,
            to,
            readers,
        } => {
            let detail = format!("{invariant}: {}", report::broken_for(*from, *to, *readers));
            (String::new(), "invariant broken", detail)
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct StepRow {
    number: u32,
    label: String,
    lane: String,
    sql: Option<String>,
}

/// A step works at several places (who asks, who does it); it is listed where its SQL arrives.
fn steps_of(sequence: &Sequence) -> Vec<StepRow> {
    let mut rows: Vec<StepRow> = Vec::new();
    for mark in &sequence.marks {
        let Mark::Work {
            lane, step, label, sql, ..
        } = mark
        else {
            continue;
        };
        let lane = sequence.lanes.get(usize::from(*lane));
        let lane_name = lane.map(|lane| lane.name.clone()).unwrap_or_default();
        let server = lane.is_some_and(|lane| lane.kind == program::NodeKind::SqlServer);
        match rows.iter_mut().find(|row| row.number == *step) {
            Some(row) if server => row.lane = lane_name,
            Some(_) => {}
            None => rows.push(StepRow {
                number: *step,
                label: label.clone(),
                lane: lane_name,
                sql: sql.clone(),
            }),
        }
    }
    rows.sort_by_key(|row| row.number);
    rows
}
