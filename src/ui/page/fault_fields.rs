//! The fault as fields, with the sentence that they make.

use leptos::prelude::*;

use crate::fault::{ACTORS, FaultForm, Kind, PLACES};
use crate::lab::lab;

#[component]
pub(crate) fn FaultFields() -> impl IntoView {
    let lab = lab();
    let kind = Memo::new(move |_| lab.choices.fault.with(|fault| fault.kind));
    let operations = move || {
        let names = |outline: &protocol::ScenarioOutline| {
            outline
                .operations
                .iter()
                .map(|operation| operation.name.clone())
                .collect::<Vec<_>>()
        };
        lab.texts
            .outline
            .with(|outline| outline.as_ref().map(names).unwrap_or_default())
    };
    let kinds = Kind::ALL
        .map(|(_, name, title)| (name.to_owned(), title.to_owned()))
        .to_vec();
    let fields = move || {
        let kind = kind.get();
        view! {
            {kind.is_crash().then(|| select("Whom", same(&ACTORS), |fault| &mut fault.actor))}
            {(kind == Kind::Crash).then(|| select("When", same(&PLACES), |fault| &mut fault.place))}
            {(kind == Kind::CrashAt).then(|| number("At, ms", |fault| &mut fault.at))}
            {kind.has_step().then(|| number("Step", |fault| &mut fault.step))}
            {kind.has_step().then_some(move || select("Of", pairs(operations()), |fault| &mut fault.operation))}
            {kind.is_delay().then(|| number("By, ms", |fault| &mut fault.delay))}
            {kind.is_crash().then(|| number("Restart after, ms", |fault| &mut fault.restart))}
            {(kind == Kind::Written).then(written)}
        }
    };
    let sentence = move || {
        lab.choices
            .fault
            .with(FaultForm::sentence)
            .unwrap_or_else(|| "nothing is broken beyond what the scenario says".to_owned())
    };
    let choose = move |event| {
        let kind = Kind::from_name(&event_target_value(&event));
        lab.choices.fault.update(|fault| {
            if kind == Kind::Written {
                fault.written = fault.sentence().unwrap_or_default();
            }
            fault.kind = kind;
        });
    };
    let option = move |(name, title): (String, String)| {
        let selected = {
            let name = name.clone();
            move || kind.get().name() == name
        };
        view! { <option value=name selected=selected>{title}</option> }
    };
    view! {
        <fieldset class="fault">
            <legend>"Fault"</legend>
            <div class="fields">
                <label class="field"><span>"Kind"</span><select on:change=choose>{kinds.into_iter().map(option).collect_view()}</select></label>
                {fields}
            </div>
            <p class="sentence"><code>{sentence}</code></p>
        </fieldset>
    }
}

type Field = fn(&mut FaultForm) -> &mut String;

fn same(names: &[&str]) -> Vec<(String, String)> {
    pairs(names.iter().map(|name| (*name).to_owned()).collect())
}

fn pairs(names: Vec<String>) -> Vec<(String, String)> {
    names.into_iter().map(|name| (name.clone(), name)).collect()
}

fn value_of(field: Field) -> impl Fn() -> String + Copy + Send + Sync {
    let lab = lab();
    move || lab.choices.fault.with(|fault| field(&mut fault.clone()).clone())
}

fn select(title: &'static str, options: Vec<(String, String)>, field: Field) -> AnyView {
    let lab = lab();
    let value = value_of(field);
    let choose = move |event| {
        lab.choices
            .fault
            .update(|fault| *field(fault) = event_target_value(&event))
    };
    let option = move |(name, title): (String, String)| {
        let selected = {
            let name = name.clone();
            move || value() == name
        };
        view! { <option value=name selected=selected>{title}</option> }
    };
    view! {
        <label class="field"><span>{title}</span><select on:change=choose>{options.into_iter().map(option).collect_view()}</select></label>
    }
    .into_any()
}

fn number(title: &'static str, field: Field) -> AnyView {
    let lab = lab();
    view! {
        <label class="field narrow">
            <span>{title}</span>
            <input type="text" inputmode="numeric" autocomplete="off" prop:value=value_of(field)
                on:input=move |event| lab.choices.fault.update(|fault| *field(fault) = event_target_value(&event))/>
        </label>
    }
    .into_any()
}

fn written() -> AnyView {
    let lab = lab();
    view! {
        <label class="field wide">
            <span>"Sentence"</span>
            <input type="text" autocomplete="off" spellcheck="false" prop:value=value_of(|fault| &mut fault.written)
                on:input=move |event| lab.choices.fault.update(|fault| fault.written = event_target_value(&event))/>
        </label>
    }
    .into_any()
}
