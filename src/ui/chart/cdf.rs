//! The step chart of a cumulative distribution: one line per design, told apart by colour and dashes.

use leptos::prelude::*;

use crate::geometry::cdf::Cdf;
use crate::geometry::scale::Tick;

pub(crate) fn cdf(chart: Cdf, titles: &[String]) -> AnyView {
    let Cdf {
        width,
        height,
        left,
        bottom,
        x,
        y,
        paths,
    } = chart;
    let right = width - 24.0;
    let column = |tick: Tick| {
        view! {
            <line class="grid" x1=tick.at x2=tick.at y1="10" y2=bottom></line>
            <text class="axis" x=tick.at y=bottom + 18.0 text-anchor="middle">{tick.label}</text>
        }
    };
    let row = |tick: Tick| {
        view! {
            <line class="grid" x1=left x2=right y1=tick.at y2=tick.at></line>
            <text class="axis" x=left - 8.0 y=tick.at + 4.0 text-anchor="end">{tick.label}</text>
        }
    };
    let line = |(index, path): (usize, String)| view! { <path class=series(index) d=path></path> };
    let key = |(index, title): (usize, &String)| {
        view! {
            <li>
                <svg width="28" height="10" viewBox="0 0 28 10" aria-hidden="true"><path class=series(index) d="M0 5H28"></path></svg>
                {title.clone()}
            </li>
        }
    };
    view! {
        <svg class="plot" viewBox=format!("0 0 {width} {height}") role="img" aria-label=format!("Share of requests by latency: {}; the table below has the figures", titles.join(", "))>
            {x.into_iter().map(column).collect_view()}
            {y.into_iter().map(row).collect_view()}
            {paths.into_iter().enumerate().map(line).collect_view()}
        </svg>
        <ul class="keys">{titles.iter().enumerate().map(key).collect_view()}</ul>
    }
    .into_any()
}

fn series(index: usize) -> String {
    format!("series s{}", index % 6)
}
