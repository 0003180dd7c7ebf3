//! Latencies of one operation on all designs: percentiles on one axis, and the whole distribution.

use std::sync::Arc;

use base::Nanos;
use leptos::prelude::*;
use report::{DesignReport, Latency, RunReport};

use crate::chart::figure::{DataTable, figure};
use crate::chart::{bars, cdf};
use crate::format::{count, two_figures};
use crate::geometry;
use crate::geometry::bars::Percentiles;

const WIDTH: f64 = 560.0;

#[component]
pub(crate) fn Latencies(report: Arc<RunReport>, operation: RwSignal<String>) -> impl IntoView {
    let charts = move || {
        let name = operation.get();
        let of = |design: &DesignReport| (design.title.clone(), latency(design, &name).cloned());
        let designs: ByDesign = report.designs.iter().map(of).collect();
        view! { {percentiles(&name, &designs, percentile_table(&report, &name))} {distribution(&name, &designs)} }
    };
    view! { <div class="charts">{charts}</div> }
}

fn latency<'a>(design: &'a DesignReport, operation: &str) -> Option<&'a Latency> {
    design
        .operations
        .iter()
        .find(|candidate| candidate.name == operation)?
        .latency
        .as_ref()
}

/// One operation's latencies by design; `None`: no answers.
pub(crate) type ByDesign = Vec<(String, Option<Latency>)>;

/// Percentiles on one axis, `table` behind them.
pub(crate) fn percentiles(operation: &str, designs: &ByDesign, table: DataTable) -> impl IntoView + use<> {
    let row = |(title, latency): &(String, Option<Latency>)| Percentiles {
        title: title.clone(),
        values: latency.as_ref().map(|latency| [latency.p50, latency.p90, latency.p99]),
    };
    let rows: Vec<Percentiles> = designs.iter().map(row).collect();
    let most = rows
        .iter()
        .filter_map(|row| Some(row.values?[2]))
        .max()
        .unwrap_or(Nanos::ZERO);
    let chart = bars::bars(geometry::bars::bars(&rows, most, WIDTH));
    let note =
        "Median dark, 90th percentile lighter, 99th lightest. Answered requests, measured from when each was due.";
    let title = format!("Latency of {operation}");
    figure(title, note.to_owned(), format!("latency-{operation}"), chart, table)
}

fn percentile_table(report: &RunReport, operation: &str) -> DataTable {
    let header = [
        "Design",
        "mean, ms",
        "95 % interval of the mean, ms",
        "p50, ms",
        "p90, ms",
        "p99, ms",
        "max, ms",
        "answered",
        "failed",
        "round trips",
    ];
    let mut table = DataTable::new(&header);
    for design in &report.designs {
        let Some(of) = design.operations.iter().find(|candidate| candidate.name == operation) else {
            continue;
        };
        let mut row = vec![design.title.clone()];
        match &of.latency {
            Some(latency) => {
                row.push(millis(latency.mean_ns));
                row.push(latency.mean_interval_ns.map_or("–".to_owned(), |(low, high)| {
                    format!("{} to {}", millis(low), millis(high))
                }));
                row.extend([latency.p50, latency.p90, latency.p99, latency.max].map(|value| millis(value.0 as f64)));
            }
            None => row.extend(std::iter::repeat_n("–".to_owned(), 6)),
        }
        row.extend([count(of.answered), count(of.failed), format!("{:.1}", of.round_trips)]);
        table.rows.push(row);
    }
    table
}

pub(crate) fn distribution(operation: &str, designs: &ByDesign) -> impl IntoView + use<> {
    let points = |(_, latency): &(String, Option<Latency>)| {
        latency.as_ref().map(|latency| latency.cdf.clone()).unwrap_or_default()
    };
    let lines: Vec<geometry::cdf::Points> = designs.iter().map(points).collect();
    let titles: Vec<String> = designs.iter().map(|(title, _)| title.clone()).collect();
    let chart = cdf::cdf(geometry::cdf::cdf(&lines, WIDTH), &titles);
    let mut table = DataTable::new(&["Design", "latency, ms", "share of requests at most that slow"]);
    for (title, line) in titles.iter().zip(&lines) {
        let row = |(at, share): &(Nanos, f64)| vec![title.clone(), millis(at.0 as f64), format!("{share:.4}")];
        table.rows.extend(line.iter().map(row));
    }
    let note = "How many requests were answered within a time. The time axis is logarithmic: tails are long.";
    let title = format!("All latencies of {operation}");
    figure(
        title,
        note.to_owned(),
        format!("distribution-{operation}"),
        chart,
        table,
    )
}

fn millis(nanos: f64) -> String {
    let value = nanos / 1e6;
    if value < 0.1 {
        format!("{value:.3}")
    } else {
        two_figures(value)
    }
}
