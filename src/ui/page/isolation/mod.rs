//! A schedule of one's own, below the matrix of anomalies: write it, run its orders, play what each outcome came of.
//!
//! Steps are played by the script that plays the recorded schedules (`style/isolation.js`): both are the same HTML.

use leptos::prelude::*;
use protocol::ScheduleOutline;

use crate::format::{count, plural};
use crate::lab::{Activity, lab, opened};
use crate::page::asking::{CopyLink, Status, TextField};
use crate::page::editor::Editor;

#[component]
pub(crate) fn SchedulePage() -> impl IntoView {
    let lab = lab();
    let wanted = RwSignal::new(None::<Orders>);
    lab.arrive(Callback::new(|()| ()));
    // Whoever is faster than the worker is served when it is there.
    Effect::new(move |_| {
        if let Some(orders) = wanted.get()
            && lab.line.is_idle()
            && lab.texts.text().is_some()
        {
            wanted.set(None);
            lab.interleave(orders == Orders::Listed);
        }
    });
    view! {
        <h2 id="own-title">"Your own schedule"</h2>
        <p class="lead">
            "A few sessions, each with its steps. Every order of them is run, each on a fork of the same server, and what came of it is compared with the serial orders: the transactions one after the other."
        </p>
        <p class="hint">"On the command line: "<code>"adr-lab iso --enumerate < my.spec"</code></p>
        <div class="card experiment" on:focusin=move |_| lab.line.wake()>
            <div class="fields"><TextField/> <LevelField/></div>
            <Editor/>
            <Actions wanted=wanted/>
        </div>
        <Results/>
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Orders {
    All,
    Listed,
}

#[component]
fn LevelField() -> impl IntoView {
    let lab = lab();
    let option = move |value: &'static str, title: &'static str| {
        let selected = move || lab.choices.level.with(|level| level == value);
        view! { <option value=value selected=selected>{title}</option> }
    };
    view! {
        <label class="field level-field">
            <span>"Where BEGIN names no level"</span>
            <select on:change=move |event| lab.choices.level.set(event_target_value(&event))>
                {option("", "read committed, as PostgreSQL")}
                {option("repeatable-read", "repeatable read")}
                {option("serializable", "serializable")}
            </select>
        </label>
    }
}

#[component]
fn Actions(wanted: RwSignal<Option<Orders>>) -> impl IntoView {
    let lab = lab();
    let busy = move || {
        lab.line
            .activity
            .with(|activity| matches!(activity, Activity::Busy { .. }))
    };
    let run = move |orders: Orders| {
        wanted.set(Some(orders));
        lab.line.wake();
    };
    let outline = move || lab.texts.schedule.get();
    let all = move || match outline().and_then(|outline| outline.interleavings) {
        Some(orders) => format!("Run all {} interleavings", count(orders)),
        None => "Run all interleavings".to_owned(),
    };
    let listed = move || {
        outline()
            .filter(|outline| outline.listed > 0)
            .map(|outline| listed_title(&outline))
    };
    let found = Signal::derive(move || lab.findings.interleaved.with(Option::is_some));
    view! {
        <div class="actions">
            <button type="button" class="button primary" prop:disabled=busy on:click=move |_| run(Orders::All)>{all}</button>
            {move || listed().map(|title| view! {
                <button type="button" class="button" prop:disabled=busy on:click=move |_| run(Orders::Listed)>{title}</button>
            })}
            <CopyLink when=found/>
            <Status/>
        </div>
    }
}

fn listed_title(outline: &ScheduleOutline) -> String {
    format!(
        "Run the {} listed",
        plural(outline.listed, "permutation", "permutations")
    )
}

#[component]
fn Results() -> impl IntoView {
    let lab = lab();
    move || {
        match opened(lab.findings.interleaved.get()) {
        None => view! {
            <div class="empty">
                <p><b>"Nothing has run yet."</b> " You will see how many outcomes there are, which of them no serial order gives, which anomalies they hold, and each of them step by step."</p>
            </div>
        }
        .into_any(),
        Some(found) => {
            view! { <section class="results interleavings" aria-label="What came of it" inner_html=report::html::interleavings(&found)></section> }
                .into_any()
        }
    }
    }
}
