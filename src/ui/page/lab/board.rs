//! The board: designs as columns, questions as rows, each number with where it comes from.

use std::sync::Arc;

use base::Nanos;
use leptos::prelude::*;
use report::{DesignReport, InvariantReport, OperationReport, RunReport};

use crate::format::{count, modelled, plural, split};

#[component]
pub(crate) fn Board(report: Arc<RunReport>) -> impl IntoView {
    let columns = report.designs.len() as u32 + 1;
    let most = slowest(&report);
    let designs = || report.designs.iter();
    let heads = designs().map(|design| head(design, &report)).collect_view();
    let invariants = names(&report, |design| {
        design
            .invariants
            .iter()
            .map(|invariant| invariant.name.as_str())
            .collect()
    });
    let operations = names(&report, |design| {
        design
            .operations
            .iter()
            .map(|operation| operation.name.as_str())
            .collect()
    });
    let invariant_row = |name: String| {
        let find = |design: &DesignReport| {
            design
                .invariants
                .iter()
                .find(|invariant| invariant.name == name)
                .map(invariant_cell)
        };
        let cells = designs()
            .map(|design| find(design).unwrap_or_else(no_cell))
            .collect_view();
        view! { <tr><th scope="row">{name.clone()}</th>{cells}</tr> }
    };
    let operation_row = |name: String| {
        let find = |design: &DesignReport| {
            design
                .operations
                .iter()
                .find(|operation| operation.name == name)
                .map(|operation| latency_cell(operation, most))
        };
        let cells = designs()
            .map(|design| find(design).unwrap_or_else(no_cell))
            .collect_view();
        view! { <tr><th scope="row"><code>{name.clone()}</code><small>"p99 of answered requests"</small></th>{cells}</tr> }
    };
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Comparison of the designs">
            <table class="board">
                <thead><tr><td></td>{heads}</tr></thead>
                <tbody>
                    {group("What is left broken, and what could be seen meanwhile?", columns)}
                    {invariants.into_iter().map(invariant_row).collect_view()}
                    {group(&format!("How long? (axes locked, 0 to {})", modelled(most)), columns)}
                    {operations.into_iter().map(operation_row).collect_view()}
                    {group("What did the clients hear?", columns)}
                    <tr><th scope="row">"Answers"<small>"of the whole run"</small></th>{designs().map(answer_cell).collect_view()}</tr>
                    {group("Can it be repeated?", columns)}
                    <tr><th scope="row">"Trace"<small>"equal inputs give an equal fingerprint, here and on the command line"</small></th>{designs().map(trace_cell).collect_view()}</tr>
                </tbody>
            </table>
        </div>
    }
}

fn group(title: &str, columns: u32) -> impl IntoView + use<> {
    view! { <tr class="group"><th scope="colgroup" colspan=columns.to_string()>{title.to_owned()}</th></tr> }
}

