//! Percentile bars: the median dark, the 90th percentile lighter, the 99th lightest.

use leptos::prelude::*;

use crate::geometry::bars::{Bars, Row};

pub(crate) fn bars(chart: Bars) -> AnyView {
    let Bars {
        width,
        height,
        ticks,
        rows,
    } = chart;
    let titles = rows.iter().map(|row| row.title.clone()).collect::<Vec<_>>().join(", ");
    let tick = |tick: crate::geometry::scale::Tick| {
        view! {
            <line class="grid" x1=tick.at x2=tick.at y1="18" y2=height></line>
            <text class="axis" x=tick.at y="12" text-anchor=if tick.at < 1.0 { "start" } else { "middle" }>{tick.label}</text>
        }
    };
    view! {
        <svg class="plot" viewBox=format!("0 0 {width} {height}") role="img" aria-label=format!("Percentiles of {titles}; the table below has the figures")>
            {ticks.into_iter().map(tick).collect_view()}
            {rows.into_iter().map(row).collect_view()}
        </svg>
    }
    .into_any()
}

fn row(row: Row) -> impl IntoView {
    let Row {
        title,
        title_y,
        y,
        height,
        ends,
    } = row;
    let boxes = ends.map(|[p50, p90, p99]| {
        view! {
            <rect class="p99" x="0" y=y width=p99.max(1.0) height=height rx="2"></rect>
            <rect class="p90" x="0" y=y width=p90.max(1.0) height=height rx="2"></rect>
            <rect class="p50" x="0" y=y width=p50.max(1.0) height=height rx="2"></rect>
        }
    });
    let note = if ends.is_none() {
        format!("{title}: no answers")
    } else {
        title
    };
    view! { <text class="label" x="0" y=title_y>{note}</text> {boxes} }
}
