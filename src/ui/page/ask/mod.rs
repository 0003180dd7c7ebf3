//! “Ask real PostgreSQL”: a probe's request on PostgreSQL 18 in this page, its answers beside those of our engine.
//!
//! ```text
//! button ─▶ asking: worker (the script) ─▶ pglite (the same statements) ─▶ answers: side by side
//! ```

mod answers;
mod asking;

use leptos::prelude::*;
use serde_json::Value;

use crate::browser;
use crate::format::two_figures;
use asking::{Asking, State};

/// Where the site keeps PGlite, and what it weighs.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    folder: String,
    bytes: u64,
    version: String,
}

/// What is asked: the lab's scenario and choices, a design's slug, a probe's slug.
#[component]
pub(crate) fn AskPostgres(architecture: String, probe: String) -> impl IntoView {
    let asking = Asking::new();
    on_cleanup(move || asking.cancel());
    let place = RwSignal::new(None::<Result<Place, String>>);
    leptos::task::spawn_local(async move {
        let found = browser::fetch_text("pglite.json").await;
        // The component may be gone by now.
        let _ = place.try_set(Some(found.and_then(|text| read_place(&text))));
    });
    let ask = move |_| {
        if let Some(Ok(place)) = place.get_untracked() {
            asking.begin(place, &architecture, &probe);
        }
    };
    let ready = move || place.with(|place| matches!(place, Some(Ok(_))));
    let status = move || match asking.state.get() {
        State::Idle => ().into_any(),
        State::Working { what, done, of } => working(asking, what, done, of),
        State::Answered(answers) => answers::view(&answers).into_any(),
        State::Failed(why) => view! { <p class="bad">{why}</p> }.into_any(),
    };
    view! {
        <section class="ask" aria-label="Ask real PostgreSQL">
            <button type="button" class="button" prop:disabled=move || !ready() || asking.is_working() on:click=ask>"Ask real PostgreSQL"</button>
            <p class="hint">{move || place.get().map(described)}</p>
            <div aria-live="polite">{status}</div>
        </section>
    }
}

fn described(place: Result<Place, String>) -> String {
    match place {
        Ok(place) => format!(
            "The same statements on PostgreSQL 18, in this page: PGlite {}, {} MB, fetched once. It has one connection to one database: what several sessions do to \
             each other, a pool and a crash cannot be asked.",
            place.version,
            two_figures(place.bytes as f64 / 1e6)
        ),
        Err(error) => format!("PostgreSQL cannot be asked here: {error}."),
    }
}

fn read_place(text: &str) -> Result<Place, String> {
    let place: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let word = |name: &str| place[name].as_str().map(str::to_owned);
    match (word("folder"), place["bytes"].as_u64(), word("version")) {
        (Some(folder), Some(bytes), Some(version)) => Ok(Place { folder, bytes, version }),
        _ => Err("the site does not say where PGlite is".to_owned()),
    }
}

fn working(asking: Asking, what: String, done: u64, of: u64) -> AnyView {
    let bar = if of > 0 {
        view! { <progress max=of.to_string() value=done.to_string() aria-label="PostgreSQL"></progress> }.into_any()
    } else {
        view! { <progress aria-label="PostgreSQL"></progress> }.into_any()
    };
    view! {
        <p class="status">
            {bar} <span class="hint">{what}</span>
            <button type="button" class="button small" on:click=move |_| asking.cancel()>"Cancel"</button>
        </p>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_or_refused() {
        let text = r#"{"folder":"pglite-1/","bytes":8400000,"version":"0.5.16"}"#;
        let place = read_place(text).expect("a place");
        assert!(described(Ok(place)).contains("PGlite 0.5.16, 8.4 MB"));
        assert!(read_place("{}").is_err() && read_place("<html>").is_err());
    }
}
