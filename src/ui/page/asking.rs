//! What every page that asks the worker has: the text to choose, progress and Cancel, what is wrong, the link.

use leptos::prelude::*;
use protocol::Diagnostic;

use crate::browser;
use crate::format::count;
use crate::lab::{Activity, Lab, Source, Subject, lab};

#[component]
pub(crate) fn TextField() -> impl IntoView {
    let lab = lab();
    let value = move || match lab.texts.source.get() {
        Source::BuiltIn(slug) => slug,
        Source::Own => "/own".to_owned(),
        Source::Linked => "/linked".to_owned(),
    };
    let choose = move |event| {
        lab.texts.choose(match event_target_value(&event).as_str() {
            "/own" => Source::Own,
            "/linked" => Source::Linked,
            slug => Source::BuiltIn(slug.to_owned()),
        });
    };
    let option = move |name: String, title: String| {
        let selected = name.clone();
        view! { <option value=name selected=move || value() == selected>{title}</option> }
    };
    let built_in = move || {
        let list = lab.texts.built_in.get().into_iter();
        list.map(|scenario| option(scenario.slug, format!("{} (built in)", scenario.title)))
            .collect_view()
    };
    let linked = move || {
        (lab.texts.source.get() == Source::Linked).then(|| option("/linked".to_owned(), "From the link".to_owned()))
    };
    let (title, own) = match lab.texts.subject {
        Subject::Scenario => ("Scenario", "My own scenario"),
        Subject::Schedule => ("Schedule", "My own schedule"),
    };
    view! {
        <label class="field wide">
            <span>{title}</span>
            <select on:change=choose>{built_in} {option("/own".to_owned(), own.to_owned())} {linked}</select>
        </label>
    }
}

#[component]
pub(crate) fn CopyLink(#[prop(into)] when: Signal<bool>) -> impl IntoView {
    let lab = lab();
    let copy = move |_| {
        leptos::task::spawn_local(async move {
            let Some(address) = browser::address() else { return };
            if browser::copy(&address).await {
                lab.notices
                    .say("The link is copied: it reproduces this run.".to_owned());
            } else {
                lab.notices.say(format!(
                    "The browser does not let the page copy. The link is: {address}"
                ));
            }
        });
    };
    view! { <Show when=move || when.get()><button type="button" class="button quiet" on:click=copy>"Copy link"</button></Show> }
}

#[component]
pub(crate) fn Status() -> impl IntoView {
    let lab = lab();
    let status = move || match lab.line.activity.get() {
        Activity::Starting => view! { <span class="hint">"The worker is being loaded …"</span> }.into_any(),
        Activity::Asleep | Activity::Idle => ().into_any(),
        Activity::Busy {
            title,
            done,
            of,
            what,
            cancelling,
            ..
        } => progress(lab, title, done, of, what, cancelling),
        Activity::Absent(why) => view! {
            <span class="bad">{why}</span>
            <button type="button" class="button small" on:click=move |_| lab.line.reopen()>"Try again"</button>
        }
        .into_any(),
    };
    view! { <div class="status" aria-live="polite">{status}</div> }
}

fn progress(lab: Lab, title: String, done: u64, of: u64, what: String, cancelling: bool) -> AnyView {
    let bar = if of > 0 {
        view! { <progress max=of.to_string() value=done.to_string() aria-label=title.clone()></progress> }.into_any()
    } else {
        view! { <progress aria-label=title.clone()></progress> }.into_any()
    };
    let figures = (of > 0).then(|| format!(" · {} of {}", count(done), count(of)));
    view! {
        {bar}
        <span class="hint">{title} ": " {what} {figures}</span>
        <button type="button" class="button small" prop:disabled=cancelling on:click=move |_| lab.line.cancel()>
            {if cancelling { "Cancelling …" } else { "Cancel" }}
        </button>
    }
    .into_any()
}

/// What is wrong in the form, and why the worker refused to run.
#[component]
pub(crate) fn FormErrors() -> impl IntoView {
    let lab = lab();
    let refusal = |diagnostic: Diagnostic| {
        let place = (diagnostic.line > 0).then(|| format!("line {}, column {}: ", diagnostic.line, diagnostic.column));
        let hint = diagnostic.hint.map(|hint| view! { <small>{hint}</small> });
        view! { <li>{place} {diagnostic.message} {hint}</li> }
    };
    let sabotage = move || {
        let names = lab.choices.sabotage.get();
        (!names.is_empty()).then(|| {
            view! {
                <p class="hint">"Sabotaged on purpose: " <b>{names.join(", ")}</b> " "
                    <button type="button" class="button small" on:click=move |_| lab.choices.sabotage.set(Vec::new())>"Mend"</button>
                </p>
            }
        })
    };
    view! {
        {sabotage}
        <div role="alert" class="refused">
            {move || lab.choices.options().err().map(|text| view! { <p>{text}</p> })}
            {move || (!lab.findings.refused.with(Vec::is_empty)).then(|| view! { <ul>{lab.findings.refused.get().into_iter().map(refusal).collect_view()}</ul> })}
        </div>
    }
}
