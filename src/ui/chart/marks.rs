//! The marks of a drawn execution as SVG: everything in it but the time cursor.

use leptos::prelude::*;

use crate::geometry::scale::Tick;
use crate::geometry::sequence::{Bracket, Drawing, HALF, Label, LaneLine, Line, Stretch, Work};
use crate::geometry::timeline::Break;

/// A click on a step selects it; the list of steps does the same for the keyboard.
pub(crate) fn marks(drawing: &Drawing, selected: RwSignal<Option<u32>>) -> impl IntoView + use<> {
    let Drawing {
        width,
        left,
        top,
        lanes,
        ticks,
        breaks,
        works,
        waits,
        downs,
        messages,
        brackets,
        faults,
        bands,
        ..
    } = drawing;
    let (right, bottom) = (width - 30.0, drawing.height);
    let lane_bottom = lanes.last().map_or(*top, |lane| lane.y + 28.0);
    view! {
        {ticks.iter().map(|tick| column(tick, *top, bottom)).collect_view()}
        {lanes.iter().map(|lane| lane_line(lane, *left, right)).collect_view()}
        {breaks.iter().map(|gap| break_sign(gap, *top, lane_bottom)).collect_view()}
        {downs.iter().map(|stretch| hatched(stretch, "down")).collect_view()}
        {messages.iter().map(message).collect_view()}
        {waits.iter().map(|stretch| hatched(stretch, "wait")).collect_view()}
        {works.iter().map(|box_| work(box_, selected)).collect_view()}
        {brackets.iter().map(bracket).collect_view()}
        {faults.iter().map(fault).collect_view()}
        {bands.iter().map(|stretch| hatched(stretch, "broken")).collect_view()}
    }
}

fn column(tick: &Tick, top: f64, bottom: f64) -> impl IntoView + use<> {
    view! {
        <line class="grid" x1=tick.at x2=tick.at y1=top y2=bottom></line>
        <text class="axis" x=tick.at y=top - 8.0 text-anchor="middle">{tick.label.clone()}</text>
    }
}

fn lane_line(lane: &LaneLine, left: f64, right: f64) -> impl IntoView + use<> {
    let sign = if lane.server {
        // A cylinder: a database.
        view! { <path class="glyph" d=cylinder(9.0, lane.y)></path> }.into_any()
    } else {
        view! { <rect class="glyph" x="4" y=lane.y - 5.0 width="10" height="10" rx="2"></rect> }.into_any()
    };
    view! {
        {sign}
        <text class="lane" x="22" y=lane.y + 4.0>{lane.name.clone()}</text>
        <line class="lane" x1=left x2=right y1=lane.y y2=lane.y></line>
    }
}

fn cylinder(x: f64, y: f64) -> String {
    let (left, right, top, bottom) = (x - 5.0, x + 5.0, y - 4.5, y + 4.5);
    format!("M{left} {top}a5 2 0 0 1 10 0V{bottom}a5 2 0 0 1 -10 0zM{left} {top}a5 2 0 0 0 10 0H{right}")
}

/// Idle time that is left out, and how much of it.
fn break_sign(gap: &Break, top: f64, bottom: f64) -> impl IntoView + use<> {
    let middle = (gap.from + gap.to) / 2.0;
    view! {
        <rect class="gap" x=gap.from + 4.0 y=top width=gap.to - gap.from - 8.0 height=bottom - top></rect>
        <path class="break" d=format!("M{} {}l6 0 4 -6 6 12 4 -6 6 0", middle - 13.0, top + 6.0)></path>
        <text class="axis" x=middle y=top - 8.0 text-anchor="middle">{gap.label.clone()}</text>
    }
}

fn work(work: &Work, selected: RwSignal<Option<u32>>) -> impl IntoView + use<> {
    let step = work.step;
    let is_selected = move || selected.get() == Some(step);
    let toggle = move |_| selected.update(|now| *now = (*now != Some(step)).then_some(step));
    let pivot = work.pivot.then(|| {
        let left = work.x + work.width / 2.0 - 7.0;
        view! { <path class="pivot" d=format!("M{left} {}l7 -7 7 7 -7 7z", work.y)></path> }
    });
    let label = work.label.clone().map(|label| {
        view! { <text class="step" x=work.x y=work.y - 13.0>{label}</text> }
    });
    view! {
        <g class="work-group" class:selected=is_selected on:click=toggle>
            <rect class="work" x=work.x y=work.y - HALF width=work.width height=HALF * 2.0 rx="2.5"><title>{work.title.clone()}</title></rect>
            {pivot}
            {label}
        </g>
    }
}

fn hatched(stretch: &Stretch, class: &'static str) -> impl IntoView + use<> {
    let label = stretch.label.clone().map(|Label { x, y, text }| {
        view! { <text class=format!("{class}-label") x=x y=y text-anchor="middle">{text}</text> }
    });
    view! {
        <rect class=class x=stretch.x y=stretch.y - 6.0 width=stretch.width height="12" rx="2"><title>{stretch.title.clone()}</title></rect>
        {label}
    }
}

fn message(line: &Line) -> impl IntoView + use<> {
    let class = if line.lost {
        "message lost"
    } else if line.reply {
        "message reply"
    } else {
        "message"
    };
    let ((x1, y1), (x2, y2)) = (line.from, line.to);
    let sign = line
        .lost
        .then(|| view! { <path class="fault" d=cross(x2, y2, 5.0)></path> });
    view! { <line class=class x1=x1 y1=y1 x2=x2 y2=y2></line> {sign} }
}

fn bracket(bracket: &Bracket) -> impl IntoView + use<> {
    let Bracket {
        from,
        to,
        y,
        lane,
        committed,
    } = *bracket;
    let class = if committed { "bracket" } else { "bracket rolled-back" };
    let end = if committed {
        view! { <circle class="commit" cx=to cy=lane r="4.2"></circle> }.into_any()
    } else {
        view! { <path class="bracket" d=cross(to, lane, 4.0)></path> }.into_any()
    };
    view! { <path class=class d=format!("M{} {y}v6H{}v-6", from - 2.0, to + 2.0)></path> {end} }
}

fn fault(label: &Label) -> impl IntoView + use<> {
    view! {
        <path class="fault" d=cross(label.x, label.y, 7.0)></path>
        <text class="fault-label" x=label.x + 12.0 y=label.y - 11.0>{label.text.clone()}</text>
    }
}

fn cross(x: f64, y: f64, half: f64) -> String {
    format!(
        "M{} {}l{d} {d}M{} {}l-{d} {d}",
        x - half,
        y - half,
        x + half,
        y - half,
        d = half * 2.0
    )
}
