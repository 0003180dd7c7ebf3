//! What one design makes of one operation: a sampled execution, drawn, and the program as text.

use std::sync::Arc;

use leptos::prelude::*;
use report::{DesignReport, ProgramLine, ProgramListing, RunReport};

use crate::lab::lab;
use crate::page::part::{self, fetched};
use crate::player::{Execution, PlayerProps};

#[component]
pub(crate) fn Programs(report: Arc<RunReport>, operation: RwSignal<String>) -> impl IntoView {
    let chosen = RwSignal::new(first_design(&report, &operation.get_untracked()));
    let tab = |(index, design): (usize, &DesignReport)| {
        let now = move || chosen.get() == index;
        view! {
            <button type="button" class="tab" aria-pressed=move || if now() { "true" } else { "false" } on:click=move |_| chosen.set(index)>
                {design.title.clone()}
            </button>
        }
    };
    let tabs = report.designs.iter().enumerate().map(tab).collect_view();
    let shown = move || {
        let name = operation.get();
        let design = report.designs.get(chosen.get())?;
        let sequence = design
            .sequences
            .iter()
            .find(|sequence| sequence.operation == name)
            .cloned();
        let drawn = match sequence {
            Some(sequence) => {
                let execution = Execution {
                    title: design.title.clone(),
                    sequence,
                    strikes: Vec::new(),
                    departs: None,
                };
                view! {
                    <h3>{execution.sequence.title.clone()}</h3>
                    <p>"Each bracket is a transaction. Between two brackets others can see half of it."</p>
                    {watch(&report, design, &name)}
                    {fetched(part::player, move || PlayerProps::of(execution.clone()))}
                }
                .into_any()
            }
            None => view! { <p>"No execution of this operation was sampled on this design."</p> }.into_any(),
        };
        Some(view! { <div class="card">{drawn} {listings(design, &name)}</div> })
    };
    view! {
        <div class="programs">
            <div class="tabs" role="group" aria-label="Design to look at">{tabs}</div>
            {shown}
        </div>
    }
}

/// The page where it can be broken.
fn watch(report: &RunReport, design: &DesignReport, operation: &str) -> Option<impl IntoView + use<>> {
    // Several faults are those of the scenario itself: no link needs to name them.
    let fault = report.scenario.fault.as_deref().or(Some("none"));
    let fault = fault.filter(|fault| !fault.contains(';'));
    let address = lab()
        .address
        .run_of(&report.scenario, operation, &design.architecture, fault)?;
    Some(view! { <p><a href=address>"Break it step by step"</a></p> })
}

/// The one whose drawing shows a fault or something broken, if any does.
fn first_design(report: &RunReport, operation: &str) -> usize {
    let shows = |design: &DesignReport| {
        let sequences = design
            .sequences
            .iter()
            .filter(|sequence| sequence.operation == operation);
        sequences
            .flat_map(|sequence| &sequence.marks)
            .any(|mark| matches!(mark, report::Mark::Broken { .. }))
    };
    report.designs.iter().position(shows).unwrap_or(0)
}

/// The operation's own programs, and those that belong to none (relays, recovery).
fn listings(design: &DesignReport, operation: &str) -> impl IntoView + use<> {
    let belongs = |listing: &&ProgramListing| listing.operation.as_deref().is_none_or(|of| of == operation);
    let list = design.programs.iter().filter(belongs).map(listing).collect_view();
    view! { <details class="listings"><summary>"The whole program, as text"</summary>{list}</details> }
}

fn listing(listing: &ProgramListing) -> impl IntoView + use<> {
    let line = |line: &ProgramLine| {
        let ProgramLine {
            indent, label, sql, at, ..
        } = line;
        let place = at.as_ref().map(|at| view! { <small>" at " {at.clone()}</small> });
        let sql = sql.as_ref().map(|sql| view! { <code>{sql.clone()}</code> });
        view! { <li class=format!("indent-{}", (*indent).min(6))><span>{label.clone()}</span>{place} {sql}</li> }
    };
    view! {
        <h4><code>{listing.name.clone()}</code> " " <small>"runs on " {listing.home.clone()}</small></h4>
        <ol class="listing">{listing.lines.iter().map(line).collect_view()}</ol>
    }
}
