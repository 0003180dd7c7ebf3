//! The marks of a drawn execution as SVG: everything in it but the time cursor.

use leptos::prelude::*;

use crate::geometry::scale::Tick;
use crate::geometry::sequence::{BRACKET, Bracket, Drawing, HALF, Label, Line, Row, RowKind, Sign, Stretch, Work};
use crate::geometry::timeline::Break;

/// A click on a step selects it; the list of steps does the same for the keyboard.
pub(crate) fn marks(drawing: &Drawing, selected: RwSignal<Option<u32>>) -> impl IntoView + use<> {
    let Drawing {
        left,
        right,
        top,
        lanes_end,
        height,
        rows,
        ticks,
        breaks,
        works,
        waits,
        downs,
        messages,
        brackets,
        faults,
        parts,
        bands,
        ..
    } = drawing;
    let bottom = height - 10.0;
    view! {
        {ticks.iter().map(|tick| column(tick, *top, bottom)).collect_view()}
        {rows.iter().map(|row| row_line(row, *left, *right)).collect_view()}
        {downs.iter().map(|stretch| hatched(stretch, "down")).collect_view()}
        {messages.iter().map(message).collect_view()}
        {breaks.iter().map(|gap| break_sign(gap, *top, *lanes_end)).collect_view()}
        {waits.iter().map(|stretch| hatched(stretch, "wait")).collect_view()}
        {works.iter().map(|box_| work(box_, selected)).collect_view()}
        {brackets.iter().map(bracket).collect_view()}
        {faults.iter().map(fault).collect_view()}
        {parts.iter().map(|stretch| hatched(stretch, "part")).collect_view()}
        {bands.iter().map(|stretch| hatched(stretch, "broken")).collect_view()}
    }
}

fn column(tick: &Tick, top: f64, bottom: f64) -> impl IntoView + use<> {
    view! {
        <line class="grid" x1=tick.at x2=tick.at y1=top y2=bottom></line>
        <text class="axis" x=tick.at y=top - 8.0 text-anchor="middle">{tick.label.clone()}</text>
    }
}

fn row_line(row: &Row, left: f64, right: f64) -> impl IntoView + use<> {
    let class = match row.kind {
        RowKind::Process | RowKind::Store => "lane",
        RowKind::Parts | RowKind::Invariant => "lane below",
    };
    view! { <line class=class x1=left x2=right y1=row.y y2=row.y></line> }
}

/// What stands before a row's name: a box for a process, a cylinder for what keeps rows, hatching for what is half done
/// or broken.
pub(crate) fn row_sign(kind: RowKind) -> impl IntoView {
    let sign = match kind {
        RowKind::Process => {
            view! { <rect class="glyph" x="1.5" y="2" width="11" height="11" rx="2.5"></rect> }.into_any()
        }
        RowKind::Store => view! {
            <path class="glyph" d="M2 3.6a5 2.1 0 0 1 10 0V11.400a5 2.1 0 0 1 -10 0zM2 3.600a5 2.1 0 0 0 10 0"></path>
        }
        .into_any(),
        RowKind::Parts => view! { <rect class="part" x="1" y="3" width="12" height="9" rx="2"></rect> }.into_any(),
        RowKind::Invariant => {
            view! { <rect class="broken" x="1" y="3" width="12" height="9" rx="2"></rect> }.into_any()
        }
    };
    view! { <svg width="14" height="15" viewBox="0 0 14 15" aria-hidden="true">{sign}</svg> }
}

/// Idle time that is left out, and how much of it: the lanes are torn here.
fn break_sign(gap: &Break, top: f64, bottom: f64) -> impl IntoView + use<> {
    let middle = (gap.from + gap.to) / 2.0;
    let tear = |x: f64| {
        let teeth = ((bottom - top) / 16.0).max(1.0) as usize;
        let zigzag: String = (0..teeth).map(|_| "l5 4l-10 8l5 4").collect();
        format!("M{x} {top}{zigzag}")
    };
    view! {
        <rect class="gap" x=middle - 5.0 y=top width="10" height=bottom - top></rect>
        <path class="break" d=tear(middle - 5.0)></path>
        <path class="break" d=tear(middle + 5.0)></path>
        <text class="axis left-out" x=middle y=top - 8.0 text-anchor="middle">{gap.label.clone()}</text>
    }
}

fn work(work: &Work, selected: RwSignal<Option<u32>>) -> impl IntoView + use<> {
    let step = work.step;
    let is_selected = move || selected.get() == Some(step);
    let toggle = move |_| selected.update(|now| *now = (*now != Some(step)).then_some(step));
    let middle = work.x + work.width / 2.0;
    let (class, sign) = match work.sign {
        Sign::None => ("work", None),
        Sign::Pivot => {
            let d = format!("M{} {}l7 -7 7 7 -7 7z", middle - 7.0, work.y);
            ("work", Some(view! { <path class="pivot" d=d></path> }))
        }
        Sign::Compensation => {
            let d = format!("M{} {}h-14m5 -4l-5 4 5 4", work.x + work.width / 2.0 + 7.0, work.y);
            ("work undone", Some(view! { <path class="undo" d=d></path> }))
        }
    };
    let label = work.label.clone().map(|Label { x, y, text }| {
        let leads = work.y - y > 2.0 * HALF;
        let leader =
            leads.then(|| view! { <line class="leader" x1=x + 1.0 x2=x + 1.0 y1=y + 3.0 y2=work.y - HALF></line> });
        view! { {leader} <text class="step" x=x y=y>{text}</text> }
    });
    view! {
        <g class="work-group" class:selected=is_selected on:click=toggle>
            <rect class=class x=work.x y=work.y - HALF width=work.width height=HALF * 2.0 rx="2.5"><title>{work.title.clone()}</title></rect>
            {sign}
            {label}
        </g>
    }
}

fn hatched(stretch: &Stretch, class: &'static str) -> impl IntoView + use<> {
    let label = stretch.label.clone().map(|Label { x, y, text }| {
        // What lies below the lanes is read from where it begins.
        let anchor = if matches!(class, "part" | "broken") {
            "start"
        } else {
            "middle"
        };
        view! { <text class=format!("{class}-label") x=x y=y text-anchor=anchor>{text}</text> }
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
    view! { <path class=class d=format!("M{} {y}v{h}H{}v-{h}", from - 2.0, to + 2.0, h = BRACKET.1)></path> {end} }
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
