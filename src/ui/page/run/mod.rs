//! One operation on one or two designs, message by message: picture and text share one time cursor, and where it stands
//! something can be broken.

mod choose;

use std::sync::Arc;

use leptos::prelude::*;
use report::{DrawReport, Drawing};

use crate::browser;
use crate::fault::FaultForm;
use crate::lab::{Activity, Source, lab, opened};
use crate::page::part::{self, fetched};
use crate::player::{Breaking, Execution, PlayerProps};
use choose::Choose;

#[component]
pub(crate) fn RunPage() -> impl IntoView {
    let lab = lab();
    // A link's scenario is drawn when it has been checked; one that came as a text is looked at first.
    let is_named = |link: protocol::Link| link.scenario.is_some() && link.text.is_none();
    let may_draw = RwSignal::new(!browser::query().parse().is_ok_and(is_named));
    lab.arrive(Callback::new(move |()| may_draw.set(true)));
    on_cleanup(move || lab.choices.operation.set(None));
    let stranger = Memo::new(move |_| lab.texts.source.get() == Source::Linked && lab.texts.text().is_some());
    let trusted = RwSignal::new(false);
    draw_what_is_wanted(move || may_draw.get() && (trusted.get() || !stranger.get()));
    let ask = move || {
        (stranger.get() && !trusted.get()).then(|| {
            view! {
                <p class="notice">"This link carries a scenario of its own. "
                    <button type="button" class="button small" on:click=move |_| trusted.set(true)>"Draw it"</button>
                </p>
            }
        })
    };
    let refusal = |diagnostic: protocol::Diagnostic| {
        let hint = diagnostic.hint.map(|hint| view! { <small>{hint}</small> });
        view! { <li>{diagnostic.message} {hint}</li> }
    };
    let refused = move || {
        let list = lab.findings.refused.get();
        (!list.is_empty()).then(|| view! { <ul>{list.into_iter().map(refusal).collect_view()}</ul> })
    };
    let absent = move || match lab.line.activity.get() {
        Activity::Absent(why) => Some(view! { <p class="bad">{why}</p> }),
        _ => None,
    };
    let drawn = move || opened(lab.findings.drawn.get()).map(|report| view! { <Drawn report=report/> });
    view! {
        <h1 class="run-heading">"One run, message by message"</h1>
        {ask}
        <Choose/>
        <div role="alert" class="refused">{refused} {absent}</div>
        {drawn}
    }
}

/// Draws when something else is chosen than what was drawn last, and the worker is free.
fn draw_what_is_wanted(allowed: impl Fn() -> bool + 'static) {
    let lab = lab();
    let drawn = StoredValue::new(None);
    let wanted = Memo::new(move |_| {
        let choices = lab.choices;
        let fault = choices.fault.with(FaultForm::sentence);
        (lab.texts.text(), lab.operation(), lab.pair(), fault, choices.seed.get())
    });
    Effect::new(move |_| {
        let wanted = wanted.get();
        let is_drawn = drawn.with_value(|drawn| drawn.as_ref() == Some(&wanted));
        if allowed() && lab.is_ready() && !is_drawn && lab.draw() {
            drawn.set_value(Some(wanted));
        }
    });
}

#[component]
fn Drawn(report: Arc<DrawReport>) -> impl IntoView {
    let lab = lab();
    let fault = report.scenario.fault.clone();
    let scenario_has_one = fault.is_some() && lab.choices.fault.with_untracked(|form| form.sentence().is_none());
    let run = move |fault: Option<String>| {
        // `none` goes before a fault that the scenario itself has.
        let sentence = fault.or_else(|| scenario_has_one.then(|| "none".to_owned()));
        lab.choices.break_with(sentence.as_deref());
    };
    let breaking = Breaking {
        fault: fault.clone(),
        run: Callback::new(run),
    };
    let executions: Vec<Execution> = report.drawings.iter().filter_map(execution).collect();
    let titles: Vec<&str> = executions.iter().map(|execution| execution.title.as_str()).collect();
    let title = format!("{} on {}", report.operation, titles.join(" and "));
    let notes = report.drawings.iter().flat_map(notes).collect_view();
    let player = (!executions.is_empty()).then(|| {
        fetched(part::player, move || PlayerProps {
            executions: executions.clone(),
            now: Some(lab.choices.at),
            breaking: Some(breaking.clone()),
        })
    });
    view! {
        <div class="card">
            <div class="run-head">
                <div><h2>{title}</h2><p>"Each bracket is a transaction. Between two brackets others can see half of it."</p></div>
                <button type="button" class="button quiet small" on:click=move |_| copy_link()>"Copy link"</button>
            </div>
            {notes}
            {player}
        </div>
    }
}

fn execution(drawing: &Drawing) -> Option<Execution> {
    Some(Execution {
        title: drawing.title.clone(),
        sequence: drawing.sequence.clone()?,
        strikes: drawing.strikes.clone(),
        departs: drawing.departs,
    })
}

/// Why a design or a fault is not in the picture.
fn notes(drawing: &Drawing) -> Vec<AnyView> {
    let mut notes: Vec<String> = drawing
        .spared
        .iter()
        .map(|why| format!("{}: {why}.", drawing.title))
        .collect();
    if drawing.sequence.is_none() {
        let why = drawing.refused.join("; ");
        notes.push(format!("{} cannot express this operation. {why}", drawing.title));
    }
    notes
        .into_iter()
        .map(|note| view! { <p class="hint">{note}</p> }.into_any())
        .collect()
}

/// The link that shows this moment.
fn copy_link() {
    let lab = lab();
    lab.address.show();
    leptos::task::spawn_local(async move {
        let Some(address) = browser::address() else { return };
        if browser::copy(&address).await {
            lab.notices
                .say("The link is copied: it shows this moment of this run.".to_owned());
        } else {
            lab.notices.say(format!(
                "The browser does not let the page copy. The link is: {address}"
            ));
        }
    });
}
