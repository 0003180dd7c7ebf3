//! A probe on one design that is PostgreSQL: to be asked of a real one.

use leptos::prelude::*;
use protocol::ArchitectureOutline;

use crate::lab::lab;
use crate::page::ask::AskPostgres;

/// Below the results: which design and which probe, of those that PostgreSQL understands.
#[component]
pub(crate) fn OnPostgres() -> impl IntoView {
    let lab = lab();
    let designs = Memo::new(move |_| lab.texts.outline.get().map_or_else(Vec::new, askable));
    let (design, probe) = (RwSignal::new(None::<String>), RwSignal::new(None::<String>));
    // What was chosen, as long as it is there; else the first.
    let chosen = Memo::new(move |_| {
        let designs = designs.get();
        let found = designs.iter().find(|known| Some(&known.slug) == design.get().as_ref());
        let found = found.or_else(|| designs.first())?.clone();
        let asked = found
            .asks
            .iter()
            .find(|known| Some(&known.slug) == probe.get().as_ref());
        let asked = asked.or_else(|| found.asks.first())?.slug.clone();
        Some((found, asked))
    });
    let option = |slug: String, title: String, now: bool| view! { <option value=slug selected=now>{title}</option> };
    let form = move || {
        let (found, asked) = chosen.get()?;
        let list = designs.get();
        let list = list.into_iter().map(|known| {
            let now = known.slug == found.slug;
            option(known.slug, known.title, now)
        });
        let list = list.collect_view();
        let probes = found.asks.clone().into_iter().map(|known| {
            let now = known.slug == asked;
            option(known.slug, known.title, now)
        });
        let probes = probes.collect_view();
        Some(view! {
            <section class="card real-postgres" aria-labelledby="postgres-title">
                <h2 id="postgres-title">"The same on a real PostgreSQL"</h2>
                <div class="fields">
                    <label class="field wide"><span>"Design"</span>
                        <select on:change=move |event| design.set(Some(event_target_value(&event)))>{list}</select>
                    </label>
                    <label class="field wide"><span>"Probe"</span>
                        <select on:change=move |event| probe.set(Some(event_target_value(&event)))>{probes}</select>
                    </label>
                </div>
                <AskPostgres architecture=found.slug probe=asked/>
            </section>
        })
    };
    view! { {form} }
}

fn askable(outline: protocol::ScenarioOutline) -> Vec<ArchitectureOutline> {
    let mut designs = outline.architectures;
    designs.retain(|design| !design.asks.is_empty());
    designs
}
