//! A sampled execution: drawing, sentences and steps share one time cursor and one selected step.

use std::time::Duration;

use leptos::html::Ol;
use leptos::leptos_dom::helpers::IntervalHandle;
use leptos::prelude::*;
use report::{Mark, Sentence, Sequence, Tone};

use super::legend::legend;
use super::marks::marks;
use crate::geometry::sequence::{Drawing, draw};

const WIDTH: f64 = 758.0;
const BETWEEN_STEPS: Duration = Duration::from_millis(650);

#[component]
pub(crate) fn SequenceView(sequence: Sequence) -> impl IntoView {
    let drawing = draw(&sequence, WIDTH);
    let origin = sequence.from;
    let instants: Vec<base::Time> = sequence.sentences.iter().map(|sentence| sentence.at).collect();
    let cursor = RwSignal::new(0_usize);
    let selected = RwSignal::new(None::<u32>);
    let places: Vec<f64> = instants.iter().map(|at| drawing.timeline.at(*at)).collect();
    let last = instants.len().saturating_sub(1);
    let x = move || places.get(cursor.get()).copied();
    let line = cursor_line(&drawing, x);
    let label = format!(
        "{}: drawn execution with {} lanes and {} steps; the sentences beside it say the same",
        sequence.title,
        sequence.lanes.len(),
        drawing.works.len()
    );
    view! {
        <div class="run">
            <div class="drawing">
                <div class="scroll" tabindex="0" role="region" aria-label="Drawing of the execution">
                    <svg class="sequence" width=drawing.width height=drawing.height viewBox=format!("0 0 {} {}", drawing.width, drawing.height) role="img" aria-label=label>
                        {marks(&drawing, selected)}
                        {line}
                    </svg>
                </div>
                <Controls cursor=cursor last=last instants=instants.iter().map(|at| at.since(origin).to_string()).collect()/>
                {legend()}
                <Steps sequence=sequence.clone() selected=selected/>
            </div>
            <Sentences sentences=sequence.sentences origin=origin cursor=cursor/>
        </div>
    }
}

fn cursor_line<F: Fn() -> Option<f64> + Send + Sync + 'static>(drawing: &Drawing, x: F) -> impl IntoView + use<F> {
    let (top, height) = (drawing.top, drawing.height);
    move || {
        x().map(|x| {
            view! {
                <g class="cursor">
                    <line x1=x x2=x y1=top y2=height></line>
                    <path d=format!("M{} {}h12l-6 8z", x - 6.0, top - 2.0)></path>
                </g>
            }
        })
    }
}

#[component]
fn Controls(cursor: RwSignal<usize>, last: usize, instants: Vec<String>) -> impl IntoView {
    let playing = StoredValue::new(None::<IntervalHandle>);
    let is_playing = RwSignal::new(false);
    let stop = move || {
        if let Some(handle) = playing.try_update_value(Option::take).flatten() {
            handle.clear();
        }
        is_playing.set(false);
    };
    let advance = move || {
        if cursor.get_untracked() < last {
            cursor.update(|cursor| *cursor += 1);
        } else {
            stop();
        }
    };
    let play = move |_| {
        if is_playing.get_untracked() {
            return stop();
        }
        if cursor.get_untracked() == last {
            cursor.set(0);
        }
        // Without a timer there is no play; stepping still works.
        if let Ok(handle) = set_interval_with_handle(advance, BETWEEN_STEPS) {
            playing.set_value(Some(handle));
            is_playing.set(true);
        }
    };
    on_cleanup(stop);
    let now = move || instants.get(cursor.get()).cloned().unwrap_or_default();
    let text = now.clone();
    let slide = move |event| cursor.set(event_target_value(&event).parse().unwrap_or(0).min(last));
    view! {
        <div class="controls">
            <button type="button" class="button small" on:click=move |_| cursor.update(|cursor| *cursor = cursor.saturating_sub(1))>"◀ Step"</button>
            <button type="button" class="button small primary" on:click=play>{move || if is_playing.get() { "Pause" } else { "Play" }}</button>
            <button type="button" class="button small" on:click=move |_| cursor.update(|cursor| *cursor = last.min(*cursor + 1))>"Step ▶"</button>
            <input type="range" min="0" max=last.to_string() step="1" aria-label="Time cursor" aria-valuetext=text
                prop:value=move || cursor.get().to_string() on:input=slide/>
            <span class="now">{now}</span>
        </div>
    }
}

#[component]
fn Sentences(sentences: Vec<Sentence>, origin: base::Time, cursor: RwSignal<usize>) -> impl IntoView {
    let list = NodeRef::<Ol>::new();
    // The current sentence stays in sight, within the list only.
    Effect::new(move |_| {
        let index = cursor.get() as u32;
        if let Some(list) = list.get() {
            let item = list.children().item(index);
            use leptos::wasm_bindgen::JsCast;
            if let Some(item) = item.and_then(|item| item.dyn_into::<web_sys::HtmlElement>().ok()) {
                let middle = item.offset_top() - list.client_height() / 2 + item.offset_height() / 2;
                list.set_scroll_top(middle);
            }
        }
    });
    let item = move |(index, sentence): (usize, Sentence)| {
        let Sentence { at, text, tone } = sentence;
        let now = move || cursor.get() == index;
        view! {
            <li class:now=now class:bad=tone == Tone::Bad class:good=tone == Tone::Good>
                <button type="button" aria-current=move || now().then_some("step") on:click=move |_| cursor.set(index)>
                    <time>{at.since(origin).to_string()}</time> <span>{text}</span>
                </button>
            </li>
        }
    };
    view! {
        <div class="story">
            <h4>"What happened"</h4>
            <p>"One sentence an event."</p>
            <ol node_ref=list class="sentences">{sentences.into_iter().enumerate().map(item).collect_view()}</ol>
        </div>
    }
}

/// One row per step, with its SQL when selected: what the drawing shows, for the keyboard.
#[component]
fn Steps(sequence: Sequence, selected: RwSignal<Option<u32>>) -> impl IntoView {
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
    view! { <div class="steps"><h4>"Steps, with their SQL"</h4><ol>{steps.into_iter().map(row).collect_view()}</ol></div> }
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
