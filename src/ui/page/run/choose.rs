//! What is drawn: scenario, operation, one or two designs.

use leptos::prelude::*;
use protocol::ScenarioOutline;

use crate::lab::lab;

#[component]
pub(crate) fn Choose() -> impl IntoView {
    let lab = lab();
    let names = |of: fn(&ScenarioOutline) -> Vec<(String, String)>| {
        move || {
            lab.texts
                .outline
                .with(|outline| outline.as_ref().map(of).unwrap_or_default())
        }
    };
    let operations = names(|outline| {
        let pair = |operation: &protocol::OperationOutline| (operation.name.clone(), operation.name.clone());
        outline.operations.iter().map(pair).collect()
    });
    let designs = names(|outline| {
        let pair = |design: &protocol::ArchitectureOutline| (design.slug.clone(), design.title.clone());
        outline.architectures.iter().map(pair).collect()
    });
    let chosen = move || lab.pair();
    let first = move || chosen().first().cloned().unwrap_or_default();
    let second = move || chosen().get(1).cloned().unwrap_or_default();
    let set = move |designs: Vec<String>| {
        let designs = designs.into_iter().filter(|slug| !slug.is_empty()).collect();
        lab.choices.designs.set(Some(designs));
    };
    let beside = move || {
        let none = [(String::new(), "none".to_owned())];
        let others = designs().into_iter().filter(|(slug, _)| *slug != first());
        none.into_iter().chain(others).collect::<Vec<_>>()
    };
    let title = move || {
        lab.texts
            .outline
            .with(|outline| outline.as_ref().map(|outline| outline.title.clone()))
    };
    view! {
        <div class="fields run-fields">
            <p class="chip">"Scenario " <b>{title}</b></p>
            {choice("Operation", operations, move || lab.operation().unwrap_or_default(), move |name| lab.choices.operation.set(Some(name)))}
            {choice("Design", designs, first, move |slug| {
                let other = untrack(second);
                set(vec![slug.clone(), if other == slug { String::new() } else { other }]);
            })}
            {choice("Beside it", beside, second, move |slug| set(vec![untrack(first), slug]))}
        </div>
    }
}

fn choice(
    title: &'static str,
    list: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static,
    value: impl Fn() -> String + Copy + Send + Sync + 'static,
    choose: impl Fn(String) + 'static,
) -> impl IntoView {
    let option = move |(name, title): (String, String)| {
        let same = name.clone();
        view! { <option value=name selected=move || value() == same>{title}</option> }
    };
    view! {
        <label class="field">
            <span>{title}</span>
            <select on:change=move |event| choose(event_target_value(&event))>{move || list().into_iter().map(option).collect_view()}</select>
        </label>
    }
}