/// Names that any design has, in order of appearance.
fn names(report: &RunReport, of: impl Fn(&DesignReport) -> Vec<&str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for design in &report.designs {
        for name in of(design) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// The end of the locked axis.
fn slowest(report: &RunReport) -> Nanos {
    let operations = report.designs.iter().flat_map(|design| &design.operations);
    operations
        .filter_map(|operation| operation.latency.as_ref())
        .map(|latency| latency.p99)
        .max()
        .unwrap_or(Nanos::ZERO)
}

fn head(design: &DesignReport, report: &RunReport) -> impl IntoView + use<> {
    let differing: Vec<String> = report
        .same_rows
        .iter()
        .filter(|table| !table.equal)
        .map(|table| table.table.clone())
        .collect();
    let same = match (report.same_rows.is_empty(), differing.is_empty()) {
        (true, _) => None,
        (false, true) => Some(view! { <small>"same rows ✓"</small> }.into_any()),
        (false, false) => {
            Some(view! { <small class="bad">"rows differ in " {differing.join(", ")}</small> }.into_any())
        }
    };
    let refusals = design.refusals.len() as u64;
    let refusals = (refusals > 0).then(|| {
        view! { <small class="bad">{plural(refusals, "statement cannot be expressed", "statements cannot be expressed")}</small> }
    });
    let servers = design.nodes.iter().filter(|node| node.statements > 0).count() as u64;
    view! {
        <th scope="col">
            {glyph(servers)}
            <b>{design.title.clone()}</b> {same} {refusals}
            {design.spared.iter().map(|why| view! { <small>{why.clone()}</small> }).collect_view()}
        </th>
    }
}

/// A box is a server (a failure domain), the cylinder in it a database.
fn glyph(servers: u64) -> impl IntoView {
    let shown = servers.clamp(1, 5);
    let one = |index: u64| {
        let x = index as f64 * 34.0 + 1.0;
        view! {
            <rect x=x y="1" width="30" height="40" rx="3"></rect>
            <path d=format!("M{} 14a9 3.4 0 0 1 18 0V30a9 3.4 0 0 1 -18 0zM{} 14a9 3.4 0 0 0 18 0", x + 6.0, x + 6.0)></path>
        }
    };
    let width = shown * 34;
    view! {
        <svg class="glyph" width=width.to_string() height="42" viewBox=format!("0 0 {width} 42") role="img" aria-label=plural(servers, "database server", "database servers")>
            {(0..shown).map(one).collect_view()}
        </svg>
    }
}

fn no_cell() -> AnyView {
    view! { <td><div class="value">"–"</div><div class="detail">"cannot be expressed"</div></td> }.into_any()
}

fn invariant_cell(invariant: &InvariantReport) -> AnyView {
    if let Some(error) = &invariant.error {
        return view! { <td><div class="value">"–"</div><div class="detail bad">"could not be evaluated: " {error.clone()}</div></td> }.into_any();
    }
    let broken = invariant.broken_rows;
    let windows = &invariant.windows;
    let readers: u64 = windows.iter().map(|window| window.readers).sum();
    let longest = windows
        .iter()
        .filter_map(|window| Some(window.to?.since(window.from)))
        .max();
    let seen = match (windows.len() as u64, longest) {
        (0, _) if !invariant.watched => "looked at when all was quiet".to_owned(),
        (0, _) => "never seen broken".to_owned(),
        (number, Some(longest)) => format!(
            "broken meanwhile {}, up to {}; {}",
            plural(number, "time", "times"),
            modelled(longest),
            plural(readers, "reader", "readers")
        ),
        (number, None) => format!(
            "broken meanwhile {}, to the end; {}",
            plural(number, "time", "times"),
            plural(readers, "reader", "readers")
        ),
    };
    let unit = if broken == 1 {
        "row broken at the end"
    } else {
        "rows broken at the end"
    };
    view! {
        <td class:bad-cell={broken > 0}>
            <div class="value" class:bad={broken > 0}>{count(broken)} <small>{unit}</small></div>
            <div class="detail">{seen}</div>
            <span class="tag counted">"counted"</span>
        </td>
    }
    .into_any()
}

fn latency_cell(operation: &OperationReport, most: Nanos) -> AnyView {
    let trips = format!("{:.1} round trips", operation.round_trips);
    let Some(latency) = &operation.latency else {
        return view! { <td><div class="value">"–"</div><div class="detail">"no answers; " {trips}</div></td> }
            .into_any();
    };
    let (number, unit) = split(latency.p99);
    let share = |value: Nanos| value.0 as f64 / most.0.max(1) as f64 * 100.0;
    let (p50, p99) = (share(latency.p50), share(latency.p99));
    view! {
        <td>
            <div class="value">{number} <small>{unit}</small></div>
            <svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                <rect class="track" width="100" height="8"></rect>
                <rect class="p99" width=p99 height="8"></rect>
                <rect class="p50" width=p50 height="8"></rect>
            </svg>
            <div class="detail">"median " {modelled(latency.p50)} "; " {trips}</div>
            <span class="tag modelled">"modelled"</span>
        </td>
    }
    .into_any()
}

fn answer_cell(design: &DesignReport) -> impl IntoView + use<> {
    let bad = design.failed + design.unanswered > 0;
    view! {
        <td>
            <div class="value">{count(design.answered)} <small>"answered"</small></div>
            <div class="detail" class:bad=bad>{count(design.failed)} " failed, " {count(design.unanswered)} " never answered"</div>
            <span class="tag counted">"counted"</span>
        </td>
    }
}

fn trace_cell(design: &DesignReport) -> impl IntoView + use<> {
    view! {
        <td>
            <code class="fingerprint" data-design=design.architecture.clone()>{design.trace.fingerprint.to_string()}</code>
            <div class="detail">{plural(design.trace.events, "event", "events")} ", " {modelled(design.duration)} " of virtual time"</div>
            <span class="tag counted">"counted"</span>
        </td>
    }
}
