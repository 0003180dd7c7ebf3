//! The sticky bar: what the board rests on, chip by chip; run again, undo, the link, progress and Cancel.

use leptos::prelude::*;
use protocol::ScenarioOutline;

use super::chip::{Chip, Opened};
use super::columns::{self, MOST};
use super::is_stale;
use super::prices::{self, Prices};
use crate::fault::FaultForm;
use crate::format::count;
use crate::lab::{Chosen, Lab, Source, lab};
use crate::page::asking::{CopyLink, FormErrors, Status, TextField};
use crate::page::fault_fields::FaultFields;

/// Scenario and choices before a change.
type Before = (Source, Chosen);

#[component]
pub(super) fn Assumptions() -> impl IntoView {
    let lab = lab();
    let name = RwSignal::new(None::<&'static str>);
    let changes = RwSignal::new(Vec::<Before>::new());
    let now = move || (lab.texts.source.get(), lab.choices.now());
    let before = StoredValue::new(None::<Before>);
    Effect::new(move |_| {
        if name.get().is_some() {
            before.set_value(Some(untrack(now)));
        }
    });
    let closed = Callback::new(move |()| {
        let changed = before.get_value().filter(|before| *before != untrack(now));
        before.set_value(None);
        if let Some(change) = changed {
            changes.update(|changes| changes.push(change));
        }
    });
    let opened = Opened { name, closed };
    let undo = move |_| {
        let Some((source, chosen)) = changes.try_update(Vec::pop).flatten() else {
            return;
        };
        lab.choices.restore(chosen);
        if lab.texts.source.get_untracked() != source {
            lab.texts.choose(source);
        }
    };
    let stale = Memo::new(move |_| lab.texts.outline.with(Option::is_some) && is_stale(lab));
    let there = Signal::derive(move || lab.findings.compared.with(Option::is_some));
    let label = move || if there.get() { "Run again" } else { "Run" };
    let run = move |_| lab.compare();
    view! {
        <section class="assumptions" aria-label="Assumptions">
            <ul class="chips">
                <Chip name="Scenario" value=scenario_title(lab) opened=opened><TextField/></Chip>
                <Chip name="Designs" value=designs_text(lab) opened=opened><Designs/></Chip>
                <Chip name="Fault" value=fault_text(lab) opened=opened><FaultFields/></Chip>
                <Chip name="Requests" value=or_outline(lab, lab.choices.requests, |outline| outline.requests) opened=opened>
                    {number("Requests", lab.choices.requests)}
                </Chip>
                <Chip name="Target" value=target_text(lab) opened=opened>{number("99th percentile to size servers for, in ms", lab.choices.target)}</Chip>
                <Chip name="Prices" value=prices::summary(lab) opened=opened><Prices/></Chip>
                <Chip name="Seed" value=or_outline(lab, lab.choices.seed, |outline| outline.seed) opened=opened>{number("Seed", lab.choices.seed)}</Chip>
                {fixed(lab)}
            </ul>
            <div class="again">
                <button type="button" class="button primary small" prop:disabled=move || !lab.is_ready() on:click=run>{label}</button>
                <Show when=move || !changes.with(Vec::is_empty)>
                    <button type="button" class="button small" on:click=undo>"Undo the last change"</button>
                </Show>
                <CopyLink when=there/>
                <Status/>
                <span class="hint" role="status">{move || state(lab, stale.get())}</span>
            </div>
            <FormErrors/>
        </section>
    }
}

/// What the board below is, in a few words.
fn state(lab: Lab, stale: bool) -> String {
    let idle = lab.line.is_idle();
    lab.findings.compared.with(|compared| match compared {
        None => String::new(),
        Some(compared) if stale && idle => {
            format!("The board is still about {}.", compared.board.scenario.title)
                + " Run again to see what your changes make of it."
        }
        Some(compared) if compared.recorded => "Recorded; a test compares it with what runs give.".to_owned(),
        Some(compared) if !compared.complete && idle => "Not finished: the rows that are there stay.".to_owned(),
        Some(_) => String::new(),
    })
}

fn scenario_title(lab: Lab) -> Signal<String> {
    Signal::derive(move || match lab.texts.source.get() {
        Source::BuiltIn(slug) => lab.texts.built_in.with(|list| {
            let found = list.iter().find(|built_in| built_in.slug == slug);
            found.map(|built_in| built_in.title.clone()).unwrap_or(slug)
        }),
        Source::Own => "my own".to_owned(),
        Source::Linked => "from the link".to_owned(),
    })
}

fn shown(lab: Lab) -> Vec<String> {
    let chosen = lab.choices.designs.get();
    chosen.unwrap_or_else(|| {
        lab.findings.compared.with(|compared| {
            let designs = compared.iter().flat_map(|compared| {
                let places = columns::columns(&compared.board, None);
                places.into_iter().filter_map(|place| compared.board.designs.get(place))
            });
            designs.map(|design| design.architecture.clone()).collect()
        })
    })
}

fn designs_text(lab: Lab) -> Signal<String> {
    Signal::derive(move || match shown(lab).len() {
        0 => "all".to_owned(),
        number => count(number as u64),
    })
}

fn fault_text(lab: Lab) -> Signal<String> {
    Signal::derive(move || {
        lab.choices
            .fault
            .with(FaultForm::sentence)
            .unwrap_or_else(|| "none".to_owned())
    })
}

fn target_text(lab: Lab) -> Signal<String> {
    Signal::derive(move || match lab.choices.target.get().trim() {
        "" => "the usual p99".to_owned(),
        target => format!("p99 under {target} ms"),
    })
}

/// What was typed, else what the scenario says.
fn or_outline(lab: Lab, typed: RwSignal<String>, of: fn(&ScenarioOutline) -> u64) -> Signal<String> {
    Signal::derive(move || {
        let typed = typed.get();
        if typed.trim().is_empty() {
            let outline = lab.texts.outline.with(|outline| outline.as_ref().map(of));
            outline.map(count).unwrap_or_default()
        } else {
            typed
        }
    })
}

fn number(title: &'static str, value: RwSignal<String>) -> AnyView {
    view! {
        <label class="field"><span>{title}</span>
            <input type="text" inputmode="numeric" autocomplete="off" placeholder="as the scenario says"
                prop:value=value on:input=move |event| value.set(event_target_value(&event))/>
        </label>
    }
    .into_any()
}

/// What the scenario alone says.
fn fixed(lab: Lab) -> impl IntoView {
    move || {
        lab.findings.compared.with(|compared| {
            let scenario = &compared.as_ref()?.board.scenario;
            let chip =
                |name: &'static str, value: String| view! { <li class="chip fixed">{name} " " <b>{value}</b></li> };
            Some(view! {
                {(scenario.tenants > 0).then(|| chip("Tenants", count(scenario.tenants.into())))}
                {chip("Load", scenario.clients.clone())}
                {chip("Profile", scenario.profile.clone())}
            })
        })
    }
}

/// The first is the baseline; heads of columns change that.
#[component]
fn Designs() -> impl IntoView {
    let lab = lab();
    let list = move || {
        let designs = lab.texts.outline.with(|outline| {
            let all = outline.iter().flat_map(|outline| &outline.architectures);
            all.map(|design| (design.slug.clone(), design.title.clone()))
                .collect::<Vec<_>>()
        });
        designs.into_iter().map(choice).collect_view()
    };
    let choice_hint = format!("At most {MOST} stand beside each other.");
    view! { <fieldset class="designs"><legend>"Designs on the board"</legend>{list}</fieldset> <p class="hint">{choice_hint}</p> }
}

fn choice((slug, title): (String, String)) -> impl IntoView {
    let lab = lab();
    let of = slug.clone();
    let is_on = Memo::new(move |_| shown(lab).contains(&of));
    let last = move || is_on.get() && shown(lab).len() == 1;
    let full = move || !is_on.get() && shown(lab).len() >= MOST;
    let toggle = move |event| {
        let slugs = columns::toggled(untrack(move || shown(lab)), &slug, event_target_checked(&event));
        lab.choices.designs.set(Some(slugs));
    };
    view! {
        <label class="tick">
            <input type="checkbox" prop:checked=is_on prop:disabled=move || last() || full() on:change=toggle/>
            <span>{title}</span>
        </label>
    }
}
