//! The form: scenario, designs, fault, seed, requests; run, progress, cancel.

use leptos::prelude::*;
use protocol::ArchitectureOutline;

use crate::format::plural;
use crate::lab::lab;
use crate::page::asking::{CopyLink, FormErrors, Status, TextField};
use crate::page::editor::Editor;
use crate::page::fault_fields::FaultFields;

#[component]
pub(crate) fn Experiment() -> impl IntoView {
    view! {
        <section class="card experiment" aria-labelledby="experiment-title">
            <h2 id="experiment-title" class="visually-hidden">"Experiment"</h2>
            <div class="fields">
                <TextField/>
                <NumberFields/>
            </div>
            <Editor/>
            <Designs/>
            <FaultFields/>
            <Actions/>
        </section>
    }
}

#[component]
fn NumberFields() -> impl IntoView {
    let lab = lab();
    let of_scenario = move |value: fn(&protocol::ScenarioOutline) -> u64| {
        lab.texts.outline.with(|outline| {
            outline
                .as_ref()
                .map(|outline| value(outline).to_string())
                .unwrap_or_default()
        })
    };
    view! {
        <label class="field">
            <span>"Seed"</span>
            <input type="text" inputmode="numeric" autocomplete="off" placeholder=move || of_scenario(|outline| outline.seed)
                prop:value=lab.choices.seed on:input=move |event| lab.choices.seed.set(event_target_value(&event))/>
        </label>
        <label class="field">
            <span>"Requests"</span>
            <input type="text" inputmode="numeric" autocomplete="off" placeholder=move || of_scenario(|outline| outline.requests)
                prop:value=lab.choices.requests on:input=move |event| lab.choices.requests.set(event_target_value(&event))/>
        </label>
    }
}

#[component]
fn Designs() -> impl IntoView {
    let lab = lab();
    let slugs = move |wanted: fn(&ArchitectureOutline) -> bool| {
        let wanted = |outline: &protocol::ScenarioOutline| {
            let designs = outline.architectures.iter().filter(|design| wanted(design));
            designs.map(|design| design.slug.clone()).collect::<Vec<_>>()
        };
        lab.texts
            .outline
            .with(|outline| outline.as_ref().map(wanted).unwrap_or_default())
    };
    let toggle = move |slug: &str, on: bool| {
        let usual = untrack(move || slugs(|design| design.by_default));
        let mut chosen = lab.choices.designs.get_untracked().unwrap_or_else(|| usual.clone());
        chosen.retain(|known| known != slug);
        if on {
            chosen.push(slug.to_owned());
        }
        // In their own order, and nothing at all if they are the usual ones: so the link stays short.
        let mut ordered = untrack(move || slugs(|_| true));
        ordered.retain(|slug| chosen.contains(slug));
        lab.choices.designs.set((ordered != usual).then_some(ordered));
    };
    let design = move |design: ArchitectureOutline| {
        let slug = design.slug.clone();
        let by_default = design.by_default;
        let chosen = move || {
            lab.choices
                .designs
                .with(|designs| designs.as_ref().map_or(by_default, |list| list.contains(&slug)))
        };
        let refusals = (design.refusals > 0).then(|| {
            format!(
                "{} of it cannot be expressed here.",
                plural(design.refusals.into(), "part", "parts")
            )
        });
        let slug = design.slug;
        view! {
            <label class="choice">
                <input type="checkbox" prop:checked=chosen on:change=move |event| toggle(&slug, event_target_checked(&event))/>
                <span><b>{design.title}</b> <small>{design.summary}</small> {refusals.map(|text| view! { <small class="warn">{text}</small> })}</span>
            </label>
        }
    };
    let list = move || {
        let outline = lab.texts.outline.get();
        match outline {
            Some(outline) => outline.architectures.into_iter().map(design).collect_view().into_any(),
            None => view! { <p class="hint">"The designs appear when the scenario has been read."</p> }.into_any(),
        }
    };
    view! { <fieldset class="designs"><legend>"Designs"</legend><div class="choices">{list}</div></fieldset> }
}

#[component]
fn Actions() -> impl IntoView {
    let lab = lab();
    let operation = RwSignal::new(None::<String>);
    let writing = move || {
        let names = |outline: &protocol::ScenarioOutline| {
            let writing = outline.operations.iter().filter(|operation| operation.writes);
            writing.map(|operation| operation.name.clone()).collect::<Vec<_>>()
        };
        lab.texts
            .outline
            .with(|outline| outline.as_ref().map(names).unwrap_or_default())
    };
    let chosen = move || {
        operation
            .get()
            .filter(|name| writing().contains(name))
            .or_else(|| writing().first().cloned())
    };
    let explore = move |_| {
        if let Some(operation) = untrack(chosen) {
            lab.explore(operation);
        }
    };
    let options = move || {
        let option = |name: String| {
            let value = name.clone();
            let selected = move || chosen().as_ref() == Some(&value);
            view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
        };
        writing().into_iter().map(option).collect_view()
    };
    let ready = move || lab.is_ready();
    let found =
        Signal::derive(move || lab.findings.run.with(Option::is_some) || lab.findings.atomicity.with(Option::is_some));
    view! {
        <div class="actions">
            <button type="button" class="button primary" prop:disabled=move || !ready() on:click=move |_| lab.run()>"Run"</button>
            <span class="joined">
                <button type="button" class="button" prop:disabled=move || !ready() on:click=explore>"Try every crash of"</button>
                <select aria-label="Operation to try every crash of" on:change=move |event| operation.set(Some(event_target_value(&event)))>{options}</select>
            </span>
            <CopyLink when=found/>
            <Status/>
        </div>
        <FormErrors/>
    }
}
