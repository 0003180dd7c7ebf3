//! One execution drawn, with the time cursor in it: lanes' names stay where they are, the drawing scrolls after the
//! cursor.

use leptos::ev;
use leptos::html::{Div, Ul};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use report::Sequence;
use web_sys::PointerEvent;

use super::playback::Playback;
use crate::chart::marks::{marks, row_sign};
use crate::geometry::sequence::{Drawing, Row, RowKind, draw};

/// So close to the edge of what is in sight the cursor does not come.
const MARGIN: f64 = 48.0;

#[component]
pub(crate) fn Picture(
    playback: Playback,
    index: usize,
    sequence: Sequence,
    selected: RwSignal<Option<u32>>,
) -> impl IntoView {
    let label = format!(
        "{}: drawn execution with {} lanes; the sentences beside it say the same",
        sequence.title,
        sequence.lanes.len()
    );
    let places: Vec<(base::Time, Option<u16>)> = sequence
        .sentences
        .iter()
        .map(|sentence| (sentence.at, sentence.lane))
        .collect();
    let drawing = Memo::new(move |_| {
        playback
            .axis
            .with(|(timeline, width)| draw(&sequence, timeline, *width))
    });
    let (frame, names) = (NodeRef::<Div>::new(), NodeRef::<Ul>::new());
    measure(playback, frame, names);
    follow(playback, frame, names);
    let size = move || drawing.with(|drawing| (drawing.width, drawing.height));
    let drawn = move || drawing.with(|drawing| marks(drawing, selected).into_any());
    view! {
        <div class="scroll stage" node_ref=frame tabindex="0" role="group" aria-label="Drawing; arrow keys step through it">
            <ul class="lane-names" node_ref=names style:height=move || format!("{}px", size().1)>
                {move || drawing.with(|drawing| drawing.rows.iter().map(name).collect_view())}
            </ul>
            <svg class="sequence" width=move || size().0 height=move || size().1 viewBox=move || format!("0 0 {} {}", size().0, size().1)
                role="img" aria-label=label
                on:pointerdown=move |event| point(playback, &event, true)
                on:pointermove=move |event| point(playback, &event, false)>
                {drawn}
                {move || cursor(playback, drawing)}
                {move || event_mark(playback, index, drawing, &places)}
            </svg>
        </div>
    }
}

fn name(row: &Row) -> impl IntoView + use<> {
    let class = match row.kind {
        RowKind::Process | RowKind::Store => "lane-name",
        RowKind::Parts => "lane-name below",
        RowKind::Invariant => "lane-name below bad",
    };
    view! {
        <li class=class style:top=format!("{}px", row.y) title=row.name.clone()>{row_sign(row.kind)} <span>{row.name.clone()}</span></li>
    }
}

fn cursor(playback: Playback, drawing: Memo<Drawing>) -> impl IntoView {
    let at = playback.cursor.get().at;
    drawing.with(|drawing| {
        let x = drawing.timeline.at(at);
        view! {
            <g class="cursor">
                <line x1=x x2=x y1=drawing.top y2=drawing.height - 6.0></line>
                <path d=format!("M{} {}h14l-7 9z", x - 7.0, drawing.top - 8.0)></path>
            </g>
        }
    })
}

/// A ring where the event happens whose sentence is marked in the list.
fn event_mark(
    playback: Playback,
    index: usize,
    drawing: Memo<Drawing>,
    places: &[(base::Time, Option<u16>)],
) -> Option<impl IntoView + use<>> {
    let sentence = playback.current(index)?;
    let (at, lane) = *places.get(sentence)?;
    drawing.with(|drawing| {
        let x = drawing.timeline.at(at);
        let row = lane.and_then(|lane| drawing.rows.get(usize::from(lane)));
        // What happens nowhere in particular is marked on the axis.
        let y = row.map_or(drawing.top, |row| row.y);
        Some(view! { <circle class="event" data-sentence=sentence.to_string() cx=x cy=y r="12"></circle> })
    })
}

/// A click or a drag puts the cursor there. A finger's drag scrolls instead.
fn point(playback: Playback, event: &PointerEvent, pressed: bool) {
    let drags = event.pointer_type() != "touch" && event.buttons() & 1 == 1;
    if !(pressed && event.button() == 0 || drags) {
        return;
    }
    let Some(svg) = event
        .current_target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
    else {
        return;
    };
    if !pressed {
        // From now on the drag is the drawing's, wherever it goes. A pointer that is gone cannot be held.
        let _ = svg.set_pointer_capture(event.pointer_id());
    }
    playback.to_place(f64::from(event.client_x()) - svg.get_bounding_client_rect().left());
}

/// Keeps the axis as wide as there is place for it.
fn measure(playback: Playback, frame: NodeRef<Div>, names: NodeRef<Ul>) {
    let look = move || {
        let (Some(frame), Some(names)) = (frame.get_untracked(), names.get_untracked()) else {
            return;
        };
        let width = f64::from(frame.client_width() - names.offset_width());
        // Nothing is measured while it is not shown.
        if width > 0.0 && (width - playback.width.get_untracked()).abs() > 0.5 {
            playback.width.set(width);
        }
    };
    Effect::new(move |_| {
        if frame.get().is_some() && names.get().is_some() {
            request_animation_frame(look);
        }
    });
    let listener = window_event_listener(ev::resize, move |_| look());
    on_cleanup(move || listener.remove());
}

/// Scrolls after the cursor when it leaves what is in sight.
fn follow(playback: Playback, frame: NodeRef<Div>, names: NodeRef<Ul>) {
    Effect::new(move |_| {
        let at = playback.cursor.get().at;
        let x = playback.axis.with(|(timeline, _)| timeline.at(at));
        let (Some(frame), Some(names)) = (frame.get(), names.get()) else {
            return;
        };
        let sight = f64::from(frame.client_width() - names.offset_width());
        let left = f64::from(frame.scroll_left());
        let (nearest, farthest) = (left + MARGIN.min(sight / 4.0), left + sight - MARGIN.min(sight / 4.0));
        if x < nearest || x > farthest {
            frame.set_scroll_left((x - sight / 3.0) as i32);
        }
    });
}
