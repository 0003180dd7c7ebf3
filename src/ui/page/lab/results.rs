//! What the last run found: the board first, then everything behind it.

use std::sync::Arc;

use leptos::prelude::*;
use report::{RunReport, ScenarioSummary};

use super::atomicity::Atomicity;
use super::board::Board;
use super::evidence::Evidence;
use super::latency::Latencies;
use super::programs::Programs;
use crate::format::count;
use crate::lab::{lab, opened};
use crate::page::limits::{Limited, Limits};

#[component]
pub(crate) fn Results() -> impl IntoView {
    let lab = lab();
    let run = move || opened(lab.findings.run.get()).map(|report| view! { <RunResults report=report/> });
    let atomicity = move || opened(lab.findings.atomicity.get()).map(|report| view! { <Atomicity report=report/> });
    let nothing = move || lab.findings.run.with(Option::is_none) && lab.findings.atomicity.with(Option::is_none);
    view! {

        <Show when=nothing>
            <section class="empty">
                <p><b>"Nothing has run yet."</b> " Run shows what the load and the fault did on each design. Try every crash breaks one operation at each of its physical steps, actor by actor."</p>
            </section>
        </Show>
        {atomicity}
        {run}
    }
}

#[component]
fn RunResults(report: Arc<RunReport>) -> impl IntoView {
    let names: Vec<String> = operations(&report);
    let first = first_operation(&report, &names);
    let operation = RwSignal::new(first);
    let of = |design: &report::DesignReport| Limited {
        title: design.title.clone(),
        weakened: design.weakened.clone(),
        refusals: design.refusals.clone(),
    };
    let limited: Vec<Limited> = report.designs.iter().map(of).collect();
    let option = move |name: String| {
        let value = name.clone();
        view! { <option value=name.clone() selected=move || operation.with(|now| *now == value)>{name.clone()}</option> }
    };
    view! {
        <section class="results" aria-labelledby="results-title">
            <h2 id="results-title">"What happened"</h2>
            {chips(&report.scenario)}
            <Board report=report.clone()/>
            <Evidence report=report.clone()/>
            <div class="pick">
                <h2>"Operation by operation"</h2>
                <label class="field"><span>"Operation"</span>
                    <select on:change=move |event| operation.set(event_target_value(&event))>{names.into_iter().map(option).collect_view()}</select>
                </label>
            </div>
            <Latencies report=report.clone() operation=operation/>
            <Programs report=report.clone() operation=operation/>
            <Limits designs=limited assumptions=report.scenario.assumptions.clone()/>
        </section>
    }
}

/// In the order of the first design; others may lack some.
fn operations(report: &RunReport) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for operation in report.designs.iter().flat_map(|design| &design.operations) {
        if !names.contains(&operation.name) {
            names.push(operation.name.clone());
        }
    }
    names
}

/// The one whose drawing shows most: a fault or a broken invariant.
fn first_operation(report: &RunReport, names: &[String]) -> String {
    let shows = |sequence: &&report::Sequence| {
        sequence
            .marks
            .iter()
            .any(|mark| matches!(mark, report::Mark::Fault { .. } | report::Mark::Broken { .. }))
    };
    let sequences = || report.designs.iter().flat_map(|design| &design.sequences);
    let found = sequences().find(shows).map(|sequence| sequence.operation.clone());
    found
        .filter(|name| names.contains(name))
        .or_else(|| names.first().cloned())
        .unwrap_or_default()
}

/// The run's assumptions, in a row.
pub(crate) fn chips(scenario: &ScenarioSummary) -> impl IntoView + use<> {
    let chip = |name: &'static str, value: String| view! { <li class="chip">{name} " " <b>{value}</b></li> };
    let fault = scenario.fault.clone().unwrap_or_else(|| "none".to_owned());
    view! {
        <ul class="chips" aria-label="This run">
            {chip("Scenario", scenario.title.clone())}
            {(scenario.tenants > 0).then(|| chip("Tenants", count(scenario.tenants.into())))}
            {chip("Rows at the start", count(scenario.initial_rows))}
            {chip("Requests", count(scenario.requests))}
            {chip("Clients", scenario.clients.clone())}
            {chip("Fault", fault)}
            {chip("Profile", scenario.profile.clone())}
            {chip("Seed", scenario.seed.to_string())}
        </ul>
    }
}
