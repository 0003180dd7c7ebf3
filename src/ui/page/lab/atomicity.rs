//! Every crash of one operation: per design a matrix of steps and actors, each cell a run.

use std::sync::Arc;

use base::Nanos;
use leptos::prelude::*;
use program::Actor;
use report::{AtomicityDesign, AtomicityReport, FaultPoint};

use super::results::chips;
use crate::format::{modelled, plural};
use crate::lab::lab;

#[component]
pub(crate) fn Atomicity(report: Arc<AtomicityReport>) -> impl IntoView {
    let title = format!("Every crash of {}", report.operation);
    let designs = report.designs.iter().map(|found| design(&report, found)).collect_view();
    view! {
        <section class="atomicity" aria-labelledby="atomicity-title">
            <h2 id="atomicity-title">{title}</h2>
            {chips(&report.scenario)}
            <p class="hint">"One run per cell: the fault strikes right after the step's effect, then everything recovers and all is quiet. Broken means: rows violate an invariant then. A window is how long others could see it broken."</p>
            <div class="matrices">{designs}</div>
        </section>
    }
}

fn design(report: &AtomicityReport, design: &AtomicityDesign) -> impl IntoView + use<> {
    let broken = design.broken() as u64;
    let explored = design.points.len() as u64;
    let selected = RwSignal::new(None::<usize>);
    let columns = columns(&design.points);
    let heads = columns
        .iter()
        .map(|actor| view! { <th scope="col">{actor_name(*actor)}</th> })
        .collect_view();
    let row = |step: &String| {
        let cell = |actor: &Option<Actor>| {
            let at = design
                .points
                .iter()
                .position(|point| point.step == *step && point.actor == *actor);
            at.map_or_else(
                || view! { <td></td> }.into_any(),
                |at| cell(at, &design.points[at], selected),
            )
        };
        view! { <tr><th scope="row">{step.clone()}</th>{columns.iter().map(cell).collect_view()}</tr> }
    };
    let rows = steps(&design.points).iter().map(row).collect_view();
    let address = lab().address;
    let watch = |point: &FaultPoint| {
        let fault = point.replay.as_deref()?;
        address.run_of(&report.scenario, &report.operation, &design.architecture, Some(fault))
    };
    let points: Vec<(FaultPoint, Option<String>)> = design
        .points
        .iter()
        .map(|point| (point.clone(), watch(point)))
        .collect();
    let detail = move || {
        let (point, watch) = selected.get().and_then(|index| points.get(index))?;
        Some(detail(point, watch.clone()))
    };
    let verdict = if broken == 0 {
        "none found broken"
    } else {
        "left broken"
    };
    view! {
        <div class="card matrix">
            <h3>{design.title.clone()}</h3>
            <p><b class:bad={broken > 0}>{broken}</b> " of " {plural(explored, "fault point", "fault points")} " " {verdict} " " <span class="tag counted">"counted"</span></p>
            <div class="scroll" tabindex="0" role="region" aria-label="Fault points by step and actor">
                <table class="heat"><thead><tr><th scope="col">"After step"</th>{heads}</tr></thead><tbody>{rows}</tbody></table>
            </div>
            <div class="point" aria-live="polite">{detail}</div>
        </div>
    }
}

fn cell(index: usize, point: &FaultPoint, selected: RwSignal<Option<usize>>) -> AnyView {
    let rows: u64 = point.broken.iter().map(|(_, rows)| rows).sum();
    let (class, text) = match (rows, point.longest_window) {
        (0, Nanos::ZERO) => ("holds", "holds".to_owned()),
        (0, window) => ("window", format!("window {}", modelled(window))),
        (rows, _) => ("broken", plural(rows, "row broken", "rows broken")),
    };
    let now = move || selected.get() == Some(index);
    let toggle = move |_| selected.update(|at| *at = (*at != Some(index)).then_some(index));
    view! {
        <td class=class><button type="button" aria-pressed=move || if now() { "true" } else { "false" } on:click=toggle>{text}</button></td>
    }
    .into_any()
}

fn detail(point: &FaultPoint, watch: Option<String>) -> impl IntoView + use<> {
    let broken = point.broken.iter().map(|(name, rows)| {
        view! { <li class="bad">"“" {name.clone()} "”: " {plural(*rows, "row", "rows")} " at the end"</li> }
    });
    let broken = broken.collect_view();
    let watch = watch.map(|address| view! { <p><a href=address>"Watch it, message by message"</a></p> });
    let window = if point.longest_window == Nanos::ZERO {
        "Nobody could see anything broken meanwhile.".to_owned()
    } else {
        let readers = plural(point.readers, "statement read it", "statements read it");
        format!(
            "Broken meanwhile for up to {}; {readers}.",
            modelled(point.longest_window)
        )
    };
    view! { <p><b>{point.fault.clone()}</b></p><p>"The client heard: " {point.answer.clone()} ". " {window}</p><ul>{broken}</ul> {watch} }
}

fn steps(points: &[FaultPoint]) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for point in points {
        if !steps.contains(&point.step) {
            steps.push(point.step.clone());
        }
    }
    steps
}

fn columns(points: &[FaultPoint]) -> Vec<Option<Actor>> {
    let mut actors: Vec<Option<Actor>> = points.iter().map(|point| point.actor).collect();
    actors.sort_unstable();
    actors.dedup();
    actors
}

fn actor_name(actor: Option<Actor>) -> &'static str {
    match actor {
        None => "step refused",
        Some(Actor::Client) => "client crashes",
        Some(Actor::Orchestrator) => "orchestrator crashes",
        Some(Actor::Service) => "service crashes",
        Some(Actor::Server) => "database server crashes",
        Some(Actor::Relay) => "relay crashes",
        Some(Actor::Bus) => "event bus crashes",
    }
}
